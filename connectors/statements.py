"""Write statements, tie-out and journal where only their owner can read them: never to a CRM."""

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")


def private_folder(path: Path) -> Path:
    """Make a folder, or take one that is there, and let nobody but its owner in."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read; one that is there is replaced as a whole."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(  # only this form gives a file its permissions at birth
        draft, "x", encoding="utf-8", newline="", opener=_for_owner_only
    ) as file:
        file.write(text)
    return draft.replace(path)


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def file_name(kind: str, participant: str, suffix: str) -> str:
    """Name a file after a participant; an id that is no plain word is shown by its hash.

    >>> file_name("person", "kim", "csv")
    'person-kim.csv'
    >>> file_name("person", "../kim", "csv").startswith("person-x")
    True
    """
    shown = participant
    if not _PLAIN.fullmatch(participant):
        shown = "x" + hashlib.sha256(participant.encode()).hexdigest()[:16]
    return f"{kind}-{shown}.{suffix}"


def statement_page(page: Mapping[str, Any]) -> str:
    """Render one statement; amounts are minor units of `currency` with `digits` decimals."""
    return _render("statement.html", page)


def finance_page(page: Mapping[str, Any]) -> str:
    """Render a period for finance: how the pools came about, balances, and the tie-out."""
    return _render("finance.html", page)


def _render(name: str, page: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined
    )
    digits = page["digits"]
    environment.filters["money"] = lambda minor: money(minor, digits)
    environment.filters["exact"] = lambda text: exact_money(text, digits)
    environment.filters["percent"] = lambda text: f"{float(Fraction(text)) * 100:.2f} %"
    environment.filters["decimal"] = _decimal
    environment.filters["short"] = lambda text: f"{float(Fraction(text)):.6g}"
    environment.filters["moment"] = lambda at: f"{at:%d %B %Y, %H:%M} UTC" if at else "-"
    return environment.get_template(name).render(**page)


def money(minor: int, digits: int) -> str:
    """Write minor units for a reader.

    >>> money(-123456, 2), money(5, 0)
    ('-1,234.56', '5')
    """
    return f"{Decimal(minor).scaleb(-digits):,.{digits}f}"


def exact_money(minor: str, digits: int) -> str:
    """Write an exact amount of minor units, given as decimal text, with four further decimals.

    >>> exact_money("12337.5", 2), exact_money("-0.3333", 0)
    ('123.375000', '-0.3333')
    """
    return f"{Decimal(minor).scaleb(-digits):,.{digits + 4}f}"


def _decimal(text: str) -> str:
    """Write an exact fraction: as it is when it ends soon, else with its first decimals."""
    value = Fraction(text)
    shown = Decimal(value.numerator) / Decimal(value.denominator)
    rounded = f"{shown:.6f}".rstrip("0").rstrip(".")
    return rounded if Fraction(rounded) == value else f"{value} = {rounded}..."


def stamp(moment: datetime) -> str:
    """Write an instant as ISO 8601, in UTC."""
    return moment.isoformat()
