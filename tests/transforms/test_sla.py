"""Clocks: due times, how each stands, and figures that keep the never touched in."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreement.policy import load_agreement
from tests import builders
from transforms.sla import clock_figures, sla_figures, sla_status, waiting_curve

AGREEMENT = load_agreement()
MONDAY_NINE = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)  # 09:00 in New York
HOT_DUE = MONDAY_NINE + timedelta(hours=1)
SECOND = timedelta(seconds=1)


def status(
    *rows,
    now=MONDAY_NINE + timedelta(days=1),
    calendar=AGREEMENT.calendar,
    segments=(),
    pauses=(),
    users=(),
    absences=(),
):
    """Read clocks; a handoff without segments of its own has one owner in its own zone."""
    default = {"handoff_id": "h1", "tier": "hot", "started_at": MONDAY_NINE}
    frame = builders.handoffs(*(default | row for row in rows))
    owned = {segment["handoff_id"] for segment in segments}
    whole = [
        {
            "handoff_id": row["handoff_id"],
            "owner_id": row["owner_id"],
            "zone": row["zone"],
            "starts_at": row["started_at"],
            "ends_at": max(row["started_at"], pd.Timestamp(now)),
        }
        for row in frame.to_dict("records")
        if row["handoff_id"] not in owned
    ]
    return sla_status(
        frame,
        builders.clock_segments(*segments, *whole),
        builders.clock_pauses(*pauses),
        builders.users(*users),
        builders.absences(*absences),
        AGREEMENT.handoff,
        calendar,
        now,
    )


def one(now=MONDAY_NINE + timedelta(days=1), **row):
    return status(row, now=now).to_dict("records")[0]


def test_an_answer_at_the_due_time_is_on_time():
    found = one(touched_at=HOT_DUE)
    assert (found["status"], found["due_at"], found["is_breached"]) == ("on_time", HOT_DUE, False)


def test_an_answer_a_second_after_the_due_time_is_late():
    found = one(touched_at=HOT_DUE + SECOND)
    assert (found["status"], found["is_breached"]) == ("late", True)


@pytest.mark.parametrize(("late_by", "stands"), [(0, "waiting"), (1, "late")])
def test_an_unanswered_handoff_is_late_once_its_due_time_has_passed(late_by, stands):
    assert one(now=HOT_DUE + late_by * SECOND)["status"] == stands


def test_nights_weekends_and_holidays_do_not_count():
    friday_half_past_five = datetime(2026, 7, 2, 21, 30, tzinfo=UTC)  # 3 July is observed
    found = one(
        started_at=friday_half_past_five,
        touched_at=datetime(2026, 7, 6, 12, 30, tzinfo=UTC),
        now=datetime(2026, 7, 7, tzinfo=UTC),
    )
    assert found["due_at"] == datetime(2026, 7, 6, 12, 30, tzinfo=UTC)
    assert found["status"] == "on_time"
    assert found["working_seconds"] == 3600
    assert found["clock_seconds"] == (3 * 24 + 15) * 3600


def test_each_clock_runs_in_its_own_zone_across_summer_time():
    found = status(
        {"handoff_id": "us", "tier": "mql", "zone": "America/New_York"},
        {"handoff_id": "in", "tier": "mql", "zone": "Asia/Kolkata"},
        now=MONDAY_NINE + timedelta(days=9),
    )
    # New York: 9 h on Monday, 10 h on Tuesday, 5 h on Wednesday. Kolkata has closed for the day.
    assert found["due_at"].tolist() == [
        datetime(2026, 3, 4, 18, 0, tzinfo=UTC),
        datetime(2026, 3, 5, 6, 30, tzinfo=UTC),
    ]


def test_a_calendar_that_never_opens_makes_nothing_late():
    closed = AGREEMENT.calendar.model_copy(update={"week": {}})
    found = status({}, calendar=closed)
    assert found["due_at"].isna().all()
    assert found["status"].tolist() == ["waiting"]


def test_no_handoffs_are_no_clocks():
    figures = sla_figures(status())
    assert figures["count"] == 0
    assert figures["share_within_limit_ppm"] == 0
    assert figures["median_working_seconds"] is None


# Owners, pauses, relief, answers and causes

REP, LEFT, OTHER = "005000000000001AAA", "005000000000002AAA", "005000000000003AAA"
HOUR = timedelta(hours=1)


def segment(start, end, zone, owner_id=REP, **fields):
    return {
        "handoff_id": "h1",
        "owner_id": owner_id,
        "zone": zone,
        "starts_at": MONDAY_NINE + start,
        "ends_at": MONDAY_NINE + end,
    } | fields


def test_a_clock_that_changes_hands_runs_in_the_hours_of_each_owner_in_turn():
    """09:00 in New York is 15:00 in Berlin: an hour runs there, and 23 the next days here."""
    berlin = segment(timedelta(0), HOUR, "Europe/Berlin")
    new_york = segment(HOUR, timedelta(days=9), "America/New_York", OTHER)
    found = status(
        {"tier": "mql"}, segments=[berlin, new_york], now=MONDAY_NINE + timedelta(days=9)
    )
    # New York: 8 h on Monday, 10 h on Tuesday, 5 h on Wednesday.
    assert found["due_at"].tolist() == [datetime(2026, 3, 4, 18, 0, tzinfo=UTC)]


def test_an_hour_in_which_the_owner_s_office_is_closed_does_not_run():
    tokyo = segment(timedelta(0), HOUR, "Asia/Tokyo")
    new_york = segment(HOUR, timedelta(days=1), "America/New_York")
    found = status({}, segments=[tokyo, new_york])
    assert found["due_at"].tolist() == [HOT_DUE + HOUR]


def test_a_pause_moves_the_due_time_and_counts_nothing():
    pause = {
        "handoff_id": "h1",
        "reason": "the buyer asked",
        "starts_at": MONDAY_NINE + HOUR / 2,
        "ends_at": MONDAY_NINE + 3 * HOUR,
    }
    found = status({"touched_at": MONDAY_NINE + 3 * HOUR + HOUR / 2}, pauses=[pause])
    assert found["due_at"].tolist() == [HOT_DUE + 2.5 * HOUR]
    assert found["working_seconds"].tolist() == [3600]
    assert found["status"].tolist() == ["on_time"]


def test_the_three_lags_are_told_in_working_time():
    found = status(
        {
            "seen_at": MONDAY_NINE + HOUR / 4,
            "assigned_at": MONDAY_NINE + timedelta(hours=10),
            "touched_at": MONDAY_NINE + timedelta(hours=24),
        },
        now=MONDAY_NINE + timedelta(days=2),
    )
    assert found["seen_seconds"].tolist() == [900]
    assert found["assigned_seconds"].tolist() == [9 * 3600]
    assert found["working_seconds"].tolist() == [10 * 3600]
    assert status({})["seen_seconds"].isna().all()


def test_a_relieved_handoff_has_no_clock():
    found = status({"relief": "below_criteria", "has_lead": True}).to_dict("records")[0]
    assert (found["status"], found["is_breached"]) == ("relieved", False)
    assert pd.isna(found["due_at"])
    assert pd.isna(found["cause"])
    assert pd.isna(found["answer_status"])


SEEN = {"seen_at": MONDAY_NINE, "assigned_at": MONDAY_NINE, "owner_id": REP}
TOUCHED_LATE = {"touched_at": HOT_DUE + HOUR}


def cause(*, segments=(), users=({"user_id": REP},), absences=(), **row):
    found = status(SEEN | row, segments=segments, users=users, absences=absences)
    value = found["cause"].iloc[0]
    return None if pd.isna(value) else value


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"seen_at": None, "assigned_at": None}, "not_seen"),
        ({"seen_at": HOT_DUE + SECOND, "assigned_at": None}, "not_seen"),
        ({"seen_at": HOT_DUE, "assigned_at": HOT_DUE + SECOND}, "not_assigned"),
        ({"assigned_at": None}, "not_assigned"),
        ({"answer": "rejected", "answer_fault": "rejected_without_reason"},
         "rejected_without_reason"),
        ({"answer": "rejected", "answer_fault": "too_few_attempts"}, "too_few_attempts"),
        ({}, "never_touched"),
        (TOUCHED_LATE, "touched_late"),
        ({"touched_at": HOT_DUE}, None),
    ],
)  # fmt: skip
def test_the_first_link_of_the_chain_that_broke_is_the_cause(row, expected):
    assert cause(**row) == expected


def test_an_owner_who_left_is_the_cause_before_anything_that_owner_did_not_do():
    users = [{"user_id": REP, "is_active": False}]
    assert cause(users=users, **TOUCHED_LATE) == "owner_inactive"
    assert cause(users=users, assigned_at=None) == "not_assigned"


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [(-HOUR, HOUR, "never_touched"), (-HOUR, HOUR + SECOND, "owner_absent"),
     (HOUR, 2 * HOUR, "owner_absent"), (HOUR + SECOND, 2 * HOUR, "never_touched")],
)  # fmt: skip
def test_an_owner_is_absent_when_out_of_office_at_the_due_time(starts, ends, expected):
    away = {"user_id": REP, "starts_at": MONDAY_NINE + starts, "ends_at": MONDAY_NINE + ends}
    assert cause(absences=[away]) == expected
    assert cause(absences=[away | {"user_id": OTHER}]) == "never_touched"


@pytest.mark.parametrize(
    ("minutes", "expected"), [(29, "never_touched"), (30, "reassigned_late"), (61, "never_touched")]
)
def test_a_new_owner_after_half_of_the_limit_and_before_its_end_is_not_to_blame(minutes, expected):
    turn = timedelta(minutes=minutes)
    zone = "America/New_York"
    segments = [
        segment(timedelta(0), turn, zone),
        segment(turn, timedelta(days=1), zone, OTHER),
    ]
    assert cause(segments=segments) == expected
    from_queue = [segments[0] | {"is_person": False}, segments[1]]
    assert cause(segments=from_queue) == "never_touched"


ANSWER_DUE = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)  # 24 working hours after Monday, nine


@pytest.mark.parametrize(
    ("row", "now", "answer_status", "expected"),
    [
        ({}, ANSWER_DUE, "waiting", None),
        ({}, ANSWER_DUE + SECOND, "silent", "never_answered"),
        ({"answer": "accepted", "answered_at": ANSWER_DUE}, None, "in_time", None),
        ({"answer": "accepted", "answered_at": ANSWER_DUE + SECOND}, None, "late",
         "answered_late"),
        ({"answer": "accepted"}, None, "undated", None),
        ({"answer": "rejected", "answered_at": HOT_DUE,
          "answer_fault": "rejected_without_reason"}, None, "not_worked",
         "rejected_without_reason"),
    ],
)  # fmt: skip
def test_silence_past_its_limit_is_a_miss_even_after_a_touch_in_time(
    row, now, answer_status, expected
):
    found = status(
        SEEN | {"touched_at": HOT_DUE, "has_lead": True} | row,
        now=now or ANSWER_DUE + timedelta(days=3),
        users=[{"user_id": REP}],
    ).to_dict("records")[0]
    assert found["status"] == "on_time"
    assert found["answer_status"] == answer_status
    assert (None if pd.isna(found["cause"]) else found["cause"]) == expected


def test_without_a_lead_there_is_nothing_to_answer_on():
    found = status({"touched_at": HOT_DUE}, now=ANSWER_DUE + timedelta(days=9))
    assert found["answer_status"].isna().all()
    assert found["answer_due_at"].isna().all()


# Figures


def figures(*clocks):
    """Give the figures of clocks given as (working seconds, how it stands)."""
    rows = [
        {
            "handoff_id": f"h{number}",
            "working_seconds": seconds,
            "status": stands,
            "touched_at": None if stands == "waiting" else MONDAY_NINE,
        }
        for number, (seconds, stands) in enumerate(clocks)
    ]
    return sla_figures(builders.handoff_status(*rows))


def test_the_never_touched_stay_in_the_share_within_the_limit():
    found = figures((1, "on_time"), (2, "on_time"), (9, "late"), (5, "waiting"))
    assert found["share_within_limit_ppm"] == 500_000
    assert found["never_touched"] == 1


def test_without_waiting_clocks_the_median_is_the_plain_one():
    found = figures((1, "on_time"), (2, "on_time"), (3, "late"), (10, "late"))
    assert found["median_working_seconds"] == 2
    assert found["p90_working_seconds"] == 10


def test_a_waiting_clock_moves_the_median_up():
    """By hand: 3/4 wait after 1, 3/4 x 1/2 after 6."""
    found = figures((1, "on_time"), (2, "waiting"), (6, "late"), (9, "late"))
    assert found["median_working_seconds"] == 6


def test_when_fewer_than_half_were_touched_the_median_is_never_invented():
    found = figures((1, "on_time"), (1, "waiting"), (1, "waiting"), (8, "late"), (2, "waiting"))
    assert found["median_working_seconds"] is None
    assert found["longest_working_seconds"] == 8


def test_a_quantile_that_is_never_reached_is_not_shown():
    found = figures((1, "on_time"), (2, "on_time"), (3, "waiting"))
    assert found["median_working_seconds"] == 2
    assert found["p90_working_seconds"] is None


def test_each_tier_has_its_own_figures():
    frame = builders.handoff_status(
        {"handoff_id": "a", "tier": "hot", "status": "late"}, {"handoff_id": "b", "tier": "mql"}
    )
    assert {tier: row["late"] for tier, row in sla_figures(frame)["tiers"].items()} == {
        "hot": 1,
        "mql": 0,
    }


def test_relieved_handoffs_are_in_no_figure_and_causes_are_counted():
    frame = builders.handoff_status(
        {"handoff_id": "a", "status": "late", "cause": "not_seen"},
        {"handoff_id": "b", "status": "relieved", "relief": "below_criteria"},
    )
    found = sla_figures(frame)
    assert (found["count"], found["causes"]) == (1, {"not_seen": 1})
    assert found["relieved"] == {"below_criteria": 1}


def test_figures_stand_by_tier_source_team_and_week():
    sunday_night = datetime(2026, 3, 2, 4, 59, tzinfo=UTC)  # 23:59 in New York
    frame = builders.handoff_status(
        {"handoff_id": "a", "tier": "hot", "source": "PAID", "team": "East", "status": "on_time",
         "touched_at": MONDAY_NINE, "working_seconds": 5, "seen_at": MONDAY_NINE,
         "seen_seconds": 2},
        {"handoff_id": "b", "started_at": sunday_night, "status": "late", "working_seconds": 9},
        {"handoff_id": "c", "relief": "below_criteria", "status": "relieved"},
    )  # fmt: skip
    found = clock_figures(frame, "America/New_York")
    groups = list(zip(found["dimension"], found["name"], found["count"], strict=True))
    assert groups == [
        ("all", "all", 2),
        ("tier", "hot", 1),
        ("tier", "mql", 1),
        ("source", "PAID", 1),
        ("source", "none", 1),
        ("team", "East", 1),
        ("team", "none", 1),
        ("week", "2026-02-23", 1),
        ("week", "2026-03-02", 1),
    ]
    whole = found.to_dict("records")[0]
    assert whole["share_within_limit_ppm"] == 500_000
    assert (whole["median_working_seconds"], whole["seen_median_seconds"]) == (5, 2)
    assert pd.isna(whole["assigned_median_seconds"])


def test_no_clocks_give_no_figures():
    assert clock_figures(builders.handoff_status(), "UTC").empty


clocks = st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=40)


def slow_curve(rows):
    """Estimate the same, one distinct time after the other."""
    share, found = 1.0, {}
    for time in sorted({seconds for seconds, is_touched in rows if is_touched}):
        at_risk = sum(seconds >= time for seconds, _ in rows)
        touches = sum(seconds == time and is_touched for seconds, is_touched in rows)
        share *= 1 - touches / at_risk
        found[time] = share
    return found


@given(clocks)
def test_the_curve_is_the_textbook_s_and_never_rises(rows):
    seconds, is_touched = (pd.Series(column) for column in zip(*rows, strict=True))
    curve = waiting_curve(seconds, is_touched)
    assert curve.to_dict() == pytest.approx(slow_curve(rows))
    assert curve.is_monotonic_decreasing
    assert curve.between(0, 1).all()


def exact_figures(rows):
    """Read median and 90th percentile off the same curve in whole fractions, by the definition."""
    share, reached = Fraction(1), {}
    for time in sorted({seconds for seconds, is_touched in rows if is_touched}):
        at_risk = sum(seconds >= time for seconds, _ in rows)
        touches = sum(seconds == time and is_touched for seconds, is_touched in rows)
        share *= 1 - Fraction(touches, at_risk)
        for name, left in (("median", Fraction(1, 2)), ("p90", Fraction(1, 10))):
            if share <= left:
                reached.setdefault(name, time)
    is_half = 2 * sum(is_touched for _, is_touched in rows) >= len(rows)
    return reached.get("median") if is_half else None, reached.get("p90")


@given(clocks)
@settings(max_examples=60)
def test_the_median_and_the_90th_percentile_are_exactly_the_curve_s(rows):
    limit = 10
    stood = [
        "waiting" if not is_touched else "on_time" if seconds <= limit else "late"
        for seconds, is_touched in rows
    ]
    found = figures(*zip((seconds for seconds, _ in rows), stood, strict=True))
    assert (found["median_working_seconds"], found["p90_working_seconds"]) == exact_figures(rows)
    assert found["share_within_limit_ppm"] == stood.count("on_time") * 1_000_000 // len(rows)
