"""Time decay: a touch weighs half as much for each half-life that it lies further back (A6)."""

from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transforms.attribution.blocks import Block, Whole
from transforms.attribution.units import add_units, signed, threshold

_DAY = 86_400_000_000
# Decimal places of a share: what is nearer than this is a tie. Rules A6 ask for 30 digits.
_PLACES = 40
# Above this many minor units a float no longer tells remainders apart.
_LARGEST_IN_FLOATS = 1 << 44


class DecayShares:
    """Shares by age at the last touch: ages from the close only differ by a common factor.

    Floats decide where they can: remainders further apart than their error. Where two of them meet
    at the last unit, the deal is split again with 40 decimal places.
    """

    def __init__(self, block: Block, half_life_days: Fraction) -> None:
        self._half_life = half_life_days * _DAY
        self._at = block.touched_at
        ages = (block.touched_at - block.touched_at[-1]) / float(self._half_life)
        weights = np.exp2(ages)
        # Added up one by one: numpy's own sum goes by the shape of the block.
        self._weights: NDArray[np.float64] = weights / np.cumsum(weights, axis=0)[-1]

    def weights(self) -> NDArray[np.float64]:
        """Give each touch's share of 1."""
        return self._weights

    def split(self, amounts: NDArray[Any]) -> NDArray[Any]:
        """Split one amount per deal."""
        sizes = np.abs(amounts)
        is_large = sizes > _LARGEST_IN_FLOATS
        small = np.where(is_large, 0, sizes).astype(np.int64)
        exact: NDArray[np.float64] = small * self._weights
        floor: NDArray[np.float64] = np.floor(exact)
        share = floor.astype(np.int64)
        remainder: NDArray[np.float64] = exact - floor
        left = small - share.sum(axis=0)
        result = add_units(share, remainder, left)
        unclear = self._settle_equal_times(result, share, remainder, left, self._error(small))
        return signed(self._split_again(result, sizes, unclear | is_large), amounts)

    def _error(self, sizes: Whole) -> NDArray[np.float64]:
        """Bound the distance between a remainder in floats and the exact one, for both of two."""
        errors: NDArray[np.float64] = (
            sizes.astype(np.float64) * ((len(self._at) + 16) * 1e-15) + 1e-12
        )
        return errors

    def _settle_equal_times(
        self,
        result: Whole,
        share: Whole,
        remainder: NDArray[np.float64],
        left: Whole,
        error: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Tell where floats cannot say who gets the last units.

        Touches of one instant have one weight: among them the earlier in order comes first, which
        is written into `result` here.
        """
        smallest = threshold(remainder, left)
        is_near = np.abs(remainder - smallest) <= error
        doubtful = np.flatnonzero(is_near.sum(axis=0) > 1)
        near, at = is_near[:, doubtful], self._at[:, doubtful]
        is_above = (remainder[:, doubtful] > smallest[doubtful]) & ~near
        wanted = left[doubtful] - is_above.sum(axis=0)
        latest = np.where(near, at, np.iinfo(np.int64).min).max(axis=0)
        earliest = np.where(near, at, np.iinfo(np.int64).max).min(axis=0)
        is_settled = (latest == earliest) | (near.sum(axis=0) == wanted)
        settled = doubtful[is_settled]
        near, wanted = near[:, is_settled], wanted[is_settled]
        is_up = is_above[:, is_settled] | (near & (np.cumsum(near, axis=0) <= wanted))
        result[:, settled] = share[:, settled] + is_up
        unclear = np.zeros(result.shape[1], dtype=bool)
        unclear[doubtful[~is_settled]] = True
        return unclear

    def _split_again(
        self, result: NDArray[Any], sizes: NDArray[Any], unclear: NDArray[np.bool_]
    ) -> NDArray[Any]:
        if not unclear.any():
            return result
        result = result.astype(sizes.dtype)
        for deal in np.flatnonzero(unclear):
            at = self._at[:, deal]
            ages = (at - at[-1]).tolist()
            result[:, deal] = decayed(int(sizes[deal]), ages, self._half_life)
        return result


def decayed(size: int, ages: Sequence[int], half_life: Fraction) -> list[int]:
    """Split an amount that is not negative by the weights 2^(age / half_life), ages at most 0.

    Shares are exact to 40 decimal places, whatever the amount; nearer remainders are ties.

    >>> decayed(100, [-14, -7, 0], Fraction(7))
    [14, 29, 57]
    """
    precise = Context(prec=_PLACES + len(str(size)) + 10, Emin=MIN_EMIN, Emax=MAX_EMAX)
    per_age = precise.divide(Decimal(half_life.denominator), Decimal(half_life.numerator))
    weights = {
        age: precise.power(Decimal(2), precise.multiply(Decimal(age), per_age)) for age in set(ages)
    }
    whole = Decimal(0)
    for age in ages:
        whole = precise.add(whole, weights[age])
    scale = 10**_PLACES
    split = {
        age: divmod(
            _rounded(precise, precise.multiply(Decimal(size * scale), weight), whole), scale
        )
        for age, weight in weights.items()
    }
    parts = [split[age][0] for age in ages]
    left = size - sum(parts)
    by_remainder = sorted(range(len(ages)), key=lambda place: -split[ages[place]][1])
    for place in by_remainder[:left]:
        parts[place] += 1
    return parts


def _rounded(precise: Context, part: Decimal, whole: Decimal) -> int:
    share = precise.divide(part, whole)
    return int(share.to_integral_value(rounding=ROUND_HALF_EVEN, context=precise))
