"""Account for every MQL: the bridge between what marketing and what sales count (rules.md 4)."""

import numpy as np
import pandas as pd

from agreement.frames import (
    Bridge,
    Crosswalk,
    DataFrame,
    Handoffs,
    MatchDecisions,
    Mqls,
    People,
    Reviews,
    lookup,
)
from agreement.policy import Definitions
from transforms.handoffs import REJECTED
from transforms.lifecycle import is_excluded

LINKED, EXCLUDED, MISSING = "linked", "excluded", "missing"
IN_REVIEW = "waiting for review"
CLASSES = (LINKED, EXCLUDED, REJECTED, IN_REVIEW, MISSING)

_BY_SALES = "sales' answer"
_UNCERTAIN = "a match in the uncertain band"
_APART = ("reject", "forbid")


def bridge(
    mqls: DataFrame[Mqls],
    handoffs: DataFrame[Handoffs],
    crosswalk: DataFrame[Crosswalk],
    people: DataFrame[People],
    reviews: DataFrame[Reviews],
    decisions: DataFrame[MatchDecisions],
    definitions: Definitions,
) -> DataFrame[Bridge]:
    """Put every HubSpot contact that became an MQL in exactly one class.

    One row per contact, by its latest MQL stamp and id. The first that holds: `excluded` by the
    rule that `rule` names; `rejected`, the answer to the person's latest handoff, with the reason;
    `linked` by a rule to the Salesforce record in `detail`; `waiting for review`, its likeliest
    pair of `reviews` that waits for a person, with the record and the review's id; else `missing`,
    with the likely cause and the record that tells it. `decisions` are those that stand.
    """
    rows = mqls.sort_values(["mql_at", "record_id"]).drop_duplicates("record_id", keep="last")
    rows = rows.reset_index(drop=True)
    excluded = is_excluded(rows, people, definitions.exclusions)
    latest = _latest_answers(handoffs)
    is_rejected = lookup(rows["person_id"], latest["answer"]) == REJECTED
    reason = lookup(rows["person_id"], latest["answer_reason"]).fillna("no reason given")
    partner = lookup(rows["person_id"], _partners(crosswalk))
    rule = lookup(rows["record_id"], _rules(crosswalk))
    waits = lookup(rows["person_id"], _waiting(reviews, crosswalk))
    cause, sign = _causes(rows, people, _kept_apart(decisions, crosswalk))
    held = [excluded.notna(), is_rejected, partner.notna(), waits.notna()]

    def first_held(*values: pd.Series | str, otherwise: pd.Series | str) -> pd.Series:
        return pd.Series(np.select(held, values, otherwise), index=rows.index, dtype="str")

    frame = rows[["record_id", "person_id", "mql_at"]].assign(
        bridge_class=first_held(EXCLUDED, REJECTED, LINKED, IN_REVIEW, otherwise=MISSING),
        rule=first_held(excluded, _BY_SALES, rule, _UNCERTAIN, otherwise=cause),
        detail=first_held("", reason, partner, waits, otherwise=sign),
    )
    return Bridge.validate(frame, lazy=True)


def _latest_answers(handoffs: pd.DataFrame) -> pd.DataFrame:
    last = handoffs.sort_values(["person_id", "cycle"]).drop_duplicates("person_id", keep="last")
    return last.set_index("person_id")[["answer", "answer_reason"]]


def _partners(crosswalk: pd.DataFrame) -> pd.Series:
    """Name the Salesforce record that stands for each person."""
    rows = crosswalk[
        (crosswalk["entity"] == "person")
        & (crosswalk["system"] == "salesforce")
        & crosswalk["is_survivor"]
    ].set_index("entity_id")
    return rows["kind"] + " " + rows["record_id"]


def _rules(crosswalk: pd.DataFrame) -> pd.Series:
    contacts = crosswalk[(crosswalk["system"] == "hubspot") & (crosswalk["kind"] == "contact")]
    return contacts.set_index("record_id")["rule"]


def _across(pairs: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.DataFrame:
    """Give the pairs of people across the systems: `person_id` of HubSpot's, and `other`."""
    is_across = (
        (pairs["entity"] == "person")
        & (pairs["left_system"] == "hubspot")
        & (pairs["right_system"] == "salesforce")
    )
    across = pairs[is_across]
    contacts = crosswalk[(crosswalk["system"] == "hubspot") & (crosswalk["kind"] == "contact")]
    person = lookup(across["left_id"], contacts.set_index("record_id")["entity_id"])
    other = across["right_kind"] + " " + across["right_id"]
    return across.assign(person_id=person, other=other).dropna(subset=["person_id"])


def _waiting(reviews: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.Series:
    """Name each person's likeliest partner that waits for an answer, and the review."""
    rows = _across(reviews[reviews["ended_at"].isna()], crosswalk)
    rows = rows.sort_values(["score", "review_id"], ascending=[False, True])
    best = rows.drop_duplicates("person_id").set_index("person_id")
    return best["other"] + ", review " + best["review_id"]


def _kept_apart(decisions: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.Series:
    """Name the Salesforce record that a person's word keeps each person apart from."""
    rows = _across(decisions[decisions["decision"].isin(_APART)], crosswalk)
    last = rows.sort_values(["decided_at", "decision_id"]).drop_duplicates("person_id", keep="last")
    return last.set_index("person_id")["other"]


def _causes(
    rows: pd.DataFrame, people: pd.DataFrame, kept_apart: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """Guess why a contact is not in Salesforce, the surest sign first; and name what tells it."""
    contacts = people[people["system"] == "hubspot"].set_index("record_id")
    email, owner_id, partner_id = (
        lookup(rows["record_id"], contacts[column])
        for column in ("email", "owner_id", "partner_id")
    )
    apart = lookup(rows["person_id"], kept_apart)
    same = lookup(email, _holders(people))
    signs = {
        "sync error: its stored Salesforce id leads to no record": (partner_id.notna(), partner_id),
        "a person's decision keeps it apart": (apart.notna(), apart),
        "duplicate rule: Salesforce has its address under another name": (same.notna(), same),
        "no e-mail: nothing to sync it by": (email.isna(), ""),
        "no owner": (owner_id.isna(), ""),
    }
    held = [is_held for is_held, _ in signs.values()]
    causes = np.select(held, list(signs), "never sent")
    told = np.select(held, [sign for _, sign in signs.values()], "")
    return _texts(causes, rows.index), _texts(told, rows.index)


def _texts(values: np.ndarray, index: pd.Index) -> pd.Series:
    return pd.Series(values, index=index, dtype="str")


def _holders(people: pd.DataFrame) -> pd.Series:
    """Name the first Salesforce record of each address."""
    theirs = people[people["system"] == "salesforce"].dropna(subset=["email"])
    first = theirs.sort_values(["email", "kind", "record_id"]).drop_duplicates("email")
    return (first["kind"] + " " + first["record_id"]).set_axis(first["email"])
