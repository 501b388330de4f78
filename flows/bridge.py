"""The bridge of the last night: marketing's count, class by class, down to sales' count."""

from datetime import date
from typing import Any

import pandas as pd

from agreement.errors import BadInput
from connectors.store import Store
from transforms.bridge import CLASSES, IN_REVIEW, LINKED, MISSING

# A run's summary names so many of the lost; `tandem bridge` names them all.
_MOST_NAMED = 20


def bridge_view(
    store: Store, zone: str, since: date | None = None, until: date | None = None
) -> dict[str, Any]:
    """Give every MQL of the last night in its class, and the classes' counts, which add up.

    With `since` and `until`, those whose latest MQL stamp lies in these days of `zone`, the last
    one included.
    `rules` counts each class by rule or cause; `rows` has one object per MQL contact: the lost
    first (missing, then waiting for review), each class by time and id.

    Raises:
        BadInput: no night has measured anything yet, or `until` is before `since`.
    """
    if store.health().last_run is None:
        raise BadInput("no night has run yet: nothing is known. Run `tandem sync --dry-run` first")
    if since is not None and until is not None and until < since:
        raise BadInput(f"{until} is before {since}: give --until the later day")
    rows = store.measure("bridge")
    day = rows["mql_at"].dt.tz_convert(zone).dt.date
    rows = rows[(day >= (since or date.min)) & (day <= (until or date.max))]
    return {
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "mqls": len(rows),
        "classes": class_counts(rows),
        "rules": _rule_counts(rows),
        "rows": _listed(rows),
    }


def class_counts(bridge: pd.DataFrame) -> dict[str, int]:
    """Count each class, the empty ones too; the counts add up to the MQLs."""
    counts = bridge["bridge_class"].value_counts()
    return {name: int(counts.get(name, 0)) for name in CLASSES}


def lost_mqls(bridge: pd.DataFrame) -> dict[str, Any]:
    """Count the missing by likely cause and name the first of them, by time and id."""
    missing = bridge[bridge["bridge_class"] == MISSING]
    return {
        "count": len(missing),
        "causes": _rule_counts(missing).get(MISSING, {}),
        "first": _listed(missing)[:_MOST_NAMED],
    }


def _rule_counts(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    counts = rows.groupby(["bridge_class", "rule"]).size()
    ordered = counts.reset_index(name="count").sort_values(
        ["count", "rule"], ascending=[False, True]
    )
    return {
        name: {
            str(row["rule"]): int(row["count"])
            for row in ordered[ordered["bridge_class"] == name].to_dict("records")
        }
        for name in CLASSES
        if (ordered["bridge_class"] == name).any()
    }


def _listed(rows: pd.DataFrame) -> list[dict[str, Any]]:
    first = [MISSING, IN_REVIEW]
    order = {name: place for place, name in enumerate([*first, *CLASSES[1:3], LINKED])}
    place = rows["bridge_class"].map(order)
    ordered = rows.assign(place=place).sort_values(["place", "mql_at", "record_id"])
    return [
        {
            "record_id": str(row["record_id"]),
            "person_id": str(row["person_id"]),
            "mql_at": row["mql_at"].isoformat(timespec="seconds"),
            "class": str(row["bridge_class"]),
            "rule": str(row["rule"]),
            "detail": str(row["detail"]),
        }
        for row in ordered.to_dict("records")
    ]
