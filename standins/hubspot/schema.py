"""What a portal defines: its objects, what a property is, pipelines and their stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# Which fieldType goes with which type (https://developers.hubspot.com/docs/api/crm/properties).
FIELD_TYPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "bool": frozenset({"booleancheckbox", "calculation_equation"}),
        "date": frozenset({"date"}),
        "datetime": frozenset({"date"}),
        "enumeration": frozenset(
            {"booleancheckbox", "checkbox", "radio", "select", "calculation_equation"}
        ),
        "number": frozenset({"number", "calculation_equation"}),
        "phone_number": frozenset({"phonenumber"}),
        "string": frozenset(
            {"file", "html", "phonenumber", "text", "textarea", "calculation_equation"}
        ),
    }
)


@dataclass(frozen=True)
class Kind:
    """One object type. `name` is the plural used in paths, `type_id` its other name.

    `created` and `modified` are the properties that hold its stamps; `defaults` what an answer
    carries when no property is asked for; `searched` what a search's `query` looks into.
    """

    name: str
    singular: str
    type_id: str
    created: str
    modified: str
    defaults: tuple[str, ...]
    searched: tuple[str, ...]
    scope: str
    group: str


def _engagement(name: str, type_id: str, searched: str, scope: str = "contacts") -> Kind:
    stamps = ("hs_createdate", "hs_lastmodifieddate")
    return Kind(
        name=name,
        singular=name.removesuffix("s"),
        type_id=type_id,
        created=stamps[0],
        modified=stamps[1],
        defaults=(*stamps, "hs_object_id"),
        searched=(searched,),
        scope=f"crm.objects.{scope}",
        group=name.removesuffix("s"),
    )


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                name="contacts",
                singular="contact",
                type_id="0-1",
                created="createdate",
                modified="lastmodifieddate",
                defaults=(
                    "createdate",
                    "email",
                    "firstname",
                    "hs_object_id",
                    "lastmodifieddate",
                    "lastname",
                ),
                searched=("firstname", "lastname", "email", "phone", "company"),
                scope="crm.objects.contacts",
                group="contactinformation",
            ),
            Kind(
                name="companies",
                singular="company",
                type_id="0-2",
                created="createdate",
                modified="hs_lastmodifieddate",
                defaults=("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
                searched=("name", "domain", "phone", "website"),
                scope="crm.objects.companies",
                group="companyinformation",
            ),
            Kind(
                name="deals",
                singular="deal",
                type_id="0-3",
                created="createdate",
                modified="hs_lastmodifieddate",
                defaults=(
                    "amount",
                    "closedate",
                    "createdate",
                    "dealname",
                    "dealstage",
                    "hs_lastmodifieddate",
                    "hs_object_id",
                    "pipeline",
                ),
                searched=("dealname", "description"),
                scope="crm.objects.deals",
                group="dealinformation",
            ),
            _engagement("calls", "0-48", "hs_call_title"),
            _engagement("meetings", "0-47", "hs_meeting_title"),
            _engagement("emails", "0-49", "hs_email_subject"),
            _engagement("tasks", "0-27", "hs_task_subject"),
            _engagement("notes", "0-46", "hs_note_body"),
            _engagement("communications", "0-18", "hs_communication_body"),
            _engagement("leads", "0-136", "hs_lead_name", scope="leads"),
        )
    }
)

ENGAGEMENTS = frozenset({"calls", "meetings", "emails", "tasks", "notes", "communications"})


@dataclass
class Property:
    """One property of an object. Options are (value, label), in display order.

    `is_listed` is false for those that the property list leaves out although they exist.
    """

    name: str
    type: str
    field_type: str
    label: str
    group: str
    description: str = ""
    options: tuple[tuple[str, str], ...] = ()
    is_read_only: bool = False
    is_calculated: bool = False
    is_unique: bool = False
    is_vendors: bool = True
    is_hidden: bool = False
    is_listed: bool = True
    is_archived: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def refers_to_owner(self) -> bool:
        """Tell whether the options are the portal's owners and live outside the property."""
        return self.more.get("referencedObjectType") == "OWNER"

    def as_json(self) -> dict[str, Any]:
        """Give the property as the properties API does."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": [
                {"label": label, "value": value, "displayOrder": place, "hidden": False}
                for place, (value, label) in enumerate(self.options)
            ],
            "displayOrder": -1,
            "calculated": self.is_calculated,
            "externalOptions": self.refers_to_owner,
            "archived": self.is_archived,
            "hasUniqueValue": self.is_unique,
            "hidden": self.is_hidden,
            "hubspotDefined": self.is_vendors,
            "modificationMetadata": {
                "archivable": not self.is_vendors,
                "readOnlyDefinition": self.is_vendors,
                "readOnlyValue": self.is_read_only or self.is_calculated,
            },
            "formField": not (self.is_read_only or self.is_calculated),
            "dataSensitivity": "non_sensitive",
        } | self.more


@dataclass
class Stage:
    """A stage of a pipeline; `probability` of 1 is won, a closed one of 0 is lost."""

    stage_id: str
    label: str
    probability: str
    is_closed: bool = False


@dataclass
class Pipeline:
    """A deal pipeline with its stages in order."""

    pipeline_id: str
    label: str
    stages: Sequence[Stage]


def default_pipeline() -> Pipeline:
    """Give the sales pipeline that every portal starts with."""
    return Pipeline(
        "default",
        "Sales Pipeline",
        (
            Stage("appointmentscheduled", "Appointment Scheduled", "0.2"),
            Stage("qualifiedtobuy", "Qualified To Buy", "0.4"),
            Stage("presentationscheduled", "Presentation Scheduled", "0.6"),
            Stage("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
            Stage("contractsent", "Contract Sent", "0.9"),
            Stage("closedwon", "Closed Won", "1.0", is_closed=True),
            Stage("closedlost", "Closed Lost", "0.0", is_closed=True),
        ),
    )
