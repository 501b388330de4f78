"""Read deals, the people on them, and currencies out of the mirrors."""

import pandas as pd

from agreement.frames import DataFrame, DealRecords, Memberships, Rates, as_utc
from transforms.normalise.mirrors import flags, long_ids, texts
from transforms.normalise.people import first_associated

# A rate without a start date (the org's static one) holds from here on; dates sort as text.
_ALWAYS = "0001-01-01"


def deal_records(
    deal_mirror: pd.DataFrame, opportunity_mirror: pd.DataFrame, deal_companies: pd.DataFrame
) -> DataFrame[DealRecords]:
    """Read the live records of deals: HubSpot deals, then Salesforce opportunities.

    One row per record. A HubSpot deal's day of closing is the UTC day of its close date.
    """
    rows = [
        _deals(
            deal_mirror,
            ("hubspot", "deal"),
            name=texts(deal_mirror, "dealname"),
            partner_id=long_ids(texts(deal_mirror, "hs_salesforceopportunityid")),
            account_record_id=deal_mirror["record_id"].map(first_associated(deal_companies)),
            amount=texts(deal_mirror, "amount"),
            currency=texts(deal_mirror, "deal_currency_code"),
            stage=texts(deal_mirror, "dealstage"),
            is_closed=flags(deal_mirror, "hs_is_closed") | _has_closed_stage(deal_mirror),
            is_won=flags(deal_mirror, "hs_is_closed_won") | _has_won_stage(deal_mirror),
            closed_on=texts(deal_mirror, "closedate").str.slice(0, 10),
        ),
        _deals(
            opportunity_mirror,
            ("salesforce", "opportunity"),
            name=texts(opportunity_mirror, "Name"),
            account_record_id=long_ids(texts(opportunity_mirror, "AccountId")),
            amount=texts(opportunity_mirror, "Amount"),
            currency=texts(opportunity_mirror, "CurrencyIsoCode"),
            stage=texts(opportunity_mirror, "StageName"),
            is_closed=flags(opportunity_mirror, "IsClosed"),
            is_won=flags(opportunity_mirror, "IsWon"),
            closed_on=texts(opportunity_mirror, "CloseDate").str.slice(0, 10),
        ),
    ]
    return DealRecords.validate(pd.concat(rows, ignore_index=True), lazy=True)


def _has_closed_stage(mirror: pd.DataFrame) -> pd.Series:
    return texts(mirror, "dealstage").isin(["closedwon", "closedlost"])


def _has_won_stage(mirror: pd.DataFrame) -> pd.Series:
    return texts(mirror, "dealstage").eq("closedwon").astype(bool)


def _deals(mirror: pd.DataFrame, key: tuple[str, str], **columns: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "system": key[0],
            "kind": key[1],
            "record_id": mirror["record_id"],
            **columns,
            "created_at": as_utc(mirror["created_at"]),
        },
        index=mirror.index,
    ).reindex(columns=list(DealRecords.to_schema().columns))
    kept = {"created_at", "is_closed", "is_won"}
    text = [name for name in frame.columns if name not in kept]
    return frame.astype(dict.fromkeys(text, "str") | {"is_closed": bool, "is_won": bool})


def memberships(
    contact_role_mirror: pd.DataFrame, deal_contacts: pd.DataFrame
) -> DataFrame[Memberships]:
    """Read who is on which deal: Salesforce contact roles, then HubSpot associations.

    One row per deal record and person record, each pair once, however many roles there are.
    """
    roles = pd.DataFrame(
        {
            "system": "salesforce",
            "deal_record_id": long_ids(texts(contact_role_mirror, "OpportunityId")),
            "person_kind": "contact",
            "person_record_id": long_ids(texts(contact_role_mirror, "ContactId")),
        },
        index=contact_role_mirror.index,
    ).dropna()
    associated = pd.DataFrame(
        {
            "system": "hubspot",
            "deal_record_id": deal_contacts["from_id"],
            "person_kind": "contact",
            "person_record_id": deal_contacts["to_id"],
        },
        index=deal_contacts.index,
    )
    rows = pd.concat([roles, associated], ignore_index=True).astype("str").drop_duplicates()
    ordered = rows.sort_values(list(rows.columns), ignore_index=True)
    return Memberships.validate(ordered, lazy=True)


def company_currency(
    currency_type_mirror: pd.DataFrame, organization_mirror: pd.DataFrame
) -> str | None:
    """Name the company's currency: the corporate one, else the organization's default.

    None when Salesforce shows neither.
    """
    corporate = texts(currency_type_mirror, "IsoCode")[flags(currency_type_mirror, "IsCorporate")]
    default = texts(organization_mirror, "DefaultCurrencyIsoCode")
    named = pd.concat([corporate, default]).dropna()
    return None if named.empty else str(named.iloc[0])


def currency_digits(currency_type_mirror: pd.DataFrame) -> dict[str, int]:
    """Give the minor digits of each currency of the org; empty in a single-currency org."""
    digits = texts(currency_type_mirror, "DecimalPlaces").set_axis(
        texts(currency_type_mirror, "IsoCode")
    )
    known = digits[digits.notna() & digits.index.notna()]
    return {str(currency): int(places) for currency, places in known.items()}


def rates(
    currency_type_mirror: pd.DataFrame, dated_rate_mirror: pd.DataFrame, company_currency: str
) -> DataFrame[Rates]:
    """Give the exchange rates: dated ones, the static one of a currency without any.

    One row per currency and start date, in that order. The company's own currency is 1 always.
    """
    dated = _rates(dated_rate_mirror, texts(dated_rate_mirror, "StartDate").str.slice(0, 10))
    static = _rates(
        currency_type_mirror, pd.Series(_ALWAYS, index=currency_type_mirror.index, dtype="str")
    )
    own = pd.DataFrame({"currency": [company_currency], "starts_on": [_ALWAYS], "rate": ["1"]})
    dated = dated[dated["currency"] != company_currency]
    static = static[~static["currency"].isin([company_currency, *dated["currency"]])]
    rows = pd.concat([own, dated, static], ignore_index=True).astype("str")
    once = rows.drop_duplicates(["currency", "starts_on"], keep="last")
    return Rates.validate(once.sort_values(["currency", "starts_on"], ignore_index=True), lazy=True)


def _rates(mirror: pd.DataFrame, starts_on: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "currency": texts(mirror, "IsoCode"),
            "starts_on": starts_on,
            "rate": texts(mirror, "ConversionRate"),
        },
        index=mirror.index,
    ).dropna()
