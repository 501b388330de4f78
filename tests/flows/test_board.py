"""The page that both teams believe: its figures are the board's, and a browser shows it to all."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from connectors.scoreboard import worded
from connectors.store import Store
from flows.demo import demo
from flows.exports import TABLES, data_dictionary
from tests.flows.browser import Browser

TANDEM = Path(sys.executable).with_name("tandem")
ROOT = Path(__file__).parents[2]


class Figures(HTMLParser):
    """Every figure of a page: its attributes and the text that stands in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str], str]] = []
        self.links: list[str] = []
        self.is_inside = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.links += [named[name] for name in ("href", "src") if name in named]
        self.is_inside = "data-figure" in named
        if self.is_inside:
            self.found.append((named, ""))

    def handle_data(self, text):
        if self.is_inside:
            named, before = self.found.pop()
            self.found.append((named, before + text))

    def handle_endtag(self, tag):
        self.is_inside = False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    demo(people=600, seed=7, out=folder, say=lambda _: None)
    return folder


def run(folder, *arguments):
    environment = {**os.environ, "TANDEM_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}"}
    command = [TANDEM, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def page(folder):
    return folder / "scoreboard.html"


@pytest.fixture(scope="module")
def board(folder):
    return json.loads(run(folder, "scoreboard", "--json"))


@pytest.fixture(scope="module")
def figures(page):
    return Figures(page.read_text(encoding="utf-8"))


def at(board, path):
    for step in json.loads(path):
        board = board[step]
    return board


def test_every_figure_of_the_page_is_the_one_of_the_command(board, figures):
    assert len(figures.found) > 100
    for named, text in figures.found:
        value = at(board, named["data-figure"])
        assert json.loads(named["data-value"]) == value
        assert text == worded(value, named["data-kind"], board["currency"])


def test_every_figure_says_what_it_is(figures):
    for named, text in figures.found:
        assert named["title"] == named["aria-label"]
        assert named["title"].endswith(f": {text}")
        assert len(named["title"]) > len(text) + 5


def test_every_link_leads_to_a_list_beside_the_page(folder, figures):
    lists = {link for link in figures.links if not link.startswith(("#", "data:"))}
    assert len(lists) > 5
    assert not [link for link in lists if not (folder / link).exists()]


def test_the_page_needs_no_network_and_no_script(page):
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    addresses = set(re.findall(r"https?://[^\"' )]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_the_parts_on_the_page_add_up(board):
    for span in ("quarter", "year"):
        bridge = board["bridge"][span]
        assert sum(bridge["classes"].values()) == bridge["mqls"]
        clocks = board["clocks"][span]["all"]
        assert clocks["on_time"] + clocks["late"] + clocks["waiting"] == clocks["count"]
        for model in board["credit"]["models"]:
            by_team, by_channel = (
                sum(row["won_minor"].get(model, 0) for row in board["credit"][dimension][span])
                for dimension in ("team", "channel")
            )
            assert by_team == by_channel
            if model == board["credit"]["shared_model"]:
                shared = by_team
        tie_out = board["credit"]["tie_out"][span]
        assert tie_out["booked_minor"] == tie_out["explained_minor"] + tie_out["unknown_minor"]
        assert tie_out["booked_minor"] == shared > 0
        assert 0 < board["funnel"][span]["won"] < board["funnel"][span]["people"]
    for row in board["rewards"]:
        assert sum(row["shares_minor"].values()) == row["pool_minor"]


def test_campaigns_are_called_as_in_the_crm_and_by_id_where_a_name_tells_none_apart(
    folder, board, page
):
    with closing(Store.open(f"sqlite:///{folder / 'demo.db'}")) as store:
        campaigns = store.mirror("salesforce", "campaign", ["Name"])
    names = dict(zip(campaigns["record_id"], campaigns["Name"], strict=True))
    borne = Counter(names.values())
    rows = board["credit"]["campaign"]["year"]
    assert [row["title"] for row in rows] == [
        name if borne[name := names.get(row["name"])] == 1 else None for row in rows
    ]
    titled = [row for row in rows if row["title"]]
    assert titled
    text = page.read_text(encoding="utf-8")
    for row in titled:
        assert f'title="campaign {row["name"]}">{escape(row["title"])}</th>' in text


def test_both_teams_stand_in_one_unit_over_both_horizons(board):
    for span in ("quarter", "year"):
        assert [row["team"] for row in board["teams"][span]] == ["marketing", "sales"]
        for row in board["teams"][span]:
            assert row["attainment_ppm"] == row["actual_minor"] * 1_000_000 // row["target_minor"]
            assert row["pace_minor"] >= row["actual_minor"]


def test_nobody_is_named_on_the_page(page):
    assert not re.search(r"[\w.]+@[\w.]+", page.read_text(encoding="utf-8").split("</style>")[1])


def test_every_published_table_is_exported_twice_and_equal(folder):
    result = json.loads(run(folder, "export", "--out", "tables", "--json"))
    assert set(result["rows"]) == set(TABLES)
    for name, count in result["rows"].items():
        parquet = pd.read_parquet(folder / "tables" / f"{name}.parquet")
        text = pd.read_csv(folder / "tables" / f"{name}.csv", dtype=str)
        assert len(parquet) == len(text) == count
        assert list(parquet.columns) == list(text.columns) == list(TABLES[name].to_schema().columns)
    rewards = pd.read_parquet(folder / "tables" / "team_rewards.parquet")
    assert set(rewards["participant"]) <= {"marketing", "sales", "house"}


def test_the_data_dictionary_describes_the_tables_as_they_are():
    written = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert written == data_dictionary()


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed; .ci/run installs it")
    with Browser.open(chromium, tmp_path_factory.mktemp("profile"), page.as_uri()) as opened:
        yield opened


@pytest.mark.slow
def test_the_page_opens_without_network_or_complaint(browser):
    assert browser.complaints == []
    assert [
        address for address in browser.asked if not address.startswith(("file:", "data:"))
    ] == []


@pytest.mark.slow
def test_every_chart_is_drawn_and_its_marks_speak_when_pointed_at(browser):
    sizes = browser.evaluate(
        "[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height)"
    )
    assert len(sizes) == 4
    assert min(sizes) > 40
    silent = browser.evaluate(
        "[...document.querySelectorAll('.role-mark.marks path[aria-roledescription=bar]')]"
        ".filter(m => !m.querySelector('title')?.textContent).length"
    )
    assert silent == 0
    assert browser.evaluate("document.querySelectorAll('.marks path > title').length") > 10


@pytest.mark.slow
def test_every_figure_is_reached_by_the_keyboard(browser):
    count = browser.evaluate("document.querySelectorAll('.fig').length")
    reached = set()
    for _ in range(2 * count):
        browser.press_tab()
        reached.add(
            browser.evaluate(
                "[...document.querySelectorAll('.fig')].indexOf(document.activeElement)"
            )
        )
    hidden = browser.evaluate("document.querySelectorAll('details:not([open]) .fig').length")
    assert len(reached - {-1}) == count - hidden


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser, scheme):
    faults = browser.axe(scheme)
    assert [fault["id"] for fault in faults if fault["impact"] in {"serious", "critical"}] == []


@pytest.mark.slow
def test_the_page_prints_on_at_most_six_sheets(browser):
    assert 1 <= browser.printed_sheets() <= 6
