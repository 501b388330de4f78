"""`tandem scoreboard` and `tandem export`: what both teams see, from the store alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from flows.terminal import as_json, print_result

_folder = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option("--out", type=_folder, help="Write the page and its lists here; default: out.")
@as_json
def scoreboard(out: Path | None, is_json: bool) -> None:
    """Write the page that both teams believe: targets, bridge, clocks, credit, rewards.

    As the last night left it; nothing is asked of a CRM. With --json the page's figures are
    printed, and the page is written only where --out says so.
    """
    from flows.board import read_board, write_page
    from flows.reading import open_reading

    with open_reading() as reading:
        found, measures = read_board(reading)
    if out or not is_json:
        page = write_page(found, measures, out or Path("out"))
        if not is_json:
            click.echo(f"Wrote {page}")
    if is_json:
        print_result(found, is_json, str)


@click.command()
@click.option("--out", type=_folder, required=True, help="The folder for the files.")
@as_json
def export(out: Path, is_json: bool) -> None:
    """Write every published table as Parquet and CSV, with what its columns mean.

    As the last night left it. Rewards are the teams'; nobody's own is in it.
    """
    from flows.exports import export as write_tables
    from flows.measure import compute
    from flows.reading import open_reading
    from flows.reconcile import normalise_mirrors

    with open_reading() as reading:
        measures = compute(reading, normalise_mirrors(reading))
    print_result(write_tables(measures, out), is_json, show_export)


def show_export(result: Mapping[str, Any]) -> str:
    """Show which tables were written, with their rows."""
    lines = [f"In {result['folder']}, schema version {result['schema_version']}:"]
    return "\n".join(lines + [f"  {name:<18}{n:>10,}" for name, n in result["rows"].items()])


BOARD = (scoreboard, export)
