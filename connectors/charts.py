"""Charts as inline SVG that needs no script: colours follow the page, marks explain themselves."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

# The colours drawn with, each put in the page's hands afterwards: dark and light are its affair.
_COLOURS = {
    "ink": "#010101",
    "line": "#010102",
    "marketing": "#010103",
    "sales": "#010104",
    "unknown": "#010105",
    "good": "#010106",
    "late": "#010107",
    "wait": "#010108",
    "accent": "#010109",
}
_WIDTH = 460
_MARK = re.compile(r'<path aria-label="([^"]*)"([^>]*)/>')


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a bar: its bar's name, the part's name, its length, and what hovering says."""

    name: str
    part: str
    value: float
    says: str


def bars(title: str, parts: Sequence[Bar], colours: Sequence[tuple[str, str]], axis: str) -> Markup:
    """Draw horizontal stacked bars in the given order.

    `colours` are the parts' names, first to last, each with the page's colour for it; the legend
    names them where there are several. The drawing fits any width. Without parts: nothing.
    """
    if not parts:
        return Markup("")
    import altair
    import vl_convert

    order = [name for name, _ in colours]
    rows = [
        {
            "name": each.name,
            "part": each.part,
            "value": each.value,
            "says": each.says,
            "place": order.index(each.part),
        }
        for each in parts
    ]
    names = list(dict.fromkeys(each.name for each in parts))
    legend = altair.Legend(title=None, orient="top") if len(order) > 1 else None
    palette = altair.Scale(domain=order, range=[_COLOURS[colour] for _, colour in colours])
    chart = (
        altair.Chart(altair.InlineData(values=rows), width=_WIDTH, height=altair.Step(22))
        .mark_bar(stroke=_COLOURS["line"], strokeWidth=0.5)
        .encode(
            x=altair.X("value:Q", title=axis, stack="zero", axis=altair.Axis(tickCount=5)),
            y=altair.Y("name:N", title=None, sort=names),
            color=altair.Color("part:N", scale=palette, sort=order, legend=legend),
            order=altair.Order("place:Q"),
            description=altair.Description("says:N"),
        )
        .configure(
            background="transparent",
            font="sans-serif",
            padding={"left": 30, "right": 12, "top": 4, "bottom": 4},
        )
        .configure_view(strokeWidth=0)
        .configure_axis(
            labelColor=_COLOURS["ink"],
            titleColor=_COLOURS["ink"],
            gridColor=_COLOURS["line"],
            domainColor=_COLOURS["line"],
            tickColor=_COLOURS["line"],
            labelLimit=160,
            labelFontSize=12,
        )
        .configure_legend(labelColor=_COLOURS["ink"], labelFontSize=12)
    )
    return Markup(_for_page(vl_convert.vegalite_to_svg(chart.to_json()), title))  # noqa: S704 - our own drawing, its texts escaped by Vega


def _for_page(svg: str, title: str) -> str:
    """Name the drawing, let it shrink, hand over its colours, and let every mark say what it is."""
    for name, colour in _COLOURS.items():
        svg = svg.replace(f'"{colour}"', f'"var(--{name})"')
    svg = _MARK.sub(_mark, svg)
    size = re.search(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)"', svg)
    limit = f' style="width:100%;max-width:{float(size[1]):.0f}px;height:auto"' if size else ""
    start = re.sub(r' (?:width|height)="[\d.]+"', "", svg[: svg.index(">")])
    return f'{start} role="img" aria-label="{escape(title)}"{limit}{svg[svg.index(">") :]}'


def _mark(found: re.Match[str]) -> str:
    says, rest = found[1], found[2]
    return f'<path{rest} aria-label="{says}"><title>{says}</title></path>'
