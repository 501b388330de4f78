"""Statements and finance's files of a period, written where only their owner can read them."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from agreement.errors import BadInput
from agreement.frames import StatementLines, empty
from agreement.money import minor_digits
from agreement.terms import HOUSE, Terms
from connectors import statements as files
from connectors.spreadsheets import csv_text
from connectors.store import Store
from flows import rewards
from transforms import journal
from transforms.statement import Books, Statement, pool_story, tie_out

DEFAULT_FOLDER = Path(".tandem/rewards")

_TEAMS = ("marketing", "sales", HOUSE)
_JOURNAL = (
    "on", "entry", "posted_at", "posting_period", "computed_for", "participant", "component",
    "debit", "credit", "amount", "currency", "agreement_version", "run_id", "entry_hash",
)  # fmt: skip
_SAYS = {
    "cap_excess": "Above a cap, to the house",
    "pool_held": "Held back until {held_until}",
    "spiff": "Spiff",
    "hold_release": "Released: held back for {computed_for}",
    "draw_advance": "Advanced",
    "paid": "Paid for {computed_for}",
}


def write_statements(
    store: Store, period: str, folder: Path, only: str | None = None
) -> dict[str, Any]:
    """Write a page and a CSV per participant and team, and finance's page; list the files.

    `only` names one participant. A period that is not closed is marked as not final.

    Raises:
        BadInput: no night has calculated the period, or nobody of this name has a statement.
    """
    of_period = rewards.books(store, period)
    every = rewards.statements(of_period)
    about = _about(store, of_period)
    if only is not None and only not in every:
        raise BadInput(
            f"{only!r} has no statement in {period}. Known: {', '.join(every) or 'nobody'}"
        )
    place = files.private_folder(folder)
    place = files.private_folder(place / period)
    stories = pool_story(of_period)
    written = []
    for name, each in every.items():
        if only in {None, name}:
            written += _write_statement(place, each, of_period.terms, stories, about)
    if only is None:
        written.append(_write_finance(store, place, of_period, every, stories, about))
    return {
        "period": period,
        "state": about["state"],
        "is_final": about["is_final"],
        "folder": str(place),
        "files": [path.name for path in written],
    }


def _about(store: Store, of_period: Books) -> dict[str, Any]:
    """Give what every page says of the period. What came after a close is not said."""
    terms = of_period.terms[of_period.period]
    closed = store.closed_periods().get(of_period.period)
    state = rewards.states(store)[of_period.period]
    return {
        "period": of_period.period,
        "state": "closed" if closed else state,
        "is_final": closed is not None,
        "currency": terms.currency,
        "digits": terms.digits,
        "ledger_head": closed.ledger_head if closed else store.ledger_head(),
        "entry_count": closed.entry_count if closed else len(of_period.postings),
        "closed_at": closed.closed_at if closed else None,
    }


def _write_statement(
    place: Path,
    each: Statement,
    terms: Mapping[str, Terms],
    stories: list[dict[str, Any]],
    about: Mapping[str, Any],
) -> list[Path]:
    kind = "team" if each.is_team_of_members or each.participant in _TEAMS else "person"
    page = {**about, **_page(each, terms, stories)}
    html = place / files.file_name(kind, each.participant, "html")
    table = place / files.file_name(kind, each.participant, "csv")
    columns = list(empty(StatementLines).columns)
    return [
        files.write_private(html, files.statement_page(page)),
        files.write_private(table, csv_text(columns, _plain(each.lines))),
    ]


def _page(
    each: Statement, terms: Mapping[str, Terms], stories: list[dict[str, Any]]
) -> dict[str, Any]:
    lines = [_line(line, terms) for line in _plain(each.lines)]
    events = [line for line in lines if line["section"] not in {"earned", "correction"}]
    parts = [_part(story, lines) for story in stories]
    return {
        "participant": each.participant,
        "is_team_of_members": each.is_team_of_members,
        "opening_minor": each.opening_minor,
        "closing_minor": each.closing_minor,
        "change_minor": each.change_minor,
        "held_opening_minor": each.held_opening_minor,
        "held_closing_minor": each.held_closing_minor,
        "parts": [part for part in parts if part["deals"] or part["others"]],
        "events": events,
    }


def _part(story: Mapping[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the lines of one computed period together, with their sums."""
    own = [
        line
        for line in lines
        if line["computed_for"] == story["period"] and line["section"] in {"earned", "correction"}
    ]
    deals = [line for line in own if line["what"] == "share"]
    return {
        "story": story,
        "deals": deals,
        "others": [line for line in own if line["what"] != "share"],
        "credit_minor": sum(line["credit_minor"] for line in deals),
        "exact": _sum([line["exact"] for line in deals]),
        "rounding": _sum([line["rounding"] for line in deals]),
        "share_minor": sum(line["reward_minor"] for line in deals),
    }


def _sum(texts: list[str]) -> str:
    return str(sum((Decimal(text) for text in texts), Decimal(0)))


def _line(line: dict[str, Any], terms: Mapping[str, Terms]) -> dict[str, Any]:
    """Add what a reader sees: the amount with its decimals, and words for what is no deal."""
    of = terms.get(line["computed_for"])
    says = _SAYS.get(line["what"], line["what"])
    said = says.format(
        computed_for=line["computed_for"],
        held_until=of.held_until.isoformat() if of else "its window",
    )
    if line["amount_minor"] is None:
        return {**line, "says": said}
    digits = (of.deal_digits if of else {}).get(line["currency"], minor_digits(line["currency"]))
    return {**line, "says": said, "amount": files.money(line["amount_minor"], digits)}


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows as plain values, missing as None."""
    whole = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in whole.to_dict("records")]


def _write_finance(
    store: Store,
    place: Path,
    of_period: Books,
    every: Mapping[str, Statement],
    stories: list[dict[str, Any]],
    about: Mapping[str, Any],
) -> Path:
    closed = store.closed_periods().get(of_period.period)
    kept = closed or store.found_periods()[of_period.period]
    until_close = ("proposed", "approved", "closed")
    acts = [act for act in store.acts() if act.period == of_period.period]
    page = {
        **about,
        "acts": [act for act in acts if act.act in until_close],
        "stories": stories,
        "evidence": kept.evidence,
        "balances": [each for each in every.values() if not each.is_team_of_members],
        "checks": tie_out(of_period, every),
    }
    return files.write_private(place / "finance.html", files.finance_page(page))


def write_export(
    store: Store, period: str, folder: Path, exported: Mapping[str, Any]
) -> dict[str, Any]:
    """Write journal, payroll list and tie-out of a closed period; add their names to the result.

    The journal holds every entry of this period and of those before it, so that balances are whole.
    """
    of_period = rewards.books(store, period)
    terms = of_period.terms
    entries = journal.journal(store.ledger(), terms, period)
    place = files.private_folder(files.private_folder(folder) / period)
    digits, currency = terms[period].digits, terms[period].currency
    rows = [
        {**row, "amount": journal.fixed(row["amount_minor"], digits), "currency": currency}
        for row in _plain(entries.assign(posted_at=entries["posted_at"].astype("str")))
    ]
    payroll = [
        {"participant": who, "amount": journal.fixed(minor, digits), "currency": currency}
        for who, minor in exported["payroll"].items()
    ]
    checks = [
        {**check, "is_met": "yes" if check["is_met"] else "NO"} for check in exported["checks"]
    ]
    written = [
        files.write_private(place / "journal.csv", csv_text(_JOURNAL, rows)),
        files.write_private(
            place / "journal.beancount", journal.beancount_text(entries, terms, period)
        ),
        files.write_private(
            place / "payroll.csv", csv_text(("participant", "amount", "currency"), payroll)
        ),
        files.write_private(
            place / "tie-out.csv",
            csv_text(("name", "left_minor", "right_minor", "is_met"), checks),
        ),
    ]
    return {**exported, "folder": str(place), "files": [path.name for path in written]}
