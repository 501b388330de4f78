"""Desired minus current: what should stand on every record, and the writes that are missing.

Desired tables hold one row per vendor record and one column per field of
`agreement/written_fields.csv`, as canonical text; missing is blank. Which record carries a number
is decided here (rules.md, section 6): a `status` field goes to every record of a person, account
or deal; a `sum` field to its survivor in each system and 0 to the others, so that sums in a CRM
are right. A converted lead gets nothing, its contact does.
"""

import hashlib
from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from agreement.frames import (
    Credits,
    Crosswalk,
    DataFrame,
    DealRewards,
    Deals,
    HandoffStatus,
    Holds,
    PathTouches,
    People,
    Touches,
    Writes,
    as_text,
    empty,
)
from agreement.money import amount_texts, minor_digits
from agreement.policy import Agreement
from agreement.privacy import MARK
from agreement.written_fields import Entity, fields_of, vendor_name
from transforms.journeys import account_people

RecordKind = tuple[str, str]
Desired = dict[RecordKind, pd.DataFrame]

_DAY_SECONDS = 86_400
_OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}


def write_plan(
    desired: Mapping[RecordKind, pd.DataFrame],
    current: Mapping[RecordKind, pd.DataFrame],
    prefix: str,
) -> DataFrame[Writes]:
    """Give every field whose desired value differs from what stands there.

    Args:
        desired: per (system, kind), `record_id` and our field names without prefix.
        current: per (system, kind), `record_id` and the vendor's names of our fields, as far as the
            CRM has them. A record or field that is not in it is not written.
        prefix: of our fields in both CRMs.

    One row per record and field, sorted by system, kind, record and field. A blank desired value
    clears the field. Applying the writes and planning again gives none. What is kept of forgotten
    people has no record in a CRM, and no write.
    """
    pieces = [
        _differences(key, desired[key], current[key], prefix)
        for key in sorted(desired.keys() & current.keys())
    ]
    pieces = [piece for piece in pieces if len(piece)]
    if not pieces:
        return Writes.validate(empty(Writes), lazy=True)
    writes = pd.concat(pieces, ignore_index=True)
    writes = writes[~writes["record_id"].str.contains(MARK, regex=False)]
    order = ["system", "kind", "record_id", "field"]
    return Writes.validate(writes.sort_values(order, ignore_index=True), lazy=True)


def is_held(writes: pd.DataFrame, holds: DataFrame[Holds], agreement_version: str) -> pd.Series:
    """Say which writes an undo holds back, by the index of the writes.

    A hold stands while the record shows the restored value, the same value as before the undo is
    wanted, and the agreement is the same: anything else is something new to say.
    """
    standing = holds[holds["agreement"] == agreement_version]
    keys = ["system", "kind", "record_id", "field"]
    found = writes[[*keys, "before", "after"]].merge(
        standing[[*keys, "restored", "undone"]].assign(is_known=True), on=keys, how="left"
    )
    is_known = found["is_known"].eq(other=True).fillna(value=False).astype(bool)
    is_as_left = _is_same(found["before"], found["restored"])
    return (is_known & is_as_left & _is_same(found["after"], found["undone"])).set_axis(
        writes.index
    )


def first_records(writes: DataFrame[Writes], count: int, turn: str) -> DataFrame[Writes]:
    """Keep the writes of `count` records: those never filled before first, then by lot.

    The lot is drawn by record and `turn`, so that the same records do not come first every night,
    and the same turn draws the same lot.
    """
    keys = ["system", "kind", "record_id"]
    records = writes.groupby(keys, as_index=False)["before"].count()
    lot = pd.util.hash_pandas_object(records[keys].assign(turn=turn), index=False)
    records = records.assign(is_filled=records["before"] > 0, lot=lot.to_numpy())
    chosen = records.sort_values(["is_filled", "lot"])[keys].head(count)
    return Writes.validate(writes.merge(chosen, on=keys), lazy=True)


def reverse_plan(
    done: DataFrame[Writes], held: pd.DataFrame, final: Collection[tuple[str, str]], why: str
) -> tuple[DataFrame[Writes], pd.DataFrame]:
    """Take back what a run wrote: the writes that restore what stood there, and what is left alone.

    Left alone: a record that is gone, a field that shows neither what was written nor what stood
    there before (somebody changed it since), one that shows what stood there before already, and a
    field that is never taken back. One row per field with a `reason`, in the order given.

    Args:
        done: the run's writes that arrived, one per record and field.
        held: what the records hold now: `system`, `kind`, `record_id`, `field`, `value`; a record
            that is gone has no rows.
        final: fields (system, field) that are never taken back.
        why: the reason that each write gives.
    """
    places = ["system", "kind", "record_id", "field"]
    now = done.merge(held[[*places, "value"]].assign(is_there=True), on=places, how="left")
    pairs = zip(now["system"], now["field"], strict=True)
    is_final = pd.Series([pair in final for pair in pairs], index=now.index, dtype=bool)
    reasons = pd.Series("changed since", index=now.index, dtype="str")
    reasons = reasons.mask(_is_same(now["value"], now["before"]), "already back")
    reasons = reasons.mask(now["is_there"].isna(), "the record is gone")
    reasons = reasons.mask(is_final, "never taken back")
    is_ours = _is_same(now["value"], now["after"]) & now["is_there"].notna() & ~is_final
    rows = now[is_ours]
    writes = rows.assign(before=rows["after"], after=rows["before"], reason=why)
    writes = writes.assign(reason=as_text(writes["reason"]))[list(Writes.to_schema().columns)]
    left = now.assign(reason=reasons)[~is_ours][[*places, "reason"]]
    checked = Writes.validate(writes.reset_index(drop=True), lazy=True)
    return checked, left.reset_index(drop=True)


def holds_of(writes: DataFrame[Writes], agreement: str, run_id: str) -> DataFrame[Holds]:
    """Hold every field that an undo restores."""
    holds = writes.rename(columns={"before": "undone", "after": "restored"}).assign(
        agreement=as_text(pd.Series(agreement, index=writes.index)),
        run_id=as_text(pd.Series(run_id, index=writes.index)),
    )
    return Holds.validate(holds[list(Holds.to_schema().columns)], lazy=True)


def _differences(
    key: RecordKind, desired: pd.DataFrame, current: pd.DataFrame, prefix: str
) -> pd.DataFrame:
    system, kind = key
    names = {
        name: vendor_name(system, prefix, name) for name in desired.columns if name != "record_id"
    }
    there = {name: field for name, field in names.items() if field in current.columns}
    alive = current
    if "is_deleted" in current.columns:
        alive = current[~current["is_deleted"].astype(bool)]
    both = desired.merge(alive[["record_id", *there.values()]], on="record_id")
    pieces = [_changed(both, name, field) for name, field in there.items()]
    if not pieces:
        return empty(Writes)
    changed = pd.concat(pieces, ignore_index=True)
    reason = f"{kind} field owned by Tandem"
    return changed.assign(
        system=pd.Series(system, index=changed.index, dtype="str"),
        kind=pd.Series(kind, index=changed.index, dtype="str"),
        reason=pd.Series(reason, index=changed.index, dtype="str"),
    )[list(Writes.to_schema().columns)]


def _changed(both: pd.DataFrame, name: str, field: str) -> pd.DataFrame:
    before, after = as_text(both[field]), as_text(both[name])
    is_same = _is_same(before, after)
    rows = both.loc[~is_same, ["record_id"]]
    return rows.assign(
        field=pd.Series(field, index=rows.index, dtype="str"),
        before=before[~is_same],
        after=after[~is_same],
    )


def _is_same(left: pd.Series, right: pd.Series) -> pd.Series:
    return ((left == right) | (left.isna() & right.isna())).fillna(value=False).astype(bool)


# People ------------------------------------------------------------------------------------------


def desired_person(
    crosswalk: DataFrame[Crosswalk],
    people: DataFrame[People],
    touches: DataFrame[Touches],
    status: DataFrame[HandoffStatus],
    shared: DataFrame[Credits],
    deals: DataFrame[Deals],
    agreement: Agreement,
    digits: int,
) -> Desired:
    """Say what every contact and lead should carry about its human.

    Days are of the agreement's zone; amounts are company currency with `digits` decimals.
    """
    zone = agreement.calendar.zone
    known = _span(touches, "person_id", zone)
    known = known.join(_touch_counts(touches), how="outer")
    known = known.join(_latest_handoff(status), how="outer")
    known = known.join(_credit_by_state(shared, deals, "person_id", digits), how="outer")
    records = _records(crosswalk, "person")
    converted = people.loc[people["converted_to"].notna(), ["system", "kind", "record_id"]]
    records = _without(records, converted)
    records = _with_partner(records)
    table = records.join(known, on="entity_id")
    return _by_kind("person", table, agreement.name)


def desired_handoffs(
    crosswalk: DataFrame[Crosswalk], people: DataFrame[People], status: DataFrame[HandoffStatus]
) -> Desired:
    """Say what every record of the people in `status` should carry about their latest handoff.

    Only those fields, in the same words as `desired_person`: what a watch writes between nights.
    """
    records = _records(crosswalk, "person")
    converted = people.loc[people["converted_to"].notna(), ["system", "kind", "record_id"]]
    latest = _latest_handoff(status)
    table = _without(records, converted).join(latest, on="entity_id", how="inner")
    shaped = pd.DataFrame({"record_id": as_text(table["record_id"])})
    for name in latest.columns:
        shaped[name] = as_text(table[name])
    shaped = shaped.set_axis(table.index)
    return {
        (str(system), str(kind)): shaped.loc[rows.index].reset_index(drop=True)
        for (system, kind), rows in table.groupby(["system", "kind"])
    }


def _span(touches: pd.DataFrame, key: str, zone: str) -> pd.DataFrame:
    """Give the first and last touch (channel and day) per key; ties by touch id."""
    ordered = touches.sort_values(["touched_at", "touch_id"])
    ordered = ordered.assign(on=_days(ordered["touched_at"], zone))
    first = ordered.groupby(key)[["channel", "on"]].first()
    last = ordered.groupby(key)[["channel", "on"]].last()
    return pd.DataFrame(
        {
            "first_touch_channel": first["channel"],
            "first_touch_on": first["on"],
            "last_touch_channel": last["channel"],
            "last_touch_on": last["on"],
        }
    )


def _touch_counts(touches: pd.DataFrame) -> pd.DataFrame:
    counts = _wide(touches.assign(count=1), "person_id", "team", "count")
    return pd.DataFrame(
        {f"{team}_touches": _whole(_column(counts, team)) for team in ("marketing", "sales")},
        index=counts.index,
    )


def _latest_handoff(status: DataFrame[HandoffStatus]) -> pd.DataFrame:
    latest = status.sort_values(["started_at", "cycle"]).drop_duplicates("person_id", keep="last")
    return pd.DataFrame(
        {
            "handoff_status": latest["status"].to_numpy(),
            "handoff_due_at": _instants(latest["due_at"]).to_numpy(),
            "lead_answer": latest["answer"].to_numpy(),
            "lead_answer_reason": latest["answer_reason"].to_numpy(),
        },
        index=pd.Index(latest["person_id"]),
    )


def _credit_by_state(
    shared: DataFrame[Credits], deals: DataFrame[Deals], key: str, digits: int
) -> pd.DataFrame:
    """Add up shared credit per key over won and over open deals, as text."""
    rows = shared.merge(deals[["deal_id", "state"]], on="deal_id").dropna(subset=[key])
    sums = _wide(rows, key, "state", "credit_minor")
    return pd.DataFrame(
        {
            f"credit_{state}": amount_texts(_column(sums, state), digits)
            for state in ("won", "open")
        },
        index=sums.index,
    )


def _with_partner(records: pd.DataFrame) -> pd.DataFrame:
    """Add the match and the survivor's id in the other CRM."""
    survivors = records[records["is_survivor"]]
    partner = pd.DataFrame(
        {
            "entity_id": survivors["entity_id"],
            "system": survivors["system"].map(_OTHER),
            "partner_id": survivors["record_id"],
        }
    )
    table = records.merge(partner, on=["entity_id", "system"], how="left")
    match = np.where(table["partner_id"].notna(), "linked: " + table["rule"], "not linked")
    return table.assign(match_status=as_text(match))


# Deals -------------------------------------------------------------------------------------------


def desired_deal(
    crosswalk: DataFrame[Crosswalk],
    deals: DataFrame[Deals],
    paths: DataFrame[PathTouches],
    shared: DataFrame[Credits],
    deal_rewards: DataFrame[DealRewards],
    agreement: Agreement,
    digits: Mapping[str, int],
    company_digits: int,
) -> Desired:
    """Say what every opportunity and its HubSpot copies should carry.

    The three credits are in the deal's own currency and add up to its amount; a lost deal carries
    0. Pool contributions are in company currency, the house's part only inside the whole. A HubSpot
    deal that stands on no opportunity, or on none any more, carries nothing.
    """
    zone = agreement.calendar.zone
    facts = deals.set_index("deal_id")
    known = pd.DataFrame(index=facts.index)
    credit_digits = _digits_of(facts["currency"], digits)
    for team in ("marketing", "sales", "unknown"):
        minor = _deal_credit(shared, team).reindex(facts.index).fillna(0).astype("int64")
        minor = minor.where(facts["state"] != "lost", 0)
        known[f"credit_{team}"] = amount_texts(minor, credit_digits)
    known["credit_model"] = agreement.attribution.shared
    known["agreement_version"] = agreement.name
    span = _span(paths, "deal_id", zone).reindex(facts.index)
    known["first_touch_on"], known["last_touch_on"] = span["first_touch_on"], span["last_touch_on"]
    known["touch_count"] = _whole(paths.groupby("deal_id").size().reindex(facts.index).fillna(0))
    first_at = paths.groupby("deal_id")["touched_at"].min().reindex(facts.index)
    known["days_to_created"] = _days_between(first_at, facts["created_at"])
    known["days_to_won"] = _days_between(facts["created_at"], facts["closed_at"])
    known = known.join(_contributions(deal_rewards, company_digits))
    known["pool_period"] = known["pool_period"].where(facts["state"] == "won")
    records = _records(crosswalk, "deal")
    table = records.join(known, on="entity_id", how="inner")
    desired = _by_kind("deal", table, agreement.name)
    key = ("hubspot", "deal")
    carrying, blank = desired.get(key), _blank_copies(records)
    return desired | {key: blank if carrying is None else pd.concat([carrying, blank])}


def _blank_copies(records: pd.DataFrame) -> pd.DataFrame:
    """Clear every field of the HubSpot deals that no opportunity stands behind."""
    booked = records.loc[records["system"] == "salesforce", "entity_id"]
    alone = records[(records["system"] == "hubspot") & ~records["entity_id"].isin(booked)]
    names = ["record_id", *(field.name for field in fields_of("deal"))]
    return alone.reindex(columns=names).astype("str").reset_index(drop=True)


def _digits_of(currency: pd.Series, digits: Mapping[str, int]) -> pd.Series:
    known = {code: digits.get(code, minor_digits(code)) for code in currency.unique()}
    return currency.map(known).astype("int64")


def _deal_credit(shared: pd.DataFrame, team: str) -> pd.Series:
    return shared[shared["team"] == team].groupby("deal_id")["credit_deal_minor"].sum()


def _contributions(deal_rewards: DataFrame[DealRewards], digits: int) -> pd.DataFrame:
    whole = deal_rewards.groupby("deal_id")["reward_minor"].sum()
    sums = _wide(deal_rewards, "deal_id", "participant", "reward_minor")
    period = deal_rewards.groupby("deal_id")["computed_for"].first()
    return pd.DataFrame(
        {
            "pool_contribution": amount_texts(whole, digits),
            "pool_marketing": amount_texts(_column(sums, "marketing"), digits),
            "pool_sales": amount_texts(_column(sums, "sales"), digits),
            "pool_period": period,
        },
        index=whole.index,
    )


# Accounts ----------------------------------------------------------------------------------------


def desired_account(
    crosswalk: DataFrame[Crosswalk],
    people: DataFrame[People],
    touches: DataFrame[Touches],
    shared: DataFrame[Credits],
    deals: DataFrame[Deals],
    agreement: Agreement,
    digits: int,
) -> Desired:
    """Say what every company and account should carry: credit by team, people, last touch."""
    at_account = account_people(people, crosswalk)
    known = _credit_by_team(shared, deals, digits)
    counts = at_account.groupby("account_id")["person_id"].nunique()
    known = known.join(_whole(counts).rename("people_known"), how="outer")
    reached = touches.drop(columns="account_id").merge(at_account, on="person_id")
    last = _span(reached, "account_id", agreement.calendar.zone)["last_touch_on"]
    known = known.join(last, how="outer")
    table = _records(crosswalk, "account").join(known, on="entity_id")
    return _by_kind("account", table, agreement.name)


def _credit_by_team(shared: pd.DataFrame, deals: pd.DataFrame, digits: int) -> pd.DataFrame:
    rows = shared.merge(deals[["deal_id", "state", "account_id"]], on="deal_id")
    rows = rows.dropna(subset=["account_id"])
    rows = rows.assign(field="credit_" + rows["state"] + "_" + rows["team"])
    sums = _wide(rows, "account_id", "field", "credit_minor")
    fields = [
        f"credit_{state}_{team}" for state in ("won", "open") for team in ("marketing", "sales")
    ]
    return pd.DataFrame(
        {field: amount_texts(_column(sums, field), digits) for field in fields}, index=sums.index
    )


# Campaigns ---------------------------------------------------------------------------------------


def desired_campaign(
    campaigns: pd.DataFrame,
    touches: DataFrame[Touches],
    paths: DataFrame[PathTouches],
    shared: DataFrame[Credits],
    deals: DataFrame[Deals],
    status: DataFrame[HandoffStatus],
    agreement: Agreement,
    digits: int,
) -> Desired:
    """Say what every Salesforce campaign should carry; a campaign without a touch carries zeros.

    Influenced pipeline counts a deal's whole amount for each campaign on its path. The acceptance
    share is over answered handoffs, missing when nobody answered.
    """
    alive = campaigns[~campaigns["is_deleted"].astype(bool)]
    known = pd.DataFrame(index=pd.Index(alive["record_id"], dtype="str"))
    open_deals = deals.loc[deals["state"] == "open", ["deal_id", "company_minor"]]
    on_path = paths[["deal_id", "campaign_id"]].dropna().drop_duplicates()
    influenced = on_path.merge(open_deals, on="deal_id").groupby("campaign_id")["company_minor"]
    known["influenced_open"] = amount_texts(
        influenced.sum().reindex(known.index).fillna(0).astype("int64"), digits
    )
    won = shared[shared["deal_id"].isin(deals.loc[deals["state"] == "won", "deal_id"])]
    credit = won.dropna(subset=["campaign_id"]).groupby("campaign_id")["credit_minor"].sum()
    known["credit_won"] = amount_texts(
        credit.reindex(known.index).fillna(0).astype("int64"), digits
    )
    handed = _handed_over(touches, status)
    known["people_handed_over"] = _whole(handed["people"].reindex(known.index).fillna(0))
    known["acceptance_share"] = handed["share"].reindex(known.index)
    table = known.rename_axis("record_id").reset_index()
    where = {"system": "salesforce", "kind": "campaign", "is_survivor": True}
    return _by_kind("campaign", table.assign(**where), agreement.name)


def _handed_over(touches: pd.DataFrame, status: pd.DataFrame) -> pd.DataFrame:
    latest = status.sort_values(["started_at", "cycle"]).drop_duplicates("person_id", keep="last")
    reached = touches[["campaign_id", "person_id"]].dropna().drop_duplicates()
    rows = reached.merge(latest[["person_id", "answer"]], on="person_id")
    groups = rows.groupby("campaign_id")["answer"]
    answered = groups.count()
    accepted = (rows["answer"] == "accepted").groupby(rows["campaign_id"]).sum()
    permille = (accepted * 1000 // answered.where(answered > 0)).astype("Int64")
    return pd.DataFrame({"people": groups.size(), "share": amount_texts(permille, 3)})


# Shared pieces -----------------------------------------------------------------------------------


def _records(crosswalk: pd.DataFrame, entity: Entity) -> pd.DataFrame:
    columns = ["system", "kind", "record_id", "entity_id", "rule", "is_survivor"]
    return crosswalk.loc[crosswalk["entity"] == entity, columns].reset_index(drop=True)


def _without(records: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    marked = records.merge(others.assign(is_out=True), how="left")
    return marked[marked["is_out"].isna()].drop(columns="is_out").reset_index(drop=True)


def _by_kind(entity: Entity, table: pd.DataFrame, agreement_version: str) -> Desired:
    """Shape one row per record into the desired tables, numbers by their role."""
    fields = [field for field in fields_of(entity) if field.name != "explanation_id"]
    shaped = pd.DataFrame({"record_id": as_text(table["record_id"])})
    for field in fields:
        values = as_text(table[field.name])
        if field.role == "sum":
            values = values.fillna("0").where(table["is_survivor"].astype(bool), "0")
        shaped[field.name] = values
    shaped["explanation_id"] = _explanation_ids(shaped, agreement_version)
    return {
        (str(system), str(kind)): shaped.loc[rows.index].reset_index(drop=True)
        for (system, kind), rows in table.groupby(["system", "kind"])
    }


def _explanation_ids(shaped: pd.DataFrame, agreement_version: str) -> pd.Series:
    """Derive an id from a record's content and the agreement's version: same numbers, same id.

    By a hash whose definition no library's next release changes: else an update would write every
    record anew.
    """
    content = shaped.assign(version=agreement_version).fillna("").to_numpy(dtype=object)
    texts = ("\x1f".join(row).encode() for row in content.tolist())
    return as_text([f"tx-{hashlib.blake2b(text, digest_size=8).hexdigest()}" for text in texts])


def _wide(frame: pd.DataFrame, by: str, column: str, amount: str) -> pd.DataFrame:
    """Add up an amount per key, one column per value of `column`."""
    return frame.pivot_table(
        index=by, columns=column, values=amount, aggfunc="sum", fill_value=0, observed=True
    )


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Give a column of whole numbers, zeros where it does not exist."""
    if name not in frame.columns:
        return pd.Series(0, index=frame.index, dtype="int64")
    return frame[name].fillna(0).astype("int64")


def _whole(counts: pd.Series) -> pd.Series:
    return counts.astype("int64").astype("str")


def _days(moments: pd.Series, zone: str) -> pd.Series:
    return moments.dt.tz_convert(zone).dt.strftime("%Y-%m-%d").astype("str")


def _instants(moments: pd.Series) -> pd.Series:
    text = moments.dt.tz_convert("UTC").dt.floor("ms").dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.astype("str").str.slice(stop=23) + "Z"


def _days_between(start: pd.Series, end: pd.Series) -> pd.Series:
    """Count whole days from start to end, rounded down, as text; missing stays missing."""
    seconds = (end - start).dt.total_seconds()
    days = (seconds // _DAY_SECONDS).astype("Int64")
    return amount_texts(days, 0)
