"""Deliver: what was decided, at least once and harmless when repeated."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from agreement.records import Change
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.store import OutboxRow
from flows.plan import Plan
from flows.run import Run

log = logging.getLogger(__name__)


def settle(run: Run) -> int:
    """Find out what became of writes whose answer was lost; drop those that were never sent.

    A sent write is settled by reading its record back: what the CRM holds goes into the mirror, so
    that the plan that follows sees the truth and decides anew. Gives the number of lost answers.
    """
    dropped = run.store.abandon_planned(at=utc_now())
    lost = _settle_lost(run, run.store.unsettled(), is_sent_again=False)
    if lost or dropped:
        log.info("settled lost=%d dropped=%d run_id=%s", lost, dropped, run.run_id)
    return lost


def _settle_lost(run: Run, lost: Sequence[OutboxRow], *, is_sent_again: bool) -> int:
    for (system, kind), rows in _by_object(lost):
        crm = _crm(run, system)
        fields = sorted({field for row in rows for field in row.after})
        found = list(crm.read_back(kind, [row.record_id for row in rows], fields))
        run.store.settle_by_reading(rows, found, at=utc_now(), is_sent_again=is_sent_again)
    return len(lost)


def deliver(run: Run, plan: Plan) -> dict[str, dict[str, int]]:
    """Send the plan's writes, batch by batch; give the number confirmed per system and object.

    A batch is marked as sent and committed before its first byte leaves. What a CRM refuses is kept
    with its reason and stops nothing else. Started again after it was stopped half-way, it settles
    what was sent, then goes on.
    """
    _settle_lost(run, run.store.unsettled(run.run_id), is_sent_again=True)
    for (system, kind), rows in _by_object(run.store.planned(run.run_id)):
        confirmed, refused = _deliver_kind(run, _crm(run, system), kind, rows)
        log.info(
            "delivered system=%s kind=%s confirmed=%d refused=%d plan=%s run_id=%s",
            system, kind, confirmed, refused, plan.plan_id, run.run_id,
        )  # fmt: skip
    written: dict[str, dict[str, int]] = {crm.system: {} for crm in run.crms}
    for (system, kind), count in run.store.confirmed(run.run_id).items():
        written[system][kind] = count
    return written


def _deliver_kind(run: Run, crm: Crm, kind: str, rows: Sequence[OutboxRow]) -> tuple[int, int]:
    size = crm.batch_size(kind, len(rows))
    confirmed = answered = 0
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        run.store.mark_sent([row.key for row in batch], at=utc_now())
        for outcomes in crm.update(kind, [Change(row.record_id, row.after) for row in batch]):
            confirmed += run.store.settle(batch, outcomes, at=utc_now())
            answered += len(outcomes)
    return confirmed, answered - confirmed


def _by_object(
    rows: Iterable[OutboxRow],
) -> Iterator[tuple[tuple[str, str], list[OutboxRow]]]:
    for key, group in groupby(rows, key=lambda row: (row.system, row.kind)):
        yield key, list(group)


def _crm(run: Run, system: str) -> Crm:
    return next(crm for crm in run.crms if crm.system == system)
