"""Exports: every published table as Parquet and CSV, with a dictionary; nobody's pay is in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from agreement import frames
from agreement.frames import Table
from connectors.spreadsheets import write_csv
from flows.measure import Measures

# Goes up with every table or column that is taken away or means something else; not with a new one.
SCHEMA_VERSION = 1

# What is published: file name and table. Rewards are the teams' only; people's stay with payroll.
TABLES: Mapping[str, type[Table]] = MappingProxyType(
    {
        "mqls": frames.Mqls,
        "bridge": frames.Bridge,
        "handoffs": frames.HandoffStatus,
        "clock_figures": frames.ClockFigures,
        "promises": frames.Promises,
        "questions": frames.Questions,
        "touches": frames.Touches,
        "set_aside": frames.SetAside,
        "deals": frames.Deals,
        "deal_people": frames.DealPeople,
        "paths": frames.PathTouches,
        "credits": frames.Credits,
        "channel_results": frames.ChannelResults,
        "synergies": frames.Synergies,
        "velocity": frames.Velocity,
        "attained_deals": frames.AttainedDeals,
        "pools": frames.Pools,
        "team_rewards": frames.Rewards,
        "funnel": frames.Funnel,
        "rejects": frames.Rejects,
    }
)

# The lists that the page's figures lead to.
LISTS = (
    "attained_deals",
    "bridge",
    "channel_results",
    "deals",
    "funnel",
    "handoffs",
    "pools",
    "promises",
    "questions",
    "rejects",
    "set_aside",
    "synergies",
    "team_rewards",
    "velocity",
)


def published(measures: Measures) -> dict[str, pd.DataFrame]:
    """Give every published table by its file name."""
    page, figures = measures.clock_page, measures.credit_figures
    return {
        "mqls": measures.mqls,
        "bridge": measures.bridge,
        "handoffs": measures.status,
        "clock_figures": page.figures,
        "promises": page.promises,
        "questions": page.questions,
        "touches": measures.touches,
        "set_aside": measures.credit.set_aside,
        "deals": measures.deals,
        "deal_people": measures.credit.deal_people,
        "paths": measures.paths,
        "credits": measures.credit.credits,
        "channel_results": figures.channels,
        "synergies": figures.synergies,
        "velocity": figures.velocity,
        "attained_deals": measures.rewards_due.attained,
        "pools": measures.pools,
        "team_rewards": measures.team_rewards,
        "funnel": measures.funnel,
        "rejects": measures.rejects,
    }


def export(measures: Measures, out: Path) -> dict[str, Any]:
    """Write each table as NAME.parquet and NAME.csv, and what their columns mean.

    Files of these names are replaced, others in the folder stay. The Parquet files carry the
    version of the schema.
    """
    out.mkdir(parents=True, exist_ok=True)
    tables = published(measures)
    for name, frame in tables.items():
        frame.attrs = {"tandem_schema_version": SCHEMA_VERSION}
        frame.to_parquet(out / f"{name}.parquet", index=False)
        write_csv(frame, out / f"{name}.csv")
    (out / "data-dictionary.md").write_text(data_dictionary(), encoding="utf-8")
    return {
        "folder": str(out),
        "schema_version": SCHEMA_VERSION,
        "rows": {name: len(frame) for name, frame in tables.items()},
    }


def write_lists(measures: Measures, coverage: Sequence[Mapping[str, Any]], out: Path) -> list[str]:
    """Write the lists beside the page, as lists/NAME.csv of ids; give their paths."""
    folder = out / "lists"
    folder.mkdir(parents=True, exist_ok=True)
    tables = published(measures)
    lists = {name: tables[name] for name in LISTS}
    lists["coverage"] = pd.DataFrame(coverage, columns=["system", "object", "ours", "vendor"])
    for name, frame in lists.items():
        write_csv(frame, folder / f"{name}.csv")
    return [f"lists/{name}.csv" for name in lists]


def data_dictionary() -> str:
    """Describe every published table: what a row is, and the type of each column."""
    lines = [
        "# Data dictionary",
        "",
        f"Schema version {SCHEMA_VERSION}. What `tandem export` writes, generated from the tables'"
        " own declarations.",
        "",
        "Columns ending in `_at` are instants in UTC, `_on` dates as ISO text, `_minor` whole minor"
        " units of the currency, `_ppm` parts per million. An empty cell is missing. In the CSV"
        " files a text that a spreadsheet would run as a formula has a `'` in front; the Parquet"
        " files are exact.",
    ]
    for name, table in TABLES.items():
        lines += ["", f"## {name}", "", *_paragraphs(table), "", "| column | type | may miss |"]
        lines.append("|---|---|---|")
        lines += [
            f"| {column} | {of.dtype} | {'yes' if of.nullable else 'no'} |"
            for column, of in table.to_schema().columns.items()
        ]
    return "\n".join(lines) + "\n"


def _paragraphs(table: type[Table]) -> list[str]:
    return [line.strip() for line in (table.__doc__ or "").strip().splitlines()]
