"""The scoreboard of 200,000 people: its size, and how long it takes: `python -m benchmarks.board`.

A seeded company of 2,000 people after its night; its records are then taken a hundred times, each
time under ids of their own, since a night over so many would take the better part of an hour. What
the page sums up (teams, channels, campaigns, weeks) stays as many.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from connectors.settings import Settings
from flows.board import board, write_page
from flows.demo import demo
from flows.measure import Measures, compute
from flows.reading import open_reading
from flows.reconcile import normalise_mirrors

PEOPLE, TIMES, SEED, ROUNDS = 2_000, 100, 7, 5
# Columns that tell records apart; a campaign's id stays, as one campaign has many people.
_IDS = ("person_id", "deal_id", "record_id", "contact_id", "handoff_id", "touch_id", "question_id")


def many(frame: pd.DataFrame, times: int) -> pd.DataFrame:
    """Take a table so many times, each time under ids of their own."""
    ids = [name for name in _IDS if name in frame]
    copies = [
        frame.assign(**{name: frame[name] + f"-{number}" for name in ids})
        for number in range(times)
    ]
    return pd.concat(copies, ignore_index=True)


def enlarged(measures: Measures, times: int) -> Measures:
    """Take everything that has a row per person, deal or act so many times."""
    credit, page = measures.credit, measures.clock_page
    of_credit = ("set_aside", "deals", "deal_people", "shared_credits", "credits", "paths")
    names = ("mqls", "status", "bridge", "funnel", "rejects")
    large = {each: many(getattr(credit, each), times) for each in of_credit}
    return replace(
        measures,
        credit=replace(credit, **large),
        clock_page=replace(page, questions=many(page.questions, times)),
        **{each: many(getattr(measures, each), times) for each in names},
    )


def seconds_to_open(address: str) -> float:
    """Give the median seconds from the start of Chromium until the page is drawn."""
    found = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", f"--user-data-dir={folder}",
                f"--screenshot={folder}/page.png", "--window-size=1240,4000", address,
            ]  # fmt: skip
            start = time.monotonic()
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own page
            found.append(time.monotonic() - start)
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo(people=PEOPLE, seed=SEED, out=folder, say=lambda _: None)
        url = f"sqlite:///{folder / 'demo.db'}"
        with open_reading(Settings(_env_file=None, tandem_database_url=url)) as reading:
            known = normalise_mirrors(reading)
            measures = enlarged(compute(reading, known), times)
            start = time.process_time()
            found = board(reading, known, measures)
            seconds = time.process_time() - start
            page = write_page(found, measures, folder / "large")
        print(f"{len(measures.funnel):,} people, {len(measures.status):,} handoffs")
        print(f"figures of the page: {seconds:.1f} CPU s; page: {page.stat().st_size / 1e6:.2f} MB")
        if shutil.which("chromium"):
            whole, empty = seconds_to_open(page.as_uri()), seconds_to_open("about:blank")
            print(
                f"drawn {whole:.2f} s after Chromium's start, an empty page after {empty:.2f} s:"
                f" {whole - empty:.2f} s"
            )


if __name__ == "__main__":
    main()
