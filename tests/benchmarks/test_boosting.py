"""Training of the matching model: the same numbers each time, and right ones."""

import numpy as np
import pytest

from benchmarks.boosting import boost


@pytest.fixture
def rows():
    """Give levels of three fields; a pair is a match where the first two are equal."""
    levels = np.random.default_rng(5).integers(0, 4, (3000, 3)).astype(np.int8)
    return levels, levels[:, 0] == levels[:, 1]


def test_training_twice_gives_the_same_numbers(rows):
    levels, is_match = rows
    weight = np.ones(len(levels))
    one, other = (boost(levels, is_match, weight, trees=8).as_data() for _ in range(2))
    assert one == other


def test_trees_learn_what_no_single_field_tells(rows):
    levels, is_match = rows
    trees = boost(levels, is_match, np.ones(len(levels)), trees=60)
    score = trees.score(levels)
    assert score[is_match].min() > score[~is_match].max()


def test_later_trees_improve_on_the_scores_they_start_from(rows):
    levels, is_match = rows
    start = np.where(is_match, -2000, 2000)
    trees = boost(levels, is_match, np.ones(len(levels)), start=start, trees=60)
    assert trees.base == 0
    score = start + trees.score(levels)
    assert score[is_match].mean() > 0 > score[~is_match].mean()
