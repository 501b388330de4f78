"""The end of a history and the current value: equal, or one of two reads missed something."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from agreement.frames import as_text, as_utc
from transforms.drift import history_drift

NOON = pd.Timestamp("2026-11-02T12:00:00Z")


def current(*rows):
    """Give records of (id, value) or (id, value, modified hours after noon, is_deleted)."""
    full = [(*row, 9, False)[:4] if len(row) < 4 else row for row in rows]
    ids, values, hours, deleted = zip(*full, strict=True) if full else ([], [], [], [])
    return pd.DataFrame(
        {
            "record_id": as_text(ids),
            "modified_at": as_utc([NOON + pd.Timedelta(hours=one) for one in hours]),
            "is_deleted": pd.Series(deleted, dtype=bool),
            "value": as_text(values),
        }
    )


def history(*rows):
    """Give dated values of (id, value, hours after noon)."""
    ids, values, hours = zip(*rows, strict=True) if rows else ([], [], [])
    return pd.DataFrame(
        {
            "record_id": as_text(ids),
            "changed_at": as_utc([NOON + pd.Timedelta(hours=one) for one in hours]),
            "value": as_text(values),
        }
    )


def test_a_history_that_ends_at_the_current_value_is_no_drift():
    assert history_drift(current(("1", "won")), history(("1", "new", 0), ("1", "won", 1))) == []


def test_a_history_that_ends_elsewhere_is_drift():
    held = current(("2", "lost"), ("1", "won"), ("3", None))
    told = history(("1", "new", 0), ("2", "won", 1), ("3", "won", 1))
    assert history_drift(held, told) == ["1", "2", "3"]


def test_missing_equals_missing():
    assert history_drift(current(("1", None)), history(("1", "a", 0), ("1", None, 1))) == []


def test_of_values_with_one_latest_time_any_may_be_the_current_one():
    told = history(("1", "a", 1), ("1", "b", 1))
    assert history_drift(current(("1", "a")), told) == []
    assert history_drift(current(("1", "c")), told) == ["1"]


def test_a_history_that_goes_on_after_the_state_we_hold_waits_for_the_next_night():
    assert history_drift(current(("1", "a", 1, False)), history(("1", "b", 2))) == []
    assert history_drift(current(("1", "a", 2, False)), history(("1", "b", 2))) == ["1"]


def test_deleted_records_and_records_without_a_history_are_left_out():
    assert history_drift(current(("1", "a", 9, True), ("2", "b")), history(("1", "x", 0))) == []


def test_no_rows_are_no_drift():
    assert history_drift(current(), history()) == []
    assert history_drift(current(("1", "a")), history()) == []


values = st.sampled_from(["a", "b", None])
entries = st.lists(st.tuples(st.sampled_from("123"), values, st.integers(0, 5)), max_size=12)


@given(entries, st.fixed_dictionaries(dict.fromkeys("123", values)), st.randoms())
def test_it_says_what_reading_each_history_by_hand_says(told, held, random):
    expected = []
    for own, value in held.items():
        dated = [(at, each) for record, each, at in told if record == own]
        last = max((at for at, _ in dated), default=None)
        if dated and value not in {each for at, each in dated if at == last}:
            expected.append(own)
    random.shuffle(told)
    assert history_drift(current(*held.items()), history(*told)) == sorted(expected)
