"""Why a promise was missed: one cause per handoff, the first link of the chain that broke."""

from datetime import datetime

import numpy as np
import pandas as pd

from agreement.frames import Absences, ClockSegments, DataFrame, Users, lookup
from transforms.handoffs.answers import NO_REASON, TOO_FEW
from transforms.handoffs.owners import last_owners


def answer_statuses(clocks: pd.DataFrame, now: datetime) -> pd.Series:
    """Say how sales' answer stands; missing without a clock or a lead to answer on.

    in_time or late by the due time, undated when nobody knows when it was given, not_worked for a
    rejection that does not count, waiting up to the due time and silent after it.
    """
    moment = pd.Timestamp(now).as_unit("us")
    conditions = {
        "not_worked": clocks["answer_fault"].notna(),
        "undated": clocks["answer"].notna() & clocks["answered_at"].isna(),
        "late": clocks["answered_at"] > clocks["answer_due_at"],
        "in_time": clocks["answer"].notna(),
        "silent": clocks["answer_due_at"] < moment,
    }
    found = np.select(list(conditions.values()), list(conditions), "waiting")
    status = pd.Series(found, index=clocks.index, dtype="str")
    return status.where(clocks["has_lead"] & clocks["relief"].isna())


def causes(
    clocks: pd.DataFrame,
    segments: DataFrame[ClockSegments],
    users: DataFrame[Users],
    absences: DataFrame[Absences],
    is_reassigned_late: pd.Series,
) -> pd.Series:
    """Name the first cause that holds for each handoff whose touch or answer missed its promise.

    The owner is who owned it at the due time: inactive as the user is now, absent when out of
    office at that instant.

    Args:
        clocks: handoffs with `due_at`, `is_breached` and `answer_status`.
        segments: whose clock ran when.
        users: Salesforce users.
        absences: when which user was out of office.
        is_reassigned_late: by the index of `clocks`.
    """
    owner_id = _owners_at_due(clocks, segments)
    inactive = users.loc[users["is_human"] & ~users["is_active"], "user_id"]
    is_late, due = clocks["is_breached"], clocks["due_at"]
    touched, fault = clocks["touched_at"], clocks["answer_fault"]
    conditions = {
        "not_seen": is_late & ~(clocks["seen_at"] <= due),
        "not_assigned": is_late & ~(clocks["assigned_at"] <= due),
        "owner_inactive": is_late & owner_id.isin(inactive),
        "owner_absent": is_late & _is_absent(owner_id, due, absences),
        "reassigned_late": is_late & is_reassigned_late,
        NO_REASON: (fault == NO_REASON) & clocks["relief"].isna(),
        TOO_FEW: (fault == TOO_FEW) & clocks["relief"].isna(),
        "never_touched": is_late & touched.isna(),
        "touched_late": is_late,
        "never_answered": clocks["answer_status"] == "silent",
        "answered_late": clocks["answer_status"] == "late",
    }
    found = np.select(
        [each.to_numpy(dtype=bool) for each in conditions.values()], list(conditions), ""
    )
    return pd.Series(found, index=clocks.index, dtype="str").replace("", None).astype("str")


def _owners_at_due(clocks: pd.DataFrame, segments: pd.DataFrame) -> pd.Series:
    due = clocks.set_index("handoff_id")["due_at"]
    return lookup(clocks["handoff_id"], last_owners(segments, due)["owner_id"])


def _is_absent(owner_id: pd.Series, due: pd.Series, absences: pd.DataFrame) -> pd.Series:
    pairs = pd.DataFrame({"user_id": owner_id, "due_at": due}).reset_index().dropna()
    pairs = pairs.merge(absences, on="user_id")
    away = pairs.loc[
        (pairs["starts_at"] <= pairs["due_at"]) & (pairs["due_at"] < pairs["ends_at"]), "index"
    ]
    return pd.Series(owner_id.index.isin(away), index=owner_id.index)
