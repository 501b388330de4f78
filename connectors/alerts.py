"""Deliver one message: to the terminal, to a webhook as JSON, or to whatever Apprise knows."""

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import requests
from pydantic import SecretStr

from agreement.errors import BadInput, VendorUnavailable
from connectors.transport import check_url

TERMINAL = "terminal"
_TIMEOUT_SECONDS = (5, 20)


def deliver(route: str, key: str, text: str, addresses: Sequence[SecretStr]) -> None:
    """Send one message to every address of a route; return when it has arrived at all of them.

    An address that begins with http:// or https:// gets a JSON object with `text` (what chat tools
    show) and `key`, which is the same when a message has to be sent again after a lost answer.
    Any other is Apprise's, such as slack://, msteams://, mailto:// or pagerduty://; the first line
    is the title, and the text ends with the key.

    Raises:
        BadInput: the route has no address, or one that nobody understands.
        VendorUnavailable: a receiver did not accept the message.
    """
    if route == TERMINAL:
        print(text, file=sys.stderr)  # noqa: T201 - the terminal is this route's receiver
        return
    if not addresses:
        raise BadInput(
            f"alerts go by {route}, but it has no address. Set TANDEM_ALERT_{route.upper()} or "
            "TANDEM_ALERT_URLS, or use terminal"
        )
    for address in addresses:
        url = address.get_secret_value()
        if url.startswith(("http://", "https://")):
            _post(route, url, key, text)
        else:
            _notify(route, url, text)


def _post(route: str, url: str, key: str, text: str) -> None:
    try:
        answer = requests.post(
            check_url(f"TANDEM_ALERT_{route.upper()}", url),
            json={"text": text, "key": key},
            headers={"Idempotency-Key": key},
            timeout=_TIMEOUT_SECONDS,
        )
    except requests.RequestException as error:
        raise VendorUnavailable(route, type(error).__name__) from None
    if not answer.ok:
        raise VendorUnavailable(route, f"answered {answer.status_code}")


def _notify(route: str, url: str, text: str) -> None:
    apprise = _apprise()
    sender = apprise.Apprise()
    if not sender.add(url):
        raise BadInput(
            f"an address of the alert route {route} is none that Apprise knows. Write it as its "
            "documentation does, such as mailto://user:password@host"
        )
    title, _, body = text.partition("\n")
    if not sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
        raise VendorUnavailable(route, "the receiver did not accept the message")


def _apprise() -> Any:
    """Import Apprise when it is needed: it takes a while, and warns of what it imports itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        apprise.Apprise().add("mailto://localhost")  # its plug-ins are imported at the first use
    return apprise
