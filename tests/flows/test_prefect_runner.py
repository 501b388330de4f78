"""What flows do beside their jobs: wait for the lock a little, keep still when it is too early."""

from contextlib import contextmanager

import pytest

from agreement.errors import Busy

when_free = pytest.importorskip("flows.prefect_runner").when_free


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


def test_the_watch_keeps_still_until_a_first_night_has_run(place, monkeypatch):
    deployments = pytest.importorskip("flows.deployments")
    monkeypatch.setenv("TANDEM_DATABASE_URL", place.database_url)
    monkeypatch.setenv("HUBSPOT_ACCESS_TOKEN", "standin-token")
    monkeypatch.setenv("HUBSPOT_BASE_URL", str(place.settings.hubspot_base_url))
    monkeypatch.setenv("SALESFORCE_LOGIN_URL", str(place.settings.salesforce_login_url))
    monkeypatch.setenv("SALESFORCE_CLIENT_ID", "standin-client")
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "standin-secret")
    assert "no night has run yet" in deployments.handoff_watch.fn()["skipped"]
