"""Bases, conflicts and holds: kept as they were found, ended when they are over."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from agreement.frames import Bases, Conflicts, Holds, Writes, as_text
from agreement.records import Outcome
from tests import builders

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PAIR = {"hubspot_kind": "contact", "hubspot_id": "1", "salesforce_kind": "lead",
        "salesforce_id": "00Q1", "field": "phone"}  # fmt: skip


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def bases(hubspot, salesforce, **more):
    row = {**PAIR, "hubspot_base": hubspot, "salesforce_base": salesforce, "rule": "r", **more}
    return builders.build(Bases, [row])


def conflicts(*ids: str):
    more = {"entity": "person", "entity_id": "p1", "hubspot_value": "a", "how": "both changed"}
    rows = [{**PAIR, **more, "conflict_id": one} for one in ids]
    return builders.build(Conflicts, rows)


def holds(field: str, undone: str, run_id: str):
    place = {"system": "hubspot", "kind": "contact", "record_id": "1", "field": field}
    row = {**place, "undone": undone, "agreement": "default v1", "run_id": run_id}
    return builders.build(Holds, [row])


def test_a_base_is_written_once_replaced_and_ended_by_two_blanks(store):
    assert store.save_bases("r1", bases("a", "A"), at=NOON) == 1
    assert store.save_bases("r2", bases("a", "A"), at=NOON) == 0
    assert store.save_bases("r3", bases("b", None), at=NOON) == 1
    [kept] = store.bases().to_dict("records")
    assert kept["hubspot_base"] == "b"
    assert pd.isna(kept["salesforce_base"])
    assert store.save_bases("r4", bases(None, None), at=NOON) == 1
    assert store.bases().empty


def test_pairs_that_are_not_named_keep_their_base(store):
    store.save_bases("r1", bases("a", "A"), at=NOON)
    store.save_bases("r2", bases("x", "X", field="job_title"), at=NOON)
    assert store.bases()["field"].tolist() == ["job_title", "phone"]


def test_a_base_of_another_rule_stands_beside_it(store):
    store.save_bases("r1", bases("a", "A"), at=NOON)
    store.save_bases("r2", bases("b", "B", rule="draft"), at=NOON)
    assert store.bases().set_index("rule")["hubspot_base"].to_dict() == {"r": "a", "draft": "b"}


def test_a_conflict_that_is_not_found_again_ends_and_may_come_back(store):
    store.save_conflicts("r1", conflicts("c1", "c2"), at=NOON)
    store.save_conflicts("r2", conflicts("c2"), at=later(1))
    assert store.open_conflicts()["conflict_id"].tolist() == ["c2"]
    store.save_conflicts("r3", conflicts("c1", "c2"), at=later(2))
    assert sorted(store.open_conflicts()["conflict_id"]) == ["c1", "c2"]


def test_a_decision_is_kept_with_the_values_it_was_about_and_needs_an_open_conflict(store):
    store.save_conflicts("r1", conflicts("c1"), at=NOON)
    assert store.decide_conflict("c1", "salesforce", by="ops", at=NOON)
    assert not store.decide_conflict("c9", "salesforce", by="ops", at=NOON)
    [row] = store.decisions().to_dict("records")
    assert (row["hubspot_value"], row["decision"]) == ("a", "salesforce")


def test_the_latest_hold_of_a_field_stands_alone(store):
    for run_id, undone in (("u1", "x"), ("u2", "y")):
        plan = Writes.validate(
            pd.DataFrame({name: as_text([]) for name in Writes.to_schema().columns})
        )
        store.save_plan(run_id, plan, at=NOON, holds=holds("phone", undone, run_id))
    assert store.holds()["undone"].tolist() == ["y"]


@pytest.mark.parametrize(("run_id", "left"), [("u1", 0), ("another", 1), (None, 0)])
def test_holds_are_released_by_the_undo_that_made_them_or_all(store, run_id, left):
    plan = Writes.validate(pd.DataFrame({n: as_text([]) for n in Writes.to_schema().columns}))
    store.save_plan("u1", plan, at=NOON, holds=holds("phone", "x", "u1"))
    assert store.release_holds(run_id, by="test", at=later(1)) == 1 - left
    assert len(store.holds()) == left


def one_write(field: str, record: str = "1") -> dict:
    return {"system": "hubspot", "kind": "contact", "record_id": record, "field": field,
            "before": "old", "after": "new", "reason": "why"}  # fmt: skip


def test_shared_and_own_fields_of_a_record_are_two_writes_and_one_record(store):
    plan = builders.build(Writes, [one_write("phone"), one_write("tandem_x")])
    store.save_plan("r1", plan, at=NOON, shared={("hubspot", "contact", "phone")})
    rows = store.planned("r1")
    assert [(row.is_shared, dict(row.after)) for row in rows] == [
        (False, {"tandem_x": "new"}),
        (True, {"phone": "new"}),
    ]
    for row in rows:
        store.settle([row], [Outcome("1", is_accepted=True)], at=NOON)
    assert store.confirmed("r1") == {("hubspot", "contact"): 1}


def test_a_stored_plan_waits_through_the_run_that_applies_it_and_no_other(store):
    plan = builders.build(Writes, [one_write("phone")])
    plan_id = store.save_plan("r1", plan, at=NOON, notes={"guards": ["g"]})
    assert store.abandon_planned(at=NOON, but_plan=plan_id) == 0
    assert store.take_over(plan_id, "r2") == 1
    assert [row.run_id for row in store.planned("r2")] == ["r2"]
    assert store.find_plan(plan_id).notes == {"guards": ["g"]}
    assert store.abandon_planned(at=NOON) == 1
    assert store.planned("r2") == []
    assert store.find_plan("nothing") is None


def test_what_moved_is_stale_with_the_reason_and_is_not_sent(store):
    plan_id = store.save_plan("r1", builders.build(Writes, [one_write("phone")]), at=NOON)
    [row] = store.planned("r1")
    store.mark_stale([row.key], "moved", at=NOON)
    assert store.planned("r1") == []
    [written] = store.written(plan_id=plan_id)
    assert (written.state, written.answer) == ("stale", "moved")
    assert dict(written.before) == {"phone": "old"}


def test_our_own_writes_to_shared_fields_are_remembered_with_their_times(store):
    plan = builders.build(Writes, [one_write("phone")])
    place = ("hubspot", "contact", "phone")
    store.save_plan("r1", plan, at=NOON, shared={place})
    [row] = store.planned("r1")
    assert store.own_writes({place[:2]: {"phone"}}).empty
    store.mark_sent([row.key], at=later(1))
    store.settle([row], [Outcome("1", is_accepted=True)], at=later(2))
    [ours] = store.own_writes({place[:2]: {"phone"}}).to_dict("records")
    assert (ours["value"], ours["sent_at"], ours["answered_at"]) == ("new", later(1), later(2))
    assert store.own_writes({place[:2]: {"other"}}).empty
