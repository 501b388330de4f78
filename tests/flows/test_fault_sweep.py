"""Each fault once at each endpoint that a small night uses, before and after the deed."""

from dataclasses import replace

import pytest

from agreement.errors import VendorUnavailable
from benchmarks import sweep
from benchmarks.sweep import LASTING, PASSING, WRITES, Point, Trouble
from standins.faults import Fault

pytestmark = pytest.mark.slow

# The answers to one kind of writes are all lost after the deed, until the night gives up.
LOST = Trouble("lost answers", Fault(503, is_after=True), times=1000, stops=VendorUnavailable)

LOCKED = Fault(code="UNABLE_TO_LOCK_ROW", rows=1)


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return sweep.watch_undisturbed(tmp_path_factory.mktemp("twin") / "company")


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    with sweep.serve_twins(tmp_path_factory.mktemp("twins")) as served:
        yield served


def met_by(trouble, templates):
    return [Point(trouble, each) for each in sorted(templates) if trouble.happens_at(each)]


def named(trouble):
    return trouble.name.replace(" ", "-")


def test_a_first_night_uses_the_endpoints_that_the_sweep_is_about(twin):
    assert set(WRITES) < set(twin.requests)
    assert len(twin.requests) >= 12
    assert not [template for template in twin.requests if sweep.is_creation(template)]


@pytest.mark.parametrize("trouble", PASSING, ids=named)
def test_a_first_night_gets_over_what_passes_at_each_read(tmp_path, twin, trouble):
    points = met_by(trouble, set(twin.requests) - set(WRITES))
    stopping = [point for point in points if point.trouble.stops_at(point.template)]
    together = [point for point in points if point not in stopping]
    if together:
        assert sweep.try_points(tmp_path / "all", together, twin) == []
    for place, point in enumerate(stopping):
        assert sweep.try_point(tmp_path / str(place), point, twin) == []


@pytest.mark.parametrize("template", WRITES)
@pytest.mark.parametrize("trouble", PASSING, ids=named)
def test_a_first_night_gets_over_what_passes_at_each_write(tmp_path, twin, trouble, template):
    for point in met_by(trouble, [template]):
        assert sweep.try_point(tmp_path / "company", point, twin) == []


@pytest.mark.parametrize("trouble", LASTING, ids=lambda each: f"{named(each)}-{each.system}")
def test_what_lasts_stops_the_night_and_the_next_one_finishes_it(tmp_path, twin, trouble):
    wrong = []
    for place, point in enumerate(met_by(trouble, twin.requests)):
        wrong += sweep.try_point(tmp_path / str(place), point, twin)
    assert wrong == []


@pytest.mark.parametrize("trouble", PASSING, ids=named)
def test_a_later_night_gets_over_what_passes_at_each_endpoint(twins, trouble):
    points = [
        point
        for point in met_by(trouble, twins.requests_of_a_day())
        if not trouble.stops_at(point.template)
    ]
    assert twins.try_day(points) == []


@pytest.mark.parametrize("template", WRITES)
@pytest.mark.parametrize("trouble", [PASSING[0], PASSING[2], PASSING[-2]], ids=named)
def test_lost_answers_are_settled_by_a_night_that_meets_a_fault_too(twins, template, trouble):
    reads = {template: read for template, read in zip(WRITES, READS_BACK, strict=True)}
    points = met_by(trouble, [reads[template]])
    assert twins.try_day(points, lost=Point(LOST, template)) == []


READS_BACK = (
    "POST /crm/v3/objects/{type}/batch/read",
    "POST /services/data/{v}/composite/sobjects/{sobject}",
)
