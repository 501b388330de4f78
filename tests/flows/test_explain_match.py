"""An explanation compares what the decision compared, no more."""

import json

import pytest
from click.testing import CliRunner

from flows.cli import tandem
from tests.flows.small import BORN, serve_small

pytestmark = pytest.mark.slow

PHONE = "+44 20 7946 0018"


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Run two nights over two linked people: Ann of a role mailbox, and Bo, whose phone we fill."""
    with serve_small(tmp_path_factory.mktemp("explain"), people=0) as small:
        small.ann = small.hubspot.add(
            "contacts",
            {"firstname": "Ann", "lastname": "Lee", "email": "info@harbor.test", "phone": PHONE},
            created_at=BORN,
        )
        small.salesforce.add(
            "Lead",
            {"FirstName": "Ann", "LastName": "Lee", "Company": "Harbor", "Status": "Open",
             "Email": "info@harbor.test", "Phone": PHONE},
            created_at=BORN,
        )  # fmt: skip
        small.bo = small.hubspot.add(
            "contacts",
            {"firstname": "Bo", "lastname": "Quist", "email": "bo.quist@atlas.test"},
            created_at=BORN,
        )
        small.salesforce.add(
            "Lead",
            {"FirstName": "Bo", "LastName": "Quist", "Company": "Atlas", "Status": "Open",
             "Email": "bo.quist@atlas.test", "Phone": "+44 20 7946 0027"},
            created_at=BORN,
        )  # fmt: skip
        small.night()
        small.night()
        yield small


def explained(small, contact_id):
    env = {"TANDEM_DATABASE_URL": small.settings.database_url}
    done = CliRunner().invoke(
        tandem, ["explain", "hubspot", f"contact/{contact_id}", "--json"], env=env
    )
    assert done.exception is None, done.output
    pair = json.loads(done.stdout)["pair"]
    return {row["field"]: row for row in pair["fields"]}


def test_a_role_mailbox_is_no_evidence_in_an_explanation_either(nights):
    fields = explained(nights, nights.ann)
    assert fields["phone"]["level"].startswith(("equal", "shared by few"))
    assert (fields["email"]["level"], fields["email"]["weight"]) == ("equal, not counted", None)


def test_what_we_filled_ourselves_is_no_evidence_in_an_explanation_either(nights):
    assert nights.hubspot.records("contacts")[nights.bo]["phone"]
    fields = explained(nights, nights.bo)
    assert fields["email"]["level"] == "equal"
    assert fields["phone"]["level"] == "missing"
    assert fields["phone"]["left"] is None
