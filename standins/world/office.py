"""The seller's own side: users and owners, currencies and rates, forms and campaigns."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from standins.salesforce import SalesforceStandIn
from standins.world.cast import NURTURING, PAUSED, QUALIFIED, UNQUALIFIED, Rep
from standins.world.dice import Dice
from standins.world.ids import Ids
from standins.world.script import Phase, Script, salesforce_time
from standins.world.working_time import COMPANY_ZONE
from standins.world.years import AS_OF, DAY, FIRST_DAY, MINUTE

COMPANY_CURRENCY = "USD"
DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
# Units of the currency per US dollar, from a day on. The 0.8 makes amounts that fall exactly
# between two cents, so that the way of rounding shows.
RATES = {
    "EUR": {
        "2025-01-01": "0.925",
        "2025-07-01": "0.875",
        "2026-01-01": "0.8",
        "2026-04-01": "0.8625",
        "2026-07-01": "0.8",
        "2026-10-01": "0.915",
    },
    "JPY": {"2025-01-01": "157.2", "2025-10-01": "144.85", "2026-05-15": "149.25"},
    "KWD": {"2025-01-01": "0.308", "2026-02-01": "0.3065", "2026-09-15": "0.30745"},
}
_OPENED = datetime(2024, 11, 4, 9, tzinfo=UTC)

# Lead statuses beside the vendor's own, and whether a conversion ends there.
_OWN_STATUSES = ((NURTURING, False), (UNQUALIFIED, False), (PAUSED, False), (QUALIFIED, True))

# First name, last name, zone. Several zones change their clocks in autumn, each on its own day;
# Kolkata, Tokyo and Phoenix never do, Sydney the other way round.
_REPS = (
    ("Grace", "Hollander", "America/New_York"),
    ("Marcus", "Bell", "America/New_York"),
    ("Tamika", "Rhodes", "America/New_York"),
    ("Elliot", "Kaplan", "America/New_York"),
    ("Dana", "Whitmore", "America/New_York"),
    ("Rosa", "Iglesias", "America/Chicago"),
    ("Hank", "Sutter", "America/Chicago"),
    ("Joon", "Seo", "America/Los_Angeles"),
    ("Paige", "Lindgren", "America/Los_Angeles"),
    ("Andre", "Fontaine", "America/Los_Angeles"),
    ("Cody", "Begay", "America/Phoenix"),
    ("Katrin", "Vogel", "Europe/Berlin"),
    ("Stefan", "Brenner", "Europe/Berlin"),
    ("Aylin", "Demir", "Europe/Berlin"),
    ("Oliver", "Prescott", "Europe/London"),
    ("Nisha", "Venkat", "Asia/Kolkata"),
    ("Arjun", "Bhatt", "Asia/Kolkata"),
    ("Meera", "Pillai", "Asia/Kolkata"),
    ("Haruto", "Mori", "Asia/Tokyo"),
    ("Isla", "Donnelly", "Australia/Sydney"),
)
_LEFT = ("Walter", "Grimes", "America/New_York")
_TEAMS = {"America": "Sales Americas", "Europe": "Sales EMEA"}
_FURTHER_TEAM = "Sales APAC"
# Holidays of each rep: how many, and how long they last at most.
_ABSENCES, _LONGEST_ABSENCE = 5, 16


@dataclass(frozen=True)
class Form:
    """A HubSpot form; a hot one asks for a talk."""

    guid: str
    name: str
    form_type: str
    is_hot: bool


FORMS = (
    Form("0c1f6d1e-4a7b-4c55-9b1d-5d2f0a6b1001", "Request a demo", "hubspot", True),
    Form("0c1f6d1e-4a7b-4c55-9b1d-5d2f0a6b1002", "Pricing for teams", "hubspot", True),
    Form("0c1f6d1e-4a7b-4c55-9b1d-5d2f0a6b1003", "CONTACT SALES (2026)", "captured", True),
    Form("0c1f6d1e-4a7b-4c55-9b1d-5d2f0a6b1004", "Newsletter", "hubspot", False),
    Form("0c1f6d1e-4a7b-4c55-9b1d-5d2f0a6b1005", "Guide: one funnel, two teams", "hubspot", False),
    Form("0c1f6d1e-4a7b-4c55-9b1d-5d2f0a6b1006", "Webinar registration", "flow", False),
)
HOT_FORMS = tuple(form for form in FORMS if form.is_hot)
CALM_FORMS = tuple(form for form in FORMS if not form.is_hot)


@dataclass(frozen=True)
class Office:
    """Whom leads can be given to, which machines act, and the campaigns people respond to."""

    reps: tuple[Rep, ...]
    queue: Rep
    robot_id: str  # the other vendor's own integration, under a user name that says so
    process_id: str  # Salesforce's Automated Process user
    campaigns: tuple[str, ...]
    absences: tuple[tuple[Rep, datetime, datetime], ...] = ()

    def is_absent(self, rep: Rep, at: datetime) -> bool:
        """Tell whether a rep is out of office at a time."""
        return any(who is rep and start <= at < end for who, start, end in self.absences)


def open_office(dice: Dice, ids: Ids, script: Script) -> Office:
    """Hire everybody and set the organisation up in both CRMs."""
    reps = tuple(
        Rep(
            ids.salesforce("User"),
            str(4100 + at),
            (first, last),
            zone,
            (first, last, zone) != _LEFT,
            _TEAMS.get(zone.partition("/")[0], _FURTHER_TEAM),
        )
        for at, (first, last, zone) in enumerate((*_REPS, _LEFT))
    )
    for rep in reps:
        _hire(rep, script)
    queue = Rep(ids.salesforce("Group"), None, ("Inbound", "Queue"), COMPANY_ZONE)
    _add(script, "Group", queue.salesforce_id, {"Name": "Inbound Queue", "Type": "Queue"})
    robot_id = _machine(script, ids, "HubSpot", "Integration", "Standard")
    process_id = _machine(script, ids, "Automated", "Process", "AutomatedProcess")
    script.hubspot(Phase.OFFICE, lambda crm: setattr(crm, "time_zone", COMPANY_ZONE))
    _set_up_money(script)
    for form in FORMS:
        _publish(form, script)
    script.salesforce(Phase.OFFICE, _add_fields)
    campaigns = _campaigns(dice, ids, script)
    absences = tuple(_absence(dice, ids, script, rep) for rep in reps for _ in range(_ABSENCES))
    return Office(reps, queue, robot_id, process_id, campaigns, absences)


def _absence(dice: Dice, ids: Ids, script: Script, rep: Rep) -> tuple[Rep, datetime, datetime]:
    """Let a rep be away for some days, as their own calendar says."""
    start = dice.between(FIRST_DAY, AS_OF - DAY).replace(hour=0, minute=0, second=0)
    end = start + dice.whole(2, _LONGEST_ABSENCE) * DAY
    fields = {
        "Subject": "Out of office",
        "ShowAs": "OutOfOffice",
        "StartDateTime": salesforce_time(start),
        "ActivityDateTime": salesforce_time(start),
        "EndDateTime": salesforce_time(end),
        "DurationInMinutes": int((end - start) / MINUTE),
        "OwnerId": rep.salesforce_id,
        "CreatedById": rep.salesforce_id,
    }
    booked_at = start - dice.whole(1, 60) * DAY
    event_id = ids.salesforce("Event")
    script.salesforce(
        Phase.OFFICE,
        lambda crm: crm.add("Event", fields, record_id=event_id, created_at=booked_at),
    )
    return rep, start, end


def _hire(rep: Rep, script: Script) -> None:
    first, last = rep.name
    user_id = 9000 + int(rep.hubspot_owner_id or 0)
    _add(
        script,
        "User",
        rep.salesforce_id,
        {
            "FirstName": first,
            "LastName": last,
            "Username": rep.email,
            "Email": rep.email,
            "IsActive": rep.is_active,
            "Department": rep.team,
            "TimeZoneSidKey": rep.zone,
            "UserType": "Standard",
        },
    )
    script.hubspot(
        Phase.OFFICE,
        lambda crm: crm.add_owner(
            rep.hubspot_owner_id or "",
            user_id=user_id,
            email=rep.email,
            first_name=first,
            last_name=last,
            archived=not rep.is_active,
            team="Sales",
        ),
    )


def _publish(form: Form, script: Script) -> None:
    script.hubspot(Phase.OFFICE, lambda crm: crm.add_form(form.guid, form.name, form.form_type))


def _machine(script: Script, ids: Ids, first: str, last: str, user_type: str) -> str:
    """Add a user behind which there is nobody."""
    user_id = ids.salesforce("User")
    fields = {
        "FirstName": first,
        "LastName": last,
        "Username": f"{first}.{last}@tandem-demo.test".lower().replace(" ", "-"),
        "Email": "no-reply@tandem-demo.test",
        "IsActive": True,
        "TimeZoneSidKey": "America/Los_Angeles",
        "UserType": user_type,
    }
    _add(script, "User", user_id, fields)
    return user_id


def _add(script: Script, sobject: str, record_id: str, fields: dict[str, Any]) -> None:
    script.salesforce(
        Phase.OFFICE,
        lambda crm: crm.add(sobject, fields, record_id=record_id, created_at=_OPENED),
    )


def _set_up_money(script: Script) -> None:
    """Fill the currency tables of a multi-currency organisation, once."""

    def set_up(crm: SalesforceStandIn) -> None:
        crm.organization["TimeZoneSidKey"] = COMPANY_ZONE
        crm.organization["DefaultCurrencyIsoCode"] = COMPANY_CURRENCY
        known = {str(row["IsoCode"]) for row in crm.records("CurrencyType").values()}
        for currency in DIGITS.keys() - known:
            crm.add("CurrencyType", _currency_type(currency), created_at=_OPENED)
        for currency, rates in RATES.items():
            for row in _dated_rates(currency, rates):
                crm.add("DatedConversionRate", row, created_at=_OPENED)

    script.salesforce(Phase.OFFICE, set_up)


def _currency_type(currency: str) -> dict[str, Any]:
    rate = "1" if currency == COMPANY_CURRENCY else list(RATES[currency].values())[-1]
    return {
        "IsoCode": currency,
        "ConversionRate": float(rate),
        "DecimalPlaces": DIGITS[currency],
        "IsActive": True,
        "IsCorporate": currency == COMPANY_CURRENCY,
    }


def _dated_rates(currency: str, rates: dict[str, str]) -> list[dict[str, Any]]:
    starts = list(rates)
    return [
        {
            "IsoCode": currency,
            "StartDate": start,
            "NextStartDate": next_start,
            "ConversionRate": float(rates[start]),
        }
        for start, next_start in zip(starts, [*starts[1:], "9999-12-31"], strict=True)
    ]


def rate_on(currency: str, day: date) -> Fraction:
    """Give the units of a currency per US dollar that hold on a day, exactly as written."""
    if currency == COMPANY_CURRENCY:
        return Fraction(1)
    return Fraction(
        max((start, rate) for start, rate in RATES[currency].items() if start <= str(day))[1]
    )


def _add_fields(crm: SalesforceStandIn) -> None:
    """Add what this organisation's admins added: lead statuses and fields."""
    for order, (status, is_converted) in enumerate(_OWN_STATUSES):
        row = {"ApiName": status, "SortOrder": order, "IsConverted": is_converted}
        crm.add("LeadStatus", row, created_at=_OPENED)
    crm.add_field("Lead", "Reject_Reason__c", "picklist")
    crm.track("Lead", "Reject_Reason__c")
    crm.add_field("Lead", "HubSpot_Contact_Id__c", "string")
    crm.add_field("Contact", "HubSpot_Contact_Id__c", "string")


def _allow_statuses(script: Script, campaign_id: str) -> None:
    """Let the members of a campaign be sent to, have responded, or have attended."""

    def allow(crm: SalesforceStandIn) -> None:
        for status in ("Sent", "Responded", "Attended"):
            row = {"CampaignId": campaign_id, "Label": status, "HasResponded": status != "Sent"}
            crm.add("CampaignMemberStatus", row, created_at=_OPENED)

    script.salesforce(Phase.OFFICE, allow)


def _campaigns(dice: Dice, ids: Ids, script: Script) -> tuple[str, ...]:
    found = []
    for season in ("Spring", "Summer", "Autumn"):
        for kind in ("Webinar", "Conference", "Trade Show", "Advertisement"):
            campaign_id = ids.salesforce("Campaign")
            fields = {
                "Name": f"{season} {kind} {dice.whole(2025, 2026)}",
                "Type": kind,
                "Status": "In Progress",
                "IsActive": True,
            }
            _add(script, "Campaign", campaign_id, fields)
            _allow_statuses(script, campaign_id)
            found.append(campaign_id)
    return tuple(found)
