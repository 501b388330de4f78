"""Link people's records: stored ids, conversions, exact keys, and what matching finds likely."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.frames import Aliases, DataFrame, Links, lookup
from agreement.policy import Identity
from transforms.identity import links as linking
from transforms.identity.addresses import address_links, holders, is_among_two, of_many
from transforms.matching import COLUMNS, LINK, THROUGH, Matched
from transforms.person_names import are_alike, are_two, plain_names

# Records of one system that matching takes for one person's, and the share of them that are.
_DUPLICATE, _DUPLICATE_SHARE = "duplicate", 0.99


def link_humans(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], policy: Identity, found: Matched
) -> linking.Found:
    """Link people's records by rule, the surest first, then by what matching found of them."""
    stored = stored_ids(nodes, aliases)
    sure = pd.concat([stored, linking.converted(nodes, aliases)], ignore_index=True)
    held = holders(nodes, policy)
    exact, unclear = address_links(held, sure, len(nodes))
    is_link = (found.links["decision"] == LINK) & has_second_field(found.links["evidence"])
    likely = _links_of(found.links[is_link], nodes)
    every = pd.concat([sure, exact, unclear, likely], ignore_index=True)
    is_mixed = is_among_two(every, held, len(nodes)).to_numpy()[len(every) - len(likely) :]
    clear = ~_are_clearly_two(likely, nodes, held, is_mixed)
    twins = _duplicates(found.people, nodes)
    twins = twins[~_are_clearly_two(twins, nodes, held, np.zeros(len(twins), dtype=bool))]
    every = pd.concat([sure, exact, likely[clear], twins], ignore_index=True)
    is_inside = _is_inside(every, nodes)
    own = exact[exact["rank"] == linking.EXACT]
    kin = pd.concat([every.loc[is_inside, ["a", "b"]], _of_one_partner([stored, own], nodes)])
    uncertain = _links_of(_best(found.links[~is_link]), nodes)
    doubtful = pd.concat([uncertain, likely[~clear], unclear], ignore_index=True)
    words = _links_of(found.links, nodes)[["a", "b"]].assign(
        words=found.links["evidence"].to_numpy()
    )
    return linking.Found(every, doubtful, linking.in_order(words), kin)


def stored_ids(nodes: pd.DataFrame, aliases: DataFrame[Aliases]) -> pd.DataFrame:
    """Link people's records by the other system's id that stands on them."""
    return linking.stored(nodes, aliases, {"00Q": "lead", "003": "contact"}, "contact")


# Words of matching's evidence that say more than that two people of one name know one company.
_SECOND_FIELD = (
    r"email (?:equal|a slip|numbered|same mailbox name)|phone (?:equal|shared by few)"
    r"|company (?:equal|part|alike)"
)
_DOMAIN = r"domain (?:equal|alike|company's name)|email shared mailbox|phone switchboard"
_FURTHER = r"title (?:equal|alike)|place same (?:postcode|city)"


def has_second_field(evidence: pd.Series) -> pd.Series:
    """Tell pairs in which something beside the name agrees.

    A name alone is nobody's, and one domain has people of one name: six in a hundred such pairs
    were two people, where nothing else was known. Stricter than matching by itself (`decide.py`),
    since a night writes by its links.
    """
    says = {words: evidence.str.contains(words, regex=True) for words in (_DOMAIN, _FURTHER)}
    is_through = evidence == THROUGH
    return (
        is_through
        | evidence.str.contains(_SECOND_FIELD, regex=True)
        | (says[_DOMAIN] & says[_FURTHER])
    ).astype(bool)


def _are_clearly_two(
    links: pd.DataFrame, nodes: pd.DataFrame, held: pd.DataFrame, is_mixed: NDArray[np.bool_]
) -> pd.Series:
    """Tell links between father and son: one address, but not clearly one given name.

    At an address that several hold, or where links join some of them (`is_mixed`), nobody is told
    by an initial or a family name.
    """
    one, other = nodes.loc[links["a"]], nodes.loc[links["b"]]
    names = [
        plain_names(side[name]).reset_index(drop=True)
        for side in (one, other)
        for name in ("first_name", "last_name")
    ]
    if not len(links):
        return pd.Series(dtype=bool)
    is_one_address = (one["email"].to_numpy() == other["email"].to_numpy()).astype(bool)
    is_two = is_one_address & are_two(*names).to_numpy()
    is_whole = (names[0].str.len() > 1) & (names[2].str.len() > 1)
    is_named = are_alike(*names) & is_whole
    is_of_many = of_many(held, links["a"], links["b"])
    return ((is_of_many | is_mixed) & ~is_named.to_numpy()) | is_two


# What stands behind the last @ of an address, and what before it.
_PARTS = ("@[^@]*$", "^.*@")


def match_tables(nodes: pd.DataFrame, policy: Identity) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the two tables that matching compares: people of HubSpot and of Salesforce.

    One of the policy's role mailboxes tells the company, as a website does, and no more.
    """
    columns = [name for name in COLUMNS if name in nodes]
    mailbox, domain = (nodes["email"].str.replace(part, "", regex=True) for part in _PARTS)
    is_role = mailbox.isin([name.lower() for name in policy.role_mailboxes])
    told = nodes.assign(
        email=nodes["email"].mask(is_role),
        website=nodes["website"].mask(is_role & nodes["website"].isna(), domain),
    )
    hubspot, salesforce = (
        told.loc[told["system"] == system, columns] for system in ("hubspot", "salesforce")
    )
    return hubspot, salesforce


def _links_of(found: DataFrame[Links], nodes: pd.DataFrame) -> pd.DataFrame:
    """Turn pairs of ids into links of positions."""
    at = pd.Series(nodes.index, index=nodes["system"] + " " + nodes["record_id"], dtype="int64")
    return linking.likely(
        lookup("hubspot " + found["hubspot_id"], at),
        lookup("salesforce " + found["salesforce_id"], at),
        found["rule"],
        found["score"],
    )


def _best(found: pd.DataFrame) -> pd.DataFrame:
    """Ask once of two people, however many records they have: by their best pair."""
    order = found.sort_values(
        ["score", "hubspot_id", "salesforce_id"], ascending=[False, True, True]
    )
    return order.drop_duplicates("cluster_id")


def _duplicates(people: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    """Link each record to the first one of its system that matching takes for the same person."""
    at = pd.Series(nodes.index, index=nodes["system"] + " " + nodes["record_id"], dtype="int64")
    one, other = (
        lookup(people["system"] + " " + people[name], at) for name in ("first_id", "record_id")
    )
    rows = linking.likely(one, other, _DUPLICATE, _DUPLICATE_SHARE)
    return rows[rows["a"] != rows["b"]]


def _is_inside(links: pd.DataFrame, nodes: pd.DataFrame) -> pd.Series:
    system = nodes["system"].to_numpy()
    return pd.Series(system[links["a"]] == system[links["b"]], index=links.index)


def _of_one_partner(ties: list[pd.DataFrame], nodes: pd.DataFrame) -> pd.DataFrame:
    """Pair the records of one system that are tied to one partner, under names that agree.

    The ties are sure ones: a stored id, or one address under one name.
    """
    there = pd.concat([some.loc[~_is_inside(some, nodes), ["a", "b"]] for some in ties])
    both = pd.concat([there, there.rename(columns={"a": "b", "b": "a"})]).drop_duplicates()
    pairs = both.merge(both, on="b", suffixes=("", "_other"))
    pairs = pairs[pairs["a"] < pairs["a_other"]].drop_duplicates(["a", "a_other"])
    first, last = plain_names(nodes["first_name"]), plain_names(nodes["last_name"])
    one, other = pairs["a"].to_numpy(), pairs["a_other"].to_numpy()
    names = [
        part.iloc[rows].reset_index(drop=True) for rows in (one, other) for part in (first, last)
    ]
    is_alike = are_alike(*names).to_numpy() if len(pairs) else np.zeros(0, dtype=bool)
    return pd.DataFrame({"a": one[is_alike], "b": other[is_alike]})
