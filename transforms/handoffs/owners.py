"""Who owned a handoff at each moment, by the owner history of both CRMs."""

from datetime import datetime

import pandas as pd

from agreement.frames import (
    ClockSegments,
    Crosswalk,
    DataFrame,
    People,
    StageChanges,
    Users,
    lookup,
)
from agreement.policy import Calendar

_ORIGIN = pd.Timestamp(1970, 1, 1, tz="UTC").as_unit("us")


def clock_segments(
    handoffs: pd.DataFrame,
    people: DataFrame[People],
    crosswalk: DataFrame[Crosswalk],
    users: DataFrame[Users],
    stage_changes: DataFrame[StageChanges],
    calendar: Calendar,
    now: datetime,
) -> DataFrame[ClockSegments]:
    """Cut each handoff's time, from its start to `now`, where its owner changed.

    One row per handoff and stretch, by handoff and time; at least one per handoff, empty when it
    starts now. Salesforce's word counts from the person's first record there on: of the oldest
    lead, and from its making on of the oldest contact; a record whose owner never changed has had
    today's since its making. Before, the owner of the HubSpot contact counts, when that is a user
    of Salesforce too. The clock runs in the zone of a human owner, else in the team's.

    Args:
        handoffs: `handoff_id`, `person_id`, `contact_id`, `started_at`.
        people: records of humans in both CRMs.
        crosswalk: which records are one person.
        users: Salesforce users, with their HubSpot owner ids.
        stage_changes: owner changes among others.
        calendar: the team's zone.
        now: the run's moment.
    """
    carriers = _carriers(people, crosswalk)
    theirs = handoffs[["handoff_id", "person_id"]].merge(
        _salesforce_turns(carriers, stage_changes), on="person_id"
    )
    first_at = carriers.groupby("person_id")["created_at"].min()
    ours = handoffs[["handoff_id", "contact_id", "person_id"]].merge(
        _hubspot_turns(people, users, stage_changes), on="contact_id"
    )
    ours = ours[~(ours["at"] >= lookup(ours["person_id"], first_at))]
    nobody = handoffs[["handoff_id"]].assign(at=_ORIGIN, owner_id=None).astype({"owner_id": "str"})
    columns = ["handoff_id", "at", "owner_id"]
    turns = pd.concat([nobody, ours[columns], theirs[columns]], ignore_index=True)
    turns = turns.sort_values(["handoff_id", "at"], kind="stable", ignore_index=True)
    return _segments(turns, handoffs, users, calendar, now)


def _carriers(people: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.DataFrame:
    """Give each person's oldest lead and oldest contact, from when on and until when they speak."""
    rows = crosswalk.loc[
        (crosswalk["entity"] == "person") & (crosswalk["system"] == "salesforce"),
        ["kind", "record_id", "entity_id"],
    ].rename(columns={"entity_id": "person_id"})
    theirs = people.loc[people["system"] == "salesforce"].merge(rows, on=["kind", "record_id"])
    theirs = theirs.assign(created_at=theirs["created_at"].fillna(_ORIGIN))
    oldest = theirs.sort_values(["created_at", "record_id"]).drop_duplicates(["person_id", "kind"])
    contact_at = oldest[oldest["kind"] == "contact"].set_index("person_id")["created_at"]
    until = lookup(oldest["person_id"], contact_at).where(oldest["kind"] == "lead")
    oldest = oldest.assign(until=until)
    speaks = oldest["until"].isna() | (oldest["created_at"] < oldest["until"])
    columns = ["person_id", "kind", "record_id", "owner_id", "created_at", "until"]
    return oldest.loc[speaks, columns].reset_index(drop=True)


def _salesforce_turns(carriers: pd.DataFrame, stage_changes: pd.DataFrame) -> pd.DataFrame:
    """Give when which owner took over: `person_id`, `at`, `owner_id`."""
    is_owner = (stage_changes["system"] == "salesforce") & (stage_changes["field"] == "owner")
    changes = stage_changes.loc[is_owner, ["kind", "record_id", "value", "changed_at"]]
    told = carriers.merge(changes, on=["kind", "record_id"], how="left")
    # An owner that never changed has owned the record since its creation.
    is_steady = told["changed_at"].isna()
    told = told.assign(
        owner=told["owner_id"].where(is_steady, told["value"]),
        at=told["changed_at"]
        .mask(is_steady | (told["changed_at"] < told["created_at"]))
        .fillna(told["created_at"]),
    )
    inside = told[~(told["at"] >= told["until"])]
    turns = inside[["person_id", "at", "owner"]].rename(columns={"owner": "owner_id"})
    return turns.astype({"owner_id": "str"})


def _hubspot_turns(
    people: pd.DataFrame, users: pd.DataFrame, stage_changes: pd.DataFrame
) -> pd.DataFrame:
    """Give when which Salesforce user took a HubSpot contact over: `contact_id`, `at`, `owner_id`.

    A contact without any history has had today's owner since its making.
    """
    is_owner = (stage_changes["system"] == "hubspot") & (stage_changes["field"] == "owner")
    changes = stage_changes.loc[is_owner, ["record_id", "changed_at", "value"]]
    changes = changes.set_axis(["contact_id", "at", "owner"], axis=1)
    contacts = people[people["system"] == "hubspot"]
    steady = contacts.loc[
        contacts["owner_id"].notna() & ~contacts["record_id"].isin(changes["contact_id"]),
        ["record_id", "created_at", "owner_id"],
    ].set_axis(["contact_id", "at", "owner"], axis=1)
    turns = pd.concat([changes, steady.assign(at=steady["at"].fillna(_ORIGIN))], ignore_index=True)
    same = users.dropna(subset=["hubspot_owner_id"]).drop_duplicates("hubspot_owner_id")
    user_id = lookup(turns["owner"], same.set_index("hubspot_owner_id")["user_id"])
    return turns.assign(owner_id=user_id)[["contact_id", "at", "owner_id"]]


def _segments(
    turns: pd.DataFrame,
    handoffs: pd.DataFrame,
    users: pd.DataFrame,
    calendar: Calendar,
    now: datetime,
) -> DataFrame[ClockSegments]:
    starts = handoffs.set_index("handoff_id")["started_at"]
    begun = lookup(turns["handoff_id"], starts)
    moment = pd.Timestamp(now).as_unit("us")
    until = begun.mask(begun < moment, moment)
    turns = turns[(turns["at"] < until) | (turns["at"] == _ORIGIN)]
    begun, until = begun.loc[turns.index], until.loc[turns.index]
    next_at = turns.groupby("handoff_id")["at"].shift(-1)
    ends = next_at.fillna(until)
    is_kept = next_at.isna() | (next_at > begun)
    humans = users[users["is_human"]].drop_duplicates("user_id").set_index("user_id")
    frame = pd.DataFrame(
        {
            "handoff_id": turns["handoff_id"],
            "owner_id": turns["owner_id"],
            "zone": lookup(turns["owner_id"], humans["zone"]).fillna(calendar.zone).astype("str"),
            "is_person": turns["owner_id"].isin(humans.index),
            "starts_at": turns["at"].mask(turns["at"] < begun, begun),
            "ends_at": ends,
        }
    )[is_kept]
    return ClockSegments.validate(_joined(frame), lazy=True)


def _joined(segments: pd.DataFrame) -> pd.DataFrame:
    """Join neighbours of one handoff that have the same owner."""
    owner = segments["owner_id"].fillna("")
    is_same = segments["handoff_id"].eq(segments["handoff_id"].shift()) & owner.eq(owner.shift())
    part = (~is_same).cumsum()
    ends = segments.groupby(part)["ends_at"].transform("last")
    return segments.assign(ends_at=ends)[~is_same].reset_index(drop=True)


def last_owners(segments: DataFrame[ClockSegments], until: pd.Series) -> pd.DataFrame:
    """Give the segment of each handoff that was running at `until` (by handoff id), else its last.

    One row per handoff, indexed by it. A segment that begins at that instant has taken over.
    """
    at = lookup(segments["handoff_id"], until)
    reached = segments[(segments["starts_at"] <= at) | ~segments.duplicated("handoff_id")]
    return reached.drop_duplicates("handoff_id", keep="last").set_index("handoff_id")


def late_reassignments(segments: DataFrame[ClockSegments], due: pd.Series) -> pd.Series:
    """Give when the last change from one human owner to another was, up to each due time.

    By handoff id; handoffs without one are not in it.
    """
    before = segments[segments["is_person"]]
    follows = before["handoff_id"].eq(before["handoff_id"].shift())
    changed = before[follows & before["owner_id"].ne(before["owner_id"].shift())]
    inside = changed[changed["starts_at"] <= lookup(changed["handoff_id"], due)]
    return inside.groupby("handoff_id")["starts_at"].max()
