"""Merge: what people changed in one CRM travels to the other, and what is left to a person."""

import logging
from dataclasses import dataclass

import pandas as pd

from agreement.frames import (
    Bases,
    Conflicts,
    Crosswalk,
    DataFrame,
    SharedPairs,
    Writes,
    as_utc,
)
from agreement.policy import SharedField
from connectors.clock import utc_now
from flows.reconcile import Known
from flows.run import Run
from transforms import merge as merging
from transforms.normalise import CHANGE_LISTS, shared_fields
from transforms.opt_out import FIELDS as OPT_OUT_FIELDS
from transforms.opt_out import opt_out_writes
from transforms.write_plan import is_held

log = logging.getLogger(__name__)

# Between our sending a value and the vendor's stamp on it, by two clocks.
_SKEW = pd.Timedelta(minutes=2)


@dataclass(frozen=True)
class Shared:
    """What follows for the fields that people share with us.

    `guarded` are the writes that guards count: no opt-out, and no first fill of a blank field.
    `held` are record sides that an undo keeps as they are. `opt_outs_left` are records on which a
    person has to note an opt-out, since this token cannot.
    """

    writes: DataFrame[Writes]
    guarded: DataFrame[Writes]
    conflicts: DataFrame[Conflicts]
    held: pd.DataFrame
    opt_outs_left: pd.DataFrame


def note_agreed(run: Run) -> int:
    """Keep what both sides hold and agree on, as the mirrors stand; give how many bases differ.

    Done before a pull: the mirrors then show what our own last writes made, so that an edit which
    the pull brings is told from them, also when the run that wrote died before it could say so.
    """
    crosswalk = run.store.crosswalk()
    if not len(crosswalk) or not run.agreement.ownership:
        return 0
    ownership = run.agreement.ownership
    merged = merging.merge(_pairs(run, crosswalk), ownership)
    return run.store.save_bases(run.run_id, merging.agreed_bases(merged, ownership), at=utc_now())


def bases_back(run: Run, restored: DataFrame[Writes]) -> DataFrame[Bases]:
    """Give the bases that an undo goes back to, for the shared fields that it restores."""
    pairs = _pairs(run, run.store.crosswalk())
    return merging.bases_taken_back(pairs, restored, run.agreement.ownership)


def merge_shared(run: Run, known: Known) -> Shared:
    """Merge every shared field of every linked pair; keep what is agreed and what waits."""
    ownership = run.agreement.ownership
    pairs = _pairs(run, known.crosswalk)
    newest = [shared for shared in ownership if shared.owner == "newest"]
    if newest:
        pairs = merging.with_times(pairs, _people_changes(run, newest), ownership)
    merged = merging.merge(pairs, ownership)
    run.store.save_bases(run.run_id, merging.agreed_bases(merged, ownership), at=utc_now())
    held, places = _held(run, merged)
    merged = merged[~held].reset_index(drop=True)
    conflicts = merging.conflicts(merged)
    if run.is_applied:
        run.store.save_conflicts(run.run_id, conflicts, at=utc_now())
    opt_outs, left = _opt_outs(run, known)
    writes = merging.shared_writes(merged, ownership)
    log.info(
        "merged pairs=%d writes=%d conflicts=%d opt_outs=%d run_id=%s",
        len(pairs), len(writes), len(conflicts), len(opt_outs), run.run_id,
    )  # fmt: skip
    return Shared(
        writes=_joined(writes, opt_outs),
        guarded=merging.shared_writes(merged[merged["how"] != "fill"], ownership),
        conflicts=conflicts,
        held=places,
        opt_outs_left=left,
    )


def shared_places(run: Run) -> set[tuple[str, str, str]]:
    """List the fields (system, kind, field) that people keep too, opt-outs among them."""
    places = {
        (system, kind, field)
        for shared in run.agreement.ownership
        for (system, kind), field in shared.vendor_fields().items()
    }
    opt_outs = {
        (system, kind, OPT_OUT_FIELDS[system])
        for system, kind in (
            ("hubspot", "contact"), ("salesforce", "lead"), ("salesforce", "contact")
        )
    }  # fmt: skip
    return places | opt_outs


def _pairs(run: Run, crosswalk: DataFrame[Crosswalk]) -> DataFrame[SharedPairs]:
    return merging.shared_pairs(
        crosswalk, _mirrors(run), run.agreement.ownership, run.store.bases(), run.store.decisions()
    )


def _mirrors(run: Run) -> dict[tuple[str, str], pd.DataFrame]:
    """Read the shared fields, as far as this token sees them: what it does not see is not blank."""
    mirrors = {}
    places = {place for shared in run.agreement.ownership for place in shared.vendor_fields()}
    for crm in run.crms:
        for kind in sorted(kind for system, kind in places if system == crm.system):
            described = crm.describe(kind) or {}
            fields = shared_fields(run.agreement, crm.system, kind)
            seen = [field for field in fields if field in described]
            mark = merging.MARKS.get((crm.system, kind))
            read = [*seen, mark] if mark else seen
            mirrors[crm.system, kind] = run.store.mirror(crm.system, kind, read)
    return mirrors


def _held(run: Run, merged: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Say which pairs an undo holds on either side, and name the records."""
    holds, version = run.store.holds(), run.agreement.name
    held = pd.Series(False, index=merged.index)
    places = []
    for side in ("hubspot", "salesforce"):
        sides = merging.record_sides(merged, side, run.agreement.ownership)
        is_side_held = is_held(sides, holds, version) & (merged["outcome"] != "agreed")
        held |= is_side_held
        places.append(sides.loc[is_side_held, ["system", "kind", "record_id", "field"]])
    return held, pd.concat(places, ignore_index=True)


def _opt_outs(run: Run, known: Known) -> tuple[DataFrame[Writes], pd.DataFrame]:
    """Carry opt-outs to every record; HubSpot is asked for leave only where there is one."""
    wanted, _ = opt_out_writes(known.people, known.crosswalk, OPT_OUT_FIELDS)
    if (wanted["system"] == run.hubspot.system).any():
        run.hubspot.learn_opt_outs()
    return opt_out_writes(known.people, known.crosswalk, _writable_opt_outs(run))


def _writable_opt_outs(run: Run) -> list[str]:
    kinds = {"hubspot": ("contact",), "salesforce": ("lead", "contact")}
    return [
        crm.system
        for crm in run.crms
        if all(
            (field := (crm.describe(kind) or {}).get(OPT_OUT_FIELDS[crm.system])) is not None
            and field.is_writable
            for kind in kinds[crm.system]
        )
    ]


def _people_changes(run: Run, newest: list[SharedField]) -> pd.DataFrame:
    """Give the dated values of shared fields in both CRMs, without those that we wrote."""
    fields: dict[tuple[str, str], set[str]] = {}
    for shared in newest:
        for place, field in shared.vendor_fields().items():
            fields.setdefault(place, set()).add(field)
    lists = [
        _hubspot_changes(run, kind, names) if system == "hubspot"
        else _salesforce_changes(run, kind, names)
        for (system, kind), names in fields.items()
    ]  # fmt: skip
    changes = pd.concat(lists, ignore_index=True)
    return _without_ours(changes, run.store.own_writes(fields))


def _hubspot_changes(run: Run, kind: str, names: set[str]) -> pd.DataFrame:
    history = run.store.history("hubspot", kind, sorted(names))
    return history.drop(columns="source").assign(system="hubspot", kind=kind)


def _salesforce_changes(run: Run, kind: str, names: set[str]) -> pd.DataFrame:
    """Read the object's change list; an object that has none tells no times."""
    name, record = CHANGE_LISTS.get(kind, ("", ""))
    mirror = (
        run.store.mirror("salesforce", name, [record, "Field", "NewValue"])
        if name
        else pd.DataFrame(columns=[record, "Field", "NewValue", "created_at"])
    )
    rows = mirror[mirror["Field"].isin(names)]
    return pd.DataFrame(
        {
            "system": "salesforce",
            "kind": kind,
            "record_id": rows[record],
            "field": rows["Field"],
            "value": rows["NewValue"],
            "changed_at": as_utc(rows["created_at"]),
        }
    )


def _without_ours(changes: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    keys = ["system", "kind", "record_id", "field", "value"]
    numbered = changes.astype(dict.fromkeys(keys, "str")).reset_index(names="number")
    found = numbered.merge(ours, on=keys)
    is_near = found["changed_at"].between(
        found["sent_at"] - _SKEW, found["answered_at"].fillna(found["sent_at"]) + _SKEW
    )
    is_ours = numbered["number"].isin(found.loc[is_near, "number"])
    return numbered[~is_ours].drop(columns="number").reset_index(drop=True)


def _joined(*plans: DataFrame[Writes]) -> DataFrame[Writes]:
    order = ["system", "kind", "record_id", "field"]
    joined = pd.concat(plans, ignore_index=True).sort_values(order, ignore_index=True)
    return Writes.validate(joined, lazy=True)
