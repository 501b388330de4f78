"""The tooling API's custom fields: made by name and description, seen by nobody until granted."""

import re
from collections.abc import Mapping
from typing import Any

from standins.salesforce.answers import JsonObject, Refused
from standins.salesforce.org import Org
from standins.salesforce.schema import Field, relationship_name
from standins.salesforce.tables import Row
from standins.salesforce.values import stamp

# The type of a field as metadata names it: as a describe names it, and what must be said of it.
_TYPES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Text": ("string", ("length",)),
    "TextArea": ("textarea", ()),
    "LongTextArea": ("textarea", ("length", "visibleLines")),
    "Number": ("double", ("precision", "scale")),
    "Currency": ("currency", ("precision", "scale")),
    "Percent": ("percent", ("precision", "scale")),
    "Checkbox": ("boolean", ("defaultValue",)),
    "Date": ("date", ()),
    "DateTime": ("datetime", ()),
    "Email": ("email", ()),
    "Phone": ("phone", ()),
    "Url": ("url", ()),
    "Picklist": ("picklist", ("valueSet",)),
    "MultiselectPicklist": ("multipicklist", ("valueSet", "visibleLines")),
    "Lookup": ("reference", ("referenceTo",)),
}
_LENGTHS = {"TextArea": 255, "Email": 80, "Phone": 40, "Url": 255, "Picklist": 255, "Lookup": 18}
_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__c\Z")


def create_custom_field(org: Org, body: JsonObject) -> JsonObject:
    """Create a field from its full name and metadata; give the answer's body.

    Custom fields of activities belong to `Activity` and appear on tasks and events.

    Raises:
        Refused: the name is taken, or something is missing or wrong.
    """
    full_name, metadata = body.get("FullName"), body.get("Metadata")
    if not isinstance(full_name, str) or not isinstance(metadata, dict):
        raise _bad("Required fields are missing: [FullName, Metadata]", "REQUIRED_FIELD_MISSING")
    owner, _, name = full_name.partition(".")
    targets = ("Task", "Event") if owner == "Activity" else (owner,)
    is_known = all(t.lower() in org.objects for t in targets)
    if not is_known or owner in {"Task", "Event"}:
        raise _bad(f"Entity Enumeration Or ID: bad value for restricted picklist field: {owner}")
    if not _NAME.match(name) or len(name) > 43:
        raise _bad(f"The field name {name} is not valid", "INVALID_FIELD_NAME")
    if any(name.lower() in org.objects[t.lower()].fields for t in targets):
        raise _bad(
            f"There is already a field named {name.removesuffix('__c')} on {owner}.",
            "DUPLICATE_DEVELOPER_NAME",
        )
    field = _field(name, metadata)
    for target in targets:
        org.add_to_schema(org.objects[target.lower()].name, field, is_open=False)
    return _remember(org, owner, full_name, field)


def _remember(org: Org, owner: str, full_name: str, field: Field) -> JsonObject:
    row: Row = {
        "DeveloperName": field.name.removesuffix("__c"), "TableEnumOrId": owner,
        "EntityDefinitionId": org.entity_id(owner), "FullName": full_name,
        "ManageableState": "unmanaged",
        "Length": field.length, "Precision": field.precision, "Scale": field.scale,
    }  # fmt: skip
    custom = org.sobject("CustomField")
    record_id = org.insert(custom, row, org.integration_user_id, stamp(org.now()))
    return {"id": record_id, "success": True, "errors": [], "warnings": [], "infos": []}


def _field(name: str, metadata: Mapping[str, Any]) -> Field:
    type_name = str(metadata.get("type"))
    if type_name not in _TYPES:
        raise _bad(f"Type: bad value for restricted picklist field: {type_name}")
    if not metadata.get("label"):
        raise _bad("Required fields are missing: [Label]", "REQUIRED_FIELD_MISSING")
    type_, needed = _TYPES[type_name]
    for key in needed:
        if key not in metadata:
            raise _bad(f"Must specify '{key}' for a CustomField of type {type_name}")
    is_required = bool(metadata.get("required"))
    return Field(
        name,
        type_,
        str(metadata["label"]),
        length=_length(type_name, metadata),
        **_digits(metadata),
        is_createable=True,
        is_updateable=True,
        is_nillable=not is_required and type_ != "boolean",
        is_defaulted=type_ == "boolean",
        is_unique=bool(metadata.get("unique")),
        is_case_sensitive=bool(metadata.get("caseSensitive")),
        is_external_id=bool(metadata.get("externalId")),
        is_id_lookup=bool(metadata.get("externalId")),
        help=metadata.get("inlineHelpText"),
        **_targets(name, metadata),
        **_options(metadata.get("valueSet")),
    )


def _length(type_name: str, metadata: Mapping[str, Any]) -> int:
    length = int(metadata.get("length") or _LENGTHS.get(type_name, 0))
    if type_name == "Text" and not 1 <= length <= 255:
        raise _bad("Length must be between 1 and 255")
    if type_name == "LongTextArea" and not 256 <= length <= 131_072:
        raise _bad("Length must be between 256 and 131072")
    return length


def _digits(metadata: Mapping[str, Any]) -> dict[str, Any]:
    precision, scale = int(metadata.get("precision") or 0), int(metadata.get("scale") or 0)
    if precision > 18 or scale > precision:
        raise _bad("Precision must be at most 18 and not smaller than scale")
    return {"precision": precision, "scale": scale}


def _targets(name: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    if "referenceTo" not in metadata:
        return {}
    return {
        "reference_to": (str(metadata["referenceTo"]),), "relationship": relationship_name(name),
    }  # fmt: skip


def _options(value_set: Mapping[str, Any] | None) -> dict[str, Any]:
    if value_set is None:
        return {}
    values = (value_set.get("valueSetDefinition") or {}).get("value") or []
    return {
        "options": tuple(str(one.get("fullName") or one.get("valueName")) for one in values),
        "is_restricted": bool(value_set.get("restricted")),
        "default": next((one.get("fullName") for one in values if one.get("default")), None),
    }


def _bad(message: str, code: str = "FIELD_INTEGRITY_EXCEPTION") -> Refused:
    return Refused(code, message, fields=["FullName"] if code.startswith("DUPLICATE") else ())
