"""Creating fields, and the permission sets without which nobody sees them, not even an admin."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from agreement.errors import AccessError, VendorRejected
from agreement.records import FieldInfo
from connectors.salesforce.answers import SYSTEM, codes_of, has_code, row_reason
from connectors.salesforce.connection import Connection
from connectors.salesforce.read import rows
from connectors.salesforce.write import COLLECTION

# The first is for the integration user and assigned to it; the second lets people read, and admins
# assign it as they like.
WRITERS, READERS = "Tandem_Sync", "Tandem_Read"

_LABELS = {WRITERS: "Tandem Sync", READERS: "Tandem Read"}
_LONGEST_LABEL = 40
_LONGEST_HELP = 510
_TEXT_LENGTH = 255
_LONG_TEXT_LENGTH = 32_768
_NUMBER_DIGITS = 18
_DECIMALS = 6
_THERE = ("DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE")


def create_fields(
    connection: Connection, sobject: str, fields: Sequence[FieldInfo], user_id: str | None
) -> None:
    """Create fields that are missing, writable for the integration user and readable for people.

    Safe to repeat: what is there stays as it is, and is granted when it was not.

    Raises:
        AccessError: the user may not customise the org, or is not known and cannot be granted
            anything.
        VendorRejected: a definition was refused.
    """
    for field in fields:
        _create(connection, sobject, field)
    names = [f"{sobject}.{field.name}" for field in fields]
    writers = _permission_set(connection, WRITERS)
    _grant(connection, writers, sobject, names, may_edit=True)
    _grant(connection, _permission_set(connection, READERS), sobject, names, may_edit=False)
    if user_id is None:
        raise AccessError(
            SYSTEM,
            f"the fields of {sobject} are made, but the org does not tell who the token's user is",
            f"Assign the permission set {WRITERS} to the integration user",
        )
    _assign(connection, writers, user_id)


def definition(field: FieldInfo) -> dict[str, Any]:
    """Describe a field as the vendor's metadata does."""
    metadata: dict[str, Any] = {
        "label": (field.label or field.name)[:_LONGEST_LABEL],
        **_type(field),
    }
    if field.help:
        metadata["inlineHelpText"] = field.help[:_LONGEST_HELP]
    return metadata


def _type(field: FieldInfo) -> dict[str, Any]:
    if field.kind == "number":
        digits = _DECIMALS if field.digits is None else field.digits
        return {"type": "Number", "precision": _NUMBER_DIGITS, "scale": digits}
    if field.kind == "boolean":
        return {"type": "Checkbox", "defaultValue": "false"}
    if field.kind == "date":
        return {"type": "Date"}
    if field.kind == "datetime":
        return {"type": "DateTime"}
    if field.kind == "text":
        length = field.length or _LONG_TEXT_LENGTH
        return {"type": "LongTextArea", "length": length, "visibleLines": 4}
    if field.kind == "enumeration" and field.options:
        return {"type": "Picklist", "valueSet": _value_set(field.options)}
    return {"type": "Text", "length": field.length or _TEXT_LENGTH}


def _value_set(options: Sequence[str]) -> dict[str, Any]:
    values = [{"fullName": option, "label": option, "default": False} for option in options]
    return {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}


def _create(connection: Connection, sobject: str, field: FieldInfo) -> None:
    body = {"FullName": f"{sobject}.{field.name}", "Metadata": definition(field)}
    try:
        connection.ask(
            "POST",
            "tooling/sobjects/CustomField",
            what=f"the field {body['FullName']}",
            data=orjson.dumps(body),
        )
    except VendorRejected as error:
        # Also what a repeated request meets whose first answer was lost.
        if not has_code(error, *_THERE):
            raise


def _permission_set(connection: Connection, name: str) -> str:
    """Give the permission set's id; make it when there is none."""
    query = f"SELECT Id FROM PermissionSet WHERE Name = '{name}'"  # noqa: S608 - SOQL, fixed names
    what = f"the permission set {name}"
    found = rows(connection, query, what)
    if found:
        return str(found[0]["Id"])
    made = connection.ask(
        "POST",
        "sobjects/PermissionSet",
        what=what,
        data=orjson.dumps({"Name": name, "Label": _LABELS[name]}),
        is_repeatable=False,
    )
    return str(made["id"])


def _grant(
    connection: Connection, parent_id: str, sobject: str, names: Sequence[str], *, may_edit: bool
) -> None:
    """Let a permission set see, or also edit, fields; rows that already say so are left alone."""
    found = rows(
        connection,
        "SELECT Id, Field, PermissionsRead, PermissionsEdit FROM FieldPermissions "  # noqa: S608
        f"WHERE ParentId = '{parent_id}' AND SobjectType = '{sobject}'",
        f"the field permissions of {sobject}",
    )
    granted = {row["Field"]: row for row in found}
    rights = {"PermissionsRead": True, "PermissionsEdit": may_edit}
    new = [
        {"ParentId": parent_id, "SobjectType": sobject, "Field": name, **rights}
        for name in names
        if name not in granted
    ]
    changed = [
        {"id": granted[name]["Id"], **rights}
        for name in names
        if name in granted and (may_edit and not granted[name]["PermissionsEdit"])
    ]
    _save(connection, "POST", new, f"the field permissions of {sobject}")
    _save(connection, "PATCH", changed, f"the field permissions of {sobject}")


def _save(
    connection: Connection, method: str, records: Sequence[Mapping[str, Any]], what: str
) -> None:
    kind = {"attributes": {"type": "FieldPermissions"}}
    for start in range(0, len(records), COLLECTION):
        part = [{**kind, **record} for record in records[start : start + COLLECTION]]
        answers = connection.ask(
            method,
            "composite/sobjects",
            what=what,
            data=orjson.dumps({"allOrNone": False, "records": part}),
        )
        for answer in answers or ():
            errors = answer.get("errors") or ()
            if not answer["success"] and set(codes_of(list(errors))).isdisjoint(_THERE):
                raise VendorRejected(
                    SYSTEM, what, row_reason(errors, ()), "Grant them by hand in Setup"
                )


def _assign(connection: Connection, permission_set_id: str, user_id: str) -> None:
    what = f"the assignment of {WRITERS}"
    found = rows(
        connection,
        "SELECT Id FROM PermissionSetAssignment "  # noqa: S608 - ids of the vendor's
        f"WHERE AssigneeId = '{user_id}' AND PermissionSetId = '{permission_set_id}'",
        what,
    )
    if found:
        return
    body = {"AssigneeId": user_id, "PermissionSetId": permission_set_id}
    try:
        connection.ask(
            "POST", "sobjects/PermissionSetAssignment", what=what, data=orjson.dumps(body)
        )
    except VendorRejected as error:
        if not has_code(error, *_THERE):
            raise
