"""One pool for both teams: what a period earns, who gets which part, and what is not posted yet.

Exactly rules.md, section 3. Everything is whole minor units of company currency; attainment and
multiplier are exact fractions, written as text such as 329/200.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction

import numpy as np
import pandas as pd

from agreement.frames import (
    Credits,
    DataFrame,
    DealPeople,
    DealRewards,
    Deals,
    HandoffStatus,
    Pools,
    Postings,
    Rewards,
    as_text,
    empty,
)
from agreement.money import divide_half_even, split_by_group
from agreement.periods import periods_between
from agreement.policy import Calendar, RewardRules, Targets
from transforms.ledger import HOUSE, with_accounts

UNKNOWN = "unknown"
Split = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Extras:
    """What is added for people: members of teams, caps, spiffs, holdback (rules W7, W8).

    `teams` gives each team's members and their weights; `caps_minor` what a participant can earn
    from the pool of a period at most; `spiffs_minor` fixed amounts on top per participant.
    """

    teams: Split = field(default_factory=dict)
    caps_minor: Mapping[str, int] = field(default_factory=dict)
    spiffs_minor: Mapping[str, int] = field(default_factory=dict)
    holdback: Fraction = Fraction(0)


NO_EXTRAS = Extras()


def multiplier(attainment: Mapping[str, Fraction], rules: RewardRules) -> Fraction:
    """Turn both teams' attainment (actual / target, not yet capped) into the pool's multiplier.

    Rules W2 to W5: capped, gated, joined, accelerated above target, capped again. At the gate is
    not under it.
    """
    capped = [min(share, Fraction(rules.attainment_cap)) for share in attainment.values()]
    if min(capped) < Fraction(rules.gate):
        return Fraction(0)
    joint = min(capped) if rules.joint == "lower" else _product(capped)
    if joint > 1:
        joint = 1 + Fraction(rules.accelerator) * (joint - 1)
    return min(joint, Fraction(rules.multiplier_cap))


def _product(shares: Sequence[Fraction]) -> Fraction:
    result = Fraction(1)
    for share in shares:
        result *= share
    return result


def pool_minor(revenue_minor: int, factor: Fraction, rules: RewardRules) -> int:
    """Give the pool of won revenue under a multiplier, halves to the even unit (W6)."""
    return round(Fraction(rules.rate) * revenue_minor * factor)


def pools(
    deals: DataFrame[Deals],
    status: DataFrame[HandoffStatus],
    deal_people: DataFrame[DealPeople],
    rules: RewardRules,
    targets: Targets,
    effective: date,
    calendar: Calendar,
    digits: int,
    now: datetime,
) -> DataFrame[Pools]:
    """Compute the pool of each period that started on or after `effective` and has begun by `now`.

    One row per period, in order. Sales' actual is won revenue; marketing's is won revenue of deals
    with a person whom marketing handed over and sales accepted. Both in company minor units.
    """
    accepted = status.loc[status["answer"] == "accepted", "person_id"]
    handed = deal_people.loc[deal_people["person_id"].isin(accepted), "deal_id"]
    won = deals[deals["state"] == "won"]
    sales = won.groupby("period")["company_minor"].sum()
    marketing = won[won["deal_id"].isin(handed)].groupby("period")["company_minor"].sum()
    today = now.astimezone(calendar.zone_info).date()
    rows = []
    for period in periods_between(effective, today, calendar.fiscal_year_start):
        revenue = int(sales.get(period, 0))
        shares = {
            "marketing": _attained(int(marketing.get(period, 0)), targets.marketing, digits),
            "sales": _attained(revenue, targets.sales, digits),
        }
        factor = multiplier(shares, rules)
        rows.append((period, revenue, str(min(shares.values())), str(factor), factor))
    return _pool_table(rows, rules)


def _attained(actual_minor: int, target: object, digits: int) -> Fraction:
    return Fraction(actual_minor, 10**digits) / Fraction(str(target))


def _pool_table(
    rows: Sequence[tuple[str, int, str, str, Fraction]], rules: RewardRules
) -> DataFrame[Pools]:
    if not rows:
        return Pools.validate(empty(Pools), lazy=True)
    period, revenue, attainment, factor, exact = zip(*rows, strict=True)
    amounts = [pool_minor(minor, share, rules) for minor, share in zip(revenue, exact, strict=True)]
    return Pools.validate(
        pd.DataFrame(
            {
                "period": as_text(list(period)),
                "revenue_minor": np.array(revenue, dtype=np.int64),
                "attainment": as_text(list(attainment)),
                "multiplier": as_text(list(factor)),
                "pool_minor": np.array(amounts, dtype=np.int64),
            }
        ),
        lazy=True,
    )


def rewards(
    pools: DataFrame[Pools],
    shared: DataFrame[Credits],
    deals: DataFrame[Deals],
    extras: Extras = NO_EXTRAS,
) -> DataFrame[Rewards]:
    """Split each period's pool over the teams by their shared credit in its won deals.

    One row per period, participant and component, sorted; rows of zero are left out.
    """
    won = deals.loc[deals["state"] == "won", ["deal_id", "period"]]
    earned = shared.merge(won, on="deal_id")
    credit = (
        earned.groupby(["period", "team"], as_index=False)["credit_minor"]
        .sum()
        .rename(columns={"period": "computed_for", "team": "participant"})
    )
    amounts = pd.Series(pools["pool_minor"].to_numpy(), index=pools["period"].to_numpy())
    return desired(amounts, credit, extras)


def desired(
    pool_by_period: pd.Series, credit: pd.DataFrame, extras: Extras = NO_EXTRAS
) -> DataFrame[Rewards]:
    """Give what each participant should have per component (W7, W8).

    Args:
        pool_by_period: pool in minor units, indexed by the period it was computed for.
        credit: `computed_for`, `participant`, `credit_minor`; `unknown` becomes the house. Rows of
            one participant add up; credits of a period add up to its revenue.
        extras: members, caps, spiffs, holdback.

    One row per period, participant and component, sorted; rows of zero are left out. Components of
    a period without spiffs add up to its pool.
    """
    shares = _split_pool(pool_by_period, credit)
    if extras.teams:
        shares = _split_teams(shares, extras.teams)
    return _components(shares, pool_by_period.index, extras)


def _split_pool(pool_by_period: pd.Series, credit: pd.DataFrame) -> pd.DataFrame:
    """Split pools by credit, ties by participant id; a period of negative revenue mirrors."""
    named = credit.assign(participant=credit["participant"].replace(UNKNOWN, HOUSE))
    weights = (
        named[named["computed_for"].isin(pool_by_period.index)]
        .groupby(["computed_for", "participant"], as_index=False)["credit_minor"]
        .sum()
        .sort_values(["computed_for", "participant"], ignore_index=True)
    )
    whole = weights.groupby("computed_for")["credit_minor"].transform("sum")
    weights = weights[whole != 0].reset_index(drop=True)
    signed = weights["credit_minor"] * np.sign(whole[whole != 0].to_numpy())
    group, periods = pd.factorize(weights["computed_for"])
    totals = pool_by_period.reindex(periods).to_numpy(dtype=np.int64)
    minor = split_by_group(totals, group, signed.to_numpy(dtype=np.int64))
    return weights.assign(minor=minor)[["computed_for", "participant", "minor"]]


def _split_teams(shares: pd.DataFrame, teams: Split) -> pd.DataFrame:
    """Split each team's share again over its members by their weights, ties by member id."""
    members = pd.DataFrame(
        [
            (team, member, weight)
            for team, weights in teams.items()
            for member, weight in sorted(weights.items())
        ],
        columns=["participant", "member", "weight"],
    )
    is_team = shares["participant"].isin(members["participant"])
    of_teams = shares[is_team].reset_index(drop=True)
    rows = of_teams.assign(place=of_teams.index).merge(members, on="participant")
    rows = rows.sort_values(["place", "member"], ignore_index=True)
    minor = split_by_group(
        of_teams["minor"].to_numpy(dtype=np.int64),
        rows["place"].to_numpy(),
        rows["weight"].to_numpy(dtype=np.int64),
    )
    split = rows.assign(participant=rows["member"], minor=minor)
    both = pd.concat([shares[~is_team], split[["computed_for", "participant", "minor"]]])
    return both.groupby(["computed_for", "participant"], as_index=False)["minor"].sum()


def _components(shares: pd.DataFrame, periods: pd.Index, extras: Extras) -> DataFrame[Rewards]:
    is_house = shares["participant"] == HOUSE
    cap = _lookup(shares["participant"], extras.caps_minor).mask(is_house)
    excess = (shares["minor"] - cap).clip(lower=0).fillna(0).astype("int64")
    after_cap = shares["minor"] - excess
    holdback = _part_of(after_cap, extras.holdback).where(~is_house, 0)
    pieces = [
        _rows(shares, "pool", after_cap - holdback),
        _rows(shares, "pool_held", holdback),
        _rows(shares.assign(participant=HOUSE), "cap_excess", excess),
        _spiffs(periods, extras.spiffs_minor),
    ]
    every = pd.concat([piece for piece in pieces if len(piece)] or [_rows(shares, "pool", excess)])
    keys = ["computed_for", "participant", "component"]
    summed = every.groupby(keys, as_index=False)["reward_minor"].sum()
    return Rewards.validate(
        summed[summed["reward_minor"] != 0].sort_values(keys, ignore_index=True), lazy=True
    )


def _lookup(names: pd.Series, minor: Mapping[str, int]) -> pd.Series:
    """Give each name's amount, missing where it has none."""
    amounts = pd.Series(list(minor.values()), index=list(minor), dtype="Int64")
    return pd.Series(amounts.reindex(names.to_numpy()).to_numpy(), names.index, dtype="Int64")


def _part_of(minor: pd.Series, share: Fraction) -> pd.Series:
    """Give an exact share of each amount, halves to the even unit."""
    numerators = minor.to_numpy().astype(object) * share.numerator
    denominators = np.full(len(minor), share.denominator, dtype=object)
    return pd.Series(divide_half_even(numerators, denominators), index=minor.index)


def _rows(shares: pd.DataFrame, component: str, minor: pd.Series) -> pd.DataFrame:
    named = shares[["computed_for", "participant"]].assign(reward_minor=minor.astype("int64"))
    named = named.astype({"computed_for": "str", "participant": "str"})
    return named.assign(component=pd.Series(component, index=named.index, dtype="str"))[
        list(Rewards.to_schema().columns)
    ]


def _spiffs(periods: pd.Index, spiffs_minor: Mapping[str, int]) -> pd.DataFrame:
    pairs = [(period, who, minor) for period in periods for who, minor in spiffs_minor.items()]
    frame = pd.DataFrame(pairs, columns=["computed_for", "participant", "minor"])
    return _rows(frame, "spiff", frame["minor"]) if pairs else frame


def deal_rewards(
    desired: DataFrame[Rewards], shared: DataFrame[Credits], deals: DataFrame[Deals]
) -> DataFrame[DealRewards]:
    """Say which part of each team's pool share every won deal carries.

    One row per period, deal and participant, sorted. The rows of a participant add up to its share
    of the period's pool exactly (largest remainder, ties by deal id), so that sums of the deals'
    fields in a CRM equal the ledger's totals.
    """
    won = deals.loc[deals["state"] == "won", ["deal_id", "period"]]
    carried = shared.merge(won, on="deal_id")
    carried["participant"] = carried["team"].replace(UNKNOWN, HOUSE)
    keys = ["period", "participant"]
    rows = carried.groupby([*keys, "deal_id"], as_index=False)["credit_minor"].sum()
    pool = desired[desired["component"].isin(["pool", "pool_held", "cap_excess"])]
    shares = pool.groupby(["computed_for", "participant"], as_index=False)["reward_minor"].sum()
    rows = rows.merge(shares.rename(columns={"computed_for": "period"}), on=keys)
    whole = rows.groupby(keys)["credit_minor"].transform("sum")
    rows = rows.assign(weight=rows["credit_minor"] * np.sign(whole))[whole != 0]
    rows = rows.sort_values([*keys, "deal_id"], ignore_index=True)
    group = rows.groupby(keys, sort=False).ngroup().to_numpy()
    totals = rows.drop_duplicates(keys)["reward_minor"].to_numpy(dtype=np.int64)
    minor = split_by_group(totals, group, rows["weight"].to_numpy(dtype=np.int64))
    return DealRewards.validate(
        rows.assign(computed_for=rows["period"], reward_minor=minor)[
            list(DealRewards.to_schema().columns)
        ].astype({"computed_for": "str", "deal_id": "str", "participant": "str"}),
        lazy=True,
    )


def postings_due(
    desired: DataFrame[Rewards], posted: pd.DataFrame, posting_period: str
) -> DataFrame[Postings]:
    """Give desired minus posted, where it is not zero, as postings in the open period.

    Args:
        desired: what should stand, per period, participant and component.
        posted: `computed_for`, `participant`, `component`, `reward_minor`; rows of one key add up.
            Only components of the calculation are looked at: paying is an event of its own.
        posting_period: the open period, in which corrections of earlier ones stand too.

    Sorted by period, participant, component. Running it again on the result gives nothing.
    """
    keys = ["computed_for", "participant", "component"]
    calculated = posted[posted["component"].isin(["pool", "pool_held", "cap_excess", "spiff"])]
    want = desired.groupby(keys)["reward_minor"].sum()
    have = calculated.groupby(keys)["reward_minor"].sum()
    due = want.sub(have, fill_value=0).astype("int64")
    due = due[due != 0].rename("reward_minor").reset_index().sort_values(keys, ignore_index=True)
    texts = due.astype(dict.fromkeys(keys, "str"))
    period = pd.Series(posting_period, index=due.index, dtype="str")
    return with_accounts(texts.assign(posting_period=period))
