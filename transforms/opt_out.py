"""Opt-outs: the stricter one wins, on every record of a person in both CRMs."""

from collections.abc import Collection

import pandas as pd

from agreement.frames import Crosswalk, DataFrame, People, Writes, as_text

FIELDS = {"hubspot": "hs_email_optout", "salesforce": "HasOptedOutOfEmail"}
REASON = "opted out of e-mail on another record of this person; the stricter wins"

_KEYS = ["system", "kind", "record_id"]


def opt_out_writes(
    people: DataFrame[People], crosswalk: DataFrame[Crosswalk], writable: Collection[str]
) -> tuple[DataFrame[Writes], pd.DataFrame]:
    """Carry every opt-out to all records of its person; give what is written, and what is left.

    One row per record that still lets mails through while another record of the same person does
    not; exclusions, converted leads and duplicates are no exception. What Tandem cannot write is
    left to people: `system`, `kind`, `record_id`. An opt-out is never taken back.

    Args:
        people: all live records of humans.
        crosswalk: which of them are one person.
        writable: systems whose opt-out field this token can write.
    """
    persons = crosswalk.loc[crosswalk["entity"] == "person", [*_KEYS, "entity_id"]]
    records = people[[*_KEYS, "is_opted_out"]].merge(persons, on=_KEYS)
    strict = records.groupby("entity_id")["is_opted_out"].transform("any").astype(bool)
    open_records = records[strict & ~records["is_opted_out"]].sort_values(_KEYS, ignore_index=True)
    is_ours = open_records["system"].isin(list(writable))
    rows = open_records[is_ours].reset_index(drop=True)
    writes = pd.DataFrame(
        {
            **{name: rows[name] for name in _KEYS},
            "field": as_text(rows["system"].map(FIELDS)),
            "before": as_text(pd.Series("false", index=rows.index)),
            "after": as_text(pd.Series("true", index=rows.index)),
            "reason": as_text(pd.Series(REASON, index=rows.index)),
        }
    )
    left = open_records.loc[~is_ours, _KEYS].reset_index(drop=True)
    return Writes.validate(writes, lazy=True), left
