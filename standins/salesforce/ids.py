"""Record ids as Salesforce writes them: 15 case-sensitive characters and a 3-character checksum."""

import re

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?\Z")


def is_id(text: str) -> bool:
    """Tell whether a text has the shape of a record id, of 15 or 18 characters."""
    return _ID.match(text) is not None


def long_id(text: str) -> str:
    """Give the 18-character form of an id; other texts come back as they are.

    >>> long_id("00D000000000062")
    '00D000000000062EAA'
    """
    if len(text) != 15:
        return text
    checksum = (
        _CHECKSUM[sum(1 << place for place, c in enumerate(text[k : k + 5]) if "A" <= c <= "Z")]
        for k in (0, 5, 10)
    )
    return text + "".join(checksum)


def numbered_id(prefix: str, number: int) -> str:
    """Give the 18-character id of the n-th record of an object; larger numbers sort later."""
    digits = []
    for _ in range(12 - 3):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return long_id(prefix + "5g0" + "".join(reversed(digits)))
