"""Rules W1 to W8 of the reward pool, slow and obvious: plain loops over exact fractions."""

from collections.abc import Mapping
from fractions import Fraction


def half_even(value: Fraction) -> int:
    return round(value)


def split(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Split a total by weight: floors, then one unit each by largest remainder, ties by id.

    Weights may be negative one by one; when their sum is, all are turned around.
    """
    whole = sum(weights.values())
    if whole == 0:
        return {}
    if whole < 0:
        weights, whole = {who: -weight for who, weight in weights.items()}, -whole
    size = abs(total)
    exact = {who: Fraction(size * weight, whole) for who, weight in sorted(weights.items())}
    parts = {who: share.numerator // share.denominator for who, share in exact.items()}
    left = size - sum(parts.values())
    for who in sorted(exact, key=lambda who: (parts[who] - exact[who], who))[:left]:
        parts[who] += 1
    sign = -1 if total < 0 else 1
    return {who: sign * part for who, part in parts.items()}


def multiplier(attainment: Mapping[str, Fraction], plan: Mapping[str, str]) -> Fraction:
    capped = [min(each, Fraction(plan["attainment_cap"])) for each in attainment.values()]
    if any(each < Fraction(plan["gate"]) for each in capped):
        return Fraction(0)
    joint = min(capped)
    if plan.get("joint", "lower") == "product":
        joint = Fraction(1)
        for each in capped:
            joint *= each
    if joint > 1:
        joint = 1 + Fraction(plan["accelerator"]) * (joint - 1)
    return min(joint, Fraction(plan["multiplier_cap"]))


def wanted(
    pool: int,
    credit: Mapping[str, int],
    teams: Mapping[str, Mapping[str, int]],
    caps: Mapping[str, int],
    spiffs: Mapping[str, int],
    holdback: Fraction,
) -> dict[tuple[str, str], int]:
    """Give what should stand per (participant, component); what is zero is left out."""
    named: dict[str, int] = {}
    for who, minor in credit.items():
        who = "house" if who == "unknown" else who
        named[who] = named.get(who, 0) + minor
    earned: dict[str, int] = {}
    for team, share in split(pool, named).items():
        for who, part in split(share, teams[team]).items() if team in teams else [(team, share)]:
            earned[who] = earned.get(who, 0) + part
    rows: dict[tuple[str, str], int] = {}

    def add(who: str, component: str, minor: int) -> None:
        rows[who, component] = rows.get((who, component), 0) + minor

    for who, share in earned.items():
        over = max(0, share - caps[who]) if who in caps and who != "house" else 0
        kept = share - over
        held = half_even(kept * holdback) if who != "house" else 0
        add(who, "pool", kept - held)
        add(who, "pool_held", held)
        add("house", "cap_excess", over)
    for who, minor in spiffs.items():
        add(who, "spiff", minor)
    return {key: minor for key, minor in rows.items() if minor}
