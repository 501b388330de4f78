"""`tandem review`: matches and conflicts that wait for a person, and their answers."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.terminal import Suggesting, as_json, print_result

if TYPE_CHECKING:
    from flows.review_answers import Answer

_limit = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="The most matches and conflicts of the queue, the answer that is worth most first.",
)
_values = click.option(
    "--show-values", "is_shown", is_flag=True, help="Show people's details instead of hiding them."
)
_by = click.option("--by", metavar="PERSON", help="Who decides; kept with the decision.")


@click.group(cls=Suggesting, invoke_without_command=True)
@_limit
@_values
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write review.html, with the weights of each match as a chart, and decisions.csv.",
)
@click.option(
    "--file",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Decide by a CSV: decision, and id or left and right; for conflicts side. Needs --by.",
)
@_by
@as_json
@click.pass_context
def review(
    ctx: click.Context,
    limit: int,
    is_shown: bool,
    out: Path | None,
    file: Path | None,
    by: str | None,
    is_json: bool,
) -> None:
    """List what waits for a person, and take their answers.

    An answer is used at once, survives every later run, and is taken back by another one.
    """
    if ctx.invoked_subcommand:
        return
    if file:
        from flows.review_answers import read_answers

        _decide(read_answers(file), by, is_json)
        return
    _list(limit, is_shown, is_json, out)


@review.command("list")
@_limit
@_values
@as_json
def list_(limit: int, is_shown: bool, is_json: bool) -> None:
    """List what waits, both records side by side; values are hidden but for a first letter."""
    _list(limit, is_shown, is_json, None)


def _list(limit: int, is_shown: bool, is_json: bool, out: Path | None) -> None:
    from agreement.errors import BadInput
    from connectors.review_page import write_review_page
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows.reading import reading_of
    from flows.review import review_queue
    from flows.show_review import review_shower

    settings = load_settings()
    with closing(Store.open(settings.database_url)) as store:
        reading = reading_of(store, settings)
        view = review_queue(store, reading.agreement, limit=limit, is_masked=not is_shown)
        currency = reading.account_currency() or "USD"
        if out:
            masked = review_queue(store, reading.agreement, limit=limit) if is_shown else view
            try:
                view["page"] = str(write_review_page({**masked, "currency": currency}, out))
            except OSError as error:
                raise BadInput(f"{out}: cannot be written: {error.strerror}") from None
    print_result(view, is_json, review_shower(currency))


def _decide(answers: "Sequence[Answer]", by: str | None, is_json: bool) -> None:
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows.review_answers import decide
    from flows.show_review import show_decided

    if not by:
        raise click.UsageError("say who decides, with --by PERSON.")
    settings = load_settings()
    with closing(Store.open(settings.database_url)) as store:
        result = decide(store, settings, answers, by)
    print_result(result, is_json, show_decided)


_HELP = {
    "accept": "Link a pair, or with --side settle a conflict by that side's value.",
    "reject": "Keep a pair apart until what it is told by changes.",
    "pin": "Link a pair whatever any rule says.",
    "forbid": "Keep a pair apart for good.",
}


def _command(decision: str) -> click.Command:
    @click.command(decision, help=f"{_HELP[decision]} WHAT is an id, or two records.")
    @click.argument("what", nargs=-1, required=True)
    @click.option(
        "--side",
        type=click.Choice(["hubspot", "salesforce"]),
        help="Of a conflict: whose value is right.",
        hidden=decision != "accept",
    )
    @_by
    @as_json
    def command(what: tuple[str, ...], side: str | None, by: str | None, is_json: bool) -> None:
        from flows.review_answers import answer_of

        _decide([answer_of(decision, what, side)], by, is_json)

    return command


for _decision in _HELP:
    review.add_command(_command(_decision))
