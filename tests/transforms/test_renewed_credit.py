"""Credits from night to night, floor and cap, and the signed lines of won deals."""

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from agreement import frames
from agreement.policy import MODELS, Attribution
from tests import builders
from transforms import attribution
from transforms.journeys import narrowed

DEFAULT = builders.AGREEMENT.attribution
CHANNELS = {"form": "marketing", "email": "marketing", "call": "sales", "meeting": "sales"}
BOUNDED = {"marketing": Decimal("0.3"), "sales": Decimal("0.2")}

days = st.integers(1, 28)


@st.composite
def books(draw) -> tuple[list[dict], list[dict]]:
    """Deals and their paths, as a night reads them."""
    deals, rows = [], []
    for deal_id in draw(st.lists(st.sampled_from("abcd"), max_size=4, unique=True)):
        state = draw(st.sampled_from(["won", "won", "open", "lost"]))
        amount = draw(st.integers(-300, 10_000))
        deals.append(
            {
                "deal_id": deal_id,
                "record_id": f"006{deal_id}",
                "state": state,
                "amount_minor": amount,
                "company_minor": amount // 2,
                "created_at": draw(st.sampled_from([None, "2026-04-10T00:00Z"])),
                "lead_created_at": draw(st.sampled_from([None, "2026-04-05T00:00Z"])),
                "credited_at": None if state == "lost" else "2026-05-01T00:00Z",
            }
        )
        touched = sorted(draw(st.lists(days, max_size=5)))
        for place, day in enumerate(touched if state != "lost" else ()):
            channel = draw(st.sampled_from(sorted(CHANNELS)))
            rows.append(
                {
                    "deal_id": deal_id,
                    "touch_id": f"t{place}",
                    "person_id": draw(st.sampled_from(["ann", "bob"])),
                    "touched_at": f"2026-04-{day:02d}T10:00Z",
                    "channel": channel,
                    "team": CHANNELS[channel],
                }
            )
    return deals, rows


policies = st.builds(
    lambda shared, shown, windows, floor: DEFAULT.model_copy(
        update={
            "shared": shared,
            "shown": tuple(shown),
            "windows": windows,
            "team_floor": floor,
        }
    ),
    st.sampled_from(MODELS),
    st.lists(st.sampled_from(MODELS), max_size=2),
    st.dictionaries(st.sampled_from(MODELS), st.sampled_from([10, 20]), max_size=2),
    st.sampled_from([{}, BOUNDED]),
)


def read(book: tuple[list[dict], list[dict]]):
    deals, rows = book
    return builders.build(frames.PathTouches, rows), builders.deals(*deals)


@given(books(), books(), policies, policies, st.booleans())
def test_a_night_that_renews_only_what_changed_equals_one_that_splits_everything(
    before, after, policy_before, policy_after, is_same_policy
):
    policy_after = policy_before if is_same_policy else policy_after
    paths, deals = read(before)
    kept = attribution.credits(paths, deals, policy_before)
    basis = attribution.credit_basis(paths, deals, policy_before)
    paths, deals = read(after)
    now = attribution.credit_basis(paths, deals, policy_after)
    stale = attribution.stale_deals(basis, now)
    found, fresh = attribution.renewed_credits(kept, stale, paths, deals, policy_after)
    assert_frame_equal(found, attribution.credits(paths, deals, policy_after))
    assert set(fresh["deal_id"]) <= set(stale)


@settings(max_examples=60)
@given(books(), st.permutations(MODELS), st.sampled_from([10, 20]), st.integers(1, 12))
def test_a_night_that_renews_only_what_left_a_window_equals_one_that_splits_everything(
    book, models, days_, nights
):
    policy = DEFAULT.model_copy(
        update={"shared": models[0], "shown": tuple(models[1:3]), "windows": {models[1]: days_}}
    )
    every, deals = read(book)
    later = deals.assign(credited_at=deals["credited_at"] + pd.Timedelta(days=nights))
    paths = narrowed(every, deals, policy.widest_window)
    kept = attribution.credits(paths, deals, policy)
    basis = attribution.credit_basis(paths, deals, policy)
    paths = narrowed(every, later, policy.widest_window)
    stale = attribution.stale_deals(basis, attribution.credit_basis(paths, later, policy))
    found, _ = attribution.renewed_credits(kept, stale, paths, later, policy)
    assert_frame_equal(found, attribution.credits(paths, later, policy))


@given(books(), policies)
def test_nothing_is_split_anew_while_nothing_left_a_window(book, policy):
    paths, deals = read(book)
    policy = policy.model_copy(update={"windows": {}})
    basis = attribution.credit_basis(paths, deals, policy)
    later = deals.assign(credited_at=deals["credited_at"] + pd.Timedelta(days=1))
    again = attribution.credit_basis(paths, later, policy)
    assert attribution.stale_deals(basis, again).empty


@given(books(), policies)
def test_credits_add_up_to_the_amount_whatever_floors_and_windows_say(book, policy):
    paths, deals = read(book)
    credits = attribution.credits(paths, deals, policy)
    sums = credits.groupby(["model", "deal_id"])[["credit_minor", "credit_deal_minor"]].sum()
    credited = deals[deals["credited_at"].notna()].set_index("deal_id")
    assert len(sums) == len(credited) * len(policy.models)
    for (_, deal_id), row in sums.iterrows():
        assert row["credit_minor"] == credited.loc[deal_id, "company_minor"]
        assert row["credit_deal_minor"] == credited.loc[deal_id, "amount_minor"]


@given(books())
def test_the_order_of_deals_changes_no_basis(book):
    deals, rows = book
    one = attribution.credit_basis(*read((deals, rows)), DEFAULT)
    other = attribution.credit_basis(*read((deals[::-1], rows)), DEFAULT)
    assert dict(one.to_numpy().tolist()) == dict(other.to_numpy().tolist())


# Floor and cap -----------------------------------------------------------------------------------

WON = {"deal_id": "d", "record_id": "006", "credited_at": "2026-05-01T00:00Z"}


def touched(*channels: str) -> list[dict]:
    return [
        {"deal_id": "d", "touch_id": f"t{place}", "person_id": "ann", "channel": channel,
         "touched_at": f"2026-04-0{place + 1}T10:00Z", "team": CHANNELS[channel]}
        for place, channel in enumerate(channels)
    ]  # fmt: skip


def shared(amount: int, *channels: str, model="linear", **bounds) -> list[list]:
    policy = Attribution.model_validate(
        {**DEFAULT.model_dump(), "shared": model, "shown": ("first_touch",), **bounds}
    )
    deal = {**WON, "company_minor": amount, "amount_minor": amount}
    credits = attribution.credits(*read(([deal], touched(*channels))), policy)
    rows = credits[credits["model"] == policy.shared]
    return rows[["channel", "team", "credit_minor"]].to_numpy().tolist()


def test_a_floor_moves_credit_as_two_lines_of_their_own():
    floor = {"team_floor": {"sales": "0.40"}}
    assert shared(100, "form", "form", "email", "email", "call", **floor) == [
        ["form", "marketing", 20],
        ["form", "marketing", 20],
        ["email", "marketing", 20],
        ["email", "marketing", 20],
        ["call", "sales", 20],
        ["floor and cap", "marketing", -20],
        ["floor and cap", "sales", 20],
    ]


def test_a_cap_is_the_other_teams_floor():
    assert shared(1000, "form", "call", "call", "call", team_cap={"sales": "0.60"})[4:] == [
        ["floor and cap", "marketing", 150],
        ["floor and cap", "sales", -150],
    ]


def test_a_negative_amount_is_bounded_as_its_mirror():
    floor = {"team_floor": {"sales": "0.40"}}
    lines = shared(-100, "form", "form", "email", "email", "call", **floor)[5:]
    assert [minor for _, _, minor in lines] == [20, -20]


def test_a_deal_that_one_team_touched_alone_is_not_moved():
    assert shared(100, "form", "email", team_floor={"sales": "0.40"}) == [
        ["form", "marketing", 50],
        ["email", "marketing", 50],
    ]


def test_a_split_inside_the_bounds_has_no_line():
    assert len(shared(100, "form", "call", team_floor={"sales": "0.40"})) == 2


def test_models_shown_beside_are_not_moved():
    policy = DEFAULT.model_copy(
        update={"shown": ("first_touch",), "team_floor": {"sales": Decimal("0.4")}}
    )
    deal = {**WON, "company_minor": 100, "amount_minor": 100}
    credits = attribution.credits(*read(([deal], touched("form", "call"))), policy)
    shown = credits[credits["model"] == "first_touch"]
    assert shown["credit_minor"].tolist() == [100, 0]


@pytest.mark.parametrize(
    "bounds",
    [
        {"team_floor": {"marketing": "0.6", "sales": "0.6"}},
        {"team_floor": {"marketing": "0.6"}, "team_cap": {"marketing": "0.5"}},
        {"team_cap": {"marketing": "0.3", "sales": "0.3"}},
    ],
)
def test_bounds_that_no_split_can_keep_are_refused(bounds):
    with pytest.raises(ValueError, match="no split keeps"):
        Attribution.model_validate({**DEFAULT.model_dump(), **bounds})


def test_each_model_takes_the_touches_in_its_own_window():
    policy = DEFAULT.model_copy(
        update={"shared": "linear", "shown": ("first_touch",), "windows": {"linear": 28}}
    )
    deal = {**WON, "company_minor": 90, "amount_minor": 90}
    credits = attribution.credits(*read(([deal], touched("form", "call", "email", "call"))), policy)
    of = {model: rows["touch_id"].tolist() for model, rows in credits.groupby("model")}
    assert of == {"linear": ["t2", "t3"], "first_touch": ["t0", "t1", "t2", "t3"]}


# Lines -------------------------------------------------------------------------------------------


def lines_of(book, before: pd.DataFrame, lines_basis: str | None, run_id: str):
    """Give the lines that a night writes, and all lines then; the deal is `d`."""
    paths, deals = read(book)
    credits = attribution.credits(paths, deals, DEFAULT)
    basis = attribution.credit_basis(paths, deals, DEFAULT)
    changed = pd.DataFrame(
        {"deal_id": ["d"], "basis": [basis["basis"].iloc[0] if len(basis) else ""],
         "lines_basis": [lines_basis]}
    ).astype("str")  # fmt: skip
    linear = frames.Credits.validate(credits[credits["model"] == "linear"].reset_index(drop=True))
    lines = attribution.credit_lines(changed, before, linear, deals)
    return lines, pd.concat([before, lines.assign(run_id=run_id)]), changed["basis"].iloc[0]


def none() -> pd.DataFrame:
    return frames.empty(frames.CreditLines).assign(run_id=pd.Series(dtype="str"))


def deal(amount: int, **changes) -> dict:
    return {**WON, "company_minor": amount, "amount_minor": amount, **changes}


def test_a_later_amount_is_new_lines_that_name_the_run_they_correct():
    path = touched("form", "call")
    _, first, basis = lines_of(([deal(100)], path), none(), None, "r1")
    second, every, basis = lines_of(([deal(140)], path), first, basis, "r2")
    assert second[["team", "credit_minor", "reason", "reference"]].to_numpy().tolist() == [
        ["marketing", 20, "amount", "r1"],
        ["sales", 20, "amount", "r1"],
    ]
    third, every, _ = lines_of(([deal(140, state="open")], path), every, basis, "r3")
    assert third["reason"].unique().tolist() == ["not_won"]
    assert third["reference"].unique().tolist() == ["r2"]
    assert every["credit_minor"].sum() == 0


def test_a_touch_that_was_entered_late_moves_credit_and_says_so():
    _, first, basis = lines_of(([deal(100)], touched("form")), none(), None, "r1")
    second, every, _ = lines_of(([deal(100)], touched("form", "call")), first, basis, "r2")
    assert second[["team", "credit_minor", "reason"]].to_numpy().tolist() == [
        ["marketing", -50, "path"],
        ["sales", 50, "path"],
    ]
    assert every.groupby("team")["credit_minor"].sum().to_dict() == {"marketing": 50, "sales": 50}


def test_the_same_again_writes_no_line():
    book = ([deal(100)], touched("form", "call"))
    _, first, basis = lines_of(book, none(), None, "r1")
    again, _, _ = lines_of(book, first, basis, "r2")
    assert again.empty


@given(st.lists(books(), min_size=1, max_size=4))
def test_lines_always_add_up_to_the_present_credit_of_won_deals(nights):
    before, kept_basis = none(), {}
    for number, book in enumerate(nights):
        paths, deals = read(book)
        credits = attribution.credits(paths, deals, DEFAULT)
        linear = frames.Credits.validate(
            credits[credits["model"] == "linear"].reset_index(drop=True)
        )
        basis = dict(attribution.credit_basis(paths, deals, DEFAULT).to_numpy().tolist())
        names = sorted(basis.keys() | kept_basis.keys())
        changed = pd.DataFrame(
            {"deal_id": names, "basis": [basis.get(name, "") for name in names],
             "lines_basis": [kept_basis.get(name) for name in names]}
        ).astype("str")  # fmt: skip
        lines = attribution.credit_lines(changed, before, linear, deals)
        before = pd.concat([before, lines.assign(run_id=f"r{number}")], ignore_index=True)
        kept_basis |= {name: basis.get(name, "") for name in names}
        won = deals.loc[deals["state"] == "won", "deal_id"]
        of_won = linear[linear["deal_id"].isin(won)]
        keys = ["deal_id", "team", "channel"]
        want = of_won.groupby(keys)["credit_minor"].sum()
        have = before.groupby(keys)["credit_minor"].sum()
        assert {key: sum_ for key, sum_ in have.items() if sum_} == {
            key: sum_ for key, sum_ in want.items() if sum_
        }
