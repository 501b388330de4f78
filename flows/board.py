"""The scoreboard as one plain object: every figure that the page shows, and nothing beside it.

Amounts are whole minor units of company currency, shares parts per million, durations seconds of
working time, instants ISO 8601 in UTC. Nobody's name or address is in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from agreement.frames import Deals, Funnel, HandoffStatus
from agreement.periods import period_days
from agreement.policy import Agreement
from agreement.terms import Terms
from connectors.scoreboard import write_scoreboard
from flows import rewards
from flows.alignment import alignment_view
from flows.bridge import class_counts, lost_mqls
from flows.credit import inferred_figures
from flows.exports import write_lists
from flows.measure import Measures, compute
from flows.reading import Reading
from flows.reconcile import Known, normalise_mirrors
from flows.status import status
from flows.summary import counts, plain_rows, sums
from transforms import sla
from transforms.funnel import funnel_summary
from transforms.horizons import Horizon, horizons
from transforms.levers import straight_pace

# Campaigns per horizon on the page; the list beside it has all.
_CAMPAIGNS = 8
_WEEKS = 13


def board(reading: Reading, known: Known, measures: Measures) -> dict[str, Any]:
    """Give everything the page shows, over this quarter and over it with the three before."""
    agreement, zone = reading.agreement, reading.agreement.calendar.zone
    spans = horizons(reading.as_of, agreement.calendar)
    return {
        "as_of": reading.as_of.astimezone(UTC).isoformat(timespec="seconds"),
        "agreement": agreement.name,
        "currency": known.company_currency,
        "digits": measures.company_digits,
        "zone": zone,
        "horizons": {
            span.name: {
                "first": span.first.isoformat(),
                "last": span.last.isoformat(),
                "quarters": list(span.quarters),
            }
            for span in spans
        },
        "freshness": _freshness(reading),
        "teams": {span.name: _teams(measures, span, reading.as_of) for span in spans},
        "funnel": {span.name: _funnel(measures, span, zone) for span in spans},
        "bridge": {span.name: _bridge(measures, span, zone) for span in spans},
        "clocks": {span.name: _clocks(measures, span, zone) for span in spans},
        "promises": _promises(measures, spans[-1], agreement),
        "questions": counts(measures.clock_page.questions["kind"]),
        "credit": _credit(known, measures, agreement, spans),
        "journeys": _by_horizon(measures.credit_figures.velocity, spans),
        "synergy": _synergy(measures, agreement, spans),
        "rewards": _rewards(reading),
        "quality": _quality(reading, measures),
        "alignment": alignment_view(reading, measures),
    }


def _freshness(reading: Reading) -> dict[str, Any]:
    """Say how old what is shown is: by the last good night, and by what was read until when."""
    stands = status(reading.store, reading.as_of)
    night = stands["last_good_night"]
    names = ("run_id", "agreement", "as_of", "ended_at")
    return {
        "last_good_night": {name: night[name] for name in names} if night else None,
        "reading": stands["reading"],
    }


def _teams(measures: Measures, span: Horizon, now: datetime) -> list[dict[str, Any]]:
    """Give each team's target, actual, pace and attainment over the periods that have begun.

    The pace takes what a running period brought so far to its end in a straight line.
    """
    terms = [
        each
        for each in measures.rewards_due.calculation.terms.values()
        if span.first <= each.first and each.last <= span.last
    ]
    teams = sorted({team for each in terms for team in each.attained})
    return [_team(team, terms, now) for team in teams]


def _team(team: str, terms: Sequence[Terms], now: datetime) -> dict[str, Any]:
    reached = [(each, each.attained[team]) for each in terms if team in each.attained]
    actual = sum(found.actual_minor for _, found in reached)
    target = sum(round(Fraction(found.target) * 10**each.digits) for each, found in reached)
    pace = sum(
        straight_pace(found.actual_minor, each, now.astimezone(ZoneInfo(each.zone)).date())
        for each, found in reached
    )
    return {
        "team": team,
        "periods": [each.period for each, _ in reached],
        "target_minor": target,
        "actual_minor": actual,
        "pace_minor": pace,
        "attainment_ppm": actual * 1_000_000 // target if target else None,
        "pace_ppm": pace * 1_000_000 // target if target else None,
    }


def _funnel(measures: Measures, span: Horizon, zone: str) -> dict[str, Any]:
    """Follow the people whom either CRM first saw in a horizon, to this day."""
    people = measures.funnel[span.holds_moments(measures.funnel["first_seen_at"], zone)]
    found = funnel_summary(Funnel.validate(people.reset_index(drop=True), lazy=True), zone)
    found["won_before_first_contact"] = len(found["won_before_first_contact"])
    return found


def _bridge(measures: Measures, span: Horizon, zone: str) -> dict[str, Any]:
    """Count the MQLs of a horizon by class; the classes add up to `mqls`."""
    rows = measures.bridge[span.holds_moments(measures.bridge["mql_at"], zone)]
    return {
        "mqls": len(rows),
        "classes": class_counts(rows),
        "missing_causes": lost_mqls(rows)["causes"],
    }


def _promises(measures: Measures, span: Horizon, agreement: Agreement) -> list[dict[str, Any]]:
    """Give marketing's promises of the periods that end in a horizon, the oldest first."""
    return [
        row
        for row in plain_rows(measures.clock_page.promises)
        if period_days(row["period"], agreement.calendar)[1] >= span.first
    ]


def _clocks(measures: Measures, span: Horizon, zone: str) -> dict[str, Any]:
    """Give the figures of the clocks that started in a horizon, and why limits were missed."""
    inside = measures.status[span.holds_moments(measures.status["started_at"], zone)]
    rows = HandoffStatus.validate(inside.reset_index(drop=True), lazy=True)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in plain_rows(sla.clock_figures(rows, zone)):
        groups.setdefault(row["dimension"], []).append(row)
    whole = groups.pop("all", [])
    return {
        "all": whole[0] if whole else None,
        "tiers": groups.get("tier", []),
        "teams": groups.get("team", []),
        "weeks": groups.get("week", [])[-_WEEKS:],
        "causes": counts(rows["cause"].dropna()),
        "relieved": counts(rows["relief"].dropna()),
        "answers": counts(rows["answer_status"].dropna()),
    }


def _credit(
    known: Known, measures: Measures, agreement: Agreement, spans: Sequence[Horizon]
) -> dict[str, Any]:
    """Give won credit by team, channel and campaign, of every model, and the tie-out.

    A campaign's `name` is its id; `title` is what people call it, as far as the mirrors know.
    """
    results = measures.credit_figures.channels
    titles = _titles(known.campaigns)
    models = [str(name) for name in results["model"].unique()]
    return {
        "shared_model": agreement.attribution.shared,
        "models": models,
        "tie_out": {span.name: _tie_out(measures, span) for span in spans},
        "inferred": {span.name: _inferred(measures, span) for span in spans},
        **{
            dimension: {
                span.name: _results(results, span, dimension, agreement.attribution.shared, titles)
                for span in spans
            }
            for dimension in ("team", "channel", "campaign")
        },
    }


def _titles(campaigns: pd.DataFrame) -> dict[str, str]:
    """Give the campaigns' names by id; a name that several bear tells none of them."""
    named = campaigns.dropna(subset=["Name"]).drop_duplicates("record_id")
    alone = named[~named["Name"].duplicated(keep=False)]
    return dict(zip(alone["record_id"].astype(str), alone["Name"].astype(str), strict=True))


def _tie_out(measures: Measures, span: Horizon) -> dict[str, int]:
    """Set what was won in a horizon, by close date, beside its credit by the shared model."""
    deals = measures.deals
    won = deals[(deals["state"] == "won") & span.holds(deals["closed_on"])]
    credited = measures.shared_credits[measures.shared_credits["deal_id"].isin(won["deal_id"])]
    by_team = sums(credited, "team", "credit_minor")
    return {
        "booked_minor": int(won["company_minor"].sum()),
        "unknown_minor": by_team.get("unknown", 0),
        "explained_minor": sum(by_team.values()) - by_team.get("unknown", 0),
    }


def _inferred(measures: Measures, span: Horizon) -> dict[str, int]:
    deals = measures.credit.deals
    inside = deals[span.holds(deals["closed_on"])].reset_index(drop=True)
    return inferred_figures(replace(measures.credit, deals=Deals.validate(inside, lazy=True)))


def _results(
    results: pd.DataFrame, span: Horizon, dimension: str, shared: str, titles: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Give one row per name, the most won by the shared model first, ties by name.

    Of campaigns only the first, each with its title, None where it has none of its own.
    """
    rows = results[(results["horizon"] == span.name) & (results["dimension"] == dimension)]
    found: dict[str, dict[str, Any]] = {}
    for row in plain_rows(rows):
        entry = found.setdefault(row["name"], {"name": row["name"], "won_minor": {}})
        entry["won_minor"][row["model"]] = row["won_minor"]
        if row["model"] == shared:
            entry |= {
                name: row[name]
                for name in ("open_minor", "deal_count", "people_count", "cost_minor")
            }
    ordered = sorted(
        found.values(), key=lambda row: (-row["won_minor"].get(shared, 0), row["name"])
    )
    if dimension != "campaign":
        return ordered
    return [{**row, "title": titles.get(row["name"])} for row in ordered[:_CAMPAIGNS]]


def _synergy(measures: Measures, agreement: Agreement, spans: Sequence[Horizon]) -> dict[str, Any]:
    return {
        "minimum_deals": agreement.attribution.synergy.minimum_deals,
        "pairs": _by_horizon(measures.credit_figures.synergies, spans),
    }


def _by_horizon(frame: pd.DataFrame, spans: Sequence[Horizon]) -> dict[str, list[dict[str, Any]]]:
    return {span.name: plain_rows(frame[frame["horizon"] == span.name]) for span in spans}


def _rewards(reading: Reading) -> list[dict[str, Any]]:
    """Give each period's pool as the ledger has it, the newest first, and who closed the gate."""
    return [
        _period(period, row)
        for period, row in sorted(rewards.status(reading.store)["periods"].items(), reverse=True)
    ]


def _period(period: str, row: Mapping[str, Any]) -> dict[str, Any]:
    story, outlook = row["pool"], row["outlook"]
    below = outlook["to_gate_minor"] if outlook else {}
    return {
        "period": period,
        "state": row["state"],
        "is_final": row["is_final"],
        "revenue_minor": story["after"]["revenue_minor"],
        "pool_minor": story["after"]["pool_minor"],
        "multiplier": story["multiplier"],
        "is_gate_closed": Fraction(story["multiplier"]) == 0,
        "shares_minor": {team: of["share_minor"] for team, of in story["after"]["teams"].items()},
        "attained": {team: dict(of) for team, of in story["attained"].items()},
        "to_gate_minor": {team: minor for team, minor in below.items() if minor},
        "pool_at_pace_minor": outlook["pool_at_pace_minor"] if outlook else None,
        "lever": outlook["levers"][0] if outlook and outlook["levers"] else None,
    }


def _quality(reading: Reading, measures: Measures) -> dict[str, Any]:
    """Say how far the data can be trusted; coverage and self-check are the last good night's."""
    health = reading.store.health()
    night = (health.last_good_night.summary if health.last_good_night else None) or {}
    objects = [
        {"system": system, "object": kind, "ours": of["ours"], "vendor": of["vendor"]}
        for system, kinds in night.get("coverage", {}).items()
        for kind, of in kinds.items()
    ]
    return {
        "rejects": counts(measures.rejects["reason"]),
        "quarantined": health.refused,
        "conflicts": health.conflicts,
        "reviews": len(reading.store.reviews()),
        "set_aside": counts(measures.credit.set_aside["reason"]),
        "self_check": night.get("self_check") or None,
        "coverage": objects,
    }


def read_board(reading: Reading) -> tuple[dict[str, Any], Measures]:
    """Work everything out anew from the store; give the board and what it was made from."""
    known = normalise_mirrors(reading)
    measures = compute(reading, known)
    return board(reading, known, measures), measures


def write_page(found: Mapping[str, Any], measures: Measures, out: Path) -> Path:
    """Write the page and the lists that its figures lead to; give the page's path."""
    write_lists(measures, found["quality"]["coverage"], out)
    return write_scoreboard(found, out / "scoreboard.html")
