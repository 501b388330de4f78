"""The demo: both CRMs played locally, a seeded company, the night twice, scored by its truth."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import SecretStr

from connectors.settings import Settings
from connectors.store import Store
from flows.board import read_board, write_page
from flows.night import night
from flows.provision import provision
from flows.reading import open_reading
from flows.run import agreement_in_force, connect, open_run
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve
from standins.world import Truth, World, build_world
from transforms.normalise import ASSOCIATED

Say = Callable[[str], None]

# Rows per request that the vendors allow, for the floor that the night's calls are held against.
_PAGE = {"hubspot": 100, "salesforce": 2000}
_BATCH = {"hubspot": 100, "salesforce": 200}
_SPECIAL_PAGE = {"owner": 500, "form_submission": 50, "email_event": 1000}
_HISTORY_PAGE = 50
_ASSOCIATION_PAGE = 1000


@dataclass(frozen=True)
class Stage:
    """Two stand-ins that serve a world, and the settings that lead to them."""

    world: World
    hubspot: HubSpotStandIn
    salesforce: SalesforceStandIn
    settings: Settings


@contextmanager
def stage(world: World, database_url: str) -> Iterator[Stage]:
    """Serve a world from both stand-ins on free loopback ports."""
    hubspot, salesforce = HubSpotStandIn(), SalesforceStandIn()
    world.load(hubspot, salesforce)
    with serve_crms(hubspot, salesforce, database_url) as settings:
        yield Stage(world, hubspot, salesforce, settings)


@contextmanager
def serve_crms(
    hubspot: HubSpotStandIn, salesforce: SalesforceStandIn, database_url: str
) -> Iterator[Settings]:
    """Serve two stand-ins on free loopback ports; give the settings that lead to them."""
    with serve(hubspot.app()) as hubspot_url, serve(salesforce.app()) as salesforce_url:
        yield Settings(
            _env_file=None,
            tandem_database_url=database_url,
            hubspot_access_token=SecretStr("standin-token"),
            hubspot_base_url=hubspot_url,
            salesforce_login_url=salesforce_url,
            salesforce_client_id="standin-client",
            salesforce_client_secret=SecretStr("standin-secret"),
        )


def demo(people: int, seed: int, out: Path, say: Say) -> dict[str, Any]:
    """Play a company of `people` humans, run the night twice, write the page, and score the result.

    Gives the first night's figures beside the world's truth; the second night runs at the same
    moment and has to write nothing. The demo's database in `out` is made anew.
    """
    out.mkdir(parents=True, exist_ok=True)
    database = out / "demo.db"
    for leftover in out.glob("demo.db*"):
        leftover.unlink()
    say(f"Making a company of {people:,} people (seed {seed}) ...")
    world = build_world(people=people, seed=seed)
    with stage(world, f"sqlite:///{database}") as here:
        say("Provisioning Tandem's fields in both CRMs ...")
        provision(connect(here.settings), agreement_in_force(here.settings), is_applied=True)
        here.hubspot.log.clear()
        here.salesforce.log.clear()
        say("First night ...")
        first = _one_night(here)
        calls = {"hubspot": len(here.hubspot.log), "salesforce": len(here.salesforce.log)}
        floor = api_floor(first, Counter(call.template for call in here.hubspot.log))
        say("Second night, at the same moment ...")
        second = _one_night(here)
        with open_reading(here.settings) as reading:
            page = write_page(*read_board(reading), out)
        links = score_links(here.settings, world.truth)
    linked = links.pop("linked_hubspot")
    return {
        **first,
        "people": people,
        "people_found": first["people"],
        "seed": seed,
        "links": links,
        "truth": truth_figures(world.truth, linked),
        "api_calls": calls,
        "api_floor": floor,
        "second_night_writes": _total(second["written"]),
        "second_night_api_calls": second["api_calls"],
        "page": str(page),
    }


def _one_night(here: Stage) -> dict[str, Any]:
    """Run one night at the world's moment; alerts are counted, not printed one by one."""
    with open_run(here.settings, as_of=here.world.as_of, tell=_keep_quiet) as run:
        return night(run, "apply")


def _keep_quiet(route: str, key: str, text: str, addresses: Sequence[SecretStr]) -> None:
    """Take an alert and say nothing: a demo would fill the screen with them."""


def api_floor(summary: Mapping[str, Any], templates: Counter[str]) -> dict[str, int]:
    """Give the fewest requests that each vendor's page and batch sizes allow for this night.

    Per object: its rows by page, its writes by batch, one description; for contacts their
    histories, per association pair the ids by thousand; one token; the self-check's look at each
    object that was written. `templates` tells which forms were asked.
    """
    return {"hubspot": _hubspot_floor(summary, templates), "salesforce": _salesforce_floor(summary)}


def _hubspot_floor(summary: Mapping[str, Any], templates: Counter[str]) -> int:
    pulled, written = summary["pulled"]["hubspot"], summary["written"]["hubspot"]
    rows = sum(
        max(1, math.ceil(count / _SPECIAL_PAGE.get(kind, _PAGE["hubspot"])))
        for kind, count in pulled.items()
    )
    history = math.ceil(pulled.get("contact", 0) / _HISTORY_PAGE)
    pairs = sum(
        math.ceil(pulled.get(kind, 0) / _ASSOCIATION_PAGE) * len(to_kinds)
        for (system, kind), to_kinds in ASSOCIATED.items()
        if system == "hubspot"
    )
    described = templates["GET /crm/v3/properties/{type}"]
    return int(rows + history + pairs + described + len(written) + _batches("hubspot", written))


def _salesforce_floor(summary: Mapping[str, Any]) -> int:
    pulled, written = summary["pulled"]["salesforce"], summary["written"]["salesforce"]
    rows = sum(max(1, math.ceil(count / _PAGE["salesforce"])) for count in pulled.values())
    token = 1
    return int(rows + len(pulled) + token + len(written) + _batches("salesforce", written))


def _batches(system: str, written: Mapping[str, int]) -> int:
    return sum(math.ceil(count / _BATCH[system]) for count in written.values())


def score_links(settings: Settings, truth: Truth) -> dict[str, Any]:
    """Count our links of a HubSpot contact and a Salesforce record as true, false, missed."""
    with closing(Store.open(settings.database_url)) as store:
        crosswalk = store.crosswalk()
    ours = found_pairs(crosswalk)
    right = ours & truth.pairs
    return {
        "true": len(right),
        "false": len(ours - truth.pairs),
        "missed": len(truth.pairs - ours),
        "linked_hubspot": frozenset(hubspot_id for hubspot_id, _, _ in right),
    }


def found_pairs(crosswalk: pd.DataFrame) -> frozenset[tuple[str, str, str]]:
    """List every pair of a HubSpot contact and a Salesforce record that are one person to us."""
    people = crosswalk[crosswalk["entity"] == "person"]
    ours = people.loc[people["system"] == "hubspot", ["entity_id", "record_id"]]
    theirs = people.loc[people["system"] == "salesforce", ["entity_id", "kind", "record_id"]]
    both = ours.merge(theirs, on="entity_id", suffixes=("_hubspot", ""))
    return frozenset(zip(both["record_id_hubspot"], both["kind"], both["record_id"], strict=True))


def truth_figures(truth: Truth, linked_hubspot: frozenset[str]) -> dict[str, Any]:
    """Give the same figures as the night's, from the world's own truth, for the linked people."""
    counts = Counter(
        handoff.status for handoff in truth.handoffs if handoff.hubspot_id in linked_hubspot
    )
    won = [deal for deal in truth.deals if deal.state == "won"]
    return {
        "handoffs": {name: counts[name] for name in ("on_time", "late", "waiting")},
        "booked_minor": sum(deal.company_minor for deal in won),
        "won": len(won),
    }


def _total(written: Mapping[str, Mapping[str, int]]) -> int:
    return sum(sum(counts.values()) for counts in written.values())
