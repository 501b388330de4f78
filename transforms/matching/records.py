"""Records of both systems as arrays of numbers, and what of a record depends on all the others."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Steps = NDArray[np.int8]
MISSING = -1
# Codes are below this power of two: eight million distinct values.
BITS = 23


@dataclass(frozen=True)
class Text:
    """A column of text as numbers: `code` per record (-1: missing), `texts` of the numbers."""

    code: Codes
    texts: NDArray[np.object_]

    @property
    def length(self) -> Codes:
        """Give the length of each distinct value, and at the end 0, that of a missing one."""
        sizes = [len(value) for value in self.texts.tolist()]
        return np.array([*sizes, 0], dtype=np.int64)

    def only(self, rows: Codes) -> Text:
        """Give the column of some records; the numbers stay."""
        return Text(self.code[rows], self.texts)


@dataclass(frozen=True)
class Addresses:
    """Up to three e-mail addresses per record (columns), the main one first; -1 where none.

    `id` is one number per address, `local` the part before the @, `domain` what the owner
    registered. `is_role` and `is_free` are per record and address.
    """

    id: Codes
    local: Codes
    domain: Codes
    is_role: NDArray[np.bool_]
    is_free: NDArray[np.bool_]

    def only(self, rows: Codes) -> Addresses:
        """Give the addresses of some records."""
        return Addresses(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})


@dataclass(frozen=True)
class Holders:
    """How many of all records hold each of a record's values, in steps; 0 where it has none.

    `address`, `phone` and `domain` have a column per address, telephone and company domain;
    `phone_names` counts the family names at each telephone. Only steps are kept: between two of
    them one holder more or less changes nothing.
    """

    address: Steps
    phone: Steps
    phone_names: Steps
    domain: Steps
    company: Steps
    name: Steps
    last: Steps
    first: Steps
    title: Steps
    postcode: Steps
    city: Steps

    def only(self, rows: Codes) -> Holders:
        """Give the steps of some records."""
        return Holders(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})

    def table(self) -> Steps:
        """Give all steps, a row per record."""
        return np.column_stack([getattr(self, part.name) for part in fields(self)])


@dataclass(frozen=True)
class Values:
    """What all records of both systems say, HubSpot's first, each system by its id; -1 is missing.

    `called` is the first of a person's given names, `nicknames` are pairs of such names that one
    person goes by, joined, in order; `first_root` is the long form of a nickname; sounds are codes
    of a word's skeleton; `bare` is the part of the main address before the @ without separators and
    digits. `phones` are codes of `phone_numbers`. Of the texts themselves: `bare_hash`,
    `company_hash` (whole, by its words' first letters, its beginning; all without spaces) and
    `label_hash` (whole, its beginning or -1 where short; letters and digits alone).
    """

    hubspot_count: int
    record_id: NDArray[np.object_]
    address: Addresses
    local: Text
    bare: Text
    bare_hash: Codes
    domain: Text
    label: Text
    label_hash: Codes
    label_of: Codes
    website: Codes
    first: Text
    called: Codes
    nicknames: Codes
    first_root: Codes
    first_sound: Codes
    last: Text
    last_sound: Codes
    generation: Codes
    initial: Codes
    spelled: Codes
    company: Text
    company_hash: Codes
    phones: Codes
    phone_numbers: Codes
    title: Text
    city: Text
    postcode: Codes
    country: Text

    def __len__(self) -> int:
        return len(self.record_id)


# What is not one entry per record, but of the table as a whole.
_OF_ALL = (
    "hubspot_count", "bare_hash", "domain", "label", "label_hash", "label_of", "nicknames",
    "company_hash", "phone_numbers",
)  # fmt: skip


@dataclass(frozen=True)
class Records(Values):
    """The same, and how many of all of them hold each value."""

    holders: Holders

    def only(self, rows: Codes) -> Records:
        """Give some records, in order; numbers and holders stay those of all."""
        every = {part.name: getattr(self, part.name) for part in fields(self)}
        some = {
            name: value.only(rows) if hasattr(value, "only") else value[rows]
            for name, value in every.items()
            if name not in _OF_ALL
        }
        return replace(self, hubspot_count=int((rows < self.hubspot_count).sum()), **some)


def joined(high: Codes, low: Codes) -> Codes:
    """Join two codes into one number; missing where either is missing."""
    return np.where((high < 0) | (low < 0), MISSING, (high << BITS) + low)


def distinct(values: Codes) -> Codes:
    """Give each number once, in order: by sorting, which at this size beats numpy's hashing."""
    ordered = np.sort(values)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def flat(row: Codes, columns: Codes) -> tuple[Codes, Codes]:
    """List the values of several columns under their rows, without the missing."""
    at, column = np.nonzero(columns >= 0)
    return row[at], columns[at, column]


def domains(values: Values) -> tuple[Codes, Codes]:
    """List the company domains of each record: of its addresses and of its website."""
    address = values.address
    own = np.where(address.is_free, MISSING, address.domain)
    row, value = flat(np.arange(len(values)), np.column_stack([own, values.website]))
    both = distinct(joined(row, value))
    return both >> BITS, both & ((1 << BITS) - 1)


def text_hash(values: list[str]) -> Codes:
    """Give one positive number per text, the same for the same text on every machine."""
    hashed = pd.util.hash_array(np.array(values, dtype=object), categorize=False)
    positive: Codes = (hashed >> np.uint64(2)).astype(np.int64)
    return positive
