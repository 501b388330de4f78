"""`tandem forget`: an erasure request."""

from contextlib import closing, nullcontext
from pathlib import Path

import click

from flows.terminal import as_json, print_result


@click.command()
@click.argument("person", metavar="PERSON|SYSTEM/KIND/ID")
@click.option("--apply", "is_applied", is_flag=True, help="Erase; without it, only show.")
@click.option(
    "--files",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of reports or logs to clean; may be repeated. Default: .tandem and out.",
)
@as_json
def forget(person: str, is_applied: bool, folders: tuple[Path, ...], is_json: bool) -> None:
    """Erase a person from database, logs and reports; keep the sums.

    PERSON is an id such as p_..., or a record such as hubspot/contact/51201. Times, states and sums
    stay under random ids, and a re-pull does not bring the person back. It cannot be undone.
    """
    from sqlalchemy.engine import make_url

    from connectors.clock import utc_now
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows.forget import default_folders
    from flows.forget import forget as forget_person
    from flows.show_forget import show_forget

    settings = load_settings()
    url = settings.database_url
    places = list(folders) or default_folders(
        str(make_url(url).database or ""), settings.tandem_pages
    )
    with closing(Store.open(url)) as store, store.hold_lock() if is_applied else nullcontext():
        result = forget_person(store, person, places, at=utc_now(), is_applied=is_applied)
    print_result(result, is_json, show_forget)


FORGET = (forget,)
