"""Link people's records night by night: look again only at those that changed and whom they touch.

Two records touch when one may have a part in what is found of the other: a stored id, a conversion,
a decision or an earlier night joins them, they hold one address, or matching weighed them against
each other. Whoever touches, directly or by way of others, is one neighbourhood, and nothing outside
of it bears on what is found of it. A record's *signature* is one number for all that is read of it,
for how many others hold its values, for what joins it to others, for where it was put and for what
is asked of it. So where no signature of a neighbourhood changed, came or went, everything in it
would be found again as it was; it is left as it is, and the rest is worked out as if with all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.frames import Crosswalk, DataFrame, Examined, Reviews
from agreement.pairs import SIDES
from agreement.policy import Identity
from transforms.identity import links as linking
from transforms.identity.addresses import addresses
from transforms.identity.decisions import TOLD_BY, decided
from transforms.identity.entities import in_place
from transforms.identity.humans import link_humans, match_tables, stored_ids
from transforms.identity.join import components
from transforms.identity.settle import Known, of_merges, settle
from transforms.matching import Index, MatchModel

Flags = NDArray[np.bool_]
Numbers = NDArray[np.uint64]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

# All that is read of a person's record here; what else it says has no part in who it is.
READ = [
    "system", "kind", "record_id", *TOLD_BY["person"], "website", "converted_to", "created_at",
]  # fmt: skip
# Odd numbers that mix well, so that parts of a signature do not cancel out.
_OTHERS, _TIED, _PLACED, _ASKED, _BASIS = np.array(
    [
        0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5,
        0xD6E8FEB86659FD93,
    ],
    dtype=np.uint64,
)  # fmt: skip
# What a person is asked of a pair; the night that first asked has no part in it.
_QUESTION = ["review_id", "score", "rule", "evidence", "keys"]


@dataclass(frozen=True)
class Persons:
    """Rows of the crosswalk, pairs to ask about, and by what each record was examined.

    `looked_at` is the number of records that were looked at again.
    """

    rows: pd.DataFrame
    asked: pd.DataFrame
    examined: pd.DataFrame
    looked_at: int


@dataclass(frozen=True)
class LastNight:
    """What the last night left: links, and by what each record was examined.

    `rules` names the code that looks now: records that other code examined are looked at again.
    """

    crosswalk: DataFrame[Crosswalk]
    examined: DataFrame[Examined]
    rules: str


def persons(
    people: pd.DataFrame, policy: Identity, model: MatchModel, known: Known, last: LastNight
) -> Persons:
    """Say which records of people are one person; who is in no neighbourhood that changed stays."""
    nodes = linking.nodes(people[READ])
    index = Index.of(*match_tables(nodes, policy), model.words)
    # The place among `nodes` of each of the index's records.
    node = nodes.sort_values(["system", "record_id"]).index.to_numpy()
    before = _Places.of(nodes, last.crosswalk)
    ties = _ties(nodes, known)
    basis = f"{last.rules} {model.digest} {policy.model_dump_json()}"
    said = _said(nodes, index.standing[np.argsort(node)], ties, basis)
    held = addresses(nodes, policy)
    touching = [
        (ties["a"].to_numpy(), ties["b"].to_numpy()),
        _stars(held["node"].to_numpy(), held["address"].to_numpy()),
        before.together(),
    ]
    seen = _Seen.of(nodes, last.examined)
    again = seen.to_look_at(
        said + before.numbers() + _asked_of(nodes, known.waiting),
        touching,
        lambda rows: tuple(node[side] for side in index.near(rows[node], model)),
    )
    part = nodes[again].reset_index(drop=True)
    found = index.match(again[node], model)
    alone = before.rows.iloc[before.place[~again]]
    about = replace(
        known,
        previous=_about(part, known.previous),
        elsewhere=frozenset(alone["entity_id"]),
    )
    some, asked = settle("person", part, link_humans(part, known.aliases, policy, found), about)
    rows = in_place("person", pd.concat([alone[some.columns], some], ignore_index=True), nodes)
    after = _Places.of(nodes, rows)
    at = node[again[node]]
    near = at[found.near["a"].to_numpy()], at[found.near["b"].to_numpy()]
    asked = pd.concat([_left(known.waiting, alone), asked], ignore_index=True)
    group = _neighbourhoods(nodes["key"], [*touching[:2], near, after.together()])
    signature = said + after.numbers() + _asked_of(nodes, asked)
    examined = nodes[["system", "kind", "record_id"]].assign(
        signature=signature.astype(np.int64),
        neighbourhood=np.where(again, group, seen.neighbourhood),
    )
    return Persons(rows, asked, examined, looked_at=int(again.sum()))


def _about(part: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of the people that these records were, gone records included."""
    key = linking.keys(crosswalk["system"], crosswalk["kind"], crosswalk["record_id"])
    is_here = pd.Index(part["key"]).get_indexer(pd.Index(key)) >= 0
    people = pd.Index(crosswalk.loc[is_here, "entity_id"].unique())
    return crosswalk[people.get_indexer(pd.Index(crosswalk["entity_id"])) >= 0]


def _left(waiting: DataFrame[Reviews], alone: pd.DataFrame) -> pd.DataFrame:
    """Give the pairs that wait of which both records are left as they are."""
    left_alone = pd.Index(linking.keys(alone["system"], alone["kind"], alone["record_id"]))
    is_left = pd.Series(waiting["entity"] == "person")
    for side in SIDES:
        columns = (waiting[f"{side}_{part}"] for part in ("system", "kind", "id"))
        is_left &= left_alone.get_indexer(pd.Index(linking.keys(*columns))) >= 0
    return waiting[is_left]


# What touches ------------------------------------------------------------------------------------


def _ties(nodes: pd.DataFrame, known: Known) -> pd.DataFrame:
    """List what brings two records together, whatever they say: `a`, `b` and `tie`."""
    said = decided("person", nodes, known.aliases, known.decisions)
    links = pd.concat(
        [
            stored_ids(nodes, known.aliases),
            linking.converted(nodes, known.aliases),
            said.links,
            of_merges("person", nodes, known.waiting),
        ]
    )
    by = links["decided_by"].fillna("")
    return pd.concat(
        [
            links[["a", "b"]].assign(tie=links["rule"] + " " + by),
            said.apart.assign(tie="apart"),
            _of_heirs(nodes, known.previous).assign(tie="heir"),
        ],
        ignore_index=True,
    )


def _of_heirs(nodes: pd.DataFrame, followed: pd.DataFrame) -> pd.DataFrame:
    """Pair each survivor of a merge with the first of the person that it took a record's place in.

    A person of that record alone pairs the survivor with itself.
    """
    rows = followed[followed["entity"] == "person"]
    key = pd.Index(linking.keys(rows["system"], rows["kind"], rows["record_id"]))
    node = pd.Index(nodes["key"]).get_indexer(key)
    is_there = node >= 0
    first, each = _stars(node[is_there], rows["entity_id"].to_numpy(dtype=object)[is_there])
    is_heir = rows["is_heir"].to_numpy()[is_there]
    return pd.DataFrame({"a": first[is_heir], "b": each[is_heir]})


def _stars(node: NDArray[np.int64], value: NDArray[np.object_]) -> Pairs:
    """Pair each record with the first that has the same value."""
    code, distinct = pd.factorize(value)
    first = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(first, code, node)
    return first[code], node


# Signatures --------------------------------------------------------------------------------------


def _said(nodes: pd.DataFrame, standing: Numbers, ties: pd.DataFrame, basis: str) -> Numbers:
    """Give one number per record for all that is known of it but what the last night found."""
    tied = np.zeros(len(nodes), dtype=np.uint64)
    key = pd.util.hash_array(nodes["key"].to_numpy(dtype=object))
    tie = pd.util.hash_array(ties["tie"].to_numpy(dtype=object))
    for side, other in (("a", "b"), ("b", "a")):
        np.add.at(tied, ties[side].to_numpy(), (key[ties[other].to_numpy()] ^ tie) * _TIED)
    own = pd.util.hash_pandas_object(nodes[READ], index=False).to_numpy()
    on = pd.util.hash_array(np.array([basis], dtype=object))
    whole: Numbers = own + standing * _OTHERS + tied * _TIED + on * _BASIS
    return whole


def _asked_of(nodes: pd.DataFrame, reviews: pd.DataFrame) -> Numbers:
    """Give one number per record for the pairs that wait of which it is one; 0 where none does."""
    rows = reviews[reviews["entity"] == "person"]
    number = pd.util.hash_pandas_object(rows[_QUESTION], index=False).to_numpy()
    asked = np.zeros(len(nodes), dtype=np.uint64)
    for side in SIDES:
        columns = (rows[f"{side}_{part}"] for part in ("system", "kind", "id"))
        node = pd.Index(nodes["key"]).get_indexer(pd.Index(linking.keys(*columns)))
        np.add.at(asked, node[node >= 0], number[node >= 0])
    numbers: Numbers = asked * _ASKED
    return numbers


@dataclass(frozen=True)
class _Places:
    """Where a crosswalk put people: its `rows`, and each record's `place` among them, or -1."""

    rows: pd.DataFrame
    place: NDArray[np.int64]

    @classmethod
    def of(cls, nodes: pd.DataFrame, crosswalk: pd.DataFrame) -> _Places:
        rows = crosswalk[crosswalk["entity"] == "person"]
        key = pd.Index(linking.keys(rows["system"], rows["kind"], rows["record_id"]))
        return cls(rows, key.get_indexer(pd.Index(nodes["key"])).astype(np.int64))

    def together(self) -> Pairs:
        """Pair each record with the first of its person."""
        node = np.flatnonzero(self.place >= 0)
        return _stars(node, self.rows["entity_id"].to_numpy(dtype=object)[self.place[node]])

    def numbers(self) -> Numbers:
        """Give one number per record for its row; 0 where it has none."""
        columns = list(Crosswalk.to_schema().columns)
        number = pd.util.hash_pandas_object(self.rows[columns], index=False).to_numpy()
        numbers: Numbers = (
            np.where(self.place >= 0, np.r_[number, np.uint64(0)][self.place], 0) * _PLACED
        )
        return numbers


# What was seen -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """By what each record was last examined; `gone` are neighbourhoods of records that are not."""

    is_known: Flags
    signature: NDArray[np.int64]
    neighbourhood: NDArray[np.int64]
    gone: NDArray[np.int64]

    @classmethod
    def of(cls, nodes: pd.DataFrame, examined: DataFrame[Examined]) -> _Seen:
        key = pd.Index(linking.keys(examined["system"], examined["kind"], examined["record_id"]))
        at = key.get_indexer(pd.Index(nodes["key"]))
        signature, neighbourhood = (
            np.r_[examined[name].to_numpy(), 0] for name in ("signature", "neighbourhood")
        )
        is_gone = np.ones(len(examined), dtype=bool)
        is_gone[at[at >= 0]] = False
        return cls(at >= 0, signature[at], neighbourhood[at], neighbourhood[:-1][is_gone])

    def to_look_at(
        self, signature: Numbers, touching: list[Pairs], near: Callable[[Flags], Pairs]
    ) -> Flags:
        """Tell the records of neighbourhoods in which one changed, came or went.

        What touches a record that changed is known only now; what touches any other is in its
        neighbourhood already.
        """
        is_changed: Flags = ~self.is_known | (self.signature != signature.astype(np.int64))
        if is_changed.all():
            return is_changed
        is_reached = is_changed.copy()
        for one, other in (*touching, near(is_changed)):
            is_reached[other[is_changed[one]]] = True
            is_reached[one[is_changed[other]]] = True
        touched = np.r_[self.neighbourhood[is_reached & self.is_known], self.gone]
        again: Flags = is_reached | (self.is_known & np.isin(self.neighbourhood, touched))
        return again


def _neighbourhoods(key: pd.Series, touching: list[Pairs]) -> NDArray[np.int64]:
    """Number the neighbourhoods by the keys of their first members."""
    one, other = (np.concatenate(side) for side in zip(*touching, strict=True))
    group = components(one, other, len(key))
    first = np.full(len(key), len(key))
    np.minimum.at(first, group, np.arange(len(key)))
    number = pd.util.hash_array(key.to_numpy(dtype=object)).astype(np.int64)
    numbers: NDArray[np.int64] = number[first[group]]
    return numbers
