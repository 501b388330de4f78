"""Build a world: invent, plan, act, sell, write down."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.world.acts import Diary
from standins.world.addresses import Addresses
from standins.world.cast import NURTURING, UNQUALIFIED, WORKING, Company, Human
from standins.world.clocks import handoff_truths
from standins.world.deals import Deal, HubSpotDeal, Sales, deal_truth
from standins.world.dice import Dice
from standins.world.handoffs import (
    Limits,
    act_on_passes,
    answer_passes,
    begin_passes,
    plan_answers,
    write_lifecycle,
)
from standins.world.ids import Ids
from standins.world.office import Office, open_office
from standins.world.owners import give_owners
from standins.world.people import (
    Casting,
    invent_humans,
    mark_easy,
    owner_for,
)
from standins.world.profiles import PROFILES, Profile
from standins.world.registrar import Registrar
from standins.world.script import Script
from standins.world.truth import Pair, PersonKey, Truth
from standins.world.words import REJECT_REASONS
from standins.world.working_time import LIMITS
from standins.world.years import AS_OF, DAY, FIRST_DAY, HOUR, MINUTE


@dataclass(frozen=True)
class World:
    """A company's two CRMs as of one moment, and what is true of them."""

    as_of: datetime
    truth: Truth
    script: Script

    def load(self, hubspot: HubSpotStandIn, salesforce: SalesforceStandIn) -> None:
        """Fill two stand-ins that hold no records yet.

        Raises:
            RuntimeError: the HubSpot stand-in held contacts, so that merges get other ids.
        """
        self.script.play(hubspot, salesforce)


def build_world(
    people: int = 2000, seed: int = 7, profile: str = "hard", limits: Limits = LIMITS
) -> World:
    """Build a company of so many humans; the same arguments give the same world.

    `profile` is `hard` or `easy` (nearly all addresses agree). `limits` is the working time that
    its agreement gives sales per tier; its people live and answer by it.

    Raises:
        KeyError: there is no such profile.
    """
    builder = _Builder(Dice(seed), PROFILES[profile], limits)
    return builder.build(people)


class _Builder:
    def __init__(self, dice: Dice, profile: Profile, limits: Limits) -> None:
        self.dice, self.profile, self.limits = dice, profile, limits
        self.ids, self.script = Ids(), Script()
        self.addresses = Addresses(dice)
        self.office: Office = open_office(dice, self.ids, self.script)
        self.diary = Diary(dice, self.ids, self.script, self.office)
        self.casting = Casting(dice, self.ids, self.addresses, profile)
        self.registrar = Registrar(dice, self.ids, self.script, self.office)
        self.sales = Sales(dice, self.ids, self.office, self.diary)

    def build(self, count: int) -> World:
        humans = invent_humans(self.dice, self.office, self.profile, self.addresses, count)
        companies = list(dict.fromkeys(human.company for human in humans))
        for company in companies:
            company.hubspot_id = self.ids.hubspot("companies") if self.dice.chance(0.92) else None
        for human in humans:
            self._cast(human)
        self._merge_contacts(humans)
        for human in humans:
            self._live(human)
        deals = self.sales.deals(humans, companies)
        hubspot_only = self.sales.hubspot_only(companies, max(1, count // 250))
        self._register(humans, companies, deals, hubspot_only)
        return World(AS_OF, _truth(humans, deals, hubspot_only, self.office), self.script)

    def _cast(self, human: Human) -> None:
        """Decide which records the human has and when marketing passes them on."""
        dice = self.dice
        shape = dice.weighted(self.profile.shapes)
        human.owner = owner_for(dice, self.office, human, shape)
        address = self.casting.first_address(human)
        chance = 0 if human.is_quiet else 0.72 if ">" in shape else 0.5 if shape else 0.2
        can_ask = address is not None
        is_recycled = False
        if dice.chance(chance):
            is_recycled = shape == "lead" and dice.chance(0.15)
            human.passes = begin_passes(dice, self.limits, is_recycled=is_recycled, can_ask=can_ask)
        self.casting.add_contacts(human, address, self._born(human))
        if shape:
            self.casting.add_salesforce(human, shape, self._reaches_salesforce(human))
        give_owners(dice, self.office, human, shape)
        if human.passes:
            is_lead = shape == "lead"
            plan_answers(
                dice,
                self.limits,
                human,
                is_recycled=is_recycled,
                can_ask=can_ask,
                can_wait=is_lead,
            )
        if ">" in shape:
            self._convert(human)
        for one in human.salesforce:
            if one.converted_to or one.kind == "contact":
                self._open_account(human)

    def _open_account(self, human: Human) -> None:
        if human.company.account_id is None:
            human.company.account_id = self.ids.salesforce("Account")

    def _born(self, human: Human) -> datetime:
        """Choose when HubSpot first heard of the human: often with the form they sent."""
        if not human.passes:
            return self.dice.between(FIRST_DAY, AS_OF - 2 * DAY)
        start = human.passes[0].started_at
        if self.dice.chance(0.4):
            return start - timedelta(seconds=self.dice.whole(5, 600))
        return self.dice.between(max(FIRST_DAY, start - 300 * DAY), start - HOUR)

    def _reaches_salesforce(self, human: Human) -> datetime:
        """Choose when Salesforce heard of the human: often by the sync after the MQL stamp."""
        if not human.passes:
            return self.dice.between(FIRST_DAY, AS_OF - 2 * DAY)
        mql_at = human.passes[0].mql_at
        if self.dice.chance(0.55):
            return min(mql_at + self.dice.whole(2, 40) * MINUTE, AS_OF - MINUTE)
        return self.dice.between(max(FIRST_DAY, mql_at - 200 * DAY), mql_at - DAY)

    def _convert(self, human: Human) -> None:
        """Convert the first lead, unless sales never got in touch or it is too early."""
        lead = human.salesforce[0]
        since = lead.created_at
        if human.passes:
            touched_at = human.passes[-1].touched_at
            if touched_at is None:
                return
            since = max(since, touched_at, human.passes[-1].mql_at)
        since = max(since, lead.owners[-1][0])
        at = self.dice.between(since + HOUR, since + 45 * DAY)
        if at < AS_OF - HOUR:
            self.casting.convert(human, lead, at)

    def _merge_contacts(self, humans: list[Human]) -> None:
        """Merge some first contacts; the portal numbers the survivors after all other contacts."""
        old_enough = [one for one in humans if one.contact.created_at < AS_OF - 10 * DAY]
        for human in self.dice.some(old_enough, len(humans) // 30):
            self.casting.merge_first_contact(human, "")
        merged = [human.contact for human in humans if human.contact.parts]
        for place, contact in enumerate(merged, start=1):
            contact.id = self.ids.next_hubspot_contact(place)
            self.registrar.merge_contacts(contact)

    def _live(self, human: Human) -> None:
        """Let the human's story happen."""
        self.casting.store_ids(human)
        mark_easy(human)
        write_lifecycle(self.dice, human)
        act_on_passes(self.diary, human)
        answer_passes(self.diary, human)
        if not human.passes:
            self._settle_statuses(human)
        if not human.is_quiet:
            self.diary.marketing_life(human)

    def _settle_statuses(self, human: Human) -> None:
        """Give leads that marketing never passed on any status."""
        for lead in human.leads():
            if self.dice.chance(0.4):
                status = self.dice.pick((WORKING, NURTURING, UNQUALIFIED))
                reason = self.dice.pick(REJECT_REASONS) if status == UNQUALIFIED else None
                lead.status[0] = (lead.created_at, status, reason)

    def _register(
        self,
        humans: list[Human],
        companies: list[Company],
        deals: list[Deal],
        hubspot_only: list[HubSpotDeal],
    ) -> None:
        self.registrar.plant_long_texts(humans)
        for company in companies:
            self.registrar.register_company(company)
        for human in humans:
            self.registrar.register_human(human)
        for deal in deals:
            self.registrar.register_deal(deal)
        for one in hubspot_only:
            self.registrar.register_hubspot_deal(one)


def _truth(
    humans: list[Human], deals: list[Deal], hubspot_only: list[HubSpotDeal], office: Office
) -> Truth:
    return Truth(
        pairs=frozenset(pair for human in humans for pair in _pairs(human)),
        humans=tuple(tuple(_records(human)) for human in humans),
        handoffs=tuple(one for human in humans for one in handoff_truths(human, office)),
        deals=tuple(deal_truth(deal) for deal in deals if not deal.is_deleted),
        bridge={human.contact.id: _bridge_class(human) for human in humans if human.passes},
        duplicates={
            "hubspot": frozenset(one.id for human in humans for one in human.hubspot[1:]),
            "salesforce": frozenset(one for human in humans for one in _further_records(human)),
        },
        hubspot_only_wins=tuple(one.id for one in hubspot_only),
    )


def _records(human: Human) -> Iterable[PersonKey]:
    for contact in human.hubspot:
        yield "hubspot", "contact", contact.id
    for person in human.salesforce:
        yield "salesforce", person.kind, person.id


def _pairs(human: Human) -> Iterable[Pair]:
    return (
        (contact.id, person.kind, person.id)
        for contact in human.hubspot
        for person in human.salesforce
    )


def _further_records(human: Human) -> list[str]:
    """List the Salesforce records beyond the first; a lead and its contact are no duplicates."""
    own = [one for one in human.salesforce if not one.converted_to]
    return [one.id for one in own[1:]]


def _bridge_class(human: Human) -> str:
    if not human.salesforce:
        return "missing"
    return "rejected" if human.passes[-1].answer == "rejected" else "linked"
