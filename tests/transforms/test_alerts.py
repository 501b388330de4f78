"""Which messages are due that were not said before."""

from tests import builders
from transforms.alerts import breach_alerts

LATE = {
    "handoff_id": "p1:1",
    "status": "late",
    "is_breached": True,
    "due_at": "2026-03-02T15:00Z",
    "working_seconds": 7380,
    "record_kind": "lead",
    "record_id": "00Q000000000001EAA",
    "owner_id": "005000000000001AAA",
}


def texts(*rows, said=()):
    return breach_alerts(builders.handoff_status(*rows), said)["text"].tolist()


def test_a_breach_says_which_record_and_since_when():
    assert texts(LATE) == [
        "Handoff late: lead 00Q000000000001EAA, tier mql, due 2026-03-02 15:00 UTC; "
        "not answered yet, after 2 h 3 min of working time; owner 005000000000001AAA."
    ]


def test_a_late_answer_is_told_too():
    (text,) = texts(LATE | {"touched_at": "2026-03-02T16:03Z"})
    assert "answered 2026-03-02 16:03 UTC" in text


def test_a_person_without_record_or_owner_can_be_told_too():
    (text,) = texts(LATE | {"record_kind": None, "record_id": None, "owner_id": None})
    assert "person p1 (not in Salesforce)" in text
    assert "nobody owns it" in text


def test_what_was_said_is_not_said_again():
    first = breach_alerts(builders.handoff_status(LATE), ())
    assert texts(LATE, said=first["alert_key"].tolist()) == []


def test_a_clock_that_is_not_breached_says_nothing():
    assert texts({"handoff_id": "p1:1", "status": "on_time"}, {"handoff_id": "p2:1"}) == []


def test_the_longest_due_comes_first():
    later = LATE | {"handoff_id": "p2:1", "due_at": "2026-03-01T15:00Z"}
    found = breach_alerts(builders.handoff_status(LATE, later), ())
    assert found["about_id"].tolist() == ["p2:1", "p1:1"]
