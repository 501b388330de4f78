"""Status: the last good night, how far reading has got, and what waits; from the store alone."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from connectors.store import Store
from connectors.store.runs import RunRow


def status(store: Store, now: datetime) -> dict[str, Any]:
    """Give how things stand at a moment; ages are seconds, and None before the first night.

    `clocks` are as the last night or watch left them; `past_due` of the waiting ones is by `now`.
    `api_calls` and `self_check` are the last good night's.
    """
    health = store.health()
    good = health.last_good_night
    summary = (good.summary if good else None) or {}
    return {
        "now": now.isoformat(),
        "last_good_night": _run(good, now),
        "last_run": _run(health.last_run, now),
        "reading": {
            system: {"until": until.isoformat(), "lag_seconds": int((now - until).total_seconds())}
            for system, until in health.read_until.items()
        },
        "clocks": _clocks(store.measure("handoff"), now),
        "outbox": dict(health.outbox),
        "quarantined": health.refused,
        "waiting": {
            "conflicts": health.conflicts,
            "holds": health.holds,
            "unsent_alerts": health.unsent_alerts,
        },
        "api_calls": summary.get("api_calls", {}),
        "self_check": summary.get("self_check") or None,
    }


def _run(row: RunRow | None, now: datetime) -> dict[str, Any] | None:
    if row is None:
        return None
    ended = row.ended_at
    return {
        "run_id": row.run_id,
        "result": row.result or "running",
        "agreement": row.agreement_version,
        "as_of": row.as_of.isoformat(),
        "ended_at": ended.isoformat() if ended else None,
        "age_seconds": int((now - ended).total_seconds()) if ended else None,
    }


def _clocks(handoffs: pd.DataFrame, now: datetime) -> dict[str, int]:
    waiting = handoffs[handoffs["status"] == "waiting"] if len(handoffs) else handoffs
    return {
        "waiting": len(waiting),
        "past_due": int((waiting["due_at"] < pd.Timestamp(now)).sum()) if len(waiting) else 0,
    }


def prometheus(status: Mapping[str, Any]) -> str:
    """Write the status in Prometheus' text format; what is not known yet has no line."""
    lines: list[str] = []
    for name, text, samples in _gauges(status):
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            lines += [f"{name}{labels} {value}" for labels, value in known]
    return "\n".join(lines) + "\n"


def _gauges(status: Mapping[str, Any]) -> Iterator[tuple[str, str, list[tuple[str, Any]]]]:
    good, check = status["last_good_night"] or {}, status["self_check"] or {}
    yield (
        "tandem_last_good_night_age_seconds",
        "Time since the last applied night ended.",
        [("", good.get("age_seconds"))],
    )
    yield (
        "tandem_last_run_failed",
        "1 when the latest run did not end well.",
        [("", int(status["last_run"]["result"] not in {"done", "running"}))]
        if status["last_run"]
        else [],
    )
    yield (
        "tandem_read_lag_seconds",
        "Time since the moment up to which everything was read.",
        [(f'{{system="{name}"}}', of["lag_seconds"]) for name, of in status["reading"].items()],
    )
    for name, text, counts in (
        ("tandem_open_clocks", "Handoffs that wait for a first touch.", status["clocks"]),
        ("tandem_outbox_rows", "Writes that are decided and not settled.", status["outbox"]),
        ("tandem_waiting", "What waits for a person or a receiver.", status["waiting"]),
    ):
        yield name, text, [(f'{{state="{state}"}}', count) for state, count in counts.items()]
    yield (
        "tandem_quarantined_rows",
        "Writes of the latest plan that a CRM refuses.",
        [("", status["quarantined"])],
    )
    yield (
        "tandem_api_calls",
        "Requests of the last good night.",
        [(f'{{system="{name}"}}', calls) for name, calls in status["api_calls"].items()],
    )
    yield (
        "tandem_self_check_agreement",
        "Share of fields read again that hold what was written.",
        [("", check["agreed"] / check["fields"])] if check.get("fields") else [],
    )
