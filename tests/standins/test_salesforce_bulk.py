"""The stand-in's Bulk API 2.0 over HTTP, against what the vendor documents."""

import csv
import io
from datetime import UTC, datetime

import pytest
import requests

from standins.salesforce import SalesforceStandIn
from standins.server import serve

NOW = datetime(2026, 11, 17, 14, 15, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


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
def org():
    org = SalesforceStandIn(now=lambda: NOW)
    org.add_field("Lead", "Score__c", "double", precision=18, scale=2)
    org.add_field("Lead", "Key__c", "string", length=20, externalId=True, unique=True)
    org.jobs.polls = 0
    return org


@pytest.fixture
def http(org, server):
    behind, url = server
    behind.app = org.app()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {org.issue_token()}"
        session.jobs = f"{url}/services/data/v66.0/jobs"
        yield session


def leads(org, count, **fields):
    return [
        org.add("Lead", {"LastName": f"L{n}", "Company": "Acme"} | fields, created_at=NOON)
        for n in range(count)
    ]


def read(answer):
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def query_job(http, soql, operation="query", **more):
    body = {"operation": operation, "query": soql} | more
    answer = http.post(f"{http.jobs}/query", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def ingest(http, operation, lines, sobject="Lead", **more):
    body = {"object": sobject, "operation": operation, "contentType": "CSV"} | more
    created = http.post(f"{http.jobs}/ingest", json=body)
    assert created.status_code == 200, created.text
    job = created.json()
    data = lines if isinstance(lines, bytes) else "\n".join(lines).encode()
    put = http.put(
        http.jobs.replace("jobs", "") + job["contentUrl"].partition("/v66.0/")[2],
        data=data,
        headers={"Content-Type": "text/csv; charset=UTF-8"},
    )
    assert (put.status_code, put.content) == (201, b"")
    closed = http.patch(f"{http.jobs}/ingest/{job['id']}", json={"state": "UploadComplete"})
    assert closed.json()["state"] == "UploadComplete"
    return http.get(f"{http.jobs}/ingest/{job['id']}").json()


def outcome(http, job, which):
    return read(http.get(f"{http.jobs}/ingest/{job['id']}/{which}/"))


# Query


def test_a_query_job_is_created_polled_and_read_in_the_documented_states(org, http):
    org.jobs.polls = 1
    leads(org, 1)
    job_id = query_job(http, "SELECT Id FROM Lead")
    early = http.get(f"{http.jobs}/query/{job_id}/results")
    assert (early.status_code, early.json()[0]["errorCode"]) == (400, "JOB_NOT_COMPLETE")
    states = [http.get(f"{http.jobs}/query/{job_id}").json()["state"] for _ in range(3)]
    assert states == ["InProgress", "JobComplete", "JobComplete"]


def test_a_query_job_says_what_it_is(http):
    body = {"operation": "queryAll", "query": "SELECT Id FROM Lead"}
    job = http.post(f"{http.jobs}/query", json=body).json()
    del job["id"], job["createdById"]
    assert job == {
        "operation": "queryAll", "object": "Lead", "createdDate": "2026-11-17T14:15:00.000+0000",
        "systemModstamp": "2026-11-17T14:15:00.000+0000", "state": "UploadComplete",
        "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 66.0,
        "lineEnding": "LF", "columnDelimiter": "COMMA",
    }  # fmt: skip


def test_every_page_has_the_header_and_the_last_locator_is_the_word_null(org, http):
    leads(org, 5)
    job_id = query_job(http, "SELECT LastName, Owner.Name FROM Lead")
    http.get(f"{http.jobs}/query/{job_id}")
    seen, sizes, params = [], [], {"maxRecords": 2}
    while True:
        page = http.get(f"{http.jobs}/query/{job_id}/results", params=params)
        assert page.content.splitlines()[0] == b'"LastName","Owner.Name"'
        seen += [row["LastName"] for row in read(page)]
        sizes.append(page.headers["Sforce-NumberOfRecords"])
        if page.headers["Sforce-Locator"] == "null":
            break
        params["locator"] = page.headers["Sforce-Locator"]
    assert sizes == ["2", "2", "1"]
    assert seen == [f"L{n}" for n in range(5)]


def test_a_page_can_be_fetched_again_and_a_made_up_locator_cannot(org, http):
    leads(org, 3)
    job_id = query_job(http, "SELECT Id FROM Lead")
    http.get(f"{http.jobs}/query/{job_id}")
    results = f"{http.jobs}/query/{job_id}/results"
    locator = http.get(results, params={"maxRecords": 1}).headers["Sforce-Locator"]
    again = [http.get(results, params={"maxRecords": 1, "locator": locator}) for _ in range(2)]
    assert again[0].content == again[1].content
    assert http.get(results, params={"locator": "200"}).status_code == 400


def test_no_rows_are_a_header_alone(http):
    job_id = query_job(http, "SELECT Id, Email FROM Lead")
    http.get(f"{http.jobs}/query/{job_id}")
    page = http.get(f"{http.jobs}/query/{job_id}/results")
    assert page.content == b'"Id","Email"\n'
    assert page.headers["Sforce-NumberOfRecords"] == "0"


def test_cells_are_quoted_stamps_end_in_z_and_empty_is_empty(org, http):
    org.add(
        "Lead",
        {"LastName": 'Quote " and\nline', "Company": "A,B", "Score__c": "1.5"},
        created_at=NOON,
    )
    job_id = query_job(
        http, "SELECT LastName, Company, Email, Score__c, IsConverted, CreatedDate FROM Lead"
    )
    http.get(f"{http.jobs}/query/{job_id}")
    page = http.get(f"{http.jobs}/query/{job_id}/results")
    assert page.content.partition(b"\n")[2] == (
        b'"Quote "" and\nline","A,B","","1.5","false","2026-03-01T12:00:00.000Z"\n'
    )


def test_delimiter_and_line_ending_are_the_ones_asked_for(org, http):
    leads(org, 1)
    job_id = query_job(
        http, "SELECT LastName, Company FROM Lead", columnDelimiter="TAB", lineEnding="CRLF"
    )
    http.get(f"{http.jobs}/query/{job_id}")
    page = http.get(f"{http.jobs}/query/{job_id}/results")
    assert page.content == b'"LastName"\t"Company"\r\n"L0"\t"Acme"\r\n'


def test_query_all_jobs_bring_deleted_rows(org, http):
    [record_id] = leads(org, 1)
    org.delete("Lead", record_id, at=NOW)
    for operation, count in (("query", 0), ("queryAll", 1)):
        job_id = query_job(http, "SELECT Id, IsDeleted FROM Lead", operation)
        http.get(f"{http.jobs}/query/{job_id}")
        assert len(read(http.get(f"{http.jobs}/query/{job_id}/results"))) == count


def test_results_are_refused_under_another_version(org, http):
    job_id = query_job(http, "SELECT Id FROM Lead")
    http.get(f"{http.jobs}/query/{job_id}")
    older = http.jobs.replace("v66.0", "v60.0")
    assert http.get(f"{older}/query/{job_id}/results").status_code == 409


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Status, COUNT(Id) FROM Lead GROUP BY Status", "API_ERROR"),
        ("SELECT COUNT() FROM Lead", "API_ERROR"),
        ("SELECT Id FROM Lead OFFSET 5", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Tasks) FROM Lead", "API_ERROR"),
        ("SELECT Address FROM Lead", "API_ERROR"),
        ("SELECT FIELDS(ALL) FROM Lead LIMIT 10", "API_ERROR"),
        ("SELECT Nope__c FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
    ],
)
def test_what_the_bulk_api_cannot_ask_is_refused_at_once(http, soql, code):
    answer = http.post(f"{http.jobs}/query", json={"operation": "query", "query": soql})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_jobs_are_listed_aborted_and_deleted(org, http):
    job_id = query_job(http, "SELECT Id FROM Lead")
    assert [job["id"] for job in http.get(f"{http.jobs}/query").json()["records"]] == [job_id]
    assert http.delete(f"{http.jobs}/query/{job_id}").status_code == 400
    aborted = http.patch(f"{http.jobs}/query/{job_id}", json={"state": "Aborted"})
    assert aborted.json()["state"] == "Aborted"
    deleted = http.delete(f"{http.jobs}/query/{job_id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert http.get(f"{http.jobs}/query/{job_id}").status_code == 404


# Ingest


def test_na_clears_empty_leaves_and_values_set(org, http):
    ids = leads(org, 3, Score__c=7, Title="CEO")
    job = ingest(
        http,
        "update",
        ["Id,Score__c,Title", f"{ids[0]},#N/A,", f"{ids[1]},1.5,CFO", f"{ids[2]},,#N/A"],
    )
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (
        "JobComplete", 3, 0,
    )  # fmt: skip
    now = org.records("Lead")
    assert [(now[one]["Score__c"], now[one]["Title"]) for one in ids] == [
        (None, "CEO"), (1.5, "CFO"), (7.0, None),
    ]  # fmt: skip


def test_some_rows_may_fail_in_a_job_that_is_complete(org, http):
    good, converted = leads(org, 2)
    contact = org.add("Contact", {"LastName": "C"}, created_at=NOON)
    account = org.add("Account", {"Name": "A"}, created_at=NOON)
    org.convert(converted, at=NOW, contact_id=contact, account_id=account)
    job = ingest(
        http,
        "update",
        ["Id,Title", f"{good},CEO", f"{converted},CEO", "00Q5g00000zzzzzEAA,CEO", f"{good},x"],
    )
    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 2)
    failed = {row["sf__Id"]: row["sf__Error"] for row in outcome(http, job, "failedResults")}
    assert failed[converted] == "CANNOT_UPDATE_CONVERTED_LEAD:cannot reference converted lead: --"
    assert failed["00Q5g00000zzzzzEAA"].startswith("INVALID_CROSS_REFERENCE_KEY:")
    done = outcome(http, job, "successfulResults")
    assert {row["sf__Id"] for row in done} == {good}
    assert {row["sf__Created"] for row in done} == {"false"}
    assert outcome(http, job, "unprocessedrecords") == []


def test_results_come_in_another_order_than_the_rows_went(org, http):
    ids = leads(org, 60)
    job = ingest(http, "update", ["Id,Title", *(f"{one},CEO" for one in ids)])
    done = [row["Id"] for row in outcome(http, job, "successfulResults")]
    assert sorted(done) == sorted(ids)
    assert done != ids


def test_values_with_newlines_quotes_and_delimiters_arrive_whole(org, http):
    [record_id] = leads(org, 1)
    text = 'first\nsecond, "quoted"'
    cell = text.replace('"', '""')
    job = ingest(http, "update", ["Id,Description", f'{record_id},"{cell}"'])
    assert org.records("Lead")[record_id]["Description"] == text
    [row] = outcome(http, job, "successfulResults")
    assert row["Description"] == text


def test_upserts_tell_new_rows_from_old_ones(org, http):
    org.add("Lead", {"LastName": "A", "Company": "B", "Key__c": "k1"}, created_at=NOON)
    job = ingest(
        http,
        "upsert",
        ["Key__c,LastName,Company", "K1,Changed,B", "k2,New,B", ",Nameless,B"],
        externalIdFieldName="Key__c",
    )
    done = outcome(http, job, "successfulResults")
    assert {row["Key__c"]: row["sf__Created"] for row in done} == {"K1": "false", "k2": "true"}
    [failed] = outcome(http, job, "failedResults")
    assert failed["sf__Error"].startswith("MISSING_ARGUMENT:Key__c not specified")


def test_rows_are_created_and_deleted(org, http):
    job = ingest(http, "insert", ["LastName,Company", "A,B"])
    [row] = outcome(http, job, "successfulResults")
    assert org.records("Lead")[row["sf__Id"]]["LastName"] == "A"
    ingest(http, "delete", ["Id", row["sf__Id"]])
    assert row["sf__Id"] not in org.records("Lead")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Id,Nope__c\n1,2\n", "InvalidBatch : Field name not found : Nope__c"),
        (b"Id,Title\r\n1,2\r\n", "InvalidBatch : LineEnding is invalid on user data."),
        (b"Id,Title\n1,2,3\n", "InvalidBatch : a row has another number of columns"),
        (b"Id,Title\n1,\xff\n", "InvalidBatch : file is not UTF-8"),
        (b"Id,Title\n1," + b"x" * 32_001 + b"\n", "InvalidBatch : a field is longer than"),
    ],
)
def test_a_file_that_does_not_fit_fails_the_whole_job(http, data, message):
    job = ingest(http, "update", data)
    assert job["state"] == "Failed"
    assert job["errorMessage"].startswith(message)


def test_a_file_in_the_declared_windows_line_endings_is_taken(org, http):
    [record_id] = leads(org, 1)
    data = f"Id,Title\r\n{record_id},CEO\r\n".encode()
    assert ingest(http, "update", data, lineEnding="CRLF")["numberRecordsFailed"] == 0
    assert org.records("Lead")[record_id]["Title"] == "CEO"


def test_a_job_takes_one_file_and_only_while_it_is_open(http):
    body = {"object": "Lead", "operation": "update", "contentType": "CSV"}
    job = http.post(f"{http.jobs}/ingest", json=body).json()
    batches = f"{http.jobs}/ingest/{job['id']}/batches"
    headers = {"Content-Type": "text/csv"}
    assert http.put(batches, data=b"Id\n", headers=headers).status_code == 201
    assert http.put(batches, data=b"Id\n", headers=headers).status_code == 400


def test_a_planned_failure_leaves_the_rows_it_did_not_come_to_unprocessed(org, http):
    ids = leads(org, 4)
    org.jobs.fail_next, org.jobs.fail_after = "InternalServerError", 3
    job = ingest(http, "update", ["Id,Title", *(f"{one},CEO" for one in ids)])
    assert (job["state"], job["errorMessage"]) == ("Failed", "InternalServerError")
    assert len(outcome(http, job, "successfulResults")) == 3
    assert [row["Id"] for row in outcome(http, job, "unprocessedRecords")] == [ids[3]]
    assert ingest(http, "update", ["Id,Title", f"{ids[3]},CEO"])["state"] == "JobComplete"


def test_ingest_assigns_leads_by_the_jobs_own_rule_only(org, http):
    [record_id] = leads(org, 1)
    queue = org.add("Group", {"Name": "Q", "Type": "Queue"}, created_at=NOON)
    org.rules.assignment_owner = queue
    ingest(http, "update", ["Id,Title", f"{record_id},CEO"])
    assert org.records("Lead")[record_id]["OwnerId"] == org.admin_id
    ingest(http, "update", ["Id,Title", f"{record_id},CFO"], assignmentRuleId="01Q000000000001AAA")
    assert org.records("Lead")[record_id]["OwnerId"] == queue


def test_lookups_may_be_named_by_an_external_id(org, http):
    org.add_field("Campaign", "Code__c", "string", externalId=True)
    campaign = org.add("Campaign", {"Name": "Fair", "Code__c": "F1"}, created_at=NOON)
    [record_id] = leads(org, 1)
    job = ingest(
        http, "insert", ["Campaign.Code__c,LeadId", f"F1,{record_id}", f"F2,{record_id}"],
        sobject="CampaignMember",
    )  # fmt: skip
    assert job["numberRecordsFailed"] == 1
    [member] = org.records("CampaignMember").values()
    assert (member["CampaignId"], member["LeadId"]) == (campaign, record_id)


def test_a_token_may_die_between_two_polls(org, http):
    job_id = query_job(http, "SELECT Id FROM Lead")
    org.expire_tokens()
    answer = http.get(f"{http.jobs}/query/{job_id}")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    http.headers["Authorization"] = f"Bearer {org.issue_token()}"
    assert http.get(f"{http.jobs}/query/{job_id}").json()["state"] == "JobComplete"


def test_a_written_row_moves_its_stamp_to_now(org, http):
    [record_id] = leads(org, 1)
    ingest(http, "update", ["Id,Title", f"{record_id},CEO"])
    assert org.records("Lead")[record_id]["SystemModstamp"] == "2026-11-17T14:15:00.000+0000"
