"""Snapshots: what a pull brought, saved with its watermark in one transaction."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, insert, select, update

from agreement.records import Batch, HistoryEntry, Record
from connectors.store.columns import UTC_MICROSECONDS
from connectors.store.database import writing
from connectors.store.forgetting import forget_successors
from connectors.store.mirror import (
    Merger,
    Mirror,
    State,
    count_seen,
    count_unseen,
    grow_mirror,
    load_mirror,
    unseen_ids,
)
from connectors.store.reading import (
    Pulled,
    clear_progress,
    keep_progress,
    mark_reread,
    read_progress,
    read_reread,
)
from connectors.store.rows import chunks, fetch_frame, insert_new, upsert
from connectors.store.spool import Spool
from connectors.store.tables import association, field_history, pull, watermark
from connectors.store.tombstones import load_tombstones, successors, without_forgotten

_CHUNK = 500
_FULL = "full"
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

    `unseen` counts live records of the mirror that a full read did not bring, `vanished` those of
    them that now count as deleted by the vendor; both are 0 for other reads.
    """

    rows: int
    changed: int
    unseen: int
    vanished: int = 0


@dataclass(frozen=True, slots=True)
class Further:
    """What else a pull says beside its records.

    `since` is where its window began, None for a full read. `reread` names the lists that it read
    along, which no changed record announces. `is_complete` is a full read that brought the archived
    records too, so that a record that did not come is gone; else a record is gone when two full
    reads did not bring it. `gone` are archived records that the vendor has no more. With
    `is_erased`, what we knew of a record that is gone goes too.
    """

    since: datetime | None = None
    reread: Sequence[str] = ()
    is_complete: bool = False
    gone: Sequence[str] = ()
    is_erased: bool = False


def save_pull(
    engine: Engine,
    pulled: Pulled,
    batches: Iterable[Batch] | Spool,
    fields: Sequence[str] | None,
    accept: Callable[[PullCount], None] | None,
    further: Further,
) -> PullCount:
    """Save everything that `batches` yields, and move the watermark, in one transaction.

    The vendor is read to its end first, with no transaction open: on SQLite nobody else could write
    meanwhile. When reading fails, or `accept` raises, nothing is saved; but of a read that was
    stopped at a place where it can go on, what came is kept with that place, and then its error is
    raised.
    """
    with batches if isinstance(batches, Spool) else Spool.of(batches) as spool:
        count = _save(engine, pulled, spool, fields, accept, further)
        if spool.stopped:
            raise spool.stopped
    return count


def _save(
    engine: Engine,
    pulled: Pulled,
    spool: Spool,
    fields: Sequence[str] | None,
    accept: Callable[[PullCount], None] | None,
    further: Further,
) -> PullCount:
    with writing(engine) as connection:
        asked = sorted(spool.fields) if fields is None else list(fields)
        begun = read_progress(connection, pulled.system, pulled.kind)
        pull_id = _begin(connection, pulled)
        first_pull_id = begun.first_pull_id if begun and spool.is_continued else pull_id
        mirror = grow_mirror(connection, load_mirror(connection, pulled.system, pulled.kind), asked)
        merger = Merger(connection, mirror, pulled.run_id, pull_id, pulled.seen_at)
        rows, changed = _merge(connection, pulled, spool, merger)
        if spool.stopped:
            keep_progress(connection, pulled, further.since, asked, spool.resume, first_pull_id)
            _end(connection, pull_id, PullCount(rows, changed, 0))
            return PullCount(rows, changed, 0)
        count = _complete(connection, pulled, mirror, first_pull_id, rows, changed)
        if accept:
            accept(count)
        count = replace(
            count, vanished=_vanish(connection, pulled, mirror, merger, first_pull_id, further)
        )
        _end(connection, pull_id, count)
        _move_watermark(connection, pulled, asked)
        # A look between nights reads up to where the last night came: one that was stopped further
        # on keeps its place.
        if begun is None or pulled.until >= begun.until:
            clear_progress(connection, pulled.system, pulled.kind)
        for what in further.reread:
            mark_reread(connection, pulled.system, pulled.kind, what, pulled.until)
    return count


def _merge(connection: Connection, pulled: Pulled, spool: Spool, merger: Merger) -> tuple[int, int]:
    """Merge all batches; give how many records came, and how many of them changed."""
    rows = changed = 0
    stones = load_tombstones(connection)
    for came in spool.batches():
        if further := successors(stones, pulled.system, pulled.kind, came):
            forget_successors(connection, further, pulled.seen_at)
            stones = load_tombstones(connection)
        batch = without_forgotten(stones, pulled.system, pulled.kind, came)
        seen, different = merger.merge(map(_state, batch.records))
        rows, changed = rows + seen, changed + different
        _save_history(connection, pulled, batch.history)
        _save_associations(connection, pulled, batch)
    return rows, changed


def _complete(
    connection: Connection,
    pulled: Pulled,
    mirror: Mirror,
    first_pull_id: int,
    rows: int,
    changed: int,
) -> PullCount:
    """Count what came; a full read that took several runs is counted as the one that it is."""
    if not pulled.is_full:
        return PullCount(rows, changed, 0)
    unseen = count_unseen(connection, mirror, first_pull_id)
    return PullCount(count_seen(connection, mirror, first_pull_id), changed, unseen)


def _vanish(
    connection: Connection,
    pulled: Pulled,
    mirror: Mirror,
    merger: Merger,
    first_pull_id: int,
    further: Further,
) -> int:
    """Mark what is gone; give the number of live records that a full read shows to be."""
    merger.vanish(further.gone, is_erased=further.is_erased)
    if not pulled.is_full:
        return 0
    before = read_reread(connection, pulled.system, pulled.kind, _FULL)
    mark_reread(connection, pulled.system, pulled.kind, _FULL, pulled.until, first_pull_id)
    known_since = first_pull_id if further.is_complete else before.value if before else None
    gone = [] if known_since is None else unseen_ids(connection, mirror, known_since)
    merger.vanish(gone, is_erased=further.is_erased)
    return len(gone)


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
