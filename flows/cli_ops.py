"""Commands for whoever keeps Tandem running: status, serve, backup, restore."""

from contextlib import closing
from pathlib import Path

import click

from flows.terminal import as_json, print_result

_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command()
@click.option("--prometheus", "is_prometheus", is_flag=True, help="Print Prometheus text.")
@as_json
def status(is_prometheus: bool, is_json: bool) -> None:
    """Show the last good night, how far reading has got, and what waits."""
    from connectors.clock import utc_now
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows import status as standing
    from flows.show_status import show_status

    with closing(Store.open(load_settings().database_url)) as store:
        found = standing.status(store, utc_now())
    if is_prometheus:
        click.echo(standing.prometheus(found), nl=False)
    else:
        print_result(found, is_json, show_status)


@click.command()
@click.argument(
    "file",
    metavar="[FILE]",
    required=False,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def serve(file: Path | None) -> None:
    """Run every schedule in one process, without a worker; stop it with Ctrl-C.

    FILE holds the deployments, by default prefect.yaml. Needs a Prefect server (PREFECT_API_URL),
    else starts one of its own. On stop the schedules pause; starting again resumes them.
    """
    import signal
    import subprocess
    import sys

    command = [sys.executable, "-m", "flows.deployments", *([str(file)] if file else [])]
    child = subprocess.Popen(command)  # noqa: S603 - no shell, and a program of ours
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        code = child.wait()
    except KeyboardInterrupt:
        code = child.wait()
    raise click.exceptions.Exit(code if code >= 0 else 128 - code)  # as shells say it


@click.command()
@_file
@as_json
def backup(file: Path, is_json: bool) -> None:
    """Write the database as it stands into a new FILE; nights may run meanwhile."""
    from connectors.settings import load_settings
    from connectors.store.backup import backup as write_backup

    size = write_backup(load_settings().database_url, file)
    print_result(
        {"file": str(file), "bytes": size},
        is_json,
        lambda done: f"Wrote {done['file']}, {done['bytes']:,} bytes. Keep it as safe as a CRM.",
    )


@click.command()
@_file
@as_json
def restore(file: Path, is_json: bool) -> None:
    """Fill an empty database from a backup FILE; the next night carries on from there."""
    from connectors.settings import load_settings
    from connectors.store.backup import restore as read_backup

    read_backup(load_settings().database_url, file)
    print_result(
        {"file": str(file), "is_restored": True},
        is_json,
        lambda done: f"Restored {done['file']}. Next: tandem status, then tandem sync --dry-run.",
    )


OPS = (status, serve, backup, restore)
