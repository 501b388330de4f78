"""What HubSpot answers when it refuses, word for word where recorded answers are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from standins.hubspot.values import Fault

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An answer before it is put into HTTP. Without a body nothing is sent; text is HTML."""

    status: int
    body: Json | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The vendor refuses a request as a whole; `body` lacks only the correlation id."""

    def __init__(self, status: int, body: Json | str, headers: Mapping[str, str] | None = None):
        super().__init__(status, body, headers)
        self.answer = Answer(status, body, headers or {})


def refused(status: int, category: str | None, message: str, **more: Any) -> Refusal:
    """Build a refusal with the vendor's usual body; a category of None is left out."""
    body: Json = {"status": "error", "message": message} | more
    return Refusal(status, body | ({"category": category} if category else {}))


def invalid(message: str, **more: Any) -> Refusal:
    """Refuse a request whose content is wrong."""
    return refused(400, "VALIDATION_ERROR", message, **more)


def malformed(why: str) -> Refusal:
    """Refuse a body that is not the JSON that the endpoint reads."""
    return invalid(f"Invalid input JSON on line 1, column 1: {why}")


def not_found(message: str = "resource not found") -> Refusal:
    """Refuse an id that nothing has."""
    return refused(404, "OBJECT_NOT_FOUND", message)


def conflict(message: str, **more: Any) -> Refusal:
    """Refuse a write that collides with a record that is there."""
    return refused(409, "CONFLICT", message, **more)


def unknown_object(name: str) -> Refusal:
    """Refuse an object type that the portal does not have."""
    return refused(400, None, f"Unable to infer object type from: {name}")


def missing_scopes(scopes: Sequence[str]) -> Refusal:
    """Refuse a token that lacks every one of these scopes."""
    return refused(
        403,
        "MISSING_SCOPES",
        "One or more of the following scopes are required.",
        context={"requiredGranularScopes": list(scopes)},
    )


def unauthorized() -> Refusal:
    """Refuse a request without a valid token."""
    return refused(
        401,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
        "can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
    )


def uri_too_long() -> Refusal:
    """Refuse a long address: the page comes from a proxy, in HTML."""
    return Refusal(414, "<html><head><title>414 Request-URI Too Large</title></head></html>\n")


@dataclass(frozen=True)
class Problem:
    """One property of one record that cannot be written as asked."""

    name: str
    fault: Fault

    def in_message(self) -> Json:
        """Give the problem as it stands, JSON inside a sentence, in the message."""
        return {
            "isValid": False,
            "message": self.fault.message,
            "error": self.fault.code,
            "name": self.name,
        }

    def as_detail(self) -> Json:
        """Give the problem as an item of `errors`."""
        return {
            "message": self.fault.message,
            "code": self.fault.code,
            "context": {"propertyName": [self.name]},
        }


def invalid_values(problems: Sequence[Problem]) -> Refusal:
    """Refuse property values: the list is encoded a second time inside the message."""
    listed = orjson.dumps([problem.in_message() for problem in problems]).decode()
    return invalid(
        f"Property values were not valid: {listed}",
        errors=[problem.as_detail() for problem in problems],
    )
