"""What a night saves by looking again only where people changed.

`python -m benchmarks.identity_nights [--size N]`.

On `worlds_matching.py`'s hard world, a share of whose records gets another telephone, town, address
or family name, and a tenth as many of whose records go. Both ways must link the same.
"""

import argparse
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from agreement.frames import (
    Accounts,
    Aliases,
    Crosswalk,
    DealRecords,
    Examined,
    MatchDecisions,
    People,
    empty,
)
from agreement.policy import load_agreement
from benchmarks.worlds_matching import world
from flows.calc_match import shipped_model
from transforms.identity import Reconciled, reconcile

SEED = 7
SHARES = (0.0, 0.001, 0.01, 0.05)
_PEOPLE_PER_RECORD = 1.31
_CHANGED = ("phone", "city", "email", "last_name")
_NIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def main() -> None:
    """Print CPU seconds of nights that look at some and at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000, help="records a side")
    size = parser.parse_args().size
    people = _people(size)
    first, seconds = _night(people, None)
    print(f"hard world, {len(people):,} records, {len(first.reviews):,} pairs wait")
    print(f"first night: {seconds:.1f} CPU s")
    print(f"{'changed':>8}  {'some, s':>8}  {'all, s':>8}  {'times':>6}  rows that differ")
    for share in SHARES:
        changed = _changed(people, share)
        some, short = _night(changed, first)
        every, long = _night(changed, first, looks_at_all=True)
        differ = len(some.crosswalk.compare(every.crosswalk)) + len(
            some.reviews.compare(every.reviews)
        )
        print(f"{share:>8.1%}  {short:>8.1f}  {long:>8.1f}  {long / short:>6.1f}  {differ:,}")


def _people(size: int) -> pd.DataFrame:
    """Put both tables of the world into one, as a night has them."""
    hubspot, salesforce, _, _ = world("hard", int(size * _PEOPLE_PER_RECORD), SEED)
    types = {name: str(dtype) for name, dtype in empty(People).dtypes.items()}
    sides = [
        side.assign(system=system, kind=kind)
        for side, system, kind in (
            (hubspot, "hubspot", "contact"), (salesforce, "salesforce", "lead")
        )
    ]  # fmt: skip
    both = pd.concat(sides, ignore_index=True).reindex(columns=list(types))
    created = pd.Timestamp("2026-01-01", tz="UTC")
    return People.validate(both.assign(is_opted_out=False, created_at=created).astype(types))


def _changed(people: pd.DataFrame, share: float) -> pd.DataFrame:
    """Give some records another's value in one field, and leave a tenth as many out."""
    rng = np.random.default_rng(SEED)
    rows = rng.choice(len(people), int(len(people) * share), replace=False)
    after = people.copy()
    for name, some in zip(_CHANGED, np.array_split(rows, len(_CHANGED)), strict=True):
        others = rng.choice(len(people), len(some), replace=False)
        after.loc[some, name] = people[name].to_numpy()[others]
    return after.drop(index=rng.choice(len(people), len(rows) // 10, replace=False))


def _night(
    people: pd.DataFrame, before: Reconciled | None, *, looks_at_all: bool = False
) -> tuple[Reconciled, float]:
    start = time.process_time()
    found = reconcile(
        people,
        empty(Aliases),
        empty(Accounts),
        empty(DealRecords),
        policy=load_agreement().identity,
        model=shipped_model(),
        decisions=empty(MatchDecisions),
        previous=before.crosswalk if before else empty(Crosswalk),
        now=_NIGHT,
        waiting=before.reviews if before else None,
        examined=before.examined if before and not looks_at_all else empty(Examined),
    )
    return found, time.process_time() - start


if __name__ == "__main__":
    main()
