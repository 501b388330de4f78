"""Plan the passes from marketing to sales, and let sales answer: in time, late, or never."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from standins.world.acts import Diary
from standins.world.cast import (
    NURTURING,
    OPEN,
    PAUSED,
    UNQUALIFIED,
    WORKING,
    HubSpotContact,
    Human,
    Pass,
    SalesforcePerson,
)
from standins.world.dice import Dice
from standins.world.office import CALM_FORMS, HOT_FORMS
from standins.world.owners import due
from standins.world.words import REJECT_REASONS, UNREACHED
from standins.world.working_time import ATTEMPTS, HOT, HOT_WITHIN, MQL
from standins.world.years import AS_OF, DAY, HOUR, MINUTE

Limits = Mapping[str, timedelta]

_PLANS_FROM = datetime(2025, 9, 1, tzinfo=UTC)
_AUTUMN = datetime(2026, 10, 1, tzinfo=UTC)
# An answer this close to its due time would test the second hand, not the rule.
_CLEAR = timedelta(minutes=2)
_ANSWERS = {"on time": 0.54, "at the due time": 0.03, "late": 0.26, "never": 0.17}
_ANSWERS_BEFORE_RECYCLE = {"on time": 0.7, "late": 0.3}


def begin_passes(dice: Dice, limits: Limits, *, is_recycled: bool, can_ask: bool) -> list[Pass]:
    """Plan when marketing passes a human on first, and what starts the clock.

    `limits` is the working time that sales has per tier. `is_recycled`: early enough for a second
    time. `can_ask`: the human has an address to send a form from.
    """
    if is_recycled:
        start = dice.between(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 8, 15, tzinfo=UTC))
    else:
        first = _AUTUMN if dice.chance(0.45) else _PLANS_FROM
        last = AS_OF - 10 * MINUTE if first == _AUTUMN else _AUTUMN
        start = dice.between(first, last)
    return [_begin(dice, limits, 1, start, can_ask)]


def _begin(dice: Dice, limits: Limits, cycle: int, mql_at: datetime, can_ask: bool) -> Pass:
    if not (can_ask and dice.chance(0.45)):
        return Pass(cycle, MQL, limits[MQL], mql_at, mql_at)
    longest = 3 * HOUR if dice.chance(0.8) else 23 * HOUR
    started_at = dice.between(mql_at - longest, mql_at - timedelta(seconds=1))
    return Pass(cycle, HOT, limits[HOT], mql_at, started_at)


def plan_answers(
    dice: Dice, limits: Limits, human: Human, *, is_recycled: bool, can_ask: bool, can_wait: bool
) -> None:
    """Plan when the clocks of a human, whose owners are known, are due and when sales will answer.

    `is_recycled` adds a second cycle: sales rejects the first one and marketing starts again.
    `can_wait`: the buyer may ask sales to wait.
    """
    first = human.passes[0]
    if is_recycled:
        _plan(dice, human, first, _ANSWERS_BEFORE_RECYCLE)
        again = (first.touched_at or first.mql_at) + 20 * DAY
        again_at = dice.between(again, min(again + 50 * DAY, AS_OF - HOUR))
        human.passes.append(_begin(dice, limits, 2, again_at, can_ask))
    last = human.passes[-1]
    if can_wait and dice.chance(0.15):
        _wait(dice, human, last)
    _plan(dice, human, last, _ANSWERS)


def _wait(dice: Dice, human: Human, one: Pass) -> None:
    """Let the buyer ask sales to wait; a wait that lasts ends, for the clock, at the moment."""
    start = max(one.started_at, human.salesforce[0].created_at) + dice.whole(3, 600) * MINUTE
    end = min(start + dice.whole(1, 90) * HOUR, AS_OF)
    if start < AS_OF - HOUR:
        one.pauses.append((start, end))


def _plan(dice: Dice, human: Human, one: Pass, answers: dict[str, float]) -> None:
    one.due_at = due(human, one.started_at, one.limit, one.pauses)
    one.touched_at = _answer_time(dice, human, one, dice.weighted(answers))


def _answer_time(dice: Dice, human: Human, one: Pass, answer: str) -> datetime | None:
    """Choose when sales acts; what would lie in the future has not happened."""
    started_at, due_at = one.started_at, one.due_at
    if answer == "never":
        return None
    if answer == "at the due time":
        at = due_at
    elif answer == "late":
        hours = min(dice.lognormal(6, 1.1), 140)
        at = dice.between(due_at + _CLEAR, due_at + _CLEAR + timedelta(hours=hours))
    elif dice.chance(0.7):
        share = 0.02 + 0.93 * dice.share()
        at = min(due(human, started_at, one.limit * share, one.pauses), due_at - _CLEAR)
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
            one.ended_at = back_at
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


def answer_passes(diary: Diary, human: Human) -> None:
    """Let sales say whether it accepts: by the lead's status, or by converting it."""
    dice = diary.dice
    lead = next((one for one in human.salesforce if one.kind == "lead"), None)
    if lead is None:
        return
    for number, one in enumerate(human.passes):
        is_last = number + 1 == len(human.passes)
        if not is_last:
            _reject(diary, human, lead, one)
            _reopen(dice, lead, human.passes[number + 1])
        elif lead.converted_at:
            one.answer, one.answered_at = "accepted", lead.converted_at
        elif _is_waiting(lead, one):
            continue
        elif one.touched_at:
            _decide(diary, human, lead, one)
        elif dice.chance(0.1):
            # A status that moved although nobody did anything: an answer, but no touch.
            _accept(dice, lead, one, _since(lead, one) + dice.whole(5, 90) * MINUTE)


def _is_waiting(lead: SalesforcePerson, one: Pass) -> bool:
    """Write the status of a wait; tell whether it lasts."""
    for start, end in one.pauses:
        lead.status.append((start, PAUSED, None))
        if end < AS_OF:
            lead.status.append((end, OPEN, None))
        else:
            return True
    return False


def _since(lead: SalesforcePerson, one: Pass) -> datetime:
    waits = [end for _, end in one.pauses]
    return max(one.touched_at or one.mql_at, one.mql_at, lead.created_at, *waits)


def _decide(diary: Diary, human: Human, lead: SalesforcePerson, one: Pass) -> None:
    dice = diary.dice
    said = dice.weighted({"accepted": 0.62, "rejected": 0.22, "nothing": 0.16})
    if said == "rejected":
        _reject(diary, human, lead, one)
    elif said == "accepted":
        _accept(dice, lead, one, _since(lead, one) + dice.whole(1, 600) * MINUTE)


def _accept(dice: Dice, lead: SalesforcePerson, one: Pass, at: datetime) -> None:
    if at >= AS_OF:
        return
    one.answer, one.answered_at = "accepted", at
    lead.status.append((at, WORKING, None))
    later = at + dice.whole(1, 20) * DAY
    if later < AS_OF and dice.chance(0.25):
        lead.status.append((later, NURTURING, None))


def _reject(diary: Diary, human: Human, lead: SalesforcePerson, one: Pass) -> None:
    """Reject with a reason, which some forget to give, some after they tried long enough."""
    dice = diary.dice
    at = _since(lead, one) + dice.whole(10, 2400) * MINUTE
    reason = dice.pick(REJECT_REASONS) if dice.chance(0.85) else None
    longer = at + dice.whole(15, 18) * DAY
    if reason == UNREACHED and dice.chance(0.5) and _is_free(human, one, longer):
        _keep_trying(diary, human, at, longer)
        at = longer
    if at >= AS_OF:
        return
    one.answer, one.answered_at, one.answer_reason = "rejected", at, reason
    lead.status.append((at, UNQUALIFIED, one.answer_reason))


def _is_free(human: Human, one: Pass, until: datetime) -> bool:
    """Tell whether nothing else begins up to then: another pass, or the present."""
    later = [other.started_at for other in human.passes if other.cycle > one.cycle]
    return until < min([AS_OF, *(start - DAY for start in later)])


def _keep_trying(diary: Diary, human: Human, start: datetime, end: datetime) -> None:
    """Call and write until the agreement's number of tries is reached, over its time."""
    for number in range(ATTEMPTS):
        at = start + (end - start) * number / (ATTEMPTS - 1)
        at = at.replace(microsecond=0)
        if number % 2:
            diary.email(human, at)
        else:
            diary.call([human], at)


def _reopen(dice: Dice, lead: SalesforcePerson, next_pass: Pass) -> None:
    """Put a recycled lead back to open shortly before its next pass."""
    at = next_pass.started_at - dice.whole(5, 600) * MINUTE
    if at > lead.status[-1][0]:
        lead.status.append((at, OPEN, None))
