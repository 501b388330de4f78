"""Link companies to accounts, and people to the account that their company or domain names."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from agreement.frames import Accounts, Aliases, DataFrame, People, lookup
from agreement.policy import Identity
from transforms.identity import links as linking
from transforms.identity.choices import in_doubt
from transforms.matching import Words, company_name, is_free_mail, registered_domain
from transforms.person_names import plain_names

# Nobody has measured what a company's name is worth that no place supports: a guess that puts such
# pairs among the uncertain ones.
_NAME_ALONE = 0.7
_TOLD = {"name": "company", "domain": "domain", "city": "city", "country": "country"}


def link_companies(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], policy: Identity, words: Words
) -> linking.Found:
    """Link companies to accounts by stored id, then by domain, then by name and place.

    Those that have several accounts to choose from, or a name and no place, wait for a person.
    """
    stored = linking.stored(nodes, aliases, {"001": "account"}, "company")
    own = _described(nodes, policy, words)
    is_open = (own["kind"] == "account") | ~own.index.isin(nodes.index[nodes["partner_id"].notna()])
    of_domain = _pairs(own[is_open], "domain")
    by_domain = _by_domain(of_domain)
    taken = pd.concat([stored, by_domain])[["a", "b"]].to_numpy().ravel()
    of_name = _pairs(own[is_open & ~own.index.isin(taken)], "company")
    by_name = _by_name(of_name)
    links = pd.concat([stored, by_domain, by_name], ignore_index=True)
    settled = links[["a", "b"]].to_numpy().ravel()
    fits = pd.concat([of_domain, of_name[~_contradicts(of_name)]], ignore_index=True)
    asked = fits[~fits["node"].isin(settled)].drop_duplicates(["node", "node_other"])
    rule = pd.Series("name", index=asked.index).mask(linking.agrees(asked, "domain"), "domain")
    alone = pd.Series(_NAME_ALONE, index=asked.index)
    return linking.Found(links, *in_doubt(asked, _TOLD, rule, alone))


def _pairs(own: pd.DataFrame, key: str) -> pd.DataFrame:
    """Pair each company with the accounts of the same key."""
    known = own[own[key].notna()]
    companies, accounts = known[known["kind"] == "company"], known[known["kind"] == "account"]
    pairs = companies.merge(accounts, on=key, suffixes=("", "_other"))
    return pairs.assign(**{f"{key}_other": pairs[key]})


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


def _by_domain(pairs: pd.DataFrame) -> pd.DataFrame:
    """Link a company to the account of its domain; several accounts share one: the same name too.

    Accounts of one domain stay apart: they may be subsidiaries.
    """
    is_single = pairs.groupby("node")["node"].transform("size") == 1
    chosen = pairs[is_single | (pairs["plain"] == pairs["plain_other"])]
    oldest = chosen.sort_values(["node", "created_at_other", "node_other"]).drop_duplicates("node")
    return linking.links(oldest["node"].to_numpy(), oldest["node_other"].to_numpy(), "domain")


def _by_name(pairs: pd.DataFrame) -> pd.DataFrame:
    """Link a company and an account that alone have one name in one place.

    Legal forms are no part of a name. Two domains contradict; so do two cities, and two countries.
    """
    is_placed = linking.agrees(pairs, "city") | linking.agrees(pairs, "country")
    pairs = pairs[is_placed & ~_contradicts(pairs)]
    is_single = ~pairs.duplicated("node", keep=False) & ~pairs.duplicated("node_other", keep=False)
    only = pairs[is_single].sort_values("node")
    return linking.links(only["node"].to_numpy(), only["node_other"].to_numpy(), "name and place")


def _contradicts(pairs: pd.DataFrame) -> pd.Series:
    return (
        linking.differs(pairs, "domain")
        | linking.differs(pairs, "city")
        | linking.differs(pairs, "country")
    )


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
    return _only(pairs[~linking.differs(pairs, "city") & ~linking.differs(pairs, "country")])


def _only(pairs: pd.DataFrame) -> pd.Series:
    """Give each asked record's account where there is exactly one."""
    only = pairs[~pairs.duplicated("node", keep=False)]
    return only.set_index("node")["record_id"].astype("str")
