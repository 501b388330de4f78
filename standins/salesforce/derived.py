"""Fields that the platform works out by itself, and the history rows that it writes."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from standins.salesforce.tables import Row
from standins.salesforce.values import moment_of, number, stamp

if TYPE_CHECKING:
    from standins.salesforce.org import Org

_STEP_FIELDS = ("StageName", "Amount", "Probability", "CloseDate")
_HISTORY = {
    "Lead": ("LeadHistory", "LeadId"),
    "Contact": ("ContactHistory", "ContactId"),
    "Opportunity": ("OpportunityFieldHistory", "OpportunityId"),
}


def derive(org: "Org", sobject: str, row: Row, given: Row, at: str, *, is_live: bool) -> Row:
    """Give the fields that follow from a row and are not given themselves.

    `row` is the row as it will be, `given` what was set just now at the stamp `at`. Stamps of the
    platform's own (when a task was completed, a stage changed) are set only when `is_live`: a row
    that a test puts in place says itself what happened when.
    """
    if sobject in {"Lead", "Contact", "User"}:
        found = _person(row)
    elif sobject == "Opportunity":
        found = _opportunity(org, row, given, at, is_live=is_live)
    elif sobject == "Task":
        found = _task(org, row, given, at, is_live=is_live)
    elif sobject == "Event":
        found = _event(org, row, given)
    elif sobject == "CampaignMember":
        found = _member(org, row, given, at)
    else:
        found = {}
    return {
        name: value
        for name, value in found.items()
        if (name not in given or is_live) and row.get(name) != value
    }


def _person(row: Row) -> Row:
    names = (row.get("FirstName"), row.get("LastName"))
    return {"Name": " ".join(str(name) for name in names if name) or None}


def _opportunity(org: "Org", row: Row, given: Row, at: str, *, is_live: bool) -> Row:
    found: Row = {}
    if "StageName" in given and (stage := org.stage(row.get("StageName"))):
        found = {
            "IsClosed": stage.get("IsClosed", False),
            "IsWon": stage.get("IsWon", False),
            "ForecastCategory": stage.get("ForecastCategory"),
        }
        for name, source in _STAGE_DEFAULTS.items():
            if name not in given:
                found[name] = stage.get(source)
        if is_live:
            found["LastStageChangeDate"] = at
    probability = found.get("Probability", row.get("Probability"))
    amount = row.get("Amount")
    if amount is not None and probability is not None:
        share = Decimal(str(amount)) * Decimal(str(probability)) / 100
        found["ExpectedRevenue"] = number(share)
    elif "Amount" in given:
        found["ExpectedRevenue"] = None
    if "CloseDate" in given and row.get("CloseDate"):
        found |= org.fiscal(str(row["CloseDate"]))
    return found


_STAGE_DEFAULTS = {
    "Probability": "DefaultProbability",
    "ForecastCategoryName": "ForecastCategoryName",
}


def _task(org: "Org", row: Row, given: Row, at: str, *, is_live: bool) -> Row:
    found: Row = {"IsHighPriority": row.get("Priority") == "High"}
    if "Status" in given:
        is_closed = row.get("Status") == "Completed"
        found["IsClosed"] = is_closed
        if is_live and is_closed != row.get("IsClosed", False):
            found["CompletedDateTime"] = at if is_closed else None
    return found | _account(org, row, given)


def _event(org: "Org", row: Row, given: Row) -> Row:
    found = _account(org, row, given)
    start, end = row.get("StartDateTime"), row.get("EndDateTime")
    if start is not None and ("StartDateTime" in given or "DurationInMinutes" in given):
        begin = moment_of(str(start))
        if end is None or ("DurationInMinutes" in given and "EndDateTime" not in given):
            minutes = int(str(row.get("DurationInMinutes", 0)))
            end = stamp(begin + timedelta(minutes=minutes))
        found["ActivityDateTime"], found["ActivityDate"] = start, str(start)[:10]
    if start is not None and end is not None:
        length = moment_of(str(end)) - moment_of(str(start))
        found |= {
            "EndDateTime": end,
            "EndDate": str(end)[:10],
            "DurationInMinutes": int(length.total_seconds() // 60),
        }
    return found


def _account(org: "Org", row: Row, given: Row) -> Row:
    """An activity belongs to the account of what it is about, else of whom it is with."""
    if "WhatId" not in given and "WhoId" not in given:
        return {}
    for name in ("WhatId", "WhoId"):
        target = org.find(row.get(name))
        if target is not None:
            sobject, other = target
            account_id = other["Id"] if sobject.name == "Account" else other.get("AccountId")
            if account_id is not None:
                return {"AccountId": account_id}
    return {"AccountId": None}


def _member(org: "Org", row: Row, given: Row, at: str) -> Row:
    person_id = row.get("ContactId") or row.get("LeadId")
    found: Row = {"LeadOrContactId": person_id}
    target = org.find(person_id)
    if target is not None:
        sobject, person = target
        found |= {
            "Type": sobject.name,
            "LeadOrContactOwnerId": person.get("OwnerId"),
            "CompanyOrAccount": person.get("Company"),
        }
        found |= {name: person.get(name) for name in ("Name", "FirstName", "LastName", "Email")}
    if "Status" in given and "HasResponded" not in given:
        has_responded = org.has_responded(row.get("CampaignId"), row.get("Status"))
        found["HasResponded"] = has_responded
        if has_responded and "FirstRespondedDate" not in row:
            found["FirstRespondedDate"] = at[:10]
    return found


def history_rows(
    org: "Org", sobject: str, before: Row | None, after: Row, changed: Row
) -> Iterator[tuple[str, Row]]:
    """Yield the history rows, by object, that a creation (`before` is None) or a change leaves.

    One per tracked field whose value changed, two when an owner or another lookup changed (the
    names, then the ids); for opportunities a step when stage, amount, probability or close date
    changed.
    """
    if sobject == "Opportunity" and (
        before is None or any(before.get(name) != after.get(name) for name in _STEP_FIELDS)
    ):
        yield "OpportunityHistory", _step(after)
    if sobject not in _HISTORY:
        return
    history, lookup = _HISTORY[sobject]
    parent: Row = {lookup: after["Id"]}
    if before is None:
        yield history, parent | {"Field": "created", "DataType": "Text"}
        return
    for name in changed:
        if name in org.tracked.get(sobject, ()) and before.get(name) != after.get(name):
            for entry in _entries(org, sobject, name, before.get(name), after.get(name)):
                yield history, parent | entry


def _step(row: Row) -> Row:
    copied = (*_STEP_FIELDS, "ExpectedRevenue", "ForecastCategory", "CurrencyIsoCode")
    return {"OpportunityId": row["Id"]} | {name: row.get(name) for name in copied}


def _entries(org: "Org", sobject: str, name: str, old: object, new: object) -> Iterator[Row]:
    field = org.objects[sobject.lower()].by_name[name]
    if field.type != "reference":
        kind = "DynamicEnum" if field.type == "picklist" else "Text"
        yield {"Field": name, "OldValue": _word(old), "NewValue": _word(new), "DataType": kind}
        return
    label = field.relationship or name
    yield {
        "Field": label,
        "OldValue": org.name_of(old),
        "NewValue": org.name_of(new),
        "DataType": "Text",
    }
    yield {"Field": label, "OldValue": old, "NewValue": new, "DataType": "EntityId"}


def _word(value: object) -> str | None:
    return None if value is None else str(value)[:255]
