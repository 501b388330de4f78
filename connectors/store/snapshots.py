"""Snapshots: what a pull brought, saved with its watermark in one transaction."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import orjson
import pandas as pd
from sqlalchemy import Connection, Engine, insert, select, update

from agreement.records import Association, Batch, HistoryEntry, Record
from connectors.store.columns import UTC_MICROSECONDS
from connectors.store.database import writing
from connectors.store.mirror import Merger, State, count_unseen, grow_mirror, load_mirror
from connectors.store.rows import chunks, fetch_frame, insert_new, upsert
from connectors.store.tables import association, field_history, pull, watermark

# What a pull brings waits here until its end: in memory while it is small, else in an unnamed file.
_SPOOL_BYTES = 32 * 1024 * 1024
_CHUNK = 500
_NUL = "\x00"
_HISTORY_TYPES = {
    "record_id": "str",
    "field": "str",
    "value": "str",
    "changed_at": UTC_MICROSECONDS,
    "source": "str",
}


@dataclass(frozen=True, slots=True)
class PullCount:
    """What a pull brought: distinct records, how many of them are new or changed by value.

    `unseen` counts live records of the mirror that a full read did not bring; 0 for others.
    """

    rows: int
    changed: int
    unseen: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """One pull of one vendor object: by which run, up to when, of everything or of changes."""

    run_id: str
    system: str
    kind: str
    until: datetime
    is_full: bool
    seen_at: datetime


def save_pull(
    engine: Engine,
    pulled: Pulled,
    batches: Iterable[Batch],
    fields: Sequence[str] | None,
    accept: Callable[[PullCount], None] | None,
) -> PullCount:
    """Save everything that `batches` yields, and move the watermark, in one transaction.

    The vendor is read to its end first, with no transaction open: on SQLite nobody else could write
    meanwhile. When reading fails, or `accept` raises, nothing is saved.
    """
    with _spooled(batches) as (spool, found), writing(engine) as connection:
        asked = sorted(found) if fields is None else list(fields)
        pull_id = _begin(connection, pulled)
        mirror = load_mirror(connection, pulled.system, pulled.kind)
        mirror = grow_mirror(connection, mirror, asked)
        merger = Merger(connection, mirror, pulled.run_id, pull_id, pulled.seen_at)
        rows = changed = 0
        for batch in _read(spool):
            seen, different = merger.merge(map(_state, batch.records))
            rows, changed = rows + seen, changed + different
            _save_history(connection, pulled, batch.history)
            _save_associations(connection, pulled, batch)
        unseen = count_unseen(connection, mirror, pull_id) if pulled.is_full else 0
        count = PullCount(rows, changed, unseen)
        if accept:
            accept(count)
        _end(connection, pull_id, count)
        _move_watermark(connection, pulled, asked)
    return count


def _begin(connection: Connection, pulled: Pulled) -> int:
    result = connection.execute(insert(pull).values(asdict(pulled)))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def _end(connection: Connection, pull_id: int, count: PullCount) -> None:
    connection.execute(
        update(pull)
        .where(pull.c.pull_id == pull_id)
        .values(row_count=count.rows, changed_count=count.changed, unseen_count=count.unseen)
    )


def _move_watermark(connection: Connection, pulled: Pulled, asked: Sequence[str]) -> None:
    """Note up to when, and of which fields, everything is known.

    A replay of an earlier moment forgets nothing that was read since; a field counts as known only
    while every pull since the last full one asked for it.
    """
    before = read_watermark(connection, pulled.system, pulled.kind)
    known = set(asked)
    if before and not pulled.is_full:
        known &= before.fields
    values = {
        "until": max(pulled.until, before.until) if before else pulled.until,
        "fields": sorted(known),
        "run_id": pulled.run_id,
    }
    statement = upsert(connection, watermark).values(
        system=pulled.system, kind=pulled.kind, **values
    )
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(watermark.primary_key), set_=values)
    )


@contextmanager
def _spooled(batches: Iterable[Batch]) -> Iterator[tuple[IO[bytes], set[str]]]:
    """Read everything into a file, one line per batch; give it, and the fields that came."""
    fields: set[str] = set()
    with SpooledTemporaryFile(_SPOOL_BYTES) as spool:
        for batch in batches:
            fields.update(*(record.values.keys() for record in batch.records))  # noqa: PD011
            spool.write(_line(batch))
            spool.write(b"\n")
        spool.seek(0)
        yield spool, fields


def _line(batch: Batch) -> bytes:
    """Write a batch; characters that a database cannot hold are replaced first."""
    try:
        line = orjson.dumps(batch, default=dict)
    except TypeError:  # half of a surrogate pair: no text to anybody but JSON
        return orjson.dumps(_storable_batch(batch), default=dict)
    return orjson.dumps(_storable_batch(batch), default=dict) if rb"\u0000" in line else line


def _storable_batch(batch: Batch) -> Batch:
    return replace(
        batch,
        records=tuple(
            replace(record, values=_storable_values(record.values)) for record in batch.records
        ),
        history=tuple(
            replace(entry, value=storable(entry.value), source=storable(entry.source) or "")
            for entry in batch.history
        ),
    )


def _storable_values(values: Mapping[str, str | None]) -> dict[str, str | None]:
    return {field: storable(value) for field, value in values.items()}


def storable(value: str | None) -> str | None:
    """Give text that both databases hold: without NUL, half a surrogate pair as a question mark.

    >>> storable("a" + chr(0) + "b")
    'ab'
    """
    if value is None:
        return None
    return value.replace(_NUL, "").encode("utf-8", "replace").decode("utf-8")


def _read(spool: IO[bytes]) -> Iterator[Batch]:
    for line in spool:
        raw = orjson.loads(line)
        yield Batch(
            records=tuple(_record(fields) for fields in raw["records"]),
            history=tuple(
                HistoryEntry(**{**entry, "changed_at": _moment(entry["changed_at"])})
                for entry in raw["history"]
            ),
            associations=tuple(Association(**pair) for pair in raw["associations"]),
            associated=tuple(raw["associated"]),
        )


def _record(raw: dict[str, Any]) -> Record:
    times = {name: _moment(raw[name]) for name in ("created_at", "modified_at")}
    return Record(**{**raw, **times})


def _moment(text: str | None) -> Any:
    return datetime.fromisoformat(text) if text else None


def _state(record: Record) -> State:
    return State(
        record.record_id,
        record.values,
        record.created_at,
        record.modified_at,
        record.is_deleted,
        record.merged_into,
    )


# Histories and associations -----------------------------------------------------------------------


def _save_history(connection: Connection, pulled: Pulled, entries: Sequence[HistoryEntry]) -> None:
    """Keep entries that were not kept before: vendors forget theirs after a while."""
    if not entries:
        return
    rows = [
        {
            "system": pulled.system,
            "kind": pulled.kind,
            "field": entry.field,
            "record_id": entry.record_id,
            "changed_at": entry.changed_at,
            "value_hash": _value_hash(entry.value),
            "value": entry.value,
            "source": entry.source,
            "run_id": pulled.run_id,
        }
        for entry in entries
    ]
    connection.execute(insert_new(connection, field_history), rows)


def _value_hash(value: str | None) -> str:
    if value is None:
        return ""
    return hashlib.sha256(value.encode()).hexdigest()[:32]


def read_history(
    connection: Connection, system: str, kind: str, fields: Sequence[str]
) -> pd.DataFrame:
    """Give the values that fields took, by record, field and time; then in text order."""
    history = field_history.c
    query = (
        select(*(history[name] for name in _HISTORY_TYPES))
        .where(history.system == system, history.kind == kind, history.field.in_(fields))
        .order_by(history.record_id, history.field, history.changed_at, history.value)
    )
    return fetch_frame(connection, query, _HISTORY_TYPES)


def _save_associations(connection: Connection, pulled: Pulled, batch: Batch) -> None:
    """Replace the associations of records read again: end what is gone, begin what is new."""
    record_ids = list({record.record_id for record in batch.records})
    for to_kind in dict.fromkeys(batch.associated):
        wanted = {
            (pair.from_id, pair.to_id)
            for pair in batch.associations
            if pair.from_kind == pulled.kind and pair.to_kind == to_kind
        }
        there = {
            (from_id, to_id)
            for some in chunks(record_ids, _CHUNK)
            for from_id, to_id in connection.execute(
                _current_pairs(pulled.system, pulled.kind, to_kind).where(
                    association.c.from_id.in_(some)
                )
            )
        }
        _end_pairs(connection, pulled, to_kind, there - wanted)
        _begin_pairs(connection, pulled, to_kind, wanted - there)


def _current_pairs(system: str, from_kind: str, to_kind: str) -> Any:
    return select(association.c.from_id, association.c.to_id).where(
        association.c.system == system,
        association.c.from_kind == from_kind,
        association.c.to_kind == to_kind,
        association.c.until.is_(None),
    )


def _end_pairs(
    connection: Connection, pulled: Pulled, to_kind: str, pairs: set[tuple[str, str]]
) -> None:
    for from_id, to_id in sorted(pairs):
        connection.execute(
            update(association)
            .where(
                association.c.system == pulled.system,
                association.c.from_kind == pulled.kind,
                association.c.to_kind == to_kind,
                association.c.from_id == from_id,
                association.c.to_id == to_id,
                association.c.until.is_(None),
            )
            .values(until=pulled.seen_at)
        )


def _begin_pairs(
    connection: Connection, pulled: Pulled, to_kind: str, pairs: set[tuple[str, str]]
) -> None:
    if not pairs:
        return
    rows = [
        {
            "system": pulled.system,
            "from_kind": pulled.kind,
            "to_kind": to_kind,
            "from_id": from_id,
            "to_id": to_id,
            "since": pulled.seen_at,
            "run_id": pulled.run_id,
        }
        for from_id, to_id in sorted(pairs)
    ]
    # Ended and begun again by one pull: it never ended.
    again = upsert(connection, association).on_conflict_do_update(
        index_elements=list(association.primary_key), set_={"until": None}
    )
    connection.execute(again, rows)


def read_associations(
    connection: Connection, system: str, from_kind: str, to_kind: str
) -> pd.DataFrame:
    """Give the associations that stand now, `from_id` and `to_id`, in their order."""
    query = _current_pairs(system, from_kind, to_kind).order_by(
        association.c.from_id, association.c.to_id
    )
    return fetch_frame(connection, query, {"from_id": "str", "to_id": "str"})


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to when, and of which fields, everything of a vendor object is in the mirror."""

    until: datetime
    fields: frozenset[str]


def read_watermark(connection: Connection, system: str, kind: str) -> Watermark | None:
    """Give up to when an object was read; None when it never was."""
    found = connection.execute(
        select(watermark.c.until, watermark.c.fields).where(
            watermark.c.system == system, watermark.c.kind == kind
        )
    ).first()
    return Watermark(found.until, frozenset(found.fields)) if found else None
