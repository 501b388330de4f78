"""Read cycles out of stage history: who became an MQL when, and what sales did about it."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from agreement.frames import (
    Activities,
    Crosswalk,
    DataFrame,
    Handoffs,
    Mqls,
    People,
    StageChanges,
    Users,
    as_utc,
    lookup,
)
from agreement.policy import Calendar, Definitions, Exclusion, Handoff, HumanTouch, Tier

ACCEPTED, REJECTED = "accepted", "rejected"


def mqls(
    stage_changes: DataFrame[StageChanges],
    crosswalk: DataFrame[Crosswalk],
    definitions: Definitions,
) -> DataFrame[Mqls]:
    """List each first entry into the MQL stage per HubSpot contact and cycle.

    One row per contact and cycle, by contact and time; cycles count from 1. Going back to a recycle
    stage ends a cycle (`ended_at`, missing while it runs); entering the MQL stage again without one
    is the same cycle. A contact that is not in the crosswalk (deleted) gives none.
    """
    is_lifecycle = (stage_changes["system"] == "hubspot") & (stage_changes["field"] == "lifecycle")
    rows = stage_changes[is_lifecycle].sort_values(
        ["record_id", "changed_at", "value"], ignore_index=True
    )
    is_recycle = rows["value"].isin(definitions.mql.recycle_stages)
    lap = is_recycle.groupby(rows["record_id"]).cumsum()
    entries = rows[rows["value"] == definitions.mql.stage].assign(lap=lap)
    entries = entries.drop_duplicates(["record_id", "lap"])
    starts = rows[is_recycle].assign(lap=lap - 1).drop_duplicates(["record_id", "lap"])
    ends = starts[["record_id", "lap", "changed_at"]].rename(columns={"changed_at": "ended_at"})
    cycles = entries.merge(ends, on=["record_id", "lap"], how="left").merge(
        _person_of(crosswalk, "hubspot"), on=["kind", "record_id"]
    )
    frame = pd.DataFrame(
        {
            "person_id": cycles["person_id"],
            "record_id": cycles["record_id"],
            "cycle": cycles.groupby("record_id").cumcount() + 1,
            "mql_at": cycles["changed_at"],
            "ended_at": cycles["ended_at"],
        }
    )
    return Mqls.validate(frame, lazy=True)


def _person_of(crosswalk: pd.DataFrame, system: str) -> pd.DataFrame:
    rows = crosswalk[(crosswalk["entity"] == "person") & (crosswalk["system"] == system)]
    return rows[["kind", "record_id", "entity_id"]].rename(columns={"entity_id": "person_id"})


def handoffs(
    mqls: DataFrame[Mqls],
    people: DataFrame[People],
    crosswalk: DataFrame[Crosswalk],
    users: DataFrame[Users],
    activities: DataFrame[Activities],
    stage_changes: DataFrame[StageChanges],
    handoff: Handoff,
    calendar: Calendar,
    exclusions: Sequence[Exclusion],
    now: datetime,
) -> DataFrame[Handoffs]:
    """List each pass of a person to sales, with the first human act that answered it.

    One row per person and cycle, by start and person. Cycles that two contacts of one person live
    through at the same time are one; an excluded contact and an MQL after `now` give none. The
    clock starts at the act that the first fitting tier names. The Salesforce record that carries it
    is the person's survivor, the zone its owner's, else the company's. Lags: `seen_at` is when the
    person was first in Salesforce, `assigned_at` when a user first owned it, neither before the
    start. An answer is the last listed status between this cycle's start and the next one's MQL
    stamp; the status as it stands belongs to the last cycle, and a conversion accepts it.
    """
    due = mqls[(mqls["mql_at"] <= now) & ~is_excluded(mqls, people, exclusions).notna()]
    passes = _one_per_person(due)
    acts = _acts_of_people(activities, crosswalk)
    passes = _started(passes, acts, handoff.tiers)
    passes = passes.merge(_carriers(people, crosswalk), on="person_id", how="left")
    passes = passes.assign(zone=_zones(passes["owner_id"], users, calendar))
    passes = _seen_and_assigned(passes, people, crosswalk, users, stage_changes)
    passes = _touched(passes, acts, handoff.human_touches, now)
    passes = _answered(passes, people, crosswalk, stage_changes, handoff)
    passes["handoff_id"] = passes["person_id"] + ":" + passes["cycle"].astype("str")
    ordered = passes.sort_values(["started_at", "handoff_id"], ignore_index=True)
    return Handoffs.validate(ordered[list(Handoffs.to_schema().columns)], lazy=True)


def is_excluded(
    mqls: pd.DataFrame, people: DataFrame[People], exclusions: Sequence[Exclusion]
) -> pd.Series:
    """Name the first exclusion that each MQL's contact meets; missing when none."""
    contacts = people[people["system"] == "hubspot"].set_index("record_id")
    domain = lookup(mqls["record_id"], contacts["email"]).str.replace(r"^.*@", "", regex=True)
    met = pd.Series(index=mqls.index, dtype="str")
    for exclusion in exclusions:
        domains = [name.lower() for name in exclusion.email_domains]
        met = met.mask(met.isna() & domain.isin(domains), exclusion.name)
    return met


def _one_per_person(mqls: pd.DataFrame) -> pd.DataFrame:
    """Join cycles of a person's contacts that overlap; number those that are left."""
    rows = mqls.sort_values(["person_id", "mql_at", "record_id"], ignore_index=True)
    never = pd.Timestamp.max.tz_localize("UTC").as_unit("us")
    ends = rows["ended_at"].fillna(never).astype("int64")
    open_until = ends.groupby(rows["person_id"]).cummax().groupby(rows["person_id"]).shift()
    is_new = open_until.isna() | (rows["mql_at"].astype("int64") >= open_until)
    first = rows.loc[is_new, ["person_id", "mql_at"]].reset_index(drop=True)
    by_person = first.groupby("person_id")
    return first.assign(cycle=by_person.cumcount() + 1, next_at=by_person["mql_at"].shift(-1))


def _acts_of_people(activities: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.DataFrame:
    """Keep what humans did, each act under its person."""
    people = crosswalk.loc[
        crosswalk["entity"] == "person", ["system", "kind", "record_id", "entity_id"]
    ].set_axis(["system", "person_kind", "person_record_id", "person_id"], axis=1)
    acts = activities[~activities["is_automatic"]]
    return acts.merge(people, on=["system", "person_kind", "person_record_id"])


def _started(passes: pd.DataFrame, acts: pd.DataFrame, tiers: Sequence[Tier]) -> pd.DataFrame:
    """Give each handoff the first tier that fits, and the instant at which its clock starts."""
    tier = pd.Series(index=passes.index, dtype="str")
    started_at = passes["mql_at"]
    for rule in tiers:
        starts = passes["mql_at"] if rule.start == "mql" else _form_starts(passes, acts, rule)
        is_first = tier.isna() & starts.notna()
        tier = tier.mask(is_first, rule.name)
        started_at = started_at.mask(is_first, starts)
    return passes.assign(tier=tier, started_at=started_at)


def _form_starts(passes: pd.DataFrame, acts: pd.DataFrame, tier: Tier) -> pd.Series:
    """Find the latest submission of a form of the tier, within its time before the MQL stamp."""
    forms = acts[acts["activity"] == "form"]
    title = forms["title"].str.lower().fillna("")
    is_listed = pd.Series(data=False, index=forms.index)
    for word in tier.forms:
        is_listed |= title.str.contains(word.lower(), regex=False)
    pairs = passes.reset_index().merge(forms.loc[is_listed, ["person_id", "at"]], on="person_id")
    is_near = (pairs["at"] <= pairs["mql_at"]) & (pairs["at"] >= pairs["mql_at"] - tier.within)
    latest = pairs[is_near].groupby("index")["at"].max()
    return as_utc(latest.reindex(passes.index))


def _carriers(people: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.DataFrame:
    """Give the Salesforce record that carries each person's handoffs, and its owner."""
    rows = crosswalk[
        (crosswalk["entity"] == "person")
        & (crosswalk["system"] == "salesforce")
        & crosswalk["is_survivor"]
    ]
    owners = people[["system", "kind", "record_id", "owner_id"]]
    carriers = rows.merge(owners, on=["system", "kind", "record_id"], how="left")
    return pd.DataFrame(
        {
            "person_id": carriers["entity_id"],
            "record_kind": carriers["kind"],
            "record_id": carriers["record_id"],
            "owner_id": carriers["owner_id"],
        }
    )


def _zones(owner_id: pd.Series, users: pd.DataFrame, calendar: Calendar) -> pd.Series:
    zones = lookup(owner_id, users.set_index("user_id")["zone"])
    return zones.fillna(calendar.zone).astype("str")


def _seen_and_assigned(
    passes: pd.DataFrame,
    people: pd.DataFrame,
    crosswalk: pd.DataFrame,
    users: pd.DataFrame,
    stage_changes: pd.DataFrame,
) -> pd.DataFrame:
    records = _person_of(crosswalk, "salesforce")
    theirs = people[people["system"] == "salesforce"].merge(records, on=["kind", "record_id"])
    born = theirs.groupby("person_id")["created_at"].min()
    humans = users.loc[users["is_human"], "user_id"]
    owners = stage_changes[
        (stage_changes["system"] == "salesforce") & (stage_changes["field"] == "owner")
    ]
    moved = owners["record_id"].unique()
    changed = owners[owners["value"].isin(humans)].merge(records, on=["kind", "record_id"])
    # An owner that never changed has owned the record since its creation.
    steady = theirs[theirs["owner_id"].isin(humans) & ~theirs["record_id"].isin(moved)]
    owned = pd.concat(
        [
            changed[["person_id", "changed_at"]].set_axis(["person_id", "at"], axis=1),
            steady[["person_id", "created_at"]].set_axis(["person_id", "at"], axis=1),
        ]
    )
    first_owned = owned.groupby("person_id")["at"].min()
    return passes.assign(
        seen_at=_not_before(passes["started_at"], lookup(passes["person_id"], born)),
        assigned_at=_not_before(passes["started_at"], lookup(passes["person_id"], first_owned)),
    )


def _not_before(start: pd.Series, at: pd.Series) -> pd.Series:
    return as_utc(at.mask(at < start, start))


def _touched(
    passes: pd.DataFrame,
    acts: pd.DataFrame,
    human_touches: Sequence[HumanTouch],
    now: datetime,
) -> pd.DataFrame:
    """Find the first listed human act at or after each start, as far as `now` knows.

    Of acts at one time the one with the smaller id.
    """
    stops = pd.concat([_stops(acts, rule) for rule in human_touches], ignore_index=True)
    stops = stops[stops["stopped_at"] <= now]
    stops = stops.sort_values(["stopped_at", "evidence_id"])
    first = pd.merge_asof(
        passes[["person_id", "started_at"]].reset_index().sort_values("started_at"),
        stops.drop_duplicates(["person_id", "stopped_at"]),
        left_on="started_at",
        right_on="stopped_at",
        by="person_id",
        direction="forward",
    ).set_index("index")
    return passes.assign(touched_at=as_utc(first["stopped_at"]), evidence_id=first["evidence_id"])


def _stops(acts: pd.DataFrame, rule: HumanTouch) -> pd.DataFrame:
    is_listed = acts["activity"] == rule.activity
    if rule.direction:
        is_listed &= acts["direction"].isin(rule.direction)
    if rule.at == "done":
        is_listed &= acts["is_done"]
    at = acts["at"] if rule.at == "done" else acts["created_at"]
    stops = acts.assign(stopped_at=at)[is_listed]
    return stops[["person_id", "stopped_at", "evidence_id"]]


def _answered(
    passes: pd.DataFrame,
    people: pd.DataFrame,
    crosswalk: pd.DataFrame,
    stage_changes: pd.DataFrame,
    handoff: Handoff,
) -> pd.DataFrame:
    """Give each handoff sales' answer and, when the no still stands, the reason on the lead.

    A status that somebody set before the start answers nothing. Without a history nobody knows when
    it was set: then it is the last cycle's answer.
    """
    leads = people[people["kind"] == "lead"].merge(
        _person_of(crosswalk, "salesforce"), on=["kind", "record_id"]
    )
    is_status = (stage_changes["kind"] == "lead") & (stage_changes["field"] == "status")
    changes = stage_changes.loc[is_status, ["record_id", "value", "changed_at"]]
    changes = changes.merge(leads[["record_id", "person_id"]], on="record_id")
    changes = changes.assign(answer=_answers(changes["value"], handoff))
    standing = _standing_answers(passes, leads, changes, handoff)
    answer = standing["answer"].fillna(_dated_answers(passes, changes)).astype("str")
    return passes.assign(
        answer=answer, answer_reason=standing["reject_reason"].where(answer == REJECTED)
    )


def _answers(status: pd.Series, handoff: Handoff) -> pd.Series:
    words = dict.fromkeys(handoff.accept, ACCEPTED) | dict.fromkeys(handoff.reject, REJECTED)
    return status.map(words).astype("str")


def _dated_answers(passes: pd.DataFrame, changes: pd.DataFrame) -> pd.Series:
    """Find the last answer in the status history between a start and the next MQL stamp."""
    told = changes.dropna(subset=["answer"])
    pairs = passes.reset_index().merge(told, on="person_id")
    ends = pairs["next_at"].isna() | (pairs["changed_at"] < pairs["next_at"])
    inside = pairs[(pairs["changed_at"] >= pairs["started_at"]) & ends]
    ordered = inside.sort_values(["index", "changed_at", "answer"], ascending=[True, True, False])
    last = ordered.drop_duplicates("index", keep="last").set_index("index")
    return last["answer"].reindex(passes.index)


def _standing_answers(
    passes: pd.DataFrame, leads: pd.DataFrame, changes: pd.DataFrame, handoff: Handoff
) -> pd.DataFrame:
    """Read the answer that stands on the leads for each last cycle: a yes on one lead is a yes."""
    set_at = changes.groupby("record_id")["changed_at"].max()
    is_converted = leads["converted_to"].notna()
    answer = _answers(leads["status"], handoff).mask(is_converted, ACCEPTED)
    told = leads.assign(
        answer=answer, set_at=lookup(leads["record_id"], set_at).mask(is_converted)
    ).dropna(subset=["answer"])
    last = passes[passes["next_at"].isna()].reset_index()
    pairs = last[["index", "person_id", "started_at"]].merge(
        told[["person_id", "answer", "reject_reason", "set_at", "created_at"]], on="person_id"
    )
    counted = pairs[~(pairs["set_at"] < pairs["started_at"])]
    first = counted.sort_values(["index", "answer", "created_at", "reject_reason"])
    return first.drop_duplicates("index").set_index("index").reindex(passes.index)
