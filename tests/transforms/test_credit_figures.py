"""Both horizons, how long deals took, what channels brought and cost, and pairs of channels."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from agreement import frames
from agreement.policy import Synergy, TeamCost
from tests import builders
from transforms import attribution
from transforms.campaigns import campaign_costs, channel_results
from transforms.horizons import horizons
from transforms.synergy import synergies
from transforms.velocity import velocity

NOW = datetime(2026, 11, 17, 14, 15, tzinfo=UTC)
CALENDAR = builders.AGREEMENT.calendar
SPANS = horizons(NOW, CALENDAR)
TEAMS = {"form": "marketing", "campaign": "marketing", "call": "sales"}


def path(deal_id: str, *touches: tuple) -> list[dict]:
    """Touches as (channel, day) or (channel, day, campaign)."""
    return [
        {"deal_id": deal_id, "touch_id": f"{deal_id}{place}", "person_id": "ann",
         "touched_at": f"{day}T10:00Z", "channel": channel, "team": TEAMS[channel],
         "campaign_id": campaign[0] if campaign else None}
        for place, (channel, day, *campaign) in enumerate(touches)
    ]  # fmt: skip


def paths(*rows: list[dict]):
    return builders.build(frames.PathTouches, [row for rows_ in rows for row in rows_])


def won(deal_id: str, closed_on: str, amount: int = 100, **changes) -> dict:
    closed_at = f"{closed_on}T20:00Z"
    return {
        "deal_id": deal_id,
        "record_id": f"006{deal_id}",
        "closed_on": closed_on,
        "closed_at": closed_at,
        "credited_at": closed_at,
        "amount_minor": amount,
        "company_minor": amount,
        **changes,
    }


# Horizons ----------------------------------------------------------------------------------------


def test_the_horizons_are_this_quarter_and_it_with_the_three_before():
    assert [(span.name, span.first, span.last) for span in SPANS] == [
        ("quarter", date(2026, 10, 1), date(2026, 12, 31)),
        ("year", date(2026, 1, 1), date(2026, 12, 31)),
    ]
    assert SPANS[1].quarters == ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")


def test_quarters_are_fiscal_in_the_companys_zone_also_where_rewards_are_monthly():
    calendar = CALENDAR.model_copy(update={"fiscal_year_start": 4, "period": "month"})
    new_years_eve_in_new_york = datetime(2027, 1, 1, 3, tzinfo=UTC)
    quarter, year = horizons(new_years_eve_in_new_york, calendar)
    assert (quarter.quarters, quarter.last) == (("2027-Q3",), date(2026, 12, 31))
    assert (year.first, year.quarters[0]) == (date(2026, 1, 1), "2026-Q4")


# Velocity ----------------------------------------------------------------------------------------


def test_velocity_tells_the_steps_of_won_deals_by_type_of_path():
    rows = paths(
        path("a", ("form", "2026-10-01"), ("call", "2026-10-05")),
        path("b", ("call", "2026-03-01"), ("form", "2026-03-02")),
        path("c", ("form", "2026-09-01")),
    )
    deals = builders.deals(
        won("a", "2026-10-31", lead_created_at="2026-10-03T10:00Z", created_at="2026-10-11T10:00Z"),
        won("b", "2026-03-31"),
        won("c", "2026-10-01"),
        won("n", "2026-10-02"),
        {**won("lost", "2026-10-02"), "state": "lost"},
    )
    found = velocity(rows, deals, SPANS).set_index(["horizon", "path_type"])
    assert found["deal_count"].to_dict() == {
        ("quarter", "marketing_first"): 1,
        ("quarter", "marketing_only"): 1,
        ("quarter", "no_touch"): 1,
        ("year", "marketing_first"): 1,
        ("year", "marketing_only"): 1,
        ("year", "no_touch"): 1,
        ("year", "sales_first"): 1,
    }
    steps = found.loc[("quarter", "marketing_first")].iloc[2:].tolist()
    assert steps == [2, 8, 20, 30]
    assert found.loc[("quarter", "no_touch"), "touch_to_won_days"] is pd.NA


def test_a_median_of_two_is_the_lower_one_and_backward_steps_are_negative():
    deals = builders.deals(
        won("a", "2026-10-10", created_at="2026-10-12T20:00Z"),
        won("b", "2026-10-10", created_at="2026-10-02T20:00Z"),
    )
    found = velocity(paths(), deals, SPANS)
    assert found["deal_to_won_days"].tolist() == [-2, -2]


# Channels, campaigns, teams ----------------------------------------------------------------------

ROWS = paths(
    path("a", ("campaign", "2026-10-01", "701A"), ("call", "2026-10-05")),
    path("b", ("form", "2026-03-01"), ("campaign", "2026-03-02", "701B")),
    path("o", ("call", "2026-11-01")),
)
DEALS = builders.deals(
    won("a", "2026-10-31", 1001),
    won("b", "2026-03-31", 500),
    {**won("o", "2027-01-31", 70), "state": "open", "credited_at": "2026-11-17T14:15Z"},
    won("n", "2026-10-02", 40),
)
POLICY = builders.AGREEMENT.attribution.model_copy(update={"shown": ("first_touch",)})
CREDITS = attribution.credits(ROWS, DEALS, POLICY)


def costs(*rows: tuple[str, int, str, str]):
    names = ("campaign_id", "cost_minor", "starts_on", "ends_on")
    given_rows = [dict(zip(names, row, strict=True)) for row in rows]
    return builders.build(frames.CampaignCosts, given_rows)


def results(*campaigns, team_costs=()) -> pd.DataFrame:
    found = channel_results(CREDITS, ROWS, DEALS, costs(*campaigns), team_costs, 2, SPANS)
    return found.set_index(["horizon", "model", "dimension", "name"])


def test_results_stand_side_by_side_per_model_and_horizon():
    found = results()
    assert found.loc[("quarter", "linear", "channel"), "won_minor"].to_dict() == {
        "call": 500, "campaign": 501, "unknown": 40,
    }  # fmt: skip
    assert found.loc[("year", "first_touch", "channel"), "won_minor"].to_dict() == {
        "call": 0, "campaign": 1001, "form": 500, "unknown": 40,
    }  # fmt: skip
    assert found.loc[("quarter", "linear", "team", "sales"), "open_minor"] == 70
    row = found.loc[("year", "linear", "campaign", "701B")]
    assert row[["won_minor", "deal_count", "people_count", "touch_count"]].tolist() == [
        250, 1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("dimension", ["channel", "team"])
def test_won_amounts_of_channels_and_of_teams_add_up_to_the_deals(dimension):
    found = results().reset_index()
    rows = found[found["dimension"] == dimension]
    sums = rows.groupby(["horizon", "model"])[["won_minor", "open_minor"]].sum()
    assert sums.loc["quarter"].to_numpy().tolist() == [[1041, 70], [1041, 70]]
    assert sums.loc["year"].to_numpy().tolist() == [[1541, 70], [1541, 70]]


def test_a_campaigns_cost_falls_evenly_on_its_days():
    found = results(
        ("701A", 1000, "2026-09-26", "2026-10-05"), ("701B", 90, "2025-01-01", "2025-01-09")
    )
    quarter = found.loc[("quarter", "linear", "campaign", "701A")]
    assert (quarter["cost_minor"], quarter["cost_per_won_ppm"]) == (500, 500 * 10**6 // 501)
    assert found.loc[("year", "linear", "campaign", "701A"), "cost_minor"] == 1000
    assert found.loc[("year", "linear", "campaign", "701B"), "cost_minor"] == 0


def test_a_channels_cost_is_known_when_that_of_all_its_campaigns_is():
    every = (("701A", 1000, "2026-10-01", "2026-10-02"), ("701B", 90, "2026-03-01", "2026-03-09"))
    assert results(*every).loc[("year", "linear", "channel", "campaign"), "cost_minor"] == 1090
    missing = results(every[0]).loc[("year", "linear", "channel", "campaign")]
    assert missing["cost_minor"] is pd.NA
    assert missing["cost_per_won_ppm"] is pd.NA
    assert results(*every).loc[("year", "linear", "channel", "call"), "cost_minor"] is pd.NA


def test_a_teams_cost_is_known_over_quarters_that_are_all_named():
    one = [TeamCost(team="sales", period="2026-Q4", cost=Decimal("1.50"))]
    found = results(team_costs=one)
    assert found.loc[("quarter", "linear", "team", "sales"), "cost_minor"] == 150
    assert found.loc[("quarter", "linear", "team", "sales"), "cost_per_won_ppm"] == 300_000
    assert found.loc[("year", "linear", "team", "sales"), "cost_minor"] is pd.NA


def test_campaign_costs_are_in_company_currency_at_the_rate_of_the_first_day():
    mirror = builders.mirror(
        "salesforce",
        "campaign",
        {"record_id": "701A", "ActualCost": "10.5", "StartDate": "2026-02-01",
         "EndDate": "2026-02-28", "CurrencyIsoCode": "EUR"},
        {"record_id": "701B", "ActualCost": "7", "StartDate": "2026-02-01"},
        {"record_id": "701C", "ActualCost": "7", "StartDate": "2026-02-02",
         "EndDate": "2026-02-01"},
        {"record_id": "701D", "ActualCost": "7", "StartDate": "2026-02-01",
         "EndDate": "2026-02-01"},
    )  # fmt: skip
    rates = builders.build(
        frames.Rates,
        [
            {"currency": "EUR", "starts_on": "2026-01-01", "rate": "0.5"},
            {"currency": "EUR", "starts_on": "2026-02-02", "rate": "0.25"},
        ],
    )
    found = campaign_costs(mirror, rates, {"USD": 2, "EUR": 2}, "USD")
    assert found[["campaign_id", "cost_minor"]].to_numpy().tolist() == [
        ["701A", 2100],
        ["701D", 700],
    ]


# Pairs of channels -------------------------------------------------------------------------------


def pairs(*groups: tuple[str, int, int], minimum=10) -> pd.DataFrame:
    """Groups of deals as (channels, won, lost), all closed in this quarter."""
    deals, rows = [], []
    for channels, win, lose in groups:
        for number in range(win + lose):
            deal_id = f"{channels}{number}"
            state = "won" if number < win else "lost"
            deals.append({**won(deal_id, "2026-10-10"), "state": state})
            rows.append(path(deal_id, *[(name, "2026-10-01") for name in channels.split("+")]))
    policy = Synergy(minimum_deals=minimum, resamples=500)
    return synergies(paths(*rows), builders.deals(*deals), SPANS, policy)


def test_a_pair_that_wins_more_together_than_each_alone_is_clear():
    found = pairs(("form+call", 45, 5), ("form", 10, 40), ("call", 15, 35))
    row = found[found["horizon"] == "quarter"].iloc[0]
    assert (row["channel"], row["other_channel"], row["deal_count"]) == ("call", "form", 50)
    assert (row["won_ppm"], row["expected_ppm"], row["lift_ppm"]) == (900_000, 300_000, 600_000)
    assert 300_000 < row["low_ppm"] < 600_000 < row["high_ppm"] < 800_000
    assert row["is_clear"]


def test_a_pair_that_wins_as_often_as_one_of_them_is_not_clear():
    found = pairs(("form+call", 30, 20), ("form", 30, 20), ("call", 10, 40))
    assert found["lift_ppm"].tolist() == [0, 0]
    assert not found["is_clear"].any()
    assert (found["low_ppm"] < 0).all()
    assert (found["high_ppm"] > 0).all()


@pytest.mark.parametrize("few", [0, 1, 2])
def test_nothing_is_said_of_a_pair_when_one_of_its_groups_is_too_small(few):
    groups = [("form+call", 6, 6), ("form", 6, 6), ("call", 6, 6)]
    assert len(pairs(*groups, minimum=12)) == 2
    groups[few] = (groups[few][0], 6, 5)
    assert pairs(*groups, minimum=12).empty


def thirty(order) -> pd.DataFrame:
    names = ["form+call", "form", "call"] * 10
    states = ["won", "lost", "lost", "won", "won"] * 6
    deals = [{**won(f"d{n:02d}", "2026-10-10"), "state": states[n]} for n in order]
    rows = [
        path(f"d{n:02d}", *[(name, "2026-10-01") for name in names[n].split("+")]) for n in order
    ]
    policy = Synergy(minimum_deals=5, resamples=100)
    return synergies(paths(*rows), builders.deals(*deals), SPANS, policy)


@settings(max_examples=10)
@given(st.permutations(range(30)))
def test_the_order_of_deals_changes_no_figure(order):
    assert len(thirty(order)) == 2
    assert_frame_equal(thirty(order), thirty(range(30)))
