"""SOQL carried out: a statement becomes functions over rows once, then runs over an index."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from standins.salesforce import soql
from standins.salesforce.answers import Refused
from standins.salesforce.conditions import Joined, literal_value, predicate
from standins.salesforce.groups import groups_of
from standins.salesforce.org import Org
from standins.salesforce.schema import ID_TYPES, NUMBER_TYPES, Field, SObject
from standins.salesforce.scope import Getter, Scope, invalid_field, queryable
from standins.salesforce.shape import Shape
from standins.salesforce.tables import Row

_STAMPS = frozenset({"SystemModstamp", "CreatedDate", "LastModifiedDate"})
_LOWEST, _HIGHEST = "", "~"
_LARGEST_LIMIT_FOR_ALL = 200


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
    try:
        return _found(org, query, version, with_deleted=with_deleted, is_tooling=is_tooling)
    except Refused as refused:
        raise _quoting(text, refused) from None


def _quoting(text: str, refused: Refused) -> Refused:
    """Show a fault as the vendor does: the statement around it and a pointer below."""
    named = re.search(r"'([\w.]+)'", refused.message)
    place = text.find(named[1]) if named else -1
    if place < 0 or refused.code not in {"INVALID_FIELD", "INVALID_TYPE"}:
        return refused
    start = max(0, place - 40)
    around = text[start : place + 40].replace("\n", " ")
    pointer = " " * (place - start) + "^"
    where = f"ERROR at Row:1:Column:{place + 1}"
    return Refused(refused.code, f"\n{around}\n{pointer}\n{where}\n{refused.message}")


def _found(
    org: Org, query: soql.Query, version: str, *, with_deleted: bool, is_tooling: bool
) -> Found:
    scope = Scope(org, queryable(org, query.source, is_tooling=is_tooling))
    rows = _rows(scope, query, with_deleted=with_deleted)
    if query.is_count:
        return Found(scope.sobject, rows, is_count=True)
    if query.group_by or any(isinstance(one, soql.Aggregate) for one in query.select):
        return Found(scope.sobject, rows, groups=groups_of(scope, query, rows))
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
        if asked.which != "STANDARD" and not (query.limit or 10**9) <= _LARGEST_LIMIT_FOR_ALL:
            raise soql.malformed(
                f"The SOQL FIELDS function must have a LIMIT of at most {_LARGEST_LIMIT_FOR_ALL}"
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
    inner = Scope(scope.org, scope.org.sobject(child.sobject))
    inner_shape, _ = _shape(inner, query, version, with_deleted=with_deleted)
    table = scope.org.tables[child.sobject]

    def rows_of(row: Row) -> object:
        ids = sorted(table.having(child.field, [row["Id"]]))
        rows = _rows(inner, query, with_deleted=with_deleted, ids=ids)
        shown = [inner_shape.show(one) for one in rows]
        return {"totalSize": len(shown), "done": True, "records": shown} if shown else None

    shape.add_children(child.name, rows_of)


def _rows(
    scope: Scope, query: soql.Query, *, with_deleted: bool, ids: Iterable[str] | None = None
) -> list[Row]:
    holds = None if query.where is None else predicate(scope, _carried_out(scope, query.where))
    table = scope.org.tables[scope.sobject.name]
    is_ordered = False
    if ids is None:
        ids, is_ordered = _candidates(scope, query)
    rows = [table.rows[one] for one in ids if one in table.rows]
    if not with_deleted:
        rows = [row for row in rows if not (row.get("IsDeleted") or row.get("IsArchived"))]
    if holds is not None:
        rows = [row for row in rows if holds(row)]
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
                wanted = [literal_value(scope.org, field, v) for v in values]  # type: ignore[arg-type]
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
    value = str(literal_value(scope.org, field, literal))
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


def _carried_out(scope: Scope, condition: soql.Condition) -> soql.Condition:
    """Replace semi joins by the values that they find."""
    if isinstance(condition, soql.Negation):
        return soql.Negation(_carried_out(scope, condition.part))
    if isinstance(condition, soql.Junction):
        parts = tuple(_carried_out(scope, part) for part in condition.parts)
        return soql.Junction(condition.word, parts)
    query = condition.value
    if not isinstance(query, soql.Query):
        return condition
    inner = Scope(scope.org, queryable(scope.org, query.source))
    if len(query.select) != 1 or not isinstance(query.select[0], soql.Path):
        raise soql.malformed("a semi join selects one field")
    if any(isinstance(one.value, soql.Query) for one in _needed(query.where)):
        raise soql.malformed("a semi join holds no other")
    _, getter = inner.resolve(query.select[0])
    values = frozenset(getter(row) for row in _rows(inner, query, with_deleted=False)) - {None}
    return replace(condition, value=Joined(query.select, query.source, values=values))
