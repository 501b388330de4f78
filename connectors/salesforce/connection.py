"""One connection to one org: requests out, answers in, each failure as one of our errors."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
import requests
import urllib3
from simple_salesforce.exceptions import SalesforceError

from agreement.errors import VendorError, VendorUnavailable
from connectors.salesforce.answers import SYSTEM, fault, network_fault
from connectors.salesforce.session import Client, Timeout, Token, TokenSession, login
from connectors.salesforce.values import long_id
from connectors.settings import SalesforceAccess
from connectors.transport import Again, Road

T = TypeVar("T")

Headers = Mapping[str, str]


class Connection:
    """Sends requests on the road to one org. Safe to share between threads.

    Nothing is sent before the first request; that one is preceded by the login.
    """

    def __init__(self, access: SalesforceAccess, road: Road, *, timeout: Timeout) -> None:
        self.road = road
        self._access, self._timeout = access, timeout
        self._session = TokenSession(
            self._log_in,
            can_renew=access.access_token is None,
            timeout=timeout,
            spend=road.budget.spend,
            learn=road.budget.learn,
        )
        self._client_lock, self._user_lock = threading.Lock(), threading.Lock()
        self._client: Client | None = None
        self._user_id: str | None = None
        self._is_user_asked = False

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    @property
    def api_used(self) -> tuple[int, int] | None:
        """Give the org's requests of the last 24 hours and their limit, as last told."""
        return self._session.api_used

    def user_id(self) -> str | None:
        """Give the user behind the token; None when the org does not tell. One request at most."""
        token = self._session.token()
        if token.user_id:
            return token.user_id
        with self._user_lock:
            if not self._is_user_asked:
                self._is_user_asked = True
                self._user_id = self._ask_user_id()
            return self._user_id

    def ask(
        self,
        method: str,
        path: str,
        *,
        what: str,
        read: Callable[[bytes], Any] = orjson.loads,
        is_repeatable: bool = True,
        **options: Any,
    ) -> Any:
        """Send a request and read its answer, by default as JSON; None when it is empty.

        Args:
            method: the verb.
            path: under the versioned root, or from the host's root when it begins with a slash.
            what: names the call in an error; no values.
            read: makes the body into what is wanted; a ValueError means that it came in pieces.
            is_repeatable: doing it twice is the same as once.
            options: what `requests` takes: params, data, headers.

        Raises:
            VendorError: the one that says who has to act.
        """

        def read_whole(answer: requests.Response) -> Any:
            content = _content(answer)
            return read(content) if content else None

        return self._travel(method, path, what, read_whole, is_repeatable, options)

    def fetch(self, path: str, *, what: str, **options: Any) -> tuple[bytes, Headers]:
        """Get rows as CSV, with the answer's headers.

        Raises:
            VendorError: the one that says who has to act.
        """

        def read_raw(answer: requests.Response) -> tuple[bytes, Headers]:
            if "html" in answer.headers.get("Content-Type", ""):
                # A proxy's page would read as a file without rows.
                raise ValueError("a page instead of rows")
            return _content(answer), answer.headers

        return self._travel("GET", path, what, read_raw, True, options)

    def _travel(
        self,
        method: str,
        path: str,
        what: str,
        read: Callable[[requests.Response], T],
        is_repeatable: bool,
        options: Mapping[str, Any],
    ) -> T:
        client = self._open_client()

        def send() -> T:
            try:
                return read(client.send(method, path, stream=True, **options))
            except SalesforceError as error:
                raise fault(error, what) from None
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise network_fault(error) from None
            except ValueError:
                broken = VendorUnavailable(SYSTEM, f"the answer to {what} is cut or no data")
                raise Again(broken) from None

        return self.road.travel(send, is_repeatable=is_repeatable)

    @property
    def instance_url(self) -> str:
        """Give the org's address, as the login says."""
        return self._session.token().instance_url

    def _open_client(self) -> Client:
        with self._client_lock:
            if self._client is None:
                self._client = Client(self.instance_url, self._session)
            return self._client

    def _log_in(self) -> Token:
        access = self._access
        if access.access_token is not None:
            return Token(access.access_token, str(access.instance_url), None)
        return self.road.travel(lambda: login(access, self._timeout), is_repeatable=True)

    def _ask_user_id(self) -> str | None:
        try:
            body = self.ask("GET", "/services/oauth2/userinfo", what="the token's user")
        except VendorError:
            # An app without the identity scope may do everything else.
            return None
        return long_id(str(body["user_id"])) if body and body.get("user_id") else None


def _content(answer: requests.Response) -> bytes:
    """Read a whole body at once; `Response.content` would unpack it in pieces of ten kilobytes."""
    content: bytes = answer.raw.read(decode_content=True)
    return content
