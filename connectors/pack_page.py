"""Render the weekly pack: for people in both teams, and a short page for finance and delivery."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agreement.wording import duration_text, money_text, share_text
from connectors.scoreboard import page_environment

# Acts that stand behind a thank-you, as many as a line holds.
_MOST_IDS = 4
_PAGES = MappingProxyType({"pack": "pack", "finance": "pack_finance"})

_FIGURES: Mapping[str, Callable[[int, str], str]] = MappingProxyType(
    {
        "count": lambda value, _: f"{value:,}",
        "minor": money_text,
        "ppm": lambda value, _: share_text(value),
        "seconds": lambda value, _: duration_text(value),
    }
)


def write_pages(view: Mapping[str, Any], out: Path) -> list[Path]:
    """Write both pages as HTML and text; give their paths. The folder is made when missing."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, template in _PAGES.items():
        for suffix in ("html", "txt"):
            path = out / f"{name}.{suffix}"
            path.write_text(_render(f"{template}.{suffix}", view), encoding="utf-8")
            paths.append(path)
    return paths


def pack_text(view: Mapping[str, Any]) -> str:
    """Write the pack as text: for a terminal, a chat or a plain message."""
    return _render("pack.txt", view)


def finance_text(view: Mapping[str, Any]) -> str:
    """Write finance's and delivery's page as text."""
    return _render("pack_finance.txt", view)


def _render(template: str, view: Mapping[str, Any]) -> str:
    environment = page_environment()
    environment.autoescape = template.endswith(".html")
    currency = view["currency"]
    environment.filters |= {
        "day": lambda text: f"{date.fromisoformat(text):%d %B %Y}",
        "money": lambda minor: money_text(minor, currency),
        "share": share_text,
        "duration": duration_text,
        "figure": lambda value, unit: figure_text(value, unit, currency),
        "mark": lambda kept: "nothing to count" if kept is None else "kept" if kept else "NOT KEPT",
        "thanked": _thanked,
        "some": _some,
    }
    text = environment.get_template(template).render(pack=view, finance=view["finance"])
    return text.rstrip("\n") + "\n"


def _thanked(thank: Mapping[str, Any]) -> str:
    """Name who or what is thanked, as far as it is known and may be named."""
    if thank["name"] or thank["asset"]:
        return str(thank["name"] or thank["asset"])
    if thank["user_id"]:
        return f"user {thank['user_id']}"
    return f"campaign {thank['campaign_id']}" if thank["campaign_id"] else "nobody by name"


def _some(ids: Sequence[str]) -> str:
    more = len(ids) - _MOST_IDS
    return ", ".join(ids[:_MOST_IDS]) + (f" and {more} more" if more > 0 else "")


def figure_text(value: int | None, unit: str, currency: str) -> str:
    """Word a figure of the pack by its unit; None is one that there was nothing to measure for."""
    return "–" if value is None else _FIGURES[unit](value, currency)
