import threading
from datetime import timedelta
from itertools import islice

import pytest

from agreement.errors import NotGranted, VendorRejected, VendorUnavailable
from agreement.records import Window

MILLISECOND = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def since_noon(noon):
    return Window(noon, noon + HOUR)


def read(hubspot, kind, fields, window, **more):
    return list(hubspot.pull(kind, fields, window, **more))


def records(batches):
    return [record for batch in batches for record in batch.records]


def ids(batches):
    return [record.record_id for record in records(batches) if not record.is_deleted]


def links(batches):
    return sorted((one.from_id, one.to_kind, one.to_id) for b in batches for one in b.associations)


def searches(front):
    return [request.json for request in front.sent("/search")]


def test_a_first_load_takes_a_hundred_records_a_request(standin, hubspot, front, noon):
    for _ in range(250):
        standin.add("companies", {"name": "Blue"}, created_at=noon)
    found = read(hubspot, "company", ["name"], Window(None, noon))
    assert len(set(ids(found))) == 250
    assert [request.path for request in front.requests] == [
        "/crm/v3/properties/companies",
        *["/crm/v3/objects/companies"] * 3,
    ]


def test_a_first_load_of_contacts_brings_their_histories_along(standin, hubspot, front, noon):
    for _ in range(120):
        standin.add("contacts", {"lifecyclestage": "lead"}, created_at=noon)
    found = read(
        hubspot,
        "contact",
        ["lifecyclestage"],
        Window(None, noon),
        history_fields=["lifecyclestage"],
    )
    assert len(front.sent("/objects/contacts")) == 3  # fifty a page; no request of their own
    assert len(front.requests) == 4
    assert sum(len(batch.history) for batch in found) == 120


def test_contacts_sharing_the_window_s_edges_are_inside_and_their_neighbours_are_not(
    standin, hubspot, since_noon
):
    edges = [since_noon.since, since_noon.until]
    inside = [standin.add("contacts", {}, created_at=at) for at in edges]
    for at in (since_noon.since - MILLISECOND, since_noon.until + MILLISECOND):
        standin.add("contacts", {}, created_at=at)
    assert ids(read(hubspot, "contact", ["email"], since_noon)) == inside


@pytest.mark.parametrize("changed_at", ["2026-11-02T11:59:59.999Z", "2026-11-02T13:00:00.001Z"])
def test_a_row_that_the_index_gives_a_fraction_outside_is_left_out(
    hubspot, front, since_noon, changed_at
):
    row = {"id": "7", "properties": {"hs_object_id": "7", "hs_lastmodifieddate": None}}
    outside = row | {"updatedAt": changed_at}
    front.answer("/companies/search", 200, {"total": 1, "results": [outside]})
    assert ids(read(hubspot, "company", ["name"], since_noon)) == []


@pytest.mark.parametrize(
    ("kind", "stamp"),
    [
        ("contact", "lastmodifieddate"),
        ("company", "hs_lastmodifieddate"),
        ("deal", "hs_lastmodifieddate"),
        ("call", "hs_lastmodifieddate"),
        ("meeting", "hs_lastmodifieddate"),
        ("email", "hs_lastmodifieddate"),
        ("task", "hs_lastmodifieddate"),
    ],
)
def test_each_object_is_searched_by_its_own_stamp(hubspot, front, since_noon, kind, stamp):
    read(hubspot, kind, ["hs_object_id"], since_noon)
    (asked,) = searches(front)
    assert asked["filterGroups"][0]["filters"][0]["propertyName"] == stamp


def test_search_turns_pages_by_record_id_and_never_by_offset(standin, hubspot, front, since_noon):
    added = [standin.add("companies", {}, created_at=since_noon.since) for _ in range(450)]
    assert ids(read(hubspot, "company", ["name"], since_noon)) == added
    asked = searches(front)
    assert [request["filterGroups"][0]["filters"][1]["value"] for request in asked] == [
        "0",
        added[199],
        added[399],
    ]
    assert all("after" not in request and request["limit"] == 200 for request in asked)
    assert all(len(request["sorts"]) == 1 for request in asked)


def test_more_than_ten_thousand_records_with_one_stamp_all_come(
    standin, hubspot, front, since_noon
):
    added = {standin.add("companies", {}, created_at=since_noon.since) for _ in range(10_400)}
    assert set(ids(read(hubspot, "company", ["name"], since_noon))) == added
    assert len(searches(front)) == 52


def test_a_record_edited_while_we_page_is_found_by_the_next_window(standin, hubspot, since_noon):
    added = [standin.add("companies", {}, created_at=since_noon.since) for _ in range(1500)]
    pulled = hubspot.pull("company", ["name"], since_noon)
    first = [record.record_id for batch in islice(pulled, 1) for record in batch.records]
    later = since_noon.until + MILLISECOND
    standin.set("companies", added[-1], {"name": "Moved"}, at=later)
    rest = ids(list(pulled))
    after = ids(read(hubspot, "company", ["name"], Window(since_noon.until, later)))
    assert set(first) | set(rest) | set(after) == set(added)


def test_a_search_out_of_order_stops_instead_of_going_round(hubspot, front, since_noon):
    page = {
        "total": 9,
        "results": [{"id": "7", "properties": {}, "updatedAt": "2026-11-02T12:00:00Z"}],
        "paging": {"next": {"after": "200"}},
    }
    front.answer("/companies/search", 200, page, times=2)
    with pytest.raises(VendorUnavailable, match="order"):
        read(hubspot, "company", ["name"], since_noon)


def test_a_window_from_the_epoch_does_not_ask_for_stamp_zero(hubspot, front, noon):
    epoch = noon.fromtimestamp(0, noon.tzinfo)
    read(hubspot, "company", ["name"], Window(epoch, noon))
    (asked,) = searches(front)
    assert asked["filterGroups"][0]["filters"][0]["value"] == "1"
    assert asked["filterGroups"][0]["filters"][0]["highValue"] == str(int(noon.timestamp() * 1000))


def test_a_quiet_window_costs_one_search(hubspot, front, since_noon):
    read(hubspot, "contact", ["email"], since_noon, associated=["company"])
    assert [(one.method, one.path) for one in front.requests[1:]] == [
        ("POST", "/crm/v3/objects/contacts/search"),
    ]


def test_histories_of_changed_contacts_are_read_fifty_at_a_time(
    standin, hubspot, front, since_noon
):
    for _ in range(120):
        standin.add("contacts", {"lifecyclestage": "lead"}, created_at=since_noon.since)
    found = read(
        hubspot, "contact", ["lifecyclestage"], since_noon, history_fields=["lifecyclestage"]
    )
    sizes = sorted(len(request.json["inputs"]) for request in front.sent("/batch/read"))
    assert sizes == [20, 50, 50]
    assert len(ids(found)) == 120
    assert sum(len(batch.history) for batch in found) == 120


def test_history_comes_oldest_first_with_its_source(standin, hubspot, noon, since_noon):
    own = standin.add(
        "contacts",
        {},
        created_at=noon - 2 * HOUR,
        history={
            "lifecyclestage": [
                (noon - 2 * HOUR, "lead", "FORM"),
                (noon + MILLISECOND, "marketingqualifiedlead", "AUTOMATION_PLATFORM"),
            ]
        },
    )
    standin.set("contacts", own, {"firstname": "Ada"}, at=noon + 2 * MILLISECOND)
    for window in (since_noon, Window(None, since_noon.until)):
        found = read(
            hubspot, "contact", ["lifecyclestage"], window, history_fields=["lifecyclestage"]
        )
        entries = [entry for batch in found for entry in batch.history]
        assert [(entry.value, entry.changed_at, entry.source) for entry in entries] == [
            ("lead", noon - 2 * HOUR, "FORM"),
            ("marketingqualifiedlead", noon + MILLISECOND, "AUTOMATION_PLATFORM"),
        ]


def test_a_contact_deleted_between_search_and_reading_is_left_out(
    standin, hubspot, front, since_noon
):
    own = standin.add("contacts", {"lifecyclestage": "lead"}, created_at=since_noon.since)
    page = {
        "total": 2,
        "results": [
            {"id": one, "properties": {}, "updatedAt": "2026-11-02T12:00:00Z"}
            for one in (own, "99999999")
        ],
    }
    front.answer("/contacts/search", 200, page)
    found = read(
        hubspot, "contact", ["lifecyclestage"], since_noon, history_fields=["lifecyclestage"]
    )
    assert ids(found) == [own]


def test_many_properties_are_never_put_into_an_address(standin, hubspot, front, noon):
    names = [f"a_rather_long_property_name_number_{place:04}" for place in range(500)]
    for name in names:
        standin.add_property("companies", name, "string", "text")
    for _ in range(120):
        standin.add("companies", {names[-1]: "kept"}, created_at=noon)
    found = records(read(hubspot, "company", names, Window(None, noon)))
    assert {record.values[names[-1]] for record in found} == {"kept"}
    assert len(found) == 120
    assert max(len(request.path + request.query) for request in front.requests) < 8000
    assert len(front.sent("/batch/read")) == 2


def test_fields_that_the_portal_lacks_are_left_out(standin, hubspot, front, noon, since_noon):
    standin.add("contacts", {"email": "a@x.test"}, created_at=noon)
    (record,) = records(read(hubspot, "contact", ["email", "no_such"], since_noon))
    assert "no_such" not in record.values
    assert record.values["email"] == "a@x.test"


def test_stage_timing_properties_are_asked_for_although_nobody_lists_them(
    standin, hubspot, noon, since_noon
):
    name = "hs_v2_date_entered_lead"
    assert name not in hubspot.describe("contact")
    standin.add("contacts", {"lifecyclestage": "lead"}, created_at=noon)
    (record,) = records(read(hubspot, "contact", [name], since_noon))
    assert record.values[name] == "2026-11-02T12:00:00.000Z"


def test_values_are_canonical_text_by_the_property_s_type(standin, hubspot, noon, since_noon):
    standin.add(
        "deals",
        {"amount": "1250.50", "dealname": "", "closedate": "2026-11-30T00:00:00Z"},
        created_at=noon,
    )
    fields = ["amount", "dealname", "closedate", "hs_is_closed_won"]
    (record,) = records(read(hubspot, "deal", fields, since_noon))
    assert {name: record.values[name] for name in fields} == {
        "amount": "1250.5",
        "dealname": None,
        "closedate": "2026-11-30T00:00:00.000Z",
        "hs_is_closed_won": "false",
    }
    assert (record.created_at, record.modified_at) == (noon, noon)


def test_numbers_keep_every_digit(standin, hubspot, noon, since_noon):
    standin.add("deals", {"amount": "12345678901234567890.123456789"}, created_at=noon)
    (record,) = records(read(hubspot, "deal", ["amount"], since_noon))
    assert record.values["amount"] == "12345678901234567890.123456789"


def test_archived_records_are_a_list_of_their_own_since_no_stamp_moves(
    standin, hubspot, noon, since_noon
):
    own = standin.add("contacts", {"email": "a@x.test"}, created_at=noon - 48 * HOUR)
    standin.archive("contacts", own, at=noon)
    assert records(read(hubspot, "contact", ["email"], since_noon)) == []
    (record,) = records(hubspot.archived("contact"))
    assert (record.record_id, record.is_deleted, dict(record.values)) == (own, True, {})
    assert record.modified_at == noon


def test_a_kind_without_an_archive_has_none(hubspot, front):
    assert hubspot.archived("form_submission") is None
    assert hubspot.deleted("contact", None) == {}
    assert front.requests == []


def test_live_records_up_to_a_moment_are_counted_by_one_search_a_kind(
    standin, hubspot, front, noon
):
    for hours in range(5):
        standin.add("contacts", {}, created_at=noon + hours * HOUR)
        standin.add("calls", {}, created_at=noon + hours * HOUR)
    standin.archive("contacts", standin.add("contacts", {}, created_at=noon), at=noon)
    counted = hubspot.counts(dict.fromkeys(["contact", "call", "owner"], 9), noon + 2 * HOUR)
    assert counted == {"contact": 3, "call": 3}
    assert [asked["limit"] for asked in searches(front)] == [1, 1]


def test_a_first_load_that_was_stopped_goes_on_after_the_page_it_had(standin, hubspot, front, noon):
    added = [standin.add("companies", {}, created_at=noon) for _ in range(2_450)]
    pulled = hubspot.pull("company", ["name"], Window(None, noon))
    (first,) = islice(pulled, 1)
    rest = read(hubspot, "company", ["name"], Window(None, noon), after=first.resume)
    assert [*ids([first]), *ids(rest)] == added
    assert rest[-1].resume == ""


def test_a_window_that_was_stopped_goes_on_after_the_last_id_it_had(standin, hubspot, since_noon):
    added = [standin.add("companies", {}, created_at=since_noon.since) for _ in range(2_450)]
    (first,) = islice(hubspot.pull("company", ["name"], since_noon), 1)
    rest = read(hubspot, "company", ["name"], since_noon, after=first.resume)
    assert [*ids([first]), *ids(rest)] == added


def test_what_came_before_the_vendor_stopped_answering_is_given_first(hubspot, front, noon):
    pulled = hubspot.pull("company", ["name"], Window(None, noon))
    page = {"results": [{"id": "1", "properties": {}}], "paging": {"next": {"after": "1"}}}
    front.answer("/objects/companies", 200, page)
    front.answer("/objects/companies", 503, times=9)
    first = next(pulled)
    assert (ids([first]), first.resume) == (["1"], "1")
    with pytest.raises(VendorUnavailable):
        next(pulled)


def test_a_first_load_does_not_ask_for_what_was_deleted_before(standin, hubspot, noon):
    own = standin.add("contacts", {}, created_at=noon)
    standin.archive("contacts", own, at=noon)
    assert records(read(hubspot, "contact", ["email"], Window(None, noon))) == []


@pytest.mark.parametrize("is_full", [True, False])
def test_both_old_ids_of_a_merge_point_at_the_new_record(standin, hubspot, since_noon, is_full):
    one = standin.add("contacts", {"email": "a@x.test"}, created_at=since_noon.since)
    other = standin.add("contacts", {"email": "b@x.test"}, created_at=since_noon.since)
    new = standin.merge("contacts", one, other, at=since_noon.since + MILLISECOND)
    assert new not in {one, other}
    window = Window(None if is_full else since_noon.since, since_noon.until)
    found = records(read(hubspot, "contact", ["email", "hs_additional_emails"], window))
    assert [record.record_id for record in found if not record.is_deleted] == [new]
    gone = {record.record_id: record.merged_into for record in found if record.is_deleted}
    assert gone == {one: new, other: new}
    assert next(r for r in found if r.record_id == new).values["hs_additional_emails"] == "b@x.test"


def test_either_merge_property_alone_is_enough(hubspot, front, since_noon):
    rows = [
        {"id": "30", "properties": {"hs_merged_object_ids": "10; 11"}},
        {"id": "31", "properties": {"hs_calculated_merged_vids": "12:1767225600000;31:5;13:6"}},
    ]
    page = {"results": [row | {"updatedAt": "2026-11-02T12:00:00Z"} for row in rows]}
    front.answer("/contacts/search", 200, page)
    found = records(read(hubspot, "contact", ["email"], since_noon))
    assert {one.record_id: one.merged_into for one in found if one.is_deleted} == {
        "10": "30",
        "11": "30",
        "12": "31",
        "13": "31",
    }


def test_a_record_forgotten_by_law_is_in_no_answer_any_more(standin, hubspot, noon, since_noon):
    own = standin.add("contacts", {"email": "a@x.test"}, created_at=noon)
    standin.gdpr_delete(own, at=noon)
    assert records(read(hubspot, "contact", ["email"], since_noon)) == []
    assert list(hubspot.read_back("contact", [own], ["email"])) == []


def test_associations_are_read_a_thousand_ids_at_a_time(standin, hubspot, front, noon):
    company = standin.add("companies", {}, created_at=noon)
    contacts = [standin.add("contacts", {}, created_at=noon) for _ in range(1030)]
    for own in contacts[::2]:
        standin.associate("contacts", own, "companies", company)
    found = read(hubspot, "contact", ["email"], Window(None, noon), associated=["company"])
    sent = front.sent("/crm/v4/associations/contacts/companies/batch/read")
    assert sorted(len(request.json["inputs"]) for request in sent) == [30, 1000]
    assert links(found) == sorted((own, "company", company) for own in contacts[::2])
    assert {batch.associated for batch in found} == {("company",)}


def test_a_contact_without_a_company_is_no_error(standin, hubspot, noon, since_noon):
    standin.add("contacts", {}, created_at=noon)
    (batch,) = read(hubspot, "contact", ["email"], since_noon, associated=["company", "deal"])
    assert (batch.associations, batch.associated) == ((), ("company", "deal"))


def test_two_labels_between_two_records_are_one_association(standin, hubspot, noon, since_noon):
    contact = standin.add("contacts", {}, created_at=noon)
    company = standin.add("companies", {}, created_at=noon)
    standin.associate("contacts", contact, "companies", company, 279)
    standin.associate("contacts", contact, "companies", company, 1)
    found = read(hubspot, "contact", ["email"], since_noon, associated=["company"])
    assert links(found) == [(contact, "company", company)]


def test_associations_that_fill_more_than_one_answer_all_come(hubspot, front, standin, since_noon):
    own = standin.add("contacts", {}, created_at=since_noon.since)
    for to, after in ((991, "992"), (992, None)):
        more = {"paging": {"next": {"after": after}}} if after else {}
        result = {"from": {"id": own}, "to": [{"toObjectId": to, "associationTypes": []}]} | more
        front.answer("/deals/batch/read", 207 if after else 200, {"results": [result]})
    found = read(hubspot, "contact", ["email"], since_noon, associated=["deal"])
    assert links(found) == [(own, "deal", "991"), (own, "deal", "992")]
    asked = [request.json["inputs"] for request in front.sent("/deals/batch/read")]
    assert asked == [[{"id": own}], [{"id": own, "after": "992"}]]


def test_associations_that_the_token_may_not_read_are_left_out_and_asked_for_once(
    standin, hubspot, front, since_noon
):
    standin.add("contacts", {}, created_at=since_noon.since)
    refusal = {"category": "MISSING_SCOPES", "context": {"requiredGranularScopes": ["x.y"]}}
    front.answer("/deals/batch/read", 403, refusal)
    for _ in range(2):
        (batch,) = read(hubspot, "contact", ["email"], since_noon, associated=["company", "deal"])
        assert batch.associated == ("company",)
    assert len(front.sent("/deals/batch/read")) == 1


def test_an_association_error_that_is_no_absence_is_said(standin, hubspot, front, since_noon):
    standin.add("contacts", {}, created_at=since_noon.since)
    error = {"category": "VALIDATION_ERROR", "context": {"ids": ["5"]}}
    front.answer("/deals/batch/read", 207, {"results": [], "errors": [error]})
    with pytest.raises(VendorRejected, match="VALIDATION_ERROR"):
        read(hubspot, "contact", ["email"], since_noon, associated=["deal"])


def test_an_object_without_its_scope_is_described_as_absent(hubspot, front):
    refusal = {"category": "MISSING_SCOPES", "context": {"requiredGranularScopes": ["x.y"]}}
    front.answer("/properties/deals", 403, refusal)
    assert hubspot.describe("deal") is None
    with pytest.raises(NotGranted, match="deal"):
        hubspot.pull("deal", ["amount"], Window(None, None))
    assert len(front.requests) == 1


def test_an_object_that_the_portal_does_not_have_is_described_as_absent(hubspot, front):
    front.answer("/properties/leads", 404, {"message": "no"})
    assert hubspot.describe("lead") is None


def test_a_refused_token_is_never_taken_for_an_absent_object(connect):
    with pytest.raises(Exception, match="HUBSPOT_ACCESS_TOKEN"):
        connect("wrong").describe("contact")


def test_properties_are_described_with_type_rights_and_options(standin, hubspot):
    standin.add_property("contacts", "tandem_tier", "enumeration", "select", ("a", "b"))
    fields = hubspot.describe("contact")
    assert (fields["tandem_tier"].kind, fields["tandem_tier"].options) == (
        "enumeration",
        ("a", "b"),
    )
    assert fields["tandem_tier"].is_writable
    assert not fields["lastmodifieddate"].is_writable
    assert fields["lastmodifieddate"].kind == "datetime"
    assert hubspot.describe("deal")["amount"].kind == "number"
    won = hubspot.describe("deal")["hs_is_closed_won"]
    assert won.is_calculated
    assert won.follows_record  # from the deal's own stage
    assert not hubspot.describe("deal")["num_associated_contacts"].follows_record


def test_an_object_is_described_once(hubspot, front):
    for _ in range(3):
        hubspot.describe("contact")
    assert len(front.requests) == 1


def test_read_back_gives_what_is_there_now(standin, hubspot, front, noon):
    own = standin.add("contacts", {"email": "A@X.test"}, created_at=noon)
    standin.set("contacts", own, {"email": "new@x.test"}, at=noon + HOUR)
    (record,) = hubspot.read_back("contact", [own, own], ["email", "no_such"])
    assert (record.record_id, dict(record.values)) == (own, {"email": "new@x.test"})


def test_read_back_takes_a_hundred_ids_a_request(standin, hubspot, front, noon):
    added = [standin.add("contacts", {}, created_at=noon) for _ in range(130)]
    found = list(hubspot.read_back("contact", added, ["email"]))
    assert [record.record_id for record in found] == added
    assert [len(request.json["inputs"]) for request in front.sent("/batch/read")] == [100, 30]


def test_read_back_of_nothing_sends_nothing(hubspot, front):
    assert list(hubspot.read_back("contact", [], ["email"])) == []
    assert front.sent("/batch/read") == []


def test_read_back_leaves_out_what_is_gone_and_follows_what_was_merged(standin, hubspot, noon):
    one, other = (standin.add("contacts", {}, created_at=noon) for _ in range(2))
    new = standin.merge("contacts", one, other, at=noon)
    found = {r.record_id: r for r in hubspot.read_back("contact", [one, "99999999"], ["email"])}
    assert set(found) == {one, new}
    assert (found[one].is_deleted, found[one].merged_into) == (True, new)


def test_two_old_ids_of_one_merge_give_the_new_record_once(hubspot, front):
    row = {"id": "12", "properties": {"hs_merged_object_ids": "10;11"}}
    front.answer("/batch/read", 200, {"results": [row, row]})
    found = [record.record_id for record in hubspot.read_back("contact", ["10", "11"], ["email"])]
    assert sorted(found) == ["10", "11", "12"]


def test_an_empty_text_is_a_missing_value(hubspot, front, since_noon):
    row = {"id": "7", "properties": {"name": ""}, "updatedAt": "2026-11-02T12:00:00Z"}
    front.answer("/companies/search", 200, {"results": [row]})
    (record,) = records(read(hubspot, "company", ["name"], since_noon))
    assert record.values["name"] is None


def test_options_that_live_outside_a_property_do_not_close_its_list(hubspot, front):
    told = {
        "name": "hubspot_owner_id",
        "type": "enumeration",
        "fieldType": "select",
        "externalOptions": True,
        "options": [{"label": "Ada", "value": "41"}],
    }
    front.answer("/properties/contacts", 200, {"results": [told]})
    assert hubspot.describe("contact")["hubspot_owner_id"].options == ()


def test_pages_are_read_as_they_are_wanted(standin, hubspot, front, noon):
    for _ in range(3000):
        standin.add("companies", {}, created_at=noon)
    pulled = hubspot.pull("company", ["name"], Window(None, noon))
    next(pulled)
    # Ten for the batch of a thousand, and one ahead; a page asked for twice is one page.
    assert len({request.query for request in front.sent("/objects/companies")}) <= 11
    pulled.close()


def test_two_objects_can_be_pulled_at_the_same_time(standin, hubspot, noon):
    for name in ("companies", "deals"):
        for _ in range(250):
            standin.add(name, {}, created_at=noon)
    found = {}

    def pull(kind):
        found[kind] = ids(read(hubspot, kind, ["hs_object_id"], Window(None, noon)))

    threads = [threading.Thread(target=pull, args=(kind,)) for kind in ("company", "deal")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {kind: len(set(own)) for kind, own in found.items()} == {"company": 250, "deal": 250}
