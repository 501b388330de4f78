import json
import logging
import os
import pickle
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from pydantic import SecretStr

from agreement.errors import (
    AccessError,
    BadInput,
    NotGranted,
    TandemError,
    VendorRejected,
    VendorUnavailable,
)
from agreement.records import Window
from connectors.hubspot import HubSpot, paced, unpaced
from connectors.settings import Settings
from connectors.transport import Budget

RATE_LIMITED = {
    "status": "error",
    "message": "You have reached your ten_secondly_rolling limit.",
    "errorType": "RATE_LIMIT",
    "policyName": "TEN_SECONDLY_ROLLING",
}


def read_companies(hubspot, noon):
    return [
        record.record_id
        for batch in hubspot.pull("company", ["name"], Window(None, noon))
        for record in batch.records
    ]


def test_all_requests_share_one_connection(standin, hubspot, front, noon):
    standin.add("companies", {"name": "Blue"}, created_at=noon)
    for _ in range(5):
        read_companies(hubspot, noon)
    hubspot.account()
    assert len({request.client for request in front.requests}) == 1


def test_answers_are_asked_for_in_gzip(standin, hubspot, front, noon):
    standin.add("companies", {"name": "B" * 5000}, created_at=noon)
    read_companies(hubspot, noon)
    assert {request.headers["accept-encoding"] for request in front.requests} == {"gzip"}


def test_everything_goes_to_the_address_that_is_set(hubspot, front):
    hubspot.account()
    assert [request.path for request in front.requests] == ["/account-info/v3/details"]


def test_a_missing_token_names_its_setting():
    with pytest.raises(BadInput, match="HUBSPOT_ACCESS_TOKEN"):
        HubSpot.from_settings(Settings(_env_file=None))


def test_a_token_with_a_line_break_is_refused_without_being_repeated(base_url):
    with pytest.raises(BadInput, match="HUBSPOT_ACCESS_TOKEN") as caught:
        HubSpot(base_url, SecretStr("pat-na1-secret\nX-Evil: 1"))
    assert "secret" not in str(caught.value)


def test_connecting_sends_nothing(base_url, front):
    settings = Settings(_env_file=None, hubspot_base_url=base_url, hubspot_access_token="a-token")
    HubSpot.from_settings(settings).close()
    assert front.requests == []


def test_a_wrong_token_says_which_setting_to_renew(connect):
    with pytest.raises(AccessError, match="HUBSPOT_ACCESS_TOKEN") as caught:
        connect("wrong-secret").account()
    assert "wrong-secret" not in str(caught.value)
    assert not isinstance(caught.value, NotGranted)
    assert caught.value.exit_code == 5


def test_status_530_is_a_malformed_token(hubspot, front):
    front.answer("/details", 530, b"error code: 1016")
    with pytest.raises(AccessError, match="HUBSPOT_ACCESS_TOKEN"):
        hubspot.account()


def test_an_unreachable_host_is_worth_waiting_for():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        hubspot = HubSpot(url, SecretStr("token"), pacers=unpaced(), attempts=2)
        with pytest.raises(VendorUnavailable) as caught:
            hubspot.account()
    assert (caught.value.exit_code, hubspot.calls) == (6, 2)


@pytest.mark.parametrize("status", [429, 423, 500, 502, 503, 504, 521, 524])
def test_a_busy_vendor_is_asked_again(hubspot, front, status):
    front.answer("/details", status, b"", headers={"Retry-After": "0"})
    assert hubspot.account().portal_id
    assert len(front.requests) == 2


@pytest.mark.parametrize("status", [429, 500])
def test_nothing_is_repeated_unseen_by_the_count_of_calls(connect, front, status):
    hubspot = connect(attempts=1)
    front.answer("/details", status, b"", headers={"Retry-After": "0"}, times=4)
    with pytest.raises(VendorUnavailable):
        hubspot.account()
    assert len(front.requests) == hubspot.calls == 1


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (RATE_LIMITED, {"Retry-After": "4"}, 4.0),
        (RATE_LIMITED, {}, 10.0),
        ({"policyName": "SECONDLY", "message": "x"}, {}, 1.0),
        ({"message": "You have reached your secondly limit."}, {}, 1.0),
        ({}, {}, 10.0),
        (b"<html>", {}, 10.0),
    ],
)
def test_a_limit_is_waited_out_as_long_as_it_looks_back(
    hubspot, front, slept, body, headers, seconds
):
    front.answer("/details", 429, body, headers=headers)
    hubspot.account()
    assert slept == [seconds]


def test_a_lock_lasts_two_seconds(hubspot, front, slept):
    front.answer("/details", 423, b"", headers={"Retry-After": "0"})
    hubspot.account()
    assert slept == [2.0]


def test_a_wait_that_is_longer_than_a_run_should_sleep_ends_the_run(hubspot, front):
    front.answer("/details", 429, RATE_LIMITED, headers={"Retry-After": "3600"})
    with pytest.raises(VendorUnavailable, match="rate limit"):
        hubspot.account()
    assert len(front.requests) == 1


@pytest.mark.parametrize(
    "told", [{"policyName": "DAILY"}, {"message": "You have reached your daily limit."}]
)
def test_the_daily_limit_stops_the_run_without_waiting(hubspot, front, told):
    front.answer("/details", 429, told, times=9)
    with pytest.raises(VendorUnavailable, match="midnight"):
        hubspot.account()
    assert len(front.requests) == 1


def test_an_account_on_the_move_is_left_alone(hubspot, front):
    front.answer("/details", 477, b"", headers={"Retry-After": "7200"})
    with pytest.raises(VendorUnavailable, match="120 minutes"):
        hubspot.account()
    assert len(front.requests) == 1


def test_a_slow_answer_ends_at_the_time_out(connect, front):
    hubspot = connect(timeout=(1.0, 0.05), attempts=1)
    front.answer("/details", 200, b"{}", seconds=0.4)
    with pytest.raises(VendorUnavailable, match="Timeout"):
        hubspot.account()


def test_an_answer_that_is_cut_off_is_asked_for_again(hubspot, front):
    front.answer("/details", 200, b'{"portalId": 1', is_cut=True)
    assert hubspot.account().portal_id
    assert len(front.requests) == 2


@pytest.mark.parametrize("body", [b"<html>Sorry</html>", b"[]", b'{"portalId"'])
def test_a_good_status_without_json_is_asked_for_again(hubspot, front, body):
    front.answer("/details", 200, body)
    assert hubspot.account().portal_id


@pytest.mark.parametrize("status", [400, 414, 502])
def test_an_html_page_that_is_no_utf_8_is_an_error_of_ours(connect, front, status):
    front.answer("/details", status, b"<html>\xe4\xff</html>", times=9)
    with pytest.raises(TandemError):
        connect(attempts=1).account()


def test_a_missing_scope_names_the_scopes(hubspot, front):
    body = {
        "status": "error",
        "category": "MISSING_SCOPES",
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": ["crm.objects.deals.read"]},
    }
    front.answer("/details", 403, body)
    with pytest.raises(NotGranted, match=r"crm\.objects\.deals\.read") as caught:
        hubspot.account()
    assert isinstance(caught.value, AccessError)


def test_a_refusal_says_codes_and_names_but_never_what_people_typed(hubspot, front):
    problem = [{"isValid": False, "message": "anna@x.test is bad", "error": "INVALID_EMAIL",
                "name": "email"}]  # fmt: skip
    front.answer("/details", 400, {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": f"Property values were not valid: {json.dumps(problem)}",
        "name": "anna",
    })  # fmt: skip
    with pytest.raises(VendorRejected) as caught:
        hubspot.account()
    assert caught.value.reason == "VALIDATION_ERROR INVALID_EMAIL email"
    assert "anna" not in str(caught.value)


def test_errors_survive_the_way_between_processes(connect):
    with pytest.raises(AccessError) as caught:
        connect("wrong").account()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_a_share_of_requests_that_is_used_up_stops_the_run(connect, front):
    hubspot = connect(budget=Budget("HubSpot", 2))
    hubspot.account()
    hubspot.account()
    with pytest.raises(VendorUnavailable, match="share"):
        hubspot.account()
    assert len(front.requests) == 2


def test_searches_have_a_pace_of_their_own():
    pacers = paced()
    assert set(pacers) == {"all", "search"}
    assert pacers["search"] is not pacers["all"]


def test_a_search_waits_for_both_lanes_and_a_list_for_one(connect, standin, noon):
    waited = []

    class Noted:
        def __init__(self, lane):
            self.lane = lane

        def wait(self):
            waited.append(self.lane)

        def pause(self, seconds):
            waited.append(f"{self.lane} pauses")

    hubspot = connect(pacers={"all": Noted("all"), "search": Noted("search")})
    hubspot.describe("company")
    list(hubspot.pull("company", ["name"], Window(None, noon)))
    assert waited == ["all", "all"]
    waited.clear()
    since = noon - timedelta(days=1)
    list(hubspot.pull("company", ["name"], Window(since, noon)))
    assert waited == ["all", "search"]


def test_text_that_no_database_takes_is_mended(hubspot, front):
    front.answer(
        "/details",
        200,
        b'{"portalId": 1, "timeZone": "A\\u0000B\\\\u0000", "companyCurrency": "\\ud83d"}',
    )
    account = hubspot.account()
    assert account.time_zone == "AB\\u0000"
    account.currency.encode()


def test_no_log_line_carries_the_token_or_a_body(hubspot, standin, noon, caplog):
    standin.add("contacts", {"email": "anna@x.test"}, created_at=noon)
    with caplog.at_level(logging.DEBUG):
        list(hubspot.pull("contact", ["email"], Window(None, noon)))
        list(hubspot.read_back("contact", ["1"], ["email"]))
    assert "standin-token" not in caplog.text
    assert "anna@x.test" not in caplog.text


def test_the_account_says_its_time_zone_and_currencies(standin, hubspot):
    account = hubspot.account()
    assert account.portal_id == str(standin.portal_id)
    assert (account.time_zone, account.currency) == (standin.time_zone, standin.currency)


def test_the_connector_is_imported_without_the_typed_clients():
    """Their import would cost each command of the command line a noticeable wait."""
    code = (
        "import sys, connectors.hubspot;"
        "print([n for n in sys.modules if n.startswith('hubspot.') and n.count('.') == 2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert "hubspot.crm.contacts" not in done.stdout
