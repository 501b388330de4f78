from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.money import (
    amount_texts,
    divide_half_even,
    format_minor,
    minor_digits,
    parse_minor,
    split_by_group,
    split_minor,
    to_company_minor,
)
from agreement.records import canonical

amounts = st.integers(-(10**13), 10**13)
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any)
groups = st.lists(st.tuples(amounts, weights), max_size=8)


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("USD", 2), ("EUR", 2), ("JPY", 0), ("CLP", 0), ("KWD", 3), ("IQD", 3), ("jpy", 0)],
)
def test_a_currency_has_the_digits_that_iso_4217_lists(currency, digits):
    assert minor_digits(currency) == digits


@pytest.mark.parametrize(
    ("text", "digits", "minor"),
    [
        ("0.125", 2, 12),
        ("0.135", 2, 14),
        ("-0.125", 2, -12),
        ("2.5", 0, 2),
        ("3.5", 0, 4),
        ("1E+3", 2, 100_000),
        ("99999999999999999999.99", 2, 9999999999999999999999),
    ],
)
def test_halves_of_a_minor_unit_go_to_the_even_one(text, digits, minor):
    assert parse_minor(text, digits) == minor


@pytest.mark.parametrize("text", ["", "abc", "1,5", "NaN", "Infinity", "1e999999999", "12 USD"])
def test_text_that_is_no_sensible_number_is_refused(text):
    with pytest.raises(ValueError, match="is no number"):
        parse_minor(text, 2)


@given(amounts, st.integers(0, 4))
def test_a_printed_amount_reads_back_and_is_canonical(minor, digits):
    text = format_minor(minor, digits)
    assert parse_minor(text, digits) == minor
    assert canonical(text, "number") == text


@given(st.decimals(-(10**9), 10**9, places=4), st.decimals("0.0001", 10**6, places=4))
def test_a_converted_amount_is_the_nearest_minor_unit(amount, rate):
    minor = to_company_minor(amount, rate, 2)
    assert abs(Fraction(amount) * 100 / Fraction(rate) - minor) <= Fraction(1, 2)


def test_an_amount_in_company_currency_needs_no_rate():
    assert to_company_minor(Decimal("12.345"), None, 2) == 1234


@given(amounts, weights)
def test_parts_sum_to_the_whole_and_stay_within_one_unit_of_fair(total, weights):
    parts = split_minor(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part * sum(weights) - total * weight) < sum(weights)
        for part, weight in zip(parts, weights, strict=True)
    )


@given(amounts, weights)
def test_a_negative_total_mirrors_the_positive_one(total, weights):
    assert split_minor(-total, weights) == [-part for part in split_minor(total, weights)]


@pytest.mark.parametrize("weights", [[0, 0], [2, -1], []])
def test_weights_that_are_negative_or_all_zero_are_refused(weights):
    with pytest.raises(ValueError):  # noqa: PT011 - an empty list has no smallest weight either
        split_minor(5, weights)


def _split_groups(cases):
    totals = np.array([total for total, _ in cases], dtype=np.int64)
    sizes = [len(weights) for _, weights in cases]
    group = np.repeat(np.arange(len(cases)), sizes)
    flat = np.array([w for _, weights in cases for w in weights], dtype=np.int64)
    return split_by_group(totals, group, flat).tolist()


@given(groups)
def test_splitting_many_groups_at_once_equals_splitting_each(cases):
    assert _split_groups(cases) == [part for case in cases for part in split_minor(*case)]


@given(amounts, st.lists(st.integers(-(10**13), 10**13), min_size=1).filter(lambda w: sum(w) > 0))
def test_signed_weights_share_within_one_unit_of_exact(total, weights):
    # Twelve zeros more than a machine integer holds: small wholes make large shares.
    if abs(total) * max(map(abs, weights)) // sum(weights) >= 2**62:
        return
    parts = _split_groups([(total, weights)])
    assert sum(parts) == total
    assert all(
        abs(part * sum(weights) - total * weight) < sum(weights)
        for part, weight in zip(parts, weights, strict=True)
    )


def test_huge_weights_do_not_overflow():
    case = (10**13 + 7, [9 * 10**17, 10**17, 3])
    assert _split_groups([case]) == split_minor(*case)


def test_a_group_without_weight_is_refused():
    with pytest.raises(ValueError, match="more than zero"):
        _split_groups([(5, [1]), (7, [0, 0])])


@given(st.lists(st.tuples(st.integers(-(10**30), 10**30), st.integers(1, 10**20))))
def test_dividing_arrays_rounds_as_fractions_do(pairs):
    pairs = [(n, d) for n, d in pairs if abs(n // d) < 2**62]
    numerators = np.array([n for n, _ in pairs], dtype=object)
    denominators = np.array([d for _, d in pairs], dtype=object)
    expected = [round(Fraction(n, d)) for n, d in pairs]
    assert divide_half_even(numerators, denominators).tolist() == expected


def test_amounts_of_a_column_are_written_with_their_own_digits():
    minor = pd.Series([150, 150, None, -7], index=list("abcd"), dtype="Int64")
    digits = pd.Series([2, 0, 2, 3], index=list("abcd"))
    texts = amount_texts(minor, digits)
    assert texts.to_dict() | {"c": None} == {"a": "1.5", "b": "150", "c": None, "d": "-0.007"}
    assert texts.isna().tolist() == [False, False, True, False]


def test_an_empty_column_of_amounts_stays_empty():
    assert amount_texts(pd.Series([], dtype="int64"), 2).tolist() == []
