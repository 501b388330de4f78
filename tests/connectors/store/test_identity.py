"""People's decisions on matches, pairs that wait, and the crosswalk as it was."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy.exc import IntegrityError

from agreement.frames import Crosswalk, Reviews
from agreement.pairs import pair_id
from connectors.store import Decided
from tests import builders

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
ONE, OTHER = ("hubspot", "contact", "1"), ("salesforce", "lead", "00Q1")
THIRD = ("salesforce", "lead", "00Q2")


def review(one=ONE, other=OTHER, **fields):
    return {
        "review_id": pair_id("person", one, other),
        "entity": "person",
        "left_system": one[0],
        "left_kind": one[1],
        "left_id": one[2],
        "right_system": other[0],
        "right_kind": other[1],
        "right_id": other[2],
        "score": 0.5,
        "rule": "e-mail",
        "evidence": "email equal",
        "keys": "k1",
        "found_at": NOON,
    } | fields


def reviews(*rows):
    return builders.build(Reviews, rows)


def test_a_decision_comes_back_whichever_record_was_named_first(store):
    store.decide_match("person", OTHER, ONE, "pin", by="kim", at=NOON)
    row = store.match_decisions().iloc[0]
    assert (row["left_id"], row["right_id"], row["decision"]) == ("1", "00Q1", "pin")
    assert (row["decided_by"], row["decided_at"]) == ("kim", NOON)


def test_a_later_decision_ends_the_earlier_one_and_both_are_kept(store):
    store.decide_match("person", ONE, OTHER, "accept", by="kim", at=NOON)
    store.decide_match("person", OTHER, ONE, "forbid", by="lou", at=LATER)
    assert store.match_decisions()["decision"].tolist() == ["forbid"]
    every = store.match_decisions(is_standing=False)
    assert every["decision"].tolist() == ["accept", "forbid"]
    assert every["ended_at"].isna().tolist() == [False, True]


def test_of_several_decisions_all_or_none_are_noted(store):
    rows = [Decided("person", ONE, OTHER, "pin"), Decided("person", ONE, THIRD, "perhaps")]
    with pytest.raises(IntegrityError):
        store.decide_matches(rows, by="kim", at=NOON)
    assert store.match_decisions().empty


def test_what_is_taken_back_stands_no_more(store):
    store.decide_match("person", ONE, OTHER, "pin", by="kim", at=NOON)
    pair = pair_id("person", OTHER, ONE)
    assert store.end_match_decisions([pair], by="kim", at=LATER) == 1
    assert store.end_match_decisions([pair], by="kim", at=LATER) == 0
    assert store.match_decisions().empty


def test_a_decision_remembers_what_the_pair_was_told_by_when_it_was_asked(store):
    store.decide_match("person", ONE, THIRD, "reject", by="kim", at=NOON)
    store.save_reviews("run-1", reviews(review()), at=NOON)
    store.decide_match("person", ONE, OTHER, "reject", by="kim", at=LATER)
    assert store.match_decisions()["keys"].fillna("").tolist() == ["", "k1"]


def test_a_pair_waits_from_the_night_that_first_asked_until_it_needs_no_answer(store):
    store.save_reviews("run-1", reviews(review(), review(other=THIRD)), at=NOON)
    store.save_reviews("run-2", reviews(review(score=0.6, found_at=LATER)), at=LATER)
    waiting = store.reviews()
    assert waiting[["right_id", "score"]].to_numpy().tolist() == [["00Q1", 0.6]]
    assert waiting["found_at"].tolist() == [NOON]
    assert store.reviews(is_open=False)["ended_at"].notna().sum() == 1
    store.save_reviews("run-3", reviews(review(other=THIRD, found_at=LATER)), at=LATER)
    assert store.reviews()[["right_id", "found_at"]].to_numpy().tolist() == [["00Q2", LATER]]


def test_the_crosswalk_can_be_read_as_it_was(store):
    first = builders.crosswalk(
        {"entity_id": "p1", "record_id": "1"}, {"entity_id": "p2", "record_id": "2"}
    )
    joined = first.assign(entity_id="p1").astype({"entity_id": "str"})
    store.save_crosswalk("run-1", first, at=NOON)
    store.save_crosswalk("run-2", Crosswalk.validate(joined), at=LATER)
    pd.testing.assert_frame_equal(store.crosswalk(at=NOON), first)
    pd.testing.assert_frame_equal(store.crosswalk(at=LATER), joined)
    pd.testing.assert_frame_equal(store.crosswalk(), joined)
    assert store.crosswalk(at=NOON - timedelta(seconds=1)).empty
