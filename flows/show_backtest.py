"""What a person reads of a backtest on the terminal: before, after, and who gains."""

from collections.abc import Mapping, Sequence
from typing import Any

from agreement.wording import duration_text, money_text, share_text, signed_money, words

_MOST_ROWS = 10
_LABEL = 30


def show_backtest(result: Mapping[str, Any]) -> str:
    """Show both sides: clocks, the MQL bridge, promises, credit and pools, then who gains."""
    lines = [
        f"Backtest of {result['draft']} beside {result['agreement']}, from {result['since']}",
        *_proof(result),
    ]
    if result["changes_nothing"]:
        return "\n".join([*lines, "", "The draft changes nothing of it."])
    return "\n".join(
        [
            *lines,
            "",
            f"{'':<{_LABEL}}{'in force':>20}{'draft':>20}",
            *_clocks(result["clocks"]),
            *_bridge(result["bridge"]),
            *_promises(result["promises"]),
            *_credit(result),
            *_pools(result),
            *_gains(result),
        ]
    )


def _proof(result: Mapping[str, Any]) -> list[str]:
    proof = result["proof"]
    counts = ", ".join(f"{words(name)} {of['computed']:,}" for name, of in proof["tables"].items())
    lines = [
        f"The agreement in force reproduces run {proof['run_id']}, row by row:",
        f"  {counts}",
        f"  ledger: {proof['ledger']}",
    ]
    if proof["moved_on_by_watch"]:
        lines.append(f"  {proof['moved_on_by_watch']:,} clocks moved on since: not compared")
    if result["known_since"] and result["known_since"] > result["since"]:
        lines.append(
            f"  the CRMs' records begin on {result['known_since']}: before, nothing is known"
        )
    return lines


def _clocks(clocks: Mapping[str, Any]) -> list[str]:
    before, after = clocks["before"], clocks["after"]
    lines = ["Handoff clocks"]
    for name in ("count", "on_time", "late", "waiting", "relieved"):
        lines.append(_line(words(name), f"{before[name]:,}", f"{after[name]:,}"))
    shares = [share_text(of["share_within_limit_ppm"]) for of in (before, after)]
    medians = [duration_text(of["median_working_seconds"]) for of in (before, after)]
    lines += [_line("within limit", *shares), _line("touched, median", *medians)]
    moved = [row for row in clocks["changes"] if _sides(row)[0] != _sides(row)[1]]
    if clocks["changes"]:
        lines.append(
            f"  {len(clocks['changes']):,} clocks are due at another time or judged otherwise; of"
            f" {len(moved):,} it changes how they stand:"
        )
        lines += [f"    {_change(row)}" for row in moved[:_MOST_ROWS]]
        lines += _more(moved)
    return lines


def _change(row: Mapping[str, Any]) -> str:
    where = f"{row['record_kind']} {row['record_id']}" if row["record_id"] else row["handoff_id"]
    return f"{where} from {row['started_at'][:10]}: {' -> '.join(_sides(row))}"


def _sides(row: Mapping[str, Any]) -> list[str]:
    return [
        words(f"{row[f'tier_{when}']} {row[f'status_{when}']}")
        if row[f"tier_{when}"]
        else "no handoff"
        for when in ("before", "after")
    ]


def _bridge(bridge: Mapping[str, Any]) -> list[str]:
    before, after = bridge["before"], bridge["after"]
    rows = [_line(name, f"{before[name]:,}", f"{after[name]:,}") for name in before]
    return ["MQL bridge", *rows]


def _promises(promises: Sequence[Mapping[str, Any]]) -> list[str]:
    moved = [row for row in promises if row["before"] != row["after"]]
    lines = [
        _line(f"{row['promise']} {row['period']}", _kept(row["before"]), _kept(row["after"]))
        for row in moved
    ]
    return ["Marketing's promises", *lines] if lines else []


def _kept(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "not promised"
    if side["is_kept"] is None:
        return "nothing to tell"
    actual = share_text(side["actual"]) if side["unit"] == "ppm" else f"{side['actual']:,}"
    return f"{'kept' if side['is_kept'] else 'not kept'}, {actual}"


def _credit(result: Mapping[str, Any]) -> list[str]:
    credit, currency = result["credit"], result["currency"]
    models = [words(credit[f"model_{when}"]) for when in ("before", "after")]
    lines = ["Credit of won deals", _line("shared model", *models)]
    for dimension in ("team", "channel"):
        lines.append(f"  by {dimension}")
        lines += [_money_line(row, currency, "    ") for row in credit[dimension]]
    deals = {row["record_id"] for row in credit["deals"]}
    return [*lines, f"  {len(deals):,} deals are shared otherwise"]


def _pools(result: Mapping[str, Any]) -> list[str]:
    lines = ["Pools"]
    for pool in result["pools"]:
        amounts = [
            money_text(pool[when]["pool_minor"], result["currency"]) for when in ("before", "after")
        ]
        lines.append(_line(pool["period"], *amounts))
        lines += [_money_line(row, result["currency"], "    ") for row in pool["shares"]]
    return lines if result["pools"] else []


def _gains(result: Mapping[str, Any]) -> list[str]:
    rows = [
        f"  {words(row['who']):<24}"
        f"{signed_money(row['change_minor'], result['currency']):>20}  {row['of']}"
        for row in result["gains"]
    ]
    return ["Who gains and who loses", *rows] if rows else ["Nobody's credit or share moves."]


def _money_line(row: Mapping[str, Any], currency: str, head: str = "  ") -> str:
    sides = [money_text(row[f"{when}_minor"], currency) for when in ("before", "after")]
    return _line(words(row["name"]), sides[0], sides[1], head)


def _line(label: str, before: str, after: str, head: str = "  ") -> str:
    return f"{head + label:<{_LABEL}}{before:>20}{after:>20}"


def _more(rows: Sequence[Any]) -> list[str]:
    more = len(rows) - _MOST_ROWS
    return [f"    and {more:,} more; --json and the page's list name all"] if more > 0 else []
