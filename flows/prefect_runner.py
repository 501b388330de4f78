"""How a job runs under Prefect: as a flow of tasks, with a bar, tables, and an end that speaks."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast
from uuid import uuid5

from prefect import flow, task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.events import emit_event
from prefect.flows import Flow
from prefect.tasks import Task
from pydantic import Field

from agreement.errors import TandemError, VendorUnavailable

_MOST_ROWS = 500

_P = ParamSpec("_P")
_R = TypeVar("_R")


# How a flow ends badly ---------------------------------------------------------------------------


class Halted(Exception):
    """What a flow's state says when it fails: what went wrong, and who has to act."""

    def __init__(self, error: TandemError) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        said = str(self.error).rstrip(".")
        return f"{said}. Who acts: {self.error.who_acts} (exit code {self.error.exit_code})"


def _saying_who_acts(work: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a flow's expected errors name who has to act: its state is all that most people see."""

    @functools.wraps(work)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return work(*args, **kwargs)
        except TandemError as error:
            raise Halted(error) from error

    return told


def tell_ended_badly(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell automations that a run failed, crashed or was cancelled.

    Prefect may call this twice for one end, in the run's process and in the worker's: the event's
    id is the same, and the server keeps one.
    """
    emit_event(
        "tandem.flow.ended-badly",
        resource={
            "prefect.resource.id": f"tandem.flow-run.{flow_run.id}",
            "prefect.resource.name": flow_run.name,
        },
        payload={"flow": flow.name, "state": state.name, "message": state.message},
        id=uuid5(flow_run.id, f"{flow_run.run_count}-{state.type.value}"),
    )


def as_flow(
    name: str, *, run_name: str | Callable[[], str], timeout_seconds: float | None = None
) -> Callable[[Callable[_P, _R]], Flow[_P, _R]]:
    """Make a job a flow: it says who has to act when it fails, and keeps no results of its own."""

    def decorate(work: Callable[_P, _R]) -> Flow[_P, _R]:
        as_prefect = flow(
            name=name,
            flow_run_name=run_name,
            timeout_seconds=timeout_seconds,
            persist_result=False,
            on_failure=[tell_ended_badly],
            on_crashed=[tell_ended_badly],
            on_cancellation=[tell_ended_badly],
        )
        return as_prefect(_saying_who_acts(work))

    return decorate


def form_field(title: str, help_text: str, **checks: Any) -> Any:
    """Label a flow's parameter on its form, and say what it is for.

    Prefect puts the parameter's own name over a Field's title, and drops its description.
    """
    return Field(json_schema_extra={"title": title, "description": help_text}, **checks)


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


class Bar:
    """A progress bar that moves by a stage; a stage that failed leaves it where it was."""

    def __init__(self, key: str, stages: int) -> None:
        self._id = create_progress_artifact(0.0, key=key, description="Stages done")
        self._done, self._stages = 0, stages

    def stage(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run a stage as a task, then move the bar."""
        result = as_task(work, *arguments)
        self._done += 1
        share = min(100.0, 100.0 * self._done / self._stages)
        update_progress_artifact(cast("Any", self._id), progress=share)
        return result


def artifact_key(name: str, portal: str) -> str:
    """Name an artifact the same in every run, so that its history shows."""
    return f"{name}-{portal}" if portal else name


# What people see ----------------------------------------------------------------------------------


def show_table(name: str, portal: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Show a table where its earlier versions show too; at most its first 500 rows."""
    shown: list[dict[str, Any]] = [dict(row) for row in rows[:_MOST_ROWS]]
    create_table_artifact(
        key=artifact_key(name, portal),
        table=shown or [{"none": "nothing to show"}],
        description=f"{len(rows):,} rows" + (", the first shown" if len(rows) > len(shown) else ""),
    )
