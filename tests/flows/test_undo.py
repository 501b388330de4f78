"""Undo on two small CRMs: exactly what a run wrote goes back, and stays back."""

from typing import Any

import pytest

from agreement.errors import BadInput
from flows.show_writes import show_undo
from flows.undo import undo_run
from tests.flows.small import HOUR, Small, serve_small

EDITED_HERE, EDITED_THERE, EDITED_LATER, OPTED_OUT = range(4)


def undo(small: Small, run_id: str, *, is_applied: bool = True) -> dict[str, Any]:
    small.now += HOUR
    with small.run() as run:
        return undo_run(run, run_id, is_applied=is_applied)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Undo the night that carried people's edits, let nights pass, and undo the undo."""
    with serve_small(tmp_path_factory.mktemp("undo"), people=4) as small:
        found: dict[str, Any] = {"small": small}
        small.night()
        found["first"] = small.state()
        small.edit_hubspot(EDITED_HERE, jobtitle="from HubSpot")
        small.edit_salesforce(EDITED_THERE, Title="from Salesforce")
        small.edit_hubspot(EDITED_LATER, jobtitle="will be edited")
        lead = {"LastName": "X", "Company": "Y", "Email": f"person{OPTED_OUT}@acme.test"}
        lead["HasOptedOutOfEmail"] = True
        small.salesforce.add("Lead", lead, created_at=small.now)
        found["edited"] = small.state()
        found["night"] = small.night()
        found["written"] = small.state()
        small.edit_salesforce(EDITED_LATER, Title="a human edit")
        writes = small.writes()
        found["shown"] = undo(small, found["night"]["run_id"], is_applied=False)
        found["shown_writes"] = small.writes() - writes
        found["undone"] = undo(small, found["night"]["run_id"])
        found["back"] = small.state()
        found["next"] = small.night()
        found["after_next"] = small.state()
        found["undone_again"] = undo(small, found["undone"]["run_id"])
        found["forth"] = small.state()
        found["last"] = small.night()
        yield found


def title(story: dict, state: str, system: str, person: int) -> Any:
    small = story["small"]
    if system == "hubspot":
        return story[state]["hubspot", "contacts", small.hubspot_ids[person]].get("jobtitle")
    return story[state]["salesforce", "Contact", small.contact_ids[person]].get("Title")


def changed(one: dict, other: dict) -> set:
    """Name the fields that differ."""
    keys = one.keys() | other.keys()
    return {
        (*key, name)
        for key in keys
        for name in one.get(key, {}).keys() | other.get(key, {}).keys()
        if one.get(key, {}).get(name) != other.get(key, {}).get(name)
    }


def test_an_undo_is_shown_first_and_writes_nothing(story):
    assert story["shown_writes"] == 0
    assert story["shown"]["fields"] == story["undone"]["fields"] > 0
    assert "Nothing written; add --apply." in show_undo(story["shown"])


def test_an_undo_puts_back_what_the_run_overwrote_and_nothing_else(story):
    assert title(story, "back", "salesforce", EDITED_HERE) == f"title {EDITED_HERE}"
    assert title(story, "back", "hubspot", EDITED_THERE) == f"title {EDITED_THERE}"
    small = story["small"]
    apart = {
        ("salesforce", "Contact", small.contact_ids[EDITED_LATER], "Title"),
        ("salesforce", "Contact", small.contact_ids[OPTED_OUT], "HasOptedOutOfEmail"),
        ("hubspot", "contacts", small.hubspot_ids[OPTED_OUT], "hs_email_optout"),
    }
    assert changed(story["edited"], story["back"]) == apart


def test_a_later_human_edit_is_left_alone_and_listed(story):
    assert title(story, "back", "salesforce", EDITED_LATER) == "a human edit"
    record = story["small"].contact_ids[EDITED_LATER]
    [row] = [row for row in story["undone"]["left_alone"] if row["record_id"] == record]
    assert (row["field"], row["reason"]) == ("Title", "changed since by somebody else")


def test_an_opt_out_is_never_taken_back_and_the_undo_says_so(story):
    record = story["small"].contact_ids[OPTED_OUT]
    key = ("salesforce", "Contact", record)
    assert story["back"][key]["HasOptedOutOfEmail"] is True
    assert any("opt-outs" in said for said in story["undone"]["cannot_be_undone"])
    assert any("workflows" in said for said in story["undone"]["cannot_be_undone"])


def test_the_next_night_leaves_alone_what_an_undo_restored_and_lists_it(story):
    held = {row["record_id"] for row in story["next"]["held"]["first"]}
    small = story["small"]
    assert {small.contact_ids[EDITED_HERE], small.hubspot_ids[EDITED_THERE]} <= held
    for system, person in (("salesforce", EDITED_HERE), ("hubspot", EDITED_THERE)):
        assert title(story, "after_next", system, person) == f"title {person}"


def test_an_undo_of_an_undo_is_where_we_were(story):
    assert title(story, "forth", "salesforce", EDITED_HERE) == "from HubSpot"
    assert title(story, "forth", "hubspot", EDITED_THERE) == "from Salesforce"
    assert story["undone_again"]["left_alone"] == []


def test_after_an_undo_of_an_undo_a_night_has_nothing_to_say_about_them(story):
    small = story["small"]
    touched = {small.contact_ids[EDITED_HERE], small.hubspot_ids[EDITED_THERE]}
    assert not touched & {row["record_id"] for row in story["last"]["held"]["first"]}
    assert story["last"]["conflicts"]["count"] == 0


@pytest.fixture
def held(tmp_path):
    """Undo a first night: everything of ours is blank again, and held."""
    with serve_small(tmp_path) as small:
        before = small.state()
        summary = small.night()
        undo(small, summary["run_id"])
        assert small.state() == before
        small.summary = small.night()
        assert small.state() == before
        yield small


def test_a_hold_ends_when_its_inputs_change(held):
    assert held.summary["held"]["count"] > 0
    held.salesforce.add(
        "Task",
        {"WhoId": held.contact_ids[0], "Subject": "Call", "TaskSubtype": "Call", "Status":
         "Completed", "IsClosed": True, "CallType": "Outbound", "CallDisposition": "Connected",
         "CompletedDateTime": held.now.isoformat(), "ActivityDate": held.now.date().isoformat()},
        created_at=held.now,
    )  # fmt: skip
    held.night()
    contact = held.salesforce.records("Contact")[held.contact_ids[0]]
    assert contact["Tandem_Sales_Touches__c"] == 1
    assert contact["Tandem_Match_Status__c"] is None, "only what changed is written again"


@pytest.mark.slow
def test_a_hold_ends_when_the_agreement_changes(held):
    held.agree()
    assert held.night()["written"]["salesforce"]["contact"] == 2


@pytest.mark.slow
def test_a_hold_ends_when_somebody_releases_it(held):
    with held.store() as store:
        released = store.release_holds(None, by="test", at=held.now)
    assert released == held.summary["held"]["count"]
    assert held.night()["written"]["salesforce"]["contact"] == 2


def test_what_a_person_typed_is_not_lost_to_an_undo_but_travels_again_when_released(tmp_path):
    with serve_small(tmp_path) as small:
        small.night()
        small.edit_hubspot(0, jobtitle="typed here")
        carried = small.night()
        undo(small, carried["run_id"])
        assert small.titles(0) == ("typed here", "title 0")
        with small.store() as store:
            store.release_holds(None, by="test", at=small.now)
        small.night()
        assert small.titles(0) == ("typed here", "typed here")


def test_an_edit_of_what_an_undo_restored_is_a_conflict_with_what_it_took_back(tmp_path):
    with serve_small(tmp_path) as small:
        small.night()
        small.edit_hubspot(0, jobtitle="typed here")
        undo(small, small.night()["run_id"])
        small.edit_salesforce(0, Title="typed there")
        assert small.night()["conflicts"]["count"] == 1
        assert small.titles(0) == ("typed here", "typed there")


def test_an_unknown_run_is_refused_and_the_latest_are_named(tmp_path):
    with serve_small(tmp_path) as small:
        run_id = small.night()["run_id"]
        with small.run() as run, pytest.raises(BadInput, match=run_id):
            undo_run(run, "yesterday", is_applied=False)
