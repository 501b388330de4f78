"""Opt-outs towards HubSpot: by its communication preferences, or left to a person, never lost."""

import pytest

from connectors.hubspot.scopes import SCOPES
from tests.flows.small import serve_small

pytestmark = pytest.mark.slow

OPT_OUT = "hs_email_optout"


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Opt out in Salesforce with the scope, then with nothing new, then without the scope."""
    with serve_small(tmp_path_factory.mktemp("opt_out"), people=3) as small:
        small.night()
        small.edit_salesforce(1, HasOptedOutOfEmail=True)
        told = [small.night(), small.night()]
        small.hubspot.access.scopes = {scope.name for scope in SCOPES} - {
            "communication_preferences.read_write"
        }
        small.edit_salesforce(2, HasOptedOutOfEmail=True)
        told.append(small.night())
        yield small, told


def test_an_opt_out_in_salesforce_unsubscribes_the_contact_in_hubspot(nights):
    small, told = nights
    assert told[0]["written"]["hubspot"] == {"contact": 1}
    contacts = small.hubspot.records("contacts")
    assert [contacts[one].get(OPT_OUT) for one in small.hubspot_ids] == [None, "true", None]


def test_the_night_after_writes_nothing(nights):
    assert nights[1][1]["written"] == {"hubspot": {}, "salesforce": {}}


def test_without_the_scope_a_person_is_asked_to_note_it(nights):
    small, told = nights
    left = told[2]["opt_outs_left"]
    assert [row["record_id"] for row in left["first"]] == [small.hubspot_ids[2]]
    assert told[2]["written"]["hubspot"] == {}


def test_no_address_is_asked_about_when_there_is_no_opt_out_to_write(nights):
    small, _ = nights
    asked = [call for call in small.hubspot.log if "communication-preferences" in call.path]
    # One question and one opt-out in the first night, none in the quiet one, one in the last.
    assert [call.method for call in asked] == ["GET", "POST", "GET"]
