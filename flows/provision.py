"""Provision: the fields that Tandem owns, shown first and created when asked, never deleted."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agreement.errors import AccessError
from agreement.policy import Agreement
from agreement.records import FieldInfo
from agreement.written_fields import KINDS, field_definitions
from connectors.crm import Crm

log = logging.getLogger(__name__)


def our_fields(agreement: Agreement, system: str, kind: str) -> tuple[FieldInfo, ...]:
    """Define the fields that Tandem owns on one vendor object under this agreement."""
    return field_definitions(system, kind, agreement.writeback.prefix, agreement.writeback.digits)


def written_kinds(system: str) -> list[str]:
    """List the objects of one CRM that carry fields of ours."""
    return sorted({kind for kinds in KINDS.values() for name, kind in kinds if name == system})


@dataclass(frozen=True)
class Provisioned:
    """How one vendor object stands: fields that are there, missing, just created.

    `drifted` says of fields that are there in what they differ from ours; they are left as they
    are, since only people can say what hangs on them.
    """

    system: str
    kind: str
    there: tuple[str, ...]
    missing: tuple[str, ...]
    created: tuple[str, ...] = ()
    is_object_absent: bool = False
    drifted: tuple[str, ...] = ()


def provision(crms: Sequence[Crm], agreement: Agreement, *, is_applied: bool) -> list[Provisioned]:
    """Compare our fields with both CRMs; create the missing ones when `is_applied`, and look again.

    One row per vendor object that carries fields of ours, HubSpot first. Safe to repeat: a field
    that is there is left as it is.

    Raises:
        AccessError: fields were created and the integration user still does not see them.
    """
    return [
        _provision_kind(crm, kind, our_fields(agreement, crm.system, kind), is_applied)
        for crm in crms
        for kind in written_kinds(crm.system)
    ]


def _provision_kind(
    crm: Crm, kind: str, fields: Sequence[FieldInfo], is_applied: bool
) -> Provisioned:
    described = crm.describe(kind)
    if described is None:
        return Provisioned(crm.system, kind, (), (), is_object_absent=True)
    missing = [field for field in fields if not _is_usable(described.get(field.name))]
    there = tuple(field.name for field in fields if field not in missing)
    drifted = tuple(_drift(fields, described))
    if not missing or not is_applied:
        names = tuple(field.name for field in missing)
        return Provisioned(crm.system, kind, there, names, drifted=drifted)
    crm.create_fields(kind, missing)
    described = crm.describe(kind) or {}
    unseen = [field.name for field in missing if not _is_usable(described.get(field.name))]
    if unseen:
        raise AccessError(
            crm.system,
            f"{len(unseen)} fields of {kind} were created but cannot be written, first {unseen[0]}",
            "Grant the integration user read and edit on them (permission set Tandem_Sync)",
        )
    created = tuple(field.name for field in missing)
    log.info("provisioned system=%s kind=%s created=%d", crm.system, kind, len(created))
    return Provisioned(crm.system, kind, (*there, *created), (), created, drifted=drifted)


def _drift(fields: Sequence[FieldInfo], described: Mapping[str, FieldInfo]) -> Iterator[str]:
    """Say where a field that is there is another than ours, so that some values would not fit."""
    for field in fields:
        found = described.get(field.name)
        if found is None:
            continue
        if _sort_of(found) != _sort_of(field):
            yield f"{field.name} is a {found.kind}, ours a {field.kind}"
        elif field.length and found.length is not None and found.length < field.length:
            yield f"{field.name} holds {found.length} characters, ours {field.length}"
        elif field.digits and found.digits is not None and found.digits < field.digits:
            yield f"{field.name} keeps {found.digits} decimal places, ours {field.digits}"


def _sort_of(field: FieldInfo) -> str:
    return "string" if field.kind == "text" else field.kind


def _is_usable(field: FieldInfo | None) -> bool:
    return field is not None and field.is_writable
