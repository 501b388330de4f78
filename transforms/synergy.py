"""Pairs of channels that win together more often than each of them does without the other."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.frames import DataFrame, Deals, PathTouches, Synergies, empty
from agreement.policy import Synergy
from transforms.horizons import Horizon

_PPM = 1_000_000
# The same draws for the same deals, whatever else is computed before.
_SEED = 20_271
_INTERVAL = (2.5, 97.5)


def synergies(
    paths: DataFrame[PathTouches],
    deals: DataFrame[Deals],
    horizons: Sequence[Horizon],
    policy: Synergy,
) -> DataFrame[Synergies]:
    """Compare the share won with both channels to the better one of either without the other.

    One row per horizon and pair (in the order of the alphabet) for which each of the three groups
    has at least `minimum_deals` deals that ended, won or lost, in the horizon; of all others
    nothing is said. `paths` are those of deals that ended. The interval is a bootstrap over deals
    with a fixed seed. That many pairs are compared makes a few clear by chance: it is a question to
    ask, not a proof.
    """
    pieces = [
        _of(horizon, paths, deals[horizon.holds(deals["closed_on"])], policy)
        for horizon in horizons
    ]
    rows = [row for piece in pieces for row in piece]
    if not rows:
        return Synergies.validate(empty(Synergies), lazy=True)
    frame = pd.DataFrame(rows, columns=list(Synergies.to_schema().columns))
    texts = ["horizon", "channel", "other_channel"]
    return Synergies.validate(frame.astype(dict.fromkeys(texts, "str")), lazy=True)


def _of(
    horizon: Horizon, paths: pd.DataFrame, deals: pd.DataFrame, policy: Synergy
) -> list[tuple[object, ...]]:
    ended = deals[deals["state"] != "open"].drop_duplicates("deal_id")
    touched = paths.loc[paths["deal_id"].isin(ended["deal_id"]), ["deal_id", "channel"]]
    if touched.empty:
        return []
    has = pd.crosstab(touched["deal_id"], touched["channel"]) > 0
    has = has.reindex(ended["deal_id"], fill_value=False)
    is_won = (ended["state"] == "won").to_numpy()
    rows: list[tuple[object, ...]] = []
    for one, other in combinations(sorted(has.columns), 2):
        row = _pair(has[one].to_numpy(), has[other].to_numpy(), is_won, policy)
        if row is not None:
            rows.append((horizon.name, one, other, *row))
    return rows


def _pair(
    one: NDArray[np.bool_], other: NDArray[np.bool_], is_won: NDArray[np.bool_], policy: Synergy
) -> tuple[int, int, int, int, int, int, bool] | None:
    """Give the figures of one pair; nothing where a group is too small."""
    groups = (one & other, one & ~other, other & ~one)
    counts = [int(group.sum()) for group in groups]
    if min(counts) < policy.minimum_deals:
        return None
    wins = [int((group & is_won).sum()) for group in groups]
    shares = [won * _PPM // count for won, count in zip(wins, counts, strict=True)]
    low, high = _interval(np.array(counts), np.array(wins), policy.resamples)
    expected = max(shares[1:])
    return counts[0], shares[0], expected, shares[0] - expected, low, high, low > 0


def _interval(
    counts: NDArray[np.int64], wins: NDArray[np.int64], resamples: int
) -> tuple[int, int]:
    """Draw the deals anew with replacement, and give the middle 95 of 100 of the lifts, in ppm.

    A deal is only its group and whether it was won, so that drawing deals is drawing these six
    numbers.
    """
    random = np.random.default_rng(_SEED)
    cells = np.r_[wins, counts - wins]
    drawn = random.multinomial(cells.sum(), cells / cells.sum(), size=resamples)
    won, lost = drawn[:, :3], drawn[:, 3:]
    shares = won / np.maximum(won + lost, 1)
    lifts = shares[:, 0] - shares[:, 1:].max(axis=1)
    low, high = np.percentile(lifts, _INTERVAL)
    return int(np.floor(low * _PPM)), int(np.ceil(high * _PPM))
