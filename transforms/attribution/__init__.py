"""Shared credit: one exact split of every deal's amount over the touches of both teams."""

from transforms.attribution.blocks import PathTable, blocks
from transforms.attribution.channels import (
    CHANNEL_MODELS,
    CountedPaths,
    channel_results,
    removal_effects,
)
from transforms.attribution.credit import UNKNOWN, credits, path_table, totals
from transforms.attribution.shares import shares

__all__ = [
    "CHANNEL_MODELS",
    "UNKNOWN",
    "CountedPaths",
    "PathTable",
    "blocks",
    "channel_results",
    "credits",
    "path_table",
    "removal_effects",
    "shares",
    "totals",
]
