"""Columns of every table that crosses a package border, declared and checked once.

Instants (`_at`) are UTC with microseconds; dates (`_on`) are ISO text, so that they sort and
compare as they read; text is pandas' `str`, missing as NaN; whole numbers that may be missing are
`Int64`; amounts (`_minor`) are whole minor units beside their currency.
"""

from functools import cache
from typing import Annotated, Any, Self, cast

import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import DataFrame, Series

__all__ = ["DataFrame", "Series", "as_text", "as_utc", "empty", "lookup"]

Utc = Annotated[pd.DatetimeTZDtype, "us", "UTC"]


def _may_miss() -> Any:
    return pa.Field(nullable=True)


class Table(pa.DataFrameModel):
    """A table with exactly these columns and types; a missing or extra one is a bug."""

    class Config:
        strict = True
        coerce = False

    @classmethod
    def validate(cls, check_obj: pd.DataFrame, *args: Any, **options: Any) -> DataFrame[Self]:
        """Check a frame as pandera does; columns and types that passed once pass again at once.

        A night checks a hundred frames, most of them small: then checking costs more than making.
        Missing values are looked for every time, and values of objects by pandera alone.
        """
        shape = (cls, *check_obj.dtypes.items())
        if shape in _passed and not check_obj[_whole(cls)].isna().to_numpy().any():
            return cast("DataFrame[Self]", check_obj.copy(deep=False))
        checked = super().validate(check_obj, *args, **options)
        if object not in list(check_obj.dtypes):
            _passed.add(shape)
        return checked


_passed: set[tuple[object, ...]] = set()


@cache
def _whole(table: type[Table]) -> list[str]:
    return [name for name, column in table.to_schema().columns.items() if not column.nullable]


def as_utc(values: object) -> pd.Series:
    """Read instants (ISO 8601 text, datetimes or missing) as UTC with microseconds."""
    return pd.to_datetime(pd.Series(values), utc=True, format="ISO8601").astype(
        "datetime64[us, UTC]"
    )


def as_text(values: object) -> pd.Series:
    """Read text; None and NaN are missing, never the words."""
    return pd.Series(values, dtype="str")


def lookup(keys: pd.Series, values: pd.Series) -> pd.Series:
    """Give the value that stands under each key in `values`, whose index is unique; else missing.

    Unlike `Series.map` this keeps the type of the values when there are none.
    """
    return values.reindex(pd.Index(keys)).set_axis(keys.index)


def empty(table: type[Table]) -> pd.DataFrame:
    """Give a table without rows that passes its own check."""
    columns = table.to_schema().columns
    types = {
        name: "str" if str(column.dtype).startswith("string") else str(column.dtype)
        for name, column in columns.items()
    }
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in types.items()})


# What normalise makes of the mirrors -------------------------------------------------------------


class People(Table):
    """One row per live vendor record of a human: HubSpot `contact`.

    Salesforce `lead` and `contact`.

    `email` is normalised, `other_emails` holds further ones (`;` between). `partner_id` is the id
    of the other system's record that somebody stored on this one (`;` between several).
    `converted_to` is the contact a converted lead became, the lead itself where it names none.
    """

    system: str
    kind: str
    record_id: str
    email: str = _may_miss()
    other_emails: str = _may_miss()
    first_name: str = _may_miss()
    last_name: str = _may_miss()
    company: str = _may_miss()
    phone: str = _may_miss()
    mobile: str = _may_miss()
    website: str = _may_miss()
    title: str = _may_miss()
    city: str = _may_miss()
    postcode: str = _may_miss()
    country: str = _may_miss()
    partner_id: str = _may_miss()
    account_record_id: str = _may_miss()
    converted_to: str = _may_miss()
    owner_id: str = _may_miss()
    status: str = _may_miss()
    reject_reason: str = _may_miss()
    source: str = _may_miss()
    is_opted_out: bool
    created_at: Utc = _may_miss()


class Aliases(Table):
    """One row per vendor record that a merge took over.

    With the survivor at the end of its chain.
    """

    system: str
    kind: str
    record_id: str
    survivor_id: str


class Accounts(Table):
    """One row per live vendor record of a company: HubSpot `company`, Salesforce `account`."""

    system: str
    kind: str
    record_id: str
    name: str = _may_miss()
    domain: str = _may_miss()
    city: str = _may_miss()
    country: str = _may_miss()
    partner_id: str = _may_miss()
    created_at: Utc = _may_miss()


class DealRecords(Table):
    """One row per live vendor record of a deal: Salesforce `opportunity`, HubSpot `deal`.

    `amount` is the vendor's number as text, in `currency` (missing: the company's). Stages are the
    vendor's.
    """

    system: str
    kind: str
    record_id: str
    name: str = _may_miss()
    partner_id: str = _may_miss()
    account_record_id: str = _may_miss()
    amount: str = _may_miss()
    currency: str = _may_miss()
    stage: str = _may_miss()
    is_closed: bool
    is_won: bool
    closed_on: str = _may_miss()
    created_at: Utc = _may_miss()


class Memberships(Table):
    """One row per person record on a deal record: contact role, or HubSpot association."""

    system: str
    deal_record_id: str
    person_kind: str
    person_record_id: str


class Activities(Table):
    """One row per dated act and person record: the evidence from which touches and clocks are read.

    `activity` is one of call, meeting, email, text, task, form, click, visit, event, campaign. `at`
    is when it happened, `created_at` when it was entered or booked. `actor_id` is the vendor's user
    who did it; `direction` is inbound, outbound or missing; `outcome` and `status` are the vendor's
    words in lower case. `is_automatic` marks machines' doings. `title` is a form's, campaign's or
    subject's name.
    """

    system: str
    activity: str
    evidence_id: str
    person_kind: str
    person_record_id: str
    at: Utc
    created_at: Utc = _may_miss()
    actor_id: str = _may_miss()
    direction: str = _may_miss()
    outcome: str = _may_miss()
    status: str = _may_miss()
    is_done: bool
    is_automatic: bool
    campaign_id: str = _may_miss()
    title: str = _may_miss()


class Users(Table):
    """One row per Salesforce user: `zone` is an IANA name.

    `is_human` is false for integration users. `hubspot_owner_id` is the same person as an owner in
    HubSpot, by e-mail; `team` is the user's department.
    """

    user_id: str
    zone: str = _may_miss()
    is_active: bool
    is_human: bool
    hubspot_owner_id: str = _may_miss()
    team: str = _may_miss()


class Absences(Table):
    """One row per time that a Salesforce user is out of office, by their own calendar."""

    user_id: str
    starts_at: Utc
    ends_at: Utc


class StageChanges(Table):
    """One row per value that a stage-like field of a record took, in order.

    `field` is lifecycle (HubSpot contact), owner (HubSpot contact, by HubSpot's owner id;
    Salesforce lead and contact, by user or queue), status, reason and converted (lead), stage
    (opportunity).
    """

    system: str
    kind: str
    record_id: str
    field: str
    value: str = _may_miss()
    changed_at: Utc


class Rates(Table):
    """Units of a currency per one unit of company currency from a date on; `rate` is text.

    Never a float.
    """

    currency: str
    starts_on: str
    rate: str


# Identity ----------------------------------------------------------------------------------------


class Crosswalk(Table):
    """One row per vendor record: which person, account or deal (`entity`) it is, by which rule.

    `is_survivor` marks, per entity and system, the one record that carries amounts and counts.
    `evidence` names the record at the other end of the link, `since` the night that first saw it.
    `decided_by` is the person who pinned or accepted the link; missing where a rule made it.
    """

    entity: str
    entity_id: str
    system: str
    kind: str
    record_id: str
    rule: str
    score: float
    evidence: str
    is_survivor: bool
    since: Utc
    decided_by: str = _may_miss()


class Examined(Table):
    """One row per live record of a human, by what the last night worked out who it is.

    `signature` is one number for all that this depends on, its place in the crosswalk included,
    `neighbourhood` one for all records that could have a part in it; nothing can be read in either.
    """

    system: str
    kind: str
    record_id: str
    signature: int
    neighbourhood: int


class MatchDecisions(Table):
    """One row per decision of a person on two records (`left` before `right`, `agreement.pairs`).

    `accept` links them unless something stronger speaks, `pin` beats everything; `reject` keeps
    them apart and unasked until what they are told by changes, `forbid` for good. Records of one
    system are a pair too. `keys` is what the pair was told by when it was asked, as a hash; missing
    when nobody had asked. A decision stands until `ended_at`.
    """

    decision_id: str
    entity: str
    left_system: str
    left_kind: str
    left_id: str
    right_system: str
    right_kind: str
    right_id: str
    decision: str
    decided_by: str
    decided_at: Utc
    ended_at: Utc = _may_miss()
    keys: str = _may_miss()


class Reviews(Table):
    """One row per pair of records that only a person can settle.

    Not linked meanwhile, but for a HubSpot deal on an opportunity whose amounts another carries.
    `review_id` is the pair's (`agreement.pairs`). `score` is the share of such pairs that are
    right. `evidence` says in words how the fields agree, without any value; their weights are
    worked out when somebody looks. `keys` is what the pair is told by, as a hash. `found_at` is the
    night that first asked, `ended_at` when it needed no answer any more.
    """

    review_id: str
    entity: str
    left_system: str
    left_kind: str
    left_id: str
    right_system: str
    right_kind: str
    right_id: str
    score: float
    rule: str
    evidence: str
    keys: str
    found_at: Utc
    ended_at: Utc = _may_miss()


class ReviewQueue(Table):
    """One row per review or conflict that waits, the answer that is worth most first.

    `uncertainty` is 1 where either answer is as likely, 0 where one is sure. `amount_minor` is in
    company currency; `worth` too, but only an order.
    """

    id: str
    uncertainty: float
    amount_minor: int
    handoff_count: int
    worth: float


class Links(Table):
    """One row per HubSpot contact and Salesforce person that matching takes for one human.

    `decision` is `link` or `review`; `score` is the share of such pairs that are right. Rows of one
    human have one `cluster_id`; only duplicates inside a system are linked more than once.
    """

    hubspot_id: str
    salesforce_id: str
    score: float
    rule: str
    decision: str
    cluster_id: str
    evidence: str


class MatchWeights(Table):
    """One row per pair and field: how the field agrees, in words, and what that is worth.

    `weight` is in bits (log2 of the odds), positive for one human; a pair's weights add up to its
    score, from `start` on, what a pair is worth before anything is compared. `link_bits` is the
    score from which the pair would be linked unasked, by the evidence it has; missing where no
    score is enough.
    """

    hubspot_id: str
    salesforce_id: str
    field: str
    level: str
    weight: float
    link_bits: float = _may_miss()


class MatchChanges(Table):
    """One row per pair and one change of its evidence, with what the pair would be then.

    `change` is `as it is` (no field), `equal` or `absent`. `weight` is the score in bits, `score`
    the share of such pairs that are right, `decision` link, review or apart.
    """

    hubspot_id: str
    salesforce_id: str
    field: str
    change: str
    decision: str
    weight: float
    score: float


# Lifecycle and clocks ----------------------------------------------------------------------------


class Mqls(Table):
    """One row per HubSpot contact and cycle that became an MQL under the definition in force.

    `ended_at` is when a recycle ended the cycle; missing while it runs.
    """

    person_id: str
    record_id: str
    cycle: int
    mql_at: Utc
    ended_at: Utc = _may_miss()


class Handoffs(Table):
    """One row per person and cycle: marketing's pass to sales, before any clock is read.

    The clock starts at `started_at`. `contact_id` is the HubSpot contact that became the MQL.
    `record_id` and `record_kind` name the Salesforce record that carries it (missing when the
    person is not there). `owner_id` and `zone` are of whoever owned it when it was touched, else
    when its cycle ended, else now; missing and the team's zone when nobody did. Evidence is the
    first listed human act at or after the start. `answered_at` is when the answer was first given;
    `answer_fault` says why a rejection does not count as work: rejected_without_reason or
    too_few_attempts. `relief` says why the person carries no clock for sales: below_criteria or
    recycled_too_soon.
    """

    handoff_id: str
    person_id: str
    cycle: int
    tier: str
    contact_id: str
    mql_at: Utc
    ended_at: Utc = _may_miss()
    source: str = _may_miss()
    started_at: Utc
    record_kind: str = _may_miss()
    record_id: str = _may_miss()
    owner_id: str = _may_miss()
    zone: str
    seen_at: Utc = _may_miss()
    assigned_at: Utc = _may_miss()
    touched_at: Utc = _may_miss()
    evidence_id: str = _may_miss()
    attempt_count: int
    has_lead: bool
    answer: str = _may_miss()
    answer_reason: str = _may_miss()
    answered_at: Utc = _may_miss()
    answer_fault: str = _may_miss()
    relief: str = _may_miss()


class ClockSegments(Table):
    """One row per handoff and stretch in which its clock ran with one owner, in order of time.

    From the start to the run's now, also after the touch. `zone` is the owner's; with a queue, a
    machine or nobody it is the team's, and `is_person` is false.
    """

    handoff_id: str
    owner_id: str = _may_miss()
    zone: str
    is_person: bool
    starts_at: Utc
    ends_at: Utc


class ClockPauses(Table):
    """One row per handoff and time in which its clock stood still, with the listed reason."""

    handoff_id: str
    reason: str
    starts_at: Utc
    ends_at: Utc


class HandoffStatus(Table):
    """One row per handoff: when it is due and how it stands as of `now`.

    `status` is on_time (touched at or before due), late (touched after, or not at all and due has
    passed), waiting, or relieved (no clock, by `relief`). Seconds run from the start to the touch,
    or to `now` while there is none; `seen_seconds` and `assigned_seconds` are the working time of
    those two lags, missing while they last. `due_at` is missing when the working calendar never
    opens, and without a clock. `answer_status` is in_time (by `answer_due_at`), late, undated,
    waiting, silent (its due time has passed) or not_worked; missing where there is no lead to
    answer on. `cause` is why a promise was missed, the first that holds: not_seen, not_assigned,
    owner_inactive, owner_absent, reassigned_late, rejected_without_reason, too_few_attempts,
    never_touched, touched_late; for a touch in time also never_answered and answered_late. Missing:
    nothing was missed. `team` is the owner's.
    """

    handoff_id: str
    person_id: str
    cycle: int
    tier: str
    record_kind: str = _may_miss()
    record_id: str = _may_miss()
    owner_id: str = _may_miss()
    started_at: Utc
    due_at: Utc = _may_miss()
    touched_at: Utc = _may_miss()
    evidence_id: str = _may_miss()
    status: str
    is_breached: bool
    working_seconds: int
    clock_seconds: int
    answer: str = _may_miss()
    answer_reason: str = _may_miss()
    contact_id: str
    mql_at: Utc
    source: str = _may_miss()
    team: str = _may_miss()
    seen_at: Utc = _may_miss()
    assigned_at: Utc = _may_miss()
    seen_seconds: pd.Int64Dtype = _may_miss()
    assigned_seconds: pd.Int64Dtype = _may_miss()
    answer_due_at: Utc = _may_miss()
    answered_at: Utc = _may_miss()
    answer_status: str = _may_miss()
    relief: str = _may_miss()
    cause: str = _may_miss()


class ClockFigures(Table):
    """One row per group of clocks (rules.md 5): all, and by tier, source, owner's team and week.

    `week` groups are the Mondays, in the company's zone, of the weeks in which clocks started.
    Relieved handoffs have no clock and are left out. Seconds are working time, by the Kaplan-Meier
    estimate with waiting clocks as still running; missing where the estimate does not get there,
    and a median also when fewer than half got there.
    """

    dimension: str
    name: str
    count: int
    on_time: int
    late: int
    waiting: int
    never_touched: int
    share_within_limit_ppm: int
    median_working_seconds: pd.Int64Dtype = _may_miss()
    p90_working_seconds: pd.Int64Dtype = _may_miss()
    longest_working_seconds: int
    seen_median_seconds: pd.Int64Dtype = _may_miss()
    assigned_median_seconds: pd.Int64Dtype = _may_miss()


class Promises(Table):
    """One row per promise of marketing's and period, the running one included.

    `promise` is volume, acceptance, completeness, recycled or `source SOURCE` (at most so much).
    `promised` and `actual` are counts or parts per million by `unit`; `counted` is how many
    handoffs the actual is read from. `pace` is where the actual leads by the period's end at the
    same speed: a count is scaled up, a share stays; `is_kept` goes by it. Missing where nothing was
    counted yet.
    """

    promise: str
    period: str
    unit: str
    promised: int
    actual: pd.Int64Dtype = _may_miss()
    pace: pd.Int64Dtype = _may_miss()
    counted: int
    is_kept: pd.BooleanDtype = _may_miss()


class Questions(Table):
    """One row per thing that looks odd and deserves an answer before anybody judges.

    `kind` is back_dated, owner_swap, stage_jump or lead_after_meeting. `subject_id` is the handoff,
    `record_id` the act, record or user it is about, `at` when it happened, `seconds` how far.
    """

    question_id: str
    kind: str
    subject_id: str
    record_id: str
    at: Utc
    seconds: int
    question: str


class Bridge(Table):
    """One row per MQL contact: the one class it falls in, with rule and cause (rules.md 4)."""

    record_id: str
    person_id: str
    mql_at: Utc
    bridge_class: str
    rule: str
    detail: str


# Journeys, credit, rewards -----------------------------------------------------------------------


class Touches(Table):
    """One row per touch of a person that the agreement counts.

    `touch_id` is the vendor's record that proves it; `account_id` is the person's account, missing
    where none is known.
    """

    touch_id: str
    person_id: str
    touched_at: Utc
    channel: str
    team: str
    campaign_id: str = _may_miss()
    account_id: str = _may_miss()


class SetAside(Table):
    """One row per act and person that is no touch, and why.

    `reason` is machine (an automatic reply, an import, an integration), scanner (a click that the
    vendor or a rule takes for a machine's), not_done, not_listed or repeat (that day's first is the
    touch). Channel and team are missing where no line of the list fits.
    """

    touch_id: str
    person_id: str
    touched_at: Utc
    activity: str
    channel: str = _may_miss()
    team: str = _may_miss()
    reason: str


class Deals(Table):
    """One row per deal of ours (a Salesforce opportunity), with money exact in both currencies.

    `state` is won, open or lost. `amount_minor` is in `currency`, `company_minor` in company
    currency (rules A8). `closed_at` is when it was won (missing unless won); `credited_at` is the
    end of the credit window: `closed_at` when won, the run's now when open. `period` is the period
    of `closed_on`.
    """

    deal_id: str
    record_id: str
    account_id: str = _may_miss()
    state: str
    currency: str
    amount_minor: int
    company_minor: int
    is_blank: bool
    created_at: Utc = _may_miss()
    lead_created_at: Utc = _may_miss()
    closed_on: str = _may_miss()
    closed_at: Utc = _may_miss()
    credited_at: Utc = _may_miss()
    period: str = _may_miss()


class DealPeople(Table):
    """One row per person on a deal; `how` is role, association or inferred (from the account)."""

    deal_id: str
    person_id: str
    how: str


class PathTouches(Table):
    """One row per deal and touch that is inside the window, a touch once per deal.

    In rules A2 order.
    """

    deal_id: str
    touch_id: str
    person_id: str
    touched_at: Utc
    channel: str
    team: str
    campaign_id: str = _may_miss()


class Credits(Table):
    """One row per model, deal and touch; a deal without a touch has one row of team `unknown`.

    `credit_minor` is company currency, `credit_deal_minor` the deal's own; both add up to the
    deal's amounts. What a floor or cap moves between the teams is two rows of channel
    `floor and cap` without a touch, of the shared model only.
    """

    model: str
    deal_id: str
    touch_id: str = _may_miss()
    person_id: str = _may_miss()
    channel: str
    team: str
    campaign_id: str = _may_miss()
    weight: float
    credit_minor: int
    credit_deal_minor: int


class CreditBasis(Table):
    """One row per credited deal: what its credits follow from, as hashes.

    The parts before and after the first and second dash stand for the amount, the path and the
    agreement; equal bases give equal credits.
    """

    deal_id: str
    basis: str


class CreditLines(Table):
    """One row per signed line of a won deal's shared credit, by team, channel and campaign.

    A deal's lines add up to its credit. `reason` is won (the first credit), amount, path, agreement
    or not_won. `reference` names the run of the line before that this one corrects; missing for the
    first. Nothing is ever edited.
    """

    deal_id: str
    channel: str
    team: str
    campaign_id: str = _may_miss()
    credit_minor: int
    credit_deal_minor: int
    reason: str
    reference: str = _may_miss()


class Thanks(Table):
    """One row per won deal, team and touch of the person or asset with most of the team's credit.

    `touch_id` is the evidence. `asset` is the name of a campaign or form; missing for acts of sales
    and where it has none. `user_id` is the Salesforce user who did it, missing where none is known.
    """

    deal_id: str
    record_id: str
    team: str
    touch_id: str
    channel: str
    campaign_id: str = _may_miss()
    asset: str = _may_miss()
    user_id: str = _may_miss()
    touched_at: Utc
    credit_minor: int


class CampaignCosts(Table):
    """One row per campaign whose cost and days are known, in company minor units."""

    campaign_id: str
    cost_minor: int
    starts_on: str
    ends_on: str


class ChannelResults(Table):
    """One row per horizon, model, dimension and name: what a channel, campaign or team brought.

    `horizon` is quarter (this fiscal one) or year (it and the three before). Won and people are of
    deals won in the horizon, open of all that are open now. Cost is the part that falls into the
    horizon; `cost_per_won_ppm` is cost per million units of won credit; both missing where a cost
    is not known or nothing was won. The model markov has channels only.
    """

    horizon: str
    model: str
    dimension: str
    name: str
    won_minor: int
    open_minor: int
    deal_count: int
    people_count: int
    touch_count: int
    cost_minor: pd.Int64Dtype = _may_miss()
    cost_per_won_ppm: pd.Int64Dtype = _may_miss()


class Synergies(Table):
    """One row per horizon and pair of channels of which enough deals ended with and without each.

    `won_ppm` is the share won of the deals with both, `expected_ppm` the larger share won of those
    with one of them and not the other. `lift_ppm` is the difference, between `low_ppm` and
    `high_ppm` in 95 of 100 samples drawn from these deals. `is_clear` says that all of that is
    above nothing.
    """

    horizon: str
    channel: str
    other_channel: str
    deal_count: int
    won_ppm: int
    expected_ppm: int
    lift_ppm: int
    low_ppm: int
    high_ppm: int
    is_clear: bool


class Velocity(Table):
    """One row per horizon and type of path of the deals won in it: whole days between the steps.

    `path_type` is marketing_only, sales_only, marketing_first, sales_first or no_touch. Medians
    (the lower of two) are over the deals for which both ends are known, as counted; a step that ran
    backwards has negative days. Missing where none is known.
    """

    horizon: str
    path_type: str
    deal_count: int
    lead_count: int
    touch_to_lead_days: pd.Int64Dtype = _may_miss()
    lead_to_deal_days: pd.Int64Dtype = _may_miss()
    deal_to_won_days: pd.Int64Dtype = _may_miss()
    touch_to_won_days: pd.Int64Dtype = _may_miss()


class AttainedDeals(Table):
    """One row per won deal: what it adds to sales' actual, and whether it adds to marketing's.

    It does when marketing handed over one of its people and sales accepted: `handoff_id` is the
    first such handoff. A deal without one has neither `handoff_id` nor `person_id`.
    """

    period: str
    deal_id: str
    record_id: str
    company_minor: int
    is_blank: bool
    handoff_id: str = _may_miss()
    person_id: str = _may_miss()


class RewardCredits(Table):
    """One row per period, deal and team (or `unknown`): the shared credit that the pool stands on.

    In a ledger `credit_minor` is a signed change. `amount_minor` is the deal's own, in `currency`,
    `company_minor` in company currency, both as they were then; 0 when the deal left the period.
    """

    computed_for: str
    deal_id: str
    team: str
    credit_minor: int
    record_id: str
    closed_on: str
    currency: str
    amount_minor: int
    company_minor: int


class Pools(Table):
    """One row per period: revenue, attainment, multiplier and pool in company minor units.

    Fractions are text.
    """

    period: str
    revenue_minor: int
    attainment: str
    multiplier: str
    pool_minor: int


class Rewards(Table):
    """One row per period, participant and component.

    What the calculation wants posted (rules.md 3).
    """

    computed_for: str
    participant: str
    component: str
    reward_minor: int


class DealRewards(Table):
    """One row per period, deal and participant.

    The part of a participant's pool share that this deal carries.
    """

    computed_for: str
    deal_id: str
    participant: str
    reward_minor: int


class Postings(Table):
    """One row per posting: a signed difference, in the open period.

    For the period it was computed for.
    """

    posting_period: str
    computed_for: str
    participant: str
    component: str
    reward_minor: int
    debit: str
    credit: str


class StatementLines(Table):
    """One row per line of a statement; the lines of one add up to what it adds to the balance.

    `section` is earned, correction, released, advanced or paid; `what` is share, cap_excess,
    pool_held, spiff or the component. A share names its deal: `credit_minor` is the change of the
    team's credit in it, `exact` what follows from it in minor units, as text of four decimals, and
    `rounding` what is added to make `reward_minor` whole. `rate`, `multiplier` and `part` (the
    member's of the team) are exact fractions as text.
    """

    section: str
    computed_for: str
    what: str
    team: str = _may_miss()
    record_id: str = _may_miss()
    closed_on: str = _may_miss()
    currency: str = _may_miss()
    amount_minor: pd.Int64Dtype = _may_miss()
    exchange_rate: str = _may_miss()
    company_minor: pd.Int64Dtype = _may_miss()
    credit_minor: pd.Int64Dtype = _may_miss()
    rate: str = _may_miss()
    multiplier: str = _may_miss()
    part: str = _may_miss()
    exact: str = _may_miss()
    rounding: str = _may_miss()
    reward_minor: int


class ClockChanges(Table):
    """One row per handoff that stands otherwise under another agreement, by start and id.

    `_before` is under the first, `_after` under the second; all of a side is missing where it makes
    no such handoff. `started_at` is the later agreement's where both make it.
    """

    handoff_id: str
    record_kind: str = _may_miss()
    record_id: str = _may_miss()
    started_at: Utc
    tier_before: str = _may_miss()
    tier_after: str = _may_miss()
    due_before: Utc = _may_miss()
    due_after: Utc = _may_miss()
    status_before: str = _may_miss()
    status_after: str = _may_miss()


class CreditChanges(Table):
    """One row per deal and team or channel whose shared credit two agreements split otherwise.

    Company minor units, by deal, dimension and name; `dimension` is team or channel.
    """

    deal_id: str
    dimension: str
    name: str
    before_minor: int
    after_minor: int


class Funnel(Table):
    """One row per person in both or either system: the way from first contact to a won deal.

    `source` missing means that nobody recorded one; the word "unknown" is a source that somebody
    typed.
    """

    person_id: str
    source: str = _may_miss()
    first_seen_at: Utc = _may_miss()
    won_on: str = _may_miss()


# Writing -----------------------------------------------------------------------------------------


class Writes(Table):
    """One row per record and field that a plan changes; values are canonical text.

    Missing is blank.
    """

    system: str
    kind: str
    record_id: str
    field: str
    before: str = _may_miss()
    after: str = _may_miss()
    reason: str


class SharedPairs(Table):
    """One row per linked pair of records and shared field: what both sides hold, and the base.

    The base is what both held when they last agreed, each side in its own spelling; `has_base` says
    whether there is one. `_changed_at` is when people last set the side's value, by field history.
    `decision` is the side that a person chose for exactly these two values.
    """

    entity: str
    entity_id: str
    field: str
    hubspot_kind: str
    hubspot_id: str
    salesforce_kind: str
    salesforce_id: str
    hubspot_value: str = _may_miss()
    salesforce_value: str = _may_miss()
    has_base: bool
    hubspot_base: str = _may_miss()
    salesforce_base: str = _may_miss()
    hubspot_changed_at: Utc = _may_miss()
    salesforce_changed_at: Utc = _may_miss()
    decision: str = _may_miss()


class Merged(SharedPairs):
    """Shared pairs with what follows: `outcome` is agreed, to_hubspot, to_salesforce or conflict.

    `after` is the value that the written side is to hold. `how` is one word for why: same, fill,
    changed, owner, newest, decided; for a conflict both changed, no base or emptied.
    """

    outcome: str
    how: str
    after: str = _may_miss()


class Bases(Table):
    """One row per linked pair of records and shared field that both sides once agreed on.

    Values are as each side spells them. `rule` names the mapping under which they were equal: under
    another one they are no base.
    """

    hubspot_kind: str
    hubspot_id: str
    salesforce_kind: str
    salesforce_id: str
    field: str
    hubspot_base: str = _may_miss()
    salesforce_base: str = _may_miss()
    rule: str


class Conflicts(Table):
    """One row per shared field of a pair that both sides changed and ownership does not settle."""

    conflict_id: str
    entity: str
    entity_id: str
    field: str
    hubspot_kind: str
    hubspot_id: str
    salesforce_kind: str
    salesforce_id: str
    hubspot_value: str = _may_miss()
    salesforce_value: str = _may_miss()
    how: str


class Holds(Table):
    """One row per field that an undo restored and that nights leave alone.

    It holds while the record shows `restored`, the night wants `undone`, and the agreement is the
    one named. Missing is blank.
    """

    system: str
    kind: str
    record_id: str
    field: str
    restored: str = _may_miss()
    undone: str = _may_miss()
    agreement: str
    run_id: str


class Invalid(Table):
    """One row per planned field value that a CRM would refuse, with the reason and the fix."""

    system: str
    kind: str
    record_id: str
    field: str
    reason: str
    fix: str


class Rejects(Table):
    """One row per record that a stage could not use, with the reason; it never stops the others."""

    stage: str
    system: str
    record_id: str
    reason: str


class Alerts(Table):
    """One row per change of a clock's state that is due to be said, once ever.

    `state` is warned, breached, escalated or resolved. `receiver` is a user's id, `lead` (the sales
    lead) or `ops`. `event_at` is when it came to be.
    """

    alert_key: str
    about_id: str
    state: str
    owner_id: str = _may_miss()
    text: str
    receiver: str
    event_at: Utc


class PendingAlerts(Table):
    """One row per alert that was stored and is in no message yet."""

    alert_key: str
    about_id: str
    state: str
    receiver: str
    stored_at: Utc


class Messages(Table):
    """One row per message: the alerts of one receiver in one text.

    `message_key` is the same for the same alerts. `week` is the Monday of the receiver's week.
    """

    message_key: str
    receiver: str
    week: str
    text: str


class AlertPlaces(Table):
    """One row per pending alert that is settled: its message; missing: overtaken, not sent."""

    alert_key: str
    message_key: str = _may_miss()
