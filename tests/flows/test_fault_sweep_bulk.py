"""Each fault once at each endpoint of a night that reads and writes Salesforce by bulk jobs."""

import pytest

from agreement.errors import VendorUnavailable
from benchmarks import sweep
from benchmarks.sweep import BULK_WRITES, LASTING, PASSING, Point, Trouble
from standins.faults import Fault

pytestmark = pytest.mark.slow

START_WRITE = "PATCH /services/data/{v}/jobs/ingest/{job}"
START_READ = "POST /services/data/{v}/jobs/query"
HALF_WAY = Trouble("a job that fails half-way", Fault(rows=3), stops=VendorUnavailable)


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return sweep.watch_undisturbed(tmp_path_factory.mktemp("twin") / "company", is_bulk=True)


@pytest.fixture
def of_jobs(twin):
    """List the endpoints of jobs; the others are met by the sweep of a night without jobs."""
    return {template for template in twin.requests if "/jobs/" in template}


def named(trouble):
    return trouble.name.replace(" ", "-")


def met_by(trouble, templates):
    return [Point(trouble, each) for each in sorted(templates) if trouble.happens_at(each)]


def test_a_night_by_jobs_uses_the_endpoints_that_the_sweep_is_about(of_jobs):
    assert set(BULK_WRITES) < of_jobs
    assert len(of_jobs) == 10


@pytest.mark.parametrize("trouble", PASSING, ids=named)
def test_a_night_gets_over_what_passes_at_each_endpoint_that_reads_jobs(
    tmp_path, twin, of_jobs, trouble
):
    points = met_by(trouble, of_jobs - set(BULK_WRITES))
    if points:
        assert sweep.try_points(tmp_path, points, twin, is_bulk=True) == []


@pytest.mark.parametrize("template", BULK_WRITES)
@pytest.mark.parametrize("trouble", PASSING, ids=named)
def test_a_night_gets_over_what_passes_at_each_endpoint_that_fills_jobs(
    tmp_path, twin, trouble, template
):
    for point in met_by(trouble, [template]):
        assert sweep.try_point(tmp_path, point, twin, is_bulk=True) == []


@pytest.mark.parametrize("trouble", LASTING, ids=lambda each: f"{named(each)}-{each.system}")
def test_what_lasts_at_a_job_stops_the_night_and_the_next_one_finishes_it(
    tmp_path, twin, of_jobs, trouble
):
    wrong = []
    for place, point in enumerate(met_by(trouble, of_jobs)):
        wrong += sweep.try_point(tmp_path / str(place), point, twin, is_bulk=True)
    assert wrong == []


@pytest.mark.parametrize("template", [START_WRITE, START_READ])
def test_a_job_that_fails_half_way_is_finished_by_the_next_night(tmp_path, twin, template):
    assert sweep.try_point(tmp_path, Point(HALF_WAY, template), twin, is_bulk=True) == []
