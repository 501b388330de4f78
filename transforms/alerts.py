"""Say what is due to be said, once per change of state."""

from collections.abc import Collection

import pandas as pd

from agreement.frames import Alerts, DataFrame, HandoffStatus

BREACHED = "breached"


def breach_alerts(status: DataFrame[HandoffStatus], said: Collection[str]) -> DataFrame[Alerts]:
    """Give one message per breached handoff whose key was not said before, by due time and handoff.

    The text names record and owner by id only; times are UTC, seconds working time. A handoff that
    was touched after its due time is told too: the clock was missed.
    """
    rows = status[status["is_breached"]].sort_values(["due_at", "handoff_id"])
    rows = rows.assign(alert_key=rows["handoff_id"] + ":" + BREACHED)
    rows = rows[~rows["alert_key"].isin(list(said))].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "alert_key": rows["alert_key"],
            "about_id": rows["handoff_id"],
            "state": BREACHED,
            "owner_id": rows["owner_id"],
            "text": _texts(rows),
        }
    ).astype("str")
    return Alerts.validate(frame, lazy=True)


def _texts(rows: pd.DataFrame) -> pd.Series:
    record = (rows["record_kind"] + " " + rows["record_id"]).fillna(
        "person " + rows["person_id"] + " (not in Salesforce)"
    )
    owner = ("owner " + rows["owner_id"]).fillna("nobody owns it")
    due = rows["due_at"].dt.strftime("%Y-%m-%d %H:%M UTC").astype("str")
    touched = ("answered " + rows["touched_at"].dt.strftime("%Y-%m-%d %H:%M UTC")).fillna(
        "not answered yet"
    )
    minutes = rows["working_seconds"] // 60
    worked = (minutes // 60).astype("str") + " h " + (minutes % 60).astype("str") + " min"
    return (
        ("Handoff late: " + record + ", tier " + rows["tier"] + ", due " + due + "; ")
        + (touched + ", after " + worked + " of working time; " + owner + ".")
    ).astype("str")
