"""Links from night to night: what a decision, a merge and its absence leave of them."""

from datetime import UTC, datetime

import pandas as pd

from agreement.frames import Crosswalk, MatchDecisions, empty
from agreement.pairs import COLUMNS as PAIR
from agreement.pairs import ordered
from agreement.policy import load_agreement
from flows.calc_match import shipped_model
from tests import builders
from transforms.identity import Reconciled, reconcile

NIGHT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
NEXT_NIGHT = datetime(2026, 3, 3, 9, 15, tzinfo=UTC)
POLICY = load_agreement().identity
LEAD, OTHER_LEAD = "00Q000000000001EAA", "00Q000000000002EAA"


def contact(record_id, **fields):
    return {"record_id": record_id, "first_name": "Ann", "last_name": "Lee"} | fields


def lead(record_id=LEAD, **fields):
    return contact(record_id, system="salesforce", kind="lead") | fields


def pinned(one, other):
    left, right = ordered(one, other)
    return {
        "decision_id": "d_1",
        "entity": "person",
        **dict(zip(PAIR, (*left, *right), strict=True)),
        "decision": "pin",
        "decided_by": "kim",
        "decided_at": NIGHT,
    }


PIN = pinned(("hubspot", "contact", "1"), ("salesforce", "lead", LEAD))


def night(*people, previous=None, merged=None, decisions=()) -> Reconciled:
    """Reconcile; `merged` names the survivor of each merged-away HubSpot contact or lead."""
    gone = [
        {
            **dict(zip(("system", "kind"), kind_of(survivor), strict=True)),
            "record_id": record,
            "survivor_id": survivor,
        }
        for record, survivor in (merged or {}).items()
    ]
    return reconcile(
        builders.people(*people),
        builders.aliases(*gone),
        builders.accounts(),
        builders.deal_records(),
        policy=POLICY,
        model=shipped_model(),
        decisions=builders.build(MatchDecisions, decisions),
        previous=empty(Crosswalk) if previous is None else previous.crosswalk,
        now=NIGHT if previous is None else NEXT_NIGHT,
    )


def kind_of(record_id):
    return ("salesforce", "lead") if record_id.startswith("00Q") else ("hubspot", "contact")


def groups(found: Reconciled) -> set[frozenset[str]]:
    return {frozenset(rows) for _, rows in found.crosswalk.groupby("entity_id")["record_id"]}


# Decisions


def test_a_kept_link_stays_beside_a_pin_on_one_of_its_records():
    one, other = contact("1", email="ann@x.test"), contact("2", email="ann@x.test")
    linked = night(one, other, lead())
    pinned = night(contact("1"), other, lead(), previous=linked, decisions=[PIN])
    assert groups(pinned) == {frozenset({"1", "2", LEAD})}
    later = night(contact("1"), other, lead(), previous=pinned, decisions=[PIN])
    pd.testing.assert_frame_equal(later.crosswalk, pinned.crosswalk)


def test_a_pin_that_is_taken_back_parts_what_it_alone_had_joined():
    people = (
        contact("1", email="ann@x.test"),
        contact("2", email="ann@x.test"),
        lead(LEAD, email="lee@y.test", first_name="Bob"),
        lead(OTHER_LEAD, email="lee@y.test", first_name="Bob"),
    )
    pinned = night(*people, decisions=[PIN])
    assert len(groups(pinned)) == 1
    parted = night(*people, previous=pinned)
    assert groups(parted) == {frozenset({"1", "2"}), frozenset({LEAD, OTHER_LEAD})}
    assert parted.crosswalk["decided_by"].isna().all()


def test_nobody_is_named_for_a_link_once_the_decision_is_taken_back():
    records = (contact("1"), contact("2", partner_id=OTHER_LEAD), lead(), lead(OTHER_LEAD))
    joined = night(*({**record, "email": "ann@x.test"} for record in records))
    pinned = night(*records, previous=joined, decisions=[PIN])
    assert groups(pinned) == {frozenset({"1", "2", LEAD, OTHER_LEAD})}
    assert night(*records, previous=pinned).crosswalk["decided_by"].isna().all()


# Merges


def test_a_person_keeps_the_id_when_hubspot_merges_the_only_record_into_a_new_one():
    before = night(contact("1"), contact("2", first_name="Eve"))
    after = night(contact("900"), previous=before, merged={"1": "900", "2": "900"})
    assert after.crosswalk["entity_id"].isin(before.crosswalk["entity_id"]).all()


def test_a_kept_link_follows_its_record_into_the_survivor_of_a_merge():
    before = night(contact("1", email="a@x.test"), lead(email="a@x.test"))
    people = (contact("900", email="new@x.test"), lead(email="a@x.test"))
    after = night(*people, previous=before, merged={"1": "900"})
    assert groups(after) == {frozenset({"900", LEAD})}


def test_a_link_that_a_merge_carries_along_never_displaces_the_survivor_s_own():
    before = night(
        contact("1", email="a@x.test"),
        lead(LEAD, email="a@x.test"),
        contact("2", email="eve@y.test", first_name="Eve", last_name="Stone"),
        lead(OTHER_LEAD, email="eve@y.test", first_name="Eve", last_name="Stone"),
    )
    people = (
        contact("1", email="a@x.test"),
        contact("2", email="eve@y.test", first_name="Eve", last_name="Stone"),
        lead(OTHER_LEAD, email="eve@y.test", first_name="Eve", last_name="Stone"),
    )
    after = night(*people, previous=before, merged={LEAD: OTHER_LEAD})
    assert groups(after) == {frozenset({"1"}), frozenset({"2", OTHER_LEAD})}
    assert after.reviews[["left_id", "right_id"]].to_numpy().tolist() == [["1", OTHER_LEAD]]


# Systems


def test_a_name_without_a_first_part_joins_the_same_records_whichever_system_they_are_in():
    here = {"email": "a@x.test"}
    one = night(
        contact("1", **here), contact("2", first_name=None, **here), lead(first_name=None, **here)
    )
    other = night(
        lead(LEAD, **here),
        lead(OTHER_LEAD, first_name=None, **here),
        contact("1", first_name=None, **here),
    )
    assert (len(groups(one)), len(groups(other))) == (1, 1)


def test_a_merge_that_is_undone_leaves_everybody_with_the_records_of_before():
    eve = {"email": "eve@y.test", "first_name": "Eve", "last_name": "Stone"}
    ann = contact("1", email="a@x.test"), lead(LEAD, email="a@x.test")
    others = contact("2", **eve), lead(OTHER_LEAD, **eve)
    before = night(*ann, *others)
    merged = night(ann[0], *others, previous=before, merged={LEAD: OTHER_LEAD})
    parted = night(*ann, *others, previous=merged)
    names = ["entity_id", "record_id"]
    pd.testing.assert_frame_equal(parted.crosswalk[names], before.crosswalk[names])
    assert parted.reviews.empty


def test_a_link_that_a_merge_had_carried_along_goes_back_when_the_merge_is_undone():
    ann = contact("1", email="a@x.test"), lead(LEAD, email="a@x.test")
    stranger = lead(OTHER_LEAD, email="eve@y.test", first_name="Eve", last_name="Stone")
    before = night(*ann, stranger)
    merged = night(ann[0], stranger, previous=before, merged={LEAD: OTHER_LEAD})
    assert groups(merged) == {frozenset({"1", OTHER_LEAD})}
    parted = night(*ann, stranger, previous=merged)
    assert groups(parted) == {frozenset({"1", LEAD}), frozenset({OTHER_LEAD})}
