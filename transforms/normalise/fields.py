"""Which vendor fields the transforms read, per system and object, in the order of pulling."""

from collections.abc import Mapping
from types import MappingProxyType

from agreement.policy import Agreement

Key = tuple[str, str]

# Owners and companies come before the people who name them, people before their activities, so that
# a pull that stops half-way never holds a child without its parent.
FIELDS: Mapping[Key, tuple[str, ...]] = MappingProxyType(
    {
        ("hubspot", "owner"): ("email", "user_id", "is_archived"),
        ("hubspot", "company"): (
            "name",
            "domain",
            "city",
            "country",
            "salesforceaccountid",
            "hs_merged_object_ids",
        ),
        ("hubspot", "contact"): (
            "email",
            "hs_additional_emails",
            "firstname",
            "lastname",
            "company",
            "phone",
            "mobilephone",
            "website",
            "jobtitle",
            "city",
            "zip",
            "country",
            "lifecyclestage",
            "hubspot_owner_id",
            "hs_analytics_source",
            "hs_email_optout",
            "salesforceleadid",
            "salesforcecontactid",
            "hs_merged_object_ids",
            "hs_calculated_merged_vids",
        ),
        ("hubspot", "deal"): (
            "dealname",
            "amount",
            "deal_currency_code",
            "dealstage",
            "closedate",
            "hs_is_closed",
            "hs_is_closed_won",
            "hs_salesforceopportunityid",
            "hs_merged_object_ids",
        ),
        ("hubspot", "call"): (
            "hs_timestamp",
            "hs_call_title",
            "hs_call_direction",
            "hs_call_disposition",
            "hs_call_status",
            "hubspot_owner_id",
            "hs_object_source",
        ),
        ("hubspot", "meeting"): (
            "hs_timestamp",
            "hs_meeting_title",
            "hs_meeting_outcome",
            "hubspot_owner_id",
            "hs_object_source",
        ),
        ("hubspot", "email"): (
            "hs_timestamp",
            "hs_email_subject",
            "hs_email_direction",
            "hs_email_status",
            "hubspot_owner_id",
            "hs_object_source",
        ),
        ("hubspot", "communication"): (
            "hs_timestamp",
            "hs_communication_channel_type",
            "hubspot_owner_id",
            "hs_object_source",
        ),
        ("hubspot", "form"): ("name", "form_type"),
        ("hubspot", "form_submission"): ("form_id", "submitted_at", "email", "page_url"),
        ("hubspot", "email_event"): (
            "type",
            "recipient",
            "created",
            "campaign_id",
            "is_filtered",
            "url",
            "sent_at",
            "user_agent",
        ),
        ("hubspot", "event_participation"): ("event_id", "contact_id", "state", "occurred_at"),
        ("salesforce", "organization"): ("DefaultCurrencyIsoCode", "TimeZoneSidKey"),
        ("salesforce", "currency_type"): (
            "IsoCode",
            "ConversionRate",
            "DecimalPlaces",
            "IsActive",
            "IsCorporate",
        ),
        ("salesforce", "dated_conversion_rate"): ("IsoCode", "StartDate", "ConversionRate"),
        ("salesforce", "user"): (
            "Name",
            "Email",
            "Department",
            "UserType",
            "TimeZoneSidKey",
            "IsActive",
        ),
        ("salesforce", "account"): ("Name", "Website", "BillingCity", "BillingCountry"),
        ("salesforce", "contact"): (
            "Email",
            "FirstName",
            "LastName",
            "Phone",
            "MobilePhone",
            "Title",
            "MailingCity",
            "MailingPostalCode",
            "MailingCountry",
            "AccountId",
            "OwnerId",
            "LeadSource",
            "HasOptedOutOfEmail",
            "HubSpot_Contact_Id__c",
        ),
        ("salesforce", "lead"): (
            "Email",
            "FirstName",
            "LastName",
            "Company",
            "Phone",
            "MobilePhone",
            "Title",
            "Website",
            "City",
            "PostalCode",
            "Country",
            "Status",
            "OwnerId",
            "LeadSource",
            "HasOptedOutOfEmail",
            "IsConverted",
            "ConvertedContactId",
            "ConvertedAccountId",
            "HubSpot_Contact_Id__c",
        ),
        ("salesforce", "opportunity"): (
            "Name",
            "AccountId",
            "Amount",
            "CurrencyIsoCode",
            "StageName",
            "IsClosed",
            "IsWon",
            "CloseDate",
        ),
        ("salesforce", "opportunity_contact_role"): ("OpportunityId", "ContactId"),
        ("salesforce", "opportunity_history"): ("OpportunityId", "StageName"),
        ("salesforce", "lead_history"): ("LeadId", "Field", "OldValue", "NewValue"),
        ("salesforce", "contact_history"): ("ContactId", "Field", "OldValue", "NewValue"),
        ("salesforce", "campaign"): (
            "Name",
            "ActualCost",
            "StartDate",
            "EndDate",
            "CurrencyIsoCode",
        ),
        ("salesforce", "campaign_member"): (
            "CampaignId",
            "LeadId",
            "ContactId",
            "Status",
            "HasResponded",
            "FirstRespondedDate",
        ),
        ("salesforce", "task"): (
            "WhoId",
            "Subject",
            "Status",
            "IsClosed",
            "TaskSubtype",
            "CallType",
            "CallDisposition",
            "CompletedDateTime",
            "OwnerId",
            "CreatedById",
        ),
        ("salesforce", "event"): (
            "WhoId",
            "Subject",
            "StartDateTime",
            "EndDateTime",
            "ShowAs",
            "OwnerId",
            "CreatedById",
        ),
    }
)

# Fields whose dated values HubSpot gives with the record; Salesforce keeps them in history objects,
# which are mirrors of their own.
HISTORY_FIELDS: Mapping[Key, tuple[str, ...]] = MappingProxyType(
    {("hubspot", "contact"): ("lifecyclestage", "hubspot_owner_id")}
)
STAGE_FIELDS = HISTORY_FIELDS
# And those of which each dated value is a visit.
VISIT_FIELDS: Mapping[Key, tuple[str, ...]] = MappingProxyType(
    {("hubspot", "contact"): ("hs_latest_source",)}
)

ASSOCIATED: Mapping[Key, tuple[str, ...]] = MappingProxyType(
    {
        ("hubspot", "contact"): ("company",),
        ("hubspot", "deal"): ("contact", "company"),
        ("hubspot", "call"): ("contact",),
        ("hubspot", "meeting"): ("contact",),
        ("hubspot", "email"): ("contact",),
        ("hubspot", "communication"): ("contact",),
    }
)


# Where Salesforce keeps who changed which field of an object, and the field that names the record.
CHANGE_LISTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"lead": ("lead_history", "LeadId"), "contact": ("contact_history", "ContactId")}
)
_CHANGE_FIELDS = ("Field", "OldValue", "NewValue")


def kinds_to_pull(agreement: Agreement) -> tuple[Key, ...]:
    """List the objects to read, with the change lists that `newest` needs."""
    kinds = {kind for _, kind, _ in _newest_fields(agreement, "salesforce")}
    lists = {("salesforce", CHANGE_LISTS[kind][0]) for kind in kinds if kind in CHANGE_LISTS}
    return (*FIELDS, *sorted(lists - FIELDS.keys()))


def fields_to_pull(agreement: Agreement, system: str, kind: str) -> tuple[str, ...]:
    """List the vendor fields to read of one object, with those that the agreement names."""
    named = (
        (agreement.handoff.reject_reason_field,) if (system, kind) == ("salesforce", "lead") else ()
    )
    of_list = [(key, *_CHANGE_FIELDS) for name, key in CHANGE_LISTS.values() if name == kind]
    own = FIELDS.get((system, kind)) or of_list[0]
    return tuple(dict.fromkeys((*own, *named, *shared_fields(agreement, system, kind))))


def shared_fields(agreement: Agreement, system: str, kind: str) -> tuple[str, ...]:
    """List the vendor fields of one object that people keep in both CRMs."""
    places = [shared.vendor_fields().get((system, kind)) for shared in agreement.ownership]
    return tuple(place for place in places if place)


def history_to_pull(agreement: Agreement, system: str, kind: str) -> tuple[str, ...]:
    """List the fields of one object whose dated values come with the record."""
    newest = (
        field
        for _, of_kind, field in _newest_fields(agreement, system)
        if system == "hubspot" and of_kind == kind
    )
    ours = (*HISTORY_FIELDS.get((system, kind), ()), *VISIT_FIELDS.get((system, kind), ()))
    return tuple(dict.fromkeys((*ours, *newest)))


def _newest_fields(agreement: Agreement, system: str) -> list[tuple[str, str, str]]:
    """List name, object and vendor field of the shared fields that the newest change decides."""
    return [
        (shared.name, kind, field)
        for shared in agreement.ownership
        if shared.owner == "newest"
        for (where, kind), field in shared.vendor_fields().items()
        if where == system
    ]
