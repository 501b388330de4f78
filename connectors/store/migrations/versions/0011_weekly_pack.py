"""The weekly packs that were sent, so that the next one can follow up what was asked.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant, Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pack",
        sa.Column("week", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.PrimaryKeyConstraint("week", name="pk_pack"),
    )


def downgrade() -> None:
    op.drop_table("pack")
