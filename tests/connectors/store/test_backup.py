"""Backup, destroy, restore: the database comes back as it was, on SQLite and PostgreSQL."""

import os
import stat
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from agreement.errors import BadInput
from connectors.store import Store
from connectors.store.backup import backup, restore
from tests.databases import empty_database

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def two_databases(request, tmp_path):
    """Give the URLs of two databases that are empty or not there yet."""
    if request.param == "sqlite":
        yield tuple(f"sqlite:///{tmp_path}/{name}/tandem.db" for name in ("old", "new"))
        return
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL is not set: no PostgreSQL server to test on")
    with ExitStack() as stack:
        yield tuple(stack.enter_context(empty_database(server)) for _ in range(2))


def fill(url: str) -> str:
    if url.startswith("sqlite"):
        Path(make_url(url).database).parent.mkdir(exist_ok=True)
    with closing(Store.open(url)) as store:
        run_id = store.start_run(as_of=NOON, agreement_version="v1", started_at=NOON)
        store.end_run(run_id, result="done", summary={"mode": "apply"}, ended_at=NOON)
    return run_id


def test_a_restored_database_knows_what_the_old_one_knew(two_databases, tmp_path):
    old, new = two_databases
    run_id = fill(old)
    file = tmp_path / "kept" / "tandem.backup"
    assert backup(old, file) == file.stat().st_size > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    restore(new, file)
    with closing(Store.open(new)) as store:
        assert store.find_run(run_id).ended_at == NOON
        assert store.last_applied_as_of() == NOON
    assert fill(new) != run_id


def test_nothing_that_is_there_is_overwritten(two_databases, tmp_path):
    old, new = two_databases
    fill(old)
    file = tmp_path / "tandem.backup"
    backup(old, file)
    with pytest.raises(BadInput, match="is there already"):
        backup(old, file)
    fill(new)
    with pytest.raises(BadInput, match=r"there already|empty one"):
        restore(new, file)


def test_a_file_that_is_no_backup_leaves_nothing_behind(two_databases, tmp_path):
    old, new = two_databases
    fill(old)
    file = tmp_path / "tandem.backup"
    file.write_text("no backup at all, but a letter " * 50, encoding="utf-8")
    with pytest.raises(BadInput, match=r"no readable SQLite|pg_restore failed"):
        restore(new, file)
    file.unlink()
    backup(old, file)
    restore(new, file)


def test_what_is_not_there_cannot_be_backed_up(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        backup(f"sqlite:///{tmp_path}/none.db", tmp_path / "tandem.backup")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(BadInput, match="there is no backup"):
        restore(f"sqlite:///{tmp_path}/none.db", tmp_path / "tandem.backup")
