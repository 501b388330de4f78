"""`tandem watch`: one look at every clock, between nights."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from flows.terminal import Instant, as_json, print_result

_CHANNEL_DOWN = 6


@click.command()
@click.option("--as-of", type=Instant(), help="The moment that counts as now.")
@as_json
def watch(as_of: datetime | None, is_json: bool) -> None:
    """Read what can change a clock, write it back, and say what is due.

    Ends with 6 when an alert channel takes no messages: they wait, and the next watch tries again.
    """
    from flows.run import open_run
    from flows.watch import watch as look

    with open_run(as_of=as_of) as run:
        result = look(run)
    print_result(result, is_json, show_watch)
    if result["channels_down"]:
        raise click.exceptions.Exit(_CHANNEL_DOWN)


def show_watch(result: Mapping[str, Any]) -> str:
    """Write a watch for people: what is open, what was done, what it cost."""
    changed = sum(result["changed"].values())
    written = sum(sum(kinds.values()) for kinds in result["written"].values())
    calls = sum(result["api_calls"].values())
    lines = [
        f"{result['open_clocks']:,} clocks run, {result['past_due']:,} of them past due.",
        f"{changed:,} changed records read, {written:,} written back; "
        f"{calls:,} calls, {result['seconds']:.1f} s.",
        f"{result['messages_sent']:,} messages sent, {result['messages_waiting']:,} wait.",
    ]
    lines += [f"Channel {name} takes no messages." for name in result["channels_down"]]
    return "\n".join(lines)
