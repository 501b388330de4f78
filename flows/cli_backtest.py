"""`tandem backtest`: what history would look like under a draft of the agreement."""

from datetime import datetime
from pathlib import Path

import click

from flows.terminal import as_json, print_result, progress


@click.command()
@click.argument("draft", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--from",
    "since",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="Compare from this day on, such as 2026-07-01, in the company's zone.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the page here, and the lists behind it; default: out.",
)
@as_json
def backtest(draft: Path, since: datetime, out: Path | None, is_json: bool) -> None:
    """Replay history under the agreement DRAFT, and show side by side what would have changed.

    First the agreement in force has to reproduce history to the row and the cent; if it does not,
    the command says what differs and stops. Nothing is asked of a CRM, and nothing is saved. With
    --json the page is written only where --out says so.
    """
    from agreement.policy import load_agreement
    from connectors.backtest_page import write_backtest
    from flows.backtest import backtest as replay
    from flows.reading import open_reading
    from flows.show_backtest import show_backtest

    checked = load_agreement(draft)
    with open_reading() as reading:
        result = replay(reading, checked, since.date())
    if out or not is_json:
        progress(f"Wrote {write_backtest(result, out or Path('out'))}")
    print_result(result, is_json, show_backtest)
