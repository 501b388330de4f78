"""Write to CRM objects: values in batches, one answer per row; property definitions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from agreement.errors import BadTable, VendorRejected
from agreement.records import Change, FieldInfo, Outcome, RawRecord, Record
from connectors.hubspot.answers import SYSTEM, context_ids, reason
from connectors.hubspot.client import Client, Json
from connectors.hubspot.pages import chunked
from connectors.hubspot.paths import Paths
from connectors.hubspot.values import Reader, instant, new_property

BATCH = 100

_GROUP = "tandem"
_ALREADY_THERE = {"CONFLICT", "409"}

# What a row of a batch meets that is not its own fault; a later night sends it again.
_PASSING = {"INTERNAL_ERROR", "LOCKED", "RATE_LIMIT", "RATE_LIMITS"}

ReadBack = Callable[[Sequence[str], Reader], Iterable[Record]]


class Writer:
    """Sets values on records of one kind; `read_back` asks what is there now."""

    def __init__(
        self,
        client: Client,
        path: str,
        kind: str,
        described: Mapping[str, FieldInfo],
        read_back: ReadBack,
    ) -> None:
        self._client, self._path, self._kind = client, path, kind
        self._described, self._read_back = described, read_back
        self._text = Reader((), described).text

    def update(self, changes: Sequence[Change]) -> Iterator[list[Outcome]]:
        """Send changes, a hundred at a time; yield an outcome per change as it becomes known.

        A batch that is refused as a whole is split in halves until each bad row stands alone.

        Raises:
            BadTable: two changes are for one record, which HubSpot refuses as a whole.
        """
        if len({change.record_id for change in changes}) < len(changes):
            raise BadTable(f"two changes of one {self._kind} record in a batch; send one of them")
        return self._each(changes)

    def _each(self, changes: Sequence[Change]) -> Iterator[list[Outcome]]:
        waiting = list(chunked(changes, BATCH))[::-1]
        while waiting:
            outcomes, again = self._send(waiting.pop())
            if outcomes:
                yield outcomes
            waiting.extend(again)

    def _send(self, rows: list[Change]) -> tuple[list[Outcome], list[list[Change]]]:
        try:
            told = self._client.post(self._path, _body(rows), what=f"{self._kind} records")
        except VendorRejected as error:
            if len(rows) == 1:
                return [_refused(rows[0], error.reason)], []
            return [], _halves(rows)
        return self._sorted_out(rows, told)

    def _sorted_out(
        self, rows: list[Change], told: Json
    ) -> tuple[list[Outcome], list[list[Change]]]:
        """Match an answer to its rows by id, never by place.

        Rows that the answer does not mention are read back; when it holds an error that names no
        row, they are sent again in halves until it can be about one only.
        """
        refused, stray = _errors_by_row(told, {row.record_id for row in rows})
        answered = {str(raw["id"]): raw for raw in told.get("results") or ()}
        outcomes, silent = [], []
        for row in rows:
            if row.record_id in refused:
                outcomes.append(_refused(row, refused[row.record_id]))
            elif (outcome := self._told(row, answered.get(row.record_id))) is not None:
                outcomes.append(outcome)
            else:
                silent.append(row)
        if not silent:
            return outcomes, []
        if not stray:
            return [*outcomes, *self._read_again(silent)], []
        if len(silent) == 1:
            return [*outcomes, _refused(silent[0], stray[0])], []
        return outcomes, _halves(silent)

    def _told(self, row: Change, raw: RawRecord | None) -> Outcome | None:
        """Judge a row by its answer; None when the answer lacks it or a value that was set."""
        if raw is None:
            return None
        given = raw.get("properties") or {}
        if any(value is not None and name not in given for name, value in row.values.items()):
            return None
        kept = {name: self._text(name, given.get(name)) for name in row.values}
        stamp = instant(raw.get("updatedAt"))
        return self._compared(row, Record(row.record_id, kept, modified_at=stamp))

    def _compared(self, row: Change, now: Record) -> Outcome:
        """Accept a row whose values stand there now.

        HubSpot answers well and keeps its own value where it will not move: a lifecycle stage never
        goes back.
        """
        other = [
            name
            for name, value in row.values.items()
            if not _is_same(self._text(name, value), now.values.get(name))
        ]
        if other:
            return _refused(row, f"HubSpot kept its own value of {', '.join(other)}")
        kept = {name: now.values.get(name) for name in row.values}
        return Outcome(row.record_id, True, modified_at=now.modified_at, values=kept)

    def _read_again(self, rows: Sequence[Change]) -> Iterator[Outcome]:
        fields = Reader(chain.from_iterable(row.values for row in rows), self._described)
        now_there = self._read_back([row.record_id for row in rows], fields)
        found = {record.record_id: record for record in now_there}
        for row in rows:
            now = found.get(row.record_id)
            if now is None:
                yield _refused(row, "OBJECT_NOT_FOUND")
            elif now.merged_into:
                yield _refused(row, f"it was merged into {now.merged_into}")
            else:
                yield self._compared(row, now)


def _body(rows: Sequence[Change]) -> Json:
    """Write the request; an empty text clears.

    The trace id makes HubSpot refuse a bad row alone instead of the batch, and name it.
    """
    return {
        "inputs": [
            {
                "id": row.record_id,
                "properties": {name: value or "" for name, value in row.values.items()},
                "objectWriteTraceId": row.record_id,
            }
            for row in rows
        ]
    }


def _errors_by_row(told: Json, record_ids: set[str]) -> tuple[dict[str, str], list[str]]:
    """Give the reason of each row that an error names, and the reasons of errors that name none."""
    refused: dict[str, str] = {}
    stray: list[str] = []
    for error in told.get("errors") or ():
        named = [*context_ids(error, "objectWriteTraceId"), *context_ids(error, "ids")]
        rows = record_ids.intersection(named)
        refused |= dict.fromkeys(rows, _reason(error))
        if not rows:
            stray.append(_reason(error))
    return refused, stray


def _reason(error: Json) -> str:
    existing = [own for own in context_ids(error, "existingId") if own.isdigit()]
    return " ".join([reason(error), *existing])


def _refused(row: Change, why: str) -> Outcome:
    return Outcome(row.record_id, False, why, is_passing=not _PASSING.isdisjoint(why.split()))


def _halves(rows: list[Change]) -> list[list[Change]]:
    middle = len(rows) // 2
    return [rows[middle:], rows[:middle]]


def _is_same(sent: str | None, kept: str | None) -> bool:
    """Compare as HubSpot keeps values: it lowers the case of e-mails, and lists have no order."""
    if sent is None or kept is None or sent == kept:
        return sent == kept
    if "@" in sent:
        return sent.casefold() == kept.casefold()
    return ";" in sent and sorted(sent.split(";")) == sorted(kept.split(";"))


def create_properties(client: Client, paths: Paths, kind: str, fields: Sequence[FieldInfo]) -> None:
    """Create properties in a group of ours; one that is there already stays as it is.

    Raises:
        VendorRejected: HubSpot refuses a definition.
        AccessError: the token lacks the schema scope.
    """
    _create_group(client, paths, kind)
    waiting = list(chunked(fields, BATCH))
    while waiting:
        batch = waiting.pop()
        inputs = [new_property(field, _GROUP) for field in batch]
        try:
            told = client.post(
                paths.properties(kind, "/batch/create"), {"inputs": inputs}, what=f"{kind} fields"
            )
        except VendorRejected as error:
            # One name that is taken can refuse the whole batch.
            if len(batch) > 1:
                waiting += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
            elif not _is_already_there(error.reason):
                raise
            continue
        _check_created(told, kind)


def _create_group(client: Client, paths: Paths, kind: str) -> None:
    body = {"name": _GROUP, "label": "Tandem", "displayOrder": -1}
    try:
        client.post(paths.properties(kind, "/groups"), body, what=f"{kind} field group")
    except VendorRejected as error:
        if not _is_already_there(error.reason):
            raise


def _check_created(told: Json, kind: str) -> None:
    for error in told.get("errors") or ():
        if not _is_already_there(reason(error)):
            raise VendorRejected(
                SYSTEM, f"{kind} fields", reason(error), "Create them in HubSpot's settings"
            )


def _is_already_there(why: str) -> bool:
    words = set(why.split())
    return bool(words & _ALREADY_THERE) or any(word.endswith("_EXISTS") for word in words)
