"""The bridge of the last night: every MQL in one class, kept so that it can be asked.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bridge",
        sa.Column("row_hash", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("record_id", TEXT),
        sa.Column("person_id", TEXT),
        sa.Column("mql_at", Instant()),
        *(sa.Column(name, TEXT) for name in ("bridge_class", "rule", "detail")),
        sa.PrimaryKeyConstraint("row_hash", name="pk_bridge"),
    )


def downgrade() -> None:
    op.drop_table("bridge")
