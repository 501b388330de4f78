"""Train the model that matching ships with: `python -m benchmarks.train_matching`.

Makes worlds (`train_worlds.py`), compares their candidate pairs, fits the trees, and calibrates on
pairs chosen in worlds that the trees had not seen. Writes `transforms/matching/model_v2.json`, the
same bytes each time; with `--cache DIR` worlds that were made are read again, `--out FILE` writes
elsewhere.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from benchmarks.boosting import boost
from benchmarks.train_worlds import world
from transforms.matching.candidates import candidates
from transforms.matching.choose import matching
from transforms.matching.compare import levels
from transforms.matching.encode import encode
from transforms.matching.model import Trees
from transforms.matching.records import Records
from transforms.matching.score import Pairs, candidate_pairs, context_rows, kin_rows, people
from transforms.matching.words import Words

FOLDER = Path(__file__).parents[1] / "transforms" / "matching"
WORDS = FOLDER / "words_v1.json"
OUT = FOLDER / "model_v2.json"
COMMAND = "python -m benchmarks.train_matching"
FIRST_SEED = 1000
# People in the large worlds: there every name has namesakes, and every number is held by more.
LARGE, LARGE_WORLDS = 200_000, 4
# Shares of records that have another one of the same person, in small worlds full of duplicates.
DOUBLED = (0.5, 0.7, 0.6, 0.8, 0.55, 0.75)
DOUBLED_PEOPLE = 4_000
# Pairs at the link share are the least sure ones: of all links about 99.7 of 100 are right. Those
# with the whole name and a further field of their own are right as often from a lower share on.
LINK_SHARE, SURE_SHARE, REVIEW_SHARE = 0.88, 0.75, 0.25
# Share of right pairs among duplicates inside a system from which two records are one person.
DUPLICATE_SHARE = 0.97


@dataclass(frozen=True)
class Seed:
    """What makes a world; `people` and `duplicate` where they are not drawn too."""

    number: int
    people: int | None = None
    duplicate: float | None = None

    @classmethod
    def all(cls, worlds: int, large: int) -> list[Seed]:
        """List the worlds to train on."""
        free = itertools.count(FIRST_SEED)
        drawn = [cls(next(free)) for _ in range(worlds)]
        crowded = [cls(next(free), LARGE) for _ in range(large)]
        return [*drawn, *crowded, *(cls(next(free), DOUBLED_PEOPLE, rate) for rate in DOUBLED)]


@dataclass(frozen=True)
class Sample:
    """One world's candidate pairs, compared, with the truth beside them."""

    levels: NDArray[np.int8]
    is_match: NDArray[np.bool_]
    is_across: NDArray[np.bool_]


@dataclass(frozen=True)
class Fields:
    """Trees over fields alone: across the systems, and inside one."""

    pair: Trees
    inside: Trees


@dataclass(frozen=True)
class Stage:
    """Rows for one fit: what the trees see, the score they improve on, and the truth."""

    rows: NDArray[np.int8]
    start: NDArray[np.int64]
    is_match: NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """A world's records and who each is."""

    records: Records
    person: NDArray[np.int64]

    def is_match(self, pairs: Pairs) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = self.person[pairs.left] == self.person[pairs.right]
        return same


def made(seed: Seed, cache: Path) -> World:
    """Make a world, or read it where it was kept."""
    words = Words.parse(WORDS.read_text(encoding="utf-8"))
    files = [cache / f"{side}{seed.number}.parquet" for side in "hs"]
    if not all(file.exists() for file in files):
        tables = world(seed.number, words, seed.people, seed.duplicate)[:2]
        for file, frame in zip(files, tables, strict=True):
            frame.to_parquet(file)
    frames = [pd.read_parquet(file) for file in files]
    people = [frame.sort_values("record_id", kind="stable")["person"] for frame in frames]
    return World(encode(*frames, words), np.concatenate(people))


def sampled(seed: Seed, cache: Path) -> Sample:
    """Compare a world's candidates."""
    of = made(seed, cache)
    left, right = candidates(of.records)
    is_across = (left < of.records.hubspot_count) & (right >= of.records.hubspot_count)
    return Sample(levels(of.records, left, right), of.person[left] == of.person[right], is_across)


def fit(parts: list[Stage], trees: int, *, is_new: bool = False) -> Trees:
    """Fit trees to all worlds' rows, large worlds counting less than their size."""
    sizes = np.array([len(part.start) for part in parts])
    weight = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    rows = np.concatenate([part.rows for part in parts])
    start = np.concatenate([part.start for part in parts])
    truth = np.concatenate([part.is_match for part in parts])
    first, total = _alike(rows, start, truth, weight / weight.mean())
    return boost(
        rows[first],
        truth[first],
        total,
        start=None if is_new else start[first],
        trees=trees,
    )


def _alike(
    rows: NDArray[np.int8],
    start: NDArray[np.int64],
    truth: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Gather rows that are alike: the position of each kind's first, and its weight."""
    rng = np.random.default_rng(0)
    factors = rng.integers(1, 1 << 62, rows.shape[1] + 2)
    code = start * factors[-1] + truth * factors[-2]
    for column, factor in zip(rows.T, factors, strict=False):
        code += column * factor
    _, first, at = np.unique(code, return_index=True, return_inverse=True)
    return first, np.bincount(at, weight)


def fit_fields(samples: list[Sample], trees: int) -> Fields:
    """Fit the trees over fields: across the systems, and with half as many inside."""

    def stages(is_across: bool) -> list[Stage]:
        masks = [sample.is_across == is_across for sample in samples]
        return [
            Stage(sample.levels[mask], np.zeros(mask.sum(), dtype=np.int64), sample.is_match[mask])
            for sample, mask in zip(samples, masks, strict=True)
        ]

    return Fields(
        fit(stages(is_across=True), trees, is_new=True),
        fit(stages(is_across=False), trees // 2, is_new=True),
    )


def scored_by(of: World, fields: Fields) -> tuple[Pairs, Pairs]:
    """Score a world's pairs by fields, as matching does."""
    left, right = candidates(of.records)
    return candidate_pairs(of.records, left, right, fields.pair, fields.inside)


def kin_stage(seed: Seed, cache: Path, fields: Fields) -> Stage:
    """Give what the trees of duplicates see of a world."""
    of = made(seed, cache)
    across, inside = scored_by(of, fields)
    rows = kin_rows(across, inside, len(of.records))
    return Stage(rows, inside.own, of.is_match(inside))


def duplicate_score(stages: list[Stage], kin: list[Trees]) -> int:
    """Find the score from which pairs inside a system are right often enough."""
    score = np.concatenate(
        [stage.start + kin[at % 2].score(stage.rows) for at, stage in enumerate(stages)]
    )
    truth = np.concatenate([stage.is_match for stage in stages])
    fitted = isotonic_regression(truth[np.argsort(score)].astype(float)).x
    return int(np.sort(score)[np.searchsorted(fitted, DUPLICATE_SHARE)])


@dataclass(frozen=True)
class Choice:
    """A world's pairs across the systems before the choice: the last fit's rows, and people."""

    stage: Stage
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    people: int


def choice(seed: Seed, cache: Path, fields: Fields, kin: Trees, threshold: int) -> Choice:
    """Give what the trees of context see of a world."""
    of = made(seed, cache)
    across, inside = scored_by(of, fields)
    score = inside.own + kin.score(kin_rows(across, inside, len(of.records)))
    person = people(inside, score, threshold, len(of.records))
    stage = Stage(context_rows(across, person), across.own, of.is_match(across))
    return Choice(stage, person[across.left], person[across.right], len(of.records))


def chosen(of: Choice, context: Trees) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the final scores of the pairs that the one-to-one choice keeps, and the truth."""
    score = of.stage.start + context.score(of.stage.rows)
    order = np.lexsort((-score, of.other, of.one))
    is_first = np.r_[True, (np.diff(of.one[order]) != 0) | (np.diff(of.other[order]) != 0)]
    best = order[is_first]
    won = best[matching(of.one[best], of.other[best], score[best], of.people)]
    return score[won], of.stage.is_match[won]


def calibration(seen: list[Choice], halves: list[Trees]) -> dict[str, list[float]]:
    """Give the rising curve from a chosen pair's score to the share that were right."""
    found = [chosen(part, halves[at % 2]) for at, part in enumerate(seen)]
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
    # Beyond the last step the curve goes on to near certainty, before the first to next to nothing:
    # so that sure pairs keep their order, and those below all that were ever chosen are no doubts.
    middle = np.r_[score.min(), middle, score.max()]
    curve = np.r_[0.001, curve, 0.99995]
    return {"scores": np.round(middle, 1).tolist(), "shares": np.round(curve, 5).tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--large", type=int, default=LARGE_WORLDS, help="large worlds besides")
    parser.add_argument("--trees", type=int, default=150)
    parser.add_argument("--cache", type=Path, help="keep the made worlds here")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        cache = options.cache or Path(folder)
        seeds = Seed.all(options.worlds, options.large)
        model = train(seeds, cache, options.trees)
    options.out.write_text(json.dumps(model, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{options.out.name}: {options.out.stat().st_size} bytes", file=sys.stderr)


def train(seeds: list[Seed], cache: Path, trees: int) -> dict[str, object]:
    """Fit, stage by stage; each world is scored by trees that the other half of them made."""
    with ProcessPoolExecutor(2) as pool:
        samples = list(pool.map(sampled, seeds, repeat(cache)))
        halves = [fit_fields(samples[1 - half :: 2], trees) for half in (0, 1)]
        fields = fit_fields(samples, trees)
        del samples
        by_half = [halves[at % 2] for at in range(len(seeds))]
        kin_stages = list(pool.map(kin_stage, seeds, repeat(cache), by_half))
        kins = [fit(kin_stages[1 - half :: 2], trees // 3) for half in (0, 1)]
        threshold = duplicate_score(kin_stages, kins)
        kin = fit(kin_stages, trees // 3)
        kin_by_half = [kins[at % 2] for at in range(len(seeds))]
        choices = list(
            pool.map(choice, seeds, repeat(cache), by_half, kin_by_half, repeat(threshold))
        )
    stages = [of.stage for of in choices]
    contexts = [fit(stages[1 - half :: 2], trees // 2) for half in (0, 1)]
    return {
        "version": 2,
        "command": COMMAND,
        "words_of": f"mimesis {version('mimesis')}",
        "pair": fields.pair.as_data(),
        "inside": fields.inside.as_data(),
        "kin": kin.as_data(),
        "context": fit(stages, trees // 2).as_data(),
        "calibration": calibration(choices, contexts),
        "link_share": LINK_SHARE,
        "sure_share": SURE_SHARE,
        "review_share": REVIEW_SHARE,
        "duplicate_score": threshold,
    }


if __name__ == "__main__":
    main()
