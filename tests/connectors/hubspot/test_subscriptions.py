"""Opt-outs go to HubSpot through the preferences of the contact's address, never a property."""

from datetime import UTC, datetime

import pytest

from agreement.errors import NotGranted
from agreement.records import Change
from connectors.hubspot.subscriptions import OPT_OUT, SCOPE

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def contact(standin) -> str:
    return standin.add("contacts", {"email": "Ann@x.test", "jobtitle": "old"}, created_at=NOON)


def update(hubspot, *changes: Change) -> dict:
    return {
        outcome.record_id: outcome
        for outcomes in hubspot.update("contact", changes)
        for outcome in outcomes
    }


def test_an_opt_out_is_writable_once_hubspot_says_so(hubspot):
    assert not hubspot.describe("contact")[OPT_OUT].is_writable
    assert hubspot.learn_opt_outs()
    assert hubspot.describe("contact")[OPT_OUT].is_writable


def test_without_the_scope_it_stays_read_only(standin, hubspot):
    standin.access.scopes = {"crm.objects.contacts.read", "crm.objects.contacts.write"}
    assert not hubspot.learn_opt_outs()
    assert not hubspot.describe("contact")[OPT_OUT].is_writable


def test_an_opt_out_unsubscribes_the_address_and_sets_the_other_values(standin, hubspot, contact):
    done = update(hubspot, Change(contact, {OPT_OUT: "true", "jobtitle": "new"}))
    assert done[contact].is_accepted
    assert done[contact].values == {OPT_OUT: "true", "jobtitle": "new"}
    stored = standin.records("contacts")[contact]
    assert (stored[OPT_OUT], stored["jobtitle"]) == ("true", "new")


def test_a_fault_in_another_field_does_not_hold_the_opt_out_back(standin, hubspot, contact):
    done = update(hubspot, Change(contact, {OPT_OUT: "true", "no_such_field": "x"}))
    assert not done[contact].is_accepted
    assert standin.records("contacts")[contact][OPT_OUT] == "true"


def test_an_opt_out_can_be_sent_again(standin, hubspot, contact):
    for _ in range(2):
        assert update(hubspot, Change(contact, {OPT_OUT: "true"}))[contact].is_accepted
    assert standin.records("contacts")[contact][OPT_OUT] == "true"


def test_a_contact_without_an_address_is_refused_with_the_reason_and_stops_no_other(
    standin, hubspot, contact
):
    nameless = standin.add("contacts", {"firstname": "Bo"}, created_at=NOON)
    done = update(hubspot, Change(nameless, {OPT_OUT: "true"}), Change(contact, {OPT_OUT: "true"}))
    assert "no e-mail address" in done[nameless].reason
    assert done[contact].is_accepted


def test_a_missing_scope_is_named(standin, hubspot, contact):
    standin.access.scopes = {"crm.objects.contacts.read", "crm.objects.contacts.write"}
    with pytest.raises(NotGranted, match=SCOPE):
        update(hubspot, Change(contact, {OPT_OUT: "true"}))
