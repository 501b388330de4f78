"""What each channel brought by its removal effect: the wins that its absence would have cost."""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

import numpy as np
import pandas as pd

from agreement.frames import ChannelResults, DataFrame, Deals, PathTouches
from agreement.money import split_minor
from transforms.attribution import SHIFT, UNKNOWN, CountedPaths, removal_effects
from transforms.campaigns import with_cost_per_won
from transforms.horizons import Horizon

MARKOV = "markov"
_COUNTS = ["won_minor", "open_minor", "deal_count", "people_count", "touch_count"]


def with_removal_effects(
    results: DataFrame[ChannelResults],
    paths: DataFrame[PathTouches],
    deals: DataFrame[Deals],
    horizons: Sequence[Horizon],
    shared: str,
) -> DataFrame[ChannelResults]:
    """Set the Markov model's channels beside those of the others.

    In each horizon the chain runs over the paths (`paths`) of the deals that ended in it, won or
    lost. What the shared model credits to channels, won and open, is shared out anew by the removal
    effects, to the exact unit, the left-over ones by the channel's name; what is unknown stays so.
    Nothing is said of a horizon in which nothing was won over a channel. The new rows come last.
    """
    pieces = [results]
    for horizon in horizons:
        is_base = (results["horizon"] == horizon.name) & (results["dimension"] == "channel")
        base = results[is_base & (results["model"] == shared) & (results["name"] != SHIFT)]
        ended = deals[horizon.holds(deals["closed_on"]) & (deals["state"] != "open")]
        effects = _effects(paths[paths["deal_id"].isin(ended["deal_id"])], ended)
        if any(effects.values()):
            pieces.append(_shared_out(base, effects))
    return ChannelResults.validate(pd.concat(pieces, ignore_index=True), lazy=True)


def _effects(paths: pd.DataFrame, ended: pd.DataFrame) -> dict[str, Fraction]:
    """Give the removal effect of each channel on some paths, touches of a path in order."""
    if paths.empty:
        return {}
    of_deal, deal_ids = pd.factorize(paths["deal_id"])
    number, names = pd.factorize(paths["channel"], sort=True)
    order = np.argsort(of_deal, kind="stable")
    is_won = pd.Index(deal_ids).isin(ended.loc[ended["state"] == "won", "deal_id"])
    counted = CountedPaths(
        first=np.searchsorted(of_deal[order], np.arange(len(deal_ids) + 1)),
        channel=number[order],
        channels=len(names),
        conversions=is_won.astype(np.int64),
        nulls=(~is_won).astype(np.int64),
    )
    return dict(zip(names, removal_effects(counted), strict=True))


def _shared_out(base: pd.DataFrame, effects: dict[str, Fraction]) -> pd.DataFrame:
    """Share what channels have in a horizon out anew.

    A channel with an effect gets a row also where no deal that it touched was won or is open: it
    led to others on the way to wins.
    """
    names = sorted({*base["name"], *(name for name, effect in effects.items() if effect)})
    frame = base.set_index("name").reindex(pd.Index(names, name="name", dtype="str"))
    frame[_COUNTS] = frame[_COUNTS].fillna(0).astype("int64")
    frame = frame.reset_index().assign(
        model=MARKOV, horizon=base["horizon"].iloc[0], dimension="channel"
    )
    known = frame.index[frame["name"] != UNKNOWN]
    shares = [effects.get(name, Fraction(0)) for name in frame.loc[known, "name"]]
    scale = lcm(*(share.denominator for share in shares))
    weights = [int(share * scale) for share in shares]
    for name in ("won_minor", "open_minor"):
        frame.loc[known, name] = split_minor(int(frame.loc[known, name].sum()), weights)
    return with_cost_per_won(frame)[list(ChannelResults.to_schema().columns)]
