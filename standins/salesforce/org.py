"""One org: its objects, its rows, who may see what, and what people and the platform do to it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from standins.salesforce.catalog import (
    CHILDREN,
    CURRENCY_OBJECTS,
    LEAD_STATUSES,
    OBJECTS,
    PROFILE_OBJECTS,
    PROFILE_RIGHTS,
    STAGES,
)
from standins.salesforce.derived import derive, history_rows
from standins.salesforce.ids import long_id, numbered_id
from standins.salesforce.reading import read_catalog, read_children
from standins.salesforce.schema import Field, SObject
from standins.salesforce.tables import Journal, Row, Table
from standins.salesforce.values import kept, stamp

_FOUNDED = datetime(2020, 1, 1, tzinfo=UTC)

# Rows that a new org brings along and that give way when a row of the same key is added.
_KEYS = {"CurrencyType": "IsoCode", "OpportunityStage": "ApiName", "LeadStatus": "ApiName"}
# Where the options of a picklist come from rows.
_OPTIONS = {"OpportunityStage": ("Opportunity", "StageName"), "LeadStatus": ("Lead", "Status")}
_PERMISSIONS = frozenset({"PermissionSet", "PermissionSetAssignment", "FieldPermissions"})


def real_now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


class Org:
    """The state of an org. Rows are kept as `values.py` says, without their empty fields."""

    def __init__(self, now: Callable[[], datetime], *, multi_currency: bool) -> None:
        self.now, self.is_multi_currency = now, multi_currency
        self.objects = read_catalog(OBJECTS)
        read_children(CHILDREN, self.objects)
        self.journal = Journal()
        self.tables = {one.name: Table(self.journal) for one in self.objects.values()}
        self.tracked: dict[str, set[str]] = {
            "Lead": {"OwnerId", "Status", "LeadSource", "Rating"},
            "Contact": {"OwnerId", "AccountId", "Email"},
            "Opportunity": {"OwnerId", "StageName", "Amount", "CloseDate"},
        }
        self._numbers: Counter[str] = Counter()
        self._open_fields: set[tuple[str, str]] = set()
        self._hidden: set[tuple[str, str]] = set()
        self._visible: dict[str, dict[str, Field]] = {}
        self._grants: dict[str, set[str]] = {}
        self._seeded: set[str] = set()
        self._shape_currencies()
        self.by_prefix = _by_prefix(self.objects.values())
        self.organization: dict[str, Any] = self._found()
        self.admin_id, self.integration_user_id = self._hire()
        self._furnish()
        self._let_in()

    # What a new org holds

    def _shape_currencies(self) -> None:
        if not self.is_multi_currency:
            for name in ("CurrencyType", "DatedConversionRate"):
                del self.objects[name.lower()]
                del self.tables[name]
            return
        for name in CURRENCY_OBJECTS:
            is_written = not name.endswith("History")
            self.objects[name.lower()].add_field(
                Field(
                    "CurrencyIsoCode", "picklist", "Currency ISO Code", length=3,
                    is_createable=is_written, is_updateable=is_written, is_nillable=True,
                    is_defaulted=True, is_restricted=True,
                )
            )  # fmt: skip

    def _found(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "Id": "00D5g0000000001EAA",
            "Name": "Stand-in",
            "OrganizationType": "Enterprise Edition",
            "InstanceName": "SIM1",
            "TimeZoneSidKey": "America/New_York",
            "DefaultLocaleSidKey": "en_US",
            "LanguageLocaleKey": "en_US",
            "DefaultCurrencyIsoCode": "USD",
            "FiscalYearStartMonth": 1,
            "CreatedDate": stamp(_FOUNDED),
            "LastModifiedDate": stamp(_FOUNDED),
            "SystemModstamp": stamp(_FOUNDED),
        }
        self.tables["Organization"].put(row)
        return row

    def _hire(self) -> tuple[str, str]:
        self.admin_id = numbered_id("005", 1)
        profile_id = self._seed("Profile", {"Name": "System Administrator"})
        people = [("Admin", "admin@standin.example"), ("Integration", "sync@standin.example")]
        ids = [
            self._seed("User", {
                "FirstName": "Stand-in", "LastName": last, "Username": mail, "Email": mail,
                "Alias": last[:8].lower(), "IsActive": True, "UserType": "Standard",
                "TimeZoneSidKey": "America/New_York", "LocaleSidKey": "en_US",
                "LanguageLocaleKey": "en_US", "ProfileId": profile_id,
            })
            for last, mail in people
        ]  # fmt: skip
        return ids[0], ids[1]

    def _furnish(self) -> None:
        for order, (name, is_closed, is_won, chance, category, label) in enumerate(STAGES, 1):
            self._seed("OpportunityStage", {
                "ApiName": name, "MasterLabel": name, "SortOrder": order, "IsActive": True,
                "IsClosed": is_closed, "IsWon": is_won, "DefaultProbability": chance,
                "ForecastCategory": category, "ForecastCategoryName": label,
            })  # fmt: skip
        for order, (name, is_default, is_converted) in enumerate(LEAD_STATUSES, 1):
            self._seed("LeadStatus", {
                "ApiName": name, "MasterLabel": name, "SortOrder": order,
                "IsDefault": is_default, "IsConverted": is_converted,
            })  # fmt: skip
        if self.is_multi_currency:
            self._seed("CurrencyType", {
                "IsoCode": "USD", "ConversionRate": 1, "DecimalPlaces": 2,
                "IsActive": True, "IsCorporate": True,
            })  # fmt: skip
        for sobject in self.objects.values():
            if not sobject.is_tooling:
                self._seed("EntityDefinition", {
                    "QualifiedApiName": sobject.name, "DurableId": sobject.name,
                    "DeveloperName": sobject.name, "Label": sobject.label,
                })  # fmt: skip

    def _let_in(self) -> None:
        """Give the integration user a profile, which the API shows as a permission set."""
        granted = dict.fromkeys(PROFILE_RIGHTS, True)
        profile = self._seed("PermissionSet", {
            "Name": "X00e_profile", "Label": "X00e_profile", "IsOwnedByProfile": True, **granted,
        })  # fmt: skip
        for sobject in PROFILE_OBJECTS:
            rights = ("Read", "Create", "Edit", "Delete", "ViewAllRecords")
            self._seed("ObjectPermissions", {
                "ParentId": profile, "SobjectType": sobject,
                **{f"Permissions{right}": True for right in rights},
            })  # fmt: skip
        self._seed(
            "PermissionSetAssignment",
            {"PermissionSetId": profile, "AssigneeId": self.integration_user_id},
        )

    def _seed(self, sobject: str, fields: Row) -> str:
        record_id = self.put_in_place(sobject, fields, created_at=_FOUNDED)
        self._seeded.add(record_id)
        return record_id

    # Looking things up

    def sobject(self, name: str) -> SObject:
        """Find an object by its exact name.

        Raises:
            ValueError: the org has none of that name.
        """
        found = self.objects.get(name.lower())
        if found is None or found.name != name:
            raise ValueError(f"the org has no object {name}")
        return found

    def find(self, record_id: object) -> tuple[SObject, Row] | None:
        """Find a record by its id alone."""
        if not isinstance(record_id, str):
            return None
        for sobject in self.by_prefix.get(record_id[:3], ()):
            row = self.tables[sobject.name].rows.get(record_id)
            if row is not None:
                return sobject, row
        return None

    def name_of(self, record_id: object) -> str | None:
        """Give the name of a record."""
        found = self.find(record_id)
        return str(found[1].get("Name", "")) if found else None

    def entity_id(self, name: str) -> object:
        """Give the id of an object's own definition; None when it has none."""
        found = self._first("EntityDefinition", "QualifiedApiName", name)
        return None if found is None else found["Id"]

    def stage(self, name: object) -> Row | None:
        """Find an opportunity stage by its name."""
        return self._first("OpportunityStage", "ApiName", name)

    def has_responded(self, campaign_id: object, status: object) -> bool:
        """Tell whether a member's status counts as a response in its campaign."""
        own = self.member_statuses(campaign_id)
        return own.get(str(status), False) if own else status == "Responded"

    def member_statuses(self, campaign_id: object) -> dict[str, bool]:
        """Give the statuses that the members of a campaign can have, and which are responses."""
        table = self.tables["CampaignMemberStatus"]
        rows = (table.rows[i] for i in table.having("CampaignId", [campaign_id]))
        return {str(row["Label"]): bool(row.get("HasResponded", False)) for row in rows}

    def fiscal(self, close_date: str) -> Row:
        """Give the fiscal fields of a close date."""
        day = date.fromisoformat(close_date)
        start = int(self.organization.get("FiscalYearStartMonth") or 1)
        quarter = (day.month - start) % 12 // 3 + 1
        year = day.year + (1 if start > 1 and day.month >= start else 0)
        return {"FiscalYear": year, "FiscalQuarter": quarter, "Fiscal": f"{year} {quarter}"}

    def decimals(self, row: Row) -> int | None:
        """Give the decimal places of a record's currency; None in an org with one currency."""
        if not self.is_multi_currency:
            return None
        found = self._first("CurrencyType", "IsoCode", row.get("CurrencyIsoCode"))
        return None if found is None else int(str(found.get("DecimalPlaces", 2)))

    def currency(self, iso_code: object) -> Row | None:
        """Find an active currency of the org."""
        found = self._first("CurrencyType", "IsoCode", iso_code)
        return found if found and found.get("IsActive") else None

    def _first(self, sobject: str, field: str, value: object) -> Row | None:
        table = self.tables[sobject]
        ids = sorted(table.having(field, [value]))
        return table.rows[ids[0]] if ids else None

    # Who may see what

    def visible(self, sobject: SObject) -> dict[str, Field]:
        """Give the fields that the integration user may see, by lower-case name."""
        if sobject.name not in self._visible:
            read = self._granted("PermissionsRead")
            self._visible[sobject.name] = {
                lower: one
                for lower, one in sobject.fields.items()
                if self._is_open(sobject.name, one, read)
            }
        return self._visible[sobject.name]

    def is_editable(self, sobject: SObject, field: Field) -> bool:
        """Tell whether field-level security lets the integration user write a field."""
        return self._is_open(sobject.name, field, self._granted("PermissionsEdit"))

    def hide(self, sobject: str, *fields: str) -> None:
        """Take fields from the integration user's sight, as an admin does."""
        self._hidden |= {(sobject, field) for field in fields}
        self._look_again()

    def add_to_schema(self, sobject: str, field: Field, *, is_open: bool) -> None:
        """Create a field; `is_open` when the integration user's profile may use it at once."""
        self.sobject(sobject).add_field(field)
        if is_open:
            self._open_fields.add((sobject, field.name))
        self._look_again()

    def _is_open(self, sobject: str, field: Field, granted: set[str]) -> bool:
        key = (sobject, field.name)
        if f"{sobject}.{field.name}" in granted:
            return True
        if key in self._hidden:
            return False
        return not field.is_custom or key in self._open_fields

    def _look_again(self) -> None:
        """Forget who may see what: something that decides it has changed."""
        self._visible.clear()
        self._grants.clear()

    def _granted(self, permission: str) -> set[str]:
        if permission not in self._grants:
            self._grants[permission] = self._granted_now(permission)
        return self._grants[permission]

    def _granted_now(self, permission: str) -> set[str]:
        assigned = self.tables["PermissionSetAssignment"]
        mine = assigned.having("AssigneeId", [self.integration_user_id])
        sets = [assigned.rows[one]["PermissionSetId"] for one in mine]
        grants = self.tables["FieldPermissions"]
        return {
            str(grants.rows[one]["Field"])
            for one in grants.having("ParentId", sets)
            if grants.rows[one].get(permission)
        }

    # What happens to rows

    def new_id(self, sobject: SObject) -> str:
        """Give an id that no record has."""
        while True:
            self._numbers[sobject.prefix] += 1
            record_id = numbered_id(sobject.prefix, self._numbers[sobject.prefix])
            if record_id not in self.tables[sobject.name].rows:
                return record_id

    def put_in_place(
        self,
        sobject: str,
        fields: Mapping[str, object],
        *,
        record_id: str | None = None,
        created_at: datetime,
        modified_at: datetime | None = None,
    ) -> str:
        """Put a record in place as if it had been there since `created_at`, without checks.

        Raises:
            ValueError: the org has no such object or field, or a value is of another type.
        """
        one = self.sobject(sobject)
        row: Row = {"Id": long_id(record_id) if record_id else self.new_id(one)}
        for name, value in fields.items():
            field = one.by_name.get(name)
            if field is None:
                raise ValueError(f"{sobject} has no field {name}")
            if (canonical := kept(field, value)) is not None:
                row[name] = canonical
        given = dict(row)
        changed = stamp(modified_at or created_at)
        row = self._defaults(one) | {
            "CreatedDate": stamp(created_at), "LastModifiedDate": changed,
            "SystemModstamp": changed, "CreatedById": self.admin_id,
            "LastModifiedById": self.admin_id, "OwnerId": self.admin_id,
        } | row  # fmt: skip
        row = {name: value for name, value in row.items() if name in one.by_name}
        row |= derive(self, sobject, row, given, changed, is_live=False)
        self._give_way(one, row)
        self._put(one, {name: value for name, value in row.items() if value is not None})
        return str(row["Id"])

    def _defaults(self, sobject: SObject) -> Row:
        row = {one.name: one.default for one in sobject.fields.values() if one.default is not None}
        if self.is_multi_currency and "currencyisocode" in sobject.fields:
            row["CurrencyIsoCode"] = self.organization["DefaultCurrencyIsoCode"]
        return row

    def _give_way(self, sobject: SObject, row: Row) -> None:
        """Let a row replace the one of its key that the org was founded with."""
        table = self.tables[sobject.name]
        if sobject.name == "CampaignMemberStatus":
            for old in table.having("CampaignId", [row.get("CampaignId")]):
                if table.rows[old].get("Label") == row.get("Label"):
                    table.drop(old)
            return
        key = _KEYS.get(sobject.name)
        if key is None:
            return
        if "masterlabel" in sobject.fields:
            row.setdefault("MasterLabel", row.get(key))
        for old in table.having(key, [row.get(key)]) & self._seeded:
            table.drop(old)
        if sobject.name in _OPTIONS:
            owner, name = _OPTIONS[sobject.name]
            field = self.sobject(owner).by_name[name]
            options = dict.fromkeys((*field.options, str(row[key])))
            self.sobject(owner).replace_field(name, options=tuple(options))
            self._look_again()

    def insert(self, sobject: SObject, values: Row, by: str, at: str) -> str:
        """Create a record now: system fields, what follows from the rest, history."""
        row: Row = self._defaults(sobject) | {
            "OwnerId": by, "CreatedById": by, "LastModifiedById": by, "CreatedDate": at,
            "LastModifiedDate": at, "SystemModstamp": at,
        }  # fmt: skip
        row |= {name: value for name, value in values.items() if value is not None}
        row = {name: value for name, value in row.items() if name in sobject.by_name}
        row["Id"] = self.new_id(sobject)
        row |= derive(self, sobject.name, row, row, at, is_live=True)
        self._put(sobject, {name: value for name, value in row.items() if value is not None})
        self._write_history(sobject, None, row, row, by, at)
        return str(row["Id"])

    def update(
        self, sobject: SObject, record_id: str, values: Row, by: str | None, at: str
    ) -> None:
        """Change a record: what follows from the change, its stamps, history.

        Without `by` the platform changed it: only the system stamp moves.
        """
        table = self.tables[sobject.name]
        before = dict(table.rows[record_id])
        stamps: Row = {"SystemModstamp": at}
        if by is not None:
            stamps |= {"LastModifiedDate": at, "LastModifiedById": by}
        changes = dict(values)
        changes |= derive(self, sobject.name, before | changes, values, at, is_live=True)
        changes |= {name: value for name, value in stamps.items() if name in sobject.by_name}
        table.change(record_id, changes)
        self._changed(sobject)
        self._write_history(sobject, before, table.rows[record_id], values, by or self.admin_id, at)

    def delete(self, sobject: SObject, record_id: str, by: str, at: str) -> None:
        """Put a record and what hangs on it into the recycle bin; setup rows go for good."""
        table = self.tables[sobject.name]
        if record_id not in table.rows or table.rows[record_id].get("IsDeleted"):
            return
        for child in sobject.children:
            if child.is_cascading:
                other = self.sobject(child.sobject)
                for one in sorted(self.tables[other.name].having(child.field, [record_id])):
                    self.delete(other, one, by, at)
        table.deleted_at[record_id] = at
        if "isdeleted" not in sobject.fields:
            table.drop(record_id)
        else:
            stamps: Row = {
                "IsDeleted": True, "SystemModstamp": at, "LastModifiedDate": at,
                "LastModifiedById": by,
            }  # fmt: skip
            table.change(record_id, {k: v for k, v in stamps.items() if k in sobject.by_name})
        self._changed(sobject)

    def write_history(self, sobject: str, values: Row, by: str, at: str) -> None:
        """Add one history row."""
        one = self.sobject(sobject)
        row: Row = {
            "Id": self.new_id(one), "CreatedById": by, "CreatedDate": at, "SystemModstamp": at,
        }  # fmt: skip
        row |= {name: value for name, value in values.items() if value is not None}
        self._put(one, {name: value for name, value in row.items() if name in one.by_name})

    def _write_history(
        self, sobject: SObject, before: Row | None, after: Row, changed: Row, by: str, at: str
    ) -> None:
        for history, values in history_rows(self, sobject.name, before, after, changed):
            self.write_history(history, values, by, at)

    def _put(self, sobject: SObject, row: Row) -> None:
        self.tables[sobject.name].put(row)
        self._changed(sobject)
        if sobject.name == "Campaign":
            self._give_statuses(row)

    def _give_statuses(self, campaign: Row) -> None:
        """A new campaign knows the two statuses of the platform."""
        for order, label in enumerate(("Sent", "Responded"), 1):
            status = self.sobject("CampaignMemberStatus")
            row: Row = {
                "Id": self.new_id(status), "CampaignId": campaign["Id"], "Label": label,
                "SortOrder": order, "IsDefault": label == "Sent",
                "HasResponded": label == "Responded",
            }  # fmt: skip
            row |= {
                name: campaign[name]
                for name in ("CreatedDate", "LastModifiedDate", "SystemModstamp", "CreatedById")
            }
            self.tables["CampaignMemberStatus"].put(row)

    def _changed(self, sobject: SObject) -> None:
        if sobject.name in _PERMISSIONS:
            self._look_again()

    def end_transaction(self, *, is_kept: bool) -> None:
        """Keep or take back what was done since the journal began."""
        self.journal.end(is_kept=is_kept)
        self._look_again()


def _by_prefix(objects: Iterable[SObject]) -> dict[str, list[SObject]]:
    found: dict[str, list[SObject]] = {}
    for one in objects:
        found.setdefault(one.prefix, []).append(one)
    return found
