"""Between nights: what can change a clock is read, written back and said, in few calls."""

from contextlib import closing
from datetime import timedelta

import pytest

from agreement.errors import BadInput, Busy
from connectors.store import Store
from flows.demo import serve_crms
from flows.night import night
from flows.provision import provision
from flows.run import agreement_in_force, connect, open_run
from flows.watch import watch
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.world import build_world

FIVE = timedelta(minutes=5)


class Watched:
    """A seeded company on a clock of its own, after its first night and first watch."""

    def __init__(self, folder) -> None:
        self.world = build_world(people=150, seed=11)
        self.now = self.world.as_of
        self.hubspot = HubSpotStandIn(now=lambda: self.now)
        self.salesforce = SalesforceStandIn(now=lambda: self.now)
        self.world.load(self.hubspot, self.salesforce)
        self.database = f"sqlite:///{folder / 'tandem.db'}"
        self.told = []

    def run(self):
        return open_run(
            self.settings, as_of=self.now, tell=lambda route, key, text, to: self.told.append(key)
        )

    def watch(self, later=FIVE):
        self.now += later
        with self.run() as run:
            return watch(run)

    def store(self):
        return closing(Store.open(self.database))

    def handoffs(self):
        with self.store() as store:
            return store.measure("handoff").set_index("handoff_id")

    def call(self, contact_id):
        """Log a call that a person of sales made, now."""
        call = self.hubspot.add(
            "calls",
            {
                "hs_timestamp": self.now.isoformat(),
                "hs_call_direction": "OUTBOUND",
                "hs_call_status": "COMPLETED",
                "hs_object_source": "CRM_UI",
            },
            created_at=self.now,
        )
        self.hubspot.associate("calls", call, "contacts", contact_id)
        return call


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Serve the company; its first night has been applied, and a watch followed."""
    here = Watched(tmp_path_factory.mktemp("watched"))
    with serve_crms(here.hubspot, here.salesforce, here.database) as settings:
        here.settings = settings
        provision(connect(settings), agreement_in_force(settings), is_applied=True)
        with here.run() as run, pytest.raises(BadInput, match="tandem sync"):
            watch(run)
        with here.run() as run:
            night(run, "apply")
        here.watch(timedelta(hours=2))
        yield here


def test_a_call_stops_the_clock_and_both_crms_say_so(watched):
    before = watched.handoffs()
    is_open = before["touched_at"].isna() & before["record_id"].notna() & before["relief"].isna()
    handoff = before[is_open].iloc[0]
    call = watched.call(handoff["contact_id"])
    done = watched.watch()
    after = watched.handoffs().loc[handoff.name]
    assert after["evidence_id"] == call
    assert after["status"] in {"on_time", "late"}
    contact = watched.hubspot.records("contacts")[handoff["contact_id"]]
    sobject = handoff["record_kind"].capitalize()
    record = watched.salesforce.records(sobject)[handoff["record_id"]]
    assert contact["tandem_handoff_status"] == after["status"]
    assert record["Tandem_Handoff_Status__c"] == after["status"]
    assert sum(done["api_calls"].values()) <= 18


def test_a_quiet_watch_writes_and_says_nothing(watched):
    watched.watch()
    told = len(watched.told)
    done = watched.watch(timedelta(0))
    assert done["written"] == {}
    assert len(watched.told) == told
    assert sum(done["api_calls"].values()) <= 12  # two for what is inside the index's lag


def test_a_watch_leaves_the_other_clocks_as_they_were(watched):
    before = watched.handoffs()
    watched.watch(timedelta(0))
    after = watched.handoffs()
    assert set(after.index) == set(before.index)
    columns = ["tier", "started_at", "due_at", "owner_id", "touched_at", "evidence_id"]
    assert after[columns].sort_index().equals(before[columns].sort_index())


def test_the_nights_watermarks_stay_so_that_it_misses_nothing(watched):
    with watched.store() as store:
        before = store.watermark("salesforce", "lead")
        watched.watch()
        assert store.watermark("salesforce", "lead") == before


def test_somebody_new_gets_a_clock_which_the_night_keeps(watched):
    contact = watched.hubspot.add(
        "contacts",
        {"email": "new.person@newcomer.example", "lifecyclestage": "marketingqualifiedlead"},
        created_at=watched.now,
    )
    watched.watch()
    (found,) = [
        handoff_id
        for handoff_id, row in watched.handoffs().iterrows()
        if row["contact_id"] == contact
    ]
    watched.now += timedelta(hours=1)
    with watched.run() as run:
        night(run, "apply")
    assert found in watched.handoffs().index


def test_a_watch_does_not_run_beside_a_night(watched):
    with watched.run(), pytest.raises(Busy, match="holds the lock"), watched.run():
        raise AssertionError("two runs at once")
