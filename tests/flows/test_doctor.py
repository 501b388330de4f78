"""Doctor: every check runs, each failing one says what to do, and nothing secret is shown."""

import json
import os
import re
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from agreement.errors import BadInput
from agreement.policy import DEFAULT_PATH, load_agreement
from connectors.hubspot.scopes import SCOPES
from connectors.salesforce.permissions import OBJECT_RIGHTS, ORG_RIGHTS
from connectors.settings import Settings
from connectors.store import Store
from flows.cli import main
from flows.doctor import Doctor, doctor
from flows.provision import provision
from flows.run import connect
from flows.show import show_provision
from flows.show_doctor import show_doctor
from standins.hubspot import HubSpotStandIn
from standins.salesforce import SalesforceStandIn
from standins.server import serve

GOLDEN = Path(__file__).parents[1] / "golden"
NOW = datetime(2026, 11, 25, 4, 15, tzinfo=UTC)
TOKEN, SECRET = "standin-token", "standin-secret"


class Ward:
    """Two stand-ins without our fields, and the settings that lead to them."""

    def __init__(self, folder: Path, hubspot_url: str, salesforce_url: str) -> None:
        self.folder = folder
        self.settings = Settings(
            _env_file=None,
            tandem_database_url=f"sqlite:///{folder / 'tandem.db'}",
            hubspot_access_token=SecretStr(TOKEN),
            hubspot_base_url=hubspot_url,
            salesforce_login_url=salesforce_url,
            salesforce_client_id="standin-client",
            salesforce_client_secret=SecretStr(SECRET),
        )

    def examine(self, **changes) -> dict:
        settings = self.settings.model_copy(update=changes)
        return doctor(Doctor(lambda: settings, NOW, attempts=1))


@contextmanager
def ward(folder: Path):
    hubspot, salesforce = HubSpotStandIn(now=lambda: NOW), SalesforceStandIn(now=lambda: NOW)
    with serve(hubspot.app()) as first, serve(salesforce.app()) as second:
        here = Ward(folder, first, second)
        here.hubspot, here.salesforce = hubspot, salesforce
        yield here


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """Examine a bare set-up with faults, then provision it, then examine it again."""
    with ward(tmp_path_factory.mktemp("doctor")) as here:
        _spoil(here)
        here.sick = here.examine()
        here.planned = provision(connect(here.settings), load_agreement(), is_applied=False)
        _cure(here)
        here.result = provision(connect(here.settings), load_agreement(), is_applied=True)
        Store.open(here.settings.database_url).close()
        here.well = here.examine(tandem_agreement=DEFAULT_PATH)
        yield here


def _spoil(here: Ward) -> None:
    here.hubspot.access.scopes = {scope.name for scope in SCOPES} - {
        "forms", "crm.objects.deals.write", "communication_preferences.read_write",
    }  # fmt: skip
    here.salesforce.hide_fields("Contact", "Title")
    org = here.salesforce.org
    for row in org.tables["ObjectPermissions"].rows.values():
        if row["SobjectType"] == "Lead":
            row["PermissionsViewAllRecords"] = False
    here.salesforce.add(
        "DuplicateRule",
        {"DeveloperName": "Standard_Contact_Rule", "SobjectType": "Contact", "IsActive": True},
        created_at=NOW,
    )
    lead = org.entity_id("Lead")
    here.salesforce.add(
        "ValidationRule",
        {"ValidationName": "Phone_Needed", "EntityDefinitionId": lead, "Active": True},
        created_at=NOW,
    )


def _cure(here: Ward) -> None:
    here.hubspot.access.scopes = None
    for row in here.salesforce.org.tables["ObjectPermissions"].rows.values():
        row["PermissionsViewAllRecords"] = True


def found(result: dict, name: str, group: str | None = None) -> dict:
    [check] = [
        check
        for check in result["checks"]
        if check["name"] == name and group in (None, check["group"])
    ]
    return check


def steady(text: str) -> str:
    """Write what differs from machine to machine as a word."""
    text = re.sub(r"\d+\.\d GiB free", "N GiB free", text)
    text = re.sub(r"[\d,]+ of ([\d,]+) left today, [\d,]+ for", r"N of \1 left today, N for", text)
    return re.sub(r"at \d{4}\b|to \d{4}\b|newest, \d{4}", "NNNN", text)


def golden(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    assert text.rstrip("\n") == file.read_text(encoding="utf-8").rstrip("\n"), (
        "run with UPDATE_GOLDEN=1, then read the difference"
    )


def test_what_a_person_reads_is_as_reviewed(clinic):
    golden("doctor.txt", steady(show_doctor(clinic.sick)))


@pytest.mark.parametrize("which", ["planned", "result"])
def test_what_provision_shows_and_did_is_as_reviewed(clinic, which):
    rows = [vars(row) for row in getattr(clinic, which)]
    text = show_provision({"is_applied": which == "result", "objects": rows})
    golden(f"provision_{which}.txt", text)


def test_every_scope_and_permission_has_a_check_with_what_it_is_for(clinic):
    for scope in SCOPES:
        assert found(clinic.well, scope.name)["found"].startswith(scope.purpose)
    for right in ORG_RIGHTS:
        assert found(clinic.well, right.name)["found"] == right.purpose
    for sobject in OBJECT_RIGHTS:
        assert found(clinic.well, sobject)["status"] == "ok"


def test_a_sound_set_up_has_no_fail_and_ends_with_0(clinic):
    assert [check for check in clinic.well["checks"] if check["status"] == "fail"] == []
    assert clinic.well["exit_code"] == 0


def test_a_missing_scope_that_a_night_needs_fails_and_an_optional_one_warns(clinic):
    assert found(clinic.sick, "crm.objects.deals.write")["status"] == "fail"
    forms = found(clinic.sick, "forms")
    assert (forms["status"], forms["found"]) == ("warn", "missing: form submissions are no touches")


def test_rows_that_sharing_hides_are_noticed(clinic):
    lead = found(clinic.sick, "Lead")
    assert (lead["status"], lead["found"]) == ("fail", "missing: View All")
    assert found(clinic.sick, "Contact")["status"] == "ok"


def test_fields_hidden_from_the_user_are_named(clinic):
    check = found(clinic.sick, "job_title on contact", "salesforce")
    assert "Title is not there or not visible" in check["found"]


def test_every_failing_check_says_what_to_do(clinic):
    for check in clinic.sick["checks"]:
        assert check["fix"] or check["status"] in {"ok", "skip"}, check


def test_the_exit_code_is_that_of_the_first_that_failed(clinic):
    failed = [check for check in clinic.sick["checks"] if check["status"] == "fail"]
    assert clinic.sick["exit_code"] == failed[0]["exit_code"] == 5


def test_the_database_is_looked_at_and_not_made(tmp_path, clinic):
    new = SecretStr(f"sqlite:///{tmp_path / 'new.db'}")
    told = clinic.examine(tandem_database_url=new)
    assert found(told, "reachable")["found"] == "sqlite, made at the first run"
    assert not (tmp_path / "new.db").exists()


def test_the_fields_to_keep_out_of_automations_are_named(clinic):
    assert clinic.sick["exclude"]["hubspot"]["contact"] == "tandem_*"
    assert clinic.sick["exclude"]["salesforce"]["opportunity"] == "Tandem_*"


def test_a_refused_token_skips_that_crm_only_and_shows_no_secret(clinic):
    wrong = "wrong-token-7331"
    told = clinic.examine(hubspot_access_token=SecretStr(wrong))
    check = found(told, "access", "hubspot")
    assert (check["status"], check["exit_code"]) == ("fail", 5)
    assert found(told, "the rest", "hubspot")["status"] == "skip"
    assert found(told, "access", "salesforce")["status"] == "ok"
    for secret in (wrong, TOKEN, SECRET, "@"):
        assert secret not in str(told)


def test_a_crm_that_does_not_answer_is_said_and_the_others_are_examined(clinic):
    told = clinic.examine(salesforce_login_url="http://127.0.0.1:9")
    check = found(told, "access", "salesforce")
    assert (check["status"], check["exit_code"]) == ("fail", 6)
    assert found(told, "access", "hubspot")["status"] == "ok"


def test_a_fault_in_the_agreement_does_not_hide_the_rest(tmp_path, clinic):
    broken = tmp_path / "agreement.yaml"
    broken.write_text("id: x\n", "utf-8")
    told = clinic.examine(tandem_agreement=broken)
    assert found(told, "file")["exit_code"] == told["exit_code"] == 3
    assert found(told, "access", "hubspot")["status"] == "ok"


def test_an_agreement_that_was_changed_under_its_name_fails(tmp_path, clinic):
    url = SecretStr(f"sqlite:///{tmp_path / 'used.db'}")
    used = load_agreement()
    store = Store.open(url.get_secret_value())
    content = used.model_dump(mode="json")
    kept = {"effective": used.effective, "content": content, "holidays": ()}
    store.keep_agreement(version=used.name, digest=used.digest, **kept)
    store.close()
    assert _version(clinic.examine(tandem_database_url=url)) == "ok"
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    changed = tmp_path / "agreement.yaml"
    changed.write_text(text.replace("witness: ", "witness: other-"), "utf-8")
    told = clinic.examine(tandem_database_url=url, tandem_agreement=changed)
    assert _version(told) == "fail"


def _version(told: dict) -> str:
    return found(told, "agreement version")["status"]


def test_a_value_map_that_no_list_has_fails_with_the_fix(tmp_path, clinic):
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    old = "hubspot: jobtitle, salesforce: {lead: Title, contact: Title}"
    assert old in text
    file = tmp_path / "agreement.yaml"
    clinic.salesforce.add_field(
        "Lead", "Tier__c", "picklist", picklistValues=["A", "B"], restrictedPicklist=True
    )
    new = "hubspot: jobtitle, salesforce: {lead: Tier__c}, to_salesforce: {new: Nowhere}"
    file.write_text(text.replace(old, new), "utf-8")
    check = found(clinic.examine(tandem_agreement=file), "map of job_title", "salesforce")
    assert "'Nowhere'" in check["found"]
    assert "write one of" in check["fix"]


def test_settings_that_cannot_be_read_are_the_first_check():
    def load() -> Settings:
        raise BadInput("the settings are wrong: HUBSPOT_BASE_URL: no address. Set it")

    told = doctor(Doctor(load, NOW))
    assert told["exit_code"] == 3
    assert told["checks"][0]["group"] == "settings"


def test_the_command_ends_with_the_exit_code_and_prints_every_check_without_any_setting(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tandem", "doctor", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == told["exit_code"] == 3
    assert "HUBSPOT_ACCESS_TOKEN is not set" in found(told, "access", "hubspot")["found"]
    assert found(told, "access", "salesforce")["fix"].startswith("Set it to")


README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("scope", [scope.name for scope in SCOPES])
def test_the_readme_names_every_scope_and_no_other(scope):
    assert f"`{scope}`" in README
    named = set(re.findall(r"`(crm\.[a-z._]+|communication_preferences\.[a-z_]+)`", README))
    assert named <= {known.name for known in SCOPES}


def test_the_readme_names_every_permission():
    for right in ORG_RIGHTS:
        assert right.name in README
    table = README[README.index("| permission |") : README.index("Nothing is deleted")]
    for sobject, rights in OBJECT_RIGHTS.items():
        for right in rights:
            lines = [line for line in table.splitlines() if right in line and sobject in line]
            assert lines, f"{right} on {sobject}"


def test_a_field_of_ours_that_somebody_made_otherwise_is_named_and_left(tmp_path):
    with ward(tmp_path) as here:
        here.hubspot.add_property("contacts", "tandem_credit_won", "string", "text")
        [contact] = [
            row
            for row in provision(connect(here.settings), load_agreement(), is_applied=True)
            if (row.system, row.kind) == ("hubspot", "contact")
        ]
    assert contact.drifted == ("tandem_credit_won is a string, ours a number",)
    shown = show_provision({"is_applied": True, "objects": [vars(contact)]})
    assert "1 differ and are left: tandem_credit_won is a string" in shown
