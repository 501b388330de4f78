"""The standard objects of the stand-in's org, as a table.

A line in brackets opens an object: name, id prefix, kind (`schema.py` says what a kind brings) and
further abilities. Below it `type(size) flags = fields`: c createable, u updateable, n nillable,
D has a default, C calculated, R closed picklist, ! unique, x external id, i id lookup, F cannot be
filtered, - none. Lookups name their targets after `>`, parts of a compound name their whole after
`@`, picklists list their values, the default one with a star.
"""

_INDUSTRIES = (
    "Agriculture|Apparel|Banking|Biotechnology|Chemicals|Communications|Construction|Consulting"
    "|Education|Electronics|Energy|Engineering|Entertainment|Environmental|Finance|Food & Beverage"
    "|Government|Healthcare|Hospitality|Insurance|Machinery|Manufacturing|Media|Not For Profit"
    "|Recreation|Retail|Shipping|Technology|Telecommunications|Transportation|Utilities|Other"
)
_SOURCES = "Web|Phone Inquiry|Partner Referral|Purchased List|Other"
_LEAD_STATUSES = (
    "Open - Not Contacted*|Working - Contacted|Closed - Converted|Closed - Not Converted"
)
_STAGES = (
    "Prospecting|Qualification|Needs Analysis|Value Proposition|Id. Decision Makers"
    "|Perception Analysis|Proposal/Price Quote|Negotiation/Review|Closed Won|Closed Lost"
)
_ROLES = (
    "Business User|Decision Maker|Economic Buyer|Economic Decision Maker|Evaluator"
    "|Executive Sponsor|Influencer|Technical Buyer|Other"
)

OBJECTS = f"""
[Lead 00Q record mergeable]
reference n = MasterRecordId>Lead ConvertedAccountId>Account ConvertedContactId>Contact
reference n = ConvertedOpportunityId>Opportunity
string(80) cu = LastName@Name
string(40) cun = FirstName@Name
picklist(40) cun = Salutation@Name: Mr.|Ms.|Mrs.|Dr.|Prof.|Mx.
string(121) - = Name
string(128) cun = Title
string(255) cu = Company
address -
phone(40) cun = Phone MobilePhone Fax
email(80) cuni = Email
url(255) cun = Website
url(255) n = PhotoUrl
textarea(32000) cun = Description
picklist(255) cun = LeadSource: {_SOURCES}
picklist(255) cuD = Status: {_LEAD_STATUSES}
picklist(255) cun = Industry: {_INDUSTRIES}
picklist(255) cun = Rating: Hot|Warm|Cold
currency(18,0) cun = AnnualRevenue
int(8) cun = NumberOfEmployees
reference cuD = OwnerId>Group|User
boolean cD = IsConverted
date n = ConvertedDate LastActivityDate
boolean cuD = IsUnreadByOwner HasOptedOutOfEmail
datetime n = LastViewedDate LastReferencedDate
string(255) un = EmailBouncedReason
datetime un = EmailBouncedDate

[Contact 003 record mergeable]
reference n = MasterRecordId>Contact
reference cun = AccountId>Account ReportsToId>Contact
string(80) cu = LastName@Name
string(40) cun = FirstName@Name
picklist(40) cun = Salutation@Name: Mr.|Ms.|Mrs.|Dr.|Prof.
string(121) - = Name
address Other
address Mailing
phone(40) cun = Phone Fax MobilePhone HomePhone OtherPhone AssistantPhone
email(80) cuni = Email
string(128) cun = Title
string(80) cun = Department
string(40) cun = AssistantName
picklist(255) cun = LeadSource: {_SOURCES}
date cun = Birthdate
textarea(32000) cun = Description
reference cuD = OwnerId>User
boolean cuD = HasOptedOutOfEmail
date n = LastActivityDate
datetime n = LastCURequestDate LastCUUpdateDate LastViewedDate LastReferencedDate
string(255) cun = EmailBouncedReason
datetime cun = EmailBouncedDate
boolean D = IsEmailBounced
url(255) n = PhotoUrl

[Account 001 record mergeable]
reference n = MasterRecordId>Account
string(255) cu = Name
picklist(40) cun = Type: Prospect|Customer - Direct|Customer - Channel|Other
reference cun = RecordTypeId>RecordType ParentId>Account
address Billing
address Shipping
phone(40) cun = Phone Fax
string(40) cun = AccountNumber
url(255) cun = Website
url(255) n = PhotoUrl
string(20) cun = Sic TickerSymbol
picklist(40) cun = Industry: {_INDUSTRIES}
currency(18,0) cun = AnnualRevenue
int(8) cun = NumberOfEmployees
picklist(40) cun = Ownership: Public|Private|Subsidiary|Other
textarea(32000) cun = Description
picklist(40) cun = Rating: Hot|Warm|Cold
string(80) cun = Site
reference cuD = OwnerId>User
date n = LastActivityDate
datetime n = LastViewedDate LastReferencedDate
picklist(40) cun = AccountSource: {_SOURCES}

[Opportunity 006 record deepCloneable]
reference cun = AccountId>Account CampaignId>Campaign
reference cn = ContactId>Contact
boolean cuD = IsPrivate
string(120) cui = Name
textarea(32000) cun = Description
picklist(255) cu = StageName: {_STAGES}
currency(18,2) cun = Amount
percent(3,0) cunD = Probability
currency(18,2) n = ExpectedRevenue
double(18,2) cun = TotalOpportunityQuantity
date cu = CloseDate
picklist(255) cun = Type: Existing Customer - Upgrade|Existing Customer - Replacement|New Customer
string(255) cun = NextStep
picklist(255) cun = LeadSource: {_SOURCES}
boolean D = IsClosed IsWon HasOpportunityLineItem
boolean DF = HasOpenActivity HasOverdueTask
picklist(40) R = ForecastCategory: Omitted|Pipeline|BestCase|MostLikely|Forecast|Closed
picklist(255) cunDR = ForecastCategoryName: Omitted|Pipeline|Best Case|Commit|Closed
reference cuD = OwnerId>User
date n = LastActivityDate
datetime n = LastStageChangeDate LastViewedDate LastReferencedDate
int(8) n = FiscalQuarter@Fiscal FiscalYear@Fiscal
string(6) n = Fiscal

[OpportunityContactRole 00K junction]
reference c = OpportunityId>Opportunity
reference cu = ContactId>Contact
picklist(40) cun = Role: {_ROLES}
boolean cuD = IsPrimary

[OpportunityHistory 008 steps]
reference - = OpportunityId>Opportunity
picklist(255) - = StageName: {_STAGES}
currency(18,2) n = Amount ExpectedRevenue
date n = CloseDate
percent(3,0) n = Probability
picklist(40) n = ForecastCategory: Omitted|Pipeline|BestCase|MostLikely|Forecast|Closed

[OpportunityFieldHistory 017 history]
reference - = OpportunityId>Opportunity
string(255) - = Field
string(255) nF = OldValue NewValue
string(255) n = DataType

[LeadHistory 017 history]
reference - = LeadId>Lead
string(255) - = Field
string(255) nF = OldValue NewValue
string(255) n = DataType

[ContactHistory 017 history]
reference - = ContactId>Contact
string(255) - = Field
string(255) nF = OldValue NewValue
string(255) n = DataType

[OpportunityStage 01J setup]
string(255) n = MasterLabel ApiName
boolean D = IsActive IsClosed IsWon
int(8) n = SortOrder
percent(3,0) n = DefaultProbability
string(255) n = Description ForecastCategory ForecastCategoryName

[LeadStatus 01J setup]
string(255) n = MasterLabel ApiName
int(8) n = SortOrder
boolean D = IsDefault IsConverted

[Campaign 701 record]
string(80) cu = Name
reference cun = ParentId>Campaign
picklist(40) cun = Type: Conference|Webinar|Trade Show|Public Relations|Advertisement|Email|Other
picklist(40) cun = Status: Planned|In Progress|Completed|Aborted
date cun = StartDate EndDate
currency(18,0) cun = ExpectedRevenue BudgetedCost ActualCost
percent(10,2) cun = ExpectedResponse
boolean cuD = IsActive
textarea(32000) cun = Description
int(9) nD = NumberOfLeads NumberOfConvertedLeads NumberOfContacts NumberOfResponses
int(9) nD = NumberOfOpportunities NumberOfWonOpportunities
currency(18,0) nD = AmountAllOpportunities AmountWonOpportunities
reference cuD = OwnerId>User
date n = LastActivityDate

[CampaignMember 00v junction]
reference c = CampaignId>Campaign
reference cn = LeadId>Lead ContactId>Contact
picklist(40) cuD = Status: Sent*|Responded
boolean D = HasResponded
date n = FirstRespondedDate
string(121) n = Name
string(40) n = FirstName
string(80) n = LastName
email(80) n = Email
string(255) n = CompanyOrAccount
string(20) n = Type
reference n = LeadOrContactId>Contact|Lead LeadOrContactOwnerId>Group|User

[CampaignMemberStatus 01Y granted]
reference c = CampaignId>Campaign
string(80) cu = Label
int(8) cun = SortOrder
boolean cuD = IsDefault HasResponded

[Task 00T activity]
reference cun = WhoId>Contact|Lead WhatId>Account|Campaign|Opportunity
combobox(255) cun = Subject: Call|Email|Send Letter|Send Quote|Other
date cun = ActivityDate
picklist(255) cuD = Status: Not Started*|In Progress|Completed|Waiting on someone else|Deferred
picklist(255) cuDR = Priority: High|Normal*|Low
boolean D = IsHighPriority IsClosed IsArchived
reference cuD = OwnerId>Group|User
textarea(32000) cun = Description
reference n = AccountId>Account RecurrenceActivityId>Task
picklist(255) cun = Type: Call|Email|Meeting|Other
picklist(40) cnR = TaskSubtype: Task|Email|ListEmail|Cadence|Call|LinkedIn
picklist(40) cunR = CallType: Internal|Inbound|Outbound
int(8) cun = CallDurationInSeconds
string(255) cun = CallDisposition CallObject
datetime cun = ReminderDateTime
boolean cuD = IsReminderSet
boolean cD = IsRecurrence
datetime n = CompletedDateTime

[Event 00U activity]
reference cun = WhoId>Contact|Lead WhatId>Account|Campaign|Opportunity
combobox(255) cun = Subject: Call|Email|Meeting|Send Letter/Quote|Other
string(255) cun = Location
boolean cuD = IsAllDayEvent IsPrivate IsReminderSet
datetime cun = ActivityDateTime StartDateTime EndDateTime ReminderDateTime
date cun = ActivityDate
int(8) cun = DurationInMinutes
date n = EndDate
textarea(32000) cun = Description
reference n = AccountId>Account RecurrenceActivityId>Event
reference cuD = OwnerId>Calendar|User
picklist(255) cun = Type: Call|Email|Meeting|Other
picklist(40) cunDR = ShowAs: Busy*|OutOfOffice|Free
picklist(40) cnR = EventSubtype: Event
boolean D = IsChild IsGroupEvent IsArchived
boolean cD = IsRecurrence

[TaskRelation 0RT relation]
reference c = TaskId>Task RelationId>Account|Contact|Lead|Opportunity
boolean cD = IsWhat
reference n = AccountId>Account

[EventRelation 0RE relation]
reference c = EventId>Event RelationId>Account|Contact|Lead|Opportunity|User
boolean cD = IsWhat IsParent IsInvitee
string(40) cun = Status
reference n = AccountId>Account

[User 005 user]
string(80) cu!i = Username
string(80) cu = LastName@Name
string(40) cun = FirstName@Name
string(121) - = Name
string(80) cun = CompanyName Department Title
email(128) cui = Email
string(8) cu = Alias
boolean cuD = IsActive
picklist(40) cuDR = TimeZoneSidKey:
picklist(40) cuDR = LocaleSidKey:
picklist(40) DR = UserType: Standard*|PowerPartner|CspLitePortal|Guest|AutomatedProcess
picklist(40) cuDR = LanguageLocaleKey:
reference cun = UserRoleId>UserRole ManagerId>User
reference cu = ProfileId>Profile
string(512) cun = FederationIdentifier
datetime n = LastLoginDate

[Group 00G granted]
string(40) cu = Name
string(80) cu = DeveloperName
picklist(40) cuR = Type: Regular|Queue|Role|Organization
email(255) cun = Email
reference nD = OwnerId>Organization|User

[GroupMember 011 granted]
reference c = GroupId>Group UserOrGroupId>Group|User

[QueueSobject 03g granted]
reference c = QueueId>Group
picklist(40) cR = SobjectType: Lead|Task|Case

[UserRole 00E granted]
string(80) cu = Name
string(80) cu = DeveloperName
reference cun = ParentRoleId>UserRole

[Profile 00e setup]
string(255) - = Name
picklist(40) nR = UserType: Standard|PowerPartner|CspLitePortal|Guest
textarea(255) n = Description

[RecordType 012 setup]
string(80) - = Name
string(80) - = DeveloperName
picklist(40) R = SobjectType: Account|Campaign|Contact|Event|Lead|Opportunity|Task
boolean D = IsActive

[OpportunityTeamMember 00q junction]
reference c = OpportunityId>Opportunity UserId>User
picklist(40) cun = TeamMemberRole: Account Manager|Executive Sponsor|Sales Rep|Other
picklist(40) cunR = OpportunityAccessLevel: Read|Edit|All

[BusinessHours 01m setup]
string(80) - = Name
boolean D = IsActive IsDefault
picklist(40) R = TimeZoneSidKey:
time n = SundayStartTime SundayEndTime MondayStartTime MondayEndTime TuesdayStartTime TuesdayEndTime
time n = WednesdayStartTime WednesdayEndTime ThursdayStartTime ThursdayEndTime
time n = FridayStartTime FridayEndTime SaturdayStartTime SaturdayEndTime

[Holiday 0C0 granted]
string(80) cu = Name
date cun = ActivityDate
boolean cuD = IsAllDay
int(4) cun = StartTimeInMinutes EndTimeInMinutes
boolean cD = IsRecurrence

[Organization 00D setup]
string(80) - = Name
string(80) n = Division
address -
phone(40) n = Phone Fax
string(80) n = PrimaryContact
picklist(40) R = DefaultLocaleSidKey:
picklist(40) R = TimeZoneSidKey:
picklist(40) R = LanguageLocaleKey:
picklist(40) nR = DefaultCurrencyIsoCode:
int(2) n = FiscalYearStartMonth
boolean D = UsesStartDateAsFiscalYearName IsSandbox IsReadOnly
picklist(40) nR = OrganizationType: Professional Edition|Enterprise Edition|Developer Edition
string(15) n = NamespacePrefix
string(5) n = InstanceName

[CurrencyType 01L granted]
picklist(3) cR = IsoCode:
double(18,9) cu = ConversionRate
int(1) cu = DecimalPlaces
boolean cuD = IsActive IsCorporate

[DatedConversionRate 04w granted]
picklist(3) cR = IsoCode:
date cu = StartDate
date n = NextStartDate
double(18,9) cu = ConversionRate

[PermissionSet 0PS granted]
string(80) cu = Name
string(80) cu = Label
textarea(255) cun = Description
boolean D = IsOwnedByProfile IsCustom
boolean cuD = HasActivationRequired
boolean cuD = PermissionsApiEnabled PermissionsViewAllData PermissionsModifyAllData
boolean cuD = PermissionsViewSetup PermissionsCustomizeApplication
boolean cuD = PermissionsManageProfilesPermissionsets
reference n = ProfileId>Profile

[PermissionSetAssignment 0Pa grant]
reference c = PermissionSetId>PermissionSet AssigneeId>User

[FieldPermissions 01k grant]
reference c = ParentId>PermissionSet
string(40) c = SobjectType
string(255) c = Field
boolean cuD = PermissionsRead PermissionsEdit

[ObjectPermissions 110 grant]
reference c = ParentId>PermissionSet
string(40) c = SobjectType
boolean cuD = PermissionsRead PermissionsCreate PermissionsEdit PermissionsDelete
boolean cuD = PermissionsViewAllRecords PermissionsModifyAllRecords

[DuplicateRule 0Bm setup]
string(80) - = DeveloperName
string(255) - = MasterLabel
string(40) - = SobjectType
boolean D = IsActive

[ValidationRule 03d metadata]
string(80) - = ValidationName
reference n = EntityDefinitionId>EntityDefinition
boolean D = Active

[ApexTrigger 01q metadata]
string(255) - = Name
string(255) - = TableEnumOrId
picklist(40) - = Status: Active|Inactive|Deleted

[CustomField 00N metadata]
string(80) - = DeveloperName
string(255) - = TableEnumOrId
reference n = EntityDefinitionId>EntityDefinition
string(255) n = FullName
string(15) n = NamespacePrefix
string(40) n = ManageableState
int(8) n = Length Precision Scale

[EntityDefinition 4ie metadata]
string(255) - = QualifiedApiName DurableId
string(255) - = DeveloperName
string(255) n = Label
"""

# What can be said of a lookup's target whose object is not known before: `Who.Name`, `Owner.Type`.
NAME = """
[Name 000 name]
string(121) n = Name FirstName LastName Email Phone Title Type Username Alias UserRoleId ProfileId
boolean D = IsActive
"""

# Parent, name of the list on the parent, lookup, and whether deleting the parent deletes the child.
CHILDREN = """
Lead CampaignMembers CampaignMember.LeadId cascade
Lead Events Event.WhoId cascade
Lead Histories LeadHistory.LeadId cascade
Lead Tasks Task.WhoId cascade
Contact CampaignMembers CampaignMember.ContactId cascade
Contact Histories ContactHistory.ContactId cascade
Contact Events Event.WhoId cascade
Contact Opportunities Opportunity.ContactId
Contact OpportunityContactRoles OpportunityContactRole.ContactId cascade
Contact Tasks Task.WhoId cascade
Account ChildAccounts Account.ParentId
Account Contacts Contact.AccountId cascade
Account Events Event.WhatId cascade
Account Opportunities Opportunity.AccountId cascade
Account Tasks Task.WhatId cascade
Opportunity Events Event.WhatId cascade
Opportunity OpportunityContactRoles OpportunityContactRole.OpportunityId cascade
Opportunity Histories OpportunityFieldHistory.OpportunityId cascade
Opportunity OpportunityHistories OpportunityHistory.OpportunityId cascade
Opportunity OpportunityTeamMembers OpportunityTeamMember.OpportunityId cascade
Opportunity Tasks Task.WhatId cascade
Campaign CampaignMembers CampaignMember.CampaignId cascade
Campaign CampaignMemberStatuses CampaignMemberStatus.CampaignId cascade
Campaign ChildCampaigns Campaign.ParentId
Campaign Opportunities Opportunity.CampaignId
Task TaskRelations TaskRelation.TaskId cascade
Event EventRelations EventRelation.EventId cascade
PermissionSet FieldPerms FieldPermissions.ParentId cascade
PermissionSet ObjectPerms ObjectPermissions.ParentId cascade
PermissionSet Assignments PermissionSetAssignment.PermissionSetId cascade
Group GroupMembers GroupMember.GroupId cascade
Group QueueSobjects QueueSobject.QueueId cascade
"""

# Objects that carry `CurrencyIsoCode` when an org has several currencies.
CURRENCY_OBJECTS = (
    "Lead", "Contact", "Account", "Opportunity", "OpportunityHistory", "OpportunityContactRole",
    "Campaign", "CampaignMember", "Task", "Event", "User", "Holiday",
)  # fmt: skip

# What the integration user's profile lets it do: everything on all records of these objects, and
# these rights in the org. An admin who grants less changes the rows.
PROFILE_OBJECTS = (
    "Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "Campaign",
    "CampaignMember", "Task", "Event",
)  # fmt: skip
PROFILE_RIGHTS = (
    "PermissionsApiEnabled", "PermissionsViewSetup", "PermissionsCustomizeApplication",
    "PermissionsManageProfilesPermissionsets",
)  # fmt: skip

# Name, closed, won, probability, forecast category, its name.
STAGES = (
    ("Prospecting", False, False, 10, "Pipeline", "Pipeline"),
    ("Qualification", False, False, 10, "Pipeline", "Pipeline"),
    ("Needs Analysis", False, False, 20, "Pipeline", "Pipeline"),
    ("Value Proposition", False, False, 50, "Pipeline", "Pipeline"),
    ("Id. Decision Makers", False, False, 60, "Pipeline", "Pipeline"),
    ("Perception Analysis", False, False, 70, "Pipeline", "Pipeline"),
    ("Proposal/Price Quote", False, False, 75, "BestCase", "Best Case"),
    ("Negotiation/Review", False, False, 90, "BestCase", "Best Case"),
    ("Closed Won", True, True, 100, "Closed", "Closed"),
    ("Closed Lost", True, False, 0, "Omitted", "Omitted"),
)

# Name, is the default, ends a conversion.
LEAD_STATUSES = (
    ("Open - Not Contacted", True, False),
    ("Working - Contacted", False, False),
    ("Closed - Converted", False, True),
    ("Closed - Not Converted", False, False),
)
