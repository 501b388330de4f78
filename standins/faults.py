"""What goes wrong next: a stand-in asks here before it answers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Fault:
    """How one answer fails.

    `status` replaces the answer's own; missing leaves it. With `is_after` the request is carried
    out first, so that its answer is what gets lost. `seconds` pass before the answer; `is_cut` ends
    the connection in the middle of it.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    is_after: bool = False
    is_cut: bool = False


@dataclass(frozen=True)
class _Planned:
    fault: Fault
    template: str | None
    times: int


class Faults:
    """The faults planned for the next requests, first come first served."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

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
        self.plan(Fault(status, headers or {}, is_after=is_after), template=template, times=times)

    def slow_next(self, seconds: float, *, template: str | None = None, times: int = 1) -> None:
        """Let the next answers take their time."""
        self.plan(Fault(seconds=seconds), template=template, times=times)

    def cut_next(self, *, template: str | None = None, times: int = 1) -> None:
        """Carry out the next requests and end the connection in the middle of the answer."""
        self.plan(Fault(is_after=True, is_cut=True), template=template, times=times)

    def plan(self, fault: Fault, *, template: str | None = None, times: int = 1) -> None:
        """Let the next `times` requests fail in a way, those of one template if it is given."""
        with self._lock:
            self._planned.append(_Planned(fault, template, times))

    def take(self, template: str) -> Fault | None:
        """Give the fault for a request and use it up; None when the request is to go well."""
        with self._lock:
            for place, planned in enumerate(self._planned):
                if planned.template in (None, template):
                    self._planned[place] = replace(planned, times=planned.times - 1)
                    self._planned = [each for each in self._planned if each.times > 0]
                    return planned.fault
        return None
