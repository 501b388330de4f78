"""Reconcile: from mirrored records to who is who."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from agreement.errors import BadInput
from agreement.frames import (
    Accounts,
    Activities,
    Aliases,
    Crosswalk,
    DataFrame,
    DealRecords,
    Memberships,
    People,
    Rates,
    StageChanges,
    Users,
)
from connectors.clock import utc_now
from flows.run import Run
from transforms import identity, normalise

MirrorKey = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """What is known after reconciling: records in one vocabulary, and which of them are one."""

    people: DataFrame[People]
    aliases: DataFrame[Aliases]
    accounts: DataFrame[Accounts]
    deal_records: DataFrame[DealRecords]
    memberships: DataFrame[Memberships]
    activities: DataFrame[Activities]
    users: DataFrame[Users]
    stage_changes: DataFrame[StageChanges]
    rates: DataFrame[Rates]
    digits: Mapping[str, int]
    company_currency: str
    campaigns: pd.DataFrame
    crosswalk: DataFrame[Crosswalk]


def reconcile(run: Run) -> Known:
    """Bring the mirrors into one vocabulary and link records of one human, company or deal."""
    known = normalise_mirrors(run)
    run.store.save_crosswalk(run.run_id, known.crosswalk, at=utc_now())
    return known


def normalise_mirrors(run: Run) -> Known:
    """Do the pure part of reconciling; nothing is saved."""
    agreement = run.agreement
    mirrors = {key: _mirror(run, *key) for key in normalise.FIELDS}
    aliases = normalise.aliases(mirrors)
    mirrors = normalise.live(mirrors, aliases)
    associations = normalise.associations(_associations(run), aliases)
    users = normalise.users(
        mirrors["salesforce", "user"], agreement.automatic, run.salesforce.integration_user_id
    )
    people = normalise.people(mirrors, associations["contact", "company"], agreement.handoff)
    accounts = normalise.accounts(mirrors["hubspot", "company"], mirrors["salesforce", "account"])
    deal_records = normalise.deal_records(
        mirrors["hubspot", "deal"],
        mirrors["salesforce", "opportunity"],
        associations["deal", "company"],
    )
    currency = _company_currency(
        run, mirrors["salesforce", "currency_type"], mirrors["salesforce", "organization"]
    )
    crosswalk = identity.reconcile(
        people,
        aliases,
        accounts,
        deal_records,
        policy=agreement.identity,
        previous=run.store.crosswalk(),
        now=run.as_of,
    )
    return Known(
        people=people,
        aliases=aliases,
        accounts=accounts,
        deal_records=deal_records,
        memberships=normalise.memberships(
            mirrors["salesforce", "opportunity_contact_role"], associations["deal", "contact"]
        ),
        activities=normalise.activities(
            mirrors,
            associations,
            users,
            aliases,
            agreement.automatic,
            run.as_of,
        ),
        users=users,
        stage_changes=normalise.stage_changes(_histories(run), mirrors, aliases),
        rates=normalise.rates(
            mirrors["salesforce", "currency_type"],
            mirrors["salesforce", "dated_conversion_rate"],
            currency,
        ),
        digits=normalise.currency_digits(mirrors["salesforce", "currency_type"]),
        company_currency=currency,
        campaigns=mirrors["salesforce", "campaign"],
        crosswalk=crosswalk,
    )


def _company_currency(run: Run, currency_type: pd.DataFrame, organization: pd.DataFrame) -> str:
    """Take Salesforce's word for the company's currency; ask HubSpot where it does not say."""
    named = normalise.company_currency(currency_type, organization)
    named = named or run.hubspot.account().currency
    if not named:
        raise BadInput(
            "neither CRM shows the company's currency. Grant the Salesforce integration user read"
            " access to Organization (View Setup and Configuration)"
        )
    return named


def _mirror(run: Run, system: str, kind: str) -> pd.DataFrame:
    fields = normalise.fields_to_pull(run.agreement, system, kind)
    return run.store.mirror(system, kind, fields)


def _associations(run: Run) -> dict[MirrorKey, pd.DataFrame]:
    return {
        (kind, to_kind): run.store.associations("hubspot", kind, to_kind)
        for (_, kind), to_kinds in normalise.ASSOCIATED.items()
        for to_kind in to_kinds
    }


def _histories(run: Run) -> dict[MirrorKey, pd.DataFrame]:
    return {key: run.store.history(*key, fields) for key, fields in normalise.STAGE_FIELDS.items()}
