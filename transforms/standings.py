"""What marketing and sales owe each other, and how each of it stands; what follows to decide."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd

from agreement.frames import Bridge, DataFrame, HandoffStatus, Promises
from agreement.periods import period_days, period_of
from agreement.policy import Agreement, AlignmentRules, Calendar
from agreement.terms import Terms
from agreement.wording import words
from transforms.bridge import MISSING
from transforms.handoffs import REJECTED
from transforms.levers import straight_pace
from transforms.weeks import Week

Unit = Literal["ppm", "count", "minor"]

_WHOLE = 1_000_000
_PROMISE = ["promise", "unit", "promised", "pace", "counted"]
# A share of fewer cases than this decides nothing: one of them more would turn it round.
_LEAST_CASES = 5
# A pace is believed once this part of its period is over; before, one deal moves it too far.
_SETTLED = Fraction(1, 5)

# What there is to decide when handoffs are late, by the most frequent cause, and by whom.
_LATE = MappingProxyType(
    {
        "not_seen": ("operations", "Decide who mends the way from HubSpot to Salesforce"),
        "not_assigned": ("sales", "Decide who assigns new people, and within what time"),
        "owner_inactive": ("sales", "Decide who takes over from users who have left"),
        "owner_absent": ("sales", "Decide who stands in for owners who are away"),
        "reassigned_late": ("sales", "Decide until when a handoff may change its owner"),
        "never_touched": ("sales", "Decide who takes the handoffs that nobody touches"),
        "touched_late": ("sales", "Decide whose day makes room for new people"),
    }
)
_GATES = MappingProxyType(
    {
        "marketing": "Decide which open deals of people handed over get both teams' help now",
        "sales": "Decide which open deals both teams bring home this period",
    }
)
_LATE_OTHERWISE = ("sales", "Decide what changes so that new people hear from us in time")


@dataclass(frozen=True, slots=True)
class Standing:
    """One thing that a team owes, what was agreed and what is; `actual` None: nothing to count.

    `is_most` turns it round: no more than agreed is good.
    `is_settled` says that there are cases enough, or time enough, to decide on it. `why` is the
    most frequent cause where there is one.
    """

    key: str
    team: str
    what: str
    unit: Unit
    agreed: int
    actual: int | None
    ask: str
    is_most: bool = False
    is_settled: bool = True
    why: str | None = None

    @property
    def is_kept(self) -> bool | None:
        """Tell whether it is as agreed; None where there was nothing to count."""
        if self.actual is None:
            return None
        return self.actual <= self.agreed if self.is_most else self.actual >= self.agreed

    @property
    def shortfall(self) -> Fraction:
        """Give how far it is from what was agreed, as a part of that; 0 when kept."""
        if self.actual is None or self.is_kept:
            return Fraction(0)
        return Fraction(abs(self.agreed - self.actual), max(self.agreed, 1))


def standings(
    status: DataFrame[HandoffStatus],
    bridge: DataFrame[Bridge],
    promises: DataFrame[Promises],
    terms: Terms | None,
    agreement: Agreement,
    week: Week,
    now: datetime,
) -> tuple[Standing, ...]:
    """Hold both teams to what they owe: clocks, reasons and losses of a week, the rest by period.

    A clock belongs to the week in which it fell due, so that each is judged once and none too
    early. Promises and attainment are those of the period that runs at `now` (UTC), at its pace.
    `terms` are the running reward period's, None where there is none.
    """
    rules, period = agreement.alignment, period_of(now, agreement.calendar)
    is_settled = _gone(period, agreement.calendar, now) >= _SETTLED
    return (
        _clocks(status, rules, week),
        _reasons(status, rules, week),
        _found(bridge, rules, week),
        *_promises(promises[promises["period"] == period], is_settled=is_settled),
        *(_gates(terms, now, is_settled=is_settled) if terms else ()),
    )


def _gone(period: str, calendar: Calendar, now: datetime) -> Fraction:
    """Give which part of a period is over, today counted as gone."""
    first, last = period_days(period, calendar)
    today = now.astimezone(calendar.zone_info).date()
    return Fraction((today - first).days + 1, (last - first).days + 1)


def decisions(found: Sequence[Standing]) -> list[Standing]:
    """Give what is not as agreed and can be decided on, the furthest from it first.

    Of equal ones in the given order.
    """
    broken = [each for each in found if each.is_kept is False and each.is_settled]
    return sorted(broken, key=lambda each: -each.shortfall)


def fell_due(status: DataFrame[HandoffStatus], week: Week) -> pd.DataFrame:
    """Give the handoffs whose clock fell due in a week, relieved ones left out."""
    return status[week.holds(status["due_at"]) & status["relief"].isna()]


def rejected_in(status: DataFrame[HandoffStatus], week: Week) -> pd.DataFrame:
    """Give the handoffs that sales rejected in a week."""
    return status[(status["answer"] == REJECTED) & week.holds(status["answered_at"])]


def top(values: pd.Series) -> tuple[str, int] | None:
    """Give the most frequent value with its count, ties by name; None where there is none."""
    counts = values.dropna().value_counts()
    if counts.empty:
        return None
    most = int(counts.iloc[0])
    return min(str(name) for name in counts.index[counts == most]), most


def share_ppm(part: int, whole: int) -> int | None:
    """Give a part in parts per million of the whole, rounded down; None of nothing."""
    return part * _WHOLE // whole if whole else None


def _clocks(status: DataFrame[HandoffStatus], rules: AlignmentRules, week: Week) -> Standing:
    due = fell_due(status, week)
    late = due[due["is_breached"]]
    cause = top(late["cause"])
    team, ask = _LATE.get(cause[0], _LATE_OTHERWISE) if cause else _LATE_OTHERWISE
    return Standing(
        key="clocks",
        team=team,
        what="handoffs that fell due, touched within their limit",
        unit="ppm",
        agreed=int(rules.clocks * _WHOLE),
        actual=share_ppm(len(due) - len(late), len(due)),
        ask=ask,
        is_settled=len(due) >= _LEAST_CASES,
        why=f"{words(cause[0])}, {cause[1]} of {len(late)} late" if cause else None,
    )


def _reasons(status: DataFrame[HandoffStatus], rules: AlignmentRules, week: Week) -> Standing:
    rejected = rejected_in(status, week)
    return Standing(
        key="reasons",
        team="sales",
        what="rejections with a reason",
        unit="ppm",
        agreed=int(rules.reasons * _WHOLE),
        actual=share_ppm(int(rejected["answer_reason"].notna().sum()), len(rejected)),
        ask="Decide how a rejection without a reason is kept from being saved",
        is_settled=len(rejected) >= _LEAST_CASES,
    )


def _found(bridge: DataFrame[Bridge], rules: AlignmentRules, week: Week) -> Standing:
    new = bridge[week.holds(bridge["mql_at"])]
    missing = new[new["bridge_class"] == MISSING]
    cause = top(missing["rule"])
    return Standing(
        key="found",
        team="operations",
        what="new MQLs accounted for",
        unit="ppm",
        agreed=int(rules.found * _WHOLE),
        actual=share_ppm(len(new) - len(missing), len(new)),
        ask="Decide who brings the missing MQLs to Salesforce (tandem bridge lists them)",
        is_settled=len(new) >= _LEAST_CASES,
        why=f"{words(cause[0])}, {cause[1]} of {len(missing)} missing" if cause else None,
    )


_PROMISED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "volume": ("handoffs by the period's end, at this pace", "Decide what brings more people"),
        "acceptance": (
            "people accepted by sales, of those answered in time",
            "Decide whom marketing stops handing over",
        ),
        "completeness": (
            "people handed over with every agreed field",
            "Decide which form or list fills the missing fields",
        ),
        "recycled": (
            "rejected people back in nurture in time",
            "Decide who takes rejected people back, and when",
        ),
    }
)


def _promises(rows: pd.DataFrame, *, is_settled: bool) -> list[Standing]:
    return [
        _promise(
            str(promise),
            "count" if unit == "count" else "ppm",
            int(promised),
            None if pd.isna(pace) else int(pace),
            is_settled=is_settled if unit == "count" else counted >= _LEAST_CASES,
        )
        for promise, unit, promised, pace, counted in zip(
            *(rows[name] for name in _PROMISE), strict=True
        )
    ]


def _promise(
    promise: str, unit: Unit, promised: int, pace: int | None, *, is_settled: bool
) -> Standing:
    source = promise.removeprefix("source ")
    what, ask = _PROMISED.get(
        promise, (f"people whose source is {source}, at most", f"Decide what replaces {source}")
    )
    return Standing(
        key=f"promise {promise}",
        team="marketing",
        what=what,
        unit=unit,
        agreed=promised,
        actual=pace,
        ask=ask,
        is_most=promise not in _PROMISED,
        is_settled=is_settled,
    )


def _gates(terms: Terms, now: datetime, *, is_settled: bool) -> list[Standing]:
    today = now.astimezone(ZoneInfo(terms.zone)).date()
    unit = 10**terms.digits
    return [
        Standing(
            key=f"gate {team}",
            team=team,
            what=f"won revenue of {terms.period} at this pace, against the pool's gate",
            unit="minor",
            agreed=math.ceil(Fraction(terms.rules.gate) * Fraction(reached.target) * unit),
            actual=straight_pace(reached.actual_minor, terms, today),
            ask=_GATES[team],
            is_settled=is_settled,
        )
        for team, reached in sorted(terms.attained.items())
    ]
