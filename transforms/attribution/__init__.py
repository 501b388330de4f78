"""Shared credit: one exact split of every deal's amount over the touches of both teams."""

from transforms.attribution.blocks import PathTable, blocks
from transforms.attribution.bounds import SHIFT
from transforms.attribution.channels import (
    CHANNEL_MODELS,
    CountedPaths,
    channel_results,
    exact_sums,
    removal_effects,
)
from transforms.attribution.credit import UNKNOWN, credits, path_table, totals
from transforms.attribution.renew import (
    credit_basis,
    credit_lines,
    renewed_credits,
    stale_deals,
)
from transforms.attribution.shares import shares

__all__ = [
    "CHANNEL_MODELS",
    "SHIFT",
    "UNKNOWN",
    "CountedPaths",
    "PathTable",
    "blocks",
    "channel_results",
    "credit_basis",
    "credit_lines",
    "credits",
    "exact_sums",
    "path_table",
    "removal_effects",
    "renewed_credits",
    "shares",
    "stale_deals",
    "totals",
]
