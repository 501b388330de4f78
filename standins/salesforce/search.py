"""SOQL carried out: a statement becomes functions over rows once, then runs over an index."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from standins.salesforce import soql
from standins.salesforce.answers import Refused
from standins.salesforce.catalog import NAME
from standins.salesforce.ids import is_id, long_id
from standins.salesforce.org import Org
from standins.salesforce.periods import instants, span
from standins.salesforce.schema import ID_TYPES, NUMBER_TYPES, Field, SObject, read_catalog
from standins.salesforce.tables import Row
from standins.salesforce.values import number, stamp

Getter = Callable[[Row], object]
Predicate = Callable[[Row], bool]

_NAME = read_catalog(NAME)["name"]
_STAMPS = frozenset({"SystemModstamp", "CreatedDate", "LastModifiedDate"})
_LOWEST, _HIGHEST = "", "~"
_SMALLEST_LIMIT_FOR_ALL = 200


def invalid_field(message: str) -> Refused:
    """Word the refusal of a field that is not there or cannot be used so."""
    return Refused("INVALID_FIELD", message)


def queryable(org: Org, name: str, *, is_tooling: bool = False) -> SObject:
    """Find the object that a statement reads from, in any spelling of its letters.

    Raises:
        Refused: INVALID_TYPE.
    """
    found = org.objects.get(name.lower())
    if found is None or found.is_tooling > is_tooling or "queryable" not in found.abilities:
        raise Refused(
            "INVALID_TYPE",
            f"sObject type '{name}' is not supported. If you are attempting to use a custom object, "
            "be sure to append the '__c' after the entity name. Please reference your WSDL or the "
            "describe call for the appropriate names.",
        )
    return found


class Scope:
    """An object as the start of paths."""

    def __init__(self, org: Org, sobject: SObject) -> None:
        self.org, self.sobject = org, sobject
        self.fields = _NAME.fields if sobject is _NAME else org.visible(sobject)

    def field(self, name: str) -> Field:
        """Find a field that the user sees."""
        found = self.fields.get(name.lower())
        if found is None:
            raise invalid_field(
                f"No such column '{name}' on entity '{self.sobject.name}'. If you are attempting to "
                "use a custom field, be sure to append the '__c' after the custom field name. "
                "Please reference your WSDL or the describe call for the appropriate names."
            )
        return found

    def parent(self, relation: str) -> "tuple[Field, Scope]":
        """Find the lookup behind a relationship, and the object it leads to."""
        for field in self.fields.values():
            if field.relationship and field.relationship.lower() == relation.lower():
                known = [one for one in field.reference_to if one.lower() in self.org.objects]
                if len(field.reference_to) == 1 and known:
                    return field, Scope(self.org, self.org.object(known[0]))
                return field, Scope(self.org, _NAME)
        raise invalid_field(
            f"Didn't understand relationship '{relation}' in field path. If you are attempting to "
            "use a custom relationship, be sure to append the '__r' after the custom relationship "
            "name. Please reference your WSDL or the describe call for the appropriate names."
        )

    def resolve(self, path: soql.Path) -> tuple[Field, Getter]:
        """Find a field, here or at a parent, and the way to its value from a row."""
        if len(path.parts) == 1 or path.parts[0].lower() == self.sobject.name.lower():
            field = self.field(path.parts[-1])
            return field, reader(self.sobject, field)
        lookup, scope = self.parent(path.parts[0])
        field, inner = scope.resolve(soql.Path(path.parts[1:]))
        return field, _through(self.org, lookup.name, scope.sobject, field, inner)


def reader(sobject: SObject, field: Field) -> Getter:
    """Give the way from a row to the value of one of its own fields."""
    name = field.name
    if field.type == "boolean":
        return lambda row: row.get(name, False)
    if field.type == "address":
        parts = [one.name for one in sobject.fields.values() if one.compound == name]
        return lambda row: _address(row, name, parts)
    return lambda row: row.get(name)


def _address(row: Row, whole: str, parts: Sequence[str]) -> Row | None:
    prefix = whole.removesuffix("Address")
    found = {}
    for part in parts:
        bare = part.removeprefix(prefix)
        found[bare[:1].lower() + bare[1:]] = row.get(part)
    return found if any(value is not None for value in found.values()) else None


def _through(org: Org, lookup: str, target: SObject, field: Field, inner: Getter) -> Getter:
    is_type = target is _NAME and field.name == "Type"

    def read(row: Row) -> object:
        found = org.find(row.get(lookup))
        if found is None:
            return None
        return found[0].name if is_type else inner(found[1])

    return read


class Shape:
    """How a row of one object is shown: its fields, its parents, its children."""

    def __init__(self, scope: Scope, version: str) -> None:
        self._scope, self._version = scope, version
        self._plain: dict[str, object] = {}
        self._computed: dict[str, Getter] = {}
        self._parents: dict[str, tuple[str, Shape]] = {}
        self._children: dict[str, Callable[[Row], object]] = {}
        self._by_type: dict[str, tuple[str, dict[str, Shape]]] = {}

    def add(self, path: soql.Path) -> None:
        """Show a field, here or at a parent."""
        parts = path.parts
        if len(parts) > 1 and parts[0].lower() != self._scope.sobject.name.lower():
            lookup, scope = self._scope.parent(parts[0])
            relation = str(lookup.relationship)
            _, shape = self._parents.setdefault(
                relation, (lookup.name, Shape(scope, self._version))
            )
            shape.add(soql.Path(parts[1:]))
            return
        field = self._scope.field(parts[-1])
        if field.name in self._plain or field.name in self._computed:
            raise invalid_field(f"duplicate field selected: {field.name}")
        if field.type == "address" or (self._scope.sobject is _NAME and field.name == "Type"):
            self._computed[field.name] = reader(self._scope.sobject, field)
        else:
            self._plain[field.name] = False if field.type == "boolean" else None

    def add_children(self, name: str, rows_of: Callable[[Row], object]) -> None:
        """Show a list of child rows."""
        self._children[name] = rows_of

    def add_alternatives(self, asked: soql.Alternatives) -> None:
        """Show fields of a polymorphic parent by what it is."""
        lookup, _ = self._scope.parent(asked.relation)
        shapes = {}
        otherwise = Shape(Scope(self._scope.org, _NAME), self._version)
        for path in asked.otherwise:
            otherwise.add(path)
        for kind, paths in asked.by_type:
            sobject = queryable(self._scope.org, kind)
            shapes[sobject.name] = Shape(Scope(self._scope.org, sobject), self._version)
            for path in paths:
                shapes[sobject.name].add(path)
        self._by_type[str(lookup.relationship)] = (lookup.name, shapes | {"": otherwise})

    def show(self, row: Row, sobject: SObject | None = None) -> dict[str, Any]:
        """Give a row as JSON shows it."""
        name = (sobject or self._scope.sobject).name
        url = f"/services/data/{self._version}/sobjects/{name}/{row['Id']}"
        shown: dict[str, Any] = {"attributes": {"type": name, "url": url}}
        get = row.get
        for field, default in self._plain.items():
            shown[field] = get(field, default)
        for field, read in self._computed.items():
            shown[field] = name if self._scope.sobject is _NAME else read(row)
        for relation, (lookup, shape) in self._parents.items():
            found = self._scope.org.find(get(lookup))
            shown[relation] = shape.show(found[1], found[0]) if found else None
        for relation, (lookup, shapes) in self._by_type.items():
            found = self._scope.org.find(get(lookup))
            shown[relation] = None
            if found:
                shape = shapes.get(found[0].name, shapes[""])
                shown[relation] = shape.show(found[1], found[0])
        for relation, rows_of in self._children.items():
            shown[relation] = rows_of(row)
        return shown


@dataclass(frozen=True)
class Found:
    """The rows that a statement found, fixed by id: later changes show, later rows do not.

    `groups` holds the rows of a statement with aggregates. `columns` are the flat columns of a
    result file, in the order of the SELECT.
    """

    sobject: SObject
    rows: Sequence[Row]
    shape: Shape | None = None
    groups: Sequence[dict[str, Any]] | None = None
    columns: Sequence[tuple[str, Getter]] = ()
    is_count: bool = False

    def __len__(self) -> int:
        return len(self.rows if self.groups is None else self.groups)

    def shown(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Give some of the rows as JSON shows them."""
        if self.is_count:
            return []
        if self.groups is not None:
            return list(self.groups[start:stop])
        assert self.shape is not None  # noqa: S101 - only groups come without one
        return [self.shape.show(row) for row in self.rows[start:stop]]


def search(
    org: Org,
    text: str,
    *,
    version: str = "v66.0",
    with_deleted: bool = False,
    is_tooling: bool = False,
) -> Found:
    """Carry out a statement.

    `with_deleted` adds rows in the recycle bin and archived activities.

    Raises:
        Refused: the statement is no SOQL, or names what is not there.
    """
    query = soql.parse(text)
    scope = Scope(org, queryable(org, query.source, is_tooling=is_tooling))
    rows = _rows(scope, query, with_deleted=with_deleted)
    if query.is_count:
        return Found(scope.sobject, rows, is_count=True)
    if query.group_by or any(isinstance(one, soql.Aggregate) for one in query.select):
        return Found(scope.sobject, rows, groups=_groups(scope, query, rows))
    shape, columns = _shape(scope, query, version, with_deleted=with_deleted)
    return Found(scope.sobject, rows, shape, columns=columns)


def _shape(
    scope: Scope, query: soql.Query, version: str, *, with_deleted: bool
) -> tuple[Shape, list[tuple[str, Getter]]]:
    shape, columns = Shape(scope, version), []
    for asked in _expanded(scope, query):
        if isinstance(asked, soql.Query):
            _add_children(shape, scope, asked, version, with_deleted=with_deleted)
        elif isinstance(asked, soql.Alternatives):
            shape.add_alternatives(asked)
        elif isinstance(asked, soql.Path):
            shape.add(asked)
            field, getter = scope.resolve(asked)
            columns.append((_header(scope, asked, field), getter))
    return shape, columns


def _header(scope: Scope, path: soql.Path, field: Field) -> str:
    if len(path.parts) == 1 or path.parts[0].lower() == scope.sobject.name.lower():
        return field.name
    return ".".join((*path.parts[:-1], field.name))


def _expanded(scope: Scope, query: soql.Query) -> Iterator[object]:
    for asked in query.select:
        if not isinstance(asked, soql.AllFields):
            yield asked
            continue
        if asked.which != "STANDARD" and not (query.limit or 10**9) <= _SMALLEST_LIMIT_FOR_ALL:
            raise soql.malformed(
                f"The SOQL FIELDS function must have a LIMIT of at most {_SMALLEST_LIMIT_FOR_ALL}"
            )
        for field in scope.fields.values():
            if asked.which == "ALL" or field.is_custom == (asked.which == "CUSTOM"):
                yield soql.Path((field.name,))


def _add_children(
    shape: Shape, scope: Scope, query: soql.Query, version: str, *, with_deleted: bool
) -> None:
    child = next(
        (one for one in scope.sobject.children if one.name.lower() == query.source.lower()), None
    )
    if child is None:
        raise Refused(
            "INVALID_TYPE",
            f"Didn't understand relationship '{query.source}' in FROM part of query call. If you "
            "are attempting to use a custom relationship, be sure to append the '__r' after the "
            "custom relationship name.",
        )
    inner = Scope(scope.org, scope.org.object(child.sobject))
    inner_shape, _ = _shape(inner, query, version, with_deleted=with_deleted)
    table = scope.org.tables[child.sobject]

    def rows_of(row: Row) -> object:
        ids = sorted(table.having(child.field, [row["Id"]]))
        rows = _rows(inner, query, with_deleted=with_deleted, ids=ids)
        shown = [inner_shape.show(one) for one in rows]
        return {"totalSize": len(shown), "done": True, "records": shown} if shown else None

    shape.add_children(child.name, rows_of)


# Which rows


def _rows(
    scope: Scope, query: soql.Query, *, with_deleted: bool, ids: Iterable[str] | None = None
) -> list[Row]:
    predicate = _condition(scope, query.where) if query.where else None
    table = scope.org.tables[scope.sobject.name]
    is_ordered = False
    if ids is None:
        ids, is_ordered = _candidates(scope, query)
    rows = [table.rows[one] for one in ids if one in table.rows]
    if not with_deleted:
        rows = [row for row in rows if not (row.get("IsDeleted") or row.get("IsArchived"))]
    if predicate is not None:
        rows = [row for row in rows if predicate(row)]
    if query.group_by:
        return rows
    if query.order_by and not is_ordered:
        _sort(scope, query.order_by, rows)
    stop = None if query.limit is None else query.offset + query.limit
    return rows[query.offset : stop]


def _sort(scope: Scope, order_by: Sequence[soql.Ordering], rows: list[Row]) -> None:
    for ordering in reversed(order_by):
        if not isinstance(ordering.target, soql.Path):
            raise soql.malformed("aggregates order groups only")
        field, getter = scope.resolve(ordering.target)
        if not field.described()["sortable"]:
            raise invalid_field(f"field '{field.name}' can not be sorted in a query call")
        rows.sort(key=_sort_key(field, getter, ordering), reverse=ordering.is_descending)


def _sort_key(
    field: Field, getter: Getter, ordering: soql.Ordering
) -> Callable[[Row], tuple[Any, ...]]:
    rank_of_empty = 0 if ordering.is_empty_first != ordering.is_descending else 2
    is_text = field.type not in ID_TYPES | NUMBER_TYPES | {"boolean"}

    def key(row: Row) -> tuple[Any, ...]:
        value = getter(row)
        if value is None:
            return (rank_of_empty,)
        return (1, str(value).lower() if is_text else value)

    return key


def _candidates(scope: Scope, query: soql.Query) -> tuple[Iterable[str], bool]:
    """Narrow the rows by an index when a condition that must hold has one.

    Gives the ids, and whether they come in the order that the statement asks for.
    """
    table = scope.org.tables[scope.sobject.name]
    bounds: dict[str, tuple[str, str]] = {}
    for one in _needed(query.where):
        if not isinstance(one.target, soql.Path) or len(one.target.parts) != 1:
            continue
        field = scope.field(one.target.parts[0])
        values = one.value if isinstance(one.value, tuple) else (one.value,)
        if one.operator in {"=", "IN"} and _is_hashed(field):
            if all(isinstance(v, soql.Literal) and v.kind == "string" for v in values):
                wanted = [_literal(scope.org, field, v) for v in values]  # type: ignore[arg-type]
                if field.name == "Id":
                    return [w for w in dict.fromkeys(map(str, wanted)) if w in table.rows], False
                return sorted(table.having(field.name, wanted)), False
        elif field.name in _STAMPS and isinstance(one.value, soql.Literal):
            _narrow(bounds, scope, field, one.operator, one.value)
    if not bounds:
        return list(table.rows), False
    name, (low, high) = next(iter(bounds.items()))
    return list(table.between(name, low, high)), _follows(query.order_by, name)


def _needed(condition: soql.Condition | None) -> Iterator[soql.Comparison]:
    if isinstance(condition, soql.Comparison):
        yield condition
    elif isinstance(condition, soql.Junction) and condition.word == "AND":
        for part in condition.parts:
            yield from _needed(part)


def _is_hashed(field: Field) -> bool:
    return field.type in ID_TYPES or field.is_id_lookup or field.is_unique or field.is_external_id


def _narrow(
    bounds: dict[str, tuple[str, str]],
    scope: Scope,
    field: Field,
    operator: str,
    literal: soql.Literal,
) -> None:
    if literal.kind != "datetime":
        return
    value = str(_literal(scope.org, field, literal))
    low, high = bounds.get(field.name, (_LOWEST, _HIGHEST))
    if operator in {">", ">=", "="}:
        low = max(low, value)
    if operator in {"<", "<=", "="}:
        high = min(high, value)
    bounds[field.name] = (low, high)


def _follows(order_by: Sequence[soql.Ordering], stamp_field: str) -> bool:
    wanted = [(stamp_field.lower(), False), ("id", False)][: len(order_by)]
    asked = [
        (one.target.text.lower() if isinstance(one.target, soql.Path) else "", one.is_descending)
        for one in order_by
    ]
    return bool(asked) and asked == wanted


# Conditions


def _condition(scope: Scope, condition: soql.Condition) -> Predicate:
    if isinstance(condition, soql.Negation):
        inner = _condition(scope, condition.part)
        return lambda row: not inner(row)
    if isinstance(condition, soql.Junction):
        parts = [_condition(scope, part) for part in condition.parts]
        if condition.word == "AND":
            return lambda row: all(part(row) for part in parts)
        return lambda row: any(part(row) for part in parts)
    if not isinstance(condition.target, soql.Path):
        raise soql.malformed("aggregates stand in HAVING only")
    field, getter = scope.resolve(condition.target)
    if not field.is_filterable or field.type == "address":
        raise invalid_field(f"field '{field.name}' can not be filtered in a query call")
    return _test(scope, field, getter, condition)


def _test(scope: Scope, field: Field, getter: Getter, condition: soql.Comparison) -> Predicate:
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
    return _compare(field, getter, operator, _literal(scope.org, field, value))


def _key(field: Field) -> Callable[[object], object]:
    """Give what two values of a field must share to be equal."""
    is_exact = field.type in ID_TYPES or field.is_case_sensitive
    if is_exact or field.type in NUMBER_TYPES | {"boolean", "date", "datetime"}:
        return lambda value: value
    return lambda value: value.lower() if isinstance(value, str) else value


def _members(
    scope: Scope, field: Field, value: "soql.Literal | tuple[soql.Literal, ...] | soql.Query"
) -> set[object]:
    key = _key(field)
    if isinstance(value, soql.Query):
        inner = Scope(scope.org, queryable(scope.org, value.source))
        if len(value.select) != 1 or not isinstance(value.select[0], soql.Path):
            raise soql.malformed("a semi join selects one field")
        if any(isinstance(one.value, soql.Query) for one in _needed(value.where)):
            raise soql.malformed("a semi join holds no other")
        _, getter = inner.resolve(value.select[0])
        return {key(getter(row)) for row in _rows(inner, value, with_deleted=False)} - {None}
    literals = value if isinstance(value, tuple) else (value,)
    return {key(_literal(scope.org, field, one)) for one in literals}


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


def _literal(org: Org, field: Field, literal: soql.Literal) -> object:
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


# Groups


def _groups(scope: Scope, query: soql.Query, rows: Sequence[Row]) -> list[dict[str, Any]]:
    keys = [scope.resolve(path)[1] for path in query.group_by]
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        grouped.setdefault(tuple(key(row) for key in keys), []).append(row)
    if not query.group_by:
        grouped = {(): list(rows)}
    if len(grouped) > 2000:
        raise Refused("EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore()")
    members = list(grouped.values())
    if query.having is not None:
        test = _group_test(scope, query.having)
        members = [group for group in members if test(group)]
    for ordering in reversed(query.order_by):
        measure = _measure(scope, ordering.target)
        members.sort(
            key=lambda group, measure=measure: ((v := measure(group)) is not None, v or 0),
            reverse=ordering.is_descending,
        )
    named = list(_named_measures(scope, query))
    shown = [{name: measure(group) for name, measure in named} for group in members]
    return [{"attributes": {"type": "AggregateResult"}, **one} for one in shown][: query.limit]


def _named_measures(
    scope: Scope, query: soql.Query
) -> Iterator[tuple[str, Callable[[list[Row]], Any]]]:
    unnamed = 0
    grouped = {path.text.lower() for path in query.group_by}
    for asked in query.select:
        if isinstance(asked, soql.Aggregate):
            name = asked.alias or f"expr{unnamed}"
            unnamed += asked.alias is None
            yield name, _measure(scope, asked)
        elif isinstance(asked, soql.Path):
            if asked.text.lower() not in grouped:
                raise soql.malformed(f"Field must be grouped or aggregated: {asked.text}")
            yield scope.resolve(asked)[0].name, _measure(scope, asked)
        else:
            raise soql.malformed("groups hold fields and aggregates only")


def _measure(scope: Scope, target: soql.Path | soql.Aggregate) -> Callable[[list[Row]], Any]:
    if isinstance(target, soql.Path):
        _, key = scope.resolve(target)
        return lambda group: key(group[0]) if group else None
    if target.path is None:
        return len
    field, getter = scope.resolve(target.path)
    if not field.described()["aggregatable"]:
        raise invalid_field(f"field {field.name} does not support aggregate operator")
    work = _FUNCTIONS[target.function]
    return lambda group: work([v for row in group if (v := getter(row)) is not None])


_FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "COUNT": len,
    "COUNT_DISTINCT": lambda values: len(set(values)),
    "MIN": lambda values: min(values, default=None),
    "MAX": lambda values: max(values, default=None),
    "SUM": lambda values: sum(values) if values else None,
    "AVG": lambda values: sum(values) / len(values) if values else None,
}


def _group_test(scope: Scope, condition: soql.Condition) -> Callable[[list[Row]], bool]:
    if isinstance(condition, soql.Negation):
        inner = _group_test(scope, condition.part)
        return lambda group: not inner(group)
    if isinstance(condition, soql.Junction):
        parts = [_group_test(scope, part) for part in condition.parts]
        if condition.word == "AND":
            return lambda group: all(part(group) for part in parts)
        return lambda group: any(part(group) for part in parts)
    measure = _measure(scope, condition.target)
    plain = replace(condition, target=soql.Path(("value",)))
    kind = Field("value", "string")
    if isinstance(plain.value, soql.Literal) and plain.value.kind == "number":
        kind = Field("value", "double")
    test = _test(scope, kind, lambda row: row["value"], plain)
    return lambda group: test({"value": measure(group)})
