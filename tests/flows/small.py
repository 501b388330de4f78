"""Two small CRMs that hold the same few people, and nights against them on a clock of their own."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from agreement.policy import DEFAULT_PATH
from connectors.hubspot import HubSpot, unpaced
from connectors.salesforce import Salesforce
from connectors.settings import Settings
from connectors.store import Store
from flows.night import Stage, call, night
from flows.provision import provision
from flows.run import Run, agreement_in_force, connect, open_run
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve

MONDAY = datetime(2026, 11, 2, 4, tzinfo=UTC)
BORN = MONDAY - timedelta(days=30)
HOUR = timedelta(hours=1)


def _unpaced(settings: Settings) -> tuple[HubSpot, Salesforce]:
    base_url, token = settings.hubspot_access()
    hubspot = HubSpot(base_url, token, pacers=unpaced(), attempts=2, sleep=lambda seconds: None)
    return hubspot, Salesforce.from_settings(settings)


class Small:
    """Both stand-ins with the same people, `hubspot_ids` and `contact_ids` in the same order."""

    def __init__(self, folder: Path, people: int) -> None:
        self.now = MONDAY
        self.folder = folder
        self.hubspot = HubSpotStandIn(now=lambda: self.now)
        self.salesforce = SalesforceStandIn(now=lambda: self.now)
        self.version = 1
        self.hubspot_ids, self.contact_ids = [], []
        account = self.salesforce.add("Account", {"Name": "Acme"}, created_at=BORN)
        for number in range(people):
            email, title = f"person{number}@acme.test", f"title {number}"
            self.hubspot_ids.append(
                self.hubspot.add("contacts", {"email": email, "jobtitle": title}, created_at=BORN)
            )
            fields = {"LastName": "X", "Email": email, "Title": title, "AccountId": account}
            self.contact_ids.append(self.salesforce.add("Contact", fields, created_at=BORN))

    def settle_on(self, hubspot_url: str, salesforce_url: str) -> None:
        self.settings = Settings(
            _env_file=None,
            tandem_database_url=f"sqlite:///{self.folder / 'tandem.db'}",
            hubspot_access_token=SecretStr("standin-token"),
            hubspot_base_url=hubspot_url,
            salesforce_login_url=salesforce_url,
            salesforce_client_id="standin-client",
            salesforce_client_secret=SecretStr("standin-secret"),
        )

    def agree(self, *changes: tuple[str, str]) -> None:
        """Change the default agreement, as a new version of it."""
        text = DEFAULT_PATH.read_text(encoding="utf-8")
        self.version += 1
        for old, new in (("version: 1\n", f"version: {self.version}\n"), *changes):
            assert old in text, old
            text = text.replace(old, new)
        path = self.folder / f"agreement{self.version}.yaml"
        path.write_text(text, "utf-8")
        self.settings = self.settings.model_copy(update={"tandem_agreement": path})

    @contextmanager
    def run(self) -> Iterator[Run]:
        with open_run(
            self.settings, as_of=self.now, tell=lambda *said: None, connect_by=_unpaced
        ) as opened:
            yield opened

    def night(self, mode: str = "apply", stage: Stage = call) -> dict:
        """Run the next night, a day later."""
        self.now += timedelta(days=1)
        with self.run() as run:
            return night(run, mode, stage)

    def store(self) -> closing:
        return closing(Store.open(self.settings.database_url))

    def edit_hubspot(self, place: int, kind: str = "contacts", **values: Any) -> None:
        self.now += HOUR
        self.hubspot.set(kind, self.hubspot_ids[place], values, at=self.now)

    def edit_salesforce(self, place: int, **values: Any) -> None:
        self.now += HOUR
        self.salesforce.set("Contact", self.contact_ids[place], values, at=self.now)

    def titles(self, place: int = 0) -> tuple[Any, Any]:
        """Give a person's job title in HubSpot and in Salesforce."""
        hubspot = self.hubspot.records("contacts")[self.hubspot_ids[place]]
        salesforce = self.salesforce.records("Contact")[self.contact_ids[place]]
        return hubspot.get("jobtitle"), salesforce["Title"]

    def writes(self) -> int:
        """Count the requests so far that changed a record."""
        ours = ("/batch/update", "/composite/sobjects")
        log = [*self.hubspot.log, *self.salesforce.log]
        return sum(
            call.template.endswith(ours) and call.template.split()[0] in {"POST", "PATCH"}
            for call in log
        )

    def reads(self) -> int:
        """Count the requests so far that read given Salesforce records back."""
        template = "POST /services/data/{v}/composite/sobjects/{sobject}"
        return sum(call.template == template for call in self.salesforce.log)

    def state(self) -> dict:
        """Give every field of every record of both CRMs, but for what changes by itself."""
        own = {"hs_lastmodifieddate", "lastmodifieddate", "LastModifiedDate", "SystemModstamp",
               "LastModifiedById", "hs_updated_by_user_id"}  # fmt: skip
        found = {}
        for kind in ("contacts", "companies"):
            for record, values in self.hubspot.records(kind).items():
                found["hubspot", kind, record] = {
                    name: value for name, value in values.items() if value and name not in own
                }
        for kind in ("Lead", "Contact", "Account"):
            for record, values in self.salesforce.records(kind).items():
                found["salesforce", kind, record] = {
                    name: value
                    for name, value in values.items()
                    if value is not None and name not in own
                }
        return found


@contextmanager
def serve_small(folder: Path, people: int = 2) -> Iterator[Small]:
    small = Small(folder, people)
    with serve(small.hubspot.app()) as first, serve(small.salesforce.app()) as second:
        small.settle_on(first, second)
        agreement = agreement_in_force(small.settings)
        provision(connect(small.settings), agreement, is_applied=True)
        yield small
