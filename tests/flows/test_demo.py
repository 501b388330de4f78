"""The whole night on the seeded company, held against the company's own truth."""

import pytest

from flows.demo import demo


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return demo(people=2000, seed=7, out=tmp_path_factory.mktemp("demo"), say=lambda _: None)


def test_almost_no_link_is_wrong(result):
    links = result["links"]
    assert links["true"] > 500
    assert links["false"] <= 0.005 * (links["true"] + links["false"])
    assert links["missed"] > 0, "a world in which e-mail finds everybody proves nothing"


def test_every_handoff_of_a_linked_person_stands_as_the_truth_says(result):
    assert result["truth"]["handoffs"] == {
        name: result["handoffs"][name] for name in ("on_time", "late", "waiting")
    }
    assert min(result["truth"]["handoffs"].values()) > 0


def test_booked_is_credited_and_both_are_the_truth(result):
    assert result["booked_minor"] == result["credited_minor"] == result["truth"]["booked_minor"]
    assert result["credit_by_team_minor"]["unknown"] > 0


def test_the_pool_is_paid_out_to_the_unit(result):
    assert result["pool_minor"] == result["rewards_minor"] > 0


def test_a_second_night_at_the_same_moment_writes_nothing(result):
    assert result["second_night_writes"] == 0


@pytest.mark.parametrize("system", ["hubspot", "salesforce"])
def test_the_first_night_spends_little_more_than_the_fewest_calls(result, system):
    calls, floor = result["api_calls"][system], result["api_floor"][system]
    assert calls <= 1.2 * floor, f"{calls} calls, floor {floor}"


def test_the_bridge_adds_up(result):
    classes = {"linked", "excluded", "rejected", "waiting for review", "missing"}
    assert set(result["bridge"]) <= classes
    assert result["bridge"]["linked"] > 0
    assert result["bridge"]["missing"] > 0


def test_both_systems_are_written(result):
    assert result["written"]["hubspot"]["contact"] > 0
    assert result["written"]["hubspot"]["deal"] > 0
    assert result["written"]["salesforce"]["lead"] > 0
    assert result["written"]["salesforce"]["opportunity"] > 0
    assert result["refused"] == 0
