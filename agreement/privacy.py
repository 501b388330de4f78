"""What is kept of a forgotten person: times, states and sums, under a random id; nothing else.

A forgotten person's records stay in the mirrors under such ids, so that touches, credit and ledgers
add up as before; everything that tells who it was goes.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

Key = tuple[str, str]

PEOPLE: tuple[Key, ...] = (
    ("hubspot", "contact"),
    ("salesforce", "lead"),
    ("salesforce", "contact"),
)

# Stands in every random id. HubSpot's own ids are numbers; in Salesforce's, these places count in
# capitals, small letters and digits, and have not come to this word in any org.
MARK = "forgotten"

TOKEN_LENGTH = 6

_PREFIXES: Mapping[Key, str] = MappingProxyType(
    {("salesforce", "lead"): "00Q", ("salesforce", "contact"): "003"}
)

# Fields of a person's record that sums and clocks need and that tell nothing of who it was.
KEPT: Mapping[Key, frozenset[str]] = MappingProxyType(
    {
        ("hubspot", "contact"): frozenset(
            {"lifecyclestage", "hubspot_owner_id", "hs_analytics_source", "hs_latest_source"}
        ),
        ("salesforce", "lead"): frozenset(
            {
                "Status",
                "OwnerId",
                "LeadSource",
                "IsConverted",
                "ConvertedContactId",
                "ConvertedAccountId",
            }
        ),
        ("salesforce", "contact"): frozenset({"AccountId", "OwnerId", "LeadSource"}),
    }
)

# Changes of these fields are kept of a history list; of all others only that they happened.
KEPT_CHANGES = frozenset({"Status", "Owner", "ownerAssignment", "leadConverted", "created"})

# Fields of any record that may name a person's record.
REFERENCES = frozenset(
    {
        "WhoId",
        "LeadId",
        "ContactId",
        "LeadOrContactId",
        "RelationId",
        "ConvertedContactId",
        "MasterRecordId",
        "salesforceleadid",
        "salesforcecontactid",
        "HubSpot_Contact_Id__c",
        "contact_id",
    }
)

# Fields that hold a person's address on records that have no other tie to the person.
ADDRESSES = frozenset({"email", "Email", "recipient"})

# Fields of a HubSpot contact that list the records which were merged into it.
MERGES = ("hs_merged_object_ids", "hs_calculated_merged_vids")

_WORDY = re.compile(
    r"subject|title|body|description|text|note|comment|url|html|preview|name|phone|values?$",
    re.IGNORECASE,
)


def alias_id(system: str, kind: str, token: str) -> str:
    """Give the random id of a forgotten person's record, shaped as the vendor's.

    >>> alias_id("salesforce", "lead", "a1b2c3"), alias_id("hubspot", "contact", "a1b2c3")
    ('00Qforgottena1b2c3', 'forgottena1b2c3')
    """
    return f"{_PREFIXES.get((system, kind), '')}{MARK}{token}"


def alias_address(token: str) -> str:
    """Give the address that stands for all of a forgotten person's: of a domain of its own.

    >>> alias_address("a1b2c3")
    'person@forgottena1b2c3.invalid'
    """
    return f"person@{MARK}{token}.invalid"


def is_alias_address(address: str) -> bool:
    """Tell whether an address stands for a forgotten person's.

    >>> is_alias_address(alias_address("a1b2c3")), is_alias_address("ann@forgotten.test")
    (True, False)
    """
    return address.startswith(f"person@{MARK}") and address.endswith(".invalid")


def is_wordy(field: str) -> bool:
    """Tell fields that hold free text, which may say anything about a person.

    >>> [is_wordy(name) for name in ("Subject", "hs_call_title", "hs_timestamp", "WhoId")]
    [True, True, False, False]
    """
    return _WORDY.search(field) is not None
