"""Salesforce's values and ids as canonical text, and canonical text as Salesforce takes it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

import orjson

from agreement.records import FieldInfo, FieldKind, RawRecord, canonical

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

_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


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
