"""What `tandem rewards` prints for a person."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from connectors.statements import money


def show_step(result: Mapping[str, Any]) -> str:
    """Show a step on a period's way."""
    return (
        f"{result['period']} is {result['state']}, by {result['by']}.\n"
        f"  content      {result['content_hash']}\n"
        f"  ledger head  {result['ledger_head']}"
    )


def show_proposal(result: Mapping[str, Any]) -> str:
    """Show what is proposed: the pools that the period moves, and what is owed then."""
    lines = [show_step(result), "", "Pools, in minor units"]
    lines += [_pool(story) for story in result["pools"]]
    lines.append(f"  released from holdback {result['released_minor']:,}")
    lines += [
        f"  {name.replace('_minor', '').replace('_', ' '):<16} {minor:>16,}"
        for name, minor in result["balances"].items()
    ]
    return "\n".join([*lines, "", "Next: another person approves it."])


def _pool(story: Mapping[str, Any]) -> str:
    shares = ", ".join(
        f"{team} {of['share_minor']:,}" for team, of in story["after"]["teams"].items()
    )
    was = f" (was {story['before']['pool_minor']:,})" if story["is_correction"] else ""
    return (
        f"  {story['period']}  revenue {story['after']['revenue_minor']:,} x {story['rate']}"
        f" x {_decimal(story['multiplier'])} = {story['after']['pool_minor']:,}{was}: {shares}"
    )


def show_payment(result: Mapping[str, Any]) -> str:
    """Show how much was paid to how many; who got what stands in the ledger."""
    return (
        f"{show_step(result)}\n  paid         {result['paid_minor']:,} minor units to"
        f" {len(result['paid']):,} participants, posted into {result['posted_into']}"
    )


def show_draw(result: Mapping[str, Any]) -> str:
    """Show an advance and where it leaves the participant's balance."""
    drawn, left = (
        f"{money(result[name], result['digits'])} {result['currency']}"
        for name in ("drawn_minor", "balance_minor")
    )
    return (
        f"{result['participant']} draws {drawn} in {result['period']}, by {result['by']}.\n"
        f"  balance now  {left}; below zero it is made up for before payroll pays again\n"
        f"  ledger head  {result['ledger_head']}"
    )


def show_files(result: Mapping[str, Any]) -> str:
    """Show which files were written."""
    final = "" if result.get("is_final", True) else ", not final"
    return "\n".join(
        [f"{result['period']} is {result['state']}{final}. In {result['folder']}:"]
        + [f"  {name}" for name in result["files"]]
    )


def show_verdict(result: Mapping[str, Any]) -> str:
    """Show whether ledger, acts and sums are whole."""
    head = f"{result['entries']:,} entries, head {result['ledger_head']}"
    if result["is_whole"]:
        return f"Whole: {head}; {result['checks']:,} sums are equal."
    return "\n".join([f"NOT WHOLE: {head}", *(f"  {fault}" for fault in result["faults"])])


def show_status(result: Mapping[str, Any]) -> str:
    """Show every period, and what would move the running one."""
    if not result["periods"]:
        return "No night has calculated a period yet. Run tandem sync."
    lines = [line for period, row in result["periods"].items() for line in _period(period, row)]
    return "\n".join([*lines, f"Ledger head {result['ledger_head']}"])


def _period(period: str, row: Mapping[str, Any]) -> list[str]:
    story, digits = row["pool"], row["digits"]
    attained = ", ".join(
        f"{team} {_percent(of['attainment'])}" for team, of in story["attained"].items()
    )
    stale = "; changed since, propose it again" if row["is_stale"] else ""
    pool = f"{money(story['after']['pool_minor'], digits)} {row['currency']}"
    lines = [
        f"{period}  {row['state']}{stale}: pool {pool}, attained {attained},"
        f" multiplier {_decimal(story['multiplier'])}"
    ]
    return lines + (_outlook(row["outlook"], digits, row["currency"]) if row["outlook"] else [])


def _outlook(ahead: Mapping[str, Any], digits: int, currency: str) -> list[str]:
    lines = [
        f"  not final, as of {ahead['as_of']}: at this pace the pool ends at"
        f" {money(ahead['pool_at_pace_minor'], digits)} {currency}"
    ]
    lines += [
        f"  {team} lacks {money(minor, digits)} {currency} to the gate"
        for team, minor in ahead["to_gate_minor"].items()
        if minor
    ]
    if ahead["levers"]:
        best = ahead["levers"][0]
        lines.append(
            f"  moves it most: {money(best['more_minor'], digits)} more of {best['what']} adds"
            f" {money(best['gain_minor'], digits)} {currency}"
        )
    return lines


def _percent(share: str) -> str:
    return f"{float(Fraction(share)):.1%}"


def _decimal(share: str) -> str:
    return f"{float(Fraction(share)):.4f}".rstrip("0").rstrip(".")
