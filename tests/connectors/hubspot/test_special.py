from datetime import timedelta

import pytest

from agreement.errors import NotGranted, VendorRejected
from agreement.records import Window

HOUR = timedelta(hours=1)
FORM = "0f1e2d3c-0000-4000-8000-000000000001"


@pytest.fixture
def since_noon(noon):
    return Window(noon, noon + HOUR)


def read(hubspot, kind, window, fields=None):
    fields = list(hubspot.describe(kind)) if fields is None else fields
    return [r for batch in hubspot.pull(kind, fields, window) for r in batch.records]


def refuse(front, ending):
    front.answer(ending, 403, {
        "category": "MISSING_SCOPES", "context": {"requiredGranularScopes": ["forms"]}
    })  # fmt: skip


def test_owners_who_left_come_too_with_their_user_id(standin, hubspot, since_noon):
    standin.add_owner(
        "41", user_id=95, email="a@x.test", first_name="A", last_name="B", team="East"
    )
    standin.add_owner(
        "42", user_id=96, email="b@x.test", first_name="C", last_name="D", archived=True
    )
    left = [record for batch in hubspot.archived("owner") for record in batch.records]
    found = {record.record_id: record for record in [*read(hubspot, "owner", since_noon), *left]}
    assert not any(record.is_deleted for record in found.values())
    assert {own: record.values for own, record in found.items()} == {
        "41": {
            "email": "a@x.test",
            "first_name": "A",
            "last_name": "B",
            "user_id": "95",
            "team": "East",
            "is_archived": "false",
        },
        "42": {
            "email": "b@x.test",
            "first_name": "C",
            "last_name": "D",
            "user_id": "96",
            "team": None,
            "is_archived": "true",
        },
    }


def test_an_owner_in_both_lists_is_active(hubspot, front, since_noon):
    row = {"id": "41", "email": "a@x.test", "userId": 95}
    front.answer("/owners", 200, {"results": [row]}, times=2)
    (owner,) = read(hubspot, "owner", since_noon)
    assert owner.values["is_archived"] == "false"


def test_only_the_fields_asked_for_come(standin, hubspot, since_noon):
    standin.add_owner("41", user_id=95, email="a@x.test", first_name="A", last_name="B")
    (owner,) = read(hubspot, "owner", since_noon, ["user_id"])
    assert dict(owner.values) == {"user_id": "95"}


def test_forms_of_every_type_come(standin, hubspot, since_noon):
    for place, form_type in enumerate(("hubspot", "captured", "flow")):
        standin.add_form(f"{FORM[:-1]}{place}", f"Form {place}", form_type)
    found = read(hubspot, "form", since_noon)
    assert sorted(record.values["form_type"] for record in found) == ["captured", "flow", "hubspot"]


def test_submissions_inside_the_window_come_and_both_its_ends_are_inside(
    standin, hubspot, noon, since_noon
):
    standin.add_form(FORM, "Demo")
    for place, at in enumerate(
        [noon - timedelta(milliseconds=1), noon, noon + HOUR, noon + HOUR + timedelta(seconds=1)]
    ):
        standin.add_submission(
            FORM,
            at,
            {"email": f"p{place}@x.test"},
            page_url="https://x.test/demo",
            conversion_id=f"c{place}",
        )
    found = {
        record.record_id: record.values for record in read(hubspot, "form_submission", since_noon)
    }
    assert set(found) == {"c1", "c2"}
    assert found["c1"] == {
        "form_id": FORM,
        "submitted_at": "2026-11-02T12:00:00.000Z",
        "email": "p1@x.test",
        "page_url": "https://x.test/demo",
    }


def test_a_form_is_read_newest_first_and_only_to_the_window_s_start(
    standin, hubspot, front, noon, since_noon
):
    standin.add_form(FORM, "Demo")
    for minutes in range(300):
        standin.add_submission(
            FORM, noon + HOUR - timedelta(minutes=minutes), {}, conversion_id=f"c{minutes}"
        )
    assert len(read(hubspot, "form_submission", since_noon)) == 61
    assert len(front.sent(FORM)) == 2
    front.requests.clear()
    assert len(read(hubspot, "form_submission", Window(None, noon + HOUR))) == 300
    assert len(front.sent(FORM)) == 6


def test_a_submission_without_an_id_is_the_same_record_each_time(hubspot, front, noon, since_noon):
    row = {
        "submittedAt": int(noon.timestamp() * 1000),
        "values": [{"name": "email", "value": "a@x.test", "objectTypeId": "0-1"}],
    }
    form = {"results": [{"id": FORM, "name": "Demo", "formType": "hubspot"}]}
    seen = []
    for rows in ([row], [row], [row | {"submittedAt": row["submittedAt"] + 1}]):
        front.answer("/marketing/v3/forms", 200, form)
        front.answer(FORM, 200, {"results": rows})
        seen += [record.record_id for record in read(hubspot, "form_submission", since_noon)]
    assert seen[0] == seen[1] != seen[2]


def test_a_company_s_email_in_a_form_is_not_the_person_s(hubspot, front, noon, since_noon):
    row = {
        "conversionId": "c1",
        "submittedAt": int(noon.timestamp() * 1000),
        "values": [
            {"name": "email", "value": "info@x.test", "objectTypeId": "0-2"},
            {"name": "email", "value": "a@x.test", "objectTypeId": "0-1"},
        ],
    }
    front.answer("/marketing/v3/forms", 200, {"results": [{"id": FORM}]})
    front.answer(FORM, 200, {"results": [row]})
    (record,) = read(hubspot, "form_submission", since_noon)
    assert record.values["email"] == "a@x.test"


def test_a_form_that_keeps_its_submissions_to_itself_is_not_asked(
    standin, hubspot, front, noon, since_noon
):
    standin.add_form(FORM, "Comments", "blog_comment")
    other = f"{FORM[:-1]}2"
    standin.add_form(other, "Demo")
    standin.add_submission(other, noon, {"email": "a@x.test"}, conversion_id="c1")
    assert [record.record_id for record in read(hubspot, "form_submission", since_noon)] == ["c1"]
    assert front.sent(FORM) == []


def test_a_form_refused_by_type_stops_no_other(standin, hubspot, front, noon, since_noon):
    other = f"{FORM[:-1]}2"
    for guid in (FORM, other):
        standin.add_form(guid, "Demo")
        standin.add_submission(guid, noon, {}, conversion_id=guid)
    front.answer(FORM, 400, {"status": "error", "errorType": "FORM_TYPE_NOT_ALLOWED"})
    assert [record.record_id for record in read(hubspot, "form_submission", since_noon)] == [other]


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("form", "/forms"),
        ("form_submission", "/forms"),
        ("email_event", "/events"),
        ("owner", "/owners"),
        ("campaign", "/campaigns"),
        ("marketing_event", "/v3"),
        ("event_participation", "/v3"),
        ("deal_stage", "/deals"),
    ],
)
def test_a_missing_scope_of_a_special_kind_is_said_and_not_taken_for_emptiness(
    hubspot, front, since_noon, kind, ending
):
    refuse(front, ending)
    with pytest.raises(NotGranted, match="forms"):
        read(hubspot, kind, since_noon)


def test_clicks_in_the_window_come_and_machines_are_marked(standin, hubspot, noon, since_noon):
    before = noon - timedelta(milliseconds=1)
    for place, (event_type, at, is_filtered) in enumerate(
        [
            ("CLICK", before, False),
            ("CLICK", noon, False),
            ("CLICK", noon + HOUR, True),
            ("OPEN", noon, False),
        ]
    ):
        standin.add_email_event(
            event_type, "a@x.test", at, campaign_id=7, filtered=is_filtered, event_id=f"e{place}"
        )
    found = {record.record_id: record for record in read(hubspot, "email_event", since_noon)}
    assert {own: record.values["is_filtered"] for own, record in found.items()} == {
        "e1": "false",
        "e2": "true",
    }
    assert found["e1"].values["created"] == "2026-11-02T12:00:00.000Z"
    assert found["e1"].values["campaign_id"] == "7"
    assert found["e1"].created_at == noon


def test_email_events_come_a_thousand_a_request(standin, hubspot, front, noon, since_noon):
    for place in range(2100):
        standin.add_email_event("CLICK", "a@x.test", noon, event_id=f"e{place}")
    assert len({record.record_id for record in read(hubspot, "email_event", since_noon)}) == 2100
    assert len(front.sent("/events")) == 3


def test_other_event_types_come_when_asked_for(standin, connect, noon, since_noon):
    standin.add_email_event("OPEN", "a@x.test", noon, event_id="e1")
    standin.add_email_event("CLICK", "a@x.test", noon, event_id="e2")
    found = read(connect(event_types=("OPEN", "CLICK")), "email_event", since_noon)
    assert {record.record_id for record in found} == {"e1", "e2"}


def test_deal_stages_come_with_their_pipeline(hubspot, since_noon):
    found = {record.record_id: record.values for record in read(hubspot, "deal_stage", since_noon)}
    assert found["closedwon"]["is_closed"] == "true"
    assert found["closedwon"]["probability"] == "1"
    assert found["closedwon"]["pipeline_id"] == "default"
    assert found["closedlost"]["probability"] == "0"


def test_campaigns_are_asked_for_with_their_properties(hubspot, front, since_noon):
    row = {"id": "g-1", "properties": {"hs_name": "Spring", "hs_start_date": "2026-03-01"}}
    front.answer("/campaigns", 200, {"results": [row]})
    (campaign,) = read(hubspot, "campaign", since_noon)
    assert dict(campaign.values) == {"name": "Spring", "start_on": "2026-03-01", "end_on": None}
    assert "hs_name" in front.requests[-1].query


def test_participations_say_who_came_to_which_event(hubspot, front, noon, since_noon):
    events = {"results": [{"objectId": "77", "eventName": "Webinar"}]}
    row = {
        "id": "p1",
        "properties": {"occurredAt": int(noon.timestamp() * 1000), "attendanceState": "ATTENDED"},
        "associations": {"contact": {"contactId": "501", "email": "a@x.test"}},
    }
    front.answer("/marketing-events/v3", 200, events)
    front.answer("/77/breakdown", 200, {"results": [row], "paging": {"next": {"after": "x"}}})
    front.answer("/77/breakdown", 200, {"results": [row | {"id": "p2"}]})
    one, other = read(hubspot, "event_participation", since_noon)
    assert dict(one.values) == {
        "event_id": "77",
        "contact_id": "501",
        "state": "ATTENDED",
        "occurred_at": "2026-11-02T12:00:00.000Z",
    }
    assert other.record_id == "p2"


def test_marketing_events_come_by_their_record_id(hubspot, front, since_noon):
    row = {"objectId": "77", "externalEventId": "ext", "eventName": "Webinar", "eventType": "WEB"}
    front.answer("/marketing-events/v3", 200, {"results": [row]})
    (event,) = read(hubspot, "marketing_event", since_noon)
    assert (event.record_id, event.values["name"]) == ("77", "Webinar")


def test_an_endpoint_that_refuses_every_form_is_said(standin, hubspot, front, since_noon):
    for place in range(3):
        standin.add_form(f"{FORM[:-1]}{place}", "Demo")
        front.answer(f"{FORM[:-1]}{place}", 404, {"message": "no such endpoint"})
    with pytest.raises(VendorRejected, match="404"):
        read(hubspot, "form_submission", since_noon)
