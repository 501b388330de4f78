"""Both vendors' records in one vocabulary."""

from datetime import UTC, datetime

import pytest

from agreement.policy import load_agreement
from tests import builders
from transforms import normalise

NOON = "2026-03-02T12:00:00.000Z"
NOW = datetime(2026, 3, 10, tzinfo=UTC)
AGREEMENT = load_agreement()

LEAD, CONTACT, USER = "00Q000000000001EAA", "003000000000001AAA", "005000000000001AAA"
ROBOT = "005000000000002AAA"


def reconciled(given, pairs=None, integration_user_id=None):
    """Bring mirrors into the vocabulary as the night does."""
    mirrors = builders.mirrors(given)
    aliases = normalise.aliases(mirrors)
    live = normalise.live(mirrors, aliases)
    associated = normalise.associations(builders.associations(pairs or {}), aliases)
    users = normalise.users(
        live["salesforce", "user"],
        live["hubspot", "owner"],
        AGREEMENT.automatic,
        integration_user_id,
    )
    return {
        "aliases": aliases,
        "people": normalise.people(live, associated["contact", "company"], AGREEMENT.handoff),
        "users": users,
        "activities": normalise.activities(
            live, associated, users, aliases, AGREEMENT.automatic, NOW
        ),
    }


def activities(given, pairs=None, **options):
    return reconciled(given, pairs, **options)["activities"]


def user(user_id=USER, **fields):
    return {
        "record_id": user_id,
        "Name": "Rep",
        "UserType": "Standard",
        "IsActive": "true",
    } | fields


def task(record_id="00T000000000001AAA", **fields):
    return {
        "record_id": record_id,
        "created_at": "2026-03-01T00:00Z",
        "WhoId": LEAD,
        "Status": "Completed",
        "TaskSubtype": "Call",
        "CallType": "Outbound",
        "CompletedDateTime": NOON,
        "OwnerId": USER,
        "CreatedById": USER,
    } | fields


# Fields ------------------------------------------------------------------------------------------


def test_the_reason_field_that_the_agreement_names_is_pulled_with_the_leads():
    assert "Reject_Reason__c" in normalise.fields_to_pull(AGREEMENT, "salesforce", "lead")
    assert "Reject_Reason__c" not in normalise.fields_to_pull(AGREEMENT, "salesforce", "contact")


def test_parents_are_pulled_before_the_records_that_name_them():
    order = list(normalise.FIELDS)
    for (system, kind), to_kinds in normalise.ASSOCIATED.items():
        for to_kind in to_kinds:
            assert order.index((system, to_kind)) < order.index((system, kind))
    assert order.index(("salesforce", "lead")) < order.index(("salesforce", "task"))


# Merges and deletions ----------------------------------------------------------------------------


def test_a_chain_of_merges_ends_at_the_last_survivor():
    found = reconciled(
        {
            ("hubspot", "contact"): [
                {"record_id": "1"},
                {"record_id": "2", "hs_merged_object_ids": "1"},
                {"record_id": "3", "hs_calculated_merged_vids": "2:1767225600000;7:1767225600001"},
            ],
            ("salesforce", "lead"): [
                {"record_id": "a", "merged_into": "b", "is_deleted": True},
                {"record_id": "b", "merged_into": "c", "is_deleted": True},
                {"record_id": "c"},
            ],
        }
    )
    ends = dict(zip(found["aliases"]["record_id"], found["aliases"]["survivor_id"], strict=True))
    assert ends == {"1": "3", "2": "3", "7": "3", "a": "c", "b": "c"}
    assert sorted(found["people"]["record_id"]) == ["3", "c"]


def test_a_ring_of_merges_ends_too():
    mirrors = builders.mirrors(
        {
            ("salesforce", "lead"): [
                {"record_id": "a", "merged_into": "b"},
                {"record_id": "b", "merged_into": "a"},
            ]
        }
    )
    assert len(normalise.aliases(mirrors)) == 2


def test_a_deleted_record_is_nobody():
    found = reconciled({("salesforce", "contact"): [{"record_id": CONTACT, "is_deleted": True}]})
    assert found["people"].empty


def test_an_act_of_a_merged_away_contact_belongs_to_the_survivor():
    acts = activities(
        {
            ("hubspot", "contact"): [{"record_id": "9", "hs_merged_object_ids": "1"}],
            ("hubspot", "call"): [{"record_id": "77", "hs_timestamp": NOON}],
        },
        {("call", "contact"): [("77", "1"), ("77", "9")]},
    )
    assert acts["person_record_id"].tolist() == ["9"]


# People ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        (" Ann@X.test ", "ann@x.test"),
        ("mailto:ann@x.test", "ann@x.test"),
        ("ann+crm@x.test", "ann@x.test"),
        ("a.n.n+crm@googlemail.com", "ann@gmail.com"),
        ("a.n.n@x.test", "a.n.n@x.test"),
        ("n/a", None),
        ("ann@localhost", None),
        ("a@x.test, b@x.test", None),
        ("", None),
    ],
)
def test_addresses_compare_by_mailbox(written, compared):
    people = reconciled({("hubspot", "contact"): [{"record_id": "1", "email": written}]})["people"]
    found = people["email"].dropna().tolist()
    assert found == ([compared] if compared else [])


def test_every_further_address_of_a_contact_is_kept():
    contact = {
        "record_id": "1",
        "email": "a@x.test",
        "hs_additional_emails": "B@y.test; bad;c@z.test",
    }
    people = reconciled({("hubspot", "contact"): [contact]})["people"]
    assert people["other_emails"].tolist() == ["b@y.test;c@z.test"]


def test_a_stored_id_of_fifteen_characters_is_written_with_eighteen():
    contact = {"record_id": "1", "salesforceleadid": LEAD[:15], "salesforcecontactid": CONTACT}
    people = reconciled({("hubspot", "contact"): [contact]})["people"]
    assert people["partner_id"].tolist() == [f"{CONTACT};{LEAD}"]


def test_a_converted_lead_names_its_contact():
    lead = {"record_id": LEAD, "ConvertedContactId": CONTACT[:15], "Reject_Reason__c": "no budget"}
    people = reconciled({("salesforce", "lead"): [lead]})["people"]
    assert people["converted_to"].tolist() == [CONTACT]
    assert people["reject_reason"].tolist() == ["no budget"]


def test_a_converted_lead_that_names_no_contact_stays_converted():
    leads = [
        {"record_id": LEAD, "IsConverted": "true"},
        {"record_id": "00Q000000000002EAA", "IsConverted": "false"},
    ]
    people = reconciled({("salesforce", "lead"): leads})["people"]
    assert people["converted_to"].fillna("").tolist() == [LEAD, ""]


def test_machines_are_no_humans_but_keep_their_rows():
    found = reconciled(
        {
            ("salesforce", "user"): [
                user(TimeZoneSidKey="Asia/Kolkata"),
                user(ROBOT, Name="HubSpot Integration"),
                user("005000000000003AAA", UserType="AutomatedProcess"),
                user("005000000000004AAA"),
            ]
        },
        integration_user_id="005000000000004",
    )["users"]
    assert found.set_index("user_id")["is_human"].to_dict() == {
        USER: True,
        ROBOT: False,
        "005000000000003AAA": False,
        "005000000000004AAA": False,
    }
    assert found["zone"].dropna().tolist() == ["Asia/Kolkata"]


def test_a_website_and_a_domain_compare_as_the_bare_host():
    mirrors = builders.mirrors(
        {
            ("hubspot", "company"): [{"record_id": "1", "domain": "Acme.test"}],
            ("salesforce", "account"): [
                {"record_id": "001a", "Website": "https://www.acme.test/about?x=1"},
                {"record_id": "001b", "Website": "to be done"},
            ],
        }
    )
    found = normalise.accounts(mirrors["hubspot", "company"], mirrors["salesforce", "account"])
    assert found["domain"].dropna().tolist() == ["acme.test", "acme.test"]


# Activities --------------------------------------------------------------------------------------


def test_a_call_belongs_to_each_contact_on_it():
    acts = activities(
        {
            ("hubspot", "call"): [
                {
                    "record_id": "77",
                    "hs_timestamp": NOON,
                    "hs_call_direction": "OUTBOUND",
                    "hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
                    "hs_call_status": "COMPLETED",
                }
            ]
        },
        {("call", "contact"): [("77", "1"), ("77", "2")]},
    )
    assert acts["person_record_id"].tolist() == ["1", "2"]
    assert set(acts["outcome"]) == {"connected"}
    assert set(acts["direction"]) == {"outbound"}
    assert acts["is_done"].all()


@pytest.mark.parametrize(
    ("status", "is_done"),
    [("COMPLETED", True), ("NO_ANSWER", False), ("QUEUED", False), (None, True)],
)
def test_a_call_that_was_not_put_through_is_not_done(status, is_done):
    acts = activities(
        {("hubspot", "call"): [{"record_id": "7", "hs_timestamp": NOON, "hs_call_status": status}]},
        {("call", "contact"): [("7", "1")]},
    )
    assert acts["is_done"].tolist() == [is_done]


@pytest.mark.parametrize(
    ("direction", "read"),
    [("EMAIL", "outbound"), ("INCOMING_EMAIL", "inbound"), ("FORWARDED_EMAIL", None)],
)
def test_an_e_mail_knows_its_direction(direction, read):
    email = {"record_id": "7", "hs_timestamp": NOON, "hs_email_direction": direction}
    acts = activities({("hubspot", "email"): [email]}, {("email", "contact"): [("7", "1")]})
    assert acts["direction"].dropna().tolist() == ([read] if read else [])


@pytest.mark.parametrize(
    "fields",
    [
        {"hs_email_subject": "Automatic Reply: your offer"},
        {"hs_email_subject": "Out of office until Monday"},
        {"hs_object_source": "SEQUENCES"},
        {"hs_object_source": "INTEGRATION"},
    ],
)
def test_machines_doings_are_marked(fields):
    email = {"record_id": "7", "hs_timestamp": NOON, "hs_email_direction": "EMAIL"} | fields
    acts = activities({("hubspot", "email"): [email]}, {("email", "contact"): [("7", "1")]})
    assert acts["is_automatic"].tolist() == [True]


@pytest.mark.parametrize("field", ["OwnerId", "CreatedById"])
def test_a_task_of_an_integration_user_is_automatic(field):
    acts = activities(
        {
            ("salesforce", "user"): [user(), user(ROBOT, Name="Data Sync")],
            ("salesforce", "task"): [task(), task("00T000000000002AAA", **{field: ROBOT})],
        }
    )
    assert acts.set_index("evidence_id")["is_automatic"].to_dict() == {
        "00T000000000001AAA": False,
        "00T000000000002AAA": True,
    }


def test_a_logged_call_happened_when_it_was_completed():
    acts = activities({("salesforce", "task"): [task(CallDisposition="Connected")]})
    assert acts["at"].tolist() == [datetime(2026, 3, 2, 12, tzinfo=UTC)]
    assert acts[["activity", "direction", "outcome", "person_kind"]].iloc[0].tolist() == [
        "call",
        "outbound",
        "connected",
        "lead",
    ]


def test_an_open_task_is_not_done():
    acts = activities(
        {("salesforce", "task"): [task(Status="Not Started", CompletedDateTime=None)]}
    )
    assert acts["is_done"].tolist() == [False]


def test_a_task_about_no_person_is_left_out():
    assert activities({("salesforce", "task"): [task(WhoId=None)]}).empty


def test_an_event_is_completed_once_it_is_over():
    event = {"WhoId": CONTACT, "OwnerId": USER, "StartDateTime": "2026-03-09T10:00Z"}
    acts = activities(
        {
            ("salesforce", "event"): [
                {"record_id": "e1", "EndDateTime": "2026-03-10T00:00Z", **event},
                {"record_id": "e2", "EndDateTime": "2026-03-10T00:01Z", **event},
            ]
        }
    )
    assert acts.set_index("evidence_id")["outcome"].to_dict() == {
        "e1": "completed",
        "e2": "scheduled",
    }


def test_a_form_submission_belongs_to_whoever_holds_the_address():
    acts = activities(
        {
            ("hubspot", "contact"): [
                {"record_id": "1", "email": "ann@x.test", "hs_additional_emails": "ann@home.test"},
                {"record_id": "2", "email": "ann+2@x.test"},
            ],
            ("hubspot", "form"): [{"record_id": "f", "name": "Request a demo"}],
            ("hubspot", "form_submission"): [
                {"record_id": "s1", "form_id": "f", "submitted_at": NOON, "email": "Ann@home.test"},
                {"record_id": "s2", "form_id": "f", "submitted_at": NOON, "email": "ann+2@x.test"},
                {"record_id": "s3", "form_id": "f", "submitted_at": NOON, "email": "ann+9@x.test"},
                {"record_id": "s4", "form_id": "f", "submitted_at": NOON, "email": "bob@x.test"},
            ],
        }
    )
    who = dict(zip(acts["evidence_id"], acts["person_record_id"], strict=True))
    assert who == {"s1": "1", "s2": "2", "s3": "1"}
    assert set(acts["title"]) == {"Request a demo"}


def test_only_clicks_are_read_and_filtered_ones_are_automatic():
    event = {"recipient": "ann@x.test", "created": NOON}
    acts = activities(
        {
            ("hubspot", "contact"): [{"record_id": "1", "email": "ann@x.test"}],
            ("hubspot", "email_event"): [
                {"record_id": "c1", "type": "CLICK", "is_filtered": "false", **event},
                {"record_id": "c2", "type": "CLICK", "is_filtered": "true", **event},
                {"record_id": "o1", "type": "OPEN", **event},
            ],
        }
    )
    assert dict(zip(acts["evidence_id"], acts["is_automatic"], strict=True)) == {
        "c1": False,
        "c2": True,
    }


def test_a_campaign_response_of_a_converted_lead_belongs_to_its_contact():
    member = {
        "record_id": "m",
        "created_at": "2026-02-01T00:00Z",
        "CampaignId": "701000000000001AAA",
        "LeadId": LEAD,
        "ContactId": CONTACT,
        "Status": "Responded",
        "HasResponded": "true",
        "FirstRespondedDate": "2026-03-02",
    }
    acts = activities({("salesforce", "campaign_member"): [member]})
    assert acts[["person_kind", "person_record_id"]].iloc[0].tolist() == ["contact", CONTACT]
    assert acts["at"].tolist() == [datetime(2026, 3, 2, tzinfo=UTC)]
    assert acts["status"].tolist() == ["responded"]


def test_a_time_that_is_none_leaves_its_act_out_and_stops_nothing():
    acts = activities(
        {("salesforce", "event"): [{"record_id": "e", "WhoId": LEAD, "StartDateTime": "soon"}]}
    )
    assert acts.empty


# History -----------------------------------------------------------------------------------------


def changes(given=None, *entries):
    mirrors = builders.mirrors(given or {})
    aliases = normalise.aliases(mirrors)
    histories = {("hubspot", "contact"): builders.history(*entries)}
    found = normalise.stage_changes(
        histories, normalise.live(mirrors, aliases), aliases, "Reject_Reason__c"
    )
    return [
        (row["record_id"], row["field"], row["value"], f"{row['changed_at']:%m-%d %H}")
        for row in found.to_dict("records")
    ]


def test_a_late_change_of_the_amount_is_no_change_of_stage():
    opportunity = {"OpportunityId": "006000000000001AAA"}
    rows = [
        {"record_id": "h1", "created_at": "2026-03-01T00:00Z", "StageName": "Prospecting"},
        {"record_id": "h2", "created_at": "2026-03-02T00:00Z", "StageName": "Closed Won"},
        {"record_id": "h3", "created_at": "2026-03-09T00:00Z", "StageName": "Closed Won"},
    ]
    given = {("salesforce", "opportunity_history"): [row | opportunity for row in rows]}
    assert changes(given) == [
        ("006000000000001AAA", "stage", "Prospecting", "03-01 00"),
        ("006000000000001AAA", "stage", "Closed Won", "03-02 00"),
    ]


def test_owner_history_counts_ids_and_knows_the_first_owner():
    event = {"LeadId": LEAD, "Field": "Owner", "created_at": "2026-03-02T00:00Z"}
    given = {
        ("salesforce", "lead"): [{"record_id": LEAD, "created_at": "2026-03-01T00:00Z"}],
        ("salesforce", "lead_history"): [
            {"record_id": "h1", "OldValue": "New leads", "NewValue": "Ann Lee", **event},
            {"record_id": "h2", "OldValue": "00G000000000001AAA", "NewValue": USER, **event},
        ],
    }
    assert changes(given) == [
        (LEAD, "owner", "00G000000000001AAA", "03-01 00"),
        (LEAD, "owner", USER, "03-02 00"),
    ]


def test_an_owner_of_a_contact_comes_from_its_own_history():
    event = {"Field": "Owner", "created_at": "2026-03-02T00:00Z", "ContactId": CONTACT}
    given = {
        ("salesforce", "contact"): [{"record_id": CONTACT, "created_at": "2026-03-01T00:00Z"}],
        ("salesforce", "contact_history"): [
            {"record_id": "h1", "OldValue": ROBOT, "NewValue": USER, **event}
        ],
    }
    assert changes(given) == [
        (CONTACT, "owner", ROBOT, "03-01 00"),
        (CONTACT, "owner", USER, "03-02 00"),
    ]


def test_who_owned_a_lead_that_a_merge_took_over_never_owned_the_survivor():
    lost = "00Q000000000002EAA"
    event = {"Field": "Owner", "created_at": "2026-03-02T00:00Z", "LeadId": lost}
    given = {
        ("salesforce", "lead"): [
            {"record_id": LEAD, "created_at": "2026-03-01T00:00Z"},
            {"record_id": lost, "merged_into": LEAD, "is_deleted": True},
        ],
        ("salesforce", "lead_history"): [
            {"record_id": "h1", "OldValue": ROBOT, "NewValue": USER, **event}
        ],
    }
    assert changes(given) == []


def test_a_reason_and_a_conversion_are_dated_by_the_lead_s_history():
    event = {"created_at": "2026-03-02T00:00Z", "LeadId": LEAD}
    given = {
        ("salesforce", "lead"): [{"record_id": LEAD, "created_at": "2026-03-01T00:00Z"}],
        ("salesforce", "lead_history"): [
            {"record_id": "h1", "Field": "Reject_Reason__c", "NewValue": "No budget", **event},
            {"record_id": "h2", "Field": "leadConverted", **event},
        ],
    }
    found = changes(given)
    assert (LEAD, "reason", "No budget", "03-02 00") in found
    assert [one[1] for one in found] == ["converted", "reason"]


def test_a_hubspot_owner_is_the_user_of_the_same_address_the_active_one_first():
    owners = [
        {"record_id": "1", "email": "Rep@x.test", "is_archived": "true"},
        {"record_id": "2", "email": "rep@x.test", "is_archived": "false"},
    ]
    given = {
        ("hubspot", "owner"): owners,
        ("salesforce", "user"): [
            user(Email="rep@X.test", Department="North"),
            user(ROBOT, Name="Nobody"),
        ],
    }
    found = reconciled(given)["users"]
    assert found["hubspot_owner_id"].tolist()[0] == "2"
    assert found["team"].tolist()[0] == "North"
    assert found[["hubspot_owner_id", "team"]].iloc[1].isna().all()


def test_only_an_event_that_says_out_of_office_is_an_absence():
    day = {"StartDateTime": NOON, "EndDateTime": "2026-03-04T12:00:00.000Z", "OwnerId": USER}
    events = [
        {"record_id": "e1", "ShowAs": "OutOfOffice", **day},
        {"record_id": "e2", "ShowAs": "Busy", **day},
        {"record_id": "e3", "ShowAs": "OutOfOffice", **day, "EndDateTime": None},
    ]
    found = normalise.absences(builders.mirror("salesforce", "event", *events))
    assert [(row["user_id"], row["starts_at"].day) for row in found.to_dict("records")] == [
        (USER, 2)
    ]


def test_history_of_a_merged_away_contact_belongs_to_the_survivor_once():
    given = {("hubspot", "contact"): [{"record_id": "9", "hs_merged_object_ids": "1"}]}
    entry = ("lifecyclestage", "marketingqualifiedlead", NOON)
    assert changes(given, ("1", *entry), ("9", *entry)) == [
        ("9", "lifecycle", "marketingqualifiedlead", "03-02 12")
    ]


# Deals and currencies ----------------------------------------------------------------------------


def test_a_person_on_a_deal_in_two_roles_is_on_it_once():
    role = {"OpportunityId": "006000000000001AAA", "ContactId": CONTACT}
    mirrors = builders.mirrors(
        {
            ("salesforce", "opportunity_contact_role"): [
                {"record_id": "r1", **role},
                {"record_id": "r2", **role},
            ]
        }
    )
    pairs = builders.associations({("deal", "contact"): [("5", "1")]})
    found = normalise.memberships(
        mirrors["salesforce", "opportunity_contact_role"], pairs["deal", "contact"]
    )
    assert found["person_record_id"].tolist() == ["1", CONTACT]


def rates(currencies, dated=()):
    mirrors = builders.mirrors(
        {
            ("salesforce", "currency_type"): currencies,
            ("salesforce", "dated_conversion_rate"): dated,
        }
    )
    found = normalise.rates(
        mirrors["salesforce", "currency_type"],
        mirrors["salesforce", "dated_conversion_rate"],
        "USD",
    )
    return list(found.itertuples(index=False, name=None))


def test_a_currency_without_dated_rates_has_its_static_one():
    currencies = [
        {"record_id": "1", "IsoCode": "USD", "ConversionRate": "1", "IsCorporate": "true"},
        {"record_id": "2", "IsoCode": "EUR", "ConversionRate": "0.9"},
        {"record_id": "3", "IsoCode": "JPY", "ConversionRate": "150.25"},
    ]
    dated = [
        {"record_id": "4", "IsoCode": "EUR", "StartDate": "2026-01-01", "ConversionRate": "0.91"},
        {"record_id": "5", "IsoCode": "EUR", "StartDate": "2026-02-01", "ConversionRate": "0.92"},
    ]
    assert rates(currencies, dated) == [
        ("EUR", "2026-01-01", "0.91"),
        ("EUR", "2026-02-01", "0.92"),
        ("JPY", "0001-01-01", "150.25"),
        ("USD", "0001-01-01", "1"),
    ]


def test_a_single_currency_org_needs_no_rates():
    assert rates([]) == [("USD", "0001-01-01", "1")]


def test_the_company_s_currency_is_the_corporate_one_else_the_organization_s():
    mirrors = builders.mirrors(
        {
            ("salesforce", "currency_type"): [
                {"record_id": "1", "IsoCode": "EUR", "IsCorporate": "true", "DecimalPlaces": "2"},
                {"record_id": "2", "IsoCode": "KWD", "IsCorporate": "false", "DecimalPlaces": "3"},
            ],
            ("salesforce", "organization"): [{"record_id": "o", "DefaultCurrencyIsoCode": "USD"}],
        }
    )
    currencies = mirrors["salesforce", "currency_type"]
    organization = mirrors["salesforce", "organization"]
    assert normalise.company_currency(currencies, organization) == "EUR"
    assert normalise.company_currency(currencies.iloc[:0], organization) == "USD"
    assert normalise.currency_digits(currencies) == {"EUR": 2, "KWD": 3}
    assert normalise.company_currency(currencies.iloc[:0], organization.iloc[:0]) is None


def test_a_hubspot_deal_is_won_by_its_flag_or_by_the_default_stage():
    mirrors = builders.mirrors(
        {
            ("hubspot", "deal"): [
                {"record_id": "1", "dealstage": "closedwon", "closedate": NOON},
                {
                    "record_id": "2",
                    "dealstage": "77",
                    "hs_is_closed": "true",
                    "hs_is_closed_won": "true",
                },
                {"record_id": "3", "dealstage": "closedlost"},
                {"record_id": "4", "dealstage": "appointmentscheduled"},
            ]
        }
    )
    found = normalise.deal_records(
        mirrors["hubspot", "deal"],
        mirrors["salesforce", "opportunity"],
        builders.associations({("deal", "company"): [("1", "20"), ("1", "3")]})["deal", "company"],
    )
    assert found["is_won"].tolist() == [True, True, False, False]
    assert found["is_closed"].tolist() == [True, True, True, False]
    assert found["closed_on"].tolist()[0] == "2026-03-02"
    assert found["account_record_id"].tolist()[0] == "3"
