"""The weekly pack: what changed, what to decide, what became of it, and what each team did.

Everything is about the latest week that is over, Monday to Sunday in the company's zone, beside the
week before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import pandas as pd

from agreement.frames import (
    AttainedDeals,
    Bridge,
    Credits,
    DataFrame,
    Deals,
    HandoffStatus,
    Mqls,
    Promises,
    Questions,
)
from agreement.policy import Agreement, Handoff
from agreement.terms import Terms
from transforms.handoffs import ACCEPTED
from transforms.sla import sla_figures
from transforms.standings import (
    Standing,
    Unit,
    decisions,
    fell_due,
    rejected_in,
    share_ppm,
    standings,
)
from transforms.weeks import Week, last_week

MOST_DECISIONS = 3
_MOST_MISSES = 5
_MOST_QUESTIONS = 5
_MOST_REASONS = 5
NO_REASON = "no reason given"

State = Literal["kept", "better", "no better", "too early to tell", "nothing to count"]


@dataclass(frozen=True)
class Facts:
    """What the pack is read from, all as of one moment; `terms` are the running period's."""

    mqls: DataFrame[Mqls]
    status: DataFrame[HandoffStatus]
    bridge: DataFrame[Bridge]
    promises: DataFrame[Promises]
    questions: DataFrame[Questions]
    deals: DataFrame[Deals]
    attained: DataFrame[AttainedDeals]
    shared_credits: DataFrame[Credits]
    terms: Terms | None


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of the week and of the week before; None where there was nothing to measure.

    `unit` is count, minor, ppm or seconds (of working time).
    """

    what: str
    unit: Unit | Literal["seconds"]
    now: int | None
    before: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Something for a named owner to decide; `key` finds the figure again a week later."""

    key: str
    owner: str
    ask: str
    what: str
    unit: Unit
    agreed: int
    actual: int
    why: str | None


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of a decision of the pack before: its figure then and now."""

    key: str
    owner: str
    ask: str
    what: str
    unit: Unit
    agreed: int
    then: int
    now: int | None
    state: State


@dataclass(frozen=True, slots=True)
class Miss:
    """A handoff that fell due in the week and missed its limit; seconds are working time."""

    record: str
    tier: str
    team: str | None
    cause: str | None
    working_seconds: int
    limit_seconds: int
    is_touched: bool


@dataclass(frozen=True)
class Pack:
    """The pack of one week; amounts are company minor units, nobody's name is in it.

    `waiting_count` decisions are left for another week. `miss_count`, `reject_count` and
    `question_count` count all, the lists hold the first of them: misses by how many times their
    limit they took, reasons by count, questions by time. `open_questions` are of all weeks.
    """

    first: str
    last: str
    changes: tuple[Change, ...]
    standings: tuple[Standing, ...]
    owners: Mapping[str, str]
    decisions: tuple[Decision, ...]
    waiting_count: int
    followed: tuple[Followed, ...]
    misses: tuple[Miss, ...]
    miss_count: int
    causes: Mapping[str, int]
    reject_reasons: Mapping[str, int]
    reject_count: int
    questions: tuple[str, ...]
    question_count: int
    open_questions: int

    @property
    def is_needed(self) -> bool:
        """Tell whether there is anything to meet for."""
        return bool(self.decisions)


def pack(
    facts: Facts, agreement: Agreement, now: datetime, before: Sequence[Decision] = ()
) -> Pack:
    """Say what the week that is over at `now` (UTC) was like; `before` are the last pack's asks.

    A decision is something agreed that is not kept, from cases enough to tell; the three that are
    furthest from what was agreed are shown.
    """
    week = last_week(now, agreement.calendar.zone)
    found = standings(facts.status, facts.bridge, facts.promises, facts.terms, agreement, week, now)
    owners = {
        "marketing": agreement.parties.marketing,
        "sales": agreement.parties.sales,
        "operations": "operations",
    }
    asked = [_decision(each, owners) for each in decisions(found)]
    missed = _missed(facts.status, agreement.handoff, week)
    reasons = rejected_in(facts.status, week)["answer_reason"].fillna(NO_REASON)
    odd = _asked_in(facts.questions, week)
    return Pack(
        first=week.first.isoformat(),
        last=week.last.isoformat(),
        changes=tuple(_changes(facts, week)),
        standings=found,
        owners=owners,
        decisions=tuple(asked[:MOST_DECISIONS]),
        waiting_count=len(asked[MOST_DECISIONS:]),
        followed=tuple(_followed(each, found) for each in before),
        misses=tuple(_miss(row) for row in missed.head(_MOST_MISSES).to_dict("records")),
        miss_count=len(missed),
        causes=_counts(missed["cause"]),
        reject_reasons=dict(list(_counts(reasons).items())[:_MOST_REASONS]),
        reject_count=len(reasons),
        questions=tuple(odd["question"].head(_MOST_QUESTIONS)),
        question_count=len(odd),
        open_questions=len(facts.questions),
    )


def _decision(standing: Standing, owners: Mapping[str, str]) -> Decision:
    return Decision(
        key=standing.key,
        owner=owners[standing.team],
        ask=standing.ask,
        what=standing.what,
        unit=standing.unit,
        agreed=standing.agreed,
        actual=int(standing.actual or 0),
        why=standing.why,
    )


def _followed(before: Decision, found: Sequence[Standing]) -> Followed:
    """Look a decision's figure up again; one that the agreement has dropped has nothing to count.

    What was agreed since counts, so that a decision to agree on less is followed too.
    """
    standing = next((each for each in found if each.key == before.key), None)
    now = standing.actual if standing else None
    state: State = "nothing to count"
    if standing and now is not None:
        then = replace(standing, actual=before.actual)
        is_better = standing.shortfall < then.shortfall
        state = "kept" if standing.is_kept else "better" if is_better else "no better"
        state = state if standing.is_settled else "too early to tell"
    return Followed(
        key=before.key,
        owner=before.owner,
        ask=before.ask,
        what=before.what,
        unit=before.unit,
        agreed=standing.agreed if standing else before.agreed,
        then=before.actual,
        now=now,
        state=state,
    )


# What changed ------------------------------------------------------------------------------------


def _changes(facts: Facts, week: Week) -> list[Change]:
    now, before = _figures(facts, week), _figures(facts, week.before)
    return [
        Change(what, unit, value, before[place][2]) for place, (what, unit, value) in enumerate(now)
    ]


def _figures(facts: Facts, week: Week) -> list[tuple[str, Unit | Literal["seconds"], int | None]]:
    """Count what happened in a week: each thing once, in the week of its own time."""
    status, deals = facts.status, facts.deals
    due = DataFrame[HandoffStatus](fell_due(status, week).reset_index(drop=True))
    clocks = sla_figures(due)
    started = status[week.holds(status["started_at"]) & status["relief"].isna()]
    accepted = status[(status["answer"] == ACCEPTED) & week.holds(status["answered_at"])]
    created = deals[week.holds(deals["created_at"])]
    won = won_in(deals, week)
    lost = deals[(deals["state"] == "lost") & _on(deals["closed_on"], week)]
    return [
        ("new MQLs", "count", int(week.holds(facts.mqls["mql_at"]).sum())),
        ("handoffs whose clock started", "count", len(started)),
        ("handoffs that fell due", "count", len(due)),
        ("of these touched within their limit", "ppm", share_ppm(clocks["on_time"], len(due))),
        ("of these, median working time to the touch", "seconds",
         clocks["median_working_seconds"]),
        ("people accepted by sales", "count", len(accepted)),
        ("people rejected by sales", "count", len(rejected_in(status, week))),
        ("new deals", "count", len(created)),
        ("amount of new deals", "minor", int(created["company_minor"].sum())),
        ("deals won", "count", len(won)),
        ("won revenue", "minor", int(won["company_minor"].sum())),
        ("deals lost", "count", len(lost)),
    ]  # fmt: skip


def won_in(deals: DataFrame[Deals], week: Week) -> pd.DataFrame:
    """Give the deals that were won in a week: by the moment, which no later edit moves."""
    return deals[(deals["state"] == "won") & week.holds(deals["closed_at"])]


def _on(days: pd.Series, week: Week) -> pd.Series:
    inside = (days >= week.first.isoformat()) & (days <= week.last.isoformat())
    return inside.fillna(value=False).astype(bool)


def _counts(values: pd.Series) -> dict[str, int]:
    """Count values, the most frequent first, ties by name."""
    counts = values.dropna().value_counts()
    ordered = sorted(counts.items(), key=lambda each: (-int(each[1]), str(each[0])))
    return {str(name): int(count) for name, count in ordered}


# Misses and questions ----------------------------------------------------------------------------


def _missed(status: DataFrame[HandoffStatus], handoff: Handoff, week: Week) -> pd.DataFrame:
    """Give the misses of a week, by how many times their limit they took, then by id."""
    limits = {tier.name: int(tier.limit.total_seconds()) for tier in handoff.tiers}
    due = fell_due(status, week)
    late = due[due["is_breached"]]
    limit = late["tier"].map(limits).astype("int64")
    times = late["working_seconds"] / limit.clip(lower=1)
    rows = late.assign(limit_seconds=limit, times=times)
    return rows.sort_values(["times", "handoff_id"], ascending=[False, True])


def _miss(row: Mapping[str, object]) -> Miss:
    kind, record, cause, team = (
        None if pd.isna(row[name]) else str(row[name])
        for name in ("record_kind", "record_id", "cause", "team")
    )
    return Miss(
        record=f"{kind} {record}" if record else f"HubSpot contact {row['contact_id']}",
        tier=str(row["tier"]),
        team=team,
        cause=cause,
        working_seconds=int(str(row["working_seconds"])),
        limit_seconds=int(str(row["limit_seconds"])),
        is_touched=not pd.isna(row["touched_at"]),
    )


def _asked_in(questions: DataFrame[Questions], week: Week) -> pd.DataFrame:
    """Give the questions that came up in a week, by time; an act comes up when it is entered."""
    is_entry = questions["kind"] == "back_dated"
    later = pd.to_timedelta(questions["seconds"].where(is_entry, 0), unit="s")
    at = questions["at"] + later
    rows = questions.assign(asked_at=at)[week.holds(at)]
    return rows.sort_values(["asked_at", "question_id"])
