"""The laws of writing, on two small CRMs: whose edit counts, and what stops before a write.

A night costs a second, so that each company lives through a few of them once, and the tests look at
what happened.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from agreement.errors import GuardStopped, Stale
from connectors.clock import utc_now
from flows import deliver as delivering
from flows import night as nights
from flows.writes import apply_plan, plan_view, stop_when_stale
from tests.flows.small import HOUR, Small, serve_small

pytestmark = pytest.mark.slow

NO_MINIMUM = ("at_least: 20 ", "at_least: 0 ")
LOOSE = {
    "records_share": ('records_share: "0.25"', 'records_share: "1"'),
    "field_share": ('field_share: "0.25"', 'field_share: "1"'),
    "overwrites_share": ('overwrites_share: "0.10"', 'overwrites_share: "1"'),
    "blanks_share": ('blanks_share: "0.02"', 'blanks_share: "1"'),
}


def all_but(guard: str) -> list[tuple[str, str]]:
    return [NO_MINIMUM, *(change for name, change in LOOSE.items() if name != guard)]


# Whose edit counts -------------------------------------------------------------------------------


@dataclass
class Told:
    """What the nights did: summaries, everybody's titles after each, and reads while writing."""

    small: Small
    nights: list[dict] = field(default_factory=list)
    titles: list[list[tuple]] = field(default_factory=list)
    plans: list[dict] = field(default_factory=list)
    second_reads: int = 0

    def stage(self, work: Any, *arguments: Any) -> Any:
        """Run a stage; count what delivery reads again before it writes."""
        reads = self.small.reads()
        done = work(*arguments)
        if work is delivering.deliver:
            self.second_reads += self.small.reads() - reads
        return done

    def night(self) -> None:
        self.nights.append(self.small.night(stage=self.stage))
        people = range(len(self.small.hubspot_ids))
        self.titles.append([self.small.titles(person) for person in people])
        with self.small.store() as store:
            self.plans.append(plan_view(store, self.nights[-1]["plan_id"]))


HUBSPOT, SALESFORCE, DIFFERENT, EMPTIED, OPTED_OUT, EXCLUDED, TOO_LONG, SAME, FILLED, SETTLED = (
    range(10)
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    with serve_small(tmp_path_factory.mktemp("edits"), people=10) as small:
        small.edit_salesforce(FILLED, Title=None)
        told = Told(small)
        told.night()
        small.edit_hubspot(HUBSPOT, jobtitle="from HubSpot")
        small.edit_salesforce(SALESFORCE, Title="from Salesforce")
        for person in (DIFFERENT, SETTLED):
            small.edit_hubspot(person, jobtitle="mine")
            small.edit_salesforce(person, Title="yours")
        small.edit_hubspot(EMPTIED, jobtitle="")
        small.edit_salesforce(OPTED_OUT, HasOptedOutOfEmail=True)
        lead = {"LastName": "X", "Company": "Y", "Email": f"person{EXCLUDED}@acme.test"}
        lead["HasOptedOutOfEmail"] = True
        small.salesforce.add("Lead", lead, created_at=small.now)
        small.edit_hubspot(TOO_LONG, jobtitle="x" * 200)
        small.edit_hubspot(SAME, jobtitle="both")
        small.edit_salesforce(SAME, Title="both")
        small.agree(("email_domains: []", "email_domains: [acme.test]"))
        told.night()
        small.edit_salesforce(HUBSPOT, Title="second")
        small.edit_salesforce(SETTLED, Title="mine")
        with small.store() as store:
            waiting = store.open_conflicts().set_index("hubspot_id")["conflict_id"]
            chosen = waiting[small.hubspot_ids[DIFFERENT]]
            assert store.decide_conflict(chosen, "salesforce", by="ops", at=utc_now())
        told.night()
        told.night()
        yield told


def test_an_edit_in_either_crm_travels_to_the_other(told):
    assert told.titles[1][HUBSPOT] == ("from HubSpot", "from HubSpot")
    assert told.titles[1][SALESFORCE] == ("from Salesforce", "from Salesforce")
    assert told.titles[1][SAME] == ("both", "both")


def test_what_we_wrote_is_the_base_of_the_next_merge(told):
    assert told.titles[2][HUBSPOT] == ("second", "second")


def test_a_quiet_night_writes_nothing(told):
    assert told.nights[3]["written"] == {"hubspot": {}, "salesforce": {}}


def conflicts(told, night: int) -> dict[int, str]:
    rows = told.nights[night]["conflicts"]["first"]
    return {told.small.hubspot_ids.index(row["hubspot_id"]): row["how"] for row in rows}


def test_two_different_edits_are_a_conflict_and_neither_is_lost(told):
    assert told.titles[1][DIFFERENT] == ("mine", "yours")
    assert conflicts(told, 1)[DIFFERENT] == "both changed"
    assert "yours" not in str(told.nights[1]), "a summary names records, not people's values"


def test_a_conflict_ends_when_people_agree_by_themselves(told):
    assert SETTLED in conflicts(told, 1)
    assert SETTLED not in conflicts(told, 2)
    assert told.titles[2][SETTLED] == ("mine", "mine")


def test_a_persons_decision_settles_a_conflict_in_the_next_night(told):
    assert told.titles[2][DIFFERENT] == ("yours", "yours")
    assert DIFFERENT not in conflicts(told, 2)


def test_a_blank_never_wins_and_an_emptied_field_asks_a_person(told):
    assert told.titles[3][EMPTIED] == (None, f"title {EMPTIED}")
    assert conflicts(told, 3) == {EMPTIED: "emptied"}


def test_a_first_fill_is_written_and_named_as_such(told):
    [row] = [row for row in told.plans[0]["writes"] if row["is_shared"]]
    assert (row["before"], row["after"]) == (None, f"title {FILLED}")
    assert row["reason"].startswith("job title filled from hubspot")
    assert told.titles[0][FILLED] == (f"title {FILLED}", f"title {FILLED}")


def test_every_shared_field_is_agreed_or_a_conflict_after_two_quiet_nights(told):
    apart = {person for person, (mine, theirs) in enumerate(told.titles[3]) if mine != theirs}
    assert apart - {TOO_LONG} == set(conflicts(told, 3))


def test_the_stricter_opt_out_reaches_every_record_also_of_an_excluded_person(told):
    contacts = told.small.salesforce.records("Contact")
    opted_out = {
        person
        for person, record in enumerate(told.small.contact_ids)
        if contacts[record]["HasOptedOutOfEmail"]
    }
    assert opted_out == {OPTED_OUT, EXCLUDED}


def test_an_opt_out_reaches_hubspot_through_its_communication_preferences(told):
    contacts = told.small.hubspot.records("contacts")
    opted_out = {
        person
        for person, record in enumerate(told.small.hubspot_ids)
        if contacts[record].get("hs_email_optout") == "true"
    }
    assert opted_out == {OPTED_OUT, EXCLUDED}
    assert told.nights[3]["opt_outs_left"]["count"] == 0


def test_a_value_that_does_not_fit_is_left_out_with_its_fix_and_stops_no_other(told):
    [row] = told.nights[1]["invalid"]["first"]
    assert row["record_id"] == told.small.contact_ids[TOO_LONG]
    assert row["reason"] == "it is longer than the 128 characters that fit"
    assert "Shorten" in row["fix"]
    assert told.titles[1][TOO_LONG][1] == f"title {TOO_LONG}"


def test_every_write_is_in_the_outbox_with_what_it_overwrote(told):
    [row] = [
        row
        for row in told.plans[1]["writes"]
        if row["record_id"] == told.small.contact_ids[HUBSPOT] and row["is_shared"]
    ]
    assert (row["before"], row["after"]) == (f"title {HUBSPOT}", "from HubSpot")
    assert row["state"] == "confirmed"


def test_a_fresh_pull_needs_no_second_read(told):
    assert told.nights[1]["written"]["salesforce"]["contact"]
    assert told.second_reads == 0


def test_the_newest_edit_wins_by_field_history_not_by_the_records_stamp(tmp_path):
    with serve_small(tmp_path) as small:
        newest = (
            "{name: job_title, entity: person, owner: ask,",
            "{name: job_title, entity: person, owner: newest,",
        )
        small.agree(newest)
        small.salesforce.track("Contact", "Title")
        small.night()
        small.edit_hubspot(0, jobtitle="older")
        small.edit_salesforce(0, Title="newer")
        small.edit_salesforce(1, Title="older")
        small.edit_hubspot(1, jobtitle="newer")
        small.edit_hubspot(0, firstname="touched last")
        small.edit_salesforce(1, FirstName="touched last")
        small.night()
        assert small.titles(0) == small.titles(1) == ("newer", "newer")


def test_a_new_mapping_on_old_rows_is_a_backfill_that_a_plan_shows_before_anything_is_written(
    tmp_path,
):
    with serve_small(tmp_path, people=3) as small:
        small.edit_hubspot(0, mobilephone="+1 212 555 0100")
        small.edit_salesforce(1, MobilePhone="+1 212 555 0101")
        small.edit_hubspot(2, mobilephone="+1 212 555 0102")
        small.edit_salesforce(2, MobilePhone="+1 212 555 0199")
        small.night()
        phone = "  - {name: phone, entity: person,"
        mobile = "hubspot: mobilephone, salesforce: {lead: MobilePhone, contact: MobilePhone}}"
        small.agree((phone, f"  - {{name: mobile, entity: person, owner: ask, {mobile}\n{phone}"))
        before = small.state()
        plan_id = small.night("plan")["plan_id"]
        assert small.state() == before
        with small.store() as store:
            shown = [row for row in plan_view(store, plan_id)["writes"] if row["is_shared"]]
        assert {(row["before"], row["after"]) for row in shown} == {
            (None, "+1 212 555 0100"),
            (None, "+1 212 555 0101"),
        }
        assert all("filled from" in row["reason"] for row in shown)
        summary = small.night()
        assert summary["conflicts"]["count"] == 1, (
            "two old values that differ are a person's to say"
        )
        contacts = small.salesforce.records("Contact")
        assert contacts[small.contact_ids[0]]["MobilePhone"] == "+1 212 555 0100"
        assert small.hubspot.records("contacts")[small.hubspot_ids[1]]["mobilephone"][-4:] == "0101"
        assert contacts[small.contact_ids[2]]["MobilePhone"] == "+1 212 555 0199"


TRANSLATED = """  - {name: salutation, entity: person, hubspot: salutation,
     salesforce: {contact: Salutation},
     to_salesforce: {Herr: Mr., Frau: Ms.}, to_hubspot: {Mr.: Herr, Ms.: Frau}}
  - {name: language, entity: person, hubspot: hs_language, salesforce: {contact: Department},
     to_salesforce: {de: German, fr: French}, to_hubspot: {German: de, French: fr}}
  - {name: mobile, entity: person, hubspot: mobilephone, salesforce: {contact: MobilePhone},
     same: digits, format_to_salesforce: digits}
  - {name: revenue, entity: account, hubspot: annualrevenue, salesforce: {account: AnnualRevenue},
     units: {factor: "1000", salesforce_digits: 0}}
"""


@pytest.fixture(scope="module")
def translated(tmp_path_factory):
    """Let words, formats and units of each side travel to the other, then live a quiet night."""
    with serve_small(tmp_path_factory.mktemp("maps")) as small:
        values = {"name": "Acme", "domain": "acme.test", "annualrevenue": "5"}
        company = small.hubspot.add("companies", values, created_at=small.now)
        for contact in small.hubspot_ids:
            small.hubspot.associate("contacts", contact, "companies", company)
        [account] = small.salesforce.records("Account")
        small.salesforce.set("Account", account, {"Website": "acme.test"}, at=small.now)
        small.agree(("handoff:\n  tiers:", f"{TRANSLATED}\nhandoff:\n  tiers:"))
        small.edit_hubspot(0, salutation="Frau", hs_language="de", mobilephone="+1 (212) 555-0100")
        small.edit_salesforce(1, Salutation="Mr.", Department="French")
        first = small.night()
        small.edit_salesforce(0, Department="Esperanto")
        second = small.night()
        quiet = small.night()
        yield small, first, second, quiet


def test_words_formats_and_units_travel_as_the_other_side_spells_them(translated):
    small, *_ = translated
    one, other = (small.salesforce.records("Contact")[key] for key in small.contact_ids)
    assert (one["Salutation"], one["MobilePhone"]) == ("Ms.", "+12125550100")
    contact = small.hubspot.records("contacts")[small.hubspot_ids[1]]
    assert (contact["salutation"], contact["hs_language"]) == ("Herr", "fr")
    assert (other["Salutation"], other["Department"]) == ("Mr.", "French")
    [account] = small.salesforce.records("Account").values()
    assert float(account["AnnualRevenue"]) == 5000


def test_a_word_that_the_other_sides_list_does_not_have_is_left_out_with_its_fix(translated):
    small, _, second, _ = translated
    [row] = second["invalid"]["first"]
    assert (row["record_id"], row["field"]) == (small.hubspot_ids[0], "hs_language")
    assert row["fix"]
    assert small.hubspot.records("contacts")[small.hubspot_ids[0]]["hs_language"] == "de"


def test_what_was_translated_is_recognised_when_it_comes_back(translated):
    *_, first, second, quiet = translated
    assert first["written"]["hubspot"]["contact"]
    for night in (second, quiet):
        assert night["written"] == {"hubspot": {}, "salesforce": {}}
        assert night["conflicts"]["count"] == 0


# Guards: each stops before the first write -------------------------------------------------------


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    """Give a company in which somebody renamed every title but one, and emptied that."""
    with serve_small(tmp_path_factory.mktemp("guards"), people=4) as small:
        small.night()
        for person in range(3):
            small.edit_hubspot(person, jobtitle=f"renamed {person}")
        small.edit_hubspot(3, jobtitle="")
        yield small


@pytest.mark.parametrize("guard", list(LOOSE))
def test_a_guard_stops_a_plan_that_changes_too_much_before_the_first_write(renamed, guard):
    wins = ("owner: ask, hubspot: jobtitle", "owner: ask, blank: wins, hubspot: jobtitle")
    renamed.agree(wins, *all_but(guard))
    writes, state = renamed.writes(), renamed.state()
    with pytest.raises(GuardStopped, match=rf"guards\.{guard}") as stopped:
        renamed.night()
    assert str(stopped.value).count("guards.") == 1
    assert renamed.writes() == writes
    assert renamed.state() == state


def test_a_source_that_comes_back_empty_stops_before_the_first_write(tmp_path):
    with serve_small(tmp_path) as small:
        small.night()
        for record_id in small.hubspot_ids:
            small.hubspot.gdpr_delete(record_id, at=small.now)
        small.now += HOUR
        writes = small.writes()
        with small.run() as run, pytest.raises(GuardStopped, match="hubspot gave 0 of 2"):
            nights.night(replace(run, is_full=True), "apply")
        assert small.writes() == writes


def test_a_first_night_passes_the_strictest_guards_and_a_person_may_pass_them_later(tmp_path):
    strict = [(old, old.replace(old.split('"')[1], "0")) for old, _ in LOOSE.values()]
    with serve_small(tmp_path) as small:
        small.agree(NO_MINIMUM, *strict)
        small.edit_salesforce(0, Title=None)
        assert small.night()["written"]["salesforce"]["contact"] == 2
        small.edit_hubspot(1, jobtitle="renamed")
        summary = small.night("plan")
        assert summary["guards"]
        with small.run() as run, pytest.raises(GuardStopped, match="--over-guards"):
            apply_plan(run, summary["plan_id"])
        with small.run() as run:
            apply_plan(run, summary["plan_id"], is_over_guards=True)
        assert small.titles(1) == ("renamed", "renamed")


# Plan, then apply --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def applied(tmp_path_factory):
    """Plan, let somebody edit, apply; plan, let a night run, apply; plan, agree anew, apply."""
    with serve_small(tmp_path_factory.mktemp("plans")) as small:
        found: dict[str, Any] = {"small": small}
        small.night()
        small.edit_hubspot(0, jobtitle="first")
        small.edit_hubspot(1, jobtitle="second")
        before = small.state()
        plan_id = small.night("plan")["plan_id"]
        found["planned"] = (before, small.state())
        small.edit_salesforce(0, Title="a later edit")
        with small.run() as run:
            found["moved"] = apply_plan(run, plan_id)
        found["titles"] = small.titles(0), small.titles(1)
        small.edit_hubspot(1, jobtitle="third")
        plan_id = small.night("plan")["plan_id"]
        found["after"] = small.night()
        writes = small.writes()
        with small.run() as run:
            found["overtaken"] = apply_plan(run, plan_id)
        found["overtaken_writes"] = small.writes() - writes
        plan_id = small.night("plan")["plan_id"]
        small.agree()
        with small.run() as run, pytest.raises(Stale) as refused:
            apply_plan(run, plan_id)
        found["refused"] = str(refused.value)
        yield found


def test_a_plan_writes_nothing(applied):
    before, after = applied["planned"]
    assert before == after


def test_a_stored_plan_is_applied_but_for_what_moved_under_it(applied):
    assert applied["titles"] == (("first", "a later edit"), ("second", "second"))
    [row] = applied["moved"]["stale"]
    assert row["record_id"] == applied["small"].contact_ids[0]
    with pytest.raises(Stale, match="Plan again"):
        stop_when_stale(applied["moved"])


def test_what_was_stale_is_planned_anew_by_the_next_night(applied):
    assert applied["after"]["conflicts"]["count"] == 1


def test_a_plan_that_a_later_run_planned_anew_is_stale_as_a_whole(applied):
    assert applied["overtaken_writes"] == 0
    assert "a later plan decides anew" in applied["overtaken"]["stale"][0]["reason"]


def test_a_plan_of_another_agreement_is_not_applied(applied):
    assert "default v1" in applied["refused"]


def test_a_shared_field_is_read_again_when_the_pull_is_older_than_five_minutes(tmp_path):
    with serve_small(tmp_path) as small:
        small.night()
        small.edit_hubspot(1, jobtitle="from HubSpot")
        small.edit_salesforce(0, Title="from Salesforce")
        small.now += HOUR

        def stage(work, *arguments):
            if work is delivering.deliver:
                values = {"jobtitle": "meanwhile"}
                small.hubspot.set("contacts", small.hubspot_ids[0], values, at=small.now)
            return work(*arguments)

        with small.run() as run:
            opened = replace(run, started_at=run.started_at - timedelta(minutes=6))
            nights.night(opened, "apply", stage)
        assert small.reads()
        assert small.titles() == ("meanwhile", "from Salesforce")
        assert small.night()["conflicts"]["count"] == 1


def test_a_canary_that_is_refused_stops_before_the_others_are_written(tmp_path):
    with serve_small(tmp_path, people=6) as small:
        plan_id = small.night("plan")["plan_id"]
        small.salesforce.rules.row_rules.append(
            lambda sobject, record, values: ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no")
        )
        with small.run() as run, pytest.raises(GuardStopped, match="canary"):
            apply_plan(run, plan_id, canary=Decimal("0.2"))
        with small.store() as store:
            states = plan_view(store, plan_id)["states"]
        assert states["refused"] == 3, "a fifth of six contacts, rounded up, and the account"
        assert states["planned"] > states["confirmed"] > 0


@pytest.mark.slow
def test_a_first_fill_can_be_spread_over_nights(tmp_path):
    with serve_small(tmp_path) as small:
        small.agree(("records_per_night: null", "records_per_night: 3"))
        written = []
        for _ in range(3):
            summary = small.night()
            written.append(sum(sum(kinds.values()) for kinds in summary["written"].values()))
        assert written == [3, 2, 0]
        assert summary["postponed_records"] == 0


def test_children_of_one_account_are_sent_side_by_side(tmp_path):
    with serve_small(tmp_path, people=6) as small:
        other = small.salesforce.add("Account", {"Name": "Other"}, created_at=small.now)
        for record_id in small.contact_ids[::2]:
            small.salesforce.set("Contact", record_id, {"AccountId": other}, at=small.now)
        sent = []

        def see(sobject, record_id, values):
            if sobject == "Contact":
                sent.append(record_id)

        small.salesforce.rules.row_rules.append(see)
        small.night()
        accounts = small.salesforce.records("Contact")
        assert len(sent) == 6
        assert sent == sorted(sent, key=lambda key: (accounts[key]["AccountId"], key))
        assert sent != sorted(sent)
