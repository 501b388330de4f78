"""Plan the passes from marketing to sales, and let sales answer: in time, late, or never."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from standins.world.acts import Diary
from standins.world.cast import (
    NURTURING,
    OPEN,
    UNQUALIFIED,
    WORKING,
    HubSpotContact,
    Human,
    Pass,
    SalesforcePerson,
)
from standins.world.dice import Dice
from standins.world.office import CALM_FORMS, HOT_FORMS
from standins.world.truth import HandoffTruth
from standins.world.words import REJECT_REASONS
from standins.world.working_time import HOT, HOT_WITHIN, LIMITS, MQL, working_time
from standins.world.years import AS_OF, DAY, HOUR, MINUTE

_PLANS_FROM = datetime(2025, 9, 1, tzinfo=UTC)
_AUTUMN = datetime(2026, 10, 1, tzinfo=UTC)
# An answer this close to its due time would test the second hand, not the rule.
_CLEAR = timedelta(minutes=2)
_ANSWERS = {"on time": 0.54, "at the due time": 0.03, "late": 0.26, "never": 0.17}
_ANSWERS_BEFORE_RECYCLE = {"on time": 0.7, "late": 0.3}


def plan_passes(dice: Dice, zone: str, *, is_recycled: bool, can_ask: bool) -> list[Pass]:
    """Plan when marketing passes a human on, when the clock is due, and when sales will answer.

    `is_recycled` plans two cycles: sales rejects the first one and marketing starts again.
    `can_ask`: the human has an address to send a form from.
    """
    if not is_recycled:
        first = _AUTUMN if dice.chance(0.45) else _PLANS_FROM
        last = AS_OF - 10 * MINUTE if first == _AUTUMN else _AUTUMN
        return [_plan(dice, zone, 1, dice.between(first, last), can_ask, _ANSWERS)]
    start = dice.between(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 8, 15, tzinfo=UTC))
    first_pass = _plan(dice, zone, 1, start, can_ask, _ANSWERS_BEFORE_RECYCLE)
    again = (first_pass.touched_at or start) + 20 * DAY
    again_at = dice.between(again, min(again + 50 * DAY, AS_OF - HOUR))
    return [first_pass, _plan(dice, zone, 2, again_at, can_ask, _ANSWERS)]


def _plan(
    dice: Dice, zone: str, cycle: int, mql_at: datetime, can_ask: bool, answers: dict[str, float]
) -> Pass:
    started_at, tier = mql_at, MQL
    if can_ask and dice.chance(0.45):
        tier = HOT
        longest = 3 * HOUR if dice.chance(0.8) else 23 * HOUR
        started_at = dice.between(mql_at - longest, mql_at - timedelta(seconds=1))
    due_at = working_time(zone).due_at(started_at, LIMITS[tier])
    touched_at = _answer_time(dice, zone, started_at, due_at, tier, dice.weighted(answers))
    return Pass(cycle, tier, mql_at, started_at, due_at, touched_at)


def _answer_time(
    dice: Dice, zone: str, started_at: datetime, due_at: datetime, tier: str, answer: str
) -> datetime | None:
    """Choose when sales acts; what would lie in the future has not happened."""
    if answer == "never":
        return None
    if answer == "at the due time":
        at = due_at
    elif answer == "late":
        hours = min(dice.lognormal(6, 1.1), 140)
        at = dice.between(due_at + _CLEAR, due_at + _CLEAR + timedelta(hours=hours))
    elif dice.chance(0.7):
        share = 0.02 + 0.93 * dice.share()
        at = min(working_time(zone).due_at(started_at, LIMITS[tier] * share), due_at - _CLEAR)
    else:
        at = dice.between(started_at + timedelta(seconds=30), due_at - _CLEAR)
    return at if at <= AS_OF - MINUTE else None


def write_lifecycle(dice: Dice, human: Human) -> None:
    """Give the first contact the stages that its passes went through."""
    stages = human.contact.stages
    born = human.contact.parts[0].created_at if human.contact.parts else human.contact.created_at
    stages.append((born, dice.pick(("lead", "subscriber")), "FORM"))
    for number, one in enumerate(human.passes):
        stages.append((one.mql_at, "marketingqualifiedlead", "AUTOMATION_PLATFORM"))
        next_one = human.passes[number + 1] if number + 1 < len(human.passes) else None
        if next_one and one.touched_at:
            # The portal lets nobody go back without clearing the stage first.
            back_at = dice.between(one.touched_at + 3 * DAY, next_one.mql_at - 2 * DAY)
            stages.append((back_at - timedelta(seconds=2), None, "CRM_UI"))
            stages.append((back_at, dice.pick(("lead", "subscriber")), "CRM_UI"))
        elif one.touched_at and dice.chance(0.35):
            at = one.touched_at + dice.whole(1, 72) * HOUR
            if AS_OF > at > one.mql_at:
                stages.append((at, "salesqualifiedlead", "CRM_UI"))
            if at + DAY < AS_OF and at > one.mql_at and dice.chance(0.1):
                # Qualified twice in one cycle: the second entry is no new pass.
                stages.append((at + DAY, "marketingqualifiedlead", "AUTOMATION_PLATFORM"))


def act_on_passes(diary: Diary, human: Human) -> None:
    """Let the human ask, machines make noise, and sales answer, as planned."""
    for one in human.passes:
        _ask(diary, human, one)
        quiet_until = one.touched_at or min(one.started_at + 30 * DAY, AS_OF)
        for _ in range(diary.dice.whole(0, 3)):
            diary.noise(human, diary.dice.between(one.started_at, quiet_until))
        if one.touched_at:
            where = diary.dice.pick(_sure_records(human, one.touched_at))
            diary.sales_act(human, where, one.touched_at)


def _ask(diary: Diary, human: Human, one: Pass) -> None:
    """Let the human send the form that starts the hot clock, and forms that do not."""
    dice = diary.dice
    if one.tier == HOT:
        diary.form(human, dice.pick(HOT_FORMS), one.started_at)
        # An earlier request within the day as well: the latest one starts the clock.
        further, at = HOT_FORMS, one.mql_at - HOT_WITHIN + 30 * MINUTE
    elif dice.chance(0.4):
        further, at = HOT_FORMS, one.mql_at - HOT_WITHIN - dice.whole(1, 40) * HOUR
    else:
        further, at = CALM_FORMS, one.mql_at - dice.whole(1, 600) * MINUTE
    if at >= human.contact.created_at and dice.chance(0.4):
        diary.form(human, dice.pick(further), at)


def _sure_records(human: Human, at: datetime) -> list[HubSpotContact | SalesforcePerson]:
    """List the records on which an act will be found by whoever links the human at all."""
    is_only = len([one for one in human.salesforce if not one.converted_to]) == 1
    sure = [one for one in human.in_salesforce_at(at) if one.is_easy or is_only]
    return [human.contact, *sure]


def answer_passes(dice: Dice, human: Human) -> None:
    """Let sales say whether it accepts: by the lead's status, or by converting it."""
    lead = next((one for one in human.salesforce if one.kind == "lead"), None)
    if lead is None:
        return
    for number, one in enumerate(human.passes):
        is_last = number + 1 == len(human.passes)
        if not is_last:
            _reject(dice, lead, one)
            _reopen(dice, lead, human.passes[number + 1])
        elif lead.converted_at:
            one.answer, one.answered_at = "accepted", lead.converted_at
        elif one.touched_at:
            _decide(dice, lead, one)
        elif dice.chance(0.1):
            # A status that moved although nobody did anything: an answer, but no touch.
            _accept(dice, lead, one, max(one.mql_at, lead.created_at) + dice.whole(5, 90) * MINUTE)


def _decide(dice: Dice, lead: SalesforcePerson, one: Pass) -> None:
    said = dice.weighted({"accepted": 0.62, "rejected": 0.22, "nothing": 0.16})
    if said == "rejected":
        _reject(dice, lead, one)
    elif said == "accepted":
        since = max(one.touched_at or one.mql_at, one.mql_at, lead.created_at)
        _accept(dice, lead, one, since + dice.whole(1, 600) * MINUTE)


def _accept(dice: Dice, lead: SalesforcePerson, one: Pass, at: datetime) -> None:
    if at >= AS_OF:
        return
    one.answer, one.answered_at = "accepted", at
    lead.status.append((at, WORKING, None))
    later = at + dice.whole(1, 20) * DAY
    if later < AS_OF and dice.chance(0.25):
        lead.status.append((later, NURTURING, None))


def _reject(dice: Dice, lead: SalesforcePerson, one: Pass) -> None:
    """Reject with a reason, which some forget to give."""
    since = max(one.touched_at or one.mql_at, one.mql_at, lead.created_at)
    at = since + dice.whole(10, 2400) * MINUTE
    if at >= AS_OF:
        return
    one.answer, one.answered_at = "rejected", at
    one.answer_reason = dice.pick(REJECT_REASONS) if dice.chance(0.85) else None
    lead.status.append((at, UNQUALIFIED, one.answer_reason))


def _reopen(dice: Dice, lead: SalesforcePerson, next_pass: Pass) -> None:
    """Put a recycled lead back to open shortly before its next pass."""
    at = next_pass.started_at - dice.whole(5, 600) * MINUTE
    if at > lead.status[-1][0]:
        lead.status.append((at, OPEN, None))


def handoff_truths(human: Human) -> list[HandoffTruth]:
    """Read the truth about each pass off the human's own acts."""
    carrier = human.carrier
    return [
        HandoffTruth(
            hubspot_id=human.contact.id,
            salesforce_kind=carrier.kind if carrier else None,
            salesforce_id=carrier.id if carrier else None,
            cycle=one.cycle,
            tier=one.tier,
            zone=human.zone,
            mql_at=one.mql_at,
            started_at=one.started_at,
            due_at=one.due_at,
            seen_at=_first((known.created_at for known in human.salesforce), one.started_at),
            assigned_at=_first((known.assigned_at for known in human.salesforce), one.started_at),
            touched_at=touched_at,
            evidence_id=evidence_id,
            status=_status(one.due_at, touched_at),
            answer=one.answer,
            answer_reason=one.answer_reason if one is human.passes[-1] else None,
        )
        for one in human.passes
        for touched_at, evidence_id in [_first_touch(human, one.started_at)]
    ]


def _first(stamps: Iterable[datetime | None], start: datetime) -> datetime | None:
    """Give the first of some stamps, not before the start; nothing when there is none."""
    known = [at for at in stamps if at]
    return max(start, min(known)) if known else None


def _first_touch(human: Human, started_at: datetime) -> tuple[datetime | None, str | None]:
    """Find the first act that stops a clock, at or after its start; of equals the smaller id."""
    stops = [
        (act.stops_at, act.evidence_id)
        for act in human.acts
        if act.stops_at and started_at <= act.stops_at <= AS_OF
    ]
    return min(stops, default=(None, None))


def _status(due_at: datetime, touched_at: datetime | None) -> str:
    if touched_at:
        return "on_time" if touched_at <= due_at else "late"
    return "late" if due_at < AS_OF else "waiting"
