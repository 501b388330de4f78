"""The way in: tokens, who may pass, and what every answer carries."""

import base64
import binascii
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, unquote

import orjson
from starlette.types import Receive, Scope, Send

from standins.call import Call
from standins.salesforce.answers import (
    Answer,
    JsonObject,
    Refused,
    Request,
    html_answer,
    json_answer,
    segments,
)

TOKEN_PATH = ("services", "oauth2", "token")
USER_PATH = ("services", "oauth2", "userinfo")
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_REQUEST_LINE = 16_384
_WORTH_PACKING = 1_000


@dataclass(frozen=True)
class SalesforceCall(Call):
    """A request as it was answered, with its `Sforce-` headers by lower-case name."""

    sforce: Mapping[str, str] = field(default_factory=dict)


class Tokens:
    """The sessions of the integration user."""

    def __init__(self, client_id: str, client_secret: str, now: Callable[[], datetime]) -> None:
        self._client = (client_id, client_secret)
        self._now = now
        self._issued = 0
        self._good: set[str] = set()

    def issue(self) -> str:
        """Open a session and give its token."""
        self._issued += 1
        token = f"00D5g0000000001!AQ.standin.{self._issued:06d}"
        self._good.add(token)
        return token

    def expire(self) -> None:
        """End every session."""
        self._good.clear()

    def end(self, headers: Mapping[str, str]) -> None:
        """End the session whose token a request carries, and no other."""
        self._good.discard(headers.get("authorization", "").partition(" ")[2])

    def is_good(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request carries the token of an open session."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme in {"Bearer", "OAuth"} and token in self._good

    def grant(self, request: Request) -> None:
        """Check the credentials of a token request.

        Raises:
            Refused: as an OAuth error, whose code and description it carries.
        """
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        kind = form.get("grant_type")
        if kind == "client_credentials":
            self._check_secret(request, form)
        elif kind == _JWT_GRANT:
            self._check_assertion(form.get("assertion", ""))
        else:
            raise Refused("unsupported_grant_type", "grant type not supported")

    def _check_secret(self, request: Request, form: Mapping[str, str]) -> None:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        scheme, _, packed = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = _unpacked(packed).partition(":")
            given = (unquote(name), unquote(secret))
        if given[0] != self._client[0]:
            raise Refused("invalid_client_id", "client identifier invalid")
        if given[1] != self._client[1]:
            raise Refused("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str) -> None:
        """Look at what a signed assertion says; the signature itself is not checked."""
        parts = assertion.split(".")
        try:
            said = orjson.loads(_unpacked(parts[1])) if len(parts) == 3 and parts[2] else None
            if not isinstance(said, dict) or not said.get("sub") or not said.get("aud"):
                raise ValueError("no assertion")
            expires_at = float(said.get("exp") or 0)
        except ValueError:
            raise Refused("invalid_grant", "invalid assertion") from None
        if said.get("iss") != self._client[0]:
            raise Refused("invalid_client_id", "client identifier invalid")
        if expires_at < self._now().timestamp():
            raise Refused("invalid_grant", "expired authorization code")


def _unpacked(text: str) -> str:
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def oauth_refusal(refused: Refused) -> Answer:
    """Word a refused token request: a dict, where the REST API says a list."""
    return json_answer({"error": refused.code, "error_description": refused.message}, 400)


def token_answer(token: str, base: str, org_id: str, user_id: str, issued_at: datetime) -> Answer:
    """Hand out a token; opaque ones do not say when they expire."""
    said: JsonObject = {
        "access_token": token,
        "signature": "c3RhbmQtaW4=",
        "scope": "api",
        "instance_url": base,
        # The vendor names its login host; a client that follows this is not to leave the machine.
        "id": f"{base}/id/{org_id}/{user_id}",
        "token_type": "Bearer",
        "issued_at": str(int(issued_at.timestamp() * 1000)),
    }
    return json_answer(said)


def expired() -> Refused:
    """Word the answer to a token that is unknown or over."""
    return Refused("INVALID_SESSION_ID", "Session expired or invalid", status=401)


def too_long(scope: Scope) -> Answer | None:
    """Answer a request line, or line and headers, beyond what the edge takes; else None."""
    line = len(scope["raw_path"]) + 1 + len(scope["query_string"])
    if line > _LONGEST_REQUEST_LINE:
        return html_answer(414, "URI Too Long")
    headers = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    if line + headers > _LONGEST_REQUEST_LINE:
        return html_answer(431, "Request Header Fields Too Large")
    return None


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read a request whole, unpacked when it was packed."""
    parts = []
    is_more = True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = b"".join(parts)
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    path = segments(scope["raw_path"].decode("latin-1").partition("?")[0])
    base = f"{scope.get('scheme', 'http')}://{headers.get('host', '127.0.0.1')}"
    return Request(scope["method"], path, query, headers, body, base)


async def send_answer(
    send: Send, request_headers: Mapping[str, str], answer: Answer, *, is_cut: bool = False
) -> None:
    """Send an answer: indented and packed when the client asks for it; cut off half-way if so."""
    body, headers = answer.body, dict(answer.headers)
    status = 200 if is_cut and answer.status == 204 else answer.status
    is_json = headers.get("content-type", "").startswith("application/json")
    if is_json and request_headers.get("x-prettyprint") == "1":
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    if len(body) > _WORTH_PACKING and "gzip" in request_headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1)
        headers["content-encoding"] = "gzip"
    if status != 204:
        # One byte more than there is, when the answer is to come short even if it is empty.
        headers["content-length"] = str(len(body) + is_cut)
    packed = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": packed})
    sent = body[: len(body) // 2] if is_cut else body
    await send({"type": "http.response.body", "body": sent, "more_body": is_cut})
