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
    MatchDecisions,
    People,
    Reviews,
)
from agreement.policy import Identity
from transforms.identity import links as linking
from transforms.identity.companies import link_companies, with_employers
from transforms.identity.deals import link_deals
from transforms.identity.decisions import decided, kept
from transforms.identity.doubts import doubts, with_levels
from transforms.identity.entities import entities
from transforms.identity.humans import link_humans, match_tables
from transforms.identity.join import join
from transforms.matching import MatchModel


@dataclass(frozen=True)
class Reconciled:
    """Which records are one, and which pairs wait for a person to say so."""

    crosswalk: DataFrame[Crosswalk]
    reviews: DataFrame[Reviews]


@dataclass(frozen=True)
class _Known:
    """What links of every entity stand on, whatever rules it has of its own."""

    aliases: DataFrame[Aliases]
    decisions: DataFrame[MatchDecisions]
    previous: DataFrame[Crosswalk]
    now: datetime


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
    `since` is the night that first saw the record under this id.
    """
    known = _Known(aliases, decisions, previous, now)
    humans = linking.nodes(with_employers(people, accounts))
    found = link_humans(humans, aliases, policy, model)
    persons, asked = _entity("person", humans, found.links, known, found.kin, found.doubtful)
    companies = linking.nodes(accounts)
    by_rule = link_companies(companies, aliases, policy, model.words)
    firms, more = _entity("account", companies, by_rule, known)
    deals = linking.nodes(deal_records)
    sales, most = _entity("deal", deals, link_deals(deals, aliases, firms), known)
    reviews = Reviews.validate(pd.concat([asked, more, most], ignore_index=True), lazy=True)
    return Reconciled(
        Crosswalk.validate(pd.concat([persons, firms, sales], ignore_index=True), lazy=True),
        with_levels(reviews, *match_tables(humans, policy), model),
    )


def _entity(
    entity: str,
    nodes: pd.DataFrame,
    by_rule: pd.DataFrame,
    known: _Known,
    kin: pd.DataFrame | None = None,
    doubtful: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the records of one entity; give its rows of the crosswalk, and those to ask about."""
    said = decided(entity, nodes, known.aliases, known.decisions)
    before = kept(entity, nodes, known.previous)
    every = pd.concat([said.links, before, by_rule], ignore_index=True)
    if kin is not None:
        kin = pd.concat([kin, _inside(said.links, nodes), _inside(before, nodes)])
    joined = join(every, said.apart, nodes["system"], kin)
    rows = entities(entity, nodes, joined, known.previous, known.now)
    nothing = every.iloc[:0] if doubtful is None else doubtful
    return rows, doubts(entity, nodes, joined, nothing, said.apart, known.now)


def _inside(links: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    system = nodes["system"].to_numpy()
    is_inside = system[links["a"].to_numpy()] == system[links["b"].to_numpy()]
    return links.loc[is_inside, ["a", "b"]]
