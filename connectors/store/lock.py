"""One run at a time: a lock that its holder's death frees at once, on both databases."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from agreement.errors import Busy

# Advisory locks are per database; the schema tells apart two Tandems that share one.
_TAKE = text("SELECT pg_try_advisory_lock(hashtext('tandem'), hashtext(current_schema()))")

Check = Callable[[], None]


@contextmanager
def hold_lock(engine: Engine, holder: Callable[[], str]) -> Iterator[Check]:
    """Hold the lock while the block runs; gives a function that raises once the lock is lost.

    Args:
        engine: the database that the lock guards.
        holder: names the run that holds it, for the message of the one that comes second.

    Raises:
        Busy: another process (or another run in this one) holds it; nobody waits.
    """
    hold = _hold_sqlite if engine.dialect.name == "sqlite" else _hold_postgresql
    with hold(engine, holder) as check:
        yield check


def _busy(holder: Callable[[], str]) -> Busy:
    return Busy(f"{holder()} holds the lock of this database. Start again when it has ended")


@contextmanager
def _hold_sqlite(engine: Engine, holder: Callable[[], str]) -> Iterator[Check]:
    """Lock a second, empty database beside the first: its lock is the operating system's.

    The database itself cannot be locked that way, since the run has to write and others to read.
    """
    file = Path(f"{engine.url.database}.lock").absolute()
    connection = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise _busy(holder) from None
        yield _still_held
    finally:
        connection.close()


def _still_held() -> None:
    """Say nothing: only the process's end frees a lock of the operating system."""


@contextmanager
def _hold_postgresql(engine: Engine, holder: Callable[[], str]) -> Iterator[Check]:
    """Take an advisory lock on a connection of its own, which nothing else uses or recycles."""
    alone = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with alone.connect() as connection:
        if not connection.scalar(_TAKE):
            raise _busy(holder)

        def check() -> None:
            try:
                connection.execute(text("SELECT 1"))
            except DBAPIError:
                raise Busy(
                    "the connection that held the lock of this database was cut, so another run "
                    "may have started. Nothing more was sent; start again"
                ) from None

        yield check
