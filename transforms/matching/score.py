"""Score candidate pairs: by their fields, then by what else their records are paired with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.matching.candidates import candidates, joined_rows
from transforms.matching.choose import NO_SCORE, clusters, rivals, steps
from transforms.matching.compare import FIELDS, levels, packed, unpacked
from transforms.matching.decide import may_be_one, shares_role
from transforms.matching.model import MatchModel, Scores, Trees
from transforms.matching.records import Codes, Records

# What the later trees see beside the fields: of two records of different systems the own score,
# the better rival and the other one; of two of one system the own score, the partner that both
# have, and the best partners that they have each for itself.
CONTEXT = (*FIELDS, "own", "rival", "other_rival")
KIN = (*FIELDS, "own", "shared_partner", "own_partners")
# Pairs below this log odds in thousandths are nobody's rivals and nobody's duplicates. A lower cut
# joins nearly all records into one neighbourhood, and a night could not leave one out.
WORTH_KEEPING = -2500
# Partners from this log odds on are worth asking whether their holders are one person.
_LIKELY = 0
# A record that is the likely partner of more than this many says nothing of them.
_MOST_PARTNERS = 6


@dataclass(frozen=True)
class Pairs:
    """Candidate pairs by row, with their compared fields and their score by them alone."""

    left: Codes
    right: Codes
    levels: NDArray[np.int8]
    own: Scores

    def __getitem__(self, rows: NDArray[np.bool_] | Codes) -> Pairs:
        return Pairs(self.left[rows], self.right[rows], self.levels[rows], self.own[rows])


@dataclass(frozen=True)
class Scored:
    """Pairs across the systems with their final score; `person` numbers people in each system.

    `seen` are the columns of `CONTEXT`: the fields' levels, and what else the score came from.
    `inside` are the pairs of one system that were weighed as duplicates.
    """

    hubspot: Codes
    salesforce: Codes
    seen: NDArray[np.int8]
    score: Scores
    person: Codes
    inside: Pairs

    @property
    def levels(self) -> NDArray[np.int8]:
        """Give the fields alone, the columns of `FIELDS`."""
        return self.seen[:, : len(FIELDS)]


def score_pairs(records: Records, model: MatchModel) -> Scored:
    """Compare and score every candidate pair; those that are out of the question are left out."""
    return score_candidates(records, *candidates(records), model)


def score_candidates(records: Records, left: Codes, right: Codes, model: MatchModel) -> Scored:
    """Compare and score these candidate pairs, of which none that is worth keeping may lack."""
    across, inside = kept_pairs(records, left, right, model)
    kin = inside.own + model.kin.score(kin_rows(across, inside, len(records)))
    person = people(inside, kin, model.duplicate_score, len(records))
    seen = context_rows(across, person)
    score = across.own + model.context.score(seen)
    return Scored(across.left, across.right, seen, score, person, inside)


def kept_pairs(
    records: Records, left: Codes, right: Codes, model: MatchModel
) -> tuple[Pairs, Pairs]:
    """Give the candidates that may be one: across the systems, and inside each."""
    across, inside = candidate_pairs(records, left, right, model.pair, model.inside)
    inside = inside[inside.own >= WORTH_KEEPING]
    by_role = shares_role(records, inside.left, inside.right)
    return across, inside[may_be_one(inside.levels, by_role)]


def candidate_pairs(
    records: Records, left: Codes, right: Codes, pair: Trees, inside: Trees
) -> tuple[Pairs, Pairs]:
    """Score candidates by their fields: pairs across the systems, and pairs inside each.

    Records of one system that have a likely partner in common are a pair of the second kind too.
    """
    is_across = (left < records.hubspot_count) & (right >= records.hubspot_count)
    across = _by_fields(records, left[is_across], right[is_across], pair)
    across = across[across.own >= WORTH_KEEPING]
    more_left, more_right = _with_common_partner(across, len(records))
    left, right = joined_rows(
        np.r_[left[~is_across], more_left], np.r_[right[~is_across], more_right], len(records)
    )
    return across, _by_fields(records, left, right, inside)


def _by_fields(records: Records, left: Codes, right: Codes, trees: Trees) -> Pairs:
    compared = levels(records, left, right)
    return Pairs(left, right, compared, scored(trees, compared))


def scored(trees: Trees, compared: NDArray[np.int8]) -> Scores:
    """Score rows of levels, each different row once."""
    distinct, at = np.unique(packed(compared), return_inverse=True)
    return trees.score(unpacked(distinct))[at]


def _with_common_partner(across: Pairs, count: int) -> tuple[Codes, Codes]:
    """Pair the records of one system that have a likely partner in common."""
    likely = across[across.own >= _LIKELY]
    found_left, found_right = [], []
    for partner, holder in ((likely.left, likely.right), (likely.right, likely.left)):
        order = np.lexsort((holder, partner))
        partner, holder = partner[order], holder[order]
        holders = np.bincount(partner, minlength=count)
        for distance in range(1, _MOST_PARTNERS):
            is_pair = (partner[distance:] == partner[:-distance]) & (
                holders[partner[distance:]] <= _MOST_PARTNERS
            )
            found_left.append(holder[:-distance][is_pair])
            found_right.append(holder[distance:][is_pair])
    return np.concatenate(found_left), np.concatenate(found_right)


def kin_rows(across: Pairs, inside: Pairs, count: int) -> NDArray[np.int8]:
    """Put beside each inside pair's fields its score and its partners', the columns of `KIN`."""
    best = np.full(count, NO_SCORE, dtype=np.int64)
    np.maximum.at(best, across.left, across.own)
    np.maximum.at(best, across.right, across.own)
    apart = np.minimum(best[inside.left], best[inside.right])
    shared = _shared_partner(across, inside, count)
    columns = [steps(inside.own), steps(shared), steps(apart)]
    return np.column_stack([inside.levels, *(column.astype(np.int8) for column in columns)])


def _shared_partner(across: Pairs, inside: Pairs, count: int) -> Scores:
    """Give, per inside pair, the weaker score to the partner where that is highest."""
    likely = across[across.own >= _LIKELY]
    row = np.r_[likely.left, likely.right]
    partner = np.r_[likely.right, likely.left]
    score = np.r_[likely.own, likely.own]
    order = np.lexsort((partner, row))
    row, partner, score = row[order], partner[order], score[order]
    key = row * count + partner
    start = np.searchsorted(row, inside.left, side="left")
    number = np.searchsorted(row, inside.left, side="right") - start
    shared = np.full(len(inside.left), NO_SCORE, dtype=np.int64)
    for place in range(_MOST_PARTNERS):
        pairs = np.flatnonzero(number > place)
        mine = start[pairs] + place
        wanted = inside.right[pairs] * count + partner[mine]
        at = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        is_shared = key[at] == wanted if len(key) else np.zeros(0, dtype=bool)
        weaker = np.minimum(score[mine], score[at])[is_shared]
        shared[pairs[is_shared]] = np.maximum(shared[pairs[is_shared]], weaker)
    return shared


def people(inside: Pairs, score: Scores, duplicate_score: int, count: int) -> Codes:
    """Number the people inside each system: duplicates bear the number of their first row."""
    is_one = score >= duplicate_score
    return clusters(inside.left[is_one], inside.right[is_one], score[is_one], count)


def context_rows(across: Pairs, person: Codes) -> NDArray[np.int8]:
    """Put beside each pair's fields its score and its rivals', the columns of `CONTEXT`."""
    rival = rivals(person[across.left], person[across.right], across.own, len(person))
    return np.column_stack([across.levels, steps(across.own).astype(np.int8), rival])
