"""Values as the stand-in keeps them: as they stand in the vendor's JSON.

Stamps are text of one width, so that comparing text compares time; numbers are floats where a float
holds them exactly and decimals where it does not; empty is None.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from standins.salesforce.answers import Refused, Unreadable
from standins.salesforce.ids import is_id, long_id
from standins.salesforce.schema import Field

_EMAIL = re.compile(r"[^@\s,;<>()\[\]\"\\]+@[^@\s,;<>()\[\]\"\\]+\.[^@\s,;<>()\[\]\"\\.]+\Z")
_LARGEST_INT = 2**31


def stamp(moment: datetime) -> str:
    """Write a moment as the vendor does, in whole seconds UTC.

    >>> stamp(datetime(2026, 1, 2, 3, 4, 5, 678, UTC))
    '2026-01-02T03:04:05.000+0000'
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return f"{moment.astimezone(UTC).isoformat()[:19]}.000+0000"


def moment_of(text: str) -> datetime:
    """Read a stamp back."""
    return datetime.fromisoformat(text)


def number(value: object) -> float | Decimal:
    """Give a number without losing a digit.

    Raises:
        ValueError: it is no finite number.
    """
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value} is no number") from None
    if not exact.is_finite():
        raise ValueError(f"{value} is no number")
    near = float(exact)
    return near if Decimal(repr(near)) == exact else exact


def _boolean(value: object) -> bool:
    if isinstance(value, str):
        if value.lower() not in {"true", "false"}:
            raise ValueError(f"{value} is neither true nor false")
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise ValueError(f"{value} is neither true nor false")


def _integer(value: object) -> int:
    exact = Decimal(str(number(value)))
    return int(exact.to_integral_value(ROUND_HALF_UP))


def _datetime(value: object) -> str:
    if isinstance(value, datetime):
        return stamp(value)
    text = str(value)
    moment = datetime.fromisoformat(text)
    if len(text) < 19 or moment.tzinfo is None:
        raise ValueError(f"{value} is no moment with a zone")
    return stamp(moment)


def _date(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    date.fromisoformat(text[:10])
    if len(text) > 10:
        datetime.fromisoformat(text)
    return text[:10]


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _id(value: object) -> str:
    return long_id(_text(value))


_PARSERS: Mapping[str, Callable[[object], object]] = {
    "boolean": _boolean,
    "int": _integer,
    "double": number,
    "currency": number,
    "percent": number,
    "datetime": _datetime,
    "date": _date,
    "id": _id,
    "reference": _id,
}


def kept(field: Field, value: object) -> object:
    """Give a value as the stand-in keeps it, without the checks that the API makes.

    Raises:
        ValueError: the value is of another type than the field.
    """
    if value is None or value == "":
        return None
    return _PARSERS.get(field.type, _text)(value)


def from_json(field: Field, value: object) -> object:
    """Read a value of a JSON body.

    Raises:
        Unreadable: the value is of another type than the field.
    """
    is_text = field.type not in _PARSERS or field.type in {"id", "reference", "date", "datetime"}
    if isinstance(value, dict | list) or (is_text and not isinstance(value, str | None)):
        raise _unreadable(field, value)
    try:
        return kept(field, value.strip() if isinstance(value, str) else value)
    except ValueError:
        raise _unreadable(field, value) from None


def _unreadable(field: Field, value: object) -> Unreadable:
    kind = {str: "STRING", bool: "BOOLEAN", int: "NUMBER", Decimal: "NUMBER"}.get(
        type(value), "JSON"
    )
    return Unreadable(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {field.type} from VALUE_{kind} value {value} "
        "or request may be missing a required field",
    )


def from_csv(field: Field, text: str) -> object:
    """Read a cell of an ingest file: `#N/A` clears.

    Raises:
        Refused: the cell is of another type than the field.
    """
    if text == "#N/A":
        return None
    try:
        return kept(field, text.strip())
    except ValueError:
        raise Refused(
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            f"{field.label}: value not of required type: {text}",
            fields=[field.name],
        ) from None


def checked(field: Field, value: object, decimals: int | None = None) -> object:
    """Check a value that the API is asked to store; give it as it is stored.

    Numbers are rounded half up to the field's decimals, or to `decimals`.

    Raises:
        Refused: too long, out of range, not in a closed list, no address, no id.
    """
    if value is None:
        return None
    if isinstance(value, str):
        _check_text(field, value)
        return value
    if field.type == "int":
        if abs(value) >= min(10**field.digits, _LARGEST_INT):  # type: ignore[arg-type]
            raise _out_of_range(field, value)
        return value
    if field.type in {"double", "currency", "percent"}:
        return _fitting(field, value, field.scale if decimals is None else decimals)
    return value


def _fitting(field: Field, value: object, decimals: int) -> float | Decimal:
    exact = Decimal(str(value))
    if abs(exact) >= 10 ** (field.precision - field.scale):
        raise _out_of_range(field, value)
    return number(exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def _out_of_range(field: Field, value: object) -> Refused:
    return Refused(
        "NUMBER_OUTSIDE_VALID_RANGE",
        f"{field.label}: value outside of valid range on numeric field: {value}",
        fields=[field.name],
    )


def _check_text(field: Field, value: str) -> None:
    if field.type in {"id", "reference"}:
        if not is_id(value):
            raise Refused(
                "MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}",
                fields=[field.name],
            )  # fmt: skip
    elif field.length and len(value) > field.length:
        raise Refused(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {value} (max length={field.length})",
            fields=[field.name],
        )
    elif field.is_restricted and field.options:
        chosen = value.split(";") if field.type == "multipicklist" else [value]
        if any(one not in field.options for one in chosen):
            raise Refused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {value}",
                fields=[field.name],
            )
    elif field.type == "email" and not _EMAIL.match(value):
        raise Refused(
            "INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {value}",
            fields=[field.name],
        )  # fmt: skip


def as_cell(value: object) -> str:
    """Write a value into a result file of the bulk API: empty is an empty cell, stamps end in Z."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"{text[:-5]}Z" if text.endswith(".000+0000") and len(text) == 28 else text
