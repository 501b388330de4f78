"""Link HubSpot deals to opportunities: stored ids, then account, name, amount and date.

Several may stand on one opportunity: one carries its amounts, a person is asked of the others.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from agreement.frames import Aliases, DataFrame, lookup
from transforms.identity import links as linking
from transforms.identity.choices import in_doubt, told
from transforms.identity.decisions import Decided
from transforms.identity.doubts import doubts
from transforms.identity.join import Joined
from transforms.person_names import plain_names

# A close date that is entered on both sides by hand is off by days, not by weeks.
_NEAR = np.timedelta64(7, "D")


# Nobody has measured what these are worth: guesses that put such pairs among the uncertain ones.
_ANOTHER_NAME, _NAME_ALONE = 0.7, 0.5
_TOLD = {"account": "account_id", "name": "name", "amount": "amount", "close date": "closed_on"}


def link_deals(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], accounts: pd.DataFrame
) -> linking.Found:
    """Link deals to opportunities by stored id; those that have none, one to one, by what they say.

    Of one account under one name: with the same amount and close date, or with one of the two and
    the other near or blank. Where several fit, or only the name does, or all but the name, none is
    taken, and a person is asked. `accounts` are the account rows of the crosswalk.
    """
    stored = linking.stored(nodes, aliases, {"006": "opportunity"}, "deal")
    taken = stored[["a", "b"]].to_numpy().ravel()
    free = _described(nodes, accounts).dropna(subset=["account_id"])
    is_told = free["node"].isin(nodes.index[nodes["partner_id"].notna()])
    free = free[~free["node"].isin(taken) & ~is_told]
    pairs = _of_one_account(free)
    same_name, same_amount, same_day = (
        linking.agrees(pairs, column) for column in ("name", "amount", "closed_on")
    )
    exact = _only(pairs[same_name & same_amount & same_day])
    is_left = ~pairs["node"].isin(exact["node"]) & ~pairs["node_other"].isin(exact["node_other"])
    near = (same_amount & _is_near(pairs)) | (same_day & ~linking.differs(pairs, "amount"))
    alike = _only(pairs[same_name & near & is_left])
    found = [
        linking.links(some["node"].to_numpy(), some["node_other"].to_numpy(), rule)
        for some, rule in (
            (exact, "account, name, amount and date"),
            (alike, "account, amount and date"),
        )
    ]
    settled = pd.concat(found)[["a", "b"]].to_numpy().ravel()
    is_open = ~pairs["node"].isin(settled) & ~pairs["node_other"].isin(settled)
    alone = pd.Series(_ANOTHER_NAME, index=pairs.index).mask(same_name, _NAME_ALONE)
    rule = pd.Series("account, amount and date", index=pairs.index)
    rule = rule.mask(same_name, "account and name")
    asked = in_doubt(pairs[is_open], _TOLD, rule[is_open], alone[is_open])
    return linking.Found(pd.concat([stored, *found], ignore_index=True), *asked)


def _of_one_account(free: pd.DataFrame) -> pd.DataFrame:
    """Pair deals with the opportunities of their account, of one name or of one amount and date."""
    deals, opportunities = free[free["kind"] == "deal"], free[free["kind"] == "opportunity"]
    keys = (["account_id", "name"], ["account_id", "amount", "closed_on"])
    found = []
    for key in keys:
        rows = deals.dropna(subset=key).merge(
            opportunities.dropna(subset=key), on=key, suffixes=("", "_other")
        )
        found.append(rows.assign(**{f"{name}_other": rows[name] for name in key}))
    pairs = pd.concat(found, ignore_index=True).drop_duplicates(["node", "node_other"])
    return pairs[~linking.differs(pairs, "currency")]


def _described(nodes: pd.DataFrame, accounts: pd.DataFrame) -> pd.DataFrame:
    kind = nodes["system"].map({"salesforce": "account", "hubspot": "company"})
    employer = linking.keys(nodes["system"], kind, nodes["account_record_id"])
    known = accounts.set_index(
        linking.keys(accounts["system"], accounts["kind"], accounts["record_id"])
    )["entity_id"]
    return pd.DataFrame(
        {
            "node": nodes.index,
            "kind": nodes["kind"],
            "created_at": nodes["created_at"],
            "account_id": lookup(employer, known),
            "name": plain_names(nodes["name"]).replace("", None),
            "amount": plain_amounts(nodes["amount"]),
            "currency": nodes["currency"],
            "closed_on": nodes["closed_on"],
        },
        index=nodes.index,
    )


def plain_amounts(amounts: pd.Series) -> pd.Series:
    """Write amounts without zeros after the last digit that counts, as both systems may.

    >>> plain_amounts(pd.Series(["500.00", " 500", "12.50"])).tolist()
    ['500', '500', '12.5']
    """
    return amounts.str.strip().str.replace(r"\.0*$|(\.\d*?)0+$", r"\1", regex=True)


def _is_near(pairs: pd.DataFrame) -> pd.Series:
    one, other = (
        pd.to_datetime(pairs[name], errors="coerce") for name in ("closed_on", "closed_on_other")
    )
    return ~((one - other).abs() > _NEAR)


def _only(pairs: pd.DataFrame) -> pd.DataFrame:
    """Take the pairs whose two records fit nothing else."""
    is_single = ~pairs.duplicated("node", keep=False) & ~pairs.duplicated("node_other", keep=False)
    return pairs[is_single].sort_values("node")


# Several deals on one opportunity ----------------------------------------------------------------


def spare_deals(
    nodes: pd.DataFrame,
    accounts: pd.DataFrame,
    linked: pd.DataFrame,
    said: Decided,
    now: object,
) -> pd.DataFrame:
    """Ask about each HubSpot deal that stands on an opportunity beside the one with its amounts.

    Rows of reviews, a deal with its opportunity; unlike other pairs that wait, they are linked
    meanwhile, and the deal carries nothing. Each of the deals is as likely to be the opportunity's.
    What a person has linked the deal to and that still holds is no question. `accounts` and
    `linked` are the rows of accounts and deals in the crosswalk.
    """
    rows = linked.assign(
        node=linking.positions(
            linking.keys(linked["system"], linked["kind"], linked["record_id"]), nodes
        ).astype("int64")
    )
    spare = _beside_another(rows)
    spare = spare[~spare["node"].isin(_settled(said.links, rows))]
    asked = linking.likely(spare["node"], spare["node_other"], spare["rule"], 1 / spare["size"])
    words = linking.in_order(asked[["a", "b"]].assign(words=_why_asked(nodes, accounts, spare)))
    nobody = asked.iloc[:0]
    unlinked = Joined(np.arange(len(nodes)), used=nobody, refused=nobody)
    return doubts("deal", nodes, unlinked, asked, words, said.apart, now)


def _beside_another(rows: pd.DataFrame) -> pd.DataFrame:
    """Pair each deal that does not carry the amounts with its opportunity.

    One row per such deal: `node`, `node_other`, `rule`, `size` (all deals there), and which deal is
    the carrier.
    """
    is_deal = rows["system"] == "hubspot"
    deals, opportunities = rows[is_deal], rows[~is_deal & rows["is_survivor"]]
    deals = deals.assign(size=deals.groupby("entity_id")["node"].transform("size"))
    carriers = deals.loc[deals["is_survivor"], ["entity_id", "record_id"]]
    return (
        deals[~deals["is_survivor"]]
        .merge(opportunities[["entity_id", "node"]], on="entity_id", suffixes=("", "_other"))
        .merge(carriers, on="entity_id", suffixes=("", "_carrier"))
    )


def _settled(said: pd.DataFrame, rows: pd.DataFrame) -> list[int]:
    """Find the records that a person has linked to another of their deal."""
    entity_of = rows.set_index("node")["entity_id"]
    is_inside = lookup(said["a"], entity_of) == lookup(said["b"], entity_of)
    nodes: list[int] = said.loc[is_inside.astype(bool), ["a", "b"]].to_numpy().ravel().tolist()
    return nodes


def _why_asked(nodes: pd.DataFrame, accounts: pd.DataFrame, spare: pd.DataFrame) -> pd.Series:
    """Name the deal with the amounts, and say how deal and opportunity agree."""
    wanted = spare[["node", "node_other"]].to_numpy().ravel()
    own = _described(nodes.loc[np.unique(wanted)], accounts)
    sides = [own.loc[spare[name]].reset_index(drop=True) for name in ("node", "node_other")]
    agree = told(sides[0].join(sides[1].add_suffix("_other")), _TOLD).set_axis(spare.index)
    return (
        "one of " + spare["size"].astype("str") + " deals on this opportunity; hubspot/deal/"
        + spare["record_id_carrier"] + " carries the amounts"
        + ("; " + agree).where(agree != "", "")
    ).astype("str")  # fmt: skip
