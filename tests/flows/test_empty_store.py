"""Commands on a store that knows nothing yet, or only that there is nobody: said, no trace."""

import shutil
from contextlib import closing

import pytest
from click.testing import CliRunner

from agreement.assessment import template
from agreement.errors import TandemError
from agreement.policy import DEFAULT_PATH
from connectors.store import Store
from flows.cli import tandem
from tests.flows.small import serve_small

SHOWN = (
    (["scoreboard"], "Wrote out/scoreboard.html"),
    (["bridge"], "0 MQLs, by the last night"),
    (["review"], "Nothing waits for a person."),
    (["export", "--out", "tables"], "handoffs                   0"),
    (["rewards", "status"], "2026-Q4  open: pool 0.00 USD"),
    (["rewards", "verify"], "Whole: 0 entries"),
    (["rewards", "statement", "2026-Q3"], "2026-Q3 is open, not final"),
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Make a store without a night, and one with a night that found no record of a person."""
    folder = tmp_path_factory.mktemp("stores")
    Store.open(f"sqlite:///{folder}/new.db").close()
    with serve_small(folder, people=0) as small:
        small.night()
    (folder / "tandem.db").rename(folder / "nobody.db")
    return folder


@pytest.fixture
def run(stores, tmp_path, monkeypatch):
    """Give a function that runs `tandem` on a copy of such a store; it gives exit code and text."""
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments, **environment):
        database = tmp_path / f"{name}.db"
        if not database.exists():
            shutil.copy(stores / database.name, database)
        settings = {"TANDEM_DATABASE_URL": f"sqlite:///{database}", **environment}
        done = CliRunner().invoke(tandem, arguments, env=settings)
        if isinstance(done.exception, TandemError):
            return done.exception.exit_code, str(done.exception)
        return done.exit_code, done.stdout

    return run


@pytest.mark.parametrize(
    "arguments", [["meeting"], ["assessment"], *(arguments for arguments, _ in SHOWN)]
)
def test_before_the_first_night_a_command_says_what_to_run_first(run, arguments):
    code, said = run("new", *arguments)
    if arguments[:2] == ["rewards", "verify"]:  # an empty ledger is whole
        assert (code, said[:16]) == (0, "Whole: 0 entries")
        return
    assert code == (0 if arguments == ["rewards", "status"] else 3)
    assert "tandem sync" in said


@pytest.mark.parametrize(("arguments", "expected"), SHOWN)
def test_after_a_night_without_a_person_a_command_shows_that_there_is_nobody(
    run, arguments, expected
):
    code, said = run("nobody", *arguments)
    assert (code, expected in said) == (0, True), said


def test_the_first_step_of_a_period_s_way_is_named_on_an_empty_ledger(run):
    approvers = {"TANDEM_APPROVERS": "ann=one,bob=two", "TANDEM_APPROVER_SECRET": "one"}
    for step in ("propose", "approve", "close", "export", "pay"):
        code, said = run("new", "rewards", step, "2026-Q3", "--by", "ann", **approvers)
        assert code == 3
        assert (
            "tandem sync" if step in {"propose", "export"} else "tandem rewards propose"
        ) in said


def test_a_pack_that_a_route_does_not_take_waits_and_the_command_ends_with_6(run, tmp_path):
    agreement = tmp_path / "agreement.yaml"
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    assert text.count("  finance: null") == 1
    agreement.write_text(text.replace("  finance: null", "  finance: nowhere"), encoding="utf-8")
    code, said = run("nobody", "meeting", "--send", TANDEM_AGREEMENT=str(agreement))
    assert code == 6
    assert "the week of 26 October 2026 to 01 November 2026" in said
    assert "= \n" not in said  # no amount is split among nobody
    assert "1 of the messages wait: it has no usable address. They are tried again." in said
    with closing(Store.open(f"sqlite:///{tmp_path}/nobody.db")) as store:
        assert [message.route for message in store.unsent_messages()] == ["nowhere"]


def test_the_assessment_sets_both_teams_answers_beside_the_figures(run, tmp_path):
    answers = tmp_path / "answers.yaml"
    answers.write_text(template("2026-Q4").replace("- 3", "- 5", 1), encoding="utf-8")
    code, said = run("nobody", "assessment", TANDEM_ASSESSMENT=str(answers))
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith("Alignment stage of 2026-Q4: undefined, the lower of both")
    assert lines[1].startswith("  answers     aligned (marketing 62, sales 60, of 2026-Q4)")
    assert "  next step   " in said
    assert "  defined     met      agreement in force, and the night went by it: 100" in said
    assert lines[-1].startswith("  2026-Q4  undefined   answers aligned, evidence undefined")
