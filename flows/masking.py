"""Hide people's details where they are shown: enough to compare by eye, not enough to tell who."""

import re

_ADDRESS = re.compile(r"[^\s:;,<>]+@[^\s:;,<>]+")


def masked(text: str) -> str:
    """Hide the addresses in a text, but for their first letters.

    >>> masked("same e-mail ann.lee@example.com")
    'same e-mail a***@e***'
    """
    return _ADDRESS.sub(lambda found: _hidden_address(found[0]), text)


def _hidden_address(address: str) -> str:
    local, _, domain = address.partition("@")
    return f"{local[:1]}***@{domain[:1]}***"


def masked_value(value: str) -> str:
    """Hide one value but for its first letter and length; of an address the domain stays.

    >>> masked_value("ann.lee@example.com"), masked_value("Ann"), masked_value("")
    ('a***(7)@example.com', 'A***(3)', '')
    """
    if _ADDRESS.fullmatch(value):
        local, _, domain = value.rpartition("@")
        return f"{masked_value(local)}@{domain}"
    return f"{value[0]}***({len(value)})" if value else ""
