"""Prefect's side of each job: the same stages as tasks, with retries, forms, artifacts and events.

Only this file and blocks.py import Prefect; the command line answers without it. What Prefect
shows is a window: the store holds what is true.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

import yaml
from prefect import flow, runtime, serve, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
    State,
    TaskRun,
)
from prefect.deployments.runner import RunnerDeployment
from prefect.events import emit_event
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.schedules import Cron, Interval, Schedule
from prefect.tasks import Task
from pydantic import AwareDatetime, BaseModel, Field, SecretStr

from agreement.errors import Busy, GuardStopped, VendorUnavailable
from connectors.clock import utc_now
from connectors.participants import read_approvers
from connectors.store import Store
from flows import provision, rewards, undo, writes
from flows.blocks import settings_of
from flows.night import Mode, night
from flows.run import Run, agreement_in_force, connect, open_run
from flows.scope import Scope
from flows.show import show_night, show_provision
from flows.show_writes import show_applied, show_undo
from flows.watch import watch

ROOT = Path(__file__).parents[1]

_FOUR_HOURS = 4 * 3600
# Stages of a night that writes, for its progress bar.
_STAGES = 13
_MOST_ROWS = 500

Portal = Annotated[
    str,
    Field(
        title="Portal",
        description="Name of the portal's blocks; empty: the worker's environment",
        pattern=r"^[a-z0-9-]*$",
    ),
]
IsApplied = Annotated[
    bool, Field(title="Write it", description="Off only shows what would be written")
]


class NightOptions(BaseModel):
    """Choices that a usual night does not need."""

    is_full: bool = Field(
        default=False,
        title="Read everything again",
        description="Instead of what changed since the last night; costs many requests",
    )
    as_of: AwareDatetime | None = Field(
        default=None,
        title="The moment that counts as now",
        description="Empty: the scheduled start. Writing runs cannot go back in time",
    )
    since: AwareDatetime | None = Field(
        default=None,
        title="Read again from",
        description="Also reads once more what changed since this moment: for a day, or a range",
    )
    only: str = Field(
        default="",
        title="Write only",
        description="SYSTEM/OBJECT or SYSTEM/OBJECT/RECORD, such as hubspot/contact/101",
    )


# Stages as tasks ---------------------------------------------------------------------------------


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


class _Bar:
    """A progress bar that moves by a stage; a stage that failed leaves it where it was."""

    def __init__(self, key: str, stages: int) -> None:
        self._id = create_progress_artifact(0.0, key=key, description="Stages done")
        self._done, self._stages = 0, stages

    def stage(self, work: Callable[..., Any], *arguments: Any) -> Any:
        result = as_task(work, *arguments)
        self._done += 1
        share = min(100.0, 100.0 * self._done / self._stages)
        update_progress_artifact(cast("Any", self._id), progress=share)
        return result


def _key(name: str, portal: str) -> str:
    """Name an artifact the same in every run, so that its history shows."""
    return f"{name}-{portal}" if portal else name


# The night ---------------------------------------------------------------------------------------


def _night_name() -> str:
    given = runtime.flow_run.parameters
    moment = (given.get("options") or {}).get("as_of") or runtime.flow_run.scheduled_start_time
    parts = ["nightly", given.get("mode", "plan"), given.get("portal", ""), str(moment)[:10]]
    return "-".join(part for part in parts if part)


@flow(
    name="nightly-sync",
    flow_run_name=_night_name,
    timeout_seconds=_FOUR_HOURS,
    persist_result=False,
)
def nightly_sync(
    mode: Annotated[
        Mode, Field(title="Mode", description="plan only shows what would be written")
    ] = "plan",
    portal: Portal = "",
    options: NightOptions = NightOptions(),  # noqa: B008 - frozen defaults are what the form shows
) -> dict[str, Any]:
    """Pull both CRMs, reconcile, measure, plan, and (mode apply) write the shared numbers back."""
    moment = options.as_of or runtime.flow_run.scheduled_start_time
    bar = _Bar(_key("nightly-progress", portal), _STAGES if mode == "apply" else 7)
    with open_run(
        settings_of(portal),
        as_of=moment,
        is_scheduled=options.as_of is None,
        is_full=options.is_full,
        scope=Scope.parse(options.only) if options.only else None,
        reread_since=options.since,
    ) as run:
        try:
            summary = night(run, mode, stage=bar.stage)
        except GuardStopped:
            _emit("tandem.plan.waiting", run.run_id, {"why": "a guard stopped it"})
            raise
        _show_night(run, summary, portal)
    if mode == "plan":
        _emit("tandem.plan.waiting", run.run_id, {"plan_id": summary["plan_id"]})
    else:
        _emit("tandem.night.done", run.run_id, {"written": summary["written"]})
    return summary


def _show_night(run: Run, summary: Mapping[str, Any], portal: str) -> None:
    """Put the night's figures where ops look: by id, never with a name or an address."""
    create_markdown_artifact(
        key=_key("nightly-summary", portal),
        markdown=f"```\n{show_night(summary)}\n```\nPlan `{summary['plan_id']}`",
        description="What the night read, matched, credited and wrote",
    )
    _table("nightly-bridge", portal, _rows(summary["bridge"], "class", "MQLs"))
    _table("nightly-rejects", portal, summary["rejects"])
    _table("nightly-quarantine", portal, [vars_of(row) for row in run.store.refusals(run.run_id)])
    planned = [
        {"system": system, "object": kind, "records": count}
        for system, kinds in summary["planned"].items()
        for kind, count in kinds.items()
    ]
    _table("nightly-plan", portal, planned)


def vars_of(row: Any) -> dict[str, Any]:
    """Give a small record's fields by name."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def _rows(counts: Mapping[str, int], name: str, counted: str) -> list[dict[str, Any]]:
    return [{name: each, counted: count} for each, count in counts.items()]


def _table(name: str, portal: str, rows: Sequence[Mapping[str, Any]]) -> None:
    shown: list[dict[str, Any]] = [dict(row) for row in rows[:_MOST_ROWS]]
    create_table_artifact(
        key=_key(name, portal),
        table=shown or [{"none": "nothing to show"}],
        description=f"{len(rows):,} rows" + (", the first shown" if len(rows) > len(shown) else ""),
    )


def _emit(event: str, run_id: str, payload: Mapping[str, Any]) -> None:
    """Tell Prefect's automations; a convenience, since an event that is lost is lost."""
    emit_event(
        event,
        resource={"prefect.resource.id": f"tandem.run.{run_id}", "prefect.resource.name": run_id},
        payload={"run_id": run_id, **payload},
    )


# Between nights ----------------------------------------------------------------------------------


@flow(name="handoff-watch", flow_run_name="watch", timeout_seconds=240, persist_result=False)
def handoff_watch(portal: Portal = "") -> dict[str, Any]:
    """Read what can change a clock, write it back, say what is due; then tell automations.

    A night that holds the lock does the same and more: then there is nothing to do here.
    """
    try:
        with open_run(settings_of(portal)) as run:
            result = watch(run)
    except Busy as error:
        return {"skipped": str(error)}
    emit_told(result)
    return result


def emit_told(result: Mapping[str, Any]) -> None:
    """Tell automations what people were told before; an event that is lost loses no message."""
    for told in result["told"]:
        emit_event(
            f"tandem.handoff.{told['state']}",
            resource={"prefect.resource.id": f"tandem.handoff.{told['about_id']}"},
            payload={**told, "run_id": result["run_id"]},
        )


# What people decide ------------------------------------------------------------------------------


@flow(name="approve-plan", flow_run_name="approve-plan-{plan_id}", persist_result=False)
def approve_plan(
    plan_id: Annotated[str, Field(title="Plan", description="Its id, from the night's summary")],
    by: Annotated[str, Field(title="Who approves", min_length=2)],
    portal: Portal = "",
    canary: Annotated[
        Decimal | None,
        Field(title="Canary share", description="Write this share first", gt=0, le=1),
    ] = None,
    is_over_guards: Annotated[
        bool, Field(title="Although a guard would stop it", description="Look at the plan first")
    ] = False,
) -> dict[str, Any]:
    """Write a stored plan; what moved since it was made is left out and planned anew at night."""
    with open_run(settings_of(portal)) as run:
        run.summary["approved_by"] = by
        result = writes.apply_plan(run, plan_id, canary=canary, is_over_guards=is_over_guards)
    create_markdown_artifact(
        key=_key("approved-plan", portal),
        markdown=f"Plan `{plan_id}`, approved by {by}\n```\n{show_applied(result)}\n```",
    )
    writes.stop_when_stale(result)
    return result


@flow(name="undo", flow_run_name="undo-{run_id}", persist_result=False)
def undo_run(
    run_id: Annotated[str, Field(title="Run", description="Such as 20261117-041500")],
    is_applied: IsApplied = False,
    portal: Portal = "",
) -> dict[str, Any]:
    """Put back what a run overwrote; later edits by people are left alone and listed."""
    with open_run(settings_of(portal)) as run:
        result = undo.undo_run(run, run_id, is_applied=is_applied)
    create_markdown_artifact(key=_key("undo", portal), markdown=f"```\n{show_undo(result)}\n```")
    return result


@flow(name="provision", flow_run_name="provision", persist_result=False)
def provision_fields(is_applied: IsApplied = False, portal: Portal = "") -> dict[str, Any]:
    """Show, and when asked create, the fields that Tandem writes in both CRMs."""
    settings = settings_of(portal)
    rows = provision.provision(
        connect(settings), agreement_in_force(settings), is_applied=is_applied
    )
    result = {"is_applied": is_applied, "objects": [vars(row) for row in rows]}
    create_markdown_artifact(
        key=_key("provision", portal), markdown=f"```\n{show_provision(result)}\n```"
    )
    return result


@flow(name="rewards-close", flow_run_name="rewards-close", persist_result=False)
def rewards_close(portal: Portal = "") -> dict[str, Any]:
    """Propose the first open reward period, once a night has seen its end; people do the rest."""
    with closing(Store.open(settings_of(portal).database_url)) as store:
        return rewards.propose_due(store, utc_now())


@flow(name="approve-rewards", flow_run_name="approve-rewards-{period}", persist_result=False)
def approve_rewards(
    period: Annotated[str, Field(title="Period", description="Such as 2027-Q1")],
    by: Annotated[str, Field(title="Who approves", description="Listed under TANDEM_APPROVERS")],
    secret_block: Annotated[
        str,
        Field(
            title="Secret block",
            description="Name of the Secret block with their secret. A parameter would be stored in"
            " clear; whoever may load the block can approve in that name",
        ),
    ],
    portal: Portal = "",
) -> dict[str, Any]:
    """Approve a proposed reward period; whoever proposed it cannot."""
    block = cast("Secret[str]", Secret.load(secret_block))  # at once: this flow is not async
    secret = SecretStr(block.get())
    settings = settings_of(portal)
    read_approvers(settings.tandem_approvers).verify(by, secret)
    with closing(Store.open(settings.database_url)) as store:
        return rewards.approve(store, period, rewards.Person(by, is_verified=True), utc_now())


# All schedules in one process --------------------------------------------------------------------


def deployments_of(file: Path) -> list[RunnerDeployment]:
    """Read a deployment file as what `serve` runs: the same names, schedules and limits."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [_deployment(entry) for entry in content["deployments"]]


def _deployment(entry: Mapping[str, Any]) -> RunnerDeployment:
    path, _, name = entry["entrypoint"].partition(":")
    found: Flow[..., Any] = load_flow_from_entrypoint(f"{ROOT / path}:{name}")
    limit = entry.get("concurrency_limit")
    return cast(
        "RunnerDeployment",
        found.to_deployment(
            entry["name"],
            description=entry["description"],
            tags=entry.get("tags"),
            parameters=entry.get("parameters"),
            schedules=[_schedule(each) for each in entry.get("schedules", ())],
            concurrency_limit=ConcurrencyLimitConfig(
                limit=limit["limit"],
                collision_strategy=ConcurrencyLimitStrategy(limit["collision_strategy"]),
            )
            if limit
            else None,
        ),
    )


def _schedule(entry: Mapping[str, Any]) -> Schedule:
    if "cron" in entry:
        return Cron(entry["cron"], timezone=entry["timezone"], slug=entry["slug"])
    return Interval(
        timedelta(seconds=entry["interval"]), timezone=entry["timezone"], slug=entry["slug"]
    )


def main() -> None:
    """Run every schedule of a deployment file (default: prefect.yaml) until stopped."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "prefect.yaml"
    serve(*deployments_of(file), limit=4)


if __name__ == "__main__":
    main()
