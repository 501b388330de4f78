"""`tandem rewards`: a period's way from open to paid, for finance and approvers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

_period = click.argument("period")
_json = click.option(
    "--json", "is_json", is_flag=True, help="Print one JSON object on standard output."
)
_by = click.option("--by", required=True, help="Who acts: a name listed under TANDEM_APPROVERS.")
_secret = click.option(
    "--secret",
    envvar="TANDEM_APPROVER_SECRET",
    prompt=True,
    hide_input=True,
    show_envvar=True,
    help="Their secret; asked for when neither given nor set. An argument shows in process lists.",
)
_out = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".tandem/rewards"),
    show_default=True,
    help="Folder for the files; only you can read it.",
)


@click.group()
def rewards() -> None:
    """Propose, approve, close, export and pay a reward period; each step once and in order."""


@rewards.command()
@_period
@click.option("--by", help="Who proposes; without it, the schedule does, and two others must act.")
@click.option("--secret", envvar="TANDEM_APPROVER_SECRET", help="Their secret; else asked for.")
@_json
def propose(period: str, by: str | None, secret: str | None, is_json: bool) -> None:
    """Propose to close PERIOD, such as 2027-Q1, as the last night calculated it."""
    from flows import rewards as flow
    from flows.show_rewards import show_proposal

    if by and secret is None:
        secret = click.prompt("Secret", hide_input=True)
    with _store() as store:
        person = _person(by, secret)
        _print(flow.propose(store, period, person, _now()), is_json, show_proposal)


@rewards.command()
@_period
@_by
@_secret
@_json
def approve(period: str, by: str, secret: str, is_json: bool) -> None:
    """Approve the proposal of PERIOD; whoever proposed it cannot."""
    from flows import rewards as flow
    from flows.show_rewards import show_step

    with _store() as store:
        _print(flow.approve(store, period, _person(by, secret), _now()), is_json, show_step)


@rewards.command()
@_period
@_by
@_secret
@_json
def close(period: str, by: str, secret: str, is_json: bool) -> None:
    """Close PERIOD for good: terms freeze, and later changes post to the open period."""
    from flows import rewards as flow
    from flows.show_rewards import show_step

    with _store() as store:
        _print(flow.close(store, period, _person(by, secret), _now()), is_json, show_step)


@rewards.command()
@_period
@_by
@_secret
@_out
@_json
def export(period: str, by: str, secret: str, out: Path, is_json: bool) -> None:
    """Write journal (CSV and beancount), payroll list and tie-out of the closed PERIOD."""
    from flows import rewards as flow
    from flows.reward_files import write_export
    from flows.show_rewards import show_files

    with _store() as store:
        exported = flow.export(store, period, _person(by, secret), _now())
        _print(write_export(store, period, out, exported), is_json, show_files)


@rewards.command()
@_period
@_by
@_secret
@_json
def pay(period: str, by: str, secret: str, is_json: bool) -> None:
    """Note that payroll has paid PERIOD, to the cent what was exported."""
    from flows import rewards as flow
    from flows.show_rewards import show_payment

    with _store() as store:
        _print(flow.pay(store, period, _person(by, secret), _now()), is_json, show_payment)


@rewards.command()
@click.argument("participant")
@click.argument("amount")
@_by
@_secret
@click.option("--again", "is_again", is_flag=True, help="A second one of this amount.")
@_json
def draw(
    participant: str, amount: str, by: str, secret: str, is_again: bool, is_json: bool
) -> None:
    """Advance AMOUNT of company currency to PARTICIPANT, to be made up for by what they earn."""
    from flows import rewards as flow
    from flows.show_rewards import show_draw

    with _store() as store:
        done = flow.draw(store, participant, amount, _person(by, secret), _now(), is_again=is_again)
        _print(done, is_json, show_draw)


@rewards.command()
@_period
@click.option("--of", "only", help="One participant or team; default: all, and finance's page.")
@_out
@_json
def statement(period: str, only: str | None, out: Path, is_json: bool) -> None:
    """Write the statements of PERIOD as HTML and CSV; before it is closed, marked as not final."""
    from flows.reward_files import write_statements
    from flows.show_rewards import show_files

    with _store() as store:
        _print(write_statements(store, period, out, only), is_json, show_files)


@rewards.command()
@click.option("--head", help="A ledger head noted elsewhere, such as on a statement.")
@_json
def verify(head: str | None, is_json: bool) -> None:
    """Recompute the ledger's chain, closed periods and sums; exit code 10 when something is off."""
    from flows import rewards as flow
    from flows.show_rewards import show_verdict

    with _store() as store:
        verdict = flow.verify(store, head)
    _print(verdict, is_json, show_verdict)
    if not verdict["is_whole"]:
        raise click.exceptions.Exit(10)


@rewards.command()
@_json
def status(is_json: bool) -> None:
    """Show every period with its state and pool, and what would move the running one most."""
    from flows import rewards as flow
    from flows.show_rewards import show_status

    with _store() as store:
        _print(flow.status(store), is_json, show_status)


@contextmanager
def _store() -> Iterator[Any]:
    from contextlib import closing

    from connectors.settings import load_settings
    from connectors.store import Store

    with closing(Store.open(load_settings().database_url)) as store:
        yield store


def _person(name: str | None, secret: str | None) -> Any:
    """Make sure that somebody is who they say; nobody named is the schedule."""
    from pydantic import SecretStr

    from connectors.participants import read_approvers
    from connectors.settings import load_settings
    from flows.rewards import SCHEDULE, Person

    if name is None:
        return Person(SCHEDULE, is_verified=False)
    read_approvers(load_settings().tandem_approvers).verify(name, SecretStr(secret or ""))
    return Person(name, is_verified=True)


def _now() -> Any:
    from connectors.clock import utc_now

    return utc_now()


def _print(result: Mapping[str, Any], is_json: bool, show: Callable[[Any], str]) -> None:
    if is_json:
        import orjson

        options = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY
        click.echo(orjson.dumps(result, option=options).decode())
    else:
        click.echo(show(result))
