"""Every error raised on purpose, grouped by who has to act; the exit code of each is stable."""

from typing import ClassVar


class TandemError(Exception):
    """Says what, which record, and the next step; never a secret or a person's details."""

    exit_code = 10
    who_acts: ClassVar[str] = "report it: a fault of ours, or a change at a vendor"


class AgreementError(TandemError):
    """The agreement is wrong; edit the file."""

    exit_code = 3
    who_acts = "whoever keeps the agreement: edit it"


class BadInput(TandemError):
    """A file or setting is wrong; edit it."""

    exit_code = 3
    who_acts = "whoever started this: correct the file, setting or form"


class VendorError(TandemError):
    """Something a CRM answered."""


class VendorRejected(VendorError):
    """The CRM understood the request and refused it; sending it again cannot help."""

    exit_code = 4
    who_acts = "RevOps: fix the record, the rule or the field"

    def __init__(self, system: str, record: str, reason: str, next_step: str) -> None:
        super().__init__(system, record, reason, next_step)
        self.system, self.record, self.reason, self.next_step = system, record, reason, next_step

    def __str__(self) -> str:
        return f"{self.system} refused {self.record}: {self.reason}. {self.next_step}"


class AccessError(VendorError):
    """The token, scope or permission is missing; somebody has to grant it."""

    exit_code = 5
    who_acts = "whoever grants access there: give what is missing, or name who may"

    def __init__(self, system: str, what: str, next_step: str) -> None:
        super().__init__(system, what, next_step)
        self.system, self.what, self.next_step = system, what, next_step

    def __str__(self) -> str:
        return f"{self.system}: {self.what}. {self.next_step}"


class NotGranted(AccessError):
    """The token is good but lacks a scope, permission or licence for one object: skip that one."""


class VendorUnavailable(VendorError):
    """The CRM cannot answer now; wait. The only error worth retrying."""

    exit_code = 6
    who_acts = "nobody yet: the next run goes on where this one stopped"

    def __init__(self, system: str, what: str, next_step: str = "Try again later.") -> None:
        super().__init__(system, what, next_step)
        self.system, self.what, self.next_step = system, what, next_step

    def __str__(self) -> str:
        return f"{self.system} is unavailable: {self.what}. {self.next_step}"


class GuardStopped(TandemError):
    """A guard of the agreement stopped the plan before the first write."""

    exit_code = 7
    who_acts = "RevOps: look at the plan, then approve it or fix the source"


class Stale(TandemError):
    """What the plan saw is no longer there; plan again."""

    exit_code = 8
    who_acts = "nobody: the next night plans anew"


class Busy(TandemError):
    """Another run holds the lock."""

    exit_code = 9
    who_acts = "nobody: start again when the other run has ended"


class BadTable(TandemError):
    """A table broke its promise: our bug, or a vendor's change."""

    exit_code = 10
