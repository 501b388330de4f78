"""The attribution rules, one deal at a time, in fractions: slow and obvious.

Written from the rules and not from the product's code: an anchor is found by looking at every
touch, weights are fractions, and left-over units are handed out one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

PERCENT = {
    "position_based": {"FT": "40", "CW": "40", "middle": "20"},
    "u_shaped": {"FT": "40", "LC": "40", "middle": "20"},
    "w_shaped": {"FT": "30", "LC": "30", "OC": "30", "middle": "10"},
    "full_path": {"FT": "22.5", "LC": "22.5", "OC": "22.5", "CW": "22.5", "middle": "10"},
    "first_touch": {"FT": "100"},
    "last_touch": {"CW": "100"},
}
MODELS = ("first_touch", "last_touch", "linear", "position_based", "u_shaped", "w_shaped",
          "full_path", "time_decay", "shapley")  # fmt: skip
DIGITS = 100


@dataclass(frozen=True)
class Touch:
    id: str
    at: datetime
    channel: str


@dataclass(frozen=True)
class Deal:
    amount_minor: int
    closed_at: datetime
    lead_created_at: datetime | None
    deal_created_at: datetime | None
    touches: Sequence[Touch]


def path(deal: Deal, window_days: int | None) -> list[Touch]:
    """Rules A1 to A3; of one id twice at one time the channel earlier in the alphabet counts."""
    earliest: dict[str, Touch] = {}
    for touch in deal.touches:
        known = earliest.get(touch.id, touch)
        earliest[touch.id] = min(known, touch, key=lambda one: (one.at, one.channel))
    begin = deal.closed_at - timedelta(days=window_days) if window_days is not None else None
    inside = [
        touch
        for touch in earliest.values()
        if touch.at <= deal.closed_at and (begin is None or touch.at >= begin)
    ]
    return sorted(inside, key=lambda touch: (touch.at, touch.id))


def weights(
    model: str, deal: Deal, touches: Sequence[Touch], half_life_days: Decimal
) -> list[Fraction]:
    """Rules A4 to A6; decay weights have a hundred digits."""
    if model == "linear":
        return [Fraction(1, len(touches))] * len(touches)
    if model == "shapley":
        return _by_channel(touches)
    if model == "time_decay":
        return _by_age(deal, touches, half_life_days)
    return _by_anchor(PERCENT[model], deal, touches)


def _by_anchor(percent: dict[str, str], deal: Deal, touches: Sequence[Touch]) -> list[Fraction]:
    dates = {"LC": deal.lead_created_at, "OC": deal.deal_created_at, "CW": deal.closed_at}
    holders: dict[int, Fraction] = {}
    for anchor, share in percent.items():
        if anchor == "middle":
            continue
        place = 0 if anchor == "FT" else _last_by(touches, dates[anchor])
        if place is not None:
            holders[place] = holders.get(place, Fraction(0)) + Fraction(share)
    shares = [holders.get(place, Fraction(0)) for place in range(len(touches))]
    middle = [place for place in range(len(touches)) if place not in holders]
    for place in middle:
        shares[place] = Fraction(percent.get("middle", "0")) / len(middle)
    return [share / sum(shares) for share in shares]


def _last_by(touches: Sequence[Touch], moment: datetime | None) -> int | None:
    before = [place for place, touch in enumerate(touches) if moment and touch.at <= moment]
    return before[-1] if before else None


def _by_channel(touches: Sequence[Touch]) -> list[Fraction]:
    channels = [touch.channel for touch in touches]
    return [Fraction(1, len(set(channels)) * channels.count(channel)) for channel in channels]


def _by_age(deal: Deal, touches: Sequence[Touch], half_life_days: Decimal) -> list[Fraction]:
    half_life = half_life_days * 86_400 * 10**6
    with localcontext() as context:
        context.prec = DIGITS
        raw = []
        for touch in touches:
            age = (deal.closed_at - touch.at) // timedelta(microseconds=1)
            raw.append(Fraction(Decimal(2) ** (-Decimal(age) / half_life)))
    return [weight / sum(raw) for weight in raw]


def split(amount_minor: int, shares: Sequence[Fraction]) -> list[int]:
    """Rule A8: floor each, then left-over units by largest remainder, ties in order."""
    size, sign = abs(amount_minor), -1 if amount_minor < 0 else 1
    # Remainders that agree to fifty digits are equal: only decay weights are not exact.
    exact = [round(size * share, 50) for share in shares]
    parts = [int(value) for value in exact]
    left = size - sum(parts)
    order = sorted(range(len(exact)), key=lambda place: (parts[place] - exact[place], place))
    for place in order[:left]:
        parts[place] += 1
    return [sign * part for part in parts]


def credit(
    model: str, deal: Deal, window_days: int | None, half_life_days: Decimal = Decimal(7)
) -> list[int]:
    """Minor units per touch of the path; nothing for a deal without one."""
    touches = path(deal, window_days)
    if not touches:
        return []
    return split(deal.amount_minor, weights(model, deal, touches, half_life_days))
