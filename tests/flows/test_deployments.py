"""A real Prefect server: what `prefect.yaml` says is deployed, and its schedule makes runs."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def prefect(tmp_path_factory):
    """Start a server of its own; give a function that runs the `prefect` command against it."""
    home, port = tmp_path_factory.mktemp("prefect"), free_port()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "DO_NOT_TRACK": "1",
        "TANDEM_HOME": str(ROOT),
        "NO_COLOR": "1",
    }
    log = (home / "server.log").open("w")
    server = subprocess.Popen(
        [PREFECT, "server", "start", "--port", str(port)],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_for(lambda: ask(port, "GET", "health") is True, seconds=120)

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [PREFECT, "--no-prompt", *arguments],
                env=environment,
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        run.port = port
        run.environment = environment
        yield run
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


def ask(port: int, method: str, path: str, body: dict | None = None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def wait_for(is_so, seconds: float):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := is_so():
            return result
        time.sleep(1)
    raise AssertionError(f"not so after {seconds} seconds")


def set_up(prefect) -> None:
    """Bring the server up to date: pool, queues, blocks and automations."""
    subprocess.run(
        [sys.executable, "-m", "flows.prefect_server"],
        env=prefect.environment,
        cwd=ROOT,
        check=True,
        timeout=120,
    )


def test_what_is_deployed_gets_scheduled_runs(prefect):
    set_up(prefect)
    prefect("deploy", "--all")
    deployed = {
        row["name"]: row for row in ask(prefect.port, "POST", "deployments/filter", {"limit": 50})
    }
    wanted = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert set(deployed) == {entry["name"] for entry in wanted}
    nightly = deployed["nightly-sync"]
    assert nightly["parameters"] == {}  # what a person starts only plans
    (schedule,) = nightly["schedules"]
    assert schedule["schedule"]["cron"] == "15 4 * * *"
    assert schedule["parameters"] == {"mode": "apply"}

    def scheduled():
        return ask(
            prefect.port,
            "POST",
            "flow_runs/filter",
            {
                "deployments": {"id": {"any_": [nightly["id"]]}},
                "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            },
        )

    runs = wait_for(scheduled, seconds=60)
    assert len(runs) >= 3


def test_the_night_runs_as_a_flow_whose_stages_are_tasks(prefect, company):
    body = (
        "from flows.deployments import NightOptions, nightly_sync;"
        f"nightly_sync(mode='apply', options=NightOptions(as_of={company.as_of!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", body],
        env={**prefect.environment, **company.environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    flow_runs = ask(
        prefect.port,
        "POST",
        "flow_runs/filter",
        {"flows": {"name": {"any_": ["nightly-sync"]}}, "sort": "START_TIME_DESC"},
    )
    finished = [row for row in flow_runs if row["state_type"] == "COMPLETED"]
    assert [row["name"] for row in finished] == [f"nightly-apply-{company.as_of[:10]}"]
    tasks = ask(prefect.port, "POST", "task_runs/filter", {"limit": 50})
    names = {row["name"] for row in tasks}
    assert {"pull-hubspot", "pull-salesforce", "deliver"} <= names
    again = company.sync()
    assert json.loads(again.stdout)["written"] == {"hubspot": {}, "salesforce": {}}


def test_an_automation_of_ours_fires_when_a_breach_was_told(prefect):
    set_up(prefect)
    set_up(prefect)  # safe to repeat: each automation is there once
    wanted = yaml.safe_load((ROOT / "deploy" / "automations.yaml").read_text(encoding="utf-8"))
    made = ask(prefect.port, "POST", "automations/filter", {})
    assert sorted(row["name"] for row in made) == sorted(
        entry["name"] for entry in wanted["automations"]
    )
    body = (
        "from flows.deployments import emit_told;"
        "emit_told({'run_id': 'r1', 'told':"
        " [{'alert': 'p1:1:breached', 'about_id': 'p1:1', 'state': 'breached'}]})"
    )

    def events(name: str) -> list:
        asked = {"filter": {"event": {"name": [name]}}, "limit": 50}
        return (ask(prefect.port, "POST", "events/filter", asked) or {}).get("events", [])

    def fired():
        # The server takes up a new automation a while after it was made: say it until it hears.
        subprocess.run(
            [sys.executable, "-c", body], env=prefect.environment, cwd=ROOT, check=True, timeout=120
        )
        return events("prefect.automation.triggered")

    assert wait_for(fired, seconds=90)
    (resource,) = {
        event["resource"]["prefect.resource.id"] for event in events("tandem.handoff.breached")
    }
    assert resource == "tandem.handoff.p1:1"
