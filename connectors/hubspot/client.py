"""One road to HubSpot: the official client's connection pool, time-outs, pace, and answers as JSON.

The client's typed models cost ten times the CPU of plain JSON and drop unknown fields, and half of
what we read has no class in it; so every request goes through its `call_api`, by our own paths.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import hubspot.crm.objects as official
import orjson
from pydantic import SecretStr
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from agreement.errors import BadInput
from connectors.hubspot import answers
from connectors.transport import Road

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
_CONNECTIONS = 16

# A database refuses the character NUL inside text; JSON carries it as this escape.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Client:
    """Sends one request at a time per thread; safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        access_token: SecretStr,
        road: Road,
        *,
        timeout: tuple[float, float] = (_CONNECT_SECONDS, _READ_SECONDS),
    ) -> None:
        self.road, self._timeout = road, timeout
        self._api = official.ApiClient(configuration=_configuration(base_url, access_token))
        self._api.user_agent = "tandem"
        self._api.set_default_header("Accept-Encoding", "gzip")

    def get(self, path: str, query: Query = (), *, what: str) -> Json:
        """Ask for something; `what` names it in messages."""
        return self._send("GET", path, query, None, what, lanes=("all",))

    def post(
        self, path: str, body: Json, query: Query = (), *, what: str, lane: str | None = None
    ) -> Json:
        """Send a body that does no more harm when it is sent twice: a read, or values to set.

        Args:
            path: from `Paths`.
            body: sent as JSON.
            query: pairs of names and values.
            what: the object it is about, for messages.
            lane: a pacer that applies beside the one for all requests.
        """
        lanes = ("all", lane) if lane else ("all",)
        return self._send("POST", path, query, body, what, lanes=lanes)

    def close(self) -> None:
        """Close the connections."""
        self._api.rest_client.pool_manager.clear()

    def _send(
        self, method: str, path: str, query: Query, body: Json | None, what: str, *, lanes: Any
    ) -> Json:
        return self.road.travel(
            lambda: self._once(method, path, query, body, what), is_repeatable=True, lanes=lanes
        )

    def _once(self, method: str, path: str, query: Query, body: Json | None, what: str) -> Json:
        try:
            answer = self._api.call_api(
                path,
                method,
                query_params=list(query),
                header_params={"Accept": "application/json"},
                body=body,
                auth_settings=["oauth2"],
                _preload_content=False,
                _request_timeout=self._timeout,
            )
            self._note_quota(answer.headers)
            return _parsed(answer.data)
        except official.ApiException as error:
            raise answers.failure(
                error.status or 0, error.headers or {}, error.body or "", what
            ) from None
        except HTTPError as error:
            # Its text holds the whole address; the kind of failure is enough.
            raise answers.unreadable(f"the connection failed ({_kind(error)})") from None
        except (UnicodeDecodeError, ValueError):
            raise answers.unreadable("its answer was no JSON") from None

    def _note_quota(self, headers: Mapping[str, str]) -> None:
        """Take over the daily quota; a search's answer does not tell it."""
        quota = headers.get("X-HubSpot-RateLimit-Daily", "")
        left = headers.get("X-HubSpot-RateLimit-Daily-Remaining", "")
        if quota.isdigit() and left.isdigit():
            self.road.budget.learn(int(quota), int(left))


def _configuration(base_url: str, access_token: SecretStr) -> Any:
    token = access_token.get_secret_value().strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        # The HTTP library would repeat the whole header, token included, in its message.
        raise BadInput("HUBSPOT_ACCESS_TOKEN holds a space or a character that no token has")
    configuration = official.Configuration(host=base_url)
    configuration.access_token = token
    # Its own default sleeps and repeats unseen by budget and pacer; repeating is the road's job.
    configuration.retries = Retry(0, respect_retry_after_header=False)
    configuration.connection_pool_maxsize = _CONNECTIONS
    return configuration


def _kind(error: HTTPError) -> str:
    return type(getattr(error, "reason", None) or error).__name__


def _parsed(data: bytes) -> Json:
    if not data:
        return {}
    # The first look costs next to nothing, the second a tenth of the parsing.
    if b"\\" in data and rb"\u0000" in data:
        data = _NUL.sub(rb"\1", data)
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError:
        told = _without_halves(data)
    if not isinstance(told, dict):
        raise ValueError("an answer is a JSON object")
    return told


def _without_halves(data: bytes) -> object:
    """Read JSON that holds half of a surrogate pair, which no UTF-8 store could keep."""
    text = json.dumps(json.loads(data), ensure_ascii=False)
    return orjson.loads(text.encode("utf-8", "replace"))
