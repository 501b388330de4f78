"""What two agreements make of the same records; whether a kept table is the computed one."""

import pandas as pd

from agreement.frames import ClockChanges, CreditChanges, Credits, DataFrame, HandoffStatus, empty

_DIMENSIONS = ("team", "channel")


def unequal(stored: pd.DataFrame, computed: pd.DataFrame, key: str) -> tuple[str, ...]:
    """List the keys, sorted, of rows that stand in one of two tables and not so in the other.

    Both have the same columns; the order of rows does not matter, and missing equals missing.
    """
    columns = list(stored.columns)
    both = stored.merge(computed[columns], on=columns, how="outer", indicator=True)
    return tuple(sorted(both.loc[both["_merge"] != "both", key].astype(str).unique()))


def clock_changes(
    before: DataFrame[HandoffStatus], after: DataFrame[HandoffStatus]
) -> DataFrame[ClockChanges]:
    """Give the handoffs whose tier, due time or status another agreement changes."""
    named = ["handoff_id", "record_kind", "record_id", "started_at"]
    judged = {"tier": "tier", "due_at": "due", "status": "status"}
    sides = [
        side[[*named, *judged]].rename(
            columns={column: f"{name}_{when}" for column, name in judged.items()}
        )
        for side, when in ((before, "before"), (after, "after"))
    ]
    both = sides[0].merge(sides[1], on="handoff_id", how="outer", suffixes=("_first", ""))
    for name in named[1:]:
        both[name] = both[name].fillna(both[f"{name}_first"])
    is_other = pd.Series(data=False, index=both.index)
    for name in judged.values():
        first, second = both[f"{name}_before"], both[f"{name}_after"]
        is_other |= (first != second) & ~(first.isna() & second.isna())
    rows = both[is_other].sort_values(["started_at", "handoff_id"], ignore_index=True)
    return ClockChanges.validate(rows[list(ClockChanges.to_schema().columns)], lazy=True)


def credit_changes(
    before: DataFrame[Credits], after: DataFrame[Credits]
) -> DataFrame[CreditChanges]:
    """Give, per deal, the teams and channels whose credit in company currency differs.

    Both are credits of one model each, of the same deals; who has no credit on one side has 0.
    """
    keys, amounts = ["deal_id", "dimension", "name"], ["before_minor", "after_minor"]
    pieces = [
        _sums(side, dimension, minor)
        for side, minor in ((before, "before_minor"), (after, "after_minor"))
        for dimension in _DIMENSIONS
        if len(side)
    ]
    if not pieces:
        return CreditChanges.validate(empty(CreditChanges), lazy=True)
    every = pd.concat(pieces, ignore_index=True).astype(dict.fromkeys(keys, "str"))
    sums = every.groupby(keys, as_index=False)[amounts].sum()
    moved = sums[sums["before_minor"] != sums["after_minor"]].reset_index(drop=True)
    return CreditChanges.validate(moved, lazy=True)


def _sums(credits: pd.DataFrame, dimension: str, minor: str) -> pd.DataFrame:
    """Add up credit by deal and name into one of the two amounts; the other is 0."""
    sums = credits.groupby(["deal_id", dimension], as_index=False)["credit_minor"].sum()
    rows = sums.rename(columns={dimension: "name"}).assign(dimension=dimension)
    rows = rows.assign(before_minor=0, after_minor=0)
    rows[minor] = rows["credit_minor"]
    return rows.drop(columns="credit_minor")
