"""The stage of the relationship: what both teams think of it, and what the figures show."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from agreement.assessment import LEAST_TOTAL, Stage, stage_of
from agreement.frames import Bridge, DataFrame, HandoffStatus, Promises
from agreement.periods import period_days
from agreement.policy import AlignmentRules, Calendar
from transforms.bridge import MISSING
from transforms.handoffs import REJECTED
from transforms.horizons import Horizon

_ORDER: tuple[Stage, ...] = tuple(LEAST_TOTAL)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured, as shares from 0 to 1; None where there was nothing to measure.

    `is_in_force`: the agreement holds by its date, and the last night went by it. `found_share`:
    MQLs that are accounted for (all classes of the bridge but missing). `clocks_share`: sales'
    handoffs within limit. `promises_share`: marketing's promises kept. `reasons_share`: rejections
    with a reason. `same_share`: written fields that both CRMs still hold. `is_tied_out`: booked
    equals credited. `shared_periods`: periods closed with one pool for both.
    """

    is_in_force: bool
    found_share: Fraction | None
    clocks_share: Fraction | None
    promises_share: Fraction | None
    reasons_share: Fraction | None
    same_share: Fraction | None
    is_tied_out: bool
    shared_periods: int


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a stage asks for; `value` is None when there was nothing to measure yet."""

    stage: Stage
    what: str
    value: Fraction | None
    least: Fraction
    step: str

    @property
    def is_met(self) -> bool:
        """Tell whether the figure is there and reaches what the stage asks for."""
        return self.value is not None and self.value >= self.least


@dataclass(frozen=True, slots=True)
class Alignment:
    """The stage: the lower of opinion and evidence, and the one step that would move it.

    `opinion` is None while a team has not answered; the stage is the evidence's then.
    """

    totals: Mapping[str, int]
    opinion: Stage | None
    evidence: Stage
    stage: Stage
    checks: tuple[Check, ...]
    next_step: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What a night and the ledger say at one moment, as `Evidence` has it."""

    is_in_force: bool
    same_share: Fraction | None
    is_tied_out: bool
    shared_periods: int


def evidence(
    bridge: DataFrame[Bridge],
    status: DataFrame[HandoffStatus],
    promises: DataFrame[Promises],
    kept: Kept,
    span: Horizon,
    calendar: Calendar,
) -> Evidence:
    """Measure a span of days: MQLs by their stamp, clocks by their start, answers by theirs.

    Every clock that started counts, also one that still waits; relieved handoffs have none.
    Promises are those of the periods that begin in the span.
    """
    zone = calendar.zone
    mqls = bridge.loc[span.holds_moments(bridge["mql_at"], zone), "bridge_class"]
    started = status[span.holds_moments(status["started_at"], zone) & status["relief"].isna()]
    is_rejected = status["answer"] == REJECTED
    rejected = status[is_rejected & span.holds_moments(status["answered_at"], zone)]
    begun = {
        str(period): span.first <= period_days(str(period), calendar)[0] <= span.last
        for period in promises["period"].unique()
    }
    judged = promises.loc[promises["period"].map(begun).astype(bool), "is_kept"].dropna()
    return Evidence(
        is_in_force=kept.is_in_force,
        found_share=_share(mqls != MISSING),
        clocks_share=_share(started["status"] == "on_time"),
        promises_share=_share(judged),
        reasons_share=_share(rejected["answer_reason"].notna()),
        same_share=kept.same_share,
        is_tied_out=kept.is_tied_out,
        shared_periods=kept.shared_periods,
    )


def _share(is_good: pd.Series) -> Fraction | None:
    return Fraction(int(is_good.sum()), len(is_good)) if len(is_good) else None


def alignment(totals: Mapping[str, int], evidence: Evidence, rules: AlignmentRules) -> Alignment:
    """Set what both teams think beside what was measured; advisory only.

    `totals` are the teams' sums of ratings of one period. The opinion is the lower team's: one side
    alone cannot be aligned. The evidence's stage is the highest whose checks, and those of every
    stage below, are met.
    """
    checks = _checks(evidence, rules)
    shown = _highest_met(checks)
    opinion = stage_of(min(totals.values())) if {"marketing", "sales"} <= set(totals) else None
    stage = min(shown, opinion or shown, key=_ORDER.index)
    return Alignment(totals, opinion, shown, stage, checks, _next_step(stage, opinion, checks))


def _checks(evidence: Evidence, rules: AlignmentRules) -> tuple[Check, ...]:
    whole = Fraction(1)
    return (
        Check("defined", "agreement in force, and the night went by it",
              Fraction(evidence.is_in_force), whole,
              "Agree on one version, name it in TANDEM_AGREEMENT, and run the night by it"),
        Check("defined", "MQLs accounted for", evidence.found_share, Fraction(rules.found),
              "Work through the missing MQLs of tandem bridge, by cause"),
        Check("aligned", "handoffs within their limit", evidence.clocks_share,
              Fraction(rules.clocks), "Mend the most frequent cause of late handoffs"),
        Check("aligned", "marketing's promises kept", evidence.promises_share,
              Fraction(rules.promises), "Mend the promise that marketing misses by most"),
        Check("aligned", "rejections with a reason", evidence.reasons_share,
              Fraction(rules.reasons), "Ask for a reason with every rejection"),
        Check("integrated", "written figures that both CRMs still hold", evidence.same_share,
              Fraction(rules.same), "Find who changes Tandem's fields; tandem status counts them"),
        Check("integrated", "booked equals credited", Fraction(evidence.is_tied_out), whole,
              "Run the night until booked and credited agree"),
        Check("integrated", "a shared pool in force", Fraction(min(evidence.shared_periods, 1)),
              whole, "Close a reward period with one pool for both teams"),
    )  # fmt: skip


def _highest_met(checks: tuple[Check, ...]) -> Stage:
    reached: Stage = _ORDER[0]
    for stage in _ORDER[1:]:
        if not all(check.is_met for check in checks if check.stage == stage):
            break
        reached = stage
    return reached


_ASK = "Have both teams answer the twenty statements"
_KEEP = "Keep it: look at the same page every week"


def _next_step(stage: Stage, opinion: Stage | None, checks: tuple[Check, ...]) -> str:
    """Give the first unmet check of the stage above; where all are met, opinion holds it back."""
    if stage == _ORDER[-1]:
        return _KEEP if opinion else _ASK
    above = _ORDER[_ORDER.index(stage) + 1]
    unmet = [check.step for check in checks if check.stage == above and not check.is_met]
    if unmet:
        return unmet[0]
    return "Talk about the statements that the lower team rates lowest: the figures are better"
