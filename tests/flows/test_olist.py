"""A real funnel: 8,000 qualified leads of a marketplace and the 842 deals that they became."""

import json
from datetime import UTC, datetime, time
from pathlib import Path

import pandas as pd
import pytest

from flows.demo import serve_crms
from flows.night import night
from flows.provision import provision
from flows.run import agreement_in_force, connect, open_run
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn

FUNNEL = Path(__file__).parents[3] / "shared" / "data" / "funnel"
AS_OF = datetime(2018, 12, 1, 12, tzinfo=UTC)
SOURCES = {
    "organic_search": "ORGANIC_SEARCH",
    "paid_search": "PAID_SEARCH",
    "social": "SOCIAL_MEDIA",
    "direct_traffic": "DIRECT_TRAFFIC",
    "email": "EMAIL_MARKETING",
    "referral": "REFERRALS",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FUNNEL.exists(), reason="the shared data sets are not on this machine"),
]


def noon(day: str) -> datetime:
    """Give a moment that is the same day in Brazil, New York and UTC."""
    return datetime.combine(datetime.fromisoformat(day).date(), time(15), tzinfo=UTC)


def sf_id(prefix: str, number: int) -> str:
    return f"{prefix}000000{number:06d}AAA"


def add_lead(hubspot: HubSpotStandIn, salesforce: SalesforceStandIn, number: int, row) -> None:
    """Put one qualified lead into both systems; HubSpot has no option for the word "unknown"."""
    at, email = noon(row["first_contact_date"]), f"{row['mql_id']}@example.com"
    origin = None if pd.isna(row["origin"]) else row["origin"]
    hubspot.add(
        "contacts",
        {"email": email, "hs_analytics_source": SOURCES.get(origin)},
        record_id=str(number),
        created_at=at,
        history={"lifecyclestage": [(at, "marketingqualifiedlead", "FORM")]},
    )
    fields = {"LastName": f"Lead {number}", "Company": f"Shop {number}", "Email": email}
    salesforce.add(
        "Lead",
        {**fields, "LeadSource": origin, "Status": "Open - Not Contacted"},
        record_id=sf_id("00Q", number),
        created_at=at,
    )


def add_win(salesforce: SalesforceStandIn, number: int, row) -> None:
    """Convert a lead into an account, a contact and a won opportunity.

    Records cannot be older than the first contact; one close date is.
    """
    won = max(noon(row["won_date"]), noon(row["first_contact_date"]))
    account, contact = sf_id("001", number), sf_id("003", number)
    opportunity = sf_id("006", number)
    revenue = row["declared_monthly_revenue"]
    salesforce.add("Account", {"Name": f"Shop {number}"}, record_id=account, created_at=won)
    salesforce.add(
        "Contact",
        {
            "LastName": f"Lead {number}",
            "Email": f"{row['mql_id']}@example.com",
            "AccountId": account,
        },
        record_id=contact,
        created_at=won,
    )
    salesforce.add(
        "Opportunity",
        {
            "Name": f"Shop {number}",
            "AccountId": account,
            "StageName": "Closed Won",
            "CloseDate": row["won_date"][:10],
            "Amount": revenue if revenue > 0 else None,
        },
        record_id=opportunity,
        created_at=won,
    )
    salesforce.add(
        "OpportunityContactRole",
        {"OpportunityId": opportunity, "ContactId": contact, "IsPrimary": True},
        record_id=sf_id("00K", number),
        created_at=won,
    )
    salesforce.convert(
        sf_id("00Q", number),
        at=won,
        contact_id=contact,
        account_id=account,
        opportunity_id=opportunity,
    )


def load(hubspot: HubSpotStandIn, salesforce: SalesforceStandIn) -> None:
    leads = pd.read_csv(FUNNEL / "olist_marketing_qualified_leads.csv")
    deals = pd.read_csv(FUNNEL / "olist_closed_deals.csv").set_index("mql_id")
    for number, row in enumerate(leads.to_dict("records"), start=1):
        add_lead(hubspot, salesforce, number, row)
        if row["mql_id"] in deals.index:
            add_win(salesforce, number, {**row, **deals.loc[row["mql_id"]]})


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    database = f"sqlite:///{tmp_path_factory.mktemp('olist') / 'olist.db'}"
    hubspot, salesforce = HubSpotStandIn(), SalesforceStandIn(multi_currency=False)
    load(hubspot, salesforce)
    with serve_crms(hubspot, salesforce, database) as settings:
        provision(connect(settings), agreement_in_force(settings), is_applied=True)
        with open_run(settings, as_of=AS_OF, tell=lambda *_: None) as run:
            return json.loads(json.dumps(night(run, "apply")))


def test_the_share_of_leads_that_became_deals_is_that_of_the_source(summary):
    assert (summary["funnel"]["people"], summary["funnel"]["won"]) == (8000, 842)
    assert summary["funnel"]["conversion_ppm"] == 105_250


def test_the_median_lead_was_won_after_fourteen_days(summary):
    assert summary["funnel"]["median_days_to_won"] == 14


def test_a_deal_won_before_its_first_contact_is_reported_as_such(summary):
    assert len(summary["funnel"]["won_before_first_contact"]) == 1


def test_no_origin_and_the_word_unknown_are_kept_apart(summary):
    assert summary["funnel"]["source_missing"] == 60
    assert summary["funnel"]["sources"]["unknown"] == 1099


def test_blank_amounts_count_nothing_and_are_listed(summary):
    assert len(summary["blank_amounts"]) == 842 - 45
    assert summary["booked_minor"] == summary["credited_minor"] > 5_000_000_000


def test_everybody_is_linked_and_nothing_was_refused(summary):
    assert summary["linked_people"] == 8000
    assert summary["refused"] == 0
    assert summary["written"]["hubspot"]["contact"] == 8000
