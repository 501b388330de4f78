"""What a person is asked first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.frames import Conflicts
from tests import builders
from transforms.review_queue import conflict_queue, match_queue


def ranked(*reviews, links=(), deals=(), deal_people=(), handoffs=()):
    return match_queue(
        builders.reviews(*reviews),
        builders.crosswalk(*links),
        builders.deals(*deals),
        builders.deal_people(*deal_people),
        builders.handoff_status(*handoffs),
    )


def pair(number, score=0.5, **changes):
    return {
        "review_id": f"m_{number}",
        "left_id": f"1{number}",
        "right_id": f"00Q{number}",
        "score": score,
    } | changes


def linked(record_id, entity_id, system="hubspot", kind="contact", entity="person"):
    return {
        "entity": entity, "entity_id": entity_id, "system": system, "kind": kind,
        "record_id": record_id,
    }  # fmt: skip


def deal(deal_id, minor, **changes):
    return {"deal_id": deal_id, "record_id": f"006{deal_id}", "company_minor": minor} | changes


def handoff(person_id, **changes):
    return {"handoff_id": f"{person_id}:1", "person_id": person_id} | changes


def test_where_nothing_is_at_stake_the_more_uncertain_goes_first():
    assert ranked(pair(1, 0.9), pair(2, 0.55), pair(3, 0.2))["id"].tolist() == ["m_2", "m_3", "m_1"]


def test_what_contradicts_a_stronger_link_is_open_however_sure_it_looks():
    sure = pair(1, 0.99, evidence="contradicts a stronger link: email equal")
    assert ranked(sure, pair(2, 0.6))["uncertainty"].tolist() == [1.0, pytest.approx(0.8)]


def test_money_goes_before_doubt_as_far_as_it_outweighs_it():
    found = ranked(
        pair(1, 0.5),
        pair(2, 0.75),
        links=[linked("11", "p1"), linked("12", "p2")],
        deals=[deal("d1", 100), deal("d2", 300)],
        deal_people=[
            {"deal_id": "d1", "person_id": "p1"},
            {"deal_id": "d2", "person_id": "p2"},
        ],
    )
    assert found["id"].tolist() == ["m_2", "m_1"]
    assert found["worth"].tolist() == [150.0, 100.0]


def test_a_deal_that_both_people_are_on_counts_once_and_a_lost_one_not():
    found = ranked(
        pair(1),
        links=[linked("11", "p1"), linked("00Q1", "p2", "salesforce", "lead")],
        deals=[deal("d1", 100), deal("d2", 70, state="lost")],
        deal_people=[
            {"deal_id": name, "person_id": person}
            for name in ("d1", "d2")
            for person in ("p1", "p2")
        ],
    )
    assert found["amount_minor"].tolist() == [100]


def test_companies_and_deals_are_worth_their_deals():
    found = ranked(
        pair(1, entity="account", left_kind="company", right_kind="account"),
        pair(2, entity="deal", left_kind="deal", right_kind="opportunity"),
        links=[
            linked("11", "a1", kind="company", entity="account"),
            linked("00Q2", "d2", "salesforce", "opportunity", "deal"),
        ],
        deals=[deal("d1", 100, account_id="a1"), deal("d2", 70)],
    ).set_index("id")
    assert found["amount_minor"].to_dict() == {"m_1": 100, "m_2": 70}


def test_an_untouched_handoff_counts_as_a_typical_deal_and_a_touched_one_not():
    found = ranked(
        pair(1),
        links=[linked("11", "p1"), linked("00Q1", "p2", "salesforce", "lead")],
        deals=[deal("d1", 100), deal("d2", 300), deal("d3", 200)],
        handoffs=[
            handoff("p1"),
            handoff("p2", status="late", touched_at="2026-03-03T14:00Z"),
            handoff("p3"),
        ],
    )
    assert found[["handoff_count", "amount_minor", "worth"]].to_numpy().tolist() == [[1, 0, 200.0]]


def test_a_review_that_ended_is_not_asked():
    assert ranked(pair(1, ended_at="2026-02-01T00:00Z")).empty


def test_conflicts_come_by_what_hangs_on_them():
    conflicts = builders.build(
        Conflicts,
        [
            {
                "conflict_id": f"c{number}", "entity": "person", "entity_id": f"p{number}",
                "field": "phone", "hubspot_kind": "contact", "hubspot_id": "1",
                "salesforce_kind": "lead", "salesforce_id": "2", "how": "both",
            }
            for number in (1, 2)
        ],
    )  # fmt: skip
    found = conflict_queue(
        conflicts,
        builders.deals(deal("d1", 100)),
        builders.deal_people({"deal_id": "d1", "person_id": "p2"}),
        builders.handoff_status(),
    )
    assert found["id"].tolist() == ["c2", "c1"]


scores = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=8)


@given(scores, st.randoms())
def test_the_order_of_rows_does_not_matter(found, random):
    rows = [pair(number, score) for number, score in enumerate(found)]
    before = ranked(*rows)
    random.shuffle(rows)
    assert ranked(*rows)["id"].tolist() == before["id"].tolist()
    assert before["uncertainty"].tolist() == pytest.approx(
        sorted(before["uncertainty"], reverse=True)
    )
