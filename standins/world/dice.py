"""Seeded choices, each one call, so that the story around them stays readable."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """A seeded source of chance: the same seed and order of questions, the same answers."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def share(self) -> float:
        """Give a number from 0 up to, not including, 1."""
        return float(self._generator.random())

    def chance(self, probability: float) -> bool:
        """Say yes with this probability."""
        return self.share() < probability

    def whole(self, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`, both inside."""
        return low + int(self.share() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """Choose one, each as likely."""
        return options[int(self.share() * len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """Choose up to `count` different ones, in a random order."""
        left = list(options)
        return [left.pop(int(self.share() * len(left))) for _ in range(min(count, len(left)))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        """Choose a key by its weight; weights need not add up to 1."""
        options = list(weights)
        reached = list(accumulate(weights.values()))
        drawn = self.share() * reached[-1]
        return next(option for option, end in zip(options, reached, strict=True) if drawn < end)

    def lognormal(self, median: float, spread: float) -> float:
        """Give a positive number, half of them under `median`."""
        return float(median * np.exp(spread * self._generator.standard_normal()))

    def between(self, low: datetime, high: datetime) -> datetime:
        """Give an instant on a whole second from `low` to `high`; `low` when there is no room."""
        seconds = int((high - low).total_seconds())
        return (low + timedelta(seconds=self.whole(0, max(0, seconds)))).replace(microsecond=0)

    def after(self, start: datetime, low: timedelta, high: timedelta) -> datetime:
        """Give an instant from `low` to `high` after `start`."""
        return self.between(start + low, start + high)
