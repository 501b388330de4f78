"""`tandem serve` for ten real minutes on a short schedule: does it leak, miss or double a run?

`python -m benchmarks.soak [MINUTES]`. A Prefect server of its own, two stand-ins with a seeded
company, and a deployment file that starts a night every two minutes and a watch every 30 seconds.
The first minute is left aside for memory: until then the serving process is still loading.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from connectors.settings import Settings
from flows.demo import stage
from flows.night import night
from flows.provision import provision
from flows.run import agreement_in_force, connect, open_run
from standins.world import build_world

_BIN = Path(sys.executable).parent
_NIGHT_SECONDS, _WATCH_SECONDS = 120, 30
# Runs of one schedule that the end may find under way.
_UNDER_WAY = 1
_SCHEDULES = f"""
deployments:
  - name: nightly-sync
    description: Pull both CRMs, reconcile, measure, plan, deliver
    entrypoint: flows/deployments.py:nightly_sync
    schedules:
      - {{interval: {_NIGHT_SECONDS}, timezone: UTC, slug: soak, parameters: {{mode: apply}}}}
  - name: handoff-watch
    description: Handoff clocks and alerts, between the nights
    entrypoint: flows/deployments.py:handoff_watch
    schedules:
      - {{interval: {_WATCH_SECONDS}, timezone: UTC, slug: soak}}
"""


def main() -> None:
    """Print the figures; exit 1 when memory grew by more than a tenth or a run is missing."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    with TemporaryDirectory() as folder:
        is_good = _soak(Path(folder), minutes * 60)
    sys.exit(not is_good)


def _soak(folder: Path, seconds: float) -> bool:
    file = folder / "short.yaml"
    file.write_text(_SCHEDULES, encoding="utf-8")
    world = build_world(people=150, seed=11)
    with stage(world, f"sqlite:///{folder / 'tandem.db'}") as here:
        provision(connect(here.settings), agreement_in_force(here.settings), is_applied=True)
        with open_run(here.settings, as_of=world.as_of, tell=_keep_quiet) as run:
            night(run, "apply")  # the watch looks at what a night has found
        port = _free_port()
        environment = _environment(folder, port, here.settings)
        server = [_BIN / "prefect", "server", "start", "--port", str(port)]
        with _process(server, environment, folder / "server.log"):
            _wait_until_healthy(port)
            serving = [_BIN / "tandem", "serve", file]
            with _process(serving, environment, folder / "serve.log") as process:
                is_flat = _is_flat(_watch_memory(process.pid, seconds))
                is_complete = _is_complete(_runs(port), seconds)
    return is_flat and is_complete


def _environment(folder: Path, port: int, settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "TANDEM_DATABASE_URL": settings.database_url,
        "HUBSPOT_ACCESS_TOKEN": _secret(settings.hubspot_access_token),
        "HUBSPOT_BASE_URL": str(settings.hubspot_base_url),
        "SALESFORCE_LOGIN_URL": str(settings.salesforce_login_url),
        "SALESFORCE_CLIENT_ID": str(settings.salesforce_client_id),
        "SALESFORCE_CLIENT_SECRET": _secret(settings.salesforce_client_secret),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "10",
        "DO_NOT_TRACK": "1",
    }


def _keep_quiet(*_said: object) -> None:
    """Take a message and say nothing."""


def _secret(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


@contextmanager
def _process(
    command: list[Any], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w") as file:
        process = subprocess.Popen(  # noqa: S603 - fixed programs, no shell
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def _watch_memory(pid: int, seconds: float) -> list[tuple[float, int]]:
    """Measure the child that serves, in KiB, every ten seconds; runs are processes of their own."""
    start = time.monotonic()
    sizes: list[tuple[float, int]] = []
    while (passed := time.monotonic() - start) < seconds:
        if children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            status = Path(f"/proc/{children[0]}/status").read_text()
            (line,) = (row for row in status.splitlines() if row.startswith("VmRSS:"))
            sizes.append((passed, int(line.split()[1])))
        time.sleep(10)
    return sizes


def _is_flat(sizes: list[tuple[float, int]]) -> bool:
    settled = [size for passed, size in sizes if passed > 60]
    growth = max(settled) / settled[0] - 1
    print(
        f"resident memory of the serving process: {settled[0] / 1024:.1f} MiB after the first "
        f"minute, at most {max(settled) / 1024:.1f}, at last {settled[-1] / 1024:.1f} MiB: "
        f"{growth:+.1%}"
    )
    return growth <= 0.1


def _is_complete(runs: list[dict[str, Any]], seconds: float) -> bool:
    """Tell whether each due run began once, and ended well but for what the end cut short."""
    is_good = True
    for prefix, every in (("nightly", _NIGHT_SECONDS), ("watch", _WATCH_SECONDS)):
        begun: list[dict[str, Any]] = [
            row for row in runs if row["name"].startswith(prefix) and row["start_time"]
        ]
        due = sorted(datetime.fromisoformat(row["expected_start_time"]) for row in begun)
        began = sorted(datetime.fromisoformat(row["start_time"]) for row in begun)
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(due)]
        waits = [(was - wanted).total_seconds() for was, wanted in zip(began, due, strict=True)]
        missed = sum(round(gap / every) - 1 for gap in gaps if gap > every)
        doubled = len(due) - len(set(due))
        bad = [row["name"] for row in begun if row["state_type"] != "COMPLETED"]
        print(
            f"{prefix}: {len(begun)} runs in {seconds / 60:.0f} minutes, one due every {every} s: "
            f"{missed} missed, {doubled} doubled, {len(bad)} not completed, at most "
            f"{max(waits, default=0):.0f} s late"
        )
        is_good &= bool(begun) and not (missed or doubled) and len(bad) <= _UNDER_WAY
    return is_good


def _wait_until_healthy(port: int) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(1)
    raise SystemExit("the Prefect server did not start")


def _runs(port: int) -> Any:
    """Ask for all runs, also those that are due later and have not begun."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/flow_runs/filter",
        data=json.dumps({"limit": 200, "sort": "EXPECTED_START_TIME_ASC"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
