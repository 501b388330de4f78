"""Pairs that only a person can settle, with what speaks for and against them, without any value."""

from __future__ import annotations

import pandas as pd

from agreement.frames import Reviews, as_utc
from agreement.pairs import COLUMNS, SIDES, pair_ids
from transforms.identity import links as linking
from transforms.identity.decisions import told_by
from transforms.identity.join import Joined

CONTRADICTS = "contradicts a stronger link"


def doubts(
    entity: str,
    nodes: pd.DataFrame,
    joined: Joined,
    doubtful: pd.DataFrame,
    words: pd.DataFrame,
    apart: pd.DataFrame,
    now: object,
) -> pd.DataFrame:
    """List the pairs to ask about: uncertain ones, and links that would join two who contradict.

    Not those that are one entity already or that somebody keeps apart. What an earlier night linked
    and a stronger rule has undone is no question; a link that a merge brought along is.
    """
    refused = joined.refused[joined.refused["rule"] != linking.KEPT_AS_IS]
    asked = pd.concat([refused.assign(is_refused=True), doubtful.assign(is_refused=False)])
    asked = linking.in_order(asked).drop_duplicates(["a", "b"])
    cluster = joined.cluster
    asked = asked[cluster[asked["a"].to_numpy()] != cluster[asked["b"].to_numpy()]]
    known = apart.assign(is_apart=True)
    asked = asked.merge(known, on=["a", "b"], how="left")
    asked = asked[asked["is_apart"].isna()].merge(words, on=["a", "b"], how="left")
    rows = asked[["score", "rule"]].assign(
        entity=entity,
        evidence=_evidence(asked["is_refused"].astype(bool), asked["words"].fillna("")),
        **{
            f"{side}_{part}": nodes[name].loc[asked[at]].to_numpy()
            for side, at in zip(SIDES, ("a", "b"), strict=True)
            for part, name in (("system", "system"), ("kind", "kind"), ("id", "record_id"))
        },
        keys=told_by(entity, nodes, asked["a"], asked["b"]),
        found_at=as_utc(pd.Series([pd.Timestamp(now)] * len(asked), index=asked.index)),
        ended_at=as_utc(pd.Series(pd.NaT, index=asked.index)),
    )
    text = dict.fromkeys((*COLUMNS, "entity", "rule", "evidence", "keys"), "str")
    rows = rows.astype(text)
    return rows.assign(review_id=pair_ids(rows))[list(Reviews.to_schema().columns)]


def _evidence(is_refused: pd.Series, words: pd.Series) -> pd.Series:
    """Put before the words that a stronger link says the contrary."""
    contradicts = pd.Series(CONTRADICTS, index=words.index).str.cat(words, sep=": ")
    return words.mask(is_refused, contradicts.str.removesuffix(": "))
