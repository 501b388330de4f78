"""Each touch's share of its deal under a model, and the exact split of amounts by these shares.

Whole units: every touch gets its exact share rounded towards zero, the units left over go one each
to the largest remainders, the earlier touch first on a tie (rules A8).
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import lcm
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agreement.money import split_minor
from agreement.policy import AnchorWeights, Attribution
from transforms.attribution.blocks import Block, Whole
from transforms.attribution.decay import DecayShares
from transforms.attribution.units import add_units, is_safe_product, signed

# Beyond this length two remainders can differ by less than a float shows.
_LONGEST_PATH_IN_FLOATS = 10_000


class Shares(Protocol):
    """The shares of the touches of one block."""

    def weights(self) -> NDArray[np.float64]:
        """Give each touch's share of 1."""

    def split(self, amounts: NDArray[Any]) -> NDArray[Any]:
        """Split one amount in minor units per deal; the parts of a deal add up to it."""


class AnchorShares:
    """Shares of models with anchors: a few touches with shares of their own, the rest alike.

    The work per deal does not grow with its path: its rest is one share and a number of touches.
    """

    def __init__(self, block: Block, weights: Sequence[int]) -> None:
        """Place the anchors; `weights` are whole: first, lead, deal, last, middle."""
        self._length = block.length
        held = [
            (weight, place(block))
            for weight, place in zip(weights[:4], _PLACES, strict=True)
            if weight
        ]
        shape = (len(held), len(block.deals))
        self._place = np.array([place for _, place in held], dtype=np.int64).reshape(shape)
        weight = np.array([[weight] for weight, _ in held], dtype=np.int64).reshape(-1, 1)
        self._weight = np.where(self._place >= 0, weight, 0)
        self._join_anchors()
        self._rest_count = block.length - (self._place >= 0).sum(axis=0)
        has_rest = (self._rest_count > 0) & (weights[4] > 0)
        self._rest_weight = np.where(has_rest, weights[4], 0)
        self._weight *= np.where(has_rest, self._rest_count, 1)
        self._whole = self._weight.sum(axis=0) + self._rest_weight * self._rest_count

    def _join_anchors(self) -> None:
        """Let a touch that holds several anchors have the sum of them; the others become none."""
        for later in range(1, len(self._place)):
            for earlier in range(later):
                same = (self._place[later] == self._place[earlier]) & (self._place[later] >= 0)
                self._weight[earlier] += np.where(same, self._weight[later], 0)
                self._weight[later] = np.where(same, 0, self._weight[later])
                self._place[later] = np.where(same, -1, self._place[later])

    def weights(self) -> NDArray[np.float64]:
        """Give each touch's share of 1."""
        shape = (self._length, self._place.shape[1])
        shares = np.broadcast_to(self._rest_weight / self._whole, shape).copy()
        self._put_anchors(shares, self._weight / self._whole)
        return shares

    def split(self, amounts: NDArray[Any]) -> NDArray[Any]:
        """Split one amount per deal."""
        sizes = np.abs(amounts)
        whole = self._whole
        if not is_safe_product(int(whole.max(initial=0)), int(whole.max(initial=0))):
            whole = whole.astype(object)
        parts, rests = sizes // whole, sizes % whole
        share, remainder = _shared(parts, rests, self._weight, whole)
        rest_share, rest_remainder = _shared(parts, rests, self._rest_weight, whole)
        left = sizes - share.sum(axis=0) - rest_share * self._rest_count
        is_up = self._ranks(remainder, rest_remainder) < left
        is_up &= self._place >= 0
        share = share + is_up
        rest_up = left - is_up.sum(axis=0)
        places = np.arange(self._length)[:, None]
        result = rest_share + (places < self._rest_until(rest_up))
        self._put_anchors(result, share)
        return signed(result, amounts)

    def _ranks(self, remainder: NDArray[Any], rest_remainder: NDArray[Any]) -> Whole:
        """Count, per anchor, the touches that get a left-over unit before it."""
        ranks = np.zeros(self._place.shape, dtype=np.int64)
        for anchor, place in enumerate(self._place):
            others = self._place >= 0
            others[anchor] = False
            is_earlier = (self._place < place) & others
            own = remainder[anchor]
            is_before = (remainder > own) | ((remainder == own) & is_earlier)
            rest_before = np.where(
                rest_remainder > own,
                self._rest_count,
                np.where(rest_remainder == own, place - is_earlier.sum(axis=0), 0),
            )
            ranks[anchor] = (is_before & others).sum(axis=0) + rest_before
        return ranks

    def _rest_until(self, count: NDArray[Any]) -> NDArray[Any]:
        """Give the place before which stand so many touches that hold no anchor."""
        until = count
        for place in np.sort(self._place, axis=0):
            until = until + ((place >= 0) & (place < until))
        return until

    def _put_anchors(self, matrix: NDArray[Any], values: NDArray[Any]) -> None:
        for place, value in zip(self._place, values, strict=True):
            deals = np.flatnonzero(place >= 0)
            matrix[place[deals], deals] = value[deals]


def _shared(
    parts: NDArray[Any], rests: NDArray[Any], weight: NDArray[Any], whole: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Divide amount * weight by the whole: (amount mod whole) * weight cannot overflow."""
    product = rests * weight
    return parts * weight + product // whole, product % whole


class ChannelShares:
    """Equal shares of the path's distinct channels, shared equally over a channel's touches.

    This is the exact Shapley value of the game in which a coalition of channels wins the deals
    whose channels it contains.
    """

    def __init__(self, block: Block) -> None:
        count = np.zeros(block.channel.shape, dtype=np.int64)
        for channel in block.channel:
            count += block.channel == channel
        # One over its channel's count, added up over the touches, is the number of channels.
        channels = np.rint(np.cumsum(1 / count, axis=0)[-1]).astype(np.int64)
        self._count = count
        self._parts = channels * count

    def weights(self) -> NDArray[np.float64]:
        """Give each touch's share of 1."""
        weights: NDArray[np.float64] = 1 / self._parts
        return weights

    def split(self, amounts: NDArray[Any]) -> NDArray[Any]:
        """Split one amount per deal."""
        if len(self._parts) > _LONGEST_PATH_IN_FLOATS:
            return self._split_one_by_one(amounts)
        sizes = np.abs(amounts)
        share = sizes // self._parts
        remainder = ((sizes - share * self._parts) / self._parts).astype(np.float64)
        left = sizes - share.sum(axis=0)
        return signed(add_units(share, remainder, left), amounts)

    def _split_one_by_one(self, amounts: NDArray[Any]) -> NDArray[Any]:
        columns = []
        for deal, amount in enumerate(amounts):
            of_channel = [int(count) for count in self._count[:, deal]]
            whole = lcm(*set(of_channel))
            columns.append(split_minor(int(amount), [whole // count for count in of_channel]))
        return np.array(columns, dtype=amounts.dtype).T


def whole_weights(weights: AnchorWeights) -> tuple[int, int, int, int, int]:
    """Turn percents into whole numbers of the same proportion: first, lead, deal, last, middle."""
    shares = [
        Fraction(share)
        for share in (weights.first, weights.lead, weights.deal, weights.last, weights.middle)
    ]
    whole = lcm(*(share.denominator for share in shares))
    first, lead, deal, last, middle = (int(share * whole) for share in shares)
    return first, lead, deal, last, middle


def shares(model: str, block: Block, policy: Attribution) -> Shares:
    """Give the shares of a model for the deals of a block."""
    if model in _PLAIN:
        return AnchorShares(block, _PLAIN[model])
    if model == "time_decay":
        return DecayShares(block, Fraction(policy.half_life_days))
    if model == "shapley":
        return ChannelShares(block)
    return AnchorShares(block, whole_weights(getattr(policy.weights, model)))


_PLACES: tuple[Callable[[Block], Whole], ...] = (
    lambda block: np.zeros(len(block.deals), dtype=np.int64),
    lambda block: block.last_by(block.lead_created_at),
    lambda block: block.last_by(block.deal_created_at),
    lambda block: np.full(len(block.deals), block.length - 1, dtype=np.int64),
)
_PLAIN: Mapping[str, tuple[int, int, int, int, int]] = MappingProxyType(
    {
        "first_touch": (1, 0, 0, 0, 0),
        "last_touch": (0, 0, 0, 1, 0),
        "linear": (0, 0, 0, 0, 1),
    }
)
