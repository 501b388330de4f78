import json
from datetime import timedelta

import pytest

from agreement.records import Change, FieldInfo, Window
from connectors.hubspot.paths import OBJECTS, RELEASES, SPECIAL, Paths

DATED = {
    "contact": "/crm/objects/2026-09/contacts",
    "company": "/crm/objects/2026-09/companies",
    "deal": "/crm/objects/2026-09/deals",
    "lead": "/crm/objects/2026-09/leads",
    "call": "/crm/objects/2026-09/calls",
    "meeting": "/crm/objects/2026-09/meetings",
    "email": "/crm/objects/2026-09/emails",
    "task": "/crm/objects/2026-09/tasks",
    "communication": "/crm/objects/2026-09/communications",
}
NUMBERED = {kind: path.replace("/objects/2026-09", "/v3/objects") for kind, path in DATED.items()}


@pytest.mark.parametrize("kind", sorted(OBJECTS))
def test_an_object_keeps_its_numbered_path_until_its_line_says_otherwise(kind):
    assert Paths().objects(kind, "/search") == NUMBERED[kind] + "/search"


@pytest.mark.parametrize("kind", sorted(OBJECTS))
def test_one_line_moves_an_object_to_its_dated_path_and_no_other(kind):
    paths = Paths({kind: "2026-09"})
    assert paths.objects(kind, "/search") == DATED[kind] + "/search"
    assert all(paths.objects(other) == NUMBERED[other] for other in OBJECTS if other != kind)


@pytest.mark.parametrize(
    ("kind", "release", "path"),
    [
        ("owner", "v3", "/crm/v3/owners"),
        ("owner", "2026-09", "/crm/owners/2026-09"),
        ("pipeline", "v3", "/crm/v3/pipelines/deals"),
        ("pipeline", "2026-09", "/crm/pipelines/2026-09/deals"),
        ("form", "v3", "/marketing/v3/forms"),
        ("form", "2026-09-beta", "/marketing/forms/2026-09-beta"),
        ("form_submission", "v1", "/form-integrations/v1/submissions/forms/deals"),
        ("email_event", "v1", "/email/public/v1/events"),
        ("campaign", "v3", "/marketing/v3/campaigns"),
        ("campaign", "2026-09", "/marketing/campaigns/2026-09"),
        ("marketing_event", "v3", "/marketing/marketing-events/v3"),
        ("marketing_event", "2026-09", "/marketing/marketing-events/2026-09"),
        ("account", "v3", "/account-info/v3/details"),
        ("account", "2026-09", "/account-info/2026-09/details"),
    ],
)
def test_everything_else_has_its_path_in_the_same_table(kind, release, path):
    assert Paths({kind: release}).of(kind, "deals") == path


def test_participations_follow_their_release():
    assert Paths().of("event_participation", "7") == (
        "/marketing/v3/marketing-events/participations/7/breakdown"
    )


def test_associations_and_properties_have_releases_of_their_own():
    old, new = Paths(), Paths({"association": "2026-09", "property": "2026-09"})
    assert old.associations("contact", "deal") == "/crm/v4/associations/contacts/deals/batch/read"
    assert new.associations("contact", "deal") == (
        "/crm/associations/2026-09/contacts/deals/batch/read"
    )
    assert old.properties("deal", "/groups") == "/crm/v3/properties/deals/groups"
    assert new.properties("deal") == "/crm/properties/2026-09/deals"


def test_every_object_and_special_kind_has_a_release():
    named = set(OBJECTS) | set(SPECIAL) - {"deal_stage"}
    assert named <= set(RELEASES)


def test_an_id_cannot_leave_its_place_in_the_path():
    assert Paths().of("form_submission", "../../x?y") == (
        "/form-integrations/v1/submissions/forms/..%2F..%2Fx%3Fy"
    )


def test_a_release_that_hubspot_has_not_named_is_our_fault():
    with pytest.raises(ValueError, match="no dated path for email_event"):
        Paths({"email_event": "2026-09"}).of("email_event")


@pytest.mark.parametrize("kind", ["contact", "company", "deal", "call", "communication"])
def test_a_dated_object_is_read_and_written_at_its_dated_path(kind, standin, connect, front, noon):
    name = OBJECTS[kind].name
    own = standin.add(name, {}, created_at=noon)
    standin.add_property(name, "tandem_note", "string", "text")
    hubspot = connect(releases={kind: "2026-09"})
    window = Window(noon - timedelta(hours=1), noon + timedelta(hours=1))
    for _ in hubspot.pull(kind, ["tandem_note"], window):
        continue
    for _ in hubspot.pull(kind, ["tandem_note"], Window(None, noon)):
        continue
    outcomes = list(hubspot.update(kind, [Change(own, {"tandem_note": "x"})]))
    assert [outcome.is_accepted for part in outcomes for outcome in part] == [True]
    paths = {request.path for request in front.requests if "propert" not in request.path}
    assert paths == {DATED[kind], f"{DATED[kind]}/search", f"{DATED[kind]}/batch/update"}


def test_fields_are_created_at_the_dated_path(standin, connect, front):
    hubspot = connect(releases={"property": "2026-09"})
    hubspot.create_fields("contact", [FieldInfo("tandem_x", "string", label="X")])
    assert {request.path for request in front.requests} == {
        "/crm/properties/2026-09/contacts/groups",
        "/crm/properties/2026-09/contacts/batch/create",
    }
    assert json.loads(front.requests[-1].body)["inputs"][0]["name"] == "tandem_x"
