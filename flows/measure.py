"""Measure: what both teams did, by the clock and by credit, and what it earns."""

from dataclasses import dataclass

from agreement.frames import (
    Bridge,
    Credits,
    DataFrame,
    DealPeople,
    DealRewards,
    Deals,
    Funnel,
    Handoffs,
    HandoffStatus,
    Mqls,
    PathTouches,
    Pools,
    Postings,
    Rejects,
    Rewards,
    Touches,
)
from agreement.money import minor_digits
from agreement.periods import period_of
from connectors.clock import utc_now
from flows.reconcile import Known
from flows.run import Run
from transforms import (
    attribution,
    bridge,
    funnel,
    journeys,
    lifecycle,
    rewards,
    sla,
)


@dataclass(frozen=True)
class Measures:
    """Everything the night measures; amounts are whole minor units."""

    mqls: DataFrame[Mqls]
    handoffs: DataFrame[Handoffs]
    status: DataFrame[HandoffStatus]
    bridge: DataFrame[Bridge]
    touches: DataFrame[Touches]
    deals: DataFrame[Deals]
    deal_people: DataFrame[DealPeople]
    paths: DataFrame[PathTouches]
    credits: DataFrame[Credits]
    shared_credits: DataFrame[Credits]
    pools: DataFrame[Pools]
    rewards: DataFrame[Rewards]
    deal_rewards: DataFrame[DealRewards]
    postings: DataFrame[Postings]
    funnel: DataFrame[Funnel]
    rejects: DataFrame[Rejects]
    company_digits: int


def measure(run: Run, known: Known) -> Measures:
    """Compute clocks, credit and rewards, and save them."""
    measures = compute(run, known)
    run.store.save_measures(
        run.run_id,
        handoff=measures.status,
        touch=measures.touches,
        credit=measures.credits,
    )
    return measures


def post_rewards(run: Run, measures: Measures) -> int:
    """Post what the reward ledger lacks, into the open period; give the number of postings."""
    run.store.post(
        run.run_id, measures.postings, agreement_version=run.agreement.name, at=utc_now()
    )
    return len(measures.postings)


def compute(run: Run, known: Known) -> Measures:
    """Do the pure part of measuring; nothing is saved."""
    agreement, now = run.agreement, run.as_of
    mqls = lifecycle.mqls(known.stage_changes, known.crosswalk, agreement.definitions)
    handoffs = lifecycle.handoffs(
        mqls,
        known.people,
        known.crosswalk,
        known.users,
        known.activities,
        known.stage_changes,
        agreement.handoff,
        agreement.calendar,
        agreement.definitions.exclusions,
        now,
    )
    status = sla.sla_status(handoffs, agreement.handoff.tiers, agreement.calendar, now)
    touches = journeys.touches(known.activities, known.crosswalk, agreement.touches, now)
    deals, rejects = journeys.deals(
        known.deal_records,
        known.crosswalk,
        known.rates,
        known.digits,
        known.company_currency,
        known.stage_changes,
        agreement.calendar,
        now,
    )
    window_days = agreement.attribution.window_days
    deal_people = journeys.deal_people(
        known.memberships, known.crosswalk, deals, known.people, touches, window_days
    )
    deals = journeys.with_lead_dates(deals, deal_people, known.people, known.crosswalk)
    paths = journeys.paths(touches, deal_people, deals, window_days)
    credits = attribution.credits(paths, deals, agreement.attribution)
    shared = credits[credits["model"] == agreement.attribution.shared].reset_index(drop=True)
    digits = known.digits.get(known.company_currency, minor_digits(known.company_currency))
    pools = rewards.pools(
        deals, status, deal_people, agreement.rewards, agreement.targets, agreement.effective,
        agreement.calendar, digits, now,
    )  # fmt: skip
    desired = rewards.rewards(pools, shared, deals)
    return Measures(
        mqls=mqls,
        handoffs=handoffs,
        status=status,
        bridge=bridge.bridge(mqls, handoffs, known.crosswalk, known.people, agreement.definitions),
        touches=touches,
        deals=deals,
        deal_people=deal_people,
        paths=paths,
        credits=credits,
        shared_credits=shared,
        pools=pools,
        rewards=desired,
        deal_rewards=rewards.deal_rewards(desired, shared, deals),
        postings=rewards.postings_due(
            desired, run.store.posted(), period_of(run.as_of, agreement.calendar)
        ),
        funnel=funnel.funnel(known.people, known.crosswalk, deals, deal_people),
        rejects=rejects,
        company_digits=digits,
    )
