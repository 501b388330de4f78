import json
from pathlib import Path

import pytest

import transforms.matching
from transforms.matching import LINK, match

ANN = {
    "record_id": "1",
    "email": "ann.lee@acmetools.com",
    "first_name": "Ann",
    "last_name": "Lee",
    "company": "Acme Tools Inc.",
    "phone": "+1 415 555 2671",
    "city": "Oakland",
}


@pytest.fixture
def links(model, table):
    """Give a function from two lists of records to the linked pairs of ids."""

    def linked(hubspot, salesforce, decision=LINK):
        rows = match(table(*hubspot), table(*salesforce), model)
        rows = rows[rows["decision"] == decision]
        return set(zip(rows["hubspot_id"], rows["salesforce_id"], strict=True))

    return linked


def same(record_id, **changes):
    return {**ANN, "record_id": record_id, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"email": "Ann.Lee+events@AcmeTools.com", "phone": None, "company": None},
        {"email": None, "phone": "(415) 555-2671"},
        {"first_name": "Annie", "company": "ACME Tools", "phone": None},
        {"email": "annlee77@gmail.com", "company": None},
        {"first_name": "Lee", "last_name": "Ann", "phone": None},
    ],
    ids=["equal", "plus", "no mail", "nickname", "private mail", "swapped"],
)
def test_a_person_is_found_again_under_other_spellings(links, changes):
    assert links([ANN], [same("9", **changes)]) == {("1", "9")}


@pytest.mark.parametrize(
    "other",
    [
        {"email": "bob.ray@acmetools.com", "first_name": "Bob", "last_name": "Ray"},
        {"first_name": "Joseph", "last_name": "Carter", "email": None},
        {"email": "ann.lee@other.org", "company": "Other", "phone": None, "city": "Oslo"},
        {
            "email": "ann.lee2@acmetools.com",
            "phone": "+1 212 555 0199",
            "title": "Chief Pilot",
            "city": None,
        },
    ],
    ids=["colleague", "switchboard", "namesake", "numbered sibling"],
)
def test_people_who_share_one_thing_are_not_linked(links, other):
    assert links([ANN | {"title": "Accountant"}], [same("9", **other)]) == set()


def test_a_shared_mailbox_links_nobody(links):
    info = {"email": "info@acmetools.com", "phone": None}
    hubspot = [same("1", **info), same("2", first_name="Raj", last_name="Iyer", **info)]
    salesforce = [same("8", first_name="Omar", last_name="Diaz", **info)]
    assert links(hubspot, salesforce) == set()


def test_father_and_son_at_one_address_stay_two(links):
    senior, junior = {"last_name": "Lee Sr."}, {"last_name": "Lee Jr."}
    hubspot = [same("1", **senior), same("2", **junior)]
    salesforce = [same("8", **senior), same("9", **junior)]
    assert links(hubspot, salesforce) <= {("1", "8"), ("2", "9")}


def test_a_contact_has_one_partner_unless_that_one_is_double(links, model, table):
    assert links([ANN], [same("8"), same("9")]) == {("1", "8"), ("1", "9")}
    rows = match(table(ANN), table(same("8"), same("9")), model)
    assert rows["cluster_id"].nunique() == 1


def test_the_better_of_two_candidates_is_taken(links):
    stranger = same(
        "8", email="ann.lee@cobaltbank.com", company="Cobalt Bank", phone=None, city=None
    )
    assert links([ANN], [stranger, same("9")]) == {("1", "9")}


def test_a_typing_error_in_a_providers_name_is_seen_through(links):
    private = {"company": None, "phone": None}
    hubspot = [same("1", email="ann.lee1977@gmail.com", **private)]
    assert links(hubspot, [same("9", email="annlee1977@gmial.com", **private)]) == {("1", "9")}


def test_a_name_may_be_short_for_several_names(links):
    hubspot = [same("1", first_name="Ann", email=None)]
    assert links(hubspot, [same("9", first_name="Annie", email=None)]) == {("1", "9")}


def test_transliterated_names_are_one_name(links):
    hubspot = [same("1", first_name="Юлия", last_name="Müller", email=None)]
    salesforce = [same("9", first_name="Yuliya", last_name="Mueller", email=None)]
    assert links(hubspot, salesforce) == {("1", "9")}


@pytest.mark.parametrize("side", [0, 1])
def test_an_empty_system_gives_no_rows(links, side):
    assert links(*([[ANN], []] if side else [[], [ANN]])) == set()


def test_records_without_any_value_are_nobodys(links):
    assert links([{"record_id": "1"}], [{"record_id": "1"}]) == set()


def test_every_row_says_why_and_how_sure(model, table):
    row = match(table(ANN), table(same("9")), model).iloc[0]
    assert row["rule"] == "e-mail and name"
    assert row["evidence"].startswith("email equal; first equal; last equal; phone equal")
    assert 0.99 < row["score"] < 1
    assert ANN["email"] not in " ".join(row.astype(str))


def test_a_column_of_nothing_is_an_absent_column(model, table):
    with_nothing = table(same("1", website=None))
    rows = match(with_nothing, table(same("9")), model)
    assert rows.equals(match(with_nothing.drop(columns="website"), table(same("9")), model))


def test_short_and_long_ids_of_many_records_are_put_in_order(model, table):
    people = [
        {"record_id": str(number), "email": f"p{number}@firm{number}.com", "last_name": "Ray"}
        for number in range(600)
    ]
    rows = match(table(*people), table(*people), model)
    assert rows["hubspot_id"].tolist() == sorted(rows["hubspot_id"])
    assert (rows["hubspot_id"] == rows["salesforce_id"]).all()
    assert len(rows) == len(people)


def test_the_model_names_the_command_that_made_it():
    folder = Path(transforms.matching.__file__).parent
    model = json.loads((folder / "model_v2.json").read_text("utf-8"))
    assert model["command"] == "python -m benchmarks.train_matching"
