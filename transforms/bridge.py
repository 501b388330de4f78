"""Account for every MQL: the bridge between what marketing and what sales count (rules.md 4)."""

import numpy as np
import pandas as pd

from agreement.frames import Bridge, Crosswalk, DataFrame, Handoffs, Mqls, People, lookup
from agreement.policy import Definitions
from transforms.lifecycle import REJECTED, is_excluded

LINKED, EXCLUDED, MISSING = "linked", "excluded", "missing"


def bridge(
    mqls: DataFrame[Mqls],
    handoffs: DataFrame[Handoffs],
    crosswalk: DataFrame[Crosswalk],
    people: DataFrame[People],
    definitions: Definitions,
) -> DataFrame[Bridge]:
    """Put every HubSpot contact that became an MQL in exactly one class.

    One row per contact, by its latest MQL stamp and id. The first that holds: `excluded` by the
    rule that `rule` names; `rejected`, the answer to the person's latest handoff, with the reason;
    `linked` by a rule to the Salesforce record in `detail`; else `missing`, with the likely cause.
    """
    rows = mqls.sort_values(["mql_at", "record_id"]).drop_duplicates("record_id", keep="last")
    rows = rows.reset_index(drop=True)
    excluded = is_excluded(rows, people, definitions.exclusions)
    latest = _latest_answers(handoffs)
    is_rejected = lookup(rows["person_id"], latest["answer"]) == REJECTED
    reason = lookup(rows["person_id"], latest["answer_reason"]).fillna("no reason given")
    partner = lookup(rows["person_id"], _partners(crosswalk))
    rule = lookup(rows["record_id"], _rules(crosswalk))
    held = [excluded.notna(), is_rejected, partner.notna()]

    def first_held(*values: pd.Series | str, otherwise: pd.Series | str) -> pd.Series:
        return pd.Series(np.select(held, values, otherwise), index=rows.index, dtype="str")

    frame = rows[["record_id", "person_id", "mql_at"]].assign(
        bridge_class=first_held(EXCLUDED, REJECTED, LINKED, otherwise=MISSING),
        rule=first_held(excluded, "sales' answer", rule, otherwise=_causes(rows, people)),
        detail=first_held("", reason, partner, otherwise=""),
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


def _causes(rows: pd.DataFrame, people: pd.DataFrame) -> pd.Series:
    """Guess why a contact is not in Salesforce, the surest sign first."""
    contacts = people[people["system"] == "hubspot"].set_index("record_id")
    email, owner_id, partner_id = (
        lookup(rows["record_id"], contacts[column])
        for column in ("email", "owner_id", "partner_id")
    )
    theirs = people.loc[people["system"] == "salesforce", "email"].dropna()
    signs = {
        "sync error: its stored Salesforce id leads to no record": partner_id.notna(),
        "duplicate rule: Salesforce has its address under another name": email.isin(theirs),
        "no owner": owner_id.isna(),
    }
    causes = np.select(list(signs.values()), list(signs), "never sent")
    return pd.Series(causes, index=rows.index, dtype="str")
