"""What flows ask of a CRM, whichever it is: describe, pull, read back, update, create fields."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from agreement.records import Batch, Change, FieldInfo, IsKnown, Outcome, Record, Window


class Crm(Protocol):
    """One CRM behind its official client. Values go in and come out as canonical text."""

    system: str

    @property
    def calls(self) -> int:
        """Count the requests sent so far, tokens and repeats included."""

    def allow(self, share: Decimal, reserve: Decimal) -> None:
        """Use at most a share of the vendor's daily quota, and leave the reserve to others.

        Any request beyond raises VendorUnavailable. Where the vendor does not tell its quota, there
        is no end.
        """

    def close(self) -> None:
        """Let go of connections and threads."""

    def describe(self, kind: str) -> Mapping[str, FieldInfo] | None:
        """Give the object's fields by the vendor's name, or None when this token cannot read it.

        Asked once per object and run; a created field empties what is remembered.
        """

    def told(self, kind: str, fields: Collection[str]) -> Mapping[str, Any]:
        """Give what `recall` takes: what the CRM says of these fields, as plain values."""

    def recall(self, kind: str, told: Mapping[str, Any]) -> None:
        """Take an object to be as it was told, so that it need not be asked."""

    def pull(
        self,
        kind: str,
        fields: Sequence[str],
        window: Window,
        *,
        history_fields: Sequence[str] = (),
        associated: Sequence[str] = (),
        after: str = "",
        is_known: IsKnown | None = None,
    ) -> Iterator[Batch]:
        """Yield what changed in the window, page by page; everything when it has no start.

        Fields that the CRM does not have are left out. Merged records come too, and deleted ones
        where the CRM keeps them with the others. `after` is the `resume` of the last batch of a
        pull that was stopped. What `is_known` says of may be left out, where that saves requests.
        """

    def archived(self, kind: str) -> Iterator[Batch] | None:
        """Yield every archived record where the CRM keeps a list of them; None where it does not.

        A record that was archived and is in this list no more was restored, or is gone.
        """

    def deleted(self, kind: str, window: Window) -> Mapping[str, datetime]:
        """Give the ids deleted in the window and when, also of records that no pull shows any more.

        Empty where the CRM has no such log.
        """

    def counts(self, ours: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        """Count the live records of each kind created up to a moment.

        `ours` are our own counts, so that agreement may be cheap to see. A kind that cannot be
        counted is left out.
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
