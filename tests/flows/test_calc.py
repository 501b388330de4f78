"""`tandem calc` credit, paths and clock: published examples, bad input, and the file variant."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from agreement.errors import BadInput
from flows.calc import (
    calc_clock,
    calc_credit,
    calc_credit_parquet,
    calc_paths,
    read_input,
    read_json,
)

SHARED = Path(__file__).parents[3] / "shared"
needs_examples = pytest.mark.skipif(
    not (SHARED / "examples").exists(), reason="the shared examples are not on this machine"
)


@needs_examples
@pytest.mark.parametrize(
    ("name", "calc"), [("credit", calc_credit), ("paths", calc_credit), ("clock", calc_clock)]
)
def test_the_published_example_is_reproduced_exactly(name, calc):
    path = SHARED / "examples" / f"{name}.json"
    expected = json.loads(path.read_text(encoding="utf-8"))["output"]
    assert json.dumps(calc(read_input(path)["input"])) == json.dumps(expected)


# Credit ------------------------------------------------------------------------------------------


def touch(name: str, at: str, channel: str = "call", team: str = "sales") -> dict:
    return {"id": name, "at": at, "channel": channel, "team": team}


def deal(*touches: dict, **changes) -> dict:
    return {
        "id": "D-1",
        "amount": "100.00",
        "currency": "USD",
        "closed_at": "2026-03-31T16:00:00Z",
        "touches": list(touches),
        **changes,
    }


def credit(*deals: dict, **config) -> dict:
    return calc_credit(
        {"config": {"company_currency": "USD", **config}, "deals": list(deals)}, "deals.json"
    )


def ids(result: dict, model: str = "linear") -> list[str]:
    return [row["id"] for row in result["deals"][0]["models"][model]["touches"]]


def test_a_deal_that_nothing_explains_is_unknown():
    found = credit(deal(), models=["linear"])["deals"][0]
    assert found["models"]["linear"] == {
        "touches": [],
        "channels": {},
        "teams": {"marketing": 0, "sales": 0, "unknown": 10000},
    }


def test_both_ends_of_the_window_are_inside_and_ids_break_ties_as_text():
    rows = [
        touch("9", "2026-03-31T16:00:00Z"),
        touch("10", "2026-03-31T18:00:00+02:00"),
        touch("first", "2026-03-01T16:00:00Z"),
        touch("early", "2026-03-01T15:59:59Z"),
        touch("late", "2026-03-31T16:00:01Z"),
    ]
    assert ids(credit(deal(*rows), window_days=30)) == ["first", "10", "9"]


def test_an_id_twice_counts_at_its_earliest_time_whatever_the_order_of_rows():
    rows = [
        touch("a", "2026-03-20T00:00:00Z", "meeting"),
        touch("a", "2026-03-10T00:00:00Z", "webinar", "marketing"),
        touch("a", "2026-03-10T00:00:00Z", "call"),
        touch("b", "2026-03-15T00:00:00Z"),
    ]
    found = credit(deal(*rows))
    assert ids(found) == ["a", "b"]
    assert found == credit(deal(*rows[::-1]))
    assert found["deals"][0]["models"]["first_touch"]["channels"] == {"call": 10000}


def test_the_latest_rate_on_the_close_date_counts_and_halves_go_to_the_even_unit():
    rates = [
        {"currency": "EUR", "start": "2026-01-01", "rate": "0.5"},
        {"currency": "EUR", "start": "2026-03-31", "rate": "8"},
        {"currency": "EUR", "start": "2026-04-01", "rate": "0.1"},
    ]
    found = credit(deal(currency="EUR", amount="1.00"), rates=rates)
    assert found["deals"][0]["amount_minor"] == 12
    dated = deal(currency="EUR", amount="1.00", closed_on="2026-03-30")
    assert credit(dated, rates=rates)["deals"][0]["amount_minor"] == 200


def test_a_company_currency_without_minor_digits_counts_whole_units():
    found = credit(deal(currency="JPY", amount="1234.5"), company_currency="JPY")
    assert found["deals"][0]["amount_minor"] == 1234


def test_an_amount_beyond_64_bits_is_split_exactly():
    rows = [touch(name, f"2026-03-0{name}T00:00:00Z") for name in "123"]
    found = credit(deal(*rows, amount="100000000000000000000000.01"))["deals"][0]
    for model in found["models"].values():
        assert sum(row["minor"] for row in model["touches"]) == 10**25 + 1
    assert [row["minor"] for row in found["models"]["linear"]["touches"]] == [
        3333333333333333333333334,
        3333333333333333333333334,
        3333333333333333333333333,
    ]


def test_only_the_models_that_are_asked_for_are_shown():
    found = credit(deal(), models=["time_decay", "linear"])
    assert list(found["deals"][0]["models"]) == ["time_decay", "linear"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": Decimal("1.5")}, "deals.0.amount: write it as text"),
        ({"amount": 1.5}, "deals.0.amount: write it as text"),
        ({"amount": "one"}, "deals.0.amount: 'one' is no number"),
        ({"currency": "EUR"}, "deal D-1: no rate for EUR on 2026-03-31"),
        ({"closed_at": "yesterday"}, "deals.0.closed_at: this is no time"),
        ({"closed_at": "2026-03-31"}, "deals.0.closed_at: this is no time"),
        ({"closed_at": None}, "deals.0.closed_at: this is no time"),
        ({"closed_on": "31.03.2026"}, "deals.0.closed_on: "),
        ({"touches": [touch("a", "2026-03-01T00:00Z", team="hr")]}, "deals.0.touches.0.team: "),
        ({"touches": [{"id": "a"}]}, "deals.0.touches.0.at: "),
    ],
    ids=lambda value: str(value)[:50],
)
def test_bad_input_is_one_line_with_file_place_and_fault(changes, said):
    with pytest.raises(BadInput) as caught:
        credit(deal(**changes))
    assert str(caught.value).startswith(f"deals.json: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"models": ["magic"]}, "config.models: 'magic' is none of first_touch"),
        ({"models": []}, "config.models: name one of"),
        ({"half_life_days": 0}, "config.half_life_days: "),
        ({"windows_days": 30}, "config.windows_days: "),
        ({"rates": [{"currency": "EUR", "start": "2026-01-01", "rate": "0"}]}, "config.rates.0."),
        ({"rates": [{"currency": "EUR", "start": "2026-01-01", "rate": 0.9}]}, "config.rates.0."),
        (
            {"rates": [{"currency": "EUR", "start": "2026-01-01", "rate": rate} for rate in "12"]},
            "config.rates: two different rates for EUR from 2026-01-01",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_bad_configuration_is_refused(config, said):
    with pytest.raises(BadInput) as caught:
        credit(deal(), **config)
    assert str(caught.value).startswith(f"deals.json: {said}")


def test_two_deals_with_one_id_are_refused():
    with pytest.raises(BadInput, match="deal D-1: this id is there twice"):
        credit(deal(), deal())


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "not valid JSON"), ("[]", "one JSON object"), ('{"a": NaN}', "NaN is no number")],
)
def test_what_is_no_json_object_is_refused(text, said):
    with pytest.raises(BadInput, match=f"^x.json: .*{said}"):
        read_json(text, "x.json")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nothing\.json: cannot be read"):
        read_input(tmp_path / "nothing.json")


# Paths -------------------------------------------------------------------------------------------


def paths(*rows: dict, **config) -> dict:
    return calc_paths({"config": {"company_currency": "USD", **config}, "paths": list(rows)}, "p")


def row(path: str, conversions: int = 1, value: str = "1", nulls: int = 0) -> dict:
    return {"path": path.split(), "conversions": conversions, "value": value, "nulls": nulls}


def test_a_path_without_conversions_takes_credit_from_nobody():
    found = paths(row("ad call", 2, "10.50"), row("mail", 0, "0", nulls=7), models=["linear"])
    assert found["channels"] == {
        "ad": {"linear": {"conversions": 1.0, "value": 5.25}},
        "call": {"linear": {"conversions": 1.0, "value": 5.25}},
        "mail": {"linear": {"conversions": 0.0, "value": 0.0}},
    }


def test_when_nothing_converts_every_channel_has_nothing():
    found = paths(row("ad call", 0, "0", nulls=3))["channels"]
    assert {credit["conversions"] for models in found.values() for credit in models.values()} == {0}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row(""), "paths.0.path: "),
        (row("a", conversions=-1), "paths.0.conversions: "),
        ({**row("a"), "value": 1.5}, "paths.0.value: write it as text"),
    ],
)
def test_a_bad_path_is_named_by_its_row(bad, said):
    with pytest.raises(BadInput, match=f"^p: {said}"):
        paths(bad)


def test_path_tables_know_no_model_with_dates():
    with pytest.raises(BadInput, match="'w_shaped' is none of markov"):
        paths(row("a"), models=["w_shaped"])


needs_funnel = pytest.mark.skipif(
    not (SHARED / "data" / "funnel").exists(), reason="the shared data are not on this machine"
)


@needs_funnel
def test_a_public_table_of_ten_thousand_paths_gives_the_plain_sums():
    frame = pd.read_csv(
        SHARED / "data" / "funnel" / "channelattribution_pathdata.csv", sep=";", dtype=str
    )
    columns = ["path", "total_conversions", "total_conversion_value", "total_null"]
    rows = [
        {"path": path.split(" > "), "conversions": int(won), "value": value, "nulls": int(lost)}
        for path, won, value, lost in frame[columns].to_numpy(dtype=object)
    ]
    found = calc_paths({"config": {"company_currency": "EUR"}, "paths": rows})["channels"]
    first, last, linear = (dict.fromkeys(found, 0.0) for _ in range(3))
    for one in rows:
        value = float(one["value"])
        first[one["path"][0]] += value
        last[one["path"][-1]] += value
        for channel in one["path"]:
            linear[channel] += value / len(one["path"])
    for model, sums in (("first_touch", first), ("last_touch", last), ("linear", linear)):
        assert {name: found[name][model]["value"] for name in found} == pytest.approx(
            sums, rel=1e-9, abs=1e-9
        )
    assert sum(found[name]["markov"]["conversions"] for name in found) == pytest.approx(19785)


@needs_funnel
def test_the_playbooks_sessions_give_each_conversion_its_linear_revenue():
    folder = SHARED / "data" / "funnel"
    sessions = pd.read_csv(folder / "dbt_playbook_sessions.csv")
    conversions = pd.read_csv(folder / "dbt_playbook_customer_conversions.csv", dtype=str)
    sessions["at"] = pd.to_datetime(sessions["started_at"], utc=True)
    deals = []
    for number, won in enumerate(conversions.to_dict("records")):
        moment = pd.Timestamp(won["converted_at"], tz="UTC")
        own = sessions[sessions["customer_id"].astype(str) == won["customer_id"]]
        deals.append(
            deal(
                *(
                    touch(f"{name}", at.isoformat(), channel=str(source), team="marketing")
                    for name, at, source in zip(
                        own["session_id"], own["at"], own["utm_source"].fillna("direct"),
                        strict=True,
                    )
                ),
                id=f"{number}",
                amount=won["revenue"],
                closed_at=moment.isoformat(),
            )
        )  # fmt: skip
    result = credit(*deals, window_days=30, models=["linear", "first_touch"])
    for won, found in zip(deals, result["deals"], strict=True):
        end = pd.Timestamp(won["closed_at"])
        begin = end - pd.Timedelta(days=30)
        inside = [one for one in won["touches"] if begin <= pd.Timestamp(one["at"]) <= end]
        parts = found["models"]["linear"]["touches"]
        assert len(parts) == len(inside)
        fair = round(float(won["amount"]) * 100) / max(len(inside), 1)
        assert all(abs(part["minor"] - fair) < 1 for part in parts)
        assert sum(found["models"]["linear"]["teams"].values()) == found["amount_minor"]


# Files -------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """Write deals and touches as Parquet; give the two files and the one to write."""

    def write(deals: list[dict], **columns) -> tuple[Path, Path, Path]:
        frame = pd.DataFrame([{k: v for k, v in one.items() if k != "touches"} for one in deals])
        touches = pd.DataFrame(
            [{"deal_id": one["id"], **row} for one in deals for row in one["touches"]]
        )
        frame = frame.assign(closed_at=pd.to_datetime(frame["closed_at"])).assign(**columns)
        touches["at"] = pd.to_datetime(touches["at"])
        paths = tmp_path / "d.parquet", tmp_path / "t.parquet", tmp_path / "c.parquet"
        frame.to_parquet(paths[0])
        touches.to_parquet(paths[1])
        return paths

    return write


DEALS = [
    deal(touch("b", "2026-03-02T00:00:00Z"), touch("a", "2026-03-02T00:00:00Z", "ad", "marketing")),
    deal(id="D-2", amount="-0.05"),
    deal(touch("z", "2026-03-30T00:00:00Z"), touch("y", "2020-01-01T00:00:00Z"), id="D-3"),
]
CONFIG = {"company_currency": "USD", "window_days": 365}


def test_files_give_the_same_credits_as_json(files):
    deals, touches, out = files(DEALS)
    summary = calc_credit_parquet(deals, touches, out, CONFIG)
    rows = pq.read_table(out).to_pandas()
    expected = credit(*DEALS, window_days=365)["deals"]
    for one in expected:
        for model, shares in one["models"].items():
            own = rows[(rows["deal_id"] == one["id"]) & (rows["model"] == model)]
            parts = shares["touches"] or [{"id": None, "weight": 1.0, "minor": one["amount_minor"]}]
            assert own["minor"].tolist() == [part["minor"] for part in parts]
            assert own["weight"].tolist() == [part["weight"] for part in parts]
            assert own["id"].dropna().tolist() == [part["id"] for part in shares["touches"]]
    assert (summary["deals"], summary["touches"], summary["rows"]) == (3, 3, 4 * 9)
    assert summary["models"]["linear"]["teams"] == {
        "marketing": 5000,
        "sales": 15000,
        "unknown": -5,
    }


def test_a_file_with_prices_as_floats_is_refused(files):
    deals, touches, out = files(DEALS, amount=[1.0, 2.0, 3.0])
    with pytest.raises(BadInput, match="column amount: prices are text"):
        calc_credit_parquet(deals, touches, out, CONFIG)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("closed_at", ["2026-03-31T16:00:00Z", "2026-03-31", "2026-03-31T16:00:00Z"], "row 1"),
        ("closed_at", [date(2026, 3, 31)] * 3, "row 0"),
        ("closed_at", [1774972800000] * 3, "row 0"),
        ("lead_created_at", [None, None, "soon after lunch"], "row 2"),
        ("closed_on", [None, None, "31.03.2026"], "row 2: closed_on '31.03.2026' is"),
        ("closed_on", [None, None, "20260331"], "row 2: closed_on '20260331' is"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_time_or_day_in_a_file_is_named_by_its_row(files, column, values, said):
    deals, touches, out = files(DEALS, **{column: values})
    with pytest.raises(BadInput, match=f"{said}.*no (time|day); write one such as 2026") as caught:
        calc_credit_parquet(deals, touches, out, CONFIG)
    assert "\n" not in str(caught.value)


def test_sums_of_a_file_beyond_64_bits_are_exact(files):
    largest = "92233720368547758.07"
    rows = [deal(touch("a", "2026-03-02T00:00:00Z"), id=str(n), amount=largest) for n in range(2)]
    deals, touches, out = files(rows)
    summary = calc_credit_parquet(deals, touches, out, CONFIG)
    assert summary["models"]["linear"]["teams"]["sales"] == summary["amount_minor"] == 2**64 - 2


def test_a_file_is_never_written_over_one_that_is_read_or_into_no_folder(files, tmp_path):
    deals, touches, _ = files(DEALS)
    before = touches.read_bytes()
    with pytest.raises(BadInput, match=r"t\.parquet: this is a file to read"):
        calc_credit_parquet(deals, touches, tmp_path / "." / "t.parquet", CONFIG)
    assert touches.read_bytes() == before
    with pytest.raises(BadInput, match="no such folder"):
        calc_credit_parquet(deals, touches, tmp_path / "none" / "c.parquet", CONFIG)


def test_a_touch_of_no_deal_is_named_by_its_row(files):
    deals, touches, out = files(DEALS)
    frame = pd.read_parquet(touches)
    frame.loc[2, "deal_id"] = "D-9"
    frame.to_parquet(touches)
    with pytest.raises(BadInput, match="row 2: its deal_id is no deal"):
        calc_credit_parquet(deals, touches, out, CONFIG)


def test_a_file_without_a_column_or_that_is_no_parquet_is_named(files):
    deals, touches, out = files(DEALS)
    with pytest.raises(BadInput, match="no column 'deal_id'"):
        calc_credit_parquet(deals, deals, out, CONFIG)
    deals.write_text("nothing", encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        calc_credit_parquet(deals, touches, out, CONFIG)


# Clock -------------------------------------------------------------------------------------------

NINE_TO_FIVE = {"zone": "UTC", "week": {str(day): [["09:00", "17:00"]] for day in range(5)}}
NIGHT = {"zone": "UTC", "week": {str(day): [["00:00", "09:00"], ["17:00", "24:00"]]
                                 for day in range(7)}}  # fmt: skip


def clock(case: dict, **calendars) -> dict:
    whole = {
        "id": "c",
        "calendar": "day",
        "start": "2026-03-02T08:00:00Z",
        "end": "2026-03-03T10:00:00Z",
        "limit_seconds": 3600,
        **case,
    }
    given = {"calendars": {"day": NINE_TO_FIVE, "night": NIGHT, **calendars}, "cases": [whole]}
    return calc_clock(given, "clock.json")["cases"][0]


def test_a_clock_that_changes_hands_is_the_sum_of_its_segments():
    segments = [
        {"calendar": "day", "from": "2026-03-02T08:00:00Z", "to": "2026-03-02T12:00:00Z"},
        {"calendar": "night", "from": "2026-03-02T12:00:00Z", "to": "2026-03-02T18:00:00Z"},
    ]
    found = clock({"segments": segments, "limit_seconds": 5 * 3600})
    assert found["working_seconds"] == 4 * 3600
    # Three hours by day; the night owner keeps the clock after the segment's end.
    assert found["due_at"] == "2026-03-02T19:00:00Z"


def test_pauses_do_not_count_and_move_the_due_time_even_where_they_overlap():
    pauses = [
        ["2026-03-02T09:30:00Z", "2026-03-02T11:00:00Z"],
        ["2026-03-02T10:00:00Z", "2026-03-02T10:30:00Z"],
        ["2026-03-02T10:45:00Z", "2026-03-02T12:00:00Z"],
    ]
    found = clock({"pauses": pauses})
    assert found["working_seconds"] == (8 + 1) * 3600 - 2.5 * 3600
    assert found["due_at"] == "2026-03-02T12:30:00Z"


def test_a_calendar_that_never_opens_has_no_due_time():
    never = {"zone": "UTC", "week": {}}
    assert clock({"calendar": "never"}, never=never) == {
        "id": "c",
        "working_seconds": 0,
        "due_at": None,
    }


def test_a_calendar_that_opens_on_one_day_alone_has_what_that_day_gives():
    once = {"zone": "UTC", "week": {}, "special": {"2029-05-01": [["10:00", "12:00"]]}}
    assert clock({"calendar": "once"}, once=once)["due_at"] == "2029-05-01T11:00:00Z"
    assert clock({"calendar": "once", "limit_seconds": 7201}, once=once)["due_at"] is None


def test_a_limit_of_years_is_still_found():
    found = clock({"limit_seconds": 8 * 3600 * 5 * 52 * 10})
    assert found["due_at"] == "2036-02-15T17:00:00Z"


def test_parts_of_a_second_stand_in_the_due_time():
    assert clock({"start": "2026-03-02T09:00:00.250Z"})["due_at"] == "2026-03-02T10:00:00.25Z"


def test_no_cases_give_no_cases():
    assert calc_clock({"calendars": {}, "cases": []}) == {"cases": []}


@pytest.mark.parametrize(
    ("case", "calendars", "said"),
    [
        ({"calendar": "moon"}, {}, "case c: no calendar 'moon'"),
        ({"start": "soon"}, {}, "cases.0.start: this is no time"),
        ({"limit_seconds": -1}, {}, "cases.0.limit_seconds: "),
        ({"pauses": [["2026-03-02T09:30:00Z"]]}, {}, "cases.0.pauses.0"),
        ({"start": "1066-10-14T09:00:00Z"}, {}, "times have to lie between"),
        ({}, {"x": {"zone": "Mars/Base", "week": {}}}, "calendars.x.zone: this is no IANA zone"),
        ({}, {"x": {"zone": "UTC", "week": {"7": []}}}, "calendars.x.week: 7 is no weekday"),
        (
            {},
            {"x": {"zone": "UTC", "week": {"0": [["22:00", "06:00"]]}}},
            "calendars.x.week.0.0: a window ends after it begins",
        ),
        (
            {},
            {"x": {"zone": "UTC", "week": {"0": [["9:00", "12:00"]]}}},
            "calendars.x.week.0.0: this is no time of day",
        ),
        ({}, {"x": {"zone": "UTC", "week": {}, "holidays": ["soon"]}}, "calendars.x.holidays.0"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_bad_clock_is_named(case, calendars, said):
    with pytest.raises(BadInput) as caught:
        clock(case, **calendars)
    assert str(caught.value).startswith(f"clock.json: {said}")


@needs_funnel
def test_the_playbooks_table_of_revenue_by_source_and_model_comes_out():
    """Its own formulas, session by session: the points of four models times revenue."""
    folder = SHARED / "data" / "funnel"
    sessions = pd.read_csv(folder / "dbt_playbook_sessions.csv")
    won = pd.read_csv(folder / "dbt_playbook_customer_conversions.csv")
    rows = sessions.merge(won, on="customer_id")
    rows["at"] = pd.to_datetime(rows["started_at"], utc=True)
    rows["won_at"] = pd.to_datetime(rows["converted_at"], utc=True)
    inside = (rows["at"] <= rows["won_at"]) & (rows["at"] >= rows["won_at"] - timedelta(days=30))
    rows = rows[inside].sort_values(["customer_id", "at"])
    journeys = rows.groupby("customer_id")
    place, whole = journeys.cumcount() + 1, journeys["at"].transform("size")
    is_end = (place == 1) | (place == whole)
    middle = 0.2 / (whole - 2).where(whole > 2, 1)
    points = {
        "first_touch": (place == 1).astype(float),
        "last_touch": (place == whole).astype(float),
        "position_based": pd.Series(0.4, rows.index).where(is_end, middle),
        "linear": 1 / whole,
    }
    points["position_based"] = points["position_based"].mask(whole == 1, 1.0).mask(whole == 2, 0.5)
    deals = [
        deal(
            *(touch(str(one["session_id"]), one["at"].isoformat(), channel=one["utm_source"],
                    team="marketing") for one in own.to_dict("records")),
            id=str(customer),
            # In millionths, so that rounding to whole units stays out of the comparison.
            amount=str(int(own["revenue"].iloc[0]) * 10**6),
            closed_at=own["won_at"].iloc[0].isoformat(),
        )
        for customer, own in rows.groupby("customer_id")
    ]  # fmt: skip
    found = credit(*deals, window_days=30, models=list(points))["deals"]
    for model, share in points.items():
        expected = (share * rows["revenue"]).groupby(rows["utm_source"]).sum()
        sums = dict.fromkeys(expected.index, 0)
        for one in found:
            for channel, minor in one["models"][model]["channels"].items():
                sums[channel] += minor
        got = {channel: minor / 10**8 for channel, minor in sums.items()}
        assert got == pytest.approx(expected.to_dict(), abs=1e-6), model
    assert sum(rows.groupby("customer_id")["revenue"].first()) == won["revenue"].sum()
