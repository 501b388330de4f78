"""Measures: the present rows of each table of figures; a night writes only what differs."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

import pandas as pd
from sqlalchemy import Connection, Table, delete, insert, select

from agreement import frames
from connectors.store.columns import types_of
from connectors.store.rows import chunks, fetch_frame, row_hashes, rows_of
from connectors.store.tables import (
    bridge,
    credit,
    deal,
    deal_person,
    examined,
    handoff,
    set_aside,
    touch,
)

_CHUNK = 500

MEASURES: Mapping[str, tuple[Table, type[frames.Table]]] = MappingProxyType(
    {
        "handoff": (handoff, frames.HandoffStatus),
        "touch": (touch, frames.Touches),
        "set_aside": (set_aside, frames.SetAside),
        "deal": (deal, frames.Deals),
        "deal_person": (deal_person, frames.DealPeople),
        "credit": (credit, frames.Credits),
        "bridge": (bridge, frames.Bridge),
        "examined": (examined, frames.Examined),
    }
)


def save_measure(connection: Connection, run_id: str, name: str, frame: pd.DataFrame) -> int:
    """Make a table hold exactly these rows; give how many were written.

    `run_id` stands on each row as the run that first found it so.
    """
    table, model = MEASURES[name]
    frame = frame[list(types_of(model))]
    hashes = row_hashes(frame)
    standing = fetch_frame(connection, select(table.c.row_hash), {"row_hash": "object"})["row_hash"]
    for gone in chunks(standing[~standing.isin(hashes)].tolist(), _CHUNK):
        connection.execute(delete(table).where(table.c.row_hash.in_(gone)))
    new = frame.assign(row_hash=hashes)[~hashes.isin(standing)]
    if len(new):
        connection.execute(insert(table), [{**row, "run_id": run_id} for row in rows_of(new)])
    return len(new)


def read_measure(connection: Connection, name: str) -> pd.DataFrame:
    """Give the present rows of a table of figures."""
    table, model = MEASURES[name]
    types = types_of(model)
    query = select(*(table.c[column] for column in types)).order_by(table.c.row_hash)
    return fetch_frame(connection, query, types)


def read_keys(connection: Connection, name: str, key: str, runs: Collection[str]) -> frozenset[str]:
    """Give the keys of the present rows that some runs first found so."""
    table, _ = MEASURES[name]
    found: set[str] = set()
    for some in chunks(sorted(runs), _CHUNK):
        found |= set(connection.scalars(select(table.c[key]).where(table.c.run_id.in_(some))))
    return frozenset(found)
