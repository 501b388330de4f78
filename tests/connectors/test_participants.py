import hashlib
from pathlib import Path

import pytest
from pydantic import SecretStr

from agreement.errors import AccessError, BadInput
from agreement.terms import Participants
from connectors.participants import read_approvers, read_participants


@pytest.fixture
def private(tmp_path: Path):
    """Write a file that only its owner can read; give its path."""

    def write(text: str, mode: int = 0o600, name: str = "people.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return write


PEOPLE = """
teams:
  sales: {p-1: "0.6", p-2: "0.4"}
caps: {p-1: "20000"}
spiffs:
  - {period: 2027-Q1, participant: p-2, amount: "500"}
"""


def test_members_caps_and_spiffs_are_read(private):
    found = read_participants(private(PEOPLE))
    assert {str(who): str(weight) for who, weight in found.teams["sales"].items()} == {
        "p-1": "0.6",
        "p-2": "0.4",
    }
    assert found.spiffs[0].participant == "p-2"


def test_without_a_file_both_teams_take_part_themselves():
    assert read_participants(None) == Participants()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("teams: {sales: {p-1: '0'}}", "the weights of sales add up to nothing"),
        ("teams: {sales: {house: '1'}}", "a member of sales is called 'house'"),
        ("teams: {finance: {p-1: '1'}}", "teams.finance"),
        ("teams: {sales: {p-1: '-1'}}", "teams.sales"),
        ("salaries: {}", "salaries"),
        ("spiffs: [{period: Q1, participant: p-1, amount: '5'}]", "spiffs.0"),
        ("- p-1", "has to be a mapping"),
        ("teams: {sales: [", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_one_line_that_says_what_is_wrong(private, text, says):
    with pytest.raises(BadInput, match=says) as caught:
        read_participants(private(text))
    assert "\n" not in str(caught.value)


def test_a_file_that_others_may_read_is_refused(private):
    with pytest.raises(BadInput, match="chmod 600"):
        read_participants(private(PEOPLE, mode=0o640))


def test_a_file_inside_a_repository_is_refused(private, tmp_path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(BadInput, match="lies in a repository"):
        read_participants(private(PEOPLE))


def test_a_missing_file_is_named_by_its_setting_not_by_its_path(tmp_path):
    with pytest.raises(BadInput, match="TANDEM_PARTICIPANTS cannot be read") as caught:
        read_participants(tmp_path / "secret-salaries.yaml")
    assert "salaries" not in str(caught.value)


HASHED = "sha256:" + hashlib.sha256(b"open sesame").hexdigest()


@pytest.mark.parametrize("given", ["ann=one,bob=two", None])
def test_approvers_are_read_from_the_setting_or_from_a_file(private, given):
    path = private("ann: one\nbob: two\n", name="approvers.yaml")
    approvers = read_approvers(SecretStr(given or str(path)))
    approvers.verify("ann", SecretStr("one"))
    approvers.verify("bob", SecretStr("two"))


def test_a_secret_can_be_kept_as_its_hash(private):
    path = private(f"ann: '{HASHED}'\nbob: two\n")
    approvers = read_approvers(SecretStr(str(path)))
    approvers.verify("ann", SecretStr("open sesame"))
    with pytest.raises(AccessError):
        approvers.verify("ann", SecretStr(HASHED))


@pytest.mark.parametrize(
    ("name", "secret"), [("ann", "two"), ("ann", ""), ("eve", "one"), ("", ""), ("Ann", "one")]
)
def test_nobody_is_taken_for_somebody_else_and_no_secret_is_said(name, secret):
    approvers = read_approvers(SecretStr("ann=one,bob=two"))
    with pytest.raises(AccessError) as caught:
        approvers.verify(name, SecretStr(secret))
    assert "one" not in str(caught.value).replace("someone", "")


@pytest.mark.parametrize("given", ["ann=one", "ann=one,bob=", "ann=one,bob=one"])
def test_two_people_with_secrets_of_their_own_have_to_be_listed(given):
    with pytest.raises(BadInput, match="at least two people"):
        read_approvers(SecretStr(given))


def test_without_approvers_nobody_can_act():
    with pytest.raises(BadInput, match="TANDEM_APPROVERS is not set"):
        read_approvers(None)
