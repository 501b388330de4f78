"""Every table of the store but the mirrors, which follow the fields asked for (`mirror.py`).

Instants are UTC. Amounts are whole minor units of company currency unless a column says otherwise.
A change here needs a migration beside it; a test compares the two.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    false,
    text,
)

from agreement import frames
from connectors.store.columns import ROW_NUMBER, TEXT, UTC_MICROSECONDS, Instant, Json, types_of

# The newest migration: a database that stands there is opened without importing Alembic.
SCHEMA = "0013"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, TEXT, nullable=False, **options)


_SQL_TYPES: dict[str, Any] = {
    "str": TEXT,
    "bool": Boolean,
    "int64": BigInteger,
    "Int64": BigInteger,
    "float64": Double,
    UTC_MICROSECONDS: Instant,
}


def columns_of(table: type[frames.Table]) -> list[Column[Any]]:
    """Give the columns that hold a frame, in its order; what may miss there may be NULL here."""
    may_miss = {name: column.nullable for name, column in table.to_schema().columns.items()}
    return [
        Column(name, _SQL_TYPES[dtype], nullable=may_miss[name])
        for name, dtype in types_of(table).items()
    ]


# What ran -----------------------------------------------------------------------------------------

run = Table(
    "run",
    metadata,
    _text("run_id", primary_key=True),
    Column("as_of", Instant, nullable=False),
    _text("agreement_version"),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("result", TEXT),
    Column("summary", Json),
    Index(None, "started_at"),
)

agreement_version = Table(
    "agreement_version",
    metadata,
    _text("version", primary_key=True),
    _text("digest"),
    Column("effective", Date, nullable=False),
    Column("content", Json, nullable=False),
    Column("holidays", Json, nullable=False),
)

# What the vendors hold ----------------------------------------------------------------------------

pull = Table(
    "pull",
    metadata,
    Column("pull_id", ROW_NUMBER, primary_key=True),
    _text("run_id"),
    _text("system"),
    _text("kind"),
    Column("until", Instant, nullable=False),
    Column("is_full", Boolean, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("row_count", Integer),
    Column("changed_count", Integer),
    Column("unseen_count", Integer),
    Index(None, "run_id"),
)

watermark = Table(
    "watermark",
    metadata,
    _text("system"),
    _text("kind"),
    Column("until", Instant, nullable=False),
    Column("fields", Json, nullable=False),
    _text("run_id"),
    PrimaryKeyConstraint("system", "kind"),
)

# When a list was last read that no changed record announces, up to which moment; `value` is the
# count it gave, or the pull with which a full read began.
reread = Table(
    "reread",
    metadata,
    _text("system"),
    _text("kind"),
    _text("what"),
    Column("at", Instant, nullable=False),
    Column("value", BigInteger),
    PrimaryKeyConstraint("system", "kind", "what"),
)

# A pull that was stopped half-way, and where the next run goes on with it.
pull_progress = Table(
    "pull_progress",
    metadata,
    _text("system"),
    _text("kind"),
    Column("since", Instant),
    Column("until", Instant, nullable=False),
    Column("fields", Json, nullable=False),
    _text("resume"),
    Column("first_pull_id", ROW_NUMBER, nullable=False),
    _text("run_id"),
    PrimaryKeyConstraint("system", "kind"),
)

mirror_field = Table(
    "mirror_field",
    metadata,
    _text("system"),
    _text("kind"),
    _text("field"),
    _text("column_name"),
    PrimaryKeyConstraint("system", "kind", "field"),
)

mirror_version = Table(
    "mirror_version",
    metadata,
    Column("version_id", ROW_NUMBER, primary_key=True),
    _text("system"),
    _text("kind"),
    _text("record_id"),
    _text("run_id"),
    Column("seen_at", Instant, nullable=False),
    _text("state"),
    Index(None, "system", "kind", "record_id"),
)

field_history = Table(
    "field_history",
    metadata,
    _text("system"),
    _text("kind"),
    _text("field"),
    _text("record_id"),
    Column("changed_at", Instant, nullable=False),
    _text("value_hash"),
    Column("value", TEXT),
    _text("source"),
    _text("run_id"),
    PrimaryKeyConstraint("system", "kind", "field", "record_id", "changed_at", "value_hash"),
    sqlite_with_rowid=False,
)

association = Table(
    "association",
    metadata,
    _text("system"),
    _text("from_kind"),
    _text("to_kind"),
    _text("from_id"),
    _text("to_id"),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    _text("run_id"),
    # The record first: else PostgreSQL walks all pairs of a kind to find those of some records.
    PrimaryKeyConstraint("from_id", "system", "from_kind", "to_kind", "to_id", "since"),
    sqlite_with_rowid=False,
)

# Who is who ---------------------------------------------------------------------------------------

crosswalk = Table(
    "crosswalk",
    metadata,
    Column("link_id", ROW_NUMBER, primary_key=True),
    *columns_of(frames.Crosswalk),
    _text("run_id"),
    Column("seen_at", Instant, nullable=False),
    Column("until", Instant),
    Column("ended_by", TEXT),
    Index(
        "ux_crosswalk_current",
        "system",
        "kind",
        "record_id",
        unique=True,
        sqlite_where=text("until IS NULL"),
        postgresql_where=text("until IS NULL"),
    ),
)

# One decision stands per pair; a later one ends it and both are kept.
match_decision = Table(
    "match_decision",
    metadata,
    *columns_of(frames.MatchDecisions),
    _text("pair_id"),
    Column("ended_by", TEXT),
    PrimaryKeyConstraint("decision_id"),
    CheckConstraint("decision IN ('accept', 'reject', 'pin', 'forbid')", name="decision"),
    Index(
        "ux_match_decision_current",
        "pair_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

review = Table(
    "review",
    metadata,
    *columns_of(frames.Reviews),
    _text("run_id"),
    PrimaryKeyConstraint("review_id"),
)

# What is measured: the present state; any earlier one is recomputed from versions and agreement ---


def _measure(name: str, frame: type[frames.Table]) -> Table:
    columns = columns_of(frame)
    for column in columns:
        column.nullable = True  # the frame's own check says what may miss
    return Table(name, metadata, _text("row_hash", primary_key=True), _text("run_id"), *columns)


handoff = _measure("handoff", frames.HandoffStatus)
touch = _measure("touch", frames.Touches)
set_aside = _measure("set_aside", frames.SetAside)
deal = _measure("deal", frames.Deals)
deal_person = _measure("deal_person", frames.DealPeople)
credit = _measure("credit", frames.Credits)
bridge = _measure("bridge", frames.Bridge)
Index("ix_credit_deal_id", credit.c.deal_id)

# By what the last night worked out who is who: the next one looks again only where that changed.
examined = _measure("examined", frames.Examined)

# What each deal's credits follow from, and what they followed from when lines were last written.
credit_basis = Table(
    "credit_basis",
    metadata,
    _text("deal_id", primary_key=True),
    _text("basis"),
    Column("lines_basis", TEXT),
    _text("run_id"),
)

# The shared credit of won deals as signed lines: a later change is a new line, none is edited.
credit_line = Table(
    "credit_line",
    metadata,
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    *columns_of(frames.CreditLines),
    _text("agreement_version"),
    _text("run_id"),
    Column("written_at", Instant, nullable=False),
    Index(None, "deal_id"),
)

posting = Table(
    "posting",
    metadata,
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    *columns_of(frames.Postings),
    _text("agreement_version"),
    _text("run_id"),
    Column("posted_at", Instant, nullable=False),
    _text("previous_hash"),
    _text("entry_hash"),
    CheckConstraint("debit <> credit", name="balanced"),
    Index(None, "computed_for", "participant", "component"),
)

# The credit behind the postings: signed changes, in the same transaction, append-only too.
reward_credit = Table(
    "reward_credit",
    metadata,
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    _text("posting_period"),
    *columns_of(frames.RewardCredits),
    _text("run_id"),
    Index(None, "computed_for", "deal_id", "team"),
)

# What the latest night found of each period: terms, and the deals behind the attainment.
calculation = Table(
    "calculation",
    metadata,
    _text("period", primary_key=True),
    _text("run_id"),
    Column("as_of", Instant, nullable=False),
    Column("terms", Json, nullable=False),
    Column("evidence", Json, nullable=False),
)

# Closed periods only: a row is never changed, and no posting goes into its period again.
period = Table(
    "period",
    metadata,
    _text("period", primary_key=True),
    Column("terms", Json, nullable=False),
    Column("evidence", Json, nullable=False),
    _text("content_hash"),
    Column("entry_count", BigInteger, nullable=False),
    _text("ledger_head"),
    Column("closed_at", Instant, nullable=False),
)

approval = Table(
    "approval",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("period"),
    _text("act"),
    _text("person"),
    Column("is_verified", Boolean, nullable=False),
    _text("content_hash"),
    Column("done_at", Instant, nullable=False),
    _text("previous_hash"),
    _text("entry_hash"),
    CheckConstraint("act IN ('proposed', 'approved', 'closed', 'exported', 'paid')", name="act"),
)

# What is written ----------------------------------------------------------------------------------

plan = Table(
    "plan",
    metadata,
    _text("plan_id", primary_key=True),
    _text("run_id"),
    _text("content_hash"),
    Column("planned_at", Instant, nullable=False),
    Column("record_count", Integer, nullable=False),
    Column("field_count", Integer, nullable=False),
    Column("notes", Json, nullable=False, server_default="{}"),
    Index(None, "run_id"),
)

outbox = Table(
    "outbox",
    metadata,
    _text("key", primary_key=True),
    Column("plan_id", TEXT, ForeignKey("plan.plan_id"), nullable=False),
    _text("run_id"),
    _text("system"),
    _text("kind"),
    _text("record_id"),
    Column("before", Json, nullable=False),
    Column("after", Json, nullable=False),
    Column("reason", Json, nullable=False),
    _text("desired_hash"),
    _text("state"),
    _text("answer", server_default=""),
    Column("sent_at", Instant),
    Column("answered_at", Instant),
    Column("is_shared", Boolean, nullable=False, server_default=false()),
    CheckConstraint("state IN ('planned', 'sent', 'confirmed', 'refused', 'stale')", name="state"),
    Index(None, "run_id", "state"),
    Index(None, "state"),
    Index(None, "system", "kind", "record_id"),
)

# What people share with us ------------------------------------------------------------------------

base = Table(
    "base",
    metadata,
    *columns_of(frames.Bases),
    Column("agreed_at", Instant, nullable=False),
    _text("run_id"),
    PrimaryKeyConstraint(
        "hubspot_id", "hubspot_kind", "salesforce_kind", "salesforce_id", "field", "rule"
    ),
    sqlite_with_rowid=False,
)

conflict = Table(
    "conflict",
    metadata,
    *columns_of(frames.Conflicts),
    _text("run_id"),
    Column("found_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("decision", TEXT),
    Column("decided_by", TEXT),
    Column("decided_at", Instant),
    PrimaryKeyConstraint("conflict_id"),
    CheckConstraint("decision IN ('hubspot', 'salesforce')", name="decision"),
)

hold = Table(
    "hold",
    metadata,
    Column("hold_id", ROW_NUMBER, primary_key=True),
    *columns_of(frames.Holds),
    Column("held_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", TEXT),
    Index(
        "ux_hold_current",
        "system",
        "kind",
        "record_id",
        "field",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

alert = Table(
    "alert",
    metadata,
    _text("alert_key", primary_key=True),
    _text("run_id"),
    _text("about_id"),
    _text("state"),
    Column("owner_id", TEXT),
    _text("text"),
    Column("stored_at", Instant, nullable=False),
    Column("sent_at", Instant),
    _text("receiver", server_default="ops"),
    Column("message_key", TEXT),
    Column("event_at", Instant),
    Column("dropped_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", TEXT),
)

# What a CRM said of the fields of an object that we read, so that a watch need not ask each time.
description = Table(
    "description",
    metadata,
    _text("system", primary_key=True),
    _text("kind", primary_key=True),
    Column("content", Json, nullable=False),
    Column("asked_at", Instant, nullable=False),
)

# What was or will be sent to whom: the alerts of one receiver and run in one text.
alert_message = Table(
    "alert_message",
    metadata,
    _text("message_key", primary_key=True),
    _text("run_id"),
    _text("receiver"),
    _text("route"),
    _text("week"),
    _text("text"),
    Column("stored_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("fault", TEXT),
)

# The weekly packs that were sent: what both teams were asked to decide, and the stage they saw.
pack = Table(
    "pack",
    metadata,
    _text("week", primary_key=True),
    _text("run_id"),
    Column("as_of", Instant, nullable=False),
    Column("content", Json, nullable=False),
)

# People who were forgotten: a hash of each id and address under one secret salt, and the random id
# that stands in their place.
tombstone = Table(
    "tombstone",
    metadata,
    _text("hash", primary_key=True),
    _text("salt"),
    _text("alias"),
    Column("forgotten_at", Instant, nullable=False),
)
