"""What `tandem status` prints for a person."""

from collections.abc import Mapping
from typing import Any

from agreement.wording import duration_text


def show_status(status: Mapping[str, Any]) -> str:
    """Show how things stand, one aligned line each."""
    rows = [
        ("last good night", _night(status["last_good_night"])),
        ("last run", _run(status["last_run"])),
        *(
            (f"read {name}", f"up to {_minute(of['until'])} ({_age(of['lag_seconds'])} ago)")
            for name, of in status["reading"].items()
        ),
        ("open clocks", "{waiting:,} waiting, {past_due:,} past due".format(**status["clocks"])),
        ("outbox", "{planned:,} planned, {sent:,} sent without answer".format(**status["outbox"])),
        ("quarantine", f"{status['quarantined']:,} writes refused by a CRM"),
        ("for people", _waiting(status["waiting"])),
        ("requests", _calls(status["api_calls"])),
        ("self-check", _check(status["self_check"])),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)


def _night(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "none yet. Run tandem sync"
    age = _age(run["age_seconds"])
    return f"{run['run_id']}, {age} ago, as of {_minute(run['as_of'])}, {run['agreement']}"


def _run(run: Mapping[str, Any] | None) -> str:
    return "none yet" if run is None else f"{run['run_id']}: {run['result']}"


def _waiting(waiting: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in waiting.items())


def _calls(calls: Mapping[str, int]) -> str:
    each = ", ".join(f"{name} {count:,}" for name, count in calls.items())
    return f"{each} in the last good night" if each else "none yet"


def _check(check: Mapping[str, Any] | None) -> str:
    if not check or not check["fields"]:
        return "nothing compared yet"
    share = check["agreed"] / check["fields"]
    return (
        f"{share:.2%} of {check['fields']:,} fields in {check['records']:,} records hold what was"
        " written"
    )


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"


def _age(seconds: int) -> str:
    days, rest = divmod(max(seconds, 0), 86_400)
    return f"{days} d {duration_text(rest)}" if days else duration_text(rest)
