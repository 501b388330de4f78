from datetime import UTC, date, datetime

import pytest

from agreement.periods import period_days, period_of, period_of_day, periods_between
from agreement.policy import load_agreement

CALENDAR = load_agreement().calendar
MONTHS = CALENDAR.model_copy(update={"period": "month", "fiscal_year_start": 4})


def starting(month):
    return CALENDAR.model_copy(update={"fiscal_year_start": month})


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
    assert period_of_day(day, starting(start)) == period


def test_a_month_has_its_usual_name_wherever_the_fiscal_year_starts():
    assert period_of_day(date(2027, 3, 31), MONTHS) == "2027-03"
    assert period_days("2028-02", MONTHS) == (date(2028, 2, 1), date(2028, 2, 29))


def test_an_instant_belongs_to_the_period_of_the_agreements_zone():
    moment = datetime(2027, 1, 1, 2, tzinfo=UTC)
    assert (period_of(moment, CALENDAR), period_of(moment, MONTHS)) == ("2026-Q4", "2026-12")


def test_periods_between_two_days_start_inside_them():
    found = periods_between(date(2026, 1, 1), date(2026, 11, 17), CALENDAR)
    assert found == ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")
    assert periods_between(date(2026, 1, 2), date(2026, 3, 31), CALENDAR) == ()
    assert periods_between(date(2026, 1, 2), date(2026, 3, 1), MONTHS) == ("2026-02", "2026-03")


def test_a_period_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2027-Q1 is no month"):
        period_days("2027-Q1", MONTHS)
    with pytest.raises(ValueError, match="2027-01 is no quarter"):
        period_days("2027-01", CALENDAR)
