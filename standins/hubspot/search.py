"""Search: filters, sorts, paging and the limits of `POST /crm/v3/objects/{type}/search`."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from math import isfinite
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any

from standins.hubspot.answers import Json, Refusal, invalid, malformed, refused
from standins.hubspot.portal import Compute, Portal
from standins.hubspot.records import Record
from standins.hubspot.schema import Kind, Property
from standins.hubspot.values import instant_text, is_in_calendar, is_multiple, read_instant

MOST_RESULTS = 10_000
LONGEST_PAGE = 200
_MOST_GROUPS, _MOST_FILTERS_A_GROUP, _MOST_FILTERS = 5, 6, 18
_LONGEST_QUERY = 3000

_OPERATORS = frozenset(
    {
        "EQ",
        "NEQ",
        "LT",
        "LTE",
        "GT",
        "GTE",
        "BETWEEN",
        "IN",
        "NOT_IN",
        "HAS_PROPERTY",
        "NOT_HAS_PROPERTY",
        "CONTAINS_TOKEN",
        "NOT_CONTAINS_TOKEN",
    }
)
_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)

_BY_ID = ("hs_object_id", False)

Comparable = float | str
Doc = Callable[[str], str | None]
Test = Callable[[str | None], bool]
Group = Sequence[tuple[str, Test]]


@dataclass(frozen=True)
class Found:
    """One page of what matched: `total` counts all that match, `after` is the next offset."""

    total: int
    records: Sequence[Record]
    after: str | None


@dataclass(frozen=True)
class _Query:
    groups: Sequence[Group]
    words: Sequence[str]
    sort: tuple[str, bool]
    window: tuple[int, int] | None


class Index:
    """The search index of one portal; remembers the last answer per object, to page through it."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._last: dict[str, tuple[object, list[Record]]] = {}

    def search(self, kind: Kind, body: Json) -> Found:
        """Answer one search request.

        Raises:
            Refusal: the request is malformed, or asks for more than the vendor allows.
        """
        offset, limit = _paging(body)
        filters = _filter_groups(body)
        sort = self._sort(kind, body)
        above_id = 0
        if sort == _BY_ID and len(filters) == 1:
            # Keyset pages differ in nothing but the id that they start above: one answer serves
            # them all.
            above_id, filters = _split_keyset(filters[0])
        matched = self._matched(kind, self._parsed(kind, body, filters, sort), filters)
        start = bisect_right(matched, above_id, key=attrgetter("id")) if above_id else 0
        total, first = len(matched) - start, start + offset
        after = str(offset + limit) if offset + limit < total else None
        return Found(total, matched[first : first + limit], after)

    def _parsed(
        self, kind: Kind, body: Json, filters: Sequence[list[Json]], sort: tuple[str, bool]
    ) -> _Query:
        text = _typed(body, "query", str, "")
        if len(text) > _LONGEST_QUERY:
            raise invalid(f"query is longer than {_LONGEST_QUERY} characters")
        groups = [[self._test(kind, each) for each in group] for group in filters]
        window = _stamp_window(kind, filters[0]) if len(filters) == 1 else None
        return _Query(groups, _TOKEN.findall(text.lower()), sort, window)

    def _test(self, kind: Kind, raw: Json) -> tuple[str, Test]:
        name, operator = str(raw.get("propertyName")), str(raw.get("operator"))
        if operator not in _OPERATORS:
            raise malformed(f"Cannot deserialize an operator from String {operator!r}")
        definition = self._portal.definition(kind, name)
        if definition is None:
            # What the live API says to an unknown property in a filter names neither it nor more.
            raise invalid("There was a problem with the request.")
        return name, _test(definition, operator, raw)

    def _sort(self, kind: Kind, body: Json) -> tuple[str, bool]:
        sorts = _typed(body, "sorts", list, [])
        if len(sorts) > 1:
            raise invalid("Only one sort rule is allowed")
        if not sorts:
            return _BY_ID
        rule = {"propertyName": sorts[0]} if isinstance(sorts[0], str) else sorts[0]
        if not isinstance(rule, dict):
            raise malformed("Cannot deserialize a sort")
        direction = rule.get("direction", "ASCENDING")
        if direction not in {"ASCENDING", "DESCENDING"}:
            raise malformed(f"Cannot deserialize a direction from String {direction!r}")
        name = str(rule.get("propertyName"))
        if self._portal.definition(kind, name) is None:
            raise invalid("There was a problem with the request.")
        return name, direction == "DESCENDING"

    def _matched(self, kind: Kind, query: _Query, filters: Sequence[list[Json]]) -> list[Record]:
        """Find and order all that matches, or take up the last answer when it was the same."""
        portal = self._portal
        present = portal.index_lag and portal.clock()
        same = (
            portal.tables[kind.name].revision,
            portal.associations.revision,
            portal.index_lag,
            present,
            filters,
            query.words,
            query.sort,
        )
        if kind.name not in self._last or self._last[kind.name][0] != same:
            self._last[kind.name] = (same, self._ordered(kind, query))
        return self._last[kind.name][1]

    def _ordered(self, kind: Kind, query: _Query) -> list[Record]:
        matched = [
            record for record, doc in self._candidates(kind, query) if _matches(kind, query, doc)
        ]
        if query.sort == _BY_ID:
            return matched
        name, is_descending = query.sort
        definition = self._portal.definitions[kind.name][name]
        values = [self._portal.value(kind, record, name) for record in matched]
        return _sorted(matched, values, definition, is_descending=is_descending)

    def _candidates(self, kind: Kind, query: _Query) -> Iterator[tuple[Record, Doc]]:
        """Yield what may match, by ascending id, each with a reader of its values in the index."""
        portal, table = self._portal, self._portal.tables[kind.name]
        if portal.index_lag:
            yield from self._lagging(kind)
            return
        computed = {
            name: compute
            for name in _read_names(kind, query)
            if (compute := portal.computed(kind, name))
        }
        records: Iterable[Record] = table.in_order()
        if query.window:
            records = table.modified_between(*query.window)
        for record in records:
            yield record, partial(_read, computed, record) if computed else record.values.get

    def _lagging(self, kind: Kind) -> Iterator[tuple[Record, Doc]]:
        """Yield the records as they stood before their latest change, until the index has it."""
        caught_up = self._portal.clock() - self._portal.index_lag
        for record in self._portal.tables[kind.name].in_order():
            if record.modified <= caught_up:
                yield record, partial(self._portal.value, kind, record)
            elif record.before is not None:
                yield record, record.before.values.get


def _read(computed: Mapping[str, Compute], record: Record, name: str) -> str | None:
    return computed[name](record) if name in computed else record.values.get(name)


def _paging(body: Json) -> tuple[int, int]:
    limit = _typed(body, "limit", int, 10)
    if not 1 <= limit <= LONGEST_PAGE:
        raise invalid(f"limit must be from 1 to {LONGEST_PAGE}, and is {limit}")
    after = str(body.get("after") or "0")
    if not after.isdecimal():
        raise invalid(f"after is no offset: {after}")
    offset = int(after)
    if offset + limit > MOST_RESULTS:
        raise refused(
            400,
            "VALIDATION_ERROR",
            f"Paging through results past {MOST_RESULTS} is not supported: after={after}",
        )
    return offset, limit


def _typed(body: Json, name: str, type_: type, default: Any) -> Any:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, type_) or isinstance(value, bool):
        raise malformed(f"Cannot deserialize value of {name} from {type(value).__name__}")
    return value


def _filter_groups(body: Json) -> list[list[Json]]:
    """Read `filterGroups`, or the top-level `filters` of older requests; check their number."""
    groups = [
        _typed(group, "filters", list, []) if isinstance(group, dict) else _no_group()
        for group in _typed(body, "filterGroups", list, [])
    ]
    if not groups and body.get("filters"):
        groups = [_typed(body, "filters", list, [])]
    if any(not isinstance(each, dict) for group in groups for each in group):
        raise malformed("Cannot deserialize a filter")
    if len(groups) > _MOST_GROUPS:
        raise invalid(f"filterGroups: at most {_MOST_GROUPS}, and there are {len(groups)}")
    longest = max((len(group) for group in groups), default=0)
    if longest > _MOST_FILTERS_A_GROUP:
        raise invalid(f"filters: at most {_MOST_FILTERS_A_GROUP} a group, and there are {longest}")
    if sum(len(group) for group in groups) > _MOST_FILTERS:
        raise invalid(f"filters: at most {_MOST_FILTERS} in all")
    return groups


def _no_group() -> list[Json]:
    raise malformed("Cannot deserialize a filterGroup")


def _split_keyset(group: list[Json]) -> tuple[int, list[list[Json]]]:
    """Take `hs_object_id GT` out of a group; give the id that matches lie above, and the rest."""
    is_start = [
        each.get("propertyName") == "hs_object_id"
        and each.get("operator") == "GT"
        and str(each.get("value")).isdecimal()
        for each in group
    ]
    above = [int(each["value"]) for each, starts in zip(group, is_start, strict=True) if starts]
    rest = [each for each, starts in zip(group, is_start, strict=True) if not starts]
    return max(above, default=0), [rest] if rest else []


def _stamp_window(kind: Kind, group: Sequence[Json]) -> tuple[int, int] | None:
    """Give the span of modified stamps that the filters leave, when they say one."""
    for each in group:
        if each.get("propertyName") != kind.modified:
            continue
        low = read_instant(str(each.get("value")))
        operator = each.get("operator")
        if low is None:
            return None
        if operator == "BETWEEN" and (high := read_instant(str(each.get("highValue")))) is not None:
            return low, high
        if operator in {"GT", "GTE"}:
            return low, 1 << 62
        if operator in {"LT", "LTE"}:
            return 0, low
    return None


def _read_names(kind: Kind, query: _Query) -> set[str]:
    names = {name for group in query.groups for name, _ in group}
    return names | set(kind.searched if query.words else ())


def _matches(kind: Kind, query: _Query, doc: Doc) -> bool:
    if query.groups and not any(
        all(test(doc(name)) for name, test in group) for group in query.groups
    ):
        return False
    if not query.words:
        return True
    text = " ".join(doc(name) or "" for name in kind.searched).lower()
    tokens = _TOKEN.findall(text)
    return all(any(token.startswith(word) for token in tokens) for word in query.words)


def _sorted(
    records: Sequence[Record],
    values: Sequence[str | None],
    definition: Property,
    *,
    is_descending: bool,
) -> list[Record]:
    """Sort by a property, ties by id; records without a usable value come last either way."""
    keyed = [
        (_stored(definition, value), record) for value, record in zip(values, records, strict=True)
    ]
    present = [(key, record) for key, record in keyed if key is not None]
    present.sort(key=itemgetter(0), reverse=is_descending)
    return [record for _, record in present] + [record for key, record in keyed if key is None]


# Filters.


def _test(definition: Property, operator: str, raw: Mapping[str, Any]) -> Test:
    """Build the test of one filter; the value that it gets is the stored text."""
    if operator == "HAS_PROPERTY":
        return bool
    if operator == "NOT_HAS_PROPERTY":
        return lambda value: not value
    if operator in {"IN", "NOT_IN"}:
        return _membership(definition, raw, is_in=operator == "IN")
    if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        return _token(str(_required(raw, "value")), is_in=operator == "CONTAINS_TOKEN")
    if operator in {"EQ", "NEQ"}:
        return _equality(definition, _bound(definition, raw, "value"), is_equal=operator == "EQ")
    return _range(definition, operator, raw)


def _range(definition: Property, operator: str, raw: Mapping[str, Any]) -> Test:
    low = _bound(definition, raw, "value")
    high = _bound(definition, raw, "highValue") if operator == "BETWEEN" else low
    holds = _COMPARE[operator]

    def test(value: str | None) -> bool:
        key = _stored(definition, value)
        return key is not None and holds(key, low, high)

    return test


_COMPARE: Mapping[str, Callable[[Any, Any, Any], bool]] = MappingProxyType(
    {
        "LT": lambda key, low, _: key < low,
        "LTE": lambda key, low, _: key <= low,
        "GT": lambda key, low, _: key > low,
        "GTE": lambda key, low, _: key >= low,
        "BETWEEN": lambda key, low, high: low <= key <= high,
    }
)


def _required(raw: Mapping[str, Any], name: str) -> Any:
    value = raw.get(name)
    if value is None:
        raise invalid(f"operator {raw.get('operator')} needs {name}")
    listed = value if isinstance(value, list) and name == "values" else [value]
    if any(isinstance(each, list | dict) for each in listed):
        raise malformed(f"Cannot deserialize {name} of a filter")
    return value


def _bound(definition: Property, raw: Mapping[str, Any], name: str) -> Comparable:
    text = str(_required(raw, name))
    if definition.type in {"date", "datetime"} and text == "0":
        # Recorded of the live API: the epoch itself breaks it.
        raise Refusal(500, {"status": "error", "message": "internal error"})
    try:
        return _comparable(definition, text)
    except ValueError:
        raise invalid("There was a problem with the request.") from None


def _comparable(definition: Property, text: str) -> Comparable:
    """Give a stored or asked value in a form that compares as the property's type does.

    Raises:
        ValueError: it is not of that type.
    """
    if definition.type == "number":
        number = float(text)
        if not isfinite(number):
            raise ValueError(text)
        return number
    if definition.type in {"date", "datetime"}:
        # Stored instants all have one shape, in which text order is time order.
        if len(text) == 24 and text.endswith("Z"):
            return text
        instant = read_instant(text)
        if instant is None or not is_in_calendar(instant):
            raise ValueError(text)
        return instant_text(instant)
    return text.lower()


def _stored(definition: Property, value: str | None) -> Comparable | None:
    """Give a stored value as it compares; None when it is missing or not of its type."""
    try:
        return _comparable(definition, value) if value else None
    except ValueError:
        return None


def _equality(definition: Property, wanted: Comparable, *, is_equal: bool) -> Test:
    if is_multiple(definition):
        return lambda value: (wanted in (value or "").lower().split(";")) == is_equal
    return lambda value: (_stored(definition, value) == wanted) == is_equal


def _membership(definition: Property, raw: Mapping[str, Any], *, is_in: bool) -> Test:
    """Test for one of several values; those of text have to be asked for in lower case."""
    listed = _required(raw, "values")
    if not isinstance(listed, list):
        raise malformed("Cannot deserialize values from a single value")
    if definition.type in {"string", "enumeration", "phone_number"}:
        texts: set[Comparable] = {str(each) for each in listed}
    else:
        texts = {_bound(definition, {"value": each}, "value") for each in listed}
    if definition.type == "enumeration":
        texts |= {str(each).lower() for each in listed}
    if is_multiple(definition):
        return lambda value: bool(texts & set((value or "").lower().split(";"))) == is_in
    return lambda value: (_stored(definition, value) in texts) == is_in


def _token(pattern: str, *, is_in: bool) -> Test:
    """Test for a word; a star stands for any letters."""
    wanted = pattern.lower()
    words = re.findall(r"[\w*@.+-]+", wanted)

    def holds(value: str | None) -> bool:
        text = (value or "").lower()
        tokens = [*_TOKEN.findall(text), *re.findall(r"[\w@.+-]+", text)]
        found = all(any(fnmatchcase(token, word) for token in tokens) for word in words)
        return found == is_in

    return holds
