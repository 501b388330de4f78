"""Prefect's side of each job: the same stages as tasks, with retries, forms, artifacts and events.

Prefect stays in this file, blocks.py and prefect_*.py; the command line answers without it. What
Prefect shows is a window: the store holds what is true.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from prefect import runtime, serve
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.events import emit_event
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.schedules import Cron, Interval, Schedule
from pydantic import AwareDatetime, BaseModel, Field, SecretStr
from sqlalchemy.engine import make_url

from agreement.errors import Busy, GuardStopped
from agreement.policy import load_agreement
from connectors.clock import utc_now
from connectors.participants import read_approvers
from connectors.settings import Settings
from connectors.store import Store
from flows import forget as forgetting
from flows import provision, rewards, undo, writes
from flows.backtest import backtest
from flows.blocks import settings_of
from flows.board import read_board, write_page
from flows.night import Mode, night
from flows.pack import read_pack, send_pack, without_names
from flows.prefect_runner import (
    Bar,
    artifact_key,
    as_a_window,
    as_flow,
    due_at,
    form_field,
    named,
    patiently,
    show_table,
    when_free,
)
from flows.reading import open_reading, reading_of
from flows.review import CAPACITY, review_queue
from flows.review_answers import answer_of, decide
from flows.run import agreement_in_force, connect, open_run
from flows.scope import Scope
from flows.show import show_night, show_provision
from flows.show_backtest import show_backtest
from flows.show_forget import show_forget
from flows.show_pack import show_pack
from flows.show_review import show_decided
from flows.show_writes import show_applied, show_undo
from flows.watch import watch

ROOT = Path(__file__).parents[1]

_FOUR_HOURS = 4 * 3600
# Stages of a night that writes, for its progress bar.
_STAGES = 13
# A watch that is this late has been overtaken by others: a worker that was away gets them all.
_OVERTAKEN = timedelta(minutes=10)

Portal = Annotated[
    str,
    form_field(
        "Portal",
        "Name of the portal's blocks; empty: the worker's environment",
        pattern=r"^[a-z0-9-]*$",
    ),
]
IsApplied = Annotated[bool, form_field("Write it", "Off only shows what would be written")]


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
        description="Empty: everything. Else SYSTEM/OBJECT or SYSTEM/OBJECT/RECORD, such as "
        "hubspot/contact/101",
    )


# The night ---------------------------------------------------------------------------------------


def _night_name() -> str:
    given = runtime.flow_run.parameters
    options = NightOptions.model_validate(given.get("options") or {})
    moment = options.as_of or due_at()
    parts = ["nightly", given.get("mode", "plan"), given.get("portal", ""), str(moment)[:10]]
    return "-".join(part for part in parts if part)


@as_flow("nightly-sync", run_name=_night_name, timeout_seconds=_FOUR_HOURS)
def nightly_sync(
    mode: Annotated[
        Mode, form_field("Mode", "plan only shows what would be written; apply writes it")
    ] = "plan",
    portal: Portal = "",
    options: Annotated[
        NightOptions, form_field("Rare choices", "A usual night needs none of them")
    ] = NightOptions(),  # noqa: B008 - frozen defaults are what the form shows
) -> dict[str, Any]:
    """Pull both CRMs, reconcile, measure, plan, and (mode apply) write the shared numbers back."""
    moment = options.as_of or due_at()
    bar = Bar(artifact_key("nightly-progress", portal), _STAGES if mode == "apply" else 7)
    opened = partial(
        open_run,
        settings_of(portal),
        as_of=moment,
        is_scheduled=options.as_of is None,
        is_full=options.is_full,
        scope=Scope.parse(options.only) if options.only else None,
        reread_since=options.since,
    )
    with when_free(opened) as run:
        try:
            summary = night(run, mode, stage=bar.stage)
        except GuardStopped:
            _emit("tandem.plan.waiting", run.run_id, portal, {"why": "a guard stopped it"})
            raise
        refused = [vars_of(row) for row in run.store.refusals(run.run_id)]
    # The lock is free again, and what was delivered is, whatever becomes of what is shown.
    with as_a_window(f"night {run.run_id}", is_done=mode == "apply"):
        _show_night(summary, refused, portal)
    if mode == "plan":
        _emit("tandem.plan.waiting", run.run_id, portal, {"plan_id": summary["plan_id"]})
        return summary
    if not options.only:  # a night about one record is no good night
        _emit("tandem.night.done", run.run_id, portal, {"written": summary["written"]})
    emit_told(summary)
    with as_a_window(f"page {run.run_id}"):
        _show_page(run.settings, portal)
    return summary


def _show_night(
    summary: Mapping[str, Any], refused: Sequence[Mapping[str, Any]], portal: str
) -> None:
    """Put the night's figures where ops look: by id, never with a name or an address."""
    create_markdown_artifact(
        key=artifact_key("nightly-summary", portal),
        markdown=f"```\n{show_night(summary)}\n```\nPlan `{summary['plan_id']}`",
        description="What the night read, matched, credited and wrote",
    )
    show_table(
        "nightly-bridge",
        portal,
        _rows(summary["bridge"], "class", "MQLs"),
        "Every new MQL is in exactly one class",
    )
    show_table(
        "nightly-rejects", portal, summary["rejects"], "Records that no figure counts, and why"
    )
    show_table("nightly-quarantine", portal, refused, "Writes that a CRM refused, and why")
    planned = [
        {"system": system, "object": kind, "records": count}
        for system, kinds in summary["planned"].items()
        for kind, count in kinds.items()
    ]
    show_table("nightly-plan", portal, planned, "Records that the plan changes")


def _show_page(settings: Settings, portal: str) -> None:
    """Write the page and its lists where people look at them, and link to it; if a place is set."""
    if settings.tandem_pages is None:
        return
    folder = settings.tandem_pages / portal
    folder.mkdir(parents=True, exist_ok=True)
    with open_reading(settings) as reading:
        page = write_page(*read_board(reading), folder)
    place = page.relative_to(settings.tandem_pages)
    base = settings.tandem_pages_url
    create_link_artifact(
        key=artifact_key("scoreboard", portal),
        link=f"{base.rstrip('/')}/{place}" if base else page.resolve().as_uri(),
        link_text="Scoreboard",
        description="The page that both teams believe, as this night left it",
    )


def vars_of(row: Any) -> dict[str, Any]:
    """Give a small record's fields by name."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def _rows(counts: Mapping[str, int], name: str, counted: str) -> list[dict[str, Any]]:
    return [{name: each, counted: count} for each, count in counts.items()]


def _emit(event: str, run_id: str, portal: str, payload: Mapping[str, Any]) -> None:
    """Tell Prefect's automations; a convenience, since an event that is lost is lost."""
    emit_event(
        event,
        resource={
            "prefect.resource.id": f"tandem.run.{run_id}",
            "prefect.resource.name": run_id,
            "tandem.portal": portal or "default",
        },
        payload={"run_id": run_id, **payload},
    )


# Between nights ----------------------------------------------------------------------------------


@as_flow("handoff-watch", run_name=named("watch"), timeout_seconds=240)
def handoff_watch(portal: Portal = "") -> dict[str, Any]:
    """Read what can change a clock, write it back, say what is due; then tell automations.

    A night that holds the lock does the same and more: then there is nothing to do here. Nor is
    there in a run that comes so late that others have been due since, nor before the first night.
    """
    moment = due_at()
    if moment is not None and utc_now() - moment > _OVERTAKEN:
        return {"skipped": f"was due {moment:%Y-%m-%d %H:%M} UTC; a later one does it"}
    try:
        with open_run(settings_of(portal)) as run:
            if run.store.last_applied_as_of() is None:
                return {"skipped": "no night has run yet, so no clock is known"}
            return watch(run, lambda said: emit_told({"run_id": run.run_id, "told": said.told}))
    except Busy as error:
        return {"skipped": str(error)}


def emit_told(result: Mapping[str, Any]) -> None:
    """Tell automations what people were told before; an event that is lost loses no message."""
    for told in result["told"]:
        emit_event(
            f"tandem.handoff.{told['state']}",
            resource={"prefect.resource.id": f"tandem.handoff.{told['about_id']}"},
            payload={**told, "run_id": result["run_id"]},
        )


# What people decide ------------------------------------------------------------------------------


@as_flow("approve-plan", run_name="approve-plan-{plan_id}")
def approve_plan(
    plan_id: Annotated[
        str,
        form_field(
            "Plan",
            "Its id: the last line of the artifact nightly-summary; of one that a guard stopped, in"
            " the run's state",
        ),
    ],
    by: Annotated[str, form_field("Who approves", "Kept with what is written", min_length=2)],
    canary_percent: Annotated[
        int,
        form_field(
            "Canary, in percent",
            "Such as 5: write this share of the records first, and the rest only when all of it"
            " arrived. 0 writes everything at once",
            ge=0,
            le=100,
        ),
    ] = 0,
    is_over_guards: Annotated[
        bool, form_field("Although a guard would stop it", "Look at the plan first")
    ] = False,
    portal: Portal = "",
) -> dict[str, Any]:
    """Write a stored plan; what moved since it was made is left out and planned anew at night."""
    canary = Decimal(canary_percent) / 100 if canary_percent else None
    with when_free(partial(open_run, settings_of(portal))) as run:
        run.summary["approved_by"] = by
        result = writes.apply_plan(run, plan_id, canary=canary, is_over_guards=is_over_guards)
    with as_a_window(f"approved-plan {run.run_id}"):
        create_markdown_artifact(
            key=artifact_key("approved-plan", portal),
            markdown=f"Plan `{plan_id}`, approved by {by}\n```\n{show_applied(result)}\n```",
        )
    writes.stop_when_stale(result)
    return result


@as_flow("review", run_name="review-{decision}")
def review(
    decision: Annotated[
        Literal["list", "accept", "reject", "pin", "forbid"],
        form_field(
            "Decision",
            "list only shows what waits. accept links a pair or settles a conflict,"
            " reject keeps a pair apart until it changes; pin and forbid do so for good",
        ),
    ] = "list",
    what: Annotated[
        list[str],
        form_field(
            "What it is about",
            "Ids from the list, or two records each, such as hubspot/contact/7"
            " salesforce/lead/00Q000000000001EAA",
        ),
    ] = [],  # noqa: B006 - Prefect takes a copy for its form
    side: Annotated[
        Literal["neither", "hubspot", "salesforce"],
        form_field("Right side", "Of a conflict of values only: whose value is right"),
    ] = "neither",
    by: Annotated[str, form_field("Who decides", "Kept with the decision; not for list")] = "",
    portal: Portal = "",
) -> dict[str, Any]:
    """Answer what waits for a person: matches and conflicts. Values are hidden in what is shown.

    An answer is used at once, survives every later run, and is taken back by another one.
    """
    settings = settings_of(portal)
    with closing(Store.open(settings.database_url)) as store:
        result: dict[str, Any] = {}
        if decision != "list":
            right = None if side == "neither" else side
            answers = [answer_of(decision, each.split(), right) for each in what]
            result = decide(store, settings, answers, by)
        waiting = review_queue(store, reading_of(store, settings).agreement, limit=CAPACITY)
    with as_a_window("review", is_done=bool(result)):
        _show_review(result, waiting, portal)
    return {**result, **{name: waiting[name] for name in ("match_count", "conflict_count")}}


def _show_review(result: Mapping[str, Any], waiting: Mapping[str, Any], portal: str) -> None:
    """Show what was decided, if anything was, and what waits."""
    if result:
        create_markdown_artifact(
            key=artifact_key("review-decided", portal), markdown=f"```\n{show_decided(result)}\n```"
        )
    show_table(
        "review-matches",
        portal,
        [_without(row, "fields") for row in waiting["matches"]],
        "Pairs that may be one, the answer that is worth most first",
    )
    show_table(
        "review-conflicts",
        portal,
        waiting["conflicts"],
        "Fields that both sides changed, the answer that is worth most first",
    )


def _without(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


@as_flow("undo", run_name="undo-{run_id}")
def undo_run(
    run_id: Annotated[
        str, form_field("Run", "Such as 20261117-041500, from `tandem status` or a night's summary")
    ],
    is_applied: IsApplied = False,
    portal: Portal = "",
) -> dict[str, Any]:
    """Put back what a run overwrote; later edits by people are left alone and listed."""
    with when_free(partial(open_run, settings_of(portal))) as run:
        result = undo.undo_run(run, run_id, is_applied=is_applied)
    with as_a_window(f"undo {run_id}", is_done=is_applied):
        create_markdown_artifact(
            key=artifact_key("undo", portal), markdown=f"```\n{show_undo(result)}\n```"
        )
    return result


@as_flow("forget", run_name=named("forget"))
def forget(
    person: Annotated[
        str,
        form_field(
            "Person",
            "An id such as p_0123456789abcdef, or a record such as"
            " hubspot/contact/51201; never a name or an address",
        ),
    ],
    is_applied: Annotated[
        bool, form_field("Erase", "Off only shows what would go. It cannot be undone")
    ] = False,
    portal: Portal = "",
) -> dict[str, Any]:
    """Erase a person from database, logs and reports; keep the sums."""
    settings = settings_of(portal)
    url = settings.database_url
    folders = forgetting.default_folders(str(make_url(url).database or ""), settings.tandem_pages)
    with (
        closing(Store.open(url)) as store,
        when_free(store.hold_lock) if is_applied else nullcontext(),
    ):
        result = forgetting.forget(store, person, folders, at=utc_now(), is_applied=is_applied)
    with as_a_window("forget", is_done=is_applied):
        create_markdown_artifact(
            key=artifact_key("forget", portal), markdown=f"```\n{show_forget(result)}\n```"
        )
    return result


@as_flow("provision", run_name=named("provision"))
def provision_fields(is_applied: IsApplied = False, portal: Portal = "") -> dict[str, Any]:
    """Show, and when asked create, the fields that Tandem writes in both CRMs."""
    settings = settings_of(portal)
    rows = provision.provision(
        connect(settings), agreement_in_force(settings), is_applied=is_applied
    )
    result = {"is_applied": is_applied, "objects": [vars(row) for row in rows]}
    with as_a_window("provision", is_done=is_applied):
        create_markdown_artifact(
            key=artifact_key("provision", portal), markdown=f"```\n{show_provision(result)}\n```"
        )
    return result


@as_flow("weekly-meeting", run_name=named("weekly-meeting"))
def weekly_meeting(
    is_sent: Annotated[
        bool, form_field("Send it", "By the agreed routes, once per week. Off only shows it")
    ] = False,
    portal: Portal = "",
) -> dict[str, Any]:
    """Write the weekly pack from what the last night found; nothing is asked of a CRM."""
    with open_reading(settings_of(portal)) as reading:
        view = read_pack(reading)
        sent = patiently(lambda: send_pack(reading, view, utc_now())) if is_sent else {}
    with as_a_window("weekly-pack", is_done=is_sent):
        create_markdown_artifact(
            key=artifact_key("weekly-pack", portal),
            # Whoever may see Prefect's page sees it: no names there, whatever is agreed.
            markdown=f"```\n{show_pack(without_names(view))}\n```",
            description="What changed, what to decide, what was promised, whom to thank",
        )
    return {"week": str(view["first"]), **sent}


@as_flow("backtest", run_name=named("backtest"))
def backtest_draft(
    draft: Annotated[
        str, form_field("Draft", "A file with the draft of the agreement, as the worker sees it")
    ],
    since: Annotated[date, form_field("From", "Compare from this day on, in the company's zone")],
    portal: Portal = "",
) -> dict[str, Any]:
    """Replay history under a draft beside the agreement in force; nothing is written."""
    with open_reading(settings_of(portal)) as reading:
        result = backtest(reading, load_agreement(Path(draft)), since)
    create_markdown_artifact(
        key=artifact_key("backtest", portal),
        markdown=f"```\n{show_backtest(result)}\n```",
        description="Clocks, credit and pools under the draft, beside those in force",
    )
    return result


@as_flow("rewards-close", run_name=named("rewards-close"))
def rewards_close(portal: Portal = "") -> dict[str, Any]:
    """Propose the first open reward period, once a night has seen its end; people do the rest."""
    with closing(Store.open(settings_of(portal).database_url)) as store:
        return patiently(lambda: rewards.propose_due(store, utc_now()))


@as_flow("approve-rewards", run_name="approve-rewards-{period}")
def approve_rewards(
    period: Annotated[str, form_field("Period", "Such as 2027-Q1")],
    by: Annotated[str, form_field("Who approves", "Listed under TANDEM_APPROVERS")],
    secret_block: Annotated[
        str,
        form_field(
            "Secret block",
            "Name of the Secret block with their secret. A parameter would be stored in"
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
    person = rewards.Person(by, is_verified=True)
    with closing(Store.open(settings.database_url)) as store:
        return patiently(lambda: rewards.approve(store, period, person, utc_now()))


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
    given = {name: entry[name] for name in ("timezone", "slug", "parameters") if name in entry}
    if "cron" in entry:
        return Cron(entry["cron"], **given)
    return Interval(timedelta(seconds=entry["interval"]), **given)


def main() -> None:
    """Run every schedule of a deployment file (default: prefect.yaml) until stopped."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "prefect.yaml"
    serve(*deployments_of(file), limit=4)


if __name__ == "__main__":
    main()
