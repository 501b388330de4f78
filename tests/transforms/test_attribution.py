"""Every model against the slow reference in fractions, and the laws that no split may break."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreement.frames import PathTouches
from agreement.policy import MODELS, AnchorWeights, Attribution, load_agreement
from tests import builders
from tests.reference import credit as reference
from transforms import attribution
from transforms.attribution import channels
from transforms.attribution.decay import decayed

DEFAULT = load_agreement().attribution
EVERY_MODEL = DEFAULT.model_copy(update={"shown": MODELS})
CLOSE = datetime(2026, 6, 30, 16, tzinfo=UTC)
INT64_MAX = 2**63 - 1


def policy(**changes) -> Attribution:
    return EVERY_MODEL.model_copy(update=changes)


def table(deals: Sequence[reference.Deal]) -> attribution.PathTable:
    """Lay out deals whose touches are in order already."""
    rows = [(place, touch) for place, deal in enumerate(deals) for touch in deal.touches]
    return attribution.path_table(
        np.array([place for place, _ in rows], dtype=np.int64),
        pd.Series([touch.at for _, touch in rows], dtype="datetime64[us, UTC]"),
        np.array([ord(touch.channel) for _, touch in rows], dtype=np.int64),
        pd.Series([deal.lead_created_at for deal in deals], dtype="datetime64[us, UTC]"),
        pd.Series([deal.deal_created_at for deal in deals], dtype="datetime64[us, UTC]"),
    )


def split(deals: Sequence[reference.Deal], model: str, per_block: int = 1 << 16) -> list[list[int]]:
    """Give the credits of each deal, by the product."""
    amounts = [deal.amount_minor for deal in deals]
    is_huge = any(abs(amount) > INT64_MAX for amount in amounts)
    whole = np.array(amounts, dtype=object if is_huge else np.int64)
    credits: list[list[int]] = [[] for _ in deals]
    for block in attribution.blocks(table(deals), touches_per_block=per_block):
        minor = attribution.shares(model, block, EVERY_MODEL).split(whole[block.deals])
        for column, deal in enumerate(block.deals):
            credits[deal] = [int(part) for part in minor[:, column]]
    return credits


minutes = st.integers(0, 90 * 24 * 60)
amounts = st.one_of(
    st.integers(-20, 20), st.integers(-(10**9), 10**9), st.integers(-(10**25), 10**25)
)


@st.composite
def deals(draw, sizes=amounts) -> reference.Deal:
    """A deal whose touches often share an instant, with anchors at touches, between and nowhere."""
    ages = draw(st.lists(st.one_of(minutes, st.sampled_from([0, 60, 1440, 10080])), max_size=9))
    channels = [draw(st.sampled_from("abc")) for _ in ages]
    touches = sorted(
        (
            reference.Touch(f"t{place}", CLOSE - timedelta(minutes=age), channel)
            for place, (age, channel) in enumerate(zip(ages, channels, strict=True))
        ),
        key=lambda touch: (touch.at, touch.id),
    )
    dates = st.one_of(
        st.none(),
        st.sampled_from([touch.at for touch in touches] or [CLOSE]),
        minutes.map(lambda age: CLOSE - timedelta(minutes=age)),
    )
    return reference.Deal(draw(sizes), CLOSE, draw(dates), draw(dates), touches)


@pytest.mark.parametrize("model", MODELS)
@given(several=st.lists(deals(), min_size=1, max_size=8))
def test_every_model_equals_the_reference_to_the_unit(model, several):
    expected = [reference.credit(model, deal, None) for deal in several]
    assert split(several, model) == expected


@pytest.mark.parametrize("model", MODELS)
@given(several=st.lists(deals(), min_size=1, max_size=6))
def test_credits_add_up_to_the_amount_and_mirror_for_a_negative_one(model, several):
    negated = [
        reference.Deal(
            -deal.amount_minor,
            deal.closed_at,
            deal.lead_created_at,
            deal.deal_created_at,
            deal.touches,
        )
        for deal in several
    ]
    credits = split(several, model)
    for deal, parts in zip(several, credits, strict=True):
        assert not parts or sum(parts) == deal.amount_minor
    assert split(negated, model) == [[-part for part in parts] for parts in credits]


@pytest.mark.parametrize("model", MODELS)
@given(several=st.lists(deals(), min_size=1, max_size=12), per_block=st.integers(1, 40))
def test_the_size_of_a_block_and_the_order_of_deals_change_nothing(model, several, per_block):
    whole = split(several, model)
    assert split(several, model, per_block) == whole
    assert split(several[::-1], model, per_block) == whole[::-1]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_two_thousand_random_deals_equal_the_reference(model):
    random = np.random.default_rng(3)
    several = []
    for _ in range(2_000):
        ages = np.sort(random.integers(0, 60 * 24 * 30, random.integers(0, 25)))[::-1]
        lead, opened = random.integers(0, 60 * 24 * 40, 2)
        touches = [
            reference.Touch(f"{place:02}", CLOSE - timedelta(minutes=int(age)),
                            "abcdefg"[random.integers(7)])
            for place, age in enumerate(ages)
        ]  # fmt: skip
        several.append(
            reference.Deal(
                int(random.integers(-(10**7), 10**9)),
                CLOSE,
                CLOSE - timedelta(minutes=int(lead)),
                CLOSE - timedelta(minutes=int(opened)),
                touches,
            )
        )
    assert split(several, model) == [reference.credit(model, deal, None) for deal in several]


def test_decay_of_halves_and_quarters_is_exact_at_a_tie():
    # Weights 4, 2, 1 and 1 eighths of 100: the fourth and third stand at the same half unit.
    assert decayed(100, [0, -7, -14, -14], Fraction(7)) == [50, 25, 13, 12]


def test_remainders_that_are_equal_at_different_ages_are_ties_whatever_floats_say():
    # Weights 1, 1 and 4 sixths of 6n + 2: every remainder is a third, and one unit is over.
    touches = [
        reference.Touch("a", CLOSE - timedelta(days=14), "a"),
        reference.Touch("b", CLOSE - timedelta(days=14), "b"),
        reference.Touch("c", CLOSE, "c"),
    ]
    several = [reference.Deal(6 * n + 2, CLOSE, None, None, touches) for n in range(2000)]
    assert split(several, "time_decay") == [[n + 1, n, 4 * n + 1] for n in range(2000)]


def test_amounts_at_which_floats_err_about_the_last_unit_are_split_exactly():
    random = np.random.default_rng(9)
    touches = [
        reference.Touch("a", CLOSE - timedelta(days=3), "a"),
        reference.Touch("b", CLOSE - timedelta(hours=5), "b"),
        reference.Touch("c", CLOSE, "c"),
    ]
    several = [
        reference.Deal(int(amount), CLOSE, None, None, touches)
        for amount in random.integers(10**13, 17 * 10**12, 3000)
    ]
    assert split(several, "time_decay") == [
        reference.credit("time_decay", deal, None) for deal in several
    ]


def test_decay_of_a_touch_ages_ago_gives_it_nothing_and_breaks_nothing():
    assert decayed(10**6, [-(10**9), 0], Fraction(7)) == [0, 10**6]


def test_a_path_of_many_thousand_touches_is_split_exactly_by_channel():
    count = 10_050
    touches = [
        reference.Touch(
            f"{place:06}", CLOSE - timedelta(minutes=count - place), "ab"[place % 3 > 0]
        )
        for place in range(count)
    ]
    deal = reference.Deal(10**9 + 7, CLOSE, None, None, touches)
    assert split([deal], "shapley") == [reference.credit("shapley", deal, None)]


def test_weights_of_the_agreement_that_need_many_digits_stay_exact():
    odd = AnchorWeights(
        first=Decimal("33.333333333333333"),
        last=Decimal("33.333333333333333"),
        middle=Decimal("33.333333333333334"),
    )
    weights = DEFAULT.weights.model_copy(update={"position_based": odd})
    touches = [
        reference.Touch(str(place), CLOSE - timedelta(days=5 - place), "a") for place in range(5)
    ]
    deal = reference.Deal(9_000_000_000_000_000_001, CLOSE, None, None, touches)
    block = next(attribution.blocks(table([deal])))
    shares = attribution.shares("position_based", block, policy(weights=weights))
    parts = shares.split(np.array([deal.amount_minor], dtype=np.int64))[:, 0]
    third, rest = Fraction(odd.first) / 100, Fraction(odd.middle) / 300
    assert [int(part) for part in parts] == reference.split(
        deal.amount_minor, [third, rest, rest, rest, third]
    )


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"first": 50, "last": 40}, "add up to 90"),
        ({"lead": 50, "middle": 50}, "first or last"),
        ({"first": -10, "last": 110}, "greater than or equal to 0"),
    ],
)
def test_weights_that_cannot_share_a_deal_are_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        AnchorWeights(**weights)


# The night's table -------------------------------------------------------------------------------


def path(deal_id: str, *touches: tuple[str, str, str, str]) -> list[dict]:
    return [
        {
            "deal_id": deal_id,
            "touch_id": touch_id,
            "person_id": "p1",
            "touched_at": at,
            "channel": channel,
            "team": team,
        }
        for touch_id, at, channel, team in touches
    ]


PATHS = path(
    "d1",
    ("a", "2026-05-01T10:00Z", "form", "marketing"),
    ("b", "2026-05-02T10:00Z", "call", "sales"),
    ("c", "2026-05-03T10:00Z", "call", "sales"),
)
WON = {"record_id": "006", "currency": "EUR", "credited_at": "2026-05-04T00:00Z"}


def credits(paths: list[dict], *deals: dict, shown=("linear",), shared="linear") -> pd.DataFrame:
    return attribution.credits(
        builders.build(PathTouches, paths),
        builders.deals(*deals),
        policy(shared=shared, shown=shown),
    )


def test_both_currencies_are_split_from_the_same_weights():
    deal = {**WON, "deal_id": "d1", "amount_minor": 100, "company_minor": 110}
    found = credits(PATHS, deal)
    assert found["credit_deal_minor"].tolist() == [34, 33, 33]
    assert found["credit_minor"].tolist() == [37, 37, 36]
    assert found["weight"].tolist() == [1 / 3] * 3
    assert found["team"].tolist() == ["marketing", "sales", "sales"]


def test_a_deal_that_nothing_explains_is_unknown_in_every_model():
    deal = {**WON, "deal_id": "d2", "amount_minor": -5, "company_minor": -6}
    found = credits(PATHS, deal, shown=("linear", "time_decay"))
    assert found["model"].tolist() == ["linear", "time_decay"]
    assert found["team"].tolist() == ["unknown"] * 2
    assert found["channel"].tolist() == ["unknown"] * 2
    assert found["touch_id"].isna().all()
    assert found["credit_minor"].tolist() == [-6, -6]
    assert found["credit_deal_minor"].tolist() == [-5, -5]


def test_a_lost_deal_has_no_credit():
    lost = {**WON, "deal_id": "d1", "state": "lost", "company_minor": 7, "credited_at": None}
    assert credits(PATHS, lost).empty


def test_nothing_gives_an_empty_table():
    assert credits([]).empty


def test_deals_keep_the_given_order_inside_a_model():
    more = path("d0", ("z", "2026-05-01T10:00Z", "form", "marketing"))
    deals_ = [{**WON, "deal_id": name, "company_minor": 9} for name in ("d1", "d9", "d0")]
    found = credits([*more, *PATHS], *deals_)
    assert found["touch_id"].dropna().tolist() == ["a", "b", "c", "z"]
    assert found.groupby("deal_id")["credit_minor"].sum().tolist() == [9, 9, 9]


@given(st.lists(deals(st.integers(-(10**12), 10**12)), max_size=12))
def test_totals_are_the_sums_of_the_single_credits(several):
    laid = table(several)
    whole = np.array([deal.amount_minor for deal in several], dtype=np.int64)
    by_channel = attribution.totals(laid, whole, [laid.channel], MODELS, EVERY_MODEL)[0]
    for model in MODELS:
        expected = {"a": 0, "b": 0, "c": 0}
        for deal, parts in zip(several, split(several, model), strict=True):
            for touch, part in zip(deal.touches, parts, strict=True):
                expected[touch.channel] += part
        found = dict(enumerate(by_channel[model].tolist()))
        assert {name: found.get(ord(name), 0) for name in "abc"} == expected


def test_totals_above_what_a_float_holds_are_exact():
    touches = [reference.Touch("a", CLOSE, "a")]
    several = [reference.Deal(2**53 + 1, CLOSE, None, None, touches)] * 3
    laid = table(several)
    whole = np.array([deal.amount_minor for deal in several], dtype=np.int64)
    totals = attribution.totals(laid, whole, [np.zeros(3, np.int64)], ["linear"], EVERY_MODEL)
    assert totals[0]["linear"].tolist() == [3 * (2**53 + 1)]


# Tables of paths ---------------------------------------------------------------------------------


def counted(*rows: tuple[str, int, int]) -> attribution.CountedPaths:
    """Rows of path (a letter per touch), conversions, nulls."""
    return attribution.CountedPaths(
        first=np.cumsum([0, *(len(path) for path, _, _ in rows)]),
        channel=np.array([ord(letter) - ord("a") for path, _, _ in rows for letter in path]),
        channels=max(ord(letter) for path, _, _ in rows for letter in path) - ord("a") + 1,
        conversions=np.array([conversions for _, conversions, _ in rows], dtype=np.int64),
        nulls=np.array([nulls for _, _, nulls in rows], dtype=np.int64),
    )


def converts_without(rows, removed: str | None) -> Fraction:
    """Follow the chain by hand: the probability to convert when a channel leads nowhere."""
    letters = sorted({letter for path, _, _ in rows for letter in path})
    counts: dict[str, dict[str, int]] = {name: {} for name in ["start", *letters]}
    for path_, conversions, nulls in rows:
        steps = ["start", *path_]
        for here, there in zip(steps, path_, strict=False):
            counts[here][there] = counts[here].get(there, 0) + conversions + nulls
        for end, number in (("won", conversions), ("lost", nulls)):
            counts[path_[-1]][end] = counts[path_[-1]].get(end, 0) + number
    names = ["start", *letters]
    matrix = [[Fraction(int(one == other)) for other in names] for one in names]
    right = [Fraction(0)] * len(names)
    for place, name in enumerate(names):
        whole = sum(counts[name].values())
        if name == removed or not whole:
            continue
        for there, number in counts[name].items():
            if there in names:
                matrix[place][names.index(there)] -= Fraction(number, whole)
            elif there == "won":
                right[place] += Fraction(number, whole)
    return solve(matrix, right)[0]


def solve(matrix, right) -> list[Fraction]:
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for pivot in range(len(rows)):
        swap = next(place for place in range(pivot, len(rows)) if rows[place][pivot])
        rows[pivot], rows[swap] = rows[swap], rows[pivot]
        rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
        for place, row in enumerate(rows):
            if place != pivot:
                rows[place] = [v - row[pivot] * p for v, p in zip(row, rows[pivot], strict=True)]
    return [row[-1] for row in rows]


path_rows = st.lists(
    st.tuples(st.text("abcd", min_size=1, max_size=6), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=8,
)


@given(path_rows)
def test_the_removal_effect_is_what_the_chain_loses_without_the_channel(rows):
    effects = attribution.removal_effects(counted(*rows))
    whole = converts_without(rows, None)
    letters = "abcdefgh"[: len(effects)]
    expected = [1 - converts_without(rows, letter) / whole if whole else 0 for letter in letters]
    assert effects == expected


@given(st.lists(st.tuples(st.text("abcd", min_size=1, max_size=6), st.booleans()), min_size=2))
def test_journeys_one_by_one_have_the_removal_effects_of_the_chain_too(journeys):
    rows = [(path_, int(is_won), int(not is_won)) for path_, is_won in journeys]
    whole = converts_without(rows, None)
    effects = attribution.removal_effects(counted(*rows))
    letters = "abcd"[: len(effects)]
    assert effects == [
        1 - converts_without(rows, letter) / whole if whole else 0 for letter in letters
    ]


@given(path_rows, st.sampled_from(attribution.CHANNEL_MODELS))
def test_channels_share_all_conversions_whatever_the_model(rows, model):
    paths = counted(*rows)
    weights = DEFAULT.weights.position_based
    credit = attribution.channel_results(paths, paths.conversions, model, weights)
    assert sum(credit) == paths.conversions.sum()


@given(
    path_rows, st.sampled_from(attribution.CHANNEL_MODELS), st.sampled_from([np.uint8, np.int16])
)
def test_the_size_of_the_integers_that_number_channels_changes_nothing(rows, model, size):
    paths, weights = counted(*rows), DEFAULT.weights.position_based
    narrow = replace(paths, channel=paths.channel.astype(size))
    expected = attribution.channel_results(paths, paths.conversions, model, weights)
    assert attribution.channel_results(narrow, paths.conversions, model, weights) == expected


@pytest.mark.parametrize("often", [1, 5])
def test_the_size_of_a_piece_changes_no_removal_effect(often, monkeypatch):
    rows = [("abca", often, 0), ("b", 0, 1), ("cab", 1, 0), ("ccb", 0, 1)]
    whole = attribution.removal_effects(counted(*rows))
    monkeypatch.setattr(channels, "_PATHS_PER_PIECE", 1)
    assert attribution.removal_effects(counted(*rows)) == whole


def test_shapley_equals_the_value_over_all_orders_of_channels():
    rows = [("ab", 3, 0), ("b", 2, 0), ("abca", 6, 1), ("cc", 1, 0)]
    expected = {}
    orders = list(permutations("abc"))
    for letter in "abc":
        gain = 0
        for order in orders:
            before = set(order[: order.index(letter)])
            for path_, conversions, _ in rows:
                gain += conversions * (set(path_) <= before | {letter} and not set(path_) <= before)
        expected[letter] = Fraction(gain, len(orders))
    paths = counted(*rows)
    found = attribution.channel_results(
        paths, paths.conversions, "shapley", DEFAULT.weights.position_based
    )
    assert dict(zip("abc", found, strict=True)) == expected


def test_with_many_channels_floats_agree_with_the_chain_to_twelve_digits():
    random = np.random.default_rng(5)
    letters = [chr(ord("a") + number) for number in range(33)]
    rows = [
        ("".join(random.choice(letters, random.integers(1, 7))),
         int(random.integers(0, 50)), int(random.integers(0, 200)))
        for _ in range(120)
    ]  # fmt: skip
    effects = attribution.removal_effects(counted(*rows, ("".join(letters), 1, 1)))
    whole = [*rows, ("".join(letters), 1, 1)]
    expected = 1 - converts_without(whole, "e") / converts_without(whole, None)
    assert float(effects[4]) == pytest.approx(float(expected), rel=1e-12)


def test_a_model_that_needs_dates_is_no_model_of_a_path_table():
    paths = counted(("ab", 1, 0))
    with pytest.raises(ValueError, match="full_path"):
        attribution.channel_results(
            paths, paths.conversions, "full_path", DEFAULT.weights.position_based
        )
