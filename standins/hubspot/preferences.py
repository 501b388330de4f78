"""Communication preferences: who is unsubscribed from all e-mail, and unsubscribing."""

from collections.abc import Iterator

from standins.hubspot.answers import Answer, Json, invalid
from standins.hubspot.ask import Ask, Route, routes
from standins.hubspot.objects import found
from standins.hubspot.values import instant_text

PREFIXES = tuple(
    f"/communication-preferences/{release}" for release in ("v4", "2026-03", "2026-09")
)
SCOPE = "communication_preferences.read_write"
OPT_OUT = "hs_email_optout"


class Preferences:
    """Handlers of the statuses of one address (v4 and its dated successors)."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        path = "/statuses/{address}/unsubscribe-all"
        yield from routes(PREFIXES, ("GET", path, self.status), ("POST", path, self.unsubscribe))

    def status(self, ask: Ask) -> Answer:
        """Say whether an address has opted out of everything; an unknown one has not."""
        _check(ask)
        kind = ask.portal.kind("contacts")
        record = found(ask.portal, kind, ask.path["address"], "email") if kind else None
        is_out = record is not None and record.values.get(OPT_OUT) == "true"
        return Answer(200, _body(ask, [_wide_status(ask)] if is_out else []))

    def unsubscribe(self, ask: Ask) -> Answer:
        """Unsubscribe an address from everything; a contact that holds it shows that."""
        _check(ask)
        portal = ask.portal
        kind = portal.kind("contacts")
        record = found(portal, kind, ask.path["address"], "email") if kind else None
        if kind and record is not None and record.values.get(OPT_OUT) != "true":
            portal.change(kind, record, {OPT_OUT: "true"}, at=portal.clock(), source="INTEGRATION")
        return Answer(200, _body(ask, []))


def _check(ask: Ask) -> None:
    ask.need(SCOPE)
    if ask.text("channel") != "EMAIL":
        raise invalid("channel is required and supports EMAIL only")
    if "@" not in ask.path["address"]:
        raise invalid("subscriberIdString is no e-mail address")


def _wide_status(ask: Ask) -> Json:
    return {
        "channel": "EMAIL",
        "status": "UNSUBSCRIBED",
        "subscriberIdString": ask.path["address"],
        "timestamp": instant_text(ask.portal.clock()),
        "wideStatusType": "PORTAL_WIDE",
    }


def _body(ask: Ask, results: list[Json]) -> Json:
    now = instant_text(ask.portal.clock())
    return {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
