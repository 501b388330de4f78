"""Between nights: what can change a clock is read, written back and said, in few calls."""

import json
from contextlib import closing
from datetime import timedelta

import pandas as pd
import pytest
from click.testing import CliRunner

from agreement.errors import BadInput, Busy, Stale, VendorUnavailable
from connectors.hubspot import HubSpot
from connectors.salesforce import Salesforce
from connectors.store import Store
from flows.cli import tandem
from flows.demo import serve_crms
from flows.night import night
from flows.provision import provision
from flows.run import agreement_in_force, connect, open_run
from flows.watch import watch
from flows.writes import apply_plan
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.world import build_world

FIVE = timedelta(minutes=5)
WRITES = "POST /crm/v3/objects/{type}/batch/update"


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

    def run(self, connect_by=connect):
        return open_run(
            self.settings,
            as_of=self.now,
            tell=lambda route, key, text, to: self.told.append(text),
            connect_by=connect_by,
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


@pytest.mark.parametrize(("source", "stops"), [("INTEGRATION", False), ("CRM_UI", True)])
def test_a_text_that_a_person_logged_stops_a_clock_and_an_app_s_does_not(watched, source, stops):
    before = watched.handoffs()
    is_open = before["touched_at"].isna() & before["relief"].isna() & before["owner_id"].notna()
    handoff = before[is_open].iloc[0]
    text = watched.hubspot.add(
        "communications",
        {
            "hs_timestamp": watched.now.isoformat(),
            "hs_communication_channel_type": "SMS",
            "hs_object_source": source,
        },
        created_at=watched.now,
    )
    watched.hubspot.associate("communications", text, "contacts", handoff["contact_id"])
    watched.watch()
    evidence = watched.handoffs().loc[handoff.name, "evidence_id"]
    assert (evidence == text) == stops


def test_a_message_links_each_record_in_both_crms(watched):
    told = "\n".join(watched.told)
    known = watched.handoffs().dropna(subset=["record_id", "contact_id"])
    named = known[[record in told for record in known["record_id"]]]
    assert len(named)
    salesforce = watched.settings.salesforce_login_url
    hubspot = "https://app.hubspot.com/contacts/8442/record/0-1"
    for record, contact in zip(named["record_id"], named["contact_id"], strict=True):
        assert f" {salesforce}/{record} {hubspot}/{contact}\n" in told


OURS = {
    "status": ("tandem_handoff_status", "Tandem_Handoff_Status__c"),
    "due_at": ("tandem_handoff_due_at", "Tandem_Handoff_Due_At__c"),
    "answer": ("tandem_lead_answer", "Tandem_Lead_Answer__c"),
    "answer_reason": ("tandem_lead_answer_reason", "Tandem_Lead_Answer_Reason__c"),
}


def written(watched, handoff):
    """Give a handoff's fields as both CRMs show them; a field that holds nothing is None."""
    hubspot = watched.hubspot.records("contacts")[handoff["contact_id"]]
    salesforce = watched.salesforce.records(handoff["record_kind"].capitalize())
    crms = (hubspot, salesforce[handoff["record_id"]])
    return [
        {name: crm.get(fields[place]) or None for name, fields in OURS.items()}
        for place, crm in enumerate(crms)
    ]


def desired(handoff):
    """Give what a handoff's fields are to hold."""
    due = handoff["due_at"]
    texts = {name: handoff[name] for name in ("status", "answer", "answer_reason")}
    found = {name: None if pd.isna(text) else text for name, text in texts.items()}
    return found | {"due_at": None if pd.isna(due) else due}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "waiting"),
        ("status", "late"),
        ("status", "on_time"),
        ("answer", "accepted"),
        ("answer", "rejected"),
    ],
)
def test_both_crms_show_how_a_handoff_stands_and_what_sales_answered(watched, column, value):
    latest = watched.handoffs().sort_values("started_at").drop_duplicates("person_id", keep="last")
    linked = latest.dropna(subset=["record_id", "contact_id"])
    some = linked[linked[column] == value]
    assert len(some)
    for _, handoff in some.iterrows():
        for shown in written(watched, handoff):
            due = shown["due_at"] and pd.Timestamp(shown["due_at"])
            assert shown | {"due_at": due} == desired(handoff)
    if value == "rejected":
        assert some["answer_reason"].notna().any()


def test_a_quiet_watch_writes_and_says_nothing(watched):
    watched.watch()
    told = len(watched.told)
    done = watched.watch(timedelta(0))
    assert done["written"] == {}
    assert len(watched.told) == told
    # Eleven, and one for each kind of engagement that came within the index's lag.
    assert sum(done["api_calls"].values()) <= 13


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


def test_a_due_time_that_creeps_on_while_a_pause_lasts_is_written_by_the_hour(watched):
    stood = watched.handoffs()
    is_waiting = (stood["status"] == "waiting") & (stood["record_kind"] == "lead")
    leads = list(stood.loc[is_waiting, "record_id"])
    for lead in leads:
        watched.salesforce.set("Lead", lead, {"Status": "Waiting for Buyer"}, at=watched.now)
    watched.now += timedelta(days=(1 - watched.now.weekday()) % 7 + 7)

    def due():
        return watched.handoffs().set_index("record_id")["due_at"]

    def written():
        return pd.Timestamp(watched.salesforce.records("Lead")[lead]["Tandem_Handoff_Due_At__c"])

    creeping = []
    while not creeping:  # at some hour of the Tuesday the owner's office is open
        watched.watch(timedelta(hours=4))
        before = due()
        watched.watch()
        creeping = [lead for lead in leads if due()[lead] == before[lead] + FIVE]
        assert watched.now.weekday() == 1
    lead = creeping[0]
    assert written() == before[lead]
    watched.watch(timedelta(minutes=55))
    assert written() == before[lead] + timedelta(hours=1)
    watched.salesforce.set("Lead", lead, {"Status": "Working - Contacted"}, at=watched.now + FIVE)
    watched.watch(2 * FIVE)
    assert written() == before[lead] + timedelta(hours=1, minutes=5)


def test_a_watch_does_not_go_back_in_time(watched):
    before = watched.handoffs()
    with pytest.raises(BadInput, match="Take a later --as-of"):
        watched.watch(-timedelta(minutes=1))
    watched.now += timedelta(minutes=1)
    assert watched.handoffs().equals(before)


def test_a_night_does_not_take_back_what_a_watch_has_decided_and_a_look_back_keeps_its_clocks(
    watched,
):
    before = watched.handoffs()
    stood = watched.now
    with watched.store() as store:
        night_at = store.last_applied_as_of()
    assert night_at < stood
    try:
        watched.now = stood - timedelta(minutes=1)
        with (
            watched.run() as run,
            pytest.raises(BadInput, match="before the last applied night or"),
        ):
            night(run, "apply")
        with watched.run() as run:
            plan_id = night(run, "plan")["plan_id"]
        watched.now = stood
        with watched.run() as run, pytest.raises(Stale, match="looks back"):
            apply_plan(run, plan_id)
    finally:
        watched.now = stood
    assert watched.handoffs().equals(before)


def impatient(settings):
    """Connect to both CRMs, and ask HubSpot for nothing twice."""
    base_url, token = settings.hubspot_access()
    return HubSpot(base_url, token, attempts=1), Salesforce.from_settings(settings)


def test_who_is_late_is_told_of_while_a_crm_takes_no_writes_and_not_once_more_after_it(watched):
    days = (2 - watched.now.weekday()) % 7 + 7
    watched.now = (watched.now + timedelta(days=days)).replace(hour=15)
    watched.watch(timedelta(0))
    contact = watched.hubspot.add(
        "contacts",
        {"email": "late@newcomer.example", "lifecyclestage": "marketingqualifiedlead"},
        created_at=watched.now,
    )
    told, heard = len(watched.told), []
    watched.hubspot.faults.answer_next(503, template=WRITES)
    watched.now += timedelta(days=7)
    with pytest.raises(VendorUnavailable), watched.run(impatient) as run:
        watch(run, heard.append)
    watched.hubspot.faults.clear()
    assert f"/0-1/{contact}" in "".join(watched.told[told:])
    assert [said.sent for said in heard] == [len(watched.told) - told]
    told = len(watched.told)
    watched.watch()
    assert len(watched.told) == told
    status = watched.hubspot.records("contacts")[contact]["tandem_handoff_status"]
    assert status == watched.handoffs().set_index("contact_id").loc[contact, "status"]


def command(watched, *arguments):
    """Run `tandem` against the company; give its exit code and its JSON."""
    environment = {
        "TANDEM_DATABASE_URL": watched.database,
        "HUBSPOT_ACCESS_TOKEN": "standin-token",
        "HUBSPOT_BASE_URL": watched.settings.hubspot_base_url,
        "SALESFORCE_LOGIN_URL": watched.settings.salesforce_login_url,
        "SALESFORCE_CLIENT_ID": "standin-client",
        "SALESFORCE_CLIENT_SECRET": "standin-secret",
    }
    done = CliRunner().invoke(tandem, [*arguments, "--json"], env=environment)
    code = getattr(done.exception, "exit_code", done.exit_code)
    return code, json.loads(done.stdout or "{}")


def test_the_command_ends_with_6_while_a_channel_is_down_and_loses_nothing(watched):
    days = (1 - watched.now.weekday()) % 7 + 7
    watched.now = (watched.now + timedelta(days=days)).replace(
        hour=15
    )  # Tuesday, before noon there
    with watched.store() as store:
        store.store_notice("r", "k" * 16, "pager", "2026-11-02", "Wake up", at=watched.now)
    for later in (0, 5):
        moment = watched.now + timedelta(minutes=later)
        code, found = command(watched, "watch", "--as-of", moment.isoformat())
        assert (code, found["channels_down"]) == (6, ["pager"])
    watched.now = moment
    with watched.store() as store:
        assert [row.attempts for row in store.unsent_messages() if row.route == "pager"] == [2]


def test_an_alert_is_taken_note_of_once_and_by_a_name(watched):
    _, listed = command(watched, "alerts")
    alert = listed["alerts"][0]["alert_key"]
    assert command(watched, "alerts", "ack", alert, "--by", " ")[0] == 3
    for person in ("ana", "ben"):
        code, noted = command(watched, "alerts", "ack", alert, "--by", person)
        assert (code, noted) == (0, {"alert": alert, "acknowledged_by": "ana"})
    assert alert not in {row["alert_key"] for row in command(watched, "alerts")[1]["alerts"]}


def test_a_watch_does_not_run_beside_a_night(watched):
    with watched.run(), pytest.raises(Busy, match="holds the lock"), watched.run():
        raise AssertionError("two runs at once")
