"""What working everything out needs: a live run, or the store alone with what a run has kept."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agreement.errors import BadInput
from agreement.policy import Agreement
from connectors.settings import Settings, load_settings
from connectors.store import RunRow, Store
from flows.run import agreement_in_force, with_kept_holidays

# How far back a run that kept what the CRMs say of themselves may lie.
_MOST_RUNS = 5000


class Reading(Protocol):
    """A moment, an agreement and the mirrors; `Run` is one."""

    @property
    def as_of(self) -> datetime:
        """The moment that counts as now."""

    @property
    def agreement(self) -> Agreement:
        """The agreement that is read by."""

    @property
    def store(self) -> Store:
        """Where the mirrors are."""

    @property
    def settings(self) -> Settings:
        """Where the private files are."""

    def integration_user(self) -> str | None:
        """Give the Salesforce user that we are there, whose acts are nobody's."""

    def account_currency(self) -> str | None:
        """Give the currency of HubSpot's account, for where Salesforce is silent."""


@dataclass(frozen=True)
class StoredReading:
    """The store alone: no CRM is asked anything, and nothing is written."""

    as_of: datetime
    agreement: Agreement
    store: Store
    settings: Settings
    kept_user: str | None
    kept_currency: str | None

    def integration_user(self) -> str | None:
        """Give the Salesforce user that the last run was."""
        return self.kept_user

    def account_currency(self) -> str | None:
        """Give the company's currency as the last run found it."""
        return self.kept_currency


@contextmanager
def open_reading(
    settings: Settings | None = None,
    *,
    as_of: datetime | None = None,
    agreement: Agreement | None = None,
) -> Iterator[StoredReading]:
    """Open the store for reading, as of the last applied night unless another moment is named.

    Raises:
        BadInput: no run has read the CRMs yet.
    """
    settings = settings or load_settings()
    with closing(Store.open(settings.database_url)) as store:
        yield reading_of(store, settings, as_of=as_of, agreement=agreement)


def record_links(store: Store) -> Mapping[str, str]:
    """Give the beginnings of links to a person's records, by system, as the last run found them."""
    kept = _last_with_facts(store)
    facts = (kept.summary or {}).get("crm_facts") if kept else None
    return dict((facts or {}).get("record_links", {}))


def _last_with_facts(store: Store) -> RunRow | None:
    runs = store.last_runs(_MOST_RUNS)
    return next((row for row in runs if (row.summary or {}).get("crm_facts")), None)


def reading_of(
    store: Store,
    settings: Settings,
    *,
    as_of: datetime | None = None,
    agreement: Agreement | None = None,
) -> StoredReading:
    """Make a reading of an open store.

    Raises:
        BadInput: no run has read the CRMs yet.
    """
    kept = _last_with_facts(store)
    if kept is None or kept.summary is None:
        raise BadInput("no night has read the CRMs yet. Run tandem sync first")
    facts = kept.summary["crm_facts"]
    chosen = with_kept_holidays(store, agreement or agreement_in_force(settings))
    moment = as_of or store.last_applied_as_of() or kept.as_of
    return StoredReading(
        moment, chosen, store, settings, facts["integration_user"], facts["currency"]
    )
