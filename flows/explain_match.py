"""Explain a match: by which rule and evidence records are one, and what would have changed it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from agreement.pairs import Place, ordered, pair_id
from agreement.policy import Agreement, Identity
from connectors.store import Store
from flows.calc_match import shipped_model
from flows.masking import masked
from flows.review_records import distinct_pairs, field_weights, read_records, side_by_side
from transforms.identity.humans import match_tables
from transforms.matching.changes import AS_IS, EQUAL, changes
from transforms.matching.decide import APART

# A pair's other side is looked at so often: a record has few reviews.
_MOST_PAIRS = 5


# What it takes to change a link, by the rule that made it.
_HOLDS = {
    "only record": "nothing to link it with is sure enough",
    "pinned": "a person's word: only another answer changes it",
    "accepted": "a person's word: it holds unless a pin, a stored id or a conversion speaks",
    "stored id": "the id on the record decides, whatever its fields say; only forbid parts them",
    "conversion": "the conversion decides, whatever the fields say; only forbid parts them",
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
    of one field that would have moved it. `reviews` are the pairs that wait, likewise; `decisions`
    what people said; `holds` how long the link does. Values are masked but for first letter and
    length.
    """
    own = _row_of(links, place)
    rows = links[(links["entity"] == own["entity"]) & (links["entity_id"] == own["entity_id"])]
    pairs = [(entity, *pair) for entity, pair in _pairs(store, own, place)]
    tables = read_records(store, agreement) if pairs else {}
    told = _evidence(tables, pairs, agreement.identity, is_masked=is_masked)
    partner = _partner(own)
    return {
        "holds": _HOLDS.get(own["rule"], _BY_FIELDS),
        "match": [_record(row) for row in rows.to_dict("records")],
        "pair": told[0] if partner else None,
        "reviews": told[1:] if partner else told,
        "decisions": _decisions(store, place),
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
    """Give the record at the other end of a link; `evidence` names it."""
    parts = str(own["evidence"]).split(" ")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None


def _pairs(
    store: Store, own: Mapping[Any, Any], place: Place
) -> list[tuple[str, tuple[Place, Place]]]:
    """List the record's link first, then the pairs that wait."""
    partner = _partner(own)
    pairs = [ordered(place, partner)] if partner else []
    reviews = store.reviews()
    for row in reviews[_is_about(reviews, place)][:_MOST_PAIRS].to_dict("records"):
        left, right = (
            (row[f"{side}_system"], row[f"{side}_kind"], row[f"{side}_id"])
            for side in ("left", "right")
        )
        pairs.append((left, right))
    return [(str(own["entity"]), pair) for pair in pairs]


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
            "left": f"{row['left_system']}/{row['left_kind']}/{row['left_id']}",
            "right": f"{row['right_system']}/{row['right_kind']}/{row['right_id']}",
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
    levels = field_weights(tables["person"], asked, policy) if asked else {}
    moves = _moves_of(tables["person"], asked, policy) if asked else {}
    return [
        {
            "id": pair_id(entity, left, right),
            "left": "/".join(left),
            "right": "/".join(right),
            "fields": side_by_side(
                tables, entity, left, right, levels.get((left[2], right[2]), []),
                is_masked=is_masked,
            ),
            **moves.get((left[2], right[2]), {"model": None, "changes": []}),
        }
        for entity, left, right in pairs
    ]  # fmt: skip


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
