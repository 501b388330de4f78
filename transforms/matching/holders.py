"""Count who holds a value: a name that thousands bear tells less than one that two bear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.matching.records import (
    BITS,
    MISSING,
    Codes,
    Holders,
    Steps,
    Values,
    distinct,
    domains,
    joined,
)

# Numbers of holders that are told apart: up to the first, up to the second, and so on.
_NAME = (2, 3, 5, 9, 19, 49)
_LAST = (2, 8, 32, 128, 512)
_FIRST = (8, 64, 512, 4096)
_PHONE = (2, 4, 10)
_PHONE_NAMES = (1, 2)
_TITLE = (4, 20, 100)
_PLACE = (8, 64, 512)
_COMPANY = (4, 10, 30, 100)
_ADDRESS = (2, 3, 5)


def holders(values: Values) -> Holders:
    """Count, for each value of each record, the records that hold it."""
    name = joined(values.first_sound, values.last_sound)
    return Holders(
        address=_steps(_counts(values.address.id), _ADDRESS),
        phone=_steps(_counts(values.phones), _PHONE),
        phone_names=_steps(_names_by_phone(values), _PHONE_NAMES),
        domain=_steps(_records_by_domain(values), _COMPANY),
        company=_steps(_counts(values.company.code), _COMPANY),
        name=_steps(_counts(name), _NAME),
        last=_steps(_counts(values.last_sound), _LAST),
        first=_steps(_counts(values.first_sound), _FIRST),
        title=_steps(_counts(values.title.code), _TITLE),
        postcode=_steps(_counts(values.postcode), _PLACE),
        city=_steps(_counts(values.city.code), _PLACE),
    )


def employer_domains(values: Values) -> Codes:
    """Give the company domains of each record, the same one once, those it lacks at the end."""
    address = values.address
    mail = np.where(address.is_free, MISSING, address.domain)
    site = np.where((mail == values.website[:, None]).any(axis=1), MISSING, values.website)
    return np.column_stack([mail[:, 0], mail[:, 1], site])


def _steps(count: Codes, steps: tuple[int, ...]) -> Steps:
    """Give 0 for nobody, 1 up to the first step, and so on."""
    step = np.where(count > 0, np.searchsorted(steps, count, side="left") + 1, 0)
    return step.astype(np.int8)


def _counts(value: Codes) -> NDArray[np.int64]:
    """Count, for each entry of any numbers, the entries with the same one; 0 where missing."""
    _, at = np.unique(value, return_inverse=True)
    return np.where(value >= 0, np.bincount(at.ravel())[at].reshape(value.shape), 0)


def _names_by_phone(values: Values) -> Codes:
    """Count the different family names at each telephone number, at least one."""
    phones = values.phones
    numbers = int(phones.max(initial=MISSING)) + 1
    at = distinct(joined(phones.ravel(), np.repeat(values.last_sound, phones.shape[1])))
    found = np.bincount(at[at >= 0] >> BITS, minlength=max(numbers, 1))
    return np.where(phones >= 0, np.maximum(found[phones], 1), 0)


def _records_by_domain(values: Values) -> Codes:
    """Count the records of each company domain, whichever way they tell it."""
    own = employer_domains(values)
    _, listed = domains(values)
    count = np.bincount(listed, minlength=int(own.max(initial=0)) + 1)
    return np.where(own >= 0, count[np.maximum(own, 0)], 0)
