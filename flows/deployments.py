"""Prefect's side of each job: the same stages as tasks, with retries, forms and schedule.

Only this file imports Prefect; the command line answers without it.
"""

from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

from prefect import flow, runtime, task
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task
from pydantic import AwareDatetime, SecretStr

from agreement.errors import VendorUnavailable
from connectors.clock import utc_now
from connectors.participants import read_approvers
from connectors.settings import load_settings
from connectors.store import Store
from flows import rewards
from flows.night import Mode, night
from flows.run import open_run

_FOUR_HOURS = 4 * 3600


def _is_worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry only what waiting can cure."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, VendorUnavailable)


def as_task(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run one stage as a Prefect task.

    The arguments stay in a closure: Prefect would otherwise walk every one of them looking for
    futures.
    """

    @task(
        name=work.__name__,
        task_run_name=_task_name(work, arguments),
        retries=2,
        retry_delay_seconds=[10, 60],
        retry_jitter_factor=0.5,
        retry_condition_fn=_is_worth_retrying,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def stage() -> Any:
        return work(*arguments)

    return stage()


def _task_name(work: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    systems = [argument.system for argument in arguments if hasattr(argument, "system")]
    return "-".join([work.__name__.replace("_", "-"), *systems])


@flow(
    name="nightly-sync",
    flow_run_name="nightly-{mode}",
    timeout_seconds=_FOUR_HOURS,
    persist_result=False,
)
def nightly_sync(
    mode: Mode = "plan", is_full: bool = False, as_of: AwareDatetime | None = None
) -> dict[str, Any]:
    """Pull both CRMs, reconcile, measure, plan, and (mode apply) write the shared numbers back.

    Args:
        mode: plan only shows what would be written; apply writes it.
        is_full: read everything again instead of what changed since the last night.
        as_of: the moment that counts as now; empty means the scheduled start.
    """
    moment = as_of or runtime.flow_run.scheduled_start_time
    with open_run(as_of=moment, is_scheduled=as_of is None, is_full=is_full) as run:
        return night(run, mode, stage=as_task)


@flow(name="rewards-close", flow_run_name="rewards-close", persist_result=False)
def rewards_close() -> dict[str, Any]:
    """Propose the first open reward period, once a night has seen its end; people do the rest."""
    with closing(Store.open(load_settings().database_url)) as store:
        return rewards.propose_due(store, utc_now())


@flow(name="approve-rewards", flow_run_name="approve-rewards-{period}", persist_result=False)
def approve_rewards(period: str, by: str, secret_block: str) -> dict[str, Any]:
    """Approve a proposed reward period; whoever proposed it cannot.

    Args:
        period: such as 2027-Q1.
        by: a name listed under TANDEM_APPROVERS.
        secret_block: the Secret block that holds their secret. A parameter would be stored in
            clear; whoever may load the block can approve in that name.
    """
    block = cast("Secret[str]", Secret.load(secret_block))  # at once: this flow is not async
    secret = SecretStr(block.get())
    settings = load_settings()
    read_approvers(settings.tandem_approvers).verify(by, secret)
    with closing(Store.open(settings.database_url)) as store:
        return rewards.approve(store, period, rewards.Person(by, is_verified=True), utc_now())
