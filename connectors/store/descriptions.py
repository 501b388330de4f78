"""What the CRMs said of their objects, kept for runs that have no requests to spare."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connectors.store.rows import upsert
from connectors.store.tables import description


def save_descriptions(
    connection: Connection, system: str, told: Mapping[str, Mapping[str, Any]], at: datetime
) -> None:
    """Keep what a CRM says of its objects, by kind, in place of what it said of these before."""
    if not told:
        return
    new = upsert(connection, description).values(
        [
            {"system": system, "kind": kind, "content": dict(content), "asked_at": at}
            for kind, content in told.items()
        ]
    )
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["system", "kind"],
            set_={"content": new.excluded.content, "asked_at": new.excluded.asked_at},
        )
    )


def descriptions(
    connection: Connection, system: str, since: datetime
) -> dict[str, Mapping[str, Any]]:
    """Give what was said since a moment, per kind."""
    rows = connection.execute(
        select(description.c.kind, description.c.content).where(
            description.c.system == system, description.c.asked_at >= since
        )
    )
    return {row.kind: row.content for row in rows}
