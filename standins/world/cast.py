"""Who plays: humans with their records in both CRMs, companies, and the people who sell."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from standins.world.truth import TouchTruth

OPEN, WORKING, NURTURING = "Open - Not Contacted", "Working - Contacted", "Nurturing"
QUALIFIED, UNQUALIFIED, PAUSED = "Qualified", "Unqualified", "Waiting for Buyer"


@dataclass(frozen=True)
class Rep:
    """Somebody who sells, as a user of both CRMs, or a queue (which is no user and has no zone)."""

    salesforce_id: str
    hubspot_owner_id: str | None
    name: tuple[str, str]
    zone: str
    is_active: bool = True
    team: str | None = None

    @property
    def email(self) -> str:
        """Give the work address."""
        return f"{self.name[0]}.{self.name[1]}@tandem-demo.test".lower().replace(" ", "-")


@dataclass(eq=False)
class Company:
    """A company where humans work; either CRM may not know it."""

    name: str
    domain: str
    alias_domain: str
    founded_at: datetime
    hubspot_id: str | None = None
    account_id: str | None = None
    has_stored_id: bool = False
    humans: list["Human"] = field(default_factory=list)


@dataclass(eq=False)
class HubSpotContact:
    """A contact. `id` is the one that lives in the end, `parts` the two that a merge made it of."""

    id: str
    email: str | None
    name: tuple[str, str]
    created_at: datetime
    company: Company | None = None
    parts: tuple["HubSpotContact", "HubSpotContact"] | None = None
    merged_at: datetime | None = None
    archived_at: datetime | None = None
    stages: list[tuple[datetime, str | None, str]] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)

    @property
    def written_id(self) -> str:
        """Give the id under which others write to it: before a merge, the primary part's."""
        return self.parts[0].id if self.parts else self.id


@dataclass(eq=False)
class SalesforcePerson:
    """A lead or contact. `losers` were merged into it; `is_easy`: no doubt whose record it is.

    `owners` lists who owned it from when on, the first at its making.
    """

    kind: str
    id: str
    email: str | None
    name: tuple[str, str]
    created_at: datetime
    owners: list[tuple[datetime, Rep]] = field(default_factory=list)
    status: list[tuple[datetime, str, str | None]] = field(default_factory=list)
    converted_at: datetime | None = None
    converted_to: "SalesforcePerson | None" = None
    opportunity_id: str | None = None
    losers: list["SalesforcePerson"] = field(default_factory=list)
    merged_at: datetime | None = None
    deleted_at: datetime | None = None
    stored_hubspot_id: str | None = None
    is_easy: bool = False
    more: dict[str, str] = field(default_factory=dict)

    @property
    def sobject(self) -> str:
        """Give the vendor's name of its object."""
        return self.kind.capitalize()


@dataclass(frozen=True)
class Act:
    """Something that happened: the credit it earns, and when it stops a clock, if it does."""

    evidence_id: str
    holder: HubSpotContact | SalesforcePerson
    at: datetime
    credit: tuple[str, str] | None = None  # team, channel
    stops_at: datetime | None = None
    kind: str = ""  # call, email or meeting
    campaign: str = ""

    def as_touch(self) -> TouchTruth:
        """Give the credit it earns; a converted lead's acts have moved to its contact."""
        team, channel = self.credit or ("", "")
        holder = self.holder
        if isinstance(holder, SalesforcePerson):
            holder = holder.converted_to or holder
            where = ("salesforce", holder.kind, holder.id)
        else:
            where = ("hubspot", "contact", holder.id)
        return TouchTruth(self.evidence_id, self.at, channel, team, *where)


@dataclass
class Pass:
    """A pass from marketing to sales: planned when the human becomes an MQL, answered by an act.

    `limit` is the working time that sales has; `pauses` are times in which the buyer asked sales to
    wait; `ended_at` is when marketing took the human back.
    """

    cycle: int
    tier: str
    limit: timedelta
    mql_at: datetime
    started_at: datetime
    due_at: datetime = field(init=False)
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    ended_at: datetime | None = None
    touched_at: datetime | None = None
    answered_at: datetime | None = None
    answer: str | None = None
    answer_reason: str | None = None


@dataclass(eq=False)
class Human:
    """One human: the first contact is the one that marketing works with.

    A quiet one never does anything. `old_last` is the last name before a marriage. `owner` is who
    owns them now; `hubspot_owners` who owned the first contact, from when on.
    """

    number: int
    first: str
    last: str
    old_last: str
    company: Company
    owner: Rep
    is_quiet: bool = False
    shared_address: str | None = None
    holds_shared_address: bool = False
    hubspot: list[HubSpotContact] = field(default_factory=list)
    salesforce: list[SalesforcePerson] = field(default_factory=list)
    gone: list[HubSpotContact | SalesforcePerson] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    campaigns: set[str] = field(default_factory=set)
    hubspot_owners: list[tuple[datetime, Rep]] = field(default_factory=list)

    @property
    def contact(self) -> HubSpotContact:
        """Give the HubSpot contact that marketing works with."""
        return self.hubspot[0]

    @property
    def carrier(self) -> SalesforcePerson | None:
        """Give the Salesforce record that carries handoffs: a contact before a lead, the oldest."""
        by_rank = sorted(self.salesforce, key=lambda one: (one.kind != "contact", one.created_at))
        return by_rank[0] if by_rank else None

    def leads(self) -> Iterator[SalesforcePerson]:
        """Yield the live leads that were not converted."""
        return (one for one in self.salesforce if one.kind == "lead" and not one.converted_to)

    def contacts(self) -> Iterator[SalesforcePerson]:
        """Yield the Salesforce contacts."""
        return (one for one in self.salesforce if one.kind == "contact")

    def may_be_called(self, at: datetime) -> bool:
        """Tell whether a human act at this time changes no clock: none is running."""
        return not any(
            one.started_at <= at and (one.touched_at is None or at <= one.touched_at)
            for one in self.passes
        )

    def in_salesforce_at(self, at: datetime) -> list[SalesforcePerson]:
        """List the live Salesforce records at a time; a converted lead gave way to its contact."""
        return [
            one
            for one in self.salesforce
            if one.created_at <= at and not (one.converted_at and at >= one.converted_at)
        ]

    def workable_at(self, at: datetime) -> list[HubSpotContact | SalesforcePerson]:
        """List the records that sales can log an act on at a time."""
        here = [self.contact] if self.contact.created_at <= at else []
        return [*here, *self.in_salesforce_at(at)]
