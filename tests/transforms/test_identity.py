"""Who is who: decisions, stored ids, conversions, exact keys, likeness; what stays, what waits."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.frames import Crosswalk, MatchDecisions, empty
from agreement.pairs import COLUMNS as PAIR
from agreement.pairs import ordered
from agreement.policy import load_agreement
from flows.calc_match import shipped_model
from tests import builders
from transforms.identity import reconcile, with_accounts
from transforms.person_names import are_alike, plain_names

NIGHT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
NEXT_NIGHT = datetime(2026, 3, 3, 9, 15, tzinfo=UTC)
POLICY = load_agreement().identity

LEAD, OTHER_LEAD, CONTACT = "00Q000000000001EAA", "00Q000000000002EAA", "003000000000001AAA"
OPPORTUNITY = "006000000000001AAA"


def contact(record_id="1", **fields):
    return {"record_id": record_id, "first_name": "Ann", "last_name": "Lee"} | fields


def lead(record_id=LEAD, **fields):
    return contact(record_id, system="salesforce", kind="lead") | fields


def their_contact(record_id=CONTACT, **fields):
    return contact(record_id, system="salesforce", kind="contact") | fields


def identity(
    *people,
    aliases=(),
    accounts=(),
    deals=(),
    previous=None,
    decisions=(),
    now=NIGHT,
    policy=POLICY,
):
    return reconcile(
        builders.people(*people),
        builders.aliases(*aliases),
        builders.accounts(*accounts),
        builders.deal_records(*deals),
        policy=policy,
        model=shipped_model(),
        decisions=builders.build(MatchDecisions, decisions),
        previous=empty(Crosswalk) if previous is None else previous,
        now=now,
    )


def decided(decision, one, other, *, entity="person", **more):
    """Build a decision on two records (system, kind, id)."""
    left, right = ordered(one, other)
    return {
        "decision_id": f"d_{decision}",
        "entity": entity,
        **dict(zip(PAIR, (*left, *right), strict=True)),
        "decision": decision,
        "decided_by": "kim",
        "decided_at": NIGHT,
    } | more


def crosswalk(*people, **given):
    return identity(*people, **given).crosswalk


def groups(found: pd.DataFrame) -> set[frozenset[str]]:
    """Give the records of each entity, as sets of ids."""
    return {frozenset(rows) for _, rows in found.groupby("entity_id")["record_id"]}


def rule_of(found: pd.DataFrame, record_id: str) -> str:
    return found.set_index("record_id")["rule"][record_id]


# Stored ids and chains


def test_an_id_stored_on_the_hubspot_contact_links_whatever_the_names_are():
    found = crosswalk(contact(partner_id=LEAD), lead(first_name="Robert", last_name="Stone"))
    assert groups(found) == {frozenset({"1", LEAD})}
    assert set(found["rule"]) == {"stored id"}
    assert found.set_index("record_id")["evidence"]["1"] == f"salesforce lead {LEAD}"


def test_an_id_stored_on_the_salesforce_record_links_too():
    assert groups(crosswalk(contact(), lead(partner_id="1"))) == {frozenset({"1", LEAD})}


def test_a_stored_id_of_a_merged_away_record_leads_to_its_survivor():
    merge = {"system": "salesforce", "kind": "lead", "record_id": LEAD, "survivor_id": OTHER_LEAD}
    found = crosswalk(contact(partner_id=LEAD), lead(OTHER_LEAD), aliases=[merge])
    assert groups(found) == {frozenset({"1", OTHER_LEAD})}


def test_a_stored_id_of_a_record_that_is_gone_links_nothing():
    assert groups(crosswalk(contact(partner_id=OTHER_LEAD), lead())) == {
        frozenset({"1"}),
        frozenset({LEAD}),
    }


def test_a_converted_lead_carries_its_links_to_its_contact():
    found = crosswalk(
        contact(partner_id=LEAD), lead(converted_to=CONTACT), their_contact(last_name="Kim")
    )
    assert groups(found) == {frozenset({"1", LEAD, CONTACT})}
    assert rule_of(found, CONTACT) == "conversion"


# Addresses


@pytest.mark.parametrize(
    ("first_name", "last_name", "rule"),
    [
        ("Ann", "Lee", "e-mail and name"),
        ("ANN", "Leé", "e-mail and name"),
        ("A.", "Lee", "e-mail and similar name"),
        ("Anneliese", "Lee", "e-mail and similar name"),
        (None, "Lee", "e-mail and similar name"),
        (None, None, "e-mail and similar name"),
        ("Ann", "Lee-Miller", "e-mail and similar name"),
    ],
)
def test_one_address_links_names_that_agree(first_name, last_name, rule):
    found = crosswalk(
        contact(email="a@x.test"),
        lead(email="a@x.test", first_name=first_name, last_name=last_name),
    )
    assert groups(found) == {frozenset({"1", LEAD})}
    assert set(found["rule"]) == {rule}


@pytest.mark.parametrize(
    ("first_name", "last_name"),
    [("Bob", "Lee"), ("Bob", "Kim"), ("Ann", "Lee Jr."), ("Bob", None), (None, "Kim")],
)
def test_father_and_son_at_one_address_stay_two(first_name, last_name):
    found = crosswalk(
        contact(email="a@x.test"),
        lead(email="a@x.test", first_name=first_name, last_name=last_name),
    )
    assert groups(found) == {frozenset({"1"}), frozenset({LEAD})}
    assert set(found["rule"]) == {"only record"}


def test_a_nickname_is_the_same_name():
    found = crosswalk(
        contact(email="a@x.test", first_name="Bill"), lead(email="a@x.test", first_name="William")
    )
    assert len(groups(found)) == 1


def test_a_record_that_could_be_father_or_son_is_neither():
    found = crosswalk(
        contact("1", email="a@x.test", first_name="John"),
        contact("2", email="a@x.test", first_name="Peter"),
        lead(email="a@x.test", first_name=None),
    )
    assert len(groups(found)) == 3


def test_a_third_address_does_not_join_what_one_address_keeps_apart():
    found = crosswalk(
        contact("1", email="home@x.test", other_emails="a@x.test", first_name="John"),
        contact("2", email="home@x.test", other_emails="b@x.test", first_name="Jane"),
        lead(LEAD, email="a@x.test", first_name="J."),
        lead(OTHER_LEAD, email="b@x.test", first_name="J."),
        their_contact(email="a@x.test", other_emails="b@x.test", first_name="J."),
    )
    people = groups(found)
    assert not any({"1", "2"} <= person for person in people)
    assert frozenset({LEAD, OTHER_LEAD, CONTACT}) in people


def test_a_further_address_links_as_well_as_the_first():
    found = crosswalk(
        contact(email="ann@x.test", other_emails="old@x.test;ann@home.test"),
        lead(email="ann@home.test"),
    )
    assert len(groups(found)) == 1


@pytest.mark.parametrize("mailbox", ["info", "sales", "office"])
def test_a_role_mailbox_links_nobody_by_itself(mailbox):
    address = f"{mailbox}@x.test"
    for named in ({"first_name": "Ann", "last_name": "Kim"}, {"first_name": None}):
        assert len(groups(crosswalk(contact(email=address), lead(email=address, **named)))) == 2


def test_a_mailbox_that_many_names_use_links_only_equal_names():
    crowd = [
        contact(str(number), email="a@x.test", first_name=f"{letter}nn", last_name=f"L{letter}")
        for number, letter in enumerate("abcdefghi")
    ]
    found = crosswalk(
        *crowd,
        lead(LEAD, email="a@x.test", first_name="ann", last_name="La"),
        lead(OTHER_LEAD, email="a@x.test", first_name="a", last_name="La"),
    )
    assert frozenset({"0", LEAD}) in groups(found)
    assert frozenset({OTHER_LEAD}) in groups(found)


def test_duplicates_inside_one_system_are_one_person():
    found = crosswalk(
        contact("1", email="a@x.test"),
        lead(LEAD, email="a@x.test"),
        lead(OTHER_LEAD, email="a@x.test"),
    )
    assert groups(found) == {frozenset({"1", LEAD, OTHER_LEAD})}


def test_two_records_that_one_contact_is_by_id_and_by_address_are_duplicates():
    found = identity(
        contact("1", email="a@x.test", partner_id=CONTACT),
        their_contact(email="ann@old.test"),
        lead(LEAD, email="a@x.test"),
    )
    assert groups(found.crosswalk) == {frozenset({"1", CONTACT, LEAD})}
    assert found.reviews.empty


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"email": "ann.lee@x.test"}, {"email": "sales.team@x.test"}),
        ({"email": "annlee@gmail.com"}, {"email": "lee.ann@gmail.com"}),
    ],
)
def test_a_shared_name_alone_or_with_a_domain_links_nobody(one, other):
    assert len(groups(crosswalk(contact(**one), lead(**other)))) == 2


# Survivors


def survivors(found):
    return set(found.loc[found["is_survivor"], "record_id"])


def test_a_contact_survives_before_a_lead_and_a_lead_before_a_converted_one():
    same = {"email": "a@x.test"}
    old, new = {"created_at": "2026-01-01T00:00Z"}, {"created_at": "2026-02-01T00:00Z"}
    converted = lead(LEAD, converted_to=CONTACT, **same, **old)
    assert survivors(crosswalk(converted, their_contact(**same, **new))) == {CONTACT}
    gone = lead(LEAD, converted_to="003000000000009AAA", **same, **old)
    assert survivors(crosswalk(gone, lead(OTHER_LEAD, **same, **new))) == {OTHER_LEAD}


def test_of_equals_the_oldest_survives_then_the_smaller_id():
    same = {"email": "a@x.test"}
    day = {"created_at": "2026-01-02T00:00Z"}
    older = {"created_at": "2026-01-01T00:00Z"}
    assert survivors(crosswalk(contact("1", **same, **day), contact("2", **same, **older))) == {"2"}
    assert survivors(crosswalk(contact("1", **same, **day), contact("2", **same, **day))) == {"1"}


def test_each_system_has_its_own_survivor():
    found = crosswalk(contact(email="a@x.test"), lead(email="a@x.test"))
    assert survivors(found) == {"1", LEAD}


# Accounts and deals


def company(record_id="20", **fields):
    return {"system": "hubspot", "kind": "company", "record_id": record_id} | fields


def account(record_id="001000000000001AAA", **fields):
    return {"record_id": record_id} | fields


def test_a_company_is_the_account_of_its_domain_or_of_its_stored_id():
    found = crosswalk(
        accounts=[
            company("20", domain="acme.test"),
            company("21", partner_id="001000000000002AAA"),
            account("001000000000001AAA", domain="acme.test"),
            account("001000000000002AAA", domain="other.test"),
        ]
    )
    assert groups(found) == {
        frozenset({"20", "001000000000001AAA"}),
        frozenset({"21", "001000000000002AAA"}),
    }


def test_a_free_mail_domain_is_no_company():
    found = crosswalk(accounts=[company(domain="gmail.com"), account(domain="gmail.com")])
    assert len(groups(found)) == 2


def test_of_several_accounts_with_one_domain_the_name_decides():
    found = crosswalk(
        accounts=[
            company(domain="acme.test", name="ACME GmbH"),
            account("001000000000001AAA", domain="acme.test", name="Acme Inc."),
            account("001000000000002AAA", domain="acme.test", name="Acme GmbH"),
        ]
    )
    assert groups(found) == {
        frozenset({"20", "001000000000002AAA"}),
        frozenset({"001000000000001AAA"}),
    }


def asked(found, entity):
    rows = found.reviews[found.reviews["entity"] == entity]
    return {frozenset(pair) for pair in zip(rows["left_id"], rows["right_id"], strict=True)}


ONE_ACCOUNT, OTHER_ACCOUNT = "001000000000001AAA", "001000000000002AAA"


def test_a_company_with_two_accounts_of_its_domain_waits_until_a_person_accepts_one():
    records = [
        company(domain="acme.test", name="Acme"),
        account(ONE_ACCOUNT, domain="acme.test", name="Acme North"),
        account(OTHER_ACCOUNT, domain="acme.test", name="Acme South"),
    ]
    found = identity(accounts=records)
    assert len(groups(found.crosswalk)) == 3
    both = {frozenset({"20", ONE_ACCOUNT}), frozenset({"20", OTHER_ACCOUNT})}
    assert asked(found, "account") == both
    assert found.reviews["score"].tolist() == [0.5, 0.5]
    sides = ("hubspot", "company", "20"), ("salesforce", "account", ONE_ACCOUNT)
    accepted = decided("accept", *sides, entity="account")
    after = identity(accounts=records, decisions=[accepted])
    assert frozenset({"20", ONE_ACCOUNT}) in groups(after.crosswalk)
    assert after.reviews.empty


def test_a_company_name_that_no_place_supports_waits_and_a_rejection_is_kept():
    records = [company(name="Acme GmbH"), account(ONE_ACCOUNT, name="Acme")]
    assert asked(identity(accounts=records), "account") == {frozenset({"20", ONE_ACCOUNT})}
    sides = ("hubspot", "company", "20"), ("salesforce", "account", ONE_ACCOUNT)
    rejected = decided("reject", *sides, entity="account")
    assert identity(accounts=records, decisions=[rejected]).reviews.empty


@pytest.mark.parametrize(
    "theirs",
    [
        {"name": "Renewal", "amount": "900", "closed_on": "2026-05-01"},
        {"name": "Acme renews", "amount": "500", "closed_on": "2026-03-01"},
    ],
)
def test_a_deal_that_only_its_name_or_only_its_amount_and_date_tell_waits(theirs):
    accounts = [company(domain="acme.test"), account(ONE_ACCOUNT, domain="acme.test")]
    own = {"name": "Renewal", "amount": "500", "closed_on": "2026-03-01"}
    deals = [
        hubspot_deal("9", account_record_id="20", **own),
        {"record_id": OPPORTUNITY, "account_record_id": ONE_ACCOUNT} | theirs,
    ]
    found = identity(accounts=accounts, deals=deals)
    assert asked(found, "deal") == {frozenset({"9", OPPORTUNITY})}
    sides = ("hubspot", "deal", "9"), ("salesforce", "opportunity", OPPORTUNITY)
    pinned = decided("pin", *sides, entity="deal")
    after = identity(accounts=accounts, deals=deals, decisions=[pinned])
    assert frozenset({"9", OPPORTUNITY}) in groups(after.crosswalk)
    assert after.reviews.empty


def hubspot_deal(record_id, **fields):
    return {"system": "hubspot", "kind": "deal", "record_id": record_id} | fields


def test_of_several_hubspot_deals_the_one_linked_first_carries_the_amounts():
    first = hubspot_deal("9", partner_id=OPPORTUNITY, created_at="2026-02-01T00:00Z")
    later = hubspot_deal("8", partner_id=OPPORTUNITY, created_at="2026-01-01T00:00Z")
    opportunity = {"record_id": OPPORTUNITY}
    before = crosswalk(deals=[first, opportunity])
    after = crosswalk(deals=[first, later, opportunity], previous=before, now=NEXT_NIGHT)
    assert groups(after) == {frozenset({"8", "9", OPPORTUNITY})}
    assert survivors(after) == {"9", OPPORTUNITY}


# Ids that stay


def test_a_second_night_changes_nothing():
    people = [contact(email="a@x.test"), lead(email="a@x.test"), contact("2")]
    first = crosswalk(*people)
    second = crosswalk(*people, previous=first, now=NEXT_NIGHT)
    pd.testing.assert_frame_equal(first, second)


def test_a_person_keeps_the_id_when_a_record_joins_and_when_one_leaves():
    one = crosswalk(contact("5", email="a@x.test"))
    joined = crosswalk(
        contact("1", email="a@x.test"), contact("5", email="a@x.test"), previous=one, now=NEXT_NIGHT
    )
    assert set(joined["entity_id"]) == set(one["entity_id"])
    assert joined.set_index("record_id")["since"].to_dict() == {
        "1": pd.Timestamp(NEXT_NIGHT),
        "5": pd.Timestamp(NIGHT),
    }
    left = crosswalk(contact("1", email="a@x.test"), previous=joined, now=NEXT_NIGHT)
    assert set(left["entity_id"]) == set(one["entity_id"])


def test_two_people_who_turn_out_to_be_one_keep_the_elder_id_and_split_by_a_word_with_new_ones():
    elder = crosswalk(contact("2"))
    both = crosswalk(contact("1"), contact("2"), previous=elder, now=NEXT_NIGHT)
    joined = crosswalk(
        contact("1", email="a@x.test"), contact("2", email="a@x.test"), previous=both
    )
    assert set(joined["entity_id"]) == set(elder["entity_id"])
    said = decided("forbid", ("hubspot", "contact", "1"), ("hubspot", "contact", "2"))
    split = crosswalk(contact("1"), contact("2"), previous=joined, decisions=[said])
    ids = split.set_index("record_id")["entity_id"]
    assert ids["1"] == elder["entity_id"][0]
    assert ids["2"] not in set(joined["entity_id"])


# Decisions, and what stays

HUBSPOT, LEFT, RIGHT = (
    ("hubspot", "contact", "1"),
    ("salesforce", "lead", LEAD),
    ("salesforce", "lead", OTHER_LEAD),
)


def test_a_pin_beats_a_stored_id_that_contradicts_it():
    people = (
        contact(partner_id=LEAD),
        lead(first_name="Bob", last_name="Stone"),
        lead(OTHER_LEAD, first_name="Eve", last_name="Kim"),
    )
    found = identity(*people, decisions=[decided("pin", HUBSPOT, RIGHT)])
    assert groups(found.crosswalk) == {frozenset({"1", OTHER_LEAD}), frozenset({LEAD})}
    row = found.crosswalk.set_index("record_id").loc["1"]
    assert (row["rule"], row["decided_by"]) == ("pinned", "kim")
    waiting = found.reviews.set_index("right_id").loc[LEAD]
    assert (waiting["left_id"], waiting["rule"]) == ("1", "stored id")
    assert "contradicts a stronger link" in waiting["evidence"]


def test_an_accepted_pair_is_linked_but_not_against_a_stored_id():
    said = decided("accept", HUBSPOT, RIGHT)
    other = lead(OTHER_LEAD, first_name="Eve", last_name="Kim")
    free = identity(contact(), other, decisions=[said])
    assert rule_of(free.crosswalk, "1") == "accepted"
    bound = identity(contact(partner_id=LEAD), lead(), other, decisions=[said])
    assert groups(bound.crosswalk) == {frozenset({"1", LEAD}), frozenset({OTHER_LEAD})}
    assert bound.reviews["rule"].tolist() == ["accepted"]


def test_what_is_forbidden_is_never_linked_whatever_speaks_for_it():
    same = {"email": "ann@x.test"}
    found = identity(
        contact(partner_id=LEAD, **same), lead(**same), decisions=[decided("forbid", HUBSPOT, LEFT)]
    )
    assert len(groups(found.crosswalk)) == 2
    assert found.reviews.empty


def test_a_third_record_does_not_join_what_is_forbidden():
    same = {"email": "ann@x.test"}
    people = (contact(**same), lead(**same), lead(OTHER_LEAD, **same))
    found = crosswalk(*people, decisions=[decided("forbid", LEFT, RIGHT)])
    assert not any({LEAD, OTHER_LEAD} <= records for records in groups(found))


def test_a_rejection_holds_until_a_record_says_something_new():
    doubtful = (contact(email="ann@x.test"), lead(email="ann@x.test", first_name="Bob"))
    asked = identity(*doubtful).reviews
    assert asked[["left_id", "right_id"]].to_numpy().tolist() == [["1", LEAD]]
    said = decided("reject", HUBSPOT, LEFT, keys=asked["keys"][0])
    assert identity(*doubtful, decisions=[said]).reviews.empty
    told = (contact(email="ann@x.test"), lead(email="ann@x.test"))
    assert len(groups(crosswalk(*told, decisions=[said]))) == 1


def test_a_decision_on_a_merged_away_record_is_one_on_its_survivor():
    merge = {"system": "salesforce", "kind": "lead", "record_id": LEAD, "survivor_id": OTHER_LEAD}
    found = crosswalk(
        contact(), lead(OTHER_LEAD, last_name="Kim"), aliases=[merge],
        decisions=[decided("pin", HUBSPOT, LEFT)],
    )  # fmt: skip
    assert groups(found) == {frozenset({"1", OTHER_LEAD})}


def test_a_link_stays_when_its_key_goes_and_says_what_it_said():
    linked = crosswalk(contact(email="ann@x.test"), lead(email="ann@x.test"))
    later = crosswalk(contact(), lead(first_name="Eve"), previous=linked, now=NEXT_NIGHT)
    pd.testing.assert_frame_equal(later, linked)


def test_a_stored_id_moves_a_link_that_an_address_had_made():
    linked = crosswalk(contact(email="ann@x.test"), lead(email="ann@x.test"))
    moved = crosswalk(
        contact(email="ann@x.test", partner_id=OTHER_LEAD),
        lead(email="ann@x.test"),
        lead(OTHER_LEAD, first_name="Eve", last_name="Stone"),
        previous=linked,
        now=NEXT_NIGHT,
    )
    assert groups(moved) == {frozenset({"1", OTHER_LEAD}), frozenset({LEAD})}


def test_two_who_contradict_are_not_joined_by_a_record_that_names_both():
    found = identity(
        contact("1", partner_id=LEAD),
        contact("2", partner_id=LEAD, first_name="Bob", last_name="Stone"),
        lead(),
    )
    assert groups(found.crosswalk) == {frozenset({"1", LEAD}), frozenset({"2"})}
    assert found.reviews[["left_id", "right_id"]].to_numpy().tolist() == [["2", LEAD]]


def test_a_pair_in_review_shows_how_its_fields_agree_and_no_value():
    same = {"email": "family.lee@x.test"}
    found = identity(contact(**same), lead(first_name="Bob", **same))
    told = found.reviews.iloc[0]["evidence"]
    assert "email equal" in told
    assert "first different" in told
    assert "lee" not in told.lower()


# Accounts and deals without an id


def test_a_company_is_the_account_of_its_name_in_its_place_whatever_the_legal_form():
    place = {"city": "Köln", "country": "DE"}
    one, other = {"name": "Acme GmbH", **place}, {"name": "ACME AG", **place}
    assert len(groups(crosswalk(accounts=[company(**one), account(**other)]))) == 1
    assert (
        len(groups(crosswalk(accounts=[company(**one), account(**other | {"city": "Ulm"})]))) == 2
    )
    assert len(groups(crosswalk(accounts=[company(name="Acme"), account(name="Acme")]))) == 2


def test_an_alias_domain_leads_to_the_main_one_and_a_subdomain_to_what_its_owner_registered():
    policy = POLICY.model_copy(update={"alias_domains": {"acme-group.test": "acme.co.uk"}})
    given = [company(domain="acme-group.test"), account(domain="shop.acme.co.uk")]
    assert len(groups(crosswalk(accounts=given, policy=policy))) == 1
    assert len(groups(crosswalk(accounts=given))) == 2


def test_a_lead_without_an_account_gets_the_one_its_domain_or_company_names():
    theirs = builders.accounts(
        account("001A", name="Acme Inc.", domain="acme.test", city="Ulm"),
        account("001B", name="Bolt Ltd"),
        account("001C", name="Core", city="Bonn"),
        account("001D", name="Core", city="Trier"),
    )
    leads = builders.people(
        lead("1", email="ann@mail.acme.test"),
        lead("2", company="Bolt"),
        lead("3", company="Core"),
        lead("4", company="Core", city="Trier"),
        lead("5", email="ann@gmail.com", company="Nobody's"),
    )
    found = with_accounts(leads, theirs, policy=POLICY, words=shipped_model().words)
    assert found["account_record_id"].fillna("").tolist() == ["001A", "001B", "", "001D", ""]


def test_a_deal_without_an_id_is_the_opportunity_of_its_account_name_amount_and_date():
    told = {"name": "Acme 2026", "amount": "100.00", "closed_on": "2026-03-01"}
    both = [company(domain="acme.test"), account(domain="acme.test")]
    deal = {
        "system": "hubspot",
        "kind": "deal",
        "record_id": "7",
        "account_record_id": "20",
        **told,
    }
    theirs = {"record_id": OPPORTUNITY, "account_record_id": "001000000000001AAA"} | told
    for change, rule in (
        ({"amount": "100"}, "account, name, amount and date"),
        ({"closed_on": "2026-03-05"}, "account, amount and date"),
        ({"closed_on": "2026-06-05"}, "only record"),
        ({"amount": "90", "closed_on": "2026-03-02"}, "only record"),
    ):
        found = crosswalk(accounts=both, deals=[deal, theirs | change])
        assert rule_of(found, "7") == rule


# Names

names = st.sampled_from(["Ann", "Anna", "A", "Bob", "Robert", None])
surnames = st.sampled_from(["Lee", "Kim", "Lee Jr", None])


def parts_of(one, other):
    return [
        plain_names(pd.Series([row[part]], dtype="str"))
        for row in (one, other)
        for part in ("first_name", "last_name")
    ]


def alike(one, other):
    return bool(are_alike(*parts_of(one, other))[0])


@given(names, surnames, names, surnames)
def test_likeness_of_names_has_no_direction(first, last, other_first, other_last):
    one = {"first_name": first, "last_name": last}
    other = {"first_name": other_first, "last_name": other_last}
    assert alike(one, other) == alike(other, one)
    assert alike(one, one)
