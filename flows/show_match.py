"""What a person reads of a match: the rule, both records field by field, what would change it."""

from collections.abc import Mapping, Sequence
from typing import Any

from agreement.wording import link_text

_WIDTH = 34
# Bits that are shown as +0.0.
_SMALL = 0.05
_MOST_CHANGES = 4


def match_lines(found: Mapping[str, Any]) -> list[str]:
    """Show how a record was matched, and which pairs of it wait or were decided."""
    if not found.get("match"):
        return []
    lines = ["", "Matched", *(_record(row) for row in found["match"])]
    lines.append(f"  {found['holds']}")
    if found["pair"]:
        lines += ["", *_pair(found["pair"])]
    for pair in found["reviews"]:
        lines += ["", f"Waiting for a person: {pair['id']}"]
        # What is linked meanwhile stands above already.
        lines += [] if found["pair"] and found["pair"]["id"] == pair["id"] else _pair(pair)
        lines += [*linked_lines(pair), *([f"  {pair['says']}"] if pair["says"] else [])]
    if found["decisions"]:
        lines += ["", "Decided"]
        lines += [
            f"  {row['decision']} {row['left']} {row['right']} by {row['by']} at {row['at']}"
            f"{'' if row['is_standing'] else ' (no longer)'}"
            for row in found["decisions"]
        ]
    return lines


def field_lines(pair: Mapping[str, Any]) -> list[str]:
    """Set both records side by side: values, how they agree, and the weight in bits."""
    width = max(_WIDTH, len(pair["left"]) + 2)
    return [
        f"  {'':<12}{pair['left']:<{width}}{pair['right']}",
        *(
            f"  {field['field']:<12}{cut(field['left']):<{width}}{cut(field['right']):<{_WIDTH}}"
            f"{_weight(field)}".rstrip()
            for field in pair["fields"]
            if _says_something(field)
        ),
    ]


def linked_lines(pair: Mapping[str, Any]) -> list[str]:
    """Say what each record of a pair that waits is one with meanwhile."""
    return [
        f"  {row['record']} is one with {', '.join(row['with'])} ({row['rule']})"
        for row in pair["linked"]
    ]


def cut(value: str | None) -> str:
    """Shorten a value to its column; a missing one is a dash."""
    if value is None:
        return "-"
    return value if len(value) < _WIDTH else f"{value[: _WIDTH - 3]}.."


def _record(row: Mapping[str, Any]) -> str:
    by = f", by {row['decided_by']}" if row["decided_by"] else ""
    evidence = f" with {row['evidence']}" if row["evidence"] else ""
    return (
        f"  {row['system']} {row['kind']} {row['record_id']}: {row['rule']} (score"
        f" {row['score']:g}){evidence}, since {row['since']}{by}"
    )


def _pair(pair: Mapping[str, Any]) -> list[str]:
    return [*field_lines(pair), *_model(pair), *_changes(pair["changes"])]


def _model(pair: Mapping[str, Any]) -> list[str]:
    model = pair["model"]
    if model is None:
        return []
    return [
        f"  by likeness alone: {model['decision']} ({model['bits']:+.1f} bits, right in"
        f" {100 * model['score']:.1f} of 100 such pairs; {link_text(pair['link_bits'])})"
    ]


def _changes(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"  {change['says']}" for change in changes[:_MOST_CHANGES]]


def _says_something(field: Mapping[str, Any]) -> bool:
    has_value = field["left"] is not None or field["right"] is not None
    return has_value or abs(field["weight"] or 0) >= _SMALL


def _weight(field: Mapping[str, Any]) -> str:
    number = "" if field["weight"] is None else f" {field['weight']:+.1f}"
    return f"{field['level']}{number}"
