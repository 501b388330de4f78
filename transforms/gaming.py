"""What looks odd in the figures, worded as questions: nobody is accused by a rule."""

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from agreement.frames import (
    Activities,
    ClockSegments,
    Crosswalk,
    DataFrame,
    Deals,
    HandoffStatus,
    People,
    Questions,
    StageChanges,
    as_utc,
    empty,
    lookup,
)
from agreement.policy import Gaming
from agreement.wording import duration_text

_COLUMNS = ["kind", "subject_id", "record_id", "at", "seconds", "question"]


def questions(*found: pd.DataFrame) -> DataFrame[Questions]:
    """Put what was found together: one row per question, by kind, time and subject.

    `question_id` derives from what it is about, so that the same question keeps it.
    """
    known = [frame for frame in found if len(frame)]
    if not known:
        return Questions.validate(empty(Questions), lazy=True)
    rows = pd.concat(known, ignore_index=True)
    rows["question_id"] = rows["kind"] + ":" + rows["subject_id"] + ":" + rows["record_id"]
    rows = rows.sort_values(["kind", "at", "question_id"]).drop_duplicates("question_id")
    frame = rows[list(Questions.to_schema().columns)].reset_index(drop=True)
    return Questions.validate(frame, lazy=True)


def back_dated(
    status: DataFrame[HandoffStatus], activities: DataFrame[Activities], rules: Gaming
) -> pd.DataFrame:
    """Ask about touches in time that were entered only after the due time, much later than done."""
    entered = activities.drop_duplicates("evidence_id").set_index("evidence_id")["created_at"]
    rows = status[status["status"] == "on_time"]
    entered_at = lookup(rows["evidence_id"], entered)
    gap = entered_at - rows["touched_at"]
    is_odd = (gap >= pd.Timedelta(rules.back_dated)) & (entered_at > rows["due_at"])
    rows, gap = rows[is_odd], gap[is_odd]
    texts = [
        f"Act {evidence} is dated {_day(at)} and was entered {duration_text(int(seconds))} later,"
        " after the due time. Was it done when it says?"
        for evidence, at, seconds in zip(
            rows["evidence_id"], rows["touched_at"], _seconds(gap), strict=True
        )
    ]
    return _found(
        "back_dated", rows["handoff_id"], rows["evidence_id"], rows["touched_at"], gap, texts
    )


def owner_swaps(
    status: DataFrame[HandoffStatus], segments: DataFrame[ClockSegments], rules: Gaming
) -> pd.DataFrame:
    """Ask about owners who changed in the last part of the time to the due time, untouched so far.

    The last part is taken of the time on the wall, from the start to the due time.
    """
    people = segments[segments["is_person"]]
    follows = people["handoff_id"].eq(people["handoff_id"].shift())
    swaps = people[follows & people["owner_id"].ne(people["owner_id"].shift())]
    columns = ["handoff_id", "started_at", "due_at", "touched_at"]
    rows = swaps.merge(status[columns], on="handoff_id").dropna(subset=["due_at"])
    left = rows["due_at"] - rows["starts_at"]
    is_near = (left >= pd.Timedelta(0)) & (
        left <= (rows["due_at"] - rows["started_at"]) * float(rules.near_limit)
    )
    rows = rows[is_near & ~(rows["touched_at"] < rows["starts_at"])]
    gap = rows["due_at"] - rows["starts_at"]
    texts = [
        f"The owner changed to {owner} on {_day(at)}, {duration_text(int(seconds))} before the due"
        " time. What was the reason?"
        for owner, at, seconds in zip(
            rows["owner_id"], rows["starts_at"], _seconds(gap), strict=True
        )
    ]
    return _found("owner_swap", rows["handoff_id"], rows["owner_id"], rows["starts_at"], gap, texts)


def stage_jumps(
    deals: DataFrame[Deals], stage_changes: DataFrame[StageChanges], rules: Gaming
) -> pd.DataFrame:
    """Ask about deals that were won after fewer stages than agreed."""
    won = deals[(deals["state"] == "won") & deals["closed_at"].notna()]
    stages = stage_changes[(stage_changes["field"] == "stage")].merge(
        won[["record_id", "closed_at"]], on="record_id"
    )
    before = stages[stages["changed_at"] < stages["closed_at"]]
    count = before.groupby("record_id")["value"].nunique()
    rows = won.assign(count=lookup(won["record_id"], count).fillna(0).astype("int64"))
    rows = rows[rows["count"] < rules.stages_before_won]
    gap = rows["closed_at"] - rows["created_at"].fillna(rows["closed_at"])
    texts = [
        f"Deal {record} was won after {count} stage{'s' if count != 1 else ''} and"
        f" {duration_text(int(seconds))}. Which steps were taken elsewhere?"
        for record, count, seconds in zip(
            rows["record_id"], rows["count"], _seconds(gap), strict=True
        )
    ]
    return _found("stage_jump", rows["deal_id"], rows["record_id"], rows["closed_at"], gap, texts)


def leads_after_meetings(
    people: DataFrame[People],
    activities: DataFrame[Activities],
    crosswalk: DataFrame[Crosswalk],
    rules: Gaming,
    now: datetime,
) -> pd.DataFrame:
    """Ask about leads made after a meeting was held with the person; of several the latest."""
    keys = crosswalk.loc[
        crosswalk["entity"] == "person", ["system", "kind", "record_id", "entity_id"]
    ].rename(columns={"entity_id": "person_id"})
    leads = people[people["kind"] == "lead"].merge(keys, on=["system", "kind", "record_id"])
    met = activities[
        (activities["activity"] == "meeting")
        & activities["is_done"]
        & ~activities["is_automatic"]
        & (activities["at"] <= now)
    ].rename(columns={"person_kind": "kind", "person_record_id": "record_id"})
    met = met[["system", "kind", "record_id", "at", "evidence_id"]].merge(
        keys, on=["system", "kind", "record_id"]
    )
    rows = leads[["person_id", "record_id", "created_at"]].merge(
        met[["person_id", "at", "evidence_id"]], on="person_id"
    )
    gap = rows["created_at"] - rows["at"]
    is_odd = (gap > pd.Timedelta(0)) & (gap <= pd.Timedelta(rules.met_before))
    rows = rows[is_odd].sort_values(["record_id", "at"]).drop_duplicates("record_id", keep="last")
    gap = rows["created_at"] - rows["at"]
    texts = [
        f"Lead {record} was made {duration_text(int(seconds))} after meeting {evidence} with the"
        " same person. Who brought the person?"
        for record, evidence, seconds in zip(
            rows["record_id"], rows["evidence_id"], _seconds(gap), strict=True
        )
    ]
    return _found(
        "lead_after_meeting", rows["person_id"], rows["record_id"], rows["created_at"], gap, texts
    )


def _seconds(gap: pd.Series) -> pd.Series:
    return (gap // pd.Timedelta(seconds=1)).astype("int64")


def _day(at: pd.Timestamp) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _found(
    kind: str,
    subject_id: pd.Series,
    record_id: pd.Series,
    at: pd.Series,
    gap: pd.Series,
    texts: Iterable[str],
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "kind": kind,
            "subject_id": subject_id.to_numpy(),
            "record_id": record_id.to_numpy(),
            "question": list(texts),
        }
    ).astype("str")
    return frame.assign(
        at=as_utc(at.reset_index(drop=True)), seconds=_seconds(gap).to_numpy(dtype="int64")
    )[_COLUMNS]
