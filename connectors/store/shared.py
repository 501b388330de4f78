"""Fields that people share with us: what both CRMs last agreed on, what waits, what is held."""

from collections.abc import Mapping
from datetime import datetime

import pandas as pd
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from agreement.frames import Bases, Conflicts, DataFrame, Holds
from connectors.store.columns import UTC_MICROSECONDS, types_of
from connectors.store.rows import chunks, fetch_frame, rows_of, upsert
from connectors.store.tables import base, conflict, hold, outbox

_CHUNK = 500
_PAIR = ["hubspot_kind", "hubspot_id", "salesforce_kind", "salesforce_id", "field"]
_BASE = [*_PAIR, "rule"]
_PLACE = ["system", "kind", "record_id", "field"]

# Bases --------------------------------------------------------------------------------------------


def read_bases(connection: Connection) -> DataFrame[Bases]:
    """Give what was last agreed on, by pair and field."""
    types = types_of(Bases)
    query = select(*(base.c[name] for name in types)).order_by(*(base.c[name] for name in _BASE))
    found: pd.DataFrame = fetch_frame(connection, query, types)
    return Bases.validate(found, lazy=True)


def save_bases(
    connection: Connection, run_id: str, agreed: DataFrame[Bases], at: datetime
) -> int:  # fmt: skip
    """Keep what is agreed on now; give how many rows differ from what was kept.

    Two blanks end a base: they need none. Pairs that are not named keep theirs, and so does every
    other rule: a draft of an agreement that is only looked at takes nothing from the one in force.
    """
    kept = read_bases(connection)
    values = ["hubspot_base", "salesforce_base"]
    both = agreed.merge(kept, on=_BASE, how="left", suffixes=("", "_kept"), indicator="known")
    is_new = both["known"] == "left_only"
    for name in values:
        old = both[f"{name}_kept"]
        is_new |= ~((both[name] == old) | (both[name].isna() & old.isna())).astype(bool)
    changed = both.loc[is_new, [*_BASE, *values]]
    is_blank = changed["hubspot_base"].isna() & changed["salesforce_base"].isna()
    _forget(connection, changed[is_blank])
    rows = [{**row, "agreed_at": at, "run_id": run_id} for row in rows_of(changed[~is_blank])]
    if rows:
        statement = upsert(connection, base)
        news = {name: statement.excluded[name] for name in [*values, "agreed_at", "run_id"]}
        connection.execute(
            statement.on_conflict_do_update(index_elements=list(base.primary_key), set_=news), rows
        )
    return len(changed)


def _forget(connection: Connection, pairs: pd.DataFrame) -> None:
    if len(pairs):
        connection.execute(
            delete(base).where(*(base.c[name] == bindparam(f"of_{name}") for name in _BASE)),
            [{f"of_{name}": row[name] for name in _BASE} for row in rows_of(pairs)],
        )


# Conflicts ----------------------------------------------------------------------------------------


def save_conflicts(
    connection: Connection, run_id: str, found: DataFrame[Conflicts], at: datetime
) -> None:
    """Make these the conflicts that are open; others are ended, and kept."""
    ids = set(found["conflict_id"])
    is_open = conflict.c.ended_at.is_(None)
    standing = set(connection.scalars(select(conflict.c.conflict_id).where(is_open)))
    for gone in chunks(sorted(standing - ids), _CHUNK):
        connection.execute(
            update(conflict).where(conflict.c.conflict_id.in_(gone)).values(ended_at=at)
        )
    new = found[~found["conflict_id"].isin(standing)]
    rows = [{**row, "run_id": run_id, "found_at": at} for row in rows_of(new)]
    if rows:
        again = {"ended_at": None, "found_at": at, "run_id": run_id}
        connection.execute(
            upsert(connection, conflict).on_conflict_do_update(
                index_elements=[conflict.c.conflict_id], set_=again
            ),
            rows,
        )


def open_conflicts(connection: Connection) -> DataFrame[Conflicts]:
    """Give the conflicts that wait for a person, by field and ids."""
    types = types_of(Conflicts)
    query = (
        select(*(conflict.c[name] for name in types))
        .where(conflict.c.ended_at.is_(None))
        .order_by(conflict.c.field, conflict.c.hubspot_id, conflict.c.salesforce_id)
    )
    return Conflicts.validate(fetch_frame(connection, query, types), lazy=True)


def decide_conflict(
    connection: Connection, conflict_id: str, side: str, by: str, at: datetime
) -> bool:
    """Note whose value a person chose; False when no such conflict is open."""
    done = connection.execute(
        update(conflict)
        .where(conflict.c.conflict_id == conflict_id, conflict.c.ended_at.is_(None))
        .values(decision=side, decided_by=by, decided_at=at)
    )
    return bool(done.rowcount)


def read_decisions(connection: Connection) -> pd.DataFrame:
    """Give people's choices: conflict, pair, `field`, both values as they were, `decision`."""
    names = ["conflict_id", *_PAIR, "hubspot_value", "salesforce_value", "decision"]
    query = (
        select(*(conflict.c[name] for name in names))
        .where(conflict.c.decision.is_not(None))
        .order_by(conflict.c.conflict_id)
    )
    return fetch_frame(connection, query, dict.fromkeys(names, "str"))


# Holds --------------------------------------------------------------------------------------------


def read_holds(connection: Connection) -> DataFrame[Holds]:
    """Give the holds that stand, by system, object, record and field."""
    types = types_of(Holds)
    query = (
        select(*(hold.c[name] for name in types))
        .where(hold.c.ended_at.is_(None))
        .order_by(*(hold.c[name] for name in _PLACE))
    )
    return Holds.validate(fetch_frame(connection, query, types), lazy=True)


def add_holds(connection: Connection, holds: DataFrame[Holds], at: datetime) -> None:
    """Hold fields; an earlier hold on the same field ends."""
    for some in chunks(rows_of(holds), _CHUNK):
        end_holds(connection, pd.DataFrame(some), by=str(some[0]["run_id"]), at=at)
        connection.execute(insert(hold), [{**row, "held_at": at} for row in some])


def end_holds(connection: Connection, places: pd.DataFrame, *, by: str, at: datetime) -> int:
    """End the holds on these fields (`system`, `kind`, `record_id`, `field`); give their number."""
    if not len(places):
        return 0
    is_place = (hold.c[name] == bindparam(f"of_{name}") for name in _PLACE)
    done = connection.execute(
        update(hold).where(hold.c.ended_at.is_(None), *is_place).values(ended_at=at, ended_by=by),
        [{f"of_{name}": row[name] for name in _PLACE} for row in rows_of(places)],
    )
    return done.rowcount


def release_holds(
    connection: Connection, run_id: str | None, by: str, at: datetime
) -> int:  # fmt: skip
    """End the holds that one undo made, or all; give their number."""
    query = update(hold).where(hold.c.ended_at.is_(None)).values(ended_at=at, ended_by=by)
    done = connection.execute(query.where(hold.c.run_id == run_id) if run_id else query)
    return done.rowcount


# Our own writes -----------------------------------------------------------------------------------


def own_writes(connection: Connection, fields: Mapping[tuple[str, str], set[str]]) -> pd.DataFrame:
    """Give what we wrote to these fields: record, `field`, `value`, `sent_at`, `answered_at`."""
    query = (
        select(
            outbox.c.system, outbox.c.kind, outbox.c.record_id, outbox.c.after,
            outbox.c.sent_at, outbox.c.answered_at,
        )
        .where(outbox.c.is_shared, outbox.c.sent_at.is_not(None))
        .order_by(outbox.c.sent_at)
    )  # fmt: skip
    rows = [
        (row.system, row.kind, row.record_id, field, value, row.sent_at, row.answered_at)
        for row in connection.execute(query)
        for field, value in row.after.items()
        if field in fields.get((row.system, row.kind), set())
    ]
    names = ["system", "kind", "record_id", "field", "value", "sent_at", "answered_at"]
    types = dict.fromkeys(names[:5], "str") | dict.fromkeys(names[5:], UTC_MICROSECONDS)
    return pd.DataFrame(rows, columns=names).astype(types)
