"""What a summary says of how much we hold, against both stand-ins."""

from datetime import timedelta

from flows.coverage import coverage, drift
from flows.show import show_coverage

DAY = timedelta(days=1)


def test_the_earliest_record_and_both_counts_are_told(place):
    for days in (400, 20, 3):
        place.hubspot.add(
            "contacts", {"email": f"{days}@x.test"}, created_at=place.now - days * DAY
        )
        place.salesforce.add(
            "Lead", {"LastName": "B", "Company": "C"}, created_at=place.now - days * DAY
        )
    for system in ("hubspot", "salesforce"):
        place.pull(system)
    found = coverage(place.run())
    for system, kind in (("hubspot", "contact"), ("salesforce", "lead")):
        row = found[system][kind]
        assert (row["ours"], row["vendor"], row["counted"]) == (3, 3, 3)
        assert row["earliest"] == (place.now - 400 * DAY).isoformat()
        assert row["counted_at"] == place.now.isoformat()
        assert not row["is_skipped"]
    assert found["hubspot"]["owner"]["vendor"] is None


def test_an_object_that_could_not_be_read_is_told(place):
    place.salesforce.hide_object("Campaign")
    place.pull("salesforce")
    found = coverage(place.run())["salesforce"]
    assert found["campaign"]["is_skipped"]
    assert not found["lead"]["is_skipped"]


def test_a_count_that_stays_different_is_shown_as_such(place):
    place.hubspot.add("contacts", {"email": "a@x.test"}, created_at=place.now - DAY)
    place.pull("hubspot")
    place.store.mark_reread("hubspot", "contact", "count", at=place.now, value=7)
    summary = {"coverage": coverage(place.run()), "history_drift": {}}
    shown = "\n".join(show_coverage(summary))
    assert "contact 1 OF 7 since 2026-11-01" in shown


def opportunity(place, stage: str, *history: tuple[int, str]) -> str:
    own = place.salesforce.add(
        "Opportunity",
        {"Name": "Deal", "StageName": stage, "CloseDate": place.now.date().isoformat()},
        created_at=place.now - 9 * DAY,
        modified_at=place.now - DAY,
    )
    for days, told in history:
        place.salesforce.add(
            "OpportunityHistory",
            {"OpportunityId": own, "StageName": told},
            created_at=place.now - days * DAY,
        )
    return own


def test_a_deal_whose_history_ends_at_another_stage_is_flagged_and_fails_nothing(place):
    opportunity(place, "Closed Won", (9, "Prospecting"), (1, "Closed Won"))
    drifted = opportunity(place, "Closed Won", (9, "Prospecting"))
    place.pull("salesforce")
    assert drift(place.run()) == {"salesforce/opportunity": {"count": 1, "ids": [drifted]}}


def test_a_contact_whose_lifecycle_history_ends_elsewhere_is_flagged(place):
    own = place.hubspot.add("contacts", {"lifecyclestage": "lead"}, created_at=place.now - 9 * DAY)
    place.hubspot.add("contacts", {"lifecyclestage": "lead"}, created_at=place.now - 9 * DAY)
    record = place.hubspot.tables["contacts"].live[int(own)]
    record.versions["lifecyclestage"] = list(record.history("lifecyclestage"))
    record.values["lifecyclestage"] = "customer"
    place.pull("hubspot")
    assert drift(place.run()) == {"hubspot/contact": {"count": 1, "ids": [own]}}


def test_drift_is_shown_with_its_count_and_an_id():
    summary = {
        "coverage": {},
        "history_drift": {"hubspot/contact": {"count": 1_234, "ids": ["17", "18"]}},
    }
    (line,) = show_coverage(summary)[1:]
    assert "1,234 of hubspot/contact" in line
    assert "17" in line
