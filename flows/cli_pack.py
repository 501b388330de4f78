"""`tandem meeting` and `tandem assessment`: the weekly pack, and where both teams stand."""

from pathlib import Path

import click

from flows.terminal import as_json, print_result


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write pack and finance's page here, as HTML and text.",
)
@click.option("--no-names", is_flag=True, help="Thank people by id only, whatever is agreed.")
@click.option(
    "--send", "is_sent", is_flag=True, help="Send it by the agreed routes, once per week."
)
@as_json
def meeting(out: Path | None, no_names: bool, is_sent: bool, is_json: bool) -> None:
    """Write the weekly pack: what changed, what to decide, whom to thank.

    About the last whole week, as the last night left it; nothing is asked of a CRM. The exit code
    is 6 when a route took no message: it waits, and the next night or watch tries again.
    """
    from connectors.clock import utc_now
    from connectors.pack_page import write_pages
    from flows.pack import read_pack, send_pack
    from flows.reading import open_reading
    from flows.show_pack import show_pack

    with open_reading() as reading:
        view = read_pack(reading, has_names=False if no_names else None)
        if is_sent:
            view = {**view, "delivery": send_pack(reading, view, utc_now())}
    if out:
        write_pages(view, out)
    print_result(view, is_json, show_pack)
    if view.get("delivery", {}).get("waiting"):
        raise click.exceptions.Exit(6)


@click.command()
@click.option("--template", "is_template", is_flag=True, help="Print a file of answers to fill in.")
@as_json
def assessment(is_template: bool, is_json: bool) -> None:
    """Show the alignment stage: both teams' answers, the evidence, and the next step.

    The answers are in the file that TANDEM_ASSESSMENT names; --template prints an empty one.
    """
    from agreement.assessment import template
    from connectors.clock import utc_now
    from connectors.settings import load_settings
    from flows.alignment import alignment_view
    from flows.measure import compute
    from flows.reading import open_reading
    from flows.reconcile import normalise_mirrors
    from flows.run import agreement_in_force
    from flows.show_pack import show_alignment
    from transforms.horizons import horizons

    if is_template:
        calendar = agreement_in_force(load_settings()).calendar
        click.echo(template(horizons(utc_now(), calendar)[0].quarters[-1]), nl=False)
        return
    with open_reading() as reading:
        found = alignment_view(reading, compute(reading, normalise_mirrors(reading)))
    print_result(found, is_json, show_alignment)


PACK = (meeting, assessment)
