"""`tandem doctor`: is everything there that a night needs?"""

import click

from flows.terminal import as_json, print_result


@click.command()
@as_json
def doctor(is_json: bool) -> None:
    """Check access, fields, rules, database and agreement; say what to do where one is missing.

    Writes nothing. Ends with 0 when nothing failed, else with the exit code of the first that did.
    """
    from connectors.clock import utc_now
    from connectors.settings import load_settings
    from flows.doctor import Doctor
    from flows.doctor import doctor as examine
    from flows.show_doctor import show_doctor

    result = examine(Doctor(load_settings, utc_now()))
    print_result(result, is_json, show_doctor)
    if result["exit_code"]:
        raise click.exceptions.Exit(result["exit_code"])


DOCTOR = (doctor,)
