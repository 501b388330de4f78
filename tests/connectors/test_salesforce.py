"""The Salesforce connector against the stand-in, over HTTP."""

import pickle
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from agreement.errors import AccessError, BadTable, VendorRejected
from agreement.records import Change, FieldInfo, Window
from agreement.written_fields import field_definitions
from connectors.salesforce import Jobs, Salesforce
from connectors.salesforce.bulk import parse
from connectors.salesforce.rows import CsvRows, Layout
from connectors.salesforce.values import long_id
from connectors.settings import Settings
from connectors.transport import Budget, Pacer, Road
from standins.salesforce import SalesforceStandIn
from standins.server import serve

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
QUERY = "GET /services/data/{v}/queryAll"
MORE = "GET /services/data/{v}/query/{locator}"
COLLECTIONS = "PATCH /services/data/{v}/composite/sobjects"


@pytest.fixture(scope="module")
def served():
    """Serve one address for all tests; each test has an org of its own behind it."""
    inner = {}

    async def app(scope, receive, send):
        await inner["app"](scope, receive, send)

    with serve(app) as url:
        yield url, inner


@pytest.fixture
def org(served):
    org = SalesforceStandIn(now=lambda: NOON + timedelta(days=1))
    served[1]["app"] = org.app()
    return org


@pytest.fixture
def connect(served):
    def make(sleep=lambda _: None, **jobs):
        settings = Settings(
            _env_file=None,
            salesforce_login_url=served[0],
            salesforce_client_id="standin-client",
            salesforce_client_secret="standin-secret",
        )
        road = Road(Budget("salesforce"), {"all": Pacer(None, 1)}, sleep=lambda _: None)
        return Salesforce.from_settings(settings, road=road, jobs=Jobs(sleep=sleep, **jobs))

    return make


@pytest.fixture
def salesforce(org, connect):
    return connect()


def add_lead(org, *, at=NOON, **fields):
    return org.add("Lead", {"LastName": "L", "Company": "C"} | fields, created_at=at)


def pull(salesforce, kind="lead", fields=("LastName",), since=None, until=NOON):
    window = Window(since, until)
    return [row for batch in salesforce.pull(kind, fields, window) for row in batch.records]


def ids(records):
    return sorted(record.record_id for record in records)


def templates(org):
    return Counter(call.template for call in org.log)


def update(salesforce, changes, kind="lead"):
    told = [row for batch in salesforce.update(kind, changes) for row in batch]
    assert ids(told) == sorted(change.record_id for change in changes)
    return {row.record_id: row for row in told}


# ---- reading: what a window holds


def test_both_ends_of_a_window_are_inside(org, salesforce):
    inside = [add_lead(org, at=NOON), add_lead(org, at=NOON + SECOND)]
    add_lead(org, at=NOON - SECOND)
    add_lead(org, at=NOON + 2 * SECOND)
    assert ids(pull(salesforce, since=NOON, until=NOON + SECOND)) == sorted(inside)


def test_a_first_load_has_no_silent_start_and_no_end(org, salesforce):
    old = add_lead(org, at=datetime(1999, 12, 31, tzinfo=UTC))
    new = add_lead(org, at=NOON + timedelta(hours=3))
    assert ids(pull(salesforce, until=NOON)) == sorted([old, new])


def test_rows_of_one_second_are_read_once_each_over_all_pages(org, salesforce):
    org.page_size = 200
    expected = [add_lead(org) for _ in range(450)]
    found = pull(salesforce, since=NOON)
    assert ids(found) == sorted(expected)
    assert templates(org)[QUERY] == 1
    assert templates(org)[MORE] == 2


def test_a_short_page_is_not_the_last_one(org, salesforce):
    org.page_size = 7
    expected = [add_lead(org) for _ in range(30)]
    assert ids(pull(salesforce)) == sorted(expected)


def test_a_quiet_window_costs_one_request(org, salesforce):
    salesforce.describe("lead")
    org.log.clear()
    assert pull(salesforce, since=NOON) == []
    assert [call.template for call in org.log] == [QUERY]


def test_describing_twice_costs_one_request(org, salesforce):
    salesforce.describe("lead")
    salesforce.describe("lead")
    assert salesforce.calls == len(org.log) == 2


def test_whole_pages_are_asked_for(org, salesforce):
    pull(salesforce)
    assert org.log[-1].sforce["sforce-query-options"] == "batchSize=2000"


def test_a_change_by_the_system_alone_is_seen_by_its_own_stamp(org, salesforce):
    """SystemModstamp moves where LastModifiedDate does not."""
    lead = org.add(
        "Lead",
        {"LastName": "L", "Company": "C", "LastModifiedDate": NOON - timedelta(days=9)},
        created_at=NOON - timedelta(days=9),
        modified_at=NOON,
    )
    [record] = pull(salesforce, since=NOON)
    assert record.record_id == lead
    assert record.modified_at == NOON
    assert record.created_at == NOON - timedelta(days=9)


def test_a_history_row_is_found_by_when_it_was_made(org, salesforce):
    lead = add_lead(org, at=NOON - timedelta(days=2))
    history = {"LeadId": lead, "Field": "Status", "OldValue": "New", "NewValue": "Working"}
    org.add("LeadHistory", history, created_at=NOON)
    org.add("LeadHistory", history, created_at=NOON - timedelta(days=1))
    [row] = pull(salesforce, "lead_history", ("Field", "NewValue"), since=NOON)
    assert dict(row.values) == {"Field": "Status", "NewValue": "Working"}
    assert row.modified_at == row.created_at == NOON


def test_children_that_do_not_move_their_parents_stamp_are_read_on_their_own(org, salesforce):
    account = org.add("Account", {"Name": "A"}, created_at=NOON - timedelta(days=9))
    contact = org.add(
        "Contact", {"LastName": "L", "AccountId": account}, created_at=NOON - timedelta(days=9)
    )
    deal = org.add(
        "Opportunity",
        {"Name": "D", "StageName": "Prospecting", "CloseDate": NOON, "AccountId": account},
        created_at=NOON - timedelta(days=9),
    )
    role = org.add(
        "OpportunityContactRole",
        {"OpportunityId": deal, "ContactId": contact},
        created_at=NOON,
    )
    assert pull(salesforce, "opportunity", ("Name",), since=NOON) == []
    fields = ("OpportunityId", "ContactId")
    [row] = pull(salesforce, "opportunity_contact_role", fields, since=NOON)
    assert row.record_id == role
    assert dict(row.values) == {"OpportunityId": deal, "ContactId": contact}


# ---- reading: what becomes of records


def test_a_deleted_record_comes_as_deleted(org, salesforce):
    lead = add_lead(org, at=NOON - timedelta(days=1))
    org.delete("Lead", lead, at=NOON)
    [record] = pull(salesforce, since=NOON)
    assert (record.record_id, record.is_deleted, record.merged_into) == (lead, True, None)


def test_a_merged_record_names_the_one_that_took_it_over(org, salesforce):
    winner, loser = (add_lead(org, at=NOON - timedelta(days=1)) for _ in range(2))
    org.merge("Lead", winner, [loser], at=NOON)
    found = {record.record_id: record for record in pull(salesforce, since=NOON)}
    assert found[loser].is_deleted
    assert found[loser].merged_into == winner
    assert not found[winner].is_deleted


def test_a_record_that_left_the_recycle_bin_is_still_in_the_log_of_deletions(org, salesforce):
    lead = add_lead(org, at=NOON - timedelta(days=1))
    org.delete("Lead", lead, at=NOON)
    org.purge("Lead", lead)
    assert pull(salesforce, since=NOON) == []
    window = Window(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert salesforce.deleted("lead", window) == {lead: NOON}


def test_archived_activities_are_read(org, salesforce):
    task = org.add(
        "Task",
        {"Subject": "Call", "Status": "Completed", "IsArchived": True},
        created_at=NOON - timedelta(days=500),
    )
    assert ids(pull(salesforce, "task", ("Subject",))) == [task]


def test_a_conversion_brings_the_lead_and_everything_that_moved_with_it(org, salesforce):
    before = NOON - timedelta(days=3)
    lead = add_lead(org, at=before)
    task = org.add("Task", {"Subject": "Call", "WhoId": lead}, created_at=before)
    campaign = org.add("Campaign", {"Name": "Fair"}, created_at=before)
    member = org.add("CampaignMember", {"CampaignId": campaign, "LeadId": lead}, created_at=before)
    account = org.add("Account", {"Name": "A"}, created_at=before)
    contact = org.add("Contact", {"LastName": "L", "AccountId": account}, created_at=before)
    org.convert(lead, at=NOON, contact_id=contact, account_id=account)

    [row] = pull(salesforce, "lead", ("IsConverted", "ConvertedContactId"), since=NOON)
    assert dict(row.values) == {"IsConverted": "true", "ConvertedContactId": contact}
    [row] = pull(salesforce, "task", ("WhoId",), since=NOON)
    assert (row.record_id, row.values["WhoId"]) == (task, contact)
    [row] = pull(salesforce, "campaign_member", ("LeadId", "ContactId"), since=NOON)
    assert (row.record_id, row.values["ContactId"]) == (member, contact)


def test_an_inactive_user_is_read_like_any_other(org, salesforce):
    user = org.add(
        "User",
        {"Username": "x@example.com", "LastName": "X", "IsActive": False},
        created_at=NOON,
    )
    found = {row.record_id: row for row in pull(salesforce, "user", ("IsActive",))}
    assert found[user].values["IsActive"] == "false"
    assert not found[user].is_deleted


# ---- reading: values


def test_values_are_canonical_text(org, salesforce):
    org.add_field("Lead", "Score__c", "double", scale=4)
    lead = add_lead(
        org,
        Email="a@example.com",
        AnnualRevenue=1250.50,
        NumberOfEmployees=7,
        Score__c=0.1,
        IsUnreadByOwner=False,
        FirstName="",
    )
    fields = (
        "Email", "AnnualRevenue", "NumberOfEmployees", "Score__c", "IsUnreadByOwner", "FirstName",
        "CreatedDate", "ConvertedDate",
    )  # fmt: skip
    expected = {
        "Email": "a@example.com",
        "AnnualRevenue": "1250.5",
        "NumberOfEmployees": "7",
        "Score__c": "0.1",
        "IsUnreadByOwner": "false",
        "FirstName": None,
        "CreatedDate": "2026-03-01T12:00:00.000Z",
        "ConvertedDate": None,
    }
    [record] = pull(salesforce, fields=fields)
    assert dict(record.values) == expected
    [record] = salesforce.read_back("lead", [lead], fields)
    assert dict(record.values) == expected


@pytest.mark.parametrize("amount", ["1234567890123456.78", "999999999999999999", "-0.01", "0"])
def test_an_amount_of_eighteen_digits_keeps_each_of_them(org, connect, amount):
    org.add_field("Lead", "Amount__c", "currency", scale=2)
    lead = add_lead(org, Amount__c=amount)
    by_pages, in_bulk = connect(), connect(above_rows=0)
    assert pull(by_pages, fields=("Amount__c",))[0].values["Amount__c"] == amount
    assert pull(in_bulk, fields=("Amount__c",))[0].values["Amount__c"] == amount
    [record] = by_pages.read_back("lead", [lead], ["Amount__c"])
    assert record.values["Amount__c"] == amount


def test_ids_of_15_and_18_characters_are_one_id(org, salesforce):
    lead = add_lead(org)
    assert long_id(lead[:15]) == lead
    [outcome] = update(salesforce, [Change(lead, {"Title": "T"})]).values()
    assert outcome.is_accepted
    [told] = next(iter(salesforce.update("lead", [Change(lead[:15], {"Title": "U"})])))
    assert (told.record_id, told.is_accepted) == (lead, True)


def test_hostile_text_comes_through_pages_and_bulk_alike(org, connect):
    text = 'quote " comma , newline\nand \r\n crlf, =HYPERLINK("x"), ünï → 漢字 🎉, #N/A'
    add_lead(org, Description=text, Title='"', City="000123", Street="x" * 30_000)
    fields = ("Description", "Title", "City", "Street", "State")
    [paged] = pull(connect(), fields=fields)
    [bulked] = pull(connect(above_rows=0), fields=fields)
    assert dict(paged.values) == {
        "Description": text, "Title": '"', "City": "000123", "Street": "x" * 30_000, "State": None,
    }  # fmt: skip
    assert paged == bulked


def test_nul_is_dropped_on_both_roads(org, connect):
    add_lead(org, Title="a\0b")
    assert pull(connect(), fields=("Title",))[0].values["Title"] == "ab"
    assert pull(connect(above_rows=0), fields=("Title",))[0].values["Title"] == "ab"


# ---- reading: what an org does not have


def test_a_field_that_the_org_lacks_or_hides_is_left_out(org, salesforce):
    org.hide_fields("Lead", "Phone")
    add_lead(org, Title="T")
    [record] = pull(salesforce, fields=("Title", "Phone", "Nope__c", "Title"))
    assert dict(record.values) == {"Title": "T"}
    assert "Phone" not in salesforce.describe("lead")


def test_an_object_that_the_org_hides_is_none_and_pulling_it_is_an_access_error(org, salesforce):
    org.hide_object("Campaign")
    assert salesforce.describe("campaign") is None
    with pytest.raises(AccessError, match="Campaign"):
        pull(salesforce, "campaign", ("Name",))


def test_an_org_of_one_currency_has_no_currency_objects(served, connect):
    served[1]["app"] = SalesforceStandIn(multi_currency=False).app()
    salesforce = connect()
    assert salesforce.describe("currency_type") is None
    assert salesforce.describe("dated_conversion_rate") is None
    assert "CurrencyIsoCode" not in salesforce.describe("opportunity")
    [row] = pull(salesforce, "organization", ("DefaultCurrencyIsoCode",))
    assert row.values["DefaultCurrencyIsoCode"]


def test_a_describe_says_what_the_field_takes(org, salesforce):
    org.add_field(
        "Lead", "Reason__c", "picklist", picklistValues=["A", "B"], restrictedPicklist=True
    )
    org.add_field("Lead", "Open__c", "picklist", picklistValues=["A", "B"])
    org.add_field("Lead", "Sum__c", "currency", calculated=True, updateable=False, scale=2)
    lead = salesforce.describe("lead")
    assert lead["Reason__c"].options == ("A", "B")
    assert lead["Open__c"].options == ()
    assert (lead["Sum__c"].is_calculated, lead["Sum__c"].is_writable) == (True, False)
    assert (lead["Sum__c"].kind, lead["Sum__c"].digits) == ("number", 2)
    assert lead["LastName"].is_required
    assert not lead["FirstName"].is_required
    assert lead["LastName"].length == 80
    assert lead["Description"].kind == "text"
    assert lead["IsConverted"].kind == "boolean"
    assert lead["ConvertedDate"].kind == "date"
    assert lead["SystemModstamp"].kind == "datetime"
    assert lead["NumberOfEmployees"].digits == 0
    assert "Address" not in lead


# ---- reading in bulk


def test_a_small_load_goes_by_pages_and_a_large_one_in_bulk_with_the_same_records(org, connect):
    org.page_size = 10
    for number in range(25):
        add_lead(org, Title=f"T{number}", AnnualRevenue=number * 1.25)
    org.delete("Lead", add_lead(org, at=NOON - timedelta(days=1)), at=NOON)
    fields = ("Title", "AnnualRevenue", "IsConverted", "OwnerId", "CreatedDate")
    by_pages = pull(connect(above_rows=26), fields=fields)
    assert not any("jobs" in call.template for call in org.log)
    in_bulk = pull(connect(above_rows=25, page_rows=7), fields=fields)
    assert len(in_bulk) == 26
    assert sorted(in_bulk, key=lambda row: row.record_id) == sorted(
        by_pages, key=lambda row: row.record_id
    )


def test_a_bulk_read_follows_locators_to_the_word_null_and_deletes_its_job(org, connect):
    expected = [add_lead(org) for _ in range(25)]
    assert ids(pull(connect(above_rows=0, page_rows=10), since=NOON)) == sorted(expected)
    asked = templates(org)
    assert asked["GET /services/data/{v}/jobs/query/{job}/results"] == 3
    assert asked["DELETE /services/data/{v}/jobs/query/{job}"] == 1


def test_an_empty_bulk_page_holds_no_records(org, connect):
    rows = CsvRows(Layout((FieldInfo("Title", "string"),), {"Title": "string"}))
    assert [list(parse(body, rows)) for body in (b"", b'"Id","Title"\n', b'"Id","Title"')] == [
        [], [], [],
    ]  # fmt: skip


def test_a_session_that_dies_during_a_job_is_renewed(org, connect):
    org.jobs.polls = 2
    expected = [add_lead(org) for _ in range(5)]
    looks = iter(range(99))

    def sleep(_):
        if next(looks) == 1:
            org.expire_tokens()

    assert ids(pull(connect(sleep, above_rows=0))) == sorted(expected)
    assert templates(org)["POST /services/oauth2/token"] == 2


def test_a_query_too_long_for_an_address_goes_in_bulk(org, salesforce):
    names = [f"A_Rather_Long_Field_Name_{number:03d}__c" for number in range(400)]
    for name in names:
        org.add_field("Lead", name, "string")
    add_lead(org, **{names[-1]: "last"})
    [record] = pull(salesforce, fields=names, since=NOON)
    assert record.values[names[-1]] == "last"
    assert len(record.values) == 400
    assert templates(org)[QUERY] == 0
    assert all(call.status < 400 for call in org.log)


def test_a_failed_bulk_read_leaves_no_job_behind(org, connect):
    add_lead(org)
    org.jobs.fail_next = "MALFORMED_QUERY: something"
    with pytest.raises(VendorRejected, match="MALFORMED_QUERY"):
        pull(connect(above_rows=0))
    assert templates(org)["DELETE /services/data/{v}/jobs/query/{job}"] == 1


# ---- reading back


def test_records_that_are_gone_are_left_out_of_a_reading_back(org, salesforce):
    kept, deleted = add_lead(org, Title="T"), add_lead(org)
    org.delete("Lead", deleted, at=NOON)
    found = list(salesforce.read_back("lead", [deleted, kept, "00Q5g00000zzzzzAAA"], ["Title"]))
    assert [(row.record_id, dict(row.values)) for row in found] == [(kept, {"Title": "T"})]
    assert found[0].modified_at == NOON


def test_two_thousand_records_are_read_back_by_one_request(org, salesforce):
    leads = [add_lead(org) for _ in range(2001)]
    salesforce.describe("lead")
    org.log.clear()
    assert ids(salesforce.read_back("lead", leads, ["Title"])) == sorted(leads)
    assert len(org.log) == 2


# ---- writing


def test_a_write_sends_the_changed_fields_only_and_clears_with_null(org, salesforce):
    lead = add_lead(org, Title="T", Phone="1", City="Rome", AnnualRevenue=1)
    change = Change(lead, {"Title": "New", "Phone": None, "AnnualRevenue": "1250.50"})
    outcome = update(salesforce, [change])[lead]
    assert outcome.is_accepted
    assert dict(outcome.values) == {"Title": "New", "Phone": None, "AnnualRevenue": "1250.5"}
    row = org.records("Lead")[lead]
    assert (row["Title"], row["Phone"], row["City"]) == ("New", None, "Rome")
    assert float(row["AnnualRevenue"]) == 1250.5


def test_a_written_number_arrives_digit_by_digit_on_both_roads(org, connect):
    org.add_field("Lead", "Amount__c", "currency", scale=2)
    leads = [add_lead(org) for _ in range(2)]
    changes = [Change(lead, {"Amount__c": "1234567890123456.78"}) for lead in leads]
    for salesforce in (connect(), connect(write_above=1)):
        assert all(row.is_accepted for row in update(salesforce, changes).values())
        assert [str(org.records("Lead")[lead]["Amount__c"]) for lead in leads] == [
            "1234567890123456.78"
        ] * 2
        org.set("Lead", leads[0], {"Amount__c": None}, at=NOON)
        org.set("Lead", leads[1], {"Amount__c": None}, at=NOON)


def test_batches_follow_the_number_of_changes(salesforce):
    assert salesforce.batch_size("lead", 1) == 200
    assert salesforce.batch_size("lead", 2_000) == 200
    assert salesforce.batch_size("lead", 2_001) == 100_000


def test_450_changes_cost_three_calls(org, salesforce):
    leads = [add_lead(org) for _ in range(450)]
    salesforce.describe("lead")
    org.log.clear()
    told = update(salesforce, [Change(lead, {"Title": "T"}) for lead in leads])
    assert all(row.is_accepted for row in told.values())
    assert [call.template for call in org.log] == [COLLECTIONS] * 3


def test_a_write_hands_no_lead_to_another_owner(org, salesforce):
    lead = add_lead(org, OwnerId=org.admin_id)
    org.rules.assignment_owner = org.integration_user_id
    update(salesforce, [Change(lead, {"Title": "T"})])
    assert org.records("Lead")[lead]["OwnerId"] == org.admin_id


def test_many_changes_go_by_one_job_within_a_handful_of_requests(org, salesforce):
    org.jobs.polls = 3
    leads = [add_lead(org) for _ in range(2_001)]
    salesforce.describe("lead")
    org.log.clear()
    told = update(salesforce, [Change(lead, {"Title": "T"}) for lead in leads])
    assert all(row.is_accepted for row in told.values())
    assert {row["Title"] for row in org.records("Lead").values()} == {"T"}
    assert len(org.log) <= 12
    assert templates(org)["DELETE /services/data/{v}/jobs/ingest/{job}"] == 1


def test_a_job_leaves_fields_alone_that_a_row_does_not_name(org, connect):
    """Rows with different fields share one file; an empty cell is no change, `#N/A` clears."""
    first = add_lead(org, Title="old", City="Rome", Phone="1")
    second = add_lead(org, Title="old", City="Rome", Phone="1")
    told = update(
        connect(write_above=1),
        [Change(first, {"Title": "new"}), Change(second, {"City": None, "Phone": "2"})],
    )
    assert all(row.is_accepted for row in told.values())
    rows = org.records("Lead")
    assert [rows[first][name] for name in ("Title", "City", "Phone")] == ["new", "Rome", "1"]
    assert [rows[second][name] for name in ("Title", "City", "Phone")] == ["old", None, "2"]


def test_a_job_takes_newlines_quotes_checkboxes_and_text_that_looks_like_a_command(org, connect):
    org.add_field("Lead", "Checked__c", "boolean")
    org.add_field("Lead", "Long__c", "textarea", length=100_000)
    leads = [add_lead(org, Checked__c=True) for _ in range(4)]
    values = [
        {"Description": 'a "b",\nc\r\nd', "Checked__c": "true"},
        {"Title": "#N/A", "Checked__c": "false"},
        {"Long__c": "x" * 40_000, "Checked__c": None},
        {"Title": "null"},
    ]
    told = update(
        connect(write_above=1),
        [Change(lead, value) for lead, value in zip(leads, values, strict=True)],
    )
    assert [told[lead].reason for lead in leads] == [""] * 4
    rows = [org.records("Lead")[lead] for lead in leads]
    assert rows[0]["Description"] == 'a "b",\nc\r\nd'
    assert rows[1]["Title"] == "#N/A"
    assert rows[2]["Long__c"] == "x" * 40_000
    assert rows[3]["Title"] == "null"
    assert [row["Checked__c"] for row in rows] == [True, False, False, True]
    assert told[leads[2]].values["Checked__c"] == "false"


def test_rows_that_a_job_refuses_are_told_by_id_and_stop_no_other(org, connect):
    org.add_field("Lead", "Mail__c", "email", length=80)
    leads = [add_lead(org) for _ in range(20)]
    changes = [
        Change(lead, {"Mail__c": "broken" if number % 3 == 0 else "a@example.com"})
        for number, lead in enumerate(leads)
    ]
    told = update(connect(write_above=1), changes)
    for number, lead in enumerate(leads):
        assert told[lead].is_accepted == (number % 3 != 0)
        assert ("INVALID_EMAIL_ADDRESS" in told[lead].reason) == (number % 3 == 0)
        assert "broken" not in told[lead].reason


def test_a_converted_lead_is_refused_with_its_reason(org, salesforce):
    before = NOON - timedelta(days=3)
    lead, other = add_lead(org, at=before), add_lead(org, at=before)
    account = org.add("Account", {"Name": "A"}, created_at=before)
    contact = org.add("Contact", {"LastName": "L", "AccountId": account}, created_at=before)
    org.convert(lead, at=NOON, contact_id=contact, account_id=account)
    told = update(salesforce, [Change(key, {"Title": "T"}) for key in (lead, other)])
    assert told[lead].reason.startswith("CANNOT_UPDATE_CONVERTED_LEAD")
    assert told[other].is_accepted


def test_a_deleted_record_is_refused_with_its_reason(org, salesforce):
    lead = add_lead(org)
    org.delete("Lead", lead, at=NOON)
    told = update(salesforce, [Change(lead, {"Title": "T"})])
    assert told[lead].reason.startswith("ENTITY_IS_DELETED")


def test_a_field_that_cannot_be_written_is_refused_without_a_request(org, salesforce):
    org.hide_fields("Lead", "Phone")
    leads = [add_lead(org) for _ in range(4)]
    salesforce.describe("lead")
    org.log.clear()
    values = [{"Phone": "1"}, {"IsConverted": "true"}, {"AnnualRevenue": "much"}, {"Title": "T"}]
    told = update(
        salesforce, [Change(lead, value) for lead, value in zip(leads, values, strict=True)]
    )
    reasons = [told[lead].reason.partition(":")[0] for lead in leads]
    assert reasons == [
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        "",
    ]
    assert "much" not in told[leads[2]].reason
    assert [call.template for call in org.log] == [COLLECTIONS]


def test_one_record_twice_in_a_batch_is_our_fault(org, salesforce):
    lead = add_lead(org)
    with pytest.raises(BadTable):
        list(salesforce.update("lead", [Change(lead, {"Title": "1"}), Change(lead[:15], {})]))


def test_writing_the_same_again_changes_nothing_more(org, salesforce):
    lead = add_lead(org)
    change = [Change(lead, {"Title": "T", "AnnualRevenue": "1.5"})]
    first, second = update(salesforce, change), update(salesforce, change)
    assert first == second


# ---- fields


def ours():
    return field_definitions("salesforce", "lead", "tandem", 2)


def test_created_fields_are_there_for_the_integration_user_and_hold_what_was_written(
    org, salesforce
):
    lead = add_lead(org)
    assert not any(field.name in salesforce.describe("lead") for field in ours())
    salesforce.create_fields("lead", ours())
    described = salesforce.describe("lead")
    for field in ours():
        assert described[field.name].is_writable, field.name
        assert described[field.name].label == field.label
        if field.kind == "number":
            assert described[field.name].digits == 2
    samples = {
        "string": "x", "text": "x", "number": "12.34", "boolean": "true", "date": "2026-03-01",
        "datetime": "2026-03-01T12:00:00.000Z", "enumeration": "x",
    }  # fmt: skip
    values = {field.name: samples[field.kind] for field in ours()}
    assert update(salesforce, [Change(lead, values)])[lead].reason == ""
    [record] = salesforce.read_back("lead", [lead], list(values))
    assert dict(record.values) == values


def test_creating_fields_again_changes_nothing(org, salesforce):
    salesforce.create_fields("lead", ours())
    kinds = ("PermissionSet", "FieldPermissions", "PermissionSetAssignment")
    before = {kind: len(org.records(kind)) for kind in kinds}
    salesforce.create_fields("lead", ours())
    assert {kind: len(org.records(kind)) for kind in kinds} == before


def test_people_read_what_the_integration_user_writes(org, salesforce):
    salesforce.create_fields("lead", ours())
    sets = {row["Name"]: key for key, row in org.records("PermissionSet").items()}
    rights = {name: set() for name in sets}
    for row in org.records("FieldPermissions").values():
        for name, key in sets.items():
            if row["ParentId"] == key:
                rights[name].add((row["PermissionsRead"], row["PermissionsEdit"]))
    assert rights["Tandem_Sync"] == {(True, True)}
    assert rights["Tandem_Read"] == {(True, False)}
    assigned = {
        (row["AssigneeId"], row["PermissionSetId"])
        for row in org.records("PermissionSetAssignment").values()
    }
    assert (org.integration_user_id, sets["Tandem_Sync"]) in assigned
    assert sets["Tandem_Read"] not in {key for _, key in assigned}


# ---- threads and safekeeping


def test_threads_share_one_login_and_lose_no_request(org, salesforce):
    expected = [add_lead(org) for _ in range(50)]
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(ids(pull(salesforce)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [sorted(expected)] * 8
    assert templates(org)["POST /services/oauth2/token"] == 1
    assert salesforce.calls == len(org.log)


def test_every_request_is_counted(org, connect):
    lead = add_lead(org)
    salesforce = connect(above_rows=0)
    pull(salesforce)
    org.expire_tokens()
    update(salesforce, [Change(lead, {"Title": "T"})])
    assert salesforce.calls == len(org.log)


def test_the_token_stays_in_the_process(salesforce):
    pull(salesforce)
    assert salesforce.integration_user_id
    with pytest.raises(TypeError):
        pickle.dumps(salesforce)
