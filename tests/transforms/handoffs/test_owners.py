"""Whose clock ran when, by the owner history of both CRMs."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreement.policy import Pause, load_agreement
from tests import builders
from transforms.handoffs import clock_pauses, clock_segments

AGREEMENT = load_agreement()
LEAD, CONTACT = "00Q000000000001EAA", "003000000000001AAA"
ANN, BEN, ROBOT, QUEUE = (
    "005000000000001AAA", "005000000000002AAA", "005000000000003AAA", "00G000000000001AAA",
)  # fmt: skip
START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
NOW = START + timedelta(days=9)
USERS = (
    {"user_id": ANN, "zone": "Europe/Berlin", "hubspot_owner_id": "41"},
    {"user_id": BEN, "zone": "Asia/Tokyo", "hubspot_owner_id": "42"},
    {"user_id": ROBOT, "zone": "Asia/Tokyo", "is_human": False},
)
TEAM = AGREEMENT.calendar.zone


def after(hours):
    return START + timedelta(hours=hours)


def change(owner, hours, record_id=LEAD):
    is_theirs = len(record_id) == 18
    return {
        "system": "salesforce" if is_theirs else "hubspot",
        "kind": "lead" if record_id == LEAD else "contact",
        "record_id": record_id,
        "field": "owner",
        "value": owner,
        "changed_at": after(hours),
    }


def segments(*changes, lead=None, contact=None, hubspot=None, start=START, now=NOW):
    """Give the segments of one handoff as (owner, zone, hours from, hours to)."""
    people = [{"record_id": "1", "created_at": after(-99)} | (hubspot or {})]
    for kind, record_id, fields in (("lead", LEAD, lead), ("contact", CONTACT, contact)):
        if fields is not None:
            record = {"system": "salesforce", "kind": kind, "record_id": record_id}
            people.append(record | {"created_at": after(-50)} | fields)
    crosswalk = [
        {"entity_id": "p1", **{name: one[name] for name in ("system", "kind") if name in one},
         "record_id": one["record_id"]}
        for one in people
    ]  # fmt: skip
    handoffs = pd.DataFrame(
        {"handoff_id": ["h1"], "person_id": ["p1"], "contact_id": ["1"], "started_at": [start]}
    ).astype({"started_at": "datetime64[us, UTC]"})
    found = clock_segments(
        handoffs,
        builders.people(*people),
        builders.crosswalk(*crosswalk),
        builders.users(*USERS),
        builders.stage_changes(*changes),
        AGREEMENT.calendar,
        now,
    )
    return [
        (
            None if pd.isna(row["owner_id"]) else row["owner_id"],
            row["zone"],
            (row["starts_at"] - START) / timedelta(hours=1),
            (row["ends_at"] - START) / timedelta(hours=1),
        )
        for row in found.to_dict("records")
    ]


LAST = (NOW - START) / timedelta(hours=1)


def test_one_owner_is_one_segment_from_the_start_to_now():
    assert segments(lead={"owner_id": ANN}) == [(ANN, "Europe/Berlin", 0, LAST)]


def test_without_an_owner_the_team_s_clock_runs():
    assert segments() == [(None, TEAM, 0, LAST)]


def test_each_owner_s_hours_count_from_when_they_took_over():
    found = segments(change(ANN, -5), change(BEN, 3), lead={"owner_id": BEN})
    assert found == [(ANN, "Europe/Berlin", 0, 3), (BEN, "Asia/Tokyo", 3, LAST)]


@pytest.mark.parametrize("nobody", [QUEUE, ROBOT])
def test_a_queue_and_a_machine_are_the_team(nobody):
    found = segments(change(nobody, -5), change(BEN, 3), lead={"owner_id": BEN})
    assert found == [(nobody, TEAM, 0, 3), (BEN, "Asia/Tokyo", 3, LAST)]


def test_hubspot_s_owner_counts_until_salesforce_has_a_record():
    owned = [change("42", -9, "1"), change("41", 1, "1"), change("42", 5, "1")]
    found = segments(*owned, lead={"owner_id": BEN, "created_at": after(2)})
    assert found == [
        (BEN, "Asia/Tokyo", 0, 1),
        (ANN, "Europe/Berlin", 1, 2),
        (BEN, "Asia/Tokyo", 2, LAST),
    ]


def test_a_hubspot_owner_without_a_history_has_always_been_it():
    assert segments(hubspot={"owner_id": "41"}) == [(ANN, "Europe/Berlin", 0, LAST)]


def test_a_hubspot_owner_who_is_no_user_of_salesforce_is_nobody():
    assert segments(hubspot={"owner_id": "99"}) == [(None, TEAM, 0, LAST)]


def test_the_contact_that_a_lead_became_carries_on():
    found = segments(
        change(ANN, -5),
        change(BEN, 8),
        lead={"owner_id": BEN},
        contact={"owner_id": BEN, "created_at": after(4)},
    )
    assert found == [(ANN, "Europe/Berlin", 0, 4), (BEN, "Asia/Tokyo", 4, LAST)]


def test_a_clock_that_starts_now_has_an_empty_segment():
    assert segments(lead={"owner_id": ANN}, now=START) == [(ANN, "Europe/Berlin", 0, 0)]


owners = st.sampled_from([ANN, BEN, QUEUE, ROBOT])
turns = st.lists(st.tuples(owners, st.integers(-40, 300)), max_size=6, unique_by=lambda one: one[1])


@settings(max_examples=12, deadline=None)
@given(turns, st.integers(-60, 260))
def test_segments_cover_the_time_to_now_once_and_neighbours_differ(changes, made):
    """Each hour's owner is the last who took over, told by a plain look at the list."""
    last = max(changes, key=lambda one: one[1], default=(ANN, 0))[0]
    changed = sorted((max(at, made), owner) for owner, at in changes)
    found = segments(
        *(change(owner, at) for owner, at in changes),
        lead={"owner_id": last, "created_at": after(made)},
    )
    assert found[0][2] == 0
    assert found[-1][3] == LAST
    for (owner, _, _, end), (other, _, start, _) in pairwise(found):
        assert end == start
        assert owner != other
    for hour in range(0, int(LAST), 7):
        seen = next(owner for owner, _, start, end in found if start <= hour + 0.5 < end)
        told = [owner for at, owner in changed if at <= hour + 0.5]
        steady = last if not changes and made <= hour + 0.5 else None
        if len({at for at, _ in changed}) == len(changed):
            assert seen == (told[-1] if told else steady)


# Pauses


def pauses(*statuses, now=NOW):
    """Give the pauses of one handoff as (hours from, hours to), statuses as (status, hours)."""
    changes = [change(status, hours) | {"field": "status"} for status, hours in statuses]
    handoffs = pd.DataFrame(
        {"handoff_id": ["h1"], "person_id": ["p1"], "started_at": [START]}
    ).astype({"started_at": "datetime64[us, UTC]"})
    found = clock_pauses(
        handoffs,
        builders.crosswalk(
            {"entity_id": "p1", "system": "salesforce", "kind": "lead", "record_id": LEAD}
        ),
        builders.stage_changes(*changes),
        (Pause(status="On hold", reason="the buyer asked"),),
        now,
    )
    assert set(found["reason"]) <= {"the buyer asked"}
    return [
        ((row["starts_at"] - START) / timedelta(hours=1),
         (row["ends_at"] - START) / timedelta(hours=1))
        for row in found.to_dict("records")
    ]  # fmt: skip


def test_a_listed_status_pauses_from_the_start_on():
    assert pauses(("Open", -9), ("On hold", -2), ("Open", 3), ("On hold", 5), ("Open", 6)) == [
        (0, 3),
        (5, 6),
    ]


def test_a_pause_that_lasts_ends_now():
    assert pauses(("On hold", 5)) == [(5, LAST)]


def test_another_status_and_a_pause_before_the_start_pause_nothing():
    assert pauses(("Nurturing", 1), ("On hold", -9), ("Open", -1)) == []
