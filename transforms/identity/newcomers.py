"""Take in people who came since the last night, until it says who they are for good."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import pandas as pd

from agreement.frames import Crosswalk, DataFrame, People, lookup
from transforms.identity import links as linking
from transforms.identity.entities import ALONE


def with_newcomers(
    crosswalk: DataFrame[Crosswalk], people: DataFrame[People], now: datetime
) -> DataFrame[Crosswalk]:
    """Add a row for each live record of a person that the crosswalk does not have, behind it.

    One whose stored partner id names a known person's record is that person; any other stands
    alone, under the id that a night would give it. No other rule is asked: a link that the night
    would not make must not be made in its absence. The known person's survivors stay.
    """
    keys = linking.keys(people["system"], people["kind"], people["record_id"])
    known = crosswalk[crosswalk["entity"] == "person"]
    known_keys = linking.keys(known["system"], known["kind"], known["record_id"])
    new = people[~keys.isin(known_keys)]
    if new.empty:
        return crosswalk
    by_record = known.drop_duplicates("record_id").set_index("record_id")
    partner = new["partner_id"].str.replace(";.*", "", regex=True)
    found = lookup(partner, by_record["entity_id"])
    own = [f"p_{sha256(f'person {key}'.encode()).hexdigest()[:16]}" for key in keys[new.index]]
    rows = pd.DataFrame(
        {
            "entity": pd.Series("person", index=new.index, dtype="str"),
            "entity_id": found.fillna(pd.Series(own, index=new.index, dtype="str")).astype("str"),
            "system": new["system"],
            "kind": new["kind"],
            "record_id": new["record_id"],
            "rule": pd.Series(ALONE, index=new.index, dtype="str").mask(found.notna(), "stored id"),
            "score": 1.0,
            "evidence": pd.Series("", index=new.index, dtype="str"),
            "since": pd.Timestamp(now).as_unit("us"),
            "decided_by": pd.Series(index=new.index, dtype="str"),
        }
    )
    has_record = known["entity_id"] + known["system"]
    rows["is_survivor"] = ~(rows["entity_id"] + rows["system"]).isin(has_record) & ~rows.duplicated(
        ["entity_id", "system"]
    )
    both = pd.concat([crosswalk, rows[crosswalk.columns]], ignore_index=True)
    return Crosswalk.validate(both, lazy=True)
