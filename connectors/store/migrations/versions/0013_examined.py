"""By what a night worked out who is who, so that the next one looks again only where it changed.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "examined",
        sa.Column("row_hash", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("system", TEXT),
        sa.Column("kind", TEXT),
        sa.Column("record_id", TEXT),
        sa.Column("signature", sa.BigInteger()),
        sa.Column("neighbourhood", sa.BigInteger()),
        sa.PrimaryKeyConstraint("row_hash", name="pk_examined"),
    )


def downgrade() -> None:
    op.drop_table("examined")
