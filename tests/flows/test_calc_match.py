import pandas as pd
import pytest
from click.testing import CliRunner

from agreement.errors import BadInput
from flows.calc_match import calc_match
from flows.cli import tandem

HUBSPOT = pd.DataFrame(
    {
        "hs_object_id": ["101", "102", "103"],
        "email": ["ann.lee@acmetools.com", "raj@fjordbank.no", "zoe@xyloworks.eu"],
        "firstname": ["Ann", "Raj", "Zoë"],
        "lastname": ["Lee", "Iyer", "Quux"],
        "company": ["Acme Tools", "Fjord Bank", "Xylo Works"],
        "phone": ["+1 415 555 2671", "", ""],
    }
)
SALESFORCE = pd.DataFrame(
    {
        "Id": ["003A", "00QB"],
        "sobject": ["Contact", "Lead"],
        "Email": ["ann.lee@acmetools.com", "r.iyer@fjordbank.no"],
        "FirstName": ["Ann", "Raj"],
        "LastName": ["Lee", "Iyer"],
        "Company": ["Acme Tools Inc.", "Fjord Bank AS"],
        "Phone": ["(415) 555-2671", None],
    }
)


@pytest.fixture
def files(tmp_path):
    hubspot, salesforce = tmp_path / "hubspot.csv", tmp_path / "salesforce.csv"
    HUBSPOT.to_csv(hubspot, index=False)
    SALESFORCE.to_csv(salesforce, index=False)
    return hubspot, salesforce, tmp_path / "links.csv"


def read(out):
    return pd.read_csv(out, dtype={"hubspot_id": "str", "salesforce_id": "str"})


def test_two_exports_give_a_file_of_links_with_scores(files):
    summary = calc_match(*files)
    rows = read(files[2])
    assert list(rows.columns[:6]) == [
        "hubspot_id", "salesforce_id", "score", "rule", "decision", "cluster_id",
    ]  # fmt: skip
    found = rows.set_index("hubspot_id")
    assert found.loc["101", ["salesforce_id", "decision"]].tolist() == ["003A", "link"]
    assert found.loc["102", "salesforce_id"] == "00QB"
    assert "103" not in found.index
    assert summary["hubspot_records"] == 3
    assert summary["links"] + summary["review"] == len(rows)
    assert sum(summary["rules"].values()) == len(rows)


def test_parquet_gives_what_csv_gives(files, tmp_path):
    calc_match(*files)
    hubspot, salesforce = tmp_path / "h.parquet", tmp_path / "s.parquet"
    HUBSPOT.astype({"hs_object_id": "int64"}).to_parquet(hubspot)
    SALESFORCE.to_parquet(salesforce)
    out = tmp_path / "from_parquet.csv"
    calc_match(hubspot, salesforce, out)
    assert out.read_text() == files[2].read_text()


def test_labels_of_a_hand_made_export_are_recognised(files, tmp_path):
    hubspot = tmp_path / "by_hand.csv"
    labels = ["Record ID", "Email", "First Name", "Last Name", "Company name", "Phone Number"]
    HUBSPOT.set_axis(labels, axis=1).to_csv(hubspot, index=False, sep=";", encoding="utf-8-sig")
    calc_match(*files)
    out = tmp_path / "by_hand_links.csv"
    calc_match(hubspot, files[1], out)
    assert out.read_text() == files[2].read_text()


def test_a_map_names_columns_that_nobody_could_guess(files, tmp_path):
    hubspot = tmp_path / "odd.csv"
    HUBSPOT.rename(columns={"hs_object_id": "Nr", "email": "Adresse"}).to_csv(hubspot, index=False)
    map_file = tmp_path / "map.yaml"
    map_file.write_text("hubspot: {hs_object_id: Nr, email: Adresse}\n")
    calc_match(*files)
    out = tmp_path / "odd_links.csv"
    calc_match(hubspot, files[1], out, map_file)
    assert out.read_text() == files[2].read_text()


def test_a_line_break_inside_a_value_is_no_new_row(files):
    files[0].write_text('hs_object_id,email,company\n1,ann.lee@acmetools.com,"Acme\nTools"\n')
    assert calc_match(*files)["hubspot_records"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "hubspot.csv: the file is empty"),
        ("email,firstname\na@b.com,Ann\n", "hubspot.csv: no column of record ids"),
        ("hs_object_id,city\n1,Oslo\n", "hubspot.csv: no column of names"),
        ("hs_object_id,email\n1,a@b.com\n1,c@d.com\n", "hubspot.csv: row 2: record id 1 stands"),
        ("hs_object_id,email\n,a@b.com\n", "hubspot.csv: row 1: the record id is missing"),
        ("hs_object_id,email\n1,a@b.com,x\n", "hubspot.csv: cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(files, text, message):
    files[0].write_text(text)
    with pytest.raises(BadInput) as refused:
        calc_match(*files)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hubspot: {email: Nowhere}", "no column 'Nowhere'"),
        ("hubspot: {shoe_size: email}", "'shoe_size' is no column"),
        ("pipedrive: {email: email}", "'pipedrive' is no block"),
        ("hubspot: [email]", "needs lines of the form"),
        ("{", "not valid YAML"),
        ("", "needs a block"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused(files, tmp_path, text, message):
    map_file = tmp_path / "map.yaml"
    map_file.write_text(text)
    with pytest.raises(BadInput, match=message):
        calc_match(*files, map_file)


def test_a_missing_file_is_named(files, tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.csv: cannot be read"):
        calc_match(tmp_path / "nowhere.csv", *files[1:])


def test_a_folder_that_is_not_there_cannot_be_written_to(files, tmp_path):
    with pytest.raises(BadInput, match="cannot be written"):
        calc_match(*files[:2], tmp_path / "none" / "links.csv")


ANN = {"first": "Ann", "last": "Lee"}
RAJ = {"first": "Raj", "last": "Iyer"}
NOBODY = {"first": None, "last": None}
INFO, FRONT, LEE = "info@acmetools.com", "front@acmetools.com", "lee@leehouse.com"
BOARD = "+1 415 555 2671"
CROWD = [ANN, RAJ, {"first": "Omar", "last": "Diaz"}, {"first": "Eva", "last": "Berg"}]
TRAPS = {
    "nothing but a name": ([ANN], [ANN]),
    "a name and a country": ([ANN | {"country": "Norway"}], [ANN | {"country": "Norway"}]),
    "a name and a mailbox that spells it": (
        [ANN | {"email": "ann.lee@acmetools.com"}], [ANN | {"email": "ann.lee@fjordbank.no"}],
    ),
    "a role mailbox": ([ANN | {"email": INFO}], [RAJ | {"email": INFO}]),
    "a role mailbox and no name": ([NOBODY | {"email": INFO}], [ANN | {"email": INFO}]),
    "a role mailbox and no names": ([NOBODY | {"email": INFO}], [NOBODY | {"email": INFO}]),
    "a role mailbox of a country": (
        [NOBODY | {"email": "sales.emea@acmetools.com"}],
        [ANN | {"email": "sales.emea@acmetools.com"}],
    ),
    "an address under two names": ([ANN | {"email": FRONT}], [RAJ | {"email": FRONT}]),
    "an address, an employer and a telephone under two names": (
        [ANN | {"email": FRONT, "company": "Acme", "phone": BOARD}],
        [RAJ | {"email": FRONT, "company": "Acme", "phone": BOARD}],
    ),
    "no name at an address of many": (
        [NOBODY | {"email": FRONT}], [person | {"email": FRONT} for person in CROWD],
    ),
    "no name at an address of two": (
        [NOBODY | {"email": LEE}],
        [ANN | {"email": LEE}, {"first": "Bob", "last": "Lee", "email": LEE}],
    ),
    "a switchboard": ([ANN | {"phone": BOARD}], [RAJ | {"phone": BOARD}]),
    "a switchboard and one family name": (
        [ANN | {"phone": BOARD}], [{"first": "Raj", "last": "Lee", "phone": BOARD}],
    ),
    "a switchboard, an employer and no name": (
        [NOBODY | {"phone": BOARD, "company": "Acme"}], [ANN | {"phone": BOARD, "company": "Acme"}],
    ),
    "father and son at one address": (
        [{"first": "Bob", "last": "Lee", "email": LEE}],
        [{"first": "Tim", "last": "Lee", "email": LEE}],
    ),
    "father and son of one name at one address": (
        [{"first": "Bob", "last": "Lee Sr.", "email": LEE}],
        [{"first": "Bob", "last": "Lee Jr.", "email": LEE}],
    ),
}  # fmt: skip


def exported(people, path, names):
    rows = [{names[key]: value for key, value in person.items()} for person in people]
    ids = [str(number) for number in range(len(rows))]
    pd.DataFrame(rows).assign(**{names["id"]: ids}).to_csv(path, index=False)
    return str(path)


@pytest.fixture
def decided(tmp_path):
    """Give a function from two lists of people to the decisions of the command."""
    common = ("first", "last", "email", "company", "phone", "country")
    hubspot = ("firstname", "lastname", *common[2:])
    salesforce = ("FirstName", "LastName", "Email", "Company", "Phone", "Country")

    def run(one, other):
        files = [
            exported(
                one,
                tmp_path / "h.csv",
                dict(zip(common, hubspot, strict=True)) | {"id": "hs_object_id"},
            ),
            exported(
                other, tmp_path / "s.csv", dict(zip(common, salesforce, strict=True)) | {"id": "Id"}
            ),
        ]
        out = tmp_path / "out.csv"
        options = ["--hubspot", files[0], "--salesforce", files[1], "--out", str(out)]
        answer = CliRunner().invoke(tandem, ["calc", "match", *options])
        assert answer.exit_code == 0, answer.output
        return read(out)["decision"].tolist()

    return run


@pytest.mark.parametrize("trap", TRAPS)
def test_what_several_people_may_share_links_nobody(decided, trap):
    assert "link" not in decided(*TRAPS[trap])


@pytest.mark.parametrize("key", ["email", "phone"])
def test_the_same_keys_link_one_person_under_one_name(decided, key):
    person = ANN | {"email": "ann.lee@acmetools.com", "phone": BOARD}
    assert decided([ANN | {key: person[key]}], [ANN | {key: person[key]}]) == ["link"]


def test_father_and_son_are_no_duplicates_of_each_other(decided):
    bob, tim = ({"first": first, "last": "Lee", "email": LEE} for first in ("Bob", "Tim"))
    assert decided([bob, tim], [bob]) == ["link"]
