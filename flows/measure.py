"""Measure: what both teams did, by the clock and by credit, and what it earns."""

from dataclasses import dataclass, replace

from agreement.frames import (
    Bridge,
    Credits,
    DataFrame,
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
from flows.clocks import ClockPage, Clocks, clock_page, read_clocks
from flows.credit import (
    Credit,
    CreditFigures,
    Kept,
    credit_figures,
    kept_credit,
    read_credit,
    save_credit,
    write_credit_lines,
)
from flows.reading import Reading
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
from flows.run import Run, overtaken_by
from transforms import (
    bridge,
    funnel,
)


@dataclass(frozen=True)
class Measures:
    """Everything the night measures; amounts are whole minor units.

    `rewards` are per participant and may name people; `team_rewards` are what a CRM may hold.
    """

    mqls: DataFrame[Mqls]
    handoffs: DataFrame[Handoffs]
    status: DataFrame[HandoffStatus]
    clock_page: ClockPage
    bridge: DataFrame[Bridge]
    credit: Credit
    credit_figures: CreditFigures
    pools: DataFrame[Pools]
    rewards: DataFrame[Rewards]
    team_rewards: DataFrame[Rewards]
    deal_rewards: DataFrame[DealRewards]
    postings: DataFrame[Postings]
    rewards_due: RewardsDue
    funnel: DataFrame[Funnel]
    rejects: DataFrame[Rejects]
    company_digits: int

    @property
    def touches(self) -> DataFrame[Touches]:
        """Give the touches that the agreement counts."""
        return self.credit.touches

    @property
    def deals(self) -> DataFrame[Deals]:
        """Give the deals."""
        return self.credit.deals

    @property
    def paths(self) -> DataFrame[PathTouches]:
        """Give the deals' paths in the shared model's window."""
        return self.credit.paths

    @property
    def shared_credits(self) -> DataFrame[Credits]:
        """Give the credits of the shared model."""
        return self.credit.shared_credits


def measure(run: Run, known: Known) -> Measures:
    """Compute clocks, credit and rewards, and save them.

    A look back saves nothing: watch goes on from the clocks that are kept, and would take those
    that began since for none at all.
    """
    measures = compute(run, known)
    if overtaken_by(run):
        return measures
    run.store.save_measures(run.run_id, handoff=measures.status, bridge=measures.bridge)
    save_credit(run.store, run.run_id, measures.credit)
    return measures


def post_rewards(run: Run, measures: Measures) -> int:
    """Post what the reward ledger lacks, into the open period; give the number of postings.

    Before it the lines by which won deals' credit moved are written.
    """
    credit, version = measures.credit, run.agreement.name
    write_credit_lines(run.store, run.run_id, version, credit, utc_now())
    return post_due(run.store, run.run_id, measures.rewards_due, run.as_of, utc_now())


@dataclass(frozen=True)
class Replay:
    """What one agreement version makes of the records."""

    clocks: Clocks
    credit: Credit

    @property
    def facts(self) -> Facts:
        """Give the part that rewards stand on."""
        credit = self.credit
        return Facts(credit.deals, self.clocks.status, credit.deal_people, credit.shared_credits)


def compute(run: Reading, known: Known) -> Measures:
    """Do the pure part of measuring; nothing is saved."""
    agreement = run.agreement
    known = at_frozen_rates(run, known)
    read = replay(run, known, agreement, kept_credit(run.store))
    credit = read.credit
    digits = company_digits(known)
    due = rewards_by(run, known, read)
    earned = due.calculation
    return Measures(
        mqls=read.clocks.mqls,
        handoffs=read.clocks.handoffs,
        status=read.clocks.status,
        clock_page=clock_page(known, agreement, run.as_of, read.clocks, credit.deals),
        bridge=bridge_by(run, known, read.clocks),
        credit=credit,
        credit_figures=credit_figures(known, agreement, run.as_of, credit, digits),
        pools=earned.pools,
        rewards=earned.rewards,
        team_rewards=earned.team_rewards,
        deal_rewards=earned.deal_rewards,
        postings=due.postings,
        rewards_due=due,
        funnel=funnel.funnel(known.people, known.crosswalk, credit.deals, credit.deal_people),
        rejects=credit.rejects,
        company_digits=digits,
    )


def at_frozen_rates(run: Reading, known: Known) -> Known:
    """Put the rates that closed periods keep in the place of what the CRM says of them now."""
    return replace(known, rates=with_frozen_rates(known.rates, frozen_terms(run.store)))


def company_digits(known: Known) -> int:
    """Give the minor digits of the company's currency."""
    return known.digits.get(known.company_currency, minor_digits(known.company_currency))


def replay(run: Reading, known: Known, agreement: Agreement, kept: Kept | None = None) -> Replay:
    """Read clocks, touches, deals and credit as one agreement version does.

    Without `kept` all credit is split anew.
    """
    now = run.as_of
    return Replay(read_clocks(known, agreement, now), read_credit(known, agreement, now, kept))


def bridge_by(run: Reading, known: Known, clocks: Clocks) -> DataFrame[Bridge]:
    """Put every MQL in its class, as the reading's agreement does."""
    return bridge.bridge(
        clocks.mqls,
        clocks.handoffs,
        known.crosswalk,
        known.people,
        known.reviews,
        run.store.match_decisions(),
        run.agreement.definitions,
    )


def rewards_by(run: Reading, known: Known, read: Replay) -> RewardsDue:
    """Compute every period by the version that rules it; `read` is what the reading's own makes."""
    agreement = run.agreement
    return rewards_due(
        run.store,
        agreement,
        read_participants(run.settings.tandem_participants),
        Money(known.company_currency, company_digits(known), known.rates, known.digits),
        run.as_of,
        lambda version: (
            (read if version.name == agreement.name else replay(run, known, version)).facts
        ),
    )
