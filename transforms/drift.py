"""Histories against current values: where they part, one of the two reads missed something."""

import pandas as pd


def history_drift(current: pd.DataFrame, history: pd.DataFrame) -> list[str]:
    """List the records whose last dated value is not their current one, in order.

    Left out are deleted records, records without a history, and those whose history goes on after
    the state that we hold: they changed between the two reads, and the next night sees both ends.
    Of several values with one latest time, any may be the current one; missing equals missing.

    Args:
        current: `record_id`, `modified_at`, `is_deleted`, `value`, one row per record.
        history: `record_id`, `changed_at`, `value`, one row per dated value.
    """
    latest = history.groupby("record_id")["changed_at"].transform("max")
    is_tail = history["changed_at"] == latest
    tail = history.loc[is_tail, ["record_id", "changed_at", "value"]]
    live = current.loc[~current["is_deleted"], ["record_id", "modified_at", "value"]]
    both = tail.merge(live, on="record_id", suffixes=("_told", "_held"))
    both = both[~(both["changed_at"] > both["modified_at"])]
    told, held = both["value_told"], both["value_held"]
    is_same = (told == held).fillna(False).astype(bool) | (told.isna() & held.isna())
    is_any_same = is_same.groupby(both["record_id"]).any()
    return sorted(is_any_same.index[~is_any_same])
