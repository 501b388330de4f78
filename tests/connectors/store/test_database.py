"""Opening: made, migrated, private, and refused with a clear line."""

import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from agreement.errors import BadInput
from connectors.store import Store
from connectors.store.database import MIGRATIONS
from connectors.store.tables import SCHEMA, metadata

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def config(connection=None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def test_migrations_make_exactly_the_declared_tables(store, database_url):
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_schema_that_the_code_expects_is_the_newest_migration():
    assert ScriptDirectory.from_config(config()).get_current_head() == SCHEMA


def test_migrations_go_back_to_nothing_and_forward_again(store, database_url):
    engine = create_engine(database_url)
    with engine.begin() as connection:
        command.downgrade(config(connection), "base")
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()
    reopened = Store.open(database_url)
    assert reopened.last_runs() == []
    reopened.close()


OPEN = """
import sys
from connectors.store import Store
sys.stdin.readline()
store = Store.open(sys.argv[1])
print(len(store.last_runs()))
"""


def test_two_processes_may_open_a_new_database_at_once(database_url):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, database_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in started]
    assert answers == [("0\n", "")] * 3


def test_a_database_of_a_newer_tandem_is_refused(store, database_url):
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(BadInput, match="newer Tandem"):
        Store.open(database_url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "no database URL"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://user@host/db", "not supported"),
        ("sqlite:////no/such/folder/tandem.db", "cannot be opened"),
        ("postgresql://user:hidden@127.0.0.1:1/db", "cannot be opened"),
        ("postgresql+nosuchdriver://user@127.0.0.1/db", "driver that is not installed"),
    ],
)
def test_a_url_that_cannot_work_is_one_clear_line_without_a_password(url, message):
    with pytest.raises(BadInput, match=message) as refused:
        Store.open(url)
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "notes.db").write_text("these are only notes, and quite long ones too" * 9)
    with pytest.raises(BadInput, match="cannot be opened"):
        Store.open(f"sqlite:///{tmp_path}/notes.db")


def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/tandem.db")
    assert stat.S_IMODE((tmp_path / "tandem.db").stat().st_mode) == 0o600
    store.close()


def test_reading_goes_on_while_somebody_writes(store, database_url):
    other = Store.open(database_url)

    def batches():
        assert other.watermark("hubspot", "contact") is None
        other.keep_agreement(
            version="1", digest="d", effective=NOON.date(), content={}, holidays=[]
        )
        yield from ()

    store.save_pull("r", "hubspot", "contact", batches(), until=NOON, is_full=True, seen_at=NOON)
    assert other.watermark("hubspot", "contact") == NOON
    other.close()
