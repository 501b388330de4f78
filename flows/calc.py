"""`tandem calc`: the rules on a file, without any CRM (calc.md); one function per command."""

import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agreement.errors import BadInput
from flows.calc_clock import calc_clock
from flows.calc_credit import calc_credit, calc_paths
from flows.calc_credit_files import calc_credit_parquet
from flows.calc_match import calc_match
from flows.calc_rewards import calc_rewards

__all__ = [
    "calc_clock",
    "calc_credit",
    "calc_credit_parquet",
    "calc_match",
    "calc_paths",
    "calc_rewards",
    "read_input",
    "read_json",
    "sole_currency",
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
    """Read a JSON file, or standard input when the path is `-`.

    Raises:
        BadInput: one line that names the file and what is wrong.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadInput(f"{path}: cannot be read: {reason}") from None
    return read_json(text, str(path))


def sole_currency(deals: Path) -> Mapping[str, Any]:
    """Take the one currency of a Parquet file of deals as company currency.

    Raises:
        BadInput: the file cannot be read, has no currency, or has several.
    """
    try:
        found = pq.read_table(deals, columns=["currency"])["currency"].unique().to_pylist()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise BadInput(f"{deals}: cannot be read as deals: {type(error).__name__}") from None
    if len(found) != 1 or not found[0]:
        raise BadInput(
            f"{deals}: deals in {len(found)} currencies; give a FILE with company_currency, rates"
        )
    return {"company_currency": found[0]}


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")
