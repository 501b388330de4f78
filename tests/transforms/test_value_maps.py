"""Value maps: exact both ways, and what was carried over is never written again."""

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agreement.frames import SharedPairs, Writes
from agreement.policy import SharedField
from agreement.records import FieldInfo
from tests.builders import build
from transforms.merge import merge
from transforms.value_maps import map_faults, translated, unmapped_writes

BASE = {"name": "revenue", "entity": "account", "hubspot": "annualrevenue",
        "salesforce": {"account": "AnnualRevenue"}}  # fmt: skip
THOUSANDS = SharedField(**BASE, units={"factor": "1000", "salesforce_digits": 2})
PERCENT = SharedField(**BASE, units={"factor": "100", "hubspot_digits": 4})
TIERS = SharedField(
    **BASE, to_salesforce={"gold": "Tier 1", "silver": "Tier 2"}, to_hubspot={"Tier 1": "gold"}
)

amounts = st.decimals(-(10**12), 10**12, allow_nan=False, places=6)
factors = st.sampled_from(["1000", "100", "0.01", "0.001", "4", "0.125", "1"])


def one(value: str, shared: SharedField, to: str) -> str:
    return translated(pd.Series([value], dtype="str"), shared, to)[0]


def text(number: Decimal) -> str:
    plain = format(number, "f")
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain).replace("-0", "-0") or "0"


@pytest.mark.parametrize(
    ("shared", "to", "value", "expected"),
    [
        (THOUSANDS, "salesforce", "1250.5", "1250500"),
        (THOUSANDS, "hubspot", "1250500", "1250.5"),
        (THOUSANDS, "salesforce", "0.0000049", "0"),
        (PERCENT, "salesforce", "0.255", "25.5"),
        (PERCENT, "hubspot", "33.33", "0.3333"),
        (TIERS, "salesforce", "gold", "Tier 1"),
        (TIERS, "salesforce", "bronze", "bronze"),
        (TIERS, "hubspot", "Tier 1", "gold"),
    ],
)
def test_a_value_is_spelled_as_the_other_side_counts_it(shared, to, value, expected):
    assert one(value, shared, to) == expected


def test_no_number_is_left_alone_by_a_unit_and_missing_stays_missing():
    given_values = pd.Series(["about a million", None, "NaN"], dtype="str")
    found = translated(given_values, THOUSANDS, "salesforce")
    assert found[0] == "about a million"
    assert pd.isna(found[1])
    assert found[2] == "NaN"


def test_formats_shape_what_no_map_names():
    shared = SharedField(
        **BASE, to_hubspot={"DE": "germany"}, format_to_salesforce="upper",
        format_to_hubspot="lower",
    )  # fmt: skip
    assert one("fr", shared, "salesforce") == "FR"
    assert one("FR", shared, "hubspot") == "fr"
    assert one("DE", shared, "hubspot") == "germany"


@given(amounts, factors)
def test_a_number_that_both_sides_can_hold_comes_back_as_it_was(amount, factor):
    exact = SharedField(
        **BASE, units={"factor": factor, "salesforce_digits": 8, "hubspot_digits": 12}
    )
    sent = one(text(amount), exact, "salesforce")
    expected = amount * Decimal(factor)
    if expected == round(expected, 8):
        assert Decimal(one(sent, exact, "hubspot")) == amount


@given(amounts, factors, st.integers(0, 4), st.integers(0, 6), st.sampled_from([True, False]))
def test_what_was_carried_over_is_recognised_and_not_written_again(
    amount, factor, theirs, ours, is_from_hubspot
):
    shared = SharedField(
        **BASE, units={"factor": factor, "salesforce_digits": theirs, "hubspot_digits": ours}
    )
    to = "salesforce" if is_from_hubspot else "hubspot"
    written = one(text(amount), shared, to)
    held = {to: written, ("hubspot" if is_from_hubspot else "salesforce"): text(amount)}
    row = {
        "entity": "account", "entity_id": "a1", "field": "revenue",
        "hubspot_kind": "company", "hubspot_id": "1", "hubspot_value": held["hubspot"],
        "salesforce_kind": "account", "salesforce_id": "2", "salesforce_value": held["salesforce"],
        "has_base": True, "hubspot_base": "7", "salesforce_base": "8",
    }  # fmt: skip
    merged = merge(build(SharedPairs, [row]), [shared])
    assert merged["outcome"].tolist() == ["agreed"]


@pytest.mark.parametrize("factor", ["3", "7000", "0.3", "0", "-1"])
def test_a_factor_that_does_not_divide_exactly_is_refused(factor):
    with pytest.raises(ValidationError, match=r"exactly|greater"):
        SharedField(**BASE, units={"factor": factor})


def test_a_unit_and_a_format_together_are_refused():
    with pytest.raises(ValidationError, match="keep one"):
        SharedField(**BASE, units={"factor": "10"}, format_to_hubspot="lower")


# Against the live schemas -------------------------------------------------------------------------


def faults(shared: SharedField, hubspot: FieldInfo, salesforce: FieldInfo) -> list[str]:
    schemas = {
        ("hubspot", "company"): {"annualrevenue": hubspot},
        ("salesforce", "account"): {"AnnualRevenue": salesforce},
    }
    return [f"{one.system}: {one.reason}. {one.fix}" for one in map_faults([shared], schemas)]


def test_a_word_that_a_closed_list_does_not_have_is_named_with_the_fix():
    [fault] = faults(
        TIERS,
        FieldInfo("annualrevenue", "enumeration", options=("gold", "silver")),
        FieldInfo("AnnualRevenue", "enumeration", options=("Tier 1", "Tier 3")),
    )
    assert "salesforce: to_salesforce names 'Tier 2'" in fault
    assert "write one of 'Tier 1', 'Tier 3'" in fault


def test_a_map_that_reads_a_word_which_the_list_does_not_have_is_named():
    [fault] = faults(
        TIERS,
        FieldInfo("annualrevenue", "enumeration", options=("gold",)),
        FieldInfo("AnnualRevenue", "string"),
    )
    assert "hubspot: to_salesforce names 'silver'" in fault


def test_a_unit_on_text_or_with_more_places_than_the_field_keeps_is_named():
    found = faults(
        THOUSANDS, FieldInfo("annualrevenue", "string"), FieldInfo("AnnualRevenue", "number",
        digits=0),
    )  # fmt: skip
    assert len(found) == 2
    assert "units needs a number" in found[0]
    assert "salesforce_digits: 0" in found[1]


def test_maps_that_fit_have_no_fault_and_a_field_that_is_not_there_is_no_fault():
    closed = FieldInfo("x", "enumeration", options=("gold", "silver"))
    assert faults(TIERS, closed, FieldInfo("AnnualRevenue", "string")) == []
    assert map_faults([TIERS], {}) == []


def test_no_write_of_a_field_with_a_wrong_map_passes_and_others_do():
    place = {"system": "salesforce", "kind": "account", "record_id": "1", "reason": "changed"}
    rows = [
        {**place, "field": "AnnualRevenue", "before": None, "after": "Tier 1"},
        {**place, "field": "Phone", "before": None, "after": "1"},
    ]
    closed = {"AnnualRevenue": FieldInfo("AnnualRevenue", "enumeration", options=("Tier 1",))}
    found = unmapped_writes(build(Writes, rows), [TIERS], {("salesforce", "account"): closed})
    assert found["field"].tolist() == ["AnnualRevenue"]
    assert "'Tier 2'" in found["reason"][0]
