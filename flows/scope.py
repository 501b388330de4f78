"""What a run is confined to: one object or one record, and a day from which to read again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import pandas as pd

from agreement.errors import BadInput
from flows.provision import written_kinds

_SYSTEMS = ("hubspot", "salesforce")


@dataclass(frozen=True, slots=True)
class Scope:
    """One object, or one record of it, that a run writes; everything else is read and computed."""

    system: str
    kind: str
    record_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read SYSTEM/OBJECT or SYSTEM/OBJECT/RECORD, such as salesforce/lead/00Q....

        Raises:
            BadInput: it names no object that Tandem writes.
        """
        system, _, rest = text.partition("/")
        kind, _, record_id = rest.partition("/")
        if system not in _SYSTEMS or kind not in written_kinds(system):
            known = [f"{name}/{kind}" for name in _SYSTEMS for kind in written_kinds(name)]
            raise BadInput(
                f"{text!r} names no object that Tandem writes. Write {', '.join(known)}, with /ID "
                "behind it for one record"
            )
        return cls(system, kind, record_id or None)

    def __str__(self) -> str:
        """Write it as it is read."""
        return "/".join(filter(None, (self.system, self.kind, self.record_id)))

    def covers(self, rows: pd.DataFrame) -> pd.Series:
        """Tell which rows of a frame with `system`, `kind` and `record_id` are inside."""
        inside = (rows["system"] == self.system) & (rows["kind"] == self.kind)
        return inside if self.record_id is None else inside & (rows["record_id"] == self.record_id)


def earliest(since: datetime | None, reread_since: datetime | None) -> datetime | None:
    """Give from when on to read: the earlier of the watermark and the day that ops name.

    None reads everything, and stays.
    """
    return min(since, reread_since) if since and reread_since else since
