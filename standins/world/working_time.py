"""The working hours that the default agreement promises, kept apart from the code under test.

The same constants stand in `agreement/default.yaml` (calendar, handoff.tiers). They are repeated
here, and worked out by other code, so that a mistake there cannot hide in the truth.
"""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

COMPANY_ZONE = "America/New_York"
OPENS, CLOSES = time(8), time(18)
HOT, MQL = "hot", "mql"
LIMITS = {HOT: timedelta(minutes=60), MQL: timedelta(hours=24)}
ANSWER_WITHIN = timedelta(hours=24)
# A form whose name holds one of these words asks for a talk: its submission at most so long before
# the MQL stamp starts the short clock.
HOT_WORDS = ("demo", "pricing", "contact")
HOT_WITHIN = timedelta(hours=24)
# What has to be tried before nobody being reached is a reason: so often, on so many channels, over
# so long a time.
ATTEMPTS, ATTEMPT_CHANNELS, ATTEMPTS_OVER = 6, 2, timedelta(days=14)
# How long a person is left alone after a rejection, by its reason; None: for ever.
COOL_OFF: dict[str, timedelta | None] = {
    "No answer": timedelta(days=30),
    "No budget": timedelta(days=90),
    "Wrong fit": None,
    "Competitor": None,
    "Student or job seeker": None,
}
# An owner who came after this share of the limit is not to blame.
LATE_REASSIGNMENT = 0.5

_FIRST, _LAST = date(2025, 1, 1), date(2027, 3, 31)


class WorkingTime:
    """Monday to Friday 08:00-18:00 by the wall clock of one zone, closed on US public holidays.

    Knows the days from 2025-01-01 to 2027-03-31. Instants count in whole seconds.
    """

    def __init__(self, zone: str) -> None:
        wall = ZoneInfo(zone)
        closed = holidays.country_holidays("US", years=range(_FIRST.year, _LAST.year + 1))
        days = (_FIRST + timedelta(days=n) for n in range((_LAST - _FIRST).days + 1))
        working = [day for day in days if day.weekday() < 5 and day not in closed]
        self._opens = [_seconds(datetime.combine(day, OPENS, wall)) for day in working]
        self._closes = [_seconds(datetime.combine(day, CLOSES, wall)) for day in working]
        self._before = [0]
        for opens, closes in zip(self._opens, self._closes, strict=True):
            self._before.append(self._before[-1] + closes - opens)

    def due_at(self, start: datetime, limit: timedelta) -> datetime:
        """Give the earliest instant at which the working time since `start` equals `limit`."""
        target = self._worked(_seconds(start)) + int(limit.total_seconds())
        day = bisect_left(self._before, target) - 1
        return datetime.fromtimestamp(self._opens[day] + target - self._before[day], tz=UTC)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Give the working time from `start` to `end`; nothing when the end is not later."""
        return timedelta(
            seconds=max(0, self._worked(_seconds(end)) - self._worked(_seconds(start)))
        )

    def _worked(self, instant: int) -> int:
        """Give the open seconds from the first day to an instant."""
        day = bisect_right(self._opens, instant) - 1
        if day < 0:
            return 0
        return self._before[day] + min(instant, self._closes[day]) - self._opens[day]


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())


@cache
def working_time(zone: str) -> WorkingTime:
    """Give the working hours of a zone, made once."""
    return WorkingTime(zone)
