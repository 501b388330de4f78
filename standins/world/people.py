"""Invent humans and companies, and the records that both CRMs hold of them."""

from datetime import datetime

from standins.world import addresses as relation
from standins.world.addresses import Addresses, mailbox, plain
from standins.world.cast import (
    OPEN,
    Company,
    HubSpotContact,
    Human,
    Rep,
    SalesforcePerson,
)
from standins.world.dice import Dice
from standins.world.ids import Ids
from standins.world.office import Office
from standins.world.profiles import Profile
from standins.world.words import (
    COMPANY_FIRST,
    COMPANY_SECOND,
    FIRST_NAMES,
    HOSTILE_NAMES,
    HOSTILE_TEXTS,
    JOB_TITLES,
    LAST_NAMES,
    LEGAL_FORMS,
    NICKNAMES,
    ROLE_MAILBOXES,
)
from standins.world.years import AS_OF, DAY, FIRST_DAY, HOUR, MINUTE

_PER_COMPANY = 6
_HOSTILE_EVERY = 25
_HOSTILE_NAME_EVERY = 150


def found_companies(dice: Dice, count: int) -> list[Company]:
    """Found companies with names and domains of their own; some are named to break things."""
    companies = []
    for number in range(count):
        stem = f"{dice.pick(COMPANY_FIRST)} {dice.pick(COMPANY_SECOND)}"
        name = f"{stem} {dice.pick(LEGAL_FORMS)}".strip()
        if number % _HOSTILE_EVERY == 0:
            hostile = HOSTILE_TEXTS[number // _HOSTILE_EVERY % len(HOSTILE_TEXTS)]
            name = f"{hostile} {number}"
        host = f"{plain(stem)}{number}"
        domain = f"{host}.{dice.pick(('com', 'io', 'de', 'co.uk'))}"
        founded_at = FIRST_DAY - dice.whole(1, 60) * DAY
        companies.append(Company(name, domain, f"{host}-group.com", founded_at))
    return companies


def invent_humans(
    dice: Dice, office: Office, profile: Profile, addresses: Addresses, count: int
) -> list[Human]:
    """Invent humans with a company and an owner; a few share a mailbox with others."""
    companies = found_companies(dice, max(1, count // _PER_COMPANY))
    humans = [_human(dice, office, number, dice.pick(companies)) for number in range(count)]
    for human in humans:
        human.company.humans.append(human)
    for company in companies:
        if len(company.humans) > 2 and dice.chance(profile.shared_mailboxes):
            _share_role_mailbox(dice, company, addresses)
    for father, son in zip(humans[::2], humans[1::2], strict=False):
        if dice.chance(profile.families * 2) and plain(father.first) != plain(son.first):
            _share_family_mailbox(father, son, addresses)
    return humans


def _human(dice: Dice, office: Office, number: int, company: Company) -> Human:
    last = dice.pick(LAST_NAMES)
    is_hostile = number % _HOSTILE_NAME_EVERY == 0
    return Human(
        number=number,
        first=dice.pick(HOSTILE_NAMES if is_hostile else FIRST_NAMES),
        last=last,
        old_last=dice.pick([name for name in LAST_NAMES if name != last]),
        company=company,
        owner=dice.pick(office.reps),
        is_quiet=dice.chance(0.06),
    )


def _share_role_mailbox(dice: Dice, company: Company, addresses: Addresses) -> None:
    """Let up to three colleagues be known by one role mailbox; one HubSpot contact holds it."""
    colleagues = dice.some([one for one in company.humans if not one.shared_address], 3)
    address = addresses.role(company, dice.pick(ROLE_MAILBOXES))
    for place, human in enumerate(colleagues):
        human.shared_address, human.holds_shared_address = address, place == 0


def _share_family_mailbox(father: Human, son: Human, addresses: Addresses) -> None:
    if father.shared_address or son.shared_address:
        return
    if son.first in NICKNAMES.get(father.first, ()) or father.first in NICKNAMES.get(son.first, ()):
        return
    son.last = father.last
    father.shared_address = son.shared_address = addresses.family(father)
    father.holds_shared_address = True


class Casting:
    """Gives one human after the other the records that stand for them."""

    def __init__(self, dice: Dice, ids: Ids, addresses: Addresses, profile: Profile) -> None:
        self._dice, self._ids = dice, ids
        self._addresses, self._profile = addresses, profile

    def first_address(self, human: Human) -> str | None:
        """Choose the address of the contact that marketing works with."""
        if human.shared_address and human.holds_shared_address:
            return human.shared_address
        return self._addresses.of(human, self._dice.weighted(self._profile.first_mail))

    def add_contacts(self, human: Human, address: str | None, created_at: datetime) -> None:
        """Make the human's one to three live HubSpot contacts, the first one as given."""
        dice = self._dice
        human.hubspot.append(self._contact(human, address, created_at))
        further = dice.chance(self._profile.second_contact) + dice.chance(
            self._profile.third_contact
        )
        for _ in range(further):
            again = self._further_contact(human)
            stage = dice.pick(("lead", "subscriber"))
            again.stages.append((again.created_at, stage, "FORM"))
            human.hubspot.append(again)
        if dice.chance(0.02):
            gone = self._further_contact(human)
            gone.archived_at = dice.between(gone.created_at + HOUR, AS_OF - MINUTE)
            human.gone.append(gone)

    def _contact(self, human: Human, address: str | None, created_at: datetime) -> HubSpotContact:
        company = human.company if self._dice.chance(0.9) else None
        name = (human.first, human.last)
        contact_id = self._ids.hubspot("contacts")
        return HubSpotContact(contact_id, address, name, created_at, company)

    def _further_contact(self, human: Human) -> HubSpotContact:
        taken = {one.email for one in (*human.hubspot, *human.gone)}
        address = self._addresses.of(human, self._dice.weighted(self._profile.further_mail))
        if address in taken:
            address = None
        contact = self._contact(human, address, self._dice.between(FIRST_DAY, AS_OF - DAY))
        contact.name = self._name(human)
        return contact

    def merge_first_contact(self, human: Human, survivor_id: str) -> None:
        """Make the first contact the result of merging two, the elder of which keeps its values."""
        whole = human.contact
        part = HubSpotContact(whole.id, whole.email, whole.name, whole.created_at, whole.company)
        other = self._further_contact(human)
        other.company = whole.company
        other.created_at = self._dice.between(FIRST_DAY, AS_OF - 2 * DAY)
        whole.id, whole.parts = survivor_id, (part, other)
        whole.merged_at = self._dice.between(
            max(part.created_at, other.created_at) + HOUR, AS_OF - MINUTE
        )
        whole.created_at = min(part.created_at, other.created_at)

    def add_salesforce(self, human: Human, shape: str, created_at: datetime) -> None:
        """Make the human's Salesforce records of a shape; converting comes later."""
        for kind in shape.replace(">contact", "").split():
            at = created_at
            if human.salesforce:
                latest = AS_OF - MINUTE
                earliest = min(human.salesforce[0].created_at + DAY, latest)
                at = self._dice.between(earliest, latest)
            human.salesforce.append(self._salesforce_person(human, kind, at))
        if human.salesforce and ">" not in shape and self._dice.chance(0.06):
            self._merge_into(human, human.salesforce[0])
        if self._dice.chance(0.02):
            gone = self._salesforce_person(
                human, "lead", self._dice.between(FIRST_DAY, AS_OF - DAY)
            )
            gone.deleted_at = self._dice.between(gone.created_at + HOUR, AS_OF - MINUTE)
            human.gone.append(gone)

    def convert(self, human: Human, lead: SalesforcePerson, at: datetime) -> None:
        """Convert a lead into a contact of its own, made at that time."""
        contact = SalesforcePerson(
            "contact", self._ids.salesforce("Contact"), lead.email, lead.name, at
        )
        contact.owners.append((at, human.owner))
        if self._dice.chance(0.1):
            contact.email = self._salesforce_address(human)
        lead.converted_at, lead.converted_to = at, contact
        human.salesforce.append(contact)

    def _salesforce_person(self, human: Human, kind: str, at: datetime) -> SalesforcePerson:
        person = SalesforcePerson(
            kind,
            self._ids.salesforce(kind.capitalize()),
            self._salesforce_address(human),
            self._name(human),
            at,
        )
        person.owners.append((at, human.owner))
        if kind == "lead":
            person.status.append((at, OPEN, None))
        if self._dice.chance(0.03):
            person.more["Description"] = self._dice.pick(HOSTILE_TEXTS)
        title = self._dice.pick(JOB_TITLES)
        person.more["Title"] = human.salesforce[0].more["Title"] if human.salesforce else title
        return person

    def _salesforce_address(self, human: Human) -> str | None:
        if human.shared_address and not any(one.email for one in human.salesforce):
            return human.shared_address
        kind = self._dice.weighted(self._profile.salesforce_mail)
        known = human.contact.email
        if known and kind == relation.EXACT:
            return known
        if known and kind in {relation.CASE, relation.PLUS}:
            return self._addresses.written(known, kind)
        return self._addresses.of(human, kind)

    def _merge_into(self, human: Human, winner: SalesforcePerson) -> None:
        """Let a further record of the human have been merged into this one."""
        loser = self._salesforce_person(
            human, winner.kind, self._dice.between(FIRST_DAY, AS_OF - DAY)
        )
        start = max(loser.created_at, winner.created_at)
        winner.merged_at = self._dice.between(start, start + min(40 * DAY, AS_OF - start - MINUTE))
        winner.losers.append(loser)

    def _name(self, human: Human) -> tuple[str, str]:
        """Write the human's name as a record may have it."""
        plain_name = (human.first, human.last)
        if human.shared_address or not self._dice.chance(self._profile.other_name):
            return plain_name
        short = NICKNAMES.get(human.first, (human.first,))
        return self._dice.pick(
            (
                (self._dice.pick(short), human.last),
                (self._dice.pick(short), human.last),
                (human.first, human.old_last),
                (human.first.upper(), human.last.upper()),
                (plain(human.first).title(), plain(human.last).title()),
                (human.last, human.first),
                (f"{human.first} J.", human.last),
            )
        )

    def store_ids(self, human: Human) -> None:
        """Let somebody have written some records' ids on those of the other system."""
        dice, contact = self._dice, human.contact
        if not human.salesforce:
            for gone in human.gone:
                if isinstance(gone, SalesforcePerson):
                    contact.stored["salesforceleadid"] = gone.id
            return
        for one in human.salesforce[:1]:
            if dice.chance(self._profile.stored_id):
                self._store_on(contact, one)
            elif dice.chance(0.12):
                part = contact.parts[1] if contact.parts else contact
                one.stored_hubspot_id = part.id
        for again in human.hubspot[1:]:
            if dice.chance(0.3):
                self._store_on(again, human.salesforce[0])

    def _store_on(self, contact: HubSpotContact, person: SalesforcePerson) -> None:
        dice = self._dice
        known = [*(person.losers if dice.chance(0.5) else ()), person][0].id
        short = known[:15] if dice.chance(0.2) else known
        contact.stored[f"salesforce{person.kind}id"] = short
        if person.converted_to:
            contact.stored["salesforcecontactid"] = person.converted_to.id
            if dice.chance(0.4):
                del contact.stored["salesforceleadid"]


def mark_easy(human: Human) -> None:
    """Tell which Salesforce records nobody can doubt: by a stored id, or by address and name."""
    contact = human.contact
    stored = {one[:15] for one in contact.stored.values()}
    for one in human.salesforce:
        ids = {one.id[:15], *(loser.id[:15] for loser in one.losers)}
        is_named_alike = (
            not human.shared_address
            and bool(contact.email and one.email)
            and mailbox(contact.email or "") == mailbox(one.email or "")
            and one.name == contact.name
        )
        one.is_easy = bool(ids & stored) or is_named_alike or one.stored_hubspot_id is not None
    for lead in human.salesforce:
        if lead.converted_to and (lead.is_easy or lead.converted_to.is_easy):
            lead.is_easy = lead.converted_to.is_easy = True


def owner_for(dice: Dice, office: Office, human: Human, shape: str) -> Rep:
    """Choose an owner: leads can wait in a queue, contacts cannot."""
    return office.queue if shape == "lead" and dice.chance(0.05) else human.owner
