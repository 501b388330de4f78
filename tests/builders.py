"""Build the smallest frames that show a case: what a test does not name gets a plain default."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from agreement import frames
from agreement.frames import Table, empty
from agreement.policy import load_agreement
from transforms import normalise

Row = Mapping[str, Any]

AGREEMENT = load_agreement()

_MIRRORED = ("record_id", "created_at", "modified_at", "is_deleted", "merged_into")

_DEFAULTS: Mapping[type[Table], Row] = {
    frames.People: {"system": "hubspot", "kind": "contact", "is_opted_out": False},
    frames.Accounts: {"system": "salesforce", "kind": "account"},
    frames.DealRecords: {
        "system": "salesforce",
        "kind": "opportunity",
        "is_closed": False,
        "is_won": False,
    },
    frames.Activities: {
        "system": "hubspot",
        "person_kind": "contact",
        "is_done": True,
        "is_automatic": False,
    },
    frames.Users: {"is_active": True, "is_human": True},
    frames.StageChanges: {"system": "hubspot", "kind": "contact", "field": "lifecycle"},
    frames.Crosswalk: {
        "entity": "person",
        "system": "hubspot",
        "kind": "contact",
        "rule": "only record",
        "score": 1.0,
        "evidence": "",
        "is_survivor": True,
        "since": "2026-01-01T00:00Z",
    },
    frames.Mqls: {"cycle": 1},
    frames.Handoffs: {
        "person_id": "p1",
        "cycle": 1,
        "tier": "mql",
        "contact_id": "1",
        "mql_at": "2026-03-02T14:00Z",
        "zone": "America/New_York",
        "attempt_count": 0,
        "has_lead": False,
    },
    frames.ClockSegments: {"zone": "America/New_York", "is_person": True},
    frames.HandoffStatus: {
        "person_id": "p1",
        "cycle": 1,
        "tier": "mql",
        "contact_id": "1",
        "mql_at": "2026-03-02T14:00Z",
        "started_at": "2026-03-02T14:00Z",
        "status": "waiting",
        "is_breached": False,
        "working_seconds": 0,
        "clock_seconds": 0,
    },
    frames.Touches: {"person_id": "p1", "channel": "form", "team": "marketing"},
    frames.Deals: {
        "state": "won",
        "currency": "USD",
        "amount_minor": 0,
        "company_minor": 0,
        "is_blank": False,
    },
    frames.DealPeople: {"how": "role"},
    frames.Reviews: {
        "entity": "person",
        "left_system": "hubspot",
        "left_kind": "contact",
        "right_system": "salesforce",
        "right_kind": "lead",
        "score": 0.6,
        "rule": "name",
        "evidence": "first equal; last equal",
        "keys": "k",
        "found_at": "2026-01-01T00:00Z",
    },
    frames.MatchDecisions: {
        "entity": "person",
        "left_system": "hubspot",
        "left_kind": "contact",
        "right_system": "salesforce",
        "right_kind": "lead",
        "decided_by": "ann",
        "decided_at": "2026-01-01T00:00Z",
    },
}


def build(table: type[Table], rows: Sequence[Row]) -> Any:
    """Build a checked table from partial rows; instants may be ISO text or datetimes."""
    columns = empty(table)
    filled = [{**_DEFAULTS.get(table, {}), **row} for row in rows]
    unknown = {name for row in filled for name in row} - set(columns.columns)
    assert not unknown, f"{table.__name__} has no {sorted(unknown)}"
    frame = pd.DataFrame(
        {
            name: _column([row.get(name) for row in filled], str(columns[name].dtype))
            for name in columns.columns
        }
    )
    return table.validate(frame, lazy=True)


def _column(values: list[Any], dtype: str) -> pd.Series:
    if dtype.startswith("datetime"):
        return frames.as_utc(pd.Series(values, dtype=object))
    return pd.Series(values, dtype="str" if dtype.startswith("str") else dtype)


def people(*rows: Row) -> Any:
    return build(frames.People, rows)


def accounts(*rows: Row) -> Any:
    return build(frames.Accounts, rows)


def deal_records(*rows: Row) -> Any:
    return build(frames.DealRecords, rows)


def activities(*rows: Row) -> Any:
    return build(frames.Activities, rows)


def users(*rows: Row) -> Any:
    return build(frames.Users, rows)


def stage_changes(*rows: Row) -> Any:
    return build(frames.StageChanges, rows)


def aliases(*rows: Row) -> Any:
    return build(frames.Aliases, rows)


def crosswalk(*rows: Row) -> Any:
    return build(frames.Crosswalk, rows)


def mqls(*rows: Row) -> Any:
    return build(frames.Mqls, rows)


def handoffs(*rows: Row) -> Any:
    return build(frames.Handoffs, rows)


def clock_segments(*rows: Row) -> Any:
    return build(frames.ClockSegments, rows)


def clock_pauses(*rows: Row) -> Any:
    return build(frames.ClockPauses, rows)


def absences(*rows: Row) -> Any:
    return build(frames.Absences, rows)


def handoff_status(*rows: Row) -> Any:
    return build(frames.HandoffStatus, rows)


def touches(*rows: Row) -> Any:
    return build(frames.Touches, rows)


def deals(*rows: Row) -> Any:
    return build(frames.Deals, rows)


def deal_people(*rows: Row) -> Any:
    return build(frames.DealPeople, rows)


def reviews(*rows: Row) -> Any:
    return build(frames.Reviews, rows)


def match_decisions(*rows: Row) -> Any:
    return build(frames.MatchDecisions, rows)


def mirror(system: str, kind: str, *rows: Row) -> pd.DataFrame:
    """Build a mirror as the store gives it: text per vendor field, missing where not named."""
    fields = normalise.fields_to_pull(AGREEMENT, system, kind)
    names = [*_MIRRORED, *fields]
    unknown = {name for row in rows for name in row} - set(names)
    assert not unknown, f"{system} {kind} has no {sorted(unknown)}"
    columns = {name: [row.get(name) for row in rows] for name in names}
    frame = pd.DataFrame({name: pd.Series(values, dtype="str") for name, values in columns.items()})
    return frame.assign(
        created_at=frames.as_utc(pd.Series(columns["created_at"], dtype=object)),
        modified_at=frames.as_utc(pd.Series(columns["modified_at"], dtype=object)),
        is_deleted=pd.Series([bool(row.get("is_deleted")) for row in rows], dtype=bool),
    )


def mirrors(given: Mapping[tuple[str, str], Sequence[Row]]) -> dict[tuple[str, str], pd.DataFrame]:
    """Build every mirror that the transforms read; those not given are empty."""
    return {key: mirror(*key, *given.get(key, ())) for key in normalise.FIELDS}


def associations(
    given: Mapping[tuple[str, str], Sequence[tuple[str, str]]],
) -> dict[tuple[str, str], pd.DataFrame]:
    """Build every HubSpot association that the transforms read, from pairs of ids."""
    return {
        (kind, to_kind): pd.DataFrame(
            list(given.get((kind, to_kind), ())), columns=["from_id", "to_id"]
        ).astype("str")
        for (_, kind), to_kinds in normalise.ASSOCIATED.items()
        for to_kind in to_kinds
    }


def history(*entries: tuple[str, str, str | None, str | datetime]) -> pd.DataFrame:
    """Build field history as the store gives it, from (record, field, value, changed_at)."""
    rows = pd.DataFrame(list(entries), columns=["record_id", "field", "value", "changed_at"])
    text = rows[["record_id", "field", "value"]].astype("str")
    return text.assign(changed_at=frames.as_utc(rows["changed_at"]), source="").astype(
        {"source": "str"}
    )
