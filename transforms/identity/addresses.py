"""Link people's records that hold one address under names that agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agreement.policy import Identity
from transforms.identity.join import components
from transforms.identity.links import links
from transforms.person_names import are_alike, are_two, plain_names

# More different names than this at one address: a mailbox that many use, whatever it is called.
_NAMES_PER_ADDRESS = 8


def addresses(nodes: pd.DataFrame, policy: Identity) -> pd.DataFrame:
    """List who (`node`, a position) holds which address; role mailboxes are left out."""
    main = nodes["email"].dropna()
    more = nodes["other_emails"].dropna().str.split(";").explode().astype("str")
    address = pd.concat([main, more])
    held = pd.DataFrame({"node": address.index, "address": address.to_numpy()}).drop_duplicates()
    local = held["address"].str.replace("@.*", "", regex=True)
    return held[~local.isin([mailbox.lower() for mailbox in policy.role_mailboxes])]


def holders(nodes: pd.DataFrame, policy: Identity) -> pd.DataFrame:
    """List the same with the name each goes by; `name` numbers the distinct ones."""
    held = addresses(nodes, policy)
    first, last = plain_names(nodes["first_name"]), plain_names(nodes["last_name"])
    held = held.assign(
        first=first.loc[held["node"]].to_numpy(), last=last.loc[held["node"]].to_numpy()
    )
    name = held.groupby(["first", "last"]).ngroup()
    held = held.assign(name=name, system=nodes["system"].loc[held["node"]].to_numpy())
    return held.sort_values(["address", "name", "node"], ignore_index=True)


def address_links(
    held: pd.DataFrame, sure: pd.DataFrame, count: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Link records of one address under one name, or under names that all agree; give doubts too.

    Never by a role mailbox; nor names that only agree where links bring clearly different names of
    one address together: two addresses can join by way of a third what each of them keeps apart.
    These links are the second table. `held` is `holders`' table of the `count` records.
    """
    same = _stars(held, ["address", "name"])
    names = held.drop_duplicates(["address", "name"])
    several = names[names.groupby("address")["name"].transform("size") > 1]
    agreeing = _of_each_system(_agreeing_names(several), held)
    exact = links(same["a"].to_numpy(), same["b"].to_numpy(), "e-mail and name")
    alike = links(agreeing["a"].to_numpy(), agreeing["b"].to_numpy(), "e-mail and similar name")
    every = pd.concat([sure, exact, alike], ignore_index=True)
    is_doubtful = _is_in_mixed_cluster(every, held, count).iloc[len(sure) + len(exact) :]
    clear = pd.concat([exact, alike[~is_doubtful.to_numpy()]], ignore_index=True)
    return clear, alike[is_doubtful.to_numpy()]


def of_many(held: pd.DataFrame, one: pd.Series, other: pd.Series) -> pd.Series:
    """Tell pairs of positions that share an address which clearly different names hold too."""
    names = held.drop_duplicates(["address", "name"])
    several = names[names.groupby("address")["name"].transform("size") > 1]
    size = several.groupby("address")["name"].transform("size")
    crowded = several.loc[size > _NAMES_PER_ADDRESS, "address"]
    few = several[size <= _NAMES_PER_ADDRESS]
    pairs = few.merge(few, on="address", suffixes=("", "_other"))
    pairs = pairs[pairs["name"] < pairs["name_other"]]
    is_two = are_two(pairs["first"], pairs["last"], pairs["first_other"], pairs["last_other"])
    mixed = pd.concat([crowded, pairs.loc[is_two, "address"]]).unique()
    rows = held.loc[held["address"].isin(mixed), ["node", "address"]]
    asked = pd.DataFrame({"pair": one.index, "node": one.to_numpy(), "other": other.to_numpy()})
    there = asked.merge(rows, on="node").merge(rows, left_on="other", right_on="node")
    shared = there.loc[there["address_x"] == there["address_y"], "pair"]
    return pd.Series(one.index.isin(shared), index=one.index)


def _stars(held: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Link each member of a group to the group's first."""
    first = held.groupby(by)["node"].transform("min")
    stars = pd.DataFrame({"a": first, "b": held["node"]})
    return stars[stars["a"] != stars["b"]]


def _agreeing_names(several: pd.DataFrame) -> pd.DataFrame:
    """Link names at one address that agree, where each agrees with all that it would join.

    A name without a first part agrees with father and with son: then it is nobody's.
    """
    size = several.groupby("address")["name"].transform("size")
    few = several[size <= _NAMES_PER_ADDRESS].assign(place=lambda rows: range(len(rows)))
    pairs = few.merge(few, on="address", suffixes=("", "_other"))
    pairs = pairs[pairs["place"] < pairs["place_other"]]
    alike = pairs[_alike(pairs)]
    component = components(alike["place"], alike["place_other"], len(few))
    members = np.bincount(component, minlength=1)
    joined = component[alike["place"]]
    found = np.bincount(joined, minlength=len(members))
    is_whole = found[joined] == members[joined] * (members[joined] - 1) // 2
    return alike.loc[is_whole, ["address", "name", "name_other"]]


def _of_each_system(names: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Link the first record of each name in each system, so that neither system is preferred."""
    first = held.drop_duplicates(["address", "name", "system"])[["address", "name", "node"]]
    other = first.rename(columns={"name": "name_other", "node": "node_other"})
    pairs = names.merge(first).merge(other)
    return pairs[["node", "node_other"]].set_axis(["a", "b"], axis=1)


def _alike(pairs: pd.DataFrame) -> pd.Series:
    return are_alike(pairs["first"], pairs["last"], pairs["first_other"], pairs["last_other"])


def _is_in_mixed_cluster(edges: pd.DataFrame, held: pd.DataFrame, count: int) -> pd.Series:
    """Tell links of clusters in which names that do not agree share an address."""
    pairs = _names_together(edges, held, count)
    mixed = pairs.loc[~_alike(pairs), "cluster"].unique()
    return pd.Series(np.isin(components(edges["a"], edges["b"], count)[edges["a"]], mixed))


def is_among_two(edges: pd.DataFrame, held: pd.DataFrame, count: int) -> pd.Series:
    """Tell links of clusters in which two who cannot be one share an address."""
    pairs = _names_together(edges, held, count)
    is_two = are_two(pairs["first"], pairs["last"], pairs["first_other"], pairs["last_other"])
    mixed = pairs.loc[is_two, "cluster"].unique()
    cluster = components(edges["a"], edges["b"], count)[edges["a"]]
    return pd.Series(np.isin(cluster, mixed), index=edges.index)


def _names_together(edges: pd.DataFrame, held: pd.DataFrame, count: int) -> pd.DataFrame:
    """Pair the different names that share an address in one cluster of the links."""
    component = components(edges["a"], edges["b"], count)
    rows = held.assign(cluster=component[held["node"]]).drop_duplicates(
        ["cluster", "address", "name"]
    )
    rows = rows[rows.groupby(["cluster", "address"])["name"].transform("size") > 1]
    pairs = rows.merge(rows, on=["cluster", "address"], suffixes=("", "_other"))
    return pairs[pairs["name"] < pairs["name_other"]].reset_index(drop=True)
