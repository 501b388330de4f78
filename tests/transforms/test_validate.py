import pandas as pd
import pytest

from agreement.frames import Writes, as_text
from agreement.records import FieldInfo
from transforms.validate import invalid_writes, valid_writes

KEY = ("salesforce", "contact")


def writes(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    """Build a plan out of (record, field, after)."""
    full = [("salesforce", "contact", record, field, "old", after, "why")
            for record, field, after in rows]  # fmt: skip
    columns = dict(zip(Writes.to_schema().columns, zip(*full, strict=True), strict=True))
    return Writes.validate(pd.DataFrame({name: as_text(list(v)) for name, v in columns.items()}))


def fault(value: str | None, **field) -> str | None:
    info = FieldInfo(**({"name": "F", "kind": "string"} | field))
    found = invalid_writes(writes(("1", "F", value)), {KEY: {"F": info}})
    assert len(found) <= 1
    return None if found.empty else found.loc[0, "reason"]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ({"is_calculated": True, "is_writable": False}, "x", "the CRM calculates it"),
        ({"is_writable": False}, "x", "read-only"),
        ({"is_required": True}, None, "required"),
        ({"length": 3}, "abcd", "longer than the 3 characters"),
        ({"kind": "enumeration", "options": ("a", "b")}, "c", "none of the list's"),
        ({"kind": "number"}, "12,5", "no number"),
        ({"kind": "boolean"}, "yes", "no boolean"),
        ({"kind": "date"}, "2026-13-01", "no date"),
        ({"kind": "date"}, "17.11.2026", "no date"),
        ({"kind": "datetime"}, "2026-11-17", "no datetime"),
    ],
)
def test_what_a_crm_would_refuse_is_named(field, value, says):
    assert says in (fault(value, **field) or "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"length": 3}, "abc"),
        ({}, None),
        ({"is_required": True}, "x"),
        ({"kind": "enumeration", "options": ("a", "b")}, "a"),
        ({"kind": "enumeration"}, "anything of an open list"),
        ({"kind": "number"}, "-1250.5"),
        ({"kind": "boolean"}, "true"),
        ({"kind": "date"}, "2026-11-17"),
        ({"kind": "datetime"}, "2026-11-17T09:15:00.000Z"),
        ({"kind": "number"}, None),
    ],
)
def test_what_fits_passes(field, value):
    assert fault(value, **field) is None


def test_a_field_that_is_not_there_says_how_to_get_it():
    found = invalid_writes(writes(("1", "F", "x")), {KEY: {}})
    assert found.loc[0, "reason"].startswith("the CRM has no such field")
    assert "tandem provision" in found.loc[0, "fix"]


def test_a_bad_value_stops_no_other_and_its_fix_does_not_repeat_it():
    plan = writes(("1", "F", "secret"), ("2", "F", "ok"), ("1", "G", "ok"))
    schema = {"F": FieldInfo("F", "string", length=3), "G": FieldInfo("G", "string")}
    found = invalid_writes(plan, {KEY: schema})
    assert "secret" not in found.to_string()
    kept = valid_writes(plan, found)
    assert kept[["record_id", "field"]].to_numpy().tolist() == [["2", "F"], ["1", "G"]]


def test_an_empty_plan_is_valid():
    assert invalid_writes(writes(("1", "F", "x")).iloc[:0], {}).empty
