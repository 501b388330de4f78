"""Three-way merge of the fields that people keep in both CRMs: base x HubSpot x Salesforce.

The base is what both sides held when they last agreed, each in its own spelling, so that a side has
changed exactly when it differs from its own base, whatever a value map loses. One side changed: its
value travels. Both changed to the same: agreed. Both changed differently: the field's owner
decides, else a person. A value that people set is never overwritten for any other reason.
"""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from agreement.frames import (
    Bases,
    Conflicts,
    Crosswalk,
    DataFrame,
    Merged,
    SharedPairs,
    Writes,
    as_text,
    as_utc,
    empty,
)
from agreement.policy import SharedField
from transforms.value_maps import translated

RecordKind = tuple[str, str]

PAIR = ["hubspot_kind", "hubspot_id", "salesforce_kind", "salesforce_id", "field"]
_SIDES = ("hubspot", "salesforce")
_OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}
_TO = {side: f"to_{side}" for side in _SIDES}
# True once a record has become another one: its vendor lets nobody write to it any more.
MARKS: Mapping[RecordKind, str] = MappingProxyType({("salesforce", "lead"): "IsConverted"})


# Pairs -------------------------------------------------------------------------------------------


def shared_pairs(
    crosswalk: DataFrame[Crosswalk],
    mirrors: Mapping[RecordKind, pd.DataFrame],
    ownership: Sequence[SharedField],
    bases: DataFrame[Bases],
    decisions: pd.DataFrame,
) -> DataFrame[SharedPairs]:
    """Set both sides of every linked pair and shared field beside their base.

    One row per person or account with a record in both CRMs, and field that both records have,
    by field and ids. A pair are the two survivors: duplicates inside a system keep what they hold.
    A converted lead is no side of a pair, also where its contact is gone: it takes nothing more.
    Bases of another rule, and decisions about other values, are left out. Nobody has looked at
    field history yet: the times are missing.

    Args:
        crosswalk: which records are one.
        mirrors: per (system, kind), the vendor's fields as far as this token sees them, and MARKS.
        ownership: the shared fields.
        bases: what was last agreed on.
        decisions: people's choices: the pair's ids, `field`, both values and `decision`.
    """
    pieces = [
        _pairs_of(shared, kind, crosswalk, mirrors)
        for shared in ownership
        for kind in sorted(shared.salesforce)
    ]
    pieces = [piece for piece in pieces if len(piece)]
    if not pieces:
        return SharedPairs.validate(empty(SharedPairs), lazy=True)
    pairs = pd.concat(pieces, ignore_index=True).sort_values(PAIR, ignore_index=True)
    pairs = _with_bases(pairs, bases)
    chosen = [*PAIR, "hubspot_value", "salesforce_value"]
    pairs = pairs.merge(decisions[[*chosen, "decision"]], on=chosen, how="left")
    never = as_utc([None] * len(pairs))
    pairs = pairs.assign(
        hubspot_changed_at=never, salesforce_changed_at=never, decision=as_text(pairs["decision"])
    )
    return SharedPairs.validate(pairs[list(SharedPairs.to_schema().columns)], lazy=True)


def _pairs_of(
    shared: SharedField,
    salesforce_kind: str,
    crosswalk: pd.DataFrame,
    mirrors: Mapping[RecordKind, pd.DataFrame],
) -> pd.DataFrame:
    survivors = crosswalk[(crosswalk["entity"] == shared.entity) & crosswalk["is_survivor"]]
    kinds = {"hubspot": shared.hubspot_kind, "salesforce": salesforce_kind}
    sides = {
        system: _side(survivors, mirrors, system, kind, shared.vendor_fields()[system, kind])
        for system, kind in kinds.items()
    }
    both = sides["hubspot"].merge(sides["salesforce"], on="entity_id")
    return both.assign(
        entity=as_text([shared.entity] * len(both)),
        field=as_text([shared.name] * len(both)),
        hubspot_kind=as_text([shared.hubspot_kind] * len(both)),
        salesforce_kind=as_text([salesforce_kind] * len(both)),
        rule=as_text([rule_of(shared)] * len(both)),
    )


def _side(
    survivors: pd.DataFrame,
    mirrors: Mapping[RecordKind, pd.DataFrame],
    system: str,
    kind: str,
    field: str,
) -> pd.DataFrame:
    """Give entity, record and value of one side; nothing when the field is not there."""
    is_here = (survivors["system"] == system) & (survivors["kind"] == kind)
    records = survivors.loc[is_here, ["entity_id", "record_id"]]
    mirror = mirrors.get((system, kind))
    if mirror is None or field not in mirror.columns:
        records, values = records.iloc[:0], pd.DataFrame({"record_id": [], field: []}, dtype="str")
    else:
        mark = MARKS.get((system, kind))
        is_open = mirror[mark].str.lower() != "true" if mark in mirror.columns else slice(None)
        values = mirror.loc[is_open, ["record_id", field]]
    return records.merge(values, on="record_id").rename(
        columns={"record_id": f"{system}_id", field: f"{system}_value"}
    )


def _with_bases(pairs: pd.DataFrame, bases: pd.DataFrame) -> pd.DataFrame:
    known = bases.assign(has_base=True)
    joined = pairs.merge(known, on=[*PAIR, "rule"], how="left")
    return joined.assign(has_base=joined["has_base"].eq(other=True).astype(bool))


def rule_of(shared: SharedField) -> str:
    """Name the mapping under which two values are equal: bases of another mapping are none."""
    maps = (sorted(shared.to_salesforce.items()), sorted(shared.to_hubspot.items()))
    places = sorted(f"{kind[0]}.{kind[1]}.{name}" for kind, name in shared.vendor_fields().items())
    parts: tuple[object, ...] = (shared.name, shared.same, places, maps)
    more = shared.model_dump(
        mode="json",
        include={"units", "format_to_salesforce", "format_to_hubspot"},
        exclude_defaults=True,
    )
    # Without any of these the rule is the one of before they were there.
    content = repr((*parts, sorted(more.items())) if more else parts)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


# The merge ---------------------------------------------------------------------------------------


def merge(
    pairs: DataFrame[SharedPairs], ownership: Sequence[SharedField]
) -> DataFrame[Merged]:  # fmt: skip
    """Say for each pair and field what follows: agreed, a write to one side, or a conflict.

    One row per given row, in the given order. No base: equal values agree, one blank is filled,
    different values are the named owner's; `newest` and `ask` are conflicts. With a base: see the
    head of this file. An emptied field empties nothing while a blank never wins: where the other
    side owns the field it is filled again, else a person is asked. `newest` needs a time of both
    sides, and different ones.
    """
    by_name = {shared.name: shared for shared in ownership}
    pieces = [
        _merged(rows, by_name[str(name)])
        for name, rows in pairs.groupby("field", sort=False)
        if str(name) in by_name
    ]
    if not pieces:
        return Merged.validate(empty(Merged), lazy=True)
    merged = pd.concat(pieces).sort_index()
    return Merged.validate(merged[list(Merged.to_schema().columns)], lazy=True)


def _merged(rows: pd.DataFrame, shared: SharedField) -> pd.DataFrame:
    key = {side: _comparable(rows[f"{side}_value"], shared) for side in _SIDES}
    base = {side: _comparable(rows[f"{side}_base"], shared) for side in _SIDES}
    sent = {
        "salesforce": translated(rows["hubspot_value"], shared, "salesforce"),
        "hubspot": translated(rows["salesforce_value"], shared, "hubspot"),
    }
    is_same = _equal(_comparable(sent["salesforce"], shared), key["salesforce"])
    is_same |= _equal(_comparable(sent["hubspot"], shared), key["hubspot"])
    blank = {side: key[side].isna() for side in _SIDES}
    changed = {side: rows["has_base"] & ~_equal(key[side], base[side]) for side in _SIDES}

    verdict = pd.DataFrame({"outcome": "conflict", "how": "both changed"}, index=rows.index)
    verdict.loc[~rows["has_base"], "how"] = "no base"
    _settle_by_owner(verdict, rows, shared, blank)
    for side in _SIDES:
        other = _OTHER[side]
        is_fill = ~rows["has_base"] & blank[other] & ~blank[side]
        _settle(verdict, is_fill, other, "fill")
        is_alone = changed[side] & ~changed[other]
        _settle(verdict, is_alone, other, "changed")
        if shared.blank == "never_wins":
            _keep_from_emptying(verdict, is_alone & blank[side], side, shared)
    _settle_by_decision(verdict, rows["decision"])
    verdict.loc[is_same, ["outcome", "how"]] = ["agreed", "same"]
    after = sent["hubspot"].where(verdict["outcome"] == _TO["hubspot"], sent["salesforce"])
    is_write = verdict["outcome"].isin(list(_TO.values()))
    return rows.assign(
        outcome=as_text(verdict["outcome"]),
        how=as_text(verdict["how"]),
        after=as_text(after.where(is_write)),
    )


def _settle(verdict: pd.DataFrame, where: pd.Series, written: str, how: str) -> None:
    verdict.loc[where, ["outcome", "how"]] = [_TO[written], how]


def _settle_by_owner(
    verdict: pd.DataFrame, rows: pd.DataFrame, shared: SharedField, blank: Mapping[str, pd.Series]
) -> None:
    """Let the owner decide what both changed; a blank of the owner's is left to a person."""
    may_win = {side: ~blank[side] | (shared.blank == "wins") for side in _SIDES}
    if shared.owner in _SIDES:
        _settle(verdict, may_win[shared.owner], _OTHER[shared.owner], "owner")
    elif shared.owner == "newest":
        for side in _SIDES:
            mine, other = (rows[f"{name}_changed_at"] for name in (side, _OTHER[side]))
            is_newer = rows["has_base"] & (mine > other)
            _settle(verdict, is_newer & may_win[side], _OTHER[side], "newest")


def _keep_from_emptying(
    verdict: pd.DataFrame, is_emptied: pd.Series, side: str, shared: SharedField
) -> None:
    if shared.owner == _OTHER[side]:
        _settle(verdict, is_emptied, side, "owner")
    else:
        verdict.loc[is_emptied, ["outcome", "how"]] = ["conflict", "emptied"]


def _settle_by_decision(verdict: pd.DataFrame, decision: pd.Series) -> None:
    is_open = verdict["outcome"] == "conflict"
    for side in _SIDES:
        _settle(verdict, is_open & (decision == side), _OTHER[side], "decided")


def _comparable(values: pd.Series, shared: SharedField) -> pd.Series:
    """Write values so that equal ones compare equal; nothing left is missing.

    A phone number is its digits, and the letters of an extension.
    """
    pattern = r"[^0-9a-z]" if shared.same == "digits" else r"^\s+|\s+$"
    text = values.str.lower() if shared.same == "digits" else values
    clean = text.str.replace(pattern, "", regex=True)
    # A value of signs only is not the same as none.
    clean = clean.where(clean.ne("") | values.str.strip().eq("").fillna(value=True), values)
    return as_text(clean.where(clean.ne("")))


def _equal(left: pd.Series, right: pd.Series) -> pd.Series:
    return (left.eq(right) | (left.isna() & right.isna())).fillna(value=False).astype(bool)


def with_times(
    pairs: DataFrame[SharedPairs], changes: pd.DataFrame, ownership: Sequence[SharedField]
) -> DataFrame[SharedPairs]:
    """Say when people last set each side's value.

    Args:
        pairs: as `shared_pairs` gives them.
        changes: people's changes: `system`, `kind`, `record_id`, the vendor's `field`, `value`,
            `changed_at`; our own writes are not among them. Only a change to the very value that
            the side holds tells its time; the latest does.
        ownership: the shared fields.
    """
    keys = ["system", "kind", "record_id", "field", "value"]
    latest = changes.groupby(keys, dropna=False, as_index=False)["changed_at"].max()
    times = {}
    for side in _SIDES:
        held = record_sides(pairs, side, ownership).rename(columns={"before": "value"})
        found = held[keys].merge(latest, on=keys, how="left")["changed_at"]
        times[f"{side}_changed_at"] = as_utc(found).set_axis(pairs.index)
    return SharedPairs.validate(pairs.assign(**times), lazy=True)


def record_sides(
    pairs: DataFrame[SharedPairs], side: str, ownership: Sequence[SharedField]
) -> pd.DataFrame:
    """Give each pair's record of one side, as a write from the other side would find it.

    Columns `system`, `kind`, `record_id`, the vendor's `field`, `before` (what it holds) and
    `after` (the other side's value, in this side's spelling); rows stand under the pair's index.
    """
    after = pd.Series(index=pairs.index, dtype="str")
    field = pd.Series(index=pairs.index, dtype="str")
    for shared in ownership:
        is_field = pairs["field"] == shared.name
        after[is_field] = translated(pairs.loc[is_field, f"{_OTHER[side]}_value"], shared, side)
        places = {
            kind: name for (where, kind), name in shared.vendor_fields().items() if where == side
        }
        field[is_field] = as_text(pairs.loc[is_field, f"{side}_kind"].map(places))
    return pd.DataFrame(
        {
            "system": as_text(pd.Series(side, index=pairs.index)),
            "kind": pairs[f"{side}_kind"],
            "record_id": pairs[f"{side}_id"],
            "field": field,
            "before": pairs[f"{side}_value"],
            "after": after,
        }
    )


# What follows ------------------------------------------------------------------------------------


_REASONS = {
    "fill": "filled from {source}: blank here, and the two never agreed on a value",
    "changed": "changed in {source}",
    "owner": "is owned by {source}",
    "newest": "was changed last in {source}",
    "decided": "was decided by a person: {source} is right",
}


def shared_writes(merged: DataFrame[Merged], ownership: Sequence[SharedField]) -> DataFrame[Writes]:
    """Give the writes that follow from a merge, one row per record and field."""
    pieces = []
    for side in _SIDES:
        rows = merged[merged["outcome"] == _TO[side]]
        said = as_text(rows["how"].map(_REASONS)).str.replace("{source}", _OTHER[side], regex=False)
        name = rows["field"].str.replace("_", " ", regex=False)
        found = record_sides(rows, side, ownership).assign(
            after=rows["after"], reason=as_text(name + " " + said)
        )
        pieces.append(found)
    order = ["system", "kind", "record_id", "field"]
    writes = pd.concat(pieces).sort_values(order, ignore_index=True)
    return Writes.validate(writes[list(Writes.to_schema().columns)], lazy=True)


def agreed_bases(
    merged: DataFrame[Merged], ownership: Sequence[SharedField]
) -> DataFrame[Bases]:  # fmt: skip
    """Give what both sides hold and agree on.

    Two blanks need no base, since they decide the same; they are given where there was one, so that
    it ends.
    """
    rules = {shared.name: rule_of(shared) for shared in ownership}
    is_blank = merged["hubspot_value"].isna() & merged["salesforce_value"].isna()
    rows = merged[(merged["outcome"] == "agreed") & (merged["has_base"] | ~is_blank)]
    return Bases.validate(
        pd.DataFrame(
            {
                **{name: rows[name] for name in PAIR},
                "hubspot_base": rows["hubspot_value"],
                "salesforce_base": rows["salesforce_value"],
                "rule": as_text(rows["field"].map(rules)),
            }
        )[list(Bases.to_schema().columns)].reset_index(drop=True),
        lazy=True,
    )


def bases_taken_back(
    pairs: DataFrame[SharedPairs], restored: DataFrame[Writes], ownership: Sequence[SharedField]
) -> DataFrame[Bases]:
    """Give the bases that stand once an undo has put values back: both agree on what it restores.

    So what the undone run carried over has yet to travel, as before that run. Were the base still
    what the run made of it, the restored value would count as a person's change, and win over what
    that person typed on the other side. A restored blank ends the base.

    Args:
        pairs: the linked pairs, as `shared_pairs` gives them.
        restored: the undo's writes; those to other fields than shared ones are no matter.
        ownership: the shared fields.
    """
    pieces = []
    for side in _SIDES:
        sides = record_sides(pairs, side, ownership)
        places = ["system", "kind", "record_id", "field"]
        found = sides[places].reset_index(names="pair").merge(restored, on=places)
        value = found.set_index("pair")["after"]
        rows = pairs.loc[value.index]
        pieces.append(
            rows[PAIR].assign(
                **{
                    f"{side}_base": value,
                    f"{_OTHER[side]}_base": _spelt(rows, value, side, ownership),
                }
            )
        )
    rules = {shared.name: rule_of(shared) for shared in ownership}
    bases = pd.concat(pieces).sort_values(PAIR).drop_duplicates(PAIR).reset_index(drop=True)
    bases = bases.assign(rule=as_text(bases["field"].map(rules)))
    return Bases.validate(bases[list(Bases.to_schema().columns)], lazy=True)


def _spelt(
    pairs: pd.DataFrame, values: pd.Series, side: str, ownership: Sequence[SharedField]
) -> pd.Series:
    """Spell one side's values as the other does."""
    spelt = pd.Series(index=values.index, dtype="str")
    for shared in ownership:
        is_field = pairs["field"] == shared.name
        spelt[is_field] = translated(values[is_field], shared, _OTHER[side])
    return spelt


def conflicts(merged: DataFrame[Merged]) -> DataFrame[Conflicts]:
    """Give what waits for a person; the id is the same as long as both values are."""
    rows = merged[merged["outcome"] == "conflict"].reset_index(drop=True)
    content = rows[[*PAIR, "hubspot_value", "salesforce_value"]].fillna("")
    hashes = pd.util.hash_pandas_object(content, index=False)
    rows = rows.assign(conflict_id=as_text([f"cf-{value:016x}" for value in hashes.tolist()]))
    return Conflicts.validate(rows[list(Conflicts.to_schema().columns)], lazy=True)
