"""What the commands of `tandem` share: instants, JSON or text, and progress."""

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click


class Instant(click.ParamType[datetime]):
    """An ISO 8601 instant with its offset, such as 2026-11-17T09:15:00Z."""

    name = "TIME"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """Read the instant; a time without an offset is refused, since nobody knows which it is."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no ISO 8601 time; write one such as 2026-11-17T09:15:00Z")
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no offset; add Z or one such as -05:00")
        return moment


class Suggesting(click.Group):
    """A group of commands that suggests the nearest name for one that does not exist."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command; say which one was meant where there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            path = ctx.command_path
            raise click.UsageError(f"there is no command {name!r}.{hint} See {path} --help.")
        return super().resolve_command(ctx, args)


as_json = click.option(
    "--json", "is_json", is_flag=True, help="Print one JSON object on standard output."
)


def print_result(result: Mapping[str, Any], is_json: bool, show: Any) -> None:
    """Print a result: as one JSON object, or as `show` writes it for people."""
    if is_json:
        import orjson

        click.echo(
            orjson.dumps(result, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()
        )
    else:
        click.echo(show(result))


def progress(text: str) -> None:
    """Say on standard error what is going on."""
    click.echo(text, err=True)


def shown_stage(work: Any, *arguments: Any) -> Any:
    """Run a stage and say so first."""
    systems = " ".join(argument.system for argument in arguments if hasattr(argument, "system"))
    progress(f"  {work.__name__.replace('_', ' ')} {systems}".rstrip())
    return work(*arguments)
