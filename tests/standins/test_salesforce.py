"""The stand-in's REST API over HTTP, against what the vendor documents."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from standins.salesforce import SalesforceStandIn
from standins.server import serve

NOW = datetime(2026, 11, 17, 14, 15, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORDED = Path(__file__).parents[3] / "shared" / "openapi" / "salesforce"


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self):
        return self.now


class Rest(requests.Session):
    """Requests to paths below `/services/data/v66.0`."""

    def __init__(self, url, token):
        super().__init__()
        self.url = url
        self.headers["Authorization"] = f"Bearer {token}"

    def request(self, method, url, **more):
        url = url if url.startswith("http") else f"{self.url}/services/data/v66.0{url}"
        return super().request(method, url, **more)


class PlainHttp(HTTPAdapter):
    """Send what is meant for `https://X/path` to a plain-http server."""

    def __init__(self, target):
        self.target = target
        super().__init__()

    def send(self, request, **more):
        parts = urlsplit(request.url)
        request.url = f"{self.target}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return super().send(request, **more)


@pytest.fixture(scope="module")
def server():
    """One server for all tests of this file; each test puts its own org behind it."""

    class Behind:
        app = None

        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)

    behind = Behind()
    with serve(behind) as url:
        yield behind, url


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def org(clock):
    return SalesforceStandIn(now=clock)


@pytest.fixture
def http(org, server):
    behind, url = server
    behind.app = org.app()
    with Rest(url, org.issue_token()) as session:
        yield session


@pytest.fixture
def client(http):
    """The official client, logged in by client credentials."""
    with requests.Session() as session:
        session.mount("https://", PlainHttp(http.url))
        yield Salesforce(
            consumer_key="standin-client", consumer_secret="standin-secret",
            domain="mycompany.my", version="66.0", session=session,
        )  # fmt: skip


def lead(org, last_name="A", at=NOON, **fields):
    return org.add("Lead", {"LastName": last_name, "Company": "Acme"} | fields, created_at=at)


def opportunity(org, **fields):
    given = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-06-30"} | fields
    return org.add("Opportunity", given, created_at=NOON)


def refusal(answer, status=400):
    assert answer.status_code == status, answer.text
    [error] = answer.json()
    return error["errorCode"]


def patch_rows(http, rows, **more):
    records = [{"attributes": {"type": "Lead"}, **row} for row in rows]
    answer = http.patch("/composite/sobjects", json={"records": records} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def codes(results):
    return [error["statusCode"] for result in results for error in result["errors"]]


def ask(http, soql, resource="query"):
    answer = http.get(f"/{resource}/?q={quote(soql)}")
    assert answer.status_code == 200, answer.text
    return answer.json()["records"]


# Tokens


def token_request(http, data, **more):
    return requests.post(f"{http.url}/services/oauth2/token", data=data, timeout=10, **more)


def test_client_credentials_give_a_token_and_say_where_to_go(http):
    form = {"grant_type": "client_credentials"}
    answer = token_request(http, form, auth=("standin-client", "standin-secret"))
    assert answer.status_code == 200
    said = answer.json()
    assert said["instance_url"] == http.url
    assert said["token_type"] == "Bearer"
    assert "expires_in" not in said
    assert "refresh_token" not in said
    http.headers["Authorization"] = f"Bearer {said['access_token']}"
    assert http.get("/limits").status_code == 200


def assertion(**claims):
    claims = {
        "iss": "standin-client", "sub": "sync@standin.example",
        "aud": "https://login.salesforce.com",
        "exp": "9999999999",
    } | claims  # fmt: skip
    parts = [json.dumps({"alg": "RS256"}), json.dumps(claims), "signature"]
    packed = ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)
    return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": packed}


def test_a_signed_assertion_gives_a_token(http):
    assert token_request(http, assertion()).json()["access_token"].startswith("00D")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"},
         "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_id": "standin-client",
          "client_secret": "y"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        (assertion(iss="someone"), "invalid_client_id"),
        (assertion(exp="1767225600"), "invalid_grant"),
        (assertion(sub=""), "invalid_grant"),
        (assertion() | {"assertion": "a.b"}, "invalid_grant"),
    ],
)  # fmt: skip
def test_a_refused_token_is_a_dict_not_a_list(http, form, error):
    answer = token_request(http, form)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]


def test_the_official_client_reports_a_wrong_secret(http):
    with requests.Session() as session:
        session.mount("https://", PlainHttp(http.url))
        with pytest.raises(SalesforceAuthenticationFailed) as caught:
            Salesforce(
                consumer_key="standin-client", consumer_secret="wrong", domain="my.my",
                session=session,
            )  # fmt: skip
    assert caught.value.code == "invalid_client"


def test_an_expired_token_is_401_until_a_new_one_is_used(org, http):
    org.expire_tokens()
    assert refusal(http.get("/sobjects"), 401) == "INVALID_SESSION_ID"
    http.headers["Authorization"] = f"Bearer {org.issue_token()}"
    assert http.get("/sobjects").status_code == 200


def test_a_client_with_a_session_of_its_own_sees_it_expire(org, http):
    with requests.Session() as session:
        session.mount("https://", PlainHttp(http.url))
        client = Salesforce(
            instance_url=http.url, session_id=org.issue_token(), version="66.0", session=session
        )
        assert client.query("SELECT COUNT() FROM Lead")["totalSize"] == 0
        org.expire_tokens()
        with pytest.raises(SalesforceExpiredSession):
            client.query("SELECT COUNT() FROM Lead")


def test_the_user_behind_the_token_can_be_learned(org, http):
    answer = http.get(f"{http.url}/services/oauth2/userinfo")
    assert answer.json()["user_id"] == org.integration_user_id
    [user] = ask(http, f"SELECT Username FROM User WHERE Id = '{org.integration_user_id}'")  # noqa: S608
    assert user["Username"] == answer.json()["preferred_username"]


# The door


def test_every_request_is_logged_by_its_template(org, http):
    record_id = lead(org)
    http.get(f"/sobjects/Lead/{record_id}")
    http.get("/query/?q=SELECT+Id+FROM+Lead")
    http.patch("/composite/sobjects", json={"records": []}, headers={"Sforce-Auto-Assign": "FALSE"})
    http.get("/nowhere")
    assert [call.template for call in org.log] == [
        "GET /services/data/{v}/sobjects/{sobject}/{id}",
        "GET /services/data/{v}/query",
        "PATCH /services/data/{v}/composite/sobjects",
        "GET (unknown)",
    ]
    assert [call.status for call in org.log] == [200, 200, 200, 404]
    assert org.log[2].sforce == {"sforce-auto-assign": "FALSE"}
    assert org.log[0].at == NOW
    org.log.clear()
    assert org.log == []


def test_versions_need_no_token_and_name_the_pinned_one(http):
    answer = requests.get(f"{http.url}/services/data", timeout=10)
    assert {"label", "url", "version"} == set(answer.json()[0])
    assert "66.0" in {one["version"] for one in answer.json()}


@pytest.mark.parametrize(("version", "status"), [("vv66.0", 404), ("v99.0", 404), ("v30.0", 410)])
def test_versions_that_are_not_served_are_refused(http, version, status):
    assert http.get(f"{http.url}/services/data/{version}/sobjects").status_code == status


def test_usage_counts_up_and_the_day_ends_with_403(org, http):
    org.daily_api_requests = 2
    assert http.get("/sobjects").headers["Sforce-Limit-Info"] == "api-usage=1/2"
    left = http.get("/limits").json()["DailyApiRequests"]
    assert left == {"Max": 2, "Remaining": 0}
    assert refusal(http.get("/sobjects"), 403) == "REQUEST_LIMIT_EXCEEDED"


def test_a_known_address_refuses_another_method_and_an_unknown_one_is_not_found(http):
    assert refusal(http.put("/query"), 405) == "METHOD_NOT_ALLOWED"
    assert refusal(http.get("/nowhere"), 404) == "NOT_FOUND"


def test_answers_are_packed_when_asked_and_packed_bodies_are_read(org, http):
    answer = http.get("/sobjects", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()["maxBatchSize"] == 200
    body = gzip.compress(json.dumps({"LastName": "A", "Company": "B"}).encode())
    created = http.post("/sobjects/Lead", data=body, headers={"Content-Encoding": "gzip"})
    assert created.status_code == 201


def test_answers_are_indented_when_asked(http):
    plain = http.get("/limits").text
    pretty = http.get("/limits", headers={"X-PrettyPrint": "1"}).text
    assert "\n" not in plain
    assert len(pretty) > len(plain)
    assert json.loads(pretty)["DailyApiRequests"]["Max"] == 1_000_000


# Describe


def test_objects_are_listed_with_their_abilities(client):
    listed = {one["name"]: one for one in client.describe()["sobjects"]}
    assert (listed["Lead"]["keyPrefix"], listed["Lead"]["mergeable"]) == ("00Q", True)
    assert not listed["OpportunityContactRole"]["undeletable"]
    assert not listed["LeadHistory"]["createable"]
    assert "CustomField" not in listed


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded describes are not beside the tree")
@pytest.mark.parametrize(
    "name", ["Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "Event"]
)
def test_describes_agree_with_recorded_ones(http, name):
    ours = http.get(f"/sobjects/{name}/describe").json()
    recorded = json.loads((RECORDED / "describe" / f"{name}.json").read_text(encoding="utf-8"))
    theirs = {field["name"]: field for field in recorded["fields"]}
    same = (
        "type", "length", "precision", "scale", "digits", "createable", "updateable", "nillable",
        "defaultedOnCreate", "calculated", "unique", "externalId", "idLookup", "soapType",
        "restrictedPicklist", "compoundFieldName", "filterable", "sortable", "custom",
    )  # fmt: skip
    compared = 0
    for field in ours["fields"]:
        if (other := theirs.get(field["name"])) and field["name"] not in {"CurrencyIsoCode"}:
            assert set(other) <= set(field)
            differing = {key for key in same if key in other and other[key] != field[key]}
            assert differing <= ALLOWED.get((name, field["name"]), set()), field["name"]
            compared += 1
    assert compared >= 10
    assert set(recorded) <= set(ours)
    flags = {key for key, value in recorded.items() if isinstance(value, bool)}
    assert {key for key in flags if recorded[key] != ours[key]} == set()


# Where one recorded org differs from the rest in what an admin can set.
ALLOWED = {("Account", "Name"): {"compoundFieldName"}}


def test_a_hidden_field_is_absent_from_describe_query_and_write(org, http):
    org.hide_fields("Lead", "Title")
    record_id = lead(org)
    fields = {field["name"] for field in http.get("/sobjects/Lead/describe").json()["fields"]}
    assert "Title" not in fields
    assert refusal(http.get("/query/?q=SELECT+Title+FROM+Lead")) == "INVALID_FIELD"
    answer = http.patch(f"/sobjects/Lead/{record_id}", json={"Title": "CEO"})
    assert refusal(answer) == "INVALID_FIELD"


def test_a_hidden_or_unknown_object_is_not_found(org, client):
    org.hide_object("Campaign")
    for name in ("Campaign", "Nope__c"):
        with pytest.raises(SalesforceResourceNotFound):
            getattr(client, name).describe()


def test_records_are_counted_without_the_deleted_ones(org, http):
    lead(org)
    org.delete("Lead", lead(org), at=NOW)
    assert http.get("/limits/recordCount?sObjects=Lead").json() == {
        "sObjects": [{"count": 1, "name": "Lead"}]
    }


def test_stages_and_statuses_of_the_world_show_in_describe(org, http):
    status = {"ApiName": "Nurturing", "MasterLabel": "Nurturing", "SortOrder": 9}
    org.add("LeadStatus", status, created_at=NOON)
    [field] = [
        field
        for field in http.get("/sobjects/Lead/describe").json()["fields"]
        if field["name"] == "Status"
    ]
    assert "Nurturing" in [option["value"] for option in field["picklistValues"]]


# Single records


def test_a_record_is_created_read_changed_and_deleted_by_the_official_client(org, client):
    made = client.Lead.create({"LastName": "A", "Company": "Acme"})
    assert made["success"]
    assert (made["errors"], made["id"][:3], len(made["id"])) == ([], "00Q", 18)
    found = client.Lead.get(made["id"])
    assert found["Status"] == "Open - Not Contacted"
    assert found["CreatedById"] == org.integration_user_id
    assert client.Lead.update(made["id"], {"Title": "CEO", "Company": "B"}) == 204
    assert org.records("Lead")[made["id"]]["Title"] == "CEO"
    assert client.Lead.update(made["id"], {"Title": None}) == 204
    assert org.records("Lead")[made["id"]]["Title"] is None
    assert client.Lead.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound, match="ENTITY_IS_DELETED"):
        client.Lead.delete(made["id"])


def test_some_fields_of_a_record_can_be_asked_for(org, http):
    record_id = lead(org)
    row = http.get(f"/sobjects/Lead/{record_id}?fields=Id,Company").json()
    assert set(row) == {"attributes", "Id", "Company"}
    assert row["attributes"]["url"] == f"/services/data/v66.0/sobjects/Lead/{record_id}"
    assert refusal(http.get("/sobjects/Lead/00Q5g00000zzzzzEAA"), 404) == "NOT_FOUND"


@pytest.mark.parametrize("value", ["a/b c", "plain", "é&?#%"])
def test_an_upsert_creates_once_and_then_changes_by_any_key(org, http, value):
    org.add_field("Lead", "Key__c", "string", length=40, externalId=True, unique=True)
    path = f"/sobjects/Lead/Key__c/{quote(value, safe='')}"
    first = http.patch(path, json={"LastName": "A", "Company": "Acme"})
    second = http.patch(path, json={"Title": "CEO"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (second.status_code, second.json()["created"]) == (200, False)
    [row] = org.records("Lead").values()
    assert (row["Key__c"], row["Title"]) == (value, "CEO")
    assert http.get(path).json()["Title"] == "CEO"


def test_an_upsert_is_refused_where_it_cannot_tell(org, http):
    org.add_field("Lead", "Key__c", "string", externalId=True)
    lead(org, Key__c="k")
    lead(org, Key__c="K")
    answer = http.patch("/sobjects/Lead/Key__c/k", json={"Title": "CEO"})
    assert (answer.status_code, len(answer.json())) == (300, 2)
    body = {"Key__c": "new", "LastName": "A", "Company": "B"}
    assert refusal(http.patch("/sobjects/Lead/Key__c/new", json=body)) == "INVALID_FIELD"
    assert refusal(http.patch("/sobjects/Lead/Title/x", json={"Fax": "1"}), 404) == "NOT_FOUND"
    only = http.patch("/sobjects/Lead/Key__c/none?updateOnly=true", json={"Title": "x"})
    assert only.status_code == 404


def test_an_update_moves_every_stamp_even_when_nothing_changes(org, http, clock):
    record_id = lead(org)
    clock.now = NOW + timedelta(minutes=5)
    http.patch(f"/sobjects/Lead/{record_id}", json={"Company": "Acme"})
    row = org.records("Lead")[record_id]
    assert row["SystemModstamp"] == row["LastModifiedDate"] == "2026-11-17T14:20:00.000+0000"
    assert row["LastModifiedById"] == org.integration_user_id
    assert row["CreatedDate"] == "2026-03-01T12:00:00.000+0000"


@pytest.mark.parametrize(
    ("values", "code", "fields"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD", None),
        ({"IsConverted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["IsConverted"]),
        ({"Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        ({"SystemModstamp": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE",
         ["SystemModstamp"]),
        ({"Title": "x" * 129}, "STRING_TOO_LONG", ["Title"]),
        ({"Email": "no address"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ({"GeocodeAccuracy__c": "Nope"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
         ["GeocodeAccuracy__c"]),
        ({"Score__c": 1e16}, "NUMBER_OUTSIDE_VALID_RANGE", ["Score__c"]),
        ({"NumberOfEmployees": 10**9}, "NUMBER_OUTSIDE_VALID_RANGE", ["NumberOfEmployees"]),
        ({"Score__c": "many"}, "JSON_PARSER_ERROR", None),
        ({"EmailBouncedDate": "yesterday"}, "JSON_PARSER_ERROR", None),
        ({"Title": 5}, "JSON_PARSER_ERROR", None),
        ({"HasOptedOutOfEmail": "maybe"}, "JSON_PARSER_ERROR", None),
        ({"LastName": None}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"OwnerId": "x"}, "MALFORMED_ID", ["OwnerId"]),
        ({"OwnerId": "00Q5g0000000001EAA"}, "FIELD_INTEGRITY_EXCEPTION", ["OwnerId"]),
        ({"OwnerId": "0055g00000zzzzzAAA"}, "INVALID_CROSS_REFERENCE_KEY", ["OwnerId"]),
        ({"Key__c": "taken"}, "DUPLICATE_VALUE", None),
        ({"CurrencyIsoCode": "XXX"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
         ["CurrencyIsoCode"]),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_and_nothing_changes(org, http, values, code, fields):
    org.add_field("Lead", "Score__c", "double", precision=18, scale=2)
    org.add_field("Lead", "Key__c", "string", unique=True, externalId=True)
    org.add_field(
        "Lead", "GeocodeAccuracy__c", "picklist", picklistValues=["Zip"], restrictedPicklist=True
    )
    lead(org, Key__c="Taken")
    record_id = lead(org, "B")
    before = org.records("Lead")[record_id]
    answer = http.patch(f"/sobjects/Lead/{record_id}", json=values)
    assert refusal(answer) == code
    assert answer.json()[0].get("fields") == fields
    assert org.records("Lead")[record_id] == before


def test_a_new_record_needs_its_required_fields(http):
    answer = http.post("/sobjects/Lead", json={"FirstName": "A"})
    assert refusal(answer) == "REQUIRED_FIELD_MISSING"
    assert sorted(answer.json()[0]["fields"]) == ["Company", "LastName"]


def test_a_body_that_is_no_object_is_a_parser_error(org, http):
    for body in (b"{", b"[]", b""):
        assert refusal(http.post("/sobjects/Lead", data=body)) == "JSON_PARSER_ERROR"


def test_numbers_are_rounded_half_up_and_amounts_keep_their_currencys_decimals(org, http):
    org.add("CurrencyType", {"IsoCode": "KWD", "DecimalPlaces": 3, "ConversionRate": "0.3",
                             "IsActive": True}, created_at=NOON)  # fmt: skip
    org.add_field("Opportunity", "Count__c", "double", precision=18, scale=0)
    dinars = opportunity(org, CurrencyIsoCode="KWD")
    http.patch(f"/sobjects/Opportunity/{dinars}", data='{"Amount": 1234.5675, "Count__c": 2.5}')
    row = org.records("Opportunity")[dinars]
    assert (row["Amount"], row["Count__c"]) == (1234.568, 3.0)


def test_text_is_trimmed_and_an_empty_text_is_no_value(org, http):
    record_id = lead(org, Title="CEO", City="Rome")
    http.patch(f"/sobjects/Lead/{record_id}", json={"Title": "", "City": "  Paris "})
    row = org.records("Lead")[record_id]
    assert (row["Title"], row["City"]) == (None, "Paris")


# Collections


def test_results_of_a_collection_come_in_the_order_of_the_rows(org, http):
    ids = [lead(org, f"{n}") for n in range(3)]
    results = patch_rows(
        http,
        [{"id": ids[2], "Title": "a"}, {"id": ids[0], "Title": "x" * 200},
         {"id": ids[1], "Title": None}],
    )  # fmt: skip
    assert [result["success"] for result in results] == [True, False, True]
    assert results[0] == {"id": ids[2], "success": True, "errors": []}
    assert results[1]["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    assert "id" not in results[1]


def test_all_or_none_takes_back_what_was_written_before(org, http):
    ids = [lead(org, "A"), lead(org, "B")]
    rows = [{"id": ids[0], "Title": "CEO"}, {"id": ids[1], "Title": "x" * 200}]
    results = patch_rows(http, rows, allOrNone=True)
    assert codes(results) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "STRING_TOO_LONG"]
    assert org.records("Lead")[ids[0]]["Title"] is None
    assert org.records("Lead")[ids[0]]["SystemModstamp"] == "2026-03-01T12:00:00.000+0000"


def test_more_than_200_rows_are_refused_whole(org, http):
    records = [{"attributes": {"type": "Lead"}, "id": lead(org, f"{n}")} for n in range(201)]
    answer = http.patch("/composite/sobjects", json={"records": records})
    assert refusal(answer) == "EXCEEDED_ID_LIMIT"


def test_an_unknown_field_refuses_the_whole_collection(org, http):
    ids = [lead(org, "A"), lead(org, "B")]
    records = [
        {"attributes": {"type": "Lead"}, "id": ids[0], "Title": "CEO"},
        {"attributes": {"type": "Lead"}, "id": ids[1], "Nope__c": 1},
    ]
    answer = http.patch("/composite/sobjects", json={"records": records})
    assert refusal(answer) == "INVALID_FIELD"
    assert org.records("Lead")[ids[0]]["Title"] is None


def test_rows_that_are_gone_malformed_or_twice_are_named_one_by_one(org, http):
    gone, once = lead(org, "A"), lead(org, "B")
    org.delete("Lead", gone, at=NOW)
    rows = [
        {"id": gone, "Title": "x"}, {"id": "00Q5g00000zzzzzEAA", "Title": "x"},
        {"id": "nonsense", "Title": "x"}, {"Title": "x"}, {"id": once, "Title": "x"},
        {"id": once[:15], "Title": "y"},
    ]  # fmt: skip
    assert codes(patch_rows(http, rows)) == [
        "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID", "MISSING_ARGUMENT",
        "DUPLICATE_VALUE",
    ]  # fmt: skip
    assert org.records("Lead")[once]["Title"] == "x"


def test_rows_are_created_upserted_retrieved_and_deleted_by_the_list(org, http):
    org.add_field("Lead", "Key__c", "string", externalId=True)
    kind = {"attributes": {"type": "Lead"}}
    rows = [kind | {"LastName": "A", "Company": "C", "Key__c": "1"}, kind | {"LastName": "B"}]
    made = http.post("/composite/sobjects", json={"records": rows}).json()
    assert [one["success"] for one in made] == [True, False]
    rows = [kind | {"Key__c": "1", "Title": "CEO"},
            kind | {"Key__c": "2", "LastName": "N", "Company": "C"}]  # fmt: skip
    put = http.patch("/composite/sobjects/Lead/Key__c", json={"records": rows}).json()
    assert [(one["success"], one["created"]) for one in put] == [(True, False), (True, True)]
    ids = [one["id"] for one in put]
    body = {"ids": [ids[1], "00Q5g00000zzzzzEAA", ids[0]], "fields": ["Id", "LastName"]}
    found = http.post("/composite/sobjects/Lead", json=body).json()
    assert [row and row["LastName"] for row in found] == ["N", None, "A"]
    gone = http.delete(f"/composite/sobjects?ids={','.join(ids)}&allOrNone=false").json()
    assert [one["success"] for one in gone] == [True, True]
    assert len(org.records("Lead")) == 0


def test_rows_of_many_kinds_in_turn_are_too_many_runs(org, http):
    person, contact = lead(org), org.add("Contact", {"LastName": "C"}, created_at=NOON)
    pair = [{"attributes": {"type": "Lead"}, "id": person},
            {"attributes": {"type": "Contact"}, "id": contact}]  # fmt: skip
    answer = http.patch("/composite/sobjects", json={"records": pair * 6})
    assert refusal(answer) == "LIMIT_EXCEEDED"


def test_a_thousand_rows_fit_into_one_composite_call(org, http):
    ids = [lead(org, f"{n}") for n in range(1000)]
    parts = [
        {
            "method": "PATCH", "url": "/services/data/v66.0/composite/sobjects",
            "referenceId": f"b{start}",
            "body": {"records": [{"attributes": {"type": "Lead"}, "id": one, "Title": "CEO"}
                                 for one in ids[start : start + 200]]},
        }
        for start in range(0, 1000, 200)
    ]  # fmt: skip
    answer = http.post("/composite", json={"compositeRequest": parts})
    bodies = [part["body"] for part in answer.json()["compositeResponse"]]
    assert sum(row["success"] for body in bodies for row in body) == 1000
    assert org.api_requests_used == 1
    parts.append(parts[0] | {"referenceId": "one_too_many"})
    assert refusal(http.post("/composite", json={"compositeRequest": parts})) == "LIMIT_EXCEEDED"


def test_a_composite_part_can_use_the_answer_of_an_earlier_one(org, http):
    parts = [
        {"method": "POST", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "new",
         "body": {"Name": "Acme"}},
        {"method": "POST", "url": "/services/data/v66.0/sobjects/Contact", "referenceId": "c",
         "body": {"LastName": "A", "AccountId": "@{new.id}"}},
        {"method": "GET", "url": "/services/data/v66.0/sobjects/Lead/00Q5g00000zzzzzEAA",
         "referenceId": "none"},
    ]  # fmt: skip
    answer = http.post("/composite", json={"compositeRequest": parts}).json()["compositeResponse"]
    assert [part["httpStatusCode"] for part in answer] == [201, 201, 404]
    [contact] = org.records("Contact").values()
    assert contact["AccountId"] == answer[0]["body"]["id"]


def test_a_composite_of_all_or_none_takes_everything_back(org, http):
    parts = [
        {"method": "POST", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "a",
         "body": {"Name": "Acme"}},
        {"method": "POST", "url": "/services/data/v66.0/sobjects/Contact", "referenceId": "b",
         "body": {}},
    ]  # fmt: skip
    answer = http.post("/composite", json={"allOrNone": True, "compositeRequest": parts})
    statuses = [part["httpStatusCode"] for part in answer.json()["compositeResponse"]]
    assert statuses == [400, 400]
    assert len(org.records("Account")) == 0


# Rules that an admin sets up


def test_a_converted_lead_is_read_only_unless_allowed(org, http):
    record_id, contact, account, _ = converted(org)
    assert codes(patch_rows(http, [{"id": record_id, "Title": "x"}])) == [
        "CANNOT_UPDATE_CONVERTED_LEAD"
    ]
    org.rules.can_edit_converted_leads = True
    assert codes(patch_rows(http, [{"id": record_id, "Title": "x"}])) == []
    assert contact in org.records("Contact")
    assert account in org.records("Account")


def test_assignment_rules_take_over_unless_switched_off(org, http):
    queue = org.add("Group", {"Name": "Q", "Type": "Queue"}, created_at=NOON)
    org.rules.assignment_owner = queue
    record_id = lead(org)
    http.patch(
        f"/sobjects/Lead/{record_id}", json={"Title": "x"}, headers={"Sforce-Auto-Assign": "FALSE"}
    )
    assert org.records("Lead")[record_id]["OwnerId"] == org.admin_id
    http.patch(f"/sobjects/Lead/{record_id}", json={"Title": "y"})
    assert org.records("Lead")[record_id]["OwnerId"] == queue


def test_duplicate_rules_refuse_unless_saving_is_allowed(org, http):
    org.rules.duplicate_rules.add("Lead")
    first = lead(org, Email="a@example.com")
    body = {"LastName": "B", "Company": "C", "Email": "A@example.com"}
    answer = http.post("/sobjects/Lead", json=body)
    assert refusal(answer) == "DUPLICATES_DETECTED"
    [match] = answer.json()[0]["duplicateResult"]["matchResults"]
    assert match["matchRecords"] == [{"record": {"Id": first}}]
    allow = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false"}
    assert http.post("/sobjects/Lead", json=body, headers=allow).status_code == 201


def test_rules_of_an_org_refuse_single_rows(org, http):
    locked, free = lead(org, "A"), lead(org, "B")

    def lock(sobject, record_id, values):
        message = "unable to obtain exclusive access to this record"
        return ("UNABLE_TO_LOCK_ROW", message) if record_id == locked else None

    org.rules.row_rules.append(lock)
    rows = [{"id": locked, "Title": "x"}, {"id": free, "Title": "x"}]
    assert codes(patch_rows(http, rows)) == ["UNABLE_TO_LOCK_ROW"]
    assert org.records("Lead")[free]["Title"] == "x"


# Campaigns


def test_a_campaign_member_is_one_person_with_a_status_of_its_campaign(org, http):
    campaign = org.add("Campaign", {"Name": "Fair"}, created_at=NOON)
    person = lead(org, Email="a@example.com")
    new = {"CampaignId": campaign, "LeadId": person}
    assert refusal(http.post("/sobjects/CampaignMember", json={"CampaignId": campaign})) == (
        "FIELD_INTEGRITY_EXCEPTION"
    )
    wrong = http.post("/sobjects/CampaignMember", json=new | {"Status": "Attended"})
    assert refusal(wrong) == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    made = http.post("/sobjects/CampaignMember", json=new).json()["id"]
    assert refusal(http.post("/sobjects/CampaignMember", json=new)) == "DUPLICATE_VALUE"
    answer = http.patch(f"/sobjects/CampaignMember/{made}", json={"HasResponded": True})
    assert refusal(answer) == "INVALID_FIELD_FOR_INSERT_UPDATE"
    http.patch(f"/sobjects/CampaignMember/{made}", json={"Status": "Responded"})
    member = org.records("CampaignMember")[made]
    assert (member["HasResponded"], member["FirstRespondedDate"]) == (True, "2026-11-17")
    assert (member["Email"], member["Type"]) == ("a@example.com", "Lead")


def test_a_campaigns_own_statuses_decide_what_is_a_response(org):
    campaign = org.add("Campaign", {"Name": "Fair"}, created_at=NOON)
    status = {"CampaignId": campaign, "Label": "Attended", "HasResponded": True}
    org.add("CampaignMemberStatus", status, created_at=NOON)
    new = {"CampaignId": campaign, "LeadId": lead(org), "Status": "Attended"}
    made = org.add("CampaignMember", new, created_at=NOON)
    member = org.records("CampaignMember")[made]
    assert (member["HasResponded"], member["FirstRespondedDate"]) == (True, "2026-03-01")


# What the platform derives


def test_a_stage_decides_closed_won_and_probability(org, http):
    deal = opportunity(org, Amount=200)
    row = org.records("Opportunity")[deal]
    assert (row["IsClosed"], row["IsWon"], row["Probability"]) == (False, False, 10)
    assert (row["ExpectedRevenue"], row["FiscalYear"], row["FiscalQuarter"]) == (20.0, 2026, 2)
    http.patch(f"/sobjects/Opportunity/{deal}", json={"StageName": "Closed Won"})
    row = org.records("Opportunity")[deal]
    assert (row["IsClosed"], row["IsWon"], row["Probability"]) == (True, True, 100)
    assert (row["ForecastCategory"], row["ExpectedRevenue"]) == ("Closed", 200.0)
    assert row["LastStageChangeDate"] == "2026-11-17T14:15:00.000+0000"


def test_a_task_is_completed_at_the_moment_its_status_says_so(org, http):
    new = {"Subject": "Call", "Status": "Not Started", "WhoId": lead(org)}
    made = http.post("/sobjects/Task", json=new).json()["id"]
    assert org.records("Task")[made]["CompletedDateTime"] is None
    http.patch(f"/sobjects/Task/{made}", json={"Status": "Completed"})
    row = org.records("Task")[made]
    assert (row["IsClosed"], row["CompletedDateTime"]) == (True, "2026-11-17T14:15:00.000+0000")
    answer = http.patch(f"/sobjects/Task/{made}", json={"TaskSubtype": "Call"})
    assert refusal(answer) == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_an_event_ends_after_its_duration(org, http):
    new = {"Subject": "Meeting", "StartDateTime": "2026-03-01T10:00:00+01:00",
           "DurationInMinutes": 45}  # fmt: skip
    made = http.post("/sobjects/Event", json=new).json()["id"]
    row = org.records("Event")[made]
    assert (row["StartDateTime"], row["EndDateTime"]) == (
        "2026-03-01T09:00:00.000+0000", "2026-03-01T09:45:00.000+0000",
    )  # fmt: skip


def test_an_activity_belongs_to_the_account_of_what_it_is_about(org):
    account = org.add("Account", {"Name": "Acme"}, created_at=NOON)
    contact = org.add("Contact", {"LastName": "C", "AccountId": account}, created_at=NOON)
    made = org.add("Task", {"Subject": "x", "WhoId": contact}, created_at=NOON)
    assert org.records("Task")[made]["AccountId"] == account


# What people do


def history(http, sobject, parent):
    soql = f"SELECT Field, OldValue, NewValue, CreatedById FROM {sobject}History WHERE {parent}"  # noqa: S608
    return [(row["Field"], row["OldValue"], row["NewValue"]) for row in ask(http, soql)]


def test_a_persons_edit_moves_stamps_and_leaves_history(org, http):
    rep = org.add(
        "User", {"LastName": "Rep", "Username": "rep@x.example", "Email": "rep@x.example"},
        created_at=NOON,
    )  # fmt: skip
    record_id = lead(org)
    org.set("Lead", record_id, {"Status": "Working - Contacted", "OwnerId": rep, "Title": "CEO"},
            at=NOW, by=rep)  # fmt: skip
    row = org.records("Lead")[record_id]
    assert (row["LastModifiedById"], row["SystemModstamp"]) == (rep, "2026-11-17T14:15:00.000+0000")
    assert history(http, "Lead", f"LeadId = '{record_id}'") == [
        ("Status", "Open - Not Contacted", "Working - Contacted"),
        ("Owner", "Stand-in Admin", "Rep"),
        ("Owner", org.admin_id, rep),
    ]


def test_records_put_in_place_bring_no_history_and_created_ones_do(org, http):
    lead(org)
    opportunity(org)
    assert ask(http, "SELECT Id FROM LeadHistory") == []
    assert ask(http, "SELECT Id FROM OpportunityHistory") == []
    http.post("/sobjects/Lead", json={"LastName": "A", "Company": "B"})
    assert [row["Field"] for row in ask(http, "SELECT Field FROM LeadHistory")] == ["created"]


def test_each_change_of_stage_amount_or_close_date_is_a_step(org, http):
    deal = opportunity(org, Amount=100)
    org.set("Opportunity", deal, {"StageName": "Qualification"}, at=NOON + timedelta(days=1))
    org.set("Opportunity", deal, {"Amount": "150.5"}, at=NOON + timedelta(days=2))
    org.set("Opportunity", deal, {"NextStep": "call"}, at=NOON + timedelta(days=3))
    steps = ask(
        http, "SELECT StageName, Amount, CreatedDate FROM OpportunityHistory ORDER BY CreatedDate"
    )
    assert [(step["StageName"], step["Amount"], step["CreatedDate"][:10]) for step in steps] == [
        ("Qualification", 100.0, "2026-03-02"), ("Qualification", 150.5, "2026-03-03"),
    ]  # fmt: skip
    fields = ask(http, "SELECT Field, NewValue FROM OpportunityFieldHistory ORDER BY CreatedDate")
    assert [(one["Field"], one["NewValue"]) for one in fields] == [
        ("StageName", "Qualification"), ("Amount", "150.5"),
    ]  # fmt: skip


def test_deleting_an_account_deletes_what_hangs_on_it(org, http):
    account = org.add("Account", {"Name": "Acme"}, created_at=NOON)
    contact = org.add("Contact", {"LastName": "C", "AccountId": account}, created_at=NOON)
    deal = opportunity(org, AccountId=account)
    role = {"OpportunityId": deal, "ContactId": contact}
    org.add("OpportunityContactRole", role, created_at=NOON)
    org.delete("Account", account, at=NOW)
    for sobject in ("Account", "Contact", "Opportunity", "OpportunityContactRole"):
        assert len(org.records(sobject)) == 0
        [row] = ask(http, f"SELECT IsDeleted, SystemModstamp FROM {sobject}", "queryAll")  # noqa: S608
        assert (row["IsDeleted"], row["SystemModstamp"]) == (True, "2026-11-17T14:15:00.000+0000")


def test_a_merge_moves_children_and_drops_what_the_winner_has_already(org):
    winner, loser = lead(org, "W"), lead(org, "L")
    campaigns = [org.add("Campaign", {"Name": n}, created_at=NOON) for n in ("both", "loser's")]
    new = [(campaigns[0], winner), (campaigns[0], loser), (campaigns[1], loser)]
    for campaign, person in new:
        member = {"CampaignId": campaign, "LeadId": person}
        org.add("CampaignMember", member, created_at=NOON)
    task = org.add("Task", {"Subject": "x", "WhoId": loser}, created_at=NOON)
    org.merge("Lead", winner, [loser], at=NOW)
    row = org.records("Task")[task]
    assert (row["WhoId"], row["SystemModstamp"]) == (winner, "2026-11-17T14:15:00.000+0000")
    members = org.records("CampaignMember").values()
    assert sorted((m["CampaignId"], m["LeadId"]) for m in members) == sorted(
        (campaign, winner) for campaign in campaigns
    )
    assert list(org.records("Lead")) == [winner]
    with pytest.raises(ValueError, match="cannot be merged"):
        org.merge("Opportunity", opportunity(org), [opportunity(org)], at=NOW)


def converted(org):
    person = lead(org)
    account = org.add("Account", {"Name": "Acme"}, created_at=NOON)
    contact = org.add("Contact", {"LastName": "A", "AccountId": account}, created_at=NOON)
    deal = opportunity(org, AccountId=account)
    task = org.add("Task", {"Subject": "x", "WhoId": person}, created_at=NOON)
    campaign = org.add("Campaign", {"Name": "Fair"}, created_at=NOON)
    new = {"CampaignId": campaign, "LeadId": person}
    member = org.add("CampaignMember", new, created_at=NOON)
    org.convert(person, at=NOW, contact_id=contact, account_id=account, opportunity_id=deal)
    return person, contact, account, (deal, task, member)


def test_a_conversion_moves_activities_and_memberships(org, http):
    person, contact, account, (deal, task, member) = converted(org)
    row = org.records("Lead")[person]
    assert (row["IsConverted"], row["ConvertedDate"]) == (True, "2026-11-17")
    assert (row["ConvertedContactId"], row["ConvertedAccountId"], row["ConvertedOpportunityId"]) \
        == (contact, account, deal)  # fmt: skip
    assert row["Status"] == "Closed - Converted"
    moved = org.records("Task")[task]
    assert (moved["WhoId"], moved["WhatId"]) == (contact, deal)
    assert moved["LastModifiedDate"] == "2026-11-17T14:15:00.000+0000"
    membership = org.records("CampaignMember")[member]
    assert (membership["LeadId"], membership["ContactId"]) == (person, contact)
    assert ("leadConverted", None, None) in history(http, "Lead", f"LeadId = '{person}'")
    assert ask(http, "SELECT Id FROM Lead WHERE IsConverted = true")[0]["Id"] == person
    with pytest.raises(ValueError, match="converted already"):
        org.convert(person, at=NOW, contact_id=contact, account_id=account)


# Replication


def test_deleted_rows_are_told_within_15_days_even_when_purged(org, http):
    kept, purged = lead(org, "A"), lead(org, "B")
    org.delete("Lead", kept, at=NOW - timedelta(days=2))
    org.delete("Lead", purged, at=NOW - timedelta(days=1))
    org.purge("Lead", purged)
    span = {"start": "2026-11-10T00:00:00+00:00", "end": "2026-11-17T14:00:00+00:00"}
    said = http.get("/sobjects/Lead/deleted/", params=span).json()
    assert {one["id"] for one in said["deletedRecords"]} == {kept, purged}
    assert said["latestDateCovered"] == "2026-11-17T14:00:00.000+0000"
    old = span | {"start": "2026-10-01T00:00:00+00:00"}
    answer = http.get("/sobjects/Lead/deleted/", params=old)
    assert refusal(answer) == "INVALID_REPLICATION_DATE"


def test_updated_rows_are_told_by_the_system_stamp(org, client):
    changed, _ = lead(org, "A"), lead(org, "B")
    org.set("Lead", changed, {"Title": "CEO"}, at=NOW - timedelta(hours=1))
    said = client.Lead.updated(NOW - timedelta(days=1), NOW)
    assert said["ids"] == [changed]


# Fields made by an integration


def field_request(full_name, **metadata):
    return {"FullName": full_name, "Metadata": {"label": "A field"} | metadata}


def test_a_new_field_is_seen_by_nobody_until_it_is_granted(org, http, client):
    body = field_request("Lead.Score__c", type="Number", precision=18, scale=3)
    made = client.toolingexecute("sobjects/CustomField", "POST", data=body)
    assert (made["success"], made["id"][:3]) == (True, "00N")
    record_id = lead(org)
    soql = "SELECT Score__c FROM Lead"
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        client.query(soql)
    granted = client.PermissionSet.create({"Name": "Sync", "Label": "Sync"})["id"]
    grant = {"ParentId": granted, "SobjectType": "Lead", "Field": "Lead.Score__c",
             "PermissionsRead": True}  # fmt: skip
    grant_id = client.FieldPermissions.create(grant)["id"]
    assert refusal(http.get(f"/query?q={quote(soql)}")) == "INVALID_FIELD"
    client.PermissionSetAssignment.create(
        {"AssigneeId": org.integration_user_id, "PermissionSetId": granted}
    )
    assert client.query(soql)["totalSize"] == 1
    assert codes(patch_rows(http, [{"id": record_id, "Score__c": 1}])) == [
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    ]
    client.FieldPermissions.update(grant_id, {"PermissionsEdit": True})
    assert codes(patch_rows(http, [{"id": record_id, "Score__c": 1.2345}])) == []
    assert org.records("Lead")[record_id]["Score__c"] == 1.235
    client.FieldPermissions.delete(grant_id)
    assert refusal(http.get(f"/query?q={quote(soql)}")) == "INVALID_FIELD"


def test_grants_stand_once_and_name_a_field_that_is_there(org, client):
    granted = client.PermissionSet.create({"Name": "Sync", "Label": "Sync"})["id"]
    grant = {"ParentId": granted, "SobjectType": "Lead", "Field": "Lead.Title",
             "PermissionsRead": True}  # fmt: skip
    client.FieldPermissions.create(grant)
    assignment = {"AssigneeId": org.integration_user_id, "PermissionSetId": granted}
    client.PermissionSetAssignment.create(assignment)
    for make, body, code in (
        (client.FieldPermissions, grant, "DUPLICATE_VALUE"),
        (client.PermissionSetAssignment, assignment, "DUPLICATE_VALUE"),
        (client.PermissionSet, {"Name": "Sync", "Label": "x"}, "DUPLICATE_VALUE"),
        (client.FieldPermissions, grant | {"Field": "Lead.Nope__c"}, "INVALID_CROSS_REFERENCE_KEY"),
        (client.FieldPermissions, grant | {"Field": "Lead.LastName"}, "FIELD_INTEGRITY_EXCEPTION"),
        (client.FieldPermissions,
         grant | {"Field": "Lead.City", "PermissionsRead": False, "PermissionsEdit": True},
         "FIELD_INTEGRITY_EXCEPTION"),
    ):  # fmt: skip
        with pytest.raises(SalesforceMalformedRequest, match=code):
            make.create(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (field_request("Lead.Score__c", type="Text"), "FIELD_INTEGRITY_EXCEPTION"),
        (field_request("Lead.Score__c", type="Text", length=256), "FIELD_INTEGRITY_EXCEPTION"),
        (field_request("Lead.Score__c", type="Number", precision=19, scale=0),
         "FIELD_INTEGRITY_EXCEPTION"),
        (field_request("Lead.Score__c", type="Nope"), "FIELD_INTEGRITY_EXCEPTION"),
        (field_request("Lead.Score", type="Date"), "INVALID_FIELD_NAME"),
        (field_request("Nope.Score__c", type="Date"), "FIELD_INTEGRITY_EXCEPTION"),
        (field_request("Task.Score__c", type="Date"), "FIELD_INTEGRITY_EXCEPTION"),
        ({"FullName": "Lead.Score__c", "Metadata": {"type": "Date"}}, "REQUIRED_FIELD_MISSING"),
        ({"FullName": "Lead.Score__c"}, "REQUIRED_FIELD_MISSING"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_well_described_is_refused(http, body, code):
    assert refusal(http.post("/tooling/sobjects/CustomField", json=body)) == code


def test_a_second_field_of_the_name_is_refused_and_the_first_can_be_found(http):
    body = field_request("Lead.Score__c", type="Date")
    assert http.post("/tooling/sobjects/CustomField", json=body).status_code == 201
    again = http.post("/tooling/sobjects/CustomField", json=body)
    assert refusal(again) == "DUPLICATE_DEVELOPER_NAME"
    [found] = ask(
        http,
        "SELECT Id, DeveloperName, TableEnumOrId FROM CustomField WHERE "
        "EntityDefinition.QualifiedApiName = 'Lead' AND DeveloperName = 'Score'",
        "tooling/query",
    )
    assert (found["DeveloperName"], found["TableEnumOrId"]) == ("Score", "Lead")


def test_a_field_of_activities_appears_on_tasks_and_events(org, http):
    body = field_request("Activity.Topic__c", type="Text", length=50)
    assert http.post("/tooling/sobjects/CustomField", json=body).status_code == 201
    for sobject in ("Task", "Event"):
        org.add(sobject, {"Subject": "x", "Topic__c": "y"}, created_at=NOON)


def test_25_fields_are_made_in_one_composite_call(org, http):
    parts = [
        {"method": "POST", "url": "/services/data/v66.0/tooling/sobjects/CustomField",
         "referenceId": f"f{n}", "body": field_request(f"Lead.F{n}__c", type="Date")}
        for n in range(25)
    ]  # fmt: skip
    for path, status in (("/composite", 201), ("/tooling/composite", 400)):
        answer = http.post(path, json={"compositeRequest": parts}).json()["compositeResponse"]
        assert {part["httpStatusCode"] for part in answer} == {status}
    assert org.api_requests_used == 2


# What the world may do


def test_ids_given_are_kept_and_short_ones_made_long(org):
    for given, kept in (("00Q5g000001abcDEAQ", "00Q5g000001abcDEAQ"),
                        ("00Q5g000001abcE", "00Q5g000001abcEEAQ")):  # fmt: skip
        fields = {"LastName": "A", "Company": "B"}
        assert org.add("Lead", fields, record_id=given, created_at=NOON) == kept
        assert kept in org.records("Lead")


def test_an_unknown_field_or_object_is_an_error_of_the_test_itself(org):
    with pytest.raises(ValueError, match="Lead has no field Nope"):
        org.add("Lead", {"Nope": 1}, created_at=NOON)
    with pytest.raises(ValueError, match="no object Nope"):
        org.add("Nope", {}, created_at=NOON)


def test_a_currency_that_is_added_replaces_the_one_the_org_was_founded_with(org, http):
    for code, rate in (("USD", 1), ("EUR", "0.9")):
        new = {"IsoCode": code, "ConversionRate": rate, "DecimalPlaces": 2, "IsActive": True}
        org.add("CurrencyType", new, created_at=NOON)
    found = ask(http, "SELECT IsoCode, ConversionRate FROM CurrencyType ORDER BY IsoCode")
    assert [(row["IsoCode"], row["ConversionRate"]) for row in found] == [
        ("EUR", 0.9), ("USD", 1.0),
    ]  # fmt: skip


def test_the_organization_shows_what_was_set(org, http):
    org.organization["TimeZoneSidKey"] = "Europe/Berlin"
    [row] = ask(http, "SELECT TimeZoneSidKey, DefaultCurrencyIsoCode FROM Organization")
    assert (row["TimeZoneSidKey"], row["DefaultCurrencyIsoCode"]) == ("Europe/Berlin", "USD")


def test_queues_own_leads_and_are_no_users(org, http):
    queue = org.add("Group", {"Name": "Inbound", "Type": "Queue"}, created_at=NOON)
    org.add("QueueSobject", {"QueueId": queue, "SobjectType": "Lead"}, created_at=NOON)
    lead(org, OwnerId=queue)
    [row] = ask(http, "SELECT OwnerId, Owner.Name, Owner.Type FROM Lead")
    assert (row["OwnerId"][:3], row["Owner"]["Name"], row["Owner"]["Type"]) == (
        "00G", "Inbound", "Group",
    )  # fmt: skip
    assert ask(http, "SELECT Queue.Name FROM QueueSobject")[0]["Queue"]["Name"] == "Inbound"
