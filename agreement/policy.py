"""The agreement as checked objects: the only place where a business decision lives."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, available_timezones

import holidays
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agreement.errors import AgreementError

DEFAULT_PATH = Path(__file__).with_name("default.yaml")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Model = Literal[
    "first_touch",
    "last_touch",
    "linear",
    "position_based",
    "u_shaped",
    "w_shaped",
    "full_path",
    "time_decay",
    "shapley",
]
MODELS: tuple[Model, ...] = get_args(Model)
# The tenth model looks at all paths at once: it credits channels, and no single deal's touches.
ChannelModel = Literal["markov"]
Activity = Literal[
    "call", "meeting", "email", "text", "reply", "form", "click", "visit", "event", "campaign"
]
Team = Literal["marketing", "sales"]
Owner = Literal["hubspot", "salesforce", "newest", "ask"]
PersonField = Literal["email", "first_name", "last_name", "company", "source"]
SalesforceKind = Literal["lead", "contact", "account"]
ValueFormat = Literal["as_is", "lower", "upper", "digits"]

_UNITS = {"m": 60, "h": 3600, "d": 86_400}


def _is_kept(info: ValidationInfo) -> bool:
    """Tell whether the store's copy is read, which spells durations and hours as JSON does."""
    return bool(info.context and info.context.get("is_kept"))


def _duration(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)([mhd])", value)):
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if isinstance(value, timedelta) or _is_kept(info):
        return value
    raise ValueError("a duration is a whole number and a unit, such as 30m, 4h or 2d")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Share = Annotated[Decimal, Field(ge=0)]
Portion = Annotated[Decimal, Field(ge=0, le=1)]


class Policy(BaseModel):
    """A part of the agreement: frozen, and every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Parties(Policy):
    """Who signs, by role."""

    marketing: str
    sales: str
    witness: str


class Holidays(Policy):
    """Closed days: a country's public holidays and further ones."""

    country: str | None = None
    subdivision: str | None = None
    extra: tuple[date, ...] = ()

    @field_validator("country")
    @classmethod
    def know_the_country(cls, value: str | None) -> str | None:
        """Refuse a country that the holidays library does not have."""
        if value and value not in holidays.list_supported_countries():
            raise ValueError("this country is not known; use a code such as US or DE, or null")
        return value

    def expand(self, years: range) -> tuple[date, ...]:
        """List the closed days of these years, in order."""
        found = set(self.extra)
        if self.country:
            found |= set(
                holidays.country_holidays(self.country, subdiv=self.subdivision, years=years)
            )
        return tuple(sorted(found))


def _hours(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", value)):
        start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
        if start < end <= 1440 and int(found[2]) < 60 and int(found[4]) < 60:
            return start, end
    if isinstance(value, tuple) or _is_kept(info):
        return value
    raise ValueError("working hours are written as 08:00-18:00, from before to, 24:00 at most")


Hours = Annotated[tuple[int, int], BeforeValidator(_hours)]


class Calendar(Policy):
    """Working time: windows per weekday (minutes since local midnight), holidays.

    And the company's zone, and how long a reward period is.
    """

    zone: str
    fiscal_year_start: int = Field(ge=1, le=12)
    period: Literal["quarter", "month"] = "quarter"
    week: Mapping[str, tuple[Hours, ...]]
    holidays: Holidays

    @field_validator("zone")
    @classmethod
    def know_the_zone(cls, value: str) -> str:
        """Refuse a zone that is not an IANA name."""
        if value not in available_timezones():
            raise ValueError(f"zone {value!r} is not an IANA name; write one such as Europe/Berlin")
        return value

    @field_validator("week")
    @classmethod
    def know_the_days(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refuse a word that is no weekday, and windows that overlap."""
        for day, windows in value.items():
            if day not in DAYS:
                raise ValueError(f"{day!r} is no weekday; use {', '.join(DAYS)}")
            ordered = sorted(windows)
            if any(first[1] > second[0] for first, second in pairwise(ordered)):
                raise ValueError(f"the hours of {day} overlap; write each open window once")
        return value

    @property
    def zone_info(self) -> ZoneInfo:
        """Give the company's zone."""
        return ZoneInfo(self.zone)


class Mql(Policy):
    """When a contact becomes an MQL: the lifecycle stage, and what ends a cycle."""

    stage: str
    recycle_stages: tuple[str, ...]


class Exclusion(Policy):
    """A named rule that keeps an MQL from being handed over.

    The address is of one of these domains.
    """

    name: str
    email_domains: tuple[str, ...] = ()


class Definitions(Policy):
    """What the words mean."""

    mql: Mql
    exclusions: tuple[Exclusion, ...] = ()


class Identity(Policy):
    """What never links two records by itself, and which domains are one company's.

    `alias_domains` gives, for a further domain of a company or of its subsidiary, the main one.
    """

    role_mailboxes: tuple[str, ...] = ()
    alias_domains: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("alias_domains")
    @classmethod
    def lead_to_a_main_domain(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        """Write domains in small letters; an alias of an alias names no company."""
        aliases = {alias.lower(): main.lower() for alias, main in value.items()}
        for alias, main in aliases.items():
            if main in aliases:
                raise ValueError(f"{alias} leads to {main}, an alias itself; name its main domain")
        return aliases


class Tier(Policy):
    """A kind of handoff: what starts its clock and how long sales has, in working time."""

    name: str
    start: Literal["form", "mql"]
    forms: tuple[str, ...] = ()
    within: Duration = timedelta(0)
    limit: Duration

    @model_validator(mode="after")
    def name_the_forms(self) -> Self:
        """A clock that a form starts has to say which forms."""
        if self.start == "form" and not self.forms:
            raise ValueError(
                f"tier {self.name!r} starts at a form; list words of the forms' names under forms"
            )
        return self


class HumanTouch(Policy):
    """An act that stops a clock: when it was done, or when it was booked."""

    activity: Activity
    direction: tuple[str, ...] = ()
    at: Literal["done", "booked"] = "done"


class Pause(Policy):
    """A Salesforce Lead.Status in which the clock stands still, and the reason that it names."""

    status: str
    reason: str


class Attempts(Policy):
    """What has to be tried before "unable to reach" counts as a reason.

    Listed human acts since the start: at least `count`, of `channels` kinds, the last one `over`
    after the first or later (clock time).
    """

    reasons: tuple[str, ...] = ()
    count: int = Field(default=1, ge=1)
    channels: int = Field(default=1, ge=1)
    over: Duration = timedelta(0)


class CoolOff(Policy):
    """How long a rejected person is left alone, by the reason; null: until they ask themselves."""

    reasons: tuple[str, ...] = Field(min_length=1)
    wait: Duration | None


class Criteria(Policy):
    """What a person has to bring, or carries no clock for sales.

    Fields of the HubSpot contact that are filled, and sources that are never handed over.
    """

    required: tuple[PersonField, ...] = ()
    never_sources: tuple[str, ...] = ()


class Handoff(Policy):
    """Marketing's pass to sales."""

    tiers: tuple[Tier, ...] = Field(min_length=1)
    human_touches: tuple[HumanTouch, ...] = Field(min_length=1)
    accept: tuple[str, ...]
    reject: tuple[str, ...]
    reject_reason_field: str
    answer_within: Duration = timedelta(hours=24)
    criteria: Criteria = Criteria()
    pauses: tuple[Pause, ...] = ()
    attempts: Attempts = Attempts()
    cool_off: tuple[CoolOff, ...] = ()
    late_reassignment: Portion = Decimal("0.5")

    @model_validator(mode="after")
    def answer_once(self) -> Self:
        """A status cannot be a yes and a no; the last tier has to catch every MQL."""
        if both := set(self.accept) & set(self.reject):
            raise ValueError(f"{sorted(both)} is in accept and in reject; keep it in one")
        answers = {*self.accept, *self.reject}
        if both := answers & {pause.status for pause in self.pauses}:
            raise ValueError(f"{sorted(both)} is an answer; a pause needs a status of its own")
        if self.tiers[-1].start != "mql":
            raise ValueError("the last tier has to start at mql, so that every MQL has a clock")
        return self


class Completeness(Policy):
    """The share of handoffs whose HubSpot contact has all of these fields."""

    fields: tuple[PersonField, ...] = Field(min_length=1)
    share: Portion


class Renurture(Policy):
    """The share of rejected people who are back in a recycle stage so soon (clock time)."""

    within: Duration
    share: Portion


class MarketingPromises(Policy):
    """What marketing promises sales, per quarter; what is not named is not promised.

    `mqls` is the number of handoffs; `acceptance` the share that sales accepts of what it answered
    in time; `most_of_source` the largest share that handoffs of one source may have.
    """

    mqls: int | None = Field(default=None, gt=0)
    acceptance: Portion | None = None
    completeness: Completeness | None = None
    most_of_source: Mapping[str, Portion] = Field(default_factory=dict)
    recycled: Renurture | None = None


class Gaming(Policy):
    """When something looks odd enough to ask about it in the weekly pack.

    `back_dated`: an act was entered so long after it is said to have happened, and its time saved a
    promise. `near_limit`: an owner changed in this last part of the limit. `stages_before_won`: a
    deal was won after fewer stages. `met_before`: a lead was made so soon after a meeting.
    """

    back_dated: Duration = timedelta(hours=4)
    near_limit: Portion = Decimal("0.2")
    stages_before_won: int = Field(default=2, ge=1)
    met_before: Duration = timedelta(days=30)


class Automatic(Policy):
    """Machines' doings: never a touch, never an answer. Words are compared in lower case."""

    subjects: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    user_types: tuple[str, ...] = ()
    user_names: tuple[str, ...] = ()


class TouchRule(Policy):
    """One line of the positive list: which activities are touches, of which team and channel.

    Empty means any. `title` holds the first words of a subject or name, in any case.
    """

    activity: Activity
    direction: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    title: tuple[str, ...] = ()
    team: Team
    channel: str


class Scanners(Policy):
    """When a click in a marketing e-mail is a machine's that looks at every link.

    It came this soon after the e-mail left; it is one of so many links of one e-mail that its
    recipient clicked within one second; or its user agent holds one of these words (any case). What
    the vendor marks itself is out in any case.
    """

    seconds_after_sending: int = Field(default=0, ge=0)
    links_in_a_second: int = Field(default=2, ge=2)
    agents: tuple[str, ...] = ()


class TouchFilters(Policy):
    """What keeps an act on the positive list from being a touch.

    `is_daily` counts a person's acts of one channel, team and campaign once per day of the
    company's zone, the first of the day. An incoming e-mail is a `reply` to marketing unless sales
    wrote to the person in the `sales_thread_days` before it.
    """

    scanners: Scanners = Scanners()
    is_daily: bool = True
    sales_thread_days: int = Field(default=30, ge=0)


class AnchorWeights(Policy):
    """What each anchor of a model holds, in percent; the touches between share `middle`.

    Anchors are the first touch, the last one before the buyer became a lead, the last one before
    the deal was created, and the last one. An anchor with 0 is none of this model.
    """

    first: Share = Decimal(0)
    lead: Share = Decimal(0)
    deal: Share = Decimal(0)
    last: Share = Decimal(0)
    middle: Share = Decimal(0)

    @model_validator(mode="after")
    def share_everything_out(self) -> Self:
        """The weights are a whole, and one of the two anchors that every path has holds some."""
        whole = self.first + self.lead + self.deal + self.last + self.middle
        if whole != 100:
            raise ValueError(f"the weights add up to {whole}; they have to add up to 100")
        if not self.first and not self.last:
            raise ValueError("first or last needs a share: only these two exist on every path")
        return self


class ModelWeights(Policy):
    """The weights of the models that have anchors."""

    position_based: AnchorWeights
    u_shaped: AnchorWeights
    w_shaped: AnchorWeights
    full_path: AnchorWeights


class Synergy(Policy):
    """When pairs of channels are worth a word: at least so many deals in each group compared.

    `resamples` is how often the deals are drawn anew for the interval, which holds 95 of 100.
    """

    minimum_deals: int = Field(default=30, ge=1)
    resamples: int = Field(default=1000, ge=100, le=100_000)


class TeamCost(Policy):
    """What a team cost in a fiscal quarter, in company currency."""

    team: Team
    period: Annotated[str, Field(pattern=r"^\d{4}-Q[1-4]$")]
    cost: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class Attribution(Policy):
    """How a deal's amount is shared over its touches (rules.md 1).

    `windows` gives single models a window of their own. Floor and cap move the shared number of a
    deal that both teams touched, never one that only one of them did. `markov` can be shown, not
    shared: it credits channels, out of the paths of all deals that ended, in the shared window.
    """

    window_days: int | None = Field(default=None, gt=0)
    windows: Mapping[Model, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    half_life_days: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
    weights: ModelWeights
    shared: Model
    shown: tuple[Model | ChannelModel, ...] = ()
    team_floor: Mapping[Team, Portion] = Field(default_factory=dict)
    team_cap: Mapping[Team, Portion] = Field(default_factory=dict)
    synergy: Synergy = Synergy()
    team_costs: tuple[TeamCost, ...] = ()

    @model_validator(mode="after")
    def leave_room_between_floor_and_cap(self) -> Self:
        """Both teams have to be able to stand between their floors and caps at once."""
        least, most = self.marketing_bounds
        if least > most:
            raise ValueError(
                f"no split keeps every floor and cap: marketing would need at least {least} and at"
                f" most {most} of a deal. Lower a floor or raise a cap"
            )
        return self

    @model_validator(mode="after")
    def cost_a_team_once(self) -> Self:
        """Two costs of one team and quarter would have to be added or chosen from."""
        keys = [(cost.team, cost.period) for cost in self.team_costs]
        if len(set(keys)) < len(keys):
            raise ValueError("a team's cost of a quarter is there twice; keep one")
        return self

    @property
    def marketing_bounds(self) -> tuple[Decimal, Decimal]:
        """Give the least and the most of a deal that marketing may have: what sales leaves too."""
        least = max(self.team_floor.get("marketing", Decimal(0)),
                    1 - self.team_cap.get("sales", Decimal(1)))  # fmt: skip
        most = min(self.team_cap.get("marketing", Decimal(1)),
                   1 - self.team_floor.get("sales", Decimal(0)))  # fmt: skip
        return least, most

    @property
    def widest_window(self) -> int | None:
        """Give the longest window of the models that are computed; None has no beginning."""
        windows = [self.window_of(model) for model in self.models]
        known = [window for window in windows if window is not None]
        return max(known) if len(known) == len(windows) else None

    def window_of(self, model: str) -> int | None:
        """Give a model's window in days; None is everything up to the close."""
        own: int | None = {str(name): days for name, days in self.windows.items()}.get(model)
        return own or self.window_days

    @property
    def models(self) -> tuple[str, ...]:
        """Give the shared model and those of single deals shown beside it, each once."""
        of_deals = (model for model in self.shown if model in MODELS)
        return tuple(dict.fromkeys((self.shared, *of_deals)))


class Spiff(Policy):
    """A fixed amount on top of one period's pool, in company currency; no gate closes it."""

    period: Annotated[str, Field(pattern=r"^\d{4}-(Q[1-4]|0[1-9]|1[0-2])$")]
    participant: Annotated[str, Field(min_length=1)]
    amount: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class RewardRules(Policy):
    """One pool for both teams (rules.md 3).

    `holdback` of what a participant earned is held until `clawback_days` after the period's last
    day. People are no part of the agreement: their weights stand in a private file.
    """

    rate: Share
    gate: Share
    attainment_cap: Share
    accelerator: Share
    multiplier_cap: Share
    joint: Literal["lower", "product"] = "lower"
    holdback: Portion = Decimal("0.25")
    clawback_days: int = Field(default=90, ge=0)
    spiffs: tuple[Spiff, ...] = ()


class Targets(Policy):
    """What each team wants to reach per reward period, in company currency."""

    marketing: Annotated[Decimal, Field(gt=0)]
    sales: Annotated[Decimal, Field(gt=0)]


Role = Literal["owner", "lead", "ops"]
Route = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,30}$")]


class AlertRules(Policy):
    """Who is told what, when, and by which route; addresses come from the environment.

    `route` is every role's unless `routes` names another. An owner is told of their own clocks, the
    sales lead of what is escalated, ops of what nobody owns.
    """

    route: Route
    routes: Mapping[Role, Route] = Field(default_factory=dict)
    warn_at: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.75")
    escalate_after: Duration = timedelta(hours=4)
    quiet: tuple[Hours, ...] = ()
    budget: int = Field(default=20, gt=0)
    listed: int = Field(default=10, gt=0)

    def route_of(self, receiver: str) -> str:
        """Give the route by which a receiver is told: a role's own, else that of owners."""
        role: Role = "lead" if receiver == "lead" else "ops" if receiver == "ops" else "owner"
        return self.routes.get(role, self.route)


class Meetings(Policy):
    """The weekly pack: whether it names who is thanked, and by which alert routes it goes.

    A route that is not named is the sales lead's. `finance` is for tie-out and expected volume.
    """

    names: bool = True
    route: Route | None = None
    finance: Route | None = None


class Writeback(Policy):
    """The fields that Tandem owns in both CRMs."""

    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,14}$")]
    digits: int = Field(ge=0, le=4)
    records_per_night: int | None = Field(default=None, gt=0)


class Pulling(Policy):
    """How often is read what no changed record announces."""

    archived_every: Duration
    calculated_refresh: Duration
    recount_every: Duration


class Allowance(Policy):
    """How much of a vendor's daily quota one run may use, and what it leaves to others."""

    daily_share: Annotated[Decimal, Field(gt=0, le=1)]
    reserve: Annotated[Decimal, Field(ge=0, lt=1)]


class Budgets(Policy):
    """The requests that a run may send, per vendor."""

    hubspot: Allowance
    salesforce: Allowance


class Units(Policy):
    """How two number fields count the same thing: Salesforce's number is HubSpot's times `factor`.

    Annual revenue in thousands in HubSpot: `factor: "1000"`; a share there and percent in
    Salesforce: `factor: "100"`. Each side gets a number rounded half-even to the decimal places
    that its field keeps.
    """

    factor: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
    salesforce_digits: int = Field(default=2, ge=0, le=8)
    hubspot_digits: int = Field(default=6, ge=0, le=12)

    @field_validator("factor")
    @classmethod
    def divide_exactly(cls, value: Decimal) -> Decimal:
        """Refuse a factor whose quotients have no end, since no number would come back as it was.

        Only powers of 2 and 5 divide a decimal exactly.
        """
        number = value.as_integer_ratio()[0]
        for prime in (2, 5):
            while number % prime == 0:
                number //= prime
        if number != 1:
            raise ValueError(
                f"{value} does not divide exactly in decimals; use one such as 1000, 100 or 0.25"
            )
        return value


class SharedField(Policy):
    """A field that both CRMs hold, and who decides when both changed it.

    `owner` settles that; `ask` leaves it to a person. With `blank: never_wins` an emptied field
    does not empty the other side. `same` says which values count as equal: `text` without outer
    blanks, `digits` by digits and letters only. The maps translate values that are spelled
    differently; a value that a map does not name goes through `units` or a format, else travels as
    it is.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    entity: Literal["person", "account"]
    owner: Owner = "ask"
    blank: Literal["never_wins", "wins"] = "never_wins"
    same: Literal["text", "digits"] = "text"
    hubspot: str
    salesforce: Mapping[SalesforceKind, str] = Field(min_length=1)
    to_salesforce: Mapping[str, str] = Field(default_factory=dict)
    to_hubspot: Mapping[str, str] = Field(default_factory=dict)
    units: Units | None = None
    format_to_salesforce: ValueFormat = "as_is"
    format_to_hubspot: ValueFormat = "as_is"

    @model_validator(mode="after")
    def stand_on_records_of_the_entity(self) -> Self:
        """A person is a lead or a contact, an account an account."""
        fitting = {"account"} if self.entity == "account" else {"lead", "contact"}
        if wrong := set(self.salesforce) - fitting:
            raise ValueError(
                f"{self.name!r} is a field of a {self.entity}: Salesforce keeps it on "
                f"{' or '.join(sorted(fitting))}, not on {', '.join(sorted(wrong))}"
            )
        return self

    @model_validator(mode="after")
    def count_or_format(self) -> Self:
        """A number has a unit and no format."""
        formats = (self.format_to_salesforce, self.format_to_hubspot)
        if self.units is not None and set(formats) != {"as_is"}:
            raise ValueError(f"{self.name!r} has units and a format; keep one of the two")
        return self

    def names_to(self, side: str) -> Mapping[str, str]:
        """Give the map of the other side's words to those of `side`, hubspot or salesforce."""
        return self.to_salesforce if side == "salesforce" else self.to_hubspot

    def format_to(self, side: str) -> ValueFormat:
        """Give the format of what is written to this side."""
        return self.format_to_salesforce if side == "salesforce" else self.format_to_hubspot

    @property
    def hubspot_kind(self) -> str:
        """Give the HubSpot object that carries it."""
        return "company" if self.entity == "account" else "contact"

    def vendor_fields(self) -> Mapping[tuple[str, str], str]:
        """Give the vendor's field per system and object."""
        theirs = {("salesforce", str(kind)): name for kind, name in self.salesforce.items()}
        return {("hubspot", self.hubspot_kind): self.hubspot, **theirs}


class Guards(Policy):
    """What stops a run before its first write.

    Shares are of the object's records. Only fields that people share with Tandem count, and of them
    no first fill of a blank one. Such a guard needs more than `at_least` records to stop anything.
    `creations` counts records, per object: today nothing makes one, so that any is a fault.
    `self_check_records` written records, drawn by lot, are read again at the end of each night.
    """

    source_shrunk: Portion
    records_share: Portion
    field_share: Portion
    overwrites_share: Portion
    blanks_share: Portion
    creations: int = Field(default=0, ge=0)
    at_least: int = Field(ge=0)
    self_check_records: int = Field(ge=0, le=10_000)


class AlignmentRules(Policy):
    """From which share on a check of the alignment stage counts as met."""

    found: Portion
    clocks: Portion
    promises: Portion
    reasons: Portion
    same: Portion


class Agreement(Policy):
    """The whole agreement, one version."""

    id: str
    version: int = Field(ge=1)
    effective: date
    parties: Parties
    calendar: Calendar
    definitions: Definitions
    identity: Identity
    ownership: tuple[SharedField, ...]
    handoff: Handoff
    marketing_promises: MarketingPromises = MarketingPromises()
    gaming: Gaming = Gaming()
    automatic: Automatic
    touches: tuple[TouchRule, ...] = Field(min_length=1)
    touch_filters: TouchFilters = TouchFilters()
    attribution: Attribution
    rewards: RewardRules
    targets: Targets
    alerts: AlertRules
    meetings: Meetings = Meetings()
    writeback: Writeback
    pull: Pulling
    budget: Budgets
    guards: Guards
    alignment: AlignmentRules

    @field_validator("ownership")
    @classmethod
    def share_each_field_once(cls, value: tuple[SharedField, ...]) -> tuple[SharedField, ...]:
        """Two rules for one field would write it back and forth."""
        named = [shared.name for shared in value]
        placed = [place for shared in value for place in shared.vendor_fields().items()]
        for found in (named, placed):
            if len(set(found)) < len(found):
                raise ValueError("a field is named twice; keep one rule for each")
        return value

    @cached_property
    def name(self) -> str:
        """Give the name that every result carries, such as `default v1`."""
        return f"{self.id} v{self.version}"

    @cached_property
    def digest(self) -> str:
        """Give a hash of the content.

        So that a changed file with an old version number is noticed.
        """
        return hashlib.sha256(
            json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()
        ).hexdigest()


def load_agreement(path: Path = DEFAULT_PATH) -> Agreement:
    """Read and check an agreement file.

    Raises:
        AgreementError: one line per fault, each with file, line, what is wrong and what would be
        right.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise AgreementError(
            f"{path}: cannot be read ({error.strerror}). Set TANDEM_AGREEMENT to a file"
        ) from error
    try:
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise AgreementError(
            f"{path}:{line}: not valid YAML: {error.problem}. Check indentation and quotes"
        ) from error
    if not isinstance(data, dict):
        raise AgreementError(
            f"{path}:1: an agreement is a mapping of blocks. Start from agreement/default.yaml"
        )
    try:
        return Agreement.model_validate(data)
    except ValidationError as error:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        faults = [f"{path}:{_line(tree, fault['loc'])}: {_say(fault)}" for fault in error.errors()]
        raise AgreementError("\n".join(faults)) from error


def kept_agreement(content: Mapping[str, Any]) -> Agreement:
    """Read a version as the store keeps it: `Agreement.model_dump(mode="json")`.

    Raises:
        AgreementError: this release of Tandem does not know the version's keys any more.
    """
    try:
        return Agreement.model_validate(content, context={"is_kept": True})
    except ValidationError as error:
        named = f"{content.get('id')} v{content.get('version')}"
        raise AgreementError(
            f"the kept agreement {named} cannot be read by this release: {_say(error.errors()[0])}."
            " Install the release that used it, or close its periods there first"
        ) from None


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of an agreement file, for editors."""
    return Agreement.model_json_schema(mode="validation")


def _line(tree: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Find the line of a fault: of its key where that exists.

    Else of the nearest block around it.
    """
    node, line = tree, 1
    for step in location:
        found = next(_children(node, step), None)
        if found is None:
            break
        line, node = found
    return line


def _children(node: yaml.Node | None, step: int | str) -> Iterator[tuple[int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                yield key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        yield node.value[step].start_mark.line + 1, node.value[step]


def _say(fault: Any) -> str:
    where = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return (
            f"{where}: this key is not known. Remove it, or spell it as in agreement/default.yaml"
        )
    if fault["type"] == "missing":
        return f"{where}: this key is missing. Add it; agreement/default.yaml shows a value"
    said = str(fault["msg"]).removeprefix("Value error, ")
    given = fault.get("input")
    shown = f" (found {given!r})" if isinstance(given, str | int | float) else ""
    return f"{where}: {said}{shown}"
