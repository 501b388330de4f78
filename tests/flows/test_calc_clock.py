"""`tandem calc clock` equals a walk to the second: odd seconds, overlapping pauses, hand-overs."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from flows.calc_clock import calc_clock
from tests.reference.minute_walk import MINUTE, Segment, WallCalendar

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham",
         "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "Pacific/Apia"]  # fmt: skip
DAYS = [[(540, 720), (780, 1050)], [(0, 360), (1320, 1440)], [(0, 1440)], [(90, 165)], []]
# Days before a change of the clocks somewhere, and one in the middle of nothing.
BEGINNINGS = [datetime(2026, month, day, tzinfo=UTC)
              for month, day in ((3, 6), (3, 27), (4, 3), (6, 10), (9, 25), (10, 30))]  # fmt: skip
LONGEST = timedelta(days=4)


def random_calendar(lot: random.Random) -> WallCalendar:
    def some_days(count):
        return [date(2026, 1, 1) + timedelta(days=lot.randrange(365)) for _ in range(count)]

    week = {day: lot.choice(DAYS) for day in lot.sample(range(7), lot.randint(2, 7))}
    special = {day: lot.choice(DAYS) for day in some_days(4)}
    return WallCalendar(lot.choice(ZONES), week | {1: DAYS[0]}, set(some_days(12)), special)


def random_case(lot: random.Random, names: list[str]) -> dict:
    start = lot.choice(BEGINNINGS) + timedelta(seconds=lot.randrange(3 * 86_400))
    end = start + timedelta(seconds=lot.randrange(-3600, int(LONGEST.total_seconds())))
    cut = max(start, start + (end - start) * lot.random()).replace(microsecond=0)
    is_handed = end > cut > start and lot.random() < 0.5
    parts = [(start, cut), (cut, end)] if is_handed else [(start, end)]
    pauses = []
    for _ in range(lot.randint(0, 3)):
        begun = start + timedelta(seconds=lot.randrange(-3600, 2 * 86_400))
        pauses.append((begun, begun + timedelta(seconds=lot.randrange(86_400))))
    return {
        "segments": [(lot.choice(names), *part) for part in parts],
        "pauses": pauses,
        "limit": lot.choice([0, 300, 3600, lot.randrange(86_400)]),
    }


def open_pieces(part: Segment, pauses):
    """Yield the stretches in which the clock runs, cut at minutes and where pauses begin or end."""
    edges = sorted(edge for pause in pauses for edge in pause)
    at = part.start
    while at < part.end:
        border = min(part.end, at.replace(second=0) + MINUTE)
        until = min([border, *(edge for edge in edges if at < edge < border)])
        is_paused = any(begun <= at < ended for begun, ended in pauses)
        if not is_paused and part.calendar.is_open(at.replace(second=0)):
            yield at, until
        at = until


def walked_seconds(walk, pauses) -> int:
    pieces = [piece for part in walk for piece in open_pieces(part, pauses)]
    return int(sum((until - at for at, until in pieces), timedelta()).total_seconds())


def walked_due(walk, pauses, limit: int) -> datetime:
    left = timedelta(seconds=limit)
    if not left:
        return walk[0].start
    last = walk[-1]
    longer = Segment(last.calendar, last.start, last.start + timedelta(days=60))
    for part in [*walk[:-1], longer]:
        for at, until in open_pieces(part, pauses):
            if until - at >= left:
                return at + left
            left -= until - at
    raise AssertionError("a limit of a day is reached within 60 days")


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def as_input(calendar: WallCalendar) -> dict:
    def windows(day):
        return [[f"{minutes // 60:02}:{minutes % 60:02}" for minutes in window] for window in day]

    return {
        "zone": calendar.zone,
        "week": {str(day): windows(of_day) for day, of_day in calendar.week.items()},
        "holidays": [str(day) for day in sorted(calendar.closed)],
        "special": {str(day): windows(of_day) for day, of_day in calendar.special.items()},
    }


def as_case(place: int, case: dict) -> dict:
    segments = [
        {"calendar": name, "from": text(begun), "to": text(ended)}
        for name, begun, ended in case["segments"]
    ]
    return {
        "id": str(place),
        "calendar": segments[0]["calendar"],
        "start": segments[0]["from"],
        "end": segments[-1]["to"],
        "limit_seconds": case["limit"],
        "segments": segments if len(segments) > 1 else None,
        "pauses": [[text(begun), text(ended)] for begun, ended in case["pauses"]],
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_working_and_due_time_of_random_cases_equal_a_walk_to_the_second(seed):
    lot = random.Random(seed)  # noqa: S311 - no secret is made of it
    calendars = {f"c{number}": random_calendar(lot) for number in range(6)}
    cases = [random_case(lot, list(calendars)) for _ in range(40)]
    given = {
        "calendars": {name: as_input(calendar) for name, calendar in calendars.items()},
        "cases": [as_case(place, case) for place, case in enumerate(cases)],
    }
    for case, found in zip(cases, calc_clock(given, "random.json")["cases"], strict=True):
        walk = [Segment(calendars[name], *times) for name, *times in case["segments"]]
        assert found["working_seconds"] == walked_seconds(walk, case["pauses"]), case
        due = walked_due(walk, case["pauses"], case["limit"])
        assert found["due_at"] == text(due), case
