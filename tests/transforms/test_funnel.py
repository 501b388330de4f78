"""From first contact to a won deal."""

import csv
from pathlib import Path

import pytest

from tests import builders
from transforms.funnel import funnel, funnel_summary

SHARED = Path(__file__).parents[3] / "shared" / "data" / "funnel"
ZONE = "America/New_York"


def summary(people, wins=(), how="role", zone=ZONE):
    """Give the funnel of people, given as contact fields, and wins as (person number, day)."""
    rows = [
        {"record_id": str(number), "created_at": "2026-03-01T12:00Z"} | fields
        for number, fields in enumerate(people)
    ]
    links = [{"entity_id": f"p{number}", "record_id": str(number)} for number in range(len(rows))]
    deals = [
        {"deal_id": f"d{at}", "record_id": f"o{at}", "closed_on": day}
        for at, (_, day) in enumerate(wins)
    ]
    on_deals = [
        {"deal_id": f"d{at}", "person_id": f"p{person}", "how": how}
        for at, (person, _) in enumerate(wins)
    ]
    found = funnel(
        builders.people(*rows),
        builders.crosswalk(*links),
        builders.deals(*deals),
        builders.deal_people(*on_deals),
    )
    return funnel_summary(found, zone)


def test_the_share_of_won_and_the_days_it_took():
    found = summary([{}, {}, {}, {}], [(0, "2026-03-04"), (1, "2026-03-11"), (2, "2026-03-21")])
    assert found["people"] == 4
    assert found["conversion_ppm"] == 750_000
    assert found["median_days_to_won"] == 10


def test_days_are_dates_of_the_company_s_zone():
    late_evening = {"created_at": "2026-03-02T04:59Z"}  # still the first in New York
    assert summary([late_evening], [(0, "2026-03-03")])["median_days_to_won"] == 2
    assert summary([late_evening], [(0, "2026-03-03")], zone="UTC")["median_days_to_won"] == 1


def test_a_deal_won_before_the_first_contact_is_told():
    found = summary([{}, {}], [(0, "2026-02-27"), (1, "2026-03-01")])
    assert found["won_before_first_contact"] == ["p0"]
    assert found["won"] == 2


def test_a_person_with_two_deals_counts_once_by_the_first():
    found = summary([{}], [(0, "2026-03-20"), (0, "2026-03-02")])
    assert (found["won"], found["median_days_to_won"]) == (1, 1)


def test_a_deal_on_which_a_person_is_only_inferred_is_not_theirs():
    assert summary([{}], [(0, "2026-03-20")], how="inferred")["won"] == 0


def test_no_source_and_the_source_unknown_are_two_things():
    found = summary([{"source": "unknown"}, {"source": None}, {"source": "unknown"}])
    assert found["sources"] == {"unknown": 2}
    assert found["source_missing"] == 1


def test_hubspot_s_source_goes_before_the_lead_s_and_the_oldest_record_first():
    lead = {"system": "salesforce", "kind": "lead", "record_id": "L", "source": "fair"}
    old = {"record_id": "1", "created_at": "2026-01-01T00:00Z"}
    new = {"record_id": "2", "created_at": "2026-02-01T00:00Z", "source": "search"}
    everyone = builders.crosswalk(
        {"entity_id": "p", "record_id": "1"},
        {"entity_id": "p", "record_id": "2"},
        {"entity_id": "p", "record_id": "L", "system": "salesforce", "kind": "lead"},
    )
    found = funnel(
        builders.people(old, new, lead), everyone, builders.deals(), builders.deal_people()
    )
    assert found["source"].tolist() == ["search"]
    assert found["first_seen_at"].dt.month.tolist() == [1]


def test_nobody_at_all_is_no_figure():
    found = summary([])
    assert (found["people"], found["conversion_ppm"], found["median_days_to_won"]) == (0, 0, None)


def test_a_real_funnel_of_eight_thousand_leads():
    if not SHARED.exists():
        pytest.skip("the public Olist funnel is not beside this checkout (../shared/data/funnel)")
    leads = _read("olist_marketing_qualified_leads.csv")
    place = {lead["mql_id"]: number for number, lead in enumerate(leads)}
    found = summary(
        [
            {"created_at": f"{lead['first_contact_date']}T12:00Z", "source": lead["origin"] or None}
            for lead in leads
        ],
        [
            (place[deal["mql_id"]], deal["won_date"][:10])
            for deal in _read("olist_closed_deals.csv")
        ],
    )
    assert found["conversion_ppm"] == 105_250
    assert found["median_days_to_won"] == 14
    assert len(found["won_before_first_contact"]) == 1
    assert (found["source_missing"], found["sources"]["unknown"]) == (60, 1_099)


def _read(name):
    with (SHARED / name).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))
