"""Weekly packs: what each week that was sent asked both teams to decide."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connectors.store.rows import insert_new
from connectors.store.tables import pack


def keep_pack(
    connection: Connection, run_id: str, week: str, content: Mapping[str, Any], as_of: datetime
) -> None:
    """Keep what a week's pack said, by the week's Monday; what was sent first stays."""
    row = {"week": week, "run_id": run_id, "as_of": as_of, "content": dict(content)}
    connection.execute(insert_new(connection, pack), row)


def pack_before(connection: Connection, week: str) -> Mapping[str, Any] | None:
    """Give the latest pack of an earlier week; None when none was sent."""
    query = select(pack.c.content).where(pack.c.week < week).order_by(pack.c.week.desc()).limit(1)
    found: Mapping[str, Any] | None = connection.scalar(query)
    return found
