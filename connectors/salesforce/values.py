"""Salesforce's values and ids as canonical text, and canonical text as Salesforce takes it."""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import orjson

from agreement.records import FieldInfo, FieldKind, RawRecord, Record, canonical, parse_instant

# Compound fields (address, location) cannot be read in bulk and repeat their parts, which are
# fields of their own; base64 bodies are documents.
KINDS: Mapping[str, FieldKind] = MappingProxyType(
    {
        "id": "string",
        "reference": "string",
        "string": "string",
        "email": "string",
        "phone": "string",
        "url": "string",
        "time": "string",
        "combobox": "string",
        "encryptedstring": "string",
        "anyType": "string",
        "textarea": "text",
        "picklist": "enumeration",
        "multipicklist": "enumeration",
        "boolean": "boolean",
        "int": "number",
        "double": "number",
        "currency": "number",
        "percent": "number",
        "date": "date",
        "datetime": "datetime",
    }
)

# A double holds every decimal of up to 15 digits; a number of more has to be read from its text.
_EXACT_DIGITS = 15

_BOOLEANS: dict[Any, str | None] = {True: "true", False: "false"}
_TRUE = frozenset({True, "true"})
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

Convert = Callable[[Sequence[Any]], Sequence[str | None]]


def long_id(record_id: str) -> str:
    """Give the 18-character form of an id; the 15-character form is the same record.

    >>> long_id("0015000000Gv7qJ"), long_id("0015000000Gv7qJAAR")
    ('0015000000Gv7qJAAR', '0015000000Gv7qJAAR')
    """
    if len(record_id) != 15:
        return record_id
    checksum = (
        sum(1 << place for place, letter in enumerate(part) if "A" <= letter <= "Z")
        for part in (record_id[:5], record_id[5:10], record_id[10:])
    )
    return record_id + "".join(_CHECKSUM[index] for index in checksum)


def field_info(raw: RawRecord) -> FieldInfo:
    """Read one field of a describe; its type must be one of `KINDS`.

    Only a restricted single picklist is closed: an open one takes any text, and a multiple one
    holds several values in one text.
    """
    is_closed = raw["type"] == "picklist" and raw.get("restrictedPicklist", False)
    return FieldInfo(
        name=raw["name"],
        kind=KINDS[raw["type"]],
        label=raw.get("label") or "",
        is_writable=bool(raw.get("updateable")),
        is_calculated=bool(raw.get("calculated") or raw.get("autoNumber")),
        is_required=bool(
            raw.get("createable") and not raw.get("nillable") and not raw.get("defaultedOnCreate")
        ),
        length=raw.get("length") or None,
        digits=raw.get("scale", 0) if KINDS[raw["type"]] == "number" else None,
        options=_active_values(raw) if is_closed else (),
        help=raw.get("inlineHelpText") or "",
    )


def _active_values(raw: RawRecord) -> tuple[str, ...]:
    return tuple(option["value"] for option in raw["picklistValues"] if option["active"])


def soql_instant(instant: datetime) -> str:
    """Write an instant as SOQL takes it, UTC, in milliseconds where it has any."""
    text = canonical(instant, "datetime") or ""
    return text.replace(".000Z", "Z")


# Read with every record, where the object has them, to tell its times and its end.
MARKS = ("CreatedDate", "IsDeleted", "MasterRecordId")


class Page:
    """Makes records of rows, column by column; prepared once per query.

    Args:
        fields: what to give of each record; anything else the rows hold is used for the record's
            own marks (times, deleted, merged) only.
        stamp: the field that tells when a row last changed.
        marks: the marks that the object has.
        references: the fields that hold ids.
    """

    def __init__(
        self,
        fields: Sequence[FieldInfo],
        stamp: str | None = None,
        marks: Sequence[str] = (),
        references: Container[str] = (),
    ) -> None:
        self._names = tuple(field.name for field in fields)
        self._converts = tuple(
            _long_ids if field.name in references else _CONVERTERS.get(field.kind, _texts)
            for field in fields
        )
        self._limits = {
            field.name: 10.0 ** (_EXACT_DIGITS - (field.digits or 0))
            for field in fields
            if field.kind == "number"
        }
        self._stamp = stamp or ""
        own = ["Id", *marks, *([stamp] if stamp else []), *self._names]
        self.columns = tuple(dict.fromkeys(own))
        # Twice the first column: of a single name, `itemgetter` would give no tuple.
        self._cells = itemgetter(self.columns[0], *self.columns)

    def is_exact(self, rows: Sequence[RawRecord]) -> bool:
        """Tell whether each number was read without loss, though as a double."""
        return not any(
            type(value) is float and not -limit < value < limit
            for name, limit in self._limits.items()
            for value in (row.get(name) for row in rows)
        )

    def records(self, rows: Sequence[RawRecord]) -> tuple[Record, ...]:
        """Make one record per row of JSON, in order."""
        if not rows:
            return ()
        cells = zip(*map(self._cells, rows), strict=True)
        return self.records_of(dict(zip(("", *self.columns), cells, strict=True)))

    def records_of(self, columns: Mapping[str, Sequence[Any]]) -> tuple[Record, ...]:
        """Make records of columns by name; one that is not there is missing throughout."""
        ids = columns.get("Id", ())
        missing = [None] * len(ids)
        values = [
            convert(columns.get(name, missing))
            for name, convert in zip(self._names, self._converts, strict=True)
        ]
        names = self._names
        return tuple(
            Record(
                long_id(record_id),
                dict(zip(names, row, strict=True)),
                created,
                modified,
                is_deleted in _TRUE,
                long_id(master) if master else None,
            )
            for record_id, row, created, modified, is_deleted, master in zip(
                ids,
                zip(*values, strict=True) if values else [()] * len(ids),
                _instants(columns.get("CreatedDate", missing)),
                _instants(columns.get(self._stamp, missing)),
                columns.get("IsDeleted", missing),
                columns.get("MasterRecordId", missing),
                strict=True,
            )
        )


# Each does for a whole column what `canonical` does for a value of that kind, with a short way for
# the one form in which the vendor writes nearly every value.
def _texts(column: Sequence[Any]) -> Sequence[str | None]:
    if all(type(value) is str and value and "\0" not in value for value in column if value):
        return [value or None for value in column]
    # NUL is legal in JSON and in no database. A history's values may be of any type.
    return [
        value.replace("\0", "") or None if type(value) is str else canonical(value, "string")
        for value in column
    ]


def _long_ids(column: Sequence[Any]) -> Sequence[str | None]:
    return [long_id(value) if value else None for value in column]


def _booleans(column: Sequence[Any]) -> Sequence[str | None]:
    return [_BOOLEANS.get(value, value) for value in column]


def _dates(column: Sequence[Any]) -> Sequence[str | None]:
    return [value or None for value in column]


def _numbers(column: Sequence[Any]) -> Sequence[str | None]:
    return [_number(value) for value in column]


def _number(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    text = repr(value) if type(value) is float else str(value)
    whole, _, decimals = text.partition(".")
    if whole.isdigit() and decimals.isdigit() and (len(whole) == 1 or whole[0] != "0"):
        return f"{whole}.{kept}" if (kept := decimals.rstrip("0")) else whole
    return canonical(text, "number")


def _times(column: Sequence[Any]) -> Sequence[str | None]:
    # In bulk they are canonical as they come.
    return [
        value
        if value is None or (len(value) == 24 and value[-5:] == ".000Z")
        else value[:23] + "Z"
        if len(value) == 28 and value[-5:] == "+0000"
        else canonical(value, "datetime")
        for value in column
    ]


_CONVERTERS: Mapping[FieldKind, Convert] = MappingProxyType(
    {"number": _numbers, "boolean": _booleans, "datetime": _times, "date": _dates}
)


def _instants(column: Sequence[Any]) -> list[datetime | None]:
    """Parse a column of times; thousands of rows share one, so each text is parsed once."""
    known = {text: parse_instant(text) for text in set(column) if text}
    return [known.get(text) for text in column]


def json_value(value: str | None, kind: FieldKind) -> Any:
    """Give what `orjson` writes for one value of a write: numbers digit by digit, never as floats.

    A checkbox knows no blank: clearing it unticks it.

    Raises:
        ValueError: a number or checkbox cannot be written so.
    """
    if kind == "boolean":
        return _checkbox(value)
    if value is None or kind != "number":
        return value
    return orjson.Fragment(_plain_number(value).encode("ascii"))


def csv_value(value: str | None, kind: FieldKind) -> str:
    """Give one cell of a bulk write; `#N/A` clears, since an empty cell changes nothing.

    Raises:
        ValueError: a number or checkbox cannot be written so.
    """
    if kind == "boolean":
        return "true" if _checkbox(value) else "false"
    if value is None or value == "":
        return "#N/A"
    return _plain_number(value) if kind == "number" else value


def _checkbox(value: str | None) -> bool:
    if value not in {None, "true", "false"}:
        raise ValueError("no checkbox value")
    return value == "true"


def _plain_number(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("no number") from None
    if not number.is_finite():
        raise ValueError("no finite number")
    return f"{number:f}"
