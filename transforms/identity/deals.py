"""Link HubSpot deals to opportunities: stored ids, then account, name, amount and date."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agreement.frames import Aliases, DataFrame, lookup
from transforms.identity import links as linking
from transforms.person_names import plain_names

# A close date that is entered on both sides by hand is off by days, not by weeks.
_NEAR = np.timedelta64(7, "D")


def link_deals(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], accounts: pd.DataFrame
) -> pd.DataFrame:
    """Link deals to opportunities by stored id; those that have none, one to one, by what they say.

    Of one account under one name: with the same amount and close date, or with one of the two and
    the other near or blank. Where several fit, none is taken. `accounts` are the account rows of
    the crosswalk.
    """
    stored = linking.stored(nodes, aliases, {"006": "opportunity"}, "deal")
    taken = stored[["a", "b"]].to_numpy().ravel()
    free = _described(nodes, accounts)
    is_told = free["node"].isin(nodes.index[nodes["partner_id"].notna()])
    free = free[~free["node"].isin(taken) & ~is_told]
    pairs = free[free["kind"] == "deal"].merge(
        free[free["kind"] == "opportunity"], on=["account_id", "name"], suffixes=("", "_other")
    )
    pairs = pairs[~_differs(pairs, "currency")]
    same_amount, same_day = _agrees(pairs, "amount"), _agrees(pairs, "closed_on")
    exact = _only(pairs[same_amount & same_day])
    is_left = ~pairs["node"].isin(exact["node"]) & ~pairs["node_other"].isin(exact["node_other"])
    near = (same_amount & _is_near(pairs)) | (same_day & ~_differs(pairs, "amount"))
    alike = _only(pairs[near & is_left])
    return pd.concat(
        [
            stored,
            linking.links(
                exact["node"].to_numpy(),
                exact["node_other"].to_numpy(),
                "account, name, amount and date",
            ),
            linking.links(
                alike["node"].to_numpy(), alike["node_other"].to_numpy(), "account, amount and date"
            ),
        ],
        ignore_index=True,
    )


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
    return rows.dropna(subset=["account_id", "name"])


def _agrees(pairs: pd.DataFrame, name: str) -> pd.Series:
    return (pairs[name] == pairs[f"{name}_other"]).fillna(value=False).astype(bool)


def _differs(pairs: pd.DataFrame, name: str) -> pd.Series:
    has_both = pairs[name].notna() & pairs[f"{name}_other"].notna()
    return has_both & ~_agrees(pairs, name)


def _is_near(pairs: pd.DataFrame) -> pd.Series:
    one, other = (
        pd.to_datetime(pairs[name], errors="coerce") for name in ("closed_on", "closed_on_other")
    )
    return ~((one - other).abs() > _NEAR)


def _only(pairs: pd.DataFrame) -> pd.DataFrame:
    """Take the pairs whose two records fit nothing else."""
    is_single = ~pairs.duplicated("node", keep=False) & ~pairs.duplicated("node_other", keep=False)
    return pairs[is_single].sort_values("node")
