"""Periods, acts and credit changes: append-only in the database, and nothing posts into a close."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from agreement.frames import Postings, RewardCredits, empty
from connectors.store import Found, Store
from tests.builders import build

NOON = datetime(2027, 4, 1, 12, tzinfo=UTC)
FOUND = Found("2027-Q1", "run-1", NOON, {"rate": "0.02"}, [{"record_id": "006A"}])


def posting(period: str, minor: int, computed_for: str | None = None) -> pd.DataFrame:
    return build(
        Postings,
        [
            {
                "posting_period": period,
                "computed_for": computed_for or period,
                "participant": "sales",
                "component": "pool",
                "reward_minor": minor,
                "debit": "expense:pool",
                "credit": "payable:sales",
            }
        ],
    )


def credit(period: str, minor: int, deal: str = "A") -> pd.DataFrame:
    return build(
        RewardCredits,
        [
            {
                "computed_for": period,
                "deal_id": deal,
                "team": "sales",
                "credit_minor": minor,
                "record_id": f"006{deal}",
                "closed_on": "2027-02-01",
                "currency": "USD",
                "amount_minor": minor,
                "company_minor": minor,
            }
        ],
    )


def post(store: Store, period: str, minor: int, **more) -> int:
    return store.post("run-1", posting(period, minor), agreement_version="v1", at=NOON, **more)


def close(store: Store) -> str:
    post(store, "2027-Q1", 20, credit=(credit("2027-Q1", 1_000), {"2027-Q1": "2027-Q1"}))
    digest = store.period_hash(FOUND)
    store.note_act(
        "2027-Q1",
        "closed",
        person="ann",
        is_verified=True,
        content_hash=digest,
        at=NOON,
        closing=FOUND,
    )
    return digest


def test_changes_of_credit_add_up_and_come_back_in_order(store):
    where = {"2027-Q1": "2027-Q2"}
    post(store, "2027-Q2", 1, credit=(credit("2027-Q1", 1_000), where))
    post(store, "2027-Q2", 1, credit=(credit("2027-Q1", -400), where))
    standing = store.reward_credits().to_dict("records")
    assert [(row["deal_id"], row["credit_minor"]) for row in standing] == [("A", 600)]
    changes = store.reward_credit_changes()
    assert changes["credit_minor"].tolist() == [1_000, -400]
    assert changes["posting_period"].tolist() == ["2027-Q2", "2027-Q2"]


def test_credit_that_was_taken_back_stands_no_more(store):
    where = {"2027-Q1": "2027-Q1"}
    for minor in (1_000, -1_000):
        post(store, "2027-Q1", minor, credit=(credit("2027-Q1", minor), where))
    assert store.reward_credits().empty
    assert str(store.reward_credits()["credit_minor"].dtype) == "int64"


def test_a_newer_night_replaces_what_an_older_one_found(store):
    later = Found("2027-Q1", "run-2", NOON, {"rate": "0.03"}, [])
    for found in (FOUND, later):
        store.post("run-1", empty(Postings), agreement_version="v1", at=NOON, found=[found])
    assert store.found_periods() == {"2027-Q1": later}


def test_the_database_refuses_a_posting_into_a_closed_period(store):
    close(store)
    with pytest.raises(DBAPIError, match="period is closed"):
        post(store, "2027-Q1", 5)
    assert post(store, "2027-Q2", 5) == 1


def test_a_refused_posting_leaves_nothing_behind(store):
    close(store)
    with pytest.raises(DBAPIError):
        post(store, "2027-Q1", 5, credit=(credit("2027-Q1", 5, "B"), {"2027-Q1": "2027-Q1"}))
    assert store.reward_credit_changes()["deal_id"].tolist() == ["A"]


def test_a_closed_period_keeps_its_terms_and_where_the_ledger_stood(store):
    digest = close(store)
    post(store, "2027-Q2", 5)
    closed = store.closed_periods()["2027-Q1"]
    assert (closed.terms, closed.evidence) == (FOUND.terms, FOUND.evidence)
    assert store.period_hash(closed) == closed.content_hash == digest
    assert closed.entry_count == 1
    assert store.ledger_head_at(1) == closed.ledger_head != store.ledger_head()


@pytest.mark.parametrize("table", ["reward_credit", "period", "approval"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_refuses_to_change_a_row(store, database_url, table, change):
    close(store)
    column = {"reward_credit": "line", "period": "period", "approval": "number"}[table]
    refuse(database_url, change.format(table, column, column))


@pytest.mark.parametrize("table", ["reward_credit", "period", "approval"])
def test_the_database_refuses_to_empty_or_replace_rows(store, database_url, table):
    close(store)
    if database_url.startswith("sqlite"):
        refuse(database_url, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")  # noqa: S608
    else:
        refuse(database_url, f"TRUNCATE {table}")


def refuse(database_url: str, change: str) -> None:
    engine = create_engine(database_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()


def test_acts_are_chained_and_a_tampered_one_is_found(store, database_url):
    for act in ("proposed", "approved"):
        store.note_act("2027-Q1", act, person="ann", is_verified=True, content_hash="x", at=NOON)
    assert store.first_broken_act() is None
    engine = create_engine(database_url)
    off = (
        "DROP TRIGGER approval_no_update"
        if database_url.startswith("sqlite")
        else "ALTER TABLE approval DISABLE TRIGGER ALL"
    )
    with engine.begin() as connection:
        connection.execute(text(off))
        connection.execute(text("UPDATE approval SET person = 'bob' WHERE number = 2"))
    engine.dispose()
    assert store.first_broken_act() == 2


def test_an_act_that_is_no_step_is_refused(store):
    with pytest.raises(DBAPIError):
        store.note_act(
            "2027-Q1", "opened", person="ann", is_verified=True, content_hash="x", at=NOON
        )
