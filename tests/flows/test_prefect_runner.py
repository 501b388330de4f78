"""What flows do beside their jobs: wait for the lock, keep still, show what was done."""

import logging
from contextlib import closing, contextmanager

import pytest

from agreement.errors import Busy
from connectors.store import Store
from flows.night import call

runner = pytest.importorskip("flows.prefect_runner")
when_free = runner.when_free


class Lock:
    """A lock that another run holds for so many tries."""

    def __init__(self, busy: int) -> None:
        self.busy, self.tries, self.is_held = busy, 0, False

    @contextmanager
    def hold(self):
        self.tries += 1
        if self.tries <= self.busy:
            raise Busy("run 1 holds the lock")
        self.is_held = True
        yield "entered"
        self.is_held = False


def test_what_finds_the_lock_taken_goes_on_once_it_is_free():
    lock = Lock(busy=3)
    with when_free(lock.hold, pause_seconds=0) as entered:
        assert entered == "entered"
        assert lock.is_held
    assert not lock.is_held


def test_a_lock_that_is_held_for_long_is_given_up():
    lock = Lock(busy=100)
    with pytest.raises(Busy), when_free(lock.hold, pause_seconds=0):
        pytest.fail("entered although the lock is held")
    assert 1 < lock.tries < 10


def test_a_lock_that_is_lost_half_way_starts_nothing_anew():
    lock = Lock(busy=0)
    with pytest.raises(Busy, match="cut"), when_free(lock.hold, pause_seconds=0):
        raise Busy("the connection was cut")
    assert lock.tries == 1


@pytest.fixture
def deployments(place, monkeypatch):
    """Give the flows, with two empty CRMs in their environment."""
    monkeypatch.setenv("TANDEM_DATABASE_URL", place.database_url)
    monkeypatch.setenv("HUBSPOT_ACCESS_TOKEN", "standin-token")
    monkeypatch.setenv("HUBSPOT_BASE_URL", str(place.settings.hubspot_base_url))
    monkeypatch.setenv("SALESFORCE_LOGIN_URL", str(place.settings.salesforce_login_url))
    monkeypatch.setenv("SALESFORCE_CLIENT_ID", "standin-client")
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "standin-secret")
    return pytest.importorskip("flows.deployments")


def test_the_watch_keeps_still_until_a_first_night_has_run(deployments):
    assert "no night has run yet" in deployments.handoff_watch.fn()["skipped"]


@pytest.fixture
def no_server(monkeypatch):
    """Let Prefect find no server, so that it can show nothing; stages run without it."""
    settings = pytest.importorskip("prefect.settings")
    monkeypatch.setattr(runner, "as_task", call)
    away = {settings.PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}
    with settings.temporary_settings(away, restore_defaults={settings.PREFECT_API_URL}):
        yield


@pytest.mark.filterwarnings("ignore:Artifact creation outside")
def test_a_night_that_delivered_ends_well_although_nothing_can_be_shown(
    place, deployments, no_server, monkeypatch, tmp_path, caplog
):
    taken = tmp_path / "taken"
    taken.write_text("no folder")
    events = []
    monkeypatch.setattr(deployments, "emit_event", lambda event, **_: events.append(event))
    monkeypatch.setenv("TANDEM_PAGES", str(taken))
    with caplog.at_level(logging.WARNING):
        summary = deployments.nightly_sync.fn("apply")
    with closing(Store.open(place.database_url)) as store:
        assert store.find_run(summary["run_id"]).result == "done"
    assert events == ["tandem.night.done"]
    said = [record.getMessage() for record in caplog.records if "not_shown" in record.getMessage()]
    assert [text.split(" error=")[0] for text in said] == [
        "not_shown what=nightly-progress",
        f"not_shown what=night {summary['run_id']}",
        f"not_shown what=page {summary['run_id']}",
    ]


def test_a_run_that_only_shows_fails_when_it_cannot():
    with pytest.raises(OSError, match="full"), runner.as_a_window("plan", is_done=False):
        raise OSError("the disk is full")
