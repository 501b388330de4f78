"""One HTTP request as the handlers see it, read the way HubSpot reads it."""

import base64
import binascii
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from standins.hubspot.answers import (
    Answer,
    Json,
    invalid,
    malformed,
    missing_scopes,
    unknown_object,
)
from standins.hubspot.portal import Portal
from standins.hubspot.schema import Kind


class Route(NamedTuple):
    """An endpoint: the path has its variable parts in braces."""

    method: str
    path: str
    handle: "Callable[[Ask], Answer]"


def routes(
    prefixes: Sequence[str], *endpoints: "tuple[str, str, Callable[[Ask], Answer]]"
) -> Iterator[Route]:
    """Serve the same endpoints below each prefix: the numbered path and its dated successors."""
    for prefix in prefixes:
        for method, path, handle in endpoints:
            yield Route(method, prefix + path, handle)


@dataclass(frozen=True)
class Ask:
    """A request that passed authentication. `scopes` of None stands for all of them."""

    portal: Portal
    scopes: Collection[str] | None
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    content: bytes

    def has(self, scope: str) -> bool:
        """Tell whether the token was granted a scope."""
        return self.scopes is None or scope in self.scopes

    def need(self, *scopes: str) -> None:
        """Require one of some scopes.

        Raises:
            Refusal: the token has none of them.
        """
        if not any(self.has(scope) for scope in scopes):
            raise missing_scopes(scopes)

    def kind(self, part: str = "type") -> Kind:
        """Read an object type out of the path.

        Raises:
            Refusal: the portal has no such object.
        """
        found = self.portal.kind(self.path[part])
        if found is None:
            raise unknown_object(self.path[part])
        return found

    def json(self, *required: str) -> Json:
        """Read the body as a JSON object.

        Raises:
            Refusal: it is none, or a required field is missing.
        """
        body = self._parsed()
        if not isinstance(body, dict):
            raise malformed("Cannot deserialize an object")
        return with_fields(body, *required)

    def json_list(self) -> list[Json]:
        """Read the body as a JSON list of objects.

        Raises:
            Refusal: it is none.
        """
        body = self._parsed()
        if not isinstance(body, list) or any(not isinstance(each, dict) for each in body):
            raise malformed("Cannot deserialize a list")
        return body

    def _parsed(self) -> Any:
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError as error:
            raise malformed(str(error)) from None

    def inputs(self, most: int, *required: str) -> list[Json]:
        """Read the `inputs` of a batch, each a JSON object.

        Raises:
            Refusal: there are too many, or one is malformed.
        """
        listed = self.json("inputs")["inputs"]
        if not isinstance(listed, list) or any(not isinstance(each, dict) for each in listed):
            raise malformed("Cannot deserialize inputs")
        if len(listed) > most:
            raise invalid(f"The maximum number of inputs supported in a batch request is {most}")
        return [with_fields(each, *required) for each in listed]

    def listed(self, name: str) -> list[str]:
        """Read a list parameter: repeated, joined by commas, or both."""
        parts = ",".join(self.query.get(name, ())).split(",")
        return [part.strip() for part in parts if part.strip()]

    def text(self, name: str) -> str | None:
        """Read a parameter; its last occurrence wins, empty is missing."""
        values = self.query.get(name)
        return values[-1] if values and values[-1] else None

    def flag(self, name: str) -> bool:
        """Read a boolean parameter in any capitalisation; missing is false.

        Raises:
            Refusal: it is neither true nor false.
        """
        value = (self.text(name) or "false").lower()
        if value not in {"true", "false"}:
            raise invalid(f"{name} must be true or false, and is {value}")
        return value == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """Read a page size.

        Raises:
            Refusal: it is no number, or outside 1 to `most`.
        """
        text = self.text(name) or str(default)
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise invalid(f"{name} must be from 1 to {most}, and is {text}")
        return int(text)

    def cursor(self, name: str = "after") -> int:
        """Read the place where a page starts, as `cursor` gave it; 0 when there is none.

        Raises:
            Refusal: it is none of ours.
        """
        return read_cursor(self.text(name))


def with_fields(body: Json, *required: str) -> Json:
    """Require fields of a JSON object.

    Raises:
        Refusal: one is missing or null.
    """
    missing = [name for name in required if body.get(name) is None]
    if missing:
        raise malformed(f"Some required fields were not set: [{', '.join(missing)}]")
    return body


def names_in(body: Json, field: str) -> list[str]:
    """Read a list of names out of a body; missing is empty.

    Raises:
        Refusal: it is no list of texts.
    """
    names = body.get(field)
    if names is None:
        return []
    if not isinstance(names, list) or any(not isinstance(name, str) for name in names):
        raise malformed(f"Cannot deserialize {field}")
    return names


def cursor(place: int) -> str:
    """Give an opaque cursor, so that no client can count on what it holds."""
    return base64.urlsafe_b64encode(f"n{place}".encode()).decode().rstrip("=")


def read_cursor(text: object) -> int:
    """Read an opaque cursor; 0 when there is none.

    Raises:
        Refusal: it is none of ours.
    """
    if not text:
        return 0
    try:
        padded = str(text) + "=" * (-len(str(text)) % 4)
        read = base64.urlsafe_b64decode(padded).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        read = ""
    if not read.startswith("n") or not read[1:].isdecimal():
        raise invalid(f"after is no cursor of ours: {text}")
    return int(read[1:])


def batch_answer(
    at: str, results: Sequence[Any], errors: Sequence[Json] = (), status: int = 200
) -> Answer:
    """Build the answer of a batch: 207 as soon as one input failed, else `status`."""
    body: Json = {
        "status": "COMPLETE",
        "results": list(results),
        "startedAt": at,
        "completedAt": at,
    }
    if not errors:
        return Answer(status, body)
    return Answer(207, body | {"numErrors": len(errors), "errors": list(errors)})
