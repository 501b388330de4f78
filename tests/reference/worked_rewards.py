"""The worked examples as finance's manual: `python -m tests.reference.worked_rewards`."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests" / "golden" / "rewards").glob("*.yaml"))
PAGE = ROOT / "docs" / "worked-rewards.md"

_HEAD = """# Worked examples of the reward rules

One pool for both teams: a share of won revenue, moved by the lower attainment, split by shared
credit. What a company sets stands in `agreement/default.yaml`, block `rewards`; how a period closes
in [decision 6](decisions/0006-reward-periods.md). Each example is also a test: the same file runs
on the night's own code, on `tandem calc rewards FILE`, and on a slow independent calculation.
Amounts are US dollars.

| rule | in a sentence |
|---|---|
| W1 revenue | won deals of the period in company currency, each rounded once |
| W2 attainment | per team actual / target, at most the cap |
| W3 gate | one team under it: no pool |
| W4 joint | the lower attainment, or both multiplied |
| W5 multiplier | attainment up to 1, faster above, capped |
| W6 pool | rate x revenue x multiplier, halves to the even cent |
| W7 split | by credit, left-over cents by largest remainder, ties by id; then by members |
| W8 extras | spiffs on top; above a cap to the house; a part held back |
| W9 frozen | a closed period keeps its terms; later only deals move |
"""


def load(path: Path) -> dict[str, Any]:
    """Read a case; dates are text, as they are in a file for `tandem calc`."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def page() -> str:
    """Give the whole page."""
    return "\n".join([_HEAD, *(render(path) for path in CASES)])


def render(path: Path) -> str:
    case = load(path)
    name = f"../tests/golden/rewards/{path.name}"
    lines = [f"## {case['title']}", "", f"Rules {case['rules']}. [The file]({name}).", ""]
    lines += [case["story"], ""]
    lines += [f"- {line}" for line in case["by_hand"]]
    lines += ["", "| step | | participant | what | amount |", "|---|---|---|---|---:|"]
    steps = zip(case["input"]["steps"], case["output"]["steps"], strict=True)
    for number, (given, result) in enumerate(steps, start=1):
        lines += _step(number, given, result)
    for title, name in (("owed at the end", "balances"), ("held at the end", "held")):
        for who, minor in case["output"][name].items():
            lines.append(f"| | {title} | {who} | | {money(minor)} |")
    return "\n".join([*lines, ""])


def _step(number: int, given: dict[str, Any], result: dict[str, Any]) -> list[str]:
    if given["do"] == "run":
        into = (
            ""
            if given["posting_period"] == given["computed_for"]
            else (f", posted into {given['posting_period']}")
        )
        factor = result["multiplier"]
        return [
            f"| {number} | run {given['computed_for']}{into} | |"
            f" pool {money(result['revenue_minor'])} x {given['plan']['rate']} x {factor} |"
            f" {money(result['pool_minor'])} |",
            *(
                f"| | | {row['participant']} | {row['component']} | {money(row['minor'])} |"
                for row in result["postings"]
            ),
        ]
    if given["do"] == "post":
        return [
            f"| {number} | post {given['posting_period']} | {given['participant']} |"
            f" {given['component']} | {money(given['minor'])} |"
        ]
    if given["do"] == "close":
        return [f"| {number} | close {given['period']} | | | |"]
    return [
        f"| {number} | pay in {given['posting_period']} | {who} |"
        f" owed {money(row['balance_before'])}, carried {money(row['carried'])} |"
        f" {money(row['paid'])} |"
        for who, row in result.items()
    ]


def money(minor: int) -> str:
    return f"{Decimal(minor).scaleb(-2):,.2f}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
