"""Read CRM objects: all of them, what changed in a window, what was archived, given ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import quote

from agreement.errors import NotGranted, VendorRejected, VendorUnavailable
from agreement.records import (
    Association,
    Batch,
    HistoryEntry,
    IsKnown,
    RawRecord,
    Record,
    Window,
)
from connectors.hubspot.answers import SYSTEM, context_ids, reason
from connectors.hubspot.client import Client, Json
from connectors.hubspot.pages import chunked, next_after, turn
from connectors.hubspot.paths import OBJECTS, Paths
from connectors.hubspot.values import Reader, instant

_LIST_PAGE = 100
_SEARCH_PAGE = 200
_READ_INPUTS = 100
_HISTORY_INPUTS = 50  # also the page of a list that brings histories
_ASSOCIATION_INPUTS = 1000

# Address lines fail with 414 somewhere between 8,000 and 16,000 characters.
_LONGEST_QUERY = 7_000

# A search for epoch 0 fails with 500.
_EARLIEST_MS = 1
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Wanted:
    """What to read of one CRM object."""

    kind: str
    reader: Reader
    history_fields: Sequence[str] = ()
    associated: Sequence[str] = ()

    @property
    def page(self) -> int:
        """Give how many records one request may bring."""
        return _HISTORY_INPUTS if self.history_fields else _READ_INPUTS


@dataclass(frozen=True, slots=True)
class _Page:
    """Rows that came together, and where the read goes on after them; empty: at its end."""

    rows: Sequence[RawRecord]
    resume: str


class Objects:
    """Reads CRM objects in batches of at most a thousand records, so that memory stays bounded."""

    def __init__(self, client: Client, paths: Paths, pool: ThreadPoolExecutor) -> None:
        self._client, self._paths, self._pool = client, paths, pool
        self._not_associated: set[tuple[str, str]] = set()

    def everything(self, wanted: Wanted, after: str = "") -> Iterator[Batch]:
        """Yield every live record, by the list endpoint: it has no limit on how many there are.

        `after` is where a read that was stopped goes on, as its last batch said.
        """
        fields, history = ",".join(wanted.reader.fields), ",".join(wanted.history_fields)
        query = [("properties", fields), ("propertiesWithHistory", history)]
        if sum(len(quote(text)) for _, text in query) > _LONGEST_QUERY:
            ids_only = [("properties", "hs_object_id")]
            listed = self._listed(wanted.kind, _LIST_PAGE, ids_only, after)
            return self._batches(wanted, self._filled(wanted, _grouped(listed)))
        asked = [(name, text) for name, text in query if text]
        listed = self._listed(wanted.kind, wanted.page, asked, after)
        return self._batches(wanted, _grouped(listed))

    def changed(
        self, wanted: Wanted, window: Window, after: str = "", is_known: IsKnown | None = None
    ) -> Iterator[Batch]:
        """Yield the records whose stamp lies in the window, by ascending record id.

        Pages by id, never by offset: rows that change while we read would slip between offset
        pages, offsets end at 10,000, and mass updates give more rows than that one stamp.
        """
        stamp = OBJECTS[wanted.kind].modified
        if not wanted.history_fields:
            found = self._found(wanted.kind, window, [*wanted.reader.fields, stamp], after)
            return self._batches(wanted, _grouped(found))
        # Histories need a second request for each record anyway; then all values come from it,
        # and the search brings them only to tell which records need one.
        if is_known is None:
            pages = _grouped(self._found(wanted.kind, window, [stamp], after))
        else:
            found = self._found(wanted.kind, window, [*wanted.reader.fields, stamp], after)
            pages = (_unknown(page, wanted.reader, is_known) for page in found)
        return self._batches(wanted, self._filled(wanted, pages))

    def archived(self, kind: str) -> Iterator[Batch]:
        """Yield every record in the recycling bin, which keeps 90 days.

        Archiving moves no stamp and the list takes no time: it has to be read whole.
        """
        query = [("archived", "true"), ("properties", "hs_object_id")]
        for page in _grouped(self._listed(kind, _LIST_PAGE, query)):
            yield Batch(records=tuple(_archived(raw) for raw in page.rows))

    def count(self, kind: str, until: datetime) -> int:
        """Count the live records created up to a moment, as the search index knows them."""
        created = {
            "propertyName": OBJECTS[kind].created,
            "operator": "LTE",
            "value": str(_milliseconds(until)),
        }
        told = self._client.post(
            self._paths.objects(kind, "/search"),
            {"filterGroups": [{"filters": [created]}], "properties": ["hs_object_id"], "limit": 1},
            what=kind,
            lane="search",
        )
        return int(told["total"])

    def given(self, kind: str, record_ids: Sequence[str], reader: Reader) -> Iterator[Record]:
        """Yield what is there now of these records, from the record store and not the index.

        A record that was merged away comes as deleted, with the one that took it over; one that is
        gone does not come.
        """
        asked = set(record_ids)
        fields = [*reader.fields, *OBJECTS[kind].merges]
        for ids in chunked(dict.fromkeys(record_ids), _ASSOCIATION_INPUTS):
            for raw in self._read_all(kind, ids, fields, (), _READ_INPUTS):
                merged = _merged(kind, [raw])  # before the reader takes the values out
                yield reader.record(raw)
                yield from (old for old in merged if old.record_id in asked)

    def _listed(
        self, kind: str, page: int, query: list[tuple[str, str]], start: str = ""
    ) -> Iterator[_Page]:
        path = self._paths.objects(kind)

        def fetch(after: str | None) -> Json:
            cursor = [("after", after or start)] if after or start else []
            return self._client.get(path, [("limit", str(page)), *query, *cursor], what=kind)

        for told in turn(fetch, next_after, self._pool):
            yield _Page(told["results"], next_after(told) or "")

    def _found(self, kind: str, window: Window, fields: list[str], after: str) -> Iterator[_Page]:
        stamp, last = OBJECTS[kind].modified, int(after or 0)
        while True:
            told = self._client.post(
                self._paths.objects(kind, "/search"),
                _search(stamp, window, last, fields),
                what=kind,
                lane="search",
            )
            rows = told["results"]
            inside = [raw for raw in rows if _is_inside(raw, stamp, window)]
            if not next_after(told) or not rows:
                yield _Page(inside, "")
                return
            before, last = last, int(rows[-1]["id"])
            if last <= before:
                raise VendorUnavailable(SYSTEM, f"a search of {kind} records came out of order")
            yield _Page(inside, str(last))

    def _filled(self, wanted: Wanted, pages: Iterable[_Page]) -> Iterator[_Page]:
        """Read the records whose ids the pages hold."""
        for page in pages:
            ids = [raw["id"] for raw in page.rows]
            fields, history = wanted.reader.fields, wanted.history_fields
            rows = self._read_all(wanted.kind, ids, fields, history, wanted.page)
            yield _Page(rows, page.resume)

    def _read_all(
        self,
        kind: str,
        ids: Sequence[str],
        fields: Sequence[str],
        history: Sequence[str],
        size: int,
    ) -> list[RawRecord]:
        """Read any number of records, `size` at a time and side by side."""
        read = self._pool.map(
            lambda part: self._read(kind, part, fields, history), list(chunked(ids, size))
        )
        return list(chain.from_iterable(read))

    def _read(
        self, kind: str, ids: Sequence[str], fields: Sequence[str], history: Sequence[str]
    ) -> list[RawRecord]:
        """Read up to a hundred records, fifty with histories, each once, in the order of `ids`.

        One that was merged away meanwhile comes under its new id, at the end.
        """
        body: Json = {
            "inputs": [{"id": own} for own in ids],
            "properties": list(dict.fromkeys(fields)),
        }
        if history:
            body["propertiesWithHistory"] = list(history)
        told = self._client.post(self._paths.objects(kind, "/batch/read"), body, what=kind)
        _check(told, kind, "OBJECT_NOT_FOUND")
        # Two old ids of one merged record give the same record twice.
        once = {raw["id"]: raw for raw in told["results"]}
        place = {own: at for at, own in enumerate(ids)}
        return sorted(once.values(), key=lambda raw: place.get(raw["id"], len(place)))

    def _batches(self, wanted: Wanted, pages: Iterable[_Page]) -> Iterator[Batch]:
        for page in pages:
            associations, complete = self._associations(wanted, [raw["id"] for raw in page.rows])
            if merged := _merged(wanted.kind, page.rows):
                yield Batch(records=merged)
            yield Batch(
                records=tuple(wanted.reader.record(raw) for raw in page.rows),
                history=tuple(_history(wanted, page.rows)),
                associations=associations,
                associated=complete,
                resume=page.resume,
            )

    def _associations(
        self, wanted: Wanted, ids: Sequence[str]
    ) -> tuple[tuple[Association, ...], tuple[str, ...]]:
        """Give the associations of up to a thousand records, and the kinds that are complete."""
        kinds = [to for to in wanted.associated if (wanted.kind, to) not in self._not_associated]
        read = list(self._pool.map(lambda to: self._associated(wanted.kind, to, ids), kinds))
        found = zip(kinds, read, strict=True)
        complete = [(to, links) for to, links in found if links is not None]
        links = chain.from_iterable(links for _, links in complete)
        return tuple(links), tuple(to for to, _ in complete)

    def _associated(
        self, from_kind: str, to_kind: str, ids: Sequence[str]
    ) -> list[Association] | None:
        """Give each association once, by its ends; None when the token may not read the other side.

        The same pair comes once per label, and ids come as numbers or text.
        """
        path = self._paths.associations(from_kind, to_kind)
        inputs: list[Json] = [{"id": own} for own in ids]
        found: dict[tuple[str, str], None] = {}
        try:
            while inputs:
                told = self._client.post(path, {"inputs": inputs}, what=f"{from_kind} {to_kind}")
                _check(told, f"{from_kind} {to_kind}", "OBJECT_NOT_FOUND")
                for result in told["results"]:
                    own = str(result["from"]["id"])
                    found |= {(own, str(to["toObjectId"])): None for to in result["to"]}
                inputs = list(_further(told))
        except NotGranted:
            self._not_associated.add((from_kind, to_kind))
            return None
        return [Association(from_kind, own, to_kind, other) for own, other in found]


def _grouped(pages: Iterable[_Page]) -> Iterator[_Page]:
    """Put pages together until one more would exceed what a request for associations takes.

    When the vendor stops answering, what came until then is given first.
    """
    rows: list[RawRecord] = []
    resume = ""
    try:
        for page in pages:
            if rows and len(rows) + len(page.rows) > _ASSOCIATION_INPUTS:
                yield _Page(rows, resume)
                rows = []
            rows += page.rows
            resume = page.resume
    except VendorUnavailable:
        if rows:
            yield _Page(rows, resume)
        raise
    if rows:
        yield _Page(rows, resume)


def _unknown(page: _Page, reader: Reader, is_known: IsKnown) -> _Page:
    """Leave out the rows whose state is known; the others are used up but for their ids."""
    return _Page([raw for raw in page.rows if not is_known(reader.record(raw))], page.resume)


def _search(stamp: str, window: Window, last: int, fields: Sequence[str]) -> Json:
    since = _EARLIEST_MS if window.since is None else max(_EARLIEST_MS, _milliseconds(window.since))
    inside = {
        "propertyName": stamp,
        "operator": "BETWEEN",
        "value": str(since),
        "highValue": str(_milliseconds(window.until)),
    }
    further = {"propertyName": "hs_object_id", "operator": "GT", "value": str(last)}
    return {
        "filterGroups": [{"filters": [inside, further]}],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": list(dict.fromkeys(fields)),
        "limit": _SEARCH_PAGE,
    }


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _is_inside(raw: RawRecord, stamp: str, window: Window) -> bool:
    """Tell whether a row is inside: the index is a fraction of a millisecond generous."""
    changed = instant(raw["properties"].get(stamp) or raw.get("updatedAt"))
    if changed is None:
        return True
    since = window.since or _EPOCH
    return _milliseconds(since) <= _milliseconds(changed) and changed <= window.until


def _archived(raw: RawRecord) -> Record:
    return Record(
        raw["id"],
        {},
        created_at=instant(raw.get("createdAt")),
        modified_at=instant(raw.get("archivedAt") or raw.get("updatedAt")),
        is_deleted=True,
    )


def _merged(kind: str, rows: Iterable[RawRecord]) -> tuple[Record, ...]:
    """List the records that these took over: a merge makes a new record of the two old ones."""
    names = OBJECTS[kind].merges
    winners = [raw for raw in rows if any(map(raw["properties"].get, names))]
    return tuple(
        Record(old, {}, is_deleted=True, merged_into=raw["id"])
        for raw in winners
        for old in _merged_ids(map(raw["properties"].get, names))
        if old != raw["id"]
    )


def _merged_ids(texts: Iterable[str | None]) -> Iterable[str]:
    """List the ids in the properties of merges, each once.

    Neither of the two properties that list them is complete; entries may carry `:timestamp`.
    """
    entries = ";".join(filter(None, texts)).split(";")
    return dict.fromkeys(old for entry in entries if (old := entry.partition(":")[0].strip()))


def _history(wanted: Wanted, rows: Iterable[RawRecord]) -> Iterator[HistoryEntry]:
    """Yield each record's dated values, oldest first; HubSpot gives the newest first."""
    if not wanted.history_fields:
        return
    for raw in rows:
        dated = raw.get("propertiesWithHistory") or {}
        for field in wanted.history_fields:
            for entry in reversed(dated.get(field) or ()):
                at = instant(entry.get("timestamp"))
                if at is not None:
                    value = wanted.reader.text(field, entry.get("value"))
                    source = entry.get("sourceType") or ""
                    yield HistoryEntry(raw["id"], field, value, at, source)


def _further(told: Json) -> Iterator[Json]:
    """Yield the inputs that have more associations than one answer holds."""
    for result in told["results"]:
        after = next_after(result)
        if after is not None:
            yield {"id": str(result["from"]["id"]), "after": after}


def _check(told: Json, what: str, harmless: str) -> None:
    """Raise when a partly answered request failed for more than a record that is not there.

    A 207 is normal: an id without associations, or one that was deleted meanwhile, is an error to
    HubSpot.
    """
    for error in told.get("errors") or ():
        if error.get("category") != harmless:
            ids = ", ".join(_ids(error)[:3])
            raise VendorRejected(
                SYSTEM, f"{what} {ids}".strip(), reason(error), "Ask HubSpot's support"
            )


def _ids(error: Mapping[str, Any]) -> list[str]:
    return context_ids(error, "ids") or context_ids(error, "fromObjectId")
