"""The way from first contact to a won deal: how many, how long, from which source."""

from typing import Any

import pandas as pd

from agreement.frames import Crosswalk, DataFrame, DealPeople, Deals, Funnel, People, lookup

# Whose word about the source counts: where marketing works, then where the lead was made.
_SOURCE_ORDER = {"contact hubspot": 0, "lead salesforce": 1, "contact salesforce": 2}


def funnel(
    people: DataFrame[People],
    crosswalk: DataFrame[Crosswalk],
    deals: DataFrame[Deals],
    deal_people: DataFrame[DealPeople],
) -> DataFrame[Funnel]:
    """Follow each person from the first record of theirs to the first deal won with them.

    One row per person, by id. The source is the one on HubSpot's contact, else on the Salesforce
    lead, else on the contact, the oldest record first; the word "unknown" is a source that somebody
    typed, missing is none. People who are on a deal only by inference win nothing here.
    """
    persons = crosswalk[crosswalk["entity"] == "person"]
    rows = people.merge(
        persons[["system", "kind", "record_id", "entity_id"]], on=["system", "kind", "record_id"]
    )
    first_seen = rows.groupby("entity_id")["created_at"].min()
    told = rows.assign(order=(rows["kind"] + " " + rows["system"]).map(_SOURCE_ORDER))
    told = told.dropna(subset=["source"]).sort_values(
        ["entity_id", "order", "created_at", "record_id"]
    )
    source = told.drop_duplicates("entity_id").set_index("entity_id")["source"]
    person_id = pd.Series(sorted(rows["entity_id"].unique()), dtype="str")
    frame = pd.DataFrame(
        {
            "person_id": person_id,
            "source": lookup(person_id, source).astype("str"),
            "first_seen_at": lookup(person_id, first_seen),
            "won_on": lookup(person_id, _first_won(deals, deal_people)).astype("str"),
        }
    )
    return Funnel.validate(frame, lazy=True)


def _first_won(deals: pd.DataFrame, deal_people: pd.DataFrame) -> pd.Series:
    won = deals.loc[deals["state"] == "won", ["deal_id", "closed_on"]]
    known = deal_people[deal_people["how"] != "inferred"]
    return won.merge(known, on="deal_id").groupby("person_id")["closed_on"].min()


def funnel_summary(funnel: DataFrame[Funnel], zone: str) -> dict[str, Any]:
    """Give the funnel's figures: people, won, the share of won, and the days it took.

    Days are whole: the day of closing minus the day of the first contact, read in `zone`. A deal
    won before its first contact is listed by person and counts with its negative days. The median
    of an even number is the lower of the two in the middle. Sources are counted per word;
    `source_missing` counts the people for whom nobody recorded one.
    """
    first_on = funnel["first_seen_at"].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    won_on = pd.to_datetime(funnel["won_on"], format="%Y-%m-%d")
    days = (won_on - first_on).dt.days.dropna()
    people, won = len(funnel), int(funnel["won_on"].notna().sum())
    return {
        "people": people,
        "won": won,
        "conversion_ppm": won * 1_000_000 // max(people, 1),
        "median_days_to_won": int(days.quantile(0.5, interpolation="lower")) if len(days) else None,
        "won_before_first_contact": funnel.loc[days.index[days < 0], "person_id"].tolist(),
        "sources": {
            str(source): int(count)
            for source, count in funnel["source"].value_counts().sort_index().items()
        },
        "source_missing": int(funnel["source"].isna().sum()),
    }
