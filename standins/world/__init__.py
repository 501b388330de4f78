"""A seeded company in two CRMs, as hard as real ones, with the truth about it beside it.

A human has one to three HubSpot contacts and up to three Salesforce leads and contacts. Their
addresses, names and ids agree as badly as they do in life; sales answers some handoffs late and
some never; deals are reopened, changed after they were won, or lack the people who bought. The
truth is known because every record is written together with what it means.
"""

from standins.world.build import World, build_world
from standins.world.truth import DealTruth, HandoffTruth, TouchTruth, Truth

__all__ = ["DealTruth", "HandoffTruth", "TouchTruth", "Truth", "World", "build_world"]
