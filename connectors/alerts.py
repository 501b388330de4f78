"""Deliver one message: to the terminal or to a webhook."""

import sys

import requests
from pydantic import SecretStr

from agreement.errors import BadInput, VendorUnavailable
from connectors.transport import check_url

_TIMEOUT_SECONDS = (5, 20)


def deliver(route: str, key: str, text: str, webhook_url: SecretStr | None) -> None:
    """Send one message; return when it has arrived.

    A webhook gets a JSON object with `text` (what chat tools show) and `key`, which is the same
    when the same message has to be sent again after a lost answer.

    Raises:
        BadInput: the route is `webhook` and no address is set.
        VendorUnavailable: the receiver did not accept the message.
    """
    if route == "terminal":
        print(text, file=sys.stderr)  # noqa: T201 - the terminal is this route's receiver
        return
    if webhook_url is None:
        raise BadInput(
            "alerts.route is webhook, but TANDEM_WEBHOOK_URL is not set. Set it, or use terminal"
        )
    url = check_url("TANDEM_WEBHOOK_URL", webhook_url.get_secret_value())
    try:
        answer = requests.post(
            url,
            json={"text": text, "key": key},
            headers={"Idempotency-Key": key},
            timeout=_TIMEOUT_SECONDS,
        )
    except requests.RequestException as error:
        raise VendorUnavailable("webhook", type(error).__name__) from None
    if not answer.ok:
        raise VendorUnavailable("webhook", f"answered {answer.status_code}")
