"""Whole weeks, from a Monday to its Sunday, on the wall clock of a zone."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

_DAYS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday on, as the wall clock of `zone` counts them."""

    first: date
    zone: str

    @property
    def last(self) -> date:
        """Give its Sunday."""
        return self.first + _DAYS - timedelta(days=1)

    @property
    def before(self) -> "Week":
        """Give the week before it."""
        return Week(self.first - _DAYS, self.zone)

    def holds(self, moments: pd.Series) -> pd.Series:
        """Tell which instants (UTC) are inside; a missing one is not."""
        local = moments.dt.tz_convert(self.zone).dt.tz_localize(None)
        start = pd.Timestamp(self.first)
        return (local >= start) & (local < start + _DAYS)


def last_week(now: datetime, zone: str) -> Week:
    """Give the latest week that is over at an instant.

    >>> from datetime import UTC
    >>> last_week(datetime(2026, 11, 16, 4, 59, tzinfo=UTC), "America/New_York").first.isoformat()
    '2026-11-02'
    >>> last_week(datetime(2026, 11, 16, 5, tzinfo=UTC), "America/New_York").first.isoformat()
    '2026-11-09'
    """
    today = now.astimezone(ZoneInfo(zone)).date()
    return Week(today - timedelta(days=today.weekday()) - _DAYS, zone)
