"""One run: what every stage needs, opened once and closed whatever happens."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime

from pydantic import SecretStr

from agreement.errors import AgreementError, BadInput, TandemError
from agreement.policy import Agreement, Holidays, kept_agreement, load_agreement
from agreement.records import instant_text
from connectors import alerts
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.hubspot import HubSpot
from connectors.salesforce import Salesforce
from connectors.settings import Settings, load_settings
from connectors.store import Store
from flows.scope import Scope

log = logging.getLogger(__name__)

# Years around an agreement's first day for which its holidays are kept.
_YEARS = 20

# The mark of a watch that has decided the clocks, kept beside those of what it read.
DECIDED = "decided"

Tell = Callable[[str, str, str, Sequence[SecretStr]], None]
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
    scope: Scope | None = None
    reread_since: datetime | None = None
    summary: dict[str, object] = field(default_factory=dict)
    started_at: datetime = field(default_factory=utc_now)

    @property
    def is_applied(self) -> bool:
        """Say whether this is a night that writes: only then does what it finds count as so."""
        return self.summary.get("mode") == "apply"

    def integration_user(self) -> str | None:
        """Give the Salesforce user that we are there, whose acts are nobody's."""
        return self.salesforce.integration_user_id

    def account_currency(self) -> str | None:
        """Give the currency of HubSpot's account; one request."""
        return self.hubspot.account().currency

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
    is_scheduled: bool = False,
    is_full: bool = False,
    tell: Tell = alerts.deliver,
    scope: Scope | None = None,
    reread_since: datetime | None = None,
    connect_by: Connect = connect,
) -> Iterator[Run]:
    """Open a run: agreement, store, lock, both CRMs; record how it ended, also when it failed.

    The agreement is read first, so that a fault in it costs no call. One run writes at a time.
    A scheduled moment that a later night or watch has overtaken becomes its, since time does not go
    back.
    `scope` confines what is written; `reread_since` reads what changed since then once more.
    `connect_by` is for callers that want another pace or patience than the vendors' limits ask for.
    """
    settings = settings or load_settings()
    agreement = agreement_in_force(settings)
    hubspot, salesforce = connect_by(settings)
    started_at = utc_now()
    moment = as_of or started_at
    with (
        closing(hubspot),
        closing(salesforce),
        closing(Store.open(settings.database_url)) as store,
        store.hold_lock(),
    ):
        agreement = with_kept_holidays(store, agreement)
        if is_scheduled:
            moment = max(moment, decided_until(store) or moment)
        run_id = store.start_run(
            as_of=moment, agreement_version=agreement.name, started_at=started_at
        )
        run = Run(
            run_id,
            moment,
            agreement,
            store,
            hubspot,
            salesforce,
            settings,
            is_full=is_full,
            tell=tell,
            scope=scope,
            reread_since=reread_since,
        )
        try:
            yield run
        except BaseException as error:
            store.end_run(run_id, result=_result_of(error), summary=run.summary, ended_at=utc_now())
            raise
        store.end_run(run_id, result="done", summary=run.summary, ended_at=utc_now())


def decided_until(store: Store) -> datetime | None:
    """Give the moment for which all clocks were last decided, by night or watch; None: never."""
    mark = store.reread("hubspot", "contact", DECIDED)
    moments = [store.last_applied_as_of(), mark.at if mark else None]
    return max(filter(None, moments), default=None)


def overtaken_by(run: Run) -> datetime | None:
    """Give the later moment that a night or watch has decided already: the run only looks back."""
    last = decided_until(run.store)
    return last if last and run.as_of < last else None


def with_kept_holidays(store: Store, agreement: Agreement) -> Agreement:
    """Give the agreement with its holidays as plain days: those kept at its first use, if any.

    So that an update of the holidays library cannot move history.
    """
    days = store.agreement_holidays(agreement.name) or own_holidays(agreement)
    return with_plain_holidays(agreement, days)


def own_holidays(agreement: Agreement) -> tuple[date, ...]:
    """List an agreement's closed days as the installed holidays library has them."""
    year = agreement.effective.year
    return agreement.calendar.holidays.expand(range(year - _YEARS, year + _YEARS))


def with_plain_holidays(agreement: Agreement, days: tuple[date, ...]) -> Agreement:
    """Give the agreement with these closed days, under its own name and digest."""
    known = {"digest": agreement.digest, "name": agreement.name}
    calendar = agreement.calendar.model_copy(update={"holidays": Holidays(extra=days)})
    fixed = agreement.model_copy(update={"calendar": calendar})
    fixed.__dict__.update(known)
    return fixed


def enter_into_force(run: Run) -> None:
    """Keep the agreement version with its holidays, now that it is about to be executed.

    Raises:
        AgreementError: the version was used before with other content.
        BadInput: the run's moment lies before what was last applied or decided. Going back would
            reverse what was posted since, write old figures over newer ones, and take clocks back.
    """
    if last := overtaken_by(run):
        raise BadInput(
            f"{instant_text(run.as_of)} is before the last applied night or watch,"
            f" {instant_text(last)}. Take a later --as-of, or --dry-run to look back"
        )
    keep_agreement(run)


def keep_agreement(run: Run) -> None:
    """Keep the agreement version with its holidays, so that what is written can name it.

    Raises:
        AgreementError: the version was used before with other content, or has other reward periods
            than an earlier one.
    """
    content: Mapping[str, object] = run.agreement.model_dump(mode="json")
    run.store.keep_agreement(
        version=run.agreement.name,
        digest=run.agreement.digest,
        effective=run.agreement.effective,
        content=content,
        holidays=run.agreement.calendar.holidays.extra,
    )
    _check_periods(run)


def _check_periods(run: Run) -> None:
    """Refuse another length or start of reward periods: closed ones could not be followed."""
    now = run.agreement.calendar
    kept = run.store.kept_agreements()
    for name in kept.keys() - {run.agreement.name}:
        then = kept_agreement(kept[name]).calendar
        if (then.period, then.fiscal_year_start) != (now.period, now.fiscal_year_start):
            raise AgreementError(
                f"{run.agreement.name} has periods of a {now.period} from month "
                f"{now.fiscal_year_start}, {name} of a {then.period} from month "
                f"{then.fiscal_year_start}, and periods close for good. Keep calendar.period and "
                "calendar.fiscal_year_start as they were"
            )


def _result_of(error: BaseException) -> str:
    return type(error).__name__ if isinstance(error, TandemError) else "crashed"
