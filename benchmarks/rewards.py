"""Rewards of 10,000 people over 40 quarters and 200,000 deals: calculate and post, then run again.

`python -m benchmarks.rewards`. The company is made here, seeded: 5,000 won deals a quarter with
three touches each, two teams of 5,000 members with weights, caps and holdback. The ledger is a real
one, in SQLite: entries chained by hash, changes of credit beside them. A second run posts nothing.
"""

import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from agreement.frames import (
    Credits,
    DataFrame,
    DealPeople,
    Deals,
    HandoffStatus,
    Rates,
    as_text,
    as_utc,
    empty,
)
from agreement.periods import period_days
from agreement.policy import load_agreement
from agreement.terms import Participants, Terms
from benchmarks.measure import Figures, line, peak_mib
from connectors.clock import utc_now
from connectors.store import Store
from flows.reward_terms import Money, due, live_terms, post_due
from transforms import rewards

QUARTERS = [f"{year}-Q{quarter}" for year in range(2027, 2037) for quarter in range(1, 5)]
DEALS, TOUCHES, MEMBERS = 200_000, 3, 5_000


def main() -> None:
    terms, shared, deals = company()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        for name in ("calculate and post", "run again, posting nothing"):
            with closing(Store.open(url)) as store:
                figures = one_run(store, terms, shared, deals)
            posted, entries = figures.result
            note = f"{posted:,} postings, {entries:,} in the ledger"
            line(f"tandem: {name}", figures, note)
        with closing(Store.open(url)) as store:
            start = time.process_time()
            broken = store.first_broken_posting()
            line("tandem: recompute the chain", Figures(time.process_time() - start, peak_mib()))
            if broken is not None:
                raise SystemExit(f"entry {broken} does not fit")


def one_run(
    store: Store, terms: list[Terms], shared: DataFrame[Credits], deals: DataFrame[Deals]
) -> Figures:
    """Do what a night does with rewards, from deals and credit to the committed ledger."""
    start = time.process_time()
    calculation = rewards.calculate(terms, shared, deals)
    reached = rewards.attained_deals(deals, empty(HandoffStatus), empty(DealPeople))
    lacking = due(calculation, reached, set(), store.posted(), store.reward_credits())
    posted = post_due(store, "run-1", lacking, utc_now(), utc_now())
    seconds = time.process_time() - start
    return Figures(seconds, peak_mib(), (posted, len(store.postings())))


def company() -> tuple[list[Terms], DataFrame[Credits], DataFrame[Deals]]:
    """Make terms, credit and deals, the same on every machine."""
    random = np.random.default_rng(7)
    agreement = load_agreement()
    weights = random.integers(1, 100, (2, MEMBERS)).tolist()
    people = Participants.model_validate(
        {
            "teams": {
                team: {f"{team[0]}-{number}": str(weight) for number, weight in enumerate(of)}
                for team, of in zip(("marketing", "sales"), weights, strict=True)
            },
            "caps": {f"s-{number}": "500" for number in range(0, MEMBERS, 10)},
        }
    )
    rates = Rates.validate(
        pd.DataFrame({"currency": ["USD"], "starts_on": ["0001-01-01"], "rate": ["1"]}).astype(
            "str"
        )
    )
    money = Money("USD", 2, rates)
    reached = {"marketing": 80_000_000, "sales": 115_000_000}
    terms = [live_terms(each, agreement, people, money, reached) for each in QUARTERS]
    amounts = random.integers(100, 10_000_000, DEALS)
    deals = _deals(amounts)
    return terms, _credits(random, amounts, deals["deal_id"]), deals


def _deals(amounts: np.ndarray) -> DataFrame[Deals]:
    quarter = [QUARTERS[number % len(QUARTERS)] for number in range(DEALS)]
    day = {name: period_days(name, load_agreement().calendar)[0].isoformat() for name in QUARTERS}
    identity = as_text([f"deal-{number:06}" for number in range(DEALS)])
    missing = as_utc(pd.Series([None] * DEALS, dtype=object))
    frame = empty(Deals).reindex(range(DEALS))
    frame = frame.assign(
        deal_id=identity,
        record_id=identity,
        state="won",
        currency="USD",
        amount_minor=amounts,
        company_minor=amounts,
        is_blank=False,
        created_at=missing,
        lead_created_at=missing,
        closed_on=[day[name] for name in quarter],
        closed_at=missing,
        credited_at=missing,
        period=quarter,
    )
    return Deals.validate(frame.astype(empty(Deals).dtypes.to_dict()), lazy=True)


def _credits(
    random: np.random.Generator, amounts: np.ndarray, identity: pd.Series
) -> DataFrame[Credits]:
    part = amounts // TOUCHES
    minor = np.repeat(part, TOUCHES)
    minor[::TOUCHES] += amounts - part * TOUCHES
    team = random.choice(["marketing", "sales", "unknown"], DEALS * TOUCHES, p=[0.45, 0.5, 0.05])
    frame = empty(Credits).reindex(range(DEALS * TOUCHES))
    frame = frame.assign(
        model="linear",
        deal_id=np.repeat(identity.to_numpy(), TOUCHES),
        channel="call",
        team=team,
        weight=1 / TOUCHES,
        credit_minor=minor,
        credit_deal_minor=minor,
    )
    return Credits.validate(frame.astype(empty(Credits).dtypes.to_dict()), lazy=True)


if __name__ == "__main__":
    main()
