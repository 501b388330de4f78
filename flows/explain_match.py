"""Explain a match: by which rule and evidence records are one, and what would have changed it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from agreement.pairs import SIDES, Place, ordered, pair_id
from agreement.policy import Agreement, Identity
from connectors.store import Store
from flows.calc_match import shipped_model
from flows.masking import masked
from flows.review_records import (
    Weighed,
    companions,
    distinct_pairs,
    field_weights,
    read_records,
    side_by_side,
    sides_of,
)
from transforms.identity.humans import match_tables
from transforms.identity.links import INHERITED
from transforms.matching.changes import AS_IS, EQUAL, changes
from transforms.matching.decide import APART

# A pair's other side is looked at so often: a record has few reviews.
_MOST_PAIRS = 5


# What it takes to change a link, by the rule that made it.
_HOLDS = {
    "pinned": "a person's word: only another answer changes it",
    "accepted": "a person's word: it holds unless a pin, a stored id or a conversion speaks",
    "stored id": "the id on the record decides, whatever its fields say; only a person parts them",
    "conversion": "the conversion decides, whatever the fields say; only a person parts them",
    INHERITED: "as long as the merge stands, unless a stronger rule or a person's word changes it",
}
_APART = ("reject", "forbid")
_ALONE = {
    "apart": "a person's word keeps it apart",
    "waits": "what it may be one with waits for a person",
    "nothing": "nothing to link it with is sure enough",
}
_BY_FIELDS = "once made it is kept, until a stronger rule or a person's word changes it"


def explain_match(
    store: Store,
    agreement: Agreement,
    links: pd.DataFrame,
    place: Place,
    *,
    is_masked: bool = True,
) -> dict[str, Any]:
    """Say which records are one with this one and why, and what waits or was decided of it.

    `match` are the records of the same person, account or deal, each with the rule that linked it;
    `pair` is the link of this record, field by field with weights in bits, and the fewest changes
    of one field that would have moved it. `reviews` are the pairs that wait, likewise, with why and
    with what their records are one meanwhile; `decisions` what people said; `holds` how long the
    link does. Values are masked but for first letter and length.
    """
    own = _row_of(links, place)
    rows = links[(links["entity"] == own["entity"]) & (links["entity_id"] == own["entity_id"])]
    partner = _partner(own)
    waiting = _waiting(store, place)
    pairs = [ordered(place, partner)] if partner else []
    pairs += [sides_of(row) for row in waiting]
    tables = read_records(store, agreement) if pairs else {}
    asked = [(str(own["entity"]), *pair) for pair in pairs]
    told = _evidence(tables, asked, agreement.identity, is_masked=is_masked)
    reviews = told[1:] if partner else told
    linked = companions(links, [sides_of(row) for row in waiting])
    decisions = _decisions(store, place)
    return {
        "holds": _holds(own["rule"], waiting, decisions),
        "match": [_record(row) for row in rows.to_dict("records")],
        "pair": told[0] if partner else None,
        "reviews": [
            pair | {"says": str(row["evidence"]), "linked": meanwhile}
            for pair, row, meanwhile in zip(reviews, waiting, linked, strict=True)
        ],
        "decisions": decisions,
    }


def _row_of(links: pd.DataFrame, place: Place) -> dict[Any, Any]:
    system, kind, record_id = place
    is_it = (
        (links["system"] == system) & (links["kind"] == kind) & (links["record_id"] == record_id)
    )
    row: dict[Any, Any] = links[is_it].iloc[0].to_dict()
    return row


def _record(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("system", "kind", "record_id", "rule", "score")},
        "evidence": masked(str(row["evidence"])),
        "since": row["since"].isoformat(timespec="seconds"),
        "is_survivor": bool(row["is_survivor"]),
        "decided_by": None if pd.isna(row["decided_by"]) else str(row["decided_by"]),
    }


# Pairs -------------------------------------------------------------------------------------------


def _partner(own: Mapping[Any, Any]) -> Place | None:
    """Give the record at the other end of a link; `evidence` names it.

    A record in place of a merged one names that, and has no other end.
    """
    if own["rule"] == INHERITED:
        return None
    parts = str(own["evidence"]).split(" ")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def _waiting(store: Store, place: Place) -> list[dict[Any, Any]]:
    reviews = store.reviews()
    rows: list[dict[Any, Any]] = reviews[_is_about(reviews, place)][:_MOST_PAIRS].to_dict("records")
    return rows


def _holds(
    rule: str, waiting: Sequence[Mapping[Any, Any]], decisions: Sequence[Mapping[str, Any]]
) -> str:
    """Say how long a link holds, or why a record is alone."""
    if rule != "only record":
        return _HOLDS.get(rule, _BY_FIELDS)
    is_apart = any(row["is_standing"] and row["decision"] in _APART for row in decisions)
    return _ALONE["apart" if is_apart else "waits" if waiting else "nothing"]


def _is_about(pairs: pd.DataFrame, place: Place) -> pd.Series:
    sides = [
        (pairs[f"{side}_system"] == place[0])
        & (pairs[f"{side}_kind"] == place[1])
        & (pairs[f"{side}_id"] == place[2])
        for side in ("left", "right")
    ]
    return (sides[0] | sides[1]).astype(bool)


def _decisions(store: Store, place: Place) -> list[dict[str, Any]]:
    rows = store.match_decisions(is_standing=False)
    return [
        {
            **dict(zip(SIDES, ("/".join(side) for side in sides_of(row)), strict=True)),
            "decision": row["decision"],
            "by": row["decided_by"],
            "at": row["decided_at"].isoformat(timespec="seconds"),
            "is_standing": pd.isna(row["ended_at"]),
        }
        for row in rows[_is_about(rows, place)].to_dict("records")
    ]


# Evidence ----------------------------------------------------------------------------------------


def _evidence(
    tables: Mapping[str, pd.DataFrame],
    pairs: Sequence[tuple[str, Place, Place]],
    policy: Identity,
    *,
    is_masked: bool,
) -> list[dict[str, Any]]:
    """Set each pair's records side by side; pairs of people across the systems have weights."""
    asked = [
        (left[2], right[2])
        for entity, left, right in pairs
        if entity == "person" and left[0] != right[0]
    ]
    weights = field_weights(tables["person"], asked, policy) if asked else {}
    moves = _moves_of(tables["person"], asked, policy) if asked else {}
    told = []
    for entity, left, right in pairs:
        key = (left[2], right[2])
        weighed = weights.get(key, Weighed())
        told.append(
            {
                "id": pair_id(entity, left, right),
                "left": "/".join(left),
                "right": "/".join(right),
                "link_bits": weighed.link_bits,
                "fields": side_by_side(
                    tables, entity, left, right, weighed.fields, is_masked=is_masked
                ),
                **moves.get(key, {"model": None, "changes": []}),
            }
        )
    return told


def _moves_of(
    people: pd.DataFrame, asked: Sequence[tuple[str, str]], policy: Identity
) -> dict[tuple[str, str], dict[str, Any]]:
    """Ask the shipped model what would have changed pairs."""
    found = changes(*match_tables(people, policy), distinct_pairs(asked), shipped_model())
    return {
        (str(one), str(other)): _moves(rows)
        for (one, other), rows in found.groupby(["hubspot_id", "salesforce_id"])
    }


def _moves(rows: pd.DataFrame) -> dict[str, Any]:
    """Keep the changes that would have decided otherwise: those that move it least go first."""
    as_is = rows[rows["change"] == AS_IS].iloc[0]
    others = rows[(rows["change"] != AS_IS) & (rows["decision"] != as_is["decision"])]
    distance = (others["weight"] - as_is["weight"]).abs()
    ordered_ = others.assign(distance=distance).sort_values(["distance", "field", "change"])
    return {
        "model": {
            "decision": str(as_is["decision"]),
            "score": float(as_is["score"]),
            "bits": round(float(as_is["weight"]), 2),
        },
        "changes": [
            {
                "field": str(row["field"]),
                "change": str(row["change"]),
                "decision": str(row["decision"]),
                "score": float(row["score"]),
                "says": _says(row),
            }
            for row in ordered_.to_dict("records")
        ],
    }


_WORDS = {
    "email": "e-mail", "first": "first name", "last": "last name", "phone": "phone",
    "company": "company", "domain": "domain", "title": "job title", "place": "place",
    "generation": "generation", "rivals": "rival",
}  # fmt: skip
_THEN = {
    "link": "it would be linked",
    "review": "a person would be asked",
    APART: "it would stay apart",
}


def _says(row: Mapping[Any, Any]) -> str:
    word = _WORDS[row["field"]]
    if row["change"] == EQUAL:
        return f"if the {word} were equal, {_THEN[row['decision']]}"
    return f"without the {word}, {_THEN[row['decision']]}"
