"""Pull: bring the mirror up to the run's moment, one object at a time."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from agreement.errors import AccessError, GuardStopped, NotGranted
from agreement.records import Window
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.store import PullCount
from flows.provision import our_fields
from flows.run import Run
from transforms.normalise import ASSOCIATED, FIELDS, HISTORY_FIELDS, fields_to_pull

log = logging.getLogger(__name__)

# Vendors stamp a change when its transaction starts and show it when it ends, and HubSpot's index
# lags behind its records: read again what lies this far behind the watermark. Rows seen before are
# recognised by value.
OVERLAP = timedelta(minutes=15)

# Without these there is nothing to reconcile; anything else that an org lacks is said once and
# skipped.
NEEDED = {"contact", "lead", "account", "opportunity", "user"}


def pull(run: Run, crm: Crm) -> dict[str, int]:
    """Read everything that changed in one CRM; give the number of records read per object.

    An object that the org or this token lacks is said once and left out.

    Raises:
        AccessError: the token cannot read an object that the night needs, or anything.
        GuardStopped: a full read brought back much less than the mirror holds; it was not saved.
    """
    counts: dict[str, int] = {}
    for system, kind in FIELDS:
        if system == crm.system and (rows := _pull_kind(run, crm, kind)) is not None:
            counts[kind] = rows
    return counts


def _pull_kind(run: Run, crm: Crm, kind: str) -> int | None:
    try:
        described = crm.describe(kind)
        if described is not None:
            return _read(run, crm, kind, described)
    except NotGranted:
        if kind in NEEDED:
            raise
    _skip(run, crm, kind)
    return None


def _read(run: Run, crm: Crm, kind: str, described: Collection[str]) -> int:
    fields = [name for name in wanted_fields(run, crm.system, kind) if name in described]
    window = Window(_since(run, crm.system, kind, fields), run.as_of)
    count = run.store.save_pull(
        run.run_id,
        crm.system,
        kind,
        crm.pull(
            kind,
            fields,
            window,
            history_fields=HISTORY_FIELDS.get((crm.system, kind), ()),
            associated=ASSOCIATED.get((crm.system, kind), ()),
        ),
        until=run.as_of,
        is_full=window.since is None,
        seen_at=utc_now(),
        fields=fields,
        accept=lambda count: _stop_when_shrunk(run, crm.system, kind, count),
    )
    log.info(
        "pulled system=%s kind=%s rows=%d changed=%d since=%s run_id=%s",
        crm.system, kind, count.rows, count.changed, window.since, run.run_id,
    )  # fmt: skip
    return count.rows


def _since(run: Run, system: str, kind: str, fields: Collection[str]) -> datetime | None:
    """Say from when on to read; None for everything.

    A field that was not asked for until now is missing on every record that has not changed since:
    then everything is read again.
    """
    watermark = run.store.watermark(system, kind)
    if run.is_full or watermark is None:
        return None
    if not run.store.fields_read(system, kind).issuperset(fields):
        return None
    return min(watermark, run.as_of) - OVERLAP


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


def _stop_when_shrunk(run: Run, system: str, kind: str, count: PullCount) -> None:
    floor = run.agreement.guards.source_shrunk
    known = count.rows + count.unseen
    if count.unseen and Decimal(count.rows) < floor * known:
        raise GuardStopped(
            f"{system} gave {count.rows} of {known} known {kind} records on a full read, under the "
            f"guard of {floor:%}. Check the token's permissions and sharing; nothing was saved"
        )
