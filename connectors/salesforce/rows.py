"""Rows of JSON and of bulk CSV as records: what is done a million times a night, column by column.

Each converter does for a whole column what `canonical` does for one value, with a short way for the
form in which the vendor writes nearly every value.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import orjson

from agreement.records import FieldInfo, RawRecord, Record, canonical, parse_instant
from connectors.salesforce.values import long_id

# Read with every record, where the object has them, to tell its times and its end.
MARKS = ("CreatedDate", "IsDeleted", "MasterRecordId")

# A double holds every decimal of up to 15 digits; a number of more has to be read from its text.
_EXACT_DIGITS = 15
_WHOLE_LIMIT = 10.0**_EXACT_DIGITS

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
    def columns(self) -> tuple[str, ...]:
        """List what to read, each once."""
        stamp = (self.stamp,) if self.stamp else ()
        return tuple(dict.fromkeys(("Id", *self.marks, *stamp, *self.names)))


class JsonRows:
    """Makes records of an answer in JSON; prepared once per query."""

    def __init__(self, layout: Layout) -> None:
        self._stamp = layout.stamp or ""
        self._names = layout.names
        # A history's stamp is its creation, which must not be taken out before it is read.
        self._kept = {*self._names, *(["CreatedDate"] if layout.stamp == "CreatedDate" else [])}
        converts = {name: _FROM_JSON.get(layout.types[name], _texts) for name in self._names}
        self._texts = [(name, one) for name, one in converts.items() if one is _texts]
        self._others = [(name, one) for name, one in converts.items() if one is not _texts]
        self._limits = {
            field.name: 10.0 ** (_EXACT_DIGITS - (field.digits or 0))
            for field in layout.fields
            if field.kind == "number"
        }

    def parse(
        self, content: bytes, rows_of: Callable[[Any], list[RawRecord]]
    ) -> tuple[Any, tuple[Record, ...]]:
        """Read an answer: give it whole, and its rows as records in their order.

        The quick parser reads numbers as doubles. Where a number may have more digits than a double
        holds, the answer is read again, slowly and exactly. The rows become the records' values.
        """
        body = orjson.loads(content)
        rows = rows_of(body)
        if not self._is_exact(rows):
            body = json.loads(content, parse_float=Decimal)
            rows = rows_of(body)
        # Hardly ever is there an empty text or a NUL: one look at the whole answer spares a look at
        # each value. (An escaped quote at the end of a text looks like an empty one; no harm.)
        has_odd_text = b'""' in content or b"\\u0000" in content
        return body, self._records(rows, [*self._others, *(self._texts if has_odd_text else [])])

    def _is_exact(self, rows: Sequence[RawRecord]) -> bool:
        for name, limit in self._limits.items():
            column = [row.get(name) for row in rows]
            numbers = [value for value in column if value is not None]
            if numbers and not (-limit < min(numbers) and max(numbers) < limit):
                return False
        return True

    def _records(
        self, rows: Sequence[RawRecord], converts: Sequence[tuple[str, Convert]]
    ) -> tuple[Record, ...]:
        ids, deleted, masters, created, modified, _ = (
            [row.get(name) for row in rows]
            if name in self._kept
            else [row.pop(name, None) for row in rows]
            for name in ("Id", "IsDeleted", "MasterRecordId", "CreatedDate", self._stamp, _ABOUT)
        )
        for name, convert in converts:
            column = convert([row.get(name) for row in rows])
            for row, value in zip(rows, column, strict=True):
                row[name] = value
        for row in rows:
            if len(row) < len(self._names):
                row.update({name: None for name in self._names if name not in row})
        return _make_records(ids, deleted, masters, rows, created, modified)


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
        rows = zip(*converted, strict=True) if converted else [()] * len(ids)
        return _make_records(
            ids,
            [value == "true" for value in columns.get("IsDeleted", missing)],
            columns.get("MasterRecordId", missing),
            [dict(zip(self._names, row, strict=True)) for row in rows],
            columns.get("CreatedDate", missing),
            columns.get(self._stamp, missing),
        )


def _make_records(
    ids: Column,
    deleted: Column,
    masters: Column,
    values: Sequence[Mapping[str, str | None]],
    created: Column,
    modified: Column,
) -> tuple[Record, ...]:
    return tuple(
        Record(
            long_id(record_id),
            row,
            made,
            changed,
            bool(is_deleted),
            long_id(master) if master else None,
        )
        for record_id, is_deleted, master, row, made, changed in zip(
            ids, deleted, masters, values, _instants(created), _instants(modified), strict=True
        )
    )


def _as_it_is(column: Column) -> Sequence[str | None]:
    return column


def _texts(column: Column) -> Sequence[str | None]:
    # NUL is legal in JSON and in no database.
    return [value.replace("\0", "") or None if value else None for value in column]


def _anything(column: Column) -> Sequence[str | None]:
    # A history's values are of any type.
    return _texts([canonical(value, "string") for value in column])


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
    known = {text: parse_instant(text) for text in set(column) if text}
    return [known.get(text) for text in column]


_FROM_JSON: Mapping[str, Convert] = MappingProxyType(
    {
        "id": _long_ids,
        "reference": _long_ids,
        "anyType": _anything,
        "boolean": _booleans,
        "datetime": _times,
        "date": _as_it_is,
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
