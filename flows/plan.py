"""Plan: what should stand in both CRMs, minus what stands there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from agreement.frames import DataFrame, Writes
from connectors.clock import utc_now
from flows.measure import Measures
from flows.provision import our_fields, written_kinds
from flows.reconcile import Known
from flows.run import Run
from transforms import write_plan as planning

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """A stored plan: its id, its writes field by field, and our fields that a CRM does not have."""

    plan_id: str
    writes: DataFrame[Writes]
    missing_fields: Mapping[str, int]


def plan_writes(run: Run, known: Known, measures: Measures) -> Plan:
    """Compute and store the plan: desired values minus the values in the mirror."""
    current, missing = _current(run)
    writes = planning.write_plan(
        desired_values(run, known, measures), current, run.agreement.writeback.prefix
    )
    plan_id = run.store.save_plan(run.run_id, writes, at=utc_now())
    log.info("planned writes=%d plan=%s run_id=%s", len(writes), plan_id, run.run_id)
    return Plan(plan_id, writes, missing)


def desired_values(
    run: Run, known: Known, measures: Measures
) -> dict[tuple[str, str], pd.DataFrame]:
    """Give what should stand on every record, per system and object."""
    shared = measures.shared_credits
    return {
        **planning.desired_person(
            known.crosswalk,
            known.people,
            measures.touches,
            measures.status,
            shared,
            measures.deals,
            run.agreement,
            measures.company_digits,
        ),
        **planning.desired_deal(
            known.crosswalk,
            measures.deals,
            measures.paths,
            shared,
            measures.deal_rewards,
            run.agreement,
            known.digits,
            measures.company_digits,
        ),
        **planning.desired_account(
            known.crosswalk,
            known.people,
            measures.touches,
            shared,
            measures.deals,
            run.agreement,
            measures.company_digits,
        ),
        **planning.desired_campaign(
            known.campaigns,
            measures.touches,
            measures.paths,
            shared,
            measures.deals,
            measures.status,
            run.agreement,
            measures.company_digits,
        ),
    }


def _current(run: Run) -> tuple[dict[tuple[str, str], pd.DataFrame], dict[str, int]]:
    """Read our fields from the mirror, as far as the CRMs have them; count the ones they lack."""
    current: dict[tuple[str, str], pd.DataFrame] = {}
    missing: dict[str, int] = {}
    for crm in run.crms:
        for kind in written_kinds(crm.system):
            described = crm.describe(kind) or {}
            ours = our_fields(run.agreement, crm.system, kind)
            there = [field.name for field in ours if field.name in described]
            if absent := len(ours) - len(there):
                missing[f"{crm.system} {kind}"] = absent
            if there:
                current[crm.system, kind] = run.store.mirror(crm.system, kind, there)
    return current, missing
