"""The stand-in itself: what tests, the demo and the world hold in their hands."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from standins.faults import Fault, Faults
from standins.salesforce import door, failures
from standins.salesforce.answers import Answer, Refused, Request, json_answer
from standins.salesforce.bulk import Jobs
from standins.salesforce.ids import long_id
from standins.salesforce.org import Org, real_now
from standins.salesforce.people import convert_lead, merge_records
from standins.salesforce.routes import Api
from standins.salesforce.schema import Field, relationship_name
from standins.salesforce.tables import Row
from standins.salesforce.values import kept, stamp
from standins.salesforce.writes import Rules

_LOGIN = "POST /services/oauth2/token"
_NO_FAULT = Fault()


class SalesforceStandIn:
    """A Salesforce org played in memory.

    `app()` answers HTTP as the REST API does; the methods here do what people and admins do. `log`
    has one entry per HTTP request. `rules` holds what an admin may set up around writes, `jobs` the
    bulk jobs and their planned failures, `faults` what goes wrong on the way. `page_size` caps the
    rows of a query's page; `daily_api_requests` is the daily allowance, of which
    `api_requests_used` are gone.
    """

    def __init__(
        self,
        *,
        client_id: str = "standin-client",
        client_secret: str = "standin-secret",
        now: Callable[[], datetime] | None = None,
        multi_currency: bool = True,
    ) -> None:
        self.org = Org(now or real_now, multi_currency=multi_currency)
        self.log: list[door.SalesforceCall] = []
        self.faults = Faults()
        self.rules = Rules()
        self.jobs = Jobs(self.org, self.rules)
        self.page_size = 2000
        self.open_cursors = 100
        self.daily_api_requests = 1_000_000
        self.api_requests_used = 0
        # A signed assertion is dated by the client's clock, whatever time the org plays.
        self._tokens = door.Tokens(client_id, client_secret, real_now)
        self._lock = threading.RLock()
        self._api = Api(self)

    @property
    def organization(self) -> dict[str, Any]:
        """The organization record; what is set here is what queries show."""
        return self.org.organization

    @property
    def integration_user_id(self) -> str:
        """The user behind the tokens."""
        return self.org.integration_user_id

    @property
    def admin_id(self) -> str:
        """The person who does what no one else is named for."""
        return self.org.admin_id

    # What people do

    def add(
        self,
        sobject: str,
        fields: Mapping[str, object],
        *,
        record_id: str | None = None,
        created_at: datetime,
        modified_at: datetime | None = None,
    ) -> str:
        """Put a record in place as if it had been there since `created_at`; give its long id.

        Read-only fields may be set, and nothing is checked but names and types. No history is
        written: history rows are added like any other.

        Raises:
            ValueError: there is no such object or field, or a value is of another type.
        """
        with self._lock:
            return self.org.put_in_place(
                sobject,
                fields,
                record_id=record_id,
                created_at=created_at,
                modified_at=modified_at,
            )

    def set(
        self,
        sobject: str,
        record_id: str,
        fields: Mapping[str, object],
        *,
        at: datetime,
        by: str | None = None,
    ) -> None:
        """Change a record as a person does: stamps move and history is written.

        Raises:
            KeyError: there is no such record or field.
        """
        with self._lock:
            one = self.org.sobject(sobject)
            values: Row = {name: kept(one.by_name[name], v) for name, v in fields.items()}
            self.org.update(one, long_id(record_id), values, by or self.org.admin_id, stamp(at))

    def delete(self, sobject: str, record_id: str, *, at: datetime, by: str | None = None) -> None:
        """Put a record into the recycle bin, with what is deleted along with it."""
        with self._lock:
            one = self.org.sobject(sobject)
            self.org.delete(one, long_id(record_id), by or self.org.admin_id, stamp(at))

    def purge(self, sobject: str, record_id: str) -> None:
        """Empty the recycle bin of a record: only the log of deletions still names it."""
        with self._lock:
            table = self.org.tables[self.org.sobject(sobject).name]
            table.deleted_at.setdefault(long_id(record_id), stamp(self.org.now()))
            table.drop(long_id(record_id))

    def merge(
        self, sobject: str, winner_id: str, loser_ids: Sequence[str], *, at: datetime
    ) -> None:
        """Merge leads, contacts or accounts: losers go, what hung on them moves to the winner."""
        with self._lock:
            one = self.org.sobject(sobject)
            losers = [long_id(loser) for loser in loser_ids]
            merge_records(self.org, one, long_id(winner_id), losers, stamp(at))

    def convert(
        self,
        lead_id: str,
        *,
        at: datetime,
        contact_id: str,
        account_id: str,
        opportunity_id: str | None = None,
        by: str | None = None,
    ) -> None:
        """Convert a lead into records that exist; its activities and memberships move along."""
        with self._lock:
            convert_lead(
                self.org,
                long_id(lead_id),
                contact_id=long_id(contact_id),
                account_id=long_id(account_id),
                opportunity_id=long_id(opportunity_id) if opportunity_id else None,
                by=by or self.org.admin_id,
                at=stamp(at),
            )

    # What admins do

    def add_field(self, sobject: str, name: str, type: str, **describe: Any) -> None:
        """Add a field that the integration user may read and write.

        `type` and `describe` are a describe's own words: `length`, `precision`, `scale`,
        `externalId`, `unique`, `caseSensitive`, `label`, `createable`, `updateable`, `nillable`,
        `calculated`, `restrictedPicklist`, `referenceTo`; `picklistValues` is a list of values.
        """
        options = tuple(
            str(option["value"]) if isinstance(option, Mapping) else str(option)
            for option in describe.get("picklistValues", ())
        )
        targets = tuple(describe.get("referenceTo", ()))
        field = Field(
            name,
            type,
            describe.get("label", name.removesuffix("__c").replace("_", " ")),
            length=describe.get("length", 255 if type in {"string", "picklist"} else 0),
            precision=describe.get("precision", 18 if type in _DECIMAL else 0),
            scale=describe.get("scale", 2 if type in _DECIMAL else 0),
            digits=describe.get("digits", 9 if type == "int" else 0),
            is_createable=describe.get("createable", True),
            is_updateable=describe.get("updateable", True),
            is_nillable=describe.get("nillable", type != "boolean"),
            is_defaulted=describe.get("defaultedOnCreate", type == "boolean"),
            is_calculated=describe.get("calculated", False),
            is_unique=describe.get("unique", False),
            is_case_sensitive=describe.get("caseSensitive", False),
            is_external_id=describe.get("externalId", False),
            is_id_lookup=describe.get("idLookup", describe.get("externalId", False)),
            is_restricted=describe.get("restrictedPicklist", False),
            reference_to=targets,
            relationship=relationship_name(name) if targets else None,
            options=options,
        )
        with self._lock:
            self.org.add_to_schema(sobject, field, is_open=True)

    def hide_fields(self, sobject: str, *names: str) -> None:
        """Hide fields from the integration user by field-level security."""
        with self._lock:
            self.org.hide(sobject, *names)

    def hide_object(self, sobject: str) -> None:
        """Hide an object from the integration user: to the API it does not exist."""
        with self._lock:
            del self.org.objects[self.org.sobject(sobject).name.lower()]

    def track(self, sobject: str, *names: str) -> None:
        """Turn on history for fields of leads, contacts or opportunities."""
        self.org.tracked.setdefault(sobject, set[str]()).update(names)

    def issue_token(self) -> str:
        """Open a session without a login, for clients that bring their own token."""
        return self._tokens.issue()

    def expire_tokens(self) -> None:
        """End every session: the next request with an old token is answered 401."""
        self._tokens.expire()

    def records(self, sobject: str) -> Mapping[str, Mapping[str, object]]:
        """Give the live rows of an object by id, for tests; empty fields are None."""
        return _LiveRows(self.org, sobject)

    # HTTP

    def app(self) -> ASGIApp:
        """Give the application that answers as Salesforce does."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            at = self.org.now()
            request = await door.read_request(scope, receive)
            template = self._template(request)
            fault = self.faults.take(template) or _NO_FAULT
            if not fault.is_after:
                await asyncio.sleep(fault.seconds)
            answer = door.too_long(scope) or self._answer_or_fail(request, template, fault)
            if fault.is_after:
                await asyncio.sleep(fault.seconds)
            sforce = {k: v for k, v in request.headers.items() if k.startswith("sforce-")}
            path = scope["raw_path"].decode("latin-1")
            self.log.append(
                door.SalesforceCall(request.method, path, template, answer.status, at, sforce)
            )
            await door.send_answer(send, request.headers, answer, is_cut=fault.is_cut)

        return app

    def _template(self, request: Request) -> str:
        if request.path == door.TOKEN_PATH and request.method == "POST":
            return _LOGIN
        if request.path == door.USER_PATH or request.path[:1] == ("id",):
            return f"{request.method} /services/oauth2/userinfo"
        matched = self._api.match(request)
        return matched[0] if matched else f"{request.method} (unknown)"

    def _answer_or_fail(self, request: Request, template: str, fault: Fault) -> Answer:
        with self._lock:
            if fault.status == 401:
                self._tokens.end(request.headers)
            if fault.is_instead:
                return failures.failed(fault, is_login=template == _LOGIN)
            answer = self._carried_out(request, template, fault)
            if fault.status is None:
                return answer
            return failures.failed(fault, is_login=template == _LOGIN)

    def _carried_out(self, request: Request, template: str, fault: Fault) -> Answer:
        """Carry a request out, but for the rows that are refused or that a job does not reach."""
        if not fault.rows:
            return self._answer(request, template)
        if "/jobs/" in template:
            self.jobs.fail_next, self.jobs.fail_after = fault.code or "InternalError", fault.rows
            return self._answer(request, template)
        body, count = failures.without_rows(request.body, fault.rows)
        answer = self._answer(replace(request, body=body), template)
        return failures.with_refused(answer, count, fault.code)

    def _answer(self, request: Request, template: str) -> Answer:
        if template == _LOGIN:
            return self._token(request)
        if template == "GET /services/data":
            return self._api.answer(request)
        if not self._tokens.is_good(request.headers):
            return door.expired().as_answer()
        if template.endswith("/oauth2/userinfo"):
            return self._user(request)
        return self._counted(request)

    def _counted(self, request: Request) -> Answer:
        if self.api_requests_used >= self.daily_api_requests:
            return Refused(
                "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403
            ).as_answer()
        self.api_requests_used += 1
        answer = self._api.answer(request)
        usage = f"api-usage={self.api_requests_used}/{self.daily_api_requests}"
        return Answer(answer.status, answer.body, {**answer.headers, "sforce-limit-info": usage})

    def _token(self, request: Request) -> Answer:
        try:
            self._tokens.grant(request)
        except Refused as refused:
            return door.oauth_refusal(refused)
        return door.token_answer(
            self._tokens.issue(),
            request.base,
            str(self.organization["Id"]),
            self.integration_user_id,
            self.org.now(),
        )

    def _user(self, request: Request) -> Answer:
        user = self.org.tables["User"].rows[self.integration_user_id]
        named = "id" if request.path[:1] == ("id",) else "sub"
        return json_answer(
            {
                named: f"{request.base}/id/{self.organization['Id']}/{user['Id']}",
                "user_id": user["Id"],
                "organization_id": self.organization["Id"],
                "preferred_username": user["Username"],
                "zoneinfo": user["TimeZoneSidKey"],
                "active": True,
            }
        )


_DECIMAL = frozenset({"double", "currency", "percent"})


class _LiveRows(Mapping[str, Mapping[str, object]]):
    """The rows that are not deleted, filled up with their empty fields when looked at."""

    def __init__(self, org: Org, sobject: str) -> None:
        self._sobject = org.sobject(sobject)
        self._rows = org.tables[self._sobject.name].rows

    def __getitem__(self, record_id: str) -> Mapping[str, object]:
        row = self._rows[long_id(record_id)]
        if row.get("IsDeleted"):
            raise KeyError(record_id)
        return {
            one.name: row.get(one.name, False if one.type == "boolean" else None)
            for one in self._sobject.fields.values()
        }

    def __iter__(self) -> Iterator[str]:
        return (one for one, row in self._rows.items() if not row.get("IsDeleted"))

    def __len__(self) -> int:
        return sum(1 for _ in self)
