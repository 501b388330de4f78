"""`tandem status` before and after nights, for people and for Prometheus."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from connectors.store import Store
from flows.cli import tandem
from flows.show_status import show_status
from flows.status import prometheus, status

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def night(store, at, result="done", mode="apply", **summary):
    run_id = store.start_run(as_of=at, agreement_version="house-v1", started_at=at)
    store.end_run(run_id, result=result, summary={"mode": mode, **summary}, ended_at=at)
    return run_id


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path}/tandem.db")
    yield opened
    opened.close()


def test_before_the_first_night_it_says_what_to_do(store):
    shown = show_status(status(store, NOON))
    assert shown.splitlines()[0] == "last good night  none yet. Run tandem sync"
    assert "last_good_night" not in prometheus(status(store, NOON))


def test_the_last_good_night_is_the_last_that_was_applied_to_its_end(store):
    good = night(
        store, NOON, api_calls={"hubspot": 5}, self_check={"agreed": 3, "fields": 4, "records": 2}
    )
    night(store, NOON + timedelta(hours=1), mode="plan")
    failed = night(store, NOON + timedelta(hours=2), result="VendorUnavailable")
    found = status(store, NOON + timedelta(days=1, hours=3))
    assert found["last_good_night"]["run_id"] == good
    assert found["last_run"]["run_id"] == failed
    text = prometheus(found)
    assert "\ntandem_last_good_night_age_seconds 97200\n" in text
    assert "\ntandem_last_run_failed 1\n" in text
    assert "\ntandem_self_check_agreement 0.75\n" in text
    assert '\ntandem_api_calls{system="hubspot"} 5\n' in text
    shown = show_status(found)
    assert f"{good}, 1 d 3 h 00 min ago, as of 2026-11-02 12:00 UTC, house-v1" in shown
    assert "75.00% of 4 fields in 2 records" in shown


def test_prometheus_text_is_as_its_readers_want_it(store):
    night(store, NOON)
    for line in prometheus(status(store, NOON)).splitlines():
        assert re.fullmatch(
            r'# (HELP|TYPE) tandem_\w+ .+|tandem_\w+(\{\w+="\w+"\})? -?[\d.]+', line
        ), line


def test_the_command_reads_the_store_that_is_set(tmp_path, monkeypatch):
    monkeypatch.setenv("TANDEM_DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    done = CliRunner().invoke(tandem, ["status", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["outbox"] == {"planned": 0, "sent": 0}
    assert (
        "# TYPE tandem_open_clocks gauge"
        in CliRunner().invoke(tandem, ["status", "--prometheus"]).output
    )
