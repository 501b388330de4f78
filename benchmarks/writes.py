"""What 100,000 changed records cost to write: requests, and records per second.

Three deliveries through the real outbox: Tandem's own fields of Salesforce contacts by a bulk job,
of HubSpot contacts by batches, and a field that people share, whose value is read again first.
"""

import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from pydantic import SecretStr

from agreement.frames import DataFrame, Writes, as_text
from benchmarks import sweep
from connectors.clock import utc_now
from connectors.settings import Settings
from flows.deliver import deliver
from flows.merge import shared_places
from flows.plan import Plan
from flows.provision import provision
from flows.run import Run, agreement_in_force, open_run
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve

RECORDS = 100_000
BORN = datetime(2026, 10, 1, tzinfo=UTC)

OURS = {
    "hubspot": ("tandem_marketing_touches", "tandem_explanation_id"),
    "salesforce": ("Tandem_Marketing_Touches__c", "Tandem_Explanation_Id__c"),
}
# Children of one account stand apart, as ids do, so that only an order by account brings them
# together.
_ACCOUNTS = 97


@dataclass(frozen=True)
class Cost:
    """What one delivery took: requests but logins and descriptions, by template; seconds."""

    what: str
    records: int
    requests: Counter[str]
    seconds: float

    @property
    def calls(self) -> int:
        """Count the requests."""
        return self.requests.total()

    def __str__(self) -> str:
        return (
            f"{self.what:<44} {self.records:>9,} records {self.calls:>7,} calls "
            f"{self.seconds:>8.1f} s {self.records / self.seconds:>9,.0f} records/s"
        )


class Office:
    """Both vendors with as many contacts each, and deliveries to them."""

    def __init__(self, folder: Path, records: int) -> None:
        self.hubspot, self.salesforce = HubSpotStandIn(), SalesforceStandIn()
        self.folder = folder
        self.accounts = [
            self.salesforce.add("Account", {"Name": f"Account {number}"}, created_at=BORN)
            for number in range(_ACCOUNTS)
        ]
        self.contacts: dict[str, list[str]] = {"hubspot": [], "salesforce": []}
        for number in range(records):
            values = {"email": f"p{number}@a.test", "jobtitle": "old"}
            self.contacts["hubspot"].append(self.hubspot.add("contacts", values, created_at=BORN))
            fields = {"LastName": "X", "AccountId": self.accounts[number % _ACCOUNTS]}
            self.contacts["salesforce"].append(
                self.salesforce.add("Contact", fields, created_at=BORN)
            )

    def settle_on(self, hubspot_url: str, salesforce_url: str) -> None:
        """Take the addresses of both vendors, and provision our fields."""
        self.settings = Settings(
            _env_file=None,
            tandem_database_url=SecretStr(f"sqlite:///{self.folder / 'tandem.db'}"),
            hubspot_access_token=SecretStr("standin-token"),
            hubspot_base_url=hubspot_url,
            salesforce_login_url=salesforce_url,
            salesforce_client_id="standin-client",
            salesforce_client_secret=SecretStr("standin-secret"),
        )
        crms = sweep.connect_at_once(self.settings)
        provision(crms, agreement_in_force(self.settings), is_applied=True)
        for crm in crms:
            crm.close()

    @contextmanager
    def run(self) -> Iterator[Run]:
        """Open a run that does not sleep: the other side is a stand-in."""
        with open_run(
            self.settings,
            as_of=utc_now(),
            tell=sweep.keep_quiet,
            connect_by=sweep.connect_at_once,
        ) as run:
            yield run

    def deliver(self, what: str, run: Run, writes: DataFrame[Writes], *, is_seen: bool) -> Cost:
        """Plan writes, deliver them, and tell what it took; every one has to arrive."""
        at = utc_now()
        plan_id = run.store.save_plan(run.run_id, writes, at=at, shared=shared_places(run))
        plan = Plan(plan_id, writes, {}, at if is_seen else at - timedelta(hours=1))
        self.hubspot.log.clear()
        self.salesforce.log.clear()
        started = time.perf_counter()
        written = deliver(run, plan)
        seconds = time.perf_counter() - started
        records = writes["record_id"].nunique()
        if records != written[str(writes["system"].iloc[0])]["contact"]:
            raise RuntimeError(f"{what}: {written} arrived of {records}")
        quiet = ("/properties/", "/describe", "/oauth2/")
        requests = Counter(
            call.template
            for call in (*self.hubspot.log, *self.salesforce.log)
            if not any(word in call.path for word in quiet)
        )
        return Cost(what, records, requests, seconds)

    def ours(self, system: str) -> DataFrame[Writes]:
        """Give a first value for two of our own fields of every contact."""
        return self._writes(system, OURS[system], None, "7")

    def titles(self) -> DataFrame[Writes]:
        """Give another job title for every HubSpot contact."""
        return self._writes("hubspot", ("jobtitle",), "old", "new")

    def _writes(
        self, system: str, fields: tuple[str, ...], before: str | None, after: str
    ) -> DataFrame[Writes]:
        ids = sorted(self.contacts[system])
        rows = pd.DataFrame(
            {
                "record_id": [record_id for record_id in ids for _ in fields],
                "field": list(fields) * len(ids),
            }
        )
        where = {"system": system, "kind": "contact", "reason": "a benchmark"}
        given = {**where, "before": before, "after": after}
        for name, value in given.items():
            rows[name] = value
        texts = {name: as_text(rows[name]) for name in Writes.to_schema().columns}
        return Writes.validate(pd.DataFrame(texts), lazy=True)


@contextmanager
def serve_office(records: int) -> Iterator[Office]:
    """Serve both vendors with `records` contacts each."""
    with tempfile.TemporaryDirectory() as folder:
        office = Office(Path(folder), records)
        with serve(office.hubspot.app()) as first, serve(office.salesforce.app()) as second:
            office.settle_on(first, second)
            yield office


def costs(records: int, say: Callable[[str], object] = str) -> list[Cost]:
    """Deliver the three kinds of writes; `say` is told each as it is done."""
    found = []
    with serve_office(records) as office, office.run() as run:
        for what, writes, is_seen in (
            ("own fields, Salesforce contacts", office.ours("salesforce"), True),
            ("own fields, HubSpot contacts", office.ours("hubspot"), True),
            ("shared field read again, HubSpot contacts", office.titles(), False),
        ):
            found.append(office.deliver(what, run, writes, is_seen=is_seen))
            say(str(found[-1]))
    return found


def main() -> None:
    """Print what the writes of a full night cost; the number of records may be given."""
    logging.disable()
    costs(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS, print)


if __name__ == "__main__":
    main()
