"""Say why: the key that a pair shares, and how its fields agree, in words without any value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.matching.compare import FIELDS, Company, Domain, Email, First, Last, Place

# Why records are linked that were never compared: their duplicates were.
THROUGH = "duplicate of a linked record"
DIFFERENT, MISSING = "different", "missing"

PLACES = {name: place for place, name in enumerate(FIELDS)}

# What is said of each level from 1 on; a level that is not here contradicts.
# fmt: off
_SAID = {
    "email": {1: "equal", 2: "shared mailbox", 3: "a slip", 6: "a slip", 9: "a slip",
              4: "numbered", 7: "numbered", 10: "same mailbox name", 11: "same mailbox name"},
    "first": {1: "equal", 2: "nickname", 3: "alike", 6: "alike", 7: "alike", 4: "initial",
              5: "part"},
    "last": {1: "equal", 2: "alike", 5: "alike", 6: "alike", 3: "part", 4: "initial"},
    "phone": {1: "equal", 2: "shared by few", 3: "shared by few", 4: "switchboard", 5: "near"},
    "company": {1: "equal", 2: "part", 3: "alike", 4: "alike"},
    "domain": {1: "equal", 2: "alike", 3: "company's name"},
    "title": {1: "equal", 2: "alike"},
    "place": {1: "same postcode", 2: "same city", 3: "same country"},
}
# fmt: on


def rules(levels: NDArray[np.int8]) -> NDArray[np.object_]:
    """Name the surest exact key that each pair shares; the model decides, the rule says why."""
    field = {name: levels[:, place] for name, place in PLACES.items()}
    is_last = field["last"] == Last.EQUAL
    is_name = is_last & np.isin(field["first"], [First.EQUAL, First.NICKNAME])
    is_company = field["company"] == Company.EQUAL
    is_domain = field["domain"] == Domain.EQUAL
    is_own_phone = np.isin(field["phone"], [1, 2])
    return np.select(
        [
            (field["email"] == Email.EQUAL) & is_name, field["email"] == Email.EQUAL,
            is_own_phone & is_last, is_own_phone, is_company & is_name, is_domain & is_name,
            is_name & np.isin(field["place"], [Place.POSTCODE, Place.CITY]), is_name,
        ],
        [
            "e-mail and name", "e-mail", "phone and name", "phone", "company and name",
            "domain and name", "name and place", "name",
        ],
        "likeness",
    ).astype(object)  # fmt: skip


def evidence(levels: NDArray[np.int8]) -> NDArray[np.object_]:
    """Say of each pair how its fields agree; missing ones are left out."""
    code = np.zeros(len(levels), dtype=np.int64)
    for name in _SAID:
        code = code * FIELDS[name] + levels[:, PLACES[name]]
    distinct, at = np.unique(code, return_inverse=True)
    texts = []
    for value in distinct.tolist():
        rest, parts = value, []
        for name in reversed(_SAID):
            rest, level = divmod(rest, FIELDS[name])
            if level:
                parts.append(f"{name} {_SAID[name].get(level, DIFFERENT)}")
        texts.append("; ".join(reversed(parts)))
    return np.array([*texts, ""], dtype=object)[at]


def said(name: str, levels: NDArray[np.int8]) -> NDArray[np.object_]:
    """Say how one field of `FIELDS` agrees, pair by pair."""
    words = [MISSING, *(_SAID[name].get(level, DIFFERENT) for level in range(1, FIELDS[name]))]
    return np.array(words, dtype=object)[levels[:, PLACES[name]]]
