"""Alerts and messages: stored before they are sent, so that none is lost and each is said once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from agreement.frames import AlertPlaces, Alerts, DataFrame, Messages, PendingAlerts
from connectors.store.columns import types_of
from connectors.store.rows import chunks, fetch_frame, insert_new, rows_of
from connectors.store.tables import alert, alert_message

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One stored alert; `sent_at` is when its message had arrived."""

    alert_key: str
    about_id: str
    state: str
    owner_id: str | None
    text: str
    receiver: str
    stored_at: datetime
    sent_at: datetime | None
    dropped_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One stored message; `fault` says why the last try failed."""

    message_key: str
    receiver: str
    route: str
    text: str
    attempts: int
    fault: str | None


_ALERT = [alert.c[name] for name in AlertRow.__dataclass_fields__]
_MESSAGE = [alert_message.c[name] for name in MessageRow.__dataclass_fields__]
_IS_WAITING = alert.c.message_key.is_(None) & alert.c.dropped_at.is_(None)


def alerts_said(connection: Connection) -> frozenset[str]:
    """Give the keys of every alert that was ever stored, sent or not."""
    return frozenset(connection.scalars(select(alert.c.alert_key)))


def store_alerts(connection: Connection, run_id: str, due: DataFrame[Alerts], at: datetime) -> None:
    """Store alerts before they are sent; one that is stored already stays as it is."""
    rows = [{**row, "run_id": run_id, "stored_at": at} for row in rows_of(due)]
    if rows:
        connection.execute(insert_new(connection, alert), rows)


def pending_alerts(connection: Connection) -> DataFrame[PendingAlerts]:
    """Give what is stored, in no message and not overtaken, by key; sent before messages: not."""
    types = types_of(PendingAlerts)
    query = select(*(alert.c[name] for name in types)).where(_IS_WAITING, alert.c.sent_at.is_(None))
    frame = fetch_frame(connection, query.order_by(alert.c.alert_key), types)
    return PendingAlerts.validate(frame, lazy=True)


def messages_by_week(connection: Connection) -> dict[tuple[str, str], int]:
    """Count the messages of each receiver and week."""
    key = (alert_message.c.receiver, alert_message.c.week)
    query = select(*key, func.count()).group_by(*key)
    return {(receiver, week): count for receiver, week, count in connection.execute(query)}


def store_messages(
    connection: Connection,
    run_id: str,
    made: DataFrame[Messages],
    routes: Sequence[str],
    places: DataFrame[AlertPlaces],
    at: datetime,
) -> None:
    """Store messages with what is in them, and what was overtaken: all or nothing.

    `routes` has one name per message. The caller owns the transaction.
    """
    for row, route in zip(rows_of(made), routes, strict=True):
        values = {**row, "route": route, "run_id": run_id, "stored_at": at, "attempts": 0}
        connection.execute(insert_new(connection, alert_message), values)
    for message_key, rows in places.fillna({"message_key": ""}).groupby("message_key"):
        change = {"message_key": message_key} if message_key else {"dropped_at": at}
        for keys in chunks(rows["alert_key"].tolist(), _CHUNK):
            connection.execute(update(alert).where(alert.c.alert_key.in_(keys)).values(**change))


def store_notice(
    connection: Connection,
    run_id: str,
    key: str,
    route: str,
    week: str,
    text: str,
    at: datetime,
    receiver: str,
) -> None:
    """Store a message that is about no clock; one whose key is there stays as it is."""
    row: dict[str, object] = {
        "message_key": key,
        "run_id": run_id,
        "receiver": receiver,
        "route": route,
        "week": week,
    }
    row |= {"text": text, "stored_at": at, "attempts": 0}
    connection.execute(insert_new(connection, alert_message), row)


def unsent_messages(connection: Connection) -> list[MessageRow]:
    """List messages that were stored and have not arrived, the oldest first."""
    order = (alert_message.c.stored_at, alert_message.c.message_key)
    query = select(*_MESSAGE).where(alert_message.c.sent_at.is_(None)).order_by(*order)
    return [MessageRow(*row) for row in connection.execute(query)]


def mark_message_sent(connection: Connection, message_key: str, at: datetime) -> list[AlertRow]:
    """Note that a message has arrived; give the alerts that were in it."""
    is_it = alert_message.c.message_key == message_key
    tries = alert_message.c.attempts + 1
    connection.execute(
        update(alert_message).where(is_it).values(sent_at=at, attempts=tries, fault=None)
    )
    inside = alert.c.message_key == message_key
    connection.execute(update(alert).where(inside).values(sent_at=at))
    rows = connection.execute(select(*_ALERT).where(inside).order_by(alert.c.alert_key))
    return [AlertRow(*row) for row in rows]


def mark_message_failed(connection: Connection, message_key: str, fault: str) -> None:
    """Note why a try to send failed; the message goes on waiting."""
    tries = alert_message.c.attempts + 1
    connection.execute(
        update(alert_message)
        .where(alert_message.c.message_key == message_key)
        .values(attempts=tries, fault=fault)
    )


def list_alerts(connection: Connection, *, is_all: bool) -> list[AlertRow]:
    """List alerts that nobody took note of, or all, the newest first."""
    query = select(*_ALERT).order_by(alert.c.stored_at.desc(), alert.c.alert_key)
    if not is_all:
        query = query.where(alert.c.acknowledged_at.is_(None), alert.c.dropped_at.is_(None))
    return [AlertRow(*row) for row in connection.execute(query)]


def acknowledge(connection: Connection, alert_key: str, by: str, at: datetime) -> bool:
    """Note who took note of an alert; false when there is none such. The first one stays."""
    found = connection.scalar(select(alert.c.alert_key).where(alert.c.alert_key == alert_key))
    connection.execute(
        update(alert)
        .where(alert.c.alert_key == alert_key, alert.c.acknowledged_at.is_(None))
        .values(acknowledged_at=at, acknowledged_by=by)
    )
    return found is not None
