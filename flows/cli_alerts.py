"""`tandem alerts`: what was said, to whom, and who took note of it."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from agreement.errors import BadInput
from flows.terminal import Suggesting, as_json, print_result


@click.group(cls=Suggesting, invoke_without_command=True)
@click.option("--all", "is_all", is_flag=True, help="Also those that somebody took note of.")
@as_json
@click.pass_context
def alerts(ctx: click.Context, is_all: bool, is_json: bool) -> None:
    """List the alerts that nobody took note of yet, the newest first."""
    if ctx.invoked_subcommand is not None:
        return
    from connectors.settings import load_settings
    from connectors.store import Store

    with closing(Store.open(load_settings().database_url)) as store:
        rows = store.list_alerts(is_all=is_all)
    listed = [{name: _plain(getattr(row, name)) for name in row.__slots__} for row in rows]
    print_result({"alerts": listed}, is_json, show_alerts)


@alerts.command("ack")
@click.argument("alert")
@click.option("--by", required=True, help="Who takes note.")
@as_json
def acknowledge(alert: str, by: str, is_json: bool) -> None:
    """Note that somebody took note of ALERT; the first one stays."""
    from connectors.clock import utc_now
    from connectors.settings import load_settings
    from connectors.store import Store

    person = by.strip()
    if not person:
        raise BadInput("--by is empty. Name who takes note: it is kept with the alert")
    with closing(Store.open(load_settings().database_url)) as store:
        if not store.acknowledge(alert, by=person, at=utc_now()):
            raise BadInput(f"there is no alert {alert!r}. tandem alerts --all lists them")
        noted = next(row for row in store.list_alerts(is_all=True) if row.alert_key == alert)
    print_result(
        {"alert": alert, "acknowledged_by": noted.acknowledged_by},
        is_json,
        lambda done: f"{done['alert']} is noted by {done['acknowledged_by']}.",
    )


def show_alerts(result: Mapping[str, Any]) -> str:
    """Write one line per alert: its key, how it stands, and what it is about."""
    lines = [
        f"{row['alert_key']}  {_standing(row)}  to {row['receiver']}: {row['text']}"
        for row in result["alerts"]
    ]
    return "\n".join(lines) or "Nothing waits: every alert was taken note of."


def _standing(row: Mapping[str, Any]) -> str:
    if row["acknowledged_at"]:
        return f"noted by {row['acknowledged_by']}"
    if row["dropped_at"]:
        return "overtaken"
    return f"sent {row['sent_at']}" if row["sent_at"] else "waits"


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
