"""Whether the agreement in force, replayed, gives what the store holds: to the row and the cent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from agreement.errors import BadInput, BadTable, Stale
from agreement.frames import Bridge, DataFrame
from agreement.policy import Agreement, kept_agreement
from connectors.store import RunRow, Store
from flows.measure import Replay, at_frozen_rates, bridge_by, replay
from flows.reading import StoredReading
from flows.reconcile import Known, normalise_mirrors
from flows.reward_terms import RewardsDue
from flows.run import with_kept_holidays
from transforms import compare

# How many runs back the last one that measured is looked for.
_MOST_RUNS = 5000
# How many ids an error names of what differs.
_NAMED = 5


@dataclass(frozen=True)
class Side:
    """One agreement's reading of the mirrors; `known` at the rates that closed periods keep."""

    reading: StoredReading
    known: Known
    read: Replay
    bridge: DataFrame[Bridge]

    @property
    def agreement(self) -> Agreement:
        """Give the agreement that the mirrors are read by."""
        return self.reading.agreement


@dataclass(frozen=True)
class Measured:
    """The run whose figures stand in the store, and the runs that came after it."""

    run: RunRow
    later: tuple[RunRow, ...]

    @property
    def has_posted(self) -> bool:
        """Say whether it posted: a run that only plans, or is about one object, does not."""
        summary = self.run.summary or {}
        return summary.get("mode") == "apply" and not summary.get("scope")

    @property
    def watches(self) -> tuple[str, ...]:
        """Name the watches since: they move clocks on between two nights."""
        return tuple(run.run_id for run in self.later if (run.summary or {}).get("mode") == "watch")


def read_side(reading: StoredReading) -> Side:
    """Read the mirrors by the reading's agreement; all credit is split anew."""
    known = at_frozen_rates(reading, normalise_mirrors(reading))
    read = replay(reading, known, reading.agreement)
    return Side(reading, known, read, bridge_by(reading, known, read.clocks))


def last_measured(store: Store) -> Measured:
    """Find the run whose figures the store holds: the last night, applied or only planned."""
    runs = store.last_runs(_MOST_RUNS)
    for place, run in enumerate(runs):
        if run.result == "done" and (run.summary or {}).get("mode") in ("apply", "plan"):
            return Measured(run, tuple(runs[:place]))
    raise BadInput("no night has measured anything yet. Run tandem sync first")


def version_in_force(reading: StoredReading, run: RunRow) -> Agreement:
    """Give the agreement by which the store's figures were made, whatever the file says by now."""
    store, ours = reading.store, reading.agreement
    kept = store.kept_agreements().get(run.agreement_version)
    is_ours = ours.name == run.agreement_version
    if is_ours and (kept is None or store.agreement_digest(ours.name) == ours.digest):
        return ours
    if kept is None:
        raise Stale(
            f"run {run.run_id} measured by {run.agreement_version}, which is not kept, and "
            f"{ours.name} is in force. Run tandem sync, then backtest again"
        )
    return with_kept_holidays(store, kept_agreement(kept))


def prove(now: Side, due: RewardsDue, measured: Measured) -> dict[str, Any]:
    """Hold the replay against what the store holds, row by row, and the ledger against what is due.

    Clocks that a watch has moved on since the night are counted and left out.
    """
    store, credit = now.reading.store, now.read.credit
    moved_on = store.measured_by("handoff", "handoff_id", measured.watches)
    computed: Mapping[str, tuple[pd.DataFrame, str]] = {
        "handoff": (now.read.clocks.status, "handoff_id"),
        "bridge": (now.bridge, "record_id"),
        "touch": (credit.touches, "touch_id"),
        "deal": (credit.deals, "deal_id"),
        "deal_person": (credit.deal_people, "deal_id"),
        "credit": (credit.credits, "deal_id"),
    }
    tables, differing = {}, {}
    for name, (frame, key) in computed.items():
        stored = store.measure(name)
        differing[name] = [
            each
            for each in compare.unequal(stored, frame, key)
            if name != "handoff" or each not in moved_on
        ]
        tables[name] = {"stored": len(stored), "computed": len(frame)}
    lacking = len(due.postings) if measured.has_posted else 0
    _stop_if_other(measured, differing, lacking)
    return {
        "run_id": measured.run.run_id,
        "tables": tables,
        "moved_on_by_watch": len(moved_on),
        "ledger": "equal" if measured.has_posted else "not compared: the run only planned",
    }


def _stop_if_other(measured: Measured, differing: Mapping[str, list[str]], lacking: int) -> None:
    """Stop when history is not reproduced; say what differs, and what to do."""
    said = [
        f"{len(keys):,} of {name} (first {', '.join(keys[:_NAMED])})"
        for name, keys in differing.items()
        if keys
    ]
    run_id = measured.run.run_id
    what = f"the agreement in force does not reproduce what run {run_id} found: "
    if said and not measured.later:
        raise BadTable(
            f"{what}{'; '.join(said)}. Run tandem sync, and report it if this stands after it"
        )
    if said:
        raise Stale(
            f"{what}{'; '.join(said)}. Run {measured.later[0].run_id} came after it and may have"
            " read newer records. Run tandem sync, then backtest again"
        )
    if lacking:
        raise Stale(
            f"the ledger lacks {lacking:,} postings that are due by now. Run tandem sync, then"
            " backtest again"
        )
