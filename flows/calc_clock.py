"""`tandem calc clock`: working time and due times of a file's cases, as the night reads them."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from pydantic import BeforeValidator, Field, field_validator

from agreement.business_time import OpenHours, clock_due_at, clock_seconds
from agreement.errors import BadInput
from agreement.frames import as_text, as_utc
from flows.calc_credit import Day, Input, Instant, MaybeInstant, checked

_DAY_SECONDS = 86_400
# Due times are looked for so far ahead at first, and ten times as far until all are found.
_HORIZON = timedelta(days=400)
_LATEST = date(9000, 1, 1)
_TIME_OF_DAY = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?")


def _seconds(value: object) -> int:
    """Read a time of day as seconds since midnight; 24:00 is its end."""
    found = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if found:
        hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3] or 0)
        whole = hours * 3600 + minutes * 60 + seconds
        if minutes < 60 and seconds < 60 and whole <= _DAY_SECONDS:
            return whole
    raise ValueError("this is no time of day; write one such as 09:00, 24:00 at most")


def _window(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError('a window is a pair such as ["09:00", "17:30"]')
    start, end = _seconds(value[0]), _seconds(value[1])
    if start >= end:
        raise ValueError(
            "a window ends after it begins; a night shift is two windows on two days, to 24:00 and"
            " from 00:00"
        )
    return start, end


Window = Annotated[tuple[int, int], BeforeValidator(_window)]


class ClockCalendar(Input):
    """Working hours in a zone: windows per weekday (0 = Monday), closed days, days of their own."""

    zone: str
    week: Mapping[int, tuple[Window, ...]]
    holidays: tuple[Day, ...] = ()
    special: Mapping[Day, tuple[Window, ...]] = Field(default_factory=dict)

    @field_validator("zone")
    @classmethod
    def know_the_zone(cls, value: str) -> str:
        """Refuse a zone that does not exist."""
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("this is no IANA zone; write one such as Europe/Berlin") from None
        return value

    @field_validator("week")
    @classmethod
    def know_the_days(cls, value: Mapping[int, Any]) -> Mapping[int, Any]:
        """Refuse a day that is not 0 to 6."""
        for day in value:
            if not 0 <= day <= 6:
                raise ValueError(f"{day} is no weekday; 0 is Monday, 6 is Sunday")
        return value

    @property
    def opens_every_week(self) -> bool:
        """Tell whether some weekday has a window, so that every limit is reached some day."""
        return any(self.week.values())


class Segment(Input):
    """A part of a clock in one owner's calendar; without an end it runs to that of the clock."""

    calendar: str
    start: Annotated[Instant, Field(alias="from")]
    end: Annotated[MaybeInstant, Field(alias="to")] = None


class ClockCase(Input):
    """A clock: from start to end in one calendar, or the segments in which it changed hands."""

    id: str
    calendar: str | None = None
    start: Instant
    end: Instant
    limit_seconds: Annotated[int, Field(ge=0, le=10**9)]
    segments: tuple[Segment, ...] | None = None
    pauses: tuple[tuple[Instant, Instant], ...] | None = None


class ClockInput(Input):
    """A file of clocks."""

    calendars: Mapping[str, ClockCalendar]
    cases: tuple[ClockCase, ...]


def calc_clock(data: Mapping[str, Any], source: str = "input") -> dict[str, Any]:
    """Give working seconds and due time of each case (rules.md 2).

    A case with segments is the sum of them; after the last one the clock is still its owner's, so
    that a limit can be due later. Pauses move the due time too. `due_at` is null where the calendar
    never opens long enough.

    Raises:
        BadInput: one line that names the file, the case or key, and what is wrong.
    """
    given = checked(ClockInput, data, source)
    _refuse_strangers(given, source)
    segments, pauses = _segments(given.cases), _pauses(given.cases)
    limits = pd.Series([case.limit_seconds for case in given.cases], dtype="int64")
    if not given.cases:
        return {"cases": []}
    worked, due = _answer(given, segments, pauses, limits, source)
    return {
        "cases": [
            {"id": case.id, "working_seconds": seconds, "due_at": _instant_text(moment)}
            for case, seconds, moment in zip(given.cases, worked.tolist(), due, strict=True)
        ]
    }


def _refuse_strangers(given: ClockInput, source: str) -> None:
    for case in given.cases:
        names = [part.calendar for part in case.segments or ()] or [case.calendar or ""]
        for name in names:
            if name not in given.calendars:
                raise BadInput(f"{source}: case {case.id}: no calendar {name!r} in calendars")


def _segments(cases: Sequence[ClockCase]) -> pd.DataFrame:
    rows = [
        (place, part.calendar, part.start, part.end or case.end)
        for place, case in enumerate(cases)
        for part in case.segments or ()
    ] + [
        (place, case.calendar, case.start, case.end)
        for place, case in enumerate(cases)
        if not case.segments
    ]
    clock, calendar, start, end = zip(*rows, strict=True) if rows else ((), (), (), ())
    frame = pd.DataFrame(
        {
            "clock": pd.Series(list(clock), dtype="int64"),
            "calendar": as_text(list(calendar)),
            "start": as_utc(list(start)),
            "end": as_utc(list(end)),
        }
    )
    return frame.sort_values("clock", kind="stable", ignore_index=True)


def _pauses(cases: Sequence[ClockCase]) -> pd.DataFrame:
    rows = [(place, *pause) for place, case in enumerate(cases) for pause in case.pauses or ()]
    clock, start, end = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame(
        {
            "clock": pd.Series(list(clock), dtype="int64"),
            "start": as_utc(list(start)),
            "end": as_utc(list(end)),
        }
    )


def _answer(
    given: ClockInput,
    segments: pd.DataFrame,
    pauses: pd.DataFrame,
    limits: pd.Series,
    source: str,
) -> tuple[pd.Series, pd.Series]:
    """Compute on tables of open hours that grow until every due time is found or there is none."""
    first, last = _days_named(given, segments, pauses, source)
    ahead = _HORIZON
    while True:
        until = min(last + ahead, _LATEST)
        hours = {
            name: OpenHours.build(
                calendar.zone,
                calendar.week,
                calendar.holidays,
                calendar.special,
                first,
                until,
            )
            for name, calendar in given.calendars.items()
        }
        due = clock_due_at(hours, segments, pauses, limits)
        if until == _LATEST or not _can_still_be_due(given, segments, due):
            return clock_seconds(hours, segments, pauses), due
        ahead *= 10


def _days_named(
    given: ClockInput, segments: pd.DataFrame, pauses: pd.DataFrame, source: str
) -> tuple[date, date]:
    """Give the first and last UTC day that the file speaks of, with a day around."""
    moments = pd.concat([segments["start"], segments["end"], pauses["end"]])
    first = (moments.min() - timedelta(days=1)).date()
    days = [day for calendar in given.calendars.values() for day in calendar.special]
    last = max([(moments.max() + timedelta(days=1)).date(), *days])
    if first.year < 1900 or last.year > 2500:
        raise BadInput(f"{source}: times have to lie between the years 1900 and 2500")
    return first, last


def _can_still_be_due(given: ClockInput, segments: pd.DataFrame, due: pd.Series) -> bool:
    """Tell whether a longer table can answer more: the last owner's calendar opens every week."""
    last_owner = segments.sort_values(["clock", "start"], kind="stable").groupby("clock")
    names = last_owner["calendar"].last().reindex(due.index)[due.isna()]
    return any(given.calendars[name].opens_every_week for name in names.unique())


def _instant_text(moment: datetime | None) -> str | None:
    """Write an instant in UTC, without a fraction that is zero."""
    if moment is None or pd.isna(moment):
        return None
    text = moment.astimezone(UTC).isoformat().removesuffix("+00:00")
    return f"{text.rstrip('0') if '.' in text else text}Z"
