"""The reward ledger as arithmetic: accounts of a posting, balances, statements, what payroll pays.

Every posting moves one amount from one account to another, so each sums to zero by its shape. A
negative amount swaps the two accounts. Rules: rules.md, section 3.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

import pandas as pd

from agreement.frames import DataFrame, Postings, as_text, empty
from agreement.terms import HOUSE

EARNED = ("pool", "cap_excess", "spiff")

# Component -> (debit, credit); {who} is the participant. What the house receives stays the house's.
_ACCOUNTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "pool": ("expense:pool", "payable:{who}"),
        "pool_held": ("expense:pool_held", "held:{who}"),
        "cap_excess": ("expense:cap_excess", "payable:{who}"),
        "spiff": ("expense:spiff", "payable:{who}"),
        "draw_advance": ("payable:{who}", "cash"),
        "hold_release": ("held:{who}", "payable:{who}"),
        "paid": ("payable:{who}", "cash"),
    }
)


def with_accounts(entries: pd.DataFrame) -> DataFrame[Postings]:
    """Name the accounts that each entry debits and credits.

    Takes `posting_period`, `computed_for`, `participant`, `component` and a signed `reward_minor`,
    one row per posting; keeps rows and order. A component that is not known is a KeyError.

    >>> entry = {"posting_period": "2027-Q1", "computed_for": "2027-Q1", "participant": "kim"}
    >>> rows = with_accounts(pd.DataFrame([{**entry, "component": "pool", "reward_minor": -5}]))
    >>> rows.loc[0, ["debit", "credit"]].tolist()
    ['payable:kim', 'expense:pool']
    """
    if entries.empty:
        return Postings.validate(empty(Postings), lazy=True)
    sides = [_side(entries, place) for place in (0, 1)]
    is_back = entries["reward_minor"] < 0
    return Postings.validate(
        entries.assign(
            debit=sides[0].where(~is_back, sides[1]), credit=sides[1].where(~is_back, sides[0])
        ).reset_index(drop=True)[list(Postings.to_schema().columns)],
        lazy=True,
    )


def _side(entries: pd.DataFrame, place: int) -> pd.Series:
    """Fill in one side's account, each distinct pair of component and participant once."""
    pairs = entries[["component", "participant"]].drop_duplicates()
    names = [
        _account(_ACCOUNTS[component][place], who)
        for component, who in zip(pairs["component"], pairs["participant"], strict=True)
    ]
    named = entries[["component", "participant"]].merge(
        pairs.assign(account=as_text(names).to_numpy()), how="left"
    )
    return pd.Series(named["account"].to_numpy(), index=entries.index, dtype="str")


def _account(pattern: str, who: str) -> str:
    """Fill in the participant; what is owed to the house stands in its own account."""
    return HOUSE if who == HOUSE and pattern.startswith("payable:") else pattern.format(who=who)


def account_balances(postings: DataFrame[Postings]) -> pd.Series:
    """Give each account's balance (credits minus debits) in minor units, by account name."""
    amount = postings["reward_minor"].abs()
    account = pd.concat([postings["credit"], postings["debit"]], ignore_index=True)
    signed = pd.concat([amount, -amount], ignore_index=True)
    return signed.groupby(account).sum().astype("int64").sort_index()


def payables(postings: DataFrame[Postings]) -> dict[str, int]:
    """Give what is owed to each participant, the house included, by id; below zero: owed back."""
    accounts = account_balances(postings)
    owed = _by_participant(accounts, "payable:")
    return dict(
        sorted((owed | ({HOUSE: int(accounts[HOUSE])} if HOUSE in accounts else {})).items())
    )


def held(postings: DataFrame[Postings]) -> dict[str, int]:
    """Give what is held back for each participant until its window ends, by id."""
    return _by_participant(account_balances(postings), "held:")


def _by_participant(accounts: pd.Series, prefix: str) -> dict[str, int]:
    return {
        str(name).removeprefix(prefix): int(minor)
        for name, minor in accounts.items()
        if str(name).startswith(prefix)
    }


def payroll_due(postings: DataFrame[Postings], posting_period: str) -> DataFrame[Postings]:
    """Give the `paid` postings that settle every positive balance; the house is never paid."""
    due = {who: owed for who, owed in payables(postings).items() if owed > 0 and who != HOUSE}
    if not due:
        return Postings.validate(empty(Postings), lazy=True)
    entries = pd.DataFrame({"participant": as_text(list(due)), "reward_minor": list(due.values())})
    period = pd.Series(posting_period, index=entries.index, dtype="str")
    component = pd.Series("paid", index=entries.index, dtype="str")
    return with_accounts(
        entries.assign(posting_period=period, computed_for=period, component=component)
    )


def releases_due(
    postings: DataFrame[Postings], computed_for: Collection[str], posting_period: str
) -> DataFrame[Postings]:
    """Give the postings that release what is still held for these computed periods.

    One per period and participant, in that order. What a correction took back after an earlier
    release is released too, below zero.
    """
    rows = postings[
        postings["computed_for"].isin(list(computed_for))
        & postings["component"].isin(["pool_held", "hold_release"])
    ]
    signed = rows["reward_minor"].where(rows["component"] == "pool_held", -rows["reward_minor"])
    keys = ["computed_for", "participant"]
    left = rows.assign(reward_minor=signed).groupby(keys, as_index=False)["reward_minor"].sum()
    return _events(left[left["reward_minor"] != 0], "hold_release", posting_period)


def payments_due(
    postings: DataFrame[Postings], period: str, posting_period: str
) -> DataFrame[Postings]:
    """Give the `paid` postings that settle a closed period, by participant, but never the house.

    What was owed at its end, less what was paid since for earlier periods; never below zero. What
    has accrued after the period's end is not touched: nobody has approved it yet.
    """
    until = Postings.validate(postings[postings["posting_period"] <= period], lazy=True)
    since = postings[(postings["posting_period"] > period) & (postings["component"] == "paid")]
    paid = since.groupby("participant")["reward_minor"].sum()
    due = {who: owed - int(paid.get(who, 0)) for who, owed in payables(until).items()}
    some = {who: minor for who, minor in due.items() if minor > 0 and who != HOUSE}
    entries = pd.DataFrame(
        {
            "participant": as_text(list(some)),
            "reward_minor": pd.Series(list(some.values()), dtype="int64"),
        }
    )
    return _events(entries.assign(computed_for=period), "paid", posting_period)


def advance(participant: str, minor: int, posting_period: str) -> DataFrame[Postings]:
    """Give the posting that advances minor units to somebody, in a period and for it."""
    entry = {"participant": participant, "reward_minor": minor, "computed_for": posting_period}
    return _events(pd.DataFrame([entry]), "draw_advance", posting_period)


def _events(entries: pd.DataFrame, component: str, posting_period: str) -> DataFrame[Postings]:
    """Make postings of one component; none out of none."""
    texts = entries.reset_index(drop=True).assign(
        component=component, posting_period=posting_period
    )
    names = ["computed_for", "participant", "component", "posting_period"]
    return with_accounts(texts.astype(dict.fromkeys(names, "str")))


def statement(postings: DataFrame[Postings], posting_period: str) -> pd.DataFrame:
    """Add up one posting period per participant: earned, held, released, paid or advanced.

    Indexed by participant in order; whole minor units; a participant without a posting is absent.
    """
    rows = postings[postings["posting_period"] == posting_period]
    groups = {
        "earned": EARNED,
        "held": ("pool_held",),
        "released": ("hold_release",),
        "paid_or_advanced": ("paid", "draw_advance"),
    }
    columns = {
        name: rows["reward_minor"].where(rows["component"].isin(parts), 0)
        for name, parts in groups.items()
    }
    return pd.DataFrame(columns).groupby(rows["participant"]).sum().astype("int64").sort_index()
