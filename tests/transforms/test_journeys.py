"""Which acts are touches, what a deal is worth in both currencies, and whose touches it owns."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.frames import Memberships, Rates
from agreement.policy import TouchRule
from tests import builders
from transforms import journeys
from transforms.touches import touches as pick_touches
from transforms.touches import with_account_ids

AGREEMENT = builders.AGREEMENT
NOW = datetime(2026, 11, 17, 14, 15, tzinfo=UTC)
ANN = {"entity_id": "ann", "record_id": "1"}


def person(record_id: str, entity_id: str, kind: str = "contact", system: str = "hubspot") -> dict:
    return {"entity_id": entity_id, "record_id": record_id, "kind": kind, "system": system}


def act(activity: str, **changes) -> dict:
    return {
        "activity": activity,
        "evidence_id": "e1",
        "person_record_id": "1",
        "at": "2026-05-01T10:00Z",
        **changes,
    }


def touches(*acts: dict, people=(ANN,), rules=AGREEMENT.touches) -> pd.DataFrame:
    return judged(*acts, people=people, rules=rules)[0]


def judged(*acts: dict, people=(ANN,), rules=AGREEMENT.touches, **filters):
    changed = AGREEMENT.touch_filters.model_copy(update=filters)
    zone = AGREEMENT.calendar.zone
    return pick_touches(
        builders.activities(*acts), builders.crosswalk(*people), rules, NOW, changed, zone
    )


@pytest.mark.parametrize(
    ("given_act", "channel", "team"),
    [
        (act("form", direction="inbound"), "form", "marketing"),
        (act("click"), "email", "marketing"),
        (act("campaign", status="Responded"), "campaign", "marketing"),
        (act("call", outcome="connected"), "call", "sales"),
        (act("call", outcome="Completed"), "call", "sales"),
        (act("email", direction="outbound"), "sales_email", "sales"),
        (act("meeting", outcome="completed"), "meeting", "sales"),
        (act("meeting", outcome="completed", title="Demo for Acme"), "demo", "sales"),
        (act("meeting", outcome="completed", title="Re: demo"), "meeting", "sales"),
        (act("email", direction="inbound"), "email", "marketing"),
        (act("visit", status="paid_search"), "ads", "marketing"),
        (act("visit", status="referrals"), "web", "marketing"),
        (act("event", status="attended"), "event", "marketing"),
    ],
)
def test_the_agreements_list_gives_a_touch_its_channel_and_team(given_act, channel, team):
    found = touches(given_act)
    assert found[["touch_id", "person_id", "channel", "team"]].to_numpy().tolist() == [
        ["e1", "ann", channel, team]
    ]


@pytest.mark.parametrize(
    "given_act",
    [
        act("call", outcome="no answer"),
        act("call"),
        act("meeting", outcome="canceled"),
        act("visit", status="direct_traffic"),
        act("event", status="registered"),
        act("campaign", status="sent"),
        act("task"),
        act("form", is_automatic=True),
        act("campaign", status="attended", is_done=False),
        act("click", at="2026-11-17T14:15:01Z"),
        act("form", person_record_id="nobody"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_not_on_the_list_is_no_touch(given_act):
    assert touches(given_act).empty


def test_an_act_at_the_very_moment_of_the_run_counts():
    assert len(touches(act("click", at=NOW))) == 1


def test_a_meeting_on_two_records_of_one_person_is_one_touch_and_of_two_people_two():
    rows = [act("meeting", outcome="completed", person_record_id=name) for name in "123"]
    found = touches(*rows, people=(ANN, person("2", "ann"), person("3", "bob")))
    assert found["person_id"].tolist() == ["ann", "bob"]


def test_the_first_rule_that_fits_decides():
    rules = [
        TouchRule(activity="form", team="sales", channel="first"),
        TouchRule(activity="form", team="marketing", channel="second"),
    ]
    assert touches(act("form"), rules=rules)["channel"].tolist() == ["first"]


# Deals -------------------------------------------------------------------------------------------

RATES = builders.build(
    Rates,
    [
        {"currency": "EUR", "starts_on": "2026-01-01", "rate": "0.90"},
        {"currency": "EUR", "starts_on": "2026-04-01", "rate": "0.80"},
        {"currency": "JPY", "starts_on": "2026-01-01", "rate": "150"},
        {"currency": "KWD", "starts_on": "2026-01-01", "rate": "0.3"},
        {"currency": "USD", "starts_on": "0001-01-01", "rate": "1"},
    ],
)


def deal(**changes) -> dict:
    return {
        "record_id": "006A",
        "amount": "1000",
        "currency": "USD",
        "stage": "Closed Won",
        "is_closed": True,
        "is_won": True,
        "closed_on": "2026-03-31",
        "created_at": "2026-01-05T09:00Z",
        **changes,
    }


def links(*record_ids: str) -> list[dict]:
    return [
        {"entity": "deal", "entity_id": f"d-{record_id}", "system": "salesforce",
         "kind": "opportunity", "record_id": record_id}
        for record_id in record_ids
    ]  # fmt: skip


def read(*rows: dict, changes=()) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [row["record_id"] for row in rows]
    return journeys.deals(
        builders.deal_records(*rows),
        builders.crosswalk(*links(*ids)),
        RATES,
        {"USD": 2, "EUR": 2, "JPY": 0},
        "USD",
        builders.stage_changes(*changes),
        AGREEMENT.calendar,
        NOW,
    )


def only(*args, **kwargs) -> pd.Series:
    found, rejects = read(deal(*args, **kwargs))
    assert rejects.empty
    return found.iloc[0]


@pytest.mark.parametrize(
    ("amount", "currency", "closed_on", "amount_minor", "company_minor"),
    [
        ("1000.01", "USD", "2026-03-31", 100001, 100001),
        ("1000.01", None, "2026-03-31", 100001, 100001),
        ("1000.01", "EUR", "2026-03-31", 100001, 111112),
        ("1000.01", "EUR", "2026-04-01", 100001, 125001),
        ("1500", "JPY", "2026-03-31", 1500, 1000),
        ("3.001", "KWD", "2026-03-31", 3001, 1000),
        ("0.125", "USD", "2026-03-31", 12, 12),
        ("-10.50", "EUR", "2026-03-31", -1050, -1167),
        ("0", "EUR", "2026-03-31", 0, 0),
    ],
)
def test_amounts_are_exact_in_both_currencies_at_the_rate_of_the_close_date(
    amount, currency, closed_on, amount_minor, company_minor
):
    found = only(amount=amount, currency=currency, closed_on=closed_on)
    assert (found["amount_minor"], found["company_minor"]) == (amount_minor, company_minor)
    assert not found["is_blank"]


def test_a_blank_amount_counts_nothing_and_is_marked():
    found = only(amount=None)
    assert (found["company_minor"], found["is_blank"]) == (0, True)


def test_an_open_deal_has_todays_rate_and_is_credited_up_to_now():
    found = only(is_closed=False, is_won=False, currency="EUR", closed_on="2026-01-01")
    assert (found["state"], found["company_minor"]) == ("open", 125000)
    assert found["credited_at"] == pd.Timestamp(NOW)
    assert found["closed_at"] is pd.NaT


def test_a_lost_deal_is_credited_to_nobody():
    found = only(is_won=False, stage="Closed Lost")
    assert found["state"] == "lost"
    assert found["credited_at"] is pd.NaT


def stage(value: str, at: str) -> dict:
    return {"system": "salesforce", "kind": "opportunity", "record_id": "006A",
            "field": "stage", "value": value, "changed_at": at}  # fmt: skip


def test_a_deal_won_again_was_won_at_the_last_change_to_its_won_stage():
    found, _ = read(
        deal(),
        changes=[
            stage("Closed Won", "2026-03-20T10:00Z"),
            stage("Negotiation/Review", "2026-03-25T10:00Z"),
            stage("Closed Won", "2026-03-31T16:00Z"),
        ],
    )
    assert found["closed_at"].tolist() == [pd.Timestamp("2026-03-31T16:00Z")]
    assert found["credited_at"].tolist() == found["closed_at"].tolist()


def test_without_history_a_deal_was_won_at_the_end_of_its_close_date_in_the_companys_zone():
    assert only()["closed_at"] == pd.Timestamp("2026-04-01T04:00Z")


def test_the_close_date_decides_the_period_whatever_the_history_says():
    found, _ = read(deal(), changes=[stage("Closed Won", "2026-04-02T16:00Z")])
    assert found["period"].tolist() == ["2026-Q1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"currency": "CHF"}, "no rate for CHF on 2026-03-31"),
        ({"currency": "EUR", "closed_on": "2025-12-31"}, "no rate for EUR on 2025-12-31"),
        ({"amount": "a lot"}, "its amount or rate is no number of a sensible size"),
        ({"amount": "1e25"}, "its amount or rate is no number of a sensible size"),
        ({"closed_on": None}, "it has no close date"),
    ],
)
def test_a_deal_that_cannot_be_used_is_a_reject_and_stops_no_other(changes, reason):
    found, rejects = read(deal(), deal(record_id="006B", **changes))
    assert found["record_id"].tolist() == ["006A"]
    assert rejects[["system", "record_id", "reason"]].to_numpy().tolist() == [
        ["salesforce", "006B", reason]
    ]


def test_a_deal_that_only_hubspot_knows_is_not_booked():
    found, rejects = read(deal(system="hubspot", kind="deal", record_id="55"))
    assert found.empty
    assert rejects.empty


# People and paths --------------------------------------------------------------------------------


def member(system: str, deal_record_id: str, person_record_id: str) -> dict:
    return {
        "system": system,
        "deal_record_id": deal_record_id,
        "person_kind": "contact",
        "person_record_id": person_record_id,
    }


CROSSWALK = builders.crosswalk(
    ANN,
    person("003A", "ann", system="salesforce"),
    person("00QA", "ann", "lead", "salesforce"),
    person("2", "bob"),
    person("3", "cid"),
    *links("006A"),
    {**links("006A")[0], "system": "hubspot", "kind": "deal", "record_id": "55"},
    {"entity": "account", "entity_id": "acme", "kind": "company", "record_id": "9"},
    {"entity": "account", "entity_id": "acme", "kind": "account", "record_id": "001",
     "system": "salesforce"},
)  # fmt: skip
PEOPLE = builders.people(
    {"record_id": "1", "account_record_id": "9"},
    {"record_id": "2", "account_record_id": "9"},
    {"record_id": "3"},
    {"record_id": "003A", "system": "salesforce", "account_record_id": "001"},
    {
        "record_id": "00QA",
        "system": "salesforce",
        "kind": "lead",
        "created_at": "2026-02-01T00:00Z",
    },
)
DEAL = {"deal_id": "d-006A", "record_id": "006A", "account_id": "acme",
        "credited_at": "2026-05-01T00:00Z"}  # fmt: skip
TOUCHES = builders.touches(
    {"touch_id": "t1", "person_id": "ann", "touched_at": "2025-01-01T00:00Z"},
    {"touch_id": "t2", "person_id": "bob", "touched_at": "2026-04-01T00:00Z"},
    {"touch_id": "t3", "person_id": "cid", "touched_at": "2026-04-01T00:00Z"},
)


def who(*memberships: dict, window_days: int | None = 365) -> list[list[str]]:
    found = journeys.deal_people(
        builders.build(Memberships, memberships),
        CROSSWALK,
        builders.deals(DEAL),
        PEOPLE,
        TOUCHES,
        window_days,
    )
    return found[["person_id", "how"]].to_numpy().tolist()


def test_roles_and_associations_put_people_on_a_deal_a_role_said_first():
    rows = [
        member("hubspot", "55", "1"),
        member("hubspot", "55", "2"),
        member("salesforce", "006A", "003A"),
    ]
    assert who(*rows) == [["ann", "role"], ["bob", "association"]]


def test_where_nobody_is_named_people_of_the_account_active_in_the_window_are_inferred():
    assert who() == [["bob", "inferred"]]
    assert who(window_days=None) == [["ann", "inferred"], ["bob", "inferred"]]


def test_members_of_other_deals_and_unknown_people_put_nobody_on_a_deal():
    rows = [member("salesforce", "006Z", "003A"), member("salesforce", "006A", "003Z")]
    assert who(*rows) == [["bob", "inferred"]]


def test_the_lead_date_of_a_deal_is_the_earliest_of_its_people():
    people = builders.deal_people({"deal_id": "d-006A", "person_id": "ann"})
    dated = journeys.with_lead_dates(builders.deals(DEAL), people, PEOPLE, CROSSWALK)
    assert dated["lead_created_at"].tolist() == [pd.Timestamp("2026-02-01T00:00Z")]


def path(
    *rows: tuple[str, str, str], on_deal=("ann", "bob"), window_days: int | None = 365, **changes
) -> list[str]:
    touched = [{"touch_id": name, "person_id": who_, "touched_at": at} for name, who_, at in rows]
    people = [{"deal_id": "d-006A", "person_id": name} for name in on_deal]
    found = journeys.paths(
        builders.touches(*touched),
        builders.deal_people(*people),
        builders.deals({**DEAL, **changes}),
        window_days,
    )
    return found["touch_id"].tolist()


def test_both_ends_of_the_window_are_inside():
    rows = [
        ("too early", "ann", "2025-04-30T23:59:59.999999Z"),
        ("first", "ann", "2025-05-01T00:00Z"),
        ("last", "bob", "2026-05-01T00:00Z"),
        ("too late", "bob", "2026-05-01T00:00:00.000001Z"),
    ]
    assert path(*rows) == ["first", "last"]
    assert path(*rows, window_days=None) == ["too early", "first", "last"]


def test_at_one_instant_the_id_decides_as_text():
    rows = [(name, "ann", "2026-04-01T00:00Z") for name in ("9", "10", "b", "B")]
    assert path(*rows) == ["10", "9", "B", "b"]


def test_a_touch_shared_by_two_people_of_a_deal_is_on_its_path_once():
    assert path(*[("t", name, "2026-04-01T00:00Z") for name in ("bob", "ann")]) == ["t"]


def test_the_same_id_twice_counts_at_its_earliest_time_even_outside_the_window():
    rows = [("t", "ann", "2026-04-01T00:00Z"), ("t", "bob", "2020-04-01T00:00Z")]
    assert path(*rows) == []


def test_a_lost_deal_and_a_stranger_have_no_path():
    row = ("t", "ann", "2026-04-01T00:00Z")
    assert path(row, state="lost", credited_at=None) == []
    assert path(row, on_deal=("bob",)) == []


instants = st.integers(0, 3).map(lambda hour: f"2026-04-01T0{hour}:00Z")
rows_of_touches = st.lists(
    st.tuples(st.sampled_from(["1", "2", "10", "a"]), st.sampled_from(["ann", "bob"]), instants),
    max_size=8,
    unique_by=lambda row: row[:2],
)


@given(rows_of_touches, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert path(*shuffled) == path(*rows)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc"), st.integers(0, 3)), max_size=20),
    st.integers(1, 6),
)
def test_how_many_touches_are_looked_at_at_once_changes_no_order(rows, at_once):
    deal, touch_id, at = (pd.Series([row[place] for row in rows]) for place in range(3))
    columns = (deal.astype("int64"), pd.to_datetime(at, unit="h", utc=True), touch_id.astype("str"))
    whole = journeys.path_order(*columns).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journeys, "_TOUCHES_AT_ONCE", at_once)
        assert journeys.path_order(*columns).tolist() == whole
    earliest = {}
    for place, (deal_, name, hour) in enumerate(rows):
        earliest[deal_, name] = min(earliest.get((deal_, name), (hour, place)), (hour, place))
    assert set(whole) == {place for _, place in earliest.values()}


@given(rows_of_touches)
def test_a_touch_outside_the_window_changes_nothing(rows):
    outside = [("z", "ann", "2020-01-01T00:00Z"), ("zz", "bob", "2026-06-01T00:00Z")]
    assert path(*rows, *outside) == path(*rows)


@given(rows_of_touches)
def test_merging_two_people_moves_their_touches_and_nothing_else(rows):
    merged = {(name, "ann", at) for name, _, at in rows}
    earliest = {}
    for name, _, at in sorted(merged, key=lambda row: row[2]):
        earliest.setdefault(name, (name, "ann", at))
    assert path(*earliest.values(), on_deal=("ann",)) == path(*rows)


# What is on the list and still no touch ----------------------------------------------------------


def reasons(*acts: dict, people=(ANN,), **filters) -> dict[str, str]:
    found = judged(*acts, people=people, **filters)[1]
    return dict(zip(found["touch_id"], found["reason"], strict=True))


def test_each_act_that_is_no_touch_says_why():
    acts = [
        act("form", evidence_id="import", is_automatic=True),
        act("click", evidence_id="scan", is_automatic=True),
        act("campaign", evidence_id="sent", status="responded", is_done=False),
        act("task", evidence_id="task"),
        act("call", evidence_id="first", outcome="connected", at="2026-05-02T10:00Z"),
        act("call", evidence_id="second", outcome="connected", at="2026-05-02T11:00Z"),
        act("form", evidence_id="later", at="2026-11-18T00:00Z"),
        act("form", evidence_id="stranger", person_record_id="nobody"),
    ]
    assert reasons(*acts) == {
        "import": "machine",
        "scan": "scanner",
        "sent": "not_done",
        "task": "not_listed",
        "second": "repeat",
    }
    assert touches(*acts)["touch_id"].tolist() == ["first"]


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "2026-05-02T04:30Z"},
        {"person_record_id": "2"},
        {"activity": "meeting", "outcome": "completed"},
    ],
    ids=["the next day in the company's zone", "another person", "another channel"],
)
def test_what_differs_in_day_person_or_channel_is_no_repeat(changes):
    first = act("call", evidence_id="first", outcome="connected", at="2026-05-02T03:30Z")
    other = {**first, "evidence_id": "other", "at": "2026-05-02T02:30Z", **changes}
    assert len(touches(first, other, people=(ANN, person("2", "bob")))) == 2


def test_responses_to_two_campaigns_on_one_day_are_two_touches():
    rows = [
        act("campaign", evidence_id=name, status="responded", campaign_id=name) for name in "AB"
    ]
    assert len(touches(*rows)) == 2


def test_repeats_count_where_the_agreement_says_so():
    rows = [act("click", evidence_id=name) for name in "AB"]
    assert reasons(*rows) == {"B": "repeat"}
    assert reasons(*rows, is_daily=False) == {}


@pytest.mark.parametrize(
    ("written", "is_reply"),
    [("2026-04-01T09:59Z", True), ("2026-04-01T10:00Z", False), ("2026-05-01T10:01Z", True)],
)
def test_an_answer_to_sales_is_no_reply_to_marketing(written, is_reply):
    mail = act("email", evidence_id="out", direction="outbound", at=written)
    answer = act("email", evidence_id="in", direction="inbound", at="2026-05-01T10:00Z")
    assert ("in" in touches(mail, answer)["touch_id"].tolist()) == is_reply


def test_a_machines_mail_before_it_leaves_a_reply_to_marketing():
    mail = act("email", evidence_id="out", direction="outbound", is_automatic=True)
    answer = act("email", evidence_id="in", direction="inbound", at="2026-05-02T10:00Z")
    assert touches(mail, answer)["touch_id"].tolist() == ["in"]


def test_a_touch_names_the_account_of_its_person():
    found = with_account_ids(TOUCHES, PEOPLE, CROSSWALK)
    assert found["account_id"].fillna("none").tolist() == ["acme", "acme", "none"]


def test_a_lost_deal_gets_a_path_only_to_compare_with():
    lost = {**DEAL, "state": "lost", "credited_at": None, "closed_on": "2026-05-01"}
    ended = journeys.lost_deals(
        builders.deals(lost, {**DEAL, "deal_id": "won"}), AGREEMENT.calendar
    )
    assert ended["deal_id"].tolist() == ["d-006A"]
    assert ended["credited_at"].tolist() == [pd.Timestamp("2026-05-02T04:00Z")]


def test_a_narrower_window_is_the_same_path_without_its_early_touches():
    days = {"t1": "2025-06-01T00:00Z", "t2": "2026-03-01T00:00Z", "t3": "2026-04-30T00:00Z"}
    rows = [{"touch_id": name, "person_id": "ann", "touched_at": at} for name, at in days.items()]
    on_deal = builders.deal_people({"deal_id": "d-006A", "person_id": "ann"})
    wide = journeys.paths(builders.touches(*rows), on_deal, builders.deals(DEAL), None)
    narrow = journeys.narrowed(wide, builders.deals(DEAL), 90)
    assert wide["touch_id"].tolist() == ["t1", "t2", "t3"]
    assert narrow["touch_id"].tolist() == ["t2", "t3"]
