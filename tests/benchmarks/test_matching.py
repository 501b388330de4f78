"""The figures that matching is measured by, on pairs that can be counted by hand."""

import pandas as pd
import pytest

from benchmarks.matching import Truth, entity_figures, lines, one_to_one
from transforms.matching import LINK, REVIEW


@pytest.fixture
def truth():
    """Ann is h1 and h2, and s1; Bob is h3 and s3; Cy is in HubSpot alone, Di in Salesforce."""
    return Truth.of(
        pd.Series([1, 1, 2, 3], index=["h1", "h2", "h3", "h4"]),
        pd.Series([1, 2, 4], index=["s1", "s3", "s4"]),
    )


def rows(*pairs):
    names = ["hubspot_id", "salesforce_id", "score", "decision"]
    found = pd.DataFrame(list(pairs), columns=names)
    return found.assign(cluster_id=found["hubspot_id"])


RIGHT = rows(("h1", "s1", 0.9, LINK), ("h2", "s1", 0.8, LINK), ("h3", "s3", 0.7, REVIEW))
WRONG = rows(("h4", "s3", 0.75, LINK), ("h3", "s3", 0.7, REVIEW))


def test_what_there_is_to_find_is_counted_as_pairs_partners_and_people(truth):
    assert (truth.pairs, truth.partners, truth.people) == (3, 2, 2)


def test_a_perfect_answer_is_perfect_before_and_after_the_choice(truth):
    before, after, linked = lines(RIGHT, truth)
    assert before.count("P 1.0000 R 1.0000 F1 1.0000") == 2
    assert after.count("P 1.0000 R 1.0000 F1 1.0000") == 2
    assert "P 1.0000 R 0.5000" in linked


def test_the_choice_keeps_the_better_pair_of_each_record():
    assert one_to_one(RIGHT)["hubspot_id"].tolist() == ["h1", "h3"]
    assert one_to_one(WRONG)["hubspot_id"].tolist() == ["h4"]


def test_a_group_that_holds_two_people_is_no_person(truth):
    assert entity_figures(WRONG, truth).startswith("P 0.0000 R 0.0000")
    assert entity_figures(RIGHT[:2], truth).startswith("P 1.0000 R 0.5000")


def test_no_pair_at_all_finds_nobody(truth):
    assert entity_figures(rows(), truth).startswith("P 1.0000 R 0.0000")
