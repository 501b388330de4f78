"""Deals: their stories in Salesforce, their copies in HubSpot, and what is true of their credit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from standins.world.acts import Diary
from standins.world.cast import Act, Company, Human, Rep, SalesforcePerson
from standins.world.dice import Dice
from standins.world.ids import Ids
from standins.world.office import COMPANY_CURRENCY, DIGITS, Office, rate_on
from standins.world.truth import DealTruth
from standins.world.working_time import COMPANY_ZONE
from standins.world.years import AS_OF, DAY, FIRST_DAY, HOUR, MINUTE

WON, LOST = "Closed Won", "Closed Lost"
STAGES = (
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
)
WINDOW = timedelta(days=365)
_STORIES = {
    "won": 0.42,
    "lost": 0.20,
    "open": 0.24,
    "won, amount changed later": 0.05,
    "won, reopened, won again": 0.03,
    "won, reopened": 0.02,
    "won, then lost": 0.02,
    "won, booked back into the quarter before": 0.02,
}
_CURRENCIES = {"USD": 0.72, "EUR": 0.14, "JPY": 0.08, "KWD": 0.06}
_MEDIAN_USD = 36_000


@dataclass
class HubSpotDeal:
    """A HubSpot deal: a copy of an opportunity, or a deal that only HubSpot knows."""

    id: str
    created_at: datetime
    humans: list[Human]
    amount: str | None
    stage: str
    closes_on: date
    currency: str
    company: Company
    opportunity_id: str | None = None


@dataclass
class Deal:
    """An opportunity. `changes` are dated field values after creation, in order."""

    id: str
    company: Company
    owner: Rep
    currency: str
    amount: str | None
    created_at: datetime
    ends_at: datetime
    closed_on: date
    state: str = "open"
    closed_at: datetime | None = None
    first_amount: str | None = None
    changes: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    on_roles: list[Human] = field(default_factory=list)
    copies: list[HubSpotDeal] = field(default_factory=list)
    is_deleted: bool = False

    @property
    def first_close(self) -> date:
        """Give the day that was hoped for at first; it stays when nothing changed since."""
        return self.created_at.date() + 60 * DAY if self.changes else self.closed_on

    @property
    def associated(self) -> list[Human]:
        """List the humans that HubSpot associates with its copies."""
        return [human for copy in self.copies for human in copy.humans]


class Sales:
    """Sells: makes deals out of humans and companies, and writes what sales did for them."""

    def __init__(self, dice: Dice, ids: Ids, office: Office, diary: Diary) -> None:
        self._dice, self._ids, self._office, self._diary = dice, ids, office, diary

    def deals(self, humans: Iterable[Human], companies: Iterable[Company]) -> list[Deal]:
        """Make the deals: out of conversions, with known contacts, and with nobody named."""
        deals = [
            self._deal_of(human, lead)
            for human in humans
            for lead in human.salesforce
            if lead.converted_at and self._dice.chance(0.75)
        ]
        for company in companies:
            deals += self._deals_of(company)
        for deal in deals:
            self._copy_to_hubspot(deal)
            self._work_on(deal)
        return deals

    def _deal_of(self, human: Human, lead: SalesforcePerson) -> Deal:
        """Make the deal that a conversion opened."""
        deal = self._deal(human.company, human.owner, lead.converted_at or AS_OF)
        lead.opportunity_id = deal.id
        deal.on_roles = [human]
        if self._dice.chance(0.3):
            others = [one for one in _with_contact(human.company, deal.created_at) if one != human]
            deal.on_roles += self._dice.some(others, 2)
        return deal

    def _deals_of(self, company: Company) -> list[Deal]:
        """Make a company's further deals; who is on them is often not written down."""
        if not any(human.salesforce for human in company.humans):
            return []
        found = []
        for _ in range(self._dice.weighted({0: 0.55, 1: 0.33, 2: 0.12})):
            human = self._dice.pick(company.humans)
            created_at = self._dice.between(FIRST_DAY + 60 * DAY, AS_OF - 3 * DAY)
            deal = self._deal(company, human.owner, created_at)
            known = _with_contact(company, created_at)
            quiet = [one for one in known if one.is_quiet]
            if quiet and self._dice.chance(0.75):
                deal.on_roles = quiet[:1]
            elif self._dice.chance(0.6):
                deal.on_roles = self._dice.some(known, self._dice.whole(1, 3))
            deal.is_deleted = self._dice.chance(0.02)
            found.append(deal)
        return found

    def _deal(self, company: Company, owner: Rep, created_at: datetime) -> Deal:
        dice = self._dice
        if company.account_id is None:
            company.account_id = self._ids.salesforce("Account")
        seller = owner if owner.hubspot_owner_id else self._office.reps[0]
        currency = dice.weighted(_CURRENCIES)
        deal = Deal(
            id=self._ids.salesforce("Opportunity"),
            company=company,
            owner=seller,
            currency=currency,
            amount=self._amount(currency, created_at.date()),
            created_at=created_at,
            ends_at=created_at,
            closed_on=created_at.date(),
        )
        deal.first_amount = deal.amount
        self._tell(deal, dice.weighted(_STORIES))
        return deal

    def _amount(self, currency: str, day: date) -> str | None:
        """Draw an amount as the vendor writes it: a few are blank, zero, or negative."""
        dice = self._dice
        kind = dice.weighted({"normal": 0.955, "blank": 0.02, "zero": 0.01, "negative": 0.015})
        if kind == "blank":
            return None
        if kind == "zero":
            return "0"
        unit = 10 ** DIGITS[currency]
        minor = int(dice.lognormal(_MEDIAN_USD, 0.8) * rate_on(currency, day)) * unit
        ending = dice.weighted({"whole": 0.4, "half": 0.25, "any": 0.35})
        if unit > 1 and ending != "whole":
            minor += unit // 2 if ending == "half" else dice.whole(1, unit - 1)
        text = f"{Decimal(minor).scaleb(-DIGITS[currency]):f}"
        return f"-{text}" if kind == "negative" else text

    # The story of an opportunity.

    def _tell(self, deal: Deal, story: str) -> None:
        """Move the deal through its stages up to the world's moment."""
        dice = self._dice
        end = deal.created_at + timedelta(hours=int(min(dice.lognormal(1150, 0.6), 4800)))
        if story == "open" or end > AS_OF - DAY:
            self._advance(deal, AS_OF - HOUR)
            deal.closed_on = (AS_OF + dice.whole(5, 120) * DAY).date()
            return
        self._advance(deal, end)
        deal.ends_at = end
        if story == "lost":
            self._close(deal, end, LOST)
            return
        self._close(deal, end, WON)
        if story == "won, booked back into the quarter before":
            self._book_back(deal)
        elif story == "won, amount changed later" and deal.amount is not None:
            at = dice.between(end + HOUR, min(end + 60 * DAY, AS_OF - MINUTE))
            deal.amount = self._amount(deal.currency, at.date())
            deal.changes.append((at, {"Amount": _number(deal.amount)}))
        elif story.startswith("won, reopened"):
            self._reopen(deal, end, is_won_again=story.endswith("again"))
        elif story == "won, then lost":
            at = dice.between(end + DAY, min(end + 30 * DAY, AS_OF - MINUTE))
            self._close(deal, at, LOST)

    def _advance(self, deal: Deal, end: datetime) -> None:
        """Walk through some of the open stages before `end`."""
        count = self._dice.whole(1, len(STAGES) - 1)
        times = sorted(self._dice.between(deal.created_at + MINUTE, end) for _ in range(count))
        for at, stage in zip(times, STAGES[1:], strict=False):
            if deal.created_at < at < end:
                deal.changes.append((at, {"StageName": stage}))

    def _close(self, deal: Deal, at: datetime, stage: str) -> None:
        deal.state = "won" if stage == WON else "lost"
        deal.closed_at = at if stage == WON else None
        deal.closed_on = at.astimezone(ZoneInfo(COMPANY_ZONE)).date()
        deal.changes.append((at, {"StageName": stage, "CloseDate": f"{deal.closed_on}"}))

    def _book_back(self, deal: Deal) -> None:
        """Date a win back to the end of the quarter before, as sales does on the first days."""
        quarter = date(deal.closed_on.year, 3 * ((deal.closed_on.month - 1) // 3) + 1, 1)
        deal.closed_on = max(quarter - DAY, deal.created_at.date())
        deal.changes[-1][1]["CloseDate"] = f"{deal.closed_on}"

    def _reopen(self, deal: Deal, won_at: datetime, *, is_won_again: bool) -> None:
        at = self._dice.between(won_at + HOUR, min(won_at + 20 * DAY, AS_OF - 2 * HOUR))
        deal.changes.append((at, {"StageName": STAGES[-1]}))
        if is_won_again:
            again_at = self._dice.between(at + MINUTE, min(at + 30 * DAY, AS_OF - MINUTE))
            self._close(deal, again_at, WON)
            return
        deal.state, deal.closed_at = "open", None
        deal.closed_on = (AS_OF + self._dice.whole(5, 60) * DAY).date()
        deal.changes[-1][1]["CloseDate"] = f"{deal.closed_on}"

    # Its copies in HubSpot, and what sales did.

    def _copy_to_hubspot(self, deal: Deal) -> None:
        dice = self._dice
        if deal.is_deleted or not dice.chance(0.82 if deal.on_roles else 0.7):
            return
        people = list(deal.on_roles) if dice.chance(0.7) else []
        if not deal.on_roles and dice.chance(0.6):
            active = [one for one in deal.company.humans if not one.is_quiet]
            people = dice.some(active, dice.whole(1, 2))
        for number in range(2 if dice.chance(0.05) else 1):
            copied_at = min(deal.created_at + (20 + 3000 * number) * MINUTE, AS_OF)
            deal.copies.append(
                HubSpotDeal(
                    id=self._ids.hubspot("deals"),
                    created_at=copied_at,
                    humans=people,
                    amount=deal.amount,
                    stage=_HUBSPOT_STAGE[deal.state],
                    closes_on=deal.closed_on,
                    currency=deal.currency,
                    company=deal.company,
                    opportunity_id=deal.id[:15] if dice.chance(0.1) else deal.id,
                )
            )

    def hubspot_only(self, companies: list[Company], count: int) -> list[HubSpotDeal]:
        """Make deals that marketing closed in HubSpot and nobody told Salesforce of."""
        found = []
        for company in self._dice.some([one for one in companies if one.humans], count):
            created_at = self._dice.between(FIRST_DAY, AS_OF - 40 * DAY)
            currency = self._dice.weighted(_CURRENCIES)
            found.append(
                HubSpotDeal(
                    id=self._ids.hubspot("deals"),
                    created_at=created_at,
                    humans=company.humans[:1],
                    amount=self._amount(currency, created_at.date()),
                    stage="closedwon",
                    closes_on=(created_at + 30 * DAY).date(),
                    currency=currency,
                    company=company,
                )
            )
        return found

    def _work_on(self, deal: Deal) -> None:
        """Let sales work on a deal, with the people on it or some of the company."""
        dice = self._dice
        people = deal.on_roles or deal.associated or dice.some(deal.company.humans, 2)
        end = deal.closed_at or deal.ends_at if deal.state != "open" else AS_OF
        for human in people:
            if human.is_quiet:
                continue
            for _ in range(dice.whole(1, 5)):
                at = dice.between(deal.created_at - 10 * DAY, end)
                there = human.workable_at(at)
                if there and human.may_be_called(at):
                    self._diary.sales_act(human, dice.pick(there), at)
        met_at = dice.between(deal.created_at, end)
        able = [
            human
            for human in dict.fromkeys(people)
            if not human.is_quiet
            and human.may_be_called(met_at)
            and human.contact.created_at <= met_at
        ]
        if len(able) > 1:
            self._diary.meeting(able, met_at, min(met_at + 2 * DAY, end))


_HUBSPOT_STAGE = {"won": "closedwon", "lost": "closedlost", "open": "contractsent"}


def _number(amount: str | None) -> float | None:
    return None if amount is None else float(amount)


def _with_contact(company: Company, at: datetime) -> list[Human]:
    """List the humans of a company whom Salesforce knows as a contact at a time."""
    return [
        human for human in company.humans if any(one.created_at <= at for one in human.contacts())
    ]


# The truth.


def deal_truth(deal: Deal) -> DealTruth:
    """Work out a deal's money and touches by the rules, exactly and slowly."""
    how, humans = _people_on(deal)
    end = deal.closed_at or AS_OF
    touches = [] if deal.state == "lost" else _touches_inside(humans, end - WINDOW, end)
    rate_day = AS_OF.astimezone(UTC).date() if deal.state == "open" else deal.closed_on
    exact = Fraction(deal.amount or "0")
    return DealTruth(
        salesforce_id=deal.id,
        state=deal.state,
        currency=deal.currency,
        amount=deal.amount,
        amount_minor=_minor(exact, deal.currency),
        company_minor=_minor(exact / rate_on(deal.currency, rate_day), COMPANY_CURRENCY),
        closed_on=f"{deal.closed_on}",
        closed_at=deal.closed_at,
        how=how,
        touches=tuple(act.as_touch() for act in touches),
    )


def _minor(amount: Fraction, currency: str) -> int:
    """Round to whole minor units, halves to the even one."""
    return round(amount * int(10 ** DIGITS[currency]))


def _people_on(deal: Deal) -> tuple[str, list[Human]]:
    """Tell who is on a deal, and how that is known; failing both ways, the whole account is."""
    if deal.on_roles:
        return "role", [*deal.on_roles, *deal.associated]
    if deal.associated:
        return "association", deal.associated
    inferred = [human for human in deal.company.humans if _is_of_account(human)]
    return ("inferred" if inferred else "nobody"), inferred


def _is_of_account(human: Human) -> bool:
    """Tell whether a record says that the human belongs to the account.

    A lead does by its company, which is the account's name in some spelling.
    """
    is_associated = human.company.hubspot_id is not None and any(
        one.company for one in human.hubspot
    )
    return is_associated or bool(human.salesforce)


def _touches_inside(humans: list[Human], start: datetime, end: datetime) -> list[Act]:
    """List what earned credit, each evidence once, by time and evidence."""
    acts = {
        act.evidence_id: act
        for human in humans
        for act in _first_of_each_day(human)
        if start <= act.at <= end
    }
    return sorted(acts.values(), key=lambda act: (act.at, act.evidence_id))


def _first_of_each_day(human: Human) -> Iterable[Act]:
    """List what earns credit, a second call, form or the like of one day left out."""
    zone = ZoneInfo(COMPANY_ZONE)
    found: dict[tuple[object, ...], Act] = {}
    for act in sorted(human.acts, key=lambda act: (act.at, act.evidence_id)):
        if act.credit:
            key = (*act.credit, act.campaign, act.at.astimezone(zone).date())
            found.setdefault(key, act)
    return found.values()
