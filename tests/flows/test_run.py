from contextlib import closing
from datetime import UTC, date, datetime

import pytest
from pydantic import SecretStr

from agreement.errors import AgreementError, BadInput
from agreement.policy import load_agreement
from connectors.settings import Settings
from connectors.store import Store
from flows.run import DECIDED, enter_into_force, open_run

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    """Name two CRMs that nobody calls: opening a run asks neither."""
    return Settings(
        _env_file=None,
        tandem_database_url=f"sqlite:///{tmp_path / 'tandem.db'}",
        hubspot_access_token=SecretStr("token"),
        hubspot_base_url="http://127.0.0.1:9",
        salesforce_instance_url="http://127.0.0.1:9",
        salesforce_access_token=SecretStr("token"),
    )


def keep(settings: Settings, **changes) -> None:
    agreement = load_agreement()
    given = {
        "version": agreement.name,
        "digest": agreement.digest,
        "effective": agreement.effective,
        "content": {},
        "holidays": [date(2026, 2, 2)],
    }
    with closing(Store.open(settings.database_url)) as store:
        store.keep_agreement(**{**given, **changes})


def test_holidays_are_those_kept_at_the_first_use_whatever_the_library_says_now(settings):
    keep(settings)
    with open_run(settings, as_of=NOON) as run:
        assert run.agreement.calendar.holidays.expand(range(2026, 2027)) == (date(2026, 2, 2),)


def test_a_first_use_keeps_the_librarys_holidays(settings):
    with open_run(settings, as_of=NOON) as run:
        enter_into_force(run)
        days = run.store.agreement_holidays(run.agreement.name)
    assert date(2026, 11, 26) in days
    assert date(2019, 7, 4) in days


def test_a_version_that_was_used_with_other_content_is_refused(settings):
    keep(settings, digest="another")
    with pytest.raises(AgreementError), open_run(settings, as_of=NOON) as run:
        enter_into_force(run)


def test_time_does_not_go_back_once_a_night_was_applied(settings):
    with open_run(settings, as_of=NOON) as run:
        run.summary["mode"] = "apply"
    early = datetime(2026, 11, 16, tzinfo=UTC)
    with pytest.raises(BadInput, match="2026-11-17"), open_run(settings, as_of=early) as run:
        enter_into_force(run)
    with open_run(settings, as_of=early, is_scheduled=True) as run:
        assert run.as_of == NOON
        enter_into_force(run)


def test_a_late_night_does_not_take_clocks_back_behind_the_watch_that_decided_them(settings):
    early = datetime(2026, 11, 17, 4, 15, tzinfo=UTC)
    with closing(Store.open(settings.database_url)) as store:
        store.mark_reread("hubspot", "contact", DECIDED, at=NOON)
    with open_run(settings, as_of=early, is_scheduled=True) as run:
        assert run.as_of == NOON


def test_reward_periods_cannot_become_longer_or_shift_between_versions(settings):
    calendar = load_agreement().calendar.model_copy(update={"period": "month"})
    monthly = load_agreement().model_copy(update={"calendar": calendar})
    keep(settings, version="earlier v1", content=monthly.model_dump(mode="json"))
    with (
        pytest.raises(AgreementError, match=r"quarter from month 1, earlier v1 of a month"),
        open_run(settings, as_of=NOON) as run,
    ):
        enter_into_force(run)
