"""Units left over after rounding down: one each to the largest remainders."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_INT64_MAX = int(np.iinfo(np.int64).max)


def add_units(
    share: NDArray[Any], remainder: NDArray[np.float64], left: NDArray[Any]
) -> NDArray[Any]:
    """Add one unit to the touches with the largest remainders, the earlier one first on a tie.

    Rows are places on the path, columns deals; `left` says how many units each deal has over.
    """
    smallest = threshold(remainder, left)
    is_above = remainder > smallest
    is_tied = remainder == smallest
    wanted = left - is_above.sum(axis=0)
    raised: NDArray[Any] = share + (is_above | (is_tied & (np.cumsum(is_tied, axis=0) <= wanted)))
    return raised


def threshold(remainder: NDArray[np.float64], left: NDArray[Any]) -> NDArray[np.float64]:
    """Give the smallest remainder of each deal that still gets a unit; infinite when none does."""
    length = len(remainder)
    ordered = np.sort(remainder, axis=0)
    place = np.clip(length - left, 0, length - 1).astype(np.int64)
    found = np.take_along_axis(ordered, place[None], axis=0)[0]
    smallest: NDArray[np.float64] = np.where(left > 0, found, np.inf)
    return smallest


def signed(sizes: NDArray[Any], amounts: NDArray[Any]) -> NDArray[Any]:
    """Mirror the split of negative amounts."""
    is_negative = amounts < 0
    return np.where(is_negative, -sizes, sizes) if is_negative.any() else sizes


def is_safe_product(one: int, other: int) -> bool:
    """Tell whether the product of two whole numbers fits in 64 bits."""
    return one * other <= _INT64_MAX
