"""Coverage: how much of each object we hold, and whether its history ends where the object stands.

Nothing is read here but the store.
"""

from typing import Any

from flows.reread import COUNT, OWN_COUNT
from flows.run import Run
from transforms.drift import history_drift
from transforms.normalise import FIELDS, STAGE_FIELDS

# What a summary shows of a list of ids; the count tells how long it is.
_SHOWN_IDS = 20


def coverage(run: Run) -> dict[str, dict[str, Any]]:
    """Give, per system and object, the earliest record read and our count beside the vendor's.

    `ours` counts live records. `vendor` is the vendor's count when it was last asked, `counted` our
    own count for that moment, `counted_at`; all three are None for an object that has none.
    `is_skipped` says that this run could not read the object.
    """
    found: dict[str, dict[str, Any]] = {crm.system: {} for crm in run.crms}
    for system, kind in FIELDS:
        found[system][kind] = _coverage_of(run, system, kind)
    return found


def _coverage_of(run: Run, system: str, kind: str) -> dict[str, Any]:
    ours, earliest = run.store.count_live(system, kind)
    asked, own = (run.store.reread(system, kind, what) for what in (COUNT, OWN_COUNT))
    watermark = run.store.watermark(system, kind)
    return {
        "ours": ours,
        "earliest": earliest.isoformat() if earliest else None,
        "vendor": asked.value if asked else None,
        "counted": own.value if own else None,
        "counted_at": asked.at.isoformat() if asked else None,
        "is_skipped": watermark is None or watermark < run.as_of,
    }


def drift(run: Run) -> dict[str, dict[str, Any]]:
    """Give the records whose history does not end at their current value, where there are any.

    By `system/object`: their `count`, and the first of their `ids`.
    """
    found = {f"{system}/{kind}": _field_drift(run, system, kind) for system, kind in STAGE_FIELDS}
    found["salesforce/opportunity"] = _stage_drift(run)
    return {
        name: {"count": len(ids), "ids": ids[:_SHOWN_IDS]} for name, ids in found.items() if ids
    }


def _field_drift(run: Run, system: str, kind: str) -> list[str]:
    """Compare a HubSpot object's dated values with its current ones, field by field."""
    ids: set[str] = set()
    for field in STAGE_FIELDS[system, kind]:
        current = run.store.mirror(system, kind, [field]).rename(columns={field: "value"})
        ids |= set(history_drift(current, run.store.history(system, kind, [field])))
    return sorted(ids)


def _stage_drift(run: Run) -> list[str]:
    """Compare the last row of each opportunity's history with the opportunity."""
    current = run.store.mirror("salesforce", "opportunity", ["StageName"])
    history = run.store.mirror(
        "salesforce", "opportunity_history", ["OpportunityId", "StageName"]
    ).drop(columns="record_id")
    return history_drift(
        current.rename(columns={"StageName": "value"}),
        history.rename(
            columns={
                "OpportunityId": "record_id",
                "StageName": "value",
                "created_at": "changed_at",
            }
        ),
    )
