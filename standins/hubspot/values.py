"""Property values as HubSpot stores, checks and shows them: always text, or nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

from standins.hubspot.schema import Property

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // _MILLISECOND
_LAST = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // _MILLISECOND
_DAY = 24 * 60 * 60 * 1000

# [general knowledge] the longest text that a property of any field type takes.
LONGEST_TEXT = 65_536

_EMAIL = re.compile(r"[^@\s,;<>\"()]+@[^@\s,;<>\"()]+\.[^@\s,;<>\"().]{2,}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Fault(Exception):
    """Why a value was refused: the vendor's code and sentence."""

    code: str
    message: str


def milliseconds(moment: datetime) -> int:
    """Give an aware instant as milliseconds since 1970, what lies below cut off."""
    return (moment - EPOCH) // _MILLISECOND


def moment(milliseconds_: int) -> datetime:
    """Give milliseconds since 1970 as an instant in UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds_)


def instant_text(milliseconds_: int) -> str:
    """Write an instant as the v3 API does: ISO 8601, UTC, milliseconds, Z."""
    return moment(milliseconds_).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_instant(text: str) -> int | None:
    """Read epoch milliseconds, a date, or ISO 8601 with a zone; None when it is none of them.

    Seconds are taken for milliseconds, as the vendor does: they land in 1970.
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        if _DATE.fullmatch(text):
            return milliseconds(
                datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            )
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return milliseconds(read) if read.tzinfo else None


def is_in_calendar(milliseconds_: int) -> bool:
    """Tell whether an instant lies in the years that can be written, 1 to 9999."""
    return _FIRST <= milliseconds_ <= _LAST


def as_text(value: object) -> str | None:
    """Turn a JSON value sent for a property into the text that HubSpot stores."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _string(definition: Property, text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise Fault("PROPERTY_VALUE_TOO_LONG", f"{definition.name} is longer than {LONGEST_TEXT}")
    if definition.name == "email":
        if not _EMAIL.fullmatch(text.strip()):
            raise Fault("INVALID_EMAIL", f"Email address {text} is invalid")
        return text.strip().lower()
    return text


def _number(_: Property, text: str) -> str:
    if not _NUMBER.fullmatch(text.strip()):
        raise Fault("INVALID_INTEGER", f"{text} was not a valid number.")
    return text.strip()


def _bool(definition: Property, text: str) -> str:
    if text.lower() not in {"true", "false"}:
        raise Fault("INVALID_OPTION", _not_allowed(text, "true, false"))
    return text.lower()


def _date(_: Property, text: str) -> str:
    read = _instant(text)
    if read % _DAY:
        raise Fault("INVALID_DATE", f"{text} is at {instant_text(read)}, not midnight UTC!")
    return moment(read).date().isoformat()


def _datetime(_: Property, text: str) -> str:
    return instant_text(_instant(text))


def _instant(text: str) -> int:
    read = read_instant(text.strip())
    if read is None or not is_in_calendar(read):
        raise Fault("INVALID_LONG", f"{text} was not a valid long.")
    return read


def _enumeration(definition: Property, text: str) -> str:
    allowed = {value for value, _ in definition.options}
    chosen = [part for part in text.split(";") if part] if is_multiple(definition) else [text]
    wrong = [part for part in chosen if allowed and part not in allowed]
    if wrong:
        raise Fault("INVALID_OPTION", _not_allowed(wrong[0], ", ".join(sorted(allowed))))
    return text


def _not_allowed(text: str, allowed: str) -> str:
    return f"{text} was not one of the allowed options: [{allowed}]"


def is_multiple(definition: Property) -> bool:
    """Tell whether a property holds several options, joined by semicolons."""
    return definition.type == "enumeration" and definition.field_type == "checkbox"


_READERS: Mapping[str, Callable[[Property, str], str]] = MappingProxyType(
    {
        "string": _string,
        "phone_number": _string,
        "number": _number,
        "bool": _bool,
        "date": _date,
        "datetime": _datetime,
        "enumeration": _enumeration,
    }
)


def stored(definition: Property, value: object, current: str | None = None) -> str | None:
    """Give the text that is stored for a written value; empty clears.

    A multiple choice that starts with a semicolon is appended to `current`.

    Raises:
        Fault: the value does not fit the property's type or options.
    """
    text = as_text(value)
    if text is None or text == "":
        return None
    read = _READERS[definition.type](definition, text)
    if is_multiple(definition):
        return _joined(read, current)
    return read


def stored_as_is(definition: Property, value: object) -> str | None:
    """Give the text stored for a value older than today's checks: one that fails them stays."""
    try:
        return stored(definition, value)
    except Fault:
        return as_text(value)


def _joined(text: str, current: str | None) -> str:
    before = (current or "").split(";") if text.startswith(";") else []
    return ";".join(dict.fromkeys(part for part in (*before, *text.split(";")) if part))
