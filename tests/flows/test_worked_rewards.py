"""The worked examples: the night's code, the command, a slow reference and the manual agree."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from click.testing import CliRunner

from flows.calc_rewards import calc_rewards
from flows.cli import tandem
from tests.reference import rewards as reference
from tests.reference.worked_rewards import CASES, PAGE, load, page

DEFAULTS = {
    "gate": "0.70",
    "attainment_cap": "1.5",
    "accelerator": "1.5",
    "multiplier_cap": "2",
}
case_files = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)


@case_files
def test_the_example_comes_out_as_written(path):
    case = load(path)
    assert calc_rewards(case["input"], path.name) == case["output"]


@case_files
def test_the_command_runs_the_example_from_a_file(path, tmp_path):
    case = load(path)
    file = tmp_path / "case.json"
    file.write_text(json.dumps(case["input"]), encoding="utf-8")
    ran = CliRunner().invoke(tandem, ["calc", "rewards", "--json", str(file)])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.output) == case["output"]


@case_files
def test_a_slow_and_obvious_calculation_gives_the_same_pools_and_balances(path):
    case = load(path)
    steps = zip(case["input"]["steps"], case["output"]["steps"], strict=True)
    posted: dict[tuple[str, str, str], int] = {}
    frozen: dict[str, dict] = {}
    seen: dict[str, dict] = {}
    for given, result in steps:
        if given["do"] == "close":
            frozen |= {name: plan for name, plan in seen.items() if name == given["period"]}
        if given["do"] != "run":
            continue
        name = given["computed_for"]
        plan = frozen.get(name, DEFAULTS | given["plan"])
        seen[name] = plan
        credit: dict[str, int] = {}
        for deal in given["deals"]:
            for who, minor in deal["credits_minor"].items():
                credit[who] = credit.get(who, 0) + minor
        attained = {
            team: Fraction(of["actual"]) / Fraction(of["target"])
            for team, of in plan["attainment"].items()
        }
        factor = reference.multiplier(attained, plan)
        revenue = sum(credit.values())
        pool = reference.half_even(Fraction(plan["rate"]) * revenue * factor)
        wanted = reference.wanted(
            pool,
            credit,
            {team: whole(members) for team, members in plan.get("teams", {}).items()},
            plan.get("caps_minor", {}),
            plan.get("spiffs_minor", {}),
            Fraction(plan["holdback"]),
        )
        due = {}
        for who, what in {*wanted, *(key[1:] for key in posted if key[0] == name)}:
            difference = wanted.get((who, what), 0) - posted.get((name, who, what), 0)
            if difference:
                due[who, what] = difference
            posted[name, who, what] = wanted.get((who, what), 0)
        shown = {(row["participant"], row["component"]): row["minor"] for row in result["postings"]}
        assert (result["revenue_minor"], result["pool_minor"], shown) == (revenue, pool, due)


def whole(weights):
    return {who: int(Decimal(weight) * 1000) for who, weight in weights.items()}


def test_the_manual_is_made_of_these_examples():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run python -m tests.reference.worked_rewards"
    )
