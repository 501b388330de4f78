"""Watch: between nights, read what can start, stop or change a clock, write it back, speak up."""

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pandas as pd

from agreement import frames
from agreement.errors import BadInput, NotGranted
from agreement.frames import DataFrame, HandoffStatus, Writes
from agreement.records import Batch, Window
from connectors.clock import utc_now
from connectors.crm import Crm
from connectors.store import PullCount, Spool
from flows.clocks import read_clocks
from flows.deliver import deliver, settle
from flows.plan import Plan
from flows.provision import our_fields
from flows.pull import wanted_fields
from flows.reconcile import Known
from flows.reread import OVERLAP
from flows.run import Run, keep_agreement
from flows.say import Said, say
from transforms import identity, normalise
from transforms import write_plan as planning

log = logging.getLogger(__name__)

Key = tuple[str, str]
Ids = Mapping[Key, Collection[str]]

# What can start, stop or change a clock; nothing else is read.
READ: tuple[Key, ...] = (
    ("hubspot", "contact"),
    ("hubspot", "call"),
    ("hubspot", "meeting"),
    ("hubspot", "email"),
    ("salesforce", "lead"),
    ("salesforce", "contact"),
    ("salesforce", "lead_history"),
    ("salesforce", "task"),
    ("salesforce", "event"),
)
# Read as well once somebody has become an MQL: a form decides the tier.
_FORMS: Key = ("hubspot", "form_submission")
# Kept from the last night: who is there, and who changed what before.
_KEPT: tuple[Key, ...] = (
    ("hubspot", "owner"),
    ("salesforce", "user"),
    ("salesforce", "contact_history"),
    ("hubspot", "form"),
    _FORMS,
)
_PEOPLE: tuple[Key, ...] = (
    ("hubspot", "contact"),
    ("salesforce", "lead"),
    ("salesforce", "contact"),
)
# The field that names the person of a Salesforce row.
_WHO = {"task": "WhoId", "event": "WhoId", "lead_history": "LeadId", "contact_history": "ContactId"}
_ENGAGEMENTS = ("call", "meeting", "email")

_WATCH = "watch"
# How long what a CRM says of its fields is taken to hold.
_DESCRIBED = timedelta(hours=20)


@dataclass
class _Changes:
    """Which records came, by system and object."""

    ids: dict[Key, set[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    people: set[tuple[str, str]] = field(default_factory=set)


def watch(run: Run) -> dict[str, Any]:
    """Bring every clock up to the run's moment, write what changed, and say what is due.

    Raises:
        BadInput: no night has been applied yet: there is nothing to decide from.
    """
    started = time.perf_counter()
    run.summary["mode"] = _WATCH
    if run.store.last_applied_as_of() is None:
        raise BadInput("no night has run yet, so no clock is known. Run tandem sync first")
    keep_agreement(run)
    if run.store.unsettled() or _is_first_since_night(run):
        settle(run)
    changes = _read_changes(run)
    known, status, fresh = _clocks(run, changes)
    run.store.save_measures(run.run_id, handoff=status)
    plan = _plan(run, known, fresh)
    written = deliver(run, plan) if len(plan.writes) else {}
    said = say(run, known.users, status)
    return _summary(run, changes, status, written, said, time.perf_counter() - started)


def _is_first_since_night(run: Run) -> bool:
    """Say whether the mirrors still stand as the night left them.

    Then what both sides agreed on by its writes is noted before anything new is read; this takes
    requests that later watches do without.
    """
    last, night = run.store.reread("hubspot", "contact", _WATCH), run.store.last_applied_as_of()
    return last is None or night is None or last.at <= night


# Reading -----------------------------------------------------------------------------------------


def _read_changes(run: Run) -> _Changes:
    """Read each object's window, both CRMs side by side; save as it comes, in a fixed order."""
    changes = _Changes()
    mqls_before = _mqls(run)
    for crm in run.crms:
        _recall(run, crm)
    by_system = {crm.system: crm for crm in run.crms}
    with ThreadPoolExecutor(len(READ)) as pool:
        spools = pool.map(lambda key: _spool(run, by_system[key[0]], key[1], changes), READ)
        for key, spool in zip(READ, spools, strict=True):
            _save(run, key, spool, changes)
    # Whoever was recycled and came back between two looks gets the tier of a form from the night.
    if _mqls(run) - mqls_before:
        spool = _spool(run, run.hubspot, _FORMS[1], changes)
        _save(run, _FORMS, spool, changes)
    return changes


def _recall(run: Run, crm: Crm) -> None:
    """Take objects to be as they were described lately; ask for those that are not known."""
    since = utc_now() - _DESCRIBED
    kept = run.store.descriptions(crm.system, since=since)
    for system, kind in READ:
        if system != crm.system:
            continue
        if kind in kept:
            crm.recall(kind, kept[kind])
        elif told := crm.told(kind, wanted_fields(run, system, kind)):
            run.store.save_description(system, kind, told, at=utc_now())


def _spool(run: Run, crm: Crm, kind: str, changes: _Changes) -> Spool | None:
    """Read one object since the last watch or night; None where this token cannot."""
    watermark = run.store.watermark(crm.system, kind)
    if watermark is None:
        return None
    last = run.store.reread(crm.system, kind, _WATCH)
    since = max(watermark, last.at) if last else watermark
    window = Window(min(since, run.as_of) - OVERLAP[crm.system], run.as_of)
    associated = ("contact",) if kind in _ENGAGEMENTS else ()
    histories = normalise.history_to_pull(run.agreement, crm.system, kind)
    fields = wanted_fields(run, crm.system, kind)
    try:
        batches = crm.pull(kind, fields, window, history_fields=histories, associated=associated)
        return run.store.spool(_noted((crm.system, kind), batches, changes))
    except NotGranted:
        return None


def _noted(key: Key, batches: Iterable[Batch], changes: _Changes) -> Iterator[Batch]:
    """Note which records and people come by."""
    seen = changes.ids.setdefault(key, set())
    for batch in batches:
        seen.update(record.record_id for record in batch.records)
        if who := _WHO.get(key[1]):
            changes.people.update(
                ("salesforce", str(person))
                for record in batch.records
                if (person := record.values.get(who))  # noqa: PD011 - a record, no frame
            )
        elif key in _PEOPLE:
            changes.people.update((key[0], record.record_id) for record in batch.records)
        yield batch


def _save(run: Run, key: Key, spool: Spool | None, changes: _Changes) -> None:
    """Save what came; the night's watermark stays, so that it misses no deletion of the day."""
    if spool is None:
        return
    system, kind = key
    watermark = run.store.watermark(system, kind)
    count: PullCount = run.store.save_pull(
        run.run_id,
        system,
        kind,
        spool,
        until=watermark or run.as_of,
        is_full=False,
        seen_at=utc_now(),
        fields=[name for name in wanted_fields(run, system, kind) if name],
    )
    run.store.mark_reread(system, kind, _WATCH, at=run.as_of)
    changes.counts[f"{system} {kind}"] = count.changed


def _mqls(run: Run) -> frozenset[str]:
    """Give the contacts that are MQLs, as far as the mirror knows."""
    mirror = run.store.mirror("hubspot", "contact", ["lifecyclestage"])
    stage = run.agreement.definitions.mql.stage
    return frozenset(mirror.loc[mirror["lifecyclestage"].eq(stage), "record_id"])


# Deciding ----------------------------------------------------------------------------------------


def _clocks(
    run: Run, changes: _Changes
) -> tuple[Known, DataFrame[HandoffStatus], DataFrame[HandoffStatus]]:
    """Read the open and the touched clocks anew; give them among all, and alone."""
    stored = run.store.measure("handoff")
    crosswalk = run.store.crosswalk()
    known = _known(run, changes, stored, crosswalk)
    fresh = read_clocks(known, run.agreement, run.as_of).status
    kept = stored[~stored["person_id"].isin(known.crosswalk["entity_id"])]
    pieces = [piece for piece in (kept, fresh) if len(piece)]
    together = pd.concat(pieces, ignore_index=True) if pieces else fresh
    ordered = together.sort_values(["started_at", "handoff_id"], ignore_index=True)
    return known, HandoffStatus.validate(ordered, lazy=True), fresh


def _known(
    run: Run, changes: _Changes, stored: pd.DataFrame, crosswalk: DataFrame[frames.Crosswalk]
) -> Known:
    """Bring the records of the people concerned into the night's vocabulary."""
    associations = {
        (kind, "contact"): run.store.associations("hubspot", kind, "contact")
        for kind in _ENGAGEMENTS
    }
    for (kind, _), rows in associations.items():
        came = changes.ids.get(("hubspot", kind), set())
        touched = rows.loc[rows["from_id"].isin(came), "to_id"]
        changes.people.update(("hubspot", person) for person in touched)
    mirrors = {key: _mirror(run, key) for key in (*READ, *_KEPT)}
    nothing = pd.DataFrame(
        {name: pd.Series(dtype="str") for name in ("record_id", "merged_into")}
    ).assign(
        created_at=frames.as_utc(pd.Series(dtype=object)),
        modified_at=frames.as_utc(pd.Series(dtype=object)),
        is_deleted=pd.Series(dtype=bool),
    )
    mirrors = {key: mirrors.get(key, nothing) for key in {*normalise.FIELDS, *mirrors}}
    aliases = normalise.aliases(mirrors)
    mirrors = normalise.live(mirrors, aliases)
    links = crosswalk[crosswalk["entity"] == "person"]
    wanted = _people_concerned(changes, stored, links)
    mirrors, associations = _narrowed(mirrors, associations, links, wanted)
    associations = {
        **associations,
        ("contact", "company"): _no_pairs(),
    }
    resolved = normalise.associations(associations, aliases)
    users = normalise.users(
        mirrors["salesforce", "user"],
        mirrors["hubspot", "owner"],
        run.agreement.automatic,
        run.integration_user(),
    )
    people = normalise.people(mirrors, resolved["contact", "company"], run.agreement.handoff)
    mine = links[links["entity_id"].isin(wanted)].reset_index(drop=True)
    linked = identity.with_newcomers(frames.Crosswalk.validate(mine, lazy=True), people, run.as_of)
    _keep_newcomers(run, crosswalk, linked)
    history = run.store.history("hubspot", "contact", normalise.STAGE_FIELDS["hubspot", "contact"])
    contacts = set(people.loc[people["system"] == "hubspot", "record_id"])
    contacts |= set(aliases.loc[aliases["survivor_id"].isin(contacts), "record_id"])
    history = history[history["record_id"].isin(contacts)].reset_index(drop=True)
    blank: dict[str, Any] = {
        name: frames.empty(table)
        for name, table in (
            ("accounts", frames.Accounts),
            ("deal_records", frames.DealRecords),
            ("memberships", frames.Memberships),
            ("rates", frames.Rates),
            ("reviews", frames.Reviews),
        )
    }
    return Known(
        people=people,
        aliases=aliases,
        activities=normalise.activities(
            mirrors, resolved, users, aliases, run.agreement.automatic, run.as_of
        ),
        users=users,
        absences=normalise.absences(mirrors["salesforce", "event"]),
        stage_changes=normalise.stage_changes(
            {("hubspot", "contact"): history},
            mirrors,
            aliases,
            run.agreement.handoff.reject_reason_field,
        ),
        digits={},
        company_currency="",
        campaigns=nothing,
        crosswalk=linked,
        **blank,
    )


def _no_pairs() -> pd.DataFrame:
    """Give no associations."""
    return pd.DataFrame({name: pd.Series(dtype="str") for name in ("from_id", "to_id")})


def _people_concerned(changes: _Changes, stored: pd.DataFrame, links: pd.DataFrame) -> set[str]:
    """Give the people whose clock is open, or of whom something came."""
    came = (
        pd.MultiIndex.from_tuples(sorted(changes.people), names=["system", "record_id"])
        if (changes.people)
        else None
    )
    found: set[str] = set(stored.loc[stored["touched_at"].isna(), "person_id"])
    if came is not None:
        keys = pd.MultiIndex.from_frame(links[["system", "record_id"]])
        found |= set(links.loc[keys.isin(came), "entity_id"])
    return found


def _narrowed(
    mirrors: Mapping[Key, pd.DataFrame],
    associations: Mapping[tuple[str, str], pd.DataFrame],
    links: pd.DataFrame,
    wanted: Collection[str],
) -> tuple[dict[Key, pd.DataFrame], dict[tuple[str, str], pd.DataFrame]]:
    """Keep the records of the people concerned, and those whom nobody has linked yet."""
    others = set(links.loc[~links["entity_id"].isin(wanted), "record_id"])
    kept = dict(mirrors)
    for key in _PEOPLE:
        kept[key] = kept[key][~kept[key]["record_id"].isin(others)].reset_index(drop=True)
    for kind, who in _WHO.items():
        rows = kept["salesforce", kind]
        if who in rows:
            is_other = normalise.long_ids(rows[who]).isin(others)
            if kind == "event":
                is_other &= ~rows["ShowAs"].eq("OutOfOffice")
            kept["salesforce", kind] = rows[~is_other].reset_index(drop=True)
    pairs = {
        place: rows[~rows["to_id"].isin(others)].reset_index(drop=True)
        for place, rows in associations.items()
    }
    for kind in _ENGAGEMENTS:
        rows = kept["hubspot", kind]
        is_theirs = rows["record_id"].isin(pairs[kind, "contact"]["from_id"])
        kept["hubspot", kind] = rows[is_theirs].reset_index(drop=True)
    return kept, pairs


def _mirror(run: Run, key: Key) -> pd.DataFrame:
    return run.store.mirror(*key, normalise.fields_to_pull(run.agreement, *key))


def _keep_newcomers(
    run: Run, crosswalk: DataFrame[frames.Crosswalk], linked: DataFrame[frames.Crosswalk]
) -> None:
    """Keep the ids that newcomers got, so that the night gives them the same."""
    keys = ["system", "kind", "record_id"]
    known = pd.MultiIndex.from_frame(crosswalk[keys])
    new = linked[~pd.MultiIndex.from_frame(linked[keys]).isin(known)]
    if len(new):
        both = pd.concat([crosswalk, new], ignore_index=True)
        run.store.save_crosswalk(
            run.run_id, frames.Crosswalk.validate(both, lazy=True), at=utc_now()
        )


# Writing -----------------------------------------------------------------------------------------


def _plan(run: Run, known: Known, status: DataFrame[HandoffStatus]) -> Plan:
    """Plan the handoff fields that no longer say how the clocks stand; holds are kept."""
    desired = planning.desired_handoffs(known.crosswalk, known.people, status)
    current = {}
    for crm in run.crms:
        for system, kind in desired:
            if system == crm.system:
                described = crm.describe(kind) or {}
                names = [
                    ours.name
                    for ours in our_fields(run.agreement, system, kind)
                    if ours.name in described
                ]
                current[system, kind] = run.store.mirror(system, kind, names)
    writes = planning.write_plan(desired, current, run.agreement.writeback.prefix)
    is_held = planning.is_held(writes, run.store.holds(), run.agreement.name)
    writes = Writes.validate(writes[~is_held].reset_index(drop=True), lazy=True)
    if writes.empty:
        return Plan("", writes, {}, run.started_at)
    plan_id = run.store.save_plan(run.run_id, writes, at=utc_now())
    return Plan(plan_id, writes, {}, run.started_at)


def _summary(
    run: Run,
    changes: _Changes,
    status: pd.DataFrame,
    written: Mapping[str, Any],
    said: Said,
    seconds: float,
) -> dict[str, Any]:
    open_clocks = status[status["touched_at"].isna() & status["relief"].isna()]
    found = {
        "run_id": run.run_id,
        "as_of": run.as_of.isoformat(),
        "changed": changes.counts,
        "open_clocks": len(open_clocks),
        "past_due": int(open_clocks["is_breached"].sum()),
        "written": written,
        "messages_sent": said.sent,
        "messages_waiting": said.waiting,
        "channels_down": said.channels_down,
        "told": [
            {"alert": row.alert_key, "about_id": row.about_id, "state": row.state}
            for row in said.alerts
        ],
        "api_calls": {crm.system: crm.calls for crm in run.crms},
        "seconds": round(seconds, 2),
    }
    run.summary.update({key: found[key] for key in ("api_calls", "written", "messages_sent")})
    return found
