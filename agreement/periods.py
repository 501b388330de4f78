"""Reward periods: fiscal quarters or months of the agreement's calendar, in its zone.

A quarter is named after the fiscal year in which it lies, such as `2027-Q1`; a month is named as
everybody names it, such as `2027-04`, wherever the fiscal year starts (rules.md 6).
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile

from agreement.policy import Calendar


def period_of(moment: datetime, calendar: Calendar) -> str:
    """Name the period that an instant falls in, read in the calendar's zone."""
    return period_of_day(moment.astimezone(calendar.zone_info).date(), calendar)


def period_of_day(day: date, calendar: Calendar) -> str:
    """Name the period of a day.

    A fiscal year that does not start in January is named after the calendar year in which it ends.
    """
    if calendar.period == "month":
        return f"{day.year}-{day.month:02d}"
    start = calendar.fiscal_year_start
    quarter = (day.month - start) % 12 // 3 + 1
    return f"{day.year + (start > 1 and day.month >= start)}-Q{quarter}"


def periods_between(first: date, last: date, calendar: Calendar) -> tuple[str, ...]:
    """List the periods that start on or after `first` and have begun by `last`, in order."""
    period = period_of_day(first, calendar)
    if period_days(period, calendar)[0] < first:
        period = next_period(period)
    return tuple(takewhile(lambda each: period_days(each, calendar)[0] <= last, _from(period)))


def _from(period: str) -> Iterator[str]:
    while True:
        yield period
        period = next_period(period)


def period_days(period: str, calendar: Calendar) -> tuple[date, date]:
    """Give the first and the last day of a period.

    Raises:
        ValueError: it is not one of this calendar's.
    """
    year, part = int(period[:4]), period[5:]
    if part.startswith("Q") != (calendar.period == "quarter"):
        raise ValueError(f"{period} is no {calendar.period}")
    start = calendar.fiscal_year_start
    if calendar.period == "month":
        month, length = year * 12 + int(part) - 1, 1
    else:
        month, length = (year - (start > 1)) * 12 + start - 1 + 3 * (int(part[1:]) - 1), 3
    first, after = (date(at // 12, at % 12 + 1, 1) for at in (month, month + length))
    return first, after - timedelta(days=1)


def next_period(period: str) -> str:
    """Name the period after one.

    >>> next_period("2027-Q3"), next_period("2027-Q4"), next_period("2027-12")
    ('2027-Q4', '2028-Q1', '2028-01')
    """
    year, part = int(period[:4]), period[5:]
    if part.startswith("Q"):
        return f"{year}-Q{int(part[1:]) + 1}" if part != "Q4" else f"{year + 1}-Q1"
    return f"{year}-{int(part) + 1:02d}" if part != "12" else f"{year + 1}-01"
