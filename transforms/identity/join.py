"""Join linked records, the strongest link first; what contradicts a stronger one is left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from transforms.identity.links import PIN

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Joined:
    """Which entity each record is in (`cluster`, by position), and what became of the links.

    `used` link two records of one entity. `refused` would have joined two that contradict.
    """

    cluster: Labels
    used: pd.DataFrame
    refused: pd.DataFrame


def components(a: object, b: object, count: int) -> Labels:
    """Number connected records."""
    left, right = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    weights = np.ones(len(left), dtype=np.int8)
    graph = coo_matrix((weights, (left, right)), shape=(count, count))
    found: Labels = (
        connected_components(graph, directed=False)[1].astype(np.int64)
        if count
        else np.empty(0, dtype=np.int64)
    )
    return found


def join(
    links: pd.DataFrame, apart: pd.DataFrame, system: pd.Series, kin: pd.DataFrame | None = None
) -> Joined:
    """Join records by their links, but never two that people keep apart.

    With `kin` (pairs of one system that are one by themselves) neither are two records of one
    system joined by way of a third: each of them has its own partner, and the stronger link stays.
    Only a pin joins whatever it joins.
    """
    count = len(system)
    links = links.sort_values(["rank", "score", "a", "b"], ascending=[True, False, True, True])
    links = links.reset_index(drop=True)
    whole = components(links["a"], links["b"], count)
    group = components(kin["a"], kin["b"], count) if kin is not None else None
    doubtful = _doubtful(whole, apart, system, group)
    is_doubtful = doubtful[whole[links["a"].to_numpy()]] if count else np.zeros(0, dtype=bool)
    some = links[is_doubtful]
    is_used = np.ones(len(links), dtype=bool)
    is_used[is_doubtful] = _chosen(some, apart, system.to_numpy(), group)
    used = links[is_used]
    cluster = components(used["a"], used["b"], count)
    rest = links[~is_used]
    is_apart = cluster[rest["a"].to_numpy()] != cluster[rest["b"].to_numpy()]
    return Joined(cluster, used.reset_index(drop=True), rest[is_apart].reset_index(drop=True))


def _doubtful(
    whole: Labels, apart: pd.DataFrame, system: pd.Series, group: Labels | None
) -> NDArray[np.bool_]:
    """Tell the clusters in which a link may have to be left out."""
    doubtful = np.zeros(int(whole.max(initial=-1)) + 1, dtype=bool)
    a, b = apart["a"].to_numpy(), apart["b"].to_numpy()
    doubtful[whole[a][whole[a] == whole[b]]] = True
    if group is not None:
        rows = pd.DataFrame({"whole": whole, "system": system.to_numpy(), "group": group})
        several = rows.drop_duplicates().groupby(["whole", "system"]).size()
        doubtful[several[several > 1].index.get_level_values("whole").to_numpy()] = True
    return doubtful


def _chosen(
    links: pd.DataFrame, apart: pd.DataFrame, system: NDArray[np.object_], group: Labels | None
) -> NDArray[np.bool_]:
    """Take the links of doubtful clusters one by one, the strongest first.

    These clusters are few; a rule that looks at what was joined before has no whole-column form.
    """
    enemies: dict[int, set[int]] = {}
    for one, other in zip(apart["a"].tolist(), apart["b"].tolist(), strict=True):
        enemies.setdefault(one, set()).add(other)
        enemies.setdefault(other, set()).add(one)
    members: dict[int, set[int]] = {}
    is_used = []
    for one, other, rank in zip(
        links["a"].tolist(), links["b"].tolist(), links["rank"].tolist(), strict=True
    ):
        mine, theirs = members.setdefault(one, {one}), members.setdefault(other, {other})
        fits = mine is theirs or _fits(mine, theirs, enemies, system, group, is_pin=rank == PIN)
        is_used.append(fits)
        if fits and mine is not theirs:
            mine |= theirs
            members.update(dict.fromkeys(theirs, mine))
    return np.array(is_used, dtype=bool)


def _fits(
    mine: set[int],
    theirs: set[int],
    enemies: dict[int, set[int]],
    system: NDArray[np.object_],
    group: Labels | None,
    *,
    is_pin: bool,
) -> bool:
    if is_pin:
        return True
    if any(enemies.get(one, set()) & theirs for one in mine):
        return False
    if group is None:
        return True
    groups = {(system[one], group[one]) for one in mine}
    others = {(system[one], group[one]) for one in theirs}
    shared = {where for where, _ in groups} & {where for where, _ in others}
    return shared <= {where for where, _ in groups & others}
