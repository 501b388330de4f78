"""Matching against its peers on pairs with known truth: `python -m benchmarks.matching`.

Worlds are `worlds_matching.py`'s: other words, code and rates than the model was trained on. The
labelled sets of the folder given by `--labelled` are halved into two systems first. A method that
scores is cut at .5; `link` is what would be written unasked. Figures are pairs of records and
entities (people found in both systems), before and after one partner is chosen for each record.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.measure import is_installed, measured, peak_mib
from benchmarks.worlds_matching import VARIANTS, world
from flows.calc_match import shipped_model
from transforms.matching import LINK, match
from transforms.matching.encode import COLUMNS, encode
from transforms.matching.records import MISSING, domains, joined

SEED = 7
SIZES = (10_000, 100_000)
MILLION = 1_000_000
PROFILES = ("easy", "hard")
LABELLED = Path("../shared/data/matching")
# People in the cast whose records fill one system of the given size.
_PEOPLE_PER_RECORD = {"easy": 1.22, "hard": 1.31}
Method = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]


# Methods -----------------------------------------------------------------------------------------


def ours(hubspot: pd.DataFrame, salesforce: pd.DataFrame) -> pd.DataFrame:
    return match(hubspot, salesforce, shipped_model())


def exact_email(hubspot: pd.DataFrame, salesforce: pd.DataFrame) -> pd.DataFrame:
    keys = [frame["email"].str.strip().str.lower() for frame in (hubspot, salesforce)]
    return _paired(hubspot["record_id"], keys[0], salesforce["record_id"], keys[1])


def rules(hubspot: pd.DataFrame, salesforce: pd.DataFrame) -> pd.DataFrame:
    """Five exact keys on the same normalised values that matching compares, the surest first."""
    records = encode(hubspot, salesforce, shipped_model().words)
    row = np.arange(len(records))
    address = records.address
    name = joined(records.first_root, records.last.code)
    initial_last = np.where(
        (records.initial >= 0) & (records.last.code >= 0),
        records.initial + 128 * records.last.code,
        MISSING,
    )
    where, domain = domains(records)
    keys = [
        (row, np.where(address.is_role[:, 0], MISSING, address.id[:, 0])),
        (row, joined(initial_last, records.phones[:, 0])),
        (row, joined(initial_last, records.phones[:, 1])),
        (row, joined(name, records.company.code)),
        (where, joined(name[where], domain)),
    ]
    is_hubspot = row < records.hubspot_count
    found = []
    for rows, key in keys:
        of = pd.DataFrame({"row": rows, "key": key})[key >= 0]
        left, right = of[is_hubspot[of["row"]]], of[~is_hubspot[of["row"]]]
        found.append(left.merge(right, on="key")[["row_x", "row_y"]])
    pairs = pd.concat(found).drop_duplicates()
    ids = records.record_id
    return pd.DataFrame(
        {
            "hubspot_id": ids[pairs["row_x"]],
            "salesforce_id": ids[pairs["row_y"]],
            "score": 1 - 0.5 * np.arange(len(pairs)) / max(len(pairs), 1),
        }
    )


def splink(hubspot: pd.DataFrame, salesforce: pd.DataFrame) -> pd.DataFrame:
    from benchmarks.splink_peer import splink_pairs

    return splink_pairs(hubspot, salesforce, shipped_model().words)


def _paired(
    hubspot_id: pd.Series, hubspot_key: pd.Series, salesforce_id: pd.Series, key: pd.Series
) -> pd.DataFrame:
    left = pd.DataFrame({"hubspot_id": hubspot_id, "key": hubspot_key}).dropna()
    right = pd.DataFrame({"salesforce_id": salesforce_id, "key": key}).dropna()
    return left.merge(right, on="key").assign(score=1.0).drop(columns="key")


METHODS: dict[str, Method] = {
    "exact e-mail": exact_email, "rules alone": rules, "Splink alone": splink, "ours": ours,
}  # fmt: skip


# Figures -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """Who each record is, by id; and how much there is to find."""

    hubspot: pd.Series
    salesforce: pd.Series
    pairs: int
    partners: int
    people: int

    @classmethod
    def of(cls, hubspot: pd.Series, salesforce: pd.Series) -> Truth:
        """Count all pairs, pairs with each record at most once, and people of both systems."""
        sizes = pd.concat([hubspot.value_counts(), salesforce.value_counts()], axis=1).fillna(0)
        one, other = sizes.iloc[:, 0].to_numpy(), sizes.iloc[:, 1].to_numpy()
        fewer = np.minimum(one, other)
        return cls(
            hubspot, salesforce, int((one * other).sum()), int(fewer.sum()), int((fewer > 0).sum())
        )

    def people_of(self, rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return (
            self.hubspot.reindex(rows["hubspot_id"]).to_numpy(),
            self.salesforce.reindex(rows["salesforce_id"]).to_numpy(),
        )

    def is_right(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        one, other = self.people_of(rows)
        same: NDArray[np.bool_] = one == other
        return same


def one_to_one(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep, from the best score down, pairs of records that are not yet taken."""
    ordered = rows.sort_values(
        ["score", "hubspot_id", "salesforce_id"], ascending=[False, True, True]
    )
    taken: set[tuple[str, str]] = set()
    kept = []
    pairs = zip(ordered["hubspot_id"], ordered["salesforce_id"], strict=True)
    for place, (one, other) in enumerate(pairs):
        if ("h", one) not in taken and ("s", other) not in taken:
            taken |= {("h", one), ("s", other)}
            kept.append(place)
    return ordered.iloc[kept]


def pair_figures(rows: pd.DataFrame, truth: Truth, total: int) -> str:
    right = truth.is_right(rows)
    return _figures(int(right.sum()), len(rows), total)


def entity_figures(rows: pd.DataFrame, truth: Truth) -> str:
    """Count people: records that are linked, also through others, are one; right if they are.

    A person that is found in two groups is found once.
    """
    left = pd.factorize(rows["hubspot_id"])[0]
    right = pd.factorize(rows["salesforce_id"])[0]
    count = len(rows) and int(left.max() + right.max() + 2)
    edges = (np.ones(len(rows), dtype=np.int8), (left, right + (len(rows) and left.max() + 1)))
    group = connected_components(coo_matrix(edges, shape=(count, count)), directed=False)[1]
    one, other = truth.people_of(rows)
    seen = pd.DataFrame({"group": group[left], "one": one, "other": other})
    both = seen.groupby("group")
    low, high = both.min().min(axis=1), both.max().max(axis=1)
    pure = low[low == high]
    return _figures(len(pure), len(low), truth.people, pure.nunique())


def _figures(right: int, given: int, total: int, found: int | None = None) -> str:
    precision = right / given if given else 1.0
    recall = (right if found is None else found) / max(total, 1)
    score = 2 * precision * recall / max(precision + recall, 1e-9)
    return f"P {precision:.4f} R {recall:.4f} F1 {score:.4f}"


def lines(rows: pd.DataFrame, truth: Truth) -> list[str]:
    likely = rows[rows["score"] >= 0.5]
    chosen = one_to_one(likely)
    text = [
        f"all pairs   {pair_figures(likely, truth, truth.pairs)}"
        f"   entities {entity_figures(likely, truth)}",
        f"one to one  {pair_figures(chosen, truth, truth.partners)}"
        f"   entities {entity_figures(chosen, truth)}",
    ]
    if "decision" in rows:
        linked = one_to_one(rows[rows["decision"] == LINK])
        text.append(
            f"link        {pair_figures(linked, truth, truth.partners)}"
            f"   entities {entity_figures(linked, truth)}"
        )
    return text


# Runs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What one method cost (CPU of all threads, the process's peak) and what it was worth."""

    cpu_seconds: float
    peak_mib: int
    lines: list[str]


def make(profile: str, size: int, folder: Path) -> None:
    """Write both systems of a world and, beside each record, who it is."""
    people = int(size * _PEOPLE_PER_RECORD[profile.partition(",")[0]])
    hubspot, salesforce, one, other = world(profile, people, SEED)
    hubspot.assign(person=one).to_parquet(folder / "hubspot.parquet")
    salesforce.assign(person=other).to_parquet(folder / "salesforce.parquet")


def run(method: str, folder: Path) -> Result:
    """Match what lies in a folder by one method."""
    columns = [name for name in COLUMNS if name not in {"kind", "created_at", "modified_at"}]
    tables = [
        pd.read_parquet(folder / f"{system}.parquet", columns=columns)
        for system in ("hubspot", "salesforce")
    ]
    start = time.process_time()
    rows = METHODS[method](*tables)
    cost = time.process_time() - start, peak_mib()
    return Result(*cost, lines(rows, _truth(folder)))


def _truth(folder: Path) -> Truth:
    people = [
        pd.read_parquet(folder / f"{system}.parquet", columns=["record_id", "person"])
        for system in ("hubspot", "salesforce")
    ]
    return Truth.of(*(frame.set_index("record_id")["person"] for frame in people))


def compared(methods: Sequence[str], folder: Path) -> dict[str, Result]:
    """Run each method in a process of its own, and print its figures."""
    results = {}
    for method in methods:
        result = measured(run, method, folder, rounds=1).result
        print(f"  {method:<13} {result.cpu_seconds:7.1f} CPU s {result.peak_mib:6d} MiB")
        print("".join(f"      {text}\n" for text in result.lines), end="", flush=True)
        results[method] = result
    return results


def vary(size: int) -> None:
    """Match worlds that have one habit each far from the profiles'."""
    for name in VARIANTS:
        print(f"\n{name}, {size:,} records a side")
        with TemporaryDirectory() as folder:
            make(name, size, Path(folder))
            compared(["ours"], Path(folder))


# Labelled sets -----------------------------------------------------------------------------------

_LABELLED = {
    "fake_1000.csv": {
        "first_name": "first_name", "surname": "last_name", "city": "city", "email": "email",
    },
    "historical_figures_with_errors_50k.parquet": {
        "first_name": "first_name", "surname": "last_name", "birth_place": "city",
        "postcode_fake": "postcode", "occupation": "title",
    },
}  # fmt: skip


def halve(path: Path, folder: Path) -> None:
    """Write a set of duplicates as two systems, every other row."""
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype="str")
    named = frame.rename(columns=_LABELLED[path.name])
    named = named.assign(record_id=frame["unique_id"], person=frame["cluster"].astype("category"))
    named["person"] = named["person"].cat.codes.astype("int64")
    given = [name for name in COLUMNS if name in named]
    for half, system in enumerate(("hubspot", "salesforce")):
        table = named.iloc[half::2][given].astype("str").reset_index(drop=True)
        table = table.reindex(columns=[name for name in COLUMNS if name != "kind"]).astype("str")
        table["person"] = named["person"].iloc[half::2].to_numpy()
        table.to_parquet(folder / f"{system}.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--million", action="store_true", help="a million records a side as well")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--labelled", type=Path, default=LABELLED, help="folder of labelled sets")
    parser.add_argument("--variants", type=int, metavar="SIZE", help="only worlds of other habits")
    options, _ = parser.parse_known_args()
    if options.variants:
        vary(options.variants)
        return
    methods = [name for name in options.methods if name != "Splink alone" or is_installed("splink")]
    sizes = [*options.sizes, *([MILLION] if options.million else [])]
    for profile in PROFILES:
        seconds = []
        for size in sizes:
            print(f"\n{profile}, {size:,} records a side")
            with TemporaryDirectory() as folder:
                measured(make, profile, size, Path(folder), rounds=1)
                results = compared(methods, Path(folder))
            seconds.append(results["ours"].cpu_seconds if "ours" in results else math.nan)
        if len(sizes) > 1:
            growth = math.log(seconds[-1] / seconds[0]) / math.log(sizes[-1] / sizes[0])
            print(f"  CPU of ours grows with the size to the power of {growth:.2f}")
    for name in _LABELLED:
        path = options.labelled / name
        print(f"\n{name}" + ("" if path.exists() else f": not in {options.labelled}"))
        if path.exists():
            with TemporaryDirectory() as folder:
                halve(path, Path(folder))
                compared(methods, Path(folder))


if __name__ == "__main__":
    main()
