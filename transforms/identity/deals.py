"""Link HubSpot deals to opportunities: stored ids, then account, name, amount and date."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agreement.frames import Aliases, DataFrame, lookup
from transforms.identity import links as linking
from transforms.identity.choices import in_doubt
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
    free = _described(nodes, accounts)
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
    rows = pd.DataFrame(
        {
            "node": nodes.index,
            "kind": nodes["kind"],
            "created_at": nodes["created_at"],
            "account_id": lookup(employer, known),
            "name": plain_names(nodes["name"]).replace("", None),
            "amount": nodes["amount"]
            .str.strip()
            .str.replace(r"\.0*$|(\.\d*?)0+$", r"\1", regex=True),
            "currency": nodes["currency"],
            "closed_on": nodes["closed_on"],
        },
        index=nodes.index,
    )
    return rows.dropna(subset=["account_id"])


def _is_near(pairs: pd.DataFrame) -> pd.Series:
    one, other = (
        pd.to_datetime(pairs[name], errors="coerce") for name in ("closed_on", "closed_on_other")
    )
    return ~((one - other).abs() > _NEAR)


def _only(pairs: pd.DataFrame) -> pd.DataFrame:
    """Take the pairs whose two records fit nothing else."""
    is_single = ~pairs.duplicated("node", keep=False) & ~pairs.duplicated("node_other", keep=False)
    return pairs[is_single].sort_values("node")
