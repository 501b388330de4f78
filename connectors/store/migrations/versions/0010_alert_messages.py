"""Messages: alerts name their receiver, and go out merged; who took note of them is kept.

And what the CRMs say of their objects, so that a watch need not ask.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant, Json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert", sa.Column("receiver", TEXT, nullable=False, server_default="ops"))
    op.add_column("alert", sa.Column("message_key", TEXT))
    op.add_column("alert", sa.Column("event_at", Instant()))
    op.add_column("alert", sa.Column("dropped_at", Instant()))
    op.add_column("alert", sa.Column("acknowledged_at", Instant()))
    op.add_column("alert", sa.Column("acknowledged_by", TEXT))
    op.create_table(
        "alert_message",
        sa.Column("message_key", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("receiver", TEXT, nullable=False),
        sa.Column("route", TEXT, nullable=False),
        sa.Column("week", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fault", TEXT),
        sa.PrimaryKeyConstraint("message_key", name="pk_alert_message"),
    )
    op.create_table(
        "description",
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("system", "kind", name="pk_description"),
    )


def downgrade() -> None:
    op.drop_table("description")
    op.drop_table("alert_message")
    for name in (
        "acknowledged_by",
        "acknowledged_at",
        "dropped_at",
        "event_at",
        "message_key",
        "receiver",
    ):
        op.drop_column("alert", name)
