"""Score candidate pairs of both systems, by their fields and then by their rivals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.matching.block import candidates
from transforms.matching.choose import clusters, rivals, steps
from transforms.matching.compare import FIELDS, levels, packed, unpacked
from transforms.matching.encode import Codes, Records
from transforms.matching.model import MatchModel, Scores, Trees

# What the context model sees beside the fields: own score, better rival, other rival.
CONTEXT = (*FIELDS, "own", "rival", "other_rival")
# Pairs below this log odds in thousandths are no candidates: they are no rivals of anything.
WORTH_KEEPING = -6000


@dataclass(frozen=True)
class Pairs:
    """Candidate pairs across the systems, by row; `person` numbers people inside each system.

    `levels` are the compared fields, `own` the score by them alone, `score` the final one.
    """

    hubspot: Codes
    salesforce: Codes
    levels: NDArray[np.int8]
    own: Scores
    score: Scores
    person: Codes


def score_pairs(records: Records, model: MatchModel) -> Pairs:
    """Compare and score every candidate pair; those that are out of the question are left out."""
    left, right = candidates(records)
    compared = levels(records, left, right)
    is_across = (left < records.hubspot_count) & (right >= records.hubspot_count)
    inside = ~is_across
    person = people(left[inside], right[inside], compared[inside], model, len(records))
    own = scored(model.pair, compared[is_across])
    is_kept = own >= WORTH_KEEPING
    hubspot, salesforce = left[is_across][is_kept], right[is_across][is_kept]
    own, compared = own[is_kept], compared[is_across][is_kept]
    seen = in_context(hubspot, salesforce, compared, own, person)
    return Pairs(hubspot, salesforce, compared, own, own + model.context.score(seen), person)


def people(
    left: Codes, right: Codes, compared: NDArray[np.int8], model: MatchModel, count: int
) -> Codes:
    """Number the people inside each system: duplicates bear the number of their first row."""
    score = scored(model.inside, compared)
    is_one = score >= model.duplicate_score
    return clusters(left[is_one], right[is_one], score[is_one], count)


def in_context(
    hubspot: Codes, salesforce: Codes, compared: NDArray[np.int8], own: Scores, person: Codes
) -> NDArray[np.int8]:
    """Put beside each pair's fields its score and its rivals', the columns of `CONTEXT`."""
    rival = rivals(person[hubspot], person[salesforce], own, len(person))
    return np.column_stack([compared, steps(own).astype(np.int8), rival])


def scored(trees: Trees, compared: NDArray[np.int8]) -> Scores:
    """Score rows of levels, each different row once."""
    distinct, at = np.unique(packed(compared), return_inverse=True)
    return trees.score(unpacked(distinct))[at]
