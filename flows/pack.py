"""The weekly pack: read from the store, written as pages, sent once through the alert routes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from agreement.frames import Deals
from agreement.periods import period_of
from agreement.policy import Agreement
from agreement.terms import Terms
from connectors import alerts
from connectors.pack_page import finance_text, pack_text
from flows.board import board
from flows.measure import Measures, compute
from flows.reading import Reading
from flows.reconcile import Known, normalise_mirrors
from flows.run import Tell
from flows.say import send_message
from transforms.forecast import forecast
from transforms.other_words import said_by_marketing, said_by_sales
from transforms.pack import Decision, Facts, pack, won_in
from transforms.standings import Standing
from transforms.thanks import ThankYou, thank_yous, thanks
from transforms.weeks import Week, last_week

# The receiver of packs among the store's messages: no person, so that nobody's budget is used up.
_RECEIVER = "meeting"


def read_pack(reading: Reading, *, has_names: bool | None = None) -> dict[str, Any]:
    """Work everything out anew from the store and give the pack.

    `has_names` says whether those who are thanked are named; None leaves it to the agreement.
    """
    known = normalise_mirrors(reading)
    measures = compute(reading, known)
    wants_names = reading.agreement.meetings.names if has_names is None else has_names
    return pack_view(reading, known, measures, _names(reading) if wants_names else {})


def pack_view(
    reading: Reading, known: Known, measures: Measures, names: Mapping[str, str]
) -> dict[str, Any]:
    """Give the pack as one object; of people only those in `names` (by user id) are named.

    Amounts are minor units of company currency, shares parts per million, durations seconds of
    working time.
    """
    agreement, now = reading.agreement, reading.as_of
    week = last_week(now, agreement.calendar.zone)
    kept = reading.store.pack_before(week.first.isoformat()) or {}
    before = [Decision(**each) for each in kept.get("decisions", ())]
    page = board(reading, known, measures)
    return {
        **worded(_facts(reading, measures), agreement, now, before, known.company_currency),
        "thanks": [thank_view(each, names) for each in _thanks(known, measures, week)],
        "alignment": page["alignment"],
        "finance": _finance(reading, known, measures, page, week),
    }


def worded(
    facts: Facts, agreement: Agreement, now: datetime, before: Sequence[Decision], currency: str
) -> dict[str, Any]:
    """Give what the pack says of both teams' week; `before` are the last pack's decisions."""
    week = last_week(now, agreement.calendar.zone)
    found = pack(facts, agreement, now, before)
    return {
        "as_of": now.astimezone(UTC).isoformat(timespec="seconds"),
        "agreement": agreement.name,
        "currency": currency,
        **asdict(found),
        "is_needed": found.is_needed,
        "standings": [_standing(each, found.owners) for each in found.standings],
        "said_by_sales": said_by_sales(facts, week, currency),
        "said_by_marketing": said_by_marketing(facts, week, currency),
    }


def _facts(reading: Reading, measures: Measures) -> Facts:
    period = period_of(reading.as_of, reading.agreement.calendar)
    terms: Terms | None = measures.rewards_due.calculation.terms.get(period)
    return Facts(
        mqls=measures.mqls,
        status=measures.status,
        bridge=measures.bridge,
        promises=measures.clock_page.promises,
        questions=measures.clock_page.questions,
        deals=measures.deals,
        attained=measures.rewards_due.attained,
        shared_credits=measures.shared_credits,
        terms=terms,
    )


def _standing(standing: Standing, owners: Mapping[str, str]) -> dict[str, Any]:
    return {
        **asdict(standing),
        "owner": owners[standing.team],
        "is_kept": standing.is_kept,
    }


def _thanks(known: Known, measures: Measures, week: Week) -> Sequence[ThankYou]:
    won = Deals.validate(won_in(measures.deals, week).reset_index(drop=True), lazy=True)
    rows = thanks(
        won,
        measures.shared_credits,
        measures.paths,
        known.activities,
        known.users,
        known.campaigns,
    )
    return thank_yous(rows)


def thank_view(thank: ThankYou, names: Mapping[str, str]) -> dict[str, Any]:
    """Give a thank-you with the user's name, where `names` (by user id) holds it."""
    return {**asdict(thank), "name": names.get(thank.user_id or "")}


def _names(reading: Reading) -> dict[str, str]:
    """Give the users' names by id: the only names that a pack ever holds."""
    users = reading.store.mirror("salesforce", "user", ["Name"]).dropna(subset=["Name"])
    return dict(zip(users["record_id"].astype(str), users["Name"].astype(str), strict=True))


def _finance(
    reading: Reading, known: Known, measures: Measures, page: Mapping[str, Any], week: Week
) -> dict[str, Any]:
    """Give finance's and delivery's page: tie-out, pools, the week's wins, what is ahead."""
    won = won_in(measures.deals, week).sort_values(["closed_at", "record_id"])
    ahead = forecast(
        measures.deals,
        known.deal_records,
        known.stage_changes,
        reading.as_of,
        reading.agreement.calendar.zone,
    )
    return {
        "tie_out": page["credit"]["tie_out"],
        "rewards": page["rewards"],
        "won": [_won(row) for row in won.to_dict("records")],
        **asdict(ahead),
    }


def _won(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "record_id": row["record_id"],
        "closed_on": row["closed_on"] if pd.notna(row["closed_on"]) else None,
        "company_minor": row["company_minor"],
        "is_blank": row["is_blank"],
    }


def without_names(view: Mapping[str, Any]) -> dict[str, Any]:
    """Give the pack with nobody named: those who are thanked stand there by id."""
    return {**view, "thanks": [{**each, "name": None} for each in view["thanks"]]}


def send_pack(
    reading: Reading, view: Mapping[str, Any], now: datetime, tell: Tell = alerts.deliver
) -> dict[str, Any]:
    """Send the pack and finance's page, each once per week, and keep what was asked to decide.

    Both are stored before they are sent. What a route does not take waits, and the next night or
    watch tries again. `sent` and `waiting` count messages; a week that was sent before gives none.

    Raises:
        Busy: a run holds the lock. It sends whatever waits, so that both would send the same.
    """
    with reading.store.hold_lock():
        return _send_pack(reading, view, now, tell)


def _send_pack(
    reading: Reading, view: Mapping[str, Any], now: datetime, tell: Tell
) -> dict[str, Any]:
    store, week = reading.store, str(view["first"])
    night = store.good_night_until(reading.as_of)
    run_id = night.run_id if night else ""
    store.keep_pack(run_id, week, {"decisions": view["decisions"]}, as_of=reading.as_of)
    keys = []
    for what, route, text in _messages(reading, view):
        key = hashlib.sha256(f"{what}:{week}".encode()).hexdigest()[:16]
        store.store_notice(run_id, key, route, week, text, at=now, receiver=_RECEIVER)
        keys.append(key)
    faults = [
        send_message(store, reading.settings, tell, message, now)[1]
        for message in store.unsent_messages()
        if message.message_key in keys
    ]
    return {
        "sent": faults.count(""),
        "waiting": len(faults) - faults.count(""),
        "faults": sorted(filter(None, faults)),
    }


def _messages(reading: Reading, view: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rules = reading.agreement.meetings
    usual = reading.agreement.alerts.route_of("lead")
    return [
        ("pack", rules.route or usual, pack_text(view)),
        ("finance", rules.finance or usual, finance_text(view)),
    ]
