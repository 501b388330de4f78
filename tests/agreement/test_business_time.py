"""Working time against a walk over every minute, and the cases a clock is known to get wrong."""

import itertools
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.business_time import (
    OpenHours,
    clock_due_at,
    clock_seconds,
    due_at,
    working_seconds,
)
from agreement.policy import Calendar, load_agreement
from tests.reference.minute_walk import Segment, WallCalendar, due, worked_minutes

NINE_TO_FIVE = {key: [(9 * 60, 17 * 60)] for key in range(5)}
ALL_WEEK = {key: [(0, 24 * 60)] for key in range(7)}
FIRST, LAST = date(2026, 1, 1), date(2027, 6, 30)


def hours(calendar: WallCalendar, first: date = FIRST, last: date = LAST) -> OpenHours:
    def seconds(windows):
        return [(start * 60, end * 60) for start, end in windows]

    return OpenHours.build(
        calendar.zone,
        {day: seconds(windows) for day, windows in calendar.week.items()},
        calendar.closed,
        {day: seconds(windows) for day, windows in calendar.special.items()},
        first,
        last,
    )


def instants(*texts: str) -> pd.Series:
    return pd.to_datetime(pd.Series(texts), utc=True, format="ISO8601").astype(
        "datetime64[us, UTC]"
    )


def seconds_between(calendar: WallCalendar, start: str, end: str) -> int:
    found = working_seconds({"c": hours(calendar)}, ["c"], instants(start), instants(end))
    return int(found.iloc[0])


def due_after(calendar: WallCalendar, start: str, limit: int) -> pd.Timestamp:
    return due_at({"c": hours(calendar)}, ["c"], instants(start), limit).iloc[0]


CALENDARS = {
    "lunch in Berlin": WallCalendar(
        "Europe/Berlin",
        {key: [(9 * 60, 12 * 60), (13 * 60, 17 * 60 + 30)] for key in range(5)},
        {date(2026, 4, 3), date(2026, 4, 6), date(2026, 10, 26)},
        {date(2026, 3, 31): [(9 * 60, 13 * 60)], date(2026, 10, 31): [(10 * 60, 12 * 60)]},
    ),
    "night shift over the change in New York": WallCalendar(
        "America/New_York",
        {day: [(0, 6 * 60), (22 * 60, 24 * 60)] for day in range(7)},
    ),
    "half past in Kolkata": WallCalendar(
        "Asia/Kolkata", {key: [(9 * 60 + 30, 18 * 60)] for key in range(6)}
    ),
    "twelve forty-five in the Chathams": WallCalendar("Pacific/Chatham", NINE_TO_FIVE),
    "half an hour of summer on Lord Howe": WallCalendar("Australia/Lord_Howe", ALL_WEEK),
    "Sunday to Thursday in Cairo": WallCalendar(
        "Africa/Cairo", {key: [(8 * 60, 16 * 60)] for key in (6, 0, 1, 2, 3)}
    ),
    "small hours in Santiago": WallCalendar(
        "America/Santiago", {key: [(0, 4 * 60), (23 * 60, 24 * 60)] for key in range(7)}
    ),
    "windows that overlap in Los Angeles": WallCalendar(
        "America/Los_Angeles", {key: [(8 * 60, 13 * 60), (12 * 60, 18 * 60)] for key in range(5)}
    ),
}
OPEN_HOURS = {name: hours(calendar) for name, calendar in CALENDARS.items()}
# Around the changes of 2026 in both hemispheres.
BEGINNINGS = [datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 3, 24, tzinfo=UTC),
              datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 9, 24, tzinfo=UTC),
              datetime(2026, 10, 22, tzinfo=UTC), datetime(2026, 10, 29, tzinfo=UTC)]  # fmt: skip


def random_clock(random: np.random.Generator) -> dict:
    """One clock: up to three owners in a row, up to three pauses, a limit."""
    names = list(CALENDARS)
    start = BEGINNINGS[random.integers(len(BEGINNINGS))] + timedelta(
        minutes=int(random.integers(6 * 1440))
    )
    cuts = [start]
    for _ in range(random.integers(1, 4)):
        cuts.append(cuts[-1] + timedelta(minutes=int(random.integers(-60, 2 * 1440))))
    segments = [
        (names[random.integers(len(names))], begun, ended)
        for begun, ended in itertools.pairwise(cuts)
    ]
    pauses = []
    for _ in range(random.integers(0, 4)):
        begun = start + timedelta(minutes=int(random.integers(-300, 3 * 1440)))
        pauses.append((begun, begun + timedelta(minutes=int(random.integers(0, 900)))))
    # Clocks follow each other: a segment of no length is legal, one that runs back is no handover.
    segments = [part for part in segments if part[2] >= part[1]] or [segments[0]]
    return {"segments": segments, "pauses": pauses, "limit": int(random.integers(0, 1200))}


def frames(clocks: list[dict]) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    rows = [(place, *part) for place, clock in enumerate(clocks) for part in clock["segments"]]
    pauses = [(place, *pause) for place, clock in enumerate(clocks) for pause in clock["pauses"]]
    time = "datetime64[us, UTC]"
    return (
        pd.DataFrame(rows, columns=["clock", "calendar", "start", "end"]).astype(
            {"start": time, "end": time}
        ),
        pd.DataFrame(pauses, columns=["clock", "start", "end"]).astype(
            {"clock": "int64", "start": time, "end": time}
        ),
        pd.Series([clock["limit"] * 60 for clock in clocks]),
    )


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_working_and_due_time_equal_a_walk_over_every_minute(count):
    random = np.random.default_rng(count)
    clocks = [random_clock(random) for _ in range(count)]
    segments, pauses, limits = frames(clocks)
    worked = clock_seconds(OPEN_HOURS, segments, pauses).tolist()
    dues = clock_due_at(OPEN_HOURS, segments, pauses, limits).tolist()
    for clock, seconds, found in zip(clocks, worked, dues, strict=True):
        walk = [Segment(CALENDARS[name], *times) for name, *times in clock["segments"]]
        assert seconds == 60 * worked_minutes(walk, clock["pauses"]), clock
        assert found == due(walk, clock["pauses"], clock["limit"], days=40), clock


@pytest.mark.parametrize("name", CALENDARS)
def test_one_clock_in_one_calendar_equals_the_walk(name):
    random = np.random.default_rng(5)
    starts = [BEGINNINGS[n % 6] + timedelta(minutes=int(random.integers(6 * 1440)))
              for n in range(60)]  # fmt: skip
    ends = [start + timedelta(minutes=int(random.integers(-200, 3 * 1440))) for start in starts]
    worked = working_seconds(OPEN_HOURS, [name] * 60, instants(*map(str, starts)), pd.Series(ends))
    dues = due_at(OPEN_HOURS, [name] * 60, pd.Series(starts), 7 * 3600)
    for start, end, seconds, found in zip(starts, ends, worked, dues, strict=True):
        walk = [Segment(CALENDARS[name], start, end)]
        assert seconds == 60 * worked_minutes(walk, [])
        assert found == due(walk, [], 7 * 60, days=40)


def test_an_hour_that_spring_skips_counts_nothing():
    open_always = WallCalendar("Europe/Berlin", ALL_WEEK)
    small_hours = WallCalendar("Europe/Berlin", {key: [(60, 240)] for key in range(7)})
    day = ("2026-03-28T23:00Z", "2026-03-29T22:00Z")
    assert seconds_between(open_always, *day) == 23 * 3600
    assert seconds_between(small_hours, *day) == 2 * 3600


def test_an_hour_that_autumn_repeats_counts_twice():
    small_hours = WallCalendar("Europe/Berlin", {key: [(120, 180)] for key in range(7)})
    assert seconds_between(small_hours, "2026-10-24T22:00Z", "2026-10-25T23:00Z") == 2 * 3600


def test_twenty_four_oclock_ends_a_day_and_joins_the_next():
    calendar = WallCalendar("UTC", {0: [(22 * 60, 24 * 60)], 1: [(0, 6 * 60)]})
    assert seconds_between(calendar, "2026-03-02T20:00Z", "2026-03-03T12:00Z") == 8 * 3600
    assert due_after(calendar, "2026-03-02T22:00Z", 3 * 3600) == pd.Timestamp("2026-03-03T01:00Z")


def test_an_answer_before_the_start_counts_nothing():
    calendar = WallCalendar("UTC", ALL_WEEK)
    assert seconds_between(calendar, "2026-03-03T10:00Z", "2026-03-03T09:00Z") == 0


def test_a_limit_used_up_at_closing_is_due_at_closing():
    calendar = WallCalendar("UTC", NINE_TO_FIVE)
    assert due_after(calendar, "2026-03-02T16:00Z", 3600) == pd.Timestamp("2026-03-02T17:00Z")
    assert due_after(calendar, "2026-03-02T16:00Z", 3601) == pd.Timestamp("2026-03-03T09:00:01Z")


def test_a_limit_of_nothing_is_due_at_the_start_even_while_closed():
    calendar = WallCalendar("UTC", NINE_TO_FIVE)
    assert due_after(calendar, "2026-03-01T12:00Z", 0) == pd.Timestamp("2026-03-01T12:00Z")


def test_a_calendar_that_never_opens_has_no_due_time_and_no_working_time():
    never = WallCalendar("UTC", {})
    assert due_after(never, "2026-03-01T12:00Z", 60) is pd.NaT
    assert seconds_between(never, "2026-03-01T12:00Z", "2026-04-01T12:00Z") == 0


def test_parts_of_a_second_are_added_up_before_they_are_dropped():
    calendar = WallCalendar("UTC", {0: [(9 * 60, 10 * 60), (11 * 60, 12 * 60)]})
    start, end = "2026-03-02T09:59:59.400Z", "2026-03-02T11:00:00.600Z"
    assert seconds_between(calendar, start, end) == 1
    assert seconds_between(calendar, start, "2026-03-02T11:00:00.399Z") == 0


def test_a_special_day_has_its_own_hours_even_on_a_holiday():
    day = date(2026, 12, 24)
    calendar = WallCalendar("UTC", NINE_TO_FIVE, {day}, {day: [(9 * 60, 13 * 60)]})
    assert seconds_between(calendar, "2026-12-24T00:00Z", "2026-12-25T00:00Z") == 4 * 3600


def test_an_instant_outside_the_table_is_refused_and_not_counted_as_closed():
    with pytest.raises(ValueError, match="outside the days"):
        seconds_between(WallCalendar("UTC", ALL_WEEK), "2026-03-01T00:00Z", "2029-01-01T00:00Z")


def test_a_missing_instant_is_refused():
    table = {"c": hours(WallCalendar("UTC", ALL_WEEK))}
    with pytest.raises(ValueError, match="missing"):
        working_seconds(table, ["c"], instants("2026-03-01T00:00Z"), pd.Series([pd.NaT]))


def test_a_calendar_nobody_defined_is_refused():
    table = {"c": hours(WallCalendar("UTC", ALL_WEEK))}
    at = instants("2026-03-01T00:00Z")
    with pytest.raises(KeyError, match="zurich"):
        working_seconds(table, ["zurich"], at, at)
    with pytest.raises(KeyError, match="no calendar"):
        working_seconds(table, pd.Series(["c", None]), instants(*["2026-03-01T00:00Z"] * 2), at)


def test_no_rows_give_no_rows():
    nothing = pd.Series([], dtype="datetime64[us, UTC]")
    assert working_seconds({}, [], nothing, nothing).empty
    assert due_at({}, [], nothing, 60).empty


def test_the_agreements_week_and_holidays_are_read_in_the_owners_zone():
    calendar: Calendar = load_agreement().calendar
    table = {
        zone: OpenHours.from_agreement(calendar, zone, date(2026, 11, 1), date(2026, 12, 1))
        for zone in ("America/New_York", "Asia/Kolkata")
    }
    # Veterans Day, a Wednesday, is closed; the day before it 08:00-18:00 local is open.
    start, end = instants(*["2026-11-10T00:00Z"] * 2), instants(*["2026-11-12T00:00Z"] * 2)
    assert working_seconds(table, list(table), start, end).tolist() == [10 * 3600] * 2
    dues = due_at(table, list(table), start, 3600)
    assert dues.tolist() == instants("2026-11-10T14:00Z", "2026-11-10T03:30Z").tolist()


minutes = st.integers(0, 60 * 24 * 60)
BASE = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.sampled_from(sorted(CALENDARS)), minutes, minutes, minutes)
def test_working_time_adds_up_over_neighbouring_intervals(name, first, second, third):
    at = [
        pd.Series([BASE + timedelta(minutes=minute)]) for minute in sorted([first, second, third])
    ]
    early, late, whole = (
        working_seconds(OPEN_HOURS, [name], at[start], at[end]).iloc[0]
        for start, end in ((0, 1), (1, 2), (0, 2))
    )
    assert early + late == whole


@given(st.sampled_from(sorted(CALENDARS)), minutes, st.integers(1, 200_000))
def test_exactly_the_limit_is_worked_by_the_due_time_and_less_just_before(name, minute, limit):
    start = pd.Series([BASE + timedelta(minutes=minute)])
    found = due_at(OPEN_HOURS, [name], start, limit)
    a_second_before = found - pd.Timedelta(seconds=1)
    assert working_seconds(OPEN_HOURS, [name], start, found).iloc[0] == limit
    assert working_seconds(OPEN_HOURS, [name], start, a_second_before).iloc[0] < limit
