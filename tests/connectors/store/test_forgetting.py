"""Forgotten people: what a pull brings of them is left out, and what is cleaned stays whole."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.privacy import MARK
from agreement.records import Association, Batch, HistoryEntry, Record
from connectors.store import Store
from connectors.store.cleaning import BLANK, Cleaner
from connectors.store.snapshots import Further

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LEAD, CONTACT = "00Q5f00000000001AA", "0035f00000000002AA"


def save(store: Store, system: str, kind: str, *records: Record, full=False, **more) -> None:
    further = more.pop("further", Further(since=None if full else NOON))
    store.save_pull(
        "run", system, kind, [Batch(records=records, **more)],
        until=NOON, is_full=full, seen_at=NOON, further=further,
    )  # fmt: skip


def ids(store: Store, system: str, kind: str) -> list[str]:
    return store.mirror(system, kind, [])["record_id"].tolist()


def lead(**values) -> Record:
    return Record(LEAD, {"Email": "zq@x.test", "LastName": "Quark", **values}, NOON, NOON)


@pytest.fixture
def forgotten(store) -> Store:
    """Hold a lead and a contact of one person, and forget them."""
    save(store, "salesforce", "lead", lead(Status="Open", Phone="+49 30 1234567"))
    contact = {"email": "ZQ@x.test", "firstname": "Zeb", "lastname": "Quark",
               "lifecyclestage": "lead", "phone": "+49 30 1234567"}  # fmt: skip
    entry = HistoryEntry("7", "phone", "+49 30 1234567", NOON)
    stage = HistoryEntry("7", "lifecyclestage", "lead", NOON)
    save(store, "hubspot", "contact", Record("7", contact, NOON, NOON), history=(entry, stage))
    for who in (f"salesforce/lead/{LEAD}", "hubspot/contact/7"):
        assert store.forget(who, at=NOON)
    return store


def test_states_stay_and_everything_that_tells_who_it_was_goes(forgotten):
    [row] = forgotten.mirror(
        "salesforce", "lead", ["Email", "LastName", "Phone", "Status"]
    ).to_dict("records")
    assert row["Status"] == "Open"
    assert MARK in row["record_id"]
    assert MARK in row["Email"]
    assert row["LastName"] != row["LastName"], "missing"
    history = forgotten.history("hubspot", "contact", ["phone", "lifecyclestage"])
    assert history["field"].tolist() == ["lifecyclestage"]
    assert MARK in history["record_id"][0]


def test_a_full_read_does_not_bring_them_back_nor_count_the_alias_as_vanished(forgotten):
    before = ids(forgotten, "salesforce", "lead")
    complete = Further(is_complete=True)
    save(forgotten, "salesforce", "lead", lead(), full=True, further=complete)
    assert ids(forgotten, "salesforce", "lead") == before
    assert not forgotten.mirror("salesforce", "lead", [])["is_deleted"].any()
    assert forgotten.live_ids("salesforce", "lead") == []
    assert forgotten.count_live("salesforce", "lead")[0] == 0


def test_an_act_of_theirs_comes_under_the_random_id_and_without_words(forgotten):
    task = {"WhoId": LEAD, "Subject": "Call Zeb", "Status": "Completed"}
    save(forgotten, "salesforce", "task", Record("00T1", task, NOON, NOON))
    [row] = forgotten.mirror("salesforce", "task", ["WhoId", "Subject", "Status"]).to_dict(
        "records"
    )
    assert row["WhoId"] == ids(forgotten, "salesforce", "lead")[0]
    assert row["Subject"] != row["Subject"], "missing"
    assert row["Status"] == "Completed"


def test_a_call_with_them_is_associated_with_the_random_id_and_loses_its_title(forgotten):
    call = Record("9", {"hs_call_title": "Zeb on price", "hs_call_status": "COMPLETED"}, NOON, NOON)
    pair = Association("call", "9", "contact", "7")
    save(forgotten, "hubspot", "call", call, associations=(pair,), associated=("contact",))
    assert forgotten.associations("hubspot", "call", "contact")["to_id"].tolist() == ids(
        forgotten, "hubspot", "contact"
    )
    assert forgotten.mirror("hubspot", "call", ["hs_call_title"])["hs_call_title"].isna().all()


def test_a_form_sent_from_their_address_comes_under_the_address_that_stands_for_it(forgotten):
    sent = {"email": "ZQ@x.test", "page_url": "https://x.test/?n=Zeb", "form_id": "f"}
    save(forgotten, "hubspot", "form_submission", Record("s", sent, NOON, NOON))
    [row] = forgotten.mirror(
        "hubspot", "form_submission", ["email", "page_url", "form_id"]
    ).to_dict("records")
    [contact] = forgotten.mirror("hubspot", "contact", ["email"])["email"]
    assert row["email"] == contact
    assert row["form_id"] == "f"
    assert row["page_url"] != row["page_url"], "missing"


def test_the_contact_that_a_forgotten_lead_was_converted_to_is_forgotten_too(forgotten):
    values = {"Email": "zq@x.test", "LastName": "Quark"}
    save(forgotten, "salesforce", "contact", Record(CONTACT, values, NOON, NOON))
    assert ids(forgotten, "salesforce", "contact") == [CONTACT]
    save(forgotten, "salesforce", "lead", lead(ConvertedContactId=CONTACT))
    [alias] = ids(forgotten, "salesforce", "contact")
    assert MARK in alias


def test_what_goes_into_a_forgotten_record_by_a_merge_is_forgotten(forgotten):
    other = "00Q5f00000000009AA"
    save(forgotten, "salesforce", "lead", Record(other, {"LastName": "Quark"}, NOON, NOON))
    gone = Record(other, {}, NOON, NOON, is_deleted=True, merged_into=LEAD)
    save(forgotten, "salesforce", "lead", gone)
    assert all(MARK in record_id for record_id in ids(forgotten, "salesforce", "lead"))


def test_a_new_record_of_another_person_is_not_touched(forgotten):
    save(forgotten, "hubspot", "contact", Record("8", {"lastname": "Quark"}, NOON, NOON))
    assert "8" in ids(forgotten, "hubspot", "contact")


def test_showing_changes_nothing_and_an_unknown_person_is_none(store):
    save(store, "salesforce", "lead", lead())
    assert store.forget(f"salesforce/lead/{LEAD}", at=None).rows
    assert ids(store, "salesforce", "lead") == [LEAD]
    assert store.forget("salesforce/lead/00Q5f00000000077AA", at=NOON) is None
    assert store.forget("p_nobody", at=NOON) is None


def test_a_contact_that_hubspot_erased_loses_its_kept_history_of_values(store):
    entries = tuple(
        HistoryEntry("7", name, "x", NOON - timedelta(days=1))
        for name in ("phone", "lifecyclestage")
    )
    save(store, "hubspot", "contact", Record("7", {"phone": "x"}, NOON, NOON), history=entries)
    gone = Further(since=NOON, gone=("7",), is_erased=True)
    save(store, "hubspot", "contact", further=gone)
    kept = store.history("hubspot", "contact", ["phone", "lifecyclestage"])
    assert kept["field"].tolist() == ["lifecyclestage"]


# Cleaning text ------------------------------------------------------------------------------------

CLEANER = Cleaner(
    {("hubspot", "contact", "51201"): "forgottenaaaaaa",
     ("salesforce", "lead", LEAD): "00Qforgottenbbbbbb"},
    {"zq@x.test": "person@forgotten.invalid"},
    frozenset({"Zeb Quark"}),
    {"p_1": "p_2"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("given_text", "clean"),
    [
        ("contact 51201 paid 51201 cents", "contact forgottenaaaaaa paid 51201 cents"),
        ("/contact/512019", "/contact/512019"),
        (f"lead {LEAD}, p_1, p_11", "lead 00Qforgottenbbbbbb, p_2, p_11"),
        (LEAD[:15], "00Qforgottenbbbbbb"),
        ("ZEB QUARK <Zq@X.test>", f"{BLANK} <person@forgotten.invalid>"),
        ("Zebulon Quarkworth", "Zebulon Quarkworth"),
    ],
)
def test_ids_are_replaced_where_they_are_ids_and_values_wherever_they_stand(given_text, clean):
    assert CLEANER.text(given_text) == clean


def test_json_keeps_its_shape_and_a_number_is_an_id_only_beside_its_object():
    told = '[{"kind":"contact","record_id":"51201","system":"hubspot","after":{"won":"51201"}}]'
    clean = CLEANER.json(told)
    assert '"record_id":"forgottenaaaaaa"' in clean
    assert '"won":"51201"' in clean
    other = '{"kind":"company","record_id":"51201","system":"hubspot"}'
    assert CLEANER.json(other) == other


@given(st.text(max_size=60))
def test_cleaning_twice_is_cleaning_once(text):
    once = CLEANER.text(text + " zq@x.test " + text)
    assert CLEANER.text(once) == once
    assert "zq@x.test" not in once
