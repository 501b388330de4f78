"""A period's way from open to paid, on a real store."""

import shutil
from decimal import Decimal

import pytest

from agreement import frames
from agreement.errors import AccessError, BadInput, Busy, Stale
from agreement.terms import Participants, Terms
from connectors.store import Store
from flows import rewards
from flows.rewards import SCHEDULE, Person
from tests.builders import build
from tests.office import ANN, BOB, Office, agreed, moment

NOBODY = Person(SCHEDULE, False)


FIRST = {"A": ("2026-02-01", {"marketing": 6_000, "sales": 4_000}, True)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a new database, and one whose first quarter is calculated, once: copies are cheap."""
    folder = tmp_path_factory.mktemp("made")
    for name, deals in (("new", {}), ("quarter", FIRST)):
        store = Store.open(f"sqlite:///{folder}/{name}.db")
        if deals:
            Office(store, deals=dict(deals)).night("2026-04-02")
        store.close()
    return folder


def open_copy(made, tmp_path, name, deals):
    shutil.copy(made / f"{name}.db", tmp_path / "tandem.db")
    return Office(Store.open(f"sqlite:///{tmp_path}/tandem.db"), deals=dict(deals))


@pytest.fixture
def office(made, tmp_path):
    opened = open_copy(made, tmp_path, "new", {})
    yield opened
    opened.store.close()


@pytest.fixture
def quarter(made, tmp_path):
    """An office whose first quarter is over and calculated: 100 USD won, 60 of it marketing's."""
    opened = open_copy(made, tmp_path, "quarter", FIRST)
    yield opened
    opened.store.close()


def test_an_open_period_posts_into_itself_also_after_its_end(quarter):
    assert quarter.entries(posting_period="2026-Q1") == [
        ("marketing", "pool", 90),
        ("marketing", "pool_held", 30),
        ("sales", "pool", 60),
        ("sales", "pool_held", 20),
    ]


def test_a_second_night_posts_nothing_and_changes_no_hash(quarter):
    head = quarter.store.ledger_head()
    assert quarter.night("2026-04-02") == 0
    assert quarter.store.ledger_head() == head
    assert len(quarter.store.reward_credit_changes()) == 2


def test_a_period_is_proposed_approved_closed_exported_and_paid(quarter):
    steps = []
    for step in (
        lambda: rewards.propose(quarter.store, "2026-Q1", ANN, moment("2026-04-03")),
        lambda: rewards.approve(quarter.store, "2026-Q1", BOB, moment("2026-04-04")),
        lambda: rewards.close(quarter.store, "2026-Q1", BOB, moment("2026-04-05")),
        lambda: rewards.export(quarter.store, "2026-Q1", ANN, moment("2026-04-06")),
        lambda: rewards.pay(quarter.store, "2026-Q1", ANN, moment("2026-04-07")),
    ):
        steps.append(step()["state"])
    assert steps == ["calculated", "approved", "closed", "exported", "paid"]
    assert [(act.act, act.person) for act in quarter.store.acts()] == [
        ("proposed", "ann"),
        ("approved", "bob"),
        ("closed", "bob"),
        ("exported", "ann"),
        ("paid", "ann"),
    ]
    assert quarter.entries(component="paid") == [("marketing", "paid", 90), ("sales", "paid", 60)]
    assert rewards.verify(quarter.store)["is_whole"]


def test_payments_are_what_was_exported_and_post_into_the_open_period(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    quarter.win("B", "2026-04-02", marketing=6_000, sales=4_000)
    quarter.night("2026-04-04")  # what accrues after the close is nobody's yet
    assert quarter.pay("2026-Q1", "2026-04-05") == {"marketing": 90, "sales": 60}
    assert quarter.entries(posting_period="2026-Q2", component="paid") == [
        ("marketing", "paid", 90),
        ("sales", "paid", 60),
    ]


def test_a_period_is_not_exported_while_an_earlier_one_waits_so_that_nothing_is_on_two_lists(
    quarter,
):
    quarter.win("B", "2026-05-01", marketing=5_000, sales=5_000)
    quarter.night("2026-07-02")
    quarter.close("2026-Q1", "2026-07-03")
    quarter.close("2026-Q2", "2026-07-03")
    rewards.export(quarter.store, "2026-Q1", ANN, moment("2026-07-04"))
    with pytest.raises(BadInput, match=r"exported in order, and 2026-Q1 waits\. Pay it"):
        rewards.export(quarter.store, "2026-Q2", ANN, moment("2026-07-04"))
    rewards.pay(quarter.store, "2026-Q1", BOB, moment("2026-07-05"))
    listed = rewards.export(quarter.store, "2026-Q2", ANN, moment("2026-07-06"))["payroll"]
    assert rewards.pay(quarter.store, "2026-Q2", BOB, moment("2026-07-07"))["paid"] == listed


def test_no_export_reads_while_another_process_acts_since_a_payment_could_come_between(
    quarter, tmp_path
):
    quarter.close("2026-Q1", "2026-04-03")
    rewards.export(quarter.store, "2026-Q1", ANN, moment("2026-04-04"))
    other = Store.open(f"sqlite:///{tmp_path}/tandem.db")
    with other.hold_lock(), pytest.raises(Busy):
        rewards.export(quarter.store, "2026-Q1", ANN, moment("2026-04-05"))
    other.close()
    quarter.pay("2026-Q1", "2026-04-06")
    rewards.export(quarter.store, "2026-Q1", ANN, moment("2026-04-07"))
    assert rewards.states(quarter.store)["2026-Q1"] == "paid"


def test_the_proposer_cannot_approve(quarter):
    rewards.propose(quarter.store, "2026-Q1", ANN, moment("2026-04-03"))
    with pytest.raises(AccessError, match="ann proposed 2026-Q1 and cannot approve it"):
        rewards.approve(quarter.store, "2026-Q1", ANN, moment("2026-04-03"))
    assert rewards.states(quarter.store)["2026-Q1"] == "calculated"


def test_nobody_approves_without_their_secret(quarter):
    rewards.propose(quarter.store, "2026-Q1", ANN, moment("2026-04-03"))
    with pytest.raises(AccessError, match="nobody has shown to be bob"):
        rewards.approve(quarter.store, "2026-Q1", Person("bob", False), moment("2026-04-03"))


def test_what_the_schedule_proposed_needs_two_people_to_close(quarter):
    rewards.propose(quarter.store, "2026-Q1", NOBODY, moment("2026-04-03"))
    rewards.approve(quarter.store, "2026-Q1", BOB, moment("2026-04-03"))
    with pytest.raises(AccessError, match="Another approver has to close it"):
        rewards.close(quarter.store, "2026-Q1", BOB, moment("2026-04-03"))
    assert rewards.close(quarter.store, "2026-Q1", ANN, moment("2026-04-03"))["state"] == "closed"


def test_figures_that_changed_since_the_proposal_are_not_approved_nor_closed(quarter):
    rewards.propose(quarter.store, "2026-Q1", ANN, moment("2026-04-03"))
    quarter.win("A", "2026-02-01", marketing=6_000, sales=5_000)
    quarter.night("2026-04-04")
    with pytest.raises(Stale, match="Propose it again"):
        rewards.approve(quarter.store, "2026-Q1", BOB, moment("2026-04-04"))
    rewards.propose(quarter.store, "2026-Q1", ANN, moment("2026-04-04"))
    rewards.approve(quarter.store, "2026-Q1", BOB, moment("2026-04-04"))
    quarter.lose("A")
    quarter.night("2026-04-05")
    assert rewards.status(quarter.store)["periods"]["2026-Q1"]["is_stale"]
    with pytest.raises(Stale, match="Propose it again"):
        rewards.close(quarter.store, "2026-Q1", ANN, moment("2026-04-05"))


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (rewards.approve, "is open, not calculated. Run tandem rewards propose first"),
        (rewards.close, "is open, not approved. Run tandem rewards propose first"),
        (rewards.export, "is open. Close it, then export"),
        (rewards.pay, "is open, not exported. Run tandem rewards propose first"),
    ],
)
def test_no_step_is_skipped(quarter, step, says):
    with pytest.raises(BadInput, match=says):
        step(quarter.store, "2026-Q1", BOB, moment("2026-04-03"))


def test_no_step_is_taken_twice_and_nothing_is_opened_again(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    quarter.pay("2026-Q1", "2026-04-04")
    entries = len(quarter.store.postings())
    for step in (rewards.propose, rewards.approve, rewards.close, rewards.pay):
        with pytest.raises(BadInput):
            step(quarter.store, "2026-Q1", BOB, moment("2026-04-05"))
    assert len(quarter.store.postings()) == entries


def test_a_period_is_not_proposed_before_a_night_has_seen_its_end(office):
    office.win("A", "2026-02-01", sales=10_000)
    office.night("2026-03-31")
    with pytest.raises(BadInput, match="Run tandem sync after its end"):
        rewards.propose(office.store, "2026-Q1", ANN, moment("2026-04-03"))


def test_periods_close_in_order(office):
    office.night("2026-07-02")
    with pytest.raises(BadInput, match=r"2026-Q1 is open\. Propose 2026-Q1"):
        rewards.propose(office.store, "2026-Q2", ANN, moment("2026-07-03"))


def test_a_period_that_no_night_knows_is_refused(office):
    with pytest.raises(BadInput, match="no night has calculated period 2031-Q1"):
        rewards.propose(office.store, "2031-Q1", ANN, moment("2026-07-03"))


def test_a_late_change_posts_the_difference_into_the_open_period(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    closed = quarter.store.closed_periods()["2026-Q1"]
    quarter.win("A", "2026-02-01", marketing=6_000, sales=2_000)
    quarter.night("2026-04-10")
    assert quarter.entries(posting_period="2026-Q2", computed_for="2026-Q1") == [
        ("sales", "pool", -30),
        ("sales", "pool_held", -10),
    ]
    assert quarter.store.period_hash(closed) == closed.content_hash


def test_a_cancelled_deal_leaves_a_balance_below_zero_that_is_carried_not_paid(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    quarter.pay("2026-Q1", "2026-04-04")
    quarter.lose("A")
    quarter.night("2026-04-10")
    quarter.night("2026-07-02")
    quarter.close("2026-Q2", "2026-07-03")
    assert quarter.pay("2026-Q2", "2026-07-04") == {}
    of_period = rewards.books(quarter.store, "2026-Q2")
    closing = {who: each.closing_minor for who, each in rewards.statements(of_period).items()}
    assert closing == {"marketing": -90, "sales": -60}


def test_a_deal_that_moves_to_the_next_quarter_leaves_one_pool_and_joins_the_other(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    quarter.win("A", "2026-04-05", marketing=6_000, sales=4_000)
    quarter.night("2026-04-10")
    posted = quarter.store.posted().groupby("computed_for")["reward_minor"].sum().to_dict()
    assert posted == {"2026-Q1": 0, "2026-Q2": 200}


def test_attainment_is_frozen_at_the_close_and_later_only_deals_move(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    quarter.win("A", "2026-02-01", accepted=False, marketing=6_000, sales=4_000)
    assert quarter.night("2026-04-10") == 0  # live, marketing would be at 0 and shut the gate
    quarter.win("A", "2026-02-01", marketing=60_000, sales=40_000)
    quarter.night("2026-04-11")
    pool = quarter.store.posted().groupby("computed_for")["reward_minor"].sum()
    assert pool["2026-Q1"] == 2_000  # 2 % of 1,000 USD at multiplier 1, not at 1.75


def test_a_newer_agreement_rules_later_periods_only(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    quarter.win("B", "2026-05-01", sales=10_000)
    quarter.agreement = agreed(
        version=2, effective="2026-04-01", rewards={"rate": "0.05", "holdback": "0"}
    )
    quarter.night("2026-05-02")
    pool = quarter.store.posted().groupby("computed_for")["reward_minor"].sum()
    assert pool.to_dict() == {"2026-Q1": 200, "2026-Q2": 500}
    ledger = quarter.store.ledger()
    versions = ledger.groupby("computed_for")["agreement_version"].unique().map(list).to_dict()
    assert versions == {"2026-Q1": ["default v1"], "2026-Q2": ["default v2"]}


def test_an_open_period_before_a_newer_agreement_keeps_the_older_rules(quarter):
    quarter.agreement = agreed(version=2, effective="2026-04-01", rewards={"rate": "0.05"})
    assert quarter.night("2026-04-03") == 0
    terms = Terms.model_validate(quarter.store.found_periods()["2026-Q1"].terms)
    assert (terms.agreement, terms.rules.rate) == ("default v1", Decimal("0.02"))


def test_exchange_rates_freeze_with_the_period(quarter):
    quarter.rates = build(
        frames.Rates,
        [
            {"currency": "EUR", "starts_on": "2025-12-01", "rate": "0.9"},
            {"currency": "EUR", "starts_on": "2026-03-01", "rate": "0.8"},
            {"currency": "EUR", "starts_on": "2026-05-01", "rate": "0.7"},
        ],
    )
    quarter.night("2026-04-02")
    quarter.close("2026-Q1", "2026-04-03")
    terms = Terms.model_validate(quarter.store.closed_periods()["2026-Q1"].terms)
    assert [(rate.starts_on, rate.rate) for rate in terms.rates] == [
        ("2026-01-01", "0.9"),
        ("2026-03-01", "0.8"),
    ]


def test_holdback_is_released_into_the_period_in_which_its_window_ends(quarter):
    quarter.close("2026-Q1", "2026-04-03")  # held 90 days after 31 March: until 29 June
    quarter.night("2026-07-02")
    proposed = rewards.propose(quarter.store, "2026-Q2", ANN, moment("2026-07-03"))
    assert proposed["released_minor"] == 50
    assert quarter.entries(component="hold_release") == [
        ("marketing", "hold_release", 30),
        ("sales", "hold_release", 20),
    ]
    again = rewards.propose(quarter.store, "2026-Q2", ANN, moment("2026-07-03"))
    assert again["released_minor"] == 0


def test_what_is_taken_back_after_the_release_is_owed_back(quarter):
    quarter.close("2026-Q1", "2026-04-03")
    quarter.night("2026-07-02")
    quarter.close("2026-Q2", "2026-07-03")
    quarter.lose("A")
    quarter.night("2026-10-02")
    quarter.close("2026-Q3", "2026-10-03")
    of_period = rewards.books(quarter.store, "2026-Q3")
    held = {who: each.held_closing_minor for who, each in rewards.statements(of_period).items()}
    closing = {who: each.closing_minor for who, each in rewards.statements(of_period).items()}
    assert held == {"marketing": 0, "sales": 0}
    assert closing == {"marketing": 0, "sales": 0}  # never paid, all taken back


def test_members_of_a_team_share_what_it_earns_and_a_teams_spiff_too(office):
    office.people = Participants.model_validate(
        {
            "teams": {"sales": {"s-1": "0.75", "s-2": "0.25"}},
            "caps": {"s-1": "0.20"},
            "spiffs": [{"period": "2026-Q1", "participant": "sales", "amount": "0.10"}],
        }
    )
    office.win("A", "2026-02-01", marketing=6_000, sales=4_000)
    office.night("2026-04-02")
    assert office.entries() == [
        ("house", "cap_excess", 40),
        ("marketing", "pool", 90),
        ("marketing", "pool_held", 30),
        ("s-1", "pool", 15),
        ("s-1", "pool_held", 5),
        ("s-1", "spiff", 8),
        ("s-2", "pool", 15),
        ("s-2", "pool_held", 5),
        ("s-2", "spiff", 2),
    ]


def test_status_says_what_moves_the_running_period_most(office):
    office.win("A", "2026-02-01", accepted=False, sales=10_000)
    office.night("2026-02-15")
    row = rewards.status(office.store)["periods"]["2026-Q1"]
    assert row["is_final"] is False
    assert row["outlook"]["to_gate_minor"] == {"marketing": 7_000, "sales": 0}
    assert row["outlook"]["levers"][0] == {
        "what": "won revenue with an accepted handoff",
        "more_minor": 7_000,
        "pool_minor": 238,
        "gain_minor": 238,
    }


def test_verify_knows_a_head_that_was_noted_elsewhere(quarter):
    head = quarter.store.ledger_head()
    assert rewards.verify(quarter.store, head[:16])["is_whole"]
    verdict = rewards.verify(quarter.store, "f" * 16)
    assert verdict["faults"] == [
        "no entry has the hash ffffffffffffffff: entries are gone, or it is another ledger's"
    ]


def test_the_schedule_proposes_what_is_over_once_and_leaves_the_rest_to_people(quarter):
    first = rewards.propose_due(quarter.store, moment("2026-04-05"))
    assert (first["period"], first["state"], first["by"]) == ("2026-Q1", "calculated", SCHEDULE)
    again = rewards.propose_due(quarter.store, moment("2026-05-05"))
    assert again["why"] == "it is proposed, and has not changed"
    assert len(quarter.store.acts()) == 1
    quarter.close("2026-Q1", "2026-05-06")
    early = rewards.propose_due(quarter.store, moment("2026-06-05"))
    assert (early["period"], early["state"]) == ("2026-Q2", "open")
    assert "Run tandem sync after its end" in early["why"]


def test_months_close_one_after_the_other_as_quarters_do(office):
    content = agreed().model_dump(mode="json")
    office.agreement = agreed(calendar={**content["calendar"], "period": "month"})
    office.win("A", "2026-01-20", marketing=6_000, sales=4_000)
    office.win("B", "2026-02-20", marketing=5_000, sales=5_000)
    office.night("2026-03-02")
    assert list(rewards.states(office.store)) == ["2026-01", "2026-02", "2026-03"]
    office.close("2026-01", "2026-03-02")
    office.lose("A")
    office.night("2026-03-03")
    late = office.store.postings().query(
        "computed_for == '2026-01' and posting_period == '2026-02'"
    )
    assert late["reward_minor"].sum() < 0
    office.close("2026-02", "2026-03-03")
    assert rewards.verify(office.store)["is_whole"]
