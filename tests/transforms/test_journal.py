import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.frames import as_utc
from tests.transforms.test_statement import terms
from transforms.journal import account_name, beancount_text, journal
from transforms.ledger import with_accounts

TERMS = {name: terms(name) for name in ("2027-Q1", "2027-Q2")}
BEAN_CHECK = Path(sys.executable).with_name("bean-check")


def ledger(*rows: tuple[str, str, str, int, str]) -> pd.DataFrame:
    """Build a ledger out of (posting period, participant, component, minor, posted at)."""
    entries = pd.DataFrame(
        [
            {
                "posting_period": into,
                "computed_for": "2027-Q1",
                "participant": who,
                "component": what,
                "reward_minor": minor,
            }
            for into, who, what, minor, _ in rows
        ]
    )
    return with_accounts(entries).assign(
        entry=range(1, len(rows) + 1),
        posted_at=as_utc([row[-1] for row in rows]),
        agreement_version='our "own" v1',
        run_id="run-1",
        entry_hash="ab12",
    )


LEDGER = ledger(
    ("2027-Q1", "sales", "pool", 7_501, "2027-02-03T12:00Z"),
    ("2027-Q1", "sales", "pool_held", 2_500, "2027-04-09T12:00Z"),
    ("2027-Q2", "sales", "paid", 7_501, "2027-04-12T12:00Z"),
    ("2027-Q2", "house", "pool", -3, "2027-04-12T12:00Z"),
)


def test_an_entry_is_dated_inside_the_period_it_was_posted_into():
    assert journal(LEDGER, TERMS, "2027-Q2")["on"].tolist() == [
        "2027-02-03",
        "2027-03-28",
        "2027-04-12",
        "2027-04-12",
    ]


def test_a_journal_ends_with_its_period():
    assert journal(LEDGER, TERMS, "2027-Q1")["reward_minor"].tolist() == [7_501, 2_500]


def test_amounts_of_a_journal_are_never_negative_since_the_accounts_swap():
    last = journal(LEDGER, TERMS, "2027-Q2").iloc[-1]
    assert (last["debit"], last["credit"], last["amount_minor"]) == ("house", "expense:pool", 3)


def bean_check(text: str, folder: Path) -> subprocess.CompletedProcess:
    file = folder / "journal.beancount"
    file.write_text(text, encoding="utf-8")
    return subprocess.run([BEAN_CHECK, file], capture_output=True, text=True, timeout=60)


needs_beancount = pytest.mark.skipif(not BEAN_CHECK.exists(), reason="beancount is not installed")


@needs_beancount
def test_bean_check_accepts_the_text_and_its_balances(tmp_path):
    text = beancount_text(journal(LEDGER, TERMS, "2027-Q2"), TERMS, "2027-Q2")
    checked = bean_check(text, tmp_path)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@needs_beancount
def test_bean_check_refuses_a_text_with_a_changed_amount(tmp_path):
    text = beancount_text(journal(LEDGER, TERMS, "2027-Q2"), TERMS, "2027-Q2")
    assert bean_check(text.replace("75.01 USD", "75.02 USD", 2), tmp_path).returncode != 0


def test_the_balances_at_a_periods_end_are_asserted_on_the_day_after():
    lines = beancount_text(journal(LEDGER, TERMS, "2027-Q2"), TERMS, "2027-Q2").splitlines()
    found = [line for line in lines if " balance Liabilities:Payable:Sales" in line]
    assert found == [
        "2027-03-29 balance Liabilities:Payable:Sales  -75.01 ~ 0 USD",
        "2027-06-29 balance Liabilities:Payable:Sales  0.00 ~ 0 USD",
    ]


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=5, unique=True))
def test_two_participants_never_share_an_account(names):
    assert len({account_name(f"payable:{name}") for name in names}) == len(names)
