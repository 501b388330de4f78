"""Journeys: the deals, who is on them, and which touch belongs to which deal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.frames import (
    Crosswalk,
    DataFrame,
    DealPeople,
    DealRecords,
    Deals,
    Memberships,
    PathTouches,
    People,
    Rates,
    Rejects,
    StageChanges,
    Touches,
    as_utc,
    lookup,
)
from agreement.money import exact_number, minor_digits
from agreement.periods import period_of_day
from agreement.policy import Calendar

Whole = NDArray[np.int64]

_BY_SALESFORCE = ("salesforce", "opportunity")
_INT64_MAX = int(np.iinfo(np.int64).max)
_TOUCHES_AT_ONCE = 1 << 19


def entity_ids(crosswalk: pd.DataFrame, entity: str, keys: pd.DataFrame) -> pd.Series:
    """Give our id of each vendor record named by system, kind and record id; else missing."""
    known = crosswalk[crosswalk["entity"] == entity]
    ids = pd.Series(
        known["entity_id"].to_numpy(),
        index=pd.MultiIndex.from_frame(known[["system", "kind", "record_id"]]),
        dtype="str",
    )
    wanted = pd.MultiIndex.from_frame(keys, names=["system", "kind", "record_id"])
    return pd.Series(ids.reindex(wanted).to_numpy(), index=keys.index, dtype="str")


# Deals -------------------------------------------------------------------------------------------


def deals(
    deal_records: DataFrame[DealRecords],
    crosswalk: DataFrame[Crosswalk],
    rates: DataFrame[Rates],
    digits: Mapping[str, int],
    company_currency: str,
    stage_changes: DataFrame[StageChanges],
    calendar: Calendar,
    now: datetime,
) -> tuple[DataFrame[Deals], DataFrame[Rejects]]:
    """Read our deals out of Salesforce's opportunities (rules.md 6), exact in both currencies.

    One row per opportunity, by record id. A blank amount counts 0 and is marked. Company amounts
    are at the latest rate from on or before the close date; an open deal's at that of the UTC day
    of `now`. A deal without a rate, or whose amount or close date is no such thing, is a row of the
    rejects. `lead_created_at` is still missing: `with_lead_dates` knows the people.
    """
    is_ours = (deal_records["system"] == "salesforce") & (deal_records["kind"] == "opportunity")
    ours = deal_records[is_ours].sort_values("record_id", ignore_index=True)
    currency = ours["currency"].fillna(company_currency)
    state = _state(ours)
    rate_day = ours["closed_on"].where(state != "open", f"{now:%Y-%m-%d}")
    rate = rate_on(rates, currency, rate_day, company_currency)
    money = minor_amounts(ours["amount"], currency, rate, digits, company_currency)
    reason = _reject_reason(ours, money, currency, rate_day, rate)
    won_at = _won_at(ours, stage_changes, calendar).where(state == "won")
    frame = pd.DataFrame(
        {
            "deal_id": entity_ids(crosswalk, "deal", ours[["system", "kind", "record_id"]]),
            "record_id": ours["record_id"],
            "account_id": entity_ids(
                crosswalk,
                "account",
                ours[["system", "kind", "account_record_id"]].assign(kind="account"),
            ),
            "state": state,
            "currency": currency,
            "amount_minor": money["amount_minor"],
            "company_minor": money["company_minor"],
            "is_blank": ours["amount"].isna(),
            "created_at": ours["created_at"],
            "lead_created_at": as_utc([None] * len(ours)),
            "closed_on": ours["closed_on"],
            "closed_at": won_at,
            "credited_at": won_at.mask(state == "open", pd.Timestamp(now)),
            "period": _periods(ours["closed_on"], calendar),
        }
    )
    reason = reason.mask(reason.isna() & frame["deal_id"].isna(), "it is in no crosswalk")
    kept = frame[reason.isna()].astype({"amount_minor": "int64", "company_minor": "int64"})
    return (
        Deals.validate(kept.reset_index(drop=True), lazy=True),
        _rejects(ours["record_id"], reason),
    )


def _state(records: pd.DataFrame) -> pd.Series:
    closed = pd.Series("lost", index=records.index, dtype="str").mask(records["is_won"], "won")
    return closed.where(records["is_closed"] | records["is_won"], "open")


def rate_on(
    rates: pd.DataFrame, currency: pd.Series, day: pd.Series, company_currency: str
) -> pd.Series:
    """Give the rate of each currency with the latest start on or before a day, as text."""
    ordered = rates.sort_values(["currency", "starts_on"], ignore_index=True)
    # Codes have three letters and dates ten: joined, they sort by currency and then by day.
    starts = (ordered["currency"] + " " + ordered["starts_on"]).to_numpy(dtype=object)
    wanted = (currency + " " + day.fillna("")).to_numpy(dtype=object)
    place = np.searchsorted(starts, wanted, side="right") - 1
    found = ordered.reindex(pd.Index(place)).set_axis(currency.index)
    rate = found["rate"].where(found["currency"] == currency)
    return rate.mask(currency == company_currency, "1").astype("str")


def minor_amounts(
    amount: pd.Series,
    currency: pd.Series,
    rate: pd.Series,
    digits: Mapping[str, int],
    company_currency: str,
) -> pd.DataFrame:
    """Turn amounts into minor units of both currencies, each rounded once; else missing."""
    money = pd.DataFrame({"amount": amount.fillna("0"), "currency": currency, "rate": rate})
    distinct = money.drop_duplicates().reset_index(drop=True)
    known = dict(digits)
    minors = [
        (
            _minor(text, "1", known.get(code, minor_digits(code))),
            _minor(text, per_unit, known.get(company_currency, minor_digits(company_currency))),
        )
        for text, code, per_unit in distinct.to_numpy(dtype=object).tolist()
    ]
    whole = pd.DataFrame(minors, columns=["amount_minor", "company_minor"]).astype("Int64")
    found = money.merge(distinct.join(whole), how="left", on=["amount", "currency", "rate"])
    return found[["amount_minor", "company_minor"]].set_axis(amount.index)


def _minor(text: object, rate: object, digits: int) -> int | None:
    if not isinstance(text, str) or not isinstance(rate, str):
        return None
    try:
        per_unit = exact_number(rate)
        minor = round(exact_number(text) * int(10**digits) / per_unit) if per_unit > 0 else None
    except ValueError:
        return None
    return minor if minor is not None and abs(minor) <= _INT64_MAX else None


def _reject_reason(
    records: pd.DataFrame,
    money: pd.DataFrame,
    currency: pd.Series,
    day: pd.Series,
    rate: pd.Series,
) -> pd.Series:
    """Say why a deal cannot be used; missing where it can."""
    reason = pd.Series(None, index=records.index, dtype="str")
    no_day = pd.to_datetime(records["closed_on"], format="%Y-%m-%d", errors="coerce").isna()
    no_rate = rate.isna() & ~no_day
    no_money = money.isna().any(axis=1) & ~no_rate & ~no_day
    reason = reason.mask(no_money, "its amount or rate is no number of a sensible size")
    reason = reason.mask(no_rate, "no rate for " + currency + " on " + day)
    return reason.mask(no_day, "it has no close date")


def _rejects(record_id: pd.Series, reason: pd.Series) -> DataFrame[Rejects]:
    bad = reason.notna()
    frame = pd.DataFrame(
        {
            "stage": "deals",
            "system": "salesforce",
            "record_id": record_id[bad],
            "reason": reason[bad],
        }
    )
    return Rejects.validate(frame.reset_index(drop=True).astype("str"), lazy=True)


def _won_at(records: pd.DataFrame, stage_changes: pd.DataFrame, calendar: Calendar) -> pd.Series:
    """Give the last change to the stage a deal stands in, else the end of its close date."""
    stages = stage_changes[
        (stage_changes["system"] == "salesforce")
        & (stage_changes["kind"] == "opportunity")
        & (stage_changes["field"] == "stage")
    ]
    current = stages.merge(records[["record_id", "stage"]], on="record_id")
    changed = current[current["value"] == current["stage"]].groupby("record_id")["changed_at"].max()
    end_of_day = _end_of_day(records["closed_on"], calendar)
    return lookup(records["record_id"], changed).fillna(end_of_day)


def _end_of_day(days: pd.Series, calendar: Calendar) -> pd.Series:
    day = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")
    midnight = (day + timedelta(days=1)).dt.tz_localize(
        calendar.zone, ambiguous=True, nonexistent="shift_forward"
    )
    return as_utc(midnight)


def _periods(days: pd.Series, calendar: Calendar) -> pd.Series:
    """Name the period of each day; missing where it is none."""
    dates = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")
    distinct = dates.dropna().unique()
    names = [period_of_day(day.date(), calendar) for day in distinct]
    return lookup(dates, pd.Series(names, index=pd.Index(distinct), dtype="str"))


# People and paths --------------------------------------------------------------------------------


def deal_people(
    memberships: DataFrame[Memberships],
    crosswalk: DataFrame[Crosswalk],
    deals: DataFrame[Deals],
    people: DataFrame[People],
    touches: DataFrame[Touches],
    window_days: int | None = None,
) -> DataFrame[DealPeople]:
    """Say who is on each deal: contact roles, HubSpot associations, and where both are missing all.

    That is: all people of the account with a touch inside the deal's window, marked `inferred`. One
    row per deal and person, by deal and person; a role is said before an association.
    """
    named = _named_people(memberships, crosswalk, deals)
    bare = deals[~deals["deal_id"].isin(named["deal_id"])]
    of_account = bare[["deal_id", "account_id"]].merge(account_people(people, crosswalk))
    active = inside_window(
        of_account.merge(touches, on="person_id"), bare.set_index("deal_id"), window_days
    )
    inferred = active[["deal_id", "person_id"]].drop_duplicates().assign(how="inferred")
    every = pd.concat([named, inferred]).sort_values(["deal_id", "person_id"], ignore_index=True)
    return DealPeople.validate(every[["deal_id", "person_id", "how"]].astype("str"), lazy=True)


def _named_people(
    memberships: pd.DataFrame, crosswalk: pd.DataFrame, deals: pd.DataFrame
) -> pd.DataFrame:
    kind = memberships["system"].map({"salesforce": "opportunity", "hubspot": "deal"})
    keys = memberships.assign(kind=kind)
    rows = pd.DataFrame(
        {
            "deal_id": entity_ids(crosswalk, "deal", keys[["system", "kind", "deal_record_id"]]),
            "person_id": entity_ids(
                crosswalk, "person", keys[["system", "person_kind", "person_record_id"]]
            ),
            "how": memberships["system"].map({"salesforce": "role", "hubspot": "association"}),
        }
    ).dropna()
    rows = rows[rows["deal_id"].isin(deals["deal_id"])]
    # "role" sorts after "association": the surer source is kept.
    return rows.sort_values(["deal_id", "person_id", "how"]).drop_duplicates(
        ["deal_id", "person_id"], keep="last"
    )


def account_people(people: pd.DataFrame, crosswalk: pd.DataFrame) -> pd.DataFrame:
    """List the people of each account: `account_id`, `person_id`, each pair once."""
    kind = people["system"].map({"salesforce": "account", "hubspot": "company"})
    keys = people.assign(account_kind=kind)
    rows = pd.DataFrame(
        {
            "account_id": entity_ids(
                crosswalk, "account", keys[["system", "account_kind", "account_record_id"]]
            ),
            "person_id": entity_ids(crosswalk, "person", keys[["system", "kind", "record_id"]]),
        }
    )
    return rows.dropna().drop_duplicates()


def with_lead_dates(
    deals: DataFrame[Deals],
    deal_people: DataFrame[DealPeople],
    people: DataFrame[People],
    crosswalk: DataFrame[Crosswalk],
) -> DataFrame[Deals]:
    """Add when the buyer was first a lead: the earliest Salesforce lead of anybody on the deal.

    Missing where nobody on it was ever a lead. Rows and order stay.
    """
    leads = people[(people["system"] == "salesforce") & (people["kind"] == "lead")]
    person_id = entity_ids(crosswalk, "person", leads[["system", "kind", "record_id"]])
    first = leads["created_at"].groupby(person_id).min()
    since = deal_people.assign(lead_at=lookup(deal_people["person_id"], first))
    earliest = since.groupby("deal_id")["lead_at"].min()
    dated = deals.assign(lead_created_at=lookup(deals["deal_id"], earliest))
    return Deals.validate(dated, lazy=True)


def paths(
    touches: DataFrame[Touches],
    deal_people: DataFrame[DealPeople],
    deals: DataFrame[Deals],
    window_days: int | None,
) -> DataFrame[PathTouches]:
    """Lay each deal's path: the touches of its people inside the window up to its close (A1 to A3).

    One row per deal and touch; deals in the given order, touches by time and then by id. A touch
    that several people of a deal share is on the path once, with the person of the smallest id. A
    lost deal has no path.
    """
    credited = deals[deals["credited_at"].notna()].reset_index(drop=True)
    rows = deal_people.merge(touches, on="person_id")
    place = pd.Series(credited.index, index=pd.Index(credited["deal_id"]))
    rows = rows[rows["deal_id"].isin(credited["deal_id"])].sort_values(
        ["touched_at", "touch_id", "person_id"], ignore_index=True
    )
    rows = rows.assign(place=lookup(rows["deal_id"], place))
    kept = path_order(rows["place"], rows["touched_at"], rows["touch_id"])
    ordered = rows.iloc[kept].reset_index(drop=True)
    inside = inside_window(ordered, credited.set_index("deal_id"), window_days)
    columns = list(PathTouches.to_schema().columns)
    return PathTouches.validate(inside[columns].reset_index(drop=True), lazy=True)


def narrowed(
    paths: DataFrame[PathTouches], deals: DataFrame[Deals], window_days: int | None
) -> DataFrame[PathTouches]:
    """Keep the touches of paths that lie in a narrower window; order stays."""
    inside = inside_window(paths, deals.set_index("deal_id"), window_days)
    return PathTouches.validate(inside.reset_index(drop=True), lazy=True)


def lost_deals(deals: DataFrame[Deals], calendar: Calendar) -> DataFrame[Deals]:
    """Give the lost deals with an end of their window, so that they have a path.

    That is the end of the close date in the company's zone. It is there to compare with
    won deals: a lost deal has no credit.
    """
    lost = deals[deals["state"] == "lost"].reset_index(drop=True)
    ended = lost.assign(credited_at=_end_of_day(lost["closed_on"], calendar))
    return Deals.validate(ended, lazy=True)


def inside_window(rows: pd.DataFrame, deals: pd.DataFrame, window_days: int | None) -> pd.DataFrame:
    """Keep touches (`deal_id`, `touched_at`) up to a deal's `credited_at`, both ends inside (A1).

    `deals` is indexed by deal id. The window is a number of days of 86,400 seconds; None is no
    beginning.
    """
    end = lookup(rows["deal_id"], deals["credited_at"])
    inside = rows["touched_at"] <= end
    if window_days is not None:
        inside &= rows["touched_at"] >= end - timedelta(days=window_days)
    return rows[inside]


def path_order(deal: pd.Series, at: pd.Series, touch_id: pd.Series, *further: pd.Series) -> Whole:
    """Give the positions of touches by deal, time and id as text; each id of a deal once (A2, A3).

    The same id twice counts at its earliest time; at equal times the row counts that is smaller in
    `further` columns, else the earlier one. Deals are numbers, whose order is kept.
    """
    deals, instants = deal.to_numpy(dtype=np.int64), at.astype("int64").to_numpy()
    order = np.lexsort((instants, deals))
    order = _settle_ties(order, deals, instants, (touch_id, *further))
    kept = [order[:0]]
    for rows in _by_whole_deals(deals[order]):
        ids = pd.factorize(touch_id.iloc[order[rows]])[0]
        keys = pd.DataFrame({"deal": deals[order[rows]], "touch": ids})
        kept.append(order[rows][~keys.duplicated().to_numpy()])
    return np.concatenate(kept)


def _by_whole_deals(deals: Whole) -> Iterator[slice]:
    """Cut sorted deals into pieces, since looking for repeats takes memory for every id at hand."""
    start = 0
    while start < len(deals):
        last = deals[min(start + _TOUCHES_AT_ONCE, len(deals)) - 1]
        end = int(np.searchsorted(deals, last, side="right"))
        yield slice(start, end)
        start = end


def _settle_ties(order: Whole, deals: Whole, instants: Whole, texts: Sequence[pd.Series]) -> Whole:
    """Sort touches of one deal and instant by their texts; only these are compared as text."""
    same = (deals[order][1:] == deals[order][:-1]) & (instants[order][1:] == instants[order][:-1])
    is_tied = np.r_[False, same] | np.r_[same, False] if len(order) else np.zeros(0, dtype=bool)
    tied = order[is_tied]
    codes = [pd.factorize(text.iloc[tied].astype("str"), sort=True)[0] for text in texts]
    order[is_tied] = tied[np.lexsort((*reversed(codes), instants[tied], deals[tied]))]
    return order
