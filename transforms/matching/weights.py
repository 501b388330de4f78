"""Show what each field of a pair was worth: for the person who reviews it, and for `explain`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.frames import DataFrame, MatchWeights
from transforms.matching.compare import FIELDS, levels
from transforms.matching.decide import link_shares, shares_role
from transforms.matching.encode import encode
from transforms.matching.model import UNIT, MatchModel, Trees
from transforms.matching.reasons import MISSING, PLACES, said
from transforms.matching.records import Codes
from transforms.matching.score import CONTEXT, score_pairs

# What is shown, in this order, and the columns of `FIELDS` that it is made of.
SHOWN = {
    "email": ("email", "email_holders"),
    "first": ("first",),
    "last": ("last",),
    "order": ("swapped",),
    "generation": ("generation",),
    "spelling": ("spelling",),
    "phone": ("phone", "phone_names"),
    "company": ("company", "company_size"),
    "domain": ("domain",),
    "title": ("title", "title_holders"),
    "place": ("place", "place_holders"),
    "rarity": ("name_holders", "last_holders", "first_holders"),
    "rivals": (),
    "start": (),
}
_COMPARED = [[PLACES[name] for name in parts] for parts in SHOWN.values() if parts]
_RIVALS, _START = list(SHOWN).index("rivals"), list(SHOWN).index("start")
_BITS = UNIT * np.log(2)
_TEXTS = dict.fromkeys(("hubspot_id", "salesforce_id", "field", "level"), "str")


def review_bits(model: MatchModel) -> float:
    """Give the sum of weights from which a pair is shown to a person, in bits."""
    return _bits_at(model.review_share, model)


def _bits_at(share: float, model: MatchModel) -> float:
    """Give the lowest score at which this share of pairs is right; missing for an infinite one."""
    if np.isinf(share):
        return np.nan
    at = int(np.searchsorted(model.shares, share, side="left"))
    near = slice(max(at - 1, 0), at + 1)
    return float(np.interp(share, model.shares[near], model.scores[near]) / _BITS)


def weights(
    hubspot: pd.DataFrame, salesforce: pd.DataFrame, pairs: pd.DataFrame, model: MatchModel
) -> DataFrame[MatchWeights]:
    """Give, for chosen pairs, how each field agrees, what that is worth, and what a link takes.

    The tables are those that `match` was given: how many hold a value, and which rivals a pair has,
    is told by all records. `pairs` has `hubspot_id` and `salesforce_id`; rows come in its order,
    the fields of each in that of `SHOWN`. A pair with an id that is not in its table has no rows.
    A pair that is out of the question was never set beside its rivals: they are worth nothing.
    """
    records = encode(hubspot, salesforce, model.words)
    scored = score_pairs(records, model)
    asked = pair_rows(pairs, records.record_id, records.hubspot_count)
    left, right = asked["left"].to_numpy(), asked["right"].to_numpy()
    compared = levels(records, left, right)
    worth = _worth(model.pair, compared)
    at, is_known = positions(scored.hubspot, scored.salesforce, left, right, len(records))
    seen = np.zeros((len(asked), len(CONTEXT)), dtype=np.int8)
    seen[:, : len(FIELDS)] = compared
    seen[is_known] = scored.seen[at[is_known]]
    worth[is_known, _RIVALS] = model.context.score(seen[is_known])
    needed = link_shares(compared, shares_role(records, left, right), model)
    bits = {share: _bits_at(share, model) for share in np.unique(needed).tolist()}
    link_bits = np.array([bits[share] for share in needed.tolist()], dtype=np.float64)
    rows = _shown(asked, seen, worth, is_known)
    rows = rows.assign(link_bits=link_bits.repeat(len(SHOWN)))
    return MatchWeights.validate(rows, lazy=True)


def pair_rows(
    pairs: pd.DataFrame, record_id: NDArray[np.object_], hubspot_count: int
) -> pd.DataFrame:
    """Find the rows of the chosen pairs' records."""
    sides = {"hubspot_id": record_id[:hubspot_count], "salesforce_id": record_id[hubspot_count:]}
    left, right = (
        pd.Index(ids, dtype="str").get_indexer(pairs[name]) for name, ids in sides.items()
    )
    found = pairs[list(sides)].assign(
        left=left, right=np.where(right < 0, right, right + hubspot_count)
    )
    return found[(left >= 0) & (right >= 0)].astype({"left": "int64", "right": "int64"})


def _worth(trees: Trees, compared: NDArray[np.int8]) -> NDArray[np.float64]:
    """Share each pair's score by its fields out over them, columns of `SHOWN`.

    Fields are uncovered one after the other, each counting for what it moves, in every rotation of
    their order and back: the mean of all. A field that is missing moves nothing.
    """
    size, count = len(_COMPARED), len(compared)
    found = np.zeros((count, len(SHOWN)))
    for first in range(size):
        for way in (1, -1):
            order = [(first + way * step) % size for step in range(size)]
            rows = np.zeros((size + 1, *compared.shape), dtype=np.int8)
            for step, place in enumerate(order):
                columns = _COMPARED[place]
                rows[step + 1 :, :, columns] = compared[:, columns]
            score = trees.score(rows.reshape(-1, compared.shape[1])).reshape(size + 1, count)
            found[:, order] += np.diff(score, axis=0).T / (2 * size)
            found[:, _START] = score[0]
    return found


def positions(
    hubspot: Codes, salesforce: Codes, left: Codes, right: Codes, count: int
) -> tuple[Codes, NDArray[np.bool_]]:
    """Find pairs among those that were scored, which are in order of rows."""
    known, wanted = hubspot * count + salesforce, left * count + right
    at = np.searchsorted(known, wanted)
    is_known = at < len(known)
    is_known[is_known] = known[at[is_known]] == wanted[is_known]
    return at, is_known


def _shown(
    asked: pd.DataFrame,
    seen: NDArray[np.int8],
    worth: NDArray[np.float64],
    is_known: NDArray[np.bool_],
) -> pd.DataFrame:
    size = len(SHOWN)
    return pd.DataFrame({
        "hubspot_id": asked["hubspot_id"].to_numpy(dtype=object).repeat(size),
        "salesforce_id": asked["salesforce_id"].to_numpy(dtype=object).repeat(size),
        "field": np.tile(np.array(list(SHOWN), dtype=object), len(asked)),
        "level": np.column_stack([_words(name, seen, is_known) for name in SHOWN]).ravel(),
        "weight": worth.ravel() / _BITS,
    }).astype(_TEXTS)  # fmt: skip


# Words -------------------------------------------------------------------------------------------

# By the level of the field that the row is called after; the others are in `reasons`.
_LEVELS = {
    "order": ("swapped", ("as written", "swapped")),
    "generation": ("generation", ("the same", "one names none", "father and son")),
    "spelling": (
        "spelling",
        (
            MISSING, "one address spells the name", "one address spells half the name",
            "the address spells another name", "both addresses spell the name",
            "both addresses spell the name", "one address spells the name",
            "both addresses spell half the name", "one address spells half the name",
            "both addresses spell other names",
        ),
    ),
    "rarity": (
        "name_holders",
        (
            MISSING, "name of at most 2 records", "name of 3 records", "name of 4 or 5 records",
            "name of 6 to 9 records", "name of 10 to 19 records", "name of 20 to 49 records",
            "name of 50 records or more",
        ),
    ),
}  # fmt: skip


def _words(name: str, seen: NDArray[np.int8], is_known: NDArray[np.bool_]) -> NDArray[np.object_]:
    if name == "rivals":
        return _rivals(seen, is_known)
    if name == "start":
        return np.full(len(seen), "before any comparison", dtype=object)
    if name in _LEVELS:
        column, words = _LEVELS[name]
        return np.array(words, dtype=object)[seen[:, PLACES[column]]]
    return said(name, seen)


def _rivals(seen: NDArray[np.int8], is_known: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Set the better rival beside the pair itself."""
    own, rival = (seen[:, CONTEXT.index(name)] for name in ("own", "rival"))
    return np.select(
        [~is_known, rival == 0, rival < own, rival == own],
        ["not compared", "none", "weaker", "as strong"],
        "stronger",
    ).astype(object)
