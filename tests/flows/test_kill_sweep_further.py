"""kill -9 at a hundred points of a writing night, drawn by lot beyond the first of each kind.

In a file of its own, so that two processes share the minutes that both kill tests take.
"""

import pytest

from benchmarks import kills

pytestmark = pytest.mark.slow

SEED, FURTHER = 20261101, 100


def test_a_night_killed_at_a_hundred_points_by_lot_is_finished_by_the_next():
    with kills.serve_theatre() as theatre:
        chosen = kills.seeded(kills.both_sides(theatre.counts), FURTHER, SEED)
        assert len(chosen) == FURTHER
        assert [wrong for moment in chosen for wrong in theatre.try_moment(moment)] == []
