"""Requests and answers as the stand-in sees them, and the refusals that Salesforce words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import orjson

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request, or one subrequest of a composite; `path` has its segments decoded.

    `query` is decoded too, `headers` have lower-case names. `base` is the address of the server.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str = ""


@dataclass(frozen=True)
class Answer:
    """What goes back: a status, a body ready to send, and headers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A refusal in the vendor's words.

    For a whole request it becomes the answer; for one row of several it becomes the row's error.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fields: Sequence[str] = (),
        status: int = 400,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code, self.message, self.fields, self.status = code, message, list(fields), status
        self.more = dict(more or {})

    def as_answer(self) -> Answer:
        """Word the refusal of a request: a list, also for a single fault."""
        fault: JsonObject = {"message": self.message, "errorCode": self.code, **self.more}
        if self.fields:
            fault["fields"] = self.fields
        return json_answer([fault], self.status)

    def as_row_error(self) -> JsonObject:
        """Word the refusal of one row; rows say `statusCode` where requests say `errorCode`."""
        said = {"statusCode": self.code, "message": self.message, "fields": self.fields}
        return {**said, **self.more}


class Unreadable(Refused):
    """A request whose body does not fit the object: refused whole, before any row is looked at."""


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with compact JSON; decimals keep the digits they have."""
    body = orjson.dumps(value, default=_plain)
    return Answer(
        status, body, {"content-type": "application/json;charset=UTF-8", **(headers or {})}
    )


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is no JSON value")


def not_found() -> Refused:
    """Word the answer to an address that does not exist."""
    return Refused("NOT_FOUND", "The requested resource does not exist", status=404)


def html_answer(status: int, reason: str) -> Answer:
    """Answer as the edge in front of the platform does: a page, not JSON."""
    page = f"<h1>Bad Message {status}</h1><pre>reason: {reason}</pre>"
    return Answer(status, page.encode(), {"content-type": "text/html;charset=iso-8859-1"})


def segments(path: str) -> tuple[str, ...]:
    """Split a path as sent into decoded segments; a slash at the end does not count."""
    return tuple(unquote(one) for one in path.strip("/").split("/"))
