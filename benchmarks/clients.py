"""CPU of our pulls beside the official clients' own, each against a stand-in in another process.

`python -m benchmarks.clients`. 10,000 contacts and 10,000 leads of 40 fields, most of them filled.
Only the client's process counts, all its threads; the pacer lets everything pass. Ours gives
records of canonical text; the peers give what they give: models, and a pandas frame.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

import hubspot
import pandas as pd
import requests
from pydantic import SecretStr
from simple_salesforce.api import Salesforce as OfficialClient

from agreement.records import Batch, Window
from benchmarks.measure import Figures, line, measured
from connectors.hubspot import HubSpot, unpaced
from connectors.salesforce import Jobs, Salesforce
from connectors.salesforce.session import PlainHttp
from connectors.settings import Settings
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve

COUNT = 10_000
FIELDS = 40
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_WHOLE = Window(None, _NOW)

# Of ten fields of a CRM record about this many are of each kind; one in four cells is empty.
_HUBSPOT_TYPES = ("string", "string", "string", "string", "string", "enumeration",
                  "number", "number", "datetime", "bool")  # fmt: skip
_SALESFORCE_TYPES = ("string", "string", "string", "string", "string", "picklist",
                     "double", "reference", "datetime", "boolean")  # fmt: skip
_FIELD_TYPES = {"string": "text", "enumeration": "select", "number": "number",
                "datetime": "date", "bool": "booleancheckbox"}  # fmt: skip

_HUBSPOT_OWN = ("email", "firstname", "lastname", "createdate", "lastmodifieddate", "hs_object_id")
_SALESFORCE_OWN = ("Id", "LastName", "Company", "Email", "CreatedDate", "SystemModstamp")


def main() -> None:
    with in_another_process(fill_hubspot) as url:
        print(f"hubspot: {COUNT:,} contacts of {FIELDS} properties")
        peer = peer_line("client.crm.contacts.get_all()", their_hubspot, url)
        our_line("tandem: pull, by the list", our_hubspot, url, peer, asked=4.0)
    with in_another_process(fill_salesforce) as url:
        print(f"salesforce: {COUNT:,} leads of {FIELDS} fields")
        peer = peer_line("sf.query_all() into pandas", their_salesforce, url)
        our_line("tandem: pull, by pages", our_salesforce, url, peer, asked=1.5)
        our_line("tandem: pull, by a bulk job", our_salesforce_bulk, url, peer, asked=1.5)


def peer_line(name: str, pull: Callable[[str], int], url: str) -> Figures:
    """Measure and print a peer."""
    figures = measured(pull, url)
    line(name, figures)
    return figures


def our_line(
    name: str, pull: Callable[[str], int], url: str, peer: Figures, *, asked: float
) -> None:
    """Measure ours, and print how often it goes into the peer's time.

    Raises:
        SystemExit: not all records were read, by us or by the peer.
    """
    ours = measured(pull, url)
    if not ours.result == peer.result == COUNT:
        raise SystemExit(f"{COUNT:,} records were there; read {ours.result:,} and {peer.result:,}")
    ratio = peer.cpu_seconds / ours.cpu_seconds
    line(name, ours, f"{ratio:.1f} x less CPU (asked: {asked:g} x)")


# The other side.


@contextmanager
def in_another_process(fill: Callable[[], Any]) -> Iterator[str]:
    """Serve the stand-in that `fill` makes from a process of its own; give its address."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(fill, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        process.join(timeout=20)
        process.kill()


def _serve(fill: Callable[[], Any], parent: Connection) -> None:
    with serve(fill().app()) as url:
        parent.send(url)
        try:
            parent.recv()
        except EOFError:
            return


def hubspot_fields() -> list[tuple[str, str]]:
    """List the names and types of what is asked, beyond the object's own."""
    more = FIELDS - len(_HUBSPOT_OWN)
    types = (_HUBSPOT_TYPES[place % len(_HUBSPOT_TYPES)] for place in range(more))
    return [(f"field_{place:02}", one) for place, one in enumerate(types)]


def salesforce_fields() -> list[tuple[str, str]]:
    """List the names and types of what is asked, beyond the object's own."""
    more = FIELDS - len(_SALESFORCE_OWN)
    types = (_SALESFORCE_TYPES[place % len(_SALESFORCE_TYPES)] for place in range(more))
    return [(f"Field_{place:02}__c", one) for place, one in enumerate(types)]


def fill_hubspot() -> HubSpotStandIn:
    """Make a portal full of contacts."""
    portal = HubSpotStandIn(now=lambda: _NOW)
    for name, one in hubspot_fields():
        options = ("red", "green", "blue") if one == "enumeration" else ()
        portal.add_property("contacts", name, one, _FIELD_TYPES[one], options)
    for number in range(COUNT):
        at = _BEGIN + timedelta(minutes=number)
        values = {name: _cell(number, place, one)
                  for place, (name, one) in enumerate(hubspot_fields())}  # fmt: skip
        portal.add("contacts", _person(number, "email", "firstname", "lastname") | values,
                   created_at=at)  # fmt: skip
    return portal


def fill_salesforce() -> SalesforceStandIn:
    """Make an org full of leads."""
    org = SalesforceStandIn(now=lambda: _NOW)
    for name, one in salesforce_fields():
        more: dict[str, Any] = {"referenceTo": ["User"]} if one == "reference" else {}
        options = ["red", "green", "blue"] if one == "picklist" else []
        org.add_field("Lead", name, one, picklistValues=options, **more)
    for number in range(COUNT):
        at = _BEGIN + timedelta(minutes=number)
        values = {name: _typed(_cell(number, place, one), one, org.admin_id)
                  for place, (name, one) in enumerate(salesforce_fields())}  # fmt: skip
        org.add("Lead", _person(number, "Email", "Company", "LastName") | values, created_at=at)
    return org


def _person(number: int, email: str, first: str, last: str) -> dict[str, Any]:
    return {email: f"person{number}@example{number % 900}.com", first: f"First {number % 700}",
            last: f"Last {number}"}  # fmt: skip


def _cell(number: int, place: int, one: str) -> str | None:
    """Make a cell's text; empty in one of four."""
    spread = number * 31 + place * 17
    if spread % 4 == 0:
        return None
    return {
        "number": f"{spread % 90_000 / 4:g}",
        "double": f"{spread % 90_000 / 4:g}",
        "datetime": f"2026-0{spread % 9 + 1}-1{spread % 10}T0{spread % 10}:30:15.000Z",
        "bool": "true" if spread % 3 else "false",
        "boolean": "true" if spread % 3 else "",
        "enumeration": ("red", "green", "blue")[spread % 3],
        "picklist": ("red", "green", "blue")[spread % 3],
    }.get(one, f"text of field {place} {spread}")


def _typed(text: str | None, one: str, user_id: str) -> object:
    if one == "boolean":
        return bool(text)
    if text is None:
        return None
    return float(text) if one == "double" else user_id if one == "reference" else text


# The clients.


def our_hubspot(url: str) -> int:
    ours = HubSpot(url, SecretStr("standin-token"), pacers=unpaced())
    try:
        return _records(ours.pull("contact", _hubspot_names(), _WHOLE))
    finally:
        ours.close()


def their_hubspot(url: str) -> int:
    client = hubspot.Client.create(access_token="standin-token", host=url, base_url=url)  # noqa: S106
    return len(client.crm.contacts.get_all(properties=_hubspot_names()))


def our_salesforce(url: str) -> int:
    return _records(
        _salesforce(url, Jobs(above_rows=COUNT)).pull("lead", _salesforce_names(), _WHOLE)
    )


def our_salesforce_bulk(url: str) -> int:
    jobs = Jobs(above_rows=0, first_look_seconds=0.1)
    return _records(_salesforce(url, jobs).pull("lead", _salesforce_names(), _WHOLE))


def their_salesforce(url: str) -> int:
    told = requests.post(
        f"{url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=("standin-client", "standin-secret"),
        timeout=10,
    ).json()
    session = requests.Session()
    session.mount(f"https://{url.removeprefix('http://')}", PlainHttp(url))
    client = OfficialClient(instance_url=url, session_id=told["access_token"], session=session)
    soql = f"SELECT {', '.join(_salesforce_names())} FROM Lead"  # noqa: S608
    return len(pd.DataFrame(client.query_all(soql)["records"]).drop(columns="attributes"))


def _salesforce(url: str, jobs: Jobs) -> Salesforce:
    settings = Settings(
        _env_file=None,
        salesforce_login_url=url,
        salesforce_client_id="standin-client",
        salesforce_client_secret=SecretStr("standin-secret"),
    )
    return Salesforce.from_settings(settings, jobs=jobs)


def _hubspot_names() -> list[str]:
    return [*_HUBSPOT_OWN, *(name for name, _ in hubspot_fields())]


def _salesforce_names() -> list[str]:
    return [*_SALESFORCE_OWN, *(name for name, _ in salesforce_fields())]


def _records(batches: Iterator[Batch]) -> int:
    """Count what came, keeping all of it as the peers do."""
    kept: Sequence[Batch] = list(batches)
    return sum(len(batch.records) for batch in kept)


if __name__ == "__main__":
    main()
