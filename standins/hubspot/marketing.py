"""The endpoints of marketing: forms, their submissions, e-mail events."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import itemgetter

from standins.hubspot.answers import Answer, Json, invalid, not_found, refused
from standins.hubspot.ask import Ask, Route, cursor, routes
from standins.hubspot.portal import Form
from standins.hubspot.values import instant_text

FORM_PREFIXES = ("/marketing/v3/forms", "/marketing/forms/2026-09-beta")
FORM_TYPES = frozenset({"hubspot", "captured", "flow", "blog_comment"})
EVENT_TYPES = frozenset(
    {
        "SENT",
        "DROPPED",
        "PROCESSED",
        "DELIVERED",
        "DEFERRED",
        "BOUNCE",
        "OPEN",
        "CLICK",
        "PRINT",
        "FORWARD",
        "STATUSCHANGE",
        "SPAMREPORT",
        "SUPPRESSED",
    }
)


class Marketing:
    """Handlers of forms (v3), form submissions (v1) and marketing e-mail events (v1)."""

    def routes(self) -> Iterator[Route]:
        """List the endpoints."""
        yield from routes(FORM_PREFIXES, ("GET", "", self.forms), ("GET", "/{id}", self.form))
        yield from routes(
            ("/form-integrations/v1/submissions/forms",), ("GET", "/{guid}", self.submissions)
        )
        yield from routes(("/email/public/v1/events",), ("GET", "", self.email_events))

    def forms(self, ask: Ask) -> Answer:
        """Give one page of the forms of some types; without types only HubSpot's own."""
        ask.need("forms")
        types = set(ask.listed("formTypes")) or {"hubspot"}
        if unknown := types - FORM_TYPES - {"all"}:
            raise invalid(f"formTypes does not know {', '.join(sorted(unknown))}")
        forms = [
            form for form in ask.portal.forms.values() if "all" in types or form.form_type in types
        ]
        limit, start = ask.number("limit", 20, 1000), ask.cursor()
        body: Json = {"results": [_form_json(form) for form in forms[start : start + limit]]}
        if start + limit < len(forms):
            body["paging"] = {"next": {"after": cursor(start + limit)}}
        return Answer(200, body)

    def form(self, ask: Ask) -> Answer:
        """Give one form."""
        ask.need("forms")
        return Answer(200, _form_json(_asked(ask, ask.path["id"])))

    def submissions(self, ask: Ask) -> Answer:
        """Give one page of what was sent through a form, newest first."""
        ask.need("forms")
        form = _asked(ask, ask.path["guid"])
        if form.form_type == "blog_comment":
            raise refused(
                400,
                None,
                "Submissions of forms of this type cannot be read",
                errors=[{"message": "blog_comment", "errorType": "FORM_TYPE_NOT_ALLOWED"}],
                errorType="FORM_TYPE_NOT_ALLOWED",
            )
        limit, start = ask.number("limit", 20, 50), ask.cursor()
        end = max(0, len(form.submissions) - start)
        newest_first = form.submissions[max(0, end - limit) : end][::-1]
        body: Json = {"results": newest_first}
        if end > limit:
            body["paging"] = {"next": {"after": cursor(start + limit)}}
        return Answer(200, body)

    def email_events(self, ask: Ask) -> Answer:
        """Give one page of e-mail events, newest first; both ends of the span are inside."""
        ask.need("content")
        low = _epoch(ask, "startTimestamp", 0)
        high = _epoch(ask, "endTimestamp", 1 << 62)
        limit, start = ask.number("limit", 10, 1000), ask.cursor("offset")
        known = ask.portal.email_events
        first = bisect_left(known, low, key=itemgetter("created"))
        last = bisect_right(known, high, key=itemgetter("created"))
        matching = _Matching(ask)
        events = [event for event in reversed(known[first:last]) if matching(event)]
        has_more = start + limit < len(events)
        body: Json = {"hasMore": has_more, "events": events[start : start + limit]}
        if has_more:
            body["offset"] = cursor(start + limit)
        return Answer(200, body)


class _Matching:
    """Tells whether an e-mail event is one that a request wants."""

    def __init__(self, ask: Ask) -> None:
        self._type = ask.text("eventType")
        if self._type not in EVENT_TYPES | {None}:
            raise invalid(f"eventType does not know {self._type}")
        self._recipient = ask.text("recipient")
        self._campaign = ask.text("campaignId")
        self._is_without_filtered = ask.flag("excludeFilteredEvents")

    def __call__(self, event: Json) -> bool:
        return (
            self._type in (None, event["type"])
            and self._recipient in (None, event["recipient"])
            and self._campaign in (None, str(event["emailCampaignId"]))
            and not (self._is_without_filtered and event["filteredEvent"])
        )


def _epoch(ask: Ask, name: str, default: int) -> int:
    text = ask.text(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise invalid(f"{name} must be epoch milliseconds, and is {text}")
    return int(text)


def _asked(ask: Ask, guid: str) -> Form:
    form = ask.portal.forms.get(guid)
    if form is None:
        raise not_found(f"No form with id {guid} exists")
    return form


def _form_json(form: Form) -> Json:
    at = instant_text(form.created)
    return {
        "id": form.guid,
        "name": form.name,
        "formType": form.form_type,
        "createdAt": at,
        "updatedAt": at,
        "archived": False,
        "fieldGroups": [],
        "configuration": {
            "language": "en",
            "cloneable": True,
            "editable": True,
            "archivable": True,
            "recaptchaEnabled": False,
            "notifyContactOwner": False,
            "notifyRecipients": [],
            "createNewContactForNewEmail": True,
            "prePopulateKnownValues": True,
            "allowLinkToResetKnownValues": False,
            "lifecycleStages": [],
            "postSubmitAction": {"type": "thank_you", "value": "Thank you."},
        },
        "displayOptions": {
            "renderRawHtml": False,
            "theme": "default_style",
            "submitButtonText": "Submit",
            "style": _STYLE,
        },
        "legalConsentOptions": {"type": "none"},
    }


_STYLE = {
    "fontFamily": "arial, helvetica, sans-serif",
    "backgroundWidth": "100%",
    "labelTextColor": "#33475b",
    "labelTextSize": "14px",
    "helpTextColor": "#7C98B6",
    "helpTextSize": "11px",
    "legalConsentTextColor": "#33475b",
    "legalConsentTextSize": "14px",
    "submitColor": "#ff7a59",
    "submitAlignment": "left",
    "submitFontColor": "#ffffff",
    "submitSize": "12px",
}
