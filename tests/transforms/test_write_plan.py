import hashlib
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement import frames
from agreement.frames import Crosswalk, DealRewards, Deals, as_text, as_utc, empty
from agreement.policy import load_agreement
from transforms import write_plan as planning

AGREEMENT = load_agreement()
NOON = "2026-11-10T12:00:00Z"
KEY = ("hubspot", "contact")

values = st.one_of(st.none(), st.sampled_from(["0", "1.5", "late", ""]).map(lambda v: v or None))
tables = st.dictionaries(st.sampled_from("abcdef"), st.tuples(values, values), min_size=1)


def table(rows: dict, names: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "record_id": as_text(list(rows)),
            names[0]: as_text([row[0] for row in rows.values()]),
            names[1]: as_text([row[1] for row in rows.values()]),
        }
    )


def desired(rows: dict) -> pd.DataFrame:
    return table(rows, ("handoff_status", "credit_won"))


def current(rows: dict) -> pd.DataFrame:
    there = table(rows, ("tandem_handoff_status", "tandem_credit_won"))
    return there.assign(is_deleted=False)


@given(tables, tables)
def test_applying_the_writes_and_planning_again_writes_nothing(want, have):
    writes = planning.write_plan({KEY: desired(want)}, {KEY: current(have)}, "tandem")
    names = ["tandem_handoff_status", "tandem_credit_won"]
    after = dict(have)
    for row in writes.to_dict("records"):
        pair = list(after[row["record_id"]])
        pair[names.index(row["field"])] = None if pd.isna(row["after"]) else row["after"]
        after[row["record_id"]] = tuple(pair)
    assert planning.write_plan({KEY: desired(want)}, {KEY: current(after)}, "tandem").empty
    assert all(after[record] == want[record] for record in want.keys() & have.keys())


@given(tables, tables)
def test_only_differences_on_records_that_exist_are_written(want, have):
    writes = planning.write_plan({KEY: desired(want)}, {KEY: current(have)}, "tandem")
    assert set(writes["record_id"]) <= want.keys() & have.keys()
    before, after = writes["before"], writes["after"]
    assert not ((before == after) | (before.isna() & after.isna())).any()


def test_a_deleted_record_is_left_alone():
    there = current({"a": (None, None)}).assign(is_deleted=True)
    assert planning.write_plan({KEY: desired({"a": ("late", "1")})}, {KEY: there}, "tandem").empty


def test_a_field_that_the_crm_lacks_is_not_written():
    there = current({"a": (None, None)}).drop(columns="tandem_credit_won")
    writes = planning.write_plan({KEY: desired({"a": ("late", "1")})}, {KEY: there}, "tandem")
    assert writes["field"].tolist() == ["tandem_handoff_status"]


def crosswalk(*rows: tuple) -> pd.DataFrame:
    frame = pd.DataFrame(
        rows, columns=["entity", "entity_id", "system", "kind", "record_id", "is_survivor"]
    )
    text = frame.astype(dict.fromkeys(frame.columns[:5], "str"))
    return Crosswalk.validate(
        text.assign(
            rule=pd.Series("email", index=frame.index, dtype="str"),
            score=1.0,
            evidence=pd.Series("", index=frame.index, dtype="str"),
            since=as_utc([NOON] * len(frame)),
            decided_by=pd.Series(None, index=frame.index, dtype="str"),
        )[list(Crosswalk.to_schema().columns)]
    )


def rows_of(table_model: type, /, **columns) -> pd.DataFrame:
    size = max(len(column) for column in columns.values())
    base = empty(table_model).reindex(range(size))
    for name, dtype in empty(table_model).dtypes.items():
        if name in columns:
            column = columns[name]
            base[name] = as_utc(column) if "datetime" in str(dtype) else pd.Series(column)
            if str(dtype) == "str":
                base[name] = as_text(column)
        elif str(dtype) == "bool":
            base[name] = False
        elif str(dtype) == "int64":
            base[name] = 0
        elif str(dtype) == "float64":
            base[name] = 0.0
        else:
            base[name] = base[name].astype(dtype)
    return table_model.validate(base)


PERSON = crosswalk(
    ("person", "p1", "hubspot", "contact", "1", True),
    ("person", "p1", "hubspot", "contact", "2", False),
    ("person", "p1", "salesforce", "lead", "00Q1", False),
    ("person", "p1", "salesforce", "contact", "0031", True),
)
PEOPLE = rows_of(
    frames.People,
    system=["hubspot", "hubspot", "salesforce", "salesforce"],
    kind=["contact", "contact", "lead", "contact"],
    record_id=["1", "2", "00Q1", "0031"],
    converted_to=[None, None, "0031", None],
)
DEALS = rows_of(
    Deals,
    deal_id=["d1", "d2"],
    record_id=["0061", "0062"],
    state=["won", "lost"],
    currency=["KWD", "USD"],
    amount_minor=[1000, 500],
    company_minor=[325, 500],
    created_at=["2026-01-05T00:00:00Z", NOON],
    closed_at=["2026-01-15T23:00:00Z", None],
    closed_on=["2026-01-15", None],
    period=["2026-Q1", None],
)
CREDITS = rows_of(
    frames.Credits,
    model=["linear", "linear", "linear"],
    deal_id=["d1", "d1", "d2"],
    touch_id=["t1", "t2", "t3"],
    person_id=["p1", "p1", "p1"],
    channel=["form", "call", "call"],
    team=["marketing", "sales", "sales"],
    credit_minor=[163, 162, 500],
    credit_deal_minor=[500, 500, 500],
)
TOUCHES = rows_of(
    frames.Touches,
    touch_id=["t1", "t2"],
    person_id=["p1", "p1"],
    touched_at=["2026-01-02T03:00:00Z", "2026-01-10T12:00:00Z"],
    channel=["form", "call"],
    team=["marketing", "sales"],
)


def person_rows() -> dict:
    found = planning.desired_person(
        PERSON, PEOPLE, TOUCHES, empty(frames.HandoffStatus), CREDITS, DEALS, AGREEMENT, 2
    )
    return {row["record_id"]: row for frame in found.values() for row in frame.to_dict("records")}


def test_numbers_go_to_the_survivor_and_status_to_every_record_of_the_person():
    rows = person_rows()
    assert rows["1"]["credit_won"] == "3.25"
    assert rows["2"]["credit_won"] == "0"
    assert rows["0031"]["marketing_touches"] == "1"
    assert {row["first_touch_channel"] for row in rows.values()} == {"form"}
    assert rows["1"]["partner_id"] == "0031"
    assert rows["0031"]["partner_id"] == "1"


def test_a_converted_lead_gets_nothing_since_its_contact_does():
    assert "00Q1" not in person_rows()


def test_days_are_those_of_the_agreements_zone():
    # 03:00 UTC is the evening before in New York.
    assert person_rows()["1"]["first_touch_on"] == "2026-01-01"


def test_the_explanation_id_changes_with_the_numbers_only():
    first, again = person_rows()["1"], person_rows()["1"]
    assert first["explanation_id"] == again["explanation_id"]
    more = CREDITS.assign(credit_minor=[164, 162, 500])
    changed = planning.desired_person(
        PERSON, PEOPLE, TOUCHES, empty(frames.HandoffStatus), more, DEALS, AGREEMENT, 2
    )[KEY]
    assert changed.loc[0, "explanation_id"] != first["explanation_id"]


def test_an_explanation_id_is_the_same_in_every_release_since_it_hashes_plain_text():
    shaped = pd.DataFrame({"record_id": ["101"], "credit_won": ["12.5"], "note": [None]})
    content = "101\x1f12.5\x1f\x1fdefault v1"
    expected = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    assert planning._explanation_ids(shaped, "default v1").tolist() == [f"tx-{expected}"]


def deal_rows() -> dict:
    links = crosswalk(
        ("deal", "d1", "salesforce", "opportunity", "0061", True),
        ("deal", "d1", "hubspot", "deal", "91", True),
        ("deal", "d1", "hubspot", "deal", "92", False),
        ("deal", "d2", "salesforce", "opportunity", "0062", True),
        ("deal", "d3", "hubspot", "deal", "93", True),
    )
    pool = rows_of(
        DealRewards,
        computed_for=["2026-Q1", "2026-Q1"],
        deal_id=["d1", "d1"],
        participant=["marketing", "sales"],
        reward_minor=[3, 4],
    )
    paths = rows_of(
        frames.PathTouches,
        deal_id=["d1", "d1"],
        touch_id=["t1", "t2"],
        person_id=["p1", "p1"],
        touched_at=["2026-01-02T03:00:00Z", "2026-01-10T12:00:00Z"],
        channel=["form", "call"],
        team=["marketing", "sales"],
    )
    found = planning.desired_deal(
        links, DEALS, paths, CREDITS, pool, AGREEMENT, {"KWD": 3, "USD": 2}, 2
    )
    return {row["record_id"]: row for frame in found.values() for row in frame.to_dict("records")}


def test_a_deals_credits_are_in_its_own_currency_and_add_up_to_its_amount():
    row = deal_rows()["0061"]
    parts = [Decimal(row[f"credit_{team}"]) for team in ("marketing", "sales", "unknown")]
    assert parts == [Decimal("0.5"), Decimal("0.5"), 0]
    assert row["pool_contribution"] == "0.07"
    assert (row["days_to_created"], row["days_to_won"]) == ("2", "10")


@pytest.mark.parametrize("field", ["credit_marketing", "pool_contribution", "touch_count"])
def test_the_second_copy_of_a_deal_carries_zero_so_that_sums_are_right(field):
    rows = deal_rows()
    assert rows["91"][field] == rows["0061"][field]
    assert rows["92"][field] == "0"
    assert rows["92"]["credit_model"] == "linear"


def test_a_hubspot_deal_that_lost_its_opportunity_is_cleared_so_that_sums_are_right():
    row = deal_rows()["93"]
    assert {"credit_marketing", "pool_contribution", "explanation_id"} < set(row)
    assert all(pd.isna(value) for name, value in row.items() if name != "record_id")


def test_a_lost_deal_carries_no_credit():
    assert deal_rows()["0062"]["credit_sales"] == "0"
    assert pd.isna(deal_rows()["0062"]["pool_period"])
