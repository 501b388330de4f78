"""Read cycles out of stage history: who became an MQL when, and what sales did about it."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from agreement.frames import (
    Activities,
    ClockSegments,
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
from transforms.handoffs import answered, clock_segments, last_owners, reliefs


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
    through at the same time are one, of the first contact; an excluded contact and an MQL after
    `now` give none. The clock starts at the act that the first fitting tier names. The Salesforce
    record that carries it is the person's survivor. Lags: `seen_at` is when the person was first in
    Salesforce, `assigned_at` when a human first owned it in either CRM, neither before the start.
    An answer is the last listed status between this cycle's start and the next one's MQL stamp; the
    status as it stands belongs to the last cycle, and a conversion accepts it.
    """
    due = mqls[(mqls["mql_at"] <= now) & ~is_excluded(mqls, people, exclusions).notna()]
    passes = _one_per_person(due)
    passes["handoff_id"] = passes["person_id"] + ":" + passes["cycle"].astype("str")
    acts = _acts_of_people(activities, crosswalk)
    passes = _started(passes, acts, handoff.tiers)
    passes = passes.merge(_carriers(crosswalk), on="person_id", how="left")
    contacts = people[people["system"] == "hubspot"].drop_duplicates("record_id")
    passes["source"] = lookup(passes["contact_id"], contacts.set_index("record_id")["source"])
    stops = stopping_acts(acts, handoff.human_touches, now)
    passes = _touched(passes, stops)
    segments = clock_segments(passes, people, crosswalk, users, stage_changes, calendar, now)
    passes = _owned(passes, segments, now)
    passes["seen_at"] = _seen(passes, people, crosswalk)
    passes = answered(passes, stops, people, crosswalk, stage_changes, handoff)
    passes["relief"] = reliefs(passes, people, handoff)
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
    # A cycle that others join ends with the last of them, and runs on while one of them does.
    joined = (is_new.groupby(rows["person_id"]).cumsum()).astype("int64")
    last_end = ends.groupby([rows["person_id"], joined]).transform("max")
    ended_at = as_utc(pd.to_datetime(last_end, unit="us", utc=True)).mask(
        last_end == never.value // 1000
    )
    first = rows.assign(ended_at=ended_at)[is_new].reset_index(drop=True)
    by_person = first.groupby("person_id")
    return pd.DataFrame(
        {
            "person_id": first["person_id"],
            "contact_id": first["record_id"],
            "mql_at": first["mql_at"],
            "ended_at": first["ended_at"],
            "cycle": by_person.cumcount() + 1,
            "next_at": by_person["mql_at"].shift(-1),
        }
    )


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


def _carriers(crosswalk: pd.DataFrame) -> pd.DataFrame:
    """Give the Salesforce record that carries each person's handoffs."""
    rows = crosswalk[
        (crosswalk["entity"] == "person")
        & (crosswalk["system"] == "salesforce")
        & crosswalk["is_survivor"]
    ]
    return rows[["entity_id", "kind", "record_id"]].set_axis(
        ["person_id", "record_kind", "record_id"], axis=1
    )


def stopping_acts(
    acts: pd.DataFrame, human_touches: Sequence[HumanTouch], now: datetime
) -> pd.DataFrame:
    """List the acts that stop a clock, as far as `now` knows, by time and id.

    `person_id`, `stopped_at`, `evidence_id`, `activity`; `entered_at` is when it was entered.
    """
    stops = pd.concat([_stops(acts, rule) for rule in human_touches], ignore_index=True)
    stops = stops[stops["stopped_at"] <= now]
    return stops.sort_values(["stopped_at", "evidence_id"], ignore_index=True)


def _stops(acts: pd.DataFrame, rule: HumanTouch) -> pd.DataFrame:
    is_listed = acts["activity"] == rule.activity
    if rule.direction:
        is_listed &= acts["direction"].isin(rule.direction)
    if rule.at == "done":
        is_listed &= acts["is_done"]
    at = acts["at"] if rule.at == "done" else acts["created_at"]
    stops = acts.assign(stopped_at=at, entered_at=acts["created_at"])[is_listed]
    return stops[["person_id", "stopped_at", "evidence_id", "activity", "entered_at"]]


def _touched(passes: pd.DataFrame, stops: pd.DataFrame) -> pd.DataFrame:
    """Find the first listed human act at or after each start; of one time's the smaller id."""
    first = pd.merge_asof(
        passes[["person_id", "started_at"]].reset_index().sort_values("started_at"),
        stops.drop_duplicates(["person_id", "stopped_at"]),
        left_on="started_at",
        right_on="stopped_at",
        by="person_id",
        direction="forward",
    ).set_index("index")
    return passes.assign(touched_at=as_utc(first["stopped_at"]), evidence_id=first["evidence_id"])


def _owned(passes: pd.DataFrame, segments: DataFrame[ClockSegments], now: datetime) -> pd.DataFrame:
    """Give the owner of then, the zone, and when a human first owned it."""
    moment = pd.Timestamp(now).as_unit("us")
    decided_at = passes["touched_at"].fillna(passes["ended_at"]).fillna(moment)
    then = last_owners(segments, decided_at.set_axis(passes["handoff_id"]))
    human = segments[segments["is_person"]].drop_duplicates("handoff_id")
    assigned_at = lookup(passes["handoff_id"], human.set_index("handoff_id")["starts_at"])
    return passes.assign(
        owner_id=lookup(passes["handoff_id"], then["owner_id"]),
        zone=lookup(passes["handoff_id"], then["zone"]),
        assigned_at=as_utc(assigned_at),
    )


def _seen(passes: pd.DataFrame, people: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.Series:
    """Find when each person was first in Salesforce, not before the start."""
    records = _person_of(crosswalk, "salesforce")
    theirs = people[people["system"] == "salesforce"].merge(records, on=["kind", "record_id"])
    born = lookup(passes["person_id"], theirs.groupby("person_id")["created_at"].min())
    return as_utc(born.mask(born < passes["started_at"], passes["started_at"]))
