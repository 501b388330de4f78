"""A real Prefect server: what is deployed runs by a worker, and ends as ops expect."""

import json
import re
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.flows.conftest import serve_company
from tests.flows.prefect_site import ROOT, Site, kill_run, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]

WRITES = ("POST /crm/v3/objects/{type}/batch/update", "PATCH /services/data/{v}/composite/sobjects")


@pytest.fixture(scope="module")
def companies(tmp_path_factory):
    """Serve two companies of the same seed, each behind a portal of its name."""
    folder = tmp_path_factory.mktemp("companies")
    with ExitStack() as stack:
        yield {name: stack.enter_context(serve_company(folder / name)) for name in ("one", "two")}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve Prefect, with everything of ours on it, as the runbook says."""
    site = Site(tmp_path_factory.mktemp("prefect"))
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    with site.serving():
        site.shell("\n".join(blocks))
        yield site


@pytest.fixture(scope="module")
def worker(site, companies):
    """Let a worker take runs, for the portals `one`, `two`, and `refused`, whose token is wrong."""
    blocks = [blocks_of(name, company) for name, company in companies.items()]
    refused = ("refused", {**blocks[0][1], "access_token": "wrong-token"}, *blocks[0][2:])
    site.python("-c", SAVE_BLOCKS, json.dumps([*blocks, refused]))
    with site.working():
        yield


SAVE_BLOCKS = """
import json, sys
from flows.blocks import HubSpotCredentials, SalesforceCredentials, TandemPortal

for name, hubspot, salesforce, portal in json.loads(sys.argv[1]):
    HubSpotCredentials(**hubspot).save(name)
    SalesforceCredentials(**salesforce).save(name)
    TandemPortal(**portal).save(name)
"""


def blocks_of(portal: str, company) -> tuple:
    given = company.environment
    return (
        portal,
        {"access_token": given["HUBSPOT_ACCESS_TOKEN"], "base_url": given["HUBSPOT_BASE_URL"]},
        {
            "login_url": given["SALESFORCE_LOGIN_URL"],
            "client_id": given["SALESFORCE_CLIENT_ID"],
            "client_secret": given["SALESFORCE_CLIENT_SECRET"],
        },
        {"database_url": given["TANDEM_DATABASE_URL"]},
    )


def start_night(site, portal: str, company, **parameters) -> str:
    return site.start("nightly-sync", portal=portal, options={"as_of": company.as_of}, **parameters)


def filled(company) -> dict:
    """Give what our fields hold where they hold something."""
    return {
        (*place, field): value
        for place, fields in company.our_values().items()
        for field, value in fields.items()
        if value is not None
    }


def test_what_is_deployed_gets_scheduled_runs(site):
    found = site.ask("POST", "deployments/filter", {"limit": 50})
    deployed = {row["name"]: row for row in found if row["name"] != "acme"}
    wanted = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert set(deployed) == {entry["name"] for entry in wanted}
    of_a_portal = [row for row in found if row["name"] == "acme"]
    by_itself = yaml.safe_load((ROOT / "deploy" / "portal.yaml").read_text(encoding="utf-8"))
    assert [row["parameters"] for row in of_a_portal] == [{"portal": "acme"}] * len(
        by_itself["deployments"]
    )
    nightly = deployed["nightly-sync"]
    assert nightly["parameters"] == {}  # what a person starts only plans
    (schedule,) = nightly["schedules"]
    assert schedule["schedule"]["cron"] == "15 4 * * *"
    assert schedule["parameters"] == {"mode": "apply"}

    def scheduled():
        return site.ask(
            "POST",
            "flow_runs/filter",
            {
                "deployments": {"id": {"any_": [nightly["id"]]}},
                "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            },
        )

    runs = wait_for(scheduled, seconds=60)
    assert len(runs) >= 3


def test_an_automation_of_ours_fires_when_a_breach_was_told(site):
    site.python("-m", "flows.prefect_server")  # safe to repeat: each automation is there once
    wanted = yaml.safe_load((ROOT / "deploy" / "automations.yaml").read_text(encoding="utf-8"))
    made = site.ask("POST", "automations/filter", {})
    assert sorted(row["name"] for row in made) == sorted(
        entry["name"] for entry in wanted["automations"]
    )
    body = (
        "from flows.deployments import emit_told;"
        "emit_told({'run_id': 'r1', 'told':"
        " [{'alert': 'p1:1:breached', 'about_id': 'p1:1', 'state': 'breached'}]})"
    )

    def fired():
        # The server takes up a new automation a while after it was made: say it until it hears.
        site.python("-c", body)
        return site.events("prefect.automation.triggered")

    assert wait_for(fired, seconds=90)
    (resource,) = {
        event["resource"]["prefect.resource.id"] for event in site.events("tandem.handoff.breached")
    }
    assert resource == "tandem.handoff.p1:1"


def test_what_is_served_without_a_worker_ends_with_the_command_that_serves_it(site, tmp_path):
    file = tmp_path / "short.yaml"
    file.write_text(
        "deployments: [{name: served, description: d,"
        " entrypoint: 'flows/deployments.py:rewards_close',"
        " schedules: [{cron: '0 0 1 1 *', slug: yearly}]}]",
        encoding="utf-8",
    )
    with site.tandem("serve", str(file)):
        wait_for(lambda: site.ask("GET", "deployments/name/rewards-close/served"), seconds=60)
        assert is_running(file)
    assert not is_running(file)


def is_running(file) -> bool:
    command_lines = Path("/proc").glob("[0-9]*/cmdline")
    return any(str(file).encode() in text for text in map(content_of, command_lines))


def content_of(path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended meanwhile
        return b""


@pytest.fixture(scope="module")
def approved(site, worker, companies):
    """Let the night of portal `one` show a plan, and a person approve it; give both ends."""
    one = companies["one"]
    planned = site.ended(start_night(site, "one", one, mode="plan"))
    assert planned["state_type"] == "COMPLETED", planned["state"]["message"]
    before = filled(one)
    (waiting,) = wait_for(lambda: site.events("tandem.plan.waiting"), seconds=30)
    plan_id = waiting["payload"]["plan_id"]
    ended = site.ended(site.start("approve-plan", plan_id=plan_id, by="ana", portal="one"))
    return {"planned": planned, "before": before, "plan_id": plan_id, "approved": ended}


def test_a_waiting_plan_is_answered_by_a_person_and_the_next_night_writes_nothing(
    site, companies, approved
):
    one, planned, ended = companies["one"], approved["planned"], approved["approved"]
    assert planned["name"] == f"nightly-plan-one-{one.as_of[:10]}"
    assert approved["before"] == {}
    shown = site.artifacts(planned["id"])
    assert approved["plan_id"] in shown["nightly-summary-one"]
    assert {"object", "records", "system"} <= set(json.loads(shown["nightly-plan-one"])[0])
    assert {"nightly-bridge-one", "nightly-rejects-one", "nightly-quarantine-one"} <= set(shown)

    assert (ended["state_type"], ended["name"]) == (
        "COMPLETED",
        f"approve-plan-{approved['plan_id']}",
    )
    assert "approved by ana" in site.artifacts(ended["id"])["approved-plan-one"]
    again = one.sync()
    assert json.loads(again.stdout)["written"] == {"hubspot": {}, "salesforce": {}}
    assert len(filled(one)) > 1_000
    by_schedule = site.ended(site.start("nightly-sync", portal="one"))  # now is when it is due
    assert by_schedule["state_type"] == "COMPLETED", by_schedule["state"]["message"]


def test_a_run_that_is_refused_says_who_has_to_act(site, worker):
    ended = site.ended(site.start("provision", portal="refused"))
    assert ended["state_type"] == "FAILED"
    assert re.fullmatch(r"provision-refused-\d{4}-\d\d-\d\dT\d\d:\d\d", ended["name"])
    said = ended["state"]["message"]
    assert "Who acts: whoever grants access there" in said
    assert "(exit code 5)" in said
    assert "wrong-token" not in said
    told = wait_for(lambda: badly(site, "provision"), seconds=30)
    assert [each["message"] for each in told] == [said]


def badly(site, flow: str) -> list[dict]:
    """Give what the events carry that say that runs of a flow ended badly."""
    told = [event["payload"] for event in site.events("tandem.flow.ended-badly")]
    return [each for each in told if each["flow"] == flow]


def written_so_far(company) -> int:
    return sum(call.template in WRITES for call in [*company.hubspot.log, *company.salesforce.log])


def start_slow_night(site, company) -> str:
    """Start a night that writes, and be back while its first write of a batch is on its way."""
    for system, template in zip((company.hubspot, company.salesforce), WRITES, strict=True):
        system.log.clear()
        system.faults.slow_next(4, template=template, times=100)
    run_id = start_night(site, "two", company, mode="apply")
    wait_for(lambda: written_so_far(company) >= 2, seconds=90)
    return run_id


def be_quick(company) -> None:
    company.hubspot.faults.clear()
    company.salesforce.faults.clear()


def test_a_night_that_was_cancelled_and_killed_is_finished_by_its_retry(site, companies, approved):
    two = companies["two"]
    run_id = start_slow_night(site, two)
    second = site.ended(start_night(site, "two", two, mode="apply"))
    assert second["state_type"] == "CANCELLED"  # one night at a time: the later one is let go
    site.prefect("flow-run", "cancel", run_id)
    assert site.ended(run_id)["state_type"] == "CANCELLED"
    be_quick(two)
    assert 0 < len(filled(two)) < len(filled(companies["one"]))

    killed = start_slow_night(site, two)
    kill_run(killed)
    assert site.ended(killed)["state_type"] == "CRASHED"
    # The worker says so once more when it has cleared up; a retry before that would crash with it.
    wait_for(lambda: "memory allocation" in " ".join(site.log(killed)), seconds=60)
    be_quick(two)
    site.prefect("flow-run", "retry", killed)
    done = site.ended(killed, run_count=2)
    assert done["state_type"] == "COMPLETED", done["state"]["message"]
    assert filled(two) == filled(companies["one"])
    assert json.loads(two.sync().stdout)["written"] == {"hubspot": {}, "salesforce": {}}

    page = site.home / "pages" / "two" / "scoreboard.html"
    assert page.as_uri() in site.artifacts(killed)["scoreboard-two"]
    assert "Tandem scoreboard" in page.read_text(encoding="utf-8")

    outbox = json.loads(two.tandem("status", "--json").stdout)["outbox"]
    assert not any(outbox.values())  # nothing is left that is decided and not settled
    wait_for(
        lambda: (
            {"Cancelling", "Crashed"} <= {each["state"] for each in badly(site, "nightly-sync")}
        ),
        seconds=30,
    )
    pulled = [line for line in site.log(killed) if line.startswith("pulled ")]
    assert any("kind=contact rows=0" in line for line in pulled)  # what was read is not read again

    tasks = site.ask("POST", "task_runs/filter", {"flow_runs": {"id": {"any_": [killed]}}})
    assert {"pull-hubspot", "pull-salesforce", "deliver"} <= {row["name"] for row in tasks}
    # What a night tells people, automations hear as well.
    alerts = json.loads(two.tandem("alerts", "--all", "--json").stdout)["alerts"]
    told = {(row["state"], row["about_id"]) for row in alerts if row["sent_at"]}
    assert told
    assert wait_for(lambda: told <= heard(site), seconds=30)


def heard(site) -> set[tuple[str, str]]:
    """Give the states of handoffs that automations were told of."""
    asked = {"filter": {"event": {"prefix": ["tandem.handoff."]}}, "limit": 50}
    found, page = [], site.ask("POST", "events/filter", asked)
    while page:
        found += page["events"]
        following = page.get("next_page")
        page = site.ask("GET", following.partition("/api/")[2]) if following else None
    return {(event["event"].rpartition(".")[2], event["payload"]["about_id"]) for event in found}
