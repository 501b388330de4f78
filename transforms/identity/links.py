"""Links between two records: their rules, in order of strength, and the sure ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from agreement.frames import Aliases, DataFrame, lookup

# Rules by strength. A link by a weaker rule never overrules one by a stronger; those that matching
# finds stand below all of these, the likelier first. What they are worth is the share of right
# links that they have shown, on data whose truth is known.
PIN, STORED_ID, CONVERSION, ACCEPT, KEPT, EXACT, ALIKE, FOUND = range(8)
KEPT_AS_IS, MERGED, INHERITED = "kept", "kept through a merge", "in place of a merged record"
_RULES = {
    "pinned": (PIN, 1.0),
    "stored id": (STORED_ID, 1.0),
    "conversion": (CONVERSION, 1.0),
    "accepted": (ACCEPT, 1.0),
    KEPT_AS_IS: (KEPT, 1.0),
    # Two merged records may each bring a partner: either may be the right one.
    MERGED: (KEPT, 0.5),
    INHERITED: (KEPT, 0.5),
    "e-mail and name": (EXACT, 0.998),
    "e-mail and similar name": (ALIKE, 0.99),
    "domain": (EXACT, 0.98),
    "name and place": (ALIKE, 0.97),
    "account, name, amount and date": (EXACT, 0.99),
    "account, amount and date": (ALIKE, 0.97),
}
_COLUMNS = ["a", "b", "rule", "rank", "score", "decided_by"]


@dataclass(frozen=True)
class Found:
    """What rules and matching say of the records of one entity, by position.

    `doubtful` are links that nobody makes unasked. `words` says in `words` how the fields of pairs
    (`a` below `b`) agree, without any value. `kin` are pairs of one system that are one by
    themselves; where it is missing, any link may join two of one system.
    """

    links: pd.DataFrame
    doubtful: pd.DataFrame
    words: pd.DataFrame
    kin: pd.DataFrame | None = None


def keys(system: pd.Series | str, kind: pd.Series | str, record_id: pd.Series) -> pd.Series:
    """Write records as one text each."""
    return (system + " " + kind + " " + record_id).astype("str")


def nodes(records: pd.DataFrame) -> pd.DataFrame:
    """Put records in an order of their own, so that the order given never matters."""
    ordered = records.sort_values(["system", "kind", "record_id"], ignore_index=True)
    return ordered.assign(key=keys(ordered["system"], ordered["kind"], ordered["record_id"]))


def links(a: object, b: object, rule: str, decided_by: object = None) -> pd.DataFrame:
    """Link records, by their positions in `nodes`, by one rule."""
    rank, score = _RULES[rule]
    return typed(
        pd.DataFrame({"a": a, "b": b}).assign(
            rule=rule, rank=rank, score=score, decided_by=decided_by
        )
    )


def likely(a: object, b: object, rule: object, score: object) -> pd.DataFrame:
    """Link records by a likeness that may err; `score` is the share of such pairs that are one."""
    rows = pd.DataFrame({"a": a, "b": b, "rule": rule, "rank": FOUND, "score": score})
    return typed(rows.assign(decided_by=None))


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Give links their columns and types."""
    types = {"a": "int64", "b": "int64", "rank": "int64", "score": "float64"}
    return rows[_COLUMNS].astype({**types, "rule": "str", "decided_by": "str"})


def strength(rules: pd.Series) -> pd.Series:
    """Give the rank of each rule."""
    ranks = {rule: rank for rule, (rank, _) in _RULES.items()}
    return rules.map(ranks).fillna(FOUND).astype("int64")


def in_order(pairs: pd.DataFrame) -> pd.DataFrame:
    """Put the lower position of each pair first."""
    low, high = (find(pairs["a"], pairs["b"]) for find in (np.minimum, np.maximum))
    return pairs.assign(a=low.astype("int64"), b=high.astype("int64"))


def alive(targets: pd.Series, aliases: DataFrame[Aliases]) -> pd.Series:
    """Replace merged-away records by the one they live on in; others stay."""
    merged = pd.Series(
        keys(aliases["system"], aliases["kind"], aliases["survivor_id"]).to_numpy(),
        index=keys(aliases["system"], aliases["kind"], aliases["record_id"]),
        dtype="str",
    )
    return lookup(targets, merged).fillna(targets).astype("str")


def positions(targets: pd.Series, nodes: pd.DataFrame) -> pd.Series:
    """Find records among the nodes; missing where there is none."""
    return lookup(targets, pd.Series(nodes.index, index=nodes["key"], dtype="Int64"))


def stored(
    nodes: pd.DataFrame, aliases: DataFrame[Aliases], prefixes: Mapping[str, str], hubspot_kind: str
) -> pd.DataFrame:
    """Link records by the other system's id that stands on them, in both directions.

    A merged-away record is its survivor, a gone one none.
    """
    ids = nodes["partner_id"].dropna().str.split(";").explode().astype("str")
    holder = nodes["system"].loc[ids.index]
    kind = ids.str.slice(0, 3).map(prefixes).astype("str")
    target = keys("salesforce", kind, ids).where(
        holder == "hubspot", keys("hubspot", hubspot_kind, ids)
    )
    holders = ids.index.to_series().reset_index(drop=True)
    return named(nodes, holders, target.reset_index(drop=True), aliases, "stored id")


def converted(nodes: pd.DataFrame, aliases: DataFrame[Aliases]) -> pd.DataFrame:
    """Link converted leads to the contacts they became."""
    targets = keys("salesforce", "contact", nodes["converted_to"])
    return named(nodes, nodes.index.to_series(), targets, aliases, "conversion")


def named(
    nodes: pd.DataFrame,
    holders: pd.Series,
    targets: pd.Series,
    aliases: DataFrame[Aliases],
    rule: str,
) -> pd.DataFrame:
    """Link records to the ones they name."""
    found = pd.DataFrame({"a": holders, "b": positions(alive(targets, aliases), nodes)}).dropna()
    found = found[found["a"] != found["b"]]
    return links(found["a"].to_numpy(), found["b"].to_numpy(), rule)


# Pairs, side by side ------------------------------------------------------------------------------


def agrees(pairs: pd.DataFrame, name: str) -> pd.Series:
    """Tell pairs whose two sides (`name`, `name_other`) have the same value."""
    return (pairs[name] == pairs[f"{name}_other"]).fillna(value=False).astype(bool)


def differs(pairs: pd.DataFrame, name: str) -> pd.Series:
    """Tell pairs whose two sides have values, and not the same."""
    has_both = pairs[name].notna() & pairs[f"{name}_other"].notna()
    return has_both & ~agrees(pairs, name)
