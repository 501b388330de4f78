"""Which records belong together, and through which types; both directions are kept."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

HUBSPOT_DEFINED = "HUBSPOT_DEFINED"
USER_DEFINED = "USER_DEFINED"


@dataclass(frozen=True)
class AssociationType:
    """One type of association in one direction; `label` is what a person reads, if anything."""

    type_id: int
    name: str
    category: str = HUBSPOT_DEFINED
    label: str | None = None


# From object, to object: the unlabelled type of the pair, and the primary one where there is one
# (https://developers.hubspot.com/docs/api/crm/associations, constants of the official client).
_UNLABELLED: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("contacts", "companies"): 279,
        ("companies", "contacts"): 280,
        ("deals", "contacts"): 3,
        ("contacts", "deals"): 4,
        ("deals", "companies"): 341,
        ("companies", "deals"): 342,
        ("contacts", "contacts"): 449,
        ("companies", "companies"): 450,
        ("deals", "deals"): 451,
        ("contacts", "calls"): 193,
        ("calls", "contacts"): 194,
        ("contacts", "emails"): 197,
        ("emails", "contacts"): 198,
        ("contacts", "meetings"): 199,
        ("meetings", "contacts"): 200,
        ("contacts", "notes"): 201,
        ("notes", "contacts"): 202,
        ("contacts", "tasks"): 203,
        ("tasks", "contacts"): 204,
        ("deals", "calls"): 205,
        ("calls", "deals"): 206,
        ("deals", "emails"): 209,
        ("emails", "deals"): 210,
        ("deals", "meetings"): 211,
        ("meetings", "deals"): 212,
        ("deals", "notes"): 213,
        ("notes", "deals"): 214,
        ("deals", "tasks"): 215,
        ("tasks", "deals"): 216,
        ("companies", "calls"): 181,
        ("calls", "companies"): 182,
        ("companies", "emails"): 185,
        ("emails", "companies"): 186,
        ("companies", "meetings"): 187,
        ("meetings", "companies"): 188,
        ("companies", "notes"): 189,
        ("notes", "companies"): 190,
        ("companies", "tasks"): 191,
        ("tasks", "companies"): 192,
        ("communications", "contacts"): 81,
        ("contacts", "communications"): 82,
        ("communications", "deals"): 85,
        ("deals", "communications"): 86,
        ("communications", "companies"): 87,
        ("companies", "communications"): 88,
        ("leads", "contacts"): 579,
        ("contacts", "leads"): 580,
        ("leads", "companies"): 610,
        ("companies", "leads"): 611,
    }
)
_PRIMARY: Mapping[tuple[str, str], int] = MappingProxyType(
    {
        ("contacts", "companies"): 1,
        ("companies", "contacts"): 2,
        ("deals", "companies"): 5,
        ("companies", "deals"): 6,
        ("leads", "contacts"): 578,
    }
)

# Which side may have one primary partner only: the first that is associated becomes it.
_HAS_ONE_PRIMARY = frozenset({("contacts", "companies"), ("deals", "companies")})

Pair = tuple[str, str]
Links = dict[int, dict[int, list[int]]]


class Associations:
    """All associations of a portal: per pair of objects, from id to id to type ids."""

    def __init__(self, singular: Mapping[str, str]) -> None:
        self._types: dict[Pair, dict[int, AssociationType]] = defaultdict(dict)
        self._opposite: dict[tuple[str, str, int], int] = {}
        self._links: dict[Pair, Links] = defaultdict(dict)
        self._next_label = 1
        # Moves with every change, as that of the records does.
        self.revision = 0
        for pair, type_id in _UNLABELLED.items():
            self._define(pair, type_id, singular, suffix="_unlabeled" if pair in _PRIMARY else "")
        for pair, type_id in _PRIMARY.items():
            self._define(pair, type_id, singular, label="Primary")
        for (start, end), type_id in _UNLABELLED.items():
            self._opposite[start, end, type_id] = _UNLABELLED[end, start]
        for (start, end), type_id in _PRIMARY.items():
            back = _PRIMARY.get((end, start), _UNLABELLED[end, start])
            self._opposite[start, end, type_id] = back

    def _define(
        self,
        pair: Pair,
        type_id: int,
        singular: Mapping[str, str],
        *,
        suffix: str = "",
        label: str | None = None,
    ) -> None:
        name = f"{singular[pair[0]]}_to_{singular[pair[1]]}{suffix}"
        self._types[pair][type_id] = AssociationType(type_id, name, label=label)

    def types(self, start: str, end: str) -> Mapping[int, AssociationType]:
        """Give the types of a pair of objects, by id; empty when they cannot be associated."""
        return self._types.get((start, end), {})

    def unlabelled(self, start: str, end: str) -> int:
        """Give the default type of a pair that can be associated."""
        return _UNLABELLED[start, end]

    def add_label(self, start: str, end: str, name: str, label: str) -> tuple[int, int]:
        """Define a label of the account's own; give its type id in both directions."""
        there, back = self._next_label, self._next_label + 1
        self._next_label += 2
        self._types[start, end][there] = AssociationType(there, name, USER_DEFINED, label)
        self._types[end, start][back] = AssociationType(back, name, USER_DEFINED, label)
        self._opposite[start, end, there] = back
        self._opposite[end, start, back] = there
        return there, back

    def link(self, start: str, start_id: int, end: str, end_id: int, type_id: int) -> None:
        """Associate two records through a type, and through the unlabelled one of the pair.

        The first company of a contact or deal becomes its primary one; a later association through
        the primary type takes the place over.
        """
        wanted = dict.fromkeys((_UNLABELLED[start, end], type_id))
        primary = _PRIMARY.get((start, end))
        if primary and self._becomes_primary(start, start_id, end, end_id, type_id == primary):
            wanted[primary] = None
        for each in wanted:
            self._put(start, start_id, end, end_id, each)
            self._put(end, end_id, start, start_id, self._opposite[start, end, each])

    def _becomes_primary(
        self, start: str, start_id: int, end: str, end_id: int, is_asked: bool
    ) -> bool:
        if (end, start) in _HAS_ONE_PRIMARY:
            start, start_id, end, end_id = end, end_id, start, start_id
        if (start, end) not in _HAS_ONE_PRIMARY:
            return is_asked
        holder = self.primary(start, start_id, end)
        if is_asked and holder not in (None, end_id):
            self._links[start, end][start_id][holder].remove(_PRIMARY[start, end])
            self._links[end, start][holder][start_id].remove(_PRIMARY[end, start])
        return is_asked or holder is None

    def _put(self, start: str, start_id: int, end: str, end_id: int, type_id: int) -> None:
        self.revision += 1
        types = self._links[start, end].setdefault(start_id, {}).setdefault(end_id, [])
        if type_id not in types:
            types.append(type_id)

    def of(self, start: str, start_id: int, end: str) -> Mapping[int, list[int]]:
        """Give the records that one record is associated with: id to type ids, oldest first."""
        return self._links.get((start, end), {}).get(start_id, {})

    def primary(self, start: str, start_id: int, end: str) -> int | None:
        """Give the primary partner of a record, if it has one."""
        wanted = _PRIMARY[start, end]
        partners = self.of(start, start_id, end).items()
        return next((partner for partner, types in partners if wanted in types), None)

    def unlink(self, start: str, start_id: int, end: str, end_id: int) -> None:
        """Take away every association between two records."""
        self.revision += 1
        self._links[start, end].get(start_id, {}).pop(end_id, None)
        self._links[end, start].get(end_id, {}).pop(start_id, None)

    def _partners(self, start: str, start_id: int) -> Iterator[tuple[str, int, list[int]]]:
        for (from_object, end), links in list(self._links.items()):
            if from_object == start:
                for end_id, types in list(links.get(start_id, {}).items()):
                    yield end, end_id, list(types)

    def drop(self, start: str, start_id: int) -> None:
        """Take away every association of a record that is gone."""
        for end, end_id, _ in self._partners(start, start_id):
            self.unlink(start, start_id, end, end_id)

    def move(self, start: str, old_id: int, new_id: int) -> None:
        """Hand the associations of a merged-away record to the one that took it over.

        A primary partner comes first, so that the survivor keeps it if it has none.
        """
        partners = list(self._partners(start, old_id))
        partners.sort(key=lambda partner: _PRIMARY.get((start, partner[0])) not in partner[2])
        for end, end_id, types in partners:
            self.unlink(start, old_id, end, end_id)
            if (end, end_id) != (start, new_id):
                for type_id in types:
                    if type_id != _PRIMARY.get((start, end)):
                        self.link(start, new_id, end, end_id, type_id)
