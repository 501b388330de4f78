"""The fields that Tandem owns in both CRMs (design.md, section 6): what each says, where it stands.

`written_fields.csv` holds one row per entity and field. Its `role` tells who carries the field: a
`status` goes to every record of the entity; a `sum` (amount or count) to its survivor in each
system and 0 to the others, so that sums in a CRM are right.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from agreement.records import FieldInfo, FieldKind

Role = Literal["status", "sum"]
Entity = Literal["person", "deal", "account", "campaign"]

KINDS: Mapping[Entity, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "person": (("hubspot", "contact"), ("salesforce", "lead"), ("salesforce", "contact")),
        "deal": (("hubspot", "deal"), ("salesforce", "opportunity")),
        "account": (("hubspot", "company"), ("salesforce", "account")),
        "campaign": (("salesforce", "campaign"),),
    }
)


@dataclass(frozen=True, slots=True)
class WrittenField:
    """One field of ours; `name` is without prefix, `help` is what it tells a person."""

    entity: Entity
    name: str
    kind: FieldKind
    role: Role
    label: str
    help: str


def _read_table() -> tuple[WrittenField, ...]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as table:
        return tuple(WrittenField(**row) for row in csv.DictReader(table))  # type: ignore[arg-type]


WRITTEN_FIELDS = _read_table()


def fields_of(entity: Entity) -> tuple[WrittenField, ...]:
    """List the fields of an entity in their order."""
    return tuple(written for written in WRITTEN_FIELDS if written.entity == entity)


def vendor_name(system: str, prefix: str, name: str) -> str:
    """Spell one of our fields as a CRM does.

    >>> vendor_name("hubspot", "tandem", "credit_won")
    'tandem_credit_won'
    >>> vendor_name("salesforce", "tandem", "credit_won")
    'Tandem_Credit_Won__c'
    """
    if system == "hubspot":
        return f"{prefix}_{name}"
    return "_".join(part.capitalize() for part in (prefix, *name.split("_"))) + "__c"


def field_definitions(system: str, kind: str, prefix: str, digits: int) -> tuple[FieldInfo, ...]:
    """Define our fields of one vendor object; numbers carry `digits` decimal places."""
    entities = [entity for entity, kinds in KINDS.items() if (system, kind) in kinds]
    return tuple(
        FieldInfo(
            name=vendor_name(system, prefix, written.name),
            kind=written.kind,
            label=written.label,
            length=255 if written.kind == "string" else None,
            digits=digits if written.kind == "number" else None,
            help=written.help,
        )
        for entity in entities
        for written in fields_of(entity)
    )
