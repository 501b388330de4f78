"""Link companies to accounts, and people to the account that their company or domain names."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from agreement.frames import Accounts, Aliases, DataFrame, People, lookup
from agreement.policy import Identity
from transforms.identity import links as linking
from transforms.matching import Words, company_name, is_free_mail, registered_domain
from transforms.person_names import plain_names


def link_companies(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], policy: Identity, words: Words
) -> pd.DataFrame:
    """Link companies to accounts by stored id, then by domain, then by name and place."""
    stored = linking.stored(nodes, aliases, {"001": "account"}, "company")
    own = _described(nodes, policy, words)
    is_open = (own["kind"] == "account") | ~own.index.isin(nodes.index[nodes["partner_id"].notna()])
    by_domain = _by_domain(own[is_open])
    taken = pd.concat([stored, by_domain])[["a", "b"]].to_numpy().ravel()
    by_name = _by_name(own[is_open & ~own.index.isin(taken)])
    return pd.concat([stored, by_domain, by_name], ignore_index=True)


def _described(nodes: pd.DataFrame, policy: Identity, words: Words) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "node": nodes.index,
            "kind": nodes["kind"],
            "created_at": nodes["created_at"],
            "domain": own_domains(nodes["domain"], policy, words),
            "plain": plain_names(nodes["name"]),
            "company": _written(nodes["name"], lambda name: company_name(name, words)),
            "city": plain_names(nodes["city"]).replace("", None),
            "country": plain_names(nodes["country"]).replace("", None),
        },
        index=nodes.index,
    )


def own_domains(hosts: pd.Series, policy: Identity, words: Words) -> pd.Series:
    """Give the domain that a host's owner registered, an alias's main one.

    Domains at which anybody can have a mailbox are missing: nobody's company.
    """
    main = _written(hosts, lambda host: registered_domain(host, words)).replace(
        dict(policy.alias_domains)
    )
    distinct = main.dropna().unique().tolist()
    free = {
        domain
        for domain, is_one in zip(distinct, is_free_mail(distinct, words), strict=True)
        if is_one
    }
    return main.where(~main.isin(free))


def _written(values: pd.Series, write: Callable[[str], str]) -> pd.Series:
    """Write each distinct value another way; nothing left is missing."""
    distinct = values.dropna().unique()
    table = pd.Series([write(value) or None for value in distinct], index=distinct, dtype="str")
    return lookup(values, table).astype("str")


def _by_domain(own: pd.DataFrame) -> pd.DataFrame:
    """Link a company to the account of its domain; several accounts share one: the same name too.

    Accounts of one domain stay apart: they may be subsidiaries.
    """
    known = own[own["domain"].notna()]
    companies, accounts = known[known["kind"] == "company"], known[known["kind"] == "account"]
    pairs = companies.merge(accounts, on="domain", suffixes=("", "_other"))
    is_single = pairs.groupby("node")["node"].transform("size") == 1
    chosen = pairs[is_single | (pairs["plain"] == pairs["plain_other"])]
    oldest = chosen.sort_values(["node", "created_at_other", "node_other"]).drop_duplicates("node")
    return linking.links(oldest["node"].to_numpy(), oldest["node_other"].to_numpy(), "domain")


def _by_name(own: pd.DataFrame) -> pd.DataFrame:
    """Link a company and an account that alone have one name in one place.

    Legal forms are no part of a name. Two domains contradict; so do two cities, and two countries.
    """
    named = own[own["company"].notna()]
    companies, accounts = named[named["kind"] == "company"], named[named["kind"] == "account"]
    pairs = companies.merge(accounts, on="company", suffixes=("", "_other"))
    pairs = pairs[_is_one_place(pairs)]
    is_single = ~pairs.duplicated("node", keep=False) & ~pairs.duplicated("node_other", keep=False)
    only = pairs[is_single].sort_values("node")
    return linking.links(only["node"].to_numpy(), only["node_other"].to_numpy(), "name and place")


def _is_one_place(pairs: pd.DataFrame) -> pd.Series:
    is_same, is_other = {}, {}
    for name in ("domain", "city", "country"):
        has_both = pairs[name].notna() & pairs[f"{name}_other"].notna()
        is_equal = (pairs[name] == pairs[f"{name}_other"]).astype(bool)
        is_same[name], is_other[name] = has_both & is_equal, has_both & ~is_equal
    contradicts = is_other["domain"] | is_other["city"] | is_other["country"]
    return (is_same["city"] | is_same["country"]) & ~contradicts


# People -------------------------------------------------------------------------------------------


def with_employers(people: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    """Give people who name no company or website those of the account that they belong to."""
    kind = people["system"].map({"salesforce": "account", "hubspot": "company"})
    employer = linking.keys(people["system"], kind, people["account_record_id"])
    known = accounts.assign(
        key=linking.keys(accounts["system"], accounts["kind"], accounts["record_id"])
    ).set_index("key")
    return people.assign(
        company=people["company"].fillna(lookup(employer, known["name"])).astype("str"),
        website=people["website"].fillna(lookup(employer, known["domain"])).astype("str"),
    )


def with_accounts(
    people: DataFrame[People], accounts: DataFrame[Accounts], *, policy: Identity, words: Words
) -> DataFrame[People]:
    """Give leads without an account the one that their address's domain or their company names.

    The account of the domain; of several the one of the same name, else none. Where no domain
    speaks, the only account of the company's name, unless city or country contradicts. Rows and
    order stay.
    """
    is_open = (people["kind"] == "lead") & people["account_record_id"].isna()
    leads = people[is_open]
    theirs = accounts[accounts["kind"] == "account"].sort_values("record_id", ignore_index=True)
    own = _described(theirs, policy, words).assign(record_id=theirs["record_id"])
    asked = pd.DataFrame(
        {
            "node": leads.index,
            "domain": own_domains(
                leads["email"].str.replace(r"^.*@", "", regex=True), policy, words
            ),
            "company": _written(leads["company"], lambda name: company_name(name, words)),
            "city": plain_names(leads["city"]).replace("", None),
            "country": plain_names(leads["country"]).replace("", None),
        },
        index=leads.index,
    )
    by_domain = _account_by_domain(asked, own)
    by_name = _account_by_name(asked[~asked.index.isin(by_domain.index)], own)
    found = pd.concat([by_domain, by_name])
    account = people["account_record_id"].fillna(found.reindex(people.index)).astype("str")
    return People.validate(people.assign(account_record_id=account), lazy=True)


def _account_by_domain(asked: pd.DataFrame, own: pd.DataFrame) -> pd.Series:
    pairs = asked.dropna(subset=["domain"]).merge(own, on="domain", suffixes=("", "_other"))
    is_single = pairs.groupby("node")["node"].transform("size") == 1
    return _only(pairs[is_single | (pairs["company"] == pairs["company_other"])])


def _account_by_name(asked: pd.DataFrame, own: pd.DataFrame) -> pd.Series:
    pairs = asked.dropna(subset=["company"]).merge(own, on="company", suffixes=("", "_other"))
    contradicts = pd.Series(data=False, index=pairs.index)
    for name in ("city", "country"):
        has_both = pairs[name].notna() & pairs[f"{name}_other"].notna()
        contradicts |= has_both & (pairs[name] != pairs[f"{name}_other"])
    return _only(pairs[~contradicts])


def _only(pairs: pd.DataFrame) -> pd.Series:
    """Give each asked record's account where there is exactly one."""
    only = pairs[~pairs.duplicated("node", keep=False)]
    return only.set_index("node")["record_id"].astype("str")
