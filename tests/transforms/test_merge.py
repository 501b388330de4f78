"""Three-way merge: laws first, then one small case per rule."""

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agreement.frames import Bases, Crosswalk, SharedPairs, as_text, as_utc, empty
from agreement.policy import SharedField
from tests import builders
from transforms import merge as merging

NOON, LATER = "2026-11-10T12:00:00Z", "2026-11-10T13:00:00Z"
NEVER = pd.DataFrame(
    {name: as_text([]) for name in (*merging.PAIR, "hubspot_value", "salesforce_value", "decision")}
)
SIDES = ("hubspot", "salesforce")
OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}


def shared(**changes) -> SharedField:
    given = {
        "name": "job_title", "entity": "person", "hubspot": "jobtitle",
        "salesforce": {"lead": "Title", "contact": "Title"},
    }  # fmt: skip
    return SharedField.model_validate(given | changes)


def pair(hubspot, salesforce, base=None, **more) -> dict:
    """Build one pair; `base` is what both held, or a pair of what each held."""
    bases = base if isinstance(base, tuple) else (base, base)
    return {
        "entity": "person", "entity_id": "p1", "field": "job_title",
        "hubspot_kind": "contact", "hubspot_id": "1",
        "salesforce_kind": "contact", "salesforce_id": "0031",
        "hubspot_value": hubspot, "salesforce_value": salesforce,
        "has_base": base is not None, "hubspot_base": bases[0], "salesforce_base": bases[1],
    } | more  # fmt: skip


def merged(rows, *ownership) -> pd.DataFrame:
    return merging.merge(builders.build(SharedPairs, rows), ownership or (shared(),))


def verdict(row, **changes) -> tuple[str, str | None]:
    found = merged([row], shared(**changes)).iloc[0]
    return found["outcome"], None if pd.isna(found["after"]) else found["after"]


def apply(row: dict, outcome: str, after) -> dict:
    """Do what a merge says: write one side; then both are agreed on."""
    new = dict(row)
    if outcome.startswith("to_"):
        new[f"{outcome.removeprefix('to_')}_value"] = after
    return new


values = st.sampled_from([None, "a", "b", "c"])
owners = st.sampled_from(["hubspot", "salesforce", "newest", "ask"])
blanks = st.sampled_from(["never_wins", "wins"])
times = st.sampled_from([None, NOON, LATER])
pairs = st.builds(
    lambda h, s, base, has_base, h_at, s_at: pair(
        h, s, (base, base) if has_base else None,
        hubspot_changed_at=h_at, salesforce_changed_at=s_at,
    ),
    values, values, values, st.booleans(), times, times,
)  # fmt: skip


def swapped(row: dict) -> dict:
    return {
        name.replace("hubspot", "X").replace("salesforce", "hubspot").replace("X", "salesforce"):
        value for name, value in row.items() if name.endswith(("_value", "_base", "_changed_at"))
    }  # fmt: skip


@given(pairs, owners, blanks)
def test_a_side_that_people_changed_is_overwritten_only_by_its_owners_or_the_newest(
    row, owner, blank
):
    outcome, _ = verdict(row, owner=owner, blank=blank)
    for side in SIDES:
        is_written = outcome == f"to_{side}"
        is_changed = row["has_base"] and row[f"{side}_value"] != row[f"{side}_base"]
        if is_written and is_changed:
            assert owner in {OTHER[side], "newest"}


@given(st.permutations([None, "a", "b", "c"]), blanks)
def test_two_different_changes_are_a_conflict_when_nobody_owns_the_field(different, blank):
    hubspot, salesforce, base, _ = different
    row = pair(hubspot, salesforce, (base, base))
    assert verdict(row, owner="ask", blank=blank) == ("conflict", None)


@given(pairs, owners)
def test_a_blank_never_wins(row, owner):
    outcome, after = verdict(row, owner=owner, blank="never_wins")
    assert not outcome.startswith("to_") or after is not None


@given(pairs, owners, blanks)
def test_equal_values_are_agreed_and_nothing_else_is(row, owner, blank):
    outcome, _ = verdict(row, owner=owner, blank=blank)
    assert (outcome == "agreed") == (row["hubspot_value"] == row["salesforce_value"])


@given(pairs, owners, blanks)
def test_after_a_write_both_sides_agree_and_merging_again_writes_nothing(row, owner, blank):
    outcome, after = verdict(row, owner=owner, blank=blank)
    assume(outcome.startswith("to_"))
    done = apply(row, outcome, after)
    assert done["hubspot_value"] == done["salesforce_value"]
    assert verdict(done, owner=owner, blank=blank)[0] == "agreed"


@given(pairs, blanks)
def test_the_two_systems_are_treated_alike(row, blank):
    mirrored = row | swapped(row)
    turned = {"to_hubspot": "to_salesforce", "to_salesforce": "to_hubspot"}
    outcome, after = verdict(row, owner="ask", blank=blank)
    assert verdict(mirrored, owner="ask", blank=blank) == (turned.get(outcome, outcome), after)


@given(st.lists(pairs, max_size=6), owners, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter(rows, owner, chance):
    numbered = [row | {"hubspot_id": str(place)} for place, row in enumerate(rows)]
    shuffled = list(numbered)
    chance.shuffle(shuffled)
    columns = ["hubspot_id", "outcome", "how", "after"]

    def result(given_rows):
        found = merged(given_rows, shared(owner=owner))[columns].sort_values("hubspot_id")
        return found.fillna("").to_numpy().tolist()

    assert result(numbered) == result(shuffled)


@given(values, values, values)
def test_agreed_values_become_the_base_and_a_change_of_one_side_then_travels(first, second, third):
    assume(first is not None and third not in {None, first})
    agreed = merged([pair(first, first, second if second != first else None)])
    [base] = merging.agreed_bases(agreed, (shared(),)).to_dict("records")
    assert (base["hubspot_base"], base["salesforce_base"]) == (first, first)
    assert verdict(pair(third, first, first)) == ("to_salesforce", third)
    assert verdict(pair(first, third, first)) == ("to_hubspot", third)


# Rules without a base ----------------------------------------------------------------------------


@pytest.mark.parametrize("owner", ["hubspot", "salesforce", "newest", "ask"])
def test_without_a_base_a_blank_is_filled_whoever_owns_the_field(owner):
    assert verdict(pair("a", None), owner=owner) == ("to_salesforce", "a")
    assert verdict(pair(None, "a"), owner=owner) == ("to_hubspot", "a")


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("hubspot", ("to_salesforce", "a")),
        ("salesforce", ("to_hubspot", "b")),
        ("newest", ("conflict", None)),
        ("ask", ("conflict", None)),
    ],
)
def test_without_a_base_different_values_are_the_named_owners_else_a_conflict(owner, expected):
    row = pair("a", "b", hubspot_changed_at=LATER, salesforce_changed_at=NOON)
    assert verdict(row, owner=owner) == expected


# Owners ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hubspot_at", "salesforce_at", "expected"),
    [
        (LATER, NOON, ("to_salesforce", "a")),
        (NOON, LATER, ("to_hubspot", "b")),
        (NOON, NOON, ("conflict", None)),
        (NOON, None, ("conflict", None)),
        (None, None, ("conflict", None)),
    ],
)
def test_the_newest_wins_by_the_time_of_both_changes_and_a_tie_is_a_conflict(
    hubspot_at, salesforce_at, expected
):
    row = pair("a", "b", "c", hubspot_changed_at=hubspot_at, salesforce_changed_at=salesforce_at)
    assert verdict(row, owner="newest") == expected


def test_a_decision_of_a_person_settles_a_conflict_and_only_that():
    assert verdict(pair("a", "b", "c", decision="salesforce")) == ("to_hubspot", "b")
    assert verdict(pair("a", "c", "c", decision="salesforce")) == ("to_salesforce", "a")


def test_an_emptied_field_asks_a_person_unless_the_other_side_owns_it():
    assert verdict(pair(None, "c", "c")) == ("conflict", None)
    assert verdict(pair(None, "c", "c"), owner="salesforce") == ("to_hubspot", "c")
    assert verdict(pair(None, "c", "c"), blank="wins") == ("to_salesforce", None)


# Formats and maps --------------------------------------------------------------------------------


def test_one_number_in_two_spellings_is_agreed_and_left_as_typed():
    phone = {"same": "digits"}
    assert verdict(pair("(212) 555-0100", "212.555.0100"), **phone) == ("agreed", None)
    assert verdict(pair("212 555 0101", "212.555.0100", "2125550100"), **phone) == (
        "to_salesforce",
        "212 555 0101",
    )


def test_outer_blanks_are_no_change():
    assert verdict(pair("a ", "a")) == ("agreed", None)
    assert verdict(pair("  ", "a")) == ("to_hubspot", "a")


MAPS = {
    "to_salesforce": {"vp": "Vice President", "svp": "Vice President"},
    "to_hubspot": {"Vice President": "vp"},
}


def test_a_value_travels_in_the_other_sides_spelling():
    assert verdict(pair("vp", None), **MAPS) == ("to_salesforce", "Vice President")
    assert verdict(pair(None, "Vice President"), **MAPS) == ("to_hubspot", "vp")
    assert verdict(pair("ceo", None), **MAPS) == ("to_salesforce", "ceo")


def test_a_map_that_loses_a_difference_does_not_bring_it_back():
    assert verdict(pair("svp", "Vice President", ("svp", "Vice President")), **MAPS)[0] == "agreed"
    assert verdict(pair("svp", "Vice President"), **MAPS)[0] == "agreed"
    row = pair("svp", "CEO", ("svp", "Vice President"))
    assert verdict(row, **MAPS) == ("to_hubspot", "CEO")


def test_a_base_of_another_map_is_no_base():
    links = link("hubspot", "contact", "1"), link("salesforce", "contact", "0031")
    old = merging.agreed_bases(merged([pair("a", "a")]), (shared(),))
    for ownership, has_base in (((shared(),), True), ((shared(**MAPS),), False)):
        found = merging.shared_pairs(
            builders.crosswalk(*links), mirrors("a", "a"), ownership, old, NEVER
        )
        assert found["has_base"].tolist() == [has_base]


# Pairs -------------------------------------------------------------------------------------------


def link(system, kind, record_id, **more) -> dict:
    given = {"entity_id": "p1", "system": system, "kind": kind, "record_id": record_id}
    return given | more


def mirrors(hubspot, salesforce) -> dict:
    def mirror(field, values):
        return pd.DataFrame({"record_id": as_text(list(values)), field: as_text(values.values())})

    return {
        ("hubspot", "contact"): mirror("jobtitle", {"1": hubspot, "2": "other"}),
        ("salesforce", "contact"): mirror("Title", {"0031": salesforce}),
        ("salesforce", "lead"): mirror("Title", {"00Q1": "lead's"}),
    }


def pairs_of(*links, seen=None) -> pd.DataFrame:
    return merging.shared_pairs(
        builders.crosswalk(*links), seen or mirrors("a", "b"), (shared(),), empty(Bases), NEVER
    )


def test_only_the_two_survivors_of_a_person_are_a_pair():
    found = pairs_of(
        link("hubspot", "contact", "1"),
        link("hubspot", "contact", "2", is_survivor=False),
        link("salesforce", "contact", "0031"),
        link("salesforce", "lead", "00Q1", is_survivor=False),
    )
    assert found[["hubspot_id", "salesforce_id", "hubspot_value"]].to_numpy().tolist() == [
        ["1", "0031", "a"]
    ]


def test_a_field_that_one_side_does_not_see_is_no_pair_and_no_blank():
    seen = mirrors("a", "b")
    seen["salesforce", "contact"] = seen["salesforce", "contact"].drop(columns="Title")
    links = link("hubspot", "contact", "1"), link("salesforce", "contact", "0031")
    assert len(pairs_of(*links)) == 1
    assert pairs_of(*links, seen=seen).empty


def test_a_converted_lead_whose_contact_is_gone_is_no_side_of_a_pair():
    links = link("hubspot", "contact", "1"), link("salesforce", "lead", "00Q1")
    seen = mirrors("a", "b")
    for is_converted, count in ((None, 1), ("false", 1), ("true", 0)):
        seen["salesforce", "lead"]["IsConverted"] = as_text([is_converted])
        assert len(pairs_of(*links, seen=seen)) == count


def test_times_come_from_the_change_to_the_very_value_that_stands():
    found = pairs_of(link("hubspot", "contact", "1"), link("salesforce", "contact", "0031"))
    rows = [
        ("hubspot", "contact", "1", "jobtitle", "a", NOON),
        ("hubspot", "contact", "1", "jobtitle", "z", LATER),
        ("salesforce", "contact", "0031", "Phone", "b", LATER),
    ]
    columns = ["system", "kind", "record_id", "field", "value", "changed_at"]
    changes = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[:5], "str"))
    changes["changed_at"] = as_utc(changes["changed_at"])
    timed = merging.with_times(found, changes, (shared(),)).iloc[0]
    assert timed["hubspot_changed_at"] == pd.Timestamp(NOON)
    assert pd.isna(timed["salesforce_changed_at"])


def test_two_blanks_end_a_base_and_need_none():
    known = merged([pair(None, None, "a")])
    assert merging.agreed_bases(known, (shared(),))["hubspot_base"].isna().tolist() == [True]
    assert merging.agreed_bases(merged([pair(None, None)]), (shared(),)).empty


def test_writes_carry_what_they_overwrite_and_why():
    [row] = merging.shared_writes(merged([pair("a", "c", "c")]), (shared(),)).to_dict("records")
    assert row == {
        "system": "salesforce", "kind": "contact", "record_id": "0031", "field": "Title",
        "before": "c", "after": "a", "reason": "job title changed in hubspot",
    }  # fmt: skip


def test_a_conflict_keeps_its_id_until_a_value_changes():
    first, same, other = (
        merging.conflicts(merged([row]))["conflict_id"].iloc[0]
        for row in (pair("a", "b", "c"), pair("a", "b", "x"), pair("a", "d", "c"))
    )
    assert first == same != other


def test_no_pairs_give_no_rows():
    nothing = empty(Crosswalk)
    found = merging.shared_pairs(nothing, {}, (shared(),), empty(Bases), NEVER)
    assert merging.merge(found, (shared(),)).empty
    assert merging.shared_writes(merging.merge(found, (shared(),)), (shared(),)).empty
