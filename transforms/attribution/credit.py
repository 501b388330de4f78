"""Credit of each touch for each deal, under one or several models."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from agreement.frames import Credits, DataFrame, Deals, PathTouches, empty
from agreement.policy import Attribution
from transforms.attribution.blocks import NEVER, PathTable, Whole, blocks
from transforms.attribution.bounds import team_shift
from transforms.attribution.shares import shares
from transforms.journeys import inside_window

UNKNOWN = "unknown"


def credits(
    paths: DataFrame[PathTouches], deals: DataFrame[Deals], policy: Attribution
) -> DataFrame[Credits]:
    """Share each won and open deal's amount over the touches on its path (rules.md 1).

    One row per model, deal and touch: models as the policy names them, deals in the given order,
    touches in the order of `paths` (A2, in the widest window of the models; each model takes those
    in its own), then what floor and cap move. The credits of a deal add up to its amounts exactly,
    in company currency and in its own; a deal without a touch has one row of team and channel
    `unknown`. A lost deal has no amount to share and no row.
    """
    credited = deals[deals["credited_at"].notna()].reset_index(drop=True)
    every = _by_deal(paths, credited)
    pieces = []
    for model in policy.models:
        rows = inside_window(every, credited.set_index("deal_id"), policy.window_of(model))
        rows = rows.reset_index(drop=True)
        table = _table_of(rows, credited)
        touched = _touched(rows, _split(table, _amounts_of(credited), model, policy), model)
        of_model = [touched, _unknown(credited, np.diff(table.first) == 0).assign(model=model)]
        if model == policy.shared:
            of_model.append(team_shift(touched, policy))
        pieces.append(_in_order(of_model, credited))
    if not any(len(piece) for piece in pieces):
        return Credits.validate(empty(Credits), lazy=True)
    return as_credits(pd.concat([piece for piece in pieces if len(piece)], ignore_index=True))


def as_credits(rows: pd.DataFrame) -> DataFrame[Credits]:
    """Check credits in the order given."""
    columns = list(Credits.to_schema().columns)
    texts = ["model", "deal_id", "touch_id", "person_id", "channel", "team", "campaign_id"]
    typed = rows[columns].astype(dict.fromkeys(texts, "str"))
    return Credits.validate(typed.reset_index(drop=True), lazy=True)


def _table_of(rows: pd.DataFrame, deals: pd.DataFrame) -> PathTable:
    return path_table(
        rows["place"].to_numpy(),
        rows["touched_at"],
        pd.factorize(rows["channel"])[0],
        deals["lead_created_at"],
        deals["created_at"],
    )


def _amounts_of(deals: pd.DataFrame) -> dict[str, Whole]:
    return {
        "credit_minor": deals["company_minor"].to_numpy(),
        "credit_deal_minor": deals["amount_minor"].to_numpy(),
    }


def _in_order(pieces: Sequence[pd.DataFrame], deals: pd.DataFrame) -> pd.DataFrame:
    """Put the rows of one model into the order of the deals, as they stand inside one."""
    there = [piece for piece in pieces if len(piece)]
    if not there:
        return pieces[0]
    rows = pd.concat(there, ignore_index=True)
    place = pd.Index(deals["deal_id"]).get_indexer(pd.Index(rows["deal_id"]))
    return rows.iloc[np.argsort(place, kind="stable")]


def path_table(
    deal: Whole, at: pd.Series, channel: Whole, lead_at: pd.Series, deal_at: pd.Series
) -> PathTable:
    """Lay out touches for arithmetic.

    Args:
        deal: per touch, the position of its deal; never falling.
        at: per touch, its time (UTC), in the order of rules A2 inside a deal.
        channel: per touch, the number of its channel.
        lead_at: per deal, when the buyer was first a lead; may be missing.
        deal_at: per deal, when it was created; may be missing.
    """
    first = np.searchsorted(deal, np.arange(len(lead_at) + 1)).astype(np.int64)
    return PathTable(first, micros(at), channel, micros(lead_at), micros(deal_at))


def micros(instants: pd.Series) -> Whole:
    """Turn instants (UTC) into microseconds; a missing one becomes `NEVER`."""
    whole: Whole = instants.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    return np.where(instants.isna(), NEVER, whole)


def _by_deal(paths: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Bring the touches of credited deals into the order of the deals, as they stand inside one."""
    places = pd.Series(deals.index, index=deals["deal_id"].to_numpy())
    place = paths["deal_id"].map(places)
    rows = paths[place.notna()].assign(place=place.dropna().astype("int64"))
    return rows.sort_values("place", kind="stable", ignore_index=True)


def _split(
    table: PathTable, amounts: Mapping[str, Whole], model: str, policy: Attribution
) -> dict[str, np.ndarray]:
    """Give weight and credits per touch of the table."""
    count = len(table.touched_at)
    result: dict[str, np.ndarray] = {name: np.zeros(count, dtype=np.int64) for name in amounts}
    result["weight"] = np.zeros(count)
    for block in blocks(table):
        of_model = shares(model, block, policy)
        result["weight"][block.rows] = of_model.weights()
        for name, amount in amounts.items():
            result[name][block.rows] = of_model.split(amount[block.deals])
    return result


def _touched(rows: pd.DataFrame, split: Mapping[str, np.ndarray], model: str) -> pd.DataFrame:
    return rows.drop(columns=["place", "touched_at"]).assign(model=model, **split)


def _unknown(deals: pd.DataFrame, is_untouched: np.ndarray) -> pd.DataFrame:
    """Give a deal that nothing explains one row that carries its amounts (A7)."""
    left = deals[is_untouched]
    missing = pd.Series(None, index=left.index, dtype="str")
    return pd.DataFrame(
        {
            "deal_id": left["deal_id"],
            "touch_id": missing,
            "person_id": missing,
            "channel": pd.Series(UNKNOWN, index=left.index, dtype="str"),
            "team": pd.Series(UNKNOWN, index=left.index, dtype="str"),
            "campaign_id": missing,
            "weight": 1.0,
            "credit_minor": left["company_minor"],
            "credit_deal_minor": left["amount_minor"],
        }
    )


def totals(
    table: PathTable,
    amounts: Whole,
    groups: Sequence[Whole],
    models: Sequence[str],
    policy: Attribution,
    deals: Whole | None = None,
) -> list[dict[str, Whole]]:
    """Add up the credits of touches by group under several models, without keeping any credit.

    Args:
        table: the paths.
        amounts: minor units per deal.
        groups: numberings of the touches, such as channel and team.
        models: the models.
        policy: weights and half-life.
        deals: positions of the deals to credit; all of them where missing.

    One result per numbering: per model, minor units by number. The memory used does not grow with
    the number of paths or models.
    """
    sizes = [int(group.max(initial=-1)) + 1 for group in groups]
    results = [{model: np.zeros(size, dtype=np.int64) for model in models} for size in sizes]
    for block in blocks(table, deals):
        amount = amounts[block.deals]
        numbers = [group[block.rows].ravel() for group in groups]
        for model in models:
            minor = shares(model, block, policy).split(amount).ravel()
            for number, result in zip(numbers, results, strict=True):
                result[model] += add_up(minor, number, len(result[model]))
    return results


def add_up(minor: Whole, group: Whole, count: int) -> Whole:
    """Add up whole numbers by group, exactly."""
    sums: Whole
    if np.abs(minor).astype(np.float64).sum() < _EXACT_IN_FLOATS:
        sums = np.bincount(group, weights=minor, minlength=count).astype(np.int64)
        return sums
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, group, minor)
    return sums


# Whole numbers up to here are exact as floats, and so are their sums.
_EXACT_IN_FLOATS = 2.0**53
