"""How connectors and the store hand over vendor records: canonical text, never vendor types."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

RawRecord = dict[str, Any]
FieldKind = Literal["string", "text", "number", "boolean", "date", "datetime", "enumeration"]


@dataclass(frozen=True, slots=True)
class Window:
    """Records changed from `since` to `until`, both ends inside.

    `since` missing means everything.
    """

    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What a CRM says about one of its fields.

    `name` is the vendor's own spelling. `digits` are the decimal places of a number (None: any).
    `options` are the values that an enumeration accepts when it is closed; empty when open. A
    calculated field changes without moving the record's stamp, unless it `follows_record`: what it
    is calculated from are the record's own fields.
    """

    name: str
    kind: FieldKind
    label: str = ""
    is_writable: bool = True
    is_calculated: bool = False
    follows_record: bool = False
    is_required: bool = False
    length: int | None = None
    digits: int | None = None
    options: tuple[str, ...] = ()
    help: str = ""


def field_of(values: Mapping[str, Any]) -> FieldInfo:
    """Read a field from the plain values that `asdict` gives, also after they were JSON."""
    return FieldInfo(**{**values, "options": tuple(values.get("options", ()))})


@dataclass(frozen=True, slots=True)
class Record:
    """The state of one vendor record: canonical text per vendor field, missing as None.

    `merged_into` is the record that took this one over. Times are UTC.
    """

    record_id: str
    values: Mapping[str, str | None]
    created_at: datetime | None = None
    modified_at: datetime | None = None
    is_deleted: bool = False
    merged_into: str | None = None


# Says of a record as a search shows it whether all of it is known already.
IsKnown = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One value that a field of a record took at a time; `source` names who or what changed it."""

    record_id: str
    field: str
    value: str | None
    changed_at: datetime
    source: str = ""


@dataclass(frozen=True, slots=True)
class Association:
    """A HubSpot association, one direction."""

    from_kind: str
    from_id: str
    to_kind: str
    to_id: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One page of a pull: records with what came along.

    `associated` names, per record read again, the kinds whose associations are complete in
    `associations`, so that the store can drop the ones that are gone. `resume` is where a pull that
    is stopped after this batch goes on, in the connector's own words; empty: it starts again.
    """

    records: tuple[Record, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    associations: tuple[Association, ...] = ()
    associated: tuple[str, ...] = ()
    resume: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """The fields of one record to set, canonical text; None clears."""

    record_id: str
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the CRM answered to one change; `reason` is empty when it was accepted.

    `is_passing` says that the row itself is sound: something stood in its way, such as a lock, and
    a later night may send it again.
    """

    record_id: str
    is_accepted: bool
    reason: str = ""
    modified_at: datetime | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)
    is_passing: bool = False


def canonical(value: object, kind: FieldKind) -> str | None:
    """Write a vendor's value as text that compares equal when the value is equal.

    Empty is None. Numbers lose trailing zeros; instants become UTC with milliseconds; a HubSpot
    epoch in milliseconds is an instant (or, for a date, its UTC day). What does not parse stays as
    it is.

    >>> canonical("1250.500", "number"), canonical(True, "boolean"), canonical("", "string")
    ('1250.5', 'true', None)
    >>> canonical("2026-01-02T03:04:05.000+0000", "datetime"), canonical("1767225600000", "date")
    ('2026-01-02T03:04:05.000Z', '2026-01-01')
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "boolean":
        return str(value).lower()
    if kind == "number":
        return _number_text(value)
    if kind == "datetime":
        return _instant_text(value)
    if kind == "date":
        return _date_text(value)
    return str(value)


def _number_text(value: object) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    # Not `normalize`: it rounds to 28 digits.
    text = f"{number:f}" if number else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant_text(value: object) -> str:
    instant = _instant(value)
    return instant_text(instant) if instant else str(value)


def _date_text(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    if len(text) == 10 and text[4:5] == "-":
        return text
    instant = _instant(value)
    return instant.date().isoformat() if instant else text


def _instant(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return parse_instant(str(value))


def parse_instant(text: str) -> datetime | None:
    """Read an ISO 8601 instant or epoch milliseconds; None when it is neither.

    A time without a zone is UTC.
    """
    if text.lstrip("-").isdigit():
        return datetime.fromtimestamp(int(text) / 1000, tz=UTC)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def instant_text(instant: datetime) -> str:
    """Write an instant as UTC with milliseconds and a Z."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"
