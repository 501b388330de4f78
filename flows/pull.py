"""Pull: bring the mirror up to the run's moment, one object at a time."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from connectors.clock import utc_now
from connectors.crm import Crm
from transforms.normalise import ASSOCIATED, FIELDS, HISTORY_FIELDS, fields_to_pull

from agreement.errors import AccessError, GuardStopped
from agreement.records import Window
from flows.provision import our_fields
from flows.run import Run

log = logging.getLogger(__name__)

# Vendors stamp a change when its transaction starts and show it when it ends, and HubSpot's index
# lags behind its records: read again what lies this far behind the watermark. Rows seen before are
# recognised by value.
OVERLAP = timedelta(minutes=15)

# Without these there is nothing to reconcile; anything else that an org lacks is said once and
# skipped.
NEEDED = {"contact", "lead", "account", "opportunity", "user"}


def pull(run: Run, crm: Crm) -> dict[str, int]:
    """Read everything that changed in one CRM; give the number of rows read per object.

    Raises:
        AccessError: the token cannot read an object that the night needs.
        GuardStopped: a full read brought back much less than the mirror holds.
    """
    counts: dict[str, int] = {}
    for system, kind in FIELDS:
        if system == crm.system and (rows := _pull_kind(run, crm, kind)) is not None:
            counts[kind] = rows
    return counts


def _pull_kind(run: Run, crm: Crm, kind: str) -> int | None:
    described = crm.describe(kind)
    if described is None:
        return _skip(run, crm, kind)
    since = None if run.is_full else run.store.watermark(crm.system, kind)
    window = Window(since - OVERLAP if since else None, run.as_of)
    count = run.store.save_pull(
        run.run_id,
        crm.system,
        kind,
        crm.pull(
            kind,
            wanted_fields(run, crm.system, kind),
            window,
            history_fields=HISTORY_FIELDS.get((crm.system, kind), ()),
            associated=ASSOCIATED.get((crm.system, kind), ()),
        ),
        until=run.as_of,
        is_full=window.since is None,
        seen_at=utc_now(),
    )
    log.info(
        "pulled system=%s kind=%s rows=%d changed=%d since=%s run_id=%s",
        crm.system, kind, count.rows, count.changed, window.since, run.run_id,
    )  # fmt: skip
    _stop_when_shrunk(run, crm.system, kind, count.rows, count.unseen)
    return count.rows


def wanted_fields(run: Run, system: str, kind: str) -> Sequence[str]:
    """List the vendor fields to read: what the transforms use, and our own.

    To see what stands there.
    """
    ours = our_fields(run.agreement, system, kind)
    return (*fields_to_pull(run.agreement, system, kind), *(field.name for field in ours))


def _skip(run: Run, crm: Crm, kind: str) -> None:
    if kind in NEEDED:
        raise AccessError(
            crm.system,
            f"the token cannot read {kind} records",
            "Grant the read scope or permission that the README lists for it",
        )
    log.info(
        "skipped system=%s kind=%s reason=not_available run_id=%s", crm.system, kind, run.run_id
    )


def _stop_when_shrunk(run: Run, system: str, kind: str, rows: int, unseen: int) -> None:
    floor = run.agreement.guards.source_shrunk
    if unseen and Decimal(rows) < floor * (rows + unseen):
        raise GuardStopped(
            f"{system} gave {rows} of {rows + unseen} known {kind} records on a full read, under "
            f"the guard of {floor:%}. Check the token's permissions and sharing; nothing was written"
        )
