"""The stand-in's SOQL over HTTP, against what the vendor documents."""

# ruff: noqa: S608 - statements are put together here to be asked of a stand-in
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from standins.salesforce import SalesforceStandIn
from standins.salesforce.search import search
from standins.server import serve

NOW = datetime(2026, 11, 17, 14, 15, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATA = "/services/data/v66.0"


@pytest.fixture
def org():
    return SalesforceStandIn(now=lambda: NOW)


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
def http(org, server):
    behind, url = server
    behind.app = org.app()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {org.issue_token()}"
        session.base = url
        yield session


def ask(http, soql, resource="query", **headers):
    return http.get(f"{http.base}{DATA}/{resource}?q={quote(soql)}", headers=headers)


def rows(http, soql, resource="query"):
    answer = ask(http, soql, resource)
    assert answer.status_code == 200, answer.text
    return answer.json()["records"]


def names(http, condition):
    found = rows(http, f"SELECT LastName FROM Lead WHERE {condition} ORDER BY LastName")
    return "".join(row["LastName"] for row in found)


def fault(http, soql, resource="query"):
    answer = ask(http, soql, resource)
    assert answer.status_code == 400
    [error] = answer.json()
    return error["errorCode"], error["message"]


def lead(org, last_name, at=NOON, **fields):
    return org.add("Lead", {"LastName": last_name, "Company": "Acme"} | fields, created_at=at)


# Windows and pages


def test_a_closed_window_holds_both_of_its_ends(org, http):
    for seconds in (-1, 0, 30, 60, 61):
        lead(org, f"L{seconds}", NOON + timedelta(seconds=seconds))
    found = rows(
        http,
        "SELECT LastName FROM Lead WHERE SystemModstamp >= 2026-03-01T12:00:00Z "
        "AND SystemModstamp <= 2026-03-01T12:01:00Z ORDER BY SystemModstamp, Id",
    )
    assert [row["LastName"] for row in found] == ["L0", "L30", "L60"]


def test_half_a_second_after_a_stamp_the_stamp_is_before(org, http):
    lead(org, "A")
    assert names(http, "SystemModstamp < 2026-03-01T12:00:00.500Z") == "A"
    assert names(http, "SystemModstamp < 2026-03-01T12:00:00.000Z") == ""


def test_a_row_changed_after_an_index_was_made_is_found_at_its_new_stamp_only(org, http):
    record_id = lead(org, "A")
    lead(org, "B")
    window = "SystemModstamp >= 2026-03-01T12:00:00Z AND SystemModstamp < 2026-03-01T13:00:00Z"
    assert names(http, window) == "AB"
    org.set("Lead", record_id, {"Title": "CEO"}, at=NOON + timedelta(hours=2))
    assert names(http, window) == "B"
    assert names(http, "SystemModstamp > 2026-03-01T13:00:00Z") == "A"
    org.set("Lead", record_id, {"Title": "CFO"}, at=NOON)
    assert names(http, window) == "AB"


def test_offsets_in_a_literal_name_the_same_moment(org, http):
    lead(org, "A")
    assert names(http, "CreatedDate = 2026-03-01T17:00:00+05:00") == "A"
    assert names(http, "CreatedDate = 2026-03-01T07:00:00-05:00") == "A"


def test_the_object_of_queues_bears_the_name_of_a_clause(http):
    assert rows(http, "SELECT Id FROM Group ORDER BY Id") == rows(
        http, "SELECT Id FROM Group g ORDER BY Id"
    )
    counts = rows(http, "SELECT Type, COUNT(Id) amount FROM Group GROUP BY Type")
    assert sum(row["amount"] for row in counts) == len(rows(http, "SELECT Id FROM Group"))
    assert ask(http, "SELECT Id FROM GROUP BY Type").status_code == 400


def test_the_identity_that_a_login_names_is_on_this_machine(http):
    form = {"grant_type": "client_credentials"}
    key = ("standin-client", "standin-secret")
    told = requests.post(
        f"{http.base}/services/oauth2/token", data=form, auth=key, timeout=10
    ).json()
    assert told["id"].startswith(f"{http.base}/id/00D")
    said = http.get(told["id"]).json()
    assert said["id"] == told["id"]
    assert told["id"].endswith(said["user_id"])


def test_pages_follow_the_locator_until_done_and_show_each_row_once(org, http):
    for n in range(450):
        lead(org, f"L{n:03d}")
    answer = ask(http, "SELECT LastName FROM Lead", **{"Sforce-Query-Options": "batchSize=200"})
    seen, page = [], answer.json()
    sizes = []
    while True:
        sizes.append(len(page["records"]))
        seen += [row["LastName"] for row in page["records"]]
        assert page["totalSize"] == 450
        if page["done"]:
            break
        assert page["nextRecordsUrl"].startswith(f"{DATA}/query/0r8")
        page = http.get(http.base + page["nextRecordsUrl"]).json()
    assert sizes == [200, 200, 50]
    assert sorted(seen) == [f"L{n:03d}" for n in range(450)]
    assert "nextRecordsUrl" not in page


def test_pages_may_be_smaller_than_asked_for(org, http):
    org.page_size = 3
    for n in range(7):
        lead(org, f"L{n}")
    page = ask(http, "SELECT Id FROM Lead").json()
    assert (len(page["records"]), page["done"], page["totalSize"]) == (3, False, 7)


def test_rows_that_appear_after_the_first_page_stay_out_and_changed_values_come_in(org, http):
    org.page_size = 1
    lead(org, "A")
    second = lead(org, "B")
    page = ask(http, "SELECT LastName, Title FROM Lead ORDER BY LastName").json()
    lead(org, "C")
    org.set("Lead", second, {"Title": "CEO"}, at=NOW)
    page = http.get(http.base + page["nextRecordsUrl"]).json()
    assert page["done"]
    assert [(row["LastName"], row["Title"]) for row in page["records"]] == [("B", "CEO")]


def test_a_dead_locator_is_an_invalid_query_locator(http):
    answer = http.get(f"{http.base}{DATA}/query/0r8000000000099AAJ-2000")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


# Deleted, archived, merged


def test_only_query_all_shows_deleted_rows_and_their_master(org, http):
    winner, loser = lead(org, "A"), lead(org, "B")
    org.merge("Lead", winner, [loser], at=NOW)
    assert [row["Id"] for row in rows(http, "SELECT Id FROM Lead")] == [winner]
    found = rows(
        http, "SELECT Id, IsDeleted, MasterRecordId FROM Lead WHERE IsDeleted = true", "queryAll"
    )
    assert [(row["Id"], row["MasterRecordId"]) for row in found] == [(loser, winner)]


def test_archived_tasks_come_through_query_all_only(org, http):
    org.add("Task", {"Subject": "old", "IsArchived": True}, created_at=NOON)
    assert rows(http, "SELECT Id FROM Task") == []
    [found] = rows(http, "SELECT Subject, IsArchived FROM Task", "queryAll")
    assert (found["Subject"], found["IsArchived"]) == ("old", True)


# Values


def test_stamps_have_no_colon_in_their_offset_and_booleans_are_never_empty(org, http):
    lead(org, "A", AnnualRevenue="1250.5", NumberOfEmployees=7)
    [row] = rows(
        http,
        "SELECT CreatedDate, IsConverted, Email, AnnualRevenue, NumberOfEmployees FROM Lead",
    )
    del row["attributes"]
    assert row == {
        "CreatedDate": "2026-03-01T12:00:00.000+0000",
        "IsConverted": False,
        "Email": None,
        "AnnualRevenue": 1250.5,
        "NumberOfEmployees": 7,
    }


def test_an_amount_keeps_every_digit_that_was_put_in(org, http):
    org.add(
        "Opportunity",
        {"Name": "O", "StageName": "Closed Won", "Amount": "9999999999999999.99",
         "CloseDate": "2026-03-01", "CurrencyIsoCode": "USD"},
        created_at=NOON,
    )  # fmt: skip
    assert '"Amount":9999999999999999.99' in ask(http, "SELECT Amount FROM Opportunity").text


def test_field_names_are_answered_in_the_spelling_of_the_schema(org, http):
    lead(org, "A")
    [row] = rows(http, "select id, LASTNAME from lead")
    assert set(row) == {"attributes", "Id", "LastName"}


def test_an_address_is_one_object_of_its_parts_and_empty_without_any(org, http):
    lead(org, "A", City="Berlin", Country="Germany")
    lead(org, "B")
    first, second = rows(http, "SELECT Address FROM Lead ORDER BY LastName")
    assert (first["Address"]["city"], first["Address"]["postalCode"]) == ("Berlin", None)
    assert second["Address"] is None


# Conditions


@pytest.fixture
def people(org):
    lead(org, "A", Email="Ann@Example.com", Title="50% off_now", NumberOfEmployees=10)
    lead(org, "B", Email="bob@example.com", Title="O'Brien", NumberOfEmployees=20)
    lead(org, "C", NumberOfEmployees=30, HasOptedOutOfEmail=True)
    return org


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Email = 'ANN@EXAMPLE.COM'", "A"),
        ("Email != 'ann@example.com'", "BC"),
        ("Email <> 'ann@example.com'", "BC"),
        ("Email = null", "C"),
        ("Email != null", "AB"),
        ("Email IN ('ann@example.com', 'BOB@example.com')", "AB"),
        ("Email NOT IN ('ann@example.com')", "BC"),
        ("NOT Email = 'ann@example.com'", "BC"),
        ("(NOT (Email = null))", "AB"),
        ("Email LIKE '%@EXAMPLE.%'", "AB"),
        ("Title LIKE '50\\% off\\_now'", "A"),
        ("Title LIKE '50_ off_now'", "A"),
        ("Title = 'O\\'Brien'", "B"),
        ("NumberOfEmployees > 10", "BC"),
        ("NumberOfEmployees >= 10 AND NumberOfEmployees < 30", "AB"),
        ("NumberOfEmployees = 10 OR NumberOfEmployees = 30", "AC"),
        ("(NumberOfEmployees = 10 OR NumberOfEmployees = 20) AND Email != null", "AB"),
        ("HasOptedOutOfEmail = true", "C"),
        ("HasOptedOutOfEmail = false", "AB"),
        ("LastName > 'A' AND LastName <= 'b'", "B"),
        ("CreatedDate < 2026-03-01T12:00:01Z AND Email = 'bob@example.com'", "B"),
        ("Owner.Name = 'stand-in admin' AND NumberOfEmployees = 10", "A"),
        ("Owner.Type = 'Queue'", ""),
    ],
)
def test_conditions_choose_as_documented(people, http, condition, expected):
    assert names(http, condition) == expected


def test_ids_of_15_and_18_characters_are_one_and_keep_their_case(org, http):
    record_id = lead(org, "A")
    assert names(http, f"Id = '{record_id[:15]}'") == "A"
    assert names(http, f"Id IN ('{record_id}')") == "A"
    swapped = record_id[:15].swapcase()
    assert names(http, f"Id = '{swapped}'") == ""


def test_ids_sort_and_compare_as_a_key_to_page_by(org, http):
    ids = [lead(org, f"{n}") for n in range(5)]
    assert ids == sorted(ids)
    assert names(http, f"Id > '{ids[2]}'") == "34"


def test_semi_joins_choose_by_the_rows_of_another_object(org, http):
    one, other = lead(org, "A"), lead(org, "B")
    campaign = org.add("Campaign", {"Name": "Fair"}, created_at=NOON)
    org.add("CampaignMember", {"CampaignId": campaign, "LeadId": one}, created_at=NOON)
    joined = "(SELECT LeadId FROM CampaignMember WHERE Campaign.Name = 'fair')"
    assert names(http, f"Id IN {joined}") == "A"
    assert names(http, f"Id NOT IN {joined}") == "B"
    assert other


def test_multipicklists_are_chosen_by_what_they_include(org, http):
    org.add_field("Lead", "Topics__c", "multipicklist", picklistValues=["a", "b", "c"])
    lead(org, "A", Topics__c="a;b")
    lead(org, "B", Topics__c="c")
    assert names(http, "Topics__c INCLUDES ('a;b', 'x')") == "A"
    assert names(http, "Topics__c EXCLUDES ('a')") == "B"


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("= TODAY", "B"), ("= YESTERDAY", "A"), ("< TODAY", "A"), ("> TODAY", "C"),
        ("= LAST_N_DAYS:1", "AB"), ("= NEXT_N_DAYS:2", "C"), ("= THIS_MONTH", "ABC"),
        ("= LAST_MONTH", ""), ("= THIS_FISCAL_QUARTER", "ABC"), ("!= TODAY", "AC"),
        ("= THIS_WEEK", "ABC"), ("= LAST_90_DAYS", "AB"), ("= LAST_N_YEARS:1", ""),
    ],
)  # fmt: skip
def test_named_days_are_days_of_the_running_users_zone(org, http, literal, expected):
    # 03:00 UTC is still the evening before in New York.
    lead(org, "A", datetime(2026, 11, 17, 3, tzinfo=UTC))
    lead(org, "B", datetime(2026, 11, 17, 6, tzinfo=UTC))
    lead(org, "C", datetime(2026, 11, 18, 6, tzinfo=UTC))
    assert names(http, f"CreatedDate {literal}") == expected


# Order, limit, counting


def test_empty_values_sort_first_unless_said_otherwise(people, http):
    order = "SELECT LastName FROM Lead ORDER BY Email {} LIMIT 1"
    assert rows(http, order.format(""))[0]["LastName"] == "C"
    assert rows(http, order.format("ASC NULLS LAST"))[0]["LastName"] == "A"
    assert rows(http, order.format("DESC NULLS LAST"))[0]["LastName"] == "B"


def test_limit_and_offset_cut_the_ordered_rows(org, http):
    for name in "ABCDE":
        lead(org, name)
    found = rows(http, "SELECT LastName FROM Lead ORDER BY LastName DESC LIMIT 2 OFFSET 1")
    assert [row["LastName"] for row in found] == ["D", "C"]


def test_count_gives_the_number_without_rows(people, http):
    assert ask(http, "SELECT COUNT() FROM Lead WHERE Email != null").json() == {
        "totalSize": 2, "done": True, "records": [],
    }  # fmt: skip


def test_groups_are_measured_named_and_filtered(people, http):
    lead(people, "D", NumberOfEmployees=5, Status="Working - Contacted")
    found = rows(
        http,
        "SELECT Status, COUNT(Id) n, MAX(NumberOfEmployees), SUM(NumberOfEmployees) FROM Lead "
        "GROUP BY Status HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC",
    )
    assert found == [
        {"attributes": {"type": "AggregateResult"}, "Status": "Open - Not Contacted", "n": 3,
         "expr0": 30, "expr1": 60}
    ]  # fmt: skip


def test_the_earliest_stamp_of_an_object_is_one_aggregate(people, http):
    [found] = rows(http, "SELECT MIN(CreatedDate) FROM Lead")
    assert found["expr0"] == "2026-03-01T12:00:00.000+0000"


# Parents and children


def test_parents_are_nested_and_missing_ones_are_null(org, http):
    account = org.add("Account", {"Name": "Acme"}, created_at=NOON)
    org.add("Contact", {"LastName": "A", "AccountId": account}, created_at=NOON)
    org.add("Contact", {"LastName": "B"}, created_at=NOON)
    first, second = rows(
        http, "SELECT Account.Name, Account.Owner.Email FROM Contact ORDER BY LastName"
    )
    assert first["Account"]["Name"] == "Acme"
    assert first["Account"]["attributes"]["type"] == "Account"
    assert first["Account"]["Owner"]["Email"] == "admin@standin.example"
    assert second["Account"] is None


def test_what_a_polymorphic_lookup_leads_to_is_told_by_its_type(org, http):
    person = lead(org, "A")
    org.add("Task", {"Subject": "Call", "WhoId": person}, created_at=NOON)
    [row] = rows(http, "SELECT Who.Type, Who.Name FROM Task WHERE Who.Type = 'Lead'")
    assert (row["Who"]["Type"], row["Who"]["Name"]) == ("Lead", "A")


def test_typeof_shows_fields_by_what_the_parent_is(org, http):
    deal = org.add(
        "Opportunity",
        {"Name": "O", "StageName": "Prospecting", "CloseDate": "2026-04-01", "Amount": 5},
        created_at=NOON,
    )
    org.add("Task", {"Subject": "A", "WhatId": deal}, created_at=NOON)
    [row] = rows(
        http,
        "SELECT TYPEOF What WHEN Opportunity THEN Amount, StageName ELSE Name END FROM Task",
    )
    assert (row["What"]["Amount"], row["What"]["StageName"]) == (5.0, "Prospecting")


def test_children_come_as_a_list_of_their_own_and_none_as_null(org, http):
    with_tasks, without = lead(org, "A"), lead(org, "B")
    for subject in ("x", "y"):
        org.add("Task", {"Subject": subject, "WhoId": with_tasks}, created_at=NOON)
    first, second = rows(
        http, "SELECT Id, (SELECT Subject FROM Tasks ORDER BY Subject) FROM Lead ORDER BY LastName"
    )
    assert [task["Subject"] for task in first["Tasks"]["records"]] == ["x", "y"]
    assert (second["Id"], second["Tasks"]) == (without, None)


def test_fields_all_needs_a_small_limit_and_standard_does_not(org, http):
    org.add_field("Lead", "Score__c", "double")
    lead(org, "A")
    code, _ = fault(http, "SELECT FIELDS(ALL) FROM Lead")
    assert code == "MALFORMED_QUERY"
    assert "Score__c" in rows(http, "SELECT FIELDS(ALL) FROM Lead LIMIT 200")[0]
    [standard] = rows(http, "SELECT FIELDS(STANDARD) FROM Lead")
    assert "Email" in standard
    assert "Score__c" not in standard


# What is refused


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FORM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a' AND Phone = 'b' OR Fax = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead ALL ROWS", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT -1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD"),
        ("SELECT Nope__c FROM Lead", "INVALID_FIELD"),
        ("SELECT Nope__r.Name FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Nope__c = 'a'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead ORDER BY Nope__c", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-01-01T00:00:00 05:00", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-13-01T00:00:00Z", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE NumberOfEmployees = '5'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE IsConverted = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Email = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM LeadHistory WHERE NewValue = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM CustomField", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id FROM Nopes) FROM Lead", "INVALID_TYPE"),
        ("SELECT Email, COUNT(Id) FROM Lead", "MALFORMED_QUERY"),
        ("SELECT LAST(Email) FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate = LAST_FORTNIGHT", "MALFORMED_QUERY"),
    ],
)
def test_what_is_no_soql_or_names_nothing_is_refused_in_the_vendors_words(http, soql, code):
    assert fault(http, soql)[0] == code


def test_a_fault_quotes_the_statement_around_it(http):
    _, message = fault(http, "SELECT Id, Nope__c FROM Lead WHERE Email = 'ann@example.com'")
    assert "ERROR at Row:1:Column:12" in message
    assert "No such column 'Nope__c' on entity 'Lead'" in message


def test_a_quoted_moment_is_refused_with_the_reason(http):
    _, message = fault(http, "SELECT Id FROM Lead WHERE SystemModstamp > '2026-01-01T00:00:00Z'")
    assert "must be of type dateTime and should not be enclosed in quotes" in message


def test_currencies_exist_only_where_there_are_several():
    org = SalesforceStandIn(multi_currency=False)
    with serve(org.app()) as url, requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {org.issue_token()}"
        http.base = url
        assert fault(http, "SELECT IsoCode FROM CurrencyType")[0] == "INVALID_TYPE"
        assert fault(http, "SELECT CurrencyIsoCode FROM Opportunity")[0] == "INVALID_FIELD"


def test_a_string_beyond_4000_characters_is_refused(http):
    code, _ = fault(http, f"SELECT Id FROM Lead WHERE Company = '{'x' * 4001}'")
    assert code == "MALFORMED_QUERY"


def test_an_address_beyond_the_limit_is_answered_by_the_edge_in_html(http):
    ids = ",".join(f"'00Q5g0000000{n:03d}EAA'" for n in range(700))
    answer = ask(http, f"SELECT Id FROM Lead WHERE Id IN ({ids})")
    assert answer.status_code in {414, 431}
    assert answer.text.startswith("<h1>Bad Message")


# Laws

moments = st.integers(0, 40).map(lambda n: NOON + timedelta(seconds=n))


@given(st.lists(moments, max_size=30), moments, moments)
def test_an_index_finds_exactly_what_looking_at_every_row_finds(stamps, low, high):
    org = SalesforceStandIn(now=lambda: NOW)
    for n, at in enumerate(stamps):
        lead(org, f"L{n:02d}", at)
    window = f"{{}} >= {low:%Y-%m-%dT%H:%M:%SZ} AND {{}} <= {high:%Y-%m-%dT%H:%M:%SZ}"

    def found(condition):
        return [row["LastName"] for row in search(org.org, condition).rows]

    expected = sorted((at, f"L{n:02d}") for n, at in enumerate(stamps) if low <= at <= high)
    order = "SELECT Id FROM Lead WHERE " + window.format("CreatedDate", "CreatedDate")
    assert found(f"{order} ORDER BY CreatedDate, Id") == [name for _, name in expected]
    negated = f"SELECT Id FROM Lead WHERE NOT ({window.format('CreatedDate', 'CreatedDate')})"
    assert len(found(negated)) == len(stamps) - len(expected)
