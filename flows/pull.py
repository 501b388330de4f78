"""Pull: bring the mirror up to the run's moment, objects side by side, saved one after another."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import chain
from threading import Event

from agreement.errors import AccessError, GuardStopped, NotGranted, VendorUnavailable
from agreement.policy import Allowance
from agreement.records import Batch, FieldInfo, Window
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.store import Further, PullCount, Spool
from flows.provision import our_fields
from flows.reread import OVERLAP, Along, recount
from flows.run import Run
from flows.scope import earliest
from transforms.normalise import (
    ASSOCIATED,
    fields_to_pull,
    history_to_pull,
    kinds_to_pull,
)

log = logging.getLogger(__name__)

# Without these there is nothing to reconcile; anything else that an org lacks is said once and
# skipped.
NEEDED = {"contact", "lead", "account", "opportunity", "user"}

# People may be erased at the vendor; then what we knew of them goes too.
PEOPLE = {("hubspot", "contact")}

# Objects that are read side by side: enough to hide the way there and back, and few enough that
# their batches stay small beside the rest of the run.
_SIDE_BY_SIDE = 4


@dataclass(frozen=True)
class _Reading:
    """One object as it was read, not saved yet."""

    kind: str
    fields: Sequence[str]
    window: Window
    spool: Spool
    further: Further

    @property
    def is_full(self) -> bool:
        """Say whether everything was asked for."""
        return self.window.since is None


_Reads = Mapping[str, Future[_Reading | None]]


def pull(run: Run, crm: Crm) -> dict[str, int]:
    """Read everything that changed in one CRM; give the number of records read per object.

    An object that the org or this token lacks is said once and left out. When the vendor stops
    answering, or the run's share of its requests is used up, what was read is saved, and the next
    run goes on from there.

    Raises:
        AccessError: the token cannot read an object that the night needs, or anything.
        GuardStopped: a full read brought back much less than the mirror holds; it was not saved.
        VendorUnavailable: not everything could be read.
    """
    allowance = _allowance(run, crm.system)
    crm.allow(allowance.daily_share, allowance.reserve)
    kinds = [kind for system, kind in kinds_to_pull(run.agreement) if system == crm.system]
    counts, full = _pull_kinds(run, crm, kinds, is_full=run.is_full)
    keep_descriptions(run, crm, counts)
    for kind, rows in recount(run, crm, list(counts), full, _read_again).items():
        counts[kind] = max(rows, counts[kind])
    return counts


def keep_descriptions(run: Run, crm: Crm, kinds: Iterable[str]) -> None:
    """Keep what a CRM said of these objects for the looks between nights, which then do not ask."""
    told = {kind: crm.told(kind, wanted_fields(run, crm.system, kind)) for kind in kinds}
    said = {kind: content for kind, content in told.items() if content}
    run.store.save_descriptions(crm.system, said, at=utc_now())


def _allowance(run: Run, system: str) -> Allowance:
    budget = run.agreement.budget
    return budget.hubspot if system == "hubspot" else budget.salesforce


def _read_again(run: Run, crm: Crm, kinds: Sequence[str]) -> dict[str, int]:
    return _pull_kinds(run, crm, kinds, is_full=True)[0]


def _pull_kinds(
    run: Run, crm: Crm, kinds: Sequence[str], *, is_full: bool
) -> tuple[dict[str, int], set[str]]:
    """Read objects side by side; give the records of each, and the objects that were read in full.

    Each is saved once it was read to its end, in the given order, whichever comes first.
    """
    stop = Event()
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix=crm.system) as pool:
        # Each in a copy of the caller's context: by it Prefect knows whose log a line belongs to.
        reads = {
            kind: pool.submit(copy_context().run, _read, run, crm, kind, is_full=is_full, stop=stop)
            for kind in kinds
        }
        try:
            return _save_in_order(run, crm, reads)
        finally:
            stop.set()
            _let_go(reads)


def _save_in_order(run: Run, crm: Crm, reads: _Reads) -> tuple[dict[str, int], set[str]]:
    """Save what was read; when the vendor stops answering, what others have read all the same."""
    counts: dict[str, int] = {}
    full: set[str] = set()
    stopped: VendorUnavailable | None = None
    for kind, future in reads.items():
        try:
            if (read := future.result()) is not None:
                counts[kind] = _save(run, crm, read)
                full |= {kind} if read.is_full else set()
        except CancelledError:
            continue
        except VendorUnavailable as error:
            stopped = stopped or error
            _cancel(reads)
    if stopped:
        raise stopped
    return counts, full


def _cancel(reads: _Reads) -> None:
    """Let no further object begin; those under way come to their end."""
    for future in reads.values():
        future.cancel()


def _let_go(reads: _Reads) -> None:
    """Wait for what is under way, and let go of what was read and not saved."""
    _cancel(reads)
    for future in reads.values():
        if not future.cancelled() and not future.exception() and (read := future.result()):
            read.spool.close()


def _read(
    run: Run, crm: Crm, kind: str, *, is_full: bool, stop: Event | None = None
) -> _Reading | None:
    """Read one object to its end; None when there is none such for this token.

    Raises:
        CancelledError: `stop` was set meanwhile.
    """
    try:
        described = crm.describe(kind)
        if described is not None:
            return _read_described(run, crm, kind, described, stop or Event(), is_full=is_full)
    except NotGranted:
        if kind in NEEDED:
            raise
    _skip(run, crm, kind)
    return None


def _read_described(
    run: Run,
    crm: Crm,
    kind: str,
    described: Mapping[str, FieldInfo],
    stop: Event,
    *,
    is_full: bool,
) -> _Reading:
    fields = [name for name in wanted_fields(run, crm.system, kind) if name in described]
    window, after = _window(run, crm.system, kind, fields, is_full=is_full)
    along = Along(run, crm, kind, fields, window)
    batches = crm.pull(
        kind,
        fields,
        window,
        history_fields=history_to_pull(run.agreement, crm.system, kind),
        associated=ASSOCIATED.get((crm.system, kind), ()),
        after=after,
    )
    # What is read along comes first, so that a record restored meanwhile ends up alive.
    named = _named_record(run, crm, kind, fields)
    first = chain(along.archived(), along.deleted(), along.calculated(described), named)
    read = _until(stop, chain(first, batches))
    spool = run.store.spool(read, is_continued=bool(after))
    further = replace(along.further(), is_erased=(crm.system, kind) in PEOPLE)
    return _Reading(kind, fields, window, spool, further)


def _named_record(run: Run, crm: Crm, kind: str, fields: Sequence[str]) -> Iterator[Batch]:
    """Read the one record that a run is about, also when it has not changed."""
    scope = run.scope
    if scope and scope.record_id and (scope.system, scope.kind) == (crm.system, kind):
        yield Batch(records=tuple(crm.read_back(kind, [scope.record_id], fields)))


def _until(stop: Event, batches: Iterable[Batch]) -> Iterator[Batch]:
    for batch in batches:
        if stop.is_set():
            raise CancelledError
        yield batch


def _window(
    run: Run, system: str, kind: str, fields: Collection[str], *, is_full: bool
) -> tuple[Window, str]:
    """Give the window to read, and where in it a pull that was stopped goes on."""
    begun = run.store.progress(system, kind)
    if (
        begun
        and begun.fields == set(fields)
        and begun.until <= run.as_of
        and (begun.since is None or not is_full)
    ):
        return Window(begun.since, begun.until), begun.resume
    since = None if is_full else earliest(_since(run, system, kind, fields), run.reread_since)
    return Window(since, run.as_of), ""


def _since(run: Run, system: str, kind: str, fields: Collection[str]) -> datetime | None:
    """Say from when on to read; None for everything.

    A field that was not asked for until now is missing on every record that has not changed since:
    then everything is read again.
    """
    watermark = run.store.watermark(system, kind)
    if watermark is None or not run.store.fields_read(system, kind).issuperset(fields):
        return None
    return min(watermark, run.as_of) - OVERLAP[system]


def _save(run: Run, crm: Crm, read: _Reading) -> int:
    """Save what was read; give the number of records, of a pull of several runs those of its end.

    A pull that went on where an earlier run was stopped has come to that run's moment; then it is
    brought up to this one's.
    """
    count = run.store.save_pull(
        run.run_id,
        crm.system,
        read.kind,
        read.spool,
        until=read.window.until,
        is_full=read.is_full,
        seen_at=utc_now(),
        fields=read.fields,
        accept=lambda count: _stop_when_shrunk(run, crm.system, read.kind, count),
        further=read.further,
    )
    log.info(
        "pulled system=%s kind=%s rows=%d changed=%d vanished=%d since=%s run_id=%s",
        crm.system, read.kind, count.rows, count.changed, count.vanished, read.window.since,
        run.run_id,
    )  # fmt: skip
    if read.window.until < run.as_of and read.spool.is_continued:
        rest = _read(run, crm, read.kind, is_full=False)
        return count.rows + (_save(run, crm, rest) if rest else 0)
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


def _stop_when_shrunk(run: Run, system: str, kind: str, count: PullCount) -> None:
    floor = run.agreement.guards.source_shrunk
    known = count.rows + count.unseen
    if count.unseen and Decimal(count.rows) < floor * known:
        raise GuardStopped(
            f"{system} gave {count.rows} of {known} known {kind} records on a full read, under the "
            f"guard of {floor:%}. Check the token's permissions and sharing; nothing was saved"
        )
