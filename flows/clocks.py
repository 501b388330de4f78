"""Clocks: from what is known to how every handoff stands, for the night and for the watch alike."""

from dataclasses import dataclass
from datetime import datetime

from agreement.frames import (
    ClockFigures,
    ClockPauses,
    ClockSegments,
    DataFrame,
    Deals,
    Handoffs,
    HandoffStatus,
    Mqls,
    Promises,
    Questions,
)
from agreement.policy import Agreement
from flows.reconcile import Known, KnownPeople
from transforms import gaming, lifecycle, promises, sla
from transforms import handoffs as passing


@dataclass(frozen=True)
class Clocks:
    """Every handoff, whose clock ran when, and how each stands."""

    mqls: DataFrame[Mqls]
    handoffs: DataFrame[Handoffs]
    segments: DataFrame[ClockSegments]
    pauses: DataFrame[ClockPauses]
    status: DataFrame[HandoffStatus]


def read_clocks(known: KnownPeople, agreement: Agreement, now: datetime) -> Clocks:
    """Read every clock as one agreement version does, as of `now` (UTC)."""
    rules, calendar = agreement.handoff, agreement.calendar
    mqls = lifecycle.mqls(known.stage_changes, known.crosswalk, agreement.definitions)
    handoffs = lifecycle.handoffs(
        mqls,
        known.people,
        known.crosswalk,
        known.users,
        known.activities,
        known.stage_changes,
        rules,
        calendar,
        agreement.definitions.exclusions,
        now,
    )
    segments = passing.clock_segments(
        handoffs, known.people, known.crosswalk, known.users, known.stage_changes, calendar, now
    )
    pauses = passing.clock_pauses(handoffs, known.crosswalk, known.stage_changes, rules.pauses, now)
    status = sla.sla_status(
        handoffs, segments, pauses, known.users, known.absences, rules, calendar, now
    )
    return Clocks(mqls, handoffs, segments, pauses, status)


@dataclass(frozen=True)
class ClockPage:
    """What both teams are shown of the clocks: figures, marketing's promises, open questions."""

    figures: DataFrame[ClockFigures]
    promises: DataFrame[Promises]
    questions: DataFrame[Questions]


def clock_page(
    known: Known, agreement: Agreement, now: datetime, clocks: Clocks, deals: DataFrame[Deals]
) -> ClockPage:
    """Read the figures of both teams' promises, and what looks odd in them, as of `now` (UTC)."""
    rules = agreement.gaming
    return ClockPage(
        sla.clock_figures(clocks.status, agreement.calendar.zone),
        promises_of(known, agreement, now, clocks),
        gaming.questions(
            gaming.back_dated(clocks.status, known.activities, rules),
            gaming.owner_swaps(clocks.status, clocks.segments, rules),
            gaming.stage_jumps(deals, known.stage_changes, rules),
            gaming.leads_after_meetings(
                known.people, known.activities, known.crosswalk, rules, now
            ),
        ),
    )


def promises_of(
    known: Known, agreement: Agreement, now: datetime, clocks: Clocks
) -> DataFrame[Promises]:
    """Hold marketing's promises against the clocks, as one agreement version does."""
    return promises.promises(
        clocks.handoffs,
        clocks.status,
        known.people,
        agreement.marketing_promises,
        agreement.calendar,
        now,
    )
