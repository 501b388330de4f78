"""Working time of a million intervals in four zones, beside two peers on a sample of the same.

`python -m benchmarks.clock`. Peers walk interval by interval, so they get a sample; their figure is
scaled up to the million.
"""

from dataclasses import replace
from datetime import date, time

import numpy as np
import pandas as pd

from agreement.business_time import OpenHours, due_at, working_seconds
from agreement.policy import load_agreement
from benchmarks.measure import is_installed, line, measured

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham")
COUNT = 1_000_000
SAMPLE = 2_000
_FIRST, _LAST = date(2024, 1, 1), date(2027, 12, 31)


def main() -> None:
    print(f"working time of {COUNT:,} intervals of up to ten days, {len(ZONES)} zones, US holidays")
    line("tandem: working seconds", measured(our_seconds))
    line("tandem: due times", measured(our_due_times))
    print(f"  peers on {SAMPLE:,} of them, scaled to {COUNT:,}; they know no zone, holidays only")
    for name, module, work in (
        ("businesstimedelta", "businesstimedelta", peer_seconds),
        ("pandas CustomBusinessHour (whole hours)", "pandas", pandas_hours),
    ):
        figures = measured(work, rounds=1) if is_installed(module) else None
        if figures is not None:
            figures = replace(figures, cpu_seconds=figures.cpu_seconds * COUNT / SAMPLE)
        line(name, figures)


def intervals(count: int) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Make seeded starts, ends and zones."""
    random = np.random.default_rng(1)
    start = pd.to_datetime(
        pd.Series(random.integers(1_740_000_000, 1_800_000_000, count)), unit="s", utc=True
    ).astype("datetime64[us, UTC]")
    end = start + pd.to_timedelta(random.integers(0, 864_000, count), unit="s").as_unit("us")
    zone = pd.Series(np.array(ZONES)[random.integers(0, len(ZONES), count)], dtype="str")
    return start, end, zone


_INTERVALS: dict[int, tuple[pd.Series, pd.Series, pd.Series]] = {}


def _once(count: int) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Make the intervals in the first round only, so that the median does not hold it."""
    if count not in _INTERVALS:
        _INTERVALS[count] = intervals(count)
    return _INTERVALS[count]


def _calendars() -> dict[str, OpenHours]:
    calendar = load_agreement().calendar
    return {zone: OpenHours.from_agreement(calendar, zone, _FIRST, _LAST) for zone in ZONES}


def our_seconds() -> int:
    start, end, zone = _once(COUNT)
    return int(working_seconds(_calendars(), zone, start, end).sum())


def our_due_times() -> int:
    start, _, zone = _once(COUNT)
    return int(due_at(_calendars(), zone, start, 24 * 3600).notna().sum())


def peer_seconds() -> float:
    import businesstimedelta as peer

    hours = peer.WorkDayRule(start_time=time(8), end_time=time(18), working_days=[0, 1, 2, 3, 4])
    rules = peer.Rules([hours])
    start, end, _ = intervals(SAMPLE)
    return sum(
        rules.difference(one, other).timedelta.total_seconds()
        for one, other in zip(start.dt.to_pydatetime(), end.dt.to_pydatetime(), strict=True)
    )


def pandas_hours() -> int:
    holidays = load_agreement().calendar.holidays.expand(range(_FIRST.year, _LAST.year + 1))
    hour = pd.offsets.CustomBusinessHour(start="08:00", end="18:00", holidays=list(holidays))
    start, end, _ = intervals(SAMPLE)
    return sum(
        len(pd.date_range(one, other, freq=hour))
        for one, other in zip(start.dt.tz_localize(None), end.dt.tz_localize(None), strict=True)
    )


if __name__ == "__main__":
    main()
