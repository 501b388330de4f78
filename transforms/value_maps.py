"""Value maps: the same value as each CRM spells it, counts it and formats it, one way and back.

A value goes through the first that names it: the list of words, the unit, the format. Numbers are
exact decimals, rounded only to the places that the other side keeps, so that a value which was
carried over is recognised there and never written again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext

import pandas as pd

from agreement.frames import DataFrame, Invalid, Writes, as_text, empty
from agreement.policy import SharedField, Units, ValueFormat
from agreement.records import FieldInfo, canonical

Schemas = Mapping[tuple[str, str], Mapping[str, FieldInfo]]

# More digits than any CRM keeps, so that only the rounding at the end can lose any.
_PRECISION = 60

# Values of a list that a message names.
_SHOWN = 8

_OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}

_FORMATS: Mapping[ValueFormat, Callable[[str], str]] = {
    "as_is": lambda value: value,
    "lower": str.lower,
    "upper": str.upper,
    "digits": lambda value: "".join(sign for sign in value if sign.isdigit() or sign == "+"),
}


def translated(values: pd.Series, shared: SharedField, to: str) -> pd.Series:
    """Spell values as one side does; missing stays missing, and what no map names as it is.

    Rows as given. A value that is no number is left alone by a unit.
    """
    spell = _speller(shared, to)
    if spell is None:
        return values
    told = {value: spell(value) for value in values.dropna().unique()}
    return as_text(values.map(told, na_action="ignore"))


def _speller(shared: SharedField, to: str) -> Callable[[str], str] | None:
    names = shared.names_to(to)
    form, units = shared.format_to(to), shared.units
    if not names and units is None and form == "as_is":
        return None

    def spell(value: str) -> str:
        if (named := names.get(value.strip())) is not None:
            return named
        if units is not None:
            return _converted(value, units, to)
        return _FORMATS[form](value)

    return spell


def _converted(value: str, units: Units, to: str) -> str:
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return value
    if not number.is_finite():
        return value
    places = units.salesforce_digits if to == "salesforce" else units.hubspot_digits
    with localcontext(prec=_PRECISION):
        exact = number * units.factor if to == "salesforce" else number / units.factor
        rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return canonical(rounded, "number") or value


@dataclass(frozen=True, slots=True)
class MapFault:
    """A map that does not fit a CRM's field as it is now: what is wrong, and the fix in words."""

    field: str
    system: str
    kind: str
    reason: str
    fix: str


def map_faults(ownership: Sequence[SharedField], schemas: Schemas) -> list[MapFault]:
    """List where value maps do not fit the fields that both CRMs have now, in the given order.

    Left out are fields that an org lacks or this user does not see: they are not shared at all.

    Args:
        ownership: the shared fields.
        schemas: per (system, kind), the fields as the CRM describes them now.
    """
    return [fault for shared in ownership for fault in _faults_of(shared, schemas)]


def _faults_of(shared: SharedField, schemas: Schemas) -> Iterator[MapFault]:
    for (system, kind), name in shared.vendor_fields().items():
        field = schemas.get((system, kind), {}).get(name)
        if field is not None:
            yield from (
                MapFault(shared.name, system, kind, reason, fix)
                for reason, fix in _faults(shared, system, field)
            )


def _faults(shared: SharedField, side: str, field: FieldInfo) -> Iterator[tuple[str, str]]:
    options = frozenset(field.options)
    written = sorted(set(shared.names_to(side).values()))
    read = sorted(shared.names_to(_OTHER[side]))
    for listed, key in ((written, f"to_{side}"), (read, f"to_{_OTHER[side]}")):
        unknown = [value for value in listed if options and value not in options]
        if unknown:
            yield (
                f"{key} names {_quoted(unknown)}, which {field.name} does not have",
                f"Add it to the list of {field.name}, or write one of {_quoted(field.options)}",
            )
    if shared.units is None:
        return
    if field.kind != "number":
        yield (
            f"units needs a number, and {field.name} is a {field.kind}",
            f"Take units away, or share a number field instead of {field.name}",
        )
    places = shared.units.salesforce_digits if side == "salesforce" else shared.units.hubspot_digits
    if field.digits is not None and places > field.digits:
        yield (
            f"{side}_digits is {places}, and {field.name} keeps {field.digits} decimal places",
            f"Write {side}_digits: {field.digits}; else what the CRM rounds is written every night",
        )


def _quoted(values: Sequence[str]) -> str:
    shown = ", ".join(repr(value) for value in values[:_SHOWN])
    return f"{shown} and {len(values) - _SHOWN} more" if len(values) > _SHOWN else shown


def unmapped_writes(
    writes: DataFrame[Writes], ownership: Sequence[SharedField], schemas: Schemas
) -> DataFrame[Invalid]:
    """List the planned writes of shared fields whose map does not fit, by place and record.

    All writes of such a field, in both CRMs: what a wrong map makes of one value, it makes of the
    next. One row per write, with the first fault of its field.
    """
    faults = {fault.field: fault for fault in reversed(map_faults(ownership, schemas))}
    pieces = [
        writes.loc[
            (writes["system"] == system) & (writes["kind"] == kind) & (writes["field"] == name),
            ["system", "kind", "record_id", "field"],
        ].assign(reason=fault.reason, fix=fault.fix)
        for shared in ownership
        if (fault := faults.get(shared.name))
        for (system, kind), name in shared.vendor_fields().items()
    ]
    if not pieces:
        return Invalid.validate(empty(Invalid), lazy=True)
    keys = ["system", "kind", "record_id", "field"]
    found = pd.concat(pieces, ignore_index=True).sort_values(keys, ignore_index=True)
    texts = {name: as_text(found[name]) for name in ("reason", "fix")}
    return Invalid.validate(found.assign(**texts)[list(Invalid.to_schema().columns)], lazy=True)
