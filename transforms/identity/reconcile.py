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
from transforms.identity.doubts import doubts
from transforms.identity.entities import entities
from transforms.identity.humans import link_humans
from transforms.identity.join import Joined, join
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
    companies, deals = linking.nodes(accounts), linking.nodes(deal_records)
    persons = _entity("person", humans, link_humans(humans, aliases, policy, model), known)
    firms = _entity(
        "account", companies, link_companies(companies, aliases, policy, model.words), known
    )
    sales = _entity("deal", deals, link_deals(deals, aliases, firms[0]), known)
    rows, asked = (
        pd.concat(parts, ignore_index=True) for parts in zip(persons, firms, sales, strict=True)
    )
    return Reconciled(
        Crosswalk.validate(rows, lazy=True),
        Reviews.validate(asked, lazy=True),
    )


def _entity(
    entity: str,
    nodes: pd.DataFrame,
    found: linking.Found,
    known: _Known,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the records of one entity; give its rows of the crosswalk, and those to ask about."""
    said = decided(entity, nodes, known.aliases, known.decisions)
    before = kept(entity, nodes, known.previous)
    every = pd.concat([said.links, before, found.links], ignore_index=True)
    kin, doubtful = found.kin, found.doubtful
    if kin is not None:
        kin = pd.concat([kin, _inside(said.links, nodes), _inside(before, nodes)])
    joined = join(every, said.apart, nodes["system"], kin)
    if kin is None:
        doubtful = _open(doubtful, joined, nodes)
    rows = entities(entity, nodes, joined, known.previous, known.now)
    return rows, doubts(entity, nodes, joined, doubtful, found.words, said.apart, known.now)


def _open(doubtful: pd.DataFrame, joined: Joined, nodes: pd.DataFrame) -> pd.DataFrame:
    """Leave out the pairs of which one record has found its partner in the other system."""
    systems = nodes["system"].groupby(joined.cluster).nunique()
    has_partner = systems.to_numpy()[joined.cluster] > 1
    is_open = ~has_partner[doubtful["a"].to_numpy()] & ~has_partner[doubtful["b"].to_numpy()]
    return doubtful[is_open]


def _inside(links: pd.DataFrame, nodes: pd.DataFrame) -> pd.DataFrame:
    system = nodes["system"].to_numpy()
    is_inside = system[links["a"].to_numpy()] == system[links["b"].to_numpy()]
    return links.loc[is_inside, ["a", "b"]]
