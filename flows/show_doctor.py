"""What `tandem doctor` prints for a person: a sign and a word per check, never colour alone."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

_SIGNS = {"ok": "+", "warn": "!", "fail": "x", "skip": "-"}
_WIDTH = 100


def show_doctor(result: Mapping[str, Any]) -> str:
    """Show every check by group; one that is not fine says below what to do."""
    checks = result["checks"]
    width = max(len(check["name"]) for check in checks)
    lines: list[str] = []
    for group, some in groupby(checks, key=itemgetter("group")):
        lines += [group, *_lines(list(some), width), ""]
    lines += ["Keep out of what starts workflows, flows and triggers on any change:"]
    lines += [f"  {place}" for place in _excluded(result["exclude"])]
    counts = result["counts"]
    lines += ["", ", ".join(f"{count} {word}" for word, count in counts.items()) + "."]
    return "\n".join(lines)


def _lines(checks: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    for check in checks:
        status = check["status"]
        start = f"  {_SIGNS[status]} {status:<4}  {check['name']:<{width}}  "
        indent = " " * len(start)
        yield from textwrap.wrap(
            check["found"], _WIDTH, initial_indent=start, subsequent_indent=indent
        )
        if check["fix"]:
            yield from textwrap.wrap(
                check["fix"],
                _WIDTH,
                initial_indent=f"{indent}-> ",
                subsequent_indent=f"{indent}   ",
            )


def _excluded(exclude: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for system, kinds in exclude.items():
        patterns = sorted(set(kinds.values()))
        yield f"{system:<11} {', '.join(patterns)} on {', '.join(kinds)}"
