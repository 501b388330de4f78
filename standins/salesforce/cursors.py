"""Statements by page: the first carries out the search, the others read on in what it found."""

import itertools
import re
from typing import TYPE_CHECKING

from standins.salesforce.answers import Answer, JsonObject, Refused, Request, json_answer
from standins.salesforce.search import Found, search
from standins.salesforce.soql import malformed

if TYPE_CHECKING:
    from standins.salesforce.standin import SalesforceStandIn

_LARGEST_PAGE, _SMALLEST_PAGE = 2000, 200


class Cursors:
    """Answers to queries; the latest cursors stay open."""

    def __init__(self, standin: "SalesforceStandIn") -> None:
        self._standin, self._org = standin, standin.org
        self._cursors: dict[str, tuple[Found, int]] = {}
        self._numbers = itertools.count(1)

    def query(
        self, request: Request, v: str, *, with_deleted: bool = False, is_tooling: bool = False
    ) -> Answer:
        """Carry out a statement; give its first page."""
        text = request.query.get("q")
        if not text:
            raise malformed("A query string has to be specified")
        found = search(self._org, text, version=v, with_deleted=with_deleted, is_tooling=is_tooling)
        said = self._page(found, v, 0, _batch_size(request), None)
        if is_tooling:
            more = {"size": len(said["records"]), "queryLocator": None}
            said |= more | {"entityTypeName": found.sobject.name}
        return json_answer(said)

    def more(self, request: Request, v: str, locator: str) -> Answer:
        """Give a further page of a statement."""
        cursor, _, place = locator.rpartition("-")
        if cursor not in self._cursors or not place.isdigit():
            raise Refused("INVALID_QUERY_LOCATOR", "invalid query locator")
        found, size = self._cursors[cursor]
        return json_answer(self._page(found, v, int(place), size, cursor))

    def _page(
        self, found: Found, version: str, start: int, size: int, cursor: str | None
    ) -> JsonObject:
        size = min(size, self._standin.page_size)
        stop = len(found) if found.is_count or found.groups is not None else start + size
        said: JsonObject = {"totalSize": len(found), "done": stop >= len(found)}
        if not said["done"]:
            cursor = cursor or self._remember(found, size)
            said["nextRecordsUrl"] = f"/services/data/{version}/query/{cursor}-{stop}"
        said["records"] = found.shown(start, stop)
        return said

    def _remember(self, found: Found, size: int) -> str:
        cursor = f"0r8{next(self._numbers):012d}AAJ"
        self._cursors[cursor] = (found, size)
        if len(self._cursors) > self._standin.open_cursors:
            del self._cursors[next(iter(self._cursors))]
        return cursor


def _batch_size(request: Request) -> int:
    found = re.search(r"batchSize=(\d+)", request.headers.get("sforce-query-options", ""))
    return min(_LARGEST_PAGE, max(_SMALLEST_PAGE, int(found[1]))) if found else _LARGEST_PAGE
