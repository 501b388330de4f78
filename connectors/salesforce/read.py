"""Reading: what changed in a window, page by page; the records of given ids; what was deleted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

import orjson

from agreement.errors import VendorRejected
from agreement.records import Batch, Record, Window
from connectors.salesforce import bulk
from connectors.salesforce.answers import has_code
from connectors.salesforce.bulk import Jobs
from connectors.salesforce.connection import Connection
from connectors.salesforce.schema import SObject
from connectors.salesforce.values import MARKS, Page, soql_instant

# The vendor cuts addresses at about 16,000 bytes, headers included, with a page of HTML.
_LONGEST_QUERY = 12_000

# Records of one retrieval by ids.
READ_BACK = 2_000

_WHOLE_PAGES = {"Sforce-Query-Options": "batchSize=2000"}


@dataclass(frozen=True)
class _Query:
    """The rows of one object between two moments, both inside; without a moment, open there."""

    sobject: SObject
    names: tuple[str, ...]
    since: datetime | None
    until: datetime | None

    def soql(self, *, is_ordered: bool) -> str:
        """Write the query; bulk jobs are not ordered, which would make them slow or fail."""
        stamp = self.sobject.stamp
        bounds = [
            f"{stamp} {sign} {soql_instant(moment)}"
            for sign, moment in ((">=", self.since), ("<=", self.until))
            if stamp and moment
        ]
        where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
        order = f" ORDER BY {f'{stamp}, ' if stamp else ''}Id" if is_ordered else ""
        selected = f"SELECT {', '.join(self.names)} FROM {self.sobject.name}"  # noqa: S608 - described
        return f"{selected}{where}{order}"

    def after(self, moment: datetime | None) -> "_Query":
        """Give what is left once everything before the moment is read."""
        return _Query(self.sobject, self.names, moment or self.since, self.until)


def pull(
    connection: Connection,
    sobject: SObject,
    fields: Sequence[str],
    window: Window,
    jobs: Jobs,
) -> Iterator[Batch]:
    """Yield the rows that changed in the window, deleted and archived ones included.

    Rows come in the order of their stamp, then id, so that ties are never split; in bulk they come
    in any order. Without a start everything is read, also what changed while we read. An object
    without a stamp is read whole.

    The first page tells how many rows there are. Above `jobs.above_rows`, and where the query is
    too long for an address or too slow, a bulk job reads them.
    """
    page = _page(sobject, fields)
    until = window.until if window.since else None
    query = _Query(sobject, page.columns, window.since, until)
    if len(quote_plus(query.soql(is_ordered=True))) > _LONGEST_QUERY:
        yield from bulk.read(connection, query.soql(is_ordered=False), page, jobs)
        return
    first = _first_page(connection, query, page)
    if first is None or first["totalSize"] > jobs.above_rows:
        job = _start_job(connection, query, is_last_resort=first is None)
        if job is not None:
            yield from bulk.results(connection, job, page, jobs)
            return
    yield from _pages(connection, query, page, first)


def _page(sobject: SObject, fields: Sequence[str]) -> Page:
    known = [sobject.fields[name] for name in dict.fromkeys(fields) if name in sobject.fields]
    marks = [name for name in MARKS if name in sobject.fields]
    return Page(known, sobject.stamp, marks, sobject.references)


def _first_page(connection: Connection, query: _Query, page: Page) -> dict[str, Any] | None:
    """Ask for the first page; None when the vendor takes too long for it."""
    try:
        return _ask_page(
            connection, page, query.sobject, "queryAll", params={"q": query.soql(is_ordered=True)}
        )
    except VendorRejected as error:
        if has_code(error, "QUERY_TIMEOUT"):
            return None
        raise


def _start_job(connection: Connection, query: _Query, *, is_last_resort: bool) -> str | None:
    """Start a bulk job; None when this object cannot be read so and pages still can."""
    try:
        return bulk.start_query(connection, query.soql(is_ordered=False))
    except VendorRejected:
        if is_last_resort:
            raise
        return None


def _pages(connection: Connection, query: _Query, page: Page, body: Any) -> Iterator[Batch]:
    """Follow a query to its end. The vendor says when; a short page is not the last one.

    A cursor that died is opened anew at the last row read; the rows of that moment come twice.
    """
    newest: datetime | None = None
    while True:
        if body["records"]:
            records = page.records(body["records"])
            newest = records[-1].modified_at
            yield Batch(records=records)
        if body["done"]:
            return
        try:
            body = _ask_page(connection, page, query.sobject, body["nextRecordsUrl"])
        except VendorRejected as error:
            if not has_code(error, "INVALID_QUERY_LOCATOR") or query.since == newest:
                raise
            query = query.after(newest)
            body = _ask_page(
                connection,
                page,
                query.sobject,
                "queryAll",
                params={"q": query.soql(is_ordered=True)},
            )


def _ask_page(
    connection: Connection, page: Page, sobject: SObject, path: str, **options: Any
) -> dict[str, Any]:
    def read(content: bytes) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(content)
        if not page.is_exact(body["records"]):
            body = json.loads(content, parse_float=Decimal)
        return body

    answer: dict[str, Any] = connection.ask(
        "GET",
        path,
        what=f"the query of {sobject.name}",
        read=read,
        headers=_WHOLE_PAGES,
        **options,
    )
    return answer


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
    page = _page(sobject, fields)
    for start in range(0, len(record_ids), READ_BACK):
        asked = {"ids": record_ids[start : start + READ_BACK], "fields": page.columns}

        def read(content: bytes) -> list[Any]:
            found: list[Any] = [row for row in orjson.loads(content) if row]
            return found if page.is_exact(found) else _exact(content)

        yield from page.records(
            connection.ask(
                "POST",
                f"composite/sobjects/{sobject.name}",
                what=f"the reading of {sobject.name}",
                read=read,
                data=orjson.dumps(asked),
            )
        )


def _exact(content: bytes) -> list[Any]:
    return [row for row in json.loads(content, parse_float=Decimal) if row]


def deleted(connection: Connection, sobject: SObject, window: Window) -> Mapping[str, str]:
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
    return {row["id"]: row["deletedDate"] for row in body["deletedRecords"]}
