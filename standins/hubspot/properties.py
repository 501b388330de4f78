"""The properties that a fresh portal has.

Taken from HubSpot's object documentation and from property lists recorded of real portals.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from standins.hubspot.schema import Kind, Property

_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "stages": (
            "subscriber",
            "lead",
            "marketingqualifiedlead",
            "salesqualifiedlead",
            "opportunity",
            "customer",
            "evangelist",
            "other",
        ),
        "sources": (
            "ORGANIC_SEARCH",
            "PAID_SEARCH",
            "EMAIL_MARKETING",
            "SOCIAL_MEDIA",
            "PAID_SOCIAL",
            "REFERRALS",
            "OTHER_CAMPAIGNS",
            "DIRECT_TRAFFIC",
            "OFFLINE",
        ),
        "lead_statuses": (
            "NEW",
            "OPEN",
            "IN_PROGRESS",
            "OPEN_DEAL",
            "UNQUALIFIED",
            "ATTEMPTED_TO_CONTACT",
            "CONNECTED",
            "BAD_TIMING",
        ),
        "legal_bases": (
            "Legitimate interest – prospect/lead",
            "Legitimate interest – existing customer",
            "Freely given consent from contact",
            "Performance of a contract",
            "Not applicable",
        ),
        "industries": (
            "ACCOUNTING",
            "BANKING",
            "BIOTECHNOLOGY",
            "COMPUTER_SOFTWARE",
            "CONSUMER_GOODS",
            "EDUCATION_MANAGEMENT",
            "FINANCIAL_SERVICES",
            "INSURANCE",
            "INTERNET",
            "LOGISTICS_AND_SUPPLY_CHAIN",
            "MACHINERY",
            "MANAGEMENT_CONSULTING",
            "MARKETING_AND_ADVERTISING",
            "RETAIL",
            "TELECOMMUNICATIONS",
        ),
        "call_statuses": (
            "BUSY",
            "CALLING_CRM_USER",
            "CANCELED",
            "COMPLETED",
            "CONNECTING",
            "FAILED",
            "IN_PROGRESS",
            "MISSED",
            "NO_ANSWER",
            "QUEUED",
            "RINGING",
        ),
        "task_statuses": ("COMPLETED", "DEFERRED", "IN_PROGRESS", "NOT_STARTED", "WAITING"),
    }
)

# One property a line: name, type, fieldType, then flags and `=option,option`. Flags: `ro` its value
# cannot be written, `calc` neither and it is computed (which moves no stamp), `owner` its options
# are the owners. `=@name` stands for options of the next table.
_EVERY_OBJECT = """
hs_object_id                    number      number   ro
hs_all_owner_ids                enumeration checkbox ro
hs_created_by_user_id           number      number   ro
hs_merged_object_ids            enumeration checkbox ro
hs_object_source                enumeration select   ro
hs_object_source_id             string      text     ro
hs_object_source_label          string      text     ro
hs_object_source_detail_1       string      text     ro
hs_object_source_detail_2       string      text     ro
hs_object_source_detail_3       string      text     ro
hs_object_source_user_id        number      number   ro
hs_updated_by_user_id           number      number   ro
hs_was_imported                 bool        booleancheckbox ro
hubspot_owner_assigneddate      datetime    date     ro
hubspot_owner_id                enumeration select   owner
hubspot_team_id                 enumeration select   ro
"""


_CONTACTS = """
lifecyclestage                  enumeration radio =@stages
createdate                      datetime    date     ro
lastmodifieddate                datetime    date     ro
email                           string      text
firstname                       string      text
lastname                        string      text
salutation                      string      text
jobtitle                        string      text
company                         string      text
website                         string      text
phone                           string      phonenumber
mobilephone                     string      phonenumber
fax                             string      phonenumber
address                         string      text
city                            string      text
state                           string      text
zip                             string      text
country                         string      text
industry                        string      text
message                         string      textarea
hs_language                     enumeration select =en,de,fr,es,ja,pt,it,nl
hs_timezone                     string      text
numemployees                    enumeration select =1-5,5-25,25-50,50-100,100-500,500-1000,1000+
annualrevenue                   string      text
hs_additional_emails            enumeration checkbox ro
hs_email_domain                 string      text     ro
hs_email_optout                 bool        booleancheckbox ro
hs_email_bounce                 number      number   ro
hs_email_open                   number      number   ro
hs_email_click                  number      number   ro
hs_email_delivered              number      number   ro
hs_email_last_open_date         datetime    date     ro
hs_email_last_click_date        datetime    date     ro
hs_email_hard_bounce_reason_enum enumeration select  ro
hs_legal_basis                  enumeration checkbox =@legal_bases
hs_marketable_status            enumeration select ro
hs_lead_status                  enumeration radio =@lead_statuses
hs_calculated_merged_vids       enumeration checkbox calc
hs_calculated_phone_number      string      text     calc
hs_is_unworked                  bool        booleancheckbox calc
hs_time_between_contact_creation_and_deal_creation number number calc
hs_time_to_first_engagement     number      number   calc
hs_persona                      enumeration radio =persona_1,persona_2
hubspotscore                    number      number   calc
associatedcompanyid             number      number   calc
num_associated_deals            number      number   calc
total_revenue                   number      number   calc
recent_deal_amount              number      number   calc
first_deal_created_date         datetime    date     calc
notes_last_contacted            datetime    date     ro
notes_last_updated              datetime    date     ro
notes_next_activity_date        datetime    date     ro
num_contacted_notes             number      number   ro
num_notes                       number      number   ro
hs_last_sales_activity_timestamp datetime   date     ro
hs_sa_first_engagement_date     datetime    date     ro
first_conversion_date           datetime    date     ro
first_conversion_event_name     string      text     ro
recent_conversion_date          datetime    date     ro
recent_conversion_event_name    string      text     ro
num_conversion_events           number      number   ro
num_unique_conversion_events    number      number   ro
hs_analytics_source             enumeration select =@sources
hs_analytics_source_data_1      string      text     ro
hs_analytics_source_data_2      string      text     ro
hs_latest_source                enumeration select ro =@sources
hs_latest_source_data_1         string      text     ro
hs_latest_source_data_2         string      text     ro
hs_latest_source_timestamp      datetime    date     ro
hs_analytics_first_timestamp    datetime    date     ro
hs_analytics_first_visit_timestamp datetime date     ro
hs_analytics_first_url          string      text     ro
hs_analytics_first_referrer     string      text     ro
hs_analytics_first_touch_converting_campaign string text ro
hs_analytics_last_timestamp     datetime    date     ro
hs_analytics_last_visit_timestamp datetime  date     ro
hs_analytics_last_url           string      text     ro
hs_analytics_last_referrer      string      text     ro
hs_analytics_last_touch_converting_campaign string text ro
hs_analytics_num_visits         number      number   ro
hs_analytics_num_page_views     number      number   ro
hs_analytics_num_event_completions number   number   ro
hs_analytics_average_page_views number      number   ro
hs_analytics_revenue            number      number   ro
hs_google_click_id              string      text     ro
hs_facebook_click_id            string      text     ro
"""

_COMPANIES = """
lifecyclestage                  enumeration radio =@stages
createdate                      datetime    date     ro
hs_lastmodifieddate             datetime    date     ro
name                            string      text
domain                          string      text
website                         string      text
phone                           string      phonenumber
address                         string      text
address2                        string      text
city                            string      text
state                           string      text
zip                             string      text
country                         string      text
description                     string      textarea
industry                        enumeration select =@industries
type                            enumeration radio =PROSPECT,PARTNER,RESELLER,VENDOR,OTHER
numberofemployees               number      number
annualrevenue                   number      number
hs_additional_domains           enumeration checkbox ro
hs_lead_status                  enumeration radio =@lead_statuses
hs_parent_company_id            number      number   calc
num_associated_contacts         number      number   calc
num_associated_deals            number      number   calc
hs_num_open_deals               number      number   calc
total_revenue                   number      number   calc
notes_last_contacted            datetime    date     ro
notes_last_updated              datetime    date     ro
hs_analytics_source             enumeration select ro =@sources
hs_analytics_source_data_1      string      text     ro
hs_analytics_source_data_2      string      text     ro
hs_analytics_first_timestamp    datetime    date     ro
"""

_DEALS = """
createdate                      datetime    date
hs_createdate                   datetime    date     ro
hs_lastmodifieddate             datetime    date     ro
dealname                        string      text
amount                          number      number
amount_in_home_currency         number      number   calc
closedate                       datetime    date
deal_currency_code              enumeration select =USD,EUR,GBP,JPY,KWD,CHF,CAD,AUD,INR,SEK
dealstage                       enumeration radio
pipeline                        enumeration select
dealtype                        enumeration radio =newbusiness,existingbusiness
description                     string      textarea
closed_lost_reason              string      textarea
closed_won_reason               string      textarea
days_to_close                   number      number   calc
hs_acv                          number      number
hs_arr                          number      number
hs_mrr                          number      number
hs_tcv                          number      number
hs_analytics_source             enumeration select ro =@sources
hs_analytics_source_data_1      string      text     ro
hs_analytics_source_data_2      string      text     ro
hs_closed_amount                number      number   calc
hs_deal_stage_probability       number      number   calc
hs_exchange_rate                number      number   calc
hs_forecast_amount              number      number   calc
hs_is_closed                    bool        booleancheckbox calc
hs_is_closed_won                bool        booleancheckbox calc
hs_is_closed_lost               bool        booleancheckbox calc
hs_next_step                    string      text
hs_priority                     enumeration select =low,medium,high
hs_projected_amount             number      number   calc
num_associated_contacts         number      number   calc
notes_last_contacted            datetime    date     ro
notes_last_updated              datetime    date     ro
"""

_EVERY_ENGAGEMENT = """
hs_createdate                   datetime    date     ro
hs_lastmodifieddate             datetime    date     ro
hs_activity_type                enumeration select
hs_attachment_ids               enumeration checkbox
hs_created_by                   number      number   ro
hs_timestamp                    datetime    date
"""

_CALLS = """
hs_call_body                    string      html
hs_call_callee_object_id        number      number
hs_call_callee_object_type_id   string      text
hs_call_direction               enumeration select =INBOUND,OUTBOUND
hs_call_disposition             enumeration select
hs_call_duration                number      number
hs_call_from_number             string      text
hs_call_has_transcript          bool        booleancheckbox ro
hs_call_recording_url           string      text
hs_call_source                  string      text
hs_call_status                  enumeration select =@call_statuses
hs_call_title                   string      text
hs_call_to_number               string      text
"""

_MEETINGS = """
hs_internal_meeting_notes       string      html
hs_meeting_body                 string      html
hs_meeting_created_from_link_id number      number   ro
hs_meeting_end_time             datetime    date
hs_meeting_external_url         string      text
hs_meeting_location             string      text
hs_meeting_outcome              enumeration select =SCHEDULED,COMPLETED,RESCHEDULED,NO_SHOW,CANCELED
hs_meeting_source               string      text     ro
hs_meeting_start_time           datetime    date
hs_meeting_title                string      text
"""

_EMAILS = """
hs_email_bcc_email              string      text
hs_email_cc_email               string      text
hs_email_click_count            number      number   ro
hs_email_direction              enumeration select =EMAIL,INCOMING_EMAIL,FORWARDED_EMAIL
hs_email_from_email             string      text     ro
hs_email_headers                string      text
hs_email_html                   string      html
hs_email_message_id             string      text
hs_email_open_count             number      number   ro
hs_email_reply_count            number      number   ro
hs_email_sender_email           string      text
hs_email_status                 enumeration select =BOUNCED,FAILED,SCHEDULED,SENDING,SENT
hs_email_subject                string      text
hs_email_text                   string      text
hs_email_thread_id              string      text     ro
hs_email_to_email               string      text
"""

_TASKS = """
hs_task_body                    string      html
hs_task_completion_date         datetime    date     ro
hs_task_for_object_type         enumeration select
hs_task_is_completed            number      number   calc
hs_task_priority                enumeration select =NONE,LOW,MEDIUM,HIGH
hs_task_reminders               string      text
hs_task_status                  enumeration select =@task_statuses
hs_task_subject                 string      text
hs_task_type                    enumeration select =EMAIL,CALL,TODO,MEETING,LINKED_IN
"""

_NOTES = """
hs_note_body                    string      html
"""

_COMMUNICATIONS = """
hs_communication_body           string      html
hs_communication_channel_type   enumeration select =WHATS_APP,LINKEDIN_MESSAGE,SMS
hs_communication_logged_from    enumeration select =CRM
"""

_LEADS = """
hs_createdate                   datetime    date     ro
hs_lastmodifieddate             datetime    date     ro
hs_lead_name                    string      text
hs_lead_type                    enumeration select =NEW_BUSINESS,UPSELL,RE_ATTEMPTING
hs_lead_label                   enumeration select =HOT,WARM,COLD
hs_lead_source                  enumeration select ro
hs_pipeline                     enumeration select
hs_pipeline_stage               enumeration select
hs_lead_disqualification_reason enumeration select
hs_primary_contact_id           number      number   calc
"""

_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "contacts": _CONTACTS,
        "companies": _COMPANIES,
        "deals": _DEALS,
        "calls": _EVERY_ENGAGEMENT + _CALLS,
        "meetings": _EVERY_ENGAGEMENT + _MEETINGS,
        "emails": _EVERY_ENGAGEMENT + _EMAILS,
        "tasks": _EVERY_ENGAGEMENT + _TASKS,
        "notes": _EVERY_ENGAGEMENT + _NOTES,
        "communications": _EVERY_ENGAGEMENT + _COMMUNICATIONS,
        "leads": _LEADS,
    }
)

# What HubSpot's own Salesforce integration adds when it is installed, and only then.
_NATIVE_INTEGRATION: Mapping[str, str] = MappingProxyType(
    {
        "contacts": """
salesforceaccountid             string      text
salesforcecampaignids           enumeration checkbox
salesforcecontactid             string      text
salesforcedeleted               bool        booleancheckbox
salesforcelastsynctime          datetime    date
salesforceleadid                string      text
salesforceopportunitystage      string      text
salesforceownerid               string      text
""",
        "companies": """
salesforceaccountid             string      text
salesforcedeleted               bool        booleancheckbox
salesforcelastsynctime          datetime    date
""",
        "deals": """
hs_salesforceopportunityid      string      text
salesforcelastsynctime          datetime    date
""",
    }
)

# Outcomes of a call are the same ids in every portal (GET /calling/v1/dispositions).
CALL_DISPOSITIONS = (
    ("9d9162e7-6cf3-4944-bf63-4dff82258764", "Busy"),
    ("f240bbac-87c9-4f6e-bf70-924b57d47db7", "Connected"),
    ("a4c4c377-d246-4b32-a13b-75a56a4cd0ff", "Left live message"),
    ("b2cf5968-551e-4856-9783-52b3da59a7d0", "Left voicemail"),
    ("73a0d17f-1163-4015-bdd5-ec830791da20", "No answer"),
    ("17b47fee-58de-441e-a44c-c6300d46f273", "Wrong number"),
)


def standard_properties(kind: Kind) -> dict[str, Property]:
    """Give the properties of an object in a fresh portal, by name."""
    lines = _EVERY_OBJECT + _TABLES[kind.name]
    properties = {line.name: line for line in _read(lines, kind.group)}
    if kind.name == "calls":
        properties["hs_call_disposition"].options = CALL_DISPOSITIONS
    return properties


def native_integration_properties(kind: Kind) -> dict[str, Property]:
    """Give the properties that the vendor's Salesforce integration adds to an object, by name."""
    lines = _NATIVE_INTEGRATION.get(kind.name, "")
    return {line.name: line for line in _read(lines, "salesforceinformation")}


def _read(lines: str, group: str) -> Iterator[Property]:
    for line in filter(None, lines.splitlines()):
        declared, _, options = line.partition("=")
        name, type_, field_type, *flags = declared.split()
        yield Property(
            name=name,
            type=type_,
            field_type=field_type,
            label=_label(name),
            group=group,
            options=tuple((value, _label(value)) for value in _option_values(options)),
            is_read_only="ro" in flags,
            is_calculated="calc" in flags,
            more={"referencedObjectType": "OWNER"} if "owner" in flags else {},
        )


def _option_values(declared: str) -> Sequence[str]:
    if declared.startswith("@"):
        return _OPTIONS[declared.removeprefix("@")]
    return declared.split(",") if declared else ()


def _label(name: str) -> str:
    return name.removeprefix("hs_").replace("_", " ").capitalize()
