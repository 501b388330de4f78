"""Pulling into the store and delivering out of it, over HTTP against the HubSpot stand-in."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from agreement.errors import AccessError, GuardStopped, VendorUnavailable
from agreement.frames import Writes, as_text
from agreement.policy import Allowance, load_agreement
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
from transforms.normalise import FIELDS

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
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


# What an org lacks --------------------------------------------------------------------------------

SCOPES = {
    "crm.objects.owners.read",
    "crm.objects.contacts.read",
    "crm.objects.companies.read",
    "crm.objects.deals.read",
    "forms",
    "content",
    "crm.objects.marketing_events.read",
}


@pytest.mark.parametrize(
    ("scope", "lacking"),
    [
        ("crm.objects.owners.read", {"owner"}),
        ("crm.objects.companies.read", {"company"}),
        ("crm.objects.deals.read", {"deal"}),
        ("forms", {"form", "form_submission"}),
        ("content", {"email_event"}),
    ],
)
def test_each_object_that_a_hubspot_token_lacks_is_said_once_and_skipped(
    place, caplog, scope, lacking
):
    place.hubspot.access.scopes = SCOPES
    every = set(place.pull("hubspot"))
    place.hubspot.access.scopes = SCOPES - {scope}
    place.now += DAY
    with caplog.at_level(logging.INFO, logger="flows.pull"):
        assert set(place.pull("hubspot")) == every - lacking
    said = [record.message for record in caplog.records if "skipped" in record.message]
    assert len(said) == len(lacking)
    assert {kind for kind in lacking for line in said if f"kind={kind} " in line} == lacking


OPTIONAL = {
    "CurrencyType": "currency_type",
    "DatedConversionRate": "dated_conversion_rate",
    "Campaign": "campaign",
    "CampaignMember": "campaign_member",
    "LeadHistory": "lead_history",
    "OpportunityHistory": "opportunity_history",
    "OpportunityContactRole": "opportunity_contact_role",
    "Task": "task",
    "Event": "event",
    "Organization": "organization",
}


@pytest.mark.parametrize("sobject", sorted(OPTIONAL))
def test_each_object_that_an_org_lacks_is_said_once_and_skipped(place, caplog, sobject):
    place.salesforce.hide_object(sobject)
    with caplog.at_level(logging.INFO, logger="flows.pull"):
        pulled = place.pull("salesforce")
    assert OPTIONAL[sobject] not in pulled
    assert {"lead", "contact", "account", "opportunity", "user"} <= set(pulled)
    said = [record.message for record in caplog.records if "skipped" in record.message]
    assert [f"kind={OPTIONAL[sobject]} " in line for line in said] == [True]


@pytest.mark.parametrize("sobject", ["Lead", "Contact", "Account", "Opportunity", "User"])
def test_an_org_without_what_the_night_needs_stops_it(place, sobject):
    place.salesforce.hide_object(sobject)
    with pytest.raises(AccessError, match=sobject.lower()):
        place.pull("salesforce")


# Side by side -------------------------------------------------------------------------------------


def saved_kinds(place) -> list[str]:
    engine = create_engine(place.database_url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT kind FROM pull ORDER BY pull_id"))
        kinds = [kind for (kind,) in found]
    engine.dispose()
    return kinds


def test_objects_are_read_side_by_side_and_saved_in_their_order(place):
    place.hubspot.add("contacts", {"email": "a@x.test"}, created_at=place.now)
    place.hubspot.faults.slow_next(1.0, template="GET /crm/v3/owners")
    kinds = list(place.pull("hubspot"))
    assert saved_kinds(place) == kinds == [kind for system, kind in FIELDS if system == "hubspot"]
    answered = [call.template for call in place.hubspot.log]  # in the order of their answers
    assert answered.index("GET /crm/v3/objects/{type}") < answered.index("GET /crm/v3/owners")


def test_what_others_have_read_is_saved_when_one_object_fails(place):
    place.hubspot.add("contacts", {"email": "a@x.test"}, created_at=place.now)
    place.hubspot.faults.answer_next(503, template="GET /crm/v3/owners", times=2)
    with pytest.raises(VendorUnavailable):
        place.pull("hubspot")
    assert place.store.watermark("hubspot", "owner") is None
    assert place.store.watermark("hubspot", "contact") == place.now
    assert place.pull("hubspot")["contact"] == 1
    assert place.store.watermark("hubspot", "owner") == place.now


def test_a_guard_stops_the_pull_before_what_comes_after_it_is_saved(place):
    for number in range(10):
        place.hubspot.add("companies", {"name": str(number)}, created_at=place.now)
    place.pull("hubspot")
    before = place.now
    for own in list(place.hubspot.records("companies"))[:9]:
        table = place.hubspot.tables["companies"]
        table.purge(table.live[int(own)])
    place.now += DAY
    with pytest.raises(GuardStopped, match="1 of 10 known company"):
        place.pull("hubspot", is_full=True)
    assert place.store.watermark("hubspot", "company") == before
    assert place.store.watermark("hubspot", "contact") == before


# Budget -------------------------------------------------------------------------------------------


@pytest.fixture
def many(place):
    """Enough of everything that a night takes some ninety requests."""
    place.hubspot.limits.per_ten_seconds = 1_000_000  # so that answers tell the quota
    company = place.hubspot.add("companies", {"name": "Blue"}, created_at=place.now - DAY)
    for number in range(2_300):
        own = place.hubspot.add(
            "contacts", {"email": f"{number}@x.test"}, created_at=place.now - DAY
        )
        if number % 100 == 0:
            place.hubspot.associate("contacts", own, "companies", company)
    for number in range(1_500):
        place.hubspot.add("deals", {"dealname": str(number)}, created_at=place.now - DAY)
    return place


def held(place) -> dict[str, object]:
    """Give everything that the store holds of the portal, but when it was read."""
    frames = {
        kind: place.store.mirror("hubspot", kind, [*fields]).to_dict("list")
        for (system, kind), fields in FIELDS.items()
        if system == "hubspot"
    }
    links = place.store.associations("hubspot", "contact", "company").to_dict("list")
    history = place.store.history("hubspot", "contact", ["lifecyclestage"]).to_dict("list")
    marks = {kind: place.store.watermark("hubspot", kind) for kind in frames}
    return frames | {"links": links, "history": history, "marks": marks}


def stopped_pull(place, system: str) -> VendorUnavailable | None:
    """Pull; give why it was stopped, None when it came to its end."""
    try:
        place.pull(system)
    except VendorUnavailable as error:
        return error
    return None


def test_runs_that_their_budget_ends_come_to_the_same_state_as_one_without(many, tmp_path):
    many.agree(budget={"hubspot": Allowance(daily_share="0.07", reserve="0")})
    many.hubspot.limits.daily = 1_000
    stops = []
    while (stop := stopped_pull(many, "hubspot")) is not None:
        assert len(many.hubspot.log) == 70
        stops.append(stop)
        assert many.store.watermark("hubspot", "owner") == many.now  # what was read is saved
        assert len(stops) < 9
        many.hubspot.limits.used_today = 0
    assert [stop.exit_code for stop in stops] == [6] * len(stops) != []
    assert "share of 70 requests is used up. The next run goes on" in str(stops[0])
    in_parts = held(many)
    many.store.close()
    many.store = Store.open(f"sqlite:///{tmp_path / 'whole.db'}")
    many.agree(budget={"hubspot": Allowance(daily_share="1", reserve="0")})
    many.hubspot.limits.used_today = 0
    many.pull("hubspot")
    assert held(many) == in_parts


def test_a_first_load_that_was_stopped_goes_on_and_sees_what_changed_meanwhile(many):
    many.agree(budget={"hubspot": Allowance(daily_share="0.07", reserve="0")})
    many.hubspot.limits.daily = 1_000
    with pytest.raises(VendorUnavailable):
        many.pull("hubspot")
    progress = many.store.progress("hubspot", "contact")
    assert progress.since is None
    first, *_ = many.hubspot.records("contacts")
    many.now += HOUR
    many.hubspot.set("contacts", first, {"email": "moved@x.test"}, at=many.now)
    many.now += HOUR
    many.hubspot.limits.used_today = 0
    many.agree(budget={"hubspot": Allowance(daily_share="1", reserve="0")})
    many.pull("hubspot")
    live = many.live("hubspot", "contact", "email")
    assert len(live) == 2_300
    assert live.loc[first, "email"] == "moved@x.test"
    assert many.store.watermark("hubspot", "contact") == many.now
    assert many.store.progress("hubspot", "contact") is None
    assert many.calls("hubspot")["GET /crm/v3/objects/{type}"] < 46 + 15  # not from the start


def test_what_other_apps_leave_is_not_used_up_below_the_reserve(many):
    many.agree(budget={"hubspot": Allowance(daily_share="0.5", reserve="0.1")})
    many.hubspot.limits.daily = 1_000
    many.run().hubspot.account()  # the portal's day begins with its first request
    many.hubspot.limits.used_today = 880
    with pytest.raises(VendorUnavailable, match="next run goes on"):
        many.pull("hubspot")
    assert 890 <= many.hubspot.limits.used_today <= 900


def test_a_vendor_that_does_not_tell_its_quota_sets_no_end(many):
    many.hubspot.limits.per_ten_seconds = None
    many.agree(budget={"hubspot": Allowance(daily_share="0.001", reserve="0")})
    assert many.pull("hubspot")["contact"] == 2_300


def test_salesforce_s_share_ends_a_run_and_the_next_goes_on(place):
    for number in range(900):
        place.salesforce.add(
            "Lead",
            {"LastName": f"{number}", "Company": "Blue"},
            created_at=place.now - DAY,
            modified_at=place.now - timedelta(seconds=number),
        )
    place.salesforce.page_size = 50
    place.salesforce.daily_api_requests = 1_000
    # Enough for a quiet night (a description and a page an object), not for the leads as well.
    place.agree(budget={"salesforce": Allowance(daily_share="0.044", reserve="0")})
    stops = []
    while (stop := stopped_pull(place, "salesforce")) is not None:
        stops.append(str(stop))
        assert len(stops) < 9
        place.salesforce.api_requests_used = 0
    assert stops
    assert all("share of 44 requests" in stop for stop in stops)
    assert len(place.live("salesforce", "lead", "LastName")) == 900
    assert place.store.watermark("salesforce", "event") == place.now
