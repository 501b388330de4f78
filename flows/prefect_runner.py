"""How a job runs under Prefect: as a flow of tasks, with a bar, tables, and an end that speaks."""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar
from uuid import uuid5

from prefect import flow, runtime, task
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.context import FlowRunContext
from prefect.events import emit_event
from prefect.flows import Flow
from prefect.tasks import Task
from pydantic import Field

from agreement.errors import Busy, TandemError, VendorUnavailable

log = logging.getLogger(__name__)

_MOST_ROWS = 500
# Times to wait for the lock before a run that a person started gives up.
_PATIENCE = 6

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


def _let_lines_through() -> None:
    """Let our loggers' lines reach the run's log, through the handler that Prefect keeps for such.

    Its setting PREFECT_LOGGING_EXTRA_LOGGERS hangs the same handler on, but leaves their level as
    it is, so that all but warnings would be dropped. Outside a run there is no log to reach.
    """
    if FlowRunContext.get() is None:
        return
    for name in ("flows", "connectors"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        for handler in logging.getLogger("prefect.extra").handlers:
            logger.addHandler(handler)  # one that hangs there already is not hung twice


def _saying_who_acts(work: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a flow's expected errors name who has to act: its state is all that most people see."""

    @functools.wraps(work)
    def told(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        _let_lines_through()
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


def due_at() -> datetime | None:
    """Give the moment that a run is for, in UTC; None outside a run.

    As a plain one: differences of Prefect's own kind of datetime are of a kind that pandas refuses.
    """
    moment = runtime.flow_run.scheduled_start_time
    return datetime.fromisoformat(moment.isoformat()).astimezone(UTC) if moment else None


def named(what: str) -> Callable[[], str]:
    """Name a flow's runs by what they do, for which portal, and the minute they are for, in UTC."""

    def name() -> str:
        portal = runtime.flow_run.parameters.get("portal", "")
        moment = runtime.flow_run.scheduled_start_time
        return "-".join(part for part in (what, portal, f"{moment:%Y-%m-%dT%H:%M}") if part)

    return name


def form_field(title: str, help_text: str, **checks: Any) -> Any:
    """Label a flow's parameter on its form, and say what it is for.

    Prefect puts the parameter's own name over a Field's title, and drops its description.
    """
    return Field(json_schema_extra={"title": title, "description": help_text}, **checks)


# Waiting for the lock ----------------------------------------------------------------------------


def patiently(work: Callable[[], _R], *, pause_seconds: float = 10) -> _R:
    """Do what takes the lock before anything else; wait about a minute for whoever holds it.

    A watch holds it for seconds: what a person started need not fail for that. A night may hold it
    for longer than a person waits.

    Raises:
        Busy: it is held for longer.
    """
    for _ in range(_PATIENCE):
        try:
            return work()
        except Busy as error:
            log.info("waiting seconds=%.0f because=%s", pause_seconds, error)
        time.sleep(pause_seconds)
    return work()


@contextmanager
def when_free(
    block: Callable[[], AbstractContextManager[_R]], *, pause_seconds: float = 10
) -> Iterator[_R]:
    """Enter a block that takes the lock, and wait for it like `patiently`.

    Raises:
        Busy: it is held for longer, or was lost half-way.
    """
    with ExitStack() as stack:
        yield patiently(lambda: stack.enter_context(block()), pause_seconds=pause_seconds)


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
    """A progress bar that moves by a stage; a stage that failed leaves it where it was.

    A bar that cannot be drawn or moved is given up: the stages go on without it.
    """

    def __init__(self, key: str, stages: int) -> None:
        self._key, self._done, self._stages = key, 0, stages
        self._id: Any = None
        with as_a_window(key):
            self._id = create_progress_artifact(0.0, key=key, description="Stages done")

    def stage(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run a stage as a task, then move the bar."""
        result = as_task(work, *arguments)
        self._done += 1
        share = min(100.0, 100.0 * self._done / self._stages)
        drawn, self._id = self._id, None
        if drawn is not None:
            with as_a_window(self._key):
                update_progress_artifact(drawn, progress=share)
                self._id = drawn
        return result


def artifact_key(name: str, portal: str) -> str:
    """Name an artifact the same in every run, so that its history shows."""
    return f"{name}-{portal}" if portal else name


# What people see ----------------------------------------------------------------------------------


@contextmanager
def as_a_window(what: str, *, is_done: bool = True) -> Iterator[None]:
    """Let showing fail by itself: what was done before stands, and its run ends as it went.

    Where nothing `is_done` but to show, a fault counts. The log names its kind only, since its text
    may hold an address with a password.
    """
    try:
        yield
    except Exception as error:
        if not is_done:
            raise
        log.warning("not_shown what=%s error=%s", what, type(error).__name__)


def show_table(name: str, portal: str, rows: Sequence[Mapping[str, Any]], about: str = "") -> None:
    """Show a table where its earlier versions show too; at most its first 500 rows.

    `about` says what a row is, to somebody who sees nothing else of it.
    """
    shown: list[dict[str, Any]] = [dict(row) for row in rows[:_MOST_ROWS]]
    counted = f"{len(rows):,} rows" + (", the first shown" if len(rows) > len(shown) else "")
    create_table_artifact(
        key=artifact_key(name, portal),
        table=shown or [{"none": "nothing to show"}],
        description=f"{counted}. {about}" if about else counted,
    )
