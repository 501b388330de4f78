"""What people decided, and what earlier nights linked: the links that no key has to prove again."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import pandas as pd

from agreement.frames import Aliases, Crosswalk, DataFrame, MatchDecisions, lookup
from transforms.identity import links as linking

# What a pair of people, of companies or of deals is told by.
TOLD_BY = {
    "person": (
        "email", "other_emails", "first_name", "last_name", "company", "phone", "mobile", "title",
        "city", "postcode", "country", "account_record_id", "partner_id",
    ),
    "account": ("name", "domain", "city", "country", "partner_id"),
    "deal": ("name", "account_record_id", "amount", "currency", "closed_on", "partner_id"),
}  # fmt: skip


@dataclass(frozen=True)
class Decided:
    """What people said of the records of one entity, by position.

    `links` are those they pinned or accepted; `apart` are pairs (`a` below `b`) that they keep
    apart; `is_asked` marks no pair that waits for an answer.
    """

    links: pd.DataFrame
    apart: pd.DataFrame


def decided(
    entity: str, nodes: pd.DataFrame, aliases: DataFrame[Aliases], given: DataFrame[MatchDecisions]
) -> Decided:
    """Read the decisions that stand; a merged-away record is its survivor, a gone one none.

    A rejection holds as long as both records say what they said when somebody was asked.
    """
    rows = given[(given["entity"] == entity) & given["ended_at"].isna()]
    found = rows.assign(
        **{
            side: linking.positions(
                linking.alive(
                    linking.keys(rows[f"{of}_system"], rows[f"{of}_kind"], rows[f"{of}_id"]),
                    aliases,
                ),
                nodes,
            )
            for side, of in (("a", "left"), ("b", "right"))
        }
    ).dropna(subset=["a", "b"])
    found = found.astype({"a": "int64", "b": "int64"})
    found = found[found["a"] != found["b"]]
    ties = [
        linking.links(
            some["a"].to_numpy(), some["b"].to_numpy(), rule, some["decided_by"].to_numpy()
        )
        for decision, rule in (("pin", "pinned"), ("accept", "accepted"))
        for some in [found[found["decision"] == decision]]
    ]
    rejected = found[found["decision"] == "reject"]
    is_same = rejected["keys"].isna() | (
        rejected["keys"] == told_by(entity, nodes, rejected["a"], rejected["b"])
    )
    apart = pd.concat([found[found["decision"] == "forbid"], rejected[is_same.astype(bool)]])
    return Decided(
        links=pd.concat(ties, ignore_index=True),
        apart=linking.in_order(apart)[["a", "b"]].drop_duplicates(),
    )


def told_by(entity: str, nodes: pd.DataFrame, a: pd.Series, b: pd.Series) -> pd.Series:
    """Give one hash per pair of positions of what both records say; no value can be read in it."""
    wanted = pd.Index(pd.concat([a, b]).unique(), dtype="int64")
    values = nodes.loc[wanted, ["key", *TOLD_BY[entity]]].fillna("").astype("str")
    lines = ("\x1f".join(row) for row in zip(*(values[name] for name in values), strict=True))
    said = pd.Series([sha256(line.encode()).hexdigest() for line in lines], index=wanted)
    both = zip(lookup(a, said).fillna(""), lookup(b, said).fillna(""), strict=True)
    hashes = [sha256("".join(pair).encode()).hexdigest()[:32] for pair in both]
    return pd.Series(hashes, index=a.index, dtype="str")


def kept(entity: str, nodes: pd.DataFrame, previous: DataFrame[Crosswalk]) -> pd.DataFrame:
    """Link the records that earlier nights linked by a rule: every pair of each entity.

    A link changes only by a decision or a stronger rule, not because an address did. What a person
    had pinned or accepted lives with the decision alone.
    """
    before = previous[(previous["entity"] == entity) & previous["decided_by"].isna()]
    held = pd.DataFrame(
        {
            "entity_id": before["entity_id"],
            "node": linking.positions(
                linking.keys(before["system"], before["kind"], before["record_id"]), nodes
            ),
        }
    ).dropna()
    held = held[held.duplicated("entity_id", keep=False)]
    pairs = held.merge(held, on="entity_id", suffixes=("", "_other"))
    pairs = pairs[pairs["node"] < pairs["node_other"]].sort_values(["node", "node_other"])
    return linking.links(pairs["node"].to_numpy(), pairs["node_other"].to_numpy(), "kept")
