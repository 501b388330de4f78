"""Hold both stand-ins, and the queries we send, against clients that others wrote (`make interop`).

Serves a seeded company, runs a real night over it and reads every object in every way, keeping each
SOQL text that arrives; then Node runs the scripts beside this file. Needs `node`, and what
`npm install` puts in this folder.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agreement.records import Window
from connectors.salesforce import SOBJECTS, Jobs, Salesforce
from connectors.settings import Settings
from flows.night import night
from flows.provision import provision
from flows.run import agreement_in_force, connect, open_run
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve
from standins.world import World, build_world

_HERE = Path(__file__).parent
_PEOPLE, _SEED = 300, 3


class Listener:
    """An ASGI app before the stand-in's that keeps every SOQL text it is asked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: dict[str, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the query of an address or of a new job, and hand the request on."""
        for text in parse_qs(scope["query_string"].decode("latin-1")).get("q", ()):
            self.asked[text] = None
        is_job = scope["method"] == "POST" and scope["path"].endswith("/jobs/query")
        body = bytearray()

        async def listen() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            if is_job and body and not message.get("more_body", False):
                self.asked[json.loads(body)["query"]] = None
                body.clear()
            return message

        await self._app(scope, listen, send)


def main() -> int:
    """Serve, ask everything we ever ask, and let the clients loose; give Node's exit code."""
    node = shutil.which("node")
    if node is None:
        print("make interop needs Node.js 20 or newer", file=sys.stderr)  # noqa: T201
        return 2
    logging.disable(logging.INFO)
    scripts = sorted(str(script) for script in _HERE.glob("*.test.mjs"))
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (settings, listener, to):
        ask_all_we_ask(settings, to)
        queries = Path(folder) / "queries.json"
        queries.write_text(json.dumps(list(listener.asked)), encoding="utf-8")
        environment = {
            **os.environ,
            "HUBSPOT_URL": str(settings.hubspot_base_url),
            "SALESFORCE_URL": str(settings.salesforce_login_url),
            "QUERIES": str(queries),
        }
        return subprocess.run([node, "--test", *scripts], env=environment, check=False).returncode


@contextmanager
def served(folder: Path) -> Iterator[tuple[Settings, Listener, World]]:
    """Serve a company from both stand-ins; give the settings that lead there, and what listens."""
    world = build_world(people=_PEOPLE, seed=_SEED)
    hubspot, salesforce = HubSpotStandIn(), SalesforceStandIn()
    world.load(hubspot, salesforce)
    listener = Listener(salesforce.app())
    with serve(hubspot.app()) as hubspot_url, serve(listener) as salesforce_url:
        settings = Settings(
            _env_file=None,
            tandem_database_url=f"sqlite:///{folder / 'tandem.db'}",
            hubspot_access_token=SecretStr("standin-token"),
            hubspot_base_url=hubspot_url,
            salesforce_login_url=salesforce_url,
            salesforce_client_id="standin-client",
            salesforce_client_secret=SecretStr("standin-secret"),
        )
        yield settings, listener, world


def ask_all_we_ask(settings: Settings, world: World) -> None:
    """Provision, run a night, and read every object whole and in part, by pages and by jobs."""
    provision(connect(settings), agreement_in_force(settings), is_applied=True)
    with open_run(settings, as_of=world.as_of, tell=_keep_quiet) as run:
        night(run, "apply")
    windows = (Window(None, world.as_of), Window(world.as_of - timedelta(days=90), world.as_of))
    for jobs in (Jobs(), Jobs(above_rows=0, first_look_seconds=0.05)):
        salesforce = Salesforce.from_settings(settings, jobs=jobs)
        for kind in SOBJECTS:
            described = salesforce.describe(kind)
            for window in windows if described else ():
                for _ in salesforce.pull(kind, list(described or ()), window):
                    continue


def _keep_quiet(route: str, key: str, text: str, addresses: Any) -> None:
    """Take an alert and say nothing."""


if __name__ == "__main__":
    sys.exit(main())
