"""Deliver: what was decided, at least once and harmless when repeated."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from connectors.crm import Crm

from agreement.records import Change
from connectors.store import OutboxRow
from flows.plan import Plan
from flows.run import Run

log = logging.getLogger(__name__)


def settle(run: Run) -> int:
    """Find out what became of writes whose answer was lost; drop those that were never sent.

    A sent write is settled by reading its record back: what the CRM holds goes into the mirror, so that
    the plan that follows sees the truth and decides anew. Gives the number of lost answers.
    """
    dropped = run.store.abandon_planned()
    lost = run.store.unsettled()
    for (system, kind), rows in _by_object(lost):
        crm = _crm(run, system)
        fields = sorted({field for row in rows for field in row.after})
        found = list(crm.read_back(kind, [row.record_id for row in rows], fields))
        run.store.settle_by_reading(rows, found)
    if lost or dropped:
        log.info("settled lost=%d dropped=%d run_id=%s", len(lost), dropped, run.run_id)
    return len(lost)


def deliver(run: Run, plan: Plan) -> dict[str, dict[str, int]]:
    """Send the plan's writes, batch by batch; give the number confirmed per system and object.

    A batch is marked as sent and committed before its first byte leaves. What a CRM refuses is kept with
    its reason and stops nothing else.
    """
    written: dict[str, Counter[str]] = {crm.system: Counter() for crm in run.crms}
    refused = 0
    for (system, kind), rows in _by_object(run.store.planned(run.run_id)):
        crm = _crm(run, system)
        for start in range(0, len(rows), crm.batch_size()):
            batch = rows[start : start + crm.batch_size()]
            confirmed = _send(run, crm, kind, batch)
            written[system][kind] += confirmed
            refused += len(batch) - confirmed
        log.info(
            "delivered system=%s kind=%s confirmed=%d refused=%d run_id=%s",
            system, kind, written[system][kind], refused, run.run_id,
        )  # fmt: skip
    return {system: dict(sorted(counts.items())) for system, counts in written.items()}


def _send(run: Run, crm: Crm, kind: str, rows: Sequence[OutboxRow]) -> int:
    run.store.mark_sent([row.key for row in rows])
    confirmed = 0
    for outcomes in crm.update(kind, [Change(row.record_id, row.after) for row in rows]):
        confirmed += run.store.settle(rows, outcomes)
    return confirmed


def _by_object(
    rows: Iterable[OutboxRow],
) -> Iterator[tuple[tuple[str, str], list[OutboxRow]]]:
    for key, group in groupby(rows, key=lambda row: (row.system, row.kind)):
        yield key, list(group)


def _crm(run: Run, system: str) -> Crm:
    return next(crm for crm in run.crms if crm.system == system)
