"""Every clock of a seeded company against its truth, through both stand-ins over HTTP."""

import pytest

from benchmarks.handoffs import Compared, compare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compared() -> Compared:
    return compare(people=2500, seed=11)


def test_lags_answers_statuses_and_causes_equal_the_truth_for_every_handoff(compared):
    assert compared.count > 1000
    assert compared.wrong == {}


def test_the_company_is_hard_enough_to_prove_something(compared):
    assert compared.statuses.keys() == {"on_time", "late", "waiting", "relieved"}
    assert len(compared.causes) == 11
    assert min(compared.causes.values()) >= 3
