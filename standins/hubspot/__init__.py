"""HubSpot, played locally from its documents: one portal in memory, over real HTTP.

Strict where the vendor is: an unknown property, object, filter or body gets the vendor's own error.
"""

from bisect import insort
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any

from starlette.types import ASGIApp

from standins.call import Call
from standins.faults import Faults
from standins.hubspot.app import Access, Service
from standins.hubspot.limits import Limits
from standins.hubspot.portal import Campaign, Form, MarketingEvent, Owner, Portal
from standins.hubspot.records import Record, Version
from standins.hubspot.schema import Kind, Pipeline, Property, Stage
from standins.hubspot.values import milliseconds, stored_as_is

__all__ = ["HubSpotStandIn", "Pipeline", "Stage"]

History = Mapping[str, Sequence[tuple[datetime, str | None, str]]]


class HubSpotStandIn(Portal):
    """A portal that tests, the demo and the world fill and look into; `app()` serves it.

    Objects are named as in paths (`contacts`, `0-1`); ids are numeric strings; times are aware. The
    methods play what people and other programs do in the portal: they need no scope, count against
    no limit, and may set what the API cannot (a past without today's checks).
    """

    def __init__(
        self,
        *,
        token: str = "standin-token",
        scopes: Collection[str] | None = None,
        now: Callable[[], datetime] | None = None,
        with_native_integration: bool = False,
        with_leads: bool = False,
    ) -> None:
        super().__init__(
            now=now or _real_now,
            with_native_integration=with_native_integration,
            with_leads=with_leads,
        )
        self.access = Access(token, scopes)
        self.limits = Limits()
        self.faults = Faults()
        self.log: list[Call] = []

    def app(self) -> ASGIApp:
        """Give the ASGI application that serves this portal."""
        return Service(self, self.access, self.limits, self.faults, self.log).app()

    # What people and other programs do.

    def add(
        self,
        object_type: str,
        properties: Mapping[str, str | None],
        *,
        record_id: str | None = None,
        created_at: datetime,
        updated_at: datetime | None = None,
        history: History | None = None,
    ) -> str:
        """Put a record into the portal as it stands after its past; give its id.

        `history` lists what a property went through, oldest first: (time, value, source type); its
        last value is the current one. A property without history has held its value since creation.

        Raises:
            ValueError: an unknown property, or an id that is taken.
        """
        kind, at = self._kind(object_type), milliseconds(created_at)
        with self.lock:
            given = None if record_id is None else int(record_id)
            values = self.loaded(kind, properties)
            source = str(properties.get("hs_object_source") or "CRM_UI")
            record = self.create(kind, values, at=at, source=source, record_id=given)
            table = self.tables[kind.name]
            table.release(record)
            for name, entries in (history or {}).items():
                self._load_history(kind, record, name, entries)
            table.claim(record)
            changes = [each[-1].at for each in record.versions.values() if each]
            latest = max([at, *changes])
            table.stamp(record, milliseconds(updated_at) if updated_at else latest)
            return str(record.id)

    def _load_history(
        self,
        kind: Kind,
        record: Record,
        name: str,
        entries: Sequence[tuple[datetime, str | None, str]],
    ) -> None:
        self.loaded(kind, {name: None})
        definition = self.definition(kind, name)
        if not entries or definition is None:
            return
        versions = [
            Version(milliseconds(at), stored_as_is(definition, value) or "", source)
            for at, value, source in entries
        ]
        record.versions[name] = sorted(versions, key=lambda version: version.at)
        record.values[name] = record.versions[name][-1].value or None

    def set(
        self,
        object_type: str,
        record_id: str,
        properties: Mapping[str, str | None],
        *,
        at: datetime,
        source: str = "CRM_UI",
    ) -> None:
        """Edit a record as a person or another program does; stages may move backwards."""
        kind = self._kind(object_type)
        with self.lock:
            values = self.loaded(kind, properties)
            record = self._record(kind, record_id)
            self.change(kind, record, values, at=milliseconds(at), source=source)

    def archive(self, object_type: str, record_id: str, *, at: datetime) -> None:
        """Archive a record; its modified stamp stays."""
        kind = self._kind(object_type)
        with self.lock:
            self.put_away(kind, self._record(kind, record_id), at=milliseconds(at))

    def gdpr_delete(self, record_id: str, *, at: datetime) -> None:
        """Delete a contact for good; nothing of it can be read afterwards, not even when (`at`)."""
        kind = self._kind("contacts")
        with self.lock:
            self.purge(kind, self._record(kind, record_id))

    def merge(self, object_type: str, primary_id: str, other_id: str, *, at: datetime) -> str:
        """Merge two records; give the id of the new one that both old ids lead to."""
        kind = self._kind(object_type)
        with self.lock:
            primary, other = self._record(kind, primary_id), self._record(kind, other_id)
            return str(self.join(kind, primary, other, at=milliseconds(at)).id)

    def associate(
        self,
        from_type: str,
        from_id: str,
        to_type: str,
        to_id: str,
        type_id: int | None = None,
    ) -> None:
        """Associate two records, visible from both; without a type, unlabelled.

        An activity moves the stamp of the record it belongs to, to the time of its own.
        """
        start, end = self._kind(from_type), self._kind(to_type)
        with self.lock:
            first, second = self._record(start, from_id), self._record(end, to_id)
            types = self.associations.types(start.name, end.name)
            if not types or type_id not in (None, *types):
                raise ValueError(f"{start.name} and {end.name} have no association {type_id}")
            chosen = type_id or self.associations.unlabelled(start.name, end.name)
            at = max(record.created for record in (first, second))
            self.link(start, first, end, second, chosen, at=at)

    # What the portal is set up with.

    def add_owner(
        self,
        owner_id: str,
        *,
        user_id: int,
        email: str,
        first_name: str,
        last_name: str,
        archived: bool = False,
        team: str | None = None,
    ) -> None:
        """Add a user who can own records; an archived one was deactivated."""
        names = (email.lower(), first_name, last_name)
        owner = Owner(owner_id, user_id, *names, archived, team, created=_SET_UP)
        with self.lock:
            self.owners[owner_id] = owner

    def add_pipeline(
        self,
        pipeline_id: str,
        label: str,
        stages: Sequence[Stage],
        *,
        object_type: str = "deals",
    ) -> None:
        """Add a pipeline beside the default one."""
        with self.lock:
            kind = self._kind(object_type).name
            self.put_pipeline(kind, Pipeline(pipeline_id, label, tuple(stages)))

    def add_property(
        self,
        object_type: str,
        name: str,
        type: str,
        field_type: str,
        options: Sequence[str | tuple[str, str]] = (),
        **more: Any,
    ) -> None:
        """Add a property; options are values or (value, label), `more` sets `Property`'s fields."""
        kind = self._kind(object_type)
        pairs = tuple((each, each) if isinstance(each, str) else each for each in options)
        settings: dict[str, Any] = {"label": name, "group": kind.group, "is_vendors": False} | more
        with self.lock:
            self.define(kind, Property(name, type, field_type, options=pairs, **settings))

    def add_form(self, guid: str, name: str, form_type: str = "hubspot") -> None:
        """Add a form: `hubspot`, `captured`, `flow` or `blog_comment`."""
        with self.lock:
            self.forms[guid] = Form(guid, name, form_type, created=_SET_UP)

    def add_submission(
        self,
        form_guid: str,
        submitted_at: datetime,
        values: Mapping[str, str],
        *,
        page_url: str = "",
        conversion_id: str | None = None,
    ) -> None:
        """Send a form; what it does to the contact is for the caller to add."""
        with self.lock:
            form = self.forms[form_guid]
            submission = {
                "conversionId": conversion_id or f"{form_guid}-{len(form.submissions) + 1}",
                "submittedAt": milliseconds(submitted_at),
                "values": [
                    {"name": name, "value": value, "objectTypeId": "0-1"}
                    for name, value in values.items()
                ],
                "pageUrl": page_url,
            }
            insort(form.submissions, submission, key=itemgetter("submittedAt"))

    def add_email_event(
        self,
        event_type: str,
        recipient: str,
        at: datetime,
        *,
        campaign_id: int = 1,
        filtered: bool = False,
        event_id: str | None = None,
        url: str = "",
        sent_at: datetime | None = None,
        user_agent: str = "",
    ) -> None:
        """Let something happen to a marketing e-mail; filtered: a machine or the company's own.

        It was sent an hour before where nothing else is said.
        """
        created = milliseconds(at)
        with self.lock:
            number = len(self.email_events) + 1
            event = {
                "id": event_id or f"e0000000-0000-4000-8000-{number:012d}",
                "created": created,
                "type": event_type,
                "recipient": recipient,
                "portalId": self.portal_id,
                "appId": 113,
                "emailCampaignId": campaign_id,
                "emailCampaignGroupId": campaign_id,
                "filteredEvent": filtered,
                "sentBy": {
                    "id": f"s-{number}",
                    "created": milliseconds(sent_at or at - timedelta(hours=1)),
                },
            }
            if user_agent:
                event["userAgent"] = user_agent
            if url:
                event["url"] = url
            insort(self.email_events, event, key=itemgetter("created"))

    def add_campaign(
        self,
        guid: str,
        name: str,
        *,
        start_on: date | None = None,
        end_on: date | None = None,
        assets: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        **properties: str,
    ) -> None:
        """Add a campaign; assets are (id, name) by type, such as `FORM` or `MARKETING_EMAIL`."""
        days = {"hs_start_date": start_on, "hs_end_date": end_on}
        dated = {key: day.isoformat() for key, day in days.items() if day}
        values = {"hs_name": name, **dated, **properties}
        with self.lock:
            self.campaigns[guid] = Campaign(guid, values, assets or {}, created=_SET_UP)

    def reach(self, guid: str, contact_type: str, contact_id: str, *, on: date) -> None:
        """Let a campaign reach a contact; `contact_type` is that of a report.

        One of `contactFirstTouch`, `contactLastTouch`, `influencedContacts`; the first two are an
        influence too.
        """
        with self.lock:
            reached = self.campaigns[guid].reached
            for report in dict.fromkeys((contact_type, "influencedContacts")):
                reached.setdefault(report, []).append((on, contact_id))

    def add_marketing_event(
        self, event_id: str, name: str, *, type: str, start_at: datetime, end_at: datetime
    ) -> None:
        """Add a webinar or another event of marketing."""
        span = (milliseconds(start_at), milliseconds(end_at))
        with self.lock:
            self.marketing_events[event_id] = MarketingEvent(
                event_id, name, type, *span, created=_SET_UP
            )

    def take_part(self, event_id: str, contact_id: str, state: str, at: datetime) -> None:
        """Let a contact be `REGISTERED`, `ATTENDED`, `CANCELLED` or a `NO_SHOW` at an event."""
        with self.lock:
            event = self.marketing_events[event_id]
            number = len(event.participations) + 1
            own_id = f"{event_id}{number:06d}"
            event.participations.append((own_id, contact_id, state, milliseconds(at)))

    # Looking in.

    def records(self, object_type: str) -> Mapping[str, Mapping[str, str | None]]:
        """Give a copy of the stored values of every live record, by id."""
        kind = self._kind(object_type)
        with self.lock:
            live = self.tables[kind.name].in_order()
            return {str(record.id): dict(record.values) for record in live}

    def _kind(self, object_type: str) -> Kind:
        kind = self.kind(object_type)
        if kind is None:
            raise ValueError(f"the portal has no object {object_type}")
        return kind

    def _record(self, kind: Kind, record_id: str) -> Record:
        record = self.tables[kind.name].find(int(record_id))
        if record is None:
            raise ValueError(f"{kind.name} {record_id} does not exist")
        return record


def _real_now() -> datetime:
    return datetime.now(UTC)


# When owners and forms were made; nothing reads them by time.
_SET_UP = milliseconds(datetime(2020, 1, 1, tzinfo=UTC))
