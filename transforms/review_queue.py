"""Rank what waits for a person by what an answer is worth: how open it is, and what hangs on it."""

import pandas as pd

from agreement.frames import (
    Conflicts,
    Crosswalk,
    DataFrame,
    DealPeople,
    Deals,
    HandoffStatus,
    ReviewQueue,
    Reviews,
    lookup,
)
from transforms.identity.doubts import CONTRADICTS

_LOST = "lost"
_OPEN_CLOCKS = ("waiting", "late")


def match_queue(
    reviews: DataFrame[Reviews],
    crosswalk: DataFrame[Crosswalk],
    deals: DataFrame[Deals],
    deal_people: DataFrame[DealPeople],
    handoffs: DataFrame[HandoffStatus],
) -> DataFrame[ReviewQueue]:
    """Rank the pairs that wait, the answer that is worth most first.

    One row per open review. At stake are the open and won deals of both records' people, accounts
    or deals, each once, in company currency, and their handoffs that nobody has touched. Worth is
    the uncertainty (1 where the score is .5, 0 where it is sure; 1 where a stronger link says the
    contrary, since the score does not know of it) times the amount, a handoff
    counting as a typical deal: the median of those with an amount. Where nothing is at stake, the
    more uncertain goes first; on a tie the lower id.
    """
    waiting = reviews[reviews["ended_at"].isna()]
    asked = pd.concat([_side(waiting, crosswalk, side) for side in ("left", "right")])
    uncertainty = 1 - (2 * waiting["score"] - 1).abs()
    uncertainty = uncertainty.mask(waiting["evidence"].str.startswith(CONTRADICTS), 1.0)
    return _ranked(waiting["review_id"], uncertainty, asked, deals, deal_people, handoffs)


def conflict_queue(
    conflicts: DataFrame[Conflicts],
    deals: DataFrame[Deals],
    deal_people: DataFrame[DealPeople],
    handoffs: DataFrame[HandoffStatus],
) -> DataFrame[ReviewQueue]:
    """Rank conflicts of shared fields in the same way; which side is right is wholly open."""
    asked = conflicts[["conflict_id", "entity", "entity_id"]].rename(columns={"conflict_id": "id"})
    uncertainty = pd.Series(1.0, index=conflicts.index)
    return _ranked(conflicts["conflict_id"], uncertainty, asked, deals, deal_people, handoffs)


def _side(waiting: pd.DataFrame, crosswalk: pd.DataFrame, side: str) -> pd.DataFrame:
    """Find the person, account or deal of one side's record; one without is left out."""
    names = ["entity", "system", "kind", "record_id"]
    keys = crosswalk[names[0]].str.cat([crosswalk[name] for name in names[1:]], sep=" ")
    entity_ids = crosswalk["entity_id"].set_axis(keys)
    wanted = waiting["entity"].str.cat(
        [waiting[f"{side}_{part}"] for part in ("system", "kind", "id")], sep=" "
    )
    rows = pd.DataFrame(
        {
            "id": waiting["review_id"],
            "entity": waiting["entity"],
            "entity_id": lookup(wanted, entity_ids),
        }
    )
    return rows.dropna()


def _ranked(
    ids: pd.Series,
    uncertainty: pd.Series,
    asked: pd.DataFrame,
    deals: pd.DataFrame,
    deal_people: pd.DataFrame,
    handoffs: pd.DataFrame,
) -> DataFrame[ReviewQueue]:
    live = deals[deals["state"] != _LOST]
    amount = _amounts(asked, live, deal_people)
    count = _open_handoffs(asked, handoffs)
    typical = live.loc[live["company_minor"] > 0, "company_minor"].median()
    frame = pd.DataFrame(
        {
            "id": ids.astype("str"),
            "uncertainty": uncertainty.astype("float64"),
            "amount_minor": lookup(ids, amount).fillna(0).astype("int64"),
            "handoff_count": lookup(ids, count).fillna(0).astype("int64"),
        }
    )
    a_handoff = 1.0 if pd.isna(typical) else float(typical)
    at_stake = frame["amount_minor"] + frame["handoff_count"] * a_handoff
    frame = frame.assign(worth=frame["uncertainty"] * at_stake)
    ordered = frame.sort_values(["worth", "uncertainty", "id"], ascending=[False, False, True])
    return ReviewQueue.validate(ordered.reset_index(drop=True), lazy=True)


def _amounts(asked: pd.DataFrame, live: pd.DataFrame, deal_people: pd.DataFrame) -> pd.Series:
    """Sum the deals that hang on each id, each deal once."""
    of = dict(list(asked.groupby("entity")))
    none = asked.iloc[:0]
    people = of.get("person", none).merge(
        deal_people[["person_id", "deal_id"]], left_on="entity_id", right_on="person_id"
    )
    accounts = of.get("account", none).merge(
        live[["account_id", "deal_id"]], left_on="entity_id", right_on="account_id"
    )
    own = of.get("deal", none).rename(columns={"entity_id": "deal_id"})
    hanging = pd.concat([rows[["id", "deal_id"]] for rows in (people, accounts, own)])
    priced = hanging.drop_duplicates().merge(live[["deal_id", "company_minor"]], on="deal_id")
    return priced.groupby("id")["company_minor"].sum()


def _open_handoffs(asked: pd.DataFrame, handoffs: pd.DataFrame) -> pd.Series:
    untouched = handoffs[handoffs["touched_at"].isna() & handoffs["status"].isin(_OPEN_CLOCKS)]
    people = asked[asked["entity"] == "person"].drop_duplicates(["id", "entity_id"])
    hanging = people.merge(untouched[["person_id"]], left_on="entity_id", right_on="person_id")
    return hanging.groupby("id").size()
