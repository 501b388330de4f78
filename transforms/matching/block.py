"""Find the pairs of records that are worth comparing: those that share a key few others share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transforms.matching.encode import BITS, MISSING, Codes, Records, Text, joined, text_hash


@dataclass(frozen=True)
class Key:
    """Records under the values of one key: `row` holds `value`; a record may be there often.

    A value whose pairs are more than `most_pairs` is left out: it tells nobody apart, and a
    narrower key finds who belongs together. Only a key that `finds_duplicates` pairs records
    inside a system.
    """

    row: Codes
    value: Codes
    most_pairs: int
    finds_duplicates: bool


def candidates(records: Records) -> tuple[Codes, Codes]:
    """Give the pairs to compare, each once, lower row first, in order of rows."""
    found = [_pairs(key, records.hubspot_count) for key in keys(records)]
    left, right = (np.concatenate(side) for side in zip(*found, strict=True))
    return joined_rows(left, right, len(records))


def joined_rows(left: Codes, right: Codes, count: int) -> tuple[Codes, Codes]:
    """Give pairs of rows once each, the lower row first, in order."""
    distinct = _distinct(np.minimum(left, right) * count + np.maximum(left, right))
    return distinct // max(count, 1), distinct % max(count, 1)


def keys(records: Records) -> Iterator[Key]:
    """List the keys, from the address down to name and place."""
    row = np.arange(len(records))
    name = joined(records.first_sound, records.last_sound)
    low = np.minimum(records.first_sound, records.last_sound)
    either_way = joined(low, np.maximum(records.first_sound, records.last_sound))
    with_initial = np.where(
        (records.last_sound >= 0) & (records.initial >= 0),
        records.last_sound * _LETTERS + records.initial,
        MISSING,
    )
    company = records.company.code
    where, domain = domains(records)
    employed, employer = _employers(records, where, domain)
    line, number = _flat(row, records.phones)
    yield from _address_keys(records, row)
    yield Key(line, number, 40, True)
    for part in (records.first_sound, records.last_sound):
        yield Key(line, joined(part[line], number), 60, True)
        yield Key(employed, joined(part[employed], employer), 60, True)
    yield Key(row, either_way, 30, False)
    yield Key(row, joined(name, records.city.code), 40, True)
    yield Key(row, joined(name, records.postcode), 40, True)
    yield Key(row, joined(name, records.title.code), 30, False)
    yield Key(row, joined(records.last_sound, records.title.code), 12, False)
    yield Key(row, joined(records.first_sound, _begins(records.last, 3)), 12, False)
    yield Key(row, joined(records.last_sound, _begins(records.first, 3)), 12, False)
    yield Key(row, joined(with_initial, records.postcode), 20, False)
    yield Key(row, joined(with_initial, records.city.code), 20, False)
    yield Key(where, domain, 6, False)
    yield Key(row, company, 6, False)
    yield from _spelled_keys(records, where, domain)


def _address_keys(records: Records, row: Codes) -> Iterator[Key]:
    address = records.address
    holder, held = _flat(row, address.id)
    yield Key(holder, held, 60, True)
    for part in (records.first_sound, records.last_sound):
        yield Key(holder, joined(part[holder], held), 60, True)
    is_own = (~address.is_role[:, 0]) & (records.bare.length[records.bare.code] >= _LONG_MAILBOX)
    local = np.where(is_own & (records.bare.code >= 0), address.local[:, 0], MISSING)
    yield Key(row, local, 30, False)


_LONG_MAILBOX = 6


def _spelled_keys(records: Records, where: Codes, domain: Codes) -> Iterator[Key]:
    """Find records without a name by the way their address spells one at the same domain."""
    address = records.address
    nameless = (records.last.code < 0) & (records.bare.code >= 0) & ~address.is_role[:, 0]
    hidden = text_hash(records.bare.texts.tolist())
    rows = np.flatnonzero(nameless)
    own = joined(hidden[records.bare.code[rows]] % _HASHES, address.domain[rows, 0])
    for way in range(6):
        value = joined(records.spelled[where, way] % _HASHES, domain)
        value = np.where(records.spelled[where, way] >= 0, value, MISSING)
        is_wanted = np.isin(value, own)
        yield Key(np.r_[rows, where[is_wanted]], np.r_[own, value[is_wanted]], 20, False)


# Hashes are cut to this many, so that they fit beside a domain in one number.
_HASHES = 1 << 40


def domains(records: Records) -> tuple[Codes, Codes]:
    """List the company domains of each record: of its addresses and of its website."""
    address = records.address
    own = np.where(address.is_free, MISSING, address.domain)
    row, value = _flat(np.arange(len(records)), np.column_stack([own, records.website]))
    distinct = _distinct(joined(row, value))
    return distinct >> BITS, distinct & ((1 << BITS) - 1)


def _distinct(values: Codes) -> Codes:
    """Give each number once, in order: by sorting, which at this size beats numpy's hashing."""
    ordered = np.sort(values)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


_LETTERS = 128


_KEPT_LETTERS = 6


def _employers(records: Records, where: Codes, domain: Codes) -> tuple[Codes, Codes]:
    """List each record's employers by how their names and domains begin."""
    names = [name.replace(" ", "")[:_KEPT_LETTERS] for name in records.company.texts.tolist()]
    labels = [
        "".join(letter for letter in label if letter.isalnum())[:_KEPT_LETTERS]
        for label in records.label.texts.tolist()
    ]
    code = pd.factorize(np.array(names + labels, dtype=object))[0].astype(np.int64)
    named = np.flatnonzero(records.company.code >= 0)
    by_name = code[records.company.code[named]]
    by_domain = code[len(names) :][records.label_of[domain]]
    distinct = _distinct(joined(np.r_[named, where], np.r_[by_name, by_domain]))
    return distinct >> BITS, distinct & ((1 << BITS) - 1)


def _begins(name: Text, letters: int) -> Codes:
    """Number the beginnings of names."""
    begins = [value[:letters] for value in name.texts.tolist()]
    code = np.r_[pd.factorize(np.array(begins, dtype=object))[0], MISSING].astype(np.int64)
    numbers: Codes = code[name.code]
    return numbers


def _flat(row: Codes, columns: Codes) -> tuple[Codes, Codes]:
    """List the values of several columns under their rows, without the missing."""
    at, column = np.nonzero(columns >= 0)
    return row[at], columns[at, column]


def _pairs(key: Key, hubspot_count: int) -> tuple[Codes, Codes]:
    """Pair the holders of each value, across the systems and, if asked, inside each."""
    is_known = key.value >= 0
    row, value = key.row[is_known], key.value[is_known]
    order = np.lexsort((row, value))
    row, value = row[order], value[order]
    is_hubspot = row < hubspot_count
    starts = (
        np.flatnonzero(np.r_[True, value[1:] != value[:-1]]) if len(value) else np.empty(0, int)
    )
    ends = np.r_[starts[1:], len(value)].astype(np.int64)
    hubspot = np.add.reduceat(is_hubspot, starts) if len(starts) else starts
    middle = starts + hubspot
    sides = [(starts, middle, middle, ends)]
    if key.finds_duplicates:
        sides += [(starts, middle, starts, middle), (middle, ends, middle, ends)]
    found = [_product(row, key.most_pairs, *side) for side in sides]
    left = np.concatenate([pair[0] for pair in found])
    right = np.concatenate([pair[1] for pair in found])
    is_other = left < right
    return left[is_other], right[is_other]


def _product(
    row: Codes, most: int, from_left: Codes, to_left: Codes, from_right: Codes, to_right: Codes
) -> tuple[Codes, Codes]:
    """Pair every row of one range with every row of another, range by range."""
    many, others = to_left - from_left, to_right - from_right
    size = many * others
    kept = np.flatnonzero((size > 0) & (size <= most))
    size, others = size[kept], others[kept]
    block = np.repeat(np.arange(len(kept)), size)
    within = np.arange(len(block)) - np.repeat(np.cumsum(size) - size, size)
    left = from_left[kept][block] + within // np.maximum(others[block], 1)
    right = from_right[kept][block] + within % np.maximum(others[block], 1)
    return row[left], row[right]


def holders_of(value: Codes) -> NDArray[np.int64]:
    """Count, for each entry of any numbers, the entries with the same one; 0 where missing."""
    _, at = np.unique(value, return_inverse=True)
    return np.where(value >= 0, np.bincount(at)[at], 0).astype(np.int64)
