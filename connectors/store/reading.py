"""How far each object is read: lists that were read again and when, pulls that were stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from connectors.store.rows import upsert
from connectors.store.tables import pull_progress, reread


@dataclass(frozen=True, slots=True)
class Pulled:
    """One pull of one vendor object: by which run, up to when, of everything or of changes."""

    run_id: str
    system: str
    kind: str
    until: datetime
    is_full: bool
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Reread:
    """When a list was last read; `value` is the count it gave, if it is about one."""

    at: datetime
    value: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A pull that was stopped half-way: its window, the fields asked for, where to go on."""

    since: datetime | None
    until: datetime
    fields: frozenset[str]
    resume: str
    first_pull_id: int


def read_reread(connection: Connection, system: str, kind: str, what: str) -> Reread | None:
    """Give when a list was last read; None when it never was."""
    found = connection.execute(
        select(reread.c.at, reread.c.value).where(
            reread.c.system == system, reread.c.kind == kind, reread.c.what == what
        )
    ).first()
    return Reread(found.at, found.value) if found else None


def mark_reread(
    connection: Connection,
    system: str,
    kind: str,
    what: str,
    at: datetime,
    value: int | None = None,
) -> None:
    """Note that a list was read, up to which moment."""
    statement = upsert(connection, reread).values(
        system=system, kind=kind, what=what, at=at, value=value
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(reread.primary_key), set_={"at": at, "value": value}
        )
    )


def read_progress(connection: Connection, system: str, kind: str) -> Progress | None:
    """Give the pull of an object that was stopped half-way; None when none was."""
    kept = pull_progress.c
    found = connection.execute(
        select(kept.since, kept.until, kept.fields, kept.resume, kept.first_pull_id).where(
            kept.system == system, kept.kind == kind
        )
    ).first()
    if found is None:
        return None
    return Progress(
        found.since, found.until, frozenset(found.fields), found.resume, found.first_pull_id
    )


def keep_progress(
    connection: Connection,
    pulled: Pulled,
    since: datetime | None,
    fields: Sequence[str],
    resume: str,
    first_pull_id: int,
) -> None:
    """Note where a pull was stopped, over what was noted before."""
    values = {
        "since": since,
        "until": pulled.until,
        "fields": sorted(fields),
        "resume": resume,
        "first_pull_id": first_pull_id,
        "run_id": pulled.run_id,
    }
    statement = upsert(connection, pull_progress).values(
        system=pulled.system, kind=pulled.kind, **values
    )
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(pull_progress.primary_key), set_=values)
    )


def clear_progress(connection: Connection, system: str, kind: str) -> None:
    """Forget it: the pull has come to its end."""
    connection.execute(
        delete(pull_progress).where(pull_progress.c.system == system, pull_progress.c.kind == kind)
    )
