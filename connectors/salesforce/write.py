"""Writing: changed fields of given records, by the cheapest road, with one outcome per record."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from agreement.errors import BadTable, VendorRejected, VendorUnavailable
from agreement.records import Change, FieldInfo, FieldKind, Outcome, canonical
from connectors.salesforce import bulk
from connectors.salesforce.answers import (
    LOCKED,
    SYSTEM,
    blank,
    codes_of_text,
    row_reason,
)
from connectors.salesforce.bulk import Jobs
from connectors.salesforce.connection import Connection
from connectors.salesforce.schema import SObject
from connectors.salesforce.values import csv_value, json_value, long_id

# Records of one collections call, and rows and bytes of one bulk job, below the vendor's limits.
COLLECTION = 200
JOB_ROWS = 100_000
_JOB_BYTES = 95_000_000

# What a bulk cell cannot hold: longer text, and text that means "clear".
_LONGEST_CELL = 32_000
_CLEAR = "#N/A"

# A number written by a night must not hand the record to another owner, nor wait for a person to
# confirm a possible duplicate that was there before.
_QUIET = {
    "Content-Type": "application/json",
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Duplicate-Rule-Header": (
        "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true"
    ),
}
_LOCK_ATTEMPTS = 4
_LOCK_SECONDS = 1.0

Rows = Sequence[Change]


@dataclass(frozen=True)
class Writer:
    """Writes to one object of one org."""

    connection: Connection
    sobject: SObject
    jobs: Jobs
    jitter: random.Random

    def update(self, changes: Rows) -> Iterator[list[Outcome]]:
        """Set the given fields; yield one outcome per change, in any order.

        Rows are sent in the order given: put children of one parent side by side, since the vendor
        locks the parent. Only rows that met a lock are sent again, a few times; an outcome with
        that reason says that the row itself is sound.

        Raises:
            BadTable: two changes of one record.
            VendorUnavailable: some rows were not answered; read them back to learn what became of
                them.
        """
        rows, refused = self._checked(changes)
        if refused:
            yield refused
        for attempt in range(1, _LOCK_ATTEMPTS + 1):
            locked: set[str] = set()
            for outcomes in self._send(rows):
                if attempt < _LOCK_ATTEMPTS:
                    locked |= {outcome.record_id for outcome in outcomes if outcome.is_passing}
                if told := [row for row in outcomes if row.record_id not in locked]:
                    yield told
            if not locked:
                return
            rows = [row for row in rows if row.record_id in locked]
            self.jobs.sleep(_LOCK_SECONDS * 2.0 ** (attempt - 1) * (0.5 + self.jitter.random()))

    def _checked(self, changes: Rows) -> tuple[list[Change], list[Outcome]]:
        """Part what can be sent from what the vendor would refuse together with its neighbours."""
        rows = [Change(long_id(change.record_id), change.values) for change in changes]
        if len({row.record_id for row in rows}) < len(rows):
            raise BadTable(f"two changes of one {self.sobject.name} record in one batch")
        reasons = {row.record_id: self._fault(row) for row in rows}
        refused = [Outcome(key, False, reason) for key, reason in reasons.items() if reason]
        return [row for row in rows if not reasons[row.record_id]], refused

    def _fault(self, row: Change) -> str:
        fields = self.sobject.fields
        closed = [name for name in row.values if name not in fields or not fields[name].is_writable]
        if closed:
            names = ", ".join(sorted(closed))
            return f"INVALID_FIELD_FOR_INSERT_UPDATE: not there or not writable ({names})"
        try:
            for name, value in row.values.items():
                json_value(value, fields[name].kind)
        except ValueError as error:
            return f"INVALID_TYPE_ON_FIELD_IN_RECORD: {error} ({name})"
        return ""

    def _send(self, rows: Rows) -> Iterator[list[Outcome]]:
        in_bulk = [row for row in rows if _fits_cells(row)] if self._is_many(rows) else []
        by_job = {row.record_id: row for row in in_bulk}
        rest = [row for row in rows if row.record_id not in by_job]
        for outcomes in self._send_jobs(in_bulk):
            # Only a collections call can carry the word that lets a duplicate pass.
            again = {row.record_id for row in outcomes if row.reason.startswith("DUPLICATES_DET")}
            rest += [by_job[record_id] for record_id in sorted(again)]
            yield [row for row in outcomes if row.record_id not in again]
        for start in range(0, len(rest), COLLECTION):
            yield from self._send_collection(rest[start : start + COLLECTION])

    def _is_many(self, rows: Rows) -> bool:
        return len(rows) > self.jobs.write_above

    def _send_collection(self, rows: Rows) -> Iterator[list[Outcome]]:
        """Send up to 200 rows; halve a call that is refused whole, until the bad row is alone."""
        try:
            answers = self.connection.ask(
                "PATCH",
                "composite/sobjects",
                what=f"the update of {self.sobject.name}",
                data=orjson.dumps(
                    {"allOrNone": False, "records": [self._json_row(row) for row in rows]}
                ),
                headers=_QUIET,
            )
        except VendorRejected as error:
            if len(rows) == 1:
                yield [Outcome(rows[0].record_id, False, f"{error.reason}: the call was refused")]
                return
            middle = len(rows) // 2
            yield from self._send_collection(rows[:middle])
            yield from self._send_collection(rows[middle:])
            return
        if not isinstance(answers, list) or len(answers) != len(rows):
            raise VendorUnavailable(SYSTEM, f"an update of {len(rows)} rows was not answered whole")
        yield [self._outcome(row, answer) for row, answer in zip(rows, answers, strict=True)]

    def _json_row(self, row: Change) -> dict[str, Any]:
        values = {name: json_value(value, self._kind(name)) for name, value in row.values.items()}
        return {"attributes": {"type": self.sobject.name}, "id": row.record_id, **values}

    def _outcome(self, row: Change, answer: Mapping[str, Any]) -> Outcome:
        if not answer.get("success"):
            reason = row_reason(answer.get("errors") or (), row.values.values())
            return _refused(row.record_id, reason)
        return self._accepted(row)

    def _accepted(self, row: Change) -> Outcome:
        values = {
            name: canonical(value, self._kind(name))
            or ("false" if self._kind(name) == "boolean" else None)
            for name, value in row.values.items()
        }
        return Outcome(row.record_id, True, values=values)

    def _kind(self, name: str) -> FieldKind:
        return self.sobject.fields[name].kind

    def _send_jobs(self, rows: Rows) -> Iterator[list[Outcome]]:
        names = sorted({name for row in rows for name in row.values})
        fields = [self.sobject.fields[name] for name in names]
        for part in _parts(rows):
            yield from self._run_job(part, fields)

    def _run_job(self, rows: Rows, fields: Sequence[FieldInfo]) -> Iterator[list[Outcome]]:
        """Write rows by one job; an empty cell leaves a field as it is.

        A job that ends badly has still written some rows: those are told before the error.
        """
        order = {
            "object": self.sobject.name,
            "operation": "update",
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        job = self.connection.ask(
            "POST", "jobs/ingest", what=self._job_name, data=orjson.dumps(order)
        )
        path = f"jobs/ingest/{job['id']}"
        is_running = True
        try:
            self._upload(path, _csv(rows, fields))
            self._start(path)
            job = bulk.await_end(self.connection, path, self.jobs)
            is_running = False
            waiting = {row.record_id: row for row in rows}
            yield self._successes(path, waiting)
            yield self._failures(path, waiting)
            if waiting:
                raise bulk.failed(path, job)
        finally:
            bulk.end(self.connection, path, is_running=is_running)

    @property
    def _job_name(self) -> str:
        return f"a bulk update of {self.sobject.name}"

    def _upload(self, path: str, content: bytes) -> None:
        """Hand a job its one file; a second one is refused, so this is not repeated."""
        self.connection.ask(
            "PUT",
            f"{path}/batches",
            what=self._job_name,
            data=content,
            headers={"Content-Type": "text/csv; charset=UTF-8"},
            read=_nothing,
            is_repeatable=False,
        )

    def _start(self, path: str) -> None:
        """Let a job run; it may do so already when the answer to the first request was lost."""
        try:
            self.connection.ask(
                "PATCH", path, what=self._job_name, data=orjson.dumps({"state": "UploadComplete"})
            )
        except VendorRejected:
            job = self.connection.ask("GET", path, what=self._job_name)
            if job["state"] == "Open":
                raise

    def _successes(self, path: str, waiting: dict[str, Change]) -> list[Outcome]:
        content, _ = self.connection.fetch(
            f"{path}/successfulResults/", what="a bulk job's results"
        )
        done = (waiting.pop(long_id(row["sf__Id"]), None) for row in bulk.read_csv(content))
        return [self._accepted(row) for row in done if row]

    def _failures(self, path: str, waiting: dict[str, Change]) -> list[Outcome]:
        content, _ = self.connection.fetch(f"{path}/failedResults/", what="a bulk job's failures")
        outcomes = []
        for told in bulk.read_csv(content):
            record_id = long_id(told.get("sf__Id") or told["Id"])
            if row := waiting.pop(record_id, None):
                outcomes.append(_refused(record_id, _bulk_reason(told["sf__Error"], row)))
        return outcomes


def _nothing(content: bytes) -> None:
    """Take no answer: an upload has none, and a proxy's page would pass for one.

    Raises:
        ValueError: there is a body.
    """
    raise ValueError(f"{len(content)} bytes where none were expected")


def _refused(record_id: str, reason: str) -> Outcome:
    """Refuse a row; one that met a lock is sound and waits for the next night."""
    return Outcome(record_id, False, reason, is_passing=reason.startswith(LOCKED))


def _fits_cells(row: Change) -> bool:
    return all(
        value is None or (value != _CLEAR and len(value) <= _LONGEST_CELL)
        for value in row.values.values()
    )


def _parts(rows: Rows) -> Iterator[Rows]:
    """Cut rows into jobs by the vendor's limits of rows and bytes."""
    part: list[Change] = []
    size = 0
    for row in rows:
        row_size = 64 + sum(4 * len(value or _CLEAR) + 3 for value in row.values.values())
        if part and (len(part) == JOB_ROWS or size + row_size > _JOB_BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += row_size
    if part:
        yield part


def _csv(rows: Rows, fields: Sequence[FieldInfo]) -> bytes:
    return bulk.write_csv(
        ["Id", *(field.name for field in fields)],
        [
            [
                row.record_id,
                *(
                    csv_value(row.values[field.name], field.kind)
                    if field.name in row.values
                    else ""
                    for field in fields
                ),
            ]
            for row in rows
        ],
    )


def _bulk_reason(error: str, row: Change) -> str:
    """Write `CODE:message:fields --` as other rows' reasons are written, without values."""
    code, _, message = error.partition(":")
    codes = codes_of_text(code) or ("UNKNOWN_EXCEPTION",)
    message = message.removesuffix("--").strip(": ")
    return f"{codes[0]}: {blank(message, row.values.values())}"
