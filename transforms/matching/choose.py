"""Choose: records of one person inside a system, rivals of a pair, one partner for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from transforms.matching.model import UNIT, Scores
from transforms.matching.records import Codes

# More records of one person than this in one system: a bad key, and nothing is joined by it.
MOST_DUPLICATES = 8

# Rivals' scores are told apart in steps of half a unit of log odds, from -8 to 12.
_LOW, _STEP, _COUNT = -8 * UNIT, UNIT // 2, 41
NO_SCORE = int(np.iinfo(np.int64).min)


def clusters(left: Codes, right: Codes, score: Scores, count: int) -> Codes:
    """Number the people inside each system: records that are linked to one another, surely.

    A record joins the group in which every tie is its own: a chain that is longer than it is
    tied (A like B, B like C, A unlike C) is cut back to its best pairs.
    """
    group = _components(left, right, count)
    members = np.bincount(group, minlength=count)
    ties = np.bincount(group[left], minlength=count)
    is_whole = ties == members * (members - 1) // 2
    is_good = is_whole[group[left]] & (members[group[left]] <= MOST_DUPLICATES)
    best = matching(left, right, score, count)
    is_kept = is_good | best
    return _components(left[is_kept], right[is_kept], count)


def _components(left: Codes, right: Codes, count: int) -> Codes:
    """Number connected records; a group bears the number of its first row."""
    edges = (np.ones(len(left), dtype=np.int8), (left, right))
    label = connected_components(coo_matrix(edges, shape=(count, count)), directed=False)[1]
    first = np.full(count, count, dtype=np.int64)
    np.minimum.at(first, label, np.arange(count))
    group: Codes = first[label]
    return group


def matching(
    left: Codes, right: Codes, score: Scores, count: int, tie: Codes | None = None
) -> NDArray[np.bool_]:
    """Tell the pairs that are chosen, the best first, each node at most once.

    Nodes are numbers below `count`, a pair's two in any order. Of pairs with the same score the
    one with the lower `tie` goes first, by default the one of the lower nodes.
    """
    ties = (tie,) if tie is not None else (np.maximum(left, right), np.minimum(left, right))
    order = np.lexsort((*ties, -score))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    chosen = np.zeros(len(left), dtype=bool)
    open_ = np.arange(len(left))
    while len(open_):
        best = np.full(count, len(left), dtype=np.int64)
        np.minimum.at(best, left[open_], rank[open_])
        np.minimum.at(best, right[open_], rank[open_])
        is_best = (best[left[open_]] == rank[open_]) & (best[right[open_]] == rank[open_])
        won = open_[is_best]
        chosen[won] = True
        taken = np.zeros(count, dtype=bool)
        taken[left[won]] = taken[right[won]] = True
        open_ = open_[~(taken[left[open_]] | taken[right[open_]])]
    return chosen


def rivals(hubspot: Codes, salesforce: Codes, score: Scores, count: int) -> NDArray[np.int8]:
    """Say how good each pair's rivals are: the better side's best, and the other side's.

    A rival is a pair of one of the two people with somebody else; a pair of people counts once,
    by its best records. Two columns of steps, the higher first; 0 where there is none.
    """
    distinct, at = np.unique(hubspot * count + salesforce, return_inverse=True)
    best = np.full(len(distinct), NO_SCORE, dtype=np.int64)
    np.maximum.at(best, at, score)
    people = (distinct // max(count, 1), distinct % max(count, 1))
    sides = [_best_other(side, best, count) for side in people]
    found = np.column_stack(sides)[at]
    return np.sort(found, axis=1)[:, ::-1].astype(np.int8)


def _best_other(node: Codes, score: Scores, count: int) -> Codes:
    """Give, for each pair, the best score among the other pairs of its node, in steps."""
    order = np.lexsort((-score, node))
    sorted_node, sorted_score = node[order], score[order]
    is_first = np.r_[True, sorted_node[1:] != sorted_node[:-1]] if len(node) else np.empty(0, bool)
    top = np.full(count, NO_SCORE, dtype=np.int64)
    second = top.copy()
    top[sorted_node[is_first]] = sorted_score[is_first]
    next_ = np.flatnonzero(np.r_[False, is_first[:-1]] & ~is_first) if len(node) else order
    second[sorted_node[next_]] = sorted_score[next_]
    is_top = np.zeros(len(node), dtype=bool)
    is_top[order[is_first]] = True
    return steps(np.where(is_top, second[node], top[node]))


def steps(score: Scores) -> Codes:
    """Put scores into steps from 1 on; 0 for no score."""
    step = np.clip((np.maximum(score, _LOW) - _LOW) // _STEP + 1, 1, _COUNT)
    return np.where(score == NO_SCORE, 0, step)
