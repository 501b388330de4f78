"""Merging and converting: the two acts that move what hangs on a record to another."""

from collections.abc import Sequence

from standins.salesforce.org import Org
from standins.salesforce.schema import SObject
from standins.salesforce.tables import Row

_HISTORIES = "History"


def merge_records(
    org: Org, sobject: SObject, winner_id: str, loser_ids: Sequence[str], at: str
) -> None:
    """Merge records into one: losers are deleted and name the winner, their children move.

    History stays with the losers. A membership or role that the winner has already is deleted.

    Raises:
        ValueError: the object cannot be merged, or a record is not there.
    """
    table = org.tables[sobject.name]
    if "mergeable" not in sobject.abilities:
        raise ValueError(f"{sobject.name} cannot be merged")
    if any(one not in table.rows for one in (winner_id, *loser_ids)) or winner_id in loser_ids:
        raise ValueError(f"no such {sobject.name} records to merge")
    for loser_id in loser_ids:
        for child in sobject.children:
            if not child.sobject.endswith(_HISTORIES):
                _move_all(org, org.sobject(child.sobject), child.field, loser_id, winner_id, at)
        values: Row = {
            "IsDeleted": True, "MasterRecordId": winner_id, "SystemModstamp": at,
            "LastModifiedDate": at, "LastModifiedById": org.admin_id,
        }  # fmt: skip
        table.change(loser_id, values)
        table.deleted_at[loser_id] = at
    org.update(sobject, winner_id, {}, org.admin_id, at)


def _move_all(
    org: Org, child: SObject, field: str, from_id: str, to_id: str, at: str, **also: object
) -> None:
    table = org.tables[child.name]
    for one in sorted(table.having(field, [from_id])):
        if table.rows[one].get("IsDeleted"):
            continue
        if _has_twin(org, child, one, field, to_id):
            org.delete(child, one, org.admin_id, at)
        else:
            org.update(child, one, {field: to_id, **also}, org.admin_id, at)


_OTHER_END = {
    "CampaignMember": "CampaignId",
    "OpportunityContactRole": "OpportunityId",
    "GroupMember": "GroupId",
}


def _has_twin(org: Org, child: SObject, record_id: str, field: str, to_id: str) -> bool:
    """Tell whether the new parent has a row of the same campaign or opportunity already."""
    other_end = _OTHER_END.get(child.name)
    if other_end is None or field == other_end:
        return False
    table = org.tables[child.name]
    wanted = table.rows[record_id].get(other_end)
    return any(
        table.rows[one].get(other_end) == wanted and not table.rows[one].get("IsDeleted")
        for one in table.having(field, [to_id])
        if one != record_id
    )


def convert_lead(
    org: Org,
    lead_id: str,
    *,
    contact_id: str,
    account_id: str,
    opportunity_id: str | None,
    by: str,
    at: str,
) -> None:
    """Convert a lead into a contact, an account and perhaps an opportunity that exist.

    Tasks and events move to the contact and to the opportunity, else the account; memberships get
    the contact and keep the lead, and one that the contact has already is deleted. The lead takes
    the first status that ends a conversion.

    Raises:
        ValueError: a record is not there, or the lead is converted already.
    """
    lead = org.sobject("Lead")
    ids = [lead_id, contact_id, account_id, *([opportunity_id] if opportunity_id else [])]
    if any(org.find(one) is None for one in ids):
        raise ValueError(f"not all of {ids} exist")
    row = org.tables["Lead"].rows[lead_id]
    if row.get("IsConverted"):
        raise ValueError(f"{lead_id} is converted already")
    for name in ("Task", "Event"):
        child, table = org.sobject(name), org.tables[name]
        for one in sorted(table.having("WhoId", [lead_id])):
            about = table.rows[one].get("WhatId") or opportunity_id or account_id
            org.update(child, one, {"WhoId": contact_id, "WhatId": about}, by, at)
    _move_members(org, lead_id, contact_id, at)
    org.update(
        lead,
        lead_id,
        {
            "IsConverted": True,
            "ConvertedDate": at[:10],
            "ConvertedContactId": contact_id,
            "ConvertedAccountId": account_id,
            "ConvertedOpportunityId": opportunity_id,
            "Status": _converted_status(org),
            "IsUnreadByOwner": False,
        },
        by,
        at,
    )
    parent: Row = {"LeadId": lead_id, "DataType": "Text"}
    org.write_history("LeadHistory", parent | {"Field": "leadConverted"}, by, at)


def _move_members(org: Org, lead_id: str, contact_id: str, at: str) -> None:
    member, table = org.sobject("CampaignMember"), org.tables["CampaignMember"]
    for one in sorted(table.having("LeadId", [lead_id])):
        if table.rows[one].get("IsDeleted"):
            continue
        if _has_twin(org, member, one, "ContactId", contact_id):
            org.delete(member, one, org.admin_id, at)
        else:
            org.update(member, one, {"ContactId": contact_id}, None, at)


def _converted_status(org: Org) -> object:
    rows = org.tables["LeadStatus"].rows.values()
    ending = sorted(
        (int(str(row.get("SortOrder", 0))), str(row["ApiName"]))
        for row in rows
        if row.get("IsConverted")
    )
    return ending[0][1] if ending else "Closed - Converted"
