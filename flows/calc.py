"""`tandem calc`: the rules on a file, without any CRM (calc.md); one function per command."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from agreement.errors import BadInput
from flows.calc_clock import calc_clock
from flows.calc_credit import calc_credit, calc_paths
from flows.calc_credit_files import calc_credit_parquet
from flows.calc_rewards import calc_rewards

__all__ = [
    "calc_clock",
    "calc_credit",
    "calc_credit_parquet",
    "calc_paths",
    "calc_rewards",
    "read_input",
    "read_json",
]


def read_json(text: str, source: str) -> Mapping[str, Any]:
    """Read a file's text: one JSON object, decimal numbers exact.

    Raises:
        BadInput: one line that names the file and what is wrong.
    """
    try:
        data = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{source}: not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadInput(f"{source}: the file has to hold one JSON object")
    return data


def read_input(path: Path) -> Mapping[str, Any]:
    """Read a JSON file.

    Raises:
        BadInput: one line that names the file and what is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"{path}: cannot be read: {reason}") from None
    return read_json(text, str(path))


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")
