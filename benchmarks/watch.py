"""Calls and seconds of one watch over many open clocks and a few changes, through both stand-ins.

`python -m benchmarks.watch [CLOCKS] [CHANGES]`, by default 5,000 open clocks and 40 changes. The
clocks are those of a seeded company whose leads were all handed over again a working hour ago.
"""

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from flows.demo import Stage, serve_crms
from flows.night import night
from flows.provision import provision
from flows.run import agreement_in_force, connect, open_run
from flows.watch import watch
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.world import build_world

_LEAST_PEOPLE = 200


def main() -> None:
    """Print the figures."""
    clocks = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    changes = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    # Some contacts are excluded or gone; a few more than asked for have their clock running.
    world = build_world(max(clocks + clocks // 10, _LEAST_PEOPLE), 7)
    moment = [world.as_of]
    hubspot = HubSpotStandIn(now=lambda: moment[0])
    salesforce = SalesforceStandIn(now=lambda: moment[0])
    world.load(hubspot, salesforce)
    with TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'watch.db'}"
        with serve_crms(hubspot, salesforce, database) as settings:
            here = Stage(world, hubspot, salesforce, settings)
            provision(connect(settings), agreement_in_force(settings), is_applied=True)
            _start_clocks(here, clocks + clocks // 14, world.as_of - timedelta(minutes=30))
            with open_run(settings, as_of=world.as_of, tell=_keep_quiet) as run:
                night(run, "apply")
            # For 75 minutes the window that is read again holds all that the night wrote.
            for place, minutes in enumerate((5, 60, 180)):
                moment[0] = world.as_of + timedelta(minutes=minutes)
                _watch(here, moment[0])
                some = list(hubspot.records("contacts"))[place * changes :][:changes]
                _answer(here, some, moment[0] + timedelta(minutes=1))
                moment[0] += timedelta(minutes=5)
                _watch(here, moment[0])


def _start_clocks(here: Stage, clocks: int, at: datetime) -> None:
    """Make contacts MQLs again: back to a recycle stage, then forward."""
    contacts = list(here.hubspot.records("contacts"))[:clocks]
    for record_id in contacts:
        for minutes, value in ((0, "lead"), (1, "marketingqualifiedlead")):
            moment = at + timedelta(minutes=minutes)
            here.hubspot.set("contacts", record_id, {"lifecyclestage": value}, at=moment)


def _answer(here: Stage, contacts: list[str], at: datetime) -> None:
    """Change some: half are called, half get another owner."""
    owners = [
        values["hubspot_owner_id"]
        for values in here.hubspot.records("contacts").values()
        if values.get("hubspot_owner_id")
    ]
    for place, record_id in enumerate(contacts):
        if place % 2:
            held = here.hubspot.records("contacts")[record_id].get("hubspot_owner_id")
            owner = next(each for each in owners if each != held)
            here.hubspot.set("contacts", record_id, {"hubspot_owner_id": owner}, at=at)
            continue
        call = here.hubspot.add(
            "calls",
            {
                "hs_timestamp": at.isoformat(),
                "hs_call_direction": "OUTBOUND",
                "hs_call_status": "COMPLETED",
                "hs_object_source": "CRM_UI",
            },
            created_at=at,
        )
        here.hubspot.associate("calls", call, "contacts", record_id)


def _watch(here: Stage, at: datetime) -> None:
    start, cpu = time.perf_counter(), time.process_time()
    with open_run(here.settings, as_of=at, tell=_keep_quiet) as run:
        found = watch(run)
    after = (at - here.world.as_of) // timedelta(minutes=1)
    print(
        f"{after} minutes after the night: {found['open_clocks']:,} open clocks,"
        f" {sum(found['changed'].values()):,} changed records,"
        f" written {found['written']}, calls {found['api_calls']},"
        f" {time.perf_counter() - start:.1f} s, CPU {time.process_time() - cpu:.1f} s"
        " (both stand-ins in this process)"
    )


def _keep_quiet(*_said: object) -> None:
    """Take a message and say nothing."""


if __name__ == "__main__":
    main()
