"""The run's summary: the figures that people and `--json` see, all from the night's own tables."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from flows.bridge import class_counts, lost_mqls
from flows.coverage import coverage, drift
from flows.credit import inferred_figures
from flows.measure import Measures
from flows.plan import Plan
from flows.reconcile import Known
from flows.run import Run
from flows.say import Said
from transforms.funnel import funnel_summary
from transforms.sla import sla_figures

Counts = Mapping[str, Mapping[str, int]]
# Campaigns per horizon and model in the summary.
_CAMPAIGNS = 10


def summarise(
    run: Run,
    pulled: Counts,
    known: Known,
    measures: Measures,
    plan: Plan,
    written: Counts,
    said: Said,
    checked: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Give the night's figures as one object: counts, and amounts in company minor units.

    `planned` counts records; `written` counts records that the CRM confirmed. Booked and credited
    are over won deals, unknown counted in, and are equal. `told` lists by ids the alerts that
    arrived; it is not kept with the run.
    """
    summary = {
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "agreement": run.agreement.name,
        "currency": known.company_currency,
        "people": int(
            known.crosswalk.loc[known.crosswalk["entity"] == "person", "entity_id"].nunique()
        ),
        "pulled": {system: dict(counts) for system, counts in pulled.items()},
        "coverage": coverage(run),
        "history_drift": drift(run),
        "linked_people": _linked(known.crosswalk),
        "bridge": class_counts(measures.bridge),
        "lost_mqls": lost_mqls(measures.bridge),
        "handoffs": handoff_counts(measures, known),
        "clocks": sla_figures(measures.status),
        "clock_figures": plain_rows(measures.clock_page.figures),
        "promises": plain_rows(measures.clock_page.promises),
        "questions": counts(measures.clock_page.questions["kind"]),
        "funnel": funnel_summary(measures.funnel, run.agreement.calendar.zone),
        "deals": counts(measures.deals["state"]),
        **_won(measures),
        **_credit_figures(measures),
        "pools": measures.pools.to_dict("records"),
        "pool_minor": int(measures.pools["pool_minor"].sum()),
        **_rewards(measures),
        "rejects": measures.rejects.to_dict("records"),
        "plan_id": plan.plan_id,
        "planned": planned_counts(plan),
        "missing_fields": dict(plan.missing_fields),
        "written": {system: dict(counts) for system, counts in written.items()},
        "refused": run.store.refused(run.run_id),
        **left_out(plan),
        "alerts_sent": said.sent,
        "self_check": dict(checked),
        "api_calls": {crm.system: crm.calls for crm in run.crms},
    }
    run.summary.update(summary)
    # Whom it is about is in the alerts themselves, which an erasure reaches.
    return {**summary, "told": said.told}


def _won(measures: Measures) -> dict[str, Any]:
    """Give what was won beside its credit by the shared model."""
    won = measures.deals[measures.deals["state"] == "won"]
    credited = measures.shared_credits.merge(won[["deal_id"]], on="deal_id")
    return {
        "blank_amounts": sorted(won.loc[won["is_blank"], "record_id"]),
        "booked_minor": int(won["company_minor"].sum()),
        "credited_minor": int(credited["credit_minor"].sum()),
        "credit_by_team_minor": sums(credited, "team", "credit_minor"),
        "credit_by_channel_minor": sums(credited, "channel", "credit_minor"),
    }


def _credit_figures(measures: Measures) -> dict[str, Any]:
    """Give the figures over this quarter and the last four, and what they rest on.

    Of campaigns those with the most won credit; the store and the CRM hold all.
    """
    figures = measures.credit_figures
    results = figures.channels
    is_campaign = results["dimension"] == "campaign"
    best = (
        results[is_campaign]
        .sort_values(["won_minor", "open_minor", "name"], ascending=[False, False, True])
        .groupby(["horizon", "model"])
        .head(_CAMPAIGNS)
    )
    return {
        "credit_by_inference": inferred_figures(measures.credit),
        "acts_set_aside": counts(measures.credit.set_aside["reason"]),
        "channel_results": plain_rows(results[~is_campaign]) + plain_rows(best),
        "synergies": plain_rows(figures.synergies),
        "velocity": plain_rows(figures.velocity),
    }


def _rewards(measures: Measures) -> dict[str, Any]:
    """Give what the pools are split into: by component over all, by team never by person.

    `pool`, `pool_held` and `cap_excess` add up to the pool; spiffs stand on top.
    """
    parts = sums(measures.rewards, "component", "reward_minor")
    spiffs = parts.pop("spiff", 0)
    return {
        "rewards_minor": sum(parts.values()),
        "reward_by_component_minor": parts,
        "reward_by_participant_minor": sums(measures.team_rewards, "participant", "reward_minor"),
        "spiffs_minor": spiffs,
    }


def left_out(plan: Plan) -> dict[str, Any]:
    """Give what the plan leaves out, and why: counts, and the first records of each by id."""
    names = ("guards", "invalid", "conflicts", "held", "opt_outs_left", "postponed_records")
    return {name: plan.notes[name] for name in names if name in plan.notes}


def handoff_counts(measures: Measures, known: Known) -> dict[str, int]:
    """Count handoffs of people linked in both CRMs by status; the others stand under `unlinked`."""
    linked = measures.status["person_id"].isin(linked_people(known.crosswalk))
    status = measures.status.loc[linked, "status"]
    return {
        **{name: int((status == name).sum()) for name in ("on_time", "late", "waiting")},
        "unlinked": int((~linked).sum()),
    }


def linked_people(crosswalk: pd.DataFrame) -> pd.Index:
    """List the people who have a record in both CRMs."""
    people = crosswalk[crosswalk["entity"] == "person"]
    systems = people.groupby("entity_id")["system"].nunique()
    return systems.index[systems > 1]


def planned_counts(plan: Plan) -> dict[str, dict[str, int]]:
    """Count the records that a plan changes, per system and object."""
    records = plan.writes.drop_duplicates(["system", "kind", "record_id"])
    counts: dict[str, dict[str, int]] = {}
    for (system, kind), count in records.groupby(["system", "kind"]).size().items():
        counts.setdefault(system, {})[kind] = int(count)
    return counts


def _linked(crosswalk: pd.DataFrame) -> int:
    return len(linked_people(crosswalk))


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give a frame's rows with plain values, missing as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def counts(values: pd.Series) -> dict[str, int]:
    """Count each value, in the order of their text."""
    return {str(value): int(count) for value, count in values.value_counts().sort_index().items()}


def sums(frame: pd.DataFrame, by: str, amount: str) -> dict[str, int]:
    """Add up a column of amounts by another one, in its order."""
    totals = frame.groupby(by)[amount].sum().sort_index()
    return {str(name): int(total) for name, total in totals.items()}
