"""Runs: what ran, under which agreement, with what result; and what was said to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from agreement.errors import AgreementError
from connectors.store.tables import agreement_version, alert, posting, run


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run; `result` and `ended_at` are missing while it runs.

    `result` is `done`, the name of the error that stopped it, or `crashed`.
    """

    run_id: str
    as_of: datetime
    agreement_version: str
    started_at: datetime
    ended_at: datetime | None
    result: str | None
    summary: Mapping[str, Any] | None


def start_run(connection: Connection, as_of: datetime, version: str, started_at: datetime) -> str:
    """Note that a run starts; give its id, which tells when.

    Runs that never ended are marked as crashed: whoever starts one holds the lock, so their
    processes are dead.
    """
    connection.execute(
        update(run).where(run.c.result.is_(None)).values(result="crashed", ended_at=started_at)
    )
    run_id = _free_id(connection, f"{started_at:%Y%m%d-%H%M%S}")
    connection.execute(
        insert(run).values(
            run_id=run_id, as_of=as_of, agreement_version=version, started_at=started_at
        )
    )
    return run_id


def _free_id(connection: Connection, stem: str) -> str:
    taken = set(connection.scalars(select(run.c.run_id).where(run.c.run_id.startswith(stem))))
    candidate, number = stem, 1
    while candidate in taken:
        number += 1
        candidate = f"{stem}-{number}"
    return candidate


def end_run(
    connection: Connection,
    run_id: str,
    result: str,
    summary: Mapping[str, object],
    ended_at: datetime,
) -> None:
    """Note how a run ended."""
    connection.execute(
        update(run)
        .where(run.c.run_id == run_id)
        .values(result=result, summary=dict(summary), ended_at=ended_at)
    )


def last_runs(connection: Connection, count: int) -> list[RunRow]:
    """List the latest runs, the newest first."""
    columns = [run.c[name] for name in RunRow.__dataclass_fields__]
    query = select(*columns).order_by(run.c.started_at.desc(), run.c.run_id.desc()).limit(count)
    return [RunRow(*row) for row in connection.execute(query)]


def last_applied_as_of(connection: Connection) -> datetime | None:
    """Give the latest moment whose night was applied to its end; None before the first."""
    query = select(run.c.as_of, run.c.summary).where(run.c.result == "done")
    moments = [
        row.as_of
        for row in connection.execute(query.order_by(run.c.as_of.desc()))
        if row.summary and row.summary.get("mode") == "apply"
    ]
    return moments[0] if moments else None


def find_run(connection: Connection, run_id: str) -> RunRow | None:
    """Give one run; None when there is none of this id."""
    columns = [run.c[name] for name in RunRow.__dataclass_fields__]
    found = connection.execute(select(*columns).where(run.c.run_id == run_id)).first()
    return RunRow(*found) if found else None


def count_final(connection: Connection, run_id: str) -> dict[str, int]:
    """Count what a run did that is never taken back: messages sent, rewards posted."""
    said = select(func.count()).where(alert.c.run_id == run_id, alert.c.sent_at.is_not(None))
    posted = select(func.count()).where(posting.c.run_id == run_id)
    return {
        "messages": connection.scalar(said) or 0,
        "postings": connection.scalar(posted) or 0,
    }


def open_run_id(connection: Connection) -> str | None:
    """Name the run that has not ended, if there is one."""
    found: str | None = connection.scalar(
        select(run.c.run_id)
        .where(run.c.result.is_(None))
        .order_by(run.c.started_at.desc())
        .limit(1)
    )
    return found


# The agreement ------------------------------------------------------------------------------------


def keep_agreement(
    connection: Connection,
    version: str,
    digest: str,
    effective: date,
    content: Mapping[str, object],
    holidays: Sequence[date],
) -> None:
    """Keep an agreement version as it was used first.

    Holidays of years that are kept already stay as they are; later years are added.

    Raises:
        AgreementError: the version is kept with other content.
    """
    kept = connection.execute(
        select(agreement_version.c.digest, agreement_version.c.holidays).where(
            agreement_version.c.version == version
        )
    ).first()
    if kept is None:
        connection.execute(
            insert(agreement_version).values(
                version=version,
                digest=digest,
                effective=effective,
                content=dict(content),
                holidays=[day.isoformat() for day in holidays],
            )
        )
        return
    if kept.digest != digest:
        raise AgreementError(
            f"the agreement was changed, but is still called {version}, and results name it. "
            "Raise its version number"
        )
    _add_later_holidays(connection, version, kept.holidays, holidays)


def agreement_digest(connection: Connection, version: str) -> str | None:
    """Give the hash of an agreement version as it was first used; None before that."""
    digest: str | None = connection.scalar(
        select(agreement_version.c.digest).where(agreement_version.c.version == version)
    )
    return digest


def _add_later_holidays(
    connection: Connection, version: str, kept: Sequence[str], holidays: Sequence[date]
) -> None:
    last_year = max((day[:4] for day in kept), default="")
    later = [day.isoformat() for day in holidays if day.isoformat()[:4] > last_year]
    if later:
        connection.execute(
            update(agreement_version)
            .where(agreement_version.c.version == version)
            .values(holidays=[*kept, *later])
        )


def kept_agreements(connection: Connection) -> dict[str, Mapping[str, Any]]:
    """Give the content of every agreement version that was used, by name."""
    query = select(agreement_version.c.version, agreement_version.c.content)
    return {row.version: row.content for row in connection.execute(query)}


def agreement_holidays(connection: Connection, version: str) -> tuple[date, ...]:
    """Give the closed days that are kept with an agreement version, in order."""
    kept = connection.scalar(
        select(agreement_version.c.holidays).where(agreement_version.c.version == version)
    )
    return tuple(date.fromisoformat(day) for day in kept or ())
