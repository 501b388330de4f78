"""`tandem plan`, `apply`, `undo`, `release`, `explain`: writing, with a person between."""

from contextlib import closing
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from flows.terminal import Instant, as_json, print_result, shown_stage


class ShareType(click.ParamType[Decimal]):
    """A share of the records: 0.05 or 5%."""

    name = "SHARE"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        """Read the share; it is more than nothing and at most everything."""
        if isinstance(value, Decimal):
            return value
        text = str(value).strip()
        try:
            share = Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except InvalidOperation:
            self.fail(f"{value!r} is no share; write one such as 0.05 or 5%")
        if not 0 < share <= 1:
            self.fail(f"{value!r} is no share of the records; write one such as 0.05 or 5%")
        return share


@click.command()
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option("--full", "is_full", is_flag=True, help="Read everything again, not only changes.")
@click.option("--as-of", type=Instant(), help="The moment that counts as now; default: now.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML page.")
@as_json
def plan(
    plan_id: str | None, is_full: bool, as_of: datetime | None, page: Path | None, is_json: bool
) -> None:
    """Compute, store and show what would be written; with PLAN, show a stored one.

    Nothing is written. `tandem apply PLAN` writes it.
    """
    from connectors.plan_page import write_plan_page
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows.night import night
    from flows.run import open_run
    from flows.show_writes import show_plan
    from flows.writes import plan_view

    if plan_id is not None and (is_full or as_of is not None):
        raise click.UsageError("--full and --as-of make a new plan; a stored PLAN is only shown.")
    if plan_id is None:
        with open_run(as_of=as_of, is_full=is_full) as run:
            plan_id = str(night(run, "plan", stage=shown_stage)["plan_id"])
    with closing(Store.open(load_settings().database_url)) as store:
        view = plan_view(store, plan_id)
    if page:
        write_plan_page(view, page)
    print_result(view, is_json, show_plan)


@click.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--canary", type=ShareType(), help="Write this share first; all of it must arrive.")
@click.option("--over-guards", is_flag=True, help="Write it although a guard would stop it.")
@as_json
def apply(plan_id: str, canary: Decimal | None, over_guards: bool, is_json: bool) -> None:
    """Write a stored PLAN.

    Shared fields are read again first; what moved since is left out, and the exit code is 8.
    """
    from flows.run import open_run
    from flows.show_writes import show_applied
    from flows.writes import apply_plan, stop_when_stale

    with open_run() as run:
        result = apply_plan(run, plan_id, canary=canary, is_over_guards=over_guards)
    print_result(result, is_json, show_applied)
    stop_when_stale(result)


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--apply", "is_applied", is_flag=True, help="Write to the CRMs; without it, only show."
)
@as_json
def undo(run_id: str, is_applied: bool, is_json: bool) -> None:
    """Put back the values that RUN overwrote.

    A field that someone changed since is left alone and listed. What is put back is held: nights
    leave it alone until its inputs, rule or agreement change, or `tandem release`.
    """
    from flows.run import open_run
    from flows.show_writes import show_undo
    from flows.undo import undo_run

    with open_run() as run:
        result = undo_run(run, run_id, is_applied=is_applied)
    print_result(result, is_json, show_undo)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--all", "is_all", is_flag=True, help="Release everything that any undo holds.")
@as_json
def release(run_id: str | None, is_all: bool, is_json: bool) -> None:
    """Let nights write again what the undo RUN holds."""
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows.show_writes import show_released
    from flows.undo import release as release_holds

    if (run_id is None) == (not is_all):
        raise click.UsageError("give the RUN of an undo, or --all.")
    with closing(Store.open(load_settings().database_url)) as store:
        result = release_holds(store, run_id)
    print_result(result, is_json, show_released)


@click.command()
@click.argument("system", metavar="SYSTEM|EXPLANATION")
@click.argument("record", required=False)
@click.argument("field", required=False)
@click.option(
    "--show-values", "is_shown", is_flag=True, help="Show people's details instead of hiding them."
)
@as_json
def explain(
    system: str, record: str | None, field: str | None, is_shown: bool, is_json: bool
) -> None:
    """Say why a field holds what it holds: SYSTEM RECORD [FIELD], or an explanation id.

    SYSTEM is hubspot or salesforce, RECORD the id there, FIELD a field that Tandem writes. A record
    may also be written as `tandem review` does: hubspot/contact/7.
    """
    from connectors.settings import load_settings
    from connectors.store import Store
    from flows.explain import explain as explain_record
    from flows.run import agreement_in_force
    from flows.show_writes import show_explanation

    if system.count("/") == 2:
        field = record
        system, record = system.split("/", 1)
    if not system.startswith("tx-") and (system not in {"hubspot", "salesforce"} or not record):
        raise click.UsageError(
            "give hubspot or salesforce and a record's id, hubspot/contact/7, or an id like tx-..."
        )
    settings = load_settings()
    wanted = system if system.startswith("tx-") else str(record)
    with closing(Store.open(settings.database_url)) as store:
        agreed = agreement_in_force(settings)
        found = explain_record(store, agreed, system, wanted, field, is_masked=not is_shown)
    print_result(found, is_json, show_explanation)


WRITES = (plan, apply, undo, release, explain)
