"""Of several HubSpot deals one carries the amounts; people say what the others are."""

from datetime import UTC, datetime

import pytest

from agreement.frames import Accounts, Crosswalk, MatchDecisions, empty
from agreement.pairs import COLUMNS as PAIR
from agreement.pairs import ordered, pair_id
from agreement.policy import load_agreement
from flows.calc_match import shipped_model
from tests import builders
from transforms.identity import links as linking
from transforms.identity import reconcile
from transforms.identity.deals import spare_deals
from transforms.identity.decisions import decided

NIGHTS = [datetime(2026, 3, day, 9, 15, tzinfo=UTC) for day in (2, 3, 4)]
# What a person says of each opportunity's further deals; `twins` are two deals said to be one.
SAID = {"accept": 1, "pin": 1, "reject": 1, "forbid": 1, "twins": 1, "nothing": 1, "three": 2}
OPPORTUNITY = {name: f"00600000000000{place}AAA" for place, name in enumerate(SAID, start=1)}


def opportunity(name):
    return {"record_id": OPPORTUNITY[name], "name": f"Renewal {name}", "amount": "500"}


def deal(name, place, **fields):
    """Build the deal that was made on this day; the first is the eldest."""
    return {
        "system": "hubspot",
        "kind": "deal",
        "record_id": f"{name}-{place}",
        "partner_id": OPPORTUNITY[name],
        "name": f"Renewal {name}",
        "amount": "500" if place == 1 else "700",
        "created_at": f"2026-01-0{place}T00:00Z",
    } | fields


def place_of(record):
    is_deal = record.get("system") == "hubspot"
    side = ("hubspot", "deal") if is_deal else ("salesforce", "opportunity")
    return (*side, record["record_id"])


def word(decision, one, other):
    left, right = ordered(place_of(one), place_of(other))
    return {
        "decision_id": f"d_{one['record_id']}",
        "entity": "deal",
        **dict(zip(PAIR, (*left, *right), strict=True)),
        "decision": decision,
        "decided_by": "kim",
        "decided_at": NIGHTS[0],
    }


WORDS = [
    *(word(said, deal(said, 2), opportunity(said)) for said in ("accept", "pin", "forbid")),
    word("accept", deal("twins", 1), deal("twins", 2)),
]


def night(records, decisions=(), previous=None, now=NIGHTS[0]):
    """Give what a night links, and the deals that it asks about: record id -> row."""
    deals, aliases = builders.deal_records(*records), builders.aliases()
    given = builders.build(MatchDecisions, decisions)
    found = reconcile(
        builders.people(), aliases, empty(Accounts), deals,
        policy=load_agreement().identity, model=shipped_model(), decisions=given,
        previous=empty(Crosswalk) if previous is None else previous, now=now,
    )  # fmt: skip
    nodes = linking.nodes(deals)
    said = decided("deal", nodes, aliases, given)
    asked = spare_deals(nodes, found.crosswalk.iloc[:0], found.crosswalk, said, now)
    return found.crosswalk, asked.set_index("left_id")


@pytest.fixture(scope="module")
def nights():
    """Run three nights: nobody was asked yet; then with answers; then one deal says more."""
    records = [opportunity(name) for name in SAID]
    records += [deal(name, place) for name, more in SAID.items() for place in range(1, more + 2)]
    first = night(records)
    rejected = word("reject", deal("reject", 2), opportunity("reject"))
    rejected["keys"] = first[1].loc["reject-2", "keys"]
    words = [*WORDS, rejected]
    second = night(records, words, first[0], NIGHTS[1])
    later = [
        row | {"amount": "900"} if row["record_id"] in {"reject-2", "forbid-2"} else row
        for row in records
    ]
    return first, second, night(later, words, second[0], NIGHTS[2])


def together(links, name):
    """Give the deals that stand on an opportunity, and which of them carries the amounts."""
    entity_id = links.set_index("record_id")["entity_id"][OPPORTUNITY[name]]
    deals = links[(links["entity_id"] == entity_id) & (links["system"] == "hubspot")]
    return set(deals["record_id"]), deals.loc[deals["is_survivor"], "record_id"].item()


def test_all_but_the_deal_that_carries_the_amounts_are_asked_about_with_their_opportunity(nights):
    links, asked = nights[0]
    assert set(asked.index) == {f"{name}-2" for name in SAID} | {"three-3"}
    row = asked.loc["nothing-2"]
    sides = ("hubspot", "deal", "nothing-2"), ("salesforce", "opportunity", OPPORTUNITY["nothing"])
    assert row["review_id"] == pair_id("deal", *sides)
    assert together(links, "nothing") == ({"nothing-1", "nothing-2"}, "nothing-1")


def test_a_further_deal_is_asked_about_with_the_reason_and_no_value(nights):
    _, asked = nights[0]
    assert asked.loc["nothing-2", "evidence"] == (
        "one of 2 deals on this opportunity; hubspot/deal/nothing-1 carries the amounts;"
        " name equal; amount different"
    )


def test_each_of_several_deals_is_as_likely_to_be_the_opportunitys(nights):
    _, asked = nights[0]
    assert asked["score"][["nothing-2", "three-2", "three-3"]].tolist() == pytest.approx(
        [1 / 2, 1 / 3, 1 / 3]
    )


@pytest.mark.parametrize("said", ["accept", "pin", "twins"])
def test_a_further_deal_that_a_person_wants_there_stays_and_is_asked_about_no_more(nights, said):
    for links, asked in nights[1:]:
        assert together(links, said) == ({f"{said}-1", f"{said}-2"}, f"{said}-1")
        assert f"{said}-2" not in asked.index


@pytest.mark.parametrize("said", ["reject", "forbid"])
def test_a_person_takes_a_further_deal_off_whatever_id_stands_on_it(nights, said):
    links, asked = nights[1]
    assert together(links, said) == ({f"{said}-1"}, f"{said}-1")
    assert f"{said}-2" not in asked.index


def test_a_rejected_deal_is_asked_about_again_when_it_says_more_and_a_forbidden_one_never(nights):
    links, asked = nights[2]
    assert together(links, "reject") == ({"reject-1", "reject-2"}, "reject-1")
    assert together(links, "forbid") == ({"forbid-1"}, "forbid-1")
    assert set(asked.index) == {"reject-2", "nothing-2", "three-2", "three-3"}


def test_deals_without_an_opportunity_are_no_question():
    alone = [deal("nothing", place, partner_id=None) for place in (1, 2)]
    links, asked = night(alone, [word("pin", *alone)])
    assert links["entity_id"].nunique() == 1
    assert asked.empty
