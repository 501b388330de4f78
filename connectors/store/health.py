"""How the store stands: what waits, what was last good, and a sample of what was written."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from connectors.store.outbox import Values, written_to
from connectors.store.runs import RunRow, last_runs
from connectors.store.tables import alert, conflict, hold, outbox, run, watermark

# Far more runs than a week of watching makes.
_MOST_RUNS = 5000

Sample = Mapping[tuple[str, str], Mapping[str, Values]]


@dataclass(frozen=True, slots=True)
class Health:
    """What waits in the store, counted; times are UTC and missing before the first.

    `read_until` is the oldest watermark of each system. `refused` counts records whose latest write
    a CRM refused.
    """

    last_run: RunRow | None
    last_good_night: RunRow | None
    read_until: Mapping[str, datetime]
    outbox: Mapping[str, int]
    refused: int
    conflicts: int
    holds: int
    unsent_alerts: int


def health(connection: Connection) -> Health:
    """Count what waits."""
    recent = last_runs(connection, _MOST_RUNS)
    return Health(
        last_run=recent[0] if recent else None,
        last_good_night=next(filter(_is_good_night, recent), None),
        read_until={
            row.system: row.until
            for row in connection.execute(
                select(watermark.c.system, func.min(watermark.c.until).label("until"))
                .group_by(watermark.c.system)
                .order_by(watermark.c.system)
            )
        },
        outbox={
            state: _count(connection, outbox.c.state == state) for state in ("planned", "sent")
        },
        refused=_count(connection, outbox.c.state == "refused", outbox.c.run_id == _last_plan()),
        conflicts=_count(connection, conflict.c.ended_at.is_(None)),
        holds=_count(connection, hold.c.ended_at.is_(None)),
        unsent_alerts=_count(connection, alert.c.sent_at.is_(None), alert.c.dropped_at.is_(None)),
    )


def good_night_until(connection: Connection, moment: datetime) -> RunRow | None:
    """Give the latest applied night as of a moment, its own included; None before the first."""
    columns = [run.c[name] for name in RunRow.__dataclass_fields__]
    query = select(*columns).where(run.c.result == "done", run.c.as_of <= moment)
    rows = connection.execute(query.order_by(run.c.as_of.desc(), run.c.started_at.desc()))
    return next(filter(_is_good_night, (RunRow(*row) for row in rows)), None)


def _is_good_night(row: RunRow) -> bool:
    summary = row.summary or {}
    return row.result == "done" and summary.get("mode") == "apply" and not summary.get("scope")


def _last_plan() -> ColumnElement[str]:
    """Name the latest run that planned writes: what was refused before stands refused in it."""
    latest = (
        select(outbox.c.run_id)
        .join(run, run.c.run_id == outbox.c.run_id)
        .order_by(run.c.started_at.desc())
        .limit(1)
    )
    return latest.scalar_subquery()


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).where(*conditions)) or 0


def written_sample(connection: Connection, seed: str, count: int) -> Sample:
    """Choose up to `count` confirmed writes by lot; give what their records' own fields hold by us.

    The same seed chooses the same writes. By system and object, then record; each field has the
    value that was confirmed last.
    """
    pivot = hashlib.sha256(seed.encode()).hexdigest()
    is_own = (outbox.c.state == "confirmed") & ~outbox.c.is_shared
    places = select(outbox.c.system, outbox.c.kind, outbox.c.record_id)
    after, before = (
        connection.execute(places.where(is_own, side).order_by(outbox.c.key).limit(count)).all()
        for side in (outbox.c.key >= pivot, outbox.c.key < pivot)
    )
    chosen: dict[tuple[str, str], dict[str, Values]] = {}
    for system, kind, record_id in sorted({tuple(row) for row in [*after, *before][:count]}):
        of_kind = chosen.setdefault((system, kind), {})
        of_kind[record_id] = _held(connection, system, kind, record_id)
    return chosen


def _held(connection: Connection, system: str, kind: str, record_id: str) -> Values:
    held: dict[str, str | None] = {}
    for write in written_to(connection, system, kind, record_id):
        if write.state == "confirmed" and not write.is_shared:
            held |= write.after
    return held
