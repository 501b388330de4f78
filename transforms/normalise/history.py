"""Read the dated values of stage-like fields: lifecycle, lead status and owner, deal stage."""

from collections.abc import Mapping

import pandas as pd

from agreement.frames import Aliases, DataFrame, StageChanges, as_utc, lookup
from transforms.normalise.mirrors import Mirrors, long_ids, resolved, texts

# Our word for each vendor field whose history is read.
_FIELDS = {"lifecyclestage": "lifecycle", "Status": "status", "OwnerId": "owner", "Owner": "owner"}
# LeadHistory writes the first assignment under a name of its own.
_OWNER_EVENTS = {"ownerAssignment": "owner"}


def stage_changes(
    histories: Mapping[tuple[str, str], pd.DataFrame], mirrors: Mirrors, aliases: DataFrame[Aliases]
) -> DataFrame[StageChanges]:
    """List the values that stage-like fields took, in the order in which they took them.

    One row per system, kind, record, field (`lifecycle`, `status`, `owner`, `stage`) and change.
    HubSpot gives the history of a contact's field; Salesforce writes LeadHistory (owner rows twice,
    by name and by id: the ids count) and OpportunityHistory (a row also when only the amount
    changed: those are no change of stage). The value before a lead's first change stands at the
    lead's creation. The history of a merged-away record belongs to its survivor.
    """
    rows = pd.concat(
        [
            *(_kept_history(key, history, aliases) for key, history in histories.items()),
            _lead_history(mirrors, aliases),
            _opportunity_history(mirrors["salesforce", "opportunity_history"]),
        ],
        ignore_index=True,
    )
    order = ["system", "kind", "record_id", "field"]
    ordered = rows.dropna(subset=["record_id", "changed_at"]).sort_values(
        [*order, "changed_at", "place", "value"], ignore_index=True
    )
    before = ordered.groupby(order)["value"].shift()
    is_first = ~ordered.duplicated(order)
    same = (ordered["value"] == before) | (ordered["value"].isna() & before.isna())
    changed = ordered[is_first | ~same.fillna(value=False).astype(bool)]
    columns = list(StageChanges.to_schema().columns)
    return StageChanges.validate(changed[columns].reset_index(drop=True), lazy=True)


def _kept_history(
    key: tuple[str, str], history: pd.DataFrame, aliases: DataFrame[Aliases]
) -> pd.DataFrame:
    system, kind = key
    return _changes(
        system,
        kind,
        resolved(texts(history, "record_id"), aliases, system, kind),
        texts(history, "field").map(_FIELDS).fillna(texts(history, "field")),
        texts(history, "value"),
        as_utc(history["changed_at"]),
    ).drop_duplicates()


def _lead_history(mirrors: Mirrors, aliases: DataFrame[Aliases]) -> pd.DataFrame:
    mirror = mirrors["salesforce", "lead_history"]
    field = texts(mirror, "Field").map(_FIELDS | _OWNER_EVENTS)
    new = long_ids(texts(mirror, "NewValue"))
    is_name = field.eq("owner") & ~new.str.fullmatch(r"00[5G][A-Za-z0-9]{15}").eq(other=True)
    mirror = mirror[field.notna() & ~is_name.astype(bool)]
    lead_id = resolved(long_ids(texts(mirror, "LeadId")), aliases, "salesforce", "lead")
    changes = _changes(
        "salesforce",
        "lead",
        lead_id,
        field.loc[mirror.index],
        texts(mirror, "NewValue"),
        as_utc(mirror["created_at"]),
        place=texts(mirror, "record_id"),
    )
    return pd.concat([_first_values(mirrors, mirror, changes), changes], ignore_index=True)


def _first_values(mirrors: Mirrors, mirror: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Give the value before the first change, at the lead's creation."""
    first = (
        changes.assign(value=texts(mirror, "OldValue").array)
        .sort_values(["record_id", "field", "changed_at", "place"])
        .drop_duplicates(["record_id", "field"])
    )
    leads = mirrors["salesforce", "lead"]
    born = as_utc(leads["created_at"]).set_axis(leads["record_id"])
    created_at = lookup(first["record_id"], born)
    return first.assign(changed_at=created_at, place="").dropna(subset=["value", "changed_at"])


def _opportunity_history(mirror: pd.DataFrame) -> pd.DataFrame:
    return _changes(
        "salesforce",
        "opportunity",
        long_ids(texts(mirror, "OpportunityId")),
        pd.Series("stage", index=mirror.index, dtype="str"),
        texts(mirror, "StageName"),
        as_utc(mirror["created_at"]),
        place=texts(mirror, "record_id"),
    )


def _changes(
    system: str,
    kind: str,
    record_id: pd.Series,
    field: pd.Series,
    value: pd.Series,
    changed_at: pd.Series,
    place: pd.Series | str = "",
) -> pd.DataFrame:
    """Give changes as one table; `place` orders those of one instant."""
    frame = pd.DataFrame(
        {
            "system": system,
            "kind": kind,
            "record_id": record_id,
            "field": field,
            "value": value,
            "place": place,
        },
        index=record_id.index,
    ).astype("str")
    return frame.assign(changed_at=changed_at).reset_index(drop=True)
