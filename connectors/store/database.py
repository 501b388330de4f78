"""Open the database: SQLite in WAL mode or PostgreSQL, brought to the newest schema."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from agreement.errors import BadInput
from connectors.store.tables import SCHEMA

MIGRATIONS = Path(__file__).with_name("migrations")

# How long a writer waits for another; none of ours is open while a vendor is read.
_BUSY_SECONDS = 60

# Any number does, as long as nobody else in the database uses it.
_MIGRATION_LOCK = 0x7A4D_3E11


def open_database(url: str) -> Engine:
    """Open a database and bring it to the newest schema; safe when two processes do so at once.

    Raises:
        BadInput: the URL names no database that can be opened, or one of a newer Tandem.
    """
    engine = _engine(checked_url(url))
    try:
        if _schema_of(engine) != SCHEMA:
            _migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        raise BadInput(
            f"TANDEM_DATABASE_URL: the {engine.dialect.name} database cannot be opened "
            f"({type(error.orig).__name__}). Check that it exists, runs and lets this user in"
        ) from None
    except BadInput:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Read one consistent state."""
    with engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Write in one transaction: everything on leaving, nothing when an error leaves it."""
    with engine.connect().execution_options(is_writing=True) as connection, connection.begin():
        yield connection


def checked_url(url: str) -> URL:
    """Read a database URL.

    Raises:
        BadInput: it names neither a SQLite file nor a PostgreSQL database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadInput(
            "TANDEM_DATABASE_URL is no database URL; write sqlite:///FILE or "
            "postgresql+psycopg://USER@HOST/DATABASE"
        ) from None
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise BadInput(
            f"TANDEM_DATABASE_URL: {parsed.drivername} is not supported; use sqlite or postgresql"
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise BadInput(
            "TANDEM_DATABASE_URL names a database in memory, which would forget what was sent; "
            "write sqlite:///FILE"
        )
    return parsed


def _engine(url: URL) -> Engine:
    try:
        return _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise BadInput(
            f"TANDEM_DATABASE_URL needs a driver that is not installed ({error}). "
            "Install tandem[postgres], and write postgresql+psycopg://"
        ) from None


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.commit()

    return engine


def _sqlite(url: URL) -> Engine:
    _make_private(Path(str(url.database)))
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver would begin transactions too late: `begin` below does it instead.
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that turns writer half-way fails at once when somebody wrote in between.
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _make_private(file: Path) -> None:
    """Create the file readable by its owner only: it holds people's data."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:
        return  # it is there, or SQLite says better why it cannot be


def _schema_of(engine: Engine) -> str | None:
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def _migrate(engine: Engine) -> None:
    """Run the missing migrations in one transaction; a second process waits, then has none left."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise BadInput(
                "TANDEM_DATABASE_URL: a newer Tandem made this database. Update this one"
            ) from None
