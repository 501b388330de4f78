"""HTTP in front of a portal: authentication, limits, the log, faults, compression."""

import asyncio
import gzip
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from standins.call import Call
from standins.faults import Fault, Faults
from standins.hubspot.answers import (
    Answer,
    Json,
    Refusal,
    not_found,
    unauthorized,
    uri_too_long,
)
from standins.hubspot.ask import Ask, Route
from standins.hubspot.campaigns import Campaigns, MarketingEvents
from standins.hubspot.definitions import Account, Owners, Pipelines, Properties
from standins.hubspot.failures import failed, with_refused, without_rows
from standins.hubspot.limits import Limits
from standins.hubspot.links import Links
from standins.hubspot.marketing import Marketing
from standins.hubspot.objects import Objects
from standins.hubspot.portal import Portal
from standins.hubspot.preferences import Preferences

# Recorded limits of an address lie between 8,000 and 16,000 bytes; the answer is a proxy's page.
LONGEST_URI = 16_000
_WORTH_COMPRESSING = 1_000
_NO_FAULT = Fault()
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class Access:
    """Who may do what: the valid token and its scopes; None stands for all of them."""

    token: str
    scopes: Collection[str] | None


class Service:
    """Everything between a request and the portal."""

    def __init__(
        self, portal: Portal, access: Access, limits: Limits, faults: Faults, log: list[Call]
    ) -> None:
        self._portal, self._access = portal, access
        self._limits, self._faults, self._log = limits, faults, log
        self._correlation = itertools.count(1)

    def app(self) -> ASGIApp:
        """Build the application: each endpoint, and an answer for any other path."""
        known = [
            StarletteRoute(route.path, self._endpoint(route), methods=[route.method])
            for route in self._routes()
        ]
        unknown = StarletteRoute("/{rest:path}", self._serve_unknown, methods=_METHODS)
        router = Router([*known, unknown], redirect_slashes=False)

        async def without_trailing_slash(scope: Scope, receive: Receive, send: Send) -> None:
            # The official client ends some paths with a slash; the vendor takes both.
            scope["path"] = scope["path"].rstrip("/") or "/"
            await router(scope, receive, send)

        return without_trailing_slash

    def _routes(self) -> Iterator[Route]:
        yield from Objects(self._portal).routes()
        yield from Links().routes()
        yield from Properties().routes()
        yield from Owners().routes()
        yield from Pipelines().routes()
        yield from Account(self._limits).routes()
        yield from Marketing().routes()
        yield from Campaigns().routes()
        yield from MarketingEvents().routes()
        yield from Preferences().routes()

    def _endpoint(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        template = f"{route.method} {route.path}"

        async def serve(request: Request) -> Response:
            return await self._serve(request, template, route.handle)

        return serve

    async def _serve_unknown(self, request: Request) -> Response:
        def refuse(ask: Ask) -> Answer:
            raise not_found(f"Unable to find the path {request.url.path}")

        template = f"{request.method} {request.url.path}"
        return await self._serve(request, template, refuse)

    async def _serve(
        self, request: Request, template: str, handle: Callable[[Ask], Answer]
    ) -> Response:
        content = await request.body()
        at = self._portal.now()
        fault = self._faults.take(template) or _NO_FAULT
        if not fault.is_after:
            await asyncio.sleep(fault.seconds)
        if fault.is_instead:
            answer = failed(fault)
        else:
            answer = self._carried_out(request, template, content, handle, fault)
        if fault.is_after:
            await asyncio.sleep(fault.seconds)
        self._log.append(Call(request.method, request.url.path, template, answer.status, at))
        response = self._response(request, answer)
        return _CutResponse(response) if fault.is_cut else response

    def _carried_out(
        self,
        request: Request,
        template: str,
        content: bytes,
        handle: Callable[[Ask], Answer],
        fault: Fault,
    ) -> Answer:
        """Carry a request out, but for the rows that are refused; then its answer may be lost."""
        refused: list[Json] = []
        if fault.rows:
            content, refused = without_rows(content, fault.rows)
        answer = self._answered(request, template, content, handle)
        if refused:
            answer = with_refused(answer, refused, fault.code)
        return answer if fault.status is None else failed(fault)

    def _answered(
        self, request: Request, template: str, content: bytes, handle: Callable[[Ask], Answer]
    ) -> Answer:
        """Carry a request out, under the portal's lock, or say why not."""
        headers: dict[str, str] = {}
        try:
            if len(request.scope["raw_path"]) + len(request.scope["query_string"]) > LONGEST_URI:
                raise uri_too_long()
            if request.headers.get("authorization") != f"Bearer {self._access.token}":
                raise unauthorized()
            with self._portal.lock:
                headers = self._limits.check(
                    self._portal.now(),
                    self._portal.time_zone,
                    is_search=template.endswith("/search"),
                )
                answer = handle(self._ask(request, content))
        except Refusal as refusal:
            answer = refusal.answer
        return replace(answer, headers={**headers, **answer.headers})

    def _ask(self, request: Request, content: bytes) -> Ask:
        query = parse_qs(request.scope["query_string"].decode(), keep_blank_values=True)
        return Ask(self._portal, self._access.scopes, request.path_params, query, content)

    def _response(self, request: Request, answer: Answer) -> Response:
        headers = dict(answer.headers)
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        if isinstance(answer.body, str):
            content, media_type = answer.body.encode(), "text/html"
        else:
            body = answer.body
            if body.get("status") == "error":
                body = body | {"correlationId": self._correlation_id()}
            content, media_type = orjson.dumps(body), "application/json;charset=utf-8"
        is_asked = "gzip" in request.headers.get("accept-encoding", "")
        if is_asked and len(content) >= _WORTH_COMPRESSING:
            content = gzip.compress(content, compresslevel=1)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(content, answer.status, headers, media_type)

    def _correlation_id(self) -> str:
        return f"c0000000-0000-4000-8000-{next(self._correlation):012d}"


class _CutResponse(Response):
    """An answer whose connection ends half-way through the body."""

    def __init__(self, whole: Response) -> None:
        super().__init__(bytes(whole.body), whole.status_code, media_type=whole.media_type)
        # More is announced than there is, so that an empty answer comes short as well.
        self.headers["content-length"] = str(len(self.body) + 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
