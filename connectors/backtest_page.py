"""Render a backtest: one self-contained page, and the lists behind it as CSV of ids."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from agreement.frames import ClockChanges, CreditChanges, Table
from agreement.wording import money_text, signed_money
from connectors.charts import Bar, bars
from connectors.scoreboard import CLOCK_COLOURS, TEAM_COLOURS, page_environment, worded
from connectors.spreadsheets import csv_text

# Clocks named on the page; the list beside it has all.
_MOST = 50
# What the list of missed clocks tells of each.
MISSED = ("handoff_id", "record_kind", "record_id", "owner_id", "tier", "started_at", "due_at",
          "touched_at", "cause")  # fmt: skip
_SIDES = (("before", "in force"), ("after", "draft"))


def write_backtest(found: Mapping[str, Any], folder: Path) -> Path:
    """Write `backtest.html` and its lists; give the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lists: Mapping[str, tuple[Sequence[str], Sequence[Mapping[str, Any]]]] = {
        "clocks": (_columns(ClockChanges), found["clocks"]["changes"]),
        "missed": (MISSED, found["clocks"]["missed"]),
        "deals": ([*_columns(CreditChanges), "record_id"], found["credit"]["deals"]),
    }
    for name, (columns, rows) in lists.items():
        text = csv_text(columns, rows)
        (folder / f"backtest_{name}.csv").write_text(text, encoding="utf-8")
    page = folder / "backtest.html"
    page.write_text(render_backtest(found), encoding="utf-8")
    return page


def _columns(table: type[Table]) -> list[str]:
    return list(table.to_schema().columns)


def render_backtest(found: Mapping[str, Any]) -> str:
    """Render the page; it loads nothing from anywhere."""
    currency = found["currency"]
    environment = page_environment()
    for kind in ("count", "share", "duration", "factor"):
        environment.filters[kind] = _wording(kind, currency)
    environment.filters["money"] = lambda minor: _bare(money_text(minor, currency), currency)
    environment.filters["change"] = lambda minor: _bare(signed_money(minor, currency), currency)
    environment.filters["signed"] = lambda number: f"{number:+,}" if number else "–"
    environment.filters["kept"] = _kept
    charts = {"clocks": _clock_chart(found), "teams": _team_chart(found)}
    return environment.get_template("backtest.html").render(
        found=found, charts=charts, otherwise=_moved(found)[:_MOST]
    )


def _wording(kind: str, currency: str) -> Any:
    return lambda value: worded(value, kind, currency)


def _bare(text: str, currency: str) -> str:
    """Leave the currency's code to the table's caption: four amounts stand in a row."""
    return text.removesuffix(f" {currency}")


def _moved(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the clocks that the draft judges otherwise, not only at another time."""
    return [
        row
        for row in found["clocks"]["changes"]
        if any(row[f"{name}_before"] != row[f"{name}_after"] for name in ("tier", "status"))
    ]


def _kept(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "not promised"
    return {True: "✓ kept", False: "✗ not kept", None: "–"}[side["is_kept"]]


def _clock_chart(found: Mapping[str, Any]) -> Markup:
    clocks = found["clocks"]
    parts = [
        Bar(said, name.replace("_", " "), clocks[side][name],
            f"{said}: {clocks[side][name]:,} of {clocks[side]['count']:,} {name.replace('_', ' ')}")
        for side, said in _SIDES
        for name, _ in CLOCK_COLOURS
    ]  # fmt: skip
    colours = [(name.replace("_", " "), colour) for name, colour in CLOCK_COLOURS]
    return bars("Clocks under both agreements", parts, colours, "handoffs started in that time")


def _team_chart(found: Mapping[str, Any]) -> Markup:
    unit = 10 ** found["digits"]
    parts = [
        Bar(said, row["name"], row[f"{side}_minor"] / unit,
            f"{said}, {row['name']}: {money_text(row[f'{side}_minor'], found['currency'])}")
        for side, said in _SIDES
        for row in found["credit"]["team"]
    ]  # fmt: skip
    axis = f"won credit in that time, {found['currency']}"
    return bars("Won credit by team under both agreements", parts, TEAM_COLOURS, axis)
