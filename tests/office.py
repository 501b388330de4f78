"""A small company's rewards on a real store, without any CRM: nights, deals, and closes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from agreement import frames
from agreement.periods import period_of_day
from agreement.policy import Agreement, kept_agreement
from agreement.terms import Participants
from connectors.store import Store
from flows import rewards
from flows.reward_terms import Facts, Money, RewardsDue, post_due, rewards_due
from tests.builders import AGREEMENT, build, deal_people, deals, handoff_status

ANN, BOB = rewards.Person("ann", True), rewards.Person("bob", True)


def agreed(**changes: Any) -> Agreement:
    """Give the default agreement with other targets (100 USD each) and changed reward rules."""
    content = AGREEMENT.model_dump(mode="json")
    content["targets"] = {"marketing": "100", "sales": "100"}
    content["rewards"] |= changes.pop("rewards", {})
    return kept_agreement({**content, **changes})


@dataclass
class Office:
    """Deals by id: (closed on, {team: credit in cents}, whether sales accepted a handoff)."""

    store: Store
    agreement: Agreement = field(default_factory=agreed)
    people: Participants = field(default_factory=Participants)
    deals: dict[str, tuple[str, Mapping[str, int], bool]] = field(default_factory=dict)
    rates: pd.DataFrame = field(
        default_factory=lambda: build(
            frames.Rates, [{"currency": "USD", "starts_on": "0001-01-01", "rate": "1"}]
        )
    )

    def win(self, deal: str, closed_on: str, *, accepted: bool = True, **credit: int) -> None:
        """Win a deal, or change it."""
        self.deals[deal] = (closed_on, credit, accepted)

    def lose(self, deal: str) -> None:
        """Take a deal out of won ones."""
        self.deals.pop(deal, None)

    def night(self, on: str) -> int:
        """Run the rewards part of a night at noon of a day; give the number of postings."""
        at = datetime.fromisoformat(f"{on}T12:00:00+00:00")
        self.store.keep_agreement(
            version=self.agreement.name,
            digest=self.agreement.digest,
            effective=self.agreement.effective,
            content=self.agreement.model_dump(mode="json"),
            holidays=(),
        )
        run_id = self.store.start_run(
            as_of=at, agreement_version=self.agreement.name, started_at=at
        )
        number = post_due(self.store, run_id, self.due(at), at, at)
        self.store.end_run(run_id, result="done", summary={}, ended_at=at)
        return number

    def due(self, at: datetime) -> RewardsDue:
        """Compute what a night at this moment would post."""
        return rewards_due(
            self.store,
            self.agreement,
            self.people,
            Money("USD", 2, self.rates),
            at,
            lambda _version: self.facts(),
        )

    def facts(self) -> Facts:
        """Give the deals as the transforms read them."""
        rows, credits, people, status = [], [], [], []
        for deal, (closed_on, credit, accepted) in sorted(self.deals.items()):
            amount = sum(credit.values())
            rows.append(
                {
                    "deal_id": deal,
                    "record_id": f"006{deal}",
                    "amount_minor": amount,
                    "company_minor": amount,
                    "closed_on": closed_on,
                    "period": period_of_day(date.fromisoformat(closed_on), self.agreement.calendar),
                }
            )
            credits += [
                {
                    "model": "linear",
                    "deal_id": deal,
                    "channel": "call",
                    "team": team,
                    "weight": 1.0,
                    "credit_minor": minor,
                    "credit_deal_minor": minor,
                }
                for team, minor in credit.items()
            ]
            people.append({"deal_id": deal, "person_id": f"p{deal}"})
            if accepted:
                status.append(
                    {"handoff_id": f"h{deal}", "person_id": f"p{deal}", "answer": "accepted"}
                )
        return Facts(
            deals(*rows),
            handoff_status(*status),
            deal_people(*people),
            build(frames.Credits, credits),
        )

    def close(self, period: str, on: str) -> None:
        """Propose, approve and close a period."""
        at = moment(on)
        rewards.propose(self.store, period, ANN, at)
        rewards.approve(self.store, period, BOB, at)
        rewards.close(self.store, period, ANN, at)

    def pay(self, period: str, on: str) -> dict[str, int]:
        """Export and pay a closed period; give who got what."""
        rewards.export(self.store, period, ANN, moment(on))
        return dict(rewards.pay(self.store, period, BOB, moment(on))["paid"])

    def entries(self, **where: str) -> list[tuple[str, str, int]]:
        """List postings as (participant, component, minor), those with these values."""
        rows = self.store.postings()
        for name, value in where.items():
            rows = rows[rows[name] == value]
        columns = ("participant", "component", "reward_minor")
        return list(zip(*(rows[name].tolist() for name in columns), strict=True))


def moment(on: str) -> datetime:
    """Give noon of a day."""
    return datetime.fromisoformat(f"{on}T12:00:00").replace(tzinfo=UTC)
