"""Salesforce behind its official client: describe, pull, read back, update, create fields."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from agreement.records import Batch, Change, FieldInfo, IsKnown, Outcome, Record, Window
from connectors.salesforce import permissions, provision, read
from connectors.salesforce.answers import SYSTEM
from connectors.salesforce.bulk import Jobs
from connectors.salesforce.connection import Connection
from connectors.salesforce.schema import SOBJECTS, Schema
from connectors.salesforce.write import COLLECTION, JOB_ROWS, Writer
from connectors.settings import Settings
from connectors.transport import Budget, Pacer, Road

__all__ = ["SOBJECTS", "Jobs", "Salesforce"]

_TIMEOUT_SECONDS = (5.0, 120.0)

# Objects whose deletions are in the vendor's log, and that matter when they are gone.
_LOGGED = frozenset(
    {
        "lead",
        "contact",
        "account",
        "opportunity",
        "opportunity_contact_role",
        "campaign",
        "campaign_member",
        "task",
        "event",
    }
)


class Salesforce:
    """One Salesforce org. Safe to share between threads; values are canonical text.

    The login happens with the first request.
    """

    system = SYSTEM

    def __init__(self, connection: Connection, jobs: Jobs, *, seed: int = 0) -> None:
        self._connection, self._jobs = connection, jobs
        self._schema = Schema(connection)
        self._jitter = random.Random(seed)  # noqa: S311 - spreads retries only

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        road: Road | None = None,
        jobs: Jobs | None = None,
        timeout: tuple[float, float] = _TIMEOUT_SECONDS,
    ) -> "Salesforce":
        """Make ready to connect as the settings say; nothing is sent yet.

        Args:
            settings: the addresses and credentials.
            road: budget, pace and repeats; by default no budget and no pace, since the vendor
                limits requests per day and not per second.
            jobs: when bulk jobs are used.
            timeout: seconds to connect, and seconds between two packets of an answer.

        Raises:
            BadInput: a credential or address is missing or wrong.
        """
        road = road or Road(Budget(SYSTEM), {"all": Pacer(None, 1)})
        access = settings.salesforce_access()
        return cls(Connection(access, road, timeout=timeout), jobs or Jobs())

    @property
    def calls(self) -> int:
        """Count the requests sent so far, logins and repeats included."""
        return self._connection.road.calls

    def close(self) -> None:
        """Let go of the connections."""
        self._connection.close()

    @property
    def api_used(self) -> tuple[int, int] | None:
        """Give the whole org's requests of the last 24 hours and their limit, as last told."""
        return self._connection.api_used

    @property
    def integration_user_id(self) -> str | None:
        """Give the id of the user behind the token; None when the org does not tell."""
        return self._connection.user_id()

    @property
    def records_url(self) -> str:
        """Give the beginning of a link to any record; its id comes behind."""
        return f"{self._connection.instance_url.rstrip('/')}/"

    def rights(self) -> permissions.Rights:
        """Say what the integration user may do, as far as the org tells."""
        return permissions.read_rights(self._connection, self.integration_user_id)

    def rules(self) -> permissions.Rules:
        """Give the org's rules and triggers that run when a record is written."""
        return permissions.read_rules(self._connection)

    def org(self) -> permissions.Org:
        """Give the org's zone and currencies."""
        return permissions.read_org(self._connection)

    def allow(self, share: Decimal, reserve: Decimal) -> None:
        """Use at most a share of the org's daily quota, and leave the reserve to other apps."""
        self._connection.road.budget.agree(share, reserve)

    def describe(self, kind: str) -> Mapping[str, FieldInfo] | None:
        """Give the object's fields by name, or None when the org or this user has none such.

        Asked once per object and run. A field without field-level security is not there.
        """
        found = self._schema.find(kind)
        return found.fields if found else None

    def told(self, kind: str, fields: Collection[str]) -> Mapping[str, Any]:
        """Give what `recall` takes: what the org says of these fields, as plain values."""
        return self._schema.told(kind, fields)

    def recall(self, kind: str, told: Mapping[str, Any]) -> None:
        """Take an object to be as it was told, so that it need not be asked."""
        self._schema.recall(kind, told)

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

        Deleted, merged and archived records come too. History and associations are objects of
        their own here: `history_fields` and `associated` are not used. All of a row comes at once:
        `is_known` would save no request.
        """
        sobject = self._schema.get(kind)
        yield from read.pull(self._connection, sobject, fields, window, self._jobs, after)

    def archived(self, kind: str) -> Iterator[Batch] | None:
        """Give no list of archived records: they come with every pull."""
        return None

    def counts(self, ours: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        """Count the live rows of each kind created up to a moment.

        One request gives about how many there are; a kind of which we have another number is
        counted exactly, for a request each. Kinds that cannot be counted are left out.
        """
        found = {kind: self._schema.get(kind) for kind in ours}
        about = read.counts(self._connection, list(found.values()))
        return {
            kind: ours[kind]
            if about.get(sobject.name) == ours[kind]
            else read.count(self._connection, sobject, until)
            for kind, sobject in found.items()
        }

    def read_back(
        self, kind: str, record_ids: Sequence[str], fields: Sequence[str]
    ) -> Iterator[Record]:
        """Yield what the org holds now for these records; one that is gone is left out."""
        yield from read.read_back(self._connection, self._schema.get(kind), record_ids, fields)

    def deleted(self, kind: str, window: Window) -> Mapping[str, datetime]:
        """Give ids deleted in the window with the moment of each, also those purged since.

        A pull tells of deletions too, but only while the record is in the recycle bin. Kinds that
        people do not delete are not asked about.
        """
        if kind not in _LOGGED:
            return {}
        return read.deleted(self._connection, self._schema.get(kind), window)

    def batch_size(self, kind: str, count: int) -> int:
        """Give how many of `count` changes travel together: a collections call or a bulk job."""
        return COLLECTION if count <= self._jobs.write_above else JOB_ROWS

    def update(self, kind: str, changes: Sequence[Change]) -> Iterator[list[Outcome]]:
        """Send at most `batch_size` changes; yield one outcome per change, in any order.

        Raises:
            VendorUnavailable: some were not answered; their outcomes are missing.
        """
        writer = Writer(self._connection, self._schema.get(kind), self._jobs, self._jitter)
        yield from writer.update(changes)

    def create_fields(self, kind: str, fields: Sequence[FieldInfo]) -> None:
        """Create fields so that the integration user can write and people can read them.

        People read them through the permission set `Tandem_Read`, which an admin assigns.
        """
        provision.create_fields(self._connection, SOBJECTS[kind], fields, self.integration_user_id)
        self._schema.forget(kind)
