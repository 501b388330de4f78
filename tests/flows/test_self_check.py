"""The night reads a few of its writes again and says how many still hold."""

import json
from dataclasses import replace
from datetime import datetime

import pytest

from flows.run import open_run
from flows.self_check import self_check


def check_everything(company):
    with open_run(company.settings, as_of=datetime.fromisoformat(company.as_of)) as run:
        guards = run.agreement.guards.model_copy(update={"self_check_records": 10_000})
        every = run.agreement.model_copy(update={"guards": guards})
        return self_check(replace(run, agreement=every))


@pytest.mark.slow
def test_what_was_written_holds_until_somebody_changes_it(company):
    done = company.sync()
    assert done.returncode == 0, done.stderr
    of_night = json.loads(done.stdout)["self_check"]
    assert 0 < of_night["records"] <= 100
    assert of_night["agreed"] == of_night["fields"] > of_night["records"]

    quiet = check_everything(company)
    assert quiet["records"] > of_night["records"]
    assert (quiet["agreed"], quiet["differing"], quiet["gone"]) == (quiet["fields"], [], 0)

    contact = next(
        record
        for record, values in company.hubspot.records("contacts").items()
        if values.get("tandem_match_status")
    )
    at = datetime.fromisoformat(company.as_of)
    company.hubspot.set("contacts", contact, {"tandem_match_status": "x"}, at=at)
    assert check_everything(company)["differing"] == [
        f"hubspot contact {contact} tandem_match_status"
    ]
