"""A Prefect server and worker of a test's own, and what they say over the API."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# Schedules of a deployed file come due during a test: they must not find a developer's `.env`.
_NOWHERE = {
    "HUBSPOT_ACCESS_TOKEN": "none",
    "HUBSPOT_BASE_URL": "http://127.0.0.1:9",
    "SALESFORCE_LOGIN_URL": "http://127.0.0.1:9",
    "SALESFORCE_CLIENT_ID": "none",
    "SALESFORCE_CLIENT_SECRET": "none",
}
_ENDS = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Site:
    """One server: its `prefect` command, its API, and the runs that people start on it."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, _free_port()
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TANDEM_", "HUBSPOT_", "SALESFORCE_"))
        }
        self.environment = {
            **kept,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
            "PREFECT_WORKER_QUERY_SECONDS": "1",  # and not ten: most of a run would be waiting
            "DO_NOT_TRACK": "1",
            "TANDEM_HOME": str(ROOT),
            **_NOWHERE,
            "TANDEM_DATABASE_URL": f"sqlite:///{home / 'tandem.db'}",
            "TANDEM_PAGES": str(home / "pages"),
            "NO_COLOR": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def prefect(self, *arguments: str) -> str:
        """Run the `prefect` command against this server."""
        return self._command("prefect", "--no-prompt", *arguments)

    def python(self, *arguments: str) -> str:
        """Run Python of ours against this server."""
        return self._command(sys.executable, *arguments)

    def shell(self, script: str) -> str:
        """Run shell commands of a document in the project's folder, as they stand."""
        return self._command("bash", "-eu", "-o", "pipefail", "-c", script)

    def _command(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, method: str, path: str, body: dict | None = None) -> Any:
        """Ask the server's API; None when it does not answer (yet)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
                return json.loads(answer.read())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def start(self, deployment: str, **parameters: object) -> str:
        """Start a run as people do, by `prefect deployment run`; give its id."""
        given = [
            part
            for name, value in parameters.items()
            for part in ("--param", f"{name}={json.dumps(value)}")
        ]
        name = f"{deployment}/{deployment}"
        found = _UUID.search(self.prefect("deployment", "run", name, *given))
        assert found
        return found[0]

    def run(self, run_id: str) -> dict[str, Any]:
        """Give a run as the server sees it now."""
        return self.ask("GET", f"flow_runs/{run_id}") or {"state_type": None, "run_count": 0}

    def ended(self, run_id: str, *, run_count: int = 0) -> dict[str, Any]:
        """Wait until a run has ended, with `run_count` for that time of several; give it."""

        def end() -> dict[str, Any] | None:
            row = self.run(run_id)
            over = row["state_type"] in _ENDS and row["run_count"] >= run_count
            return row if over else None

        return wait_for(end, seconds=120)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give the events of a name that the server has, newest first."""
        asked = {"filter": {"event": {"name": [name]}}, "limit": 50}
        return (self.ask("POST", "events/filter", asked) or {}).get("events", [])

    def artifacts(self, run_id: str) -> dict[str, Any]:
        """Give what a run shows, by key."""
        asked = {"artifacts": {"flow_run_id": {"any_": [run_id]}}, "limit": 50}
        return {row["key"]: row["data"] for row in self.ask("POST", "artifacts/filter", asked)}

    def log(self, run_id: str) -> list[str]:
        """Give the lines of a run's log."""
        asked = {"logs": {"flow_run_id": {"any_": [run_id]}}, "limit": 200}
        return [row["message"] for row in self.ask("POST", "logs/filter", asked)]

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the server."""
        with self._process("prefect", "server", "start", "--port", str(self.port)):
            wait_for(lambda: self.ask("GET", "health") is True, seconds=120)
            yield

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run a worker of the pool `tandem`."""
        with self._process("prefect", "worker", "start", "--pool", "tandem"):
            yield

    @contextmanager
    def tandem(self, *arguments: str) -> Iterator[subprocess.Popen]:
        """Run a command of ours until the block ends."""
        with self._process("tandem", *arguments) as process:
            yield process

    @contextmanager
    def _process(self, *command: str) -> Iterator[subprocess.Popen]:
        with (self.home / f"{command[0]}-{command[1]}.log").open("w") as log:
            process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                process.terminate()
                _wait_or_kill(process)


def _wait_or_kill(process: subprocess.Popen) -> None:
    """Wait for an end; kill one that interrupts do not reach, as when tests run in the background.

    Prefect passes a SIGTERM on to itself as SIGINT, which such a process was started to ignore.
    """
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def kill_run(run_id: str) -> None:
    """Kill -9 whatever processes carry out a run."""
    killed = [pid for pid in _processes() if _carries_out(pid, run_id)]
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _carries_out(pid: int, run_id: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"PREFECT__FLOW_RUN_ID={run_id}".encode() in environment


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(is_so: Any, seconds: float) -> Any:
    """Wait until something is so; give it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := is_so():
            return result
        time.sleep(0.5)
    raise AssertionError(f"not so after {seconds} seconds")
