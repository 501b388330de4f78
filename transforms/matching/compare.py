"""Compare pairs of records field by field: a small whole number per field, the level of agreement.

Every level is symmetric: a pair compared the other way round gets the same levels. Missing is a
level of its own, never disagreement. Counts of holders are of the value at hand only, so that a
record that shares nothing with a pair changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from transforms.matching.holders import employer_domains
from transforms.matching.records import MISSING, Codes, Records, Steps, Text, joined

Flags = NDArray[np.bool_]


class Email(IntEnum):
    """How two records' addresses agree."""

    MISSING = 0
    EQUAL = 1
    EQUAL_ROLE = 2
    COMPANY_SLIP = 3
    COMPANY_NUMBERED = 4
    COMPANY_OTHER = 5
    FREE_SLIP = 6
    FREE_NUMBERED = 7
    FREE_OTHER = 8
    LOCAL_LIKE_DOMAIN = 9
    LOCAL_FREE = 10
    LOCAL_OTHER = 11
    BOTH_FREE = 12
    ONE_FREE = 13
    BOTH_COMPANY = 14
    ROLE = 15


class First(IntEnum):
    """How two given names agree."""

    MISSING = 0
    EQUAL = 1
    NICKNAME = 2
    SOUND = 3
    INITIAL = 4
    PART = 5
    CLOSE = 6
    NEAR = 7
    SAME_LETTER = 8
    OTHER = 9


class Last(IntEnum):
    """How two family names agree."""

    MISSING = 0
    EQUAL = 1
    SOUND = 2
    PART = 3
    INITIAL = 4
    CLOSE = 5
    NEAR = 6
    OTHER = 7


class Company(IntEnum):
    """How two company names agree."""

    MISSING = 0
    EQUAL = 1
    PART = 2
    CLOSE = 3
    NEAR = 4
    OTHER = 5


class Domain(IntEnum):
    """How the companies' domains agree, or one's domain with the other's company name."""

    MISSING = 0
    EQUAL = 1
    LIKE = 2
    NAME = 3
    OTHER = 4


class Place(IntEnum):
    """How two places agree, by the narrowest part that both have."""

    MISSING = 0
    POSTCODE = 1
    CITY = 2
    COUNTRY = 3
    OTHER_CITY = 4
    OTHER_COUNTRY = 5


# Field -> number of levels, in the order of the columns of `levels`.
FIELDS = {
    "email": len(Email),
    "email_holders": 5,
    "first": len(First),
    "last": len(Last),
    "swapped": 2,
    "generation": 3,
    "spelling": 10,
    "phone": 7,
    "company": len(Company),
    "domain": len(Domain),
    "company_size": 6,
    "title": 4,
    "place": len(Place),
    "name_holders": 8,
    "last_holders": 7,
    "first_holders": 6,
    "phone_names": 4,
    "title_holders": 5,
    "place_holders": 5,
}


def levels(records: Records, left: Codes, right: Codes) -> NDArray[np.int8]:
    """Give one row of levels per pair, a column per field of `FIELDS`."""
    compared = np.empty((len(left), len(FIELDS)), dtype=np.int8)
    first, last, is_swapped = _names(records, left, right)
    email, email_holders = _emails(records, left, right)
    domain, size = _companies_of_domains(records, left, right)
    phone, phone_names = _phones(records, left, right)
    title = _titles(records.title, left, right)
    place = _places(records, left, right)
    columns: dict[str, NDArray[np.integer]] = {
        "email": email,
        "email_holders": email_holders,
        "first": first,
        "last": last,
        "swapped": is_swapped.astype(np.int8),
        "generation": _generations(records.generation[left], records.generation[right]),
        "spelling": _spellings(records, left, right),
        "phone": phone,
        "company": _companies(records, left, right),
        "domain": domain,
        "company_size": size,
        "title": title,
        "place": place,
        "name_holders": _most(records.holders.name, left, right),
        "last_holders": _most(records.holders.last, left, right),
        "first_holders": _most(records.holders.first, left, right),
        "phone_names": phone_names,
        "title_holders": np.where(title == 1, records.holders.title[left], 0),
        "place_holders": _place_holders(records, place, left),
    }
    for column, name in enumerate(FIELDS):
        compared[:, column] = columns[name]
    return compared


def _similarity(
    left: Codes, right: Codes, values: NDArray[np.object_], scorer: Callable[..., float]
) -> NDArray[np.float32]:
    """Compare texts, each different pair of texts once."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    distinct, at = np.unique(low * max(len(values), 1) + high, return_inverse=True)
    one = values[distinct // max(len(values), 1)]
    other = values[distinct % max(len(values), 1)]
    return cpdist(one, other, scorer=scorer, dtype=np.float32)[at]


def _where_both_differ(left: Codes, right: Codes) -> Codes:
    return np.flatnonzero((left >= 0) & (right >= 0) & (left != right))


# Names -------------------------------------------------------------------------------------------


def _names(records: Records, left: Codes, right: Codes) -> tuple[Codes, Codes, Flags]:
    first = _firsts(records, left, right)
    last = _lasts(records, left, right)
    one_way = (records.first_sound[left] == records.last_sound[right]) & (
        records.last_sound[right] >= 0
    )
    other_way = (records.last_sound[left] == records.first_sound[right]) & (
        records.last_sound[left] >= 0
    )
    is_swapped = one_way & other_way & (last != Last.EQUAL) & (first != First.EQUAL)
    return (
        np.where(is_swapped, First.EQUAL, first),
        np.where(is_swapped, Last.EQUAL, last),
        is_swapped,
    )


def _firsts(records: Records, left: Codes, right: Codes) -> Codes:
    a, b = records.first.code[left], records.first.code[right]
    level = np.where((a < 0) | (b < 0), First.MISSING, First.EQUAL).astype(np.int64)
    rows = _where_both_differ(a, b)
    if not len(rows):
        return level
    a, b = a[rows], b[rows]
    length = records.first.length
    alike = _similarity(a, b, records.first.texts, JaroWinkler.normalized_similarity)
    same_root = records.first_root[left[rows]] == records.first_root[right[rows]]
    same_root |= _are_nicknames(records, left[rows], right[rows])
    same_sound = records.first_sound[left[rows]] == records.first_sound[right[rows]]
    same_letter = records.initial[left[rows]] == records.initial[right[rows]]
    is_initial = same_letter & ((length[a] == 1) | (length[b] == 1))
    is_part = same_letter & (_contains(a, b, records.first.texts, length) > 0)
    level[rows] = np.select(
        [is_initial, same_root, same_sound, is_part, alike >= 0.9, alike >= 0.8, same_letter],
        [First.INITIAL, First.NICKNAME, First.SOUND, First.PART, First.CLOSE, First.NEAR,
         First.SAME_LETTER],
        First.OTHER,
    )  # fmt: skip
    return level


def _are_nicknames(records: Records, left: Codes, right: Codes) -> Flags:
    """Tell names that one person goes by, though each may stand for other names as well."""
    a, b = records.called[left], records.called[right]
    pair = joined(np.minimum(a, b), np.maximum(a, b))
    return np.isin(pair, records.nicknames)


def _lasts(records: Records, left: Codes, right: Codes) -> Codes:
    a, b = records.last.code[left], records.last.code[right]
    level = np.where((a < 0) | (b < 0), Last.MISSING, Last.EQUAL).astype(np.int64)
    rows = _where_both_differ(a, b)
    if not len(rows):
        return level
    a, b = a[rows], b[rows]
    length = records.last.length
    alike = _similarity(a, b, records.last.texts, JaroWinkler.normalized_similarity)
    same_sound = records.last_sound[left[rows]] == records.last_sound[right[rows]]
    holds = _contains(a, b, records.last.texts, length)
    is_initial = (holds > 0) & ((length[a] == 1) | (length[b] == 1))
    level[rows] = np.select(
        [is_initial, same_sound, holds == 2, alike >= 0.92, alike >= 0.82],
        [Last.INITIAL, Last.SOUND, Last.PART, Last.CLOSE, Last.NEAR],
        Last.OTHER,
    )
    return level


def _contains(
    left: Codes, right: Codes, values: NDArray[np.object_], length: Codes
) -> NDArray[np.float32]:
    """Give 2 where one text's words are part of the other's, 1 where one begins the other."""
    longer = np.where(length[left] >= length[right], left, right)
    shorter = np.where(length[left] >= length[right], right, left)
    distinct, at = np.unique(longer * max(len(values), 1) + shorter, return_inverse=True)
    one = values[distinct // max(len(values), 1)].tolist()
    other = values[distinct % max(len(values), 1)].tolist()
    found = [
        2 if f" {part} " in f" {whole} " else 1 if whole.startswith(part) else 0
        for whole, part in zip(one, other, strict=True)
    ]
    return np.array(found, dtype=np.float32)[at]


def _generations(a: Codes, b: Codes) -> Codes:
    """Give 0 for the same, 1 where one of them names none, 2 for father and son."""
    return np.where(a == b, 0, np.where((a == 0) | (b == 0), 1, 2))


def _most(held: Steps, left: Codes, right: Codes) -> Steps:
    """Take the more of both records' holders."""
    return np.maximum(held[left], held[right])


# Addresses ---------------------------------------------------------------------------------------


def _emails(records: Records, left: Codes, right: Codes) -> tuple[Codes, Steps]:
    level = _email_levels(records, left, right)
    address = records.address
    held = np.zeros(left.shape, dtype=np.int8)
    for one in range(address.id.shape[1]):
        for other in range(address.id.shape[1]):
            shared = np.where(
                address.id[left, one] == address.id[right, other], address.id[left, one], MISSING
            )
            rows = np.flatnonzero(shared >= 0)
            if not len(rows):
                continue
            is_role = address.is_role[left[rows], one]
            level[rows] = np.where(
                is_role & (level[rows] != Email.EQUAL), Email.EQUAL_ROLE, Email.EQUAL
            )
            held[rows] = np.maximum(held[rows], records.holders.address[left[rows], one])
    return level, held


def _email_levels(records: Records, left: Codes, right: Codes) -> Codes:
    """Compare the main addresses, which are not equal or of which one is missing."""
    address, local = records.address, records.address.local[:, 0]
    has_both = (local[left] >= 0) & (local[right] >= 0)
    level = np.full(left.shape, Email.MISSING, dtype=np.int64)
    rows = np.flatnonzero(has_both)
    a, b = left[rows], right[rows]
    free_a, free_b = address.is_free[a, 0], address.is_free[b, 0]
    same_domain = address.domain[a, 0] == address.domain[b, 0]
    same_local = local[a] == local[b]
    like_domain = ~same_domain & _like_domains(records, address.domain[a, 0], address.domain[b, 0])
    is_numbered = (
        (records.bare.code[a] == records.bare.code[b]) & (records.bare.code[a] >= 0) & ~same_local
    )
    is_slip = np.zeros(len(rows), dtype=bool)
    near = np.flatnonzero((same_domain | like_domain) & ~same_local)
    slips = _similarity(local[a[near]], local[b[near]], records.local.texts, OSA.distance)
    is_slip[near] = slips <= 1
    is_role = address.is_role[a, 0] | address.is_role[b, 0]
    level[rows] = np.select(
        [
            same_domain & same_local, is_role,
            same_domain & ~free_a & is_numbered, same_domain & free_a & is_numbered,
            same_domain & ~free_a & is_slip, same_domain & free_a & is_slip,
            same_local & like_domain, like_domain & is_slip, same_domain & ~free_a, same_domain,
            same_local & (free_a | free_b), same_local, free_a & free_b, free_a | free_b,
        ],
        [
            Email.EQUAL, Email.ROLE,
            Email.COMPANY_NUMBERED, Email.FREE_NUMBERED, Email.COMPANY_SLIP, Email.FREE_SLIP,
            Email.LOCAL_LIKE_DOMAIN, Email.LOCAL_LIKE_DOMAIN, Email.COMPANY_OTHER, Email.FREE_OTHER,
            Email.LOCAL_FREE, Email.LOCAL_OTHER, Email.BOTH_FREE, Email.ONE_FREE,
        ],
        Email.BOTH_COMPANY,
    )  # fmt: skip
    return level


_LONG_LABEL = 5


def _like_domains(records: Records, a: Codes, b: Codes) -> Flags:
    """Tell domains that differ in their ending or by a slip of the pen."""
    label, length = records.label_of, records.label.length
    is_like: Flags = (a >= 0) & (b >= 0) & (a != b)
    rows = np.flatnonzero(is_like)
    one, other = label[a[rows]], label[b[rows]]
    same = one == other
    is_long = (length[one] >= _LONG_LABEL) & (length[other] >= _LONG_LABEL)
    near = np.flatnonzero(~same & is_long & (abs(length[one] - length[other]) <= 1))
    same[near] = _similarity(one[near], other[near], records.label.texts, OSA.distance) <= 1
    is_like[rows] = same
    return is_like


def _spellings(records: Records, left: Codes, right: Codes) -> Codes:
    """Tell whether each address spells the other record's name: both ways, as one number.

    Of each: 0 nothing to compare, 1 both names, 2 one of them, 3 neither; the ten unordered pairs.
    """
    bare = np.r_[records.bare_hash, MISSING][records.bare.code]
    bare = np.where(records.address.is_role[:, 0], MISSING, bare)
    one = _spells(bare[left], records.spelled[right])
    other = _spells(bare[right], records.spelled[left])
    low, high = np.minimum(one, other), np.maximum(one, other)
    place: Codes = low * 4 - low * (low - 1) // 2 + high - low
    return place


def _spells(bare: Codes, ways: Codes) -> Codes:
    found = np.full(bare.shape, 3, dtype=np.int64)
    for column in range(ways.shape[1]):
        is_whole = column < ways.shape[1] - 2
        is_it = (ways[:, column] == bare) & (bare >= 0)
        found = np.where(is_it, np.minimum(found, 1 if is_whole else 2), found)
    return np.where((bare < 0) | (ways[:, 0] < 0), 0, found)


# Telephone, company, title, place ----------------------------------------------------------------


def _phones(records: Records, left: Codes, right: Codes) -> tuple[Codes, Codes]:
    """Compare telephones, and count the family names that hold the one they share.

    1 to 4 by the number of holders, 5 near, 6 other, 0 missing.
    """
    phones, holders = records.phones, records.holders
    level, held = np.zeros(left.shape, dtype=np.int64), np.zeros(left.shape, dtype=np.int64)
    for one in range(phones.shape[1]):
        for other in range(phones.shape[1]):
            a, b = phones[left, one], phones[right, other]
            rows = np.flatnonzero((a >= 0) & (b >= 0))
            a, b = a[rows], b[rows]
            shared = holders.phone[left[rows], one]
            near = np.where(_near(records.phone_numbers, a, b), 5, 6)
            this = np.where(a == b, shared, near)
            before = level[rows]
            is_better = (before == 0) | (this < before)
            level[rows] = np.where(is_better, this, before)
            names_here = np.where(a == b, holders.phone_names[left[rows], one], 0)
            is_as_good = (a == b) & (this == before)
            fewer = np.where(is_as_good, np.minimum(held[rows], names_here), held[rows])
            held[rows] = np.where(is_better, names_here, fewer)
    return level, held


def _near(numbers: Codes, a: Codes, b: Codes) -> Flags:
    """Tell numbers of which at most two digits differ."""
    is_near = np.zeros(a.shape, dtype=bool)
    rows = np.flatnonzero(a != b)
    x, y = numbers[a[rows]], numbers[b[rows]]
    differing = np.zeros(len(rows), dtype=np.int64)
    for _ in range(9):
        differing += (x % 10) != (y % 10)
        x, y = x // 10, y // 10
    is_near[rows] = differing <= 2
    return is_near


def _companies(records: Records, left: Codes, right: Codes) -> Codes:
    company = records.company
    a, b = company.code[left], company.code[right]
    level = np.where((a < 0) | (b < 0), Company.MISSING, Company.EQUAL).astype(np.int64)
    rows = _where_both_differ(a, b)
    if not len(rows):
        return level
    a, b = a[rows], b[rows]
    alike = _similarity(a, b, company.texts, JaroWinkler.normalized_similarity)
    sorted_alike = _similarity(a, b, company.texts, fuzz.token_sort_ratio) / 100
    holds = _contains(a, b, company.texts, company.length)
    whole, acronyms, _ = records.company_hash.T
    is_acronym = (acronyms[a] == whole[b]) | (acronyms[b] == whole[a])
    is_same = whole[a] == whole[b]
    level[rows] = np.select(
        [is_same, (holds > 0) | is_acronym, (alike >= 0.93) | (sorted_alike >= 0.9), alike >= 0.85],
        [Company.EQUAL, Company.PART, Company.CLOSE, Company.NEAR],
        Company.OTHER,
    )
    return level


def _companies_of_domains(records: Records, left: Codes, right: Codes) -> tuple[Codes, Codes]:
    """Compare companies by domain, and say how many records belong to the one they share."""
    own, holders = employer_domains(records), records.holders
    level = np.full(left.shape, Domain.MISSING, dtype=np.int64)
    size = np.zeros(left.shape, dtype=np.int64)
    for one in range(own.shape[1]):
        for other in range(own.shape[1]):
            a, b = own[left, one], own[right, other]
            is_equal = (a == b) & (a >= 0)
            level = np.where(is_equal, Domain.EQUAL, level)
            size = np.where(is_equal, np.maximum(size, holders.domain[left, one]), size)
            rows = np.flatnonzero((a >= 0) & (b >= 0) & ~is_equal & (level != Domain.EQUAL))
            like = np.where(_like_domains(records, a[rows], b[rows]), Domain.LIKE, Domain.OTHER)
            level[rows] = np.where(level[rows] == Domain.LIKE, Domain.LIKE, like)
    rows = np.flatnonzero((level == Domain.MISSING) | (level == Domain.OTHER))
    is_name = _is_named(records, own, left[rows], right[rows]) | _is_named(
        records, own, right[rows], left[rows]
    )
    level[rows] = np.where(is_name, Domain.NAME, level[rows])
    code = records.company.code
    same_name = (code[left] == code[right]) & (code[left] >= 0)
    return level, np.where(same_name, np.maximum(size, holders.company[left]), size)


def _is_named(records: Records, own: Codes, left: Codes, right: Codes) -> Flags:
    """Tell pairs in which the domain of the left one spells the company of the right one."""
    whole, _, begins = records.company_hash.T
    label_whole, label_begins = records.label_hash.T
    found = np.zeros(left.shape, dtype=bool)
    company = records.company.code[right]
    for column in range(own.shape[1]):
        domain = own[left, column]
        rows = np.flatnonzero((domain >= 0) & (company >= 0))
        label = records.label_of[domain[rows]]
        found[rows] |= (label_whole[label] == whole[company[rows]]) | (
            label_begins[label] == begins[company[rows]]
        )
    return found


def _titles(title: Text, left: Codes, right: Codes) -> Codes:
    """Compare job titles: 0 missing, 1 equal, 2 similar, 3 other."""
    a, b = title.code[left], title.code[right]
    level = np.where((a < 0) | (b < 0), 0, 1).astype(np.int64)
    rows = _where_both_differ(a, b)
    if len(rows):
        alike = _similarity(a[rows], b[rows], title.texts, fuzz.token_set_ratio)
        level[rows] = np.where(alike >= 80, 2, 3)
    return level


def _places(records: Records, left: Codes, right: Codes) -> Codes:
    post_a, post_b = records.postcode[left], records.postcode[right]
    city_a, city_b = records.city.code[left], records.city.code[right]
    has_cities = (city_a >= 0) & (city_b >= 0)
    country = _countries(records.country, left, right)
    return np.select(
        [
            (post_a == post_b) & (post_a >= 0),
            (city_a == city_b) & (city_a >= 0),
            country == 2,
            has_cities,
            country == 1,
        ],
        [Place.POSTCODE, Place.CITY, Place.OTHER_COUNTRY, Place.OTHER_CITY, Place.COUNTRY],
        Place.MISSING,
    )


def _place_holders(records: Records, place: Codes, left: Codes) -> Steps:
    """Count the records at the place that two share: a postcode, or else a city."""
    post, city = records.holders.postcode[left], records.holders.city[left]
    return np.select([place == Place.POSTCODE, place == Place.CITY], [post, city], 0)


def _countries(country: Text, left: Codes, right: Codes) -> Codes:
    """Give 1 for the same country, 2 for another; 0 where a code stands against a name."""
    a, b = country.code[left], country.code[right]
    is_code = country.length == 2
    is_known = (a >= 0) & (b >= 0)
    differs = is_known & (a != b) & (is_code[a] == is_code[b])
    return np.where(is_known & (a == b), 1, np.where(differs, 2, 0))


def packed(compared: NDArray[np.int8]) -> Codes:
    """Pack each pair's levels into one number, so that equal rows are found by sorting."""
    code = np.zeros(len(compared), dtype=np.int64)
    for place, size in enumerate(FIELDS.values()):
        code = code * size + compared[:, place]
    return code


def unpacked(code: Codes) -> NDArray[np.int8]:
    """Give the levels of packed rows."""
    compared = np.empty((len(code), len(FIELDS)), dtype=np.int8)
    for place, size in reversed(list(enumerate(FIELDS.values()))):
        compared[:, place] = code % size
        code = code // size
    return compared
