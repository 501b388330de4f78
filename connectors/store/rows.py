"""Frames to rows and back: whole columns at a time, equal frames from both databases."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Insert, Select, Table, type_coerce
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import NullType

from agreement.frames import as_utc
from connectors.store.columns import UTC_MICROSECONDS

_FETCH = 20_000
_HASH_KEYS = ("tandem-row-hash1", "tandem-row-hash2")

Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut into lists of at most `size`, in order."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Begin an insert that can say what to do when the key is there, as this database does."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def insert_new(connection: Connection, table: Table) -> Insert:
    """Begin an insert that leaves a row alone whose key is there."""
    return upsert(connection, table).on_conflict_do_nothing()


def fetch_frame(
    connection: Connection, query: Select[Any], types: Mapping[str, str]
) -> pd.DataFrame:
    """Read a query's rows into a frame, in the query's order.

    Args:
        connection: where to read.
        query: its columns stand in the order of `types`.
        types: name and pandas type of each column.
    """
    # The driver's own values are read: making a Python object of each cell first costs more than
    # the database does. Parts keep the Python objects of a large table few.
    raw = query.with_only_columns(
        *(type_coerce(column, NullType()) for column in query.selected_columns)
    )
    with connection.execute(raw, execution_options={"stream_results": True}) as result:
        parts = [_frame(list(zip(*rows, strict=True)), types) for rows in result.partitions(_FETCH)]
    return pd.concat(parts, ignore_index=True) if parts else empty_frame(types)


def empty_frame(types: Mapping[str, str]) -> pd.DataFrame:
    """Give a frame of these columns without rows."""
    return _empty(tuple(types.items())).copy()


@lru_cache(maxsize=128)
def _empty(types: tuple[tuple[str, str], ...]) -> pd.DataFrame:
    return _frame([[] for _ in types], dict(types))


def _frame(columns: Sequence[Sequence[Any]], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: as_utc(values) if dtype == UTC_MICROSECONDS else pd.Series(values, dtype=dtype)
            for (name, dtype), values in zip(types.items(), columns, strict=True)
        }
    )


def rows_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Give a frame's rows as plain Python values by column name, missing as None."""
    names = list(frame.columns)
    columns = [_plain(frame[name]) for name in names]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _plain(column: pd.Series) -> list[Any]:
    values: list[Any] = column.astype(object).where(column.notna(), None).tolist()
    return values


def row_hashes(frame: pd.DataFrame) -> pd.Series:
    """Give a text per row, equal exactly when the whole row is; repeats of a row are numbered.

    128 bits: in a table of ten million rows, two different ones meet once in 10^24 tables. Texts
    are Python's own, in which pandas finds others many times faster.
    """
    halves = [
        pd.util.hash_pandas_object(frame, index=False, hash_key=key).to_numpy()
        for key in _HASH_KEYS
    ]
    whole = np.column_stack(halves).astype(">u8").tobytes().hex()
    cut = [whole[place : place + 32] for place in range(0, len(whole), 32)]
    texts = pd.Series(cut, index=frame.index, dtype=object)
    if not texts.duplicated().any():
        return texts
    repeat = texts.groupby(texts).cumcount()
    return texts.where(repeat == 0, texts + "-" + repeat.astype(str))
