"""The outbox: decided writes are committed before they are sent and settled whatever happens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from agreement.errors import Busy
from agreement.frames import Writes, as_text
from agreement.records import Batch, Outcome, Record
from connectors.store import Store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
COLUMNS = ["system", "kind", "record_id", "field", "before", "after", "reason"]


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def writes(*rows: tuple[str, str, str | None], kind="contact", system="hubspot") -> pd.DataFrame:
    """Build a plan out of (record, field, after)."""
    full = [(system, kind, record, name, None, after, "why") for record, name, after in rows]
    columns = zip(*full, strict=True) if full else [[] for _ in COLUMNS]
    return Writes.validate(
        pd.DataFrame({n: as_text(list(v)) for n, v in zip(COLUMNS, columns, strict=True)})
    )


def plan(store: Store, run_id: str, *rows: tuple[str, str, str | None], minute=0) -> list:
    store.save_plan(run_id, writes(*rows), at=later(minute))
    return store.planned(run_id)


def accepted(*record_ids: str) -> list[Outcome]:
    return [Outcome(record_id, is_accepted=True) for record_id in record_ids]


def test_a_plan_puts_one_row_per_record_in_the_outbox_in_order(store):
    store.save_plan(
        "run-1",
        pd.concat(
            [
                writes(("2", "score", "5"), ("1", "score", "7"), ("1", "owner", None)),
                writes(("9", "Score__c", "1"), system="salesforce", kind="lead"),
                writes(("1", "name", "x"), kind="company"),
            ],
            ignore_index=True,
        ),
        at=NOON,
    )
    assert [(r.system, r.kind, r.record_id, dict(r.after)) for r in store.planned("run-1")] == [
        ("hubspot", "company", "1", {"name": "x"}),
        ("hubspot", "contact", "1", {"owner": None, "score": "7"}),
        ("hubspot", "contact", "2", {"score": "5"}),
        ("salesforce", "lead", "9", {"Score__c": "1"}),
    ]
    assert store.planned("run-2") == []


def test_a_plan_without_writes_is_stored_too(store):
    plan_id = store.save_plan("run-1", writes(), at=NOON)
    assert store.plan(plan_id) == []


def test_saving_the_same_plan_of_a_run_again_changes_nothing(store):
    first = store.save_plan("run-1", writes(("1", "score", "7"), ("2", "score", "5")), at=NOON)
    [one, two] = store.planned("run-1")
    store.mark_sent([one.key], at=NOON)
    again = store.save_plan("run-1", writes(("2", "score", "5"), ("1", "score", "7")), at=later(1))
    assert again == first
    assert store.planned("run-1") == [two]
    assert store.unsettled() == [one]


def test_another_run_may_plan_the_same_write_again(store):
    [row] = plan(store, "run-1", ("1", "score", "7"))
    store.mark_sent([row.key], at=NOON)
    store.settle([row], accepted("1"), at=NOON)
    [again] = plan(store, "run-2", ("1", "score", "7"))
    assert again.key != row.key


def test_a_confirmed_write_is_in_the_mirror_at_once(store):
    before = Record("1", {"score": "3", "city": "Bern"}, NOON)
    store.save_pull(
        "run-1", "hubspot", "contact", [Batch((before,))], until=NOON, is_full=True, seen_at=NOON
    )
    [row] = plan(store, "run-1", ("1", "score", "7"))
    store.mark_sent([row.key], at=NOON)
    assert store.settle([row], accepted("1"), at=NOON) == 1
    mirror = store.mirror("hubspot", "contact", ["score", "city"])
    assert mirror[["score", "city"]].to_numpy().tolist() == [["7", "Bern"]]
    assert mirror["created_at"].tolist() == [pd.Timestamp(NOON)]
    assert store.confirmed("run-1") == {("hubspot", "contact"): 1}
    assert store.planned("run-1") == store.unsettled() == []


def test_what_the_crm_made_of_a_value_is_what_the_mirror_holds(store):
    [row] = plan(store, "run-1", ("1", "score", "7.004"))
    outcome = Outcome("1", is_accepted=True, values={"score": "7", "other": "x"})
    store.settle([row], [outcome], at=NOON)
    mirror = store.mirror("hubspot", "contact", ["score", "other"])
    assert mirror["score"].tolist() == ["7"]
    assert mirror["other"].isna().all()


def test_a_written_deleted_record_stays_deleted(store):
    gone = Record("1", {"score": "3"}, is_deleted=True, merged_into="2")
    store.save_pull(
        "run-1", "hubspot", "contact", [Batch((gone,))], until=NOON, is_full=True, seen_at=NOON
    )
    [row] = plan(store, "run-1", ("1", "score", "7"))
    store.settle([row], accepted("1"), at=NOON)
    [seen] = store.mirror("hubspot", "contact", ["score"]).to_dict("records")
    assert (seen["score"], seen["is_deleted"], seen["merged_into"]) == ("7", True, "2")


def test_answers_are_matched_by_record_and_one_without_an_answer_stays_sent(store):
    rows = plan(store, "run-1", ("1", "score", "1"), ("2", "score", "2"), ("3", "score", "3"))
    store.mark_sent([row.key for row in rows], at=NOON)
    outcomes = [Outcome("3", is_accepted=False, reason="LOCKED: try later"), *accepted("1")]
    assert store.settle(rows, outcomes, at=NOON) == 1
    assert [row.record_id for row in store.unsettled()] == ["2"]
    assert store.unsettled("another run") == []
    assert store.refused("run-1") == 1
    assert store.mirror("hubspot", "contact", ["score"])["score"].tolist() == ["1"]


def refuse(store: Store, run_id: str, *rows, minute: int) -> None:
    for row in plan(store, run_id, *rows, minute=minute):
        store.settle([row], [Outcome(row.record_id, False, "INVALID: score")], at=later(minute))


def test_a_refused_write_is_not_sent_again_until_its_desired_values_change(store):
    refuse(store, "run-1", ("1", "score", "7"), minute=0)
    assert (
        plan(store, "run-2", ("1", "score", "7"), ("2", "score", "7"), minute=1)[0].record_id == "2"
    )
    assert store.refused("run-2") == 1
    assert plan(store, "run-3", ("1", "score", "7"), minute=2) == []
    assert len(plan(store, "run-4", ("1", "score", "8"), minute=3)) == 1


def test_a_refused_write_is_tried_again_when_another_was_taken_since(store):
    refuse(store, "run-1", ("1", "score", "7"), minute=0)
    [row] = plan(store, "run-2", ("1", "score", "8"), minute=1)
    store.settle([row], accepted("1"), at=later(1))
    assert len(plan(store, "run-3", ("1", "score", "7"), minute=2)) == 1


def test_a_refusal_says_why_also_in_the_runs_that_hold_it_back(store):
    refuse(store, "run-1", ("1", "score", "7"), minute=0)
    plan(store, "run-2", ("1", "score", "7"), minute=1)
    assert [(row.record_id, row.answer) for row in store.refusals("run-2")] == [
        ("1", "INVALID: score")
    ]


def test_what_was_never_sent_is_dropped_by_the_next_run(store):
    rows = plan(store, "run-1", ("1", "score", "1"), ("2", "score", "2"))
    store.mark_sent([rows[0].key], at=NOON)
    assert store.abandon_planned(at=NOON) == 1
    assert store.planned("run-1") == []
    assert store.unsettled() == [rows[0]]


def test_a_lost_answer_is_settled_by_what_the_record_holds(store):
    rows = plan(store, "run-1", ("1", "score", "1"), ("2", "score", "2"), ("3", "score", "3"))
    store.mark_sent([row.key for row in rows], at=NOON)
    found = [Record("2", {"score": None, "city": "Bern"}), Record("1", {"score": "1"})]
    assert store.settle_by_reading(rows, found, at=NOON) == 1
    assert store.confirmed("run-1") == {("hubspot", "contact"): 1}
    assert store.unsettled() == store.planned("run-1") == []
    mirror = store.mirror("hubspot", "contact", ["score"])
    assert mirror["record_id"].tolist() == ["1", "2"]
    assert mirror["score"].fillna("-").tolist() == ["1", "-"]


def test_a_lost_write_of_the_present_plan_waits_to_be_sent_again(store):
    rows = plan(store, "run-1", ("1", "score", "1"), ("2", "score", "2"))
    store.mark_sent([row.key for row in rows], at=NOON)
    found = [Record("1", {"score": "1"}), Record("2", {"score": None})]
    store.settle_by_reading(rows, found, at=NOON, is_sent_again=True)
    assert [row.record_id for row in store.planned("run-1")] == ["2"]


def test_a_lost_write_of_which_people_changed_a_field_since_had_arrived_all_the_same(store):
    rows = plan(store, "run-1", ("1", "score", "1"), ("1", "city", "Bern"))
    store.mark_sent([row.key for row in rows], at=NOON)
    store.settle_by_reading(rows, [Record("1", {"score": "1", "city": "Basel"})], at=NOON)
    [row] = store.written(run_id="run-1")
    assert (row.state, row.answer[-32:]) == ("confirmed", "values, the others changed since")


def test_a_shared_field_that_people_changed_meanwhile_is_not_sent_again(store):
    shared = {("hubspot", "contact", "score")}
    rows = (("1", "score", "1"), ("2", "score", "2"))
    store.save_plan("run-1", writes(*rows), at=NOON, shared=shared)
    sent = store.planned("run-1")
    store.mark_sent([row.key for row in sent], at=NOON)
    found = [Record("1", {"score": None}), Record("2", {"score": "typed"})]
    store.settle_by_reading(sent, found, at=NOON, is_sent_again=True)
    assert [row.record_id for row in store.planned("run-1")] == ["1"]


class Crash(Exception):
    """The process died here."""


@dataclass
class Vendor:
    """A CRM in a dict: what it holds, and how often each record was written."""

    holds: dict[str, str | None]
    refuses: frozenset[str] = frozenset()
    written: dict[str, int] = field(default_factory=dict)

    def update(self, rows: list) -> list[Outcome]:
        outcomes = []
        for row in rows:
            is_accepted = row.record_id not in self.refuses
            if is_accepted:
                self.holds[row.record_id] = row.after["score"]
                self.written[row.record_id] = self.written.get(row.record_id, 0) + 1
            outcomes.append(Outcome(row.record_id, is_accepted, "" if is_accepted else "INVALID"))
        return outcomes

    def records(self) -> list[Record]:
        return [Record(key, {"score": value}) for key, value in self.holds.items()]


def night(
    store: Store, vendor: Vendor, desired: Mapping[str, str], kind: str, run: int, steps: int
) -> None:
    """Run settle, pull, plan and deliver, and die after so many commits and requests."""
    ticks = count()

    def tick() -> None:
        if next(ticks) >= steps:
            raise Crash

    at, run_id = later(run), f"{kind}-{run}"
    store.abandon_planned(at=at)
    tick()
    store.settle_by_reading(store.unsettled(), vendor.records(), at=at)
    tick()
    store.save_pull(
        run_id, "hubspot", kind, [Batch(tuple(vendor.records()))],
        until=at, is_full=True, seen_at=at,
    )  # fmt: skip
    tick()
    held = store.mirror("hubspot", kind, ["score"]).set_index("record_id")["score"]
    changes = [(key, "score", value) for key, value in desired.items() if held[key] != value]
    store.save_plan(run_id, writes(*changes, kind=kind), at=at)
    tick()
    rows = store.planned(run_id)
    for batch in (rows[place : place + 2] for place in range(0, len(rows), 2)):
        store.mark_sent([row.key for row in batch], at=at)
        tick()
        outcomes = vendor.update(batch)
        tick()
        store.settle(batch, outcomes, at=at)
        tick()


kinds = (f"kind{number}" for number in count())
values = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["1", "2"]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    desired=values,
    refused=st.frozensets(st.sampled_from("abcde"), max_size=2),
    crashes=st.lists(st.integers(0, 14), max_size=3),
)
def test_a_crash_between_any_two_steps_ends_with_each_write_delivered_once(
    store, desired, refused, crashes
):
    vendor, kind = Vendor(dict.fromkeys(desired), refused), next(kinds)
    for run, steps in enumerate(crashes):
        try:
            night(store, vendor, desired, kind, run, steps)
        except Crash:
            continue
    night(store, vendor, desired, kind, 10, 1000)
    taken = set(desired) - refused
    assert vendor.holds == {key: desired[key] if key in taken else None for key in desired}
    assert vendor.written == dict.fromkeys(taken, 1)
    assert store.unsettled() == []
    confirmed = [store.confirmed(f"{kind}-{run}") for run in [*range(len(crashes)), 10]]
    assert sum(sum(counts.values()) for counts in confirmed) == len(taken)
    night(store, vendor, desired, kind, 11, 1000)
    assert vendor.written == dict.fromkeys(taken, 1)


def test_a_lost_lock_stops_before_anything_is_marked_as_sent(database_url):
    if database_url.startswith("sqlite"):
        pytest.skip("only the process's end frees SQLite's lock")
    store = Store.open(database_url)
    [row] = plan(store, "run-1", ("1", "score", "7"))
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with store.hold_lock(), engine.connect() as other:
        store.mark_sent([], at=NOON)
        other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND objid::bigint = hashtext(current_schema())::bigint & 4294967295"
            )
        )
        with pytest.raises(Busy, match="was cut"):
            store.mark_sent([row.key], at=NOON)
    assert store.planned("run-1") == [row]
    engine.dispose()
    store.close()
