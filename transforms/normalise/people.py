"""Read people, accounts and users out of the mirrors, and addresses into their comparable form."""

import pandas as pd

from agreement.frames import Absences, Accounts, DataFrame, People, Users, as_text, as_utc
from agreement.policy import Automatic, Handoff
from transforms.normalise.mirrors import Mirrors, flags, instants, long_ids, texts

# Gmail delivers both names and ignores dots, so that these are one mailbox.
_GMAIL = ("gmail.com", "googlemail.com")


def people(
    mirrors: Mirrors, contact_companies: pd.DataFrame, handoff: Handoff
) -> DataFrame[People]:
    """Read the live records of humans: HubSpot contacts, then Salesforce leads and contacts.

    One row per record of the live mirrors, each object by record id. Ids of the other system that
    somebody stored on a record come with 18 characters, several separated by `;`, the surer first.
    A company is the associated one with the smallest id, when there are several.
    """
    rows = [
        _hubspot_contacts(mirrors["hubspot", "contact"], contact_companies),
        _leads(mirrors["salesforce", "lead"], handoff),
        _salesforce_contacts(mirrors["salesforce", "contact"]),
    ]
    return People.validate(pd.concat(rows, ignore_index=True), lazy=True)


def _hubspot_contacts(mirror: pd.DataFrame, companies: pd.DataFrame) -> pd.DataFrame:
    stored = [long_ids(texts(mirror, f"salesforce{kind}id")) for kind in ("contact", "lead")]
    return _people(
        mirror,
        "hubspot",
        "contact",
        email=normalised_emails(texts(mirror, "email")),
        other_emails=_other_emails(mirror),
        first_name=texts(mirror, "firstname"),
        last_name=texts(mirror, "lastname"),
        company=texts(mirror, "company"),
        phone=texts(mirror, "phone"),
        mobile=texts(mirror, "mobilephone"),
        website=texts(mirror, "website"),
        title=texts(mirror, "jobtitle"),
        city=texts(mirror, "city"),
        postcode=texts(mirror, "zip"),
        country=texts(mirror, "country"),
        partner_id=_joined(stored[0], stored[1]),
        account_record_id=mirror["record_id"].map(first_associated(companies)),
        owner_id=texts(mirror, "hubspot_owner_id"),
        status=texts(mirror, "lifecyclestage"),
        source=texts(mirror, "hs_analytics_source"),
        is_opted_out=flags(mirror, "hs_email_optout"),
    )


def _leads(mirror: pd.DataFrame, handoff: Handoff) -> pd.DataFrame:
    return _people(
        mirror,
        "salesforce",
        "lead",
        **_salesforce_person(mirror),
        company=texts(mirror, "Company"),
        website=texts(mirror, "Website"),
        city=texts(mirror, "City"),
        postcode=texts(mirror, "PostalCode"),
        country=texts(mirror, "Country"),
        account_record_id=long_ids(texts(mirror, "ConvertedAccountId")),
        converted_to=_converted_to(mirror),
        status=texts(mirror, "Status"),
        reject_reason=texts(mirror, handoff.reject_reason_field),
    )


def _converted_to(mirror: pd.DataFrame) -> pd.Series:
    """Give the contact that a lead became; a converted lead that names none, itself.

    The vendor blanks the contact's id when the contact goes; the lead stays converted, read-only.
    """
    contact = long_ids(texts(mirror, "ConvertedContactId"))
    return contact.fillna(mirror["record_id"].where(flags(mirror, "IsConverted"))).astype("str")


def _salesforce_contacts(mirror: pd.DataFrame) -> pd.DataFrame:
    return _people(
        mirror,
        "salesforce",
        "contact",
        **_salesforce_person(mirror),
        city=texts(mirror, "MailingCity"),
        postcode=texts(mirror, "MailingPostalCode"),
        country=texts(mirror, "MailingCountry"),
        account_record_id=long_ids(texts(mirror, "AccountId")),
    )


def _salesforce_person(mirror: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "email": normalised_emails(texts(mirror, "Email")),
        "first_name": texts(mirror, "FirstName"),
        "last_name": texts(mirror, "LastName"),
        "phone": texts(mirror, "Phone"),
        "mobile": texts(mirror, "MobilePhone"),
        "title": texts(mirror, "Title"),
        "partner_id": texts(mirror, "HubSpot_Contact_Id__c").str.strip(),
        "owner_id": long_ids(texts(mirror, "OwnerId")),
        "source": texts(mirror, "LeadSource"),
        "is_opted_out": flags(mirror, "HasOptedOutOfEmail"),
    }


def _people(mirror: pd.DataFrame, system: str, kind: str, **columns: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "system": system,
            "kind": kind,
            "record_id": mirror["record_id"],
            **columns,
            "created_at": as_utc(mirror["created_at"]),
        },
        index=mirror.index,
    )
    frame = frame.reindex(columns=list(People.to_schema().columns))
    text = [name for name in frame.columns if name not in {"created_at", "is_opted_out"}]
    return frame.astype(dict.fromkeys(text, "str") | {"is_opted_out": bool})


def _joined(first: pd.Series, second: pd.Series) -> pd.Series:
    both = first + ";" + second
    return both.where(first.notna() & second.notna(), first.fillna(second))


def _other_emails(mirror: pd.DataFrame) -> pd.Series:
    listed = texts(mirror, "hs_additional_emails").dropna().str.split(";").explode()
    clean = normalised_emails(listed.astype("str")).dropna()
    joined = clean.groupby(level=0).agg(";".join)
    return as_text(joined.reindex(mirror.index))


def first_associated(associations: pd.DataFrame) -> pd.Series:
    """Give each record's associated record with the smallest id (shorter, then as text)."""
    size = associations["to_id"].str.len()
    ordered = associations.assign(size=size).sort_values(["from_id", "size", "to_id"])
    return ordered.drop_duplicates("from_id").set_index("from_id")["to_id"]


def normalised_emails(emails: pd.Series) -> pd.Series:
    """Write addresses so that equal mailboxes compare equal; what is no address is missing.

    Lower case, without a plus-tag; Gmail's two domains are one and its dots mean nothing.

    >>> normalised_emails(pd.Series([" Ann.Lee+crm@GoogleMail.com", "a.b@x.test", "-"])).tolist()
    ['annlee@gmail.com', 'a.b@x.test', nan]
    """
    clean = emails.str.strip().str.lower().str.removeprefix("mailto:")
    parts = clean.str.extract(r"^([^@\s;,<>]+)@([^@\s;,<>]+\.[^@\s;,<>]+)$")
    local = parts[0].str.replace(r"(?<=.)\+.*$", "", regex=True)
    is_gmail = parts[1].isin(_GMAIL)
    local = local.where(~is_gmail, local.str.replace(".", "", regex=False))
    domain = parts[1].where(~is_gmail, _GMAIL[0])
    return (local + "@" + domain).astype("str")


def accounts(company_mirror: pd.DataFrame, account_mirror: pd.DataFrame) -> DataFrame[Accounts]:
    """Read the live records of companies: HubSpot companies, then Salesforce accounts.

    One row per record. `domain` is the bare host in lower case, without `www.`.
    """
    rows = [
        _accounts(
            company_mirror,
            ("hubspot", "company"),
            name=texts(company_mirror, "name"),
            domain=_domains(texts(company_mirror, "domain")),
            city=texts(company_mirror, "city"),
            country=texts(company_mirror, "country"),
            partner_id=long_ids(texts(company_mirror, "salesforceaccountid")),
        ),
        _accounts(
            account_mirror,
            ("salesforce", "account"),
            name=texts(account_mirror, "Name"),
            domain=_domains(texts(account_mirror, "Website")),
            city=texts(account_mirror, "BillingCity"),
            country=texts(account_mirror, "BillingCountry"),
        ),
    ]
    return Accounts.validate(pd.concat(rows, ignore_index=True), lazy=True)


def _accounts(mirror: pd.DataFrame, key: tuple[str, str], **columns: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"system": key[0], "kind": key[1], "record_id": mirror["record_id"], **columns},
        index=mirror.index,
    ).reindex(columns=[name for name in Accounts.to_schema().columns if name != "created_at"])
    return frame.astype("str").assign(created_at=as_utc(mirror["created_at"]))


def _domains(websites: pd.Series) -> pd.Series:
    host = websites.str.strip().str.lower().str.replace(r"^[a-z]+://", "", regex=True)
    host = host.str.replace(r"[/?#:].*$", "", regex=True).str.removeprefix("www.")
    return host.where(host.str.fullmatch(r"[^\s@.]+(\.[^\s@.]+)+").eq(other=True)).astype("str")


def users(
    mirror: pd.DataFrame,
    owners: pd.DataFrame,
    automatic: Automatic,
    integration_user_id: str | None,
) -> DataFrame[Users]:
    """Read Salesforce users, inactive ones too: they owned leads and did things.

    One row per user. Not human: the user behind our own token, a listed user type, or a name that
    holds a listed word. A HubSpot owner of the same address is the same person; one who is active
    comes before one who is archived.
    """
    name = texts(mirror, "Name").str.lower().fillna("")
    kinds = {user_type.lower() for user_type in automatic.user_types}
    is_machine = texts(mirror, "UserType").str.lower().isin(kinds)
    for word in automatic.user_names:
        is_machine |= name.str.contains(word.lower(), regex=False)
    if integration_user_id:
        own_id = long_ids(pd.Series([integration_user_id], dtype="str"))
        is_machine |= mirror["record_id"].isin(own_id)
    frame = pd.DataFrame(
        {
            "user_id": mirror["record_id"].astype("str"),
            "zone": texts(mirror, "TimeZoneSidKey"),
            "is_active": flags(mirror, "IsActive"),
            "is_human": ~is_machine.astype(bool),
            "hubspot_owner_id": texts(mirror, "Email").str.strip().str.lower().map(_owned(owners)),
            "team": texts(mirror, "Department"),
        }
    ).astype({"hubspot_owner_id": "str"})
    return Users.validate(frame.reset_index(drop=True), lazy=True)


def _owned(owners: pd.DataFrame) -> pd.Series:
    """Give the HubSpot owner of each address."""
    known = pd.DataFrame(
        {
            "owner_id": owners["record_id"],
            "email": texts(owners, "email").str.strip().str.lower(),
            "is_archived": flags(owners, "is_archived"),
        }
    ).dropna(subset=["email"])
    first = known.sort_values(["is_archived", "owner_id"]).drop_duplicates("email")
    return first.set_index("email")["owner_id"]


def absences(mirror: pd.DataFrame) -> DataFrame[Absences]:
    """Read when Salesforce users are out of office: events that say so, by user and start.

    One row per event; one without an end or of no length is none.
    """
    frame = pd.DataFrame(
        {
            "user_id": long_ids(texts(mirror, "OwnerId")),
            "starts_at": instants(mirror, "StartDateTime"),
            "ends_at": instants(mirror, "EndDateTime"),
        }
    )[texts(mirror, "ShowAs").eq("OutOfOffice").to_numpy(dtype=bool)]
    known = frame.dropna()
    known = known[known["starts_at"] < known["ends_at"]]
    ordered = known.sort_values(["user_id", "starts_at", "ends_at"], ignore_index=True)
    return Absences.validate(ordered, lazy=True)
