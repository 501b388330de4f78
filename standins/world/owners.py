"""Who owns a human when, in both CRMs, and how long a clock has run by the owners' hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from standins.world.cast import Human, Rep, SalesforcePerson
from standins.world.dice import Dice
from standins.world.office import Office
from standins.world.working_time import COMPANY_ZONE, working_time
from standins.world.years import AS_OF, DAY, MINUTE

# Only a human with one record (or a lead and what it was converted to) changes hands: whoever links
# some records of a human but not all still finds the same owners.
_ONE_RECORD = ("lead", "lead>contact")


def give_owners(dice: Dice, office: Office, human: Human, shape: str) -> None:
    """Decide who owned the human's records when: a queue first, somebody else first, or one rep."""
    is_alone = shape in _ONE_RECORD
    if is_alone and human.owner.hubspot_owner_id:
        lead = human.salesforce[0]
        _hand_over(dice, office, human, lead)
        lead.owners = _in_order(lead.owners)
    if shape:
        _own_in_hubspot(dice, office, human, is_free=len(human.salesforce) == 1)


def _hand_over(dice: Dice, office: Office, human: Human, lead: SalesforcePerson) -> None:
    """Let a lead wait in the queue, change hands, or both."""
    at, reps = lead.created_at, []
    if dice.chance(0.2):
        reps.append(office.queue)
    if dice.chance(0.22):
        reps.append(dice.pick([rep for rep in office.reps if rep is not human.owner]))
    lead.owners = []
    for rep in (*reps, human.owner):
        lead.owners.append((at, rep))
        start = max([at, *(one.started_at for one in human.passes)])
        longest = 360 if rep is office.queue else 4000
        at = min((at if rep is office.queue else start) + dice.whole(2, longest) * MINUTE, AS_OF)
        at = min(at, AS_OF - MINUTE)


def _in_order(owners: list[tuple[datetime, Rep]]) -> list[tuple[datetime, Rep]]:
    """Keep the last of owners named at one time: a history knows an order within no second."""
    return sorted(dict(owners).items(), key=lambda one: one[0])


def _own_in_hubspot(dice: Dice, office: Office, human: Human, *, is_free: bool) -> None:
    """Let HubSpot know an owner: none, today's, or somebody else who came before."""
    if not human.owner.hubspot_owner_id:
        return
    born = human.contact.created_at
    if not is_free:
        human.hubspot_owners = [(born, human.owner)]
        return
    draw = dice.share()
    if draw < 0.4:
        return
    human.hubspot_owners = [(born, human.owner)]
    if draw > 0.75 and human.passes:
        other = dice.pick([rep for rep in office.reps if rep is not human.owner])
        start = human.passes[0].started_at
        again_at = min(start + dice.whole(1, 900) * MINUTE, AS_OF - MINUTE)
        human.hubspot_owners = [(born, other), (max(again_at, born + MINUTE), human.owner)]


def owners_over_time(human: Human) -> list[tuple[datetime, Rep]]:
    """List who owned the human from when on: by HubSpot, then by Salesforce once it has a record.

    There the oldest lead speaks, and the oldest contact from its making on.
    """
    oldest = sorted(human.salesforce, key=lambda one: (one.created_at, one.id))
    contact = next((one for one in oldest if one.kind == "contact"), None)
    lead = next((one for one in oldest if one.kind == "lead"), None)
    turns: list[tuple[datetime, Rep]] = []
    if lead and (contact is None or lead.created_at < contact.created_at):
        turns += [
            (at, rep) for at, rep in lead.owners if contact is None or at < contact.created_at
        ]
    if contact:
        turns += contact.owners
    since = turns[0][0] if turns else AS_OF
    return [*((at, rep) for at, rep in human.hubspot_owners if at < since), *turns]


@dataclass(frozen=True)
class Stretch:
    """A time in which one owner's hours counted; nobody's are the company's."""

    start: datetime
    end: datetime
    owner: Rep | None

    @property
    def zone(self) -> str:
        """Give the zone of the owner's hours; a queue's are the company's."""
        return self.owner.zone if self.owner else COMPANY_ZONE

    @property
    def is_person(self) -> bool:
        """Tell whether a human owned it: a queue is nobody."""
        return self.owner is not None and self.owner.hubspot_owner_id is not None


def stretches(human: Human, start: datetime, end: datetime) -> list[Stretch]:
    """Cut a time where the owner changed."""
    owner: Rep | None = None
    found: list[Stretch] = []
    at = start
    for since, rep in owners_over_time(human):
        if since >= end:
            break
        if since > at:
            found.append(Stretch(at, since, owner))
            at = since
        owner = rep
    return [*found, Stretch(at, end, owner)]


def running(
    human: Human, start: datetime, end: datetime, pauses: list[tuple[datetime, datetime]]
) -> list[Stretch]:
    """Cut a time where the owner changed, and leave the pauses out."""
    pieces = stretches(human, start, end)
    for begun, ended in pauses:
        pieces = [
            Stretch(*cut, piece.owner)
            for piece in pieces
            for cut in (
                (piece.start, min(piece.end, begun)),
                (max(piece.start, ended), piece.end),
            )
            if cut[0] < cut[1]
        ]
    return pieces


def worked(
    human: Human, start: datetime, end: datetime, pauses: list[tuple[datetime, datetime]]
) -> timedelta:
    """Give the working time of a clock between two instants."""
    pieces = running(human, start, end, pauses)
    return sum(
        (working_time(piece.zone).between(piece.start, piece.end) for piece in pieces), timedelta(0)
    )


def due(
    human: Human, start: datetime, limit: timedelta, pauses: list[tuple[datetime, datetime]]
) -> datetime:
    """Give when a limit is used up; the owner at the world's moment keeps the lead from then on."""
    left = limit
    for piece in running(human, start, AS_OF + 60 * DAY, pauses):
        hours = working_time(piece.zone)
        run = hours.between(piece.start, piece.end)
        if run >= left:
            return hours.due_at(piece.start, left)
        left -= run
    raise ValueError("a limit ends within weeks")
