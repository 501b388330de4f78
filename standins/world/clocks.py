"""Read the truth about each pass off the human's own acts, owners and answers."""

from collections.abc import Iterable
from datetime import datetime

from standins.world.cast import Human, Pass, Rep
from standins.world.office import Office
from standins.world.owners import Stretch, due, stretches, worked
from standins.world.truth import HandoffTruth
from standins.world.words import UNREACHED
from standins.world.working_time import (
    ANSWER_WITHIN,
    ATTEMPT_CHANNELS,
    ATTEMPTS,
    ATTEMPTS_OVER,
    COOL_OFF,
    LATE_REASSIGNMENT,
    MQL,
)
from standins.world.years import AS_OF


def handoff_truths(human: Human, office: Office) -> list[HandoffTruth]:
    """Tell how each pass of a human stands, and why a promise was missed."""
    return [_truth(human, one, office) for one in human.passes]


def _truth(human: Human, one: Pass, office: Office) -> HandoffTruth:
    carrier, start = human.carrier, one.started_at
    touched_at, evidence_id = _first_touch(human, start)
    relief = _relief(human, one)
    parts = stretches(human, start, AS_OF)
    then = _at(parts, touched_at or one.ended_at or AS_OF)
    seen_at = _first((known.created_at for known in human.salesforce), start)
    assigned_at = next((part.start for part in parts if part.is_person), None)
    status = "relieved" if relief else _status(one.due_at, touched_at)
    answer_status = None if relief else _answer_status(human, one)
    missed = _Missed(human, one, office, parts, seen_at, assigned_at, touched_at)
    return HandoffTruth(
        hubspot_id=human.contact.id,
        salesforce_kind=carrier.kind if carrier else None,
        salesforce_id=carrier.id if carrier else None,
        cycle=one.cycle,
        tier=one.tier,
        owner_id=then.owner.salesforce_id if then.owner else None,
        zone=then.zone,
        mql_at=one.mql_at,
        started_at=start,
        due_at=one.due_at,
        seen_at=seen_at,
        assigned_at=assigned_at,
        touched_at=touched_at,
        evidence_id=evidence_id,
        status=status,
        seen_seconds=_seconds(human, one, seen_at),
        assigned_seconds=_seconds(human, one, assigned_at),
        working_seconds=_seconds(human, one, touched_at or AS_OF) or 0,
        answer=one.answer,
        answer_reason=one.answer_reason,
        answered_at=one.answered_at,
        answer_status=answer_status,
        relief=relief,
        cause=None if relief else missed.cause(status, answer_status),
    )


def _seconds(human: Human, one: Pass, until: datetime | None) -> int | None:
    if until is None:
        return None
    return int(worked(human, one.started_at, until, one.pauses).total_seconds())


def _at(parts: list[Stretch], moment: datetime) -> Stretch:
    return [part for part in parts if part.start <= moment][-1]


def _first(stamps: Iterable[datetime | None], start: datetime) -> datetime | None:
    """Give the first of some stamps, not before the start; nothing when there is none."""
    known = [at for at in stamps if at]
    return max(start, min(known)) if known else None


def _first_touch(human: Human, started_at: datetime) -> tuple[datetime | None, str | None]:
    """Find the first act that stops a clock, at or after its start; of equals the smaller id."""
    stops = [
        (act.stops_at, act.evidence_id)
        for act in human.acts
        if act.stops_at and started_at <= act.stops_at <= AS_OF
    ]
    return min(stops, default=(None, None))


def _status(due_at: datetime, touched_at: datetime | None) -> str:
    if touched_at:
        return "on_time" if touched_at <= due_at else "late"
    return "late" if due_at < AS_OF else "waiting"


def _relief(human: Human, one: Pass) -> str | None:
    """Say why sales has no clock: no address to answer to, or back sooner than agreed, unasked."""
    parts = human.contact.parts or (human.contact,)
    if not any(part.email for part in parts):
        return "below_criteria"
    if one.cycle == 1 or one.tier != MQL:
        return None
    before = human.passes[one.cycle - 2]
    if before.answer != "rejected" or before.answer_reason not in COOL_OFF:
        return None
    wait = COOL_OFF[before.answer_reason]
    is_over = wait and before.answered_at and one.started_at >= before.answered_at + wait
    return None if is_over else "recycled_too_soon"


def _fault(human: Human, one: Pass) -> str | None:
    """Say what a rejection lacks: a reason, or enough tries."""
    if one.answer != "rejected":
        return None
    if one.answer_reason is None:
        return "rejected_without_reason"
    if one.answer_reason != UNREACHED or one.answered_at is None:
        return None
    tries = {
        (act.evidence_id, act.kind, act.stops_at)
        for act in human.acts
        if act.stops_at and one.started_at <= act.stops_at <= one.answered_at
    }
    times = [at for _, _, at in tries]
    is_enough = (
        len(tries) >= ATTEMPTS
        and len({kind for _, kind, _ in tries}) >= ATTEMPT_CHANNELS
        and max(times) - min(times) >= ATTEMPTS_OVER
    )
    return None if is_enough else "too_few_attempts"


def _answer_status(human: Human, one: Pass) -> str | None:
    """Say how sales' answer stands; without a lead there is nothing to answer on."""
    if all(person.kind != "lead" for person in human.salesforce):
        return None
    if _fault(human, one):
        return "not_worked"
    answer_due = due(human, one.started_at, ANSWER_WITHIN, one.pauses)
    if one.answered_at:
        return "late" if one.answered_at > answer_due else "in_time"
    return "silent" if answer_due < AS_OF else "waiting"


class _Missed:
    """Why a pass missed its promise: the first link of the chain that broke."""

    def __init__(
        self,
        human: Human,
        one: Pass,
        office: Office,
        parts: list[Stretch],
        seen_at: datetime | None,
        assigned_at: datetime | None,
        touched_at: datetime | None,
    ) -> None:
        self._human, self._one, self._office, self._parts = human, one, office, parts
        self._seen_at, self._assigned_at, self._touched_at = seen_at, assigned_at, touched_at

    def cause(self, status: str, answer_status: str | None) -> str | None:
        """Name the cause of a touch that is late, else of an answer that is."""
        fault = _fault(self._human, self._one)
        if status != "late":
            late = {"silent": "never_answered", "late": "answered_late"}.get(answer_status or "")
            return fault or late
        return (
            self._of_chain() or fault or ("touched_late" if self._touched_at else "never_touched")
        )

    def _of_chain(self) -> str | None:
        due_at = self._one.due_at
        owner = _at(self._parts, due_at).owner
        if self._seen_at is None or self._seen_at > due_at:
            return "not_seen"
        if self._assigned_at is None or self._assigned_at > due_at:
            return "not_assigned"
        if owner and not owner.is_active:
            return "owner_inactive"
        if owner and self._office.is_absent(owner, due_at):
            return "owner_absent"
        return "reassigned_late" if self._is_reassigned_late() else None

    def _is_reassigned_late(self) -> bool:
        """Tell whether the last change between reps, up to the due time, left too little of it."""
        people: list[tuple[datetime, Rep | None]] = []
        for part in self._parts:
            if part.is_person and (not people or people[-1][1] is not part.owner):
                people.append((part.start, part.owner))
        changes = [at for at, _ in people[1:] if at <= self._one.due_at]
        if not changes:
            return False
        run = worked(self._human, self._one.started_at, changes[-1], self._one.pauses)
        return run >= self._one.limit * LATE_REASSIGNMENT
