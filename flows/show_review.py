"""What a person reads of reviews on the terminal."""

from collections.abc import Callable, Mapping
from typing import Any

from agreement.wording import link_text, money_text
from flows.show_match import cut, field_lines, linked_lines

# So many are shown field by field; the page and --json show them all.
_MOST_SHOWN = 10
_HOW = {"no base": "never the same so far"}


def review_shower(currency: str) -> Callable[[Mapping[str, Any]], str]:
    """Give the function that shows the queue, with amounts in this currency."""
    return lambda view: show_review(view, currency)


def show_review(view: Mapping[str, Any], currency: str) -> str:
    """Show the first of the queue, both records side by side, and how to answer."""
    counts = (view["match_count"], view["conflict_count"])
    if not any(counts):
        return "Nothing waits for a person."
    lines = [
        f"Waiting: {counts[0]:,} matches, {counts[1]:,} conflicts of shared fields;"
        " the answer that is worth most first"
    ]
    for row in view["matches"][:_MOST_SHOWN]:
        lines += ["", *_match(row, currency)]
    lines += _more(view["matches"], counts[0], "matches")
    for row in view["conflicts"][:_MOST_SHOWN]:
        lines += ["", *_conflict(row, currency)]
    lines += _more(view["conflicts"], counts[1], "conflicts")
    if view["is_masked"]:
        lines += [
            "",
            "Values are hidden but for first letter and length; --show-values shows them.",
        ]
    example = (view["matches"] or view["conflicts"])[0]["id"]
    side = "" if view["matches"] else " --side hubspot"
    others = " (or reject, pin, forbid)" if view["matches"] else ""
    return "\n".join(
        [*lines, f"Answer with: tandem review accept {example}{side} --by YOU{others}"]
    )


def show_decided(result: Mapping[str, Any]) -> str:
    """Show what was decided and what it changed."""
    said = [f"{word} {count:,}" for word, count in result["decided"].items()]
    if result["conflicts_settled"]:
        said.append(f"conflicts settled {result['conflicts_settled']:,}")
    lines = [f"Decided by {result['by']}: {', '.join(said)}"]
    if not result["is_used"]:
        later = "a run holds the lock: " if result["pairs"] else ""
        return "\n".join([*lines, f"  {later}the next sync uses it"])
    lines += [_outcome(row) for row in result["pairs"]]
    lines += [f"  {row['record']}: {row['before']} -> {row['after']}" for row in result["changed"]]
    lines.append(
        f"  records that moved: {len(result['changed']):,}; matches that still wait:"
        f" {result['waiting']:,}. The next sync measures and writes by it"
    )
    return "\n".join(lines)


def _outcome(row: Mapping[str, Any]) -> str:
    state = "are one now" if row["is_linked"] else "are apart"
    if row["is_linked"] != (row["decision"] in {"accept", "pin"}):
        state += ": something stronger says so (`tandem explain` shows it; pin and forbid beat it)"
    return f"  {row['left']} and {row['right']} {state}"


def _match(row: Mapping[str, Any], currency: str) -> list[str]:
    return [
        f"{row['id']}  {row['entity']}  score {row['score']:.2f}  {_stake(row, currency)}",
        *field_lines(row),
        *_sum(row),
        *linked_lines(row),
        *([f"  {row['evidence']}"] if row["evidence"] else []),
        *(
            ["  accepted, but a stronger link stands: pin or forbid it"]
            if row["is_accepted"]
            else []
        ),
    ]


def _sum(row: Mapping[str, Any]) -> list[str]:
    """Add the weights up, where a model weighed the fields."""
    weights = [field["weight"] for field in row["fields"] if field["weight"] is not None]
    return (
        [f"  together {sum(weights):+.1f} bits; {link_text(row['link_bits'])}"] if weights else []
    )


def _conflict(row: Mapping[str, Any], currency: str) -> list[str]:
    width = max(len(row[side]) for side in ("hubspot", "salesforce")) + 2
    return [
        f"{row['id']}  {row['field']}  {_HOW.get(row['how'], row['how'])}  {_stake(row, currency)}",
        *(
            f"  {side:<12}{row[side]:<{width}}{cut(row[f'{side}_value'])}"
            for side in ("hubspot", "salesforce")
        ),
    ]


def _stake(row: Mapping[str, Any], currency: str) -> str:
    said = f"{money_text(row['amount_minor'], currency)} at stake"
    return f"{said}, {row['handoff_count']} open handoffs" if row["handoff_count"] else said


def _more(shown: Any, count: int, name: str) -> list[str]:
    more = count - min(len(shown), _MOST_SHOWN)
    return ["", f"... and {more:,} more {name}; --out writes a page of them"] if more > 0 else []
