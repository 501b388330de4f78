"""Look at the database without making or changing anything in it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from agreement.errors import BadInput
from connectors.store.database import checked_url
from connectors.store.tables import SCHEMA


@dataclass(frozen=True, slots=True)
class Found:
    """How a database stands; `schema` is missing when there is none in it yet.

    `is_new` is a SQLite file that the first run makes. `free_bytes` is room on its disk.
    """

    backend: str
    schema: str | None
    newest: str = SCHEMA
    is_new: bool = False
    is_wal: bool | None = None
    is_private: bool | None = None
    free_bytes: int | None = None


def look_at(url: str) -> Found:
    """Look at a database.

    Raises:
        BadInput: the URL names none, or it does not let us in.
    """
    parsed = checked_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        file = Path(str(parsed.database))
        free = _free(file)
        if not file.exists() or file.stat().st_size == 0:
            return Found(backend, None, is_new=True, free_bytes=free)
        schema, is_wal = _schema_of(f"sqlite:///file:{file}?mode=ro&uri=true")
        is_private = file.stat().st_mode & 0o077 == 0
        return Found(backend, schema, is_wal=is_wal, is_private=is_private, free_bytes=free)
    schema, _ = _schema_of(parsed.render_as_string(hide_password=False))
    return Found(backend, schema)


def _free(file: Path) -> int | None:
    folder = file.absolute().parent
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def _schema_of(url: str) -> tuple[str | None, bool | None]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            is_wal = None
            if engine.dialect.name == "sqlite":
                is_wal = connection.scalar(text("PRAGMA journal_mode")) == "wal"
            if not inspect(connection).has_table("alembic_version"):
                return None, is_wal
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found, is_wal
    except DBAPIError as error:
        raise BadInput(
            f"TANDEM_DATABASE_URL: the {engine.dialect.name} database cannot be opened "
            f"({type(error.orig).__name__}). Check that it exists, runs and lets this user in"
        ) from None
    finally:
        engine.dispose()
