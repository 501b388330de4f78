from datetime import date
from decimal import Decimal

from agreement.terms import Attained
from tests.transforms.test_statement import RULES, terms
from transforms.levers import outlook, pool_if


def reached(marketing: int, sales: int):
    return terms(
        "2027-Q1",
        last=date(2027, 3, 31),
        attained={
            "marketing": Attained(actual_minor=marketing, target=Decimal(100)),
            "sales": Attained(actual_minor=sales, target=Decimal(100)),
        },
    )


def test_the_lower_team_is_the_lever_when_the_other_is_ahead():
    ahead = outlook(reached(8_000, 12_000), 12_000, date(2027, 2, 14))
    assert ahead.pool_minor == 192  # 2 % of 120 at 0.80
    gains = {lever.what: lever.gain_minor for lever in ahead.levers}
    assert gains == {
        "won revenue with an accepted handoff": 4,
        "accepted handoffs on deals already won": 2,
        "won revenue without a handoff": 2,
    }


def test_under_the_gate_a_lever_goes_as_far_as_the_gate():
    ahead = outlook(reached(5_000, 8_000), 8_000, date(2027, 2, 14))
    assert (ahead.pool_minor, dict(ahead.to_gate_minor)) == (0, {"marketing": 2_000, "sales": 0})
    assert {lever.what: lever.more_minor for lever in ahead.levers} == {
        "won revenue with an accepted handoff": 2_000,
        "accepted handoffs on deals already won": 2_000,
    }


def test_no_more_deals_can_be_accepted_than_were_won():
    ahead = outlook(reached(10_000, 10_000), 10_000, date(2027, 2, 14))
    assert "accepted handoffs on deals already won" not in {each.what for each in ahead.levers}


def test_the_pace_is_a_straight_line_to_the_end():
    halfway = outlook(reached(5_000, 5_000), 5_000, date(2027, 2, 14))  # day 45 of 90
    assert halfway.pool_at_pace_minor == 200
    over = outlook(reached(5_000, 5_000), 5_000, date(2027, 5, 1))
    assert over.pool_at_pace_minor == over.pool_minor == 0


def test_a_draft_of_other_rules_can_be_tried_on_a_period():
    of = reached(10_000, 10_000)
    actual = {"marketing": 10_000, "sales": 10_000}
    draft = RULES.model_copy(update={"rate": Decimal("0.05")})
    assert (pool_if(of, 10_000, actual), pool_if(of, 10_000, actual, draft)) == (200, 500)
