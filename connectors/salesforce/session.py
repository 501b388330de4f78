"""The session that owns the token: one login for all threads, time-outs, and a road for plain http.

The official client passes no time-out, repeats logins without end, drops headers when it repeats,
and knows https only. All its parts call `session.request`, so one session cures them all.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt
import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from simple_salesforce.api import Salesforce as OfficialClient

from agreement.errors import AccessError, BadInput, VendorUnavailable
from connectors.clock import utc_now
from connectors.salesforce.answers import SYSTEM, network_fault
from connectors.salesforce.values import long_id
from connectors.settings import SalesforceAccess
from connectors.transport import Again, check_url, is_loopback

VERSION = "66.0"

Timeout = tuple[float, float]

_POOL = 16
# How often one request may ask for a new token.
_RENEWALS = 3
_JWT_SECONDS = 180
_BASIC_STEP = "Check SALESFORCE_CLIENT_ID and SALESFORCE_CLIENT_SECRET, and the app's run-as user"
_JWT_STEP = (
    "Check SALESFORCE_CLIENT_ID, SALESFORCE_USERNAME and the private key, and that an admin "
    "approved the user for the app"
)


class Token(NamedTuple):
    """What a login gives: the token, where the org answers, and whose token it is if told."""

    value: SecretStr
    instance_url: str
    user_id: str | None


class PlainHttp(HTTPAdapter):
    """Carries the client's hard-coded https to a plain-http address of this machine."""

    def __init__(self, target: str) -> None:
        self._target = target
        super().__init__(pool_maxsize=_POOL)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        """Send the request to the target, past any proxy."""
        parts = urlsplit(str(request.url))
        request.url = self._target + parts.path + (f"?{parts.query}" if parts.query else "")
        return super().send(request, *args, **{**options, "proxies": {}})


class _Bearer(AuthBase):
    """Sets the token when a request is built, over any `.netrc` of this machine."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.value.get_secret_value()}"
        return request


class TokenSession(requests.Session):
    """A session that logs in by itself, once for all threads, and again when the token has died.

    A new token that no request was ever answered with is not tried again once it is refused; one
    that was good and died is renewed at most three times for a request. `login` must not use this
    session. `spend` is called for the repeat after a login, which the caller does not see, `learn`
    with the org's daily quota and what is left of it.
    """

    def __init__(
        self,
        login: Callable[[], Token],
        *,
        can_renew: bool,
        timeout: Timeout,
        spend: Callable[[], None],
        learn: Callable[[int, int], None],
    ) -> None:
        super().__init__()
        self._login, self._can_renew = login, can_renew
        self._timeout, self._spend, self._learn = timeout, spend, learn
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._accepted: Token | None = None
        self.api_used: tuple[int, int] | None = None
        self.headers["Sforce-Call-Options"] = "client=tandem"
        self.mount("https://", HTTPAdapter(pool_maxsize=_POOL))

    def token(self, refused: Token | None = None) -> Token:
        """Give the token in use; log in when there is none, or when it is the refused one."""
        with self._lock:
            if self._token is None or self._token is refused:
                self._token = None
                self._token = self._login()
                self._mount_loopback(self._token.instance_url)
            return self._token

    def request(  # type: ignore[override]
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        """Send a request with the token and a time-out; again when the token has died."""
        token = self.token()
        answer = self._send(method, url, token, headers, options)
        for attempt in range(_RENEWALS):
            if not is_dead_session(answer) or not self._may_renew(token, is_first=attempt == 0):
                break
            token = self.token(refused=token)
            self._spend()
            answer = self._send(method, url, token, headers, options)
        self._note_usage(answer.headers.get("Sforce-Limit-Info", ""))
        return answer

    def _may_renew(self, refused: Token, *, is_first: bool) -> bool:
        """Tell whether another token may help: not when a fresh one was refused at once."""
        with self._lock:
            was_good = self._accepted is refused or self._token is not refused
        return self._can_renew and (is_first or was_good)

    def _send(
        self,
        method: str,
        url: str,
        token: Token,
        headers: Mapping[str, str] | None,
        options: Mapping[str, Any],
    ) -> requests.Response:
        # Pretty-printed JSON is a third larger, and the client asks for it on every call.
        kept = {
            name: value
            for name, value in (headers or {}).items()
            if name not in {"Authorization", "X-PrettyPrint"}
        }
        answer = super().request(
            method,
            url,
            headers=kept,
            auth=_Bearer(token),
            **{"timeout": self._timeout, **options},
        )
        if not is_dead_session(answer):
            self._accepted = token
        return answer

    def _mount_loopback(self, instance_url: str) -> None:
        parts = urlsplit(instance_url)
        if parts.scheme == "http" and is_loopback(parts.hostname):
            self.mount(f"https://{parts.netloc}", PlainHttp(instance_url))

    def _note_usage(self, info: str) -> None:
        """Keep `api-usage=18/15000`: the org's requests of the last 24 hours, and its limit."""
        usage = info.partition("api-usage=")[2].partition(";")[0]
        used, _, limit = usage.partition("/")
        if used.isdigit() and limit.isdigit():
            self.api_used = int(used), int(limit)
            self._learn(int(limit), max(0, int(limit) - int(used)))


def is_dead_session(answer: requests.Response) -> bool:
    """Tell whether a new login can cure this answer; a session that REST refuses stays refused."""
    return (
        answer.status_code == 401
        and b"INVALID_SESSION_ID" in answer.content
        and b"not valid for use with the REST API" not in answer.content
    )


class Client(OfficialClient):
    """The official client over a token session: its addresses, headers and errors."""

    def __init__(self, instance_url: str, session: TokenSession) -> None:
        super().__init__(
            instance_url=instance_url,
            session_id="owned-by-the-session",
            version=VERSION,
            session=session,
            object_pairs_hook=None,
        )

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; `path` is under the versioned root, or whole from the host's root.

        Raises:
            SalesforceError: the answer's status is 300 or above.
        """
        root = f"https://{self.sf_instance}" if path.startswith("/") else self.base_url
        answer: requests.Response = self._call_salesforce(method, root + path, **options)
        return answer


def login(access: SalesforceAccess, timeout: Timeout) -> Token:
    """Ask for a token, by the flow that the settings chose.

    Raises:
        AccessError: the login was refused.
        Again: it was not answered.
    """
    form, basic = _grant(access, utc_now())
    url = f"{access.login_url}/services/oauth2/token"
    with requests.Session() as session:
        session.trust_env = not is_loopback(urlsplit(url).hostname)
        try:
            answer = session.post(url, data=form, auth=basic, timeout=timeout)
        except requests.RequestException as error:
            raise network_fault(error) from None
    return _read_token(answer, _JWT_STEP if basic is None else _BASIC_STEP)


def _grant(
    access: SalesforceAccess, now: datetime
) -> tuple[dict[str, str], requests.auth.HTTPBasicAuth | None]:
    if access.private_key is None:
        secret = access.client_secret.get_secret_value() if access.client_secret else ""
        basic = requests.auth.HTTPBasicAuth(str(access.client_id), secret)
        return {"grant_type": "client_credentials"}, basic
    assertion = _assertion(access, access.private_key, now)
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": assertion,
    }, None


def _assertion(access: SalesforceAccess, key: SecretStr, now: datetime) -> str:
    """Sign who we are; the audience is the general login host, also behind a My Domain."""
    host = urlsplit(str(access.login_url)).hostname or ""
    is_sandbox = host == "test.salesforce.com" or ".sandbox." in host
    claims = {
        "iss": access.client_id,
        "sub": access.username,
        "aud": f"https://{'test' if is_sandbox else 'login'}.salesforce.com",
        "exp": int(now.timestamp()) + _JWT_SECONDS,
    }
    try:
        return jwt.encode(claims, key.get_secret_value(), algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        raise BadInput(
            "SALESFORCE_PRIVATE_KEY is no RSA private key in PEM form. Give the key whose "
            "certificate the app holds, without a passphrase"
        ) from None


def _read_token(answer: requests.Response, next_step: str) -> Token:
    try:
        body = answer.json()
    except requests.JSONDecodeError:
        body = None
    if answer.status_code >= 500 or answer.status_code in {408, 429}:
        raise Again(VendorUnavailable(SYSTEM, f"the login answered {answer.status_code}"))
    if not isinstance(body, dict) or (answer.ok and "access_token" not in body):
        raise AccessError(
            SYSTEM,
            f"no login is answered there (HTTP {answer.status_code})",
            "Set SALESFORCE_LOGIN_URL to your My Domain, https://NAME.my.salesforce.com",
        )
    if not answer.ok:
        raise AccessError(SYSTEM, f"the login was refused ({_oauth_code(body)})", next_step)
    # An answer that leads elsewhere would take the token with it.
    instance_url = check_url("the login's instance_url", str(body.get("instance_url")))
    user_id = str(body.get("id") or "").rstrip("/").rpartition("/")[2]
    return Token(SecretStr(body["access_token"]), instance_url, long_id(user_id) or None)


def _oauth_code(body: Mapping[str, Any]) -> str:
    code = str(body.get("error"))
    return code if code.replace("_", "").isalpha() and len(code) < 60 else "no code"
