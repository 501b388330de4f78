"""The alignment stage: the lower of what is thought and what is measured."""

from dataclasses import fields, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.assessment import LEAST_TOTAL
from tests.builders import AGREEMENT
from transforms.alignment import Evidence, alignment

RULES = AGREEMENT.alignment
ALL_WELL = Evidence(True, *[Fraction(1)] * 5, is_tied_out=True, shared_periods=2)
ORDER = list(LEAST_TOTAL)
shares = st.none() | st.fractions(0, 1)
evidence = st.builds(
    Evidence, st.booleans(), shares, shares, shares, shares, shares, st.booleans(),
    st.integers(0, 3),
)  # fmt: skip
totals = st.fixed_dictionaries(
    {}, optional={"marketing": st.integers(20, 100), "sales": st.integers(20, 100)}
)


def both(total):
    return {"marketing": total, "sales": total}


def test_all_well_on_both_sides_is_integrated():
    found = alignment(both(85), ALL_WELL, RULES)
    assert (found.stage, found.next_step) == (
        "integrated", "Keep it: look at the same page every week",
    )  # fmt: skip


def test_the_lower_team_speaks_for_both():
    assert alignment({"marketing": 90, "sales": 45}, ALL_WELL, RULES).opinion == "defined"


def test_one_team_alone_is_no_opinion():
    found = alignment({"sales": 90}, ALL_WELL, RULES)
    assert (found.opinion, found.stage) == (None, "integrated")


def test_good_figures_do_not_lift_a_bad_opinion():
    found = alignment(both(50), ALL_WELL, RULES)
    assert (found.evidence, found.stage) == ("integrated", "defined")
    assert found.next_step.startswith("Talk about the statements")


@pytest.mark.parametrize(
    ("worse", "stage", "step"),
    [
        ({"is_in_force": False}, "undefined", "run the night by it"),
        ({"found_share": Fraction(9, 10)}, "undefined", "missing MQLs"),
        ({"clocks_share": Fraction(1, 2)}, "defined", "late handoffs"),
        ({"promises_share": None}, "defined", "promise"),
        ({"reasons_share": Fraction(8, 10)}, "defined", "Ask for a reason"),
        ({"same_share": Fraction(98, 100)}, "aligned", "Tandem's fields"),
        ({"is_tied_out": False}, "aligned", "booked and credited"),
        ({"shared_periods": 0}, "aligned", "Close a reward period"),
    ],
)
def test_the_first_check_that_is_not_met_holds_the_stage_and_names_the_step(worse, stage, step):
    found = alignment(both(100), replace(ALL_WELL, **worse), RULES)
    assert found.stage == stage
    assert step in found.next_step


@given(totals, evidence)
def test_the_stage_is_never_above_opinion_or_evidence(totals, evidence):
    found = alignment(totals, evidence, RULES)
    places = [ORDER.index(each) for each in (found.evidence, found.opinion) if each]
    assert ORDER.index(found.stage) == min(places)


@given(totals, evidence, st.sampled_from([f.name for f in fields(Evidence)]))
def test_better_evidence_never_lowers_the_stage(totals, evidence, better):
    lifted = replace(evidence, **{better: getattr(ALL_WELL, better)})
    before, after = (alignment(totals, each, RULES).evidence for each in (evidence, lifted))
    assert ORDER.index(after) >= ORDER.index(before)
