import pandas as pd
import pytest
from pandera.errors import SchemaError, SchemaErrors

from agreement import frames
from agreement.frames import Links, Table, empty

TABLES = [
    value for value in vars(frames).values() if isinstance(value, type) and Table in value.__bases__
]
LINK = {
    "hubspot_id": "1",
    "salesforce_id": "00Q1",
    "decision": "link",
    "score": 0.9,
    "rule": "email",
    "evidence": "email",
    "cluster_id": "1",
}


def links(**changes):
    text = ["hubspot_id", "salesforce_id", "decision", "rule", "evidence", "cluster_id"]
    return pd.DataFrame([LINK | changes]).astype(dict.fromkeys(text, "str"))


@pytest.mark.parametrize("wrong", [{"decision": None}, {"hubspot_id": None}])
def test_a_missing_value_is_found_also_in_a_shape_that_passed_before(wrong):
    Links.validate(links())
    with pytest.raises(SchemaError, match="non-nullable"):
        Links.validate(links(**wrong))


def test_another_type_or_column_is_found_also_after_a_good_one():
    Links.validate(links())
    with pytest.raises(SchemaError, match="score"):
        Links.validate(links().astype({"score": "str"}))
    with pytest.raises(SchemaErrors, match="further"):
        Links.validate(links().assign(further=1))


def test_a_checked_frame_can_be_changed_without_changing_the_one_that_was_checked():
    given = links()
    for _ in range(2):
        checked = Links.validate(given)
        checked["score"] = 0.1
        assert given["score"].tolist() == [0.9]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_table_says_types_and_missing_values_only_which_is_what_is_checked_quickly(table):
    schema = table.to_schema()
    assert not schema.checks
    assert not schema.unique
    assert not [name for name, column in schema.columns.items() if column.checks or column.unique]
    table.validate(empty(table))
