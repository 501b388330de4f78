"""Backtest: what history would look like under a draft of the agreement, beside how it is.

The mirrors are replayed twice: by the agreement in force, which has to give what the store holds,
then by the draft. No CRM is asked anything, and nothing is saved.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from agreement.errors import AgreementError, BadInput
from agreement.frames import Credits, DataFrame, Deals, HandoffStatus, Promises
from agreement.periods import period_days
from agreement.policy import Agreement
from agreement.terms import Attained, Terms
from connectors.backtest_page import MISSED
from connectors.store import Store
from flows.backtest_proof import Side, last_measured, prove, read_side, version_in_force
from flows.bridge import class_counts
from flows.clocks import promises_of
from flows.measure import company_digits, rewards_by
from flows.reading import StoredReading
from flows.reward_terms import RewardsDue
from flows.run import own_holidays, with_kept_holidays, with_plain_holidays
from flows.summary import plain_rows, sums
from transforms import compare, rewards, sla
from transforms.rewards import Calculation

_DIMENSIONS = ("team", "channel")


def backtest(reading: StoredReading, draft: Agreement, since: date) -> dict[str, Any]:
    """Replay history under a draft, beside what it is under the agreement in force.

    Figures are of clocks that started, deals that were won and MQLs stamped on `since` or later, in
    the company's zone; reward periods count whole, from the one that `since` lies in. Amounts are
    company minor units. A closed period keeps its rates and what both teams had reached when it
    closed, but for what the draft moves.

    Raises:
        BadInput: `since` is in the future, or the draft reads a field that no run has read.
        AgreementError: the draft has other reward periods.
        Stale: runs after the last night have read newer records, or its version is not kept.
        BadTable: the agreement in force does not reproduce what the store holds.
    """
    measured = last_measured(reading.store)
    reading = replace(
        reading, as_of=measured.run.as_of, agreement=version_in_force(reading, measured.run)
    )
    _check_draft(reading, draft, since)
    now = read_side(reading)
    due = rewards_by(now.reading, now.known, now.read)
    proof = prove(now, due, measured)
    then = read_side(replace(reading, agreement=_with_own_holidays(reading.store, draft)))
    return {
        "agreement": now.agreement.name,
        "draft": then.agreement.name,
        "since": since.isoformat(),
        "as_of": reading.as_of.isoformat(timespec="seconds"),
        "currency": now.known.company_currency,
        "digits": company_digits(now.known),
        "known_since": known_since(reading.store, reading.agreement.calendar.zone_info),
        "proof": proof,
        **_side_by_side(now, then, due, since),
    }


def _side_by_side(now: Side, then: Side, due: RewardsDue, since: date) -> dict[str, Any]:
    parts = {
        "clocks": _clocks(now, then, since),
        "bridge": _bridge(now, then, since),
        "promises": _promises(now, then, since),
        "credit": _credit(now, then, since),
        "pools": _pools(due, then, since),
    }
    return {
        **parts,
        "gains": _gains(parts),
        "changes_nothing": not any(map(_is_moved, parts.values())),
    }


def _with_own_holidays(store: Store, draft: Agreement) -> Agreement:
    """Expand the draft's holidays, unless it is a version that was in force: then as kept."""
    if store.agreement_digest(draft.name) == draft.digest:
        return with_kept_holidays(store, draft)
    return with_plain_holidays(draft, own_holidays(draft))


def _check_draft(reading: StoredReading, draft: Agreement, since: date) -> None:
    """Refuse what cannot be replayed."""
    ours = reading.agreement.calendar
    today = reading.as_of.astimezone(ours.zone_info).date()
    if since > today:
        raise BadInput(
            f"--from {since} is after the last night, which was on {today}. Take an earlier day"
        )
    theirs = draft.calendar
    if (theirs.period, theirs.fiscal_year_start) != (ours.period, ours.fiscal_year_start):
        raise AgreementError(
            f"{draft.name} has periods of a {theirs.period} from month {theirs.fiscal_year_start},"
            f" {reading.agreement.name} of a {ours.period} from month {ours.fiscal_year_start}, and"
            " periods close for good. Keep calendar.period and calendar.fiscal_year_start"
        )
    field, known = draft.handoff.reject_reason_field, reading.agreement.handoff.reject_reason_field
    if field != known and field not in reading.store.fields_read("salesforce", "lead"):
        raise BadInput(
            f"the draft's handoff.reject_reason_field is {field}, which no run has read. Put it"
            " into force with a night, or backtest with the field of today"
        )


def known_since(store: Store, zone: ZoneInfo) -> str | None:
    """Give the day, in a zone, of the earliest record of people or deals that a mirror holds."""
    kinds = (
        ("hubspot", "contact"),
        ("salesforce", "lead"),
        ("salesforce", "contact"),
        ("salesforce", "opportunity"),
    )
    earliest = [at for key in kinds if (at := store.count_live(*key)[1])]
    return min(earliest).astimezone(zone).date().isoformat() if earliest else None


# Side by side -------------------------------------------------------------------------------------


def _clocks(now: Side, then: Side, since: date) -> dict[str, Any]:
    """Compare the clocks that started since a day under either agreement."""
    zone = now.agreement.calendar.zone
    sides = [side.read.clocks.status for side in (now, then)]
    started = pd.concat(
        [status.loc[_is_since(status["started_at"], since, zone), "handoff_id"] for status in sides]
    )
    before, after = (
        HandoffStatus.validate(
            status[status["handoff_id"].isin(started)].reset_index(drop=True), lazy=True
        )
        for status in sides
    )
    changes = compare.clock_changes(before, after)
    return {
        "before": _clock_figures(before),
        "after": _clock_figures(after),
        "changes": _plain(changes),
        "missed": _plain(_missed(after)),
    }


def _is_since(moments: pd.Series, since: date, zone: str) -> pd.Series:
    return moments.dt.tz_convert(zone).dt.strftime("%Y-%m-%d") >= since.isoformat()


def _clock_figures(status: DataFrame[HandoffStatus]) -> dict[str, Any]:
    figures = sla.sla_figures(status)
    names = ("count", "on_time", "late", "waiting", "share_within_limit_ppm",
             "median_working_seconds", "p90_working_seconds")  # fmt: skip
    return {
        **{name: figures[name] for name in names},
        "relieved": sum(figures["relieved"].values()),
    }


def _missed(status: DataFrame[HandoffStatus]) -> pd.DataFrame:
    """List the clocks missed under the draft, by start and id."""
    late = status.loc[status["status"] == "late", list(MISSED)]
    return late.sort_values(["started_at", "handoff_id"], ignore_index=True)


def _bridge(now: Side, then: Side, since: date) -> dict[str, Any]:
    zone = now.agreement.calendar.zone
    before, after = (
        class_counts(side.bridge[_is_since(side.bridge["mql_at"], since, zone)])
        for side in (now, then)
    )
    return {"before": before, "after": after}


def _promises(now: Side, then: Side, since: date) -> list[dict[str, Any]]:
    """Lay marketing's promises side by side, for the periods that were not over on a day."""
    sides = [_promised(side, since) for side in (now, then)]
    keys = list(dict.fromkeys(key for side in sides for key in side))
    return [
        {
            "promise": promise,
            "period": period,
            "before": sides[0].get((promise, period)),
            "after": sides[1].get((promise, period)),
        }
        for promise, period in sorted(keys, key=lambda key: (key[1], key[0]))
    ]


def _promised(side: Side, since: date) -> dict[tuple[str, str], dict[str, Any]]:
    found: DataFrame[Promises] = promises_of(
        side.known, side.agreement, side.reading.as_of, side.read.clocks
    )
    names = ("unit", "promised", "actual", "is_kept")
    return {
        (row["promise"], row["period"]): {name: row[name] for name in names}
        for row in plain_rows(found)
        if period_days(row["period"], side.agreement.calendar)[1] >= since
    }


def _credit(now: Side, then: Side, since: date) -> dict[str, Any]:
    """Compare the shared credit of deals won since a day, by team, by channel and by deal."""
    before, after = (_won_credit(side, since) for side in (now, then))
    changes = compare.credit_changes(before, after)
    records = now.read.credit.deals.set_index("deal_id")["record_id"].to_dict()
    records |= then.read.credit.deals.set_index("deal_id")["record_id"].to_dict()
    moved = changes.assign(record_id=changes["deal_id"].map(records))
    return {
        "model_before": now.agreement.attribution.shared,
        "model_after": then.agreement.attribution.shared,
        **{
            dimension: _moves(
                sums(before, dimension, "credit_minor"), sums(after, dimension, "credit_minor")
            )
            for dimension in _DIMENSIONS
        },
        "deals": _plain(moved),
    }


def _won_credit(side: Side, since: date) -> DataFrame[Credits]:
    deals: DataFrame[Deals] = side.read.credit.deals
    is_won = (deals["state"] == "won") & (deals["closed_on"] >= since.isoformat()).fillna(
        value=False
    )
    shared = side.read.credit.shared_credits
    rows = shared[shared["deal_id"].isin(deals.loc[is_won, "deal_id"])]
    return Credits.validate(rows.reset_index(drop=True), lazy=True)


def _moves(before: Mapping[str, int], after: Mapping[str, int]) -> list[dict[str, Any]]:
    """Lay amounts by name side by side, by name."""
    return [
        {
            "name": name,
            "before_minor": before.get(name, 0),
            "after_minor": after.get(name, 0),
            "change_minor": after.get(name, 0) - before.get(name, 0),
        }
        for name in sorted({*before, *after})
    ]


# Rewards ------------------------------------------------------------------------------------------


def _pools(due: RewardsDue, then: Side, since: date) -> list[dict[str, Any]]:
    """Compare each pool from the period on that a day lies in, and the teams' shares of it."""
    before = due.calculation
    terms = [each for each in before.terms.values() if each.last >= since]
    after = _under(then, due, terms)
    return [
        {
            "period": each.period,
            "agreement_before": each.agreement,
            "before": _pool(before, each.period),
            "after": _pool(after, each.period),
            "shares": _moves(_shares(before, each.period), _shares(after, each.period)),
        }
        for each in terms
    ]


def _under(then: Side, due: RewardsDue, terms: list[Terms]) -> Calculation:
    """Compute the same periods by the draft; closed ones too, as if it had been in force."""
    facts = then.read.facts
    evidence = rewards.attained_deals(facts.deals, facts.status, facts.deal_people)
    before, after = rewards.actuals(due.attained), rewards.actuals(evidence)
    changed = [
        _draft_terms(each, then.agreement, before.get(each.period, {}), after.get(each.period, {}))
        for each in terms
    ]
    return rewards.calculate(changed, facts.shared_credits, facts.deals)


def _draft_terms(
    terms: Terms, draft: Agreement, before: Mapping[str, int], after: Mapping[str, int]
) -> Terms:
    """Put the draft's rules, targets and model into a period's terms.

    What a team reached moves by what the draft moves: in a closed period, later changes of its
    deals still count for revenue and credit only (W9).
    """
    targets = {"marketing": draft.targets.marketing, "sales": draft.targets.sales}
    reached = {
        team: Attained(
            actual_minor=known.actual_minor + after.get(team, 0) - before.get(team, 0),
            target=targets[team],
        )
        for team, known in terms.attained.items()
    }
    changed = {
        "agreement": draft.name,
        "model": draft.attribution.shared,
        "rules": draft.rewards.model_copy(update={"spiffs": ()}),
        "attained": reached,
    }
    return terms.model_copy(update=changed)


def _pool(calculation: Calculation, period: str) -> dict[str, Any]:
    pools = calculation.pools
    [row] = plain_rows(pools[pools["period"] == period])
    attained = calculation.terms[period].attained
    return {
        **{name: row[name] for name in ("revenue_minor", "multiplier", "pool_minor")},
        "actual_minor": {team: reached.actual_minor for team, reached in attained.items()},
    }


def _shares(calculation: Calculation, period: str) -> dict[str, int]:
    shares = calculation.team_rewards
    return sums(shares[shares["computed_for"] == period], "participant", "reward_minor")


# Who gains ----------------------------------------------------------------------------------------


def _gains(parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Say who gains and who loses: teams' shares of all pools, then credit by team and channel."""
    shares: dict[str, int] = {}
    for pool in parts["pools"]:
        for row in pool["shares"]:
            shares[row["name"]] = shares.get(row["name"], 0) + row["change_minor"]
    rows = [("shares of the pools", name, minor) for name, minor in sorted(shares.items())]
    for dimension in _DIMENSIONS:
        rows += [
            (f"credit by {dimension}", row["name"], row["change_minor"])
            for row in parts["credit"][dimension]
        ]
    return [{"of": what, "who": who, "change_minor": minor} for what, who, minor in rows if minor]


def _is_moved(part: Any) -> bool:
    """Say whether anything in a part differs between before and after."""
    if isinstance(part, list):
        return any(map(_is_moved, part))
    if not isinstance(part, dict):
        return False
    return (
        part.get("before") != part.get("after")
        or part.get("before_minor") != part.get("after_minor")
        or bool(part.get("change_minor") or part.get("changes"))
        or any(map(_is_moved, part.values()))
    )


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows with plain values; instants as ISO 8601 text."""
    instants = frame.select_dtypes(include="datetimetz").columns
    texts = {name: frame[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in instants}
    return plain_rows(frame.assign(**texts))
