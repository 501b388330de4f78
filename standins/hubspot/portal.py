"""The state of a portal and everything that can be done to it, without HTTP."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from standins.hubspot.associations import Associations
from standins.hubspot.properties import native_integration_properties, standard_properties
from standins.hubspot.records import Record, Records, Seen, Version
from standins.hubspot.schema import (
    ENGAGEMENTS,
    KINDS,
    Kind,
    Pipeline,
    Property,
    Stage,
    default_pipeline,
)
from standins.hubspot.values import instant_text, milliseconds, stored_as_is

_STAGE_STAMP = re.compile(r"hs_v2_(date_entered|date_exited|latest_time_in)_(\w+)")
_LIFECYCLE_DATE = re.compile(r"hs_lifecyclestage_(\w+)_date")

Compute = Callable[[Record], str | None]


@dataclass
class Owner:
    """A user who can own records. `hubspot_owner_id` holds `owner_id`, never `user_id`."""

    owner_id: str
    user_id: int
    email: str
    first_name: str
    last_name: str
    is_archived: bool
    team: str | None
    created: int


@dataclass
class Form:
    """A form and what was sent through it, oldest first."""

    guid: str
    name: str
    form_type: str
    created: int
    submissions: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Campaign:
    """A marketing campaign: its properties, its assets by type, and whom it reached on which day.

    `assets` holds (id, name) by asset type, `reached` (day, contact id) by type of contact report.
    """

    guid: str
    values: Mapping[str, str]
    assets: Mapping[str, Sequence[tuple[str, str]]]
    created: int
    reached: dict[str, list[tuple[date, str]]] = field(default_factory=dict)


@dataclass
class MarketingEvent:
    """A webinar or the like, and what people did: (participation id, contact id, state, time)."""

    event_id: str
    name: str
    type: str
    start: int
    end: int
    created: int
    participations: list[tuple[str, str, str, int]] = field(default_factory=list)


class Portal:
    """One HubSpot account: definitions, records, associations, forms, e-mail events."""

    def __init__(
        self, *, now: Callable[[], datetime], with_native_integration: bool, with_leads: bool
    ) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.portal_id, self.time_zone, self.currency = 8442, "America/New_York", "USD"
        self.additional_currencies: list[str] = ["EUR", "JPY", "KWD"]
        # How long the search index lags behind the records, in milliseconds.
        self.index_lag = 0
        # Recorded of the live API: an e-mail that collides fails a whole upsert, trace ids or not.
        self.is_upsert_conflict_fatal = True
        # How many versions of a property its history shows.
        self.longest_history = 45
        self.association_page = 500
        kinds = [kind for kind in KINDS.values() if with_leads or kind.name != "leads"]
        self.kinds = {kind.name: kind for kind in kinds}
        self._names = {
            name: kind for kind in kinds for name in (kind.name, kind.singular, kind.type_id)
        }
        self.tables = {kind.name: Records(kind) for kind in kinds}
        self.definitions = {kind.name: standard_properties(kind) for kind in kinds}
        self.groups = {kind.name: self._standard_groups(kind) for kind in kinds}
        self.associations = Associations({kind.name: kind.singular for kind in KINDS.values()})
        self.pipelines: dict[str, list[Pipeline]] = {"deals": []}
        self.owners: dict[str, Owner] = {}
        self.forms: dict[str, Form] = {}
        self.email_events: list[dict[str, Any]] = []
        self.campaigns: dict[str, Campaign] = {}
        self.marketing_events: dict[str, MarketingEvent] = {}
        self.tables["contacts"].keys["email"] = {}
        self.has_native_integration = False
        self.put_pipeline("deals", default_pipeline())
        if with_native_integration:
            self.install_native_integration()

    def clock(self) -> int:
        """Give the portal's present in epoch milliseconds."""
        return milliseconds(self.now())

    def kind(self, name: str) -> Kind | None:
        """Find an object by its plural or singular name, in any case, or its type id."""
        return self._names.get(name.lower())

    # Definitions.

    def _standard_groups(self, kind: Kind) -> dict[str, dict[str, Any]]:
        names = {definition.group for definition in self.definitions[kind.name].values()}
        return {
            name: group_json(name, f"{kind.singular.capitalize()} information") for name in names
        }

    def install_native_integration(self) -> None:
        """Add the properties of the vendor's own Salesforce integration."""
        self.has_native_integration = True
        for kind in self.kinds.values():
            added = native_integration_properties(kind)
            self.definitions[kind.name] |= added
            if added:
                name = "salesforceinformation"
                self.groups[kind.name][name] = group_json(name, "Salesforce information")

    def put_pipeline(self, kind: str, pipeline: Pipeline) -> None:
        """Add a pipeline; its stages become options of the stage property."""
        self.pipelines.setdefault(kind, []).append(pipeline)
        if kind == "deals":
            pipelines = self.pipelines[kind]
            definitions = self.definitions[kind]
            definitions["pipeline"].options = tuple((p.pipeline_id, p.label) for p in pipelines)
            definitions["dealstage"].options = tuple(
                (stage.stage_id, stage.label) for p in pipelines for stage in p.stages
            )

    def stage(self, stage_id: str | None) -> Stage | None:
        """Find a deal stage by its id."""
        stages = (stage for pipeline in self.pipelines["deals"] for stage in pipeline.stages)
        return next((stage for stage in stages if stage.stage_id == stage_id), None)

    def definition(self, kind: Kind, name: str) -> Property | None:
        """Find a live property by name; those of the stages exist without being listed."""
        known = self.definitions[kind.name].get(name)
        if known is not None:
            return None if known.is_archived else known
        return self._stage_property(kind, name)

    def _stage_property(self, kind: Kind, name: str) -> Property | None:
        stamp = _STAGE_STAMP.fullmatch(name)
        legacy = _LIFECYCLE_DATE.fullmatch(name)
        if not (stamp or legacy) or (legacy and kind.name == "deals"):
            return None
        source = self._stage_source(kind)
        stage = stamp[2] if stamp else legacy[1] if legacy else ""
        if source is None or stage not in {value for value, _ in source.options}:
            return None
        is_duration = bool(stamp) and "latest_time_in" in name
        return Property(
            name=name,
            type="number" if is_duration else "datetime",
            field_type="number" if is_duration else "date",
            label=name,
            group=kind.group,
            is_calculated=True,
            is_listed=False,
        )

    def _stage_source(self, kind: Kind) -> Property | None:
        definitions = self.definitions[kind.name]
        return definitions.get("dealstage") or definitions.get("lifecyclestage")

    def define(self, kind: Kind, definition: Property) -> None:
        """Add a property, or bring an archived one back; a unique one is a key from now on."""
        self.definitions[kind.name][definition.name] = definition
        if definition.is_unique:
            self.tables[kind.name].keys[definition.name] = {}

    # Reading.

    def computed(self, kind: Kind, name: str) -> Compute | None:
        """Give the function behind a calculated property, or None for one that is stored."""
        if name.startswith("hs_v2_") or _LIFECYCLE_DATE.fullmatch(name):
            definition = self._stage_property(kind, name)
            return partial(self._stage_value, kind, name) if definition else None
        if name == "associatedcompanyid" and kind.name == "contacts":
            return self._primary_company
        if name in _COUNTED:
            return partial(self._count, kind, _COUNTED[name])
        if kind.name == "deals" and name in _STAGE_FACTS:
            return partial(self._stage_fact, name)
        return None

    def value(self, kind: Kind, record: Record, name: str) -> str | None:
        """Give a record's value of any property, stored or computed."""
        compute = self.computed(kind, name)
        return compute(record) if compute else record.values.get(name)

    def _stage_value(self, kind: Kind, name: str, record: Record) -> str | None:
        source = self._stage_source(kind)
        legacy = _LIFECYCLE_DATE.fullmatch(name)
        stamp = _STAGE_STAMP.fullmatch(name)
        stage = legacy[1] if legacy else stamp[2] if stamp else ""
        newest_first = record.history(source.name) if source else []
        left_at: int | None = None
        for version in newest_first:
            if version.value == stage:
                if legacy or (stamp and stamp[1] == "date_entered"):
                    return instant_text(version.at)
                if stamp and stamp[1] == "date_exited":
                    return None if left_at is None else instant_text(left_at)
                return str((left_at or self.clock()) - version.at)
            left_at = version.at
        return None

    def _primary_company(self, record: Record) -> str | None:
        partner = self.associations.primary("contacts", record.id, "companies")
        return None if partner is None else str(partner)

    def _count(self, kind: Kind, end: str, record: Record) -> str:
        return str(len(self.partners(kind, record, self.kinds[end])))

    def partners(self, kind: Kind, record: Record, end: Kind) -> Mapping[int, list[int]]:
        """Give the live records that a record is associated with: id to type ids, oldest first."""
        live = self.tables[end.name].live
        known = self.associations.of(kind.name, record.id, end.name).items()
        return {partner: types for partner, types in known if partner in live}

    def _stage_fact(self, name: str, record: Record) -> str | None:
        stage = self.stage(record.values.get("dealstage"))
        if stage is None:
            return "false" if name.startswith("hs_is") else None
        is_won = stage.is_closed and float(stage.probability) == 1
        facts: dict[str, str | None] = {
            "hs_is_closed": _truth(stage.is_closed),
            "hs_is_closed_won": _truth(is_won),
            "hs_is_closed_lost": _truth(stage.is_closed and not is_won),
            "hs_deal_stage_probability": stage.probability,
        }
        return facts[name]

    def find_by(self, kind: Kind, key: str, value: str) -> Record | None:
        """Find a live record by a unique property."""
        owner = self.tables[kind.name].key_owner(key, value)
        return None if owner is None else self.tables[kind.name].find(owner)

    # Writing. Every change goes through here, so that stamps, history and keys stay right.

    def create(
        self,
        kind: Kind,
        values: Mapping[str, str | None],
        *,
        at: int,
        source: str,
        record_id: int | None = None,
        user_id: int | None = None,
    ) -> Record:
        """Create a record with values that are already in stored form."""
        table = self.tables[kind.name]
        record = Record(record_id or table.new_id(), at, source)
        record.values = {
            "hs_object_id": str(record.id),
            kind.created: instant_text(at),
            "hs_object_source": source,
        }
        record.values.update((name, value) for name, value in values.items() if value is not None)
        if kind.name == "contacts" and record.values.get("email"):
            record.values["hs_email_domain"] = str(record.values["email"]).rpartition("@")[2]
        if user_id is not None:
            record.values["hs_created_by_user_id"] = str(user_id)
        table.insert(record)
        table.claim(record)
        return record

    def change(
        self,
        kind: Kind,
        record: Record,
        values: Mapping[str, str | None],
        *,
        at: int,
        source: str,
        source_id: str | None = None,
        user_id: int | None = None,
    ) -> None:
        """Set values that are already in stored form; every write moves the stamp."""
        table = self.tables[kind.name]
        self._remember(record)
        table.release(record)
        for name, value in values.items():
            record.put(name, value, Version(at, value or "", source, source_id, user_id))
        table.claim(record)
        table.stamp(record, max(at, record.modified))

    def touch(self, kind: Kind, record: Record, at: int) -> None:
        """Move the stamp of a record that a new activity belongs to."""
        if at > record.modified:
            self._remember(record)
            self.tables[kind.name].stamp(record, at)

    def _remember(self, record: Record) -> None:
        """Keep what a lagging index still shows, until it has caught up."""
        if self.index_lag and record.modified + self.index_lag <= self.clock():
            record.before = Seen(dict(record.values), record.modified)

    def put_away(self, kind: Kind, record: Record, *, at: int) -> None:
        """Move a record to the archive, from which it could be restored for ninety days."""
        self.tables[kind.name].archive(record, at)

    def purge(self, kind: Kind, record: Record) -> None:
        """Delete a record for good, with its associations."""
        self.associations.drop(kind.name, record.id)
        self.tables[kind.name].purge(record)

    def join(self, kind: Kind, primary: Record, other: Record, *, at: int) -> Record:
        """Merge two records into a new one; both old ids lead to it from now on.

        The primary's values win, histories are joined, e-mails of the other become further ones.
        """
        table = self.tables[kind.name]
        survivor = Record(table.new_id(), min(primary.created, other.created), primary.source)
        survivor.values = dict(other.values)
        survivor.values.update(
            (n, value) for n, value in primary.values.items() if value is not None
        )
        survivor.versions = _joined_history(primary, other, at)
        survivor.values["hs_object_id"] = str(survivor.id)
        survivor.values[kind.created] = instant_text(survivor.created)
        self._note_merge(kind, survivor, primary, other, at)
        for old in (primary, other):
            table.retire(old, survivor.id)
        table.insert(survivor)
        for old in (primary, other):
            self.associations.move(kind.name, old.id, survivor.id)
        table.claim(survivor)
        table.stamp(survivor, max(at, primary.modified, other.modified))
        return survivor

    def _note_merge(
        self, kind: Kind, survivor: Record, primary: Record, other: Record, at: int
    ) -> None:
        both = (primary, other)
        ids = [*_listed(both, "hs_merged_object_ids"), str(primary.id), str(other.id)]
        survivor.values["hs_merged_object_ids"] = ";".join(ids)
        if kind.name != "contacts":
            return
        stamps = [
            *_listed(both, "hs_calculated_merged_vids"),
            f"{primary.id}:{at}",
            f"{other.id}:{at}",
        ]
        survivor.values["hs_calculated_merged_vids"] = ";".join(stamps)
        emails = [*_listed(both, "hs_additional_emails"), other.values.get("email") or ""]
        own = survivor.values.get("email")
        further = dict.fromkeys(email for email in emails if email and email != own)
        if further:
            survivor.values["hs_additional_emails"] = ";".join(further)

    def link(
        self, start: Kind, first: Record, end: Kind, second: Record, type_id: int, *, at: int
    ) -> None:
        """Associate two records; an activity moves the stamp of the record it belongs to."""
        self.associations.link(start.name, first.id, end.name, second.id, type_id)
        if end.name in ENGAGEMENTS and start.name not in ENGAGEMENTS:
            self.touch(start, first, at)
        if start.name in ENGAGEMENTS and end.name not in ENGAGEMENTS:
            self.touch(end, second, at)

    def is_backward(self, current: str | None, wanted: str | None) -> bool:
        """Tell whether a lifecycle stage would move backwards, which an API write never does."""
        stages = [value for value, _ in self.definitions["contacts"]["lifecyclestage"].options]
        if current not in stages or wanted not in stages:
            return False
        return stages.index(wanted) < stages.index(current)

    def loaded(self, kind: Kind, properties: Mapping[str, Any]) -> dict[str, str | None]:
        """Give values in stored form without today's checks, for a portal's past.

        Raises:
            ValueError: a property that the object does not have.
        """
        values: dict[str, str | None] = {}
        for name, value in properties.items():
            definition = self.definition(kind, name) or self._installed(kind, name)
            if definition is None:
                raise ValueError(f"{kind.name} has no property {name}")
            values[name] = stored_as_is(definition, value)
        return values

    def _installed(self, kind: Kind, name: str) -> Property | None:
        """Install the native integration when a record that it wrote is loaded."""
        if name not in native_integration_properties(kind) or self.has_native_integration:
            return None
        self.install_native_integration()
        return self.definition(kind, name)


_COUNTED = {"num_associated_deals": "deals", "num_associated_contacts": "contacts"}
_STAGE_FACTS = frozenset(
    {"hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost", "hs_deal_stage_probability"}
)


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _listed(records: Sequence[Record], name: str) -> Iterator[str]:
    """Yield the parts of a property that holds several values, over some records."""
    for record in records:
        yield from (part for part in (record.values.get(name) or "").split(";") if part)


def _joined_history(primary: Record, other: Record, at: int) -> dict[str, list[Version]]:
    """Join two histories by time; where the newest value is not the winner's, the merge set it."""
    joined: dict[str, list[Version]] = {}
    for name in (other.values.keys() | primary.values.keys()) - _STAMPS:
        versions = sorted([*primary.history(name), *other.history(name)], key=lambda one: one.at)
        winner = primary if primary.values.get(name) is not None else other
        current = winner.values.get(name) or ""
        if versions and versions[-1].value != current:
            versions.append(Version(at, current, "MERGE_OBJECTS"))
        if len(versions) > 1:
            joined[name] = versions
    return joined


_STAMPS = frozenset({"hs_object_id", "createdate", "lastmodifieddate", "hs_lastmodifieddate"})


def group_json(name: str, label: str, display_order: int = -1) -> dict[str, Any]:
    """Give a property group as the properties API does."""
    return {"name": name, "label": label, "displayOrder": display_order, "archived": False}
