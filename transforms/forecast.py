"""Expected won volume by month: open deals by stage, at the rate at which such deals were won."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
from scipy.special import betaincinv

from agreement.frames import DataFrame, DealRecords, Deals, StageChanges, lookup

_PPM = 1_000_000
# Months that stand on their own; what is expected after them is one row.
_MONTHS = 6
LATER = "later"
# Half the distance that holds 95 of 100 draws of a normal distribution, in standard deviations.
_NORMAL_95 = 1.959963984540054
# Jeffreys' prior: half a won and half a lost deal beside those that ended.
_PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class StageRate:
    """How many of the ended deals that ever stood in a stage were won; `stage` None is all of them.

    `share_ppm` is the expected rate, `low_ppm` to `high_ppm` holds it in 95 of 100 cases.
    """

    stage: str | None
    ended_count: int
    won_count: int
    share_ppm: int
    low_ppm: int
    high_ppm: int


@dataclass(frozen=True, slots=True)
class Month:
    """What a month is expected to bring, in company minor units; `month` is such as 2027-03.

    `won_minor` is won already; `expected_minor` holds it and what open deals are worth at their
    rates, `low_minor` to `high_minor` in 95 of 100 cases.
    """

    month: str
    won_minor: int
    open_count: int
    open_minor: int
    expected_minor: int
    low_minor: int
    high_minor: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What follows by month from the rates of the stages that open deals stand in.

    The first rate is that of all deals. Nothing of both where no deal has ended yet.
    """

    rates: tuple[StageRate, ...]
    months: tuple[Month, ...]


def forecast(
    deals: DataFrame[Deals],
    deal_records: DataFrame[DealRecords],
    stage_changes: DataFrame[StageChanges],
    now: datetime,
    zone: str,
) -> Forecast:
    """Expect won volume by month from open deals, with a range; the same input gives the same.

    Method. A stage's rate is won / ended over all deals that ended and ever stood in it, by stage
    history, with half a won and half a lost deal added (Jeffreys' prior); a stage of which none
    ended yet goes by the rate of all. An open deal counts in the month of its close date, one that
    is overdue in the running month of `zone`, one after six months as `later`. A month's
    expectation is what is won in it already, by close date, plus each open amount times its rate;
    close dates are taken at their word.
    The range takes in both that the deals may end either way and that a rate is known from few
    deals: it is the normal one around the expectation, cut at what winning all or none would bring.
    Deals are taken as independent, given the rates; blank amounts count 0.
    """
    rates = stage_rates(deals, stage_changes)
    if not rates:
        return Forecast((), ())
    today = now.astimezone(ZoneInfo(zone)).date()
    months = [str(month) for month in pd.period_range(f"{today:%Y-%m}", periods=_MONTHS, freq="M")]
    ours = deal_records[deal_records["system"] == "salesforce"].drop_duplicates("record_id")
    open_deals = deals[deals["state"] == "open"]
    stage = lookup(open_deals["record_id"], ours.set_index("record_id")["stage"])
    rows = open_deals.assign(month=_month(open_deals["closed_on"], months), stage=stage)
    won = deals[deals["state"] == "won"]
    won_by_month = won.groupby(won["closed_on"].str.slice(0, 7))["company_minor"].sum()
    known = {rate.stage: rate for rate in rates}
    shown = [*months, *([LATER] if (rows["month"] == LATER).any() else [])]
    return Forecast(
        tuple(rate for rate in rates if rate.stage is None or (stage == rate.stage).any()),
        tuple(
            _expected(name, rows[rows["month"] == name], int(won_by_month.get(name, 0)), known)
            for name in shown
        ),
    )


def stage_rates(
    deals: DataFrame[Deals], stage_changes: DataFrame[StageChanges]
) -> tuple[StageRate, ...]:
    """Give the rate of all ended deals (stage None), then by stage, sorted; none: no deal ended."""
    ended = deals.loc[deals["state"] != "open", ["record_id", "state"]]
    if ended.empty:
        return ()
    is_stage = (stage_changes["kind"] == "opportunity") & (stage_changes["field"] == "stage")
    stood = stage_changes.loc[is_stage, ["record_id", "value"]].dropna().drop_duplicates()
    rows = stood.merge(ended, on="record_id")
    counted = (rows["state"] == "won").groupby(rows["value"]).agg(["size", "sum"])
    stages = [
        _rate(str(stage), int(size), int(won))
        for stage, size, won in zip(counted.index, counted["size"], counted["sum"], strict=True)
    ]
    whole = _rate(None, len(ended), int((ended["state"] == "won").sum()))
    return (whole, *stages)


def _rate(stage: str | None, ended: int, won: int) -> StageRate:
    wins, losses = won + _PRIOR, ended - won + _PRIOR
    low, high = (float(betaincinv(wins, losses, part)) for part in (0.025, 0.975))
    share = wins / (wins + losses)
    return StageRate(stage, ended, won, *(round(value * _PPM) for value in (share, low, high)))


def _month(closed_on: pd.Series, months: list[str]) -> pd.Series:
    """Name each open deal's month; an overdue or missing date falls into the running one."""
    own = closed_on.str.slice(0, 7).fillna(months[0])
    own = own.mask(own < months[0], months[0])
    return own.mask(own > months[-1], LATER).astype("str")


def _expected(
    name: str, rows: pd.DataFrame, won_minor: int, rates: Mapping[str | None, StageRate]
) -> Month:
    rate_of = [rates.get(stage, rates[None]) for stage in rows["stage"].astype(object)]
    terms = pd.DataFrame(
        {
            "amount": rows["company_minor"].to_numpy(dtype="float64"),
            "rate": [rate.stage or "" for rate in rate_of],
            "wins": [rate.won_count + _PRIOR for rate in rate_of],
            "ended": [rate.ended_count + 2 * _PRIOR for rate in rate_of],
        }
    )
    amounts, share = terms["amount"], terms["wins"] / terms["ended"]
    expected = won_minor + float((amounts * share).sum())
    spread = _NORMAL_95 * _variance(terms) ** 0.5
    return Month(
        month=name,
        won_minor=won_minor,
        open_count=len(rows),
        open_minor=int(rows["company_minor"].sum()),
        expected_minor=round(expected),
        low_minor=round(max(won_minor + float(amounts[amounts < 0].sum()), expected - spread)),
        high_minor=round(min(won_minor + float(amounts[amounts > 0].sum()), expected + spread)),
    )


def _variance(terms: pd.DataFrame) -> float:
    """Give the variance of what is won: each deal's own, and that of the rate it shares."""
    share = terms["wins"] / terms["ended"]
    own = terms["amount"] ** 2 * share * (1 - share)
    sums = terms.assign(square=terms["amount"] ** 2).groupby("rate")[["amount", "square"]].sum()
    rates = terms.assign(share=share).drop_duplicates("rate").set_index("rate")
    of_rate = rates["share"] * (1 - rates["share"]) / (rates["ended"] + 1)
    shared = (sums["amount"] ** 2 - sums["square"]) * of_rate
    return float(own.sum() + shared.sum())
