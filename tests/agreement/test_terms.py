from datetime import date
from fractions import Fraction

import pytest

from agreement.errors import AgreementError
from agreement.periods import next_period, period_days, period_of_day
from agreement.policy import kept_agreement, load_agreement
from agreement.terms import Terms, attained
from tests.builders import AGREEMENT


def test_a_kept_agreement_is_the_one_that_was_kept():
    again = kept_agreement(AGREEMENT.model_dump(mode="json"))
    assert (again, again.digest) == (AGREEMENT, AGREEMENT.digest)


def test_a_kept_agreement_that_this_release_does_not_know_is_named():
    content = load_agreement().model_dump(mode="json") | {"surprise": 1}
    with pytest.raises(AgreementError, match="the kept agreement default v1 cannot be read"):
        kept_agreement(content)


def test_terms_come_back_exactly_from_json():
    terms = Terms(
        period="2027-Q1",
        agreement="default v1",
        currency="JPY",
        digits=0,
        zone="Asia/Tokyo",
        first=date(2027, 1, 1),
        last=date(2027, 3, 31),
        model="linear",
        rules=AGREEMENT.rewards,
        attained=attained({"sales": 333_333}, AGREEMENT.targets),
        teams={"sales": {"p-1": 3}},
    )
    assert Terms.model_validate(terms.model_dump(mode="json")) == terms
    assert terms.attainment == {"marketing": Fraction(0), "sales": Fraction(333_333, 1_000_000)}
    assert terms.held_until == date(2027, 6, 29)


@pytest.mark.parametrize("start", range(1, 13))
@pytest.mark.parametrize(("length", "period"), [("quarter", "2027-Q1"), ("month", "2027-01")])
def test_the_days_of_a_period_are_those_that_name_it(start, length, period):
    calendar = AGREEMENT.calendar.model_copy(update={"fiscal_year_start": start, "period": length})
    for _ in range(26):
        first, last = period_days(period, calendar)
        assert period_of_day(first, calendar) == period_of_day(last, calendar) == period
        following = next_period(period)
        assert (period_days(following, calendar)[0] - last).days == 1
        period = following
