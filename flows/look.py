"""Look: between nights, read what can start, stop or change a clock, in a few requests."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agreement.errors import NotGranted
from agreement.records import Batch, IsKnown, Record, Window
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.store import PullCount, Spool
from flows.pull import keep_descriptions, wanted_fields
from flows.reread import OVERLAP
from flows.run import DECIDED, Run, decided_until
from transforms import normalise

Key = tuple[str, str]

# What can start, stop or change a clock; nothing else is read.
READ: tuple[Key, ...] = (
    ("hubspot", "contact"),
    ("hubspot", "call"),
    ("hubspot", "meeting"),
    ("hubspot", "email"),
    ("hubspot", "communication"),
    ("salesforce", "lead"),
    ("salesforce", "contact"),
    ("salesforce", "lead_history"),
    ("salesforce", "task"),
    ("salesforce", "event"),
)
# Read as well once somebody has become an MQL: a form decides the tier.
FORMS: Key = ("hubspot", "form_submission")
PEOPLE: tuple[Key, ...] = (
    ("hubspot", "contact"),
    ("salesforce", "lead"),
    ("salesforce", "contact"),
)
# The field that names the person of a Salesforce row.
WHO = {"task": "WhoId", "event": "WhoId", "lead_history": "LeadId", "contact_history": "ContactId"}
ENGAGEMENTS = ("call", "meeting", "email", "communication")

_CONTACT: Key = ("hubspot", "contact")
# What is remembered of the looks: up to when each object was read, and every clock decided; until
# when the last night delivered, and up to which record its own writes were looked at again.
_WATCH, _DELIVERED, _WALKED = "watch", "delivered", "walked"
# A search shows 200 records a page. What a night wrote beyond two pages is looked at again in turn,
# a page each time.
_MUCH = 400
_MILLISECOND, _MOMENT = timedelta(milliseconds=1), timedelta(microseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
# How long what a CRM says of its fields is taken to hold.
_DESCRIBED = timedelta(hours=20)


@dataclass
class Changes:
    """Which records came, by system and object.

    `is_all` says that what the mirror knows may be news all the same, so that nothing is spared.
    """

    is_all: bool = False
    ids: dict[Key, set[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    people: set[Key] = field(default_factory=set)
    # Up to which record the last night's own writes were looked at again; 0: all of them.
    walked: int | None = None


def recall(run: Run) -> None:
    """Take all objects to be as they were described lately; ask for those read that are not known.

    The night describes them, so that the looks of a day have to ask for none.
    """
    for crm in run.crms:
        kept = run.store.descriptions(crm.system, since=utc_now() - _DESCRIBED)
        for kind, told in kept.items():
            crm.recall(kind, told)
        read = [kind for system, kind in READ if system == crm.system]
        keep_descriptions(run, crm, [kind for kind in read if kind not in kept])


def is_first_since_night(run: Run) -> bool:
    """Say whether the mirrors still stand as the night left them.

    Then what both sides agreed on by its writes is noted before anything new is read.
    """
    last, night = run.store.reread(*_CONTACT, _WATCH), run.store.last_applied_as_of()
    return last is None or night is None or last.at <= night


def note_delivery(run: Run) -> None:
    """Note until when the last night wrote to contacts, as their own stamps say.

    The mirrors have to stand as that night left them.
    """
    watermark = run.store.watermark(*_CONTACT)
    stamps = run.store.mirror(*_CONTACT, [])["modified_at"]
    written = stamps[stamps >= watermark] if watermark else stamps[:0]
    is_much = len(written) > _MUCH
    last = written.max() if is_much else run.as_of
    run.store.mark_reread(*_CONTACT, _DELIVERED, at=last, value=len(written) if is_much else 0)
    run.store.mark_reread(*_CONTACT, _WALKED, at=run.as_of)


def note_done(run: Run, changes: Changes) -> None:
    """Note that clocks were decided from all that was read, and written: it is news no more."""
    run.store.mark_reread(*_CONTACT, DECIDED, at=run.as_of)
    if changes.walked is not None:
        run.store.mark_reread(*_CONTACT, _WALKED, at=run.as_of, value=changes.walked)


def read_changes(run: Run) -> Changes:
    """Read each object's window, both CRMs side by side; save as it comes, in a fixed order."""
    changes = Changes(is_all=not _is_all_decided(run))
    mqls_before = _mqls(run)
    by_system = {crm.system: crm for crm in run.crms}
    with ThreadPoolExecutor(len(READ)) as pool:
        spools = pool.map(lambda key: _spool(run, by_system[key[0]], key[1], changes), READ)
        for key, spool in zip(READ, spools, strict=True):
            _save(run, key, spool, changes)
    # Whoever was recycled and came back between two looks gets the tier of a form from the night.
    if changes.is_all or _mqls(run) - mqls_before:
        spool = _spool(run, run.hubspot, FORMS[1], changes)
        _save(run, FORMS, spool, changes)
    return changes


def _spool(run: Run, crm: Crm, kind: str, changes: Changes) -> Spool | None:
    """Read one object since the last look or night; None where this token cannot."""
    watermark = run.store.watermark(crm.system, kind)
    if watermark is None:
        return None
    last = run.store.reread(crm.system, kind, _WATCH)
    since = max(watermark, last.at) if last else watermark
    if changes.is_all and (decided := decided_until(run.store)):
        since = min(since, decided)  # what was read since then is news still
    window = Window(min(since, run.as_of) - OVERLAP[crm.system], run.as_of)

    def pull(window: Window, after: str = "", is_known: IsKnown | None = None) -> Iterator[Batch]:
        return crm.pull(
            kind,
            wanted_fields(run, crm.system, kind),
            window,
            history_fields=normalise.history_to_pull(run.agreement, crm.system, kind),
            associated=("contact",) if kind in ENGAGEMENTS else (),
            after=after,
            is_known=is_known,
        )

    is_sparing = (crm.system, kind) == _CONTACT and not changes.is_all
    try:
        batches = _contacts(run, window, pull, changes) if is_sparing else pull(window)
        return _whole(run.store.spool(_noted((crm.system, kind), batches, changes)))
    except NotGranted:
        return None


def _whole(spool: Spool) -> Spool:
    """Give a spool that was read to its end.

    A part is of no use: the next look reads the same again, and the night would take it for a pull
    of its own to go on with.

    Raises:
        VendorUnavailable: the vendor stopped answering.
    """
    if spool.stopped:
        spool.close()
        raise spool.stopped
    return spool


def _is_all_decided(run: Run) -> bool:
    """Say whether whoever read last, a night or a look, also decided the clocks by what it read.

    One that died between leaves news in the mirror that no later look would take for news.
    """
    looked = [run.store.reread(*key, _WATCH) for key in READ]
    read = [run.store.watermark(*key) for key in READ] + [mark.at for mark in looked if mark]
    decided = decided_until(run.store)
    return decided is not None and all(at <= decided for at in read if at)


_Pull = Callable[[Window, str, IsKnown | None], Iterator[Batch]]


def _contacts(run: Run, window: Window, pull: _Pull, changes: Changes) -> Iterator[Batch]:
    """Read contacts, but of those that are known whole no more than a search shows.

    The window goes back over the index's lag, so that for an hour it holds all that the last night
    wrote. When that was much, one page of it is looked at each time, in turn, until every record
    has had its turn and the hour is over; what came later is looked at each time. An edit from
    while we wrote that the index shows only after its record's turn is the next night's.
    """
    walk, after = _walk(run, window)
    is_known = _knowledge(run, walk or window)
    if walk is None:
        yield from pull(window, "", is_known)
        return
    later = walk.until + _MOMENT
    yield from pull(Window(max(later, window.since or later), window.until), "", is_known)
    # As long as Salesforce shows the night's writes again too, a look has no request to spare.
    if window.until - walk.until > OVERLAP["salesforce"]:
        yield from _page(pull(walk, after, is_known), changes)


def _page(batches: Iterator[Batch], changes: Changes) -> Iterator[Batch]:
    """Yield what one page brings, and note from where the next look goes on."""
    changes.walked = 0
    for batch in batches:
        yield batch
        if batch.resume:
            changes.walked = int(batch.resume)
            return


def _walk(run: Run, window: Window) -> tuple[Window | None, str]:
    """Give the stretch of time that is looked at page by page, and where to go on with it.

    From where the last night's own window began, to the millisecond of its last write. None when it
    wrote little, a later pull has read it all, or all of it was looked at and the index has it.
    """
    delivered = run.store.reread(*_CONTACT, _DELIVERED)
    walked = run.store.reread(*_CONTACT, _WALKED)
    night = run.store.watermark(*_CONTACT)
    if not (delivered and delivered.value and walked and night and window.since):
        return None, ""
    last = _EPOCH + ((delivered.at - _EPOCH) // _MILLISECOND + 1) * _MILLISECOND - _MOMENT
    since = min(night - OVERLAP["hubspot"], window.since)
    if last < since or (last < window.since and walked.value == 0):
        return None, ""
    return Window(since, last), str(walked.value or "")


def _knowledge(run: Run, window: Window) -> IsKnown:
    """Tell records whose stamp and values the mirror has, of those that changed since a moment.

    The stamp alone says nothing: ours may hide an edit that a person made just before we wrote.
    """
    fields = wanted_fields(run, *_CONTACT)
    recent = run.store.mirror(*_CONTACT, fields, since=window.since)
    places = {record_id: place for place, record_id in enumerate(recent["record_id"])}
    stamps = recent["modified_at"].tolist()
    # Column by column: a dictionary for each of thousands of records costs more than all the rest.
    known = {name: recent[name].to_numpy(object, na_value=None) for name in recent}

    def is_known(record: Record) -> bool:
        place = places.get(record.record_id)
        return (
            place is not None
            and stamps[place] == record.modified_at
            and all(
                name in known and known[name][place] == value
                for name, value in record.values.items()
            )
        )

    return is_known


def _noted(key: Key, batches: Iterable[Batch], changes: Changes) -> Iterator[Batch]:
    """Note which records and people come by."""
    seen = changes.ids.setdefault(key, set())
    for batch in batches:
        seen.update(record.record_id for record in batch.records)
        if who := WHO.get(key[1]):
            changes.people.update(
                ("salesforce", str(person))
                for record in batch.records
                if (person := record.values.get(who))
            )
        elif key in PEOPLE:
            changes.people.update((key[0], record.record_id) for record in batch.records)
        yield batch


def _save(run: Run, key: Key, spool: Spool | None, changes: Changes) -> None:
    """Save what came; the night's watermark stays, so that it misses no deletion of the day."""
    if spool is None:
        return
    system, kind = key
    watermark = run.store.watermark(system, kind)
    count: PullCount = run.store.save_pull(
        run.run_id,
        system,
        kind,
        spool,
        until=watermark or run.as_of,
        is_full=False,
        seen_at=utc_now(),
        fields=[name for name in wanted_fields(run, system, kind) if name],
    )
    run.store.mark_reread(system, kind, _WATCH, at=run.as_of)
    changes.counts[f"{system} {kind}"] = count.changed


def _mqls(run: Run) -> frozenset[str]:
    """Give the contacts that are MQLs, as far as the mirror knows."""
    mirror = run.store.mirror("hubspot", "contact", ["lifecyclestage"])
    stage = run.agreement.definitions.mql.stage
    return frozenset(mirror.loc[mirror["lifecyclestage"].eq(stage), "record_id"])
