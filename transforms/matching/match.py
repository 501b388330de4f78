"""Match the people of two CRMs: encode, compare, score, choose one partner for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agreement.frames import DataFrame, Links
from transforms.matching.choose import matching
from transforms.matching.compare import (
    FIELDS,
    Company,
    Domain,
    Email,
    First,
    Last,
    Place,
)
from transforms.matching.encode import Codes, Records, encode
from transforms.matching.model import MatchModel
from transforms.matching.score import Scored, score_pairs

LINK, REVIEW = "link", "review"
# A duplicate's own row is worth this share of the best row of its person.
_DUPLICATE_SHARE = 0.99


def match(hubspot: pd.DataFrame, salesforce: pd.DataFrame, model: MatchModel) -> DataFrame[Links]:
    """Say which HubSpot contact and which Salesforce lead or contact are one human.

    Both tables have the columns of `COLUMNS`, any of which may be absent but `record_id`, which is
    unique in its table. By HubSpot id, then Salesforce id. A person has at most one partner in the
    other system; where a person's records are duplicates inside a system, each of them has a row
    with each of the partner's, under one `cluster_id`. Pairs that are less likely than the model's
    `review_share` have no row. Nothing depends on the order of rows, on which table is which
    system, or on records that share no key with a pair.
    """
    records = encode(hubspot, salesforce, model.words)
    pairs = score_pairs(records, model)
    return Links.validate(_rows(records, pairs, model), lazy=True)


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
    table = pd.DataFrame({
        "one": pairs.person[pairs.hubspot[chosen]],
        "other": pairs.person[pairs.salesforce[chosen]],
        "share": share,
        "pair": chosen,
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
        "rule": np.where(is_known, _rules(pairs.levels[pair]), _THROUGH),
        "decision": np.where(best >= model.link_share, LINK, REVIEW),
        "cluster_id": np.where(first < second, first, second),
        "evidence": np.where(is_known, _evidence(pairs.levels[pair]), _THROUGH),
    })  # fmt: skip
    texts = {name: "str" for name in rows.columns if name != "score"}
    return rows.astype(texts).sort_values(["hubspot_id", "salesforce_id"], ignore_index=True)


# Reasons -----------------------------------------------------------------------------------------

_THROUGH = "duplicate of a linked record"
_PLACE = {name: place for place, name in enumerate(FIELDS)}


def _rules(levels: NDArray[np.int8]) -> NDArray[np.object_]:
    """Name the surest exact key that a pair shares; the model decides, the rule says why."""
    field = {name: levels[:, place] for name, place in _PLACE.items()}
    is_last = field["last"] == Last.EQUAL
    is_name = is_last & np.isin(field["first"], [First.EQUAL, First.NICKNAME])
    is_company = field["company"] == Company.EQUAL
    is_domain = field["domain"] == Domain.EQUAL
    is_own_phone = np.isin(field["phone"], [1, 2])
    return np.select(
        [
            (field["email"] == Email.EQUAL) & is_name, field["email"] == Email.EQUAL,
            is_own_phone & is_last, is_own_phone, is_company & is_name, is_domain & is_name,
            is_name & np.isin(field["place"], [Place.POSTCODE, Place.CITY]), is_name,
        ],
        [
            "e-mail and name", "e-mail", "phone and name", "phone", "company and name",
            "domain and name", "name and place", "name",
        ],
        "likeness",
    ).astype(object)  # fmt: skip


# What evidence says of each level; a level that is not here contradicts.
# fmt: off
_SAID = {
    "email": {1: "equal", 2: "shared mailbox", 3: "a slip", 6: "a slip", 9: "a slip",
              4: "numbered", 7: "numbered", 10: "same mailbox name", 11: "same mailbox name"},
    "first": {1: "equal", 2: "nickname", 3: "alike", 6: "alike", 7: "alike", 4: "initial",
              5: "part"},
    "last": {1: "equal", 2: "alike", 5: "alike", 6: "alike", 3: "part", 4: "initial"},
    "phone": {1: "equal", 2: "shared by few", 3: "shared by few", 4: "switchboard", 5: "near"},
    "company": {1: "equal", 2: "part", 3: "alike", 4: "alike"},
    "domain": {1: "equal", 2: "alike", 3: "company's name"},
    "title": {1: "equal", 2: "alike"},
    "place": {1: "same postcode", 2: "same city", 3: "same country"},
}
# fmt: on
_DIFFERS = "different"


def _evidence(levels: NDArray[np.int8]) -> NDArray[np.object_]:
    """Say in words how the fields agree, without any value of theirs; missing ones are left out."""
    code = np.zeros(len(levels), dtype=np.int64)
    for name in _SAID:
        code = code * FIELDS[name] + levels[:, _PLACE[name]]
    distinct, at = np.unique(code, return_inverse=True)
    texts = []
    for value in distinct.tolist():
        rest, parts = value, []
        for name in reversed(_SAID):
            rest, level = divmod(rest, FIELDS[name])
            if level:
                parts.append(f"{name} {_SAID[name].get(level, _DIFFERS)}")
        texts.append("; ".join(reversed(parts)))
    return np.array([*texts, ""], dtype=object)[at]
