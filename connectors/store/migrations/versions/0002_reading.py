"""When each list was read again, where a pull goes on, and records that the vendor no longer has.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import ROW_NUMBER, TEXT, Instant, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reread",
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("value", sa.BigInteger()),
        sa.PrimaryKeyConstraint("system", "kind", "what", name="pk_reread"),
    )
    op.create_table(
        "pull_progress",
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("since", Instant()),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("fields", Json(), nullable=False),
        sa.Column("resume", TEXT, nullable=False),
        sa.Column("first_pull_id", ROW_NUMBER, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("system", "kind", name="pk_pull_progress"),
    )
    for table in _mirrors():
        op.add_column(table, sa.Column("_gone_at", Instant()))


def downgrade() -> None:
    for table in _mirrors():
        op.drop_column(table, "_gone_at")
    op.drop_table("pull_progress")
    op.drop_table("reread")


def _mirrors() -> list[str]:
    """List the mirrors that are there: they are made when their object is read first."""
    known = op.get_bind().execute(sa.text("SELECT DISTINCT system, kind FROM mirror_field"))
    names = {f"mirror_{system}_{kind}" for system, kind in known}
    return sorted(names & set(sa.inspect(op.get_bind()).get_table_names()))
