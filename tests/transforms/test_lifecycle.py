"""Cycles out of stage history, and what sales did after each handoff."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreement.policy import Exclusion, load_agreement
from tests import builders
from transforms import lifecycle

AGREEMENT = load_agreement()
MQL = "marketingqualifiedlead"
LEAD, CONTACT = "00Q000000000001EAA", "003000000000001AAA"
REP, ROBOT, QUEUE = "005000000000001AAA", "005000000000002AAA", "00G000000000001AAA"
START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
NOW = START + timedelta(days=30)


def after(**lag):
    return START + timedelta(**lag)


def stage(value, at, record_id="1"):
    return {"record_id": record_id, "value": value, "changed_at": at}


def crosswalk(*records):
    """Link records, given as (kind, id), to one person; HubSpot's is a contact by its short id."""
    return builders.crosswalk(
        *(
            {
                "entity_id": "p1",
                "system": "salesforce" if len(record_id) == 18 else "hubspot",
                "kind": kind,
                "record_id": record_id,
            }
            for kind, record_id in records
        )
    )


def mqls(*stages, known=("1",)):
    found = lifecycle.mqls(
        builders.stage_changes(*stages),
        crosswalk(*(("contact", record_id) for record_id in known)),
        AGREEMENT.definitions,
    )
    return [(row["record_id"], row["cycle"], row["mql_at"]) for row in found.to_dict("records")]


def test_the_first_entry_of_each_cycle_is_the_mql():
    assert mqls(
        stage("lead", after()),
        stage(MQL, after(days=1)),
        stage("salesqualifiedlead", after(days=2)),
        stage(MQL, after(days=3)),
        stage("subscriber", after(days=4)),
        stage(MQL, after(days=5)),
    ) == [("1", 1, after(days=1)), ("1", 2, after(days=5))]


def test_clearing_the_stage_is_no_recycle():
    assert (
        len(mqls(stage(MQL, after()), stage(None, after(days=1)), stage(MQL, after(days=2)))) == 1
    )


def test_a_contact_that_never_became_an_mql_has_no_cycle():
    assert mqls(stage("lead", after()), stage("customer", after(days=1))) == []


def test_a_contact_that_is_gone_has_no_cycle():
    assert mqls(stage(MQL, after(), record_id="2")) == []


def test_a_cycle_ends_when_its_recycle_says_so():
    found = lifecycle.mqls(
        builders.stage_changes(stage(MQL, after()), stage("lead", after(days=2))),
        crosswalk(("contact", "1")),
        AGREEMENT.definitions,
    )
    assert found["ended_at"].tolist() == [after(days=2)]


# Handoffs


def handoff(
    *acts,
    cycles=({"mql_at": START},),
    people=(),
    known=(("contact", "1"), ("lead", LEAD)),
    lead=None,
    changes=(),
    exclusions=(),
    now=NOW,
):
    """Give the handoffs of one person, a row each as a dict."""
    lead = {"system": "salesforce", "kind": "lead", "record_id": LEAD, "owner_id": REP} | (
        lead or {}
    )
    contact = {"record_id": "1", "email": "a@x.test", "created_at": after(days=-9)}
    lead.setdefault("created_at", after(days=-9))
    found = lifecycle.handoffs(
        builders.mqls(*({"person_id": "p1", "record_id": "1"} | cycle for cycle in cycles)),
        builders.people(contact, lead, *people),
        crosswalk(*known),
        builders.users(
            {"user_id": REP, "zone": "Europe/Berlin"}, {"user_id": ROBOT, "is_human": False}
        ),
        builders.activities(*acts),
        builders.stage_changes(*changes),
        AGREEMENT.handoff,
        AGREEMENT.calendar,
        exclusions,
        now,
    )
    return found.to_dict("records")


def act(activity, at, evidence_id="e1", **fields):
    return {
        "activity": activity,
        "at": at,
        "created_at": at,
        "evidence_id": evidence_id,
        "person_record_id": "1",
    } | fields


def call(at, evidence_id="e1", **fields):
    return act("call", at, evidence_id, **({"direction": "outbound"} | fields))


def form(at, title="Request a DEMO"):
    return act("form", at, "f1", title=title)


@pytest.mark.parametrize(
    ("lag", "title", "tier"),
    [
        ({"hours": -24}, "Request a DEMO", "hot"),
        ({"hours": 0}, "Contact us", "hot"),
        ({"hours": -24, "seconds": -1}, "Request a demo", "mql"),
        ({"seconds": 1}, "Request a demo", "mql"),
        ({"hours": -1}, "Newsletter", "mql"),
        ({"hours": -1}, None, "mql"),
    ],
)
def test_a_talk_asked_for_within_a_day_before_the_stamp_is_hot(lag, title, tier):
    (found,) = handoff(form(after(**lag), title))
    assert found["tier"] == tier
    assert found["started_at"] == (after(**lag) if tier == "hot" else START)


def test_the_latest_of_several_forms_starts_the_clock():
    (found,) = handoff(form(after(hours=-9)), act("form", after(hours=-2), "f2", title="Pricing"))
    assert found["started_at"] == after(hours=-2)


def test_the_first_human_act_at_or_after_the_start_stops_the_clock():
    (found,) = handoff(
        call(after(seconds=-1), "early"), call(after(hours=3), "late"), call(START, "at once")
    )
    assert (found["touched_at"], found["evidence_id"]) == (START, "at once")


def test_of_acts_at_one_time_the_smaller_id_is_the_evidence():
    (found,) = handoff(call(after(hours=1), "b"), call(after(hours=1), "a"))
    assert found["evidence_id"] == "a"


@pytest.mark.parametrize(
    "fields",
    [
        {"direction": "inbound"},
        {"direction": None},
        {"is_automatic": True},
        {"is_done": False},
        {"activity": "task"},
        {"activity": "form"},
        {"activity": "click"},
        {"at": NOW + timedelta(seconds=1)},
    ],
)
def test_nothing_but_a_listed_human_act_stops_the_clock(fields):
    (found,) = handoff(call(after(hours=1)) | fields)
    assert pd.isna(found["touched_at"])


def test_a_meeting_counts_when_it_is_booked_not_when_it_is_held():
    booked = act("meeting", NOW + timedelta(days=9), is_done=False) | {"created_at": after(hours=2)}
    (found,) = handoff(booked)
    assert found["touched_at"] == after(hours=2)


def test_an_act_on_any_record_of_the_person_counts():
    (found,) = handoff(
        call(after(hours=1), system="salesforce", person_kind="lead", person_record_id=LEAD)
    )
    assert found["touched_at"] == after(hours=1)


def test_an_act_on_somebody_else_does_not_count():
    (found,) = handoff(call(after(hours=1), person_record_id="2"))
    assert pd.isna(found["touched_at"])


def test_each_cycle_has_its_own_clock():
    first, second = handoff(
        call(after(hours=1)),
        call(after(days=9, hours=2), "e2"),
        cycles=(
            {"mql_at": START, "ended_at": after(days=5)},
            {"cycle": 2, "mql_at": after(days=9)},
        ),
    )
    assert (first["cycle"], first["evidence_id"]) == (1, "e1")
    assert (second["cycle"], second["evidence_id"]) == (2, "e2")


def test_two_contacts_of_one_person_in_the_same_cycle_are_one_handoff():
    cycles = (
        {"mql_at": START, "ended_at": after(days=5)},
        {"record_id": "2", "mql_at": after(days=3)},
        {"record_id": "3", "mql_at": after(days=4), "ended_at": after(days=6)},
    )
    known = (("contact", "1"), ("contact", "2"), ("contact", "3"), ("lead", LEAD))
    found = handoff(cycles=cycles, known=known)
    assert [(row["cycle"], row["started_at"]) for row in found] == [(1, START)]


def test_a_second_contact_after_the_recycle_is_a_second_handoff():
    cycles = (
        {"mql_at": START, "ended_at": after(days=5)},
        {"record_id": "2", "mql_at": after(days=5)},
    )
    found = handoff(cycles=cycles, known=(("contact", "1"), ("contact", "2"), ("lead", LEAD)))
    assert [row["cycle"] for row in found] == [1, 2]


def test_an_excluded_contact_is_no_handoff():
    rule = Exclusion(name="internal", email_domains=("X.test",))
    assert handoff(exclusions=[rule]) == []
    assert len(handoff(exclusions=[Exclusion(name="other", email_domains=("test",))])) == 1


def test_an_mql_of_the_future_is_no_handoff_yet():
    assert handoff(now=after(seconds=-1)) == []


def test_the_clock_runs_in_the_owner_s_zone_else_in_the_company_s():
    assert handoff()[0]["zone"] == "Europe/Berlin"
    assert handoff(lead={"owner_id": QUEUE})[0]["zone"] == "America/New_York"
    assert handoff(known=[("contact", "1")])[0]["zone"] == "America/New_York"


def test_a_person_who_is_not_in_salesforce_has_a_clock_but_no_record():
    (found,) = handoff(known=[("contact", "1")])
    assert pd.isna(found["record_id"])
    assert pd.isna(found["seen_at"])


# Lags


def owner_change(owner_id, at):
    return {
        "system": "salesforce",
        "kind": "lead",
        "record_id": LEAD,
        "field": "owner",
        "value": owner_id,
        "changed_at": at,
    }


def test_seen_and_assigned_are_kept_apart():
    (found,) = handoff(
        lead={"created_at": after(minutes=10)},
        changes=[owner_change(QUEUE, after(minutes=10)), owner_change(REP, after(minutes=40))],
    )
    assert found["seen_at"] == after(minutes=10)
    assert found["assigned_at"] == after(minutes=40)


def test_nobody_owns_a_lead_in_a_queue_or_with_a_machine():
    for owner_id in (QUEUE, ROBOT):
        (found,) = handoff(lead={"owner_id": owner_id})
        assert pd.isna(found["assigned_at"])


def test_a_person_known_and_owned_before_the_start_has_no_lag():
    (found,) = handoff()
    assert (found["seen_at"], found["assigned_at"]) == (START, START)


# Answers


def status_change(value, at):
    return owner_change(value, at) | {"field": "status"}


@pytest.mark.parametrize(
    ("lead", "answer", "reason"),
    [
        ({"status": "Open - Not Contacted"}, None, None),
        ({"status": "Working - Contacted"}, "accepted", None),
        ({"status": "Unqualified", "reject_reason": "no budget"}, "rejected", "no budget"),
        ({"status": "Unqualified"}, "rejected", None),
        ({"status": "Unqualified", "converted_to": CONTACT}, "accepted", None),
    ],
)
def test_the_lead_s_status_is_sales_answer(lead, answer, reason):
    (found,) = handoff(lead=lead)
    assert (found["answer"] if not pd.isna(found["answer"]) else None) == answer
    assert (found["answer_reason"] if not pd.isna(found["answer_reason"]) else None) == reason


def test_each_cycle_has_the_answer_that_was_given_in_it():
    first, second = handoff(
        cycles=(
            {"mql_at": START, "ended_at": after(days=5)},
            {"cycle": 2, "mql_at": after(days=9)},
        ),
        lead={"status": "Open - Not Contacted"},
        changes=[
            status_change("Unqualified", after(days=2)),
            status_change("Open - Not Contacted", after(days=6)),
        ],
    )
    assert first["answer"] == "rejected"
    assert pd.isna(second["answer"])


def test_an_answer_from_before_the_start_answers_nothing():
    first, second = handoff(
        cycles=(
            {"mql_at": START, "ended_at": after(days=5)},
            {"cycle": 2, "mql_at": after(days=9)},
        ),
        lead={"status": "Unqualified", "reject_reason": "no budget"},
        changes=[
            status_change("Open - Not Contacted", after(days=-9)),
            status_change("Unqualified", after(days=2)),
        ],
    )
    assert first["answer"] == "rejected"
    assert pd.isna(second["answer"])


# Laws


@st.composite
def histories(draw):
    values = st.sampled_from([MQL, "lead", "subscriber", "customer", None])
    days = draw(st.lists(st.tuples(values, st.integers(0, 40)), max_size=12))
    return [stage(value, after(days=day, minutes=at)) for at, (value, day) in enumerate(days)]


@settings(max_examples=25)
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_and_cycles_alternate(stages, chance):
    shuffled = list(stages)
    chance.shuffle(shuffled)
    found = mqls(*stages)
    assert found == mqls(*shuffled)
    moments = [at for _, _, at in found]
    assert moments == sorted(moments)
    recycles = sorted(one["changed_at"] for one in stages if one["value"] in ("lead", "subscriber"))
    for earlier, later in pairwise(moments):
        assert any(earlier < recycle <= later for recycle in recycles)
