"""Amounts as whole minor units: read, write, convert and split exactly.

Decimal and Fraction appear while reading, converting and printing only; sums and splits are whole
numbers.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Whole = NDArray[np.int64]

# ISO 4217: minor units of the currencies that do not have two digits.
_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()}
# A number larger than this is a mistake, and expanding its exponent would only eat memory.
_LARGEST_EXPONENT = 30
_INT64_MAX = int(np.iinfo(np.int64).max)


def minor_digits(currency: str) -> int:
    """Give the decimal digits of a currency's minor unit (ISO 4217); unknown ones have 2.

    >>> minor_digits("USD"), minor_digits("JPY"), minor_digits("KWD")
    (2, 0, 3)
    """
    return _DIGITS.get(currency.upper(), 2)


def exact_number(text: str) -> Fraction:
    """Read a decimal number exactly.

    Raises:
        ValueError: the text is no finite number of a sensible size.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ValueError(f"{text!r} is no number of a sensible size")
    return Fraction(number)


def parse_minor(text: str, digits: int) -> int:
    """Read a decimal amount as minor units, halves to the even unit.

    Raises:
        ValueError: the text is no number.

    >>> parse_minor("1250.5", 2), parse_minor("0.125", 2), parse_minor("-3", 0)
    (125050, 12, -3)
    """
    return round(exact_number(text) * int(10**digits))


def format_minor(minor: int, digits: int) -> str:
    """Write minor units as canonical decimal text, without trailing zeros.

    >>> format_minor(125050, 2), format_minor(-5, 3), format_minor(700, 0)
    ('1250.5', '-0.005', '700')
    """
    whole, part = divmod(abs(minor), 10**digits)
    decimals = f"{part:0{digits}d}".rstrip("0") if digits else ""
    return f"{'-' if minor < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"


def to_company_minor(amount: Decimal, rate: Decimal | None, digits: int) -> int:
    """Turn an amount into company-currency minor units, rounded once, halves to the even unit (A8).

    `rate` is units of the amount's currency per one unit of company currency; None means that the
    amount is in company currency already.

    >>> to_company_minor(Decimal("10000.01"), Decimal("0.9150"), 2)
    1092897
    """
    scaled = Fraction(amount) * int(10**digits)
    return round(scaled / (Fraction(rate) if rate is not None else 1))


def split_minor(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weight so that the parts add up to it exactly.

    Shares are rounded towards zero; the units left over go one each to the largest remainders,
    the earlier part first on a tie.

    Raises:
        ValueError: a weight is negative, or all are zero.

    >>> split_minor(100, [1, 1, 1]), split_minor(-100, [1, 1, 1])
    ([34, 33, 33], [-34, -33, -33])
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError(f"weights must be non-negative and not all zero: {list(weights)}")
    sign = -1 if total_minor < 0 else 1
    shares = [divmod(abs(total_minor) * weight, whole) for weight in weights]
    left_over = abs(total_minor) - sum(part for part, _ in shares)
    by_remainder = sorted(range(len(shares)), key=lambda i: -shares[i][1])
    rounded_up = set(by_remainder[:left_over])
    return [sign * (part + (i in rounded_up)) for i, (part, _) in enumerate(shares)]


def split_by_group(totals: Whole, group: NDArray[Any], weights: Whole) -> Whole:
    """Split one total per group over the group's rows, as `split_minor` does for one amount.

    Args:
        totals: one amount per group.
        group: per row, the position of its group in `totals`.
        weights: per row; they add up to more than zero in each group that has rows. Single ones may
            be negative: their share is the exact one, rounded down.

    Rows of a group stand in the order that decides ties. A group without rows splits nothing.

    Raises:
        ValueError: the weights of a group do not add up to more than zero.
    """
    if not len(group):
        return np.zeros(0, dtype=np.int64)
    kind = _safe_type(totals, group, weights)
    size: NDArray[Any] = np.abs(totals).astype(kind)
    weight: NDArray[Any] = weights.astype(kind)
    whole = _sum_by_group(weight, group, len(totals))
    if (whole[np.unique(group)] <= 0).any():
        raise ValueError("the weights of each group must add up to more than zero")
    whole = np.where(whole > 0, whole, 1)
    # size * weight overflows where (size mod whole) * weight does not.
    parts, rests = size // whole, size % whole
    product = rests[group] * weight
    share = parts[group] * weight + product // whole[group]
    remainder = (product % whole[group]).astype(np.int64)
    left_over = size - _sum_by_group(share, group, len(totals))
    share += _place_by_remainder(group, remainder) < left_over[group]
    signs = np.where(totals < 0, -1, 1)
    signed: Whole = (share * signs[group]).astype(np.int64)
    return signed


def _safe_type(totals: Whole, group: NDArray[Any], weights: Whole) -> type:
    """Choose machine integers where no product can overflow, else Python's."""
    heaviest = int(np.abs(weights).max())
    rows = int(np.bincount(group).max())
    is_safe = weights.min() >= 0 and heaviest * heaviest * rows <= _INT64_MAX
    return np.int64 if is_safe else object


def _sum_by_group(values: NDArray[Any], group: NDArray[Any], count: int) -> NDArray[Any]:
    sums = np.zeros(count, dtype=values.dtype)
    np.add.at(sums, group, values)
    return sums


def _place_by_remainder(group: NDArray[Any], remainder: Whole) -> Whole:
    """Give each row's place in its group by falling remainder, the earlier row first on a tie."""
    order = np.lexsort((np.arange(len(group)), -remainder, group))
    place = np.empty(len(group), dtype=np.int64)
    place[order] = places(group[order])
    return place


def places(sorted_group: NDArray[Any]) -> Whole:
    """Number the rows of each group from 0; rows of a group stand together.

    >>> places(np.array([4, 4, 7, 7, 7])).tolist()
    [0, 1, 0, 1, 2]
    """
    position = np.arange(len(sorted_group), dtype=np.int64)
    is_first = np.r_[True, sorted_group[1:] != sorted_group[:-1]][: len(sorted_group)]
    first = np.maximum.accumulate(np.where(is_first, position, 0))
    return position - first


def divide_half_even(numerators: NDArray[Any], denominators: NDArray[Any]) -> Whole:
    """Divide exact whole numbers (Python's, in object arrays), halves to the even number.

    Denominators are positive.
    """
    down, rest = numerators // denominators, numerators % denominators
    is_up = (2 * rest > denominators) | ((2 * rest == denominators) & (down % 2 == 1))
    rounded: Whole = (down + is_up).astype(np.int64)
    return rounded


def amount_texts(minor: pd.Series, digits: int | pd.Series) -> pd.Series:
    """Write amounts as canonical text, `format_minor` on whole columns; missing stays missing."""
    frame = pd.DataFrame({"minor": minor, "digits": digits}, index=minor.index)
    known = frame.dropna().astype("int64")
    distinct = known.drop_duplicates()
    texts = [format_minor(*pair) for pair in distinct.to_numpy().tolist()]
    found = known.merge(distinct.assign(text=pd.Series(texts, index=distinct.index, dtype="str")))
    return pd.Series(found["text"].to_numpy(), index=known.index, dtype="str").reindex(frame.index)
