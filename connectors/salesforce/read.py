"""Reading: what changed in a window, page by page; the records of given ids; what was deleted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

import orjson

from agreement.errors import VendorRejected
from agreement.records import Batch, Record, Window, instant_text, parse_instant
from connectors.salesforce import bulk
from connectors.salesforce.answers import has_code
from connectors.salesforce.bulk import Jobs
from connectors.salesforce.connection import Connection
from connectors.salesforce.rows import CsvRows, JsonRows, Layout
from connectors.salesforce.schema import SObject
from connectors.salesforce.values import long_id, soql_instant

# The vendor cuts addresses at about 16,000 bytes, headers included, with a page of HTML.
_LONGEST_QUERY = 12_000

# Records of one retrieval by ids.
READ_BACK = 2_000

_WHOLE_PAGES = {"Sforce-Query-Options": "batchSize=2000"}


@dataclass(frozen=True, slots=True)
class _Answer:
    """One page of a query: its records, how many the query has, and where the next page is."""

    records: tuple[Record, ...]
    total: int
    next_path: str | None


@dataclass(frozen=True)
class _Query:
    """The rows of one object between two moments, both inside; without a moment, open there."""

    connection: Connection
    sobject: SObject
    layout: Layout
    since: datetime | None
    until: datetime | None

    def soql(self, *, is_ordered: bool = True) -> str:
        """Write the query; bulk jobs are not ordered, which would make them slow or fail."""
        stamp = self.sobject.stamp
        bounds = [
            f"{stamp} {sign} {soql_instant(moment)}"
            for sign, moment in ((">=", self.since), ("<=", self.until))
            if stamp and moment
        ]
        names = ", ".join(self.layout.columns)
        selected = f"SELECT {names} FROM {self.sobject.name}"  # noqa: S608 - described names
        where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
        order = f" ORDER BY {f'{stamp}, ' if stamp else ''}Id" if is_ordered else ""
        return f"{selected}{where}{order}"

    def ask(self, next_path: str | None = None) -> _Answer:
        """Get the first page, or the one at a path that the page before named."""
        page = JsonRows(self.layout)

        def read(content: bytes) -> _Answer:
            body, records = page.parse(content, lambda body: body["records"])
            next_path = None if body["done"] else body["nextRecordsUrl"]
            return _Answer(records, body["totalSize"], next_path)

        answer: _Answer = self.connection.ask(
            "GET",
            next_path or "queryAll",
            what=f"the query of {self.sobject.name}",
            read=read,
            headers=_WHOLE_PAGES,
            params=None if next_path else {"q": self.soql()},
        )
        return answer


def pull(
    connection: Connection,
    sobject: SObject,
    fields: Sequence[str],
    window: Window,
    jobs: Jobs,
    after: str = "",
) -> Iterator[Batch]:
    """Yield the rows that changed in the window, deleted and archived ones included.

    Rows come in the order of their stamp, then id, so that ties are never split; in bulk they come
    in any order. Without a start everything is read, also what changed while we read. An object
    without a stamp is read whole.

    The first page tells how many rows there are. Above `jobs.above_rows`, and where the query is
    too long for an address or too slow, a bulk job reads them.

    `after` is the `resume` of the last batch of a pull that was stopped: the moment it had come to.
    """
    query = _Query(
        connection,
        sobject,
        sobject.layout(fields),
        parse_instant(after) if after else window.since,
        window.until if window.since else None,
    )
    answer: _Answer | None = None
    if len(quote_plus(query.soql())) <= _LONGEST_QUERY:
        answer = _first_page(query)
    if answer is None or answer.total > jobs.above_rows:
        job_id = _start_job(query, is_last_resort=answer is None)
        if job_id is not None:
            yield from bulk.results(connection, job_id, CsvRows(query.layout), jobs)
            return
    if answer is not None:
        yield from _pages(query, answer)


def _first_page(query: _Query) -> _Answer | None:
    """Ask for the first page; None when the vendor takes too long for it."""
    try:
        return query.ask()
    except VendorRejected as error:
        if has_code(error, "QUERY_TIMEOUT"):
            return None
        raise


def _start_job(query: _Query, *, is_last_resort: bool) -> str | None:
    """Start a bulk job; None when this object cannot be read so and pages still can."""
    try:
        return bulk.start_query(query.connection, query.soql(is_ordered=False))
    except VendorRejected:
        if is_last_resort:
            raise
        return None


def _pages(query: _Query, answer: _Answer) -> Iterator[Batch]:
    """Follow a query to its end. The vendor says when; a short page is not the last one.

    A cursor that died is opened anew at the last row read; the rows of that moment come twice.
    """
    newest: datetime | None = None
    while True:
        if answer.records:
            newest = answer.records[-1].modified_at
            resume = instant_text(newest) if newest and answer.next_path else ""
            yield Batch(records=answer.records, resume=resume)
        if answer.next_path is None:
            return
        try:
            answer = query.ask(answer.next_path)
        except VendorRejected as error:
            if not has_code(error, "INVALID_QUERY_LOCATOR") or query.since == newest:
                raise
            query = replace(query, since=newest)
            answer = query.ask()


def rows(connection: Connection, soql: str, what: str, *, path: str = "query") -> list[Any]:
    """List all rows of a small query, as the vendor writes them."""
    found: list[Any] = []
    body = connection.ask("GET", path, what=what, params={"q": soql})
    while True:
        found += body["records"]
        if body["done"]:
            return found
        body = connection.ask("GET", body["nextRecordsUrl"], what=what)


def read_back(
    connection: Connection, sobject: SObject, record_ids: Sequence[str], fields: Sequence[str]
) -> Iterator[Record]:
    """Yield the live records of these ids, with those of the fields that the object has."""
    layout = sobject.layout(fields)
    page = JsonRows(layout)
    for start in range(0, len(record_ids), READ_BACK):
        asked = {"ids": record_ids[start : start + READ_BACK], "fields": layout.columns}
        _, records = connection.ask(
            "POST",
            f"composite/sobjects/{sobject.name}",
            what=f"the reading of {sobject.name}",
            read=lambda content: page.parse(content, lambda body: [row for row in body if row]),
            data=orjson.dumps(asked),
        )
        yield from records


def count(connection: Connection, sobject: SObject, until: datetime) -> int:
    """Count the live rows created up to a moment, exactly."""
    created = f" WHERE CreatedDate <= {soql_instant(until)}"
    where = created if "CreatedDate" in sobject.fields else ""
    body = connection.ask(
        "GET",
        "query",
        what=f"the count of {sobject.name}",
        params={"q": f"SELECT COUNT() FROM {sobject.name}{where}"},  # noqa: S608 - described names
    )
    return int(body["totalSize"])


def counts(connection: Connection, sobjects: Sequence[SObject]) -> dict[str, int]:
    """Give about how many live rows objects have, by their names, in one request.

    The vendor counts now and then, not when asked; an object may be left out.
    """
    body = connection.ask(
        "GET",
        "limits/recordCount",
        what="the record counts",
        params={"sObjects": ",".join(sobject.name for sobject in sobjects)},
    )
    return {row["name"]: row["count"] for row in body["sObjects"]}


def deleted(connection: Connection, sobject: SObject, window: Window) -> dict[str, datetime]:
    """Give the ids deleted in the window with the moment of each, those purged since included.

    The vendor keeps this log for 15 days and may shorten it; both ends of the window are needed.
    """
    start = window.since or window.until
    body = connection.ask(
        "GET",
        f"sobjects/{sobject.name}/deleted/",
        what=f"the deletions of {sobject.name}",
        params={"start": start.isoformat(), "end": window.until.isoformat()},
    )
    return {
        long_id(row["id"]): datetime.fromisoformat(row["deletedDate"])
        for row in body["deletedRecords"]
    }
