"""What people decided on matches, and which pairs wait for them."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

import pandas as pd
from sqlalchemy import Connection, bindparam, insert, select, update

from agreement.frames import DataFrame, MatchDecisions, Reviews
from agreement.pairs import Place, ordered, pair_id
from connectors.store.columns import sqlite_instant, types_of
from connectors.store.rows import chunks, fetch_frame, rows_of, upsert
from connectors.store.tables import match_decision, outbox, review

Decision = Literal["accept", "reject", "pin", "forbid"]

_CHUNK = 500


class Decided(NamedTuple):
    """A person's word on two records; `entity` is person, account or deal."""

    entity: str
    one: Place
    other: Place
    decision: Decision


# Decisions ----------------------------------------------------------------------------------------


def decide_matches(
    connection: Connection, decided: Sequence[Decided], by: str, at: datetime
) -> list[str]:
    """Note what a person decided; give the decisions' ids, in order.

    A pair's earlier decision is ended and kept; of several on one pair the last stands. What the
    pair was told by when it was asked is kept with it.
    """
    ids = []
    for row in decided:
        pair = pair_id(row.entity, row.one, row.other)
        end_decisions(connection, [pair], by=by, at=at)
        ids.append(_decide(connection, row, pair, by, at))
    return ids


def _decide(connection: Connection, row: Decided, pair: str, by: str, at: datetime) -> str:
    left, right = ordered(row.one, row.other)
    count = len(
        connection.execute(
            select(match_decision.c.decision_id).where(match_decision.c.pair_id == pair)
        ).all()
    )
    content = "\x1f".join((pair, row.decision, by, sqlite_instant(at), str(count)))
    decision_id = "d_" + sha256(content.encode()).hexdigest()[:16]
    asked = select(review.c["keys"]).where(review.c.review_id == pair, review.c.ended_at.is_(None))
    connection.execute(
        insert(match_decision).values(
            decision_id=decision_id,
            entity=row.entity,
            **dict(zip(("left_system", "left_kind", "left_id"), left, strict=True)),
            **dict(zip(("right_system", "right_kind", "right_id"), right, strict=True)),
            decision=row.decision,
            decided_by=by,
            decided_at=at,
            keys=connection.scalar(asked),
            pair_id=pair,
        )
    )
    return decision_id


def end_decisions(connection: Connection, pairs: Sequence[str], *, by: str, at: datetime) -> int:
    """End the decisions that stand on these pairs, by their ids; give their number."""
    done = [
        connection.execute(
            update(match_decision)
            .where(match_decision.c.pair_id == pair, match_decision.c.ended_at.is_(None))
            .values(ended_at=at, ended_by=by)
        ).rowcount
        for pair in pairs
    ]
    return sum(done)


def read_decisions(connection: Connection, *, is_standing: bool) -> DataFrame[MatchDecisions]:
    """Give the decisions that stand, or all that ever did, by time and id."""
    types = types_of(MatchDecisions)
    c = match_decision.c
    query = select(*(c[name] for name in types)).order_by(c.decided_at, c.decision_id)
    if is_standing:
        query = query.where(c.ended_at.is_(None))
    return MatchDecisions.validate(fetch_frame(connection, query, types), lazy=True)


# What others said ---------------------------------------------------------------------------------


def read_own_values(connection: Connection) -> pd.DataFrame:
    """Give what our writes to shared fields made of the values that people had set.

    One row per record and field: `system`, `kind`, `record_id`, `field`, `before` (people's own
    value) and `after` (ours). Several writes in a row are one.
    """
    c = outbox.c
    query = (
        select(c.system, c.kind, c.record_id, c.before, c.after)
        .where(c.is_shared, c.state.in_(("sent", "confirmed")))
        .order_by(c.sent_at, c.key)
    )
    values: dict[tuple[str, str, str, str], tuple[str | None, str | None]] = {}
    for row in connection.execute(query):
        for field, after in row.after.items():
            place = (row.system, row.kind, row.record_id, field)
            before = row.before.get(field)
            own, ours = values.get(place, (before, before))
            values[place] = (own if ours == before else before, after)
    rows = [(*place, *pair) for place, pair in values.items()]
    names = ["system", "kind", "record_id", "field", "before", "after"]
    return pd.DataFrame(rows, columns=names).astype("str")


# Reviews ------------------------------------------------------------------------------------------


def save_reviews(
    connection: Connection, run_id: str, found: DataFrame[Reviews], at: datetime
) -> None:
    """Make these the pairs that wait; the others are ended, and kept.

    A pair that waited already keeps the night that first asked; what is said of it is renewed.
    """
    standing = set(
        connection.scalars(select(review.c.review_id).where(review.c.ended_at.is_(None)))
    )
    for gone in chunks(sorted(standing - set(found["review_id"])), _CHUNK):
        connection.execute(update(review).where(review.c.review_id.in_(gone)).values(ended_at=at))
    new = found[~found["review_id"].isin(standing)]
    rows = [{**row, "run_id": run_id} for row in rows_of(new)]
    if rows:
        statement = upsert(connection, review)
        names = [*types_of(Reviews), "run_id"]
        again = {name: statement.excluded[name] for name in names if name != "review_id"}
        connection.execute(
            statement.on_conflict_do_update(index_elements=[review.c.review_id], set_=again), rows
        )
    _renew(connection, found[found["review_id"].isin(standing)])


_SAID = ("score", "rule", "evidence", "keys")


def _renew(connection: Connection, known: pd.DataFrame) -> None:
    rows = [
        {f"new_{name}": row[name] for name in ("review_id", *_SAID)}
        for row in rows_of(known[["review_id", *_SAID]])
    ]
    if rows:
        connection.execute(
            update(review)
            .where(review.c.review_id == bindparam("new_review_id"))
            .values({name: bindparam(f"new_{name}") for name in _SAID}),
            rows,
        )


def read_reviews(connection: Connection, *, is_open: bool) -> DataFrame[Reviews]:
    """Give the pairs that wait, or all that ever did, by id."""
    types = types_of(Reviews)
    query = select(*(review.c[name] for name in types)).order_by(review.c.review_id)
    if is_open:
        query = query.where(review.c.ended_at.is_(None))
    return Reviews.validate(fetch_frame(connection, query, types), lazy=True)
