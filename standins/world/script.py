"""What is to be put into the two stand-ins, written down first and played into them later."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum

from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn

History = Mapping[str, Sequence[tuple[datetime, str | None, str]]]
HubSpotStep = Callable[[HubSpotStandIn], object]
SalesforceStep = Callable[[SalesforceStandIn], object]


class Phase(IntEnum):
    """The order of playing: what is named later must exist already."""

    OFFICE = 0  # users, currencies, forms, campaigns
    COMPANIES = 1
    PEOPLE = 2
    DEALS = 3
    ACTS = 4
    EDITS = 5
    ENDINGS = 6  # conversions, merges, deletions


@dataclass
class Script:
    """The steps that fill both stand-ins, in order within each phase."""

    _hubspot: dict[Phase, list[HubSpotStep]] = field(default_factory=lambda: defaultdict(list))
    _salesforce: dict[Phase, list[SalesforceStep]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def hubspot(self, phase: Phase, step: HubSpotStep) -> None:
        """Note a step on the HubSpot stand-in."""
        self._hubspot[phase].append(step)

    def salesforce(self, phase: Phase, step: SalesforceStep) -> None:
        """Note a step on the Salesforce stand-in."""
        self._salesforce[phase].append(step)

    def play(self, hubspot: HubSpotStandIn, salesforce: SalesforceStandIn) -> None:
        """Fill both stand-ins, which have to be empty."""
        for phase in Phase:
            for in_hubspot in self._hubspot[phase]:
                in_hubspot(hubspot)
            for in_salesforce in self._salesforce[phase]:
                in_salesforce(salesforce)


def hubspot_time(instant: datetime) -> str:
    """Write an instant as HubSpot's properties hold it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def salesforce_time(instant: datetime) -> str:
    """Write an instant as Salesforce's answers hold it; its fields know whole seconds only."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
