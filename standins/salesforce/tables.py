"""Rows in memory, with indexes that are made when a query first needs them and then kept."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator

Row = dict[str, object]


class Journal:
    """What rows looked like before, so that a transaction can be taken back."""

    def __init__(self) -> None:
        self._entries: list[tuple[Table, str, Row | None]] = []
        self._marks: list[int] = []

    def begin(self) -> None:
        """Begin a transaction; it may lie inside another."""
        self._marks.append(len(self._entries))

    def note(self, table: "Table", record_id: str, before: Row | None) -> None:
        """Remember one row as it was; None when there was none."""
        if self._marks:
            self._entries.append((table, record_id, None if before is None else dict(before)))

    def end(self, *, is_kept: bool) -> None:
        """End the transaction begun last; put everything back when it is not kept."""
        mark = self._marks.pop()
        if not is_kept:
            for table, record_id, before in reversed(self._entries[mark:]):
                table.restore(record_id, before)
            del self._entries[mark:]
        if not self._marks:
            self._entries.clear()


class _SortedIndex:
    """(value, id) in order; entries that a row has left behind are skipped when read."""

    def __init__(self, field: str, rows: dict[str, Row]) -> None:
        self._field, self._rows = field, rows
        self._entries = sorted(
            (str(value), record_id)
            for record_id, row in rows.items()
            if (value := row.get(field)) is not None
        )
        self._fresh: list[tuple[str, str]] = []

    def add(self, row: Row) -> None:
        value = row.get(self._field)
        if value is not None:
            self._fresh.append((str(value), str(row["Id"])))

    def between(self, low: str, high: str) -> Iterator[str]:
        """Yield the ids whose value lies between two values, both inside, by value and id."""
        self._settle()
        entries, rows, field = self._entries, self._rows, self._field
        start, stop = bisect_left(entries, (low, "")), bisect_right(entries, (high, "~"))
        last = None
        for entry in entries[start:stop]:
            row = rows.get(entry[1])
            if entry != last and row is not None and row.get(field) == entry[0]:
                yield entry[1]
            last = entry

    def _settle(self) -> None:
        if self._fresh:
            self._entries += self._fresh
            self._fresh = []
            self._entries.sort()
        if len(self._entries) > 2 * len(self._rows) + 1000:
            self._entries = sorted(
                (value, record_id)
                for value, record_id in set(self._entries)
                if record_id in self._rows and self._rows[record_id].get(self._field) == value
            )


class Table:
    """The rows of one object by id, without the fields that are empty.

    Rows are changed only through `change`, so that indexes follow.
    """

    def __init__(self, journal: Journal) -> None:
        self.rows: dict[str, Row] = {}
        self.deleted_at: dict[str, str] = {}
        self._journal = journal
        self._sorted: dict[str, _SortedIndex] = {}
        self._hashed: dict[str, defaultdict[str, set[str]]] = {}

    def put(self, row: Row) -> None:
        """Add a row, or replace the one of that id."""
        record_id = str(row["Id"])
        before = self.rows.get(record_id)
        self._journal.note(self, record_id, before)
        if before is not None:
            self._forget(before)
        self.rows[record_id] = row
        self._index(row)

    def change(self, record_id: str, values: Row) -> None:
        """Set some fields of a row; None empties."""
        row = self.rows[record_id]
        self._journal.note(self, record_id, row)
        self._forget(row, values)
        for name, value in values.items():
            if value is None:
                row.pop(name, None)
            else:
                row[name] = value
        self._index(row, values)

    def drop(self, record_id: str) -> None:
        """Take a row away for good."""
        self._journal.note(self, record_id, self.rows[record_id])
        self._forget(self.rows.pop(record_id))

    def restore(self, record_id: str, before: Row | None) -> None:
        """Put a row back to what it was."""
        if record_id in self.rows:
            self._forget(self.rows.pop(record_id))
        if before is not None:
            self.rows[record_id] = before
            self._index(before)

    def between(self, field: str, low: str, high: str) -> Iterator[str]:
        """Yield the ids with a stamp between two stamps, both inside, by stamp and id."""
        if field not in self._sorted:
            self._sorted[field] = _SortedIndex(field, self.rows)
        return self._sorted[field].between(low, high)

    def having(self, field: str, values: Iterable[object]) -> set[str]:
        """Find the ids whose field equals one of the values; letters of either case are equal."""
        if field not in self._hashed:
            index = self._hashed[field] = defaultdict(set)
            for record_id, row in self.rows.items():
                if (value := row.get(field)) is not None:
                    index[str(value).lower()].add(record_id)
        index = self._hashed[field]
        return {one for value in values for one in index.get(str(value).lower(), ())}

    def _forget(self, row: Row, names: Iterable[str] | None = None) -> None:
        for field, index in self._hashed.items():
            value = row.get(field)
            if value is not None and (names is None or field in names):
                index[str(value).lower()].discard(str(row["Id"]))

    def _index(self, row: Row, names: Iterable[str] | None = None) -> None:
        for field, index in self._hashed.items():
            value = row.get(field)
            if value is not None and (names is None or field in names):
                index[str(value).lower()].add(str(row["Id"]))
        for field, ordered in self._sorted.items():
            if names is None or field in names:
                ordered.add(row)
