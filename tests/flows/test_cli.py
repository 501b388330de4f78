import json

import pytest

from agreement.policy import DEFAULT_PATH


def one_line(done) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith("tandem: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@pytest.fixture
def broken_agreement(tmp_path):
    path = tmp_path / "broken.yaml"
    text = DEFAULT_PATH.read_text(encoding="utf-8").replace("zone: America/New_York", "zone: Mars")
    path.write_text(text, encoding="utf-8")
    return path


def test_a_wrong_hubspot_token_is_one_line_and_exit_code_5(company):
    done = company.sync(HUBSPOT_ACCESS_TOKEN="wrong-secret-token")
    assert done.returncode == 5
    assert "HUBSPOT_ACCESS_TOKEN" in one_line(done)
    assert "wrong-secret-token" not in done.stderr + done.stdout


def test_a_wrong_salesforce_secret_is_one_line_and_exit_code_5(company):
    done = company.sync(SALESFORCE_CLIENT_SECRET="wrong-secret")
    assert done.returncode == 5
    assert "SALESFORCE_CLIENT_SECRET" in one_line(done)
    assert "wrong-secret" not in done.stderr + done.stdout


@pytest.mark.parametrize("setting", ["HUBSPOT_BASE_URL", "SALESFORCE_LOGIN_URL"])
def test_an_unreachable_host_is_one_line_and_exit_code_6(company, setting):
    done = company.sync(**{setting: "http://127.0.0.1:9"})
    assert done.returncode == 6
    assert "unavailable" in one_line(done)


@pytest.mark.parametrize("setting", ["HUBSPOT_BASE_URL", "SALESFORCE_LOGIN_URL"])
def test_plain_http_to_another_machine_is_refused_with_exit_code_3(company, setting):
    done = company.sync(**{setting: "http://crm.example.com"})
    assert done.returncode == 3
    assert setting in one_line(done)


def test_a_broken_agreement_is_a_line_per_fault_and_exit_code_3(company, broken_agreement):
    done = company.sync(TANDEM_AGREEMENT=str(broken_agreement))
    assert done.returncode == 3
    assert "calendar.zone" in one_line(done)
    assert not company.hubspot.log, "a fault in the agreement costs no call"


def test_an_unknown_command_suggests_the_nearest_and_exits_with_2(company):
    done = company.tandem("snyc")
    assert done.returncode == 2
    assert "sync" in one_line(done)


def test_a_missing_token_says_what_to_set(company):
    done = company.sync(HUBSPOT_ACCESS_TOKEN="")
    assert done.returncode == 3
    assert "HUBSPOT_ACCESS_TOKEN is not set" in one_line(done)


def test_a_dry_run_writes_nothing_and_shows_what_it_would(company):
    before = company.our_values()
    done = company.sync("--dry-run")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["planned"]["hubspot"]["contact"] > 0
    assert summary["written"] == {}
    assert company.our_values() == before


def test_a_night_prints_one_json_object_and_the_next_writes_nothing(company):
    first = company.sync()
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert summary["booked_minor"] == summary["credited_minor"]
    again = company.sync()
    assert json.loads(again.stdout)["written"] == {"hubspot": {}, "salesforce": {}}


def test_no_token_email_or_name_is_printed(company):
    done = company.tandem("-v", "sync", "--as-of", company.as_of)
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr
    assert "standin-token" not in printed
    assert "standin-secret" not in printed
    people = company.hubspot.records("contacts").values()
    emails = {row["email"] for row in people if row.get("email")}
    assert emails
    assert not [email for email in emails if email in printed]


def test_a_night_earlier_than_the_last_applied_one_is_refused_and_can_be_looked_at(company):
    assert company.sync().returncode == 0
    before = company.our_values()
    earlier = ("sync", "--json", "--as-of", "2026-03-01T12:00:00Z")
    done = company.tandem(*earlier)
    assert done.returncode == 3
    assert "before the last applied night" in one_line(done)
    assert company.tandem(*earlier, "--dry-run").returncode == 0
    assert company.our_values() == before
