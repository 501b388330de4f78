"""`tandem calc match`: which contact of one export is which person of the other (calc.md)."""

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import yaml

from agreement.errors import BadInput
from transforms.matching import COLUMNS, LINK, MatchModel, match

System = Literal["hubspot", "salesforce"]

_MODEL, _WORDS = "model_v2.json", "words_v1.json"
# The columns that calc.md promises, and then the evidence in words.
_WRITTEN = (
    "hubspot_id", "salesforce_id", "score", "rule", "decision", "cluster_id", "evidence",
)  # fmt: skip

# How vendors call our columns, in letters and digits only: property and field names, then the
# labels of exports made by hand.
# fmt: off
_NAMES: dict[System, dict[str, tuple[str, ...]]] = {
    "hubspot": {
        "record_id": ("hsobjectid", "recordid", "contactid", "vid", "hubspotid", "id"),
        "email": ("email", "emailaddress"),
        "other_emails": ("hsadditionalemails", "additionalemailaddresses", "additionalemails"),
        "first_name": ("firstname",),
        "last_name": ("lastname",),
        "company": ("company", "companyname", "associatedcompany"),
        "phone": ("phone", "phonenumber"),
        "mobile": ("mobilephone", "mobilephonenumber", "mobile"),
        "website": ("website", "websiteurl", "domain"),
        "title": ("jobtitle", "title"),
        "city": ("city",),
        "postcode": ("zip", "postalcode", "postcode", "zipcode"),
        "country": ("country", "countryregion"),
        "created_at": ("createdate", "createdat"),
        "modified_at": ("lastmodifieddate", "updatedat"),
    },
    "salesforce": {
        "record_id": ("id", "recordid", "leadid", "contactid", "salesforceid"),
        "kind": ("sobject", "object", "type"),
        "email": ("email", "emailaddress"),
        "first_name": ("firstname",),
        "last_name": ("lastname",),
        "company": ("company", "companyaccount", "accountname", "account"),
        "phone": ("phone", "businessphone"),
        "mobile": ("mobilephone", "mobile"),
        "website": ("website",),
        "title": ("title", "jobtitle"),
        "city": ("city", "mailingcity"),
        "postcode": ("postalcode", "zippostalcode", "mailingpostalcode", "zip"),
        "country": ("country", "mailingcountry"),
        "created_at": ("createddate",),
        "modified_at": ("systemmodstamp", "lastmodifieddate"),
    },
}
# fmt: on


def calc_match(
    hubspot: Path, salesforce: Path, out: Path, map_file: Path | None = None
) -> dict[str, Any]:
    """Match two exports (CSV or Parquet) and write one row per pair of records to `out` (CSV).

    Columns are recognised by the vendors' names or labels, or named by a map: two blocks,
    `hubspot` and `salesforce`, of our column names with the file's. Gives counts per decision and
    rule, and the columns that were used.

    Raises:
        BadInput: one line that names the file, the row or column, and what is wrong.
    """
    named = _read_map(map_file) if map_file else {}
    tables, used = {}, {}
    systems: dict[System, Path] = {"hubspot": hubspot, "salesforce": salesforce}
    for system, path in systems.items():
        used[system] = _columns(path, system, named.get(system, {}))
        tables[system] = _read(path, used[system])
    model = shipped_model()
    links = match(tables["hubspot"], tables["salesforce"], model)
    _write(links, out)
    return _summary(links, tables, used, model)


@cache
def shipped_model() -> MatchModel:
    """Read the model and the word lists that ship with matching."""
    folder = files("transforms.matching")
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in (_MODEL, _WORDS)]
    return MatchModel.parse(*texts)


def _summary(
    links: pd.DataFrame,
    tables: Mapping[System, pd.DataFrame],
    used: Mapping[System, Mapping[str, str]],
    model: MatchModel,
) -> dict[str, Any]:
    is_link = links["decision"] == LINK
    return {
        "hubspot_records": len(tables["hubspot"]),
        "salesforce_records": len(tables["salesforce"]),
        "links": int(is_link.sum()),
        "review": int((~is_link).sum()),
        "people": int(links["cluster_id"].nunique()),
        "rules": {str(rule): int(n) for rule, n in links["rule"].value_counts().items()},
        "model_version": model.version,
        "columns": {system: dict(columns) for system, columns in used.items()},
    }


# Columns -----------------------------------------------------------------------------------------


def _read_map(path: Path) -> dict[System, dict[str, str]]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {_reason(error)}") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise BadInput(f"{path}: the map needs a block hubspot or salesforce")
    named: dict[System, dict[str, str]] = {}
    for system, block in data.items():
        if system not in _NAMES:
            raise BadInput(f"{path}: {system!r} is no block of a map; use hubspot and salesforce")
        if not isinstance(block, dict):
            raise BadInput(f"{path}: {system}: needs lines of the form `email: Their column`")
        named[system] = {_our_name(path, system, key): str(column) for key, column in block.items()}
    return named


def _our_name(path: Path, system: System, key: object) -> str:
    """Take our column's name or a vendor's in its place."""
    plain = _letters(str(key))
    for name in COLUMNS:
        if plain == _letters(name) or plain in _NAMES[system].get(name, ()):
            return name
    raise BadInput(f"{path}: {system}: {key!r} is no column; use {', '.join(COLUMNS)}")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _columns(path: Path, system: System, named: Mapping[str, str]) -> dict[str, str]:
    """Say which column of a file is which of ours; the map goes before the vendors' names."""
    header = _header(path)
    for name, column in named.items():
        if column not in header:
            raise BadInput(f"{path}: no column {column!r}, which the map gives for {name}")
    by_letters = {_letters(column): column for column in reversed(header)}
    found = dict(named)
    taken = set(named.values())
    for name, aliases in _NAMES[system].items():
        theirs = next((by_letters[alias] for alias in aliases if alias in by_letters), None)
        if name not in found and theirs is not None and theirs not in taken:
            found[name] = theirs
            taken.add(theirs)
    if "record_id" not in found:
        expected = "hs_object_id" if system == "hubspot" else "Id"
        raise BadInput(f"{path}: no column of record ids ({expected}); name it in a map")
    if not {"email", "phone", "mobile", "last_name", "first_name"} & found.keys():
        raise BadInput(f"{path}: no column of names, e-mails or telephones; name them in a map")
    return found


# Files -------------------------------------------------------------------------------------------


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in {".parquet", ".pq"}


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return getattr(error, "strerror", None) or " ".join(str(error).split())


def _header(path: Path) -> list[str]:
    try:
        if _is_parquet(path):
            return [str(name) for name in pq.read_schema(path).names]
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = next(csv.reader(file, delimiter=_delimiter(path)), [])
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read: {_reason(error)}") from None
    if not line:
        raise BadInput(f"{path}: the file is empty; it needs a line of column names")
    return line


def _delimiter(path: Path) -> str:
    """Tell the separator by the first line: a comma, else a semicolon or a tab."""
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    return max(",;\t", key=first.count)


def _read(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read the columns in use as text, under our names.

    Raises:
        BadInput: the file is broken, or a record id is missing or stands there twice.
    """
    try:
        table = _parquet(path, columns) if _is_parquet(path) else _csv(path, columns)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path}: cannot be read: {_reason(error)}") from None
    frame = table.rename_columns(list(columns)).to_pandas().astype("str")
    ids = frame["record_id"].str.strip()
    lacking = ids.isna() | (ids == "")
    if lacking.any():
        raise BadInput(f"{path}: row {int(lacking.argmax()) + 1}: the record id is missing")
    again = ids.duplicated()
    if again.any():
        row = int(again.argmax()) + 1
        raise BadInput(f"{path}: row {row}: record id {ids.iloc[row - 1]} stands there twice")
    return frame.assign(record_id=ids)


def _csv(path: Path, columns: Mapping[str, str]) -> pa.Table:
    kinds = dict.fromkeys(columns.values(), pa.string())
    return pa_csv.read_csv(
        path,
        parse_options=pa_csv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            include_columns=list(columns.values()), column_types=kinds
        ),
    )


def _parquet(path: Path, columns: Mapping[str, str]) -> pa.Table:
    table = pq.read_table(path, columns=list(columns.values()))
    return pa.table({name: _as_text(table[column]) for name, column in columns.items()})


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write a column as text; whole numbers that a tool made floating stay whole."""
    if pa.types.is_floating(column.type):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:
            return column.cast(pa.string())
    return column.cast(pa.string())


def _write(links: pd.DataFrame, out: Path) -> None:
    table = pa.Table.from_pandas(links[list(_WRITTEN)], preserve_index=False)
    try:
        if _is_parquet(out):
            pq.write_table(table, out)
        else:
            pa_csv.write_csv(table, out, pa_csv.WriteOptions(quoting_style="needed"))
    except OSError as error:
        raise BadInput(f"{out}: cannot be written: {_reason(error)}") from None
