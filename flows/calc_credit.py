"""`tandem calc credit`: deals, path tables or Parquet files through the night's own attribution.

Nothing is read from a CRM or the store; weights of the models are the default agreement's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Annotated, Any, Literal, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from agreement.errors import BadInput
from agreement.frames import as_text, as_utc
from agreement.money import exact_number, minor_digits
from agreement.policy import MODELS, Attribution, Model, load_agreement
from transforms import attribution, journeys

TEAMS = ("marketing", "sales")
_WEIGHT_DIGITS = 12
_LONGEST_WINDOW = 100_000
_INT64_MAX = int(np.iinfo(np.int64).max)


def exact_amount(value: object) -> Fraction:
    """Read a price: text or a whole number; blank is nothing."""
    if isinstance(value, bool | float | Decimal):
        raise ValueError('write it as text, such as "1250.50": a JSON number may have lost digits')
    if value is None or value == "":
        return Fraction(0)
    return exact_number(str(value))


def _positive(value: object) -> object:
    number = exact_amount(value)
    if number <= 0:
        raise ValueError("it has to be above 0")
    return number


def _instant(value: object) -> object:
    """Read an instant; a time without an offset is UTC, a day without a time is none."""
    if isinstance(value, str) and len(value) > 10:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    raise ValueError("this is no time; write one such as 2026-03-31T16:00:00Z")


def _day(value: object) -> object:
    if isinstance(value, str) and len(value) == 10:
        return value
    raise ValueError("this is no day; write one such as 2026-03-31")


Amount = Annotated[Fraction, BeforeValidator(exact_amount)]
Positive = Annotated[Fraction, BeforeValidator(_positive)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
MaybeInstant = Annotated[
    datetime | None, BeforeValidator(lambda value: value if value is None else _instant(value))
]
Day = Annotated[date, BeforeValidator(_day)]


class Input(BaseModel):
    """A part of an input file; keys that no rule reads are ignored."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, coerce_numbers_to_str=True
    )


class Rate(Input):
    """Units of a currency per one unit of company currency, from a day on."""

    currency: str
    start: Day
    rate: Positive


class Config(Input):
    """How to share: no window is everything up to the close; no models is all of them."""

    model_config = ConfigDict(extra="forbid")

    company_currency: Annotated[str, Field(min_length=1)]
    window_days: Annotated[int, Field(ge=0, le=_LONGEST_WINDOW)] | None = None
    half_life_days: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] = Decimal(7)
    rates: tuple[Rate, ...] = ()
    models: tuple[str, ...] | None = None

    @field_validator("rates")
    @classmethod
    def agree(cls, rates: tuple[Rate, ...]) -> tuple[Rate, ...]:
        """Refuse two rates of one currency from one day: which counts would be chance."""
        known: dict[tuple[str, date], Fraction] = {}
        for row in rates:
            if known.setdefault((row.currency, row.start), row.rate) != row.rate:
                raise ValueError(f"two different rates for {row.currency} from {row.start}")
        return rates


class Touch(Input):
    """One dated contact of one of the two teams."""

    id: str
    at: Instant
    channel: str
    team: Literal["marketing", "sales"]


class Deal(Input):
    """A deal with its touches; without `closed_on` its rate is that of the UTC day of its close."""

    id: str
    amount: Amount
    currency: str
    lead_created_at: MaybeInstant = None
    deal_created_at: MaybeInstant = None
    closed_on: Day | None = None
    closed_at: Instant
    touches: tuple[Touch, ...] = ()


class CreditInput(Input):
    """A file of deals."""

    config: Config
    deals: tuple[Deal, ...]


class CountedPath(Input):
    """A distinct path with the journeys that took it."""

    path: Annotated[tuple[str, ...], Field(min_length=1)]
    conversions: Annotated[int, Field(ge=0)]
    value: Amount
    nulls: Annotated[int, Field(ge=0)] = 0


class PathsInput(Input):
    """A file of paths."""

    config: Config
    paths: tuple[CountedPath, ...]


Checked = TypeVar("Checked", bound=BaseModel)


def checked(kind: type[Checked], data: Mapping[str, Any], source: str) -> Checked:
    """Check an input against its model.

    Raises:
        BadInput: one line that names the file, the first fault's place, and what is wrong.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        said = str(fault["msg"]).removeprefix("Value error, ").replace("valid tuple", "list")
        raise BadInput(f"{source}: {where}: {said}") from None


def calc_credit(data: Mapping[str, Any], source: str = "input") -> dict[str, Any]:
    """Share every deal of a file over its touches, per model; a file with `paths` per channel.

    Weights are rounded to 12 digits; `minor` is whole units of company currency and adds up to the
    deal's `amount_minor` exactly. Touches stand in the order of rules A2; those outside the window
    are left out.

    Raises:
        BadInput: one line that names the file, the deal or key, and what is wrong.
    """
    if "paths" in data:
        return calc_paths(data, source)
    given = checked(CreditInput, data, source)
    models = models_of(given.config, MODELS, source)
    refuse_repeats([deal.id for deal in given.deals], source)
    book = _book(given, source)
    policy = credit_policy(given.config, models)
    results: list[dict[str, Any]] = [
        {"id": deal.id, "amount_minor": int(amount), "models": {}}
        for deal, amount in zip(given.deals, book.amounts, strict=True)
    ]
    for model in models:
        weight, minor = split_book(book, model, policy)
        for place, result in enumerate(results):
            result["models"][model] = _shown(book, place, weight, minor)
    return {"deals": results}


def credit_policy(config: Config, models: Sequence[str]) -> Attribution:
    """Give the default agreement's attribution with the file's half-life and models."""
    default = load_agreement().attribution
    return default.model_copy(
        update={
            "window_days": config.window_days,
            "half_life_days": config.half_life_days,
            "shared": cast("Model", models[0]),
            "shown": tuple(models),
        }
    )


def models_of(config: Config, known: Sequence[str], source: str) -> tuple[str, ...]:
    """Give the models that a configuration asks for, each once; all known ones if it names none.

    Raises:
        BadInput: it names none, or one that is not known.
    """
    if config.models is None:
        return tuple(known)
    if not config.models:
        raise BadInput(f"{source}: config.models: name one of {', '.join(known)}")
    for model in config.models:
        if model not in known:
            raise BadInput(f"{source}: config.models: {model!r} is none of {', '.join(known)}")
    return tuple(dict.fromkeys(config.models))


def refuse_repeats(ids: Sequence[str], source: str) -> None:
    """Refuse deals that share an id.

    Raises:
        BadInput: names the file and the id.
    """
    repeated = pd.Index(ids)[pd.Index(ids).duplicated()]
    if len(repeated):
        raise BadInput(f"{source}: deal {repeated[0]}: this id is there twice")


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """Deals with the touches that count, in order: text columns beside the table of paths."""

    amounts: NDArray[Any]
    table: attribution.PathTable
    touch_id: pd.Series
    channel: pd.Series
    team: pd.Series


def _book(given: CreditInput, source: str) -> Book:
    deals, config = given.deals, given.config
    amounts = [_company_minor(deal, config, source) for deal in deals]
    rows = [(place, touch) for place, deal in enumerate(deals) for touch in deal.touches]
    touches = pd.DataFrame(
        {
            "deal": np.array([place for place, _ in rows], dtype=np.int64),
            "touch_id": as_text([touch.id for _, touch in rows]),
            "touched_at": as_utc([touch.at for _, touch in rows]),
            "channel": as_text([touch.channel for _, touch in rows]),
            "team": as_text([touch.team for _, touch in rows]),
        }
    )
    frame = pd.DataFrame(
        {
            "credited_at": as_utc([deal.closed_at for deal in deals]),
            "lead_created_at": as_utc([deal.lead_created_at for deal in deals]),
            "created_at": as_utc([deal.deal_created_at for deal in deals]),
        }
    )
    return book_of(frame, touches, whole_numbers(amounts), config.window_days)


def book_of(
    deals: pd.DataFrame, touches: pd.DataFrame, amounts: NDArray[Any], window_days: int | None
) -> Book:
    """Lay out touches by rules A1 to A3.

    Args:
        deals: `credited_at`, `lead_created_at`, `created_at`.
        touches: `deal` (a position), `touch_id`, `touched_at`, `channel`, `team`.
        amounts: minor units of company currency per deal.
        window_days: None is no beginning.
    """
    # Positions first: so the texts of ten million touches are laid out once, at the end.
    counted = touches.iloc[_counting(touches, deals, window_days)].reset_index(drop=True)
    table = attribution.path_table(
        counted["deal"].to_numpy(),
        counted["touched_at"],
        pd.factorize(counted["channel"])[0],
        deals["lead_created_at"],
        deals["created_at"],
    )
    return Book(amounts, table, counted["touch_id"], counted["channel"], counted["team"])


def _counting(
    touches: pd.DataFrame, deals: pd.DataFrame, window_days: int | None
) -> NDArray[np.int64]:
    """Give the positions of the touches that count, in their order."""
    kept = journeys.path_order(
        touches["deal"],
        touches["touched_at"],
        touches["touch_id"],
        touches["channel"],
        touches["team"],
    )
    ordered = touches[["deal", "touched_at"]].iloc[kept].set_axis(["deal_id", "touched_at"], axis=1)
    inside = journeys.inside_window(ordered.set_axis(kept), deals, window_days)
    return np.asarray(inside.index, dtype=np.int64)


def whole_numbers(amounts: Sequence[int]) -> NDArray[Any]:
    """Hold whole numbers: machine integers where all of them fit, else Python's."""
    fits = all(abs(amount) <= _INT64_MAX for amount in amounts)
    return np.array(amounts, dtype=np.int64 if fits else object)


def _company_minor(deal: Deal, config: Config, source: str) -> int:
    """Turn a deal's amount into company currency, rounded once (A8)."""
    try:
        return company_minor(
            deal.amount, deal.currency, deal.closed_on or deal.closed_at.date(), config
        )
    except ValueError as error:
        raise BadInput(f"{source}: deal {deal.id}: {error}") from None


def company_minor(amount: Fraction, currency: str, day: date, config: Config) -> int:
    """Turn an amount into minor units of company currency at the dated rate of a day (A8).

    Raises:
        ValueError: there is no rate.
    """
    rate = Fraction(1)
    if currency != config.company_currency:
        known = [row for row in config.rates if row.currency == currency and row.start <= day]
        if not known:
            raise ValueError(f"no rate for {currency} on {day}; add one to config.rates")
        rate = max(known, key=lambda row: row.start).rate
    return round(amount * int(10 ** minor_digits(config.company_currency)) / rate)


def split_book(
    book: Book, model: str, policy: Attribution
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Give weight and minor units per touch."""
    weight = np.zeros(len(book.table.touched_at))
    minor = np.zeros(len(book.table.touched_at), dtype=book.amounts.dtype)
    for block in attribution.blocks(book.table):
        shares = attribution.shares(model, block, policy)
        weight[block.rows] = shares.weights()
        minor[block.rows] = shares.split(book.amounts[block.deals])
    return weight, minor


def _shown(
    book: Book, place: int, weight: NDArray[np.float64], minor: NDArray[Any]
) -> dict[str, Any]:
    rows = slice(int(book.table.first[place]), int(book.table.first[place + 1]))
    parts = [int(part) for part in minor[rows]]
    touches = zip(book.touch_id.iloc[rows], weight[rows].tolist(), parts, strict=True)
    teams = dict.fromkeys((*TEAMS, attribution.UNKNOWN), 0)
    teams |= _sums(book.team.iloc[rows], parts)
    if not parts:
        teams[attribution.UNKNOWN] = int(book.amounts[place])
    return {
        "touches": [
            {"id": touch_id, "weight": round(share, _WEIGHT_DIGITS), "minor": part}
            for touch_id, share, part in touches
        ],
        "channels": _sums(book.channel.iloc[rows], parts),
        "teams": teams,
    }


def _sums(names: pd.Series, parts: Sequence[int]) -> dict[str, int]:
    sums = dict.fromkeys(sorted(set(names)), 0)
    for name, part in zip(names, parts, strict=True):
        sums[name] += part
    return sums


def calc_paths(data: Mapping[str, Any], source: str = "input") -> dict[str, Any]:
    """Credit the conversions and the value of a table of paths to channels, per model.

    Every channel of the table is in the result, in the order of the alphabet; numbers are rounded
    to 12 digits once, at the end.

    Raises:
        BadInput: one line that names the file, the row or key, and what is wrong.
    """
    given = checked(PathsInput, data, source)
    models = models_of(given.config, attribution.CHANNEL_MODELS, source)
    names = sorted({channel for row in given.paths for channel in row.path})
    paths = _counted(given.paths, names)
    scale = lcm(*(row.value.denominator for row in given.paths))
    amounts = {
        "conversions": (paths.conversions, 1),
        "value": (whole_numbers([int(row.value * scale) for row in given.paths]), scale),
    }
    weights = load_agreement().attribution.weights.position_based
    channels: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for model in models:
        for what, (whole, unit) in amounts.items():
            credit = attribution.channel_results(paths, whole, model, weights) if names else []
            for name, share in zip(names, credit, strict=True):
                rounded = round(float(share / unit), _WEIGHT_DIGITS)
                channels[name].setdefault(model, {})[what] = rounded
    return {"channels": channels}


def _counted(rows: Sequence[CountedPath], names: Sequence[str]) -> attribution.CountedPaths:
    number = {name: place for place, name in enumerate(names)}
    return attribution.CountedPaths(
        first=np.cumsum([0, *(len(row.path) for row in rows)]),
        channel=np.array([number[name] for row in rows for name in row.path], dtype=np.int64),
        channels=len(names),
        conversions=whole_numbers([row.conversions for row in rows]),
        nulls=whole_numbers([row.nulls for row in rows]),
    )
