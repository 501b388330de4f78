"""What would have changed a match."""

import numpy as np
import pandas as pd
import pytest

from transforms.matching import match, weights
from transforms.matching.changes import changes

ANN = {
    "record_id": "1",
    "email": "ann.lee@acmetools.com",
    "first_name": "Ann",
    "last_name": "Lee",
    "company": "Acme Tools Inc.",
    "phone": "+1 415 555 2671",
}
BOB = {"record_id": "2", "first_name": "Bob", "last_name": "Stone", "company": "Acme Tools"}
SAME = pd.DataFrame({"hubspot_id": ["1", "1"], "salesforce_id": ["9", "7"]}, dtype="str")


@pytest.fixture
def crm(table):
    return table(ANN, BOB), table(ANN | {"record_id": "9"}, BOB | {"record_id": "7"})


@pytest.fixture
def found(crm, model):
    return changes(*crm, SAME, model)


def of(found, salesforce_id):
    rows = found[found["salesforce_id"] == salesforce_id]
    return rows.set_index(["change", "field"])


def test_as_it_is_a_pair_has_the_score_that_match_gives(found, crm, model):
    as_is = of(found, "9").loc[("as it is", "")]
    rows = match(*crm, model).set_index(["hubspot_id", "salesforce_id"])
    assert as_is["score"] == pytest.approx(rows.loc[("1", "9"), "score"], abs=2e-6)
    assert as_is["decision"] == rows.loc[("1", "9"), "decision"]


def test_as_it_is_the_weight_is_the_sum_of_the_fields_weights(found, crm, model):
    total = weights(*crm, SAME, model).groupby("salesforce_id")["weight"].sum()
    assert of(found, "9").loc[("as it is", ""), "weight"] == pytest.approx(total["9"])


def test_without_what_agrees_a_pair_is_worth_less(found):
    rows = of(found, "9")
    assert rows.loc[("absent", "email"), "weight"] < rows.loc[("as it is", ""), "weight"]


def test_what_is_equal_already_is_no_change(found):
    assert ("equal", "email") not in of(found, "9").index


def test_two_strangers_would_be_worth_more_with_one_address(found):
    rows = of(found, "7")
    assert rows.loc[("as it is", ""), "decision"] == "apart"
    assert rows.loc[("equal", "email"), "weight"] > rows.loc[("as it is", ""), "weight"]


def test_rows_come_pair_by_pair_and_unknown_pairs_have_none(crm, model):
    pairs = pd.DataFrame({"hubspot_id": ["2", "1"], "salesforce_id": ["7", "none"]}, dtype="str")
    rows = changes(*crm, pairs, model)
    assert set(rows["hubspot_id"]) == {"2"}
    assert rows["change"].iloc[0] == "as it is"
    assert np.isfinite(rows["weight"]).all()
