"""A small seeded company behind both stand-ins, and the command line as another process."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from agreement.policy import load_agreement
from connectors.hubspot import HubSpot, unpaced
from connectors.salesforce import Salesforce
from connectors.settings import Settings
from connectors.store import Store
from flows.demo import stage
from flows.provision import provision
from flows.pull import pull
from flows.run import Run, agreement_in_force, connect
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve
from standins.world import build_world

TANDEM = Path(sys.executable).with_name("tandem")


class Company:
    """Both stand-ins with a seeded company and our fields, and `tandem` run against them."""

    def __init__(self, here, folder: Path) -> None:
        self.hubspot, self.salesforce, self.world = here.hubspot, here.salesforce, here.world
        self.settings = here.settings
        self.as_of = here.world.as_of.isoformat()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "TANDEM_AGREEMENT"},
            "TANDEM_DATABASE_URL": f"sqlite:///{folder / 'tandem.db'}",
            "HUBSPOT_ACCESS_TOKEN": "standin-token",
            "HUBSPOT_BASE_URL": here.settings.hubspot_base_url,
            "SALESFORCE_LOGIN_URL": here.settings.salesforce_login_url,
            "SALESFORCE_CLIENT_ID": "standin-client",
            "SALESFORCE_CLIENT_SECRET": "standin-secret",
        }
        self.folder = folder

    def start(self, *arguments: str, **changes: str) -> subprocess.Popen:
        return subprocess.Popen(
            [TANDEM, *arguments],
            env={**self.environment, **changes},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def tandem(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess:
        process = self.start(*arguments, **changes)
        out, err = process.communicate(timeout=180)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def sync(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess:
        return self.tandem("sync", "--json", "--as-of", self.as_of, *arguments, **changes)

    def our_values(self) -> dict:
        """Give every field of ours in both CRMs, by system, object, record and field."""
        found = {}
        for kind in ("contacts", "companies", "deals"):
            for record, values in self.hubspot.records(kind).items():
                found["hubspot", kind, record] = {
                    name: value for name, value in values.items() if name.startswith("tandem_")
                }
        for kind in ("Lead", "Contact", "Account", "Opportunity", "Campaign"):
            for record, values in self.salesforce.records(kind).items():
                found["salesforce", kind, record] = {
                    name: value for name, value in values.items() if name.startswith("Tandem_")
                }
        return found


@contextmanager
def serve_company(folder: Path) -> Iterator[Company]:
    folder.mkdir(parents=True, exist_ok=True)
    world = build_world(people=150, seed=11)
    with stage(world, f"sqlite:///{folder / 'tandem.db'}") as here:
        provision(connect(here.settings), agreement_in_force(here.settings), is_applied=True)
        here.hubspot.log.clear()
        here.salesforce.log.clear()
        yield Company(here, folder)


@pytest.fixture
def company(tmp_path):
    """Serve a company of 150 people with our fields provisioned."""
    with serve_company(tmp_path / "company") as served:
        yield served


@pytest.fixture
def undisturbed(tmp_path):
    """Give what an undisturbed night writes, from a twin company of the same seed."""
    with serve_company(tmp_path / "twin") as twin:
        done = twin.sync()
        assert done.returncode == 0, done.stderr
        yield twin.our_values()


class Place:
    """Both stand-ins, empty, on a clock that tests set, and runs that pull from them."""

    def __init__(self, database_url: str, at: datetime) -> None:
        self.database_url, self.now = database_url, at
        self.store = Store.open(database_url)
        self.hubspot = HubSpotStandIn(now=lambda: self.now)
        self.salesforce = SalesforceStandIn(now=lambda: self.now)
        self.agreement = load_agreement()
        self.settings: Settings

    def agree(self, **blocks: dict[str, object]) -> None:
        """Change keys of some of the agreement's blocks."""
        changed = {
            name: getattr(self.agreement, name).model_copy(update=values)
            for name, values in blocks.items()
        }
        self.agreement = self.agreement.model_copy(update=changed)

    def run(self, *, is_full: bool = False) -> Run:
        """Open a run at the present moment, with fresh connections."""
        run_id = self.store.start_run(as_of=self.now, agreement_version="v1", started_at=self.now)
        hubspot = HubSpot(
            self.settings.hubspot_base_url, SecretStr("standin-token"), pacers=unpaced(), attempts=2
        )
        salesforce = Salesforce.from_settings(self.settings)
        self.hubspot.log.clear()
        self.salesforce.log.clear()
        return Run(
            run_id,
            self.now,
            self.agreement,
            self.store,
            hubspot,
            salesforce,
            self.settings,
            is_full,
        )

    def pull(self, system: str, *, is_full: bool = False) -> dict[str, int]:
        """Pull one system at the present moment."""
        run = self.run(is_full=is_full)
        return pull(run, getattr(run, system))

    def live(self, system: str, kind: str, *fields: str) -> pd.DataFrame:
        """Give the mirror's live records by id."""
        frame = self.store.mirror(system, kind, fields).set_index("record_id")
        return frame[~frame["is_deleted"]]

    def calls(self, system: str) -> Counter[str]:
        """Count the requests of the last run but logins and descriptions, by template."""
        log = getattr(self, system).log
        quiet = ("/properties/", "/describe", "/oauth2/")
        return Counter(
            call.template for call in log if not any(word in call.path for word in quiet)
        )


@pytest.fixture
def place(tmp_path):
    """Serve both CRMs, empty, with a store beside them; it is noon of 2 November 2026."""
    here = Place(f"sqlite:///{tmp_path / 'tandem.db'}", datetime(2026, 11, 2, 12, tzinfo=UTC))
    with serve(here.hubspot.app()) as hubspot_url, serve(here.salesforce.app()) as salesforce_url:
        here.settings = Settings(
            _env_file=None,
            hubspot_access_token=SecretStr("standin-token"),
            hubspot_base_url=hubspot_url,
            salesforce_login_url=salesforce_url,
            salesforce_client_id="standin-client",
            salesforce_client_secret=SecretStr("standin-secret"),
        )
        yield here
    here.store.close()
