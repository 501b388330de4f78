"""Read again, now and then, what no changed record announces: archives, deletions, calculations."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property

from agreement.errors import VendorRejected
from agreement.records import Batch, FieldInfo, Record, Window
from connectors.crm import Crm
from connectors.store import Further
from flows.run import Run

log = logging.getLogger(__name__)

# Read again what lies this far behind the watermark; rows seen before are recognised by value.
# HubSpot finds changes by an index that may lag an hour behind the records. Salesforce stamps a
# change when its transaction starts and shows it when it ends.
OVERLAP: Mapping[str, timedelta] = {
    "hubspot": timedelta(minutes=75),
    "salesforce": timedelta(minutes=15),
}

ARCHIVED = "archived"
CALCULATED = "calculated"
COUNT = "count"  # the vendor's
OWN_COUNT = "own_count"

# Salesforce keeps its log of deletions for 15 days, and answers an earlier start with a refusal.
_LOG_REACHES = timedelta(days=14)

# Records of one batch: memory holds one batch at a time.
_BATCH = 1_000


def is_due(run: Run, system: str, kind: str, what: str, every: timedelta) -> bool:
    """Say whether a list has to be read again: it never was, or long enough ago."""
    last = run.store.reread(system, kind, what)
    return last is None or run.as_of - last.at >= every


class Along:
    """What is read along with one pull of one object, and what that says about its records."""

    def __init__(
        self, run: Run, crm: Crm, kind: str, fields: Sequence[str], window: Window
    ) -> None:
        self._run, self._crm, self._kind = run, crm, kind
        self._fields, self._window = fields, window
        self._is_first = run.store.watermark(crm.system, kind) is None
        self._reread: list[str] = []
        self._gone: list[str] = []
        self._is_complete = False

    def further(self) -> Further:
        """Say what was read along, once it was read."""
        return Further(
            since=self._window.since,
            reread=tuple(self._reread),
            is_complete=self._is_complete,
            gone=tuple(self._gone),
        )

    def archived(self) -> Iterator[Batch]:
        """Yield records that were archived, and those of before that were restored.

        Restoring moves no stamp either: a record that is archived here and in the vendor's list no
        more is asked for by its id. The first load needs no list but of archived owners, whom old
        records name.
        """
        if not self._is_wanted(ARCHIVED):
            return
        self._reread.append(ARCHIVED)
        if self._is_first and self._kind != "owner":
            return
        batches = self._crm.archived(self._kind)
        if batches is None:
            return
        known = self._run.store.archived_ids(self._crm.system, self._kind)
        told: set[str] = set()
        for batch in batches:
            told.update(record.record_id for record in batch.records)
            yield self._news(batch.records)
        self._is_complete = self._window.since is None
        yield from self._restored([record_id for record_id in known if record_id not in told])

    def _is_wanted(self, what: str) -> bool:
        """Say whether to read along: when it is due, and with every full read."""
        rules = self._run.agreement.pull
        every = rules.archived_every if what == ARCHIVED else rules.calculated_refresh
        is_full = self._window.since is None
        return is_full or is_due(self._run, self._crm.system, self._kind, what, every)

    def _news(self, records: Iterable[Record]) -> Batch:
        """Leave out deletions that are known, or of records that never were."""
        return Batch(
            records=tuple(
                record
                for record in records
                if not record.is_deleted or record.record_id in self._live
            )
        )

    @cached_property
    def _live(self) -> frozenset[str]:
        return frozenset(self._run.store.live_ids(self._crm.system, self._kind))

    def _restored(self, record_ids: Sequence[str]) -> Iterator[Batch]:
        """Yield those of the records that are there again; the others are gone for good."""
        if not record_ids:
            return
        alive: set[str] = set()
        for records in _chunked(self._crm.read_back(self._kind, record_ids, self._fields)):
            alive.update(record.record_id for record in records)
            yield Batch(records=tuple(records))
        self._gone += [record_id for record_id in record_ids if record_id not in alive]

    def deleted(self) -> Iterator[Batch]:
        """Yield deletions that no pull shows: the recycle bin was emptied since the last one."""
        since = self._window.since
        if since is None or ARCHIVED not in self._reread:
            return
        start = max(since, self._window.until - _LOG_REACHES)
        try:
            told = self._crm.deleted(self._kind, Window(start, self._window.until))
        except VendorRejected:
            return  # the log does not reach back that far
        records = (
            Record(record_id, {}, modified_at=at, is_deleted=True) for record_id, at in told.items()
        )
        for some in _chunked(records):
            yield self._news(some)

    def calculated(self, described: Mapping[str, FieldInfo]) -> Iterator[Batch]:
        """Yield every record with its calculated fields only, whose changes move no stamp."""
        fields = [
            name
            for name in self._fields
            if described[name].is_calculated and not described[name].follows_record
        ]
        if not fields or not self._is_wanted(CALCULATED):
            return
        self._reread.append(CALCULATED)
        if self._window.since is None:
            return
        record_ids = self._run.store.live_ids(self._crm.system, self._kind)
        for records in _chunked(self._crm.read_back(self._kind, record_ids, fields)):
            yield Batch(records=tuple(records))


def _chunked(records: Iterable[Record]) -> Iterator[list[Record]]:
    some: list[Record] = []
    for record in records:
        some.append(record)
        if len(some) == _BATCH:
            yield some
            some = []
    if some:
        yield some


ReadAgain = Callable[[Run, Crm, Sequence[str]], Mapping[str, int]]


def recount(
    run: Run, crm: Crm, kinds: Sequence[str], full: Collection[str], read_again: ReadAgain
) -> dict[str, int]:
    """Compare our counts with the vendor's, now and then; read in full what differs.

    Every full read is counted too, so that no load ends early in silence. Counted are records
    created before the overlap: younger ones may not be in the vendor's index yet.

    Args:
        run: the run.
        crm: the CRM.
        kinds: the objects that this run has read.
        full: those of them that it has read in full.
        read_again: reads objects in full and gives the number of records of each.
    """
    every = run.agreement.pull.recount_every
    due = [kind for kind in kinds if kind in full or is_due(run, crm.system, kind, COUNT, every)]
    if not due:
        return {}
    ours = _own_counts(run, crm, due)
    theirs = crm.counts(ours, _settled(run, crm))
    for kind, count in theirs.items():
        _mark_counts(run, crm, kind, count, ours[kind])
    differing = [kind for kind, count in theirs.items() if count != ours[kind]]
    for kind in differing:
        log.warning(
            "count differs system=%s kind=%s ours=%d vendor=%d run_id=%s",
            crm.system, kind, ours[kind], theirs[kind], run.run_id,
        )  # fmt: skip
    again = [kind for kind in differing if kind not in full]
    rows = read_again(run, crm, again) if again else {}
    for kind, count in _own_counts(run, crm, list(rows)).items():
        _mark_counts(run, crm, kind, theirs[kind], count)
    return dict(rows)


def _settled(run: Run, crm: Crm) -> datetime:
    return run.as_of - OVERLAP[crm.system]


def _own_counts(run: Run, crm: Crm, kinds: Sequence[str]) -> dict[str, int]:
    until = _settled(run, crm)
    return {kind: run.store.count_live(crm.system, kind, until)[0] for kind in kinds}


def _mark_counts(run: Run, crm: Crm, kind: str, theirs: int, ours: int) -> None:
    run.store.mark_reread(crm.system, kind, COUNT, at=run.as_of, value=theirs)
    run.store.mark_reread(crm.system, kind, OWN_COUNT, at=run.as_of, value=ours)
