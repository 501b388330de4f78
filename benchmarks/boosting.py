"""Boost trees that ask one question per depth (oblivious trees), for `train_matching`.

A page of numpy instead of a library: the trees come out as the small whole numbers that matching
reads, and training is the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.matching.model import UNIT, Trees


def boost(
    rows: NDArray[np.int8],
    is_match: NDArray[np.bool_],
    weight: NDArray[np.float64],
    *,
    start: NDArray[np.int64] | None = None,
    trees: int = 160,
    depth: int = 6,
    rate: float = 0.15,
    smooth: float = 30.0,
    seed: int = 1,
) -> Trees:
    """Fit trees to weighted rows by second-order boosting of the logistic loss.

    `start` are scores to improve on, in thousandths; without it all rows start at the mean.
    `weight` adds up to about the number of rows that count.
    """
    rng = np.random.default_rng(seed)
    mean = np.average(is_match, weights=weight)
    base = 0 if start is not None else round(float(UNIT * np.log(mean / (1 - mean))))
    score = (np.full(len(rows), base) if start is None else start) / UNIT
    columns = np.ascontiguousarray(rows.T)
    sizes = columns.max(axis=1).astype(int) + 1
    found: list[tuple[list[tuple[int, int, int]], NDArray[np.int64]]] = []
    for _ in range(trees):
        share = 1 / (1 + np.exp(-score))
        used = np.flatnonzero(rng.random(len(rows)) < 0.4)
        slope = (weight * (is_match - share))[used]
        curve = (weight * share * (1 - share))[used]
        part = np.ascontiguousarray(columns[:, used])
        questions = _questions(part, sizes, slope, curve, depth, smooth)
        leaf = _leaves(part, questions)
        up = np.bincount(leaf, slope, minlength=1 << depth)
        down = np.bincount(leaf, curve, minlength=1 << depth)
        value = np.rint(UNIT * rate * up / (down + smooth)).astype(np.int64)
        found.append((questions, value))
        score = score + value[_leaves(columns, questions)] / UNIT
    table = np.array([questions for questions, _ in found], dtype=np.int64)
    return Trees(base, table[:, :, 0], table[:, :, 1], table[:, :, 2] == 1,
                 np.array([value for _, value in found]))  # fmt: skip


def _questions(
    columns: NDArray[np.int8], sizes: NDArray[np.int64], slope: NDArray[np.float64],
    curve: NDArray[np.float64], depth: int, smooth: float,
) -> list[tuple[int, int, int]]:  # fmt: skip
    """Choose, depth by depth, the question that gains most over all leaves together."""
    leaf = np.zeros(columns.shape[1], dtype=np.int64)
    chosen: list[tuple[int, int, int]] = []
    for step in range(depth):
        best, question = -1.0, (0, 0, 0)
        for field, size in enumerate(sizes):
            at = leaf * size + columns[field]
            up = np.bincount(at, slope, minlength=(1 << step) * size).reshape(-1, size)
            down = np.bincount(at, curve, minlength=(1 << step) * size).reshape(-1, size)
            for is_equal, (yes_up, yes_down) in enumerate(
                ((up.cumsum(axis=1), down.cumsum(axis=1)), (up, down))
            ):
                no_up, no_down = (
                    up.sum(1, keepdims=True) - yes_up,
                    down.sum(1, keepdims=True) - yes_down,
                )
                gain = (yes_up**2 / (yes_down + smooth) + no_up**2 / (no_down + smooth)).sum(axis=0)
                level = int(np.argmax(gain))
                if gain[level] > best + 1e-9:
                    best, question = float(gain[level]), (field, level, is_equal)
        chosen.append(question)
        leaf |= _answer(columns, question).astype(np.int64) << step
    return chosen


def _answer(columns: NDArray[np.int8], question: tuple[int, int, int]) -> NDArray[np.bool_]:
    field, level, is_equal = question
    return columns[field] == level if is_equal else columns[field] <= level


def _leaves(columns: NDArray[np.int8], questions: list[tuple[int, int, int]]) -> NDArray[np.int64]:
    leaf = np.zeros(columns.shape[1], dtype=np.int64)
    for depth, question in enumerate(questions):
        leaf |= _answer(columns, question).astype(np.int64) << depth
    return leaf
