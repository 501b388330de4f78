"""What a CRM would refuse, found before the first write: each with the fix in words."""

from collections.abc import Iterator, Mapping

import pandas as pd

from agreement.frames import DataFrame, Invalid, Writes, as_text, empty
from agreement.records import FieldInfo, FieldKind

Schemas = Mapping[tuple[str, str], Mapping[str, FieldInfo]]

_PATTERNS: Mapping[FieldKind, tuple[str, str]] = {
    "number": (r"[+-]?(\d+\.?\d*|\.\d+)", "a number, such as 1250.5"),
    "boolean": (r"true|false", "true or false"),
    "date": (r"\d{4}-\d\d-\d\d", "a date, such as 2026-11-17"),
    "datetime": (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)",
        "an instant, such as 2026-11-17T09:15:00.000Z",
    ),
}
_CALENDAR_KINDS = {"date", "datetime"}


def invalid_writes(writes: DataFrame[Writes], schemas: Schemas) -> DataFrame[Invalid]:
    """List the planned values that a CRM would refuse, by system, object, record and field.

    One row per refused write, with its first fault. A value is checked against what the CRM itself
    says of the field: there, writable, not calculated; emptied only when it may be; of the type, no
    longer than allowed, and one of a closed list's values. The fix never repeats the value, which
    may be a person's.

    Args:
        writes: the plan.
        schemas: per (system, kind), the fields as the CRM describes them now.
    """
    pieces = [
        piece
        for (system, kind, field), rows in writes.groupby(["system", "kind", "field"])
        for piece in _faults(rows, schemas.get((str(system), str(kind)), {}).get(str(field)))
    ]
    if not pieces:
        return Invalid.validate(empty(Invalid), lazy=True)
    keys = ["system", "kind", "record_id", "field"]
    found = pd.concat(pieces, ignore_index=True)
    found = found.drop_duplicates(keys).sort_values(keys, ignore_index=True)
    return Invalid.validate(found[list(Invalid.to_schema().columns)], lazy=True)


def _faults(rows: pd.DataFrame, field: FieldInfo | None) -> Iterator[pd.DataFrame]:
    """Give the refused rows of one field, the gravest fault first."""
    if field is None:
        yield _refused(
            rows,
            "the CRM has no such field, or this user may not see it",
            "Create it, or grant read and edit on it; for a field of ours: tandem provision",
        )
        return
    if field.is_calculated:
        yield _refused(rows, "the CRM calculates it", "Change what it is calculated from")
        return
    if not field.is_writable:
        yield _refused(
            rows, "it is read-only for this user", "Grant edit on it, or let a person change it"
        )
        return
    if field.is_required:
        yield _refused(
            rows[rows["after"].isna()],
            "it is required and would be emptied",
            "Fill it in the system that left it blank",
        )
    yield from _bad_values(rows.dropna(subset=["after"]), field)


def _bad_values(rows: pd.DataFrame, field: FieldInfo) -> Iterator[pd.DataFrame]:
    after = rows["after"]
    if field.kind in _PATTERNS:
        pattern, example = _PATTERNS[field.kind]
        is_bad = ~after.str.fullmatch(pattern).astype(bool)
        if field.kind in _CALENDAR_KINDS:
            is_bad |= pd.to_datetime(after, errors="coerce", utc=True, format="ISO8601").isna()
        yield _refused(rows[is_bad], f"it is no {field.kind}", f"Write it as {example}")
    if field.options:
        yield _refused(
            rows[~after.isin(field.options)],
            "the value is none of the list's",
            "Add it to the list, or map it to one of the list's values in the agreement's "
            "ownership block (to_salesforce, to_hubspot)",
        )
    if field.length is not None and field.kind in {"string", "text", "enumeration"}:
        yield _refused(
            rows[after.str.len() > field.length],
            f"it is longer than the {field.length} characters that fit",
            f"Shorten it to {field.length} characters, or make the field longer",
        )


def _refused(rows: pd.DataFrame, reason: str, fix: str) -> pd.DataFrame:
    size = len(rows)
    return rows[["system", "kind", "record_id", "field"]].assign(
        reason=as_text(pd.Series([reason] * size, index=rows.index)),
        fix=as_text(pd.Series([fix] * size, index=rows.index)),
    )


def valid_writes(writes: DataFrame[Writes], invalid: DataFrame[Invalid]) -> DataFrame[Writes]:
    """Keep the writes that nothing is wrong with: a bad one stops no other."""
    keys = ["system", "kind", "record_id", "field"]
    marked = writes.merge(invalid[keys].assign(is_bad=True), on=keys, how="left")
    kept = marked[marked["is_bad"].isna()].drop(columns="is_bad").reset_index(drop=True)
    return Writes.validate(kept, lazy=True)
