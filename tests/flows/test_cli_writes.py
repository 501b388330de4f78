"""plan, apply, undo, release and explain from the command line, on the seeded company."""

import json

import pytest

from tests.flows.conftest import serve_company

pytestmark = pytest.mark.slow

QUIET = {"hubspot": {}, "salesforce": {}}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Plan with a page, apply, run a night, undo the applying run, run a night, release."""
    with serve_company(tmp_path_factory.mktemp("cli") / "company") as company:
        as_of = ("--as-of", company.as_of)
        found = {"company": company, "before": company.our_values()}
        found["plan"] = company.tandem("plan", "--json", "--page", "plan.html", *as_of)
        found["planned"] = company.our_values()
        plan_id = json.loads(found["plan"].stdout)["plan_id"]
        found["apply"] = company.tandem("apply", plan_id, "--canary", "5%", "--json")
        found["applied"] = company.our_values()
        found["quiet"] = company.sync()
        run_id = json.loads(found["apply"].stdout)["run_id"]
        found["shown"] = company.tandem("undo", run_id)
        found["undo"] = company.tandem("undo", run_id, "--apply", "--json")
        found["undone"] = company.our_values()
        found["held"] = company.sync()
        found["left"] = company.our_values()
        found["release nothing"] = company.tandem("release", run_id)
        found["release"] = company.tandem("release", "--all", "--json")
        found["again"] = company.sync()
        found["written"] = company.our_values()
        yield found


def test_every_step_ends_well(story):
    for name in ("plan", "apply", "quiet", "shown", "undo", "held", "release", "again"):
        assert story[name].returncode == 0, story[name].stderr


def test_a_plan_names_every_change_and_writes_nothing(story):
    view = json.loads(story["plan"].stdout)
    assert story["planned"] == story["before"]
    assert view["fields"] == len(view["writes"])
    assert {"before", "after", "reason", "state"} <= view["writes"][0].keys()
    page = (story["company"].folder / "plan.html").read_text(encoding="utf-8")
    assert view["plan_id"] in page
    assert "http" not in page.replace("http-equiv", ""), "the page needs no network"


def test_an_applied_plan_leaves_nothing_for_the_night_that_follows(story):
    assert json.loads(story["quiet"].stdout)["written"] == QUIET


def test_an_undone_first_night_is_as_if_it_had_never_been_and_stays_so(story):
    def filled(values):
        return {(*key, name) for key, row in values.items() for name, value in row.items() if value}

    assert filled(story["applied"])
    assert filled(story["undone"]) == filled(story["before"])
    assert json.loads(story["held"].stdout)["written"] == QUIET
    assert story["left"] == story["undone"]
    assert json.loads(story["held"].stdout)["held"]["count"] > 0


def test_an_undo_says_what_nothing_takes_back(story):
    assert "workflows" in story["shown"].stdout
    assert "Nothing written; add --apply." in story["shown"].stdout


def test_releasing_a_run_that_holds_nothing_names_the_undo_that_does(story):
    undo_id = json.loads(story["undo"].stdout)["run_id"]
    shown = story["release nothing"].stdout
    assert shown == f"Released 0 fields. Others are held by the undo {undo_id}.\n"
    released = json.loads(story["release"].stdout)
    assert released["released"] > 0
    assert released["held_by"] == []


def test_released_fields_are_written_again(story):
    assert story["written"] == story["applied"]


def first(values, system, kind, field) -> str:
    return next(
        record
        for (where, what, record), row in values.items()
        if (where, what) == (system, kind) and row.get(field)
    )


def explained(story, *arguments: str) -> dict:
    done = story["company"].tandem("explain", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_credit_is_explained_by_a_path_that_adds_up_to_it(story):
    won = first(story["written"], "salesforce", "Opportunity", "Tandem_Credit_Sales__c")
    found = explained(story, "salesforce", won, "credit_sales")
    path = found["credit"]["path"]
    shown = story["written"]["salesforce", "Opportunity", won]["Tandem_Credit_Sales__c"]
    parts = sum(row["credit_deal_minor"] for row in path if row["team"] == "sales")
    assert float(found["fields"][0]["value"]) == float(shown)
    assert parts in {round(float(shown) * unit) for unit in (1, 100, 1000)}
    assert found["fields"][0]["last_write"]["agreement"] == "default v1"


def test_a_handoff_is_explained_by_its_start_due_time_and_evidence(story):
    contact = first(story["written"], "hubspot", "contacts", "tandem_handoff_status")
    found = explained(story, "hubspot", contact, "tandem_handoff_status")
    latest = found["handoffs"][-1]
    assert latest["status"] == found["fields"][0]["value"]
    assert {"started_at", "due_at", "evidence_id", "working_seconds"} <= latest.keys()


def test_a_match_is_explained_by_rule_and_evidence_and_shows_no_address(story):
    company = story["company"]
    contact = first(story["written"], "hubspot", "contacts", "tandem_partner_id")
    found = explained(story, "hubspot", contact, "match_status")
    assert {row["system"] for row in found["match"]} == {"hubspot", "salesforce"}
    assert all(row["rule"] for row in found["match"])
    assert company.hubspot.records("contacts")[contact]["email"] not in json.dumps(found)


def test_the_id_beside_a_number_leads_to_its_explanation(story):
    values = story["written"]
    account = first(values, "salesforce", "Account", "Tandem_Explanation_Id__c")
    shown = values["salesforce", "Account", account]["Tandem_Explanation_Id__c"]
    assert explained(story, shown)["record_id"] == account


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("apply", "nothing"), 3, "there is no plan"),
        (("undo", "nothing"), 3, "there is no run"),
        (("explain", "salesforce", "nobody"), 3, "is not known"),
        (("explain", "sap", "1"), 2, "give hubspot or salesforce"),
        (("release",), 2, "--all"),
        (("release", "nothing"), 3, "there is no run"),
        (("plan", "nothing", "--full"), 2, "a stored PLAN is only shown"),
        (("apply", "nothing", "--canary", "0"), 2, "no share"),
    ],
)
def test_a_wrong_argument_is_one_line_and_an_exit_code(story, arguments, code, says):
    done = story["company"].tandem(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
