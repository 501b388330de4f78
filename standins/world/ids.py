"""Ids as the vendors make them, in a fixed order, so that the truth can name records beforehand."""

from collections import defaultdict

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SALESFORCE_PREFIX = {
    "Account": "001",
    "Campaign": "701",
    "CampaignMember": "00v",
    "Contact": "003",
    "Event": "00U",
    "Group": "00G",
    "Lead": "00Q",
    "Opportunity": "006",
    "OpportunityContactRole": "00K",
    "Task": "00T",
    "User": "005",
}
# Numbers of contacts pass from five to six digits, so that an order as text is not one as numbers.
_HUBSPOT_FIRST = {
    "contacts": 99_001,
    "companies": 7_000_001,
    "deals": 31_000_001,
    "engagements": 510_000_001,
}
_INSTANCE = "5f00000"


class Ids:
    """Gives every record of a world its id, one after the other per object."""

    def __init__(self) -> None:
        self._used: defaultdict[str, int] = defaultdict(int)

    def hubspot(self, kind: str) -> str:
        """Give the next HubSpot id; activities of all kinds share one sequence."""
        self._used[kind] += 1
        return str(_HUBSPOT_FIRST[kind] + self._used[kind] - 1)

    def next_hubspot_contact(self, further: int) -> str:
        """Give the id that the portal itself will give to its `further`-th new contact."""
        return str(_HUBSPOT_FIRST["contacts"] + self._used["contacts"] + further - 1)

    def salesforce(self, sobject: str) -> str:
        """Give the next Salesforce id of an object, 18 characters."""
        self._used[sobject] += 1
        number = self._used[sobject] * 7 + 100
        short = f"{_SALESFORCE_PREFIX[sobject]}{_INSTANCE}{_base62(number):0>5}"
        return short + _checksum(short)


def _base62(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text


def _checksum(short_id: str) -> str:
    """Tell which of the fifteen characters are capitals, five bits to a character."""
    chunks = (short_id[at : at + 5] for at in (0, 5, 10))
    return "".join(
        _CHECK[sum(1 << place for place, letter in enumerate(chunk) if "A" <= letter <= "Z")]
        for chunk in chunks
    )
