"""Shared fields: bases, conflicts, holds; plans with notes; outbox rows of shared fields.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import ROW_NUMBER, TEXT, Instant, Json

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PAIR = ("hubspot_kind", "hubspot_id", "salesforce_kind", "salesforce_id", "field")


def upgrade() -> None:
    with op.batch_alter_table("plan") as plan:
        plan.add_column(sa.Column("notes", Json(), server_default="{}", nullable=False))
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(
            sa.Column("is_shared", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    _create_base()
    _create_conflict()
    _create_hold()


def downgrade() -> None:
    for table in ("hold", "conflict", "base"):
        op.drop_table(table)
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_column("is_shared")
    with op.batch_alter_table("plan") as plan:
        plan.drop_column("notes")


def _create_base() -> None:
    op.create_table(
        "base",
        *(sa.Column(name, TEXT, nullable=False) for name in _PAIR),
        sa.Column("hubspot_base", TEXT),
        sa.Column("salesforce_base", TEXT),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("agreed_at", Instant(), nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(
            "hubspot_id", "hubspot_kind", "salesforce_kind", "salesforce_id", "field", "rule",
            name="pk_base",
        ),
        sqlite_with_rowid=False,
    )  # fmt: skip


def _create_conflict() -> None:
    op.create_table(
        "conflict",
        sa.Column("conflict_id", TEXT, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("entity_id", TEXT, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in _PAIR[:4]),
        sa.Column("hubspot_value", TEXT),
        sa.Column("salesforce_value", TEXT),
        sa.Column("how", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("found_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.Column("decision", TEXT),
        sa.Column("decided_by", TEXT),
        sa.Column("decided_at", Instant()),
        sa.CheckConstraint("decision IN ('hubspot', 'salesforce')", name="ck_conflict_decision"),
        sa.PrimaryKeyConstraint("conflict_id", name="pk_conflict"),
    )


def _create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("hold_id", ROW_NUMBER, nullable=False),
        *(
            sa.Column(name, TEXT, nullable=False)
            for name in ("system", "kind", "record_id", "field")
        ),
        sa.Column("restored", TEXT),
        sa.Column("undone", TEXT),
        sa.Column("agreement", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("held_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.Column("ended_by", TEXT),
        sa.PrimaryKeyConstraint("hold_id", name="pk_hold"),
    )
    op.create_index(
        "ux_hold_current",
        "hold",
        ["system", "kind", "record_id", "field"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
