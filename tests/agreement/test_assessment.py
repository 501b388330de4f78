"""The file of answers: what it takes, and how a fault in it is told."""

import pytest
import yaml

from agreement.assessment import STATEMENTS, load_assessment, stage_of, template
from agreement.errors import BadInput


def test_the_template_is_a_file_that_can_be_read_and_names_every_statement(tmp_path):
    file = tmp_path / "answers.yaml"
    file.write_text(template("2027-Q1"), encoding="utf-8")
    assert load_assessment(file).totals() == {"2027-Q1": {"marketing": 60, "sales": 60}}
    assert all(file.read_text(encoding="utf-8").count(text) == 2 for text in STATEMENTS)


@pytest.mark.parametrize(
    ("total", "stage"),
    [(20, "undefined"), (39, "undefined"), (40, "defined"), (60, "aligned"), (80, "integrated"),
     (100, "integrated")],
)  # fmt: skip
def test_a_stage_begins_at_its_least_total(total, stage):
    assert stage_of(total) == stage


@pytest.mark.parametrize(
    "answers",
    [[3] * 19, [3] * 21, [0] + [3] * 19, [6] + [3] * 19, ["3"] * 20, [3.5] + [3] * 19],
)
def test_answers_that_are_not_twenty_ratings_name_the_team(tmp_path, answers):
    file = tmp_path / "answers.yaml"
    file.write_text(yaml.safe_dump({"answers": {"2027-Q1": {"sales": answers}}}), encoding="utf-8")
    with pytest.raises(BadInput, match=r"answers\.2027-Q1\.sales"):
        load_assessment(file)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        load_assessment(tmp_path / "none.yaml")
