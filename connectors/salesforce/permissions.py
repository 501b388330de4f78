"""What the integration user may do: its rights on objects and in the org, each with its purpose.

Objects and fields show in what the org describes to the user. Whether it sees *all* records of an
object does not: that is in the permission sets assigned to it, the profile's own among them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from agreement.errors import AccessError, VendorRejected
from connectors.salesforce.connection import Connection
from connectors.salesforce.read import rows


@dataclass(frozen=True, slots=True)
class OrgRight:
    """A right in the org: its name in Setup, the field that says so, and what it is for."""

    name: str
    field: str
    purpose: str
    without: str = ""

    @property
    def is_needed(self) -> bool:
        """Say whether a night cannot run without it."""
        return not self.without


ORG_RIGHTS: tuple[OrgRight, ...] = (
    OrgRight("API Enabled", "PermissionsApiEnabled", "lets the user in"),
    OrgRight(
        "View Setup and Configuration",
        "PermissionsViewSetup",
        "reads the org's currency and rules",
        "duplicate and validation rules cannot be shown",
    ),
    OrgRight(
        "Customize Application",
        "PermissionsCustomizeApplication",
        "creates our fields: tandem provision",
        "provision cannot create them",
    ),
    OrgRight(
        "Manage Profiles and Permission Sets",
        "PermissionsManageProfilesPermissionsets",
        "grants our fields by permission sets: tandem provision",
        "provision cannot grant them",
    ),
)

# Per object: what is done with it. View All where sharing would hide rows silently.
READ, EDIT, VIEW_ALL = "Read", "Edit", "View All"
OBJECT_RIGHTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Lead": (READ, VIEW_ALL, EDIT),
        "Contact": (READ, VIEW_ALL, EDIT),
        "Account": (READ, VIEW_ALL, EDIT),
        "Opportunity": (READ, VIEW_ALL, EDIT),
        "Campaign": (READ, VIEW_ALL, EDIT),
        "CampaignMember": (READ,),
        "OpportunityContactRole": (READ,),
        "Task": (READ,),
        "Event": (READ,),
        "User": (READ,),
    }
)

_ALL_DATA = ("PermissionsViewAllData", "PermissionsModifyAllData")
_WHOLE = ("PermissionsViewAllRecords", "PermissionsModifyAllRecords")


@dataclass(frozen=True)
class Rights:
    """What the user may do; `org` and `sees_all` hold what the org tells, and nothing else.

    `org` says per right whether the user has it, `objects` per object which of the rights, where
    View All is missing from `told` when the org does not tell.
    """

    org: Mapping[str, bool]
    objects: Mapping[str, frozenset[str]]
    is_view_all_told: bool


def read_rights(connection: Connection, user_id: str | None) -> Rights:
    """Ask what the user may do; what the org does not tell this user is left out.

    Raises:
        AccessError: the session is refused.
        VendorUnavailable: the org does not answer.
    """
    listed = connection.ask("GET", "sobjects", what="the list of objects")["sobjects"]
    objects = {
        one["name"]: {READ} | ({EDIT} if one.get("updateable") else set())
        for one in listed
        if one["name"] in OBJECT_RIGHTS and one.get("queryable")
    }
    org = _org_rights(connection, user_id) if user_id else {}
    whole = _seen_whole(connection, user_id) if user_id else None
    if whole is None:
        return Rights(_named(org), _frozen(objects), is_view_all_told=False)
    sees_everything = any(org.get(field) for field in _ALL_DATA)
    for name, rights in objects.items():
        if sees_everything or name in whole:
            rights.add(VIEW_ALL)
    return Rights(_named(org), _frozen(objects), is_view_all_told=True)


def _named(org: Mapping[str, bool]) -> dict[str, bool]:
    return {right.name: org[right.field] for right in ORG_RIGHTS if right.field in org}


def _frozen(objects: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(rights) for name, rights in objects.items()}


def _org_rights(connection: Connection, user_id: str) -> dict[str, bool]:
    wanted = [*(right.field for right in ORG_RIGHTS), *_ALL_DATA]
    try:
        told = connection.ask(
            "GET", "sobjects/PermissionSet/describe", what="what permission sets hold"
        )
    except (AccessError, VendorRejected):
        return {}
    there = {field["name"] for field in told["fields"]}
    fields = [field for field in wanted if field in there]
    found = _assigned(connection, "PermissionSet", "Id", fields, user_id) if fields else None
    if not found:
        return {}
    return {field: any(row.get(field) for row in found) for field in fields}


def _seen_whole(connection: Connection, user_id: str) -> set[str] | None:
    fields = ["SobjectType", *_WHOLE]
    found = _assigned(connection, "ObjectPermissions", "ParentId", fields, user_id)
    if not found:
        return None
    return {str(row["SobjectType"]) for row in found if any(row.get(field) for field in _WHOLE)}


def _assigned(
    connection: Connection, sobject: str, key: str, fields: Sequence[str], user_id: str
) -> list[Any] | None:
    """Read rows of the permission sets assigned to the user; None when they cannot be read."""
    assigned = f"SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{user_id}'"  # noqa: S608
    query = f"SELECT {', '.join(fields)} FROM {sobject} WHERE {key} IN ({assigned})"  # noqa: S608
    return _rows_if_told(connection, query, "the user's permissions")


def _rows_if_told(
    connection: Connection, soql: str, what: str, path: str = "query"
) -> list[Any] | None:
    try:
        return rows(connection, soql, what, path=path)
    except (AccessError, VendorRejected):
        return None


# Rules that may bite ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """Active rules of the org per object, by name; None where they cannot be read."""

    duplicates: Mapping[str, tuple[str, ...]] | None
    validations: Mapping[str, tuple[str, ...]] | None
    triggers: Mapping[str, tuple[str, ...]] | None


def read_rules(connection: Connection) -> Rules:
    """Ask for the rules and triggers that run when a record is written."""
    duplicates = _rows_if_told(
        connection,
        "SELECT DeveloperName, SobjectType FROM DuplicateRule WHERE IsActive = true",
        "the duplicate rules",
    )
    validations = _rows_if_told(
        connection,
        "SELECT ValidationName, EntityDefinition.QualifiedApiName FROM ValidationRule "
        "WHERE Active = true",
        "the validation rules",
        "tooling/query",
    )
    triggers = _rows_if_told(
        connection,
        "SELECT Name, TableEnumOrId FROM ApexTrigger WHERE Status = 'Active'",
        "the triggers",
        "tooling/query",
    )
    return Rules(
        _by_object(duplicates, "SobjectType", "DeveloperName"),
        _by_object(validations, "EntityDefinition", "ValidationName"),
        _by_object(triggers, "TableEnumOrId", "Name"),
    )


def _by_object(
    found: list[Any] | None, owner: str, name: str
) -> Mapping[str, tuple[str, ...]] | None:
    if found is None:
        return None
    per_object: dict[str, list[str]] = {}
    for row in found:
        sobject = row[owner]
        if isinstance(sobject, dict):
            sobject = sobject.get("QualifiedApiName")
        per_object.setdefault(str(sobject), []).append(str(row[name]))
    return {sobject: tuple(sorted(names)) for sobject, names in sorted(per_object.items())}


@dataclass(frozen=True, slots=True)
class Org:
    """The org: its zone and currencies; several only where the org has several."""

    time_zone: str
    currency: str
    currencies: tuple[str, ...] = ()


def read_org(connection: Connection) -> Org:
    """Ask for the org's zone and currencies.

    Raises:
        VendorError: the user may not read the organization.
    """
    [row] = rows(
        connection,
        "SELECT TimeZoneSidKey, DefaultCurrencyIsoCode FROM Organization",
        "the organization",
    )
    found = _rows_if_told(
        connection,
        "SELECT IsoCode FROM CurrencyType WHERE IsActive = true",
        "the currencies",
    )
    codes = tuple(sorted(str(one["IsoCode"]) for one in found or ()))
    return Org(str(row["TimeZoneSidKey"]), str(row["DefaultCurrencyIsoCode"] or ""), codes)
