"""Any sequence of nights, deal changes, closes and payments keeps the ledger's laws."""

import shutil
import tempfile
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agreement.periods import next_period, period_days
from agreement.policy import load_agreement
from agreement.terms import Participants
from connectors.store import Store
from flows import rewards
from tests.office import Office, agreed
from tests.reference import rewards as reference
from transforms.ledger import account_balances

DEALS = ("A", "B", "C", "D")
CALENDAR = load_agreement().calendar
PLAN = {
    "gate": "0.70",
    "attainment_cap": "1.5",
    "accelerator": "1.5",
    "multiplier_cap": "2",
}
PEOPLE = Participants.model_validate(
    {
        "teams": {"sales": {"s-1": "2", "s-2": "1"}},
        "caps": {"s-1": "1.50"},
        "spiffs": [{"period": "2026-Q2", "participant": "s-2", "amount": "0.07"}],
    }
)
credit = st.integers(-4_000, 14_000)
deal = st.tuples(
    st.sampled_from(DEALS),
    st.integers(0, 200),
    st.dictionaries(st.sampled_from(["marketing", "sales", "unknown"]), credit, min_size=1),
    st.booleans() | st.just(True),
)


class Company(RuleBasedStateMachine):
    """Time only goes forward; a reference knows what each period should have, in plain loops."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.open(f"sqlite:///{self.folder}/tandem.db")
        self.office = Office(self.store, agreed(), PEOPLE)
        self.today = date(2026, 5, 15)
        self.attained = {}
        self.closed_hashes = {}
        self.paid = []

    @initialize(given=st.lists(deal, min_size=1, max_size=4))
    def first_night(self, given):
        for each in given:
            self.win(*each)
        self.night()

    def win(self, name, back, credit, accepted):
        day = max(date(2026, 1, 1), self.today - timedelta(days=back))
        self.office.win(name, day.isoformat(), accepted=accepted, **credit)

    def night(self):
        """Every night is run twice: the second has to post nothing."""
        self.office.night(self.today.isoformat())
        assert self.office.night(self.today.isoformat()) == 0
        self.check_against_the_reference()

    @rule(days=st.integers(20, 100))
    def let_time_pass(self, days):
        self.today += timedelta(days=days)
        self.night()

    @rule(given=deal)
    def change_a_deal(self, given):
        self.win(*given)
        self.night()

    @rule(name=st.sampled_from(DEALS))
    def cancel_a_deal(self, name):
        self.office.lose(name)
        self.night()

    def first_open(self):
        return next_period(max(self.closed_hashes)) if self.closed_hashes else "2026-Q1"

    @precondition(lambda self: period_days(self.first_open(), CALENDAR)[1] < self.today)
    @rule()
    def close_the_first_open_period(self):
        period = self.first_open()
        self.attained[period] = self.live_attainment(period)
        self.office.close(period, self.today.isoformat())
        closed = self.store.closed_periods()[period]
        self.closed_hashes[period] = closed.content_hash

    @precondition(lambda self: len(self.paid) < len(self.closed_hashes))
    @rule()
    def pay_the_next_closed_period(self):
        period = sorted(self.closed_hashes)[len(self.paid)]
        exported = rewards.payroll_of(self.store, period)
        assert self.office.pay(period, self.today.isoformat()) == exported
        self.paid.append(period)
        of_period = rewards.books(self.store, period)
        unmet = [each for each in rewards.tie_out(self.store, of_period) if not each.is_met]
        assert unmet == []

    def live_attainment(self, period):
        of = [
            (sum(credit.values()), accepted)
            for closed_on, credit, accepted in self.office.deals.values()
            if quarter(closed_on) == period
        ]
        actual = {
            "marketing": sum(amount for amount, accepted in of if accepted),
            "sales": sum(amount for amount, _ in of),
        }
        return {team: Fraction(minor, 10_000) for team, minor in actual.items()}

    def check_against_the_reference(self):
        periods = list(self.store.found_periods())
        posted = self.store.posted()
        for period in periods:
            attained = self.attained.get(period) or self.live_attainment(period)
            credit = {"marketing": 0, "sales": 0, "unknown": 0}
            for closed_on, given, _ in self.office.deals.values():
                if quarter(closed_on) == period:
                    for team, minor in given.items():
                        credit[team] += minor
            factor = reference.multiplier(attained, PLAN)
            pool = reference.half_even(Fraction("0.02") * sum(credit.values()) * factor)
            wanted = reference.wanted(
                pool,
                credit,
                {"sales": {"s-1": 2, "s-2": 1}},
                {"s-1": 150},
                {"s-2": 7} if period == "2026-Q2" else {},
                Fraction(1, 4),
            )
            rows = posted[(posted["computed_for"] == period) & (posted["reward_minor"] != 0)]
            rows = rows[rows["component"].isin(["pool", "pool_held", "cap_excess", "spiff"])]
            keys = zip(rows["participant"], rows["component"], strict=True)
            found = dict(zip(keys, rows["reward_minor"].tolist(), strict=True))
            assert found == wanted, period
            assert sum(minor for (_, what), minor in found.items() if what != "spiff") == pool
        assert int(account_balances(self.store.postings()).sum()) == 0

    def teardown(self):
        verdict = rewards.verify(self.store)
        assert verdict["faults"] == []
        self.store.close()
        shutil.rmtree(self.folder)

    @invariant()
    def closed_periods_never_change(self):
        for period, digest in self.closed_hashes.items():
            assert self.store.period_hash(self.store.closed_periods()[period]) == digest


def quarter(closed_on):
    return f"{closed_on[:4]}-Q{(int(closed_on[5:7]) - 1) // 3 + 1}"


TestCompany = pytest.mark.slow(Company.TestCase)
TestCompany.settings = settings(max_examples=16, stateful_step_count=10, deadline=None)
