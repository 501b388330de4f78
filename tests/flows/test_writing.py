"""The laws of writing, on two small CRMs: whose edit counts, and what stops before a write."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from agreement.errors import GuardStopped, Stale
from connectors.clock import utc_now
from flows import deliver as delivering
from flows import night as nights
from flows.writes import apply_plan, plan_view, stop_when_stale
from tests.flows.small import HOUR, serve_small

NO_MINIMUM = ("at_least: 20 ", "at_least: 0 ")
LOOSE = (
    NO_MINIMUM,
    ('records_share: "0.25"', 'records_share: "1"'),
    ('field_share: "0.25"', 'field_share: "1"'),
    ('overwrites_share: "0.10"', 'overwrites_share: "1"'),
    ('blanks_share: "0.02"', 'blanks_share: "1"'),
)


@pytest.fixture
def small(tmp_path):
    """Serve two people in both CRMs, after their first night."""
    with serve_small(tmp_path) as served:
        served.night()
        yield served


def owned(owner: str) -> tuple[str, str]:
    return (
        "{name: job_title, entity: person, owner: ask,",
        f"{{name: job_title, entity: person, owner: {owner},",
    )


# Whose edit counts -------------------------------------------------------------------------------


def test_an_edit_in_either_crm_travels_to_the_other_and_a_quiet_night_writes_nothing(small):
    small.edit_hubspot(0, jobtitle="from HubSpot")
    small.edit_salesforce(1, Title="from Salesforce")
    small.night()
    assert small.titles(0) == ("from HubSpot", "from HubSpot")
    assert small.titles(1) == ("from Salesforce", "from Salesforce")
    assert small.night()["written"] == {"hubspot": {}, "salesforce": {}}


def test_what_we_wrote_is_the_base_of_the_next_merge(small):
    small.edit_hubspot(0, jobtitle="first")
    small.night()
    small.edit_salesforce(0, Title="second")
    assert small.night()["conflicts"]["count"] == 0
    assert small.titles() == ("second", "second")


def test_two_different_edits_are_a_conflict_and_neither_is_lost(small):
    small.edit_hubspot(0, jobtitle="mine")
    small.edit_salesforce(0, Title="yours")
    summary = small.night()
    assert small.titles() == ("mine", "yours")
    [conflict] = summary["conflicts"]["first"]
    assert (conflict["field"], conflict["hubspot_id"]) == ("job_title", small.hubspot_ids[0])
    assert "mine" not in str(summary)


def test_a_conflict_ends_when_people_agree_by_themselves(small):
    small.edit_hubspot(0, jobtitle="mine")
    small.edit_salesforce(0, Title="yours")
    small.night()
    small.edit_salesforce(0, Title="mine")
    assert small.night()["conflicts"]["count"] == 0
    with small.store() as store:
        assert store.open_conflicts().empty


def test_a_persons_decision_settles_a_conflict_in_the_next_night(small):
    small.edit_hubspot(0, jobtitle="mine")
    small.edit_salesforce(0, Title="yours")
    small.night()
    with small.store() as store:
        [conflict_id] = store.open_conflicts()["conflict_id"]
        assert store.decide_conflict(conflict_id, "salesforce", by="ops", at=utc_now())
    small.night()
    assert small.titles() == ("yours", "yours")


@pytest.mark.parametrize(("owner", "kept"), [("hubspot", "mine"), ("salesforce", "yours")])
def test_the_owner_of_a_field_wins_when_both_changed_it(small, owner, kept):
    small.agree(owned(owner), *LOOSE)
    small.edit_hubspot(0, jobtitle="mine")
    small.edit_salesforce(0, Title="yours")
    small.night()
    assert small.titles() == (kept, kept)


@pytest.mark.parametrize("last", ["hubspot", "salesforce"])
def test_the_newest_edit_wins_by_field_history_not_by_the_records_stamp(small, last):
    small.agree(owned("newest"), *LOOSE)
    small.night()
    edits = {
        "hubspot": lambda: small.edit_hubspot(0, jobtitle="hubspot"),
        "salesforce": lambda: small.edit_salesforce(0, Title="salesforce"),
    }
    first = "salesforce" if last == "hubspot" else "hubspot"
    edits[first]()
    edits[last]()
    # Another field of the older side is touched last.
    if first == "hubspot":
        small.edit_hubspot(0, firstname="Ann")
    else:
        small.edit_salesforce(0, FirstName="Ann")
    small.night()
    assert small.titles() == (last, last)


def test_a_blank_never_wins_and_an_emptied_field_asks_a_person(small):
    small.edit_hubspot(0, jobtitle="")
    summary = small.night()
    assert small.titles() == (None, "title 0")
    assert summary["conflicts"]["first"][0]["how"] == "emptied"


def test_a_first_fill_is_written_and_named_as_such(tmp_path):
    with serve_small(tmp_path) as fresh:
        fresh.edit_salesforce(0, Title=None)
        summary = fresh.night("plan")
        with fresh.store() as store:
            view = plan_view(store, summary["plan_id"])
        [row] = [row for row in view["writes"] if row["is_shared"]]
        assert (row["before"], row["after"]) == (None, "title 0")
        assert row["reason"].startswith("job title filled from hubspot")
        fresh.night()
        assert fresh.titles() == ("title 0", "title 0")


# Opt-outs ----------------------------------------------------------------------------------------


def test_the_stricter_opt_out_wins_and_what_we_cannot_write_is_left_to_a_person(small):
    small.edit_salesforce(0, HasOptedOutOfEmail=True)
    summary = small.night()
    assert summary["opt_outs_left"]["first"] == [
        {"system": "hubspot", "kind": "contact", "record_id": small.hubspot_ids[0]}
    ]


def test_an_opt_out_reaches_every_salesforce_record_also_of_an_excluded_person(small):
    small.agree(("email_domains: []", "email_domains: [acme.test]"))
    fields = {"LastName": "X", "Company": "Acme", "Email": "person0@acme.test"}
    small.salesforce.add("Lead", {**fields, "HasOptedOutOfEmail": True}, created_at=small.now)
    small.night()
    contact = small.salesforce.records("Contact")[small.contact_ids[0]]
    assert contact["HasOptedOutOfEmail"] is True
    other = small.salesforce.records("Contact")[small.contact_ids[1]]
    assert other["HasOptedOutOfEmail"] is False


# Guards: each stops before the first write -------------------------------------------------------


def rename_everybody(small) -> None:
    for place in range(len(small.hubspot_ids)):
        small.edit_hubspot(place, jobtitle=f"renamed {place}")


@pytest.mark.parametrize(
    ("loosened", "named"),
    [
        (("field_share", "overwrites_share"), "guards.records_share"),
        (("records_share", "overwrites_share"), "guards.field_share"),
        (("records_share", "field_share"), "guards.overwrites_share"),
    ],
)
def test_a_guard_stops_a_plan_that_changes_too_much_before_the_first_write(small, loosened, named):
    small.agree(*(change for change in LOOSE if change[0].split(":")[0] in (*loosened, "at_least")))
    rename_everybody(small)
    before, state = small.writes(), small.state()
    with pytest.raises(GuardStopped, match=named):
        small.night()
    assert small.writes() == before
    assert small.state() == state


def test_a_guard_stops_a_plan_that_empties_too_much_before_the_first_write(small):
    wins = ("owner: ask, hubspot: jobtitle", "owner: ask, blank: wins, hubspot: jobtitle")
    small.agree(wins, *(change for change in LOOSE if not change[0].startswith("blanks")))
    small.edit_hubspot(0, jobtitle="")
    before = small.writes()
    with pytest.raises(GuardStopped, match=r"guards\.blanks_share"):
        small.night()
    assert small.writes() == before
    assert small.titles() == (None, "title 0")


def test_a_source_that_comes_back_empty_stops_before_the_first_write(small):
    for record_id in small.hubspot_ids:
        small.hubspot.gdpr_delete(record_id, at=small.now)
    small.now += HOUR
    before = small.writes()
    with (
        pytest.raises(GuardStopped, match="hubspot gave 0 of 2"),
        delivering_full(small) as run,
    ):
        nights.night(run, "apply")
    assert small.writes() == before


def delivering_full(small):
    """Open a run that reads everything again."""
    from contextlib import contextmanager

    @contextmanager
    def full():
        with small.run() as run:
            yield replace(run, is_full=True)

    return full()


def test_a_few_edits_in_a_small_org_meet_no_guard(small):
    small.agree(('overwrites_share: "0.10"', 'overwrites_share: "0"'))
    rename_everybody(small)
    assert small.night()["guards"] == []


def test_filling_our_own_fields_meets_no_guard_so_that_a_first_night_passes(tmp_path):
    strict = [(old, old.replace(old.split('"')[1], "0")) for old, _ in LOOSE[1:]]
    with serve_small(tmp_path) as fresh:
        fresh.agree(NO_MINIMUM, *strict)
        fresh.edit_salesforce(0, Title=None)
        assert fresh.night()["written"]["salesforce"]["contact"] == 2


def test_a_person_may_apply_a_plan_over_its_guards(small):
    small.agree(*LOOSE[:4])
    small.agree(NO_MINIMUM)
    rename_everybody(small)
    plan_id = small.night("plan")["plan_id"]
    with small.run() as run, pytest.raises(GuardStopped, match="over-guards"):
        apply_plan(run, plan_id)
    with small.run() as run:
        apply_plan(run, plan_id, is_over_guards=True)
    assert small.titles(1) == ("renamed 1", "renamed 1")


# Plan, then apply --------------------------------------------------------------------------------


def test_a_stored_plan_is_applied_but_for_what_moved_under_it(small):
    small.edit_hubspot(0, jobtitle="first")
    small.edit_hubspot(1, jobtitle="second")
    plan_id = small.night("plan")["plan_id"]
    small.edit_salesforce(0, Title="a later edit")
    with small.run() as run:
        result = apply_plan(run, plan_id)
    assert small.titles(0) == ("first", "a later edit")
    assert small.titles(1) == ("second", "second")
    assert [row["record_id"] for row in result["stale"]] == [small.contact_ids[0]]
    with pytest.raises(Stale, match="Plan again"):
        stop_when_stale(result)
    assert small.night()["conflicts"]["count"] == 1


def test_a_plan_that_a_later_run_planned_anew_is_stale_as_a_whole(small):
    small.edit_hubspot(0, jobtitle="new")
    plan_id = small.night("plan")["plan_id"]
    small.night()
    before = small.writes()
    with small.run() as run:
        result = apply_plan(run, plan_id)
    assert small.writes() == before
    assert "a later plan decides anew" in result["stale"][0]["reason"]


def test_a_plan_of_another_agreement_is_not_applied(small):
    plan_id = small.night("plan")["plan_id"]
    small.agree()
    with small.run() as run, pytest.raises(Stale, match="default v1"):
        apply_plan(run, plan_id)


def count_reads(small) -> int:
    return sum(call.template.endswith("/batch/read") for call in small.hubspot.log)


def moved(run, by: timedelta):
    """Give the run as if it had been opened that long ago."""
    return replace(run, started_at=run.started_at - by)


def test_a_shared_field_is_read_again_when_the_pull_is_older_than_five_minutes(small, monkeypatch):
    small.edit_salesforce(0, Title="from Salesforce")
    small.now += HOUR

    def and_then_somebody_edits(run, plan):
        small.hubspot.set("contacts", small.hubspot_ids[0], {"jobtitle": "meanwhile"}, at=small.now)
        return delivering.deliver(run, plan)

    def stage(work, *arguments):
        if work is delivering.deliver:
            return and_then_somebody_edits(*arguments)
        return work(*arguments)

    with small.run() as run:
        nights.night(moved(run, timedelta(minutes=6)), "apply", stage)
    assert small.titles() == ("meanwhile", "from Salesforce")
    assert small.night()["conflicts"]["count"] == 1


def test_a_fresh_pull_and_our_own_fields_need_no_second_read(tmp_path):
    with serve_small(tmp_path) as fresh:
        fresh.night()
        own_only = count_reads(fresh)
        fresh.edit_salesforce(0, Title="new")
        fresh.night()
        assert fresh.titles() == ("new", "new")
        assert count_reads(fresh) == own_only


def test_a_canary_that_is_refused_stops_before_the_others_are_written(tmp_path):
    with serve_small(tmp_path, people=6) as fresh:
        plan_id = fresh.night("plan")["plan_id"]
        fresh.salesforce.rules.validations["Contact"] = lambda row: "no"
        with fresh.run() as run, pytest.raises(GuardStopped, match="canary"):
            apply_plan(run, plan_id, canary=Decimal("0.2"))
        with fresh.store() as store:
            states = plan_view(store, plan_id)["states"]
        assert states["planned"] > states["confirmed"] > 0


def test_a_first_fill_can_be_spread_over_nights(tmp_path):
    with serve_small(tmp_path, people=4) as fresh:
        fresh.agree(("records_per_night: null", "records_per_night: 3"))
        written = []
        for _ in range(4):
            summary = fresh.night()
            written.append(sum(sum(kinds.values()) for kinds in summary["written"].values()))
        assert written == [3, 3, 3, 0]
        assert summary["postponed_records"] == 0


# Validation --------------------------------------------------------------------------------------


def test_a_value_that_does_not_fit_is_left_out_with_its_fix_and_stops_no_other(small):
    small.edit_hubspot(0, jobtitle="x" * 200)
    small.edit_hubspot(1, jobtitle="short")
    summary = small.night()
    assert small.titles(0)[1] == "title 0"
    assert small.titles(1) == ("short", "short")
    [row] = summary["invalid"]["first"]
    assert row["reason"] == "it is longer than the 128 characters that fit"
    assert "Shorten" in row["fix"]
