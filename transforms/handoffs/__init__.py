"""What a handoff's clock is made of: its owners, pauses, answers, relief, and causes of a miss."""

from transforms.handoffs.answers import ACCEPTED, REJECTED, answered
from transforms.handoffs.causes import answer_statuses, causes
from transforms.handoffs.owners import clock_segments, last_owners, late_reassignments
from transforms.handoffs.pauses import clock_pauses
from transforms.handoffs.relief import reliefs

__all__ = [
    "ACCEPTED",
    "REJECTED",
    "answer_statuses",
    "answered",
    "causes",
    "clock_pauses",
    "clock_segments",
    "last_owners",
    "late_reassignments",
    "reliefs",
]
