"""Our database: what was seen, decided, sent and answered."""

from connectors.store.alerts import AlertRow, MessageRow
from connectors.store.identity import Decided, Decision
from connectors.store.outbox import OutboxRow, PlanRow, Refusal, Written
from connectors.store.periods import Act, Closed, Found
from connectors.store.reading import Progress
from connectors.store.runs import RunRow
from connectors.store.snapshots import Further, PullCount
from connectors.store.spool import Spool
from connectors.store.store import Store

__all__ = [
    "Act",
    "AlertRow",
    "Closed",
    "Decided",
    "Decision",
    "Found",
    "Further",
    "MessageRow",
    "OutboxRow",
    "PlanRow",
    "Progress",
    "PullCount",
    "Refusal",
    "RunRow",
    "Spool",
    "Store",
    "Written",
]
