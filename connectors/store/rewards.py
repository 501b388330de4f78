"""Reward postings: append-only in the database itself, each chained by hash to the one before."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import BigInteger, Connection, Table, cast, func, insert, select, text

from agreement.frames import DataFrame, Postings
from connectors.store.columns import UTC_MICROSECONDS, json_text, types_of
from connectors.store.rows import fetch_frame, rows_of
from connectors.store.tables import posting

# What the first entry names as the one before it.
CHAIN_START = "0" * 64

_TYPES = types_of(Postings)
_LINKS = {"entry_hash", "previous_hash"}
_FETCH = 10_000


def post(
    connection: Connection,
    run_id: str,
    postings: DataFrame[Postings],
    agreement_version: str | Mapping[str, str],
    at: datetime,
) -> int:
    """Append postings in their order; give their number.

    `agreement_version` is that of all, or of each period that postings are computed for. The
    database refuses a posting into a closed period.
    """
    if postings.empty:
        return 0
    if connection.dialect.name == "postgresql":
        # Two writers would both continue from the same entry; SQLite has one writer anyway.
        connection.execute(text("LOCK TABLE posting IN SHARE ROW EXCLUSIVE MODE"))
    entry, previous = _head(connection)
    rows = []
    for row in rows_of(postings[list(_TYPES)]):
        entry += 1
        content = {
            **row,
            "entry": entry,
            "agreement_version": agreement_version
            if isinstance(agreement_version, str)
            else agreement_version[row["computed_for"]],
            "run_id": run_id,
            "posted_at": at,
        }
        digest = entry_hash(previous, content)
        rows.append({**content, "previous_hash": previous, "entry_hash": digest})
        previous = digest
    connection.execute(insert(posting), rows)
    return len(rows)


def _head(connection: Connection) -> tuple[int, str]:
    last = connection.execute(
        select(posting.c.entry, posting.c.entry_hash).order_by(posting.c.entry.desc()).limit(1)
    ).first()
    return (last.entry, last.entry_hash) if last else (0, CHAIN_START)


def entry_hash(previous: str, content: Mapping[Any, Any]) -> str:
    """Give the hash of a row that follows the one with hash `previous`; instants are UTC."""
    plain = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in content.items()
        if name not in _LINKS
    }
    return hashlib.sha256(f"{previous}\n{json_text(plain)}".encode()).hexdigest()


def first_broken(connection: Connection) -> int | None:
    """Recompute the chain; give the first entry that was changed or follows a gap, else None.

    Entries cut off at the end leave a whole, shorter chain: compare the head with one noted
    elsewhere.
    """
    return first_broken_link(connection, posting, "entry")


def first_broken_link(connection: Connection, table: Table, number: str) -> int | None:
    """Do so with any chained table, whose rows are numbered from 1."""
    previous = CHAIN_START
    query = select(table).order_by(table.c[number]).execution_options(yield_per=_FETCH)
    with connection.execute(query) as result:
        for expected, row in enumerate(result.mappings(), start=1):
            is_next = row[number] == expected and row["previous_hash"] == previous
            if not is_next or entry_hash(previous, row) != row["entry_hash"]:
                return int(row[number])
            previous = row["entry_hash"]
    return None


def head(connection: Connection) -> str:
    """Give the hash of the last entry: with it, every entry before is fixed."""
    return _head(connection)[1]


def read_postings(connection: Connection) -> DataFrame[Postings]:
    """Give every posting in the order in which it was posted."""
    query = select(*(posting.c[name] for name in _TYPES)).order_by(posting.c.entry)
    return Postings.validate(fetch_frame(connection, query, _TYPES), lazy=True)


def read_ledger(connection: Connection) -> pd.DataFrame:
    """Give every posting in order, with entry, version, run, time and hashes."""
    types = {
        "entry": "int64",
        **_TYPES,
        "agreement_version": "str",
        "run_id": "str",
        "posted_at": UTC_MICROSECONDS,
        "previous_hash": "str",
        "entry_hash": "str",
    }
    query = select(*(posting.c[name] for name in types)).order_by(posting.c.entry)
    return fetch_frame(connection, query, types)


def posted(connection: Connection) -> pd.DataFrame:
    """Give what is posted: `computed_for`, `participant`, `component`, `reward_minor`."""
    keys = [posting.c.computed_for, posting.c.participant, posting.c.component]
    # PostgreSQL sums whole numbers to numeric.
    total = cast(func.sum(posting.c.reward_minor), BigInteger)
    return fetch_frame(
        connection,
        select(*keys, total).group_by(*keys).order_by(*keys),
        {**dict.fromkeys((key.name for key in keys), "str"), "reward_minor": "int64"},
    )
