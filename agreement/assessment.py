"""How both teams see their own relationship: twenty statements, rated 1 to 5 by each.

The scale and its four stages are those of Kotler, Rackham and Krishnaswamy (Harvard Business
Review, July 2006); the statements are worded by us.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from agreement.errors import BadInput
from agreement.policy import Policy, Team

Stage = Literal["undefined", "defined", "aligned", "integrated"]

# The least total of each stage; twenty answers of 1 give the least there is.
LEAST_TOTAL: Mapping[Stage, int] = {
    "undefined": 20,
    "defined": 40,
    "aligned": 60,
    "integrated": 80,
}

STATEMENTS = (
    "Our figures for leads, pipeline and wins are the same in both teams' reports.",
    "We have written down what a lead is, and when it is ready for sales.",
    "We can say for any lead where it is and who has to act.",
    "A rejected lead comes back with a reason that helps.",
    "We meet regularly and leave with decisions, not with complaints.",
    "When a promise between us is missed, we look for the cause before the culprit.",
    "Each team knows what the other has promised, and by when.",
    "We agree on who owns which part of the funnel.",
    "We plan campaigns and sales pushes together.",
    "Marketing hears calls or visits customers with sales.",
    "Sales gives feedback on content, and content changes because of it.",
    "We use the same language for customers, segments and stages.",
    "We set the budget for growth together.",
    "We forecast demand together.",
    "We look at the same systems, and trust what they show.",
    "We review won and lost deals together, from the first touch on.",
    "We share at least one target on which both of us are measured.",
    "Part of what we earn depends on what both teams reach.",
    "People move between our teams, or work in a mixed one.",
    "We rise and fall together, and act like it.",
)

Rating = Annotated[int, Field(ge=1, le=5, strict=True)]
Ratings = Annotated[
    tuple[Rating, ...], Field(min_length=len(STATEMENTS), max_length=len(STATEMENTS))
]


class Assessment(Policy):
    """Each team's ratings of the statements, in their order, by period such as 2027-Q1."""

    answers: Mapping[str, Mapping[Team, Ratings]]

    def totals(self) -> dict[str, dict[str, int]]:
        """Add up each team's ratings, by period in order."""
        return {
            period: {str(team): sum(ratings) for team, ratings in sorted(teams.items())}
            for period, teams in sorted(self.answers.items())
        }


def stage_of(total: int) -> Stage:
    """Give the stage of a total from 20 to 100.

    >>> stage_of(39), stage_of(40), stage_of(79), stage_of(80)
    ('undefined', 'defined', 'aligned', 'integrated')
    """
    return next(stage for stage, least in reversed(list(LEAST_TOTAL.items())) if total >= least)


def load_assessment(path: Path) -> Assessment:
    """Read a file of answers.

    Raises:
        BadInput: the file cannot be read, or a team's answers are not twenty numbers from 1 to 5.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Assessment.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{path} cannot be read ({type(error).__name__})") from None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "the file"
        raise BadInput(
            f"{path}: {place}: {fault['msg']}. Each team gives {len(STATEMENTS)} numbers from 1 to "
            "5; tandem assessment --template prints the statements as a file to fill in"
        ) from None


def template(period: str) -> str:
    """Write a file of answers to fill in: each statement beside its rating."""
    lines = [f"# Rate each statement from 1 (not at all) to 5 (fully). {len(STATEMENTS)} per team."]
    lines += ["answers:", f"  {period}:"]
    for team in ("marketing", "sales"):
        lines.append(f"    {team}:")
        lines += [
            f"      - 3   # {number}. {text}" for number, text in enumerate(STATEMENTS, start=1)
        ]
    return "\n".join(lines) + "\n"
