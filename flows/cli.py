"""`tandem`: the same jobs from the command line. Nothing heavy is imported before it is needed."""

import json
import logging
import sys
from datetime import datetime
from pathlib import Path

import click

from agreement.errors import TandemError
from flows.cli_alerts import alerts
from flows.cli_backtest import backtest
from flows.cli_board import BOARD
from flows.cli_bridge import bridge
from flows.cli_doctor import DOCTOR
from flows.cli_forget import FORGET
from flows.cli_ops import OPS
from flows.cli_pack import PACK
from flows.cli_review import review
from flows.cli_rewards import rewards
from flows.cli_watch import watch
from flows.cli_writes import WRITES
from flows.terminal import Instant, Suggesting, as_json, print_result, progress, shown_stage

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


@click.group(cls=Suggesting, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show one log line per decision and delivery.")
@click.version_option(package_name="tandem", message="tandem %(version)s")
def tandem(verbose: bool) -> None:
    """Sales and marketing on one machine: one agreement, one truth, one pool."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format=_LOG_FORMAT)
    logging.getLogger("alembic").setLevel(logging.WARNING)


for _command in (*WRITES, *OPS, bridge, backtest, *FORGET, *DOCTOR, *BOARD, *PACK):
    tandem.add_command(_command)


@tandem.command()
@click.option("--people", default=2000, show_default=True, type=click.IntRange(50, 1_000_000))
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same company.")
@click.option(
    "--out",
    default="out",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the scoreboard page and the demo's database.",
)
@as_json
def demo(people: int, seed: int, out: Path, is_json: bool) -> None:
    """Run the night twice on two local CRMs with a seeded company, and score it by the truth."""
    from flows.demo import demo as run_demo
    from flows.show import show_demo

    result = run_demo(people=people, seed=seed, out=out, say=progress)
    print_result(result, is_json, show_demo)


@tandem.command()
@click.option("--dry-run", is_flag=True, help="Compute and show everything; write nothing.")
@click.option("--full", "is_full", is_flag=True, help="Read everything again, not only changes.")
@click.option("--as-of", type=Instant(), help="The moment that counts as now; default: now.")
@click.option("--only", metavar="SYSTEM/OBJECT[/RECORD]", help="Write this object or record only.")
@click.option(
    "--since", "reread_since", type=Instant(), help="Read once more what changed since this moment."
)
@as_json
def sync(
    dry_run: bool,
    is_full: bool,
    as_of: datetime | None,
    only: str | None,
    reread_since: datetime | None,
    is_json: bool,
) -> None:
    """Run the night against the CRMs that the environment names.

    Pulls both, reconciles, measures, and writes the shared numbers back. With --only the rest is
    computed all the same, but not written, and nothing is posted or said.
    """
    from flows.night import night
    from flows.run import open_run
    from flows.scope import Scope
    from flows.show import show_night

    scope = Scope.parse(only) if only else None
    with open_run(as_of=as_of, is_full=is_full, scope=scope, reread_since=reread_since) as run:
        summary = night(run, "plan" if dry_run else "apply", stage=shown_stage)
    print_result(summary, is_json, show_night)


@tandem.command()
@click.option(
    "--apply", "is_applied", is_flag=True, help="Create the fields; without it, only show."
)
@as_json
def provision(is_applied: bool, is_json: bool) -> None:
    """Show, and with --apply create, the fields that Tandem writes in both CRMs."""
    from connectors.settings import load_settings
    from flows.provision import provision as run_provision
    from flows.run import agreement_in_force, connect
    from flows.show import show_provision

    settings = load_settings()
    agreement = agreement_in_force(settings)
    rows = run_provision(connect(settings), agreement, is_applied=is_applied)
    print_result(
        {"is_applied": is_applied, "objects": [vars(row) for row in rows]}, is_json, show_provision
    )


@tandem.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of an agreement file.")
def agreement(path: Path | None, schema: bool) -> None:
    """Check an agreement file (default: the one in force), or print its schema."""
    from agreement.policy import json_schema, load_agreement
    from connectors.settings import load_settings

    if schema:
        click.echo(json.dumps(json_schema(), indent=2))
        return
    chosen = path or load_settings().agreement
    checked = load_agreement(chosen) if chosen else load_agreement()
    click.echo(f"{checked.name} is valid, in force from {checked.effective}.")


@tandem.group()
def calc() -> None:
    """Apply the rules to a file, without any CRM. FILE may be - for standard input."""


_file = click.argument("file", type=click.Path(allow_dash=True, path_type=Path))
_data_file = click.Path(dir_okay=False, path_type=Path)


@calc.command("credit")
@click.argument("file", required=False, type=click.Path(allow_dash=True, path_type=Path))
@click.option("--deals", type=_data_file, help="Deals as Parquet, instead of in FILE.")
@click.option("--touches", type=_data_file, help="Their touches as Parquet, with deal_id.")
@click.option("--out", type=_data_file, help="Where to write one row per deal, model and touch.")
@as_json
def calc_credit(
    file: Path | None, deals: Path | None, touches: Path | None, out: Path | None, is_json: bool
) -> None:
    """Share deals over their touches, or a table of paths over its channels.

    With --deals, --touches and --out, FILE may hold the config; without it the deals have to be in
    one currency.
    """
    from flows import calc as rules
    from flows.show_calc import show_credit

    if deals and touches and out:
        given = rules.read_input(file) if file else {"config": rules.sole_currency(deals)}
        result = rules.calc_credit_parquet(deals, touches, out, given.get("config", given))
    elif deals or touches or out:
        raise click.UsageError("--deals, --touches and --out go together; give all three.")
    elif file is None:
        raise click.UsageError("give a FILE, or --deals, --touches and --out.")
    else:
        data = rules.read_input(file)
        share = rules.calc_paths if "paths" in data else rules.calc_credit
        result = share(data, source=str(file))
    print_result(result, is_json, show_credit)


@calc.command("match")
@click.option("--hubspot", required=True, type=_data_file, help="Contacts, as CSV or Parquet.")
@click.option("--salesforce", required=True, type=_data_file, help="Leads and contacts, likewise.")
@click.option(
    "--map", "map_file", type=_data_file, help="YAML that names the columns of the files."
)
@click.option("--out", required=True, type=_data_file, help="Where to write the links, as CSV.")
@as_json
def calc_match(
    hubspot: Path, salesforce: Path, map_file: Path | None, out: Path, is_json: bool
) -> None:
    """Match two exports: which records are the same person, how surely, by which rule."""
    from flows.calc_match import calc_match as match
    from flows.show_calc import show_match

    print_result(match(hubspot, salesforce, out, map_file), is_json, show_match)


@calc.command("clock")
@_file
@as_json
def calc_clock(file: Path, is_json: bool) -> None:
    """Give working time and due times of the file's cases."""
    from flows import calc as rules
    from flows.show_calc import show_clock

    print_result(rules.calc_clock(rules.read_input(file), source=str(file)), is_json, show_clock)


@calc.command("rewards")
@_file
@as_json
def calc_rewards(file: Path, is_json: bool) -> None:
    """Run the file's steps (run, post, close, pay) on an empty ledger."""
    from flows import calc as rules
    from flows.show_calc import show_rewards

    print_result(
        rules.calc_rewards(rules.read_input(file), source=str(file)), is_json, show_rewards
    )


tandem.add_command(rewards)
tandem.add_command(review)
tandem.add_command(watch)
tandem.add_command(alerts)


def main() -> None:
    """Run the command line; print an error of ours as one line and exit with its code."""
    try:
        code = tandem.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _fail(error.format_message(), 2)
    except click.exceptions.Abort:
        _fail("stopped", 130)
    except TandemError as error:
        _fail(str(error), error.exit_code)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    click.echo(f"tandem: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
