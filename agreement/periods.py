"""Reward periods: fiscal quarters of the agreement's calendar, in its zone."""

from datetime import date, datetime

from agreement.policy import Calendar


def period_of(moment: datetime, calendar: Calendar) -> str:
    """Name the quarter that an instant falls in, read in the calendar's zone, such as `2027-Q1`.

    A fiscal year is named after the calendar year in which it ends when it does not start in January.
    """
    return period_of_day(moment.astimezone(calendar.zone_info).date(), calendar.fiscal_year_start)


def period_of_day(day: date, fiscal_year_start: int) -> str:
    """Name the fiscal quarter of a day.

    >>> period_of_day(date(2027, 3, 31), 1), period_of_day(date(2027, 4, 1), 4)
    ('2027-Q1', '2028-Q1')
    """
    month = (day.month - fiscal_year_start) % 12
    year = day.year + (fiscal_year_start > 1 and day.month >= fiscal_year_start)
    return f"{year}-Q{month // 3 + 1}"


def periods_between(first: date, last: date, fiscal_year_start: int) -> tuple[str, ...]:
    """List the quarters that start on or after `first` and have begun by `last`, in order."""
    starts = (
        date(year, month, 1)
        for year in range(first.year, last.year + 1)
        for month in range(1, 13)
        if (month - fiscal_year_start) % 3 == 0
    )
    return tuple(period_of_day(day, fiscal_year_start) for day in starts if first <= day <= last)
