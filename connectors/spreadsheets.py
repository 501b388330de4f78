"""Write tables as CSV for spreadsheets, which would run some texts as formulas."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

# A spreadsheet reads text that starts so as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table: what a spreadsheet would run as a formula gets an apostrophe before it.

    A table without a row gives its header.
    """
    texts = {
        name: frame[name].where(~frame[name].str.startswith(_FORMULA, na=False), "'" + frame[name])
        for name in frame.select_dtypes("str")
    }
    frame.assign(**texts).to_csv(path, index=False)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Give rows as CSV, guarded likewise; a text that is a number, such as an amount, stays one."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(name)) for name in columns] for row in rows])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return "" if value is None else value


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?", text) is not None
