"""Reward periods: the credit behind postings, what nights calculated, what was closed and by whom.

A period's state follows from the acts: proposed, approved, closed, exported, paid. Acts, closed
periods and credit changes are append-only in the database itself; acts are chained by hash.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import BigInteger, Connection, cast, func, insert, select, text

from agreement.frames import DataFrame, RewardCredits
from connectors.store.columns import json_text, types_of
from connectors.store.rewards import CHAIN_START, entry_hash, first_broken_link
from connectors.store.rows import fetch_frame, rows_of, upsert
from connectors.store.tables import approval, calculation, period, posting, reward_credit

_CREDIT_TYPES = types_of(RewardCredits)
_CREDIT_KEYS = ("computed_for", "deal_id", "team")


@dataclass(frozen=True, slots=True)
class Found:
    """What the latest night found of a period: its terms and the deals behind its attainment."""

    period: str
    run_id: str
    as_of: datetime
    terms: Mapping[str, Any]
    evidence: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed period: its frozen terms and evidence, and what fixes its postings.

    `entry_count` and `ledger_head` tell how far the ledger had come.
    """

    period: str
    terms: Mapping[str, Any]
    evidence: Sequence[Mapping[str, Any]]
    content_hash: str
    entry_count: int
    ledger_head: str
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did to a period; `content_hash` says what they saw."""

    number: int
    period: str
    act: str
    person: str
    is_verified: bool
    content_hash: str
    done_at: datetime


# The credit behind the postings -------------------------------------------------------------------


def add_credits(
    connection: Connection,
    run_id: str,
    changes: DataFrame[RewardCredits],
    posting_period: Mapping[str, str],
) -> int:
    """Append changes of credit in their order; give their number.

    `posting_period` says where each computed period posts.
    """
    if changes.empty:
        return 0
    line = connection.scalar(select(func.max(reward_credit.c.line))) or 0
    rows = [
        {
            **row,
            "line": line + number,
            "posting_period": posting_period[row["computed_for"]],
            "run_id": run_id,
        }
        for number, row in enumerate(rows_of(changes), start=1)
    ]
    connection.execute(insert(reward_credit), rows)
    return len(rows)


def standing_credits(connection: Connection) -> pd.DataFrame:
    """Add up the changes: per period, deal and team what stands, with the deal's record.

    Columns: `computed_for`, `deal_id`, `team`, `credit_minor`, `record_id`, `closed_on`,
    `currency`.
    """
    keys = [reward_credit.c[name] for name in _CREDIT_KEYS]
    named = [reward_credit.c[name] for name in ("record_id", "closed_on", "currency")]
    total = cast(func.sum(reward_credit.c.credit_minor), BigInteger)
    query = select(*keys, total, *(func.max(column) for column in named)).group_by(*keys)
    types = {
        **dict.fromkeys(_CREDIT_KEYS, "str"),
        "credit_minor": "int64",
        **dict.fromkeys((column.name for column in named), "str"),
    }
    found = fetch_frame(connection, query, types)
    return found[found["credit_minor"] != 0].reset_index(drop=True)


def read_credits(connection: Connection) -> pd.DataFrame:
    """Give every change in its order: the columns of RewardCredits, and `posting_period`."""
    types = {"posting_period": "str", **_CREDIT_TYPES}
    query = select(*(reward_credit.c[name] for name in types)).order_by(reward_credit.c.line)
    return fetch_frame(connection, query, types)


# What nights found --------------------------------------------------------------------------------


def save_found(connection: Connection, found: Sequence[Found]) -> None:
    """Keep what a night found of each period, in place of what an earlier one did."""
    for each in found:
        row = {name: getattr(each, name) for name in Found.__dataclass_fields__}
        statement = upsert(connection, calculation).values(row)
        rest = {name: value for name, value in row.items() if name != "period"}
        connection.execute(statement.on_conflict_do_update(index_elements=["period"], set_=rest))


def read_found(connection: Connection) -> dict[str, Found]:
    """Give what the latest night found, by period in order."""
    columns = [calculation.c[name] for name in Found.__dataclass_fields__]
    rows = connection.execute(select(*columns).order_by(calculation.c.period))
    return {row.period: Found(*row) for row in rows}


# Closed periods and acts --------------------------------------------------------------------------


def content_hash(
    connection: Connection,
    name: str,
    terms: Mapping[str, Any],
    evidence: Sequence[Mapping[str, Any]],
) -> str:
    """Fix a period in one hash: terms, evidence, postings into it, and changes of credit."""
    digest = hashlib.sha256(json_text({"terms": terms, "evidence": evidence}).encode())
    hashes = select(posting.c.entry_hash).where(posting.c.posting_period == name)
    for entry in connection.scalars(hashes.order_by(posting.c.entry)):
        digest.update(entry.encode())
    lines = select(reward_credit).where(reward_credit.c.posting_period == name)
    for row in connection.execute(lines.order_by(reward_credit.c.line)).mappings():
        digest.update(json_text(dict(row)).encode())
    return digest.hexdigest()


def close_period(connection: Connection, found: Found, digest: str, at: datetime) -> None:
    """Freeze a period's terms; from here on the database refuses postings into it."""
    last = connection.execute(
        select(posting.c.entry, posting.c.entry_hash).order_by(posting.c.entry.desc()).limit(1)
    ).first()
    connection.execute(
        insert(period).values(
            period=found.period,
            terms=dict(found.terms),
            evidence=list(found.evidence),
            content_hash=digest,
            entry_count=last.entry if last else 0,
            ledger_head=last.entry_hash if last else CHAIN_START,
            closed_at=at,
        )
    )


def read_closed(connection: Connection) -> dict[str, Closed]:
    """Give the closed periods by name, in order."""
    columns = [period.c[name] for name in Closed.__dataclass_fields__]
    rows = connection.execute(select(*columns).order_by(period.c.period))
    return {row.period: Closed(*row) for row in rows}


def head_at(connection: Connection, entry: int) -> str:
    """Give the hash of one entry of the ledger; the chain's start for entry 0."""
    if entry == 0:
        return CHAIN_START
    found = connection.scalar(select(posting.c.entry_hash).where(posting.c.entry == entry))
    return str(found or "")


def note_act(
    connection: Connection,
    name: str,
    act: str,
    person: str,
    is_verified: bool,
    digest: str,
    at: datetime,
) -> None:
    """Append what somebody did to a period."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE approval IN SHARE ROW EXCLUSIVE MODE"))
    last = connection.execute(
        select(approval.c.number, approval.c.entry_hash).order_by(approval.c.number.desc()).limit(1)
    ).first()
    previous = last.entry_hash if last else CHAIN_START
    content = {
        "number": (last.number if last else 0) + 1,
        "period": name,
        "act": act,
        "person": person,
        "is_verified": is_verified,
        "content_hash": digest,
        "done_at": at,
    }
    connection.execute(
        insert(approval).values(
            **content, previous_hash=previous, entry_hash=entry_hash(previous, content)
        )
    )


def read_acts(connection: Connection) -> list[Act]:
    """List what was done, the oldest first."""
    columns = [approval.c[name] for name in Act.__dataclass_fields__]
    return [Act(*row) for row in connection.execute(select(*columns).order_by(approval.c.number))]


def first_broken_act(connection: Connection) -> int | None:
    """Recompute the chain of acts; give the first that does not fit, else None."""
    return first_broken_link(connection, approval, "number")
