"""What would move an open period's pool most: not final, and not a forecast of anybody's pay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from types import MappingProxyType

from agreement.policy import RewardRules
from agreement.terms import Attained, Terms
from transforms.rewards import multiplier, pool_minor

# What each lever moves: won revenue, and what both teams reached of it.
_LEVERS: Mapping[str, tuple[int, Mapping[str, int]]] = MappingProxyType(
    {
        "won revenue with an accepted handoff": (1, {"marketing": 1, "sales": 1}),
        "won revenue without a handoff": (1, {"sales": 1}),
        "accepted handoffs on deals already won": (0, {"marketing": 1}),
    }
)
_STEP_OF_TARGET = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Lever:
    """One way to a larger pool: `more_minor` of it makes the pool `gain_minor` larger."""

    what: str
    more_minor: int
    pool_minor: int
    gain_minor: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """An open period as it stands, at this pace, and with one lever moved; nothing of it is final.

    `to_gate_minor` is what each team lacks to the gate. Levers stand with the most gain per unit
    first.
    """

    pool_minor: int
    pool_at_pace_minor: int
    to_gate_minor: Mapping[str, int]
    levers: tuple[Lever, ...]


def pool_if(
    terms: Terms,
    revenue_minor: int,
    actual_minor: Mapping[str, int],
    rules: RewardRules | None = None,
) -> int:
    """Give the pool for another revenue, other actuals, or other rules, such as a draft's."""
    reached = {
        team: Attained(actual_minor=actual_minor.get(team, 0), target=known.target)
        for team, known in terms.attained.items()
    }
    changed = terms.model_copy(update={"attained": reached})
    rules = rules or terms.rules
    return pool_minor(revenue_minor, multiplier(changed.attainment, rules), rules)


def straight_pace(minor: int, terms: Terms, today: date) -> int:
    """Give where an amount leads by the period's end at the same speed, today counted as gone."""
    days = (terms.last - terms.first).days + 1
    gone = min(max((today - terms.first).days + 1, 1), days)
    return minor * days // gone


def outlook(terms: Terms, revenue_minor: int, today: date) -> Outlook:
    """Say where an open period stands on a day of it, and which lever moves it most.

    The pace takes what is won so far to the period's end in a straight line.
    """
    actual = {team: reached.actual_minor for team, reached in terms.attained.items()}
    at_pace = {team: straight_pace(minor, terms, today) for team, minor in actual.items()}
    levers = [_lever(terms, revenue_minor, actual, what) for what in _LEVERS]
    useful = [lever for lever in levers if lever.more_minor > 0 and lever.gain_minor > 0]
    return Outlook(
        pool_minor=pool_if(terms, revenue_minor, actual),
        pool_at_pace_minor=pool_if(terms, straight_pace(revenue_minor, terms, today), at_pace),
        to_gate_minor={team: _to_gate(terms, team) for team in sorted(actual)},
        levers=tuple(sorted(useful, key=lambda each: -Fraction(each.gain_minor, each.more_minor))),
    )


def _lever(terms: Terms, revenue_minor: int, actual: Mapping[str, int], what: str) -> Lever:
    """Move one lever by a hundredth of the larger target, or as far as the gate needs."""
    revenue_step, moves = _LEVERS[what]
    largest = max(Fraction(terms.attained[team].target) for team in moves)
    step = round(largest * _STEP_OF_TARGET * int(10**terms.digits))
    more = max(step, *(_to_gate(terms, team) for team in moves))
    if not revenue_step:
        more = min(more, max(0, revenue_minor - actual.get("marketing", 0)))
    moved = {team: minor + more * moves.get(team, 0) for team, minor in actual.items()}
    then = pool_if(terms, revenue_minor + more * revenue_step, moved)
    return Lever(what, more, then, then - pool_if(terms, revenue_minor, actual))


def _to_gate(terms: Terms, team: str) -> int:
    """Give the minor units that a team lacks to the gate, rounded up."""
    reached = terms.attained[team]
    wanted = Fraction(terms.rules.gate) * Fraction(reached.target) * int(10**terms.digits)
    return max(0, -int((reached.actual_minor - wanted) // 1))
