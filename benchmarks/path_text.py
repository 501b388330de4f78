"""Paths written as text, such as `mail > call > form`, turned into numbers at little cost.

Splitting text into lists of strings copies every byte of it. Here Arrow is told instead where in
the text, as it lies there, each touch begins, and numbers what it finds. A touch is then spelled
in up to four ways, with or without a separator's half before and behind it, and these tell where
a path begins.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# A separator " > " is cut before its mark: the blank belongs to the touch that it ends.
_MARK, _BEFORE, _BEHIND = ord(">"), "> ", " "
# The text of so many paths, of ten words or so, stays in the processor's cache.
_PATHS_PER_PIECE = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class NumberedPaths:
    """Path `r` is the channels `channel[first[r]:first[r + 1]]`, numbers into `names`.

    The numbers are no larger than they need be: what is written to memory costs as much as the
    arithmetic.
    """

    first: NDArray[np.int64]
    channel: NDArray[np.unsignedinteger]
    names: list[str]


def numbered(paths: pa.StringArray) -> NumberedPaths:
    """Number the channels of paths by first appearance.

    Raises:
        ValueError: a path is missing or empty, or a mark in it is no separator for certain: a name
            holds `>`, or the last one ends in a blank.
    """
    if paths.null_count:
        raise ValueError("a path is missing or empty")
    numbers: dict[str, int] = {}
    first, channels = np.zeros(len(paths) + 1, np.int64), [np.zeros(0, np.uint8)]
    for start in range(0, len(paths), _PATHS_PER_PIECE):
        piece = paths.slice(start, _PATHS_PER_PIECE)
        begins, channel = _numbered(piece, numbers)
        np.add(begins, first[start], out=first[start : start + len(piece)])
        first[start + len(piece)] = first[start] + len(channel)
        channels.append(channel)
    return NumberedPaths(first, np.concatenate(channels), list(numbers))


def _numbered(
    paths: pa.StringArray, numbers: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.unsignedinteger]]:
    """Give where each path begins, and the number of each touch's channel; new names are added."""
    touches = pc.dictionary_encode(_cut(paths))
    # The processor's own integers make the look-ups below several times as fast.
    spelling, ways = touches.indices.to_numpy().astype(np.intp), touches.dictionary.to_pylist()
    rests = [way.removeprefix(_BEFORE) for way in ways]
    # By bits: the half of a separator before a touch, and the one behind it.
    halves = [
        (rest != way) + 2 * rest.endswith(_BEHIND) for way, rest in zip(ways, rests, strict=True)
    ]
    found = np.array(halves, np.uint8)[spelling]
    is_further, has_more = found & 1, found >> 1
    first = np.flatnonzero(is_further == 0)
    if len(first) != len(paths) or has_more[-1] or (has_more[:-1] != is_further[1:]).any():
        raise ValueError("a mark in a path is no separator for certain")
    names = [rest.removesuffix(_BEHIND) for rest in rests]
    number = [numbers.setdefault(name, len(numbers)) for name in names]
    return first, np.array(number, np.min_scalar_type(len(numbers)))[spelling]


def _cut(paths: pa.StringArray) -> pa.StringArray:
    """Cut the text of paths at the begin of each path and before every mark, copying nothing."""
    _, offsets, text = paths.buffers()
    begins = np.frombuffer(offsets, np.int32)[paths.offset : paths.offset + len(paths) + 1]
    if (begins[1:] == begins[:-1]).any():
        raise ValueError("a path is missing or empty")
    here = text.slice(int(begins[0]), int(begins[-1] - begins[0]))
    is_cut = np.empty(len(here) + 1, dtype=bool)
    np.equal(np.frombuffer(here, np.uint8), _MARK, out=is_cut[:-1])
    is_cut[begins - begins[0]] = True
    cuts = np.flatnonzero(is_cut).astype(np.int32)
    return pa.StringArray.from_buffers(len(cuts) - 1, pa.py_buffer(cuts), here)
