"""Two records as one pair: which of them stands first, and the id that the pair always has."""

from hashlib import sha256

import pandas as pd

# A record: system, kind, id.
Place = tuple[str, str, str]

SIDES = ("left", "right")
COLUMNS = tuple(f"{side}_{part}" for side in SIDES for part in ("system", "kind", "id"))


def ordered(one: Place, other: Place) -> tuple[Place, Place]:
    """Put two records in order, so that a pair is one pair whichever is named first.

    By system, kind and id: HubSpot's record stands left of Salesforce's.

    >>> ordered(("salesforce", "lead", "00Q1"), ("hubspot", "contact", "7"))
    (('hubspot', 'contact', '7'), ('salesforce', 'lead', '00Q1'))
    """
    return (one, other) if one <= other else (other, one)


def pair_id(entity: str, one: Place, other: Place) -> str:
    """Give the id of a pair: the same on every machine and whichever record is named first.

    >>> pair_id("person", ("hubspot", "contact", "7"), ("salesforce", "lead", "00Q1"))
    'm_2ac47c67fafa7cab'
    """
    content = "\x1f".join((entity, *(part for place in ordered(one, other) for part in place)))
    return "m_" + sha256(content.encode()).hexdigest()[:16]


def pair_ids(pairs: pd.DataFrame) -> pd.Series:
    """Give the ids of pairs in `entity` and `COLUMNS`."""
    rows = zip(pairs["entity"], *(pairs[name] for name in COLUMNS), strict=True)
    ids = [pair_id(row[0], row[1:4], row[4:7]) for row in rows]
    return pd.Series(ids, index=pairs.index, dtype="str")
