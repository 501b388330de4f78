"""Forgetting a person: nothing tells who it was, sums stay, and no pull brings them back."""

import gzip
import json
import re
from contextlib import closing
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import create_engine, inspect, text

from agreement.errors import BadInput
from agreement.frames import Reviews
from connectors.clock import utc_now
from connectors.store import Store
from flows.cli import main
from flows.forget import forget
from flows.night import night
from flows.run import open_run
from flows.undo import undo_run
from tests.flows import small as nights
from tests.flows.small import BORN, MONDAY, serve_small

pytestmark = pytest.mark.slow

# Where the person is named before, by an id, an address or a word.
TABLES = {
    "alert", "alert_message", "association", "base", "bridge", "calculation", "conflict",
    "credit", "crosswalk", "deal_person", "examined", "field_history", "handoff", "hold",
    "match_decision",
    "mirror_hubspot_call", "mirror_hubspot_contact", "mirror_hubspot_email_event",
    "mirror_hubspot_event_participation", "mirror_hubspot_form_submission",
    "mirror_salesforce_contact", "mirror_salesforce_lead", "mirror_salesforce_lead_history",
    "mirror_salesforce_opportunity_contact_role", "mirror_salesforce_task", "mirror_version",
    "outbox", "plan", "review", "run", "set_aside", "touch",
}  # fmt: skip
SECRETS = ("zebulon", "quarkworth", "zq@ironwillow.test", "zeb.private@home.test", "5550123987")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Run two nights on two small CRMs that hold a person of rare names, then forget them."""
    folder = tmp_path_factory.mktemp("forget")
    with serve_small(folder, people=2) as small:
        yield Forgetting(small)


class Forgetting:
    def __init__(self, small) -> None:
        self.small, self.folder = small, small.folder
        _add_person(self)
        _add_acts(self)
        _add_deal(self)
        small.night()
        self._be_everywhere()
        self.before = self.figures()
        (self.folder / "out").mkdir()
        self.report = self.folder / "out" / "report.html"
        self.report.write_text("<p>Zebulon Quarkworth (ZQ@ironwillow.test) and 17 others</p>")
        self.packed = self.folder / "out" / "old.gz"
        self.packed.write_bytes(gzip.compress(b"a") + b"\xff zq@ironwillow.test")
        self.who = f"hubspot/contact/{self.contact}"
        with closing(self.store()) as store:
            self.shown = forget(store, self.who, [self.folder / "out"], at=utc_now(),
                                is_applied=False)  # fmt: skip
            self.held_before = self.found_in_tables()
            self.files_before = self.found_in_files()
            self.result = forget(store, self.who, [self.folder / "out"], at=utc_now(),
                                 is_applied=True)  # fmt: skip

    def _be_everywhere(self) -> None:
        """Let the person be in conflicts, alerts, decisions, questions, and what an undo holds."""
        small = self.small
        small.edit_hubspot(2, phone="+49 555 0123987", jobtitle="Knows Zebulon Quarkworth")
        small.edit_salesforce(-1, Title="Zebulon")
        small.now += timedelta(hours=10)  # when receivers of alerts are at work
        run_id = small.night()["run_id"]
        with small.run() as run:
            undo_run(run, run_id, is_applied=True)
        with closing(self.store()) as store:
            links = store.crosswalk()
            is_theirs = (links["system"] == "hubspot") & (links["record_id"] == self.contact)
            self.person_id = links.loc[is_theirs, "entity_id"].item()
            one, other = (
                ("hubspot", "contact", self.contact),
                ("salesforce", "contact", self.role_who),
            )
            store.decide_match("person", one, other, "pin", by="ops", at=utc_now())
            store.save_reviews(run_id, _question(one, other), at=utc_now())

    def store(self) -> Store:
        return Store.open(self.small.settings.database_url)

    def figures(self) -> dict:
        with closing(self.store()) as store:
            touches = store.measure("touch")
            handoffs = store.measure("handoff")
        return {
            "touches": sorted(zip(touches["touched_at"], touches["channel"], strict=True)),
            "handoffs": len(handoffs),
            "people": touches["person_id"].nunique(),
        }

    def found_in_tables(self) -> list[str]:
        """List table and column of every cell that tells who the person was."""
        engine = create_engine(self.small.settings.database_url)
        found = []
        needles = (*SECRETS, self.lead, self.role_who, self.person_id)
        own_id = re.compile(rf"(visit-|contact[ /:]|^){self.contact}(?!\d)")
        with engine.connect() as connection:
            for table in inspect(engine).get_table_names():
                query = text(f'SELECT * FROM "{table}"')  # noqa: S608 - names of our own tables
                for row in connection.execute(query).mappings():
                    found += [
                        f"{table}.{name}"
                        for name, value in row.items()
                        if any(secret.lower() in str(value).lower() for secret in needles)
                        or (isinstance(value, str) and own_id.search(value))
                    ]
        engine.dispose()
        return found

    def found_in_files(self) -> list[str]:
        """List the files of the database's folder whose bytes tell who the person was."""
        return [
            file.name
            for file in self.folder.rglob("*")
            if file.is_file()
            and file != self.packed
            and any(secret.encode() in file.read_bytes().lower() for secret in SECRETS)
        ]


def _add_person(here: Forgetting) -> None:
    small = here.small
    values = {
        "email": "ZQ@ironwillow.test",
        "hs_additional_emails": "zeb.private@home.test",
        "firstname": "Zebulon",
        "lastname": "Quarkworth",
        "jobtitle": "Chief",
        "lifecyclestage": "marketingqualifiedlead",
    }
    here.contact = small.hubspot.add("contacts", values, created_at=BORN)
    small.hubspot_ids.append(here.contact)
    lead = {
        "FirstName": "Zebulon",
        "LastName": "Quarkworth",
        "Company": "Ironwillow",
        "Email": "zq@ironwillow.test",
        "Phone": "+49 555 0123987",
    }
    here.lead = small.salesforce.add("Lead", lead, created_at=BORN)


def _add_acts(here: Forgetting) -> None:
    """Let the person do and meet everything that counts, and something that does not."""
    small = here.small
    call = {"hs_timestamp": "2026-10-20T10:00:00Z", "hs_call_title": "Zebulon on price",
            "hs_call_direction": "OUTBOUND", "hs_call_status": "COMPLETED"}  # fmt: skip
    call_id = small.hubspot.add("calls", call, created_at=BORN + timedelta(days=2))
    small.hubspot.associate("calls", call_id, "contacts", here.contact)
    task = {"Subject": "Ask Quarkworth", "WhoId": here.lead, "Status": "Completed",
            "TaskSubtype": "Call"}  # fmt: skip
    small.salesforce.add("Task", task, created_at=BORN + timedelta(days=3))
    small.hubspot.add_form("f0000000-0000-4000-8000-000000000001", "Demo request")
    small.hubspot.add_submission(
        "f0000000-0000-4000-8000-000000000001",
        MONDAY - timedelta(days=5),
        {"email": "zq@ironwillow.test", "firstname": "Zebulon"},
        page_url="https://x.test/?name=Quarkworth",
    )
    small.hubspot.add_email_event("CLICK", "zq@ironwillow.test", MONDAY - timedelta(days=4))
    visit = {"hs_latest_source": "PAID_SEARCH"}
    small.hubspot.set("contacts", here.contact, visit, at=MONDAY - timedelta(days=9))
    at = MONDAY - timedelta(days=7)
    small.hubspot.add_marketing_event("7", "Webinar", type="WEBINAR", start_at=at, end_at=at)
    small.hubspot.take_part("7", here.contact, "ATTENDED", at)


def _add_deal(here: Forgetting) -> None:
    """Let a deal be won with the person, whose lead was converted, on it."""
    add, created = here.small.salesforce.add, MONDAY - timedelta(days=20)
    account = add("Account", {"Name": "Ironwillow"}, created_at=created)
    contact = {"FirstName": "Zebulon", "LastName": "Quarkworth", "AccountId": account,
               "Email": "zeb.private@home.test"}  # fmt: skip
    here.role_who = add("Contact", contact, created_at=created)
    here.small.contact_ids.append(here.role_who)
    here.small.salesforce.convert(
        here.lead, at=created, contact_id=here.role_who, account_id=account
    )
    deal = {"Name": "Ironwillow", "AccountId": account, "Amount": 1000, "StageName": "Closed Won",
            "CloseDate": (MONDAY - timedelta(days=1)).date().isoformat()}  # fmt: skip
    deal_id = add("Opportunity", deal, created_at=created)
    role = {"OpportunityId": deal_id, "ContactId": here.role_who}
    add("OpportunityContactRole", role, created_at=created)


def _question(one: tuple[str, str, str], other: tuple[str, str, str]) -> pd.DataFrame:
    sides = {
        f"{side}_{name}": value
        for side, place in (("left", one), ("right", other))
        for name, value in zip(("system", "kind", "id"), place, strict=True)
    }
    asked = {"review_id": "v_1", "entity": "person", **sides, "score": 0.5, "rule": "model",
             "evidence": "name differs", "keys": "k"}  # fmt: skip
    frame = pd.DataFrame([asked]).astype({name: "str" for name in asked if name != "score"})
    times = pd.DataFrame({"found_at": [MONDAY], "ended_at": pd.to_datetime([None], utc=True)})
    return Reviews.validate(frame.join(times.astype("datetime64[us, UTC]")), lazy=True)


def test_before_anything_is_erased_it_is_shown_by_id_and_count_only(served):
    shown = str(served.shown).lower()
    assert served.shown["is_applied"] is False
    assert f"hubspot/contact/{served.contact}" in served.shown["records"]
    assert f"salesforce/lead/{served.lead}" in served.shown["records"]
    assert not any(secret in shown for secret in SECRETS)
    held = {place.partition(".")[0] for place in served.held_before}
    assert held == TABLES, "showing has erased, or a table is not tried"
    assert {"tandem.db", "report.html"} <= set(served.files_before)


def test_nothing_in_any_table_tells_who_the_person_was(served):
    assert served.found_in_tables() == []


def test_nothing_in_any_file_tells_who_the_person_was(served):
    assert served.found_in_files() == []
    assert "17 others" in served.report.read_text()


def test_a_file_that_is_no_text_is_named_and_left_to_people(served):
    assert served.result["files_left"] == [str(served.packed)]


def test_what_was_shown_is_what_was_done(served):
    assert served.shown["rows"] == served.result["rows"]


def test_touches_and_handoffs_stay_under_a_random_id_and_full_reads_bring_nobody_back(served):
    small = served.small
    small.now += timedelta(days=1)
    with open_run(
        small.settings,
        as_of=small.now,
        is_full=True,
        tell=lambda *said: None,
        connect_by=nights._unpaced,
    ) as run:
        summary = night(run, "apply")
    assert served.found_in_tables() == []
    assert served.before["touches"]
    assert served.before["handoffs"]
    assert served.figures() == served.before
    assert not summary.get("refused")


def test_whoever_is_forgotten_is_not_known_any_more(served):
    with closing(served.store()) as store, pytest.raises(BadInput, match="forgotten already"):
        forget(store, served.who, [], at=utc_now(), is_applied=True)


def test_a_record_that_took_a_forgotten_one_over_is_forgotten_with_it(served):
    small = served.small
    small.now += timedelta(days=1)
    other = {"email": "z.second@home.test", "firstname": "Zebulon", "lastname": "Quarkworth"}
    other_id = small.hubspot.add("contacts", other, created_at=small.now)
    small.night()
    assert served.found_in_tables(), "a new contact is a new person until somebody merges them"
    small.hubspot.merge("contacts", served.contact, other_id, at=small.now)
    small.night()
    assert [place for place in served.found_in_tables() if place.startswith("mirror_hubspot")] == []


@pytest.fixture
def tandem(served, monkeypatch, capsys):
    """Run the command line in this process; give its exit code and both outputs."""
    monkeypatch.setenv("TANDEM_DATABASE_URL", served.small.settings.database_url)
    monkeypatch.chdir(served.folder)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tandem", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


def test_the_command_shows_first_and_says_how_to_do_it(served, tandem):
    code, out, _ = tandem("forget", f"hubspot/contact/{served.small.hubspot_ids[0]}")
    assert code == 0
    assert out.startswith("Would forget: hubspot/contact/")
    assert "Nothing erased; add --apply. It cannot be undone." in out
    code, out, _ = tandem("forget", f"hubspot/contact/{served.small.hubspot_ids[0]}", "--json")
    assert json.loads(out)["is_applied"] is False


def test_a_person_nobody_knows_is_bad_input_with_an_example(tandem):
    code, _, err = tandem("forget", "p_nobody")
    assert code == 3
    assert "no person p_nobody" in err
    assert "hubspot/contact/51201" in err


def test_the_command_erases_with_apply_and_waits_for_no_running_night(served, tandem):
    who = f"hubspot/contact/{served.small.hubspot_ids[1]}"
    with closing(served.store()) as store, store.hold_lock():
        code, _, err = tandem("forget", who, "--apply")
        assert code == 9, err
    code, out, _ = tandem("forget", who, "--apply", "--files", str(served.folder / "out"))
    assert code == 0
    assert out.startswith("Forgotten: hubspot/contact/")
    assert tandem("forget", who)[0] == 3
