"""What a person reads of a credit on the terminal: paths, weights per model, and what is out."""

from collections.abc import Mapping, Sequence
from typing import Any

from agreement.wording import money_text

_MOST_TOUCHES = 40
_MOST_DEALS = 10
_MOST_OUT = 15

_ANCHORS = (("lead_created_at", "lead created"), ("created_at", "deal created"))


def credit_figure_lines(summary: Mapping[str, Any]) -> list[str]:
    """Show what credit rests on, how long deals took, and pairs of channels that stand out."""
    known = summary["credit_by_inference"]
    lines = [
        f"  inferred    {known['inferred_deals']:,} of {known['won_deals']:,} deals know people"
        f" by account only: {known['inferred_share_ppm'] / 10_000:.1f} % of the credit"
    ]
    lines += [
        f"  {_HORIZONS[row['horizon']]:<12}{row['path_type'].replace('_', ' '):<16}"
        f"{row['deal_count']:>5,} won, median days touch to won {_days(row['touch_to_won_days'])},"
        f" deal to won {_days(row['deal_to_won_days'])}"
        for row in summary["velocity"]
    ]
    lines += [
        f"  {_HORIZONS[row['horizon']]:<12}{row['channel']} with {row['other_channel']} won"
        f" {row['won_ppm'] / 10_000:.0f} % of {row['deal_count']:,} deals, {_lift(row)} than the"
        " better one alone"
        for row in summary["synergies"]
        if row["is_clear"]
    ]
    return lines


_HORIZONS = {"quarter": "quarter", "year": "4 quarters"}


def _lift(row: Mapping[str, Any]) -> str:
    low, high = row["low_ppm"] / 10_000, row["high_ppm"] / 10_000
    return f"{row['lift_ppm'] / 10_000:.0f} points ({low:.0f} to {high:.0f}) more"


def _days(days: int | None) -> str:
    return "unknown" if days is None else f"{days:,}"


def show_credit_paths(credit: Mapping[str, Any] | None) -> list[str]:
    """Draw each deal's path downwards in time, then what is out, and how the credit moved.

    `o` is a touch, `|` an anchor, `*` the end, `=` a line without a touch. Amounts are of company
    currency, in its minor units where nobody says which it is.
    """
    if not credit or not (credit["path"] or credit["out"]):
        return []
    currency = credit["currency"]
    lines = ["", f"Credit by {credit['model']}: {_sums(credit) or 'none'}"]
    shown = [deal for deal in credit["deals"] if _of(credit["path"], deal["deal_id"])]
    for deal in shown[:_MOST_DEALS]:
        lines += _deal(credit, deal)
    if len(shown) > _MOST_DEALS:
        lines.append(f"  ... and {len(shown) - _MOST_DEALS:,} more deals; see --json")
    return [*lines, *_out(credit["out"]), *_moved(credit["lines"], currency)]


def _sums(credit: Mapping[str, Any]) -> str:
    """Add up by state, as the fields do, and by team."""
    state_of = {deal["deal_id"]: deal["state"] for deal in credit["deals"]}
    sums: dict[str, dict[str, int]] = {}
    for row in credit["path"]:
        by_team = sums.setdefault(state_of[row["deal_id"]], {})
        by_team[row["team"]] = by_team.get(row["team"], 0) + row["credit_minor"]
    return "; ".join(
        f"{state} "
        + ", ".join(
            f"{team} {_money(by_team[team], credit['currency'])}" for team in sorted(by_team)
        )
        for state, by_team in sorted(sums.items(), reverse=True)
    )


def _money(minor: int, currency: str | None) -> str:
    return money_text(minor, currency) if currency else f"{minor:,} minor units"


def _of(rows: Sequence[Mapping[str, Any]], deal_id: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["deal_id"] == deal_id]


def _deal(credit: Mapping[str, Any], deal: Mapping[str, Any]) -> list[str]:
    window, currency = credit["window_days"], credit["currency"]
    lines = [
        "",
        f"  {deal['deal_id']} ({deal['record_id']}, {deal['state']}):"
        f" {_money(deal['company_minor'], currency)}, "
        + (f"touches of the last {window} days" if window else "touches of any age"),
    ]
    rows = _of(credit["path"], deal["deal_id"])
    drawn = [(row["touched_at"] or "9", 1, _touch(row, currency)) for row in rows[:_MOST_TOUCHES]]
    drawn += [
        (deal[column], 2, f"  | {_time(deal[column])}  {name}")
        for column, name in _ANCHORS
        if deal[column]
    ]
    if deal["credited_at"]:
        end = "won" if deal["state"] == "won" else "now, still open"
        drawn.append((deal["credited_at"], 3, f"  * {_time(deal['credited_at'])}  {end}"))
    lines += [line for _, _, line in sorted(drawn)]
    if len(rows) > _MOST_TOUCHES:
        lines.append(f"    ... and {len(rows) - _MOST_TOUCHES:,} more touches; see --json")
    return lines


def _touch(row: Mapping[str, Any], currency: str | None) -> str:
    money = _money(row["credit_minor"], currency)
    if not row["touch_id"]:
        return f"  = {row['channel']:<32}{row['team']:<10}{money:>18}"
    weights = "  ".join(f"{model} {share:6.1%}" for model, share in row["weights"].items())
    return (
        f"  o {_time(row['touched_at'])}  {row['channel']:<14}{row['team']:<10}"
        f"{money:>18}  {weights}  {row['touch_id']}"
    )


def _time(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _out(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    lines = ["", f"  Not counted: {len(rows):,}"]
    lines += [
        f"  x {_time(row['touched_at'])}  {row.get('activity') or row['channel']:<14}"
        f"{row['touch_id']}: {row['reason']}" + (f" ({row['deal_id']})" if row["deal_id"] else "")
        for row in rows[:_MOST_OUT]
    ]
    if len(rows) > _MOST_OUT:
        lines.append(f"    ... and {len(rows) - _MOST_OUT:,} more; see --json")
    return lines


def _moved(rows: Sequence[Mapping[str, Any]], currency: str | None) -> list[str]:
    """Show the lines after a deal's first credit: what changed it, and what they refer to."""
    later = [row for row in rows if row["reference"]]
    if not later:
        return []
    return [
        "",
        "  Changed since it was won",
        *(
            f"    {row['deal_id']} {row['team']} {row['channel']}"
            f" {'+' if row['credit_minor'] > 0 else ''}{_money(row['credit_minor'], currency)}"
            f" by run {row['run_id']}: {row['reason'].replace('_', ' ')},"
            f" after run {row['reference']}"
            for row in later[:_MOST_OUT]
        ),
    ]
