"""What flows ask of a CRM, whichever it is: describe, pull, read back, update, create fields."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from agreement.records import Batch, Change, FieldInfo, Outcome, Record, Window


class Crm(Protocol):
    """One CRM behind its official client. Values go in and come out as canonical text."""

    system: str

    @property
    def calls(self) -> int:
        """Count the requests sent so far, tokens and repeats included."""

    def describe(self, kind: str) -> Mapping[str, FieldInfo] | None:
        """Give the object's fields by the vendor's name, or None when this token cannot read it.

        Asked once per object and run; a created field empties what is remembered.
        """

    def pull(
        self,
        kind: str,
        fields: Sequence[str],
        window: Window,
        *,
        history_fields: Sequence[str] = (),
        associated: Sequence[str] = (),
    ) -> Iterator[Batch]:
        """Yield what changed in the window, page by page; everything when it has no start.

        Fields that the CRM does not have are left out. Deleted and merged records come too.
        """

    def read_back(
        self, kind: str, record_ids: Sequence[str], fields: Sequence[str]
    ) -> Iterator[Record]:
        """Yield what the CRM holds now for these records; one that is gone is left out."""

    def batch_size(self, kind: str, count: int) -> int:
        """Give how many of `count` changes travel together: they are marked as sent together."""

    def update(self, kind: str, changes: Sequence[Change]) -> Iterator[Sequence[Outcome]]:
        """Send at most `batch_size` changes; yield one outcome per change, in any order."""

    def create_fields(self, kind: str, fields: Sequence[FieldInfo]) -> None:
        """Create fields so that the integration user can write and people can read them."""
