"""Shared credit: what credits follow from, signed lines of won deals, and acts that are no touch.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_MEASURES = {
    "set_aside": (
        ("touch_id", TEXT), ("person_id", TEXT), ("touched_at", Instant()), ("activity", TEXT),
        ("channel", TEXT), ("team", TEXT), ("reason", TEXT),
    ),
    "deal": (
        ("deal_id", TEXT), ("record_id", TEXT), ("account_id", TEXT), ("state", TEXT),
        ("currency", TEXT), ("amount_minor", sa.BigInteger()), ("company_minor", sa.BigInteger()),
        ("is_blank", sa.Boolean()), ("created_at", Instant()), ("lead_created_at", Instant()),
        ("closed_on", TEXT), ("closed_at", Instant()), ("credited_at", Instant()),
        ("period", TEXT),
    ),
    "deal_person": (("deal_id", TEXT), ("person_id", TEXT), ("how", TEXT)),
}  # fmt: skip
_SQLITE_GUARDS = (
    "CREATE TRIGGER credit_line_no_update BEFORE UPDATE ON credit_line "
    "BEGIN SELECT RAISE(ABORT, 'credit_line is append-only'); END",
    "CREATE TRIGGER credit_line_no_delete BEFORE DELETE ON credit_line "
    "BEGIN SELECT RAISE(ABORT, 'credit_line is append-only'); END",
)
_POSTGRESQL_GUARDS = (
    "CREATE TRIGGER credit_line_no_change BEFORE UPDATE OR DELETE ON credit_line "
    "FOR EACH ROW EXECUTE FUNCTION rewards_are_append_only()",
    "CREATE TRIGGER credit_line_no_truncate BEFORE TRUNCATE ON credit_line "
    "FOR EACH STATEMENT EXECUTE FUNCTION rewards_are_append_only()",
)


def upgrade() -> None:
    with op.batch_alter_table("touch") as touch:
        touch.add_column(sa.Column("account_id", TEXT))
    for name, columns in _MEASURES.items():
        op.create_table(
            name,
            sa.Column("row_hash", TEXT, nullable=False),
            sa.Column("run_id", TEXT, nullable=False),
            *(sa.Column(column, kind) for column, kind in columns),
            sa.PrimaryKeyConstraint("row_hash", name=f"pk_{name}"),
        )
    op.create_index("ix_credit_deal_id", "credit", ["deal_id"])
    _create_credit_tables()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_GUARDS if is_sqlite else _POSTGRESQL_GUARDS:
        op.execute(statement)


def _create_credit_tables() -> None:
    op.create_table(
        "credit_basis",
        sa.Column("deal_id", TEXT, nullable=False),
        sa.Column("basis", TEXT, nullable=False),
        sa.Column("lines_basis", TEXT),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("deal_id", name="pk_credit_basis"),
    )
    op.create_table(
        "credit_line",
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deal_id", TEXT, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("team", TEXT, nullable=False),
        sa.Column("campaign_id", TEXT),
        sa.Column("credit_minor", sa.BigInteger(), nullable=False),
        sa.Column("credit_deal_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("reference", TEXT),
        sa.Column("agreement_version", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("line", name="pk_credit_line"),
    )
    op.create_index("ix_credit_line_deal_id", "credit_line", ["deal_id"])


def downgrade() -> None:
    op.drop_table("credit_line")
    op.drop_table("credit_basis")
    op.drop_index("ix_credit_deal_id", "credit")
    for name in _MEASURES:
        op.drop_table(name)
    with op.batch_alter_table("touch") as touch:
        touch.drop_column("account_id")
