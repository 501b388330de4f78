"""Read dated acts out of the mirrors: the evidence from which touches and clocks are read."""

from collections.abc import Callable, Mapping
from datetime import datetime

import pandas as pd

from agreement.frames import Activities, Aliases, DataFrame, Users, as_text, as_utc
from agreement.policy import Automatic
from transforms.normalise.mirrors import (
    Mirrors,
    flags,
    instants,
    long_ids,
    resolved,
    texts,
    words,
)
from transforms.normalise.people import normalised_emails

# HubSpot's own ids of call outcomes (GET /calling/v1/dispositions), the same in every portal.
_DISPOSITIONS = {
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "connected",
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "busy",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "no answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "wrong number",
}
_DIRECTIONS = {"email": "outbound", "incoming_email": "inbound"}

# A call that was put through (its disposition tells to whom), an e-mail that left.
_CALLS_MADE = ("completed",)
_EMAILS_SENT = ("sent",)

_LEAD, _CONTACT = "00Q", "003"


def activities(
    mirrors: Mirrors,
    associations: Mapping[tuple[str, str], pd.DataFrame],
    users: DataFrame[Users],
    aliases: DataFrame[Aliases],
    automatic: Automatic,
    as_of: datetime,
) -> DataFrame[Activities]:
    """List every dated act of both systems per person record, by time and evidence.

    One row per act and person record; an act without a time or without a person is left out. An
    act of a merged-away record belongs to its survivor. A form submission belongs to the contact
    that holds its address, a click to its recipient. A campaign response has the precision of a
    day: it stands at 00:00 UTC. A Salesforce event is completed once it has ended by `as_of`.
    """
    rows = pd.concat(
        [
            _engagements(mirrors, associations, "call", _hubspot_calls),
            _engagements(mirrors, associations, "meeting", _hubspot_meetings),
            _engagements(mirrors, associations, "email", _hubspot_emails),
            _engagements(mirrors, associations, "communication", _hubspot_texts),
            _form_submissions(mirrors),
            _email_clicks(mirrors),
            _tasks(mirrors["salesforce", "task"]),
            _events(mirrors["salesforce", "event"], as_of),
            _campaign_members(mirrors["salesforce", "campaign_member"]),
        ],
        ignore_index=True,
    )
    rows["person_record_id"] = _survivors(rows, aliases)
    rows["is_automatic"] |= _is_automatic(rows, users, automatic)
    known = rows.dropna(subset=["at", "person_record_id"])
    key = ["at", "system", "activity", "evidence_id", "person_kind", "person_record_id"]
    ordered = known.sort_values(key).drop_duplicates(key[1:])
    columns = list(Activities.to_schema().columns)
    return Activities.validate(ordered[columns].reset_index(drop=True), lazy=True)


def _acts(mirror: pd.DataFrame, system: str, activity: str, **columns: object) -> pd.DataFrame:
    """Give one row per mirrored record, with everything that its object does not know missing."""
    defaults: dict[str, object] = {
        "system": system,
        "activity": activity,
        "evidence_id": mirror["record_id"],
        "person_kind": "contact",
        "person_record_id": None,
        "created_at": as_utc(mirror["created_at"]),
        "actor_id": None,
        "creator_id": None,
        "source": None,
        "direction": None,
        "outcome": None,
        "status": None,
        "is_done": True,
        "is_automatic": False,
        "campaign_id": None,
        "title": None,
    }
    frame = pd.DataFrame(defaults | columns, index=mirror.index)
    kept = {"at", "created_at", "is_done", "is_automatic"}
    text = [name for name in frame.columns if name not in kept]
    return frame.astype(dict.fromkeys(text, "str") | {"is_done": bool, "is_automatic": bool})


def _engagements(
    mirrors: Mirrors,
    associations: Mapping[tuple[str, str], pd.DataFrame],
    kind: str,
    read: Callable[[pd.DataFrame], pd.DataFrame],
) -> pd.DataFrame:
    """Read HubSpot engagements of one kind, a row per associated contact."""
    mirror = mirrors["hubspot", kind]
    acts = read(mirror).assign(
        at=instants(mirror, "hs_timestamp"),
        actor_id=texts(mirror, "hubspot_owner_id"),
        source=texts(mirror, "hs_object_source"),
    )
    who = associations[kind, "contact"].rename(columns={"from_id": "evidence_id"})
    acts = acts.drop(columns="person_record_id").merge(
        who[["evidence_id", "to_id"]].drop_duplicates(), on="evidence_id"
    )
    return acts.rename(columns={"to_id": "person_record_id"})


def _hubspot_calls(mirror: pd.DataFrame) -> pd.DataFrame:
    status = words(texts(mirror, "hs_call_status"))
    disposition = words(texts(mirror, "hs_call_disposition"))
    said = disposition.map(_DISPOSITIONS).fillna(disposition)
    return _acts(
        mirror,
        "hubspot",
        "call",
        direction=words(texts(mirror, "hs_call_direction")),
        outcome=said.fillna(status.where(status == "completed")),
        status=status,
        is_done=status.isna() | status.isin(_CALLS_MADE),
        title=texts(mirror, "hs_call_title"),
    )


def _hubspot_meetings(mirror: pd.DataFrame) -> pd.DataFrame:
    outcome = words(texts(mirror, "hs_meeting_outcome"))
    return _acts(
        mirror,
        "hubspot",
        "meeting",
        outcome=outcome,
        status=outcome,
        is_done=outcome == "completed",
        title=texts(mirror, "hs_meeting_title"),
    )


def _hubspot_emails(mirror: pd.DataFrame) -> pd.DataFrame:
    status = words(texts(mirror, "hs_email_status"))
    return _acts(
        mirror,
        "hubspot",
        "email",
        direction=words(texts(mirror, "hs_email_direction")).map(_DIRECTIONS),
        outcome=status,
        status=status,
        is_done=status.isna() | status.isin(_EMAILS_SENT),
        title=texts(mirror, "hs_email_subject"),
    )


def _hubspot_texts(mirror: pd.DataFrame) -> pd.DataFrame:
    """Read text messages; HubSpot says by which channel, and not who wrote to whom."""
    return _acts(
        mirror,
        "hubspot",
        "text",
        status=words(texts(mirror, "hs_communication_channel_type")),
    )


def _form_submissions(mirrors: Mirrors) -> pd.DataFrame:
    mirror, forms = mirrors["hubspot", "form_submission"], mirrors["hubspot", "form"]
    names = texts(forms, "name").set_axis(forms["record_id"])
    return _acts(
        mirror,
        "hubspot",
        "form",
        person_record_id=_holders(texts(mirror, "email"), mirrors["hubspot", "contact"]),
        at=instants(mirror, "submitted_at"),
        direction="inbound",
        title=texts(mirror, "form_id").map(names),
    )


def _email_clicks(mirrors: Mirrors) -> pd.DataFrame:
    mirror = mirrors["hubspot", "email_event"]
    mirror = mirror[words(texts(mirror, "type")) == "click"]
    return _acts(
        mirror,
        "hubspot",
        "click",
        person_record_id=_holders(texts(mirror, "recipient"), mirrors["hubspot", "contact"]),
        at=instants(mirror, "created"),
        direction="inbound",
        is_automatic=flags(mirror, "is_filtered"),
        campaign_id=texts(mirror, "campaign_id"),
    )


def _holders(emails: pd.Series, contacts: pd.DataFrame) -> pd.Series:
    """Find the contact that holds each address: as written, else as the same mailbox."""
    held = pd.concat(
        [
            texts(contacts, "email"),
            texts(contacts, "hs_additional_emails").str.split(";").explode().astype("str"),
        ]
    ).dropna()
    written = pd.Series(
        contacts["record_id"].loc[held.index].to_numpy(), index=words(held).to_numpy()
    )
    mailbox = written.set_axis(normalised_emails(as_text(written.index)).to_numpy())
    exact = words(emails).map(_first(written))
    return exact.fillna(normalised_emails(emails).map(_first(mailbox)))


def _first(holders: pd.Series) -> pd.Series:
    named = holders[holders.index.notna()].astype("str")
    ordered = named.iloc[named.str.len().argsort(kind="stable")]
    return ordered[~ordered.index.duplicated()]


def _tasks(mirror: pd.DataFrame) -> pd.DataFrame:
    subtype = words(texts(mirror, "TaskSubtype"))
    activity = subtype.where(subtype.isin(["call", "email"]), "task")
    status = words(texts(mirror, "Status"))
    direction = words(texts(mirror, "CallType")).where(activity == "call")
    return _acts(
        mirror,
        "salesforce",
        activity,
        **_who(mirror),
        # Tasks closed before Salesforce kept the moment of closing have only their creation.
        at=instants(mirror, "CompletedDateTime").fillna(as_utc(mirror["created_at"])),
        # A logged e-mail does not say who wrote it; incoming ones are EmailMessage records.
        direction=direction.mask(activity == "email", "outbound"),
        outcome=words(texts(mirror, "CallDisposition")),
        status=status,
        is_done=flags(mirror, "IsClosed") | (status == "completed"),
        title=texts(mirror, "Subject"),
    )


def _events(mirror: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    starts = instants(mirror, "StartDateTime")
    is_over = instants(mirror, "EndDateTime").fillna(starts) <= as_of
    return _acts(
        mirror,
        "salesforce",
        "meeting",
        **_who(mirror),
        at=starts,
        outcome=is_over.map({True: "completed", False: "scheduled"}),
        is_done=is_over,
        title=texts(mirror, "Subject"),
    )


def _who(mirror: pd.DataFrame) -> dict[str, pd.Series]:
    who = long_ids(texts(mirror, "WhoId"))
    prefix = who.str.slice(0, 3)
    return {
        "person_record_id": who.where(prefix.isin([_LEAD, _CONTACT])),
        "person_kind": prefix.map({_LEAD: "lead"}).fillna("contact"),
        "actor_id": long_ids(texts(mirror, "OwnerId")),
        "creator_id": long_ids(texts(mirror, "CreatedById")),
    }


def _campaign_members(mirror: pd.DataFrame) -> pd.DataFrame:
    # Conversion gives the lead's row the contact as well: the contact carries on.
    contact_id, lead_id = (long_ids(texts(mirror, f"{kind}Id")) for kind in ("Contact", "Lead"))
    responded_at = instants(mirror, "FirstRespondedDate")
    return _acts(
        mirror,
        "salesforce",
        "campaign",
        person_record_id=contact_id.fillna(lead_id),
        person_kind=contact_id.isna().map({True: "lead", False: "contact"}),
        at=responded_at.fillna(as_utc(mirror["created_at"])),
        status=words(texts(mirror, "Status")),
        is_done=flags(mirror, "HasResponded"),
        campaign_id=long_ids(texts(mirror, "CampaignId")),
    )


def _survivors(rows: pd.DataFrame, aliases: DataFrame[Aliases]) -> pd.Series:
    ids = rows["person_record_id"]
    for system, kind in (("hubspot", "contact"), ("salesforce", "lead"), ("salesforce", "contact")):
        is_of = (rows["system"] == system) & (rows["person_kind"] == kind)
        ids = ids.where(~is_of, resolved(ids, aliases, system, kind))
    return ids


def _is_automatic(rows: pd.DataFrame, users: DataFrame[Users], automatic: Automatic) -> pd.Series:
    """Tell machines' doings: by the subject's first words, the record's source, or a user."""
    title = words(rows["title"]).fillna("")
    starts = tuple(subject.lower() for subject in automatic.subjects)
    machines = users.loc[~users["is_human"], "user_id"]
    sources = [source.upper() for source in automatic.sources]
    is_reply = title.str.startswith(starts) if starts else title != title
    return (
        is_reply
        | rows["source"].str.upper().isin(sources)
        | rows["actor_id"].isin(machines)
        | rows["creator_id"].isin(machines)
    ).astype(bool)
