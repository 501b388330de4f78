"""Bring the cast's records into the script: what both CRMs hold of people, companies and deals."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from standins.hubspot import HubSpotStandIn
from standins.world.cast import Company, HubSpotContact, Human, Rep, SalesforcePerson
from standins.world.deals import Deal, HubSpotDeal
from standins.world.dice import Dice
from standins.world.ids import Ids
from standins.world.office import Office
from standins.world.script import Phase, Script, hubspot_time
from standins.world.words import HOSTILE_TEXTS, JOB_TITLES

_SOURCES = ("ORGANIC_SEARCH", "PAID_SEARCH", "EMAIL_MARKETING", "REFERRALS", "OFFLINE")
_LONG_TEXT = ("Every word of it was typed by hand, twice. " * 2400)[:100_000]
_LONGEST_DESCRIPTION = 32_000


class Registrar:
    """Writes records into the script."""

    def __init__(self, dice: Dice, ids: Ids, script: Script, office: Office) -> None:
        self._dice, self._ids, self._script, self._office = dice, ids, script, office

    # Companies.

    def register_company(self, company: Company) -> None:
        """Write a company as the CRMs know it: a HubSpot company, an account, or both."""
        dice = self._dice
        company.has_stored_id = company.account_id is not None and dice.chance(0.6)
        if company.hubspot_id:
            self._hubspot_company(company, company.hubspot_id)
        if company.account_id:
            self._account(company, company.account_id)

    def _hubspot_company(self, company: Company, company_id: str) -> None:
        properties: dict[str, str | None] = {"name": company.name, "domain": company.domain}
        if company.has_stored_id:
            properties["salesforceaccountid"] = company.account_id
        self._script.hubspot(
            Phase.COMPANIES,
            lambda crm: crm.add(
                "companies", properties, record_id=company_id, created_at=company.founded_at
            ),
        )

    def _account(self, company: Company, account_id: str) -> None:
        has_website = not company.has_stored_id or self._dice.chance(0.8)
        fields: dict[str, Any] = {"Name": company.name}
        if has_website:
            fields["Website"] = f"https://www.{company.domain}/"
        self._add_salesforce(Phase.COMPANIES, "Account", account_id, fields, company.founded_at)

    # People.

    def register_human(self, human: Human) -> None:
        """Write all records of a human, the gone ones too, and how they ended."""
        for contact in human.hubspot:
            self._contact(human, contact)
        for person in human.salesforce:
            self._salesforce_person(human, person)
        for gone in human.gone:
            if isinstance(gone, HubSpotContact):
                self._one_contact(human, gone, gone)
            else:
                self._salesforce_person(human, gone)
        self._end(human)

    def _contact(self, human: Human, contact: HubSpotContact) -> None:
        if contact.parts is None:
            self._one_contact(human, contact, contact)
            return
        primary, other = contact.parts
        self._one_contact(human, primary, contact)
        self._one_contact(human, other, other)

    def _job_title(self, human: Human) -> str:
        """Give the title that marketing knows: one in ten was promoted since sales heard of it."""
        heard = self._dice.pick(JOB_TITLES)
        is_promoted = heard == JOB_TITLES[-1]
        return heard if is_promoted or not human.salesforce else human.salesforce[0].more["Title"]

    def _one_contact(self, human: Human, part: HubSpotContact, whole: HubSpotContact) -> None:
        """Write one contact, with the history of its stages."""
        first, last = part.name
        history: dict[str, Sequence[tuple[datetime, str | None, str]]] = {}
        if whole.stages:
            history["lifecyclestage"] = whole.stages
        stage = whole.stages[-1][1] if whole.stages else None
        properties: dict[str, str | None] = {
            "firstname": first,
            "lastname": last,
            "email": part.email,
            "company": human.company.name,
            "jobtitle": self._job_title(human),
            "lifecyclestage": stage,
            "hs_analytics_source": self._dice.pick(_SOURCES),
            **whole.stored,
            **whole.more,
        }
        if human.hubspot_owners and whole is human.contact and part.id == whole.written_id:
            history["hubspot_owner_id"] = [
                (at, rep.hubspot_owner_id, "CRM_UI") for at, rep in human.hubspot_owners
            ]
            properties["hubspot_owner_id"] = human.hubspot_owners[-1][1].hubspot_owner_id
        if self._dice.chance(0.03):
            properties["message"] = self._dice.pick(HOSTILE_TEXTS)
        updated_at = max([part.created_at, *(at for at, _, _ in whole.stages)])
        self._script.hubspot(
            Phase.PEOPLE,
            lambda crm: crm.add(
                "contacts",
                properties,
                record_id=part.id,
                created_at=part.created_at,
                updated_at=updated_at,
                history=history,
            ),
        )
        if part.company and part.company.hubspot_id:
            self._associate("contacts", part.id, "companies", part.company.hubspot_id)

    def _salesforce_person(self, human: Human, person: SalesforcePerson) -> None:
        self._one_person(human, person)
        for loser in person.losers:
            self._one_person(human, loser)

    def _one_person(self, human: Human, person: SalesforcePerson) -> None:
        first, last = person.name
        fields: dict[str, Any] = {
            "FirstName": first,
            "LastName": last,
            "Email": person.email,
            "OwnerId": person.owners[0][1].salesforce_id,
            "HubSpot_Contact_Id__c": person.stored_hubspot_id,
            **person.more,
        }
        if person.kind == "lead":
            fields["Company"] = human.company.name
            fields["Status"] = person.status[0][1]
            fields["Reject_Reason__c"] = person.status[0][2]
        else:
            fields["AccountId"] = human.company.account_id
        self._add_salesforce(Phase.PEOPLE, person.sobject, person.id, fields, person.created_at)
        for at, changed in self._edits(person):
            self._edit_lead(human.owner, person.id, changed, at)

    def _edits(self, person: SalesforcePerson) -> list[tuple[datetime, dict[str, Any]]]:
        """List a lead's later changes in the order in which they were made."""
        edits: list[tuple[datetime, dict[str, Any]]] = [
            (at, {"Status": status, "Reject_Reason__c": reason})
            for at, status, reason in person.status[1:]
        ]
        edits += [(at, {"OwnerId": rep.salesforce_id}) for at, rep in person.owners[1:]]
        return sorted(edits, key=lambda edit: edit[0])

    def _edit_lead(self, owner: Rep, lead_id: str, fields: dict[str, Any], at: datetime) -> None:
        rep = owner if owner.hubspot_owner_id else self._office.reps[0]
        self._script.salesforce(
            Phase.EDITS, lambda crm: crm.set("Lead", lead_id, fields, at=at, by=rep.salesforce_id)
        )

    def _end(self, human: Human) -> None:
        """Write merges, conversions and deletions, which come after everything else."""
        for person in human.salesforce:
            if person.losers:
                self._merge(person)
            if person.converted_to:
                self._convert(human, person, person.converted_to)
        for gone in human.gone:
            self._delete(gone)

    def _merge(self, person: SalesforcePerson) -> None:
        losers = [loser.id for loser in person.losers]
        at = person.merged_at or person.created_at
        self._script.salesforce(
            Phase.ENDINGS, lambda crm: crm.merge(person.sobject, person.id, losers, at=at)
        )

    def _convert(self, human: Human, lead: SalesforcePerson, contact: SalesforcePerson) -> None:
        account_id = human.company.account_id or ""
        self._script.salesforce(
            Phase.ENDINGS,
            lambda crm: crm.convert(
                lead.id,
                at=contact.created_at,
                contact_id=contact.id,
                account_id=account_id,
                opportunity_id=lead.opportunity_id,
            ),
        )

    def _delete(self, gone: HubSpotContact | SalesforcePerson) -> None:
        if isinstance(gone, HubSpotContact):
            archived_at = gone.archived_at or gone.created_at
            self._script.hubspot(
                Phase.ENDINGS, lambda crm: crm.archive("contacts", gone.id, at=archived_at)
            )
            return
        deleted_at = gone.deleted_at or gone.created_at
        self._script.salesforce(
            Phase.ENDINGS, lambda crm: crm.delete("Lead", gone.id, at=deleted_at)
        )

    def merge_contacts(self, contact: HubSpotContact) -> None:
        """Write the merge of a contact's parts; the portal itself numbers survivors, in order."""
        if contact.parts is None:
            return
        primary, other = contact.parts
        at = contact.merged_at or contact.created_at

        def merge(crm: HubSpotStandIn) -> None:
            survivor_id = crm.merge("contacts", primary.id, other.id, at=at)
            if survivor_id != contact.id:
                raise RuntimeError(
                    f"contact {survivor_id} should be {contact.id}: not an empty portal"
                )

        self._script.hubspot(Phase.ENDINGS, merge)

    def plant_long_texts(self, humans: list[Human]) -> None:
        """Give two records the longest texts that their vendors take."""
        for human in humans[:1]:
            human.contact.more["message"] = _LONG_TEXT
        for human in humans:
            leads = list(human.leads())
            if leads:
                leads[0].more["Description"] = _LONG_TEXT[:_LONGEST_DESCRIPTION]
                return

    # Deals.

    def register_deal(self, deal: Deal) -> None:
        """Write an opportunity with its history, its contact roles and its copies in HubSpot."""
        fields: dict[str, Any] = {
            "Name": f"{deal.company.name[:80]} {deal.created_at:%Y-%m}",
            "AccountId": deal.company.account_id,
            "OwnerId": deal.owner.salesforce_id,
            "StageName": "Prospecting",
            "CloseDate": f"{deal.first_close:%Y-%m-%d}",
            "CurrencyIsoCode": deal.currency,
            "Amount": None if deal.first_amount is None else float(deal.first_amount),
        }
        self._add_salesforce(Phase.DEALS, "Opportunity", deal.id, fields, deal.created_at)
        self._first_step(deal, fields)
        for at, changed in deal.changes:
            self._change_opportunity(deal, changed, at)
        if deal.changes and deal.state == "open":
            self._change_opportunity(deal, {"CloseDate": f"{deal.closed_on}"}, deal.changes[-1][0])
        for place, human in enumerate(dict.fromkeys(deal.on_roles)):
            self._role(deal, human, is_primary=place == 0)
        for copy in deal.copies:
            self.register_hubspot_deal(copy)
        if deal.is_deleted:
            at = deal.ends_at + timedelta(minutes=1)
            self._script.salesforce(
                Phase.ENDINGS, lambda crm: crm.delete("Opportunity", deal.id, at=at)
            )

    def _first_step(self, deal: Deal, fields: dict[str, Any]) -> None:
        """Write the history row that the vendor writes when an opportunity is made."""
        copied = ("StageName", "Amount", "CloseDate", "CurrencyIsoCode")
        step = {"OpportunityId": deal.id} | {name: fields[name] for name in copied}
        self._script.salesforce(
            Phase.DEALS,
            lambda crm: crm.add("OpportunityHistory", step, created_at=deal.created_at),
        )

    def _change_opportunity(self, deal: Deal, fields: dict[str, Any], at: datetime) -> None:
        self._script.salesforce(
            Phase.EDITS,
            lambda crm: crm.set("Opportunity", deal.id, fields, at=at, by=deal.owner.salesforce_id),
        )

    def _role(self, deal: Deal, human: Human, *, is_primary: bool) -> None:
        contact = next(human.contacts())
        fields = {
            "OpportunityId": deal.id,
            "ContactId": contact.id,
            "Role": "Decision Maker" if is_primary else "Evaluator",
            "IsPrimary": is_primary,
        }
        role_id = self._ids.salesforce("OpportunityContactRole")
        at = max(deal.created_at, contact.created_at)
        self._add_salesforce(Phase.DEALS, "OpportunityContactRole", role_id, fields, at)

    def register_hubspot_deal(self, deal: HubSpotDeal) -> None:
        """Write a HubSpot deal with its people and its company."""
        properties: dict[str, str | None] = {
            "dealname": f"{deal.company.name} {deal.created_at:%Y-%m}",
            "amount": deal.amount,
            "deal_currency_code": deal.currency,
            "pipeline": "default",
            "dealstage": deal.stage,
            "closedate": hubspot_time(
                datetime.combine(deal.closes_on, datetime.min.time(), deal.created_at.tzinfo)
            ),
        }
        if deal.opportunity_id:
            properties["hs_salesforceopportunityid"] = deal.opportunity_id
        self._script.hubspot(
            Phase.DEALS,
            lambda crm: crm.add("deals", properties, record_id=deal.id, created_at=deal.created_at),
        )
        for human in dict.fromkeys(deal.humans):
            self._associate("deals", deal.id, "contacts", human.contact.written_id)
        if deal.company.hubspot_id:
            self._associate("deals", deal.id, "companies", deal.company.hubspot_id)

    def _associate(self, kind: str, record_id: str, to_kind: str, to_id: str) -> None:
        self._script.hubspot(
            Phase.DEALS, lambda crm: crm.associate(kind, record_id, to_kind, to_id)
        )

    def _add_salesforce(
        self, phase: Phase, sobject: str, record_id: str, fields: dict[str, Any], at: datetime
    ) -> None:
        self._script.salesforce(
            phase, lambda crm: crm.add(sobject, fields, record_id=record_id, created_at=at)
        )
