"""Each fault once at each endpoint that a small night uses, before and after the deed."""

import pytest

from agreement.errors import VendorUnavailable
from benchmarks import sweep
from benchmarks.sweep import CHECKS, LASTING, PASSING, WRITES, Point, Trouble
from standins.faults import Fault

pytestmark = pytest.mark.slow

# The answers to one kind of writes are all lost after the deed, until the night gives up.
LOST = Trouble("lost answers", Fault(503, is_after=True), times=1000, stops=VendorUnavailable)

READ_BACK = dict(zip(WRITES, CHECKS, strict=True))


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return sweep.watch_undisturbed(tmp_path_factory.mktemp("twin") / "company")


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    with sweep.serve_twins(tmp_path_factory.mktemp("twins")) as served:
        yield served


@pytest.fixture(scope="module")
def later(twins):
    """List the endpoints of a later night, which reads what changed."""
    return set(twins.requests_of_a_day())


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
def test_a_later_night_gets_over_what_passes_at_each_endpoint(twins, later, trouble):
    assert "POST /crm/v3/objects/{type}/search" in later
    points = [each for each in met_by(trouble, later) if not trouble.stops_at(each.template)]
    assert twins.try_day(points) == []


@pytest.mark.parametrize("template", WRITES)
@pytest.mark.parametrize("trouble", [PASSING[0], PASSING[2], PASSING[-2]], ids=named)
def test_lost_answers_are_settled_by_a_night_that_meets_a_fault_too(twins, template, trouble):
    points = met_by(trouble, [READ_BACK[template]])
    assert twins.try_day(points, lost=Point(LOST, template)) == []


REFUSED = (
    (WRITES[0], "VALIDATION_ERROR"),
    (WRITES[1], "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
)


@pytest.mark.parametrize(("template", "code"), REFUSED)
def test_a_refused_row_stops_nothing_else_and_is_not_sent_again(tmp_path, twin, template, code):
    with sweep.serve_company(tmp_path) as company:
        company.faults.plan(Fault(rows=1, code=code), template=template)
        ending = company.night()
        assert ending.error is None
        assert ending.summary["refused"] == 1
        values = company.our_values()
        (wrong,) = [key for key, fields in twin.values.items() if values[key] != fields]
        assert wrong[0] == sweep.system_of(template)

        company.hubspot.log.clear()
        company.salesforce.log.clear()
        again = company.night()
        assert again.summary["written"] == {"hubspot": {}, "salesforce": {}}
        assert not set(company.requests()) & set(WRITES)
        assert company.our_values() == values


def test_a_row_that_stays_locked_all_night_is_written_by_the_next(tmp_path, twin):
    points = [Point(Trouble("a lock", Fault(rows=1), times=4), WRITES[1])]
    with sweep.serve_company(tmp_path) as company:
        assert list(sweep.meet(company, points)) == []
        assert company.our_values() != twin.values
        assert company.night().error is None
        assert list(sweep.differences(company, points, twin)) == []


def test_a_change_that_the_index_shows_late_is_read_by_the_next_night(twins):
    hubspot = twins.troubled.hubspot
    hubspot.index_lag = 10 * 60 * 1000
    twins.try_day(())
    assert twins.troubled.our_values() != twins.quiet.our_values()
    hubspot.index_lag = 0
    twins.try_day(())
    assert twins.troubled.our_values() == twins.quiet.our_values()
