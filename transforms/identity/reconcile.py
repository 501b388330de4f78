"""Say who is who: people, then accounts, then the deals between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from agreement.frames import (
    Accounts,
    Aliases,
    Crosswalk,
    DataFrame,
    DealRecords,
    Examined,
    MatchDecisions,
    People,
    Reviews,
    empty,
    lookup,
)
from agreement.policy import Identity
from transforms.identity import links as linking
from transforms.identity.companies import link_companies, with_employers
from transforms.identity.deals import link_deals, spare_deals
from transforms.identity.decisions import decided, followed
from transforms.identity.entities import in_place
from transforms.identity.persons import LastNight, persons
from transforms.identity.settle import Known, settle
from transforms.matching import MatchModel


@dataclass(frozen=True)
class Reconciled:
    """Which records are one, which pairs wait for a person to say so, and what was examined.

    `looked_at` is the number of people's records that were looked at again.
    """

    crosswalk: DataFrame[Crosswalk]
    reviews: DataFrame[Reviews]
    examined: DataFrame[Examined]
    looked_at: int


def reconcile(
    people: DataFrame[People],
    aliases: DataFrame[Aliases],
    accounts: DataFrame[Accounts],
    deal_records: DataFrame[DealRecords],
    *,
    policy: Identity,
    model: MatchModel,
    decisions: DataFrame[MatchDecisions],
    previous: DataFrame[Crosswalk],
    now: datetime,
    waiting: DataFrame[Reviews] | None = None,
    examined: DataFrame[Examined] | None = None,
    rules: str = "",
) -> Reconciled:
    """Link the records of each person, account and deal; every live record is in one row.

    The strongest link first: what a person pinned, stored ids, conversions, what a person accepted,
    what earlier nights linked, exact keys, and what matching finds; a link that contradicts a
    stronger one waits for a person. So two leads that share nothing but a contact stay two.

    By entity, entity id, system, survivor first. An entity keeps the id it had in `previous` as
    long as its first member (by system, kind, id) stays in it; a new one gets an id made from its
    first member. So a second night at the same moment gives the same table, and the order of rows
    never matters. `score` is the share of right links that the rule has shown, for a likely pair
    the share among pairs of its score, when the link was made; `evidence` names the other record.
    `since` is the night that first saw the record under this id. A pair that was `waiting` keeps
    the night that first asked; reviews go by id.

    With what the last night `examined`, only people's records that changed, and those they touch,
    are looked at again; the result is the same as without. What code of other `rules` examined
    counts for nothing. Accounts and deals are few: all are looked at.
    """
    waiting = empty(Reviews) if waiting is None else waiting
    known = Known(aliases, decisions, waiting, followed(previous, aliases), now)
    humans = persons(
        with_employers(people, accounts), policy, model, known,
        LastNight(previous, empty(Examined) if examined is None else examined, rules),
    )  # fmt: skip
    companies, deals = linking.nodes(accounts), linking.nodes(deal_records)
    firms, firms_asked = settle(
        "account", companies, link_companies(companies, aliases, policy, model.words), known
    )
    firms = in_place("account", firms, companies)
    sales, sales_asked = settle("deal", deals, link_deals(deals, aliases, firms), known)
    sales = in_place("deal", sales, deals)
    said = decided("deal", deals, aliases, decisions)
    spare = spare_deals(deals, firms, sales, said, now)
    rows = pd.concat([humans.rows, firms, sales], ignore_index=True)
    asked = pd.concat([humans.asked, firms_asked, sales_asked, spare], ignore_index=True)
    first_asked = lookup(asked["review_id"], waiting.set_index("review_id")["found_at"])
    asked = asked.assign(found_at=first_asked.fillna(asked["found_at"]))
    return Reconciled(
        Crosswalk.validate(rows, lazy=True),
        Reviews.validate(asked.sort_values("review_id", ignore_index=True), lazy=True),
        Examined.validate(humans.examined, lazy=True),
        humans.looked_at,
    )
