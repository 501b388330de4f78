"""What `tandem calc` prints for a person: aligned tables, whole minor units."""

from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST_LIST = 40


def show_credit(result: Mapping[str, Any]) -> str:
    """Show credit per deal and model by team, per channel and model, or totals of files."""
    if "channels" in result:
        return _columns(
            ("channel", "model", "conversions", "value"),
            [
                (channel, model, f"{of['conversions']:,.2f}", f"{of['value']:,.2f}")
                for channel, models in result["channels"].items()
                for model, of in models.items()
            ],
        )
    if isinstance(result["deals"], list):
        return "\n\n".join(_teams(deal["id"], deal) for deal in result["deals"])
    name = f"{result['deals']:,} deals, {result['touches']:,} touches, {result['rows']:,} rows"
    return _teams(name, result)


def _teams(name: str, credit: Mapping[str, Any]) -> str:
    rows = [
        (model, *(f"{of['teams'][team]:,}" for team in ("marketing", "sales", "unknown")))
        for model, of in credit["models"].items()
    ]
    head = f"{name}: {credit['amount_minor']:,} minor units of company currency"
    return f"{head}\n{_columns(('model', 'marketing', 'sales', 'unknown'), rows)}"


def show_clock(result: Mapping[str, Any]) -> str:
    """Show working time and due time per case."""
    rows = [
        (str(case["id"]), _worked(case["working_seconds"]), case["due_at"] or "never")
        for case in result["cases"]
    ]
    return _columns(("case", "working time", "due"), rows)


def _worked(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours:,} h {rest // 60:02d} min {rest % 60:02d} s"


def show_rewards(result: Mapping[str, Any]) -> str:
    """Show what each step posted or paid, then what is owed and held."""
    parts = [_step(number, step) for number, step in enumerate(result["steps"], start=1)]
    owed = [
        (who, f"{minor:,}", f"{result['held'].get(who, 0):,}")
        for who, minor in result["balances"].items()
    ]
    return "\n\n".join([*parts, _columns(("participant", "owed", "held"), owed)])


def _step(number: int, step: Mapping[str, Any]) -> str:
    if "pool_minor" in step:
        head = (
            f"Step {number}: revenue {step['revenue_minor']:,}, multiplier {step['multiplier']},"
            f" pool {step['pool_minor']:,}"
        )
    elif "statement" in step:
        return f"Step {number}: closed\n{_named_rows(step['statement'])}"
    elif "postings" in step:
        head = f"Step {number}: posted"
    else:
        return f"Step {number}: paid\n{_named_rows(step)}"
    rows = [
        (row["participant"], row["component"], f"{row['minor']:,}", row["debit"], row["credit"])
        for row in step["postings"]
    ]
    return f"{head}\n{_columns(('participant', 'component', 'minor', 'debit', 'credit'), rows)}"


def _named_rows(table: Mapping[str, Mapping[str, int]]) -> str:
    names = next(iter(table.values()), {})
    head = ("participant", *(name.replace("_", " ") for name in names))
    return _columns(head, [(who, *(f"{n:,}" for n in row.values())) for who, row in table.items()])


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, numbers to the right; a long list is cut and said."""
    shown = list(rows[:_LONGEST_LIST])
    widths = [max(len(row[i]) for row in (head, *shown)) for i in range(len(head))]
    numeric = [all(_is_number(row[i]) for row in shown) for i in range(len(head))]
    lines = [
        "  "
        + "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in (head, *shown)
    ]
    if len(rows) > len(shown):
        lines.append(f"  ... and {len(rows) - len(shown):,} more; --json prints all")
    return "\n".join(lines)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").removeprefix("-").isdigit()


def show_match(result: Mapping[str, Any]) -> str:
    """Show how many records were matched, by which rule, and from which columns."""
    head = (
        f"{result['hubspot_records']:,} HubSpot and {result['salesforce_records']:,} Salesforce"
        f" records: {result['links']:,} pairs linked, {result['review']:,} to review"
        f" (model {result['model_version']})"
    )
    rows = [(rule, f"{count:,}") for rule, count in result["rules"].items()]
    return f"{head}\n{_columns(('rule', 'pairs'), rows)}"
