"""Cleaning text, JSON and files of one person: ids become random ones, values become a mark."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from agreement.privacy import ADDRESSES, PEOPLE, REFERENCES, is_wordy

BLANK = "[forgotten]"

# Where a number is a contact's id: in our texts, in links, and in the evidence of a visit.
_HUBSPOT_PLACES = ("contact ", "contact/", "contact:", "0-1/", "visit-")
_SHORT = 15

Place = tuple[str, str, str]


@dataclass(frozen=True)
class Cleaner:
    """What tells who a person is, and what stands there afterwards.

    `aliases` gives the random id per record (system, kind, id), `addresses` the address in place of
    each of the person's (lower case), `names` the id in place of our own person id; `words` are
    phone numbers and whole names. A number is an id only where the place says so: an amount may be
    the same number.
    """

    aliases: Mapping[Place, str]
    addresses: Mapping[str, str]
    words: frozenset[str]
    names: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[tuple[str, str], str]:
        """Give the random id per (system, record id)."""
        return {
            (system, record_id): alias for (system, _, record_id), alias in self.aliases.items()
        }

    @cached_property
    def _long(self) -> dict[str, str]:
        """Give the ids that are unmistakable wherever they stand."""
        found = dict(self.names)
        for (system, _, record_id), alias in self.aliases.items():
            if system == "salesforce":
                found |= {record_id: alias, record_id[:_SHORT]: alias}
        return found

    @cached_property
    def _numbers(self) -> dict[str, str]:
        return {
            record_id: alias
            for (system, _, record_id), alias in self.aliases.items()
            if system == "hubspot"
        }

    @cached_property
    def _ids_pattern(self) -> re.Pattern[str] | None:
        parts = [re.escape(each) for each in sorted(self._long, key=len, reverse=True)]
        places = [
            rf"(?<={re.escape(place)}){re.escape(number)}(?!\d)"
            for number in self._numbers
            for place in _HUBSPOT_PLACES
        ]
        return _either([rf"(?<![A-Za-z0-9]){part}(?![A-Za-z0-9])" for part in parts] + places)

    @cached_property
    def _words_pattern(self) -> re.Pattern[str] | None:
        every = sorted({*self.addresses, *self.words}, key=len, reverse=True)
        return _either([re.escape(word) for word in every], re.IGNORECASE)

    @cached_property
    def terms(self) -> list[str]:
        """Give pieces of text, in lower case, without which a text has nothing to be cleaned."""
        numbers = [
            f"{before}{number}{after}"
            for number in self._numbers
            for before, after in (
                ("|", "|"),
                ('"', '"'),
                *((place, "") for place in _HUBSPOT_PLACES),
            )
        ]
        found = {each.lower() for each in (*self._long, *self.addresses, *self.words)}
        return sorted(found | {number.lower() for number in numbers})

    def text(self, text: str) -> str:
        """Clean free text."""
        if self._ids_pattern:
            known = {**self._long, **self._numbers}
            text = self._ids_pattern.sub(lambda found: known[found[0]], text)
        if self._words_pattern:
            text = self._words_pattern.sub(self._word, text)
        return text

    def _word(self, found: re.Match[str]) -> str:
        return self.addresses.get(found[0].lower(), BLANK)

    def cell(self, name: str, value: str, row: Mapping[str, Any]) -> str:
        """Clean one cell of a table; `row` are the cells beside it."""
        if value[:1] in {"{", "["}:
            try:
                return self.json(value)
            except orjson.JSONDecodeError:
                return self.text(value)
        if value in self._numbers and self._is_id(name, row):
            return self._numbers[value]
        return self.text(value)

    def _is_id(self, name: str, row: Mapping[str, Any]) -> bool:
        """Tell whether a number in this column is a person's record id."""
        if name in REFERENCES:
            return True
        if not name.endswith("_id"):
            return False
        stem = name.removesuffix("_id")
        kind = row.get("kind" if stem == "record" else f"{stem}_kind")
        system = row.get(f"{stem}_system") or row.get("system") or "hubspot"
        if kind is None and stem == "record":
            return "person_id" in row  # beside a person's id, the record is theirs
        if kind is None:
            return any(word in stem for word in ("person", "contact", "hubspot", "partner"))
        return (system, kind) in PEOPLE

    def json(self, text: str) -> str:
        """Clean JSON, keys and values; the result has the same shape."""
        told = orjson.loads(text)
        clean = self._part(told)
        return text if clean == told else orjson.dumps(clean, option=orjson.OPT_SORT_KEYS).decode()

    def _part(self, part: Any) -> Any:
        if isinstance(part, dict):
            row = {str(key): value for key, value in part.items()}
            return {
                self.text(key): self.cell(key, value, row)
                if isinstance(value, str) and value
                else self._part(value)
                for key, value in row.items()
            }
        if isinstance(part, list):
            return [self._part(each) for each in part]
        return self.text(part) if isinstance(part, str) else part

    def record_values(
        self, system: str, values: Mapping[str, str | None], *, is_tied: bool
    ) -> dict[str, str | None]:
        """Clean a vendor record that is not the person's own: also its words when it names them."""
        clean = {
            name: None if value is None else self.cell(name, value, {"system": system})
            for name, value in values.items()
        }
        is_named = any(
            clean[name] != value
            for name, value in values.items()
            if name in REFERENCES or name in ADDRESSES
        )
        if not is_named and not is_tied:
            return clean
        return {name: None if is_wordy(name) else value for name, value in clean.items()}


def _either(parts: list[str], flags: int = 0) -> re.Pattern[str] | None:
    return re.compile("|".join(parts), flags) if parts else None
