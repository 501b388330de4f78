"""PostgreSQL carries the night, the watch and the ledger, and comes back from a backup."""

import json
import os

import pytest
from sqlalchemy import create_engine
from sqlalchemy import text as sql
from sqlalchemy.engine import make_url

from agreement.policy import DEFAULT_PATH
from tests.databases import empty_database

pytestmark = pytest.mark.slow

NOTHING = {"hubspot": {}, "salesforce": {}}


@pytest.fixture
def databases():
    """Give the URLs of two empty databases on the server that TEST_DATABASE_URL names."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL is not set: no PostgreSQL server to test on")
    with empty_database(server) as first, empty_database(server) as second:
        yield first, second


def drop(url: str) -> None:
    engine = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sql(f"DROP DATABASE {make_url(url).database} WITH (FORCE)"))
    engine.dispose()


def within_reach(folder) -> str:
    """Write an agreement whose targets are low enough to open the gate: then there is a ledger."""
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    text = text.replace('marketing: "700000"', 'marketing: "1000"')
    file = folder / "agreement.yaml"
    file.write_text(text.replace('sales: "1000000"', 'sales: "30000"'), encoding="utf-8")
    return str(file)


def test_a_night_a_watch_and_the_ledger_survive_the_loss_of_the_database(company, databases):
    first, second = databases

    agreement = within_reach(company.folder)

    def tandem(*arguments: str, at: str) -> dict:
        done = company.tandem(*arguments, TANDEM_DATABASE_URL=at, TANDEM_AGREEMENT=agreement)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    night = tandem("sync", "--json", "--as-of", company.as_of, at=first)
    assert night["written"] != NOTHING
    assert tandem("watch", "--json", "--as-of", company.as_of, at=first)["open_clocks"]
    ledger = tandem("rewards", "verify", "--json", at=first)
    assert ledger["entries"]
    assert ledger["is_whole"]

    file = company.folder / "kept.backup"
    tandem("backup", str(file), "--json", at=first)
    written = company.our_values()
    drop(first)
    tandem("restore", str(file), "--json", at=second)

    assert tandem("rewards", "verify", "--json", at=second) == ledger
    again = tandem("sync", "--json", "--as-of", company.as_of, at=second)
    assert again["written"] == NOTHING
    assert company.our_values() == written
