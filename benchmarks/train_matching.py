"""Train the model that matching ships with: `python -m benchmarks.train_matching`.

Makes worlds (`train_worlds.py`), compares their candidate pairs, fits the trees, and calibrates on
pairs chosen in worlds that the trees had not seen. Writes `transforms/matching/model_v1.json`.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from benchmarks.boosting import boost
from benchmarks.train_worlds import world
from transforms.matching.block import candidates
from transforms.matching.choose import clusters, matching
from transforms.matching.compare import levels
from transforms.matching.encode import encode
from transforms.matching.model import UNIT, Trees
from transforms.matching.score import WORTH_KEEPING, in_context, scored
from transforms.matching.words import Words

FOLDER = Path(__file__).parents[1] / "transforms" / "matching"
WORDS = FOLDER / "words_v1.json"
OUT = FOLDER / "model_v1.json"
FIRST_SEED = 1000
LINK_SHARE, REVIEW_SHARE = 0.97, 0.25
# Share of right pairs among duplicates inside a system from which two records are one person.
DUPLICATE_SHARE = 0.97


@dataclass
class Pairs:
    """One world's candidate pairs, compared, with the truth beside them."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    levels: NDArray[np.int8]
    is_match: NDArray[np.bool_]
    is_across: NDArray[np.bool_]
    records: int
    true_pairs: int


def pairs_of(seed: int, cache: Path | None) -> Pairs:
    """Make a world, or read it where it was kept, and compare its candidates."""
    words = Words.parse(WORDS.read_text(encoding="utf-8"))
    files = [cache / f"{side}{seed}.parquet" for side in "hs"] if cache else []
    if files and all(file.exists() for file in files):
        hubspot, salesforce = (pd.read_parquet(file) for file in files)
    else:
        hubspot, salesforce, _ = world(seed, words)
        for file, frame in zip(files, (hubspot, salesforce), strict=False):
            frame.to_parquet(file)
    records = encode(hubspot, salesforce, words)
    left, right = candidates(records)
    person = np.r_[
        hubspot.sort_values("record_id", kind="stable")["person"],
        salesforce.sort_values("record_id", kind="stable")["person"],
    ]
    both = hubspot["person"].value_counts() * salesforce["person"].value_counts()
    is_across = (left < len(hubspot)) & (right >= len(hubspot))
    return Pairs(
        left, right, levels(records, left, right), person[left] == person[right], is_across,
        len(person), int(both.sum()),
    )  # fmt: skip


def fit(parts: list[Pairs], is_across: bool, trees: int) -> Trees:
    """Fit trees to all worlds' pairs, large worlds counting less than their size."""
    masks = [part.is_across == is_across for part in parts]
    rows = np.concatenate([part.levels[mask] for part, mask in zip(parts, masks, strict=True)])
    truth = np.concatenate([part.is_match[mask] for part, mask in zip(parts, masks, strict=True)])
    sizes = np.array([mask.sum() for mask in masks])
    weight = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    return boost(rows, truth, weight / weight.mean(), trees=trees)


def duplicate_score(parts: list[Pairs], inside: Trees) -> int:
    """Find the score from which pairs inside a system are right often enough."""
    score = np.concatenate([scored(inside, part.levels[~part.is_across]) for part in parts])
    truth = np.concatenate([part.is_match[~part.is_across] for part in parts])
    fitted = isotonic_regression(truth[np.argsort(score)].astype(float)).x
    return int(np.sort(score)[np.searchsorted(fitted, DUPLICATE_SHARE)])


@dataclass
class Seen:
    """A world's pairs across the systems with their context, ready for the second trees."""

    hubspot: NDArray[np.int64]
    salesforce: NDArray[np.int64]
    person: NDArray[np.int64]
    rows: NDArray[np.int8]
    own: NDArray[np.int64]
    is_match: NDArray[np.bool_]


def seen_by(part: Pairs, pair: Trees, inside: Trees, threshold: int) -> Seen:
    """Score a world's pairs as matching does, up to the context."""
    within = ~part.is_across
    score = scored(inside, part.levels[within])
    sure = score >= threshold
    person = clusters(part.left[within][sure], part.right[within][sure], score[sure], part.records)
    own = scored(pair, part.levels[part.is_across])
    kept = own >= WORTH_KEEPING
    left, right = part.left[part.is_across][kept], part.right[part.is_across][kept]
    compared, own = part.levels[part.is_across][kept], own[kept]
    rows = in_context(left, right, compared, own, person)
    return Seen(left, right, person, rows, own, part.is_match[part.is_across][kept])


def chosen_scores(seen: Seen, context: Trees) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the final scores of the pairs that the one-to-one choice keeps, and the truth."""
    score = seen.own + context.score(seen.rows)
    one, other = seen.person[seen.hubspot], seen.person[seen.salesforce]
    order = np.lexsort((-score, other, one))
    is_first = np.r_[True, (np.diff(one[order]) != 0) | (np.diff(other[order]) != 0)]
    best = order[is_first]
    won = best[matching(one[best], other[best], score[best], len(seen.person))]
    return score[won], seen.is_match[won]


def fit_context(seen: list[Seen], trees: int) -> Trees:
    sizes = np.array([len(part.own) for part in seen])
    weight = np.repeat(1 / np.sqrt(sizes), sizes)
    return boost(
        np.concatenate([part.rows for part in seen]),
        np.concatenate([part.is_match for part in seen]),
        weight / weight.mean(),
        start=np.concatenate([part.own for part in seen]),
        trees=trees,
    )


def calibration(seen: list[Seen], halves: list[Trees]) -> dict[str, list[float]]:
    """Give the rising curve from a chosen pair's score to the share that were right."""
    found = [chosen_scores(part, halves[at % 2]) for at, part in enumerate(seen)]
    score = np.concatenate([scores for scores, _ in found])
    truth = np.concatenate([right for _, right in found])
    weight = np.concatenate([np.full(len(s), 1 / np.sqrt(len(s))) for s, _ in found])
    edges = np.unique(np.quantile(score, np.linspace(0, 1, 80)))
    bin_ = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, len(edges) - 2)
    total = np.bincount(bin_, weight)
    share = np.bincount(bin_, weight * truth) / total
    middle = np.bincount(bin_, weight * score) / total
    fitted = isotonic_regression(share, weights=total).x
    curve = np.clip(fitted, 0.001, 0.9999)
    # Beyond the last step the curve goes on to near certainty, so that sure pairs keep their order.
    middle, curve = np.r_[middle, score.max()], np.r_[curve, 0.99995]
    return {"scores": np.round(middle, 1).tolist(), "shares": np.round(curve, 5).tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--trees", type=int, default=160)
    parser.add_argument("--cache", type=Path, default=None, help="keep the made worlds here")
    options = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + options.worlds)
    with ProcessPoolExecutor(2) as pool:
        parts = list(pool.map(pairs_of, seeds, [options.cache] * len(seeds)))
    print("pairs", sum(len(part.left) for part in parts), flush=True)
    inside = fit(parts, is_across=False, trees=options.trees // 2)
    threshold = duplicate_score(parts, inside)
    halves = [fit(parts[half::2], is_across=True, trees=options.trees) for half in (0, 1)]
    # Each world is scored by the trees that the other half of the worlds made.
    seen = [seen_by(part, halves[1 - at % 2], inside, threshold) for at, part in enumerate(parts)]
    contexts = [fit_context(seen[1 - half :: 2], options.trees // 2) for half in (0, 1)]
    model = {
        "version": 1,
        "pair": fit(parts, is_across=True, trees=options.trees).as_data(),
        "inside": inside.as_data(),
        "context": fit_context(seen, options.trees // 2).as_data(),
        "calibration": calibration(seen, contexts),
        "link_share": LINK_SHARE,
        "review_share": REVIEW_SHARE,
        "duplicate_score": threshold,
    }
    OUT.write_text(json.dumps(model, separators=(",", ":")) + "\n", encoding="utf-8")
    print("written", OUT.name, OUT.stat().st_size, "duplicates from", threshold / UNIT)


if __name__ == "__main__":
    main()
