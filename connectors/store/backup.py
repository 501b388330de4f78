"""Back up the database into one file, and restore it into an empty one."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import URL

from agreement.errors import BadInput
from connectors.store.database import checked_url, open_database, reading

_DUMP = ("pg_dump", "--format=custom", "--no-owner", "--no-privileges")
_RESTORE = ("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner")


def backup(url: str, file: Path) -> int:
    """Write the database as it stands at one moment into a new file; give its size in bytes.

    Runs may go on meanwhile. The file is readable by its owner only: it holds people's data.

    Raises:
        BadInput: the file is there already, the database is not, or a tool is missing or fails.
    """
    parsed = checked_url(url)
    if file.exists():
        raise BadInput(f"{file} is there already. Name a file that is not")
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        raise BadInput("TANDEM_DATABASE_URL names a file that does not exist. Nothing to back up")
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        if parsed.get_backend_name() == "sqlite":
            _copy_sqlite(Path(str(parsed.database)), file)
        else:
            _run([*_DUMP, f"--file={file}"], parsed)
    except BaseException:
        file.unlink()
        raise
    return file.stat().st_size


def restore(url: str, file: Path) -> None:
    """Fill an empty database from a backup, and bring it to this version's schema.

    Raises:
        BadInput: the backup cannot be read, the database is not empty, or a tool is missing or
            fails.
    """
    parsed = checked_url(url)
    if not file.is_file():
        raise BadInput(f"there is no backup {file}. Name a file that tandem backup wrote")
    if parsed.get_backend_name() == "sqlite":
        target = Path(str(parsed.database))
        if target.exists():
            raise BadInput(
                "TANDEM_DATABASE_URL names a file that is there already. Move it away, then restore"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            _copy_sqlite(file, target)
        except BaseException:
            target.unlink()
            raise
    else:
        _check_empty(url)
        _run([*_RESTORE, f"--dbname={parsed.database}", str(file)], parsed)
    open_database(url).dispose()


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy page by page, at one moment, and check the copy."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            verdict = new.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise BadInput(f"{source} is no readable SQLite database ({error})") from None
    if verdict != "ok":
        raise BadInput(f"{source} is damaged ({verdict}). Use an earlier backup")


def _check_empty(url: str) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(checked_url(url))
    try:
        with reading(engine) as connection:
            tables = inspect(connection).get_table_names()
    except DBAPIError as error:
        raise BadInput(
            f"TANDEM_DATABASE_URL: the database cannot be opened ({type(error.orig).__name__}). "
            "Create it empty, then restore"
        ) from None
    finally:
        engine.dispose()
    if tables:
        raise BadInput(
            f"TANDEM_DATABASE_URL names a database with {len(tables)} tables. Restore into an "
            "empty one, then point the setting at it"
        )


def _run(command: Sequence[str], url: URL) -> None:
    """Run one of PostgreSQL's tools; where it connects to stands in its environment only."""
    if shutil.which(command[0]) is None:
        raise BadInput(f"{command[0]} is not installed. Install PostgreSQL's client tools")
    done = subprocess.run(  # noqa: S603 - no shell, and one of two fixed programs
        command,
        env={**os.environ, **_environment(url)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise BadInput(f"{command[0]} failed: {why[0]}")


def _environment(url: URL) -> Mapping[str, str]:
    known = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
    }
    return {name: str(value) for name, value in known.items() if value}
