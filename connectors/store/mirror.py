"""Mirrors: the last seen state of every vendor record, one table per vendor object.

A vendor field is a text column of its name; columns appear when a field is first asked for. Our own
columns begin with an underscore, which no vendor field does.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import pandas as pd
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    update,
)

from agreement.frames import as_text
from agreement.privacy import KEPT, MARK
from connectors.store.columns import TEXT, UTC_MICROSECONDS, Instant, json_text
from connectors.store.rows import chunks, empty_frame, fetch_frame
from connectors.store.tables import field_history, mirror_field, mirror_version

_CHUNK = 500

# PostgreSQL cuts longer names; the rest keeps a hash, so that two long names stay two columns.
_LONGEST_NAME = 63
_HASH = 12
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_META = ("_created_at", "_modified_at", "_is_deleted", "_merged_into", "_gone_at")
_META_TYPES = {
    "record_id": "str",
    "created_at": UTC_MICROSECONDS,
    "modified_at": UTC_MICROSECONDS,
    "is_deleted": "bool",
    "merged_into": "str",
}

_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What is now known of a record; a field or time that is missing here stays as it was."""

    record_id: str
    values: Mapping[str, str | None]
    created_at: datetime | None = None
    modified_at: datetime | None = None
    is_deleted: bool | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """One mirror: its table, and the column that holds each vendor field."""

    system: str
    kind: str
    table: Table
    columns: Mapping[str, str]


def load_mirror(connection: Connection, system: str, kind: str) -> Mirror:
    """Describe a mirror as it stands; one that nothing was ever read into has no columns."""
    found = connection.execute(
        select(mirror_field.c.field, mirror_field.c.column_name)
        .where(mirror_field.c.system == system, mirror_field.c.kind == kind)
        .order_by(mirror_field.c.field)
    )
    columns = {row.field: row.column_name for row in found}
    return Mirror(system, kind, _table(system, kind, tuple(columns.values())), columns)


def grow_mirror(connection: Connection, mirror: Mirror, fields: Iterable[str]) -> Mirror:
    """Give the mirror with a column for each of these fields, made now where it lacks one."""
    missing = [field for field in dict.fromkeys(fields) if field not in mirror.columns]
    if not mirror.columns:
        _table(mirror.system, mirror.kind, ()).create(connection, checkfirst=True)
    if not missing:
        return mirror
    taken = {column.lower() for column in mirror.columns.values()}
    quote = connection.dialect.identifier_preparer.quote
    for field in missing:
        name = column_name(field, taken)
        taken.add(name.lower())
        connection.execute(
            text(f"ALTER TABLE {quote(mirror.table.name)} ADD COLUMN {quote(name)} TEXT")
        )
        connection.execute(
            insert(mirror_field).values(
                system=mirror.system, kind=mirror.kind, field=field, column_name=name
            )
        )
    return load_mirror(connection, mirror.system, mirror.kind)


def column_name(field: str, taken: Collection[str]) -> str:
    """Name the column of a vendor field: the field's own name where a database takes it.

    Else its letters and a hash of the whole, so that any text is safe and two fields never share a
    column.

    Args:
        field: the vendor's name, whatever it holds.
        taken: columns in use, in lower case: SQLite does not tell cases apart.

    >>> column_name("FirstName", set()), column_name("a b", set()), column_name("NAME", {"name"})
    ('FirstName', 'f_a_b_c8687a08aa5d', 'f_NAME_eaa589322731')
    """
    is_plain = _PLAIN_NAME.fullmatch(field) and len(field) <= _LONGEST_NAME
    if is_plain and field.lower() not in taken:
        return field
    letters = re.sub(r"[^A-Za-z0-9]+", "_", field).strip("_")
    digest = hashlib.sha256(field.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"f_{letters[: _LONGEST_NAME - _HASH - 3]}_{digest}"


# The same table each time: SQLAlchemy keeps its compiled queries by it.
@lru_cache(maxsize=128)
def _table(system: str, kind: str, columns: tuple[str, ...]) -> Table:
    return Table(
        f"mirror_{system}_{kind}",
        MetaData(),
        Column("_record_id", TEXT, primary_key=True),
        Column("_created_at", Instant),
        Column("_modified_at", Instant),
        Column("_is_deleted", Boolean, nullable=False),
        Column("_merged_into", TEXT),
        Column("_gone_at", Instant),
        Column("_pull_id", Integer),
        *(Column(name, TEXT) for name in columns),
    )


class Merger:
    """Merges states into one mirror inside the caller's transaction; every new state is versioned.

    A state that equals the one that is there by value changes nothing but its times and the mark of
    the pull that saw it last.
    """

    def __init__(
        self, connection: Connection, mirror: Mirror, run_id: str, pull_id: int | None, at: datetime
    ) -> None:
        self._connection, self._mirror = connection, mirror
        self._run_id, self._pull_id, self._at = run_id, pull_id, at
        self._fields = list(mirror.columns)
        table = mirror.table
        self._names = ["_record_id", *_META, *mirror.columns.values()]
        self._binds = [f"__{place}" for place in range(len(self._names))]
        values: dict[str, Any] = {
            name: bindparam(bind) for name, bind in zip(self._names, self._binds, strict=True)
        }
        self._select = select(*(table.c[name] for name in self._names))
        self._insert = insert(table).values({**values, "_pull_id": pull_id})
        own_id = values.pop("_record_id")
        self._update = update(table).where(table.c._record_id == own_id).values(values)

    def merge(self, states: Iterable[State]) -> tuple[int, int]:
        """Merge states; give how many records this pull had not seen yet, and how many changed."""
        seen = changed = 0
        for chunk in chunks(states, _CHUNK):
            rows, different = self._merge_chunk(chunk)
            seen, changed = seen + rows, changed + different
        return seen, changed

    def _merge_chunk(self, chunk: Sequence[State]) -> tuple[int, int]:
        record_ids = list({state.record_id for state in chunk})
        before = {row[0]: row for row in self._rows(record_ids)}
        after: dict[str, _Row] = {}
        versions: list[dict[str, Any]] = []
        for state in chunk:
            old = after.get(state.record_id) or before.get(state.record_id)
            new = self._merged(old, state)
            after[state.record_id] = new
            if old is None or _content(old) != _content(new):
                versions.append(self._version(new))
        self._save(before, after)
        if versions:
            self._connection.execute(insert(mirror_version), versions)
        seen = self._mark(list(before)) + len(after) - len(before)
        return seen, len({version["record_id"] for version in versions})

    def _rows(self, record_ids: Sequence[str]) -> Iterator[_Row]:
        found = self._connection.execute(
            self._select.where(self._mirror.table.c._record_id.in_(record_ids))
        )
        return (tuple(row) for row in found)

    def _merged(self, old: _Row | None, state: State) -> _Row:
        given = state.values.get  # noqa: PD011
        if old is None:
            return (
                state.record_id,
                state.created_at,
                state.modified_at,
                bool(state.is_deleted),
                state.merged_into,
                None,
                *map(given, self._fields),
            )
        is_left = state.is_deleted is None
        return (
            state.record_id,
            state.created_at or old[1],
            state.modified_at or old[2],
            old[3] if is_left else state.is_deleted,
            old[4] if is_left else state.merged_into,
            old[5] if is_left else None,
            *map(given, self._fields, old[len(_META) + 1 :]),
        )

    def _save(self, before: Mapping[str, _Row], after: Mapping[str, _Row]) -> None:
        new = [self._bound(row) for key, row in after.items() if key not in before]
        different = [self._bound(row) for key, row in after.items() if before.get(key, row) != row]
        if new:
            self._connection.execute(self._insert, new)
        if different:
            self._connection.execute(self._update, different)

    def _bound(self, row: _Row) -> dict[str, Any]:
        return dict(zip(self._binds, row, strict=True))

    def _mark(self, record_ids: Sequence[str]) -> int:
        """Mark records as seen by this pull; give how many were not marked yet."""
        if self._pull_id is None or not record_ids:
            return 0
        table = self._mirror.table
        return self._connection.execute(
            update(table)
            .where(
                table.c._record_id.in_(record_ids),
                table.c._pull_id.is_distinct_from(self._pull_id),
            )
            .values(_pull_id=self._pull_id)
        ).rowcount

    def _version(self, row: _Row) -> dict[str, Any]:
        values = zip(self._fields, row[len(_META) + 1 :], strict=True)
        state = {
            "created_at": row[1],
            "modified_at": row[2],
            "is_deleted": row[3],
            "merged_into": row[4],
            "gone_at": row[5],
            "values": {field: value for field, value in values if value is not None},
        }
        return {
            "system": self._mirror.system,
            "kind": self._mirror.kind,
            "record_id": row[0],
            "run_id": self._run_id,
            "seen_at": self._at,
            "state": json_text(state),
        }

    def vanish(self, record_ids: Sequence[str], *, is_erased: bool) -> None:
        """Mark records as deleted by the vendor, who names them no more; say so in a version.

        Args:
            record_ids: live records.
            is_erased: what we knew of them goes too, in every version: the vendor may have erased
                a person, and we must not remember more than it does.
        """
        table = self._mirror.table
        lost: dict[str, Any] = {"_is_deleted": True, "_gone_at": self._at}
        if is_erased:
            lost |= dict.fromkeys(self._mirror.columns.values())
        for ids in chunks(record_ids, _CHUNK):
            self._connection.execute(update(table).where(table.c._record_id.in_(ids)).values(lost))
            if is_erased:
                self._erase_versions(ids)
                self._erase_history(ids)
            versions = [self._version(row) for row in self._rows(ids)]
            self._connection.execute(insert(mirror_version), versions)

    def _erase_versions(self, record_ids: Sequence[str]) -> None:
        known = mirror_version.c
        self._connection.execute(
            update(mirror_version)
            .where(
                known.system == self._mirror.system,
                known.kind == self._mirror.kind,
                known.record_id.in_(record_ids),
            )
            .values(state=json_text({"erased_at": self._at}))
        )

    def _erase_history(self, record_ids: Sequence[str]) -> None:
        known = field_history.c
        kept = KEPT.get((self._mirror.system, self._mirror.kind), frozenset())
        self._connection.execute(
            delete(field_history).where(
                known.system == self._mirror.system,
                known.kind == self._mirror.kind,
                known.record_id.in_(record_ids),
                known.field.not_in(kept),
            )
        )


def count_unseen(connection: Connection, mirror: Mirror, first_pull_id: int) -> int:
    """Count live records that no pull saw from this one on."""
    return _count(connection, mirror, _is_unseen(mirror.table, first_pull_id))


def count_seen(connection: Connection, mirror: Mirror, first_pull_id: int) -> int:
    """Count records that a pull saw from this one on, deleted ones too."""
    return _count(connection, mirror, mirror.table.c._pull_id >= first_pull_id)


def unseen_ids(connection: Connection, mirror: Mirror, first_pull_id: int) -> list[str]:
    """List live records that no pull saw from this one on, in order."""
    table = mirror.table
    query = select(table.c._record_id).where(_is_unseen(table, first_pull_id))
    return list(connection.scalars(query.order_by(table.c._record_id)))


def _is_unseen(table: Table, first_pull_id: int) -> ColumnElement[bool]:
    is_earlier = or_(table.c._pull_id.is_(None), table.c._pull_id < first_pull_id)
    return and_(is_earlier, table.c._is_deleted.is_(False), _is_the_vendors(table))


def _is_the_vendors(table: Table) -> ColumnElement[bool]:
    """Leave out what is kept of forgotten people, whom the vendor is not asked about."""
    return ~table.c._record_id.contains(MARK, autoescape=True)


def _count(connection: Connection, mirror: Mirror, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(mirror.table).where(condition)
    return connection.scalar(query) or 0


def live_ids(connection: Connection, mirror: Mirror) -> list[str]:
    """List the records that the vendor has, in order."""
    table = mirror.table
    if not mirror.columns:
        return []
    is_live = table.c._is_deleted.is_(False)
    query = select(table.c._record_id).where(is_live, _is_the_vendors(table))
    return list(connection.scalars(query.order_by(table.c._record_id)))


def archived_ids(connection: Connection, mirror: Mirror) -> list[str]:
    """List deleted records that the vendor may still restore: neither merged away nor gone."""
    table = mirror.table
    if not mirror.columns:
        return []
    query = select(table.c._record_id).where(
        table.c._is_deleted.is_(True),
        table.c._merged_into.is_(None),
        table.c._gone_at.is_(None),
        _is_the_vendors(table),
    )
    return list(connection.scalars(query.order_by(table.c._record_id)))


def count_versions(connection: Connection) -> int:
    """Count all states of all records that were new when we saw them."""
    return connection.scalar(select(func.count()).select_from(mirror_version)) or 0


def count_live(
    connection: Connection, mirror: Mirror, until: datetime | None
) -> tuple[int, datetime | None]:
    """Count live records created up to a moment, and give the creation of the earliest.

    A record whose creation the vendor does not tell is counted at any moment.
    """
    table = mirror.table
    if not mirror.columns:
        return 0, None
    conditions: list[ColumnElement[bool]] = [
        table.c._is_deleted.is_(False),
        _is_the_vendors(table),
    ]
    if until is not None:
        conditions.append(or_(table.c._created_at.is_(None), table.c._created_at <= until))
    query = select(func.count(), func.min(table.c._created_at)).where(*conditions)
    count, earliest = connection.execute(query).one()
    return int(count), earliest


def read_mirror(
    connection: Connection, mirror: Mirror, fields: Sequence[str], since: datetime | None = None
) -> pd.DataFrame:
    """Give one row per record ever seen, by record id; a field not mirrored yet is all missing.

    With `since`, only live records whose stamp is not before it.

    Columns: `record_id`, `created_at`, `modified_at`, `is_deleted`, `merged_into`, then the fields
    in the given order; a field that is called like one of ours is left out.
    """
    table = mirror.table
    wanted = [field for field in dict.fromkeys(fields) if field not in _META_TYPES]
    there = [field for field in wanted if field in mirror.columns]
    types = {**_META_TYPES, **dict.fromkeys(there, "str")}
    names = [f"_{name}" for name in _META_TYPES] + [mirror.columns[field] for field in there]
    query = select(*(table.c[name] for name in names)).order_by(table.c._record_id)
    if since is not None:
        query = query.where(table.c._modified_at >= since, table.c._is_deleted.is_(False))
    is_there = mirror.columns or inspect(connection).has_table(table.name)
    frame = fetch_frame(connection, query, types) if is_there else empty_frame(types)
    lacking = pd.DataFrame(
        {field: as_text([None] * len(frame)) for field in wanted if field not in there}
    )
    return pd.concat([frame, lacking], axis="columns")[[*_META_TYPES, *wanted]]


def _content(row: _Row) -> _Row:
    """Give what makes a state a new one: all but when the vendor says it changed."""
    return (*row[:2], *row[3:])
