"""Addresses and telephone numbers in the one form that matching compares."""

import re

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from transforms.matching.words import PROVIDERS, Words

# Country calling codes; those not named here have three digits.
_CODE = r"(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})"
_INTERNATIONAL = re.compile(rf"^(?:\+|00){_CODE}0?")
_NO_PLUS = re.compile(rf"^{_CODE}0?")
_EXTENSION = re.compile(r"(?:x|ext|ex|#|;|,|dw|durchwahl|poste|int).*$")
_NOT_DIGIT = re.compile(r"[^0-9+]")
# What a number is told by: countries have 7 to 11 digits after the area's 0.
_KEPT_DIGITS = 9
_FEWEST_DIGITS = 7
# Longer than any number without its country's code.
_WITH_COUNTRY = 11

# A domain within one slip of these is the provider's: nobody runs a company at gmial.com.
_SLIPS_OF = (
    "gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com",
    "aol.com", "protonmail.com", "yandex.ru", "comcast.net", "verizon.net", "hotmail.co.uk",
    "yahoo.co.uk", "outlook.de", "hotmail.de", "yahoo.de", "hotmail.fr", "yahoo.fr", "orange.fr",
    "wanadoo.fr", "libero.it", "live.com", "web.de", "gmx.de", "gmx.net",
)  # fmt: skip
_SHORTEST_SLIP = 8


def phone(value: str) -> int:
    """Give a telephone number's last nine digits without country and trunk codes; -1 if none.

    >>> phone("+44 (0)20 7946-0958"), phone("020 79460958 ext. 12"), phone("n/a"), phone("0000000")
    (79460958, 79460958, -1, -1)
    """
    text = _NOT_DIGIT.sub("", _EXTENSION.sub("", value.lower()))
    if text.startswith(("+", "00")):
        digits = _INTERNATIONAL.sub("", text, count=1)
    else:
        digits = text.lstrip("0")
        if len(digits) >= _WITH_COUNTRY:
            digits = _NO_PLUS.sub("", digits, count=1)
    digits = digits.replace("+", "").lstrip("0")
    if len(digits) < _FEWEST_DIGITS or len(set(digits)) == 1:
        return -1
    return int(digits[-_KEPT_DIGITS:])


def registered(domain: str, words: Words) -> str:
    """Give the part of a domain that its owner registered.

    >>> words = Words.parse(
    ...     '{"nicknames": {}, "legal_forms": [], "suffixes": ["co.uk"], "free_mail": []}')
    >>> registered("mail.acme.co.uk", words), registered("www.acme.com", words)
    ('acme.co.uk', 'acme.com')
    """
    labels = [label for label in domain.split(".") if label]
    size = 3 if ".".join(labels[-2:]) in words.suffixes else 2
    return ".".join(labels[-size:])


def correct_providers(domains: list[str], words: Words) -> list[str]:
    """Replace domains within one slip of a mailbox provider's by the provider's."""
    names = np.array(domains, dtype=object)
    is_known = is_free(domains, words)
    length = np.fromiter((len(domain) for domain in domains), dtype=np.int64, count=len(domains))
    for provider in _SLIPS_OF:
        if len(provider) < _SHORTEST_SLIP:
            continue
        near = np.flatnonzero(abs(length - len(provider)) <= 1)
        slips = cdist([provider], names[near], scorer=OSA.distance, score_cutoff=1)[0]
        slipped = near[(slips <= 1) & ~is_known[near]]
        names[slipped], is_known[slipped] = provider, True
    return [_ALIASES.get(name, name) for name in names.tolist()]


_ALIASES = {"googlemail.com": "gmail.com"}


def is_free(domains: list[str], words: Words) -> NDArray[np.bool_]:
    """Tell domains at which anybody can have a mailbox."""
    return np.fromiter(
        (
            domain in words.free_mail or domain.split(".")[0] in PROVIDERS or domain in _SLIPS_OF
            for domain in domains
        ),
        dtype=bool,
        count=len(domains),
    )
