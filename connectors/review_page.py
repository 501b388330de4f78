"""Render the review queue: each pair's records side by side, and its match weights as a chart."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agreement.wording import link_text, money_text

_HERE = Path(__file__).parent

# A file to fill in: what these columns say is for the reader, but for the first three.
_COLUMNS = ("id", "decision", "side", "entity", "left", "right", "score", "amount_minor")

# The chart, in pixels: words, bars, numbers.
_WORDS, _BARS, _NUMBERS, _ROW = 290, 380, 60, 22
_START, _TOTAL = "start", "together"


@dataclass(frozen=True)
class Bar:
    """One row of a chart: from where to where, what it is, and what it is worth."""

    x: float
    width: float
    y: int
    words: str
    number: str
    sort: str


@dataclass(frozen=True)
class Chart:
    """A waterfall of weights in bits, from the start to the sum; thresholds are upright lines.

    `link_x` is None for a pair that no sum links.
    """

    bars: Sequence[Bar]
    link_x: float | None
    review_x: float
    zero_x: float
    width: int
    height: int
    words: int
    says: str


def write_review_page(view: Mapping[str, Any], folder: Path) -> Path:
    """Write `review.html` and `decisions.csv`, for the answers; give the page's path.

    The folder is made when missing. A file of decisions that is there is left alone: somebody may
    have begun to fill it in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "review.html"
    page.write_text(render_review(view), encoding="utf-8")
    decisions = folder / "decisions.csv"
    if not decisions.exists():
        with decisions.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(view["matches"])
            writer.writerows(
                {**row, "left": row["hubspot"], "right": row["salesforce"], "score": ""}
                for row in view["conflicts"]
            )
    return page


def render_review(view: Mapping[str, Any]) -> str:
    """Render the page; it loads nothing from anywhere and shows the values as `view` has them."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["shown"] = lambda value: "-" if value is None else value
    environment.filters["money"] = lambda minor: money_text(minor, view["currency"])
    environment.filters["linked"] = link_text
    environment.filters["bits"] = lambda weight: "" if weight is None else f"{weight:+.1f}"
    charts = {row["id"]: _chart(row, view["review_bits"]) for row in view["matches"]}
    return environment.get_template("review.html").render(view=view, charts=charts)


def _chart(row: Mapping[str, Any], review_bits: float) -> Chart | None:
    """Draw a pair's weights; a pair that no model compared has no chart."""
    told = [field for field in row["fields"] if field["weight"]]
    if not told:
        return None
    told.sort(key=lambda field: field["field"] != _START)
    ends, total = [], 0.0
    for field in told:
        ends.append((total, total + field["weight"]))
        total += field["weight"]
    link_bits: float | None = row["link_bits"]
    marks = [0.0, review_bits] + ([] if link_bits is None else [link_bits])
    values = [*marks, *(value for pair in ends for value in pair)]
    low, high = min(values), max(values)
    scale = _BARS / ((high - low) or 1.0)

    def at(value: float) -> float:
        return round(_WORDS + (value - low) * scale, 1)

    bars = [
        _bar(at(min(pair)), at(max(pair)), place, _words(field), field["weight"])
        for place, (field, pair) in enumerate(zip(told, ends, strict=True))
    ]
    bars.append(
        _bar(at(min(0.0, total)), at(max(0.0, total)), len(told), _TOTAL, total, sort="sum")
    )
    return Chart(
        bars=bars,
        link_x=None if link_bits is None else at(link_bits),
        review_x=at(review_bits),
        zero_x=at(0.0),
        width=_WORDS + _BARS + _NUMBERS,
        height=_ROW * len(bars) + 20,
        words=_WORDS,
        says=f"Match weights in bits, together {total:+.1f}; {link_text(link_bits)}",
    )


def _bar(left: float, right: float, place: int, words: str, weight: float, sort: str = "") -> Bar:
    sort = sort or ("for" if weight > 0 else "against")
    return Bar(left, max(round(right - left, 1), 1.0), place * _ROW, words, f"{weight:+.1f}", sort)


def _words(field: Mapping[str, Any]) -> str:
    return (
        str(field["level"]) if field["field"] == _START else f"{field['field']}: {field['level']}"
    )
