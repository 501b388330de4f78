"""Touches: which acts of both teams count, and why the others do not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agreement.frames import (
    Activities,
    Crosswalk,
    DataFrame,
    People,
    SetAside,
    Touches,
    as_text,
    lookup,
)
from agreement.policy import TouchFilters, TouchRule
from transforms.journeys import account_people, entity_ids

Whole = NDArray[np.int64]


def touches(
    activities: DataFrame[Activities],
    crosswalk: DataFrame[Crosswalk],
    rules: Sequence[TouchRule],
    now: datetime,
    filters: TouchFilters,
    zone: str,
) -> tuple[DataFrame[Touches], DataFrame[SetAside]]:
    """Pick the acts that the agreement's positive list counts, and say why the others do not.

    Both with one row per act and person, by time, evidence and person: an act on two records of one
    person is one touch. What lies after `now` and acts of records that belong to no known person
    are in neither. The first rule that fits decides. `zone` decides what a day is.
    """
    judged = _judged(activities, crosswalk, rules, now, filters, zone)
    is_touch = judged["reason"].isna()
    none = pd.Series(None, index=judged.index, dtype="str")
    counted = judged.assign(account_id=none)[is_touch][list(Touches.to_schema().columns)]
    others = judged[~is_touch][list(SetAside.to_schema().columns)]
    return (
        Touches.validate(counted.reset_index(drop=True), lazy=True),
        SetAside.validate(others.reset_index(drop=True), lazy=True),
    )


def _judged(
    activities: pd.DataFrame,
    crosswalk: pd.DataFrame,
    rules: Sequence[TouchRule],
    now: datetime,
    filters: TouchFilters,
    zone: str,
) -> pd.DataFrame:
    """Give the acts of known people, each once, with channel and team, and why it is no touch."""
    keys = ["system", "person_kind", "person_record_id"]
    acts = activities.assign(person_id=entity_ids(crosswalk, "person", activities[keys]))
    acts = acts[acts["person_id"].notna() & (acts["at"] <= now)].reset_index(drop=True)
    acts = acts.assign(activity=_with_replies(acts, filters.sales_thread_days))
    rule = _rule_of(acts, rules)
    reason = pd.Series(None, index=acts.index, dtype="str")
    reason = reason.mask(rule < 0, "not_listed").mask(~acts["is_done"], "not_done")
    is_click = acts["activity"] == "click"
    reason = reason.mask(acts["is_automatic"], is_click.map({True: "scanner", False: "machine"}))
    frame = pd.DataFrame(
        {
            "touch_id": acts["evidence_id"],
            "person_id": acts["person_id"],
            "touched_at": acts["at"],
            "activity": acts["activity"].astype("str"),
            "channel": as_text([rules[at].channel if at >= 0 else None for at in rule]),
            "team": as_text([rules[at].team if at >= 0 else None for at in rule]),
            "campaign_id": acts["campaign_id"],
            "reason": reason.astype("str"),
        }
    )
    # Of an act on several records the one that counts is kept.
    order = ["touched_at", "touch_id", "person_id", "reason", "channel", "team"]
    ordered = frame.sort_values(order, na_position="first")
    once = ordered.drop_duplicates(["touch_id", "person_id"]).reset_index(drop=True)
    is_repeat = _is_repeat(once, zone) & filters.is_daily
    return once.assign(reason=once["reason"].mask(is_repeat, "repeat"))


def _with_replies(acts: pd.DataFrame, sales_thread_days: int) -> pd.Series:
    """Call an incoming e-mail a reply to marketing, unless sales wrote to the person before it."""
    is_email = acts["activity"] == "email"
    incoming = acts[is_email & (acts["direction"] == "inbound")]
    by_sales = is_email & (acts["direction"] == "outbound") & acts["is_done"]
    written = acts.loc[by_sales & ~acts["is_automatic"], ["person_id", "at"]]
    before = pd.merge_asof(
        incoming[["person_id", "at"]].reset_index().sort_values("at"),
        written.assign(written_at=written["at"]).sort_values("at"),
        on="at",
        by="person_id",
        tolerance=timedelta(days=sales_thread_days),
    )
    replies = before.loc[before["written_at"].isna(), "index"]
    return acts["activity"].mask(acts.index.isin(replies), "reply")


def _is_repeat(acts: pd.DataFrame, zone: str) -> pd.Series:
    """Tell further touches of one person, channel, team and campaign on one day of a zone."""
    counted = acts[acts["reason"].isna()]
    day = counted["touched_at"].dt.tz_convert(zone).dt.strftime("%Y-%m-%d")
    key = ["person_id", "channel", "team", "campaign_id"]
    again = counted[key].assign(day=day).duplicated()
    return again.reindex(acts.index, fill_value=False)


def with_account_ids(
    touches: DataFrame[Touches], people: DataFrame[People], crosswalk: DataFrame[Crosswalk]
) -> DataFrame[Touches]:
    """Add the account of each touch's person; of several the smallest id. Rows and order stay."""
    rows = account_people(people, crosswalk)
    first = rows.groupby("person_id")["account_id"].min()
    known = touches.assign(account_id=lookup(touches["person_id"], first).astype("str"))
    return Touches.validate(known, lazy=True)


def _rule_of(activities: pd.DataFrame, rules: Sequence[TouchRule]) -> Whole:
    """Give the number of the first rule that fits each act; -1 where none does."""
    found = np.full(len(activities), -1, dtype=np.int64)
    for number, rule in enumerate(rules):
        fits = activities["activity"] == rule.activity
        for column, allowed in (
            ("direction", rule.direction),
            ("outcome", rule.outcome),
            ("status", rule.status),
        ):
            if allowed:
                words = [word.lower() for word in allowed]
                fits &= activities[column].str.lower().isin(words)
        if rule.title:
            starts = tuple(words.lower() for words in rule.title)
            fits &= activities["title"].str.lower().str.startswith(starts).fillna(value=False)
        found[(found < 0) & fits.to_numpy(dtype=bool)] = number
    return found
