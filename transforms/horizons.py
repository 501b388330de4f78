"""The spans of time over which figures are shown: this quarter, and it with three before."""

from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from agreement.periods import period_days, period_of
from agreement.policy import Calendar

_QUARTERS = 4


@dataclass(frozen=True, slots=True)
class Horizon:
    """A span of days, both ends inside, and the fiscal quarters that it is made of."""

    name: str
    first: date
    last: date
    quarters: tuple[str, ...]

    def holds(self, days: pd.Series) -> pd.Series:
        """Tell which dates (ISO text) are inside; a missing one is not."""
        inside = (days >= self.first.isoformat()) & (days <= self.last.isoformat())
        return inside.fillna(value=False).astype(bool)

    def holds_moments(self, moments: pd.Series, zone: str) -> pd.Series:
        """Tell which instants (UTC) are inside, by the days of a zone; a missing one is not."""
        return self.holds(moments.dt.tz_convert(zone).dt.strftime("%Y-%m-%d").astype("str"))

    def overlap_days(self, starts: pd.Series, ends: pd.Series) -> pd.Series:
        """Count the days that spans of days (dates, both ends inside) share with it."""
        begin = starts.clip(lower=pd.Timestamp(self.first))
        end = ends.clip(upper=pd.Timestamp(self.last))
        return ((end - begin).dt.days + 1).clip(lower=0)


def horizons(now: datetime, calendar: Calendar) -> tuple[Horizon, Horizon]:
    """Give `quarter`, the fiscal one that an instant falls in, and `year`: it and three before.

    Days are of the calendar's zone; a quarter is one also where rewards are paid by the month.
    """
    quarterly = calendar.model_copy(update={"period": "quarter"})
    quarters = [period_of(now, quarterly)]
    while len(quarters) < _QUARTERS:
        quarters.insert(0, _quarter_before(quarters[0]))
    first = period_days(quarters[0], quarterly)[0]
    begin, end = period_days(quarters[-1], quarterly)
    return (
        Horizon("quarter", begin, end, (quarters[-1],)),
        Horizon("year", first, end, tuple(quarters)),
    )


def quarters(horizon: Horizon, calendar: Calendar) -> tuple[Horizon, ...]:
    """Give each fiscal quarter of a horizon as one of its own, in order, named after itself."""
    quarterly = calendar.model_copy(update={"period": "quarter"})
    return tuple(
        Horizon(quarter, *period_days(quarter, quarterly), (quarter,))
        for quarter in horizon.quarters
    )


def _quarter_before(quarter: str) -> str:
    year, number = int(quarter[:4]), int(quarter[-1])
    return f"{year}-Q{number - 1}" if number > 1 else f"{year - 1}-Q4"
