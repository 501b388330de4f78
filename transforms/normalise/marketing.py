"""Marketing's further acts: visits and ads as far as history tells, events, and scanners."""

from collections.abc import Mapping

import pandas as pd

from agreement.frames import Activities, Aliases, DataFrame, as_utc
from agreement.policy import Scanners
from transforms.normalise.mirrors import (
    Mirrors,
    flags,
    instants,
    resolved,
    texts,
    words,
)

_SOURCE = "hs_latest_source"


def with_marketing_acts(
    activities: DataFrame[Activities],
    histories: Mapping[tuple[str, str], pd.DataFrame],
    mirrors: Mirrors,
    aliases: DataFrame[Aliases],
) -> DataFrame[Activities]:
    """Add visits and events attended to the acts that other records tell of, by time and evidence.

    A visit is a dated value of HubSpot's latest source: the source is its `status`, in lower case.
    Its evidence is `visit-CONTACT-MILLISECONDS`, since history has no id. An event's `status` is
    what the contact did: registered, attended, cancelled or no_show; its `campaign_id` is the
    event.
    """
    further = [
        _visits(histories["hubspot", "contact"]),
        _participations(mirrors["hubspot", "event_participation"]),
    ]
    rows = pd.concat([activities, *(_acts(rows, aliases) for rows in further)], ignore_index=True)
    key = ["at", "system", "activity", "evidence_id", "person_kind", "person_record_id"]
    ordered = rows.dropna(subset=["at", "person_record_id"]).sort_values(key)
    once = ordered.drop_duplicates(key[1:])
    columns = list(Activities.to_schema().columns)
    return Activities.validate(once[columns].reset_index(drop=True), lazy=True)


def _acts(rows: pd.DataFrame, aliases: DataFrame[Aliases]) -> pd.DataFrame:
    """Shape rows of `activity`, `evidence_id`, `contact_id`, `at`, `status`, `campaign_id`."""
    texts_of = ["activity", "evidence_id", "status", "campaign_id"]
    contact_id = rows["contact_id"].astype("str")
    return pd.DataFrame(
        {
            **{name: rows[name].astype("str") for name in texts_of},
            "system": "hubspot",
            "person_kind": "contact",
            "person_record_id": resolved(contact_id, aliases, "hubspot", "contact"),
            "at": as_utc(rows["at"]),
            "created_at": as_utc(rows["at"]),
            "actor_id": pd.Series(None, index=rows.index, dtype="str"),
            "direction": "inbound",
            "outcome": rows["status"].astype("str"),
            "is_done": True,
            "is_automatic": False,
            "title": pd.Series(None, index=rows.index, dtype="str"),
        }
    )


def _visits(history: pd.DataFrame) -> pd.DataFrame:
    rows = history[(history["field"] == _SOURCE) & history["value"].notna()]
    at = as_utc(rows["changed_at"])
    millis = (at.astype("int64") // 1000).astype("str")
    return pd.DataFrame(
        {
            "activity": "visit",
            "evidence_id": "visit-" + rows["record_id"].astype("str") + "-" + millis,
            "contact_id": rows["record_id"],
            "at": at,
            "status": words(rows["value"].astype("str")),
            "campaign_id": pd.Series(None, index=rows.index, dtype="str"),
        }
    )


def _participations(mirror: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "activity": "event",
            "evidence_id": mirror["record_id"],
            "contact_id": texts(mirror, "contact_id"),
            "at": instants(mirror, "occurred_at"),
            "status": words(texts(mirror, "state")),
            "campaign_id": texts(mirror, "event_id"),
        }
    )


def with_scanners(email_events: pd.DataFrame, rules: Scanners) -> pd.DataFrame:
    """Mark clicks that a rule takes for a machine's as the vendor marks them (`is_filtered`).

    Rows and order stay. A click without a time of sending is never too soon; clicks of one e-mail
    and recipient that stand within one second of each other count by distinct link.
    """
    if email_events.empty:
        return email_events
    is_click = words(texts(email_events, "type")) == "click"
    is_scanner = _too_soon(email_events, rules) | _in_a_burst(email_events, is_click, rules)
    is_scanner |= _by_agent(email_events, rules)
    is_out = flags(email_events, "is_filtered") | (is_click & is_scanner)
    filtered = is_out.map({True: "true", False: "false"}).astype("str")
    return email_events.assign(is_filtered=filtered)


def _too_soon(mirror: pd.DataFrame, rules: Scanners) -> pd.Series:
    waited = instants(mirror, "created") - instants(mirror, "sent_at")
    limit = pd.Timedelta(seconds=rules.seconds_after_sending)
    return (waited < limit).fillna(value=False).astype(bool)


def _in_a_burst(mirror: pd.DataFrame, is_click: pd.Series, rules: Scanners) -> pd.Series:
    """Tell clicks of which enough distinct links were clicked in the second before or after."""
    rows = pd.DataFrame(
        {
            "who": words(texts(mirror, "recipient")),
            "mail": texts(mirror, "campaign_id").fillna(""),
            "url": texts(mirror, "url").fillna(mirror["record_id"]),
            "at": instants(mirror, "created"),
        }
    )[is_click]
    rows = rows.dropna(subset=["who", "at"]).sort_values(["who", "mail", "at"])
    # A burst is a chain of clicks with less than a second between neighbours.
    is_new = (rows[["who", "mail"]] != rows[["who", "mail"]].shift()).any(axis=1)
    gap = rows["at"].diff() >= pd.Timedelta(seconds=1)
    burst = (is_new | gap).cumsum()
    links = rows["url"].groupby(burst).transform("nunique")
    found = pd.Series(False, index=mirror.index, dtype=bool)
    found.loc[rows.index] = (links >= rules.links_in_a_second).to_numpy()
    return found


def _by_agent(mirror: pd.DataFrame, rules: Scanners) -> pd.Series:
    agent = texts(mirror, "user_agent").str.lower().fillna("")
    found = pd.Series(False, index=mirror.index, dtype=bool)
    for word in rules.agents:
        found |= agent.str.contains(word.lower(), regex=False).astype(bool)
    return found
