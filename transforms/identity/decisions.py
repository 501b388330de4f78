"""What people decided, and what earlier nights linked: the links that no key has to prove again."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import pandas as pd

from agreement.frames import Aliases, Crosswalk, DataFrame, MatchDecisions, lookup
from transforms.identity import links as linking
from transforms.identity.join import Labels, components

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


def followed(previous: DataFrame[Crosswalk], aliases: DataFrame[Aliases]) -> pd.DataFrame:
    """Put the survivors of vendors' merges where the records stood that they took over.

    So `is_heir` tells rows, and `stood` names the record that the row was made for; a merge that is
    undone gives its place back. A survivor's own row goes before those, and these by age and
    entity. A record may have several rows then, of several entities.
    """
    is_inherited = previous["rule"] == linking.INHERITED
    stood = linking.keys(previous["system"], previous["kind"], previous["record_id"])
    stood = stood.mask(is_inherited, previous["evidence"])
    now = linking.alive(stood, aliases)
    is_back = is_inherited & (now == stood)
    rows = previous.assign(
        record_id=now.str.replace(r".* ", "", regex=True),
        rule=previous["rule"].mask(is_back, linking.KEPT_AS_IS),
        evidence=linking.alive(previous["evidence"], aliases).mask(is_inherited, ""),
        stood=stood,
        is_heir=now != stood,
    )
    order = ["entity", "system", "kind", "record_id", "is_heir", "since", "entity_id"]
    return rows.sort_values(order, ignore_index=True)


def kept(entity: str, nodes: pd.DataFrame, previous: pd.DataFrame, said: Decided) -> pd.DataFrame:
    """Link the records that earlier nights linked: every pair of each entity of `followed`.

    A link changes only by a decision or a stronger rule, not because an address did. What a person
    had pinned or accepted, and takes back, ends: records that nothing else joined are not linked
    here. A survivor's own links go before those that it took over.
    """
    before = previous[previous["entity"] == entity].reset_index(drop=True)
    key = linking.keys(before["system"], before["kind"], before["record_id"])
    own, joined = _joined_without_decisions(before, key, nodes, said)
    held = pd.DataFrame(
        {
            "entity_id": before["entity_id"],
            "node": linking.positions(key, nodes),
            "own": own,
            "joined": joined,
            "is_heir": before["is_heir"],
        }
    ).dropna()
    held = held[held.duplicated("entity_id", keep=False)]
    pairs = held.merge(held, on="entity_id", suffixes=("", "_other"))
    is_ruled = (pairs["own"] == pairs["own_other"]) | (pairs["joined"] != pairs["joined_other"])
    pairs = pairs[is_ruled & (pairs["node"] < pairs["node_other"])]
    pairs = pairs.sort_values(["node", "node_other"])
    is_heirs = pairs["is_heir"] | pairs["is_heir_other"]
    ties = [
        linking.links(some["node"].to_numpy(), some["node_other"].to_numpy(), rule)
        for rule, some in (
            (linking.KEPT_AS_IS, pairs[~is_heirs]),
            (linking.MERGED, pairs[is_heirs]),
        )
    ]
    return pd.concat(ties, ignore_index=True)


def _joined_without_decisions(
    before: pd.DataFrame, key: pd.Series, nodes: pd.DataFrame, said: Decided
) -> tuple[Labels, Labels]:
    """Number the records that are still joined, and those that decisions taken back had joined too.

    A record tells its surest link only. So what is one entity and neither of the two was joined by
    links that nobody sees any more, which no decision made.
    """
    position = pd.Series(before.index, index=key, dtype="int64").groupby(level=0).first()
    told = pd.DataFrame({"a": before.index, "b": lookup(before["evidence"], position)}).dropna()
    stands = _stands(key, before["evidence"], nodes, said)
    ruled = told[(before["decided_by"].isna() | stands).loc[told["a"]].to_numpy()]
    return (
        components(ruled["a"], ruled["b"], len(before)),
        components(told["a"], told["b"], len(before)),
    )


def _stands(key: pd.Series, other: pd.Series, nodes: pd.DataFrame, said: Decided) -> pd.Series:
    """Tell pairs of records that a standing decision links."""
    asked = pd.DataFrame(
        {"a": linking.positions(key, nodes), "b": linking.positions(other, nodes)}
    ).dropna()
    pairs, linked = (
        some["a"] * len(nodes) + some["b"]
        for some in (linking.in_order(asked), linking.in_order(said.links))
    )
    return pairs.isin(linked).reindex(key.index, fill_value=False)
