"""Results per channel from a table of paths with counts: heuristics, Shapley and Markov, exact.

The table has one row per distinct path with its conversions, their value and the journeys that
ended without one. Everything is added up in whole numbers; a share appears as a fraction at the
very end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agreement.policy import AnchorWeights
from transforms.attribution.blocks import Whole
from transforms.attribution.shares import whole_weights

CHANNEL_MODELS = (
    "markov",
    "shapley",
    "first_touch",
    "last_touch",
    "linear",
    "position_based",
)
# Solving with fractions grows fast; from here on floats, which are good to twelve digits.
_EXACT_CHANNELS = 30
_PLACE_WEIGHTS: Mapping[str, tuple[int, int, int, int, int]] = MappingProxyType(
    {
        "first_touch": (1, 0, 0, 0, 0),
        "last_touch": (0, 0, 0, 1, 0),
        "linear": (0, 0, 0, 0, 1),
    }
)
Results = list[Fraction]


@dataclass(frozen=True, slots=True, eq=False)
class CountedPaths:
    """Distinct paths: row `r` is the channels `channel[first[r]:first[r + 1]]`, at least one.

    Channels are numbered from 0 up to `channels`; counts are whole numbers, not negative.
    """

    first: Whole
    channel: Whole
    channels: int
    conversions: NDArray[Any]
    nulls: NDArray[Any]

    @property
    def lengths(self) -> Whole:
        """Give the number of touches of each path."""
        return np.diff(self.first)


def channel_results(
    paths: CountedPaths, amounts: NDArray[Any], model: str, position_based: AnchorWeights
) -> Results:
    """Credit whole amounts per path, such as conversions or value, to channels under one model.

    One exact number per channel, by number. Position based models know first, last and middle; an
    anchor that is a date does not exist in a table of counts.

    Raises:
        ValueError: the model is not one of `CHANNEL_MODELS`.
    """
    if model == "markov":
        return _by_removal(paths, amounts)
    if model == "shapley":
        return _by_distinct_channel(paths, amounts)
    if model not in CHANNEL_MODELS:
        raise ValueError(f"{model!r} is no model of a path table; use {', '.join(CHANNEL_MODELS)}")
    weights = _PLACE_WEIGHTS.get(model) or whole_weights(position_based)
    return _by_place(paths, amounts, weights)


def _by_place(
    paths: CountedPaths, amounts: NDArray[Any], weights: tuple[int, int, int, int, int]
) -> Results:
    """Credit by place: within one length of path every place has one fixed share."""
    first, _, _, last, middle = weights
    credit = [Fraction(0)] * paths.channels
    lengths = paths.lengths
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        channel = paths.channel[paths.first[rows] + np.arange(length)[:, None]]
        place_weights = np.zeros(length, dtype=np.int64)
        held = {0: first, length - 1: last} if length > 1 else {0: first + last}
        anchors = {place: weight for place, weight in held.items() if weight}
        rest = length - len(anchors)
        place_weights[:] = middle
        for place, weight in anchors.items():
            place_weights[place] = weight * (rest if rest and middle else 1)
        sums = _sums_by_channel(channel, amounts[rows], place_weights, paths.channels)
        whole = int(place_weights.sum())
        credit = [has + Fraction(more, whole) for has, more in zip(credit, sums, strict=True)]
    return credit


def _sums_by_channel(
    channel: Whole, amounts: NDArray[Any], place_weights: Whole, channels: int
) -> list[int]:
    """Add up amount times weight of its place, per channel; exact."""
    sums = [0] * channels
    for weight in np.unique(place_weights[place_weights > 0]).tolist():
        places = channel[place_weights == weight]
        of_weight = exact_sums(places.ravel(), np.tile(amounts, len(places)), channels)
        sums = [has + weight * more for has, more in zip(sums, of_weight, strict=True)]
    return sums


def _by_distinct_channel(paths: CountedPaths, amounts: NDArray[Any]) -> Results:
    """Credit the distinct channels of each path equally: the exact Shapley value."""
    path = np.repeat(np.arange(len(paths.lengths)), paths.lengths)
    pairs = np.unique(path * paths.channels + paths.channel)
    path, channel = pairs // paths.channels, pairs % paths.channels
    distinct = np.bincount(path, minlength=len(amounts))
    of_pair = distinct[path]
    credit = [Fraction(0)] * paths.channels
    for count in np.unique(of_pair).tolist():
        chosen = of_pair == count
        sums = exact_sums(channel[chosen], amounts[path[chosen]], paths.channels)
        credit = [has + Fraction(more, count) for has, more in zip(credit, sums, strict=True)]
    return credit


def _by_removal(paths: CountedPaths, amounts: NDArray[Any]) -> Results:
    effects = removal_effects(paths)
    whole = sum(effects)
    total = sum(amounts.tolist())
    return [Fraction(total) * effect / whole if whole else Fraction(0) for effect in effects]


def removal_effects(paths: CountedPaths) -> Results:
    """Give each channel's removal effect in the first-order chain of all paths, by linear algebra.

    1 - p(conversion when visits to the channel end in nothing) / p(conversion): the share of
    conversions whose way leads over the channel. With F = (I - Q)^-1 that is
    F[s, k] / F[k, k] * p[k] / p[s]. All are 0 when nothing converts. Exact up to 30 channels.
    """
    starts, moves, converted = _transitions(paths)
    # Rows of D - T, D the visits to a channel and T the moves on: its inverse is F without the
    # visits, which cancel out. A channel that nobody visited stands alone.
    leaving = [sum(row) + ends for row, ends in zip(moves, _ends(paths), strict=True)]
    system = [
        [(leaving[row] or 1 if row == column else 0) - count for column, count in enumerate(counts)]
        for row, counts in enumerate(moves)
    ]
    inverse = _inverted(system)
    reached = [
        sum(start * row[k] for start, row in zip(starts, inverse, strict=True)) / inverse[k][k]
        for k in range(paths.channels)
    ]
    wins = [sum(x * count for x, count in zip(row, converted, strict=True)) for row in inverse]
    all_wins = sum(start * win for start, win in zip(starts, wins, strict=True))
    if not all_wins:
        return [Fraction(0)] * paths.channels
    return [Fraction(way) * win / all_wins for way, win in zip(reached, wins, strict=True)]


def _transitions(paths: CountedPaths) -> tuple[list[int], list[list[int]], list[int]]:
    """Count journeys that start at each channel, move between two, and convert after one."""
    count = paths.channels
    journeys = paths.conversions + paths.nulls
    starts = exact_sums(paths.channel[paths.first[:-1]], journeys, count)
    is_last = np.zeros(len(paths.channel), dtype=bool)
    is_last[paths.first[1:] - 1] = True
    here = np.flatnonzero(~is_last)
    moves = exact_sums(
        paths.channel[here] * count + paths.channel[here + 1],
        np.repeat(journeys, paths.lengths - 1),
        count * count,
    )
    converted = exact_sums(paths.channel[paths.first[1:] - 1], paths.conversions, count)
    return starts, [moves[row * count : (row + 1) * count] for row in range(count)], converted


def _ends(paths: CountedPaths) -> list[int]:
    journeys = paths.conversions + paths.nulls
    return exact_sums(paths.channel[paths.first[1:] - 1], journeys, paths.channels)


def _inverted(system: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    if len(system) <= _EXACT_CHANNELS:
        return _inverted_exactly(system)
    return [
        [Fraction(float(value)) for value in row]
        for row in np.linalg.inv(np.array(system, dtype=np.float64))
    ]


def _inverted_exactly(system: Sequence[Sequence[int]]) -> list[list[Fraction]]:
    """Invert by Gauss-Jordan without fractions on the way (Bareiss): every division is even."""
    size = len(system)
    rows = [
        [*row, *(int(column == place) for column in range(size))]
        for place, row in enumerate(system)
    ]
    before = 1
    for pivot in range(size):
        swap = next(row for row in range(pivot, size) if rows[row][pivot])
        rows[pivot], rows[swap] = rows[swap], rows[pivot]
        head = rows[pivot]
        for place, row in enumerate(rows):
            if place != pivot:
                factor = row[pivot]
                rows[place] = [
                    (head[pivot] * value - factor * top) // before
                    for value, top in zip(row, head, strict=True)
                ]
        before = head[pivot]
    return [[Fraction(value, row[place]) for value in row[size:]] for place, row in enumerate(rows)]


def exact_sums(group: Whole, amounts: NDArray[Any], count: int) -> list[int]:
    """Add up whole numbers by group, in machine numbers where these are exact."""
    if amounts.dtype != object and np.abs(amounts).astype(np.float64).sum() < 2.0**53:
        sums = np.bincount(group, weights=amounts, minlength=count)
        return [int(total) for total in sums.tolist()]
    exact = np.zeros(count, dtype=object)
    np.add.at(exact, group, amounts.astype(object))
    return [int(total) for total in exact.tolist()]
