"""Planned faults: which request meets them, and how each vendor words them."""

import time
from datetime import UTC, datetime

import pytest
import requests

from standins.faults import Fault, Faults
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CONTACTS = "/crm/v3/objects/contacts"
BATCH = f"{CONTACTS}/batch/update"
DATA = "/services/data/v66.0"
COLLECTION = f"{DATA}/composite/sobjects"


# Which request.


def taken(faults, *templates):
    return [faults.take(template) is not None for template in templates]


def test_a_fault_without_a_template_meets_the_next_request_and_no_other():
    faults = Faults()
    faults.plan(Fault(500))
    assert taken(faults, "GET /a", "GET /a") == [True, False]


def test_a_fault_waits_for_its_template():
    faults = Faults()
    faults.plan(Fault(500), template="GET /b")
    assert taken(faults, "GET /a", "POST /b", "GET /b", "GET /b") == [False, False, True, False]


def test_a_fault_can_meet_a_later_one_and_several_in_a_row():
    faults = Faults()
    faults.plan(Fault(500), template="GET /a", nth=2, times=2)
    assert taken(faults, "GET /a", "GET /b", "GET /a", "GET /a", "GET /a") == [
        False, False, True, True, False,
    ]  # fmt: skip


def test_of_two_faults_the_one_planned_first_comes_first():
    faults = Faults()
    faults.plan(Fault(500), template="GET /a", nth=2)
    faults.plan(Fault(502))
    first, second = faults.take("GET /a"), faults.take("GET /a")
    assert (first, second) == (Fault(502), Fault(500))


def test_what_is_left_and_what_was_met_can_be_counted_and_the_rest_forgotten():
    faults = Faults()
    faults.plan(Fault(500), times=3)
    assert (faults.take("GET /a"), faults.left, faults.met) == (Fault(500), 2, 1)
    faults.clear()
    assert (faults.take("GET /a"), faults.left, faults.met) == (None, 0, 1)


# How HubSpot words them.


@pytest.fixture
def hubspot():
    portal = HubSpotStandIn()
    ids = [portal.add("contacts", {"email": f"{n}@x.test"}, created_at=NOON) for n in range(3)]
    with serve(portal.app()) as url, requests.Session() as session:
        session.headers["Authorization"] = "Bearer standin-token"

        def ask(method, path, body=None):
            return session.request(method, url + path, json=body, timeout=5)

        yield portal, ids, ask


@pytest.mark.parametrize(
    ("code", "policy", "message"),
    [
        ("", "TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit."),
        ("SECONDLY", "SECONDLY", "You have reached your secondly limit."),
        ("DAILY", "DAILY", "You have reached your daily limit."),
    ],
)
def test_hubspot_tells_its_limits_apart(hubspot, code, policy, message):
    portal, _, ask = hubspot
    portal.faults.plan(Fault(429, code))
    answer = ask("GET", CONTACTS)
    assert answer.status_code == 429
    assert (answer.json()["policyName"], answer.json()["message"]) == (policy, message)
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("status", [200, 429, 500, 502, 503, 504])
def test_a_proxy_of_hubspot_answers_with_a_page(hubspot, status):
    portal, _, ask = hubspot
    portal.faults.plan(Fault(status, is_page=True))
    answer = ask("GET", CONTACTS)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")


def test_hubspot_refuses_a_token_in_its_own_words(hubspot):
    portal, _, ask = hubspot
    portal.faults.plan(Fault(401))
    assert ask("GET", CONTACTS).json()["category"] == "INVALID_AUTHENTICATION"
    assert ask("GET", CONTACTS).status_code == 200


def test_rows_of_a_batch_are_refused_and_the_others_are_written(hubspot):
    portal, ids, ask = hubspot
    portal.faults.plan(
        Fault(code="LOCKED", rows=1), template="POST /crm/v3/objects/{type}/batch/update"
    )
    inputs = [
        {"id": each, "properties": {"city": "Rome"}, "objectWriteTraceId": f"t{each}"}
        for each in ids
    ]
    answer = ask("POST", BATCH, {"inputs": inputs})
    assert answer.status_code == 207
    (error,) = answer.json()["errors"]
    assert error["category"] == "LOCKED"
    assert error["context"] == {"objectWriteTraceId": [f"t{ids[0]}"]}
    cities = [values.get("city") for values in portal.records("contacts").values()]
    assert cities == [None, "Rome", "Rome"]
    assert ask("POST", BATCH, {"inputs": inputs}).status_code == 200


@pytest.mark.parametrize("is_after", [False, True])
def test_a_connection_can_end_before_the_deed_and_after_it(hubspot, is_after):
    portal, ids, ask = hubspot
    portal.faults.plan(Fault(is_cut=True, is_after=is_after))
    inputs = [{"id": ids[0], "properties": {"city": "Rome"}}]
    with pytest.raises(requests.exceptions.RequestException):
        ask("POST", BATCH, {"inputs": inputs})
    assert portal.records("contacts")[ids[0]].get("city") == ("Rome" if is_after else None)


@pytest.mark.parametrize("is_after", [False, True])
def test_a_slow_answer_comes_in_the_end(hubspot, is_after):
    portal, _, ask = hubspot
    portal.faults.plan(Fault(seconds=0.2, is_after=is_after))
    started = time.monotonic()
    assert ask("GET", CONTACTS).status_code == 200
    assert time.monotonic() - started >= 0.2


# How Salesforce words them.


@pytest.fixture
def salesforce():
    org = SalesforceStandIn()
    ids = [org.add("Account", {"Name": f"A{number}"}, created_at=NOON) for number in range(3)]
    with serve(org.app()) as url, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {org.issue_token()}"

        def ask(method, path, **options):
            return session.request(method, url + path, timeout=5, **options)

        yield org, ids, ask


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        (Fault(400), 400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"),
        (Fault(401), 401, "INVALID_SESSION_ID", "Session expired or invalid"),
        (Fault(403), 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        (Fault(403, "CONCURRENT"), 403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests"),
        (Fault(500), 500, "UNKNOWN_EXCEPTION", "unexpected error"),
        (Fault(503), 503, "SERVER_UNAVAILABLE", "unavailable"),
    ],
)
def test_salesforce_refuses_in_a_list_with_its_own_code(salesforce, fault, status, code, message):
    org, _, ask = salesforce
    org.faults.plan(fault)
    answer = ask("GET", f"{DATA}/limits")
    assert answer.status_code == status
    (told,) = answer.json()
    assert told["errorCode"] == code
    assert message in told["message"]


@pytest.mark.parametrize("status", [200, 429, 500, 502, 503, 504])
def test_the_edge_of_salesforce_answers_with_a_page(salesforce, status):
    org, _, ask = salesforce
    org.faults.plan(Fault(status, is_page=True, headers={"retry-after": "3"}))
    answer = ask("GET", f"{DATA}/limits")
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "3")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert ask("GET", f"{DATA}/limits").status_code == 200


def test_a_token_that_dies_stays_dead(salesforce):
    org, _, ask = salesforce
    org.faults.plan(Fault(401))
    assert [ask("GET", f"{DATA}/limits").status_code for _ in range(2)] == [401, 401]


def test_a_failed_login_is_told_as_an_object(salesforce):
    org, _, ask = salesforce
    org.faults.plan(Fault(503), template="POST /services/oauth2/token")
    answer = ask("POST", "/services/oauth2/token", data={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (503, "server_error")


def test_rows_of_a_collection_are_refused_in_their_place(salesforce):
    org, ids, ask = salesforce
    org.faults.plan(Fault(rows=1), template="PATCH /services/data/{v}/composite/sobjects")
    records = [{"attributes": {"type": "Account"}, "id": each, "Website": "x.test"} for each in ids]
    answer = ask("PATCH", COLLECTION, json={"records": records}).json()
    assert [row["success"] for row in answer] == [False, True, True]
    assert answer[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert [row["Website"] for row in org.records("Account").values()] == [None, "x.test", "x.test"]


def test_a_bulk_job_fails_after_some_rows(salesforce):
    org, ids, ask = salesforce
    job = ask(
        "POST",
        f"{DATA}/jobs/ingest",
        json={"object": "Account", "operation": "update", "lineEnding": "LF"},
    ).json()["id"]
    path = f"{DATA}/jobs/ingest/{job}"
    rows = "".join(f"{each},x.test\n" for each in ids)
    ask("PUT", f"{path}/batches", data=f"Id,Website\n{rows}", headers={"Content-Type": "text/csv"})
    org.faults.plan(Fault(rows=2), template="PATCH /services/data/{v}/jobs/ingest/{job}")
    ask("PATCH", path, json={"state": "UploadComplete"})
    states = [ask("GET", path).json()["state"] for _ in range(2)]
    assert states[-1] == "Failed"
    written = [row["Website"] for row in org.records("Account").values()]
    assert written == ["x.test", "x.test", None]


def test_the_id_of_a_deleted_job_is_not_given_again(salesforce):
    _, _, ask = salesforce
    order = {"object": "Account", "operation": "update"}
    first = ask("POST", f"{DATA}/jobs/ingest", json=order).json()["id"]
    ask("DELETE", f"{DATA}/jobs/ingest/{first}")
    assert ask("POST", f"{DATA}/jobs/ingest", json=order).json()["id"] != first


@pytest.mark.parametrize("is_after", [False, True])
def test_a_lost_answer_of_salesforce_leaves_what_was_done(salesforce, is_after):
    org, ids, ask = salesforce
    path, change = f"{DATA}/sobjects/Account/{ids[0]}", {"Website": "x.test"}
    org.faults.plan(Fault(is_cut=True, is_after=is_after))
    with pytest.raises(requests.exceptions.RequestException):
        ask("PATCH", path, json=change)
    org.faults.plan(Fault(500, is_after=True))
    assert org.records("Account")[ids[0]]["Website"] == ("x.test" if is_after else None)
    assert ask("PATCH", path, json=change).status_code == 500
    assert org.records("Account")[ids[0]]["Website"] == "x.test"


def test_one_plan_can_serve_both_vendors():
    portal, org = HubSpotStandIn(), SalesforceStandIn()
    faults = portal.faults = org.faults = Faults()
    faults.plan(Fault(502), template="GET /crm/v3/owners")
    faults.plan(Fault(502), template="GET /services/data")
    with serve(portal.app()) as hubspot, serve(org.app()) as salesforce:
        answers = [
            requests.get(url, timeout=5).status_code
            for url in (f"{salesforce}/services/data", f"{hubspot}/crm/v3/owners")
        ]
    assert (answers, faults.left) == ([502, 502], 0)
