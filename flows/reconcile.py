"""Reconcile: from mirrored records to who is who."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from agreement.errors import BadInput
from agreement.frames import (
    Absences,
    Accounts,
    Activities,
    Aliases,
    Crosswalk,
    DataFrame,
    DealRecords,
    Memberships,
    People,
    Rates,
    Reviews,
    StageChanges,
    Users,
)
from connectors.clock import utc_now
from flows.calc_match import shipped_model
from flows.reading import Reading
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
    absences: DataFrame[Absences]
    stage_changes: DataFrame[StageChanges]
    rates: DataFrame[Rates]
    digits: Mapping[str, int]
    company_currency: str
    campaigns: pd.DataFrame
    crosswalk: DataFrame[Crosswalk]
    reviews: DataFrame[Reviews]


def reconcile(run: Run) -> Known:
    """Bring the mirrors into one vocabulary and link records of one human, company or deal."""
    known = normalise_mirrors(run)
    run.summary["crm_facts"] = {
        "integration_user": run.integration_user(),
        "currency": known.company_currency,
    }
    run.store.save_crosswalk(run.run_id, known.crosswalk, at=utc_now())
    run.store.save_reviews(run.run_id, known.reviews, at=utc_now())
    return known


def normalise_mirrors(run: Reading) -> Known:
    """Do the pure part of reconciling; nothing is saved."""
    agreement = run.agreement
    mirrors = {key: _mirror(run, *key) for key in normalise.FIELDS}
    aliases = normalise.aliases(mirrors)
    mirrors = normalise.live(mirrors, aliases)
    clicks, scanners = ("hubspot", "email_event"), agreement.touch_filters.scanners
    mirrors[clicks] = normalise.with_scanners(mirrors[clicks], scanners)
    associations = normalise.associations(_associations(run), aliases)
    users = normalise.users(
        mirrors["salesforce", "user"],
        mirrors["hubspot", "owner"],
        agreement.automatic,
        run.integration_user(),
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
    found = _who_is_who(run, mirrors, aliases, associations)
    people = identity.with_accounts(
        people, accounts, policy=agreement.identity, words=shipped_model().words
    )
    return Known(
        people=people,
        aliases=aliases,
        accounts=accounts,
        deal_records=deal_records,
        memberships=normalise.memberships(
            mirrors["salesforce", "opportunity_contact_role"], associations["deal", "contact"]
        ),
        activities=normalise.with_marketing_acts(
            normalise.activities(
                mirrors,
                associations,
                users,
                aliases,
                agreement.automatic,
                run.as_of,
            ),
            _histories(run, normalise.VISIT_FIELDS),
            mirrors,
            aliases,
        ),
        users=users,
        absences=normalise.absences(mirrors["salesforce", "event"]),
        stage_changes=normalise.stage_changes(
            _histories(run, normalise.STAGE_FIELDS),
            mirrors,
            aliases,
            agreement.handoff.reject_reason_field,
        ),
        rates=normalise.rates(
            mirrors["salesforce", "currency_type"],
            mirrors["salesforce", "dated_conversion_rate"],
            currency,
        ),
        digits=normalise.currency_digits(mirrors["salesforce", "currency_type"]),
        company_currency=currency,
        campaigns=mirrors["salesforce", "campaign"],
        crosswalk=found.crosswalk,
        reviews=found.reviews,
    )


def _who_is_who(
    run: Reading,
    mirrors: normalise.Mirrors,
    aliases: DataFrame[Aliases],
    associations: Mapping[MirrorKey, pd.DataFrame],
) -> identity.Reconciled:
    """Link the records by what others say in them: what we wrote ourselves proves nothing."""
    said = normalise.as_others_said(mirrors, run.store.own_values())
    return identity.reconcile(
        normalise.people(said, associations["contact", "company"], run.agreement.handoff),
        aliases,
        normalise.accounts(said["hubspot", "company"], said["salesforce", "account"]),
        normalise.deal_records(
            said["hubspot", "deal"],
            said["salesforce", "opportunity"],
            associations["deal", "company"],
        ),
        policy=run.agreement.identity,
        model=shipped_model(),
        decisions=run.store.match_decisions(),
        previous=run.store.crosswalk(),
        now=run.as_of,
    )


def _company_currency(run: Reading, currency_type: pd.DataFrame, organization: pd.DataFrame) -> str:
    """Take Salesforce's word for the company's currency; ask HubSpot where it does not say."""
    named = normalise.company_currency(currency_type, organization)
    named = named or run.account_currency()
    if not named:
        raise BadInput(
            "neither CRM shows the company's currency. Grant the Salesforce integration user read"
            " access to Organization (View Setup and Configuration)"
        )
    return named


def _mirror(run: Reading, system: str, kind: str) -> pd.DataFrame:
    fields = normalise.fields_to_pull(run.agreement, system, kind)
    return run.store.mirror(system, kind, fields)


def _associations(run: Reading) -> dict[MirrorKey, pd.DataFrame]:
    return {
        (kind, to_kind): run.store.associations("hubspot", kind, to_kind)
        for (_, kind), to_kinds in normalise.ASSOCIATED.items()
        for to_kind in to_kinds
    }


def _histories(
    run: Reading, fields: Mapping[MirrorKey, tuple[str, ...]]
) -> dict[MirrorKey, pd.DataFrame]:
    return {key: run.store.history(*key, names) for key, names in fields.items()}
