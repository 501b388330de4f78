"""Credit: touches, deals, paths and shares as one agreement version reads them, with figures."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from agreement.frames import (
    ChannelResults,
    CreditBasis,
    Credits,
    DataFrame,
    DealPeople,
    Deals,
    PathTouches,
    Rejects,
    SetAside,
    Synergies,
    Touches,
    Velocity,
)
from agreement.policy import Agreement
from connectors.store import Store
from flows.reconcile import Known
from transforms import attribution, journeys
from transforms.campaigns import campaign_costs, channel_results
from transforms.horizons import horizons
from transforms.removal import MARKOV, with_removal_effects
from transforms.synergy import synergies
from transforms.touches import touches as pick_touches
from transforms.touches import with_account_ids
from transforms.velocity import velocity


@dataclass(frozen=True)
class Kept:
    """Credits of the night before: what they follow from, and how to read them when needed."""

    basis: DataFrame[CreditBasis]
    credits: Callable[[], DataFrame[Credits]]


@dataclass(frozen=True)
class Credit:
    """Who did what for which deal, and whose credit it is.

    `paths` are in the shared model's window, `all_paths` in the widest one. `fresh` are the credits
    of `stale` deals, which were split anew; all others are as they were.
    """

    touches: DataFrame[Touches]
    set_aside: DataFrame[SetAside]
    deals: DataFrame[Deals]
    deal_people: DataFrame[DealPeople]
    paths: DataFrame[PathTouches]
    all_paths: DataFrame[PathTouches]
    credits: DataFrame[Credits]
    shared_credits: DataFrame[Credits]
    basis: DataFrame[CreditBasis]
    stale: pd.Series
    fresh: DataFrame[Credits]
    rejects: DataFrame[Rejects]


@dataclass(frozen=True)
class CreditFigures:
    """What channels, campaigns, teams and pairs of channels brought, and how long deals took."""

    channels: DataFrame[ChannelResults]
    synergies: DataFrame[Synergies]
    velocity: DataFrame[Velocity]


def kept_credit(store: Store) -> Kept:
    """Give the credits that stand in the store."""
    return Kept(store.credit_basis(), lambda: store.measure("credit"))


def read_credit(
    known: Known, agreement: Agreement, now: datetime, kept: Kept | None = None
) -> Credit:
    """Read touches, deals and credit; deals of which nothing changed keep their kept credits."""
    touches, set_aside = pick_touches(
        known.activities,
        known.crosswalk,
        agreement.touches,
        now,
        agreement.touch_filters,
        agreement.calendar.zone,
    )
    touches = with_account_ids(touches, known.people, known.crosswalk)
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
    policy = agreement.attribution
    window_days = policy.window_of(policy.shared)
    deal_people = journeys.deal_people(
        known.memberships, known.crosswalk, deals, known.people, touches, window_days
    )
    deals = journeys.with_lead_dates(deals, deal_people, known.people, known.crosswalk)
    all_paths = journeys.paths(touches, deal_people, deals, policy.widest_window)
    basis = attribution.credit_basis(all_paths, deals, policy)
    stale = basis["deal_id"] if kept is None else attribution.stale_deals(kept.basis, basis)
    if kept is None or len(stale) == len(basis):
        credits = fresh = attribution.credits(all_paths, deals, policy)
    else:
        standing = kept.credits()
        credits, fresh = attribution.renewed_credits(standing, stale, all_paths, deals, policy)
    return Credit(
        touches=touches,
        set_aside=set_aside,
        deals=deals,
        deal_people=deal_people,
        paths=journeys.narrowed(all_paths, deals, window_days),
        all_paths=all_paths,
        credits=credits,
        shared_credits=credits[credits["model"] == policy.shared].reset_index(drop=True),
        basis=basis,
        stale=stale,
        fresh=fresh,
        rejects=rejects,
    )


def credit_figures(
    known: Known, agreement: Agreement, now: datetime, credit: Credit, digits: int
) -> CreditFigures:
    """Work out the figures over this quarter and over the last four."""
    policy = agreement.attribution
    spans = horizons(now, agreement.calendar)
    costs = campaign_costs(known.campaigns, known.rates, known.digits, known.company_currency)
    ended = _ended_paths(known, agreement, credit)
    channels = channel_results(
        credit.credits, credit.all_paths, credit.deals, costs, policy.team_costs, digits, spans
    )
    if MARKOV in policy.shown:
        channels = with_removal_effects(channels, ended, credit.deals, spans, policy.shared)
    return CreditFigures(
        channels=channels,
        synergies=synergies(ended, credit.deals, spans, policy.synergy),
        velocity=velocity(credit.paths, credit.deals, spans),
    )


def _ended_paths(known: Known, agreement: Agreement, credit: Credit) -> DataFrame[PathTouches]:
    """Lay the paths of lost deals beside those of won ones: up to the end of their close date."""
    window_days = agreement.attribution.window_of(agreement.attribution.shared)
    lost = journeys.lost_deals(credit.deals, agreement.calendar)
    people = journeys.deal_people(
        known.memberships, known.crosswalk, lost, known.people, credit.touches, window_days
    )
    paths = journeys.paths(credit.touches, people, lost, window_days)
    won = credit.paths[credit.paths["deal_id"].isin(_won(credit.deals))]
    every = pd.concat([piece for piece in (won, paths) if len(piece)] or [paths])
    return PathTouches.validate(every.reset_index(drop=True), lazy=True)


def _won(deals: DataFrame[Deals]) -> pd.Series:
    return deals.loc[deals["state"] == "won", "deal_id"]


def save_credit(store: Store, run_id: str, credit: Credit) -> None:
    """Keep touches, what is none, deals and their people as they are now, and the fresh credits."""
    store.save_measures(
        run_id,
        touch=credit.touches,
        set_aside=credit.set_aside,
        deal=credit.deals,
        deal_person=credit.deal_people,
    )
    store.save_credits(run_id, credit.basis, credit.stale.tolist(), credit.fresh)


def write_credit_lines(
    store: Store, run_id: str, agreement_version: str, credit: Credit, at: datetime
) -> int:
    """Write the signed lines by which won deals' shared credit moved; give how many."""
    changed, before = store.credit_changes()
    lines = attribution.credit_lines(changed, before, credit.shared_credits, credit.deals)
    return store.append_credit_lines(run_id, agreement_version, changed, lines, at=at)


def inferred_figures(credit: Credit) -> dict[str, int]:
    """Say how much of what was won stands on people whom only their account puts on the deal.

    Deals and credited minor units of all that were won, and of those whose people are inferred;
    the share is in parts per million of the amount.
    """
    won = _won(credit.deals)
    people = credit.deal_people[credit.deal_people["deal_id"].isin(won)]
    inferred = people.loc[people["how"] == "inferred", "deal_id"].unique()
    rows = credit.shared_credits[credit.shared_credits["deal_id"].isin(won)]
    touched = rows[rows["touch_id"].notna()]
    whole = int(touched["credit_minor"].sum())
    part = int(touched.loc[touched["deal_id"].isin(inferred), "credit_minor"].sum())
    return {
        "won_deals": len(won),
        "inferred_deals": len(inferred),
        "credited_minor": whole,
        "inferred_minor": part,
        "inferred_share_ppm": part * 1_000_000 // whole if whole else 0,
    }
