"""Watch: between nights, read what can start, stop or change a clock, write it back, speak up."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from agreement import frames
from agreement.errors import BadInput
from agreement.frames import DataFrame, HandoffStatus, Writes
from agreement.records import instant_text
from agreement.written_fields import vendor_name
from connectors.clock import utc_now
from flows.clocks import Clocks, read_clocks
from flows.deliver import deliver, settle
from flows.look import (
    ENGAGEMENTS,
    FORMS,
    PEOPLE,
    READ,
    WHO,
    Changes,
    Key,
    is_first_since_night,
    note_delivery,
    note_done,
    read_changes,
    recall,
)
from flows.plan import Plan
from flows.provision import our_fields
from flows.reconcile import KnownPeople, read_records
from flows.run import Run, keep_agreement, overtaken_by
from flows.say import Said, say
from transforms import identity, normalise
from transforms import write_plan as planning

# Kept from the last night: who is there, and who changed what before.
_KEPT: tuple[Key, ...] = (
    ("hubspot", "owner"),
    ("salesforce", "user"),
    ("salesforce", "contact_history"),
    ("hubspot", "form"),
    FORMS,
)
# A due time that moves on while a pause lasts is written each time it has moved by this much.
_CREEP = timedelta(hours=1)


def watch(run: Run, on_said: Callable[[Said], None] | None = None) -> dict[str, Any]:
    """Bring every clock up to the run's moment, say what is due, and write what changed.

    It speaks first, so that a CRM which takes no writes keeps no alert from anybody. `on_said` is
    called with what was said before the first write, since a write may end the watch.

    Raises:
        BadInput: no night has been applied yet, so that there is nothing to decide from; or the
            run's moment lies before what the clocks were last decided for.
    """
    started = time.perf_counter()
    run.summary["mode"] = "watch"
    if run.store.last_applied_as_of() is None:
        raise BadInput("no night has run yet, so no clock is known. Run tandem sync first")
    if last := overtaken_by(run):
        raise BadInput(
            f"the clocks stand as of {instant_text(last)} already, which is after"
            f" {instant_text(run.as_of)}. Take a later --as-of"
        )
    keep_agreement(run)
    recall(run)
    is_first = is_first_since_night(run)
    if is_first or run.store.unsettled():
        settle(run)
    if is_first:
        note_delivery(run)
    changes = read_changes(run)
    known, status, clocks = _clocks(run, changes)
    run.store.save_measures(run.run_id, handoff=status)
    said = say(run, known.users, status)
    if on_said:
        on_said(said)
    plan = _plan(run, known, clocks)
    written = deliver(run, plan) if len(plan.writes) else {}
    note_done(run, changes)
    return _summary(run, changes, status, written, said, time.perf_counter() - started)


# Deciding ----------------------------------------------------------------------------------------


def _clocks(run: Run, changes: Changes) -> tuple[KnownPeople, DataFrame[HandoffStatus], Clocks]:
    """Read the open and the touched clocks anew; give how all stand, and these alone."""
    stored = run.store.measure("handoff")
    crosswalk = run.store.crosswalk()
    known = _known(run, changes, stored, crosswalk)
    clocks = read_clocks(known, run.agreement, run.as_of)
    fresh = clocks.status
    kept = stored[~stored["person_id"].isin(known.crosswalk["entity_id"])]
    pieces = [piece for piece in (kept, fresh) if len(piece)]
    together = pd.concat(pieces, ignore_index=True) if pieces else fresh
    ordered = together.sort_values(["started_at", "handoff_id"], ignore_index=True)
    return known, HandoffStatus.validate(ordered, lazy=True), clocks


def _known(
    run: Run, changes: Changes, stored: pd.DataFrame, crosswalk: DataFrame[frames.Crosswalk]
) -> KnownPeople:
    """Bring the records of the people concerned into the night's vocabulary."""
    links = crosswalk[crosswalk["entity"] == "person"]
    associations = _engaged(run, changes)
    wanted = _people_concerned(changes, stored, links)
    read = {key: _mirror(run, key) for key in (*READ, *_KEPT)}
    mirrors = {**dict.fromkeys(normalise.FIELDS, _no_records()), **read}
    aliases = normalise.aliases(mirrors)
    mirrors, associations = _narrowed(normalise.live(mirrors, aliases), associations, links, wanted)
    records = read_records(
        run,
        mirrors,
        aliases,
        normalise.associations({**associations, ("contact", "company"): _no_pairs()}, aliases),
        {("hubspot", "contact"): _stages(run, mirrors["hubspot", "contact"], aliases)},
    )
    mine = links[links["entity_id"].isin(wanted)].reset_index(drop=True)
    linked = identity.with_newcomers(
        frames.Crosswalk.validate(mine, lazy=True), records.people, run.as_of
    )
    _keep_newcomers(run, crosswalk, linked)
    return KnownPeople(**vars(records), crosswalk=linked)


def _engaged(run: Run, changes: Changes) -> dict[tuple[str, str], pd.DataFrame]:
    """Give whom each call, meeting and e-mail is about; what came is news of these people."""
    associations = {}
    for kind in ENGAGEMENTS:
        rows = run.store.associations("hubspot", kind, "contact")
        associations[kind, "contact"] = rows
        touched = rows.loc[rows["from_id"].isin(changes.ids.get(("hubspot", kind), ())), "to_id"]
        changes.people.update(("hubspot", person) for person in touched)
    return associations


def _stages(run: Run, contacts: pd.DataFrame, aliases: DataFrame[frames.Aliases]) -> pd.DataFrame:
    """Give the stage history of these contacts, and of those that were merged into them."""
    history = run.store.history("hubspot", "contact", normalise.STAGE_FIELDS["hubspot", "contact"])
    own = set(contacts["record_id"])
    own |= set(aliases.loc[aliases["survivor_id"].isin(own), "record_id"])
    return history[history["record_id"].isin(own)].reset_index(drop=True)


def _no_records() -> pd.DataFrame:
    """Give an empty mirror of an object that no clock depends on."""
    return pd.DataFrame(
        {name: pd.Series(dtype="str") for name in ("record_id", "merged_into")}
    ).assign(
        created_at=frames.as_utc(pd.Series(dtype=object)),
        modified_at=frames.as_utc(pd.Series(dtype=object)),
        is_deleted=pd.Series(dtype=bool),
    )


def _no_pairs() -> pd.DataFrame:
    """Give no associations."""
    return pd.DataFrame({name: pd.Series(dtype="str") for name in ("from_id", "to_id")})


def _people_concerned(changes: Changes, stored: pd.DataFrame, links: pd.DataFrame) -> set[str]:
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
    for key in PEOPLE:
        kept[key] = kept[key][~kept[key]["record_id"].isin(others)].reset_index(drop=True)
    for kind, who in WHO.items():
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
    for kind in ENGAGEMENTS:
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


def _plan(run: Run, known: KnownPeople, clocks: Clocks) -> Plan:
    """Plan the handoff fields that no longer say how the clocks stand; holds are kept."""
    desired = planning.desired_handoffs(known.crosswalk, known.people, clocks.status)
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
    is_left = planning.is_held(writes, run.store.holds(), run.agreement.name)
    is_left |= _is_creeping(run, writes, known.crosswalk, clocks)
    writes = Writes.validate(writes[~is_left].reset_index(drop=True), lazy=True)
    if writes.empty:
        return Plan("", writes, {}, run.started_at)
    plan_id = run.store.save_plan(run.run_id, writes, at=utc_now())
    return Plan(plan_id, writes, {}, run.started_at)


def _is_creeping(
    run: Run,
    writes: DataFrame[Writes],
    crosswalk: DataFrame[frames.Crosswalk],
    clocks: Clocks,
) -> pd.Series:
    """Mark due times that a pause which still lasts has moved by little since they were written.

    They move with every look, and each write of one would wake the customers' own automations.
    """
    lasting = clocks.pauses.loc[clocks.pauses["ends_at"] >= run.as_of, "handoff_id"]
    paused = clocks.status.loc[clocks.status["handoff_id"].isin(lasting), "person_id"]
    keys = ["system", "kind", "record_id"]
    theirs = pd.MultiIndex.from_frame(crosswalk.loc[crosswalk["entity_id"].isin(paused), keys])
    prefix = run.agreement.writeback.prefix
    names = [vendor_name(crm.system, prefix, "handoff_due_at") for crm in run.crms]
    is_due = writes["field"].isin(names) & pd.MultiIndex.from_frame(writes[keys]).isin(theirs)
    before, after = (
        pd.to_datetime(writes[side].where(is_due), utc=True, format="ISO8601")
        for side in ("before", "after")
    )
    return is_due & ((after - before).abs() < _CREEP)


def _summary(
    run: Run,
    changes: Changes,
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
        "told": said.told,
        "api_calls": {crm.system: crm.calls for crm in run.crms},
        "seconds": round(seconds, 2),
    }
    run.summary.update({key: found[key] for key in ("api_calls", "written", "messages_sent")})
    return found
