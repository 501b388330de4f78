"""Reconcile: from mirrored records to who is who."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pandas as pd

import transforms
from agreement import frames
from agreement.errors import BadInput
from agreement.frames import (
    Absences,
    Accounts,
    Activities,
    Aliases,
    Crosswalk,
    DataFrame,
    DealRecords,
    Examined,
    Memberships,
    People,
    Rates,
    Reviews,
    StageChanges,
    Users,
)
from connectors.clock import utc_now
from flows.calc_match import shipped_model
from flows.reading import Reading, record_links
from flows.run import Run
from transforms import identity, normalise

MirrorKey = tuple[str, str]


@dataclass(frozen=True)
class Records:
    """People's records and what was done about them, in one vocabulary."""

    people: DataFrame[People]
    aliases: DataFrame[Aliases]
    activities: DataFrame[Activities]
    users: DataFrame[Users]
    absences: DataFrame[Absences]
    stage_changes: DataFrame[StageChanges]


@dataclass(frozen=True)
class KnownPeople(Records):
    """What clocks are read from: records, and which of them are one person."""

    crosswalk: DataFrame[Crosswalk]


@dataclass(frozen=True)
class Known(KnownPeople):
    """What is known after reconciling: of people, of their companies, and of deals."""

    accounts: DataFrame[Accounts]
    deal_records: DataFrame[DealRecords]
    memberships: DataFrame[Memberships]
    rates: DataFrame[Rates]
    digits: Mapping[str, int]
    company_currency: str
    campaigns: pd.DataFrame
    reviews: DataFrame[Reviews]
    examined: DataFrame[Examined]
    looked_at: int


def reconcile(run: Run) -> Known:
    """Bring the mirrors into one vocabulary and link records of one human, company or deal.

    A full run looks at everybody again, any other only at people's records that changed and those
    they touch. What was examined is saved last: where a run died before it, the next one finds
    links or questions that are not those which were examined, and looks again.
    """
    known = normalise_mirrors(run, looks_at_all=run.is_full)
    run.summary["crm_facts"] = {
        "integration_user": run.integration_user(),
        "currency": known.company_currency,
        "record_links": {
            "salesforce": run.salesforce.records_url,
            "hubspot": record_links(run.store).get("hubspot") or run.hubspot.contacts_url,
        },
    }
    run.store.save_crosswalk(run.run_id, known.crosswalk, at=utc_now())
    run.store.save_reviews(run.run_id, known.reviews, at=utc_now())
    run.store.save_measures(run.run_id, examined=known.examined)
    return known


def normalise_mirrors(run: Reading, *, looks_at_all: bool = False) -> Known:
    """Do the pure part of reconciling; nothing is saved."""
    agreement = run.agreement
    mirrors = {key: _mirror(run, *key) for key in normalise.FIELDS}
    aliases = normalise.aliases(mirrors)
    mirrors = normalise.live(mirrors, aliases)
    clicks, scanners = ("hubspot", "email_event"), agreement.touch_filters.scanners
    mirrors[clicks] = normalise.with_scanners(mirrors[clicks], scanners)
    associations = normalise.associations(_associations(run), aliases)
    stages = _histories(run, normalise.STAGE_FIELDS)
    records = read_records(run, mirrors, aliases, associations, stages)
    accounts = normalise.accounts(mirrors["hubspot", "company"], mirrors["salesforce", "account"])
    currency_types = mirrors["salesforce", "currency_type"]
    currency = _company_currency(run, currency_types, mirrors["salesforce", "organization"])
    found = _who_is_who(run, mirrors, aliases, associations, looks_at_all=looks_at_all)
    people = identity.with_accounts(
        records.people, accounts, policy=agreement.identity, words=shipped_model().words
    )
    activities = normalise.with_marketing_acts(
        records.activities, _histories(run, normalise.VISIT_FIELDS), mirrors, aliases
    )
    return Known(
        **vars(replace(records, people=people, activities=activities)),
        accounts=accounts,
        deal_records=normalise.deal_records(
            mirrors["hubspot", "deal"],
            mirrors["salesforce", "opportunity"],
            associations["deal", "company"],
        ),
        memberships=normalise.memberships(
            mirrors["salesforce", "opportunity_contact_role"], associations["deal", "contact"]
        ),
        rates=normalise.rates(
            currency_types, mirrors["salesforce", "dated_conversion_rate"], currency
        ),
        digits=normalise.currency_digits(currency_types),
        company_currency=currency,
        campaigns=mirrors["salesforce", "campaign"],
        crosswalk=found.crosswalk,
        reviews=found.reviews,
        examined=found.examined,
        looked_at=found.looked_at,
    )


def read_records(
    run: Reading,
    mirrors: normalise.Mirrors,
    aliases: DataFrame[Aliases],
    associations: Mapping[MirrorKey, pd.DataFrame],
    stages: Mapping[MirrorKey, pd.DataFrame],
) -> Records:
    """Bring live mirrors of people and their activities into one vocabulary.

    The night reads all of them, a watch those of the people concerned. `associations` are resolved
    to survivors; `stages` are the histories that tell changes of stage.
    """
    agreement = run.agreement
    users = normalise.users(
        mirrors["salesforce", "user"],
        mirrors["hubspot", "owner"],
        agreement.automatic,
        run.integration_user(),
    )
    return Records(
        people=normalise.people(mirrors, associations["contact", "company"], agreement.handoff),
        aliases=aliases,
        activities=normalise.activities(
            mirrors, associations, users, aliases, agreement.automatic, run.as_of
        ),
        users=users,
        absences=normalise.absences(mirrors["salesforce", "event"]),
        stage_changes=normalise.stage_changes(
            stages, mirrors, aliases, agreement.handoff.reject_reason_field
        ),
    )


def _who_is_who(
    run: Reading,
    mirrors: normalise.Mirrors,
    aliases: DataFrame[Aliases],
    associations: Mapping[MirrorKey, pd.DataFrame],
    *,
    looks_at_all: bool,
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
        waiting=run.store.reviews(),
        examined=None if looks_at_all else Examined.validate(run.store.measure("examined")),
        rules=_rules(),
    )


# Libraries by which values are read and compared.
_JUDGES = ("anyascii", "numpy", "pandas", "pyarrow", "rapidfuzz", "scipy")


@cache
def _rules() -> str:
    """Name the code that says who is who: after an upgrade everybody is looked at again."""
    folders = [Path(str(module.__file__)).parent for module in (frames, transforms)]
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    code = sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return " ".join([code, *(f"{name} {version(name)}" for name in _JUDGES)])


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
