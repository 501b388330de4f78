"""`tandem calc credit` on Parquet files: any number of deals, in bounded memory for the results."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from agreement.errors import BadInput
from agreement.frames import as_utc
from agreement.policy import MODELS, Attribution
from flows.calc_credit import (
    TEAMS,
    Book,
    Config,
    book_of,
    checked,
    company_minor,
    credit_policy,
    exact_amount,
    models_of,
    refuse_repeats,
    split_book,
)
from transforms import attribution

_DEAL_COLUMNS = ("id", "amount", "currency", "closed_at")
_DEAL_OPTIONS = ("lead_created_at", "deal_created_at", "closed_on")
_TOUCH_COLUMNS = ("deal_id", "id", "at", "channel", "team")
# Results are written in pieces of this many touches per model.
_TOUCHES_PER_PIECE = 250_000
_SCHEMA = pa.schema(
    [
        ("deal_id", pa.string()),
        ("id", pa.string()),
        ("model", pa.dictionary(pa.int8(), pa.string())),
        ("channel", pa.dictionary(pa.int32(), pa.string())),
        ("team", pa.dictionary(pa.int8(), pa.string())),
        ("weight", pa.float64()),
        ("minor", pa.int64()),
    ]
)


def calc_credit_parquet(
    deals: Path, touches: Path, out: Path, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Share every deal of one file over its touches in another; write and sum up the credits.

    Columns are named as the JSON keys; `touches` has `deal_id`. Prices are text, decimals or whole
    numbers. `out` has one row per deal, model and touch in order; a deal without a touch has one
    row of channel and team `unknown`, `id` missing. Gives counts, and credit per model and team.

    Raises:
        BadInput: one line that names the file, the row or column, and what is wrong.
    """
    settings = checked(Config, config, "config")
    models = models_of(settings, MODELS, "config")
    _refuse_to_write(out, (deals, touches))
    deal_frame = _deals(deals)
    amounts = _amounts(deal_frame, settings, deals)
    deal_frame = deal_frame.drop(columns=["amount", "currency", "closed_on"])
    book = _book(deal_frame, amounts, touches, settings)
    policy = credit_policy(settings, models)
    sums: dict[str, dict[str, int]] = {
        model: dict.fromkeys((*TEAMS, attribution.UNKNOWN), 0) for model in models
    }
    rows = 0
    with pq.ParquetWriter(out, _SCHEMA) as writer:
        for start, piece in _pieces(book):
            for model in models:
                table, by_team = _credit(start, piece, deal_frame["id"], model, policy)
                writer.write_table(table)
                rows += table.num_rows
                for team, minor in by_team.items():
                    sums[model][team] += minor
    return {
        "deals": len(deal_frame),
        "touches": len(book.touch_id),
        "rows": rows,
        "amount_minor": sum(amounts.tolist()),
        "models": {model: {"teams": teams} for model, teams in sums.items()},
    }


def _refuse_to_write(out: Path, inputs: Sequence[Path]) -> None:
    if not out.absolute().parent.is_dir():
        raise BadInput(f"{out}: there is no such folder to write to")
    if out.resolve() in [path.resolve() for path in inputs]:
        raise BadInput(f"{out}: this is a file to read; name another one to write")


def _read(path: Path, columns: tuple[str, ...], options: tuple[str, ...]) -> pd.DataFrame:
    try:
        schema = pq.read_schema(path)
        missing = [name for name in columns if name not in schema.names]
        if missing:
            raise BadInput(f"{path}: no column {missing[0]!r}; it needs {', '.join(columns)}")
        wanted = [name for name in (*columns, *options) if name in schema.names]
        frame = pq.read_table(path, columns=wanted).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path}: cannot be read as Parquet: {error}") from None
    for name in columns:
        if name != "amount" and frame[name].isna().any():
            row = int(np.flatnonzero(frame[name].isna())[0])
            raise BadInput(f"{path}: row {row}: {name} is missing")
    return frame.reindex(columns=[*columns, *options])


def _deals(path: Path) -> pd.DataFrame:
    frame = _read(path, _DEAL_COLUMNS, _DEAL_OPTIONS)
    frame["id"] = frame["id"].astype("str")
    refuse_repeats(frame["id"].tolist(), str(path))
    for name in ("closed_at", "lead_created_at", "deal_created_at"):
        frame[name] = _instants(frame[name], path, name)
    return frame


def _instants(values: pd.Series, path: Path, name: str) -> pd.Series:
    """Read instants; those without a zone are UTC, and a day without a time is none."""
    is_bad = _are_no_times(values)
    if not is_bad.any():
        try:
            return as_utc(values)
        except (ValueError, TypeError, OverflowError):
            read = pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")
            is_bad = read.isna() & values.notna()
    row = int(np.flatnonzero(is_bad)[0])
    raise BadInput(f"{path}: row {row}: {name} is no time; write one such as 2026-03-31T16:00:00Z")


def _are_no_times(values: pd.Series) -> pd.Series:
    """Tell which values are numbers or days: nobody can say when that was."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.Series(data=False, index=values.index)
    if pd.api.types.is_numeric_dtype(values):
        return values.notna()
    return values.notna() & (values.astype("str").str.len() <= len("2026-03-31"))


def _amounts(deals: pd.DataFrame, config: Config, path: Path) -> NDArray[np.int64]:
    """Turn each deal's amount into company currency (A8); equal ones are worked out once."""
    if pd.api.types.is_float_dtype(deals["amount"]) and deals["amount"].notna().any():
        raise BadInput(f"{path}: column amount: prices are text or decimals, never floats")
    by_close = deals["closed_at"].dt.strftime("%Y-%m-%d")
    days = deals["closed_on"].astype("str").where(deals["closed_on"].notna(), by_close)
    keys = pd.DataFrame(
        {"amount": deals["amount"].astype("str"), "currency": deals["currency"], "day": days}
    )
    distinct = keys.drop_duplicates()
    minor = [
        _amount(amount, currency, day, f"{path}: row {row}", config)
        for row, (amount, currency, day) in zip(
            distinct.index, distinct.to_numpy(dtype=object).tolist(), strict=True
        )
    ]
    whole = distinct.assign(minor=np.array(minor, dtype=np.int64))
    found = keys.merge(whole, how="left", on=list(keys.columns))["minor"]
    amounts: NDArray[np.int64] = found.to_numpy(dtype=np.int64)
    return amounts


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise ValueError(f"closed_on {text!r} is no day; write one such as 2026-03-31")
    return day


def _amount(amount: object, currency: str, day: str, where: str, config: Config) -> int:
    try:
        exact = exact_amount(None if pd.isna(amount) else amount)
        minor = company_minor(exact, currency, _day(day), config)
        if abs(minor) > np.iinfo(np.int64).max:
            raise ValueError("the amount does not fit in 64 bits of minor units")
    except ValueError as error:
        raise BadInput(f"{where}: {error}") from None
    return minor


def _book(deals: pd.DataFrame, amounts: NDArray[np.int64], path: Path, config: Config) -> Book:
    frame = _read(path, _TOUCH_COLUMNS, ())
    place = _places(frame.pop("deal_id"), deals["id"])
    if (place < 0).any():
        row = int(np.flatnonzero(place < 0)[0])
        raise BadInput(f"{path}: row {row}: its deal_id is no deal of the other file")
    stranger = ~frame["team"].isin(TEAMS)
    if stranger.any():
        row = int(np.flatnonzero(stranger)[0])
        raise BadInput(f"{path}: row {row}: team is none of {', '.join(TEAMS)}")
    rows = pd.DataFrame(
        {
            "deal": place,
            "touch_id": frame["id"],
            "touched_at": _instants(frame["at"], path, "at"),
            "channel": frame["channel"].astype("category"),
            "team": frame["team"].astype("category"),
        }
    )
    dates = deals.rename(columns={"closed_at": "credited_at", "deal_created_at": "created_at"})
    return book_of(dates, rows, amounts, config.window_days)


def _places(wanted: pd.Series, deal_id: pd.Series) -> NDArray[np.int64]:
    """Give the position of each deal, -1 where there is none; pandas would make objects of all."""
    found = pc.index_in(pa.array(wanted.astype("str")), value_set=pa.array(deal_id))
    places: NDArray[np.int64] = found.fill_null(-1).to_numpy().astype(np.int64)
    return places


def _pieces(book: Book) -> Iterator[tuple[int, Book]]:
    """Cut a book at deals into pieces of some touches, each with its first deal's position."""
    first = book.table.first
    start = 0
    while start < len(first) - 1:
        end = int(np.searchsorted(first, first[start] + _TOUCHES_PER_PIECE, side="right")) - 1
        end = max(end, start + 1)
        rows = slice(int(first[start]), int(first[end]))
        table = attribution.PathTable(
            first=first[start : end + 1] - first[start],
            touched_at=book.table.touched_at[rows],
            channel=book.table.channel[rows],
            lead_created_at=book.table.lead_created_at[start:end],
            deal_created_at=book.table.deal_created_at[start:end],
        )
        texts = (column.iloc[rows] for column in (book.touch_id, book.channel, book.team))
        yield start, Book(book.amounts[start:end], table, *texts)
        start = end


def _credit(
    start: int, piece: Book, deal_id: pd.Series, model: str, policy: Attribution
) -> tuple[pa.Table, dict[str, int]]:
    """Give the rows of one piece under one model, and its credit per team."""
    weight, minor = split_book(piece, model, policy)
    counts = np.diff(piece.table.first)
    bare = np.flatnonzero(counts == 0)
    deal = np.repeat(np.arange(len(counts)), counts)
    frame = pd.DataFrame(
        {
            "deal": np.r_[deal, bare],
            "id": _with_missing(piece.touch_id, len(bare)),
            "channel": _with_unknown(piece.channel, len(bare)),
            "team": _with_unknown(piece.team, len(bare)),
            "weight": np.r_[np.round(weight, 12), np.ones(len(bare))],
            "minor": np.r_[minor, piece.amounts[bare]],
        }
    )
    teams = pd.Categorical(frame["team"], (*TEAMS, attribution.UNKNOWN))
    by_team = attribution.exact_sums(
        teams.codes.astype(np.int64), frame["minor"].to_numpy(), len(teams.categories)
    )
    if len(bare):
        frame = frame.sort_values("deal", kind="stable")
    rows = frame.assign(deal_id=deal_id.to_numpy()[start + frame["deal"]], model=model)
    table = pa.Table.from_pandas(rows[_SCHEMA.names], schema=_SCHEMA, preserve_index=False)
    return table, dict(zip(teams.categories, by_team, strict=True))


def _with_missing(values: pd.Series, count: int) -> pd.Series:
    missing = pd.Series([None] * count, dtype="str")
    return pd.concat([values.astype("str"), missing], ignore_index=True)


def _with_unknown(values: pd.Series, count: int) -> pd.Series:
    unknown = pd.Series([attribution.UNKNOWN] * count, dtype="str")
    return pd.concat([values.astype("str"), unknown], ignore_index=True)
