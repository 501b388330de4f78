"""Where HubSpot keeps each object: its release, the shape of its path, what it is called.

HubSpot retires its numbered paths in 2027 (v4 on 2027-03-30, v1 to v3 in September 2027); dated
ones live 18 months each. Moving an object to its dated path is one line in `RELEASES`.
https://developers.hubspot.com/changelog
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from agreement.records import FieldKind

RELEASES: Mapping[str, str] = MappingProxyType(
    {
        "contact": "v3",
        "company": "v3",
        "deal": "v3",
        "lead": "v3",
        "call": "v3",
        "meeting": "v3",
        "email": "v3",
        "task": "v3",
        "communication": "v3",
        "association": "v4",
        "property": "v3",
        "owner": "v3",
        "pipeline": "v3",
        "form": "v3",
        "form_submission": "v1",
        "email_event": "v1",
        "marketing_event": "v3",
        "event_participation": "v3",
        "campaign": "v3",
        "account": "v3",
        "preference": "v4",
    }
)

# The shape of a numbered and of a dated path; None where HubSpot has named no dated one yet.
_SHAPES: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "object": ("/crm/{release}/objects/{object}", "/crm/objects/{release}/{object}"),
        "association": (
            "/crm/{release}/associations/{object}/{other}/batch/read",
            "/crm/associations/{release}/{object}/{other}/batch/read",
        ),
        "property": ("/crm/{release}/properties/{object}", "/crm/properties/{release}/{object}"),
        "owner": ("/crm/{release}/owners", "/crm/owners/{release}"),
        "pipeline": ("/crm/{release}/pipelines/{object}", "/crm/pipelines/{release}/{object}"),
        "form": ("/marketing/{release}/forms", "/marketing/forms/{release}"),
        "form_submission": ("/form-integrations/{release}/submissions/forms/{object}", None),
        "email_event": ("/email/public/{release}/events", None),
        "marketing_event": (
            "/marketing/marketing-events/{release}",
            "/marketing/marketing-events/{release}",
        ),
        "event_participation": (
            "/marketing/{release}/marketing-events/participations/{object}/breakdown",
            "/marketing/marketing-events/{release}/participations/{object}/breakdown",
        ),
        "campaign": ("/marketing/{release}/campaigns", "/marketing/campaigns/{release}"),
        "preference": (
            "/communication-preferences/{release}/statuses/{object}/unsubscribe-all",
            "/communication-preferences/{release}/statuses/{object}/unsubscribe-all",
        ),
        "account": ("/account-info/{release}/details", "/account-info/{release}/details"),
    }
)


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A CRM object: its name in paths, the stamp that its changes move, where merges are listed.

    `created` holds when it was created. `settled` are calculated properties that follow from the
    record's own others alone: what changes them moves the stamp.
    """

    name: str
    modified: str = "hs_lastmodifieddate"
    merges: tuple[str, ...] = ()
    created: str = "hs_createdate"
    settled: tuple[str, ...] = ()


OBJECTS: Mapping[str, ObjectType] = MappingProxyType(
    {
        # Contacts alone name their stamp so; a search by the wrong one comes back empty.
        "contact": ObjectType(
            "contacts",
            "lastmodifieddate",
            ("hs_merged_object_ids", "hs_calculated_merged_vids"),
            "createdate",
            ("hs_calculated_merged_vids",),
        ),
        "company": ObjectType("companies", merges=("hs_merged_object_ids",), created="createdate"),
        "deal": ObjectType(
            "deals",
            merges=("hs_merged_object_ids",),
            created="createdate",
            settled=("hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost"),
        ),
        "lead": ObjectType("leads"),
        "call": ObjectType("calls"),
        "meeting": ObjectType("meetings"),
        "email": ObjectType("emails"),
        "task": ObjectType("tasks"),
        "communication": ObjectType("communications"),
    }
)

# Records that are no CRM objects: what we make of each, by the name it has with us.
SPECIAL: Mapping[str, Mapping[str, FieldKind]] = MappingProxyType(
    {
        "owner": {
            "email": "string",
            "first_name": "string",
            "last_name": "string",
            "user_id": "string",
            "team": "string",
            "is_archived": "boolean",
        },
        "form": {"name": "string", "form_type": "string"},
        "form_submission": {
            "form_id": "string",
            "submitted_at": "datetime",
            "email": "string",
            "page_url": "string",
        },
        "email_event": {
            "type": "string",
            "recipient": "string",
            "created": "datetime",
            "campaign_id": "string",
            "url": "string",
            "is_filtered": "boolean",
            "sent_at": "datetime",
            "user_agent": "string",
        },
        "deal_stage": {
            "pipeline_id": "string",
            "label": "string",
            "is_closed": "boolean",
            "probability": "number",
            "position": "number",
        },
        "campaign": {"name": "string", "start_on": "date", "end_on": "date"},
        "marketing_event": {
            "name": "string",
            "type": "string",
            "start_at": "datetime",
            "end_at": "datetime",
        },
        "event_participation": {
            "event_id": "string",
            "contact_id": "string",
            "state": "string",
            "occurred_at": "datetime",
        },
    }
)


class Paths:
    """Gives the path of each object under the release it is on."""

    def __init__(self, releases: Mapping[str, str] | None = None) -> None:
        self._releases = {**RELEASES, **(releases or {})}

    def objects(self, kind: str, rest: str = "") -> str:
        """Give the path of a CRM object's records, plus what follows it."""
        return self._path("object", self._releases[kind], object=OBJECTS[kind].name) + rest

    def associations(self, from_kind: str, to_kind: str) -> str:
        """Give the path that reads the associations of many records of one kind with another."""
        names = {"object": OBJECTS[from_kind].name, "other": OBJECTS[to_kind].name}
        return self._path("association", self._releases["association"], **names)

    def properties(self, kind: str, rest: str = "") -> str:
        """Give the path of a CRM object's property definitions, plus what follows it."""
        return self._path("property", self._releases["property"], object=OBJECTS[kind].name) + rest

    def of(self, kind: str, name: str = "") -> str:
        """Give the path of anything else; `name` is the form, event or object it is about."""
        return self._path(kind, self._releases[kind], object=name)

    def _path(self, shape: str, release: str, **names: str) -> str:
        numbered, dated = _SHAPES[shape]
        path = numbered if release.startswith("v") else dated
        if path is None:
            raise ValueError(f"HubSpot has no dated path for {shape}")
        return path.format(
            release=release, **{key: quote(name, safe="") for key, name in names.items()}
        )
