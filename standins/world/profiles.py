"""How hard a world is: the shares that its records are drawn by."""

from collections.abc import Mapping
from dataclasses import dataclass

from standins.world import addresses as relation


@dataclass(frozen=True)
class Profile:
    """Weights and chances of the ways in which one human's records differ.

    `salesforce_mail` and `further_mail` weigh how a Salesforce record's and a further HubSpot
    contact's address relate to the first contact's. `stored_id` is the chance that somebody wrote
    the other system's id on a record. `other_name` is the chance of a short form, another spelling
    or a former name. `shapes` weighs what Salesforce knows of a human: the records in the order of
    their making, `lead>contact` being a converted one.
    """

    salesforce_mail: Mapping[str, float]
    first_mail: Mapping[str, float]
    further_mail: Mapping[str, float]
    shapes: Mapping[str, float]
    second_contact: float
    third_contact: float
    stored_id: float
    other_name: float
    shared_mailboxes: float
    families: float


_FIRST_MAIL = {
    relation.EXACT: 0.79,
    relation.PERSONAL: 0.13,
    relation.SHORT: 0.05,
    relation.MISSING: 0.03,
}
_FURTHER_MAIL = {
    relation.PLUS: 0.25,
    relation.PERSONAL: 0.35,
    relation.TYPO: 0.15,
    relation.ALIAS: 0.10,
    relation.OLD_NAME: 0.10,
    relation.MISSING: 0.05,
}

HARD = Profile(
    salesforce_mail={
        relation.EXACT: 0.52,
        relation.CASE: 0.06,
        relation.PLUS: 0.05,
        relation.PERSONAL: 0.09,
        relation.TYPO: 0.06,
        relation.ALIAS: 0.06,
        relation.SHORT: 0.05,
        relation.OLD_NAME: 0.05,
        relation.MISSING: 0.06,
    },
    first_mail=_FIRST_MAIL,
    further_mail=_FURTHER_MAIL,
    shapes={
        "": 0.27,
        "lead": 0.33,
        "contact": 0.11,
        "lead>contact": 0.16,
        "lead lead": 0.05,
        "lead contact": 0.03,
        "contact contact": 0.02,
        "lead>contact lead": 0.03,
    },
    second_contact=0.08,
    third_contact=0.025,
    stored_id=0.38,
    other_name=0.2,
    shared_mailboxes=0.06,
    families=0.01,
)

EASY = Profile(
    salesforce_mail={relation.EXACT: 0.9, relation.PERSONAL: 0.05, relation.MISSING: 0.05},
    first_mail={relation.EXACT: 0.95, relation.PERSONAL: 0.05},
    further_mail=_FURTHER_MAIL,
    shapes={"": 0.2, "lead": 0.4, "contact": 0.15, "lead>contact": 0.22, "lead lead": 0.03},
    second_contact=0.03,
    third_contact=0.0,
    stored_id=0.6,
    other_name=0.05,
    shared_mailboxes=0.01,
    families=0.0,
)

PROFILES = {"hard": HARD, "easy": EASY}
