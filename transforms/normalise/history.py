"""Read the dated values of stage-like fields: lifecycle, lead status and owner, deal stage."""

from collections.abc import Mapping

import pandas as pd

from agreement.frames import Aliases, DataFrame, StageChanges, as_utc, lookup
from transforms.normalise.fields import CHANGE_LISTS
from transforms.normalise.mirrors import Mirrors, long_ids, resolved, texts

# Our word for each vendor field whose history is read.
_FIELDS = {"lifecyclestage": "lifecycle", "hubspot_owner_id": "owner"}
# LeadHistory writes the first assignment under a name of its own.
_OWNERS = {"OwnerId": "owner", "Owner": "owner", "ownerAssignment": "owner"}
_LEAD_FIELDS = _OWNERS | {"Status": "status", "leadConverted": "converted"}


def stage_changes(
    histories: Mapping[tuple[str, str], pd.DataFrame],
    mirrors: Mirrors,
    aliases: DataFrame[Aliases],
    reason_field: str,
) -> DataFrame[StageChanges]:
    """List the values that stage-like fields took, in the order in which they took them.

    One row per system, kind, record, field (`lifecycle`, `status`, `reason`, `owner`, `stage`;
    `converted` without a value) and change. HubSpot gives the history of a contact's field;
    Salesforce writes LeadHistory and ContactHistory (owner rows twice, by name and by id: the ids
    count) and OpportunityHistory (a row also when only the amount changed: that is no change of
    stage). The value before a record's first change stands at its creation. The history of a
    merged-away record belongs to its survivor, less its owners: the survivor had its own.
    `reason_field` is the lead's field for the reason of a rejection.
    """
    rows = pd.concat(
        [
            *(_kept_history(key, history, aliases) for key, history in histories.items()),
            _field_history(mirrors, aliases, "lead", _LEAD_FIELDS | {reason_field: "reason"}),
            _field_history(mirrors, aliases, "contact", _OWNERS),
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


def _field_history(
    mirrors: Mirrors, aliases: DataFrame[Aliases], kind: str, words: Mapping[str, str]
) -> pd.DataFrame:
    """Read the changes of a lead's or contact's fields, by our words for the fields."""
    list_name, key = CHANGE_LISTS[kind]
    mirror = mirrors["salesforce", list_name]
    field = texts(mirror, "Field").map(words)
    new = long_ids(texts(mirror, "NewValue"))
    is_name = field.eq("owner") & ~new.str.fullmatch(r"00[5G][A-Za-z0-9]{15}").eq(other=True)
    written_on = long_ids(texts(mirror, key))
    record_id = resolved(written_on, aliases, "salesforce", kind)
    is_lost = field.eq("owner") & written_on.ne(record_id)
    mirror = mirror[field.notna() & ~is_name.astype(bool) & ~is_lost.astype(bool)]
    changes = _changes(
        "salesforce",
        kind,
        record_id.loc[mirror.index],
        field.loc[mirror.index],
        texts(mirror, "NewValue"),
        as_utc(mirror["created_at"]),
        place=texts(mirror, "record_id"),
    )
    born = mirrors["salesforce", kind]
    return pd.concat([_first_values(born, mirror, changes), changes], ignore_index=True)


def _first_values(
    records: pd.DataFrame, mirror: pd.DataFrame, changes: pd.DataFrame
) -> pd.DataFrame:
    """Give the value before the first change, at the record's creation."""
    first = (
        changes.assign(value=texts(mirror, "OldValue").array)
        .sort_values(["record_id", "field", "changed_at", "place"])
        .drop_duplicates(["record_id", "field"])
    )
    born = as_utc(records["created_at"]).set_axis(records["record_id"])
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
