"""Pulls: mirror, versions, histories, associations and watermark move together or not at all."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from agreement.errors import GuardStopped
from agreement.records import Association, Batch, HistoryEntry, Record
from connectors.store import PullCount, Store

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def contact(record_id: str, values: dict[str, str | None] | None = None, **more) -> Record:
    return Record(record_id, values or {}, **({"created_at": NOON, "modified_at": NOON} | more))


def pull(
    store: Store, *batches: Batch, run_id="run-1", is_full=False, until=NOON, **more
) -> PullCount:
    return store.save_pull(
        run_id, "hubspot", "contact", iter(batches),
        until=until, is_full=is_full, seen_at=until, **more,
    )  # fmt: skip


def rows_in(url: str, query: str) -> list[tuple]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def test_what_was_pulled_is_read_back_as_text_and_utc_instants(store):
    pull(
        store,
        Batch((
            contact("2", {"email": "b@x.test", "city": None}, merged_into="1", is_deleted=True),
            contact("10", {"email": "a@x.test", "city": "Zürich"}, modified_at=None),
        )),
    )  # fmt: skip
    frame = store.mirror("hubspot", "contact", ["city", "email"])
    assert list(frame.columns) == [
        "record_id", "created_at", "modified_at", "is_deleted", "merged_into", "city", "email",
    ]  # fmt: skip
    assert frame["record_id"].tolist() == ["10", "2"]
    assert frame["city"].tolist()[0] == "Zürich"
    assert frame["city"].isna().tolist() == [False, True]
    assert frame["is_deleted"].tolist() == [False, True]
    assert frame["merged_into"].dropna().tolist() == ["1"]
    assert frame["modified_at"].isna().tolist() == [True, False]
    assert frame["created_at"].tolist() == [pd.Timestamp(NOON)] * 2
    assert [str(dtype) for dtype in frame.dtypes] == [
        "str", "datetime64[us, UTC]", "datetime64[us, UTC]", "bool", "str", "str", "str",
    ]  # fmt: skip


def test_recent_records_are_the_live_ones_that_changed_from_a_moment_on(store):
    early = NOON - timedelta(microseconds=1)
    pull(
        store,
        Batch((
            contact("1", modified_at=NOON), contact("2", modified_at=early),
            contact("3", modified_at=None), contact("4", modified_at=LATER, is_deleted=True),
        )),
    )  # fmt: skip
    assert store.mirror("hubspot", "contact", [], since=NOON)["record_id"].tolist() == ["1"]
    assert store.mirror("salesforce", "lead", [], since=NOON).empty


def test_a_mirror_that_was_never_read_is_an_empty_table_with_its_columns(store):
    frame = store.mirror("salesforce", "lead", ["Email"])
    assert len(frame) == 0
    assert str(frame["Email"].dtype) == "str"
    assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"


def test_a_field_that_the_mirror_lacks_is_all_missing_text(store):
    pull(store, Batch((contact("1", {"email": "a@x.test"}),)))
    frame = store.mirror("hubspot", "contact", ["score", "email"])
    assert frame["score"].isna().all()
    assert str(frame["score"].dtype) == "str"


def test_a_field_asked_for_later_becomes_a_column_and_older_records_lack_it(store):
    pull(store, Batch((contact("1", {"email": "a@x.test"}),)))
    pull(store, Batch((contact("2", {"email": "b@x.test", "score": "7"}),)))
    assert store.mirror("hubspot", "contact", ["score"])["score"].isna().tolist() == [True, False]


HOSTILE = [
    'a"b', "a'b; DROP TABLE run; --", "x" * 200, "x" * 199 + "y", "select", "Name", "NAME",
    "_pull_id", "%s", ":name", "ünï", "a b", "a_b", "", "record_id", "__0",
]  # fmt: skip


def test_any_vendor_name_is_a_column_of_its_own(store):
    values = {field: f"value of {field}" for field in HOSTILE}
    pull(store, Batch((contact("1", values),)))
    asked = [field for field in HOSTILE if field != "record_id"]
    assert store.mirror("hubspot", "contact", asked)[asked].iloc[0].to_dict() == {
        field: values[field] for field in asked
    }
    assert store.mirror("hubspot", "contact", ["record_id"]).columns.tolist()[0] == "record_id"


def test_text_that_a_database_cannot_hold_is_stored_without_the_sign(store):
    pull(
        store,
        Batch(
            (contact("1", {"note": "a\x00b", "half": "x\ud83dy", "fine": "\\u0000 😀"}),),
            (HistoryEntry("1", "note", "a\x00b", NOON),),
        ),
    )
    row = store.mirror("hubspot", "contact", ["note", "half", "fine"]).iloc[0]
    assert (row["note"], row["half"], row["fine"]) == ("ab", "x?y", "\\u0000 😀")
    assert store.history("hubspot", "contact", ["note"])["value"].tolist() == ["ab"]


def test_a_long_text_comes_back_whole(store):
    long = "=HYPERLINK(1)\n\"'" + "ü" * 100_000
    pull(store, Batch((contact("1", {"note": long}),)))
    assert store.mirror("hubspot", "contact", ["note"])["note"].tolist() == [long]


def test_every_new_state_is_kept_as_a_version_and_an_equal_one_is_not(store, database_url):
    pull(store, Batch((contact("1", {"email": "a@x.test"}), contact("2", {"email": None}))))
    again = Batch((contact("1", {"email": "a@x.test"}, modified_at=LATER),))
    assert pull(store, again, run_id="run-2") == PullCount(rows=1, changed=0, unseen=0)
    changed = Batch((contact("1", {"email": "new@x.test"}),))
    assert pull(store, changed, run_id="run-3") == PullCount(rows=1, changed=1, unseen=0)
    versions = rows_in(
        database_url, "SELECT record_id, run_id FROM mirror_version ORDER BY version_id"
    )
    assert versions == [("1", "run-1"), ("2", "run-1"), ("1", "run-3")]


def test_an_equal_state_moves_the_modified_time(store):
    pull(store, Batch((contact("1", {"email": "a@x.test"}),)))
    pull(store, Batch((contact("1", {"email": "a@x.test"}, modified_at=LATER),)))
    assert store.mirror("hubspot", "contact", [])["modified_at"].tolist() == [pd.Timestamp(LATER)]


def test_fields_that_a_record_does_not_carry_stay_as_they_were(store):
    pull(store, Batch((contact("1", {"email": "a@x.test", "city": "Bern"}),)))
    pull(store, Batch((contact("1", {"email": None}, is_deleted=True, created_at=None),)))
    row = store.mirror("hubspot", "contact", ["email", "city"]).iloc[0]
    assert row["city"] == "Bern"
    assert pd.isna(row["email"])
    assert row["is_deleted"]
    assert row["created_at"] == pd.Timestamp(NOON)


def test_a_record_that_comes_twice_counts_once_and_its_last_state_stands(store):
    first, second = contact("1", {"email": "a@x.test"}), contact("1", {"email": "b@x.test"})
    saved = pull(store, Batch((first, second)), Batch((second,)))
    assert saved == PullCount(rows=1, changed=1, unseen=0)
    assert store.mirror("hubspot", "contact", ["email"])["email"].tolist() == ["b@x.test"]


def test_a_full_read_counts_live_records_it_did_not_see_and_deletes_none(store):
    gone = contact("3", {"email": "c@x.test"}, is_deleted=True)
    pull(store, Batch((contact("1", {"email": "a"}), contact("2", {"email": "b"}), gone)))
    saved = pull(store, Batch((contact("1", {"email": "a"}),)), is_full=True, run_id="run-2")
    assert saved == PullCount(rows=1, changed=0, unseen=1)
    assert store.mirror("hubspot", "contact", [])["is_deleted"].tolist() == [False, False, True]


def broken_after(batch: Batch) -> Iterator[Batch]:
    yield batch
    raise ConnectionError("cut in the middle")


def test_a_pull_that_breaks_off_leaves_everything_as_it_was(store):
    pull(store, Batch((contact("1", {"email": "a@x.test"}),)))
    batch = Batch(
        (contact("1", {"email": "lost@x.test"}), contact("2")),
        (HistoryEntry("1", "email", "lost@x.test", NOON),),
        (Association("contact", "1", "company", "9"),),
        ("company",),
    )
    with pytest.raises(ConnectionError):
        store.save_pull(
            "run-2", "hubspot", "contact", broken_after(batch),
            until=LATER, is_full=False, seen_at=LATER,
        )  # fmt: skip
    assert store.mirror("hubspot", "contact", ["email"])["email"].tolist() == ["a@x.test"]
    assert store.history("hubspot", "contact", ["email"]).empty
    assert store.associations("hubspot", "contact", "company").empty
    assert store.watermark("hubspot", "contact") == NOON


def test_a_count_that_is_not_accepted_leaves_everything_as_it_was(store):
    pull(store, Batch(tuple(contact(str(n), {"email": str(n)}) for n in range(10))))

    def stop(seen: PullCount) -> None:
        raise GuardStopped(f"only {seen.rows} of {seen.rows + seen.unseen}")

    with pytest.raises(GuardStopped, match="only 1 of 10"):
        pull(store, Batch((contact("3", {"email": "x"}),)), is_full=True, until=LATER, accept=stop)
    assert "x" not in store.mirror("hubspot", "contact", ["email"])["email"].tolist()
    assert store.watermark("hubspot", "contact") == NOON


def test_the_watermark_moves_with_the_rows_and_never_back(store):
    assert store.watermark("hubspot", "contact") is None
    pull(store, until=LATER)
    assert store.watermark("hubspot", "contact") == LATER
    pull(store, until=NOON)
    assert store.watermark("hubspot", "contact") == LATER
    assert store.watermark("hubspot", "deal") is None


def test_a_field_is_known_only_while_every_pull_since_the_last_full_one_asked_for_it(store):
    pull(store, is_full=True, fields=["email", "city"])
    assert store.fields_read("hubspot", "contact") == {"email", "city"}
    pull(store, fields=["email", "score"])
    assert store.fields_read("hubspot", "contact") == {"email"}
    pull(store, is_full=True, fields=["email", "score"])
    assert store.fields_read("hubspot", "contact") == {"email", "score"}


def test_history_is_kept_once_and_for_good(store):
    entries = (
        HistoryEntry("1", "lifecyclestage", "lead", NOON, "FORM"),
        HistoryEntry("1", "lifecyclestage", None, LATER, "CRM_UI"),
        HistoryEntry("1", "hubspot_owner_id", "7", NOON, "API"),
    )
    pull(store, Batch(history=entries))
    pull(store, Batch(history=entries[1:]), Batch(history=entries[:1]), run_id="run-2")
    frame = store.history("hubspot", "contact", ["lifecyclestage"])
    assert frame["value"].fillna("-").tolist() == ["lead", "-"]
    assert frame["changed_at"].tolist() == [pd.Timestamp(NOON), pd.Timestamp(LATER)]
    assert frame["source"].tolist() == ["FORM", "CRM_UI"]
    assert store.history("hubspot", "contact", []).empty


def linked(record_id: str, *companies: str) -> Batch:
    return Batch(
        (contact(record_id),),
        (),
        tuple(Association("contact", record_id, "company", company) for company in companies),
        ("company",),
    )


def test_associations_of_a_record_read_again_are_replaced_and_others_stay(store):
    pull(store, linked("1", "a", "b"), linked("2", "a"))
    pull(store, linked("1", "b", "c"), until=LATER)
    frame = store.associations("hubspot", "contact", "company")
    assert list(frame.itertuples(index=False, name=None)) == [("1", "b"), ("1", "c"), ("2", "a")]
    assert store.associations("hubspot", "contact", "deal").empty


def test_an_association_that_ends_and_comes_back_stands(store):
    pull(store, linked("1", "a"), linked("1"), linked("1", "a"))
    assert store.associations("hubspot", "contact", "company")["to_id"].tolist() == ["a"]
    pull(store, linked("1"), until=LATER)
    assert store.associations("hubspot", "contact", "company").empty


texts = st.none() | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6
)
FIELDS = ["email", "City", "a b"]
records = st.builds(
    contact,
    st.sampled_from(["1", "2", "3"]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, texts)),
    is_deleted=st.booleans(),
    merged_into=st.none() | st.just("9"),
)
pulls = st.lists(st.lists(records, max_size=4).map(lambda rows: Batch(tuple(rows))), max_size=3)
fresh_kinds = (f"kind_{number}" for number in count())
each_on_its_own_kind = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def last_states(batches: list[Batch]) -> list[tuple]:
    """Say slowly what a mirror has to hold: each record's last state, absent fields as before."""
    states: dict[str, dict[str, object]] = {}
    for record in (record for batch in batches for record in batch.records):
        state = states.setdefault(record.record_id, dict.fromkeys(FIELDS))
        state.update(record.values, is_deleted=record.is_deleted, merged_into=record.merged_into)
    order = ["is_deleted", "merged_into", *FIELDS]
    return [(key, *(states[key][name] for name in order)) for key in sorted(states)]


def mirrored(store: Store, kind: str) -> list[tuple]:
    frame = store.mirror("hubspot", kind, FIELDS).drop(columns=["created_at", "modified_at"])
    return [
        tuple(None if pd.isna(value) else value for value in row)
        for row in frame.itertuples(index=False, name=None)
    ]


@each_on_its_own_kind
@given(batches=pulls)
def test_a_mirror_holds_the_last_state_of_every_record_however_a_pull_is_cut(store, batches):
    kind = next(fresh_kinds)
    saved = store.save_pull(
        "run-1", "hubspot", kind, batches, until=NOON, is_full=True, seen_at=NOON
    )
    assert mirrored(store, kind) == last_states(batches)
    assert saved.rows == len(last_states(batches))


@each_on_its_own_kind
@given(batches=pulls)
def test_saving_the_settled_states_again_changes_nothing(store, database_url, batches):
    kind = next(fresh_kinds)
    final = {record.record_id: record for batch in batches for record in batch.records}
    again = [Batch(tuple(final.values()))]
    times = {"until": NOON, "is_full": True, "seen_at": NOON}
    store.save_pull("run-1", "hubspot", kind, batches, **times)
    before = mirrored(store, kind)
    versions = f"SELECT count(*) FROM mirror_version WHERE kind = '{kind}'"  # noqa: S608
    [(kept,)] = rows_in(database_url, versions)
    assert store.save_pull("run-2", "hubspot", kind, again, **times).changed == 0
    assert mirrored(store, kind) == before
    assert rows_in(database_url, versions) == [(kept,)]
