"""Render a plan: one self-contained page that a person reads before anything is written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent

# A browser shows this many rows well; the whole plan is in `tandem plan --json`.
_MOST_ROWS = 5000


def write_plan_page(view: Mapping[str, Any], path: Path) -> Path:
    """Write the page of one plan; give its path. The folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_plan(view), encoding="utf-8")
    return path


def render_plan(view: Mapping[str, Any]) -> str:
    """Render the page: what would change, what is left out and why, then field by field."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["shown"] = lambda value: "(blank)" if value is None else value
    writes = view["writes"]
    return environment.get_template("plan.html").render(
        plan=view, writes=writes[:_MOST_ROWS], more=max(0, len(writes) - _MOST_ROWS)
    )
