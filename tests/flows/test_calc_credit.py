"""Random files of deals through `tandem calc credit`, beside the slow reference in fractions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows.calc import calc_credit, calc_credit_parquet
from tests.reference import credit as reference

DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3, "USD": 2}
RATES = ("1.1", "0.0033", "150.25", "3", "0.7")
AMOUNTS = ("0", "0.01", "100", "-99.99", "1234567.895", "-0.005", "1", "7", "99999999999999.99")
CLOSE = datetime(2026, 3, 15, tzinfo=UTC)


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - no secret is made of it


def a_config(random: Random, *, currency: str) -> dict:
    """Three rates per foreign currency, one of them from the day of the close on."""
    rates = [
        {"currency": code, "start": start, "rate": random.choice(RATES)}
        for code in DIGITS
        if code != currency
        for start in ("2025-01-01", "2026-03-01", "2026-03-15")
    ]
    random.shuffle(rates)
    return {
        "company_currency": currency,
        "window_days": random.choice([None, 0, 1, 30, 90]),
        "half_life_days": random.choice(["7", "0.5", "1", "30", "3.7"]),
        "rates": rates,
    }


def a_touch(random: Random, close: datetime, place: int) -> dict:
    """Make touches that meet: at the close, at a window's edge, at one instant, under one id."""
    age = timedelta(
        days=random.choice([0, 0, 1, 7, 14, 30, 90, 91, 200]),
        seconds=random.choice([0, 0, 1, -1, 3600]),
        microseconds=random.choice([0, 0, 1, -1]),
    )
    return {
        "id": random.choice([f"t{random.randrange(20)}", f"{random.randrange(30)}", f"ü{place}"]),
        "at": (close - age).isoformat(),
        "channel": random.choice("abcd"),
        "team": random.choice(["marketing", "sales"]),
    }


def a_deal(random: Random, name: str) -> dict:
    close = CLOSE + timedelta(
        seconds=random.choice([0, -1, 86_399, 3600]), microseconds=random.choice([0, 1, 999_999])
    )
    count = random.choice([0, 1, 2, 3, 5, 12, 40])
    touches = [a_touch(random, close, place) for place in range(count)]
    dates = [None, close, close + timedelta(days=1), close - timedelta(days=400)]
    dates += [datetime.fromisoformat(touch["at"]) for touch in touches[:3]]
    lead, opened = random.choice(dates), random.choice(dates)
    closed_on = random.choice([{}, {}, {"closed_on": "2026-03-01"}, {"closed_on": "2026-02-28"}])
    return {
        "id": name,
        "amount": random.choice(AMOUNTS),
        "currency": random.choice(list(DIGITS)),
        "lead_created_at": lead and lead.isoformat(),
        "deal_created_at": opened and opened.isoformat(),
        "closed_at": close.isoformat(),
        "touches": touches,
        **closed_on,
    }


def a_file(seed: int) -> dict:
    random = seeded(seed)
    config = a_config(random, currency=random.choice(list(DIGITS)))
    return {"config": config, "deals": [a_deal(random, f"d{place}") for place in range(4)]}


def expected_minor(deal: dict, config: dict) -> int:
    """Rule A8, by looking at every rate."""
    rate = Fraction(1)
    if deal["currency"] != config["company_currency"]:
        day = deal.get("closed_on") or deal["closed_at"][:10]
        _, text = max(
            (row["start"], row["rate"])
            for row in config["rates"]
            if row["currency"] == deal["currency"] and row["start"] <= day
        )
        rate = Fraction(text)
    return round(Fraction(deal["amount"]) / rate * 10 ** DIGITS[config["company_currency"]])


def as_reference(deal: dict, minor: int) -> reference.Deal:
    closed, lead, opened = (
        moment and datetime.fromisoformat(moment)
        for moment in (deal["closed_at"], deal["lead_created_at"], deal["deal_created_at"])
    )
    touches = [
        reference.Touch(touch["id"], datetime.fromisoformat(touch["at"]), touch["channel"])
        for touch in deal["touches"]
    ]
    return reference.Deal(minor, closed, lead, opened, touches)


def test_random_deals_of_every_currency_and_window_equal_the_reference_to_the_unit():
    for seed in range(60):
        given = a_file(seed)
        config = given["config"]
        for deal, found in zip(given["deals"], calc_credit(given)["deals"], strict=True):
            minor = expected_minor(deal, config)
            assert found["amount_minor"] == minor, (seed, deal["id"])
            slow = as_reference(deal, minor)
            ids = [touch.id for touch in reference.path(slow, config["window_days"])]
            for model in reference.MODELS:
                half_life = Decimal(config["half_life_days"])
                parts = reference.credit(model, slow, config["window_days"], half_life)
                rows = found["models"][model]["touches"]
                assert [row["id"] for row in rows] == ids, (seed, deal["id"])
                assert [row["minor"] for row in rows] == parts, (seed, deal["id"], model)


@pytest.mark.parametrize("seed", range(60, 66))
def test_the_order_of_deals_touches_and_rates_changes_nothing(seed):
    given = a_file(seed)
    random = seeded(seed)

    def shuffled(rows: Sequence[dict]) -> list[dict]:
        return random.sample(rows, len(rows))

    other = {
        "config": {**given["config"], "rates": shuffled(given["config"]["rates"])},
        "deals": [
            {**deal, "touches": shuffled(deal["touches"])} for deal in shuffled(given["deals"])
        ],
    }
    found = {deal["id"]: deal for deal in calc_credit(other)["deals"]}
    assert found == {deal["id"]: deal for deal in calc_credit(given)["deals"]}


def test_random_deals_in_files_have_the_credit_they_have_as_json(tmp_path):
    given = a_file(70)
    given["deals"] = [
        {**a_deal(seeded(place), f"d{place}"), "currency": "EUR"} for place in range(60)
    ]
    deals = pd.DataFrame(given["deals"]).drop(columns="touches")
    touches = pd.DataFrame(
        {"deal_id": deal["id"], **touch} for deal in given["deals"] for touch in deal["touches"]
    )
    paths = [tmp_path / name for name in ("deals.parquet", "touches.parquet", "credit.parquet")]
    deals.sample(frac=1, random_state=1).to_parquet(paths[0])
    touches.sample(frac=1, random_state=2).to_parquet(paths[1])
    calc_credit_parquet(*paths, given["config"])
    rows = pq.read_table(paths[2]).to_pandas()
    written = rows.dropna(subset="id").groupby(["deal_id", "model"], observed=True)
    found = {key: list(zip(own["id"], own["minor"], strict=True)) for key, own in written}
    expected = {
        (deal["id"], model): [(touch["id"], touch["minor"]) for touch in credit["touches"]]
        for deal in calc_credit(given)["deals"]
        for model, credit in deal["models"].items()
        if credit["touches"]
    }
    assert found == expected
