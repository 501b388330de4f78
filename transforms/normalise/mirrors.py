"""Read mirrored records: which are alive, which merge took which over, and their text as values."""

from collections.abc import Mapping

import pandas as pd

from agreement.frames import Aliases, DataFrame, as_text, as_utc

Mirrors = Mapping[tuple[str, str], pd.DataFrame]

# A merge can follow a merge; vendors never build longer chains, and a ring has to end somewhere.
_LONGEST_CHAIN = 32


def aliases(mirrors: Mirrors) -> DataFrame[Aliases]:
    """Say which record each merged-away record lives on in.

    One row per merged-away record, by system, kind and id. Salesforce marks the loser
    (`MasterRecordId`), HubSpot makes a new record that lists the old ids in two properties, neither
    of which is complete. Chains are followed to their end; a record merged twice follows its newest
    survivor.
    """
    found = [
        _merged(system, kind, mirror)
        for (system, kind), mirror in mirrors.items()
        if kind in {"contact", "lead", "account", "company", "deal"}
    ]
    columns = ["system", "kind", "record_id", "survivor_id"]
    rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
    return Aliases.validate(rows[columns].astype("str"), lazy=True)


def _merged(system: str, kind: str, mirror: pd.DataFrame) -> pd.DataFrame:
    pairs = _listed_merges(mirror) if system == "hubspot" else _marked_merges(mirror)
    pairs = pairs[pairs["record_id"] != pairs["survivor_id"]]
    age = pairs["survivor_id"].str.len()
    newest = pairs.assign(age=age).sort_values(["record_id", "age", "survivor_id"])
    last = newest.drop_duplicates("record_id", keep="last").set_index("record_id")["survivor_id"]
    ends = _ends(last)
    return pd.DataFrame(
        {"system": system, "kind": kind, "record_id": ends.index, "survivor_id": ends.to_numpy()}
    )


def _marked_merges(mirror: pd.DataFrame) -> pd.DataFrame:
    rows = mirror.loc[mirror["merged_into"].notna(), ["record_id", "merged_into"]]
    return rows.rename(columns={"merged_into": "survivor_id"}).astype("str")


def _listed_merges(mirror: pd.DataFrame) -> pd.DataFrame:
    listed = pd.concat(
        [
            texts(mirror, "hs_merged_object_ids"),
            texts(mirror, "hs_calculated_merged_vids").str.replace(r":\d+", "", regex=True),
        ]
    ).dropna()
    old = listed.str.split(";").explode().str.strip()
    old = old[old.notna() & (old != "")]
    survivors = mirror["record_id"].loc[old.index]
    pairs = pd.DataFrame({"record_id": old.to_numpy(), "survivor_id": survivors.to_numpy()})
    return pd.concat([pairs, _marked_merges(mirror)], ignore_index=True).astype("str")


def _ends(survivor: pd.Series) -> pd.Series:
    for _ in range(_LONGEST_CHAIN):
        further = survivor.map(survivor).fillna(survivor)
        if further.equals(survivor):
            break
        survivor = further
    return survivor


def live(mirrors: Mirrors, aliases: DataFrame[Aliases]) -> dict[tuple[str, str], pd.DataFrame]:
    """Keep the records that are neither deleted nor merged away, in the order of their ids."""
    gone = {key: set(rows["record_id"]) for key, rows in aliases.groupby(["system", "kind"])}
    return {key: _live(mirror, gone.get(key, set())) for key, mirror in mirrors.items()}


def _live(mirror: pd.DataFrame, gone: set[str]) -> pd.DataFrame:
    is_gone = (
        mirror["is_deleted"].astype(bool)
        | mirror["merged_into"].notna()
        | mirror["record_id"].isin(gone)
    )
    return mirror[~is_gone].sort_values("record_id").reset_index(drop=True)


def as_others_said(mirrors: Mirrors, own: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Put people's values back where our own writes to shared fields stand.

    What we carried from one record to another says nothing new of who is who. `own` has `system`,
    `kind`, `record_id`, `field`, the value `before` our write, and ours as `after`; a value that
    was changed since stays. Rows and order stay.
    """
    said = dict(mirrors)
    for (system, kind, field), rows in own.groupby(["system", "kind", "field"]):
        mirror = said.get((system, kind))
        if mirror is None or field not in mirror:
            continue
        ours = rows.set_index("record_id")[["before", "after"]]
        found = ours.reindex(pd.Index(mirror["record_id"])).set_axis(mirror.index)
        is_written = mirror["record_id"].isin(ours.index)
        both_blank = mirror[field].isna() & found["after"].isna()
        is_ours = is_written & ((mirror[field] == found["after"]) | both_blank).astype(bool)
        values = as_text(mirror[field]).mask(is_ours, found["before"])
        said[system, kind] = mirror.assign(**{field: values})
    return said


def associations(
    pairs: Mapping[tuple[str, str], pd.DataFrame], aliases: DataFrame[Aliases]
) -> dict[tuple[str, str], pd.DataFrame]:
    """Point HubSpot's associations at the records that live on, each pair once.

    A merge does not touch the records associated with its loser, so that they are not read again.
    """
    return {
        (kind, to_kind): rows.assign(
            from_id=resolved(rows["from_id"], aliases, "hubspot", kind),
            to_id=resolved(rows["to_id"], aliases, "hubspot", to_kind),
        ).drop_duplicates(["from_id", "to_id"], ignore_index=True)
        for (kind, to_kind), rows in pairs.items()
    }


def resolved(ids: pd.Series, aliases: DataFrame[Aliases], system: str, *kinds: str) -> pd.Series:
    """Replace ids of merged-away records by the record they live on in; others stay."""
    wanted = aliases[(aliases["system"] == system) & aliases["kind"].isin(kinds)]
    survivors = wanted.set_index("record_id")["survivor_id"]
    return ids.map(survivors).fillna(ids).astype("str") if len(survivors) else ids


def texts(mirror: pd.DataFrame, field: str) -> pd.Series:
    """Read a field as text; a field that this org lacks is missing everywhere."""
    if field in mirror.columns:
        return as_text(mirror[field])
    return pd.Series(index=mirror.index, dtype="str")


def flags(mirror: pd.DataFrame, field: str) -> pd.Series:
    """Read a yes-or-no field; missing is no."""
    return texts(mirror, field).str.lower().eq("true").fillna(value=False).astype(bool)


def instants(mirror: pd.DataFrame, field: str) -> pd.Series:
    """Read an ISO 8601 instant; what is none is missing, so that one bad value stops nothing."""
    return as_utc(pd.to_datetime(texts(mirror, field), utc=True, format="ISO8601", errors="coerce"))


def words(values: pd.Series) -> pd.Series:
    """Write a vendor's words in lower case without outer blanks; nothing left is missing."""
    lowered = values.str.strip().str.lower()
    return lowered.where(lowered != "")


def long_ids(ids: pd.Series) -> pd.Series:
    """Write Salesforce ids with 18 characters; 15-character ones get their checksum.

    The short form tells capitals apart, the long one survives systems that do not. What is no such
    id stays as it is.

    >>> long_ids(pd.Series(["0015000000Gv7qJ", None])).tolist()[0]
    '0015000000Gv7qJAAR'
    """
    trimmed = ids.str.strip()
    short = trimmed.str.fullmatch(r"[A-Za-z0-9]{15}").fillna(value=False).astype(bool)
    if not short.any():
        return trimmed
    distinct = pd.Series(trimmed[short].unique(), dtype="str")
    checksums = pd.Series(
        ["".join(_checksum(short_id[at : at + 5]) for at in (0, 5, 10)) for short_id in distinct],
        dtype="str",
    )
    longer = pd.Series((distinct + checksums).to_numpy(), index=distinct.to_numpy(), dtype="str")
    return trimmed.where(~short, trimmed.map(longer)).astype("str")


def _checksum(chunk: str) -> str:
    bits = sum(1 << place for place, letter in enumerate(chunk) if "A" <= letter <= "Z")
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
