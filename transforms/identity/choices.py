"""Companies and deals of which several, or only weak signs, fit: what a person is asked."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from transforms.identity import links as linking

# So many partners are shown for one record at most, the likeliest.
_MOST_ASKED = 3


def in_doubt(
    pairs: pd.DataFrame, columns: Mapping[str, str], rule: pd.Series, alone: pd.Series
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the pairs to ask about, the likeliest few of each record, and how their fields agree.

    `pairs` hold `node`, `node_other` and both sides of `columns` (by the word for each). Of several
    partners each is as likely; one that is `alone` is worth what that says. More fields that agree
    go first, then the partner that was there first, then the lower position.
    """
    likeness = pd.concat([linking.agrees(pairs, column) for column in columns.values()], axis=1)
    size = pairs.groupby("node")["node"].transform("size")
    ordered = pairs.assign(
        likeness=likeness.sum(axis=1),
        score=(1.0 / size).where(size > 1, alone),
        rule=rule,
    ).sort_values(
        ["node", "likeness", "created_at_other", "node_other"], ascending=[True, False, True, True]
    )
    asked = ordered[ordered.groupby("node").cumcount() < _MOST_ASKED].reset_index(drop=True)
    doubtful = linking.likely(asked["node"], asked["node_other"], asked["rule"], asked["score"])
    return doubtful, linking.in_order(doubtful[["a", "b"]].assign(words=told(asked, columns)))


def told(pairs: pd.DataFrame, columns: Mapping[str, str]) -> pd.Series:
    """Say in one line how both sides of the columns agree; what is missing is left out."""
    said = pd.Series("", index=pairs.index)
    for word, column in columns.items():
        level = (
            pd.Series("", index=pairs.index)
            .mask(linking.agrees(pairs, column), f"; {word} equal")
            .mask(linking.differs(pairs, column), f"; {word} different")
        )
        said = said.str.cat(level)
    return said.str.removeprefix("; ").astype("str")
