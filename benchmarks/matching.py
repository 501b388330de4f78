"""Matching against its peers on worlds with known truth: `python -m benchmarks.matching`.

Worlds are `worlds_matching.py`'s: other words, code and rates than the model was trained on.
Figures are pairs: all pairs of a person's records in both systems, and one pair per record after
the one-to-one choice. A method that scores is cut at .5; `link` is what would be written unasked.
The labelled sets of a folder given by `--labelled` are halved into two systems first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.measure import is_installed, measured
from benchmarks.worlds_matching import world
from flows.calc_match import shipped_model
from transforms.matching import LINK, match
from transforms.matching.block import domains, joined
from transforms.matching.encode import MISSING, encode

SEED = 7
SIZES = (10_000, 100_000, 1_000_000)
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
            "score": 1 - 1e-6 * np.arange(len(pairs)),
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
    "exact e-mail": exact_email, "rules": rules, "Splink": splink, "ours": ours,
}  # fmt: skip


# Figures -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """Who each record is, by id; and how many pairs there are to find."""

    hubspot: pd.Series
    salesforce: pd.Series
    pairs: int
    partners: int

    @classmethod
    def of(cls, hubspot: pd.Series, salesforce: pd.Series) -> Truth:
        """Count all pairs, and pairs with each record at most once."""
        sizes = pd.concat([hubspot.value_counts(), salesforce.value_counts()], axis=1).fillna(0)
        one, other = sizes.iloc[:, 0], sizes.iloc[:, 1]
        return cls(hubspot, salesforce, int((one * other).sum()), int(np.minimum(one, other).sum()))

    def is_right(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        left = self.hubspot.reindex(rows["hubspot_id"]).to_numpy()
        same: NDArray[np.bool_] = left == self.salesforce.reindex(rows["salesforce_id"]).to_numpy()
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


def figures(rows: pd.DataFrame, truth: Truth, total: int) -> str:
    right = truth.is_right(rows)
    precision = right.mean() if len(rows) else 1.0
    recall = right.sum() / max(total, 1)
    score = 2 * precision * recall / max(precision + recall, 1e-9)
    return f"P {precision:.4f} R {recall:.4f} F1 {score:.4f}"


def run(method: str, profile: str, size: int) -> list[str]:
    """Match one world by one method; give its lines of figures."""
    people = int(size * _PEOPLE_PER_RECORD[profile])
    hubspot, salesforce, one, other = world(profile, people, SEED)
    truth = Truth.of(
        pd.Series(one, index=hubspot["record_id"].to_numpy(dtype=object)),
        pd.Series(other, index=salesforce["record_id"].to_numpy(dtype=object)),
    )
    return lines(METHODS[method](hubspot, salesforce), truth)


def lines(rows: pd.DataFrame, truth: Truth) -> list[str]:
    likely = rows[rows["score"] >= 0.5]
    text = [
        f"all pairs  {figures(likely, truth, truth.pairs)}",
        f"one to one {figures(one_to_one(likely), truth, truth.partners)}",
    ]
    if "decision" in rows:
        linked = rows[rows["decision"] == LINK]
        text.append(f"link       {figures(one_to_one(linked), truth, truth.partners)}")
    return text


def matched_only(method: str, profile: str, size: int) -> None:
    """Do what `run` does without any figures, so that its cost is the method's and the world's."""
    METHODS[method](*world(profile, int(size * _PEOPLE_PER_RECORD[profile]), SEED)[:2])


def world_only(profile: str, size: int) -> None:
    """Make a world, to take its cost off."""
    world(profile, int(size * _PEOPLE_PER_RECORD[profile]), SEED)


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


def labelled(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, Truth]:
    """Halve a set of duplicates into two systems, every other row."""
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype="str")
    named = frame.rename(columns=_LABELLED[path.name]).assign(
        record_id=frame["unique_id"].astype("str")
    )
    columns = ["record_id", *_LABELLED[path.name].values()]
    halves = [named.iloc[::2], named.iloc[1::2]]
    who = [pd.Series(half["cluster"].to_numpy(), index=half["record_id"]) for half in halves]
    tables = [half[columns].astype("str").reset_index(drop=True) for half in halves]
    for table in tables:
        for name in {"email", "company", "phone"} - set(table.columns):
            table[name] = pd.Series(None, index=table.index, dtype="str")
    return tables[0], tables[1], Truth.of(*who)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES[:2])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--labelled", type=Path, help="folder of labelled sets")
    options, _ = parser.parse_known_args()
    methods = [name for name in options.methods if name != "Splink" or is_installed("splink")]
    for profile in ("easy", "hard"):
        for size in options.sizes:
            made = measured(world_only, profile, size, rounds=1)
            print(f"\n{profile}, {size:,} records a side")
            for method in methods:
                cost = measured(matched_only, method, profile, size, rounds=1)
                cpu = cost.cpu_seconds - made.cpu_seconds
                result = measured(run, method, profile, size, rounds=1).result
                print(f"  {method:<13} {cpu:7.1f} CPU s {cost.peak_mib:6d} MiB", flush=True)
                print("".join(f"      {text}\n" for text in result), end="", flush=True)
    for name in _LABELLED if options.labelled else ():
        print(f"\n{name}")
        hubspot, salesforce, truth = labelled(options.labelled / name)
        for method in methods:
            if method != "Splink":
                rows = METHODS[method](hubspot, salesforce)
                print(f"  {method:<13} " + "; ".join(lines(rows, truth)), flush=True)


if __name__ == "__main__":
    main()
