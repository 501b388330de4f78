"""`tandem rewards` as people type it."""

import json
import re

import pytest
from click.testing import CliRunner

from agreement.errors import AccessError, BadInput, Stale
from connectors.store import Store
from flows.cli import tandem
from tests.office import Office


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command on a store whose first quarter is over; give its result."""
    url = f"sqlite:///{tmp_path}/tandem.db"
    store = Store.open(url)
    office = Office(store)
    office.win("A", "2026-02-01", marketing=6_000, sales=4_000)
    office.night("2026-04-02")
    store.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_DATABASE_URL", url)
    monkeypatch.setenv("TANDEM_APPROVERS", "ann=one,bob=two")

    def invoke(*arguments: str, secret: str | None = None):
        keys = {"TANDEM_APPROVER_SECRET": secret} if secret else {}
        return CliRunner().invoke(tandem, ["rewards", *arguments], env=keys)

    return invoke


def test_a_quarter_goes_its_way_from_the_command_line(run):
    steps = [("propose", "ann", "one"), ("approve", "bob", "two"), ("close", "ann", "one"),
             ("export", "ann", "one"), ("pay", "bob", "two")]  # fmt: skip
    states = []
    for step, name, secret in steps:
        done = run(step, "2026-Q1", "--by", name, "--json", secret=secret)
        assert done.exit_code == 0, done.output
        states.append(json.loads(done.output)["state"])
    assert states == ["calculated", "approved", "closed", "exported", "paid"]
    shown = run("status")
    assert "2026-Q1  paid: pool 2.00 USD" in shown.output
    assert "not final, as of 2026-04-02" in shown.output
    assert re.match(r"Whole: \d+ entries", run("verify").output)


def test_the_proposer_is_told_that_another_has_to_approve(run):
    assert run("propose", "2026-Q1", "--by", "ann", secret="one").exit_code == 0
    refused = run("approve", "2026-Q1", "--by", "ann", secret="one")
    assert isinstance(refused.exception, AccessError)
    assert "Ask another approver" in str(refused.exception)


def test_a_wrong_secret_does_nothing(run):
    refused = run("propose", "2026-Q1", "--by", "ann", secret="two")
    assert isinstance(refused.exception, AccessError)
    assert json.loads(run("status", "--json").output)["periods"]["2026-Q1"]["state"] == "open"


def test_a_secret_is_asked_for_and_not_shown(run):
    asked = CliRunner().invoke(
        tandem, ["rewards", "propose", "2026-Q1", "--by", "ann"], input="one\n"
    )
    assert asked.exit_code == 0, asked.output
    assert "one\n" not in asked.output.replace("approves it.\n", "")


def test_statements_before_the_close_say_that_they_are_not_final(run, tmp_path):
    done = run("statement", "2026-Q1", "--out", "out", "--json")
    assert done.exit_code == 0, done.output
    written = json.loads(done.output)
    assert (written["is_final"], "team-sales.html" in written["files"]) == (False, True)
    page = (tmp_path / "out" / "2026-Q1" / "team-sales.html").read_text(encoding="utf-8")
    assert "Not final." in page
    assert "006A" in page


def test_a_statement_of_nobody_is_refused(run):
    refused = run("statement", "2026-Q1", "--of", "eve")
    assert isinstance(refused.exception, BadInput)
    assert "Known: marketing, sales" in str(refused.exception)


def test_a_statement_of_a_closed_period_is_the_same_for_ever(run, tmp_path):
    for step, name, secret in (
        ("propose", "ann", "one"),
        ("approve", "bob", "two"),
        ("close", "ann", "one"),
    ):
        run(step, "2026-Q1", "--by", name, secret=secret)

    def read():
        done = run("statement", "2026-Q1", "--out", "out")
        assert done.exit_code == 0, done.output
        folder = tmp_path / "out" / "2026-Q1"
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    before = read()
    store = Store.open(f"sqlite:///{tmp_path}/tandem.db")
    office = Office(store)
    office.win("A", "2026-02-01", marketing=1_000, sales=2_000)
    office.night("2026-05-02")
    store.close()
    assert run("export", "2026-Q1", "--by", "ann", "--out", "other", secret="one").exit_code == 0
    assert run("pay", "2026-Q1", "--by", "ann", secret="one").exit_code == 0
    assert read() == before


def test_verify_ends_with_code_10_and_says_what_is_broken(run, tmp_path):
    import sqlite3

    database = sqlite3.connect(tmp_path / "tandem.db")
    database.executescript(
        "DROP TRIGGER posting_no_update; UPDATE posting SET reward_minor = 9 WHERE entry = 2;"
    )
    database.close()
    verdict = run("verify")
    assert verdict.exit_code == 10
    assert "ledger entry 2 was changed, or follows a gap" in verdict.output


def test_a_company_without_any_night_is_told_to_run_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TANDEM_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    shown = CliRunner().invoke(tandem, ["rewards", "status"])
    assert shown.output == "No night has calculated a period yet. Run tandem sync.\n"


def test_a_draw_lowers_what_payroll_pays_and_is_not_posted_twice_by_accident(run):
    again = ("draw", "sales", "0.10", "--by", "ann", "--json")
    first = json.loads(run(*again, secret="one").output)
    assert (first["period"], first["drawn_minor"]) == ("2026-Q1", 10)
    refused = run(*again, secret="one")
    assert isinstance(refused.exception, BadInput)
    assert "--again" in str(refused.exception)
    second = json.loads(run(*again, "--again", secret="one").output)
    assert second["balance_minor"] == first["balance_minor"] - 10
    for step, name, secret in (("propose", "ann", "one"), ("approve", "bob", "two"),
                               ("close", "ann", "one"), ("export", "ann", "one")):  # fmt: skip
        assert run(step, "2026-Q1", "--by", name, secret=secret).exit_code == 0
    paid = json.loads(run("pay", "2026-Q1", "--by", "bob", "--json", secret="two").output)["paid"]
    assert paid["sales"] == second["balance_minor"]
    assert json.loads(run("verify", "--json").output)["is_whole"]


@pytest.mark.parametrize("amount", ["0", "-5", "0.005", "five", "NaN"])
def test_a_draw_of_no_whole_amount_is_refused(run, amount):
    refused = run("draw", "sales", "--by", "ann", "--", amount, secret="one")
    assert isinstance(refused.exception, BadInput)
    assert "1200.5" in str(refused.exception)


def test_a_draw_for_nobody_names_who_takes_part(run):
    refused = run("draw", "house", "5", "--by", "ann", secret="one")
    assert "Known: marketing, sales" in str(refused.exception)


def test_a_draw_after_a_proposal_makes_it_stale(run):
    assert run("propose", "2026-Q1", "--by", "ann", secret="one").exit_code == 0
    assert run("draw", "sales", "0.10", "--by", "bob", secret="two").exit_code == 0
    refused = run("approve", "2026-Q1", "--by", "bob", secret="two")
    assert isinstance(refused.exception, Stale)
