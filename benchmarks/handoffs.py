"""Every handoff of a seeded company against its truth, read through both stand-ins over HTTP.

`python -m benchmarks.handoffs [PEOPLE] [SEED]`, 20,000 people by default. Who is who is taken from
the truth, so that a missed link does not hide a wrong clock; matching is measured elsewhere.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from agreement.frames import Crosswalk, as_text
from agreement.policy import Agreement
from benchmarks.measure import peak_mib
from flows.clocks import read_clocks
from flows.demo import stage
from flows.pull import pull
from flows.reconcile import Known, normalise_mirrors
from flows.run import open_run
from standins.world import HandoffTruth, World, build_world

# What is compared, by the same name in the truth and in our frame.
FIELDS = (
    "tier", "owner_id", "mql_at", "started_at", "due_at", "seen_at", "assigned_at", "touched_at",
    "evidence_id", "status", "seen_seconds", "assigned_seconds", "working_seconds", "answer",
    "answer_reason", "answered_at", "answer_status", "relief", "cause",
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """How many handoffs there are, how they stand, and which fields differ from the truth.

    `wrong` counts differences per field, `missing` and `invented` handoffs under those words.
    `seconds` is the CPU time of reading the clocks, records in memory to statuses.
    """

    count: int
    statuses: Counter[str]
    causes: Counter[str]
    wrong: Counter[str]
    seconds: float


def compare(people: int, seed: int) -> Compared:
    """Build a company, pull it, read every clock and hold it against the truth."""
    world = build_world(people, seed)
    known, agreement = _pulled(world)
    known = replace(known, crosswalk=true_crosswalk(world, known.people))
    start = time.process_time()
    status = read_clocks(known, agreement, world.as_of).status
    seconds = time.process_time() - start
    return Compared(
        len(status),
        Counter(status["status"]),
        Counter(status["cause"].dropna()),
        Counter(_differences(world.truth.handoffs, status)),
        seconds,
    )


def _pulled(world: World) -> tuple[Known, Agreement]:
    with TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'clocks.db'}"
        with stage(world, database) as here, open_run(here.settings, as_of=world.as_of) as run:
            for crm in run.crms:
                pull(run, crm)
            return normalise_mirrors(run), run.agreement


def true_crosswalk(world: World, people: pd.DataFrame) -> Any:
    """Link every record to its human, the survivor of each system by the same order as ours."""
    converted = people["converted_to"].notna()
    rank = people["kind"].eq("lead").astype(int) + converted.astype(int)
    known = people[["system", "kind", "record_id", "created_at"]].assign(rank=rank)
    human = {key: f"human-{at}" for at, keys in enumerate(world.truth.humans) for key in keys}
    keys = zip(known["system"], known["kind"], known["record_id"], strict=True)
    known["entity_id"] = as_text([human.get(key) for key in keys])
    known = known.dropna(subset=["entity_id"])
    known = known.sort_values(["entity_id", "system", "rank", "created_at", "record_id"])
    frame = known.assign(
        entity=as_text(pd.Series("person", index=known.index)),
        is_survivor=~known.duplicated(["entity_id", "system"]),
        score=1.0,
        since=pd.Timestamp(world.as_of).as_unit("us"),
    )
    for name in Crosswalk.to_schema().columns.keys() - set(frame.columns):
        frame[name] = as_text(pd.Series("", index=frame.index))
    columns = list(Crosswalk.to_schema().columns)
    return Crosswalk.validate(frame[columns].reset_index(drop=True), lazy=True)


def _differences(truths: tuple[HandoffTruth, ...], status: pd.DataFrame) -> Iterator[str]:
    rows = {(row["contact_id"], row["cycle"]): row for row in status.to_dict("records")}
    for truth in truths:
        row = rows.pop((truth.hubspot_id, truth.cycle), None)
        if row is None:
            yield "missing"
            continue
        for field in FIELDS:
            found = None if pd.isna(row[field]) else row[field]
            if found != _expected(truth, field):
                yield field
    yield from ("invented" for _ in rows)


def _expected(truth: HandoffTruth, field: str) -> object:
    """Give what our frame should say: a relieved handoff has no due time."""
    return None if field == "due_at" and truth.relief else getattr(truth, field)


def main() -> None:
    """Print the figures of a run of the default or of the given size."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    found = compare(people, seed)
    print(f"{found.count:,} handoffs of {people:,} people, seed {seed}")
    print(f"  statuses    {dict(sorted(found.statuses.items()))}")
    print(f"  causes      {dict(sorted(found.causes.items()))}")
    print(f"  differences {dict(found.wrong) or 'none'} in {len(FIELDS)} fields of each")
    print(f"  clocks      {found.seconds:.2f} CPU s; peak of the whole run {peak_mib()} MiB")


if __name__ == "__main__":
    main()
