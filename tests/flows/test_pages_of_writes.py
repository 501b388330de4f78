"""What a person reads before anything is written, as golden files."""

import os
from pathlib import Path

import pytest

from connectors.plan_page import render_plan
from flows.show_writes import show_plan, show_undo

GOLDEN = Path(__file__).parents[1] / "golden"

WRITES = [
    {
        "system": "salesforce", "kind": "contact", "record_id": "0035f00000000001AA",
        "field": "Title", "is_shared": True, "before": None, "after": "Head of <Sales>",
        "reason": "job title changed in hubspot", "state": "planned",
    },
    {
        "system": "hubspot", "kind": "contact", "record_id": "101", "field": "tandem_credit_won",
        "is_shared": False, "before": "10", "after": "12.5",
        "reason": "contact field owned by Tandem", "state": "planned",
    },
]  # fmt: skip
NOTHING: dict = {"count": 0, "first": []}
PLAN = {
    "plan_id": "a22bae5b7248",
    "content_hash": "dc49a7366dc499d4" * 4,
    "run_id": "20261125-041500",
    "planned_at": "2026-11-25T04:15:20+00:00",
    "records": 2,
    "fields": 2,
    "counts": [
        {"system": "hubspot", "kind": "contact", "is_shared": False, "records": 1, "fields": 1},
        {"system": "salesforce", "kind": "contact", "is_shared": True, "records": 1, "fields": 1},
    ],
    "states": {"planned": 2},
    "guards": [
        "30 of 100 salesforce contact records would change, over the guard guards.records_share "
        "of 25%"
    ],
    "invalid": {
        "count": 1,
        "first": [
            {
                "system": "salesforce", "kind": "contact", "record_id": "0035f00000000002AA",
                "field": "Title", "reason": "it is longer than the 128 characters that fit",
                "fix": "Shorten it to 128 characters, or make the field longer",
            }
        ],
    },
    "conflicts": {
        "count": 1,
        "first": [
            {
                "field": "phone", "hubspot_kind": "contact", "hubspot_id": "102",
                "salesforce_kind": "lead", "salesforce_id": "00Q5f00000000001AA",
                "how": "both changed",
            }
        ],
    },
    "opt_outs_left": {
        "count": 1,
        "first": [{"system": "hubspot", "kind": "contact", "record_id": "103"}],
    },
    "held": NOTHING,
    "postponed_records": 4,
    "missing_fields": {},
    "writes": WRITES,
}  # fmt: skip
UNDO = {
    "undone": "20261124-041500",
    "run_as_of": "2026-11-24T04:15:00+00:00",
    "run_id": "20261125-090000",
    "records": 1,
    "fields": 1,
    "is_applied": False,
    "writes": [
        {**WRITES[0], "before": "Head of Sales", "after": None,
         "reason": "takes back run 20261124-041500"}
    ],
    "left_alone": [
        {"system": "hubspot", "kind": "contact", "record_id": "101", "field": "jobtitle",
         "reason": "changed since by somebody else"}
    ],
    "invalid": [],
    "cannot_be_undone": [
        "what workflows and flows of yours did because 2 records were written",
        "3 messages that were sent",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plan.html", render_plan(PLAN)),
        ("plan.txt", show_plan(PLAN)),
        ("undo.txt", show_undo(UNDO)),
    ],
)
def test_what_a_person_reads_is_as_reviewed(name, text):
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    assert text.rstrip("\n") == golden.read_text(encoding="utf-8").rstrip("\n"), (
        "run with UPDATE_GOLDEN=1, then read the difference"
    )


def test_values_of_people_cannot_break_out_of_the_page():
    assert "Head of &lt;Sales&gt;" in render_plan(PLAN)
