"""Undo: take back exactly what one run wrote, and leave alone what others changed since."""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd

from agreement.errors import BadInput
from agreement.frames import DataFrame, Writes, as_text, empty
from connectors.clock import utc_now
from connectors.store import RunRow, Store, Written
from flows.deliver import deliver, settle
from flows.merge import bases_back, shared_places
from flows.plan import Plan, live_schemas
from flows.run import Run, keep_agreement
from flows.writes import result_of
from transforms.opt_out import FIELDS as OPT_OUT_FIELDS
from transforms.validate import invalid_writes, valid_writes
from transforms.write_plan import holds_of, reverse_plan

log = logging.getLogger(__name__)

_PLACES = ["system", "kind", "record_id", "field"]


def undo_run(run: Run, undone_id: str, *, is_applied: bool) -> dict[str, Any]:
    """Show, and with `is_applied` write, what takes a run back; give it with what is left alone.

    Every record is read first: a field that shows something else than the run wrote is left alone
    and listed. What is restored is held: nights leave it alone until its inputs, its rule or the
    agreement change, or somebody releases it. An undo is a run like another and can be undone.

    Raises:
        BadInput: there is no such run.
    """
    undone = _known_run(run.store, undone_id, but=run.run_id)
    if is_applied:
        settle(run)
    done = [row for row in run.store.written(run_id=undone_id) if row.state == "confirmed"]
    writes, left = reverse_plan(
        _fields_of(done),
        _held_now(run, done),
        set(OPT_OUT_FIELDS.items()),
        f"takes back run {undone_id}",
    )
    invalid = invalid_writes(writes, live_schemas(run, writes))
    writes = valid_writes(writes, invalid)
    summary: dict[str, Any] = {
        "action": "undo",
        "run_id": run.run_id,
        "undone": undone_id,
        "is_applied": is_applied,
        "run_as_of": undone.as_of.isoformat(),
        "records": len(writes[_PLACES[:3]].drop_duplicates()),
        "fields": len(writes),
        "writes": writes.astype(object).where(writes.notna(), None).to_dict("records"),
        "left_alone": _left_alone(run, undone_id, left),
        "invalid": invalid.to_dict("records"),
        "cannot_be_undone": _final(run, undone_id, left, len(done)),
    }
    if is_applied:
        summary |= _apply(run, writes)
    kept = {name: value for name, value in summary.items() if name != "writes"}
    run.summary.update(kept)
    return summary


def release(store: Store, undo_id: str | None) -> dict[str, Any]:
    """Let nights write again what one undo holds, or with None what any does.

    Gives the number of fields `released`, and the undos that still hold some, `held_by`.

    Raises:
        BadInput: there is no such run.
    """
    if undo_id is not None:
        _known_run(store, undo_id)
    count = store.release_holds(undo_id, by="release", at=utc_now())
    return {"released": count, "held_by": sorted(set(store.holds()["run_id"]))}


def _known_run(store: Store, run_id: str, but: str = "") -> RunRow:
    """Find an earlier run; the one that asks is `but`, and is none."""
    found = store.find_run(run_id)
    if found is None or run_id == but:
        latest = ", ".join(row.run_id for row in store.last_runs(6) if row.run_id != but)
        raise BadInput(f"there is no run {run_id!r}. The latest are {latest or 'none'}")
    return found


def _fields_of(done: Sequence[Written]) -> DataFrame[Writes]:
    rows = [
        (row.system, row.kind, row.record_id, field, row.before[field], after, row.reason[field])
        for row in done
        for field, after in row.after.items()
    ]
    if not rows:
        return Writes.validate(empty(Writes), lazy=True)
    columns = dict(zip(Writes.to_schema().columns, zip(*rows, strict=True), strict=True))
    frame = pd.DataFrame({name: as_text(list(values)) for name, values in columns.items()})
    return Writes.validate(frame.sort_values(_PLACES, ignore_index=True), lazy=True)


def _held_now(run: Run, done: Sequence[Written]) -> pd.DataFrame:
    """Read what the written records hold now; a record that is gone has no rows."""
    held: list[tuple[str, str, str, str, str | None]] = []
    for crm in run.crms:
        for kind in sorted({row.kind for row in done if row.system == crm.system}):
            rows = [row for row in done if (row.system, row.kind) == (crm.system, kind)]
            fields = sorted({field for row in rows for field in row.after})
            record_ids = list(dict.fromkeys(row.record_id for row in rows))
            held += [
                (crm.system, kind, record.record_id, field, value)
                for record in crm.read_back(kind, record_ids, fields)
                if not record.is_deleted
                for field, value in record.values.items()  # noqa: PD011
            ]
    columns = [*_PLACES, "value"]
    return pd.DataFrame(held, columns=columns).astype(dict.fromkeys(columns, "str"))


def _left_alone(run: Run, undone_id: str, left: pd.DataFrame) -> list[dict[str, Any]]:
    """List what is not touched; where a later run of ours wrote the field, name that run."""
    return [
        {**row, "reason": _reason(run, undone_id, row)} if row["reason"] == "changed since" else row
        for row in left.to_dict("records")
    ]


def _reason(run: Run, undone_id: str, row: dict[Any, Any]) -> str:
    written = run.store.written_to(row["system"], row["kind"], row["record_id"])
    later = [
        other.run_id
        for other in written
        if other.state == "confirmed" and row["field"] in other.after
    ]
    last = later[-1] if later else undone_id
    if last != undone_id:
        return f"changed since: run {last} wrote it last; undo that one first"
    return "changed since by somebody else"


def _final(run: Run, undone_id: str, left: pd.DataFrame, count: int) -> list[str]:
    """Say what an undo does not take back."""
    counts = run.store.count_final(undone_id)
    opt_outs = int((left["reason"] == "never taken back").sum())
    said = [
        (count, "what workflows and flows of yours did because {count} records were written"),
        (counts["messages"], "{count} messages that were sent"),
        (counts["postings"], "{count} reward postings: the next night posts the difference, "
         "nothing is edited"),
        (opt_outs, "{count} opt-outs: nobody is subscribed again"),
    ]  # fmt: skip
    return [text.format(count=f"{number:,}") for number, text in said if number]


def _apply(run: Run, writes: DataFrame[Writes]) -> dict[str, Any]:
    keep_agreement(run)
    read_at = utc_now()
    plan_id = run.store.save_plan(
        run.run_id,
        writes,
        at=read_at,
        shared=shared_places(run),
        notes={"action": "undo"},
        holds=holds_of(writes, run.agreement.name, run.run_id),
        bases=bases_back(run, writes),
    )
    written = deliver(run, Plan(plan_id, writes, {}, read_at))
    log.info("undone fields=%d plan=%s run_id=%s", len(writes), plan_id, run.run_id)
    return {
        "plan_id": plan_id,
        "written": written,
        **result_of(run.store.written(plan_id=plan_id)),
    }
