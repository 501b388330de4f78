"""HubSpot as the flows see it: describe, pull, read back, update, create fields."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import SecretStr

from agreement.errors import NotGranted, VendorRejected
from agreement.records import (
    Batch,
    Change,
    FieldInfo,
    IsKnown,
    Outcome,
    Record,
    Window,
    field_of,
)
from connectors.hubspot import special
from connectors.hubspot.answers import SYSTEM
from connectors.hubspot.client import Client
from connectors.hubspot.paths import OBJECTS, SPECIAL, Paths
from connectors.hubspot.read import Objects, Wanted
from connectors.hubspot.scopes import is_granted
from connectors.hubspot.subscriptions import OPT_OUT, may_unsubscribe, update_with_opt_outs
from connectors.hubspot.values import Reader, field_info, known
from connectors.hubspot.write import BATCH, Writer, create_properties
from connectors.settings import Settings
from connectors.transport import Budget, Pacer, Road

# Requests that are under way at once: enough to hide the way there and back at the allowed pace.
_THREADS = 8

# A service key may send 190 requests in 10 seconds, and the account 5 searches a second, whoever
# sends them. Searches leave one by one: bursts would go over whenever another app searches too.
_REQUESTS, _REQUEST_SECONDS = 185, 10.0
_SEARCHES, _SEARCH_SECONDS = 1, 1 / 4.5


def paced() -> dict[str, Pacer]:
    """Give the pacers that keep within HubSpot's limits, for one run."""
    return {
        "all": Pacer(_REQUESTS, _REQUEST_SECONDS),
        "search": Pacer(_SEARCHES, _SEARCH_SECONDS),
    }


def unpaced() -> dict[str, Pacer]:
    """Give pacers that let everything pass: the other side is a stand-in."""
    return {"all": Pacer(None, _REQUEST_SECONDS), "search": Pacer(None, _SEARCH_SECONDS)}


# Where people open a portal that does not tell.
_UI_DOMAIN = "app.hubspot.com"


@dataclass(frozen=True, slots=True)
class Account:
    """The portal: its time zone (daily limits start again at its midnight), currencies, address."""

    portal_id: str
    time_zone: str
    currency: str
    ui_domain: str
    other_currencies: tuple[str, ...] = field(default=())


class HubSpot:
    """One HubSpot portal behind its official client."""

    system = "hubspot"

    def __init__(
        self,
        base_url: str,
        access_token: SecretStr,
        *,
        pacers: dict[str, Pacer] | None = None,
        budget: Budget | None = None,
        attempts: int = 5,
        timeout: tuple[float, float] = (5.0, 60.0),
        releases: Mapping[str, str] | None = None,
        event_types: Sequence[str] = ("CLICK",),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect; nothing is sent yet.

        Args:
            base_url: the API's address.
            access_token: of a service key or private app.
            pacers: the lanes `all` and `search`; by default HubSpot's own limits.
            budget: the requests that this run may send; by default any number.
            attempts: how often one request is sent at most.
            timeout: seconds to connect, and to wait for an answer.
            releases: objects that are on another release than the table of paths says.
            event_types: the e-mail events to read.
            sleep: waits before a request is repeated.
        """
        road = Road(budget or Budget(SYSTEM), pacers or paced(), attempts=attempts, sleep=sleep)
        self._client = Client(base_url, access_token, road, timeout=timeout)
        self._paths = Paths(releases)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hubspot")
        self._objects = Objects(self._client, self._paths, self._pool)
        self._source = special.Source(self._client, self._paths, self._pool, tuple(event_types))
        self._described: dict[str, Mapping[str, FieldInfo] | None] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Connect as the settings say; nothing is sent yet.

        Raises:
            BadInput: the token is missing or malformed, or the address is not allowed.
        """
        base_url, access_token = settings.hubspot_access()
        return cls(base_url, access_token)

    @property
    def calls(self) -> int:
        """Count the requests sent so far, repeats included."""
        return self._client.road.calls

    def allow(self, share: Decimal, reserve: Decimal) -> None:
        """Use at most a share of the portal's daily quota, and leave the reserve to other apps."""
        self._client.road.budget.agree(share, reserve)

    def close(self) -> None:
        """Let go of threads and connections."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def account(self) -> Account:
        """Ask for the portal's id, time zone, currencies and where people open it."""
        told = self._client.get(self._paths.of("account"), what="account")
        return Account(
            str(told["portalId"]),
            told.get("timeZone") or "UTC",
            told.get("companyCurrency") or "",
            told.get("uiDomain") or _UI_DOMAIN,
            tuple(told.get("additionalCurrencies") or ()),
        )

    @property
    def contacts_url(self) -> str:
        """Give the beginning of a link to a contact, its id comes behind; empty when untold."""
        try:
            account = self.account()
        except (NotGranted, VendorRejected):
            return ""
        return f"https://{account.ui_domain}/contacts/{account.portal_id}/record/0-1/"

    def is_granted(self, scope: str) -> bool | None:
        """Tell whether the token has one of `scopes.SCOPES`; None where HubSpot does not tell."""
        return is_granted(self._client, self._paths, scope)

    @property
    def quota(self) -> tuple[int, int] | None:
        """Give the day's requests that are left and how many there are; None while untold."""
        return self._client.road.budget.quota

    def describe(self, kind: str) -> Mapping[str, FieldInfo] | None:
        """Give an object's properties by name, or None when this token or portal does not have it.

        Asked once per object. Special kinds are described without asking: whether the token may
        read them is learned when they are pulled.
        """
        if kind in SPECIAL:
            return {
                name: FieldInfo(name, field_kind, is_writable=False)
                for name, field_kind in SPECIAL[kind].items()
            }
        if kind not in self._described:
            self._described[kind] = self._ask_properties(kind)
        return self._described[kind]

    def told(self, kind: str, fields: Collection[str]) -> Mapping[str, Any]:
        """Give what `recall` takes: what HubSpot says of these fields, as plain values."""
        described = self.describe(kind) or {}
        return {name: asdict(described[name]) for name in fields if name in described}

    def recall(self, kind: str, told: Mapping[str, Any]) -> None:
        """Take an object to be as it was told, so that it need not be asked."""
        self._described[kind] = {name: field_of(values) for name, values in told.items()}

    def _ask_properties(self, kind: str) -> Mapping[str, FieldInfo] | None:
        try:
            told = self._client.get(self._paths.properties(kind), what=kind)
        except (NotGranted, VendorRejected):
            return None
        settled = OBJECTS[kind].settled
        return {raw["name"]: field_info(raw, settled) for raw in told["results"]}

    def learn_opt_outs(self) -> bool:
        """Ask whether contacts can be opted out of all e-mail; from then on `describe` says so.

        One request, and none when the answer is known.
        """
        described = self._readable("contact")
        known = described.get(OPT_OUT)
        if known is None or known.is_writable:
            return known is not None
        if not may_unsubscribe(self._client, self._paths):
            return False
        writable = replace(known, is_writable=True, is_calculated=False)
        self._described["contact"] = {**described, OPT_OUT: writable}
        return True

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
        """Yield what changed in the window, in batches; everything when it has no start.

        Merged records come with the one that took them over, archived ones by `archived` only. A
        whole load brings records changed after its end too: the next window reads them again.
        `after` is the `resume` of the last batch of a pull that was stopped. Changed records that
        `is_known` says of are left out where histories are wanted: each would be read once more.
        Then every page of the search is a batch, so that a caller may stop after any.

        Raises:
            NotGranted: the token lacks the scope for this kind, or the portal the feature.
        """
        if kind in SPECIAL:
            return self._special(kind, fields, window)
        described = self._readable(kind)
        reader = Reader(known((*fields, *OBJECTS[kind].merges), described), described)
        wanted = Wanted(kind, reader, known(history_fields, described), associated)
        if window.since is None:
            return self._objects.everything(wanted, after)
        return self._objects.changed(wanted, window, after, is_known)

    def archived(self, kind: str) -> Iterator[Batch] | None:
        """Yield every archived record; None for a kind that has no list of such.

        An archived owner is a record like any other; anything else comes as deleted, without
        values.
        """
        if kind == "owner":
            return (
                Batch(records=tuple(_only(record, SPECIAL[kind]) for record in batch.records))
                for batch in special.archived_owners(self._source)
            )
        return None if kind in SPECIAL else self._objects.archived(kind)

    def deleted(self, kind: str, window: Window) -> Mapping[str, datetime]:
        """Give no log of deletions: HubSpot keeps none."""
        return {}

    def counts(self, ours: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        """Count the live records of each kind created up to a moment, one request per kind.

        A kind that is no CRM object is left out: its list is read whole each time.
        """
        counted = [kind for kind in ours if kind in OBJECTS]
        found = self._pool.map(lambda kind: self._objects.count(kind, until), counted)
        return dict(zip(counted, found, strict=True))

    def _special(self, kind: str, fields: Sequence[str], window: Window) -> Iterator[Batch]:
        wanted = set(fields)
        for batch in special.READERS[kind](self._source, window):
            if batch.records:
                yield Batch(records=tuple(_only(record, wanted) for record in batch.records))

    def read_back(
        self, kind: str, record_ids: Sequence[str], fields: Sequence[str]
    ) -> Iterator[Record]:
        """Yield what HubSpot holds now for these records; one that is gone is left out.

        One that was merged away comes as deleted, with its successor beside it.
        """
        described = self._readable(kind)
        return self._objects.given(kind, record_ids, Reader(known(fields, described), described))

    def batch_size(self, kind: str, count: int) -> int:
        """Give how many changes travel together."""
        return BATCH

    def update(self, kind: str, changes: Sequence[Change]) -> Iterator[Sequence[Outcome]]:
        """Set values by record id; yield one outcome per change, in any order.

        An opt-out goes the way that HubSpot has for it.

        Raises:
            BadTable: two changes are for one record.
        """
        writer = Writer(
            self._client,
            self._paths.objects(kind, "/batch/update"),
            kind,
            self._readable(kind),
            lambda record_ids, reader: self._objects.given(kind, record_ids, reader),
        )
        if kind != "contact" or not any(OPT_OUT in change.values for change in changes):
            return writer.update(changes)
        return update_with_opt_outs(
            self._client,
            self._paths,
            changes,
            lambda record_ids: self.read_back(kind, record_ids, ["email"]),
            writer.update,
        )

    def create_fields(self, kind: str, fields: Sequence[FieldInfo]) -> None:
        """Create properties in a group named Tandem; one that is there stays as it is."""
        create_properties(self._client, self._paths, kind, fields)
        self._described.pop(kind, None)

    def _readable(self, kind: str) -> Mapping[str, FieldInfo]:
        described = self.describe(kind)
        if described is None:
            raise NotGranted(
                SYSTEM, f"the token cannot read {kind} records", "Grant its read scope"
            )
        return described


def _only(record: Record, wanted: Collection[str]) -> Record:
    values = {name: value for name, value in record.values.items() if name in wanted}
    return Record(record.record_id, values, record.created_at, record.modified_at)
