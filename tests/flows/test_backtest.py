"""A draft of the agreement tried on history: of what is in force it changes nothing."""

import json
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from agreement.errors import AgreementError, BadInput, BadTable, Stale
from agreement.policy import DEFAULT_PATH, load_agreement
from agreement.wording import money_text, signed_money
from connectors.backtest_page import write_backtest
from connectors.clock import utc_now
from connectors.settings import Settings
from connectors.store import Store
from flows import rewards
from flows.backtest import backtest, known_since
from flows.cli import tandem
from flows.demo import stage
from flows.night import night
from flows.provision import provision
from flows.reading import open_reading
from flows.rewards import Person
from flows.run import agreement_in_force, connect, open_run
from flows.show_backtest import show_backtest
from standins.world import build_world
from tests.flows.browser import Browser

pytestmark = pytest.mark.slow

SUMMER = date(2026, 7, 1)
LIMITS = {"hot": timedelta(minutes=30), "mql": timedelta(hours=12)}
DRAFTED = (
    ("version: 1\n", "version: 2\n"),
    ("limit: 60m", "limit: 30m"),
    ("limit: 24h", "limit: 12h"),
    ("shared: linear", "shared: u_shaped"),
    ('marketing: "700000"', 'marketing: "40000"'),
    ('sales: "1000000"', 'sales: "60000"'),
)


def changed(*changes: tuple[str, str]) -> str:
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def after_a_night(folder: Path, world, agreement: Path | None = None):
    """Serve a world whose night has been applied, by an agreement."""
    with stage(world, f"sqlite:///{folder / 'tandem.db'}") as here:
        settings = here.settings.model_copy(update={"tandem_agreement": agreement})
        provision(connect(settings), agreement_in_force(settings), is_applied=True)
        with open_run(settings, as_of=world.as_of, tell=lambda *said: None) as run:
            night(run, "apply")
        yield settings


def tried(settings: Settings, draft, since: date = SUMMER) -> dict:
    with open_reading(settings) as reading:
        return backtest(reading, draft, since)


def rows_of(settings: Settings) -> dict[str, int]:
    """Count the rows of every table of the store."""
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table'")
        return {
            name: connection.execute(f'select count(*) from "{name}"').fetchone()[0]  # noqa: S608 - names of tables
            for (name,) in names.fetchall()
        }


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    """Give a draft's file, and two stores of one world that was made under the draft.

    The first store's night ran by the default agreement, the second one's by the draft.
    """
    folder = tmp_path_factory.mktemp("drafted")
    draft = folder / "draft.yaml"
    draft.write_text(changed(*DRAFTED), encoding="utf-8")
    world = build_world(people=150, seed=5, profile="easy", limits=LIMITS)
    stores = []
    for name, agreement in (("default", None), ("draft", draft)):
        place = folder / name
        place.mkdir()
        with after_a_night(place, world, agreement) as settings:
            stores.append(settings)
    return draft, world, *stores


@pytest.fixture(scope="module")
def found(drafted):
    draft, _, by_default, _ = drafted
    return tried(by_default, load_agreement(draft))


@pytest.fixture(scope="module")
def found_by_draft(drafted):
    draft, _, _, by_draft = drafted
    return tried(by_draft, load_agreement(draft))


def assert_nothing_changes(found):
    assert found["clocks"]["before"]["count"] > 20
    assert sum(row["before_minor"] for row in found["credit"]["team"]) > 0
    assert found["changes_nothing"]
    for part in ("clocks", "bridge"):
        assert found[part]["before"] == found[part]["after"]
    assert found["clocks"]["changes"] == found["credit"]["deals"] == found["gains"] == []
    for pool in found["pools"]:
        assert pool["before"] == pool["after"]


def test_the_agreement_in_force_changes_nothing(tmp_path):
    with after_a_night(tmp_path, build_world(people=120, seed=3)) as settings:
        pass
    before = rows_of(settings)
    assert_nothing_changes(tried(settings, load_agreement()))
    assert rows_of(settings) == before
    close_the_summer(settings)
    assert_nothing_changes(tried(settings, load_agreement()))


def test_periods_of_a_month_are_replayed_month_by_month(tmp_path):
    monthly = ("period: quarter", "period: month")
    agreement, draft = tmp_path / "monthly.yaml", tmp_path / "draft.yaml"
    agreement.write_text(changed(monthly), encoding="utf-8")
    within_reach = ('marketing: "700000"', 'marketing: "1"'), ('sales: "1000000"', 'sales: "1"')
    draft.write_text(changed(monthly, DRAFTED[0], *within_reach), encoding="utf-8")
    with after_a_night(tmp_path, build_world(people=60, seed=3), agreement) as settings:
        pass
    found = tried(settings, load_agreement(draft), date(2026, 2, 15))
    months = [f"2026-{month:02}" for month in range(2, int(found["as_of"][5:7]) + 1)]
    assert [pool["period"] for pool in found["pools"]] == months
    assert {row["period"] for row in found["promises"]} <= set(months)
    revenues = [
        [pool[side]["revenue_minor"] for pool in found["pools"]] for side in ("before", "after")
    ]
    assert revenues[0] == revenues[1]
    assert sum(map(bool, revenues[0])) > 1
    assert any(
        pool["after"]["pool_minor"] > pool["before"]["pool_minor"] for pool in found["pools"]
    )


def test_another_agreement_in_force_changes_nothing_either(found_by_draft):
    assert_nothing_changes(found_by_draft)


def close_the_summer(settings: Settings) -> None:
    """Close the quarters that are over, each by two people."""
    steps = ((rewards.propose, "ann"), (rewards.approve, "bob"), (rewards.close, "bob"))
    with closing(Store.open(settings.database_url)) as store:
        for period in ("2026-Q1", "2026-Q2", "2026-Q3"):
            for step, name in steps:
                step(store, period, Person(name, is_verified=True), utc_now())


def test_a_draft_gives_what_a_night_by_it_finds(found, found_by_draft):
    assert not found["changes_nothing"]
    for part in ("clocks", "bridge"):
        assert found[part]["after"] == found_by_draft[part]["before"]
    assert found["clocks"]["missed"] == found_by_draft["clocks"]["missed"]
    for dimension in ("team", "channel"):
        after, before = (
            {row["name"]: row[f"{side}_minor"] for row in result["credit"][dimension]}
            for result, side in ((found, "after"), (found_by_draft, "before"))
        )
        assert {name: minor for name, minor in after.items() if minor} == before
    assert [(pool["period"], pool["after"]) for pool in found["pools"]] == [
        (pool["period"], pool["before"]) for pool in found_by_draft["pools"]
    ]
    assert any(pool["after"]["pool_minor"] for pool in found["pools"])
    assert [row["after"] for row in found["promises"]] == [
        row["before"] for row in found_by_draft["promises"]
    ]


def test_a_draft_gives_the_clocks_of_the_world_made_under_it(drafted, found):
    _, world, *_ = drafted
    summer = datetime(2026, 7, 1, 4, tzinfo=UTC)
    truths = [truth for truth in world.truth.handoffs if truth.started_at >= summer]
    counts = Counter(truth.status for truth in truths)
    after = found["clocks"]["after"]
    assert {name: after[name] for name in counts} == counts
    clocks = {
        (row["record_id"], row["handoff_id"].rsplit(":", 1)[1]): row
        for row in found["clocks"]["changes"]
    }
    running = [truth for truth in truths if truth.salesforce_id and not truth.relief]
    assert len(running) > 20
    for truth in running:
        row = clocks[truth.salesforce_id, str(truth.cycle)]
        assert (row["tier_after"], row["status_after"]) == (truth.tier, truth.status)
        assert datetime.fromisoformat(row["due_after"]) == truth.due_at
        assert row["due_before"] > row["due_after"]


def test_the_parts_of_a_backtest_add_up(found):
    for side in ("before", "after"):
        clocks = found["clocks"][side]
        assert clocks["on_time"] + clocks["late"] + clocks["waiting"] == clocks["count"]
        by_team, by_channel = (
            sum(row[f"{side}_minor"] for row in found["credit"][dimension])
            for dimension in ("team", "channel")
        )
        assert by_team == by_channel
        for pool in found["pools"]:
            assert sum(row[f"{side}_minor"] for row in pool["shares"]) == pool[side]["pool_minor"]
    assert len(found["clocks"]["missed"]) == found["clocks"]["after"]["late"]
    credit = [row["change_minor"] for row in found["gains"] if row["of"] == "credit by team"]
    assert sum(credit) == 0
    assert credit


# What cannot be tried -----------------------------------------------------------------------------


@pytest.fixture
def copied(drafted, tmp_path):
    """Give a copy of the default's store, to be spoilt."""
    _, _, by_default, _ = drafted
    path = tmp_path / "copy.db"
    whole = by_default.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(whole)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return by_default.model_copy(update={"tandem_database_url": SecretStr(f"sqlite:///{path}")})


def spoil(settings: Settings, statement: str) -> None:
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute(statement).rowcount
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "update handoff set status = 'late' where status = 'on_time'",
            r"\d+ of handoff \(first p_",
        ),
        ("delete from credit where team = 'sales'", r"\d+ of credit \(first d_"),
        ("delete from bridge", r"\d+ of bridge \(first \d+"),
    ],
)
def test_history_that_is_not_reproduced_stops_it_and_says_what_differs(copied, statement, said):
    spoil(copied, statement)
    with pytest.raises(BadTable, match=f"does not reproduce .*{said}") as raised:
        tried(copied, load_agreement())
    assert raised.value.exit_code == 10


def test_a_ledger_that_lacks_what_is_due_stops_it(copied, tmp_path):
    people = tmp_path / "participants.yaml"
    people.write_text(
        "spiffs: [{period: 2026-Q4, participant: sales, amount: '500'}]\n", encoding="utf-8"
    )
    people.chmod(0o600)
    settings = copied.model_copy(update={"tandem_participants": people})
    with pytest.raises(Stale, match=r"the ledger lacks \d+ postings.* Run tandem sync"):
        tried(settings, load_agreement())


def test_what_a_later_run_read_is_named_as_the_cause(copied):
    with closing(Store.open(copied.database_url)) as store:
        at = utc_now()
        run_id = store.start_run(as_of=at, agreement_version="default v1", started_at=at)
    spoil(copied, "update handoff set status = 'late' where status = 'on_time'")
    with pytest.raises(Stale, match=f"Run {run_id} came after it"):
        tried(copied, load_agreement())


def test_a_day_to_come_and_other_periods_are_refused(copied):
    with pytest.raises(BadInput, match="2027-01-01 is after the last night, which was on 2026-11"):
        tried(copied, load_agreement(), date(2027, 1, 1))
    calendar = load_agreement().calendar.model_copy(update={"period": "month"})
    monthly = load_agreement().model_copy(update={"calendar": calendar})
    with pytest.raises(AgreementError, match="periods close for good"):
        tried(copied, monthly)


def test_a_field_that_no_run_has_read_is_refused(copied):
    handoff = load_agreement().handoff.model_copy(update={"reject_reason_field": "Why__c"})
    draft = load_agreement().model_copy(update={"handoff": handoff})
    with pytest.raises(BadInput, match="reject_reason_field is Why__c, which no run has read"):
        tried(copied, draft)


def test_a_file_edited_in_place_is_compared_with_the_version_that_ran(drafted, copied, tmp_path):
    edited = tmp_path / "edited.yaml"
    edited.write_text(changed(("limit: 24h", "limit: 12h")), encoding="utf-8")
    settings = copied.model_copy(update={"tandem_agreement": edited})
    found = tried(settings, load_agreement(edited))
    assert found["clocks"]["before"]["on_time"] > found["clocks"]["after"]["on_time"]


# The command and the page -------------------------------------------------------------------------


def command(settings: Settings, *arguments: str):
    environment = {"TANDEM_DATABASE_URL": settings.database_url}
    return CliRunner().invoke(tandem, ["backtest", *arguments], env=environment)


def test_the_command_prints_the_comparison_and_writes_the_page(drafted, found, tmp_path):
    draft, _, by_default, _ = drafted
    done = command(by_default, str(draft), "--from", "2026-07-01", "--json", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads(json.dumps(found))
    written = {path.name for path in tmp_path.iterdir()}
    lists = {f"backtest_{name}.csv" for name in ("clocks", "missed", "deals")}
    assert written == {"backtest.html", *lists}


def test_a_person_reads_what_moves_and_who_gains(found):
    text = show_backtest(found)
    before, after = (found["clocks"][side]["on_time"] for side in ("before", "after"))
    assert re.search(rf"on time +{before} +{after}\n", text)
    for gain in found["gains"]:
        assert signed_money(gain["change_minor"], found["currency"]) in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_draft_with_faults_is_said_line_by_line_and_nothing_is_opened(tmp_path):
    draft = tmp_path / "draft.yaml"
    draft.write_text(changed(("shared: linear", "shared: magic")), encoding="utf-8")
    missing = Settings(_env_file=None, tandem_database_url=f"sqlite:///{tmp_path}/none.db")
    done = command(missing, str(draft), "--from", "2026-07-01")
    assert isinstance(done.exception, AgreementError)
    assert re.search(r"draft\.yaml:\d+: attribution\.shared", str(done.exception))
    assert not (tmp_path / "none.db").exists()


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    return write_backtest(found, tmp_path_factory.mktemp("page"))


def test_the_page_shows_both_sides_and_needs_nothing_from_elsewhere(found, page):
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    for link in re.findall(r'href="([^"#]+)"', text):
        assert link.startswith("data:") or (page.parent / link).exists()
    for dimension in ("team", "channel"):
        for row in found["credit"][dimension]:
            amount = money_text(row["after_minor"], found["currency"])
            assert amount.removesuffix(f" {found['currency']}") in text
    assert not re.search(r"[\w.]+@[\w.]+", text.split("</style>")[1])


def test_lists_without_a_row_have_a_header_and_no_cell_is_run_as_a_formula(found, tmp_path):
    clock = {**found["clocks"]["changes"][0], "record_id": "=1+1"}
    nothing = {**found["credit"], "deals": []}
    spoilt = {**found, "clocks": {**found["clocks"], "changes": [clock], "missed": []}}
    write_backtest({**spoilt, "credit": nothing}, tmp_path)
    clocks, missed, deals = (
        (tmp_path / f"backtest_{name}.csv").read_text(encoding="utf-8").splitlines()
        for name in ("clocks", "missed", "deals")
    )
    assert ",'=1+1," in clocks[1]
    assert missed == [",".join(found["clocks"]["missed"][0])]
    assert deals == [",".join(found["credit"]["deals"][0])]


def test_records_begin_on_the_day_that_the_company_s_calendar_shows(place):
    place.hubspot.add("contacts", {}, created_at=datetime(2026, 10, 2, 3, tzinfo=UTC))
    place.pull("hubspot")
    assert known_since(place.store, place.agreement.calendar.zone_info) == "2026-10-01"


def test_a_browser_shows_the_page_without_a_serious_fault(page, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed; .ci/run installs it")
    with Browser.open(chromium, tmp_path, page.as_uri()) as browser:
        assert browser.complaints == []
        assert browser.evaluate("document.querySelectorAll('svg').length") == 2
        for scheme in ("light", "dark"):
            faults = [fault["id"] for fault in browser.axe(scheme)
                      if fault["impact"] in {"serious", "critical"}]  # fmt: skip
            assert faults == []
