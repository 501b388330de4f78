"""Decisions on matches, pairs that wait for one, and who decided a link.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PAIR = ("left_system", "left_kind", "left_id", "right_system", "right_kind", "right_id")


def upgrade() -> None:
    with op.batch_alter_table("crosswalk") as crosswalk:
        crosswalk.add_column(sa.Column("decided_by", TEXT))
    op.create_table(
        "match_decision",
        *(sa.Column(name, TEXT, nullable=False) for name in ("decision_id", "entity", *_PAIR)),
        sa.Column("decision", TEXT, nullable=False),
        sa.Column("decided_by", TEXT, nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.Column("keys", TEXT),
        sa.Column("pair_id", TEXT, nullable=False),
        sa.Column("ended_by", TEXT),
        sa.PrimaryKeyConstraint("decision_id", name="pk_match_decision"),
        sa.CheckConstraint(
            "decision IN ('accept', 'reject', 'pin', 'forbid')", name="ck_match_decision_decision"
        ),
    )
    op.create_index(
        "ux_match_decision_current",
        "match_decision",
        ["pair_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "review",
        *(sa.Column(name, TEXT, nullable=False) for name in ("review_id", "entity", *_PAIR)),
        sa.Column("score", sa.Double(), nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("rule", "evidence", "levels", "keys")),
        sa.Column("found_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("review_id", name="pk_review"),
    )


def downgrade() -> None:
    op.drop_table("review")
    op.drop_table("match_decision")
    with op.batch_alter_table("crosswalk") as crosswalk:
        crosswalk.drop_column("decided_by")
