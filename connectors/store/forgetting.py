"""Forget a person: what tells who it was goes from every table, times and sums stay.

The person's records, links and acts stay under random ids, so that touches, credit and the chained
ledgers add up as before. Plans, bases, conflicts, reviews and holds about the person are deleted.
"""

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    type_coerce,
    update,
)

from agreement.privacy import (
    KEPT,
    KEPT_CHANGES,
    MERGES,
    PEOPLE,
    TOKEN_LENGTH,
    alias_address,
    alias_id,
    is_alias_address,
)
from connectors.store.cleaning import Cleaner
from connectors.store.columns import TEXT, Json, json_text
from connectors.store.mirror import Mirror, load_mirror
from connectors.store.rows import chunks
from connectors.store.tables import (
    association,
    base,
    conflict,
    crosswalk,
    examined,
    field_history,
    hold,
    match_decision,
    metadata,
    mirror_field,
    mirror_version,
    outbox,
    review,
    tombstone,
)
from connectors.store.tombstones import add_tombstones, load_tombstones

Place = tuple[str, str, str]

# Rows that say nothing without the person. A plan keeps its counts.
_DELETED = (outbox, base, conflict, hold, review, match_decision)

# Chained by hashes, or about no person: ids of deals, teams, periods and hashes. The evidence of a
# closed period names our own id of people, which stands nowhere else once they are forgotten.
_UNTOUCHED = frozenset(
    {
        "posting",
        "reward_credit",
        "credit_line",
        "period",
        "approval",
        "agreement_version",
        "tombstone",
    }
)

_CHUNK = 300
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_ADDRESS = re.compile(r"[^\s@;,<>]+@[^\s@;,<>]+\.[^\s@;,<>]+")
_PHONE = re.compile(r"\+?\d[\d ()./-]{5,}\d")
_NAMES = (("firstname", "lastname"), ("FirstName", "LastName"))


@dataclass(frozen=True)
class Person:
    """One person as the store knows them: our id, records, and what tells who it is."""

    person_id: str | None
    records: tuple[Place, ...]
    addresses: frozenset[str]
    words: frozenset[str]


def find_person(connection: Connection, who: str) -> Person | None:
    """Find a person by our id, or by SYSTEM/KIND/ID of one of their records; None when unknown.

    The person has every record that the crosswalk links now, and those that were merged into them.
    """
    named = who.split("/")
    records = {(named[0], named[1], named[2])} if len(named) == 3 else set()
    person_id = _person_id(connection, *next(iter(records))) if records else who
    if person_id:
        records |= _linked(connection, person_id)
    records = {place for place in records if place[:2] in PEOPLE}
    if not any(_is_mirrored(connection, place) for place in records):
        return None
    return _described(connection, person_id, _with_merged(connection, records))


def _described(connection: Connection, person_id: str | None, records: set[Place]) -> Person:
    known = [values for place in sorted(records) for values in _states(connection, place)]
    addresses = {
        found.lower()
        for values in known
        for value in values.values()
        for found in _ADDRESS.findall(value)
    }
    words = {word for values in known for word in _words(values)}
    return Person(person_id, tuple(sorted(records)), frozenset(addresses), frozenset(words))


def _person_id(connection: Connection, system: str, kind: str, record_id: str) -> str | None:
    c = crosswalk.c
    is_it = and_(c.system == system, c.kind == kind, c.record_id == record_id, c.until.is_(None))
    return connection.scalar(select(c.entity_id).where(c.entity == "person", is_it))


def _linked(connection: Connection, person_id: str) -> set[Place]:
    c = crosswalk.c
    query = select(c.system, c.kind, c.record_id).where(
        c.entity == "person", c.entity_id == person_id, c.until.is_(None)
    )
    return {(row.system, row.kind, row.record_id) for row in connection.execute(query)}


def _is_mirrored(connection: Connection, place: Place) -> bool:
    mirror = load_mirror(connection, *place[:2])
    own_id = mirror.table.c._record_id
    return bool(mirror.columns) and bool(
        connection.scalar(select(func.count()).where(own_id == place[2]))
    )


def _with_merged(connection: Connection, records: set[Place]) -> set[Place]:
    """Add what was merged into the records or converted to them, to the end of each chain."""
    found = set(records)
    waiting = list(records)
    while waiting:
        system, kind, record_id = waiting.pop()
        ids = [(system, kind, old) for old in _merged_into(connection, system, kind, record_id)]
        if (system, kind) == ("salesforce", "contact"):
            ids += [(system, "lead", lead) for lead in _converted_to(connection, record_id)]
        new = [place for place in ids if place not in found]
        found.update(new)
        waiting += new
    return found


def _merged_into(connection: Connection, system: str, kind: str, record_id: str) -> Iterator[str]:
    mirror = load_mirror(connection, system, kind)
    if not mirror.columns:
        return
    table = mirror.table
    yield from connection.scalars(
        select(table.c._record_id).where(table.c._merged_into == record_id)
    )
    for values in _states(connection, (system, kind, record_id)):
        for name in MERGES:
            listed = (values.get(name) or "").split(";")
            yield from (each.strip().partition(":")[0] for each in listed if each.strip())


def _converted_to(connection: Connection, contact_id: str) -> list[str]:
    mirror = load_mirror(connection, "salesforce", "lead")
    column = mirror.columns.get("ConvertedContactId")
    if column is None:
        return []
    table = mirror.table
    return list(connection.scalars(select(table.c._record_id).where(table.c[column] == contact_id)))


def _states(connection: Connection, place: Place) -> list[dict[str, str]]:
    """Give every set of values that was ever seen of a record, without missing ones."""
    system, kind, record_id = place
    c = mirror_version.c
    states = connection.scalars(
        select(c.state).where(c.system == system, c.kind == kind, c.record_id == record_id)
    )
    found = [orjson.loads(state).get("values") or {} for state in states]
    mirror = load_mirror(connection, system, kind)
    if mirror.columns:
        own = mirror.table.c
        columns = {own[column]: name for name, column in mirror.columns.items()}
        rows = connection.execute(select(*columns).where(own._record_id == record_id))
        found += [dict(zip(columns.values(), row, strict=True)) for row in rows]
    return [{name: value for name, value in values.items() if value} for values in found]


def _words(values: Mapping[str, str]) -> Iterator[str]:
    for first, last in _NAMES:
        if values.get(first) and values.get(last):
            yield f"{values[first]} {values[last]}"
            yield f"{values[last]}, {values[first]}"
    for name, value in values.items():
        if "phone" in name.lower() and _PHONE.fullmatch(value.strip()):
            yield value.strip()


# Erasing -----------------------------------------------------------------------------------------


def cleaner_for(connection: Connection, person: Person) -> Cleaner:
    """Draw the random ids under which the person's records stay."""
    taken = set(connection.scalars(select(tombstone.c.alias)))
    aliases: dict[Place, str] = {}
    for system, kind, record_id in person.records:
        aliases[system, kind, record_id] = alias = _new_alias(system, kind, taken)
        taken.add(alias)
    stones = load_tombstones(connection)
    known = [address for address in sorted(person.addresses) if is_alias_address(address)]
    known += filter(None, map(stones.of_address, sorted(person.addresses)))
    # Somebody of the same address may be forgotten already: acts are theirs by it.
    address = known[0] if known else alias_address(_token(taken))
    names = {person.person_id: f"p_{secrets.token_hex(8)}"} if person.person_id else {}
    return Cleaner(aliases, dict.fromkeys(person.addresses, address), person.words, names)


def _new_alias(system: str, kind: str, taken: Iterable[str]) -> str:
    while (alias := alias_id(system, kind, secrets.token_hex(TOKEN_LENGTH // 2))) in taken:
        continue
    return alias


def _token(taken: Iterable[str]) -> str:
    while alias_address(token := secrets.token_hex(TOKEN_LENGTH // 2)) in taken:
        continue
    return token


def erase(connection: Connection, cleaner: Cleaner, at: datetime) -> dict[str, int]:
    """Erase a person; give the rows changed or deleted per table, those without any left out.

    The caller owns the transaction; a preview rolls it back.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete = ON"))
    counts: Counter[str] = Counter()
    kinds = sorted({(row.system, row.kind) for row in _kinds(connection)})
    tied = _tied(connection, cleaner)
    for place, alias in cleaner.aliases.items():
        counts += _erase_own(connection, place, alias, cleaner)
    # Numbers made of what people said, theirs and others': the next night makes all of them anew.
    connection.execute(delete(examined))
    for table in _DELETED:
        counts[table.name] += _delete(connection, table, cleaner)
    for system, kind in kinds:
        mirror = load_mirror(connection, system, kind)
        counts[mirror.table.name] += _clean_mirror(connection, mirror, cleaner, tied)
    counts["mirror_version"] += _clean_versions(connection, cleaner, tied)
    for table in metadata.sorted_tables:
        if table.name not in _UNTOUCHED and table.name != "mirror_version":
            counts[table.name] += _sweep(connection, table, cleaner)
    add_tombstones(connection, cleaner.by_id, cleaner.addresses, at)
    return {str(name): count for name, count in sorted(counts.items()) if count}


def _kinds(connection: Connection) -> Sequence[Any]:
    return connection.execute(select(mirror_field.c.system, mirror_field.c.kind).distinct()).all()


def _tied(connection: Connection, cleaner: Cleaner) -> set[Place]:
    """List the HubSpot records that are associated with the person, such as calls."""
    ids = [record_id for system, _, record_id in cleaner.aliases if system == "hubspot"]
    c = association.c
    query = select(c.from_kind, c.from_id).where(c.to_kind == "contact", c.to_id.in_(ids))
    places = {("hubspot", row.from_kind, row.from_id) for row in connection.execute(query)}
    return {place for place in places if place[1] not in {"deal", "company"}}


def _erase_own(connection: Connection, place: Place, alias: str, cleaner: Cleaner) -> Counter[str]:
    """Put one of the person's records under its random id, in every state that was ever seen."""
    system, kind, record_id = place
    kept = KEPT[system, kind]
    counts: Counter[str] = Counter()
    mirror = load_mirror(connection, system, kind)
    if mirror.columns:
        values: dict[str, Any] = {
            column: None for name, column in mirror.columns.items() if name not in kept
        }
        values |= dict.fromkeys(
            _address_columns(mirror), next(iter(cleaner.addresses.values()), None)
        )
        own = mirror.table
        statement = update(own).where(own.c._record_id == record_id)
        counts[own.name] = connection.execute(
            statement.values({**values, "_record_id": alias})
        ).rowcount
    c = mirror_version.c
    is_it = and_(c.system == system, c.kind == kind, c.record_id == record_id)
    for version_id, state in connection.execute(select(c.version_id, c.state).where(is_it)).all():
        told = orjson.loads(state)
        told["values"] = {
            name: value for name, value in (told.get("values") or {}).items() if name in kept
        }
        connection.execute(
            update(mirror_version)
            .where(c.version_id == version_id)
            .values(record_id=alias, state=json_text(told))
        )
        counts["mirror_version"] += 1
    counts["field_history"] = _erase_history(connection, place, alias)
    return counts


def _address_columns(mirror: Mirror) -> list[str]:
    return [column for name, column in mirror.columns.items() if name in {"email", "Email"}]


def _erase_history(connection: Connection, place: Place, alias: str) -> int:
    system, kind, record_id = place
    c = field_history.c
    is_it = and_(c.system == system, c.kind == kind, c.record_id == record_id)
    gone = connection.execute(
        delete(field_history).where(is_it, c.field.not_in(KEPT[system, kind]))
    ).rowcount
    return (
        gone
        + connection.execute(update(field_history).where(is_it).values(record_id=alias)).rowcount
    )


def _delete(connection: Connection, table: Table, cleaner: Cleaner) -> int:
    """Delete the rows of a table that are about one of the person's records."""
    columns = [
        column for column in table.columns if column.name in {"record_id", "left_id", "right_id"}
    ]
    columns += [
        table.c[f"{side}_id"] for side in ("hubspot", "salesforce") if f"{side}_id" in table.c
    ]
    about = [_is_about(table, column, place) for column in columns for place in cleaner.aliases]
    return connection.execute(delete(table).where(or_(*about))).rowcount if about else 0


def _is_about(table: Table, column: Column[Any], place: Place) -> ColumnElement[bool]:
    system, kind, record_id = place
    stem = column.name.removesuffix("_id")
    kind_name = "kind" if stem == "record" else f"{stem}_kind"
    system_name = "system" if stem == "record" else f"{stem}_system"
    is_system: ColumnElement[bool] = (
        table.c[system_name] == system if system_name in table.c else literal(value=stem == system)
    )
    return and_(is_system, table.c[kind_name] == kind, column == record_id)


def _clean_mirror(
    connection: Connection, mirror: Mirror, cleaner: Cleaner, tied: set[Place]
) -> int:
    """Clean the records of one object that name the person."""
    table = mirror.table
    names = {column: name for name, column in mirror.columns.items()}
    tied_ids = {place[2] for place in tied if place[:2] == (mirror.system, mirror.kind)}
    is_history = mirror.kind.endswith("_history")
    count = 0
    columns = [table.c[column] for column in names]
    for row in _candidates(connection, table, [table.c._record_id], columns, cleaner, tied_ids):
        own_id, *cells = row
        values = dict(zip(names.values(), cells, strict=True))
        clean = cleaner.record_values(mirror.system, values, is_tied=own_id in tied_ids)
        if is_history and clean != values and clean.get("Field") not in KEPT_CHANGES:
            clean |= dict.fromkeys(name for name in ("OldValue", "NewValue") if name in clean)
        if clean != values:
            new = dict(zip(names, (clean[name] for name in names.values()), strict=True))
            connection.execute(update(table).where(table.c._record_id == own_id).values(new))
            count += 1
    return count


def _clean_versions(connection: Connection, cleaner: Cleaner, tied: set[Place]) -> int:
    c = mirror_version.c
    count = 0
    keys = [c.version_id, c.system, c.kind, c.record_id]
    tied_ids = {place[2] for place in tied}
    for row in _candidates(connection, mirror_version, keys, [c.state], cleaner, tied_ids):
        version_id, system, kind, record_id, state = row
        told = orjson.loads(state)
        values = told.get("values") or {}
        is_tied = (system, kind, record_id) in tied
        clean = cleaner.record_values(system, values, is_tied=is_tied)
        if (
            kind.endswith("_history")
            and clean != values
            and values.get("Field") not in KEPT_CHANGES
        ):
            clean |= {"OldValue": None, "NewValue": None}
        told["values"] = {name: value for name, value in clean.items() if value is not None}
        if (new := cleaner.text(json_text(told))) != state:
            connection.execute(
                update(mirror_version).where(c.version_id == version_id).values(state=new)
            )
            count += 1
    return count


def _sweep(connection: Connection, table: Table, cleaner: Cleaner) -> int:
    """Clean whatever else names the person, in any text of a table."""
    keys = list(table.primary_key)
    texts = [column for column in table.columns if _is_text(column)]
    if not texts:
        return 0
    columns = [type_coerce(column, TEXT).label(column.name) for column in texts]
    count = 0
    for row in _candidates(connection, table, keys, columns, cleaner, ()):
        cells = dict(zip((column.name for column in texts), row[len(keys) :], strict=True))
        changed = {
            name: new
            for name, value in cells.items()
            if value and (new := cleaner.cell(name, value, cells)) != value
        }
        if changed:
            _replace(connection, table, dict(zip(keys, row, strict=False)), changed)
            count += 1
    return count


def _replace(
    connection: Connection,
    table: Table,
    key: Mapping[Column[Any], Any],
    changed: Mapping[str, str],
) -> None:
    plain = {table.c[name]: type_coerce(literal(value), TEXT) for name, value in changed.items()}
    connection.execute(
        update(table).where(and_(*(column == value for column, value in key.items()))).values(plain)
    )


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, Json | String | Text)


def _candidates(
    connection: Connection,
    table: Table,
    keys: Sequence[ColumnElement[Any]],
    columns: Sequence[ColumnElement[Any]],
    cleaner: Cleaner,
    more_ids: Iterable[str],
) -> list[Any]:
    """Read the rows whose text holds any of the person's terms, or whose record is listed."""
    bare = [type_coerce(column, TEXT) for column in columns]
    hay: ColumnElement[str] = literal("|")
    for column in bare:
        hay = hay + func.coalesce(column, "") + "|"
    find = func.instr if connection.dialect.name == "sqlite" else func.strpos
    holds = [find(func.lower(hay), term) > 0 for term in cleaner.terms]
    ids = sorted(more_ids)
    record_id = table.c.get("_record_id", table.c.get("record_id"))
    if record_id is not None:
        holds += [record_id.in_(some) for some in chunks(ids, _CHUNK)]
    if not holds:
        return []
    return list(connection.execute(select(*keys, *columns).where(or_(*holds))).all())


@dataclass(frozen=True)
class Forgotten:
    """What an erasure found: the person's records, the rows per table, and how to clean files."""

    person: Person
    cleaner: Cleaner
    rows: Mapping[str, int]


def forget(engine: Engine, who: str, at: datetime | None) -> Forgotten | None:
    """Erase a person in one transaction, or with `at` missing undo it again; None for one unknown.

    Counting by doing is the only count that cannot differ from what is done.
    """
    with engine.connect().execution_options(is_writing=True) as connection:
        with connection.begin() as transaction:
            person = find_person(connection, who)
            if person is None:
                return None
            cleaner = cleaner_for(connection, person)
            rows = erase(connection, cleaner, at or _NEVER)
            if at is None:
                transaction.rollback()
        return Forgotten(person, cleaner, rows)


def forget_successors(
    connection: Connection, successors: Mapping[Place, str], at: datetime
) -> None:
    """Forget the records in which forgotten people live on, found by a pull.

    Args:
        connection: the pull's transaction.
        successors: the random id of the forgotten record that each took over.
        at: when they were found.
    """
    for place, alias in successors.items():
        if _is_mirrored(connection, place):
            person = _described(connection, None, _with_merged(connection, {place}))
            erase(connection, cleaner_for(connection, person), at)
        else:
            add_tombstones(connection, {(place[0], place[2]): alias}, {}, at)


# The file ----------------------------------------------------------------------------------------


def compact(engine: Engine) -> None:
    """Rewrite the database so that no page holds what was erased, the write-ahead log included.

    PostgreSQL's own archives and backups are the operator's.
    """
    if engine.dialect.name == "sqlite":
        # No transaction may be open, and the engine begins one with every connection it gives out.
        with closing(engine.raw_connection()) as raw:
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                raw.cursor().execute(statement)
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (FULL)")
