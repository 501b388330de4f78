"""What HubSpot's failed answers mean: which of our errors, and whether waiting can cure it.

Bodies echo values that people typed; only codes, property names and scopes are taken from them.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agreement.errors import (
    AccessError,
    NotGranted,
    TandemError,
    VendorRejected,
    VendorUnavailable,
)
from connectors.transport import Again

SYSTEM = "HubSpot"

_WORD = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_SCOPE = re.compile(r"[a-z0-9._-]{1,80}")

_LOCK_SECONDS = 2.0

# HubSpot does not promise `Retry-After`: without it, wait as long as the limit looks back.
_SEARCH_SECONDS = 1.0
_WINDOW_SECONDS = 10.0


def failure(
    status: int, headers: Mapping[str, str], body: bytes | str, what: str
) -> Again | TandemError:
    """Give the error that an answer outside 2xx means.

    Args:
        status: HTTP status.
        headers: of the answer, looked up without regard to case.
        body: JSON, HTML or nothing: every part of it is optional.
        what: the object or record the request was about, for the message.
    """
    told = read_error(body)
    if status in {401, 530}:
        return AccessError(
            SYSTEM, "the token was refused", "Set HUBSPOT_ACCESS_TOKEN to a valid service key"
        )
    if status == 403:
        return _forbidden(told, what)
    if status == 429:
        return _limited(told, _retry_after(headers))
    if status == 423:
        wait = max(_LOCK_SECONDS, _retry_after(headers) or 0.0)
        return _again(f"{what} is locked", wait, is_refused=True)
    if status == 477:
        return VendorUnavailable(
            SYSTEM, "the account is moving to another data centre", _after(_retry_after(headers))
        )
    if status >= 500 or status == 408:
        return _again(f"it answered {status}", _retry_after(headers))
    return VendorRejected(
        SYSTEM, what, reason(told, str(status)), "Correct the field, record or setting it names"
    )


def unreadable(what: str) -> Again:
    """Give the error of an answer that was cut off, is no JSON or never came."""
    return _again(what, None)


def _again(what: str, after: float | None, *, is_refused: bool = False) -> Again:
    return Again(VendorUnavailable(SYSTEM, what), after_seconds=after, is_refused=is_refused)


def _forbidden(told: Mapping[str, Any], what: str) -> AccessError:
    scopes = _texts(told, "requiredGranularScopes", _SCOPE) or _texts(
        told, "requiredScopes", _SCOPE
    )
    if scopes:
        return NotGranted(
            SYSTEM,
            f"the token may not use {what}: it lacks {', '.join(scopes)}",
            "Grant it to the service key",
        )
    return NotGranted(
        SYSTEM,
        f"the token may not use {what}: {reason(told, '403')}",
        "Grant the scope, or check that the portal's plan has it",
    )


def _limited(told: Mapping[str, Any], after: float | None) -> Again | VendorUnavailable:
    policy = str(told.get("policyName") or "")
    message = str(told.get("message") or "").lower()
    if policy == "DAILY" or "daily limit" in message:
        return VendorUnavailable(
            SYSTEM,
            "the account's daily limit of requests is reached",
            "It starts again at midnight in the account's time zone; the next run goes on",
        )
    if after is None:
        is_search = policy == "SECONDLY" or "your secondly limit" in message
        after = _SEARCH_SECONDS if is_search else _WINDOW_SECONDS
    return _again("its rate limit is reached", after, is_refused=True)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    given = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
    try:
        return max(0.0, float(given))
    except ValueError:
        return None


def _after(seconds: float | None) -> str:
    return "Try again later." if seconds is None else f"Try again in {seconds / 60:.0f} minutes."


def read_error(body: bytes | str) -> dict[str, Any]:
    """Read an error body; what is no JSON object is empty."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def reason(told: Mapping[str, Any], otherwise: str = "refused") -> str:
    """Say why in codes and property names only, never in the vendor's sentences.

    >>> reason({"category": "VALIDATION_ERROR", "errors": [
    ...     {"code": "INVALID_OPTION", "context": {"propertyName": ["tier"]}}]})
    'VALIDATION_ERROR INVALID_OPTION tier'
    """
    parts = [*_codes(told), *_property_names(told)]
    return " ".join(dict.fromkeys(parts)) or otherwise


def _codes(told: Mapping[str, Any]) -> Iterator[str]:
    for item in (told, *_items(told)):
        for key in ("category", "subCategory", "code", "error", "errorType"):
            if isinstance(item.get(key), str) and _WORD.fullmatch(item[key]):
                yield item[key]


def _property_names(told: Mapping[str, Any]) -> Iterator[str]:
    yield from _texts(told, "propertyName", _NAME)
    for item in _items(told):
        yield from _texts(item, "propertyName", _NAME)
        if isinstance(item.get("name"), str) and _NAME.fullmatch(item["name"]):
            yield item["name"]


def _items(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List an error's parts: `errors`, and the JSON that the message holds in brackets."""
    listed = told.get("errors")
    parts: Iterable[Any] = listed if isinstance(listed, list) else ()
    return [part for part in (*parts, *_bracketed(told.get("message"))) if isinstance(part, dict)]


def _bracketed(message: object) -> list[Any]:
    text = message if isinstance(message, str) else ""
    start, end = text.find("["), text.rfind("]")
    try:
        found = json.loads(text[start : end + 1]) if 0 <= start < end else []
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _texts(told: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> list[str]:
    context = told.get("context")
    found = context.get(key) if isinstance(context, dict) else None
    texts = found if isinstance(found, list) else [found]
    return [text for text in texts if isinstance(text, str) and pattern.fullmatch(text)]


def context_ids(told: Mapping[str, Any], key: str) -> list[str]:
    """List what an error's context holds under a key, as text."""
    context = told.get("context")
    found = context.get(key) if isinstance(context, dict) else None
    texts = found if isinstance(found, list) else [found]
    return [str(text) for text in texts if text is not None]
