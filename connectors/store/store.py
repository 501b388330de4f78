"""The store as flows see it: one object, each method one transaction."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Self

import pandas as pd
from sqlalchemy import Engine

from agreement.frames import (
    AlertPlaces,
    Alerts,
    Bases,
    Conflicts,
    CreditBasis,
    CreditLines,
    Credits,
    Crosswalk,
    DataFrame,
    Holds,
    MatchDecisions,
    Messages,
    PendingAlerts,
    Postings,
    Reviews,
    RewardCredits,
    Writes,
)
from agreement.pairs import Place
from agreement.records import Batch, Outcome, Record
from connectors.store import (
    alerts,
    credits,
    crosswalk,
    descriptions,
    forgetting,
    health,
    identity,
    lock,
    measures,
    mirror,
    outbox,
    packs,
    periods,
    rewards,
    runs,
    snapshots,
)
from connectors.store import shared as sharing
from connectors.store.alerts import AlertRow, MessageRow
from connectors.store.database import open_database, reading, writing
from connectors.store.forgetting import Forgotten
from connectors.store.health import Health, Sample
from connectors.store.identity import Decided, Decision
from connectors.store.outbox import OutboxRow, PlanRow, Refusal, Written
from connectors.store.periods import Act, Closed, Found
from connectors.store.reading import (
    Progress,
    Pulled,
    Reread,
    mark_reread,
    read_progress,
    read_reread,
)
from connectors.store.runs import RunRow
from connectors.store.snapshots import Further, PullCount
from connectors.store.spool import Spool


class Store:
    """One database. Times that come in carry a zone; times that go out are UTC."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._check_lock: Callable[[], None] | None = None

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a database, made or brought to the newest schema when needed.

        Raises:
            BadInput: the URL names none that can be opened, or one of a newer Tandem.
        """
        return cls(open_database(url))

    def close(self) -> None:
        """Close its connections; it opens new ones when used again."""
        self._engine.dispose()

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Hold the lock of writing runs; a dead process's lock is free at once.

        Raises:
            Busy: another run holds it. Nobody waits.
        """
        with lock.hold_lock(self._engine, self._holder) as self._check_lock:
            try:
                yield
            finally:
                self._check_lock = None

    def _holder(self) -> str:
        with reading(self._engine) as connection:
            run_id = runs.open_run_id(connection)
        return f"run {run_id}" if run_id else "another run, which is just starting or ending,"

    # People who were forgotten

    def forget(self, who: str, *, at: datetime | None) -> Forgotten | None:
        """Erase a person, or with `at` missing only count what would go; None for one unknown.

        `who` is our id of the person, or SYSTEM/KIND/ID of one of their records.
        """
        return forgetting.forget(self._engine, who, at)

    def compact(self) -> None:
        """Rewrite the database, so that its file holds nothing that was erased."""
        forgetting.compact(self._engine)

    # Runs, agreement, alerts

    def health(self) -> Health:
        """Count what waits, and find the last good night."""
        with reading(self._engine) as connection:
            return health.health(connection)

    def good_night_until(self, moment: datetime) -> RunRow | None:
        """Give the latest night that was applied in full as of a moment."""
        with reading(self._engine) as connection:
            return health.good_night_until(connection, moment)

    def written_sample(self, seed: str, count: int) -> Sample:
        """Choose confirmed writes by lot; give what their records' own fields hold by us."""
        with reading(self._engine) as connection:
            return health.written_sample(connection, seed, count)

    def start_run(self, *, as_of: datetime, agreement_version: str, started_at: datetime) -> str:
        """Note that a run starts; give its id. Runs that dead processes left open are `crashed`."""
        with writing(self._engine) as connection:
            return runs.start_run(connection, as_of, agreement_version, started_at)

    def end_run(
        self, run_id: str, *, result: str, summary: Mapping[str, object], ended_at: datetime
    ) -> None:
        """Note how a run ended: `done`, the error's name, or `crashed`."""
        with writing(self._engine) as connection:
            runs.end_run(connection, run_id, result, summary, ended_at)

    def last_runs(self, count: int = 10) -> list[RunRow]:
        """List the latest runs, the newest first."""
        with reading(self._engine) as connection:
            return runs.last_runs(connection, count)

    def find_run(self, run_id: str) -> RunRow | None:
        """Give one run; None when there is none of this id."""
        with reading(self._engine) as connection:
            return runs.find_run(connection, run_id)

    def count_final(self, run_id: str) -> dict[str, int]:
        """Count what a run did that is never taken back: `messages` sent, `postings` made."""
        with reading(self._engine) as connection:
            return runs.count_final(connection, run_id)

    def keep_agreement(
        self,
        *,
        version: str,
        digest: str,
        effective: date,
        content: Mapping[str, object],
        holidays: Sequence[date],
    ) -> None:
        """Keep an agreement version with its holidays, as it was first used.

        Raises:
            AgreementError: the version is kept with other content.
        """
        with writing(self._engine) as connection:
            runs.keep_agreement(connection, version, digest, effective, content, holidays)

    def agreement_digest(self, version: str) -> str | None:
        """Give the hash of an agreement version as it was first used; None before that."""
        with reading(self._engine) as connection:
            return runs.agreement_digest(connection, version)

    def last_applied_as_of(self) -> datetime | None:
        """Give the latest moment whose night was applied to its end; None before the first."""
        with reading(self._engine) as connection:
            return runs.last_applied_as_of(connection)

    def agreement_holidays(self, version: str) -> tuple[date, ...]:
        """Give the closed days kept with an agreement version, in order."""
        with reading(self._engine) as connection:
            return runs.agreement_holidays(connection, version)

    def alerts_said(self) -> frozenset[str]:
        """Give the keys of every alert that was ever stored."""
        with reading(self._engine) as connection:
            return alerts.alerts_said(connection)

    def store_alerts(self, run_id: str, due: DataFrame[Alerts], *, at: datetime) -> None:
        """Store alerts before they are sent; a known key stays as it is."""
        with writing(self._engine) as connection:
            alerts.store_alerts(connection, run_id, due, at)

    def pending_alerts(self) -> DataFrame[PendingAlerts]:
        """Give what is stored, in no message and not overtaken."""
        with reading(self._engine) as connection:
            return alerts.pending_alerts(connection)

    def messages_by_week(self) -> dict[tuple[str, str], int]:
        """Count the messages of each receiver and week."""
        with reading(self._engine) as connection:
            return alerts.messages_by_week(connection)

    def store_messages(
        self,
        run_id: str,
        made: DataFrame[Messages],
        routes: Sequence[str],
        places: DataFrame[AlertPlaces],
        *,
        at: datetime,
    ) -> None:
        """Store messages (`routes`: one name each) with what is in them, and what was overtaken."""
        with writing(self._engine) as connection:
            alerts.store_messages(connection, run_id, made, routes, places, at)

    def store_notice(
        self,
        run_id: str,
        key: str,
        route: str,
        week: str,
        text: str,
        *,
        at: datetime,
        receiver: str = "ops",
    ) -> None:
        """Store a message that is about no clock; a known key stays as it is."""
        with writing(self._engine) as connection:
            alerts.store_notice(connection, run_id, key, route, week, text, at, receiver)

    def unsent_messages(self) -> list[MessageRow]:
        """List messages that were stored and have not arrived, the oldest first."""
        with reading(self._engine) as connection:
            return alerts.unsent_messages(connection)

    def mark_message_sent(self, message_key: str, *, at: datetime) -> list[AlertRow]:
        """Note that a message has arrived; give the alerts that were in it."""
        with writing(self._engine) as connection:
            return alerts.mark_message_sent(connection, message_key, at)

    def mark_message_failed(self, message_key: str, *, fault: str) -> None:
        """Note why a try to send failed; the message goes on waiting."""
        with writing(self._engine) as connection:
            alerts.mark_message_failed(connection, message_key, fault)

    def list_alerts(self, *, is_all: bool = False) -> list[AlertRow]:
        """List alerts that nobody took note of, or all, the newest first."""
        with reading(self._engine) as connection:
            return alerts.list_alerts(connection, is_all=is_all)

    def acknowledge(self, alert_key: str, *, by: str, at: datetime) -> bool:
        """Note who took note of an alert; false when there is none such."""
        with writing(self._engine) as connection:
            return alerts.acknowledge(connection, alert_key, by, at)

    def keep_pack(
        self, run_id: str, week: str, content: Mapping[str, Any], *, as_of: datetime
    ) -> None:
        """Keep what a week's pack said; what was sent first stays."""
        with writing(self._engine) as connection:
            packs.keep_pack(connection, run_id, week, content, as_of)

    def pack_before(self, week: str) -> Mapping[str, Any] | None:
        """Give what the latest pack of an earlier week said."""
        with reading(self._engine) as connection:
            return packs.pack_before(connection, week)

    def save_descriptions(
        self, system: str, told: Mapping[str, Mapping[str, Any]], *, at: datetime
    ) -> None:
        """Keep what a CRM says of its objects, by kind, for runs with no requests to spare."""
        with writing(self._engine) as connection:
            descriptions.save_descriptions(connection, system, told, at)

    def descriptions(self, system: str, *, since: datetime) -> dict[str, Mapping[str, Any]]:
        """Give what a CRM said of its objects since a moment, per kind."""
        with reading(self._engine) as connection:
            return descriptions.descriptions(connection, system, since)

    # What the vendors hold

    def spool(self, batches: Iterable[Batch], *, is_continued: bool = False) -> Spool:
        """Read a pull to its end, or to where the vendor stopped, for `save_pull` to save.

        Nothing is saved and no transaction is open: several objects may be read side by side.

        Args:
            batches: what the CRM yields; memory holds one batch at a time.
            is_continued: it goes on where the pull that `progress` gives was stopped.

        Raises:
            VendorUnavailable: the vendor stopped before there was a place to go on from.
        """
        return Spool.of(batches, is_continued=is_continued)

    def save_pull(
        self,
        run_id: str,
        system: str,
        kind: str,
        batches: Iterable[Batch] | Spool,
        *,
        until: datetime,
        is_full: bool,
        seen_at: datetime,
        fields: Sequence[str] | None = None,
        accept: Callable[[PullCount], None] | None = None,
        further: Further | None = None,
    ) -> PullCount:
        """Save what a pull yields and move the watermark to `until`, in one transaction.

        Fields that a record does not carry stay as they were. Records that a full read does not
        bring are counted; those that it shows to be gone are marked as deleted, dated `seen_at`.

        Args:
            run_id: the run that reads.
            system: the CRM.
            kind: the vendor object.
            batches: a spool, or read to its end before anything is saved.
            until: everything changed up to here is in `batches`. A watermark never moves back.
            is_full: everything was asked for, not only changes.
            seen_at: when it was read.
            fields: fields that were asked for; None: those that came. Others are not kept.
            accept: sees the count before anything is saved; raising leaves everything as it was.
            further: its window's start, and what was read along.

        Raises:
            VendorUnavailable: the read was stopped half-way; what came is saved, `progress` says
                where it goes on, and the watermark stays.
        """
        pulled = Pulled(run_id, system, kind, until, is_full, seen_at)
        return snapshots.save_pull(
            self._engine, pulled, batches, fields, accept, further or Further()
        )

    def progress(self, system: str, kind: str) -> Progress | None:
        """Give the pull of an object that was stopped half-way; None when none was."""
        with reading(self._engine) as connection:
            return read_progress(connection, system, kind)

    def reread(self, system: str, kind: str, what: str) -> Reread | None:
        """Give when a list was last read that no changed record announces; None when never."""
        with reading(self._engine) as connection:
            return read_reread(connection, system, kind, what)

    def mark_reread(
        self, system: str, kind: str, what: str, *, at: datetime, value: int | None = None
    ) -> None:
        """Note that such a list was read, up to which moment, and the count it gave."""
        with writing(self._engine) as connection:
            mark_reread(connection, system, kind, what, at, value)

    def live_ids(self, system: str, kind: str) -> list[str]:
        """List the records that the vendor has, as far as we know, in order."""
        with reading(self._engine) as connection:
            return mirror.live_ids(connection, mirror.load_mirror(connection, system, kind))

    def archived_ids(self, system: str, kind: str) -> list[str]:
        """List deleted records that the vendor may still restore, in order."""
        with reading(self._engine) as connection:
            return mirror.archived_ids(connection, mirror.load_mirror(connection, system, kind))

    def count_live(
        self, system: str, kind: str, until: datetime | None = None
    ) -> tuple[int, datetime | None]:
        """Count live records created up to a moment; give the creation of the earliest too."""
        with reading(self._engine) as connection:
            known = mirror.load_mirror(connection, system, kind)
            return mirror.count_live(connection, known, until)

    def watermark(self, system: str, kind: str) -> datetime | None:
        """Give up to when an object was read; None when it never was."""
        with reading(self._engine) as connection:
            found = snapshots.read_watermark(connection, system, kind)
            return found.until if found else None

    def fields_read(self, system: str, kind: str) -> frozenset[str]:
        """Give the fields of which everything up to the watermark is in the mirror.

        Another field is missing on records that did not change since it was first asked for.
        """
        with reading(self._engine) as connection:
            found = snapshots.read_watermark(connection, system, kind)
            return found.fields if found else frozenset()

    def version_count(self) -> int:
        """Count the states of vendor records that were ever new: those that a pull wrote."""
        with reading(self._engine) as connection:
            return mirror.count_versions(connection)

    def mirror(
        self, system: str, kind: str, fields: Sequence[str], *, since: datetime | None = None
    ) -> pd.DataFrame:
        """Give the last seen state of every record, by record id; unknown fields are all missing.

        With `since`, only of live records whose stamp is not before it. Columns: `record_id`,
        `created_at`, `modified_at`, `is_deleted`, `merged_into`, the fields.
        """
        with reading(self._engine) as connection:
            found = mirror.load_mirror(connection, system, kind)
            return mirror.read_mirror(connection, found, fields, since)

    def history(self, system: str, kind: str, fields: Sequence[str]) -> pd.DataFrame:
        """Give `record_id`, `field`, `value`, `changed_at`, `source` of every value ever taken."""
        with reading(self._engine) as connection:
            return snapshots.read_history(connection, system, kind, fields)

    def associations(self, system: str, from_kind: str, to_kind: str) -> pd.DataFrame:
        """Give the associations that stand: `from_id`, `to_id`."""
        with reading(self._engine) as connection:
            return snapshots.read_associations(connection, system, from_kind, to_kind)

    # Who is who, and the measures

    def crosswalk(self, at: datetime | None = None) -> DataFrame[Crosswalk]:
        """Give the links that stand, or that stood at a moment, by system, kind and record id."""
        with reading(self._engine) as connection:
            return crosswalk.read_crosswalk(connection, at)

    def save_crosswalk(self, run_id: str, links: DataFrame[Crosswalk], *, at: datetime) -> int:
        """Make these the links that stand; only differences are written, ended ones are kept."""
        with writing(self._engine) as connection:
            return crosswalk.save_crosswalk(connection, run_id, links, at)

    def decide_match(
        self, entity: str, one: Place, other: Place, decision: Decision, *, by: str, at: datetime
    ) -> str:
        """Note a person's word on two records (system, kind, id); give the decision's id.

        An earlier word on the same pair is ended and kept.
        """
        return self.decide_matches([Decided(entity, one, other, decision)], by=by, at=at)[0]

    def decide_matches(self, decided: Sequence[Decided], *, by: str, at: datetime) -> list[str]:
        """Note several at once, all or none; give the decisions' ids, in order."""
        with writing(self._engine) as connection:
            return identity.decide_matches(connection, decided, by, at)

    def end_match_decisions(self, pairs: Sequence[str], *, by: str, at: datetime) -> int:
        """Take back what was decided on these pairs (`agreement.pairs.pair_id`); give how many."""
        with writing(self._engine) as connection:
            return identity.end_decisions(connection, pairs, by=by, at=at)

    def match_decisions(self, *, is_standing: bool = True) -> DataFrame[MatchDecisions]:
        """Give the decisions that stand, or all that ever did, by time."""
        with reading(self._engine) as connection:
            return identity.read_decisions(connection, is_standing=is_standing)

    def own_values(self) -> pd.DataFrame:
        """Give, per record and shared field that we wrote, people's value `before` and `after`."""
        with reading(self._engine) as connection:
            return identity.read_own_values(connection)

    def save_reviews(self, run_id: str, found: DataFrame[Reviews], *, at: datetime) -> None:
        """Make these the pairs that wait for a person; others are ended, and kept."""
        with writing(self._engine) as connection:
            identity.save_reviews(connection, run_id, found, at)

    def reviews(self, *, is_open: bool = True) -> DataFrame[Reviews]:
        """Give the pairs that wait for a person, or all that ever did, by id."""
        with reading(self._engine) as connection:
            return identity.read_reviews(connection, is_open=is_open)

    def save_measures(self, run_id: str, **frames: pd.DataFrame) -> None:
        """Make tables of figures hold exactly these rows, all or none."""
        with writing(self._engine) as connection:
            for name, frame in frames.items():
                measures.save_measure(connection, run_id, name, frame)

    def measure(self, name: str) -> pd.DataFrame:
        """Give the present rows of a table of figures, such as `handoff`, `touch` or `credit`."""
        with reading(self._engine) as connection:
            return measures.read_measure(connection, name)

    def measured_by(self, name: str, key: str, runs: Collection[str]) -> frozenset[str]:
        """Give the keys of a table's present rows that some runs first found so."""
        with reading(self._engine) as connection:
            return measures.read_keys(connection, name, key, runs)

    def credit_basis(self) -> DataFrame[CreditBasis]:
        """Give what the kept credits follow from, by deal."""
        with reading(self._engine) as connection:
            return credits.read_basis(connection)

    def save_credits(
        self,
        run_id: str,
        basis: DataFrame[CreditBasis],
        stale: Collection[str],
        fresh: DataFrame[Credits],
    ) -> None:
        """Put fresh credits in the place of those of stale deals; deals without a basis let go."""
        with writing(self._engine) as connection:
            credits.save_credits(connection, run_id, basis, stale, fresh)

    def credit_changes(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the deals whose credits moved since their lines were written, and these lines."""
        with reading(self._engine) as connection:
            changed = credits.changed_since_lines(connection)
            return changed, credits.read_lines(connection, changed["deal_id"].tolist())

    def credit_lines(self, deals: Collection[str] | None = None) -> pd.DataFrame:
        """Give the signed credit lines of some deals, or all, as written, with `run_id`."""
        with reading(self._engine) as connection:
            return credits.read_lines(connection, deals)

    def append_credit_lines(
        self,
        run_id: str,
        agreement_version: str,
        changed: pd.DataFrame,
        lines: DataFrame[CreditLines],
        *,
        at: datetime,
    ) -> int:
        """Write signed lines, and that these deals' lines follow from the present basis."""
        with writing(self._engine) as connection:
            return credits.append_lines(connection, run_id, agreement_version, changed, lines, at)

    # The reward ledger

    def post(
        self,
        run_id: str,
        postings: DataFrame[Postings],
        *,
        agreement_version: str | Mapping[str, str],
        at: datetime,
        credit: tuple[DataFrame[RewardCredits], Mapping[str, str]] | None = None,
        found: Sequence[Found] = (),
    ) -> int:
        """Append postings to the ledger's chain; give their number.

        Args:
            run_id: the run that posts.
            postings: none of them into a closed period.
            agreement_version: that of all, or of each period that they are computed for.
            at: when.
            credit: changes of the credit behind them, and where each computed period posts.
            found: what the night found of each period.
        """
        with writing(self._engine) as connection:
            if credit:
                periods.add_credits(connection, run_id, *credit)
            periods.save_found(connection, found)
            return rewards.post(connection, run_id, postings, agreement_version, at)

    def reward_credits(self) -> pd.DataFrame:
        """Give the credit that stands behind the postings, per period, deal and team."""
        with reading(self._engine) as connection:
            return periods.standing_credits(connection)

    def reward_credit_changes(self) -> pd.DataFrame:
        """Give every change of it in order, with the period it was posted in."""
        with reading(self._engine) as connection:
            return periods.read_credits(connection)

    def found_periods(self) -> dict[str, Found]:
        """Give what the latest night found of each period, in order."""
        with reading(self._engine) as connection:
            return periods.read_found(connection)

    def closed_periods(self) -> dict[str, Closed]:
        """Give the closed periods, in order."""
        with reading(self._engine) as connection:
            return periods.read_closed(connection)

    def acts(self) -> list[Act]:
        """List who proposed, approved, closed, exported and paid, the oldest first."""
        with reading(self._engine) as connection:
            return periods.read_acts(connection)

    def period_hash(self, found: Found | Closed) -> str:
        """Fix a period in one hash: terms, evidence, postings into it, and changes of credit."""
        with reading(self._engine) as connection:
            return periods.content_hash(connection, found.period, found.terms, found.evidence)

    def note_act(
        self,
        period: str,
        act: str,
        *,
        person: str,
        is_verified: bool,
        content_hash: str,
        at: datetime,
        closing: Found | None = None,
    ) -> None:
        """Note what somebody did to a period; with `closing`, freeze it in the same transaction."""
        with writing(self._engine) as connection:
            if closing:
                periods.close_period(connection, closing, content_hash, at)
            periods.note_act(connection, period, act, person, is_verified, content_hash, at)

    def kept_agreements(self) -> dict[str, Mapping[str, object]]:
        """Give the content of every agreement version that was used, by name."""
        with reading(self._engine) as connection:
            return runs.kept_agreements(connection)

    def posted(self) -> pd.DataFrame:
        """Give what is posted per `computed_for`, `participant`, `component`: `reward_minor`."""
        with reading(self._engine) as connection:
            return rewards.posted(connection)

    def postings(self) -> DataFrame[Postings]:
        """Give every posting in the order in which it was posted."""
        with reading(self._engine) as connection:
            return rewards.read_postings(connection)

    def first_broken_posting(self) -> int | None:
        """Recompute the chain; give the first entry that does not fit, None when all do."""
        with reading(self._engine) as connection:
            return rewards.first_broken(connection)

    def first_broken_act(self) -> int | None:
        """Recompute the chain of acts; give the first that does not fit, None when all do."""
        with reading(self._engine) as connection:
            return periods.first_broken_act(connection)

    def ledger_head_at(self, entry: int) -> str:
        """Give the hash that fixes the postings up to one entry; empty when there is no such."""
        with reading(self._engine) as connection:
            return periods.head_at(connection, entry)

    def ledger(self) -> pd.DataFrame:
        """Give every posting in order with all that the chain covers, hashes included."""
        with reading(self._engine) as connection:
            return rewards.read_ledger(connection)

    def ledger_head(self) -> str:
        """Give the hash that fixes every posting so far."""
        with reading(self._engine) as connection:
            return rewards.head(connection)

    # Plan and outbox

    def save_plan(
        self,
        run_id: str,
        writes: DataFrame[Writes],
        *,
        at: datetime,
        shared: Collection[tuple[str, str, str]] = (),
        notes: Mapping[str, object] = MappingProxyType({}),
        holds: DataFrame[Holds] | None = None,
        bases: DataFrame[Bases] | None = None,
    ) -> str:
        """Store a run's plan with its writes in the outbox, and the holds it makes; give its id.

        `shared` names the fields (system, kind, field) that people keep too; `notes` is what the
        plan leaves out, and why; `bases` are agreed values that it goes back to.
        """
        with writing(self._engine) as connection:
            if holds is not None:
                sharing.add_holds(connection, holds, at)
            if bases is not None:
                sharing.save_bases(connection, run_id, bases, at)
            return outbox.save_plan(connection, run_id, writes, at, shared, notes)

    def find_plan(self, plan_id: str) -> PlanRow | None:
        """Give a stored plan; None when there is none of this id."""
        with reading(self._engine) as connection:
            return outbox.find_plan(connection, plan_id)

    def written(self, *, plan_id: str | None = None, run_id: str | None = None) -> list[Written]:
        """List the writes of a plan or of a run with what became of them."""
        with reading(self._engine) as connection:
            if plan_id is not None:
                return outbox.written_by_plan(connection, plan_id)
            return outbox.written_by_run(connection, str(run_id))

    def written_to(self, system: str, kind: str, record_id: str) -> list[Written]:
        """List every write to one record, the oldest first, those that wait last."""
        with reading(self._engine) as connection:
            return outbox.written_to(connection, system, kind, record_id)

    def take_over(self, plan_id: str, run_id: str) -> int:
        """Make a stored plan's waiting writes this run's; give their number."""
        with writing(self._engine) as connection:
            return outbox.take_over(connection, plan_id, run_id)

    def mark_stale(self, keys: Sequence[str], why: str, *, at: datetime) -> None:
        """Say that writes are not sent, since what they would overwrite is something else now."""
        with writing(self._engine) as connection:
            outbox.mark_stale(connection, keys, why, at)

    def plan(self, plan_id: str) -> list[OutboxRow]:
        """List a plan's writes, whatever became of them."""
        with reading(self._engine) as connection:
            return outbox.read_plan(connection, plan_id)

    def planned(self, run_id: str) -> list[OutboxRow]:
        """List a run's writes that wait to be sent, by system, object and record."""
        with reading(self._engine) as connection:
            return outbox.planned(connection, run_id)

    def unsettled(self, run_id: str | None = None) -> list[OutboxRow]:
        """List writes that were sent and whose answer is not known, of one run or of all."""
        with reading(self._engine) as connection:
            return outbox.unsettled(connection, run_id)

    def abandon_planned(self, *, at: datetime, but_plan: str | None = None) -> int:
        """Drop writes that wait to be sent, but those of one plan; give their number."""
        with writing(self._engine) as connection:
            return outbox.abandon_planned(connection, at, but_plan)

    def mark_sent(self, keys: Sequence[str], *, at: datetime) -> None:
        """Say, before the first byte leaves, that these writes are sent.

        Raises:
            Busy: the lock was lost, so another run may be writing.
        """
        if self._check_lock:
            self._check_lock()
        with writing(self._engine) as connection:
            outbox.mark_sent(connection, keys, at)

    def settle(
        self, rows: Sequence[OutboxRow], outcomes: Sequence[Outcome], *, at: datetime
    ) -> int:
        """Note a CRM's answers, matched by record id; give how many writes it took.

        What it took is in the mirror at once; a row without an outcome stays as sent.
        """
        with writing(self._engine) as connection:
            return outbox.settle(connection, rows, outcomes, at)

    def settle_by_reading(
        self,
        rows: Sequence[OutboxRow],
        found: Iterable[Record],
        *,
        at: datetime,
        is_sent_again: bool = False,
    ) -> int:
        """Settle lost answers by what the records hold now; give how many writes had arrived.

        The others become stale, or wait to be sent again with `is_sent_again`.
        """
        with writing(self._engine) as connection:
            return outbox.settle_by_reading(
                connection, rows, found, at, is_sent_again=is_sent_again
            )

    def confirmed(self, run_id: str) -> dict[tuple[str, str], int]:
        """Count a run's records that a CRM took, per system and object."""
        with reading(self._engine) as connection:
            return outbox.count_confirmed(connection, run_id)

    def refusals(self, run_id: str) -> list[Refusal]:
        """List a run's records that a CRM refused, now or before with the same values, and why."""
        with reading(self._engine) as connection:
            return outbox.refusals(connection, run_id)

    def refused(self, run_id: str) -> int:
        """Count those records."""
        return len(self.refusals(run_id))

    # Fields that people share with us

    def bases(self) -> DataFrame[Bases]:
        """Give what both CRMs last agreed on, by pair and field."""
        with reading(self._engine) as connection:
            return sharing.read_bases(connection)

    def save_bases(self, run_id: str, agreed: DataFrame[Bases], *, at: datetime) -> int:
        """Keep what both agree on now; give how many rows differ. Two blanks end a base."""
        with writing(self._engine) as connection:
            return sharing.save_bases(connection, run_id, agreed, at)

    def save_conflicts(self, run_id: str, found: DataFrame[Conflicts], *, at: datetime) -> None:
        """Make these the open conflicts; others are ended, and kept."""
        with writing(self._engine) as connection:
            sharing.save_conflicts(connection, run_id, found, at)

    def open_conflicts(self) -> DataFrame[Conflicts]:
        """Give the conflicts that wait for a person."""
        with reading(self._engine) as connection:
            return sharing.open_conflicts(connection)

    def decide_conflict(self, conflict_id: str, side: str, *, by: str, at: datetime) -> bool:
        """Note whose value a person chose; False when no such conflict is open."""
        with writing(self._engine) as connection:
            return sharing.decide_conflict(connection, conflict_id, side, by, at)

    def decisions(self) -> pd.DataFrame:
        """Give people's choices: the pair, `field`, both values as they were, and `decision`."""
        with reading(self._engine) as connection:
            return sharing.read_decisions(connection)

    def holds(self) -> DataFrame[Holds]:
        """Give the fields that an undo holds, by system, object, record and field."""
        with reading(self._engine) as connection:
            return sharing.read_holds(connection)

    def end_holds(self, places: pd.DataFrame, *, by: str, at: datetime) -> int:
        """End the holds on these fields; give their number."""
        with writing(self._engine) as connection:
            return sharing.end_holds(connection, places, by=by, at=at)

    def release_holds(self, run_id: str | None, *, by: str, at: datetime) -> int:
        """End the holds that one undo made, or all; give their number."""
        with writing(self._engine) as connection:
            return sharing.release_holds(connection, run_id, by, at)

    def own_writes(self, fields: Mapping[tuple[str, str], set[str]]) -> pd.DataFrame:
        """Give what we wrote to these shared fields, with when it was sent and answered."""
        with reading(self._engine) as connection:
            return sharing.own_writes(connection, fields)
