"""The trained model: trees over levels of agreement, all numbers, read from a versioned file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transforms.matching.words import Words

Scores = NDArray[np.int64]

# Scores are whole thousandths of a unit of log odds, so that sums are exact in any order.
UNIT = 1000
_ROWS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Trees:
    """Trees that ask the same question of every row at each depth, so that a leaf is a number.

    Question `[tree, depth]` is whether a row's `field` is at most `level`, or equal to it where
    `is_equal`. `value[tree, leaf]` are thousandths of log odds; a row's score is `base` and the
    sum of its leaves.
    """

    base: int
    field: NDArray[np.int64]
    level: NDArray[np.int64]
    is_equal: NDArray[np.bool_]
    value: Scores

    def score(self, rows: NDArray[np.int8]) -> Scores:
        """Give each row's log odds in thousandths."""
        total = np.full(len(rows), self.base, dtype=np.int64)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            piece = slice(start, start + _ROWS_AT_ONCE)
            columns = np.ascontiguousarray(rows[piece].T)
            for tree in range(len(self.field)):
                total[piece] += self.value[tree][self._leaf(columns, tree)]
        return total

    def _leaf(self, columns: NDArray[np.int8], tree: int) -> NDArray[np.uint8]:
        leaf = np.zeros(columns.shape[1], dtype=np.uint8)
        for depth in range(self.field.shape[1]):
            column, level = columns[self.field[tree, depth]], self.level[tree, depth]
            answer = column == level if self.is_equal[tree, depth] else column <= level
            leaf |= answer.view(np.uint8) << np.uint8(depth)
        return leaf

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Trees:
        """Read what `as_data` wrote."""
        questions = np.array(data["questions"], dtype=np.int64)
        return cls(
            base=int(data["base"]),
            field=questions[:, :, 0],
            level=questions[:, :, 1],
            is_equal=questions[:, :, 2] == 1,
            value=np.array(data["values"], dtype=np.int64),
        )

    def as_data(self) -> dict[str, Any]:
        """Give plain numbers for a file."""
        questions = np.stack([self.field, self.level, self.is_equal.astype(np.int64)], axis=2)
        return {
            "base": self.base,
            "questions": questions.tolist(),
            "values": self.value.tolist(),
        }


@dataclass(frozen=True)
class MatchModel:
    """Everything that matching knows beforehand; a night never changes it.

    `pair` scores two records of different systems, `inside` two of one system; `kin` corrects
    `inside` by the partners that both have, `context` corrects `pair` by the rivals. `scores` and
    `shares` are points of the curve from a chosen pair's score to the share of such pairs that were
    right. A pair is linked at `link_share`, one with more evidence at `sure_share`, and shown for
    review at `review_share`; records of one system are one person's at `duplicate_score`. `digest`
    is a hash of the files it was read from.
    """

    version: int
    digest: str
    words: Words
    pair: Trees
    inside: Trees
    kin: Trees
    context: Trees
    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    link_share: float
    sure_share: float
    review_share: float
    duplicate_score: int

    def probability(self, score: Scores) -> NDArray[np.float64]:
        """Give the share of right pairs among chosen ones of this score, six digits."""
        return np.round(np.interp(score, self.scores, self.shares), 6)

    @classmethod
    def parse(cls, model_text: str, words_text: str) -> MatchModel:
        """Read the two shipped files' texts."""
        data = json.loads(model_text)
        return cls(
            version=int(data["version"]),
            digest=sha256(f"{model_text}{words_text}".encode()).hexdigest(),
            words=Words.parse(words_text),
            pair=Trees.parse(data["pair"]),
            inside=Trees.parse(data["inside"]),
            kin=Trees.parse(data["kin"]),
            context=Trees.parse(data["context"]),
            scores=np.array(data["calibration"]["scores"], dtype=np.float64),
            shares=np.array(data["calibration"]["shares"], dtype=np.float64),
            link_share=float(data["link_share"]),
            sure_share=float(data["sure_share"]),
            review_share=float(data["review_share"]),
            duplicate_score=int(data["duplicate_score"]),
        )
