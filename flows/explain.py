"""Explain: from a written field back to its inputs, rule, agreement version, plan and run.

Reads the store only; nothing is asked of a CRM.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from agreement.errors import BadInput
from agreement.policy import Agreement
from agreement.written_fields import KINDS, WrittenField, fields_of, vendor_name
from connectors.store import Store, Written
from flows.explain_credit import explain_credit
from flows.explain_match import explain_match
from transforms.normalise import shared_fields
from transforms.opt_out import FIELDS as OPT_OUT_FIELDS

# Which figures stand behind a field, by a word of its name.
_BLOCKS: Sequence[tuple[str, Sequence[str]]] = (
    (r"match_status|partner_id", ("match",)),
    (r"handoff_|lead_answer", ("handoffs",)),
    (r"credit|touch|days_|pool|influenced|people|acceptance", ("credit",)),
    (r"explanation_id|agreement_version", ("match", "handoffs", "credit")),
)


def explain(
    store: Store,
    agreement: Agreement,
    system: str,
    record: str,
    field: str | None = None,
    *,
    is_masked: bool = True,
) -> dict[str, Any]:
    """Say for one record's fields, or one of them, where their values come from.

    Per field: what it holds, what it says, and the last write of ours with its run, plan, reason
    and agreement version. Beside them the figures they are made of: how the record was matched and
    what would have changed that (values masked, unless told otherwise), its handoffs with start,
    due time and evidence, and each touch with the credit it got. `record` may be an explanation id,
    then `system` is one too; or kind/id, since HubSpot's ids are numbered per object.

    Raises:
        BadInput: the record or field is not known.
    """
    if record.startswith("tx-"):
        system, kind, record_id = _by_explanation(store, agreement, record)
    else:
        kind, record_id = _kind_of(store, system, record)
    links = store.crosswalk()
    own = links[
        (links["system"] == system) & (links["kind"] == kind) & (links["record_id"] == record_id)
    ]
    entity, entity_id = ("campaign", record_id) if own.empty else tuple(
        own.iloc[0][["entity", "entity_id"]]
    )  # fmt: skip
    fields = _fields(store, agreement, system, kind, record_id, field)
    blocks = {
        block
        for name in (row["name"] for row in fields if "name" in row)
        for pattern, wanted in _BLOCKS
        if re.search(pattern, name)
        for block in wanted
    }
    found: dict[str, Any] = {
        "system": system, "kind": kind, "record_id": record_id,
        "entity": entity, "entity_id": entity_id, "fields": fields,
    }  # fmt: skip
    if "match" in blocks and not own.empty:
        place = (system, kind, record_id)
        found |= explain_match(store, agreement, links, place, is_masked=is_masked)
    if "handoffs" in blocks and entity == "person":
        found["handoffs"] = _handoffs(store, entity_id)
    if "credit" in blocks:
        found["credit"] = explain_credit(store, agreement, entity, entity_id)
    shared = _shared(store, agreement, system, record_id, fields)
    return found | ({"shared": shared} if shared else {})


def _kind_of(store: Store, system: str, record: str) -> tuple[str, str]:
    """Find a record's object, also by a Salesforce id of 15 characters."""
    links = store.crosswalk()
    here = links[links["system"] == system]
    if "/" in record:
        wanted, _, record = record.partition("/")
        here = here[here["kind"] == wanted]
    is_it = (here["record_id"] == record) | (
        (here["record_id"].str.len() == 18) & (here["record_id"].str[:15] == record)
    )
    if is_it.any():
        row = here[is_it].iloc[0]
        return str(row["kind"]), str(row["record_id"])
    if system == "salesforce":
        campaigns = store.mirror("salesforce", "campaign", [])["record_id"]
        found = campaigns[(campaigns == record) | (campaigns.str[:15] == record)]
        if len(found):
            return "campaign", str(found.iloc[0])
    raise BadInput(
        f"{system} {record} is not known. Give hubspot or salesforce and the id of a person's, "
        "company's, deal's or campaign's record that a night has read"
    )


def _by_explanation(store: Store, agreement: Agreement, wanted: str) -> tuple[str, str, str]:
    """Find the record that shows an explanation id."""
    for kinds in KINDS.values():
        for system, kind in kinds:
            name = vendor_name(system, agreement.writeback.prefix, "explanation_id")
            mirror = store.mirror(system, kind, [name])
            found = mirror.loc[mirror[name] == wanted, "record_id"]
            if len(found):
                return system, kind, str(found.iloc[0])
    raise BadInput(
        f"no record shows {wanted} now: its numbers have changed since. Explain the record itself"
    )


def _fields(
    store: Store, agreement: Agreement, system: str, kind: str, record_id: str, wanted: str | None
) -> list[dict[str, Any]]:
    ours = {
        vendor_name(system, agreement.writeback.prefix, written.name): written
        for written in _written_fields(system, kind)
    }
    theirs = [*shared_fields(agreement, system, kind)]
    if kind in {"contact", "lead"}:
        theirs.append(OPT_OUT_FIELDS[system])
    names = [*ours, *theirs]
    if wanted is not None:
        names = [
            name for name in names
            if wanted.lower() in {name.lower(), ours[name].name if name in ours else ""}
        ]  # fmt: skip
        if not names:
            raise BadInput(
                f"{system} {kind} has no field {wanted!r} that Tandem writes. Leave the field out "
                "to see them all"
            )
    mirror = store.mirror(system, kind, names)
    row = mirror[mirror["record_id"] == record_id]
    values = {name: _plain(row[name].iloc[0]) if len(row) else None for name in names}
    writes = store.written_to(system, kind, record_id)
    versions: dict[str, str | None] = {}
    return [
        {
            "field": name,
            "value": values[name],
            **({"name": ours[name].name, "says": ours[name].help} if name in ours else {}),
            "last_write": _last_write(store, writes, name, versions),
        }
        for name in names
    ]


def _written_fields(system: str, kind: str) -> list[WrittenField]:
    return [
        written
        for entity, kinds in KINDS.items()
        if (system, kind) in kinds
        for written in fields_of(entity)
    ]


def _last_write(
    store: Store, writes: Sequence[Written], field: str, versions: dict[str, str | None]
) -> dict[str, Any] | None:
    own = [row for row in writes if field in row.after]
    if not own:
        return None
    last = own[-1]
    if last.run_id not in versions:
        found = store.find_run(last.run_id)
        versions[last.run_id] = found.agreement_version if found else None
    return {
        "run_id": last.run_id,
        "plan_id": last.plan_id,
        "agreement": versions[last.run_id],
        "before": last.before[field],
        "after": last.after[field],
        "reason": last.reason[field],
        "state": last.state,
        "answer": last.answer,
        "at": last.answered_at.isoformat(timespec="seconds") if last.answered_at else None,
    }


def _handoffs(store: Store, person_id: str) -> list[dict[str, Any]]:
    rows = store.measure("handoff")
    rows = rows[rows["person_id"] == person_id].sort_values("cycle")
    names = [
        "cycle", "tier", "status", "started_at", "due_at", "touched_at", "evidence_id",
        "working_seconds", "clock_seconds", "owner_id", "answer", "answer_reason",
    ]  # fmt: skip
    return [_row(row, names) for row in rows.to_dict("records")]


def _shared(
    store: Store,
    agreement: Agreement,
    system: str,
    record_id: str,
    fields: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Say of the shared fields of a record who owns them, what was agreed, and what waits."""
    names = {row["field"] for row in fields}
    bases, conflicts, holds = store.bases(), store.open_conflicts(), store.holds()
    key = f"{system}_id"
    return [
        {
            "field": shared.name,
            "owner": shared.owner,
            "blank": shared.blank,
            "bases": _rows(bases[(bases["field"] == shared.name) & (bases[key] == record_id)]),
            "conflicts": _rows(
                conflicts[(conflicts["field"] == shared.name) & (conflicts[key] == record_id)]
            ),
            "holds": _rows(
                holds[(holds["system"] == system) & (holds["record_id"] == record_id)
                      & holds["field"].isin(list(shared.vendor_fields().values()))]
            ),
        }
        for shared in agreement.ownership
        if names & {
            field for place, field in shared.vendor_fields().items() if place[0] == system
        }
    ]  # fmt: skip


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [_row(row, list(frame.columns)) for row in frame.to_dict("records")]


def _row(row: Mapping[Any, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(row[name]) for name in names}


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return None
    return value.isoformat(timespec="seconds") if isinstance(value, pd.Timestamp) else value
