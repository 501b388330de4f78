"""How Salesforce words what goes wrong on its side: planned faults as answers."""

from typing import Any

import orjson

from standins.faults import Fault
from standins.salesforce.answers import Answer, Refused, html_answer, json_answer

LOCKED = "UNABLE_TO_LOCK_ROW"
_JSON = "application/json"
_LOCK_MESSAGE = "unable to obtain exclusive access to this record or 1 records"
_LIMITS = {
    "": "TotalRequests Limit exceeded.",
    "CONCURRENT": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
}


def failed(fault: Fault, *, is_login: bool) -> Answer:
    """Give the vendor's body for a planned fault; what the edge answers is a page."""
    status = fault.status or 200
    refused = None if fault.is_page else _refused(status, fault.code)
    if refused is None:
        answer = html_answer(status, "Service Unavailable")
    elif is_login:
        # The token endpoint words its refusals as an object, never as a list.
        answer = json_answer({"error": "server_error", "error_description": "retry"}, status)
    else:
        answer = refused.as_answer()
    return Answer(answer.status, answer.body, {**answer.headers, **fault.headers})


def _refused(status: int, code: str) -> Refused | None:
    if status == 400:
        return Refused(code or LOCKED, _LOCK_MESSAGE)
    if status == 401:
        return Refused("INVALID_SESSION_ID", "Session expired or invalid", status=401)
    if status == 403:
        return Refused("REQUEST_LIMIT_EXCEEDED", _LIMITS[code], status=403)
    if status == 500:
        message = "An unexpected error occurred. ErrorId: 1-2 (3)"
        return Refused("UNKNOWN_EXCEPTION", message, status=500)
    if status == 503:
        return Refused("SERVER_UNAVAILABLE", "Service unavailable", status=503)
    return None


def without_rows(body: bytes, count: int) -> tuple[bytes, int]:
    """Take the first rows out of a collection of writes; give what is left, and their number."""
    told = orjson.loads(body)
    rows = told.get("records") or []
    taken = rows[:count]
    return orjson.dumps(told | {"records": rows[count:]}), len(taken)


def with_refused(answer: Answer, count: int, code: str) -> Answer:
    """Put the results of refused rows before those of the rows that were carried out."""
    error = Refused(code or LOCKED, _LOCK_MESSAGE).as_row_error()
    refused: list[Any] = [{"success": False, "errors": [error]}] * count
    return json_answer(refused + orjson.loads(answer.body), answer.status)
