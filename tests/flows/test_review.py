"""What waits for a person: shown side by side, answered, used at once; and why records are one."""

import csv
import json
import shutil
from contextlib import closing

import pytest
from click.testing import CliRunner

from agreement.frames import Conflicts
from agreement.pairs import pair_id
from connectors.store import Store
from flows.cli import tandem
from tests import builders
from tests.flows.small import BORN, serve_small

MIA, TOM = "hubspot/contact/{}", "salesforce/lead/{}"


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Run a night over two linked people, and a contact and a lead who share nothing.

    A company has an account's name and nothing else; a deal has an opportunity's company and name.
    """
    with serve_small(tmp_path_factory.mktemp("review"), people=2) as small:
        small.mia = small.hubspot.add(
            "contacts",
            {"firstname": "Mia", "lastname": "Kovac", "email": "mia.kovac@harbor.test",
             "phone": "+44 20 7946 0018"},
            created_at=BORN,
        )  # fmt: skip
        small.tom = small.salesforce.add(
            "Lead",
            {"FirstName": "Tom", "LastName": "Brandt", "Company": "Atlas Glass",
             "Email": "brandt@atlas.test", "Status": "Open"},
            created_at=BORN,
        )  # fmt: skip
        add_firms(small)
        small.night()
        yield small


def add_firms(small):
    ours, theirs = small.hubspot, small.salesforce
    (account,) = theirs.records("Account")
    company = ours.add("companies", {"name": "Acme GmbH"}, created_at=BORN)
    linked = theirs.add("Account", {"Name": "Borealis"}, created_at=BORN)
    buyer = ours.add(
        "companies", {"name": "Borealis", "salesforceaccountid": linked}, created_at=BORN
    )
    deal = ours.add("deals", {"dealname": "Renewal", "amount": "700"}, created_at=BORN)
    ours.associate("deals", deal, "companies", buyer)
    opportunity = theirs.add(
        "Opportunity",
        {"Name": "Renewal", "AccountId": linked, "Amount": 500.0, "StageName": "Prospecting",
         "CloseDate": "2026-12-01"},
        created_at=BORN,
    )  # fmt: skip
    small.firms = {
        "account": (f"hubspot/company/{company}", f"salesforce/account/{account}"),
        "deal": (f"hubspot/deal/{deal}", f"salesforce/opportunity/{opportunity}"),
    }


class Office:
    """A copy of the night's store in which one match waits, and the command line on it."""

    def __init__(self, night, folder):
        self.firms = night.firms
        self.mia, self.tom = MIA.format(night.mia), TOM.format(night.tom)
        self.contact_ids, self.hubspot_ids = night.contact_ids, night.hubspot_ids
        self.folder = folder
        shutil.copy(night.folder / "tandem.db", folder / "tandem.db")
        self.url = f"sqlite:///{folder / 'tandem.db'}"
        self.settings = night.settings
        with self.store() as store:
            store.save_reviews("r1", self.asked(night), at=night.now)

    def asked(self, night):
        return builders.reviews(
            {
                "review_id": "m_1", "left_id": night.mia, "right_id": night.tom,
                "evidence": "email different",
            }
        )  # fmt: skip

    def store(self):
        return closing(Store.open(self.url))

    def tandem(self, *arguments):
        env = {"TANDEM_DATABASE_URL": self.url}
        return CliRunner().invoke(tandem, [*arguments], env=env)

    def json(self, *arguments):
        done = self.tandem(*arguments, "--json")
        assert done.exception is None, done.output
        return json.loads(done.stdout)

    def waiting(self):
        with self.store() as store:
            return set(store.reviews()["review_id"])

    def is_one(self, entity):
        one, other = self.firms[entity]
        return self.person_of(one) == self.person_of(other)

    def person_of(self, place):
        system, kind, record_id = place.split("/")
        with self.store() as store:
            rows = store.crosswalk()
        own = rows[
            (rows["system"] == system) & (rows["kind"] == kind) & (rows["record_id"] == record_id)
        ]
        return own["entity_id"].item()

    def are_one(self):
        return self.person_of(self.mia) == self.person_of(self.tom)

    def file(self, *rows, columns=("id", "left", "right", "decision", "side")):
        path = self.folder / "decisions.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return str(path)


@pytest.fixture
def office(night, tmp_path):
    return Office(night, tmp_path)


# The list


def test_a_waiting_match_is_shown_field_by_field_with_its_weights(office):
    view = office.json("review")
    (row,) = view["matches"]
    assert (row["id"], row["left"], row["right"]) == ("m_1", office.mia, office.tom)
    fields = {field["field"]: field for field in row["fields"]}
    assert fields["first"]["level"] == "different"
    assert fields["first"]["weight"] < 0
    assert fields["phone"]["right"] is None
    assert fields["phone"]["weight"] is None


def test_values_are_hidden_unless_somebody_asks_for_them(office):
    for arguments in (["review"], ["review", "list"], ["review", "--json"]):
        shown = office.tandem(*arguments).stdout
        assert "k***(5)" not in shown
        assert "m***(9)@harbor.test" in shown
        for detail in ("Kovac", "Brandt", "7946", "mia.kovac"):
            assert detail not in shown
    assert "mia.kovac@harbor.test" in office.tandem("review", "--show-values").stdout
    assert "Kovac" in office.tandem("review", "list", "--show-values").stdout


def test_the_terminal_says_how_to_answer(office):
    shown = office.tandem("review").stdout
    assert "tandem review accept m_1 --by YOU" in shown
    assert "before any comparison -" in shown


def test_nothing_waiting_is_said_so(office):
    with office.store() as store:
        store.save_reviews("r2", builders.reviews(), at=BORN)
    assert office.tandem("review").stdout == "Nothing waits for a person.\n"


def test_the_page_hides_values_even_when_the_terminal_shows_them(office):
    done = office.tandem("review", "--show-values", "--out", str(office.folder / "out"))
    assert done.exception is None, done.output
    page = (office.folder / "out" / "review.html").read_text(encoding="utf-8")
    assert "m***(9)@harbor.test" in page
    assert "Kovac" not in page
    assert "https://" not in page


# Answers


def test_an_accepted_match_links_at_once_and_says_who_moved(office):
    assert not office.are_one()
    done = office.json("review", "accept", "m_1", "--by", "ann")
    assert office.are_one()
    assert done["is_used"]
    assert done["pairs"][0]["is_linked"]
    assert {row["record"] for row in done["changed"]} & {office.mia, office.tom}
    assert "m_1" not in office.waiting()


def test_a_person_may_name_two_records_that_nobody_asked_about(office):
    other = f"salesforce/contact/{office.contact_ids[1]}"
    done = office.tandem("review", "forbid", other, f"hubspot/contact/{office.hubspot_ids[1]}",
                         "--by", "ann")  # fmt: skip
    assert done.exception is None, done.output
    assert "are apart" in done.stdout
    assert office.person_of(other) != office.person_of(f"hubspot/contact/{office.hubspot_ids[1]}")


def test_the_last_answer_counts_and_every_one_is_kept(office):
    office.json("review", "pin", office.mia, office.tom, "--by", "ann")
    assert office.are_one()
    office.json("review", "forbid", "m_1", "--by", "bob")
    assert not office.are_one()
    told = office.json("explain", "hubspot", office.mia.removeprefix("hubspot/"))["decisions"]
    assert [(row["decision"], row["by"], row["is_standing"]) for row in told] == [
        ("pin", "ann", False),
        ("forbid", "bob", True),
    ]


@pytest.fixture
def firms(night, tmp_path):
    """Let the night's own questions wait, about a company and about a deal."""
    office = Office(night, tmp_path)
    shutil.copy(night.folder / "tandem.db", tmp_path / "tandem.db")
    return office


def id_of(pair, entity):
    return pair_id(entity, *(tuple(side.split("/")) for side in pair[entity]))


def test_a_company_and_a_deal_that_wait_are_shown_by_what_they_have_in_common(firms):
    rows = {row["entity"]: row for row in firms.json("review")["matches"]}
    assert {entity: (row["left"], row["right"]) for entity, row in rows.items()} == firms.firms
    assert rows["account"]["evidence"] == "name equal"
    assert rows["deal"]["evidence"] == "account equal; name equal; amount different"
    assert rows["deal"]["linked"] == rows["account"]["linked"] == []
    (name, amount, currency, closed) = rows["deal"]["fields"]
    assert (name["left"], name["level"]) == ("R***(7)", "equal")
    assert (amount["left"], amount["right"], amount["level"]) == ("700", "500", "different")
    assert (currency["level"], closed["level"]) == ("missing", "missing")
    # No model has compared them: nothing says from which weight they would be linked.
    assert "bits" not in firms.tandem("review").stdout


def test_a_company_is_accepted_and_a_deal_forbidden_by_one_file_for_good(firms):
    path = firms.file(
        {"id": id_of(firms.firms, "account"), "decision": "accept"},
        dict(zip(("left", "right"), reversed(firms.firms["deal"]), strict=True))
        | {"decision": "forbid"},
    )
    done = firms.tandem("review", "--file", path, "--by", "ann")
    assert done.exception is None, done.output
    assert "Decided by ann: accept 1, forbid 1" in done.stdout
    assert (firms.is_one("account"), firms.is_one("deal")) == (True, False)
    assert firms.waiting() == set()
    told = firms.json("explain", firms.firms["deal"][0])
    assert told["holds"] == "a person's word keeps it apart"
    assert [(row["decision"], row["by"]) for row in told["decisions"]] == [("forbid", "ann")]
    accepted = firms.tandem("explain", firms.firms["account"][1]).stdout
    assert "accepted (score 1) with hubspot company" in accepted


def test_a_company_is_rejected_by_its_id_and_a_deal_pinned_by_its_records(firms):
    firms.json("review", "reject", id_of(firms.firms, "account"), "--by", "ann")
    pinned = firms.json("review", "pin", *firms.firms["deal"], "--by", "ann")
    assert pinned["pairs"][0]["is_linked"]
    assert (firms.is_one("account"), firms.is_one("deal")) == (False, True)
    assert firms.waiting() == set()


def test_a_company_and_an_opportunity_are_no_pair_and_a_mistyped_sort_is_none(firms):
    company, opportunity = firms.firms["account"][0], firms.firms["deal"][1]
    for what, why in (
        ((company, opportunity), "not of one sort"),
        ((company.replace("company", "compny"), opportunity), "write system/kind/id"),
        ((company, "salesforce/account/001"), "001 is not known"),
    ):
        assert why in str(firms.tandem("review", "forbid", *what, "--by", "ann").exception)
    assert "Did you mean forbid?" in firms.tandem("review", "forbit", company).output


def test_what_each_record_is_one_with_meanwhile_is_said_beside_a_waiting_pair(office, night):
    one, two = (f"hubspot/contact/{record}" for record in night.hubspot_ids)
    sides = dict(zip(("left_id", "right_id"), night.hubspot_ids, strict=True))
    with office.store() as store:
        store.save_reviews("r1", builders.reviews({
            "review_id": "m_2", "right_system": "hubspot", "right_kind": "contact",
            "evidence": "contradicts a stronger link", "rule": "accepted", **sides,
        }), at=night.now)  # fmt: skip
    partners = [f"salesforce/contact/{record}" for record in night.contact_ids]
    (row,) = office.json("review")["matches"]
    assert [(told["record"], told["with"]) for told in row["linked"]] == [
        (one, partners[:1]), (two, partners[1:]),
    ]  # fmt: skip
    shown = office.tandem("review").stdout
    assert f"{one} is one with {partners[0]} (e-mail and " in shown
    assert "accepted, but a stronger link stands: pin or forbid it" in shown
    assert f"{two} is one with" in office.tandem("explain", one).stdout


def test_an_answer_needs_a_name(office):
    done = office.tandem("review", "accept", "m_1")
    assert "--by" in done.output
    assert done.exit_code == 2
    with office.store() as store:
        assert store.match_decisions().empty


def test_while_a_run_is_busy_an_answer_is_kept_for_the_next(office):
    with office.store() as store, store.hold_lock():
        done = office.json("review", "accept", "m_1", "--by", "ann")
    assert not done["is_used"]
    assert not office.are_one()
    with office.store() as store:
        assert store.match_decisions()["decision"].tolist() == ["accept"]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (["m_9"], "m_9 is no review or open conflict; see `tandem review`"),
        (["m_11"], "did you mean m_1?"),
        (["hubspot/contact/1"], "name the other one too"),
        (["hubspot/contact/1", "hubspot/contact/2"], "hubspot/contact/1 is not known"),
        (["hubspot/person/1", "hubspot/contact/2"], "write system/kind/id"),
        (["a", "b", "c"], "give one id"),
    ],
)
def test_what_cannot_be_answered_is_said_and_nothing_is_noted(office, what, why):
    done = office.tandem("review", "accept", *what, "--by", "ann")
    assert why in str(done.exception)
    assert done.exception.exit_code == 3
    with office.store() as store:
        assert store.match_decisions().empty


def test_a_record_is_no_pair_with_itself_nor_with_one_of_another_sort(office):
    with office.store() as store:
        links = store.crosswalk()
    account = links.loc[links["kind"] == "account", "record_id"].iloc[0]
    same = office.tandem("review", "pin", office.mia, office.mia, "--by", "ann")
    assert "one record" in str(same.exception)
    sorts = office.tandem("review", "pin", office.mia, f"salesforce/account/{account}", "--by", "a")
    assert "not of one sort" in str(sorts.exception)


def test_a_salesforce_id_of_15_characters_is_known(office):
    done = office.json("review", "pin", office.mia, office.tom[:-3], "--by", "ann")
    assert done["pairs"][0]["right"] == office.tom
    assert office.are_one()


def test_a_mistyped_word_is_met_with_the_nearest_one(office):
    assert "Did you mean accept?" in office.tandem("review", "acept", "m_1").output


# Files of answers


def test_a_file_answers_all_its_rows_and_skips_those_without_a_decision(office):
    first = f"hubspot/contact/{office.hubspot_ids[0]}"
    path = office.file(
        {"id": "m_1", "decision": "accept"},
        {"left": first, "right": f"salesforce/contact/{office.contact_ids[0]}", "decision": "pin"},
        {"id": "m_7", "decision": ""},
    )
    done = office.json("review", "--file", path, "--by", "ann")
    assert done["decided"] == {"accept": 1, "pin": 1}
    assert office.are_one()


def test_of_a_file_with_bad_rows_every_one_is_named_and_none_counts(office):
    path = office.file(
        {"id": "m_1", "decision": "accept"},
        {"id": "m_7", "decision": "reject"},
        {"id": "m_1", "decision": "forbid"},
        {"id": "m_1", "decision": "maybe"},
    )
    done = office.tandem("review", "--file", path, "--by", "ann")
    said = str(done.exception)
    assert "row 3: m_7 is no review" in said
    assert "row 4" in said
    assert "answered twice" in said
    assert "row 5: 'maybe' is no decision" in said
    with office.store() as store:
        assert store.match_decisions().empty


def test_a_file_that_a_spreadsheet_wrote_is_read(office):
    path = office.folder / "decisions.csv"
    path.write_text("ID;Left;Right;Decision\nm_1;;;Forbid\n", encoding="utf-8-sig")
    assert office.json("review", "--file", str(path), "--by", "ann")["decided"] == {"forbid": 1}
    assert not office.are_one()


def test_a_page_that_cannot_be_written_is_said_so(office):
    taken = office.folder / "taken"
    taken.write_text("")
    done = office.tandem("review", "--out", str(taken / "out"))
    assert "out: cannot be written: Not a directory" in str(done.exception)
    assert done.exception.exit_code == 3


def test_a_file_without_the_columns_or_without_a_decision_is_refused(office):
    path = office.file(columns=("id", "note"))
    assert "needs a column decision" in str(
        office.tandem("review", "--file", path, "--by", "ann").exception
    )
    path = office.file({"id": "m_1"})
    assert "no decision" in str(office.tandem("review", "--file", path, "--by", "ann").exception)
    gone = office.tandem("review", "--file", str(office.folder / "none.csv"), "--by", "ann")
    assert "cannot be read" in str(gone.exception)


def test_the_written_file_can_be_filled_in_and_given_back(office):
    out = office.folder / "out"
    office.tandem("review", "--out", str(out))
    path = out / "decisions.csv"
    path.write_text(path.read_text("utf-8").replace("m_1,,", "m_1,accept,"), "utf-8")
    office.tandem("review", "--out", str(out))
    assert office.json("review", "--file", str(path), "--by", "ann")["decided"] == {"accept": 1}


# Conflicts


@pytest.fixture
def disputed(office, night):
    conflict = {
        "conflict_id": "cf-1", "entity": "person",
        "entity_id": office.person_of(f"hubspot/contact/{night.hubspot_ids[0]}"),
        "field": "job_title", "hubspot_kind": "contact", "hubspot_id": night.hubspot_ids[0],
        "salesforce_kind": "contact", "salesforce_id": night.contact_ids[0],
        "hubspot_value": "Buyer", "salesforce_value": "Head of Sales", "how": "both changed",
    }  # fmt: skip
    with office.store() as store:
        store.save_conflicts("r1", builders.build(Conflicts, [conflict]), at=night.now)
    return office


def test_a_conflict_is_listed_hidden_and_settled_by_a_side(disputed):
    (row,) = disputed.json("review")["conflicts"]
    assert (row["id"], row["hubspot_value"], row["salesforce_value"]) == (
        "cf-1",
        "B***(5)",
        "H***(13)",
    )
    done = disputed.json("review", "accept", "cf-1", "--side", "salesforce", "--by", "ann")
    assert done["conflicts_settled"] == 1
    with disputed.store() as store:
        assert store.decisions()["decision"].tolist() == ["salesforce"]
    assert disputed.json("review")["conflict_count"] == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["accept", "cf-1"], "say which side is right"),
        (["reject", "cf-1"], "accept it with the side"),
        (["accept", "m_1", "--side", "hubspot"], "a side is for conflicts"),
    ],
)
def test_a_conflict_needs_a_side_and_only_a_conflict_has_one(disputed, arguments, why):
    assert why in str(disputed.tandem("review", *arguments, "--by", "ann").exception)


# Why records are one


def test_a_linked_person_is_explained_by_rule_evidence_and_what_would_change_it(office):
    told = office.json("explain", "hubspot", f"contact/{office.hubspot_ids[0]}")
    assert {row["record_id"] for row in told["match"]} == {
        office.hubspot_ids[0],
        office.contact_ids[0],
    }
    pair = told["pair"]
    email = next(field for field in pair["fields"] if field["field"] == "email")
    assert email["level"] == "equal"
    assert email["left"] == "p***(7)@acme.test"
    assert pair["model"]["decision"] in {"link", "review", "apart"}
    assert all(change["decision"] != pair["model"]["decision"] for change in pair["changes"])


def test_a_waiting_match_is_explained_with_what_would_decide_it(office):
    told = office.json("explain", "hubspot", office.mia.removeprefix("hubspot/"))
    assert told["pair"] is None
    (waiting,) = told["reviews"]
    assert waiting["right"] == office.tom
    shown = office.tandem("explain", "hubspot", office.mia.removeprefix("hubspot/")).stdout
    assert "Waiting for a person" in shown
    assert "by likeness alone: apart" in shown
    assert "mia.kovac" not in shown.split("Matched")[1]


def test_an_accepted_link_names_who_decided(office):
    office.json("review", "accept", "m_1", "--by", "ann")
    told = office.json("explain", "salesforce", office.tom.split("/")[2])
    assert {row["decided_by"] for row in told["match"]} == {"ann"}
    assert told["pair"]["left"] == office.mia
    shown = office.tandem("explain", "salesforce", office.tom.split("/")[2]).stdout
    assert "accepted (score 1)" in shown
    assert "by ann" in shown


def add_twice_copied_deal(small):
    (account,) = small.salesforce.records("Account")
    opportunity = small.salesforce.add(
        "Opportunity",
        {"Name": "Renewal", "AccountId": account, "Amount": 500.0, "StageName": "Closed Won",
         "CloseDate": f"{BORN:%Y-%m-%d}"},
        created_at=BORN,
    )  # fmt: skip
    copy = {"dealname": "Renewal", "hs_salesforceopportunityid": opportunity}
    deals = [small.hubspot.add("deals", copy, created_at=BORN) for _ in range(2)]
    return f"salesforce/opportunity/{opportunity}", deals


@pytest.mark.slow
def test_answers_survive_the_next_night_which_writes_by_them(tmp_path):
    with serve_small(tmp_path, people=1) as small:
        mia = small.hubspot.add("contacts", {"lastname": "Kovac"}, created_at=BORN)
        tom = small.salesforce.add(
            "Lead",
            {"LastName": "Brandt", "Company": "Atlas", "Email": "b@atlas.test", "Status": "Open"},
            created_at=BORN,
        )
        opportunity, deals = add_twice_copied_deal(small)
        small.night()
        with small.store() as store:
            assert store.reviews()["left_id"].tolist() == [deals[1]]
        url = {"TANDEM_DATABASE_URL": small.settings.database_url}
        pin = ["review", "pin", MIA.format(mia), TOM.format(tom), "--by", "ann"]
        apart = [
            "review", "forbid", MIA.format(small.hubspot_ids[0]),
            f"salesforce/contact/{small.contact_ids[0]}", "--by", "ann",
        ]  # fmt: skip
        off = ["review", "forbid", f"hubspot/deal/{deals[1]}", opportunity, "--by", "ann"]
        for arguments in (pin, apart, off):
            assert CliRunner().invoke(tandem, arguments, env=url).exception is None
        small.night()
        status = {
            record: values["tandem_match_status"]
            for record, values in small.hubspot.records("contacts").items()
        }
        assert status[mia].startswith("linked")
        assert status[small.hubspot_ids[0]] == "not linked"
        with small.store() as store:
            links = store.crosswalk().set_index("record_id")["decided_by"]
        assert links[tom] == "ann"
        with small.store() as store:
            assert store.reviews().empty
        amounts = [small.hubspot.records("deals")[deal]["tandem_credit_unknown"] for deal in deals]
        assert amounts == ["500", None]
