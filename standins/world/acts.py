"""Write what happened into both CRMs: what counts, and what only looks as if it did."""

from datetime import datetime, timedelta
from typing import Any

from standins.world.cast import Act, HubSpotContact, Human, Rep, SalesforcePerson
from standins.world.dice import Dice
from standins.world.ids import Ids
from standins.world.office import CALM_FORMS, Form, Office
from standins.world.script import Phase, Script, hubspot_time, salesforce_time
from standins.world.years import AS_OF

# HubSpot's own ids of call outcomes, the same in every portal.
CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
NO_ANSWER = "73a0d17f-1163-4015-bdd5-ec830791da20"
AUTO_REPLIES = (
    "Automatic reply: Following up",
    "Auto-Reply: your message",
    "Out of office until Monday",
    "AUTOMATIC REPLY: Thank you for reaching out",
)
MACHINE_SOURCES = ("AUTOMATION_PLATFORM", "SEQUENCES", "INTEGRATION", "IMPORT")
_SUBJECTS = (
    "Following up",
    "Your question",
    "Next steps",
    "=1+1",
    "Angebot für Ihr Team",
    "Re: demo",
)
_MEETING = timedelta(minutes=45)


class Diary:
    """Writes acts: each into its CRM, and with its meaning among its human's acts."""

    def __init__(self, dice: Dice, ids: Ids, script: Script, office: Office) -> None:
        self.dice, self.office = dice, office
        self._ids, self._script = ids, script

    # Marketing.

    def form(self, human: Human, form: Form, at: datetime, address: str | None = None) -> None:
        """Let the human send a form, by the address of the first contact or another one of it."""
        contact = human.contact
        email = address or contact.email
        if email is None:
            return
        evidence_id = f"sub-{self._ids.hubspot('engagements')}"
        values = {"email": email, "firstname": human.first, "lastname": human.last}
        page = f"https://www.tandem-demo.test/{form.guid[-4:]}?utm_source=web&utm_campaign=autumn"
        self._script.hubspot(
            Phase.ACTS,
            lambda crm: crm.add_submission(
                form.guid, at, values, page_url=page, conversion_id=evidence_id
            ),
        )
        human.acts.append(Act(evidence_id, contact, at, ("marketing", "form")))

    def mailing(
        self, human: Human, contact: HubSpotContact, at: datetime, event: str, is_bot: bool = False
    ) -> None:
        """Note what a recipient did with a marketing e-mail: only a human's click counts."""
        recipient = contact.email
        if recipient is None:
            return
        evidence_id = f"evt-{self._ids.hubspot('engagements')}"
        campaign_id = 1000 + self.dice.whole(1, 20)
        self._script.hubspot(
            Phase.ACTS,
            lambda crm: crm.add_email_event(
                event, recipient, at, campaign_id=campaign_id, filtered=is_bot, event_id=evidence_id
            ),
        )
        if event == "CLICK" and not is_bot:
            credit = ("marketing", "email")
            human.acts.append(Act(evidence_id, contact, at, credit, campaign=str(campaign_id)))

    def campaign(self, human: Human, at: datetime) -> None:
        """Make the human a member of a campaign that did not have them; some respond.

        Salesforce knows the day of a response only, which counts as its start in UTC.
        """
        left = [one for one in self.office.campaigns if one not in human.campaigns]
        members = human.in_salesforce_at(at)
        if not left or not members:
            return
        campaign_id, member = self.dice.pick(left), self.dice.pick(members)
        human.campaigns.add(campaign_id)
        status = self.dice.weighted({"Responded": 0.35, "Attended": 0.2, "Sent": 0.45})
        evidence_id = self._ids.salesforce("CampaignMember")
        fields: dict[str, Any] = {
            "CampaignId": campaign_id,
            f"{member.sobject}Id": member.id,
            "Status": status,
            "HasResponded": status != "Sent",
        }
        if status != "Sent":
            responded_on = min(at + timedelta(days=self.dice.whole(0, 20)), AS_OF)
            midnight = responded_on.replace(hour=0, minute=0, second=0)
            fields["FirstRespondedDate"] = f"{midnight:%Y-%m-%d}"
            credit = ("marketing", "campaign")
            human.acts.append(Act(evidence_id, member, midnight, credit, campaign=campaign_id))
        self._add("CampaignMember", evidence_id, fields, at)

    # Sales, in HubSpot.

    def call(
        self,
        humans: list[Human],
        at: datetime,
        *,
        direction: str = "OUTBOUND",
        status: str = "COMPLETED",
        source: str = "CRM_UI",
    ) -> None:
        """Log a HubSpot call with one or more humans; a machine's counts for nothing.

        An outbound one that was put through stops clocks; one that connected earns credit.
        """
        is_human, is_through = source == "CRM_UI", status == "COMPLETED"
        evidence_id = self._ids.hubspot("engagements")
        properties = {
            "hs_call_title": self.dice.pick(_SUBJECTS),
            "hs_call_direction": direction,
            "hs_call_status": status,
            "hs_call_disposition": CONNECTED if is_through else NO_ANSWER,
            "hs_call_duration": str(self.dice.whole(20, 2400) * 1000),
        }
        logged_at = min(at + timedelta(minutes=1), AS_OF)
        self._engage("calls", evidence_id, humans, at, logged_at, source, properties)
        if not (is_human and is_through):
            return
        stops_at = at if direction == "OUTBOUND" else None
        for human in humans:
            human.acts.append(
                Act(evidence_id, human.contact, at, ("sales", "call"), stops_at, "call")
            )

    def email(
        self,
        human: Human,
        at: datetime,
        *,
        direction: str = "EMAIL",
        subject: str | None = None,
        source: str = "CRM_UI",
    ) -> None:
        """Log a HubSpot e-mail; a human's outgoing one stops clocks and earns credit."""
        evidence_id = self._ids.hubspot("engagements")
        properties = {
            "hs_email_subject": subject or self.dice.pick(_SUBJECTS),
            "hs_email_direction": direction,
            "hs_email_status": "SENT",
        }
        self._engage("emails", evidence_id, [human], at, at, source, properties)
        if direction == "EMAIL" and source == "CRM_UI" and subject not in AUTO_REPLIES:
            credit = ("sales", "sales_email")
            human.acts.append(Act(evidence_id, human.contact, at, credit, at, "email"))

    def meeting(
        self, humans: list[Human], booked_at: datetime, at: datetime, source: str = "CRM_UI"
    ) -> None:
        """Log a HubSpot meeting: booking stops clocks, and what took place earns credit."""
        is_over = at + _MEETING <= AS_OF
        outcome = (
            self.dice.weighted({"COMPLETED": 0.85, "NO_SHOW": 0.15}) if is_over else "SCHEDULED"
        )
        evidence_id = self._ids.hubspot("engagements")
        properties = {
            "hs_meeting_title": self.dice.pick(_SUBJECTS),
            "hs_meeting_outcome": outcome,
            "hs_meeting_start_time": hubspot_time(at),
            "hs_meeting_end_time": hubspot_time(at + _MEETING),
        }
        self._engage("meetings", evidence_id, humans, at, booked_at, source, properties)
        if source != "CRM_UI":
            return
        credit = ("sales", "meeting") if outcome == "COMPLETED" else None
        for human in humans:
            human.acts.append(Act(evidence_id, human.contact, at, credit, booked_at, "meeting"))

    def _engage(
        self,
        kind: str,
        evidence_id: str,
        humans: list[Human],
        at: datetime,
        created_at: datetime,
        source: str,
        properties: dict[str, str],
    ) -> None:
        owner = humans[0].owner.hubspot_owner_id
        written: dict[str, str | None] = {
            **properties,
            "hs_timestamp": hubspot_time(at),
            "hubspot_owner_id": owner,
            "hs_object_source": source,
        }
        self._script.hubspot(
            Phase.ACTS,
            lambda crm: crm.add(kind, written, record_id=evidence_id, created_at=created_at),
        )
        for human in humans:
            self._associate(kind, evidence_id, human.contact.written_id)

    def _associate(self, kind: str, evidence_id: str, contact_id: str) -> None:
        self._script.hubspot(
            Phase.ACTS, lambda crm: crm.associate(kind, evidence_id, "contacts", contact_id)
        )

    # Sales, in Salesforce.

    def task(
        self,
        human: Human,
        person: SalesforcePerson,
        at: datetime,
        subtype: str,
        *,
        call_type: str = "Outbound",
        is_connected: bool = True,
        is_done: bool = True,
        subject: str | None = None,
        creator: str | None = None,
    ) -> None:
        """Log a Salesforce call or e-mail.

        What a human got done and sent out stops clocks; a connected call or an e-mail earns credit.
        """
        evidence_id = self._ids.salesforce("Task")
        fields: dict[str, Any] = {
            "Subject": subject or self.dice.pick(_SUBJECTS),
            "TaskSubtype": subtype,
            "Status": "Completed" if is_done else "Not Started",
            "IsClosed": is_done,
            "Priority": "Normal",
            "ActivityDate": f"{at:%Y-%m-%d}",
        }
        if subtype == "Call":
            fields["CallType"] = call_type
        if subtype == "Call" and is_done:
            fields["CallDisposition"] = "Connected" if is_connected else "Left Voicemail"
        if is_done:
            fields["CompletedDateTime"] = salesforce_time(at)
        entered_at = max(person.created_at, at - timedelta(minutes=self.dice.whole(0, 90)))
        self._log("Task", evidence_id, fields, person, human.owner, entered_at, creator)
        if not is_done or creator or subject in AUTO_REPLIES:
            return
        is_out = subtype == "Email" or call_type == "Outbound"
        channel = "sales_email" if subtype == "Email" else "call"
        credit = ("sales", channel) if subtype == "Email" or is_connected else None
        stops_at = at if is_out else None
        human.acts.append(Act(evidence_id, person, at, credit, stops_at, subtype.lower()))

    def event(
        self,
        human: Human,
        person: SalesforcePerson,
        booked_at: datetime,
        at: datetime,
        creator: str | None = None,
    ) -> None:
        """Log a Salesforce event: booking stops clocks, and what has ended earns credit."""
        evidence_id = self._ids.salesforce("Event")
        fields = {
            "Subject": self.dice.pick(_SUBJECTS),
            "StartDateTime": salesforce_time(at),
            "ActivityDateTime": salesforce_time(at),
            "EndDateTime": salesforce_time(at + _MEETING),
            "DurationInMinutes": 45,
        }
        self._log("Event", evidence_id, fields, person, human.owner, booked_at, creator)
        if not creator:
            credit = ("sales", "meeting") if at + _MEETING <= AS_OF else None
            human.acts.append(Act(evidence_id, person, at, credit, booked_at, "meeting"))

    def _log(
        self,
        sobject: str,
        evidence_id: str,
        fields: dict[str, Any],
        person: SalesforcePerson,
        owner: Rep,
        at: datetime,
        creator: str | None,
    ) -> None:
        """Add an activity of the owner (a queue's are the first rep's), or one a machine made."""
        rep = owner if owner.hubspot_owner_id else self.office.reps[0]
        by = creator or rep.salesforce_id
        who = {
            "WhoId": self._written_on(person, at),
            "OwnerId": rep.salesforce_id,
            "CreatedById": by,
        }
        self._add(sobject, evidence_id, fields | who, at)

    def _written_on(self, person: SalesforcePerson, at: datetime) -> str:
        """Choose the record that an act is logged on: some on one that a merge takes over later."""
        merged_at = person.merged_at or at
        doomed = [one for one in person.losers if one.created_at <= at < merged_at]
        return doomed[0].id if doomed and self.dice.chance(0.5) else person.id

    def _add(self, sobject: str, record_id: str, fields: dict[str, Any], at: datetime) -> None:
        self._script.salesforce(
            Phase.ACTS, lambda crm: crm.add(sobject, fields, record_id=record_id, created_at=at)
        )

    def own_integration(self, person: SalesforcePerson, at: datetime) -> None:
        """Log an e-mail that the integration behind our own token entered: nobody's act."""
        evidence_id = self._ids.salesforce("Task")
        self._script.salesforce(
            Phase.ACTS,
            lambda crm: crm.add(
                "Task",
                {
                    "Subject": "Email: Following up",
                    "TaskSubtype": "Email",
                    "Status": "Completed",
                    "IsClosed": True,
                    "CompletedDateTime": salesforce_time(at),
                    "WhoId": person.id,
                    "OwnerId": crm.integration_user_id,
                    "CreatedById": crm.integration_user_id,
                },
                record_id=evidence_id,
                created_at=at,
            ),
        )

    # Either system.

    def sales_act(
        self, human: Human, where: HubSpotContact | SalesforcePerson, at: datetime
    ) -> None:
        """Let sales do one thing that stops a clock at exactly this time."""
        meets_at = at + timedelta(hours=self.dice.whole(3, 120))
        kind = self.dice.weighted({"call": 0.45, "email": 0.4, "meeting": 0.15})
        if isinstance(where, SalesforcePerson):
            if kind == "meeting":
                self.event(human, where, at, meets_at)
            else:
                subtype = kind.capitalize()
                self.task(human, where, at, subtype, is_connected=self.dice.chance(0.6))
        elif kind == "call":
            self.call([human], at)
        elif kind == "email":
            self.email(human, at)
        else:
            self.meeting([human], at, meets_at)

    def noise(self, human: Human, at: datetime) -> None:
        """Let something happen that is nobody's act, or no act yet."""
        in_salesforce = human.in_salesforce_at(at)
        if in_salesforce and self.dice.chance(0.6):
            self._salesforce_noise(human, self.dice.pick(in_salesforce), at)
            return
        kind = self.dice.whole(1, 6)
        if kind == 1:
            self.email(human, at, subject=self.dice.pick(AUTO_REPLIES))
        elif kind == 2:
            reply = self.dice.pick(AUTO_REPLIES)
            self.email(human, at, subject=reply, direction="INCOMING_EMAIL")
        elif kind == 3:
            self.email(human, at, source=self.dice.pick(MACHINE_SOURCES))
        elif kind == 4:
            self.call([human], at, source=self.dice.pick(MACHINE_SOURCES))
        elif kind == 5:
            self.call([human], at, direction="INBOUND")
        else:
            self.mailing(human, human.contact, at, "OPEN")

    def _salesforce_noise(self, human: Human, person: SalesforcePerson, at: datetime) -> None:
        kind = self.dice.whole(1, 6)
        if kind == 1:
            self.task(human, person, at, "Call", is_done=False)
        elif kind == 2:
            self.task(human, person, at, "Email", subject=self.dice.pick(AUTO_REPLIES))
        elif kind == 3:
            self.task(human, person, at, "Call", call_type="Inbound")
        elif kind == 4:
            self.task(human, person, at, "Email", creator=self.office.robot_id)
        elif kind == 5:
            self.event(human, person, at, at + timedelta(days=1), creator=self.office.process_id)
        else:
            self.own_integration(person, at)

    def marketing_life(self, human: Human) -> None:
        """Let a human live with marketing: forms, mailings, campaigns, over the years."""
        born = min(one.created_at for one in human.hubspot)
        for _ in range(self.dice.whole(0, 3)):
            address = None
            if human.contact.parts and self.dice.chance(0.4):
                address = human.contact.parts[1].email
            self.form(human, self.dice.pick(CALM_FORMS), self.dice.between(born, AS_OF), address)
        for _ in range(self.dice.whole(0, 5)):
            contact = self.dice.pick(human.hubspot)
            at = self.dice.between(contact.created_at, AS_OF)
            event = self.dice.weighted({"SENT": 0.1, "OPEN": 0.3, "CLICK": 0.6})
            self.mailing(human, contact, at, event, is_bot=self.dice.chance(0.15))
        for _ in range(self.dice.whole(0, 2)):
            self.campaign(human, self.dice.between(born, AS_OF))
