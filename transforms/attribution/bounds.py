"""Floor and cap per team: what they move of the shared number, as lines of their own."""

from fractions import Fraction

import numpy as np
import pandas as pd

from agreement.policy import Attribution

SHIFT = "floor and cap"
_TEAMS = ("marketing", "sales")
_AMOUNTS = ("credit_minor", "credit_deal_minor")


def team_shift(touched: pd.DataFrame, policy: Attribution) -> pd.DataFrame:
    """Give two lines per deal that floor or cap move: what one team gains and the other gives.

    Only deals that both teams touched, by the shared model. The bound is rounded half-even to a
    whole unit; the lines of a deal add up to nothing, so that its credits still add up to its
    amount. Negative amounts mirror. No lines where floor and cap are off.
    """
    least, most = (Fraction(bound) for bound in policy.marketing_bounds)
    if (least <= 0 and most >= 1) or touched.empty:
        return touched.head(0)
    teams = touched.groupby("deal_id")["team"].transform("nunique")
    both = touched[teams == len(_TEAMS)]
    if both.empty:
        return touched.head(0)
    # Every deal has both teams: no gap to fill, so that whole numbers stay whole.
    shared = both.pivot_table(index="deal_id", columns="team", values=list(_AMOUNTS),
                              aggfunc="sum", sort=False)  # fmt: skip
    moved = {
        name: _moved(
            shared[name, "marketing"].to_numpy(), shared[name, "sales"].to_numpy(), least, most
        )
        for name in _AMOUNTS
    }
    rows = pd.concat(
        [
            _lines(shared.index, team, sign, moved)
            for team, sign in zip(_TEAMS, (1, -1), strict=True)
        ]
    )
    is_moved = (rows[list(_AMOUNTS)] != 0).any(axis=1)
    model = pd.Series(policy.shared, index=rows.index, dtype="str")
    return rows.assign(model=model)[is_moved].sort_values("deal_id", kind="stable")


def _moved(marketing: np.ndarray, sales: np.ndarray, least: Fraction, most: Fraction) -> np.ndarray:
    """Give what marketing gains in each deal; a loss is negative."""
    bounded = []
    for own, other in zip(marketing.tolist(), sales.tolist(), strict=True):
        low, high = sorted(round(bound * (own + other)) for bound in (least, most))
        bounded.append(min(max(own, low), high) - own)
    return np.array(bounded, dtype=np.int64)


def _lines(deals: pd.Index, team: str, sign: int, moved: dict[str, np.ndarray]) -> pd.DataFrame:
    missing = pd.Series(None, index=range(len(deals)), dtype="str")
    return pd.DataFrame(
        {
            "deal_id": deals.to_numpy(),
            "touch_id": missing,
            "person_id": missing,
            "channel": SHIFT,
            "team": team,
            "campaign_id": missing,
            "weight": 0.0,
            **{name: sign * amounts for name, amounts in moved.items()},
        }
    )
