"""How long won deals took from first touch to lead, deal and won, by type of path."""

from collections.abc import Sequence

import pandas as pd

from agreement.frames import DataFrame, Deals, PathTouches, Velocity, empty, lookup
from transforms.horizons import Horizon

_DAY = pd.Timedelta(days=1)
_STEPS = {
    "touch_to_lead_days": ("first_at", "lead_created_at"),
    "lead_to_deal_days": ("lead_created_at", "created_at"),
    "deal_to_won_days": ("created_at", "closed_at"),
    "touch_to_won_days": ("first_at", "closed_at"),
}


def velocity(
    paths: DataFrame[PathTouches], deals: DataFrame[Deals], horizons: Sequence[Horizon]
) -> DataFrame[Velocity]:
    """Give the median days of each step of the deals won in a horizon, by type of path.

    One row per horizon and type that occurs, by horizon as given and then by type. Days are whole
    days of 86,400 seconds, rounded down.
    """
    won = deals[deals["state"] == "won"]
    first = paths.groupby("deal_id")["touched_at"].min()
    won = won.assign(
        path_type=_path_type(won["deal_id"], paths), first_at=lookup(won["deal_id"], first)
    )
    pieces = [_of(horizon, won[horizon.holds(won["closed_on"])]) for horizon in horizons]
    pieces = [piece for piece in pieces if len(piece)]
    every = pd.concat(pieces, ignore_index=True) if pieces else empty(Velocity)
    return Velocity.validate(every, lazy=True)


def _path_type(deal_id: pd.Series, paths: pd.DataFrame) -> pd.Series:
    """Name a path by the teams on it, and by the one that came first where both are."""
    teams = paths.groupby("deal_id")["team"].nunique()
    first = paths.drop_duplicates("deal_id").set_index("deal_id")["team"]
    team = lookup(deal_id, first)
    is_both = (lookup(deal_id, teams) > 1).fillna(value=False)
    name = (team + "_only").mask(is_both, team + "_first")
    return name.fillna("no_touch").astype("str")


def _of(horizon: Horizon, won: pd.DataFrame) -> pd.DataFrame:
    days = {name: (won[end] - won[start]) // _DAY for name, (start, end) in _STEPS.items()}
    groups = won.assign(**days).groupby("path_type")
    if won.empty:
        return empty(Velocity)
    # The lower median: a number of days that really happened.
    medians = groups[list(_STEPS)].quantile(0.5, interpolation="lower")
    frame = pd.DataFrame(
        {
            "horizon": pd.Series(horizon.name, index=medians.index, dtype="str"),
            "deal_count": groups.size().astype("int64"),
            "lead_count": groups["lead_created_at"].count().astype("int64"),
            **{name: medians[name].astype("Int64") for name in _STEPS},
        }
    ).reset_index()
    frame = frame.astype({"path_type": "str"})
    return frame[list(Velocity.to_schema().columns)]
