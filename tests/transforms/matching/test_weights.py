import math

import numpy as np
import pandas as pd
import pytest

from transforms.matching import match, review_bits, weights

ELIZABETH = {
    "record_id": "1",
    "email": "elizabeth.lee@acmetools.com",
    "first_name": "Elizabeth",
    "last_name": "Lee",
    "company": "Acme Tools Inc.",
    "phone": "+1 415 555 2671",
    "city": "Oakland",
}
BOB = {"record_id": "2", "first_name": "Bob", "last_name": "Stone", "company": "Acme Tools"}
LIZ = ELIZABETH | {"record_id": "9", "first_name": "Liz", "email": None, "city": "Oslo"}
JUNIOR = ELIZABETH | {
    "record_id": "8",
    "last_name": "Lee Jr.",
    "email": "elizabeth.lee2@acmetools.com",
}


def asked(*ids):
    return pd.DataFrame(list(ids), columns=["hubspot_id", "salesforce_id"], dtype="str")


@pytest.fixture
def crm(table):
    return table(ELIZABETH, BOB), table(LIZ, JUNIOR, BOB | {"record_id": "7"})


@pytest.fixture
def found(crm, model):
    rows = weights(*crm, asked(("1", "9"), ("1", "8"), ("2", "7"), ("1", "7")), model)
    return rows.set_index(["hubspot_id", "salesforce_id", "field"]).sort_index()


def test_each_field_says_in_words_how_it_agrees(found):
    level = found["level"].loc["1", "9"]
    assert level["first"] == "nickname"
    assert level["phone"] == "shared by few"
    assert level["email"] == "missing"
    assert level["place"] == "different"
    assert level["rivals"] == "none"


def test_who_fits_less_is_a_weaker_rival(table, model):
    initial = {"record_id": "6", "first_name": "E.", "last_name": "Lee", "company": "Acme Tools"}
    rows = weights(table(ELIZABETH), table(LIZ, initial), asked(("1", "9"), ("1", "6")), model)
    level = rows.set_index(["salesforce_id", "field"])["level"]
    assert level["9", "rivals"] == "weaker"
    assert level["6", "rivals"] == "stronger"


def test_a_father_and_his_son_are_told_by_their_generation(found):
    assert found["level"].loc["1", "8"]["generation"] == "one names none"
    assert found["level"].loc["1", "8"]["email"] == "numbered"


def test_what_agrees_speaks_for_a_pair_and_what_differs_against_it(found):
    assert found["weight"].loc["2", "7"]["last"] > 0
    assert found["weight"].loc["1", "7"]["last"] < 0


def test_a_missing_field_says_nothing(found):
    missing = found[found["level"] == "missing"]
    assert {"email", "title", "phone"} <= set(missing.index.get_level_values("field"))
    assert (missing["weight"] == 0).all()


def test_weights_add_up_to_the_score_that_match_gives(crm, model):
    rows = match(*crm, model)
    total = weights(*crm, rows, model).groupby(["hubspot_id", "salesforce_id"])["weight"].sum()
    score = model.probability(np.rint(total.to_numpy() * 1000 * math.log(2)).astype("int64"))
    assert len(rows)
    by_pair = rows.set_index(["hubspot_id", "salesforce_id"])["score"].sort_index()
    assert score.tolist() == pytest.approx(by_pair.tolist(), abs=2e-6)


def test_a_pair_is_linked_from_the_share_that_its_evidence_asks_for(table, model):
    def share_of(bits):
        return model.probability(np.array([round((bits + 0.01) * 1000 * math.log(2))])).item()

    crm = table(ELIZABETH, BOB), table(ELIZABETH | {"record_id": "6"}, LIZ, BOB)
    rows = weights(*crm, asked(("1", "6"), ("1", "9"), ("1", "2")), model)
    own_address, nickname_and_company, another = rows["link_bits"].drop_duplicates()
    assert share_of(own_address) == pytest.approx(model.sure_share, abs=0.003)
    assert share_of(nickname_and_company) == pytest.approx(model.link_share, abs=0.003)
    assert math.isnan(another)
    assert share_of(review_bits(model)) == pytest.approx(model.review_share, abs=0.003)


def test_pairs_come_in_their_own_order_and_unknown_ones_have_no_rows(crm, model):
    rows = weights(*crm, asked(("2", "7"), ("1", "nobody"), ("1", "9")), model)
    order = rows.drop_duplicates(["hubspot_id", "salesforce_id"])
    assert order["salesforce_id"].tolist() == ["7", "9"]


def test_no_pair_gives_no_row(crm, model):
    assert weights(*crm, asked(), model).empty


def test_no_value_of_a_record_stands_in_the_words(found):
    words = " ".join(found["level"]).lower()
    assert not any(str(value).lower() in words.split() for value in ELIZABETH.values())
