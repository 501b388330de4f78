"""What pulls cost in requests and memory, at a tenth of the size of `make bench-pull`."""

import pytest

from benchmarks.pull import CHANGED_SHARE, MOST_MIB, MOST_RATIO, faults, is_data, measure

TENTH = 0.1


@pytest.fixture(scope="module", params=["hubspot", "salesforce"])
def measured(request):
    """Measure the three nights of a system once for all tests."""
    return request.param, measure(request.param, TENTH)


@pytest.mark.slow
def test_changes_cost_requests_in_proportion(measured):
    _, figures = measured
    assert figures.second.written >= sum(figures.first.rows.values()) // CHANGED_SHARE * 0.9
    assert figures.ratio <= MOST_RATIO


@pytest.mark.slow
def test_a_quiet_night_costs_at_most_one_request_per_object_and_writes_nothing(measured):
    _, figures = measured
    quiet = sum(count for name, count in figures.quiet.calls.items() if is_data(name))
    assert quiet <= len(figures.quiet.rows)
    assert figures.quiet.written == 0


@pytest.mark.slow
def test_a_first_load_needs_no_more_memory_than_agreed(measured):
    system, figures = measured
    assert figures.first.peak_mib <= MOST_MIB
    assert faults(system, figures) == []
