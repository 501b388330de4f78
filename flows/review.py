"""Review: the pairs and conflicts that wait for a person, the answer that is worth most first."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from agreement.policy import Agreement
from connectors.store import Store
from flows.calc_match import shipped_model
from flows.masking import masked_value
from flows.review_records import (
    Weighed,
    companions,
    field_weights,
    read_records,
    side_by_side,
    sides_of,
)
from transforms.identity.doubts import CONTRADICTS
from transforms.matching import review_bits
from transforms.review_queue import conflict_queue, match_queue

# What a person can look through in a week or two; the rest waits behind it.
CAPACITY = 500
_SYSTEMS = ("hubspot", "salesforce")


def review_queue(
    store: Store, agreement: Agreement, *, limit: int = CAPACITY, is_masked: bool = True
) -> dict[str, Any]:
    """Give the pairs and the conflicts that wait, the answer that is worth most first.

    `matches` and `conflicts` hold at most `limit` rows each; the counts are of all. A match has
    both records' fields side by side with the weight of each in bits, and the sum from which it
    would be linked unasked (`link_bits`; none where no sum is enough, or no model compared the
    two); from `review_bits` on a pair is asked about. `linked` says what each of the two is one
    with now. A conflict has both values. With `is_masked` values are hidden but for their first
    letter and length. Amounts are minor units of company currency.
    """
    reviews, conflicts = store.reviews(), store.open_conflicts()
    deals, deal_people = store.measure("deal"), store.measure("deal_person")
    handoffs = store.measure("handoff")
    links = store.crosswalk()
    ranked = match_queue(reviews, links, deals, deal_people, handoffs)
    conflicts = conflicts[~conflicts["conflict_id"].isin(store.decisions()["conflict_id"])]
    disputed = conflict_queue(conflicts, deals, deal_people, handoffs)
    matches = _with_worth(reviews.set_index("review_id"), ranked[:limit])
    disputes = _with_worth(conflicts.set_index("conflict_id"), disputed[:limit])
    tables = read_records(store, agreement) if matches else {}
    weights = _weights(matches, tables, agreement)
    linked = companions(links, [sides_of(row) for row in matches])
    return {
        "match_count": len(ranked),
        "conflict_count": len(disputed),
        "is_masked": is_masked,
        "review_bits": round(review_bits(shipped_model()), 2),
        "matches": [
            _match(row, tables, weights, is_masked=is_masked) | {"linked": told}
            for row, told in zip(matches, linked, strict=True)
        ],
        "conflicts": [_conflict(row, is_masked=is_masked) for row in disputes],
    }


def _with_worth(rows: pd.DataFrame, ranked: pd.DataFrame) -> list[dict[Any, Any]]:
    rows_: list[dict[Any, Any]] = ranked.join(rows, on="id").to_dict("records")
    return rows_


_WORTH = ("uncertainty", "amount_minor", "handoff_count", "worth")


_Weights = Mapping[tuple[str, str], Weighed]


def _weights(
    rows: Sequence[Mapping[Any, Any]], tables: Mapping[str, pd.DataFrame], agreement: Agreement
) -> _Weights:
    """Weigh the fields of those that matching compares: people's records across the systems."""
    asked = [
        (row["left_id"], row["right_id"])
        for row in rows
        if row["entity"] == "person" and row["left_system"] != row["right_system"]
    ]
    return field_weights(tables["person"], asked, agreement.identity) if asked else {}


def _match(
    row: Mapping[Any, Any],
    tables: Mapping[str, pd.DataFrame],
    weights: _Weights,
    *,
    is_masked: bool,
) -> dict[str, Any]:
    left, right = sides_of(row)
    weighed = weights.get((left[2], right[2]), Weighed())
    return {
        "id": row["id"],
        "entity": row["entity"],
        "left": "/".join(left),
        "right": "/".join(right),
        "score": row["score"],
        "rule": row["rule"],
        "evidence": row["evidence"],
        "contradicts": row["evidence"].startswith(CONTRADICTS),
        "is_accepted": row["rule"] == "accepted",
        "found_at": row["found_at"].isoformat(timespec="seconds"),
        **{name: row[name] for name in _WORTH},
        "link_bits": weighed.link_bits,
        "fields": side_by_side(
            tables, row["entity"], left, right, weighed.fields, is_masked=is_masked
        ),
    }


def _conflict(row: Mapping[Any, Any], *, is_masked: bool) -> dict[str, Any]:
    values = {
        side: None if pd.isna(row[f"{side}_value"]) else str(row[f"{side}_value"])
        for side in _SYSTEMS
    }
    return {
        "id": row["id"],
        "entity": row["entity"],
        "field": row["field"],
        **{side: f"{side}/{row[f'{side}_kind']}/{row[f'{side}_id']}" for side in _SYSTEMS},
        **{
            f"{side}_value": masked_value(value) if value and is_masked else value
            for side, value in values.items()
        },
        "how": row["how"],
        **{name: row[name] for name in _WORTH},
    }
