import json
from datetime import timedelta
from pathlib import Path

import pytest

from agreement.errors import AgreementError
from agreement.policy import DEFAULT_PATH, json_schema, load_agreement


@pytest.fixture
def spoil(tmp_path: Path):
    """Write the default agreement with some text replaced; give its path."""

    def write(*replacements: tuple[str, str]) -> Path:
        text = DEFAULT_PATH.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "agreement.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_pause_needs_a_status_of_its_own(spoil):
    path = spoil(("status: Waiting for Buyer", "status: Unqualified"))
    with pytest.raises(AgreementError, match="a pause needs a status of its own"):
        load_agreement(path)


def test_a_cool_off_may_last_for_ever(spoil):
    assert load_agreement().handoff.cool_off[-1].wait is None
    with pytest.raises(AgreementError, match=r"cool_off.*whole number and a unit"):
        load_agreement(spoil(("wait: null", "wait: never")))


def test_the_default_agreement_is_valid_and_reads_durations():
    agreement = load_agreement()
    assert agreement.name == "default v1"
    assert [tier.limit for tier in agreement.handoff.tiers] == [
        timedelta(minutes=60),
        timedelta(hours=24),
    ]


def test_the_published_schema_is_up_to_date():
    published = json.loads(DEFAULT_PATH.with_name("schema.json").read_text(encoding="utf-8"))
    assert published == json_schema(), "run `tandem agreement --schema > agreement/schema.json`"


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        (
            "zone: America/New_York",
            "zone: Mars",
            "zone: Mars",
            "calendar.zone: zone 'Mars' is not an IANA name",
        ),
        (
            'monday: ["08:00-18:00"]',
            'monday: ["18:00-08:00"]',
            "monday:",
            "working hours are written as",
        ),
        ("    tuesday:", "    dienstag:", "week:", "'dienstag' is no weekday"),
        ("country: US", "country: XX", "country: XX", "this country is not known"),
        ("limit: 60m", "limit: 60", "name: hot", "a duration is a whole number and a unit"),
        ("reject: [Unqualified]", "reject: [Qualified]", "handoff:", "is in accept and in reject"),
        ("joint: lower", "joint: upper", "joint: upper", "'lower' or 'product'"),
        ("gate:", "gates:", "gates:", "rewards.gates: this key is not known"),
        ("version: 1", "version: 0", "version: 0", "greater than or equal to 1"),
        ("forms: [demo, pricing, contact], ", "", "name: hot", "list words of the forms' names"),
        ("shared: linear", "shared: zigzag", "shared: zigzag", "attribution.shared"),
    ],
)
def test_a_fault_is_named_with_its_line_and_what_would_be_right(spoil, old, new, at, says):
    path = spoil((old, new))
    line = next(
        number
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if at in text
    )
    with pytest.raises(AgreementError) as caught:
        load_agreement(path)
    lines = [text for text in str(caught.value).splitlines() if says in text]
    assert lines, str(caught.value)
    assert lines[0].startswith(f"{path}:{line}: ")


def test_every_fault_gets_a_message_of_its_own(spoil):
    path = spoil(("zone: America/New_York", "zone: Mars"), ("joint: lower", "joint: upper"))
    with pytest.raises(AgreementError) as caught:
        load_agreement(path)
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_block_is_named(spoil):
    path = spoil(("targets:", "goals:"))
    with pytest.raises(AgreementError, match="targets: this key is missing"):
        load_agreement(path)


def test_broken_yaml_is_one_line_with_its_place(spoil):
    path = spoil(("parties:", "parties: ["))
    with pytest.raises(AgreementError, match=r"agreement\.yaml:\d+: not valid YAML"):
        load_agreement(path)


def test_a_file_that_is_not_there_says_what_to_set(tmp_path):
    with pytest.raises(AgreementError, match="Set TANDEM_AGREEMENT"):
        load_agreement(tmp_path / "nowhere.yaml")


def test_holidays_hold_the_country_and_the_extra_days(spoil):
    path = spoil(("extra: []", "extra: [2026-12-24]"))
    days = [
        day.isoformat() for day in load_agreement(path).calendar.holidays.expand(range(2026, 2027))
    ]
    assert "2026-11-26" in days
    assert "2026-12-24" in days
