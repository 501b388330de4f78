"""What Salesforce answers when it does not answer well, in the shapes that were recorded."""

import base64
import json
import threading
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from agreement.errors import AccessError, BadInput, VendorRejected, VendorUnavailable
from agreement.records import Change, Window
from connectors.salesforce import Jobs, Salesforce
from connectors.settings import Settings
from connectors.transport import Budget, Pacer, Road

LOGIN = "https://acme.my.salesforce.com"
HOST = "https://eu7.my.salesforce.com"
ROOT = f"{HOST}/services/data/v66.0"
TOKEN_URL = f"{LOGIN}/services/oauth2/token"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = ("standin-secret", "00D!first", "00D!second", "ana@example.com")


def token(value="00D!first", **more):
    return {
        "access_token": value,
        "instance_url": HOST,
        "id": "https://login.salesforce.com/id/00D000000000001AAA/005000000000007",
        "token_type": "Bearer",
        **more,
    }


def error(code, message="something about ana@example.com"):
    return [{"message": message, "errorCode": code}]


def field(name, kind="string", **more):
    return {"name": name, "type": kind, "label": name, "updateable": True, "nillable": True, **more}


LEAD = {
    "name": "Lead",
    "queryable": True,
    "fields": [
        field("Id", "id", updateable=False),
        field("IsDeleted", "boolean"),
        field("Email", "email"),
        field("AnnualRevenue", "currency", scale=2),
        field("CreatedDate", "datetime"),
        field("SystemModstamp", "datetime"),
    ],
}


def credentials(**given):
    base = {
        "salesforce_login_url": LOGIN,
        "salesforce_client_id": "standin-client",
        "salesforce_client_secret": "standin-secret",
    }
    return Settings(_env_file=None, **(base | given))


def connect(settings=None, *, limit=None, slept=None):
    naps = [] if slept is None else slept
    road = Road(Budget("salesforce", limit), {"all": Pacer(None, 1)}, sleep=naps.append)
    return Salesforce.from_settings(
        settings or credentials(), road=road, jobs=Jobs(sleep=naps.append)
    )


@pytest.fixture
def http():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add("POST", TOKEN_URL, json=token())
        mock.add("GET", f"{ROOT}/sobjects/Lead/describe", json=LEAD)
        yield mock


def paths(http):
    return [f"{call.request.method} {urlsplit(call.request.url).path}" for call in http.calls]


def leads(salesforce):
    window = Window(NOON, NOON)
    return [row for batch in salesforce.pull("lead", ["Email"], window) for row in batch.records]


def rows(*records, **more):
    return {"totalSize": len(records), "done": True, "records": list(records), **more}


def lead(number=1, **more):
    return {
        "attributes": {"type": "Lead"},
        "Id": f"00Q{number:012d}AAA",
        "IsDeleted": False,
        "Email": None,
        "CreatedDate": "2026-01-02T03:04:05.000+0000",
        "SystemModstamp": "2026-03-01T12:00:00.000+0000",
        **more,
    }


# ---- logging in


def test_client_credentials_are_sent_to_the_login_address_and_nothing_before_the_first_use(http):
    salesforce = connect()
    assert salesforce.calls == 0
    salesforce.describe("lead")
    sent = http.calls[0].request
    assert sent.url == TOKEN_URL
    assert (
        sent.headers["Authorization"]
        == "Basic " + base64.b64encode(b"standin-client:standin-secret").decode()
    )
    assert parse_qs(sent.body) == {"grant_type": ["client_credentials"]}
    assert http.calls[1].request.headers["Authorization"] == "Bearer 00D!first"
    assert salesforce.calls == 2


@pytest.mark.parametrize(
    ("login", "audience"),
    [
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_a_key_signs_who_we_are_for_the_general_login_host(http, login, audience):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    http.add("POST", f"{login}/services/oauth2/token", json=token())
    connect(
        Settings(
            _env_file=None,
            salesforce_login_url=login,
            salesforce_client_id="standin-client",
            salesforce_username="sync@example.com",
            salesforce_private_key=pem,
        )
    ).describe("lead")
    form = parse_qs(http.calls[0].request.body)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(
        form["assertion"][0], key.public_key(), algorithms=["RS256"], audience=audience
    )
    assert (claims["iss"], claims["sub"]) == ("standin-client", "sync@example.com")


def test_a_broken_key_is_bad_input_that_does_not_repeat_the_key(http):
    settings = credentials(salesforce_username="u", salesforce_private_key="-----hidden-----")
    with pytest.raises(BadInput, match="SALESFORCE_PRIVATE_KEY") as caught:
        connect(settings).describe("lead")
    assert "hidden" not in str(caught.value)


def test_a_ready_session_needs_no_login_and_cannot_renew(http):
    ready = Settings(
        _env_file=None, salesforce_instance_url=HOST, salesforce_access_token="00D!ready"
    )
    http.replace("GET", f"{ROOT}/sobjects/Lead/describe", json=EXPIRED, status=401)
    with pytest.raises(AccessError, match="SALESFORCE_"):
        connect(ready).describe("lead")
    assert paths(http) == ["GET /services/data/v66.0/sobjects/Lead/describe"]


def test_a_ready_session_asks_once_whose_it_is(http):
    ready = Settings(
        _env_file=None, salesforce_instance_url=HOST, salesforce_access_token="00D!ready"
    )
    http.add("GET", f"{HOST}/services/oauth2/userinfo", json={"user_id": "005000000000007AAA"})
    salesforce = connect(ready)
    assert salesforce.integration_user_id == "005000000000007AAA"
    assert salesforce.integration_user_id == "005000000000007AAA"
    assert salesforce.calls == 1


def test_a_user_that_cannot_be_learned_is_none_and_breaks_nothing(http):
    ready = Settings(
        _env_file=None, salesforce_instance_url=HOST, salesforce_access_token="00D!ready"
    )
    http.add("GET", f"{HOST}/services/oauth2/userinfo", status=403, body="Missing_OAuth_Token")
    salesforce = connect(ready)
    assert salesforce.integration_user_id is None
    assert salesforce.integration_user_id is None
    assert salesforce.calls == 1


def test_the_login_tells_whose_token_it_is(http):
    salesforce = connect()
    assert salesforce.integration_user_id == "005000000000007AAA"
    assert salesforce.calls == 1


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid_client"), (401, "invalid_client"), (400, "invalid_grant")]
)
def test_a_refused_login_names_the_settings_and_never_the_secret(http, status, code):
    body = {"error": code, "error_description": "invalid client credentials standin-secret"}
    http.replace("POST", TOKEN_URL, json=body, status=status)
    with pytest.raises(AccessError, match="SALESFORCE_CLIENT_ID and SALESFORCE_CLIENT_SECRET") as c:
        connect().describe("lead")
    assert code in str(c.value)
    assert c.value.exit_code == 5
    assert not any(secret in str(c.value) for secret in SECRETS)
    assert len(http.calls) == 1


def test_an_address_that_serves_no_login_is_told_as_such(http):
    http.replace("POST", TOKEN_URL, body="<html>not here</html>", status=404)
    with pytest.raises(AccessError, match="SALESFORCE_LOGIN_URL"):
        connect().describe("lead")


def test_an_unreachable_host_is_unavailable_after_growing_waits(http):
    http.replace("POST", TOKEN_URL, body=requests.ConnectionError(f"cannot reach {TOKEN_URL}"))
    slept = []
    with pytest.raises(VendorUnavailable) as caught:
        connect(slept=slept).describe("lead")
    assert caught.value.exit_code == 6
    assert "http" not in str(caught.value)
    assert len(http.calls) == 5
    assert slept == sorted(slept)


def test_a_login_that_leads_to_plain_http_elsewhere_is_refused(http):
    http.replace("POST", TOKEN_URL, json=token(instance_url="http://evil.example.com"))
    with pytest.raises(BadInput, match="plain http"):
        connect().describe("lead")


# ---- a dying session


def test_a_dead_session_is_renewed_once_and_the_call_repeated_with_its_headers(http):
    http.add("POST", TOKEN_URL, json=token("00D!second"))
    http.add("PATCH", f"{ROOT}/composite/sobjects", json=EXPIRED, status=401)
    http.add("PATCH", f"{ROOT}/composite/sobjects", json=[{"id": "x", "success": True}])
    salesforce = connect()
    changes = [Change("00Q000000000001AAA", {"Email": "x"})]
    [outcomes] = salesforce.update("lead", changes)
    assert outcomes[0].is_accepted
    sent = [call.request for call in http.calls if call.request.method == "PATCH"]
    assert [request.headers["Authorization"] for request in sent] == [
        "Bearer 00D!first",
        "Bearer 00D!second",
    ]
    for request in sent:
        assert request.headers["Sforce-Auto-Assign"] == "FALSE"
        assert "allowSave=true" in request.headers["Sforce-Duplicate-Rule-Header"]
    assert salesforce.calls == len(http.calls) == 5


def test_a_token_that_stays_refused_costs_two_requests_and_one_login(http):
    http.replace("GET", f"{ROOT}/sobjects/Lead/describe", json=EXPIRED, status=401)
    salesforce = connect()
    with pytest.raises(AccessError, match="INVALID_SESSION_ID"):
        salesforce.describe("lead")
    logins = [path for path in paths(http) if "oauth2" in path]
    assert len(logins) == 2
    assert len(http.calls) - len(logins) == 2


def test_a_good_token_that_dies_under_a_repeat_is_renewed_once_more(http):
    """A session ends, the next one serves another thread and ends before our repeat comes."""
    tokens = [token(f"00D!{name}") for name in ("first", "second", "third")]
    http.replace("POST", TOKEN_URL, json=tokens[0])
    for body in tokens[1:]:
        http.add("POST", TOKEN_URL, json=body)
    http.add("GET", f"{ROOT}/sobjects/Contact/describe", json={**LEAD, "name": "Contact"})
    salesforce = connect()

    def answer(request):
        sent = request.headers["Authorization"].removeprefix("Bearer 00D!")
        if sent == "second":
            other = threading.Thread(target=salesforce.describe, args=("contact",))
            other.start()
            other.join(5)
        return (200, {}, json.dumps(rows())) if sent == "third" else (401, {}, json.dumps(EXPIRED))

    http.add_callback("GET", f"{ROOT}/queryAll", callback=answer)
    assert leads(salesforce) == []
    assert paths(http).count("GET /services/data/v66.0/queryAll") == 3


def test_a_session_that_rest_does_not_take_is_not_renewed(http):
    body = error("INVALID_SESSION_ID", "This session is not valid for use with the REST API")
    http.replace("GET", f"{ROOT}/sobjects/Lead/describe", json=body, status=401)
    with pytest.raises(AccessError):
        connect().describe("lead")
    assert len(http.calls) == 2


@pytest.mark.parametrize("body", ["<html>who are you</html>", '{"error":"invalid_token"}', ""])
def test_a_401_without_the_usual_list_is_still_an_access_error(http, body):
    http.replace("GET", f"{ROOT}/sobjects/Lead/describe", body=body, status=401)
    with pytest.raises(AccessError):
        connect().describe("lead")


def test_eight_threads_with_a_dead_session_log_in_once(http):
    """Each thread's first answer is a dead session; only the first of them may renew."""
    http.replace("POST", TOKEN_URL, json=token("00D!first"))
    http.add("POST", TOKEN_URL, json=token("00D!second"))
    together = threading.Barrier(8)

    def answer(request):
        if request.headers["Authorization"] == "Bearer 00D!first":
            together.wait(5)
            return 401, {}, json.dumps(EXPIRED)
        return 200, {}, json.dumps(rows())

    http.add_callback("GET", f"{ROOT}/queryAll", callback=answer)
    salesforce = connect()
    salesforce.describe("lead")
    threads = [threading.Thread(target=leads, args=(salesforce,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len([path for path in paths(http) if "oauth2" in path]) == 2
    assert salesforce.calls == len(http.calls) == 2 + 1 + 8 + 8


# ---- limits, rights, trouble


def test_a_used_up_day_stops_the_run_without_a_repeat(http):
    body = error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    http.add("GET", f"{ROOT}/queryAll", json=body, status=403)
    with pytest.raises(VendorUnavailable, match="24 hours"):
        leads(connect())
    assert paths(http).count("GET /services/data/v66.0/queryAll") == 1


def test_too_many_requests_at_once_pass_in_seconds(http):
    body = error(
        "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    )
    http.add("GET", f"{ROOT}/queryAll", json=body, status=403)
    http.add("GET", f"{ROOT}/queryAll", json=rows(lead()))
    slept = []
    assert len(leads(connect(slept=slept))) == 1
    assert len(slept) == 1


@pytest.mark.parametrize("code", ["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "FORBIDDEN"])
def test_a_right_that_the_whole_app_lacks_is_an_access_error(http, code):
    http.replace(
        "GET", f"{ROOT}/sobjects/Lead/describe", json=error(code, "x@example.com"), status=403
    )
    with pytest.raises(AccessError, match=code):
        connect().describe("lead")


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "NOT_FOUND"), (400, "INVALID_TYPE"), (403, "INSUFFICIENT_ACCESS")],
)
def test_an_object_that_is_not_there_for_this_user_is_none_and_asked_once(http, status, code):
    http.add("GET", f"{ROOT}/sobjects/CurrencyType/describe", json=error(code), status=status)
    salesforce = connect()
    assert salesforce.describe("currency_type") is None
    assert salesforce.describe("currency_type") is None
    assert salesforce.calls == 2


def test_an_object_that_cannot_be_queried_is_none(http):
    http.replace("GET", f"{ROOT}/sobjects/Lead/describe", json={**LEAD, "queryable": False})
    assert connect().describe("lead") is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, error("UNKNOWN_EXCEPTION", "An unexpected error occurred 12-3 (45)")),
        (503, error("SERVER_UNAVAILABLE")),
        (502, "<html>bad gateway</html>"),
        (504, ""),
    ],
)
def test_trouble_at_the_vendor_is_waited_for(http, status, body):
    text = body if isinstance(body, str) else json.dumps(body)
    http.add("GET", f"{ROOT}/queryAll", body=text, status=status)
    http.add("GET", f"{ROOT}/queryAll", json=rows(lead()))
    assert len(leads(connect())) == 1


@pytest.mark.parametrize(
    "broken",
    [
        requests.ReadTimeout("read timed out"),
        requests.ConnectionError("connection reset"),
        requests.exceptions.ChunkedEncodingError("cut in the middle"),
    ],
)
def test_a_broken_line_is_tried_again(http, broken):
    http.add("GET", f"{ROOT}/queryAll", body=broken)
    http.add("GET", f"{ROOT}/queryAll", json=rows(lead()))
    assert len(leads(connect())) == 1


@pytest.mark.parametrize("body", ['{"totalSize":1,"done":tr', "<html>maintenance</html>"])
def test_an_answer_that_is_no_json_is_tried_again_and_then_unavailable(http, body):
    http.add("GET", f"{ROOT}/queryAll", body=body, status=200)
    with pytest.raises(VendorUnavailable, match="cut or no data"):
        leads(connect())
    assert paths(http).count("GET /services/data/v66.0/queryAll") == 5


def test_a_query_that_is_refused_names_the_code_and_neither_query_nor_person(http):
    http.add("GET", f"{ROOT}/queryAll", json=error("MALFORMED_QUERY"), status=400)
    with pytest.raises(VendorRejected, match="MALFORMED_QUERY") as caught:
        leads(connect())
    text = f"{caught.value} {caught.value.args}"
    assert "SELECT" not in text
    assert "ana@example.com" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert caught.value.exit_code == 4


def test_a_header_that_is_too_long_is_a_clear_rejection_and_no_decoding_error(http):
    html = "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>"
    http.add("GET", f"{ROOT}/queryAll", body=html, status=431)
    with pytest.raises(VendorRejected, match="HTTP 431"):
        leads(connect())


def test_the_budget_stops_before_the_request_that_would_pass_it(http):
    http.add("GET", f"{ROOT}/queryAll", json=rows(lead()))
    salesforce = connect(limit=2)
    salesforce.describe("lead")
    with pytest.raises(VendorUnavailable, match="share"):
        leads(salesforce)
    assert salesforce.calls == len(http.calls) == 2


@pytest.mark.parametrize(
    "info",
    ["api-usage=18/15000", "api-usage=18/15000; per-app-api-usage=17/250(appName=tandem)"],
)
def test_the_orgs_usage_is_remembered_from_any_answer(http, info):
    http.replace(
        "GET",
        f"{ROOT}/sobjects/Lead/describe",
        json=LEAD,
        headers={"Sforce-Limit-Info": info},
    )
    salesforce = connect()
    assert salesforce.api_used is None
    salesforce.describe("lead")
    assert salesforce.api_used == (18, 15000)


def test_every_request_has_a_time_out_and_asks_for_compact_json(http):
    http.add("GET", f"{ROOT}/queryAll", json=rows(lead()))
    leads(connect())
    for call in http.calls:
        assert call.request.req_kwargs["timeout"] == (5.0, 120.0)
        assert "X-PrettyPrint" not in call.request.headers
    assert all("/v66.0/" in path for path in paths(http)[1:])


# ---- odd rows


@pytest.mark.parametrize(
    ("sent", "kept"), [("", None), ("a\0b", "ab"), ("\0", None), ('say "hi"', 'say "hi"')]
)
def test_an_empty_text_is_missing_and_nul_is_dropped(http, sent, kept):
    http.add("GET", f"{ROOT}/queryAll", json=rows(lead(1, Email=sent), lead(2, Email="x")))
    found = leads(connect())
    assert [dict(row.values) for row in found] == [{"Email": kept}, {"Email": "x"}]


def test_a_cell_that_a_row_leaves_out_is_missing(http):
    short = {name: value for name, value in lead().items() if name != "Email"}
    http.add("GET", f"{ROOT}/queryAll", json=rows(short, lead(2, Email="x")))
    found = leads(connect())
    assert [dict(row.values) for row in found] == [{"Email": None}, {"Email": "x"}]


# ---- queries that die


def test_a_dead_cursor_is_opened_anew_at_the_last_row_read(http):
    more = f"{ROOT}/query/0r8xx-2000"
    newer = "2026-03-02T00:00:00.000+0000"
    first = rows(
        lead(1),
        lead(2, SystemModstamp=newer),
        done=False,
        nextRecordsUrl="/services/data/v66.0/query/0r8xx-2000",
    )
    http.add("GET", f"{ROOT}/queryAll", json={**first, "totalSize": 3})
    http.add("GET", more, json=error("INVALID_QUERY_LOCATOR"), status=400)
    http.add("GET", f"{ROOT}/queryAll", json=rows(lead(2, SystemModstamp=newer), lead(3)))
    ids = [row.record_id for row in leads(connect())]
    assert ids == [lead(n)["Id"] for n in (1, 2, 2, 3)]
    again = parse_qs(urlsplit(http.calls[-1].request.url).query)["q"][0]
    assert "SystemModstamp >= 2026-03-02T00:00:00Z" in again


def test_a_cursor_that_dies_again_without_progress_is_an_error(http):
    first = rows(lead(), done=False, nextRecordsUrl="/services/data/v66.0/query/0r8xx-2000")
    http.add("GET", f"{ROOT}/queryAll", json=first)
    http.add("GET", f"{ROOT}/query/0r8xx-2000", json=error("INVALID_QUERY_LOCATOR"), status=400)
    with pytest.raises(VendorRejected, match="INVALID_QUERY_LOCATOR"):
        leads(connect())


def test_a_query_that_takes_too_long_goes_on_in_bulk(http):
    http.add("GET", f"{ROOT}/queryAll", json=error("QUERY_TIMEOUT"), status=400)
    http.add("POST", f"{ROOT}/jobs/query", json={"id": "750A", "state": "UploadComplete"})
    http.add("GET", f"{ROOT}/jobs/query/750A", json={"id": "750A", "state": "InProgress"})
    http.add("GET", f"{ROOT}/jobs/query/750A", json={"id": "750A", "state": "JobComplete"})
    header = "Id,CreatedDate,IsDeleted,SystemModstamp,Email\n"
    first = header + '"00Q000000000001AAA","","true","2026-03-01T12:00:00.000Z","a"\n'
    second = header + '"00Q000000000002AAA","","false","2026-03-01T12:00:00.000Z",""\n'
    results = f"{ROOT}/jobs/query/750A/results"
    http.add("GET", results, body=first, headers={"Sforce-Locator": "MTAw"})
    http.add("GET", results, body=second, headers={"Sforce-Locator": "null"})
    http.add("DELETE", f"{ROOT}/jobs/query/750A", status=204)
    slept = []
    found = leads(connect(slept=slept))
    assert [(row.record_id, row.is_deleted, dict(row.values)) for row in found] == [
        ("00Q000000000001AAA", True, {"Email": "a"}),
        ("00Q000000000002AAA", False, {"Email": None}),
    ]
    assert slept == [1.0, 1.5]
    asked = json.loads(next(c.request.body for c in http.calls if c.request.url.endswith("/query")))
    assert asked["operation"] == "queryAll"
    assert "ORDER BY" not in asked["query"]
    assert "locator=MTAw" in [c.request.url for c in http.calls][-2]
    assert paths(http)[-1] == "DELETE /services/data/v66.0/jobs/query/750A"


def test_an_object_that_bulk_does_not_serve_is_read_by_pages(http):
    first = rows(lead(1), done=False, nextRecordsUrl="/services/data/v66.0/query/0r8xx-2000")
    http.add("GET", f"{ROOT}/queryAll", json={**first, "totalSize": 50_000})
    http.add("POST", f"{ROOT}/jobs/query", json=error("FEATURE_NOT_ENABLED"), status=400)
    http.add("GET", f"{ROOT}/query/0r8xx-2000", json=rows(lead(2)))
    assert len(leads(connect())) == 2


def test_a_page_of_bulk_results_that_lost_rows_is_noticed(http):
    http.add("GET", f"{ROOT}/queryAll", json={**rows(lead(1)), "totalSize": 50_000})
    http.add("POST", f"{ROOT}/jobs/query", json={"id": "750A", "state": "UploadComplete"})
    http.add("GET", f"{ROOT}/jobs/query/750A", json={"id": "750A", "state": "JobComplete"})
    http.add(
        "GET",
        f"{ROOT}/jobs/query/750A/results",
        body="Id,IsDeleted,Email\n" + '"00Q000000000001AAA","false",""\n',
        headers={"Sforce-Locator": "null", "Sforce-NumberOfRecords": "2"},
    )
    http.add("DELETE", f"{ROOT}/jobs/query/750A", status=204)
    with pytest.raises(VendorUnavailable, match="1 of 2 rows"):
        leads(connect())


def test_a_failed_bulk_query_is_unavailable_and_its_job_deleted(http):
    http.add("GET", f"{ROOT}/queryAll", json={**rows(lead(1)), "totalSize": 50_000})
    http.add("POST", f"{ROOT}/jobs/query", json={"id": "750A", "state": "UploadComplete"})
    http.add(
        "GET",
        f"{ROOT}/jobs/query/750A",
        json={"id": "750A", "state": "Failed", "errorMessage": "internal: ana@example.com"},
    )
    http.add("DELETE", f"{ROOT}/jobs/query/750A", status=204)
    with pytest.raises(VendorUnavailable, match="Failed") as caught:
        leads(connect())
    assert "ana@example.com" not in str(caught.value)
    assert paths(http)[-1].startswith("DELETE")


# ---- writing


ONE = Change("00Q000000000001AAA", {"Email": "ana@example.com"})
TWO = Change("00Q000000000002AAA", {"Email": "bob@example.com"})
THREE = Change("00Q000000000003AAA", {"AnnualRevenue": "1250.50"})


def refused(code, message="Email: ana@example.com is not right", fields=("Email",)):
    found = {"statusCode": code, "message": message, "fields": list(fields)}
    return {"success": False, "errors": [found]}


def outcomes(salesforce, *changes):
    told = [row for batch in salesforce.update("lead", changes) for row in batch]
    assert sorted(row.record_id for row in told) == sorted(c.record_id for c in changes)
    return {row.record_id: row for row in told}


@pytest.mark.parametrize(
    "code",
    [
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "REQUIRED_FIELD_MISSING",
        "STRING_TOO_LONG",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "INVALID_EMAIL_ADDRESS",
        "FIELD_INTEGRITY_EXCEPTION",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
        "CANNOT_UPDATE_CONVERTED_LEAD",
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "DUPLICATES_DETECTED",
        "DUPLICATE_VALUE",
    ],
)
def test_a_refused_row_keeps_its_code_without_its_values_and_stops_no_other(http, code):
    http.add(
        "PATCH",
        f"{ROOT}/composite/sobjects",
        json=[refused(code), {"id": TWO.record_id, "success": True, "errors": []}],
    )
    told = outcomes(connect(), ONE, TWO)
    assert told[TWO.record_id].is_accepted
    assert told[TWO.record_id].values == TWO.values
    assert not told[ONE.record_id].is_accepted
    assert told[ONE.record_id].reason.startswith(f"{code}: ")
    assert "ana@example.com" not in told[ONE.record_id].reason
    assert told[ONE.record_id].reason.endswith("(Email)")
    assert paths(http).count("PATCH /services/data/v66.0/composite/sobjects") == 1


def test_only_rows_that_met_a_lock_are_sent_again(http):
    url = f"{ROOT}/composite/sobjects"
    locked = refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", ())
    http.add("PATCH", url, json=[locked, {"id": TWO.record_id, "success": True}])
    http.add("PATCH", url, json=[locked])
    http.add("PATCH", url, json=[{"id": ONE.record_id, "success": True}])
    slept = []
    told = outcomes(connect(slept=slept), ONE, TWO)
    assert all(row.is_accepted for row in told.values())
    sent = [
        [row["id"] for row in json.loads(call.request.body)["records"]]
        for call in http.calls
        if call.request.method == "PATCH"
    ]
    assert sent == [[ONE.record_id, TWO.record_id], [ONE.record_id], [ONE.record_id]]
    assert len(slept) == 2


def test_a_row_that_stays_locked_is_told_with_that_reason(http):
    locked = refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", ())
    http.add("PATCH", f"{ROOT}/composite/sobjects", json=[locked])
    told = outcomes(connect(), ONE)
    assert told[ONE.record_id].reason.startswith("UNABLE_TO_LOCK_ROW")
    assert paths(http).count("PATCH /services/data/v66.0/composite/sobjects") == 4


def test_a_call_that_is_refused_whole_is_halved_until_the_bad_row_is_alone(http):
    def answer(request):
        sent = [row["id"] for row in json.loads(request.body)["records"]]
        if TWO.record_id in sent:
            return 400, {}, json.dumps(error("JSON_PARSER_ERROR"))
        return 200, {}, json.dumps([{"id": key, "success": True} for key in sent])

    http.add_callback("PATCH", f"{ROOT}/composite/sobjects", callback=answer)
    told = outcomes(connect(), ONE, TWO, THREE)
    assert [told[row.record_id].is_accepted for row in (ONE, TWO, THREE)] == [True, False, True]
    assert told[TWO.record_id].reason.startswith("JSON_PARSER_ERROR")


def test_an_answer_with_too_few_rows_is_noticed(http):
    http.add("PATCH", f"{ROOT}/composite/sobjects", json=[{"id": ONE.record_id, "success": True}])
    with pytest.raises(VendorUnavailable, match="not answered whole"):
        outcomes(connect(), ONE, TWO)


def test_an_empty_answer_to_a_write_is_noticed(http):
    http.add("PATCH", f"{ROOT}/composite/sobjects", body="", status=200)
    with pytest.raises(VendorUnavailable, match="not answered whole"):
        outcomes(connect(), ONE)


def test_a_message_of_many_lines_becomes_one_short_line(http):
    long = "Trigger failed for +49 30 1234567 at ana@example.com " + "x" * 500 + "\nat line 7"
    http.add("PATCH", f"{ROOT}/composite/sobjects", json=[refused("APEX_ERROR", long, ())])
    reason = outcomes(connect(), ONE)[ONE.record_id].reason
    assert len(reason) < 300
    assert "1234567" not in reason
    assert "line 7" not in reason


# ---- a bulk write that ends badly


def bulk_connect(http, state, *, successes="", failures="", message=""):
    http.add("POST", f"{ROOT}/jobs/ingest", json={"id": "750B", "state": "Open"})
    http.add("PUT", f"{ROOT}/jobs/ingest/750B/batches", status=201)
    http.add("PATCH", f"{ROOT}/jobs/ingest/750B", json={"state": "UploadComplete"})
    http.add("GET", f"{ROOT}/jobs/ingest/750B", json={"state": state, "errorMessage": message})
    head = '"sf__Id","sf__Created",Id,Email\n'
    http.add("GET", f"{ROOT}/jobs/ingest/750B/successfulResults/", body=head + successes)
    head = '"sf__Id","sf__Error",Id,Email\n'
    http.add("GET", f"{ROOT}/jobs/ingest/750B/failedResults/", body=head + failures)
    http.add("DELETE", f"{ROOT}/jobs/ingest/750B", status=204)
    road = Road(Budget("salesforce"), {"all": Pacer(None, 1)}, sleep=lambda _: None)
    return Salesforce.from_settings(
        credentials(), road=road, jobs=Jobs(write_above=1, sleep=lambda _: None)
    )


def test_a_job_that_dies_half_way_tells_what_it_wrote_and_then_stops(http):
    salesforce = bulk_connect(
        http, "Failed", successes=f'"{TWO.record_id}","false","{TWO.record_id}","b"\n'
    )
    told = []
    with pytest.raises(VendorUnavailable, match="750B"):
        told.extend(row for batch in salesforce.update("lead", [ONE, TWO]) for row in batch)
    assert [(row.record_id, row.is_accepted) for row in told] == [(TWO.record_id, True)]


def test_a_job_with_an_unknown_column_is_our_fault_and_said_so(http):
    salesforce = bulk_connect(
        http, "Failed", message="InvalidBatch : Field name not found : ana@example.com"
    )
    with pytest.raises(VendorRejected) as caught:
        list(salesforce.update("lead", [ONE, TWO]))
    assert "ana@example.com" not in str(caught.value)


def test_rows_of_a_job_are_known_by_their_id_and_not_by_their_place(http):
    salesforce = bulk_connect(
        http,
        "JobComplete",
        successes=f'"{TWO.record_id}","false","{TWO.record_id}","line1\nline2"\n',
        failures=(
            f'"{ONE.record_id}","INVALID_EMAIL_ADDRESS:Email: ana@example.com:Email --",'
            f'"{ONE.record_id}","x"\n'
        ),
    )
    told = outcomes(salesforce, ONE, TWO)
    assert told[TWO.record_id].is_accepted
    assert told[ONE.record_id].reason == "INVALID_EMAIL_ADDRESS: Email: [...]:Email"


def test_a_lost_answer_to_the_start_of_a_job_does_not_stop_it(http):
    salesforce = bulk_connect(
        http,
        "JobComplete",
        successes="".join(f'"{c.record_id}","false","{c.record_id}","x"\n' for c in (ONE, TWO)),
    )
    http.replace("PATCH", f"{ROOT}/jobs/ingest/750B", json=error("INVALIDJOBSTATE"), status=400)
    assert all(row.is_accepted for row in outcomes(salesforce, ONE, TWO).values())


def test_an_upload_that_breaks_aborts_and_deletes_its_job(http):
    salesforce = bulk_connect(http, "JobComplete")
    http.replace("PUT", f"{ROOT}/jobs/ingest/750B/batches", body=requests.ConnectionError("reset"))
    with pytest.raises(VendorUnavailable):
        list(salesforce.update("lead", [ONE, TWO]))
    assert paths(http).count("PUT /services/data/v66.0/jobs/ingest/750B/batches") == 1
    assert json.loads(http.calls[-2].request.body) == {"state": "Aborted"}
    assert paths(http)[-1] == "DELETE /services/data/v66.0/jobs/ingest/750B"
