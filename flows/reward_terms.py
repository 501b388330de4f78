"""What the night earns: the terms of every period, frozen or live, and what the ledger lacks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

import pandas as pd

from agreement.frames import (
    AttainedDeals,
    Credits,
    DataFrame,
    DealPeople,
    Deals,
    HandoffStatus,
    Postings,
    Rates,
    RewardCredits,
    Table,
    empty,
)
from agreement.money import split_minor
from agreement.periods import next_period, period_days, periods_between
from agreement.policy import Agreement, Spiff, kept_agreement
from agreement.terms import Participants, PeriodRate, Terms, attained
from connectors.store import Found, Store
from transforms import rewards
from transforms.rewards import Calculation


@dataclass(frozen=True)
class Facts:
    """What rewards are computed from, as one agreement version reads it."""

    deals: DataFrame[Deals]
    status: DataFrame[HandoffStatus]
    deal_people: DataFrame[DealPeople]
    shared_credits: DataFrame[Credits]


@dataclass(frozen=True)
class Money:
    """The company's currency, exchange rates, and the minor digits of all currencies."""

    currency: str
    digits: int
    rates: DataFrame[Rates]
    deal_digits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RewardsDue:
    """What the night found of each period, and what the ledger lacks."""

    calculation: Calculation
    attained: DataFrame[AttainedDeals]
    postings: DataFrame[Postings]
    credits: DataFrame[RewardCredits]
    posts_into: Mapping[str, str]

    def found(self, run_id: str, as_of: datetime) -> list[Found]:
        """Give each period's terms and evidence as the store keeps them."""
        evidence = dict(list(self.attained.groupby("period")))
        return [
            Found(period, run_id, as_of, terms_as_json(terms), _evidence(evidence.get(period)))
            for period, terms in self.calculation.terms.items()
        ]


def terms_as_json(terms: Terms) -> dict[str, Any]:
    """Write terms as plain JSON values, exact."""
    return terms.model_dump(mode="json")


def _evidence(rows: pd.DataFrame | None) -> list[dict[str, Any]]:
    if rows is None:
        return []
    named = rows.drop(columns=["period", "deal_id"])
    return [
        {str(name): value for name, value in row.items()}
        for row in named.astype(object).where(named.notna(), None).to_dict("records")
    ]


def rewards_due(
    store: Store,
    agreement: Agreement,
    people: Participants,
    money: Money,
    now: datetime,
    facts_under: Callable[[Agreement], Facts],
) -> RewardsDue:
    """Compute every period that has begun, and what the ledger lacks.

    A closed period keeps the terms it closed with (W9); an open one has the terms of the agreement
    version that was in force on its first day. `facts_under` reads deals and credit by a version.
    """
    frozen = frozen_terms(store)
    versions = agreement_by_period(store, agreement, frozen, now)
    terms: dict[str, Terms] = {}
    deals, shared, reached = [], [], []
    for version, periods in _by_version(versions):
        facts = facts_under(version)
        of_these = facts.deals[facts.deals["period"].isin(periods)]
        evidence = rewards.attained_deals(
            Deals.validate(of_these, lazy=True), facts.status, facts.deal_people
        )
        actual = rewards.actuals(evidence)
        for period in periods:
            terms[period] = frozen.get(period) or live_terms(
                period, version, people, money, actual.get(period, {})
            )
        deals.append(of_these)
        shared.append(
            facts.shared_credits[facts.shared_credits["deal_id"].isin(of_these["deal_id"])]
        )
        reached.append(evidence)
    calculation = rewards.calculate(
        list(terms.values()),
        Credits.validate(_joined(Credits, shared), lazy=True),
        Deals.validate(_joined(Deals, deals), lazy=True),
    )
    return due(
        calculation,
        AttainedDeals.validate(_joined(AttainedDeals, reached), lazy=True),
        set(frozen),
        store.posted(),
        store.reward_credits(),
    )


def _joined(table: type[Table], pieces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the pieces one below the other; before the first period there are none."""
    return pd.concat(pieces, ignore_index=True) if pieces else empty(table)


def frozen_terms(store: Store) -> dict[str, Terms]:
    """Give the terms that closed periods keep, in order."""
    return {
        period: Terms.model_validate(closed.terms)
        for period, closed in store.closed_periods().items()
    }


def post_due(store: Store, run_id: str, due: RewardsDue, as_of: datetime, at: datetime) -> int:
    """Post what the ledger lacks, with the credit behind it and what was found of each period.

    All in one transaction; gives the number of postings.
    """
    terms = due.calculation.terms
    return store.post(
        run_id,
        due.postings,
        agreement_version={period: each.agreement for period, each in terms.items()},
        at=at,
        credit=(due.credits, due.posts_into),
        found=due.found(run_id, as_of),
    )


def due(
    calculation: Calculation,
    attained_deals: DataFrame[AttainedDeals],
    closed: set[str],
    posted: pd.DataFrame,
    standing: pd.DataFrame,
) -> RewardsDue:
    """Give what the ledger lacks: each period posts into itself while open, else into the open one.

    Periods that were not computed are left alone.
    """
    periods = list(calculation.terms)
    into = posting_periods(periods, closed)
    return RewardsDue(
        calculation=calculation,
        attained=attained_deals,
        postings=rewards.postings_due(
            calculation.rewards, posted[posted["computed_for"].isin(periods)], into
        ),
        credits=rewards.credit_changes(
            calculation.credits, standing[standing["computed_for"].isin(periods)]
        ),
        posts_into=into,
    )


def posting_periods(periods: list[str], closed: set[str]) -> dict[str, str]:
    """Say where each period posts: into itself while it is open, else into the first open one.

    Periods close one after the other, so the first open one follows the last closed one.
    """
    open_period = next_period(max(closed)) if closed else ""
    return {period: open_period if period in closed else period for period in periods}


def agreement_by_period(
    store: Store, agreement: Agreement, frozen: Mapping[str, Terms], now: datetime
) -> dict[str, Agreement]:
    """Say which agreement version rules each period that has begun, in order.

    Closed periods: the one they closed with. Open ones: the version of the agreement in force, from
    its effective date on; before it, the kept version that was in force on the period's first day.
    """
    kept = {
        name: kept_agreement(content)
        for name, content in store.kept_agreements().items()
        if name != agreement.name
    }
    earlier = [each for each in kept.values() if each.effective < agreement.effective]
    known = sorted([*earlier, agreement], key=lambda each: (each.effective, each.version))
    today = now.astimezone(agreement.calendar.zone_info).date()
    calendar = agreement.calendar
    ruled = {
        period: [each for each in known if each.effective <= period_days(period, calendar)[0]][-1]
        for period in periods_between(known[0].effective, today, calendar)
    }
    for period, terms in frozen.items():
        ruled[period] = agreement if terms.agreement == agreement.name else kept[terms.agreement]
    return dict(sorted(ruled.items()))


def _by_version(versions: Mapping[str, Agreement]) -> list[tuple[Agreement, list[str]]]:
    groups: dict[str, tuple[Agreement, list[str]]] = {}
    for period, agreement in versions.items():
        groups.setdefault(agreement.name, (agreement, []))[1].append(period)
    return list(groups.values())


def live_terms(
    period: str,
    agreement: Agreement,
    people: Participants,
    money: Money,
    actual_minor: Mapping[str, int],
) -> Terms:
    """Give an open period's terms as they stand now."""
    first, last = period_days(period, agreement.calendar)
    return Terms(
        period=period,
        agreement=agreement.name,
        currency=money.currency,
        digits=money.digits,
        zone=agreement.calendar.zone,
        first=first,
        last=last,
        model=agreement.attribution.shared,
        rules=agreement.rewards.model_copy(update={"spiffs": ()}),
        attained=attained(actual_minor, agreement.targets),
        teams={str(team): whole_weights(members) for team, members in people.teams.items()},
        caps_minor={who: _minor(cap, money.digits) for who, cap in people.caps.items()},
        spiffs_minor=_spiffs(period, agreement, people, money.digits),
        rates=tuple(rates_in_force(money.rates, first, last)),
        deal_digits=dict(money.deal_digits),
    )


def whole_weights(weights: Mapping[str, Decimal]) -> dict[str, int]:
    """Turn decimal weights into whole ones of the same proportion; members by id.

    >>> whole_weights({"kim": Decimal("0.4"), "ann": Decimal("0.6")})
    {'ann': 3, 'kim': 2}
    """
    shares = {who: Fraction(weight) for who, weight in sorted(weights.items())}
    whole = lcm(*(share.denominator for share in shares.values()))
    return {who: int(share * whole) for who, share in shares.items()}


def _minor(amount: Decimal, digits: int) -> int:
    return round(Fraction(amount) * int(10**digits))


def _spiffs(period: str, agreement: Agreement, people: Participants, digits: int) -> dict[str, int]:
    """Add up a period's spiffs per participant; a team's goes to its members, if it has any."""
    spiffs: dict[str, int] = {}
    for spiff in (*agreement.rewards.spiffs, *people.spiffs):
        if spiff.period == period:
            for who, minor in _split_spiff(spiff, people, digits):
                spiffs[who] = spiffs.get(who, 0) + minor
    return dict(sorted(spiffs.items()))


def _split_spiff(spiff: Spiff, people: Participants, digits: int) -> list[tuple[str, int]]:
    minor = _minor(spiff.amount, digits)
    teams: Mapping[str, Mapping[str, Decimal]] = {str(t): m for t, m in people.teams.items()}
    if spiff.participant not in teams:
        return [(spiff.participant, minor)]
    weights = whole_weights(teams[spiff.participant])
    return list(zip(weights, split_minor(minor, list(weights.values())), strict=True))


# Exchange rates (W9) ------------------------------------------------------------------------------


def rates_in_force(rates: DataFrame[Rates], first: date, last: date) -> list[PeriodRate]:
    """List the rates that decide deals of these days: those in force on the first, and later ones.

    One that began earlier is dated to the first day.
    """
    begun = rates[rates["starts_on"] <= last.isoformat()]
    start = first.isoformat()
    before = begun[begun["starts_on"] <= start].sort_values("starts_on")
    standing = before.drop_duplicates("currency", keep="last").assign(starts_on=start)
    inside = pd.concat([standing, begun[begun["starts_on"] > start]])
    rows = inside.sort_values(["currency", "starts_on"])[["currency", "starts_on", "rate"]]
    return [PeriodRate(currency=c, starts_on=s, rate=r) for c, s, r in rows.to_numpy().tolist()]


def with_frozen_rates(rates: DataFrame[Rates], frozen: Mapping[str, Terms]) -> DataFrame[Rates]:
    """Put the rates of closed periods in place of what the CRM says of their days now.

    A currency that a period did not have when it closed keeps the CRM's rates.
    """
    spliced: pd.DataFrame = rates
    for _, terms in sorted(frozen.items()):
        kept = pd.DataFrame(
            [(rate.currency, rate.starts_on, rate.rate) for rate in terms.rates],
            columns=["currency", "starts_on", "rate"],
        ).astype("str")
        spliced = _splice(spliced, kept, terms.first, terms.last)
    ordered = spliced.sort_values(["currency", "starts_on"], ignore_index=True)
    return Rates.validate(ordered, lazy=True)


def _splice(rates: pd.DataFrame, kept: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Replace rates of the kept currencies from the first to the last day."""
    after = date.fromordinal(last.toordinal() + 1).isoformat()
    is_kept = rates["currency"].isin(kept["currency"])
    is_inside = (rates["starts_on"] >= first.isoformat()) & (rates["starts_on"] < after)
    begun = rates[is_kept & (rates["starts_on"] <= after)].sort_values("starts_on")
    resumed = begun.drop_duplicates("currency", keep="last").assign(starts_on=after)
    rest = rates[~(is_kept & is_inside)]
    both = pd.concat([rest, kept, resumed], ignore_index=True)
    return both.drop_duplicates(["currency", "starts_on"], keep="last")
