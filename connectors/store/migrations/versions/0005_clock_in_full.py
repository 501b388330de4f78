"""The handoff clock in full: lags, answers, relief, causes, and by whom they are grouped.

Revision ID: 0005
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _columns() -> list[sa.Column[Any]]:
    """Give the new columns of `handoff`; the next night writes every row anew."""
    return [
        *(sa.Column(name, TEXT) for name in ("contact_id", "source", "team")),
        *(sa.Column(name, Instant()) for name in ("mql_at", "seen_at", "assigned_at")),
        *(sa.Column(name, sa.BigInteger()) for name in ("seen_seconds", "assigned_seconds")),
        *(sa.Column(name, Instant()) for name in ("answer_due_at", "answered_at")),
        *(sa.Column(name, TEXT) for name in ("answer_status", "relief", "cause")),
    ]


def upgrade() -> None:
    op.execute("DELETE FROM handoff")
    for column in _columns():
        op.add_column("handoff", column)


def downgrade() -> None:
    op.execute("DELETE FROM handoff")
    with op.batch_alter_table("handoff") as table:
        for column in _columns():
            table.drop_column(column.name)
