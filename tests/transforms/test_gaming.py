"""What looks odd, as questions."""

from datetime import UTC, datetime, timedelta

import pytest

from agreement.policy import Gaming
from tests import builders
from transforms import gaming

RULES = Gaming()
START = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEAD, OWNER, OTHER = "00Q000000000001EAA", "005000000000001AAA", "005000000000002AAA"


def status(**row):
    default = {"handoff_id": "h1", "started_at": START, "due_at": START + 10 * HOUR}
    return builders.handoff_status(default | row)


def call(entered_at, at=START + HOUR):
    return builders.activities(
        {"activity": "call", "evidence_id": "e1", "person_record_id": "1", "at": at,
         "created_at": entered_at}
    )  # fmt: skip


TOUCHED = {"status": "on_time", "touched_at": START + HOUR, "evidence_id": "e1"}


@pytest.mark.parametrize(
    ("entered_at", "count"),
    [
        (START + 10 * HOUR, 0),
        (START + 10 * HOUR + timedelta(seconds=1), 1),
        (START + HOUR, 0),
    ],
)
def test_a_touch_in_time_that_was_entered_after_the_due_time_is_asked_about(entered_at, count):
    found = gaming.back_dated(status(**TOUCHED), call(entered_at), RULES)
    assert len(found) == count
    late = status(**TOUCHED | {"status": "late"})
    assert gaming.back_dated(late, call(entered_at), RULES).empty


def test_a_touch_that_was_entered_soon_after_is_none_of_them():
    done = START + 9 * HOUR
    found = gaming.back_dated(
        status(**TOUCHED | {"touched_at": done}), call(done + 4 * HOUR - HOUR, at=done), RULES
    )
    assert found.empty


def swap(at, **row):
    segments = builders.clock_segments(
        {"handoff_id": "h1", "owner_id": OWNER, "starts_at": START, "ends_at": START + at},
        {"handoff_id": "h1", "owner_id": OTHER, "starts_at": START + at, "ends_at": START + DAY},
    )
    return gaming.owner_swaps(status(**row), segments, RULES)


@pytest.mark.parametrize(("hours", "count"), [(7.9, 0), (8, 1), (10, 1), (10.1, 0)])
def test_an_owner_who_changes_in_the_last_fifth_of_the_limit_is_asked_about(hours, count):
    assert len(swap(hours * HOUR)) == count


def test_after_the_touch_the_owner_may_change():
    assert swap(9 * HOUR, touched_at=START + HOUR).empty
    assert len(swap(9 * HOUR, touched_at=START + 9 * HOUR)) == 1


def test_a_lead_taken_from_the_queue_is_no_swap():
    segments = builders.clock_segments(
        {"handoff_id": "h1", "owner_id": "00G000000000001AAA", "is_person": False,
         "starts_at": START, "ends_at": START + 9 * HOUR},
        {"handoff_id": "h1", "owner_id": OTHER, "starts_at": START + 9 * HOUR,
         "ends_at": START + DAY},
    )  # fmt: skip
    assert gaming.owner_swaps(status(), segments, RULES).empty


@pytest.mark.parametrize(("stages", "count"), [(["New"], 1), (["New", "Proposal"], 0), ([], 1)])
def test_a_deal_that_was_won_with_hardly_a_stage_is_asked_about(stages, count):
    deals = builders.deals(
        {"deal_id": "d1", "record_id": "006000000000001AAA", "created_at": START,
         "closed_at": START + DAY},
        {"deal_id": "d2", "record_id": "006000000000002AAA", "state": "open"},
    )  # fmt: skip
    changes = builders.stage_changes(
        *(
            {"system": "salesforce", "kind": "opportunity", "record_id": "006000000000001AAA",
             "field": "stage", "value": stage, "changed_at": START + at * HOUR}
            for at, stage in enumerate([*stages, "Closed Won"])
        )
    )  # fmt: skip
    won_at = START + len(stages) * HOUR
    deals["closed_at"] = deals["closed_at"].where(deals["closed_at"].isna(), won_at)
    assert len(gaming.stage_jumps(deals, changes, RULES)) == count


def met(made_after, **meeting):
    people = builders.people(
        {"record_id": "1"},
        {"system": "salesforce", "kind": "lead", "record_id": LEAD,
         "created_at": START + made_after},
    )  # fmt: skip
    acts = builders.activities(
        {"activity": "meeting", "evidence_id": "m1", "person_record_id": "1", "at": START} | meeting
    )
    links = builders.crosswalk(
        {"entity_id": "p1", "record_id": "1"},
        {"entity_id": "p1", "system": "salesforce", "kind": "lead", "record_id": LEAD},
    )
    return gaming.leads_after_meetings(people, acts, links, RULES, START + 90 * DAY)


def test_a_lead_that_was_made_after_a_meeting_with_the_person_is_asked_about():
    assert len(met(DAY)) == 1
    assert len(met(30 * DAY)) == 1
    assert met(31 * DAY).empty
    assert met(-DAY).empty
    assert met(DAY, is_done=False).empty
    assert met(DAY, is_automatic=True).empty


def test_questions_are_questions_with_ids_only_and_each_is_asked_once():
    swaps, meetings = swap(9 * HOUR), met(DAY)
    found = gaming.questions(swaps, meetings, swaps)
    assert found["kind"].tolist() == ["lead_after_meeting", "owner_swap"]
    assert found["question_id"].tolist() == [
        f"lead_after_meeting:p1:{LEAD}",
        f"owner_swap:h1:{OTHER}",
    ]
    assert all(text.endswith("?") for text in found["question"])
    assert found["question"].tolist() == [
        f"Lead {LEAD} was made 24 h 00 min after meeting m1 with the same person. Who brought the"
        " person?",
        f"The owner changed to {OTHER} on 2026-03-03 00:00 UTC, 1 h 00 min before the due time."
        " What was the reason?",
    ]


def test_nothing_odd_is_no_question():
    assert gaming.questions().empty
    assert gaming.questions(met(-DAY)).empty
