"""Each team's week in the other team's words: what sales sees of marketing, and the other way."""

import pandas as pd

from agreement.frames import DataFrame, HandoffStatus
from agreement.wording import duration_text, money_text, share_text, words
from transforms.handoffs import ACCEPTED
from transforms.pack import NO_REASON, Facts, won_in
from transforms.sla import sla_figures
from transforms.standings import fell_due, rejected_in, share_ppm, top
from transforms.weeks import Week


def said_by_sales(facts: Facts, week: Week, currency: str) -> tuple[str, ...]:
    """Say what sales saw of marketing in a week, one sentence each; "you" is marketing.

    What did not happen is left out. Revenue is that of deals won whose people marketing handed over
    and sales accepted.
    """
    status = facts.status
    started = int(week.holds(status["started_at"]).sum())
    before = int(week.before.holds(status["started_at"]).sum())
    relieved = status[week.holds(status["started_at"]) & status["relief"].notna()]
    accepted = int(((status["answer"] == ACCEPTED) & week.holds(status["answered_at"])).sum())
    rejected = rejected_in(status, week)
    said = []
    if started or before:
        said.append(
            f"You handed over {_people(started)} last week, after {before:,} the week before."
        )
    if len(relieved):
        said.append(
            f"{_people(len(relieved))} came without what we agreed on"
            f" ({words(_most(relieved['relief']))}), so that our clock does not run for them."
        )
    if accepted or len(rejected):
        said.append(f"We accepted {_people(accepted)} and rejected {len(rejected):,}.")
    if reason := top(rejected["answer_reason"].fillna(NO_REASON)):
        said.append(f"Most often we said: {reason[0]} ({reason[1]} of {len(rejected):,}).")
    return (*said, *_wins(facts, week, currency))


def _wins(facts: Facts, week: Week, currency: str) -> list[str]:
    won = won_in(facts.deals, week)
    handed = facts.attained.dropna(subset=["handoff_id"])["deal_id"]
    of_yours = won[won["deal_id"].isin(handed)]
    if won.empty:
        return []
    return [
        f"Of the {_deals(len(won))} we won, {len(of_yours):,} began with people you handed over:"
        f" {money_text(int(of_yours['company_minor'].sum()), currency)}.",
        f"Your touches carry {_credit_of('marketing', facts, won)} of the credit for what was won.",
    ]


def said_by_marketing(facts: Facts, week: Week, currency: str) -> tuple[str, ...]:
    """Say what marketing saw of sales in a week, likewise; "you" is sales."""
    due = DataFrame[HandoffStatus](fell_due(facts.status, week).reset_index(drop=True))
    late = due[due["is_breached"]]
    rejected = rejected_in(facts.status, week)
    won = won_in(facts.deals, week)
    said = []
    if len(due):
        figures = sla_figures(due)
        said += [
            f"Of {_people(len(due))} of ours whose time ran out last week, you reached"
            f" {len(due) - len(late):,} in time.",
            f"Half of them heard from you within"
            f" {duration_text(figures['median_working_seconds'])} of working time."
            if figures["median_working_seconds"] is not None
            else "Fewer than half of them have heard from you at all.",
        ]
    if len(late):
        untouched = int(late["touched_at"].isna().sum())
        said.append(
            f"{untouched:,} of the others still wait. Most often the cause is:"
            f" {words(_most(late['cause']))}."
        )
    if len(rejected):
        told = int(rejected["answer_reason"].notna().sum())
        said.append(
            f"You told us why for {told:,} of {len(rejected):,} people you rejected:"
            " a reason tells us whom to send instead."
        )
    if len(won):
        said += [
            f"You won {_deals(len(won))}: {money_text(int(won['company_minor'].sum()), currency)}.",
            f"Your touches carry {_credit_of('sales', facts, won)} of the credit for it.",
        ]
    return tuple(said)


def _credit_of(team: str, facts: Facts, won: pd.DataFrame) -> str:
    rows = facts.shared_credits[facts.shared_credits["deal_id"].isin(won["deal_id"])]
    whole = int(rows["credit_minor"].sum())
    part = int(rows.loc[rows["team"] == team, "credit_minor"].sum())
    return share_text(share_ppm(part, whole))


def _most(values: pd.Series) -> str:
    found = top(values)
    return found[0] if found else "not known"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _deals(count: int) -> str:
    return "1 deal" if count == 1 else f"{count:,} deals"
