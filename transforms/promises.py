"""What marketing promised sales, and whether it keeps it: on the same page as sales' clocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from agreement.frames import (
    DataFrame,
    Handoffs,
    HandoffStatus,
    People,
    Promises,
    lookup,
)
from agreement.periods import period_days, period_of
from agreement.policy import Calendar, MarketingPromises

_WHOLE = 1_000_000
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Line:
    """One promise: what it counts, per handoff, and what the promise is.

    `is_counted` says which handoffs it is about, `is_good` which of them keep it. A `most` is
    kept from below.
    """

    promise: str
    unit: str
    promised: int
    is_counted: pd.Series
    is_good: pd.Series
    is_most: bool = False


def promises(
    handoffs: DataFrame[Handoffs],
    status: DataFrame[HandoffStatus],
    people: DataFrame[People],
    rules: MarketingPromises,
    calendar: Calendar,
    now: datetime,
) -> DataFrame[Promises]:
    """Hold marketing's promises against what came, per period of the clocks' starts.

    One row per promise and period, by period, in the agreement's order; periods without a handoff
    give none. Handoffs that carry no clock count for no volume and no acceptance, since marketing
    missed its part there; for completeness and sources all count. Acceptance leaves out what sales
    did not answer in time, or touched too late: sales' miss relieves marketing. A rejected person
    counts for `recycled` once the time is over or they are back.

    Args:
        handoffs: every pass of a person to sales.
        status: how each stands, in the same order.
        people: records of humans; the HubSpot contact's fields are looked at as they are now.
        rules: what was promised.
        calendar: periods and zone.
        now: the run's moment; the running period's pace is scaled to its end.
    """
    lines = list(_lines(handoffs, status, people, rules, now))
    if not lines or handoffs.empty:
        return Promises.validate(_typed([]), lazy=True)
    days = {
        day: period_of(day.to_pydatetime(), calendar)
        for day in handoffs["started_at"].dt.tz_convert(calendar.zone).dt.floor("D").unique()
    }
    local = handoffs["started_at"].dt.tz_convert(calendar.zone).dt.floor("D")
    period = local.map(days).astype("str")
    rows = [
        _row(line, str(name), period == name, _elapsed(str(name), calendar, now))
        for name in sorted(period.unique())
        for line in lines
    ]
    return Promises.validate(_typed(rows), lazy=True)


def _lines(
    handoffs: pd.DataFrame,
    status: pd.DataFrame,
    people: pd.DataFrame,
    rules: MarketingPromises,
    now: datetime,
) -> Iterator[_Line]:
    has_clock = handoffs["relief"].isna()
    every = pd.Series(data=True, index=handoffs.index)
    if rules.mqls is not None:
        yield _Line("volume", "count", rules.mqls, has_clock, has_clock)
    if rules.acceptance is not None:
        is_in_time = status["answer_status"].isin(["in_time", "undated"]) & ~status["is_breached"]
        yield _Line(
            "acceptance",
            "ppm",
            int(rules.acceptance * _WHOLE),
            has_clock & is_in_time,
            handoffs["answer"] == "accepted",
        )
    if rules.completeness:
        yield _Line(
            "completeness",
            "ppm",
            int(rules.completeness.share * _WHOLE),
            every,
            _is_complete(handoffs, people, rules.completeness.fields),
        )
    for source, most in sorted(rules.most_of_source.items()):
        is_of = handoffs["source"] == source
        yield _Line(f"source {source}", "ppm", int(most * _WHOLE), every, is_of, is_most=True)
    if rules.recycled:
        due_at = handoffs["answered_at"] + pd.Timedelta(rules.recycled.within)
        is_back = handoffs["ended_at"] <= due_at
        is_over = is_back | (due_at < pd.Timestamp(now))
        is_rejected = (handoffs["answer"] == "rejected") & handoffs["answered_at"].notna()
        share = int(rules.recycled.share * _WHOLE)
        yield _Line("recycled", "ppm", share, is_rejected & is_over, is_back)


def _is_complete(
    handoffs: pd.DataFrame, people: pd.DataFrame, fields: tuple[str, ...]
) -> pd.Series:
    contacts = people[people["system"] == "hubspot"].set_index("record_id")
    filled = pd.Series(data=True, index=handoffs.index)
    for field in fields:
        value = lookup(handoffs["contact_id"], contacts[field])
        filled &= value.notna() & value.str.strip().ne("")
    return filled


def _elapsed(period: str, calendar: Calendar, now: datetime) -> tuple[int, int]:
    """Give how many days of a period have begun by `now`, and how many it has."""
    first, last = period_days(period, calendar)
    whole = (last - first) // _DAY + 1
    begun = (now.astimezone(calendar.zone_info).date() - first) // _DAY + 1
    return min(max(begun, 1), whole), whole


def _row(line: _Line, period: str, is_in: pd.Series, elapsed: tuple[int, int]) -> dict[str, object]:
    counted = int((line.is_counted & is_in).sum())
    good = int((line.is_counted & line.is_good & is_in).sum())
    begun, whole = elapsed
    actual: int | None
    pace: int | None
    if line.unit == "count":
        actual, pace = good, good * whole // begun
    else:
        actual = good * _WHOLE // counted if counted else None
        pace = actual
    is_kept = None
    if pace is not None:
        is_kept = pace <= line.promised if line.is_most else pace >= line.promised
    return {
        "promise": line.promise,
        "period": period,
        "unit": line.unit,
        "promised": line.promised,
        "actual": actual,
        "pace": pace,
        "counted": counted,
        "is_kept": is_kept,
    }


def _typed(rows: list[dict[str, object]]) -> pd.DataFrame:
    types = {
        "promise": "str",
        "period": "str",
        "unit": "str",
        "promised": "int64",
        "actual": "Int64",
        "pace": "Int64",
        "counted": "int64",
        "is_kept": "boolean",
    }
    return pd.DataFrame(rows, columns=list(types)).astype(types)
