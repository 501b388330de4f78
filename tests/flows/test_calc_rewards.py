"""Worked examples of the reward rules, each small enough to re-add by hand."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from agreement.errors import BadInput
from flows.calc_rewards import calc_rewards

EXAMPLE = Path(__file__).parents[3] / "shared" / "examples" / "rewards.json"


def plan(**changes) -> dict:
    return {
        "rate": "0.02",
        "gate": "0.70",
        "accelerator": "1.5",
        "attainment_cap": "1.5",
        "multiplier_cap": "2",
        "holdback": "0",
        "attainment": {
            "marketing": {"actual": "100", "target": "100"},
            "sales": {"actual": "100", "target": "100"},
        },
        **changes,
    }


def deal(amount: str, currency: str = "USD", **credits_minor: int) -> dict:
    return {
        "id": "D-1",
        "amount": amount,
        "currency": currency,
        "closed_on": "2027-01-15",
        "credits_minor": credits_minor,
    }


def run(*deals: dict, posting_period: str = "2027-Q1", rates=(), **changes) -> dict:
    return {
        "do": "run",
        "posting_period": posting_period,
        "computed_for": "2027-Q1",
        "plan": plan(**changes),
        "rates": list(rates),
        "deals": list(deals),
    }


def calc(*steps: dict) -> dict:
    return calc_rewards({"company_currency": "USD", "steps": list(steps)}, "file.json")


def lines(step: dict) -> list[tuple[str, str, int]]:
    return [(row["participant"], row["component"], row["minor"]) for row in step["postings"]]


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the shared examples are not on this machine")
def test_the_published_example_is_reproduced_to_the_unit():
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"), parse_float=Decimal)
    assert calc_rewards(example["input"]) == example["output"]


def test_base_two_percent_of_revenue_split_by_credit():
    step = calc(run(deal("1000.00", marketing=40_000, sales=60_000)))["steps"][0]
    assert step["pool_minor"] == 2000
    assert lines(step) == [("marketing", "pool", 800), ("sales", "pool", 1200)]
    assert step["second_run_postings"] == 0


def test_odd_cents_go_to_the_largest_remainder_then_to_the_earlier_id():
    step = calc(run(deal("0.50", marketing=25, sales=25), rate="0.06"))["steps"][0]
    assert lines(step) == [("marketing", "pool", 2), ("sales", "pool", 1)]


def test_above_target_the_pool_grows_faster_by_the_lower_team():
    reached = {
        "marketing": {"actual": "130", "target": "100"},
        "sales": {"actual": "120", "target": "100"},
    }
    step = calc(run(deal("1000.00", sales=100_000), attainment=reached))["steps"][0]
    assert (step["multiplier"], step["pool_minor"]) == ("13/10", 2600)


def test_under_the_gate_there_is_no_pool_but_a_spiff_is_paid():
    reached = {
        "marketing": {"actual": "69", "target": "100"},
        "sales": {"actual": "120", "target": "100"},
    }
    step = calc(run(deal("1000.00", sales=100_000), attainment=reached, spiffs_minor={"kim": 500}))[
        "steps"
    ][0]
    assert (step["multiplier"], step["pool_minor"]) == ("0", 0)
    assert lines(step) == [("kim", "spiff", 500)]


def test_a_late_change_after_payment_posts_the_difference_into_the_open_period():
    result = calc(
        run(deal("1000.00", marketing=40_000, sales=60_000)),
        {"do": "close", "period": "2027-Q1"},
        {"do": "pay", "posting_period": "2027-Q2"},
        run(deal("900.00", marketing=40_000, sales=50_000), posting_period="2027-Q2"),
    )
    assert result["steps"][2]["sales"] == {"balance_before": 1200, "paid": 1200, "carried": 0}
    assert lines(result["steps"][3]) == [("sales", "pool", -200)]
    assert result["balances"] == {"marketing": 0, "sales": -200}


def test_a_deal_cancelled_after_payment_leaves_a_negative_balance_that_is_carried():
    result = calc(
        run(deal("1000.00", sales=100_000)),
        {"do": "close", "period": "2027-Q1"},
        {"do": "pay", "posting_period": "2027-Q2"},
        run(deal("0", sales=0), posting_period="2027-Q2"),
        {"do": "pay", "posting_period": "2027-Q2"},
    )
    assert result["steps"][4]["sales"] == {"balance_before": -2000, "paid": 0, "carried": -2000}


def test_terms_freeze_at_the_close_and_later_only_deals_move():
    better = {
        "marketing": {"actual": "150", "target": "100"},
        "sales": {"actual": "150", "target": "100"},
    }
    result = calc(
        run(deal("1000.00", sales=100_000)),
        {"do": "close", "period": "2027-Q1"},
        run(
            deal("1000.00", sales=100_000),
            posting_period="2027-Q2",
            attainment=better,
            rate="0.5",
        ),
    )
    assert result["steps"][2]["postings"] == []
    assert result["steps"][2]["multiplier"] == "1"


def test_holdback_is_kept_until_it_is_released_and_a_draw_is_an_advance():
    result = calc(
        run(deal("1000.00", sales=100_000), holdback="0.25"),
        {
            "do": "post",
            "posting_period": "2027-Q1",
            "computed_for": "2027-Q1",
            "participant": "sales",
            "component": "draw_advance",
            "minor": 300,
        },
        {
            "do": "post",
            "posting_period": "2027-Q1",
            "computed_for": "2027-Q1",
            "participant": "sales",
            "component": "hold_release",
            "minor": 500,
        },
        {"do": "close", "period": "2027-Q1"},
    )
    assert result["steps"][3]["statement"] == {
        "sales": {"earned": 1500, "held": 500, "released": 500, "paid_or_advanced": 300}
    }
    assert result["balances"] == {"sales": 1700}
    assert result["held"] == {"sales": 0}


def test_several_currencies_a_team_and_a_cap():
    rates = [
        {"currency": "EUR", "start": "2026-01-01", "rate": "0.8"},
        {"currency": "EUR", "start": "2027-01-10", "rate": "0.5"},
        {"currency": "EUR", "start": "2027-02-01", "rate": "0.25"},
    ]
    step = calc(
        run(
            deal("100.00", "EUR", marketing=10_000, kim=10_000),
            rates=rates,
            rate="0.10",
            teams={"marketing": {"ann": "0.6", "bob": "0.4"}},
            caps_minor={"kim": 900},
        )
    )["steps"][0]
    assert step["revenue_minor"] == 20_000
    assert lines(step) == [
        ("ann", "pool", 600),
        ("bob", "pool", 400),
        ("house", "cap_excess", 100),
        ("kim", "pool", 900),
    ]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([run(deal("1000.00", sales=1))], r"steps\[0\]: deal D-1: credits_minor add up to 1"),
        ([run(deal("1.00", "EUR", sales=1))], "deal D-1: no rate for EUR on 2027-01-15"),
        ([run(deal("1.00", sales=100), rate=Decimal("0.02"))], "plan.rate: write it as text"),
        ([run(deal("1.00", sales=100), joint="upper")], r"joint: Input should be 'lower'"),
        ([run(deal("x", sales=100))], "deals.0.amount"),
        ([{"do": "dance"}], "steps.0"),
        ([run(deal("1e999999999", sales=1))], "deals.0.amount"),
        ([run(deal("1.00", sales=10**40))], "minor units are a whole number"),
        ([run(deal("0.01", sales=True))], "minor units are a whole number"),
        ([run(deal("1.00", sales=100), deal("1.00", sales=100))], "deal D-1 is listed 2 times"),
        ([run(posting_period="banana")], "a period is a quarter"),
        (
            [
                {"do": "close", "period": "2027-Q1"},
                {"do": "pay", "posting_period": "2027-Q1"},
            ],
            r"steps\[1\]: period 2027-Q1 is closed",
        ),
        ([run(deal("1.00", sales=100), teams={"sales": {"kim": "0"}})], "not all zero"),
    ],
)
def test_bad_input_is_one_line_that_names_the_place(steps, says):
    with pytest.raises(BadInput, match=says) as caught:
        calc(*steps)
    message = str(caught.value)
    assert message.startswith("file.json: ")
    assert "\n" not in message


def test_a_participant_whose_name_begins_with_house_is_paid_as_anybody_else():
    result = calc(
        run(deal("1000.00", household=100_000)), {"do": "pay", "posting_period": "2027-Q1"}
    )
    assert result["steps"][1] == {"household": {"balance_before": 2000, "paid": 2000, "carried": 0}}
