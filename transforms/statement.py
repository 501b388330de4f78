"""Statements of a posting period: who earned what and why, each line re-addable by hand.

A statement is read from what the ledger keeps: postings, changes of the credit behind them, and the
terms of each period. For a closed period all three are frozen, so it comes out the same for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from agreement.frames import (
    DataFrame,
    Postings,
    RewardCredits,
    StatementLines,
    as_text,
    empty,
)
from agreement.money import amount_texts, divide_half_even, split_by_group
from agreement.terms import HOUSE, Terms
from transforms.ledger import account_balances
from transforms.rewards import UNKNOWN, Calculation, calculate_from, member_shares, multiplier

# Exact amounts are shown to this many decimals of a minor unit.
_PLACES = 4
_DEAL = ["computed_for", "team", "deal_id"]


@dataclass(frozen=True)
class Statement:
    """One participant's statement, or a team's; whole minor units of company currency.

    A team with members has no account: its statement shows what it shares out, no balances.
    """

    period: str
    participant: str
    is_team_of_members: bool
    lines: DataFrame[StatementLines]
    opening_minor: int
    closing_minor: int
    held_opening_minor: int
    held_closing_minor: int

    @property
    def change_minor(self) -> int:
        """Give what the lines add up to."""
        return int(self.lines["reward_minor"].sum())


@dataclass(frozen=True)
class Check:
    """Two figures that have to be equal, each from another source."""

    name: str
    left_minor: int
    right_minor: int

    @property
    def is_met(self) -> bool:
        """Tell whether they are."""
        return self.left_minor == self.right_minor


@dataclass(frozen=True)
class Books:
    """The ledger up to the end of one posting period, and what stood behind it.

    `changes` are changes of credit (RewardCredits with `posting_period`), `terms` those of every
    period computed for. Later postings and changes are left out.
    """

    period: str
    postings: DataFrame[Postings]
    changes: pd.DataFrame
    terms: Mapping[str, Terms]

    @cached_property
    def of_period(self) -> pd.DataFrame:
        """Give the postings into the period."""
        return self.postings[self.postings["posting_period"] == self.period]

    @cached_property
    def participants(self) -> list[str]:
        """List everybody with a posting up to the period's end, by id."""
        rows = self.postings[self.postings["posting_period"] <= self.period]
        return sorted(rows["participant"].unique())

    @cached_property
    def teams_of_members(self) -> list[str]:
        """List the teams that members have split in a period that these books touch."""
        return sorted({team for name in self.touched for team in self.terms[name].teams})

    @cached_property
    def touched(self) -> list[str]:
        """List the periods whose rewards this period's postings or credit changes move."""
        calculated = self.of_period["component"].isin(["pool", "pool_held", "cap_excess", "spiff"])
        moved = self.changes.loc[self.changes["posting_period"] == self.period, "computed_for"]
        named = {*self.of_period.loc[calculated, "computed_for"], *moved, self.period}
        return sorted(named & set(self.terms))

    @cached_property
    def after(self) -> Calculation:
        """Compute the touched periods on the credit as it stood at this period's end."""
        return self._calculated(self.changes["posting_period"] <= self.period)

    @cached_property
    def before(self) -> Calculation:
        """Compute them on the credit as it stood before; the period itself had none."""
        return self._calculated(self.changes["posting_period"] < self.period)

    def _calculated(self, is_known: pd.Series) -> Calculation:
        rows = self.changes[is_known & self.changes["computed_for"].isin(self.touched)]
        sums = rows.groupby(_DEAL, as_index=False)["credit_minor"].sum()
        stood = sums[sums["credit_minor"] != 0].merge(_latest(rows), on=["computed_for", "deal_id"])
        stood = stood[list(empty(RewardCredits).columns)].sort_values(_DEAL, ignore_index=True)
        terms = {name: self.terms[name] for name in self.touched}
        return calculate_from(terms, RewardCredits.validate(stood, lazy=True))

    @cached_property
    def opening(self) -> pd.Series:
        """Give the balance of each account at the period's start."""
        return self._balances(self.postings["posting_period"] < self.period)

    @cached_property
    def closing(self) -> pd.Series:
        """Give the balance of each account at the period's end."""
        return self._balances(self.postings["posting_period"] <= self.period)

    def _balances(self, is_known: pd.Series) -> pd.Series:
        return account_balances(Postings.validate(self.postings[is_known], lazy=True))


def _latest(changes: pd.DataFrame) -> pd.DataFrame:
    """Give what the last change of each deal said of it, whichever team's credit moved."""
    rows = changes.drop_duplicates(["computed_for", "deal_id"], keep="last")
    return rows.drop(columns=["posting_period", "team", "credit_minor"])


def statement(books: Books, participant: str) -> Statement:
    """Give a participant's statement; one without postings has none but zeros."""
    is_team = participant in books.teams_of_members
    shares = _shares(books, participant)
    pieces = [shares]
    if not is_team:
        pieces += [*_adjustments(books, participant, shares), _events(books, participant)]
    payable = HOUSE if participant == HOUSE else f"payable:{participant}"
    held = f"held:{participant}"
    return Statement(
        period=books.period,
        participant=participant,
        is_team_of_members=is_team,
        lines=_joined(pieces),
        opening_minor=int(books.opening.get(payable, 0)),
        closing_minor=int(books.closing.get(payable, 0)),
        held_opening_minor=int(books.opening.get(held, 0)),
        held_closing_minor=int(books.closing.get(held, 0)),
    )


def _joined(pieces: list[pd.DataFrame]) -> DataFrame[StatementLines]:
    columns = empty(StatementLines)
    some = [piece for piece in pieces if len(piece)]
    if not some:
        return StatementLines.validate(columns, lazy=True)
    every = pd.concat(some, ignore_index=True).reindex(columns=columns.columns)
    return StatementLines.validate(every.astype(columns.dtypes.to_dict()), lazy=True)


def _section(books: Books, computed_for: pd.Series) -> pd.Series:
    return as_text(np.where(computed_for == books.period, "earned", "correction"))


# Shares, deal by deal -----------------------------------------------------------------------------


def _shares(books: Books, participant: str) -> pd.DataFrame:
    """Give a line per deal whose share of the pool the period moved, by period, team and date."""
    after, before = (_deal_parts(each, participant) for each in (books.after, books.before))
    signed = before.assign(minor=-before["minor"], credit_minor=-before["credit_minor"])
    both = pd.concat([after, signed], ignore_index=True)
    moved = both.groupby(_DEAL, as_index=False)[["minor", "credit_minor"]].sum()
    moved = moved[(moved["minor"] != 0) | (moved["credit_minor"] != 0)]
    lines = _with_deal(books, moved.sort_values(_DEAL, ignore_index=True))
    return _with_exact(books, lines, participant)


def _deal_parts(calculation: Calculation, participant: str) -> pd.DataFrame:
    """Split what a participant has of each team's pool share over the team's deals, by credit."""
    rows = calculation.credits.assign(team=calculation.credits["team"].replace(UNKNOWN, HOUSE))
    shares = _team_shares(calculation, rows)
    mine = [
        _own_shares(shares[shares["computed_for"] == name], terms, participant)
        for name, terms in calculation.terms.items()
    ]
    own = pd.concat(mine, ignore_index=True)
    rows = rows.merge(own, on=["computed_for", "team"])[[*_DEAL, "credit_minor", "share"]]
    rows = rows.sort_values(_DEAL, ignore_index=True)
    keys = ["computed_for", "team"]
    whole = rows.groupby(keys)["credit_minor"].transform("sum")
    rows = rows[whole != 0].reset_index(drop=True)
    weight = rows["credit_minor"] * np.sign(whole[whole != 0].to_numpy())
    group = rows.groupby(keys, sort=False).ngroup().to_numpy()
    totals = rows.drop_duplicates(keys)["share"].to_numpy(dtype=np.int64)
    minor = split_by_group(totals, group, weight.to_numpy(dtype=np.int64))
    return rows.assign(minor=minor)[[*_DEAL, "credit_minor", "minor"]]


def _team_shares(calculation: Calculation, credits: pd.DataFrame) -> pd.DataFrame:
    """Give each team's share of each pool, 0 where a shut gate leaves nothing."""
    shares = calculation.team_rewards.rename(columns={"reward_minor": "minor"})
    none = credits[["computed_for", "team"]].rename(columns={"team": "participant"})
    both = pd.concat([shares, none.drop_duplicates().assign(minor=0)], ignore_index=True)
    return both.groupby(["computed_for", "participant"], as_index=False)["minor"].sum()


def _own_shares(shares: pd.DataFrame, terms: Terms, participant: str) -> pd.DataFrame:
    """Give `computed_for`, `team`, `share` of one period for a member, or for a whole team."""
    named = shares[["computed_for", "participant", "minor"]]
    if participant in terms.teams:
        rows = named.rename(columns={"participant": "team", "minor": "share"})
        return rows[rows["team"] == participant]
    rows = member_shares(named, terms.teams)
    mine = rows[rows["participant"] == participant]
    return mine.rename(columns={"minor": "share"})[["computed_for", "team", "share"]]


def _with_deal(books: Books, moved: pd.DataFrame) -> pd.DataFrame:
    """Add what a reader needs to find each deal, as it stood at the period's end."""
    known = books.changes[books.changes["posting_period"] <= books.period]
    rows = moved.merge(_latest(known), on=["computed_for", "deal_id"], how="left")
    rows = rows.sort_values(["computed_for", "team", "closed_on", "record_id"], ignore_index=True)
    return rows.assign(
        section=_section(books, rows["computed_for"]),
        what=as_text(["share"] * len(rows)),
        exchange_rate=_exchange_rates(books, rows),
        reward_minor=rows["minor"],
    )


def _exchange_rates(books: Books, rows: pd.DataFrame) -> pd.Series:
    """Give the rate that turned each deal's amount into company currency."""
    kept = pd.DataFrame(
        [
            (name, rate.currency, rate.starts_on, rate.rate)
            for name in books.touched
            for rate in books.terms[name].rates
        ],
        columns=["computed_for", "currency", "starts_on", "exchange_rate"],
    ).astype("str")
    places = rows[["computed_for", "currency", "closed_on"]].assign(place=rows.index)
    found = places.merge(kept, on=["computed_for", "currency"])
    found = found[found["starts_on"] <= found["closed_on"]].sort_values("starts_on")
    latest = found.drop_duplicates("place", keep="last").set_index("place")["exchange_rate"]
    return latest.reindex(rows.index).astype("str")


def _with_exact(books: Books, lines: pd.DataFrame, participant: str) -> pd.DataFrame:
    """Add rate, multiplier and part, and from them the exact amount and its rounding."""
    keys = lines[["computed_for", "team"]].drop_duplicates().to_numpy().tolist()
    factors = pd.DataFrame(
        [(name, team, *_factors(books.terms[name], team, participant)) for name, team in keys],
        columns=["computed_for", "team", "rate", "multiplier", "part", "over", "under"],
    )
    rows = lines.merge(factors, on=["computed_for", "team"], how="left")
    exact = divide_half_even(
        rows["credit_minor"].to_numpy().astype(object)
        * rows["over"].to_numpy().astype(object)
        * 10**_PLACES,
        rows["under"].to_numpy().astype(object),
    )
    rest = rows["reward_minor"] * 10**_PLACES - exact
    return rows.assign(
        exact=amount_texts(pd.Series(exact, index=rows.index), _PLACES),
        rounding=amount_texts(rest, _PLACES),
    )


def _factors(terms: Terms, team: str, participant: str) -> tuple[str, str, str, int, int]:
    rate = Fraction(terms.rules.rate)
    factor = multiplier(terms.attainment, terms.rules)
    weights = terms.teams.get(team, {})
    part = Fraction(1)
    if weights and participant != team:
        part = Fraction(weights.get(participant, 0), sum(weights.values()))
    whole = rate * factor * part
    return str(terms.rules.rate), str(factor), str(part), whole.numerator, whole.denominator


# What is not shared deal by deal ------------------------------------------------------------------


def _adjustments(books: Books, participant: str, shares: pd.DataFrame) -> list[pd.DataFrame]:
    """Give the lines of caps, holdback and spiffs, one per period that moved."""
    sums = _moved_components(books, participant)
    earned = shares.groupby("computed_for")["reward_minor"].sum()
    share = earned.reindex(sums.index, fill_value=0)
    over = sums["cap_excess"] if participant == HOUSE else sums["pool"] + sums["pool_held"] - share
    return [
        _lines(books, "cap_excess", over),
        _lines(books, "pool_held", -sums["pool_held"]),
        _lines(books, "spiff", sums["spiff"]),
    ]


def _moved_components(books: Books, participant: str) -> pd.DataFrame:
    """Give by how much each component of a participant moved, per period."""
    after, before = books.after.rewards, books.before.rewards
    # The period itself had not begun: its spiffs are new too.
    before = before[before["computed_for"] != books.period]
    rows = pd.concat([after, before.assign(reward_minor=-before["reward_minor"])])
    mine = rows[rows["participant"] == participant]
    sums = mine.groupby(["computed_for", "component"])["reward_minor"].sum()
    wide = sums.unstack(fill_value=0)  # noqa: PD010 - keeps whole numbers whole
    return wide.reindex(columns=["pool", "pool_held", "cap_excess", "spiff"], fill_value=0)


def _lines(books: Books, what: str, minor: pd.Series) -> pd.DataFrame:
    moved = minor[minor != 0]
    computed_for = as_text(list(moved.index))
    return pd.DataFrame(
        {
            "section": _section(books, computed_for),
            "computed_for": computed_for,
            "what": as_text([what] * len(moved)),
            "reward_minor": moved.to_numpy(dtype=np.int64),
        }
    )


def _events(books: Books, participant: str) -> pd.DataFrame:
    """Give what was released, advanced or paid: each posting of the period as a line."""
    sections = {"hold_release": "released", "draw_advance": "advanced", "paid": "paid"}
    rows = books.of_period[
        (books.of_period["participant"] == participant)
        & books.of_period["component"].isin(list(sections))
    ]
    sign = np.where(rows["component"] == "hold_release", 1, -1)
    return pd.DataFrame(
        {
            "section": rows["component"].map(sections),
            "computed_for": rows["computed_for"],
            "what": rows["component"],
            "reward_minor": rows["reward_minor"] * sign,
        }
    )


# How the pool came about, and whether everything adds up ------------------------------------------


def pool_story(books: Books) -> list[dict[str, Any]]:
    """Tell per touched period how revenue became the pool and the teams' shares.

    Amounts are minor units; `before` is what stood when the period began. Fractions are exact text.
    """
    return [_story(books, name) for name in books.touched]


def _story(books: Books, name: str) -> dict[str, Any]:
    terms = books.terms[name]
    after, before = (_of(each, name) for each in (books.after, books.before))
    if name == books.period:
        before = {"revenue_minor": 0, "pool_minor": 0, "teams": {}}
    factor = multiplier(terms.attainment, terms.rules)
    return {
        "period": name,
        "is_correction": name != books.period,
        "agreement": terms.agreement,
        "model": terms.model,
        "attained": {
            team: {
                "actual_minor": reached.actual_minor,
                "target": str(reached.target),
                "attainment": str(terms.attainment[team]),
            }
            for team, reached in sorted(terms.attained.items())
        },
        "rate": str(terms.rules.rate),
        "joint": terms.rules.joint,
        "multiplier": str(factor),
        "pool_exact": str(Fraction(terms.rules.rate) * after["revenue_minor"] * factor),
        "held_until": terms.held_until.isoformat(),
        "holdback": str(terms.rules.holdback),
        "after": after,
        "before": before,
    }


def _of(calculation: Calculation, name: str) -> dict[str, Any]:
    """Give one period's revenue, pool, and each team's credit and share."""
    pool = calculation.pools[calculation.pools["period"] == name]
    rows = calculation.credits[calculation.credits["computed_for"] == name]
    credit = rows["credit_minor"].groupby(rows["team"].replace(UNKNOWN, HOUSE)).sum()
    shares = calculation.team_rewards[calculation.team_rewards["computed_for"] == name]
    minor = dict(zip(shares["participant"], shares["reward_minor"].tolist(), strict=True))
    return {
        "revenue_minor": int(pool["revenue_minor"].sum()),
        "pool_minor": int(pool["pool_minor"].sum()),
        "teams": {
            str(team): {"credit_minor": int(total), "share_minor": minor.get(str(team), 0)}
            for team, total in credit.items()
        },
    }


def tie_out(books: Books, statements: Mapping[str, Statement]) -> list[Check]:
    """Hold the ledger against its sources (rules.md 3): booked, credited, balances, statements."""
    return [*source_checks(books), *_balance_checks(books, statements)]


def source_checks(books: Books) -> list[Check]:
    """Booked = credited + unknown, and posted = what the rules give, per touched period."""
    checks = []
    known = books.postings[books.postings["posting_period"] <= books.period]
    spiff = known["component"] == "spiff"
    calculated = known["component"].isin(["pool", "pool_held", "cap_excess"])
    for name in books.touched:
        of = _of(books.after, name)
        rows = books.after.credits[books.after.credits["computed_for"] == name]
        booked = int(rows.drop_duplicates("deal_id")["company_minor"].sum())
        posted = known[known["computed_for"] == name]
        split = sum(team["share_minor"] for team in of["teams"].values())
        checks += [
            Check(
                f"{name}: won deals = credit of both teams + unknown",
                booked,
                int(rows["credit_minor"].sum()),
            ),
            Check(f"{name}: pool = shares of both teams + house", of["pool_minor"], split),
            Check(
                f"{name}: pool = posted shares, holdback and caps",
                of["pool_minor"],
                int(posted.loc[calculated, "reward_minor"].sum()),
            ),
            Check(
                f"{name}: agreed spiffs = posted spiffs",
                sum(books.terms[name].spiffs_minor.values()),
                int(posted.loc[spiff, "reward_minor"].sum()),
            ),
        ]
    return checks


def _balance_checks(books: Books, statements: Mapping[str, Statement]) -> list[Check]:
    own = [each for each in statements.values() if not each.is_team_of_members]
    house = books.closing.index == HOUSE
    payable = books.closing.index.str.startswith("payable:") | house
    held = books.closing.index.str.startswith("held:")
    return [
        Check(
            "opening + changes = closing, over all statements",
            sum(each.opening_minor + each.change_minor for each in own),
            sum(each.closing_minor for each in own),
        ),
        Check(
            "statements = ledger, owed",
            sum(each.closing_minor for each in own),
            int(books.closing[payable].sum()),
        ),
        Check(
            "statements = ledger, held",
            sum(each.held_closing_minor for each in own),
            int(books.closing[held].sum()),
        ),
        Check("every transaction sums to 0", int(books.closing.sum()), 0),
        Check(
            "statements that do not add up to their own balance",
            sum(each.opening_minor + each.change_minor != each.closing_minor for each in own),
            0,
        ),
    ]
