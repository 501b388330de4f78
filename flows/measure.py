"""Measure: what both teams did, by the clock and by credit, and what it earns."""

from dataclasses import dataclass, replace

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
from agreement.policy import Agreement
from connectors.clock import utc_now
from connectors.participants import read_participants
from flows.reconcile import Known
from flows.reward_terms import (
    Facts,
    Money,
    RewardsDue,
    frozen_terms,
    post_due,
    rewards_due,
    with_frozen_rates,
)
from flows.run import Run
from transforms import (
    attribution,
    bridge,
    funnel,
    journeys,
    lifecycle,
    sla,
)


@dataclass(frozen=True)
class Measures:
    """Everything the night measures; amounts are whole minor units.

    `rewards` are per participant and may name people; `team_rewards` are what a CRM may hold.
    """

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
    team_rewards: DataFrame[Rewards]
    deal_rewards: DataFrame[DealRewards]
    postings: DataFrame[Postings]
    rewards_due: RewardsDue
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
    return post_due(run.store, run.run_id, measures.rewards_due, run.as_of, utc_now())


@dataclass(frozen=True)
class _Read:
    """What one agreement version makes of the records."""

    mqls: DataFrame[Mqls]
    handoffs: DataFrame[Handoffs]
    status: DataFrame[HandoffStatus]
    touches: DataFrame[Touches]
    deals: DataFrame[Deals]
    deal_people: DataFrame[DealPeople]
    paths: DataFrame[PathTouches]
    credits: DataFrame[Credits]
    shared_credits: DataFrame[Credits]
    rejects: DataFrame[Rejects]

    @property
    def facts(self) -> Facts:
        """Give the part that rewards stand on."""
        return Facts(self.deals, self.status, self.deal_people, self.shared_credits)


def compute(run: Run, known: Known) -> Measures:
    """Do the pure part of measuring; nothing is saved."""
    agreement = run.agreement
    known = replace(known, rates=with_frozen_rates(known.rates, frozen_terms(run.store)))
    read = _read(run, known, agreement)
    digits = known.digits.get(known.company_currency, minor_digits(known.company_currency))
    due = rewards_due(
        run.store,
        agreement,
        read_participants(run.settings.tandem_participants),
        Money(known.company_currency, digits, known.rates, known.digits),
        run.as_of,
        lambda version: (
            (read if version.name == agreement.name else _read(run, known, version)).facts
        ),
    )
    earned = due.calculation
    return Measures(
        mqls=read.mqls,
        handoffs=read.handoffs,
        status=read.status,
        bridge=bridge.bridge(
            read.mqls, read.handoffs, known.crosswalk, known.people, agreement.definitions
        ),
        touches=read.touches,
        deals=read.deals,
        deal_people=read.deal_people,
        paths=read.paths,
        credits=read.credits,
        shared_credits=read.shared_credits,
        pools=earned.pools,
        rewards=earned.rewards,
        team_rewards=earned.team_rewards,
        deal_rewards=earned.deal_rewards,
        postings=due.postings,
        rewards_due=due,
        funnel=funnel.funnel(known.people, known.crosswalk, read.deals, read.deal_people),
        rejects=read.rejects,
        company_digits=digits,
    )


def _read(run: Run, known: Known, agreement: Agreement) -> _Read:
    """Read clocks, touches, deals and credit as one agreement version does."""
    now = run.as_of
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
    return _Read(
        mqls, handoffs, status, touches, deals, deal_people, paths, credits, shared, rejects
    )
