"""What is due to be said about clocks, to whom, when, and in which words."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from agreement.frames import PendingAlerts, as_utc
from agreement.policy import load_agreement
from tests import builders
from transforms.alerts import Links, alerts_due, is_open, messages

AGREEMENT = load_agreement()
MONDAY = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)  # half past ten in New York
OWNER = "005000000000001AAA"
LATE = {
    "handoff_id": "p1:1",
    "tier": "mql",
    "status": "late",
    "is_breached": True,
    "due_at": "2026-03-02T15:00Z",
    "working_seconds": 24 * 3600 + 1800,
    "record_kind": "lead",
    "record_id": "00Q000000000001EAA",
    "owner_id": OWNER,
}
SOON = LATE | {
    "status": "waiting",
    "is_breached": False,
    "due_at": "2026-03-02T16:00Z",
    "working_seconds": 23 * 3600 + 1800,
}
ANSWERED = LATE | {"touched_at": "2026-03-02T15:20Z"}


def keys(*rows, said=()):
    status = builders.handoff_status(*rows)
    due = alerts_due(status, said, AGREEMENT.alerts, AGREEMENT.handoff, MONDAY)
    return dict(zip(due["alert_key"], due["receiver"], strict=True))


def texts(*rows, pending=None, spent=None, now=MONDAY, stored=MONDAY):
    """Give the messages for what is due of these rows, or for named pending alerts."""
    status = builders.handoff_status(*rows)
    if pending is None:
        due = alerts_due(status, (), AGREEMENT.alerts, AGREEMENT.handoff, now)
    else:
        due = pd.DataFrame(pending, columns=["alert_key", "about_id", "state", "receiver"])
    columns = ["alert_key", "about_id", "state", "receiver"]
    waiting = due[columns].astype("str").assign(stored_at=as_utc([stored] * len(due)).array)
    made, places = messages(
        PendingAlerts.validate(waiting),
        status,
        builders.users({"user_id": OWNER, "zone": "America/New_York"}),
        spent or {},
        AGREEMENT.alerts,
        AGREEMENT.handoff,
        AGREEMENT.calendar,
        Links("https://crm.example/", "https://app.example/contacts/1/record/0-1/"),
        now,
    )
    dropped = places.loc[places["message_key"].isna(), "alert_key"].tolist()
    return made["text"].tolist(), dropped


def test_a_clock_near_its_end_is_warned_of():
    assert keys(SOON) == {"p1:1:warned": OWNER}
    assert keys(SOON | {"working_seconds": 3600}) == {}


def test_a_breach_is_said_instead_of_a_warning():
    assert keys(LATE) == {"p1:1:breached": OWNER}


def test_what_nobody_owns_goes_to_ops():
    assert keys(LATE | {"owner_id": None}) == {"p1:1:breached": "ops"}


def test_a_miss_that_nobody_answers_is_escalated_to_the_lead():
    long_over = LATE | {"working_seconds": 28 * 3600}
    assert keys(long_over) == {"p1:1:breached": OWNER, "p1:1:escalated": "lead"}
    assert keys(long_over | {"working_seconds": 28 * 3600 - 1}) == {"p1:1:breached": OWNER}


def test_what_was_said_is_not_said_again():
    assert keys(LATE, said=["p1:1:breached"]) == {}


def test_an_answer_resolves_a_breach_for_whoever_heard_of_it():
    said = ["p1:1:breached", "p1:1:escalated"]
    assert keys(ANSWERED, said=said) == {"p1:1:resolved": OWNER, "p1:1:resolved:lead": "lead"}
    assert keys(ANSWERED, said=[*said, "p1:1:resolved", "p1:1:resolved:lead"]) == {}


def test_no_clocks_say_nothing():
    assert keys() == {}
    assert texts() == ([], [])


def test_a_clock_that_is_met_says_nothing():
    met = LATE | {"status": "on_time", "is_breached": False, "touched_at": "2026-03-02T14:00Z"}
    assert keys(met) == {}


def test_a_message_says_what_which_record_when_and_what_next():
    ((text,), dropped) = texts(LATE)
    assert text.splitlines()[:-1] == [
        f"Handoffs for owner {OWNER}: 1 missed",
        "- MISSED: lead 00Q000000000001EAA, tier mql, due Mon 02 Mar 10:00 EST, 30 min of working"
        f" time over; not answered yet; owner {OWNER} https://crm.example/00Q000000000001EAA"
        " https://app.example/contacts/1/record/0-1/1",
        "Next: call or write now and log it on the record; the clock runs on.",
    ]
    assert dropped == []


def test_one_person_gets_one_message_the_gravest_first_and_the_rest_counted():
    many = [LATE | {"handoff_id": f"p{at}:1", "person_id": f"p{at}"} for at in range(12)]
    soon = SOON | {"handoff_id": "p99:1", "person_id": "p99"}
    ((text,), _) = texts(*many, soon)
    lines = text.splitlines()
    assert lines[0].endswith(": 12 missed, 1 due soon")
    assert sum(line.startswith("- MISSED") for line in lines) == AGREEMENT.alerts.listed
    assert "and 3 more: tandem alerts" in lines


def test_an_answer_before_the_breach_was_told_is_told_in_one_line():
    ((text,), dropped) = texts(ANSWERED)
    assert "; answered Mon 02 Mar 10:20 EST" in text
    assert dropped == ["p1:1:resolved"]


def test_a_warning_that_a_breach_has_overtaken_is_dropped():
    made, dropped = texts(LATE, pending=[("p1:1:warned", "p1:1", "warned", OWNER)])
    assert (made, dropped) == ([], ["p1:1:warned"])


def test_an_escalation_that_an_answer_has_overtaken_is_dropped():
    made, dropped = texts(ANSWERED, pending=[("p1:1:escalated", "p1:1", "escalated", "lead")])
    assert (made, dropped) == ([], ["p1:1:escalated"])


def test_nobody_is_told_at_night_and_the_alert_waits():
    night = MONDAY.replace(hour=7)
    assert texts(LATE, now=night) == ([], [])


def test_a_spent_budget_makes_it_wait_for_the_next_weeks_digest():
    spent = {(OWNER, "2026-03-02"): AGREEMENT.alerts.budget}
    assert texts(LATE, spent=spent) == ([], [])
    ((text,), _) = texts(LATE, spent=spent, now=MONDAY + timedelta(days=7), stored=MONDAY)
    assert text.splitlines()[0].endswith("(digest)")


def test_hours_are_the_receivers_own_and_quiet_ones_are_kept():
    rules, calendar = AGREEMENT.alerts, AGREEMENT.calendar
    assert is_open(calendar, rules, "America/New_York", MONDAY)
    assert not is_open(calendar, rules, "Asia/Tokyo", MONDAY)
    saturday = datetime(2026, 3, 7, 15, tzinfo=UTC)
    assert not is_open(calendar, rules, "America/New_York", saturday)
    noon = rules.model_copy(update={"quiet": ((600, 660),)})
    assert not is_open(calendar, noon, "America/New_York", MONDAY)
