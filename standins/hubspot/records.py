"""The records of one object: values with their history, in id order, found by stamp or by key."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from standins.hubspot.schema import Kind
from standins.hubspot.values import instant_text


class Version(NamedTuple):
    """One value that a property took, when, and through what. Empty text is a cleared value."""

    at: int
    value: str
    source: str
    source_id: str | None = None
    user_id: int | None = None


class Seen(NamedTuple):
    """A record as the search index holds it."""

    values: Mapping[str, str | None]
    modified: int


class Record:
    """One record. Times are epoch milliseconds.

    Only properties that changed after creation keep a list of versions; the first version of any
    other is its value at the creation. `before` is the state that a lagging index still shows.
    """

    __slots__ = (
        "archived_at",
        "before",
        "created",
        "id",
        "modified",
        "source",
        "values",
        "versions",
    )

    def __init__(self, record_id: int, created: int, source: str) -> None:
        self.id = record_id
        self.created = self.modified = created
        self.source = source
        self.values: dict[str, str | None] = {}
        self.versions: dict[str, list[Version]] = {}
        self.archived_at: int | None = None
        self.before: Seen | None = None

    def history(self, name: str) -> Sequence[Version]:
        """List the versions of a property, newest first."""
        if name in self.versions:
            return self.versions[name][::-1]
        value = self.values.get(name)
        return [] if value is None else [Version(self.created, value, self.source)]

    def put(self, name: str, value: str | None, version: Version) -> None:
        """Set a value; an equal one makes no new version."""
        current = self.values.get(name)
        if current == value:
            return
        if name not in self.versions:
            self.versions[name] = list(self.history(name))
        self.versions[name].append(version)
        self.values[name] = value


class Records:
    """All records of one object, live and archived, and the ids that merges retired."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.live: dict[int, Record] = {}
        self.archived: dict[int, Record] = {}
        self.merged: dict[int, int] = {}
        # Per unique property, which record holds a value (in lower case).
        self.keys: dict[str, dict[str, int]] = {}
        # Moves with every change, so that what was computed from the records can be reused.
        self.revision = 0
        self._ids: list[int] = []
        self._archived_ids: list[int] = []
        self._stamps: list[tuple[int, int]] = []
        self._stamped_at = -1
        self._next_id = 1001

    def new_id(self) -> int:
        """Give an id that no record of this object has had."""
        self._next_id += 1
        return self._next_id - 1

    def insert(self, record: Record) -> None:
        """Take in a new record.

        Raises:
            ValueError: its id is taken.
        """
        if record.id in self.live or record.id in self.archived or record.id in self.merged:
            raise ValueError(f"{self.kind.name} {record.id} exists already")
        self._next_id = max(self._next_id, record.id + 1)
        self.live[record.id] = record
        insort(self._ids, record.id)
        self.stamp(record, record.modified)

    def stamp(self, record: Record, modified: int) -> None:
        """Move a record's modified stamp."""
        record.modified = modified
        record.values[self.kind.modified] = instant_text(modified)
        self.revision += 1

    def find(self, record_id: int) -> Record | None:
        """Give the live record of an id; a merged-away id leads to the record that took it over."""
        while record_id in self.merged:
            record_id = self.merged[record_id]
        return self.live.get(record_id)

    def retire(self, record: Record, into: int) -> None:
        """Let a merge take a live record over: from now on its id leads to the other."""
        self._forget(record)
        self.merged[record.id] = into

    def archive(self, record: Record, at: int) -> None:
        """Move a live record to the archive; its modified stamp stays."""
        self._forget(record)
        record.archived_at = at
        self.archived[record.id] = record
        insort(self._archived_ids, record.id)

    def purge(self, record: Record) -> None:
        """Drop a record for good, live or archived."""
        if record.id in self.live:
            self._forget(record)
        elif self.archived.pop(record.id, None):
            del self._archived_ids[bisect_left(self._archived_ids, record.id)]

    def _forget(self, record: Record) -> None:
        del self.live[record.id]
        del self._ids[bisect_left(self._ids, record.id)]
        self.release(record)
        self.revision += 1

    def page(self, after: int, limit: int, *, is_archived: bool) -> list[Record]:
        """Give up to `limit` records with an id above `after`, by ascending id."""
        ids, records = (
            (self._archived_ids, self.archived) if is_archived else (self._ids, self.live)
        )
        start = bisect_right(ids, after)
        return [records[record_id] for record_id in ids[start : start + limit]]

    def in_order(self, above: int = 0) -> Iterator[Record]:
        """Yield the live records with an id above `above`, by ascending id."""
        for record_id in self._ids[bisect_right(self._ids, above) :]:
            yield self.live[record_id]

    def modified_between(self, low: int, high: int) -> list[Record]:
        """Give the live records whose modified stamp lies between, ends inside, by ascending id."""
        if self._stamped_at != self.revision:
            self._stamps = sorted((record.modified, record.id) for record in self.live.values())
            self._stamped_at = self.revision
        start = bisect_left(self._stamps, (low, 0))
        end = bisect_left(self._stamps, (high + 1, 0))
        return [self.live[record_id] for record_id in sorted(i for _, i in self._stamps[start:end])]

    def key_owner(self, name: str, value: str) -> int | None:
        """Give the id of the live record that a unique value belongs to."""
        return self.keys[name].get(value.lower())

    def claim(self, record: Record) -> None:
        """Note which unique values a record holds."""
        for name, taken in self.keys.items():
            taken.update((key, record.id) for key in _keys(record, name))

    def release(self, record: Record) -> None:
        """Forget which unique values a record holds, before they change or go."""
        for name, taken in self.keys.items():
            for key in _keys(record, name):
                if taken.get(key) == record.id:
                    del taken[key]


def _keys(record: Record, name: str) -> Iterator[str]:
    """Yield the values under which a record is found; a contact also answers to further e-mails."""
    values = [record.values.get(name) or ""]
    if name == "email":
        values += (record.values.get("hs_additional_emails") or "").split(";")
    return (value.lower() for value in values if value)
