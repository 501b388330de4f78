"""Our database: what was seen, decided, sent and answered."""

from connectors.store.outbox import OutboxRow, Refusal
from connectors.store.runs import AlertRow, RunRow
from connectors.store.snapshots import PullCount
from connectors.store.store import Store

__all__ = ["AlertRow", "OutboxRow", "PullCount", "Refusal", "RunRow", "Store"]
