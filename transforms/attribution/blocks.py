"""Paths laid out for arithmetic: deals whose paths have one length stand together as one matrix."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
# What a missing instant is in microseconds: earlier than every touch, so that none is before it.
NEVER = int(np.iinfo(np.int64).min)
# A block of this many touches stays in the processor's cache; the result does not depend on it.
_TOUCHES_PER_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class PathTable:
    """The touches of all deals, by deal and inside a deal in the order of rules A2.

    Deal `d` owns the touches `first[d]` up to `first[d + 1]`. Instants are UTC microseconds,
    `NEVER` where missing; channels are numbered from 0.
    """

    first: Whole
    touched_at: Whole
    channel: NDArray[Any]
    lead_created_at: Whole
    deal_created_at: Whole


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Deals with paths of one length. In matrices a row is a place on the path, a column a deal."""

    length: int
    deals: Whole
    rows: Whole
    touched_at: Whole
    channel: NDArray[Any]
    lead_created_at: Whole
    deal_created_at: Whole

    def last_by(self, instants: Whole) -> Whole:
        """Give, per deal, the place of the last touch at or before an instant; -1 when none is."""
        places: Whole = (self.touched_at <= instants).sum(axis=0) - 1
        return places


def blocks(
    table: PathTable,
    deals: Whole | None = None,
    touches_per_block: int = _TOUCHES_PER_BLOCK,
) -> Iterator[Block]:
    """Cut a table, or some of its deals, into blocks; deals without a touch are in none."""
    chosen = np.arange(len(table.first) - 1) if deals is None else deals
    lengths = np.diff(table.first)[chosen]
    order = np.argsort(lengths, kind="stable")
    by_length, ordered = chosen[order], lengths[order]
    for length in np.unique(ordered[ordered > 0]).tolist():
        begin, end = np.searchsorted(ordered, [length, length + 1])
        step = max(1, touches_per_block // length)
        for start in range(begin, end, step):
            yield _block(table, length, by_length[start : min(start + step, end)])


def _block(table: PathTable, length: int, deals: Whole) -> Block:
    rows = table.first[deals] + np.arange(length)[:, None]
    return Block(
        length=length,
        deals=deals,
        rows=rows,
        touched_at=table.touched_at[rows],
        channel=table.channel[rows],
        lead_created_at=table.lead_created_at[deals],
        deal_created_at=table.deal_created_at[deals],
    )
