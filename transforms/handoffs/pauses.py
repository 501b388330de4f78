"""Where a handoff's clock stands still: only for listed causes, each with its reason."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from agreement.frames import ClockPauses, Crosswalk, DataFrame, StageChanges
from agreement.policy import Pause


def clock_pauses(
    handoffs: pd.DataFrame,
    crosswalk: DataFrame[Crosswalk],
    stage_changes: DataFrame[StageChanges],
    pauses: Sequence[Pause],
    now: datetime,
) -> DataFrame[ClockPauses]:
    """List the times in which a lead of the person had a status that pauses the clock.

    One row per handoff, lead and time, by handoff and start. A pause that lasts ends at `now`: the
    due time moves on with it. A status without a history pauses nothing: nobody knows since when.
    """
    reasons = {pause.status: pause.reason for pause in pauses}
    is_status = (stage_changes["kind"] == "lead") & (stage_changes["field"] == "status")
    changes = stage_changes.loc[is_status, ["record_id", "value", "changed_at"]].reset_index(
        drop=True
    )
    moment = pd.Timestamp(now).as_unit("us")
    ends = changes.groupby("record_id")["changed_at"].shift(-1).fillna(moment)
    stands = changes.assign(ends_at=ends, reason=changes["value"].map(reasons).astype("str"))
    stands = stands.dropna(subset=["reason"])
    leads = crosswalk.loc[
        (crosswalk["entity"] == "person") & (crosswalk["kind"] == "lead"),
        ["record_id", "entity_id"],
    ].rename(columns={"entity_id": "person_id"})
    stands = stands.merge(leads, on="record_id")
    rows = handoffs[["handoff_id", "person_id", "started_at"]].merge(stands, on="person_id")
    rows = rows.assign(
        starts_at=rows["changed_at"].mask(
            rows["changed_at"] < rows["started_at"], rows["started_at"]
        )
    )
    rows = rows[(rows["starts_at"] < rows["ends_at"]) & (rows["starts_at"] < moment)]
    ordered = rows.sort_values(["handoff_id", "starts_at", "ends_at"], ignore_index=True)
    columns = list(ClockPauses.to_schema().columns)
    return ClockPauses.validate(ordered[columns], lazy=True)
