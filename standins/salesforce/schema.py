"""What an org's objects and fields are like, and how a describe shows them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

TEXT_TYPES = frozenset(
    {
        "string", "textarea", "phone", "url", "email", "picklist", "combobox", "multipicklist",
        "encryptedstring",
    }
)  # fmt: skip
NUMBER_TYPES = frozenset({"double", "currency", "percent", "int"})
ID_TYPES = frozenset({"id", "reference"})

_SOAP_TYPES = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int",
    "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date",
    "datetime": "xsd:dateTime", "time": "xsd:time", "address": "urn:address",
}  # fmt: skip

# Every key that a v59 describe gives for a field; what a field does not say otherwise.
_FIELD_KEYS: Mapping[str, Any] = {
    "aggregatable": True, "aiPredictionField": False, "autoNumber": False, "byteLength": 0,
    "calculated": False, "calculatedFormula": None, "cascadeDelete": False, "caseSensitive": False,
    "compoundFieldName": None, "controllerName": None, "createable": False, "custom": False,
    "defaultValue": None, "defaultValueFormula": None, "defaultedOnCreate": False,
    "dependentPicklist": False, "deprecatedAndHidden": False, "digits": 0,
    "displayLocationInDecimal": False, "encrypted": False, "externalId": False,
    "extraTypeInfo": None, "filterable": True, "filteredLookupInfo": None,
    "formulaTreatNullNumberAsZero": False, "groupable": True, "highScaleNumber": False,
    "htmlFormatted": False, "idLookup": False, "inlineHelpText": None, "label": "", "length": 0,
    "mask": None, "maskType": None, "name": "", "nameField": False, "namePointing": False,
    "nillable": False, "permissionable": False, "picklistValues": (),
    "polymorphicForeignKey": False, "precision": 0, "queryByDistance": False,
    "referenceTargetField": None, "referenceTo": (), "relationshipName": None,
    "relationshipOrder": None, "restrictedDelete": False, "restrictedPicklist": False, "scale": 0,
    "searchPrefilterable": False, "soapType": "xsd:string", "sortable": True, "type": "",
    "unique": False, "updateable": False, "writeRequiresMasterRead": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field; `length` in characters, `precision` and `scale` in digits."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    is_createable: bool = False
    is_updateable: bool = False
    is_nillable: bool = False
    is_defaulted: bool = False
    is_calculated: bool = False
    is_unique: bool = False
    is_case_sensitive: bool = False
    is_external_id: bool = False
    is_id_lookup: bool = False
    is_restricted: bool = False
    is_unfilterable: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    options: tuple[str, ...] = ()
    compound: str | None = None
    default: object = None
    help: str | None = None

    @property
    def is_custom(self) -> bool:
        """Tell whether an admin made the field."""
        return self.name.endswith("__c")

    @property
    def is_filterable(self) -> bool:
        """Tell whether SOQL may filter on the field; long texts and history values it may not."""
        is_long_text = self.type == "textarea" and self.length > 255
        return not (is_long_text or self.is_unfilterable)

    @property
    def is_permissionable(self) -> bool:
        """Tell whether field-level security can hide the field; required ones are always there."""
        if self.is_custom or self.type == "address":
            return True
        return self.is_nillable and self.is_createable and self.compound != "Name"

    @property
    def is_required(self) -> bool:
        """Tell whether a new record has to bring a value."""
        return self.is_createable and not self.is_nillable and not self.is_defaulted

    def described(self) -> dict[str, Any]:
        """Give the field as a describe shows it."""
        is_text, is_polymorphic = self.type in TEXT_TYPES, len(self.reference_to) > 1
        return {
            **_FIELD_KEYS,
            "aggregatable": self.is_filterable and self.type not in {"boolean", "address"},
            "byteLength": self.length * 3 if is_text else self.length,
            "calculated": self.is_calculated,
            "caseSensitive": self.is_case_sensitive,
            "compoundFieldName": self.compound,
            "createable": self.is_createable,
            "custom": self.is_custom,
            "defaultValue": False if self.type == "boolean" else self.default,
            "defaultedOnCreate": self.is_defaulted,
            "digits": self.digits,
            "externalId": self.is_external_id,
            "filterable": self.is_filterable,
            "groupable": self.is_filterable
            and self.type not in {"double", "currency", "percent", "datetime", "address"},
            "idLookup": self.is_id_lookup,
            "inlineHelpText": self.help,
            "label": self.label,
            "length": self.length,
            "name": self.name,
            "nameField": self.name == "Name",
            "namePointing": is_polymorphic,
            "nillable": self.is_nillable,
            "permissionable": self.is_permissionable,
            "picklistValues": [
                {
                    "active": True,
                    "defaultValue": value == self.default,
                    "label": value,
                    "validFor": None,
                    "value": value,
                }
                for value in self.options
            ],
            "polymorphicForeignKey": is_polymorphic,
            "precision": self.precision,
            "queryByDistance": self.type == "address",
            "referenceTo": list(self.reference_to),
            "relationshipName": self.relationship,
            "restrictedPicklist": self.is_restricted,
            "scale": self.scale,
            "soapType": _SOAP_TYPES.get(self.type, "xsd:string"),
            "sortable": self.is_filterable and self.type != "address",
            "type": self.type,
            "unique": self.is_unique,
            "updateable": self.is_updateable,
        }


@dataclass(frozen=True)
class Child:
    """A lookup seen from the record it points to; `name` is the plural used in subqueries."""

    sobject: str
    field: str
    name: str
    is_cascading: bool


@dataclass
class SObject:
    """One object with its fields by lower-case name; `abilities` are the describe's true flags."""

    name: str
    prefix: str
    label: str
    plural: str
    abilities: frozenset[str]
    fields: dict[str, Field] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    is_tooling: bool = False

    def __post_init__(self) -> None:
        self.by_name = {one.name: one for one in self.fields.values()}

    def add_field(self, one: Field) -> None:
        """Add a field, or replace the one of that name."""
        self.fields[one.name.lower()] = one
        self.by_name[one.name] = one

    def replace_field(self, name: str, **changes: Any) -> None:
        """Change what one field is like."""
        self.add_field(replace(self.by_name[name], **changes))

    def summary(self, version: str) -> dict[str, Any]:
        """Give the object as the list of objects shows it."""
        base = f"/services/data/{version}/sobjects/{self.name}"
        return {
            **{name: name in self.abilities for name in _ABILITIES},
            "associateEntityType": None,
            "associateParentEntity": None,
            "custom": self.name.endswith("__c"),
            "hasSubtypes": False,
            "isInterface": False,
            "isSubtype": False,
            "keyPrefix": self.prefix,
            "label": self.label,
            "labelPlural": self.plural,
            "name": self.name,
            "urls": {
                "rowTemplate": f"{base}/{{ID}}",
                "describe": f"{base}/describe",
                "sobject": base,
            },
        }

    def described(self, version: str, fields: Iterable[Field]) -> dict[str, Any]:
        """Give the object's describe, with the fields that the user may see."""
        layout = f"/services/data/{version}/sobjects/{self.name}/describe/layouts"
        return {
            **self.summary(version),
            "actionOverrides": [],
            "defaultImplementation": None,
            "extendedBy": None,
            "extendsInterfaces": None,
            "implementedBy": None,
            "implementsInterfaces": None,
            "listviewable": None,
            "lookupLayoutable": None,
            "namedLayoutInfos": [],
            "networkScopeFieldName": None,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": [{"label": f"All {self.plural.lower()}", "name": "everything"}],
            "childRelationships": [
                {
                    "cascadeDelete": child.is_cascading,
                    "childSObject": child.sobject,
                    "deprecatedAndHidden": False,
                    "field": child.field,
                    "junctionIdListNames": [],
                    "junctionReferenceTo": [],
                    "relationshipName": child.name,
                    "restrictedDelete": False,
                }
                for child in self.children
            ],
            "fields": [one.described() for one in fields],
            "recordTypeInfos": [
                {
                    "active": True,
                    "available": True,
                    "defaultRecordTypeMapping": True,
                    "developerName": "Master",
                    "master": True,
                    "name": "Master",
                    "recordTypeId": "012000000000000AAA",
                    "urls": {"layout": f"{layout}/012000000000000AAA"},
                }
            ],
        }


_ABILITIES = (
    "activateable", "compactLayoutable", "createable", "customSetting", "deepCloneable",
    "deletable", "deprecatedAndHidden", "feedEnabled", "layoutable", "mergeable", "mruEnabled",
    "queryable", "replicateable", "retrieveable", "searchLayoutable", "searchable", "triggerable",
    "undeletable", "updateable",
)  # fmt: skip


def relationship_name(name: str) -> str:
    """Name the relationship of a lookup field: `OwnerId` is `Owner`, `Plan__c` is `Plan__r`."""
    return f"{name[:-1]}r" if name.endswith("__c") else name.removesuffix("Id")
