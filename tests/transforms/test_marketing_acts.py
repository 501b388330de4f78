"""Visits and ads out of history, events attended, and the clicks of security scanners."""

import pytest

from agreement.policy import Scanners
from tests import builders
from transforms.normalise import with_marketing_acts, with_scanners

CONTACT = ("hubspot", "contact")
RULES = Scanners(seconds_after_sending=5, links_in_a_second=3, agents=("Mimecast",))
SENT = "2026-05-01T10:00:00Z"


def acts(*entries: tuple, participations=(), aliases=()):
    mirrors = builders.mirrors({("hubspot", "event_participation"): participations})
    return with_marketing_acts(
        builders.activities(),
        {CONTACT: builders.history(*entries)},
        mirrors,
        builders.aliases(*aliases),
    )


def test_each_dated_source_of_a_contact_is_a_visit():
    found = acts(
        ("1", "hs_latest_source", "PAID_SEARCH", "2026-05-01T10:00:00.250Z"),
        ("1", "hs_latest_source", None, "2026-05-02T10:00Z"),
        ("1", "lifecyclestage", "lead", "2026-05-02T10:00Z"),
    )
    assert found[["activity", "status", "evidence_id", "person_record_id"]].to_numpy().tolist() == [
        ["visit", "paid_search", "visit-1-1777629600250", "1"]
    ]


def test_a_visit_of_a_merged_contact_belongs_to_its_survivor():
    merge = {"system": "hubspot", "kind": "contact", "record_id": "1", "survivor_id": "9"}
    found = acts(("1", "hs_latest_source", "REFERRALS", SENT), aliases=[merge])
    assert found["person_record_id"].tolist() == ["9"]


def test_who_took_part_in_an_event_is_an_act_of_that_event():
    rows = [
        {"record_id": "p1", "event_id": "71", "contact_id": "1", "state": "ATTENDED",
         "occurred_at": SENT},
        {"record_id": "p2", "event_id": "71", "contact_id": None, "state": "ATTENDED",
         "occurred_at": SENT},
        {"record_id": "p3", "event_id": "71", "contact_id": "2", "state": "NO_SHOW"},
    ]  # fmt: skip
    found = acts(participations=rows)
    assert found[["evidence_id", "activity", "status", "campaign_id"]].to_numpy().tolist() == [
        ["p1", "event", "attended", "71"]
    ]


def click(name: str, at: str, **changes) -> dict:
    return {
        "record_id": name,
        "type": "CLICK",
        "recipient": "ann@acme.test",
        "created": f"2026-05-01T{at}Z",
        "campaign_id": "7",
        "sent_at": SENT,
        "url": f"https://acme.test/{name}",
        **changes,
    }


def human(*events: dict, rules: Scanners = RULES) -> list[str]:
    mirror = builders.mirror("hubspot", "email_event", *events)
    found = with_scanners(mirror, rules)
    assert found["record_id"].tolist() == mirror["record_id"].tolist()
    return found.loc[found["is_filtered"] != "true", "record_id"].tolist()


def test_a_click_sooner_than_anybody_reads_is_a_scanners():
    assert human(click("soon", "10:00:04.999"), click("later", "10:00:05")) == ["later"]


def test_a_click_without_a_time_of_sending_is_never_too_soon():
    assert human(click("a", "10:00:01", sent_at=None)) == ["a"]


def test_several_links_within_a_second_are_a_scanners_and_the_same_link_twice_is_not():
    burst = [click(name, f"11:00:00.{place}") for place, name in enumerate("abc")]
    assert human(*burst, click("d", "11:00:05")) == ["d"]
    same = [click(name, "11:00:00", url="https://acme.test") for name in "abc"]
    assert human(*same) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "other",
    [{"recipient": "bob@acme.test"}, {"campaign_id": "8"}, {"created": "2026-05-01T11:00:02Z"}],
)
def test_links_of_other_people_mails_or_seconds_make_no_burst(other):
    rows = [click("a", "11:00:00"), click("b", "11:00:00"), {**click("c", "11:00:00"), **other}]
    assert human(*rows) == ["a", "b", "c"]


def test_a_user_agent_of_a_scanner_is_known_in_any_case():
    rows = [click("a", "11:00:00", user_agent="MIMECAST-LinkCheck/2"),
            click("b", "12:00:00", user_agent="Mozilla/5.0")]  # fmt: skip
    assert human(*rows) == ["b"]


def test_what_the_vendor_marks_itself_stays_marked():
    assert human(click("a", "11:00:00", is_filtered="true")) == []


def test_rules_that_are_off_mark_nothing():
    rules = Scanners(seconds_after_sending=0, links_in_a_second=100)
    rows = [click(name, "10:00:00") for name in "abcdef"]
    assert human(*rows, rules=rules) == list("abcdef")


def test_other_events_are_left_alone():
    assert human(click("a", "10:00:01", type="OPEN")) == ["a"]


def test_no_event_is_no_fault():
    assert human() == []
