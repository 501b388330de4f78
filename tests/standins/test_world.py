"""The seeded world: as hard as promised, loadable, and its truth true of what it loads."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from zoneinfo import ZoneInfo

import pytest

from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.world import TouchTruth, World, build_world
from standins.world.truth import HandoffTruth

# US public holidays that touch the world's clocks, from the government's own list (opm.gov).
HOLIDAYS = {
    "2025-09-01", "2025-10-13", "2025-11-11", "2025-11-27", "2025-12-25",
    "2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03",
    "2026-09-07", "2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25",
}  # fmt: skip
AUTO_REPLIES = ("automatic reply", "auto-reply", "out of office")
MACHINE_SOURCES = ("AUTOMATION_PLATFORM", "SEQUENCES", "INTEGRATION", "IMPORT")
CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
WINDOW = timedelta(days=365)
MINUTE = timedelta(minutes=1)

PersonKey = tuple[str, str, str]


@dataclass
class Loaded:
    world: World
    hubspot: HubSpotStandIn
    salesforce: SalesforceStandIn

    @cached_property
    def histories(self) -> Mapping[tuple[str, str], list]:
        """The history rows of each lead and contact."""
        rows = defaultdict(list)
        for sobject in ("Lead", "Contact"):
            for history_id, row in self.salesforce.records(f"{sobject}History").items():
                rows[sobject, str(row[f"{sobject}Id"])].append((history_id, row))
        return rows

    @cached_property
    def records(self) -> Mapping[str, list[tuple[str, str, datetime]]]:
        """The Salesforce records that are the human of each contact, with their making."""
        made = {
            record_id: (sobject, record_id, instant(fields["CreatedDate"]))
            for sobject in ("Lead", "Contact")
            for record_id, fields in self.salesforce.records(sobject).items()
        }
        of = defaultdict(list)
        for hubspot_id, _, salesforce_id in sorted(self.world.truth.pairs):
            of[hubspot_id].append(made[salesforce_id])
        return of


def load(world: World) -> Loaded:
    hubspot, salesforce = HubSpotStandIn(), SalesforceStandIn()
    world.load(hubspot, salesforce)
    return Loaded(world, hubspot, salesforce)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(build_world())


@pytest.fixture(scope="module")
def acts(loaded: Loaded) -> list["SeenAct"]:
    return list(seen_acts(loaded))


# Who is who ---------------------------------------------------------------------------------------


def test_the_same_seed_builds_the_same_world_and_another_seed_another_one():
    first, again, other = (load(build_world(150, seed)) for seed in (3, 3, 4))
    assert first.world.truth == again.world.truth
    assert first.world.truth != other.world.truth
    for kind in ("contacts", "companies", "deals", "calls", "meetings", "emails"):
        assert first.hubspot.records(kind) == again.hubspot.records(kind)
    for sobject in ("Lead", "Contact", "Opportunity", "Task", "Event", "CampaignMember"):
        assert first.salesforce.records(sobject) == again.salesforce.records(sobject)


def test_at_most_seventy_percent_of_true_pairs_share_an_address(loaded):
    share = shared_address_share(loaded)
    assert 0.35 <= share <= 0.70


def test_in_the_easy_world_nearly_all_pairs_share_an_address():
    assert shared_address_share(load(build_world(400, profile="easy"))) > 0.75


def test_at_least_one_record_in_twenty_is_a_duplicate_on_either_side(loaded):
    duplicates = loaded.world.truth.duplicates
    contacts = loaded.hubspot.records("contacts")
    people = [*loaded.salesforce.records("Lead"), *loaded.salesforce.records("Contact")]
    assert len(duplicates["hubspot"]) / len(contacts) >= 0.05
    assert len(duplicates["salesforce"]) / len(people) >= 0.05


def test_every_human_has_up_to_three_live_records_in_each_system(loaded):
    contacts, others = defaultdict(set), defaultdict(set)
    for hubspot_id, kind, salesforce_id in loaded.world.truth.pairs:
        contacts[kind, salesforce_id].add(hubspot_id)
        others[hubspot_id].add((kind, salesforce_id))
    assert Counter(map(len, contacts.values())).keys() == {1, 2, 3}
    assert Counter(map(len, others.values())).keys() == {1, 2, 3}


def test_every_id_of_the_truth_is_a_live_record(loaded):
    truth, live = loaded.world.truth, live_ids(loaded)
    known = [key for keys in truth.humans for key in keys]
    assert len(known) == len(set(known))
    for system, kind in (("hubspot", "contact"), ("salesforce", "lead"), ("salesforce", "contact")):
        assert {key[2] for key in known if key[:2] == (system, kind)} == live[system, kind]
    assert truth.pairs == {
        (contact_id, kind, person_id)
        for keys in truth.humans
        for own, _, contact_id in keys
        if own == "hubspot"
        for system, kind, person_id in keys
        if system == "salesforce"
    }
    for handoff in truth.handoffs:
        assert handoff.hubspot_id in live["hubspot", "contact"]
    for deal in truth.deals:
        assert deal.salesforce_id in live["salesforce", "opportunity"]
        for touch in deal.touches:
            assert touch.record_id in live[touch.system, touch.record_kind]
    assert truth.bridge.keys() == {handoff.hubspot_id for handoff in truth.handoffs}
    assert len(truth.deals) == len(live["salesforce", "opportunity"])
    deals = loaded.hubspot.records("deals")
    assert truth.hubspot_only_wins
    assert all("hs_salesforceopportunityid" not in deals[one] for one in truth.hubspot_only_wins)


def test_records_were_merged_converted_and_deleted_on_both_sides(loaded):
    contacts = loaded.hubspot.records("contacts")
    merged = [one for one in contacts.values() if one.get("hs_merged_object_ids")]
    assert len(merged) > 20
    assert any(one.get("hs_additional_emails") for one in merged)
    leads = loaded.salesforce.records("Lead")
    converted = [one for one in leads.values() if one.get("IsConverted")]
    assert len(converted) > 100
    assert any(one.get("ConvertedOpportunityId") for one in converted)
    known = live_ids(loaded)
    assert {one["ConvertedContactId"] for one in converted} <= known["salesforce", "contact"]


def test_stored_ids_join_some_records_and_lead_astray_where_a_record_is_gone(loaded):
    live = live_ids(loaded)
    stored = [
        (hubspot_id, kind, values[f"salesforce{kind}id"])
        for hubspot_id, values in loaded.hubspot.records("contacts").items()
        for kind in ("lead", "contact")
        if values.get(f"salesforce{kind}id")
    ]
    assert {len(one) for _, _, one in stored} == {15, 18}
    short = {(hubspot_id, kind, one[:15]) for hubspot_id, kind, one in loaded.world.truth.pairs}
    right = [one for one in stored if (one[0], one[1], one[2][:15]) in short]
    alive = {one[:15] for kind in ("lead", "contact") for one in live["salesforce", kind]}
    gone = [one for one in stored if one[2][:15] not in alive]
    assert len(right) > 200
    assert gone
    assert len(right) + len(gone) == len(stored)


def test_some_mailboxes_are_shared_by_colleagues_and_by_father_and_son(loaded):
    holders: dict[str, set[str]] = defaultdict(set)
    human = humans(loaded)
    names: dict[str, set[str]] = defaultdict(set)
    for key, email, last in addresses(loaded):
        holders[email].add(human[key])
        names[email].add(last)
    shared = {email for email, people in holders.items() if len(people) > 1}
    roles = {email for email in shared if email.partition("@")[0] in {"info", "sales", "office"}}
    families = {email for email in shared if email.startswith("family.")}
    assert roles
    assert families
    assert all(len(names[email]) == 1 for email in families)


def test_all_salesforce_records_of_a_human_have_one_owner(loaded):
    human = humans(loaded)
    owners = defaultdict(set)
    for kind in ("Lead", "Contact"):
        for record_id, fields in loaded.salesforce.records(kind).items():
            key = human["salesforce", kind.lower(), record_id]
            owners[key].add(fields["OwnerId"])
    assert all(len(one) == 1 for one in owners.values())


# Clocks -------------------------------------------------------------------------------------------


def test_at_least_fifteen_percent_of_handoffs_are_late_and_ten_percent_never_touched(loaded):
    handoffs = loaded.world.truth.handoffs
    assert sum(one.status == "late" for one in handoffs) / len(handoffs) >= 0.15
    assert sum(one.touched_at is None for one in handoffs) / len(handoffs) >= 0.10
    assert {one.status for one in handoffs} == {"on_time", "late", "waiting", "relieved"}


def test_every_cause_of_a_miss_and_both_reliefs_happen(loaded):
    handoffs = loaded.world.truth.handoffs
    assert {one.cause for one in handoffs} == {
        None, "not_seen", "not_assigned", "owner_inactive", "owner_absent", "reassigned_late",
        "rejected_without_reason", "too_few_attempts", "never_touched", "touched_late",
        "never_answered", "answered_late",
    }  # fmt: skip
    assert {one.relief for one in handoffs} == {None, "below_criteria", "recycled_too_soon"}
    assert {one.answer_status for one in handoffs} == {
        None, "in_time", "late", "waiting", "silent", "not_worked",
    }  # fmt: skip


def test_some_clocks_change_hands_and_some_stand_still(loaded):
    zones = [
        {zone for _, zone in owner_zones(loaded, one)[0]} for one in loaded.world.truth.handoffs
    ]
    assert sum(len(each) > 1 for each in zones) > 50
    assert sum(bool(pauses_of(loaded, one)) for one in loaded.world.truth.handoffs) > 10


def test_late_touches_alone_are_fifteen_percent_of_handoffs(loaded):
    handoffs = loaded.world.truth.handoffs
    answered_late = [one for one in handoffs if one.touched_at and one.status == "late"]
    assert len(answered_late) / len(handoffs) >= 0.15


def test_clocks_run_in_many_zones_over_clock_changes_and_holidays(loaded):
    handoffs = loaded.world.truth.handoffs
    zones = {one.zone for one in handoffs}
    assert {"America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata"} <= zones
    berlin_back = datetime(2026, 10, 25, 1, tzinfo=UTC)
    new_york_back = datetime(2026, 11, 1, 6, tzinfo=UTC)
    veterans_day = datetime(2026, 11, 11, 17, tzinfo=UTC)
    columbus_day = datetime(2026, 10, 12, 17, tzinfo=UTC)
    running = {
        (moment, one.zone)
        for one in handoffs
        for moment in (berlin_back, new_york_back, veterans_day, columbus_day)
        if one.started_at < moment < one.due_at
    }
    assert (berlin_back, "Europe/Berlin") in running
    assert (new_york_back, "America/New_York") in running
    assert {moment for moment, _ in running} >= {veterans_day, columbus_day}


def test_an_answer_at_the_due_time_is_on_time_and_none_is_within_two_minutes_of_it(loaded):
    touched = [one for one in loaded.world.truth.handoffs if one.touched_at]
    exactly = [one for one in touched if one.touched_at == one.due_at]
    assert len(exactly) >= 5
    assert {one.status for one in exactly} <= {"on_time", "relieved"}
    gaps = [abs(one.touched_at - one.due_at) for one in touched if one.touched_at != one.due_at]
    assert min(gaps) >= 2 * MINUTE


def test_due_times_equal_a_walk_through_every_minute(loaded):
    for handoff in loaded.world.truth.handoffs[::12]:
        limit = {"hot": timedelta(minutes=60), "mql": timedelta(hours=24)}[handoff.tier]
        zones, pauses = owner_zones(loaded, handoff)[0], pauses_of(loaded, handoff)
        assert walked_due(handoff.started_at, limit, zones, pauses) == handoff.due_at


def test_touches_and_status_equal_what_a_slow_reader_finds_in_the_two_systems(loaded, acts):
    human = humans(loaded)
    stops = defaultdict(list)
    for act in acts:
        if act.stops_at:
            stops[human[act.person]].append((act.stops_at, act.evidence_id))
    now = loaded.world.as_of
    for handoff in loaded.world.truth.handoffs:
        person = human["hubspot", "contact", handoff.hubspot_id]
        after = [one for one in stops[person] if handoff.started_at <= one[0] <= now]
        touched_at, evidence_id = min(after, default=(None, None))
        assert (handoff.touched_at, handoff.evidence_id) == (touched_at, evidence_id)
        status = "relieved" if handoff.relief else status_at(handoff.due_at, touched_at, now)
        assert handoff.status == status


def test_cycles_and_tiers_equal_what_stage_history_and_forms_say(loaded, acts):
    human = humans(loaded)
    hot_forms = defaultdict(list)
    for act in acts:
        if act.form and any(word in act.form.lower() for word in ("demo", "pricing", "contact")):
            hot_forms[human[act.person]].append(act.at)
    found = set()
    for hubspot_id, cycle, mql_at in mql_entries(loaded):
        person = human["hubspot", "contact", hubspot_id]
        asked = [
            at for at in hot_forms[person] if timedelta(0) <= mql_at - at <= timedelta(hours=24)
        ]
        found.add((hubspot_id, cycle, "hot" if asked else "mql", max(asked, default=mql_at)))
    handoffs = loaded.world.truth.handoffs
    assert found == {(one.hubspot_id, one.cycle, one.tier, one.started_at) for one in handoffs}
    assert {one.cycle for one in handoffs} == {1, 2}
    assert {one.tier for one in handoffs} == {"hot", "mql"}


def test_the_carrier_is_a_contact_before_a_lead_and_its_owner_gives_the_zone(loaded):
    of = records_of_contacts(loaded)
    for handoff in loaded.world.truth.handoffs:
        ranked = sorted(of[handoff.hubspot_id], key=lambda one: (one[0] != "Contact", one[2]))
        if not ranked:
            assert handoff.salesforce_id is None
        else:
            kind, record_id, _ = ranked[0]
            assert (handoff.salesforce_kind, handoff.salesforce_id) == (kind.lower(), record_id)
        until = handoff.touched_at or loaded.world.as_of
        zones, owners = owner_zones(loaded, handoff)
        assert handoff.zone == [zone for at, zone in zones if at <= until][-1]
        assert handoff.owner_id == [owner for at, owner in owners if at <= until][-1]


def test_answers_follow_lead_status_and_conversion(loaded):
    handoffs = loaded.world.truth.handoffs
    assert {one.answer for one in handoffs} == {"accepted", "rejected", None}
    leads = loaded.salesforce.records("Lead")
    of = records_of_contacts(loaded)
    last = {one.hubspot_id: one for one in handoffs}
    for hubspot_id, handoff in last.items():
        own = [leads[record_id] for kind, record_id, _ in of[hubspot_id] if kind == "Lead"]
        said = {one["Status"] for one in own}
        if handoff.answer == "rejected":
            assert "Unqualified" in said
            reasons = {one.get("Reject_Reason__c") for one in own}
            assert handoff.answer_reason in reasons
        elif handoff.answer == "accepted":
            assert said & {"Working - Contacted", "Nurturing"} or any(
                one.get("IsConverted") for one in own
            )
    reasons = {one.answer_reason for one in handoffs if one.answer == "rejected"}
    assert None in reasons
    assert len(reasons) > 2


def test_every_mql_has_one_bridge_class(loaded):
    assert set(loaded.world.truth.bridge.values()) == {"linked", "rejected", "missing"}
    of = records_of_contacts(loaded)
    for hubspot_id, name in loaded.world.truth.bridge.items():
        assert (name == "missing") == (not of[hubspot_id])


# Deals --------------------------------------------------------------------------------------------


def test_at_least_one_deal_in_twenty_has_no_touch_that_counts(loaded):
    deals = [deal for deal in loaded.world.truth.deals if deal.state != "lost"]
    assert sum(not deal.touches for deal in deals) / len(deals) >= 0.05


def test_deals_come_in_four_currencies_all_states_and_odd_amounts(loaded):
    deals = loaded.world.truth.deals
    assert {deal.currency for deal in deals} == {"USD", "EUR", "JPY", "KWD"}
    assert {deal.state for deal in deals} == {"won", "open", "lost"}
    assert {deal.how for deal in deals} >= {"role", "association", "inferred"}
    assert any(deal.amount is None for deal in deals)
    assert any(deal.amount == "0" for deal in deals)
    assert any(deal.amount_minor < 0 for deal in deals)
    digits = Counter(
        row["DecimalPlaces"] for row in loaded.salesforce.records("CurrencyType").values()
    )
    assert digits == {2: 2, 0: 1, 3: 1}


def test_amounts_equal_the_records_and_convert_at_the_dated_rate(loaded):
    opportunities = loaded.salesforce.records("Opportunity")
    today = f"{loaded.world.as_of:%Y-%m-%d}"
    for deal in loaded.world.truth.deals:
        fields = opportunities[deal.salesforce_id]
        exact = Fraction(Decimal(str(fields.get("Amount") or 0)))
        assert exact == Fraction(deal.amount or 0)
        assert fields["CurrencyIsoCode"] == deal.currency
        assert fields["CloseDate"] == deal.closed_on
        places = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}[deal.currency]
        assert exact * 10**places == deal.amount_minor
        rate = rate_on(loaded, deal.currency, today if deal.state == "open" else deal.closed_on)
        assert abs(Fraction(deal.company_minor) - exact * 100 / rate) <= Fraction(1, 2)


def test_an_amount_halfway_between_two_cents_goes_to_the_even_one(loaded):
    halves = [
        (deal.company_minor, exact)
        for deal in loaded.world.truth.deals
        if deal.state != "open"
        for exact in [
            Fraction(deal.amount or 0) * 100 / rate_on(loaded, deal.currency, deal.closed_on)
        ]
        if exact.denominator == 2
    ]
    assert halves
    assert all(company_minor % 2 == 0 for company_minor, _ in halves)


def test_states_and_closing_times_equal_the_opportunities_histories(loaded):
    rows = histories(loaded)
    opportunities = loaded.salesforce.records("Opportunity")
    for deal in loaded.world.truth.deals:
        fields = opportunities[deal.salesforce_id]
        won = [
            at
            for (at, stage), (_, before) in zip(
                rows[deal.salesforce_id], [(None, None), *rows[deal.salesforce_id]], strict=False
            )
            if stage == "Closed Won" and before != "Closed Won"
        ]
        state = {"Closed Won": "won", "Closed Lost": "lost"}.get(str(fields["StageName"]), "open")
        assert deal.state == state
        assert deal.closed_at == (won[-1] if state == "won" else None)


def test_some_deals_are_reopened_some_change_after_they_were_won(loaded):
    rows = histories(loaded)
    stages = [[stage for _, stage in one] for one in rows.values()]
    assert any(
        "Closed Won" in one and one[-1] not in {"Closed Won", "Closed Lost"} for one in stages
    )
    assert any("Closed Won" in one and one[-1] == "Closed Lost" for one in stages)
    again = [one for one in stages if one[-2:] == ["Closed Won", "Closed Won"]]
    assert again
    won = [deal for deal in loaded.world.truth.deals if deal.closed_at]
    days = Counter(
        (deal.closed_at.date() - date.fromisoformat(deal.closed_on)).days for deal in won
    )
    assert any(late > 2 for late in days)


def test_some_opportunities_have_two_copies_and_some_copies_no_opportunity(loaded):
    links = Counter(
        str(values.get("hs_salesforceopportunityid"))[:15]
        for values in loaded.hubspot.records("deals").values()
    )
    assert links["None"] == len(loaded.world.truth.hubspot_only_wins)
    assert max(count for link, count in links.items() if link != "None") == 2


def test_touches_equal_what_a_slow_reader_finds_on_everybody_of_the_deal(loaded, acts):
    human = humans(loaded)
    credited: dict[str, dict[str, SeenAct]] = defaultdict(dict)
    days = set()
    for act in sorted(acts, key=lambda act: (act.at, act.evidence_id)):
        day = act.at.astimezone(ZoneInfo("America/New_York")).date()
        repeat = (human[act.person], act.credit, act.campaign, day)
        if act.credit and repeat not in days:
            days.add(repeat)
            credited[human[act.person]][act.evidence_id] = act
    members = people_on_deals(loaded, human)
    for deal in loaded.world.truth.deals:
        if deal.state == "lost":
            assert deal.touches == ()
            continue
        end = deal.closed_at or loaded.world.as_of
        found: dict[str, SeenAct] = {}
        for person in members[deal.salesforce_id]:
            found |= {
                evidence_id: act
                for evidence_id, act in credited[person].items()
                if end - WINDOW <= act.at <= end
            }
        ordered = sorted(found.values(), key=lambda act: (act.at, act.evidence_id))
        assert [as_seen(touch) for touch in deal.touches] == [
            (act.evidence_id, act.at, *(act.credit or ())) for act in ordered
        ]


def test_touches_of_both_teams_and_all_channels_count(loaded):
    kinds = {(one.team, one.channel) for deal in loaded.world.truth.deals for one in deal.touches}
    assert kinds == {
        ("marketing", "form"),
        ("marketing", "email"),
        ("marketing", "campaign"),
        ("sales", "call"),
        ("sales", "sales_email"),
        ("sales", "meeting"),
    }


# What must not count, and what must not break -----------------------------------------------------


def test_there_is_noise_of_every_kind(loaded):
    emails = loaded.hubspot.records("emails").values()
    calls = loaded.hubspot.records("calls").values()
    tasks = loaded.salesforce.records("Task").values()
    own = loaded.salesforce.integration_user_id
    assert any(is_auto_reply(one.get("hs_email_subject")) for one in emails)
    assert any(one.get("hs_object_source") in MACHINE_SOURCES for one in [*emails, *calls])
    assert any(one.get("hs_call_direction") == "INBOUND" for one in calls)
    assert any(is_auto_reply(one.get("Subject")) for one in tasks)
    assert any(one.get("CreatedById") == own for one in tasks)
    assert any(not one.get("IsClosed") for one in tasks)
    assert any(one.get("CallType") == "Inbound" for one in tasks)
    events = loaded.hubspot.email_events
    assert any(one["type"] == "OPEN" for one in events)
    assert any(one["type"] == "CLICK" and one["filteredEvent"] for one in events)
    later = f"{loaded.world.as_of:%Y-%m-%d}"
    assert any(
        str(one["StartDateTime"]) > later for one in loaded.salesforce.records("Event").values()
    )


def test_texts_are_hostile_and_as_long_as_vendors_take_them(loaded):
    contacts = loaded.hubspot.records("contacts").values()
    companies = loaded.hubspot.records("companies").values()
    leads = loaded.salesforce.records("Lead").values()
    assert max(len(one.get("message") or "") for one in contacts) == 100_000
    assert max(len(str(one.get("Description") or "")) for one in leads) == 32_000
    first_names = {one["firstname"] for one in contacts}
    assert first_names >= {"=1+1", "\u202enerakiM"}
    names = [one["name"] or "" for one in companies]
    assert any(name.startswith("=HYPERLINK") for name in names)
    texts = " ".join([*names, *(str(one.get("Description")) for one in leads)])
    assert "\u202e" in texts or "\n" in texts
    assert any(not letter.isascii() for letter in texts)


def test_nothing_happened_after_the_worlds_moment(loaded):
    now = loaded.world.as_of
    for kind in ("contacts", "companies", "deals", "calls", "meetings", "emails"):
        stamp = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
        latest = max(str(one[stamp]) for one in loaded.hubspot.records(kind).values())
        assert instant(latest) <= now
    for sobject in ("Lead", "Contact", "Account", "Opportunity", "Task", "Event"):
        rows = loaded.salesforce.records(sobject).values()
        assert max(instant(str(one["SystemModstamp"])) for one in rows) <= now


def test_a_stand_in_that_holds_contacts_already_is_refused():
    hubspot, salesforce = HubSpotStandIn(), SalesforceStandIn()
    hubspot.add(
        "contacts",
        {"firstname": "Ann"},
        record_id="900000",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with pytest.raises(RuntimeError, match="not an empty portal"):
        build_world(150).load(hubspot, salesforce)


def test_an_unknown_profile_is_refused():
    with pytest.raises(KeyError, match="harder"):
        build_world(10, profile="harder")


@pytest.mark.parametrize("people", [1, 2, 7, 40])
def test_a_small_world_can_be_built_and_loaded(people):
    loaded = load(build_world(people))
    assert len(loaded.hubspot.records("contacts")) >= people


@pytest.mark.slow
def test_twenty_thousand_people_are_built_within_fifteen_seconds():
    start = time.process_time()
    build_world(20_000)
    assert time.process_time() - start < 15


# A slow reader of the two systems, by the rules' words --------------------------------------------


@dataclass(frozen=True)
class SeenAct:
    evidence_id: str
    person: PersonKey
    at: datetime
    credit: tuple[str, str] | None = None
    stops_at: datetime | None = None
    form: str | None = None
    campaign: str | None = None


def seen_acts(loaded: Loaded) -> Iterator[SeenAct]:
    yield from hubspot_engagements(loaded)
    yield from forms_and_clicks(loaded)
    yield from salesforce_acts(loaded)
    yield from campaign_responses(loaded)


def hubspot_engagements(loaded: Loaded) -> Iterator[SeenAct]:
    hubspot = loaded.hubspot
    for kind, read in (("calls", read_call), ("emails", read_email), ("meetings", read_meeting)):
        for record_id, values in hubspot.records(kind).items():
            if values.get("hs_object_source") in MACHINE_SOURCES:
                continue
            at, booked = instant(values["hs_timestamp"]), instant(values["hs_createdate"])
            credit, stops_at = read(values, at, booked)
            for contact_id in hubspot.associations.of(kind, int(record_id), "contacts"):
                person = ("hubspot", "contact", str(contact_id))
                yield SeenAct(record_id, person, at, credit, stops_at)


def read_call(values, at, booked):
    is_through = (
        values["hs_call_status"] == "COMPLETED" or values["hs_call_disposition"] == CONNECTED
    )
    is_out = is_through and values["hs_call_direction"] == "OUTBOUND"
    return ("sales", "call") if is_through else None, at if is_out else None


def read_email(values, at, booked):
    is_sent = values["hs_email_direction"] == "EMAIL"
    counts = is_sent and not is_auto_reply(values["hs_email_subject"])
    return ("sales", "sales_email") if counts else None, at if counts else None


def read_meeting(values, at, booked):
    took_place = values["hs_meeting_outcome"] == "COMPLETED"
    return ("sales", "meeting") if took_place else None, booked


def forms_and_clicks(loaded: Loaded) -> Iterator[SeenAct]:
    holder = {}
    for record_id, values in loaded.hubspot.records("contacts").items():
        for email in [values.get("email"), *(values.get("hs_additional_emails") or "").split(";")]:
            if email:
                holder[email] = ("hubspot", "contact", record_id)
    for form in loaded.hubspot.forms.values():
        for sent in form.submissions:
            email = next(one["value"] for one in sent["values"] if one["name"] == "email")
            at = datetime.fromtimestamp(sent["submittedAt"] / 1000, tz=UTC)
            credit = ("marketing", "form")
            yield SeenAct(sent["conversionId"], holder[email], at, credit, form=form.name)
    for event in loaded.hubspot.email_events:
        if event["type"] == "CLICK" and not event["filteredEvent"]:
            at = datetime.fromtimestamp(event["created"] / 1000, tz=UTC)
            campaign = str(event["emailCampaignId"])
            credit = ("marketing", "email")
            yield SeenAct(event["id"], holder[event["recipient"]], at, credit, campaign=campaign)


def salesforce_acts(loaded: Loaded) -> Iterator[SeenAct]:
    machines = {
        user_id
        for user_id, user in loaded.salesforce.records("User").items()
        if user["UserType"] == "AutomatedProcess" or "integration" in str(user["Name"]).lower()
    } | {loaded.salesforce.integration_user_id}
    for record_id, task in loaded.salesforce.records("Task").items():
        if task["CreatedById"] in machines or task["OwnerId"] in machines:
            continue
        if task["Status"] != "Completed" or is_auto_reply(task["Subject"]):
            continue
        at = instant(task["CompletedDateTime"])
        is_email = task["TaskSubtype"] == "Email"
        is_out = is_email or task["CallType"] == "Outbound"
        is_connected = task.get("CallDisposition") == "Connected"
        channel = "sales_email" if is_email else "call"
        credit = ("sales", channel) if is_email or is_connected else None
        yield SeenAct(record_id, whose(task["WhoId"]), at, credit, at if is_out else None)
    for record_id, event in loaded.salesforce.records("Event").items():
        if event["CreatedById"] in machines or event["OwnerId"] in machines or not event["WhoId"]:
            continue
        has_ended = instant(event["EndDateTime"]) <= loaded.world.as_of
        credit = ("sales", "meeting") if has_ended else None
        booked = instant(event["CreatedDate"])
        yield SeenAct(
            record_id, whose(event["WhoId"]), instant(event["StartDateTime"]), credit, booked
        )


def campaign_responses(loaded: Loaded) -> Iterator[SeenAct]:
    for record_id, member in loaded.salesforce.records("CampaignMember").items():
        if member["Status"] in {"Responded", "Attended"}:
            at = datetime.combine(
                date.fromisoformat(str(member["FirstRespondedDate"])), datetime.min.time(), UTC
            )
            person = whose(member.get("ContactId") or member["LeadId"])
            campaign = str(member["CampaignId"])
            yield SeenAct(record_id, person, at, ("marketing", "campaign"), campaign=campaign)


def whose(who_id: object) -> PersonKey:
    kind = {"00Q": "lead", "003": "contact"}[str(who_id)[:3]]
    return ("salesforce", kind, str(who_id))


def is_auto_reply(subject: object) -> bool:
    return str(subject).lower().startswith(AUTO_REPLIES)


def humans(loaded: Loaded) -> Mapping[PersonKey, str]:
    """Name every live record's human by the id of its first record."""
    return {key: keys[0][2] for keys in loaded.world.truth.humans for key in keys}


def people_on_deals(loaded: Loaded, human: Mapping[PersonKey, str]) -> dict[str, set[str]]:
    """List who is on each opportunity: roles and associations, failing both the whole account."""
    members: dict[str, set[str]] = defaultdict(set)
    for role in loaded.salesforce.records("OpportunityContactRole").values():
        person = human["salesforce", "contact", str(role["ContactId"])]
        members[str(role["OpportunityId"])].add(person)
    long_id = {one[:15]: one for one in loaded.salesforce.records("Opportunity")}
    of = loaded.hubspot.associations.of
    for deal_id, values in loaded.hubspot.records("deals").items():
        linked = long_id.get(str(values.get("hs_salesforceopportunityid"))[:15], "")
        for contact_id in of("deals", int(deal_id), "contacts") if linked else ():
            members[linked].add(human["hubspot", "contact", str(contact_id)])
    staff = people_of_accounts(loaded, human)
    for record_id, fields in loaded.salesforce.records("Opportunity").items():
        if not members[record_id]:
            members[record_id] = staff[str(fields["AccountId"])]
    return members


def people_of_accounts(loaded: Loaded, human: Mapping[PersonKey, str]) -> dict[str, set[str]]:
    staff: dict[str, set[str]] = defaultdict(set)
    for record_id, fields in loaded.salesforce.records("Contact").items():
        staff[str(fields["AccountId"])].add(human["salesforce", "contact", record_id])
    accounts = loaded.salesforce.records("Account")
    by_name = {str(one["Name"]): record_id for record_id, one in accounts.items()}
    for record_id, fields in loaded.salesforce.records("Lead").items():
        account = by_name.get(str(fields["Company"]))
        staff[str(account)].add(human["salesforce", "lead", record_id])
    by_domain = {
        str(one["Website"]).removeprefix("https://www.").strip("/"): record_id
        for record_id, one in accounts.items()
        if one.get("Website")
    }
    for company_id, values in loaded.hubspot.records("companies").items():
        account = values.get("salesforceaccountid") or by_domain.get(str(values["domain"]))
        for contact_id in loaded.hubspot.associations.of("companies", int(company_id), "contacts"):
            if ("hubspot", "contact", str(contact_id)) in human:
                staff[str(account)].add(human["hubspot", "contact", str(contact_id)])
    return staff


def mql_entries(loaded: Loaded) -> Iterator[tuple[str, int, datetime]]:
    """Yield each first entry into the MQL stage of each cycle, from the stage history."""
    for record in loaded.hubspot.tables["contacts"].in_order():
        cycle, is_new = 0, True
        for version in sorted(record.history("lifecyclestage"), key=lambda one: one.at):
            if version.value in {"subscriber", "lead"}:
                is_new = True
            if version.value == "marketingqualifiedlead" and is_new:
                cycle, is_new = cycle + 1, False
                yield str(record.id), cycle, datetime.fromtimestamp(version.at / 1000, tz=UTC)


def histories(loaded: Loaded) -> dict[str, list[tuple[datetime, str]]]:
    rows = defaultdict(list)
    for record_id, row in loaded.salesforce.records("OpportunityHistory").items():
        at = instant(row["CreatedDate"])
        rows[str(row["OpportunityId"])].append((at, record_id, str(row["StageName"])))
    return {one: [(at, stage) for at, _, stage in sorted(each)] for one, each in rows.items()}


def rate_on(loaded: Loaded, currency: str, day: str) -> Fraction:
    rows = [
        (str(row["StartDate"]), Fraction(Decimal(str(row["ConversionRate"]))))
        for row in loaded.salesforce.records("DatedConversionRate").values()
        if row["IsoCode"] == currency and str(row["StartDate"]) <= day
    ]
    return max(rows)[1] if rows else Fraction(1)


def records_of_contacts(loaded: Loaded) -> dict[str, list[tuple[str, str, datetime]]]:
    """List the Salesforce records that are the human of each contact, with their making."""
    return loaded.records


def live_ids(loaded: Loaded) -> dict[tuple[str, str], set[str]]:
    return {
        ("hubspot", "contact"): set(loaded.hubspot.records("contacts")),
        ("salesforce", "lead"): set(loaded.salesforce.records("Lead")),
        ("salesforce", "contact"): set(loaded.salesforce.records("Contact")),
        ("salesforce", "opportunity"): set(loaded.salesforce.records("Opportunity")),
    }


def addresses(loaded: Loaded) -> Iterator[tuple[PersonKey, str, str]]:
    """Yield each record's addresses in a form in which equal mailboxes are equal."""
    for record_id, values in loaded.hubspot.records("contacts").items():
        for email in [values.get("email"), *(values.get("hs_additional_emails") or "").split(";")]:
            if email:
                yield ("hubspot", "contact", record_id), mailbox(email), str(values["lastname"])
    for kind in ("Lead", "Contact"):
        for record_id, fields in loaded.salesforce.records(kind).items():
            if fields.get("Email"):
                key = ("salesforce", kind.lower(), record_id)
                yield key, mailbox(str(fields["Email"])), str(fields["LastName"])


def mailbox(email: str) -> str:
    local, _, domain = email.strip().lower().partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def shared_address_share(loaded: Loaded) -> float:
    held: dict[PersonKey, set[str]] = defaultdict(set)
    for key, email, _ in addresses(loaded):
        held[key].add(email)
    pairs = loaded.world.truth.pairs
    shared = [
        held["hubspot", "contact", hubspot_id] & held["salesforce", kind, salesforce_id]
        for hubspot_id, kind, salesforce_id in pairs
    ]
    return sum(map(bool, shared)) / len(pairs)


def walked_due(start: datetime, limit: timedelta, zones: list, pauses: list) -> datetime:
    """Walk minute by minute: each is wholly open or wholly closed, by the owner's wall clock.

    A minute in which the owner changes or a pause begins or ends is walked in parts.
    """
    left, at = limit, start
    bounds = sorted({each for each, _ in zones} | {each for pause in pauses for each in pause})
    while True:
        next_minute = at.replace(second=0, microsecond=0) + MINUTE
        next_minute = min([next_minute, *(each for each in bounds if at < each < next_minute)])
        shown = at.astimezone(ZoneInfo([zone for since, zone in zones if since <= at][-1]))
        if any(begun <= at < ended for begun, ended in pauses):
            at = next_minute
            continue
        is_open = (
            shown.weekday() < 5 and f"{shown:%Y-%m-%d}" not in HOLIDAYS and 8 <= shown.hour < 18
        )
        if is_open and next_minute - at >= left:
            return at + left
        left -= (next_minute - at) if is_open else timedelta(0)
        at = next_minute


def status_at(due_at: datetime, touched_at: datetime | None, now: datetime) -> str:
    if touched_at is None:
        return "late" if now > due_at else "waiting"
    return "on_time" if touched_at <= due_at else "late"


LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def owner_zones(loaded: Loaded, handoff: HandoffTruth) -> tuple[list, list]:
    """List from when on which zone counted and who owned: HubSpot's owner, then Salesforce's."""
    users = loaded.salesforce.records("User")
    by_email = {str(user["Email"]).lower(): user_id for user_id, user in users.items()}
    emails = {owner_id: owner.email for owner_id, owner in loaded.hubspot.owners.items()}
    turns: list[tuple[datetime, str | None]] = []
    record = loaded.hubspot.tables["contacts"].live[int(handoff.hubspot_id)]
    for version in record.history("hubspot_owner_id")[::-1]:
        at = datetime.fromtimestamp(version.at / 1000, tz=UTC)
        turns.append((at, by_email.get(emails.get(version.value, ""))))
    ranked = sorted(records_of_contacts(loaded)[handoff.hubspot_id], key=lambda one: one[2])
    for sobject in ("Lead", "Contact"):
        own = [one for one in ranked if one[0] == sobject]
        if not own:
            continue
        _, record_id, made = own[0]
        if sobject == "Contact" or not any(
            one[0] == "Contact" and one[2] <= made for one in ranked
        ):
            turns = [turn for turn in turns if turn[0] < made]
            turns += changes_of(loaded, sobject, record_id, "Owner", made)
    turns = [(LONG_AGO, None), *turns]
    zones = [
        (at, users[owner]["TimeZoneSidKey"] if owner and owner in users else "America/New_York")
        for at, owner in turns
    ]
    return zones, turns


def changes_of(loaded: Loaded, sobject: str, record_id: str, field: str, made: datetime) -> list:
    """List the values of a field from the making of a record on, by its history."""
    rows = sorted(
        (instant(row["CreatedDate"]), history_id, row)
        for history_id, row in loaded.histories[sobject, record_id]
        if row["Field"] == field and row["DataType"] != "Text"
    )
    if not rows:
        name = {"Owner": "OwnerId"}.get(field, field)
        return [(made, str(loaded.salesforce.records(sobject)[record_id][name]))]
    return [(made, rows[0][2]["OldValue"]), *((at, row["NewValue"]) for at, _, row in rows)]


def pauses_of(loaded: Loaded, handoff: HandoffTruth) -> list[tuple[datetime, datetime]]:
    """List the times in which a lead of the human waited for the buyer, after the start."""
    found = []
    for sobject, record_id, made in records_of_contacts(loaded)[handoff.hubspot_id]:
        if sobject == "Lead":
            changes = changes_of(loaded, "Lead", record_id, "Status", made)
            ends = [*(at for at, _ in changes[1:]), loaded.world.as_of]
            found += [
                (at, end)
                for (at, status), end in zip(changes, ends, strict=True)
                if status == "Waiting for Buyer" and end > handoff.started_at
            ]
    return found


def as_seen(touch: TouchTruth) -> tuple[str, datetime, str, str]:
    return touch.evidence_id, touch.at, touch.team, touch.channel


def instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)
