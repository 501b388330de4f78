"""Tombstones: what a pull brings of forgotten people is left out, or put under their random id."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from agreement.privacy import ADDRESSES, MERGES, PEOPLE, REFERENCES, is_wordy
from agreement.records import Association, Batch, Record
from connectors.store.rows import insert_new
from connectors.store.tables import tombstone

_SALT_BYTES = 32

Place = tuple[str, str, str]


@dataclass(frozen=True)
class Tombstones:
    """Who was forgotten: the hash of each id and address, and the random id in its place.

    A hash tells nothing to somebody who has not the id; whoever has the database and a list of the
    vendor's ids could try them all, as he could in the CRM itself.
    """

    salt: str
    aliases: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.aliases)

    def of(self, system: str, record_id: str | None) -> str | None:
        """Give the random id of a person's record; None for one that nobody forgot."""
        if record_id is None:
            return None
        return self.aliases.get(_hash(self.salt, _id_text(system, record_id)))

    def of_address(self, address: str | None) -> str | None:
        """Give the address that stands for a forgotten one."""
        if address is None:
            return None
        return self.aliases.get(_hash(self.salt, _address_text(address)))


def load_tombstones(connection: Connection) -> Tombstones:
    """Read who was forgotten."""
    rows = connection.execute(select(tombstone.c.hash, tombstone.c.salt, tombstone.c.alias)).all()
    salt = rows[0].salt if rows else secrets.token_hex(_SALT_BYTES)
    return Tombstones(salt, {row.hash: row.alias for row in rows})


def add_tombstones(
    connection: Connection,
    ids: Mapping[tuple[str, str], str],
    addresses: Mapping[str, str],
    at: datetime,
) -> None:
    """Set stones.

    Args:
        connection: where.
        ids: the random id of each (system, record id).
        addresses: the address that stands for each address.
        at: when they were forgotten.
    """
    salt = load_tombstones(connection).salt
    texts = {_id_text(*place): alias for place, alias in ids.items()}
    texts |= {_address_text(address): alias for address, alias in addresses.items()}
    rows = [
        {"hash": _hash(salt, text), "salt": salt, "alias": alias, "forgotten_at": at}
        for text, alias in texts.items()
    ]
    if rows:
        connection.execute(insert_new(connection, tombstone), rows)


def _id_text(system: str, record_id: str) -> str:
    return f"{system} {record_id.strip()}"


def _address_text(address: str) -> str:
    return f"address {address.strip().lower()}"


def _hash(salt: str, text: str) -> str:
    return hashlib.blake2b(text.encode(), key=bytes.fromhex(salt), digest_size=24).hexdigest()


# Pulls -------------------------------------------------------------------------------------------


def successors(stones: Tombstones, system: str, kind: str, batch: Batch) -> dict[Place, str]:
    """List the records in which forgotten ones live on, with the random id of one of those.

    A record that took a forgotten one over by a merge, with all that went into it, or that a
    forgotten lead was converted to.
    """
    if not stones or (system, kind) not in PEOPLE:
        return {}
    found: dict[Place, str] = {}
    for record in batch.records:
        own = stones.of(system, record.record_id)
        converted = record.values.get("ConvertedContactId") if kind == "lead" else None
        ends = [(kind, record.merged_into), ("contact", converted)]
        # Both ways: what took a forgotten record over, and what a forgotten one took over.
        ends += [(kind, old) for old in _merged_ids(record)]
        known = [alias for _, end in ends if (alias := stones.of(system, end))]
        alias = own or (known[0] if known else None)
        if alias is None:
            continue
        places = [(system, kind, record.record_id)]
        places += [(system, end_kind, end) for end_kind, end in ends if end]
        found |= {place: alias for place in places if not stones.of(system, place[2])}
    return found


def _merged_ids(record: Record) -> Iterable[str]:
    for field in MERGES:
        for entry in (record.values.get(field) or "").split(";"):
            if entry.strip():
                yield entry.strip().partition(":")[0]


def without_forgotten(stones: Tombstones, system: str, kind: str, batch: Batch) -> Batch:
    """Give a page of a pull without forgotten people.

    Their own records, with history and associations, are left out: what is kept of them stands
    under random ids. Other records that name them name those ids instead, and say nothing in words.
    """
    if not stones:
        return batch
    if (system, kind) in PEOPLE:
        return _without_people(stones, system, batch)
    pairs = tuple(_renamed(stones, system, pair) for pair in batch.associations)
    changed = {
        new.from_id for new, old in zip(pairs, batch.associations, strict=True) if new != old
    }
    records = tuple(
        _reworded(stones, system, record, is_tied=record.record_id in changed)
        for record in batch.records
    )
    return replace(batch, records=records, associations=pairs)


def _without_people(stones: Tombstones, system: str, batch: Batch) -> Batch:
    def is_known(record_id: str) -> bool:
        return stones.of(system, record_id) is None

    return replace(
        batch,
        records=tuple(record for record in batch.records if is_known(record.record_id)),
        history=tuple(entry for entry in batch.history if is_known(entry.record_id)),
        associations=tuple(pair for pair in batch.associations if is_known(pair.from_id)),
    )


def _renamed(stones: Tombstones, system: str, pair: Association) -> Association:
    alias = stones.of(system, pair.to_id) if (system, pair.to_kind) in PEOPLE else None
    return replace(pair, to_id=alias) if alias else pair


def _reworded(stones: Tombstones, system: str, record: Record, *, is_tied: bool) -> Record:
    named = {
        field: alias
        for field, value in record.values.items()
        if (alias := _alias(stones, system, field, value))
    }
    if not named and not is_tied:
        return record
    values = {
        field: named.get(field) or (None if is_wordy(field) else value)
        for field, value in record.values.items()
    }
    return replace(record, values=values)


def _alias(stones: Tombstones, system: str, field: str, value: str | None) -> str | None:
    if field in ADDRESSES:
        return stones.of_address(value)
    return stones.of(system, value) if field in REFERENCES else None
