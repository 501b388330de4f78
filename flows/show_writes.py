"""What a person reads of plans, undos and explanations on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.show_credit import show_credit_paths
from flows.show_match import match_lines

# Field lines per object; the page and --json hold more.
_MOST_LINES = 20
_MOST_LISTED = 10

_LEFT_OUT = (
    ("invalid", "a CRM would refuse", "{system} {kind} {record_id} {field}: {reason}. {fix}"),
    (
        "conflicts",
        "conflicts for a person",
        "{field}: hubspot {hubspot_kind} {hubspot_id}, salesforce {salesforce_kind} "
        "{salesforce_id} ({how})",
    ),
    ("opt_outs_left", "opt-outs to note by hand", "{system} {kind} {record_id}"),
    ("held", "held by an undo", "{system} {kind} {record_id} {field}"),
)


def show_plan(view: Mapping[str, Any]) -> str:
    """Show a plan: counts, what it leaves out, then field by field before -> after and why."""
    states = ", ".join(f"{state} {count:,}" for state, count in view["states"].items())
    return "\n".join(
        [
            f"Plan {view['plan_id']}   {view['records']:,} records, {view['fields']:,} fields"
            f"   made {view['planned_at']} by run {view['run_id']}   {view['content_hash'][:16]}",
            *(["", f"Guards stop it: {'; '.join(view['guards'])}"] if view.get("guards") else []),
            "",
            *_counts(view["counts"]),
            *(line for left in _LEFT_OUT for line in _left_out(view, *left)),
            *_postponed(view),
            *_writes(view["writes"]),
            "",
            f"States: {states or 'nothing to write'}",
        ]
    )


def left_out_lines(summary: Mapping[str, Any]) -> list[str]:
    """Say in one line each what a night left out of its plan; the plan lists them."""
    said = [
        f"  {title}: {summary[name]['count']:,}"
        for name, title, _ in _LEFT_OUT
        if name in summary and summary[name]["count"]
    ]
    if said:
        said.append(f"  each is listed by `tandem plan {summary['plan_id']}`")
    guards = [f"  a guard stops this plan: {fault}" for fault in summary.get("guards", ())]
    return [*said, *_postponed(summary), *guards]


def _counts(counts: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"  {row['system']:<11}{row['kind']:<12}{row['records']:>9,} records"
        f"{row['fields']:>10,} fields   {'shared with people' if row['is_shared'] else 'our own'}"
        for row in counts
    ] or ["  nothing: both CRMs show what they should"]


def _left_out(view: Mapping[str, Any], name: str, title: str, line: str) -> list[str]:
    rows = view.get(name) or {"count": 0, "first": []}
    if not rows["count"]:
        return []
    shown = rows["first"][:_MOST_LISTED]
    more = rows["count"] - len(shown)
    return [
        f"  {title}: {rows['count']:,}",
        *(f"    {line.format(**row)}" for row in shown),
        *([f"    ... and {more:,} more"] if more else []),
    ]


def _postponed(view: Mapping[str, Any]) -> list[str]:
    count = view.get("postponed_records", 0)
    return [f"  put off to later nights: {count:,} records"] if count else []


def _writes(writes: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    by_object: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
    for row in writes:
        key = (row["system"], row["kind"], row.get("is_shared", False))
        by_object.setdefault(key, []).append(row)
    for (system, kind, is_shared), rows in by_object.items():
        lines += ["", f"{system} {kind}" + (", shared with people" if is_shared else "")]
        lines += [
            f"  {row['record_id']} {row['field']}: {_value(row['before'])} -> "
            f"{_value(row['after'])}   {row['reason']}"
            for row in rows[:_MOST_LINES]
        ]
        if len(rows) > _MOST_LINES:
            lines.append(f"  ... and {len(rows) - _MOST_LINES:,} more; see --page or --json")
    return lines


def _value(value: str | None) -> str:
    return "(blank)" if value is None else value


def show_applied(result: Mapping[str, Any]) -> str:
    """Show what applying a plan did: what arrived, what no longer fitted, what was refused."""
    lines = [f"Applied plan {result['plan_id']} in run {result['run_id']}"]
    lines += _arrived(result)
    return "\n".join(lines)


def _arrived(result: Mapping[str, Any]) -> list[str]:
    lines = [
        f"  {system:<11}{kind:<12}{count:>9,} records written"
        for system, kinds in result["written"].items()
        for kind, count in kinds.items()
    ] or ["  nothing was written"]
    for state in ("stale", "refused"):
        rows = result[state]
        if rows:
            lines.append(f"  {state}: {len(rows):,}")
            lines += [
                f"    {row['system']} {row['kind']} {row['record_id']}: {row['reason']}"
                for row in rows[:_MOST_LISTED]
            ]
    return lines


def show_undo(result: Mapping[str, Any]) -> str:
    """Show what takes a run back, what is left alone, and what nothing takes back."""
    lines = [
        f"Undo of run {result['undone']} (as of {result['run_as_of']}):"
        f" {result['fields']:,} fields on {result['records']:,} records",
        *_writes(result["writes"]),
    ]
    if left := result["left_alone"]:
        lines += ["", f"Left alone: {len(left):,} fields"]
        lines += [
            f"  {row['system']} {row['kind']} {row['record_id']} {row['field']}: {row['reason']}"
            for row in left[:_MOST_LINES]
        ]
    lines += [
        f"  a CRM would refuse {row['system']} {row['kind']} {row['record_id']} {row['field']}:"
        f" {row['reason']}. {row['fix']}"
        for row in result["invalid"][:_MOST_LISTED]
    ]
    if result["cannot_be_undone"]:
        lines += ["", "Not taken back"]
        lines += [f"  {said}" for said in result["cannot_be_undone"]]
    if result["is_applied"]:
        return "\n".join([*lines, "", f"Done in run {result['run_id']}", *_arrived(result)])
    return "\n".join([*lines, "", "Nothing written; add --apply."])


def show_released(result: Mapping[str, Any]) -> str:
    """Show how many fields were let go of, and which undos still hold some."""
    held_by = ", ".join(result["held_by"])
    still = f" Others are held by the undo {held_by}." if held_by else ""
    return f"Released {result['released']:,} fields.{still}"


def show_explanation(found: Mapping[str, Any]) -> str:
    """Show where a record's values come from."""
    lines = [
        f"{found['system']} {found['kind']} {found['record_id']}:"
        f" {found['entity']} {found['entity_id']}"
    ]
    for row in found["fields"]:
        if row["value"] is None and row["last_write"] is None:
            continue
        lines += ["", f"{row['field']} = {_value(row['value'])}"]
        if "says" in row:
            lines.append(f"  says       {row['says']}")
        lines += _write_lines(row["last_write"])
    lines += match_lines(found) + _handoff_lines(found)
    lines += show_credit_paths(found.get("credit")) + _shared_lines(found)
    return "\n".join(lines)


def _write_lines(write: Mapping[str, Any] | None) -> list[str]:
    if write is None:
        return ["  written    never by Tandem"]
    return [
        f"  written    {write['state']} {write['at'] or ''}, run {write['run_id']}, plan"
        f" {write['plan_id']}, agreement {write['agreement']}",
        f"  because    {write['reason']} (was {_value(write['before'])})",
    ]


def _handoff_lines(found: Mapping[str, Any]) -> list[str]:
    if not found.get("handoffs"):
        return []
    return [
        "",
        "Handoffs",
        *(
            f"  cycle {row['cycle']} ({row['tier']}): started {row['started_at']}, due"
            f" {row['due_at']}, touched {row['touched_at'] or 'not yet'}"
            f" ({row['evidence_id'] or 'no evidence'}), {row['working_seconds'] / 3600:.1f} working"
            f" hours: {row['status']}"
            for row in found["handoffs"]
        ),
    ]


def _shared_lines(found: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for row in found.get("shared", ()):
        said = [f"owner {row['owner']}"]
        said += [f"{len(row[name])} {name}" for name in ("bases", "conflicts", "holds")]
        lines.append(f"  {row['field']}: {', '.join(said)}")
    return ["", "Shared fields", *lines] if lines else []
