"""What no changed record announces is read again now and then, and a quiet night stays quiet."""

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from standins.hubspot.records import Record

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

ARCHIVES = "GET /crm/v3/objects/{type}"


def stored(place, query: str) -> list[tuple]:
    engine = create_engine(place.database_url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def add_contact(place, email="ada@x.test", **properties) -> str:
    return place.hubspot.add("contacts", {"email": email} | properties, created_at=place.now - DAY)


def lead(place, **more) -> str:
    fields = {"LastName": "Byron", "Company": "Blue", "Status": "Open - Not Contacted"}
    return place.salesforce.add("Lead", fields | more, created_at=place.now - DAY)


def restore(place, record_id: str) -> None:
    """Take a contact out of the archive as a person does; its stamp stays."""
    table = place.hubspot.tables["contacts"]
    record: Record = table.archived[int(record_id)]
    table.purge(record)
    record.archived_at = None
    table.insert(record)


# The index and the clock of a transaction ---------------------------------------------------------


def test_a_record_that_shows_up_in_the_index_an_hour_late_is_found(place):
    own = add_contact(place)
    place.pull("hubspot")
    place.hubspot.index_lag = 60 * 60 * 1000
    place.hubspot.set("contacts", own, {"email": "late@x.test"}, at=place.now + MINUTE)
    place.now += 2 * MINUTE
    assert place.pull("hubspot")["contact"] == 0
    place.now += HOUR
    assert place.pull("hubspot")["contact"] == 1
    assert place.live("hubspot", "contact", "email")["email"].tolist() == ["late@x.test"]


def test_a_salesforce_record_committed_late_with_an_older_stamp_is_found(place):
    lead(place)
    place.pull("salesforce")
    stamped = place.now - 10 * MINUTE
    place.salesforce.add(
        "Lead", {"LastName": "Late", "Company": "Blue"}, created_at=stamped, modified_at=stamped
    )
    place.now += DAY
    place.pull("salesforce")
    assert sorted(place.live("salesforce", "lead", "LastName")["LastName"]) == ["Byron", "Late"]


def test_rows_read_again_in_the_overlap_are_known_by_value(place):
    add_contact(place)
    place.hubspot.add("contacts", {"email": "new@x.test"}, created_at=place.now - MINUTE)
    place.pull("hubspot")
    before = stored(place, "SELECT count(*) FROM mirror_version WHERE kind = 'contact'")
    place.now += MINUTE
    assert place.pull("hubspot")["contact"] == 1
    assert stored(place, "SELECT count(*) FROM mirror_version WHERE kind = 'contact'") == before


# A quiet night ------------------------------------------------------------------------------------


def test_a_quiet_hubspot_night_costs_one_call_per_object_and_writes_nothing(place):
    add_contact(place)
    place.hubspot.add_form("f-1", "Demo")
    place.pull("hubspot")
    versions = stored(place, "SELECT count(*) FROM mirror_version")
    place.now += 3 * HOUR
    assert not any(
        rows for kind, rows in place.pull("hubspot").items() if kind not in {"owner", "form"}
    )
    calls = place.calls("hubspot")
    assert calls.pop("POST /crm/v3/objects/{type}/search") == 7  # one per CRM object
    # Owners, forms, one form's submissions, one type of e-mail events, marketing events.
    assert set(calls.values()) == {1}
    assert len(calls) == 5
    assert stored(place, "SELECT count(*) FROM mirror_version") == versions


def test_a_quiet_salesforce_night_costs_one_call_per_object_and_writes_nothing(place):
    lead(place)
    kinds = place.pull("salesforce")
    versions = stored(place, "SELECT count(*) FROM mirror_version")
    place.now += 3 * HOUR
    place.pull("salesforce")
    assert place.calls("salesforce") == {"GET /services/data/{v}/queryAll": len(kinds)}
    assert stored(place, "SELECT count(*) FROM mirror_version") == versions


# Archives -----------------------------------------------------------------------------------------


def test_an_archive_is_read_once_a_day_however_often_we_pull(place):
    add_contact(place)
    place.pull("hubspot")
    start, read = place.now, []
    for hours in (1, 12, 20, 21, 39, 40):
        place.now = start + hours * HOUR
        place.pull("hubspot")
        read.append(place.calls("hubspot")[ARCHIVES])
    assert read == [0, 0, 7, 0, 0, 7]


def test_an_archived_contact_is_deleted_and_comes_alive_when_it_is_restored(place):
    own = add_contact(place)
    place.pull("hubspot")
    place.hubspot.archive("contacts", own, at=place.now + HOUR)
    place.now += DAY
    place.pull("hubspot")
    assert place.live("hubspot", "contact").empty
    restore(place, own)
    place.now += DAY
    place.pull("hubspot")
    assert place.live("hubspot", "contact", "email")["email"].tolist() == ["ada@x.test"]


def test_an_archived_contact_that_is_gone_for_good_is_asked_for_once_and_forgotten(place):
    own = add_contact(place)
    place.pull("hubspot")
    place.hubspot.archive("contacts", own, at=place.now + HOUR)
    place.now += DAY
    place.pull("hubspot")
    place.hubspot.tables["contacts"].purge(place.hubspot.tables["contacts"].archived[int(own)])
    asked = []
    for _ in range(2):
        place.now += DAY
        place.pull("hubspot")
        asked.append(place.calls("hubspot")["POST /crm/v3/objects/{type}/batch/read"])
    assert asked == [1, 0]
    assert not any("ada@x.test" in state for (state,) in stored(place, STATES))


STATES = "SELECT state FROM mirror_version WHERE kind = 'contact' ORDER BY version_id"


def test_owners_who_left_are_read_at_first_and_then_once_a_day(place):
    place.hubspot.add_owner(
        "7", user_id=7, email="a@x.test", first_name="A", last_name="B", archived=True
    )
    assert place.pull("hubspot")["owner"] == 1
    place.now += HOUR
    place.pull("hubspot")
    assert place.calls("hubspot")["GET /crm/v3/owners"] == 1


# Records that the vendor no longer has ------------------------------------------------------------


def test_a_contact_erased_at_the_vendor_is_gone_after_a_full_read_and_so_is_what_we_knew(place):
    own = add_contact(place)
    for number in range(3):
        add_contact(place, f"{number}@x.test")
    place.pull("hubspot")
    place.hubspot.gdpr_delete(own, at=place.now)
    place.now += HOUR
    place.pull("hubspot", is_full=True)
    assert len(place.live("hubspot", "contact")) == 3
    assert stored(
        place, "SELECT _record_id, email FROM mirror_hubspot_contact WHERE _gone_at > ''"
    ) == [(own, None)]
    assert not any("ada@x.test" in state for (state,) in stored(place, STATES))
    assert any("1@x.test" in state for (state,) in stored(place, STATES))


def test_a_salesforce_row_is_gone_when_two_full_reads_did_not_bring_it(place):
    own, other = lead(place), lead(place)
    place.pull("salesforce")
    row = place.salesforce.org.tables["Lead"].rows[own]
    kept = dict(row)
    place.salesforce.purge("Lead", own)
    live = []
    for _ in range(2):
        place.now += HOUR
        place.pull("salesforce", is_full=True)
        live.append(sorted(place.live("salesforce", "lead").index))
    assert live == [sorted([own, other]), [other]]
    place.salesforce.org.tables["Lead"].put(kept)
    place.now += HOUR
    place.pull("salesforce", is_full=True)
    assert sorted(place.live("salesforce", "lead").index) == sorted([own, other])


def test_a_row_seen_between_two_full_reads_is_not_gone(place):
    own, other = lead(place), lead(place)
    place.pull("salesforce")
    table = place.salesforce.org.tables["Lead"]
    hidden = table.rows[own]
    table.drop(own)
    place.now += HOUR
    place.pull("salesforce", is_full=True)
    table.put(hidden)
    place.salesforce.set("Lead", own, {"Company": "Green"}, at=place.now + MINUTE)
    place.now += HOUR
    place.pull("salesforce")
    table.drop(own)
    place.now += HOUR
    place.pull("salesforce", is_full=True)
    assert sorted(place.live("salesforce", "lead").index) == sorted([own, other])


def test_a_row_purged_between_two_nights_is_found_in_the_log_of_deletions(place):
    own, other = lead(place), lead(place)
    place.pull("salesforce")
    place.now += DAY
    place.salesforce.purge("Lead", own)
    place.pull("salesforce")
    assert list(place.live("salesforce", "lead").index) == [other]
    frame = place.store.mirror("salesforce", "lead", []).set_index("record_id")
    assert frame.loc[own, "modified_at"] == place.now


def test_a_merged_lead_keeps_its_winner_though_the_log_names_it_too(place):
    winner, loser = lead(place), lead(place)
    place.pull("salesforce")
    place.now += DAY
    place.salesforce.merge("Lead", winner, [loser], at=place.now - MINUTE)
    for _ in range(2):
        place.pull("salesforce")
        place.now += DAY
    frame = place.store.mirror("salesforce", "lead", []).set_index("record_id")
    assert frame.loc[loser, "merged_into"] == winner


# Calculated fields --------------------------------------------------------------------------------


@pytest.fixture
def scored(place):
    """A lead with a formula field that the agreement reads, as the reason of a rejection."""
    place.salesforce.add_field("Lead", "Score__c", "string", calculated=True)
    place.agree(handoff={"reject_reason_field": "Score__c"})
    own = lead(place, Score__c="low")
    place.pull("salesforce")
    return own


def recalculate(place, own: str, value: str) -> None:
    """Change a formula's result, as a change elsewhere does: no stamp moves."""
    place.salesforce.org.tables["Lead"].change(own, {"Score__c": value})


def test_a_formula_that_changed_without_a_stamp_is_read_again_once_its_time_has_come(place, scored):
    recalculate(place, scored, "high")
    scores, retrieved = [], []
    for _ in range(3):
        place.now += 10 * HOUR
        place.pull("salesforce")
        scores += place.live("salesforce", "lead", "Score__c")["Score__c"].tolist()
        retrieved.append(place.calls("salesforce")["POST " + RETRIEVE])
    assert scores == ["low", "high", "high"]
    assert retrieved == [0, 1, 0]


RETRIEVE = "/services/data/{v}/composite/sobjects/{sobject}"


def test_only_calculated_fields_are_read_again_and_others_stay(place, scored):
    recalculate(place, scored, "high")
    place.now += DAY
    place.pull("salesforce")
    row = place.live("salesforce", "lead", "Score__c", "Company").loc[scored]
    assert (row["Score__c"], row["Company"]) == ("high", "Blue")
    assert place.store.fields_read("salesforce", "lead") >= {"Score__c", "Company"}


def test_how_often_is_said_by_the_agreement(place, scored):
    place.agree(pull={"calculated_refresh": 3 * DAY})
    place.now += 2 * DAY
    place.pull("salesforce")
    assert place.calls("salesforce")["POST " + RETRIEVE] == 0


def test_without_a_calculated_field_nothing_is_read_again(place):
    lead(place)
    add_contact(place)
    for _ in range(2):
        place.now += DAY
        place.pull("salesforce")
        place.pull("hubspot")
    assert place.calls("salesforce")["POST " + RETRIEVE] == 0
    assert place.calls("hubspot")["POST /crm/v3/objects/{type}/batch/read"] == 0


# Counts -------------------------------------------------------------------------------------------


def test_a_count_that_differs_has_that_object_read_in_full(place):
    own = add_contact(place)
    for number in range(4):
        add_contact(place, f"{number}@x.test")
    place.pull("hubspot")
    place.hubspot.gdpr_delete(own, at=place.now)
    for days, live in ((1, 5), (5, 4)):
        place.now += days * DAY
        place.pull("hubspot")
        assert len(place.live("hubspot", "contact")) == live
    assert place.store.reread("hubspot", "contact", "count").value == 4
    assert place.store.reread("hubspot", "contact", "own_count").value == 4


def test_counts_that_agree_cost_one_call_in_salesforce_and_one_per_object_in_hubspot(place):
    add_contact(place)
    lead(place)
    for system in ("hubspot", "salesforce"):
        place.pull(system)
    place.now += 6 * DAY
    place.pull("salesforce")
    assert place.calls("salesforce")["GET /services/data/{v}/limits/recordCount"] == 1
    assert place.calls("salesforce")["GET /services/data/{v}/query"] == 0
    place.pull("hubspot")
    assert place.calls("hubspot")["POST /crm/v3/objects/{type}/search"] == 14
