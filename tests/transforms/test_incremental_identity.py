"""A night looks again only at whom it must: the same links as if it had looked at everybody."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agreement.frames import Crosswalk, MatchDecisions, Reviews, empty
from agreement.pairs import COLUMNS as PAIR
from agreement.pairs import ordered
from agreement.policy import load_agreement
from flows.calc_match import shipped_model
from tests import builders
from transforms.identity import reconcile

NIGHT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
POLICY = load_agreement().identity
# Of worlds that share nothing, whose nights are worked out side by side: the fixed cost of a night
# is a hundred times that of a few records.
SIDE_BY_SIDE, NIGHTS = 20, 3
SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru")


@dataclass
class World:
    """A few records of both systems that rival one another, and what is done to them by night."""

    number: int
    chance: Random
    records: dict[tuple, dict] = field(default_factory=dict)
    aliases: list[dict] = field(default_factory=list)
    decisions: list[dict] = field(default_factory=list)
    merged: dict[tuple, dict] = field(default_factory=dict)
    made: int = 0

    def word(self, place):
        """Give one of the world's own words."""
        low, high = divmod(self.number, 10)
        return f"{SYLLABLES[place]}{SYLLABLES[low]}{SYLLABLES[high]}{SYLLABLES[place]}"

    def add(self):
        system, kind, prefix = self.chance.choice(
            [("hubspot", "contact", ""), ("salesforce", "lead", "00Q"),
             ("salesforce", "contact", "003")]
        )  # fmt: skip
        self.made += 1
        digits = self.number * 100 + self.made
        record_id = f"{prefix}{digits:012}AAA" if prefix else str(digits + 1)
        self.records[system, kind, record_id] = {}
        for name in FIELDS:
            if self.chance.random() < 0.6:
                self.set(name, (system, kind, record_id))

    def set(self, name, place):
        self.records[place][name] = self.chance.choice([*FIELDS[name](self), None])

    def edit(self):
        self.chance.choice([self.add, *[self.change] * 6, self.remove, self.merge, self.restore,
                            self.tie, self.decide, self.decide, self.withdraw])()  # fmt: skip

    def any(self, *kinds):
        found = [place for place in self.records if not kinds or place[1] in kinds]
        return self.chance.choice(found) if found else None

    def change(self):
        if place := self.any():
            self.set(self.chance.choice([*FIELDS]), place)

    def remove(self):
        if place := self.any():
            del self.records[place]

    def merge(self):
        one, other = self.any(), self.any()
        if one and one != other and one[:2] == other[:2]:
            self.merged[one] = self.records.pop(one)
            names = ("system", "kind", "record_id", "survivor_id")
            self.aliases = [
                row | {"survivor_id": other[2]} if row["survivor_id"] == one[2] else row
                for row in self.aliases
            ]
            self.aliases.append(dict(zip(names, (*one, other[2]), strict=True)))

    def restore(self):
        """Undo the last merge."""
        if self.merged:
            place, values = self.merged.popitem()
            self.records[place] = values
            self.aliases = [row for row in self.aliases if row["record_id"] != place[2]]

    def tie(self):
        """Store the other system's id on a record, or convert a lead."""
        one, other = self.any(), self.any("lead", "contact")
        if one and one[1] == "lead" and other[1] == "contact" and other[0] == "salesforce":
            self.records[one]["converted_to"] = other[2]
        elif one and one[0] != other[0]:
            self.records[one]["partner_id"] = self.chance.choice([other[2], None])

    def decide(self):
        one, other = self.any(), self.any()
        if one and one != other:
            left, right = ordered(one, other)
            self.withdraw_of(left, right)
            self.decisions.append({
                "decision_id": f"d_{self.number}_{len(self.decisions)}",
                "entity": "person",
                **dict(zip(PAIR, (*left, *right), strict=True)),
                "decision": self.chance.choice(["accept", "reject", "pin", "forbid"]),
                "decided_by": "kim",
                "decided_at": NIGHT,
            })  # fmt: skip

    def withdraw_of(self, left, right):
        for row in self.decisions:
            if tuple(row[name] for name in PAIR) == (*left, *right):
                row["ended_at"] = NIGHT

    def withdraw(self):
        if self.decisions:
            self.chance.choice(self.decisions)["ended_at"] = NIGHT


FIELDS = {
    "email": lambda world: [
        f"{world.word(0)}.{world.word(1)}@{world.word(2)}.com", f"{world.word(0)}@gmail.com",
        f"info@{world.word(2)}.com",
    ],
    "other_emails": lambda world: [f"{world.word(0)}@gmail.com"],
    "first_name": lambda world: [world.word(0), world.word(0)[0], world.word(3)],
    "last_name": lambda world: [world.word(1), f"{world.word(1)} Jr.", world.word(4)],
    "company": lambda world: [world.word(2), f"{world.word(2)} Inc"],
    "phone": lambda world: [f"+1 415 555 {1000 + world.number}"],
    "title": lambda world: [f"{world.word(5)} pilot"],
    "city": lambda world: [f"{world.word(6)} town"],
    "postcode": lambda world: [f"{world.number:05}"],
}  # fmt: skip


def night(worlds, before, at, *, looks_at_all):
    decisions = [row for world in worlds for row in world.decisions]
    people = [
        dict(zip(("system", "kind", "record_id"), place, strict=True)) | values
        for world in worlds
        for place, values in world.records.items()
    ]
    return reconcile(
        builders.people(*people),
        builders.aliases(*(row for world in worlds for row in world.aliases)),
        builders.accounts(),
        builders.deal_records(),
        policy=POLICY,
        model=shipped_model(),
        decisions=builders.build(MatchDecisions, decisions),
        previous=before.crosswalk if before else empty(Crosswalk),
        now=at,
        waiting=before.reviews if before else empty(Reviews),
        examined=None if looks_at_all or before is None else before.examined,
    )


@pytest.mark.slow
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(st.integers(0, 2**32), min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE))
def test_two_hundred_sequences_of_edits_give_what_looking_at_everybody_gives(seeds):
    worlds = [World(number, Random(seed)) for number, seed in enumerate(seeds)]  # noqa: S311 - a test
    for world in worlds:
        for _ in range(world.chance.randint(2, 9)):
            world.add()
    before = night(worlds, None, NIGHT, looks_at_all=True)
    for number in range(1, NIGHTS):
        for world in worlds:
            for _ in range(world.chance.choice([0, 0, 1, 2, 3])):
                world.edit()
        at = NIGHT + timedelta(days=number)
        some, every = (night(worlds, before, at, looks_at_all=every) for every in (False, True))
        pd.testing.assert_frame_equal(some.crosswalk, every.crosswalk)
        pd.testing.assert_frame_equal(some.reviews, every.reviews)
        before = some


def test_who_did_not_change_is_not_looked_at():
    worlds = [World(number, Random(number)) for number in range(SIDE_BY_SIDE)]  # noqa: S311 - a test
    for world in worlds:
        for _ in range(5):
            world.add()
    before = night(worlds, None, NIGHT, looks_at_all=False)
    records = sum(len(world.records) for world in worlds)
    assert before.looked_at == records
    assert night(worlds, before, NIGHT, looks_at_all=False).looked_at == 0
    worlds[0].records[next(iter(worlds[0].records))]["title"] = "Beekeeper"
    some = night(worlds, before, NIGHT, looks_at_all=False)
    assert 0 < some.looked_at <= len(worlds[0].records)
