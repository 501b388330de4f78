"""The endpoints of what a portal is set up with: properties, owners, pipelines, the account."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from standins.hubspot.answers import (
    Answer,
    Json,
    Refusal,
    invalid,
    malformed,
    missing_scopes,
    not_found,
    refused,
)
from standins.hubspot.ask import Ask, Route, batch_answer, cursor, routes
from standins.hubspot.limits import Limits
from standins.hubspot.portal import Owner, Portal, group_json
from standins.hubspot.schema import FIELD_TYPES, Kind, Pipeline, Property
from standins.hubspot.values import instant_text

PROPERTY_PREFIXES = (
    "/crm/v3/properties",
    "/crm/properties/2026-03",
    "/crm/properties/2026-09",
)
OWNER_PREFIXES = ("/crm/v3/owners", "/crm/owners/2026-03", "/crm/owners/2026-09")
PIPELINE_PREFIXES = ("/crm/v3/pipelines", "/crm/pipelines/2026-03", "/crm/pipelines/2026-09")
ACCOUNT_PREFIXES = ("/account-info/v3", "/account-info/2026-03", "/account-info/2026-09")

_MOST_UNIQUE = 10
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_MORE_SETTINGS = ("displayOrder", "formField", "numberDisplayHint", "showCurrencySymbol")


class Properties:
    """Handlers of `/crm/v3/properties` and its dated successors."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        return routes(
            PROPERTY_PREFIXES,
            ("GET", "/{type}", self.list_all),
            ("POST", "/{type}", self.create),
            ("POST", "/{type}/batch/create", self.batch_create),
            ("POST", "/{type}/batch/read", self.batch_read),
            ("POST", "/{type}/batch/archive", self.batch_archive),
            ("GET", "/{type}/groups", self.groups),
            ("POST", "/{type}/groups", self.create_group),
            ("GET", "/{type}/groups/{name}", self.group),
            ("GET", "/{type}/{name}", self.read),
            ("PATCH", "/{type}/{name}", self.update),
            ("DELETE", "/{type}/{name}", self.archive),
        )

    def list_all(self, ask: Ask) -> Answer:
        """List the live or the archived properties by name; those of the stages are left out."""
        kind = _readable(ask)
        is_archived = ask.flag("archived")
        definitions = ask.portal.definitions[kind.name]
        listed = [definitions[name] for name in sorted(definitions)]
        results = [one.as_json() for one in listed if one.is_archived == is_archived]
        return Answer(200, {"results": results})

    def read(self, ask: Ask) -> Answer:
        """Give one property."""
        return Answer(200, self._asked(ask, _readable(ask)).as_json())

    def _asked(self, ask: Ask, kind: Kind) -> Property:
        definition = ask.portal.definition(kind, ask.path["name"])
        if definition is None:
            raise not_found(f"Property {ask.path['name']} does not exist")
        return definition

    def create(self, ask: Ask) -> Answer:
        """Create one property."""
        kind = _changeable(ask)
        definition = self._defined(ask.portal, kind, ask.json())
        ask.portal.define(kind, definition)
        return Answer(201, definition.as_json())

    def batch_create(self, ask: Ask) -> Answer:
        """Create properties; 207 names those that could not be."""
        kind = _changeable(ask)
        results, errors = [], []
        for each in ask.inputs(100):
            try:
                definition = self._defined(ask.portal, kind, each)
            except Refusal as refusal:
                errors.append(_as_error(refusal, each))
            else:
                ask.portal.define(kind, definition)
                results.append(definition.as_json())
        return batch_answer(_now(ask), results, errors, status=201)

    def _defined(self, portal: Portal, kind: Kind, raw: Json) -> Property:
        """Check the definition of a new property.

        Raises:
            Refusal: it is incomplete, contradicts itself, or the name is taken.
        """
        required = ("name", "label", "type", "fieldType", "groupName")
        missing = [name for name in required if not raw.get(name)]
        if missing:
            raise malformed(f"Some required fields were not set: [{', '.join(missing)}]")
        name, type_, field_type = str(raw["name"]), raw["type"], raw["fieldType"]
        if not _NAME.fullmatch(name):
            raise invalid(f"Property name {name} has to be lower case letters, digits, underscores")
        if field_type not in FIELD_TYPES.get(type_, ()):
            raise invalid(f"fieldType {field_type} does not go with type {type_}")
        if raw["groupName"] not in portal.groups[kind.name]:
            raise invalid(f"Property group {raw['groupName']} does not exist")
        known = portal.definitions[kind.name].get(name)
        if known is not None and not known.is_archived:
            raise refused(
                409, "OBJECT_ALREADY_EXISTS", f"A property named '{name}' already exists."
            )
        if raw.get("hasUniqueValue"):
            self._check_unique(portal, kind, type_)
        return Property(
            name=name,
            type=type_,
            field_type=field_type,
            label=str(raw["label"]),
            group=str(raw["groupName"]),
            description=str(raw.get("description") or ""),
            options=_options(type_, raw),
            is_calculated=field_type == "calculation_equation",
            is_unique=bool(raw.get("hasUniqueValue")),
            is_vendors=False,
            is_hidden=bool(raw.get("hidden")),
            more={key: raw[key] for key in _MORE_SETTINGS if raw.get(key) is not None},
        )

    def _check_unique(self, portal: Portal, kind: Kind, type_: str) -> None:
        custom = portal.definitions[kind.name].values()
        if sum(one.is_unique for one in custom) >= _MOST_UNIQUE:
            raise invalid(f"At most {_MOST_UNIQUE} properties of an object can have unique values")
        if type_ not in {"string", "number"}:
            raise invalid(f"A property of type {type_} cannot have unique values")

    def update(self, ask: Ask) -> Answer:
        """Change label, description, group, visibility or options of a property."""
        kind = _changeable(ask)
        definition = self._asked(ask, kind)
        body = ask.json()
        definition.label = str(body.get("label", definition.label))
        definition.description = str(body.get("description", definition.description))
        definition.group = str(body.get("groupName", definition.group))
        definition.is_hidden = bool(body.get("hidden", definition.is_hidden))
        if body.get("options") is not None:
            definition.options = _options(definition.type, body)
        return Answer(200, definition.as_json())

    def batch_read(self, ask: Ask) -> Answer:
        """Give the properties of some names."""
        kind = _readable(ask)
        names = [str(each["name"]) for each in ask.inputs(100, "name")]
        known = {name: ask.portal.definition(kind, name) for name in names}
        errors = [
            _as_error(not_found(f"Property {name} does not exist"), {"name": name})
            for name, definition in known.items()
            if definition is None
        ]
        return batch_answer(_now(ask), [d.as_json() for d in known.values() if d], errors)

    def archive(self, ask: Ask) -> Answer:
        """Archive a custom property."""
        kind = _changeable(ask)
        self._archive(self._asked(ask, kind))
        return Answer(204)

    def batch_archive(self, ask: Ask) -> Answer:
        """Archive custom properties; those that are not there are fine too."""
        kind = _changeable(ask)
        for each in ask.inputs(100, "name"):
            definition = ask.portal.definition(kind, str(each["name"]))
            if definition is not None:
                self._archive(definition)
        return Answer(204)

    def _archive(self, definition: Property) -> None:
        if definition.is_vendors:
            raise invalid(f"Property {definition.name} is read only and cannot be archived")
        definition.is_archived = True

    def groups(self, ask: Ask) -> Answer:
        """List the property groups."""
        kind = _readable(ask)
        return Answer(200, {"results": list(ask.portal.groups[kind.name].values())})

    def group(self, ask: Ask) -> Answer:
        """Give one property group."""
        kind = _readable(ask)
        known = ask.portal.groups[kind.name].get(ask.path["name"])
        if known is None:
            raise not_found()
        return Answer(200, known)

    def create_group(self, ask: Ask) -> Answer:
        """Create a property group."""
        kind = _changeable(ask)
        body = ask.json("name", "label")
        name = str(body["name"])
        if not _NAME.fullmatch(name):
            raise invalid(f"Group name {name} has to be lower case letters, digits, underscores")
        if name in ask.portal.groups[kind.name]:
            raise refused(409, "OBJECT_ALREADY_EXISTS", f"A group named '{name}' already exists.")
        group = group_json(name, str(body["label"]), int(body.get("displayOrder") or -1))
        ask.portal.groups[kind.name][name] = group
        return Answer(201, group)


def _options(type_: str, raw: Json) -> tuple[tuple[str, str], ...]:
    listed = raw.get("options") or []
    if type_ == "enumeration" and not listed:
        raise invalid("An enumeration needs at least one option")
    try:
        options = [(str(one["value"]), str(one["label"])) for one in listed]
    except (KeyError, TypeError):
        raise malformed("Some required fields were not set: [label, value]") from None
    if type_ == "bool":
        return ()
    if len({value for value, _ in options}) < len(options):
        raise invalid("Property options have to differ in value")
    return tuple(options)


def _as_error(refusal: Refusal, raw: Json) -> Json:
    body = refusal.answer.body
    known = body if isinstance(body, dict) else {}
    return {"context": {"name": [str(raw.get("name"))]}} | known


def _readable(ask: Ask) -> Kind:
    """Properties can be read with the read scope of any object."""
    kind = ask.kind()
    if ask.scopes is not None and not any(
        scope.startswith(("crm.objects.", "crm.schemas.")) for scope in ask.scopes
    ):
        raise missing_scopes([f"{kind.scope}.read"])
    return kind


def _changeable(ask: Ask) -> Kind:
    kind = ask.kind()
    ask.need(f"{kind.scope}.write".replace("crm.objects.", "crm.schemas."))
    return kind


class Owners:
    """Handlers of `/crm/v3/owners` and its dated successors."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        return routes(OWNER_PREFIXES, ("GET", "", self.list_page), ("GET", "/{id}", self.read))

    def list_page(self, ask: Ask) -> Answer:
        """Give one page of the active or of the deactivated owners."""
        ask.need("crm.objects.owners.read")
        is_archived, limit = ask.flag("archived"), ask.number("limit", 100, 500)
        email, start = ask.text("email"), ask.cursor()
        owners = [
            owner
            for owner in ask.portal.owners.values()
            if owner.is_archived == is_archived and email in (None, owner.email)
        ]
        body: Json = {"results": [_owner_json(owner) for owner in owners[start : start + limit]]}
        if start + limit < len(owners):
            body["paging"] = {"next": {"after": cursor(start + limit)}}
        return Answer(200, body)

    def read(self, ask: Ask) -> Answer:
        """Give one owner, by owner id or by user id."""
        ask.need("crm.objects.owners.read")
        wanted, is_user = ask.path["id"], ask.text("idProperty") == "userId"
        for owner in ask.portal.owners.values():
            known = str(owner.user_id) if is_user else owner.owner_id
            if known == wanted and owner.is_archived == ask.flag("archived"):
                return Answer(200, _owner_json(owner))
        raise not_found(f"No owner with id {wanted} exists")


def _owner_json(owner: Owner) -> Json:
    shown: Json = {
        "id": owner.owner_id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": None if owner.is_archived else owner.user_id,
        "userIdIncludingInactive": owner.user_id,
        "createdAt": instant_text(owner.created),
        "updatedAt": instant_text(owner.created),
        "archived": owner.is_archived,
    }
    if owner.team is not None:
        shown["teams"] = [{"id": owner.team, "name": owner.team, "primary": True}]
    return shown


class Pipelines:
    """Handlers of `/crm/v3/pipelines` and its dated successors; reading only."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        return routes(
            PIPELINE_PREFIXES,
            ("GET", "/{type}", self.list_all),
            ("GET", "/{type}/{id}", self.read),
            ("GET", "/{type}/{id}/stages", self.stages),
        )

    def list_all(self, ask: Ask) -> Answer:
        """List the pipelines of an object with their stages."""
        return Answer(200, {"results": [_pipeline_json(ask, one) for one in self._of(ask)]})

    def read(self, ask: Ask) -> Answer:
        """Give one pipeline."""
        return Answer(200, self._asked(ask))

    def stages(self, ask: Ask) -> Answer:
        """List the stages of one pipeline."""
        return Answer(200, {"results": self._asked(ask)["stages"]})

    def _of(self, ask: Ask) -> list[Pipeline]:
        kind = ask.kind()
        ask.need(f"{kind.scope}.read")
        return ask.portal.pipelines.get(kind.name, [])

    def _asked(self, ask: Ask) -> Json:
        for pipeline in self._of(ask):
            if pipeline.pipeline_id == ask.path["id"]:
                return _pipeline_json(ask, pipeline)
        raise not_found()


def _pipeline_json(ask: Ask, pipeline: Pipeline) -> Json:
    stamps = {"createdAt": _SET_UP_AT, "updatedAt": _SET_UP_AT, "archived": False}
    stages: list[dict[str, Any]] = [
        {
            "id": stage.stage_id,
            "label": stage.label,
            "displayOrder": place,
            # Texts, both of them.
            "metadata": {
                "isClosed": "true" if stage.is_closed else "false",
                "probability": stage.probability,
            },
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }
        | stamps
        for place, stage in enumerate(pipeline.stages)
    ]
    place = ask.portal.pipelines[ask.kind().name].index(pipeline)
    return {
        "id": pipeline.pipeline_id,
        "label": pipeline.label,
        "displayOrder": place,
        "stages": stages,
    } | stamps


_SET_UP_AT = "2020-01-01T00:00:00.000Z"


class Account:
    """Handlers of `/account-info/v3` and its dated successors."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        return routes(
            ACCOUNT_PREFIXES,
            ("GET", "/details", self.details),
            ("GET", "/api-usage/daily/private-apps", self.usage),
        )

    def details(self, ask: Ask) -> Answer:
        """Give the account's time zone, currency and identity."""
        portal = ask.portal
        offset = portal.now().astimezone(ZoneInfo(portal.time_zone)).utcoffset() or timedelta()
        hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
        sign = "-" if offset < timedelta() else "+"
        return Answer(
            200,
            {
                "portalId": portal.portal_id,
                "accountType": "STANDARD",
                "timeZone": portal.time_zone,
                "companyCurrency": portal.currency,
                "additionalCurrencies": list(portal.additional_currencies),
                "utcOffset": f"{sign}{hours:02d}:{minutes:02d}",
                "utcOffsetMilliseconds": int(offset.total_seconds() * 1000),
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            },
        )

    def usage(self, ask: Ask) -> Answer:
        """Give how much of the day's quota is used."""
        portal = ask.portal
        midnight = portal.now().astimezone(ZoneInfo(portal.time_zone)).replace(
            hour=0, minute=0, second=0, microsecond=0
        ) + timedelta(days=1)
        used = {
            "name": "Private App",
            "usageLimit": self._limits.daily_quota,
            "currentUsage": self._limits.used_today,
            "collectedAt": _now(ask),
            "fetchStatus": "SUCCESS",
            "resetsAt": midnight.isoformat(timespec="milliseconds"),
        }
        return Answer(200, {"results": [used]})


def _now(ask: Ask) -> str:
    return instant_text(ask.portal.clock())
