"""A period's way from open to paid: calculated, approved by another person, closed, exported, paid.

Everything here reads the store only: what the last good night calculated and what the ledger holds.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from agreement.errors import AccessError, BadInput, BadTable, Stale
from agreement.frames import DataFrame, Postings
from agreement.money import exact_number, format_minor
from agreement.periods import next_period
from agreement.terms import HOUSE, Terms
from connectors.store import Act, Closed, Found, Store
from transforms import ledger, rewards, statement
from transforms.levers import outlook
from transforms.statement import Books, Check, Statement

log = logging.getLogger(__name__)

# Whoever runs the schedule: a calculation that no person answers for.
SCHEDULE = "schedule"

_STATES = {
    "proposed": "calculated",
    "approved": "approved",
    "closed": "closed",
    "exported": "exported",
    "paid": "paid",
}
FINAL = ("closed", "exported", "paid")


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts; `is_verified` when a secret has shown it."""

    name: str
    is_verified: bool


def states(store: Store) -> dict[str, str]:
    """Give the state of every period that was calculated or closed, in order."""
    acts = {act.period: _STATES[act.act] for act in store.acts()}
    known = sorted({*store.found_periods(), *store.closed_periods()})
    return {period: acts.get(period, "open") for period in known}


def books(store: Store, period: str) -> Books:
    """Open the books of a posting period.

    Raises:
        BadInput: no night has calculated it.
    """
    return _shelf(store)(period)


def _shelf(store: Store) -> Callable[[str], Books]:
    """Read the ledger once, and open the books of any posting period from it."""
    postings, changes = store.postings(), store.reward_credit_changes()
    return lambda period: Books(period, postings, changes, _terms(store, period))


def _terms(store: Store, period: str) -> dict[str, Terms]:
    """Give the terms of every period, frozen for closed ones; the named one has to be there."""
    kept: dict[str, Found | Closed] = {**store.found_periods(), **store.closed_periods()}
    if period not in kept:
        known = ", ".join(sorted(kept)) or "none yet"
        raise BadInput(
            f"no night has calculated period {period} (known: {known}). Run tandem sync first, or "
            "name a period such as 2027-Q1"
        )
    return {name: Terms.model_validate(each.terms) for name, each in kept.items()}


# The way --------------------------------------------------------------------------------------


def propose(store: Store, period: str, person: Person, now: datetime) -> dict[str, Any]:
    """Propose to close a period as it stands: release what was held long enough, fix it in a hash.

    Raises:
        BadInput: the period is closed, not over, or not the first open one.
        Stale: the ledger lacks what the last night calculated.
        BadTable: the ledger was tampered with.
    """
    with store.hold_lock():
        return _propose(store, period, person, now)


def _propose(store: Store, period: str, person: Person, now: datetime) -> dict[str, Any]:
    terms = _terms(store, period)
    _check_proposable(store, period, terms[period])
    released = _release(store, period, terms, now)
    found = store.found_periods()[period]
    digest = store.period_hash(found)
    _note(store, period, "proposed", person, digest, now)
    of_period = books(store, period)
    return {
        **_said(store, period, "proposed", person, digest),
        "pools": statement.pool_story(of_period),
        "released_minor": released,
        "balances": balances(of_period),
    }


def propose_due(store: Store, now: datetime) -> dict[str, Any]:
    """Propose the first open period for the schedule, if a night has seen its end; else say why.

    One that somebody has proposed and that has not changed since is left to its approver.

    Raises:
        Busy: a run holds the lock; what stands is read under it, as nobody else moves it then.
        Stale: the ledger lacks what the last night calculated.
        BadTable: the ledger was tampered with.
    """
    with store.hold_lock():
        try:
            period = _first_open(store)
        except BadInput as error:
            return {"period": None, "state": "open", "why": str(error)}
        acts = [act for act in store.acts() if act.period == period]
        if acts and acts[-1].content_hash == store.period_hash(store.found_periods()[period]):
            state = _STATES[acts[-1].act]
            return {"period": period, "state": state, "why": "it is proposed, and has not changed"}
        try:
            return _propose(store, period, Person(SCHEDULE, is_verified=False), now)
        except BadInput as error:
            return {"period": period, "state": "open", "why": str(error)}


def _check_proposable(store: Store, period: str, terms: Terms) -> None:
    now_in = states(store)
    if now_in[period] in FINAL:
        raise BadInput(
            f"period {period} is {now_in[period]}. It stays closed: later changes post to the open "
            "period"
        )
    first_open = next(name for name, state in now_in.items() if state not in FINAL)
    if period != first_open:
        raise BadInput(f"periods close in order, and {first_open} is open. Propose {first_open}")
    found = store.found_periods()[period]
    seen = found.as_of.astimezone(ZoneInfo(terms.zone)).date()
    if seen <= terms.last:
        raise BadInput(
            f"period {period} was last calculated as of {seen}, and ends on {terms.last}. Run "
            "tandem sync after its end, then propose"
        )
    _check_chain(store)
    _check_posted(store, period, terms)


def _check_chain(store: Store) -> None:
    broken = store.first_broken_posting()
    if broken is not None:
        raise BadTable(
            f"ledger entry {broken} does not fit the one before it: somebody changed the ledger. "
            "Restore it from a backup; tandem rewards verify shows what is broken"
        )


def _check_posted(store: Store, period: str, terms: Terms) -> None:
    """Make sure that the ledger holds what the rules give for the credit behind it."""
    standing = store.reward_credit_changes()
    of_period = Books(period, store.postings(), standing, {period: terms})
    posted = store.posted()
    lacking = rewards.postings_due(
        of_period.after.rewards, posted[posted["computed_for"] == period], period
    )
    if len(lacking):
        raise Stale(
            f"the ledger lacks {len(lacking)} postings for {period} that the last night calculated."
            " Run tandem sync, then propose"
        )


def _release(store: Store, period: str, terms: Mapping[str, Terms], now: datetime) -> int:
    """Post the release of holdbacks whose window has ended by the period's end; give the sum."""
    ended = [
        name
        for name, each in terms.items()
        if name < period and each.held_until <= terms[period].last
    ]
    due_now = ledger.releases_due(store.postings(), ended, period)
    _post(store, due_now, terms, now)
    return int(due_now["reward_minor"].sum())


def _post(
    store: Store, postings: DataFrame[Postings], terms: Mapping[str, Terms], now: datetime
) -> None:
    if postings.empty:
        return
    run_id = store.start_run(
        as_of=now, agreement_version=terms[max(terms)].agreement, started_at=now
    )
    versions = {name: each.agreement for name, each in terms.items()}
    store.post(run_id, postings, agreement_version=versions, at=now)
    store.end_run(run_id, result="done", summary={"postings": len(postings)}, ended_at=now)


def approve(store: Store, period: str, person: Person, now: datetime) -> dict[str, Any]:
    """Approve a proposal; whoever proposed cannot.

    Raises:
        BadInput: nothing is proposed.
        AccessError: the person is not verified, or has proposed it.
        Stale: figures have changed since the proposal.
    """
    with store.hold_lock():
        proposed = _last_act(store, period, "calculated")
        _check_verified(person)
        if person.name == proposed.person:
            raise AccessError(
                "rewards",
                f"{person.name} proposed {period} and cannot approve it",
                "Ask another approver",
            )
        _check_unchanged(store, period, proposed)
        _note(store, period, "approved", person, proposed.content_hash, now)
    return _said(store, period, "approved", person, proposed.content_hash)


def close(store: Store, period: str, person: Person, now: datetime) -> dict[str, Any]:
    """Close an approved period for good: its terms freeze, and nothing posts into it again.

    Two verified people have to have acted by now: a scheduled proposal needs another than the
    approver here.

    Raises:
        BadInput: it is not approved.
        AccessError: the person is not verified, or nobody but the approver has acted.
        Stale: figures have changed since the proposal.
    """
    with store.hold_lock():
        approved = _last_act(store, period, "approved")
        _check_verified(person)
        acts = [act for act in store.acts() if act.period == period]
        proposed = [act for act in acts if act.act == "proposed"][-1]
        verified = {person.name, approved.person}
        if proposed.is_verified:
            verified.add(proposed.person)
        if len(verified) < 2:
            raise AccessError(
                "rewards",
                f"{period} was proposed by nobody in person, and {person.name} approved it",
                "Another approver has to close it",
            )
        found = _check_unchanged(store, period, approved)
        _note(store, period, "closed", person, approved.content_hash, now, closing=found)
    return _said(store, period, "closed", person, approved.content_hash)


def export(store: Store, period: str, person: Person, now: datetime) -> dict[str, Any]:
    """Give a closed period's journal and what payroll has to pay, and note the first time.

    Raises:
        BadInput: it is not closed, or an earlier one is not paid.
        AccessError: the person is not verified, the first time.
        BadTable: ledger, statements and export are not equal.
    """
    # The state is read under the lock: an export noted after a payment would undo `paid`.
    with store.hold_lock():
        state = states(store).get(period)
        if state not in FINAL:
            _terms(store, period)  # says which periods are known where this one is not
            raise BadInput(f"period {period} is {state}. Close it, then export")
        if state == "closed":
            _check_verified(person)
            # Balances carry over: what an earlier period still owes would be on both payroll lists.
            _check_earlier_paid(store, period, "exported")
        _check_chain(store)
        checks = tie_out(store, books(store, period))
        if unmet := [check for check in checks if not check.is_met]:
            first = unmet[0]
            raise BadTable(f"{period}: {first.name}: {first.left_minor}, {first.right_minor}")
        payroll = payroll_of(store, period)
        if state == "closed":
            digest = store.closed_periods()[period].content_hash
            _note(store, period, "exported", person, digest, now)
    return {
        "period": period,
        "state": states(store)[period],
        "payroll": payroll,
        "checks": [asdict(check) | {"is_met": check.is_met} for check in checks],
    }


def pay(store: Store, period: str, person: Person, now: datetime) -> dict[str, Any]:
    """Note that payroll has paid an exported period, to the cent what was exported.

    The payments post into the open period.

    Raises:
        BadInput: it is not exported, is paid already, or an earlier one waits.
        AccessError: the person is not verified.
    """
    with store.hold_lock():
        exported = _last_act(store, period, "exported")
        _check_verified(person)
        _check_earlier_paid(store, period, "paid")
        into = next_period(max(store.closed_periods()))
        due_now = ledger.payments_due(store.postings(), period, into)
        _post(store, due_now, _terms(store, period), now)
        _note(store, period, "paid", person, exported.content_hash, now)
    paid = dict(zip(due_now["participant"], due_now["reward_minor"].tolist(), strict=True))
    return {
        **_said(store, period, "paid", person, exported.content_hash),
        "paid": paid,
        "paid_minor": sum(paid.values()),
        "posted_into": into,
    }


def draw(
    store: Store, participant: str, amount: str, person: Person, now: datetime, *, is_again: bool
) -> dict[str, Any]:
    """Advance an amount of company currency to somebody, into the first open period.

    It lowers what payroll pays them until their balance has made up for it.

    Raises:
        BadInput: nobody of that id takes part, the amount is no positive number of whole minor
            units, or the same advance stands in the period already and `is_again` is false.
        AccessError: the person is not verified.
    """
    with store.hold_lock():
        _check_verified(person)
        period = _first_open(store)
        terms = _terms(store, period)
        minor = _advance_minor(participant, amount, terms[period])
        postings = store.postings()
        drawn = postings[
            (postings["component"] == "draw_advance")
            & (postings["participant"] == participant)
            & (postings["posting_period"] == period)
        ]
        if (drawn["reward_minor"] == minor).any() and not is_again:
            raise BadInput(
                f"{participant} has drawn {amount} in {period} already. If this is another advance "
                "of the same amount, say so with --again"
            )
        _post(store, ledger.advance(participant, minor, period), terms, now)
    log.info("rewards period=%s act=draw by=%s participant=%s", period, person.name, participant)
    owed = ledger.payables(store.postings()).get(participant, 0)
    return {
        "participant": participant,
        "period": period,
        "drawn_minor": minor,
        "balance_minor": owed,
        "currency": terms[period].currency,
        "digits": terms[period].digits,
        "by": person.name,
        "ledger_head": store.ledger_head(),
    }


def _first_open(store: Store) -> str:
    waiting = [name for name, state in states(store).items() if state not in FINAL]
    if not waiting:
        raise BadInput("no night has calculated an open period. Run tandem sync first")
    return waiting[0]


def _advance_minor(participant: str, amount: str, terms: Terms) -> int:
    members = {who for team in terms.teams.values() for who in team}
    known = sorted(members | {team for team in terms.attained if not terms.teams.get(team)})
    if participant not in known:
        raise BadInput(
            f"{participant!r} takes no part in {terms.period}. Known: {', '.join(known)}"
        )
    try:
        exact = exact_number(amount) * 10**terms.digits
    except ValueError:
        exact = Fraction(0)
    if exact <= 0 or exact.denominator != 1:
        raise BadInput(
            f"the amount {amount!r} is no positive number of {terms.currency} with at most "
            f"{terms.digits} decimals. Write it such as {format_minor(120050, terms.digits)}"
        )
    return int(exact)


def _last_act(store: Store, period: str, state: str) -> Act:
    """Give the last act on a period, which has to be in a state."""
    acts = [act for act in store.acts() if act.period == period]
    now_in = _STATES[acts[-1].act] if acts else "open"
    if now_in != state:
        order = ("open", *_STATES.values())
        steps = dict(zip(order[1:], ("propose", "approve", "close", "export", "pay"), strict=True))
        hint = (
            f"Run tandem rewards {steps[order[order.index(now_in) + 1]]} first"
            if order.index(now_in) < order.index(state)
            else "Each step is taken once"
        )
        raise BadInput(f"period {period} is {now_in}, not {state}. {hint}")
    return acts[-1]


def _check_earlier_paid(store: Store, period: str, what: str) -> None:
    waiting = [name for name, state in states(store).items() if name < period and state != "paid"]
    if waiting:
        raise BadInput(f"periods are {what} in order, and {waiting[0]} waits. Pay it first")


def _check_verified(person: Person) -> None:
    if not person.is_verified:
        raise AccessError(
            "rewards",
            f"nobody has shown to be {person.name}",
            "Name an approver with --by and give their secret",
        )


def _check_unchanged(store: Store, period: str, act: Act) -> Found:
    found = store.found_periods()[period]
    if store.period_hash(found) != act.content_hash:
        raise Stale(f"the figures of {period} have changed since the proposal. Propose it again")
    return found


def _note(
    store: Store,
    period: str,
    act: str,
    person: Person,
    digest: str,
    now: datetime,
    closing: Found | None = None,
) -> None:
    store.note_act(
        period,
        act,
        person=person.name,
        is_verified=person.is_verified,
        content_hash=digest,
        at=now,
        closing=closing,
    )
    log.info("rewards period=%s act=%s by=%s hash=%s", period, act, person.name, digest[:16])


def _said(store: Store, period: str, act: str, person: Person, digest: str) -> dict[str, Any]:
    return {
        "period": period,
        "state": _STATES[act],
        "by": person.name,
        "is_verified": person.is_verified,
        "content_hash": digest,
        "ledger_head": store.ledger_head(),
    }


# What is read ----------------------------------------------------------------------------------


def statements(of_period: Books) -> dict[str, Statement]:
    """Give every participant's statement, and that of each team with members, by id."""
    names = sorted({*of_period.participants, *of_period.teams_of_members})
    return {name: statement.statement(of_period, name) for name in names}


def balances(of_period: Books) -> dict[str, Any]:
    """Give what is owed to all participants and held for them, at the period's start and end."""
    found: dict[str, Any] = {}
    for name, accounts in (("opening", of_period.opening), ("closing", of_period.closing)):
        is_held = accounts.index.str.startswith("held:")
        is_owed = accounts.index.str.startswith("payable:")
        found |= {
            f"{name}_owed_minor": int(accounts[is_owed].sum()),
            f"{name}_held_minor": int(accounts[is_held].sum()),
            f"{name}_house_minor": int(accounts.get(HOUSE, 0)),
        }
    return found


def payroll_of(store: Store, period: str) -> dict[str, int]:
    """Give what payroll pays for a closed period, by participant, whether it has paid or not."""
    postings = store.postings()
    paid = postings[(postings["component"] == "paid") & (postings["computed_for"] == period)]
    if len(paid) or states(store).get(period) == "paid":
        return dict(zip(paid["participant"], paid["reward_minor"].tolist(), strict=True))
    into = next_period(max(store.closed_periods(), default=period))
    due_now = ledger.payments_due(postings, period, into)
    return dict(zip(due_now["participant"], due_now["reward_minor"].tolist(), strict=True))


def tie_out(store: Store, of_period: Books) -> list[Check]:
    """Hold statements, ledger and payroll's export of a period against each other."""
    every = statements(of_period)
    checks = statement.tie_out(of_period, every)
    if of_period.period in store.closed_periods():
        already = _paid_later(of_period.postings, of_period.period)
        owed = sum(
            max(0, each.closing_minor - already.get(name, 0))
            for name, each in every.items()
            if name != HOUSE and not each.is_team_of_members
        )
        payroll = sum(payroll_of(store, of_period.period).values())
        checks.append(Check("statements = payroll's export", owed, payroll))
    return checks


def _paid_later(postings: pd.DataFrame, period: str) -> dict[str, int]:
    """Add up what was paid for earlier periods after this one's end, by participant."""
    later = (postings["component"] == "paid") & (postings["posting_period"] > period)
    rows = postings[later & (postings["computed_for"] < period)]
    sums = rows.groupby("participant")["reward_minor"].sum()
    return {str(who): int(minor) for who, minor in sums.items()}


def verify(store: Store, head: str | None = None) -> dict[str, Any]:
    """Recompute both chains, every closed period's hash, and the sums behind the ledger.

    `head` is a ledger head noted elsewhere, such as on a statement: it has to be in the chain.
    """
    faults = []
    if (entry := store.first_broken_posting()) is not None:
        faults.append(f"ledger entry {entry} was changed, or follows a gap")
    if (number := store.first_broken_act()) is not None:
        faults.append(f"act {number} was changed, or follows a gap")
    closing = {act.period: act.content_hash for act in store.acts() if act.act == "closed"}
    for period, closed in store.closed_periods().items():
        if store.period_hash(closed) != closed.content_hash:
            faults.append(f"closed period {period} was changed")
        if closing.pop(period, None) != closed.content_hash:
            faults.append(f"nobody closed period {period} as it stands")
        if store.ledger_head_at(closed.entry_count) != closed.ledger_head:
            faults.append(f"the ledger is not the one that {period} was closed on")
    faults += [f"period {period} was closed, and its row is gone" for period in closing]
    known = store.ledger()
    if head and not known["entry_hash"].str.startswith(head).any():
        faults.append(f"no entry has the hash {head}: entries are gone, or it is another ledger's")
    checks = [] if faults else _all_checks(store)
    faults += [f"not equal: {check.name}" for check in checks if not check.is_met]
    return {
        "is_whole": not faults,
        "faults": faults,
        "entries": len(known),
        "ledger_head": store.ledger_head(),
        "checks": len(checks),
    }


def _all_checks(store: Store) -> list[Check]:
    """Hold every period against its sources, and closed ones against payroll's export."""
    checks = []
    open_books = _shelf(store)
    for period in states(store):
        of_period = open_books(period)
        checks += statement.source_checks(of_period)
        checks.append(
            Check(f"{period}: every transaction sums to 0", int(of_period.closing.sum()), 0)
        )
    return checks


def status(store: Store) -> dict[str, Any]:
    """Give every period with its state, pool and acts; the running one with what would move it."""
    found = store.found_periods()
    open_books = _shelf(store)
    every = {
        period: _status(store, open_books(period), state, found.get(period))
        for period, state in states(store).items()
    }
    return {"periods": every, "ledger_head": store.ledger_head()}


def _status(store: Store, of_period: Books, state: str, found: Found | None) -> dict[str, Any]:
    period = of_period.period
    story = next(each for each in statement.pool_story(of_period) if each["period"] == period)
    acts = [act for act in store.acts() if act.period == period]
    terms = of_period.terms[period]
    row = {
        "state": state,
        "is_final": state in FINAL,
        "currency": terms.currency,
        "digits": terms.digits,
        "pool": story,
        "acts": [{"act": act.act, "by": act.person, "at": act.done_at} for act in acts],
        "is_stale": bool(
            acts and found and state not in FINAL
            and store.period_hash(found) != acts[-1].content_hash
        ),
        "outlook": None,
    }  # fmt: skip
    today = found.as_of.astimezone(ZoneInfo(terms.zone)).date() if found else None
    if today and state not in FINAL and terms.first <= today <= terms.last:
        ahead = outlook(terms, story["after"]["revenue_minor"], today)
        row["outlook"] = {
            "is_final": False,
            "as_of": today.isoformat(),
            "pool_minor": ahead.pool_minor,
            "pool_at_pace_minor": ahead.pool_at_pace_minor,
            "to_gate_minor": dict(ahead.to_gate_minor),
            "levers": [asdict(lever) for lever in ahead.levers],
        }
    return row
