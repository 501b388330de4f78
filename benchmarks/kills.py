"""kill -9 at a point of a writing night; the next run ends where an undisturbed one does.

A point is a commit or a request of the night. A night is killed just before a commit or just after
it, and when a vendor has received a request, before or after it carries it out: what the process
does in between nobody sees. Each night runs in a process of its own, which really is killed; both
vendors live on in this one.
"""

import copy
import gc
import logging
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from sqlalchemy import Engine, event

from benchmarks import sweep
from connectors.settings import Settings
from connectors.store import Store
from flows.night import night
from flows.run import open_run
from standins.faults import Fault, Faults

# One process that has imported everything and has no threads; each night is a fork of it.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["benchmarks.kills"])

_STORE = str(Path("connectors", "store", "store.py"))
_AGREED = "agreed values"

# A night's commits by kind, the records that it wrote, and its CPU seconds.
Told = tuple[dict[str, int], Mapping[str, Mapping[str, int]], float]

# What vendors themselves move when somebody writes.
_STAMPS = {"hs_lastmodifieddate", "lastmodifieddate", "LastModifiedDate", "SystemModstamp",
           "LastModifiedById", "hs_updated_by_user_id"}  # fmt: skip
_KINDS: Mapping[str, Sequence[str]] = {
    "hubspot": ("contacts", "companies", "deals", "calls"),
    "salesforce": ("Lead", "Contact", "Account", "Opportunity", "Campaign", "Task"),
}


@dataclass(frozen=True, order=True)
class Moment:
    """Where a night is killed: before or after the `nth` commit or request of one kind.

    `what` is `commit` or `request`, `kind` the method of the store or the request's template.
    """

    what: str
    kind: str
    nth: int
    is_after: bool

    def __str__(self) -> str:
        return f"{'after' if self.is_after else 'before'} {self.what} {self.kind} #{self.nth}"


def both_sides(counts: Mapping[tuple[str, str], int]) -> list[Moment]:
    """List every point of a night, by how often it did what."""
    return [
        Moment(what, kind, nth, is_after)
        for (what, kind), count in sorted(counts.items())
        for nth in range(1, count + 1)
        for is_after in (False, True)
    ]


def distinct(moments: Sequence[Moment]) -> list[Moment]:
    """Keep one point of each kind: the first."""
    return [moment for moment in moments if moment.nth == 1]


def seeded(moments: Sequence[Moment], count: int, seed: int) -> list[Moment]:
    """Draw points that are not the first of their kind; fewer where there are no more."""
    others = [moment for moment in moments if moment.nth > 1]
    dice = random.Random(seed)  # noqa: S311 a lot that can be drawn again, no secret
    return sorted(dice.sample(others, min(count, len(others))))


# The process that dies ---------------------------------------------------------------------------


class _Commits:
    """Counts commits by the store's method that makes them, and dies at one of them."""

    def __init__(self, moment: Moment | None) -> None:
        self.counts: Counter[str] = Counter()
        self._moment = moment
        self._is_due = False
        event.listen(Engine, "commit", self._before)
        event.listen(Engine, "checkin", self._after)

    def end(self) -> None:
        """Count no more."""
        event.remove(Engine, "commit", self._before)
        event.remove(Engine, "checkin", self._after)

    def _before(self, _connection: Any) -> None:
        kind = _method_of_the_store()
        self.counts[kind] += 1
        moment = self._moment
        if moment and (moment.kind, moment.nth) == (kind, self.counts[kind]):
            if not moment.is_after:
                _die()
            self._is_due = True

    def _after(self, _dbapi: Any, _record: Any) -> None:
        if self._is_due:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _method_of_the_store() -> str:
    frame = sys._getframe()
    name = "other"
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code.co_filename.endswith(_STORE):
            name = frame.f_code.co_name
    return name


def _live(settings: Settings, as_of: datetime, moment: Moment | None) -> Told:
    """Run one night in this process and tell what it did."""
    commits = _Commits(moment if moment and moment.what == "commit" else None)
    started = time.process_time()
    with open_run(
        settings, as_of=as_of, tell=sweep.keep_quiet, connect_by=sweep.connect_at_once
    ) as run:
        summary = night(run, "apply")
    commits.end()
    return dict(commits.counts), summary["written"], time.process_time() - started


def _nurse(pipe: Pipe, settings: Settings, as_of: datetime) -> None:
    """Run a night, then a copy of this process for each that is asked for.

    A process that has run a night has everything at hand that the next one needs, so that its
    copies take a third of the time of new ones. It has no threads of its own between nights.
    """
    logging.disable()
    pipe.send(_live(settings, as_of, None))
    # What stands is nobody's to collect: a copy would copy every page of it to count it again.
    gc.collect()
    gc.freeze()
    while (order := pipe.recv()) is not None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_the_copy(writing, settings, *order)
        os.close(writing)
        pipe.send(pid)
        with os.fdopen(reading, "rb") as told:
            content = told.read()
        _, status = os.waitpid(pid, 0)
        pipe.send((os.waitstatus_to_exitcode(status), content))


def _be_the_copy(
    writing: int, settings: Settings, as_of: datetime, moment: Moment | None
) -> NoReturn:
    """Run a night and end; the fault of one that fails is on standard error."""
    code = 1
    try:
        told = pickle.dumps(_live(settings, as_of, moment))
        os.write(writing, told)
        code = 0
    except BaseException:  # noqa: BLE001 a copy must not go on as its original
        traceback.print_exc()
    finally:
        os._exit(code)


class Reaper(Faults):
    """Counts requests as they arrive, and kills the process that sent one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._moment: Moment | None = None
        self._pid = 0

    def expect(self, pid: int, moment: Moment | None) -> None:
        """Count anew, for a process that is to be killed at a moment, or at none."""
        self.counts.clear()
        self._pid = pid
        self._moment = moment if moment and moment.what == "request" else None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no request be answered while the block runs."""
        with self._counting:
            yield

    def take(self, template: str) -> Fault | None:
        """Kill the sender of the request that was waited for; then carry it out, or do not."""
        with self._counting:
            self.counts[template] += 1
            moment = self._moment
            if moment and (moment.kind, moment.nth) == (template, self.counts[template]):
                _kill(self._pid)
                return Fault(is_cut=True, is_after=moment.is_after)
        return super().take(template)


def _kill(pid: int) -> None:
    """Kill a process and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            time.sleep(0.001)


# The world that stays ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """How a night's process ended: its exit code; if it came to its end, what it did.

    Its commits by kind, the records that it wrote, and the CPU seconds that it took.
    """

    exit_code: int | None
    commits: Mapping[str, int]
    written: Mapping[str, Mapping[str, int]]
    seconds: float


class Theatre:
    """A company before a writing night, to which everything can be set back."""

    def __init__(self, company: sweep.Company, reaper: Reaper, folder: Path, nurse: Pipe) -> None:
        self.company, self.reaper = company, reaper
        self._turns = 0
        self._database = folder / "tandem.db"
        self._nurse = nurse
        nurse.recv()
        company.edit(1)
        self._kept = folder / "kept.db"
        shutil.copy(self._database, self._kept)
        self._world = [_photo(place) for place in self._places()]
        self.counts: dict[tuple[str, str], int] = {}
        undisturbed = self.perform(None)
        if undisturbed.exit_code:
            raise RuntimeError(f"the undisturbed night ended with {undisturbed.exit_code}")
        if not all(undisturbed.written.values()):
            raise RuntimeError("the undisturbed night has to write to both vendors")
        self.counts |= {("commit", kind): n for kind, n in undisturbed.commits.items()}
        self.counts |= {("request", kind): n for kind, n in reaper.counts.items()}
        self._expected = self.state()
        self.night_seconds = undisturbed.seconds
        self._noted = self._agreed_after_a_quiet_night()

    def _agreed_after_a_quiet_night(self) -> Any:
        """Give what a second run notes that both vendors agree on; it changes nothing else.

        A run notes what the one before it brought about, also one that was killed.
        """
        quiet = self.perform(None)
        state = self.state()
        others = {name: state[name] for name in state if name != _AGREED}
        if quiet.exit_code or others != {n: self._expected[n] for n in others}:
            raise RuntimeError("a second run with the same moment has to change nothing")
        return state[_AGREED]

    def _places(self) -> list[Any]:
        return [self.company.hubspot, self.company.salesforce.org]

    def set_back(self) -> None:
        """Make both vendors and the database what they were before the night."""
        for place, photo in zip(self._places(), self._world, strict=True):
            _restore(place, photo)
        self._turns += 1
        for table in self.company.hubspot.tables.values():
            # A search that was answered of another turn's records counts no more.
            table.revision += self._turns * 1_000_000
        for end in ("-wal", "-shm"):
            self._database.with_name(self._database.name + end).unlink(missing_ok=True)
        shutil.copy(self._kept, self._database)

    def perform(self, moment: Moment | None) -> Ended:
        """Run the night in a process of its own, which is killed at a moment."""
        # Nothing of it is answered before the process is known.
        with self.reaper.paused():
            self._nurse.send((self.company.now, moment))
            self.reaper.expect(self._nurse.recv(), moment)
        code, content = self._nurse.recv()
        return Ended(code, *(pickle.loads(content) if code == 0 else ({}, {}, 0.0)))  # noqa: S301

    def try_moment(self, moment: Moment) -> Iterator[str]:
        """Kill a night at a moment and run the next one; yield what is not as it should be."""
        self.set_back()
        killed = self.perform(moment)
        if killed.exit_code != -signal.SIGKILL:
            yield f"{moment}: the night ended with {killed.exit_code} and was not killed"
            return
        following = self.perform(None)
        if following.exit_code:
            yield f"{moment}: the next night ended with {following.exit_code}"
            return
        state = self.state()
        for name, expected in self._expected.items():
            if name == _AGREED and state[name] == self._noted:
                continue
            if state[name] != expected:
                yield f"{moment}: {name} differ: {_difference(expected, state[name])}"

    def state(self) -> dict[str, Any]:
        """Give what a night leaves: every record of both vendors, and what our database knows."""
        company = self.company
        found: dict[str, Any] = {}
        for system, kinds in _KINDS.items():
            standin = company.hubspot if system == "hubspot" else company.salesforce
            for kind in kinds:
                found[f"{system} {kind}"] = {
                    record_id: {name: v for name, v in values.items() if name not in _STAMPS}
                    for record_id, values in standin.records(kind).items()
                }
        with closing(Store.open(company.settings.database_url)) as store:
            found |= _known(store)
        return found


def _known(store: Store) -> dict[str, Any]:
    """Give what a store knows, but for which run learned it and when."""
    arrived: Counter[str] = Counter()
    unsettled = 0
    for run in store.last_runs(1000):
        rows = store.written(run_id=run.run_id)
        unsettled += sum(row.state in {"sent", "planned"} for row in rows)
        arrived.update(
            str((row.system, row.kind, row.record_id, sorted(row.after.items())))
            for row in rows
            if row.state == "confirmed"
        )
    links = store.crosswalk()
    together = links.groupby("entity_id")["record_id"].agg(lambda ids: tuple(sorted(ids)))
    return {
        _AGREED: _rows(store.bases()),
        "conflicts": _rows(store.open_conflicts()),
        "links": sorted(together),
        "postings": _rows(store.posted()),
        "number of postings": len(store.postings()),
        "messages": sorted(store.alerts_said()),
        "messages that wait": len(store.pending_alerts()),
        "touches": _rows(store.measure("touch").drop(columns="run_id", errors="ignore")),
        "writes that arrived": arrived,
        "writes that wait": unsettled,
    }


def _rows(frame: pd.DataFrame) -> list[str]:
    return sorted(map(str, frame.astype("str").itertuples(index=False, name=None)))


def _difference(one: Any, other: Any) -> str:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
        return f"{len(keys)} of them, first {keys[0]}: {one.get(keys[0])} / {other.get(keys[0])}"
    return f"{one!r:.200} / {other!r:.200}"


# Locks, clocks and definitions, and what a stand-in's server itself holds on to.
_STANDING = ("lock", "now", "faults", "log", "access", "limits", "journal", "objects", "by_prefix")


def _photo(place: Any, held: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Copy what a stand-in holds, at one stroke: what refers to one thing still does so."""
    standing = [vars(place)[name] for name in _STANDING if name in vars(place)]
    # Sobjects are what the tables' rows and the server both name.
    standing += vars(place).get("objects", {}).values()
    memo = {id(each): each for each in (place, *standing)}
    kept = vars(place) if held is None else held
    return copy.deepcopy({n: v for n, v in kept.items() if n not in _STANDING}, memo)


def _restore(place: Any, photo: Mapping[str, Any]) -> None:
    vars(place).update(_photo(place, photo))


@contextmanager
def serve_theatre() -> Iterator[Theatre]:
    """Serve a company whose next night writes to both vendors."""
    reaper = Reaper()
    with (
        tempfile.TemporaryDirectory() as folder,
        sweep.serve_company(Path(folder), faults=reaper) as company,
    ):
        ours, theirs = _FORKS.Pipe()
        process = _FORKS.Process(
            target=_nurse, args=(theirs, company.settings, company.now), daemon=True
        )
        process.start()
        try:
            yield Theatre(company, reaper, Path(folder), ours)
        finally:
            process.kill()
            process.join()
            ours.close()
            theirs.close()


def main() -> int:
    """Kill a night at every point; print what went wrong."""
    wrong = 0
    with serve_theatre() as theatre:
        moments = both_sides(theatre.counts)
        print(f"{len(moments):,} points, {len(distinct(moments))} kinds", flush=True)
        for place, moment in enumerate(moments, 1):
            found = list(theatre.try_moment(moment))
            wrong += len(found)
            print(*found, f"{place:,} {moment}, {wrong} wrong", sep="\n", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
