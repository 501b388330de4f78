"""Say which vendor records are one person, account or deal, and by which rule.

First version: ids that somebody stored, conversions, and addresses under names that agree. What is
uncertain stays apart: a missed link shows in the bridge, a wrong one shows nowhere.
"""

from datetime import datetime

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from agreement.frames import (
    Accounts,
    Aliases,
    Crosswalk,
    DataFrame,
    DealRecords,
    People,
    as_utc,
    lookup,
)
from agreement.policy import Identity
from transforms.person_names import are_alike, plain_names

# What each rule is worth, the surest first: shares of right links, as measured on data whose truth
# is known. A record's rule is the surest one that ties it to another record.
_RULES = {
    "stored id": 1.0,
    "conversion": 1.0,
    "e-mail and name": 0.998,
    "e-mail and similar name": 0.99,
    "domain": 0.98,
}
_ORDER = list(_RULES)
_ALONE = "only record"

# Domains of mailboxes that anybody can open: never a company's own.
# fmt: off
_FREE_MAIL = frozenset({
    "gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "live.com", "msn.com",
    "aol.com", "icloud.com", "me.com", "mac.com", "gmx.de", "gmx.net", "web.de", "t-online.de",
    "mail.com", "mail.ru", "yandex.ru", "proton.me", "protonmail.com", "qq.com", "163.com",
    "126.com", "yahoo.co.uk", "yahoo.co.jp", "orange.fr", "free.fr", "libero.it", "uol.com.br",
    "bol.com.br", "rediffmail.com", "zoho.com", "fastmail.com", "comcast.net", "verizon.net",
})
# fmt: on

# More different names than this at one address: a mailbox that many use, whatever it is called.
_NAMES_PER_ADDRESS = 8


def reconcile(
    people: DataFrame[People],
    aliases: DataFrame[Aliases],
    accounts: DataFrame[Accounts],
    deal_records: DataFrame[DealRecords],
    *,
    policy: Identity,
    previous: DataFrame[Crosswalk],
    now: datetime,
) -> DataFrame[Crosswalk]:
    """Link the records of each person, account and deal; every live record is in one row.

    By entity, entity id, system, survivor first. An entity keeps the id it had in `previous` as
    long as its first member (by system, kind, id) stays in it; a new one gets an id made from its
    first member. So a second night at the same moment gives the same table, and the order of rows
    never matters. `score` is the share of right links that the rule has shown, not a probability of
    this pair; `evidence` names the other record. `since` is the night that first saw the record
    under this id.
    """
    humans = _nodes(people)
    companies = _nodes(accounts)
    deals = _nodes(deal_records)
    parts = [
        ("person", humans, _person_edges(humans, aliases, policy)),
        ("account", companies, _account_edges(companies, aliases)),
        ("deal", deals, _deal_edges(deals, aliases)),
    ]
    rows = [_entities(entity, nodes, edges, previous, now) for entity, nodes, edges in parts]
    return Crosswalk.validate(pd.concat(rows, ignore_index=True), lazy=True)


def _nodes(records: pd.DataFrame) -> pd.DataFrame:
    """Put records in an order of their own, so that the order given never matters."""
    ordered = records.sort_values(["system", "kind", "record_id"], ignore_index=True)
    return ordered.assign(key=_keys(ordered["system"], ordered["kind"], ordered["record_id"]))


def _keys(system: pd.Series | str, kind: pd.Series | str, record_id: pd.Series) -> pd.Series:
    return system + " " + kind + " " + record_id


# Links -------------------------------------------------------------------------------------------


def _person_edges(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], policy: Identity
) -> pd.DataFrame:
    sure = [
        _stored_edges(nodes, aliases, {"00Q": "lead", "003": "contact"}, "contact"),
        _edges_to(
            nodes,
            nodes.index.to_series(),
            _keys("salesforce", "contact", nodes["converted_to"]),
            aliases,
            "conversion",
        ),
    ]
    held = _addresses(nodes, policy)
    edges = pd.concat([*sure, _address_edges(held)], ignore_index=True)
    is_doubtful = _is_in_mixed_cluster(edges, held, len(nodes)) & (
        edges["rule"] == "e-mail and similar name"
    )
    return edges[~is_doubtful]


def _account_edges(nodes: pd.DataFrame, aliases: DataFrame[Aliases]) -> pd.DataFrame:
    stored = _stored_edges(nodes, aliases, {"001": "account"}, "company")
    return pd.concat([stored, _domain_edges(nodes)], ignore_index=True)


def _deal_edges(nodes: pd.DataFrame, aliases: DataFrame[Aliases]) -> pd.DataFrame:
    return _stored_edges(nodes, aliases, {"006": "opportunity"}, "deal")


def _stored_edges(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], prefixes: dict[str, str], hubspot_kind: str
) -> pd.DataFrame:
    """Link records by the other system's id that stands on them, in both directions."""
    stored = nodes["partner_id"].dropna().str.split(";").explode().astype("str")
    holder = nodes["system"].loc[stored.index]
    kind = stored.str.slice(0, 3).map(prefixes).astype("str")
    target = _keys("salesforce", kind, stored).where(
        holder == "hubspot", _keys("hubspot", hubspot_kind, stored)
    )
    holders = stored.index.to_series()
    return _edges_to(
        nodes, holders.reset_index(drop=True), target.reset_index(drop=True), aliases, "stored id"
    )


def _edges_to(
    nodes: pd.DataFrame,
    holders: pd.Series,
    targets: pd.Series,
    aliases: DataFrame[Aliases],
    rule: str,
) -> pd.DataFrame:
    """Link records to the ones they name; a merged-away target is its survivor, a gone one none."""
    merged = pd.Series(
        _keys(aliases["system"], aliases["kind"], aliases["survivor_id"]).to_numpy(),
        index=_keys(aliases["system"], aliases["kind"], aliases["record_id"]),
        dtype="str",
    )
    alive = lookup(targets, merged).fillna(targets)
    positions = pd.Series(nodes.index, index=nodes["key"], dtype="Int64")
    edges = pd.DataFrame({"a": holders, "b": lookup(alive, positions), "rule": rule})
    return edges.dropna().astype({"a": "int64", "b": "int64", "rule": "str"})


def _addresses(nodes: pd.DataFrame, policy: Identity) -> pd.DataFrame:
    """List who holds which address, under which name; role mailboxes are left out.

    One row per record and address; `name` numbers the distinct names.
    """
    main = nodes["email"].dropna()
    more = nodes["other_emails"].dropna().str.split(";").explode().astype("str")
    address = pd.concat([main, more])
    held = pd.DataFrame({"node": address.index, "address": address.to_numpy()}).drop_duplicates()
    local = held["address"].str.split("@").str[0]
    held = held[~local.isin([mailbox.lower() for mailbox in policy.role_mailboxes])]
    first = plain_names(nodes["first_name"])
    last = plain_names(nodes["last_name"])
    held = held.assign(
        first=first.loc[held["node"]].to_numpy(), last=last.loc[held["node"]].to_numpy()
    )
    name = held.groupby(["first", "last"]).ngroup()
    return held.assign(name=name).sort_values(["address", "name", "node"], ignore_index=True)


def _address_edges(held: pd.DataFrame) -> pd.DataFrame:
    """Link records that hold one address under one name, or under names that all agree."""
    same = _stars(held, ["address", "name"]).assign(rule="e-mail and name")
    names = held.drop_duplicates(["address", "name"])
    several = names[names.groupby("address")["name"].transform("size") > 1]
    agreeing = _agreeing_names(several)
    alike = agreeing.assign(rule="e-mail and similar name")
    return pd.concat([same, alike], ignore_index=True)


def _stars(held: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Link each member of a group to the group's first."""
    first = held.groupby(by)["node"].transform("min")
    edges = pd.DataFrame({"a": first, "b": held["node"]})
    return edges[edges["a"] != edges["b"]]


def _agreeing_names(several: pd.DataFrame) -> pd.DataFrame:
    """Link names at one address that agree, where each agrees with all that it would join.

    A name without a first part agrees with father and with son: then it is nobody's.
    """
    size = several.groupby("address")["name"].transform("size")
    few = several[size <= _NAMES_PER_ADDRESS].assign(place=lambda rows: range(len(rows)))
    pairs = few.merge(few, on="address", suffixes=("", "_other"))
    pairs = pairs[pairs["place"] < pairs["place_other"]]
    alike = pairs[_alike(pairs)]
    component = _components(alike["place"], alike["place_other"], len(few))
    members = np.bincount(component, minlength=1)
    joined = component[alike["place"]]
    found = np.bincount(joined, minlength=len(members))
    is_whole = found[joined] == members[joined] * (members[joined] - 1) // 2
    return alike.loc[is_whole, ["node", "node_other"]].set_axis(["a", "b"], axis=1)


def _alike(pairs: pd.DataFrame) -> pd.Series:
    return are_alike(pairs["first"], pairs["last"], pairs["first_other"], pairs["last_other"])


def _is_in_mixed_cluster(edges: pd.DataFrame, held: pd.DataFrame, count: int) -> pd.Series:
    """Tell links of clusters in which clearly different names share an address.

    Two addresses can join by way of a third what each of them keeps apart.
    """
    component = _components(edges["a"], edges["b"], count)
    rows = held.assign(cluster=component[held["node"]]).drop_duplicates(
        ["cluster", "address", "name"]
    )
    rows = rows[rows.groupby(["cluster", "address"])["name"].transform("size") > 1]
    pairs = rows.merge(rows, on=["cluster", "address"], suffixes=("", "_other"))
    mixed = pairs.loc[~_alike(pairs), "cluster"].unique()
    return pd.Series(np.isin(component[edges["a"]], mixed), index=edges.index)


def _domain_edges(nodes: pd.DataFrame) -> pd.DataFrame:
    """Link a company to the account of its domain; several accounts share one: the same name too.

    Accounts of one domain stay apart: they may be subsidiaries.
    """
    own = nodes[nodes["domain"].notna() & ~nodes["domain"].isin(_FREE_MAIL)]
    own = own.assign(node=own.index, plain=plain_names(own["name"]))
    stored = nodes.loc[nodes["partner_id"].notna(), "key"]
    companies = own[(own["kind"] == "company") & ~own["key"].isin(stored)]
    accounts = own[own["kind"] == "account"]
    pairs = companies.merge(accounts, on="domain", suffixes=("", "_other"))
    is_single = pairs.groupby("node")["node"].transform("size") == 1
    chosen = pairs[is_single | (pairs["plain"] == pairs["plain_other"])]
    oldest = chosen.sort_values(["node", "created_at_other", "node_other"]).drop_duplicates("node")
    return pd.DataFrame({"a": oldest["node"], "b": oldest["node_other"], "rule": "domain"})


def _components(a: pd.Series, b: pd.Series, count: int) -> np.ndarray:
    weights = np.ones(len(a), dtype=np.int8)
    graph = coo_matrix((weights, (a.to_numpy(), b.to_numpy())), shape=(count, count))
    return connected_components(graph, directed=False)[1] if count else np.empty(0, dtype=int)


# Entities ----------------------------------------------------------------------------------------


def _entities(
    entity: str,
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    previous: DataFrame[Crosswalk],
    now: datetime,
) -> pd.DataFrame:
    """Give every record its entity, the rule that put it there, and its place in it."""
    before = previous[previous["entity"] == entity]
    before = before.assign(key=_keys(before["system"], before["kind"], before["record_id"]))
    nodes = nodes.assign(cluster=_components(edges["a"], edges["b"], len(nodes)))
    rows = nodes.assign(entity=entity, entity_id=_entity_ids(entity, nodes, before))
    rows = rows.assign(**_reasons(nodes, edges), since=_since(rows, before, now))
    rows = rows.assign(order=_survivor_order(rows))
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


def _since(rows: pd.DataFrame, before: pd.DataFrame, now: datetime) -> pd.Series:
    seen = before.set_index(before["key"] + " " + before["entity_id"])["since"]
    return as_utc(lookup(rows["key"] + " " + rows["entity_id"], seen).fillna(pd.Timestamp(now)))


def _reasons(nodes: pd.DataFrame, edges: pd.DataFrame) -> dict[str, pd.Series]:
    """Find the surest link of each record and the first of the records it leads to."""
    there = edges[["a", "b", "rule"]]
    back = there.rename(columns={"a": "b", "b": "a"})
    both = pd.concat([there, back], ignore_index=True)
    both = both.assign(strength=both["rule"].map({rule: at for at, rule in enumerate(_ORDER)}))
    surest = both.sort_values(["a", "strength", "b"]).drop_duplicates("a").set_index("a")
    rule = surest["rule"].reindex(nodes.index).fillna(_ALONE).astype("str")
    evidence = lookup(surest["b"].reindex(nodes.index), nodes["key"]).fillna("").astype("str")
    score = rule.map(_RULES).fillna(1.0).astype("float64")
    return {"rule": rule, "evidence": evidence, "score": score}


def _entity_ids(entity: str, nodes: pd.DataFrame, before: pd.DataFrame) -> pd.Series:
    """Give each cluster the id that its records had; a new one an id made from its first member.

    An id goes where its first member went; a cluster that two ids went to keeps the elder one.
    """
    anchors = before.sort_values(["entity_id", "key"])
    anchors = anchors[anchors["key"].isin(nodes["key"])].drop_duplicates("entity_id")
    cluster_of = pd.Series(nodes["cluster"].to_numpy(), index=nodes["key"], dtype="int64")
    claims = anchors.assign(cluster=lookup(anchors["key"], cluster_of).astype("int64"))
    elder = claims.sort_values(["cluster", "since", "entity_id"]).drop_duplicates("cluster")
    kept = elder.set_index("cluster")["entity_id"].astype("str")
    first = nodes.drop_duplicates("cluster").set_index("cluster")["key"]
    new = _new_ids(entity, first[~first.index.isin(kept.index)], set(kept))
    return lookup(nodes["cluster"], pd.concat([kept, new])).astype("str")


def _new_ids(entity: str, first: pd.Series, taken: set[str]) -> pd.Series:
    """Make ids from the first members' own ids; one that is taken already is made anew."""
    ids, salt = _hashed(entity, first), 0
    while (is_taken := ids.isin(taken)).any():
        salt += 1
        ids = ids.where(~is_taken, _hashed(f"{entity} {salt}", first))
    return ids


def _hashed(prefix: str, keys: pd.Series) -> pd.Series:
    hashes = pd.util.hash_array((prefix + " " + keys).to_numpy(dtype=object), categorize=False)
    return pd.Series(
        [f"{prefix[0]}_{value:016x}" for value in hashes], index=keys.index, dtype="str"
    )
