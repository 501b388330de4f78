"""Tombstones: people who were forgotten, known again only by salted hashes.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tombstone",
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("salt", TEXT, nullable=False),
        sa.Column("alias", TEXT, nullable=False),
        sa.Column("forgotten_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_tombstone"),
    )


def downgrade() -> None:
    op.drop_table("tombstone")
