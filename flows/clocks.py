"""Clocks: from what is known to how every handoff stands, for the night and for the watch alike."""

from dataclasses import dataclass
from datetime import datetime

from agreement.frames import (
    ClockPauses,
    ClockSegments,
    DataFrame,
    Handoffs,
    HandoffStatus,
    Mqls,
)
from agreement.policy import Agreement
from flows.reconcile import Known
from transforms import handoffs as passing
from transforms import lifecycle, sla


@dataclass(frozen=True)
class Clocks:
    """Every handoff, whose clock ran when, and how each stands."""

    mqls: DataFrame[Mqls]
    handoffs: DataFrame[Handoffs]
    segments: DataFrame[ClockSegments]
    pauses: DataFrame[ClockPauses]
    status: DataFrame[HandoffStatus]


def read_clocks(known: Known, agreement: Agreement, now: datetime) -> Clocks:
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
