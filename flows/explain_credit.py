"""Explain a credit: the path of each deal, every touch's weight per model, and why it is in or out.

Reads the store only.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from agreement.policy import Agreement
from connectors.store import Store
from transforms import normalise

# Why an act is no touch, as a person reads it.
_REASONS = {
    "machine": "a machine's doing",
    "scanner": "a click that a security scanner or our own traffic made",
    "not_done": "not done: planned, missed or without a response",
    "not_listed": "not on the agreement's list of touches",
    "repeat": "a repeat: that day's first one counts",
}


def explain_credit(
    store: Store, agreement: Agreement, entity: str, entity_id: str
) -> dict[str, Any]:
    """Give the paths behind a person's, deal's, account's or campaign's credit.

    `path` has one row per deal and touch in the order of the path, with the shared model's credit
    and the weight under every model; `out` the acts of the people on these deals that are not on
    their path, and why; `deals` their dates and amounts; `lines` how won credit moved over time.
    Amounts are minor units of `currency`, which is missing where Salesforce does not name the
    company's.
    """
    shared = agreement.attribution.shared
    credits = store.measure("credit")
    wanted = _deals_about(store, credits, entity, entity_id)
    of_deals = credits[credits["deal_id"].isin(wanted)]
    rows = of_deals[of_deals["model"] == shared]
    if entity in {"person", "campaign"}:
        rows = rows[rows[f"{entity}_id"] == entity_id]
    touches = store.measure("touch")
    path = _path(rows, of_deals, touches, agreement.attribution.models)
    sums = path.groupby("team")["credit_minor"].sum()
    deals = store.measure("deal")
    deals = deals[deals["deal_id"].isin(wanted)].sort_values("deal_id")
    return {
        "model": shared,
        "models": list(agreement.attribution.models),
        "window_days": agreement.attribution.window_of(shared),
        "currency": _currency(store),
        "by_team_minor": {str(team): int(total) for team, total in sums.items()},
        "path": [_path_row(row) for row in path.to_dict("records")],
        "deals": [_row(row, _DEAL_COLUMNS) for row in deals.to_dict("records")],
        "out": _out(store, agreement, entity, entity_id, deals, touches, path),
        "lines": _lines(store, wanted),
    }


_DEAL_COLUMNS = (
    "deal_id", "record_id", "state", "currency", "amount_minor", "company_minor", "closed_on",
    "lead_created_at", "created_at", "closed_at", "credited_at",
)  # fmt: skip
_LINE_COLUMNS = (
    "deal_id", "team", "channel", "campaign_id", "credit_minor", "reason", "reference", "run_id"
)  # fmt: skip
_PATH_COLUMNS = (
    "deal_id", "touch_id", "person_id", "touched_at", "channel", "team", "campaign_id", "weight",
    "weights", "credit_minor", "credit_deal_minor",
)  # fmt: skip


def _deals_about(store: Store, credits: pd.DataFrame, entity: str, entity_id: str) -> list[str]:
    """List the deals whose credit a record shows."""
    if entity == "deal":
        return [entity_id]
    if entity == "account":
        deals = store.measure("deal")
        return [str(name) for name in deals.loc[deals["account_id"] == entity_id, "deal_id"]]
    column = f"{entity}_id"
    found: set[str] = set(credits.loc[credits[column] == entity_id, "deal_id"])
    if entity == "person":
        people = store.measure("deal_person")
        found |= set(people.loc[people["person_id"] == entity_id, "deal_id"])
    return sorted(found)


def _currency(store: Store) -> str | None:
    organization, types = (
        store.mirror("salesforce", kind, list(normalise.FIELDS["salesforce", kind]))
        for kind in ("organization", "currency_type")
    )
    return normalise.company_currency(types, organization)


def _path(
    rows: pd.DataFrame, of_deals: pd.DataFrame, touches: pd.DataFrame, models: Sequence[str]
) -> pd.DataFrame:
    """Order credits by their path, each with the weights of all models, in the order of these."""
    keys = ["deal_id", "touch_id"]
    place = pd.Index(models).get_indexer(pd.Index(of_deals["model"]))
    of_deals = of_deals.iloc[place.argsort(kind="stable")]
    weights = {
        key: dict(zip(group["model"], group["weight"], strict=True))
        for key, group in of_deals.fillna({"touch_id": ""}).groupby(keys)
    }
    at = touches.drop_duplicates("touch_id").set_index("touch_id")["touched_at"]
    path = rows.assign(touched_at=at.reindex(rows["touch_id"]).to_numpy())
    path = path.sort_values(["deal_id", "touched_at", "touch_id", "team"])
    names = zip(path["deal_id"], path["touch_id"].fillna(""), strict=True)
    return path.assign(weights=pd.Series([weights[name] for name in names], index=path.index))


def _path_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    plain = _row(row, [name for name in _PATH_COLUMNS if name != "weights"])
    weights = row["weights"] if plain["touch_id"] else {}
    return plain | {"weights": {str(model): float(share) for model, share in weights.items()}}


def _out(
    store: Store,
    agreement: Agreement,
    entity: str,
    entity_id: str,
    deals: pd.DataFrame,
    touches: pd.DataFrame,
    path: pd.DataFrame,
) -> list[dict[str, Any]]:
    """List what the people on the deals did that is not on the path; nothing for a campaign."""
    if entity == "campaign":
        return []
    people = store.measure("deal_person")
    people = people[people["deal_id"].isin(deals["deal_id"])]
    if entity == "person":
        people = people[people["person_id"] == entity_id]
    return _outside(agreement, deals, people, touches, path) + _never(store, people)


def _outside(
    agreement: Agreement,
    deals: pd.DataFrame,
    people: pd.DataFrame,
    touches: pd.DataFrame,
    path: pd.DataFrame,
) -> list[dict[str, Any]]:
    """List touches outside a deal's window."""
    days = agreement.attribution.window_of(agreement.attribution.shared)
    rows = people.merge(touches, on="person_id").merge(
        deals[["deal_id", "state", "credited_at"]], on="deal_id"
    )
    on_path = set(zip(path["deal_id"], path["touch_id"], strict=True))
    pairs = zip(rows["deal_id"], rows["touch_id"], strict=True)
    rows = rows[np.array([pair not in on_path for pair in pairs], dtype=bool)]
    rows = rows.drop_duplicates(["deal_id", "touch_id"]).sort_values(["deal_id", "touched_at"])
    found = []
    for row in rows.to_dict("records"):
        end = row["credited_at"]
        if pd.isna(end):
            reason = "the deal is lost"
        elif row["touched_at"] > end:
            reason = "after the close"
        elif days is not None and row["touched_at"] < end - timedelta(days=days):
            reason = f"before the window of {days} days"
        else:
            reason = "its first record lies outside the window"
        names = ("deal_id", "touch_id", "person_id", "touched_at", "channel", "team")
        found.append(_row(row, names) | {"reason": reason})
    return found


def _never(store: Store, people: pd.DataFrame) -> list[dict[str, Any]]:
    """List acts that are no touch for anybody, each once."""
    rows = store.measure("set_aside")
    rows = rows[rows["person_id"].isin(people["person_id"])]
    rows = rows.drop_duplicates("touch_id").sort_values(["touched_at", "touch_id"])
    names = ("touch_id", "person_id", "touched_at", "activity", "channel", "team")
    return [
        {"deal_id": None, **_row(row, names), "reason": _REASONS[row["reason"]]}
        for row in rows.to_dict("records")
    ]


def _lines(store: Store, deals: Sequence[str]) -> list[dict[str, Any]]:
    rows = store.credit_lines(deals)
    return [_row(row, _LINE_COLUMNS) for row in rows.to_dict("records")]


def _row(row: Mapping[Any, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(row[name]) for name in names}


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return None
    return value.isoformat(timespec="seconds") if isinstance(value, pd.Timestamp) else value
