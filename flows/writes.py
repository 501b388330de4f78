"""Plan and apply, in two steps with a person between: show a stored plan, then write it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from agreement.errors import BadInput, Stale
from agreement.frames import Writes, empty
from connectors.store import PlanRow, Store, Written
from flows.deliver import deliver, guard, settle
from flows.plan import Plan
from flows.run import Run, keep_agreement


def plan_view(store: Store, plan_id: str) -> dict[str, Any]:
    """Show a stored plan: counts, what it leaves out and why, then field by field.

    Fields that people share with us come first, since those are to be looked at; then by system,
    object, record and field. `state` is what became of each.

    Raises:
        BadInput: there is no such plan.
    """
    plan = known_plan(store, plan_id)
    rows = store.written(plan_id=plan_id)
    ordered = sorted(rows, key=lambda row: not row.is_shared)
    return {
        "plan_id": plan.plan_id,
        "content_hash": plan.content_hash,
        "run_id": plan.run_id,
        "planned_at": plan.planned_at.isoformat(timespec="seconds"),
        "records": len({(row.system, row.kind, row.record_id) for row in rows}),
        "fields": plan.field_count,
        "counts": _counts(rows),
        "states": dict(sorted(Counter(row.state for row in rows).items())),
        **plan.notes,
        "writes": [field for row in ordered for field in _fields(row)],
    }


def known_plan(store: Store, plan_id: str) -> PlanRow:
    """Find a stored plan.

    Raises:
        BadInput: there is none of this id.
    """
    plan = store.find_plan(plan_id)
    if plan is None:
        raise BadInput(f"there is no plan {plan_id!r}. `tandem plan` makes one and says its id")
    return plan


def _counts(rows: Sequence[Written]) -> list[dict[str, Any]]:
    """Count records and fields per object, our own and shared ones apart."""
    records: Counter[tuple[str, str, bool]] = Counter()
    fields: Counter[tuple[str, str, bool]] = Counter()
    for row in rows:
        key = (row.system, row.kind, row.is_shared)
        records[key] += 1
        fields[key] += len(row.after)
    return [
        {
            "system": system,
            "kind": kind,
            "is_shared": is_shared,
            "records": records[system, kind, is_shared],
            "fields": fields[system, kind, is_shared],
        }
        for system, kind, is_shared in sorted(records)
    ]


def _fields(row: Written) -> list[dict[str, Any]]:
    return [
        {
            "system": row.system,
            "kind": row.kind,
            "record_id": row.record_id,
            "field": field,
            "is_shared": row.is_shared,
            "before": row.before[field],
            "after": after,
            "reason": row.reason[field],
            "state": row.state,
        }
        for field, after in row.after.items()
    ]


def apply_plan(
    run: Run, plan_id: str, *, canary: Decimal | None = None, is_over_guards: bool = False
) -> dict[str, Any]:
    """Write a stored plan, whatever of it still fits; give what arrived and what did not.

    Shared fields are read again first; one that moved makes its record's write stale. Writes that a
    later run planned anew are stale too.

    Raises:
        BadInput: there is no such plan.
        Stale: the plan was made under another agreement, or looked back.
        GuardStopped: the plan meets a guard, or its canary did not arrive.
    """
    known = known_plan(run.store, plan_id)
    _stop_when_overtaken(run, known)
    settle(run, plan_id)
    plan = Plan(plan_id, Writes.validate(empty(Writes), lazy=True), {}, None, known.notes)
    if not is_over_guards:
        guard(run, plan)
    keep_agreement(run)
    run.store.take_over(plan_id, run.run_id)
    summary: dict[str, Any] = {"run_id": run.run_id, "plan_id": plan_id, "action": "apply"}
    run.summary.update(summary)
    written = deliver(run, plan, canary)
    summary |= {"written": written, **result_of(run.store.written(plan_id=plan_id))}
    run.summary.update(summary)
    return summary


def _stop_when_overtaken(run: Run, plan: PlanRow) -> None:
    if plan.notes.get("is_look_back"):
        raise Stale(
            f"plan {plan.plan_id} looks back to before what a night or watch had decided, and would"
            " write old figures over newer ones. Plan again, without --as-of"
        )
    made_by = run.store.find_run(plan.run_id)
    if made_by is not None and made_by.agreement_version != run.agreement.name:
        raise Stale(
            f"plan {plan.plan_id} was made under {made_by.agreement_version}, and "
            f"{run.agreement.name} is in force now. Plan again"
        )


def result_of(rows: Sequence[Written]) -> dict[str, list[dict[str, Any]]]:
    """List what did not arrive, by id, with why: stale and refused records."""
    return {
        state: [
            {
                **{name: asdict(row)[name] for name in ("system", "kind", "record_id")},
                "reason": row.answer,
            }
            for row in rows
            if row.state == state
        ]
        for state in ("stale", "refused")
    }


def stop_when_stale(summary: Mapping[str, Any]) -> None:
    """Say that part of a plan was not written since it no longer fits.

    Raises:
        Stale: some was not.
    """
    if count := len(summary["stale"]):
        raise Stale(
            f"{count} writes of plan {summary['plan_id']} no longer fit and were left out. "
            "Plan again; the next night does so by itself"
        )
