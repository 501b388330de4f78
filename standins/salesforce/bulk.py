"""Bulk API 2.0: query jobs that give pages of CSV, ingest jobs that take a file of rows."""

import base64
import binascii
import csv
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from standins.salesforce import soql
from standins.salesforce.answers import Answer, JsonObject, Refused, json_answer, not_found
from standins.salesforce.ids import numbered_id
from standins.salesforce.org import Org
from standins.salesforce.schema import Field, SObject
from standins.salesforce.search import Found, search
from standins.salesforce.values import as_cell, from_csv, stamp
from standins.salesforce.writes import Rules, Writer, external_id, writable

_DELIMITERS = {
    "COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`",
}  # fmt: skip
_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_LARGEST_UPLOAD = 150_000_000
_LONGEST_CELL = 32_000
_OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})


@dataclass
class Job:
    """One job; `polls_left` is how often it still answers that it is at work."""

    id: str
    kind: str
    operation: str
    sobject: SObject
    version: str
    delimiter: str
    ending: str
    created_at: str
    state: str
    polls_left: int
    query: str = ""
    key: Field | None = None
    assignment_rule: str | None = None
    changed_at: str = ""
    error: str = ""
    upload: bytes | None = None
    found: Found | None = None
    header: list[str] = field(default_factory=list)
    done: list[tuple[str, str, list[str]]] = field(default_factory=list)
    failed: list[tuple[str, str, list[str]]] = field(default_factory=list)
    left: list[list[str]] = field(default_factory=list)


class Jobs:
    """All jobs of an org.

    `polls` is how often a job is found at work before it is done; `fail_next` makes the next job
    that starts fail with this message, after as many rows as `fail_after` says.
    """

    def __init__(self, org: Org, rules: Rules, seed: int = 0) -> None:
        self._org, self._rules, self._jobs = org, rules, dict[str, Job]()
        self._shuffle = random.Random(seed)
        self._created = 0
        self.polls = 1
        self.page_size = 50_000
        self.fail_next: str | None = None
        self.fail_after = 0

    # Jobs of either kind

    def create(self, kind: str, version: str, body: JsonObject) -> Answer:
        """Create a job.

        Raises:
            Refused: the body names no object, operation or query that the bulk API takes.
        """
        delimiter = str(body.get("columnDelimiter", "COMMA"))
        ending = str(body.get("lineEnding", "LF"))
        if delimiter not in _DELIMITERS or ending not in _ENDINGS:
            raise Refused("INVALIDJOB", f"unknown delimiter or line ending: {delimiter}, {ending}")
        make = self._query_job if kind == "query" else self._ingest_job
        at = stamp(self._org.now())
        # Counted, since the id of a deleted job is not given again.
        self._created += 1
        job_id = numbered_id("750", self._created)
        job = make(
            body,
            id=job_id,
            kind=kind,
            version=version,
            delimiter=delimiter,
            ending=ending,
            created_at=at,
            changed_at=at,
            polls_left=self.polls,
        )
        self._jobs[job_id] = job
        return json_answer(self._said(job))

    def all(self, kind: str) -> Answer:
        """List the jobs of a kind, newest first."""
        jobs = [self._said(job) for job in self._jobs.values() if job.kind == kind]
        return json_answer({"done": True, "records": jobs[::-1], "nextRecordsUrl": None})

    def look(self, kind: str, job_id: str) -> Answer:
        """Say how a job stands; looking is what moves it on."""
        job = self._job(kind, job_id)
        if job.state in {"UploadComplete", "InProgress"}:
            self._advance(job)
        return json_answer(self._said(job))

    def set_state(self, kind: str, job_id: str, state: object) -> Answer:
        """Close or abort a job."""
        job = self._job(kind, job_id)
        is_open = job.state in {"Open", "UploadComplete", "InProgress"}
        if state == "Aborted" and is_open:
            job.state = "Aborted"
        elif state == "UploadComplete" and kind == "ingest" and job.state == "Open":
            job.state = "UploadComplete"
        else:
            raise Refused("INVALIDJOBSTATE", f"Job in state {job.state} cannot become {state}")
        return json_answer(self._said(job))

    def delete(self, kind: str, job_id: str) -> Answer:
        """Forget a job that is over."""
        job = self._job(kind, job_id)
        if job.state in {"UploadComplete", "InProgress"}:
            raise Refused("INVALIDJOBSTATE", f"Job in state {job.state} cannot be deleted")
        del self._jobs[job.id]
        return Answer(204)

    def _job(self, kind: str, job_id: str) -> Job:
        job = self._jobs.get(job_id) or self._jobs.get(f"{job_id}"[:18])
        if job is None or job.kind != kind:
            raise not_found()
        return job

    def _advance(self, job: Job) -> None:
        job.changed_at = stamp(self._org.now())
        if job.polls_left > 0:
            job.polls_left -= 1
            job.state = "InProgress"
            return
        job.state = "JobComplete"
        self._run_query(job) if job.kind == "query" else self._run_ingest(job)

    def _said(self, job: Job) -> JsonObject:
        said: JsonObject = {
            "id": job.id, "operation": job.operation, "object": job.sobject.name,
            "createdById": self._org.integration_user_id, "createdDate": job.created_at,
            "systemModstamp": job.changed_at, "state": job.state,
            "concurrencyMode": "Parallel", "contentType": "CSV",
            "apiVersion": float(job.version.removeprefix("v")), "lineEnding": job.ending,
            "columnDelimiter": job.delimiter,
        }  # fmt: skip
        if job.kind == "ingest":
            said["contentUrl"] = f"services/data/{job.version}/jobs/ingest/{job.id}/batches"
            said["jobType"] = "V2Ingest"
            if job.key is not None:
                said["externalIdFieldName"] = job.key.name
            if job.assignment_rule is not None:
                said["assignmentRuleId"] = job.assignment_rule
        if job.state in {"InProgress", "JobComplete", "Failed", "Aborted"}:
            said |= self._progress(job)
        return said

    def _progress(self, job: Job) -> JsonObject:
        processed = len(job.done) + len(job.failed) if job.found is None else len(job.found)
        said: JsonObject = {
            "numberRecordsProcessed": processed, "retries": 0, "totalProcessingTime": processed,
        }  # fmt: skip
        if job.kind == "query":
            said["isPkChunkingSupported"] = True
        else:
            said |= {
                "numberRecordsFailed": len(job.failed), "apiActiveProcessingTime": processed,
                "apexProcessingTime": 0,
            }  # fmt: skip
        if job.error:
            said["errorMessage"] = job.error
        return said

    def _planned_failure(self) -> str | None:
        planned, self.fail_next = self.fail_next, None
        return planned

    # Query

    def _query_job(self, body: JsonObject, **common: Any) -> Job:
        text, operation = body.get("query"), body.get("operation")
        if not isinstance(text, str) or operation not in {"query", "queryAll"}:
            raise Refused("INVALIDJOB", "operation must be query or queryAll, with a query")
        _check_bulk_query(self._org, text)
        found = search(self._org, text)
        return Job(
            operation=str(operation), sobject=found.sobject, query=text, state="UploadComplete",
            **common,
        )  # fmt: skip

    def _run_query(self, job: Job) -> None:
        planned = self._planned_failure()
        if planned is not None:
            job.state, job.error = "Failed", planned
            return
        job.found = search(
            self._org,
            job.query,
            version=job.version,
            with_deleted=job.operation == "queryAll",
        )

    def results(self, job_id: str, version: str, asked: Mapping[str, str]) -> Answer:
        """Give a page of a query's rows, header included.

        Raises:
            Refused: the job is not done, was made with another version, or has no such page.
        """
        job = self._job("query", job_id)
        if version != job.version:
            raise Refused("VERSION_MISMATCH", f"the job was created with {job.version}", status=409)
        if job.found is None:
            raise Refused("JOB_NOT_COMPLETE", f"Job is in state {job.state}; no results yet")
        start = _place(asked.get("locator"), len(job.found))
        size = min(int(asked.get("maxRecords") or self.page_size), self.page_size)
        rows = job.found.rows[start : start + size]
        stop = start + len(rows)
        getters = [getter for _, getter in job.found.columns]
        page = _written(
            job,
            [name for name, _ in job.found.columns],
            ([as_cell(get(row)) for get in getters] for row in rows),
        )
        locator = "null" if stop >= len(job.found) else _locator(stop)
        return Answer(
            200,
            page,
            {
                "content-type": "text/csv",
                "sforce-numberofrecords": str(len(rows)),
                "sforce-locator": locator,
            },
        )

    # Ingest

    def _ingest_job(self, body: JsonObject, **common: Any) -> Job:
        operation = body.get("operation")
        if operation not in _OPERATIONS or not isinstance(body.get("object"), str):
            raise Refused("INVALIDJOB", "object and operation are needed")
        if body.get("contentType", "CSV") != "CSV":
            raise Refused("INVALIDJOB", "contentType must be CSV")
        sobject = writable(self._org, body["object"])
        key = None
        if operation == "upsert":
            key = external_id(self._org, sobject, str(body.get("externalIdFieldName") or "?"))
        return Job(
            operation=str(operation), sobject=sobject, state="Open", key=key,
            assignment_rule=body.get("assignmentRuleId"), **common,
        )  # fmt: skip

    def upload(self, job_id: str, content_type: str, data: bytes) -> Answer:
        """Take the file of an open job, once.

        Raises:
            Refused: the job is not open, has its file, or the file is no CSV or too large.
        """
        job = self._job("ingest", job_id)
        if job.state != "Open" or job.upload is not None:
            raise Refused("INVALIDJOBSTATE", "the job has its data or is not open")
        if not content_type.lower().startswith("text/csv"):
            raise Refused("INVALIDCONTENTTYPE", "Content-Type must be text/csv", status=415)
        if len(data) * 4 / 3 > _LARGEST_UPLOAD:
            raise Refused("REQUEST_ENTITY_TOO_LARGE", "Request content too large", status=413)
        job.upload = data
        return Answer(201)

    def _run_ingest(self, job: Job) -> None:
        try:
            rows = _read(job, (job.upload or b"").decode("utf-8-sig"))
            writer = Writer(self._org, self._applied_rules(job), {})
            headers = [name for name in job.header if name != "Id"]
            writer.read(job.sobject, dict.fromkeys(headers, "#N/A"), from_csv)
        except UnicodeDecodeError:
            job.state, job.error = "Failed", "InvalidBatch : file is not UTF-8"
        except Refused as refused:
            name = refused.message.split("'")[1] if "'" in refused.message else refused.message
            is_field = refused.code == "INVALID_FIELD"
            job.error = f"InvalidBatch : Field name not found : {name}" if is_field else name
            job.state = "Failed"
        else:
            self._write_rows(job, writer, rows)

    def _applied_rules(self, job: Job) -> Rules:
        """Ingest knows no headers: a lead is assigned only by the job's own rule."""
        owner = self._rules.assignment_owner if job.assignment_rule else None
        return replace(self._rules, assignment_owner=owner)

    def _write_rows(self, job: Job, writer: Writer, rows: list[list[str]]) -> None:
        planned = self._planned_failure()
        stop = self.fail_after if planned is not None else len(rows)
        work = _ROW_WORK[job.operation]
        for cells in rows[:stop]:
            given = dict(zip(job.header, cells, strict=True))
            try:
                record_id, is_new = work(writer, job, given)
                job.done.append((record_id, str(is_new).lower(), cells))
            except Refused as refused:
                tail = ",".join(refused.fields)
                reason = f"{refused.code}:{refused.message}:{tail} --"
                job.failed.append((given.get("Id", ""), reason, cells))
        job.left = rows[stop:]
        self._shuffle.shuffle(job.done)
        self._shuffle.shuffle(job.failed)
        if planned is not None:
            job.state, job.error = "Failed", planned

    def outcome(self, job_id: str, which: str) -> Answer:
        """Give the rows that were written, refused, or not come to; in any order.

        Raises:
            Refused: the job is not over, or there is no such file.
        """
        job = self._job("ingest", job_id)
        if job.state not in {"JobComplete", "Failed", "Aborted"}:
            raise Refused("JOB_NOT_COMPLETE", f"Job is in state {job.state}; no results yet")
        named = which.lower()
        if named == "successfulresults":
            rows = [[a, b, *cells] for a, b, cells in job.done]
            page = _written(job, ["sf__Id", "sf__Created", *job.header], rows)
        elif named == "failedresults":
            rows = [[a, b, *cells] for a, b, cells in job.failed]
            page = _written(job, ["sf__Id", "sf__Error", *job.header], rows)
        elif named == "unprocessedrecords":
            page = _written(job, job.header, job.left)
        else:
            raise not_found()
        return Answer(200, page, {"content-type": "text/csv"})


def _check_bulk_query(org: Org, text: str) -> None:
    """Refuse what the bulk API cannot do: groups, functions, children, places in a list."""
    query = soql.parse(text)
    is_plain = all(isinstance(asked, soql.Path) for asked in query.select)
    if query.group_by or query.offset or not is_plain:
        raise Refused(
            "API_ERROR",
            "GROUP BY, OFFSET, TYPEOF, FIELDS(), aggregate functions and subqueries are not "
            "supported in bulk queries",
        )
    sobject = org.objects.get(query.source.lower())
    for asked in query.select:
        name = asked.parts[-1].lower() if isinstance(asked, soql.Path) else ""
        if sobject and name in sobject.fields and sobject.fields[name].type == "address":
            raise Refused("API_ERROR", f"compound field {name} is not supported in bulk queries")


def _locator(place: int) -> str:
    return base64.urlsafe_b64encode(f"page:{place}".encode()).decode().rstrip("=")


def _place(locator: str | None, size: int) -> int:
    if not locator:
        return 0
    try:
        padded = locator + "=" * (-len(locator) % 4)
        word, _, place = base64.urlsafe_b64decode(padded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        word, place = "", ""
    if word != "page" or not place.isdigit() or int(place) >= size:
        raise Refused("INVALID_QUERY_LOCATOR", "invalid query locator")
    return int(place)


def _written(job: Job, header: Sequence[str], rows: Any) -> bytes:
    page = io.StringIO(newline="")
    writer = csv.writer(
        page,
        delimiter=_DELIMITERS[job.delimiter],
        lineterminator=_ENDINGS[job.ending],
        quoting=csv.QUOTE_ALL,
    )
    writer.writerow(header)
    writer.writerows(rows)
    return page.getvalue().encode()


def _read(job: Job, text: str) -> list[list[str]]:
    """Read an uploaded file; keep its header with the job.

    Raises:
        Refused: another line ending than declared, no header, a row of another width, a cell
            too long.
    """
    first = text.partition("\n")[0]
    if first and first.endswith("\r") != (job.ending == "CRLF"):
        message = f"LineEnding is invalid on user data. Current LineEnding setting is {job.ending}"
        raise Refused("INVALIDBATCH", f"InvalidBatch : {message}")
    csv.field_size_limit(_LARGEST_UPLOAD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_DELIMITERS[job.delimiter])
    try:
        job.header = next(reader, [])
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise Refused("INVALIDBATCH", f"InvalidBatch : {error}") from None
    if not job.header:
        raise Refused("INVALIDBATCH", "InvalidBatch : no header")
    job.header = ["Id" if name.lower() == "id" else name for name in job.header]
    for row in rows:
        if len(row) != len(job.header):
            raise Refused("INVALIDBATCH", "InvalidBatch : a row has another number of columns")
        if max(map(len, row)) > _LONGEST_CELL:
            raise Refused("INVALIDBATCH", "InvalidBatch : a field is longer than 32000 characters")
    return rows


def _filled(given: Mapping[str, str]) -> dict[str, object]:
    """Leave out empty cells: they change nothing."""
    return {name: cell for name, cell in given.items() if cell != "" and name != "Id"}


def _insert_row(writer: Writer, job: Job, given: Mapping[str, str]) -> tuple[str, bool]:
    return writer.insert(job.sobject, writer.read(job.sobject, _filled(given), from_csv)), True


def _update_row(writer: Writer, job: Job, given: Mapping[str, str]) -> tuple[str, bool]:
    if not given.get("Id"):
        raise Refused("MISSING_ARGUMENT", "Id not specified in an update call")
    values = writer.read(job.sobject, _filled(given), from_csv)
    return writer.update(job.sobject, given["Id"], values), False


def _upsert_row(writer: Writer, job: Job, given: Mapping[str, str]) -> tuple[str, bool]:
    assert job.key is not None  # noqa: S101 - an upsert job is not created without one
    values = writer.read(job.sobject, _filled(given), from_csv)
    key_value = given.get(job.key.name) or None
    return writer.upsert(job.sobject, job.key, key_value, values)


def _delete_row(writer: Writer, job: Job, given: Mapping[str, str]) -> tuple[str, bool]:
    return writer.delete(job.sobject, given.get("Id", "")), False


_ROW_WORK: Mapping[str, Callable[[Writer, Job, Mapping[str, str]], tuple[str, bool]]] = {
    "insert": _insert_row,
    "update": _update_row,
    "upsert": _upsert_row,
    "delete": _delete_row,
    "hardDelete": _delete_row,
}
