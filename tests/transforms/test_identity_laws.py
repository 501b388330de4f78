"""Laws of who is who, whatever the records, decisions and earlier nights are.

A reconciliation costs half a second whatever its size. So many small worlds that share nothing
stand side by side in each one; that neighbours change nothing is a law of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pandas as pd
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agreement.frames import Crosswalk, MatchDecisions, empty
from agreement.pairs import COLUMNS as PAIR
from agreement.pairs import ordered
from agreement.policy import load_agreement
from flows.calc_match import shipped_model
from tests import builders
from transforms.identity import Reconciled, reconcile
from transforms.identity.doubts import CONTRADICTS
from transforms.person_names import are_two, plain_names

Row = Mapping[str, Any]
Key = tuple[str, str, str]
NIGHT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
NEXT_NIGHT = datetime(2026, 3, 3, 9, 15, tzinfo=UTC)
POLICY = load_agreement().identity

# 54 worlds for each law; no time is spent on shrinking.
WORLDS = 18
laws = settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


class World:
    """What one night knows of a few records; ids, names and addresses are the world's own."""

    def __init__(
        self, people: Sequence[Row], aliases: Sequence[Row] = (), decisions: Sequence[Row] = ()
    ) -> None:
        self.people, self.aliases, self.decisions = people, aliases, decisions

    def __repr__(self) -> str:
        """Name the records: all that many worlds say is too much for a message."""
        return f"World({[row['record_id'] for row in self.people]})"


def together(worlds: Sequence[World]) -> World:
    return World(
        [row for world in worlds for row in world.people],
        [row for world in worlds for row in world.aliases],
        [row for world in worlds for row in world.decisions],
    )


def night(world: World, previous: pd.DataFrame | None = None, now: datetime = NIGHT) -> Reconciled:
    return reconcile(
        builders.people(*world.people),
        builders.aliases(*world.aliases),
        builders.accounts(),
        builders.deal_records(),
        policy=POLICY,
        model=shipped_model(),
        decisions=builders.build(MatchDecisions, world.decisions),
        previous=empty(Crosswalk) if previous is None else previous,
        now=now,
    )


# Drawing ------------------------------------------------------------------------------------------

SURNAMES = [
    "Abernathy", "Bjornstad", "Castellano", "Dubrovnik", "Eichhorn", "Fitzwilliam", "Grzybowski",
    "Hakkinen", "Iwasaki", "Jankovic", "Kowalczyk", "Lindqvist", "Mbeki", "Nakamura", "Oyelaran",
    "Papadopoulos", "Quispe", "Rosenthal", "Szymanski", "Tchaikovsky", "Umarov", "Vandermeer",
    "Wojcik", "Xanthopoulos", "Yamashita", "Zubizarreta", "Ottaviani", "Pellegrino",
    "Quackenbush", "Rasmussen", "Stavropoulos", "Thorvaldsen", "Villalobos", "Weatherby",
    "Ellingsen", "Montgomery",
]  # fmt: skip
# Of each world a name, its short form and a name of the same initial: how many records hold a first
# name tells how much it says, so that worlds which share one are no strangers.
FIRST_NAMES = [
    ("Anna", "Ann", "Arthur"), ("Benjamin", "Ben", "Beatrice"), ("Clifford", "Cliff", "Claudia"),
    ("Donald", "Don", "Dorothea"), ("Edward", "Ed", "Esmeralda"), ("Frederick", "Fred", "Fiona"),
    ("Gregory", "Greg", "Gabriela"), ("Herbert", "Herb", "Hildegard"), ("Isabella", "Isa", "Ivo"),
    ("Joseph", "Joe", "Jemima"), ("Kenneth", "Ken", "Kirsten"), ("Leonard", "Leo", "Ludmila"),
    ("Maximilian", "Max", "Mirjam"), ("Nicholas", "Nick", "Nadja"), ("Oliver", "Oli", "Ottilie"),
    ("Patrick", "Pat", "Priscilla"), ("Raymond", "Ray", "Roswitha"), ("Samuel", "Sam", "Sieglinde"),
]  # fmt: skip
CONTACT, LEAD, THEIR_CONTACT = KINDS = (
    ("hubspot", "contact"),
    ("salesforce", "lead"),
    ("salesforce", "contact"),
)

place = st.integers(0, 6)
told = st.fixed_dictionaries(
    {
        "first": st.sampled_from(["own", "short", "initial", "other", None]),
        "last": st.sampled_from(["own", "own", "other", "own Jr", None]),
        "email": st.sampled_from(["a", "a", "a", "b", "info", None]),
        "other": st.sampled_from([None, None, None, "a", "b"]),
        "phone": st.sampled_from([None, None, 1, 2]),
        "partner": st.none() | place,
        "converted": st.none() | st.none() | place,
    }
)
among = st.integers(0, 3)
spoken = st.lists(
    st.tuples(among, among, st.sampled_from(["pin", "forbid", "accept", "reject"])), max_size=3
)
overnight = st.lists(
    st.sampled_from(["stays", "stays", "goes", "is merged"]) | told, min_size=6, max_size=6
)


def key(row: Row) -> Key:
    return row["system"], row["kind"], row["record_id"]


def record_id(world: int, at: int, kind: tuple[str, str]) -> str:
    if kind == CONTACT:
        return f"{world + 1}{at:02}"
    return f"{'00Q' if kind == LEAD else '003'}{world:06}{at:06}AAA"


def described(
    world: int, at: int, kinds: Sequence[tuple[str, str]], drawn: Mapping[str, Any]
) -> Row:
    """Write what was drawn of a record in its world's names; what it names may be nowhere."""
    kind = kinds[at]
    own, other = SURNAMES[2 * world : 2 * world + 2]
    last_names = {"own": own, "other": other, "own Jr": f"{own} Jr", None: None}
    first, short, alike = FIRST_NAMES[world]
    first_names = {"own": first, "short": short, "initial": first[0], "other": alike, None: None}

    def address(local: str | None) -> str | None:
        # One mailbox name at two domains is a key, but for a role's.
        mailbox = local if local == "info" else f"{local}.{own.lower()}"
        return local and f"{mailbox}@{own.lower()}.test"

    def named(place: int | None, wanted: Sequence[tuple[str, str]]) -> str | None:
        if place is None:
            return None
        there = kinds[place] if place < len(kinds) else wanted[0]
        return record_id(world, place, there) if there in wanted else None

    partners = [THEIR_CONTACT, LEAD] if kind == CONTACT else [CONTACT]
    return {
        "system": kind[0],
        "kind": kind[1],
        "record_id": record_id(world, at, kind),
        "first_name": first_names[drawn["first"]],
        "last_name": last_names[drawn["last"]],
        "email": address(drawn["email"]),
        "other_emails": address(drawn["other"]),
        "phone": drawn["phone"] and f"+1 555 {world:03} {drawn['phone']}{world:03}",
        "partner_id": named(drawn["partner"], partners),
        "converted_to": named(drawn["converted"], [THEIR_CONTACT]) if kind == LEAD else None,
    }


def decided(people: Sequence[Row], words: Sequence[tuple[int, int, str]]) -> list[Row]:
    """Make decisions of what was drawn; of several on one pair the last stands, as in the store."""
    by_pair = {}
    for one, other, decision in words:
        if one != other and max(one, other) < len(people):
            left, right = ordered(key(people[one]), key(people[other]))
            by_pair[left, right] = {
                "decision_id": " ".join((*left, *right)),
                "entity": "person",
                **dict(zip(PAIR, (*left, *right), strict=True)),
                "decision": decision,
                "decided_by": "kim",
                "decided_at": NIGHT,
            }
    return list(by_pair.values())


@st.composite
def a_world(draw: st.DrawFn, number: int, kinds: Sequence[tuple[str, str]] = KINDS) -> World:
    rows = draw(st.lists(st.tuples(st.sampled_from(kinds), told), min_size=3, max_size=6))
    kinds = [kind for kind, _ in rows]
    people = [described(number, at, kinds, drawn) for at, (_, drawn) in enumerate(rows)]
    return World(people, decisions=decided(people, draw(spoken)))


def worlds(kinds: Sequence[tuple[str, str]] = KINDS) -> st.SearchStrategy[tuple[World, ...]]:
    return st.tuples(*(a_world(number, kinds) for number in range(WORLDS)))


@st.composite
def a_world_overnight(draw: st.DrawFn, number: int) -> tuple[World, World]:
    """Draw a world and what became of it: records go, are merged, say something else."""
    before = draw(a_world(number))
    kinds = [key(row)[:2] for row in before.people]
    people: list[Row] = []
    aliases = []
    for at, (row, change) in enumerate(zip(before.people, draw(overnight), strict=False)):
        survivor = next((other for other in people if key(other)[:2] == kinds[at]), None)
        if change == "is merged" and survivor:
            merge = dict(zip(("system", "kind", "record_id"), key(row), strict=True))
            aliases.append(merge | {"survivor_id": survivor["record_id"]})
        elif isinstance(change, Mapping):
            people.append(described(number, at, kinds, change))
        elif change != "goes":
            people.append(row)
    words = draw(st.just(before.decisions) | spoken.map(lambda said: decided(before.people, said)))
    return before, World(people, aliases, words)


two_nights = st.tuples(*(a_world_overnight(number) for number in range(WORLDS)))


# Laws ---------------------------------------------------------------------------------------------


@laws
@given(two_nights)
def test_a_night_over_records_that_nobody_changed_changes_nothing(drawn):
    before, after = (together(some) for some in zip(*drawn, strict=True))
    first = night(after, night(before).crosswalk, NEXT_NIGHT)
    again = night(after, first.crosswalk, NEXT_NIGHT)
    pd.testing.assert_frame_equal(again.crosswalk, first.crosswalk)
    pd.testing.assert_frame_equal(again.reviews, first.reviews)


@laws
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(drawn, chance):
    world = together(drawn)
    mixed = [chance.sample(rows, len(rows)) for rows in (world.people, world.decisions)]
    one, other = night(world), night(World(mixed[0], decisions=mixed[1]))
    pd.testing.assert_frame_equal(one.crosswalk, other.crosswalk)
    pd.testing.assert_frame_equal(one.reviews, other.reviews)


@laws
@given(worlds([CONTACT, THEIR_CONTACT]))
def test_with_the_systems_swapped_the_same_links_are_made(drawn):
    world = together(drawn)
    one, other = night(world), night(mirrored(world))
    # Of two equally strong links that contradict each other, ids decide which one stays.
    contested = contradicted(one) & contradicted(other)
    for seen in (persons, asked):
        there = {frozenset(map(swapped, records)) for records in seen(other)}
        differ = seen(one) ^ there
        assert {world_of(record) for records in differ for record in records} <= contested


@laws
@given(worlds())
def test_neighbours_that_share_no_key_change_no_link_and_no_question(drawn):
    few = drawn[: WORLDS // 2]
    alone, among = night(together(few)), night(together(drawn))
    records = {key(row) for world in few for row in world.people}
    links, questions = (
        rows[pd.Series(keys_of(rows, side), index=rows.index).isin(records)]
        for rows, side in ((among.crosswalk, ""), (among.reviews, "left_"))
    )
    pd.testing.assert_frame_equal(links.reset_index(drop=True), alone.crosswalk)
    pd.testing.assert_frame_equal(
        *(rows.sort_values("review_id", ignore_index=True) for rows in (questions, alone.reviews))
    )


@laws
@given(worlds())
def test_a_pin_beats_everything_and_only_pins_join_what_somebody_keeps_apart(drawn):
    world = together(drawn)
    person, pinned = person_of(night(world)), pinned_groups(world)
    for row in world.decisions:
        one, other = sides(row)
        if pinned[one] == pinned[other]:
            assert person[one] == person[other]
        elif row["decision"] in {"forbid", "reject"}:
            assert person[one] != person[other]


@laws
@given(worlds())
def test_every_record_is_one_person_and_no_sure_link_is_dropped_without_a_question(drawn):
    world = together(drawn)
    found = night(world)
    person, questions = person_of(found), asked(found)
    assert sorted(person) == sorted(map(key, world.people))
    assert (found.crosswalk.groupby(["entity_id", "system"])["is_survivor"].sum() == 1).all()
    for one, other in sure_links(world):
        is_apart = {one, other} in [
            {*sides(row)} for row in world.decisions if row["decision"] in {"forbid", "reject"}
        ]
        assert person[one] == person[other] or {one, other} in questions or is_apart


@laws
@given(worlds())
def test_clearly_different_names_at_one_address_are_never_joined_by_what_they_say(drawn):
    ids = dict.fromkeys(("partner_id", "converted_to"))
    world = together([World([row | ids for row in one.people]) for one in drawn])
    person = person_of(night(world))
    together_at_one = [
        (one, other)
        for one, other in combinations(world.people, 2)
        if person[key(one)] == person[key(other)] and addresses(one) & addresses(other)
    ]
    names = [
        plain_names(pd.Series([pair[side][part] for pair in together_at_one], dtype="str"))
        for side in (0, 1)
        for part in ("first_name", "last_name")
    ]
    assert together_at_one
    assert not are_two(*names).any()


# What the laws speak of ---------------------------------------------------------------------------


def pinned_groups(world: World) -> dict[Key, int]:
    """Number the records so that those which pins join, however long the way, share a number."""
    group = {key(row): number for number, row in enumerate(world.people)}
    for row in world.decisions:
        if row["decision"] == "pin":
            gone, kept = (group[side] for side in sides(row))
            group.update({record: kept for record, number in group.items() if number == gone})
    return group


def sure_links(world: World) -> Iterator[tuple[Key, Key]]:
    """Give the pairs of records of which one names the other by an id."""
    by_id = {row["record_id"]: key(row) for row in world.people}
    for row in world.people:
        for named in (row["partner_id"], row["converted_to"]):
            if named in by_id:
                yield key(row), by_id[named]


def addresses(row: Row) -> set[str]:
    return {row["email"], row["other_emails"]} - {None}


def swapped(record: Key) -> Key:
    system, kind, name = record
    if system == "hubspot":
        return "salesforce", kind, f"003{int(name) // 100 - 1:06}{int(name) % 100:06}AAA"
    return "hubspot", kind, f"{int(name[3:9]) + 1}{int(name[9:15]):02}"


def world_of(record: Key) -> int:
    system, _, name = record
    return int(name) // 100 - 1 if system == "hubspot" else int(name[3:9])


def contradicted(found: Reconciled) -> set[int]:
    """Give the worlds in which a link was not made because a stronger one says the contrary."""
    rows = found.reviews[found.reviews["evidence"].str.startswith(CONTRADICTS)]
    return {world_of(sides(row)[0]) for row in rows.to_dict("records")}


def mirrored(world: World) -> World:
    """Give every record to the other system, with the ids that its number has there."""
    people = []
    for row in world.people:
        system, _, name = swapped(key(row))
        partner = row["partner_id"]
        stored = partner and swapped((system, "contact", partner))[2]
        people.append({**row, "system": system, "record_id": name, "partner_id": stored})
    said = []
    for row in world.decisions:
        left, right = ordered(*map(swapped, sides(row)))
        said.append({**row, **dict(zip(PAIR, (*left, *right), strict=True))})
    return World(people, decisions=said)


def sides(row: Row) -> tuple[Key, Key]:
    return tuple(row[name] for name in PAIR[:3]), tuple(row[name] for name in PAIR[3:])


def keys_of(rows: pd.DataFrame, side: str = "") -> list[Key]:
    ends = ("system", "kind", "id") if side else ("system", "kind", "record_id")
    return list(zip(*(rows[f"{side}{end}"] for end in ends), strict=True))


def person_of(found: Reconciled) -> dict[Key, str]:
    return dict(zip(keys_of(found.crosswalk), found.crosswalk["entity_id"], strict=True))


def persons(found: Reconciled) -> set[frozenset[Key]]:
    return {frozenset(keys_of(rows)) for _, rows in found.crosswalk.groupby("entity_id")}


def asked(found: Reconciled) -> set[frozenset[Key]]:
    return {frozenset(sides(row)) for row in found.reviews.to_dict("records")}
