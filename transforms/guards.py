"""Guards: what a plan may change of people's own fields before somebody has to look at it."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import pandas as pd

from agreement.frames import DataFrame, Writes
from agreement.policy import Guards

RecordKind = tuple[str, str]


def guard_faults(
    shared: DataFrame[Writes],
    record_counts: Mapping[RecordKind, int],
    guards: Guards,
    creations: Mapping[RecordKind, int] = MappingProxyType({}),
) -> list[str]:
    """Say which guards a plan meets, one sentence each; none when it may be written.

    Shares are of the object's live records. An overwrite replaces a value by another one, a blank
    empties it.

    Args:
        shared: the planned writes to fields that people share with us, without first fills.
        record_counts: live records per (system, kind).
        guards: the limits.
        creations: per (system, kind), planned records that are not there yet.
    """
    faults = [
        f"{count} {system} {kind} records would be created, over the guard guards.creations of "
        f"{guards.creations}"
        for (system, kind), count in sorted(creations.items())
        if count > guards.creations
    ]
    for key in sorted(record_counts):
        rows = shared[(shared["system"] == key[0]) & (shared["kind"] == key[1])]
        faults += _faults_of(rows, key, record_counts[key], guards)
    return faults


def creations_in(
    writes: DataFrame[Writes], current: Mapping[RecordKind, pd.DataFrame]
) -> dict[RecordKind, int]:
    """Count the records that a plan names and that are not there, per (system, kind) with some.

    Args:
        writes: the plan.
        current: per (system, kind), `record_id` and `is_deleted` of every known record.
    """
    found: dict[RecordKind, int] = {}
    for (system, kind), rows in writes.groupby(["system", "kind"]):
        known = current[system, kind]
        alive = known.loc[~known["is_deleted"].astype(bool), "record_id"]
        if count := int(rows.loc[~rows["record_id"].isin(alive), "record_id"].nunique()):
            found[str(system), str(kind)] = count
    return found


def _faults_of(rows: pd.DataFrame, key: RecordKind, whole: int, guards: Guards) -> list[str]:
    was_filled, is_filled = rows["before"].notna(), rows["after"].notna()
    checks = [
        ("records_share", guards.records_share, "would change", rows),
        ("overwrites_share", guards.overwrites_share, "would have a value overwritten",
         rows[was_filled & is_filled]),
        ("blanks_share", guards.blanks_share, "would have a value emptied",
         rows[was_filled & ~is_filled]),
        *(
            ("field_share", guards.field_share, f"would change in {field}", some)
            for field, some in rows.groupby("field")
        ),
    ]  # fmt: skip
    return [
        f"{count} of {whole} {key[0]} {key[1]} records {what}, over the guard "
        f"guards.{name} of {limit:%}"
        for name, limit, what, some in checks
        if (count := some["record_id"].nunique()) > max(guards.at_least, limit * Decimal(whole))
    ]
