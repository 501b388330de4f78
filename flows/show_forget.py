"""What `tandem forget` prints for a person."""

from collections.abc import Mapping
from typing import Any


def show_forget(result: Mapping[str, Any]) -> str:
    """Show what goes from where, by id only, and what is left to people."""
    is_done = result["is_applied"]
    lines = [
        f"{'Forgotten' if is_done else 'Would forget'}: {', '.join(result['records'])}",
        *_table("rows", result["rows"]),
        *(f"  file  {name}" for name in result["files"]),
        "Times, states and sums stay, under random ids.",
    ]
    if result["files_left"]:
        lines.append("These files hold something of the person and are no text; delete them:")
        lines += [f"  file  {name}" for name in result["files_left"]]
    lines += [
        "Left to you: delete the records in the CRMs too, and backups made before this.",
        *([] if is_done else ["Nothing erased; add --apply. It cannot be undone."]),
    ]
    return "\n".join(lines)


def _table(unit: str, counts: Mapping[str, int]) -> list[str]:
    width = max((len(name) for name in counts), default=0)
    return [f"  {name:<{width}}  {count:>6,} {unit}" for name, count in counts.items()]
