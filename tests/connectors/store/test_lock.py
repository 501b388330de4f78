"""The lock: one run at a time, over processes, freed at once when its holder dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from agreement.errors import Busy
from connectors.store import Store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

HOLD = """
import sys
from datetime import UTC, datetime
from connectors.store import Store
store = Store.open(sys.argv[1])
with store.hold_lock():
    moment = datetime(2026, 11, 2, 12, tzinfo=UTC)
    print(store.start_run(as_of=moment, agreement_version="v1", started_at=moment), flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(database_url: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """Hold the lock in another process, inside a run; gives the process and the run's id."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, database_url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_process_is_told_which_run_holds_the_lock(store, database_url):
    with holder(database_url) as (_, run_id):
        started = time.monotonic()
        with pytest.raises(Busy, match=f"run {run_id} holds the lock"), store.hold_lock():
            pytest.fail("both hold it")
        assert time.monotonic() - started < 2


def test_a_second_run_of_one_process_is_refused_too(store, database_url):
    other = Store.open(database_url)
    with store.hold_lock():
        with pytest.raises(Busy), other.hold_lock():
            pytest.fail("both hold it")
        with pytest.raises(Busy), store.hold_lock():
            pytest.fail("both hold it")
    with other.hold_lock():
        assert other.last_runs() == []
    other.close()


def test_the_lock_is_free_after_an_error(store):
    with pytest.raises(RuntimeError, match="inside"), store.hold_lock():
        raise RuntimeError("inside")
    with store.hold_lock():
        assert store.last_runs() == []


def test_a_reader_needs_no_lock(store, database_url):
    with holder(database_url) as (_, run_id):
        assert [row.run_id for row in store.last_runs()] == [run_id]


def test_a_killed_process_frees_the_lock_at_once_and_its_run_is_marked_crashed(store, database_url):
    with holder(database_url) as (process, run_id):
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with taken_soon(store):
            second = store.start_run(as_of=NOON, agreement_version="v1", started_at=NOON)
            assert {row.run_id: row.result for row in store.last_runs()} == {
                run_id: "crashed",
                second: None,
            }


@contextmanager
def taken_soon(store: Store) -> Iterator[None]:
    """Take the lock within a second: a PostgreSQL server takes a moment to see a closed socket."""
    deadline = time.monotonic() + 1
    while True:
        lock = store.hold_lock()
        try:
            lock.__enter__()
        except Busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        break
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
