"""Every table from the first night on.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from connectors.store.columns import ROW_NUMBER, TEXT, Instant, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    "outbox",
    "watermark",
    "touch",
    "run",
    "pull",
    "posting",
    "plan",
    "mirror_version",
    "mirror_field",
    "handoff",
    "field_history",
    "crosswalk",
    "credit",
    "association",
    "alert",
    "agreement_version",
)

# Postings are never edited, by nobody: corrections are new postings. On SQLite, a replacing insert
# deletes without asking a DELETE trigger, hence the third.
_SQLITE_GUARDS = (
    "CREATE TRIGGER posting_no_update BEFORE UPDATE ON posting "
    "BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END",
    "CREATE TRIGGER posting_no_delete BEFORE DELETE ON posting "
    "BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END",
    "CREATE TRIGGER posting_no_replace BEFORE INSERT ON posting "
    "WHEN EXISTS (SELECT 1 FROM posting WHERE entry = NEW.entry) "
    "BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END",
)
_POSTGRESQL_GUARDS = (
    "CREATE FUNCTION posting_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'postings are append-only'; END $$",
    "CREATE TRIGGER posting_no_change BEFORE UPDATE OR DELETE ON posting "
    "FOR EACH ROW EXECUTE FUNCTION posting_is_append_only()",
    "CREATE TRIGGER posting_no_truncate BEFORE TRUNCATE ON posting "
    "FOR EACH STATEMENT EXECUTE FUNCTION posting_is_append_only()",
)


def upgrade() -> None:
    _create_tables()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for guard in _SQLITE_GUARDS if is_sqlite else _POSTGRESQL_GUARDS:
        op.execute(guard)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION posting_is_append_only()")


def _create_tables() -> None:
    op.create_table(
        "agreement_version",
        sa.Column("version", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("effective", sa.Date(), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("holidays", Json(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_agreement_version"),
    )
    op.create_table(
        "alert",
        sa.Column("alert_key", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("about_id", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("owner_id", TEXT),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant()),
        sa.PrimaryKeyConstraint("alert_key", name="pk_alert"),
    )
    op.create_table(
        "association",
        sa.Column("system", TEXT, nullable=False),
        sa.Column("from_kind", TEXT, nullable=False),
        sa.Column("to_kind", TEXT, nullable=False),
        sa.Column("from_id", TEXT, nullable=False),
        sa.Column("to_id", TEXT, nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("until", Instant()),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(
            "from_id", "system", "from_kind", "to_kind", "to_id", "since", name="pk_association"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credit",
        sa.Column("row_hash", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("model", TEXT),
        sa.Column("deal_id", TEXT),
        sa.Column("touch_id", TEXT),
        sa.Column("person_id", TEXT),
        sa.Column("channel", TEXT),
        sa.Column("team", TEXT),
        sa.Column("campaign_id", TEXT),
        sa.Column("weight", sa.Double()),
        sa.Column("credit_minor", sa.BigInteger()),
        sa.Column("credit_deal_minor", sa.BigInteger()),
        sa.PrimaryKeyConstraint("row_hash", name="pk_credit"),
    )
    op.create_table(
        "crosswalk",
        sa.Column("link_id", ROW_NUMBER, nullable=False),
        sa.Column("entity", TEXT, nullable=False),
        sa.Column("entity_id", TEXT, nullable=False),
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("record_id", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("is_survivor", sa.Boolean(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("until", Instant()),
        sa.Column("ended_by", TEXT),
        sa.PrimaryKeyConstraint("link_id", name="pk_crosswalk"),
    )
    op.create_index(
        "ux_crosswalk_current",
        "crosswalk",
        ["system", "kind", "record_id"],
        unique=True,
        sqlite_where=sa.text("until IS NULL"),
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_table(
        "field_history",
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.Column("record_id", TEXT, nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("value_hash", TEXT, nullable=False),
        sa.Column("value", TEXT),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(
            "system",
            "kind",
            "field",
            "record_id",
            "changed_at",
            "value_hash",
            name="pk_field_history",
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "handoff",
        sa.Column("row_hash", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("handoff_id", TEXT),
        sa.Column("person_id", TEXT),
        sa.Column("cycle", sa.BigInteger()),
        sa.Column("tier", TEXT),
        sa.Column("record_kind", TEXT),
        sa.Column("record_id", TEXT),
        sa.Column("owner_id", TEXT),
        sa.Column("started_at", Instant()),
        sa.Column("due_at", Instant()),
        sa.Column("touched_at", Instant()),
        sa.Column("evidence_id", TEXT),
        sa.Column("status", TEXT),
        sa.Column("is_breached", sa.Boolean()),
        sa.Column("working_seconds", sa.BigInteger()),
        sa.Column("clock_seconds", sa.BigInteger()),
        sa.Column("answer", TEXT),
        sa.Column("answer_reason", TEXT),
        sa.PrimaryKeyConstraint("row_hash", name="pk_handoff"),
    )
    op.create_table(
        "mirror_field",
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.Column("column_name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("system", "kind", "field", name="pk_mirror_field"),
    )
    op.create_table(
        "mirror_version",
        sa.Column("version_id", ROW_NUMBER, nullable=False),
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("record_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("version_id", name="pk_mirror_version"),
    )
    op.create_index(
        "ix_mirror_version_system_kind_record_id", "mirror_version", ["system", "kind", "record_id"]
    )
    op.create_table(
        "plan",
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("content_hash", TEXT, nullable=False),
        sa.Column("planned_at", Instant(), nullable=False),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("field_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name="pk_plan"),
    )
    op.create_index("ix_plan_run_id", "plan", ["run_id"])
    op.create_table(
        "posting",
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("posting_period", TEXT, nullable=False),
        sa.Column("computed_for", TEXT, nullable=False),
        sa.Column("participant", TEXT, nullable=False),
        sa.Column("component", TEXT, nullable=False),
        sa.Column("reward_minor", sa.BigInteger(), nullable=False),
        sa.Column("debit", TEXT, nullable=False),
        sa.Column("credit", TEXT, nullable=False),
        sa.Column("agreement_version", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("posted_at", Instant(), nullable=False),
        sa.Column("previous_hash", TEXT, nullable=False),
        sa.Column("entry_hash", TEXT, nullable=False),
        sa.CheckConstraint("debit <> credit", name="ck_posting_balanced"),
        sa.PrimaryKeyConstraint("entry", name="pk_posting"),
    )
    op.create_index(
        "ix_posting_computed_for_participant_component",
        "posting",
        ["computed_for", "participant", "component"],
    )
    op.create_table(
        "pull",
        sa.Column("pull_id", ROW_NUMBER, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("row_count", sa.Integer()),
        sa.Column("changed_count", sa.Integer()),
        sa.Column("unseen_count", sa.Integer()),
        sa.PrimaryKeyConstraint("pull_id", name="pk_pull"),
    )
    op.create_index("ix_pull_run_id", "pull", ["run_id"])
    op.create_table(
        "run",
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("agreement_version", TEXT, nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant()),
        sa.Column("result", TEXT),
        sa.Column("summary", Json()),
        sa.PrimaryKeyConstraint("run_id", name="pk_run"),
    )
    op.create_index("ix_run_started_at", "run", ["started_at"])
    op.create_table(
        "touch",
        sa.Column("row_hash", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("touch_id", TEXT),
        sa.Column("person_id", TEXT),
        sa.Column("touched_at", Instant()),
        sa.Column("channel", TEXT),
        sa.Column("team", TEXT),
        sa.Column("campaign_id", TEXT),
        sa.PrimaryKeyConstraint("row_hash", name="pk_touch"),
    )
    op.create_table(
        "watermark",
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("fields", Json(), nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("system", "kind", name="pk_watermark"),
    )
    op.create_table(
        "outbox",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("system", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("record_id", TEXT, nullable=False),
        sa.Column("before", Json(), nullable=False),
        sa.Column("after", Json(), nullable=False),
        sa.Column("reason", Json(), nullable=False),
        sa.Column("desired_hash", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("answer", TEXT, server_default="", nullable=False),
        sa.Column("sent_at", Instant()),
        sa.Column("answered_at", Instant()),
        sa.CheckConstraint(
            "state IN ('planned', 'sent', 'confirmed', 'refused', 'stale')", name="ck_outbox_state"
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.plan_id"], name="fk_outbox_plan_id"),
        sa.PrimaryKeyConstraint("key", name="pk_outbox"),
    )
    op.create_index("ix_outbox_run_id_state", "outbox", ["run_id", "state"])
    op.create_index("ix_outbox_state", "outbox", ["state"])
    op.create_index("ix_outbox_system_kind_record_id", "outbox", ["system", "kind", "record_id"])
