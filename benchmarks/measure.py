"""CPU seconds and peak memory of one piece of work, in a process of its own."""

import importlib.util
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """Median CPU seconds of the rounds (all threads), and the process's peak memory in MiB."""

    cpu_seconds: float
    peak_mib: int
    result: Any = None


def measured(
    work: Callable[..., Any],
    *arguments: Any,
    rounds: int = _ROUNDS,
    prepare: Callable[..., Any] | None = None,
) -> Figures:
    """Run `work` some times in a fresh process; it must be importable by name.

    With `prepare`, which runs once and outside the time, `work` gets what that makes of the
    arguments instead of them.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measure, (work, arguments, rounds, prepare))


def _measure(
    work: Callable[..., Any],
    arguments: Sequence[Any],
    rounds: int,
    prepare: Callable[..., Any] | None,
) -> Figures:
    seconds = []
    result = None
    if prepare is not None:
        arguments = (prepare(*arguments),)
    for _ in range(rounds):
        start = time.process_time()
        result = work(*arguments)
        seconds.append(time.process_time() - start)
    return Figures(statistics.median(seconds), peak_mib(), result)


def peak_mib() -> int:
    """Read this process's own peak: getrusage would tell that of the parent, if it is larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def is_installed(module: str) -> bool:
    """Tell whether a peer can be imported."""
    return importlib.util.find_spec(module) is not None


def line(name: str, figures: Figures | None, note: str = "") -> None:
    """Print one row of a table."""
    if figures is None:
        print(f"  {name:<52} not installed (pip install '.[bench]')")
        return
    print(
        f"  {name:<52} {figures.cpu_seconds:8.2f} CPU s {figures.peak_mib:6d} MiB  {note}".rstrip()
    )
    sys.stdout.flush()
