"""Turn both systems' records into arrays of numbers: what matching joins and compares."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from transforms.matching import contact, text
from transforms.matching.holders import holders
from transforms.matching.records import (
    MISSING,
    Addresses,
    Codes,
    Records,
    Text,
    Values,
    joined,
    text_hash,
)
from transforms.matching.words import ROLE_MAILBOXES, Words

# Columns that `match` knows; any but the id may be absent.
COLUMNS = (
    "record_id", "kind", "email", "other_emails", "first_name", "last_name", "company", "phone",
    "mobile", "website", "title", "city", "postcode", "country", "created_at", "modified_at",
)  # fmt: skip
# Further addresses of one record that are looked at.
_MORE_ADDRESSES = 2


def encode(hubspot: pd.DataFrame, salesforce: pd.DataFrame, words: Words) -> Records:
    """Number every value of both tables; equal after normalising is equal in number."""
    frames = [frame.sort_values("record_id", kind="stable") for frame in (hubspot, salesforce)]
    both = pd.concat(frames, ignore_index=True)
    first, last, generation = _names(both)
    called = _distinct(np.array([_called(name) for name in first.texts], dtype=object))
    roots = np.array([words.root.get(_called(name), _called(name)) for name in first.texts])
    first_root, root_values = _number(roots.astype(object))
    sounds = _distinct(
        np.r_[
            [text.skeleton(name) for name in root_values],
            [text.skeleton(name) for name in last.texts],
        ].astype(object)
    ).code
    root_code = _take(first_root, first.code)
    addresses, local, domain = _addresses(both, words)
    website, domain = _websites(both, domain, words)
    is_free = contact.is_free(domain.texts.tolist(), words)
    label = _distinct(np.array([name.split(".")[0] for name in domain.texts], dtype=object))
    website = np.where(_take(is_free.astype(np.int64), website) == 1, MISSING, website)
    addresses = replace(addresses, is_free=_take(is_free.astype(np.int64), addresses.domain) == 1)
    numbers = np.column_stack([_phones(both, name) for name in ("phone", "mobile")])
    phone_numbers, phones = np.unique(np.r_[MISSING, numbers.ravel()], return_inverse=True)
    bare = _bare(addresses.local[:, 0], local)
    company = _texts(both, "company", lambda value: text.company(value, words))
    values = Values(
        hubspot_count=len(frames[0]),
        record_id=both["record_id"].to_numpy(dtype=object),
        address=addresses,
        local=local,
        bare=bare,
        bare_hash=text_hash(bare.texts.tolist()),
        domain=domain,
        label=Text(_take(label.code, np.arange(len(domain.texts))), label.texts),
        label_hash=_label_hash(label.texts.tolist()),
        label_of=label.code,
        website=website,
        first=first,
        called=_take(called.code, first.code),
        nicknames=_nicknames(called, words),
        first_root=root_code,
        first_sound=_take(sounds[: len(root_values)], root_code),
        last=last,
        last_sound=_take(sounds[len(root_values) :], last.code),
        generation=generation,
        initial=_initials(first),
        spelled=_spelled(first, last),
        company=company,
        company_hash=_company_hash(company.texts.tolist()),
        phones=(phones[1:] - 1).reshape(numbers.shape).astype(np.int64),
        phone_numbers=phone_numbers[1:],
        title=_texts(both, "title", text.job_title),
        city=_texts(both, "city", text.plain),
        postcode=_texts(both, "postcode", lambda value: text.plain(value).replace(" ", "")).code,
        country=_texts(both, "country", text.plain),
    )
    return Records(**vars(values), holders=holders(values))


# Columns -----------------------------------------------------------------------------------------


def _raw(both: pd.DataFrame, column: str) -> pa.Array:
    """Give a column as trimmed Arrow text; empty is missing, and so is an absent column."""
    if column not in both:
        return pa.nulls(len(both), pa.string())
    values = pa.array(both[column].astype("str"), type=pa.large_string(), from_pandas=True)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    trimmed = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)


def _dictionary(values: pa.Array) -> tuple[Codes, list[str]]:
    encoded = values.dictionary_encode()
    code = pc.fill_null(encoded.indices.cast(pa.int64()), MISSING).to_numpy(zero_copy_only=False)
    return code, encoded.dictionary.to_pylist()


def _number(values: NDArray[np.object_]) -> tuple[Codes, NDArray[np.object_]]:
    """Number values in order of appearance; the empty text is missing."""
    code, distinct = pd.factorize(values)
    empty = np.flatnonzero(distinct == "")
    if len(empty):
        code = np.where(code == empty[0], MISSING, code)
    return code.astype(np.int64), distinct


def _distinct(values: NDArray[np.object_]) -> Text:
    return Text(*_number(values))


def _take(values: Codes, at: Codes) -> Codes:
    """Give the value at each position; -1 where the position is missing."""
    if not len(values):
        return np.full(at.shape, MISSING, dtype=np.int64)
    return np.where(at >= 0, values[at], MISSING)


def _texts(both: pd.DataFrame, column: str, write: Callable[[str], str]) -> Text:
    code, distinct = _dictionary(_raw(both, column))
    plain = _distinct(np.array([write(value) for value in distinct], dtype=object))
    return Text(_take(plain.code, code), plain.texts)


def _phones(both: pd.DataFrame, column: str) -> Codes:
    code, distinct = _dictionary(_raw(both, column))
    numbers = np.array([contact.phone(value) for value in distinct], dtype=np.int64)
    return _take(numbers, code)


# Names -------------------------------------------------------------------------------------------


def _names(both: pd.DataFrame) -> tuple[Text, Text, Codes]:
    """Give given names, family names and generations; a name in one field is divided."""
    first_code, first_values = _dictionary(_raw(both, "first_name"))
    last_code, last_values = _dictionary(_raw(both, "last_name"))
    firsts = [text.person_name(value) for value in first_values]
    lasts = [text.person_name(value) for value in last_values]
    first = _distinct(np.array([_without_initials(name) for name, _ in firsts], dtype=object))
    last = _distinct(np.array([name for name, _ in lasts], dtype=object))
    generations = np.maximum(
        _take(np.array([found for _, found in firsts], dtype=np.int64), first_code),
        _take(np.array([found for _, found in lasts], dtype=np.int64), last_code),
    )
    first = Text(_take(first.code, first_code), first.texts)
    last = Text(_take(last.code, last_code), last.texts)
    return (*_divided(first, last), np.maximum(generations, 0))


def _without_initials(name: str) -> str:
    """Leave out middle initials: a single letter behind the name."""
    tokens = name.split()
    return " ".join(tokens[:1] + [token for token in tokens[1:] if len(token) > 1])


def _divided(first: Text, last: Text) -> tuple[Text, Text]:
    """Divide whole names that stand in one of the two fields: the last word is the family's."""
    for whole, is_alone in (
        (first, (last.code < 0) & (first.code >= 0)),
        (last, (first.code < 0) & (last.code >= 0)),
    ):
        words = [name.split() for name in whole.texts.tolist()]
        several = np.array([len(parts) > 1 for parts in words], dtype=bool)
        rows = np.flatnonzero(is_alone)
        rows = rows[several[whole.code[rows]]]
        if len(rows):
            given = [" ".join(words[code][:-1]) for code in whole.code[rows]]
            family = [words[code][-1] for code in whole.code[rows]]
            first = _replaced(first, rows, given)
            last = _replaced(last, rows, family)
    return first, last


def _replaced(column: Text, rows: Codes, values: list[str]) -> Text:
    all_values = np.r_[column.texts, np.array(values, dtype=object)]
    merged = _distinct(all_values)
    code = column.code.copy()
    code[rows] = np.arange(len(column.texts), len(all_values))
    return Text(_take(merged.code, code), merged.texts)


def _called(name: str) -> str:
    return name.split(" ", 1)[0]


def _nicknames(called: Text, words: Words) -> Codes:
    """List the pairs of names at hand that one person goes by, the lower number in front."""
    place = {name: at for at, name in enumerate(called.texts.tolist())}
    pairs = [
        (place[one], place[other])
        for one, other in words.nicknames
        if one in place and other in place and place[one] < place[other]
    ]
    low, high = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return np.sort(joined(low, high))


def _initials(first: Text) -> Codes:
    letters = np.array([ord(name[0]) if name else MISSING for name in first.texts.tolist()])
    return _take(letters.astype(np.int64), first.code)


# How addresses spell a name: given and family name, whole or by their first letters.
_SPELLINGS = 8


def _spelled(first: Text, last: Text) -> Codes:
    """Give hashes of the ways in which an address may spell a name; one column per way."""
    pair = np.where(
        (first.code >= 0) & (last.code >= 0), first.code * len(last.texts) + last.code, MISSING
    )
    distinct, at = np.unique(pair, return_inverse=True)
    known = distinct >= 0
    given = first.texts[distinct[known] // max(len(last.texts), 1)].tolist()
    family = last.texts[distinct[known] % max(len(last.texts), 1)].tolist()
    spelled: list[list[str]] = [[] for _ in range(_SPELLINGS)]
    for one, two in zip(given, family, strict=True):
        joined, name = one.replace(" ", ""), two.replace(" ", "")
        ways = (
            joined + name, name + joined, joined[0] + name, name + joined[0], joined + name[0],
            name[0] + joined, joined, name,
        )  # fmt: skip
        for texts, way in zip(spelled, ways, strict=True):
            texts.append(way)
    table = np.full((len(distinct), _SPELLINGS), MISSING, dtype=np.int64)
    for column, texts in enumerate(spelled):
        table[known, column] = text_hash(texts)
    every: Codes = table[at]
    return every


# Addresses ---------------------------------------------------------------------------------------


def _addresses(both: pd.DataFrame, words: Words) -> tuple[Addresses, Text, Text]:
    rows, slots, values = _listed(both)
    parts = pc.split_pattern(values, "@", max_splits=1, reverse=True)
    is_whole = pc.equal(pc.list_value_length(parts), 2)
    kept = np.flatnonzero(is_whole.to_numpy(zero_copy_only=False))
    rows, slots = rows[kept], slots[kept]
    flat = parts.take(pa.array(kept)).flatten()
    local_raw, local_values = _dictionary(flat.take(pa.array(np.arange(0, len(flat), 2))))
    domain_raw, domain_values = _dictionary(flat.take(pa.array(np.arange(1, len(flat), 2))))
    owned = [contact.registered(value, words) for value in domain_values]
    domain = _distinct(np.array(contact.correct_providers(owned, words), dtype=object))
    local = _distinct(np.array([_mailbox(value) for value in local_values], dtype=object))
    domain_code = _take(domain.code, domain_raw)
    local_code, local = _without_dots(_take(local.code, local_raw), local, domain, domain_code)
    role = np.array([_is_role(value) for value in local.texts.tolist()], dtype=bool)
    is_good = (local_code >= 0) & (domain_code >= 0)
    rows, slots = rows[is_good], slots[is_good]
    shape = (len(both), _MORE_ADDRESSES + 1)
    columns = {name: np.full(shape, MISSING, dtype=np.int64) for name in ("id", "local", "domain")}
    columns["local"][rows, slots] = local_code[is_good]
    columns["domain"][rows, slots] = domain_code[is_good]
    whole = local_code[is_good] * len(domain.texts) + domain_code[is_good]
    columns["id"][rows, slots] = np.unique(whole, return_inverse=True)[1]
    is_role = _take(role.astype(np.int64), columns["local"]) == 1
    addresses = Addresses(**columns, is_role=is_role, is_free=is_role)
    return addresses, Text(columns["local"][:, 0], local.texts), domain


def _listed(both: pd.DataFrame) -> tuple[Codes, Codes, pa.Array]:
    """List every address with its record's row and its place in it, main address first."""
    main = pc.utf8_lower(_raw(both, "email"))
    rows = np.flatnonzero(pc.is_valid(main).to_numpy(zero_copy_only=False))
    more = pc.utf8_lower(_raw(both, "other_emails"))
    holders = np.flatnonzero(pc.is_valid(more).to_numpy(zero_copy_only=False))
    lists = [
        [part for part in value.replace(",", ";").replace(" ", ";").split(";") if part][
            :_MORE_ADDRESSES
        ]
        for value in more.take(pa.array(holders)).to_pylist()
    ]
    sizes = np.array([len(parts) for parts in lists], dtype=np.int64)
    more_rows = np.repeat(holders, sizes)
    places = np.concatenate([np.arange(size) + 1 for size in sizes]) if len(sizes) else more_rows
    values = [part for parts in lists for part in parts]
    text_type = pa.large_string()
    all_values = pa.concat_arrays(
        [main.take(pa.array(rows)).cast(text_type), pa.array(values, type=text_type)]
    )
    slots = np.r_[np.zeros(len(rows), dtype=np.int64), places.astype(np.int64)]
    return np.r_[rows, more_rows].astype(np.int64), slots, all_values


def _mailbox(local: str) -> str:
    """Leave out what stands behind a plus: it reaches the same mailbox."""
    return local.split("+", 1)[0].removeprefix("mailto:").strip("<>\"' ")


def _without_dots(code: Codes, local: Text, domain: Text, domain_code: Codes) -> tuple[Codes, Text]:
    """Leave dots out at the provider that ignores them."""
    bare = [value.replace(".", "") for value in local.texts.tolist()]
    merged = _distinct(np.r_[local.texts, np.array(bare, dtype=object)])
    dotless = _take(merged.code[len(local.texts) :], code)
    ignores = _take((domain.texts == "gmail.com").astype(np.int64), domain_code) == 1
    return np.where(ignores, dotless, code), Text(merged.code[: len(bare)], merged.texts)


def _is_role(mailbox: str) -> bool:
    """Tell mailboxes of a function, also of one in a country or a team: info-de@, sales.emea@."""
    if _letters(mailbox) in ROLE_MAILBOXES:
        return True
    first, *more = [word for word in _NOT_LETTERS.split(mailbox) if word] or [""]
    is_part = all(word in ROLE_MAILBOXES | _REGIONS or len(word) <= _COUNTRY for word in more)
    return len(first) > _COUNTRY and first in ROLE_MAILBOXES and is_part


# Longer words may be given names (sales.sara@), and two letters in front initials (hr.smith@).
_COUNTRY = 2
_REGIONS = frozenset({"amer", "anz", "apac", "benelux", "dach", "emea", "latam", "nordics", "uki"})


def _letters(local: str) -> str:
    return local if local.isalpha() else _NOT_LETTERS.sub("", local)


_NOT_LETTERS = re.compile(r"[\W\d_]+")


def _company_hash(names: list[str]) -> Codes:
    whole = [name.replace(" ", "") for name in names]
    letters = ["".join(word[0] for word in name.split()) for name in names]
    begins = [name[:_BEGINS] for name in whole]
    return np.column_stack([text_hash(values) for values in (whole, letters, begins)])


def _label_hash(labels: list[str]) -> Codes:
    whole = ["".join(letter for letter in label if letter.isalnum()) for label in labels]
    begins = text_hash([label[:_BEGINS] for label in whole])
    is_long = np.array([len(label) >= _BEGINS for label in whole], dtype=bool)
    return np.column_stack([text_hash(whole), np.where(is_long, begins, MISSING)])


# So many letters tell a company's name and its domain.
_BEGINS = 6


def _bare(code: Codes, local: Text) -> Text:
    bare = _distinct(np.array([_letters(value) for value in local.texts.tolist()], dtype=object))
    return Text(_take(bare.code, code), bare.texts)


_SITE = r"^(?:https?://)?(?:www\.)?([^/:?# ]+).*$"


def _websites(both: pd.DataFrame, domain: Text, words: Words) -> tuple[Codes, Text]:
    """Number websites like the domains of addresses."""
    code, distinct = _dictionary(pc.utf8_lower(_raw(both, "website")))
    hosts = pd.Series(distinct, dtype="str").str.replace(_SITE, r"\1", regex=True)
    owned = [contact.registered(host, words) if "." in host else "" for host in hosts]
    merged = _distinct(np.r_[domain.texts, np.array(owned, dtype=object)])
    return _take(merged.code[len(domain.texts) :], code), Text(domain.code, merged.texts)
