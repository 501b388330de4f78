"""Two runs at once on the same records: one writes, the other is told so and sends nothing."""

import json
import os
import secrets
import signal
import time
from contextlib import contextmanager
from itertools import pairwise

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from connectors.store import Store

pytestmark = pytest.mark.slow

BUSY = 9


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, company):
    """Give the company's database: a file, or a schema of its own on a server."""
    if request.param == "sqlite":
        yield company.environment["TANDEM_DATABASE_URL"]
        return
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL is not set: no PostgreSQL server to test on")
    schema = f"test_{secrets.token_hex(6)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        url = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def stores(database):
    opened = Store.open(database)
    yield opened
    opened.close()


def requests(company) -> int:
    """Count the requests so far but logins."""
    calls = [*company.hubspot.log, *company.salesforce.log]
    return sum("/oauth2/" not in call.template for call in calls)


def is_quiet(company) -> bool:
    """Tell whether nothing is under way: what a stopped process had sent has been answered."""
    before = requests(company)
    time.sleep(0.5)
    return requests(company) == before


def wait_for(what, process) -> None:
    until = time.monotonic() + 120
    while not what():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)


@contextmanager
def stopped_while_it_writes(company, stores, *arguments, **environment):
    """Start a run and stop its process once a write of it is on its way; then let it end."""
    process = company.start(*arguments, **environment)
    try:
        wait_for(stores.unsettled, process)
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_quiet(company), process)
        yield
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=180)
        assert process.returncode == 0, said
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_a_second_run_is_refused_while_one_writes_and_sends_nothing(company, database, stores):
    at = {"TANDEM_DATABASE_URL": database}
    assert company.tandem("plan", "--as-of", company.as_of, **at).returncode == 0
    [planned] = stores.last_runs()
    with stopped_while_it_writes(company, stores, "sync", "--as-of", company.as_of, **at):
        sent = requests(company)
        [writing] = [run for run in stores.last_runs() if run.run_id != planned.run_id]
        for arguments in (
            ("sync",),
            ("sync", "--only", "hubspot/contact"),
            ("apply", planned.summary["plan_id"]),
            ("undo", planned.run_id, "--apply"),
        ):
            refused = company.tandem(*arguments, **at)
            assert refused.returncode == BUSY, refused.stderr
            assert f"run {writing.run_id} holds the lock of this database" in refused.stderr
            assert "Traceback" not in refused.stderr
            assert requests(company) == sent, "a refused run asks and writes nothing"
    assert stores.unsettled() == []


def test_of_two_that_start_together_no_two_ever_write_at_once(company, database, stores):
    started = [
        company.start("sync", "--as-of", company.as_of, TANDEM_DATABASE_URL=database)
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=180) for process in started]
    codes = sorted(process.returncode for process in started)
    assert codes in ([0, BUSY], [0, 0]), ended
    runs = sorted(stores.last_runs(), key=lambda run: run.started_at)
    assert len(runs) == codes.count(0)
    for one, next_one in pairwise(runs):
        assert one.ended_at <= next_one.started_at
    done = company.tandem("sync", "--json", "--as-of", company.as_of, TANDEM_DATABASE_URL=database)
    assert json.loads(done.stdout)["written"] == {"hubspot": {}, "salesforce": {}}
