"""The stricter opt-out reaches every record that reconciling takes for one person's."""

from datetime import UTC, datetime

from agreement.frames import Crosswalk, MatchDecisions, empty
from agreement.policy import load_agreement
from flows.calc_match import shipped_model
from tests import builders
from transforms.identity import reconcile
from transforms.opt_out import opt_out_writes

NIGHT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def person(record_id, **fields):
    return {"record_id": record_id, "first_name": "Ann", "last_name": "Lee"} | fields


def test_an_opt_out_reaches_all_matched_records_and_none_that_only_waits_for_review():
    lead = {"system": "salesforce", "kind": "lead"}
    people = builders.people(
        person("1", email="ann@x.test", is_opted_out=True),
        person("2", email="home@y.test", other_emails="ann@x.test"),
        person("00Q1", email="ann@x.test", **lead),
        person("3", email="lee@y.test", first_name="Carl", is_opted_out=True),
        person("00Q2", email="lee@y.test", first_name="Bob", **lead),
    )
    nothing = (builders.aliases(), builders.accounts(), builders.deal_records())
    found = reconcile(
        people,
        *nothing,
        policy=load_agreement().identity,
        model=shipped_model(),
        decisions=empty(MatchDecisions),
        previous=empty(Crosswalk),
        now=NIGHT,
    )
    assert set(found.reviews["right_id"]) == {"00Q2"}
    writes, left = opt_out_writes(people, found.crosswalk, ["hubspot", "salesforce"])
    assert set(writes["record_id"]) == {"2", "00Q1"}
    assert left.empty
