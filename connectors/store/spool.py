"""What a pull brings waits here until its end: in memory while it is small, else in a file."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Self

import orjson

from agreement.errors import VendorUnavailable
from agreement.records import Association, Batch, HistoryEntry, Record

# Of each object that is read side by side with others; a larger one goes to an unnamed file.
_SPOOL_BYTES = 4 * 1024 * 1024
_NUL = "\x00"


class Spool:
    """One pull, read to its end or to where the vendor stopped answering.

    `fields` are those that came. `stopped` is why it ended early, at a place where it can go on,
    which `resume` names. `is_continued` says that it began at such a place.
    """

    def __init__(self, *, is_continued: bool = False) -> None:
        self.fields: set[str] = set()
        self.resume = ""
        self.stopped: VendorUnavailable | None = None
        self.is_continued = is_continued
        # Closed by whoever saves the pull.
        self._file = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115

    @classmethod
    def of(cls, batches: Iterable[Batch], *, is_continued: bool = False) -> Self:
        """Read everything, one line per batch; memory holds one batch and the spool's own share.

        Raises:
            VendorUnavailable: the vendor stopped before there was a place to go on from.
        """
        spool = cls(is_continued=is_continued)
        try:
            for batch in batches:
                spool._add(batch)
        except VendorUnavailable as error:
            if not spool.resume:
                spool.close()
                raise
            spool.stopped = error
        except BaseException:
            spool.close()
            raise
        return spool

    def _add(self, batch: Batch) -> None:
        self.fields.update(*(record.values.keys() for record in batch.records))
        self.resume = batch.resume or self.resume
        self._file.write(_line(batch))
        self._file.write(b"\n")

    def batches(self) -> Iterator[Batch]:
        """Yield what came, in order."""
        self._file.seek(0)
        return map(_batch, self._file)

    def close(self) -> None:
        """Forget what came."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _line(batch: Batch) -> bytes:
    """Write a batch; characters that a database cannot hold are replaced first."""
    try:
        line = orjson.dumps(batch, default=dict)
    except TypeError:  # half of a surrogate pair: no text to anybody but JSON
        return orjson.dumps(_storable_batch(batch), default=dict)
    return orjson.dumps(_storable_batch(batch), default=dict) if rb"\u0000" in line else line


def _storable_batch(batch: Batch) -> Batch:
    return replace(
        batch,
        records=tuple(
            replace(record, values=_storable_values(record.values)) for record in batch.records
        ),
        history=tuple(
            replace(entry, value=storable(entry.value), source=storable(entry.source) or "")
            for entry in batch.history
        ),
    )


def _storable_values(values: Mapping[str, str | None]) -> dict[str, str | None]:
    return {field: storable(value) for field, value in values.items()}


def storable(value: str | None) -> str | None:
    """Give text that both databases hold: without NUL, half a surrogate pair as a question mark.

    >>> storable("a" + chr(0) + "b")
    'ab'
    """
    if value is None:
        return None
    return value.replace(_NUL, "").encode("utf-8", "replace").decode("utf-8")


def _batch(line: bytes) -> Batch:
    raw = orjson.loads(line)
    return Batch(
        records=tuple(_record(fields) for fields in raw["records"]),
        history=tuple(
            HistoryEntry(**{**entry, "changed_at": _moment(entry["changed_at"])})
            for entry in raw["history"]
        ),
        associations=tuple(Association(**pair) for pair in raw["associations"]),
        associated=tuple(raw["associated"]),
        resume=raw["resume"],
    )


def _record(raw: dict[str, Any]) -> Record:
    times = {name: _moment(raw[name]) for name in ("created_at", "modified_at")}
    return Record(**{**raw, **times})


def _moment(text: str | None) -> Any:
    return datetime.fromisoformat(text) if text else None
