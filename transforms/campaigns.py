"""What channels, campaigns and teams brought, under each model, and what a unit of it cost."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from agreement.frames import (
    CampaignCosts,
    ChannelResults,
    Credits,
    DataFrame,
    Deals,
    PathTouches,
    Rates,
    empty,
    lookup,
)
from agreement.policy import TeamCost
from transforms.horizons import Horizon
from transforms.journeys import minor_amounts, rate_on

_PPM = 1_000_000
_DIMENSIONS = {"channel": "channel", "campaign": "campaign_id", "team": "team"}


def campaign_costs(
    campaigns: pd.DataFrame, rates: DataFrame[Rates], digits: Mapping[str, int], currency: str
) -> DataFrame[CampaignCosts]:
    """Read what Salesforce's campaigns cost and from when to when they ran.

    One row per campaign with an actual cost and both days, by id, in company minor units at the
    rate of its first day. A campaign without them, or without a rate, has no known cost.
    """
    rows = campaigns[~campaigns["is_deleted"].astype(bool)].sort_values("record_id")
    rows = rows.dropna(subset=["ActualCost", "StartDate", "EndDate"]).reset_index(drop=True)
    own = rows["CurrencyIsoCode"].fillna(currency).astype("str")
    starts, ends = rows["StartDate"].str.slice(0, 10), rows["EndDate"].str.slice(0, 10)
    rate = rate_on(rates, own, starts, currency)
    money = minor_amounts(rows["ActualCost"], own, rate, digits, currency)
    frame = pd.DataFrame(
        {
            "campaign_id": rows["record_id"].astype("str"),
            "cost_minor": money["company_minor"],
            "starts_on": starts.astype("str"),
            "ends_on": ends.astype("str"),
        }
    ).dropna()
    dated = frame[frame["ends_on"] >= frame["starts_on"]].astype({"cost_minor": "int64"})
    return CampaignCosts.validate(dated.reset_index(drop=True), lazy=True)


def channel_results(
    credits: DataFrame[Credits],
    paths: DataFrame[PathTouches],
    deals: DataFrame[Deals],
    costs: DataFrame[CampaignCosts],
    team_costs: Sequence[TeamCost],
    digits: int,
    horizons: Sequence[Horizon],
) -> DataFrame[ChannelResults]:
    """Add up what each channel, campaign and team brought in each horizon, models side by side.

    By horizon as given, model, dimension and name. A campaign's cost falls evenly on its days; a
    team's is known where the agreement names all quarters of the horizon, in company currency with
    `digits` decimals; a channel's where all its campaigns' are, and none of its touches is without
    one. Won and open amounts of the channels add up to those of the deals, and so do the teams'.
    """
    rows = credits.merge(deals[["deal_id", "state", "closed_on"]], on="deal_id")
    pieces = [
        _results(
            rows, horizon, dimension, _costs(dimension, paths, costs, team_costs, digits, horizon)
        )
        for horizon in horizons
        for dimension in _DIMENSIONS
    ]
    pieces = [piece for piece in pieces if len(piece)]
    if not pieces:
        return ChannelResults.validate(empty(ChannelResults), lazy=True)
    every = pd.concat(pieces, ignore_index=True)
    texts = ["horizon", "model", "dimension", "name"]
    every = every.astype(dict.fromkeys(texts, "str"))
    order = every["horizon"].map({horizon.name: place for place, horizon in enumerate(horizons)})
    ordered = every.assign(order=order).sort_values(["order", "model", "dimension", "name"])
    columns = list(ChannelResults.to_schema().columns)
    return ChannelResults.validate(ordered[columns].reset_index(drop=True), lazy=True)


def _results(rows: pd.DataFrame, horizon: Horizon, dimension: str, cost: pd.Series) -> pd.DataFrame:
    column = _DIMENSIONS[dimension]
    known = rows.dropna(subset=[column])
    is_won = (known["state"] == "won") & horizon.holds(known["closed_on"])
    keys = ["model", column]
    won = known[is_won].groupby(keys)
    frame = pd.DataFrame(
        {
            "won_minor": won["credit_minor"].sum(),
            "open_minor": known[known["state"] == "open"].groupby(keys)["credit_minor"].sum(),
            "deal_count": won["deal_id"].nunique(),
            "people_count": won["person_id"].nunique(),
            "touch_count": won["touch_id"].count(),
        }
    )
    frame = frame.fillna(0).astype("int64").reset_index(names=["model", "name"])
    frame["cost_minor"] = lookup(frame["name"], cost)
    return with_cost_per_won(frame.assign(horizon=horizon.name, dimension=dimension))


def with_cost_per_won(frame: pd.DataFrame) -> pd.DataFrame:
    """Add cost per million units of won credit, rounded down; missing where nothing was won."""
    is_known = frame["cost_minor"].notna() & (frame["won_minor"] > 0)
    known = frame[is_known]
    costs, won = known["cost_minor"].tolist(), known["won_minor"].tolist()
    # Python's whole numbers: a cost in minor units times a million may not fit in 64 bits.
    shares = [cost * _PPM // minor for cost, minor in zip(costs, won, strict=True)]
    per_won = pd.Series(shares, index=known.index, dtype="Int64").reindex(frame.index)
    return frame.assign(cost_per_won_ppm=per_won)


def _costs(
    dimension: str,
    paths: pd.DataFrame,
    costs: pd.DataFrame,
    team_costs: Sequence[TeamCost],
    digits: int,
    horizon: Horizon,
) -> pd.Series:
    """Give the cost of each name of a dimension that falls into a horizon, as far as known."""
    if dimension == "team":
        return _team_costs(team_costs, digits, horizon)
    by_campaign = _campaign_costs(costs, horizon)
    if dimension == "campaign":
        return by_campaign
    pairs = paths[["channel", "campaign_id"]].drop_duplicates()
    pairs = pairs.assign(cost=lookup(pairs["campaign_id"], by_campaign))
    sums = pairs.groupby("channel")["cost"].agg(["sum", "count", "size"])
    return sums.loc[sums["count"] == sums["size"], "sum"].astype("Int64")


def _campaign_costs(costs: pd.DataFrame, horizon: Horizon) -> pd.Series:
    starts = pd.to_datetime(costs["starts_on"], format="%Y-%m-%d")
    ends = pd.to_datetime(costs["ends_on"], format="%Y-%m-%d")
    days = (ends - starts).dt.days + 1
    inside = horizon.overlap_days(starts, ends)
    parts = [
        round(Fraction(cost * share, whole))
        for cost, share, whole in zip(
            costs["cost_minor"].tolist(), inside.tolist(), days.tolist(), strict=True
        )
    ]
    return pd.Series(parts, index=costs["campaign_id"].to_numpy(), dtype="Int64")


def _team_costs(team_costs: Sequence[TeamCost], digits: int, horizon: Horizon) -> pd.Series:
    by_team: dict[str, list[Fraction]] = {}
    for cost in team_costs:
        if cost.period in horizon.quarters:
            by_team.setdefault(cost.team, []).append(Fraction(cost.cost))
    known = {
        team: round(sum(costs) * 10**digits)
        for team, costs in by_team.items()
        if len(costs) == len(horizon.quarters)
    }
    return pd.Series(list(known.values()), index=np.array(list(known), dtype=object), dtype="Int64")
