"""Results per channel from a table of paths with counts: heuristics, Shapley and Markov, exact.

The table has one row per distinct path with its conversions, their value and the journeys that
ended without one. Everything is added up in whole numbers; a share appears as a fraction at the
very end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
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
_PATHS_PER_PIECE = 1 << 14
Results = list[Fraction]


@dataclass(frozen=True, slots=True, eq=False)
class CountedPaths:
    """Distinct paths: row `r` is the channels `channel[first[r]:first[r + 1]]`, at least one.

    Channels are numbered from 0 up to `channels`, in integers of any size; counts are whole
    numbers, not negative.
    """

    first: Whole
    channel: NDArray[Any]
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
    if model == "first_touch":
        return _whole(exact_sums(paths.channel[paths.first[:-1]], amounts, paths.channels))
    if model == "last_touch":
        return _whole(exact_sums(paths.channel[paths.first[1:] - 1], amounts, paths.channels))
    if model == "linear":
        return _equally(paths, amounts)
    if model == "position_based":
        return _by_place(paths, amounts, whole_weights(position_based))
    raise ValueError(f"{model!r} is no model of a path table; use {', '.join(CHANNEL_MODELS)}")


def _whole(sums: Sequence[int]) -> Results:
    return [Fraction(total) for total in sums]


def _equally(paths: CountedPaths, amounts: NDArray[Any]) -> Results:
    """Credit every touch of a path alike: one sum per channel and length of path."""
    lengths, number = np.unique(paths.lengths, return_inverse=True)
    sums = [0] * (len(lengths) * paths.channels)
    for piece in _pieces(paths):
        base = np.repeat(number[piece.rows] * paths.channels, piece.lengths)
        spread = np.repeat(amounts[piece.rows], piece.lengths)
        sums = _added(sums, exact_sums(base + piece.channel, spread, len(sums)))
    credit = [Fraction(0)] * paths.channels
    for place, length in enumerate(lengths.tolist()):
        of_length = sums[place * paths.channels : (place + 1) * paths.channels]
        credit = _plus(credit, of_length, Fraction(1, length))
    return credit


def _added(sums: Sequence[int], more: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(sums, more, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Some paths in a row with their touches: what fits in the processor's cache."""

    rows: slice
    first: Whole
    channel: NDArray[Any]

    @property
    def lengths(self) -> Whole:
        """Give the number of touches of each path."""
        return np.diff(self.first)


def _pieces(paths: CountedPaths) -> Iterator[_Piece]:
    for start in range(0, len(paths.first) - 1, _PATHS_PER_PIECE):
        first = paths.first[start : start + _PATHS_PER_PIECE + 1]
        rows = slice(start, start + len(first) - 1)
        yield _Piece(rows, first - first[0], paths.channel[first[0] : first[-1]])


def _by_place(
    paths: CountedPaths, amounts: NDArray[Any], weights: tuple[int, int, int, int, int]
) -> Results:
    """Credit by place: within one length of path every place has one fixed share."""
    credit = [Fraction(0)] * paths.channels
    lengths = paths.lengths
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        by_place = _place_weights(length, weights)
        whole = int(by_place.sum())
        for weight in np.unique(by_place[by_place > 0]).tolist():
            places = np.flatnonzero(by_place == weight)
            channel = paths.channel[paths.first[rows] + places[:, None]]
            sums = exact_sums(channel, amounts[rows], paths.channels)
            credit = _plus(credit, sums, Fraction(weight, whole))
    return credit


def _place_weights(length: int, weights: tuple[int, int, int, int, int]) -> Whole:
    """Give each place of a path its weight: anchors their own, the others equal parts."""
    first, _, _, last, middle = weights
    held = {0: first, length - 1: last} if length > 1 else {0: first + last}
    anchors = {place: weight for place, weight in held.items() if weight}
    rest = length - len(anchors)
    by_place = np.full(length, middle, dtype=np.int64)
    for place, weight in anchors.items():
        by_place[place] = weight * (rest if rest and middle else 1)
    return by_place


def _by_distinct_channel(paths: CountedPaths, amounts: NDArray[Any]) -> Results:
    """Credit the distinct channels of each path equally: the exact Shapley value."""
    credit = [Fraction(0)] * paths.channels
    lengths = paths.lengths
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        channel = paths.channel[paths.first[rows] + np.arange(length)[:, None]]
        is_first = np.ones(channel.shape, dtype=bool)
        for place in range(1, length):
            is_first[place] = (channel[:place] != channel[place]).all(axis=0)
        distinct = is_first.sum(axis=0)
        for count in np.unique(distinct).tolist():
            chosen = distinct == count
            sums = exact_sums(
                channel[:, chosen], amounts[rows[chosen]], paths.channels, is_first[:, chosen]
            )
            credit = _plus(credit, sums, Fraction(1, count))
    return credit


def _plus(credit: Results, sums: Sequence[int], share: Fraction) -> Results:
    return [has + share * more for has, more in zip(credit, sums, strict=True)]


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
    starts, moves, ends, converted = _transitions(paths)
    # Rows of D - T, D the visits to a channel and T the moves on: its inverse is F without the
    # visits, which cancel out. A channel that nobody visited stands alone.
    leaving = [sum(row) + ended for row, ended in zip(moves, ends, strict=True)]
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


def _transitions(
    paths: CountedPaths,
) -> tuple[list[int], list[list[int]], list[int], list[int]]:
    """Count journeys that start at each channel, move between two, end after one, convert there."""
    count = paths.channels
    starts, ends, converted, moves = [0] * count, [0] * count, [0] * count, [0] * count**2
    for piece in _pieces(paths):
        conversions = paths.conversions[piece.rows]
        journeys = conversions + paths.nulls[piece.rows]
        first, last = piece.channel[piece.first[:-1]], piece.channel[piece.first[1:] - 1]
        starts = _added(starts, exact_sums(first, journeys, count))
        ends = _added(ends, exact_sums(last, journeys, count))
        converted = _added(converted, exact_sums(last, conversions, count))
        moves = _added(moves, _moves(piece, journeys, count))
    square = [moves[row * count : (row + 1) * count] for row in range(count)]
    return starts, square, ends, converted


def _moves(piece: _Piece, journeys: NDArray[Any], count: int) -> list[int]:
    """Count the moves from each channel to each, row by row of the square.

    Each touch is paired with the next one. The last of a path has none, whatever follows it there:
    its pair is weighed with nothing, or, where all paths were taken equally often and pairs need
    only be counted, counted and taken out again.
    """
    # In numbers no larger than they need be, arithmetic takes a fraction of the time.
    channel = piece.channel.astype(np.min_scalar_type(count**2))
    pairs = channel[:-1] * channel.dtype.type(count) + channel[1:]
    crossing = piece.first[1:-1] - 1
    if _are_alike(journeys):
        alike = journeys[:1]
        every = exact_sums(pairs, alike, count**2)
        return _added(every, exact_sums(pairs[crossing], -alike, count**2))
    weight = np.repeat(journeys, piece.lengths)[:-1]
    weight[crossing] = 0
    return exact_sums(pairs, weight, count**2)


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


def exact_sums(
    group: Whole, amounts: NDArray[Any], count: int, chosen: NDArray[np.bool_] | None = None
) -> list[int]:
    """Add up whole numbers by group, in machine numbers where these are exact.

    `group` may have several rows, which share the amounts; `chosen` says which of its places count.
    """
    if _are_alike(amounts):
        of_group = np.bincount(
            (group if chosen is None else group[chosen]).ravel(), minlength=count
        )
        return [int(amounts[0]) * number for number in of_group.tolist()]
    largest = np.abs(amounts).max(initial=0)
    is_exact = amounts.dtype != object and float(largest) * group.size < 2.0**53
    spread = np.broadcast_to(amounts.astype(np.float64 if is_exact else object), group.shape)
    if chosen is not None:
        group, spread = group[chosen], spread[chosen]
    if is_exact:
        sums = np.bincount(group.ravel(), weights=spread.ravel(), minlength=count)
        return [int(total) for total in sums.tolist()]
    exact = np.zeros(count, dtype=object)
    np.add.at(exact, group.ravel(), spread.ravel())
    return [int(total) for total in exact.tolist()]


def _are_alike(amounts: NDArray[Any]) -> bool:
    """Tell whether there is one amount only, so that counting is enough."""
    return len(amounts) > 0 and bool((amounts == amounts[0]).all())
