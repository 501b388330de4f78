"""Say by which keys records find one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from transforms.matching.records import (
    BITS,
    MISSING,
    Codes,
    Records,
    Text,
    distinct,
    domains,
    flat,
    joined,
)


@dataclass(frozen=True)
class Key:
    """Records under the values of one key: `row` holds `value`; a record may be there often.

    A value whose pairs are more than `most_pairs` is left out: it tells nobody apart, and a
    narrower key finds who belongs together. Only a key that `finds_duplicates` pairs records
    inside a system.
    """

    row: Codes
    value: Codes
    most_pairs: int
    finds_duplicates: bool


def keys(records: Records) -> Iterator[Key]:
    """List the keys, from the address down to name and place."""
    row = np.arange(len(records))
    name = joined(records.first_sound, records.last_sound)
    low = np.minimum(records.first_sound, records.last_sound)
    either_way = joined(low, np.maximum(records.first_sound, records.last_sound))
    with_initial = np.where(
        (records.last_sound >= 0) & (records.initial >= 0),
        records.last_sound * _LETTERS + records.initial,
        MISSING,
    )
    company = records.company.code
    where, domain = domains(records)
    employed, employer = _employers(records, where, domain)
    line, number = flat(row, records.phones)
    yield from _address_keys(records, row)
    yield Key(line, number, 40, True)
    for part in (records.first_sound, records.last_sound):
        yield Key(line, joined(part[line], number), 60, True)
        yield Key(employed, joined(part[employed], employer), 60, True)
    yield Key(row, either_way, 30, False)
    yield Key(row, joined(name, records.city.code), 40, True)
    yield Key(row, joined(name, records.postcode), 40, True)
    yield Key(row, joined(name, records.title.code), 30, False)
    yield Key(row, joined(records.last_sound, records.title.code), 12, False)
    yield Key(row, joined(records.first_sound, _begins(records.last, 3)), 12, False)
    yield Key(row, joined(records.last_sound, _begins(records.first, 3)), 12, False)
    yield Key(row, joined(with_initial, records.postcode), 20, False)
    yield Key(row, joined(with_initial, records.city.code), 20, False)
    for part in (records.first_sound, records.last_sound):
        yield Key(row, joined(part, records.postcode), 60, False)
        yield Key(row, joined(part, records.city.code), 60, False)
    yield Key(where, domain, 6, False)
    yield Key(row, company, 6, False)
    yield from _spelled_keys(records, where, domain)


def _address_keys(records: Records, row: Codes) -> Iterator[Key]:
    address = records.address
    holder, held = flat(row, address.id)
    yield Key(holder, held, 60, True)
    for part in (records.first_sound, records.last_sound):
        yield Key(holder, joined(part[holder], held), 60, True)
    is_own = (~address.is_role[:, 0]) & (records.bare.length[records.bare.code] >= _LONG_MAILBOX)
    local = np.where(is_own & (records.bare.code >= 0), address.local[:, 0], MISSING)
    yield Key(row, local, 30, False)


_LONG_MAILBOX = 6


def _spelled_keys(records: Records, where: Codes, domain: Codes) -> Iterator[Key]:
    """Find records without a name by the way their address spells one at the same domain."""
    address = records.address
    nameless = (records.last.code < 0) & (records.bare.code >= 0) & ~address.is_role[:, 0]
    rows = np.flatnonzero(nameless)
    own = joined(records.bare_hash[records.bare.code[rows]] % _HASHES, address.domain[rows, 0])
    for way in range(6):
        value = joined(records.spelled[where, way] % _HASHES, domain)
        value = np.where(records.spelled[where, way] >= 0, value, MISSING)
        is_wanted = np.isin(value, own)
        yield Key(np.r_[rows, where[is_wanted]], np.r_[own, value[is_wanted]], 20, False)


# Hashes are cut to this many, so that they fit beside a domain in one number.
_HASHES = 1 << 40


_LETTERS = 128


_KEPT_LETTERS = 6


def _employers(records: Records, where: Codes, domain: Codes) -> tuple[Codes, Codes]:
    """List each record's employers by how their names and domains begin."""
    names = [name.replace(" ", "")[:_KEPT_LETTERS] for name in records.company.texts.tolist()]
    labels = [
        "".join(letter for letter in label if letter.isalnum())[:_KEPT_LETTERS]
        for label in records.label.texts.tolist()
    ]
    code = pd.factorize(np.array(names + labels, dtype=object))[0].astype(np.int64)
    named = np.flatnonzero(records.company.code >= 0)
    by_name = code[records.company.code[named]]
    by_domain = code[len(names) :][records.label_of[domain]]
    both = distinct(joined(np.r_[named, where], np.r_[by_name, by_domain]))
    return both >> BITS, both & ((1 << BITS) - 1)


def _begins(name: Text, letters: int) -> Codes:
    """Number the beginnings of names."""
    begins = [value[:letters] for value in name.texts.tolist()]
    code = np.r_[pd.factorize(np.array(begins, dtype=object))[0], MISSING].astype(np.int64)
    numbers: Codes = code[name.code]
    return numbers
