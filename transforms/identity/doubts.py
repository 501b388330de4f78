"""Pairs that only a person can settle, with what speaks for and against them, without any value."""

from __future__ import annotations

import json

import pandas as pd

from agreement.frames import DataFrame, MatchWeights, Reviews, as_text, as_utc
from agreement.pairs import COLUMNS, SIDES, pair_ids
from transforms.identity import links as linking
from transforms.identity.decisions import told_by
from transforms.identity.join import Joined
from transforms.matching import MatchModel, weights

CONTRADICTS = "contradicts a stronger link"


def doubts(
    entity: str,
    nodes: pd.DataFrame,
    joined: Joined,
    doubtful: pd.DataFrame,
    apart: pd.DataFrame,
    now: object,
) -> pd.DataFrame:
    """List the pairs to ask about: uncertain ones, and links that would join two who contradict.

    Not those that are one entity already or that somebody keeps apart. What an earlier night linked
    and a stronger rule has undone is no question.
    """
    refused = joined.refused[joined.refused["rank"] != linking.KEPT]
    evidence = as_text(pd.Series(CONTRADICTS, index=refused.index))
    asked = pd.concat([refused.assign(evidence=evidence), doubtful.assign(evidence="")])
    asked = linking.in_order(asked).drop_duplicates(["a", "b"])
    cluster = joined.cluster
    asked = asked[cluster[asked["a"].to_numpy()] != cluster[asked["b"].to_numpy()]]
    known = apart.assign(is_apart=True)
    asked = asked.merge(known, on=["a", "b"], how="left")
    asked = asked[asked["is_apart"].isna()].reset_index(drop=True)
    rows = asked[["score", "rule", "evidence"]].assign(
        entity=entity,
        **{
            f"{side}_{part}": nodes[name].loc[asked[at]].to_numpy()
            for side, at in zip(SIDES, ("a", "b"), strict=True)
            for part, name in (("system", "system"), ("kind", "kind"), ("id", "record_id"))
        },
        levels="[]",
        keys=told_by(entity, nodes, asked["a"], asked["b"]),
        found_at=as_utc(pd.Series([pd.Timestamp(now)] * len(asked), index=asked.index)),
        ended_at=as_utc(pd.Series(pd.NaT, index=asked.index)),
    )
    text = dict.fromkeys((*COLUMNS, "entity", "rule", "evidence", "levels", "keys"), "str")
    rows = rows.astype(text)
    return rows.assign(review_id=pair_ids(rows))[list(Reviews.to_schema().columns)]


def with_levels(
    reviews: DataFrame[Reviews], hubspot: pd.DataFrame, salesforce: pd.DataFrame, model: MatchModel
) -> DataFrame[Reviews]:
    """Add how each field of a pair across the systems agrees, and what that is worth in bits."""
    is_across = (reviews["entity"] == "person") & (
        reviews["left_system"] != reviews["right_system"]
    )
    pairs = reviews.loc[is_across, ["left_id", "right_id"]]
    if not len(pairs):
        return reviews
    pairs = pairs.set_axis(["hubspot_id", "salesforce_id"], axis=1)
    found = weights(hubspot, salesforce, pairs, model)
    shown = found[found["level"] != "missing"]
    by_pair = {
        key: (_as_json(rows), _in_words(rows))
        for key, rows in shown.groupby(["hubspot_id", "salesforce_id"], sort=False)
    }
    told = [
        by_pair.get(key, ("[]", "")) for key in zip(*(pairs[name] for name in pairs), strict=True)
    ]
    levels = pd.Series([one for one, _ in told], index=pairs.index, dtype="str")
    words = pd.Series([other for _, other in told], index=pairs.index, dtype="str")
    more = reviews["evidence"].where(reviews["evidence"] == "", reviews["evidence"] + ": ")
    return Reviews.validate(
        reviews.assign(
            levels=levels.reindex(reviews.index).fillna(reviews["levels"]).astype("str"),
            evidence=(more + words.reindex(reviews.index).fillna("")).astype("str"),
        ),
        lazy=True,
    )


_NO_FIELDS = ("start", "rivals", "rarity", "order", "generation", "spelling")


def _as_json(rows: DataFrame[MatchWeights]) -> str:
    columns = (rows[name].tolist() for name in ("field", "level", "weight"))
    told = [
        {"field": field, "level": level, "weight": round(weight, 2)}
        for field, level, weight in zip(*columns, strict=True)
    ]
    return json.dumps(told, separators=(",", ":"))


def _in_words(rows: DataFrame[MatchWeights]) -> str:
    fields = rows[~rows["field"].isin(_NO_FIELDS)]
    return "; ".join((fields["field"] + " " + fields["level"]).tolist())
