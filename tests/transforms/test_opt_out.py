from hypothesis import given
from hypothesis import strategies as st

from tests import builders
from transforms.opt_out import opt_out_writes

KINDS = [("hubspot", "contact"), ("salesforce", "lead"), ("salesforce", "contact")]

records = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(KINDS), st.booleans()), max_size=8
)


def decide(rows: list[tuple], *writable: str):
    named = [
        (person, {"system": place[0], "kind": place[1], "record_id": str(number)}, out)
        for number, (person, place, out) in enumerate(rows)
    ]
    return opt_out_writes(
        builders.people(*({**record, "is_opted_out": out} for _, record, out in named)),
        builders.crosswalk(*({**record, "entity_id": person} for person, record, _ in named)),
        writable,
    )


@given(records)
def test_after_the_writes_all_records_of_a_person_are_out_when_one_was(rows):
    writes, left = decide(rows, "salesforce")
    done = {*writes["record_id"], *left["record_id"]}
    for number, (person, _, is_out) in enumerate(rows):
        somebody = any(out for other, _, out in rows if other == person)
        assert (is_out or str(number) in done) == somebody


@given(records)
def test_nobody_is_ever_subscribed_again(rows):
    writes, _ = decide(rows, "hubspot", "salesforce")
    assert set(writes["after"]) <= {"true"}
    assert not {str(number) for number, row in enumerate(rows) if row[2]} & {*writes["record_id"]}


@given(records)
def test_what_cannot_be_written_is_left_to_people(rows):
    writes, left = decide(rows, "salesforce")
    assert set(writes["system"]) <= {"salesforce"}
    assert set(left["system"]) <= {"hubspot"}
