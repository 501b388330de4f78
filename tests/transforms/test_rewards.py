from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement import frames
from agreement.policy import RewardRules
from agreement.terms import HOUSE
from tests.builders import build, deal_people, deals, handoff_status
from tests.transforms.test_statement import terms
from transforms.ledger import account_balances, held, payables, payroll_due, with_accounts
from transforms.rewards import (
    Extras,
    actuals,
    attained_deals,
    calculate,
    credit_changes,
    desired,
    multiplier,
    pool_minor,
    postings_due,
    reward_credits,
)

RULES = RewardRules(
    rate=Decimal("0.02"),
    gate=Decimal("0.70"),
    attainment_cap=Decimal("1.5"),
    accelerator=Decimal("1.5"),
    multiplier_cap=Decimal(2),
    joint="lower",
)


def attained(marketing: str, sales: str) -> dict[str, Fraction]:
    return {"marketing": Fraction(marketing), "sales": Fraction(sales)}


@pytest.mark.parametrize(
    ("marketing", "sales", "factor"),
    [
        ("0.69", "1.2", "0"),
        ("0.70", "1.2", "0.70"),
        ("1", "1", "1"),
        ("1.2", "1.1", "1.15"),
        ("9", "9", "1.75"),
    ],
)
def test_the_lower_team_moves_the_pool_and_the_gate_shuts_it(marketing, sales, factor):
    assert multiplier(attained(marketing, sales), RULES) == Fraction(factor)


def test_the_product_of_both_teams_can_join_them_instead():
    rules = RULES.model_copy(update={"joint": "product"})
    assert multiplier(attained("1.3", "1.1"), rules) == Fraction("1.645")


def test_the_multiplier_has_a_cap_of_its_own():
    rules = RULES.model_copy(update={"accelerator": Decimal(9)})
    assert multiplier(attained("1.5", "1.5"), rules) == 2


@pytest.mark.parametrize(("revenue", "pool"), [(125, 2), (175, 4), (-125, -2), (0, 0)])
def test_a_pool_ends_on_the_even_unit_at_a_half(revenue, pool):
    assert pool_minor(revenue, Fraction(1), RULES) == pool


def credit(**minor: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "computed_for": pd.Series(["2027-Q1"] * len(minor), dtype="str"),
            "participant": pd.Series(list(minor), dtype="str"),
            "credit_minor": pd.Series(list(minor.values()), dtype="int64"),
        }
    )


def components(pool: int, shares: pd.DataFrame, extras: Extras = Extras()) -> dict:  # noqa: B008
    rows = desired(pd.Series([pool], index=["2027-Q1"]), shares, extras)
    return {
        (who, component): minor
        for who, component, minor in rows[["participant", "component", "reward_minor"]].itertuples(
            index=False
        )
    }


def test_what_no_touch_explains_goes_to_the_house_which_stands_in_the_tie_order():
    # 12,337.5 each for house and marketing: the odd unit goes to the earlier id.
    shares = credit(marketing=1_500_000, kim=2_000_000, unknown=500_000)
    assert components(98_700, shares) == {
        (HOUSE, "pool"): 12_338,
        ("kim", "pool"): 49_350,
        ("marketing", "pool"): 37_012,
    }


def test_a_period_of_negative_revenue_mirrors_the_positive_one():
    there = components(101, credit(marketing=2, sales=1))
    back = components(-101, credit(marketing=-2, sales=-1))
    assert back == {key: -minor for key, minor in there.items()}


def test_a_teams_share_is_split_over_its_members_by_their_weights():
    extras = Extras(teams={"marketing": {"ann": 2, "bob": 1}})
    assert components(100, credit(marketing=1, sales=1), extras) == {
        ("ann", "pool"): 33,
        ("bob", "pool"): 17,
        ("sales", "pool"): 50,
    }


def test_a_member_of_two_teams_earns_in_both():
    extras = Extras(teams={"marketing": {"ann": 1}, "sales": {"ann": 1}})
    assert components(99, credit(marketing=1, sales=1), extras) == {("ann", "pool"): 99}


def test_what_is_above_a_cap_goes_to_the_house_and_spiffs_stand_on_top():
    extras = Extras(caps_minor={"sales": 30}, spiffs_minor={"sales": 7}, holdback=Fraction(1, 4))
    assert components(100, credit(marketing=1, sales=1), extras) == {
        ("marketing", "pool"): 38,
        ("marketing", "pool_held"): 12,
        ("sales", "pool"): 22,
        ("sales", "pool_held"): 8,
        (HOUSE, "cap_excess"): 20,
        ("sales", "spiff"): 7,
    }


def test_a_shut_gate_still_pays_spiffs():
    extras = Extras(spiffs_minor={"kim": 5})
    assert components(0, credit(sales=10), extras) == {("kim", "spiff"): 5}


amounts = st.integers(-(10**9), 10**9)
shares_of_credit = st.dictionaries(
    st.sampled_from(["ann", "bob", "marketing", "sales", "unknown"]), amounts, min_size=1
)


@given(amounts, shares_of_credit, st.fractions(0, 1, max_denominator=40), st.integers(0, 10**6))
def test_components_over_participants_and_house_are_the_pool(pool, shares, holdback, cap):
    if sum(shares.values()) == 0:
        return
    extras = Extras(holdback=holdback, caps_minor={"ann": cap})
    found = components(pool, credit(**shares), extras)
    assert sum(found.values()) == pool


@given(st.lists(st.tuples(amounts, shares_of_credit), min_size=1, max_size=6))
def test_after_any_changes_the_ledger_holds_what_was_last_wanted_and_a_second_run_posts_nothing(
    runs,
):
    posted = with_accounts(pd.DataFrame())
    for pool, shares in runs:
        if sum(shares.values()) == 0:
            continue
        want = desired(
            pd.Series([pool], index=["2027-Q1"]), credit(**shares), Extras(holdback=Fraction(1, 4))
        )
        due = postings_due(want, posted, "2027-Q2")
        posted = pd.concat([posted, due], ignore_index=True)
        assert postings_due(want, posted, "2027-Q2").empty
        sums = posted.groupby(["participant", "component"])["reward_minor"].sum()
        assert sums[sums != 0].to_dict() == {
            (row["participant"], row["component"]): row["reward_minor"]
            for row in want.to_dict("records")
        }
    if len(posted):
        assert account_balances(posted).sum() == 0


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "house"]), amounts), max_size=8))
def test_payroll_pays_what_is_owed_carries_what_is_not_and_never_pays_the_house(entries):
    posted = with_accounts(
        pd.DataFrame(
            {
                "posting_period": pd.Series(["2027-Q1"] * len(entries), dtype="str"),
                "computed_for": pd.Series(["2027-Q1"] * len(entries), dtype="str"),
                "participant": pd.Series([who for who, _ in entries], dtype="str"),
                "component": pd.Series(["pool"] * len(entries), dtype="str"),
                "reward_minor": pd.Series([minor for _, minor in entries], dtype="int64"),
            }
        )
    )
    before = payables(posted)
    paid = payroll_due(posted, "2027-Q2")
    after = payables(pd.concat([posted, paid], ignore_index=True)) if len(posted) else {}
    assert after == {who: min(0, owed) if who != HOUSE else owed for who, owed in before.items()}


def test_a_release_moves_what_was_held_to_what_is_owed():
    rows = [("pool_held", 25), ("hold_release", 10), ("draw_advance", 40)]
    posted = with_accounts(
        pd.DataFrame(
            {
                "posting_period": "2027-Q1",
                "computed_for": "2027-Q1",
                "participant": "kim",
                "component": [component for component, _ in rows],
                "reward_minor": [minor for _, minor in rows],
            }
        )
    )
    assert held(posted) == {"kim": 15}
    assert payables(posted) == {"kim": -30}


# Whole periods ------------------------------------------------------------------------------------


def won(deal: str, period: str = "2027-Q1", **more) -> dict:
    return {
        "deal_id": deal,
        "record_id": f"006{deal}",
        "period": period,
        "closed_on": f"2027-0{3 * int(period[-1]) - 2}-05",
        **more,
    }


def credited(**minor: int) -> pd.DataFrame:
    """Build shared credit out of deal_team=minor."""
    rows = [name.split("_") for name in minor]
    return build(
        frames.Credits,
        [
            {
                "model": "linear",
                "deal_id": deal,
                "channel": "call",
                "team": team,
                "weight": 1.0,
                "credit_minor": each,
                "credit_deal_minor": each,
            }
            for (deal, team), each in zip(rows, minor.values(), strict=True)
        ],
    )


def test_marketings_actual_is_the_revenue_of_deals_with_an_accepted_handoff():
    status = handoff_status(
        {"handoff_id": "h2", "person_id": "p1", "answer": "accepted"},
        {
            "handoff_id": "h1",
            "person_id": "p1",
            "answer": "accepted",
            "started_at": "2026-01-02T14:00Z",
        },
        {"handoff_id": "h3", "person_id": "p2", "answer": "rejected"},
    )
    people = deal_people({"deal_id": "A", "person_id": "p1"}, {"deal_id": "B", "person_id": "p2"})
    table = deals(
        won("A", company_minor=100),
        won("B", company_minor=40),
        won("C", state="open", company_minor=7),
    )
    reached = attained_deals(table, status, people)
    assert reached["handoff_id"].fillna("").tolist() == ["h1", ""]
    assert actuals(reached) == {"2027-Q1": {"marketing": 100, "sales": 140}}


def test_the_deals_of_a_team_carry_its_share_to_the_unit():
    of = {name: terms(name) for name in ("2027-Q1", "2027-Q2")}
    table = deals(won("A"), won("B"), won("C", "2027-Q2"))
    shared = credited(A_sales=3_333, A_marketing=1, B_sales=3_333, B_unknown=3_400, C_sales=-25)
    found = calculate(list(of.values()), shared, table)
    carried = found.deal_rewards.groupby(["computed_for", "participant"])["reward_minor"].sum()
    earned = found.team_rewards.set_index(["computed_for", "participant"])["reward_minor"]
    assert carried[carried != 0].to_dict() == earned.to_dict()
    assert found.pools["pool_minor"].tolist() == [201, 0]


def test_each_period_has_its_own_terms():
    of = [
        terms("2027-Q1", teams={"sales": {"s-1": 1}}),
        terms("2027-Q2", spiffs_minor={"kim": 5}),
    ]
    found = calculate(of, credited(A_sales=10_000, B_sales=10_000),
                      deals(won("A"), won("B", "2027-Q2")))  # fmt: skip
    rows = found.rewards[["computed_for", "participant", "component", "reward_minor"]]
    assert rows.to_numpy().tolist() == [
        ["2027-Q1", "s-1", "pool", 150],
        ["2027-Q1", "s-1", "pool_held", 50],
        ["2027-Q2", "kim", "spiff", 5],
        ["2027-Q2", "sales", "pool", 150],
        ["2027-Q2", "sales", "pool_held", 50],
    ]
    assert found.team_rewards["participant"].tolist() == ["sales", "sales"]


def test_amounts_beyond_what_floats_hold_are_exact():
    huge = 9_007_199_254_740_993  # 2 ** 53 + 1
    want = desired(pd.Series([huge], index=["2027-Q1"]), credit(sales=1))
    due = postings_due(want, with_accounts(pd.DataFrame()), "2027-Q1")
    assert due["reward_minor"].tolist() == [huge]
    assert account_balances(due)["payable:sales"] == huge
    standing = reward_credits(credited(A_sales=huge), deals(won("A"), won("B")))
    changed = credit_changes(
        reward_credits(credited(A_sales=huge + 2, B_sales=1), deals(won("A"), won("B"))), standing
    )
    assert changed["credit_minor"].tolist() == [2, 1]


def test_credit_of_a_deal_that_is_gone_is_taken_back_under_its_record():
    standing = reward_credits(credited(A_sales=50), deals(won("A", company_minor=50)))
    gone = credit_changes(reward_credits(credited(), deals()), standing)
    row = gone.iloc[0]
    assert (row["record_id"], row["credit_minor"], row["company_minor"]) == ("006A", -50, 0)
    assert credit_changes(standing, standing).empty


def test_a_team_that_leaves_a_deal_takes_its_credit_and_not_the_deals_amount():
    table = deals(won("A", company_minor=50))
    standing = reward_credits(credited(A_sales=20, A_unknown=30), table)
    moved = credit_changes(reward_credits(credited(A_sales=50), table), standing)
    assert moved[["team", "credit_minor", "company_minor"]].to_numpy().tolist() == [
        ["sales", 30, 50],
        ["unknown", -30, 50],
    ]
