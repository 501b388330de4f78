"""A small seeded company behind both stand-ins, and the command line as another process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.demo import stage
from flows.provision import provision
from flows.run import agreement_in_force, connect
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
