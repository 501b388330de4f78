"""Runs, the agreements they used, and what was said to whom."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from agreement.errors import AgreementError
from connectors.store import Store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def start(store: Store, at: datetime = NOON) -> str:
    return store.start_run(as_of=NOON, agreement_version="v1", started_at=at)


def test_a_run_is_named_after_its_start_and_two_in_one_second_differ(store):
    first = start(store)
    store.end_run(first, result="done", summary={}, ended_at=NOON)
    assert (first, start(store)) == ("20261102-120000", "20261102-120000-2")


def test_runs_come_back_the_newest_first_with_their_summary(store):
    first = start(store)
    summary = {"pulled": {"hubspot": {"contact": np.int64(3)}}, "on": date(2026, 11, 2), 5: None}
    store.end_run(first, result="done", summary=summary, ended_at=LATER)
    second = start(store, LATER)
    newest, oldest = store.last_runs()
    assert (newest.run_id, newest.result, newest.ended_at) == (second, None, None)
    assert (oldest.started_at, oldest.ended_at, oldest.as_of) == (NOON, LATER, NOON)
    assert oldest.summary == {"pulled": {"hubspot": {"contact": 3}}, "on": "2026-11-02", "5": None}
    assert [row.run_id for row in store.last_runs(1)] == [second]


def test_a_run_left_open_is_marked_as_crashed_when_the_next_starts(store):
    first, second = start(store), start(store, LATER)
    results = {row.run_id: (row.result, row.ended_at) for row in store.last_runs()}
    assert results == {first: ("crashed", LATER), second: (None, None)}


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(Exception, match="no time zone"):
        start(store, datetime(2026, 11, 2, 12))  # noqa: DTZ001


def keep(store: Store, digest: str = "abc", holidays: tuple[date, ...] = ()) -> None:
    store.keep_agreement(
        version="v1",
        digest=digest,
        effective=date(2026, 1, 1),
        content={"name": "v1", "nested": {"a": [1, None]}},
        holidays=holidays,
    )


def test_the_same_version_with_other_content_is_refused(store):
    keep(store)
    keep(store)
    with pytest.raises(AgreementError, match=r"still called v1.*Raise its version number"):
        keep(store, digest="other")


def test_a_kept_holiday_never_moves_and_later_years_are_added(store):
    keep(store, holidays=(date(2026, 1, 1), date(2026, 12, 25)))
    keep(store, holidays=(date(2026, 6, 1), date(2026, 12, 25), date(2027, 1, 1)))
    assert store.agreement_holidays("v1") == (
        date(2026, 1, 1),
        date(2026, 12, 25),
        date(2027, 1, 1),
    )
    assert store.agreement_holidays("v2") == ()
