"""Bulk API 2.0: jobs that read or write many rows, as CSV, for a handful of requests."""

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import csv as arrow_csv

from agreement.errors import VendorError, VendorRejected, VendorUnavailable
from agreement.records import Batch
from connectors.salesforce.answers import SYSTEM, codes_of_text
from connectors.salesforce.connection import Connection
from connectors.salesforce.rows import CsvRows

# A row may have 400,000 characters; a block must hold the longest one.
_BLOCK_BYTES = 4 << 20

_END_OF_RESULTS = "null"
_ENDED = {"JobComplete", "Failed", "Aborted"}


@dataclass(frozen=True)
class Jobs:
    """When jobs are used, and how patiently they are awaited.

    Each look at a job is a request of the daily limit, so looks grow apart, from
    `first_look_seconds` to `last_look_seconds`: fourteen of them, which make twenty requests with
    the job's other six, see a job of six minutes end, at most a minute late.
    """

    above_rows: int = 20_000
    page_rows: int = 50_000
    write_above: int = 2_000
    first_look_seconds: float = 1.0
    last_look_seconds: float = 60.0
    patience_seconds: float = 7_200.0
    sleep: Callable[[float], None] = time.sleep


def start_query(connection: Connection, soql: str) -> str:
    """Start a job that runs a query; give its id.

    Raises:
        VendorRejected: the query or its object is not for bulk.
    """
    job = connection.ask(
        "POST",
        "jobs/query",
        what="a bulk query",
        data=orjson.dumps(
            {
                "operation": "queryAll",
                "query": soql,
                "contentType": "CSV",
                "columnDelimiter": "COMMA",
                "lineEnding": "LF",
            }
        ),
    )
    return str(job["id"])


def results(connection: Connection, job_id: str, rows: CsvRows, jobs: Jobs) -> Iterator[Batch]:
    """Yield a query job's rows once it has ended; delete the job.

    The memory needed is one page of results, whatever the number of rows.
    """
    path = f"jobs/query/{job_id}"
    is_running = True
    try:
        job = await_end(connection, path, jobs)
        is_running = False
        if job["state"] != "JobComplete":
            raise failed(path, job)
        yield from _result_pages(connection, path, rows, jobs)
    finally:
        end(connection, path, is_running=is_running)


def _result_pages(connection: Connection, path: str, rows: CsvRows, jobs: Jobs) -> Iterator[Batch]:
    locator = ""
    while locator != _END_OF_RESULTS:
        params: dict[str, str | int] = {"maxRecords": jobs.page_rows}
        if locator:
            params["locator"] = locator
        content, headers = connection.fetch(
            f"{path}/results", what="a bulk query's results", params=params
        )
        count = 0
        for batch in parse(content, rows):
            count += len(batch.records)
            yield batch
        told = headers.get("Sforce-NumberOfRecords", "")
        if told.isdigit() and int(told) != count:
            raise VendorUnavailable(SYSTEM, f"{path} gave {count} of {told} rows of a page")
        locator = headers.get("Sforce-Locator") or _END_OF_RESULTS


def parse(content: bytes, rows: CsvRows) -> Iterator[Batch]:
    """Read a page of results, which begins with its header line like every other page.

    All cells are text: a guessed type would take the zeros off `000123`. Empty is missing. Line
    breaks inside values are kept; NUL is dropped.
    """
    content = content.replace(b"\0", b"")
    header, _, body = content.partition(b"\n")
    if not body.strip():
        return
    names = next(csv.reader([header.decode("utf-8-sig")]))
    try:
        reader = arrow_csv.open_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        for block in reader:
            columns = {name: block.column(name).to_pylist() for name in names}
            yield Batch(records=rows.records(columns))
    except pa.ArrowInvalid:
        raise VendorUnavailable(SYSTEM, "a bulk query's results are cut or no CSV") from None


def await_end(connection: Connection, path: str, jobs: Jobs) -> dict[str, Any]:
    """Look at a job until it has ended; give its last state.

    Raises:
        VendorUnavailable: it takes longer than a run should wait.
    """
    wait, waited = jobs.first_look_seconds, 0.0
    while waited <= jobs.patience_seconds:
        # Hardly a job is done at once: look after the first wait, not before.
        jobs.sleep(wait)
        waited += wait
        job: dict[str, Any] = connection.ask("GET", path, what="a bulk job")
        if job["state"] in _ENDED:
            return job
        wait = min(wait * 1.5, jobs.last_look_seconds)
    raise VendorUnavailable(SYSTEM, f"{path} has not ended after {jobs.patience_seconds:,.0f} s")


def failed(path: str, job: dict[str, Any]) -> VendorError:
    """Say what a job that did not complete means: a fault of ours, or of the moment."""
    message = str(job.get("errorMessage") or "")
    reason = ", ".join(codes_of_text(message)) or "no code"
    if "InvalidBatch" in message or "INVALID" in reason or "MALFORMED" in reason:
        return VendorRejected(
            SYSTEM, path, reason, "Check that the integration user may see every field used"
        )
    return VendorUnavailable(SYSTEM, f"{path} ended as {job['state']} ({reason})")


def end(connection: Connection, path: str, *, is_running: bool = False) -> None:
    """Delete a job, and abort it first when it may still run; not to have done so harms nothing."""
    if is_running:
        with suppress(VendorError):
            connection.ask(
                "PATCH", path, what="a bulk job", data=orjson.dumps({"state": "Aborted"})
            )
    with suppress(VendorError):
        connection.ask("DELETE", path, what="a bulk job")


def write_csv(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Write rows as the vendor reads them: UTF-8, LF, quotes where needed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def read_csv(content: bytes) -> Iterator[dict[str, str]]:
    """Yield the rows of a job's result by column name; line breaks inside values are kept."""
    text = io.StringIO(content.replace(b"\0", b"").decode("utf-8-sig"), newline="")
    yield from csv.DictReader(text)
