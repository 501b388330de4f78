"""Writes through the API: what is checked before a row changes, one row or many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from standins.salesforce.answers import JsonObject, Refused, Unreadable, not_found
from standins.salesforce.ids import is_id, long_id
from standins.salesforce.org import Org
from standins.salesforce.schema import ID_TYPES, Field, SObject
from standins.salesforce.tables import Row
from standins.salesforce.values import checked, from_json, stamp

Parse = Callable[[Field, Any], object]

# Given the object, the record's id (None for a new one) and the values to set: a code and a message
# to refuse the row with, or None.
RowRule = Callable[[str, str | None, Mapping[str, object]], tuple[str, str] | None]

# Fields that together may stand once only.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "PermissionSet": ("Name",),
    "PermissionSetAssignment": ("AssigneeId", "PermissionSetId"),
    "FieldPermissions": ("ParentId", "Field"),
    "ObjectPermissions": ("ParentId", "SobjectType"),
    "CurrencyType": ("IsoCode",),
}


@dataclass
class Rules:
    """What an admin has set up around writes; a test may change it at any time.

    `duplicate_rules` names objects whose new rows are refused when the e-mail is there already.
    `assignment_owner` takes over each lead that is written without `Sforce-Auto-Assign: FALSE`.
    `row_rules` are validation rules, triggers and locks.
    """

    can_edit_converted_leads: bool = False
    duplicate_rules: set[str] = field(default_factory=set)
    assignment_owner: str | None = None
    row_rules: list[RowRule] = field(default_factory=list)


class Writer:
    """Writes of one request, all at one moment, as the integration user."""

    def __init__(self, org: Org, rules: Rules, headers: Mapping[str, str]) -> None:
        self.org, self.rules, self.headers = org, rules, headers
        self._by, self._at = org.integration_user_id, stamp(org.now())

    def read(
        self, sobject: SObject, raw: Mapping[str, object], parse: Parse = from_json
    ) -> dict[Field, object]:
        """Read the values of a row, by field; `attributes` and the id are left out.

        Raises:
            Unreadable: a field that the user does not see, or a value of another type.
        """
        visible = self.org.visible(sobject)
        found: dict[Field, object] = {}
        for name, value in raw.items():
            if name.lower() in {"attributes", "id"}:
                continue
            one = visible.get(name.lower())
            if one is not None:
                found[one] = parse(one, value)
            else:
                lookup, other = self._lookup(sobject, name, value)
                found[lookup] = other
        return found

    def _lookup(self, sobject: SObject, name: str, value: object) -> tuple[Field, object]:
        """Read a lookup given by a key of the other record: `Campaign.Ext__c`, or nested."""
        relation, _, key = name.partition(".")
        if isinstance(value, Mapping):
            inner = {k: v for k, v in value.items() if k != "attributes"}
            key, value = next(iter(inner.items()), ("", None))
        for one in self.org.visible(sobject).values():
            if key and one.relationship and one.relationship.lower() == relation.lower():
                target = self.org.sobject(one.reference_to[0])
                key_field = self.org.visible(target).get(key.lower())
                if key_field is not None and (key_field.is_external_id or key_field.is_id_lookup):
                    ids = self.live_ids(target, key_field.name, value)
                    return one, ids[0] if len(ids) == 1 else f"no {key}"
        raise Unreadable(
            "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}"
        )

    def live_ids(self, sobject: SObject, name: str, value: object) -> list[str]:
        """Find the records that hold a value and are not deleted."""
        table = self.org.tables[sobject.name]
        if name == "Id":
            row = table.rows.get(long_id(str(value)))
            return [str(row["Id"])] if row and not row.get("IsDeleted") else []
        is_exact = sobject.by_name[name].is_case_sensitive
        return [
            one
            for one in sorted(table.having(name, [value]))
            if not table.rows[one].get("IsDeleted")
            and (not is_exact or table.rows[one].get(name) == value)
        ]

    def insert(self, sobject: SObject, values: Mapping[Field, object]) -> str:
        """Create a record.

        Raises:
            Refused: the vendor would not create it.
        """
        self._check_ability(sobject, "createable")
        self._check_rights(sobject, values, is_new=True)
        missing = [
            one.name
            for one in self.org.visible(sobject).values()
            if one.is_required and values.get(one) is None
        ]
        if missing:
            raise _missing(missing)
        row = self._stored(sobject, values, {})
        self._check_row(sobject, None, row, row)
        self._check_duplicates(sobject, row)
        self._assign(sobject, row)
        return self.org.insert(sobject, row, self._by, self._at)

    def update(self, sobject: SObject, record_id: str, values: Mapping[Field, object]) -> str:
        """Change a record; give its long id.

        Raises:
            Refused: the vendor would not change it.
        """
        self._check_ability(sobject, "updateable")
        before = self.existing(sobject, record_id)
        self._check_rights(sobject, values, is_new=False)
        if before.get("IsConverted") and not self.rules.can_edit_converted_leads:
            raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        changes = self._stored(sobject, values, before)
        self._check_row(sobject, str(before["Id"]), before | changes, changes)
        self._assign(sobject, changes)
        self.org.update(sobject, str(before["Id"]), changes, self._by, self._at)
        return str(before["Id"])

    def upsert(
        self, sobject: SObject, key: Field, value: object, values: Mapping[Field, object]
    ) -> tuple[str, bool]:
        """Change the record with this key, or create it; give its id and whether it is new.

        Raises:
            Refused: several records have the key, or the vendor would not write it.
        """
        values = {one: v for one, v in values.items() if one != key}
        if value is None and key.name != "Id":
            raise Refused("MISSING_ARGUMENT", f"{key.name} not specified")
        ids = self.live_ids(sobject, key.name, value) if value is not None else []
        if len(ids) > 1:
            raise Refused(
                "DUPLICATE_EXTERNAL_ID", f"{key.name}: more than one record found for external id "
                f"field: [{', '.join(ids)}]", status=300,
            )  # fmt: skip
        if ids:
            return self.update(sobject, ids[0], values), False
        if key.name == "Id":
            if value is not None:
                self.existing(sobject, str(value))
            return self.insert(sobject, values), True
        return self.insert(sobject, {**values, key: value}), True

    def delete(self, sobject: SObject, record_id: str) -> str:
        """Delete a record; give its long id.

        Raises:
            Refused: it is not there, or the object cannot be deleted from.
        """
        self._check_ability(sobject, "deletable")
        row = self.existing(sobject, record_id)
        self._check_rules(sobject, str(row["Id"]), {})
        self.org.delete(sobject, str(row["Id"]), self._by, self._at)
        return str(row["Id"])

    def existing(self, sobject: SObject, record_id: str) -> Row:
        """Find the record to write to.

        Raises:
            Refused: MALFORMED_ID, INVALID_CROSS_REFERENCE_KEY or ENTITY_IS_DELETED.
        """
        if not is_id(record_id) or record_id[:3] != sobject.prefix:
            raise Refused(
                "MALFORMED_ID", f"{sobject.label} ID: id value of incorrect type: {record_id}",
                fields=["Id"],
            )  # fmt: skip
        table = self.org.tables[sobject.name]
        row = table.rows.get(long_id(record_id))
        if row is None and long_id(record_id) not in table.deleted_at:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row is None or row.get("IsDeleted"):
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    # Checks

    def _check_ability(self, sobject: SObject, ability: str) -> None:
        if ability not in sobject.abilities:
            raise Refused(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                f"entity type {sobject.name} does not support this operation",
            )

    def _check_rights(
        self, sobject: SObject, values: Mapping[Field, object], *, is_new: bool
    ) -> None:
        locked = [
            one.name
            for one in values
            if not (one.is_createable if is_new else one.is_updateable)
            or not self.org.is_editable(sobject, one)
        ]
        if locked:
            raise Refused(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(locked)}. Please check the security "
                "settings of this field and verify that it is read/write for your profile or "
                "permission set.",
                fields=locked,
            )

    def _stored(self, sobject: SObject, values: Mapping[Field, object], before: Row) -> Row:
        """Check each value by itself; give the values as they are stored."""
        row: Row = {}
        after: Row = before | {one.name: value for one, value in values.items()}
        decimals = self.org.decimals(after)
        for one, value in values.items():
            own = one.type == "currency" and decimals is not None
            stored = checked(one, value, max(one.scale, decimals or 0) if own else None)
            if stored is None and not one.is_nillable:
                if one.type != "boolean":
                    raise _missing([one.name])
                stored = False
            if one.type in ID_TYPES and stored is not None:
                self._check_reference(one, str(stored))
            row[one.name] = stored
        return row

    def _check_reference(self, one: Field, record_id: str) -> None:
        known = [
            self.org.objects[t.lower()] for t in one.reference_to if t.lower() in self.org.objects
        ]
        if known and record_id[:3] not in {target.prefix for target in known}:
            raise Refused(
                "FIELD_INTEGRITY_EXCEPTION",
                f"{one.label}: id value of incorrect type: {record_id}",
                fields=[one.name],
            )
        found = self.org.find(record_id)
        if known and (found is None or found[1].get("IsDeleted")):
            raise Refused(
                "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=[one.name]
            )

    def _check_row(self, sobject: SObject, record_id: str | None, row: Row, changes: Row) -> None:
        self._check_rules(sobject, record_id, changes)
        for one in sobject.fields.values():
            if one.is_unique and changes.get(one.name) is not None:
                self._check_unique(sobject, one, record_id, changes[one.name])
        self._check_key(sobject, record_id, row)
        iso_code = changes.get("CurrencyIsoCode")
        if iso_code is not None and self.org.currency(iso_code) is None:
            raise Refused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"Currency ISO Code: bad value for restricted picklist field: {iso_code}",
                fields=["CurrencyIsoCode"],
            )
        if sobject.name == "CampaignMember":
            self._check_member(record_id, row)
        if sobject.name == "FieldPermissions":
            self._check_grant(row)

    def _check_rules(
        self, sobject: SObject, record_id: str | None, changes: Mapping[str, object]
    ) -> None:
        for rule in self.rules.row_rules:
            refusal = rule(sobject.name, record_id, changes)
            if refusal is not None:
                raise Refused(*refusal)

    def _check_unique(
        self, sobject: SObject, one: Field, record_id: str | None, value: object
    ) -> None:
        for other in self.live_ids(sobject, one.name, value):
            if other != record_id:
                raise _duplicate(one.name, other)

    def _check_key(self, sobject: SObject, record_id: str | None, row: Row) -> None:
        names = _KEYS.get(sobject.name)
        if names is None:
            return
        table = self.org.tables[sobject.name]
        for other in table.having(names[0], [row.get(names[0])]):
            if other != record_id and all(
                table.rows[other].get(name) == row.get(name) for name in names
            ):
                raise _duplicate(names[-1], other)

    def _check_member(self, record_id: str | None, row: Row) -> None:
        people = [name for name in ("LeadId", "ContactId") if row.get(name)]
        if record_id is None and len(people) != 1:
            raise Refused("FIELD_INTEGRITY_EXCEPTION", "specify a lead or a contact, not both")
        statuses = self.org.member_statuses(row.get("CampaignId"))
        if statuses and row.get("Status", "Sent") not in statuses:
            raise Refused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"Status: bad value for restricted picklist field: {row.get('Status')}",
                fields=["Status"],
            )
        table = self.org.tables["CampaignMember"]
        for name in people if record_id is None else ():
            for other in table.having(name, [row[name]]):
                is_same = table.rows[other].get("CampaignId") == row.get("CampaignId")
                if is_same and not table.rows[other].get("IsDeleted"):
                    kind = name.removesuffix("Id").lower()
                    raise Refused("DUPLICATE_VALUE", f"Already a campaign member: {kind} {other}")

    def _check_grant(self, row: Row) -> None:
        sobject_name, _, name = str(row.get("Field", "")).partition(".")
        sobject = self.org.objects.get(sobject_name.lower())
        one = sobject.fields.get(name.lower()) if sobject else None
        if one is None or sobject_name != row.get("SobjectType"):
            raise Refused(
                "INVALID_CROSS_REFERENCE_KEY",
                f"Field Name: bad value for restricted picklist field: {row.get('Field')}",
                fields=["Field"],
            )
        if not one.is_permissionable:
            raise Refused(
                "FIELD_INTEGRITY_EXCEPTION",
                f"{row['Field']} is not permissionable",
                fields=["Field"],
            )
        if row.get("PermissionsEdit") and not row.get("PermissionsRead"):
            raise Refused(
                "FIELD_INTEGRITY_EXCEPTION", "edit permission depends on read permission",
                fields=["PermissionsRead"],
            )  # fmt: skip

    def _check_duplicates(self, sobject: SObject, row: Row) -> None:
        header = self.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
        if sobject.name not in self.rules.duplicate_rules or "allowsave=true" in header:
            return
        others = self.live_ids(sobject, "Email", row["Email"]) if row.get("Email") else []
        if others:
            result = {
                "allowSave": True,
                "duplicateRule": f"Standard_{sobject.name}_Duplicate_Rule",
                "duplicateRuleEntityType": sobject.name,
                "errorMessage": None,
                "matchResults": [
                    {
                        "entityType": sobject.name,
                        "matchRecords": [{"record": {"Id": other}} for other in others],
                        "success": True,
                        "size": len(others),
                    }
                ],
            }
            raise Refused(
                "DUPLICATES_DETECTED",
                "You're creating a duplicate record. We recommend you use an existing record "
                "instead.",
                more={"duplicateResult": result},
            )

    def _assign(self, sobject: SObject, changes: Row) -> None:
        is_on = self.headers.get("sforce-auto-assign", "TRUE").upper() != "FALSE"
        if sobject.name == "Lead" and is_on and self.rules.assignment_owner:
            changes["OwnerId"] = self.rules.assignment_owner


def writable(org: Org, name: str) -> SObject:
    """Find the object that an address or a row names.

    Raises:
        Refused: the org has none, or not for this user.
    """
    found = org.objects.get(name.lower())
    if found is None or found.is_tooling:
        raise not_found()
    return found


def external_id(org: Org, sobject: SObject, name: str) -> Field:
    """Find the field by which an upsert finds its record.

    Raises:
        Refused: there is none of that name, or it is no key.
    """
    found = org.visible(sobject).get(name.lower())
    if found is None or not (found.is_external_id or found.is_id_lookup):
        raise Refused(
            "NOT_FOUND",
            f"Provided external ID field does not exist or is not accessible: {name}",
            status=404,
        )
    return found


def in_rows(
    org: Org, works: Sequence[Callable[[], JsonObject]], *, is_all_or_none: bool
) -> list[JsonObject]:
    """Do a list of writes, each by itself or all or none; give a result per write, in order."""
    org.journal.begin()
    results = [_result(work) for work in works]
    is_kept = not is_all_or_none or all(result["success"] for result in results)
    org.end_transaction(is_kept=is_kept)
    if is_kept:
        return results
    rolled_back = Refused(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using "
        "AllOrNone header",
    ).as_row_error()
    return [
        {"success": False, "errors": [rolled_back]} if result["success"] else result
        for result in results
    ]


def _result(work: Callable[[], JsonObject]) -> JsonObject:
    try:
        return {**work(), "success": True, "errors": []}
    except Refused as refused:
        return {"success": False, "errors": [refused.as_row_error()]}


def _missing(names: Sequence[str]) -> Refused:
    return Refused(
        "REQUIRED_FIELD_MISSING",
        f"Required fields are missing: [{', '.join(names)}]",
        fields=names,
    )


def _duplicate(name: str, record_id: str) -> Refused:
    return Refused(
        "DUPLICATE_VALUE",
        f"duplicate value found: {name} duplicates value on record with id: {record_id}",
    )
