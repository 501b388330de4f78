"""The crosswalk: which vendor record is which person, account or deal, with its history."""

from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, bindparam, insert, or_, select, update

from agreement.frames import Crosswalk, DataFrame
from connectors.store.columns import types_of
from connectors.store.rows import fetch_frame, row_hashes, rows_of
from connectors.store.tables import crosswalk

_TYPES = types_of(Crosswalk)


def save_crosswalk(
    connection: Connection, run_id: str, links: DataFrame[Crosswalk], at: datetime
) -> int:
    """Make these the links that stand; give how many rows differ from those that stood.

    A link that changed or went is ended and kept, so that earlier figures can be recomputed as they
    were.
    """
    standing = fetch_frame(
        connection,
        _standing(crosswalk.c.link_id),
        {"link_id": "int64", **_TYPES},
    )
    links = links[list(_TYPES)]
    hashes, standing_hashes = row_hashes(links), row_hashes(standing[list(_TYPES)])
    ended = standing.loc[~standing_hashes.isin(hashes), "link_id"].tolist()
    begun = links[~hashes.isin(standing_hashes)]
    if ended:
        connection.execute(
            update(crosswalk)
            .where(crosswalk.c.link_id == bindparam("ended_id"))
            .values(until=at, ended_by=run_id),
            [{"ended_id": link_id} for link_id in ended],
        )
    if len(begun):
        connection.execute(
            insert(crosswalk), [{**row, "run_id": run_id, "seen_at": at} for row in rows_of(begun)]
        )
    return max(len(ended), len(begun))


def read_crosswalk(connection: Connection, at: datetime | None = None) -> DataFrame[Crosswalk]:
    """Give the links that stand, or that stood at a moment, by system, kind and record id.

    Of a moment at which a link ended and another began, the one that began.
    """
    links: pd.DataFrame = fetch_frame(connection, _standing(at=at), _TYPES)
    return Crosswalk.validate(links, lazy=True)


def _standing(*more: ColumnElement[Any], at: datetime | None = None) -> Select[Any]:
    c = crosswalk.c
    query = select(*more, *(c[name] for name in _TYPES)).order_by(c.system, c.kind, c.record_id)
    if at is None:
        return query.where(c.until.is_(None))
    return query.where(c.seen_at <= at, or_(c.until.is_(None), c.until > at))
