"""Statements are re-added here as a reader would: line by line."""

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreement.frames import Postings, RewardCredits, empty
from agreement.policy import RewardRules
from agreement.terms import HOUSE, Attained, PeriodRate, Terms
from tests.builders import build
from transforms.ledger import with_accounts
from transforms.rewards import calculate_from, postings_due
from transforms.statement import Books, pool_story, statement, tie_out

RULES = RewardRules(
    rate=Decimal("0.02"),
    gate=Decimal("0.70"),
    attainment_cap=Decimal("1.5"),
    accelerator=Decimal("1.5"),
    multiplier_cap=Decimal(2),
    holdback=Decimal("0.25"),
)


def terms(period: str, **changes) -> Terms:
    quarter = int(period[-1])
    return Terms(
        **{
            "period": period,
            "agreement": "default v1",
            "currency": "USD",
            "digits": 2,
            "zone": "UTC",
            "first": date(2027, 3 * quarter - 2, 1),
            "last": date(2027, 3 * quarter, 28),
            "model": "linear",
            "rules": RULES,
            "attained": {
                team: Attained(actual_minor=10_000, target=Decimal(100))
                for team in ("marketing", "sales")
            },
            "rates": (
                PeriodRate(currency="EUR", starts_on="2027-01-01", rate="0.8"),
                PeriodRate(currency="EUR", starts_on="2027-02-01", rate="0.5"),
            ),
            **changes,
        }
    )


def change(posting_period: str, computed_for: str, deal: str, team: str, minor: int, **more):
    return {
        "posting_period": posting_period,
        "computed_for": computed_for,
        "deal_id": deal,
        "team": team,
        "credit_minor": minor,
        "record_id": f"006{deal}",
        "closed_on": "2027-02-03",
        "currency": "USD",
        "amount_minor": minor,
        "company_minor": minor,
        **more,
    }


def keep_books(period: str, of: dict[str, Terms], *changes: dict, events=()) -> Books:
    """Post what the changes of credit make due, period by period, then the events."""
    table = build(RewardCredits, [{k: v for k, v in c.items() if k != "posting_period"}
                                  for c in changes])  # fmt: skip
    table = table.assign(
        posting_period=pd.Series([c["posting_period"] for c in changes], dtype="str")
    )
    postings = Postings.validate(empty(Postings))
    for into in sorted(name for name in of if name <= period):
        rows = table[table["posting_period"] <= into]
        keys = ["computed_for", "deal_id", "team"]
        sums = rows.groupby(keys, as_index=False)["credit_minor"].sum()
        latest = rows.drop_duplicates(["computed_for", "deal_id"], keep="last")
        stood = sums.merge(
            latest.drop(columns=["team", "credit_minor", "posting_period"]),
            on=["computed_for", "deal_id"],
        )[list(empty(RewardCredits).columns)]
        begun = {name: each for name, each in of.items() if name <= into}
        wanted = calculate_from(begun, RewardCredits.validate(stood)).rewards
        postings = join(postings, postings_due(wanted, postings, into))
    for posting_period, computed_for, who, component, minor in events:
        entry = {
            "posting_period": posting_period,
            "computed_for": computed_for,
            "participant": who,
            "component": component,
            "reward_minor": minor,
        }
        postings = join(postings, with_accounts(pd.DataFrame([entry])))
    return Books(period, postings, table, of)


def join(*parts) -> pd.DataFrame:
    some = [part for part in parts if len(part)]
    both = pd.concat(some, ignore_index=True) if some else empty(Postings)
    return Postings.validate(both)


def lines(books: Books, who: str) -> list[tuple]:
    found = statement(books, who).lines
    return list(
        zip(
            found["section"],
            found["computed_for"],
            found["what"],
            found["record_id"].fillna(""),
            found["reward_minor"].tolist(),
            strict=True,
        )
    )


QUARTER = (
    change(
        "2027-Q1", "2027-Q1", "A", "marketing", 6_000, amount_minor=10_025, company_minor=10_025
    ),
    change("2027-Q1", "2027-Q1", "A", "sales", 4_025, amount_minor=10_025, company_minor=10_025),
    change("2027-Q1", "2027-Q1", "B", "sales", 1_000),
    change("2027-Q1", "2027-Q1", "C", "unknown", 500),
)


def test_a_statement_lists_each_deals_share_then_what_is_held_back():
    books = keep_books("2027-Q1", {"2027-Q1": terms("2027-Q1")}, *QUARTER)
    # Pool 2 % of 115.25 = 2.305, half to even: 2.30. Sales has 50.25 of 115.25 of it: 1.00.
    assert lines(books, "sales") == [
        ("earned", "2027-Q1", "share", "006A", 80),
        ("earned", "2027-Q1", "share", "006B", 20),
        ("earned", "2027-Q1", "pool_held", "", -25),
    ]
    assert lines(books, HOUSE) == [("earned", "2027-Q1", "share", "006C", 10)]


def test_each_line_can_be_re_added_from_what_stands_on_it():
    books = keep_books("2027-Q1", {"2027-Q1": terms("2027-Q1")}, *QUARTER)
    line = statement(books, "sales").lines.iloc[0]
    assert (line["credit_minor"], line["rate"], line["multiplier"], line["part"]) == (
        4_025,
        "0.02",
        "1",
        "1",
    )
    assert Decimal(line["exact"]) == 4_025 * Decimal("0.02")
    whole = Decimal(line["exact"]) + Decimal(line["rounding"])
    assert whole == int(line["reward_minor"]) == 80


def test_a_deal_in_another_currency_shows_its_amount_and_the_rate_of_its_close():
    euro = {"currency": "EUR", "amount_minor": 500, "company_minor": 1_000}
    books = keep_books(
        "2027-Q1",
        {"2027-Q1": terms("2027-Q1")},
        change("2027-Q1", "2027-Q1", "A", "sales", 1_000, **euro),
        change("2027-Q1", "2027-Q1", "B", "sales", 1_000),
    )
    first = statement(books, "sales").lines.iloc[0]
    assert (first["amount_minor"], first["currency"], first["exchange_rate"]) == (500, "EUR", "0.5")
    assert first["company_minor"] == 1_000
    assert statement(books, "sales").lines["exchange_rate"].isna().tolist() == [False, True, True]


def test_a_correction_names_the_period_it_corrects_and_the_deals_that_moved():
    of = {"2027-Q1": terms("2027-Q1"), "2027-Q2": terms("2027-Q2")}
    moved = change("2027-Q2", "2027-Q1", "A", "sales", -2_000, company_minor=8_025)
    books = keep_books("2027-Q2", of, *QUARTER, moved)
    # Pool 95.25 x 2 % = 1.905, half to even 1.90; sales 30.25 of it: 0.60 instead of 1.00.
    assert lines(books, "sales") == [
        ("correction", "2027-Q1", "share", "006A", -40),
        ("correction", "2027-Q1", "pool_held", "", 10),
    ]
    line = statement(books, "sales").lines.iloc[0]
    assert (line["credit_minor"], line["company_minor"]) == (-2_000, 8_025)
    first, second = pool_story(books)
    assert first["is_correction"]
    assert (first["before"]["pool_minor"], first["after"]["pool_minor"]) == (230, 190)
    assert not second["is_correction"]


def test_what_comes_after_a_period_is_not_on_its_statement():
    of = {"2027-Q1": terms("2027-Q1"), "2027-Q2": terms("2027-Q2")}
    moved = change("2027-Q2", "2027-Q1", "A", "sales", -2_000, company_minor=8_025)
    alone = keep_books("2027-Q1", of, *QUARTER)
    later = keep_books("2027-Q1", of, *QUARTER, moved)
    assert lines(alone, "sales") == lines(later, "sales")
    assert statement(later, "sales").closing_minor == 75


def test_a_shut_gate_shows_the_deals_with_nothing_for_them():
    low = {team: Attained(actual_minor=100, target=Decimal(100)) for team in ("marketing", "sales")}
    shut = terms("2027-Q1", attained=low)
    books = keep_books("2027-Q1", {"2027-Q1": shut}, *QUARTER)
    assert lines(books, "sales") == [
        ("earned", "2027-Q1", "share", "006A", 0),
        ("earned", "2027-Q1", "share", "006B", 0),
    ]


def test_members_see_their_part_and_their_team_what_it_shared_out():
    of = terms(
        "2027-Q1",
        teams={"sales": {"s-1": 3, "s-2": 1}},
        caps_minor={"s-1": 60},
        spiffs_minor={"s-2": 7},
    )
    books = keep_books("2027-Q1", {"2027-Q1": of}, *QUARTER)
    assert lines(books, "s-1") == [
        ("earned", "2027-Q1", "share", "006A", 60),
        ("earned", "2027-Q1", "share", "006B", 15),
        ("earned", "2027-Q1", "cap_excess", "", -15),
        ("earned", "2027-Q1", "pool_held", "", -15),
    ]
    assert lines(books, "s-2")[-2:] == [
        ("earned", "2027-Q1", "pool_held", "", -6),
        ("earned", "2027-Q1", "spiff", "", 7),
    ]
    assert ("earned", "2027-Q1", "cap_excess", "", 15) in lines(books, HOUSE)
    team = statement(books, "sales")
    assert team.is_team_of_members
    assert team.change_minor == 100
    assert statement(books, "s-1").lines["part"].iloc[0] == "3/4"


def test_releases_advances_and_payments_are_lines_of_their_own():
    of = {"2027-Q1": terms("2027-Q1"), "2027-Q2": terms("2027-Q2")}
    events = [
        ("2027-Q2", "2027-Q1", "sales", "hold_release", 25),
        ("2027-Q2", "2027-Q2", "sales", "draw_advance", 10),
        ("2027-Q2", "2027-Q1", "sales", "paid", 75),
    ]
    books = keep_books("2027-Q2", of, *QUARTER, events=events)
    assert lines(books, "sales") == [
        ("released", "2027-Q1", "hold_release", "", 25),
        ("advanced", "2027-Q2", "draw_advance", "", -10),
        ("paid", "2027-Q1", "paid", "", -75),
    ]
    found = statement(books, "sales")
    assert (found.opening_minor, found.change_minor, found.closing_minor) == (75, -60, 15)
    assert (found.held_opening_minor, found.held_closing_minor) == (25, 0)


def test_a_tie_out_finds_a_ledger_that_is_not_what_the_rules_give():
    books = keep_books("2027-Q1", {"2027-Q1": terms("2027-Q1")}, *QUARTER)
    every = {who: statement(books, who) for who in books.participants}
    assert all(check.is_met for check in tie_out(books, every))
    stray = [("2027-Q1", "2027-Q1", "sales", "pool", 1)]
    wrong = keep_books("2027-Q1", {"2027-Q1": terms("2027-Q1")}, *QUARTER, events=stray)
    every = {who: statement(wrong, who) for who in wrong.participants}
    unmet = [check.name for check in tie_out(wrong, every) if not check.is_met]
    assert "2027-Q1: pool = posted shares, holdback and caps" in unmet
    assert "statements that do not add up to their own balance" in unmet


def test_a_tie_out_finds_a_deal_whose_credit_is_not_its_amount():
    of = {"2027-Q1": terms("2027-Q1")}
    short = change("2027-Q1", "2027-Q1", "D", "sales", 999, company_minor=1_000)
    books = keep_books("2027-Q1", of, short)
    every = {who: statement(books, who) for who in books.participants}
    unmet = [check.name for check in tie_out(books, every) if not check.is_met]
    assert unmet == ["2027-Q1: won deals = credit of both teams + unknown"]


def test_nobody_with_nothing_still_has_a_statement_that_adds_up():
    books = keep_books("2027-Q1", {"2027-Q1": terms("2027-Q1")}, *QUARTER)
    found = statement(books, "somebody")
    assert (found.lines.empty, found.opening_minor, found.closing_minor) == (True, 0, 0)


minor = st.integers(-5_000, 9_000)
deal_changes = st.lists(
    st.tuples(
        st.sampled_from(["2027-Q1", "2027-Q2"]),
        st.sampled_from("ABC"),
        st.sampled_from(["marketing", "sales", "unknown"]),
        minor,
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=12)
@pytest.mark.parametrize("teams", [{}, {"sales": {"s-1": 2, "s-2": 1}}])
@given(deal_changes, st.integers(0, 100))
def test_statements_add_up_to_the_ledger_whatever_changed(teams, changes, cap):
    caps = {"s-1": cap, "marketing": cap} if teams else {}
    of = {
        name: terms(name, teams=teams, caps_minor=caps, spiffs_minor={"kim": 3})
        for name in ("2027-Q1", "2027-Q2")
    }
    moved = [change(into, "2027-Q1", *rest) for into, *rest in sorted(changes, key=lambda c: c[0])]
    books = keep_books("2027-Q2", of, *moved)
    every = {who: statement(books, who) for who in books.participants}
    unmet = [
        check
        for check in tie_out(books, every)
        if not check.is_met and "won deals" not in check.name
    ]
    assert unmet == []
    for each in every.values():
        exact = each.lines.dropna(subset=["exact"])
        sums = exact["exact"].map(Decimal) + exact["rounding"].map(Decimal)
        assert sums.tolist() == exact["reward_minor"].tolist()
