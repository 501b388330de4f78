"""Communication preferences of the HubSpot stand-in: an address opts out of all e-mail."""

from datetime import UTC, datetime

import pytest
import requests

from standins.hubspot import HubSpotStandIn
from standins.server import serve

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def served():
    portal = HubSpotStandIn(now=lambda: NOON)
    with serve(portal.app()) as url:
        yield portal, url


def ask(served, method: str, address: str, release: str = "v4", **query: str):
    path = f"/communication-preferences/{release}/statuses/{address}/unsubscribe-all"
    return requests.request(
        method,
        served[1] + path,
        params=query or {"channel": "EMAIL"},
        headers={"Authorization": "Bearer standin-token"},
        timeout=10,
    )


@pytest.mark.parametrize("release", ["v4", "2026-03", "2026-09"])
def test_an_address_is_asked_for_opted_out_and_then_shows_it(served, release):
    portal, _ = served
    address = f"ann-{release}@x.test"
    contact = portal.add("contacts", {"email": address}, created_at=NOON)
    assert ask(served, "GET", address, release).json()["results"] == []
    assert ask(served, "POST", address, release).status_code == 200
    [status] = ask(served, "GET", address, release).json()["results"]
    assert (status["channel"], status["status"]) == ("EMAIL", "UNSUBSCRIBED")
    assert portal.records("contacts")[contact]["hs_email_optout"] == "true"


def test_an_address_that_no_contact_holds_is_fine(served):
    assert ask(served, "POST", "nobody@x.test").status_code == 200


@pytest.mark.parametrize(
    ("address", "query"), [("ann@x.test", {"channel": "SMS"}), ("ann", {"channel": "EMAIL"})]
)
def test_another_channel_and_what_is_no_address_are_refused(served, address, query):
    assert ask(served, "POST", address, **query).status_code == 400


def test_a_token_without_the_scope_is_refused_with_its_name(served):
    portal, _ = served
    portal.access.scopes = {"crm.objects.contacts.write"}
    try:
        answer = ask(served, "POST", "ann@x.test")
    finally:
        portal.access.scopes = None
    assert answer.status_code == 403
    assert answer.json()["context"]["requiredGranularScopes"] == [
        "communication_preferences.read_write"
    ]
