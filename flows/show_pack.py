"""What a person reads of the weekly pack and the alignment stage on the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from agreement.wording import share_text
from connectors.pack_page import finance_text, pack_text


def show_pack(view: Mapping[str, Any]) -> str:
    """Show the pack, finance's page, and what came of sending them."""
    return "\n".join([pack_text(view), finance_text(view), *_delivery(view.get("delivery"))])


def _delivery(delivery: Mapping[str, Any] | None) -> Iterator[str]:
    if delivery is None:
        return
    if delivery["waiting"]:
        faults = ", ".join(delivery["faults"])
        yield f"{delivery['waiting']} of the messages wait: {faults}. They are tried again."
    elif delivery["sent"]:
        messages = "message" if delivery["sent"] == 1 else "messages"
        yield f"Sent: {delivery['sent']} {messages}."
    else:
        yield "Nothing sent: this week's pack was sent before."


def show_alignment(view: Mapping[str, Any]) -> str:
    """Show the stage: answers and evidence, each check with its figure, and the quarters so far."""
    totals = ", ".join(f"{team} {total}" for team, total in view["totals"].items())
    answers = f"{view['opinion'] or 'one team is missing'} ({totals}, of {view['answers_of']})"
    lines = [
        f"Alignment stage of {view['quarter']}: {view['stage']}, the lower of both",
        f"  answers     {answers if totals else 'none yet; tandem assessment --template'}",
        f"  evidence    {view['evidence']}",
        f"  next step   {view['next_step']}",
        "",
        "What each stage asks of the figures:",
    ]
    lines += [
        f"  {check['stage']:<11} {'met    ' if check['is_met'] else 'NOT MET'}  {check['what']}:"
        f" {share_text(check['value_ppm'])}, at least {share_text(check['least_ppm'])}"
        for check in view["checks"]
    ]
    lines += ["", "By quarter:"]
    lines += [
        f"  {row['quarter']}  {row['stage']:<11} answers {row['opinion'] or 'none'}, evidence"
        f" {row['evidence']}"
        for row in view["history"]
    ]
    return "\n".join(lines)
