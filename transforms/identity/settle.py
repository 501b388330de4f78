"""Settle who is one entity: the links that hold, the rows they make, and what a person is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from agreement.frames import Aliases, DataFrame, MatchDecisions, Reviews
from agreement.pairs import SIDES
from transforms.identity import links as linking
from transforms.identity.decisions import decided, kept
from transforms.identity.doubts import doubts
from transforms.identity.entities import entities
from transforms.identity.join import Joined, join


@dataclass(frozen=True)
class Known:
    """What links of every entity stand on, whatever rules it has of its own.

    `previous` are the last night's rows as `followed` gives them, `elsewhere` ids of entities that
    none of the records at hand is in.
    """

    aliases: DataFrame[Aliases]
    decisions: DataFrame[MatchDecisions]
    waiting: DataFrame[Reviews]
    previous: pd.DataFrame
    now: datetime
    elsewhere: frozenset[str] = frozenset()


def settle(
    entity: str, nodes: pd.DataFrame, found: linking.Found, known: Known
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the records of one entity; give its rows of the crosswalk, and those to ask about."""
    said = decided(entity, nodes, known.aliases, known.decisions)
    before = kept(entity, nodes, known.previous, said)
    every = pd.concat([said.links, before, found.links], ignore_index=True)
    kin, doubtful = found.kin, found.doubtful
    if kin is not None:
        kin = pd.concat([kin, _inside(said.links, nodes), _inside(before, nodes)])
    joined = join(every, said.apart, nodes["system"], kin)
    if kin is None:
        doubtful = _open(doubtful, joined, nodes)
    doubtful = pd.concat([of_merges(entity, nodes, known.waiting), doubtful], ignore_index=True)
    rows = entities(entity, nodes, joined, known.previous, known.now, known.elsewhere)
    return rows, doubts(entity, nodes, joined, doubtful, found.words, said.apart, known.now)


def of_merges(entity: str, nodes: pd.DataFrame, waiting: DataFrame[Reviews]) -> pd.DataFrame:
    """Give the links that a merge brought along and that still wait: the next night sees no merge.

    As links by position, of records that are still there.
    """
    rows = waiting[(waiting["entity"] == entity) & (waiting["rule"] == linking.MERGED)]
    found = pd.DataFrame(
        {
            side: linking.positions(
                linking.keys(*(rows[f"{of}_{part}"] for part in ("system", "kind", "id"))), nodes
            )
            for side, of in zip(("a", "b"), SIDES, strict=True)
        }
    ).dropna()
    return linking.links(found["a"].to_numpy(), found["b"].to_numpy(), linking.MERGED)


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
