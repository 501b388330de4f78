"""Laws of matching, the model and its word lists held fixed."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms.matching import LINK, match, weights

# Few values, so that records share keys, rival one another and repeat.
EMAILS = ["ann.lee@acme.com", "ann.lee2@acme.com", "alee@gmail.com", "info@acme.com"]
RECORD = st.fixed_dictionaries(
    {
        "email": st.sampled_from([*EMAILS, "bo@fjordbank.no", None, None]),
        "first_name": st.sampled_from(["Ann", "Annie", "A.", "Bo", "Robert", "Bob", None]),
        "last_name": st.sampled_from(["Lee", "Lee Jr.", "Leigh", "Ray", None]),
        "company": st.sampled_from(["Acme Inc", "ACME", "Fjord Bank", None]),
        "phone": st.sampled_from(["+1 415 555 2671", "4155552671", "+47 22 33 44 55", None, None]),
        "mobile": st.sampled_from(["+1 415 555 2671", "+1 212 555 0199", None, None]),
        "title": st.sampled_from(["Pilot", "Accountant", None]),
        "city": st.sampled_from(["Oslo", "Oakland", None]),
        "postcode": st.sampled_from(["0150", "94601", None]),
    }
)
RECORDS = st.lists(RECORD, min_size=1, max_size=7)
STRANGER = {
    "email": "zebulon.quux@xyloworks.example",
    "first_name": "Zebulon",
    "last_name": "Quux",
    "company": "Xylo Works",
    "phone": "+358 40 987 6543",
    "title": "Beekeeper",
    "city": "Ulvila",
}
LAWS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def of(records, prefix):
    rows = [{"record_id": f"{prefix}{place}", **record} for place, record in enumerate(records)]
    return pd.DataFrame(rows, dtype="str")


def pairs(rows):
    columns = ["hubspot_id", "salesforce_id", "score", "rule", "decision", "cluster_id", "evidence"]
    return sorted(rows[columns].itertuples(index=False, name=None))


@LAWS
@given(RECORDS, RECORDS, st.data())
def test_the_order_of_rows_does_not_matter(model, hubspot, salesforce, data):
    one, other = of(hubspot, "h"), of(salesforce, "s")
    places = [data.draw(st.permutations(range(len(table)))) for table in (one, other)]
    shuffled = match(one.iloc[places[0]], other.iloc[places[1]], model)
    assert shuffled.equals(match(one, other, model))


@pytest.mark.parametrize("prefixes", [("h", "s"), ("s", "h"), ("", "")])
@LAWS
@given(hubspot=RECORDS, salesforce=RECORDS)
def test_swapping_the_systems_mirrors_the_links(model, hubspot, salesforce, prefixes):
    one, other = of(hubspot, prefixes[0]), of(salesforce, prefixes[1])
    mirrored = match(other, one, model)
    names = {"hubspot_id": "salesforce_id", "salesforce_id": "hubspot_id"}
    assert pairs(mirrored.rename(columns=names)) == pairs(match(one, other, model))


@pytest.mark.parametrize("side", ["hubspot", "salesforce"])
@LAWS
@given(hubspot=RECORDS, salesforce=RECORDS)
def test_a_record_that_shares_no_key_changes_no_link(model, hubspot, salesforce, side):
    one, other = of(hubspot, "h"), of(salesforce, "s")
    before = pairs(match(one, other, model))
    stranger = of([STRANGER], "x")
    if side == "hubspot":
        one = pd.concat([stranger, one])
    else:
        other = pd.concat([stranger, other])
    assert pairs(match(one, other, model)) == before


@LAWS
@given(RECORDS, RECORDS)
def test_the_same_tables_give_the_same_rows(model, hubspot, salesforce):
    one, other = of(hubspot, "h"), of(salesforce, "s")
    before = one.copy(), other.copy()
    assert match(one, other, model).equals(match(one, other, model))
    assert one.equals(before[0])
    assert other.equals(before[1])


@LAWS
@given(RECORDS, RECORDS)
def test_weights_add_up_to_the_score_of_every_pair(model, hubspot, salesforce):
    one, other = of(hubspot, "h"), of(salesforce, "s")
    rows = match(one, other, model)
    compared = rows[rows["rule"] != "duplicate of a linked record"]
    worth = weights(one, other, compared, model)
    bits = worth.groupby(["hubspot_id", "salesforce_id"])["weight"].sum()
    share = model.probability(np.rint(bits.to_numpy() * 1000 * math.log(2)).astype("int64"))
    # A duplicate's row may be shown at more than its own worth, that of its person's best row.
    assert (share <= compared["score"].to_numpy() + 1e-6).all()
    best = compared.groupby("cluster_id")["score"].transform("max") == compared["score"]
    assert share[best.to_numpy()] == pytest.approx(compared["score"][best].to_numpy(), abs=2e-6)


@LAWS
@given(RECORDS, RECORDS)
def test_only_duplicates_of_one_person_are_linked_more_than_once(model, hubspot, salesforce):
    rows = match(of(hubspot, "h"), of(salesforce, "s"), model)
    for record in ("hubspot_id", "salesforce_id"):
        assert not rows.drop_duplicates([record, "cluster_id"])[record].duplicated().any()
    for _, cluster in rows.groupby("cluster_id"):
        one, other = set(cluster["hubspot_id"]), set(cluster["salesforce_id"])
        assert len(cluster) == len(one) * len(other)
        assert len(set(cluster["decision"])) == 1


@LAWS
@given(RECORDS)
def test_a_copy_of_a_system_finds_every_record_that_is_one_of_a_kind(model, records):
    sure = [dict(record) for record in records if record["email"] == "bo@fjordbank.no"][:1]
    sure = [{**record, "first_name": "Bo", "last_name": "Ray"} for record in sure]
    rows = match(of(sure or [STRANGER], "h"), of(sure or [STRANGER], "s"), model)
    assert rows["decision"].tolist() == [LINK]
