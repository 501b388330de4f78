"""Plan: what should stand in both CRMs, minus what stands there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from agreement.frames import DataFrame, Holds, Invalid, Writes, empty
from agreement.records import FieldInfo
from connectors.clock import utc_now
from flows.measure import Measures
from flows.merge import Shared, shared_places
from flows.provision import our_fields, written_kinds
from flows.reconcile import Known
from flows.run import Run, overtaken_by
from transforms import write_plan as planning
from transforms.guards import creations_in, guard_faults
from transforms.validate import invalid_writes, valid_writes
from transforms.value_maps import unmapped_writes

log = logging.getLogger(__name__)

# What a plan's notes list of each thing; the count tells how many there are.
_LISTED = 1000


@dataclass(frozen=True)
class Plan:
    """A stored plan: its id, its writes field by field, and what it leaves out.

    `missing_fields` are ours that a CRM does not have. `seen_at` is when the values were read that
    the plan would overwrite; None: long ago, so that shared fields are read again first. `notes`
    is what the store keeps beside the plan.
    """

    plan_id: str
    writes: DataFrame[Writes]
    missing_fields: Mapping[str, int]
    seen_at: datetime | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def guards(self) -> list[str]:
        """Say which guards the plan meets."""
        return list(self.notes.get("guards", ()))


def plan_writes(run: Run, known: Known, measures: Measures, shared: Shared) -> Plan:
    """Compute and store the plan: desired values minus the values in the mirror.

    Shared fields and opt-outs come with it. Left out, and noted: what a CRM would refuse, what an
    undo holds, and what is over the records of one night.
    """
    current, missing = _current(run)
    ours = planning.write_plan(
        desired_values(run, known, measures), current, run.agreement.writeback.prefix
    )
    writes, invalid = _validated(run, _joined(ours, shared.writes))
    writes, held = _without_held(run, writes, shared)
    kept = _tonight(run, _in_scope(run, writes))
    notes = {
        "guards": guard_faults(
            _only_kept(shared.guarded, kept),
            _record_counts(run),
            run.agreement.guards,
            creations_in(kept, _there(run, kept, current)),
        ),
        "invalid": _listed(invalid),
        "conflicts": _listed(shared.conflicts.drop(columns=["hubspot_value", "salesforce_value"])),
        "held": _listed(held),
        "opt_outs_left": _listed(shared.opt_outs_left),
        "postponed_records": _count_records(writes) - _count_records(kept),
        "missing_fields": missing,
        "is_look_back": overtaken_by(run) is not None,
    }
    plan_id = run.store.save_plan(
        run.run_id, kept, at=utc_now(), shared=shared_places(run), notes=notes
    )
    log.info("planned writes=%d plan=%s run_id=%s", len(kept), plan_id, run.run_id)
    return Plan(plan_id, kept, missing, run.started_at, notes)


def _validated(run: Run, writes: DataFrame[Writes]) -> tuple[DataFrame[Writes], DataFrame[Invalid]]:
    """Part what a CRM would refuse from the rest, by what both say of their fields now."""
    unmapped = unmapped_writes(writes, run.agreement.ownership, shared_schemas(run))
    mapped = valid_writes(writes, unmapped)
    refused = invalid_writes(mapped, live_schemas(run, mapped))
    invalid = pd.concat([piece for piece in (unmapped, refused) if len(piece)] or [refused])
    invalid = Invalid.validate(invalid.reset_index(drop=True), lazy=True)
    return valid_writes(mapped, refused), invalid


def shared_schemas(run: Run) -> dict[tuple[str, str], Mapping[str, FieldInfo]]:
    """Describe the objects that carry fields which people share with us."""
    crms = {crm.system: crm for crm in run.crms}
    places = {place for shared in run.agreement.ownership for place in shared.vendor_fields()}
    return {(system, kind): crms[system].describe(kind) or {} for system, kind in sorted(places)}


def live_schemas(
    run: Run, writes: DataFrame[Writes]
) -> dict[tuple[str, str], Mapping[str, FieldInfo]]:
    """Describe the objects that a plan writes, as both CRMs do now."""
    crms = {crm.system: crm for crm in run.crms}
    places = writes[["system", "kind"]].drop_duplicates().itertuples(index=False, name=None)
    return {(system, kind): crms[system].describe(kind) or {} for system, kind in places}


def _without_held(
    run: Run, writes: DataFrame[Writes], shared: Shared
) -> tuple[DataFrame[Writes], pd.DataFrame]:
    """Leave out what an undo holds; end the holds that nothing speaks against any more."""
    holds: DataFrame[Holds] = run.store.holds()
    places = ["system", "kind", "record_id", "field"]
    is_held = planning.is_held(writes, holds, run.agreement.name)
    held = pd.concat([writes.loc[is_held, places], shared.held], ignore_index=True)
    standing = holds[places].merge(held.assign(is_held=True), on=places, how="left")
    if run.is_applied:
        over = standing[standing["is_held"].isna()]
        run.store.end_holds(over[places], by=run.run_id, at=utc_now())
    kept = writes[~is_held].reset_index(drop=True)
    return Writes.validate(kept, lazy=True), held


def _in_scope(run: Run, writes: DataFrame[Writes]) -> DataFrame[Writes]:
    """Keep what a run that is about one object or record may write."""
    if run.scope is None:
        return writes
    return Writes.validate(writes[run.scope.covers(writes)].reset_index(drop=True), lazy=True)


def _tonight(run: Run, writes: DataFrame[Writes]) -> DataFrame[Writes]:
    """Keep what may be written in one night; what people themselves changed is never put off."""
    most = run.agreement.writeback.records_per_night
    if most is None:
        return writes
    shared = shared_places(run)
    places = zip(writes["system"], writes["kind"], writes["field"], strict=True)
    is_shared = pd.Series([place in shared for place in places], index=writes.index, dtype=bool)
    ours = Writes.validate(writes[~is_shared].reset_index(drop=True), lazy=True)
    turn = run.as_of.date().isoformat()
    theirs = Writes.validate(writes[is_shared].reset_index(drop=True), lazy=True)
    return _joined(planning.first_records(ours, most, turn), theirs)


def _only_kept(guarded: DataFrame[Writes], kept: DataFrame[Writes]) -> DataFrame[Writes]:
    places = ["system", "kind", "record_id", "field"]
    found = guarded.merge(kept[places], on=places)
    return Writes.validate(found, lazy=True)


def _record_counts(run: Run) -> dict[tuple[str, str], int]:
    kinds = {place[:2] for place in shared_places(run)}
    return {(system, kind): run.store.count_live(system, kind)[0] for system, kind in sorted(kinds)}


def _there(
    run: Run, writes: pd.DataFrame, current: Mapping[tuple[str, str], pd.DataFrame]
) -> dict[tuple[str, str], pd.DataFrame]:
    """Give the known records of each object that a plan writes."""
    places = {
        (str(system), str(kind)) for system, kind in writes.groupby(["system", "kind"]).groups
    }
    return {
        place: current[place] if place in current else run.store.mirror(*place, [])
        for place in sorted(places)
    }


def _count_records(writes: pd.DataFrame) -> int:
    return len(writes[["system", "kind", "record_id"]].drop_duplicates())


def _listed(rows: pd.DataFrame) -> dict[str, Any]:
    return {"count": len(rows), "first": rows.head(_LISTED).to_dict("records")}


def _joined(*plans: DataFrame[Writes]) -> DataFrame[Writes]:
    pieces = [plan for plan in plans if len(plan)]
    if not pieces:
        return Writes.validate(empty(Writes), lazy=True)
    order = ["system", "kind", "record_id", "field"]
    joined = pd.concat(pieces).sort_values(order, ignore_index=True)
    return Writes.validate(joined, lazy=True)


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
