"""Working time the slow way: walk minute by minute and look at the clock on the wall."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


@dataclass(eq=False)
class WallCalendar:
    """Windows in minutes of the local day; instants are whole minutes."""

    zone: str
    week: dict[int, list[tuple[int, int]]]
    closed: set[date] = field(default_factory=set)
    special: dict[date, list[tuple[int, int]]] = field(default_factory=dict)
    _seen: dict[datetime, bool] = field(default_factory=dict)

    def is_open(self, minute: datetime) -> bool:
        if minute not in self._seen:
            self._seen[minute] = self._look(minute.astimezone(ZoneInfo(self.zone)))
        return self._seen[minute]

    def _look(self, wall: datetime) -> bool:
        day, of_day = wall.date(), wall.hour * 60 + wall.minute
        if day in self.special:
            windows = self.special[day]
        elif day in self.closed:
            windows = []
        else:
            windows = self.week.get(day.weekday(), [])
        return any(start <= of_day < end for start, end in windows)


@dataclass(frozen=True)
class Segment:
    calendar: WallCalendar
    start: datetime
    end: datetime


Pause = tuple[datetime, datetime]


def worked_minutes(segments: list[Segment], pauses: list[Pause]) -> int:
    return sum(_counts(part.calendar, at, pauses) for part in segments for at in _minutes(part))


def due(
    segments: list[Segment], pauses: list[Pause], limit_minutes: int, days: int
) -> datetime | None:
    """Walk on in the last owner's calendar for some days; None when it is not reached by then."""
    last = segments[-1]
    longer = Segment(last.calendar, last.start, last.start + timedelta(days=days))
    left = limit_minutes
    if not left:
        return segments[0].start
    for part in [*segments[:-1], longer]:
        for at in _minutes(part):
            left -= _counts(part.calendar, at, pauses)
            if not left:
                return at + MINUTE
    return None


def _counts(calendar: WallCalendar, at: datetime, pauses: list[Pause]) -> bool:
    return calendar.is_open(at) and not any(start <= at < end for start, end in pauses)


def _minutes(part: Segment):
    at = part.start.astimezone(UTC)
    while at < part.end:
        yield at
        at += MINUTE
