"""Marketing's promises, per period, with sales' misses taken off marketing's account."""

from datetime import UTC, datetime, timedelta

import pytest

from agreement.policy import (
    Completeness,
    MarketingPromises,
    Renurture,
    load_agreement,
)
from tests import builders
from transforms.promises import promises

CALENDAR = load_agreement().calendar
APRIL = datetime(2026, 4, 15, 12, tzinfo=UTC)
AFTER = datetime(2026, 8, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def kept(rules, *rows, people=({"record_id": "1"},), now=AFTER):
    """Give (promise, period, actual, counted, kept) per row, from handoffs given as dicts."""
    named = [
        {"handoff_id": f"h{at}", "contact_id": "1", "started_at": APRIL} | row
        for at, row in enumerate(rows)
    ]
    handoffs = builders.handoffs(
        *({key: value for key, value in row.items() if key not in {"answer_status", "is_breached"}}
          for row in named)
    )  # fmt: skip
    shared = {"handoff_id", "answer_status", "is_breached"}
    status = builders.handoff_status(
        *({key: value for key, value in row.items() if key in shared} for row in named)
    )
    found = promises(handoffs, status, builders.people(*people), rules, CALENDAR, now)
    columns = ["promise", "period", "actual", "counted", "is_kept"]
    plain = found[columns].astype(object).where(found[columns].notna(), None)
    return [tuple(row) for row in plain.to_numpy().tolist()]


def test_the_volume_counts_handoffs_that_carry_a_clock():
    rules = MarketingPromises(mqls=2)
    assert kept(rules, {}, {}, {"relief": "below_criteria"}) == [("volume", "2026-Q2", 2, 2, True)]
    assert kept(rules, {}, {"relief": "recycled_too_soon"}) == [("volume", "2026-Q2", 1, 1, False)]


def test_a_running_period_is_judged_by_its_pace():
    """On 15 April 15 of 91 days have begun: 2 handoffs are on the way to 12."""
    rules = MarketingPromises(mqls=12)
    assert kept(rules, {}, {}, now=APRIL) == [("volume", "2026-Q2", 2, 2, True)]
    assert kept(rules, {}, {}, now=APRIL + DAY) == [("volume", "2026-Q2", 2, 2, False)]


def test_periods_are_of_the_agreement_s_zone():
    midnight = datetime(2026, 7, 1, 3, 59, tzinfo=UTC)  # 23:59 of 30 June in New York
    rows = [{"started_at": midnight}, {"started_at": midnight + timedelta(minutes=1)}]
    assert [one[1] for one in kept(MarketingPromises(mqls=1), *rows)] == ["2026-Q2", "2026-Q3"]


def test_acceptance_leaves_out_what_sales_missed():
    rules = MarketingPromises(acceptance="0.5")
    accepted = {"answer": "accepted", "answer_status": "in_time"}
    rejected = {"answer": "rejected", "answer_status": "in_time"}
    assert kept(rules, accepted, rejected) == [("acceptance", "2026-Q2", 500_000, 2, True)]
    missed = [
        rejected | {"answer_status": "late"},
        rejected | {"answer_status": "not_worked"},
        rejected | {"is_breached": True},
        {"answer_status": "silent"},
        rejected | {"relief": "below_criteria"},
    ]
    assert kept(rules, accepted, rejected, *missed) == kept(rules, accepted, rejected)
    assert kept(rules, accepted, rejected, rejected)[0][2:] == (333_333, 3, False)


def test_nothing_answered_is_neither_kept_nor_broken():
    assert kept(MarketingPromises(acceptance="0.5"), {}) == [
        ("acceptance", "2026-Q2", None, 0, None)
    ]


def test_completeness_wants_every_field_filled():
    rules = MarketingPromises(completeness=Completeness(fields=("email", "company"), share="0.6"))
    people = [
        {"record_id": "1", "email": "a@x.test", "company": "Acme"},
        {"record_id": "2", "email": "b@x.test", "company": " "},
        {"record_id": "3", "company": "Acme"},
    ]
    rows = [{"contact_id": name} for name in ("1", "2", "3")]
    assert kept(rules, *rows, people=people) == [("completeness", "2026-Q2", 333_333, 3, False)]


@pytest.mark.parametrize(("others", "is_kept"), [(1, True), (0, False)])
def test_a_source_has_at_most_its_share(others, is_kept):
    rules = MarketingPromises(most_of_source={"OFFLINE": "0.5"})
    rows = [{"source": "OFFLINE"}, *[{"source": "PAID"}] * others]
    ((promise, _, _, counted, found),) = kept(rules, *rows)
    assert (promise, counted, found) == ("source OFFLINE", 1 + others, is_kept)


def test_a_rejected_person_is_to_be_back_in_nurture_in_time():
    rules = MarketingPromises(recycled=Renurture(within="2d", share="1"))
    no = {"answer": "rejected", "answered_at": APRIL}
    assert kept(rules, no | {"ended_at": APRIL + 2 * DAY})[0][2:] == (1_000_000, 1, True)
    late = APRIL + 2 * DAY + timedelta(seconds=1)
    assert kept(rules, no | {"ended_at": late})[0][2:] == (0, 1, False)
    assert kept(rules, no)[0][2:] == (0, 1, False)
    assert kept(rules, no, now=APRIL + 2 * DAY)[0][3] == 0, "the time is not over yet"
    assert kept(rules, {"answer": "accepted", "answered_at": APRIL})[0][3] == 0


def test_what_is_not_promised_is_not_shown():
    assert kept(MarketingPromises(), {}) == []
    assert kept(MarketingPromises(mqls=5)) == []
