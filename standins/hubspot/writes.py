"""Checking and writing records: one rule for single calls and batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from standins.hubspot.answers import (
    Json,
    Problem,
    Refusal,
    conflict,
    invalid,
    invalid_values,
    malformed,
)
from standins.hubspot.portal import Portal
from standins.hubspot.records import Record
from standins.hubspot.schema import ENGAGEMENTS, Kind
from standins.hubspot.values import Fault, stored

# How the history names what came through the API of a private app.
API_SOURCE, API_SOURCE_ID = "INTEGRATION", "3511342"


@dataclass
class Row:
    """One checked input: what to write to which record (None: a new one), or why not."""

    record: Record | None
    values: Mapping[str, str | None]
    trace_id: str | None = None
    refusal: Refusal | None = None
    links: Sequence[tuple[Kind, Record, int]] = ()
    ignored: frozenset[str] = frozenset()
    context: Json = field(default_factory=dict)

    def as_error(self, refusal: Refusal) -> Json:
        """Give the refusal of this row as an item of a 207's `errors`."""
        body = dict(refusal.answer.body) if isinstance(refusal.answer.body, dict) else {}
        context = {"objectWriteTraceId": [self.trace_id]} | self.context | body.pop("context", {})
        return body | {"context": context}


class Writer:
    """Writes to one object at one moment.

    Rows are all checked before the first is applied, also against each other.
    """

    def __init__(self, portal: Portal, kind: Kind) -> None:
        self._portal, self._kind = portal, kind
        self._table = portal.tables[kind.name]
        self._at = portal.clock()
        self._claimed: dict[tuple[str, str], object] = {}

    def are_traced(self, rows: Sequence[Row]) -> bool:
        """Tell whether every row has a trace id of its own, so that one bad row stands alone."""
        ids = [row.trace_id for row in rows]
        return None not in ids and len(set(ids)) == len(ids)

    def to_create(self, raw: Json) -> Row:
        """Check one input for a new record."""
        row = self._checked(raw, None, raw["properties"])
        if row.refusal is None:
            row.refusal = self._incomplete(row.values)
        if row.refusal is None:
            row.links = self._links(raw.get("associations") or [])
        return row

    def to_update(self, raw: Json, record: Record) -> Row:
        """Check one input for a record that is there."""
        return self._checked(raw, record, raw["properties"])

    def to_upsert(self, raw: Json, record: Record | None) -> Row:
        """Check one input that names its record by a unique property."""
        if record is not None:
            return self.to_update(raw, record)
        key: Json = {str(raw["idProperty"]): str(raw["id"])}
        return self._checked(raw, None, key | _properties(raw["properties"]))

    def apply(self, row: Row) -> Record:
        """Write one row that was not refused."""
        values = {name: row.values[name] for name in row.values if name not in row.ignored}
        if row.record is not None:
            self._portal.change(
                self._kind,
                row.record,
                values,
                at=self._at,
                source=API_SOURCE,
                source_id=API_SOURCE_ID,
            )
            return row.record
        if self._kind.name == "deals":
            values.setdefault("pipeline", "default")
        record = self._portal.create(self._kind, values, at=self._at, source=API_SOURCE)
        for end, partner, type_id in row.links:
            self._portal.link(self._kind, record, end, partner, type_id, at=self._at)
        return record

    def _checked(self, raw: Json, record: Record | None, properties: object) -> Row:
        trace_id = raw.get("objectWriteTraceId")
        row = Row(record, {}, None if trace_id is None else str(trace_id))
        values: dict[str, str | None] = {}
        problems = []
        for name, value in _properties(properties).items():
            try:
                values[name] = self._stored(record, name, value)
            except Fault as fault:
                problems.append(Problem(name, fault))
        row.values = values
        if record is not None and self._moves_back(record, values):
            # The vendor answers 200 and leaves the stage where it is.
            row.ignored = frozenset({"lifecyclestage"})
        if problems:
            row.refusal = invalid_values(problems)
        else:
            self._refuse_collision(row)
        return row

    def _moves_back(self, record: Record, values: Mapping[str, str | None]) -> bool:
        current = record.values.get("lifecyclestage")
        return self._portal.is_backward(current, values.get("lifecyclestage"))

    def _stored(self, record: Record | None, name: str, value: object) -> str | None:
        definition = self._portal.definition(self._kind, name)
        if definition is None:
            raise Fault("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        if definition.is_read_only or definition.is_calculated:
            raise Fault(
                "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
            )
        if isinstance(value, list | dict):
            raise malformed(f"Cannot deserialize value of property {name}")
        text = stored(definition, value, record.values.get(name) if record else None)
        if text and definition.refers_to_owner and text not in self._portal.owners:
            raise Fault("INVALID_OPTION", f"{text} was not one of the allowed options: owners")
        return text

    def _refuse_collision(self, row: Row) -> None:
        """Refuse a row whose unique value another record, or an earlier row, holds already."""
        own: object = object() if row.record is None else row.record.id
        for name in self._table.keys:
            value = row.values.get(name)
            if not value:
                continue
            holder = self._table.key_owner(name, value)
            if holder is not None and holder != own:
                row.refusal = self._taken(name, str(holder))
                row.context = {"existingId": [str(holder)]}
            elif self._claimed.setdefault((name, value.lower()), own) != own:
                row.refusal = self._taken(name, "of another input")

    def _taken(self, name: str, holder: str) -> Refusal:
        if name == "email":
            return conflict(f"Contact already exists. Existing ID: {holder}")
        text = f"Cannot set {name}: {holder} already has that value."
        return invalid_values([Problem(name, Fault("CONFLICTING_UNIQUE_VALUE", text))])

    def _incomplete(self, values: Mapping[str, str | None]) -> Refusal | None:
        if self._kind.name not in ENGAGEMENTS or values.get("hs_timestamp"):
            return None
        return invalid(
            f"Error creating {self._kind.singular.upper()}. Some required properties were not set.",
            context={"properties": ["hs_timestamp"]},
        )

    def _links(self, listed: object) -> list[tuple[Kind, Record, int]]:
        links: list[tuple[Kind, Record, int]] = []
        if not isinstance(listed, list):
            raise malformed("Cannot deserialize associations")
        for each in listed:
            try:
                partner_id = int(each["to"]["id"])
                type_ids = [int(one["associationTypeId"]) for one in each["types"]]
            except (KeyError, TypeError, ValueError):
                raise malformed("Cannot deserialize associations") from None
            links += [(*self._partner(type_id, partner_id), type_id) for type_id in type_ids]
        return links

    def _partner(self, type_id: int, partner_id: int) -> tuple[Kind, Record]:
        for end in self._portal.kinds.values():
            if type_id in self._portal.associations.types(self._kind.name, end.name):
                partner = self._portal.tables[end.name].find(partner_id)
                if partner is None:
                    raise invalid(f"No {end.singular} with id {partner_id} exists")
                return end, partner
        raise invalid(f"No association type with id {type_id} exists for {self._kind.name}")


def _properties(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise malformed("Cannot deserialize properties")
    return raw
