"""HubSpot's rate limits; off until a number is set."""

import time
from collections import deque
from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from standins.hubspot.answers import Refusal

_TEN_SECONDS, _SECOND = 10.0, 1.0
_PROFESSIONAL_DAILY = 625_000


class Limits:
    """Counts requests and says when there are too many.

    Windows are measured on the real clock, since clients really wait; the day is the account's.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.per_ten_seconds: int | None = None
        self.searches_per_second: int | None = None
        self.daily: int | None = None
        self.used_today = 0
        self._today: date | None = None
        self._monotonic = monotonic
        self._calls: deque[float] = deque()
        self._searches: deque[float] = deque()

    @property
    def daily_quota(self) -> int:
        """Give the requests of a day; that of the Professional plan when none is set."""
        return _PROFESSIONAL_DAILY if self.daily is None else self.daily

    def check(self, now: datetime, time_zone: str, *, is_search: bool) -> dict[str, str]:
        """Count one request; give the headers of its answer. A search's answer carries none.

        Raises:
            Refusal: 429, the request was one too many.
        """
        today = now.astimezone(ZoneInfo(time_zone)).date()
        if today != self._today:
            self._today, self.used_today = today, 0
        if self.daily is not None and self.used_today >= self.daily:
            raise _too_many("DAILY", "daily")
        self.used_today += 1
        headers = self._check_ten_seconds()
        if not is_search:
            return headers
        full = self.searches_per_second
        if full is not None and self._used(self._searches, _SECOND) >= full:
            raise _too_many("SECONDLY", "secondly")
        self._searches.append(self._monotonic())
        return {}

    def _check_ten_seconds(self) -> dict[str, str]:
        full = self.per_ten_seconds
        if full is None:
            return {}
        used = self._used(self._calls, _TEN_SECONDS)
        headers = {
            "X-HubSpot-RateLimit-Max": str(full),
            "X-HubSpot-RateLimit-Remaining": str(max(0, full - used - 1)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(self.daily_quota),
            "X-HubSpot-RateLimit-Daily-Remaining": str(self.daily_quota - self.used_today),
        }
        if used >= full:
            raise _too_many("TEN_SECONDLY_ROLLING", "ten_secondly_rolling", headers)
        self._calls.append(self._monotonic())
        return headers

    def _used(self, times: deque[float], seconds: float) -> int:
        while times and times[0] <= self._monotonic() - seconds:
            times.popleft()
        return len(times)


def _too_many(policy: str, name: str, headers: dict[str, str] | None = None) -> Refusal:
    # Without Retry-After: the vendor does not promise it.
    group = name.removesuffix("_rolling").replace("_", "-")
    return Refusal(
        429,
        {
            "status": "error",
            "message": f"You have reached your {name} limit.",
            "errorType": "RATE_LIMIT",
            "policyName": policy,
            "groupName": f"publicapi:private-app-api-calls-{group}:1",
        },
        headers,
    )
