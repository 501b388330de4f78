"""Pulling into the store and delivering out of it, over HTTP against the HubSpot stand-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from agreement.errors import AccessError, GuardStopped
from agreement.frames import Writes, as_text
from agreement.policy import load_agreement
from connectors.hubspot import HubSpot
from connectors.salesforce import Salesforce
from connectors.settings import Settings
from connectors.store import Store
from flows.deliver import deliver, settle
from flows.plan import Plan
from flows.provision import provision
from flows.pull import pull
from flows.run import Run
from standins.hubspot import HubSpotStandIn
from standins.server import serve

CREATED = datetime(2026, 11, 1, tzinfo=UTC)
FIELD = "tandem_match_status"


@dataclass
class Portal:
    """A portal of a few contacts, and runs against it."""

    standin: HubSpotStandIn
    settings: Settings
    store: Store

    def run(self, at: datetime, *, is_full: bool = False) -> Run:
        agreement = load_agreement()
        run_id = self.store.start_run(as_of=at, agreement_version="v1", started_at=at)
        hubspot = HubSpot.from_settings(self.settings)
        salesforce = Salesforce.from_settings(self.settings)
        return Run(run_id, at, agreement, self.store, hubspot, salesforce, self.settings, is_full)

    def provision(self) -> None:
        provision([HubSpot.from_settings(self.settings)], load_agreement(), is_applied=True)


@contextmanager
def portal(folder: Path, contacts: int, **options) -> Iterator[Portal]:
    standin = HubSpotStandIn(now=lambda: now() + timedelta(hours=1), **options)
    for number in range(contacts):
        standin.add("contacts", {"email": f"{number}@x.test"}, created_at=CREATED)
    with serve(standin.app()) as url:
        settings = Settings(
            _env_file=None,
            hubspot_access_token=SecretStr("standin-token"),
            hubspot_base_url=url,
            salesforce_login_url=url,
            salesforce_client_id="not asked",
            salesforce_client_secret=SecretStr("not asked"),
        )
        store = Store.open(f"sqlite:///{folder}/tandem.db")
        yield Portal(standin, settings, store)
        store.close()


def now() -> datetime:
    return CREATED + timedelta(days=30)


def hubspot_pull(run: Run) -> dict[str, int]:
    return pull(run, run.hubspot)


def test_a_second_pull_at_the_same_moment_reads_nothing(tmp_path):
    with portal(tmp_path, 3) as here:
        assert hubspot_pull(here.run(now()))["contact"] == 3
        assert hubspot_pull(here.run(now()))["contact"] == 0


def test_an_earlier_moment_is_replayed_and_forgets_nothing(tmp_path):
    with portal(tmp_path, 3) as here:
        hubspot_pull(here.run(now()))
        assert hubspot_pull(here.run(CREATED))["contact"] == 3
        assert here.store.watermark("hubspot", "contact") == now()


def test_when_a_field_appears_everything_is_read_again_once(tmp_path):
    with portal(tmp_path, 3) as here:
        hubspot_pull(here.run(now()))
        here.provision()
        assert hubspot_pull(here.run(now()))["contact"] == 3
        assert hubspot_pull(here.run(now()))["contact"] == 0


def test_a_full_read_that_brings_much_less_is_not_saved(tmp_path):
    with portal(tmp_path, 10) as here:
        hubspot_pull(here.run(now()))
        with portal(tmp_path, 1) as shrunk:
            later = now() + timedelta(days=1)
            with pytest.raises(GuardStopped, match="hubspot gave 1 of 10 known contact records"):
                hubspot_pull(shrunk.run(later, is_full=True))
        assert here.store.watermark("hubspot", "contact") == now()


def test_an_object_that_the_token_may_not_read_is_left_out(tmp_path):
    scopes = ["crm.objects.contacts.read", "crm.objects.companies.read", "crm.objects.deals.read"]
    with portal(tmp_path, 2, scopes=scopes) as here:
        counts = hubspot_pull(here.run(now()))
        assert counts["contact"] == 2
        assert "form_submission" not in counts


def test_a_token_that_may_not_read_contacts_stops_the_night(tmp_path):
    companies_only = ["crm.objects.companies.read"]
    with portal(tmp_path, 2, scopes=companies_only) as here, pytest.raises(AccessError):
        hubspot_pull(here.run(now()))


def planned(here: Portal, run: Run) -> Plan:
    """Plan to write one field of every contact."""
    records = here.store.mirror("hubspot", "contact", [FIELD])["record_id"]
    size = len(records)
    columns = {"system": "hubspot", "kind": "contact", "record_id": "", "field": FIELD}
    columns |= {"before": None, "after": "linked", "reason": "matched"}
    frame = pd.DataFrame({name: as_text([value] * size) for name, value in columns.items()})
    writes = Writes.validate(frame.assign(record_id=records))
    return Plan(here.store.save_plan(run.run_id, writes, at=run.as_of), writes, {})


def values_in(here: Portal) -> list[str | None]:
    return [values.get(FIELD) for values in here.standin.records("contacts").values()]


def test_a_plan_arrives_and_comes_back_as_nothing_new(tmp_path):
    with portal(tmp_path, 150) as here:
        here.provision()
        run = here.run(now())
        hubspot_pull(run)
        assert deliver(run, planned(here, run)) == {"hubspot": {"contact": 150}, "salesforce": {}}
        assert values_in(here) == ["linked"] * 150
        later = here.run(now() + timedelta(days=1))
        assert hubspot_pull(later)["contact"] == 150
        assert here.store.mirror("hubspot", "contact", [FIELD])[FIELD].eq("linked").all()


def test_a_night_that_died_between_sending_and_the_answer_is_settled_by_reading(tmp_path):
    with portal(tmp_path, 3) as here:
        here.provision()
        first = here.run(now())
        hubspot_pull(first)
        planned(here, first)
        sent = here.store.planned(first.run_id)[:2]
        here.store.mark_sent([row.key for row in sent], at=now())
        here.standin.set("contacts", sent[0].record_id, sent[0].after, at=now())
        second = here.run(now())
        assert settle(second) == 2
        assert here.store.confirmed(first.run_id) == {("hubspot", "contact"): 1}
        assert here.store.planned(first.run_id) == here.store.unsettled() == []
        mirror = here.store.mirror("hubspot", "contact", [FIELD]).set_index("record_id")[FIELD]
        assert mirror.dropna().to_dict() == {sent[0].record_id: "linked"}


def test_a_stage_started_again_settles_what_was_sent_and_goes_on(tmp_path):
    with portal(tmp_path, 3) as here:
        here.provision()
        run = here.run(now())
        hubspot_pull(run)
        plan = planned(here, run)
        here.store.mark_sent([here.store.planned(run.run_id)[0].key], at=now())
        assert deliver(replace(run), plan)["hubspot"] == {"contact": 3}
        assert values_in(here) == ["linked"] * 3
