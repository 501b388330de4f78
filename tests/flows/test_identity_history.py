"""Who is who over several nights: merges and their undoing, relinks, conversions, opt-outs."""

from types import SimpleNamespace

import pytest

from connectors.clock import utc_now
from tests.flows.small import BORN, HOUR, serve_small

pytestmark = pytest.mark.slow

OUT, THEIR_OUT = "hs_email_optout", "HasOptedOutOfEmail"


class Town:
    """People in both CRMs whom vendors merge, part and convert, and somebody links, between nights.

    `ids` are their records; after each night `moments` has the time, `told` its summary, and `out`
    the records that are opted out.
    """

    def __init__(self, small):
        self.small, self.ids = small, SimpleNamespace()
        self.moments, self.told, self.out = [], [], []

    def contact(self, name, **more):
        return self.small.hubspot.add(
            "contacts", described(name, "hubspot") | more, created_at=BORN
        )

    def lead(self, name, **more):
        more = {"Company": name.split()[1], "Status": "Open"} | more
        return self.small.salesforce.add(
            "Lead", described(name, "salesforce") | more, created_at=BORN
        )

    def their_contact(self, name, **more):
        return self.small.salesforce.add(
            "Contact", described(name, "salesforce") | more, created_at=BORN
        )

    def convert(self, lead, contact):
        (account,) = self.small.salesforce.records("Account")
        self.small.salesforce.convert(lead, contact_id=contact, account_id=account, at=BORN + HOUR)

    def decide(self, decision, contact, lead):
        one, other = ("hubspot", "contact", contact), ("salesforce", "lead", lead)
        with self.small.store() as store:
            store.decide_match("person", one, other, decision, by="kim", at=self.small.now)

    def night(self):
        self.told.append(self.small.night())
        self.moments.append(utc_now())
        self.out.append(self.opted_out())
        self.small.now += HOUR

    def opted_out(self):
        held = [(OUT, "true", self.small.hubspot.records("contacts"))]
        held += [
            (THEIR_OUT, True, self.small.salesforce.records(kind)) for kind in ("Lead", "Contact")
        ]
        return {
            record_id
            for field, is_out, records in held
            for record_id, values in records.items()
            if values.get(field) == is_out
        }

    def links(self, night):
        """Give who is who as it was after a night: each person's records."""
        with self.small.store() as store:
            rows = store.crosswalk(at=self.moments[night])
        rows = rows[rows["entity"] == "person"]
        return {person: set(some) for person, some in rows.groupby("entity_id")["record_id"]}

    def person(self, record_id, night):
        """Give the person of a record after a night, and the ids of the person's records."""
        found = [each for each in self.links(night).items() if record_id in each[1]]
        return found[0] if found else (None, set())


def described(name, system):
    first, last = name.split()
    email = f"{first}.{last}@{last}.test".lower()
    if system == "salesforce":
        return {"FirstName": first, "LastName": last, "Email": email}
    stage = "marketingqualifiedlead"
    return {"firstname": first, "lastname": last, "email": email, "lifecyclestage": stage}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Live through four nights and the days between them."""
    with serve_small(tmp_path_factory.mktemp("town"), people=1) as small:
        town = Town(small)
        people_of(town)
        town.night()
        first_day(town)
        town.night()
        second_day(town)
        town.night()
        third_day(town)
        town.night()
        yield town


def people_of(town):
    own = town.ids
    own.nora, own.their_nora = town.contact("Nora Falk"), town.their_contact("Nora Falk")
    own.oskar, own.lead_oskar = town.contact("Oskar Brandt"), town.lead("Oskar Brandt")
    own.vera, own.lead_vera = town.contact("Vera Quist"), town.lead("Vera Quist")
    own.uwe, own.lead_uwe = town.contact("Uwe Tamm"), town.lead("Uwe Tamm")
    own.kim, own.lead_lena = town.contact("Kim Aalto", **{OUT: "true"}), town.lead("Lena Moser")
    own.gita, own.their_gita = town.contact("Gita Rao"), town.their_contact("Gita Rao")
    own.lead_gita = town.lead("Gita Rao", **{THEIR_OUT: True})
    own.jana, own.their_jana = town.contact("Jana Vogt"), town.their_contact("Jana Vogt")
    own.lead_jana = town.lead("Jana Vogt")
    town.convert(own.lead_gita, own.their_gita)
    town.convert(own.lead_jana, own.their_jana)
    own.again_gita = town.lead("Gita Rao")


def first_day(town):
    small, own = town.small, town.ids
    own.both = small.hubspot.merge("contacts", own.nora, own.oskar, at=small.now)
    small.salesforce.merge("Lead", own.lead_uwe, [own.lead_vera], at=small.now)
    small.salesforce.delete("Contact", own.their_jana, at=small.now)
    small.salesforce.set("Lead", own.lead_jana, {"ConvertedContactId": None}, at=small.now)
    town.decide("pin", own.kim, own.lead_lena)
    town.decide("forbid", own.gita, own.again_gita)


def second_day(town):
    small, own = town.small, town.ids
    alive = {"IsDeleted": False, "MasterRecordId": None}
    small.salesforce.set("Lead", own.lead_vera, alive, at=small.now)
    town.decide("forbid", own.kim, own.lead_lena)


def third_day(town):
    small, own = town.small, town.ids
    small.salesforce.merge("Lead", own.lead_uwe, [own.lead_vera], at=small.now)


# Links then and now


def test_of_every_night_its_links_and_the_figure_that_stood_on_them_can_be_read(town):
    mqls = {*vars(town.ids).values()} & {*town.small.hubspot.records("contacts")} | {
        town.ids.nora,
        town.ids.oskar,
    }
    linked = [
        sum(
            len(records & mqls)
            for records in town.links(night).values()
            if any(record.startswith(("00Q", "003")) for record in records)
        )
        for night in range(len(town.told))
    ]
    assert linked == [told["bridge"]["linked"] for told in town.told]
    assert len(set(linked)) > 1


def test_contacts_that_hubspot_merged_are_one_and_are_remembered_as_two(town):
    own = town.ids
    nora, records = town.person(own.nora, 0)
    assert records == {own.nora, own.their_nora}
    assert town.person(own.oskar, 0)[1] == {own.oskar, own.lead_oskar}
    for night in (1, 2, 3):
        assert town.person(own.both, night)[0] == nora
        assert town.person(own.both, night) == town.person(own.their_nora, night)
        assert town.person(own.nora, night) == town.person(own.oskar, night) == (None, set())


def test_a_lead_merged_by_mistake_is_its_contact_s_again_while_it_is_restored(town):
    own = town.ids
    vera = town.person(own.vera, 0)
    assert vera[1] == {own.vera, own.lead_vera}
    for night in (1, 3):
        assert town.person(own.lead_vera, night) == (None, set())
        assert town.person(own.vera, night) == (vera[0], {own.vera})
    assert town.person(own.vera, 2) == vera
    assert {frozenset(town.person(own.uwe, night)[1]) for night in range(4)} == {
        frozenset({own.uwe, own.lead_uwe})
    }


def test_a_converted_lead_whose_contact_is_gone_stays_with_its_person_and_is_never_written(town):
    own = town.ids
    jana = town.person(own.jana, 0)
    assert jana[1] == {own.jana, own.their_jana, own.lead_jana}
    for night in (1, 2, 3):
        assert town.person(own.jana, night) == (jana[0], {own.jana, own.lead_jana})
    assert [told["refused"] for told in town.told] == [0] * 4
    lead = town.small.salesforce.records("Lead")[own.lead_jana]
    assert lead["IsConverted"] is True
    assert not [name for name, value in lead.items() if name.startswith("Tandem_") and value]


# Opt-outs


def test_an_opt_out_on_a_converted_lead_reaches_contact_duplicate_and_the_other_system(town):
    own = town.ids
    gita = {own.gita, own.their_gita, own.lead_gita, own.again_gita}
    assert town.person(own.gita, 0)[1] == gita
    assert town.out[0] == gita | {own.kim}


def test_a_new_link_brings_the_opt_out_along(town):
    own = town.ids
    assert town.person(own.kim, 1)[1] == {own.kim, own.lead_lena}
    assert own.lead_lena in town.out[1] - town.out[0]


def test_parting_two_records_opts_nobody_in(town):
    own = town.ids
    assert town.person(own.kim, 2)[1] == {own.kim}
    assert own.again_gita not in town.person(own.gita, 1)[1]
    assert town.out[0] <= town.out[1] == town.out[2] == town.out[3]
