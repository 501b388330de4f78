"""Read what is no CRM object: owners, forms, submissions, e-mail events, stages, campaigns.

Each kind is a function from a `Source` and a window to batches. None of these endpoints but two
takes a time; where it does not, all records come each time and are recognised by value.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from agreement.errors import VendorRejected
from agreement.records import Batch, RawRecord, Record, Window, canonical
from connectors.hubspot.client import Client, Json
from connectors.hubspot.pages import next_after, next_offset, turn
from connectors.hubspot.paths import SPECIAL, Paths
from connectors.hubspot.values import instant

_OWNER_PAGE = 500
_FORM_PAGE = 100
_SUBMISSION_PAGE = 50
_EVENT_PAGE = 1000
_MARKETING_PAGE = 100


@dataclass(frozen=True)
class Source:
    """Where special kinds are read, and which e-mail events count."""

    client: Client
    paths: Paths
    pool: ThreadPoolExecutor
    event_types: Sequence[str] = ("CLICK",)
    _forms: list[RawRecord] = field(default_factory=list)
    _forms_lock: Lock = field(default_factory=Lock)

    def forms(self) -> Sequence[RawRecord]:
        """List every form; without `formTypes=all` captured and flow forms are hidden.

        Asked for once: their submissions are read by form.
        """
        with self._forms_lock:
            if not self._forms:
                path, every = self.paths.of("form"), ("formTypes", "all")
                for page in self.pages(path, "form", _FORM_PAGE, every):
                    self._forms.extend(page["results"])
            return tuple(self._forms)

    def pages(
        self, path: str, what: str, limit: int, *more: tuple[str, str], first: Json | None = None
    ) -> Iterator[Json]:
        """Yield the pages of a list endpoint."""

        def fetch(after: str | None) -> Json:
            return self.page(path, what, limit, *more, after=after)

        return turn(fetch, next_after, self.pool, first)

    def page(
        self, path: str, what: str, limit: int, *more: tuple[str, str], after: str | None = None
    ) -> Json:
        """Give one page of a list endpoint."""
        cursor = [("after", after)] if after else []
        return self.client.get(path, [("limit", str(limit)), *more, *cursor], what=what)


def owners(source: Source, window: Window) -> Iterator[Batch]:
    """Yield every active owner.

    `hubspot_owner_id` holds the id, history the user id, which an archived owner has under another
    name.
    """
    return _owners(source, "false")


def archived_owners(source: Source) -> Iterator[Batch]:
    """Yield every archived owner: old records name people who left.

    One that was activated again is in both lists, and active.
    """
    return _owners(source, "true")


def _owners(source: Source, is_archived: str) -> Iterator[Batch]:
    path = source.paths.of("owner")
    for page in source.pages(path, "owner", _OWNER_PAGE, ("archived", is_archived)):
        yield Batch(records=tuple(_owner(raw, is_archived) for raw in page["results"]))


def _owner(raw: RawRecord, is_archived: str) -> Record:
    teams = raw.get("teams") or []
    team = next((team for team in teams if team.get("primary")), teams[0] if teams else {})
    return _record(
        "owner",
        str(raw["id"]),
        raw,
        email=raw.get("email"),
        first_name=raw.get("firstName"),
        last_name=raw.get("lastName"),
        user_id=raw.get("userId") or raw.get("userIdIncludingInactive"),
        team=team.get("name"),
        is_archived=is_archived,
    )


def forms(source: Source, window: Window) -> Iterator[Batch]:
    """Yield every form."""
    yield Batch(
        records=tuple(
            _record("form", raw["id"], raw, name=raw.get("name"), form_type=raw.get("formType"))
            for raw in source.forms()
        )
    )


def form_submissions(source: Source, window: Window) -> Iterator[Batch]:
    """Yield the submissions in the window, form by form, newest first.

    The endpoint takes no time but gives the newest first: a form ends at the window's start.
    """
    form_ids = [
        raw["id"]
        for raw in source.forms()
        if raw.get("formType") != "blog_comment"  # refused with FORM_TYPE_NOT_ALLOWED
    ]
    # Most forms have nothing new: their first pages are asked for side by side.
    first_pages = list(source.pool.map(lambda own: _first_submissions(source, own), form_ids))
    _raise_when_all_refused(first_pages)
    for form_id, first in zip(form_ids, first_pages, strict=True):
        if not isinstance(first, VendorRejected):
            yield from _submissions(source, form_id, first, window)


def _submission_page(source: Source, form_id: str, after: str | None = None) -> Json:
    path = source.paths.of("form_submission", form_id)
    return source.page(path, "form_submission", _SUBMISSION_PAGE, after=after)


def _first_submissions(source: Source, form_id: str) -> Json | VendorRejected:
    """Give a form's newest submissions, or why it keeps them: its type, or it was deleted."""
    try:
        return _submission_page(source, form_id)
    except VendorRejected as error:
        return error


def _raise_when_all_refused(pages: Sequence[Json | VendorRejected]) -> None:
    """Raise when no form answers: then it is the endpoint that is gone, not some forms."""
    refused = [page for page in pages if isinstance(page, VendorRejected)]
    if refused and len(refused) == len(pages) and "FORM_TYPE" not in refused[0].reason:
        raise refused[0]


def _submissions(source: Source, form_id: str, first: Json, window: Window) -> Iterator[Batch]:
    page = first
    while True:
        read = [_submission(form_id, raw) for raw in page["results"]]
        inside = tuple(record for record in read if _is_inside(record.created_at, window))
        if inside:
            yield Batch(records=inside)
        after = next_after(page)
        if after is None or _ends_before(read, window):
            return
        page = _submission_page(source, form_id, after)


def _ends_before(read: Sequence[Record], window: Window) -> bool:
    if not read or window.since is None:
        return not read
    oldest = read[-1].created_at
    return oldest is not None and oldest < window.since


def _submission(form_id: str, raw: RawRecord) -> Record:
    values = {
        value.get("name"): value.get("value")
        for value in reversed(raw.get("values") or ())
        if value.get("objectTypeId") in {None, "0-1"}
    }
    content = (form_id, raw.get("submittedAt"), values.get("email"), raw.get("pageUrl"))
    submitted = instant(raw.get("submittedAt"))
    return _record(
        "form_submission",
        raw.get("conversionId") or _digest(content),
        {"createdAt": submitted},
        form_id=form_id,
        submitted_at=raw.get("submittedAt"),
        email=values.get("email"),
        page_url=raw.get("pageUrl"),
    )


def _digest(content: Sequence[object]) -> str:
    """Name a record that has no id by what it says, so that reading it again finds it."""
    return hashlib.sha256(repr(content).encode("utf-8", "replace")).hexdigest()[:32]


def email_events(source: Source, window: Window) -> Iterator[Batch]:
    """Yield the marketing e-mail events of the wanted types in the window, account-wide.

    Those of bots and of our own traffic come too and are marked `is_filtered`.
    """
    for event_type in source.event_types:
        for page in turn(_event_fetch(source, event_type, window), next_offset, source.pool):
            yield Batch(records=tuple(_email_event(raw) for raw in page["events"]))


def _event_fetch(source: Source, event_type: str, window: Window) -> Callable[[str | None], Json]:
    query = [("limit", str(_EVENT_PAGE)), ("eventType", event_type)]
    if window.since is not None:
        query.append(("startTimestamp", str(int(window.since.timestamp() * 1000))))
    query.append(("endTimestamp", str(int(window.until.timestamp() * 1000))))
    path = source.paths.of("email_event")

    def fetch(offset: str | None) -> Json:
        cursor = [("offset", offset)] if offset else []
        return source.client.get(path, [*query, *cursor], what="email_event")

    return fetch


def _email_event(raw: RawRecord) -> Record:
    return _record(
        "email_event",
        raw["id"],
        {"createdAt": instant(raw.get("created"))},
        type=raw.get("type"),
        recipient=raw.get("recipient"),
        created=raw.get("created"),
        campaign_id=raw.get("emailCampaignId"),
        url=raw.get("url"),
        is_filtered=bool(raw.get("filteredEvent")),
        sent_at=(raw.get("sentBy") or {}).get("created"),
        user_agent=raw.get("userAgent"),
    )


def deal_stages(source: Source, window: Window) -> Iterator[Batch]:
    """Yield the stages of all deal pipelines; their ids are words or numbers."""
    told = source.client.get(source.paths.of("pipeline", "deals"), what="deal_stage")
    yield Batch(
        records=tuple(
            _record(
                "deal_stage",
                str(raw["id"]),
                raw,
                pipeline_id=pipeline["id"],
                label=raw.get("label"),
                is_closed=(raw.get("metadata") or {}).get("isClosed"),
                probability=(raw.get("metadata") or {}).get("probability"),
                position=raw.get("displayOrder"),
            )
            for pipeline in told["results"]
            for raw in pipeline["stages"]
        )
    )


def campaigns(source: Source, window: Window) -> Iterator[Batch]:
    """Yield every marketing campaign; without a list of properties the answer has none."""
    names = ("properties", "hs_name,hs_start_date,hs_end_date")
    for page in source.pages(source.paths.of("campaign"), "campaign", _MARKETING_PAGE, names):
        yield Batch(records=tuple(_campaign(raw) for raw in page["results"]))


def _campaign(raw: RawRecord) -> Record:
    given = raw.get("properties") or {}
    return _record(
        "campaign",
        raw["id"],
        raw,
        name=given.get("hs_name"),
        start_on=given.get("hs_start_date"),
        end_on=given.get("hs_end_date"),
    )


def marketing_events(source: Source, window: Window) -> Iterator[Batch]:
    """Yield every marketing event, such as a webinar."""
    for page in _marketing_event_pages(source):
        yield Batch(
            records=tuple(
                _record(
                    "marketing_event",
                    str(raw["objectId"]),
                    raw,
                    name=raw.get("eventName"),
                    type=raw.get("eventType"),
                    start_at=raw.get("startDateTime"),
                    end_at=raw.get("endDateTime"),
                )
                for raw in page["results"]
            )
        )


def _marketing_event_pages(source: Source) -> Iterator[Json]:
    return source.pages(source.paths.of("marketing_event"), "marketing_event", _MARKETING_PAGE)


def event_participations(source: Source, window: Window) -> Iterator[Batch]:
    """Yield who registered for, attended, cancelled or missed each marketing event."""
    event_ids = [
        str(raw["objectId"]) for page in _marketing_event_pages(source) for raw in page["results"]
    ]
    first_pages = source.pool.map(
        lambda own: source.page(
            source.paths.of("event_participation", own), "event_participation", _MARKETING_PAGE
        ),
        event_ids,
    )
    for event_id, first in zip(event_ids, first_pages, strict=True):
        path = source.paths.of("event_participation", event_id)
        for page in source.pages(path, "event_participation", _MARKETING_PAGE, first=first):
            yield Batch(records=tuple(_participation(event_id, raw) for raw in page["results"]))


def _participation(event_id: str, raw: RawRecord) -> Record:
    given = raw.get("properties") or {}
    contact = (raw.get("associations") or {}).get("contact") or {}
    return _record(
        "event_participation",
        raw["id"],
        raw,
        event_id=event_id,
        contact_id=contact.get("contactId"),
        state=given.get("attendanceState"),
        occurred_at=given.get("occurredAt"),
    )


def _is_inside(moment: datetime | None, window: Window) -> bool:
    if moment is None:
        return True
    return moment <= window.until and (window.since is None or moment >= window.since)


def _record(kind: str, record_id: str, raw: Mapping[str, Any], **values: object) -> Record:
    kinds = SPECIAL[kind]
    return Record(
        record_id,
        {name: canonical(value, kinds[name]) for name, value in values.items()},
        created_at=_moment(raw.get("createdAt")),
        modified_at=_moment(raw.get("updatedAt")),
    )


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else instant(value)


READERS: Mapping[str, Callable[[Source, Window], Iterator[Batch]]] = {
    "owner": owners,
    "form": forms,
    "form_submission": form_submissions,
    "email_event": email_events,
    "deal_stage": deal_stages,
    "campaign": campaigns,
    "marketing_event": marketing_events,
    "event_participation": event_participations,
}
