"""Channels by removal effect, set beside the other models' results."""

from datetime import UTC, datetime

import pytest

from agreement import frames
from agreement.policy import Attribution
from tests import builders
from transforms import attribution
from transforms.campaigns import channel_results
from transforms.horizons import horizons
from transforms.removal import with_removal_effects

NOW = datetime(2026, 11, 17, 14, 15, tzinfo=UTC)
SPANS = horizons(NOW, builders.AGREEMENT.calendar)
POLICY = builders.AGREEMENT.attribution.model_copy(update={"shown": ("first_touch", "markov")})
TEAMS = {"form": "marketing", "event": "marketing", "call": "sales"}


def results(*journeys: tuple[str, str, int]):
    """Channels of the quarter by (channels, state, amount) of deals that end in it, under Markov.

    Gives the whole table, and (won, open) per channel of the new rows.
    """
    deals, rows = [], []
    for number, (channels, state, amount) in enumerate(journeys):
        deals.append(
            {
                "deal_id": f"d{number}",
                "record_id": f"006{number}",
                "state": state,
                "closed_on": "2026-10-10",
                "company_minor": amount,
                "credited_at": None if state == "lost" else "2026-10-10T00:00Z",
            }
        )
        rows += [
            {"deal_id": f"d{number}", "touch_id": f"{number}-{place}", "person_id": "ann",
             "touched_at": f"2026-10-0{place + 1}T10:00Z", "channel": channel,
             "team": TEAMS[channel]}
            for place, channel in enumerate(channels.split())
        ]  # fmt: skip
    deals = builders.deals(*deals)
    paths = builders.build(frames.PathTouches, rows)
    credits = attribution.credits(paths, deals, POLICY)
    costs = builders.build(frames.CampaignCosts, [])
    plain = channel_results(credits, paths, deals, costs, (), 2, SPANS)
    ended = paths[~paths["deal_id"].isin(deals.loc[deals["state"] == "open", "deal_id"])]
    found = with_removal_effects(plain, ended, deals, SPANS, POLICY.shared)
    new = found[(found["model"] == "markov") & (found["horizon"] == "quarter")]
    assert found.iloc[: len(plain)].equals(plain)
    amounts = zip(new["won_minor"], new["open_minor"], strict=True)
    return found, dict(zip(new["name"], amounts, strict=True))


def test_channels_that_every_win_needs_share_alike_whoever_came_first():
    found, amounts = results(("form call", "won", 1001), ("form", "lost", 70))
    assert amounts == {"call": (501, 0), "form": (500, 0)}
    new = found[found["model"] == "markov"]
    assert set(new["horizon"]) == {"quarter", "year"}
    assert new["deal_count"].tolist() == [1] * 4


def test_a_channel_that_only_led_to_others_gets_its_share_too():
    # Without events half of the ways to the form are gone: effects of a half and of 1.
    _, amounts = results(("event form", "lost", 9), ("form", "won", 300), ("call", "open", 90))
    assert amounts == {"call": (0, 0), "event": (100, 30), "form": (200, 60)}


def test_what_is_unknown_stays_so_and_channels_add_up_to_the_deals():
    _, amounts = results(("form call", "won", 101), ("", "won", 40), ("call", "open", -7))
    assert amounts["unknown"] == (40, 0)
    assert [sum(column) for column in zip(*amounts.values(), strict=True)] == [141, -7]


@pytest.mark.parametrize("state", ["lost", "open"])
def test_nothing_is_said_where_nothing_was_won(state):
    assert results(("form call", state, 100))[1] == {}


def test_wins_that_no_channel_explains_say_nothing_about_channels():
    assert results(("", "won", 100), ("form", "lost", 3))[1] == {}


def test_what_credits_no_single_touch_can_be_shown_and_not_shared():
    assert POLICY.models == ("linear", "first_touch")
    whole = POLICY.model_dump()
    assert "markov" in Attribution.model_validate(whole).shown
    with pytest.raises(ValueError, match="shared"):
        Attribution.model_validate({**whole, "shared": "markov"})
