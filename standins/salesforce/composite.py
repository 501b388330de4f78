"""Several requests in one, the later ones able to use what the earlier ones answered."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from standins.salesforce.answers import (
    Answer,
    JsonObject,
    Refused,
    Request,
    json_answer,
    not_found,
    segments,
)
from standins.salesforce.bodies import json_list, json_object
from standins.salesforce.org import Org

_MOST_SUBREQUESTS = 25
_MOST_QUERIES = 5
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")


class Composite:
    """Answers to composite requests; `answer` is what answers each of their parts."""

    def __init__(self, org: Org, answer: Callable[[Request], Answer]) -> None:
        self._org, self._answer = org, answer

    def composite(self, request: Request, v: str) -> Answer:
        """Carry out up to 25 requests in one."""
        body = json_object(request.body)
        subrequests = json_list(body.get("compositeRequest"), "compositeRequest")
        if len(subrequests) > _MOST_SUBREQUESTS:
            raise Refused("LIMIT_EXCEEDED", f"at most {_MOST_SUBREQUESTS} subrequests")
        heavy = [one for one in subrequests if _is_heavy(str(one.get("url", "")))]
        if len(heavy) > _MOST_QUERIES:
            raise Refused(
                "LIMIT_EXCEEDED", f"at most {_MOST_QUERIES} queries and collections together"
            )
        is_all = bool(body.get("allOrNone"))
        self._org.journal.begin()
        answers: dict[str, JsonObject] = {}
        for one in subrequests:
            answers[str(one.get("referenceId"))] = self._part(one, request, answers)
        is_kept = not is_all or all(one["httpStatusCode"] < 400 for one in answers.values())
        self._org.end_transaction(is_kept=is_kept)
        shown = [one if is_kept else _halted(one) for one in answers.values()]
        return json_answer({"compositeResponse": shown})

    def _part(
        self, subrequest: JsonObject, request: Request, answers: Mapping[str, JsonObject]
    ) -> JsonObject:
        reference = str(subrequest.get("referenceId"))
        try:
            url = _filled_in(str(subrequest.get("url", "")), answers)
            raw = orjson.dumps(subrequest.get("body"), default=float).decode()
            part = _request(
                str(subrequest.get("method", "GET")).upper(),
                url,
                {**request.headers, **_lowered(subrequest.get("httpHeaders"))},
                _filled_in(raw, answers).encode() if "body" in subrequest else b"",
            )
            if not url.startswith("/services/data/"):
                raise not_found()
            answer = self._answer(part)
        except Refused as refused:
            answer = refused.as_answer()
        body = orjson.loads(answer.body) if answer.body else None
        return {
            "body": body, "httpHeaders": {}, "httpStatusCode": answer.status,
            "referenceId": reference,
        }  # fmt: skip


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Request:
    path, _, query = url.partition("?")
    return Request(method, segments(path), dict(parse_qsl(query)), headers, body)


def _is_heavy(url: str) -> bool:
    path = url.partition("?")[0]
    return "/query" in path or "/composite/sobjects" in path


def _lowered(headers: object) -> dict[str, str]:
    found = headers if isinstance(headers, dict) else {}
    return {str(name).lower(): str(value) for name, value in found.items()}


def _filled_in(text: str, answers: Mapping[str, JsonObject]) -> str:
    """Put in what earlier subrequests answered: `@{new.id}`."""

    def value(found: re.Match[str]) -> str:
        at: Any = answers.get(found[1], {}).get("body")
        for step in re.findall(r"\w+", found[2]):
            try:
                at = at[int(step)] if step.isdigit() else at[step]
            except (KeyError, IndexError, TypeError):
                at = None
        if at is None:
            raise Refused("PROCESSING_HALTED", f"Invalid reference specified. {found[0]}")
        return str(at)

    return _REFERENCE.sub(value, text)


def _halted(part: JsonObject) -> JsonObject:
    if part["httpStatusCode"] >= 400:
        return part
    message = "The transaction was rolled back since another operation in it failed."
    body = [{"errorCode": "PROCESSING_HALTED", "message": message}]
    return {**part, "body": body, "httpStatusCode": 400}
