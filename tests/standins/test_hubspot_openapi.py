"""Every kind of answer of the HubSpot stand-in, held to HubSpot's own OpenAPI files."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from standins.hubspot import HubSpotStandIn
from standins.server import serve

SPECIFICATIONS = Path(__file__).parents[2].parent / "shared" / "openapi" / "hubspot"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.skipif(
    not SPECIFICATIONS.is_dir(), reason="HubSpot's OpenAPI files are not beside this checkout"
)

# Where recorded answers of the live API differ from the files: the stand-in follows the records.
RECORDED_OTHERWISE: dict[str, Any] = {
    # Items of `errors` come without links, and without errors or context where there are none.
    "StandardError": {"required": ["status", "message", "context"]},
    "StandardError.subCategory": {"type": "string"},
    # A partner's id is a JSON number.
    "MultiAssociatedObjectWithLabel.toObjectId": {"type": ["string", "integer"]},
    # An unlabelled type has a label of null.
    "AssociationSpecWithLabel.label": {"type": ["string", "null"]},
    # A deactivated owner has a user id of null.
    "PublicOwner.userId": {"type": ["integer", "null"]},
    # Forms that HubSpot found on a page have another type than the one that the file knows.
    "HubSpotFormDefinition.formType": {"enum": ["hubspot", "captured", "flow"]},
    # An empty property is null.
    "properties": {"additionalProperties": {"type": ["string", "null"]}},
}


@cache
def specification(name: str) -> dict[str, Any]:
    """Read one file as JSON Schema, with what was recorded otherwise laid over."""
    document = json.loads((SPECIFICATIONS / f"{name}.json").read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    for owner, schema in schemas.items():
        schema.update(RECORDED_OTHERWISE.get(owner, {}))
        for field, declared in schema.get("properties", {}).items():
            declared.update(RECORDED_OTHERWISE.get(f"{owner}.{field}", {}))
            if field == "properties" and declared.get("type") == "object":
                declared.update(RECORDED_OTHERWISE["properties"])
            if declared.get("nullable") and isinstance(declared.get("type"), str):
                declared["type"] = [declared["type"], "null"]
    return document


def schema_of(name: str, method: str, path: str, status: int) -> dict[str, Any]:
    """Find the schema of an answer; `path` is spelled as in the file or as it was asked."""
    document = specification(name)
    # The template with the fewest variable parts is the one that is meant.
    paths = sorted(document["paths"].items(), key=lambda path: path[0].count("{"))
    for template, methods in paths:
        pattern = re.sub(r"\{\w+\}", r"[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            responses = methods[method.lower()]["responses"]
            answer = responses.get(str(status), responses["default"])
            if "$ref" in answer:
                answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            found = next(iter(answer["content"].values()))["schema"]
            return {**found, "components": document["components"]}
    raise LookupError(f"{name} has no {method} {path}")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, dict[str, str]]]:
    portal = HubSpotStandIn(with_native_integration=True)
    a = portal.add(
        "contacts",
        {"email": "a@x.test", "firstname": "Ada"},
        created_at=NOON,
        history={"lifecyclestage": [(NOON, "lead", "FORM"), (NOON, "opportunity", "CRM_UI")]},
    )
    b = portal.add("contacts", {"email": "b@x.test"}, created_at=NOON)
    gone = portal.add("contacts", {"email": "c@x.test"}, created_at=NOON)
    portal.archive("contacts", gone, at=NOON)
    company = portal.add("companies", {"name": "X"}, created_at=NOON)
    deal = portal.add("deals", {"dealname": "D", "dealstage": "closedwon"}, created_at=NOON)
    portal.associate("contacts", a, "companies", company)
    portal.associate("contacts", a, "deals", deal)
    for kind in ("calls", "meetings", "emails", "tasks", "notes"):
        act = portal.add(kind, {"hs_timestamp": "2026-03-02T12:00:00Z"}, created_at=NOON)
        portal.associate(kind, act, "contacts", a)
    owner = {"email": "o@x.test", "first_name": "O", "last_name": "W"}
    portal.add_owner("41", user_id=1, team="t", **owner)
    portal.add_owner("42", user_id=2, archived=True, **owner)
    portal.add_form("g1", "Demo")
    portal.add_form("g2", "Footer", form_type="captured")
    start_on, end_on = date(2026, 3, 1), date(2026, 3, 31)
    assets = {"FORM": [("g1", "Demo"), ("g2", "Footer")]}
    for guid in ("k1", "k2"):
        portal.add_campaign(guid, "Spring", start_on=start_on, end_on=end_on, assets=assets)
        for contact in (a, b):
            portal.reach(guid, "contactFirstTouch", contact, on=start_on)
    for event in ("71", "72"):
        portal.add_marketing_event(event, "Talk", type="WEBINAR", start_at=NOON, end_at=NOON)
        for contact, state in ((a, "ATTENDED"), (b, "NO_SHOW")):
            portal.take_part(event, contact, state, NOON)
    with serve(portal.app()) as url:
        yield url, {"a": a, "b": b, "deal": deal}


def batch(*inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": list(inputs)} | more


OBJECTS = "/crm/v3/objects/contacts"
CAMPAIGNS = "/marketing/v3/campaigns"
EVENTS = "/marketing/v3/marketing-events"
NEW = {"properties": {"email": "new@x.test"}, "associations": [], "objectWriteTraceId": "1"}
TAKEN = {"properties": {"email": "a@x.test"}, "associations": [], "objectWriteTraceId": "2"}
FIELD = {
    "name": "tandem_a",
    "label": "A",
    "type": "number",
    "fieldType": "number",
    "groupName": "contactinformation",
}

# File, method, path, body, expected status. `{a}`, `{b}`, `{deal}` are ids of the fixture.
ANSWERS: list[tuple[str, str, str, Any, int]] = [
    ("contacts", "GET", OBJECTS, None, 200),
    ("contacts", "GET", f"{OBJECTS}?associations=companies,deals&limit=1", None, 200),
    ("contacts", "GET", f"{OBJECTS}?propertiesWithHistory=lifecyclestage", None, 200),
    ("contacts", "GET", f"{OBJECTS}?archived=true", None, 200),
    ("contacts", "GET", f"{OBJECTS}/{{a}}?associations=deals", None, 200),
    ("contacts", "GET", f"{OBJECTS}/99", None, 404),
    ("contacts", "POST", f"{OBJECTS}/search", {}, 200),
    ("contacts", "POST", f"{OBJECTS}/search", {"limit": 1}, 200),
    ("contacts", "POST", f"{OBJECTS}/search", {"limit": 999}, 400),
    ("contacts", "POST", f"{OBJECTS}/batch/read", batch({"id": "{a}"}), 200),
    (
        "contacts",
        "POST",
        f"{OBJECTS}/batch/read",
        batch({"id": "{a}"}, {"id": "9"}, propertiesWithHistory=["lifecyclestage"]),
        207,
    ),
    ("contacts", "POST", f"{OBJECTS}/batch/create", batch(NEW), 201),
    ("contacts", "POST", f"{OBJECTS}/batch/create", batch(NEW, TAKEN), 207),
    ("contacts", "POST", OBJECTS, TAKEN, 409),
    ("contacts", "POST", OBJECTS, {"properties": {"nonsense": "1"}}, 400),
    ("contacts", "PATCH", f"{OBJECTS}/{{a}}", {"properties": {"city": "Rome"}}, 200),
    (
        "contacts",
        "POST",
        f"{OBJECTS}/batch/update",
        batch({"id": "{a}", "properties": {"city": "Rome"}}),
        200,
    ),
    (
        "contacts",
        "POST",
        f"{OBJECTS}/batch/update",
        batch({"id": "{a}", "properties": {"nonsense": "1"}, "objectWriteTraceId": "1"}),
        207,
    ),
    (
        "contacts",
        "POST",
        f"{OBJECTS}/batch/upsert",
        batch({"id": "u@x.test", "idProperty": "email", "properties": {}}),
        200,
    ),
    (
        "contacts",
        "POST",
        f"{OBJECTS}/batch/upsert",
        batch(
            {
                "id": "u@x.test",
                "idProperty": "email",
                "properties": {"nonsense": "1"},
                "objectWriteTraceId": "1",
            }
        ),
        207,
    ),
    ("companies", "GET", "/crm/v3/objects/companies", None, 200),
    ("deals", "GET", "/crm/v3/objects/0-3", None, 200),
    ("objects", "GET", "/crm/v3/objects/deals", None, 200),
    ("objects", "GET", "/crm/v3/objects/butterflies", None, 400),
    *((kind, "GET", f"/crm/v3/objects/{kind}", None, 200) for kind in ("calls", "meetings")),
    *((kind, "POST", f"/crm/v3/objects/{kind}/search", {}, 200) for kind in ("emails", "tasks")),
    ("notes", "GET", "/crm/v3/objects/notes", None, 200),
    ("contacts_2026_03", "GET", "/crm/objects/2026-03/contacts", None, 200),
    ("contacts_2026_09", "GET", "/crm/objects/2026-09/contacts", None, 200),
    ("contacts_2026_09", "POST", "/crm/objects/2026-09/contacts/search", {}, 200),
    (
        "associations_v4",
        "POST",
        "/crm/v4/associations/contacts/deals/batch/read",
        batch({"id": "{a}"}),
        200,
    ),
    (
        "associations_v4",
        "POST",
        "/crm/v4/associations/contacts/deals/batch/read",
        batch({"id": "{a}"}, {"id": "{b}"}),
        207,
    ),
    (
        "associations_v4",
        "POST",
        "/crm/v4/associations/contacts/deals/batch/associate/default",
        batch({"from": {"id": "{a}"}, "to": {"id": "{deal}"}}),
        200,
    ),
    (
        "associations_v4",
        "POST",
        "/crm/v4/associations/contacts/deals/batch/create",
        batch(
            {
                "from": {"id": "{a}"},
                "to": {"id": "{deal}"},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 4}],
            }
        ),
        201,
    ),
    ("associations_v4", "GET", "/crm/v4/objects/contacts/{a}/associations/deals", None, 200),
    (
        "associations_v4",
        "PUT",
        "/crm/v4/objects/contacts/{a}/associations/default/deals/{deal}",
        None,
        200,
    ),
    ("associations_schema_v4", "GET", "/crm/associations/v4/contacts/companies/labels", None, 200),
    (
        "associations_schema_v4",
        "POST",
        "/crm/associations/v4/contacts/deals/labels",
        {"name": "champion", "label": "Champion"},
        200,
    ),
    ("properties", "GET", "/crm/v3/properties/contacts", None, 200),
    ("properties", "GET", "/crm/v3/properties/deals", None, 200),
    ("properties", "GET", "/crm/v3/properties/contacts/email", None, 200),
    ("properties", "GET", "/crm/v3/properties/contacts/nonsense", None, 404),
    ("properties", "GET", "/crm/v3/properties/contacts/groups", None, 200),
    (
        "properties",
        "POST",
        "/crm/v3/properties/contacts/groups",
        {"name": "tandem", "label": "T"},
        201,
    ),
    ("properties", "POST", "/crm/v3/properties/contacts/batch/create", batch(FIELD), 201),
    ("properties", "POST", "/crm/v3/properties/contacts/batch/create", batch(FIELD), 207),
    ("properties", "POST", "/crm/v3/properties/contacts", FIELD, 409),
    ("owners", "GET", "/crm/v3/owners?limit=1", None, 200),
    ("owners", "GET", "/crm/v3/owners?archived=true", None, 200),
    ("pipelines", "GET", "/crm/v3/pipelines/deals", None, 200),
    ("pipelines", "GET", "/crm/v3/pipelines/deals/default/stages", None, 200),
    ("forms", "GET", "/marketing/v3/forms?formTypes=all&limit=1", None, 200),
    ("forms", "GET", "/marketing/v3/forms/g2", None, 200),
    ("campaigns", "GET", f"{CAMPAIGNS}?properties=hs_name,hs_start_date&limit=1", None, 200),
    ("campaigns", "GET", f"{CAMPAIGNS}/k1", None, 200),
    ("campaigns", "GET", f"{CAMPAIGNS}/none", None, 404),
    ("campaigns", "GET", f"{CAMPAIGNS}/k1/assets/FORM?limit=1", None, 200),
    ("campaigns", "GET", f"{CAMPAIGNS}/k1/reports/contacts/influencedContacts?limit=1", None, 200),
    ("campaigns", "GET", f"{CAMPAIGNS}/k1/reports/metrics", None, 200),
    ("campaigns_2026_03", "GET", "/marketing/campaigns/2026-03", None, 200),
    ("marketing_events", "GET", "/marketing/marketing-events/v3?limit=1", None, 200),
    ("marketing_events", "GET", f"{EVENTS}/71", None, 200),
    ("marketing_events", "GET", f"{EVENTS}/participations/71", None, 200),
    ("marketing_events", "GET", f"{EVENTS}/participations/71/breakdown?limit=1", None, 200),
    ("marketing_events", "GET", f"{EVENTS}/participations/9/breakdown", None, 404),
    ("marketing_events", "GET", f"{EVENTS}/participations/contacts/{{a}}/breakdown", None, 200),
    ("account_info", "GET", "/account-info/v3/details", None, 200),
    ("account_info", "GET", "/account-info/v3/api-usage/daily/private-apps", None, 200),
    (
        "contacts",
        "POST",
        f"{OBJECTS}/merge",
        {"primaryObjectId": "{a}", "objectIdToMerge": "{b}"},
        200,
    ),
]


def test_every_answer_is_one_that_the_specification_describes(served):
    """One test for all, in this order, since later requests build on earlier ones."""
    url, ids = served
    faults = []
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer standin-token"
        for name, method, path, body, status in ANSWERS:
            asked, sent = filled(path, ids), json.loads(filled(json.dumps(body), ids))
            answer = session.request(method, url + asked, json=sent, timeout=10)
            schema = schema_of(name, method, asked.partition("?")[0], status)
            validator = jsonschema.Draft202012Validator(schema)
            if answer.status_code != status:
                faults.append(f"{method} {asked}: {answer.status_code}, not {status}")
            faults += [
                f"{method} {asked} {status}: {error.json_path}: {error.message[:200]}"
                for error in validator.iter_errors(answer.json())
                if not is_missing_category(error, status)
            ]
    assert faults == []


def is_missing_category(error: jsonschema.ValidationError, status: int) -> bool:
    """Some recorded refusals carry no category, though the files demand one."""
    return status == 400 and error.message == "'category' is a required property"


def filled(text: str, ids: dict[str, str]) -> str:
    for name, record_id in ids.items():
        text = text.replace(f"{{{name}}}", record_id)
    return text


def test_a_schema_does_refuse_what_it_should():
    schema = schema_of("contacts", "GET", OBJECTS, 200)
    wrong = {"results": [{"id": 1, "properties": {"a": 1}}]}
    messages = {e.message for e in jsonschema.Draft202012Validator(schema).iter_errors(wrong)}
    assert "1 is not of type 'string'" in messages
    assert "'createdAt' is a required property" in messages
