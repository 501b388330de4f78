"""What Salesforce's answers mean: who has to act, whether waiting helps, and safe words for it.

Nothing of an answer's body is repeated but codes, ids and field names; a query stands in the
client's exceptions, and people stand in rows and messages.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import requests
import urllib3
from simple_salesforce.exceptions import SalesforceError

from agreement.errors import AccessError, VendorError, VendorRejected, VendorUnavailable
from connectors.transport import Again

SYSTEM = "salesforce"

# What a broken line looks like, on the way there and while a body is read: worth a second try.
_BROKEN = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
)

LOCKED = "UNABLE_TO_LOCK_ROW"

# No right on one object or field, where others of these concern the whole org or app.
NO_RIGHT = ("INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY")

_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,79}")
_CODE_WORD = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
_EMAIL = re.compile(r"[^\s@<>\"',;:()]+@[^\s@<>\"',;:()]+")
_LONG_NUMBER = re.compile(r"(?<![\w])\+?\d[\d ()./-]{5,}\d(?![\w])")
_LONGEST_REASON = 240
_HIDDEN = "[...]"


def network_fault(error: Exception) -> Exception:
    """Say what a request without an answer means."""
    unavailable = VendorUnavailable(SYSTEM, f"no answer ({type(error).__name__})")
    return Again(unavailable) if isinstance(error, _BROKEN) else unavailable


def fault(error: SalesforceError, what: str) -> Exception:
    """Say what an answer with an error status means; `what` names the object or call.

    Gives `Again` where waiting may help. The reason of a `VendorRejected` is the vendor's codes.
    """
    codes = codes_of(error.content)
    reason = ", ".join(codes) or f"HTTP {error.status}"
    if error.status == 401:
        return AccessError(
            SYSTEM,
            f"the session is not valid ({reason})",
            "Renew the credentials that SALESFORCE_... settings name; check the user's API access",
        )
    if "REQUEST_LIMIT_EXCEEDED" in codes:
        return _limit(error.content)
    if LOCKED in codes:
        return Again(VendorUnavailable(SYSTEM, f"{what}: {reason}"), is_refused=True)
    if error.status == 403:
        return AccessError(SYSTEM, f"{what} is not allowed ({reason})", _next_step(reason))
    if error.status >= 500 or error.status in {408, 429}:
        return Again(VendorUnavailable(SYSTEM, f"answered {error.status} ({reason})"))
    return VendorRejected(SYSTEM, what, reason, _next_step(reason))


def codes_of(content: object) -> tuple[str, ...]:
    """List the vendor's error codes in an answer's body; an HTML page has none."""
    items = content if isinstance(content, list) else [content]
    codes = (
        item.get("errorCode") or item.get("statusCode") for item in items if isinstance(item, dict)
    )
    return tuple(dict.fromkeys(code for code in codes if code and _CODE.fullmatch(str(code))))


def codes_of_text(text: str) -> tuple[str, ...]:
    """List the words of a message that are codes, such as `INVALID_FIELD`."""
    return tuple(dict.fromkeys(_CODE_WORD.findall(text)))


def has_code(error: VendorError, *codes: str) -> bool:
    """Tell whether a rejection or a missing right bears one of these codes."""
    reason = error.reason if isinstance(error, VendorRejected) else str(error)
    return not set(codes).isdisjoint(_CODE.findall(reason))


def _limit(content: object) -> Exception:
    """Tell the two limits of one code apart: requests at once pass in seconds, a day's do not."""
    if "oncurrent" in str(content):
        return Again(VendorUnavailable(SYSTEM, "too many long requests at once"), is_refused=True)
    return VendorUnavailable(
        SYSTEM,
        "the org's API requests of the last 24 hours are used up",
        "Wait some hours, or ask the vendor for more; the next run goes on where this one stopped.",
    )


def _next_step(reason: str) -> str:
    if "API_DISABLED" in reason or "API_CURRENTLY_DISABLED" in reason:
        return "Enable the API for this org and user"
    if "INVALID_FIELD" in reason or "INVALID_TYPE" in reason:
        return "Check that the integration user may see the object and field"
    if "ACCESS" in reason or "FORBIDDEN" in reason:
        return "Grant the integration user the permissions that the README lists"
    return "See Salesforce's documentation of this code, and the record named"


def row_reason(errors: Iterable[Mapping[str, Any]], sent: Iterable[str | None]) -> str:
    """Write one row's errors as `CODE: message (fields)`, without the values that were sent.

    Messages echo values; what was sent, e-mail addresses and long numbers are blanked.
    """
    parts = []
    for error in errors:
        code = str(error.get("statusCode") or error.get("errorCode") or "UNKNOWN_EXCEPTION")
        fields = [str(field) for field in error.get("fields") or ()]
        shown = f" ({', '.join(fields)})" if fields else ""
        parts.append(f"{code}: {blank(str(error.get('message') or ''), sent)}{shown}")
    return "; ".join(parts) or "UNKNOWN_EXCEPTION: refused without a reason"


def blank(message: str, sent: Iterable[str | None]) -> str:
    """Blank the values in a vendor's message, and cut it to one short line."""
    lines = message.strip().splitlines()
    text = lines[0] if lines else ""
    for value in sorted((value for value in sent if value), key=len, reverse=True):
        text = text.replace(value, _HIDDEN) if len(value) > 2 else text
    text = _LONG_NUMBER.sub(_HIDDEN, _EMAIL.sub(_HIDDEN, text))
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."
