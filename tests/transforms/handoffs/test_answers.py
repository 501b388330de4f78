"""Answers, what a rejection lacks, and relief, through the list of handoffs."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from agreement.policy import Criteria, load_agreement
from tests import builders
from transforms import lifecycle

AGREEMENT = load_agreement()
LEAD, REP = "00Q000000000001EAA", "005000000000001AAA"
START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
NOW = START + timedelta(days=200)
DAY = timedelta(days=1)


def status(value, at, field="status"):
    return {
        "system": "salesforce",
        "kind": "lead",
        "record_id": LEAD,
        "field": field,
        "value": value,
        "changed_at": at,
    }


def rejected(at, reason):
    return [status("Unqualified", at), status(reason, at, "reason")]


def call(at, number, activity="call"):
    return {
        "activity": activity,
        "direction": "outbound",
        "at": at,
        "created_at": at,
        "evidence_id": f"e{number:02}",
        "person_record_id": "1",
    }


def handoffs(*changes, acts=(), cycles=(START,), lead=None, contact=None, rules=AGREEMENT.handoff):
    """Give the handoffs of one person with one lead, a row each as a dict, missing as None."""
    found = lifecycle.handoffs(
        builders.mqls(
            *(
                {"person_id": "p1", "record_id": "1", "cycle": at, "mql_at": mql_at,
                 "ended_at": cycles[at] - DAY if at < len(cycles) else None}
                for at, mql_at in enumerate(cycles, start=1)
            )
        ),
        builders.people(
            {"record_id": "1", "email": "a@x.test", "created_at": START - 9 * DAY}
            | (contact or {}),
            {"system": "salesforce", "kind": "lead", "record_id": LEAD, "owner_id": REP,
             "status": "Open - Not Contacted", "created_at": START - DAY} | (lead or {}),
        ),
        builders.crosswalk(
            {"entity_id": "p1", "record_id": "1"},
            {"entity_id": "p1", "system": "salesforce", "kind": "lead", "record_id": LEAD},
        ),
        builders.users({"user_id": REP}),
        builders.activities(*acts),
        builders.stage_changes(*changes),
        rules,
        AGREEMENT.calendar,
        (),
        NOW,
    )  # fmt: skip
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in found.to_dict("records")
    ]


def test_an_answer_is_given_when_it_was_first_said():
    (found,) = handoffs(
        status("Unqualified", START + DAY),
        status("Working - Contacted", START + 2 * DAY),
        status("Nurturing", START + 3 * DAY),
        lead={"status": "Nurturing"},
    )
    assert (found["answer"], found["answered_at"]) == ("accepted", START + 2 * DAY)


def test_a_conversion_is_a_yes_at_its_own_time():
    (found,) = handoffs(
        status("Closed - Converted", START + DAY),
        status(None, START + DAY, "converted"),
        lead={"status": "Closed - Converted", "converted_to": "003000000000001AAA"},
    )
    assert (found["answer"], found["answered_at"]) == ("accepted", START + DAY)


def test_an_answer_without_a_history_has_no_time():
    (found,) = handoffs(lead={"status": "Working - Contacted"})
    assert (found["answer"], found["answered_at"]) == ("accepted", None)


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_rejection_without_a_reason_is_no_work(reason):
    (found,) = handoffs(
        status("Unqualified", START + DAY),
        lead={"status": "Unqualified", "reject_reason": reason},
    )
    assert found["answer_fault"] == "rejected_without_reason"


def test_a_rejection_with_a_reason_is_work():
    (found,) = handoffs(
        *rejected(START + DAY, "No budget"),
        lead={"status": "Unqualified", "reject_reason": "No budget"},
    )
    assert (found["answer_fault"], found["answer_reason"]) == (None, "No budget")


def tries(count, over, kinds=("call", "email")):
    return [
        call(START + over * number / max(count - 1, 1), number, kinds[number % len(kinds)])
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("acts", "fault"),
    [
        (tries(6, 14 * DAY), None),
        (tries(5, 14 * DAY), "too_few_attempts"),
        (tries(6, 14 * DAY - timedelta(seconds=1)), "too_few_attempts"),
        (tries(6, 14 * DAY, ("call",)), "too_few_attempts"),
        (tries(7, 16 * DAY), "too_few_attempts"),
        ([], "too_few_attempts"),
    ],
)
def test_unable_to_reach_is_a_reason_only_after_the_agreed_tries(acts, fault):
    """The seventh try of seven over sixteen days comes after the answer, and five do not do."""
    answered_at = START + 14 * DAY
    if len(acts) == 7:
        acts = [one for one in acts if one["at"] > START + 4 * DAY]
    (found,) = handoffs(
        *rejected(answered_at, "no answer"),
        acts=acts,
        lead={"status": "Unqualified", "reject_reason": "no answer"},
    )
    assert found["answer_fault"] == fault
    assert found["attempt_count"] == len([one for one in acts if one["at"] <= answered_at])


def test_a_past_cycle_keeps_its_owner_and_the_running_one_has_today_s():
    other = "005000000000002AAA"
    first, second = handoffs(
        status(other, START - DAY, "owner"),
        status(REP, START + 50 * DAY, "owner"),
        acts=[call(START + DAY, 1)],
        cycles=(START, START + 100 * DAY),
    )
    assert (first["owner_id"], second["owner_id"]) == (other, REP)
    (untouched, _) = handoffs(
        status(other, START - DAY, "owner"),
        status(REP, START + 50 * DAY, "owner"),
        cycles=(START, START + 30 * DAY),
    )
    assert untouched["owner_id"] == other, "who had it when the cycle ended"


def test_a_past_cycle_keeps_the_reason_of_then():
    first, second = handoffs(
        *rejected(START + DAY, "No budget"),
        status("Open - Not Contacted", START + 95 * DAY),
        status(None, START + 95 * DAY, "reason"),
        cycles=(START, START + 100 * DAY),
    )
    assert (first["answer"], first["answer_reason"]) == ("rejected", "No budget")
    assert (second["answer"], second["answer_reason"]) == (None, None)


# Relief


def test_a_person_below_the_criteria_carries_no_clock():
    (found,) = handoffs(contact={"email": None})
    assert found["relief"] == "below_criteria"
    listed = AGREEMENT.handoff.model_copy(update={"criteria": Criteria(never_sources=("OFFLINE",))})
    (found,) = handoffs(contact={"email": None, "source": "OFFLINE"}, rules=listed)
    assert found["relief"] == "below_criteria"
    (found,) = handoffs(contact={"email": None, "source": "PAID"}, rules=listed)
    assert found["relief"] is None


REOPENED = status("Open - Not Contacted", START + 10 * DAY)


@pytest.mark.parametrize(
    ("reason", "days", "relief"),
    [
        ("No budget", 91, None),
        ("No budget", 90, "recycled_too_soon"),  # rejected on the first day, hence 91
        ("No answer", 31, None),
        ("No answer", 30, "recycled_too_soon"),
        ("Wrong fit", 190, "recycled_too_soon"),
        ("Another reason", 20, None),
        (None, 20, None),
    ],
)
def test_who_was_rejected_is_left_alone_as_long_as_the_reason_says(reason, days, relief):
    again = START + days * DAY
    _, second = handoffs(*rejected(START + DAY, reason), REOPENED, cycles=(START, again))
    assert second["relief"] == relief


def test_who_asks_for_a_talk_is_never_too_soon():
    again = START + 20 * DAY
    form = {"activity": "form", "title": "Request a demo", "evidence_id": "f1",
            "at": again - timedelta(hours=1), "person_record_id": "1"}  # fmt: skip
    _, second = handoffs(
        *rejected(START + DAY, "Wrong fit"), REOPENED, acts=[form], cycles=(START, again)
    )
    assert (second["tier"], second["relief"]) == ("hot", None)
