"""The table of `catalog.py` read into objects and fields."""

import re
from collections.abc import Mapping
from typing import Any

from standins.salesforce.schema import Child, Field, SObject, relationship_name

_FLAGS = {
    "c": "is_createable", "u": "is_updateable", "n": "is_nillable", "D": "is_defaulted",
    "C": "is_calculated", "R": "is_restricted", "!": "is_unique", "x": "is_external_id",
    "i": "is_id_lookup", "F": "is_unfilterable",
}  # fmt: skip

_READ = frozenset({"queryable", "retrieveable"})
_ALL = _READ | {
    "createable", "updateable", "deletable", "replicateable", "triggerable", "layoutable",
}  # fmt: skip

# What kinds of objects there are: their abilities, and which system fields they carry.
_KINDS: Mapping[str, tuple[frozenset[str], str]] = {
    "record": (
        _ALL
        | {"undeletable", "searchable", "feedEnabled", "mruEnabled"}
        | {"compactLayoutable", "searchLayoutable"},
        "deletable audit",
    ),
    "activity": (
        _ALL | {"undeletable", "searchable", "mruEnabled", "compactLayoutable", "searchLayoutable"},
        "deletable audit",
    ),
    "junction": (_ALL | {"compactLayoutable"}, "deletable audit"),
    "relation": (_READ | {"createable", "deletable", "replicateable"}, "deletable audit"),
    "history": (_READ | {"replicateable"}, "deletable created"),
    "steps": (_READ | {"replicateable"}, "deletable created stamped"),
    "user": (_ALL - {"deletable"}, "audit"),
    "setup": (_READ, "audit"),
    "granted": (_READ | {"createable", "updateable", "deletable"}, "audit"),
    "grant": (_READ | {"createable", "updateable", "deletable"}, "stamped"),
    "name": (_READ, ""),
    "metadata": (_READ | {"createable", "updateable", "deletable"}, "audit"),
}

_LINE = re.compile(r"(\w+)(?:\((\d+)(?:,(\d+))?\))? (\S+) = (.+)\Z")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def read_catalog(text: str) -> dict[str, SObject]:
    """Read the table of objects of `catalog.py` into objects by lower-case name."""
    objects: dict[str, SObject] = {}
    current: SObject | None = None
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            current = _object(line[1:-1])
            objects[current.name.lower()] = current
        elif current is not None:
            for one in _fields(line):
                current.add_field(one)
    return objects


def read_children(text: str, objects: Mapping[str, SObject]) -> None:
    """Read the table of lookups with a name on the parent's side into the parents."""
    for line in filter(None, map(str.strip, text.splitlines())):
        parent, name, lookup, *rest = line.split()
        sobject, field_name = lookup.split(".")
        child = Child(sobject, field_name, name, rest == ["cascade"])
        objects[parent.lower()].children.append(child)


def _object(head: str) -> SObject:
    name, prefix, kind, *more = head.split()
    abilities, system = _KINDS[kind]
    label = _label(name)
    plural = f"{label[:-1]}ies" if label.endswith("y") else f"{label}s"
    sobject = SObject(
        name, prefix, label, plural, abilities | set(more), is_tooling=kind == "metadata"
    )
    for one in _system_fields(label, system.split()):
        sobject.add_field(one)
    return sobject


def _system_fields(label: str, parts: list[str]) -> list[Field]:
    by_user: dict[str, Any] = {
        "type": "reference", "length": 18, "is_defaulted": True, "reference_to": ("User",),
    }  # fmt: skip
    stamp: dict[str, Any] = {"type": "datetime", "is_defaulted": True}
    fields = [
        Field("Id", "id", f"{label} ID", length=18, is_defaulted=True, is_id_lookup=True),
    ]
    if "deletable" in parts:
        fields.append(Field("IsDeleted", "boolean", "Deleted", is_defaulted=True))
    if "created" in parts or "audit" in parts:
        fields.append(Field("CreatedDate", label="Created Date", **stamp))
        fields.append(
            Field("CreatedById", label="Created By ID", relationship="CreatedBy", **by_user)
        )
    if "audit" in parts:
        fields.append(Field("LastModifiedDate", label="Last Modified Date", **stamp))
        fields.append(
            Field(
                "LastModifiedById",
                label="Last Modified By ID",
                relationship="LastModifiedBy",
                **by_user,
            )
        )
    if "audit" in parts or "stamped" in parts:
        fields.append(Field("SystemModstamp", label="System Modstamp", **stamp))
    return fields


def _fields(line: str) -> list[Field]:
    if line.startswith("address "):
        return _address(line.removeprefix("address ").strip())
    found = _LINE.match(line)
    if found is None:
        raise ValueError(f"no field line: {line}")
    type_, first, second, flags, rest = found.groups()
    size = _size(type_, int(first or 0), int(second or 0))
    says: dict[str, Any] = {_FLAGS[flag]: True for flag in flags if flag != "-"}
    if type_ in {"picklist", "multipicklist", "combobox"}:
        head, _, tail = rest.partition(":")
        name, _, compound = head.partition("@")
        options = [option for option in tail.strip().split("|") if option]
        default = next((option[:-1] for option in options if option.endswith("*")), None)
        says |= {"options": tuple(option.rstrip("*") for option in options), "default": default}
        return [Field(name, type_, _label(name), compound=compound or None, **size, **says)]
    return [_field(word, type_, size, says) for word in rest.split()]


def _field(word: str, type_: str, size: dict[str, Any], says: dict[str, Any]) -> Field:
    name, _, targets = word.partition(">")
    name, _, compound = name.partition("@")
    if type_ == "reference":
        says = {
            **says,
            "reference_to": tuple(targets.split("|")),
            "relationship": relationship_name(name),
        }
    return Field(name, type_, _label(name), compound=compound or None, **size, **says)


def _size(type_: str, first: int, second: int) -> dict[str, Any]:
    if type_ in {"currency", "double", "percent"}:
        return {"precision": first, "scale": second}
    if type_ == "int":
        return {"digits": first}
    if type_ == "reference":
        return {"length": 18}
    return {"length": first}


_ADDRESS = {
    "Street": ("textarea", 255), "City": ("string", 40), "State": ("string", 80),
    "PostalCode": ("string", 20), "Country": ("string", 80),
}  # fmt: skip


def _address(prefix: str) -> list[Field]:
    """Give the parts of an address and the read-only whole; `-` stands for no prefix."""
    prefix = "" if prefix == "-" else prefix
    whole = f"{prefix}Address"
    common: dict[str, Any] = {
        "is_createable": True, "is_updateable": True, "is_nillable": True, "compound": whole,
    }  # fmt: skip
    parts = [
        Field(f"{prefix}{name}", type_, _label(prefix + name), length=length, **common)
        for name, (type_, length) in _ADDRESS.items()
    ]
    place = [
        Field(f"{prefix}{name}", "double", _label(prefix + name), precision=18, scale=15, **common)
        for name in ("Latitude", "Longitude")
    ]
    return [*parts, *place, Field(whole, "address", _label(whole), is_nillable=True)]


def _label(name: str) -> str:
    bare = name.removesuffix("__c").removesuffix("Id") or name
    return " ".join(_WORDS.split(bare.replace("_", " ")))
