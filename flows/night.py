"""The night: the order of its stages, once; `stage` decides how a stage is run."""

from collections.abc import Callable
from typing import Any, Literal

from flows.deliver import deliver, guard, settle
from flows.measure import measure, post_rewards
from flows.merge import merge_shared
from flows.plan import plan_writes
from flows.pull import pull
from flows.reconcile import reconcile
from flows.run import Run, enter_into_force
from flows.say import Said, say_alerts
from flows.self_check import self_check
from flows.summary import summarise

Mode = Literal["plan", "apply"]
Stage = Callable[..., Any]


def call(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run a stage plainly, here and now."""
    return work(*arguments)


def night(run: Run, mode: Mode, stage: Stage = call) -> dict[str, Any]:
    """Bring both CRMs to the numbers the agreement says they share; give the run's summary.

    With mode `plan` nothing is written to a CRM, nothing is posted, and nobody is told anything.
    A run about one object or record writes there only, and posts and says nothing either.
    """
    run.summary["mode"] = mode
    run.summary["scope"] = str(run.scope or "")
    if mode == "apply":
        stage(enter_into_force, run)
    stage(settle, run)
    pulled = {crm.system: stage(pull, run, crm) for crm in run.crms}
    known = stage(reconcile, run)
    shared = stage(merge_shared, run, known)
    measures = stage(measure, run, known)
    plan = stage(plan_writes, run, known, measures, shared)
    if mode == "plan":
        return summarise(run, pulled, known, measures, plan, written={}, said=Said())
    stage(guard, run, plan)
    written = stage(deliver, run, plan)
    if run.scope:
        return summarise(run, pulled, known, measures, plan, written, Said())
    stage(post_rewards, run, measures)
    said = stage(say_alerts, run, known, measures)
    checked = stage(self_check, run)
    return summarise(run, pulled, known, measures, plan, written, said, checked)
