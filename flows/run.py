"""One run: what every stage needs, opened once and closed whatever happens."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import SecretStr

from agreement.errors import TandemError
from agreement.policy import Agreement, load_agreement
from connectors import alerts
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.hubspot import HubSpot
from connectors.salesforce import Salesforce
from connectors.settings import Settings, load_settings
from connectors.store import Store

log = logging.getLogger(__name__)

Tell = Callable[[str, str, str, SecretStr | None], None]
Connect = Callable[[Settings], tuple[HubSpot, Salesforce]]


@dataclass(frozen=True)
class Run:
    """One night (or one command): its moment, its agreement, its store and the two CRMs."""

    run_id: str
    as_of: datetime
    agreement: Agreement
    store: Store
    hubspot: HubSpot
    salesforce: Salesforce
    settings: Settings
    is_full: bool = False
    tell: Tell = alerts.deliver
    summary: dict[str, object] = field(default_factory=dict)
    started_at: datetime = field(default_factory=utc_now)

    @property
    def crms(self) -> tuple[Crm, ...]:
        """Give both CRMs, in the order in which they are pulled and written."""
        return self.hubspot, self.salesforce


def connect(settings: Settings) -> tuple[HubSpot, Salesforce]:
    """Connect to both CRMs as the settings say.

    Raises:
        BadInput: a credential or address is missing or wrong.
        AccessError: a token was refused.
    """
    return HubSpot.from_settings(settings), Salesforce.from_settings(settings)


def agreement_in_force(settings: Settings) -> Agreement:
    """Read the agreement that the settings name, else the packaged default."""
    return load_agreement(settings.agreement) if settings.agreement else load_agreement()


@contextmanager
def open_run(
    settings: Settings | None = None,
    *,
    as_of: datetime | None = None,
    is_full: bool = False,
    tell: Tell = alerts.deliver,
    connect_by: Connect = connect,
) -> Iterator[Run]:
    """Open a run: agreement, store, lock, both CRMs; record how it ended, also when it failed.

    The agreement is read first, so that a fault in it costs no call. One run writes at a time.
    `connect_by` is for callers that want another pace or patience than the vendors' limits ask for.
    """
    settings = settings or load_settings()
    agreement = agreement_in_force(settings)
    hubspot, salesforce = connect_by(settings)
    started_at = utc_now()
    moment = as_of or started_at
    with closing(Store.open(settings.database_url)) as store, store.hold_lock():
        keep_agreement(store, agreement, moment)
        run_id = store.start_run(
            as_of=moment, agreement_version=agreement.name, started_at=started_at
        )
        run = Run(run_id, moment, agreement, store, hubspot, salesforce, settings, is_full, tell)
        try:
            yield run
        except BaseException as error:
            store.end_run(run_id, result=_result_of(error), summary=run.summary, ended_at=utc_now())
            raise
        store.end_run(run_id, result="done", summary=run.summary, ended_at=utc_now())


def keep_agreement(store: Store, agreement: Agreement, as_of: datetime) -> None:
    """Store the agreement version with its expanded holidays.

    So that a library update cannot move history.
    """
    years = range(agreement.effective.year - 1, as_of.year + 3)
    content: Mapping[str, object] = agreement.model_dump(mode="json")
    store.keep_agreement(
        version=agreement.name,
        digest=agreement.digest,
        effective=agreement.effective,
        content=content,
        holidays=agreement.calendar.holidays.expand(years),
    )


def _result_of(error: BaseException) -> str:
    return type(error).__name__ if isinstance(error, TandemError) else "crashed"
