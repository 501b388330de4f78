"""One pool for both teams: what a period earns, who gets which part, and what is not posted yet.

Exactly rules.md, section 3. Everything is whole minor units of company currency; attainment and
multiplier are exact fractions, written as text such as 329/200.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pandas as pd

from agreement.frames import (
    AttainedDeals,
    Credits,
    DataFrame,
    DealPeople,
    DealRewards,
    Deals,
    HandoffStatus,
    Pools,
    Postings,
    RewardCredits,
    Rewards,
    as_text,
    empty,
    lookup,
)
from agreement.money import divide_half_even, split_by_group
from agreement.policy import RewardRules
from agreement.terms import HOUSE, Terms
from transforms.ledger import with_accounts

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


def attained_deals(
    deals: DataFrame[Deals], status: DataFrame[HandoffStatus], deal_people: DataFrame[DealPeople]
) -> DataFrame[AttainedDeals]:
    """Say of every won deal whom marketing handed over and sales accepted, if anyone.

    One row per won deal, by period and deal id. The first accepted handoff counts: by start, then
    by id.
    """
    accepted = status[status["answer"] == "accepted"].sort_values(["started_at", "handoff_id"])
    handed = (
        deal_people[["deal_id", "person_id"]]
        .merge(accepted[["person_id", "handoff_id", "started_at"]], on="person_id")
        .sort_values(["started_at", "handoff_id"])
        .drop_duplicates("deal_id")
    )
    won = deals[deals["state"] == "won"]
    rows = won.merge(handed[["deal_id", "handoff_id", "person_id"]], on="deal_id", how="left")
    ordered = rows.sort_values(["period", "deal_id"], ignore_index=True)
    return AttainedDeals.validate(ordered[list(AttainedDeals.to_schema().columns)], lazy=True)


def actuals(attained: DataFrame[AttainedDeals]) -> dict[str, dict[str, int]]:
    """Add up each period's actual per team, in company minor units.

    Sales' is won revenue, marketing's the won revenue of deals with an accepted handoff.
    """
    of_marketing = attained["company_minor"].where(attained["handoff_id"].notna(), 0)
    sums = (
        pd.DataFrame({"marketing": of_marketing, "sales": attained["company_minor"]})
        .groupby(attained["period"])
        .sum()
    )
    return {
        str(period): {str(team): int(minor) for team, minor in row.items()}
        for period, row in sums.to_dict("index").items()
    }


@dataclass(frozen=True)
class Calculation:
    """What a set of periods earns.

    `team_rewards` are the teams' shares of the pools before members, caps and holdback, with the
    house's; `rewards` is what the ledger should hold; `credits` is what both stand on.
    """

    terms: Mapping[str, Terms]
    pools: DataFrame[Pools]
    team_rewards: DataFrame[Rewards]
    rewards: DataFrame[Rewards]
    deal_rewards: DataFrame[DealRewards]
    credits: DataFrame[RewardCredits]


def calculate(
    terms: Sequence[Terms], shared: DataFrame[Credits], deals: DataFrame[Deals]
) -> Calculation:
    """Compute the pools of the periods with terms, and who gets which part.

    `shared` are credits of the model that pays; deals of other periods are left aside.
    """
    by_period = {each.period: each for each in sorted(terms, key=lambda each: each.period)}
    behind = reward_credits(shared, deals)
    behind = behind[behind["computed_for"].isin(list(by_period))].reset_index(drop=True)
    return calculate_from(by_period, RewardCredits.validate(behind, lazy=True))


def calculate_from(
    by_period: Mapping[str, Terms], credits: DataFrame[RewardCredits]
) -> Calculation:
    """Compute pools and their parts from the credit that each period's deals stand on."""
    revenue = credits.groupby("computed_for")["credit_minor"].sum()
    pools = pool_table(by_period, {str(name): int(minor) for name, minor in revenue.items()})
    amounts = pd.Series(pools["pool_minor"].to_numpy(), index=pools["period"].to_numpy())
    by_team = credits.rename(columns={"team": "participant"})
    shares = _split_pool(amounts, by_team)
    team_rewards = _as_rewards([_rows(shares, "pool", shares["minor"])])
    pieces = [
        desired(amounts[amounts.index.isin(periods)], by_team, extras)
        for periods, extras in _same_extras(by_period)
    ]
    return Calculation(
        terms=by_period,
        pools=pools,
        team_rewards=team_rewards,
        rewards=_as_rewards(pieces),
        deal_rewards=deal_rewards(team_rewards, credits),
        credits=credits,
    )


def extras_of(terms: Terms) -> Extras:
    """Give what a period's terms add for people."""
    return Extras(
        teams=terms.teams,
        caps_minor=terms.caps_minor,
        spiffs_minor=terms.spiffs_minor,
        holdback=Fraction(terms.rules.holdback),
    )


def _same_extras(by_period: Mapping[str, Terms]) -> list[tuple[list[str], Extras]]:
    """Put periods with equal extras together: ten thousand members are split in one go."""
    groups: list[tuple[list[str], Extras]] = []
    for period, terms in by_period.items():
        extras = extras_of(terms)
        found = next((periods for periods, known in groups if known == extras), None)
        if found is None:
            groups.append(([period], extras))
        else:
            found.append(period)
    return groups


def reward_credits(shared: DataFrame[Credits], deals: DataFrame[Deals]) -> DataFrame[RewardCredits]:
    """Add up shared credit per won deal and team, with what a reader needs to find the deal.

    Sorted by period, deal and team; a deal without an amount has no row.
    """
    won = deals[deals["state"] == "won"].rename(columns={"period": "computed_for"})
    rows = shared.groupby(["deal_id", "team"], as_index=False)["credit_minor"].sum()
    rows = rows[rows["credit_minor"] != 0].merge(won, on="deal_id")
    keys = ["computed_for", "deal_id", "team"]
    ordered = rows.sort_values(keys, ignore_index=True)
    return RewardCredits.validate(ordered[list(RewardCredits.to_schema().columns)], lazy=True)


def pool_table(terms: Mapping[str, Terms], revenue_minor: Mapping[str, int]) -> DataFrame[Pools]:
    """Compute the pool of each period with terms, in order (W2 to W6)."""
    if not terms:
        return Pools.validate(empty(Pools), lazy=True)
    factors = {
        period: multiplier(each.attainment, each.rules) for period, each in sorted(terms.items())
    }
    periods = list(factors)
    revenue = [revenue_minor.get(period, 0) for period in periods]
    amounts = [
        pool_minor(minor, factors[period], terms[period].rules)
        for period, minor in zip(periods, revenue, strict=True)
    ]
    return Pools.validate(
        pd.DataFrame(
            {
                "period": as_text(periods),
                "revenue_minor": np.array(revenue, dtype=np.int64),
                "attainment": as_text(
                    [str(min(terms[period].attainment.values())) for period in periods]
                ),
                "multiplier": as_text([str(factors[period]) for period in periods]),
                "pool_minor": np.array(amounts, dtype=np.int64),
            }
        ),
        lazy=True,
    )


def _as_rewards(pieces: Sequence[pd.DataFrame]) -> DataFrame[Rewards]:
    """Put rewards together, sorted by their keys, without rows of zero."""
    some = [piece for piece in pieces if len(piece)]
    if not some:
        return Rewards.validate(empty(Rewards), lazy=True)
    every = pd.concat(some, ignore_index=True)
    kept = every[every["reward_minor"] != 0]
    keys = ["computed_for", "participant", "component"]
    return Rewards.validate(kept.sort_values(keys, ignore_index=True), lazy=True)


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
    """Split each team's share over its members; what somebody earns in two teams adds up."""
    both = member_shares(shares, teams)
    return both.groupby(["computed_for", "participant"], as_index=False)["minor"].sum()


def member_shares(shares: pd.DataFrame, teams: Split) -> pd.DataFrame:
    """Split each team's share again over its members by their weights, ties by member id.

    Takes `computed_for`, `participant`, `minor`; gives `computed_for`, `team`, `participant`,
    `minor`. Whoever is no team with members keeps the share, as its own team.
    """
    members = pd.DataFrame(
        [
            (team, member, weight)
            for team, weights in teams.items()
            for member, weight in sorted(weights.items())
        ],
        columns=["team", "participant", "weight"],
    ).astype({"team": "str", "participant": "str"})
    shares = shares.rename(columns={"participant": "team"})
    is_team = shares["team"].isin(members["team"])
    of_teams = shares[is_team].reset_index(drop=True)
    rows = of_teams.assign(place=of_teams.index).merge(members, on="team")
    rows = rows.sort_values(["place", "participant"], ignore_index=True)
    minor = split_by_group(
        of_teams["minor"].to_numpy(dtype=np.int64),
        rows["place"].to_numpy(dtype=np.int64),
        rows["weight"].to_numpy(dtype=np.int64),
    )
    columns = ["computed_for", "team", "participant", "minor"]
    alone = shares[~is_team].assign(participant=shares["team"])[columns]
    return pd.concat([alone, rows.assign(minor=minor)[columns]], ignore_index=True)


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
    team_rewards: DataFrame[Rewards], credits: DataFrame[RewardCredits]
) -> DataFrame[DealRewards]:
    """Say which part of each team's pool share every won deal carries.

    One row per period, deal and participant, sorted. The rows of a participant add up to its share
    of the period's pool exactly (largest remainder, ties by deal id), so that sums of the deals'
    fields in a CRM equal the ledger's totals.
    """
    keys = ["computed_for", "participant"]
    rows = credits.assign(participant=credits["team"].replace(UNKNOWN, HOUSE))
    rows = rows[[*keys, "deal_id", "credit_minor"]].merge(
        team_rewards[[*keys, "reward_minor"]], on=keys
    )
    whole = rows.groupby(keys)["credit_minor"].transform("sum")
    rows = rows.assign(weight=rows["credit_minor"] * np.sign(whole))[whole != 0]
    rows = rows.sort_values([*keys, "deal_id"], ignore_index=True)
    group = rows.groupby(keys, sort=False).ngroup().to_numpy()
    totals = rows.drop_duplicates(keys)["reward_minor"].to_numpy(dtype=np.int64)
    minor = split_by_group(totals, group, rows["weight"].to_numpy(dtype=np.int64))
    return DealRewards.validate(
        rows.assign(reward_minor=minor)[list(DealRewards.to_schema().columns)].astype(
            {"computed_for": "str", "deal_id": "str", "participant": "str"}
        ),
        lazy=True,
    )


def postings_due(
    desired: DataFrame[Rewards], posted: pd.DataFrame, posting_period: str | Mapping[str, str]
) -> DataFrame[Postings]:
    """Give desired minus posted, where it is not zero, as postings in an open period.

    Args:
        desired: what should stand, per period, participant and component.
        posted: `computed_for`, `participant`, `component`, `reward_minor`; rows of one key add up.
            Only components of the calculation are looked at: paying is an event of its own.
        posting_period: the open period, in which corrections of earlier ones stand too; or where
            each period posts.

    Sorted by period, participant, component. Running it again on the result gives nothing.
    """
    keys = ["computed_for", "participant", "component"]
    calculated = posted[posted["component"].isin(["pool", "pool_held", "cap_excess", "spiff"])]
    columns = [*keys, "reward_minor"]
    # Aligned by adding up, never by filling gaps: that would pass through floats.
    back = calculated[columns].assign(reward_minor=-calculated["reward_minor"])
    both = pd.concat([desired[columns], back], ignore_index=True)
    due = both.groupby(keys, as_index=False)["reward_minor"].sum()
    due = due[due["reward_minor"] != 0].reset_index(drop=True)
    texts = due.astype(dict.fromkeys(keys, "str"))
    return with_accounts(texts.assign(posting_period=_posting_period(texts, posting_period)))


def _posting_period(rows: pd.DataFrame, posting_period: str | Mapping[str, str]) -> pd.Series:
    if isinstance(posting_period, str):
        return pd.Series(posting_period, index=rows.index, dtype="str")
    where = pd.Series(dict(posting_period), dtype="str")
    return lookup(rows["computed_for"], where).astype("str")


def credit_changes(
    wanted: DataFrame[RewardCredits], standing: pd.DataFrame
) -> DataFrame[RewardCredits]:
    """Give what the credit behind the rewards lacks: wanted minus standing, where it is not zero.

    `standing` adds up earlier changes: `computed_for`, `deal_id`, `team`, `credit_minor`, and
    `record_id`, `closed_on`, `currency` of the deal, for one that is no longer there. Sorted by
    period, deal and team.
    """
    keys = ["computed_for", "deal_id", "team"]
    back = standing.assign(credit_minor=-standing["credit_minor"], amount_minor=0, company_minor=0)
    both = pd.concat([wanted, back[list(RewardCredits.to_schema().columns)]], ignore_index=True)
    change = both.groupby(keys, as_index=False)["credit_minor"].sum()
    # A team may leave a deal that stays: what is said of the deal is said of all its rows.
    facts = both.drop(columns=["team", "credit_minor"]).drop_duplicates(keys[:2])
    rows = change[change["credit_minor"] != 0].merge(facts, on=keys[:2])
    types = empty(RewardCredits).dtypes.to_dict()
    ordered = rows.sort_values(keys, ignore_index=True)[list(types)]
    return RewardCredits.validate(ordered.astype(types), lazy=True)
