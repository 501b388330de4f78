"""Which objects there are to read, and what an org says about each: asked once per run."""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from agreement.errors import AccessError, VendorRejected
from agreement.records import FieldInfo, RawRecord, field_of
from connectors.salesforce.answers import NO_RIGHT, has_code
from connectors.salesforce.connection import Connection
from connectors.salesforce.rows import MARKS, Layout
from connectors.salesforce.values import KINDS, field_info

# Fields that queries name unasked.
_ALWAYS = ("Id", "SystemModstamp", "CreatedDate", *MARKS)

SOBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "lead": "Lead",
        "contact": "Contact",
        "account": "Account",
        "opportunity": "Opportunity",
        "opportunity_contact_role": "OpportunityContactRole",
        "opportunity_history": "OpportunityHistory",
        "opportunity_field_history": "OpportunityFieldHistory",
        "opportunity_stage": "OpportunityStage",
        "lead_history": "LeadHistory",
        "lead_status": "LeadStatus",
        "contact_history": "ContactHistory",
        "task": "Task",
        "task_relation": "TaskRelation",
        "event": "Event",
        "event_relation": "EventRelation",
        "user": "User",
        "group": "Group",
        "campaign": "Campaign",
        "campaign_member": "CampaignMember",
        "campaign_member_status": "CampaignMemberStatus",
        "currency_type": "CurrencyType",
        "dated_conversion_rate": "DatedConversionRate",
        "organization": "Organization",
    }
)


@dataclass(frozen=True, slots=True)
class SObject:
    """One object as this user sees it; `types` are the vendor's words for its fields' types."""

    name: str
    fields: Mapping[str, FieldInfo]
    types: Mapping[str, str]

    @property
    def stamp(self) -> str | None:
        """Give the field that tells when a row last changed; None when nothing tells.

        SystemModstamp also moves on what the system does by itself and is never earlier than
        LastModifiedDate. A history row never changes, so its CreatedDate tells.
        """
        for name in ("SystemModstamp", "CreatedDate"):
            if name in self.fields:
                return name
        return None

    def layout(self, names: Iterable[str]) -> Layout:
        """Lay out a query of these fields, each once; those that the object lacks are left out."""
        known = (self.fields[name] for name in dict.fromkeys(names) if name in self.fields)
        marks = tuple(name for name in MARKS if name in self.fields)
        return Layout(tuple(known), self.types, marks, self.stamp)


class Schema:
    """Remembers what the org said about its objects. Safe to share between threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, SObject | None] = {}
        self._lock = threading.Lock()

    def find(self, kind: str) -> SObject | None:
        """Describe an object; None when the org has none such or this user may not read it.

        Raises:
            VendorError: the org did not answer, or refuses this user as a whole.
        """
        with self._lock:
            if kind not in self._known:
                self._known[kind] = self._describe(SOBJECTS[kind])
            return self._known[kind]

    def get(self, kind: str) -> SObject:
        """Describe an object that has to be there.

        Raises:
            AccessError: it is not.
        """
        found = self.find(kind)
        if found is None:
            raise AccessError(
                self._connection.road.budget.system,
                f"the token cannot see {SOBJECTS[kind]} records",
                "Grant the integration user read on the object, or switch the feature on",
            )
        return found

    def told(self, kind: str, fields: Collection[str]) -> dict[str, Any]:
        """Give what `recall` takes: these fields and those that every query needs."""
        found = self.find(kind)
        if found is None:
            return {}
        names = [name for name in found.fields if name in {*fields, *_ALWAYS}]
        return {
            "fields": {name: asdict(found.fields[name]) for name in names},
            "types": {name: found.types[name] for name in names},
        }

    def recall(self, kind: str, told: Mapping[str, Any]) -> None:
        """Take an object to be as it was told, so that it need not be asked."""
        fields = {name: field_of(values) for name, values in told["fields"].items()}
        with self._lock:
            self._known[kind] = SObject(SOBJECTS[kind], fields, told["types"])

    def forget(self, kind: str) -> None:
        """Ask again next time: the object's fields have changed."""
        with self._lock:
            self._known.pop(kind, None)

    def _describe(self, name: str) -> SObject | None:
        try:
            body = self._connection.ask(
                "GET", f"sobjects/{name}/describe", what=f"the description of {name}"
            )
        except VendorRejected as error:
            if has_code(error, "NOT_FOUND", "INVALID_TYPE"):
                return None
            raise
        except AccessError as error:
            if has_code(error, *NO_RIGHT):
                return None
            raise
        if not body.get("queryable", True):
            return None
        return _sobject(name, body["fields"])


def _sobject(name: str, fields: Sequence[RawRecord]) -> SObject:
    readable = [field for field in fields if field["type"] in KINDS]
    return SObject(
        name,
        {field["name"]: field_info(field) for field in readable},
        {field["name"]: field["type"] for field in readable},
    )
