"""Alerts are stored once, merged into messages in one transaction, and never lost."""

from datetime import UTC, datetime

import pandas as pd

from agreement.frames import AlertPlaces, Alerts, Messages, as_text, as_utc

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 13, tzinfo=UTC)


def due(*keys: str) -> pd.DataFrame:
    names = ("about_id", "state", "receiver", "text")
    columns = {name: as_text([name] * len(keys)) for name in names}
    frame = pd.DataFrame({"alert_key": as_text(list(keys)), **columns})
    frame = frame.assign(owner_id=as_text([None] * len(keys)), event_at=as_utc([NOON] * len(keys)))
    return Alerts.validate(frame.astype({"event_at": "datetime64[us, UTC]"}))


def merged(message_key: str | None, *keys: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    given = [message_key] if message_key else []
    made = pd.DataFrame(
        {
            "message_key": as_text(given),
            "receiver": as_text(["ops"] * len(given)),
            "week": as_text(["2026-11-02"] * len(given)),
            "text": as_text(["said"] * len(given)),
        }
    )
    places = {"alert_key": as_text(list(keys)), "message_key": as_text([message_key] * len(keys))}
    return Messages.validate(made), AlertPlaces.validate(pd.DataFrame(places))


def waiting(store):
    return store.pending_alerts()["alert_key"].tolist()


def test_an_alert_is_stored_once_and_waits_for_its_message(store):
    store.store_alerts("run-1", due("b"), at=NOON)
    store.store_alerts("run-2", due("a", "b"), at=LATER)
    assert store.alerts_said() == {"a", "b"}
    assert waiting(store) == ["a", "b"]
    store.store_messages("run-2", *with_routes(merged("m1", "a")), at=LATER)
    assert waiting(store) == ["b"]
    assert [row.message_key for row in store.unsent_messages()] == ["m1"]


def with_routes(made):
    messages, places = made
    return messages, ["terminal"] * len(messages), places


def test_a_message_that_arrived_names_its_alerts_and_is_not_sent_again(store):
    store.store_alerts("run-1", due("a", "b"), at=NOON)
    store.store_messages("run-1", *with_routes(merged("m1", "a", "b")), at=NOON)
    assert [row.alert_key for row in store.mark_message_sent("m1", at=LATER)] == ["a", "b"]
    assert store.unsent_messages() == []
    assert store.messages_by_week() == {("ops", "2026-11-02"): 1}


def test_a_message_that_failed_waits_and_says_why(store):
    store.store_alerts("run-1", due("a"), at=NOON)
    store.store_messages("run-1", *with_routes(merged("m1", "a")), at=NOON)
    store.mark_message_failed("m1", fault="answered 503")
    (row,) = store.unsent_messages()
    assert (row.attempts, row.fault) == (1, "answered 503")


def test_what_was_overtaken_waits_no_more(store):
    store.store_alerts("run-1", due("a"), at=NOON)
    store.store_messages("run-1", *with_routes(merged(None, "a")), at=NOON)
    assert waiting(store) == []
    assert store.unsent_messages() == []
    assert store.list_alerts() == []
    assert [row.dropped_at for row in store.list_alerts(is_all=True)] == [NOON]


def test_the_first_to_take_note_stays(store):
    store.store_alerts("run-1", due("a"), at=NOON)
    assert store.acknowledge("a", by="ana", at=NOON)
    assert store.acknowledge("a", by="ben", at=LATER)
    assert not store.acknowledge("unknown", by="ana", at=NOON)
    assert store.list_alerts() == []
    (row,) = store.list_alerts(is_all=True)
    assert (row.acknowledged_by, row.acknowledged_at) == ("ana", NOON)
