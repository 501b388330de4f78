"""Render the scoreboard: one self-contained page, no network, from the night's summary."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agreement.wording import duration_text, money_text

_HERE = Path(__file__).parent


def write_scoreboard(summary: Mapping[str, Any], path: Path) -> Path:
    """Write the page of one night's figures; give its path. The folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_scoreboard(summary), encoding="utf-8")
    return path


def render_scoreboard(summary: Mapping[str, Any]) -> str:
    """Render the page; amounts are shown in company currency, shares with their counts."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined
    )
    currency = summary["currency"]
    environment.filters["money"] = lambda minor: money_text(minor, currency)
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["duration"] = duration_text
    environment.filters["words"] = lambda name: name.replace("_", " ")
    environment.filters["share"] = lambda text: f"{float(Fraction(text)):.1%}"
    environment.filters["factor"] = lambda text: f"{float(Fraction(text)):.3f}"
    environment.filters["moment"] = _moment
    environment.filters["percent"] = lambda part, whole: f"{part / whole:.1%}" if whole else "-"
    environment.filters["width"] = lambda part, whole: (
        f"{max(0.0, part / whole) * 100:.2f}" if whole else "0"
    )
    return environment.get_template("scoreboard.html").render(summary=summary)


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%d %B %Y, %H:%M} UTC"
