"""Read the handoff clocks: when each is due, how it stands, and what the whole looks like."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from agreement.business_time import OpenHours, due_at, working_seconds
from agreement.frames import DataFrame, Handoffs, HandoffStatus, as_utc
from agreement.policy import Calendar, Tier

# How many days past the last start or `now` the calendars reach, tried in turn: a limit ends within
# weeks; one that is not used up after ten years belongs to a calendar that never opens.
_HORIZONS = (45, 400, 3660)

# Products of many shares miss a bound that they equal by a few units of the last place.
_CLOSE = 1 + 1e-12


def sla_status(
    handoffs: DataFrame[Handoffs], tiers: Sequence[Tier], calendar: Calendar, now: datetime
) -> DataFrame[HandoffStatus]:
    """Say when each handoff is due, in working time of its zone, and how it stands as of `now`.

    One row per handoff, in the given order. An answer at the due time itself is on time; an
    unanswered handoff is waiting up to its due time and late after it. In a calendar that never
    opens nothing is ever due (`due_at` missing). Whole seconds from the start to the touch, else to
    `now`: `working_seconds` by the calendar, `clock_seconds` by the clock on the wall.
    """
    limits = {tier.name: int(tier.limit.total_seconds()) for tier in tiers}
    limit = handoffs["tier"].map(limits).astype("int64")
    start, zone, touched = handoffs["started_at"], handoffs["zone"], handoffs["touched_at"]
    moment = pd.Timestamp(now).as_unit("us")
    until = touched.fillna(moment)
    calendars, due = _due(start, until, zone, limit, calendar)
    is_late = until > due
    status = np.where(is_late, "late", np.where(touched.notna(), "on_time", "waiting"))
    frame = handoffs.assign(
        due_at=due,
        status=pd.Series(status, index=handoffs.index, dtype="str"),
        is_breached=is_late,
        working_seconds=working_seconds(calendars, zone, start, until),
        clock_seconds=((until - start) // pd.Timedelta(seconds=1)).astype("int64"),
    )
    return HandoffStatus.validate(frame[list(HandoffStatus.to_schema().columns)], lazy=True)


def _due(
    start: pd.Series, until: pd.Series, zone: pd.Series, limit: pd.Series, calendar: Calendar
) -> tuple[Mapping[str, OpenHours], pd.Series]:
    """Lay out the calendar in every zone, far enough for each limit; give it with the due times."""
    if start.empty:
        return {}, start
    first = start.min().date()
    for days in _HORIZONS:
        last = max(start.max(), until.max()).date() + timedelta(days=days)
        hours = {
            name: OpenHours.from_agreement(calendar, name, first, last) for name in zone.unique()
        }
        due = due_at(hours, zone, start, limit)
        if due.notna().all():
            break
    return hours, as_utc(due)


def sla_figures(status: DataFrame[HandoffStatus]) -> dict[str, Any]:
    """Give the response figures of all clocks, and of each tier under `tiers` (rules.md 5).

    `share_within_limit_ppm` counts every clock that started, also the never touched. `median_` and
    `p90_working_seconds` are Kaplan-Meier estimates with waiting and untouched clocks as still
    running; None where the estimate does not get there, and for the median when fewer than half
    were ever touched: then it is more than `longest_working_seconds`, the longest time seen.
    Without any clock the share is 0.
    """
    figures = _figures(status)
    tiers = {str(tier): _figures(rows) for tier, rows in status.groupby("tier", sort=True)}
    return {**figures, "tiers": tiers}


def _figures(status: pd.DataFrame) -> dict[str, Any]:
    count = len(status)
    counts = {
        name: int((status["status"] == name).sum()) for name in ("on_time", "late", "waiting")
    }
    is_touched = status["touched_at"].notna()
    touched = int(is_touched.sum())
    curve = waiting_curve(status["working_seconds"], is_touched)
    return {
        "count": count,
        **counts,
        "never_touched": count - touched,
        "share_within_limit_ppm": counts["on_time"] * 1_000_000 // max(count, 1),
        "median_working_seconds": _reached(curve, 0.5) if touched * 2 >= count else None,
        "p90_working_seconds": _reached(curve, 0.1),
        "longest_working_seconds": int(status["working_seconds"].max()) if count else None,
    }


def waiting_curve(seconds: pd.Series, is_touched: pd.Series) -> pd.Series:
    """Estimate which share is still waiting after so many seconds (Kaplan-Meier).

    One value per distinct time of a touch, in order; a clock that runs on counts up to its own
    time, that one included.

    >>> waiting_curve(pd.Series([1, 2, 3]), pd.Series([True, False, True])).round(3).to_dict()
    {1: 0.667, 3: 0.0}
    """
    times = pd.DataFrame({"seconds": seconds, "touches": is_touched.astype("int64"), "left": 1})
    at_time = times.groupby("seconds")[["touches", "left"]].sum()
    at_risk = at_time["left"][::-1].cumsum()[::-1]
    share = (1 - at_time["touches"] / at_risk).cumprod()
    return share[at_time["touches"] > 0]


def _reached(curve: pd.Series, share: float) -> int | None:
    below = curve.index[curve <= share * _CLOSE + 1e-15]
    return int(below[0]) if len(below) else None
