"""Match the people of two CRMs: encode, compare, score, choose one partner for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agreement.frames import DataFrame, Links
from transforms.matching.choose import matching
from transforms.matching.decide import decisions, shares_role
from transforms.matching.encode import encode
from transforms.matching.model import MatchModel
from transforms.matching.reasons import THROUGH, evidence, rules
from transforms.matching.records import Codes, Records
from transforms.matching.score import Scored, score_pairs

# A duplicate's own row is worth this share of the best row of its person.
_DUPLICATE_SHARE = 0.99


@dataclass(frozen=True)
class Matched:
    """Links across the systems, and the records of each human inside a system.

    `people` has one row per record: `system`, `record_id`, and as `first_id` the record by which
    its human goes in that system. `near` are the rows (`a`, `b`) of records that were weighed
    against each other: nothing that is not near a record has a part in what is found of it.
    """

    links: DataFrame[Links]
    people: pd.DataFrame
    near: pd.DataFrame


def match(hubspot: pd.DataFrame, salesforce: pd.DataFrame, model: MatchModel) -> DataFrame[Links]:
    """Say which HubSpot contact and which Salesforce lead or contact are one human.

    Both tables have the columns of `COLUMNS`, any of which may be absent but `record_id`, which is
    unique in its table. By HubSpot id, then Salesforce id. A person has at most one partner in the
    other system; where a person's records are duplicates inside a system, each of them has a row
    with each of the partner's, under one `cluster_id`. Pairs that are less likely than the model's
    `review_share` have no row. Nothing depends on the order of rows, on which table is which
    system, or on records that share no key with a pair. What several people may share links nobody
    (`decide.py`): such a pair is for review, however likely.
    """
    records = encode(hubspot, salesforce, model.words)
    return matched(records, score_pairs(records, model), model).links


def matched(records: Records, pairs: Scored, model: MatchModel) -> Matched:
    """Choose one partner for each, and say who is who inside the systems."""
    system = np.where(np.arange(len(records)) < records.hubspot_count, "hubspot", "salesforce")
    people = pd.DataFrame({
        "system": system,
        "record_id": records.record_id,
        "first_id": records.record_id[pairs.person],
    }, dtype="str")  # fmt: skip
    near = pd.DataFrame({
        "a": np.r_[pairs.hubspot, pairs.inside.left],
        "b": np.r_[pairs.salesforce, pairs.inside.right],
    })  # fmt: skip
    return Matched(Links.validate(_rows(records, pairs, model), lazy=True), people, near)


def _rows(records: Records, pairs: Scored, model: MatchModel) -> pd.DataFrame:
    best = _best_pairs(pairs)
    one, other = pairs.person[pairs.hubspot[best]], pairs.person[pairs.salesforce[best]]
    order = _text_order(records.record_id)
    tie = _pair_of(np.minimum(order[one], order[other]), np.maximum(order[one], order[other]))
    chosen = best[matching(one, other, pairs.score[best], len(records), tie)]
    share = model.probability(pairs.score[chosen])
    is_shown = share >= model.review_share
    return _spread(records, pairs, chosen[is_shown], share[is_shown], model)


def _pair_of(high: Codes, low: Codes) -> Codes:
    return (high << 32) + low


def _text_order(values: NDArray[np.object_]) -> Codes:
    """Give each id its place in the alphabet, whichever system it is of."""
    # Arrow's: numpy 2.4 crashes on the inverse of unique texts.
    rank = pc.rank(pa.array(values, type=pa.large_string()), "ascending", tiebreaker="dense")
    order: Codes = rank.to_numpy().astype(np.int64)
    return order


def _best_pairs(pairs: Scored) -> Codes:
    """Give, per two people, the position of their records' best pair, the first of equal ones."""
    people = _pair_of(pairs.person[pairs.hubspot], pairs.person[pairs.salesforce])
    order = np.lexsort((pairs.salesforce, pairs.hubspot, -pairs.score, people))
    is_first = np.r_[True, np.diff(people[order]) != 0] if len(order) else np.empty(0, bool)
    return order[is_first]


def _spread(
    records: Records, pairs: Scored, chosen: Codes, share: NDArray[np.float64], model: MatchModel
) -> pd.DataFrame:
    """Give each record of a chosen person a row with each record of the partner."""
    by_role = shares_role(records, pairs.hubspot[chosen], pairs.salesforce[chosen])
    table = pd.DataFrame({
        "one": pairs.person[pairs.hubspot[chosen]],
        "other": pairs.person[pairs.salesforce[chosen]],
        "share": share,
        "pair": chosen,
        "decision": decisions(pairs.levels[chosen], by_role, share, model),
    })  # fmt: skip
    members = pd.DataFrame({"row": np.arange(len(records)), "person": pairs.person})
    spread = table.merge(members, left_on="one", right_on="person").drop(columns="person")
    spread = spread.merge(members, left_on="other", right_on="person", suffixes=("", "_other"))
    return _described(records, pairs, spread, model)


def _described(
    records: Records, pairs: Scored, spread: pd.DataFrame, model: MatchModel
) -> pd.DataFrame:
    size = len(records)
    hubspot, salesforce = spread["row"].to_numpy(), spread["row_other"].to_numpy()
    known = pairs.hubspot * size + pairs.salesforce
    wanted = hubspot * size + salesforce
    at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    is_known = known[at] == wanted if len(known) else np.zeros(0, dtype=bool)
    pair = np.where(is_known, at, spread["pair"].to_numpy())
    best, is_best = spread["share"].to_numpy(), at == spread["pair"].to_numpy()
    own = np.where(is_known, model.probability(pairs.score[pair]), 0.0)
    score = np.where(is_best & is_known, best, np.maximum(own, best * _DUPLICATE_SHARE))
    first = records.record_id[spread["one"].to_numpy()]
    second = records.record_id[spread["other"].to_numpy()]
    rows = pd.DataFrame({
        "hubspot_id": records.record_id[hubspot],
        "salesforce_id": records.record_id[salesforce],
        "score": np.round(score, 6),
        "rule": np.where(is_known, rules(pairs.levels[pair]), THROUGH),
        "decision": spread["decision"].to_numpy(),
        "cluster_id": np.where(first < second, first, second),
        "evidence": np.where(is_known, evidence(pairs.levels[pair]), THROUGH),
    })  # fmt: skip
    texts = {name: "str" for name in rows.columns if name != "score"}
    return rows.astype(texts).sort_values(["hubspot_id", "salesforce_id"], ignore_index=True)
