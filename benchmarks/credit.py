"""Credit of millions of touches: eight models to the exact unit, beside a plain scan and a peer.

`python -m benchmarks.credit`. The tables are made here, seeded: paths of 10 touches on average, 12
channels, a share of them won. Ours reads the same Parquet as the scan, keeps the won paths, and
adds up the exact cents of every touch by channel under eight models.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from agreement.policy import load_agreement
from benchmarks.measure import Figures, is_installed, line, measured
from transforms import attribution

MODELS = ("first_touch", "last_touch", "linear", "position_based", "u_shaped", "w_shaped",
          "full_path", "time_decay")  # fmt: skip
CHANNELS = tuple(f"channel {number:02}" for number in range(12))
POLICY = load_agreement().attribution
_DAY = 86_400_000_000
_CLOSE = 1_780_000_000_000_000


def main() -> None:
    for paths, won in ((100_000, 0.3), (1_000_000, 0.3), (1_000_000, 1.0)):
        with tempfile.TemporaryDirectory() as folder:
            make_tables(Path(folder), paths, won)
            compare_with_scan(Path(folder), paths, won)
    for paths in (100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            make_path_table(Path(folder), paths)
            compare_with_peer(Path(folder), paths)


def make_tables(folder: Path, paths: int, won: float) -> None:
    """Write touches in the order of rules A2, and one row per path with its amount and dates."""
    random = np.random.default_rng(paths)
    lengths = random.geometric(0.1, paths).clip(1, 60)
    path = np.repeat(np.arange(paths), lengths)
    at = _CLOSE - random.integers(0, 90 * 86_400, len(path)) * 1_000_000
    at = at[np.lexsort((at, path))]
    channel = pa.DictionaryArray.from_arrays(
        pa.array(random.integers(0, len(CHANNELS), len(path)), pa.int8()), list(CHANNELS)
    )
    touches = pa.table({"path": path, "at": at, "channel": channel})
    pq.write_table(touches, folder / "touches.parquet")
    amounts = random.integers(10_000, 100_000_000, paths)
    deals = {
        "amount_minor": np.where(random.random(paths) < won, amounts, 0),
        "lead_created_at": _CLOSE - random.integers(0, 90, paths) * _DAY,
        "deal_created_at": _CLOSE - random.integers(0, 60, paths) * _DAY,
    }
    pq.write_table(pa.table(deals), folder / "deals.parquet")


def compare_with_scan(folder: Path, paths: int, won: float) -> None:
    ours = measured(eight_models, folder)
    touches, credited, booked = ours.result
    print(f"{paths:,} paths, {touches:,} touches, {won:.0%} won; booked {booked:,} minor units")
    if any(total != booked for total in credited.values()):
        raise SystemExit(f"credits do not add up: {credited}")
    scan = measured(polars_scan, folder) if is_installed("polars") else None
    line("polars: scan + group-by channel", scan)
    times = f"{ours.cpu_seconds / scan.cpu_seconds:.1f} x the scan" if scan else ""
    line("tandem: eight models, exact units, by channel", ours, times)


def eight_models(folder: Path) -> tuple[int, dict[str, int], int]:
    """Read the tables and add up every model's exact credit by channel."""
    deals = pq.read_table(folder / "deals.parquet")
    amounts = deals["amount_minor"].to_numpy()
    table = pq.read_table(folder / "touches.parquet")
    path = table["path"].to_numpy()
    first = np.searchsorted(path, np.arange(len(amounts) + 1))
    touches = len(path)
    channel = table["channel"].combine_chunks().indices.to_numpy()
    whole = attribution.PathTable(
        first=first,
        touched_at=table["at"].to_numpy(),
        channel=channel,
        lead_created_at=deals["lead_created_at"].to_numpy(),
        deal_created_at=deals["deal_created_at"].to_numpy(),
    )
    won = np.flatnonzero(amounts)
    sums = attribution.totals(whole, amounts, [channel], MODELS, POLICY, deals=won)[0]
    credited = {model: int(by_channel.sum()) for model, by_channel in sums.items()}
    return touches, credited, int(amounts.sum())


def polars_scan(folder: Path) -> int:
    """Read the same columns and group once: the floor for anything that looks at every touch."""
    import polars as pl

    grouped = (
        pl.scan_parquet(folder / "touches.parquet")
        .group_by("channel")
        .agg(pl.len(), pl.col("at").max(), pl.col("path").max())
        .collect()
    )
    return len(grouped)


def make_path_table(folder: Path, paths: int) -> None:
    """Write distinct journeys as the peer wants them: channels as text, counts, value."""
    random = np.random.default_rng(paths + 1)
    lengths = random.geometric(0.25, paths).clip(1, 30)
    names = np.array([name.replace(" ", "_") for name in CHANNELS])
    channel = names[random.integers(0, len(names), int(lengths.sum()))]
    ends = np.cumsum(lengths)
    text = [" > ".join(channel[end - count : end])
            for end, count in zip(ends, lengths, strict=True)]  # fmt: skip
    won = (random.random(paths) < 0.3).astype(np.int64)
    table = pa.table(
        {"path": text, "conversions": won, "value": won * random.integers(1, 1000, paths),
         "nulls": 1 - won}
    )  # fmt: skip
    pq.write_table(table, folder / "paths.parquet")


def compare_with_peer(folder: Path, paths: int) -> None:
    print(f"{paths:,} rows of a path table, read from Parquet by both")
    is_there = is_installed("ChannelAttribution")
    read = measured(read_only, folder)
    line("tandem: read the table, split the paths", read)
    peer = measured(peer_heuristics, folder) if is_there else None
    line("channelattribution: first, last, linear", peer)
    ours = measured(our_heuristics, folder)
    line("tandem: first, last, linear, exact", ours, _times(peer, ours))
    peer = measured(peer_markov, folder) if is_there else None
    line("channelattribution: Markov by simulation", peer)
    ours = measured(our_markov, folder)
    alone = replace(ours, cpu_seconds=ours.cpu_seconds - read.cpu_seconds)
    line("tandem: Markov by linear algebra, exact", ours, _times(peer, ours))
    line("the same without reading and splitting", alone, _times(peer, alone))


def _times(peer: Figures | None, ours: Figures) -> str:
    return f"{peer.cpu_seconds / ours.cpu_seconds:.1f} x faster" if peer else ""


def counted(folder: Path) -> tuple[attribution.CountedPaths, np.ndarray]:
    """Read the path table: split the text, number the channels."""
    table = pq.read_table(folder / "paths.parquet")
    split = pc.split_pattern(table["path"].combine_chunks(), " > ")
    channel = pc.dictionary_encode(split.flatten())
    paths = attribution.CountedPaths(
        first=split.offsets.to_numpy().astype(np.int64),
        channel=channel.indices.to_numpy().astype(np.int64),
        channels=len(channel.dictionary),
        conversions=table["conversions"].to_numpy(),
        nulls=table["nulls"].to_numpy(),
    )
    return paths, table["value"].to_numpy()


def read_only(folder: Path) -> None:
    counted(folder)


def our_heuristics(folder: Path) -> None:
    paths, value = counted(folder)
    weights = POLICY.weights.position_based
    for model in ("first_touch", "last_touch", "linear"):
        attribution.channel_results(paths, paths.conversions, model, weights)
        attribution.channel_results(paths, value, model, weights)


def our_markov(folder: Path) -> None:
    paths, _ = counted(folder)
    attribution.removal_effects(paths)


def _peer_frame(folder: Path) -> object:
    return pq.read_table(folder / "paths.parquet").to_pandas()


def peer_heuristics(folder: Path) -> None:
    import ChannelAttribution

    ChannelAttribution.heuristic_models(
        _peer_frame(folder), "path", "conversions", var_value="value", flg_pro=False
    )


def peer_markov(folder: Path) -> None:
    import ChannelAttribution

    ChannelAttribution.markov_model(
        _peer_frame(folder), "path", "conversions", var_value="value", var_null="nulls",
        verbose=False, flg_pro=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
