"""Deliver: what was decided, at least once and harmless when repeated."""

import hashlib
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import groupby

from agreement.errors import GuardStopped
from agreement.records import Change
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.store import OutboxRow
from flows.merge import note_agreed
from flows.plan import Plan
from flows.run import Run
from transforms.opt_out import FIELDS as OPT_OUT_FIELDS

log = logging.getLogger(__name__)

# How long what a pull brought counts as still there, for fields that people change too.
FRESH = timedelta(minutes=5)

# Salesforce locks the parent of a row that it writes, and writes the batches of a bulk job side by
# side: children of one parent in two batches would wait for each other, and fail.
PARENTS = {
    ("salesforce", "contact"): "AccountId",
    ("salesforce", "opportunity"): "AccountId",
    ("salesforce", "account"): "ParentId",
    ("salesforce", "campaign"): "ParentId",
}


def guard(run: Run, plan: Plan) -> None:
    """Stop before the first write when the plan meets a guard of the agreement.

    Raises:
        GuardStopped: it does. The plan stays as it is until a later run plans anew.
    """
    if plan.guards:
        raise GuardStopped(
            f"nothing was written: {'; '.join(plan.guards)}. Look at `tandem plan`, then correct "
            f"the source, or approve with `tandem apply {plan.plan_id} --over-guards`"
        )


def settle(run: Run, but_plan: str | None = None) -> int:
    """Find out what became of writes whose answer was lost; drop those that were never sent.

    A sent write is settled by reading its record back: what the CRM holds goes into the mirror, so
    that the plan that follows sees the truth and decides anew. Gives the number of lost answers.
    `but_plan` is a stored plan whose writes still wait. What both CRMs agree on by then is noted.
    """
    dropped = run.store.abandon_planned(at=utc_now(), but_plan=but_plan)
    lost = _settle_lost(run, run.store.unsettled(), is_sent_again=False)
    note_agreed(run)
    if lost or dropped:
        log.info("settled lost=%d dropped=%d run_id=%s", lost, dropped, run.run_id)
    return lost


def _settle_lost(run: Run, lost: Sequence[OutboxRow], *, is_sent_again: bool) -> int:
    for (system, kind), rows in _by_object(lost):
        crm = _crm(run, system)
        fields = sorted({field for row in rows for field in row.after})
        record_ids = dict.fromkeys(row.record_id for row in rows)
        found = list(crm.read_back(kind, list(record_ids), fields))
        run.store.settle_by_reading(rows, found, at=utc_now(), is_sent_again=is_sent_again)
    return len(lost)


def deliver(run: Run, plan: Plan, canary: Decimal | None = None) -> dict[str, dict[str, int]]:
    """Send the plan's writes, batch by batch; give the number confirmed per system and object.

    A batch is marked as sent and committed before its first byte leaves. What a CRM refuses is kept
    with its reason and stops nothing else. Shared fields whose value moved since the plan saw it
    become stale. Started again after it was stopped half-way, it settles what was sent, then goes
    on.

    Args:
        run: whose writes wait in the outbox.
        plan: what they are of.
        canary: this share of the records is written first, and all of it has to arrive.

    Raises:
        GuardStopped: a record of the canary was refused or had moved; the others wait.
    """
    _settle_lost(run, run.store.unsettled(run.run_id), is_sent_again=True)
    waiting = run.store.planned(run.run_id)
    if canary is not None:
        first = _canaries(waiting, canary)
        _send(run, plan, first)
        _stop_when_not_taken(run, first)
        waiting = run.store.planned(run.run_id)
    _send(run, plan, waiting)
    written: dict[str, dict[str, int]] = {crm.system: {} for crm in run.crms}
    for (system, kind), count in run.store.confirmed(run.run_id).items():
        written[system][kind] = count
    return written


def _send(run: Run, plan: Plan, waiting: Sequence[OutboxRow]) -> None:
    for (system, kind), rows in _by_object(waiting):
        crm = _crm(run, system)
        for is_shared in (False, True):
            some = [row for row in rows if row.is_shared == is_shared]
            if is_shared and some and not _is_fresh(plan):
                some = _still_there(run, crm, kind, some)
            if not some:
                continue
            confirmed, refused = _deliver_kind(run, crm, kind, some)
            log.info(
                "delivered system=%s kind=%s confirmed=%d refused=%d plan=%s run_id=%s",
                system, kind, confirmed, refused, plan.plan_id, run.run_id,
            )  # fmt: skip


def _is_fresh(plan: Plan) -> bool:
    return plan.seen_at is not None and utc_now() - plan.seen_at <= FRESH


def _still_there(run: Run, crm: Crm, kind: str, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """Read what the plan would overwrite; give the writes that still find what it saw.

    An opt-out is always written: whatever the record said before, the stricter wins.
    """
    fields = sorted({field for row in rows for field in row.before})
    found = crm.read_back(kind, [row.record_id for row in rows], fields)
    now_there = {record.record_id: record.values for record in found}
    opt_out = OPT_OUT_FIELDS[crm.system]
    moved = [
        row
        for row in rows
        if (held := now_there.get(row.record_id)) is None
        or any(
            held.get(field) not in (before, row.after[field])
            for field, before in row.before.items()
            if field != opt_out
        )
    ]
    if moved:
        keys = [row.key for row in moved]
        run.store.mark_stale(keys, "the record changed or went since the plan", at=utc_now())
        log.info("stale system=%s kind=%s count=%d run_id=%s",
                 crm.system, kind, len(moved), run.run_id)  # fmt: skip
    gone = {row.key for row in moved}
    return [row for row in rows if row.key not in gone]


def _canaries(waiting: Sequence[OutboxRow], share: Decimal) -> list[OutboxRow]:
    """Choose a share of each object's records, at least one; the same ones every time."""
    chosen: list[OutboxRow] = []
    for _, rows in _by_object(waiting):
        by_lot = sorted(
            {row.record_id for row in rows},
            key=lambda record_id: hashlib.sha256(record_id.encode()).digest(),
        )
        first = set(by_lot[: math.ceil(len(by_lot) * share)])
        chosen += [row for row in rows if row.record_id in first]
    return chosen


def _stop_when_not_taken(run: Run, first: Sequence[OutboxRow]) -> None:
    keys = {row.key for row in first}
    states = [row for row in run.store.written(run_id=run.run_id) if row.key in keys]
    bad = [row for row in states if row.state != "confirmed"]
    if bad:
        raise GuardStopped(
            f"the canary stopped: {len(bad)} of {len(states)} first writes did not arrive, such as "
            f"{bad[0].system} {bad[0].kind} {bad[0].record_id} ({bad[0].state}: {bad[0].answer}). "
            "The others were not sent. Fix the cause and plan again"
        )


def _deliver_kind(run: Run, crm: Crm, kind: str, rows: Sequence[OutboxRow]) -> tuple[int, int]:
    rows = _children_together(run, crm.system, kind, rows)
    size = crm.batch_size(kind, len(rows))
    confirmed = answered = 0
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        run.store.mark_sent([row.key for row in batch], at=utc_now())
        for outcomes in crm.update(kind, [Change(row.record_id, row.after) for row in batch]):
            confirmed += run.store.settle(batch, outcomes, at=utc_now())
            answered += len(outcomes)
    return confirmed, answered - confirmed


def _children_together(
    run: Run, system: str, kind: str, rows: Sequence[OutboxRow]
) -> Sequence[OutboxRow]:
    """Put records of one parent side by side, in order of parent and record."""
    field = PARENTS.get((system, kind))
    if field is None:
        return rows
    mirror = run.store.mirror(system, kind, [field])
    parents = dict(zip(mirror["record_id"], mirror[field].fillna(""), strict=True))
    return sorted(rows, key=lambda row: (parents.get(row.record_id, ""), row.record_id))


def _by_object(
    rows: Iterable[OutboxRow],
) -> Iterator[tuple[tuple[str, str], list[OutboxRow]]]:
    for key, group in groupby(rows, key=lambda row: (row.system, row.kind)):
        yield key, list(group)


def _crm(run: Run, system: str) -> Crm:
    return next(crm for crm in run.crms if crm.system == system)
