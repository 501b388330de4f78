"""Give joined records their entity, the rule that put them there, and their place in it."""

from __future__ import annotations

from hashlib import sha256

import pandas as pd

from agreement.frames import Crosswalk, as_utc, lookup
from transforms.identity import links as linking
from transforms.identity.join import Joined

ALONE = "only record"


def entities(
    entity: str,
    nodes: pd.DataFrame,
    joined: Joined,
    previous: pd.DataFrame,
    now: object,
    elsewhere: frozenset[str],
) -> pd.DataFrame:
    """Make the crosswalk's rows of one entity; `in_place` says which of them survive.

    Ids that stand `elsewhere` are given to nobody anew.
    """
    before = previous[previous["entity"] == entity]
    before = before.assign(key=linking.keys(before["system"], before["kind"], before["record_id"]))
    before = before.drop_duplicates(["key", "entity_id"])
    nodes = nodes.assign(cluster=joined.cluster)
    rows = nodes.assign(entity=entity, entity_id=_entity_ids(entity, nodes, before, elsewhere))
    rows = rows.assign(**_reasons(rows, joined.used, before), since=_since(rows, before, now))
    return rows[[name for name in Crosswalk.to_schema().columns if name != "is_survivor"]]


def in_place(entity: str, rows: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    """Put an entity's rows of the crosswalk in order, survivor first, and mark the survivors."""
    key = pd.Index(linking.keys(rows["system"], rows["kind"], rows["record_id"]))
    told = nodes.set_index("key").reindex(key).set_axis(rows.index)
    rows = rows.assign(order=_survivor_order(told), created_at=told["created_at"])
    # Among HubSpot deals of one opportunity the one linked first carries the amounts.
    waited = ["since"] if entity == "deal" else []
    rows = rows.sort_values(
        ["entity_id", "system", "order", *waited, "created_at", "record_id"], ignore_index=True
    )
    rows["is_survivor"] = ~rows.duplicated(["entity_id", "system"])
    return rows[list(Crosswalk.to_schema().columns)]


def _survivor_order(rows: pd.DataFrame) -> pd.Series:
    """Order a person's Salesforce records: contact, lead, converted lead (read-only for good)."""
    is_lead = rows["kind"] == "lead"
    is_converted = rows["converted_to"].notna() if "converted_to" in rows else False
    return is_lead.astype(int) + (is_lead & is_converted).astype(int)


def _since(rows: pd.DataFrame, before: pd.DataFrame, now: object) -> pd.Series:
    seen = before.set_index(before["key"] + " " + before["entity_id"])["since"]
    return as_utc(lookup(rows["key"] + " " + rows["entity_id"], seen).fillna(pd.Timestamp(now)))


# Reasons ------------------------------------------------------------------------------------------


def _reasons(rows: pd.DataFrame, used: pd.DataFrame, before: pd.DataFrame) -> dict[str, pd.Series]:
    """Find the surest link of each record and the first of the records it leads to.

    A link says what it said when it was made, as long as both records are one and no stronger rule
    has come to hold; so does one that no key proves any more. A record that is here only because a
    merge put it in another's place names that one.
    """
    told = _surest(rows, used)
    was = before.drop_duplicates("key").set_index("key")[
        ["rule", "evidence", "score", "decided_by"]
    ]
    was = was.reindex(pd.Index(rows["key"])).set_axis(rows.index)
    entity_of = rows.set_index("key")["entity_id"]
    is_there = (lookup(was["evidence"], entity_of) == rows["entity_id"]).astype(bool)
    strength = linking.strength(told["rule"])
    is_kept = (strength == linking.KEPT) & was["decided_by"].isna()
    is_as_strong = is_kept | (linking.strength(was["rule"]) == strength)
    told = told.mask(is_there & is_as_strong, was)
    stood = lookup(rows["key"], before[before["is_heir"]].groupby("key")["stood"].first())
    is_heir = (told["rule"] == linking.MERGED) & stood.notna()
    told = told.assign(
        rule=told["rule"].mask(is_heir, linking.INHERITED),
        evidence=told["evidence"].mask(is_heir, stood),
    )
    return {name: told[name] for name in told.columns}


def _surest(rows: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    back = used.rename(columns={"a": "b", "b": "a"})
    both = pd.concat([used, back], ignore_index=True)
    both = both.assign(strength=both["rank"].mask(both["rank"] == linking.KEPT, linking.FOUND + 1))
    order = both.sort_values(["a", "strength", "score", "b"], ascending=[True, True, False, True])
    surest = order.drop_duplicates("a").set_index("a").reindex(rows.index)
    return pd.DataFrame(
        {
            "rule": surest["rule"].fillna(ALONE).astype("str"),
            "evidence": lookup(surest["b"], rows["key"]).fillna("").astype("str"),
            "score": surest["score"].fillna(1.0).astype("float64"),
            "decided_by": surest["decided_by"].astype("str"),
        }
    )


# Ids ----------------------------------------------------------------------------------------------


def _entity_ids(
    entity: str, nodes: pd.DataFrame, before: pd.DataFrame, elsewhere: frozenset[str]
) -> pd.Series:
    """Give each cluster the id that its records had; a new one an id made from its first member.

    An id goes where its first member went; a cluster that two ids went to keeps the elder one.
    """
    anchors = before.sort_values(["entity_id", "key"])
    cluster_of = pd.Series(nodes["cluster"].to_numpy(), index=nodes["key"], dtype="Int64")
    anchors = anchors.assign(cluster=lookup(anchors["key"], cluster_of)).dropna(subset=["cluster"])
    claims = anchors.drop_duplicates("entity_id").astype({"cluster": "int64"})
    elder = claims.sort_values(["cluster", "since", "entity_id"]).drop_duplicates("cluster")
    kept = elder.set_index("cluster")["entity_id"].astype("str")
    first = nodes.drop_duplicates("cluster").set_index("cluster")["key"]
    new = _new_ids(entity, first[~first.index.isin(kept.index)], elsewhere | set(kept))
    return lookup(nodes["cluster"], pd.concat([kept, new])).astype("str")


def _new_ids(entity: str, first: pd.Series, taken: frozenset[str]) -> pd.Series:
    """Make ids from the first members' own ids; one that is taken already is made anew."""
    ids, salt = _hashed(entity, first), 0
    while (is_taken := ids.map(taken.__contains__)).any():
        salt += 1
        ids = ids.where(~is_taken, _hashed(f"{entity} {salt}", first))
    return ids


def _hashed(prefix: str, keys: pd.Series) -> pd.Series:
    """Hash with a function of the standard: an id stays, whatever is upgraded."""
    ids = [f"{prefix[0]}_{sha256(f'{prefix} {key}'.encode()).hexdigest()[:16]}" for key in keys]
    return pd.Series(ids, index=keys.index, dtype="str")
