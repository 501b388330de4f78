"""`tandem bridge`: where marketing's leads went."""

from contextlib import closing
from datetime import datetime

import click

from flows.terminal import as_json, print_result


@click.command()
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only MQLs of this day and later, such as 2026-10-01, in the agreement's zone.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only MQLs of this day and earlier, in the same zone.",
)
@as_json
def bridge(since: datetime | None, until: datetime | None, is_json: bool) -> None:
    """Account for every MQL: linked, excluded, rejected, waiting for review, or missing and why.

    As the last night left it; nothing is asked of a CRM.
    """
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows.bridge import bridge_view
    from flows.run import agreement_in_force
    from flows.show_bridge import show_bridge

    settings = load_settings()
    zone = agreement_in_force(settings).calendar.zone
    with closing(Store.open(settings.database_url)) as store:
        view = bridge_view(
            store, zone, since.date() if since else None, until.date() if until else None
        )
    print_result(view, is_json, show_bridge)
