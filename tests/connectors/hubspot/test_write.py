import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreement.errors import AccessError, BadTable, NotGranted, VendorRejected, VendorUnavailable
from agreement.records import Change, FieldInfo
from agreement.written_fields import field_definitions

HOUR = timedelta(hours=1)


@pytest.fixture
def contacts(standin, noon):
    """Give a function that adds contacts, which have a number and a choice of ours."""
    standin.add_property("contacts", "tandem_score", "number", "number")
    standin.add_property("contacts", "tandem_tier", "enumeration", "select", ("hot", "cold"))

    def add(count):
        return [
            standin.add("contacts", {"email": f"p{place}@x.test"}, created_at=noon)
            for place in range(count)
        ]

    return add


def update(hubspot, changes, kind="contact"):
    outcomes = [outcome for part in hubspot.update(kind, changes) for outcome in part]
    assert sorted(outcome.record_id for outcome in outcomes) == sorted(
        change.record_id for change in changes
    )
    return {outcome.record_id: outcome for outcome in outcomes}


def reasons(outcomes):
    return {own: outcome.reason for own, outcome in outcomes.items() if not outcome.is_accepted}


def test_a_hundred_changes_travel_in_one_request(standin, hubspot, front, contacts):
    ids = contacts(100)
    assert hubspot.batch_size("contact", 5000) == 100
    outcomes = update(hubspot, [Change(own, {"tandem_score": "5"}) for own in ids])
    assert reasons(outcomes) == {}
    assert len(front.sent("/batch/update")) == 1
    assert {standin.records("contacts")[own]["tandem_score"] for own in ids} == {"5"}


def test_more_than_a_hundred_changes_are_cut(hubspot, front, contacts):
    update(hubspot, [Change(own, {"tandem_score": "5"}) for own in contacts(101)])
    assert [len(one.json["inputs"]) for one in front.sent("/batch/update")] == [100, 1]


def test_answers_are_matched_by_id_and_not_by_place(hubspot, contacts):
    ids = contacts(30)
    changes = [Change(own, {"tandem_score": str(place)}) for place, own in enumerate(ids)]
    outcomes = update(hubspot, changes)
    assert [outcomes[own].values["tandem_score"] for own in ids] == [str(n) for n in range(30)]


def test_every_row_has_a_trace_id_of_its_own(hubspot, front, contacts):
    update(hubspot, [Change(own, {"tandem_score": "5"}) for own in contacts(20)])
    (sent,) = front.sent("/batch/update")
    traces = [row["objectWriteTraceId"] for row in sent.json["inputs"]]
    assert len(set(traces)) == 20
    assert all(isinstance(trace, str) for trace in traces)


def test_a_bad_row_is_refused_alone_and_says_why(standin, hubspot, front, contacts):
    ids = contacts(10)
    changes = [Change(own, {"tandem_tier": "hot"}) for own in ids]
    changes[4] = Change(ids[4], {"tandem_tier": "secret value"})
    outcomes = update(hubspot, changes)
    assert set(reasons(outcomes)) == {ids[4]}
    assert "INVALID_OPTION" in reasons(outcomes)[ids[4]]
    assert "secret" not in reasons(outcomes)[ids[4]]
    assert len(front.sent("/batch/update")) == 1
    assert standin.records("contacts")[ids[5]]["tandem_tier"] == "hot"


def test_a_record_that_is_gone_is_refused_alone(standin, hubspot, contacts, noon):
    ids = contacts(3)
    standin.archive("contacts", ids[0], at=noon)
    outcomes = update(hubspot, [Change(own, {"tandem_score": "1"}) for own in ids])
    assert set(reasons(outcomes)) == {ids[0]}
    assert "OBJECT_NOT_FOUND" in reasons(outcomes)[ids[0]]


@pytest.mark.parametrize("status", [400, 409])
def test_a_batch_refused_as_a_whole_is_split_until_the_bad_row_stands_alone(
    hubspot, front, contacts, status
):
    ids = contacts(8)
    refusal = {"status": "error", "category": "CONFLICT", "message": "Existing ID: 7"}
    for _ in range(4):  # 8, then 4, 2 and 1: the first row is the bad one
        front.answer("/batch/update", status, refusal)
    outcomes = update(hubspot, [Change(own, {"tandem_score": "1"}) for own in ids])
    assert reasons(outcomes) == {ids[0]: "CONFLICT"}
    assert len(front.sent("/batch/update")) == 7


def test_an_email_that_another_contact_has_is_refused_alone(standin, hubspot, contacts):
    ids = contacts(5)
    changes = [Change(own, {"firstname": "Ada"}) for own in ids]
    changes[2] = Change(ids[2], {"email": "p0@x.test"})
    outcomes = update(hubspot, changes)
    assert set(reasons(outcomes)) == {ids[2]}
    assert "x.test" not in reasons(outcomes)[ids[2]]
    assert standin.records("contacts")[ids[4]]["firstname"] == "Ada"


def test_a_good_answer_that_mentions_no_row_is_looked_into(standin, hubspot, front, contacts):
    ids = contacts(3)
    front.answer("/batch/update", 200, {"status": "COMPLETE", "results": []})
    outcomes = update(hubspot, [Change(own, {"tandem_score": "1"}) for own in ids])
    assert {outcome.is_accepted for outcome in outcomes.values()} == {False}
    assert len(front.sent("/batch/read")) == 1


def test_a_write_that_happened_without_being_mentioned_is_accepted(hubspot, front, contacts):
    ids = contacts(3)
    front.answer("/batch/update", 200, {"status": "COMPLETE", "results": []}, is_after=True)
    outcomes = update(hubspot, [Change(own, {"tandem_score": "1.50"}) for own in ids])
    assert reasons(outcomes) == {}
    assert {outcome.values["tandem_score"] for outcome in outcomes.values()} == {"1.5"}


def test_an_answer_that_lacks_a_value_that_was_set_is_looked_into(hubspot, front, contacts):
    (own,) = contacts(1)
    row = {"id": own, "properties": {"hs_object_id": own}}
    front.answer("/batch/update", 200, {"results": [row]})
    assert set(reasons(update(hubspot, [Change(own, {"tandem_score": "1"})]))) == {own}


def test_a_value_that_was_set_without_being_mentioned_is_accepted(hubspot, front, contacts):
    (own,) = contacts(1)
    row = {"id": own, "properties": {"hs_object_id": own}}
    front.answer("/batch/update", 200, {"results": [row]}, is_after=True)
    assert reasons(update(hubspot, [Change(own, {"tandem_score": "1"})])) == {}


def test_an_error_that_names_no_row_is_found_by_halves(hubspot, front, contacts):
    ids = contacts(4)
    stray = {"results": [], "errors": [{"status": "error", "category": "VALIDATION_ERROR"}]}
    front.answer("/batch/update", 207, stray)  # 4
    front.answer("/batch/update", 207, stray)  # 2
    front.answer("/batch/update", 207, stray)  # 1: this row
    outcomes = update(hubspot, [Change(own, {"tandem_score": "1"}) for own in ids])
    assert reasons(outcomes) == {ids[0]: "VALIDATION_ERROR"}


def test_two_changes_of_one_record_are_refused_before_anything_is_sent(hubspot, front, contacts):
    (own,) = contacts(1)
    with pytest.raises(BadTable, match="two changes"):
        hubspot.update("contact", [Change(own, {"tandem_score": "1"})] * 2)
    assert front.sent("/batch/update") == []


def test_a_lifecycle_stage_that_stayed_where_it_was_is_not_accepted(standin, hubspot, noon):
    own = standin.add("contacts", {"lifecyclestage": "customer"}, created_at=noon)
    outcomes = update(hubspot, [Change(own, {"lifecyclestage": "lead"})])
    assert "lifecyclestage" in reasons(outcomes)[own]
    assert standin.records("contacts")[own]["lifecyclestage"] == "customer"


def test_a_lifecycle_stage_that_moves_forward_is_accepted(standin, hubspot, noon):
    own = standin.add("contacts", {"lifecyclestage": "lead"}, created_at=noon)
    assert reasons(update(hubspot, [Change(own, {"lifecyclestage": "customer"})])) == {}


def test_nothing_clears_a_value(standin, hubspot, contacts):
    (own,) = contacts(1)
    update(hubspot, [Change(own, {"tandem_score": "1"})])
    outcomes = update(hubspot, [Change(own, {"tandem_score": None})])
    assert reasons(outcomes) == {}
    assert not standin.records("contacts")[own].get("tandem_score")
    assert outcomes[own].values == {"tandem_score": None}


def test_an_email_kept_in_small_letters_is_the_one_we_sent(hubspot, contacts):
    (own,) = contacts(1)
    outcomes = update(hubspot, [Change(own, {"email": "New.Name@X.test"})])
    assert reasons(outcomes) == {}
    assert outcomes[own].values == {"email": "new.name@x.test"}


def test_a_record_merged_away_is_refused_with_the_one_that_took_it_over(
    standin, hubspot, contacts, noon
):
    one, other = contacts(2)
    new = standin.merge("contacts", one, other, at=noon)
    outcomes = update(hubspot, [Change(one, {"tandem_score": "1"})])
    assert new in reasons(outcomes)[one]


def test_a_locked_record_is_written_after_the_lock(hubspot, front, contacts):
    (own,) = contacts(1)
    front.answer("/batch/update", 423, {"message": "locked"}, headers={"Retry-After": "0"})
    assert reasons(update(hubspot, [Change(own, {"tandem_score": "1"})])) == {}
    assert len(front.sent("/batch/update")) == 2


def test_an_answer_lost_after_the_write_is_settled_by_setting_again(
    standin, hubspot, front, contacts
):
    (own,) = contacts(1)
    front.answer("/batch/update", 502, b"<html>", is_after=True)
    assert reasons(update(hubspot, [Change(own, {"tandem_score": "1"})])) == {}


def test_what_is_known_before_the_vendor_goes_away_is_given_first(hubspot, front, contacts):
    ids = contacts(150)
    outcomes = hubspot.update("contact", [Change(own, {"tandem_score": "1"}) for own in ids])
    assert len(next(outcomes)) == 100
    front.answer("/batch/update", 500, b"", times=9)
    with pytest.raises(VendorUnavailable):
        next(outcomes)


def test_a_missing_write_scope_is_no_refusal_of_a_row(hubspot, front, contacts):
    (own,) = contacts(1)
    front.answer("/batch/update", 403, {
        "category": "MISSING_SCOPES",
        "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]},
    })  # fmt: skip
    with pytest.raises(AccessError, match=r"crm\.objects\.contacts\.write"):
        update(hubspot, [Change(own, {"tandem_score": "1"})])


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(bad=st.sets(st.integers(0, 39)))
def test_good_rows_are_written_and_bad_ones_named_whichever_they_are(
    standin, hubspot, contacts, bad
):
    ids = contacts_once(standin, contacts)
    before = {own: standin.records("contacts")[own].get("tandem_tier") for own in ids}
    value = "cold" if before[ids[0]] == "hot" else "hot"
    changes = [
        Change(own, {"tandem_tier": "none" if place in bad else value})
        for place, own in enumerate(ids)
    ]
    outcomes = update(hubspot, changes)
    assert set(reasons(outcomes)) == {ids[place] for place in bad}
    for place, own in enumerate(ids):
        expected = before[own] if place in bad else value
        assert standin.records("contacts")[own].get("tandem_tier") == expected


def contacts_once(standin, contacts):
    """Give the same forty contacts to every example."""
    return list(standin.records("contacts")) or contacts(40)


def test_our_fields_are_created_in_a_group_and_can_be_written(standin, hubspot, front, noon):
    fields = field_definitions("hubspot", "contact", "tandem", 2)
    assert not {field.name for field in fields} & set(hubspot.describe("contact"))
    hubspot.create_fields("contact", fields)
    described = hubspot.describe("contact")
    assert {field.name: described[field.name].kind for field in fields} == {
        field.name: field.kind for field in fields
    }
    assert all(described[field.name].is_writable for field in fields)
    assert described["tandem_credit_won"].help.startswith("credit of this person")
    assert len(front.sent("/batch/create")) == 1
    own = standin.add("contacts", {}, created_at=noon)
    values = {
        "tandem_credit_won": "12.5",
        "tandem_first_touch_on": "2026-11-02",
        "tandem_handoff_due_at": "2026-11-02T12:00:00.000Z",
        "tandem_partner_id": "00Q000000000001AAA",
    }
    outcomes = update(hubspot, [Change(own, values)])
    assert reasons(outcomes) == {}
    assert outcomes[own].values == values


def test_creating_fields_twice_changes_nothing(standin, hubspot):
    fields = field_definitions("hubspot", "deal", "tandem", 2)
    hubspot.create_fields("deal", fields)
    before = hubspot.describe("deal")
    hubspot.create_fields("deal", fields)
    assert hubspot.describe("deal") == before


def test_fields_that_are_missing_among_others_are_created(hubspot):
    fields = field_definitions("hubspot", "company", "tandem", 2)
    hubspot.create_fields("company", fields[:3])
    hubspot.create_fields("company", fields)
    assert all(field.name in hubspot.describe("company") for field in fields)


def test_a_batch_of_fields_refused_for_one_taken_name_is_split(hubspot, front):
    fields = [FieldInfo(f"tandem_{place}", "string") for place in range(3)]
    taken = {"status": "error", "category": "OBJECT_ALREADY_EXISTS", "message": "no"}
    front.answer("/batch/create", 409, taken)  # all three
    front.answer("/batch/create", 409, taken)  # the last two
    front.answer("/batch/create", 409, taken)  # the last, which is the one that is there
    hubspot.create_fields("contact", fields)
    created = {field.name for field in fields} & set(hubspot.describe("contact"))
    assert created == {"tandem_0", "tandem_1"}


def test_every_kind_of_field_can_be_created(hubspot):
    kinds = ["string", "text", "number", "boolean", "date", "datetime", "enumeration"]
    fields = [
        FieldInfo(f"tandem_{kind}", kind, options=("a", "b") if kind == "enumeration" else ())
        for kind in kinds
    ]
    hubspot.create_fields("contact", fields)
    assert {field.name: hubspot.describe("contact")[field.name].kind for field in fields} == {
        f"tandem_{kind}": kind for kind in kinds
    }
    assert hubspot.describe("contact")["tandem_enumeration"].options == ("a", "b")


def test_fields_of_ours_are_no_unique_keys_and_no_form_fields(hubspot, front):
    hubspot.create_fields("contact", [FieldInfo("tandem_n", "number", label="N", digits=2)])
    (sent,) = front.sent("/batch/create")
    (row,) = json.loads(sent.body)["inputs"]
    assert (row["hasUniqueValue"], row["formField"]) == (False, False)


def test_a_missing_schema_scope_is_said(hubspot, front):
    front.answer("/groups", 403, {
        "category": "MISSING_SCOPES",
        "context": {"requiredGranularScopes": ["crm.schemas.contacts.write"]},
    })  # fmt: skip
    with pytest.raises(NotGranted, match=r"crm\.schemas\.contacts\.write"):
        hubspot.create_fields("contact", [FieldInfo("tandem_n", "number")])


def test_a_definition_that_hubspot_refuses_is_said(hubspot):
    with pytest.raises(VendorRejected, match="contact field"):
        hubspot.create_fields("contact", [FieldInfo("Not A Name", "string")])
