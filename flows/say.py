"""Say: each change of a clock's state once, merged per receiver, at times that people can bear."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from agreement.errors import BadInput, VendorUnavailable
from agreement.frames import DataFrame, HandoffStatus, Users
from connectors.alerts import TERMINAL
from connectors.settings import Settings
from connectors.store import AlertRow, MessageRow, Store
from flows.measure import Measures
from flows.reading import record_links
from flows.reconcile import Known
from flows.run import Run, Tell
from transforms import alerts as deciding

log = logging.getLogger(__name__)


@dataclass
class Said:
    """What came of saying: messages that arrived, the alerts in them, channels that are down."""

    sent: int = 0
    waiting: int = 0
    alerts: list[AlertRow] = field(default_factory=list)
    channels_down: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[dict[str, str]]:
        """Give each alert that arrived by ids alone, for whoever acts on them by machine."""
        return [
            {"alert": row.alert_key, "about_id": row.about_id, "state": row.state}
            for row in self.alerts
        ]


def say_alerts(run: Run, known: Known, measures: Measures) -> Said:
    """Say what the night found; the rest waits for its receiver's hours."""
    return say(run, known.users, measures.status)


def say(run: Run, users: DataFrame[Users], status: DataFrame[HandoffStatus]) -> Said:
    """Store what is due, merge what may be said now, then send what has not arrived yet.

    A message is stored before it is sent, so that a crash between the two sends it again (under the
    same key) and never loses it. A channel that does not take messages stops neither the others nor
    the run: its messages wait, and ops are told by another channel, once a day.
    """
    agreement, store = run.agreement, run.store
    due = deciding.alerts_due(
        status, store.alerts_said(), agreement.alerts, agreement.handoff, run.as_of
    )
    store.store_alerts(run.run_id, due, at=run.as_of)
    made, places = deciding.messages(
        store.pending_alerts(),
        status,
        users,
        store.messages_by_week(),
        agreement.alerts,
        agreement.handoff,
        agreement.calendar,
        _links(run),
        run.as_of,
    )
    routes = [agreement.alerts.route_of(receiver) for receiver in made["receiver"]]
    store.store_messages(run.run_id, made, routes, places, at=run.as_of)
    return _send(run, _may_be_told(run, users))


def _links(run: Run) -> deciding.Links:
    """Give where people open records: as this run found it, else as the last night did."""
    here = run.summary.get("crm_facts")
    return deciding.Links(
        **(here["record_links"] if isinstance(here, dict) else record_links(run.store))
    )


def _may_be_told(run: Run, users: DataFrame[Users]) -> Callable[[str], bool]:
    """Give a test of receivers: are their hours open now?"""
    rules, calendar = run.agreement.alerts, run.agreement.calendar
    own = users.drop_duplicates("user_id").dropna(subset=["zone"])
    zones = dict(zip(own["user_id"], own["zone"], strict=True))
    opened: dict[str, bool] = {}

    def may(receiver: str) -> bool:
        zone = str(zones.get(receiver, calendar.zone))
        if zone not in opened:
            opened[zone] = deciding.is_open(calendar, rules, zone, run.as_of)
        return opened[zone]

    return may


def _send(run: Run, may_be_told: Callable[[str], bool]) -> Said:
    said = Said()
    down: dict[str, str] = {}
    for message in run.store.unsent_messages():
        if message.route in down or not may_be_told(message.receiver):
            said.waiting += 1
            continue
        if fault := _try(run, message, said):
            down[message.route] = fault
            said.waiting += 1
    said.channels_down = sorted(down)
    _report_down(run, down, said, may_be_told)
    return said


def _try(run: Run, message: MessageRow, said: Said) -> str:
    """Send one message; give why its channel is down, or nothing."""
    alerts, fault = send_message(run.store, run.settings, run.tell, message, run.as_of)
    if not fault:
        said.alerts += alerts
        said.sent += 1
    return fault


def send_message(
    store: Store, settings: Settings, tell: Tell, message: MessageRow, at: datetime
) -> tuple[list[AlertRow], str]:
    """Send one stored message and note it; give the alerts in it, and why its channel is down."""
    addresses = settings.alert_addresses(message.route)
    try:
        tell(message.route, message.message_key, message.text, addresses)
    except (VendorUnavailable, BadInput) as error:
        fault = error.what if isinstance(error, VendorUnavailable) else "it has no usable address"
        log.warning(
            "message_waits route=%s message=%s reason=%s", message.route, message.message_key, fault
        )
        store.mark_message_failed(message.message_key, fault=fault)
        return [], fault
    return store.mark_message_sent(message.message_key, at=at), ""


def _report_down(
    run: Run, down: dict[str, str], said: Said, may_be_told: Callable[[str], bool]
) -> None:
    """Tell ops by a channel that works which ones do not, once per channel and day."""
    rules, zone = run.agreement.alerts, run.agreement.calendar.zone
    named = [rules.route_of("ops"), rules.route, *sorted(rules.routes.values()), TERMINAL]
    working = next((route for route in named if route not in down), None)
    if working is None or not may_be_told("ops"):
        return
    for route, fault in down.items():
        day = run.as_of.astimezone(run.agreement.calendar.zone_info).date()
        key = hashlib.sha256(f"down:{route}:{day}".encode()).hexdigest()[:16]
        text = (
            f"Tandem: the alert channel {route} takes no messages\nReason: {fault}. Nothing is"
            " lost: they wait and are tried again.\n"
            f"Next: check TANDEM_ALERT_{route.upper()} and the receiver.\n(message {key})"
        )
        week = deciding.week_of(run.as_of, zone)
        run.store.store_notice(run.run_id, key, working, week, text, at=run.as_of)
        for message in run.store.unsent_messages():
            if message.message_key == key:
                _try(run, message, said)
