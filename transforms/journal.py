"""The ledger as an accountant reads it: a journal of double entries, and as beancount text.

An entry is dated inside the period it was posted into: on the day it was posted, else the nearest
day of the period. So balances at the end of a period are those of its statements.
"""

import hashlib
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from agreement.frames import lookup
from agreement.terms import Terms

_ACCOUNTS = {
    "cash": "Assets:Cash",
    "house": "Liabilities:House",
    "expense": "Expenses:Rewards",
    "payable": "Liabilities:Payable",
    "held": "Liabilities:Held",
}
_PLAIN = re.compile(r"(?!x-)[a-z][a-z0-9-]*")
_LEAF = {"pool": "Pool", "pool_held": "Held", "cap_excess": "Caps", "spiff": "Spiffs"}


def journal(ledger: pd.DataFrame, terms: Mapping[str, Terms], through: str) -> pd.DataFrame:
    """Give the entries of every period up to one: `on`, the ledger's columns, `amount_minor`.

    In the ledger's order; `amount_minor` is what the debit account receives, never negative.
    """
    rows = ledger[ledger["posting_period"] <= through].reset_index(drop=True)
    posted_on = rows["posted_at"].dt.strftime("%Y-%m-%d").astype("str")
    days = {name: (each.first.isoformat(), each.last.isoformat()) for name, each in terms.items()}
    first, last = (
        lookup(rows["posting_period"], pd.Series({name: pair[side] for name, pair in days.items()}))
        for side in (0, 1)
    )
    on = posted_on.mask(posted_on < first, first).mask(posted_on > last, last)
    return rows.assign(on=on, amount_minor=rows["reward_minor"].abs())


def account_name(account: str) -> str:
    """Spell an account as beancount allows; an id that it does not is shown by its hash.

    >>> account_name("payable:kim"), account_name("expense:pool"), account_name("cash")
    ('Liabilities:Payable:Kim', 'Expenses:Rewards:Pool', 'Assets:Cash')
    >>> account_name("held:Kim Müller").startswith("Liabilities:Held:X-")
    True
    """
    kind, _, who = account.partition(":")
    if not who:
        return _ACCOUNTS[kind]
    if kind == "expense":
        return f"{_ACCOUNTS[kind]}:{_LEAF[who]}"
    if _PLAIN.fullmatch(who):
        return f"{_ACCOUNTS[kind]}:{who[0].upper()}{who[1:]}"
    return f"{_ACCOUNTS[kind]}:X-{hashlib.sha256(who.encode()).hexdigest()[:16]}"


def beancount_text(entries: pd.DataFrame, terms: Mapping[str, Terms], through: str) -> str:
    """Write a journal as beancount text, with each account's balance at the end of each period.

    `bean-check` then proves that opening + changes = closing. Amounts are in company currency.
    """
    currency, digits = terms[through].currency, terms[through].digits
    periods = [name for name in sorted(terms) if name <= through]
    opened = terms[periods[0]].first.isoformat()
    accounts = sorted({*entries["debit"], *entries["credit"]})
    return "\n".join(
        [
            'option "title" "Tandem rewards"',
            f'option "operating_currency" "{currency}"',
            "",
            *(f"{opened} open {account_name(each)} {currency}" for each in accounts),
            "",
            *_transactions(entries, currency, digits),
            *_balances(entries, terms, periods, currency, digits),
            "",
        ]
    )


def _transactions(entries: pd.DataFrame, currency: str, digits: int) -> list[str]:
    names = {each: account_name(each) for each in {*entries["debit"], *entries["credit"]}}
    columns = ("on", "entry", "component", "computed_for", "debit", "credit", "amount_minor",
               "agreement_version", "entry_hash")  # fmt: skip
    rows = zip(*(entries[name].tolist() for name in columns), strict=True)
    return [
        f'{on} * "{component}" "for {computed_for}"\n'
        f"  entry: {entry}\n"
        f"  agreement: {_quoted(version)}\n"
        f'  hash: "{digest}"\n'
        f"  {names[debit]}  {fixed(minor, digits)} {currency}\n"
        f"  {names[credit]}  {fixed(-minor, digits)} {currency}\n"
        for on, entry, component, computed_for, debit, credit, minor, version, digest in rows
    ]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def fixed(minor: int, digits: int) -> str:
    """Write minor units with all decimals of the currency.

    >>> fixed(-5, 2), fixed(700, 0), fixed(125050, 3)
    ('-0.05', '700', '125.050')
    """
    whole, part = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}" + (f".{part:0{digits}d}" if digits else "")


def _balances(
    entries: pd.DataFrame,
    terms: Mapping[str, Terms],
    periods: list[str],
    currency: str,
    digits: int,
) -> list[str]:
    """Assert every account's balance on the day after each period; debits are positive.

    `~ 0` makes beancount check the last digit too, which it would let pass otherwise.
    """
    account = pd.concat([entries["debit"], entries["credit"]], ignore_index=True)
    sign = np.repeat([1, -1], len(entries))
    signed = pd.concat([entries["amount_minor"]] * 2, ignore_index=True) * sign
    period = pd.concat([entries["posting_period"]] * 2, ignore_index=True)
    lines = []
    for name in periods:
        day = pd.Timestamp(terms[name].last) + pd.Timedelta(days=1)
        sums = signed[period <= name].groupby(account[period <= name]).sum()
        lines += [
            f"{day:%Y-%m-%d} balance {account_name(str(each))}  "
            f"{fixed(int(minor), digits)} ~ 0 {currency}"
            for each, minor in sums.items()
        ]
    return lines
