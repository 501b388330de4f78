"""Campaigns and marketing events of the HubSpot stand-in, as the documents describe them."""

from datetime import UTC, date, datetime

import pytest
import requests

from standins.hubspot import HubSpotStandIn
from standins.server import serve

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CAMPAIGNS = "/marketing/v3/campaigns"
PARTICIPATIONS = "/marketing/v3/marketing-events/participations"


@pytest.fixture
def portal():
    return HubSpotStandIn()


@pytest.fixture
def get(portal):
    with serve(portal.app()) as url, requests.Session() as session:
        session.headers["Authorization"] = "Bearer standin-token"
        yield lambda path, **query: session.get(url + path, params=query, timeout=5)


def paged(get, path, **query):
    """Follow pages to the end; give the rows, and how many requests it took."""
    rows, calls, after = [], 0, {}
    while True:
        body = get(path, **query, **after).json()
        rows, calls = rows + body["results"], calls + 1
        if "paging" not in body:
            return rows, calls
        after = {"after": body["paging"]["next"]["after"]}


def test_campaigns_show_the_properties_that_are_asked_for_and_no_other(portal, get):
    portal.add_campaign("k1", "Spring", start_on=date(2026, 3, 1), hs_utm="spring")
    (bare,) = get(CAMPAIGNS).json()["results"]
    assert bare["properties"] == {}
    (told,) = get(CAMPAIGNS, properties="hs_name,hs_start_date,hs_end_date").json()["results"]
    assert told["properties"] == {"hs_name": "Spring", "hs_start_date": "2026-03-01"}
    assert get(f"{CAMPAIGNS}/k1", properties="hs_utm").json()["properties"] == {"hs_utm": "spring"}
    assert get(f"{CAMPAIGNS}/none").status_code == 404


@pytest.mark.parametrize("path", [CAMPAIGNS, "/marketing/campaigns/2026-09"])
def test_campaigns_come_in_pages_on_both_paths(portal, get, path):
    for number in range(5):
        portal.add_campaign(f"k{number}", f"C{number}")
    rows, calls = paged(get, path, limit=2)
    assert ([row["id"] for row in rows], calls) == (["k0", "k1", "k2", "k3", "k4"], 3)
    assert get(path, limit=101).status_code == 400
    assert get(path, name="C3").json()["total"] == 1


def test_assets_are_listed_by_type(portal, get):
    portal.add_campaign("k1", "Spring", assets={"FORM": [("g1", "Demo"), ("g2", "Footer")]})
    forms, _ = paged(get, f"{CAMPAIGNS}/k1/assets/FORM", limit=1)
    assert forms == [{"id": "g1", "name": "Demo"}, {"id": "g2", "name": "Footer"}]
    assert get(f"{CAMPAIGNS}/k1/assets/MARKETING_EMAIL").json()["results"] == []
    assert get(f"{CAMPAIGNS}/k1").json()["assets"]["FORM"]["results"] == forms


def test_a_contact_report_is_dated_by_the_days_that_are_asked_for(portal, get):
    portal.add_campaign("k1", "Spring")
    portal.reach("k1", "contactFirstTouch", "1", on=date(2026, 3, 1))
    portal.reach("k1", "influencedContacts", "1", on=date(2026, 3, 2))
    portal.reach("k1", "influencedContacts", "2", on=date(2026, 3, 3))
    report = f"{CAMPAIGNS}/k1/reports/contacts"
    influenced = f"{report}/influencedContacts"
    assert get(influenced).json()["results"] == [{"id": "1"}, {"id": "2"}]
    assert get(influenced, startDate="2026-03-03").json()["results"] == [{"id": "2"}]
    assert get(influenced, endDate="2026-03-01").json()["results"] == [{"id": "1"}]
    assert get(f"{report}/contactFirstTouch").json()["results"] == [{"id": "1"}]
    assert get(f"{report}/contactLastTouch").json()["results"] == []
    assert get(f"{report}/somebody").status_code == 400
    assert get(influenced, startDate="yesterday").status_code == 400
    assert get(f"{CAMPAIGNS}/k1/reports/metrics").json()["influencedContacts"] == 2


@pytest.mark.parametrize(
    "path",
    [
        "/marketing/marketing-events/v3",
        "/marketing/v3/marketing-events",
        "/marketing/marketing-events/2026-09",
    ],
)
def test_marketing_events_are_listed_on_each_of_their_paths(portal, get, path):
    for number in range(3):
        portal.add_marketing_event(f"7{number}", "Talk", type="WEBINAR", start_at=NOON, end_at=NOON)
    rows, calls = paged(get, path, limit=2)
    assert ([row["objectId"] for row in rows], calls) == (["70", "71", "72"], 2)
    assert rows[0]["startDateTime"] == "2026-03-02T12:00:00.000Z"


def test_participations_tell_who_did_what_and_when(portal, get):
    contact = portal.add("contacts", {"email": "a@x.test"}, created_at=NOON)
    portal.add_marketing_event("71", "Talk", type="WEBINAR", start_at=NOON, end_at=NOON)
    portal.take_part("71", contact, "REGISTERED", NOON)
    portal.take_part("71", contact, "ATTENDED", NOON)
    rows, calls = paged(get, f"{PARTICIPATIONS}/71/breakdown", limit=1)
    assert [row["properties"]["attendanceState"] for row in rows] == ["REGISTERED", "ATTENDED"]
    assert (calls, rows[0]["properties"]["occurredAt"]) == (2, 1_772_452_800_000)
    assert rows[0]["associations"]["contact"] == {"contactId": contact, "email": "a@x.test"}
    assert len({row["id"] for row in rows}) == 2
    attended = get(f"{PARTICIPATIONS}/71/breakdown", state="ATTENDED").json()
    assert attended["total"] == 1
    assert get(f"{PARTICIPATIONS}/71/breakdown", state="ASLEEP").status_code == 400
    for name in (contact, "A@x.test"):
        assert get(f"{PARTICIPATIONS}/contacts/{name}/breakdown").json()["total"] == 2
    counters = {"registered": 1, "attended": 1, "cancelled": 0, "noShows": 0}
    assert get(f"{PARTICIPATIONS}/71").json() == counters


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        (CAMPAIGNS, "marketing.campaigns.read"),
        ("/marketing/v3/marketing-events", "crm.objects.marketing_events.read"),
    ],
)
def test_a_token_without_the_scope_is_refused(path, scope):
    portal = HubSpotStandIn(scopes={"crm.objects.contacts.read"})
    with serve(portal.app()) as url:
        answer = requests.get(
            url + path, headers={"Authorization": "Bearer standin-token"}, timeout=5
        )
    assert answer.status_code == 403
    assert answer.json()["context"] == {"requiredGranularScopes": [scope]}
