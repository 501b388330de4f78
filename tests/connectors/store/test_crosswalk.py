"""The crosswalk and the measures: what stands, saved by difference; ended links are kept."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from agreement.frames import Crosswalk, Touches, as_text, as_utc, empty
from connectors.store import Store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def links(*rows: tuple[str, str], rule="email", since=NOON) -> pd.DataFrame:
    """Build links out of (record id, person id)."""
    if not rows:
        return empty(Crosswalk)
    size = len(rows)
    return Crosswalk.validate(
        pd.DataFrame(
            {
                "entity": as_text(["person"] * size),
                "entity_id": as_text([person for _, person in rows]),
                "system": as_text(["hubspot"] * size),
                "kind": as_text(["contact"] * size),
                "record_id": as_text([record for record, _ in rows]),
                "rule": as_text([rule] * size),
                "score": [0.1 + 0.2] * size,
                "evidence": as_text([""] * size),
                "is_survivor": [True] * size,
                "since": as_utc([since] * size),
                "decided_by": as_text([None] * size),
            }
        )
    )


def every_link(database_url: str) -> list[tuple]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        query = text(
            "SELECT record_id, entity_id, run_id, ended_by, until IS NULL FROM crosswalk"
            " ORDER BY link_id"
        )
        found = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    return [(*row[:4], bool(row[4])) for row in found]


def test_a_new_store_has_no_links(store):
    assert store.crosswalk().empty


def test_links_come_back_as_they_were_saved_in_order(store):
    saved = links(("2", "p1"), ("10", "p2"))
    assert store.save_crosswalk("run-1", saved, at=NOON) == 2
    expected = saved.sort_values("record_id", ignore_index=True)
    pd.testing.assert_frame_equal(store.crosswalk(), expected)


def test_only_differences_are_written_and_ended_links_are_kept(store, database_url):
    store.save_crosswalk("run-1", links(("1", "p1"), ("2", "p1"), ("3", "p3")), at=NOON)
    assert store.save_crosswalk("run-2", links(("1", "p1"), ("2", "p2")), at=LATER) == 2
    assert every_link(database_url) == [
        ("1", "p1", "run-1", None, True),
        ("2", "p1", "run-1", "run-2", False),
        ("3", "p3", "run-1", "run-2", False),
        ("2", "p2", "run-2", None, True),
    ]


def test_a_changed_rule_is_a_difference_and_the_same_links_are_none(store):
    store.save_crosswalk("run-1", links(("1", "p1"), ("2", "p2")), at=NOON)
    assert store.save_crosswalk("run-2", links(("2", "p2"), ("1", "p1")), at=LATER) == 0
    assert store.save_crosswalk("run-3", links(("1", "p1"), ("2", "p2"), rule="id"), at=LATER) == 2


def test_a_record_has_one_standing_link(store):
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        store.save_crosswalk("run-1", links(("1", "p1"), ("1", "p2")), at=NOON)
    assert store.crosswalk().empty


people = st.dictionaries(st.sampled_from("123456"), st.sampled_from(["p1", "p2", "p3"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(people, min_size=1, max_size=4))
def test_whatever_stood_before_the_links_saved_last_stand(store, nights):
    for number, night in enumerate(nights):
        store.save_crosswalk(f"run-{number}", links(*night.items()), at=NOON)
        standing = store.crosswalk()
        assert dict(zip(standing["record_id"], standing["entity_id"], strict=True)) == night


def touches(*rows: tuple[str, datetime]) -> pd.DataFrame:
    size = len(rows)
    if not rows:
        return empty(Touches)
    return Touches.validate(
        pd.DataFrame(
            {
                "touch_id": as_text([touch for touch, _ in rows]),
                "person_id": as_text(["p1"] * size),
                "touched_at": as_utc([at for _, at in rows]),
                "channel": as_text(["form"] * size),
                "team": as_text(["marketing"] * size),
                "campaign_id": as_text([None] * size),
                "account_id": as_text([None] * size),
            }
        )
    )


def stored(store: Store) -> list[tuple[str, datetime]]:
    frame = Touches.validate(store.measure("touch"))
    return sorted(zip(frame["touch_id"], frame["touched_at"], strict=True))


def touch_runs(database_url: str) -> list[tuple]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT touch_id, run_id FROM touch ORDER BY 1, 2"))
        rows = [tuple(row) for row in found]
    engine.dispose()
    return rows


def test_a_measure_holds_the_last_rows_and_only_differences_are_written(store, database_url):
    store.save_measures("run-1", touch=touches(("a", NOON), ("b", NOON), ("c", NOON)))
    store.save_measures("run-2", touch=touches(("c", LATER), ("a", NOON), ("d", NOON)))
    assert stored(store) == [("a", NOON), ("c", LATER), ("d", NOON)]
    assert touch_runs(database_url) == [("a", "run-1"), ("c", "run-2"), ("d", "run-2")]
    store.save_measures("run-3", touch=touches())
    assert stored(store) == []


def test_equal_rows_of_a_measure_stay_as_many_as_they_are(store):
    twice = touches(("a", NOON), ("a", NOON))
    store.save_measures("run-1", touch=twice)
    store.save_measures("run-2", touch=twice)
    assert stored(store) == [("a", NOON), ("a", NOON)]


def test_measures_are_saved_all_or_none(store):
    store.save_measures("run-1", touch=touches(("a", NOON)))
    with pytest.raises(KeyError):
        store.save_measures("run-2", touch=touches(("b", NOON)), credit=touches(("b", NOON)))
    assert stored(store) == [("a", NOON)]
