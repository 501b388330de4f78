"""The endpoints of campaigns and of marketing events."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TypeVar

from standins.hubspot.answers import Answer, Json, invalid, not_found
from standins.hubspot.ask import Ask, Route, cursor, routes
from standins.hubspot.portal import Campaign, MarketingEvent
from standins.hubspot.values import instant_text

T = TypeVar("T")

CAMPAIGN_PREFIXES = (
    "/marketing/v3/campaigns",
    "/marketing/campaigns/2026-03",
    "/marketing/campaigns/2026-09",
)
# The files spell the list one way, the official client another; the vendor serves both.
EVENT_LISTS = (
    "/marketing/marketing-events/v3",
    "/marketing/v3/marketing-events",
    "/marketing/marketing-events/2026-09",
)
PARTICIPATIONS = (
    "/marketing/v3/marketing-events/participations",
    "/marketing/marketing-events/2026-09/participations",
)
CONTACT_TYPES = ("contactFirstTouch", "contactLastTouch", "influencedContacts")
STATES = ("REGISTERED", "ATTENDED", "CANCELLED", "NO_SHOW")


class Campaigns:
    """Handlers of campaigns: list, one with its assets, assets of a type, contacts, metrics."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        yield from routes(
            CAMPAIGN_PREFIXES,
            ("GET", "", self.page),
            ("GET", "/{guid}", self.one),
            ("GET", "/{guid}/assets/{asset_type}", self.assets),
            ("GET", "/{guid}/reports/contacts/{contact_type}", self.contacts),
            ("GET", "/{guid}/reports/metrics", self.metrics),
        )

    def page(self, ask: Ask) -> Answer:
        """Give one page of the campaigns, with the properties that are asked for and no other."""
        ask.need("marketing.campaigns.read")
        wanted = ask.text("name")
        found = [
            campaign
            for campaign in ask.portal.campaigns.values()
            if wanted is None or wanted in campaign.values["hs_name"]
        ]
        names = ask.listed("properties")
        body = _page(ask, found, default=50)
        body["results"] = [_campaign_json(campaign, names) for campaign in body["results"]]
        return Answer(200, body | {"total": len(found)})

    def one(self, ask: Ask) -> Answer:
        """Give one campaign with the first assets of each type."""
        campaign = self._asked(ask)
        assets = {
            asset_type: {"results": [_asset_json(asset) for asset in assets[:10]]}
            for asset_type, assets in campaign.assets.items()
        }
        told = _campaign_json(campaign, ask.listed("properties"))
        return Answer(200, told | {"assets": assets})

    def assets(self, ask: Ask) -> Answer:
        """Give one page of a campaign's assets of one type: forms, e-mails, landing pages."""
        campaign = self._asked(ask)
        body = _page(ask, campaign.assets.get(ask.path["asset_type"].upper(), ()), default=10)
        body["results"] = [_asset_json(asset) for asset in body["results"]]
        return Answer(200, body)

    def contacts(self, ask: Ask) -> Answer:
        """Give one page of the contacts that a campaign reached: ids only, without a time."""
        campaign = self._asked(ask)
        contact_type = ask.path["contact_type"]
        if contact_type not in CONTACT_TYPES:
            raise invalid(f"contactType does not know {contact_type}")
        body = _page(ask, _reached(ask, campaign, contact_type), default=100)
        body["results"] = [{"id": contact_id} for contact_id in body["results"]]
        return Answer(200, body)

    def metrics(self, ask: Ask) -> Answer:
        """Count the contacts that a campaign reached; sessions are not played."""
        campaign = self._asked(ask)
        first, last, any_ = (len(_reached(ask, campaign, each)) for each in CONTACT_TYPES)
        counts = {
            "sessions": 0,
            "newContactsFirstTouch": first,
            "newContactsLastTouch": last,
            "influencedContacts": any_,
        }
        return Answer(200, counts)

    def _asked(self, ask: Ask) -> Campaign:
        ask.need("marketing.campaigns.read")
        campaign = ask.portal.campaigns.get(ask.path["guid"])
        if campaign is None:
            raise not_found(f"No campaign with id {ask.path['guid']} exists")
        return campaign


class MarketingEvents:
    """Handlers of marketing events: list, one, and who took part in one."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        yield from routes(EVENT_LISTS, ("GET", "", self.page), ("GET", "/{id}", self.one))
        yield from routes(
            PARTICIPATIONS,
            ("GET", "/{id}", self.counters),
            ("GET", "/{id}/breakdown", self.breakdown),
            ("GET", "/contacts/{contact}/breakdown", self.of_contact),
        )

    def page(self, ask: Ask) -> Answer:
        """Give one page of the events."""
        ask.need("crm.objects.marketing_events.read")
        body = _page(ask, list(ask.portal.marketing_events.values()), default=10)
        body["results"] = [_event_json(event) for event in body["results"]]
        return Answer(200, body)

    def one(self, ask: Ask) -> Answer:
        """Give one event."""
        return Answer(200, _event_json(self._asked(ask)))

    def counters(self, ask: Ask) -> Answer:
        """Count the people of an event by what they did."""
        count = Counter(state for _, _, state, _ in self._asked(ask).participations)
        counters = {
            "registered": count["REGISTERED"],
            "attended": count["ATTENDED"],
            "cancelled": count["CANCELLED"],
            "noShows": count["NO_SHOW"],
        }
        return Answer(200, counters)

    def breakdown(self, ask: Ask) -> Answer:
        """Give one page of what people did at an event."""
        event = self._asked(ask)
        return _breakdown(ask, [(event, each) for each in event.participations])

    def of_contact(self, ask: Ask) -> Answer:
        """Give one page of what one contact did, named by id or e-mail, at all events."""
        ask.need("crm.objects.marketing_events.read")
        who = ask.path["contact"].lower()
        events = ask.portal.marketing_events.values()
        return _breakdown(
            ask,
            [
                (event, each)
                for event in events
                for each in event.participations
                if who in (each[1], _email_of(ask, each[1]))
            ],
        )

    def _asked(self, ask: Ask) -> MarketingEvent:
        ask.need("crm.objects.marketing_events.read")
        event = ask.portal.marketing_events.get(ask.path["id"])
        if event is None:
            raise not_found(f"No marketing event with id {ask.path['id']} exists")
        return event


def _page(ask: Ask, items: Sequence[T], *, default: int) -> Json:
    limit, start = ask.number("limit", default, 100), ask.cursor()
    body: Json = {"results": items[start : start + limit]}
    if start + limit < len(items):
        body["paging"] = {"next": {"after": cursor(start + limit)}}
    return body


def _campaign_json(campaign: Campaign, names: Sequence[str]) -> Json:
    at = instant_text(campaign.created)
    known = {name: campaign.values[name] for name in names if name in campaign.values}
    return {
        "id": campaign.guid,
        "properties": known,
        "createdAt": at,
        "updatedAt": at,
        "businessUnits": [],
    }


def _asset_json(asset: tuple[str, str]) -> Json:
    return {"id": asset[0], "name": asset[1]}


def _reached(ask: Ask, campaign: Campaign, contact_type: str) -> list[str]:
    """List the contacts of a report, each once, between two days of which both are inside."""
    first, last = _day(ask, "startDate", date.min), _day(ask, "endDate", date.max)
    days = campaign.reached.get(contact_type, [])
    return list(dict.fromkeys(contact for day, contact in days if first <= day <= last))


def _day(ask: Ask, name: str, default: date) -> date:
    text = ask.text(name)
    try:
        return default if text is None else date.fromisoformat(text)
    except ValueError:
        raise invalid(f"{name} must be a date as YYYY-MM-DD, and is {text}") from None


def _event_json(event: MarketingEvent) -> Json:
    at = instant_text(event.created)
    return {
        "objectId": event.event_id,
        "eventName": event.name,
        "eventType": event.type,
        "eventOrganizer": "Marketing",
        "startDateTime": instant_text(event.start),
        "endDateTime": instant_text(event.end),
        "eventCancelled": False,
        "customProperties": [],
        "createdAt": at,
        "updatedAt": at,
    }


def _breakdown(
    ask: Ask, found: Sequence[tuple[MarketingEvent, tuple[str, str, str, int]]]
) -> Answer:
    state = ask.text("state")
    if state not in (None, *STATES):
        raise invalid(f"state does not know {state}")
    chosen = [(event, each) for event, each in found if state in (None, each[2])]
    body = _page(ask, chosen, default=10)
    body["results"] = [_participation_json(ask, *pair) for pair in body["results"]]
    return Answer(200, body | {"total": len(chosen)})


def _participation_json(
    ask: Ask, event: MarketingEvent, participation: tuple[str, str, str, int]
) -> Json:
    participation_id, contact_id, state, at = participation
    contact = {"contactId": contact_id, "email": _email_of(ask, contact_id)}
    return {
        "id": participation_id,
        "createdAt": instant_text(at),
        "properties": {"occurredAt": at, "attendanceState": state},
        "associations": {
            "contact": contact,
            "marketingEvent": {"marketingEventId": event.event_id, "name": event.name},
        },
    }


def _email_of(ask: Ask, contact_id: str) -> str:
    contact = ask.portal.tables["contacts"].find(int(contact_id))
    return (contact.values.get("email") if contact else None) or ""
