"""What decides a period's pool besides its deals; frozen when the period closes (W9)."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field, field_validator

from agreement.policy import Policy, RewardRules, Spiff, Targets, Team

# What no touch explains stands in the ledger as this participant (rules.md 3, W7).
HOUSE = "house"

Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class Participants(Policy):
    """The private file: who is in each team with what weight, caps per period, spiffs.

    Ids are payroll's, never names. Amounts are in company currency. A team that is not named takes
    part itself.
    """

    teams: Mapping[Team, Mapping[str, Amount]] = Field(default_factory=dict)
    caps: Mapping[str, Amount] = Field(default_factory=dict)
    spiffs: tuple[Spiff, ...] = ()

    @field_validator("teams")
    @classmethod
    def weigh_somebody(cls, value: Mapping[str, Mapping[str, Decimal]]) -> Mapping[str, object]:
        """Members have weights that add up to something, and an id that is no team's."""
        for team, members in value.items():
            if not any(members.values()):
                raise ValueError(f"the weights of {team} add up to nothing; give a member a weight")
            if taken := {"marketing", "sales", HOUSE, "unknown"} & set(members):
                raise ValueError(f"a member of {team} is called {taken.pop()!r}; use payroll's id")
        return value


class Attained(Policy):
    """What a team reached in a period, in company minor units, and what it wanted to reach."""

    actual_minor: int
    target: Annotated[Decimal, Field(gt=0)]


class PeriodRate(Policy):
    """Units of a currency per one unit of company currency, from a day on."""

    currency: str
    starts_on: str
    rate: str


class Terms(Policy):
    """The terms of one period; amounts are company minor units, days are of the company's zone.

    `deal_digits` are the minor digits of the currencies that deals are in.
    """

    period: str
    agreement: str
    currency: str
    digits: int
    zone: str
    first: date
    last: date
    model: str
    rules: RewardRules
    attained: Mapping[str, Attained] = Field(min_length=1)
    teams: Mapping[str, Mapping[str, int]] = Field(default_factory=dict)
    caps_minor: Mapping[str, int] = Field(default_factory=dict)
    spiffs_minor: Mapping[str, int] = Field(default_factory=dict)
    rates: tuple[PeriodRate, ...] = ()
    deal_digits: Mapping[str, int] = Field(default_factory=dict)

    @property
    def attainment(self) -> dict[str, Fraction]:
        """Give each team's exact attainment: actual / target, not capped."""
        unit = 10**self.digits
        return {
            team: Fraction(reached.actual_minor, unit) / Fraction(reached.target)
            for team, reached in sorted(self.attained.items())
        }

    @property
    def held_until(self) -> date:
        """Give the last day on which the period's holdback is kept."""
        return self.last + timedelta(days=self.rules.clawback_days)


def attained(actual_minor: Mapping[str, int], targets: Targets) -> dict[str, Attained]:
    """Set what each team reached beside its target; a team that is not named reached 0."""
    return {
        team: Attained(actual_minor=actual_minor.get(team, 0), target=target)
        for team, target in (("marketing", targets.marketing), ("sales", targets.sales))
    }
