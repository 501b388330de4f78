"""How far each object is read: a pull that was stopped goes on, what is gone is known to be."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text

from agreement.errors import GuardStopped, VendorUnavailable
from agreement.records import Batch, Record
from connectors.store import Further, PullCount, Store
from connectors.store.database import MIGRATIONS

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def batch(*ids: str, resume: str = "", **more) -> Batch:
    records = tuple(Record(own, {"name": f"n{own}"}, created_at=NOON, **more) for own in ids)
    return Batch(records=records, resume=resume)


def stopped_after(*batches: Batch) -> Iterator[Batch]:
    yield from batches
    raise VendorUnavailable("CRM", "gone")


def save(store: Store, batches, *, hours=0, is_full=False, is_continued=False, **more) -> PullCount:
    at = NOON + hours * HOUR
    further = Further(since=None if is_full else at - HOUR, **more.pop("further", {}))
    spool = store.spool(batches, is_continued=is_continued)
    return store.save_pull(
        f"run-{hours}", "hubspot", "contact", spool,
        until=at, is_full=is_full, seen_at=at, fields=["name"], further=further, **more,
    )  # fmt: skip


def config(connection) -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def live(store: Store) -> list[str]:
    return store.live_ids("hubspot", "contact")


def test_what_came_before_a_stop_is_kept_with_the_place_to_go_on_from(store):
    with pytest.raises(VendorUnavailable, match="gone"):
        save(store, stopped_after(batch("1", resume="a"), batch("2", resume="b")), is_full=True)
    progress = store.progress("hubspot", "contact")
    assert (progress.since, progress.until, progress.resume) == (None, NOON, "b")
    assert progress.fields == {"name"}
    assert live(store) == ["1", "2"]
    assert store.watermark("hubspot", "contact") is None


def test_a_stop_before_there_was_a_place_to_go_on_from_keeps_nothing(store):
    with pytest.raises(VendorUnavailable):
        save(store, stopped_after(batch("1")), is_full=True)
    assert store.progress("hubspot", "contact") is None
    assert live(store) == []


def test_a_pull_that_went_on_to_its_end_counts_as_the_one_that_it_is(store):
    save(store, [batch("1", "2", "3", "4", "9")], is_full=True, hours=-1)
    with pytest.raises(VendorUnavailable):
        save(store, stopped_after(batch("1", "2", resume="a")), is_full=True)
    seen = []
    count = save(store, [batch("3", "4")], is_full=True, is_continued=True, accept=seen.append)
    assert (count.rows, count.unseen) == (4, 1)
    assert [(one.rows, one.unseen) for one in seen] == [(4, 1)]
    assert store.progress("hubspot", "contact") is None
    assert store.watermark("hubspot", "contact") == NOON


def test_a_read_up_to_an_earlier_moment_leaves_a_stopped_pull_its_place(store):
    save(store, [batch("1")], is_full=True)
    with pytest.raises(VendorUnavailable):
        save(store, stopped_after(batch("1", resume="a")), hours=1)
    save(store, [batch("2")])  # a look between nights
    assert store.progress("hubspot", "contact").resume == "a"
    save(store, [batch("2")], hours=2)
    assert store.progress("hubspot", "contact") is None


def test_a_pull_that_begins_anew_does_not_count_what_an_earlier_one_saw(store):
    with pytest.raises(VendorUnavailable):
        save(store, stopped_after(batch("1", "2", resume="a")), is_full=True)
    count = save(store, [batch("3")], is_full=True, hours=1)
    assert (count.rows, count.unseen) == (1, 2)


def test_a_row_that_two_full_reads_did_not_bring_is_gone_and_dated(store, database_url):
    save(store, [batch("1", "2")], is_full=True)
    assert save(store, [batch("2")], is_full=True, hours=1).vanished == 0
    assert live(store) == ["1", "2"]
    assert save(store, [batch("2")], is_full=True, hours=2).vanished == 1
    assert live(store) == ["2"]
    engine = create_engine(database_url)
    with engine.connect() as connection:
        query = text("SELECT _record_id FROM mirror_hubspot_contact WHERE _gone_at IS NOT NULL")
        assert connection.execute(query).scalars().all() == ["1"]
    engine.dispose()


def test_a_read_that_was_complete_says_at_once_what_is_gone(store):
    save(store, [batch("1", "2")], is_full=True)
    further = {"is_complete": True}
    assert save(store, [batch("2")], is_full=True, hours=1, further=further).vanished == 1
    assert live(store) == ["2"]


def test_a_window_says_nothing_about_what_it_does_not_bring(store):
    save(store, [batch("1", "2")], is_full=True)
    for hours in (1, 2, 3):
        save(store, [batch("2")], hours=hours, further={"is_complete": True})
    assert live(store) == ["1", "2"]


def test_what_is_gone_comes_alive_when_it_is_seen_again(store):
    save(store, [batch("1", "2")], is_full=True)
    save(store, [batch("2")], is_full=True, hours=1, further={"is_complete": True})
    save(store, [batch("1")], hours=2)
    assert live(store) == ["1", "2"]
    assert store.archived_ids("hubspot", "contact") == []


def test_an_archived_record_may_be_restored_until_it_is_gone_for_good(store):
    save(store, [batch("1"), batch("2", is_deleted=True), batch("3", is_deleted=True)])
    save(store, [batch("4", is_deleted=True, merged_into="1")])
    assert store.archived_ids("hubspot", "contact") == ["2", "3"]
    save(store, [], hours=1, further={"gone": ("3",)})
    assert store.archived_ids("hubspot", "contact") == ["2"]


def test_what_was_known_of_an_erased_record_goes_in_every_version(store, database_url):
    save(store, [batch("1", "2")], is_full=True)
    further = {"is_complete": True, "is_erased": True}
    save(store, [batch("2")], is_full=True, hours=1, further=further)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT record_id, state FROM mirror_version"))
        states = {"1": "", "2": ""}
        for own, state in rows:
            states[own] += state
        name = connection.scalar(
            text("SELECT name FROM mirror_hubspot_contact WHERE _record_id = '1'")
        )
    engine.dispose()
    assert name is None
    assert "n1" not in states["1"]
    assert "erased_at" in states["1"]
    assert "n2" in states["2"]


def test_a_guard_that_stops_a_full_read_marks_nothing_as_gone(store):
    save(store, [batch("1", "2", "3")], is_full=True)

    def stop(count: PullCount) -> None:
        raise GuardStopped("shrunk")

    with pytest.raises(GuardStopped):
        save(
            store, [batch("1")], is_full=True, hours=1,
            further={"is_complete": True, "reread": ("archived",)}, accept=stop,
        )  # fmt: skip
    assert live(store) == ["1", "2", "3"]
    assert store.reread("hubspot", "contact", "archived") is None


def test_lists_read_along_are_noted_with_the_pull_and_only_when_it_ended(store):
    with pytest.raises(VendorUnavailable):
        save(store, stopped_after(batch("1", resume="a")), further={"reread": ("archived",)})
    assert store.reread("hubspot", "contact", "archived") is None
    save(store, [batch("2")], is_continued=True, further={"reread": ("archived",)})
    assert store.reread("hubspot", "contact", "archived").at == NOON
    assert store.reread("hubspot", "contact", "calculated") is None


def test_live_records_are_counted_up_to_a_moment_with_the_earliest(store):
    early = Record("1", {}, created_at=NOON - HOUR)
    save(store, [Batch((early, Record("2", {}, created_at=NOON), Record("3", {})))])
    assert store.count_live("hubspot", "contact") == (3, NOON - HOUR)
    assert store.count_live("hubspot", "contact", NOON - HOUR / 2) == (2, NOON - HOUR)
    assert store.count_live("hubspot", "deal") == (0, None)


def test_mirrors_of_before_are_migrated_with_what_they_hold(store, database_url):
    save(store, [batch("1")], is_full=True)
    store.close()
    engine = create_engine(database_url)
    with engine.begin() as connection:
        command.downgrade(config(connection), "0001")
        columns = inspect(connection).get_columns("mirror_hubspot_contact")
        assert "_gone_at" not in {column["name"] for column in columns}
    engine.dispose()
    reopened = Store.open(database_url)
    assert reopened.live_ids("hubspot", "contact") == ["1"]
    assert reopened.archived_ids("hubspot", "contact") == []
    reopened.close()
