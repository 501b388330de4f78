"""The seeded company over four quarters: CRM sums, tie-outs, statements and the journal."""

import csv
import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from agreement.policy import DEFAULT_PATH
from connectors.store import Store
from flows import rewards
from flows.demo import stage
from flows.night import night
from flows.provision import provision
from flows.reward_files import write_export, write_statements
from flows.run import agreement_in_force, connect, open_run
from standins.world import build_world
from tests.office import ANN, BOB

BEAN_CHECK = Path(sys.executable).with_name("bean-check")
QUARTERS = ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")
AFTER = datetime(2027, 1, 5, 12, tzinfo=UTC)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A seeded company whose targets are low enough to open the gate, after two nights."""
    folder = tmp_path_factory.mktemp("company")
    agreement = folder / "agreement.yaml"
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    text = text.replace('marketing: "700000"', 'marketing: "1000"')
    agreement.write_text(text.replace('sales: "1000000"', 'sales: "30000"'), encoding="utf-8")
    world = build_world(people=300, seed=11)
    with stage(world, f"sqlite:///{folder / 'tandem.db'}") as here:
        here.settings.tandem_agreement = agreement
        provision(connect(here.settings), agreement_in_force(here.settings), is_applied=True)
        run_night(here, world.as_of)
        yield here, folder


def run_night(here, as_of):
    def say_nothing(*_arguments):
        return None

    with open_run(here.settings, as_of=as_of, tell=say_nothing) as run:
        return night(run, "apply")


@pytest.fixture(scope="module")
def store(company):
    here, _ = company
    opened = Store.open(here.settings.database_url)
    yield opened
    opened.close()


def ledger_totals(store) -> dict[str, Decimal]:
    posted = store.posted()
    pool = posted[posted["component"].isin(["pool", "pool_held"])]
    sums = pool.groupby("participant")["reward_minor"].sum()
    return {who: Decimal(int(minor)).scaleb(-2) for who, minor in sums.items()}


def crm_total(records, field) -> Decimal:
    return sum((Decimal(str(each[field])) for each in records.values() if each.get(field)),
               Decimal(0))  # fmt: skip


@pytest.mark.parametrize("team", ["marketing", "sales"])
def test_the_opportunities_add_up_to_the_ledgers_team_totals(company, store, team):
    here, _ = company
    total = ledger_totals(store)[team]
    assert total > 0
    field = f"Tandem_Pool_{team.capitalize()}__c"
    assert crm_total(here.salesforce.records("Opportunity"), field) == total


@pytest.mark.parametrize("team", ["marketing", "sales"])
def test_the_hubspot_deals_add_up_to_the_totals_of_the_deals_that_have_a_copy(company, store, team):
    here, _ = company
    crosswalk = store.crosswalk()
    deals = crosswalk[crosswalk["entity"] == "deal"]
    copied = set(deals.loc[deals["system"] == "hubspot", "entity_id"])
    ours = deals[(deals["system"] == "salesforce") & deals["entity_id"].isin(copied)]
    opportunities = here.salesforce.records("Opportunity")
    field = f"Tandem_Pool_{team.capitalize()}__c"
    expected = crm_total({key: opportunities[key] for key in ours["record_id"]}, field)
    assert expected > 0
    assert crm_total(here.hubspot.records("deals"), f"tandem_pool_{team}") == expected


def test_every_contribution_is_both_teams_part_and_the_houses(company, store):
    here, _ = company
    total = crm_total(here.salesforce.records("Opportunity"), "Tandem_Pool_Contribution__c")
    assert total == sum(ledger_totals(store).values())


def test_four_quarters_close_pay_and_tie_out_and_bean_check_accepts_the_journal(company, store):
    here, folder = company
    run_night(here, AFTER)
    if not BEAN_CHECK.exists():
        pytest.skip("beancount is not installed")
    paid = 0
    for quarter in QUARTERS:
        rewards.propose(store, quarter, ANN, AFTER)
        rewards.approve(store, quarter, BOB, AFTER)
        rewards.close(store, quarter, ANN, AFTER)
        exported = rewards.export(store, quarter, ANN, AFTER)
        files = write_export(store, quarter, folder / "out", exported)
        assert all(check["is_met"] for check in files["checks"])
        paid += rewards.pay(store, quarter, BOB, AFTER)["paid_minor"]
        write_statements(store, quarter, folder / "out")
        journal = folder / "out" / quarter / "journal.beancount"
        checked = subprocess.run([BEAN_CHECK, journal], capture_output=True, text=True, timeout=60)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    postings = store.postings()
    assert paid == postings.loc[postings["component"] == "paid", "reward_minor"].sum() > 0
    assert rewards.verify(store)["faults"] == []
    assert run_night(here, AFTER)["planned"] == {}  # closing moves no number in a CRM


def test_statements_can_be_re_added_from_their_csv_alone(company, store):
    _, folder = company
    of_period = rewards.books(store, "2026-Q2")
    for team in ("marketing", "sales"):
        file = folder / "out" / "2026-Q2" / f"team-{team}.csv"
        rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
        shares = [row for row in rows if row["what"] == "share"]
        assert shares
        for row in shares:
            assert Decimal(row["exact"]) + Decimal(row["rounding"]) == int(row["reward_minor"])
            numerator, _, denominator = row["multiplier"].partition("/")
            factor = Decimal(numerator) / Decimal(denominator or 1)
            exact = Decimal(row["credit_minor"]) * Decimal(row["rate"]) * factor
            assert abs(exact - Decimal(row["exact"])) <= Decimal("0.0001")
        account = f"payable:{team}"
        change = of_period.closing[account] - of_period.opening.get(account, 0)
        assert sum(int(row["reward_minor"]) for row in rows) == change


def test_files_and_folders_are_for_their_owner_only_and_nothing_of_people_is_in_a_crm(company):
    here, folder = company
    out = folder / "out"
    for path in (out, *out.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    written = json.dumps(here.salesforce.records("Opportunity"), default=str)
    assert "payable" not in written
