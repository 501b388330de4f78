"""Credit of millions of touches: eight models to the exact unit, beside a plain scan and peers.

`make bench-credit`. The tables are made here, seeded: paths of 10 touches on average, 12
channels, a share of them won. Ours reads the same Parquet as the scan, keeps the won paths, and
adds up the exact cents of every touch by channel under eight models.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from agreement.policy import load_agreement
from benchmarks.measure import Figures, is_installed, line, measured
from benchmarks.path_text import NumberedPaths, numbered
from transforms import attribution

MODELS = ("first_touch", "last_touch", "linear", "position_based", "u_shaped", "w_shaped",
          "full_path", "time_decay")  # fmt: skip
CHANNELS = tuple(f"channel {number:02}" for number in range(12))
POLICY = load_agreement().attribution
PUBLIC = (
    Path(__file__).parents[2] / "shared" / "data" / "funnel" / "channelattribution_pathdata.csv"
)
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
            compare_with_peers(Path(folder), paths)
    if PUBLIC.exists() and is_installed("ChannelAttribution"):
        compare_results(PUBLIC)
    else:
        print("the public table of paths or channelattribution is not on this machine")


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


def compare_with_peers(folder: Path, paths: int) -> None:
    """Time every tool from the same table in memory: paths as text, as the peers want them.

    Ours from numbers is shown too: what is left when nobody has to split text.
    """
    print(f"{paths:,} rows of a path table, in memory as text for all")
    is_there = is_installed("ChannelAttribution")
    peer = measured(peer_heuristics, folder, prepare=peer_table) if is_there else None
    line("channelattribution: first, last, linear", peer)
    other = measured(mam_heuristics, folder, prepare=peer_table) if is_installed("mam") else None
    line("marketing-attribution-models: the same three", other)
    ours = measured(our_heuristics, folder, prepare=our_table)
    line("tandem: the same three, exact", ours, _times(peer, ours))
    peer = measured(peer_markov, folder, prepare=peer_table) if is_there else None
    line("channelattribution: Markov by simulation", peer)
    if is_there:
        line("  of which reading its table", measured(peer_reading, folder, prepare=peer_table))
    other = measured(mam_markov, folder, prepare=peer_table) if is_installed("mam") else None
    line("marketing-attribution-models: Markov", other)
    ours = measured(our_markov, folder, prepare=our_table)
    line("tandem: Markov by linear algebra, exact", ours, _times(peer, ours))
    numbers = measured(our_markov_of_numbers, folder, prepare=our_numbers)
    line("the same from numbers", numbers, _times(peer, numbers))


def _times(peer: Figures | None, ours: Figures) -> str:
    return f"{peer.cpu_seconds / ours.cpu_seconds:.1f} x faster" if peer else ""


def our_table(folder: Path) -> pa.Table:
    """Read the table; each column is in one piece, as the peers' are."""
    return pq.read_table(folder / "paths.parquet").combine_chunks()


def our_numbers(folder: Path) -> attribution.CountedPaths:
    return counted(our_table(folder))


def counted(table: pa.Table) -> attribution.CountedPaths:
    """Number the channels of a path table out of its text."""
    return _counted(numbered(table["path"].chunk(0)), table)


def _counted(paths: NumberedPaths, table: pa.Table) -> attribution.CountedPaths:
    return attribution.CountedPaths(
        first=paths.first,
        channel=paths.channel,
        channels=len(paths.names),
        conversions=table["conversions"].to_numpy(),
        nulls=table["nulls"].to_numpy(),
    )


def our_heuristics(table: pa.Table) -> None:
    paths, value = counted(table), table["value"].to_numpy()
    weights = POLICY.weights.position_based
    for model in ("first_touch", "last_touch", "linear"):
        attribution.channel_results(paths, paths.conversions, model, weights)
        attribution.channel_results(paths, value, model, weights)


def our_markov(table: pa.Table) -> None:
    attribution.removal_effects(counted(table))


def our_markov_of_numbers(paths: attribution.CountedPaths) -> None:
    attribution.removal_effects(paths)


def peer_table(folder: Path) -> object:
    return pq.read_table(folder / "paths.parquet").to_pandas()


def peer_heuristics(table: object) -> None:
    import ChannelAttribution

    ChannelAttribution.heuristic_models(
        table, "path", "conversions", var_value="value", flg_pro=False
    )


def _peer_markov(table: object, **simulation: float) -> object:
    import ChannelAttribution

    return ChannelAttribution.markov_model(
        table, "path", "conversions", var_value="value", var_null="nulls",
        verbose=False, flg_pro=False, **simulation,
    )  # fmt: skip


def peer_markov(table: object) -> None:
    _peer_markov(table)


def peer_reading(table: object) -> None:
    """Simulate one journey only: what is left is its reading of the table."""
    _peer_markov(table, nsim_start=1, conv_par=1.0)


def _mam(table: object) -> object:
    from mam import MAM

    return MAM(
        table, format_type="grouped_journey", channels_colname="path",
        journey_with_conv_colname="is_won", occurrences_colname="count",
    )  # fmt: skip


def _mam_table(table: object) -> object:
    """Give the same journeys as this peer wants them: each row won or not, and how often."""
    return table.assign(is_won=table["conversions"] > 0, count=1)


def mam_heuristics(table: object) -> None:
    models = _mam(_mam_table(table))
    for run in (models.run_first_click, models.run_last_click, models.run_linear):
        run()


def mam_markov(table: object) -> None:
    _mam(_mam_table(table)).run_markov(transition_to_same_state=True)


# Agreement with the peers ------------------------------------------------------------------------


def compare_results(table: Path) -> None:
    """Hold the public table of 10,000 paths against channelattribution's own results."""
    import ChannelAttribution

    print("public table of paths: largest difference of any channel, relative")
    frame = pd.read_csv(table, sep=";")
    names = {"total_conversions": "conversions", "total_null": "nulls"}
    frame = frame.rename(columns={**names, "total_conversion_value": "value"})
    paths, channels = _public_paths(frame)
    peer = ChannelAttribution.heuristic_models(frame, "path", "conversions", flg_pro=False)
    peer = peer.set_index("channel_name").loc[channels]
    weights = POLICY.weights.position_based
    for ours, theirs in (("first_touch", "first_touch"), ("last_touch", "last_touch"),
                         ("linear", "linear_touch")):  # fmt: skip
        found = attribution.channel_results(paths, paths.conversions, ours, weights)
        _difference(ours, found, peer[theirs])
    found = attribution.channel_results(paths, paths.conversions, "markov", weights)
    _beside_simulation(found, frame, channels)


def _beside_simulation(ours: list, frame: pd.DataFrame, channels: list[str]) -> None:
    """Set our distance from the mean of its simulations beside the spread of these themselves.

    The seeds lie far apart: runs of neighbouring ones spread too little to be independent.
    """
    runs = np.array(
        [
            _peer_markov(frame, nsim_start=1_000_000, seed=seed)
            .set_index("channel_name")
            .loc[channels, "total_conversions"]
            for seed in range(1000, 9000, 1000)
        ]
    )
    whole = float(frame["conversions"].sum())
    distance = np.abs(np.array([float(one) for one in ours]) - runs.mean(axis=0)).max() / whole
    spread = (runs.max(axis=0) - runs.min(axis=0)).max() / whole
    deviation = runs.std(axis=0, ddof=1)
    from_mean = np.abs(np.array([float(one) for one in ours]) - runs.mean(axis=0)) / deviation
    print("  Markov, eight simulations of a million journeys; shares of all conversions")
    print(f"    largest distance of ours from their mean            {distance:.2e}")
    print(f"    largest spread between them                         {spread:.2e}")
    print(f"    of a channel, in deviations of one simulation       {from_mean.max():.1f}")


def _public_paths(frame: pd.DataFrame) -> tuple[attribution.CountedPaths, list[str]]:
    table = pa.Table.from_pandas(frame[["path", "conversions", "nulls"]])
    paths = numbered(table["path"].cast(pa.string()).chunk(0))
    return _counted(paths, table), paths.names


def _difference(name: str, ours: list, theirs: pd.Series) -> None:
    pairs = zip(ours, theirs.tolist(), strict=True)
    largest = max(abs(float(one) - other) / abs(float(one)) for one, other in pairs)
    print(f"  {name:<52} {largest:.2e}")


if __name__ == "__main__":
    main()
