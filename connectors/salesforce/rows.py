"""Rows of JSON and of bulk CSV as records: what is done a million times a night, column by column.

Each converter does for a whole column what `canonical` does for one value, with a short way for the
form in which the vendor writes nearly every value.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import orjson

from agreement.records import FieldInfo, RawRecord, Record, canonical
from connectors.salesforce.values import long_id

# Read with every record, where the object has them, to tell its times and its end.
MARKS = ("CreatedDate", "IsDeleted", "MasterRecordId")

# What the vendor puts into every row of JSON beside its values.
_ABOUT = "attributes"

# A double holds every decimal of up to 15 digits; a number of more has to be read from its text.
_EXACT_DIGITS = 15
_WHOLE_LIMIT = 10.0**_EXACT_DIGITS

_TRUE = frozenset({True, "true"})
_BOOLEANS: dict[bool | None, str | None] = {True: "true", False: "false", None: None}

Column = Sequence[Any]
Convert = Callable[[Column], Sequence[str | None]]


@dataclass(frozen=True)
class Layout:
    """What one query reads of an object.

    `fields` are what each record gives, with the vendor's own `types`; `marks` and `stamp` are what
    the object has to tell a record's times and end.
    """

    fields: tuple[FieldInfo, ...]
    types: Mapping[str, str]
    marks: tuple[str, ...] = ()
    stamp: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """List the fields of a record."""
        return tuple(field.name for field in self.fields)

    @property
    def own(self) -> tuple[str, ...]:
        """List what is read for the records' sake, asked for or not."""
        stamp = (self.stamp,) if self.stamp else ()
        return tuple(dict.fromkeys(("Id", *self.marks, *stamp)))

    @property
    def columns(self) -> tuple[str, ...]:
        """List what to read, each once."""
        return tuple(dict.fromkeys((*self.own, *self.names)))


class JsonRows:
    """Makes records of an answer in JSON; prepared once per query.

    A row, as parsed, becomes its record's values: only cells of kinds that JSON writes in another
    way than we do are exchanged.
    """

    def __init__(self, layout: Layout) -> None:
        self._columns = layout.columns
        self._names = frozenset(layout.names)
        self._converts = {
            name: _FROM_JSON[layout.types[name]]
            for name in layout.names
            if layout.types[name] in _FROM_JSON
        }
        self._limits = {
            field.name: 10.0 ** (_EXACT_DIGITS - (field.digits or 0))
            for field in layout.fields
            if field.kind == "number"
        }
        self._stamp = layout.stamp or ""
        self._marks = layout.own
        self._dropped = (_ABOUT, *(name for name in layout.own if name not in self._names))

    def parse(
        self, content: bytes, rows_of: Callable[[Any], list[RawRecord]]
    ) -> tuple[Any, tuple[Record, ...]]:
        """Read an answer: give it whole, and its rows as records in their order.

        The quick parser reads numbers as doubles. Where a number may have more digits than a double
        holds, the answer is read again, slowly and exactly.
        """
        body = orjson.loads(content)
        cells = self._cells(rows_of(body))
        if not self._is_exact(cells):
            body = json.loads(content, parse_float=Decimal)
            cells = self._cells(rows_of(body))
        # NUL is legal in JSON and in no database; one look at the whole answer spares many.
        has_nul = b"\\" in content and b"\\u0000" in content
        return body, self._records(rows_of(body), cells, has_nul=has_nul)

    def _cells(self, rows: Sequence[RawRecord]) -> dict[str, Column]:
        """Give the columns of marks and of what is to be exchanged.

        Rows are gone through once here and once in `_records`, not once per column: a page of rows
        is larger than a processor's own memory.
        """
        names = {*self._marks, *self._converts}
        if not rows:
            return dict.fromkeys(names, ())
        pick = itemgetter("Id", *names)
        try:
            columns = zip(*map(pick, rows), strict=True)
            return dict(zip(("Id", *names), columns, strict=True))
        except KeyError:
            missing = dict.fromkeys(self._columns)
            for row in rows:
                row.update({**missing, **row})
            return self._cells(rows)

    def _is_exact(self, cells: Mapping[str, Column]) -> bool:
        for name, limit in self._limits.items():
            numbers = [value for value in cells[name] if value is not None]
            if numbers and not (-limit < min(numbers) and max(numbers) < limit):
                return False
        return True

    def _records(
        self, rows: Sequence[RawRecord], cells: Mapping[str, Column], *, has_nul: bool
    ) -> tuple[Record, ...]:
        converted = [convert(cells[name]) for name, convert in self._converts.items()]
        values = zip(*converted, strict=True) if converted else repeat((), len(rows))
        for row, changed in zip(rows, values, strict=True):
            for name in self._dropped:
                row.pop(name, None)
            row.update(zip(self._converts, changed, strict=True))
            if len(row) < len(self._names):
                row.update({name: row.get(name) for name in self._names})
            if has_nul or "" in row.values():
                row.update({name: _clean(value) for name, value in row.items()})
        return _make_records(cells, self._stamp, rows)


class CsvRows:
    """Makes records of columns of bulk CSV, where all values are text; prepared once per query."""

    def __init__(self, layout: Layout) -> None:
        self._stamp = layout.stamp or ""
        self._names = layout.names
        self._converts = [_FROM_CSV.get(layout.types[name], _as_it_is) for name in self._names]

    def records(self, columns: Mapping[str, Column]) -> tuple[Record, ...]:
        """Make records; a column that is not there is missing throughout."""
        ids = columns["Id"]
        missing = [None] * len(ids)
        converted = [
            convert(columns.get(name, missing))
            for name, convert in zip(self._names, self._converts, strict=True)
        ]
        rows = zip(*converted, strict=True) if converted else repeat((), len(ids))
        values = [dict(zip(self._names, row, strict=True)) for row in rows]
        return _make_records(columns, self._stamp, values)


def _make_records(
    columns: Mapping[str, Column], stamp: str, values: Sequence[Mapping[str, str | None]]
) -> tuple[Record, ...]:
    missing = [None] * len(values)
    return tuple(
        Record(
            long_id(record_id),
            row,
            created,
            modified,
            is_deleted in _TRUE,
            long_id(master) if master else None,
        )
        for record_id, row, created, modified, is_deleted, master in zip(
            columns["Id"],
            values,
            _instants(columns.get("CreatedDate", missing)),
            _instants(columns.get(stamp, missing)),
            columns.get("IsDeleted", missing),
            columns.get("MasterRecordId", missing),
            strict=True,
        )
    )


def _as_it_is(column: Column) -> Sequence[str | None]:
    return column


def _clean(text: str | None) -> str | None:
    return text.replace("\0", "") or None if text else None


def _anything(column: Column) -> Sequence[str | None]:
    # A history's values are of any type.
    return [canonical(value, "string") for value in column]


def _long_ids(column: Column) -> Sequence[str | None]:
    return [long_id(value) if value else None for value in column]


def _booleans(column: Column) -> Sequence[str | None]:
    return [_BOOLEANS[value] for value in column]


def _numbers(column: Column) -> Sequence[str | None]:
    # The text of most doubles is canonical; the rest is told by its end, by `None` and by `1e+16`.
    return [
        _number(value) if (text := repr(value))[-2:] == ".0" or "e" in text else text
        for value in column
    ]


def _number(value: Any) -> str | None:
    if type(value) is float and value.is_integer() and abs(value) < _WHOLE_LIMIT:
        return str(int(value))
    return canonical(value, "number")


def _number_texts(column: Column) -> Sequence[str | None]:
    return [_number_text(text) if text else None for text in column]


def _number_text(text: str) -> str | None:
    whole, _, decimals = text.partition(".")
    if whole.isdigit() and decimals.isdigit() and (len(whole) == 1 or whole[0] != "0"):
        return f"{whole}.{kept}" if (kept := decimals.rstrip("0")) else whole
    return canonical(text, "number")


def _times(column: Column) -> Sequence[str | None]:
    return [
        value[:23] + "Z"
        if value and value[-5:] == "+0000" and len(value) == 28
        else canonical(value, "datetime")
        for value in column
    ]


def _time_texts(column: Column) -> Sequence[str | None]:
    return [
        value if value and value[-1] == "Z" and len(value) == 24 else canonical(value, "datetime")
        for value in column
    ]


def _instants(column: Column) -> list[datetime | None]:
    """Parse a column of times; thousands of rows share one, so each text is parsed once."""
    known = {text: datetime.fromisoformat(text) for text in set(column) if text}
    return [known.get(text) for text in column]


_FROM_JSON: Mapping[str, Convert] = MappingProxyType(
    {
        "id": _long_ids,
        "reference": _long_ids,
        "anyType": _anything,
        "boolean": _booleans,
        "datetime": _times,
        **dict.fromkeys(("int", "double", "currency", "percent"), _numbers),
    }
)
_FROM_CSV: Mapping[str, Convert] = MappingProxyType(
    {
        "id": _long_ids,
        "reference": _long_ids,
        "datetime": _time_texts,
        **dict.fromkeys(("int", "double", "currency", "percent"), _number_texts),
    }
)
