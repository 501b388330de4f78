"""What goes wrong next: a stand-in asks here before it answers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Fault:
    """How one answer fails; both stand-ins word it as their vendor does.

    `status` replaces the answer's own; missing leaves it. `code` is the vendor's word for the
    reason where one status has several: `DAILY` or `SECONDLY` beside 429, `CONCURRENT` beside 403.
    With `is_page` a proxy answers in HTML. With `is_after` the request is carried out first, so
    that its answer is what gets lost or late. `seconds` pass before the answer; `is_cut` ends the
    connection in the middle of it. `rows` of a batch of writes are refused with `code`, the others
    are carried out; of a bulk job, so many rows are carried out before it fails.
    """

    status: int | None = None
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    is_after: bool = False
    is_cut: bool = False
    is_page: bool = False
    rows: int = 0

    @property
    def is_instead(self) -> bool:
        """Tell whether the request is not carried out at all."""
        return not self.is_after and (self.status is not None or self.is_cut)


@dataclass(frozen=True)
class _Planned:
    fault: Fault
    template: str | None
    skipped: int
    times: int


class Faults:
    """The faults planned for the next requests, first come first served.

    One plan may serve several stand-ins: their templates differ. `met` counts those that happened.
    """

    def __init__(self) -> None:
        self.met = 0
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """Count the faults that have not happened yet."""
        with self._lock:
            return sum(planned.times for planned in self._planned)

    def answer_next(
        self,
        status: int,
        *,
        template: str | None = None,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        is_after: bool = False,
    ) -> None:
        """Answer the next requests with a status, those of one template if it is given."""
        fault = Fault(status, headers=headers or {}, is_after=is_after)
        self.plan(fault, template=template, times=times)

    def slow_next(self, seconds: float, *, template: str | None = None, times: int = 1) -> None:
        """Let the next answers take their time."""
        self.plan(Fault(seconds=seconds), template=template, times=times)

    def cut_next(self, *, template: str | None = None, times: int = 1) -> None:
        """Carry out the next requests and end the connection in the middle of the answer."""
        self.plan(Fault(is_after=True, is_cut=True), template=template, times=times)

    def plan(
        self, fault: Fault, *, template: str | None = None, nth: int = 1, times: int = 1
    ) -> None:
        """Let requests fail in a way.

        Args:
            fault: the way.
            template: method and path with its variable parts in braces; None for any request.
            nth: which of these requests, counted from now, is the first to fail.
            times: how many in a row.
        """
        with self._lock:
            self._planned.append(_Planned(fault, template, nth - 1, times))

    def clear(self) -> None:
        """Forget what is planned."""
        with self._lock:
            self._planned.clear()

    def take(self, template: str) -> Fault | None:
        """Give the fault for a request and use it up; None when the request is to go well."""
        with self._lock:
            for place, planned in enumerate(self._planned):
                if planned.template not in (None, template):
                    continue
                if planned.skipped:
                    self._planned[place] = replace(planned, skipped=planned.skipped - 1)
                    continue
                self._planned[place] = replace(planned, times=planned.times - 1)
                self._planned = [each for each in self._planned if each.times > 0]
                self.met += 1
                return planned.fault
        return None
