"""Reward periods: fiscal quarters of the agreement's calendar, in its zone."""

from datetime import date, datetime, timedelta

from agreement.policy import Calendar


def period_of(moment: datetime, calendar: Calendar) -> str:
    """Name the quarter that an instant falls in, read in the calendar's zone, such as `2027-Q1`.

    A fiscal year that does not start in January is named after the calendar year in which it ends.
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


def period_days(period: str, fiscal_year_start: int) -> tuple[date, date]:
    """Give the first and the last day of a quarter.

    >>> period_days("2028-Q1", 4)
    (datetime.date(2027, 4, 1), datetime.date(2027, 6, 30))
    """
    year, quarter = int(period[:4]), int(period[6:])
    month = (year - (fiscal_year_start > 1)) * 12 + fiscal_year_start - 1 + 3 * (quarter - 1)
    first, after = (date(which // 12, which % 12 + 1, 1) for which in (month, month + 3))
    return first, after - timedelta(days=1)


def next_period(period: str) -> str:
    """Name the quarter after one.

    >>> next_period("2027-Q3"), next_period("2027-Q4")
    ('2027-Q4', '2028-Q1')
    """
    year, quarter = int(period[:4]), int(period[6:])
    return f"{year}-Q{quarter + 1}" if quarter < 4 else f"{year + 1}-Q1"
