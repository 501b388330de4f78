"""What is true of a world, known by construction: who is who, every clock, every deal's touches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

Pair = tuple[str, str, str]
PersonKey = tuple[str, str, str]


@dataclass(frozen=True)
class HandoffTruth:
    """One pass of a human from marketing to sales.

    `hubspot_id` is the live contact that became an MQL, `cycle` counts its passes from 1. The
    Salesforce record that carries it (a contact before a lead, the oldest first) is missing when
    the human is not there. `status` as of the world's moment: on_time (touched at or before due),
    late (touched after, or due has passed without a touch), waiting. `evidence_id` is the act that
    stopped the clock. `answer` is what sales said: accepted, rejected, or nothing. `seen_at` is
    when Salesforce first knew the human, `assigned_at` when a user first owned them, neither before
    the start; the seconds are working time from the start, `working_seconds` to the touch or the
    world's moment. `owner_id` and `zone` are of who owned them at the touch, else at the cycle's
    end, else now. `status` is also relieved: `relief` says why sales had no clock. `answer_status`
    and `cause` as the rules name them; nothing where no promise was missed.
    """

    hubspot_id: str
    salesforce_kind: str | None
    salesforce_id: str | None
    cycle: int
    tier: str
    owner_id: str | None
    zone: str
    mql_at: datetime
    started_at: datetime
    due_at: datetime
    seen_at: datetime | None
    assigned_at: datetime | None
    touched_at: datetime | None
    evidence_id: str | None
    status: str
    seen_seconds: int | None
    assigned_seconds: int | None
    working_seconds: int
    answer: str | None
    answer_reason: str | None
    answered_at: datetime | None
    answer_status: str | None
    relief: str | None
    cause: str | None


@dataclass(frozen=True)
class TouchTruth:
    """One touch that earns credit: the vendor's record that proves it, and the person's."""

    evidence_id: str
    at: datetime
    channel: str
    team: str
    system: str
    record_kind: str
    record_id: str


@dataclass(frozen=True)
class DealTruth:
    """One live opportunity.

    `state` is won, open or lost. `amount` is the vendor's number as text (missing: blank, counts
    0), `amount_minor` the same in minor units of `currency`, `company_minor` in those of the
    company's currency, at the dated rate of `closed_on` (an open deal's: of the world's day).
    `closed_at` is the last change to the won stage, missing unless won. `touches` are those inside
    the 365 days up to `closed_at` (an open deal's: the world's moment) of everybody on the deal, by
    time and evidence; a lost deal has none.
    `how` tells what put people on the deal: role, association, inferred (from the account), nobody.
    """

    salesforce_id: str
    state: str
    currency: str
    amount: str | None
    amount_minor: int
    company_minor: int
    closed_on: str
    closed_at: datetime | None
    how: str
    touches: tuple[TouchTruth, ...]


@dataclass(frozen=True)
class Truth:
    """Everything that a run over a world should find.

    `pairs`: (HubSpot contact id, lead or contact, Salesforce id) for every pair of live records of
    one human. `humans`: all live records of each, as (system, kind, id). `duplicates`: live records
    of each system beyond a human's first there. `bridge`: per MQL contact id linked, rejected or
    missing. `hubspot_only_wins`: deals won in HubSpot that Salesforce does not know; they are never
    booked.
    """

    pairs: frozenset[Pair]
    humans: tuple[tuple[PersonKey, ...], ...]
    handoffs: tuple[HandoffTruth, ...]
    deals: tuple[DealTruth, ...]
    bridge: Mapping[str, str]
    duplicates: Mapping[str, frozenset[str]]
    hubspot_only_wins: tuple[str, ...]
