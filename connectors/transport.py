"""What the roads to both vendors share: addresses, pace, budget, repeats.

A vendor's answer becomes one of our errors where it is read, in the vendor's own connector; nothing
here knows what a request says.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

from agreement.errors import BadInput, VendorUnavailable

T = TypeVar("T")

_LONGEST_WAIT_SECONDS = 60.0


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name is this machine: `localhost` or a loopback address."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(setting: str, url: str) -> str:
    """Accept https anywhere and plain http on loopback; give the address without a trailing slash.

    Raises:
        BadInput: anything else. The address itself is not repeated, since it may hold a secret.
    """
    try:
        parts = urlsplit(url)
        is_known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_known = False
    if not is_known or parts.scheme not in {"http", "https"}:
        raise BadInput(f"{setting} is no web address; write one such as https://example.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise BadInput(
            f"{setting} is plain http to another machine, where a token could be read; use https"
        )
    return url.rstrip("/")


class Pacer:
    """Let at most `count` requests pass in any `seconds`; shared by threads. None lets all pass."""

    def __init__(
        self,
        count: int | None,
        seconds: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._count, self._seconds = count, seconds
        self._monotonic, self._sleep = monotonic, sleep
        self._passed: deque[float] = deque(maxlen=count or 1)
        self._not_before = -math.inf
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when one more request may leave.

        The moment is reserved under the lock and slept outside it, so that threads queue in order.
        """
        if self._count is None:
            return
        with self._lock:
            now = self._monotonic()
            is_full = len(self._passed) == self._count
            earliest = self._passed[0] + self._seconds if is_full else now
            moment = max(now, earliest, self._not_before)
            self._passed.append(moment)
        if moment > now:
            self._sleep(moment - now)

    def pause(self, seconds: float) -> None:
        """Let nothing pass for a while: the vendor said that this lane is full.

        So that the other threads do not knock in vain, each time at the cost of one request.
        """
        with self._lock:
            self._not_before = max(self._not_before, self._monotonic() + seconds)


class Budget:
    """The requests that one run may send to one vendor.

    At most `limit`, which None leaves open; and, once `agree` was called and the vendor has told
    its daily quota, at most the agreed share of that. `quota` is the day's requests that are left
    and how many there are, as the vendor last told.
    """

    def __init__(self, system: str, limit: int | None = None) -> None:
        self.system, self.limit, self.spent = system, limit, 0
        self.quota: tuple[int, int] | None = None
        self._answered = 0
        self._share: Decimal | None = None
        self._reserve = Decimal(0)
        self._lock = threading.Lock()

    def agree(self, share: Decimal, reserve: Decimal) -> None:
        """Use at most this share of the daily quota.

        And leave the reserve, a share of the quota too, to others, whoever used up the rest.
        """
        self._share, self._reserve = share, reserve

    def learn(self, quota: int, left: int) -> None:
        """Take over what the vendor says, with an answer, of its daily quota and what is left.

        Requests under way may be in that already or not, and answers come in any order: what is
        left is counted low rather than high.
        """
        self.quota = (left, quota)
        if self._share is None:
            return
        with self._lock:
            known = self._answered + 1
            limits = [int(quota * self._share), known + left - int(quota * self._reserve)]
            if self.limit is not None:
                limits.append(self.limit)
            self.limit = max(0, min(limits))

    def spend(self) -> None:
        """Count one request.

        Raises:
            VendorUnavailable: the run's share is used up; nothing was sent.
        """
        with self._lock:
            if self.limit is not None and self.spent >= self.limit:
                raise VendorUnavailable(
                    self.system,
                    f"this run's share of {self.limit:,} requests is used up",
                    "The next run goes on where this one stopped.",
                )
            self.spent += 1

    def settle(self) -> None:
        """Count one request as answered, however it went."""
        with self._lock:
            self._answered += 1


class Again(Exception):
    """The request failed in a way that waiting can cure.

    `after_seconds` is what the vendor asked for. `is_refused` says that the vendor did nothing with
    it (a limit, a lock), so that even a creation may be repeated.
    """

    def __init__(
        self,
        error: VendorUnavailable,
        *,
        after_seconds: float | None = None,
        is_refused: bool = False,
    ) -> None:
        super().__init__(error, after_seconds, is_refused)
        self.error, self.after_seconds, self.is_refused = error, after_seconds, is_refused


class Road:
    """The road to one vendor: each request waits its turn, is counted, is repeated if harmless."""

    def __init__(
        self,
        budget: Budget,
        pacers: dict[str, Pacer],
        *,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
        seed: int = 0,
    ) -> None:
        self.budget, self.pacers, self.attempts = budget, pacers, attempts
        self._sleep, self._jitter = sleep, random.Random(seed)  # noqa: S311 - spreads retries only

    @property
    def calls(self) -> int:
        """Count the requests sent."""
        return self.budget.spent

    def travel(
        self, send: Callable[[], T], *, is_repeatable: bool, lanes: Sequence[str] = ("all",)
    ) -> T:
        """Send one request; repeat it with growing, jittered waits while it says `Again`.

        Args:
            send: does the request and raises `Again`, or one of our errors, on a failed answer.
            is_repeatable: doing it twice is the same as once (reads, setting values).
            lanes: the pacers that apply.

        Raises:
            VendorUnavailable: it did not work in the end, or the vendor asks for a longer wait than
                a run should sleep.
        """
        attempt = 0
        while True:
            attempt += 1
            self.budget.spend()
            for lane in lanes:
                self.pacers[lane].wait()
            try:
                return self._sent(send)
            except Again as again:
                wait = self._wait_before(attempt, again, is_repeatable=is_repeatable)
                if wait is None:
                    raise again.error from None
                if again.is_refused:
                    for lane in lanes:
                        self.pacers[lane].pause(wait)
                self._sleep(wait)

    def _sent(self, send: Callable[[], T]) -> T:
        try:
            return send()
        finally:
            self.budget.settle()

    def _wait_before(self, attempt: int, again: Again, *, is_repeatable: bool) -> float | None:
        if attempt >= self.attempts or not (is_repeatable or again.is_refused):
            return None
        growing = 0.5 * 2.0 ** (attempt - 1) * (0.5 + self._jitter.random())
        wait = growing if again.after_seconds is None else again.after_seconds
        return wait if wait <= _LONGEST_WAIT_SECONDS else None
