"""The outbox: every decided write, committed before it is sent, until its answer is known.

planned -> sent -> confirmed    the CRM took it
                -> refused      the CRM refused it; kept with its reason, not sent again
                -> stale        its answer was lost and the record shows something else, or it met
                                something passing, such as a lock
planned -> stale                never sent: a later plan decided anew, or what it saw has changed
planned as refused              the same values were refused before and nothing changed since
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, bindparam, exists, func, select, update

from agreement.frames import DataFrame, Writes
from agreement.records import Outcome, Record
from connectors.store.columns import json_text
from connectors.store.mirror import Merger, State, grow_mirror, load_mirror
from connectors.store.rows import chunks, insert_new, rows_of
from connectors.store.tables import outbox, plan

_CHUNK = 500
_PLAN_ID_LENGTH = 12
_OVERTAKEN = "never sent; a later plan decides anew"

Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One decided write: the fields of one record, what they held, what they are to hold.

    `is_shared`: people keep these fields too, so that what they held must still be there. Fields of
    our own and shared ones of a record are two writes, delivered one after the other.
    """

    key: str
    run_id: str
    system: str
    kind: str
    record_id: str
    before: Values
    after: Values
    is_shared: bool = False


_COLUMNS = [outbox.c[name] for name in OutboxRow.__dataclass_fields__]


def save_plan(
    connection: Connection,
    run_id: str,
    writes: DataFrame[Writes],
    at: datetime,
    shared: Collection[tuple[str, str, str]] = (),
    notes: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """Store a run's plan and put its writes in the outbox; give the plan's id.

    The id derives from the run and the content: saving the same plan of the same run again changes
    nothing. `shared` names the fields (system, kind, field) that people keep too.
    """
    records = list(_records(writes, frozenset(shared)))
    content_hash = _hash(records)
    plan_id = _hash([run_id, content_hash])[:_PLAN_ID_LENGTH]
    connection.execute(
        insert_new(connection, plan),
        {
            "plan_id": plan_id,
            "run_id": run_id,
            "content_hash": content_hash,
            "planned_at": at,
            "record_count": len(records),
            "field_count": len(writes),
            "notes": dict(notes),
        },
    )
    held = _held_back(connection)
    rows = [_row(plan_id, run_id, record, held, at) for record in records]
    if rows:
        connection.execute(insert_new(connection, outbox), rows)
    return plan_id


def _records(
    writes: pd.DataFrame, shared: Collection[tuple[str, str, str]]
) -> Iterator[dict[str, Any]]:
    """Gather a plan's rows per record, our own fields before shared ones.

    In order of system, object and record.
    """
    columns = ["system", "kind", "record_id", "field", "before", "after", "reason"]
    is_shared = [
        place in shared
        for place in zip(writes["system"], writes["kind"], writes["field"], strict=True)
    ]
    ordered = writes[columns].assign(is_shared=is_shared)
    keys = ["system", "kind", "record_id", "is_shared"]
    for (system, kind, record_id, is_theirs), rows in groupby(
        rows_of(ordered.sort_values([*keys, "field"])), key=itemgetter(*keys)
    ):
        fields = list(rows)
        yield {
            "system": system,
            "kind": kind,
            "record_id": record_id,
            "is_shared": bool(is_theirs),
            **{
                name: {row["field"]: row[name] for row in fields}
                for name in ("before", "after", "reason")
            },
        }


def _row(
    plan_id: str, run_id: str, record: dict[str, Any], held: Mapping[str, str], at: datetime
) -> dict[str, Any]:
    desired = [record[name] for name in ("system", "kind", "record_id", "after")]
    desired_hash = _hash(desired)
    is_held = desired_hash in held
    return {
        **record,
        "key": _hash([plan_id, *desired]),
        "plan_id": plan_id,
        "run_id": run_id,
        "desired_hash": desired_hash,
        "state": "refused" if is_held else "planned",
        "answer": held.get(desired_hash, ""),
        "answered_at": at if is_held else None,
    }


def _hash(content: Any) -> str:
    return hashlib.sha256(json_text(content).encode()).hexdigest()


def _held_back(connection: Connection) -> dict[str, str]:
    """Give the values that a CRM refused, with its reason, while it took no others since."""
    later = outbox.alias()
    is_taken_since = exists().where(
        later.c.system == outbox.c.system,
        later.c.kind == outbox.c.kind,
        later.c.record_id == outbox.c.record_id,
        later.c.state == "confirmed",
        later.c.answered_at > outbox.c.answered_at,
    )
    found = connection.execute(
        select(outbox.c.desired_hash, outbox.c.answer)
        .where(outbox.c.state == "refused", ~is_taken_since)
        .order_by(outbox.c.answered_at, outbox.c.key)
    )
    return {row.desired_hash: row.answer for row in found}


def read_plan(connection: Connection, plan_id: str) -> list[OutboxRow]:
    """List a plan's writes, whatever became of them, by system, object and record."""
    return _rows(connection, _ordered().where(outbox.c.plan_id == plan_id))


def planned(connection: Connection, run_id: str) -> list[OutboxRow]:
    """List a run's writes that wait to be sent, by system, object and record."""
    return _rows(
        connection, _ordered().where(outbox.c.run_id == run_id, outbox.c.state == "planned")
    )


def unsettled(connection: Connection, run_id: str | None = None) -> list[OutboxRow]:
    """List writes that were sent and whose answer is not known, of one run or of all."""
    query = _ordered().where(outbox.c.state == "sent")
    return _rows(connection, query.where(outbox.c.run_id == run_id) if run_id else query)


def _ordered() -> Select[Any]:
    return select(*_COLUMNS).order_by(
        outbox.c.system, outbox.c.kind, outbox.c.is_shared, outbox.c.record_id
    )


def _rows(connection: Connection, query: Select[Any]) -> list[OutboxRow]:
    return [OutboxRow(*row) for row in connection.execute(query)]


def abandon_planned(connection: Connection, at: datetime, but_plan: str | None) -> int:
    """Drop writes that were planned and never sent, but those of one plan; give their number."""
    query = update(outbox).where(outbox.c.state == "planned")
    if but_plan:
        query = query.where(outbox.c.plan_id != but_plan)
    return connection.execute(
        query.values(state="stale", answer=_OVERTAKEN, answered_at=at)
    ).rowcount


def take_over(connection: Connection, plan_id: str, run_id: str) -> int:
    """Make a stored plan's waiting writes this run's; give their number."""
    return connection.execute(
        update(outbox)
        .where(outbox.c.plan_id == plan_id, outbox.c.state == "planned")
        .values(run_id=run_id)
    ).rowcount


def mark_stale(connection: Connection, keys: Sequence[str], why: str, at: datetime) -> None:
    """Say that writes are not sent, since what they would overwrite is something else by now."""
    _answer(connection, [(key, "stale", why) for key in keys], at)


def mark_sent(connection: Connection, keys: Sequence[str], at: datetime) -> None:
    """Say that writes are about to be sent: their answer counts as lost until it is known."""
    for some in chunks(keys, _CHUNK):
        connection.execute(
            update(outbox).where(outbox.c.key.in_(some)).values(state="sent", sent_at=at)
        )


def settle(
    connection: Connection, rows: Sequence[OutboxRow], outcomes: Sequence[Outcome], at: datetime
) -> int:
    """Note what a CRM answered, matched by record id; give how many it took.

    What it took is in the mirror at once. A row without an outcome stays as sent. One that only met
    something passing is dropped, for a later plan to decide anew: refused, it would be held back.
    """
    by_record = {outcome.record_id: outcome for outcome in outcomes}
    answered = [(row, by_record[row.record_id]) for row in rows if row.record_id in by_record]
    taken = [(row, outcome) for row, outcome in answered if outcome.is_accepted]
    answers = [(row.key, _state_after(outcome), outcome.reason) for row, outcome in answered]
    _answer(connection, answers, at)
    _mirror(connection, [(row, _taken_state(row, outcome)) for row, outcome in taken], at)
    return len(taken)


def _state_after(outcome: Outcome) -> str:
    if outcome.is_accepted:
        return "confirmed"
    return "stale" if outcome.is_passing else "refused"


def _taken_state(row: OutboxRow, outcome: Outcome) -> State:
    """Give what the record holds now: what was sent, or what the CRM says it made of it."""
    answered = _only(outcome.values, row.after)
    return State(row.record_id, {**row.after, **answered}, modified_at=outcome.modified_at)


def _only(values: Values, fields: Iterable[str]) -> Values:
    return {field: values[field] for field in fields if field in values}


def settle_by_reading(
    connection: Connection,
    rows: Sequence[OutboxRow],
    found: Iterable[Record],
    at: datetime,
    *,
    is_sent_again: bool,
) -> int:
    """Settle lost answers by what the records hold; give how many had arrived.

    A write that did not arrive becomes stale, or waits to be sent again when its plan is still the
    present one; not where people changed the field meanwhile. What was found is in the mirror.
    """
    held = {record.record_id: record.values for record in found}  # noqa: PD011
    answers = [(row.key, *_verdict(row, held.get(row.record_id), is_sent_again)) for row in rows]
    states = [
        (row, State(row.record_id, _only(held[row.record_id], row.after)))
        for row in rows
        if row.record_id in held
    ]
    _answer(connection, answers, at)
    _mirror(connection, states, at)
    return sum(state == "confirmed" for _, state, _ in answers)


def _verdict(row: OutboxRow, held: Values | None, is_sent_again: bool) -> tuple[str, str]:
    """Judge by each value alone: a write arrives whole, and people may have changed some since."""
    lost = "the answer was lost; the record was read and"
    if held is None:
        return "stale", "the answer was lost, and the record is gone"
    there = [field for field, value in row.after.items() if held.get(field) == value]
    if len(there) == len(row.after):
        return "confirmed", f"{lost} holds the values"
    if there:
        return "confirmed", f"{lost} holds some of the values, the others changed since"
    is_as_seen = all(held.get(field) == value for field, value in row.before.items())
    state = "planned" if is_sent_again and (is_as_seen or not row.is_shared) else "stale"
    return state, f"{lost} lacks the values"


def _answer(connection: Connection, answers: Sequence[tuple[str, str, str]], at: datetime) -> None:
    if not answers:
        return
    connection.execute(
        update(outbox)
        .where(outbox.c.key == bindparam("of_key"))
        .values(state=bindparam("to_state"), answer=bindparam("with_answer"), answered_at=at),
        [
            {"of_key": key, "to_state": state, "with_answer": answer}
            for key, state, answer in answers
        ],
    )


def _mirror(
    connection: Connection, states: Sequence[tuple[OutboxRow, State]], at: datetime
) -> None:
    for (run_id, system, kind), pairs in groupby(sorted(states, key=_of_object), key=_of_object):
        some = [state for _, state in pairs]
        fields = sorted({field for state in some for field in state.values})  # noqa: PD011
        mirror = grow_mirror(connection, load_mirror(connection, system, kind), fields)
        Merger(connection, mirror, run_id, None, at).merge(some)


def _of_object(pair: tuple[OutboxRow, State]) -> tuple[str, str, str]:
    return pair[0].run_id, pair[0].system, pair[0].kind


def count_confirmed(connection: Connection, run_id: str) -> dict[tuple[str, str], int]:
    """Count a run's records that a CRM took, per system and object, in their order."""
    found = connection.execute(
        select(
            outbox.c.system,
            outbox.c.kind,
            func.count(outbox.c.record_id.distinct()).label("records"),
        )
        .where(outbox.c.run_id == run_id, outbox.c.state == "confirmed")
        .group_by(outbox.c.system, outbox.c.kind)
        .order_by(outbox.c.system, outbox.c.kind)
    )
    return {(row.system, row.kind): row.records for row in found}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record that a CRM refused, and why; `run_id` is the run whose plan held it."""

    run_id: str
    system: str
    kind: str
    record_id: str
    answer: str


def refusals(connection: Connection, run_id: str) -> list[Refusal]:
    """List a run's records that a CRM refused, then or before with the same values."""
    columns = [outbox.c[name] for name in Refusal.__dataclass_fields__]
    found = connection.execute(
        select(*columns)
        .where(outbox.c.run_id == run_id, outbox.c.state == "refused")
        .order_by(outbox.c.system, outbox.c.kind, outbox.c.record_id)
    )
    return [Refusal(*row) for row in found]


# What a plan and a run did ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One stored plan; `notes` is what it leaves out, and why."""

    plan_id: str
    run_id: str
    content_hash: str
    planned_at: datetime
    record_count: int
    field_count: int
    notes: Mapping[str, Any]


def find_plan(connection: Connection, plan_id: str) -> PlanRow | None:
    """Give a plan by its id; None when there is none such."""
    columns = [plan.c[name] for name in PlanRow.__dataclass_fields__]
    found = connection.execute(select(*columns).where(plan.c.plan_id == plan_id)).first()
    return PlanRow(*found) if found else None


@dataclass(frozen=True, slots=True)
class Written:
    """One write with what became of it; times are missing while it waits."""

    key: str
    plan_id: str
    run_id: str
    system: str
    kind: str
    record_id: str
    before: Values
    after: Values
    reason: Values
    state: str
    answer: str
    is_shared: bool
    sent_at: datetime | None
    answered_at: datetime | None


_WRITTEN = [outbox.c[name] for name in Written.__dataclass_fields__]


def written_by_plan(connection: Connection, plan_id: str) -> list[Written]:
    """List a plan's writes with their states, by system, object and record."""
    return _written(connection, outbox.c.plan_id == plan_id)


def written_by_run(connection: Connection, run_id: str) -> list[Written]:
    """List a run's writes with their states, by system, object and record."""
    return _written(connection, outbox.c.run_id == run_id)


def written_to(connection: Connection, system: str, kind: str, record_id: str) -> list[Written]:
    """List every write to one record, the oldest first."""
    found = _written(
        connection,
        outbox.c.system == system,
        outbox.c.kind == kind,
        outbox.c.record_id == record_id,
    )
    return sorted(found, key=lambda row: (row.answered_at is None, row.answered_at, row.key))


def _written(connection: Connection, *conditions: Any) -> list[Written]:
    query = (
        select(*_WRITTEN)
        .where(*conditions)
        .order_by(outbox.c.system, outbox.c.kind, outbox.c.record_id, outbox.c.is_shared)
    )
    return [Written(*row) for row in connection.execute(query)]
