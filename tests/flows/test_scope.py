"""A run about one record or object writes there and nowhere else; a day can be read again."""

import json
from datetime import datetime, timedelta

import pytest

from agreement.errors import BadInput
from flows.scope import Scope


@pytest.mark.parametrize("text", ["", "hubspot", "hubspot/lead", "sap/contact/1", "salesforce/"])
def test_a_scope_that_names_no_object_of_ours_says_which_there_are(text):
    with pytest.raises(BadInput, match="hubspot/contact"):
        Scope.parse(text)


def test_a_scope_reads_as_it_is_written():
    assert str(Scope.parse("salesforce/lead/00Q1")) == "salesforce/lead/00Q1"
    assert Scope.parse("hubspot/deal") == Scope("hubspot", "deal")


@pytest.mark.slow
def test_a_run_about_one_record_mends_it_alone_and_the_next_night_the_rest(company):
    assert company.sync().returncode == 0
    written = company.our_values()
    kept = [key for key, values in written.items() if values.get("tandem_match_status")][:2]
    later = datetime.fromisoformat(company.as_of) + timedelta(minutes=5)
    for _, kind, record in kept:
        company.hubspot.set(kind, record, {"tandem_match_status": "spoilt"}, at=later)
    company.as_of = (later + timedelta(minutes=5)).isoformat()

    done = company.sync("--only", f"hubspot/contact/{kept[0][2]}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["written"] == {"hubspot": {"contact": 1}, "salesforce": {}}
    states = [company.our_values()[key]["tandem_match_status"] for key in kept]
    assert states == [written[kept[0]]["tandem_match_status"], "spoilt"]

    assert company.sync("--full").returncode == 0
    assert company.our_values()[kept[1]]["tandem_match_status"] != "spoilt"


@pytest.mark.slow
def test_what_changed_since_a_day_is_read_once_more(company):
    assert company.sync().returncode == 0
    # Calls, which nobody writes: what we wrote has the stand-in's own time, after the night's.
    quiet = json.loads(company.sync().stdout)["pulled"]["hubspot"]["call"]
    early = (datetime.fromisoformat(company.as_of) - timedelta(days=400)).isoformat()
    again = json.loads(company.sync("--since", early).stdout)
    assert again["pulled"]["hubspot"]["call"] > quiet
    assert again["written"] == {"hubspot": {}, "salesforce": {}}
