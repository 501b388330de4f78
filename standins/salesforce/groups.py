"""Statements with aggregates: rows in groups, and what is measured of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from standins.salesforce import soql
from standins.salesforce.answers import Refused
from standins.salesforce.conditions import matcher
from standins.salesforce.schema import Field
from standins.salesforce.scope import Scope, invalid_field
from standins.salesforce.tables import Row


def groups_of(scope: Scope, query: soql.Query, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Group rows and measure each group, as JSON shows it; one group when none is asked for.

    Raises:
        Refused: over 2,000 groups, or a field that is neither grouped nor measured.
    """
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
        members.sort(key=_group_key(measure), reverse=ordering.is_descending)
    named = list(_named_measures(scope, query))
    shown = [{name: measure(group) for name, measure in named} for group in members]
    return [{"attributes": {"type": "AggregateResult"}, **one} for one in shown][: query.limit]


def _group_key(measure: Callable[[list[Row]], Any]) -> Callable[[list[Row]], tuple[Any, ...]]:
    def key(group: list[Row]) -> tuple[Any, ...]:
        value = measure(group)
        return (0,) if value is None else (1, value)

    return key


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
    test = matcher(scope, kind, lambda row: row["value"], plain)
    return lambda group: test({"value": measure(group)})
