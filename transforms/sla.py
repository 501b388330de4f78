"""Read the handoff clocks: when each is due, how it stands, and what the whole looks like."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np
import pandas as pd

from agreement.business_time import OpenHours, clock_due_at, clock_seconds
from agreement.frames import (
    Absences,
    ClockFigures,
    ClockPauses,
    ClockSegments,
    DataFrame,
    Handoffs,
    HandoffStatus,
    Users,
    as_utc,
    lookup,
)
from agreement.policy import Calendar, Handoff
from transforms.handoffs import answer_statuses, causes, last_owners, late_reassignments

# How many days past the last start or `now` the calendars reach, tried in turn: a limit ends within
# weeks; one that is not used up after ten years belongs to a calendar that never opens.
_HORIZONS = (45, 400, 3660)

# Products of many shares miss a bound that they equal by a few units of the last place.
_CLOSE = 1 + 1e-12


def sla_status(
    handoffs: DataFrame[Handoffs],
    segments: DataFrame[ClockSegments],
    pauses: DataFrame[ClockPauses],
    users: DataFrame[Users],
    absences: DataFrame[Absences],
    rules: Handoff,
    calendar: Calendar,
    now: datetime,
) -> DataFrame[HandoffStatus]:
    """Say when each handoff is due, how it stands as of `now`, and why a promise was missed.

    One row per handoff, in the given order. The clock is the sum of its segments, each in its
    owner's working time, without its pauses; the last owner's runs on. An answer at the due time
    itself is on time; an unanswered handoff is waiting up to its due time and late after it. In a
    calendar that never opens nothing is ever due (`due_at` missing). Whole seconds from the start
    to the touch, else to `now`: `working_seconds` by the calendars, `clock_seconds` by the clock on
    the wall.
    """
    moment = pd.Timestamp(now).as_unit("us")
    limits = {tier.name: int(tier.limit.total_seconds()) for tier in rules.tiers}
    limit = handoffs["tier"].map(limits).astype("int64")
    clock = _Clock.of(handoffs, segments, pauses, limit, calendar, moment)
    due = clock.due.where(handoffs["relief"].isna())
    until = handoffs["touched_at"].fillna(moment)
    is_late = until > due
    start = handoffs["started_at"]
    clocks = handoffs.assign(due_at=due, is_breached=is_late)
    clocks["answer_due_at"] = clock.due_after(int(rules.answer_within.total_seconds())).where(
        handoffs["relief"].isna() & handoffs["has_lead"]
    )
    clocks["answer_status"] = answer_statuses(clocks, now)
    late_turn = clock.run_until(_late_turns(clocks, segments)) >= limit * float(
        rules.late_reassignment
    )
    last = last_owners(segments, until.set_axis(handoffs["handoff_id"]))
    teams = users.drop_duplicates("user_id").set_index("user_id")["team"]
    frame = clocks.assign(
        status=_statuses(clocks),
        working_seconds=clock.run_until(until).astype("int64"),
        clock_seconds=((until - start) // pd.Timedelta(seconds=1)).astype("int64"),
        seen_seconds=clock.run_until(handoffs["seen_at"].where(handoffs["seen_at"] <= moment)),
        assigned_seconds=clock.run_until(handoffs["assigned_at"]),
        team=lookup(lookup(handoffs["handoff_id"], last["owner_id"]), teams).set_axis(
            handoffs.index
        ),
        cause=causes(clocks, segments, users, absences, late_turn.fillna(value=False)),
    )
    return HandoffStatus.validate(frame[list(HandoffStatus.to_schema().columns)], lazy=True)


def _statuses(clocks: pd.DataFrame) -> pd.Series:
    status = np.select(
        [clocks["relief"].notna(), clocks["is_breached"], clocks["touched_at"].notna()],
        ["relieved", "late", "on_time"],
        "waiting",
    )
    return pd.Series(status, index=clocks.index, dtype="str")


def _late_turns(clocks: pd.DataFrame, segments: DataFrame[ClockSegments]) -> pd.Series:
    """Give when the last change between human owners was, up to each due time."""
    due = clocks.set_index("handoff_id")["due_at"]
    return lookup(clocks["handoff_id"], late_reassignments(segments, due))


@dataclass(frozen=True)
class _Clock:
    """The clocks of some handoffs: their pieces by owner, their pauses, and when each is due."""

    handoff_id: pd.Series
    hours: Mapping[str, OpenHours]
    segments: pd.DataFrame
    pauses: pd.DataFrame
    due: pd.Series

    @classmethod
    def of(
        cls,
        handoffs: pd.DataFrame,
        segments: pd.DataFrame,
        pauses: pd.DataFrame,
        limit: pd.Series,
        calendar: Calendar,
        moment: pd.Timestamp,
    ) -> Self:
        """Lay out the calendar in every zone, far enough for each limit, and find the due times."""
        names = {"handoff_id": "clock", "zone": "calendar", "starts_at": "start", "ends_at": "end"}
        pieces = segments.rename(columns=names)[["clock", "calendar", "start", "end"]]
        still = pauses.rename(columns=names)[["clock", "start", "end"]]
        ids = handoffs["handoff_id"]
        if handoffs.empty:
            return cls(ids, {}, pieces, still, handoffs["started_at"])
        limits = limit.set_axis(pd.Index(ids))
        first = handoffs["started_at"].min().date()
        for days in _HORIZONS:
            last = max(handoffs["started_at"].max(), moment, pieces["end"].max()).date()
            hours = {
                str(name): OpenHours.from_agreement(
                    calendar, str(name), first, last + timedelta(days=days)
                )
                for name in pieces["calendar"].unique()
            }
            due = clock_due_at(hours, pieces, still, limits)
            if due.notna().all():
                break
        return cls(ids, hours, pieces, still, as_utc(due.set_axis(handoffs.index)))

    def due_after(self, limit: int) -> pd.Series:
        """Find when the same clocks have run for another limit; missing past the calendars' end."""
        limits = pd.Series(limit, index=pd.Index(self.handoff_id))
        if not len(limits):
            return self.due
        found = clock_due_at(self.hours, self.segments, self.pauses, limits)
        return as_utc(found.set_axis(self.due.index))

    def run_until(self, until: pd.Series) -> pd.Series:
        """Tell how long each clock had run by an instant, in whole seconds; missing where it is."""
        if not len(self.handoff_id):
            return pd.Series(index=until.index, dtype="Int64")
        at = lookup(self.segments["clock"], until.set_axis(pd.Index(self.handoff_id)))
        ends = self.segments["end"]
        cut = self.segments.assign(end=ends.mask(ends > at, at))[at.notna()]
        cut = cut[cut["start"] <= cut["end"]]
        run = clock_seconds(self.hours, cut, self.pauses)
        return lookup(self.handoff_id, run).set_axis(until.index).astype("Int64")


def sla_figures(status: DataFrame[HandoffStatus]) -> dict[str, Any]:
    """Give the response figures of all clocks, and of each tier under `tiers` (rules.md 5).

    `share_within_limit_ppm` counts every clock that started, also the never touched. `median_` and
    `p90_working_seconds` are Kaplan-Meier estimates with waiting and untouched clocks as still
    running; None where the estimate does not get there, and for the median when fewer than half
    were ever touched: then it is more than `longest_working_seconds`, the longest time seen.
    Without any clock the share is 0. `causes`, `answers` and `relieved` count why promises were
    missed, how sales' answers stand, and handoffs that carry no clock.
    """
    running = status[status["relief"].isna()]
    tiers = {str(tier): _figures(rows) for tier, rows in running.groupby("tier", sort=True)}
    return {
        **_figures(running),
        "tiers": tiers,
        "causes": _counts(running["cause"]),
        "answers": _counts(running["answer_status"]),
        "relieved": _counts(status["relief"]),
    }


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(value): int(count) for value, count in values.value_counts().sort_index().items()}


def clock_figures(status: DataFrame[HandoffStatus], zone: str) -> DataFrame[ClockFigures]:
    """Give the response figures of all clocks, by tier, source, owner's team, and by week.

    One row per group, the dimensions in that order, their names sorted; weeks are named by the
    Monday, in `zone`, on or before the clock's start. What has no source or team stands under
    "none".
    """
    running = status[status["relief"].isna()].reset_index(drop=True)
    started = running["started_at"].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    week = started - pd.to_timedelta(started.dt.day_of_week, unit="D")
    groups = {
        "all": pd.Series("all", index=running.index, dtype="str"),
        "tier": running["tier"],
        "source": running["source"].fillna("none"),
        "team": running["team"].fillna("none"),
        "week": week.dt.strftime("%Y-%m-%d").astype("str"),
    }
    rows = [
        {"dimension": dimension, "name": str(name), **_figures(part), **_lags(part)}
        for dimension, keys in groups.items()
        for name, part in running.groupby(keys, sort=True)
    ]
    types = {
        name: "str" if str(column.dtype).startswith("str") else str(column.dtype)
        for name, column in ClockFigures.to_schema().columns.items()
    }
    frame = pd.DataFrame(rows, columns=list(types)).astype(types)
    return ClockFigures.validate(frame, lazy=True)


def _lags(status: pd.DataFrame) -> dict[str, int | None]:
    """Give the median of the two lags before the touch; who is still not there keeps waiting."""
    return {
        f"{lag}_median_seconds": _median(
            status[f"{lag}_seconds"].fillna(status["working_seconds"]).astype("int64"),
            status[f"{lag}_at"].notna(),
        )
        for lag in ("seen", "assigned")
    }


def _median(seconds: pd.Series, is_there: pd.Series) -> int | None:
    curve = waiting_curve(seconds, is_there)
    return _reached(curve, 0.5) if int(is_there.sum()) * 2 >= len(seconds) else None


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
        "median_working_seconds": _median(status["working_seconds"], is_touched),
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
