"""Whom to thank: whose acts carry most of each team's credit on a won deal, with the evidence."""

from dataclasses import dataclass

import pandas as pd

from agreement.frames import (
    Activities,
    Credits,
    DataFrame,
    Deals,
    PathTouches,
    Thanks,
    Users,
    lookup,
)

_TEAMS = ("marketing", "sales")
_WHO = ["user_id", "asset", "campaign_id", "channel"]


@dataclass(frozen=True, slots=True)
class ThankYou:
    """A person or asset to thank: what they moved, and the acts that show it, by time.

    A person is `user_id`, else an asset its name, else a campaign of HubSpot its id; where none is
    known, the channel is thanked. `deals` are the won deals' records.
    """

    team: str
    user_id: str | None
    asset: str | None
    campaign_id: str | None
    channels: tuple[str, ...]
    credit_minor: int
    deals: tuple[str, ...]
    evidence: tuple[str, ...]


def thanks(
    won: DataFrame[Deals],
    shared_credits: DataFrame[Credits],
    paths: DataFrame[PathTouches],
    activities: DataFrame[Activities],
    users: DataFrame[Users],
    campaigns: pd.DataFrame,
) -> DataFrame[Thanks]:
    """Find, for each won deal and team, the person or asset that carries most of its credit.

    One row per touch of theirs on the deal, by the time it was won, deal, team and touch. Of equal
    credits the earliest first touch counts, then its smallest id. What no touch explains thanks
    nobody. An asset is a campaign by its name or a form by its title; titles of calls, meetings and
    e-mails are left out, since people write names into them. `user_id` is who did it as a human
    Salesforce user, a HubSpot owner of the same address included.
    """
    touches = _credited(won, shared_credits, paths)
    acts = _evidence(touches, activities)
    named = touches.assign(
        asset=_asset(touches, acts, campaigns), user_id=_user(acts["actor_id"], users)
    )
    who = named.groupby(_who(named), sort=False).ngroup()
    place = named.assign(who=who).groupby(["deal_id", "team", "who"], sort=False)
    first = place["touched_at"].transform("min"), place["touch_id"].transform("first")
    ranked = named.assign(
        who=who, whole=place["credit_minor"].transform("sum"), first_at=first[0], first_id=first[1]
    ).sort_values(
        ["deal_id", "team", "whole", "first_at", "first_id"],
        ascending=[True, True, False, True, True],
        kind="stable",
    )
    best = ranked.groupby(["deal_id", "team"])["who"].transform("first")
    rows = ranked[ranked["who"] == best]
    order = ["closed_at", "deal_id", "team", "touched_at", "touch_id"]
    columns = list(Thanks.to_schema().columns)
    return Thanks.validate(rows.sort_values(order)[columns].reset_index(drop=True), lazy=True)


def thank_yous(rows: DataFrame[Thanks]) -> tuple[ThankYou, ...]:
    """Put the deals of one person or asset together, the most credit first, ties in their order."""
    found = [
        ThankYou(
            team=str(part["team"].iloc[0]),
            user_id=_known(part["user_id"]),
            asset=_known(part["asset"]),
            campaign_id=_known(part["campaign_id"]),
            channels=tuple(sorted(part["channel"].unique())),
            credit_minor=int(part["credit_minor"].sum()),
            deals=tuple(part["record_id"].unique()),
            evidence=tuple(part["touch_id"].unique()),
        )
        for _, part in rows.groupby(["team", _who(rows)], sort=False)
    ]
    return tuple(sorted(found, key=lambda each: -each.credit_minor))


def _credited(won: pd.DataFrame, shared_credits: pd.DataFrame, paths: pd.DataFrame) -> pd.DataFrame:
    """Give the touches that brought a team credit for a won deal, by deal, team, time and id."""
    is_of = shared_credits["team"].isin(_TEAMS) & (shared_credits["credit_minor"] > 0)
    credited = shared_credits[is_of].dropna(subset=["touch_id"])
    columns = ["deal_id", "touch_id", "team", "channel", "campaign_id", "credit_minor"]
    rows = won[["deal_id", "record_id", "closed_at"]].merge(credited[columns], on="deal_id")
    dated = rows.merge(paths[["deal_id", "touch_id", "touched_at"]], on=["deal_id", "touch_id"])
    return dated.sort_values(["deal_id", "team", "touched_at", "touch_id"], ignore_index=True)


def _who(rows: pd.DataFrame) -> pd.Series:
    """Say in one word whose act each row is: the first of user, asset, campaign and channel."""
    known = pd.Series(None, index=rows.index, dtype="str")
    for name in _WHO:
        known = known.fillna(name + " " + rows[name])
    return known


def _known(values: pd.Series) -> str | None:
    known = values.dropna()
    return str(known.iloc[0]) if len(known) else None


def _evidence(touches: pd.DataFrame, activities: pd.DataFrame) -> pd.DataFrame:
    """Find the act behind each touch by its id and time: ids of two systems can be equal."""
    acts = activities.drop_duplicates(["evidence_id", "at"])
    found = touches[["touch_id", "touched_at"]].merge(
        acts[["evidence_id", "at", "activity", "actor_id", "title"]],
        how="left",
        left_on=["touch_id", "touched_at"],
        right_on=["evidence_id", "at"],
    )
    return found.set_axis(touches.index)


def _asset(touches: pd.DataFrame, acts: pd.DataFrame, campaigns: pd.DataFrame) -> pd.Series:
    names = campaigns.drop_duplicates("record_id").set_index("record_id")["Name"].astype("str")
    campaign = lookup(touches["campaign_id"], names)
    form = acts["title"].where(acts["activity"] == "form")
    return campaign.fillna(form).where(touches["team"] == "marketing").astype("str")


def _user(actor_id: pd.Series, users: pd.DataFrame) -> pd.Series:
    people = users[users["is_human"]]
    own = people.drop_duplicates("user_id").set_index("user_id", drop=False)["user_id"]
    owners = people.dropna(subset=["hubspot_owner_id"]).drop_duplicates("hubspot_owner_id")
    theirs = owners.set_index("hubspot_owner_id")["user_id"]
    return lookup(actor_id, own).fillna(lookup(actor_id, theirs)).astype("str")
