"""How HubSpot words what goes wrong on its side: planned faults as answers."""

from typing import Any

import orjson

from standins.faults import Fault
from standins.hubspot.answers import Answer, Json, unauthorized

_MESSAGES = {
    423: ("LOCKED", "Too many writes to the same records at once; the lock lasts two seconds."),
    477: ("MIGRATION_IN_PROGRESS", "This account is moving to another data centre."),
    500: ("INTERNAL_ERROR", "internal error"),
}
_LIMITS = {
    "": ("TEN_SECONDLY_ROLLING", "ten_secondly_rolling"),
    "SECONDLY": ("SECONDLY", "secondly"),
    "DAILY": ("DAILY", "daily"),
}


def failed(fault: Fault) -> Answer:
    """Give the vendor's body for a planned fault; what a proxy answers is a page."""
    status = fault.status or 200
    if status == 401:
        return unauthorized().answer
    if status == 429 and not fault.is_page:
        return Answer(status, _limited(fault.code), fault.headers)
    if status in _MESSAGES and not fault.is_page:
        category, message = _MESSAGES[status]
        body = {"status": "error", "message": message, "category": category}
        return Answer(status, body, fault.headers)
    return Answer(status, f"<html><body><h1>{status}</h1></body></html>\n", fault.headers)


def _limited(code: str) -> Json:
    policy, name = _LIMITS[code]
    return {
        "status": "error",
        "message": f"You have reached your {name} limit.",
        "category": "RATE_LIMITS",
        "errorType": "RATE_LIMIT",
        "policyName": policy,
    }


def without_rows(content: bytes, count: int) -> tuple[bytes, list[Json]]:
    """Take the first rows out of a batch of writes; give the request that is left, and them."""
    body = orjson.loads(content)
    refused, body["inputs"] = body["inputs"][:count], body["inputs"][count:]
    return orjson.dumps(body), refused


def with_refused(answer: Answer, refused: list[Json], code: str) -> Answer:
    """Add rows that were refused to the answer of a batch: it becomes a 207.

    A row without a trace id is named by its own.
    """
    body: dict[str, Any] = dict(answer.body) if isinstance(answer.body, dict) else {}
    errors = [*body.get("errors", ()), *(_row_error(row, code) for row in refused)]
    return Answer(207, body | {"numErrors": len(errors), "errors": errors}, answer.headers)


def _row_error(row: Json, code: str) -> Json:
    trace_id = row.get("objectWriteTraceId")
    context = {"ids": [row.get("id")]} if trace_id is None else {"objectWriteTraceId": [trace_id]}
    return {
        "status": "error",
        "category": code or "VALIDATION_ERROR",
        "message": "This row could not be written.",
        "context": context,
    }
