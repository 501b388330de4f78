"""A pair's weights are worked out when somebody looks at it, not kept.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("review") as review:
        review.drop_column("levels")


def downgrade() -> None:
    with op.batch_alter_table("review") as review:
        review.add_column(sa.Column("levels", TEXT, nullable=False, server_default="[]"))
