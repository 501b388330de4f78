"""A week of watches every five minutes, on a clock of its own, with faults and crashes.

What is simulated is what decides and delivers: `say` on the real store, to a real HTTP receiver.
Skipped are the CRMs: statuses come from a small table of clocks, by the agreement's own calendars;
test_watch.py reads them through the stand-ins.
"""

import json
import os
import random
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr

from agreement.business_time import OpenHours, due_at, working_seconds
from agreement.frames import as_utc
from agreement.policy import load_agreement
from connectors.alerts import deliver
from connectors.store import Store
from flows.run import Run
from flows.say import say
from tests import builders
from transforms.alerts import is_open, week_of

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[1] / "golden" / "alerts.txt"
START = datetime(2026, 3, 4, tzinfo=UTC)  # a Wednesday; New York changes its clocks on the Sunday
WATCHES = 2016
BUDGET = 3
LINKS = {
    "salesforce": "https://example.my.salesforce.com/",
    "hubspot": "https://app.hubspot.com/contacts/8442/record/0-1/",
}
ZONES = {"005A": "America/New_York", "005B": "Europe/London", "005C": "Asia/Tokyo"}


class Killed(BaseException):
    """The process dies here."""


def drawn(seed: int) -> random.Random:
    """Give a lot that is drawn the same in every run."""
    return random.Random(seed)  # noqa: S311 - no secret is made of it


def clocks(agreement) -> pd.DataFrame:
    """Give 60 clocks by owner, start and (for two in three) the moment of an answer."""
    lot = drawn(5)
    rows = []
    for number in range(60):
        owner = [*ZONES, None][lot.randrange(4)]
        start = START + timedelta(minutes=lot.randrange(6 * 24 * 60))
        answered = start + timedelta(minutes=lot.randrange(3 * 24 * 60))
        rows.append(
            {
                "handoff_id": f"p{number}:1",
                "person_id": f"p{number}",
                "tier": "hot" if number % 2 else "mql",
                "owner_id": owner,
                "zone": ZONES.get(owner or "", agreement.calendar.zone),
                "start": start,
                "answer": answered if number % 3 else None,
            }
        )
    frame = pd.DataFrame(rows)
    frame["start"], frame["answer"] = as_utc(frame["start"]), as_utc(frame["answer"])
    return frame


class World:
    """The clocks as they stand at any moment."""

    def __init__(self, agreement) -> None:
        self.rows = clocks(agreement)
        first, last = START.date() - timedelta(days=3), START.date() + timedelta(days=60)
        self.calendars = {
            zone: OpenHours.from_agreement(agreement.calendar, zone, first, last)
            for zone in self.rows["zone"].unique()
        }
        limits = {tier.name: tier.limit.total_seconds() for tier in agreement.handoff.tiers}
        self.due = due_at(
            self.calendars,
            self.rows["zone"],
            self.rows["start"],
            self.rows["tier"].map(limits).astype("int64"),
        )
        self.template = builders.handoff_status(
            *(
                {
                    "handoff_id": row["handoff_id"],
                    "person_id": row["person_id"],
                    "tier": row["tier"],
                    "owner_id": row["owner_id"],
                    "record_kind": "lead",
                    "record_id": f"00Q{row['person_id']}",
                    "contact_id": row["person_id"],
                }
                for row in self.rows.to_dict("records")
            )
        )
        self.users = builders.users(
            *({"user_id": user, "zone": zone} for user, zone in ZONES.items())
        )

    def status(self, now: datetime) -> pd.DataFrame:
        moment = pd.Timestamp(now).as_unit("us")
        begun = self.rows["start"] <= moment
        touched = self.rows["answer"].where(self.rows["answer"] <= moment)
        until = touched.fillna(moment)
        until = until.where(begun, self.rows["start"])
        late = until > self.due
        words = np.where(late, "late", np.where(touched.notna(), "on_time", "waiting"))
        frame = self.template.assign(
            started_at=self.rows["start"],
            due_at=self.due,
            touched_at=touched,
            is_breached=late,
            status=pd.Series(words, dtype="str"),
            working_seconds=working_seconds(
                self.calendars, self.rows["zone"], self.rows["start"], until
            ),
        )
        return frame[begun].reset_index(drop=True)


@pytest.fixture(scope="module")
def receiver():
    """Serve HTTP that refuses one message in five, and is dead for some hours."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_dead = START + timedelta(hours=38) < server.now < START + timedelta(hours=42)
            if is_dead or server.lot.random() < 0.2:
                self.send_response(503)
            else:
                got.append((server.now, body["key"], body["text"]))
                self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.now, server.got, server.lot = START, got, drawn(3)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _drain(run: Run, world: World) -> None:
    """Go on for four weeks without faults, twice a day, so that digests have had their turn."""
    end = START + timedelta(minutes=5 * WATCHES)
    for day in range(28):
        for hour in (1, 15):  # hours in which somebody of each zone may be told
            now = (end + timedelta(days=day)).replace(hour=hour)
            say(replace(run, as_of=now), world.users, world.status(now))


@pytest.fixture(scope="module")
def week(receiver, tmp_path_factory):
    """Run the week, then quiet ones until everything has had its chance."""
    agreement = load_agreement()
    rules = agreement.alerts.model_copy(update={"route": "chat", "budget": BUDGET})
    agreement = agreement.model_copy(update={"alerts": rules})
    world, lot, deaths = World(agreement), drawn(9), Counter()
    notices = []

    def tell(route, key, text, addresses):
        if route == "terminal":
            notices.append((receiver.now, text))
            return
        if lot.random() < 0.1:
            deaths["before"] += 1
            raise Killed
        deliver(route, key, text, addresses)
        if lot.random() < 0.1:
            deaths[key] += 1
            raise Killed

    url = SecretStr(f"http://127.0.0.1:{receiver.server_address[1]}/")
    settings = SimpleNamespace(alert_addresses=lambda route: (url,))
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('week') / 'tandem.db'}")
    run = Run("", START, agreement, store, None, None, settings, tell=tell)
    run.summary["crm_facts"] = {"record_links": LINKS}
    for step in range(WATCHES):
        receiver.now = START + timedelta(minutes=5 * step)
        try:
            say(replace(run, as_of=receiver.now), world.users, world.status(receiver.now))
        except Killed:
            continue
    got = list(receiver.got)
    _drain(replace(run, tell=lambda *said: None), world)
    yield SimpleNamespace(
        got=got,
        deaths=deaths,
        notices=notices,
        store=store,
        world=world,
        agreement=agreement,
    )
    store.close()


def receivers(week):
    """Give the receiver of each message key, from the alerts in it."""
    with week.store._engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT message_key, receiver, route FROM alert_message"
        ).all()
    return {key: receiver for key, receiver, route in rows if route == "chat"}


def test_each_message_came_once_but_where_its_sender_died_after_it(week):
    counts = Counter(key for _, key, _ in week.got)
    assert {key: count - 1 for key, count in counts.items() if count > 1} == {
        key: count for key, count in week.deaths.items() if key != "before"
    }
    assert week.deaths["before"] > 3
    assert len(week.deaths) > 2


def test_no_alert_is_in_two_messages_and_none_was_lost(week):
    rows = week.store.list_alerts(is_all=True)
    end = week.world.status(START + timedelta(minutes=5 * (WATCHES - 1)))
    late = end.loc[end["is_breached"], "handoff_id"] + ":breached"
    assert len(late) > 10
    told = {row.alert_key for row in rows if row.sent_at}
    assert set(late) <= told
    assert [row.alert_key for row in rows if not row.sent_at and not row.dropped_at] == []
    assert week.store.unsent_messages() == []
    # A clock that is named in a message as missed is so in one message only.
    named = Counter(
        line.split(",")[0]
        for text in {key: text for _, key, text in week.got}.values()
        for line in text.splitlines()
        if line.startswith("- MISSED")
    )
    assert max(named.values()) == 1


def test_nobody_was_told_outside_their_hours(week):
    whom, calendar, rules = receivers(week), week.agreement.calendar, week.agreement.alerts
    for now, key, _ in week.got:
        zone = ZONES.get(whom[key], calendar.zone)
        assert is_open(calendar, rules, zone, now), (now, whom[key])
        assert 8 <= now.astimezone(pd.Timestamp(now).tz_convert(zone).tzinfo).hour < 18


def test_nobody_got_more_in_a_week_than_their_budget(week):
    whom, zone = receivers(week), week.agreement.calendar.zone
    first = {key: now for now, key, _ in reversed(week.got)}
    spent = Counter(
        (whom[key], week_of(now, ZONES.get(whom[key], zone))) for key, now in first.items()
    )
    assert max(spent.values()) == BUDGET


def test_what_was_over_the_budget_came_as_the_next_weeks_digest(week):
    assert any("(digest)" in text.splitlines()[0] for _, _, text in week.got)


def test_a_dead_channel_was_reported_by_another_once_a_day(week):
    days = Counter(
        now.astimezone(week.agreement.calendar.zone_info).date() for now, _ in week.notices
    )
    assert days
    assert max(days.values()) == 1


def test_the_messages_read_as_they_did(week):
    seen = dict.fromkeys(key for _, key, _ in week.got)
    first = {key: (now, text) for now, key, text in reversed(week.got)}
    shown = "\n\n".join(f"{first[key][0]:%a %d %b %H:%M} UTC\n{first[key][1]}" for key in seen)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(shown + "\n", encoding="utf-8")
    assert shown + "\n" == GOLDEN.read_text(encoding="utf-8")
