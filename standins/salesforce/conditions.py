"""Conditions as functions over rows: made once per statement, asked once per row."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from standins.salesforce import soql
from standins.salesforce.answers import Refused
from standins.salesforce.ids import is_id, long_id
from standins.salesforce.org import Org
from standins.salesforce.periods import instants, span
from standins.salesforce.schema import ID_TYPES, NUMBER_TYPES, Field
from standins.salesforce.scope import Getter, Scope, invalid_field
from standins.salesforce.tables import Row
from standins.salesforce.values import number, stamp

Predicate = Callable[[Row], bool]


@dataclass(frozen=True)
class Joined(soql.Query):
    """A semi join that was carried out: the values that its rows hold."""

    values: frozenset[object] = frozenset()


def predicate(scope: Scope, condition: soql.Condition) -> Predicate:
    """Turn a condition into a function that tells whether it holds for a row.

    Semi joins have to be carried out before. Two values only: what is not so of an empty value is
    false, and its negation true.

    Raises:
        Refused: a field that is not there or cannot be filtered, or a value of another type.
    """
    if isinstance(condition, soql.Negation):
        inner = predicate(scope, condition.part)
        return lambda row: not inner(row)
    if isinstance(condition, soql.Junction):
        parts = [predicate(scope, part) for part in condition.parts]
        if condition.word == "AND":
            return lambda row: all(part(row) for part in parts)
        return lambda row: any(part(row) for part in parts)
    if not isinstance(condition.target, soql.Path):
        raise soql.malformed("aggregates stand in HAVING only")
    field, getter = scope.resolve(condition.target)
    if not field.is_filterable or field.type == "address":
        raise invalid_field(f"field '{field.name}' can not be filtered in a query call")
    return matcher(scope, field, getter, condition)


def matcher(scope: Scope, field: Field, getter: Getter, condition: soql.Comparison) -> Predicate:
    """Turn one comparison into a function over rows; `getter` gives the row's value of `field`."""
    operator, value = condition.operator, condition.value
    if operator in {"IN", "NOT IN"}:
        members = _members(scope, field, value)
        is_in, key = operator == "IN", _key(field)
        return lambda row: (key(getter(row)) in members) is is_in
    if operator in {"INCLUDES", "EXCLUDES"}:
        return _includes(field, getter, operator, value)
    assert isinstance(value, soql.Literal)  # noqa: S101 - the parser gives lists to IN only
    if operator == "LIKE":
        return _like(field, getter, value)
    if value.kind == "period":
        return _within(scope.org, field, getter, operator, value)
    return _compare(field, getter, operator, literal_value(scope.org, field, value))


def _key(field: Field) -> Callable[[object], object]:
    """Give what two values of a field must share to be equal."""
    is_exact = field.type in ID_TYPES or field.is_case_sensitive
    if is_exact or field.type in NUMBER_TYPES | {"boolean", "date", "datetime"}:
        return lambda value: value
    return lambda value: value.lower() if isinstance(value, str) else value


def _members(scope: Scope, field: Field, value: object) -> frozenset[object]:
    key = _key(field)
    if isinstance(value, Joined):
        return frozenset(key(one) for one in value.values)
    literals = value if isinstance(value, tuple) else (value,)
    return frozenset(key(literal_value(scope.org, field, one)) for one in literals)


def _compare(field: Field, getter: Getter, operator: str, literal: object) -> Predicate:
    key = _key(field)
    wanted = key(literal)
    if operator == "=":
        return lambda row: key(getter(row)) == wanted
    if operator == "!=":
        return lambda row: key(getter(row)) != wanted
    if wanted is None or field.type == "boolean":
        raise Refused("INVALID_FIELD", f"invalid operator on {field.type} field")
    return _ORDERED[operator](lambda row: key(getter(row)), wanted)


_ORDERED: dict[str, Callable[[Callable[[Row], Any], Any], Predicate]] = {
    "<": lambda get, wanted: lambda row: (value := get(row)) is not None and value < wanted,
    "<=": lambda get, wanted: lambda row: (value := get(row)) is not None and value <= wanted,
    ">": lambda get, wanted: lambda row: (value := get(row)) is not None and value > wanted,
    ">=": lambda get, wanted: lambda row: (value := get(row)) is not None and value >= wanted,
}


def _like(field: Field, getter: Getter, value: soql.Literal) -> Predicate:
    if field.type in ID_TYPES | NUMBER_TYPES | {"boolean", "date", "datetime"}:
        raise invalid_field(f"invalid operator on {field.type} field")
    if value.kind != "string":
        raise _must_be(field, "string", is_quoted=True)
    pieces = re.findall(r"\\[%_]|%|_|[^%_\\]+|\\", str(value.value))
    words = {"%": ".*", "_": ".", "\\%": "%", "\\_": "_"}
    pattern = re.compile(
        "".join(words.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE | re.DOTALL
    )

    def test(row: Row) -> bool:
        found = getter(row)
        return isinstance(found, str) and pattern.fullmatch(found) is not None

    return test


def _includes(field: Field, getter: Getter, operator: str, value: object) -> Predicate:
    if field.type != "multipicklist":
        raise invalid_field(f"invalid operator on {field.type} field")
    literals = value if isinstance(value, tuple) else ()
    wanted = [set(str(one.value).lower().split(";")) for one in literals]
    is_in = operator == "INCLUDES"

    def test(row: Row) -> bool:
        has = set(str(getter(row) or "").lower().split(";"))
        return any(one <= has for one in wanted) is is_in

    return test


def _within(
    org: Org, field: Field, getter: Getter, operator: str, literal: soql.Literal
) -> Predicate:
    """Compare with a span of days of the running user's zone."""
    if field.type not in {"date", "datetime"}:
        raise _must_be(field, field.type, is_quoted=field.type not in NUMBER_TYPES | {"boolean"})
    user = org.tables["User"].rows[org.integration_user_id]
    zone = str(user.get("TimeZoneSidKey", "UTC"))
    today = org.now().astimezone(ZoneInfo(zone)).date()
    fiscal_start = int(org.organization.get("FiscalYearStartMonth") or 1)
    first, after = span(str(literal.value), literal.count, today, fiscal_start)
    low, high = first.isoformat(), after.isoformat()
    if field.type == "datetime":
        low, high = (stamp(moment) for moment in instants(first, after, zone))
    tests: dict[str, Callable[[Any], bool]] = {
        "=": lambda v: low <= v < high,
        "!=": lambda v: not low <= v < high,
        "<": lambda v: v < low,
        "<=": lambda v: v < high,
        ">": lambda v: v >= high,
        ">=": lambda v: v >= low,
    }
    test = tests[operator]
    return lambda row: (value := getter(row)) is not None and test(value)


def _must_be(field: Field, kind: str, *, is_quoted: bool) -> Refused:
    rule = "should be enclosed in quotes" if is_quoted else "should not be enclosed in quotes"
    return invalid_field(
        f"value of filter criterion for field '{field.name}' must be of type {kind} and {rule}"
    )


_WANTED_KINDS = {"boolean": "boolean", "date": "date", "datetime": "datetime"}
_VENDOR_KINDS = {"datetime": "dateTime", "int": "int", "boolean": "boolean", "date": "date"}


def literal_value(org: Org, field: Field, literal: soql.Literal) -> object:
    """Give a written value as rows keep it.

    Raises:
        Refused: a value of this kind cannot be compared with the field.
    """
    if literal.kind == "null":
        return None
    if field.type in NUMBER_TYPES:
        if literal.kind != "number":
            raise _must_be(field, _VENDOR_KINDS.get(field.type, "double"), is_quoted=False)
        return number(literal.value)
    wanted = _WANTED_KINDS.get(field.type, "string")
    if literal.kind != wanted:
        raise _must_be(field, _VENDOR_KINDS.get(field.type, "string"), is_quoted=wanted == "string")
    if field.type == "datetime":
        return _written_stamp(str(literal.value))
    if field.type in ID_TYPES:
        text = str(literal.value)
        if not is_id(text):
            raise Refused("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
        return long_id(text)
    return literal.value


def _written_stamp(text: str) -> str:
    """Write a moment as stamps are kept, milliseconds and all, so that edges stay exact."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise soql.malformed(f"Invalid date: {text}") from None
    return f"{moment.isoformat()[:19]}.{moment.microsecond // 1000:03d}+0000"
