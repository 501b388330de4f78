"""Find the pairs of records that are worth comparing: those that share a key few others share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.matching.block import Key, keys
from transforms.matching.records import MISSING, Codes, Records, distinct

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Blocks:
    """Records under the values of one key: one entry per record and value, by value, then record.

    Entries of one value bear one `number`. `is_across` says whether the value's pairs across the
    systems are few enough, `is_inside` the same of the pairs inside the entry's own system.
    """

    row: Codes
    number: Codes
    is_across: Flags
    is_inside: Flags

    def __getitem__(self, entries: Flags) -> Blocks:
        return Blocks(
            self.row[entries], self.number[entries], self.is_across[entries],
            self.is_inside[entries],
        )  # fmt: skip

    def that_pair(self) -> Blocks:
        """Leave out values that pair nobody."""
        size = np.bincount(self.number, minlength=1)
        return self[(size[self.number] > 1) & (self.is_across | self.is_inside)]

    def around(self, rows: Flags) -> Blocks:
        """Give the values that one of these records has."""
        held = np.zeros(int(self.number.max(initial=MISSING)) + 1, dtype=bool)
        held[self.number[rows[self.row]]] = True
        return self[held[self.number]]

    def only(self, rows: Codes, count: int) -> Blocks:
        """Give the entries of some records, in order, under their places among these."""
        place = np.full(count, MISSING, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        some = self[place[self.row] >= 0]
        return Blocks(place[some.row], some.number, some.is_across, some.is_inside)


def candidates(records: Records) -> tuple[Codes, Codes]:
    """Give the pairs to compare, each once, lower row first, in order of rows."""
    return pairs(blocks(records), records)


def blocks(records: Records) -> Iterator[Blocks]:
    """Gather all records by every key in turn."""
    for key in keys(records):
        yield _gathered(key, records.hubspot_count)


def pairs(found: Iterable[Blocks], records: Records) -> tuple[Codes, Codes]:
    """Pair the records of blocks, each pair once, lower row first, in order of rows."""
    parts = [_paired(some, records.hubspot_count) for some in found]
    left, right = (np.concatenate(side) for side in zip(*parts, strict=True))
    return joined_rows(left, right, len(records))


def joined_rows(left: Codes, right: Codes, count: int) -> tuple[Codes, Codes]:
    """Give pairs of rows once each, the lower row first, in order."""
    both = distinct(np.minimum(left, right) * count + np.maximum(left, right))
    return both // max(count, 1), both % max(count, 1)


def _gathered(key: Key, hubspot_count: int) -> Blocks:
    is_known = key.value >= 0
    row, value = key.row[is_known], key.value[is_known]
    order = np.lexsort((row, value))
    row, value = row[order], value[order]
    number = np.cumsum(np.r_[False, value[1:] != value[:-1]][: len(value)])
    size = np.bincount(number, minlength=1)
    is_hubspot = row < hubspot_count
    hubspot = np.bincount(number[is_hubspot], minlength=len(size))
    own = np.where(is_hubspot, hubspot[number], (size - hubspot)[number])
    return Blocks(
        row=row,
        number=number,
        is_across=(hubspot * (size - hubspot) <= key.most_pairs)[number],
        is_inside=(own * own <= key.most_pairs) & key.finds_duplicates,
    )


def _paired(found: Blocks, hubspot_count: int) -> tuple[Codes, Codes]:
    """Pair the holders of each value, across the systems and inside each."""
    row, number = found.row, found.number
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]][: len(number)])
    ends = np.r_[starts[1:], len(row)][: len(starts)].astype(np.int64)
    hubspot = np.add.reduceat(row < hubspot_count, starts) if len(starts) else starts
    middle = starts + hubspot
    across, last = found.is_across[starts], found.is_inside[ends - 1]
    sides = [
        (across, starts, middle, middle, ends),
        (found.is_inside[starts], starts, middle, starts, middle),
        (last, middle, ends, middle, ends),
    ]
    products = [_product(row, *side) for side in sides]
    left, right = (np.concatenate(side) for side in zip(*products, strict=True))
    is_other = left < right
    return left[is_other], right[is_other]


def _product(
    row: Codes,
    is_wanted: Flags,
    from_left: Codes,
    to_left: Codes,
    from_right: Codes,
    to_right: Codes,
) -> tuple[Codes, Codes]:
    """Pair every row of one range with every row of another, range by range."""
    others = to_right - from_right
    size = np.where(is_wanted, (to_left - from_left) * others, 0)
    kept = np.flatnonzero(size)
    size, others = size[kept], others[kept]
    block = np.repeat(np.arange(len(kept)), size)
    within = np.arange(len(block)) - np.repeat(np.cumsum(size) - size, size)
    left = from_left[kept][block] + within // np.maximum(others[block], 1)
    right = from_right[kept][block] + within % np.maximum(others[block], 1)
    return row[left], row[right]
