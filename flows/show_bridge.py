"""What a person reads of the MQL bridge on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

_MOST_RULES = 6
_LOST = ("missing", "waiting for review")


def show_bridge(view: Mapping[str, Any]) -> str:
    """Show the classes with their rules, then every lost MQL by id with its likely cause."""
    since = f" since {view['since']}" if view["since"] else ""
    until = f" until {view['until']}" if view["until"] else ""
    lines = [f"{view['mqls']:,} MQLs{since}{until}, by the last night"]
    for name, count in view["classes"].items():
        lines.append(f"  {name:<20}{count:>8,}")
        lines += _rules(view["rules"].get(name, {}))
    lines.append(f"  {'together':<20}{sum(view['classes'].values()):>8,}")
    for name in _LOST:
        lines += _named(name, [row for row in view["rows"] if row["class"] == name])
    return "\n".join(lines)


def lost_lines(lost: Mapping[str, Any]) -> list[str]:
    """Say in a night's summary how many MQLs are missing, and why."""
    return [f"    missing {count:,}: {cause}" for cause, count in lost["causes"].items()]


def _rules(rules: Mapping[str, int]) -> list[str]:
    shown = list(rules.items())[:_MOST_RULES]
    lines = [f"    {count:>8,}  {rule}" for rule, count in shown]
    more = sum(rules.values()) - sum(count for _, count in shown)
    return [*lines, f"    {more:>8,}  by other rules"] if more else lines


def _named(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    return [
        "",
        f"{name.capitalize()}: {len(rows):,}",
        *(
            f"  contact {row['record_id']} since {row['mql_at'][:10]}: {row['rule']}"
            f"{' (' + row['detail'] + ')' if row['detail'] else ''}"
            for row in rows
        ),
    ]
