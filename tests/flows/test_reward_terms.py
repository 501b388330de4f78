from agreement import frames
from agreement.terms import PeriodRate
from flows.reward_terms import posting_periods, rates_in_force, with_frozen_rates
from tests.builders import build
from tests.transforms.test_statement import terms

Q1 = terms("2027-Q1")


def rates(*rows: tuple[str, str, str]):
    return build(
        frames.Rates,
        [
            {"currency": currency, "starts_on": starts_on, "rate": rate}
            for currency, starts_on, rate in rows
        ],
    )


def frozen(*rows: tuple[str, str, str]) -> dict:
    kept = tuple(PeriodRate(currency=c, starts_on=s, rate=r) for c, s, r in rows)
    return {"2027-Q1": Q1.model_copy(update={"rates": kept})}


def listed(frame) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in frame[["currency", "starts_on", "rate"]].to_numpy().tolist()]


def test_the_rate_in_force_on_the_first_day_and_later_ones_are_kept():
    live = rates(
        ("EUR", "2026-01-01", "0.9"),
        ("EUR", "2026-12-01", "0.8"),
        ("EUR", "2027-02-01", "0.7"),
        ("EUR", "2027-04-01", "0.6"),
        ("JPY", "0001-01-01", "150"),
        ("GBP", "2027-05-01", "0.5"),
    )
    kept = rates_in_force(live, Q1.first, Q1.last)
    assert [(rate.currency, rate.starts_on, rate.rate) for rate in kept] == [
        ("EUR", "2027-01-01", "0.8"),
        ("EUR", "2027-02-01", "0.7"),
        ("JPY", "2027-01-01", "150"),
    ]


def test_a_changed_rate_moves_only_days_outside_of_closed_periods():
    live = rates(("EUR", "2026-12-01", "0.5"), ("EUR", "2027-02-15", "0.4"))
    found = with_frozen_rates(live, frozen(("EUR", "2027-01-01", "0.8")))
    assert listed(found) == [
        ("EUR", "2026-12-01", "0.5"),
        ("EUR", "2027-01-01", "0.8"),
        ("EUR", "2027-03-29", "0.4"),
    ]


def test_frozen_rates_of_an_unchanged_history_change_nothing_that_a_deal_sees():
    live = rates(("EUR", "2026-12-01", "0.8"), ("EUR", "2027-04-10", "0.7"))
    kept = rates_in_force(live, Q1.first, Q1.last)
    found = with_frozen_rates(live, {"2027-Q1": Q1.model_copy(update={"rates": tuple(kept)})})
    assert listed(found) == [
        ("EUR", "2026-12-01", "0.8"),
        ("EUR", "2027-01-01", "0.8"),
        ("EUR", "2027-03-29", "0.8"),
        ("EUR", "2027-04-10", "0.7"),
    ]


def test_a_currency_that_the_closed_period_did_not_have_keeps_its_live_rates():
    live = rates(("CHF", "2027-02-01", "0.9"))
    assert listed(with_frozen_rates(live, frozen(("EUR", "2027-01-01", "0.8")))) == [
        ("CHF", "2027-02-01", "0.9"),
        ("EUR", "2027-01-01", "0.8"),
    ]


def test_a_closed_period_posts_into_the_first_open_one_and_an_open_one_into_itself():
    periods = ["2026-Q3", "2026-Q4", "2027-Q1", "2027-Q2"]
    assert posting_periods(periods, {"2026-Q3", "2026-Q4"}) == {
        "2026-Q3": "2027-Q1",
        "2026-Q4": "2027-Q1",
        "2027-Q1": "2027-Q1",
        "2027-Q2": "2027-Q2",
    }
