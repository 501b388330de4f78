"""Reward periods: the credit behind postings, calculations, closed periods, and who did what.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import TEXT, Instant, Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_APPEND_ONLY = {"reward_credit": "line", "period": "period", "approval": "number"}

_SQLITE_GUARDS = (
    "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
    "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
    "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
    "WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
    "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
)
_POSTGRESQL_GUARDS = (
    "CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION rewards_are_append_only()",
    "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION rewards_are_append_only()",
)
_SQLITE_OPEN = (
    "CREATE TRIGGER posting_into_open_period BEFORE INSERT ON posting "
    "WHEN EXISTS (SELECT 1 FROM period WHERE period = NEW.posting_period) "
    "BEGIN SELECT RAISE(ABORT, 'period is closed: post to the open one'); END",
)
_POSTGRESQL_OPEN = (
    "CREATE FUNCTION rewards_are_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    "CREATE FUNCTION period_is_open() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN IF EXISTS (SELECT 1 FROM period WHERE period = NEW.posting_period) "
    "THEN RAISE EXCEPTION 'period is closed: post to the open one'; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER posting_into_open_period BEFORE INSERT ON posting "
    "FOR EACH ROW EXECUTE FUNCTION period_is_open()",
)


def upgrade() -> None:
    _create_tables()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_OPEN if is_sqlite else _POSTGRESQL_OPEN:
        op.execute(statement)
    for table, key in _APPEND_ONLY.items():
        for guard in _SQLITE_GUARDS if is_sqlite else _POSTGRESQL_GUARDS:
            op.execute(guard.replace("{table}", table).replace("{key}", key))


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    on = " ON posting" if is_postgresql else ""
    op.execute(f"DROP TRIGGER posting_into_open_period{on}")
    for table in (*_APPEND_ONLY, "calculation"):
        op.drop_table(table)
    if is_postgresql:
        op.execute("DROP FUNCTION rewards_are_append_only()")
        op.execute("DROP FUNCTION period_is_open()")


def _create_tables() -> None:
    op.create_table(
        "reward_credit",
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("posting_period", TEXT, nullable=False),
        sa.Column("computed_for", TEXT, nullable=False),
        sa.Column("deal_id", TEXT, nullable=False),
        sa.Column("team", TEXT, nullable=False),
        sa.Column("credit_minor", sa.BigInteger(), nullable=False),
        sa.Column("record_id", TEXT, nullable=False),
        sa.Column("closed_on", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("company_minor", sa.BigInteger(), nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("line", name="pk_reward_credit"),
    )
    op.create_index(
        "ix_reward_credit_computed_for_deal_id_team",
        "reward_credit",
        ["computed_for", "deal_id", "team"],
    )
    op.create_table(
        "calculation",
        sa.Column("period", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("terms", Json(), nullable=False),
        sa.Column("evidence", Json(), nullable=False),
        sa.PrimaryKeyConstraint("period", name="pk_calculation"),
    )
    op.create_table(
        "period",
        sa.Column("period", TEXT, nullable=False),
        sa.Column("terms", Json(), nullable=False),
        sa.Column("evidence", Json(), nullable=False),
        sa.Column("content_hash", TEXT, nullable=False),
        sa.Column("entry_count", sa.BigInteger(), nullable=False),
        sa.Column("ledger_head", TEXT, nullable=False),
        sa.Column("closed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("period", name="pk_period"),
    )
    op.create_table(
        "approval",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("period", TEXT, nullable=False),
        sa.Column("act", TEXT, nullable=False),
        sa.Column("person", TEXT, nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.Column("content_hash", TEXT, nullable=False),
        sa.Column("done_at", Instant(), nullable=False),
        sa.Column("previous_hash", TEXT, nullable=False),
        sa.Column("entry_hash", TEXT, nullable=False),
        sa.CheckConstraint(
            "act IN ('proposed', 'approved', 'closed', 'exported', 'paid')",
            name="ck_approval_act",
        ),
        sa.PrimaryKeyConstraint("number", name="pk_approval"),
    )
