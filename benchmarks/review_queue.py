"""What the first 500 questions to a person are worth: `python -m benchmarks.review_queue`.

On `worlds_matching.py`'s hard world of 100,000 records a side, in which no money hangs on anybody:
the queue is ranked by uncertainty alone. A row changes a link when its two records are one person,
and settles a doubt either way.
"""

import argparse

import pandas as pd

from agreement.frames import Crosswalk, DealPeople, Deals, HandoffStatus, Reviews, as_utc, empty
from agreement.pairs import pair_ids
from benchmarks.worlds_matching import world
from flows.calc_match import shipped_model
from flows.review import CAPACITY
from transforms.matching import REVIEW, match
from transforms.review_queue import match_queue

SEED = 7
_PEOPLE_PER_RECORD = 1.31


def reviews_of(links: pd.DataFrame) -> pd.DataFrame:
    """Make one review of each two people that wait, by their best pair."""
    waiting = links[links["decision"] == REVIEW].sort_values(
        ["score", "hubspot_id", "salesforce_id"], ascending=[False, True, True]
    )
    rows = waiting.drop_duplicates("cluster_id")
    frame = pd.DataFrame(
        {
            "entity": "person", "left_system": "hubspot", "left_kind": "contact",
            "left_id": rows["hubspot_id"], "right_system": "salesforce", "right_kind": "lead",
            "right_id": rows["salesforce_id"], "score": rows["score"], "rule": rows["rule"],
            "evidence": rows["evidence"], "keys": "",
            "found_at": pd.Timestamp("2026-01-01", tz="UTC"),
        }
    )  # fmt: skip
    texts = [name for name in frame if name not in {"score", "found_at"}]
    frame = frame.astype(dict.fromkeys(texts, "str"))
    frame["found_at"] = as_utc(frame["found_at"])
    frame["ended_at"] = as_utc(pd.Series(pd.NaT, index=frame.index))
    return Reviews.validate(frame.assign(review_id=pair_ids(frame)), lazy=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    size = parser.parse_args().size
    hubspot, salesforce, one, other = world("hard", int(size * _PEOPLE_PER_RECORD), SEED)
    who = dict(zip(hubspot["record_id"], one, strict=True))
    who |= dict(zip(salesforce["record_id"], other, strict=True))
    reviews = reviews_of(match(hubspot, salesforce, shipped_model()))
    is_right = reviews["left_id"].map(who) == reviews["right_id"].map(who)
    right = is_right.set_axis(reviews["review_id"])
    nothing = [empty(table) for table in (Crosswalk, Deals, DealPeople, HandoffStatus)]
    queue = match_queue(reviews, *nothing)[:CAPACITY]
    print(f"{len(reviews):,} rows wait; {right.mean():.1%} of all are one person")
    print(
        f"first {len(queue)}: {right.loc[queue['id']].mean():.1%} change a link, the others a doubt"
    )
    scores = reviews.set_index("review_id").loc[queue["id"], "score"]
    print(f"their scores: {scores.min():.3f} to {scores.max():.3f}")


if __name__ == "__main__":
    main()
