"""Calls, time and memory of pulls: a first load, a night of 1 % changes, a quiet one.

`python -m benchmarks.pull [SCALE]`. At scale 1: 200,000 contacts with their companies, deals and
half a million activities in HubSpot; 150,000 leads, 150,000 contacts and half a million activities
in Salesforce. Both stand-ins run in a process of their own, so that memory is the client's alone;
the pacers let everything pass. A night that costs more than the vendors' batch sizes ask for, or
more memory than agreed, ends with an error.
"""

import math
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from agreement.policy import load_agreement
from connectors.hubspot import HubSpot, unpaced
from connectors.salesforce import Jobs, Salesforce
from connectors.settings import Settings
from connectors.store import Store
from flows.pull import pull
from flows.run import Run
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve
from transforms.normalise import ASSOCIATED

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, 2, tzinfo=UTC)
# Within a day of the first: archives are not due, and what is counted is the changes.
SECOND, QUIET = FIRST + timedelta(hours=12), FIRST + timedelta(hours=15)
CHANGED_SHARE = 100  # one in a hundred

MOST_MIB = 1_536
MOST_RATIO = 1.25

HUBSPOT_COUNTS = {
    "company": 20_000,
    "contact": 200_000,
    "deal": 30_000,
    "call": 200_000,
    "email": 250_000,
    "meeting": 50_000,
}
SALESFORCE_COUNTS = {
    "account": 20_000,
    "lead": 150_000,
    "contact": 150_000,
    "opportunity": 30_000,
    "task": 400_000,
    "event": 100_000,
}
_PLURALS = {"company": "companies"}

# What the vendors let one request bring.
_SEARCH, _HISTORIES, _ASSOCIATIONS, _ROWS = 200, 50, 1_000, 2_000


@dataclass(frozen=True)
class Night:
    """What one pull cost: records, requests by template, seconds, the process's peak so far."""

    rows: Mapping[str, int]
    calls: Counter[str]
    seconds: float
    peak_mib: int
    written: int

    @property
    def requests(self) -> int:
        return sum(self.calls.values())


@dataclass(frozen=True)
class Figures:
    """A system's three nights, and the fewest requests that the second one's changes take."""

    first: Night
    second: Night
    quiet: Night
    floor: int

    @property
    def ratio(self) -> float:
        """Give the requests for the changed part, over the fewest possible."""
        return (self.second.requests - self.quiet.requests) / self.floor


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    failures = []
    for system in ("hubspot", "salesforce"):
        figures = measure(system, scale)
        show(system, figures)
        failures += faults(system, figures)
    if failures:
        raise SystemExit("\n".join(failures))


def measure(system: str, scale: float) -> Figures:
    """Play the three nights of one system against its stand-in in another process."""
    counts = HUBSPOT_COUNTS if system == "hubspot" else SALESFORCE_COUNTS
    scaled = {kind: max(1, round(count * scale)) for kind, count in counts.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        served(system, scaled) as (url, ask),
    ):
        store = Store.open(f"sqlite:///{folder}/bench.db")
        first = night(system, store, url, ask, FIRST)
        ask("change")
        second = night(system, store, url, ask, SECOND)
        quiet = night(system, store, url, ask, QUIET)
        store.close()
    changed = {kind: math.ceil(count / CHANGED_SHARE) for kind, count in scaled.items()}
    return Figures(first, second, quiet, floor(system, changed))


def floor(system: str, changed: Mapping[str, int]) -> int:
    """Give the fewest further requests by which changed records come, beyond a quiet night's.

    A quiet night asks once per object; that request brings the first page.
    """
    if system == "salesforce":
        return sum(math.ceil(count / _ROWS) - 1 for count in changed.values()) or 1
    pages = sum(math.ceil(count / _SEARCH) - 1 for count in changed.values())
    histories = math.ceil(changed["contact"] / _HISTORIES)
    pairs = sum(
        math.ceil(changed.get(kind, 0) / _ASSOCIATIONS) * len(to_kinds)
        for (of, kind), to_kinds in ASSOCIATED.items()
        if of == "hubspot"
    )
    return pages + histories + pairs


def night(system: str, store: Store, url: str, ask: Callable[[str], Any], as_of: datetime) -> Night:
    """Pull once, and say what it cost."""
    ask("clear")
    before = store.version_count()
    settings = Settings(
        _env_file=None,
        salesforce_login_url=url,
        salesforce_client_id="standin-client",
        salesforce_client_secret=SecretStr("standin-secret"),
    )
    hubspot = HubSpot(url, SecretStr("standin-token"), pacers=unpaced())
    salesforce = Salesforce.from_settings(
        settings, jobs=Jobs(first_look_seconds=0.2, last_look_seconds=1.0)
    )
    run_id = store.start_run(as_of=as_of, agreement_version="v1", started_at=as_of)
    run = Run(run_id, as_of, load_agreement(), store, hubspot, salesforce, settings)
    start = time.perf_counter()
    rows = pull(run, hubspot if system == "hubspot" else salesforce)
    seconds = time.perf_counter() - start
    hubspot.close()
    written = store.version_count() - before
    return Night(rows, ask("calls"), seconds, _peak_mib(), written)


def _peak_mib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def show(system: str, figures: Figures) -> None:
    """Print one system's nights."""
    print(system)
    nights = (("first", figures.first), ("1 % changed", figures.second), ("quiet", figures.quiet))
    for name, one in nights:
        rows = sum(one.rows.values())
        print(
            f"  {name:<12}{rows:>10,} records {one.requests:>7,} requests {one.seconds:8.1f} s"
            f" {one.peak_mib:6,} MiB peak {one.written:>10,} states written"
        )
    print(
        f"  changed part: {figures.second.requests - figures.quiet.requests:,} requests,"
        f" floor {figures.floor:,}, ratio {figures.ratio:.2f}"
    )
    sys.stdout.flush()


def faults(system: str, figures: Figures) -> list[str]:
    """List what is not as agreed."""
    quiet = Counter(
        {template: count for template, count in figures.quiet.calls.items() if is_data(template)}
    )
    objects = len(figures.quiet.rows)
    found = {
        f"peak memory of {figures.quiet.peak_mib:,} MiB": figures.quiet.peak_mib > MOST_MIB,
        f"{figures.ratio:.2f} x the floor for changes": figures.ratio > MOST_RATIO,
        f"{quiet.total()} requests for {objects} quiet objects": quiet.total() > objects,
        f"{figures.quiet.written} states written on a quiet night": figures.quiet.written > 0,
    }
    return [f"{system}: {what}" for what, is_wrong in found.items() if is_wrong]


def is_data(template: str) -> bool:
    """Say whether a request reads records; logins and descriptions come once a run."""
    return not any(word in template for word in ("oauth2", "describe", "properties"))


# The other process --------------------------------------------------------------------------------


@contextmanager
def served(system: str, counts: Mapping[str, int]) -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Serve a filled stand-in; give its address, and a way to have it change or count."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(system, dict(counts), there), daemon=True)
    process.start()
    there.close()

    def ask(what: str) -> Any:
        here.send(what)
        return here.recv()

    try:
        yield here.recv(), ask
    finally:
        here.close()
        process.join(timeout=20)
        process.kill()


def _serve(system: str, counts: Mapping[str, int], parent: Connection) -> None:
    fill, change = (
        (fill_hubspot, change_hubspot)
        if system == "hubspot"
        else (fill_salesforce, change_salesforce)
    )
    standin, ids = fill(counts)
    with serve(standin.app()) as url:
        parent.send(url)
        while True:
            try:
                what = parent.recv()
            except EOFError:
                return
            answer: Any = None
            if what == "change":
                change(standin, ids)
            elif what == "clear":
                standin.log.clear()
            else:
                answer = Counter(call.template for call in standin.log)
            parent.send(answer)


Ids = Mapping[str, Sequence[str]]


def _spread(count: int) -> Iterator[datetime]:
    step = (FIRST - timedelta(days=2) - BEGIN) / count
    return (BEGIN + number * step for number in range(count))


def fill_hubspot(counts: Mapping[str, int]) -> tuple[HubSpotStandIn, Ids]:
    """Make a portal: contacts of companies, deals with contacts, activities of contacts."""
    portal = HubSpotStandIn(now=lambda: QUIET + timedelta(hours=1))
    ids = {
        kind: [
            portal.add(_PLURALS.get(kind, f"{kind}s"), _hubspot_values(kind, number), created_at=at)
            for number, at in enumerate(_spread(count))
        ]
        for kind, count in counts.items()
    }
    contacts = ids["contact"]
    for number, own in enumerate(contacts):
        company = ids["company"][number % len(ids["company"])]
        portal.associate("contacts", own, "companies", company)
    for kind in ("deal", "call", "email", "meeting"):
        for number, own in enumerate(ids[kind]):
            portal.associate(f"{kind}s", own, "contacts", contacts[number % len(contacts)])
    for kind in ("contact", "deal", "company"):
        table = portal.tables[_PLURALS.get(kind, f"{kind}s")]
        for record in table.live.values():  # as if nothing had happened to them since
            table.stamp(record, record.created)
    return portal, ids


def _hubspot_values(kind: str, number: int) -> dict[str, str | None]:
    if kind == "contact":
        return {
            "email": f"person{number}@company{number % 20_000}.test",
            "firstname": f"First{number % 5_000}",
            "lastname": f"Last{number}",
            "company": f"Company {number % 20_000}",
            "lifecyclestage": "lead",
        }
    if kind == "company":
        return {"name": f"Company {number}", "domain": f"company{number}.test"}
    if kind == "deal":
        return {"dealname": f"Deal {number}", "amount": str(1_000 + number)}
    subject = {"call": "hs_call_title", "email": "hs_email_subject", "meeting": "hs_meeting_title"}
    return {subject[kind]: f"About {number}", "hs_timestamp": f"{1_767_225_600_000 + number}"}


def change_hubspot(portal: HubSpotStandIn, ids: Ids) -> None:
    """Edit one record in a hundred of each object, six hours after the first night."""
    values = {"contact": "firstname", "company": "name", "deal": "amount", "call": "hs_call_title",
              "email": "hs_email_subject", "meeting": "hs_meeting_title"}  # fmt: skip
    for kind, name in values.items():
        for own in ids[kind][::CHANGED_SHARE]:
            at = FIRST + timedelta(hours=6)
            portal.set(_PLURALS.get(kind, f"{kind}s"), own, {name: "7"}, at=at)


def fill_salesforce(counts: Mapping[str, int]) -> tuple[SalesforceStandIn, Ids]:
    """Make an org: leads, contacts of accounts, opportunities, tasks and events of people."""
    org = SalesforceStandIn(now=lambda: QUIET + timedelta(hours=1))
    ids: dict[str, list[str]] = {}
    for kind, count in counts.items():
        ids[kind] = [
            org.add(kind.capitalize(), _salesforce_values(kind, number, ids), created_at=at)
            for number, at in enumerate(_spread(count))
        ]
    return org, ids


def _salesforce_values(kind: str, number: int, ids: Ids) -> dict[str, object]:
    person = {
        "FirstName": f"First{number % 5_000}",
        "LastName": f"Last{number}",
        "Email": f"person{number}@company{number % 20_000}.test",
    }
    if kind == "lead":
        return person | {"Company": f"Company {number % 20_000}", "Status": "Open - Not Contacted"}
    if kind == "contact":
        return person | {"AccountId": ids["account"][number % len(ids["account"])]}
    if kind == "account":
        return {"Name": f"Company {number}", "Website": f"https://company{number}.test"}
    if kind == "opportunity":
        account = ids["account"][number % len(ids["account"])]
        return {
            "Name": f"Deal {number}",
            "AccountId": account,
            "StageName": "Prospecting",
            "CloseDate": "2026-12-31",
            "Amount": 1_000 + number,
        }
    return {"Subject": f"About {number}", "WhoId": ids["lead"][number % len(ids["lead"])]}


def change_salesforce(org: SalesforceStandIn, ids: Ids) -> None:
    """Edit one record in a hundred of each object, six hours after the first night."""
    names = {"lead": "FirstName", "contact": "FirstName", "account": "Name",
             "opportunity": "CloseDate", "task": "Subject", "event": "Subject"}  # fmt: skip
    for kind, name in names.items():
        for own in ids[kind][::CHANGED_SHARE]:
            org.set(kind.capitalize(), own, {name: "2027-01-07"}, at=FIRST + timedelta(hours=6))


if __name__ == "__main__":
    main()
