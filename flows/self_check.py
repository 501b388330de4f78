"""Self-check: is what we wrote still what the CRMs hold? A few records by lot, read again."""

import logging
from collections.abc import Mapping
from typing import Any

from agreement.errors import VendorUnavailable
from flows.run import Run

log = logging.getLogger(__name__)

_MOST_NAMED = 20


def self_check(run: Run) -> dict[str, Any]:
    """Read a few written records again and compare our own fields; give what agrees.

    The lot is drawn anew each run. `differing` names the first places by id: somebody changed them
    since, or a write was lost, and the next night sets them right. A record that is gone is not
    compared. A CRM that does not answer here stops nothing: everything is written by then.
    """
    count = run.agreement.guards.self_check_records
    sample = run.store.written_sample(run.run_id, count) if count else {}
    agreed, gone, silent = 0, 0, set[str]()
    differing: list[str] = []
    for (system, kind), records in sample.items():
        try:
            found = _read_again(run, system, kind, records)
        except VendorUnavailable:
            silent.add(system)
            continue
        gone += len(records.keys() - found.keys())
        for record_id, held in found.items():
            expected = records[record_id]
            wrong = [name for name, value in expected.items() if held.get(name) != value]
            agreed += len(expected) - len(wrong)
            differing += [f"{system} {kind} {record_id} {name}" for name in wrong]
    log.info("self_check agreed=%d differing=%d run_id=%s", agreed, len(differing), run.run_id)
    return {
        "records": sum(map(len, sample.values())),
        "fields": agreed + len(differing),
        "agreed": agreed,
        "gone": gone,
        "differing": differing[:_MOST_NAMED],
        "not_answered_by": sorted(silent),
    }


def _read_again(
    run: Run, system: str, kind: str, records: Mapping[str, Mapping[str, str | None]]
) -> dict[str, Mapping[str, str | None]]:
    crm = next(crm for crm in run.crms if crm.system == system)
    fields = sorted({field for values in records.values() for field in values})
    # One that was merged away comes with its successor, which is not in the lot.
    return {
        row.record_id: row.values
        for row in crm.read_back(kind, list(records), fields)
        if row.record_id in records and not row.is_deleted
    }
