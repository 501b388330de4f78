"""All people's records side by side, so that only those who must be are compared again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transforms.matching.candidates import Blocks, Flags, blocks, pairs
from transforms.matching.encode import encode
from transforms.matching.match import Matched, matched
from transforms.matching.model import MatchModel
from transforms.matching.records import Codes, Records
from transforms.matching.score import kept_pairs, score_candidates
from transforms.matching.words import Words

# An odd number that mixes well, of Knuth's.
_MIX = np.uint64(6364136223846793005)


@dataclass(frozen=True)
class Index:
    """Every record of both systems, and by which keys they find one another.

    `standing` is one number per record for all that depends on who else is there: how many hold its
    values, by how many keys it can be found, and of these how many too many have. Between records
    of which neither's values nor standing changed, every comparison gives what it gave.
    """

    records: Records
    blocks: tuple[Blocks, ...]
    standing: NDArray[np.uint64]

    @classmethod
    def of(cls, hubspot: pd.DataFrame, salesforce: pd.DataFrame, words: Words) -> Index:
        """Read both tables, of the columns that `match` knows."""
        records = encode(hubspot, salesforce, words)
        standing = np.zeros(len(records), dtype=np.uint64)
        for held in records.holders.table().T:
            standing = standing * _MIX + held.astype(np.uint64)
        kept = []
        for found in blocks(records):
            for counted in (slice(None), ~found.is_across, ~found.is_inside):
                times = np.bincount(found.row[counted], minlength=len(records))
                standing = standing * _MIX + times.astype(np.uint64)
            kept.append(found.that_pair())
        return cls(records, tuple(kept), standing)

    def near(self, rows: Flags, model: MatchModel) -> tuple[Codes, Codes]:
        """Give the pairs worth keeping of which one record is among these."""
        left, right = pairs((some.around(rows) for some in self.blocks), self.records)
        is_asked = rows[left] | rows[right]
        found = kept_pairs(self.records, left[is_asked], right[is_asked], model)
        return (
            np.concatenate([some.left for some in found]),
            np.concatenate([some.right for some in found]),
        )

    def match(self, rows: Flags, model: MatchModel) -> Matched:
        """Match these records alone, as if with all: none that is near one of them may lack."""
        at = np.flatnonzero(rows)
        records = self.records.only(at)
        some = (found.only(at, len(rows)) for found in self.blocks)
        return matched(records, score_candidates(records, *pairs(some, records), model), model)
