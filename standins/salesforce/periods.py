"""SOQL's named spans of days, such as `LAST_N_DAYS:7`, in a user's time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from standins.salesforce.soql import malformed

_DAY = timedelta(days=1)


def span(word: str, count: int, today: date, fiscal_start: int) -> tuple[date, date]:
    """Give the first day of a span and the day after its last.

    Weeks begin on Sunday; fiscal years begin with the month `fiscal_start`.

    Raises:
        Refused: there is no such span.
    """
    counted = _counted(word, count, today, fiscal_start)
    if counted is not None:
        return counted
    if word in _DAYS:
        start = today + _DAYS[word] * _DAY
        return start, start + _DAY
    if word == "LAST_90_DAYS":
        return today - 90 * _DAY, today + _DAY
    if word == "NEXT_90_DAYS":
        return today + _DAY, today + 91 * _DAY
    side, _, unit = word.partition("_")
    if side in _SIDES and unit in _UNITS:
        step = _SIDES[side]
        return _start(unit, today, step, fiscal_start), _start(unit, today, step + 1, fiscal_start)
    raise malformed(f"unexpected token: '{word}'")


def instants(first: date, after: date, zone: str) -> tuple[datetime, datetime]:
    """Give the moments, UTC, at which two days begin in a zone."""
    place = ZoneInfo(zone)
    begin, end = (datetime.combine(day, time(), place).astimezone(UTC) for day in (first, after))
    return begin, end


_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
_SIDES = {"LAST": -1, "THIS": 0, "NEXT": 1}
_UNITS = frozenset({"WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR"})


def _counted(word: str, count: int, today: date, fiscal_start: int) -> tuple[date, date] | None:
    side, _, unit = word.partition("_N_")
    if side not in {"LAST", "NEXT"} or not unit:
        return None
    if unit == "DAYS":
        if side == "LAST":
            return today - count * _DAY, today + _DAY
        return today + _DAY, today + (count + 1) * _DAY
    unit = unit.removesuffix("S")
    if unit not in _UNITS:
        return None
    first, after = (-count, 0) if side == "LAST" else (1, count + 1)
    return _start(unit, today, first, fiscal_start), _start(unit, today, after, fiscal_start)


def _start(unit: str, today: date, steps: int, fiscal_start: int) -> date:
    """Give the first day of the unit that lies some steps after the one of today."""
    if unit == "WEEK":
        return today - ((today.weekday() + 1) % 7) * _DAY + 7 * steps * _DAY
    size = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit.removeprefix("FISCAL_")]
    begin = fiscal_start - 1 if unit.startswith("FISCAL_") else 0
    months = today.year * 12 + today.month - 1 - begin
    start = months // size * size + steps * size + begin
    return date(start // 12, start % 12 + 1, 1)
