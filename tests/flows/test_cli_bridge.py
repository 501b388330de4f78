"""The bridge as the command shows it, from the store alone."""

import json
from contextlib import closing
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from agreement.frames import Bridge
from connectors.store import Store
from flows.bridge import lost_mqls
from flows.cli import tandem
from tests import builders

AT = datetime(2026, 11, 2, 4, tzinfo=UTC)

# Contact, day of the stamp, class, rule, detail.
ROWS = [
    ("1", "2026-09-30T23:00Z", "linked", "stored id", "lead 00Q1"),
    ("2", "2026-10-01T05:00Z", "linked", "e-mail and name", "contact 0031"),
    ("3", "2026-10-02T05:00Z", "excluded", "internal", ""),
    ("4", "2026-10-03T05:00Z", "rejected", "sales' answer", "no budget"),
    ("5", "2026-10-04T05:00Z", "waiting for review", "a match in the uncertain band", "lead 00Q5"),
    ("7", "2026-10-06T05:00Z", "missing", "no owner", ""),
    ("6", "2026-10-05T05:00Z", "missing", "no owner", ""),
    ("8", "2026-10-05T05:00Z", "missing", "never sent", ""),
]


def table():
    names = ("record_id", "mql_at", "bridge_class", "rule", "detail")
    rows = [dict(zip(names, row, strict=True)) | {"person_id": f"p{row[0]}"} for row in ROWS]
    return builders.build(Bridge, rows)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'tandem.db'}"


@pytest.fixture
def measured(url):
    with closing(Store.open(url)) as store:
        run_id = store.start_run(as_of=AT, agreement_version="v1", started_at=AT)
        store.save_measures(run_id, bridge=table())
        store.end_run(run_id, result="done", summary={}, ended_at=AT)
    return url


def asked(url, *arguments):
    done = CliRunner().invoke(tandem, ["bridge", *arguments], env={"TANDEM_DATABASE_URL": url})
    assert done.exception is None, done.output
    return done.stdout


def test_the_classes_add_up_and_every_mql_is_listed_once(measured):
    view = json.loads(asked(measured, "--json"))
    assert view["mqls"] == 8
    assert view["classes"] == {
        "linked": 2, "excluded": 1, "rejected": 1, "waiting for review": 1, "missing": 3,
    }  # fmt: skip
    assert sum(view["classes"].values()) == view["mqls"]
    assert sorted(row["record_id"] for row in view["rows"]) == [row[0] for row in sorted(ROWS)]


def test_rules_are_counted_per_class_the_commonest_first(measured):
    rules = json.loads(asked(measured, "--json"))["rules"]
    assert rules["missing"] == {"no owner": 2, "never sent": 1}
    shown = asked(measured)
    assert shown.index("2  no owner") < shown.index("1  never sent")
    assert rules["rejected"] == {"sales' answer": 1}


def test_the_lost_come_first_by_time_and_id(measured):
    rows = json.loads(asked(measured, "--json"))["rows"]
    assert [row["record_id"] for row in rows[:4]] == ["6", "8", "7", "5"]


def test_every_lost_mql_is_named_with_its_cause(measured):
    shown = asked(measured)
    assert "contact 7 since 2026-10-06: no owner" in shown
    assert "contact 8 since 2026-10-05: never sent" in shown
    assert "contact 5 since 2026-10-04: a match in the uncertain band (lead 00Q5)" in shown
    assert "contact 1 since" not in shown


def test_since_counts_from_the_start_of_the_day_in_the_agreement_s_zone(measured):
    # In New York the first of October begins at 04:00 UTC.
    view = json.loads(asked(measured, "--since", "2026-10-01", "--json"))
    assert view["mqls"] == 7
    assert view["classes"]["linked"] == 1
    assert "since 2026-10-01" in asked(measured, "--since", "2026-10-01")


def test_until_includes_its_whole_day_in_the_agreement_s_zone(measured):
    # In New York the last of September ends at 04:00 UTC.
    view = json.loads(asked(measured, "--until", "2026-09-30", "--json"))
    assert [row["record_id"] for row in view["rows"]] == ["1"]
    assert view["until"] == "2026-09-30"
    assert "until 2026-09-30" in asked(measured, "--until", "2026-09-30")


def test_neighbouring_ranges_count_every_mql_once(measured):
    ranges = (["--until", "2026-10-03"], ["--since", "2026-10-04"])
    counts = [json.loads(asked(measured, *days, "--json"))["mqls"] for days in ranges]
    assert counts == [4, 4]


def test_the_last_day_there_is_leaves_nobody_out(measured):
    assert json.loads(asked(measured, "--until", "9999-12-31", "--json"))["mqls"] == 8


def test_a_range_that_ends_before_it_begins_is_refused(measured):
    days = ["--since", "2026-10-02", "--until", "2026-10-01"]
    done = CliRunner().invoke(tandem, ["bridge", *days], env={"TANDEM_DATABASE_URL": measured})
    assert done.exception.exit_code == 3
    assert "2026-10-01 is before 2026-10-02" in str(done.exception)


def test_a_class_without_anybody_is_shown_as_none(measured):
    view = json.loads(asked(measured, "--since", "2026-10-06", "--json"))
    assert view["classes"]["linked"] == 0
    assert view["classes"]["missing"] == view["mqls"] == 1


def test_before_the_first_night_there_is_nothing_to_account_for(url):
    done = CliRunner().invoke(tandem, ["bridge"], env={"TANDEM_DATABASE_URL": url})
    assert "no night has run yet" in str(done.exception)
    assert done.exception.exit_code == 3


def test_a_summary_names_the_first_of_the_lost_and_counts_the_causes():
    lost = lost_mqls(table())
    assert lost["count"] == 3
    assert lost["causes"] == {"no owner": 2, "never sent": 1}
    assert [row["record_id"] for row in lost["first"]] == ["6", "8", "7"]
