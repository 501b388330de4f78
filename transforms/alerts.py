"""Say what is due to be said about clocks, once per change of state, merged, at bearable times."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from agreement.business_time import OpenHours
from agreement.frames import (
    AlertPlaces,
    Alerts,
    DataFrame,
    HandoffStatus,
    Messages,
    PendingAlerts,
    Users,
    as_text,
    empty,
    lookup,
)
from agreement.policy import AlertRules, Calendar, Handoff

WARNED, BREACHED, ESCALATED, RESOLVED = "warned", "breached", "escalated", "resolved"
LEAD, OPS = "lead", "ops"

_DAY = timedelta(days=1)
# In a message the gravest comes first.
_ORDER = {ESCALATED: 0, BREACHED: 1, WARNED: 2, RESOLVED: 3}
_WORDS = {ESCALATED: "ESCALATED", BREACHED: "MISSED", WARNED: "DUE SOON", RESOLVED: "RESOLVED"}
_STEPS = MappingProxyType(
    {
        ESCALATED: "Next: ask the owner, or give it to someone who is there.",
        BREACHED: "Next: call or write now and log it on the record; the clock runs on.",
        WARNED: "Next: call or write before the due time and log it on the record.",
        RESOLVED: "Nothing to do.",
    }
)


@dataclass(frozen=True)
class Links:
    """Beginnings of links to records in both CRMs; a record's id comes behind. Empty: no links."""

    salesforce: str = ""
    hubspot: str = ""


# What changed ------------------------------------------------------------------------------------


def alerts_due(
    status: DataFrame[HandoffStatus],
    said: Collection[str],
    rules: AlertRules,
    handoff: Handoff,
    now: datetime,
) -> DataFrame[Alerts]:
    """Give one row per change of state that was never said, by time and key.

    Warned: waiting with `warn_at` of the limit used up, nothing worse. Breached: due has passed
    without a touch, or the touch came later. Escalated: unanswered for `escalate_after` of working
    time more; the sales lead is told. Resolved: touched after a breach was to be said. The owner is
    told, or ops where nobody owns it. Relieved clocks say nothing.
    """
    seconds = {tier.name: tier.limit.total_seconds() for tier in handoff.tiers}
    limit = status["tier"].map(seconds).astype("float64")
    used, is_open = status["working_seconds"], status["touched_at"].isna()
    is_late = status["is_breached"]
    is_warned = (status["status"] == "waiting") & (used >= limit * float(rules.warn_at))
    over = limit + rules.escalate_after.total_seconds()
    is_said = status["handoff_id"] + ":" + BREACHED
    was_late = is_said.isin(list(said)) | is_late
    owner = status["owner_id"].fillna(OPS).astype("str")
    lead = pd.Series(LEAD, index=status.index, dtype="str")
    was_escalated = (status["handoff_id"] + ":" + ESCALATED).isin(list(said))
    moment = pd.Series(pd.Timestamp(now), index=status.index).astype("datetime64[us, UTC]")
    due = status["due_at"]
    pieces = [
        _rows(status, is_warned, WARNED, owner, moment),
        _rows(status, is_late, BREACHED, owner, due),
        _rows(status, is_late & is_open & (used >= over), ESCALATED, lead, moment),
        _rows(status, ~is_open & was_late, RESOLVED, owner, status["touched_at"]),
        _rows(status, ~is_open & was_escalated, f"{RESOLVED}:{LEAD}", lead, status["touched_at"]),
    ]
    rows = pd.concat(pieces, ignore_index=True)
    rows = rows[~rows["alert_key"].isin(list(said))]
    ordered = rows.sort_values(["event_at", "alert_key"], ignore_index=True)
    return Alerts.validate(ordered[list(Alerts.to_schema().columns)], lazy=True)


def _rows(
    status: pd.DataFrame, is_due: pd.Series, name: str, receiver: pd.Series, at: pd.Series
) -> pd.DataFrame:
    rows = status[is_due]
    state = name.partition(":")[0]
    return pd.DataFrame(
        {
            "alert_key": (rows["handoff_id"] + ":" + name).astype("str"),
            "about_id": rows["handoff_id"],
            "state": pd.Series(state, index=rows.index, dtype="str"),
            "owner_id": rows["owner_id"],
            "text": (_WORDS[state] + " " + _records(rows)).astype("str"),
            "receiver": receiver[is_due],
            "event_at": at[is_due],
        }
    )


# What is sent ------------------------------------------------------------------------------------


def messages(
    pending: DataFrame[PendingAlerts],
    status: DataFrame[HandoffStatus],
    users: DataFrame[Users],
    spent: Mapping[tuple[str, str], int],
    rules: AlertRules,
    handoff: Handoff,
    calendar: Calendar,
    links: Links,
    now: datetime,
) -> tuple[DataFrame[Messages], DataFrame[AlertPlaces]]:
    """Merge what waits into one message per receiver whose hours are open and whose week has room.

    The second table settles the alerts: the message each is in, or none where it was overtaken: a
    warning by a breach or an answer, an escalation by an answer, a "resolved" whose breach was not
    told yet (that line says so itself), a clock that is no more. Others go on waiting; what waited
    into another week comes as that week's digest. `spent` counts messages by receiver and week.
    """
    waiting = pending.merge(status, left_on="about_id", right_on="handoff_id", how="left")
    gone = _is_overtaken(waiting)
    zones = receiver_zones(waiting["receiver"], users, calendar)
    weeks = {receiver: week_of(now, zone) for receiver, zone in zones.items()}
    free = {
        receiver
        for receiver, zone in zones.items()
        if is_open(calendar, rules, zone, now)
        and spent.get((receiver, weeks[receiver]), 0) < rules.budget
    }
    ready = waiting[~gone & waiting["receiver"].isin(free)]
    made = [
        _message(rows, str(receiver), zones[str(receiver)], rules, handoff, links, now)
        for receiver, rows in ready.groupby("receiver")
    ]
    places = [pd.DataFrame({"alert_key": waiting.loc[gone, "alert_key"], "message_key": None})]
    places += [
        pd.DataFrame({"alert_key": ready.loc[rows.index, "alert_key"], "message_key": key})
        for (key, _), (_, rows) in zip(made, ready.groupby("receiver"), strict=True)
    ]
    table = [
        {"message_key": key, "receiver": receiver, "week": weeks[str(receiver)], "text": text}
        for (key, text), receiver in zip(made, ready.groupby("receiver").groups, strict=True)
    ]
    frame = pd.DataFrame(table).astype("str") if table else empty(Messages)
    settled = pd.concat(places, ignore_index=True)
    settled = settled.assign(message_key=as_text(settled["message_key"]))
    settled = settled.astype({"alert_key": "str"})
    return Messages.validate(frame, lazy=True), AlertPlaces.validate(settled, lazy=True)


def _is_overtaken(waiting: pd.DataFrame) -> pd.Series:
    is_touched, state = waiting["touched_at"].notna(), waiting["state"]
    told_together = waiting.assign(late=state.eq(BREACHED))
    has_breach = told_together.groupby("about_id")["late"].transform("max").astype(bool)
    has_escalation = (
        waiting.assign(up=state.eq(ESCALATED)).groupby("about_id")["up"].transform("max")
    ).astype(bool)
    to_lead = waiting["receiver"] == LEAD
    return (
        waiting["handoff_id"].isna()
        | (state.eq(WARNED) & waiting["status"].ne("waiting"))
        | (state.eq(ESCALATED) & is_touched)
        | (state.eq(RESOLVED) & (~to_lead & has_breach | to_lead & has_escalation))
        | (state.isin([BREACHED, ESCALATED]) & ~waiting["is_breached"].eq(other=True))
    ).astype(bool)


def receiver_zones(
    receivers: pd.Series, users: DataFrame[Users], calendar: Calendar
) -> dict[str, str]:
    """Give each receiver's zone: a user's own, else the company's."""
    distinct = pd.Series(receivers.unique(), dtype="str")
    known = users.drop_duplicates("user_id").set_index("user_id")["zone"]
    zones = lookup(distinct, known).fillna(calendar.zone)
    return dict(zip(distinct, zones, strict=True))


def week_of(now: datetime, zone: str) -> str:
    """Name the week of a moment on a zone's wall clock by its Monday."""
    day = now.astimezone(ZoneInfo(zone)).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def is_open(calendar: Calendar, rules: AlertRules, zone: str, now: datetime) -> bool:
    """Say whether someone there may be told now: in working hours and not in quiet ones."""
    local = now.astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    if any(start <= minute < end for start, end in rules.quiet):
        return False
    today = now.date()
    hours = OpenHours.from_agreement(calendar, zone, today - _DAY, today + _DAY)
    micros = int(pd.Timestamp(now).as_unit("us").value // 1000)
    return bool(np.any((hours.starts <= micros) & (micros < hours.ends)))


# Texts -------------------------------------------------------------------------------------------


def _message(
    rows: pd.DataFrame,
    receiver: str,
    zone: str,
    rules: AlertRules,
    handoff: Handoff,
    links: Links,
    now: datetime,
) -> tuple[str, str]:
    """Give one receiver's message and its key; the gravest first, then by due time."""
    rows = rows.assign(rank=rows["state"].map(_ORDER))
    rows = rows.sort_values(["rank", "due_at", "alert_key"])
    listed = rows.head(rules.listed)
    joined = "\n".join(sorted(rows["alert_key"]))
    key = hashlib.sha256(joined.encode()).hexdigest()[:16]
    is_digest = (rows["stored_at"].map(lambda at: week_of(at, zone)) < week_of(now, zone)).any()
    lines = [
        _title(rows, receiver, is_digest=bool(is_digest)),
        *_lines(listed, zone, handoff, links),
    ]
    if more := len(rows) - len(listed):
        lines.append(f"and {more:,} more: tandem alerts")
    lines.append(_STEPS[str(rows["state"].iloc[0])])
    lines.append(f"(message {key})")
    return key, "\n".join(lines)


def _title(rows: pd.DataFrame, receiver: str, *, is_digest: bool) -> str:
    counts = rows["state"].value_counts()
    named = [
        f"{counts[state]:,} {words}"
        for state, words in (
            (ESCALATED, "escalated"),
            (BREACHED, "missed"),
            (WARNED, "due soon"),
            (RESOLVED, "resolved"),
        )
        if state in counts
    ]
    whom = {LEAD: "the sales lead", OPS: "ops"}.get(receiver, f"owner {receiver}")
    return f"Handoffs for {whom}: {', '.join(named)}{' (digest)' if is_digest else ''}"


def _lines(rows: pd.DataFrame, zone: str, handoff: Handoff, links: Links) -> list[str]:
    limit = rows["tier"].map({tier.name: tier.limit.total_seconds() for tier in handoff.tiers})
    left = (limit - rows["working_seconds"]).astype("int64")
    over = left.where(left > 0, -left)
    sign = pd.Series(
        np.where(left > 0, " of working time left", " of working time over"), rows.index
    )
    due = _local(rows["due_at"], zone)
    touched = ("; answered " + _local(rows["touched_at"], zone)).fillna("; not answered yet")
    owner = ("; owner " + rows["owner_id"]).fillna("; nobody owns it")
    texts = (
        ("- " + rows["state"].map(_WORDS) + ": " + _records(rows) + ", tier " + rows["tier"])
        + (", due " + due + ", " + _span(over) + sign + touched + owner)
        + _link_texts(rows, links)
    )
    return [str(text) for text in texts]


def _records(rows: pd.DataFrame) -> pd.Series:
    return (rows["record_kind"] + " " + rows["record_id"]).fillna(
        "HubSpot contact " + rows["contact_id"] + " (not in Salesforce)"
    )


def _link_texts(rows: pd.DataFrame, links: Links) -> pd.Series:
    none = pd.Series("", index=rows.index, dtype="str")
    salesforce = " " + links.salesforce + rows["record_id"] if links.salesforce else none
    hubspot = " " + links.hubspot + rows["contact_id"] if links.hubspot else none
    return salesforce.fillna("") + hubspot.fillna("")


def _local(instants: pd.Series, zone: str) -> pd.Series:
    return (
        instants.dt.tz_convert(zone)
        .dt.strftime("%a %d %b %H:%M %Z")
        .astype("str")
        .where(instants.notna())
    )


def _span(seconds: pd.Series) -> pd.Series:
    minutes = seconds // 60
    hours = (minutes // 60).astype("str") + " h "
    return (hours.where(minutes >= 60, "") + (minutes % 60).astype("str") + " min").astype("str")
