"""Visits, events and scanners' clicks, from both stand-ins through a night to a deal's path."""

from datetime import timedelta

import pytest

from tests.flows.small import BORN, HOUR, MONDAY, serve_small


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Give the touches of a deal's path and the acts set aside, of one person with one deal."""
    day = timedelta(days=1)
    with serve_small(tmp_path_factory.mktemp("touches"), people=2) as small:
        contact, email = small.hubspot_ids[0], "person0@acme.test"
        small.hubspot.set(
            "contacts", contact, {"hs_latest_source": "PAID_SEARCH"}, at=BORN + 2 * day
        )
        small.hubspot.set(
            "contacts", contact, {"hs_latest_source": "DIRECT_TRAFFIC"}, at=BORN + 3 * day
        )
        small.hubspot.add_marketing_event(
            "71", "Talk", type="WEBINAR", start_at=BORN + 4 * day, end_at=BORN + 4 * day + HOUR
        )
        small.hubspot.take_part("71", contact, "REGISTERED", BORN + 3 * day)
        small.hubspot.take_part("71", contact, "ATTENDED", BORN + 4 * day)
        mailed_at = BORN + 6 * day
        for name, seconds, agent in (
            ("too-soon", 1, ""), ("by-agent", 600, "Barracuda Sentinel"), ("human", 3600, ""),
            ("again", 7200, ""),
        ):  # fmt: skip
            small.hubspot.add_email_event(
                "CLICK", email, mailed_at + timedelta(seconds=seconds), event_id=name,
                url=f"https://acme.test/{name}", sent_at=mailed_at, user_agent=agent,
            )  # fmt: skip
        account = next(iter(small.salesforce.records("Account")))
        deal = small.salesforce.add(
            "Opportunity",
            {"Name": "Deal", "AccountId": account, "Amount": 100.0, "StageName": "Closed Won",
             "IsClosed": True, "IsWon": True, "CloseDate": f"{MONDAY - 2 * day:%Y-%m-%d}"},
            created_at=BORN + day,
        )  # fmt: skip
        small.salesforce.add(
            "OpportunityContactRole",
            {"OpportunityId": deal, "ContactId": small.contact_ids[0]},
            created_at=BORN + day,
        )
        small.night()
        with small.store() as store:
            credits = store.measure("credit")
            yield credits[credits["model"] == "linear"], store.measure("set_aside")


def test_ads_events_and_a_humans_click_share_the_deal(found):
    credits, _ = found
    rows = credits.sort_values("credit_minor", ascending=False)
    assert sorted(zip(rows["channel"], rows["credit_minor"], strict=True)) == [
        ("ads", 3334), ("email", 3333), ("event", 3333),
    ]  # fmt: skip
    assert set(rows["team"]) == {"marketing"}


def test_the_event_is_the_campaign_of_its_touch(found):
    credits, _ = found
    assert credits.set_index("channel")["campaign_id"].to_dict()["event"] == "71"


def test_scanners_repeats_and_what_is_not_listed_are_set_aside_with_their_reason(found):
    _, others = found
    reasons = others.set_index("touch_id")["reason"].to_dict()
    assert {name: reasons.get(name) for name in ("too-soon", "by-agent", "again", "human")} == {
        "too-soon": "scanner",
        "by-agent": "scanner",
        "again": "repeat",
        "human": None,
    }
    assert sorted(others["reason"]) == ["not_listed", "not_listed", "repeat", "scanner", "scanner"]
