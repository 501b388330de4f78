"""Render the scoreboard: one self-contained page, no network and no script, from the board."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agreement.wording import duration_text, money_text
from connectors.charts import Bar, bars

_HERE = Path(__file__).parent
CLOCK_COLOURS = (("on_time", "good"), ("late", "late"), ("waiting", "wait"))
TEAM_COLOURS = (("marketing", "marketing"), ("sales", "sales"), ("unknown", "unknown"))

_WORDINGS: Mapping[str, Callable[[Any, str], str]] = MappingProxyType(
    {
        "money": money_text,
        "count": lambda value, _: f"{value:,}",
        "share": lambda value, _: f"{value / 10_000:.1f} %",
        "duration": lambda value, _: duration_text(value),
        "days": lambda value, _: f"{value:,} d",
        "factor": lambda value, _: f"{float(Fraction(value)):.3f}",
    }
)


def write_scoreboard(board: Mapping[str, Any], path: Path) -> Path:
    """Write the page of a board; give its path. The folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_scoreboard(board), encoding="utf-8")
    return path


def render_scoreboard(board: Mapping[str, Any]) -> str:
    """Render the page; each figure says what it is, where in the board it stands, and its list."""
    return (
        page_environment()
        .get_template("scoreboard.html")
        .render(board=board, fig=_Figures(board), charts=_charts(board))
    )


def page_environment() -> Environment:
    """Give what renders a page: values escaped, a missing one an error, words and instants."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = lambda name: str(name).replace("_", " ")
    environment.filters["moment"] = _moment
    return environment


@dataclass(frozen=True, slots=True)
class _Figures:
    """Words a figure of the board by its path, as a link to its list `to`, where it has one."""

    board: Mapping[str, Any]

    def __call__(self, kind: str, what: str, to: str, *path: str | int) -> Markup:
        value: Any = self.board
        for step in path:
            value = value[step]
        text = worded(value, kind, self.board["currency"])
        says = f"{what}: {text}"
        start, end = (f'<a href="lists/{to}.csv"', "a") if to else ('<span role="note"', "span")
        focus = "" if to else ' tabindex="0"'
        return Markup(  # noqa: S704 - start and end are ours; values are escaped by format
            start + focus + ' class="fig" title="{says}" aria-label="{says}" data-figure="{path}"'
            ' data-value="{value}" data-kind="{kind}">{text}</' + end + ">"
        ).format(says=says, path=json.dumps(path), value=json.dumps(value), kind=kind, text=text)


def worded(value: Any, kind: str, currency: str) -> str:
    """Word one figure; a missing one is a dash, a duration that was not reached says so."""
    if value is None and kind != "duration":
        return "–"
    return _WORDINGS[kind](value, currency)


def _charts(board: Mapping[str, Any]) -> dict[str, Markup]:
    return {
        "bridge": _bridge_chart(board),
        "clocks": _clock_chart(board),
        "teams": _team_chart(board),
        "channels": _channel_chart(board),
    }


def _bridge_chart(board: Mapping[str, Any]) -> Markup:
    quarter = board["bridge"]["quarter"]
    parts = [
        Bar(name, "MQLs", count, f"{name}: {count:,} of {quarter['mqls']:,} MQLs this quarter")
        for name, count in quarter["classes"].items()
    ]
    return bars("MQLs of this quarter by class", parts, [("MQLs", "accent")], "MQLs this quarter")


def _clock_chart(board: Mapping[str, Any]) -> Markup:
    parts = [
        Bar(
            week["name"],
            name.replace("_", " "),
            week[name],
            f"week of {week['name']}: {week[name]:,} of {week['count']:,} {name.replace('_', ' ')}",
        )
        for week in board["clocks"]["year"]["weeks"]
        for name, _ in CLOCK_COLOURS
    ]
    colours = [(name.replace("_", " "), colour) for name, colour in CLOCK_COLOURS]
    return bars("Handoffs by week and how they stand", parts, colours, "handoffs started, by week")


def _team_chart(board: Mapping[str, Any]) -> Markup:
    parts = [
        _money_bar(board, model, row["name"], row["won_minor"][model])
        for model in board["credit"]["models"]
        for row in board["credit"]["team"]["year"]
        if model in row["won_minor"]
    ]
    return bars("Won credit of four quarters by model and team", parts, TEAM_COLOURS, _axis(board))


def _channel_chart(board: Mapping[str, Any]) -> Markup:
    shared = board["credit"]["shared_model"]
    parts = [
        _money_bar(board, row["name"], shared, row["won_minor"].get(shared, 0))
        for row in board["credit"]["channel"]["year"]
    ]
    title = "Won credit of four quarters by channel, shared model"
    return bars(title, parts, [(shared, "accent")], _axis(board))


def _money_bar(board: Mapping[str, Any], name: str, part: str, minor: int) -> Bar:
    says = f"{name.replace('_', ' ')}, {part}: {money_text(minor, board['currency'])}"
    return Bar(name.replace("_", " "), part, minor / 10 ** board["digits"], says)


def _axis(board: Mapping[str, Any]) -> str:
    return f"won credit, four quarters, {board['currency']}"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%d %B %Y, %H:%M} UTC"
