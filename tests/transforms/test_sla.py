"""Clocks: due times, how each stands, and figures that keep the never touched in."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.policy import load_agreement
from tests import builders
from transforms.sla import sla_figures, sla_status, waiting_curve

AGREEMENT = load_agreement()
MONDAY_NINE = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)  # 09:00 in New York
HOT_DUE = MONDAY_NINE + timedelta(hours=1)
SECOND = timedelta(seconds=1)


def status(*rows, now=MONDAY_NINE + timedelta(days=1), calendar=AGREEMENT.calendar):
    default = {"handoff_id": "h1", "tier": "hot", "started_at": MONDAY_NINE}
    frame = builders.handoffs(*(default | row for row in rows))
    return sla_status(frame, AGREEMENT.handoff.tiers, calendar, now)


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
