"""The ledger: append-only in the database itself, chained, and added up exactly."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from agreement.frames import Postings, as_text, empty
from connectors.store import Store

NOON = datetime(2027, 4, 1, 12, tzinfo=UTC)
KEYS = ["computed_for", "participant", "component"]


def postings(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    """Build postings out of (computed for, participant, component, minor units)."""
    if not rows:
        return empty(Postings)
    columns = list(zip(*rows, strict=True))
    texts = {name: as_text(list(column)) for name, column in zip(KEYS, columns, strict=False)}
    period = as_text(["2027-Q2"] * len(rows))
    return Postings.validate(
        pd.DataFrame(
            {
                "posting_period": period,
                **texts,
                "reward_minor": list(columns[3]),
                "debit": "expense:" + texts["component"],
                "credit": "payable:" + texts["participant"],
            }
        )
    )


def post(store: Store, *rows: tuple[str, str, str, int], run_id="run-1") -> int:
    return store.post(run_id, postings(*rows), agreement_version="v1", at=NOON)


def test_postings_come_back_in_their_order_and_add_up(store):
    assert post(store, ("2027-Q1", "sales", "pool", 700), ("2027-Q1", "house", "pool", 5)) == 2
    assert post(store, ("2027-Q1", "sales", "pool", -30), run_id="run-2") == 1
    assert store.postings()["reward_minor"].tolist() == [700, 5, -30]
    assert store.posted().to_dict("list") == {
        "computed_for": ["2027-Q1", "2027-Q1"],
        "participant": ["house", "sales"],
        "component": ["pool", "pool"],
        "reward_minor": [5, 670],
    }


def test_an_empty_ledger_is_an_empty_table_that_adds_up(store):
    assert post(store) == 0
    assert store.posted().columns.tolist() == [*KEYS, "reward_minor"]
    assert str(store.posted()["reward_minor"].dtype) == "int64"
    assert store.postings().empty
    assert store.first_broken_posting() is None


def test_the_chain_is_whole_over_several_runs_and_each_moves_its_head(store):
    heads = [store.ledger_head()]
    for number in range(3):
        post(store, ("2027-Q1", "sales", "pool", number + 1), run_id=f"run-{number}")
        heads.append(store.ledger_head())
    assert len(set(heads)) == 4
    assert store.first_broken_posting() is None


CHANGES = [
    "UPDATE posting SET reward_minor = 1",
    "UPDATE posting SET run_id = run_id WHERE entry = 2",
    "DELETE FROM posting",
    "DELETE FROM posting WHERE entry = 1",
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_refuses_to_change_a_posting(store, database_url, change):
    post(store, ("2027-Q1", "sales", "pool", 7), ("2027-Q1", "house", "pool", 5))
    refuse(database_url, change)
    assert store.postings()["reward_minor"].tolist() == [7, 5]


def test_the_database_refuses_to_empty_or_replace_postings(store, database_url):
    post(store, ("2027-Q1", "sales", "pool", 7))
    if database_url.startswith("sqlite"):
        refuse(database_url, "INSERT OR REPLACE INTO posting SELECT * FROM posting")
    else:
        refuse(database_url, "TRUNCATE posting")
    assert store.postings()["reward_minor"].tolist() == [7]


def refuse(database_url: str, change: str) -> None:
    engine = create_engine(database_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()


def tamper(database_url: str, *changes: str) -> None:
    """Change postings as somebody could who may drop the triggers."""
    engine = create_engine(database_url)
    if database_url.startswith("sqlite"):
        off = [f"DROP TRIGGER posting_no_{what}" for what in ("update", "delete", "replace")]
    else:
        off = ["ALTER TABLE posting DISABLE TRIGGER ALL"]
    with engine.begin() as connection:
        for change in (*off, *changes):
            connection.execute(text(change))
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE posting SET reward_minor = 8 WHERE entry = 2", 2),
        ("UPDATE posting SET participant = 'kim' WHERE entry = 1", 1),
        ("UPDATE posting SET agreement_version = 'v2' WHERE entry = 3", 3),
        ("UPDATE posting SET entry_hash = 'x' WHERE entry = 3", 3),
        ("DELETE FROM posting WHERE entry = 1", 2),
        ("DELETE FROM posting WHERE entry = 2", 3),
    ],
)
def test_a_tampered_posting_is_found(store, database_url, change, broken):
    post(store, *(("2027-Q1", "sales", "pool", minor) for minor in (7, 5, 3)))
    tamper(database_url, change)
    assert store.first_broken_posting() == broken


rows = st.tuples(
    st.sampled_from(["2027-Q1", "2027-Q2"]),
    st.sampled_from(["sales", "marketing", "house"]),
    st.sampled_from(["pool", "spiff"]),
    st.integers(-(10**15), 10**15),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.lists(rows, max_size=6))
def test_sums_are_exact_and_the_chain_holds_whatever_is_posted(store, added):
    before = store.posted().set_index(KEYS)["reward_minor"].to_dict()
    post(store, *added)
    for *key, minor in added:
        before[tuple(key)] = before.get(tuple(key), 0) + minor
    assert store.posted().set_index(KEYS)["reward_minor"].to_dict() == before
    assert store.first_broken_posting() is None
