"""Doctor: everything that a night needs, checked one by one, and what to do where it is missing.

Every check runs, whatever the others found; only where a CRM lets nobody in, its other checks are
skipped and say so. Nothing is written anywhere, and nothing of a person or a token is shown.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from agreement.errors import TandemError
from agreement.policy import Agreement, Allowance, load_agreement
from agreement.written_fields import vendor_name
from connectors.crm import Crm
from connectors.hubspot import HubSpot
from connectors.hubspot.connector import Account
from connectors.hubspot.scopes import SCOPES
from connectors.salesforce import SOBJECTS, Salesforce
from connectors.salesforce.permissions import (
    OBJECT_RIGHTS,
    ORG_RIGHTS,
    VIEW_ALL,
    Org,
    Rules,
)
from connectors.settings import Settings
from connectors.store import Store
from connectors.store.checkup import Found, look_at
from connectors.transport import Budget, Pacer, Road
from flows.provision import provision, written_kinds
from flows.run import agreement_in_force
from transforms.value_maps import map_faults

Status = Literal["ok", "warn", "fail", "skip"]

_AGREEMENT, _ACCESS, _REJECTED = 3, 5, 4
_LOW_DISK = 2 * 1024**3
_FEW_REQUESTS = 1_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do unless it is fine."""

    group: str
    name: str
    status: Status
    found: str
    fix: str = ""
    exit_code: int = 0


Checks = Iterator[Check]


@dataclass(frozen=True)
class Doctor:
    """What the checks share; a request is sent `attempts` times: who waits here is a person."""

    load: Callable[[], Settings]
    now: datetime
    attempts: int = 2


def doctor(patient: Doctor) -> dict[str, Any]:
    """Run every check; give them in order with their counts, and the exit code of the first fail.

    `exclude` names per CRM and object the fields that admins should keep out of what starts their
    own automations.
    """
    try:
        settings = patient.load()
    except TandemError as error:
        checks = [_failed("settings", "settings", error)]
        return _result(checks, load_agreement())
    agreement, checks = _agreement(settings, patient.now)
    checks += _guarded("database", "database", lambda: _database(settings, agreement))
    hubspot, portal = _system("hubspot", lambda: _hubspot(patient, settings, agreement))
    salesforce, org = _system("salesforce", lambda: _salesforce(patient, settings, agreement))
    checks += [*hubspot, *salesforce, *_together(agreement, portal, org)]
    return _result(checks, agreement)


def _result(checks: Sequence[Check], agreement: Agreement) -> dict[str, Any]:
    failed = [check for check in checks if check.status == "fail"]
    words: tuple[Status, ...] = ("ok", "warn", "fail", "skip")
    return {
        "checks": [asdict(check) for check in checks],
        "counts": {word: sum(check.status == word for check in checks) for word in words},
        "exclude": _to_exclude(agreement),
        "exit_code": failed[0].exit_code if failed else 0,
    }


def _to_exclude(agreement: Agreement) -> dict[str, dict[str, str]]:
    prefix = agreement.writeback.prefix
    pattern = {system: vendor_name(system, prefix, "x")[: -len("x")] for system in ("hubspot",)}
    pattern["salesforce"] = vendor_name("salesforce", prefix, "x").removesuffix("X__c")
    return {
        system: dict.fromkeys(written_kinds(system), f"{start}*")
        for system, start in pattern.items()
    }


def _failed(group: str, name: str, error: TandemError) -> Check:
    what, _, fix = str(error).partition(". ")
    return Check(group, name, "fail", what, fix, error.exit_code)


def _guarded(group: str, name: str, work: Callable[[], Checks]) -> list[Check]:
    """Run checks to the first that cannot be made, which becomes a check that failed."""
    checks: list[Check] = []
    try:
        checks.extend(_each(work, checks))
    except TandemError as error:
        checks.append(_failed(group, name, error))
    return checks


def _each(work: Callable[[], Checks], done: list[Check]) -> Checks:
    for check in work():
        done.append(check)
    return iter(())


# Agreement ---------------------------------------------------------------------------------------


def _agreement(settings: Settings, now: datetime) -> tuple[Agreement, list[Check]]:
    """Check the agreement; what follows uses the packaged one when it cannot be read."""
    try:
        agreement = agreement_in_force(settings)
    except TandemError as error:
        skipped = Check("agreement", "rules", "skip", "the file has to be valid first")
        return load_agreement(), [_failed("agreement", "file", error), skipped]
    return agreement, list(_rules(settings, agreement, now))


def _rules(settings: Settings, agreement: Agreement, now: datetime) -> Checks:
    if settings.agreement:
        yield Check("agreement", "file", "ok", f"{agreement.name} is valid")
    else:
        yield Check(
            "agreement", "file", "warn", f"{agreement.name}, the packaged one, which nobody signed",
            "Copy agreement/default.yaml, agree on it, and set TANDEM_AGREEMENT",
        )  # fmt: skip
    today = now.astimezone(agreement.calendar.zone_info).date()
    yield _in_force(agreement, today)
    calendar = agreement.calendar
    days = calendar.holidays.expand(range(today.year, today.year + 1))
    if days:
        where = calendar.holidays.country or "own list"
        yield Check("agreement", "holidays", "ok", f"{len(days)} in {today.year} ({where})")
    else:
        yield Check(
            "agreement", "holidays", "warn", f"none in {today.year}: every clock runs on all days",
            "Name a country in calendar.holidays, or list days under extra",
        )  # fmt: skip


def _in_force(agreement: Agreement, today: date) -> Check:
    if agreement.effective <= today:
        return Check("agreement", "in force", "ok", f"since {agreement.effective}")
    return Check(
        "agreement", "in force", "warn", f"only from {agreement.effective}",
        "Wait until then, or set TANDEM_AGREEMENT to the version before",
    )  # fmt: skip


# Database ----------------------------------------------------------------------------------------


def _database(settings: Settings, agreement: Agreement) -> Checks:
    found = look_at(settings.database_url)
    yield Check("database", "reachable", "ok", _backend(found))
    yield from _schema(found)
    if found.is_wal is not None:
        yield _wal(is_on=found.is_wal)
    if found.is_private is False:
        yield Check(
            "database", "readable by", "warn", "others than its owner may read the file",
            "chmod 600 the file: it holds people's data",
        )  # fmt: skip
    if found.free_bytes is not None:
        yield _disk(found.free_bytes)
    if found.schema == found.newest:
        yield _version_kept(settings, agreement)


def _backend(found: Found) -> str:
    return f"{found.backend}, made at the first run" if found.is_new else found.backend


def _schema(found: Found) -> Checks:
    if found.schema == found.newest:
        yield Check("database", "schema", "ok", f"at the newest, {found.newest}")
    elif found.schema is None:
        yield Check("database", "schema", "ok", f"empty; the first run brings it to {found.newest}")
    elif found.schema < found.newest:
        yield Check(
            "database", "schema", "warn", f"at {found.schema}, this Tandem needs {found.newest}",
            "Make a backup (tandem backup FILE); the next run brings it up",
        )  # fmt: skip
    else:
        yield Check(
            "database", "schema", "fail", f"at {found.schema}, which only a newer Tandem knows",
            "Update Tandem", _AGREEMENT,
        )  # fmt: skip


def _wal(*, is_on: bool) -> Check:
    if is_on:
        return Check("database", "write-ahead log", "ok", "on: readers do not wait for a night")
    return Check(
        "database", "write-ahead log", "warn", "off: readers wait for a night",
        "Put the file on a local disk; the next run turns it on",
    )  # fmt: skip


def _disk(free: int) -> Check:
    shown = f"{free / 1024**3:.1f} GiB free"
    if free >= _LOW_DISK:
        return Check("database", "disk", "ok", shown)
    return Check("database", "disk", "warn", shown, "Make room; a backup needs as much again")


def _version_kept(settings: Settings, agreement: Agreement) -> Check:
    """Compare the agreement with what was kept under its name when it was first used."""
    with closing(Store.open(settings.database_url)) as store:
        kept = store.agreement_digest(agreement.name)
    if kept in (None, agreement.digest):
        return Check("database", "agreement version", "ok", f"{agreement.name} is as it was used")
    return Check(
        "database", "agreement version", "fail",
        f"{agreement.name} was used with other content", "Raise its version", _AGREEMENT,
    )  # fmt: skip


# HubSpot -----------------------------------------------------------------------------------------


def _system(
    group: str, work: Callable[[], Iterator[Check | Account | Org]]
) -> tuple[list[Check], Any]:
    """Run a CRM's checks; give them and what it told of itself."""
    told: list[Account | Org] = []

    def checks() -> Checks:
        for one in work():
            if isinstance(one, Check):
                yield one
            else:
                told.append(one)

    found = _guarded(group, "access", checks)
    if found and found[-1].name == "access" and found[-1].status == "fail":
        found.append(Check(group, "the rest", "skip", "not asked: it lets nobody in, or is silent"))
    return found, told[0] if told else None


def _hubspot(
    patient: Doctor, settings: Settings, agreement: Agreement
) -> Iterator[Check | Account | Org]:
    base_url, token = settings.hubspot_access()
    with closing(HubSpot(base_url, token, attempts=patient.attempts)) as hubspot:
        account = hubspot.account()
        yield account
        yield Check("hubspot", "access", "ok", f"portal {account.portal_id}")
        for scope in SCOPES:
            is_granted = hubspot.is_granted(scope.name)
            yield _right("hubspot", scope.name, is_granted, scope.purpose, scope.without)
        yield _budget("hubspot", hubspot.quota, agreement.budget.hubspot)
        yield from _fields(hubspot, agreement)
        yield from _shared(hubspot, agreement)
        yield Check(
            "hubspot", "validation rules", "skip", "HubSpot does not tell them",
            "A required or conditional property may refuse a write; tandem plan names such rows",
        )  # fmt: skip


def _right(group: str, name: str, is_granted: bool | None, purpose: str, without: str) -> Check:
    """Judge one scope or permission; one that is not needed is a warning."""
    if is_granted:
        return Check(group, name, "ok", purpose)
    fix = f"Grant {name} to the service key" if group == "hubspot" else f"Grant {name} to the user"
    if is_granted is None:
        return Check(group, name, "skip", f"{purpose}; cannot be asked for", fix)
    if without:
        return Check(group, name, "warn", f"missing: {without}", fix)
    return Check(group, name, "fail", f"missing: {purpose}", fix, _ACCESS)


def _budget(group: str, quota: tuple[int, int] | None, allowance: Allowance) -> Check:
    if quota is None:
        return Check(group, "requests", "skip", "the quota was not told")
    left, whole = quota
    ours = max(0, min(int(whole * allowance.daily_share), left - int(whole * allowance.reserve)))
    shown = f"{left:,} of {whole:,} left today, {ours:,} for a run"
    if ours >= _FEW_REQUESTS or ours >= whole * allowance.daily_share:
        return Check(group, "requests", "ok", shown)
    return Check(
        group, "requests", "warn", shown,
        "Run when less is used, raise budget in the agreement, or buy more",
    )  # fmt: skip


def _fields(crm: Crm, agreement: Agreement) -> Checks:
    """Say per object whether our fields are there and can be written."""
    for row in provision([crm], agreement, is_applied=False):
        name = f"our fields on {row.kind}"
        count = len(row.there) + len(row.missing)
        if row.is_object_absent:
            yield Check(crm.system, name, "fail", "the object cannot be read",
                        "Grant read on it", _ACCESS)  # fmt: skip
        elif row.missing:
            yield Check(
                crm.system, name, "fail",
                f"{len(row.missing)} of {count} missing or not writable, first {row.missing[0]}",
                "tandem provision --apply; one that is there needs edit for the integration user",
                _ACCESS,
            )  # fmt: skip
        elif row.drifted:
            yield Check(
                crm.system, name, "warn", f"{len(row.drifted)} differ: {'; '.join(row.drifted)}",
                "Change the field in the CRM, or delete it there and run tandem provision --apply",
            )  # fmt: skip
        else:
            yield Check(crm.system, name, "ok", f"{count} there and writable")


def _shared(crm: Crm, agreement: Agreement) -> Checks:
    """Say whether the fields that people share can be read and written, and fit their maps."""
    schemas = {}
    for shared in agreement.ownership:
        for (system, kind), field in shared.vendor_fields().items():
            if system != crm.system:
                continue
            schemas[system, kind] = described = crm.describe(kind) or {}
            info = described.get(field)
            if info is None or not info.is_writable:
                yield Check(
                    system, f"{shared.name} on {kind}", "warn",
                    f"{field} is {'read-only' if info else 'not there or not visible'}",
                    "Grant read and edit on it, or take it out of the agreement's ownership",
                )  # fmt: skip
    faults = map_faults(agreement.ownership, schemas)
    for fault in faults:
        yield Check(crm.system, f"map of {fault.field}", "fail", f"on {fault.kind}: {fault.reason}",
                    fault.fix, _AGREEMENT)  # fmt: skip
    if not faults:
        yield Check(crm.system, "value maps", "ok", "fit the fields as they are now")


# Salesforce --------------------------------------------------------------------------------------


def _salesforce(
    patient: Doctor, settings: Settings, agreement: Agreement
) -> Iterator[Check | Account | Org]:
    road = Road(Budget("salesforce"), {"all": Pacer(None, 1)}, attempts=patient.attempts)
    with closing(Salesforce.from_settings(settings, road=road)) as salesforce:
        rights = salesforce.rights()
        yield Check("salesforce", "access", "ok", "signed in")
        for right in ORG_RIGHTS:
            has_it = rights.org.get(right.name)
            yield _right("salesforce", right.name, has_it, right.purpose, right.without)
        for sobject, wanted in OBJECT_RIGHTS.items():
            yield _object(sobject, wanted, rights.objects.get(sobject, frozenset()),
                          is_told=rights.is_view_all_told)  # fmt: skip
        used = salesforce.api_used
        quota = (used[1] - used[0], used[1]) if used else None
        yield _budget("salesforce", quota, agreement.budget.salesforce)
        yield from _fields(salesforce, agreement)
        yield from _shared(salesforce, agreement)
        yield from _biting(salesforce.rules())
        yield salesforce.org()


def _object(sobject: str, wanted: Sequence[str], held: frozenset[str], *, is_told: bool) -> Check:
    untold = set() if is_told else {VIEW_ALL}
    missing = [right for right in wanted if right not in held and right not in untold]
    if missing:
        return Check(
            "salesforce", sobject, "fail", f"missing: {', '.join(missing)}",
            f"Grant {' and '.join(missing)} on {sobject} to the integration user", _ACCESS,
        )  # fmt: skip
    if untold & set(wanted):
        return Check(
            "salesforce", sobject, "warn", f"{', '.join(sorted(held))}; View All cannot be seen",
            f"Check that the user has View All on {sobject}: sharing hides rows silently",
        )  # fmt: skip
    return Check("salesforce", sobject, "ok", ", ".join(wanted))


def _biting(rules: Rules) -> Checks:
    """Name the rules of the org that run when we write a record."""
    written = {SOBJECTS[kind] for kind in written_kinds("salesforce")}
    for name, found, fix in (
        ("duplicate rules", rules.duplicates,
         "They run on edits too: let them report, or exempt the integration user"),
        ("validation rules", rules.validations,
         "Exempt the integration user, or the records that an old rule would refuse now"),
        ("triggers", rules.triggers,
         "Let them pass when only Tandem_ fields changed"),
    ):  # fmt: skip
        if found is None:
            yield Check("salesforce", name, "skip", "this user cannot see them")
            continue
        ours = {sobject: names for sobject, names in found.items() if sobject in written}
        if not ours:
            yield Check("salesforce", name, "ok", "none on what we write")
            continue
        shown = "; ".join(f"{sobject}: {', '.join(names)}" for sobject, names in ours.items())
        yield Check("salesforce", name, "warn", f"active on {shown}", fix)


# Both --------------------------------------------------------------------------------------------


def _together(agreement: Agreement, portal: Account | None, org: Org | None) -> list[Check]:
    """Compare zones and currencies of both CRMs and the agreement."""
    zones = {"agreement": agreement.calendar.zone}
    zones |= {"hubspot": portal.time_zone} if portal else {}
    zones |= {"salesforce": org.time_zone} if org else {}
    shown = ", ".join(f"{name} {zone}" for name, zone in zones.items())
    checks = [_zones(shown, is_one=len(set(zones.values())) == 1)]
    if portal and org:
        checks.append(_currencies(portal, org))
    return checks


def _zones(shown: str, *, is_one: bool) -> Check:
    if is_one:
        return Check("both", "time zones", "ok", shown)
    return Check(
        "both", "time zones", "warn", shown,
        "Clocks and days follow the agreement's; set one zone everywhere if people compare",
    )  # fmt: skip


def _currencies(portal: Account, org: Org) -> Check:
    if portal.currency and org.currency and portal.currency != org.currency:
        return Check(
            "both", "currencies", "warn",
            f"company currency is {portal.currency} in HubSpot and {org.currency} in Salesforce",
            "Salesforce's counts; make them the same, or amounts in the two cannot be compared",
        )  # fmt: skip
    known = {org.currency, *org.currencies}
    unknown = sorted({portal.currency, *portal.other_currencies} - known - {""})
    if unknown:
        return Check(
            "both", "currencies", "warn", f"HubSpot uses {', '.join(unknown)}, Salesforce does not",
            "Add them to Salesforce with a rate, or close such deals in a known currency",
        )  # fmt: skip
    return Check("both", "currencies", "ok", f"{org.currency}, the same in both")
