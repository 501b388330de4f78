"""What open deals are expected to bring, by month, from how deals of their stage ended."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import builders
from transforms.forecast import forecast, stage_rates

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
STAGES = ("Qualification", "Proposal")

ONE = st.tuples(
    st.sampled_from(["won", "lost", "open"]),
    st.sampled_from(STAGES),
    st.integers(0, 10**9),
    st.sampled_from(["2026-09-30", "2026-11-20", "2026-12-31", "2027-02-01", "2028-01-01", None]),
)


def foreseen(cases):
    deals = [
        {
            "deal_id": f"d{number}",
            "record_id": f"006{number}",
            "state": state,
            "company_minor": minor,
            "amount_minor": minor,
            "closed_on": closed_on,
        }
        for number, (state, _, minor, closed_on) in enumerate(cases)
    ]
    records = [
        {"record_id": f"006{number}", "stage": stage}
        for number, (_, stage, _, _) in enumerate(cases)
    ]
    changes = [
        {
            "system": "salesforce",
            "kind": "opportunity",
            "field": "stage",
            "record_id": f"006{number}",
            "value": stage,
            "changed_at": "2026-10-01T12:00Z",
        }
        for number, (_, stage, _, _) in enumerate(cases)
    ]
    frames = builders.deals(*deals), builders.stage_changes(*changes)
    found = forecast(frames[0], builders.deal_records(*records), frames[1], NOW, "America/New_York")
    return found, stage_rates(*frames)


@given(st.lists(ONE, max_size=12))
def test_every_open_deal_is_in_one_month_and_every_expectation_in_its_range(cases):
    found, _ = foreseen(cases)
    if all(state == "open" for state, *_ in cases):
        assert found.months == found.rates == ()
        return
    assert sum(month.open_count for month in found.months) == sum(
        state == "open" for state, *_ in cases
    )
    assert sum(month.open_minor for month in found.months) == sum(
        minor for state, _, minor, _ in cases if state == "open"
    )
    for month in found.months:
        assert month.won_minor <= month.low_minor <= month.expected_minor <= month.high_minor
        assert month.high_minor <= month.won_minor + month.open_minor


@settings(max_examples=30)
@given(st.lists(ONE, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_expectation(cases, dice):
    shuffled = dice.sample(cases, len(cases))
    assert foreseen(cases)[0].months == pytest.approx(foreseen(shuffled)[0].months)


def test_a_rate_is_that_of_the_deals_that_ever_stood_in_the_stage():
    cases = [("won", "Proposal", 1, None)] * 3 + [("lost", "Proposal", 1, None)]
    _, (whole, proposal) = foreseen([*cases, ("open", "Proposal", 100, "2026-12-01")])
    assert (proposal.stage, proposal.won_count, proposal.ended_count) == ("Proposal", 3, 4)
    assert proposal.share_ppm == 700_000  # (3 + 1/2) / (4 + 1)
    assert (whole.stage, whole.ended_count) == (None, 4)


def test_an_overdue_deal_counts_in_the_running_month_and_a_far_one_later():
    ended = ("won", "Proposal", 1, "2026-01-01")
    found, _ = foreseen([
        ended, ("open", "Proposal", 100, "2026-09-30"), ("open", "Proposal", 7, "2028-01-01")
    ])  # fmt: skip
    counts = {month.month: month.open_minor for month in found.months if month.open_minor}
    assert counts == {"2026-11": 100, "later": 7}
