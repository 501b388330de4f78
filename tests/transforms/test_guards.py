from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.frames import Writes, as_text
from agreement.policy import Guards
from transforms.guards import creations_in, guard_faults

KEY = ("hubspot", "contact")
LIMITS = {
    "source_shrunk": "0.5",
    "records_share": "1",
    "field_share": "1",
    "overwrites_share": "1",
    "blanks_share": "1",
    "at_least": 0,
    "self_check_records": 0,
}


def faults(rows: list[tuple], whole: int, **limits) -> list[str]:
    columns = ["record_id", "field", "before", "after"]
    frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns, "str"))
    size = len(frame)
    where = {"system": "hubspot", "kind": "contact", "reason": "why"}
    named = {name: as_text(pd.Series([value] * size)) for name, value in where.items()}
    writes = Writes.validate(frame.assign(**named)[list(Writes.to_schema().columns)])
    return guard_faults(writes, {KEY: whole}, Guards.model_validate(LIMITS | limits))


def changes(count: int, before: str | None = "a", after: str | None = "b") -> list[tuple]:
    return [(str(number), "phone", before, after) for number in range(count)]


@pytest.mark.parametrize(
    ("guard", "rows"),
    [
        ("records_share", changes(6)),
        ("field_share", changes(6)),
        ("overwrites_share", changes(6)),
        ("blanks_share", changes(6, after=None)),
    ],
)
def test_a_guard_names_itself_the_count_and_the_whole_above_its_share_only(guard, rows):
    assert faults(rows[:5], 10, **{guard: "0.5"}) == []
    [said] = faults(rows, 10, **{guard: "0.5"})
    assert f"guards.{guard}" in said
    assert said.startswith("6 of 10 hubspot contact records")


def test_a_fill_overwrites_nothing_and_empties_nothing():
    rows = changes(10, before=None)
    assert faults(rows, 10, overwrites_share="0", blanks_share="0") == []


def test_two_fields_of_one_record_are_one_record():
    rows = [("1", "phone", "a", "b"), ("1", "title", "a", "b")]
    assert faults(rows, 2, records_share="0.5") == []


def test_few_records_meet_no_guard():
    assert faults(changes(20), 20, records_share="0", at_least=20) == []
    assert len(faults(changes(21), 21, records_share="0", at_least=20)) == 1


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from(["0", "0.1", "0.25", "0.5"]))
def test_a_guard_is_met_exactly_when_the_share_is_above_it(count, whole, share):
    is_met = bool(faults(changes(min(count, whole)), whole, records_share=share))
    assert is_met == (Decimal(min(count, whole)) > Decimal(share) * whole)


def test_a_record_that_is_not_there_is_a_creation_and_one_is_too_many():
    columns = {"record_id": ["1", "2", "3", "9"], "is_deleted": [False, False, True, False]}
    current = {KEY: pd.DataFrame(columns).astype({"record_id": "str"})}
    frame = pd.DataFrame(changes(5), columns=["record_id", "field", "before", "after"])
    where = {"system": "hubspot", "kind": "contact", "reason": "why"}
    texts = {name: as_text(values) for name, values in frame.assign(**where).items()}
    writes = Writes.validate(pd.DataFrame(texts)[list(Writes.to_schema().columns)])
    found = creations_in(writes, current)
    assert found == {KEY: 3}, "0 and 4 were never there, 3 is deleted"
    none = writes.iloc[:0]
    [said] = guard_faults(none, {}, Guards.model_validate(LIMITS), found)
    assert (
        said == "3 hubspot contact records would be created, over the guard guards.creations of 0"
    )
    assert guard_faults(none, {}, Guards.model_validate(LIMITS | {"creations": 3}), found) == []
