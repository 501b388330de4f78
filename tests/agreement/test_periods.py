from datetime import UTC, date, datetime

import pytest

from agreement.periods import period_of, period_of_day, periods_between
from agreement.policy import load_agreement


@pytest.mark.parametrize(
    ("day", "start", "period"),
    [
        (date(2027, 1, 1), 1, "2027-Q1"),
        (date(2027, 12, 31), 1, "2027-Q4"),
        (date(2026, 4, 1), 4, "2027-Q1"),
        (date(2027, 3, 31), 4, "2027-Q4"),
        (date(2026, 1, 31), 2, "2026-Q4"),
        (date(2026, 2, 1), 2, "2027-Q1"),
    ],
)
def test_a_fiscal_year_is_named_after_the_year_in_which_it_ends(day, start, period):
    assert period_of_day(day, start) == period


def test_an_instant_belongs_to_the_quarter_of_the_agreements_zone():
    calendar = load_agreement().calendar
    assert period_of(datetime(2027, 1, 1, 2, tzinfo=UTC), calendar) == "2026-Q4"


def test_quarters_between_two_days_start_inside_them():
    found = periods_between(date(2026, 1, 1), date(2026, 11, 17), 1)
    assert found == ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")
    assert periods_between(date(2026, 1, 2), date(2026, 3, 31), 1) == ()
