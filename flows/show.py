"""What a person reads on the terminal: aligned, with units, and no more than a screen."""

from collections.abc import Mapping, Sequence
from typing import Any

from agreement.wording import duration_text, money_text
from flows.show_bridge import lost_lines
from flows.show_credit import credit_figure_lines
from flows.show_writes import left_out_lines

_BAR = 24
_MAIN_KINDS = {"contact", "company", "deal", "lead", "account", "opportunity"}


def show_night(summary: Mapping[str, Any]) -> str:
    """Show one night: what was read, matched, late, credited and written."""
    return "\n".join(
        [
            f"Tandem night {summary['run_id']}   as of {summary['as_of']}   {summary['agreement']}",
            "",
            *_pulled(summary),
            *show_coverage(summary),
            *_matched(summary),
            *_clocks(summary),
            *_credit(summary),
            *_written(summary),
        ]
    )


def show_demo(result: Mapping[str, Any]) -> str:
    """Show the demo: the night, then how it agrees with the seeded truth."""
    links, truth = result["links"], result["truth"]
    handoffs = " ".join(
        f"{name} {result['handoffs'][name]:,}/{truth['handoffs'][name]:,}"
        for name in ("on_time", "late", "waiting")
    )
    return "\n".join(
        [
            show_night({**result, "people": result["people_found"]}),
            "",
            f"Against the seeded truth of {result['people']:,} humans",
            f"  links       {links['true']:,} right, {links['false']:,} wrong,"
            f" {links['missed']:,} missed",
            f"  handoffs    {handoffs} (ours/truth)",
            f"  booked      {_tick(result['booked_minor'] == truth['booked_minor'])}"
            " equal to the truth, to the unit",
            f"  API calls   {_calls(result)}",
            f"  second run  {result['second_night_writes']} writes",
            "",
            f"Scoreboard: {result['page']}",
        ]
    )


def show_provision(result: Mapping[str, Any]) -> str:
    """Show which fields are there and which are missing, per vendor object."""
    lines = [_provision_line(row) for row in result["objects"]]
    missing = sum(len(row["missing"]) for row in result["objects"])
    if missing and not result["is_applied"]:
        lines += ["", f"{missing} fields missing. Nothing created; add --apply."]
    return "\n".join(lines)


def _provision_line(row: Mapping[str, Any]) -> str:
    name = f"{row['system']:<11}{row['kind']:<12}"
    if row["is_object_absent"]:
        return f"{name}not available to this token; skipped"
    parts = [f"{len(row['there']):>3} there"]
    if row["created"]:
        parts.append(f"{len(row['created'])} of them just created")
    if row["missing"]:
        parts.append(f"{len(row['missing'])} missing: {', '.join(row['missing'])}")
    if row["drifted"]:
        parts.append(f"{len(row['drifted'])} differ and are left: {', '.join(row['drifted'])}")
    return name + ", ".join(parts)


def _pulled(summary: Mapping[str, Any]) -> list[str]:
    lines = ["Pulled"]
    for system, counts in summary["pulled"].items():
        shown = [f"{kind.replace('_', ' ')} {count:,}" for kind, count in counts.items() if count]
        lines += _wrapped(f"  {system:<12}", shown or ["nothing changed"])
    return lines


def show_coverage(summary: Mapping[str, Any]) -> list[str]:
    """Show what we hold beside the vendor's own counts, and histories that end elsewhere.

    Of objects that are as many there as here, the main ones only.
    """
    lines = ["Held since the earliest, as many as the CRM counts unless it says OF"]
    for system, kinds in summary["coverage"].items():
        shown = [
            f"{kind.replace('_', ' ')} {_held(row)}"
            for kind, row in kinds.items()
            if row["vendor"] != row["counted"] or (row["vendor"] and kind in _MAIN_KINDS)
        ]
        skipped = [kind.replace("_", " ") for kind, row in kinds.items() if row["is_skipped"]]
        lines += _wrapped(f"  {system:<12}", shown or ["not counted yet"])
        if skipped:
            lines += _wrapped(f"  {'':<12}", ["not readable with this token:", *skipped])
    for name, drift in summary["history_drift"].items():
        lines.append(
            f"  {drift['count']:,} of {name} have a history that ends elsewhere than the record,"
            f" first {drift['ids'][0]}"
        )
    return lines


def _held(row: Mapping[str, Any]) -> str:
    since = f" since {row['earliest'][:10]}" if row["earliest"] else ""
    if row["counted"] == row["vendor"]:
        return f"{row['counted']:,}{since}"
    return f"{row['counted']:,} OF {row['vendor']:,}{since}"


def _matched(summary: Mapping[str, Any]) -> list[str]:
    bridge = ", ".join(f"{name} {count:,}" for name, count in summary["bridge"].items() if count)
    return [
        "Matched",
        f"  people      {summary['people']:,}, of them {summary['linked_people']:,} in both CRMs",
        f"  MQL bridge  {sum(summary['bridge'].values()):,} = {bridge or 'none'}",
        *lost_lines(summary["lost_mqls"]),
    ]


def _clocks(summary: Mapping[str, Any]) -> list[str]:
    handoffs, clocks = summary["handoffs"], summary["clocks"]
    total = sum(handoffs[name] for name in ("on_time", "late", "waiting"))
    return [
        "Handoffs (people in both CRMs)",
        *(
            f"  {label:<12}{handoffs[name]:>7,}  {_share_bar(handoffs[name], total)}"
            for name, label in (("on_time", "on time"), ("late", "late"), ("waiting", "waiting"))
        ),
        f"  within limit {clocks['share_within_limit_ppm'] / 10_000:.1f} %"
        f" of all {clocks['count']:,} clocks;"
        f" median {duration_text(clocks['median_working_seconds'])} of working time",
        *_causes(clocks),
        *_promises(summary.get("promises", ())),
    ]


def _causes(clocks: Mapping[str, Any]) -> list[str]:
    """Name why promises were missed, the most frequent cause first."""
    causes = sorted(clocks.get("causes", {}).items(), key=lambda cause: (-cause[1], cause[0]))
    items = [f"{name.replace('_', ' ')} {count:,}" for name, count in causes]
    return _wrapped("  missed by   ", items) if items else []


def _promises(promises: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how marketing's promises of the running period stand."""
    last = max((row["period"] for row in promises), default=None)
    words = {True: "kept", False: "not kept", None: "nothing to tell yet"}
    items = [
        f"{row['promise']} {words[row['is_kept']]}" for row in promises if row["period"] == last
    ]
    return _wrapped(f"  marketing   {last}: ", items) if items else []


def _credit(summary: Mapping[str, Any]) -> list[str]:
    currency, booked = summary["currency"], summary["booked_minor"]
    shares = [
        f"{who} {money_text(minor, currency)}"
        for who, minor in summary["reward_by_participant_minor"].items()
    ]
    return [
        "Credit of won deals",
        f"  booked      {money_text(booked, currency)}"
        f" = credited {money_text(summary['credited_minor'], currency)}",
        *(
            f"  {team:<12}{money_text(minor, currency):>18}  {_share_bar(minor, booked)}"
            for team, minor in summary["credit_by_team_minor"].items()
        ),
        *credit_figure_lines(summary),
        "Rewards",
        f"  pool        {money_text(summary['pool_minor'], currency)}"
        + (f" = {' + '.join(shares)}" if shares else ""),
    ]


def _written(summary: Mapping[str, Any]) -> list[str]:
    lines = ["Written" if summary["written"] else "Planned, nothing written"]
    for system, counts in (summary["written"] or summary["planned"]).items():
        shown = [f"{kind} {count:,}" for kind, count in counts.items()]
        lines += _wrapped(f"  {system:<12}", shown or ["nothing to write"])
    if summary["refused"]:
        lines.append(f"  {summary['refused']:,} records refused; reasons are in the outbox")
    lines += left_out_lines(summary)
    for where, count in summary["missing_fields"].items():
        lines.append(f"  {count} fields missing on {where}: run `tandem provision --apply`")
    for reject in summary["rejects"]:
        lines.append(f"  left out {reject['system']} {reject['record_id']}: {reject['reason']}")
    lines.append(f"Alerts sent   {summary['alerts_sent']:,}")
    return lines


def _calls(result: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{system} {calls:,} (floor {result['api_floor'][system]:,})"
        for system, calls in result["api_calls"].items()
    )


def _wrapped(head: str, items: Sequence[str], width: int = 96) -> list[str]:
    lines, line = [], head
    for index, item in enumerate(items):
        text = item + ("," if index < len(items) - 1 else "")
        if len(line) + len(text) + 1 > width:
            lines.append(line.rstrip())
            line = " " * len(head)
        line += text + " "
    return [*lines, line.rstrip()]


def _share_bar(part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    filled = max(0, min(_BAR, round(share * _BAR)))
    return f"{'#' * filled}{'.' * (_BAR - filled)} {share:6.1%}"


def _tick(is_true: bool) -> str:
    return "yes," if is_true else "NO, not"
