"""`tandem calc rewards`: pools, postings, closes and payments from a file, without any CRM.

The file's `steps` run in order on an empty ledger, through the same transforms as the night.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agreement.errors import BadInput
from agreement.frames import DataFrame, Postings, as_text, empty
from agreement.money import exact_number, minor_digits, to_company_minor
from agreement.policy import RewardRules
from agreement.terms import HOUSE
from flows.calc_credit import checked
from transforms import ledger, rewards

_LARGEST_MINOR = 10**18


def _exact(value: object) -> object:
    if isinstance(value, bool | Decimal | float):
        raise ValueError('write it as text, such as "0.02": a JSON number may have lost digits')
    exact_number(str(value))
    return Decimal(str(value))


def _amount(value: object) -> object:
    return None if value is None or value == "" else _exact(value)


def _minor(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_MINOR:
        raise ValueError("minor units are a whole number, such as 2500")
    return value


def _period(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-(Q[1-4]|0[1-9]|1[0-2])", value):
        return value
    raise ValueError("a period is a quarter such as 2027-Q1 or a month such as 2027-01")


Exact = Annotated[Decimal, BeforeValidator(_exact)]
Amount = Annotated[Decimal | None, BeforeValidator(_amount)]
Minor = Annotated[int, BeforeValidator(_minor)]
Period = Annotated[str, BeforeValidator(_period)]


class _Input(BaseModel):
    """A part of the file; keys that no rule reads are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Attainment(_Input):
    """What a team reached and what it wanted, in one unit."""

    actual: Exact
    target: Annotated[Exact, Field(gt=0)]


class Plan(_Input):
    """The terms of one computed period; what is absent has the rules' default.

    A term that is not known is refused: ignored, it would silently not be paid.
    """

    model_config = ConfigDict(extra="forbid")

    rate: Exact
    gate: Exact = Decimal("0.70")
    attainment_cap: Exact = Decimal("1.5")
    accelerator: Exact = Decimal("1.5")
    multiplier_cap: Exact = Decimal(2)
    joint: Literal["lower", "product"] = "lower"
    holdback: Annotated[Exact, Field(ge=0, le=1)] = Decimal("0.25")
    attainment: Annotated[Mapping[str, Attainment], Field(min_length=1)]
    caps_minor: Mapping[str, Minor] = Field(default_factory=dict)
    teams: Mapping[str, Mapping[str, Exact]] = Field(default_factory=dict)
    spiffs_minor: Mapping[str, Minor] = Field(default_factory=dict)


class Rate(_Input):
    """Units of a currency per one unit of company currency, from a date on."""

    currency: str
    start: date
    rate: Annotated[Exact, Field(gt=0)]


class WonDeal(_Input):
    """A won deal with the credit of each participant in company minor units."""

    id: str
    amount: Amount
    currency: str
    closed_on: date
    credits_minor: Mapping[str, Minor]


class RunStep(_Input):
    """Compute a period and post what the ledger lacks."""

    do: Literal["run"]
    posting_period: Period
    computed_for: Period
    plan: Plan
    rates: tuple[Rate, ...] = ()
    deals: tuple[WonDeal, ...] = ()


class PostStep(_Input):
    """Post an event of its own: an advance, or the release of what was held."""

    do: Literal["post"]
    posting_period: Period
    computed_for: Period
    participant: str
    component: Literal["draw_advance", "hold_release"]
    minor: Minor


class CloseStep(_Input):
    """Close a period: nothing posts into it again, and its terms are frozen."""

    do: Literal["close"]
    period: Period


class PayStep(_Input):
    """Pay every positive balance."""

    do: Literal["pay"]
    posting_period: Period


Step = Annotated[RunStep | PostStep | CloseStep | PayStep, Field(discriminator="do")]


class RewardsInput(_Input):
    """The whole file."""

    company_currency: str
    steps: tuple[Step, ...]


@dataclass
class _Books:
    """The ledger so far, the terms of each computed period, and what is closed."""

    company_currency: str
    postings: DataFrame[Postings] = field(
        default_factory=lambda: Postings.validate(empty(Postings))
    )
    terms: dict[str, tuple[Plan, tuple[Rate, ...]]] = field(default_factory=dict)
    frozen: dict[str, tuple[Plan, tuple[Rate, ...]]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def add(self, more: DataFrame[Postings]) -> None:
        """Append postings."""
        if len(more):
            both = pd.concat([self.postings, more], ignore_index=True)
            self.postings = Postings.validate(both, lazy=True)


def calc_rewards(data: Mapping[str, Any], source: str = "input") -> dict[str, Any]:
    """Run the steps of a rewards file; give each step's result, then balances and what is held.

    Raises:
        BadInput: one line that names the file, the step or deal, and what is wrong.
    """
    given = checked(RewardsInput, data, source)
    books = _Books(given.company_currency)
    results = []
    for number, step in enumerate(given.steps):
        try:
            results.append(_do(books, step))
        except ValueError as error:
            raise BadInput(f"{source}: steps[{number}]: {error}") from None
    return {
        "steps": results,
        "balances": ledger.payables(books.postings),
        "held": ledger.held(books.postings),
    }


def _do(books: _Books, step: RunStep | PostStep | CloseStep | PayStep) -> dict[str, Any]:
    if isinstance(step, CloseStep):
        return _close(books, step)
    _refuse_closed(books, step.posting_period)
    if isinstance(step, RunStep):
        return _run(books, step)
    return _post(books, step) if isinstance(step, PostStep) else _pay(books, step)


def _refuse_closed(books: _Books, period: str) -> None:
    if period in books.closed:
        raise ValueError(f"period {period} is closed; post to the open period")


def _run(books: _Books, step: RunStep) -> dict[str, Any]:
    terms = books.frozen.get(step.computed_for, (step.plan, step.rates))
    books.terms[step.computed_for] = terms
    plan, rates = terms
    _refuse_repeats(step.deals)
    amounts = [_amount_minor(books, deal, rates) for deal in step.deals]
    rules = _rules(plan)
    factor = rewards.multiplier(
        {
            team: Fraction(reached.actual) / Fraction(reached.target)
            for team, reached in plan.attainment.items()
        },
        rules,
    )
    pool = rewards.pool_minor(sum(amounts), factor, rules)
    desired = rewards.desired(
        pd.Series([pool], index=[step.computed_for], dtype="int64"),
        _credit(step),
        _extras(plan),
    )
    due = rewards.postings_due(desired, _posted(books, step), step.posting_period)
    books.add(due)
    again = rewards.postings_due(desired, _posted(books, step), step.posting_period)
    return {
        "revenue_minor": sum(amounts),
        "multiplier": str(factor),
        "pool_minor": pool,
        "postings": _shown(due),
        "second_run_postings": len(again),
    }


def _refuse_repeats(deals: Sequence[WonDeal]) -> None:
    counts = Counter(deal.id for deal in deals)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"deal {repeated[0]} is listed {counts[repeated[0]]} times; list it once")


def _posted(books: _Books, step: RunStep) -> pd.DataFrame:
    return books.postings[books.postings["computed_for"] == step.computed_for]


def _amount_minor(books: _Books, deal: WonDeal, rates: Sequence[Rate]) -> int:
    """Give a deal's amount in company minor units; its credits have to add up to it."""
    digits = minor_digits(books.company_currency)
    minor = 0
    if deal.amount is not None:
        rate = None if deal.currency == books.company_currency else _rate_on(deal, rates)
        minor = to_company_minor(deal.amount, rate, digits)
    credited = sum(deal.credits_minor.values())
    if credited != minor:
        raise ValueError(
            f"deal {deal.id}: credits_minor add up to {credited}, but its amount is {minor} minor"
            f" units of {books.company_currency}"
        )
    return minor


def _rate_on(deal: WonDeal, rates: Sequence[Rate]) -> Decimal:
    known = [
        rate for rate in rates if rate.currency == deal.currency and rate.start <= deal.closed_on
    ]
    if not known:
        raise ValueError(
            f"deal {deal.id}: no rate for {deal.currency} on {deal.closed_on}; add one to rates"
        )
    return max(known, key=lambda rate: rate.start).rate


def _credit(step: RunStep) -> pd.DataFrame:
    pairs = [pair for deal in step.deals for pair in deal.credits_minor.items()]
    return pd.DataFrame(
        {
            "computed_for": as_text([step.computed_for] * len(pairs)),
            "participant": as_text([who for who, _ in pairs]),
            "credit_minor": pd.Series([minor for _, minor in pairs], dtype="int64"),
        }
    )


def _rules(plan: Plan) -> RewardRules:
    return RewardRules(
        rate=plan.rate,
        gate=plan.gate,
        attainment_cap=plan.attainment_cap,
        accelerator=plan.accelerator,
        multiplier_cap=plan.multiplier_cap,
        joint=plan.joint,
    )


def _extras(plan: Plan) -> rewards.Extras:
    return rewards.Extras(
        teams={team: whole_weights(members) for team, members in plan.teams.items()},
        caps_minor=plan.caps_minor,
        spiffs_minor=plan.spiffs_minor,
        holdback=Fraction(plan.holdback),
    )


def whole_weights(weights: Mapping[str, Decimal]) -> dict[str, int]:
    """Turn decimal weights into whole ones of the same proportion.

    >>> whole_weights({"ann": Decimal("0.6"), "bob": Decimal("0.4")})
    {'ann': 3, 'bob': 2}
    """
    shares = {who: Fraction(weight) for who, weight in weights.items()}
    if not shares or min(shares.values()) < 0 or not any(shares.values()):
        raise ValueError("weights of a team must not be negative, and not all zero")
    whole = lcm(*(share.denominator for share in shares.values()))
    return {who: int(share * whole) for who, share in shares.items()}


def _post(books: _Books, step: PostStep) -> dict[str, Any]:
    entry = {
        "posting_period": as_text([step.posting_period]),
        "computed_for": as_text([step.computed_for]),
        "participant": as_text([step.participant]),
        "component": as_text([step.component]),
        "reward_minor": [step.minor],
    }
    posting = ledger.with_accounts(pd.DataFrame(entry))
    books.add(posting)
    return {"postings": _shown(posting)}


def _close(books: _Books, step: CloseStep) -> dict[str, Any]:
    _refuse_closed(books, step.period)
    books.closed.add(step.period)
    if step.period in books.terms:
        books.frozen[step.period] = books.terms[step.period]
    lines = ledger.statement(books.postings, step.period)
    return {
        "statement": {
            str(who): {name: int(minor) for name, minor in line.items()}
            for who, line in lines.to_dict("index").items()
        }
    }


def _pay(books: _Books, step: PayStep) -> dict[str, Any]:
    before = ledger.payables(books.postings)
    due = ledger.payroll_due(books.postings, step.posting_period)
    books.add(due)
    paid = dict(zip(due["participant"], due["reward_minor"].tolist(), strict=True))
    return {
        who: {
            "balance_before": balance,
            "paid": paid.get(who, 0),
            "carried": balance - paid.get(who, 0),
        }
        for who, balance in before.items()
        if who != HOUSE
    }


def _shown(postings: DataFrame[Postings]) -> list[dict[str, Any]]:
    columns = ["participant", "component", "reward_minor", "debit", "credit"]
    rows = postings[columns].rename(columns={"reward_minor": "minor"}).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
