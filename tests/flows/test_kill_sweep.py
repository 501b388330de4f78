"""kill -9 in the middle of a writing night: the next run ends where an undisturbed one does.

Every distinct kind of commit and request, before and after; a hundred further points by lot are
tried in `test_kill_sweep_further.py`, and every one by `make sweep`. The state that counts is every
record of both vendors and what our database knows: links, agreed values, conflicts, postings,
messages, and each write that arrived, as often as it arrived; so nothing is lost, and nothing is
created or posted twice.
"""

import pytest

from benchmarks import kills

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def theatre():
    with kills.serve_theatre() as served:
        yield served


def test_the_night_that_dies_has_every_kind_of_commit_and_writes_to_both_vendors(theatre):
    commits = {kind for what, kind in theatre.counts if what == "commit"}
    assert {"save_pull", "save_plan", "save_bases", "mark_sent", "settle", "post"} < commits
    requests = {kind for what, kind in theatre.counts if what == "request"}
    assert {
        "POST /crm/v3/objects/{type}/batch/update",
        "PATCH /services/data/{v}/composite/sobjects",
    } < requests


def test_a_night_killed_at_any_kind_of_point_is_finished_by_the_next(theatre):
    kinds = kills.distinct(kills.both_sides(theatre.counts))
    assert len(kinds) > 50
    assert [wrong for moment in kinds for wrong in theatre.try_moment(moment)] == []
